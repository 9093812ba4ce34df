"""What one picture costs on 1, 2, 4 and 8 devices, and what that means for accelerators: docs/scaling.md.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python scripts/measure_split.py \
        --config=configs/gatys.py --config.network.weights=random --config.network.conv=direct \
        --config.content=sample:coffee --config.size=768

Compiles the program of a step for each number of devices, without running it, and reads the compiler's
memory analysis and the collectives in the text of the program. Prints a table in Markdown, and a second one
with a model for accelerators, whose assumptions are flags.
"""

import dataclasses
import math
import re
from collections import Counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from absl import flags

from nst_jax import cli
from nst_jax.config import from_dict
from nst_jax.methods.gatys import Session
from nst_jax.networks import receptive
from nst_jax.networks.layers import up_to
from nst_jax.transfer.dividing import split_of
from nst_jax.transfer.job import Job
from nst_jax.transfer.memory import advance_arguments, tree_bytes
from nst_jax.transfer.preparing import prepare
from nst_jax.variables.pixels import PIXELS

COLLECTIVE = re.compile(
    r"= (.*?) (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)
ARRAY = re.compile(r"(f32|s32|pred)\[([\d,]*)\]")
BYTES = {"f32": 4, "s32": 4, "pred": 1}
COUNTS = (1, 2, 4, 8)
BACKWARD = 2  # the gradient of the picture takes as many operations again as the activations
BAND_BYTES = 12  # per pixel: the table of bands, which every device holds whole
SIDES = 4 / 3  # of the pictures in the model


class Cost(NamedTuple):
    """What one device needs for a step with one evaluation."""

    rows: int
    temporaries: int  # bytes
    arrays: int  # bytes of the state and the targets
    exchanged: Counter[str]  # bytes by collective
    messages: Counter[str]  # collectives


def main(argv: list[str]) -> int:
    """Compile for each number of devices, and print both tables."""
    values = flags.FlagValues()
    cli.define_config(values, argv)
    flags.DEFINE_float("memory", 80e9, "bytes of an accelerator", flag_values=values)
    flags.DEFINE_float("usable", 0.9, "share of the memory that a run can use", flag_values=values)
    flags.DEFINE_float("speed", 30e12, "float32 operations per second that are reached", flag_values=values)
    flags.DEFINE_float("bandwidth", 400e9, "bytes per second to a neighbour", flag_values=values)
    flags.DEFINE_float("latency", 10e-6, "seconds of a collective", flag_values=values)
    cli.parse(values, argv, __doc__ or "")
    config = from_dict(cli.config_value(values, "configs/gatys.py"))
    costs, job = {}, prepare(config)
    for count in COUNTS:
        job = prepare(dataclasses.replace(config, devices=count))
        costs[count] = measured(job)
    print(measured_table(costs, job), model_table(costs, job, values), sep="\n\n")
    return 0


def measured(job: Job) -> Cost:
    """Compile the step of `job` and count."""
    session = Session([job])
    arguments = advance_arguments(session.lanes, session.network, *session.objectives.shapes(job))
    program = session.lanes.advance.compiled(*arguments)
    analysis: Any = program.memory_analysis()
    exchanged: Counter[str] = Counter()
    messages: Counter[str] = Counter()
    for shapes, kind in COLLECTIVE.findall(program.as_text()):
        messages[kind] += 1
        exchanged[kind] += sum(
            BYTES[kind_of_number] * math.prod(int(side) for side in sides.split(",") if side)
            for kind_of_number, sides in ARRAY.findall(shapes)
        )
    split = split_of(job, PIXELS)
    rows = split.rows if split else job.size_at(1.0)[0]
    return Cost(rows, analysis.temp_size_in_bytes, tree_bytes(arguments[1:3]), exchanged, messages)


def operations(job: Job, height: int, width: int, extra_rows: int = 0) -> float:
    """Multiplications and additions of an evaluation, with `extra_rows` for each convolution's input."""
    image = jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32)
    geometry, deepest = job.network.geometry, job.config.active_layers()[-1]
    convolutions = [layer for layer in up_to(geometry, deepest) if layer.weighted]
    names = tuple(layer.name for layer in convolutions)
    shapes = jax.eval_shape(lambda network, x: network(x, names), job.network, image)
    total, inputs = 0.0, 3
    for layer in convolutions:
        rows, columns = receptive.shape(geometry, layer.name, height, width)
        filters = shapes[layer.name].shape[-1]
        positions = (rows + extra_rows) * columns
        total += BACKWARD * 2 * positions * layer.kernel**2 * inputs * filters
        if layer.name in job.config.active_style():
            total += BACKWARD * 2 * rows * columns * filters**2
        inputs = filters
    return total


def needed(cost: Cost) -> int:
    """The memory of a device, in bytes."""
    return cost.temporaries + cost.arrays


def measured_table(costs: dict[int, Cost], job: Job) -> str:
    """What the compiler reports, in Markdown."""
    height, width = job.size_at(1.0)
    whole = costs[1]
    work = operations(job, height, width)
    lines = [
        f"{job.weights.name}, {width} x {height} px:\n",
        "| devices | rows each | temporaries | of one | state and targets | of one | work | "
        "halos, MB | sums, MB | rows to columns, MB | messages |",
        "| --- " * 11 + "|",
    ]
    for count, cost in costs.items():
        own = operations(job, cost.rows, width, 2 if count > 1 else 0)
        lines.append(
            f"| {count} | {cost.rows} | {cost.temporaries / 1e6:.0f} MB | "
            f"{cost.temporaries / whole.temporaries:.3f} | {cost.arrays / 1e6:.1f} MB | "
            f"{cost.arrays / whole.arrays:.3f} | {own / work:.3f} | "
            f"{cost.exchanged['collective-permute'] / 1e6:.2f} | {cost.exchanged['all-reduce'] / 1e6:.2f} | "
            f"{cost.exchanged['all-to-all'] / 1e6:.2f} | {sum(cost.messages.values())} |"
        )
        assert not cost.messages["all-gather"], "nothing is gathered"
    return "\n".join(lines)


def model_table(costs: dict[int, Cost], job: Job, values: flags.FlagValues) -> str:
    """The largest picture and its times on accelerators, in Markdown.

    Memory is a fixed part plus a part for each pixel of a strip: with one device as measured there, with more
    devices as it grows from the smallest strips to the largest.
    """
    width = job.size_at(1.0)[1]
    two, most = costs[COUNTS[1]], costs[COUNTS[-1]]
    growth = (needed(two) - needed(most)) / ((two.rows - most.rows) * width)
    fixed = needed(most) - growth * most.rows * width
    alone = (needed(costs[1]) - fixed) / (costs[1].rows * width)
    halo_bytes = most.exchanged["collective-permute"] / width  # of one evaluation, per column
    messages = sum(most.messages.values())
    lines = [
        "| cards | largest picture | seconds per evaluation | halos, computed twice | exchange |",
        "| --- " * 5 + "|",
    ]
    for count in COUNTS:
        # Each card holds its share of the arrays, and the whole table of bands.
        per_pixel = growth / count + BAND_BYTES if count > 1 else alone
        largest = (values.memory * values.usable - fixed) / per_pixel
        wide = int(math.sqrt(largest * SIDES) // 16 * 16)
        high = int(wide / SIDES // (16 * count)) * 16 * count
        rows = high // count
        plain = operations(job, rows, wide)
        double = operations(job, rows, wide, 2) - plain if count > 1 else 0
        exchange = 0.0
        if count > 1:
            columns_exchanged = 4 * rows * wide * 12
            moved = halo_bytes * wide + columns_exchanged + 2 * most.exchanged["all-reduce"]
            exchange = moved / values.bandwidth + messages * values.latency
        seconds = (plain + double) / values.speed + exchange
        lines.append(
            f"| {count} | {wide} x {high} | {seconds:.2f} | {double / values.speed / seconds:.2%} | "
            f"{exchange / seconds:.2%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
