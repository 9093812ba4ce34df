"""Training of the student: one state, one jitted step."""

import dataclasses
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from nst_jax import files
from nst_jax.distill import lessons, scaling, student, teachers
from nst_jax.distill.student import INPUT_SPREAD
from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture, blocks
from nst_jax.networks.trained import OXFORD
from nst_jax.networks.vgg import preprocess
from nst_jax.weights import save

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
    recipe: Recipe, teacher_arrays: teachers.TeacherArrays, images: Float[np.ndarray, "b h w 3"]
) -> TrainingState:
    """Initialise the student by least squares from the teachers' responses to `images`."""
    batch = jnp.asarray(images)
    x = preprocess(batch, OXFORD)
    targets = student.responses(teacher_arrays["shallow"], x, _convolutions(teacher_arrays["shallow"]))
    deep = tuple(name for name in student.CONVS if name not in targets)
    targets |= teachers.encoder_responses(teacher_arrays["deep"], batch, deep)
    arrays = student.random_arrays(recipe.widths, recipe.seed)
    arrays = student.fit_student(arrays, x / INPUT_SPREAD, targets, recipe.seed)
    T = teachers.teacher_activations(teacher_arrays, batch)
    scales = {layer: jnp.sqrt(jnp.mean(jnp.square(T[layer]))) for layer in T}
    S = _activations(student.responses(arrays, x / INPUT_SPREAD, teachers.LAYERS))
    maps = {layer: _linear_map(S[layer], T[layer] / scales[layer]) for layer in T}
    trained = jax.tree.map(jnp.asarray, {"student": arrays, "maps": maps})
    optimizer = optimizer_of(recipe).init(trained)
    return {"step": 0, "trained": trained, "optimizer": optimizer, "scales": scales}


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
    recipe: Recipe, teacher_arrays: teachers.TeacherArrays
) -> Callable[[TrainingState, np.ndarray], tuple[TrainingState, dict[str, Array]]]:
    """Return the jitted step, from (state, batch) to (state, metrics)."""
    update, on_device = make_update(recipe), jax.device_put(teacher_arrays)
    return lambda state, batch: update(state, on_device, batch)


def make_update(recipe: Recipe) -> Callable[..., tuple[TrainingState, dict[str, Array]]]:
    """Return the program of a step, from (state, teachers, batch) to (state, metrics)."""
    optimizer = optimizer_of(recipe)

    def update(
        state: TrainingState, teacher_arrays: teachers.TeacherArrays, batch: Array
    ) -> tuple[TrainingState, dict[str, Array]]:
        gradient, metrics = jax.grad(_loss, has_aux=True)(
            state["trained"], state["scales"], teacher_arrays, batch, recipe
        )
        updates, memory = optimizer.update(gradient, state["optimizer"], state["trained"])
        trained = optax.apply_updates(state["trained"], updates)
        # Momentum from earlier stages would still move the frozen filters.
        trained["student"] |= _frozen(state["trained"]["student"], recipe)
        new = state | {"step": state["step"] + 1, "trained": trained, "optimizer": memory}
        return new, metrics

    return jax.jit(update)


def _loss(
    trained: Mapping, scales: Mapping, teacher_arrays: teachers.TeacherArrays, batch: Array, recipe: Recipe
) -> tuple[Array, dict[str, Array]]:
    """Return the weighted sum of the terms, averaged over layers, and each term by name: "cka/conv1_1"."""
    x = preprocess(batch, OXFORD) / INPUT_SPREAD
    arrays = trained["student"]
    arrays = arrays | jax.lax.stop_gradient(_frozen(arrays, recipe))
    responses = student.responses(arrays, x)
    T = teachers.teacher_activations(teacher_arrays, batch)
    metrics = {f"dull/{layer}": lessons.dullness(R) for layer, R in responses.items()}
    for layer in (layer for layer in teachers.LAYERS if layer not in recipe.frozen()):
        S = nnx.relu(responses[layer])
        stride = lessons.STRIDES.get(layer, 1)
        linear = trained["maps"][layer]
        terms = lessons.layer_terms(S, T[layer] / scales[layer], linear, recipe.natural, stride)
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


def blank_state(recipe: Recipe, teacher_arrays: teachers.TeacherArrays) -> TrainingState:
    """Return a state with the shapes of the recipe's student, as template for `load_state`."""
    images = jnp.zeros((1, 32, 32, 3))
    arrays = student.random_arrays(recipe.widths, recipe.seed)
    channels = {
        layer: T.shape[-1] for layer, T in teachers.teacher_activations(teacher_arrays, images).items()
    }
    widths = {
        layer.name: width
        for layers, width in zip(blocks(architecture("slim").layers), recipe.widths, strict=True)
        for layer in layers
    }
    maps = {
        layer: {
            "kernel": jnp.zeros((widths[layer], count)),
            "bias": jnp.zeros(count),
        }
        for layer, count in channels.items()
    }
    trained = jax.tree.map(jnp.asarray, {"student": arrays, "maps": maps})
    scales = {layer: jnp.ones(()) for layer in channels}
    optimizer = optimizer_of(recipe).init(trained)
    return {"step": 0, "trained": trained, "optimizer": optimizer, "scales": scales}


def _flat(state: TrainingState) -> list[tuple[str, Any]]:
    leaves, _ = jax.tree.flatten_with_path(state)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]


def _frozen(arrays: Mapping[str, Array], recipe: Recipe) -> dict[str, Array]:
    return {name: array for name, array in arrays.items() if name.split(".")[0] in recipe.frozen()}


def _convolutions(arrays: Mapping[str, ArrayLike]) -> Sequence[str]:
    """The convolutions whose kernels are in `arrays`."""
    return [name for name in student.CONVS if f"{name}.kernel" in arrays]


def _activations(responses: Mapping[str, Array]) -> dict[str, Array]:
    return {layer: nnx.relu(R) for layer, R in responses.items()}


def _linear_map(S: Array, T: Array) -> dict[str, np.ndarray]:
    """Return the least-squares map from the student's filters to the teacher's."""
    rows, values = (np.asarray(F, np.float32).reshape(-1, F.shape[-1]) for F in (S, T))
    rows = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    solution = student.ridge(rows, values)
    return {"kernel": solution[:-1], "bias": solution[-1]}
