"""Vectors of §15: the text of an audience, sealed updates, and what is refused when they are opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ledger.sealed_updates import open_update, seal_update
from ledger.spec.audience import Envelope, Reader, decode_audience
from vector_cases.case import Case, digest_of, from_hex, to_hex

Input = Mapping[str, Any]

PRIVATE = {number: bytes([number]) * 32 for number in (1, 2, 9)}
"""Aggregator 1, author 2, auditor 9."""
UPDATE = bytes(range(64))
SEED = digest_of("seed of an update")
DOMAIN = digest_of("domain of a ledger")
READERS = [[1, 0], [2, 3], [9, 1]]
"""(participant, epoch)"""
HEADER_BYTES, STANZA_BYTES = 50, 88

TEXTS = ["aggregator", "aggregator+auditors(9)", "aggregator+attestors(5-7)+auditors(9,11-12)"]
REFUSED = {
    "empty": "",
    "without-the-aggregator": "auditors(9)",
    "nobody": "aggregator+auditors()",
    "other-order": "aggregator+auditors(9)+attestors(5)",
    "range-that-is-none": "aggregator+auditors(9,10)",
    "falling": "aggregator+auditors(9,5)",
    "zero-in-front": "aggregator+auditors(09)",
    "somebody-twice": "aggregator+attestors(9)+auditors(9)",
    "too-many": "aggregator+auditors(1-63)",
    "unknown-role": "aggregator+clients(3)",
}


def _envelope(i: Input) -> Envelope:
    readers = [Reader(participant=number, epoch=epoch, key=from_hex(key)) for number, epoch, key in i["readers"]]
    return Envelope(
        domain_separator=from_hex(i["domain_separator"]),
        round_id=i["round_id"],
        client=i["client"],
        readers=tuple(readers),
        max_bytes=i["max_bytes"],
    )


def _open(i: Input) -> bytes:
    key = X25519PrivateKey.from_private_bytes(from_hex(i["private"]))
    return open_update(from_hex(i["sealed"]), _envelope(i), key)


OPERATIONS = {
    "decode_audience": lambda i: str(decode_audience(i["text"])),
    "seal_update": lambda i: seal_update(from_hex(i["update"]), _envelope(i), from_hex(i["seed"])),
    "open_update": _open,
}


def _public(participant: int) -> str:
    return to_hex(X25519PrivateKey.from_private_bytes(PRIVATE[participant]).public_key().public_bytes_raw())


ENVELOPE = {
    "domain_separator": DOMAIN,
    "round_id": 7,
    "client": 2,
    "max_bytes": 100,
    "readers": [[number, epoch, _public(number)] for number, epoch in READERS],
}


def _seal(update: bytes = UPDATE, seed: str = SEED, **changes: Any) -> bytes:
    return seal_update(update, _envelope({**ENVELOPE, **changes}), from_hex(seed))


def get_cases() -> list[Case]:
    """Return the cases of §15."""
    texts = [_read(f"read-{at}", text, want=text) for at, text in enumerate(TEXTS, start=1)]
    refused = [_read(f"refused-{name}", text, want_error="FT722") for name, text in REFUSED.items()]
    return [*texts, *refused, *_list_sealed(), *_list_opened()]


def _read(name: str, text: str, **result: Any) -> Case:
    why = f"{text!r} is {'an' if 'want' in result else 'no'} audience"
    inputs = {"text": text}
    return Case(name=f"audience/{name}", clause="§15.1", why=why, operation="decode_audience", input=inputs, **result)


def _list_sealed() -> list[Case]:
    def case(name: str, why: str, **changes: Any) -> Case:
        inputs = {**ENVELOPE, "update": to_hex(UPDATE), "seed": SEED, **changes}
        return Case(name=f"audience/seal-{name}", clause="§15.2", why=why, operation="seal_update", input=inputs)

    return [
        case("three-readers", "author, aggregator, auditor"),
        case("nothing", "an empty update has the same length", update="0x"),
        case("the-largest", "no zeros follow", update=to_hex(bytes(range(100)))),
        case("other-seed", "every byte after the header is another", seed=digest_of("another seed")),
        case("other-round", "the header is in every key", round_id=8),
    ]


def _list_opened() -> list[Case]:
    good = _seal()
    other = _seal(seed=digest_of("another seed"))
    body = HEADER_BYTES + STANZA_BYTES * len(READERS)
    second = slice(HEADER_BYTES + STANZA_BYTES, HEADER_BYTES + 2 * STANZA_BYTES)
    flipped = bytes([good[-1] ^ 1])
    wrong = {
        "truncated-header": (good[:49], "FT710", "49 bytes are no header"),
        "in-the-open": (b"FTU\x01" + good[4:], "FT712", "an update that is not sealed"),
        "truncated": (good[:-1], "FT710", "one byte less than its readers need"),
        "trailing": (good + b"\0", "FT711", "one byte more"),
        "other-chain": (_seal(domain_separator=digest_of("another domain")), "FT719", "sealed for another ledger"),
        "other-round": (_seal(round_id=6), "FT718", "sealed in another round"),
        "other-client": (_seal(client=1), "FT720", "another author's"),
        "other-epoch": (
            _seal(readers=[[1, 0, _public(1)], [2, 3, _public(2)], [9, 2, _public(9)]]),
            "FT741",
            "epoch 2",
        ),
        "fewer-readers": (_seal(readers=ENVELOPE["readers"][:2]), "FT741", "the auditor is left out"),
        "swapped-ciphertext": (good[:body] + other[body:], "FT741", "of another seed"),
        "swapped-stanza-of-another": (
            good[: second.start] + other[second] + good[second.stop :],
            "FT741",
            "the auditor's own stanza is untouched",
        ),
        "one-bit": (good[:-1] + flipped, "FT741", "the last bit"),
    }
    inputs = {**ENVELOPE, "private": to_hex(PRIVATE[9])}
    cases = [
        Case(
            name=f"audience/open-{name}",
            clause="§15.3",
            why=why,
            operation="open_update",
            input={**inputs, "sealed": to_hex(blob)},
            want_error=code,
        )
        for name, (blob, code, why) in wrong.items()
    ]
    opened = [
        Case(
            name=f"audience/open-as-{number}",
            clause="§15.3",
            why="every reader opens it",
            operation="open_update",
            input={**ENVELOPE, "private": to_hex(PRIVATE[number]), "sealed": to_hex(good)},
            want=to_hex(UPDATE),
        )
        for number in PRIVATE
    ]
    return [*opened, *cases]
