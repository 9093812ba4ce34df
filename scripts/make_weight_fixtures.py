"""Write the tiny PyTorch files of tests/data, so that the tests need no PyTorch.

    python scripts/make_weight_fixtures.py

Each holds conv1_1 alone, its numbers given by a formula that tests/weight_files.py repeats. Needs
PyTorch 2; run again only if a format is added.
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parent.parent / "tests" / "data"


def main() -> None:
    """Write the zip format, the one from before PyTorch 1.6, and a checkpoint in bfloat16."""
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
