"""A stand-in for Ray whose workers are this process: a task ends where it is submitted."""

import types
from typing import Any


class TaskError(Exception):
    def __init__(self, cause: Exception):
        super().__init__(cause)
        self.cause = cause


def called(function: Any) -> types.SimpleNamespace:
    return types.SimpleNamespace(remote=lambda *arguments: Reference(function, arguments))


class Reference:
    def __init__(self, function: Any, arguments: Any):
        self.value = self.error = None
        try:
            self.value = function(*arguments)
        except Exception as error:
            self.error = TaskError(error)


class Actor:
    def __init__(self, instance: Any):
        self._instance = instance

    def __getattr__(self, name: str) -> types.SimpleNamespace:
        return called(getattr(self._instance, name))


def get(reference: Any) -> Any:
    if reference.error:
        raise reference.error
    return reference.value


def remote(what: Any) -> types.SimpleNamespace:
    made = types.SimpleNamespace(remote=lambda *arguments: Actor(what(*arguments)))
    return types.SimpleNamespace(options=lambda **_: made if isinstance(what, type) else called(what))


def install(monkeypatch: Any) -> None:
    """Put the stand-in in the place of Ray."""
    import contextlib
    import sys

    from nst_jax.cluster import driving, remote_search, remote_sweep

    errors = types.SimpleNamespace(RayTaskError=TaskError, RayError=TaskError)
    ray = types.SimpleNamespace(
        remote=remote,
        get=get,
        put=lambda value: value,
        wait=lambda tasks, timeout: (tasks, []),
        exceptions=errors,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    for module in (remote_search, remote_sweep):
        monkeypatch.setattr(module, "on_cluster", lambda address: contextlib.nullcontext())
    monkeypatch.setattr(driving, "alive_nodes", lambda: [{}])
    for name in ("pinned_to", "whole_machine"):
        monkeypatch.setattr(driving, name, lambda *_: {})
    monkeypatch.setattr(driving, "this_node", dict)
