"""What the pictures show of concepts: patches, the places where they are, and pictures made for them."""

from collections import defaultdict
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nst_jax.images.streams import Frame, Stream
from nst_jax.networks import receptive
from nst_jax.networks.layers import Layer
from nst_jax.networks.network import Network
from nst_jax.optimizers import compiler
from nst_jax.vision.concepts.concept_search import Survey
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.concepts.nmf import weights_of
from nst_jax.vision.maximizing.response_painter import ResponsePainter, UnitPictures
from nst_jax.vision.searching.patches_sheet import cut, patch_side
from nst_jax.vision.searching.top_patches import Patch, patches_of

DIMMED = 0.3  # brightness of a picture where a concept is absent


class Shown(NamedTuple):
    """A patch of a concept, and the whole picture, bright where the concept is."""

    patch: Patch
    frame: Frame
    box: tuple[int, int, int, int]  # the receptive field, in pixels of the network's input
    cut: Float[np.ndarray, "side side 3"]
    lit: Float[np.ndarray, "1 s s 3"]


def show_patches(
    network: Network, stream: Stream, settings: ConceptSettings, found: Survey
) -> list[list[Shown]]:
    """Return the patches of each concept, strongest first; every picture is read once.

    Raises:
        UserError: a picture of the search is missing.
    """
    patches = [patches_of(found.lists, concept) for concept in range(settings.concepts)]
    of_image: dict[int, list[tuple[int, Patch]]] = defaultdict(list)  # with the number of the concept
    for concept, its in enumerate(patches):
        for patch in its:
            of_image[patch.image].append((concept, patch))
    shown: dict[tuple[int, int], Shown] = {}
    geometry = network.geometry
    # Where the receptive field exceeds the picture, a patch shows no more than the picture's size.
    side = min(patch_side(network, settings.layer), settings.size)
    for pixels, frame in stream.inputs(sorted(of_image)):
        picture = pixels.astype(np.float32) / 255
        U = np.asarray(weights_in(network, pixels[None], found.directions, layer=settings.layer))[0]
        for concept, patch in of_image[frame.index]:
            box = receptive.box(geometry, settings.layer, patch.row, patch.column, *picture.shape[:2])
            lit = lit_by(picture, U[..., concept], geometry, settings.layer)
            shown[concept, frame.index] = Shown(patch, frame, box, cut(picture, box, side), lit[None])
    return [[shown[concept, patch.image] for patch in its] for concept, its in enumerate(patches)]


@compiler.jit_at_first_call(static_argnames="layer")
def weights_in(
    network: Network, pixels: Array, W: Float[Array, "concepts channels"], layer: str
) -> Float[Array, "b h w concepts"]:
    """Return how much of each concept is at each position of pictures."""
    return weights_of(network(jnp.asarray(pixels, jnp.float32) / 255, (layer,))[layer], W)


def lit_by(
    picture: Float[np.ndarray, "s s 3"],
    weights: Float[np.ndarray, "h w"],
    geometry: tuple[Layer, ...],
    layer: str,
) -> Float[np.ndarray, "s s 3"]:
    """Dim a picture where `weights` are below their maximum.

    Between the centres of receptive fields, weights are interpolated.
    """
    first, stride = receptive.centre(geometry, layer), receptive.stride(geometry, layer)
    rows, columns = (
        np.stack(
            [
                np.interp(np.arange(pixels) + 0.5, first + stride * np.arange(count), at)
                for at in np.eye(count)
            ]
        )
        for pixels, count in zip(picture.shape[:2], weights.shape, strict=True)
    )
    relative = weights / max(weights.max(), np.finfo(np.float32).tiny)
    # Half the maximum would look like almost nothing: eyes see ratios.
    light = DIMMED + (1 - DIMMED) * (rows.T @ np.sqrt(relative) @ columns)
    return (picture * light[..., None]).astype(np.float32)


def paint_directions(
    network: Network, settings: ConceptSettings, directions: Float[np.ndarray, "concepts channels"]
) -> list[UnitPictures]:
    """Maximise a picture for each direction.

    Raises:
        UserError: the pictures do not fit into memory, or the loss became non-finite.
    """
    painter = ResponsePainter(network, settings.maximizing)
    return [painter.paint(np.asarray(direction)) for direction in directions]
