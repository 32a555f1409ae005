"""Where the work of a run is done: in this process, or on the machines of a Ray cluster. The bits are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fl.engines.local import Engine, LocalEngine, Outcome
from ledger.errors import MissingExtra, UsageError

KINDS = ("local", "ray")


@contextmanager
def open_engine(text: str) -> Iterator[Engine]:
    """Yield the engine of a name; while it is open, large aggregates and trees are computed on it, too.

    Args: text: `local`; `ray`, for a cluster of this machine alone that ends with the engine; or `ray:ADDRESS`, for one
    that runs (`ray:auto` finds the one of this machine).
    Raises: UsageError: no such engine. MissingExtra: Ray is not installed. ConfigurationError: no cluster answers.
    """
    kind, _, address = text.partition(":")
    if kind not in KINDS or (kind == "local" and address):
        raise UsageError(f"{text!r} is no engine; known are local, ray and ray:ADDRESS", field="engine", got=text)
    if kind == "local":
        yield LocalEngine()
        return
    try:
        from fl.engines.on_ray import connect
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="the engine ray", package=error.name, extra="scale") from error
    with connect(address) as engine:
        yield engine


__all__ = ["Engine", "LocalEngine", "Outcome", "open_engine"]
