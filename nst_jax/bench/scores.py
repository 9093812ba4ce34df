"""Scores of finished pictures, all made by one network at one size, so that recipes can be compared."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.ndimage import distance_transform_edt
from skimage.feature import canny
from skimage.metrics import structural_similarity

from nst_jax import images
from nst_jax.bench.lpips import Lpips
from nst_jax.config import Config
from nst_jax.images.color import LUMA
from nst_jax.networks.network import Network
from nst_jax.networks.trained import TORCHVISION, Weights
from nst_jax.sweeps import neutral
from nst_jax.sweeps.judging import CONTENT_LAYER, relative_distance
from nst_jax.transfer.pictures import Pictures

HIGHER_IS_BETTER = ("ssim", "edges")  # of all other scores, lower is better
SIMILARITY_LAYER = "conv3_1"
ROWS = 512  # of a similarity matrix that are in memory at a time
EDGE_WIDTH = 2.0  # pixels, the deviation of the Gaussian before gradients
EDGE_QUANTILES = (0.8, 0.9)  # of gradients: where an edge may go on, and where it may begin
EDGE_TOLERANCE = 2.0  # pixels between two edges that count as the same

Picture = Float[np.ndarray, "1 h w 3"]


class Judge:
    """Scores results by one network; each content and style is measured once as long as runs share it."""

    def __init__(
        self,
        network: Network,
        weights: Weights,
        style_layers: Sequence[str],
        inputs: Pictures,
        lpips: Lpips | None = None,
    ):
        """Compare styles at `style_layers`; contents and styles are read from `inputs`."""
        self.network, self.lpips = network, lpips
        self.unit = activation_unit(weights)
        known = network.layers
        self.layers = tuple(layer for layer in (SIMILARITY_LAYER, CONTENT_LAYER) if layer in known)
        style_layers = tuple(layer for layer in style_layers if layer in known)
        self.photo = functools.lru_cache(2)(
            lambda name: images.fit(inputs.fitted(name, neutral.SIZE).pixels, neutral.SIZE)
        )
        self.style = functools.lru_cache(2)(
            lambda name: neutral.StyleReference(
                network, inputs.fitted(name, neutral.SIZE).pixels, style_layers
            )
        )
        self.of_photo = functools.lru_cache(2)(
            lambda content, style: self.style(style).distances(self.photo(content))
        )

    def __call__(self, config: Config, picture: Picture) -> dict[str, float]:
        """Return the scores of a result of `config`, see the functions below and `neutral.style_shares`.

        `gram`, `sliced`, `palette`: distances to the style as shares of the photo's own. `content_distance`:
        squared distance to the photo at conv4_2, relative to the photo's square. `cfsd`:
        `self_similarity_divergence` at conv3_1. `lpips`: distance to the photo, if its network was given.
        `ssim`, `edges`: of luminance. What needs a layer that the network lacks is left out.
        """
        photo = self.photo(config.content)
        resized = images.resize(picture, *photo.shape[1:3])
        found = self.style(config.style).distances(resized)
        style = neutral.shares(found, self.of_photo(config.content, config.style))
        F, P = (_activations(self.network, jnp.asarray(image), self.layers) for image in (resized, photo))
        scores = {}
        if CONTENT_LAYER in self.layers:
            scores["content_distance"] = relative_distance(F[CONTENT_LAYER], P[CONTENT_LAYER]) ** 2
        if SIMILARITY_LAYER in self.layers:
            maps = F[SIMILARITY_LAYER] / self.unit, P[SIMILARITY_LAYER] / self.unit
            scores["cfsd"] = float(self_similarity_divergence(*maps))
        if self.lpips:
            scores["lpips"] = self.lpips(resized, photo)
        gray = resized[0] @ np.float32(LUMA), photo[0] @ np.float32(LUMA)
        return style | scores | {"ssim": luminance_similarity(*gray), "edges": edge_overlap(*gray)}


def activation_unit(weights: Weights) -> float:
    """Return the ratio of a network's activations to those of torchvision's networks, from its input's scale.

    Oxford's networks see pixels of 0 to 255 and torchvision's see [0, 1] divided by about 0.226.
    """
    contrasts = [p.scale / float(np.mean(p.std)) for p in (weights.preprocessing, TORCHVISION)]
    return contrasts[0] / contrasts[1]


@jax.jit
def self_similarity_divergence(F: Float[Array, "1 h w n"], P: Float[Array, "1 h w n"]) -> Float[Array, ""]:
    """Return how much the similarities of positions differ from the photo's, known as CFSD; 0 if equal.

    The rows of F and P are divided by n; D = sum_i KL(softmax_j(P_i . P_j) || softmax_j(F_i . F_j)), where F
    is the result's activation and P the photo's. As in the evaluation of StyleID (Chung, Hyun & Heo, CVPR
    2024), the sum is not divided by the number of positions, so that it grows with the size. Their network is
    torchvision's VGG-19: values by another one have another scale.
    """
    rows_f, rows_p = (X.reshape(-1, X.shape[-1]) / X.shape[-1] for X in (F, P))

    def divergence(pair: tuple[Array, Array]) -> Array:
        log_f, log_p = (
            jax.nn.log_softmax(rows @ one) for rows, one in zip((rows_f, rows_p), pair, strict=True)
        )
        return jnp.sum(jnp.exp(log_p) * (log_p - log_f))

    return jnp.sum(jax.lax.map(divergence, (rows_f, rows_p), batch_size=ROWS))


def luminance_similarity(gray: Float[np.ndarray, "h w"], other: Float[np.ndarray, "h w"]) -> float:
    """Return the structural similarity of Wang et al. 2004 with their Gaussian window; 1 if equal."""
    return float(
        structural_similarity(
            gray, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
        )
    )


def edge_overlap(gray: Float[np.ndarray, "h w"], other: Float[np.ndarray, "h w"]) -> float:
    """Return the F1 score of the edges in `gray` against those in `other`; 1 if they are at the same places.

    Edges are those of Canny 1986, with thresholds at quantiles, so that contrast does not count. An edge
    pixel is matched by one of the other picture within `EDGE_TOLERANCE`, as in the benchmark of Martin et al.
    2004, but several may be matched by the same one.
    """
    found, expected = edges(gray), edges(other)
    if not (found.any() and expected.any()):
        return float(found.any() == expected.any())
    precision, recall = matched_share(found, expected), matched_share(expected, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def edges(gray: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return where the edges of a picture are."""
    low, high = EDGE_QUANTILES
    return canny(gray, EDGE_WIDTH, low_threshold=low, high_threshold=high, use_quantiles=True)


def matched_share(found: Bool[np.ndarray, "h w"], expected: Bool[np.ndarray, "h w"]) -> float:
    """Return the share of `found` pixels that are near one of `expected`."""
    return float(np.mean(distance_transform_edt(~expected)[found] <= EDGE_TOLERANCE))


@functools.partial(jax.jit, static_argnums=2)
def _activations(network: Network, image: Array, layers: tuple[str, ...]) -> dict[str, Array]:
    return network(image, layers)
