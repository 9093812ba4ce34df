"""Frames of a clip: a video file, an animated GIF or WebP, or a folder of numbered pictures."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from jaxtyping import UInt8
from PIL import Image, ImageSequence, UnidentifiedImageError

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.images.ffmpeg import failure, ffmpeg, read_video
from nst_jax.images.folders import FOLDER, folder_pictures
from nst_jax.images.writing import to_bytes

Frame = UInt8[np.ndarray, "h w 3"]
FOLDER_FPS = 25.0  # of numbered pictures, which say nothing about it
# Transfer functions of HDR: PQ and HLG, and the luminance of white paper in them, in nits (ITU-R BT.2408).
HDR, WHITE = ("smpte2084", "arib-std-b67"), 203
# The share of a file's duration from which on its frames count as complete: sound may be a little longer.
COMPLETE = 0.9
ANIMATIONS = ("GIF", "WEBP", "PNG")
_DIGITS = re.compile(r"(\d+)")


class ClipSource(NamedTuple):
    """A clip that is ready to be read; `sound` is the file with its sound, if it has any."""

    length: int  # in frames, about
    fps: float
    size: tuple[int, int]  # height and width
    sound: Path | None
    frames: Callable[[], Iterator[Frame]]  # upright, in order, all of one size


def open_source(content: str) -> ClipSource:
    """Return the clip that `content` names: the path of a file, or `folder:PATH`.

    The frames of a folder are sorted by the numbers in their names: 9.png comes before 10.png.

    Raises:
        UserError: there is no such file, it holds no moving picture, or MP4 and the like need the extra
            `video`.
    """
    if content.startswith(FOLDER):
        return _of_folder(content)
    path = Path(content).expanduser()
    if not path.is_file():
        raise UserError(f"content: no such file: {content}; give a clip, or folder:PATH of numbered pictures")
    return _of_animation(path) or _of_video(path)


def _of_folder(content: str) -> ClipSource:
    folder, names = folder_pictures(content)
    names = sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in _DIGITS.split(name)])

    def frames() -> Iterator[Frame]:
        for name in names:
            frame = to_bytes(images.read(str(folder / name), say=False)[0])
            if frame.shape[:2] != size:
                raise UserError(
                    f"content: {folder / name} has {frame.shape[1]} x {frame.shape[0]} pixels, but the first "
                    f"frame has {size[1]} x {size[0]}"
                )
            yield frame

    first = images.read(str(folder / names[0]), say=False)
    size = (first.shape[1], first.shape[2])
    return ClipSource(len(names), FOLDER_FPS, size, None, frames)


def _of_animation(path: Path) -> ClipSource | None:
    """The frames of an animated picture; None if Pillow does not know the file."""
    try:
        with Image.open(path, formats=ANIMATIONS) as picture:
            count, (width, height) = getattr(picture, "n_frames", 1), picture.size
            durations = []
            for frame in ImageSequence.Iterator(picture):
                frame.load()  # a WebP tells the duration of a frame only then
                durations.append(frame.info.get("duration", 0))
    except (UnidentifiedImageError, OSError):
        return None
    if count < 2:
        raise UserError(f"content: {path} has a single frame; paint it with python -m nst_jax.run")
    average = sum(durations) / len(durations)  # milliseconds; a clip with other ones is evened out

    def frames() -> Iterator[Frame]:
        with Image.open(path, formats=ANIMATIONS) as opened:
            for frame in ImageSequence.Iterator(opened):
                yield np.asarray(frame.convert("RGBA").convert("RGB"))

    return ClipSource(count, 1000 / average if average else FOLDER_FPS, (height, width), None, frames)


def _of_video(path: Path) -> ClipSource:
    program = ffmpeg()
    if program is None:
        raise UserError(
            "content: videos need a package: pip install 'nst-jax[video]'; GIF, WebP and folder:PATH do not"
        )
    try:
        count, seconds = program.count_frames_and_secs(str(path))
        about = _about(program, path, [])
        filters = ["-vf", ",".join(_filters(about["pix_fmt"]))]
        width, height = _about(program, path, filters)["size"]
    except (RuntimeError, OSError, StopIteration, KeyError) as error:
        reason = failure(str(error)) or "no frame can be decoded"
        raise UserError(f"content: {path}: cannot be read as a video: {reason}") from error
    if count < 2:
        raise UserError(f"content: {path} has a single frame; paint a picture with python -m nst_jax.run")
    if seconds < COMPLETE * about.get("duration", 0.0):
        logging.warning(
            "content: %s: its frames end after %.1f s, but the file states %.1f s; it may be incomplete",
            *(path, seconds, about["duration"]),
        )
    fps = float(about["fps"]) or FOLDER_FPS
    # ffmpeg turns upright what a phone has marked as turned, brings 10 bits down to 8, and drops or repeats
    # frames of a variable rate to the average one: there can be more than the file has.
    options = [*filters, "-fps_mode", "cfr", "-r", str(fps)]
    sound = path if about.get("audio_codec") else None
    length = max(count, round(seconds * fps))
    return ClipSource(length, fps, (height, width), sound, lambda: read_video(path, (height, width), options))


def _about(program: Any, path: Path, options: list[str]) -> dict[str, Any]:
    reader = program.read_frames(str(path), output_params=options)
    about: dict[str, Any] = next(reader)
    reader.close()
    return about


def _filters(pixels: str) -> list[str]:
    """The filters of ffmpeg that make frames of a format, such as 'yuv420p(tv, bt709)', sRGB and square."""
    square = ["scale=iw*max(sar\\,1):ih*max(1/sar\\,1)", "setsar=1"]
    if not any(transfer in pixels for transfer in HDR):
        return square
    linear = [f"zscale=t=linear:npl={WHITE}", "format=gbrpf32le", "zscale=p=bt709"]
    return [*linear, "tonemap=mobius:desat=0", "zscale=t=iec61966-2-1:m=gbr:r=full", *square]
