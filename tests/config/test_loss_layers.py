"""Weights of layers for single style losses: what they mean, what they skip, what is refused."""

import pytest

from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.methods.gatys import Session
from nst_jax.transfer.preparing import prepare
from tests.command import assert_refused, call, metrics, tiny
from tests.seams.jobs import settings

LAYERS = {"conv1_1": 0.5, "conv2_1": 0.25}
LOSSES = {"gram": 1e-3, "moments": 3.0}


def fields(**changes):
    return {"style_layers": LAYERS, "style_losses": LOSSES, **changes}


def test_a_loss_with_layers_of_its_own_has_their_weights_and_the_others_those_of_all():
    config = from_dict(fields(loss_layers={"moments": {"conv1_1": 4.0}}))
    weights = {layer: {n: w * LAYERS[layer] for n, w in config.losses_at(layer).items()} for layer in LAYERS}
    assert weights == {
        "conv1_1": {"gram": pytest.approx(5e-4), "moments": pytest.approx(12.0)},
        "conv2_1": {"gram": pytest.approx(2.5e-4)},
    }
    assert config.active_losses() == ("gram", "moments")


def test_a_layer_or_loss_without_any_weight_is_not_in_use():
    config = from_dict(fields(loss_layers={"gram": {"conv2_1": 1.0}, "moments": {}}))
    assert config.active_style() == {"conv2_1": 0.25}
    assert config.active_losses() == ("gram",)
    assert from_dict(fields(style_weight=0.0)).active_style() == {}


def test_what_is_not_in_use_is_not_computed(tiny_weights, tmp_path):
    values = settings(tiny_weights, **fields(loss_layers={"moments": {"conv1_1": 4.0}}))
    job = prepare(from_dict(values))
    found = Session([job]).objective(job, 1.0).targets["style"].statistics
    assert {layer: set(regions[""]) for layer, regions in found.items()} == {
        "conv1_1": {"gram", "moments"},
        "conv2_1": {"gram"},
    }


@pytest.mark.parametrize("tile", [0, 64])
def test_flags_set_them_and_the_terms_add_up(tiny_weights, tmp_path, tile):
    flags = {f"style_losses.{name}": weight for name, weight in LOSSES.items()} | {
        "loss_layers.moments.conv1_1": 4.0,
        "size": 96,
        "tile": tile,
        "optimizer.steps": 4,
    }
    result = call(*tiny(tiny_weights, tmp_path, **flags))
    assert result.returncode == 0, result.stderr
    for line in metrics(tmp_path):
        assert "style/conv2_1/moments" not in line
        gram = sum(1e-3 * 0.2 * line[f"style/conv{block}_1/gram"] for block in (1, 2))
        assert line["style"] == pytest.approx(gram + 3 * 4 * line["style/conv1_1/moments"], rel=1e-5)


REFUSED = {
    "loss": ({"moment": {"conv1_1": 1.0}}, "loss_layers", "did you mean 'moments'"),
    "layer": ({"moments": {"conv3_1": 1.0}}, "loss_layers.moments", "conv3_1", "conv1_1, conv2_1"),
    "weight": ({"moments": {"conv1_1": -1.0}}, "loss_layers.moments.conv1_1", "-1.0"),
    "type": ({"moments": 1.0}, "loss_layers.moments", "1.0"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(case):
    layers, *words = case
    with pytest.raises(UserError) as caught:
        from_dict(fields(loss_layers=layers))
    assert all(word in str(caught.value) for word in words), caught.value


def test_the_command_refuses_an_unknown_loss_in_one_line(tiny_weights, tmp_path):
    result = call(*tiny(tiny_weights, tmp_path / "x", **{"loss_layers.moments.conv1_1": 1.0}))
    assert_refused(result, "loss_layers", "moments", "gram")
    assert not (tmp_path / "x").exists()
