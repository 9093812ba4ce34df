"""Execute notebooks/quickstart.py and store it with its outputs as the notebook beside it.

    python scripts/execute_notebook.py

Pictures become JPEGs, so that the file stays small enough to be read in a browser. Prints the seconds that
passed, and those of all CPU cores: their half is the least that two free cores need.
"""

import base64
import io
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient
from PIL import Image

SOURCE = Path(__file__).parents[1] / "notebooks" / "quickstart.py"
QUALITY = 80


def main() -> None:
    """Execute the notebook in an empty folder, and write it."""
    notebook = jupytext.read(SOURCE)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"executed in {time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU cores")
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ at every execution
        if cell.cell_type == "code":  # without warnings and progress bars
            cell.outputs = [
                compressed(output) for output in cell.outputs if output.get("name", "stdout") == "stdout"
            ]
    jupytext.write(notebook, SOURCE.with_suffix(".ipynb"))


def compressed(output: Any) -> Any:
    """Return an output with its PNG, if it has one, as a JPEG."""
    data = output.get("data", {})
    if picture := data.pop("image/png", None):
        content = io.BytesIO()
        opened = Image.open(io.BytesIO(base64.b64decode(picture)))
        opened.convert("RGB").save(content, "JPEG", quality=QUALITY)
        data["image/jpeg"] = base64.b64encode(content.getvalue()).decode()
    return output


if __name__ == "__main__":
    main()
