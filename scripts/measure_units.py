"""Count the units of a network whose maximised picture leaves them silent, or below their top patch.

    python scripts/measure_units.py --arch=vgg19 --weights=vgg19-8bit --data=folder:PHOTOS [--units=200]

Draws units at random among all layers with a ReLU, searches the data once for the strongest activation of
each, and maximises each as `nst_jax.experiments.maximize` does. Prints a line for each layer: the units
drawn, how many of their pictures never activate them ("gray"), how many stay below the top patch, and the
median and smallest ratio of the largest response to the picture to that of the top patch. With --after_relu,
objectives are of activations after the ReLU, where a unit that is off has no gradient.
"""

from collections.abc import Sequence

import jax
import numpy as np
from absl import app, flags

from nst_jax import cli
from nst_jax.config import NetworkConfig, OptimizerConfig
from nst_jax.images.streams import Stream
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.network import Network
from nst_jax.vision.maximizing import maximize
from nst_jax.vision.maximizing.maximize_settings import SUITED, MaximizeSettings
from nst_jax.vision.maximizing.response_painter import ResponsePainter, width
from nst_jax.vision.searching import top_patches
from nst_jax.vision.searching.top_patches import Strongest
from nst_jax.weights import load_network

FLAGS = flags.FLAGS
flags.DEFINE_string("arch", "slim", "Architecture.")
flags.DEFINE_string("weights", "auto", "Weights of the network.")
flags.DEFINE_string("pool", "max", "Pooling.")
flags.DEFINE_string("data", "sample:", "Pictures to search for top patches.")
flags.DEFINE_integer("limit", 0, "Maximum number of these pictures; 0 for all.")
flags.DEFINE_integer("units", 200, "Units to draw.")
flags.DEFINE_integer("size", 128, "Side of the pictures, pixels; enlarged to 1.1 receptive fields.")
flags.DEFINE_integer("steps", 100, "Steps of each picture.")
flags.DEFINE_float("finest", 0.0, "Smallest details, pixels; 0: suited to the layer.")
flags.DEFINE_string("objective", "unit", "unit or channel.")
flags.DEFINE_bool("after_relu", False, "Maximise activations after the ReLU.")
flags.DEFINE_integer("search_size", 224, "Side of the pictures searched, pixels.")


def main(argv: Sequence[str]) -> None:
    """Draw, search, maximise and print."""
    del argv
    cli.use_compilation_cache()
    if FLAGS.after_relu:
        maximize.leaky = jax.nn.relu  # type: ignore[assignment]
    config = NetworkConfig(FLAGS.arch, FLAGS.weights, pool=FLAGS.pool)
    first = architecture(FLAGS.arch).weighted[0]
    network, _ = load_network(config, (first,))
    layers = [layer.name for layer in network.geometry if layer.rectified]
    drawn = _drawn({layer: width(network, layer) for layer in layers})
    stream = Stream(FLAGS.data, FLAGS.search_size, FLAGS.limit)
    lists = top_patches.empty_lists(network, tuple(drawn), FLAGS.search_size, 1)
    for batch in stream.batches(8):
        lists, _ = top_patches.step(network, lists, batch.pixels, top_patches.numbers(batch))
    found: dict[str, list[tuple[float, float]]] = {}
    for layer, units in drawn.items():
        found[layer] = _responses(network, config, layer, units, lists[layer])
        _print(layer, found[layer])
    _print("all", [pair for pairs in found.values() for pair in pairs])


def _print(name: str, pairs: Sequence[tuple[float, float]]) -> None:
    ratios = [peak / top for peak, top in pairs if top > 0]
    print(
        f"{name:<10} {len(pairs)} units, {sum(peak <= 0 for peak, _ in pairs)} gray, "
        f"{sum(ratio < 1 for ratio in ratios)} below the top patch, {len(pairs) - len(ratios)} without one; "
        f"ratio {np.median(ratios or [0]):.2f}, smallest {min(ratios or [0]):.2f}",
        flush=True,
    )


def _drawn(widths: dict[str, int]) -> dict[str, list[int]]:
    """Draw as many units of each layer, as far as possible."""
    random = np.random.default_rng(0)
    shares = [
        FLAGS.units * (i + 1) // len(widths) - FLAGS.units * i // len(widths) for i in range(len(widths))
    ]
    return {
        layer: sorted(random.choice(number, min(share, number), replace=False).tolist())
        for (layer, number), share in zip(widths.items(), shares, strict=True)
    }


def _responses(
    network: Network, config: NetworkConfig, layer: str, units: Sequence[int], lists: Strongest
) -> list[tuple[float, float]]:
    """Return the largest response to the picture of each unit, and that to its top patch."""
    side = max(FLAGS.size, int(1.1 * receptive.field_side(network.geometry, layer)))
    settings = MaximizeSettings(
        FLAGS.objective,
        layer=layer,
        size=side,
        finest=FLAGS.finest if FLAGS.finest else SUITED,
        network=config,
        optimizer=OptimizerConfig("adam", steps=FLAGS.steps, learning_rate=0.05),
    )
    painter = ResponsePainter(network, settings)
    wide = width(network, layer)
    pairs = []
    for unit in units:
        direction = np.eye(wide, dtype=np.float32)[unit]
        pairs.append((painter.paint(direction).peak, float(lists.activation[unit, 0])))
    return pairs


if __name__ == "__main__":
    app.run(main)
