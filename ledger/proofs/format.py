"""A proof as a file: canonical JSON, decoded from a stranger's bytes or rejected; nothing is verified here."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from ledger.bundle.format import decode_json, encode_json
from ledger.errors import NotCanonical, Oversized
from ledger.evidence.state import AccountProof, decode_proof, encode_proof

FORMAT = "fedtrail-proof-1"
MAX_PROOF_BYTES = 1 << 27
MAX_HEADERS = 50_000

_NUMBER = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)
_BYTES = re.compile("0x((?:[0-9a-f]{2})*)", re.ASCII)


class ProofKind(enum.StrEnum):
    """What a proof is about."""

    EVENT = "event"
    UPDATE = "update"
    ROUND = "round"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventProof:
    """Where an event is, and the nodes that lead to its receipt."""

    block: int
    """Number of its block."""
    tx: int
    """Index of its transaction in the block."""
    log: int
    """Position among the logs of the transaction."""
    nodes: tuple[bytes, ...]
    """From the receipts root down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an entry is in a tree over the entries of a list."""

    index: int
    """From 0."""
    path: tuple[bytes, ...]
    """Siblings from the leaf up, 32 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadChain:
    """How a task's head follows from a round's proposal (docs/protocol.md §4.8)."""

    previous: bytes
    """Head before the round was finalised, 32 bytes."""
    later: tuple[tuple[int, bytes], ...]
    """Rounds of the task that were finalised after it, in order, and the hashes of their proposals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The content of a proof's file. What a kind does not need is None or empty."""

    kind: ProofKind
    """What it is about."""
    chain_id: int
    """EIP-155 chain id, as the prover says."""
    ledger: bytes
    """Address of RoundLedger, 20 bytes."""
    round_id: int | None
    """Round in the ledger; None for events of no round."""
    client: int | None
    """Participant, of an update."""
    headers: tuple[bytes, ...]
    """RLP, from the first block that is needed to the last, without gaps."""
    events: tuple[EventProof, ...]
    """In the order of the chain."""
    entry: bytes | None
    """Of an update whose commitment came with others: what its leaf is made of."""
    in_segment: Place | None
    """Where it is among those."""
    in_members: Place | None
    """Where it is among the included."""
    listed: bytes | None
    """Of a round in root-only mode: its list."""
    head: HeadChain | None
    """Of a finalised round or its model."""
    state: AccountProof | None
    """The ledger's account and slots as of the last header."""
    checkpoint: str | None
    """A signed note of one of the blocks."""


def encode_proof_file(proof: Proof) -> bytes:
    """Return the bytes of a proof's file."""
    return encode_json(
        {
            "format": FORMAT,
            "kind": proof.kind.value,
            "chain_id": str(proof.chain_id),
            "ledger": _hex(proof.ledger),
            "round": _text(proof.round_id),
            "client": _text(proof.client),
            "headers": [_hex(header) for header in proof.headers],
            "events": [
                {
                    "block": str(event.block),
                    "tx": str(event.tx),
                    "log": str(event.log),
                    "nodes": [_hex(node) for node in event.nodes],
                }
                for event in proof.events
            ],
            "entry": _hex(proof.entry),
            "in_segment": _encode_place(proof.in_segment),
            "in_members": _encode_place(proof.in_members),
            "list": _hex(proof.listed),
            "head": None
            if proof.head is None
            else {
                "previous": _hex(proof.head.previous),
                "later": [[str(number), _hex(digest)] for number, digest in proof.head.later],
            },
            "state": None if proof.state is None else encode_proof(proof.state),
            "checkpoint": proof.checkpoint,
        }
    )


def decode_proof_file(data: bytes) -> Proof:
    """Return the proof in a stranger's bytes.

    Raises: Oversized, NotCanonical; BadProof: the part about the state is malformed.
    """
    if len(data) > MAX_PROOF_BYTES:
        raise Oversized(got=len(data), want=MAX_PROOF_BYTES)
    document = decode_json(data, what="a proof")
    try:
        proof = _read(document)
        if encode_proof_file(proof) == data:
            return proof
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise NotCanonical(what=f"no {FORMAT}")


def _read(document: dict[str, Any]) -> Proof:
    if document["format"] != FORMAT or len(document["headers"]) > MAX_HEADERS:
        raise ValueError
    head, state, note = document["head"], document["state"], document["checkpoint"]
    if note is not None and not isinstance(note, str):
        raise ValueError
    return Proof(
        kind=ProofKind(document["kind"]),
        chain_id=_number(document["chain_id"]),
        ledger=_sized(document["ledger"], 20),
        round_id=_optional(_number, document["round"]),
        client=_optional(_number, document["client"]),
        headers=tuple(_bytes(header) for header in document["headers"]),
        events=tuple(
            EventProof(
                block=_number(event["block"]),
                tx=_number(event["tx"]),
                log=_number(event["log"]),
                nodes=tuple(_bytes(node) for node in event["nodes"]),
            )
            for event in document["events"]
        ),
        entry=_optional(_bytes, document["entry"]),
        in_segment=_optional(_read_place, document["in_segment"]),
        in_members=_optional(_read_place, document["in_members"]),
        listed=_optional(_bytes, document["list"]),
        head=None
        if head is None
        else HeadChain(
            previous=_sized(head["previous"], 32),
            later=tuple((_number(number), _sized(digest, 32)) for number, digest in head["later"]),
        ),
        state=None if state is None else decode_proof(state),
        checkpoint=note,
    )


def _encode_place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"index": str(place.index), "path": [_hex(digest) for digest in place.path]}


def _read_place(value: dict[str, Any]) -> Place:
    return Place(index=_number(value["index"]), path=tuple(_sized(digest, 32) for digest in value["path"]))


def _optional(read: Any, value: Any) -> Any:
    return None if value is None else read(value)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return int(text)


def _bytes(text: str) -> bytes:
    found = _BYTES.fullmatch(text)
    if found is None:
        raise ValueError
    return bytes.fromhex(found[1])


def _sized(text: str, size: int) -> bytes:
    data = _bytes(text)
    if len(data) != size:
        raise ValueError
    return data


def _hex(data: bytes | None) -> str | None:
    return None if data is None else "0x" + data.hex()


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
