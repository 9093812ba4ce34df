"""The PyTorch worker of scripts/benchmark.py, which runs this file in a separate process.

    python scripts/benchmark_torch.py TASK.json

The task names an .npz file with the pictures, the network and the loss weights, written by the other side.
Prints one line of JSON. The objective is an independent implementation of the papers; benchmark.py compares
its values.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SEARCHES = (None, "strong_wolfe")
Evaluate = Callable[
    [torch.Tensor], tuple[torch.Tensor, torch.Tensor]
]  # the loss of an image, and its gradient
Total = Callable[[torch.Tensor, dict[str, torch.Tensor]], torch.Tensor]


def main() -> None:
    """Run the task in the file named on the command line."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    torch.set_num_threads(task["threads"])
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    objective = Objective(
        np.load(task["inputs"]), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )
    kinds = {"evaluations": measure_evaluations, "losses": measure_losses}
    print(json.dumps(kinds[task["kind"]](objective, task) | {"peak_memory": peak_memory()}))


def measure_evaluations(objective: "Objective", task: dict[str, Any]) -> dict[str, Any]:
    """Measure the seconds per evaluation `rounds` times, in the fastest setting.

    The settings are the two memory formats and, with `compiled`, the faster of them with `torch.compile`. In
    `by_setting`, the faster format is listed with autocast to bfloat16 as well, which rounds and never counts
    as the fastest.
    """
    evaluate = {name: objective.channels(layout) for name, layout in FORMATS.items()}
    baseline = peak_memory()
    timings, value = time_settings(
        objective, {name: (evaluate[name], FORMATS[name]) for name in FORMATS}, task
    )
    failed: dict[str, str] = {}
    eager = min(timings, key=lambda name: np.median(timings[name]).item())
    rounded = objective.channels(FORMATS[eager], objective.rounded_total)
    in_bfloat16 = time_settings(objective, {f"bfloat16 {eager}": (rounded, FORMATS[eager])}, task)[0]
    if task.get("compiled"):
        try:
            compiled = objective.channels(FORMATS[eager], torch.compile(objective.total))
            settings = {f"compiled {eager}": (compiled, FORMATS[eager])}
            timings |= time_settings(objective, settings, task)[0]
        except Exception as error:  # a missing compiler, for example: the others are measured all the same
            failed["compiled"] = f"{type(error).__name__}: {error}".splitlines()[0]
    best = min(timings, key=lambda name: np.median(timings[name]).item())
    return {
        "seconds": timings[best],
        "setting": best,
        "by_setting": {k: np.median(v).item() for k, v in (timings | in_bfloat16).items()},
        "failed": failed,
        "loss": value,
        "baseline_memory": baseline,
        "version": f"torch {torch.__version__}",
    }


def time_settings(
    objective: "Objective", settings: dict[str, tuple[Evaluate, torch.memory_format]], task: dict[str, Any]
) -> tuple[dict[str, list[float]], float]:
    """Return the seconds per evaluation of each setting, in turns, and the loss."""
    timings: dict[str, list[float]] = {name: [] for name in settings}
    value = 0.0
    for _ in range(task["rounds"]):
        for name, (evaluate, layout) in settings.items():
            image = objective.start.clone(memory_format=layout)
            value = evaluate(image)[0].item()  # warm-up
            began = time.perf_counter()
            for _ in range(task["evaluations"]):
                evaluate(image)[0].item()
            timings[name].append((time.perf_counter() - began) / task["evaluations"])
    return timings, value


def measure_losses(objective: "Objective", task: dict[str, Any]) -> dict[str, Any]:
    """Run `torch.optim.LBFGS` for `evaluations`; return losses and times with the better line search."""
    runs: dict[str, dict[str, Any]] = {}
    for search in SEARCHES:
        losses, seconds = descend(objective, task["evaluations"], search)
        runs[str(search)] = {"losses": losses, "seconds": seconds, "best": float(np.nanmin(losses))}
    best = min(runs, key=lambda name: np.nanmin(runs[name]["losses"]).item())
    return {"setting": best, **runs[best], "others": {k: v["best"] for k, v in runs.items()}}


def descend(objective: "Objective", evaluations: int, search: str | None) -> tuple[list[float], list[float]]:
    """Return the loss of each evaluation, and the seconds until then."""
    losses: list[float] = []
    seconds: list[float] = []

    def look(value: float, _: torch.Tensor) -> None:
        losses.append(value)
        seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    minimise(objective, objective.start, evaluations, search, look)
    return losses[:evaluations], seconds[:evaluations]


def minimise(
    objective: "Objective",
    start: torch.Tensor,
    evaluations: int,
    search: str | None,
    look: Callable[[float, torch.Tensor], None],
    scale: float = 1.0,
) -> torch.Tensor:
    """Return what `torch.optim.LBFGS` makes of `start`; `look` sees the loss and image of each evaluation.

    The optimiser is given `scale` times the loss.
    """
    evaluate = objective.channels(torch.channels_last)
    # The length of its first step depends on the units of the variable; the usual ones are 0 to 255.
    image = (start * 255).requires_grad_(True)

    def closure() -> torch.Tensor:
        value, gradient = evaluate(image.detach() / 255)
        image.grad = (scale * gradient / 255).contiguous()
        look(value.item(), image.detach() / 255)
        return scale * value

    optimizer = torch.optim.LBFGS(
        [image],
        max_iter=evaluations,
        max_eval=evaluations,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn=search,
    )
    optimizer.step(closure)
    return image.detach() / 255


class Objective:
    """J(G) of Gatys et al. 2015, and its gradient, with targets from the two pictures."""

    def __init__(self, inputs: Any, device: torch.device):
        """Read the inputs that the other side wrote."""
        self.about = json.loads(str(inputs["about"]))
        self.device = device
        self.start, self.content, self.style = (
            self._tensor(inputs[name].transpose(0, 3, 1, 2)) for name in ("start", "content", "style")
        )
        self.kernels = {
            layer: self._tensor(inputs[f"{layer}.kernel"].transpose(3, 2, 0, 1))
            for layer in self.about["order"]
            if layer.startswith("conv")
        }
        self.biases = {layer: self._tensor(inputs[f"{layer}.bias"]) for layer in self.kernels}
        shape = (1, 3, 1, 1)
        self.mean, self.std = (
            self._tensor(np.asarray(self.about[k], np.float32)).view(shape) for k in ("mean", "std")
        )
        with torch.no_grad():
            P, Q = self.activations(self.content, self.kernels), self.activations(self.style, self.kernels)
            self.P = {layer: P[layer] for layer in self.about["content"]}
            self.A = {layer: gram(Q[layer]) for layer in self.about["style"]}
        if self.about["relative"]:  # to the losses of a picture that excites no filter
            for layer, target in self.P.items():
                self.about["content"][layer] /= 0.5 * target.square().sum().item()
            for layer, target in self.A.items():
                self.about["style"][layer] /= target.square().sum().item() / (4 * target.shape[0] ** 2)

    def channels(self, layout: torch.memory_format, total: Total | None = None) -> Evaluate:
        """Return `evaluate(image)` for tensors in this memory format; `total` may be a compiled version."""
        total = total or self.total
        kernels = {layer: kernel.contiguous(memory_format=layout) for layer, kernel in self.kernels.items()}

        def evaluate(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            image = image.detach().contiguous(memory_format=layout).requires_grad_(True)
            value = total(image, kernels)
            return value.detach(), torch.autograd.grad(value, image)[0]

        return evaluate

    def rounded_total(self, image: torch.Tensor, kernels: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return `total` with convolutions and products in bfloat16."""
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.total(image, kernels)

    def total(self, image: torch.Tensor, kernels: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return alpha * content + beta * style."""
        F, about = self.activations(image, kernels), self.about
        total = torch.zeros((), device=self.device)
        for layer, weight in about["content"].items():
            total = total + about["alpha"] * weight * 0.5 * (F[layer] - self.P[layer]).square().sum()
        for layer, weight in about["style"].items():
            A = self.A[layer]
            distance = (gram(F[layer]) - A).square().sum() / (4 * A.shape[0] ** 2)
            total = total + about["beta"] * weight * distance
        return total

    def activations(self, image: torch.Tensor, kernels: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the activations "1 n h w" of the content and style layers."""
        x = image.flip(1) if self.about["channels"] == "bgr" else image
        x = (x * self.about["scale"] - self.mean) / self.std
        outputs = {}
        for layer in self.about["order"]:
            if layer.startswith("pool"):
                x = (
                    functional.avg_pool2d(x, 2)
                    if self.about["pool"] == "avg"
                    else functional.max_pool2d(x, 2)
                )
            else:
                x = functional.relu(functional.conv2d(x, kernels[layer], self.biases[layer], padding=1))
            outputs[layer] = x
        return {layer: outputs[layer] for layer in {**self.about["content"], **self.about["style"]}}

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def gram(F: torch.Tensor) -> torch.Tensor:
    """Return F F^T / m for one activation "1 n h w"."""
    # In the channels_last format this is a view, so no copy is made.
    rows = F.permute(0, 2, 3, 1).reshape(-1, F.shape[1])
    return rows.T @ rows / rows.shape[0]


def peak_memory() -> int:
    """Return the peak memory in bytes so far, of the GPU or else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
