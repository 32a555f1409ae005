"""What an engine does, and the one that does it in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from fl.workload import LocalUpdate, Vector, Workload
from ledger import spec

Outcome = LocalUpdate | spec.NonFinite
"""What became of a client's training: its update, or why it has none (FT714)."""


class Engine(Protocol):
    """Lets clients train, wherever that is."""

    def compute_updates(
        self, workload: Workload, clients: Sequence[int], number: int, model_q: Vector
    ) -> Iterator[Outcome]:
        """Yield what `Workload.compute_update` makes for every client, in their order.

        Args: clients: of the script. number: round of the run, from 1. model_q: int32[d].
        """


class LocalEngine:
    """One client after the other, in this process."""

    def compute_updates(
        self, workload: Workload, clients: Sequence[int], number: int, model_q: Vector
    ) -> Iterator[Outcome]:
        """Yield what `Workload.compute_update` makes for every client, in their order."""
        for client in clients:
            yield compute_outcome(workload, client, number, model_q)


def compute_outcome(workload: Workload, client: int, number: int, model_q: Vector) -> Outcome:
    """Return a client's update, or why it cannot be encoded."""
    try:
        return workload.compute_update(client, number, model_q)
    except spec.NonFinite as error:
        return error
