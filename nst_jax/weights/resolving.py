"""Resolve the config field `network.weights` to `Weights`."""

import os
import time
from collections.abc import Iterator, Sequence

from absl import logging

from nst_jax.errors import UserError
from nst_jax.networks.architectures import ARCHITECTURES, architecture
from nst_jax.networks.trained import Weights
from nst_jax.weights import cache, checks, embedded, registry
from nst_jax.weights.loading import load
from nst_jax.weights.random import random_weights

SPECIAL_NAMES = ("auto", "random")
# Seconds after which "auto" falls back if no source sends anything; ten with what comes before and after.
_AUTO_PATIENCE = 9.0
# On a busy machine, pip gets up to so many times longer: it needs a second of the processor to start.
_MOST_SLOWDOWN = 5.0
_PROBE_SECONDS = 0.02  # of this process's own time


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


def alternatives(arch: str) -> Iterator[Weights]:
    """The networks that "auto" may stand for without a download, the preferred one first.

    The last one is what older runs may have begun with.
    """
    for entry in registry.of_arch(arch):
        if weights := cache.cached(entry):
            yield weights
    yield embedded.slim()
    yield embedded.first_slim()


def cached_of(arch: str) -> Weights | None:
    """The network of `arch` that "auto" takes without a download; None if none is in the cache."""
    return next((weights for weights in alternatives(arch) if weights.arch == arch), None)


def _automatic(arch: str, needed: Sequence[str]) -> Weights:
    """Weights from the cache, else downloaded, else the embedded network, with a warning about each failure.

    Raises:
        UserError: the downloads failed, and the embedded network lacks one of the `needed` layers.
    """
    if weights := cached_of(arch):
        return weights
    weights, failures = _downloaded(arch)
    if weights:
        if failures:
            logging.warning("%s; using %s", failures, weights.name)
        return weights
    weights = embedded.slim()
    if lacking := [layer for layer in needed if layer not in architecture(weights.arch).names]:
        raise UserError(
            f"network.weights: {failures}; {weights.name}, the network bundled with the package, cannot "
            f"replace it, because it has no layer {lacking[0]}; give a file, or use random"
        )
    logging.warning("%s; falling back to %s, the network bundled with the package", failures, weights.name)
    return weights


def _downloaded(arch: str) -> tuple[Weights | None, str]:
    """The first network of `arch` that can be downloaded, and the failures before it."""
    entries = registry.automatic(arch)[: 1 if cache.is_offline() else None]
    failures: list[str] = []
    end = time.monotonic() + _AUTO_PATIENCE
    for tried, entry in enumerate(entries):
        try:
            share = (end - time.monotonic()) / (len(entries) - tried)
            if entry.wheel:
                share *= min(_slowdown(), _MOST_SLOWDOWN)
            return cache.obtain(entry, share), "; ".join(failures)
        except UserError as failure:
            failures.append(str(failure))
    return None, "; ".join(dict.fromkeys(failures)) or f"no network of {arch} is registered"


def _slowdown() -> float:
    """How many times longer than alone this process takes, because others use the processors."""
    began, used = time.perf_counter(), time.thread_time()
    while time.thread_time() - used < _PROBE_SECONDS:
        pass
    return (time.perf_counter() - began) / _PROBE_SECONDS
