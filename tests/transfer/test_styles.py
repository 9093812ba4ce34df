"""Several styles and regions: what is blended, what is left out, what is refused, one program for all."""

import logging

import jax
import numpy as np
import pytest
from absl import logging as absl_logging

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.losses.features.request import EVERYWHERE
from nst_jax.methods.gatys import Session
from nst_jax.runs import recorder
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.grouping import group
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare

LAYERS = {"conv1_1": 0.5, "conv2_1": 0.3, "conv3_1": 0.2}


def job(weights, **fields):
    settings = {
        "content": "sample:coffee",
        "size": 64,
        "style_layers": LAYERS,
        "content_layers": {"conv2_2": 1.0},
        "log_every": 4,
        "network": {"arch": "slim", "weights": str(weights)},
        "optimizer": {"steps": 8},
    }
    return prepare(from_dict(settings | fields))


def targets(one):
    return Session([one]).objective(one, 1.0).targets["style"].statistics


def grams(one, region=EVERYWHERE):
    return {layer: np.asarray(regions[region]["gram"]) for layer, regions in targets(one).items()}


def painted(one, path):
    (outcome,) = paint(Session([one]), [one], [RunFolder(path, one.config)], lambda look: True)
    return outcome.image


@pytest.fixture
def masks(tmp_path):
    """Paths of masks over the content, by name."""
    columns = np.arange(64)[None].repeat(43, 0)
    drawn = {
        "left": columns < 32,
        "right": columns >= 32,
        "third": columns < 22,
        "soft": columns / 63,
        "dot": (columns == 30) & (np.arange(43)[:, None] == 20),
        "black": columns < 0,
        "of the style": np.linspace(0, 1, 80)[None].repeat(64, 0),  # sample:sunset is 720 x 576 pixels
    }
    for name, mask in drawn.items():
        images.write(tmp_path / f"{name}.png", np.repeat(mask[None, ..., None].astype(np.float32), 3, -1))
    return {name: str(tmp_path / f"{name}.png") for name in drawn}


def two_styles(masks, **second):
    return {
        "ink": {"image": "sample:ink_wash", "region": masks["left"]},
        "sun": {"image": "sample:sunset", "region": masks["right"], **second},
    }


def test_styles_of_one_region_are_averaged_by_weight(tiny_weights):
    alone = [grams(job(tiny_weights, style=f"sample:{name}")) for name in ("ink_wash", "sunset")]
    styles = {
        "ink": {"image": "sample:ink_wash", "weight": 6.0},
        "sun": {"image": "sample:sunset", "weight": 2.0},
        "off": {"image": "sample:swirls", "weight": 0.0},
    }
    for layer, found in grams(job(tiny_weights, styles=styles)).items():
        np.testing.assert_allclose(found, 0.75 * alone[0][layer] + 0.25 * alone[1][layer], rtol=1e-5)


def test_a_folder_is_the_average_of_its_pictures(tiny_weights, tmp_path):
    names = ("ink_wash", "sunset")
    for name in names:
        images.write(tmp_path / f"{name}.png", images.fit(images.read(f"sample:{name}"), 64))
    alone = [grams(job(tiny_weights, style=str(tmp_path / f"{name}.png"))) for name in names]
    found = grams(job(tiny_weights, styles={"both": {"image": f"folder:{tmp_path}"}}))
    for layer in LAYERS:
        np.testing.assert_allclose(found[layer], (alone[0][layer] + alone[1][layer]) / 2, rtol=1e-5)


def test_styles_set_the_layers_that_they_name(tiny_weights):
    ink, sun = (grams(job(tiny_weights, style=f"sample:{name}")) for name in ("ink_wash", "sunset"))
    styles = {
        "strokes": {"image": "sample:ink_wash", "layers": ("conv1_1", "conv2_1")},
        "forms": {"image": "sample:sunset", "layers": ("conv2_1", "conv3_1")},
    }
    found = grams(job(tiny_weights, styles=styles))
    np.testing.assert_array_equal(found["conv1_1"], ink["conv1_1"])
    np.testing.assert_allclose(found["conv2_1"], (ink["conv2_1"] + sun["conv2_1"]) / 2, rtol=1e-5)
    np.testing.assert_array_equal(found["conv3_1"], sun["conv3_1"])


def test_the_scale_of_a_style_multiplies_style_scale(tiny_weights):
    styles = {"ink": {"image": "sample:ink_wash", "scale": 0.5}}
    small = job(tiny_weights, style="sample:ink_wash", style_scale=0.75)
    found = job(tiny_weights, styles=styles, style_scale=1.5)
    for layer in LAYERS:
        np.testing.assert_array_equal(grams(found)[layer], grams(small)[layer])


def test_regions_share_the_loss_and_one_that_vanishes_at_a_layer_is_left_out_there(tiny_weights, masks):
    one = job(tiny_weights, styles=two_styles(masks), guides="inside")
    objective = Session([one]).objective(one, 1.0)
    assert {float(share) for share in objective.targets["style"].regions["conv1_1"].values()} == {0.5}
    narrow = two_styles(masks, region=masks["dot"])
    one = job(tiny_weights, styles=narrow, guides="all")
    assert {
        float(s) for s in Session([one]).objective(one, 1.0).targets["style"].regions["conv3_1"].values()
    } == {0.5}
    narrow["sun"]["region"] = masks["third"]
    one = job(tiny_weights, styles=narrow, guides="inside", size=32)
    shares = Session([one]).objective(one, 1.0).targets["style"].regions
    assert [float(share) for share in shares["conv1_1"].values()] == [0.5, 0.5]
    assert [float(share) for share in shares["conv3_1"].values()] == [1.0, 0.0]


def test_a_style_fills_its_region(tiny_weights, tmp_path, masks):
    """The colours of two one-coloured styles end up where their masks are white."""
    for name, color in (("red", (0.8, 0.1, 0.1)), ("blue", (0.1, 0.1, 0.8))):
        images.write(tmp_path / f"{name}.png", np.full((1, 48, 48, 3), color, np.float32))
    styles = two_styles(masks)
    styles["ink"]["image"], styles["sun"]["image"] = str(tmp_path / "red.png"), str(tmp_path / "blue.png")
    picture = painted(
        job(
            tiny_weights,
            styles=styles,
            content_weight=0.0,
            style_layers={"conv1_1": 1.0},
            optimizer={"steps": 60},
        ),
        tmp_path / "run",
    )
    warmth = (picture[..., 0] - picture[..., 2])[0]
    assert warmth[:, 4:28].mean() > 0.1
    assert warmth[:, 36:60].mean() < -0.02


@pytest.mark.parametrize("tile", [0, pytest.param(64, marks=pytest.mark.slow)])
def test_a_run_with_regions_resumes_with_the_same_bits(tiny_weights, tmp_path, masks, monkeypatch, tile):
    monkeypatch.setattr(recorder, "CHECKPOINT_SPACING", 0)
    fields = {"styles": two_styles(masks, mask=masks["of the style"]), "color": "luminance", "tile": tile}
    one = job(tiny_weights, **fields)
    expected = painted(one, tmp_path / "whole")
    folder = RunFolder(tmp_path / "stopped", one.config)
    paint(Session([one]), [one], [folder], lambda look: look.step[0] < 3)
    again = job(tiny_weights, **fields)
    saved = folder.load_checkpoint(again.identity())
    (outcome,) = paint(Session([again]), [again], [folder], lambda look: True, [saved])
    np.testing.assert_array_equal(outcome.image, expected)


@pytest.mark.slow
def test_tiles_and_regions_together_are_the_whole(tiny_weights, masks):
    fields = {"styles": two_styles(masks, mask=masks["of the style"]), "size": 150, "laplacian_weight": 10.0}
    values = []
    for tile in (0, 64):
        one = job(tiny_weights, tile=tile, **fields)
        session = Session([one])
        image = images.resize(one.content, *one.size_at(1.0))
        J = session.objective(one, 1.0)
        values.append(
            jax.jit(jax.value_and_grad(session.lanes.optimizer.objective, 2, has_aux=True))(
                one.network, J, image
            )
        )
    (whole, terms), gradient = values[0]
    (tiled, tiled_terms), tiled_gradient = values[1]
    assert float(tiled) == pytest.approx(float(whole), rel=1e-5)
    assert tiled_terms.keys() == terms.keys()
    assert float(terms["laplacian"]) == 0.0, "the picture is the content"
    np.testing.assert_allclose(tiled_gradient, gradient, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.slow
def test_masks_and_weights_vary_within_one_program(tiny_weights, tmp_path, masks):
    jobs = [
        job(tiny_weights, styles=two_styles(masks, weight=weight, region=masks[name]), optimizer={"steps": 2})
        for name in ("right", "soft", "third")
        for weight in (0.5, 1.0, 2.0, 4.0)
    ]
    assert group(jobs) == [list(range(12))]
    session = Session(jobs, width=6)
    for first in (0, 6):
        batch = jobs[first : first + 6]
        folders = [RunFolder(tmp_path / f"{first + i}", one.config) for i, one in enumerate(batch)]
        paint(session, batch, folders, lambda look: True)
    assert session.compilations == 1


REFUSED = {
    "no image": ({"a": {"weight": 1.0}}, r"styles\.a\.image: is missing"),
    "weights of 0": ({"a": {"image": "x", "weight": 0.0}}, r"styles\.a\.weight: all weights of the styles"),
    "layer": ({"a": {"image": "x", "layers": ("conv9",)}}, r"styles\.a\.layers: unknown 'conv9'"),
    "field": ({"a": {"imge": "x"}}, r"styles\.a\.imge: unknown 'imge'; did you mean 'image'"),
    "picture": ({"a": {"image": "/no/such.png"}}, r"styles\.a: .*no/such\.png"),
    "empty folder": ({"a": {"image": "folder:{folder}/empty"}}, r"styles\.a: .*empty"),
    "mask is no picture": ({"a": {"image": "sample:swirls", "mask": "{folder}/x.txt"}}, r"styles\.a\.mask: "),
    "black mask": (
        {"a": {"image": "sample:swirls", "region": "{folder}/black.png"}},
        r"black\.png: is black",
    ),
    "aspect": (
        {"a": {"image": "sample:swirls", "region": "{folder}/tall.png"}},
        r"tall\.png: is 43 x 64 pixels",
    ),
    "vanishes": (
        {"a": {"image": "sample:swirls", "region": "{folder}/dot.png"}},
        r"styles\.a\.region: vanishes at every style layer with guides=inside",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused(case, tiny_weights, tmp_path, masks):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("no picture")
    images.write(tmp_path / "tall.png", np.ones((1, 64, 43, 3), np.float32))
    styles, message = REFUSED[case]
    styles = {
        name: {k: v.format(folder=tmp_path) if isinstance(v, str) else v for k, v in style.items()}
        for name, style in styles.items()
    }
    with pytest.raises(UserError, match=message) as caught:
        job(tiny_weights, styles=styles, guides="inside")
    assert "\n" not in str(caught.value)


def test_a_part_of_the_picture_without_a_style_is_said(tiny_weights, masks, caplog):
    absl_logging.get_absl_logger().propagate = True
    with caplog.at_level(logging.WARNING):
        job(tiny_weights, styles={"a": {"image": "sample:swirls", "region": masks["left"]}})
    assert "no style applies to 50 % of the picture" in caplog.text
