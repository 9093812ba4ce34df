"""Write the small PyTorch files of tests/data, so that the tests do not require PyTorch.

    python scripts/make_weight_fixtures.py

Each file holds only conv1_1, with values from a formula that tests/weight_files.py repeats. Requires PyTorch
2; only run it again if a format is added.
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parent.parent / "tests" / "data"


def main() -> None:
    """Write a file in the zip format, one in the format before PyTorch 1.6, and a bfloat16 checkpoint."""
    kernel = torch.tensor(((np.arange(64 * 27) % 17) - 8) / 8).reshape(64, 3, 3, 3).float()
    bias = torch.tensor(np.arange(64) / 64).float()
    torchvision = OrderedDict({"features.0.weight": kernel, "features.0.bias": bias})
    caffe = {"module.conv1_1.weight": kernel.bfloat16(), "module.conv1_1.bias": bias.bfloat16()}
    classifier = {"classifier.0.weight": torch.zeros(2, 2)}
    DATA.mkdir(exist_ok=True)
    torch.save(torchvision | classifier, DATA / "conv1_1_zip.pth")
    torch.save(torchvision, DATA / "conv1_1_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": caffe}, DATA / "conv1_1_checkpoint.pth")


if __name__ == "__main__":
    main()
