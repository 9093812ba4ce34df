"""The teacher: VGG-19, assembled from one or more weight files."""

from collections.abc import Sequence

from nst_jax.errors import UserError
from nst_jax.networks.trained import Weights, make_weights
from nst_jax.weights import load
from nst_jax.weights.checks import require

# Layers at which the student is compared with the teacher.
LAYERS = (
    *("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2"),
    *("conv4_1", "conv4_2", "conv5_1"),
)


def read_teacher(paths: Sequence[str]) -> Weights:
    """Read VGG-19 up to conv5_1; the layers in later files replace those of earlier ones.

    So a file of rounded filters can be combined with the original filters of the first layers.

    Raises:
        UserError: a file cannot be read, a layer is in none of them, or their preprocessings differ.
    """
    parts = [load(path, "vgg19") for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if part.preprocessing != parts[0].preprocessing:
            raise UserError(f"teacher: {path} has another preprocessing than {paths[0]}")
    arrays = {name: array for part in parts for name, array in part.arrays.items()}
    whole = make_weights(" + ".join(part.name for part in parts), "vgg19", arrays, parts[0].preprocessing)
    return require(whole, LAYERS)
