"""Vectors of §4.5 to §4.8: trees over members, and the hashes that the contracts chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vector_cases.case import COMPUTED, Case, digest_of, with_changes

Input = dict[str, Any]

PROPOSAL = {
    "aggregate_root": digest_of("aggregate"),
    "matrix_root": digest_of("matrix"),
    "model_root": digest_of("model"),
    "members_root": digest_of("members"),
    "data_id": digest_of("data"),
    "committed": 10,
}
PROPOSAL_HASH: Input = {
    "round_id": 5,
    "proposal": PROPOSAL,
    "segments_hash": digest_of("segments"),
    "exclusions": [[3, 715], [9, 801]],
    "aux": "0x0000000700000005",
    "included": 8,
}
DETAILS_HASH = {key: value for key, value in PROPOSAL_HASH.items() if key != "round_id"}
SEGMENT_ONE_WHY = "a single entry is the root: keccak(00 | 00000001 | sha256('client 1'))"
SEGMENT_ONE = "0x52c383e00f451f68ffcd66b75cf09ea307928863d238576f1a0d0e7c21d7ed3a"
MEMBERS_ONE_WHY = "a single entry is the root: sha256(00 | 00000001 | sha256('client 1'))"
MEMBERS_ONE = "0x73c91987e7ecbe6cc5e1a9ff438df05da56c8a38caaf82ea07a6961e66a698ec"
HEAD_WHY = "keccak(32 zeros | 1 in 32 bytes | sha256('proposal 1'))"
HEAD_ONE = "0x55101f6e02206e40d2f0b2b9c3ceb5c0eac62e9281f57dd9b92ae428897710ec"
SEGMENTS_WHY = "keccak(32 zeros | segment root of client 1 alone | 1 in 32 bytes)"
SEGMENTS_ONE = "0xaafca5bf49ad96accada24be47a93e486827a8cbbf72562530d57a135232ffd5"
PROPOSAL_LITERAL = "0x41448a02f881cfebc081de98cf7bb3520f53baee01c43a79ccdce5c426624328"
DETAILS_LITERAL = "0x618effa10eb8daa3142df50cf64ad57f46882d2eeb991482f18a8884be702827"
CORE_LITERAL = "0x7ccf984b242f644b946740918c0481066b8ec8617f845d13c5d4b7823d7c4bf7"
CORE_WHY = "keccak(sha256('model') | sha256('details'))"
DETAILS_WHY = (
    "keccak(members root | data id | segments hash | keccak(00000003 02cb 00000009 0321) | keccak(00000007 00000005) |"
    " 10 | 8), integers in 32 bytes each"
)
PROPOSAL_WHY = "keccak(5 | aggregate root | matrix root | keccak(model root | details hash)), 5 in 32 bytes"


def get_cases() -> list[Case]:
    """Return the cases of §4.5 to §4.8."""
    return [*_trees(), *_chain_hashes()]


def _case(name: str, clause: str, why: str, operation: str, arguments: Mapping[str, Any], want: Any = COMPUTED) -> Case:
    return Case(name=f"commitment/{name}", clause=clause, why=why, operation=operation, input=arguments, want=want)


def _members(count: int, first: int = 1) -> list[list[Any]]:
    return [[client, digest_of(f"client {client}")] for client in range(first, first + count)]


def _trees() -> list[Case]:
    five = _members(5)
    changed = [*five[:4], [5, digest_of("another update")]]
    renamed = [*five[:4], [6, five[4][1]]]
    segments = [
        _case(
            f"segment-root-{n}",
            "§4.6",
            SEGMENT_ONE_WHY if n == 1 else f"{n} entries",
            "segment_root",
            {"members": _members(n)},
            SEGMENT_ONE if n == 1 else COMPUTED,
        )
        for n in range(1, 10)
    ]
    members = [
        _case(
            f"members-root-{n}",
            "§4.5",
            MEMBERS_ONE_WHY if n == 1 else f"{n} members",
            "members_root",
            {"members": _members(n)},
            MEMBERS_ONE if n == 1 else COMPUTED,
        )
        for n in (1, 2, 3, 5, 8)
    ]
    both = [
        _case(f"{stem}-{name}", clause, why, operation, {"members": items})
        for stem, clause, operation in (
            ("segment-root", "§4.6", "segment_root"),
            ("members-root", "§4.5", "members_root"),
        )
        for name, why, items in (
            ("other-commitment", "the last commitment is another", changed),
            ("other-client", "the last commitment by another client", renamed),
        )
    ]
    reversed_members = {"members": five[::-1]}
    return [
        *segments,
        *members,
        *both,
        _case(
            "members-root-shuffled",
            "§4.5",
            "the order is rising id, whatever order they come in",
            "members_root",
            reversed_members,
        ),
        _case(
            "encode-members",
            "§4.5",
            "00000001 and its digest, 00000002 and its digest",
            "encode_members",
            {"members": _members(2)},
            "0x" + "".join(f"{c:08x}{h[2:]}" for c, h in _members(2)),
        ),
    ]


def _chain_hashes() -> list[Case]:
    proposals = [
        _case(
            f"{operation.replace('_', '-')}-other-{name.replace('_', '-')}",
            "§4.7",
            f"{operation.replace('_', '-')} with another {name}",
            operation,
            {**base, "proposal": {**PROPOSAL, name: 11 if name == "committed" else digest_of("other")}},
        )
        for operation, base, names in (
            ("proposal_hash", PROPOSAL_HASH, tuple(PROPOSAL)),
            ("details_hash", DETAILS_HASH, ("members_root", "data_id", "committed")),
        )
        for name in names
    ]
    core = {"model_root": PROPOSAL["model_root"], "details_hash": digest_of("details")}
    core_changes: Input = {name: digest_of("other") for name in core}
    core_swapped = {"model_root": core["details_hash"], "details_hash": core["model_root"]}
    swapped = {**PROPOSAL, "aggregate_root": PROPOSAL["matrix_root"], "matrix_root": PROPOSAL["aggregate_root"]}
    changes: Input = {"segments_hash": digest_of("other"), "aux": "0x0000000700000006", "included": 7}
    heads = [[1, digest_of("proposal 1")], [2, digest_of("proposal 2")], [4, digest_of("proposal 4")]]
    one, two, three = _members(1), _members(2, 2), _members(3, 1)
    return [
        *with_changes("details_hash", "§4.7", DETAILS_HASH, changes, DETAILS_WHY, DETAILS_LITERAL),
        *with_changes("core_hash", "§4.7", core, core_changes, CORE_WHY, CORE_LITERAL),
        _case("core-hash-swapped", "§4.7", "model root and details hash swapped", "core_hash", core_swapped),
        *with_changes(
            "proposal_hash", "§4.7", PROPOSAL_HASH, {"round_id": 6, **changes}, PROPOSAL_WHY, PROPOSAL_LITERAL
        ),
        *proposals,
        _case(
            "proposal-hash-digests-swapped",
            "§4.7",
            "aggregate and matrix swapped",
            "proposal_hash",
            {**PROPOSAL_HASH, "proposal": swapped},
        ),
        _case(
            "proposal-hash-nobody-excluded",
            "§4.7",
            "the hash of no bytes",
            "proposal_hash",
            {**PROPOSAL_HASH, "exclusions": []},
        ),
        _case(
            "proposal-hash-no-auxiliary-data",
            "§4.7",
            "the hash of no bytes",
            "proposal_hash",
            {**PROPOSAL_HASH, "aux": "0x"},
        ),
        _case(
            "proposal-hash-other-reason",
            "§4.7",
            "the same client for another reason",
            "proposal_hash",
            {**PROPOSAL_HASH, "exclusions": [[3, 714], [9, 801]]},
        ),
        _case(
            "encode-exclusions",
            "§4.7",
            "client 3 for 715 = 02cbh, client 9 for 801 = 0321h",
            "encode_exclusions",
            {"exclusions": [[3, 715], [9, 801]]},
            "0x0000000302cb000000090321",
        ),
        _case(
            "encode-exclusions-shuffled",
            "§4.7",
            "written in rising id",
            "encode_exclusions",
            {"exclusions": [[9, 801], [3, 715]]},
            "0x0000000302cb000000090321",
        ),
        _case("head-first", "§4.8", HEAD_WHY, "head", {"rounds": heads[:1]}, HEAD_ONE),
        _case(
            "head-third",
            "§4.8",
            "three finalised rounds; round 3 of the ledger was another task's",
            "head",
            {"rounds": heads},
        ),
        _case("head-order", "§4.8", "the same rounds in another order", "head", {"rounds": heads[::-1]}),
        _case("segments-hash-first", "§4.6", SEGMENTS_WHY, "segments_hash", {"segments": [one]}, SEGMENTS_ONE),
        _case("segments-hash-two", "§4.6", "client 1, then clients 2 and 3", "segments_hash", {"segments": [one, two]}),
        _case(
            "segments-hash-order", "§4.6", "clients 2 and 3, then client 1", "segments_hash", {"segments": [two, one]}
        ),
        _case(
            "segments-hash-merged",
            "§4.6",
            "all three in one batch: another history",
            "segments_hash",
            {"segments": [three]},
        ),
    ]
