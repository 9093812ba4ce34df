"""Where styles apply: shares of overlapping masks, their strength, and what remains of the content."""

import logging

import numpy as np
import pytest
from absl import logging as absl_logging

from nst_jax import images
from nst_jax.config import from_dict
from nst_jax.errors import UserError
from nst_jax.methods.gatys import Session
from nst_jax.runs import recorder
from nst_jax.runs.folder import RunFolder
from nst_jax.transfer.grouping import group
from nst_jax.transfer.painting import paint
from nst_jax.transfer.preparing import prepare
from nst_jax.transfer.regions import BORDER, free_share, regions_of
from tests.transfer.test_styles import grams, job, painted

RAMP = np.linspace(0, 1, 65, dtype=np.float32)[None].repeat(9, 0)
LEFT = (np.arange(64)[None].repeat(43, 0) < 24).astype(np.float32)


def flat(value):
    return np.full((9, 65), value, np.float32)


def saved(path, mask):
    images.write(path, np.repeat(mask[None, ..., None].astype(np.float32), 3, -1))
    return str(path)


def test_a_mask_alone_is_left_as_it_is():
    (region,) = regions_of({"one": RAMP}).values()
    np.testing.assert_array_equal(region.mask, RAMP)
    assert (region.strength, region.share) == (1, 1)


def test_masks_that_share_pixels_add_up_to_one_style():
    regions = regions_of({"one": RAMP, "two": 1 - RAMP})
    squares = sum(np.square(region.mask, dtype=np.float64) for region in regions.values())
    np.testing.assert_allclose(squares, 1, rtol=1e-6)
    assert {region.strength for region in regions.values()} == {1}
    # Two full styles at the same pixels are both there in full, as in the paper.
    np.testing.assert_array_equal(regions_of({"one": flat(1), "two": flat(1)})["two"].mask, flat(1))


@pytest.mark.parametrize(
    ("masks", "strengths", "shares"),
    [
        ({"one": flat(0.25)}, (0.25,), (1,)),
        ({"one": 0.5 * RAMP}, (0.5,), (1,)),
        ({"one": flat(0.25), "two": flat(0.75)}, (1, 1), (0.25, 0.75)),
        ({"one": flat(0.25), "two": flat(0.25)}, (0.5, 0.5), (0.5, 0.5)),
    ],
)
def test_gray_is_the_share_of_a_style(masks, strengths, shares):
    found = list(regions_of(masks).values())
    np.testing.assert_allclose([region.strength for region in found], strengths, rtol=1e-6)
    np.testing.assert_allclose([region.share for region in found], shares, rtol=1e-6)


def test_masks_of_other_sizes_are_brought_together():
    regions = regions_of({"one": LEFT, "two": 1 - LEFT[::2, ::2]})
    assert {region.mask.shape for region in regions.values()} == {LEFT.shape}


def test_the_border_is_soft_and_as_wide_as_stated():
    column = np.zeros((64, 128), np.float32)
    column[:, 0] = 1
    free = free_share(regions_of({"one": column}), (64, 128), "simple", wrap=False)[0, 20, :, 0]
    width = int(BORDER * 128)
    assert free[0] == 1
    assert np.all(np.diff(free[: width + 2]) < 0)
    assert not free[width + 1 :].any()
    around = free_share(regions_of({"one": column}), (64, 128), "all", wrap=True)[0, 20, :, 0]
    np.testing.assert_allclose(around[-width:], free[width:0:-1])
    inside = free_share(regions_of({"one": column}), (64, 128), "inside", wrap=False)[0, 20, :, 0]
    np.testing.assert_array_equal(inside, column[20])


@pytest.mark.parametrize("guides", ["simple", "inside", "all"])
@pytest.mark.parametrize("init", ["content", "noise"])
def test_where_no_style_applies_the_result_is_the_content(tiny_weights, tmp_path, guides, init):
    styles = {"a": {"image": "sample:swirls", "region": saved(tmp_path / "left.png", LEFT)}}
    fields = {"scales": (0.5, 1.0), "optimizer": {"steps": 4}, "guides": guides, "init": init}
    one = job(tiny_weights, styles=styles, **fields)
    change = np.abs(painted(one, tmp_path / "run") - one.content)[0].max(-1)
    assert not change[:, 24 + int(64 * BORDER) + 1 :].any()
    assert change[:, :20].mean() > 0.01


@pytest.mark.slow
def test_gaps_vary_within_one_program_and_resume_with_the_same_bits(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "CHECKPOINT_SPACING", 0)
    masks = [saved(tmp_path / f"{width}.png", LEFT * (np.arange(64) < width)) for width in (24, 12)]
    jobs = [job(tiny_weights, styles={"a": {"image": "sample:swirls", "region": mask}}) for mask in masks]
    assert group(jobs) == [[0, 1]]
    together = [RunFolder(tmp_path / f"lane{i}", one.config) for i, one in enumerate(jobs)]
    outcomes = paint(Session(jobs, width=2), jobs, together, lambda look: True)
    alone = painted(jobs[1], tmp_path / "alone")
    np.testing.assert_allclose(outcomes[1].image, alone, atol=2e-3)
    folder = RunFolder(tmp_path / "stopped", jobs[1].config)
    paint(Session([jobs[1]]), [jobs[1]], [folder], lambda look: look.step[0] < 3)
    saved_state = folder.load_checkpoint(jobs[1].identity())
    (again,) = paint(Session([jobs[1]]), [jobs[1]], [folder], lambda look: True, [saved_state])
    np.testing.assert_array_equal(again.image, alone)


def test_strength_blends_the_target_with_the_content(tiny_weights, tmp_path):
    style, content = (grams(job(tiny_weights, style=f"sample:{name}")) for name in ("ink_wash", "coffee"))
    quarter = {"image": "sample:ink_wash", "strength": 0.25}
    gray = {"image": "sample:ink_wash", "region": saved(tmp_path / "gray.png", np.full((43, 64), 0.25))}
    for found in (
        grams(job(tiny_weights, styles={"a": quarter})),
        grams(job(tiny_weights, styles={"a": gray}), "region 1"),
    ):
        for layer in style:
            expected = 0.25 * style[layer] + 0.75 * content[layer]
            np.testing.assert_allclose(found[layer], expected, rtol=0.02, atol=1e-3 * expected.max())


def test_gray_that_a_region_leaves_at_a_deep_layer_stays_weak(tiny_weights, tmp_path):
    """The disk vanishes at conv3_1 with guides='inside', where only the gray around it is left."""
    disk = np.where(np.hypot(*np.mgrid[-21:22, -32:32]) < 6, 1.0, 0.1)
    styles = {"a": {"image": "sample:ink_wash", "region": saved(tmp_path / "disk.png", disk)}}
    one = job(tiny_weights, styles=styles, guides="inside")
    content = grams(job(tiny_weights, style="sample:coffee"))["conv3_1"]
    style = grams(job(tiny_weights, style="sample:ink_wash"))["conv3_1"]
    found = grams(one, "region 1")["conv3_1"]
    assert np.linalg.norm(found - content) < 0.3 * np.linalg.norm(style - content)


def test_a_strength_that_cannot_be_used_is_refused(tiny_weights, tmp_path):
    with pytest.raises(UserError, match=r"styles\.a\.strength: 1\.5 is above 1"):
        from_dict({"styles": {"a": {"image": "x", "strength": 1.5}}})
    styles = {"a": {"image": "sample:swirls", "strength": 0.5}}
    with pytest.raises(UserError, match=r"styles\.a\.strength: 0\.5.*cannot be used with style_losses\.mrf"):
        job(tiny_weights, styles=styles, style_losses={"mrf": 1.0})


def test_gray_pictures_give_a_gray_one(tiny_weights, tmp_path):
    for name in ("coffee", "ink_wash"):
        gray = images.fit(images.read(f"sample:{name}"), 64).mean(-1)
        saved(tmp_path / f"{name}.png", gray[0])
    fields = {"content": str(tmp_path / "coffee.png"), "style": str(tmp_path / "ink_wash.png")}
    one = job(tiny_weights, **fields)
    assert one.gray
    picture = painted(one, tmp_path / "run")
    assert np.ptp(picture, axis=-1).max() == 0
    assert np.abs(picture - one.content).max() > 0.02
    assert not job(tiny_weights, content=fields["content"]).gray


@pytest.mark.slow
def test_the_content_alone_survives_coarse_scales(tiny_weights, tmp_path):
    fields = {"init": "content", "style_weight": 0.0, "scales": (0.5, 1.0)}
    one = job(tiny_weights, **fields)
    np.testing.assert_array_equal(painted(one, tmp_path / "run"), one.content)


def test_a_finished_picture_is_not_shrunk(tiny_weights, tmp_path):
    images.write(tmp_path / "finished.png", images.fit(images.read("sample:coffee"), 64))
    fields = {"init": str(tmp_path / "finished.png"), "scales": (0.25, 0.5, 1.0)}
    steps = {"steps": (3, 2, 1)}
    assert job(tiny_weights, **fields, optimizer=steps).config.active_scales() == (1.0,)
    assert job(tiny_weights, **fields, optimizer=steps).config.steps_by_scale() == (1,)
    again = job(tiny_weights, **fields, init_scale=0.5, optimizer=steps).config
    assert (again.active_scales(), again.steps_by_scale()) == ((0.5, 1.0), (2, 1))
    plain = prepare(again.__class__(**{**vars(again), "init": "content"})).config
    assert plain.active_scales() == (0.25, 0.5, 1.0)


def test_a_picture_of_another_shape_is_said_to_be_stretched(tiny_weights, tmp_path, caplog):
    absl_logging.get_absl_logger().propagate = True
    images.write(tmp_path / "square.png", images.resize(images.read("sample:coffee"), 48, 48))
    with caplog.at_level(logging.WARNING):
        start = job(tiny_weights, init=str(tmp_path / "square.png"), scales=(0.5, 1.0)).start
    assert start.shape == (1, 43, 64, 3)
    assert "square.png, of 48 x 48 pixels, is stretched to the shape of the content" in caplog.text
    assert "scales: 0.5 left out: init=" in caplog.text
