"""Vectors of §11: mask words, seed tables, masked updates, revealed seeds, and the operations that they name.

The digests behind the literals were computed with sha256sum over the bytes that `why` spells out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from ledger import spec
from vector_cases.case import COMPUTED, Case, from_hex, to_hex

ZEROS, ONES = "0x" + "00" * 32, "0x" + "11" * 32
ZEROS_BLOCK = (
    "sha256(32 times 00, 8 times 00) = 2c34ce1d f23b838c 5abf2a7f 6437cca3 d3067ed5 09ff25f1 1df6b11b 582b51eb"
)
ZEROS_0, ZEROS_1, ZEROS_7, ZEROS_8 = 0x1DCE342C, 0x8C833BF2, 0xEB512B58, 0x6602E008
ONES_0, ONES_1 = 0xB24416F8, 0x2E46D312
COMMITMENT_ZEROS = "0x7324b5c72b51bb5d4c180f1109cfd347b60473882145841c39f3e584576296f9"
COMMITMENT_ONES = "0x63e2d11a161f9a1e24ed666b13effc760fd8d69413ad1e5b35ccf8aecefbb16b"
ONE_LINE = "0x83d1dc7bd21db2f65c53d4124b15870ac1c7589543fb785d65b5e4918a9f7637"
TWO_LINES = "0x131659ec9bf6e9c7e3934d8eb64fd0ebbee243522551866f6d7caeb4d03f4dd1"
NO_LINE = "0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
MASKED_ROOT = "0xe62eec50bbee629db45dffef689b914b26d81725b265622644faff7af924c137"

Input = Mapping[str, Any]


def _lines(lines: Any) -> list[spec.SeedLine]:
    return [spec.SeedLine(peer=peer, commitment=from_hex(commitment)) for peer, commitment in lines]


def _tables(i: Input) -> dict[int, list[spec.SeedLine]]:
    return {client: _lines(lines) for client, lines in i["tables"]}


def _decode_table(i: Input) -> list[Any]:
    lines = spec.decode_seed_table(from_hex(i["data"]), owner=i["owner"], degree=i["degree"])
    return [[line.peer, line.commitment] for line in lines]


def _verify_reveals(i: Input) -> bool:
    spec.verify_reveals(spec.decode_reveals(from_hex(i["reveals"])), _tables(i))
    return True


OPERATIONS: dict[str, Callable[[Input], Any]] = {
    "mask_word": lambda i: spec.compute_mask_word(from_hex(i["seed"]), i["coordinate"]),
    "expand_mask": lambda i: spec.expand_mask(from_hex(i["seed"]), i["size"]),
    "seed_commitment": lambda i: spec.compute_seed_commitment(from_hex(i["seed"])),
    "seeds_root": lambda i: spec.compute_seeds_root(_lines(i["lines"])),
    "encode_seed_table": lambda i: spec.encode_seed_table(_lines(i["lines"])),
    "decode_seed_table": _decode_table,
    "masked_root": lambda i: spec.compute_masked_root(from_hex(i["vector_root"]), from_hex(i["seeds_root"])),
    "apply_masks": lambda i: spec.apply_masks(
        i["update"], i["owner"], {peer: from_hex(seed) for peer, seed in i["seeds"]}
    ),
    "decode_reveals": lambda i: [[r.owner, r.peer, r.seed] for r in spec.decode_reveals(from_hex(i["data"]))],
    "needed_reveals": lambda i: [[*pair, digest] for pair, digest in spec.compute_needed(_tables(i)).items()],
    "verify_reveals": _verify_reveals,
    "unmasked_sum": lambda i: spec.compute_unmasked_sum(i["masked"], spec.decode_reveals(from_hex(i["reveals"]))),
    "peers": lambda i: [
        [client, peers] for client, peers in spec.compute_peers(i["roster"], i["degree"], from_hex(i["beacon"])).items()
    ],
}


def get_cases() -> list[Case]:
    """Return the cases of §11."""
    return [*_words(), *_seeds(), *_table_cases(), *_masked(), *_reveals(), *_needed(), *_sums(), *_peers()]


def _case(
    name: str, clause: str, why: str, operation: str, arguments: dict[str, Any], want: Any = COMPUTED, **result: Any
) -> Case:
    path = f"masks/{name}"
    return Case(name=path, clause=clause, why=why, operation=operation, input=arguments, want=want, **result)


def _words() -> list[Case]:
    rows = [
        ("first", ZEROS, 0, ZEROS_0, f"{ZEROS_BLOCK}; 2c34ce1d is little endian"),
        ("second", ZEROS, 1, ZEROS_1, f"{ZEROS_BLOCK}; f23b838c"),
        ("last-of-block", ZEROS, 7, ZEROS_7, f"{ZEROS_BLOCK}; 582b51eb"),
        ("next-block", ZEROS, 8, ZEROS_8, "sha256(32 times 00, 0000000000000001) = 08e00266..."),
        ("last", ZEROS, (1 << 32) - 1, 0xF8E2C09C, "sha256(32 times 00, 000000001fffffff) = ...9cc0e2f8"),
        ("other-seed", ONES, 0, ONES_0, "sha256(32 times 11, 8 times 00) = f81644b2..."),
    ]
    short = {"seed": ZEROS[:-2], "coordinate": 0}
    return [
        *(
            _case(f"word-{name}", "§11.1", why, "mask_word", {"seed": s, "coordinate": j}, w)
            for name, s, j, w, why in rows
        ),
        _case("word-short-seed", "§11.1", "a seed of 31 bytes", "mask_word", short, want_error="FT710"),
        _case(
            "mask-ragged",
            "§11.1",
            "two words of one block",
            "expand_mask",
            {"seed": ZEROS, "size": 2},
            [ZEROS_0, ZEROS_1],
        ),
        _case("mask-two-blocks", "§11.1", "a block and a word of the next", "expand_mask", {"seed": ONES, "size": 9}),
        _case("mask-none", "§11.1", "no coordinates", "expand_mask", {"seed": ONES, "size": 0}, []),
    ]


def _seeds() -> list[Case]:
    one = [[0, "0x" + "aa" * 32]]
    two = [*one, [7, "0x" + "bb" * 32]]
    roots = {"vector_root": "0x" + "aa" * 32, "seeds_root": "0x" + "bb" * 32}
    swapped = {"vector_root": roots["seeds_root"], "seeds_root": roots["vector_root"]}
    packed = "0x" + "00000000" + "aa" * 32 + "00000007" + "bb" * 32
    return [
        _case(
            "commitment-zeros", "§11.2", "sha256(03, 32 times 00)", "seed_commitment", {"seed": ZEROS}, COMMITMENT_ZEROS
        ),
        _case(
            "commitment-ones", "§11.2", "sha256(03, 32 times 11)", "seed_commitment", {"seed": ONES}, COMMITMENT_ONES
        ),
        _case("root-one-line", "§11.2", "sha256(00 00000000, 32 times aa)", "seeds_root", {"lines": one}, ONE_LINE),
        _case("root-two-lines", "§11.2", "a node over two leaves of 36 bytes", "seeds_root", {"lines": two}, TWO_LINES),
        _case(
            "root-no-line",
            "§11.2",
            "one empty leaf, which no client may commit to",
            "seeds_root",
            {"lines": []},
            NO_LINE,
        ),
        _case("root-three-lines", "§11.2", "the third leaf moves up", "seeds_root", {"lines": [*two, [9, ONES]]}),
        _case("table-encoded", "§11.2", "peer u32, commitment", "encode_seed_table", {"lines": two}, packed),
        _case("masked-root", "§11.3", "sha256(04, 32 times aa, 32 times bb)", "masked_root", roots, MASKED_ROOT),
        _case("masked-root-swapped", "§11.3", "the update comes first", "masked_root", swapped),
    ]


def _table(*peers: int) -> str:
    return "0x" + "".join(f"{peer:08x}{COMMITMENT_ONES[2:]}" for peer in peers)


def _table_cases() -> list[Case]:
    rows: list[tuple[str, str, str, str | None]] = [
        ("self-only", _table(0), "no peers", None),
        ("degree", _table(0, 1, 3), "two peers, one below the owner and one above", None),
        ("too-many", _table(0, 1, 3, 4), "a peer more than the degree", "FT722"),
        ("empty", "0x", "no line", "FT722"),
        ("no-self", _table(1, 3), "the client's own mask is missing", "FT722"),
        ("self-twice", _table(0, 0), "two masks of its own", "FT722"),
        ("self-last", _table(1, 0), "the own mask comes first", "FT722"),
        ("falling", _table(0, 3, 1), "peers must rise", "FT722"),
        ("peer-twice", _table(0, 3, 3), "one seed a pair", "FT722"),
        ("owner", _table(0, 2), "nobody is its own peer", "FT722"),
        ("truncated", _table(0, 1)[:-2], "71 bytes", "FT710"),
        ("trailing-byte", _table(0, 1) + "00", "73 bytes", "FT710"),
    ]
    return [
        _case(
            f"table-{name}",
            "§11.2",
            why,
            "decode_seed_table",
            {"data": data, "owner": 2, "degree": 2},
            [[int(data[at : at + 8], 16), COMMITMENT_ONES] for at in range(2, len(data), 72)]
            if not error
            else COMPUTED,
            want_error=error,
        )
        for name, data, why, error in rows
    ]


def _masked() -> list[Case]:
    rows: list[tuple[str, int, list[int], list[Any], list[int], str]] = [
        ("own", 3, [5], [[0, ZEROS]], [500053041], "5 + 0x1dce342c"),
        ("lower-peer", 3, [5], [[1, ONES]], [1304160525], "5 - 0xb24416f8, plus 2**32"),
        ("higher-peer", 3, [5], [[7, ONES]], [-1304160515], "5 + 0xb24416f8, minus 2**32"),
        ("all", 3, [5], [[0, ZEROS], [1, ONES], [7, ONES]], [500053041], "the two peers' masks cancel"),
        ("none", 3, [-7, 9], [], [-7, 9], "no masks"),
        ("extremes", 1, [-(1 << 31)], [[0, ZEROS]], [-1647430612], "-2**31 + 0x1dce342c"),
    ]
    cases = [
        _case(f"update-{name}", "§11.4", why, "apply_masks", {"update": update, "owner": owner, "seeds": seeds}, want)
        for name, owner, update, seeds, want, why in rows
    ]
    seeds = [[0, ZEROS], [1, _seed("1-2")], [3, _seed("2-3")]]
    wide = {"update": list(range(-5, 6)), "owner": 2, "seeds": seeds}
    return [*cases, _case("update-11-coordinates", "§11.4", "two blocks of words, both signs", "apply_masks", wide)]


def _seed(name: str) -> str:
    return to_hex(hashlib.sha256(f"seed {name}".encode()).digest())


def _packed(*entries: tuple[int, int, str]) -> str:
    return "0x" + "".join(f"{owner:08x}{peer:08x}{seed[2:]}" for owner, peer, seed in entries)


def _reveals() -> list[Case]:
    entries = [(1, 0, ZEROS), (1, 4, ONES), (3, 0, ONES)]
    want = [list(entry) for entry in entries]
    rows: list[tuple[str, str, str, str | None]] = [
        ("three", _packed(*entries), "owner u32, peer u32, seed", None),
        ("none", "0x", "nothing revealed", None),
        ("peers-falling", _packed(entries[1], entries[0]), "(1, 4) before (1, 0)", "FT722"),
        ("owners-falling", _packed(entries[2], entries[0]), "3 before 1", "FT722"),
        ("twice", _packed(entries[0], entries[0]), "one seed shown twice", "FT722"),
        ("of-nobody", _packed((0, 0, ZEROS)), "participants count from 1", "FT722"),
        ("truncated", _packed(*entries)[:-2], "119 bytes", "FT710"),
        ("trailing-byte", _packed(*entries) + "00", "121 bytes", "FT710"),
    ]
    return [
        _case(
            f"reveals-{name}",
            "§11.5",
            why,
            "decode_reveals",
            {"data": data},
            COMPUTED if error else want[: (len(data) - 2) // 80],
            want_error=error,
        )
        for name, data, why, error in rows
    ]


def _line(peer: int, name: str) -> list[Any]:
    return [peer, to_hex(spec.compute_seed_commitment(from_hex(_seed(name))))]


# Clients 1, 2 and 3 of a full graph over 1 to 4; client 4 is not included, and 2 and 3 disagree about their seed.
TABLES = [
    [1, [_line(0, "1"), _line(2, "1-2"), _line(3, "1-3"), _line(4, "1-4")]],
    [2, [_line(0, "2"), _line(1, "1-2"), _line(3, "2-3"), _line(4, "2-4")]],
    [3, [_line(0, "3"), _line(1, "1-3"), _line(2, "3-2"), _line(4, "3-4")]],
]
NEEDED = [
    (1, 0, "1"),
    (1, 4, "1-4"),
    (2, 0, "2"),
    (2, 3, "2-3"),
    (2, 4, "2-4"),
    (3, 0, "3"),
    (3, 2, "3-2"),
    (3, 4, "3-4"),
]


def _needed() -> list[Case]:
    seeds = [(owner, peer, _seed(name)) for owner, peer, name in NEEDED]
    surplus = sorted([*seeds, (1, 2, _seed("1-2"))])
    both = sorted([*seeds, (4, 0, _seed("4"))])
    wrong = [(*seeds[0][:2], _seed("other")), *seeds[1:]]
    one_sided = [TABLES[0], [2, [TABLES[1][1][0]]]]
    want = [[owner, *_line(peer, name)] for owner, peer, name in NEEDED]
    alone = [
        [1, *_line(0, "1")],
        [1, *_line(2, "1-2")],
        [1, *_line(3, "1-3")],
        [1, *_line(4, "1-4")],
        [2, *_line(0, "2")],
    ]
    rows: list[tuple[str, str, Any, str | None]] = [
        ("honest", "own masks, pairs with client 4, and the pair that disagrees", seeds, None),
        ("missing-self", "the own mask of client 1", seeds[1:], "FT722"),
        ("missing-pair", "the mask of (1, 4), which nobody took out", [seeds[0], *seeds[2:]], "FT722"),
        ("missing-disagreed", "one side of the pair that disagrees", [*seeds[:3], *seeds[4:]], "FT722"),
        ("cancelled-pair", "the mask of (1, 2) cancels, and hides both", surplus, "FT722"),
        ("both-of-the-dropped", "client 4's own mask beside its pairs' unmasks it", both, "FT722"),
        ("other-seed", "not the seed that client 1 committed to", wrong, "FT722"),
    ]
    return [
        _case(
            "needed",
            "§11.5",
            "all but the pairs (1, 2) and (1, 3), which cancel",
            "needed_reveals",
            {"tables": TABLES},
            want,
        ),
        _case(
            "needed-one-sided",
            "§11.5",
            "2 does not list 1: (1, 2) cannot cancel",
            "needed_reveals",
            {"tables": one_sided},
            alone,
        ),
        _case("needed-nobody", "§11.5", "nobody is included", "needed_reveals", {"tables": []}, []),
        *(
            _case(
                f"reveals-{name}",
                "§11.5",
                why,
                "verify_reveals",
                {"tables": TABLES, "reveals": _packed(*entries)},
                COMPUTED if error else True,
                want_error=error,
            )
            for name, why, entries, error in rows
        ),
    ]


def _sums() -> list[Case]:
    own = _packed((3, 0, ZEROS))
    pairs = _packed((3, 1, ONES), (3, 7, ONES))
    rows: list[tuple[str, list[list[int]], str, list[int], str]] = [
        ("own", [[500053041]], own, [5], "0x1dce342c goes: update-own"),
        ("lower-peer", [[1304160525]], _packed((3, 1, ONES)), [5], "what 3 subtracted comes back: update-lower-peer"),
        ("higher-peer", [[-1304160515]], _packed((3, 7, ONES)), [5], "update-higher-peer"),
        ("both-signs", [[500053041]], pairs, [500053041], "- 0xb24416f8 + 0xb24416f8"),
        ("nothing-revealed", [[1, 2], [3, -9]], "0x", [4, -7], "the plain sum"),
        ("two-clients", [[500053041], [7]], own, [12], "5 + 7"),
        ("wraps", [[-(1 << 31)]], own, [1647430612], "-2**31 - 0x1dce342c, plus 2**32"),
        (
            "second-word",
            [[0, 0]],
            own,
            [-ZEROS_0, (1 << 32) - ZEROS_1],
            "minus 0x1dce342c; minus 0x8c833bf2, plus 2**32",
        ),
    ]
    cases = [
        _case(f"sum-{name}", "§11.6", why, "unmasked_sum", {"masked": masked, "reveals": reveals}, want)
        for name, masked, reveals, want, why in rows
    ]
    wide = [
        [int.from_bytes(hashlib.sha256(f"{i}/{j}".encode()).digest()[:4], "big", signed=True) for j in range(17)]
        for i in range(3)
    ]
    many = _packed(
        *((owner, peer, _seed(f"{owner}-{peer}")) for owner in range(1, 4) for peer in range(6) if owner != peer)
    )
    arguments = {"masked": wide, "reveals": many}
    return [
        *cases,
        _case("sum-17-coordinates", "§11.6", "three clients, 15 seeds, both signs", "unmasked_sum", arguments),
    ]


def _ring_order(row: list[Any]) -> bytes:
    return hashlib.sha256(from_hex(ZEROS) + row[0].to_bytes(4, "big")).digest()


def _peers() -> list[Case]:
    four: dict[str, Any] = {"roster": [1, 2, 3, 4], "beacon": ZEROS}
    five: dict[str, Any] = {"roster": [5, 9, 1, 7, 30], "beacon": ONES}
    everybody = sorted(([c, [p for p in four["roster"] if p != c]] for c in four["roster"]), key=_ring_order)
    full = [[client, [peer for peer in (1, 2, 3) if peer != client]] for client in (1, 2, 3)]
    order = {"roster": [3, 1, 2], "degree": 2, "beacon": ZEROS}
    got = sorted(full, key=_ring_order)
    return [
        _case("peers-everybody", "§11.7", "degree n - 1: the complete graph", "peers", order, got),
        _case(
            "peers-alone",
            "§11.7",
            "one client has no peer",
            "peers",
            {"roster": [8], "degree": 4, "beacon": ONES},
            [[8, []]],
        ),
        _case("peers-nobody", "§11.7", "an empty roster", "peers", {"roster": [], "degree": 4, "beacon": ONES}, []),
        _case("peers-odd-everybody", "§11.7", "degree 3 of four clients", "peers", {**four, "degree": 3}, everybody),
        _case("peers-ring", "§11.7", "degree 2: a neighbour on each side", "peers", {**four, "degree": 2}),
        _case(
            "peers-other-beacon", "§11.7", "another order of the ring", "peers", {**four, "beacon": ONES, "degree": 2}
        ),
        _case(
            "peers-odd-degree",
            "§11.7",
            "degree 3 of five clients: one neighbour on each side",
            "peers",
            {**five, "degree": 3},
        ),
    ]
