"""The meeting of processes before they connect: it ends in time, and says who is missing.

JAX's own service aborts a process that waits in vain. So process 0 first listens on the same port itself
until every other process has called with its number, and then lets all of them go on.
"""

import contextlib
import socket
import time

from nst_jax.errors import UserError

GO = b"go\n"
RETRY_SECONDS = 0.1  # between calls: one that is refused returns at once
GREETING = "nst_jax {} of {}\n"


def meet(host: str, port: int, process: int, processes: int, patience: int) -> None:
    """Wait until all `processes` have called process 0 at `host` and `port`, at most `patience` seconds.

    Raises:
        UserError: some have not, or process 0 cannot listen there.
    """
    deadline = time.monotonic() + patience
    if process:
        _call(host, port, GREETING.format(process, processes), patience, deadline)
    elif processes > 1:
        _receive(port, processes, patience, deadline)


def _receive(port: int, processes: int, patience: int, deadline: float) -> None:
    """Collect the calls of all other processes, then answer them."""
    expected = {GREETING.format(number, processes).encode(): number for number in range(1, processes)}
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(socket.create_server(("", port)))
        except OSError as error:
            raise UserError(f"--coordinator: cannot listen on port {port}: {error.strerror}") from error
        callers: dict[int, socket.socket] = {}
        while len(callers) < processes - 1:
            try:
                # A limit of 0 would not wait at all.
                listener.settimeout(max(0.01, deadline - time.monotonic()))
                caller = stack.enter_context(listener.accept()[0])
                number = expected.get(_line(caller, deadline))
            except OSError as error:
                missing = ", ".join(str(one) for one in expected.values() if one not in callers)
                raise UserError(
                    f"--processes: {processes} were expected within {patience} s; missing: {missing}"
                ) from error
            if number in callers:
                raise UserError(f"--process: two processes have the number {number}")
            if number is not None:  # else it is something else that looks for open ports
                callers[number] = caller
        for caller in callers.values():
            # One that has died in the meantime is missed by JAX's own service.
            with contextlib.suppress(OSError):
                caller.sendall(GO)


def _call(host: str, port: int, greeting: str, patience: int, deadline: float) -> None:
    """Call process 0 until it answers, and wait until it lets this process go on."""
    answer = b""
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host, port), max(0.01, deadline - time.monotonic())) as caller:
                caller.sendall(greeting.encode())
                answer = _line(caller, deadline)
                break
        except socket.gaierror as error:
            raise UserError(f"--coordinator: {host}: {error.strerror}") from error
        except OSError:
            # Process 0 has not started yet.
            time.sleep(RETRY_SECONDS)
    if answer != GO:
        raise UserError(
            f"--coordinator: process 0 at {host}:{port} did not answer within {patience} s, or gave up"
        )


def _line(connection: socket.socket, deadline: float) -> bytes:
    """The first line that arrives; what has arrived of it if the other side hangs up."""
    line = b""
    # No greeting is longer; whatever else calls may send without end.
    while not line.endswith(b"\n") and len(line) < 100:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        # One at a time: what follows the line belongs to the next reader.
        byte = connection.recv(1)
        if not byte:
            break
        line += byte
    return line
