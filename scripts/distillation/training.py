"""Training of the student: one state, one jitted step."""

import dataclasses
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from nst_jax import files
from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import OXFORD, Weights
from nst_jax.networks.vgg import VGG, preprocess
from nst_jax.weights import save

from . import lessons, scaling, student
from .student import INPUT_SPREAD
from .teachers import LAYERS

TrainingState = dict[str, Any]  # "step", "trained" (student and linear maps), "optimizer", "scales"
WARMUP = 50  # steps of learning rate warmup
SMALLEST_RMS = 0.02  # lets biases train although they start at 0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings that a training step depends on."""

    seed: int
    steps: int
    learning_rate: float
    widths: tuple[int, ...]
    natural: int  # undisturbed images per batch; they come first
    terms: Mapping[str, float]  # weight of each term of the objective
    frozen_up_to: str = ""  # the deepest frozen layer; '' for none

    def frozen(self) -> tuple[str, ...]:
        """Return the frozen layers, which need no teacher."""
        return architecture("slim").weighted_up_to(self.frozen_up_to) if self.frozen_up_to else ()


def first_state(
    recipe: Recipe, teacher: Weights, images: Float[np.ndarray, "b h w 3"], start: Weights | None = None
) -> TrainingState:
    """Initialise the student by least squares from the teacher's responses to `images`.

    Layers of `start` keep their filters, up to the first that has another width than the recipe's.
    """
    x = preprocess(jnp.asarray(images), OXFORD)
    arrays = student.random_arrays(recipe.widths, recipe.seed)
    kept = student.matching(arrays, start.arrays) if start else ()
    arrays |= {name: start.arrays[name] for name in arrays if start and name.split(".")[0] in kept}
    if kept:
        arrays["conv1_1.kernel"] = arrays["conv1_1.kernel"] * INPUT_SPREAD
    targets = student.responses(teacher.arrays, x)
    arrays = student.fit_student(arrays, x / INPUT_SPREAD, targets, recipe.seed, kept)
    T = {layer: nnx.relu(targets[layer]) for layer in LAYERS}
    scales = {layer: jnp.sqrt(jnp.mean(jnp.square(T[layer]))) for layer in T}
    S = student.responses(arrays, x / INPUT_SPREAD, LAYERS)
    maps = {layer: _linear_map(nnx.relu(S[layer]), T[layer] / scales[layer]) for layer in T}
    return _state(recipe, arrays, maps, scales)


def optimizer_of(recipe: Recipe) -> optax.GradientTransformation:
    """Return Adam with learning rate warmup and cosine decay to zero.

    The rate is relative to the root mean square of each array: wide layers have small weights, for which
    the step size of the narrow layers would be too large.
    """
    rate = optax.warmup_cosine_decay_schedule(0, recipe.learning_rate, WARMUP, recipe.steps)
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b2=0.99),
        optax.scale_by_param_block_rms(SMALLEST_RMS),
        optax.scale_by_learning_rate(rate),
    )


def make_step(
    recipe: Recipe, teacher: Weights
) -> Callable[[TrainingState, np.ndarray], tuple[TrainingState, dict[str, Array]]]:
    """Return the jitted step, from (state, batch) to (state, metrics)."""
    update, network = make_update(recipe), VGG(teacher)
    return lambda state, batch: update(state, network, batch)


def make_update(recipe: Recipe) -> Callable[..., tuple[TrainingState, dict[str, Array]]]:
    """Return the program of a step, from (state, teacher's network, batch) to (state, metrics)."""
    optimizer = optimizer_of(recipe)

    def update(state: TrainingState, network: VGG, batch: Array) -> tuple[TrainingState, dict[str, Array]]:
        compared = [layer for layer in LAYERS if layer not in recipe.frozen()]
        T = {layer: F / state["scales"][layer] for layer, F in network(batch, compared).items()}
        gradient, metrics = jax.grad(_loss, has_aux=True)(state["trained"], T, batch, recipe)
        updates, memory = optimizer.update(gradient, state["optimizer"], state["trained"])
        trained = optax.apply_updates(state["trained"], updates)
        # Momentum from earlier stages would still move the frozen filters.
        trained["student"] |= _frozen(state["trained"]["student"], recipe)
        new = state | {"step": state["step"] + 1, "trained": trained, "optimizer": memory}
        return new, metrics

    return jax.jit(update)


def _loss(
    trained: Mapping, T: Mapping[str, Array], batch: Array, recipe: Recipe
) -> tuple[Array, dict[str, Array]]:
    """Return the weighted sum of the terms, averaged over layers, and each term by name: "cka/conv1_1".

    T are the teacher's activations, at mean square 1.
    """
    x = preprocess(batch, OXFORD) / INPUT_SPREAD
    arrays = trained["student"]
    arrays = arrays | jax.lax.stop_gradient(_frozen(arrays, recipe))
    responses = student.responses(arrays, x)
    metrics = {f"dull/{layer}": lessons.dullness(R) for layer, R in responses.items()}
    for layer in T:
        S = nnx.relu(responses[layer])
        stride = lessons.STRIDES.get(layer, 1)
        terms = lessons.layer_terms(S, T[layer], trained["maps"][layer], recipe.natural, stride)
        metrics |= {f"{name}/{layer}": value for name, value in terms.items()}
    total = sum(
        weight * jnp.mean(jnp.stack([v for k, v in metrics.items() if k.split("/")[0] == term]))
        for term, weight in recipe.terms.items()
    )
    return jnp.asarray(total), metrics | {"total": jnp.asarray(total)}


def save_state(path: Path, state: TrainingState) -> None:
    """Write the state atomically; an interrupted write keeps the previous file."""
    with files.atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **{key: np.asarray(leaf) for key, leaf in _flat(state)})


def load_state(path: Path, like: TrainingState) -> TrainingState:
    """Load the state at `path`, which must have the structure and shapes of `like`.

    Raises:
        UserError: the file is missing or damaged, or belongs to another student.
    """
    try:
        with np.load(path) as file:
            saved = dict(file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    mismatches = [k for k, v in _flat(like) if k not in saved or saved[k].shape != np.shape(v)]
    if mismatches:
        raise UserError(f"{path}: does not match the config at {', '.join(mismatches[:3])}")
    return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(saved[key]) for key, _ in _flat(like)])


def save_snapshot(folder: Path, state: TrainingState) -> Path:
    """Write the current student, without scaling its layers to VGG-19's, as `student-000400.safetensors`."""
    step = int(state["step"])
    path = folder / f"student-{step:06d}.safetensors"
    weights = scaling.as_weights(scaling.folded(state["trained"]["student"]))
    save(path, weights, f"scripts/distill.py, step {step}")
    return path


def blank_state(recipe: Recipe, teacher: Weights) -> TrainingState:
    """Return a state with the shapes of the recipe's student, as template for `load_state`."""
    arrays = student.random_arrays(recipe.widths, recipe.seed)
    maps = {}
    for layer in LAYERS:
        ours, theirs = arrays[f"{layer}.bias"].size, teacher.arrays[f"{layer}.bias"].size
        maps[layer] = {"kernel": np.zeros((ours, theirs), np.float32), "bias": np.zeros(theirs, np.float32)}
    return _state(recipe, arrays, maps, {layer: jnp.ones(()) for layer in LAYERS})


def _state(recipe: Recipe, arrays: Mapping, maps: Mapping, scales: Mapping) -> TrainingState:
    trained = jax.tree.map(jnp.asarray, {"student": dict(arrays), "maps": dict(maps)})
    optimizer = optimizer_of(recipe).init(trained)
    return {"step": 0, "trained": trained, "optimizer": optimizer, "scales": dict(scales)}


def _flat(state: TrainingState) -> list[tuple[str, Any]]:
    leaves, _ = jax.tree.flatten_with_path(state)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]


def _frozen(arrays: Mapping[str, Array], recipe: Recipe) -> dict[str, Array]:
    return {name: array for name, array in arrays.items() if name.split(".")[0] in recipe.frozen()}


def _linear_map(S: Array, T: Array) -> dict[str, np.ndarray]:
    """Return the least-squares map from the student's filters to the teacher's."""
    rows, values = (np.asarray(F, np.float32).reshape(-1, F.shape[-1]) for F in (S, T))
    rows = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    solution = student.ridge(rows, values)
    return {"kernel": solution[:-1], "bias": solution[-1]}
