"""One picture on several devices: each holds as many of its rows, as a strip from the left to the right.

XLA's partitioner gathers whole layers where a program reshapes positions, as Gram matrices and Winograd's
tiles do. So whatever depends on neighbours is written for one strip, in `nst_jax.devices.strips`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from nst_jax.devices.strips import AXIS

ROWS = P(None, AXIS)  # of arrays whose second axis are rows


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

    def abstract(self, tree: Any, specs: Any) -> Any:
        """The shapes of `tree`, which may be abstract, with their shardings by `specs`."""
        return jax.tree.map(
            lambda leaf, spec: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, sharding=NamedSharding(self.mesh, spec)
            ),
            tree,
            specs,
        )

    def place(self, array: Any, spec: P) -> jax.Array:
        """Put an array, which all processes must have, on the devices."""
        sharding = NamedSharding(self.mesh, spec)
        if isinstance(array, jax.Array) and array.sharding.device_set == sharding.device_set:
            return jax.device_put(array, sharding)
        host = np.asarray(array)
        return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])

    def place_rows(self, array: Any, rows: int = 0) -> jax.Array:
        """Put an array with rows on its second axis on the devices, with zeros below.

        There are `rows` in all, by default those of a picture.
        """
        host = np.asarray(array)
        below = [(0, 0)] * host.ndim
        below[1] = (0, (rows or self.padded) - host.shape[1])
        return self.place(np.pad(host, below), ROWS)
