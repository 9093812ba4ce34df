"""Architectures by name. To add a network, describe it in a file of its own and list it here."""

from nst_jax.errors import unknown
from nst_jax.networks.layers import INPUT_CHANNELS, Architecture, Filters, Head, Layer, blocks, up_to
from nst_jax.networks.resnet import RESNET18
from nst_jax.networks.squeezenet import SQUEEZENET1_0, SQUEEZENET1_1
from nst_jax.networks.vgg_layers import SLIM, VGG16, VGG19

__all__ = [
    "ARCHITECTURES",
    "INPUT_CHANNELS",
    "Architecture",
    "Filters",
    "Head",
    "Layer",
    "architecture",
    "blocks",
    "up_to",
]

ARCHITECTURES = {entry.name: entry for entry in (VGG19, VGG16, SLIM, SQUEEZENET1_0, SQUEEZENET1_1, RESNET18)}


def architecture(name: str) -> Architecture:
    """The architecture called `name`.

    Raises:
        UserError: there is no such architecture.
    """
    if name not in ARCHITECTURES:
        raise unknown("network.arch", name, ARCHITECTURES)
    return ARCHITECTURES[name]
