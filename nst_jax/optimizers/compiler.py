"""`jax.jit` with the compiler options that were fastest in benchmarks."""

import functools
from collections.abc import Callable
from typing import Any

import jax

# XLA's CPU backend computes products with YNNPACK, the default of jaxlib 0.10, or with Eigen. Eigen uses both
# of two cores where YNNPACK leaves one idle (docs/performance.md). An empty list disables YNNPACK fusion.
CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}


def jit(function: Callable[..., Any], **arguments: Any) -> Any:
    """`jax.jit(function, **arguments)`, compiled with `options()`."""
    return jax.jit(function, compiler_options=options(), **arguments)


def jit_at_first_call(**arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function like `jit(function, **arguments)`, but choose the options at its first call.

    The options depend on the device, which importing a module must not start.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        program = functools.cache(lambda: jit(function, **arguments))

        @functools.wraps(function)
        def call(*values: Any, **named: Any) -> Any:
            return program()(*values, **named)

        return call

    return decorate


@functools.cache
def options() -> dict[str, str]:
    """The options for the default device: none for accelerators, or if jaxlib does not know them."""
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=CPU_OPTIONS).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return CPU_OPTIONS
