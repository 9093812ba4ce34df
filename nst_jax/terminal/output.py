"""Standard output and error that cannot fail a command: closed, on a full disk, or in a narrow encoding."""

import errno
import io
import logging as std_logging
import os
import sys
from typing import Any

from absl import flags, logging
from tqdm import tqdm

from nst_jax.errors import LONGEST_LINE, one_line, printable

LONGEST_LOG_LINE = 2 * LONGEST_LINE  # a warning may hold an error and its consequence


class Tolerant:
    """A text stream that discards what cannot be written, because a run is worth more than its messages."""

    def __init__(self, stream: Any, escape: bool):
        """Write to `stream`; with `escape`, control characters except newlines are escaped."""
        self._stream, self._escape = stream, escape
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write `text`; if that fails, discard it and everything after it."""
        if self._escape:
            text = "\n".join(map(printable, text.split("\n")))
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream; if that fails, discard what it holds and everything after it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _discard(self, error: OSError) -> None:
        # Python flushes the stream once more at exit, so its file must become one that accepts everything.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if error.errno != errno.EPIPE:  # a reader that has seen enough, such as `head`, is no problem
            logging.warning("messages are lost: cannot write to %s: %s", self._stream.name, error.strerror)


def make_tolerant() -> None:
    """Replace `sys.stdout` and `sys.stderr` with tolerant streams, and print log messages as single lines."""
    # The progress bar on stderr needs its control characters; errors and log messages have none.
    sys.stdout, sys.stderr = _tolerant(sys.stdout, escape=True), _tolerant(sys.stderr, escape=False)
    flags.FLAGS(["nst_jax"])  # otherwise absl warns about logging before its own flags are parsed
    logging.use_absl_handler()
    handler = logging.get_absl_handler()
    handler.setFormatter(_OneLine("%(levelname)s: %(message)s"))
    handler.python_handler.stream = _AboveBars(sys.stderr)


class _AboveBars:
    """A stream that clears progress bars while it is written to, so that a message starts its own line."""

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        with tqdm.external_write_mode(file=self._stream):
            return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _tolerant(stream: Any, escape: bool) -> Any:
    """A tolerant `stream`; None, if the process was started without it, becomes one that discards."""
    return Tolerant(stream or open(os.devnull, "w", encoding="utf-8"), escape)


class _OneLine(std_logging.Formatter):
    def format(self, record: std_logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.exc_info else one_line(text, LONGEST_LOG_LINE)
