"""Pictures of units beside their patches, as the search for top patches paints them."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.experiments import top_patches
from nst_jax.networks.vgg import VGG
from nst_jax.vision import activations
from nst_jax.vision.maximizing.response_painter import ResponsePainter, UnitPictures
from nst_jax.vision.searching import maximized_units
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from tests.command import ROOT
from tests.conftest import formula_image, formula_weights

SIDE = 16


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for phase in range(3):
        images.write(folder / f"{phase}.png", np.asarray(formula_image(32, 40, phase)))
    return folder


def run(weights, photos, workdir, *more, **fields):
    values = {"data": f"folder:{photos}", "layers": "conv1_1", "size": 32, "units": "2,0", "maximized": SIDE}
    values |= {"network.weights": weights, "quantiles": "()", **fields}
    flags = [f"--config.{name}={value}" for name, value in values.items()]
    config = f"--config={ROOT / 'configs' / 'top_patches.py'}"
    return top_patches.main(["top_patches", config, f"--workdir={workdir}", *flags, *more])


class GrayPainter:
    """A painter that paints gray."""

    def __init__(self, *_):
        pass

    def paint(self, _):
        return UnitPictures(np.full((1, SIDE, SIDE, 3), 0.5, np.float32), None, 0.0, 0.0, peak=0.25)


def test_an_interrupted_run_keeps_its_pictures(tiny_weights, photos, tmp_path, monkeypatch, capsys):
    paint, painted = ResponsePainter.paint, []

    def dying(self, direction):
        if painted:
            raise KeyboardInterrupt
        painted.append(int(direction.argmax()))
        return paint(self, direction)

    monkeypatch.setattr(ResponsePainter, "paint", dying)
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(tiny_weights, photos, folder)
    assert "maximized: after the search, as much work as " in capsys.readouterr().out
    assert not (folder / "units.jsonl").exists()
    monkeypatch.setattr(maximized_units, "ResponsePainter", GrayPainter)
    assert top_patches.main(["top_patches", f"--workdir={folder}", "--resume"]) == 0
    assert painted == [2]
    first, second = (json.loads(line) for line in (folder / "units.jsonl").read_text().splitlines())
    assert second["maximized"] == {"file": "maximized/conv1_1/0.png", "activation": 0.25}
    picture = images.read(str(folder / first["maximized"]["file"]))
    assert picture.shape == (1, SIDE, SIDE, 3)
    response = VGG(formula_weights())(jnp.asarray(picture), ("conv1_1",))["conv1_1"][..., 2].max()
    np.testing.assert_allclose(first["maximized"]["activation"], response, rtol=0.02)


def test_work_is_counted_in_images_of_the_search(tiny_weights, photos):
    network = VGG(formula_weights())
    work = [
        maximized_units.maximizing_work(network, TopPatchesSettings(layers=("conv1_1",), size=64, **fields))
        for fields in ({"maximized": 40, "units": "1"}, {"maximized": 40, "units": "1,2"}, {})
    ]
    assert work[1] == 2 * work[0]
    assert 200 < work[0] < 3 * 200, "200 steps, each a forward and a backward pass of 64 x 64 pixels"
    assert work[2] == 0


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"maximized": 8}, "maximized: 8 is below 16"),
        ({"maximized": 4096, "layers": "conv1_1,conv1_2"}, "maximized: 1 x 4120 px need at least .* memory"),
        ({"maximized": 16, "layers": "pool5", "size": 272}, "maximized: 16 pixels are too few for pool5"),
    ],
)
def test_refused(tiny_weights, photos, tmp_path, monkeypatch, fields, refusal):
    monkeypatch.setattr(activations, "free_memory_bytes", lambda: 2**28)
    with pytest.raises(UserError, match=refusal):
        run(tiny_weights, photos, tmp_path / "run", **fields)
    assert not (tmp_path / "run").exists()
