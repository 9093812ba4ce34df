"""The frames of a clip, one after another: what each follows from, where it starts, and how well it fits.

Ruder, Dosovitskiy & Brox 2016 (arXiv 1604.08610): sections 4.1 to 4.4.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nst_jax.images.color import match_moments
from nst_jax.optimizers.loop import Watch
from nst_jax.video.carrying import Flows, carried_to, temporal_error
from nst_jax.video.clip_folder import ClipFolder, Frame, floats, read_frame, write_frame
from nst_jax.video.frame_painting import FramePainter, Painted
from nst_jax.video.reliability import Carried, is_cut, nothing_known
from nst_jax.video.settings import VideoConfig

BLEND = 1.0  # delta in section 4.4: how far a later pass starts from its neighbour


def pairs_of(video: VideoConfig, frames: range) -> list[tuple[int, int]]:
    """Return the frames and those they are compared with, in the order in which passes need them."""
    pairs = []
    for number in range(1, min(video.passes, 2) + 1):
        for frame in order_of(number, frames):
            for distance in sorted(video.references):
                other = frame - distance if number % 2 else frame + distance
                if other in frames:
                    pairs.append((frame, other))
    return pairs


def order_of(number: int, frames: range) -> range:
    """The frames in the order of pass `number`, from 1: forwards, backwards, and so on."""
    return frames if number % 2 else frames[::-1]


def paint_frames(
    folder: ClipFolder, painter: FramePainter, video: VideoConfig, frames: range, watch: Watch
) -> Iterator[dict[str, Any]]:
    """Paint those of `frames` that are missing; yield the line of each, also of those that are there.

    Ends early if `watch` returns False.

    Raises:
        UserError: the disk is full, or a frame cannot be painted.
    """
    folder.keep_whole_lines(
        lambda line: folder.painted(line["frame"], line["pass"], line["pass"] == video.passes)
    )
    with Flows(folder, video.flow, pairs_of(video, frames)) as flows:
        yield from Passes(folder, painter, video, flows, frames).run(watch)


class Passes:
    """The passes over a clip, or a part of it, from where its folder says that they are."""

    def __init__(
        self, folder: ClipFolder, painter: FramePainter, video: VideoConfig, flows: Flows, frames: range
    ):
        """Paint nothing yet; the first of `frames` follows from no other."""
        self._folder, self._painter, self._video = folder, painter, video
        self._flows, self._frames = flows, frames
        self._shots: dict[int, int] = {}  # the first frame of each frame's shot, which the first pass finds

    def run(self, watch: Watch) -> Iterator[dict[str, Any]]:
        """Paint what is missing; yield the line of each frame, also of those that are there already.

        Ends early if `watch` returns False.

        Raises:
            UserError: the disk is full, or a frame cannot be painted.
        """
        there = {(line["pass"], line["frame"]): line for line in self._folder.metrics.read()}
        for number in range(1, self._video.passes + 1):
            for frame in order_of(number, self._frames):
                line = there.get((number, frame))
                if line is None:
                    line = self._painted(number, frame, watch)
                if line is None:
                    return
                self._shots.setdefault(frame, line["shot"])
                yield line

    def _painted(self, number: int, frame: int, watch: Watch) -> dict[str, Any] | None:
        """Paint a frame, write it and its line; None if `watch` stopped it."""
        began = time.monotonic()
        shot, others = self._followed(number, frame)
        known = carried_to(self._flows, frame, others, self._reader(number)) if others else None
        content = self._folder.content(frame)
        if known is None and number == 1:
            job = self._painter.job(content, frame)
        else:
            known = known or nothing_known(read_frame(content))
            job = self._painter.job(content, frame, known, self._start(number, frame, others, known))
        painted = self._painter.paint(job, watch)
        if painted is None:
            return None
        write_frame(self._folder.painted(frame, number, number == self._video.passes), painted.picture)
        line = {
            "frame": frame,
            "pass": number,
            "shot": shot,
            "step": painted.steps,
            "evaluations": painted.evaluations,
            "seconds": round(time.monotonic() - began, 3),
            "scale": 1.0,
            **self._temporal_error(number, frame, others, painted),
            **painted.terms,
        }
        self._folder.metrics.write(line)
        return line

    def _followed(self, number: int, frame: int) -> tuple[int, tuple[int, ...]]:
        """Return the first frame of the shot, and those that `frame` follows from, the closest first."""
        sign = 1 if number % 2 else -1
        others = [frame - sign * distance for distance in sorted(self._video.references)]
        others = [other for other in others if other in self._frames]
        if number > 1:
            shot = self._shots[frame]
            return shot, tuple(other for other in others if self._shots[other] == shot)
        if frame == self._frames.start:
            return frame, ()
        _, weight = self._flows.between(frame, frame - 1)
        if is_cut(weight, self._video.cut):
            return frame, ()
        shot = self._shots[frame - 1]
        return shot, tuple(other for other in others if other >= shot)

    def _start(self, number: int, frame: int, others: tuple[int, ...], known: Carried) -> np.ndarray:
        """Return the initial picture: earlier frames, moved, and in later passes the last result."""
        weight = known.weight[..., None]
        if number == 1:
            # Otherwise what comes into view keeps the photo's colours: a few steps change strokes only.
            last = floats(self._reader(number)(others[0]))
            own = match_moments(floats(read_frame(self._folder.content(frame))), last)
            return weight * known.picture + (1 - weight) * own
        own = floats(read_frame(self._folder.painted(frame, number - 1, False)))
        return (own + BLEND * weight * known.picture) / (1 + BLEND * weight)

    def _temporal_error(
        self, number: int, frame: int, others: tuple[int, ...], painted: Painted
    ) -> dict[str, float]:
        """The entry of a frame's line, if it follows from others."""
        if not others:
            return {}
        flow, weight = self._flows.between(frame, others[0])
        error = temporal_error(painted.picture, self._reader(number)(others[0]), flow, weight)
        return {"temporal_error": error}

    def _reader(self, number: int) -> Callable[[int], Frame]:
        last = number == self._video.passes
        return lambda other: read_frame(self._folder.painted(other, number, last))
