"""Style transfer of a clip, from its source to the film; what the command and the Python API share."""

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nst_jax import files, images
from nst_jax.config import to_dict
from nst_jax.errors import UserError
from nst_jax.figures.sheets import contact_sheet
from nst_jax.methods.estimate import require_memory
from nst_jax.methods.speed import predicted_seconds
from nst_jax.optimizers.loop import Watch
from nst_jax.runs.folder import require_same
from nst_jax.runs.machine import environment, peak_memory_bytes
from nst_jax.runs.progress import byte_count, roughly
from nst_jax.video.chunks import CHUNKS
from nst_jax.video.clip_folder import ClipFolder, floats, read_frame, require_space
from nst_jax.video.clip_sources import ClipSource, open_source
from nst_jax.video.film_writing import write_clip
from nst_jax.video.flow import flow_named
from nst_jax.video.frame_painting import FramePainter
from nst_jax.video.passes import paint_frames
from nst_jax.video.reliability import nothing_known
from nst_jax.video.settings import VideoSettings


class Clip:
    """A clip that is being painted in a run folder."""

    def __init__(
        self, settings: VideoSettings, path: Path, say: Callable[[str], None] = print, in_chunks: bool = False
    ):
        """Check the settings, the source and the disk; nothing is written yet.

        `say` is told what is worth a line. If the clip will be painted `in_chunks`, on a cluster, they are
        kept until they are joined.

        Raises:
            UserError: the clip cannot be read, or does not fit on the disk, or the folder holds another one.
        """
        self.settings, self.folder, self._say = settings, ClipFolder(path), say
        video = settings.video
        if not video.flow.startswith("folder:"):
            flow_named(video.flow)
        self._begun = (path / "config.json").exists()
        if self._begun:
            saved = json.loads((path / "config.json").read_text(encoding="utf-8"))
            require_same(to_dict(settings), saved)
        self._source: ClipSource | None = None
        if clip := self.folder.clip():
            self._length = clip["frames"]
            return
        self._source = open_source(settings.content)
        self._length = -(-self._source.length // video.every)
        count = self._length = min(self._length, video.frames or self._length)
        height, width = images.fitted(self._source.size, settings.size)
        # Chunks hold the frames of their overlaps twice.
        painted = 1 + video.chunk / (video.chunk - video.overlap) if in_chunks else video.passes
        needed = require_space(path, count, height * width, len(video.references), painted)
        say(f"clip: about {count} frames of {width} x {height} px, {byte_count(needed)} on disk")

    def unpack(self) -> Iterator[int]:
        """Write the frames of the clip into the folder, unless they are there; yield how many are.

        Raises:
            UserError: a frame cannot be decoded or written, or there are fewer than two.
        """
        if self._source is None:
            return
        if not self._begun:
            files.write_json(self.folder.path / "config.json", to_dict(self.settings))
        video, source = self.settings.video, self._source
        taken = (frame for index, frame in enumerate(source.frames()) if index % video.every == 0)
        about = {"fps": source.fps / video.every, "sound": source.sound and str(source.sound)}
        limited = itertools.islice(taken, video.frames or None)
        yield from self.folder.unpack(limited, self.settings.size, about)
        if self.folder.clip()["frames"] < 2:
            raise UserError("content, video.frames, video.every: a clip needs at least two frames")

    def prepare(self) -> FramePainter:
        """Load what painting needs, and say how much memory and time it will take; nothing is written yet.

        Raises:
            UserError: it does not fit, or a picture or a setting cannot be used.
        """
        painter = FramePainter(self.settings)
        for name, masks in painter.masks.items():
            if len(masks) < self._length:
                raise UserError(f"styles.{name}.region: {len(masks)} masks, but about {self._length} frames")
        with tempfile.TemporaryDirectory(prefix="nst_jax-") as temporary:
            folder = self.folder
            if self._source:
                folder = ClipFolder(Path(temporary))
                # Not enlarged: whether that fits into memory is what is to be found out.
                size = min(self.settings.size, max(self._source.size))
                list(folder.unpack(itertools.islice(self._source.frames(), 1), size, {}))
            content = folder.content(0)
            nothing = nothing_known(read_frame(content))
            try:
                jobs = painter.job(content, 0), painter.job(content, 0, nothing, nothing.picture[None])
            except UserError as error:  # its user knows the clip, not the file of a frame
                message = error.message.replace(str(content), self.settings.content)
                raise UserError(message, error.tail) from error
        memory = max(require_memory(painter.session(job), job) for job in jobs)
        first, other = (predicted_seconds(job) for job in jobs)
        left = self._length * self.settings.video.passes - len(self.folder.metrics.read())
        time = f", {roughly(first + (left - 1) * other)} for {left} frames at most" if first and other else ""
        self._say(f"estimate: {byte_count(memory)} of memory{time}")
        return painter

    def paint(self, painter: FramePainter, watch: Watch) -> Iterator[dict[str, Any]]:
        """Paint all frames that are missing; yield the line of each, also of those that are there.

        Ends early if `watch` returns False.

        Raises:
            UserError: the disk is full, or a frame cannot be painted.
        """
        frames = range(self.folder.clip()["frames"])
        yield from paint_frames(self.folder, painter, self.settings.video, frames, watch)

    def finish(self, painter: FramePainter, seconds: float) -> Path:
        """Write the film, sheet.png and run.json; return the film.

        Raises:
            UserError: a file cannot be written.
        """
        clip, video = self.folder.clip(), self.settings.video
        frames = [self.folder.painted(frame, video.passes, True) for frame in range(clip["frames"])]
        sound = Path(clip["sound"]) if clip.get("sound") and not video.frames else None
        film = write_clip(self.folder.path, frames, clip["fps"], sound)
        shown = np.linspace(0, len(frames) - 1, min(video.sheet, len(frames))).round().astype(int).tolist()
        rows = [
            [(str(index + 1), floats(read_frame(path(index)))) for index in shown]
            for path in (self.folder.content, lambda index: frames[index])
        ]
        images.write(self.folder.path / "sheet.png", contact_sheet(rows, 160))
        weights = painter.weights
        record = {
            "status": "done",
            "network": {"name": weights.name, "arch": weights.arch, "sha256": weights.sha256},
            "frames": len(frames),
            "wall_seconds": round(seconds, 3),
            "peak_memory_bytes": peak_memory_bytes(),
            **environment(),
        }
        files.write_json(self.folder.path / "run.json", record)
        shutil.rmtree(self.folder.path / CHUNKS, ignore_errors=True)  # of a cluster: they have been joined
        return film
