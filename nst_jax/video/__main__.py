"""Style transfer of a clip: `python -m nst_jax.video --config=configs/video.py`."""

import contextlib
import time
from functools import partial

from absl import flags
from tqdm import tqdm

from nst_jax import cli
from nst_jax.cluster.joining import define_cluster, on_cluster
from nst_jax.config.fields import from_config
from nst_jax.config.tables import extensible
from nst_jax.errors import UserError
from nst_jax.runs.folder import read_run, read_settings, require_free
from nst_jax.runs.progress import duration
from nst_jax.storage.locks import claimed
from nst_jax.terminal.signals import StopSignal
from nst_jax.video.chunks import require_alike
from nst_jax.video.clip import Clip
from nst_jax.video.frame_painting import FramePainter
from nst_jax.video.remote_clip import paint_remotely
from nst_jax.video.settings import VideoSettings

USAGE = """python -m nst_jax.video --config=FILE --config.content=CLIP --config.style=PICTURE
    [--config.FIELD=VALUE ...] [--workdir=FOLDER] [--resume] [--cluster=HOST:PORT]

Paints every frame of a clip in the style of a picture, so that what moves keeps its strokes. CLIP is a video,
an animated GIF or WebP, or folder:PATH of numbered pictures. The folder then holds frames/, result.mp4 or
result.webp, sheet.png and metrics.jsonl with a line per frame. See configs/video.py."""
EXAMPLE = "configs/video.py"


def main(argv: list[str]) -> int:
    """Paint the clip given by the flags in `argv` and return the exit status."""
    values = _parsed(argv)
    folder, settings, on = cli.work_folder(values), _settings(values), values.cluster is not None
    if on and settings.video.passes > 1:
        raise UserError(
            f"video.passes: {settings.video.passes} go over the whole clip in turn; use 1 with --cluster"
        )
    cli.use_compilation_cache()
    if not values.resume:
        require_free(folder)
    elif read_run(folder).get("status") == "done":
        print(f"finished already: {folder}")
        return 0
    joined = on_cluster(values.cluster) if on else contextlib.nullcontext()
    with claimed(folder), joined, StopSignal() as stop:
        clip = Clip(settings, folder, in_chunks=on)
        require_alike(clip.folder, on)
        painter = clip.prepare()
        for _ in tqdm(clip.unpack(), desc="unpacking", unit="frame", dynamic_ncols=True):
            if stop.requested:
                return _interrupted(stop, values)
        began = time.monotonic()
        if not (paint_remotely if on else _paint)(clip, painter, stop):
            return _interrupted(stop, values)
        print("writing the film", flush=True)
        seconds = time.monotonic() - began
        film, count = clip.finish(painter, seconds), clip.folder.clip()["frames"]
        print(f"done: {film}, {count} frames, {duration(seconds)}, network {painter.weights.name}")
        return 0


def _paint(clip: Clip, painter: FramePainter, stop: StopSignal) -> bool:
    """Paint what is missing here; return False if `stop` received a signal."""
    total = clip.folder.clip()["frames"] * clip.settings.video.passes
    with tqdm(total=total, unit="frame", dynamic_ncols=True) as bar:
        for line in clip.paint(painter, lambda look: not stop.requested):
            bar.set_postfix_str(f"{line['step']} steps, loss {line['total']:.4g}", refresh=False)
            bar.update()
        return bar.n == total


def _interrupted(stop: StopSignal, values: flags.FlagValues) -> int:
    cluster = "" if values.cluster is None else f" --cluster={values.cluster}"
    print(f"interrupted; resume with: {cli.resuming('nst_jax.video', cli.work_folder(values))}{cluster}")
    return stop.exit_status


def _parsed(argv: list[str]) -> flags.FlagValues:
    values = flags.FlagValues()
    cli.define_resumable(values, argv, extensible)
    define_cluster(values)
    cli.parse(values, argv, USAGE, VideoSettings)
    return values


def _settings(values: flags.FlagValues) -> VideoSettings:
    if values.resume and values["config"].value is None:
        return from_config(VideoSettings, read_settings(cli.work_folder(values)))
    return cli.settings(values, partial(from_config, VideoSettings), EXAMPLE)


if __name__ == "__main__":
    cli.run(main)
