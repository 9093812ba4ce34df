"""HTML pages from templates/; they open from disk and need no server."""

from typing import Any


def render(template: str, **values: Any) -> str:
    """Render templates/`template` with `values`, which are escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("nst_jax.figures"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {}  # the default sorts keys: layers and losses have an order
    environment.filters["short"] = short
    return environment.get_template(template).render(values)


def short(value: Any) -> str:
    """Abbreviate a value: floats get five significant digits."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
