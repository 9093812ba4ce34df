"""Videos in and out of files by ffmpeg, a program that the package imageio-ffmpeg brings."""

import itertools
import logging
import re
import subprocess
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from nst_jax.errors import UserError

Frame = UInt8[np.ndarray, "h w 3"]
# A line of ffmpeg's log that says what went wrong and where, as in "[in#0 @ 0x56] Invalid data found".
_FROM_COMPONENT = re.compile(r"^\[[^]]*] (.+)$", re.MULTILINE)
# swscale converts by BT.601 unless it is told, but players expect BT.709 of a large picture.
BT709 = ["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709", "-color_primaries", "bt709"]


def ffmpeg() -> Any:
    """Return the module imageio_ffmpeg; None if it is not installed."""
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError:
        return None
    # The child process runs another program at once, so that JAX's threads cannot be in its way.
    warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
    # It warns of frames that are turned, or made square: that is wanted.
    logging.getLogger("imageio_ffmpeg").setLevel(logging.ERROR)
    return imageio_ffmpeg


def read_video(path: Path, size: tuple[int, int], options: Sequence[str]) -> Iterator[Frame]:
    """Yield the frames of a video, of `size` (height, width), to which the `options` of ffmpeg lead.

    Raises:
        UserError: ffmpeg fails. It is started here, because `imageio_ffmpeg.read_frames` takes the end of a
            program that was killed for the end of the video.
    """
    arguments = ["-v", "error", "-i", str(path), *options, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    height, width = size
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [ffmpeg().get_ffmpeg_exe(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to handle
        ) as process,
    ):
        assert process.stdout is not None
        try:
            count = 0
            while len(frame := process.stdout.read(3 * height * width)) == 3 * height * width:
                yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)
                count += 1
            if status := process.wait():
                log.seek(0)
                reason = failure(log.read().decode(errors="replace")) or f"it ended with status {status}"
                raise UserError(f"content: {path}: ffmpeg failed after {count} frames: {reason}")
        finally:
            process.kill()  # of no effect after its end


def write_mp4(path: Path, frames: Iterable[np.ndarray], fps: float, sound: Path | None = None) -> None:
    """Write `frames`, "h w 3" of uint8 and one size, as H.264, with the sound of the file `sound`.

    Colours are stored for squares of four pixels: an odd row or column at the edge is left out. Sound that
    is longer than the frames is cut off, and one that is shorter is followed by silence.

    Raises:
        UserError: imageio-ffmpeg is not installed, or ffmpeg fails.
    """
    program = ffmpeg()
    if program is None:
        raise UserError("--out: MP4 requires a package: pip install imageio-ffmpeg")
    rest = iter(frames)
    first = next(rest)
    height, width = (side - side % 2 for side in first.shape[:2])
    heard = {"audio_path": str(sound), "audio_codec": "aac"} if sound else {}
    options = ["-f", "mp4", *BT709, *(["-af", "apad", "-shortest"] if sound else [])]
    writer = program.write_frames(
        str(path), (width, height), fps=fps, macro_block_size=2, quality=8, output_params=options, **heard
    )
    sent = 0
    try:
        writer.send(None)
        for frame in itertools.chain([first], rest):
            writer.send(np.ascontiguousarray(frame[:height, :width]))
            sent += 1
        writer.close()
        # A program that is killed at the end leaves a file that no player opens, and no other sign.
        written, _ = program.count_frames_and_secs(str(path))
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path}: ffmpeg failed: {failure(str(error)) or 'it was stopped'}") from error
    if written != sent:
        raise UserError(f"{path}: ffmpeg wrote {written} of {sent} frames")


def failure(log: str) -> str:
    """Return the last line of ffmpeg's `log` that names the component that failed, else ''.

    The lines after it say only that nothing else could be done.
    """
    return (_FROM_COMPONENT.findall(log) or [""])[-1]
