"""One job, from pictures to a picture: targets, then the optimisation at each scale."""

import dataclasses
import time
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import images, objective, report
from nst_jax import weights as trained
from nst_jax.config import Config, NetworkConfig
from nst_jax.errors import UserError
from nst_jax.networks import VGG, mean_activations, normalize_filters
from nst_jax.objective import Problem
from nst_jax.optimize import DivergedError, Optimizer, State, minimize, restore
from nst_jax.record import Recorder
from nst_jax.run_folder import Checkpoint, RunFolder, digest, environment, peak_memory_bytes
from nst_jax.weights import Weights

# The pictures over which `network.normalize` takes its means: fixed, so that a ratio alpha/beta means the
# same from run to run. With the four photos alone, a filter that they hardly stir grew 20 times too large.
NORMALIZATION_SAMPLES = (
    *("sample:astronaut", "sample:chelsea", "sample:coffee", "sample:rocket"),
    *("sample:ink_wash", "sample:stained_glass", "sample:sunset", "sample:swirls"),
)
NORMALIZATION_SIZE = 256
# L-BFGS evaluates 1.05 to 1.15 times a step; the others once.
EVALUATIONS_PER_STEP = 1.1


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything read and checked: what remains is computing."""

    config: Config
    content: np.ndarray
    style: np.ndarray
    start: np.ndarray | None  # None for noise
    network: VGG
    weights: Weights

    def identity(self) -> str:
        """A digest of the inputs, by which a resumed run knows that they are still the same."""
        pictures = [self.content, self.style] + ([] if self.start is None else [self.start])
        return f"{digest(*pictures)} {self.weights.sha256}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came out: the picture, and how it went."""

    image: np.ndarray
    status: str  # 'done' or 'interrupted' or 'diverged'
    steps: int
    evaluations: int
    seconds: float


def prepare(config: Config, network: tuple[VGG, Weights] | None = None) -> Job:
    """Read pictures and weights and build the network, or take one that `load_network` gave before.

    Raises:
        UserError: any of them cannot be used; nothing has been written.
    """
    content, style = _read("content", config.content), _read("style", config.style)
    starts = {"noise": None, "content": content, "style": style}
    start = starts[config.init] if config.init in starts else _read("init", config.init)
    _check_sizes(config, content, style)
    layers = config.active_layers()
    vgg, weights = network or load_network(config.network, layers)
    if missing := [layer for layer in layers if layer not in vgg.layers]:
        raise UserError(f"network.weights: {weights.name} ends before {missing[0]}; it has {vgg.layers}")
    return Job(config, content, style, start, vgg, weights)


def load_network(config: NetworkConfig, layers: Sequence[str]) -> tuple[VGG, Weights]:
    """The network that `config` names, with what it needs to reach all `layers`.

    Raises:
        UserError: the weights cannot be had, or do not reach.
    """
    convs = [layer for layer in layers if layer.startswith("conv")]
    weights = trained.resolve(config.weights, config.arch, convs)
    if config.normalize:
        weights = normalize(weights, config.pool)
    return VGG(weights, config.pool, config.conv, config.precision), weights


def normalize(weights: Weights, pool: str) -> Weights:
    """`weights` with filters of mean activation 1 over the bundled samples (Gatys et al. 2016)."""
    samples = [images.fit(images.read(name), NORMALIZATION_SIZE) for name in NORMALIZATION_SAMPLES]
    return normalize_filters(weights, mean_activations(VGG(weights, pool), [jnp.asarray(s) for s in samples]))


def paint(job: Job, folder: RunFolder, resume: bool = False) -> Outcome:
    """Optimise the picture, coarse to fine, recording into `folder`; the result is saved however it ends.

    Raises:
        UserError: the folder cannot be written, or what it holds cannot be resumed.
    """
    saved = folder.load_checkpoint(job.identity()) if resume else None
    with Recorder(job.config, folder, job.identity(), saved) as recorder:
        if resume and saved is None:
            recorder.rewind(-1)
        try:
            state = _through_scales(job, recorder, saved)
            status = "interrupted" if recorder.interrupted else "done"
        except DivergedError as error:
            state, status = error.state, "diverged"
        seconds = recorder.seconds()
    image = np.asarray(state.image if status == "done" else state.best_image)
    outcome = Outcome(image, status, int(state.step), int(state.evaluations), seconds)
    folder.save_result(outcome.image, record(job, outcome))
    return outcome


def record(job: Job, outcome: Outcome) -> dict[str, object]:
    """What run.json holds of a run that ended."""
    return {
        "status": outcome.status,
        "network": {
            "name": job.weights.name,
            "arch": job.weights.arch,
            "sha256": job.weights.sha256,
        },
        "steps": outcome.steps,
        "evaluations": outcome.evaluations,
        "wall_seconds": round(outcome.seconds, 3),
        "peak_memory_bytes": peak_memory_bytes(),
        **environment(),
    }


def problem_at(job: Job, scale: float) -> Problem:
    """The objective at `scale` times the full size, targets included."""
    content_size, style_size = sizes_at(job, scale)
    content, style = images.resize(job.content, *content_size), images.resize(job.style, *style_size)
    return make_problem(job, jnp.asarray(content), jnp.asarray(style))


def make_problem(job: Job, content: jax.Array, style: jax.Array) -> Problem:
    """The objective whose targets come from these two pictures."""
    config = job.config
    active = config.active_content(), config.active_style()
    weights = objective.loss_weights(config.content_weight, config.style_weight, config.tv_weight, *active)
    return objective.make_problem(job.network, content, style, weights, config.content_loss, config.tile)


def sizes_at(job: Job, scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width of the result and of the style picture at `scale` times the full size."""
    size = job.config.size * scale
    content = images.fitted(job.content.shape[1:3], round(size))
    return content, images.fitted(job.style.shape[1:3], round(size * job.config.style_scale))


def shape_at(job: Job, scale: float) -> tuple[int, ...]:
    """The shape of the result at `scale` times the full size."""
    return (1, *sizes_at(job, scale)[0], 3)


def initial_image(job: Job, scale: float) -> np.ndarray:
    """Where the optimisation begins: white noise, uniform in [0,1], or the picture that `init` names."""
    height, width = shape_at(job, scale)[1:3]
    if job.start is None:
        return np.asarray(jax.random.uniform(jax.random.key(job.config.seed), (1, height, width, 3)))
    return images.resize(job.start, height, width)


def _through_scales(job: Job, recorder: Recorder, saved: Checkpoint | None) -> State:
    """Optimise at each scale in turn, each from the result of the one before."""
    config = job.config
    optimizer = objective.optimizer(config.optimizer)
    state: State | None = None
    for index in range(saved.scale if saved else 0, len(config.scales)):
        problem = problem_at(job, config.scales[index])
        image = initial_image(job, config.scales[index])
        if state is not None:
            image = images.resize(np.asarray(state.image), *image.shape[1:3])
        recorder.enter_scale(index, partial(_terms, problem))
        if index == 0:  # once before the clock runs: it compiles, and touches the memory for the first time
            jax.block_until_ready(optimizer.start(problem, image))
        began = time.monotonic()
        state = _begin(optimizer, problem, image, state, index * config.optimizer.steps)
        seconds = time.monotonic() - began
        if saved is not None:
            state, saved = restore(saved.leaves, state), None
            recorder.rewind(int(state.step))
        elif index == 0:
            recorder.log(state)
        advance = optimizer.advance.lower(problem, state, jnp.int32(1)).compile()
        if index == 0:
            _print_estimate(config, seconds)
        state = minimize(optimizer, problem, state, recorder.stops(), recorder, advance)
        if recorder.interrupted:
            break
    assert state is not None
    return state


def _begin(
    optimizer: Optimizer, problem: Problem, image: np.ndarray, before: State | None, step: int
) -> State:
    """A fresh state at `image` that goes on counting from the scale `before`."""
    state = jax.block_until_ready(optimizer.start(problem, image))
    evaluations = state.evaluations if before is None else state.evaluations + before.evaluations
    return state._replace(step=jnp.int32(step), evaluations=evaluations)


def _print_estimate(config: Config, evaluation: float) -> None:
    """Say how long the run will take, by the seconds of one evaluation at the first scale."""
    pixels = sum((scale / config.scales[0]) ** 2 for scale in config.scales)
    seconds = evaluation * config.optimizer.steps * EVALUATIONS_PER_STEP * pixels
    sizes = " + ".join(str(round(config.size * scale)) for scale in config.scales)
    print(
        f"estimate: {report.duration(seconds)} for {config.optimizer.steps} steps of "
        f"{config.optimizer.name} at {sizes} px",
        flush=True,
    )


def _read(field: str, source: str) -> np.ndarray:
    try:
        return images.read(source)
    except UserError as error:
        choices = "noise, content, style, or a picture; " if field == "init" else ""
        raise UserError(f"{field}: {choices}{error}") from error


def _check_sizes(config: Config, content: np.ndarray, style: np.ndarray) -> None:
    """Refuse pictures that the pooling before the deepest layer would shrink to nothing."""
    deepest = config.active_layers()[-1]
    halvings = int(deepest[4]) - (not deepest.startswith("pool"))
    size = config.size * min(config.scales)
    for field, picture, longer in (
        ("size", content, size),
        ("style_scale", style, size * config.style_scale),
    ):
        shorter = longer * min(picture.shape[1:3]) / max(picture.shape[1:3])
        if round(shorter) < 2**halvings:
            raise UserError(
                f"{field}: {getattr(config, field)} leaves a shorter side of {shorter:.0f} pixels; "
                f"{deepest} needs {2**halvings}"
            )


_terms = jax.jit(objective.terms)
