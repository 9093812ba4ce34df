"""What a section of scripts/accelerator_check.py has found, kept line by line, so that nothing is lost."""

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

from PIL import Image

PICTURE_SIDE = 256  # longer side of a picture on the page, pixels


class Report:
    """Appends to the file of a section, which is complete after each line."""

    def __init__(self, file: Path):
        """Write to `file`."""
        self._file = file

    def about(self, **values: Any) -> None:
        """Add facts about the machine."""
        self._add("about", values)

    def row(self, table: str, **values: Any) -> None:
        """Add a row to the table of that title."""
        self._add("row", values, table=table)

    def check(self, what: str, value: float, limit: float) -> None:
        """Add a check, which holds if `value` is a number of at most `limit`."""
        holds = math.isfinite(value) and value <= limit
        self._add("check", {"what": what, "value": float(value), "limit": limit, "holds": holds})

    def picture(self, title: str, path: Path) -> None:
        """Add a picture, reduced to `PICTURE_SIDE`."""
        data = io.BytesIO()
        with Image.open(path) as image:
            image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
            image.save(data, "PNG")
        self._add("picture", {"title": title, "png": base64.b64encode(data.getvalue()).decode()})

    def _add(self, kind: str, values: dict[str, Any], **more: Any) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps({"kind": kind, "values": values, **more}) + "\n")
