"""Resolve the config field `network.weights` to `Weights`."""

import os
from collections.abc import Sequence

from absl import logging

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES, architecture
from nst_jax.networks.trained import Weights
from nst_jax.weights import cache, checks, embedded, registry
from nst_jax.weights.loading import load
from nst_jax.weights.random import random_weights

SPECIAL_NAMES = ("auto", "random")
_AUTO_TIMEOUT = 4.0  # seconds; short, so that "auto" falls back quickly when offline


def resolve(name: str, arch: str, needed: Sequence[str]) -> Weights:
    """The weights for `name`: "auto", "random", a registered name, or a path.

    They include every convolution up to the last of the `needed` layers. Only "auto" falls back to another
    network.

    Raises:
        UserError: there is no such name or file, the file does not fit `arch`, or the download failed.
    """
    return checks.require(_find(name, arch, needed), needed)


def _find(name: str, arch: str, needed: Sequence[str]) -> Weights:
    if name == "auto":
        return _automatic(arch, needed)
    if name == "random":
        return random_weights(arch)
    if name not in registry.REGISTRY and os.path.lexists(name):
        return load(name, arch)
    if name in ARCHITECTURES and name not in registry.REGISTRY:
        raise UserError(
            f"network.weights: {name!r} is an architecture; set network.arch={name} and network.weights=auto"
        )
    if name not in registry.REGISTRY and (os.path.dirname(name) or os.path.splitext(name)[1]):
        choices = ", ".join((*SPECIAL_NAMES, *registry.REGISTRY))
        raise UserError(f"network.weights: there is no file {name!r};", f" choices: {choices}, or a file")
    entry = registry.lookup(name, SPECIAL_NAMES)
    if entry.arch != arch:
        raise UserError(f"network.weights: {name} requires network.arch={entry.arch}, but it is {arch}")
    return cache.cached(entry) or cache.obtain(entry)


def cached_of(arch: str) -> Weights | None:
    """The network of `arch` that "auto" takes without a download; None if none is in the cache."""
    entries = registry.of_arch(arch)
    if not entries:
        return embedded.slim()
    return next((weights for entry in entries if (weights := cache.cached(entry))), None)


def _automatic(arch: str, needed: Sequence[str]) -> Weights:
    """Weights from the cache, else downloaded, else the embedded network with a warning that says why.

    Raises:
        UserError: the download failed, and the embedded network lacks one of the `needed` layers.
    """
    if weights := cached_of(arch):
        return weights
    try:
        return cache.obtain(registry.of_arch(arch)[0], _AUTO_TIMEOUT)
    except UserError as reason:
        weights = embedded.slim()
        if lacking := [layer for layer in needed if layer not in architecture(weights.arch).names]:
            raise UserError(
                f"network.weights: {reason}; {weights.name}, the network bundled with the package, cannot "
                f"replace it, because it has no layer {lacking[0]}; give a file, or use random"
            ) from reason
        logging.warning("%s; falling back to %s, the network bundled with the package", reason, weights.name)
        return weights
