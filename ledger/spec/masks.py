"""Masks of secure aggregation: seeds, what a client commits about them, what unmasking reveals (docs/protocol.md §11).

A client of a masked task (rule sum32, rule_param > 0) adds to its update one mask that is its own and one for every
peer, which the peer subtracts: of a pair that is included the masks cancel in the sum, all others have to be revealed.
Which seeds those are follows from what the included clients committed to, so that a contract can judge a proposal's
list of revealed seeds, seed by seed, and the sum, coordinate by coordinate.
Papers: Bonawitz et al. 2017 (SecAgg), Bell et al. 2020 (SecAgg+).
"""

from __future__ import annotations

import enum
import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.spec.aes import expand_keystream
from ledger.spec.errors import NotCanonical, WrongLength
from ledger.spec.numbers import wrap32
from ledger.spec.tree import compute_chunk_root

SEED_BYTES = 32
SELF = 0
"""Stands for a peer where a client's own mask is meant: participants count from 1."""
WORDS_PER_BLOCK = 8

_LINE = struct.Struct(">I32s")
_REVEAL = struct.Struct(">II32s")
_BLOCK = struct.Struct("<8I")

SEED_LINE_BYTES = _LINE.size
"""A line of a seed table: peer u32 and a commitment."""


class Expansion(enum.StrEnum):
    """How a seed becomes mask words."""

    SHA256 = "sha256"
    """SHA-256 in counter mode, a word of which a contract can compute (§11.1)."""
    AES = "aes"
    """AES-256 in counter mode: cheaper, and for replays alone (§11.13)."""


def expand_block(seed: bytes, block: int) -> tuple[int, ...]:
    """Return eight mask words: sha256(seed | block u64) read as little-endian u32 (§11.1).

    Args: seed: 32 bytes. block: 0 to 2**64 - 1; block b holds the words of coordinates 8b to 8b + 7.
    Raises: WrongLength: the seed is not 32 bytes.
    """
    if len(seed) != SEED_BYTES:
        raise WrongLength(got=len(seed), want=SEED_BYTES)
    return _BLOCK.unpack(hashlib.sha256(seed + block.to_bytes(8, "big")).digest())


def compute_mask_word(seed: bytes, coordinate: int) -> int:
    """Return the mask of one coordinate, 0 to 2**32 - 1 (§11.1)."""
    return expand_block(seed, coordinate // WORDS_PER_BLOCK)[coordinate % WORDS_PER_BLOCK]


def expand_mask(seed: bytes, size: int, expansion: Expansion = Expansion.SHA256) -> list[int]:
    """Return the masks of coordinates 0 to size - 1 (§11.1; in AES §11.13).

    Raises: WrongLength: the seed is not 32 bytes.
    """
    if len(seed) != SEED_BYTES:
        raise WrongLength(got=len(seed), want=SEED_BYTES)
    if expansion is Expansion.AES:
        return list(struct.unpack(f"<{size}I", expand_keystream(seed, 4 * size)))
    blocks = -(-size // WORDS_PER_BLOCK)
    return [word for block in range(blocks) for word in expand_block(seed, block)][:size]


def compute_seed_commitment(seed: bytes) -> bytes:
    """Return sha256(0x03 | seed) (§11.2)."""
    return hashlib.sha256(b"\x03" + seed).digest()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SeedLine:
    """One line of a client's seed table."""

    peer: int
    """Participant id of the peer; SELF for the client's own mask."""
    commitment: bytes
    """Commitment to the seed, 32 bytes; both clients of a pair state the same."""


SeedTable = Sequence[SeedLine]


def make_seed_table(seeds: Mapping[int, bytes]) -> list[SeedLine]:
    """Return the seed table of a client (§11.2). Args: seeds: 32 bytes by peer; SELF for the client's own."""
    return [SeedLine(peer=peer, commitment=compute_seed_commitment(seeds[peer])) for peer in sorted(seeds)]


def encode_seed_table(lines: SeedTable) -> bytes:
    """Return packed (peer u32 | commitment 32) lines: 36 bytes each (§11.2)."""
    return b"".join(_LINE.pack(line.peer, line.commitment) for line in lines)


def decode_seed_table(data: bytes, *, owner: int, degree: int) -> list[SeedLine]:
    """Return the lines of a client's seed table (§11.2).

    Args: owner: the client. degree: the task's rule_param, the most peers that a client may have.
    Raises: WrongLength: not a whole number of lines. NotCanonical: the first line is not the client's own mask, peers
        do not rise, the client is its own peer, or there are more than degree peers.
    """
    if len(data) % _LINE.size:
        raise WrongLength(got=len(data), want=len(data) // _LINE.size * _LINE.size)
    lines = [SeedLine(peer=peer, commitment=commitment) for peer, commitment in _LINE.iter_unpack(data)]
    peers = [line.peer for line in lines]
    if peers[:1] != [SELF] or peers != sorted(set(peers)) or owner in peers:
        raise NotCanonical(what=f"seed table of client {owner} lists peers {peers}")
    if len(peers) > degree + 1:
        raise NotCanonical(what=f"seed table of client {owner} lists {len(peers) - 1} peers, at most {degree} allowed")
    return lines


def compute_seeds_root(lines: SeedTable) -> bytes:
    """Return the chunk-tree root over the lines of a seed table, one line a leaf (§11.2)."""
    return compute_chunk_root(encode_seed_table(lines), _LINE.size)


def compute_masked_root(vector_root: bytes, seeds_root: bytes) -> bytes:
    """Return what takes the place of the tree root in a masked task's commitment: sha256(0x04 | both) (§11.3).

    No node of a tree has this prefix: otherwise a seed table could pass for the last leaf of an update.
    """
    return hashlib.sha256(b"\x04" + vector_root + seeds_root).digest()


def compute_sign(owner: int, peer: int) -> int:
    """Return with which sign the owner adds a mask: -1 for a peer with a lower id, else 1 (§11.4)."""
    return -1 if SELF < peer < owner else 1


def apply_masks(
    update: Sequence[int], owner: int, seeds: Mapping[int, bytes], expansion: Expansion = Expansion.SHA256
) -> list[int]:
    """Return the masked update, modulo 2**32 (§11.4).

    Args: update: d int32. seeds: seed by peer; SELF for the client's own.
    """
    masked = list(update)
    for peer, seed in seeds.items():
        sign = compute_sign(owner, peer)
        mask = expand_mask(seed, len(masked), expansion)
        masked = [value + sign * word for value, word in zip(masked, mask, strict=True)]
    return [wrap32(value) for value in masked]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Reveal:
    """A seed whose mask is left in the sum of the included masked updates."""

    owner: int
    """Included client that added the mask."""
    peer: int
    """Its peer; SELF for its own mask."""
    seed: bytes
    """32 bytes."""


def encode_reveals(reveals: Iterable[Reveal]) -> bytes:
    """Return packed (owner u32 | peer u32 | seed 32), rising by owner and peer: a proposal's aux (§11.5)."""
    return b"".join(_REVEAL.pack(reveal.owner, reveal.peer, reveal.seed) for reveal in sorted(reveals))


def decode_reveals(data: bytes) -> list[Reveal]:
    """Return the revealed seeds of a proposal (§11.5).

    Raises: WrongLength: not a whole number of entries. NotCanonical: they do not rise by (owner, peer) from (0, 0).
    """
    if len(data) % _REVEAL.size:
        raise WrongLength(got=len(data), want=len(data) // _REVEAL.size * _REVEAL.size)
    reveals = [Reveal(owner=owner, peer=peer, seed=seed) for owner, peer, seed in _REVEAL.iter_unpack(data)]
    keys = [(0, 0), *((reveal.owner, reveal.peer) for reveal in reveals)]
    if keys != sorted(set(keys)):
        raise NotCanonical(what="revealed seeds do not rise by owner and peer")
    return reveals


def is_cancelled(owner: int, line: SeedLine, tables: Mapping[int, SeedTable]) -> bool:
    """Return whether a line's mask cancels in the sum: its peer is included and states the same for the owner (§11.5).

    Args: tables: seed table by included client.
    """
    return SeedLine(peer=owner, commitment=line.commitment) in tables.get(line.peer, ())


def compute_needed(tables: Mapping[int, SeedTable]) -> dict[tuple[int, int], bytes]:
    """Return the commitment of every seed that must be revealed, by (owner, peer) in rising order (§11.5).

    Args: tables: seed table by included client.
    """
    return {
        (owner, line.peer): line.commitment
        for owner, lines in sorted(tables.items())
        for line in lines
        if not is_cancelled(owner, line, tables)
    }


def count_cancelled(owner: int, tables: Mapping[int, SeedTable]) -> int:
    """Return how many pair masks of an included client stay secret (§11.5): what hides its update in the sum."""
    return sum(is_cancelled(owner, line, tables) for line in tables[owner])


def verify_reveals(reveals: Sequence[Reveal], tables: Mapping[int, SeedTable]) -> None:
    """Return if these are the seeds that must be revealed, no more and no fewer (§11.5).

    Args: tables: seed table by included client.
    Raises: NotCanonical: names the first pair whose seed is wrong, missing or not to be revealed.
    """
    needed = compute_needed(tables)
    shown = {(reveal.owner, reveal.peer): compute_seed_commitment(reveal.seed) for reveal in reveals}
    for pair in sorted(needed.keys() | shown.keys()):
        if pair not in shown:
            raise NotCanonical(what=f"the seed of {pair} is missing")
        if shown[pair] != needed.get(pair, shown[pair]):
            raise NotCanonical(what=f"the seed of {pair} is not the one committed to")
        if pair not in needed:
            raise NotCanonical(what=f"the seed of {pair} must not be revealed")


def compute_unmasked_sum(
    masked: Sequence[Sequence[int]], reveals: Iterable[Reveal], expansion: Expansion = Expansion.SHA256
) -> list[int]:
    """Return the sum of the included masked updates without the revealed masks, modulo 2**32 (§11.6).

    Args: masked: n vectors of d int32. This is the sum of the plain updates, modulo 2**32, if every client masked with
        the seeds that it committed to.
    """
    total = [sum(column) for column in zip(*masked, strict=True)]
    for reveal in reveals:
        sign = compute_sign(reveal.owner, reveal.peer)
        mask = expand_mask(reveal.seed, len(total), expansion)
        total = [value - sign * word for value, word in zip(total, mask, strict=True)]
    return [wrap32(value) for value in total]


def order_ring(roster: Iterable[int], beacon: bytes) -> list[int]:
    """Return clients in the random order that a beacon gives them (§11.7)."""
    return sorted(set(roster), key=lambda client: hashlib.sha256(beacon + client.to_bytes(4, "big")).digest())


def compute_peers(roster: Iterable[int], degree: int, beacon: bytes) -> dict[int, list[int]]:
    """Return every client's peers, rising: a ring in random order, degree // 2 neighbours on each side (§11.7).

    That is the Harary graph of SecAgg+; with degree at least n - 1 everybody is everybody's peer. The contracts do not
    ask for this graph: a client picks its peers by it, so that nobody else picks them.

    Args: roster: ids of the clients that agreed on seeds. degree: the task's rule_param. beacon: 32 bytes that nobody
        could choose.
    """
    ring = order_ring(roster, beacon)
    steps = range(1, len(ring)) if degree >= len(ring) - 1 else [*range(-(degree // 2), 0), *range(1, degree // 2 + 1)]
    return {client: sorted(ring[(i + step) % len(ring)] for step in steps) for i, client in enumerate(ring)}
