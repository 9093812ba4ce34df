"""Golden values of the objective, computed by PyTorch in float64: `python -m scripts.golden_values`.

Only run this again if the definition of the objective changes, and mention it in the commit message.
"""

import json
from pathlib import Path

from tests.conftest import formula_image, formula_weights
from tests.torch_reference import objective

CONFIG = {
    "content_layers": {"conv4_2": 1.0, "conv2_2": 0.5},
    "style_layers": {"conv1_1": 0.2, "conv2_1": 0.3, "conv3_1": 0.4, "conv5_1": 0.1, "pool2": 0.25},
    "alpha": 1e-3,
    "beta": 1.0,
    "tv": 2.0,
}
FILE = Path(__file__).parents[1] / "tests" / "data" / "golden_objective.json"


def main() -> None:
    """Write tests/data/golden_objective.json."""
    pictures = [formula_image(48, 40), formula_image(48, 40, 1.0), formula_image(33, 57, 2.0)]
    golden = {"config": CONFIG}
    for pool in ("avg", "max"):
        arrays = formula_weights().arrays
        terms, gradient = objective(arrays, *pictures, CONFIG, pool, "slim")
        golden[pool] = {"terms": terms, "gradient": gradient[0, ::7, ::7].ravel().tolist()}
    FILE.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
