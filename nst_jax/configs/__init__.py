"""The config files that ship with the package, as modules: `from nst_jax.configs import quick`.

Config files import one another by this name: a package `configs` of the user would hide the top-level one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

_PACKAGE = Path(__file__).parents[1]
# A wheel holds the folder configs/ in the first of these, a checkout in the second.
ROOT = next(
    root for root in (_PACKAGE / "shipped", _PACKAGE.parent) if (root / "configs" / "gatys.py").is_file()
)
__path__ = [str(ROOT / "configs")]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
