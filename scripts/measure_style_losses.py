"""Time and memory of each style loss relative to `gram`.

    python scripts/measure_style_losses.py --config=configs/gatys.py [--config.size=512]

One evaluation is the style loss of one picture and its gradient, at the style layers of the config. Prints a
table in Markdown: the median seconds of an evaluation, the memory of its program and targets, and both
relative to the first loss. The losses are timed in turns, so that a changing load affects all of them alike.
"""

import dataclasses
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
from absl import flags

from nst_jax import cli, images
from nst_jax.config import from_dict
from nst_jax.losses.objective import total_and_terms
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.methods.gatys import Session
from nst_jax.optimizers import compiler
from nst_jax.transfer.job import Job
from nst_jax.transfer.memory import tree_bytes
from nst_jax.transfer.preparing import prepare
from nst_jax.weights import load_network

MEBIBYTE = 2**20


def main(argv: list[str]) -> int:
    """Compile and time all losses, and print the table."""
    values = flags.FlagValues()
    cli.define_config(values, argv)
    flags.DEFINE_integer("rounds", 5, "evaluations of each loss", flag_values=values)
    flags.DEFINE_list("losses", list(STYLE_LOSSES), "style losses to time", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    config = from_dict(cli.config_value(values, "configs/gatys.py"))
    loaded = network, weights = load_network(config.network, config.required_layers())
    job = prepare(dataclasses.replace(config, content_weight=0.0), loaded)
    content = jnp.asarray(images.resize(job.content, *job.size_at(1.0)))
    programs = {name: _program(job, content, name) for name in values.losses}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(values.rounds + 1):
        for name, (program, J, _) in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program(network, J, content))
            seconds[name].append(time.perf_counter() - start)
    height, width = content.shape[1:3]
    print(f"{weights.name}, {width} x {height}\n")
    print("| loss | s / evaluation | relative | MiB | relative |\n| --- | --- | --- | --- | --- |")
    # The first evaluation warms up.
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    first = next(iter(programs))
    for name, (_, _, size) in programs.items():
        ratios = medians[name] / medians[first], size / programs[first][2]
        row = f"{medians[name]:.3f} | {ratios[0]:.2f} | {size / MEBIBYTE:.0f} | {ratios[1]:.2f}"
        print(f"| `{name}` | {row} |")
    return 0


def _program(job: Job, content: jax.Array, name: str) -> tuple[Any, Any, int]:
    """The compiled evaluation of a loss, its objective, and the bytes of both."""
    job = dataclasses.replace(job, config=dataclasses.replace(job.config, style_losses={name: 1.0}))
    J = Session([job]).objective(job, 1.0)
    evaluate = compiler.jit(jax.value_and_grad(total_and_terms, argnums=2, has_aux=True))
    program = evaluate.lower(job.network, J, content).compile()
    return program, J, program.memory_analysis().temp_size_in_bytes + tree_bytes(J)


if __name__ == "__main__":
    cli.run(main)
