"""What a bench paints: every content with every style by every recipe, as the runs of one sweep."""

import dataclasses
import itertools
import shlex
from collections.abc import Sequence
from typing import Any

from nst_jax.bench.lpips import LpipsSettings
from nst_jax.config import Config, NetworkConfig, fields, from_dict
from nst_jax.config.named import read_config
from nst_jax.config.overriding import override
from nst_jax.config.transfer_methods import TRANSFER_METHODS
from nst_jax.errors import UserError
from nst_jax.images.folders import FOLDER
from nst_jax.sweeps.combining import Range, read_axes
from nst_jax.sweeps.judging import STYLE_LAYERS
from nst_jax.sweeps.picture_folders import pictures_in
from nst_jax.sweeps.plan import Cell, Run, label, plan_runs


@dataclasses.dataclass(frozen=True)
class BenchSettings:
    """The pictures, recipes and judge of a bench."""

    contents: tuple[str, ...]  # paths, sample:NAME, or folder:PATH for all pictures in a folder
    styles: tuple[str, ...]  # likewise
    recipes: dict[str, str]  # name -> a config and changes of its fields: 'best network.arch=vgg19'
    reference: str = ""  # the recipe with which the others are compared; '' for the first by name
    most_contents: int = 0  # take the first so many; 0 for all
    most_styles: int = 0  # likewise
    size: int = 256  # longer side of the results, pixels
    curves: tuple[str, ...] = ()  # recipes that are also painted with other content weights
    factors: tuple[float, ...] = (0.3, 3.0)  # of the content weight of these recipes
    judge: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)
    style_layers: tuple[str, ...] = STYLE_LAYERS  # at which the judge compares styles
    lpips: LpipsSettings = dataclasses.field(default_factory=LpipsSettings)

    def __post_init__(self) -> None:
        for name in ("contents", "styles", "recipes", "style_layers"):
            fields.some(name, getattr(self, name))
        fields.at_least("most_contents", self.most_contents, 0)
        fields.at_least("most_styles", self.most_styles, 0)
        for factor in self.factors:
            fields.positive("factors", factor)
        fields.distinct("factors", (1.0, *self.factors))
        for name in self.curves:
            fields.one_of("curves", name, self.recipes)
        if self.reference:
            fields.one_of("reference", self.reference, self.recipes)

    @property
    def compared_with(self) -> str:
        """The recipe with which the others are compared."""
        return self.reference or min(self.recipes)


@dataclasses.dataclass(frozen=True)
class PlannedRecipe:
    """A recipe with one content weight, `factor` times its own."""

    recipe: str
    factor: float
    base: dict[str, Any]

    @property
    def name(self) -> str:
        """The label in tables and on pages."""
        return self.recipe if self.factor == 1 else f"{self.recipe} x{self.factor:g}"


def planned_runs(settings: BenchSettings) -> list[Run]:
    """Return the runs of a bench, labelled by pair and entry: all entries paint a pair before the next one.

    Raises:
        UserError: a recipe or a folder cannot be used; the message names it.
    """
    pairs = list(
        itertools.product(
            _pictures("contents", settings.contents, settings.most_contents),
            _pictures("styles", settings.styles, settings.most_styles),
        )
    )
    cells: list[Cell] = []
    shown = []
    for (content, content_path), (style, style_path) in pairs:
        for entry in entries(settings):
            pictures = {"content": content_path, "style": style_path}
            shown.append({**pictures, "recipe": entry.name})
            cells.append(((f"{content}+{style}", entry.name), override(entry.base, pictures)))
    # A cell holds a whole config, of which a page or a plan shows only what tells runs apart.
    runs = plan_runs({}, cells)
    return [dataclasses.replace(run, fields=names) for run, names in zip(runs, shown, strict=True)]


def entries(settings: BenchSettings) -> list[PlannedRecipe]:
    """Return the recipes of a bench in order, each with all content weights with which it is painted.

    Raises:
        UserError: a recipe cannot be used.
    """
    found = []
    for name in settings.recipes:
        config = recipe_config(settings, name)
        factors = sorted({1.0, *settings.factors}) if name in settings.curves else [1.0]
        is_used = "content_weight" not in TRANSFER_METHODS[config.method].unused
        if len(factors) > 1 and not (is_used and config.content_weight and config.active_content()):
            raise UserError(f"curves: {name} has no content weight")
        for factor in factors:
            weight = {"content_weight": config.content_weight * factor}
            found.append(PlannedRecipe(name, factor, override(dataclasses.asdict(config), weight)))
    return found


def recipe_config(settings: BenchSettings, name: str) -> Config:
    """Return the config of a recipe, such as `best network.arch=vgg19`, at the size of the bench.

    Raises:
        UserError: there is no such config, or a change cannot be made; the message names the recipe.
    """
    try:
        config, *texts = shlex.split(settings.recipes[name])
    except ValueError as error:
        raise UserError(f"recipes.{name}: {settings.recipes[name]!r} is not a config with changes") from error
    try:
        changes = {field: _only(field, values) for field, values in read_axes("change", texts)}
        found = from_dict(override(read_config(config), {"size": settings.size, **changes}))
    except UserError as error:
        raise error.prefixed(f"recipes.{name}") from error
    if found.styles:
        raise UserError(f"recipes.{name}: has styles of its own ({', '.join(found.styles)})")
    return found


def _only(field: str, values: Sequence[Any] | Range) -> Any:
    if isinstance(values, Range) or len(values) != 1:
        raise UserError(f"{field}: takes one value")
    return values[0]


def _pictures(field: str, sources: Sequence[str], most: int) -> list[tuple[str, str]]:
    """The label and the path of the pictures among `sources`, folders included."""
    found = []
    for source in sources:
        found += pictures_in(field, source) if source.startswith(FOLDER) else [(label(source), source)]
    fields.distinct(field, [path for _, path in found])
    return found[: most or None]
