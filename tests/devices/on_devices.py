"""Run in a process with 8 simulated devices: writes what `test_split.py` compares, see `COMMAND`."""

import json
import re
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh

from nst_jax.config import from_dict
from nst_jax.devices.exchange import AXIS
from nst_jax.devices.split import ByRows, Split
from nst_jax.losses import objective as whole
from nst_jax.losses.features.request import EVERYWHERE
from nst_jax.losses.features.strips import strip_multiple
from nst_jax.losses.guides import guides
from nst_jax.methods.gatys import Session
from nst_jax.networks import receptive
from nst_jax.networks.convnet import ConvNet
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.lbfgs import lbfgs
from nst_jax.optimizers.loop import Loop
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.optimizers.split_lane import SplitLane
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.variables.variable import Kept
from tests.conftest import formula_image, formula_weights
from tests.losses.objectives import make_objective

COMMAND = [sys.executable, "-m", "tests.devices.on_devices"]
SHAPE = (150, 37)  # 150 rows divide by neither 4 nor 8, nor by the stride of 16
STYLE_SHAPE = (120, 40)
LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
FIELDS = {
    "content_weight": 1e-3,
    "tv_weight": 0.1,
    "laplacian_weight": 0.3,
    "style_losses": {"gram": 1.0, "w2": 0.3, "moments": 0.1},
    "content_loss": "mean",
}
EVALUATE = partial(jax.value_and_grad, argnums=2, has_aux=True)
COLLECTIVE = re.compile(
    r"= (.*?) (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)


def split_over(count, network, height, tile=0):
    mesh = Mesh(np.array(jax.devices()[:count]), (AXIS,))
    return Split(mesh, height, strip_multiple(network.geometry, LAYERS[-1], tile, rows=4))


def objective_of(network, shape, tile=0, split=None):
    """All kinds of terms, on several devices if `split`; the left half of the picture is a region."""
    mask = np.zeros(shape, np.float32)
    mask[20:, : shape[1] // 2] = 1
    left = guides(mask, network.geometry, LAYERS, "simple")
    left = {layer: ByRows(left[layer], receptive.stride(network.geometry, layer)) for layer in LAYERS}
    free = np.linspace(0, 1, shape[0], dtype=np.float32)[None, :, None, None].repeat(shape[1], 2)
    content, style = formula_image(*shape, 1.0), formula_image(*STYLE_SHAPE, 2.0)
    return make_objective(
        network,
        content,
        style,
        tile,
        {layer: {"left": left[layer], EVERYWHERE: None} for layer in LAYERS},
        {layer: {"left": None, EVERYWHERE: None} for layer in LAYERS},
        {"left": 0.7, EVERYWHERE: 0.3},
        split,
        Kept(content, free),
        **FIELDS,
    )


def compare(count, network, objective, shape, tile):
    """Both evaluations: how far they differ, and what the devices exchange."""
    image = formula_image(*shape)
    (total, terms), gradient = jax.jit(EVALUATE(whole.total_and_terms))(network, objective, image)
    split = split_over(count, network, shape[0], tile)
    arguments = network, objective_of(network, shape, tile, split), split.place_rows(image)
    program = jax.jit(EVALUATE(whole.total_and_terms)).lower(*arguments).compile()
    (split_total, split_terms), split_gradient = program(*arguments)
    found = np.asarray(split_gradient)
    return {
        "rows": split.rows,
        "total": abs(float(split_total / total) - 1),
        "gradient": float(np.abs(found[:, : shape[0]] - gradient).max() / np.abs(gradient).max()),
        "below": float(np.abs(found[:, shape[0] :]).max(initial=0)),
        "terms": {name: [float(terms[name]), float(split_terms[name])] for name in terms},
        "exchanged": exchanged(program),
    }


def exchanged(program):
    """How often each collective occurs in the text of a compiled program."""
    return Counter(kind for _, kind in COLLECTIVE.findall(program.as_text()))


def temporaries(network, shape):
    """Bytes of an evaluation's temporaries on each device, by the number of devices."""
    objective, image = objective_of(network, shape), formula_image(*shape)
    one = jax.jit(EVALUATE(whole.total_and_terms)).lower(network, objective, image).compile()
    found = {1: one.memory_analysis().temp_size_in_bytes}
    for count in (2, 4, 8):
        split = split_over(count, network, shape[0])
        arguments = network, objective_of(network, shape, 0, split), split.place_rows(image)
        program = jax.jit(EVALUATE(whole.total_and_terms)).lower(*arguments).compile()
        found[count] = program.memory_analysis().temp_size_in_bytes
    return found


def descents(bands, steps=50):
    """The pictures after `steps` of L-BFGS on 1, 2, 4 and 8 devices, in float64, with the trained network.

    In float32, runs that round differently drift apart; 50 steps amplify the errors 100,000 times.
    """
    jax.config.update("jax_enable_x64", True)
    config = from_dict(
        {"network": {"arch": "slim", "conv": "direct"}, "size": 100, "content": "sample:chelsea"}
    )
    job = prepare(config)
    network = jax.tree.map(lambda leaf: leaf.astype(np.float64), job.network)
    content, style = (np.asarray(x, np.float64) for x in (job.content, job.styles[0].pictures[0]))
    start, height = job.content.astype(np.float64), content.shape[1]
    pictures = {}
    for count in (1, 2, 4, 8):
        split = split_over(count, network, height)
        names = ("content_weight", "style_weight", "content_layers", "style_layers")
        fields = {name: getattr(config, name) for name in names}
        J = make_objective(network, content, style, split=None if count == 1 else split, **fields)
        data = jax.tree.map(lambda leaf: leaf[np.newaxis], J)
        if count == 1:
            lanes = Lanes(Optimizer(whole.total_and_terms, lbfgs(10, bands)), 1, jax.devices()[:1])
        else:
            optimizer = Optimizer(whole.total_and_terms, lbfgs(10, bands, split))
            lanes = SplitLane(optimizer, split, content.shape)
        loop = Loop(lanes, lanes.replicate(network), data, start[np.newaxis], [1.0])
        assert loop.run_to(steps, lambda look: True)
        assert loop.state.variable.dtype == np.float64
        pictures[count] = loop.fetch(loop.state.variable)[0]
    moved = float(np.abs(pictures[1] - start).mean())
    return {count: [moved, float(np.abs(pictures[1] - pictures[count]).max())] for count in (2, 4, 8)}


def interrupted(fields, path):
    """Stop a run on 4 devices in the middle, and continue it on 2."""
    for devices, wanted in ((4, "interrupted"), (2, "done")):
        job = prepare(from_dict({**json.loads(fields), "devices": devices}))
        assert Session([job, job]).width == 1, "a sweep too paints one picture at a time on all devices"
        folder = RunFolder(path, job.config)
        saved = folder.load_checkpoint(job.identity())
        assert (saved is None) == (devices == 4)
        last = 10 if saved is None else 1000
        (outcome,) = paint(
            Session([job]), [job], [folder], lambda look, last=last: look.step[0] < last, [saved]
        )
        assert outcome.status == wanted, outcome


def main(what, path):
    network = ConvNet(formula_weights(), pool="max" if what == "max" else "avg")
    if what == "memory":
        report = temporaries(ConvNet(formula_weights((16, 16, 16, 16, 16))), (512, 64))
    elif what.startswith("descents"):
        report = descents(bands=what == "descents with bands")
    else:
        counts, tile = {"avg": ((4,), 0), "max": ((2, 8), 0), "tile": ((2, 4), 64)}[what]
        objective = objective_of(network, SHAPE, tile)
        report = {count: compare(count, network, objective, SHAPE, tile) for count in counts}
    Path(path).write_text(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 3 else interrupted(*sys.argv[2:])
