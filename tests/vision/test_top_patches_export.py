"""Histograms, quantiles and labels of `nst_jax.experiments.top_patches`, recomputed from what it exports."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from nst_jax.errors import UserError
from nst_jax.experiments import top_patches
from nst_jax.vision.searching import search
from tests.command import ROOT

LAYERS = ("conv1_1", "conv2_1")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pictures of two classes, of which one cannot be read."""
    folder = tmp_path_factory.mktemp("photos")
    made = np.random.default_rng(0)
    for number in range(30):
        name = "cat" if number % 3 else "dog"
        (folder / name).mkdir(exist_ok=True)
        bright = made.integers(0, 256 - 5 * number, (40, 48, 3), np.uint8)
        Image.fromarray(bright).save(folder / name / f"{number:03d}.png")
    (folder / "cat" / "broken.png").write_bytes(b"not a picture")
    return folder


def run(weights, photos, workdir, *more, **fields):
    settings = {"data": f"folder:{photos}", "layers": ",".join(LAYERS), "size": 32, "batch": 4, "shown": 1}
    settings |= {"network.weights": weights, **fields}
    flags = [f"--config.{name}={value}" for name, value in settings.items()]
    config = f"--config={ROOT / 'configs' / 'top_patches.py'}"
    return top_patches.main(["top_patches", config, f"--workdir={workdir}", *flags, *more])


def rows(folder):
    return [json.loads(line) for line in (folder / "units.jsonl").read_text().splitlines()]


def nearest(maxima, unit):
    correlations = np.corrcoef(maxima.T)[unit]
    return [other for other in np.argsort(-correlations) if other != unit and correlations[other] > 0]


def test_copies_of_photos_are_those_of_the_strongest_patches(tiny_weights, photos, tmp_path):
    assert run(tiny_weights, photos, tmp_path / "run", "--config.photos=5", shown=6, top=4) == 0
    found = rows(tmp_path / "run")
    kept = {path.name for path in (tmp_path / "run" / "photos").iterdir()}
    assert len(kept) == 5
    copies = {patch["image"]: patch["photo"] for row in found for patch in row["patches"] if "photo" in patch}
    assert {f"photos/{name}" for name in kept} == set(copies.values())
    firsts = [row["patches"][0]["image"] for row in found]
    assert set(list(dict.fromkeys(firsts))[:5]) <= set(copies)
    for name, file in copies.items():
        copy = np.asarray(Image.open(tmp_path / "run" / file), np.float32)
        whole = np.asarray(Image.open(photos / name), np.float32)
        assert copy.shape == whole.shape
        assert np.abs(copy.mean((0, 1)) - whole.mean((0, 1))).max() < 2


def test_rows_agree_with_the_exported_maxima(tiny_weights, photos, tmp_path):
    assert run(tiny_weights, photos, tmp_path / "run", export=True, top=4) == 0
    made = np.load(tmp_path / "run" / "activations.npz")
    names = made["images"].tolist()
    assert len(names) == 30
    assert made["labels"].tolist() == [name.split("/")[0] for name in names]
    for row in rows(tmp_path / "run"):
        peaks = made[row["layer"]][:, row["unit"]]
        order = np.argsort(-peaks, kind="stable")
        assert [patch["image"] for patch in row["patches"]] == [names[i] for i in order[:4]]
        assert row["labels"] == Counter(made["labels"][order[:4]].tolist())
        shown = row["histogram"]
        np.testing.assert_array_equal(shown["counts"], np.histogram(peaks, shown["edges"])[0])
        assert sum(shown["counts"]) + shown["silent"] == 30
        assert [each["quantile"] for each in row["quantiles"]] == [0.5, 0.75, 0.9, 0.99]
        for each in row["quantiles"]:
            assert each["activation"] == pytest.approx(np.quantile(peaks, each["quantile"]))
            assert each["labels"] == Counter(made["labels"][peaks >= np.float32(each["activation"])].tolist())
            assert len(each["patches"]) == 2
            for patch in each["patches"]:
                assert peaks[names.index(patch["image"])] == np.float32(patch["activation"])
                x0, y0, x1, y1 = patch["box"]
                assert 0 <= x0 < x1 <= 48
                assert 0 <= y0 < y1 <= 40
        assert [each["unit"] for each in row["similar"]] == nearest(made[row["layer"]], row["unit"])
    files = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*")}
    assert {"quantiles/conv1_1.png", "quantiles/conv2_1/0.png"} <= files
    assert "maxima.rows" not in files


def test_an_interrupted_export_resumes_to_the_same_file(tiny_weights, photos, tmp_path, monkeypatch):
    fields = {"export": True, "checkpoint_seconds": 1e-9, "sample": 7, "shuffle": True}
    assert run(tiny_weights, photos, tmp_path / "whole", **fields) == 0
    tally, calls = search.tally, []

    def dying(*arguments):
        calls.append(None)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return tally(*arguments)

    monkeypatch.setattr(search, "tally", dying)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_weights, photos, tmp_path / "run", **fields)
    monkeypatch.setattr(search, "tally", tally)
    (tmp_path / "run" / "maxima.rows").rename(tmp_path / "rows")
    with pytest.raises(UserError, match=r"maxima\.rows: is missing or incomplete"):
        top_patches.main(["top_patches", f"--workdir={tmp_path / 'run'}", "--resume"])
    (tmp_path / "rows").rename(tmp_path / "run" / "maxima.rows")
    assert top_patches.main(["top_patches", f"--workdir={tmp_path / 'run'}", "--resume"]) == 0
    for name in ("units.jsonl", "quantiles/conv2_1.png"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    ours, theirs = (np.load(tmp_path / name / "activations.npz") for name in ("run", "whole"))
    assert ours.files == theirs.files
    for name in ours.files:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert all(len(row["quantiles"][0]["patches"]) == 3 for row in rows(tmp_path / "run"))


def test_quantiles_and_copies_of_photos_can_be_left_out(tiny_weights, photos, tmp_path):
    assert run(tiny_weights, photos, tmp_path / "run", "--config.photos=0", quantiles="()", limit=4) == 0
    for name in ("quantiles", "photos"):
        assert not (tmp_path / "run" / name).exists()
    found = rows(tmp_path / "run")
    assert all(row["quantiles"] == [] for row in found)
    assert not any("photo" in patch for row in found for patch in row["patches"])


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"quantiles": "(0.5,1.5)"}, "quantiles: 1.5 is not between 0 and 1"),
        ({"quantiles": "(0.5,0.5)"}, "quantiles: 0.5, 0.5 contains duplicates"),
        ({"sample": 0}, "sample: 0 is below 1"),
    ],
)
def test_refused(tiny_weights, photos, tmp_path, fields, refusal):
    with pytest.raises(UserError, match=refusal):
        run(tiny_weights, photos, tmp_path / "run", **fields)
    assert not (tmp_path / "run").exists()
