"""The PyTorch worker of scripts/race_pictures.py, which runs this file in a separate process.

    python scripts/race_torch.py TASK.json

Minimises the objective of the task's .npz files, one per scale, from the content with `torch.optim.LBFGS`.
Every few evaluations, it saves the picture in the task's folder. Prints one line of JSON
with the seconds since the race began, and the processor's, for each of them.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from benchmark_torch import Objective

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
        picture = descend(objective, picture, evaluations, task, looks)
    print(json.dumps(looks))


def descend(
    objective: Objective, start: torch.Tensor, evaluations: int, task: dict[str, Any], looks: list
) -> torch.Tensor:
    """Return the picture after `evaluations` from `start`; add what was saved to `looks`."""
    evaluate = objective.channels(torch.channels_last)
    # The length of its first step depends on the units of the variable; the usual ones are 0 to 255.
    image = (start * 255).requires_grad_(True)
    count = 0

    def closure() -> torch.Tensor:
        nonlocal count
        value, gradient = evaluate(image.detach() / 255)
        image.grad = (LOSS_SCALE * gradient / 255).contiguous()
        count += 1
        if count % task["every"] == 0:
            name = f"{len(looks):04d}.npy"
            np.save(Path(task["folder"]) / name, image.detach().numpy() / 255)
            spent = {"wall": time.time() - task["began"], "processor": time.process_time()}
            looks.append({"file": name, "evaluations": count, **spent})
        return LOSS_SCALE * value

    optimizer = torch.optim.LBFGS(
        [image],
        max_iter=evaluations,
        max_eval=evaluations,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn=task["line_search"],
    )
    optimizer.step(closure)
    return image.detach() / 255


if __name__ == "__main__":
    main()
