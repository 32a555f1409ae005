"""Merkle-Patricia tries: their root and inclusion proofs, from a few items; proofs of strangers, verified.

A proof is the list of nodes from the root down. Every step of the verifier consumes a part of the key, so a proof
costs no more than the key is long. Source: Ethereum Yellow Paper, appendix D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_utils.crypto import keccak

from ledger.errors import BadProof
from ledger.evidence import rlp

EMPTY_ROOT = keccak(rlp.encode(b""))
"""Root of a trie without items."""

_BRANCH, _DIGEST_BYTES = 17, 32
_Items = list[tuple[bytes, bytes]]


def compute_root(items: Mapping[bytes, bytes]) -> bytes:
    """Return the root of a trie of these keys and values; an empty value is no item."""
    return _grow(items)[0]


def prove(items: Mapping[bytes, bytes], key: bytes) -> list[bytes]:
    """Return the nodes from the root to where `key` is, or would be: what `verify` reads."""
    reference, nodes = _grow(items)
    path: list[bytes] = []
    step: rlp.Item = reference if nodes else b""
    rest = _to_nibbles(key)
    while step:
        if isinstance(step, bytes):
            path.append(nodes[step])
            step = rlp.decode(path[-1])
        step, rest, _ = _descend(step, rest)
    return path


def verify(root: bytes, key: bytes, proof: Sequence[bytes]) -> bytes | None:
    """Return the value that a trie has for `key`; None if it has none, which is proven too.

    Args: root: 32 bytes. proof: nodes from the root down, from a stranger.
    Raises: BadProof: a node that does not hash to what leads to it, that is no node, or too few or too many of them.
    """
    if root == EMPTY_ROOT and list(proof) in ([], [b"\x80"]):  # nodes write an empty trie either way
        return None
    waiting = list(reversed(proof))
    step, rest, value = _descend(_take_node(root, waiting, number=0), _to_nibbles(key))
    while step:
        if isinstance(step, bytes):
            step = _take_node(step, waiting, number=len(proof) - len(waiting))
        step, rest, value = _descend(step, rest)
    if waiting:
        raise BadProof(what=f"{len(waiting)} trie nodes too many")
    return value


def _take_node(digest: bytes, waiting: list[bytes], *, number: int) -> rlp.Item:
    if not waiting:
        raise BadProof(what=f"the trie proof ends at node {number}, before the key does")
    node = waiting.pop()
    if (got := keccak(node)) != digest:
        raise BadProof(what=f"trie node {number} hashes to {got.hex()}, its parent expects {digest.hex()}")
    return rlp.decode(node)


def _descend(node: rlp.Item, rest: bytes) -> tuple[rlp.Item, bytes, bytes | None]:
    """Return what a node has for `rest` of the key: the next node or its hash (empty: none), what then remains, and
    the value if this is the end.
    """
    if not isinstance(node, list) or len(node) not in (2, _BRANCH):
        raise BadProof(what="a trie node that is neither branch, extension nor leaf")
    if len(node) == _BRANCH:
        if not rest:
            return b"", b"", _take_value(node[-1])
        return _take_child(node[rest[0]]), rest[1:], None
    segment, is_leaf = _decode_segment(node[0])
    if is_leaf:
        return b"", b"", _take_value(node[1]) if segment == rest else None
    if not segment:
        raise BadProof(what="a trie extension without a path")  # would let a proof go round in circles
    if rest[: len(segment)] != segment:
        return b"", b"", None
    child = _take_child(node[1])
    if not child:
        raise BadProof(what="a trie extension that leads nowhere")
    return child, rest[len(segment) :], None


def _take_value(item: rlp.Item) -> bytes | None:
    if isinstance(item, list):
        raise BadProof(what="a trie value that is a list")
    return item or None


def _take_child(item: rlp.Item) -> rlp.Item:
    if isinstance(item, bytes) and len(item) not in (0, _DIGEST_BYTES):
        raise BadProof(what=f"a trie reference of {len(item)} bytes")
    if isinstance(item, list) and not 1 < len(rlp.encode(item)) < _DIGEST_BYTES:
        raise BadProof(what="a trie node within another that is empty, or has 32 bytes or more")
    return item


def _to_nibbles(key: bytes) -> bytes:
    """Return a key's half bytes, one byte each."""
    return bytes(half for byte in key for half in (byte >> 4, byte & 15))


def _encode_segment(nibbles: bytes, *, is_leaf: bool) -> bytes:
    odd = len(nibbles) % 2
    padded = bytes([2 * is_leaf + odd]) + (b"" if odd else b"\x00") + nibbles
    return bytes(padded[i] << 4 | padded[i + 1] for i in range(0, len(padded), 2))


def _decode_segment(item: rlp.Item) -> tuple[bytes, bool]:
    nibbles = _to_nibbles(item) if isinstance(item, bytes) else b""
    if not nibbles or nibbles[0] > 3 or (nibbles[0] % 2 == 0 and nibbles[1]):
        raise BadProof(what="a trie path that is not canonical")
    return nibbles[2 - nibbles[0] % 2 :], nibbles[0] >= 2


def _grow(items: Mapping[bytes, bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the root of a trie and its hashed nodes by their hash."""
    nodes: dict[bytes, bytes] = {}
    pairs = sorted((_to_nibbles(key), value) for key, value in items.items() if value)
    if not pairs:
        return EMPTY_ROOT, nodes
    encoded = rlp.encode(_make_node(pairs, 0, nodes))
    nodes[keccak(encoded)] = encoded  # the root is hashed however short it is
    return keccak(encoded), nodes


def _make_node(pairs: _Items, depth: int, nodes: dict[bytes, bytes]) -> list[rlp.Item]:
    """Return the node over pairs that agree in their first `depth` nibbles."""
    first, last = pairs[0][0], pairs[-1][0]
    if len(pairs) == 1:
        return [_encode_segment(first[depth:], is_leaf=True), pairs[0][1]]
    end = depth
    while end < len(first) and first[end] == last[end]:  # sorted: what these two share, all share
        end += 1
    if end > depth:
        child = _refer(_make_node(pairs, end, nodes), nodes)
        return [_encode_segment(first[depth:end], is_leaf=False), child]
    branch: list[rlp.Item] = []
    for half in range(16):
        below = [pair for pair in pairs if len(pair[0]) > depth and pair[0][depth] == half]
        branch.append(_refer(_make_node(below, depth + 1, nodes), nodes) if below else b"")
    return [*branch, _get_value_at(pairs, depth)]


def _get_value_at(pairs: _Items, depth: int) -> bytes:
    """Return the value of the key that ends at `depth`, empty for none; it sorts first."""
    return pairs[0][1] if len(pairs[0][0]) == depth else b""


def _refer(node: list[rlp.Item], nodes: dict[bytes, bytes]) -> rlp.Item:
    encoded = rlp.encode(node)
    if len(encoded) < _DIGEST_BYTES:
        return node
    nodes[keccak(encoded)] = encoded
    return keccak(encoded)
