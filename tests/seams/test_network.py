"""A network from outside: no line of the package changes for it."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import ARCHITECTURES, Architecture, Layer
from nst_jax.networks.network import walk
from nst_jax.transfer.preparing import prepare
from tests.command import metrics
from tests.seams.jobs import run, settings

LAYERS = (
    Layer("edges", kernel=5, stride=2, padding=2, weighted=True, channels=6),
    Layer("blobs", kernel=3, stride=1, padding=1, weighted=True, channels=8),
)


class Toy(nnx.Module):
    """A network of another kind: a convolution with a stride, tanh for ReLU, names of its own."""

    def __init__(self, weights, **options):
        self.geometry = LAYERS
        self.layers = tuple(layer.name for layer in LAYERS)
        self.kernels = nnx.Dict(
            {name: nnx.Param(jnp.asarray(weights.arrays[f"{name}.kernel"])) for name in self.layers}
        )

    def preprocess(self, image):
        return image - 0.5

    def first_kernel(self):
        return self.kernels["edges"][...]

    def apply(self, name, x, relu=nnx.relu):
        layer = LAYERS[self.layers.index(name)]
        pad = (layer.padding, layer.padding)
        return jnp.tanh(
            jax.lax.conv_general_dilated(
                x,
                self.kernels[name][...],
                (layer.stride, layer.stride),
                (pad, pad),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
        )

    def __call__(self, image, layers, relu=nnx.relu):
        return walk(self.geometry, layers, self.preprocess(image), lambda layer, x: self.apply(layer.name, x))


@pytest.fixture
def toy_network(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "toy", Architecture("toy", LAYERS, Toy))
    return {
        "network": {"arch": "toy", "weights": "random"},
        "style_layers": {"edges": 1.0, "blobs": 1.0},
        "content_layers": {"blobs": 1.0},
        "content_weight": 1e-3,
    }


def test_a_network_paints(toy_network, tmp_path):
    assert run(settings("", **toy_network), tmp_path).status == "done"
    lines = metrics(tmp_path)
    assert lines[-1]["total"] < 0.5 * lines[0]["total"]
    assert {"style/edges", "content/blobs"} <= lines[0].keys()
    assert json.loads((tmp_path / "run.json").read_text())["network"]["arch"] == "toy"


def test_the_geometry_of_a_network_is_its_layers(toy_network):
    job = prepare(from_dict(settings("", **toy_network)))
    image = jnp.asarray(job.content[:, :41, :50])
    F = job.network(image, ("blobs",))["blobs"]
    assert receptive.shape(LAYERS, "blobs", 41, 50) == F.shape[1:3] == (21, 25)
    assert (receptive.stride(LAYERS, "blobs"), receptive.field_side(LAYERS, "blobs")) == (2, 9)
    seen = jax.grad(lambda x: job.network(x, ("blobs",))["blobs"][0, 7, 0].sum())(image)[0].any(-1)
    rows, columns = (np.flatnonzero(np.asarray(seen).any(axis)) for axis in (1, 0))
    x0, y0, x1, y1 = receptive.box(LAYERS, "blobs", 7, 0, 41, 50)
    assert (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) == (y0, y1, x0, x1)


def test_what_does_not_fit_a_network_is_refused(toy_network):
    with pytest.raises(UserError, match="tile: 64 cannot be used with edges of this network"):
        prepare(from_dict(settings("", **toy_network, tile=64)))
    with pytest.raises(UserError, match="content_layers: unknown 'conv4_2'; choices: edges, blobs"):
        from_dict(settings("", **{**toy_network, "content_layers": {"conv4_2": 1.0}}))
