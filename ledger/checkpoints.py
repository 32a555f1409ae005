"""Checkpoints: how many events a ledger has, their root, and the block, in one text that somebody can sign. Pure.

The events are the leaves of an append-only tree, so that two checkpoints either extend each other or show that
somebody was told another history (docs/proofs.md §1 to §3). Source: C2SP tlog-checkpoint; RFC 6962 §2.1.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from ledger import spec
from ledger.errors import BadProof, NotCanonical, SplitView
from ledger.evidence.receipts import RawLog

_TEXT = re.compile(
    r"fedtrail\.(?P<chain_id>[1-9]\d{0,18})\.(?P<ledger>0x[0-9a-f]{40})\n"
    r"(?P<size>0|[1-9]\d{0,18})\n"
    r"(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"block (?P<block>0|[1-9]\d{0,18}) (?P<block_hash>0x[0-9a-f]{64})\n",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a ledger was at a block."""

    chain_id: int
    """EIP-155 chain id."""
    ledger: bytes
    """Address of RoundLedger, 20 bytes."""
    size: int
    """Events up to and including the block."""
    root: bytes
    """Root over them, 32 bytes."""
    block: int
    """Number of the block."""
    block_hash: bytes
    """Its hash, 32 bytes."""

    @property
    def origin(self) -> str:
        """What tells this log from every other."""
        return f"fedtrail.{self.chain_id}.0x{self.ledger.hex()}"

    def __str__(self) -> str:
        """Return the text that is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nblock {self.block} 0x{self.block_hash.hex()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Return a checkpoint from a note's text.

    Raises: NotCanonical: it is not exactly the text of one.
    """
    found = _TEXT.fullmatch(text)
    if found is not None:
        checkpoint = Checkpoint(
            chain_id=int(found["chain_id"]),
            ledger=bytes.fromhex(found["ledger"][2:]),
            size=int(found["size"]),
            root=base64.b64decode(found["root"]),
            block=int(found["block"]),
            block_hash=bytes.fromhex(found["block_hash"][2:]),
        )
        if str(checkpoint) == text:
            return checkpoint
    raise NotCanonical(what="a note that is no checkpoint of a fedtrail ledger")


def encode_event(log: RawLog) -> bytes:
    """Return an event as the leaf of the tree that it is: address 20 | topics 32 each | data."""
    return log.address + b"".join(log.topics) + log.data


def hash_events(logs: Sequence[RawLog]) -> list[bytes]:
    """Return the leaf digests of events, in order."""
    return [spec.hash_leaf(encode_event(log)) for log in logs]


def compute_ledger_root(logs: Sequence[RawLog]) -> bytes:
    """Return the root over a ledger's events.

    Args: logs: of all contracts of the deployment, in the order of the chain.
    """
    return compute_log_root(hash_events(logs))


def compute_log_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf digests, none included (RFC 6962 §2.1)."""
    return spec.compute_root(leaves) if leaves else sha256(b"").digest()


def compute_consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the digests that show that the first `old_size` of these leaves are those of the smaller tree.

    Args: old_size: 0 to the number of leaves. Source: RFC 6962 §2.1.2.
    """
    return _collect(list(leaves), old_size, whole=True) if 0 < old_size < len(leaves) else []


def _collect(leaves: list[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    """Return the proof within a subtree; `whole`: the smaller tree's root is known to the verifier."""
    if old_size == len(leaves):
        return [] if whole else [spec.compute_root(leaves)]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = leaves[:half], leaves[half:]
    if old_size <= half:
        return [*_collect(left, old_size, whole=whole), spec.compute_root(right)]
    return [*_collect(right, old_size - half, whole=False), spec.compute_root(left)]


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Return if the larger tree begins with the smaller one.

    Raises: BadProof: the sizes do not fit, the path has another length, or it leads elsewhere.
    Source: RFC 9162 §2.1.4.2.
    """
    if not 0 <= old_size <= new_size:
        raise BadProof(what=f"a log of {new_size} events does not extend one of {old_size}")
    if old_size in (0, new_size):
        if path or (old_size == new_size and old_root != new_root):
            raise BadProof(what=f"two logs of {new_size} events with roots {old_root.hex()} and {new_root.hex()}")
        return
    old, new = _fold(old_size, old_root, new_size, path)
    if (old, new) != (old_root, new_root):
        raise BadProof(
            what=f"the consistency proof leads to {old.hex()} and {new.hex()}, "
            f"the roots are {old_root.hex()} and {new_root.hex()}"
        )


def _fold(old_size: int, old_root: bytes, new_size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots that a path gives to the smaller and to the larger tree."""
    is_full = old_size & (old_size - 1) == 0
    waiting = [old_root, *path] if is_full else list(path)  # a full tree is itself the first node
    if not waiting:
        raise BadProof(what="an empty consistency proof")
    first, last = old_size - 1, new_size - 1
    while first % 2:
        first, last = first // 2, last // 2
    old = new = waiting[0]
    for node in waiting[1:]:
        if last == 0:
            raise BadProof(what="a consistency proof that is too long")
        if first % 2 or first == last:
            old, new = spec.hash_node(node, old), spec.hash_node(node, new)
            while first and first % 2 == 0:
                first, last = first // 2, last // 2
        else:
            new = spec.hash_node(new, node)
        first, last = first // 2, last // 2
    if last:
        raise BadProof(what="a consistency proof that is too short")
    return old, new


def verify_same_view(one: Checkpoint, other: Checkpoint, *, who: str, against: str) -> None:
    """Return unless two checkpoints of one log contradict each other on their face.

    Args: who, against: whose checkpoints they are, as people read it.
    Raises: SplitView: one block with two hashes, or one size with two roots, or more events at an earlier block.
    """
    if one.block == other.block:
        _compare(f"block {one.block}", one.block_hash, other.block_hash, who, against)
        _compare(f"the number of events at block {one.block}", one.size, other.size, who, against)
    if one.size == other.size:
        _compare(f"the root of {one.size} events", one.root, other.root, who, against)
    first, later = sorted((one, other), key=lambda each: each.block)
    if first.size > later.size:
        _compare(f"the number of events by block {max(one.block, other.block)}", one.size, other.size, who, against)


def _compare(what: str, got: bytes | int, want: bytes | int, who: str, against: str) -> None:
    if got != want:
        texts = ["0x" + value.hex() if isinstance(value, bytes) else value for value in (got, want)]
        raise SplitView(who=who, what=what, got=texts[0], against=against, want=texts[1])
