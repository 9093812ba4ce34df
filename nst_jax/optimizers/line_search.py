"""The line search of L-BFGS: it finds a step that satisfies the strong Wolfe conditions.

The algorithms are 3.5 (expand until an interval must contain such a step) and 3.6 (zoom into the interval by
interpolation) of Nocedal & Wright 2006. Near a minimum, where rounding hides the decrease of the loss, the
approximate condition of Hager & Zhang 2006, equation 23, is accepted instead. The decisions are the same as
in `optax.scale_by_zoom_linesearch`, except that a step that is too short grows by what the slopes tell of the
curvature, not by doubling: on a quartic, 2 or 3 evaluations replace the 6 to 9 of scipy's search. The program
of optax contains the objective twice, once per phase, and cannot stop between evaluations. Here a
search advances by one evaluation at a time, so the objective is compiled once and many searches can advance
side by side.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from nst_jax.optimizers.method import Evaluate, Point
from nst_jax.optimizers.state import Evaluation, Scalar, VariableArray, select

MOST_EVALUATIONS = 20  # of one search, as in optax.lbfgs
FIRST_STEP = 1.0  # L-BFGS scales its direction so that a step of 1 is usually accepted
GROWTH = 1.1, 10.0  # limits of the next step, relative to the last, while none is long enough
# The constants c1 (sufficient decrease) and c2 (curvature) of the Wolfe conditions.
DECREASE, CURVATURE = 1e-4, 0.9
# The approximate condition tolerates a rise of the loss by this fraction.
ROUNDING = 1e-6
# The search stops at a narrower interval if it already has a step that lowers the loss enough.
NARROWEST = 1e-5
# An interpolated step closer to an end than this fraction of the interval is rejected, see `_interpolated`.
CUBIC_MARGIN, QUADRATIC_MARGIN = 0.2, 0.1


class OnLine(NamedTuple):
    """A point on the line variable + step * direction."""

    step: Scalar
    value: Scalar
    slope: Scalar


class Search(NamedTuple):
    """A search in progress."""

    variable: VariableArray
    direction: VariableArray
    start: OnLine  # at step 0
    newest: OnLine
    evaluation: Evaluation  # at the newest point
    low: OnLine  # the better end of the interval
    high: OnLine
    third: OnLine  # a third point, for cubic interpolation
    safe: OnLine  # the best point so far that lowers the loss enough; the start if there is none
    safe_evaluation: Evaluation
    bracketed: Bool[Array, ""]  # whether the interval between low and high contains a solution
    finished: Bool[Array, ""]
    evaluations: Int[Array, ""]


def begin(direction: VariableArray, variable: VariableArray, evaluation: Evaluation) -> Search:
    """Start a search at `variable`, where the objective is as evaluated."""
    value = evaluation.value
    start = OnLine(jnp.zeros_like(value), value, jnp.vdot(direction, evaluation.grad))
    no = jnp.zeros((), bool)
    return Search(
        variable=variable,
        direction=direction,
        start=start,
        newest=start,
        evaluation=evaluation,
        low=start,
        high=start,
        third=start,
        safe=start,
        safe_evaluation=evaluation,
        bracketed=no,
        finished=no,
        evaluations=jnp.zeros((), jnp.int32),
    )


def unfinished(search: Search) -> Bool[Array, ""]:
    """Whether the search needs another evaluation."""
    return ~search.finished


def evaluate(search: Search, evaluate: Evaluate) -> Search:
    """Advance the search by one evaluation."""
    expanded = jnp.where(search.evaluations == 0, FIRST_STEP, _extrapolated(search.low, search.newest))
    step = jnp.where(search.bracketed, _interpolated(search.low, search.high, search.third), expanded)
    evaluation = evaluate(search.variable + step * search.direction)
    new = OnLine(step, evaluation.value, jnp.vdot(evaluation.grad, search.direction))
    error = _decrease_error(new, search.start)
    enough = error <= 0
    good = enough & (jnp.abs(new.slope) <= CURVATURE * jnp.abs(search.start.slope))
    low, high, third, bracketed = select(
        search.bracketed, _zoom(search, new, enough), _expand(search, new, enough, good)
    )
    safer = enough & (~search.bracketed | (new.value < search.safe.value))
    safe, safe_evaluation = select(safer, (new, evaluation), (search.safe, search.safe_evaluation))
    evaluations = search.evaluations + 1
    narrow = search.bracketed & (jnp.abs(search.high.step - search.low.step) <= NARROWEST)
    failed = ~good & ((evaluations >= MOST_EVALUATIONS) | (narrow & (safe.step > 0)))
    # A failed search ends at the safe point if there is one, else at the newest point if that is finite.
    back = failed & ((safe.step > 0) | jnp.isinf(error))
    newest, evaluation = select(back, (safe, safe_evaluation), (new, evaluation))
    # The first search of a run only evaluates its start.
    opening = jnp.isinf(search.start.value)
    return search._replace(
        newest=newest,
        evaluation=evaluation,
        low=low,
        high=high,
        third=third,
        safe=safe,
        safe_evaluation=safe_evaluation,
        bracketed=bracketed,
        finished=good | failed | opening,
        evaluations=evaluations,
    )


def end(search: Search) -> Point:
    """Where a finished search arrived."""
    variable = search.variable + search.newest.step * search.direction
    return Point(variable, *search.evaluation)


def _decrease_error(new: OnLine, start: OnLine) -> Scalar:
    """How far `new` is from a sufficient decrease: 0 if it has one, infinite if it is not a number."""
    usual = new.value - start.value - DECREASE * new.step * start.slope
    approximate = jnp.maximum(
        new.slope - (2 * DECREASE - 1) * start.slope,
        new.value - start.value - ROUNDING * jnp.abs(start.value),
    )
    # Either condition is enough.
    error = jnp.maximum(jnp.minimum(usual, approximate), 0)
    return jnp.where(jnp.isnan(error), jnp.inf, error)


def _expand(search: Search, new: OnLine, enough: Array, good: Array) -> tuple[OnLine, OnLine, OnLine, Array]:
    """Algorithm 3.5: return low, high, third, and whether low and high bracket a solution."""
    over = ~enough | ((new.value >= search.newest.value) & (search.evaluations > 0))
    rising = ~over & (new.slope >= 0)
    low, high = select(rising, (new, search.newest), (search.newest, new))
    return low, high, low, over | rising | good


def _zoom(search: Search, new: OnLine, enough: Array) -> tuple[OnLine, OnLine, OnLine, Array]:
    """Algorithm 3.6: shrink the interval, and keep the end that was replaced as the third point."""
    low, high = search.low, search.high
    over = ~enough | (new.value >= low.value)
    crossed = ~over & (new.slope * (high.step - low.step) >= 0)
    third = select(over | crossed, high, low)
    return select(over, low, new), select(over, new, select(crossed, low, high)), third, search.bracketed


def _interpolated(low: OnLine, high: OnLine, third: OnLine) -> Scalar:
    """The minimum of the cubic through three points, else of the parabola through two, else the midpoint."""
    width = jnp.abs(high.step - low.step)
    left, right = jnp.minimum(low.step, high.step), jnp.maximum(low.step, high.step)

    def inside(step: Array, margin: float) -> Array:  # False for NaN
        return (step > left + margin * width) & (step < right - margin * width)

    cubic, parabola = _cubic_minimum(low, high, third), _parabola_minimum(low, high)
    middle = (low.step + high.step) / 2
    fallback = jnp.where(inside(parabola, QUADRATIC_MARGIN), parabola, middle)
    return jnp.where(inside(cubic, CUBIC_MARGIN), cubic, fallback)


def _extrapolated(before: OnLine, last: OnLine) -> Scalar:
    """The step at which the slope would be 0 if it went on as between two points, within limits."""
    secant = last.step - last.slope * (last.step - before.step) / (last.slope - before.slope)
    nearest, furthest = GROWTH[0] * last.step, GROWTH[1] * last.step
    # A slope that falls has no zero ahead.
    return jnp.where(last.slope > before.slope, jnp.clip(secant, nearest, furthest), furthest)


def _cubic_minimum(a: OnLine, b: OnLine, c: OnLine) -> Scalar:
    """The minimum of A x^3 + B x^2 + C x + D, x from a, with the values at a, b and c and the slope at a."""
    to_b, to_c = b.step - a.step, c.step - a.step
    rest_b = b.value - a.value - a.slope * to_b
    rest_c = c.value - a.value - a.slope * to_c
    scale = (to_b * to_c) ** 2 * (to_b - to_c)
    A = (to_c**2 * rest_b - to_b**2 * rest_c) / scale
    B = (to_b**3 * rest_c - to_c**3 * rest_b) / scale
    return a.step + (-B + jnp.sqrt(B * B - 3 * A * a.slope)) / (3 * A)


def _parabola_minimum(a: OnLine, b: OnLine) -> Scalar:
    to_b = b.step - a.step
    B = (b.value - a.value - a.slope * to_b) / to_b**2
    return a.step - a.slope / (2 * B)
