"""NNST: the picture whose features are the nearest ones of the style (Kolkin et al. 2022)."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nst_jax import images
from nst_jax.config.stages import Stage
from nst_jax.methods.transfer_method import TransferMethod
from nst_jax.networks.trained import TORCHVISION
from nst_jax.nnst.hypercolumns import TURNS, hypercolumns, turned_copies
from nst_jax.nnst.matching import Matching, blended, matching_and_terms, replaced
from nst_jax.nnst.neighbors import pairs_together
from nst_jax.nnst.recoloring import recolored
from nst_jax.nnst.splitting import Splitting, at_step, splitting_and_terms, style_features
from nst_jax.optimizers import compiler
from nst_jax.optimizers.lanes import Lanes
from nst_jax.optimizers.loop import Loop
from nst_jax.optimizers.methods import find_method
from nst_jax.optimizers.optimizer import Optimizer
from nst_jax.transfer import memory
from nst_jax.transfer.finish import finished
from nst_jax.transfer.job import Job
from nst_jax.variables.pixels import grayed
from nst_jax.variables.pyramid import PYRAMID
from nst_jax.variables.variable import on_pictures


class NNSTSession:
    """Paints jobs one after another by NNST, with one program per stage and size.

    Kolkin et al. 2022 (arXiv 2203.13215). At each scale, the features of the content are replaced by the
    nearest ones of the style, and the picture is optimised to have these; at full size, each layer is then
    drawn to its own nearest features of the style. The result of a scale is enlarged by Lanczos resampling,
    as everywhere in this package; the authors enlarge it bilinearly.
    """

    keeps_start = True  # the features that it replaces are in the target

    def __init__(self, jobs: Sequence[Job], width: int | None = None):
        """Prepare programs for `jobs`, all of one group; `width` has no effect."""
        self._job = jobs[0]
        self.config = jobs[0].config
        self.width = 1
        method, devices = find_method(self.config.optimizer), jax.devices()[:1]
        bfloat16 = compiler.holds_bfloat16(self._job.network)
        matching = Optimizer(on_pictures(PYRAMID, matching_and_terms), method)
        self.lanes = Lanes(matching, self.width, devices, bfloat16)
        splitting = Optimizer(on_pictures(PYRAMID, splitting_and_terms), method, at_step)
        self._splitting = Lanes(splitting, self.width, devices, bfloat16)
        self.network = self.lanes.replicate(jobs[0].network)
        self.layers = tuple(layer for layer in self.config.active_layers() if layer in jobs[0].network.layers)

    @property
    def note(self) -> str:
        """A line that says if the network is not the paper's, or the empty string."""
        weights = self._job.weights
        if (weights.arch, weights.preprocessing) == ("vgg16", TORCHVISION):
            return ""
        return f"note: NNST on another network than the paper's: {weights.name}, not vgg16-torchvision"

    @property
    def compilations(self) -> int:
        """Number of step programs compiled so far: one per scale, and one for feature splitting."""
        return self.lanes.advance._cache_size() + self._splitting.advance._cache_size()

    def begin(self, jobs: Sequence[Job], stage: Stage, pictures: np.ndarray) -> Loop:
        """Start the only one of `jobs` at `stage`, from its initial picture."""
        (job,), (start,) = jobs, pictures
        if stage.extra:
            data: Any = self.splitting(job, _style_pictures(job, 1.0))
        else:
            data = self.matching(job, stage, start)
        stacked = jax.tree.map(lambda leaf: leaf[jnp.newaxis], data)
        pyramids = np.asarray(_encode(data.basis, start))[np.newaxis]
        lanes = self._splitting if stage.extra else self.lanes
        return Loop(lanes, self.network, stacked, pyramids, [job.config.optimizer.learning_rate])

    def picture(self, job: Job, stage: Stage, array: np.ndarray) -> np.ndarray:
        """Return the picture of a pyramid, the optimised `array`."""
        return np.asarray(_decode(PYRAMID.init(job.canvas_at(stage.scale)), array))

    def finish(self, job: Job, picture: np.ndarray) -> np.ndarray:
        """Return `picture` in the colours of the style if `nnst.color`, see `nst_jax.nnst.recoloring`."""
        if not job.config.nnst.color:
            return finished(job, picture)
        content = images.resize(job.content, *picture.shape[1:3])
        picture = recolored(picture, content, job.styles[0].pictures)
        return grayed(picture) if job.gray else picture

    def reported(self, job: Job) -> set[str]:
        """Return the names of the distances by layer."""
        return {f"splitting/{layer}" for layer in job.config.active_layers()}

    def matching(self, job: Job, stage: Stage, start: np.ndarray) -> Matching:
        """Return the target of a scale; at the first one, the features of the content alone are replaced."""
        canvas = job.canvas_at(stage.scale)
        alpha = job.config.nnst.alpha if stage.number else 1.0
        image = blended(images.resize(job.content, *canvas.size), start, alpha)
        styles = _style_pictures(job, stage.scale)
        target = replaced(self.network, image, styles, self.layers)
        return Matching(target, PYRAMID.init(canvas))

    def splitting(self, job: Job, styles: Sequence[Any]) -> Splitting:
        """Return what feature splitting at full size depends on, from the pictures of the style."""
        seed = job.config.seed
        features = style_features(self.network, styles, self.layers, seed)
        return Splitting(features, jnp.uint32(seed), jnp.int32(0), PYRAMID.init(job.canvas_at(1.0)))

    def lane_bytes(self) -> int:
        """Memory of the only lane at full size, in bytes."""
        return self.step_bytes(self._job)

    def step_bytes(self, job: Job) -> int:
        """Memory of the larger one of the step programs of `job` at full size, in bytes."""
        basis = PYRAMID.init(job.canvas_at(1.0))
        pyramid = jax.eval_shape(_encode, basis, jax.ShapeDtypeStruct(job.shape_at(1.0), jnp.float32))
        columns = self._columns(job.size_at(1.0))
        matching: Any = jax.eval_shape(lambda columns: Matching(columns, basis), columns)
        needed = memory.advance_bytes(self.lanes, self.network, matching, pyramid)
        if not job.config.nnst.splitting:
            return needed
        sizes = [job.style_size(style, picture, 1.0) for style in job.styles for picture in style.pictures]
        turned = [size[:: (-1) ** turn] for size in sizes for turn in range(_turns(job))]
        styles = [jax.ShapeDtypeStruct((1, *size, 3), jnp.float32) for size in turned]
        splitting: Any = jax.eval_shape(lambda styles: self.splitting(job, styles), styles)
        return max(needed, memory.advance_bytes(self._splitting, self.network, splitting, pyramid))

    def target_bytes(self, job: Job) -> int:
        """Memory for the search at full size, in bytes: columns and distances."""
        sizes = [job.size_at(1.0)]
        sizes += [job.style_size(job.styles[0], picture, 1.0) for picture in job.styles[0].pictures]
        columns = [memory.tree_bytes(self._columns(size)) for size in sizes]
        return 3 * columns[0] + 2 * max(columns[1:]) + 2 * 4 * pairs_together()

    def _columns(self, size: tuple[int, int]) -> Any:
        """The shapes of the columns of a picture."""
        image = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
        return jax.eval_shape(lambda x: hypercolumns(self.network, x, self.layers), image)


def _style_pictures(job: Job, scale: float) -> list[np.ndarray]:
    """The style's pictures at a scale, with their rotations if the config asks for them."""
    (style,) = job.styles
    pictures = [images.resize(picture, *job.style_size(style, picture, scale)) for picture in style.pictures]
    return [turned for picture in pictures for turned in turned_copies(picture, _turns(job))]


def _turns(job: Job) -> int:
    return TURNS if job.config.nnst.rotations else 1


_encode = jax.jit(PYRAMID.encode)
_decode = jax.jit(PYRAMID.decode)

NNST = TransferMethod(open=NNSTSession)
