"""Every main program can be lowered for CUDA and TPU, on a machine that has neither."""

import dataclasses
import functools
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from nst_jax.config import Config, NetworkConfig, OptimizerConfig
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.methods.gatys import Session
from nst_jax.networks.convnet import ConvNet
from nst_jax.networks.vgg import VGG
from nst_jax.optimizers import compiler
from nst_jax.optimizers.methods import METHODS, find_method
from nst_jax.transfer.preparing import prepare
from nst_jax.variables.fourier import fourier
from nst_jax.variables.variable import Canvas
from nst_jax.vision import deconvnet
from nst_jax.vision.concepts import concept_search, nmf, position_sample
from nst_jax.vision.maximizing import maximize
from nst_jax.vision.maximizing.maximize import Penalties, Wanted
from nst_jax.vision.maximizing.transforms import Motion
from nst_jax.vision.probing import occlusion
from nst_jax.vision.relevance import Towards
from nst_jax.vision.searching import distributions, top_patches
from scripts.distillation import training
from tests.conftest import formula_weights
from tests.distillation.test_distill import batch, recipe, taught

FLOAT, INT, BOOL = (jax.ShapeDtypeStruct((), dtype) for dtype in (jnp.float32, jnp.int32, bool))
SIDE = 64
GD = OptimizerConfig("gd")  # the smallest program
PICTURE = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)


@pytest.fixture(autouse=True)
def as_on_an_accelerator(monkeypatch):
    """Take the paths that the package takes there: it asks for the default backend while tracing."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    compiler.options.cache_clear()
    yield
    compiler.options.cache_clear()


def lowered(function, *arguments, barriers: bool = False) -> str:
    """Lower for both platforms; an operation that one of them lacks raises, as does a foreign custom call."""
    program = function if hasattr(function, "trace") else jax.jit(function)
    exported = jax.export.export(program, platforms=("cuda", "tpu"))(*arguments)
    assert exported.platforms == ("cuda", "tpu")
    text = exported.mlir_module()
    # The convolutions that are only for CPUs have barriers, and so has the rematerialisation of tiles.
    assert ("optimization_barrier" in text) == barriers
    return text


def advance(jobs: int = 1, arch: str = "slim", **fields) -> str:
    """The program that advances `jobs` runs, as the commands compile it."""
    network = NetworkConfig(arch, weights="random", **fields.pop("network", {}))
    job = prepare(dataclasses.replace(Config(), **{"size": SIDE, "network": network, **fields}))
    session = Session([job] * jobs, jobs)
    stacked = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((jobs, *leaf.shape), leaf.dtype),
        (*session.objectives.shapes(job), FLOAT),
    )
    lane = jax.eval_shape(session.lanes.start, session.network, *stacked)
    arguments = session.network, stacked[0], lane, INT, INT, BOOL
    return lowered(session.lanes.advance, *arguments, barriers=job.config.tile > 0)


@pytest.mark.parametrize("fields", [{}, {"tile": 512}], ids=["whole", "in tiles"])
def test_a_program_has_no_constant_of_the_size_of_its_picture(fields):
    """Above 1024 pixels, where no matrix of a cosine transform remains."""
    program = advance(size=1056, **fields)
    assert max(map(len, program.splitlines())) < 1056 * 100


@functools.cache
def network() -> ConvNet:
    return ConvNet(formula_weights(), "max")


@pytest.mark.parametrize("name", METHODS)
def test_a_run(name):
    program = advance(optimizer=OptimizerConfig(name))
    assert program.count("stablehlo.convolution") >= 2 * 13  # those of the layers, and their gradients
    assert "HIGHEST" in program


@pytest.mark.parametrize("name", ["lbfgs", pytest.param("adam", marks=pytest.mark.slow)])
def test_a_run_of_vgg19(name):
    assert "36x512x512" not in advance(arch="vgg19", optimizer=OptimizerConfig(name))


@pytest.mark.parametrize("name", ["lbfgs", pytest.param("adam", marks=pytest.mark.slow)])
def test_a_batch_of_a_sweep(name):
    assert "tensor<3x" in advance(jobs=3, optimizer=OptimizerConfig(name))


def test_tiles():
    assert "dynamic_slice" in advance(size=160, tile=128, optimizer=GD)


@pytest.mark.parametrize("precision", [pytest.param("tf32", marks=pytest.mark.slow), "bfloat16"])
def test_precisions_of_tensor_cores(precision):
    program = advance(network={"precision": precision}, optimizer=GD)
    assert ("xbf16>" in program) == (precision == "bfloat16")


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["replicate", "reflect", "circular"])
def test_other_borders(padding):
    advance(network={"padding": padding}, optimizer=GD)


def test_all_style_losses():
    advance(style_losses=dict.fromkeys(STYLE_LOSSES, 1.0), style_layers={"conv3_1": 1.0}, optimizer=GD)


@pytest.mark.parametrize("rule", deconvnet.RULES)
def test_projections(rule):
    one = jax.ShapeDtypeStruct((1,), jnp.int32)
    for project, place in ((deconvnet.project, (one,) * 3), (deconvnet.project_map, one)):
        lowered(
            lambda net, x, at, project=project: project.__wrapped__(net, x, "conv4_1", at, rule),
            network(),
            PICTURE,
            place,
        )


@pytest.mark.parametrize("towards", [None, Towards("conv5_1", 2)])
def test_top_patches(towards):
    lists = top_patches.empty_lists(network(), ("conv2_1", "conv4_1"), SIDE, 9)
    pixels, four = jax.ShapeDtypeStruct((4, SIDE, SIDE, 3), jnp.uint8), jax.ShapeDtypeStruct((4,), jnp.int32)
    step = partial(top_patches.step.__wrapped__, classifier=None, towards=towards)
    lowered(step, network(), lists, pixels, four)


def test_distributions_of_maxima():
    counted = {"layer": distributions.nothing_counted(6, 10)}
    found = {"layer": top_patches.nothing_yet(6, 4)}
    lowered(distributions.tally.__wrapped__, counted, found, jax.ShapeDtypeStruct((4,), jnp.int32))


def test_concepts():
    pixels, four = jax.ShapeDtypeStruct((4, SIDE, SIDE, 3), jnp.uint8), jax.ShapeDtypeStruct((4,), jnp.int32)
    sample = position_sample.nothing_drawn(network(), "conv2_1", SIDE, 50)
    draw = partial(position_sample.draw.__wrapped__, layer="conv2_1", key=jax.random.key(0))
    lowered(draw, network(), sample, pixels, four)
    A, W = sample.activation, sample.activation[:3]
    lowered(nmf._descended.__wrapped__, A, nmf.Factors(A[:, :3], W))
    found = concept_search.Survey(W, top_patches.nothing_yet(3, 4), jnp.zeros(3), jnp.zeros(()))
    lowered(partial(concept_search.survey.__wrapped__, layer="conv2_1"), network(), found, pixels, four)


def test_occlusion():
    program = partial(occlusion.look.__wrapped__, layer="conv5_1")
    lowered(program, network(), None, PICTURE)
    settings = occlusion.OcclusionSettings(size=SIDE, square=16, layer="conv3_4")
    program = partial(occlusion._measure.__wrapped__, settings=settings)
    corners = jax.ShapeDtypeStruct((4, 2), jnp.int32)
    lowered(program, network(), None, PICTURE, corners, (INT, INT))


def test_maximisation():
    variable, zero = fourier(), jnp.zeros(())
    basis = variable.init(Canvas(PICTURE.shape[1:3]))
    motions = Motion(jnp.zeros((2, 2)), jnp.zeros(2), jnp.ones(2))
    wanted = Wanted(basis, jnp.ones(6), jnp.ones(()), motions, jnp.int32(0), Penalties(zero, zero))
    optimizer = maximize.maximizer(
        "conv2_1", "channel", variable, find_method(OptimizerConfig("adam"))
    ).optimizer
    state = jax.eval_shape(optimizer.start, network(), wanted, PICTURE, FLOAT)
    lowered(optimizer.advance, network(), wanted, state, INT, INT)


def test_a_step_of_distillation():
    state = jax.eval_shape(lambda: training.blank_state(recipe(), taught()))
    lowered(training.make_update(recipe()), state, VGG(taught()), jnp.asarray(batch()))
