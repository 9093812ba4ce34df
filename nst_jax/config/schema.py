"""The settings of a style transfer, typed and validated.

The `get_config()` of a config file returns a ConfigDict, flags override its fields, and `from_dict` converts
the result to the frozen dataclasses below, which validate their fields. The names in `optimizer.name`,
`style_losses` and `content_loss` are checked later, where they are defined, but before a run writes anything.
"""

import dataclasses
from typing import Any

from nst_jax.config import fields
from nst_jax.config.controls import StyleConfig, check_styles
from nst_jax.config.optimization import OptimizerConfig
from nst_jax.config.transfer_methods import TRANSFER_METHODS, NNSTConfig, check_method
from nst_jax.errors import UserError
from nst_jax.images.color import COLORS
from nst_jax.networks.architectures import ARCHITECTURES, architecture
from nst_jax.networks.conv import CONVS, PRECISIONS
from nst_jax.networks.counterparts import require_layer
from nst_jax.networks.layers import irregular_layer
from nst_jax.networks.padding import PADDINGS
from nst_jax.networks.pool import POOLS

GUIDES = ("simple", "inside", "all")
OUTPUTS = ("png8", "png16", "tiff16")
SMALLEST_SIDE = 16  # pixels: VGG halves the picture four times before its deepest convolutions
SMALLEST_TILE = 64  # pixels: a smaller tile is mostly halo
# Limits that no real run comes near; a number beyond them is a mistake.
LARGEST_SIDE = 1 << 15  # pixels
MOST_SCALES = 32


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """The network whose activations define the losses."""

    arch: str = "vgg19"  # 'vgg19', 'vgg16' or 'slim'
    weights: str = "auto"  # 'auto', 'random', a registered name, or a path
    pool: str = "avg"  # 'avg' or 'max'
    padding: str = "zeros"  # at the borders; 'circular' gives seamless pictures
    conv: str = "auto"  # convolution algorithm: 'auto', 'direct' or 'winograd', see networks/convnet.py
    normalize: bool = False  # rescale filters to mean activation 1; changes the meaning of alpha/beta
    precision: str = "float32"  # of convolutions; see networks/conv.py

    def __post_init__(self) -> None:
        fields.one_of("network.arch", self.arch, ARCHITECTURES)
        fields.one_of("network.pool", self.pool, POOLS)
        fields.one_of("network.padding", self.padding, PADDINGS)
        fields.one_of("network.conv", self.conv, CONVS)
        fields.one_of("network.precision", self.precision, PRECISIONS)
        fields.not_empty("network.weights", self.weights, "auto")
        if self.padding != "zeros" and (layer := irregular_layer(architecture(self.arch).layers)):
            raise UserError(
                f"network.padding: {self.padding} cannot be used with {layer.name} of {self.arch}; use zeros"
            )


@dataclasses.dataclass(frozen=True)
class Config:
    """One style transfer; the defaults are Gatys et al. 2015, Fig 2."""

    method: str = "optimize"  # 'optimize' the objective of the losses, or 'nnst'
    content: str = "sample:chelsea"  # a path, or sample:NAME
    style: str = "sample:swirls"  # a path, sample:NAME, or folder:PATH for the average of its pictures
    styles: dict[str, StyleConfig] = dataclasses.field(default_factory=dict)  # if any, in place of `style`
    size: int = 512  # longer side of the result, pixels
    style_scale: float = 1.0  # size of the style relative to the result
    init: str = "noise"  # 'noise', 'content', 'style', or a path
    init_scale: float = 1.0  # where a run from `init=PATH` begins; coarser `scales` are left out
    noise: float = 1 / 255  # standard deviation of 'noise' about the network's mean colour, in [0,1] units
    seed: int = 0  # of the noise
    network: NetworkConfig = dataclasses.field(default_factory=NetworkConfig)
    # The weight of each layer; 0 turns it off.
    content_layers: dict[str, float] = dataclasses.field(default_factory=lambda: {"conv4_2": 1.0})
    # The weight of each layer; 0 turns it off.
    style_layers: dict[str, float] = dataclasses.field(
        default_factory=lambda: {f"conv{block}_1": 0.2 for block in range(1, 6)}
    )
    # The weight of each style loss, by its name in losses/style.py.
    style_losses: dict[str, float] = dataclasses.field(default_factory=lambda: {"gram": 1.0})
    # The weights of the layers for one style loss, in place of those of `style_layers`; by loss and layer.
    loss_layers: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    guides: str = "simple"  # how masks are brought down to layers, see losses/guides.py
    color: str = "style"  # where colours come from, see images/color.py
    content_weight: float = 1e-4  # alpha
    style_weight: float = 1.0  # beta
    tv_weight: float = 0.0  # of the total variation
    laplacian_weight: float = 0.0  # of the content's outlines, see losses/terms/laplacian.py
    # The weight of each further term, by its name in losses/terms/terms.py.
    terms: dict[str, float] = dataclasses.field(default_factory=dict)
    content_loss: str = "sum"  # 'sum': half the sum of squares (the paper); 'mean' (its code)
    relative_losses: bool = False  # divide content and style losses by the size of their targets
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    nnst: NNSTConfig = dataclasses.field(default_factory=NNSTConfig)
    scales: tuple[float, ...] = (1.0,)  # sizes relative to `size`, coarse to fine
    tile: int = 0  # side of the tiles for computing the losses, pixels; 0: no tiling
    devices: int = 1  # among which the rows of one picture are divided; 0: all there are
    output: str = "png8"  # 'png16': result.png with 16 bits per colour; 'tiff16': result.tif besides it
    log_every: int = 10  # steps between lines of metrics.jsonl
    snapshot_every: int = 50  # steps between pictures in progress/

    def __post_init__(self) -> None:
        for name in ("content", "style", "init"):
            fields.not_empty(name, getattr(self, name))
        fields.at_least("size", self.size, SMALLEST_SIDE, LARGEST_SIDE)
        fields.positive("style_scale", self.style_scale)
        fields.positive("init_scale", self.init_scale)
        if self.init_scale > 1:
            raise UserError(f"init_scale: {self.init_scale} is above 1.0, the full size")
        fields.not_negative("noise", self.noise)
        fields.at_least("seed", self.seed, 0, fields.LARGEST_SEED)
        fields.one_of("guides", self.guides, GUIDES)
        fields.one_of("color", self.color, COLORS)
        fields.one_of("output", self.output, OUTPUTS)
        if self.tile:
            fields.at_least("tile", self.tile, SMALLEST_TILE, LARGEST_SIDE)
        fields.at_least("devices", self.devices, 0)
        fields.at_least("log_every", self.log_every, 1)
        fields.at_least("snapshot_every", self.snapshot_every, 1)
        check_method(self)
        check_styles(self.styles, self.active_style())
        self._check_style_sizes()
        self._check_scales()

    def check_weights(self) -> None:
        """Refuse weights of which nothing would be left to optimise.

        Raises:
            UserError: the message names the field.
        """
        for name in ("content_weight", "style_weight", "tv_weight", "laplacian_weight"):
            fields.not_negative(name, getattr(self, name))
        for field in ("content_layers", "style_layers"):
            for layer, weight in getattr(self, field).items():
                require_layer(field, layer, self.network.arch)
                fields.not_negative(f"{field}.{layer}", weight)
        for name, weight in self.style_losses.items():
            fields.not_negative(f"style_losses.{name}", weight)
        for name, weight in self.terms.items():
            fields.not_negative(f"terms.{name}", weight)
        for name, weights in self.loss_layers.items():
            fields.one_of("loss_layers", name, self.style_losses)
            for layer, weight in weights.items():
                fields.one_of(
                    f"loss_layers.{name}", layer, [k for k, w in self.style_layers.items() if w > 0]
                )
                fields.not_negative(f"loss_layers.{name}.{layer}", weight)
        if not self.active_layers():
            raise UserError(
                "content_weight, style_weight: nothing to optimise; set at least one of them, and the weight "
                "of one of its layers, above 0"
            )

    def _check_style_sizes(self) -> None:
        for name, style in self.active_styles().items():
            scale = self.style_scale * style.scale
            if self.size * scale > LARGEST_SIDE:
                field = f"styles.{name}.scale" if style.scale != 1 else "style_scale"
                raise UserError(f"{field}: {scale} times size {self.size} is above {LARGEST_SIDE} pixels")

    def _check_scales(self) -> None:
        if not self.scales or self.scales[-1] != 1.0:
            raise UserError(f"scales: {self.scales} must end with 1.0, the full size")
        if len(self.scales) > MOST_SCALES:
            raise UserError(f"scales: {len(self.scales)} are more than {MOST_SCALES}")
        for scale in self.scales:
            fields.positive("scales", scale)
            if scale > 1:
                raise UserError(f"scales: {scale} is above 1.0, the full size")
            if round(self.size * scale) < SMALLEST_SIDE:
                raise UserError(f"scales: {scale} of size {self.size} is under {SMALLEST_SIDE} pixels")
        self.steps_by_scale()

    def steps_by_scale(self) -> tuple[int, ...]:
        """The number of steps at each of `active_scales`."""
        return self.optimizer.steps_by_scale(len(self.scales))[-len(self.active_scales()) :]

    def starts_from_file(self) -> bool:
        """Whether `init` is the path of a picture."""
        return self.init not in ("noise", "content", "style")

    def active_scales(self) -> tuple[float, ...]:
        """The scales in use: a finished picture would lose its detail at those below `init_scale`."""
        least = self.init_scale if self.starts_from_file() else 0.0
        return tuple(scale for scale in self.scales if scale >= least)

    def active_styles(self) -> dict[str, StyleConfig]:
        """The styles in use, by name: those with a weight above 0, or `style` alone."""
        named = {name: style for name, style in self.styles.items() if style.weight > 0}
        return named or {"style": StyleConfig(self.style)}

    def style_size(self, style: StyleConfig) -> int:
        """Longer side of the pictures of `style` at full size, in pixels."""
        return round(self.size * self.style_scale * style.scale)

    def active_content(self) -> dict[str, float]:
        """Content layers in use: alpha and the weight of the layer are above 0."""
        return {k: w for k, w in self.content_layers.items() if w > 0 and self.content_weight > 0}

    def active_style(self) -> dict[str, float]:
        """Style layers in use: beta, the weight of the layer and that of a style loss are above 0."""
        return {layer: weight for layer, weight in self.style_layers.items() if self.losses_at(layer)}

    def losses_at(self, layer: str) -> dict[str, float]:
        """Style losses in use at `layer`, and their weights relative to that of the layer."""
        weight = self.style_layers.get(layer, 0.0)
        if not weight * self.style_weight:
            return {}
        shares = {name: by_layer.get(layer, 0.0) / weight for name, by_layer in self.loss_layers.items()}
        found = {name: strength * shares.get(name, 1.0) for name, strength in self.style_losses.items()}
        return {name: strength for name, strength in found.items() if strength > 0}

    def active_losses(self) -> tuple[str, ...]:
        """Style losses with a weight above 0, whichever layers are in use."""
        layers = {name: self.loss_layers.get(name, self.style_layers) for name in self.style_losses}
        return tuple(name for name, w in self.style_losses.items() if w > 0 and any(layers[name].values()))

    def active_layers(self) -> tuple[str, ...]:
        """All layers whose activations are needed, in network order."""
        return TRANSFER_METHODS[self.method].layers(self)

    def layers_of_losses(self) -> tuple[str, ...]:
        """Content and style layers in use, in network order."""
        active = {**self.active_content(), **self.active_style()}
        return tuple(name for name in architecture(self.network.arch).names if name in active)

    def required_layers(self) -> tuple[str, ...]:
        """The layers without which the run is refused."""
        return TRANSFER_METHODS[self.method].required(self)


def from_dict(values: Any) -> Config:
    """Build a `Config` from a ConfigDict or nested dict; missing fields take their defaults.

    Raises:
        UserError: a field is unknown, has the wrong type or an invalid value.
    """
    return fields.from_config(Config, values)


def to_dict(config: Config) -> dict[str, Any]:
    """Every field as nested plain values, for config.json."""
    return dataclasses.asdict(config)


def flat(config: Config) -> dict[str, Any]:
    """Every field by its dotted name, such as `network.pool`, including the weight of each layer."""
    return fields.dotted(to_dict(config))
