"""What a task has spent of its clients' privacy: from its terms and from who committed in its rounds, nothing else.

A client spends in every round that it commits in: from then on its update may be published, whatever becomes of the
round. Rounds that were opened again after their deadline count as often as it committed. What other tasks spent of the
same data, no ledger can know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ledger.accounting import Spend, compute_spend
from ledger.history import ChainReader, list_committed
from ledger.readers import BlobReader
from ledger.spec.noise import Noise
from ledger.spec.statements import decode_label, decode_spends

TOLERANCE = 10
"""Difference in 10^-6 at which a recorded epsilon agrees: libraries may differ in the last digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What somebody stated about a client's privacy in a round (event PrivacySpent)."""

    round_id: int
    """The round."""
    speaker: int
    """Participant who said it: the round's aggregator, or the client itself."""
    client: int
    """Whose privacy."""
    epsilon: int
    """Spent since the task's first round, in 10^-6."""
    delta: int
    """In 10^-12."""
    mechanism: str
    """What was said of how."""


def count_uses(chain: ChainReader, store: BlobReader, task_id: int, *, up_to: int | None = None) -> Counter[int]:
    """Return in how many rounds of a task each client committed.

    Args: up_to: last round that counts, by its number in the ledger; None for all that there are.
    """
    opened = [event.args["round_id"] for event in chain.events(names=("RoundOpened",), task_id=task_id)]
    uses: Counter[int] = Counter()
    for round_id in opened:
        if up_to is None or round_id <= up_to:
            uses.update(list_committed(chain, store, round_id))
    return uses


def compute_spends(noise: Noise, uses: Mapping[int, int], size: int) -> dict[int, Spend]:
    """Return what each client has spent, by its uses. Args: size: coordinates of an update."""
    ask = cache(lambda rounds: compute_spend(noise, rounds, size))
    return {client: ask(rounds) for client, rounds in sorted(uses.items())}


def list_recorded(chain: ChainReader, task_id: int) -> list[Recorded]:
    """Return what was stated about a task's clients, in the order of the chain."""
    rounds = {event.args["round_id"] for event in chain.events(names=("RoundOpened",), task_id=task_id)}
    return [
        Recorded(
            round_id=args["round_id"],
            speaker=args["speaker"],
            client=client,
            epsilon=epsilon,
            delta=delta,
            mechanism=decode_label(args["mechanism"]),
        )
        for args in (event.args for event in chain.events(names=("PrivacySpent",)))
        if args["round_id"] in rounds
        for client, epsilon, delta in decode_spends(args["entries"])
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a client had spent when a round was over that it committed in, and what was said of it."""

    round_id: int
    """The round."""
    client: int
    """Whose privacy."""
    rounds: int
    """Rounds of the task that it had committed in, this one included."""
    spend: Spend
    """What the accountant says."""
    recorded: Recorded | None
    """What the round's aggregator said, or the client, what is wrong first; None if nobody did."""
    is_wrong: bool
    """Whether that is something else."""


def list_statements(chain: ChainReader, store: BlobReader, task_id: int, noise: Noise, size: int) -> list[Statement]:
    """Return what every round of a task cost every client that committed in it, next to what was recorded."""
    said = list_recorded(chain, task_id)
    opened = [event.args["round_id"] for event in chain.events(names=("RoundOpened",), task_id=task_id)]
    uses: Counter[int] = Counter()
    found = []
    for round_id in opened:
        uses.update(committed := list_committed(chain, store, round_id))
        for client, spend in compute_spends(noise, {client: uses[client] for client in committed}, size).items():
            told = [each for each in said if (each.round_id, each.client) == (round_id, client)]
            wrong = [each for each in told if not agrees(each, spend, noise)]
            found.append(
                Statement(
                    round_id=round_id,
                    client=client,
                    rounds=uses[client],
                    spend=spend,
                    recorded=next(iter(wrong or told), None),
                    is_wrong=bool(wrong),
                )
            )
    return found


def agrees(recorded: Recorded, spend: Spend, noise: Noise) -> bool:
    """Return whether what was recorded is what the accountant says."""
    return recorded.delta == noise.delta and abs(recorded.epsilon - spend.micro_epsilon) <= TOLERANCE
