"""Typed, validated settings; no other package handles a ConfigDict."""

from nst_jax.config.optimization import OptimizerConfig
from nst_jax.config.schema import Config, NetworkConfig, flat, from_dict, to_dict

__all__ = ["Config", "NetworkConfig", "OptimizerConfig", "flat", "from_dict", "to_dict"]
