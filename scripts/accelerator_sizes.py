"""What scripts/accelerator_check.py runs, at the sizes of an accelerator or of a CPU."""

from typing import Any

MINUTES = {"accelerator": 8.0, "cpu": 4.0}
SECTIONS = ("equality", "steps", "resume", "sweep", "largest", "benchmark")  # the most important ones first
NETWORKS = (("slim", "auto"), ("vgg19", "random"))
ACCELERATOR = {
    "name": "accelerator",
    # Of the time that each section may take; what it leaves goes to those after it.
    "shares": {"equality": 5, "steps": 6, "resume": 2, "sweep": 3, "largest": 4, "benchmark": 6},
    # Side of the pictures in pixels, for losses and gradients, and for runs side by side.
    "equality": {"size": 256, "steps": 50, "precisions": ["float32", "tf32", "bfloat16"]},
    "steps": {"size": 512, "steps": 500, "precisions": ["float32", "tf32", "bfloat16"]},
    "resume": {"size": 512, "steps": 400, "log_every": 10},
    "sweep": {"size": 256, "steps": 100},
    # Pairs of size and tile; 0 for whole pictures. Each takes two steps.
    "largest": {"pictures": [(2048, 0), (4096, 0), (8192, 512), (6144, 0), (11264, 512)], "arch": "vgg19"},
    "benchmark": {"networks": ["vgg19=random", "slim=auto"], "sizes": [512, 1024], "evaluations": 20},
}
CPU = {
    "name": "cpu",
    "shares": {"equality": 8, "steps": 4, "resume": 3, "sweep": 3, "largest": 3, "benchmark": 5},
    "equality": {"size": 64, "steps": 50, "precisions": ["float32", "bfloat16"]},  # tf32 is float32 there
    "steps": {"size": 96, "steps": 30, "precisions": ["float32"]},
    "resume": {"size": 96, "steps": 60, "log_every": 2},
    "sweep": {"size": 48, "steps": 10},
    "largest": {"pictures": [(192, 0), (192, 64)], "arch": "slim"},
    "benchmark": {"networks": ["slim=auto"], "sizes": [96], "evaluations": 5},
}


def sizes_for(platform: str) -> dict[str, Any]:
    """Return the sizes for a platform as JAX names it: those of a CPU for 'cpu'."""
    return CPU if platform == "cpu" else ACCELERATOR
