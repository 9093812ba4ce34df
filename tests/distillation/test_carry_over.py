"""Weights of losses carry over: the same config ends alike with slim and with VGG-19, judged by VGG-19."""

import numpy as np
import pytest

import nst_jax
from nst_jax import images
from nst_jax.networks.vgg import VGG
from nst_jax.sweeps import neutral
from nst_jax.weights import load

# Photos and paintings that nothing was tuned on.
PAIRS = (
    ("content/hoovertowernight.jpg", "style/the_scream.jpg"),
    ("content/sailboat.jpg", "style/tahiti_guaguin.jpg"),
    ("content/flowers.jpg", "style/mondrian.jpg"),
    ("content/taj_mahal.jpg", "style/delaunay_portrait_1906.jpg"),
    ("content/cornell.jpg", "style/contrast_of_forms.jpg"),
    ("control/skyline.jpg", "style/vg_self.jpg"),
)
SHAPE = (96, 128)  # one for all, so that each network compiles one program


def to_array(path):
    return np.clip(images.resize(images.read(str(path)), *SHAPE)[0], 0, 1)


@pytest.mark.slow
def test_the_papers_ratio_gives_like_pictures_with_slim_and_with_vgg19(reference):
    weights = reference / "weights" / "vgg19_8bit.bin"
    judge = VGG(load(weights, "vgg19"))
    settings = {"size": SHAPE[1], "init": "content", "optimizer__steps": 150, "content_weight": 1e-3}
    networks = {
        "slim": {"network__arch": "slim"},
        "vgg19": {"network__arch": "vgg19", "network__weights": str(weights)},
    }
    scores = {name: [] for name in networks}
    for name, fields in networks.items():
        session = nst_jax.Session("gatys", **settings, **fields)
        for pair in PAIRS:
            content, style = (to_array(reference / "images" / path) for path in pair)
            result = np.asarray(session.stylize(content, style).image, np.float32)[np.newaxis] / 255
            shares = neutral.style_shares(judge, result, content[np.newaxis], style[np.newaxis])
            distance = neutral.content_distance(judge, result, content[np.newaxis])
            scores[name].append((distance, shares["gram"], shares["sliced"]))
    content, gram, sliced = np.mean(scores["slim"], axis=0) / np.mean(scores["vgg19"], axis=0)
    assert content == pytest.approx(1, abs=0.15)
    assert gram < 2
    assert sliced < 2
