"""Distillation on tiny made-up teachers, and the network that ships."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.networks.architectures import architecture
from nst_jax.networks.trained import OXFORD, Weights, make_weights
from nst_jax.networks.vgg import VGG, preprocess
from nst_jax.weights import load, save
from nst_jax.weights.embedded import FILE as SLIM
from scripts.distillation import balance, crops, lessons, scaling, student, training
from scripts.distillation.teachers import read_teacher

WIDTHS = (4, 5, 6, 7, 8)
TERMS = {"feature": 1.0, "gram": 0.5, "cka": 3.0, "cka_disturbed": 1.0, "dull": 0.5}


def recipe(**changes) -> training.Recipe:
    settings = {"seed": 0, "steps": 200, "learning_rate": 2e-2, "widths": WIDTHS, "natural": 2}
    return training.Recipe(**settings | {"terms": TERMS} | changes)


@functools.cache
def taught() -> Weights:
    """A random teacher: narrow, with VGG-19's topology."""
    arrays = student.random_arrays((6, 7, 8, 9, 10), seed=1)
    arrays["conv1_1.kernel"] = arrays["conv1_1.kernel"] / student.INPUT_SPREAD
    return make_weights("teacher", "slim", arrays, OXFORD)


def batch(step: int = 0) -> np.ndarray:
    rng = np.random.default_rng(7)
    pictures = [rng.integers(0, 256, (40, 50, 3), np.uint8) for _ in range(3)]
    return crops.batch(pictures, seed=0, step=step, count=4, natural=2, side=32)


@functools.cache
def start() -> training.TrainingState:
    return training.first_state(recipe(), taught(), batch())


@functools.cache
def blank() -> training.TrainingState:
    return training.blank_state(recipe(), taught())


def test_cka_equals_the_formula_on_kernels():
    rng = np.random.default_rng(0)
    S = rng.normal(size=(50, 4)) + 3
    T = S @ rng.normal(size=(4, 6)) + rng.normal(size=(50, 6))
    H = np.eye(50) - 1 / 50
    K, L = H @ S @ S.T @ H, H @ T @ T.T @ H
    expected = np.sum(K * L) / np.sqrt(np.sum(K * K) * np.sum(L * L))
    assert lessons.linear_cka(jnp.asarray(S), jnp.asarray(T)) == pytest.approx(expected, rel=1e-5)


def test_most_telling_leaves_out_what_adds_nothing():
    F = np.random.default_rng(0).normal(size=(500, 3)) * (1, 3, 2)
    assert list(student.most_telling(F[:, [0, 1, 2, 1]], 4)) == [1, 2, 0]


def test_fit_recovers_a_teacher_of_its_own_size():
    x = jax.random.normal(jax.random.key(0), (2, 32, 32, 3))
    teacher = student.random_arrays(WIDTHS, seed=3)
    fitted = student.fit_student(
        student.random_arrays(WIDTHS, seed=4), x, student.responses(teacher, x), seed=0
    )
    found, true = (student.responses(arrays, x)["conv2_1"] for arrays in (fitted, teacher))
    for row in np.corrcoef(found.reshape(-1, 5).T, true.reshape(-1, 5).T)[:5, 5:]:
        assert row.max() > 0.999


def test_batches_depend_on_seed_and_step_only_and_are_prefetched_in_order():
    ahead = dict(crops.prefetched(batch, 3, 6, ahead=2))
    assert list(ahead) == [3, 4, 5]
    np.testing.assert_array_equal(ahead[4], batch(4))
    assert not np.array_equal(batch(3), batch(4))


def test_held_out_pictures_are_the_same_for_the_same_seed():
    names = [Path(f"{i}.jpg") for i in range(30)]
    assert crops.held_out(names, 10, seed=1) == crops.held_out(names, 10, seed=1)
    assert crops.held_out(names, 10, seed=1) != crops.held_out(names, 10, seed=2)


@pytest.mark.slow
def test_steps_lower_the_objective_and_resuming_is_bit_identical(tmp_path):
    update = training.make_step(recipe(), taught())
    state, totals = blank(), []
    for _ in range(12):
        state, metrics = update(state, batch())
        totals.append(float(metrics["total"]))
        if len(totals) == 6:
            training.save_state(tmp_path / "state.npz", state)
    assert totals[-1] < totals[0]
    again = training.load_state(tmp_path / "state.npz", blank())
    for _ in range(6):
        again, _ = update(again, batch())
    jax.tree.map(np.testing.assert_array_equal, state, again)


def test_a_snapshot_is_a_weight_file_of_the_student_as_it_stands(tmp_path):
    state = start() | {"step": 400}
    path = training.save_snapshot(tmp_path, state)
    assert path.name == "student-000400.safetensors"
    weights, x = load(path, "slim"), jnp.asarray(batch())
    for name, array in scaling.folded(state["trained"]["student"]).items():
        np.testing.assert_allclose(weights.arrays[name], array, rtol=1e-3, atol=1e-5)  # float16
    trained = student.responses(state["trained"]["student"], preprocess(x, OXFORD) / student.INPUT_SPREAD)
    # No deeper: on a handful of positions the least-squares start amplifies the rounding to float16.
    for layer in ("conv1_1", "conv4_1"):
        expected = np.maximum(trained[layer], 0)
        found = VGG(weights)(x, [layer])[layer]
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02 * expected.max())


def test_a_checkpoint_of_another_student_is_refused(tmp_path):
    training.save_state(tmp_path / "state.npz", blank())
    other = training.blank_state(recipe(widths=(4, 5, 6, 7, 9)), taught())
    with pytest.raises(ValueError, match="does not match the config"):
        training.load_state(tmp_path / "state.npz", other)


def test_frozen_layers_keep_their_filters():
    step = training.make_step(recipe(frozen_up_to="conv3_2"), taught())
    once, _ = step(blank(), batch())
    twice, _ = step(once, batch())  # the first step's learning rate is 0
    before, after = (state["trained"]["student"] for state in (blank(), twice))
    np.testing.assert_array_equal(before["conv3_2.kernel"], after["conv3_2.kernel"])
    assert not np.array_equal(before["conv4_1.kernel"], after["conv4_1.kernel"])


def test_rescaling_changes_activations_by_their_factors_and_nothing_else():
    arrays = student.random_arrays(WIDTHS, seed=0)
    arrays["conv2_1.bias"] += 0.1
    factors = {"conv1_1": 3.0, "conv1_2": 0.5, "conv3_1": 7.0, "conv5_1": 11.0}
    x = jax.random.normal(jax.random.key(1), (1, 32, 32, 3))
    before = student.responses(arrays, x)
    after = student.responses(scaling.rescaled(arrays, factors), x)
    expected = {"conv1_1": 3.0, "conv1_2": 0.5, "conv2_2": 0.5, "conv4_1": 7.0, "conv5_1": 11.0}
    for layer, factor in expected.items():
        np.testing.assert_allclose(after[layer], factor * before[layer], rtol=1e-4, atol=1e-5)


def test_filter_scales_undo_what_made_a_layer_unlike():
    rng = np.random.default_rng(0)
    T = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5))
    S = T * (0.5, 1.0, 2.0, 1.0, 1.5)
    np.testing.assert_allclose(S * balance.filter_scales(S, T), T, rtol=0.02, atol=0.02)


def test_factors_set_the_terms_to_the_teachers():
    pairs = [(batch()[i : i + 1], batch()[i + 1 : i + 2]) for i in range(3)]
    arrays = scaling.folded(start()["trained"]["student"])
    teacher = VGG(taught())
    scaled = scaling.rescaled(arrays, scaling.factors(arrays, teacher, pairs))
    for name, ratios in scaling.term_ratios(scaled, teacher, pairs).items():
        assert np.median(ratios) == pytest.approx(1, rel=1e-3), name


def random_vgg19(seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    shapes = architecture("vgg19").kernel_shapes()
    arrays = {f"{layer}.kernel": rng.random(shape, np.float32) for layer, shape in shapes.items()}
    arrays |= {f"{layer}.bias": rng.random(shape[-1], np.float32) for layer, shape in shapes.items()}
    return make_weights("random", "vgg19", arrays, OXFORD)


def test_layers_of_a_start_keep_what_they_respond_to():
    arrays = scaling.folded(student.random_arrays((*WIDTHS[:3], 9, 9), seed=5))
    begun = training.first_state(recipe(), taught(), batch(), make_weights("start", "slim", arrays, OXFORD))
    x = preprocess(jnp.asarray(batch()), OXFORD)
    kept = student.responses(begun["trained"]["student"], x / student.INPUT_SPREAD)
    for layer, R in student.responses(arrays, x, student.CONVS[:8]).items():
        np.testing.assert_allclose(kept[layer] * jnp.std(R) / jnp.std(kept[layer]), R, rtol=2e-3, atol=2e-3)
    assert student.matching(begun["trained"]["student"], arrays) == student.CONVS[:8]


def test_a_teacher_takes_its_first_layers_from_a_later_file(tmp_path):
    rounded, original = (random_vgg19(seed) for seed in (0, 1))
    save(tmp_path / "rounded.safetensors", rounded, "rounded")
    first = {name: array for name, array in original.arrays.items() if name[4] < "3"}
    save(tmp_path / "first.safetensors", make_weights("first", "vgg19", first, OXFORD), "first")
    teacher = read_teacher([str(tmp_path / f"{name}.safetensors") for name in ("rounded", "first")])
    np.testing.assert_array_equal(teacher.arrays["conv2_2.kernel"], original.arrays["conv2_2.kernel"])
    np.testing.assert_array_equal(teacher.arrays["conv3_1.kernel"], rounded.arrays["conv3_1.kernel"])
    with pytest.raises(UserError, match=r"lacks conv3_1.*required for conv5_1"):
        read_teacher([str(tmp_path / "first.safetensors")])


@functools.cache
def slim() -> VGG:
    return VGG(load(SLIM, "slim"))


def test_slim_has_its_layers_within_its_budgets():
    arrays = load(SLIM, "slim").arrays
    assert set(student.CONVS) <= set(slim().convs)
    cost = sum(arrays[f"{layer}.kernel"].size / 4 ** (int(layer[4]) - 1) for layer in student.CONVS)
    assert cost <= 361_152 / 7
    assert SLIM.stat().st_size <= 4_000_000


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_hardly_a_filter_of_slim_is_dead_on_a_photograph(name):
    photo = jnp.asarray(images.fit(images.read(f"sample:{name}"), 256))
    for layer, F in slim()(photo, student.CONVS).items():
        assert np.isfinite(F).all(), layer
        dead = np.flatnonzero(np.asarray(F.max((0, 1, 2))) <= 0)
        # Three rare filters of 176, or seven of 384, may find nothing in a photograph such as a rocket's sky.
        assert dead.size <= 0.02 * F.shape[-1], f"{layer}: {dead}"
