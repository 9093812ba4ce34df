"""How a command ends: its exit status, and one line on stderr if its user can mend the cause."""

import gc
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from nst_jax.errors import UserError
from nst_jax.terminal import signals
from nst_jax.terminal.output import make_tolerant

EXIT_USER_ERROR = 2


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """Call `main(argv)` and exit with its status; 2 on a user error, 128 + n on signal n, 1 on a bug."""
    make_tolerant()
    collect_from_here()
    signals.handle(signals.interrupt)
    sys.unraisablehook = signals.redeliver
    try:
        status = status_of(lambda: main(sys.argv))
    finally:
        signals.leave_at_once()
        sys.stdout.flush()
    sys.exit(status)


def collect_from_here() -> None:
    """Enable garbage collection of what is made after the imports.

    What they have made stays, and looking through it again would take half a second of a short run.
    """
    gc.freeze()
    gc.enable()


def status_of(command: Callable[[], int]) -> int:
    """Call `command` and return its status; on a user error print the one line about it and return 2."""
    try:
        return command()
    except signals.Interrupted as interruption:
        return interruption.exit_status
    except KeyboardInterrupt:
        return signals.exit_status(signal.SIGINT)
    except (UserError, OSError, MemoryError) as error:
        print(f"error: {_as_user_error(error)}", file=sys.stderr)
        return EXIT_USER_ERROR


def _as_user_error(error: UserError | OSError | MemoryError) -> UserError:
    if isinstance(error, UserError):
        return error
    if isinstance(error, MemoryError):
        return UserError(f"not enough memory: {error}")
    # An OSError that reaches this point comes from the machine: no permission, a name that is too long.
    return UserError(f"{error.filename}: {error.strerror}" if error.filename is not None else error)
