"""How top patches are shown: the sheet's layout, and first-layer filters."""

import numpy as np
import pytest

from nst_jax.networks.trained import TORCHVISION, make_weights
from nst_jax.networks.vgg import VGG
from nst_jax.vision.searching import patches_sheet
from nst_jax.vision.searching.patches_sheet import (
    FILTER_CELL,
    GROUP_GAP,
    PATCH_GAP,
    SMALLEST_CELL,
    UNIT_GAP,
    scaled,
)
from tests.conftest import formula_weights

RED, BLUE = (np.broadcast_to(np.float32(colour), (10, 10, 3)) for colour in ((1, 0, 0), (0, 0, 1)))


def test_a_clipped_field_lies_where_it_was_and_the_rest_is_gray():
    picture = np.random.default_rng(0).random((12, 12, 3)).astype(np.float32)
    inside = patches_sheet.cut(picture, (3, 4, 8, 9), 5)
    np.testing.assert_array_equal(inside, picture[4:9, 3:8])
    corner = patches_sheet.cut(picture, (0, 10, 3, 12), 5)
    np.testing.assert_array_equal(corner[:2, 2:], picture[10:, :3])
    assert (corner[2:] == 0.5).all()
    assert (corner[:, :2] == 0.5).all()


def test_a_unit_has_its_patches_left_and_its_projections_right():
    tile = np.asarray(patches_sheet.tile([scaled(RED)] * 7, [scaled(BLUE)] * 7, top=9, side=10))
    group = 3 * SMALLEST_CELL + 2 * PATCH_GAP
    assert tile.shape == (group, 2 * group + GROUP_GAP, 3)
    for left, colour in ((0, (255, 0, 0)), (group + GROUP_GAP, (0, 0, 255))):
        cells = [
            tile[y : y + SMALLEST_CELL, left + x : left + x + SMALLEST_CELL]
            for y in range(0, group, SMALLEST_CELL + PATCH_GAP)
            for x in range(0, group, SMALLEST_CELL + PATCH_GAP)
        ]
        assert [(cell == colour).all() for cell in cells] == [True] * 7 + [False] * 2
    assert (tile[:, group : group + GROUP_GAP] == 255).all()
    assert (tile[SMALLEST_CELL : SMALLEST_CELL + PATCH_GAP, :] == 255).all()


def test_a_column_of_patches_for_each_quantile_stands_right_of_the_top_ones():
    red, blue = patches_sheet.scaled(RED), patches_sheet.scaled(BLUE)
    tile = np.asarray(patches_sheet.quantile_tile([red] * 4, {"0.9": [blue] * 2, "0.5": [blue]}, 4, 10))
    cells = tile[-2 * SMALLEST_CELL - PATCH_GAP :]  # below the titles
    group = 2 * SMALLEST_CELL + PATCH_GAP
    starts = [0, group + GROUP_GAP, group + GROUP_GAP + SMALLEST_CELL + GROUP_GAP]
    assert tile.shape[1] == starts[2] + SMALLEST_CELL
    for left, column in zip(starts[1:], ("blue blue", "blue empty"), strict=True):
        for row, colour in enumerate(column.split()):
            top = row * (SMALLEST_CELL + PATCH_GAP)
            cell = cells[top : top + SMALLEST_CELL, left : left + SMALLEST_CELL]
            assert (cell == {"blue": (0, 0, 255), "empty": patches_sheet.NO_PATCH}[colour]).all()
    assert (cells[:SMALLEST_CELL, :SMALLEST_CELL] == (255, 0, 0)).all()


def test_a_sheet_puts_all_units_in_rows_under_their_numbers():
    red, blue = ([scaled(colour)] for colour in (RED, BLUE))
    tiles = {unit: patches_sheet.tile(red, blue, top=1, side=10) for unit in (3, 14, 15, 92, 6)}
    sheet = patches_sheet.units_sheet(tiles)[0]
    red = np.all(sheet == (1, 0, 0), axis=-1)
    assert red.sum() == 5 * SMALLEST_CELL**2
    rows = np.flatnonzero(red.any(1))
    first, second = rows[rows < rows[0] + SMALLEST_CELL], rows[rows >= rows[0] + SMALLEST_CELL]
    assert red[first[0]].sum() == 4 * SMALLEST_CELL
    assert red[second[0]].sum() == SMALLEST_CELL
    label = sheet[UNIT_GAP : first[0], UNIT_GAP : UNIT_GAP + SMALLEST_CELL]
    assert label.min() < 0.2


@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_first_layer_filters_are_shown_in_rgb(order):
    weights = formula_weights()
    kernel = np.zeros((3, 3, 3, 4), np.float32)
    kernel[1, 2, {"rgb": 0, "bgr": 2}[order], 1] = 7.0  # one filter that looks for red at the right
    arrays = {**weights.arrays, "conv1_1.kernel": kernel}
    how = weights.preprocessing if order == "bgr" else TORCHVISION
    picture = patches_sheet.filters(VGG(make_weights("red", "slim", arrays, how)))[0]
    assert picture.shape[:2] == (FILTER_CELL, 4 * FILTER_CELL + 3 * PATCH_GAP)
    cell = picture[:, FILTER_CELL + PATCH_GAP :][:, :FILTER_CELL]
    third = FILTER_CELL // 3
    np.testing.assert_allclose(
        cell[third : 2 * third, 2 * third :], np.broadcast_to((1, 0.5, 0.5), (third, third, 3)), atol=3e-3
    )
    np.testing.assert_allclose(cell[:, :third], 0.5, atol=3e-3)
