"""Style transfer of clips from Python."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from absl import logging
from PIL import Image

from nst_jax.api.inputs import Picture, base_config, changes, saved_pictures
from nst_jax.config.fields import from_config
from nst_jax.config.overriding import override
from nst_jax.runs.folder import require_free
from nst_jax.storage.locks import claimed
from nst_jax.video.clip import Clip
from nst_jax.video.clip_folder import read_frame
from nst_jax.video.settings import VideoSettings


class VideoFrame(NamedTuple):
    """A frame of a painted clip; `metrics` is the line that was logged for it."""

    number: int  # from 0
    frames: int  # of the whole clip
    image: Image.Image
    metrics: dict[str, Any]


def stylize_video(
    clip: str | Path,
    style: Picture,
    config: str | Mapping[str, Any] = "video",
    *,
    workdir: str | Path | None = None,
    **fields: Any,
) -> Iterator[VideoFrame]:
    """Render a clip in the style of a picture; yield its frames as they are finished.

    `clip` is a video, an animated GIF or WebP, or `folder:PATH` of numbered pictures; `style`, `config` and
    `fields` are those of `stylize`, with `video__steps` and the like for the section `video`. With several
    passes, the frames of the last one are yielded, which may go backwards. `workdir` keeps the run folder, as
    of `python -m nst_jax.video`, with result.mp4 or result.webp once the iterator is exhausted.

    Raises:
        UserError: the clip, a picture, the weights or a field cannot be used; the message names it.
    """
    with contextlib.ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nst_jax-")))
        folder = Path(workdir or temporary / "clip")
        require_free(folder)
        changed = changes(saved_pictures({"style": style}, temporary) | fields)
        base = override(base_config(config), changed | {"content": str(clip)})
        stack.enter_context(claimed(folder))
        painted = Clip(from_config(VideoSettings, base), folder, logging.info)
        painter = painted.prepare()
        for _ in painted.unpack():
            pass
        lines, seconds = painted.paint(painter, lambda look: True), 0.0
        about, passes = painted.folder.clip(), painted.settings.video.passes
        for line in lines:
            seconds += line["seconds"]
            if line["pass"] == passes:
                picture = Image.fromarray(read_frame(painted.folder.painted(line["frame"], passes, True)))
                yield VideoFrame(line["frame"], about["frames"], picture, line)
        if workdir:
            painted.finish(painter, seconds)
