"""Neural style transfer and ConvNet visualization in JAX."""

__version__ = "0.1.0"
