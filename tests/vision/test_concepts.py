"""Concepts: the sample of positions, shares, maps and importance, and the command as a user meets it."""

import json
import signal
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nst_jax
from nst_jax import UserError, images
from nst_jax.config import NetworkConfig
from nst_jax.experiments import concepts as command
from nst_jax.images.streams import Stream
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.vgg import VGG
from nst_jax.vision.concepts.concept_pictures import DIMMED, lit_by, paint_directions
from nst_jax.vision.concepts.concept_search import ConceptPass, ConceptProgress, directions_of, find_concepts
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.concepts.nmf import weights_of
from nst_jax.vision.concepts.position_sample import PositionSample, draw, nothing_drawn
from tests.command import assert_refused, call, pixels
from tests.conftest import formula_image, formula_weights

MODULE = "nst_jax.experiments.concepts"
LAYER, SIZE, CHANNELS = "conv2_1", 32, 6
BROKEN = 6  # the place of the file that is no picture


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(11):
        images.write(folder / f"{number:02d}.png", np.asarray(formula_image(40, 36 + number, 0.7 * number)))
    (folder / "05b.png").write_bytes(b"not a picture")
    return folder


def flags(weights: Path, photos: Path, folder: Path, **fields: object) -> list[str]:
    settings = {
        "data": f"folder:{photos}",
        "layer": LAYER,
        "concepts": 3,
        "positions": 300,
        "top": 4,
        "size": SIZE,
        "batch": 4,
        "steps": 0,
        "network.weights": weights,
        **{name.replace("__", "."): value for name, value in fields.items()},
    }
    given = [f"--config.{name}={value}" for name, value in settings.items()]
    return ["--config=concepts", f"--workdir={folder}", *given]


def to_the_end(stream: Stream, running: ConceptPass) -> tuple[ConceptProgress, int]:
    for _ in running.positions(len(stream)):
        pass
    return running.now(), 0


def sampled(photos: Path, batch: int, positions: int):
    network, stream = VGG(formula_weights()), Stream(f"folder:{photos}", SIZE)
    step = partial(draw, network, key=jax.random.key(3), layer=LAYER)
    empty = ConceptProgress(nothing_drawn(network, LAYER, SIZE, positions), 0, 0, 0.0, ())
    return to_the_end(stream, ConceptPass(stream, batch, step, empty))[0].state


def test_a_sample_depends_on_the_seed_alone_and_holds_each_position_once(photos):
    small, other = sampled(photos, 4, 100), sampled(photos, 11, 100)
    np.testing.assert_array_equal(small.ticket, other.ticket)
    np.testing.assert_allclose(small.activation, other.activation, rtol=1e-5, atol=1e-5)
    everything = sampled(photos, 4, 4000)
    network, stream = VGG(formula_weights()), Stream(f"folder:{photos}", SIZE)
    see = jax.jit(lambda pixels: network(pixels[None] / np.float32(255), (LAYER,))[LAYER])
    readable = [index for index in range(12) if index != BROKEN]
    whole = np.concatenate([see(p).reshape(-1, CHANNELS) for p, _ in stream.inputs(readable)])
    assert (everything.ticket >= 0).sum() == len(whole) == 11 * 16 * 16
    found = np.asarray(everything.activation)[: len(whole)]
    assert not np.asarray(everything.activation)[len(whole) :].any()
    np.testing.assert_allclose(found.sum(0), whole.sum(0), rtol=1e-4)
    np.testing.assert_allclose(np.sort(found[:, 0]), np.sort(whole[:, 0]), rtol=1e-4, atol=1e-4)


def test_shares_and_patches_are_those_of_all_positions(photos):
    network, stream = VGG(formula_weights()), Stream(f"folder:{photos}", SIZE)
    settings = ConceptSettings(layer=LAYER, concepts=3, positions=300, size=SIZE, batch=4, top=4)
    progress, _ = find_concepts(network, stream, settings, partial(to_the_end, stream))
    found = progress.state
    pictures = {
        frame.index: p for p, frame in stream.inputs([index for index in range(12) if index != BROKEN])
    }
    inputs = np.stack(list(pictures.values())) / np.float32(255)
    F = jax.jit(lambda inputs: network(inputs, (LAYER,))[LAYER])(inputs)
    U = jax.jit(weights_of)(F, jnp.asarray(found.directions))
    left = jnp.square(F - U @ found.directions).sum()
    np.testing.assert_allclose(found.energy, jnp.square(F).sum(), rtol=1e-4)
    np.testing.assert_allclose(found.shares.sum(), 1 - left / found.energy, rtol=1e-3)
    assert progress.images == 11
    assert len(progress.skipped) == 1
    assert "05b.png" in progress.skipped[0]
    strongest = np.asarray(U.max((1, 2))).T  # "concepts images"
    order = np.argsort(-strongest, axis=1)[:, :4]
    np.testing.assert_array_equal(np.array(list(pictures))[order], found.lists.image)
    np.testing.assert_allclose(
        np.take_along_axis(strongest, order, 1), found.lists.activation, rtol=1e-3, atol=1e-3
    )


def test_a_picture_is_bright_at_the_centre_of_the_receptive_field():
    layers, weights = architecture("squeezenet1_0").layers, np.zeros((13, 13), np.float32)
    weights[4, 9] = 7
    lit = lit_by(np.ones((227, 227, 3), np.float32), weights, layers, "fire5")
    x0, y0, x1, y1 = receptive.box(layers, "fire5", 4, 9, 227, 227)
    row, column = np.unravel_index(lit[..., 0].argmax(), lit.shape[:2])
    assert abs(row + 0.5 - (y0 + y1) / 2) <= 0.5
    assert abs(column + 0.5 - (x0 + x1) / 2) <= 0.5
    assert lit.max() <= 1
    assert lit[0, 0, 0] == pytest.approx(DIMMED)


def test_the_command_resumes_with_the_same_bits(tiny_weights, photos, tmp_path, monkeypatch):
    base = partial(flags, tiny_weights, photos)
    assert command.main(["", *base(tmp_path / "whole")]) == 0
    folder, steps = tmp_path / "parts", []
    whole_positions = ConceptPass.positions

    def interrupted(self, end):
        for position in whole_positions(self, end):
            yield position
            steps.append(position)
            if len(steps) in (1, 4):  # in the first pass, and in the second
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ConceptPass, "positions", interrupted)
    for given in (base(folder), [f"--workdir={folder}", "--resume"]):
        assert command.main(["", *given]) == 130
        assert not (folder / "sheet.png").exists()
    assert command.main(["", f"--workdir={folder}", "--resume"]) == 0
    for name in ("concepts.json", "concepts.npz", "sheet.png", "maps.png"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not (folder / "checkpoint.safetensors").exists()
    changed = call(*base(folder, concepts=4), "--resume", module=MODULE)
    assert_refused(changed, "--resume: concepts is 4 now but was 3")


def test_pictures_are_made_for_directions():
    settings = ConceptSettings(layer=LAYER, concepts=2, positions=3, size=SIZE, picture=SIZE, steps=30)
    W = np.eye(CHANNELS, dtype=np.float32)[[1, 4]]
    painted = paint_directions(VGG(formula_weights()), settings, W)
    assert [each.pictures.shape for each in painted] == [(1, SIZE, SIZE, 3)] * 2
    assert all(each.reached > each.start for each in painted)
    assert (painted[0].pictures != painted[1].pictures).any()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"concepts": 7}, ["concepts: 7 are more than the 6 channels of conv2_1"]),
        ({"layer": "conv9_9"}, ["layer: unknown 'conv9_9'"]),
        ({"layer": "conv2_1:pre"}, ["layer: unknown 'conv2_1:pre'"]),
        ({"target": "class:3"}, ["classifier"]),
        ({"target": "conv3_1:3"}, ["target: 'conv3_1:3' is not a class"]),
        ({"designs": 24}, ["designs: 24 is not a power of 2"]),
    ],
)
def test_refused(tiny_weights, photos, tmp_path, fields, words):
    given = flags(tiny_weights, photos, tmp_path / "run", **fields)
    assert_refused(call(*given, module=MODULE), *words)
    assert not (tmp_path / "run" / "config.json").exists()


def test_what_a_classifier_cannot_be_asked_is_refused(photos, tmp_path):
    for fields, words in (
        (
            {"layer": "fire9", "size": 227, "limit": 1, "concepts": 200},
            "more than the 169 positions of fire9",
        ),
        ({"layer": "conv10"}, "layer: conv10 has the scores of classes"),
        ({"layer": "fire2", "size": 64, "target": "class:1000"}, "target: no class 1000; choices: 0 to"),
    ):
        given = flags("random", photos, tmp_path / "run", **fields)
        given[0] = "--config=concepts:squeezenet"
        assert_refused(call(*given, module=MODULE), words)


def test_layers_that_see_more_than_a_training_picture_are_accepted():
    network = NetworkConfig("resnet18", pool="max")
    assert receptive.field_side(architecture("resnet18").layers, "block5_2") > 224
    assert ConceptSettings(layer="block5_2", size=224, network=network).size == 224
    with pytest.raises(UserError, match="size: 223 is less than the receptive field of block5_2"):
        ConceptSettings(layer="block5_2", size=223, network=network)
    with pytest.raises(UserError, match="picture: 16 pixels are too few for pool5"):
        ConceptSettings(layer="pool5", picture=16)


def test_activations_that_have_no_concepts_are_refused():
    settings = ConceptSettings(concepts=2, positions=3)
    cases = {
        "2 are more than the 1 positions": ([5, -1, -1], np.ones((3, 4))),
        "is 0 everywhere": ([5, 4, 3], np.zeros((3, 4))),
        "has negative activations": ([5, 4, 3], -np.eye(3, 4)),
    }
    for words, (tickets, activations) in cases.items():
        sample = PositionSample(jnp.array(tickets), jnp.asarray(activations, jnp.float32))
        with pytest.raises(UserError, match=words):
            directions_of(sample, settings)


def test_python_gives_what_the_command_gives(tiny_weights, photos, tmp_path):
    assert command.main(["", *flags(tiny_weights, photos, tmp_path)]) == 0
    fields = {"concepts": 3, "positions": 300, "top": 4, "size": SIZE, "batch": 4, "steps": 0}
    found = nst_jax.concepts(LAYER, f"folder:{photos}", network__weights=str(tiny_weights), **fields)
    np.testing.assert_array_equal(np.asarray(found.sheet), pixels(tmp_path / "sheet.png"))
    with np.load(tmp_path / "concepts.npz") as arrays:
        np.testing.assert_array_equal(found.directions, arrays["directions"])
    assert found.record == json.loads((tmp_path / "concepts.json").read_text())
    assert repr(found).startswith("Concepts(3 of conv2_1, ")
