"""Vectors of §3: vector blobs and manifests, and one rejection for every way to be malformed."""

from __future__ import annotations

import struct
from typing import Any

from ledger import spec
from vector_cases.case import COMPUTED, Case, to_hex

DOMAIN = bytes(range(32))
BOUND = (1 << 23) - 1
VALUES = [0, 1, -1, 1000, -1000, BOUND, -BOUND, 7, 8]
HEADER: dict[str, Any] = {
    "kind": "update",
    "domain_separator": to_hex(DOMAIN),
    "round_id": 5,
    "client": 3,
    "num_examples": 120,
    "size": 9,
    "scale_bits": 20,
    "leaf_log2": 3,
}
WANT = {key: value for key, value in HEADER.items() if key != "num_examples"}
PAYLOAD = spec.encode_int32(VALUES)

HEADER_WHY = (
    "magic 4654, kind 55 (U), version 01, 32 bytes of domain, round 5 in 8 bytes, client 3, num_examples 120 = 78h "
    "and size 2 in 4 bytes each, scale 20 = 14h, leaf 3, two zeros; then 1 and -1 little endian"
)
HEADER_HEX = (
    "0x46545501" + DOMAIN.hex() + "0000000000000005" + "00000003" + "00000078" + "00000002" + "14" + "03" + "0000"
    "01000000" + "ffffffff"
)


def get_cases() -> list[Case]:
    """Return the cases of §3."""
    return [*_encodings(), *_updates(), *_rejected_bytes(), *_rejected_headers(), *_rejected_values(), *_manifests()]


def _case(name: str, clause: str, why: str, operation: str, arguments: dict[str, Any], **result: Any) -> Case:
    return Case(name=f"blobs/{name}", clause=clause, why=why, operation=operation, input=arguments, **result)


def _blob(values: list[int] = VALUES, **changes: Any) -> bytes:
    item = {**HEADER, "size": len(values), **changes}
    header = spec.VectorHeader(
        kind=spec.Kind[item.pop("kind").upper()], domain_separator=DOMAIN, **_without(item, "domain_separator")
    )
    return spec.encode_vector(header, spec.encode_int32(values))


def _without(item: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != key}


def _update(data: bytes, bound: int = BOUND, **want: Any) -> dict[str, Any]:
    return {"data": to_hex(data), "want": {**WANT, **want}, "bound": bound}


def _encodings() -> list[Case]:
    small = {"header": {**HEADER, "size": 2}, "payload": to_hex(spec.encode_int32([1, -1]))}
    long = {"header": {**HEADER, "size": 3}, "payload": small["payload"]}
    whole = _blob()
    return [
        _case("encode-vector", "§3.1", HEADER_WHY, "encode_vector", small, want=HEADER_HEX),
        _case("encode-payload-short", "§3.1", "3 coordinates, 8 bytes", "encode_vector", long, want_error="FT710"),
        *(
            _case(f"decode-{kind}", "§3.1", f"kind {kind}", "decode_vector", _vector(_blob(kind=kind)))
            for kind in ("update", "aggregate", "model")
        ),
        _case("decode-no-coordinates", "§3.1", "size 0: the header alone", "decode_vector", _vector(_blob([]))),
        _case("decode-at-the-cap", "§3.1", "as long as allowed", "decode_vector", _vector(whole, len(whole))),
        _case(
            "decode-above-the-cap",
            "§3.1",
            "a byte longer than allowed, not parsed",
            "decode_vector",
            _vector(whole, len(whole) - 1),
            want_error="FT716",
        ),
    ]


def _vector(data: bytes, max_bytes: int = 4096) -> dict[str, Any]:
    return {"data": to_hex(data), "max_bytes": max_bytes}


def _updates() -> list[Case]:
    most = spec.MAX_NUM_EXAMPLES
    tight = _update(_blob([5, -5]), bound=5, size=2)
    return [
        _case("update", "§3.2", "canonical, expected and in range", "decode_update", _update(_blob())),
        _case("update-at-bound", "§3.2", "5 and -5 are within a bound of 5", "decode_update", tight),
        _case(
            "update-most-examples",
            "§3.2",
            "num_examples 2**32 - 1 decodes; the rule caps its weight",
            "decode_update",
            _update(_blob(num_examples=most)),
        ),
        _case("update-one-coordinate", "§3.2", "d = 1", "decode_update", _update(_blob([42]), size=1)),
    ]


def _rejected_bytes() -> list[Case]:
    good = _blob()
    allowance = spec.TRAILING_ALLOWANCE_BYTES
    rows = [
        ("empty", b"", "FT710", "no bytes at all"),
        ("truncated-magic", good[:3], "FT710", "three bytes"),
        ("truncated-header", good[: spec.HEADER_BYTES - 1], "FT710", "a header one byte short"),
        ("header-only", good[: spec.HEADER_BYTES], "FT710", "nine coordinates announced, none there"),
        ("truncated-last-byte", good[:-1], "FT710", "one byte short"),
        ("truncated-last-coordinate", good[:-4], "FT710", "one coordinate short"),
        ("trailing-byte", good + b"\x00", "FT711", "one byte follows the last coordinate"),
        ("trailing-coordinate", good + bytes(4), "FT711", "a tenth coordinate follows"),
        ("twice", good + good, "FT711", "two blobs run together"),
        ("oversized", good + bytes(allowance + 1), "FT716", f"more than {allowance} bytes too long: not parsed"),
        ("trailing-at-the-cap", good + bytes(allowance), "FT711", f"{allowance} bytes too long: still parsed"),
        ("magic", b"FX" + good[2:], "FT712", "the magic is FX"),
        ("magic-lower-case", b"ft" + good[2:], "FT712", "the magic is ft"),
        ("kind-unknown", good[:2] + b"X" + good[3:], "FT712", "kind X does not exist"),
        ("version-0", good[:3] + b"\x00" + good[4:], "FT712", "version 0"),
        ("version-2", good[:3] + b"\x02" + good[4:], "FT712", "a later version"),
        ("reserved-first", good[:58] + b"\x01" + good[59:], "FT722", "the first reserved byte is 1"),
        ("reserved-last", good[:59] + b"\x80" + good[60:], "FT722", "the last reserved byte is 128"),
    ]
    return [
        _case(f"update-{name}", "§3.1", why, "decode_update", _update(data), want_error=code)
        for name, data, code, why in rows
    ]


def _rejected_headers() -> list[Case]:
    rows: list[tuple[str, str, dict[str, Any], str]] = [
        ("kind-model", "FT712", {"kind": "model"}, "a model where an update belongs"),
        ("kind-aggregate", "FT712", {"kind": "aggregate"}, "an aggregate where an update belongs"),
        ("earlier-round", "FT718", {"round_id": 4}, "an update of the round before"),
        ("later-round", "FT718", {"round_id": 6}, "an update of a round to come"),
        ("other-client", "FT720", {"client": 4}, "another client's update"),
        ("other-scale", "FT713", {"scale_bits": 21}, "another scale"),
        ("other-leaf", "FT713", {"leaf_log2": 4}, "another leaf size"),
        ("zero-examples", "FT721", {"num_examples": 0}, "trained on nothing"),
        ("round-and-client", "FT718", {"round_id": 4, "client": 4}, "two differences: the round is named first"),
    ]
    changed = [
        _case(f"update-{name}", "§3.2", why, "decode_update", _update(_blob(**change)), want_error=code)
        for name, code, change, why in rows
    ]
    other_domain = _update(_blob(), domain_separator=to_hex(DOMAIN[::-1]))
    fewer = _update(_blob(VALUES[:-1]))
    more = _update(_blob([*VALUES, 1]))
    return [
        *changed,
        _case(
            "update-other-domain",
            "§3.2",
            "another chain or contract",
            "decode_update",
            other_domain,
            want_error="FT719",
        ),
        _case("update-fewer-coordinates", "§3.2", "8 of 9", "decode_update", fewer, want_error="FT713"),
        _case("update-more-coordinates", "§3.2", "10 of 9", "decode_update", more, want_error="FT713"),
    ]


def _rejected_values() -> list[Case]:
    rows = [
        ("above-bound", [0, BOUND + 1], BOUND, "2**23 with a bound of 2**23 - 1"),
        ("below-bound", [-BOUND - 1, 0], BOUND, "-2**23 with a bound of 2**23 - 1"),
        ("int32-min", [0, -(1 << 31)], BOUND, "-2**31, whose magnitude is no int32"),
        ("int32-max", [(1 << 31) - 1, 0], BOUND, "2**31 - 1"),
        ("above-small-bound", [5, 6], 5, "6 with a bound of 5"),
    ]
    return [
        _case(f"update-{name}", "§1.4", why, "decode_update", _update(_blob(values), bound, size=2), want_error="FT715")
        for name, values, bound, why in rows
    ]


def _content(byte: int, codec: int = 0x55) -> dict[str, Any]:
    return {"codec": codec, "digest": "0x" + f"{byte:02x}" * 32}


MANIFEST: dict[str, Any] = {
    "domain_separator": to_hex(DOMAIN),
    "round_id": 5,
    "base": _content(0x0A),
    "aggregate": _content(0x0B),
    "model": _content(0x0C, 0x70),
    "entries": [
        {"client": 3, "reason": 0, "content": _content(0x31), "signature": "0x" + "41" * 64},
        {"client": 7, "reason": 715, "content": _content(0x32, 0x70), "signature": "0x" + "42" * 64},
        {"client": 9, "reason": 801, "content": None, "signature": "0x" + "00" * 64},
    ],
}
ENTRY_BYTES = 4 + 2 + 1 + 3 * 32
ONE_ENTRY_WHY = (
    "46544401, 32 bytes of domain, round 5 in 8 bytes, 1 entry in 4, then codec and digest of base, aggregate and "
    "model; client 9 in 4, reason 801 = 0321h in 2, codec 00 and 96 zeros"
)
ONE_ENTRY_HEX = (
    "0x46544401"
    + DOMAIN.hex()
    + "0000000000000005"
    + "00000001"
    + "55"
    + "0a" * 32
    + "55"
    + "0b" * 32
    + "70"
    + "0c" * 32
    + "00000009"
    + "0321"
    + "00"
    + "00" * 96
)


def _manifests() -> list[Case]:
    one = {**MANIFEST, "entries": MANIFEST["entries"][2:]}
    abandoned = {**MANIFEST, "aggregate": None, "model": None}
    cases = [
        _case("encode-manifest-one-entry", "§3.3", ONE_ENTRY_WHY, "encode_manifest", one, want=ONE_ENTRY_HEX),
        _case("encode-manifest", "§3.3", "included, excluded and never published", "encode_manifest", MANIFEST),
        _case("encode-manifest-abandoned", "§3.3", "no aggregate, no model", "encode_manifest", abandoned),
        _case("encode-manifest-empty", "§3.3", "nobody committed", "encode_manifest", {**MANIFEST, "entries": []}),
    ]
    decoded = [
        _case(
            f"decode-manifest{c.name[21:]}",
            "§3.3",
            "inverse: " + c.why,
            "decode_manifest",
            {"data": _encode(c)},
            want=_canonical(c),
        )
        for c in cases
    ]
    return [*cases, *decoded, *_rejected_manifests()]


def _canonical(case: Case) -> Any:
    return dict(case.input) if case.want is COMPUTED else COMPUTED


def _encode(case: Case) -> Any:
    from vector_cases.operations import run

    return run("encode_manifest", case.input)[0]


def _rejected_manifests() -> list[Case]:
    good = bytes.fromhex(_encode(_case("m", "§3.3", "", "encode_manifest", MANIFEST))[2:])
    start = len(good) - 3 * ENTRY_BYTES
    first, second, third = (good[start + i * ENTRY_BYTES : start + (i + 1) * ENTRY_BYTES] for i in range(3))
    head, count_at = good[:start], 44
    four = head[:count_at] + struct.pack(">I", 4) + head[count_at + 4 :]
    rows = [
        ("empty", b"", "FT710", "no bytes at all"),
        ("truncated-header", head[:-1], "FT710", "a header one byte short"),
        ("truncated-entry", good[:-1], "FT710", "the last entry is one byte short"),
        ("entry-missing", good[:-ENTRY_BYTES], "FT710", "three entries announced, two there"),
        ("count-too-large", four + first + second + third, "FT710", "four entries announced, three there"),
        ("trailing-byte", good + b"\x00", "FT711", "a byte after the last entry"),
        ("trailing-entry", good + third, "FT711", "an entry that the count leaves out"),
        ("magic", b"FTX\x01" + good[4:], "FT712", "the magic is FTX"),
        ("version-2", b"FTD\x02" + good[4:], "FT712", "a later version"),
        ("entries-swapped", head + second + first + third, "FT722", "client 3 follows client 7"),
        ("entry-twice", head + first + first + third, "FT722", "client 3 follows client 3"),
        ("codec-unknown", head + first[:6] + b"\x71" + first[7:] + second + third, "FT722", "codec 71h"),
        (
            "digest-without-codec",
            head + first + second + third[:7] + b"\x01" + third[8:],
            "FT722",
            "codec 0, digest not",
        ),
        ("base-codec-unknown", good[:48] + b"\x01" + good[49:], "FT722", "codec 01h of the base model"),
    ]
    return [
        _case(f"manifest-{name}", "§3.3", why, "decode_manifest", {"data": to_hex(data)}, want_error=code)
        for name, data, code, why in rows
    ]
