"""What a worker does: it paints a chunk of a clip, and sends the frames home one by one."""

from pathlib import Path
from typing import Any

from nst_jax import cli, files
from nst_jax.cluster.inbox import Outbox, attempted
from nst_jax.networks.network import Network
from nst_jax.networks.trained import Weights
from nst_jax.video.chunks import Chunk
from nst_jax.video.clip_folder import FLOW_SUFFIX, ClipFolder
from nst_jax.video.frame_painting import FramePainter
from nst_jax.video.packing import Packed, unpacked
from nst_jax.video.passes import paint_frames, pairs_of
from nst_jax.video.settings import VideoConfig


class FileServer:
    """Sends files of the driver's machine to workers."""

    def __init__(self, folder: str):
        """Send those of `folder`, an absolute path."""
        self._folder = Path(folder)

    def read(self, name: str) -> bytes | None:
        """Return the contents of a file; None if it is not there."""
        path = self._folder / name
        return path.read_bytes() if path.exists() else None


def paint_chunk(
    chunk: Chunk, styles: Packed, network: tuple[Network, Weights], server: Any, inbox: Any
) -> None:
    """Paint a chunk in a temporary folder, from where an earlier attempt ended.

    `server` and `inbox` are the handles of a remote `FileServer` of the run folder and of a remote `Inbox`.

    Raises:
        UserError: a frame cannot be painted here, for instance because the disk of this machine is full.
    """
    cli.use_compilation_cache()
    with attempted(inbox, chunk.folder, [chunk.folder]) as attempt:
        if attempt is None:
            return
        path, send = attempt
        settings, folder = unpacked(*styles, path / "styles"), ClipFolder(path / chunk.folder)
        _fetch(chunk, settings.video, folder, server)
        painter, outbox, count = FramePainter(settings, network), Outbox(path), 0
        lines = paint_frames(folder, painter, settings.video, chunk.frames, lambda look: send({}, count))
        for count, _ in enumerate(lines, 1):
            # Flow is several times as large as the frames, and is soon computed again.
            changed = {name: data for name, data in outbox.take().items() if not name.endswith(FLOW_SUFFIX)}
            if not send(changed, count):
                break


def _fetch(chunk: Chunk, video: VideoConfig, folder: ClipFolder, server: Any) -> None:
    """Write the frames of a chunk, and what is known of the flow between them, to its `folder`."""
    import ray

    pairs = [(frame, frame - 1) for frame in chunk.frames[1:]] + pairs_of(video, chunk.frames)
    wanted = [folder.content(frame) for frame in chunk.frames] + [folder.flow_file(*pair) for pair in pairs]
    for path in wanted:
        data = ray.get(server.read.remote(path.relative_to(folder.path).as_posix()))
        if data is not None:
            files.write_bytes(path, data)
