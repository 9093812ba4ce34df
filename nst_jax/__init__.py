"""Neural style transfer, and the seeing of what ConvNets see, in JAX."""

__version__ = "0.1.0"
