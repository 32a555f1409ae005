"""Vectors of §2: leaves, nodes, roots, the transposed matrix, inclusion proofs.

The eight roots over RFC_6962_DATA are those that the Certificate Transparency project publishes for RFC 6962; they
were not computed here. The other literal digests were computed with sha256sum over the bytes that `why` spells out.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ledger import spec
from vector_cases.case import COMPUTED, Case, to_hex

RFC_6962_DATA = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
RFC_6962_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

VECTOR_SIZES = [
    (0, "no coordinates are one empty leaf"),
    (1, "one short leaf"),
    (7, "one short leaf, one coordinate from full"),
    (8, "exactly one leaf"),
    (9, "a full leaf and one of a single coordinate"),
    (15, "two leaves, the last one coordinate short"),
    (16, "2 leaves"),
    (17, "2**1 + 1 leaves"),
    (24, "3 leaves: the third moves up alone"),
    (31, "4 leaves, the last one short"),
    (32, "2**2 leaves"),
    (33, "2**2 + 1 leaves: the fifth moves up twice"),
    (56, "2**3 - 1 leaves"),
    (65, "2**3 + 1 leaves, the last of a single coordinate"),
]

PATH_LENGTHS = [
    (0, 1, 0, "a single leaf is the root"),
    (0, 2, 1, "one sibling"),
    (2, 3, 1, "leaf 2 of 3 moves up once alone, then meets the pair (0, 1): 1 sibling"),
    (0, 3, 2, "leaf 0 of 3 meets leaf 1, then leaf 2: 2 siblings"),
    (4, 5, 1, "leaf 4 of 5 moves up alone twice, then meets the four: 1 sibling"),
    (6, 7, 2, "leaf 6 of 7 moves up alone, meets (4, 5), then the four: 2 siblings"),
    (3906, 3907, 6, "the last leaf has one left sibling a set bit of its index: 3906 = 111101000010b has six"),
]


def get_cases() -> list[Case]:
    """Return the cases of §2."""
    return [*_hashes(), *_roots(), *_matrices(), *_paths(), *_proofs(), *_rejections()]


def _case(name: str, clause: str, why: str, operation: str, arguments: dict[str, Any], want: Any = COMPUTED) -> Case:
    return Case(name=f"tree/{name}", clause=clause, why=why, operation=operation, input=arguments, want=want)


def _hashes() -> list[Case]:
    node_input = {"left": "0x" + "11" * 32, "right": "0x" + "22" * 32}
    swapped = {"left": node_input["right"], "right": node_input["left"]}
    return [
        _case(
            "leaf-empty", "§2.1", "sha256 of the single byte 00", "hash_leaf", {"chunk": "0x"}, "0x" + RFC_6962_ROOTS[0]
        ),
        _case("leaf-one-coordinate", "§2.1", "sha256(00 01000000)", "hash_leaf", {"chunk": "0x01000000"}, LEAF_ONE),
        _case("node", "§2.1", "sha256(01, 32 times 11, 32 times 22)", "hash_node", node_input, NODE),
        _case("node-swapped", "§2.1", "left and right are not interchangeable", "hash_node", swapped),
    ]


def _roots() -> list[Case]:
    known = [
        _case(
            f"rfc6962-{count}-leaves",
            "§2.2",
            f"root that Certificate Transparency publishes for its first {count} test leaves",
            "root_of_data",
            {"data": ["0x" + data for data in RFC_6962_DATA[:count]]},
            "0x" + root,
        )
        for count, root in enumerate(RFC_6962_ROOTS, start=1)
    ]
    sizes = [
        _case(f"vector-{size}-coordinates", "§2.3", why, "vector_root", {"values": _values(size), "leaf_log2": 3})
        for size, why in VECTOR_SIZES
    ]
    return [*known, *sizes, *_chunk_roots()]


def _chunk_roots() -> list[Case]:
    two = {"values": [1, -1], "leaf_log2": 0}
    last = {"values": [*_values(16)[:-1], 0], "leaf_log2": 3}
    wide = {"values": _values(300), "leaf_log2": 8}
    return [
        _case("vector-two-leaves", "§2.3", TWO_LEAVES_WHY, "vector_root", two, TWO_LEAVES),
        _case("vector-last-changed", "§2.3", "vector-16-coordinates with another last one", "vector_root", last),
        _case(
            "vector-other-leaf",
            "§2.3",
            "vector-16-coordinates in leaves of 16",
            "vector_root",
            {**last, "leaf_log2": 4},
        ),
        _case("vector-ragged-256", "§2.3", "300 coordinates: one full leaf of 256, one of 44", "vector_root", wide),
        _case("chunk-ragged-bytes", "§2.3", "chunks of 5 bytes: 5, 5, 1", "chunk_root", CHUNKS),
        _case("chunk-single", "§2.3", "data shorter than a chunk", "chunk_root", {**CHUNKS, "chunk_bytes": 64}),
    ]


CHUNKS = {"data": to_hex(bytes(range(11))), "chunk_bytes": 5}
LEAF_ONE = "0x86f9649499b0080656c014aa244f654864bad4145c8513e9c8409f437d4a2b3b"
NODE = "0x1d8f52d3ec81ac02cd97cb3281523be47af850c0f0295af866f04bc245f46bbf"
TWO_LEAVES = "0x0611ddfe35ab73a2b628bac76796301f995ebacd6e7f278ed114c2f203bdd941"
TWO_LEAVES_WHY = "sha256(01, sha256(00 01000000), sha256(00 ffffffff))"
MATRIX_ONE_LEAF = "0xe4c4d1a2c19fbde1e982fe53d4a532e663fc7b87a28bc96624a7a474a4175c69"


def _matrices() -> list[Case]:
    updates = [[1, 2, 3], [-1, -2, -3]]
    matrix = [_values(20, seed) for seed in (1, 2, 3)]
    one_leaf = (
        "one leaf: coordinate 0 of both clients, then 1, then 2: "
        "sha256(00 01000000 ffffffff 02000000 feffffff 03000000 fdffffff)"
    )
    return [
        _case("matrix-transposed", "§2.4", one_leaf, "matrix_root", _matrix(updates, 2), MATRIX_ONE_LEAF),
        _case(
            "matrix-clients-swapped", "§2.4", "the order of clients matters", "matrix_root", _matrix(updates[::-1], 2)
        ),
        _case("matrix-one-coordinate-a-leaf", "§2.4", "20 leaves of 3 values", "matrix_root", _matrix(matrix, 0)),
        _case("matrix-ragged", "§2.4", "leaves of 8, 8 and 4 coordinates", "matrix_root", _matrix(matrix, 3)),
        _case(
            "matrix-one-client", "§2.4", "one client: the tree of its own vector", "matrix_root", _matrix(matrix[:1], 3)
        ),
        _case(
            "matrix-exact",
            "§2.4",
            "16 coordinates: two full leaves",
            "matrix_root",
            _matrix([u[:16] for u in matrix], 3),
        ),
    ]


def _matrix(updates: list[list[int]], log2: int) -> dict[str, Any]:
    return {"updates": updates, "matrix_log2": log2}


def _paths() -> list[Case]:
    return [
        _case(f"path-length-{i}-of-{n}", "§2.5", why, "path_length", {"index": i, "leaf_count": n}, want)
        for i, n, want, why in PATH_LENGTHS
    ]


def _proofs() -> list[Case]:
    proofs = [
        _case(f"proof-{i}-of-{n}", "§2.5", "siblings from the leaf up", "inclusion_proof", _proof_input(i, n))
        for i, n in ((0, 1), (0, 2), (2, 3), (3, 5), (4, 5), (6, 7))
    ]
    accepted = [
        _case(f"inclusion-{i}-of-{n}", "§2.5", "an honest proof", "verify_inclusion", _opening(i, n), want=True)
        for i, n in ((0, 1), (0, 2), (1, 2), (2, 3), (4, 5), (3, 8), (8, 9), (5, 7))
    ]
    return [*proofs, *accepted]


def _proof_input(index: int, count: int) -> dict[str, Any]:
    return {"data": [to_hex(data) for data in _data(count)], "index": index}


def _rejections() -> list[Case]:
    honest = _opening(3, 8)
    other = _opening(3, 8, salt=b"other")
    sibling = to_hex(hashlib.sha256(b"extra").digest())
    path = honest["path"]
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("wrong-index", "the path of leaf 3 shown for leaf 2", {**honest, "index": 2}),
        ("index-beyond", "leaf 8 of 8", {**honest, "index": 8}),
        ("index-negative", "leaf -1", {**honest, "index": -1}),
        ("short-path", "the last sibling is missing", {**honest, "path": path[:-1]}),
        ("empty-path", "no sibling at all", {**honest, "path": []}),
        ("extra-sibling", "a sibling too many at the end", {**honest, "path": [*path, sibling]}),
        ("extra-sibling-first", "a sibling too many at the start", {**honest, "path": [sibling, *path]}),
        ("siblings-reversed", "the right siblings in the wrong order", {**honest, "path": path[::-1]}),
        ("sibling-changed", "one sibling is another digest", {**honest, "path": [sibling, *path[1:]]}),
        ("other-tree", "an honest proof of another tree", {**honest, "root": other["root"]}),
        ("other-leaf", "another leaf under the same path", {**honest, "leaf": other["leaf"]}),
        ("other-count", "8 leaves claimed to be 9: the path is one short", {**honest, "leaf_count": 9}),
        ("leaf-as-root", "a leaf shown as the tree's only one", {**honest, "index": 0, "leaf_count": 1, "path": []}),
        ("node-as-leaf", "an inner node shown as a leaf of a tree half as deep", _node_as_leaf(honest)),
    ]
    return [
        Case(
            name=f"tree/inclusion-{name}",
            clause="§2.5",
            why=why,
            operation="verify_inclusion",
            input=arguments,
            want_error="FT703",
        )
        for name, why, arguments in changes
    ]


def _node_as_leaf(honest: dict[str, Any]) -> dict[str, Any]:
    # hash_leaf prefixes what a stranger calls a leaf; the node's digest itself can only be shown as data.
    leaves = [spec.hash_leaf(data) for data in _data(8)]
    fake = spec.hash_leaf(leaves[2] + leaves[3])
    return {**honest, "leaf": to_hex(fake), "index": 1, "leaf_count": 4, "path": honest["path"][1:]}


def _opening(index: int, count: int, salt: bytes = b"") -> dict[str, Any]:
    leaves = [spec.hash_leaf(salt + data) for data in _data(count)]
    return {
        "leaf": to_hex(leaves[index]),
        "index": index,
        "leaf_count": count,
        "path": [to_hex(sibling) for sibling in spec.compute_inclusion_proof(leaves, index)],
        "root": to_hex(spec.compute_root(leaves)),
    }


def _data(count: int) -> list[bytes]:
    return [bytes([i]) * 4 for i in range(count)]


def _values(size: int, seed: int = 0) -> list[int]:
    digests = (hashlib.sha256(f"{seed}/{i}".encode()).digest() for i in range(size))
    return [int.from_bytes(digest[:3], "big") - (1 << 23) + 1 for digest in digests]
