"""The terms by name, in the order in which they are added up."""

from collections.abc import Iterable

from nst_jax.config import Config
from nst_jax.losses.terms.content import CONTENT
from nst_jax.losses.terms.laplacian import LAPLACIAN
from nst_jax.losses.terms.style_term import STYLE
from nst_jax.losses.terms.temporal import TEMPORAL
from nst_jax.losses.terms.term import Term
from nst_jax.losses.terms.tv import TV

# To add one, write it in a file of its own and list it here; `terms.NAME` is then its weight.
TERMS: dict[str, Term] = {
    "content": CONTENT,
    "style": STYLE,
    "tv": TV,
    "laplacian": LAPLACIAN,
    "temporal": TEMPORAL,
}


def term_weights(config: Config) -> dict[str, float]:
    """The weights of the terms in use, by name."""
    weights = {
        name: config.terms.get(name, 0.0) if term.weight is None else term.weight(config)
        for name, term in TERMS.items()
    }
    return {name: weight for name, weight in weights.items() if weight > 0 or TERMS[name].always}


def further_terms() -> list[str]:
    """The names that the config's table `terms` takes: those of the terms without a field of their own."""
    return [name for name, term in TERMS.items() if term.weight is None]


def reported_parts(config: Config) -> Iterable[str]:
    """The names under which a run logs the parts of its terms."""
    return (f"{name}/{part}" for name, term in TERMS.items() for part in term.parts(config))
