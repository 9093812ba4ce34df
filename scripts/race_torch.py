"""The PyTorch worker of scripts/race_pictures.py, which runs this file in a separate process.

    python scripts/race_torch.py TASK.json

Minimises the objective of the task's .npz files, one per scale, from the content with `torch.optim.LBFGS`.
Every few evaluations, it saves the picture in the task's folder. Prints one line of JSON with the seconds
since the race began, and the processor's, for each of them.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from benchmark_torch import Objective, minimise

# torch.optim.LBFGS forgets steps whose s . y is below 1e-10, as all would be with losses of about 1.
LOSS_SCALE = 1e6


def main() -> None:
    """Run the task in the file named on the command line."""
    task = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(task["threads"])
    looks: list[dict[str, Any]] = []
    picture: torch.Tensor | None = None
    for inputs, evaluations in zip(task["inputs"], task["evaluations"], strict=True):
        objective = Objective(np.load(inputs), torch.device("cpu"))
        if picture is None:
            picture = objective.content
        size = objective.content.shape[2:]
        picture = functional.interpolate(picture, size, mode="bicubic", antialias=True)
        counts = itertools.count(1)

        def look(_: float, image: torch.Tensor, counts: Iterator[int] = counts) -> None:
            if (count := next(counts)) % task["every"] == 0:
                name = f"{len(looks):04d}.npy"
                np.save(Path(task["folder"]) / name, image.numpy())
                spent = {"wall": time.time() - task["began"], "processor": time.process_time()}
                looks.append({"file": name, "evaluations": count, **spent})

        picture = minimise(objective, picture, evaluations, task["line_search"], look, LOSS_SCALE)
    print(json.dumps(looks))


if __name__ == "__main__":
    main()
