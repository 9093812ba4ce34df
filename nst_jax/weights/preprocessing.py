"""Which preprocessing a network expects: stated beside the file, recognised, or guessed with a warning."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from nst_jax.errors import one_line
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import (
    OXFORD,
    PREPROCESSINGS,
    TORCHVISION,
    Preprocessing,
    reversed_channels,
)
from nst_jax.storage.json_files import read_json
from nst_jax.weights.checks import require_sound
from nst_jax.weights.oxford import FIRST_BIASES, FIRST_FILTER

# Of published networks, numbers of the first layer: kernel[0, :, :, 0], or its start, and bias[:5] or none.
_KNOWN: tuple[tuple[Preprocessing, tuple[tuple[float, float, float], ...], tuple[float, ...]], ...] = (
    *((OXFORD, (FIRST_FILTER[arch],), FIRST_BIASES[arch]) for arch in FIRST_FILTER),
    # torchvision's VGG-19 and VGG-16
    (
        TORCHVISION,
        (
            (-0.053474, 0.017015, -0.044885),
            (-0.049257, 0.055403, 0.01268),
            (-0.067942, -0.0062293, -0.014497),
        ),
        (),
    ),
    (
        TORCHVISION,
        ((-0.5537, 0.1755, 0.3130), (0.1427, 0.0099, -0.1659), (0.5290, -0.0814, -0.4275)),
        (0.4034, 0.3778, 0.4644, -0.3228, 0.3940),
    ),
)
# Wide enough for a file that was rounded to bfloat16 or to 8 bits.
_ROUNDED = 5e-3
# Of the numbers' own size: fine-tuning moves them by a few hundredths, another network's are at 1 and more.
_FINE_TUNED = 0.25
_LONGEST_NAME = 60  # characters, so that the advice of the warning fits into its line
# Families whose names were given by somebody who also trained or converted the network.
_TORCHVISION_FAMILIES = ("torchvision", "sequential", "flaxmodels")
# A filter of Oxford's conv1_1 has a norm of 0.9, and one rescaled to torchvision's inputs a norm of 49.
_LARGEST_NORM = 16.0


def detect(
    file: Path, arch: str, arrays: Mapping[str, np.ndarray], family: str, usual: Preprocessing | None
) -> Preprocessing:
    """The preprocessing for `arrays`, in the order of certainty; a guess is a warning.

    `family` is that of the names in the file, `usual` the preprocessing of most files of its format.
    """
    known, distance = _closest(arrays)
    if known and distance <= _ROUNDED:
        return known
    if stated := stated_beside(file):
        return stated
    if known:
        return _guessed(file, known, "its first filters are close to those of the published network")
    if family in _TORCHVISION_FAMILIES:
        preprocessing, why = TORCHVISION, "its arrays have torchvision's names"
    else:
        preprocessing = usual or PREPROCESSINGS[architecture(arch).preprocessing]
        why = f"it is the usual one for {arch}"
    if preprocessing.scale > 1 and _expects_small_inputs(arch, arrays):
        preprocessing, why = TORCHVISION, "its first filters are too large for inputs of 0..255"
    return _guessed(file, preprocessing, why)


def _closest(arrays: Mapping[str, np.ndarray]) -> tuple[Preprocessing | None, float]:
    """The preprocessing of the known network that the first layer is closest to, if it is one of them or
    fine-tuned from it; and how far its numbers are from that network's at most."""
    nearest: Preprocessing | None = None
    nearness, largest = _FINE_TUNED, np.inf
    kernel, bias = (arrays.get(f"conv1_1.{part}", np.zeros(0)) for part in ("kernel", "bias"))
    if kernel.shape != (3, 3, 3, bias.size) or bias.size < max(len(biases) for *_, biases in _KNOWN):
        return None, largest
    for known, first_filter, biases in _KNOWN:
        stored = np.append(kernel[0, : len(first_filter), :, 0], bias[: len(biases)])
        for step, preprocessing in ((1, known), (-1, reversed_channels(known))):
            difference = stored - np.append(np.array(first_filter)[:, ::step], biases)
            # Relative to the known network's own numbers.
            distance = float(np.linalg.norm(difference) / np.linalg.norm(stored - difference))
            if distance < nearness:
                nearest, nearness, largest = preprocessing, distance, np.abs(difference).max()
    return nearest, float(largest)


def _expects_small_inputs(arch: str, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the first layer's responses to pixels of 0..255 would be far above any trained network's."""
    first = architecture(arch).filters[0]
    if f"{first}.kernel" not in arrays:
        return False
    norms = np.linalg.norm(arrays[f"{first}.kernel"].reshape(-1, arrays[f"{first}.kernel"].shape[-1]), axis=0)
    return bool(np.median(norms) > _LARGEST_NORM)


def _guessed(file: Path, preprocessing: Preprocessing, why: str) -> Preprocessing:
    name = next((name for name, each in PREPROCESSINGS.items() if each == preprocessing), "its own")
    logging.warning(
        "%s does not state its preprocessing; assuming %s (%s, 0..%g), because %s; if colours look wrong, "
        "`python -m nst_jax.weights convert --preprocessing=...` sets it",
        *(one_line(file.name, _LONGEST_NAME), name, preprocessing.channels.upper(), preprocessing.scale, why),
    )
    return preprocessing


def stated_beside(file: Path) -> Preprocessing | None:
    """What a JSON file beside `file` states, if there is one; an invalid one is ignored with a warning."""
    for name, parse in _FILES.items():
        path = (file if file.is_dir() else file.parent) / name
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused
                preprocessing = parse(read_json(path)) if path.is_file() else None
            if preprocessing:
                return _named(require_sound(str(path), preprocessing))
        except (OSError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            logging.warning("%s is ignored: it states no valid preprocessing (%s)", path, error)
    return None


def _keras_hub(values: dict[str, Any]) -> Preprocessing | None:
    """KerasHub: x * scale + offset, for RGB in 0..255."""
    config = values["config"]
    if config.get("scale") is None:
        return None
    scale, offset = _triple(config["scale"]), _triple(config.get("offset") or 0.0)
    return _rgb(-offset / scale / 255, 1 / scale / 255)


def _transformers(values: dict[str, Any]) -> Preprocessing | None:
    """Transformers: (x * rescale_factor - image_mean) / image_std, for RGB in 0..255, or BGR if flipped."""
    if "image_mean" not in values or not values.get("do_normalize", True):
        return None
    factor = float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0
    mean, std = _triple(values["image_mean"]), _triple(values["image_std"])
    channels = "bgr" if values.get("do_flip_channel_order") else "rgb"
    return Preprocessing(channels, 255 * factor, _floats(mean), _floats(std))


def _timm(values: dict[str, Any]) -> Preprocessing | None:
    """timm: (x - mean) / std, for RGB in [0,1]."""
    config = values.get("pretrained_cfg", values)
    return _rgb(_triple(config["mean"]), _triple(config["std"])) if "mean" in config else None


_FILES: dict[str, Callable[[dict[str, Any]], Preprocessing | None]] = {
    "image_converter.json": _keras_hub,
    "preprocessor_config.json": _transformers,
    "config.json": _timm,
}


def _rgb(mean: np.ndarray, std: np.ndarray) -> Preprocessing:
    return Preprocessing("rgb", 1.0, _floats(mean), _floats(std))


def _triple(value: Any) -> np.ndarray:
    """Three numbers, one per channel; a single one stands for all."""
    return np.broadcast_to(np.asarray(value, np.float64), 3)


def _floats(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third


def _named(preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing with a name that this one equals except for rounding, else this one."""

    def numbers(each: Preprocessing) -> np.ndarray:
        return np.array([*each.mean, *each.std]) / each.scale

    for known in PREPROCESSINGS.values():
        same_order = known.channels == preprocessing.channels
        if same_order and np.allclose(numbers(known), numbers(preprocessing), rtol=1e-4, atol=1e-5):
            return known
    return preprocessing
