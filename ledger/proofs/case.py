"""A proof while it is read: headers are linked, events are in their blocks, the state is in the last one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ledger import spec
from ledger.chain.abi import get_interface
from ledger.chain.views import name_event
from ledger.checkpoints import parse_checkpoint
from ledger.errors import BadProof, FedtrailError, SplitView, WrongCode
from ledger.evidence.headers import Header, decode_header, verify_links
from ledger.evidence.receipts import RawLog, decode_logs, verify_receipt
from ledger.evidence.state import verify_proof
from ledger.notes import parse_note
from ledger.proofs.format import EventProof, Proof
from ledger.trust import Trust

COMMITS = ("SegmentCommitted", "Committed", "RootCommitted")
ENDS = {
    "Finalised": spec.Phase.FINALISED,
    "Voided": spec.Phase.VOIDED,
    "Abandoned": spec.Phase.ABANDONED,
    "Expired": spec.Phase.EXPIRED,
    "Proposed": spec.Phase.PROPOSED,
}
"""Events that say where a round stands, the last word first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenEvent:
    """An event that is in a block, whatever block that is."""

    name: str
    """Its name in Solidity."""
    args: Mapping[str, Any]
    """Arguments under Python names."""
    block: int
    """Number of its block."""


@dataclass(slots=True)
class Case:
    """A proof while it is read."""

    proof: Proof
    """As it came."""
    headers: dict[int, Header]
    """By number, without gaps."""
    events: list[ProvenEvent]
    """In the order of the chain."""
    words: dict[int, int] | None
    """Words in the ledger's storage by slot, as of the last header; None if the proof has no state."""
    gaps: list[str] = field(default_factory=list)
    """What turned out to be missing."""

    def take(self, *names: str) -> ProvenEvent:
        """Return the one event of these names. Raises: BadProof: there is none, or more."""
        found = self.find(*names)
        if found is None:
            raise BadProof(what=f"the proof has no event {' or '.join(names)}")
        return found

    def find(self, *names: str) -> ProvenEvent | None:
        """Return the event of these names, None if there is none. Raises: BadProof: there are more."""
        found = [event for event in self.events if event.name in names]
        if len(found) > 1:
            raise BadProof(what=f"the proof has more than one event {' or '.join(names)}")
        return found[0] if found else None

    def get_last_block(self) -> int:
        """Return the number of the latest block that anything relies on: the state's, or the last event's."""
        return max(self.headers) if self.words is not None else max(event.block for event in self.events)

    @property
    def round_id(self) -> int:
        """The round that the proof is about. Raises: BadProof: it names none."""
        if self.proof.round_id is None:
            raise BadProof(what="a proof that names no round")
        return self.proof.round_id

    @property
    def domain_separator(self) -> bytes:
        """EIP-712 domain of the ledger that the proof names."""
        return spec.compute_domain_separator(spec.LEDGER_NAME, self.proof.chain_id, self.proof.ledger)


def open_case(proof: Proof) -> Case:
    """Return a proof whose headers, events and state were verified against each other.

    Raises: BadProof.
    """
    places = [(event.block, event.tx, event.log) for event in proof.events]
    if any(before >= after for before, after in pairwise(places)):
        raise BadProof(what="events that are not in the order of the chain")
    headers = _read_headers(proof)
    events = [read_event(proof.ledger, headers, each) for each in proof.events]
    return Case(proof=proof, headers=headers, events=events, words=_read_state(proof, headers))


def verify_ledger(chain_id: int, ledger: bytes, trust: Trust) -> None:
    """Return if a proof is of the ledger that a trust file names. Raises: WrongCode."""
    for got, want in ((chain_id, trust.chain_id), (ledger, trust.contract)):
        if want is not None and got != want:
            contract = "any" if trust.contract is None else f"0x{trust.contract.hex()}"
            raise WrongCode(
                f"the proof is of ledger 0x{ledger.hex()} on chain {chain_id}, the trust file names ledger "
                f"{contract} on chain {'any' if trust.chain_id is None else trust.chain_id}"
            )


def _read_headers(proof: Proof) -> dict[int, Header]:
    headers = [decode_header(each) for each in proof.headers]
    verify_links(headers)
    return {header.number: header for header in headers}


def read_event(ledger: bytes, headers: Mapping[int, Header], proof: EventProof) -> ProvenEvent:
    """Return an event of the RoundLedger, from the header of its block.

    Raises: BadProof.
    """
    header = headers.get(proof.block)
    if header is None:
        raise BadProof(what=f"the proof has no header of block {proof.block}")
    logs = decode_logs(verify_receipt(header.receipts_root, proof.tx, proof.nodes))
    if proof.log >= len(logs):
        raise BadProof(what=f"receipt {proof.tx} of block {proof.block} has {len(logs)} logs, not {proof.log + 1}")
    name, args = decode_event(ledger, logs[proof.log])
    return ProvenEvent(name=name, args=args, block=proof.block)


def decode_event(ledger: bytes, log: RawLog) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of an event of the RoundLedger.

    Raises: BadProof: the log is by another contract, or no event of it.
    """
    if log.address != ledger:
        raise BadProof(what=f"a log by 0x{log.address.hex()}, not by the ledger 0x{ledger.hex()}")
    item = get_interface("RoundLedger").events.get(log.topics[0]) if log.topics else None
    if item is not None and len(log.topics) == 1 + sum(param["indexed"] for param in item.inputs):
        try:
            return item.name, name_event(item.decode_log(log.topics, log.data))
        except (FedtrailError, ValueError, TypeError, KeyError):
            pass
    raise BadProof(what="a log that is no event of RoundLedger")


def _read_state(proof: Proof, headers: Mapping[int, Header]) -> dict[int, int] | None:
    if proof.state is None:
        return None
    if proof.state.address != proof.ledger or not headers:
        raise BadProof(what=f"a proof about the state of 0x{proof.state.address.hex()}, which is not the ledger")
    return verify_proof(headers[max(headers)].state_root, proof.state)[1]


def find_anchor(proof: Proof, headers: Mapping[int, Header], block: int, trust: Trust) -> str | None:
    """Return who vouches for a block, or for a later one that is linked to it; None for nobody.

    A block alone does not say which of its contracts is the ledger: it counts if the trust file names that, too. A
    checkpoint names its ledger itself.
    Raises: SplitView: somebody who is trusted says something else about one of the blocks.
    """
    found = []
    for number, want in trust.block_hashes.items():
        if number in headers:
            _compare(headers[number], want, "the trust file")
            counts = number >= block and trust.contract is not None
            found += [f"block {number} of the trust file"] if counts else []
    if proof.checkpoint is not None:
        note = parse_note(proof.checkpoint.encode("utf-8", "surrogatepass"))
        checkpoint, witnesses = parse_checkpoint(note.text), trust.find_witnesses(note)
        if (checkpoint.chain_id, checkpoint.ledger) != (proof.chain_id, proof.ledger):
            raise BadProof(what=f"a checkpoint of {checkpoint.origin}, which is another ledger")
        if witnesses and checkpoint.block in headers:
            _compare(headers[checkpoint.block], checkpoint.block_hash, f"the checkpoint of {', '.join(witnesses)}")
            if checkpoint.block >= block and trust.is_witnessed(note):
                found.append(f"cosigned by {', '.join(witnesses)}")
    return "; ".join(found) or None


def _compare(header: Header, want: bytes, who: str) -> None:
    if header.hash != want:
        got = f"0x{header.hash.hex()}"
        raise SplitView(who="the proof", what=f"block {header.number}", got=got, against=who, want=f"0x{want.hex()}")
