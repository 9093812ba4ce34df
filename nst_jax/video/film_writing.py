"""The film of a painted clip: MP4 with the clip's sound where ffmpeg is installed, else an animated WebP."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nst_jax import files
from nst_jax.errors import UserError
from nst_jax.film import write_film
from nst_jax.video.clip_folder import read_frame
from nst_jax.video.clip_sources import ffmpeg

QUALITY = 8  # of imageio-ffmpeg, of 10


def write_clip(folder: Path, frames: Sequence[Path], fps: float, sound: Path | None) -> Path:
    """Write the film of `frames` to `folder` and return its path.

    H.264 stores colours for squares of four pixels: an odd row or column at the edge is left out.

    Raises:
        UserError: the film cannot be written.
    """
    program = ffmpeg()
    if program is None:
        path = folder / "result.webp"
        write_film(path, [Image.fromarray(read_frame(frame)) for frame in frames], fps)
        return path
    path = folder / "result.mp4"
    height, width = (side - side % 2 for side in read_frame(frames[0]).shape[:2])
    with files.atomic(path) as temporary:
        writer = program.write_frames(
            str(temporary),
            (width, height),
            fps=fps,
            macro_block_size=2,
            quality=QUALITY,
            audio_path=str(sound) if sound else None,
            audio_codec="aac" if sound else None,
            output_params=["-f", "mp4", *(["-shortest"] if sound else [])],
        )
        try:
            writer.send(None)
            for frame in frames:
                writer.send(np.ascontiguousarray(read_frame(frame)[:height, :width]))
            writer.close()
        except (OSError, RuntimeError) as error:
            raise UserError(f"{path}: ffmpeg failed: {str(error).strip().splitlines()[-1]}") from error
    return path
