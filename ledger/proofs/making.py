"""Builds proofs from a node and, where the ledger keeps only a hash of a list, from a store. Judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ledger import spec
from ledger.chain.connection import Connection
from ledger.checkpoints import Checkpoint, parse_checkpoint
from ledger.errors import NotFoundError, SplitView, Unavailable, UsageError
from ledger.evidence import slots
from ledger.evidence.fetching import fetch_block_receipts, fetch_headers, fetch_state
from ledger.evidence.receipts import decode_logs, prove_receipt
from ledger.history import fetch_block
from ledger.notes import SignedNote
from ledger.proofs.case import COMMITS, ENDS
from ledger.proofs.format import MAX_HEADERS, EventProof, HeadChain, Place, Proof, ProofKind
from ledger.proofs.trees import prove_entry

if TYPE_CHECKING:
    from ledger.chain import Chain
    from ledger.chain.views import Event
    from ledger.store import ContentStore

OPENING = ("RoundOpened",)
_Entry = tuple[spec.Member, bytes | None, Place | None]
"""A client's commitment; of one that came with others, what its leaf is made of, and where that is."""


@dataclass(slots=True)
class Prover:
    """Makes proofs about one ledger; a block that was fetched once is kept."""

    chain: Chain
    """The ledger, connected and checked."""
    store: ContentStore
    """Where lists of commitments are."""
    notes: Sequence[SignedNote] = ()
    """Checkpoints of the ledger, one of which a proof leads to if it is late enough."""
    _receipts: dict[int, list[bytes]] = field(default_factory=dict)

    def prove_event(self, event: Event) -> Proof:
        """Return the proof of one event of the RoundLedger."""
        round_id = event.args.get("round_id")
        return self._finish(self._begin(ProofKind.EVENT, round_id, None), [event], None)

    def prove_update(self, round_id: int, client: int) -> Proof:
        """Return the proof that a client committed in a round, and of what became of that.

        Raises: NotFoundError: no such round, or the client did not commit in it; Unavailable: the round's list is in
        no store.
        """
        history = self._read_history(round_id, (*OPENING, *COMMITS, "Proposed", "Finalised", "Voided"))
        event, (member, entry, place) = self._find_commitment(history, round_id, client)
        others = [each for each in history if each.name not in COMMITS]
        proof = replace(
            self._begin(ProofKind.UPDATE, round_id, client),
            entry=entry,
            in_segment=place,
            in_members=self._find_place(history, member),
        )
        return self._finish(proof, [*others, event], None)

    def find_commitment(self, round_id: int, client: int) -> Event:
        """Return the event that holds a client's commitment.

        Raises: as prove_update.
        """
        return self._find_commitment(self._read_history(round_id, (*OPENING, *COMMITS)), round_id, client)[0]

    def prove_round(self, round_id: int, *, at_block: int | None = None) -> Proof:
        """Return the proof of a round's events and of what the ledger's storage says about it at a block.

        Args: at_block: None for the checkpoint's, else the last confirmed one.
        Raises: NotFoundError: no such round.
        """
        return self._prove_with_state(ProofKind.ROUND, round_id, (*OPENING, *COMMITS, *ENDS), at_block)

    def prove_model(self, round_id: int, *, at_block: int | None = None) -> Proof:
        """Return the proof of the model that a round ended with.

        Raises: NotFoundError: no such round, or it is not finalised.
        """
        return self._prove_with_state(ProofKind.MODEL, round_id, (*OPENING, "Proposed", "Finalised"), at_block)

    # ---------------------------------------------------------------------------------------------------------- parts

    def _begin(self, kind: ProofKind, round_id: int | None, client: int | None) -> Proof:
        return Proof(
            kind=kind,
            chain_id=self.chain.network.chain_id,
            ledger=self.chain.contracts.ledger,
            round_id=round_id,
            client=client,
            headers=(),
            events=(),
            entry=None,
            in_segment=None,
            in_members=None,
            listed=None,
            head=None,
            state=None,
            checkpoint=None,
        )

    def _read_history(self, round_id: int, names: Sequence[str], last_block: int | None = None) -> list[Event]:
        """Return the events of a round up to a block (None: the last confirmed one), in order, led by its task's."""
        events = self.chain.events(last_block=last_block, names=names, round_id=round_id)
        if not events:
            raise NotFoundError(kind="round", name=round_id, suggestion=f"; the ledger has {self.chain.count_rounds()}")
        task_id = next(event.args["task_id"] for event in events if event.name == "RoundOpened")
        return [*self.chain.events(names=("TaskCreated",), task_id=task_id), *events]

    def _prove_with_state(self, kind: ProofKind, round_id: int, names: Sequence[str], at_block: int | None) -> Proof:
        # One block for everything: a round that moves while it is read must not contradict itself.
        last = at_block if at_block is not None else self.chain.get_confirmed_block()
        history = self._read_history(round_id, names, last)
        if kind is ProofKind.MODEL and history[-1].name != "Finalised":
            raise NotFoundError(f"round {round_id} is not finalised: it has no model")
        note = choose_note(self.notes, history[-1].block)
        if at_block is None and note is not None and parse_checkpoint(note.text).block <= last:
            last = parse_checkpoint(note.text).block  # nothing happened in this round since
        task_id = next(event.args["task_id"] for event in history if event.name == "RoundOpened")
        ledger = self.chain.contracts.ledger
        wanted = {ledger: slots.list_slots([task_id], [round_id])}
        state = fetch_state(self._connection, last, wanted)
        proof = replace(
            self._begin(kind, round_id, None),
            listed=self._find_list(history) if kind is ProofKind.ROUND else None,
            head=self._find_heads(round_id, task_id, last) if history[-1].name == "Finalised" else None,
            state=state[0] if state else None,
        )
        return self._finish(proof, history, last)

    @property
    def _connection(self) -> Connection:
        return Connection(self.chain.network.rpc, ca_file=self.chain.network.ca_file)

    def _finish(self, proof: Proof, events: Sequence[Event], last: int | None) -> Proof:
        """Return a proof with its events and headers, up to the last block that it needs, or to the checkpoint's."""
        ordered = sorted(events, key=lambda event: (event.block, event.log_index))
        first, end = ordered[0].block, last if last is not None else ordered[-1].block
        note = choose_note(self.notes, end)
        if note is not None:
            checkpoint = parse_checkpoint(note.text)
            # State is proven as of the last header: a later checkpoint would need another state.
            if last is None or checkpoint.block == last:
                self._verify_on_this_chain(checkpoint)
                end, proof = checkpoint.block, replace(proof, checkpoint=str(note))
        if end - first >= MAX_HEADERS:
            raise UsageError(
                f"the proof would need {end - first + 1} headers, at most {MAX_HEADERS} fit",
                hint="a form without headers: --as tlog-proof",
            )
        headers = fetch_headers(self._connection, first, end)
        return replace(proof, headers=tuple(headers), events=tuple(self._prove(event) for event in ordered))

    def _verify_on_this_chain(self, checkpoint: Checkpoint) -> None:
        got = self.chain.get_block_hash(checkpoint.block)
        if got != checkpoint.block_hash:
            raise SplitView(
                who="this node",
                what=f"block {checkpoint.block}",
                got="not there" if got is None else f"0x{got.hex()}",
                against="the checkpoint",
                want=f"0x{checkpoint.block_hash.hex()}",
            )

    def _prove(self, event: Event) -> EventProof:
        """Return where an event is: its transaction in the block, its place among that one's logs."""
        if event.block not in self._receipts:
            self._receipts[event.block] = fetch_block_receipts(self._connection, event.block)
        receipts, left = self._receipts[event.block], event.log_index
        for tx, receipt in enumerate(receipts):
            if left < (count := len(decode_logs(receipt))):
                return EventProof(block=event.block, tx=tx, log=left, nodes=tuple(prove_receipt(receipts, tx)))
            left -= count
        raise NotFoundError(f"block {event.block} has no log {event.log_index} any more: it was replaced")

    def _find_commitment(self, history: Sequence[Event], round_id: int, client: int) -> tuple[Event, _Entry]:
        for event in history:
            if event.name in COMMITS and (found := self._find_entry(event, client)) is not None:
                return event, found
        raise NotFoundError(kind="commitment of client", name=client, suggestion=f" in round {round_id}")

    def _find_entry(self, event: Event, client: int) -> _Entry | None:
        """Return a client's commitment in an event, its entry, and where that is; None if it is not there."""
        if event.name == "Committed":
            member = spec.Member(client=event.args["client"], commitment=event.args["commitment"])
            return (member, None, None) if member.client == client else None
        entries = self._list_entries(event)
        for index, entry in enumerate(entries):
            if int.from_bytes(entry[:4], "big") == client:
                member = spec.Member(client=client, commitment=entry[4:36])
                return member, entry, prove_entry(entries, index)
        return None

    def _list_entries(self, event: Event) -> list[bytes]:
        if event.name == "SegmentCommitted":
            return [spec.encode_members([member]) for member in spec.decode_members(event.args["entries"])]
        found = fetch_block(self.store, event.args["list_id"])
        if found.data is None:
            raise found.problem or Unavailable(
                cid=found.cid, found=0, stores=1, seconds=0, consequence="; it is the round's list of commitments"
            )
        return [spec.encode_signed_list([entry]) for entry in spec.decode_signed_list(bytes(found.data))]

    def _find_place(self, history: Sequence[Event], member: spec.Member) -> Place | None:
        """Return where a commitment is among those that a proposal calls included; None if it is not.

        Not there: no proposal, an excluded client, or a proposal whose list of members is another one.
        """
        proposed = next((event for event in history if event.name == "Proposed"), None)
        if proposed is None:
            return None
        excluded = dict(spec.decode_exclusions(proposed.args["excluded"]))
        included = sorted(each for each in self._read_members(history) if each.client not in excluded)
        if member not in included or spec.compute_members_root(included) != proposed.args["proposal"].members_root:
            return None
        leaves, index = [spec.hash_leaf(spec.encode_members([each])) for each in included], included.index(member)
        return Place(index=index, path=tuple(spec.compute_inclusion_proof(leaves, index)))

    def _read_members(self, history: Sequence[Event]) -> list[spec.Member]:
        members = []
        for event in history:
            if event.name == "Committed":
                members.append(spec.Member(client=event.args["client"], commitment=event.args["commitment"]))
            elif event.name in COMMITS:
                members += [spec.decode_members(entry[:36])[0] for entry in self._list_entries(event)]
        return spec.distinct_members(members)

    def _find_list(self, history: Sequence[Event]) -> bytes | None:
        posted = next((event for event in history if event.name == "RootCommitted"), None)
        data = fetch_block(self.store, posted.args["list_id"]).data if posted is not None else None
        return None if data is None else bytes(data)

    def _find_heads(self, round_id: int, task_id: int, last: int) -> HeadChain:
        """Return the task's head before a round, and what was finalised after it up to a block."""
        opened = self.chain.events(last_block=last, names=("RoundOpened",), task_id=task_id)
        ours = {event.args["round_id"] for event in opened}
        finalised = [e for e in self.chain.events(last_block=last, names=("Finalised",)) if e.args["round_id"] in ours]
        position = next(i for i, event in enumerate(finalised) if event.args["round_id"] == round_id)
        previous = finalised[position - 1].args["head"] if position else spec.ZERO_DIGEST
        later = tuple((each, self._get_proposal_hash(each)) for each in _ids(finalised[position + 1 :]))
        return HeadChain(previous=previous, later=later)

    def _get_proposal_hash(self, round_id: int) -> bytes:
        (proposed,) = self.chain.events(names=("Proposed",), round_id=round_id)
        return bytes(proposed.args["proposal_hash"])


def choose_note(notes: Sequence[SignedNote], block: int) -> SignedNote | None:
    """Return the checkpoint of a block or a later one that most have signed, the earliest of those; None if none is."""
    late = [note for note in notes if parse_checkpoint(note.text).block >= block]
    return min(late, key=lambda note: (-len(note.signatures), parse_checkpoint(note.text).block), default=None)


def _ids(events: Sequence[Any]) -> list[int]:
    return [event.args["round_id"] for event in events]
