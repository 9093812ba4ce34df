"""Experiments end to end, at a size that says nothing of their pictures."""

import json

import pytest

from tests.command import call, pixels

SMALL = [
    *("--config=configs/gatys.py", "--config.size=48", "--config.network.conv=direct"),
    *("--config.optimizer.name=adam", "--config.optimizer.steps=3"),
]


@pytest.mark.slow
def test_network_ablation_paints_and_judges_with_what_is_at_hand(tmp_path):
    result = call(*SMALL, f"--workdir={tmp_path}", module="nst_jax.experiments.network_ablation")
    assert result.returncode == 0, result.stderr
    distances = json.loads((tmp_path / "distances.json").read_text())
    assert distances.keys() == {"slim", "random"}
    assert all(0 < distance < 10 for distance in distances.values())
    assert pixels(tmp_path / "sheet.png").shape[0] > 2 * 256
    assert json.loads((tmp_path / "slim" / "run.json").read_text())["network"]["arch"] == "slim"


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False], ids=["it paints", "it only judges"])
def test_network_ablation_with_true_weights(reference, tmp_path, whole):
    weights = reference / "weights" / "vgg19_conv1_1-conv3_4.safetensors"
    layers = ["style_layers.conv4_1=0", "style_layers.conv5_1=0"]
    layers += ["content_layers.conv4_2=0", "content_layers.conv3_2=1"] if whole else []
    flags = [f"--config.{layer}" for layer in layers]
    result = call(
        *SMALL,
        *flags,
        f"--vgg19={weights}",
        f"--workdir={tmp_path}",
        module="nst_jax.experiments.network_ablation",
    )
    assert result.returncode == 0, result.stderr
    painted = json.loads((tmp_path / "distances.json").read_text()).keys()
    assert painted == ({"vgg19"} if whole else set()) | {"slim", "random"}
