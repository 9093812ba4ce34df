"""The film of a painted clip: MP4 with the clip's sound where ffmpeg is installed, else an animated WebP."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from nst_jax import files
from nst_jax.film import write_film
from nst_jax.images.ffmpeg import ffmpeg, write_mp4
from nst_jax.video.clip_folder import read_frame


def write_clip(folder: Path, frames: Sequence[Path], fps: float, sound: Path | None) -> Path:
    """Write the film of `frames` to `folder` and return its path.

    Raises:
        UserError: the film cannot be written.
    """
    if ffmpeg() is None:
        path = folder / "result.webp"
        write_film(path, [Image.fromarray(read_frame(frame)) for frame in frames], fps)
        return path
    path = folder / "result.mp4"
    with files.atomic(path) as temporary:
        write_mp4(temporary, map(read_frame, frames), fps, sound)
    return path
