"""Starting or joining a Ray cluster, and checking that its machines can do the work."""

import contextlib
import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from absl import flags

from nst_jax.errors import UserError

LOCAL = "ray"  # the address that stands for a cluster on this machine
SECONDS = 15.0  # to reach a cluster; one in the same network answers within a second
PACKAGES = ("nst-jax", "jax")  # whose versions must agree


def define_cluster(values: flags.FlagValues) -> None:
    """Add the flag `--cluster`."""
    help_text = "work on the Ray cluster at HOST:PORT, which this machine belongs to; 'ray' starts one here"
    flags.DEFINE_string("cluster", None, help_text, flag_values=values)


@contextlib.contextmanager
def on_cluster(address: str) -> Iterator[None]:
    """Start a cluster here if `address` is `LOCAL`, or join the one at HOST:PORT; leave it at the end.

    Raises:
        UserError: Ray is not installed, the cluster cannot be reached, or one of its machines lacks this
            package or has another version of it.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError("--cluster: needs Ray; install it with: pip install 'nst_jax[cluster]'")
    import ray

    # Otherwise Ray hides the accelerators of a machine from tasks that ask for none, such as those that
    # `pinned_to` keeps here, and warns that it will stop doing so.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        ray.init(address="local", include_dashboard=False, **quiet)
    else:
        _require_reachable(address)
        _require_cluster(address)
        ray.init(address=address, **quiet)
    try:
        _require_same_versions()
        yield
    finally:
        ray.shutdown()


def alive_nodes() -> list[dict[str, Any]]:
    """Return Ray's description of each machine that is alive."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def this_node() -> dict[str, Any]:
    """Return Ray's description of this machine."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    return next(node for node in alive_nodes() if node["NodeID"] == here)


def whole_machine() -> dict[str, Any]:
    """Return the resources of a task: one accelerator where machines have some, else all cores of a machine.

    A program of JAX uses every core, so that a second one on the same machine would gain nothing.
    """
    resources = [node["Resources"] for node in alive_nodes()]
    if any(resource.get("GPU") for resource in resources):
        return {"num_gpus": 1, "num_cpus": 0}
    return {"num_cpus": min(resource.get("CPU", 1) for resource in resources)}


def pinned_to(node: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a task that must run on `node`, whatever else runs there."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # It asks for no core, so that it starts beside a task that has them all.
    return {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)}


def _require_reachable(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 1 << 16):
        raise UserError(f"--cluster: {address!r} is neither {LOCAL!r} nor HOST:PORT")
    try:
        # Ray itself would wait for minutes where nothing listens.
        socket.create_connection((host, int(port)), timeout=SECONDS).close()
    except OSError as error:
        raise UserError(f"--cluster: {address} cannot be reached: {error.strerror or error}") from error


def _require_cluster(address: str) -> None:
    """Ask for the cluster's health in a process of its own: Ray waits for minutes, and cannot be stopped."""
    question = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        healthy = subprocess.run(question, capture_output=True, timeout=SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        healthy = False
    if not healthy:
        raise UserError(
            f"--cluster: what listens at {address} does not answer like a Ray cluster; if it is one that "
            "asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        )


def _require_same_versions() -> None:
    import ray

    probe = ray.remote(importlib.metadata.version)  # of the standard library: runs without this package
    for node in alive_nodes():
        for package, here in versions_here().items():
            try:
                there = ray.get(probe.options(**pinned_to(node)).remote(package))
            except ray.exceptions.RayTaskError:
                there = "not installed"
            if there != here:
                name = node["NodeManagerHostname"]
                raise UserError(f"--cluster: {package} is {there} on {name}, but {here} here")


def versions_here() -> dict[str, str]:
    """Return the versions of the packages that must be the same on all machines."""
    return {package: importlib.metadata.version(package) for package in PACKAGES}
