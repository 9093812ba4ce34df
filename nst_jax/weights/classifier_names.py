"""Names of the arrays that do not belong to convolutions: those of the classifier, and of an optimiser."""

import re

BIASES = ("bias", "b", "1", "biases")  # in all families; any other part is a kernel
_PREFIX = r"(?:.*[./])?"
KERAS_PART = r"(?P<part>kernel|bias|W|b|0|1)(?:_1)?(?::0)?"
# Family -> pattern of its names for the fully connected layers of VGG.
_PATTERNS = {
    "canonical": re.compile(_PREFIX + r"(?P<layer>fc[678])\.(?P<part>kernel|bias)"),
    "caffe": re.compile(_PREFIX + r"(?P<layer>fc[678])\.(?P<part>weight)"),
    "torchvision": re.compile(_PREFIX + r"classifier\.(?P<layer>[01346])\.(?P<part>weight|bias)"),
    "timm": re.compile(_PREFIX + r"(?P<layer>pre_logits\.fc[12]|head\.fc)\.(?P<part>weight|bias)"),
    "keras": re.compile(_PREFIX + r"(?P<layer>fc1|fc2|predictions)(?:/vars)?[/_]" + KERAS_PART),
    "keras 3": re.compile(_PREFIX + r"(?P<layer>dense(?:_[12])?)/vars/(?P<part>0|1)"),
    "numpy": re.compile(_PREFIX + r"(?P<layer>fc[678])(?:_|/)(?P<part>W|b|0|1|weights|biases)"),
    "flaxmodels": re.compile(_PREFIX + r"(?P<layer>fc[678])/(?P<part>weight|bias)"),
}
# PyTorch's positions with dropout after the ReLUs, and, as in its early files, before the linear layers.
_LAYERS = {
    **dict.fromkeys(("fc6", "0", "1", "fc1", "dense", "pre_logits.fc1"), "fc6"),
    **dict.fromkeys(("fc7", "3", "4", "fc2", "dense_1", "pre_logits.fc2"), "fc7"),
    **dict.fromkeys(("fc8", "6", "predictions", "dense_2", "head.fc"), "fc8"),
}
_CLASSIFIER = re.compile(
    _PREFIX + r"(?:classifier|pre_logits|head|heads|logits|fc\d*|predictions|dense|num_batches_tracked)"
    r"(?:[./_:]|$)"
)
_OPTIMIZER = re.compile(_PREFIX + r"_?(?:optim|opt_state)")


def classifier_name(stored: str) -> tuple[str, str] | None:
    """(family, canonical name such as "fc6.kernel") of an array of the classifier; None for any other."""
    if belongs_to_optimizer(stored):
        return None
    for family, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(stored):
            part = "bias" if match["part"] in BIASES else "kernel"
            return family, f"{_LAYERS[match['layer']]}.{part}"
    return None


def belongs_to_classifier(stored: str) -> bool:
    """Whether a name is that of a fully connected layer, or of a counter of batches."""
    return _CLASSIFIER.match(stored) is not None


def belongs_to_optimizer(stored: str) -> bool:
    """Whether a name is that of an optimiser's state, which repeats the names of what it optimises."""
    return _OPTIMIZER.match(stored) is not None
