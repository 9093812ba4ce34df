"""Show a run or a sweep on a local page, while it is painted or afterwards."""

from pathlib import Path

from absl import flags

from nst_jax import cli
from nst_jax.errors import UserError
from nst_jax.preview.server import LOCAL, PreviewServer
from nst_jax.preview.watching import folder_state

USAGE = """python -m nst_jax.preview FOLDER [--port=N] [--host=ADDRESS]

Serves a page with the newest picture, the loss curves, the speed and the time left of the run or sweep in
FOLDER until Ctrl-C. It reads that folder only. By default only this machine can open the page; with another
--host, everyone who knows the printed address can."""


def main(argv: list[str]) -> int:
    """Serve the preview given by the flags in `argv`; return the exit status."""
    folders = [argument for argument in argv[1:] if not argument.startswith("-")]
    values = flags.FlagValues()
    flags.DEFINE_string("host", LOCAL[0], "address to listen on", flag_values=values)
    flags.DEFINE_integer("port", 0, "port; 0 for any free one", 0, 65535, flag_values=values)
    cli.parse(values, [argument for argument in argv if argument not in folders], USAGE)
    if len(folders) != 1:
        raise UserError(f"preview: expected one folder, got {len(folders)}; e.g. preview runs/NAME")
    folder = Path(folders[0])
    folder_state(folder)  # raises if there is nothing to show
    with PreviewServer(folder, values.host, values.port) as server:
        print(f"preview: {server.address} (Ctrl-C to stop)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    cli.run(main)
