"""Vectors of §4.6: the signed list of a root-only round, and the clients of an accumulated one."""

from __future__ import annotations

from typing import Any

from vector_cases.case import COMPUTED, Case, digest_of

LEAF_WHY = "keccak(00 | 00000001 | sha256('client 1') | sha256('r 1') | sha256('vs 1'))"
LEAF = "0xc1c7dbb72c54d8ab9cf55e7e67b78979adb0599b7917979fc2a7a3dde5bd0ca7"
ROOT_WHY = "keccak(01 | leaf of client 1 | leaf of client 2)"
ROOT = "0xb32ba462da3d053ef790adbf4ad9e4dd917c696b5ac485ca2af0de8a30a82fde"
ID_WHY = "sha256 of the entry of client 1 alone"
ID = "0x927064b7df2dc12c0c164bb4ff971b4e3432798ee05058094c06da01e6c0f3c3"


def make_entry(client: int) -> list[Any]:
    """Return an entry whose digests are only names: signatures are not checked here."""
    signature = digest_of(f"r {client}") + digest_of(f"vs {client}")[2:]
    return [client, digest_of(f"client {client}"), signature]


def get_cases() -> list[Case]:
    """Return the cases of lists."""
    return [*_hashes(), *_bytes(), *_distinct()]


def _case(name: str, why: str, operation: str, arguments: dict[str, Any], want: Any = COMPUTED, **result: Any) -> Case:
    path = f"commitment/{name}"
    return Case(name=path, clause="§4.6", why=why, operation=operation, input=arguments, want=want, **result)


def _pack(*entries: list[Any]) -> str:
    return "0x" + "".join(f"{client:08x}{digest[2:]}{signature[2:]}" for client, digest, signature in entries)


def _hashes() -> list[Case]:
    one, two, three, *_ = entries = [make_entry(client) for client in range(1, 10)]
    resigned = [*two[:2], three[2]]
    known = {1: (LEAF_WHY, LEAF), 2: (ROOT_WHY, ROOT)}
    roots = [
        _case(f"list-root-{n}", known.get(n, (f"{n} entries",))[0], "list_root", {"data": _pack(*entries[:n])}, *want)
        for n in (1, 2, 3, 5, 8, 9)
        for want in (known.get(n, ())[1:],)
    ]
    return [
        *roots,
        _case("signed-leaf", LEAF_WHY, "signed_leaf", {"entry": _pack(one)}, LEAF),
        _case("signed-leaf-other-client", "client 2, else the same", "signed_leaf", {"entry": _pack([2, *one[1:]])}),
        _case("signed-leaf-other-signature", "the signature of client 3", "signed_leaf", {"entry": _pack(resigned)}),
        _case("list-root-swapped", "clients 2 and 1", "list_root", {"data": _pack(two, one)}),
        _case(
            "list-root-other-signature", "the second signature is another", "list_root", {"data": _pack(one, resigned)}
        ),
        _case("list-root-empty", "no entry", "list_root", {"data": "0x"}, want_error="FT710"),
        _case("list-root-cut", "99 bytes", "list_root", {"data": _pack(one)[:-2]}, want_error="FT710"),
        _case("list-id", ID_WHY, "list_id", {"data": _pack(one)}, ID),
    ]


def _bytes() -> list[Case]:
    one, two = make_entry(1), make_entry(2)
    whole = _pack(one, two)
    rejected = [
        ("empty", "0x", "FT710", "a list holds at least one entry"),
        ("truncated", whole[:-2], "FT710", "199 bytes"),
        ("trailing-byte", whole + "00", "FT710", "201 bytes"),
        ("falling", _pack(two, one), "FT722", "1 follows 2"),
        ("twice", _pack(one, one), "FT722", "1 follows 1"),
    ]
    return [
        _case(
            "encode-signed-list",
            "00000001, digest, r, vs; 00000002 ...",
            "encode_signed_list",
            {"list": [one, two]},
            whole,
        ),
        _case("decode-signed-list", "the same backwards", "decode_signed_list", {"data": whole}, [one, two]),
        *(
            _case(f"signed-list-{name}", why, "decode_signed_list", {"data": data}, want_error=error)
            for name, data, error, why in rejected
        ),
    ]


def _distinct() -> list[Case]:
    first, other = digest_of("first"), digest_of("other")
    rows: list[tuple[str, str, list[list[Any]], list[list[Any]]]] = [
        ("all", "nobody came twice; the order is that of arrival", [[3, first], [1, other]], [[3, first], [1, other]]),
        (
            "twice",
            "the first commitment of client 3 counts",
            [[3, first], [1, first], [3, other]],
            [[3, first], [1, first]],
        ),
        ("same", "the same commitment again", [[3, first], [3, first]], [[3, first]]),
        ("nobody", "no entry", [], []),
    ]
    return [
        _case(f"distinct-members-{name}", why, "distinct_members", {"members": entries}, want)
        for name, why, entries, want in rows
    ]
