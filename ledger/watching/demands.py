"""Demands for leaves: which are open, who makes them, who answers (docs/protocol.md §8.6)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ledger.availability import BOARD, Demand, Subject, compute_demand_hash, open_leaves, read_demand
from ledger.chain import Chain, Receipt
from ledger.errors import NotFoundError
from ledger.history import load_round
from ledger.readers import BlobReader
from ledger.records import RoundRecord
from ledger.watching.happening import Happening, guard
from ledger.watching.leaves import (
    Wanted,
    compute_bond,
    compute_price_bytes,
    count_leaves,
    describe,
    list_open_demands,
    list_wanted,
    make_answer,
    make_commitment_demand,
    make_demand_call,
)

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

EVENTS = ("LeavesDemanded", "LeavesServed", "LeavesWithheld")
"""Events that tell of demands."""
_MOST_DEMANDS = 4
"""Demands of one account about one round: more would pay twice the price."""
_MARGIN = 2
"""The price of an answer follows the base fee, which may have risen until the demand is in a block."""


def fetch_open_demands(chain: Chain, round_id: int | None = None) -> list[Demand]:
    """Return the demands that are open in a ledger; none where it has no board."""
    has_board = BOARD in chain.contracts.addresses
    # An answer names its demand by a hash, and no round.
    answers = chain.events(names=EVENTS[1:]) if has_board else []
    return list_open_demands([*chain.events(names=EVENTS[:1], round_id=round_id), *answers]) if has_board else []


def fetch_matrix_leaves(chain: Chain, round_id: int) -> dict[int, bytes]:
    """Return the leaves of a round's proposed matrix that were shown on demand, by index, as proofs open them."""
    if BOARD not in chain.contracts.addresses:
        return {}
    demanded = [read_demand(event.args["demand"]) for event in chain.events(names=EVENTS[:1], round_id=round_id)]
    by_hash = {compute_demand_hash(demand): demand for demand in demanded if demand.subject is Subject.MATRIX}
    answers = chain.events(names=("LeavesServed",)) if by_hash else []
    shown: dict[int, bytes] = {}
    for event in answers:
        if event.args["demand_hash"] in by_hash:
            shown |= open_leaves(by_hash[event.args["demand_hash"]], event.args["answer"])
    return shown


class Demander:
    """Demands, from one account, what it needs to judge a round; takes its bond back where nobody answers."""

    def __init__(self, chain: Chain, account: LocalAccount) -> None:
        self.chain = chain
        self.account = account
        self._address = bytes.fromhex(account.address[2:])

    def look(self, round_id: int | None = None) -> Iterator[Happening]:
        """Close every demand of this account that nobody answered in time, and tell it."""
        yield from (
            self._close(demand) for demand in self._list_overdue(round_id) if demand.challenger == self._address
        )

    def close_overdue(self, round_id: int) -> Iterator[Happening]:
        """Close every demand about a round that nobody answered in time, whoever made it."""
        yield from map(self._close, self._list_overdue(round_id))

    def _list_overdue(self, round_id: int | None) -> list[Demand]:
        found = fetch_open_demands(self.chain, round_id)
        return [demand for demand in found if self.chain.now() > demand.deadline]

    def _close(self, demand: Demand) -> Happening:
        """End a demand that nobody answered: the bond comes back, and who owed the leaves pays."""
        call = self.chain.contracts.to(BOARD, "fail", demand.arguments())
        key = f"{self.chain.fingerprint}/demand/{compute_demand_hash(demand).hex()}/fail"
        receipt = self.chain.send(call, key=key, sender=self.account)
        return Happening(what="withheld", round_id=demand.round_id, message=describe(demand), tx=receipt.tx)

    def demand(self, record: RoundRecord, *, matrix: bool = False) -> Iterator[Happening]:
        """Demand a leaf of every vector of a proposed round that could not be had, and tell it.

        A few a round: what is withheld voids it, and the price rises with the demands that are open. Only in tasks with
        an availability board, whose aggregators and attestors know what they owe.

        Args: matrix: also a leaf of the proposed matrix, and another one each time when those before were shown.
        """
        if record.task.board != self.chain.contracts.addresses[BOARD]:
            return
        before = self._list_demanded(record.round_id)
        for number, wanted in enumerate(self._list_due(record, before, matrix=matrix), start=len(before)):
            receipt = self._send(record, wanted, number)
            demand = read_demand(receipt.find("LeavesDemanded").args["demand"])
            yield Happening(what="demand leaves", round_id=record.round_id, message=describe(demand), tx=receipt.tx)

    def demand_commitment(self, record: RoundRecord, client: int) -> Happening:
        """Demand a leaf of what a client committed to, after the commit phase and before a certificate.

        Raises: BadProof: it committed nothing. NotFoundError: all its leaves were demanded. Reverted: too early, too
            late, or a task without this board.
        """
        wanted = Wanted(subject=Subject.COMMITMENT, client=client)
        number = sum(demand.client == client for demand in self._list_demanded(record.round_id))
        receipt = self._send(record, wanted, number)
        demand = read_demand(receipt.find("LeavesDemanded").args["demand"])
        return Happening(what="demand leaves", round_id=record.round_id, message=describe(demand), tx=receipt.tx)

    def _list_due(self, record: RoundRecord, before: Sequence[Demand], *, matrix: bool) -> list[Wanted]:
        """Return what is to be demanded now. Args: before: what this account has demanded in the round."""
        demanded = {Wanted(subject=demand.subject, client=demand.client) for demand in before}
        due = [wanted for wanted in list_wanted(record) if wanted not in demanded]
        is_open = any(demand.subject is Subject.MATRIX for demand in fetch_open_demands(self.chain, record.round_id))
        wanted = Wanted(subject=Subject.MATRIX, client=0)
        tried = sum(demand.subject is Subject.MATRIX for demand in before)
        if matrix and not is_open and tried < count_leaves(record, wanted):
            due.append(wanted)
        return due[: _MOST_DEMANDS - len(before)]

    def _list_demanded(self, round_id: int) -> list[Demand]:
        demanded = self.chain.events(names=EVENTS[:1], round_id=round_id)
        return [read_demand(event.args["demand"]) for event in demanded if event.args["challenger"] == self._address]

    def _choose_leaf(self, key: str, record: RoundRecord, wanted: Wanted) -> int:
        """Return a leaf that nobody could foresee and nobody has demanded, the same one after a restart."""
        journal = self.chain.journal
        if journal.get_note(key) is None:
            events = self.chain.events(names=EVENTS[:1], round_id=record.round_id)
            demands = [read_demand(event.args["demand"]) for event in events]
            taken = {
                demand.first_leaf + at
                for demand in demands
                if (demand.subject, demand.client) == (wanted.subject, wanted.client)
                for at in range(demand.leaf_count)
            }
            count = count_leaves(record, wanted)
            if len(taken) >= count:
                raise NotFoundError(f"every leaf of round {record.number}'s vector has been demanded")
            while (leaf := secrets.randbelow(count)) in taken:
                pass
            journal.note(key, {"leaf": leaf})
        return int((journal.get_note(key) or {})["leaf"])

    def _send(self, record: RoundRecord, wanted: Wanted, number: int) -> Receipt:
        key = self._key(record, wanted, number)
        leaf = self._choose_leaf(key, record, wanted)
        bond_wei = self._get_bond(key, record, wanted, compute_price_bytes(record, wanted, leaf))
        if wanted.subject is Subject.COMMITMENT:
            function, arguments = "demandCommitment", make_commitment_demand(record, wanted.client, leaf)
        else:
            function, arguments = "demandLeaves", make_demand_call(record, wanted, leaf)
        call = self.chain.contracts.to(BOARD, function, *arguments, value_wei=bond_wei)
        return self.chain.send(call, key=key, sender=self.account)

    def _count_open(self, record: RoundRecord, wanted: Wanted) -> int:
        """Return the open demands that make the next one dearer: those to the client, or else to the round."""
        if wanted.subject is not Subject.COMMITMENT:
            return self.chain.get_round(record.round_id).open_disputes
        found = fetch_open_demands(self.chain, record.round_id)
        return sum((each.subject, each.client) == (wanted.subject, wanted.client) for each in found)

    def _get_bond(self, key: str, record: RoundRecord, wanted: Wanted, answer_bytes: int) -> int:
        """Return what the demand pays: noted, since asking again must ask for the very same."""
        note, journal = f"{key}/bond", self.chain.journal
        if journal.get_note(note) is None:
            price_wei = compute_bond(
                answer_bytes,
                base_fee_wei=self.chain.get_base_fee(),
                is_certified=self.chain.get_certificate(record.round_id) is not None,
                open_demands=self._count_open(record, wanted),
            )
            journal.note(note, {"wei": str(_MARGIN * price_wei)})
        return int((journal.get_note(note) or {})["wei"])

    def _key(self, record: RoundRecord, wanted: Wanted, number: int) -> str:
        place = f"{wanted.subject.name.lower()}/{wanted.client}/{number}"
        return f"{self.chain.fingerprint}/dispute/{record.round_id}/demand/{place}"


class Answerer:
    """Answers, from one account, the demands that it can: whoever shows the leaves earns the reward."""

    def __init__(self, chain: Chain, store: BlobReader, account: LocalAccount, *, aggregator: int | None = None):
        self.chain = chain
        self.store = store
        self.account = account
        self._aggregator = aggregator

    def look(self, round_id: int | None = None) -> Iterator[Happening]:
        """Answer every open demand. Args: round_id: only those about this round."""
        for demand in fetch_open_demands(self.chain, round_id):
            if self.chain.now() <= demand.deadline and self._is_mine(demand):
                yield from guard(demand.round_id, self._answer(demand))

    def _is_mine(self, demand: Demand) -> bool:
        return self._aggregator in (None, self.chain.get_round(demand.round_id).aggregator)

    def _answer(self, demand: Demand) -> Iterator[Happening]:
        receipt = self.send(demand, self.make_answer(demand))
        yield Happening(what="answer", round_id=demand.round_id, message=describe(demand), tx=receipt.tx)

    def make_answer(self, demand: Demand) -> bytes:
        """Return the answer to a demand from this store."""
        return make_answer(load_round(self.chain, self.store, demand.round_id), demand)

    def send(self, demand: Demand, answer: bytes) -> Receipt:
        """Give an answer to the board, once."""
        call = self.chain.contracts.to(BOARD, "answer", demand.arguments(), answer)
        key = f"{self.chain.fingerprint}/demand/{compute_demand_hash(demand).hex()}/answer"
        return self.chain.send(call, key=key, sender=self.account)
