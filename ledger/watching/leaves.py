"""What is demanded of a round, what a demand costs, and how it is answered (docs/protocol.md §8.6). Pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ledger import spec
from ledger.audit import decode_published, judge_update
from ledger.availability import (
    Demand,
    Subject,
    compute_answer_bytes,
    compute_demand_hash,
    encode_answer,
    encode_member,
    read_demand,
)
from ledger.chain import DeployParams
from ledger.docket import Event
from ledger.errors import ChainError, NotFoundError
from ledger.list_disputes import encode_commitment_place
from ledger.proving import make_claim
from ledger.records import Fetched, RoundRecord

_DOUBLING = 4
"""Open demands that double the bond."""
_PRICES = DeployParams()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A vector that could not be had, whose leaves can be demanded."""

    subject: Subject
    """What it is."""
    client: int
    """Author of an update; 0 for aggregate and matrix."""


def list_open_demands(events: Iterable[Event]) -> list[Demand]:
    """Return the demands that nobody has answered or closed, in order. Args: events: all that tell of demands."""
    demands: dict[bytes, Demand] = {}
    for event in events:
        if event.name == "LeavesDemanded":
            demand = read_demand(event.args["demand"])
            demands[compute_demand_hash(demand)] = demand
        else:
            demands.pop(event.args["demand_hash"], None)
    return list(demands.values())


def list_included(record: RoundRecord) -> list[spec.Member]:
    """Return the commitments of a proposal's included clients, in rising id."""
    excluded = dict(record.exclusions)
    return [member for member in record.members if member.client not in excluded]


def list_wanted(record: RoundRecord) -> list[Wanted]:
    """Return the vectors of a proposed round that could not be had, and whose leaves the aggregator owes."""
    wanted = [
        Wanted(subject=Subject.UPDATE, client=member.client)
        for member in list_included(record)
        if _is_absent(record.updates[member.client])
    ]
    return [*wanted, Wanted(subject=Subject.AGGREGATE, client=0)] if _is_absent(record.aggregate) else wanted


def _is_absent(fetched: Fetched) -> bool:
    """Whether bytes are not there although the store answers: an outage of ours is no reason to ask the chain."""
    return fetched.missing and not isinstance(fetched.problem, ChainError)


def _measure(record: RoundRecord, wanted: Wanted) -> tuple[int, int]:
    """Return the bytes of a leaf and of the whole vector."""
    task = record.task
    rows = record.included if wanted.subject is Subject.MATRIX else 1
    log2 = {
        Subject.COMMITMENT: task.leaf_log2,
        Subject.UPDATE: task.leaf_log2,
        Subject.MATRIX: task.matrix_log2,
    }.get(wanted.subject, task.model_log2)
    return spec.WORD_BYTES * rows << log2, spec.WORD_BYTES * rows * task.size


def count_leaves(record: RoundRecord, wanted: Wanted) -> int:
    """Return how many leaves a vector of a round has."""
    leaf_bytes, vector_bytes = _measure(record, wanted)
    return -(-vector_bytes // leaf_bytes)


def make_answer(record: RoundRecord, demand: Demand, update: Fetched | None = None) -> bytes:
    """Return the answer to a demand, from what chain and store say about its round.

    Args: update: the client's, where it is known from elsewhere than the record, as before a proposal.
    Raises: NotFoundError: this store does not have the vector. Unavailable and others: it lacks or refuses an update.
    """
    if demand.subject is Subject.AGGREGATE:
        values = decode_published(record, record.aggregate, demand.root)
        if values is None:
            raise NotFoundError(f"the aggregate of round {record.number} is not in this store")
        return encode_answer(demand, values.astype("<i4").tobytes())
    if demand.subject is Subject.MATRIX:
        rows = [judge_update(record, member, record.updates[member.client])[1] for member in list_included(record)]
        return encode_answer(demand, np.ascontiguousarray(np.stack(rows).T, dtype="<i4").tobytes())
    member = next((member for member in record.members if member.client == demand.client), None)
    if member is None:
        raise NotFoundError(kind="commitment of client", name=demand.client, suggestion=f" in round {record.number}")
    blob, _ = judge_update(record, member, update or record.updates[member.client])
    return encode_answer(demand, bytes(blob.words()), blob.header.num_examples)


def make_commitment_demand(record: RoundRecord, client: int, leaf: int) -> tuple[Any, ...]:
    """Return the arguments of `demandCommitment` for one leaf of what a client committed to.

    Raises: BadProof: it committed nothing.
    """
    place = encode_commitment_place(record.segments, client)
    commitment = next(member.commitment for member in record.members if member.client == client)
    return (record.round_id, client, commitment, leaf, 1, place)


def make_demand_call(record: RoundRecord, wanted: Wanted, leaf: int) -> tuple[Any, ...]:
    """Return the arguments of `demandLeaves` for one leaf of a vector of a proposed round."""
    if record.proposal is None:
        raise NotFoundError(f"round {record.number} has no proposal: nobody owes its leaves")
    members: Sequence[spec.Member] = list_included(record)
    slot = next((slot for slot, member in enumerate(members) if member.client == wanted.client), None)
    path = b"" if slot is None else encode_member(members, slot)
    return (*make_claim(record, record.proposal).arguments(), int(wanted.subject), leaf, 1, path)


def compute_price_bytes(record: RoundRecord, wanted: Wanted, leaf: int) -> int:
    """Return the length of an answer, by which the board prices a demand for one leaf."""
    leaf_bytes, vector_bytes = _measure(record, wanted)
    demand = Demand(
        round_id=record.round_id,
        client=wanted.client,
        first_leaf=leaf,
        leaf_count=1,
        leaf_bytes=leaf_bytes,
        deadline=0,
        root=bytes(32),
        challenger=bytes(20),
        bond_wei=0,
        reward_wei=0,
        vector_bytes=vector_bytes,
        subject=wanted.subject,
    )
    return compute_answer_bytes(demand)


def compute_bond(answer_bytes: int, *, base_fee_wei: int, is_certified: bool, open_demands: int) -> int:
    """Return the least bond of a demand, as the board's `bondFor` (which nodes, when asked, tell a base fee of zero).

    Args: answer_bytes: length of the answer. base_fee_wei: per gas. open_demands: those that hold up the round already.
    """
    cost_wei = (_PRICES.gas_per_answer + _PRICES.gas_per_byte * answer_bytes) * base_fee_wei
    return (4 if is_certified else 2) * cost_wei << open_demands // _DOUBLING


def describe(demand: Demand) -> str:
    """Return a demand in words."""
    whose = f"the update of client {demand.client}" if demand.is_update else f"the {demand.subject.name.lower()}"
    last = demand.first_leaf + demand.leaf_count - 1
    leaves = f"leaf {last}" if demand.leaf_count == 1 else f"leaves {demand.first_leaf} to {last}"
    return f"{leaves} of {whose}"
