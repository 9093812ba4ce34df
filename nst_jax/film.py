"""A film of a run from its snapshots: `python -m nst_jax.film runs/NAME`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image

from nst_jax import cli, files, images
from nst_jax.errors import UserError
from nst_jax.images.ffmpeg import write_mp4
from nst_jax.images.writing import to_bytes

USAGE = """python -m nst_jax.film FOLDER [--out=FILE] [--fps=N]

Writes the snapshots of the run in FOLDER and its result as an animated film.webp, or as --out with the
suffix .webp, .gif or .mp4; MP4 requires the package imageio-ffmpeg. Runs save snapshots every
--config.snapshot_every steps."""
FORMATS = (".webp", ".gif", ".mp4")
HOLD_SECONDS = 2.0  # of the last frame


def main(argv: list[str]) -> int:
    """Write the film given by the flags in `argv`; return the exit status."""
    folders = [argument for argument in argv[1:] if not argument.startswith("-")]
    values = flags.FlagValues()
    flags.DEFINE_string("out", None, "file to write; default: film.webp in the folder", flag_values=values)
    flags.DEFINE_float("fps", 8.0, "frames per second", 0.1, 60.0, flag_values=values)
    cli.parse(values, [argument for argument in argv if argument not in folders], USAGE)
    if len(folders) != 1:
        raise UserError(f"film: expected one folder, got {len(folders)}; e.g. film runs/NAME")
    out = Path(values.out or Path(folders[0]) / "film.webp")
    frames = read_frames(Path(folders[0]))
    write_film(out, frames, values.fps)
    print(f"done: {out}, {len(frames)} frames")
    return 0


def read_frames(folder: Path) -> list[Image.Image]:
    """Return the snapshots of a run in order, then its result if there is one, all at the size of the last.

    Raises:
        UserError: the run has fewer than two pictures, or one of them cannot be read.
    """
    files_ = [*sorted((folder / "progress").glob("*.png")), folder / "result.png"]
    pictures = [images.read(str(file), smallest=1, say=False) for file in files_ if file.is_file()]
    if len(pictures) < 2:
        raise UserError(
            f"film: {folder} has {len(pictures)} pictures; a run saves more with a smaller snapshot_every"
        )
    size = pictures[-1].shape[1:3]
    return [Image.fromarray(to_bytes(images.resize(picture, *size)[0])) for picture in pictures]


def write_film(out: Path, frames: Sequence[Image.Image], fps: float) -> None:
    """Write `frames` to `out` at `fps` frames per second; the last one stays for two seconds.

    Raises:
        UserError: the suffix is not one of `FORMATS`, `out` cannot be written, or MP4 is not available.
    """
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise UserError(f"--out: {out} must end with one of {', '.join(FORMATS)}")
    if suffix == ".mp4":
        with files.atomic(out) as temporary:
            still = [frames[-1]] * round(HOLD_SECONDS * fps)
            write_mp4(temporary, map(np.asarray, [*frames, *still]), fps)
        return
    durations = [round(1000 / fps)] * (len(frames) - 1) + [round(1000 * HOLD_SECONDS)]
    options = {"quality": 85, "method": 4} if suffix == ".webp" else {"optimize": False}
    with files.atomic(out) as temporary:
        frames[0].save(
            temporary,
            format=suffix[1:].upper(),
            save_all=True,
            append_images=list(frames[1:]),
            duration=durations,
            loop=0,
            **options,
        )


if __name__ == "__main__":
    cli.run(main)
