"""The flag `--preview` of runs and sweeps."""

import contextlib
from pathlib import Path

from absl import flags


def define_preview(values: flags.FlagValues) -> None:
    """Add the flag `--preview` to `values`."""
    help_text = "show the pictures on a local page while they are painted"
    flags.DEFINE_bool("preview", False, help_text, flag_values=values)


def previewed(values: flags.FlagValues, folder: Path) -> contextlib.AbstractContextManager[object]:
    """While the block runs, serve a preview of `folder` if the flag is set, and print its address.

    Raises:
        UserError: no port can be opened.
    """
    if not values.preview:
        return contextlib.nullcontext()
    from nst_jax.preview.server import PreviewServer  # not needed by most runs, and slow to import

    server = PreviewServer(folder)
    print(f"preview: {server.address}", flush=True)
    return server.in_background()
