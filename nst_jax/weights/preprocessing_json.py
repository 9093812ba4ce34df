"""The preprocessing as model hubs store it, in a JSON file in the folder of the weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from nst_jax.networks.trained import PREPROCESSINGS, Preprocessing
from nst_jax.storage.json_files import read_json
from nst_jax.weights.checks import require_sound


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
