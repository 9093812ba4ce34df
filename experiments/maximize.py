"""Activation maximisation: a picture that activates each unit, found by optimisation from noise.

    python -m experiments.maximize --config=configs/maximize.py --workdir=runs/maximize

Writes one picture per unit, all of them combined as sheet.png, and maximize.json with the mean activation of
each unit for the initial noise and for its picture.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import cli, files, images
from nst_jax.config import NetworkConfig, OptimizerConfig, fields
from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.figures.sheets import contact_sheet
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.vision import maximize, units
from nst_jax.weights import load_network

ACROSS = 6  # pictures per row of the sheet


def _adam() -> OptimizerConfig:
    return OptimizerConfig("adam", steps=200, learning_rate=0.05)


def _slim() -> NetworkConfig:
    return NetworkConfig("slim")


@dataclasses.dataclass(frozen=True)
class MaximizeSettings:
    """The settings of the experiment; see configs/maximize.py."""

    layer: str = "conv3_1"
    units: tuple[int, ...] = tuple(range(12))
    size: int = 128  # side of the square pictures, pixels
    seed: int = 0
    jitter: int = 8  # maximum shift of the picture before each step, pixels
    tv_weight: float = 20.0  # relative to the logarithm of the unit's mean activation
    network: NetworkConfig = dataclasses.field(default_factory=_slim)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=_adam)

    def __post_init__(self) -> None:
        arch = architecture(self.network.arch)
        fields.one_of("layer", self.layer, arch.names)
        if not self.units:
            raise UserError("units: is empty; give at least one, for example (0, 1, 2)")
        fields.at_least("seed", self.seed, 0)
        fields.at_least("jitter", self.jitter, 0)
        fields.not_negative("tv_weight", self.tv_weight)
        fields.at_least("size", self.size, SMALLEST_SIDE)
        if not all(receptive.shape(arch.layers, self.layer, self.size, self.size)):
            raise UserError(f"size: {self.size} pixels are too few for {self.layer}")
        if self.optimizer.name == "lbfgs" and self.jitter:
            raise UserError(
                "optimizer.name: lbfgs requires a loss that does not change; set jitter=0, or use adam or gd"
            )


def main(argv: list[str]) -> int:
    """Find a picture for each unit, and write them, sheet.png and maximize.json."""
    config, folder = cli.parse_experiment(argv, MaximizeSettings, __doc__ or "", "configs/maximize.py")
    cli.use_compilation_cache()
    network, weights = load_network(config.network, (config.layer,))
    _check(config, weights)
    results = _paint_all(config, network, folder)
    panels = [(f"{entry['unit']}: {entry['reached']:.4g}", picture) for entry, picture in results]
    rows = [panels[i : i + ACROSS] for i in range(0, len(panels), ACROSS)]
    images.write(folder / "sheet.png", contact_sheet(rows))
    record = {
        "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
        "config": dataclasses.asdict(config),
        "units": [entry for entry, _ in results],
    }
    files.write_json(folder / "maximize.json", record)
    print(f"{folder / 'sheet.png'}: {len(results)} units of {config.layer}, network {weights.name}")
    return 0


def _check(config: MaximizeSettings, weights: Weights) -> None:
    last = architecture(config.network.arch).weighted_up_to(config.layer)[-1]
    units.require_units("units", config.units, config.layer, weights.arrays[f"{last}.bias"].size)


def _paint_all(
    config: MaximizeSettings, network: Network, folder: Path
) -> list[tuple[dict[str, object], np.ndarray]]:
    """Return the entry of each unit in maximize.json, and its picture, which is written at once."""
    optimizer = Optimizer(maximize.unit_objective(config.layer), find_method(config.optimizer))
    rate, (steps,) = config.optimizer.learning_rate, config.optimizer.steps_by_scale(1)
    measure = jax.jit(maximize.mean_activation, static_argnames="layer")
    results = []
    for number in config.units:
        unit, no_shift = jnp.int32(number), jnp.zeros(2, jnp.int32)
        target = maximize.UnitTarget(unit, no_shift, jnp.float32(config.tv_weight))
        noise, picture = maximize.maximize(
            optimizer, network, target, rate, config.size, steps, config.jitter, config.seed
        )
        start, reached = (float(measure(network, image, config.layer, unit)) for image in (noise, picture))
        name = f"{config.layer}_{number:03d}.png"
        images.write(folder / name, picture)
        results.append(({"unit": number, "start": start, "reached": reached, "picture": name}, picture))
        print(f"{folder / name}: mean activation {start:.4g} -> {reached:.4g}", flush=True)
    return results


if __name__ == "__main__":
    cli.run(main)
