"""`facts.json` of a bundle: what participants stated on the ledger, each with the log that proves it.

Both verifiers make it anew from the events of the receipts (docs/bundle.md §5): it says nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ledger import spec
from ledger.bundle.container import Container
from ledger.bundle.format import FACTS, encode_json
from ledger.chain.views import Event
from ledger.errors import BadProof
from ledger.spec.errors import NotCanonical

FORMAT = "fedtrail-facts-1"


def encode_facts(events: Iterable[Event]) -> bytes:
    """Return what the events of the contract `statements` say, in their order, as canonical JSON.

    Raises: BadProof: entries of one are none.
    """
    facts = [
        {"block": str(event.block), "log": str(event.log_index), **_TELL[event.name](event.args)}
        for event in events
        if event.name in _TELL
    ]
    return encode_json({"facts": facts, "format": FORMAT})


def verify_facts(container: Container, events: Sequence[Event]) -> None:
    """Check that the facts in a bundle, if there are any, are what its events say. Raises: BadProof."""
    want = encode_facts(events)
    if FACTS not in container:
        return
    is_as_long = container.entries[FACTS].size_bytes == len(want)
    if not is_as_long or container.read(FACTS, max_bytes=len(want)) != want:
        raise BadProof(what=f"{FACTS} does not say what the events of the statements say")


def _tell_scores(args: Mapping[str, Any]) -> dict[str, object]:
    return {
        "fact": "scores",
        "round": str(args["round_id"]),
        "scorer": str(args["scorer"]),
        "kind": spec.decode_label(args["kind"]),
        "method": _hex(args["method"]),
        "values": _decode(spec.decode_scores, args["entries"]),
    }


def _tell_spend(args: Mapping[str, Any]) -> dict[str, object]:
    return {
        "fact": "spend",
        "round": str(args["round_id"]),
        "speaker": str(args["speaker"]),
        "mechanism": spec.decode_label(args["mechanism"]),
        "spent": _decode(spec.decode_spends, args["entries"]),
    }


def _tell_contest(args: Mapping[str, Any]) -> dict[str, object]:
    return {
        "fact": "contest",
        "round": str(args["round_id"]),
        "client": str(args["client"]),
        "statement": _hex(args["statement"]),
    }


def _tell_key(args: Mapping[str, Any]) -> dict[str, object]:
    return {
        "fact": "key",
        "participant": str(args["id"]),
        "epoch": str(args["epoch"]),
        "key": _hex(args["key"]),
        "since": str(args["since"]),
    }


_TELL: Mapping[str, Callable[[Mapping[str, Any]], dict[str, object]]] = {
    "ScoresRecorded": _tell_scores,
    "PrivacySpent": _tell_spend,
    "RoundContested": _tell_contest,
    "EncryptionKeyAnnounced": _tell_key,
}


def _decode(decode: Callable[[bytes], Iterable[tuple[int, ...]]], data: bytes) -> list[list[str]]:
    try:
        return [[str(number) for number in entry] for entry in decode(data)]
    except NotCanonical as problem:
        raise BadProof(what=f"entries of a statement: {problem.message}") from None


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
