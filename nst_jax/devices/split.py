"""One picture on several devices: each holds as many of its rows, as a strip from the left to the right.

XLA's partitioner gathers whole layers where a program reshapes positions, as Gram matrices and Winograd's
tiles do. So whatever depends on neighbours is written for one strip, in `nst_jax.devices.exchange`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from nst_jax.devices.exchange import AXIS

ROWS = P(None, AXIS)  # of arrays whose second axis are rows


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ByRows:
    """An array, or several, whose second axis are rows: one for each `stride` rows of a picture.

    Where a picture is divided among devices, so are these; everything else is copied to all of them.
    """

    values: Any
    stride: int = dataclasses.field(default=1, metadata={"static": True})


def specs(tree: Any) -> Any:
    """How the arrays in `tree` are divided."""
    return jax.tree.map(lambda leaf: ROWS if _by_rows(leaf) else P(), tree, is_leaf=_by_rows)


def _by_rows(leaf: Any) -> bool:
    return isinstance(leaf, ByRows)


@dataclasses.dataclass(frozen=True)
class Split:
    """How the rows of a picture are divided.

    All strips have the same number of rows, a multiple of `multiple`, so that poolings stay within a strip.
    The last ones may continue with rows of zeros below the picture.
    """

    mesh: Mesh
    height: int  # of the picture
    multiple: int

    @property
    def rows(self) -> int:
        """The rows of one strip."""
        return -(-self.height // (self.mesh.size * self.multiple)) * self.multiple

    @property
    def padded(self) -> int:
        """The rows of all strips: the height with the zeros below."""
        return self.rows * self.mesh.size

    @property
    def in_process(self) -> int:
        """How many of the devices belong to this process."""
        return sum(device.process_index == jax.process_index() for device in self.mesh.devices.flat)

    @property
    def by_rows(self) -> NamedSharding:
        """The sharding of arrays whose second axis are rows."""
        return NamedSharding(self.mesh, ROWS)

    def of_height(self, height: int) -> "Split":
        """The same for a picture of another height."""
        return dataclasses.replace(self, height=height)

    def over_strips(self, function: Callable[..., Any], in_specs: Any, out_specs: Any) -> Callable[..., Any]:
        """Run `function` on all devices at once, each with its part of the arguments."""
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
        )

    def abstract(self, tree: Any) -> Any:
        """The shapes of `tree`, itself of shapes, on the devices."""

        def shape(leaf: Any, rows: int = 0) -> jax.ShapeDtypeStruct:
            sharding = NamedSharding(self.mesh, ROWS if rows else P())
            whole = (leaf.shape[0], rows, *leaf.shape[2:]) if rows else leaf.shape
            return jax.ShapeDtypeStruct(whole, leaf.dtype, sharding=sharding)

        return self._mapped(shape, tree)

    def place_tree(self, tree: Any) -> Any:
        """Put the arrays of `tree` on the devices, with zeros below the rows of a picture."""

        def placed(leaf: Any, rows: int = 0) -> jax.Array:
            return self.place_rows(leaf, rows) if rows else self.place(leaf, P())

        return self._mapped(placed, tree)

    def _mapped(self, function: Callable[..., Any], tree: Any) -> Any:
        """Map `function` over the arrays of `tree`; with those by rows, give it the rows of all strips."""

        def mapped(leaf: Any) -> Any:
            if not _by_rows(leaf):
                return function(leaf)
            rows = self.padded // leaf.stride
            return ByRows(jax.tree.map(lambda one: function(one, rows), leaf.values), leaf.stride)

        return jax.tree.map(mapped, tree, is_leaf=_by_rows)

    def place(self, array: Any, spec: P) -> jax.Array:
        """Put an array, which all processes must have, on the devices."""
        sharding = NamedSharding(self.mesh, spec)
        if isinstance(array, jax.Array) and array.sharding.device_set == sharding.device_set:
            return jax.device_put(array, sharding)
        # A process holds the whole array, and gives its own devices their parts.
        host = np.asarray(array)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    def place_rows(self, array: Any, rows: int = 0) -> jax.Array:
        """Put an array with rows on its second axis on the devices, with zeros below.

        There are `rows` in all, by default those of a picture.
        """
        rows = rows or self.padded
        if array.shape[1] == rows:
            return self.place(array, ROWS)
        host = np.asarray(array)
        below = [(0, 0)] * host.ndim
        below[1] = (0, rows - host.shape[1])
        return self.place(np.pad(host, below), ROWS)
