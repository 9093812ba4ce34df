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
from nst_jax.transfer import memory
from nst_jax.transfer.job import Job
from nst_jax.transfer.minimizing import MinimizingSession
from nst_jax.transfer.programs import Programs
from nst_jax.variables.pixels import grayed
from nst_jax.variables.pyramid import PYRAMID
from nst_jax.variables.variable import on_pictures


class NNSTSession(MinimizingSession):
    """Paints jobs one after another by NNST, with one program per stage and size.

    Kolkin et al. 2022 (arXiv 2203.13215). At each scale, the features of the content are replaced by the
    nearest ones of the style, and the picture is optimised to have these; at full size, each layer is then
    drawn to its own nearest features of the style. The result of a scale is enlarged by Lanczos resampling,
    as everywhere in this package; the authors enlarge it bilinearly.
    """

    keeps_start = True  # the features that it replaces are in the target

    def __init__(self, jobs: Sequence[Job], width: int | None = None):
        """Prepare programs for `jobs`, all of one group; `width` has no effect."""
        one, shapes = jobs[:1], lambda: self.shapes(jobs[0])[0]
        matching = Programs(on_pictures(PYRAMID, matching_and_terms), one, 1, shapes)
        splitting = Programs(on_pictures(PYRAMID, splitting_and_terms), one, 1, shapes, at_step=at_step)
        super().__init__(jobs, PYRAMID, matching, splitting)
        # Weights may end before the deepest layer of the paper.
        self.layers = tuple(layer for layer in self.config.active_layers() if layer in self.network.layers)

    @property
    def note(self) -> str:
        """A line that says if the network is not the paper's, or the empty string."""
        weights = self._job.weights
        if (weights.arch, weights.preprocessing) == ("vgg16", TORCHVISION):
            return ""
        return f"note: NNST on another network than the paper's: {weights.name}, not vgg16-torchvision"

    def data(self, job: Job, stage: Stage, start: np.ndarray) -> Matching | Splitting:
        """Return what the loss at `stage` depends on."""
        if stage.extra:
            return self.splitting(job, _style_pictures(job, 1.0))
        return self.matching(job, stage, start)

    def finish(self, job: Job, picture: np.ndarray) -> np.ndarray:
        """Return `picture` in the colours of the style if `nnst.color`, see `nst_jax.nnst.recoloring`."""
        if not job.config.nnst.color:
            return super().finish(job, picture)
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

    def shapes(self, job: Job) -> list[tuple[Any, Any]]:
        """Return the shapes of what matching and splitting at full size depend on, and of the pyramid."""
        basis = PYRAMID.init(job.canvas_at(1.0))
        picture = jax.ShapeDtypeStruct(job.shape_at(1.0), jnp.float32)
        pyramid = jax.eval_shape(PYRAMID.encode, basis, picture)
        in_use: list[Any] = [Matching(self._columns(job.size_at(1.0)), basis)]
        if job.config.nnst.splitting:
            sizes = [
                job.style_size(style, picture, 1.0) for style in job.styles for picture in style.pictures
            ]
            turned = [size[:: (-1) ** turn] for size in sizes for turn in range(_turns(job))]
            styles = [jax.ShapeDtypeStruct((1, *size, 3), jnp.float32) for size in turned]
            in_use.append(jax.eval_shape(lambda styles: self.splitting(job, styles), styles))
        return [(data, pyramid) for data in in_use]

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


NNST = TransferMethod(open=NNSTSession)
