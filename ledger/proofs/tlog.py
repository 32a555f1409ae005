"""An event's place in the ledger's log, in the form that the tools of transparency logs read: C2SP tlog-proof@v1.

Small whatever the chain's length: no headers, no receipts. What it shows rests on those who signed the checkpoint: that
the event is the one at this index of the log they saw. The line `extra` holds the leaf itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger import commitments, spec
from ledger.chain.abi import get_events, get_interface
from ledger.chain.views import name_event
from ledger.checkpoints import encode_event, parse_checkpoint, verify_same_view
from ledger.errors import (
    BadProof,
    FedtrailError,
    NotCanonical,
    NotFoundError,
    Oversized,
    SplitView,
    UsageError,
    WrongRoot,
)
from ledger.evidence.receipts import RawLog
from ledger.notes import MAX_NOTE_BYTES, SignedNote, parse_note
from ledger.proofs.case import decode_event, verify_ledger
from ledger.proofs.checking import Checked
from ledger.proofs.rounds import read_segment
from ledger.trust import Trust
from ledger.witnessing import OWN_NODE, name_signers, observe

if TYPE_CHECKING:
    from ledger.chain import Chain
    from ledger.chain.views import Event

FIRST_LINE = "c2sp.org/tlog-proof@v1"
MAX_LEAF_BYTES = 1 << 22
MAX_TLOG_BYTES = 2 * MAX_LEAF_BYTES + MAX_NOTE_BYTES

_HEAD = re.compile(
    re.escape(FIRST_LINE) + r"\nextra (?P<extra>[A-Za-z0-9+/=]+)\nindex (?P<index>0|[1-9]\d{0,18})\n"
    r"(?P<path>(?:[A-Za-z0-9+/]{43}=\n){0,63})\n",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """The content of a file."""

    leaf: bytes
    """The event: address 20 | topics 32 each | data."""
    index: int
    """Its position in the log, from 0."""
    path: tuple[bytes, ...]
    """Siblings from the leaf up, 32 bytes each."""
    note: SignedNote
    """The checkpoint."""

    def __str__(self) -> str:
        """Return the file's text."""
        path = "".join(f"{_to_base64(digest)}\n" for digest in self.path)
        return f"{FIRST_LINE}\nextra {_to_base64(self.leaf)}\nindex {self.index}\n{path}\n{self.note}"


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Return the proof in a stranger's bytes; nothing is verified yet.

    Raises: Oversized, NotCanonical. Files without a leaf in `extra` are of other logs.
    """
    if len(data) > MAX_TLOG_BYTES:
        raise Oversized(got=len(data), want=MAX_TLOG_BYTES)
    # Up to the empty line all is ASCII; a signature's line may hold other characters.
    head, separator, note = data.partition(b"\n\n")
    found = _HEAD.fullmatch((head + separator).decode("ascii", "replace"))
    if found is not None:
        try:
            proof = TlogProof(
                leaf=base64.b64decode(found["extra"], validate=True),
                index=int(found["index"]),
                path=tuple(base64.b64decode(line, validate=True) for line in found["path"].splitlines()),
                note=parse_note(note),
            )
        except binascii.Error:
            proof = None
        if proof is not None and str(proof).encode() == data:
            return proof
    raise NotCanonical(what=f"no {FIRST_LINE} of a fedtrail ledger")


def make_tlog_proof(chain: Chain, event: Event, note: SignedNote) -> TlogProof:
    """Return the proof that an event is in the log of a checkpoint.

    Raises: SplitView: this node tells another history than the checkpoint; UsageError: the event is later than it;
    ChainError.
    """
    checkpoint = parse_checkpoint(note.text)
    if event.block > checkpoint.block:
        raise UsageError(
            f"the event is of block {event.block}, the checkpoint of block {checkpoint.block}",
            hint="make a later one: fedtrail checkpoint create --key NAME",
        )
    history = observe(chain, checkpoint.block)
    verify_same_view(checkpoint, history.checkpoint, who=name_signers(note), against=OWN_NODE)
    place = (event.block, event.log_index)
    if place not in history.places:
        raise NotFoundError(f"block {event.block} has no log {event.log_index} any more: it was replaced")
    index = history.places.index(place)
    path = tuple(spec.compute_inclusion_proof(history.leaves, index))
    return TlogProof(leaf=encode_event(history.logs[index]), index=index, path=path, note=note)


def check_tlog_proof(proof: TlogProof, *, data: bytes | None = None, trust: Trust | None = None) -> Checked:
    """Return what a proof shows.

    Args: data: an update, to see whether the event holds the commitment to it. trust: what the caller takes as given.
    Raises: BadProof, NotCanonical, SplitView, WrongCode; WrongSigner: a signature in a known name does not verify;
    WrongRoot and other SpecErrors: `data` is not what the event commits to.
    """
    trust, checkpoint = trust or Trust(), parse_checkpoint(proof.note.text)
    verify_ledger(checkpoint.chain_id, checkpoint.ledger, trust)
    spec.verify_inclusion(spec.hash_leaf(proof.leaf), proof.index, checkpoint.size, proof.path, checkpoint.root)
    log = decode_leaf(proof.leaf)
    name, args = decode_event(checkpoint.ledger, log) if log.address == checkpoint.ledger else _decode_other(log)
    want = trust.block_hashes.get(checkpoint.block, checkpoint.block_hash)
    if want != checkpoint.block_hash:
        raise SplitView(
            who=name_signers(proof.note),
            what=f"block {checkpoint.block}",
            got=f"0x{checkpoint.block_hash.hex()}",
            against="the trust file",
            want=f"0x{want.hex()}",
        )
    facts = {"event": name, "index": proof.index, "events": checkpoint.size, **args}
    if log.address != checkpoint.ledger:
        facts["contract"] = f"0x{log.address.hex()}"
    if data is not None:
        domain = spec.compute_domain_separator(spec.LEDGER_NAME, checkpoint.chain_id, checkpoint.ledger)
        facts |= _open_update(domain, name, args, data)
    return Checked(
        kind="event",
        chain_id=checkpoint.chain_id,
        ledger=checkpoint.ledger,
        facts=facts,
        block=checkpoint.block,
        block_hash=checkpoint.block_hash,
        anchor=f"cosigned by {', '.join(trust.find_witnesses(proof.note))}" if trust.is_witnessed(proof.note) else None,
    )


def decode_leaf(leaf: bytes) -> RawLog:
    """Return the log that a leaf is; its first topic says how many there are.

    Raises: BadProof: it is no event of our contracts.
    """
    item = get_events().get(leaf[20:52])
    count = 1 + sum(param["indexed"] for param in item.inputs) if item is not None else 0
    end = 20 + 32 * count
    if item is None or len(leaf) < end:
        raise BadProof(what="a leaf that is no event of fedtrail's contracts")
    topics = tuple(leaf[at : at + 32] for at in range(20, end, 32))
    return RawLog(address=leaf[:20], topics=topics, data=leaf[end:])


def _decode_other(log: RawLog) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of an event of another contract than the RoundLedger, as which it cannot pass.

    Raises: BadProof.
    """
    item = get_events()[log.topics[0]]
    if log.topics[0] in get_interface("RoundLedger").events:
        raise BadProof(what=f"an event {item.name} by 0x{log.address.hex()}, which is not the RoundLedger")
    try:
        return item.name, name_event(item.decode_log(log.topics, log.data))
    except (FedtrailError, ValueError, TypeError, KeyError):
        raise BadProof(what=f"a leaf that is no whole event {item.name}") from None


def _open_update(domain: bytes, name: str, args: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    """Return whose update this is, if the event holds the commitment to it."""
    if name not in ("SegmentCommitted", "Committed"):
        raise UsageError(f"an event {name} holds no commitment to an update", hint="use a proof of the update")
    blob = spec.decode_vector(data, max_bytes=len(data))
    header = blob.header
    if header.round_id != args["round_id"]:
        raise spec.WrongRound(got=header.round_id, want=args["round_id"])
    root = commitments.compute_vector_root(commitments.read_values(blob), header.leaf_log2)
    got = spec.compute_commitment(
        domain_separator=domain,
        round_id=header.round_id,
        client=header.client,
        num_examples=header.num_examples,
        root=root,
    )
    members = (
        [spec.Member(client=args["client"], commitment=args["commitment"])]
        if name == "Committed"
        else read_segment(args)
    )
    want = next((member.commitment for member in members if member.client == header.client), None)
    if want is None:
        raise spec.WrongClient(got=header.client, want=", ".join(str(member.client) for member in members))
    if got != want:
        raise WrongRoot(what=f"round {header.round_id}, client {header.client}", got=got.hex(), want=want.hex())
    return {"opens": True, "client": header.client, "num_examples": header.num_examples}


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
