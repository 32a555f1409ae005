"""What a reward is claimed by: that a round was finalised by a proposal, and that a client is one of its members. Pure.

Everything follows from the round's record, which replay judges, and from the events of the task's later rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ledger import spec
from ledger.errors import NotFoundError
from ledger.records import RoundRecord


class Event(Protocol):
    """What is asked of an event; `ledger.chain.Event` is one."""

    @property
    def name(self) -> str:
        """Its name in Solidity."""

    @property
    def args(self) -> Mapping[str, Any]:
        """Its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What shows that a round was finalised by a proposal."""

    round_id: int
    """The round."""
    arguments: tuple[Any, ...]
    """What RewardPool.admit takes after it: the claim, included updates, the head before, later links of the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What shows that a client is a member of a round."""

    client: int
    """The client."""
    commitment: bytes
    """Its commitment, 32 bytes."""
    index: int
    """Its place among the included ones."""
    path: tuple[bytes, ...]
    """Siblings up to the members' root."""


def make_admission(record: RoundRecord, later: Iterable[Event] = ()) -> Admission:
    """Return what admits a finalised round.

    Args: later: events RoundOpened, Proposed and Finalised, in order, at least all that came after this round's own;
    those of other tasks and of earlier rounds are left out.
    Raises: NotFoundError: the round was not finalised.
    """
    proposal = _require_finalised(record)
    digests = (spec.keccak256(spec.encode_exclusions(record.exclusions)), spec.keccak256(record.aux))
    claim = (proposal.fields(), record.segments_hash, *digests)
    links = [link for link in list_head_links(later, record.task_id) if link[0] > record.round_id]
    return Admission(round_id=record.round_id, arguments=(claim, record.included, record.previous_head, links))


def list_head_links(events: Iterable[Event], task_id: int) -> list[tuple[int, bytes]]:
    """Return (round, proposal hash) of a task's finalised rounds, in the order of their finalisation."""
    rounds: set[int] = set()
    hashes: dict[int, bytes] = {}
    links = []
    for event in events:
        round_id = event.args.get("round_id", 0)
        if event.name == "RoundOpened" and event.args["task_id"] == task_id:
            rounds.add(round_id)
        elif event.name == "Proposed":
            hashes[round_id] = event.args["proposal_hash"]
        elif event.name == "Finalised" and round_id in rounds:
            links.append((round_id, hashes[round_id]))
    return links


def list_memberships(record: RoundRecord) -> list[Membership]:
    """Return the proof of every member of a finalised round, by client. Raises: NotFoundError: it was not finalised."""
    _require_finalised(record)
    excluded = {client for client, _ in record.exclusions}
    members = [member for member in record.members if member.client not in excluded]
    leaves = [spec.hash_leaf(member.client.to_bytes(4, "big") + member.commitment) for member in members]
    return [
        Membership(
            client=member.client,
            commitment=member.commitment,
            index=index,
            path=tuple(spec.compute_inclusion_proof(leaves, index)),
        )
        for index, member in enumerate(members)
    ]


def _require_finalised(record: RoundRecord) -> spec.Proposal:
    if record.phase is not spec.Phase.FINALISED or record.proposal is None:
        raise NotFoundError(
            kind="finalised round", name=record.round_id, suggestion=f"; it is {record.phase.name.lower()}"
        )
    return record.proposal
