"""Configs: what is accepted, what is refused and how it is said, and that configs/gatys.py is the paper's."""

import importlib

import pytest
from ml_collections import ConfigDict

from nst_jax.config import Config, from_dict, to_dict
from nst_jax.errors import UserError


def gatys(variant="paper"):
    return from_dict(importlib.import_module("configs.gatys").get_config(variant))


def test_gatys_is_the_default_and_the_paper():
    config = gatys()
    assert config == Config()
    assert config.content_layers == {"conv4_2": 1.0}
    assert config.style_layers == {f"conv{block}_1": pytest.approx(1 / 5) for block in (1, 2, 3, 4, 5)}
    assert config.content_weight / config.style_weight == pytest.approx(1e-4)
    assert (config.network.arch, config.network.pool, config.network.normalize) == ("vgg19", "avg", False)
    assert (config.init, config.optimizer.name, config.optimizer.steps) == ("noise", "lbfgs", 500)
    assert config.noise == pytest.approx(1 / 255)


def test_released_has_the_constants_of_the_released_code():
    """Style: 1e3/n^2 times the mean over n^2 entries; ours has 1/(4 n^2) inside, hence the factor 4."""
    config = gatys("released")
    assert config.style_layers["conv1_1"] == pytest.approx(4 * 1e3 / 64**2)
    assert config.style_layers["conv5_1"] == pytest.approx(4 * 1e3 / 512**2)
    assert (config.content_loss, config.content_weight, config.network.pool) == ("mean", 1.0, "max")
    assert config.init == "content"


def test_released_has_the_areas_and_steps_of_the_released_code():
    """500 steps at an area of 512 x 512 pixels, then 200 at 1024 x 1024: here for a picture of 4:3."""
    config = gatys("released")
    first, last = (size**2 * 3 / 4 for size in (config.size * config.scales[0], config.size))
    assert (first, last) == (pytest.approx(512**2, rel=2e-3), pytest.approx(1024**2, rel=2e-3))
    assert (config.steps_by_scale(), config.scales) == ((500, 200), (0.5, 1.0))
    alone = gatys("released_512")
    assert (alone.size, alone.steps_by_scale()) == (591, (500,))
    assert alone.style_layers == config.style_layers


def test_normalized_has_the_authors_constants_for_rescaled_filters():
    """Style 1e9 / 5 times the mean square of G - A, which is 4 E; content 1e6 times the mean square."""
    config = gatys("normalized")
    assert config.network.normalize
    assert pytest.approx(config.style_layers["conv3_1"] / config.content_weight) == 4e9 / 5 / 1e6
    assert (config.content_loss, config.init) == ("mean", "content")


def test_steps_are_one_number_or_one_per_scale():
    assert from_dict({"scales": (0.5, 1.0)}).steps_by_scale() == (500, 500)
    fields = {"scales": (0.25, 0.5, 1.0), "optimizer": {"steps": [30, 20, 10]}}
    assert from_dict(fields).steps_by_scale() == (30, 20, 10)
    with pytest.raises(UserError, match=r"optimizer\.steps: \(30, 20\) are 2 numbers, but scales has 1"):
        from_dict({"optimizer": {"steps": (30, 20)}})


def test_a_config_survives_json():
    config = gatys("released")
    assert from_dict(to_dict(config)) == config


def test_ints_may_stand_for_floats_but_not_the_other_way():
    assert from_dict({"style_scale": 2}).style_scale == 2.0
    with pytest.raises(UserError, match=r"size: expected int, got 512\.5"):
        from_dict({"size": 512.5})


REFUSED = {
    "sede": ({"sede": 1}, "unknown 'sede'; did you mean 'seed'"),
    "nested typo": ({"network": {"ach": "vgg19"}}, r"network\.ach: unknown 'ach'; did you mean 'arch'"),
    "arch": ({"network": {"arch": "vgg18"}}, r"network\.arch: unknown 'vgg18'.*choices: vgg19, vgg16, slim"),
    "pool": ({"network": {"pool": "mean"}}, r"network\.pool: unknown 'mean'.*avg, max"),
    "layer": ({"style_layers": {"conv9_1": 1.0}}, r"style_layers: unknown 'conv9_1'.*conv1_1"),
    "layer of vgg19": (
        {"network": {"arch": "vgg16"}, "style_layers": {"conv3_4": 1.0}},
        "style_layers: unknown 'conv3_4'",
    ),
    "zero size": ({"size": 0}, "size: 0 is below 16"),
    "negative size": ({"size": -5}, "size: -5 is below 16"),
    "steps": ({"optimizer": {"steps": 0}}, r"optimizer\.steps: 0 is below 1"),
    "steps of a scale": ({"optimizer": {"steps": (3, 0)}}, r"optimizer\.steps: 0 is below 1"),
    "steps in words": (
        {"optimizer": {"steps": "x"}},
        r"optimizer\.steps: expected int or tuple\[int, \.\.\.\], got 'x'",
    ),
    "noise": ({"noise": -0.1}, r"noise: -0\.1 is not a finite number >= 0"),
    "learning rate": ({"optimizer": {"learning_rate": float("nan")}}, r"optimizer\.learning_rate: nan"),
    "no scales": ({"scales": ()}, r"scales: \(\) must end with 1\.0"),
    "scales": ({"scales": (0.5, 0.7)}, r"must end with 1\.0"),
    "zero scale": ({"scales": (0.0, 1.0)}, r"scales: 0\.0 is not a finite number above 0"),
    "large scale": ({"scales": (2.0, 1.0)}, r"scales: 2\.0 is above 1\.0"),
    "small scale": ({"size": 64, "scales": (0.1, 1.0)}, r"scales: 0\.1 of size 64 is under 16 pixels"),
    "style scale": ({"style_scale": 0.0}, r"style_scale: 0\.0 is not a finite number above 0"),
    "nan": ({"content_weight": float("nan")}, "content_weight: nan"),
    "infinite": ({"style_weight": float("inf")}, "style_weight: inf"),
    "negative": ({"tv_weight": -1.0}, r"tv_weight: -1\.0"),
    "negative layer": ({"style_layers": {"conv1_1": -1.0}}, r"style_layers\.conv1_1: -1\.0"),
    "both zero": ({"content_weight": 0.0, "style_weight": 0.0}, "nothing to optimise"),
    "all layers off": ({"content_weight": 0.0, "style_layers": {"conv1_1": 0.0}}, "nothing to optimise"),
    "bool for int": ({"seed": True}, "seed: expected int, got True"),
    "string": ({"content": 3}, "content: expected str, got 3"),
    "empty": ({"style": ""}, "style: is empty"),
    "layers": ({"style_layers": "conv1_1"}, r"style_layers: expected dict\[str, float\], got 'conv1_1'"),
    "not a dict": (3, "must return a ConfigDict, not int"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(values, message):
    with pytest.raises(UserError, match=message) as caught:
        from_dict(values)
    assert "\n" not in str(caught.value)


def test_a_weight_of_zero_turns_a_layer_off():
    config = from_dict(
        ConfigDict(
            {
                "content_layers": {"conv4_2": 0.0, "conv3_2": 1.0},
                "style_layers": {"conv5_1": 0.0, "conv1_1": 1},
            }
        )
    )
    assert config.active_content() == {"conv3_2": 1.0}
    assert config.active_style() == {"conv1_1": 1.0}
    assert config.active_layers() == ("conv1_1", "conv3_2")


def test_a_term_of_weight_zero_needs_no_layers():
    assert from_dict({"style_weight": 0.0}).active_layers() == ("conv4_2",)
