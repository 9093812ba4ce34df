"""Where a flow can be trusted, on scenes whose motion and occlusions are known."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from nst_jax.video.flow import read_flo, tvl1
from nst_jax.video.reliability import carried, reliability, warped_along
from scripts.moving_scene import patch_at, scene, true_flow, truly_visible

SIZE = (60, 90)


@pytest.mark.parametrize(("frame", "other"), [(3, 2), (5, 1), (1, 4)])
def test_weights_are_right_to_a_pixel_at_the_borders_of_what_is_visible(frame, other):
    weight = reliability(true_flow(frame, other, SIZE), true_flow(other, frame, SIZE))
    visible = truly_visible(frame, other, SIZE)
    around = np.ones((5, 5), bool)  # a pixel, and the smoothing of the weights
    assert weight[~binary_dilation(visible, around)].max(initial=0) < 0.05
    jumps = np.abs(np.gradient(true_flow(frame, other, SIZE), axis=(0, 1))).sum((0, -1)) > 0
    edges = binary_dilation(jumps, around)
    sure = binary_erosion(visible, around, border_value=1) & ~edges
    assert sure.mean() > 0.5
    assert weight[sure].min() > 0.95


def test_warping_undoes_the_motion():
    first, second = (frame.astype(np.float32) for frame in scene(2, SIZE))
    visible = binary_erosion(truly_visible(1, 0, SIZE), np.ones((3, 3)))
    moved = warped_along(first, true_flow(1, 0, SIZE))
    assert np.abs(moved - second)[visible].mean() < 1
    assert np.abs(first - second)[visible].mean() > 8
    np.testing.assert_array_equal(warped_along(first, np.zeros((*SIZE, 2)), order=3).round(), first)


def test_the_estimated_flow_is_that_of_the_scene():
    first, second = scene(2, SIZE)
    sure = binary_erosion(truly_visible(1, 0, SIZE), np.ones((9, 9)))
    error = np.linalg.norm(tvl1(second, first) - true_flow(1, 0, SIZE), axis=-1)
    assert np.median(error[sure]) < 0.5


def test_a_patch_on_a_textured_ground_is_given_its_own_flow():
    size = (128, 192)
    frames = scene(6, size)
    weight = reliability(tvl1(frames[5], frames[4]), tvl1(frames[4], frames[5]))
    inside = binary_erosion(patch_at(5, size), np.ones((9, 9)))
    assert weight[inside].mean() > 0.9


def test_the_noise_of_a_flow_is_not_the_edge_of_a_motion():
    flow, back = np.random.default_rng(0).normal(0, 0.05, (2, *SIZE, 2))
    assert np.median(reliability(flow, back)) > 0.95


def test_a_mix_of_frames_has_the_gradient_of_their_losses():
    """Equation 9 of the paper, where no frame is counted twice: by its sum, not by the mix."""
    random = np.random.default_rng(0)
    warped = list(random.random((3, 5, 6, 3), np.float32))
    weights = list(random.random((3, 5, 6), np.float32))
    x, long, seen = random.random((5, 6, 3)), [], np.zeros((5, 6))
    for weight in weights:
        long.append(np.maximum(weight - seen, 0))
        seen = seen + long[-1]
    expected = sum(2 * c[..., None] * (x - w) for c, w in zip(long, warped, strict=True))
    known = carried(warped, weights)
    np.testing.assert_allclose(2 * known.weight[..., None] * (x - known.picture), expected, atol=1e-5)
    assert known.weight.max() <= 1


def test_a_flo_file_is_read_as_rows_and_columns(tmp_path):
    path = tmp_path / "a.flo"
    columns_and_rows = np.float32([[[1, 2], [3, 4], [5, 6]]])
    path.write_bytes(b"PIEH" + np.int32([3, 1]).tobytes() + columns_and_rows.tobytes())
    np.testing.assert_array_equal(read_flo(path), [[[2, 1], [4, 3], [6, 5]]])


@pytest.mark.parametrize("content", [b"", b"PIEH", b"PIEH\x03\0\0\0\x01\0\0\0", b"x" * 40])
def test_a_damaged_flo_file_is_refused(tmp_path, content):
    path = tmp_path / "a.flo"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"video\.flow: .* is (not a \.flo file|damaged)"):
        read_flo(path)
