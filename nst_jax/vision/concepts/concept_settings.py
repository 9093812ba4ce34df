"""The settings of concepts, typed and checked; see configs/concepts.py."""

import dataclasses

from nst_jax.config import NetworkConfig, fields
from nst_jax.config.schema import SMALLEST_SIDE
from nst_jax.errors import UserError
from nst_jax.networks import receptive
from nst_jax.networks.architectures import architecture
from nst_jax.networks.classifier import INPUT_SIDE
from nst_jax.networks.counterparts import require_layer
from nst_jax.vision.framing import LARGEST_INPUT, MOST_PICTURES, require_field
from nst_jax.vision.labels import AUTO
from nst_jax.vision.maximizing.maximize_settings import SUITED, MaximizeSettings
from nst_jax.vision.relevance import CLASS, Towards, read_target
from nst_jax.vision.searching.search_settings import MOST_PATCHES, MOST_WORKERS

MOST_CONCEPTS, MOST_POSITIONS, MOST_DESIGNS = 256, 1_000_000, 4096


@dataclasses.dataclass(frozen=True)
class ConceptSettings:
    """Two passes over `data`; the defaults use the bundled pictures and network."""

    data: str = "sample:"
    layer: str = "conv4_1"
    concepts: int = 10
    positions: int = 20_000  # drawn from all pictures to find the concepts
    target: str = ""  # importance for 'class' (each picture's most probable) or 'class:NUMBER'; '': none
    labels: str = AUTO  # names of the classes, see labels.py
    scored: int = 16  # pictures by which importance is measured, the first; 0 for all
    designs: int = 32  # of the total Sobol index, a power of 2; 0 for the gradient alone
    top: int = 9  # pictures of each concept
    size: int = 224  # side of the square that the network sees, pixels
    batch: int = 16
    limit: int = 0  # maximum number of images; 0 for all
    shuffle: bool = False  # before `limit` is applied
    seed: int = 0  # of the shuffling, the positions, the designs and the maximised pictures
    workers: int = 0  # decoding threads; 0 for one per core
    steps: int = 200  # of the maximised picture of each concept; 0 for none
    picture: int = 128  # side of the maximised picture, pixels
    finest: float = float(SUITED)  # its smallest details, pixels; 0 for no limit, -1: suited to the layer
    checkpoint_seconds: float = 60.0
    network: NetworkConfig = dataclasses.field(default_factory=lambda: NetworkConfig(arch="slim"))

    def __post_init__(self) -> None:
        for name in ("data", "labels"):
            fields.not_empty(name, getattr(self, name))
        fields.at_least("concepts", self.concepts, 1, MOST_CONCEPTS)
        fields.at_least("positions", self.positions, self.concepts, MOST_POSITIONS)
        fields.at_least("scored", self.scored, 0)
        fields.at_least("designs", self.designs, 0, MOST_DESIGNS)
        if self.designs.bit_count() > 1:
            raise UserError(f"designs: {self.designs} is not a power of 2; use 16, 32 or 64")
        fields.at_least("top", self.top, 1, MOST_PATCHES)
        fields.at_least("size", self.size, 1, LARGEST_INPUT)
        fields.at_least("batch", self.batch, 1, MOST_PICTURES)
        for name in ("limit", "steps"):
            fields.at_least(name, getattr(self, name), 0)
        fields.at_least("seed", self.seed, 0, fields.LARGEST_SEED)
        fields.at_least("workers", self.workers, 0, MOST_WORKERS)
        fields.at_least("picture", self.picture, SMALLEST_SIDE, LARGEST_INPUT)
        fields.positive("checkpoint_seconds", self.checkpoint_seconds)
        self._check_layer()
        if self.steps:
            self.maximizing  # noqa: B018 - checks what it is made of

    def _check_layer(self) -> None:
        arch = architecture(self.network.arch)
        require_layer("layer", self.layer, self.network.arch)
        if arch.up_to(self.layer)[-1].classes:
            raise UserError(f"layer: {self.layer} has the scores of classes; choose a layer before it")
        # The receptive fields of the deepest layers exceed the training pictures, whose size always suffices.
        require_field(self.size, self.network.arch, self.layer, INPUT_SIDE)
        if not all(receptive.shape(arch.layers, self.layer, self.picture, self.picture)):
            raise UserError(f"picture: {self.picture} pixels are too few for {self.layer}")
        if not self.towards:
            return
        if self.towards.layer != CLASS:
            raise UserError(f"target: {self.target!r} is not a class; give 'class' or 'class:NUMBER'")
        head = arch.head
        if head and arch.names.index(self.layer) > arch.names.index(head.layer):
            raise UserError(f"target: the classifier reads {head.layer}; choose a layer up to it")

    @property
    def towards(self) -> Towards | None:
        """The class for which importance is measured; None if it is not.

        Raises:
            UserError: `target` has none of the forms of `relevance.FORMS`.
        """
        return read_target(self.target, self.network.arch) if self.target else None

    @property
    def maximizing(self) -> MaximizeSettings:
        """The settings by which a picture is made for each concept.

        Raises:
            UserError: one of them is invalid.
        """
        defaults = MaximizeSettings().optimizer
        return MaximizeSettings(
            objective="direction",
            layer=self.layer,
            direction="0:1",  # in its place, a painter is given that of each concept
            size=self.picture,
            seed=self.seed,
            finest=self.finest,
            network=self.network,
            optimizer=dataclasses.replace(defaults, steps=self.steps),
        )
