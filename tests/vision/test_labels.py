"""Names of classes: ImageNet's in their order, files of one's own, and names that do not fit."""

import json

import pytest

from configs.sweeps import networks
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import ARCHITECTURES, architecture
from nst_jax.sweeps import judging, plan
from nst_jax.vision.labels import class_names
from tests.command import assert_refused, call, pixels


def test_imagenet_has_a_thousand_distinct_names():
    names = class_names("imagenet", 1000)
    assert len({name.lower() for name in names}) == 1000
    assert [names[i] for i in (0, 285, 517, 817, 967, 999)] == [
        *("tench", "Egyptian cat", "crane (machine)", "sports car", "espresso", "toilet tissue")
    ]
    assert class_names("auto", 1000) == names
    assert class_names("auto", 3) == ("class 0", "class 1", "class 2")


def test_the_names_are_in_the_order_of_the_synsets(reference):
    """The reference photos are called after synset and class; nine classes in ten are there."""
    files = sorted((reference / "images" / "photos_imagenet").iterdir())
    names = iter(name.split(" (")[0].lower() for name in class_names("imagenet", 1000))
    for file in files:
        assert file.stem.partition("_")[2].replace("_", " ").lower() in names, file.name


def test_names_that_do_not_fit_are_refused(tmp_path):
    (tmp_path / "two.txt").write_text("cat\n\ndog\n")
    assert class_names(str(tmp_path / "two.txt"), 2) == ("cat", "dog")
    with pytest.raises(UserError, match=r"labels: .*two.txt has 2 names, but the classifier has 5 classes"):
        class_names(str(tmp_path / "two.txt"), 5)
    with pytest.raises(UserError, match="labels: imagenet has 1000 names, but the classifier has 5 classes"):
        class_names("imagenet", 5)
    with pytest.raises(
        UserError, match=r"labels: cannot read nowhere.txt: .*choices: auto, imagenet, a text"
    ):
        class_names("nowhere.txt", 5)


def occlusion(folder, *flags):
    base = ["--config=configs/occlusion.py:squeezenet", f"--workdir={folder}", "--config.layer=fire2"]
    small = [
        "--config.network.weights=random",
        "--config.size=40",
        "--config.square=20",
        "--config.stride=30",
    ]
    return call(*base, *small, *flags, module="nst_jax.experiments.occlusion")


def test_occlusion_names_the_class_of_a_network_without_dense_layers(tmp_path):
    result = occlusion(tmp_path, "--config.label=285")
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run.json").read_text())["class"] == "Egyptian cat"
    assert "Egyptian cat with probability" in result.stdout
    assert pixels(tmp_path / "sheet.png").shape[0] > 2 * 320, "maps d and e are there"
    refused = occlusion(tmp_path / "none", "--config.label=1000")
    assert_refused(refused, "label: no class 1000; choices: 0 to 999")
    assert not (tmp_path / "none").exists()


def test_the_sweep_over_networks_matches_depths_and_has_a_judge():
    runs = plan.plan_runs(networks.get_config("quick"), plan.cells_of(networks.sweep, networks.__file__))
    assert {("slim", "trained"), *((arch, "random") for arch in networks.LAYERS)} <= {r.labels for r in runs}
    fields = {
        arch: [receptive.field_side(architecture(arch).layers, layer) for layer in layers]
        for arch, layers in networks.LAYERS.items()
    }
    for arch, sides in fields.items():
        for side, vgg in zip(sides[1:], fields["vgg19"][1:], strict=True):
            assert 2 / 3 < side / vgg < 1.5, arch
    assert set(networks.LAYERS) == set(ARCHITECTURES) - {"vgg16"}
    only = from_dict({"network": {"arch": "resnet18", "weights": "random"}, "content_weight": 0.0,
                      "style_layers": {"block2_1": 1.0}, "content_layers": {}})  # fmt: skip
    assert judging.judge([only])[1].name == "slim (embedded)"
