"""Pictures of a bench in the folders that evaluation scripts of others read."""

import re
from pathlib import Path

from nst_jax import images
from nst_jax.errors import UserError
from nst_jax.sweeps.sweep_folder import Sweep
from nst_jax.transfer.pictures import Pictures


def require_empty(folder: Path) -> None:
    """Raise `UserError` if there is something in `folder`, which scripts would read too."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--export: {folder} is not an empty folder")


def export(sweep: Sweep, folder: Path) -> None:
    """Write content/, style/ and stylized/ below `folder`/ENTRY; each has a PNG of the same name per pair.

    art-fid (github.com/matthias-wright/art-fid) and the evaluation of StyleID (github.com/jiwoogit/StyleID)
    pair files by their order of names, so that photos and paintings are repeated. The photo has the size of
    the result, with which LPIPS compares it, and so has the longer side of the painting.

    Raises:
        UserError: `folder` holds something already, or cannot be written.
    """
    require_empty(folder)
    inputs = Pictures(run.config for run in sweep.runs)
    for run in sweep.runs:
        result = images.read(str(sweep.path / run.folder / "result.png"), smallest=1, say=False)
        height, width = result.shape[1:3]
        style = inputs.fitted(run.config.style, max(height, width)).pixels
        pictures = {
            "content": inputs.resized(run.config.content, height, width),
            "style": images.fit(style, max(height, width)),
            "stylized": result,
        }
        entry = re.sub(r"[^\w.+=-]+", "-", run.labels[1])
        for kind, picture in pictures.items():
            images.write(folder / entry / kind / f"{run.folder}.png", picture)
