"""Patches by relevance: against PyTorch's gradients, per-class counts, refusals."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax.errors import UserError
from nst_jax.experiments import top_patches
from nst_jax.networks.vgg import VGG
from nst_jax.vision.relevance import Towards, read_target, relevances
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from tests.command import ROOT
from tests.conftest import formula_image, formula_weights
from tests.whole_files import CLASSES, state_dict, write_keras

LAYERS = ("conv1_2", "pool1", "conv2_1")


def test_relevance_is_gradient_times_activation_as_in_pytorch():
    torch = pytest.importorskip("torch")
    from tests.torch_reference import activations

    weights, images = formula_weights(), jnp.concatenate([formula_image(40, 36), formula_image(40, 36, 1.0)])
    found, labels = relevances(VGG(weights, "max"), None, images, LAYERS, Towards("conv3_1", 2))
    assert labels.tolist() == [-1, -1]
    x = torch.tensor(np.asarray(images, np.float64)).permute(0, 3, 1, 2).requires_grad_(True)
    F = activations(weights.arrays, x, (*LAYERS, "conv3_1"), "max", "slim")
    gradients = torch.autograd.grad(F["conv3_1"][:, 2].sum(), [F[layer] for layer in LAYERS])
    for layer, gradient in zip(LAYERS, gradients, strict=True):
        expected = (F[layer] * gradient).detach().permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(found[layer], expected, atol=1e-4 * np.abs(expected).max(), err_msg=layer)


def search(weights, folder, *flags):
    base = [f"--config={ROOT}/configs/top_patches.py", f"--workdir={folder}", "--config.shown=1"]
    return top_patches.main(["top_patches", *base, f"--config.network.weights={weights}", *flags])


def rows(folder):
    return [json.loads(line) for line in (folder / "units.jsonl").read_text().splitlines()]


def test_patches_by_class_come_with_counts(tmp_path):
    file = write_keras(tmp_path / "whole.h5", state_dict())
    flags = ["--config.layers=conv2_1", "--config.network.pool=max", "--config.target=class"]
    assert search(file, tmp_path / "run", *flags) == 0
    for row in rows(tmp_path / "run"):
        assert sum(row["classes"].values()) == len(row["patches"])
        assert set(row["classes"]) <= {f"class {number}" for number in range(CLASSES)}
        values = [patch["relevance"] for patch in row["patches"]]
        assert values == sorted(values, reverse=True)
        assert min(values, default=1) > 0
    assert any(row["classes"] for row in rows(tmp_path / "run"))
    assert "by relevance towards class" in (tmp_path / "run" / "index.html").read_text()


def test_patches_by_a_deeper_unit_are_other_patches(tiny_weights, tmp_path):
    small = ["--config.size=48", "--config.layers=conv2_1", "--config.limit=6", "--config.top=3"]
    for name, more in (("activation", []), ("relevance", ["--config.target=conv3_1:1"])):
        assert search(tiny_weights, tmp_path / name, *small, *more) == 0
    by = {name: [r["patches"] for r in rows(tmp_path / name)] for name in ("activation", "relevance")}
    assert all("classes" not in row for row in rows(tmp_path / "relevance"))
    assert by["activation"] != by["relevance"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("klass", "target: 'klass' is not 'class'.*LAYER:UNIT"),
        ("class:x", "target: 'class:x' is not"),
        ("conv9_1:3", "layer: unknown 'conv9_1'"),
        ("conv1_1:3", "target: conv2_1 is deeper than conv1_1:3"),
    ],
)
def test_targets_that_mean_nothing_are_refused(target, message):
    with pytest.raises(UserError, match=message):
        TopPatchesSettings(layers=("conv2_1",), target=target)


def test_targets_that_the_network_lacks_are_refused(tiny_weights, tmp_path):
    flags = ["--config.size=48", "--config.layers=conv2_1"]
    with pytest.raises(UserError, match=r"no classifier"):
        search(tiny_weights, tmp_path / "run", *flags, "--config.target=class")
    with pytest.raises(UserError, match="target: conv3_1 has no unit 8; choices: 0 to 7"):
        search(tiny_weights, tmp_path / "run", *flags, "--config.target=conv3_1:8")
    assert not (tmp_path / "run").exists()
    assert read_target("class:3", "slim") == Towards("class", 3)
