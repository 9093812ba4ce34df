"""The interface of an evaluator: a record of functions that compute the features of pictures."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float

from nst_jax.devices.kept_programs import KeptProgram
from nst_jax.devices.split import ByRows
from nst_jax.losses.features.request import Features, Guides, Request
from nst_jax.networks.network import Network

# (network, picture, request, guides) -> what the request finds in the picture under guides of its size
Evaluate = Callable[[Network, Any, Request, Guides], Features]
Loss = Callable[[Network, Any, Any], Any]  # of (network, objective, image), see `nst_jax.losses.objective`


class Evaluator(NamedTuple):
    """How and where pictures of one height are evaluated.

    `features` is for one device: for a strip if pictures are divided among several, and then `height` is that
    of the whole. The other functions stand for all devices. `program` finds the features of a picture; `loss`
    makes of a function for one device one for all of them, and `summed` adds up its sums over positions.
    `place` puts arrays on the devices, and `abstract` does so with shapes.
    """

    features: Evaluate
    program: Evaluate
    loss: Callable[[Loss], Loss] = lambda function: function
    summed: Callable[[Any], Any] = lambda tree: tree
    place: Callable[[Any], Any] = lambda tree: tree
    abstract: Callable[[Any], Any] = lambda tree: tree
    height: int | None = None

    def find(
        self, network: Network, picture: Float[Any, "1 _ _ 3"], request: Request, guides: Guides
    ) -> Features:
        """What `request` finds in `picture`, which is placed first, as are the `guides`."""
        placed, guides = self.place((ByRows(picture), guides))
        return _measuring(self.program, request)(network, placed.values, guides)

    def temporary_bytes(
        self, network: Network, picture: jax.ShapeDtypeStruct, request: Request, guides: Guides
    ) -> int:
        """Memory that `find` needs for a `picture` besides it and what is found."""
        placed, guides = self.abstract((ByRows(picture), guides))
        return _measuring(self.program, request).temporary_bytes(network, placed.values, guides)


# One program per evaluator and request, however many styles are measured.
@functools.cache
def _measuring(program: Evaluate, request: Request) -> KeptProgram:
    def measure(network: Network, picture: Array, guides: Guides) -> Features:
        return program(network, picture, request, guides)

    return KeptProgram(measure, (program, request))
