"""`jax.jit` with the compiler options that were fastest in benchmarks."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nst_jax.devices import processor
from nst_jax.devices.kept_programs import KeptProgram

# XLA's CPU backend computes products with YNNPACK, the default of jaxlib 0.10, or with Eigen. Eigen uses both
# of two cores where YNNPACK leaves one idle (docs/performance.md). An empty list disables YNNPACK fusion.
CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}
# Only YNNPACK uses a processor's matrix units for bfloat16; with other fusions, it is slower.
BFLOAT16_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}


def jit(function: Callable[..., Any], bfloat16: bool = False, **arguments: Any) -> Any:
    """`jax.jit(function, **arguments)`, compiled with `options(bfloat16)`."""
    return jax.jit(function, compiler_options=options(bfloat16), **arguments)


def kept(
    function: Callable[..., Any], identity: Any, bfloat16: bool = False, **arguments: Any
) -> KeptProgram:
    """Like `jit`, but programs are kept from one command to the next; for `identity` see `KeptProgram`."""
    return KeptProgram(function, identity, compiler_options=options(bfloat16), **arguments)


def jit_at_first_call(**arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function like `jit(function, **arguments)`, but choose the options at its first call.

    The options depend on the device, which importing a module must not start, and on the arguments.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        # Not compiled again at each call; there are two variants at most.
        program = functools.cache(lambda bfloat16: jit(function, bfloat16, **arguments))

        @functools.wraps(function)
        def call(*values: Any, **named: Any) -> Any:
            return program(holds_bfloat16((values, named)))(*values, **named)

        return call

    return decorate


def holds_bfloat16(arguments: Any) -> bool:
    """Whether any array in `arguments` is of bfloat16, as the filters of `nst_jax.networks.products`."""
    return any(getattr(leaf, "dtype", None) == jnp.bfloat16 for leaf in jax.tree.leaves(arguments))


@functools.cache
def options(bfloat16: bool = False) -> dict[str, str]:
    """The options for the default device: none for accelerators, or if jaxlib does not know them.

    `bfloat16`: for programs whose products are mostly of bfloat16, where the processor has units for them.
    """
    if jax.default_backend() != "cpu":
        return {}
    wanted = BFLOAT16_OPTIONS if bfloat16 and processor.multiplies_bfloat16() else CPU_OPTIONS
    try:
        jax.jit(lambda: 0, compiler_options=wanted).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return wanted
