"""Names of classes: those of ImageNet, or the lines of a text file."""

from importlib import resources
from pathlib import Path

from nst_jax.errors import UserError

AUTO, IMAGENET = "auto", "imagenet"  # values of the config field `labels`, besides a path
IMAGENET_CLASSES = 1000


def class_names(labels: str, classes: int) -> tuple[str, ...]:
    """The names of `classes` classes, in order.

    `labels` is a text file with one name per line; 'imagenet' for the classes of ILSVRC 2012 in the order of
    their synsets, as in the published classifiers; or 'auto' for these if there are 1000 classes, else
    numbers.

    Raises:
        UserError: the file cannot be read, or has another number of names.
    """
    if labels == AUTO:
        labels = IMAGENET if classes == IMAGENET_CLASSES else ""
    if not labels:
        return tuple(f"class {number}" for number in range(classes))
    # Editors end files with an empty line.
    names = tuple(line.strip() for line in _text(labels).splitlines() if line.strip())
    if len(names) != classes:
        raise UserError(
            f"labels: {labels} has {len(names)} names, but the classifier has {classes} classes; give a text "
            f"file with {classes} lines, or auto"
        )
    return names


def _text(labels: str) -> str:
    if labels == IMAGENET:
        return (resources.files("nst_jax.vision") / "imagenet_classes.txt").read_text(encoding="utf-8")
    try:
        return Path(labels).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"labels: cannot read {labels}: {why}; choices: {AUTO}, {IMAGENET}, a text file"
        ) from error
