"""VGG as a Flax NNX module."""

from nst_jax.networks.convnet import ConvNet, preprocess

__all__ = ["VGG", "preprocess"]


class VGG(ConvNet):
    """The convolutional part of VGG-16, VGG-19 or a narrower network with the same topology.

    `convB_I` is the activation *after* the ReLU, and `poolB` the output of a pooling. Simonyan & Zisserman
    2015.
    """
