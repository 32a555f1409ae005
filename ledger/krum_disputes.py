"""Disputes over Krum and Multi-Krum: what KrumCourt reads, and what an honest player does next (docs/protocol.md §8.5).

Pure functions, no I/O. A game is about one posted distance: the aggregator splits it into partial distances over ranges
of blocks, the challenger names a wrong one, until that is one block, which the contract computes by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from eth_utils.crypto import keccak

from ledger import spec
from ledger.commitments import Int32Array, compute_vector_root
from ledger.disputes import Claim, Update, encode_matrix_opening, encode_member, encode_opening
from ledger.spec.errors import BadProof, WrongLength

PART_BYTES = 10
"""A part is a uint80: 2**32 squared differences below 2**48."""
_GROUP = 32
"""Parts in a leaf of the tree over them."""
_BLOCK_LOG2 = 10
_PARTS_LOG2 = 10
_HEADER = struct.Struct(">II")
_SLOT = struct.Struct(">H")


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """The state of a game as its last event tells it; the fields are those of the contract, in its order."""

    round_id: int
    """Number within the ledger."""
    aggregator: int
    """Participant id."""
    challenger: str
    """Address, as hexadecimal digits."""
    low: int
    """Lower slot of the pair."""
    high: int
    """Higher slot of the pair."""
    members_root: bytes
    """Of the disputed proposal, 32 bytes."""
    aux_hash: bytes
    """Keccak-256 of the posted distances."""
    blocks: int
    """Blocks of an update."""
    height: int
    """The disputed range has 2**height blocks (the last range may have fewer)."""
    index: int
    """Position of the range among those of its height."""
    distance: int
    """What the range's squared distance is said to be."""
    parts_root: bytes
    """Root over the parts that the aggregator posted; zeros while it is to post them."""
    move_by: int
    """Last second of the one who is to move."""
    waiting: int
    """Seconds that the other has left."""

    def fields(self) -> tuple[Any, ...]:
        """Return the fields as the contract's functions take them."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def is_aggregators_turn(self) -> bool:
        """Return whether parts are to be posted."""
        return not any(self.parts_root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What both players hold: a round's task, its included updates and the distances that its proposal posted."""

    task: spec.Task
    """Of the round."""
    updates: Sequence[Update]
    """Of all included clients, in rising id."""
    members: Sequence[spec.Member]
    """The included clients' commitments, in the same order."""
    aux: bytes
    """From the event of the proposal."""

    def distances(self) -> tuple[int, ...]:
        """Return the posted distances of all pairs. Raises: WrongLength: they are not one for every pair."""
        return spec.decode_distances(self.aux, count=len(self.updates))


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One call of KrumCourt."""

    function: str
    """Its function."""
    arguments: tuple[Any, ...]
    """The arguments of the call."""
    pays_bond: bool = False
    """Whether the court's bond must be sent along."""


# ------------------------------------------------------------------------------------------------------------- layout


def compute_block_log2(leaf_log2: int) -> int:
    """Return the log2 of the coordinates of a block: 1024, or a leaf if that is more."""
    return max(leaf_log2, _BLOCK_LOG2)


def compute_block_count(size: int, leaf_log2: int) -> int:
    """Return the number of blocks of an update of `size` coordinates."""
    return _ceil_shift(size, compute_block_log2(leaf_log2))


def compute_height_below(blocks: int, height: int) -> int:
    """Return the height of the parts into which a range of a height is split: every step splits about alike.

    Args: blocks: of an update. height: of the range; (blocks - 1).bit_length() is that of all blocks.
    """
    top = (blocks - 1).bit_length()
    steps = max(1, -(-top // _PARTS_LOG2))
    return max(0, height - -(-top // steps))


def compute_part_range(game: Game) -> range:
    """Return the positions, among ranges of the next lower height, of the parts of a game's range."""
    lower = compute_height_below(game.blocks, game.height)
    first = game.index << (game.height - lower)
    return range(first, min((game.index + 1) << (game.height - lower), _ceil_shift(game.blocks, lower)))


# -------------------------------------------------------------------------------------------------------------- parts


def compute_block_distances(a: Int32Array, b: Int32Array, task: spec.Task) -> npt.NDArray[np.int64]:
    """Return the squared distance of two updates over every block: int64, exact, since a block adds up to < 2**60."""
    bound = task.bound
    difference = np.clip(a, -bound, bound).astype(np.int64) - np.clip(b, -bound, bound)
    return np.add.reduceat(difference * difference, np.arange(0, len(a), 1 << compute_block_log2(task.leaf_log2)))


def compute_parts(game: Game, evidence: Evidence) -> list[int]:
    """Return the true partial distances over the parts of a game's range."""
    low, high = (evidence.updates[slot].values for slot in (game.low, game.high))
    blocks = compute_block_distances(low, high, evidence.task).tolist()
    lower = compute_height_below(game.blocks, game.height)
    return [sum(blocks[at << lower : (at + 1) << lower]) for at in compute_part_range(game)]


def encode_parts(parts: Sequence[int]) -> bytes:
    """Return the parts as packed uint80, big endian."""
    return b"".join(part.to_bytes(PART_BYTES, "big") for part in parts)


def decode_parts(data: bytes, *, count: int) -> list[int]:
    """Return `count` parts. Raises: WrongLength: data has another length."""
    if len(data) != PART_BYTES * count:
        raise WrongLength(got=len(data), want=PART_BYTES * count)
    return [int.from_bytes(data[at : at + PART_BYTES], "big") for at in range(0, len(data), PART_BYTES)]


def compute_parts_root(data: bytes) -> bytes:
    """Return the Keccak tree root over packed parts in groups of 32, leaf keccak256(0x00 | group)."""
    return _compute_levels(data)[-1][0]


def encode_part_opening(data: bytes, part: int) -> bytes:
    """Return the group of packed parts that holds one of them, and its siblings up to the root."""
    group_bytes, index = PART_BYTES * _GROUP, part // _GROUP
    path = b""
    for level in _compute_levels(data)[:-1]:
        path += level[index ^ 1] if index ^ 1 < len(level) else b""
        index //= 2
    return data[part // _GROUP * group_bytes :][:group_bytes] + path


def _compute_levels(data: bytes) -> list[list[bytes]]:
    step = PART_BYTES * _GROUP
    levels = [[keccak(b"\x00" + data[at : at + step]) for at in range(0, len(data), step)]]
    while len(level := levels[-1]) > 1:
        pairs = [keccak(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        levels.append(pairs + level[len(level) - len(level) % 2 :])
    return levels


# -------------------------------------------------------------------------------------------------------------- games


def find_wrong_distances(evidence: Evidence) -> list[tuple[int, int, int]]:
    """Return (lower slot, higher slot, posted distance) of every pair whose posted distance is not the true one.

    Raises: WrongLength: the posted distances are not one for every pair (prove_aux_length).
    """
    n, posted = len(evidence.updates), iter(evidence.distances())
    values = [update.values for update in evidence.updates]
    pairs = [(low, high, next(posted)) for low in range(n) for high in range(low + 1, n)]
    return [
        (low, high, claimed)
        for low, high, claimed in pairs
        if sum(compute_block_distances(values[low], values[high], evidence.task).tolist()) != claimed
    ]


def open_game(claim: Claim, *, low: int, high: int, distance: int) -> Move:
    """Return the opening of a game over a pair whose posted distance is wrong."""
    return Move(function="challenge", arguments=(*claim.arguments(), low, high, distance), pays_bond=True)


def compute_aggregators_move(game: Game, evidence: Evidence, *, now: int) -> Move | None:
    """Return what an aggregator whose posted distances are true does next, None while there is nothing to do.

    Args: now: second of the chain's clock at which the move would arrive.
    """
    if not game.is_aggregators_turn():
        return _timeout(game, now)
    if now > game.move_by:
        return None
    if 1 << game.height >= game.blocks and _posted_distance(game, evidence) != game.distance:
        return Move(function="refute", arguments=(game.fields(), evidence.aux))
    return Move(function="dissect", arguments=(game.fields(), encode_parts(compute_parts(game, evidence))))


def compute_challengers_move(game: Game, parts: bytes, evidence: Evidence, *, now: int) -> Move | None:
    """Return what the challenger does next, None while there is nothing to do: it waits, or no part is wrong.

    Args: parts: packed parts from the game's last event Dissected; empty on the aggregator's turn.
        now: second of the chain's clock at which the move would arrive.
    """
    if game.is_aggregators_turn():
        return _timeout(game, now)
    if now > game.move_by:
        return None
    true_parts = compute_parts(game, evidence)
    posted = decode_parts(parts, count=len(true_parts))
    wrong = [part for part, (got, want) in enumerate(zip(posted, true_parts, strict=True)) if got != want]
    if not wrong:
        return None
    opening = encode_part_opening(parts, wrong[0])
    if compute_height_below(game.blocks, game.height) > 0:
        return Move(function="pick", arguments=(game.fields(), wrong[0], opening))
    block = compute_part_range(game)[wrong[0]]
    return Move(function="prove", arguments=(game.fields(), wrong[0], opening + encode_blocks(game, evidence, block)))


def encode_blocks(game: Game, evidence: Evidence, block: int) -> bytes:
    """Return the openings of a block of both updates, each with the client's siblings in the member list."""
    leaf_log2 = evidence.task.leaf_log2
    return b"".join(
        encode_block_opening(evidence.updates[slot], leaf_log2, block) + encode_member(evidence.members, slot)
        for slot in (game.low, game.high)
    )


def encode_block_opening(update: Update, leaf_log2: int, block: int) -> bytes:
    """Return client, num_examples, the coordinates of a block, and its siblings up to the update's root.

    Raises: BadProof: there is no such block.
    """
    step = 1 << compute_block_log2(leaf_log2)
    chunks = [update.values[at : at + step] for at in range(0, len(update.values), step)]
    if not 0 <= block < len(chunks):
        raise BadProof(what=f"block {block} of {len(chunks)}")
    # A block is a whole subtree of leaves, so that the roots of blocks are a level of the update's tree.
    roots = [compute_vector_root(chunk, leaf_log2) for chunk in chunks]
    header = _HEADER.pack(update.client, update.num_examples)
    return header + chunks[block].astype("<i4").tobytes() + b"".join(spec.compute_inclusion_proof(roots, block))


# ------------------------------------------------------------------------------------------------- in one transaction


def prove_aux_length(claim: Claim, aux: bytes) -> Move:
    """Return the proof that a proposal does not post one distance for every pair."""
    return Move(function="proveAuxLength", arguments=(*claim.arguments(), aux))


def prove_selection_column(claim: Claim, evidence: Evidence, coordinate: int, *, aggregate: Int32Array) -> Move:
    """Return the proof that one coordinate of the aggregate is not the mean of what the posted distances choose.

    Args: aggregate: int32[d].
    Raises: WrongLength: the posted distances are not one for every pair (prove_aux_length).
    """
    task = evidence.task
    rows = [update.values for update in evidence.updates]
    hints = encode_selection_hints(task.rule_params(), evidence.distances(), len(evidence.updates))
    openings = encode_matrix_opening(rows, task.matrix_log2, coordinate) + encode_opening(
        aggregate, task.model_log2, coordinate
    )
    arguments = (*claim.arguments(), coordinate, evidence.aux, hints + openings)
    return Move(function="proveSelectionColumn", arguments=arguments)


def encode_selection_hints(params: spec.RuleParams, distances: Sequence[int], count: int) -> bytes:
    """Return every slot's threshold, the largest distance that its score counts, and the last slot chosen.

    Args: distances: of all pairs of `count` updates, posted.
    Clause: §5.6.
    """
    rows: list[list[int]] = [[] for _ in range(count)]
    posted = iter(distances)
    for low in range(count):
        for high in range(low + 1, count):
            distance = next(posted)
            rows[low].append(distance)
            rows[high].append(distance)
    nearest = count - params.parameter - 2
    kept = [sorted(row)[:nearest] for row in rows]
    chosen = 1 if params.rule is spec.Rule.KRUM else params.select
    ranked = sorted(range(count), key=lambda slot: (sum(kept[slot]), slot))
    return spec.encode_distances([row[-1] for row in kept]) + _SLOT.pack(ranked[chosen - 1])


def _posted_distance(game: Game, evidence: Evidence) -> int:
    n = len(evidence.updates)
    return evidence.distances()[game.low * (2 * n - game.low - 1) // 2 + game.high - game.low - 1]


def _timeout(game: Game, now: int) -> Move | None:
    return Move(function="timeout", arguments=(game.fields(),)) if now > game.move_by else None


def _ceil_shift(value: int, log2: int) -> int:
    return -(-value >> log2)
