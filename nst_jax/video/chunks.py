"""Chunks of a clip that different machines paint: where they begin, and how their frames are joined."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from nst_jax import files
from nst_jax.errors import UserError
from nst_jax.images.writing import to_bytes
from nst_jax.video.carrying import temporal_error
from nst_jax.video.clip_folder import ClipFolder, Frame, floats, read_frame, write_frame
from nst_jax.video.settings import VideoConfig

CHUNKS = "chunks"  # the folder of all chunks, in the run folder
STROKES = 2.0  # pixels: the standard deviation of the blur that strokes do not survive
TINY = 1e-12


class Chunk(NamedTuple):
    """Frames of one shot, from `begin` to before `end`."""

    shot: int  # its first frame
    begin: int
    end: int

    @property
    def frames(self) -> range:
        """The numbers of its frames in the clip."""
        return range(self.begin, self.end)

    @property
    def folder(self) -> str:
        """The folder of its files, relative to the run's."""
        return f"{CHUNKS}/{self.begin:06d}"


def plan_chunks(shots: Sequence[range], video: VideoConfig) -> list[Chunk]:
    """Divide each shot into chunks that overlap; no frame is in more than two."""
    return [
        Chunk(shot.start, begin, min(begin + video.chunk, shot.stop))
        for shot in shots
        # A rest that is no longer than the overlap is in the chunk before.
        for begin in range(
            shot.start, max(shot.stop - video.overlap, shot.start + 1), video.chunk - video.overlap
        )
    ]


def later_share(frame: int, earlier: Chunk, later: Chunk) -> float:
    """Return the weight of the later of two chunks in a frame of both; that of the other is the rest to 1."""
    return (frame - later.begin + 1) / (earlier.end - later.begin + 1)


def cross_faded(earlier: Frame, later: Frame, share: float) -> Frame:
    """Return a mix of two paintings of a frame, in which `share` is that of the later one.

    Different strokes cancel in part: halfway, a quarter of their contrast would be lost, for these frames
    only, which shows as a pulse. What is finer than `STROKES` keeps the contrast of the paintings.
    """
    pair = np.stack([floats(picture)[0] for picture in (earlier, later)])
    coarse = gaussian_filter(pair, (0, STROKES, STROKES, 0))
    fine, mixed = pair - coarse, partial(np.average, axis=0, weights=(1 - share, share))
    wanted, found = mixed(np.square(fine).mean((1, 2, 3))), np.square(mixed(fine)).mean()
    return to_bytes(mixed(coarse) + np.sqrt(wanted / max(found, TINY)) * mixed(fine))


def lines_of(chunk: Chunk, folder: ClipFolder) -> dict[int, dict[str, Any]]:
    """Return the lines of the frames of a chunk that have been painted, by frame."""
    home = ClipFolder(folder.path / chunk.folder)
    lines = home.metrics.read()
    return {line["frame"]: line for line in lines if home.painted(line["frame"], 1, True).exists()}


def require_alike(folder: ClipFolder, on_cluster: bool) -> None:
    """Check that a clip is resumed as it was begun: by chunks on a cluster, or as a whole.

    Raises:
        UserError: it is not.
    """
    if on_cluster and folder.metrics.read() and not (folder.path / CHUNKS).exists():
        raise UserError(f"--cluster: {folder.path} was begun on one machine; resume it without --cluster")
    if not on_cluster and (folder.path / CHUNKS).exists():
        raise UserError(f"--resume: {folder.path} was begun on a cluster; add --cluster")


def join_chunks(folder: ClipFolder, chunks: Sequence[Chunk]) -> None:
    """Write the frames of all chunks, cross-faded where two overlap, and their lines in metrics.jsonl.

    A cross-faded frame has the line of the chunk that it shows more of, with a temporal error of its own.

    Raises:
        UserError: a file cannot be read or written.
    """
    found = {chunk: lines_of(chunk, folder) for chunk in chunks}
    parts: dict[int, list[Chunk]] = {}
    for chunk in chunks:
        for frame in chunk.frames:
            parts.setdefault(frame, []).append(chunk)
    lines, last = [], None
    for frame in sorted(parts):
        picture, chunk = _joined(folder, frame, parts[frame])
        write_frame(folder.painted(frame, 1, True), picture)
        line = found[chunk][frame] | {"shot": chunk.shot}
        joined = len(parts[frame]) > 1 or parts.get(frame - 1) != parts[frame]
        if joined and frame > chunk.shot and last is not None and (flow := folder.flow(frame, frame - 1)):
            line["temporal_error"] = temporal_error(picture, last, *flow)
        lines.append(line)
        last = picture
    files.write_text(folder.metrics.path, "".join(json.dumps(line) + "\n" for line in lines))


def _joined(folder: ClipFolder, frame: int, parts: Sequence[Chunk]) -> tuple[Frame, Chunk]:
    """Return a frame, and the one of its chunks that it shows more of."""
    pictures = [read_frame(ClipFolder(folder.path / chunk.folder).painted(frame, 1, True)) for chunk in parts]
    if len(parts) == 1:
        return pictures[0], parts[0]
    share = later_share(frame, *parts)
    return cross_faded(pictures[0], pictures[1], share), parts[share >= 0.5]
