"""Compare a clip painted by nst_jax.video with its frames painted one by one.

    python scripts/measure_video.py --clip=clip.mp4 --style=painting.jpg --config.video.frames=24
    python scripts/measure_video.py --clip=scene:24 --style=painting.jpg

`scene:N` is a photo that moves by (1, -2) pixels a frame under a patch that moves by (-2, 3), drawn by
scripts/moving_scene.py, whose flow and occlusions are known; `still:N` is a photo that does not move. The
temporal error is the mean difference, of 255, between a frame and the one before, moved along the flow, where
that can be trusted: the clip's own flow, estimated on its content, or the true one. The style distances are
those of docs/figures.md, measured by VGG-19 (or slim, where it is not at hand) on every fourth frame.
Brightness is the mean of the last frame less that of the first, of 255.
"""

import tempfile
from pathlib import Path

import numpy as np
from absl import flags
from moving_scene import scene, true_flow, truly_visible
from PIL import Image

from nst_jax import cli, images
from nst_jax.config.fields import from_config
from nst_jax.config.tables import extensible
from nst_jax.networks.vgg import VGG
from nst_jax.sweeps import neutral
from nst_jax.video import __main__ as video
from nst_jax.video.clip_folder import ClipFolder, floats, read_frame
from nst_jax.video.reliability import warped_along
from nst_jax.video.settings import VideoSettings
from nst_jax.weights import resolve
from nst_jax.weights.resolving import cached_of

RELIABLE = 0.99
EVERY = 4  # frames, of which one is judged
ALONE = 2.0  # as `video.cut`: no frame follows from another


def main(argv: list[str]) -> int:
    """Paint the clip both ways, and print a row for each."""
    if not any(argument.startswith("--config=") for argument in argv):
        argv = [*argv, "--config=video"]
    values = flags.FlagValues()
    cli.define_config(values, argv, extensible)
    flags.DEFINE_string("clip", None, "a clip, scene:N or still:N", flag_values=values, required=True)
    flags.DEFINE_string("style", "sample:swirls", "the painting", flag_values=values)
    flags.DEFINE_string("workdir", None, "folder to keep; default: a temporary one", flag_values=values)
    flags.DEFINE_bool("alone", True, "also paint the frames one by one", flag_values=values)
    cli.parse(values, argv, __doc__ or "", VideoSettings)
    settings = from_config(VideoSettings, cli.config_value(values, "configs/video.py"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(values.workdir or temporary)
        content = drawn(values.clip, folder / "clip", settings.size)
        given = [argument for argument in argv[1:] if argument.startswith("--config")]
        given += [f"--config.content={content}", f"--config.style={values.style}"]
        names = {"clip": [], **({"alone": [f"--config.video.cut={ALONE}"]} if values.alone else {})}
        judge = VGG(cached_of("vgg19") or resolve("auto", "slim", ()))
        print("| painted | temporal error | Gram | sliced | palette | content | brightness | s a frame |")
        print("| --- " * 8 + "|")
        for name, more in names.items():
            if not (folder / name / "run.json").exists():
                resume = ["--resume"] * (folder / name).exists()
                status = video.main(["video", *given, *more, f"--workdir={folder / name}", *resume])
                if status:
                    return status
            flow = folder / "clip" if values.clip.startswith(("scene:", "still:")) else None
            row = measured(ClipFolder(folder / name), ClipFolder(folder / "clip"), judge, values.style, flow)
            print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |", flush=True)
    return 0


def drawn(clip: str, folder: Path, size: int) -> str:
    """Draw `scene:N` or `still:N` into a folder, and return the clip to paint."""
    kind, _, count = clip.partition(":")
    if kind not in ("scene", "still"):
        return clip
    frames = scene(int(count) if kind == "scene" else 1, (size * 2 // 3, size))
    folder = folder / "drawn"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(int(count)):
        Image.fromarray(frames[min(number, len(frames) - 1)]).save(folder / f"{number:04d}.png")
    return f"folder:{folder}"


def measured(
    painted: ClipFolder, held: ClipFolder, judge: VGG, style: str, known: Path | None
) -> list[float]:
    """The figures of a painted clip, in the order of the table; `held` keeps the flow."""
    count = painted.clip()["frames"]
    frames = [read_frame(painted.painted(number, 1, True)) for number in range(count)]
    errors = [error(painted, held, frames, number, known) for number in range(1, count)]
    photos = [floats(read_frame(painted.content(number))) for number in range(0, count, EVERY)]
    shown = [floats(frame) for frame in frames[::EVERY]]
    painting = images.read(style)
    shares = [
        neutral.style_shares(judge, picture, photo, painting)
        | {"content": neutral.content_distance(judge, picture, photo)}
        for picture, photo in zip(shown, photos, strict=True)
    ]
    names = ("gram", "sliced", "palette", "content")
    lines = painted.metrics.read()
    return [
        float(np.mean(errors)),
        *(float(np.mean([one[name] for one in shares])) for name in names),
        float(frames[-1].mean() - frames[0].mean()),
        float(np.median([line["seconds"] for line in lines[1:]])),
    ]


def error(
    painted: ClipFolder, held: ClipFolder, frames: list[np.ndarray], number: int, known: Path | None
) -> float:
    """The temporal error of a frame."""
    size = frames[number].shape[:2]
    if known:
        still = np.array_equal(read_frame(painted.content(0)), read_frame(painted.content(1)))
        flow = np.zeros((*size, 2)) if still else true_flow(number, number - 1, size)
        seen = np.ones(size, bool) if still else truly_visible(number, number - 1, size)
    else:
        kept = held.flow(number, number - 1)
        assert kept is not None, "the clip has been painted first"
        flow, seen = kept[0], kept[1] >= RELIABLE
    before = warped_along(floats(frames[number - 1])[0], flow)
    return float(255 * np.abs(before - floats(frames[number])[0])[seen].mean())


if __name__ == "__main__":
    cli.run(main)
