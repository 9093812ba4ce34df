"""Painting of a clip on a cluster: chunks of its shots are tasks."""

from tqdm import tqdm

from nst_jax.cluster.driving import Driver
from nst_jax.images.folders import FOLDER
from nst_jax.terminal.signals import StopSignal
from nst_jax.video.carrying import Flows
from nst_jax.video.chunk_task import FileServer, paint_chunk
from nst_jax.video.chunks import Chunk, join_chunks, lines_of, plan_chunks
from nst_jax.video.clip import Clip
from nst_jax.video.frame_painting import FramePainter
from nst_jax.video.packing import packed
from nst_jax.video.passes import pairs_of
from nst_jax.video.reliability import is_cut


def paint_remotely(clip: Clip, painter: FramePainter, stop: StopSignal) -> bool:
    """Paint what is missing of an unpacked clip on the cluster; return False if `stop` received a signal.

    A chunk whose worker dies continues elsewhere after its last frame. Frames are those of a single machine
    up to the first overlap of each shot, but for the rounding of the processors.

    Raises:
        UserError: a chunk failed, after the others have ended.
    """
    shots = _find_shots(clip, stop)
    if shots is None:
        return False
    chunks = plan_chunks(shots, clip.settings.video)
    _paint(clip, painter, chunks, stop)
    if stop.requested:
        return False
    join_chunks(clip.folder, chunks)
    return True


def _find_shots(clip: Clip, stop: StopSignal) -> list[range] | None:
    """Return the frames of each shot; None if `stop` received a signal."""
    video, count = clip.settings.video, clip.folder.clip()["frames"]
    pairs, begins = [(frame, frame - 1) for frame in range(1, count)], [0]
    with Flows(clip.folder, video.flow, pairs) as flows:
        for frame, other in tqdm(pairs, desc="optical flow", unit="pair", dynamic_ncols=True):
            if stop.requested:
                return None
            if is_cut(flows.between(frame, other)[1], video.cut):
                begins.append(frame)
        shots = [range(begin, end) for begin, end in zip(begins, [*begins[1:], count], strict=True)]
        # Workers compute the flow to frames further back, but cannot read files of the user.
        for shot in shots if video.flow.startswith(FOLDER) else ():
            for pair in pairs_of(video, shot):
                flows.between(*pair)
    return shots


def _paint(clip: Clip, painter: FramePainter, chunks: list[Chunk], stop: StopSignal) -> None:
    import ray

    folder = clip.folder
    driver, done = Driver(folder.path), 0
    server = driver.actor(FileServer, str(folder.path.absolute()))
    shared = ray.put(packed(clip.settings)), ray.put(painter.network)  # they travel to each worker once
    for chunk in chunks:
        painted = len(lines_of(chunk, folder))
        if painted == len(chunk.frames):
            done += painted
            continue
        where = f"--cluster: frames {chunk.begin + 1} to {chunk.end}"
        arguments, died = (chunk, *shared, server, driver.inbox), f"{where}: the workers died"
        driver.submit(paint_chunk, *arguments, then=lambda result: None, where=where, died=died)
    total = sum(len(chunk.frames) for chunk in chunks)
    with tqdm(total=total, initial=done, unit="frame", dynamic_ncols=True) as bar:
        driver.wait(stop, bar)
