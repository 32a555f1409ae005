"""Auxiliary data: what a rule asks for beside roots, so that one transaction can judge it (docs/protocol.md §5.8).

Krum and Multi-Krum post the squared distances of all pairs, the weighted mean every weight, composed rules that only
select whom they selected; other rules post nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ledger.spec.compositions import select
from ledger.spec.errors import WrongLength
from ledger.spec.numbers import clamp
from ledger.spec.rows import ListRows
from ledger.spec.rules import Rule, RuleParams, Vector, compute_squared_distance, require_composition

DISTANCE_BYTES = 12
"""A distance is below 2**80: 2**32 coordinates of at most (2**24)**2."""
WEIGHT_BYTES = 4


def compute_distances(updates: Sequence[Vector], bound: int) -> tuple[int, ...]:
    """Return the squared distances of all pairs of clamped updates, the upper triangle row by row (§5.8).

    Args: updates: n vectors of d int32, in slot order. bound: coordinates are clamped to [-bound, bound].
    Returns: n (n - 1) / 2 integers: of slots (0, 1), (0, 2), ..., (1, 2), ...
    """
    clamped = [[clamp(x, bound) for x in update] for update in updates]
    return tuple(compute_squared_distance(a, b) for a, b in itertools.combinations(clamped, 2))


def encode_distances(distances: Sequence[int]) -> bytes:
    """Return the distances as uint96, big endian."""
    return b"".join(distance.to_bytes(DISTANCE_BYTES, "big") for distance in distances)


def decode_distances(data: bytes, *, count: int) -> tuple[int, ...]:
    """Return the distances of `count` updates.

    Raises: WrongLength: data is not 12 bytes a pair.
    """
    return _decode(data, DISTANCE_BYTES, count * (count - 1) // 2)


def encode_weights(weights: Sequence[int]) -> bytes:
    """Return the weights as uint32, big endian."""
    return b"".join(weight.to_bytes(WEIGHT_BYTES, "big") for weight in weights)


def decode_weights(data: bytes, *, count: int) -> tuple[int, ...]:
    """Return the weights of `count` updates.

    Raises: WrongLength: data is not 4 bytes an update.
    """
    return _decode(data, WEIGHT_BYTES, count)


def encode_choice(chosen: Sequence[int], count: int) -> bytes:
    """Return weights of 1 for the chosen slots and 0 for the others: a mean of some is a weighted mean of all."""
    return encode_weights([int(slot in chosen) for slot in range(count)])


def _decode(data: bytes, width: int, count: int) -> tuple[int, ...]:
    if len(data) != width * count:
        raise WrongLength(
            f"{count} numbers of {width} bytes are {width * count} bytes, got {len(data)}",
            got=len(data),
            want=width * count,
        )
    return tuple(int.from_bytes(data[at : at + width], "big") for at in range(0, len(data), width))


def compute_aux(params: RuleParams, updates: Sequence[Vector], weights: Vector) -> bytes:
    """Return the bytes that a proposal carries for its rule (§5.8); none for most rules.

    Args: params: from the task. updates: n vectors of d int32, in slot order. weights: one a slot (compute_weight).
    """
    if params.rule in (Rule.KRUM, Rule.MULTI_KRUM):
        return encode_distances(compute_distances(updates, params.bound))
    if params.rule is Rule.WEIGHTED_MEAN:
        return encode_weights(weights)
    if params.rule is Rule.COMPOSED:
        composition, context = require_composition(params)
        rows = ListRows([[clamp(x, params.bound) for x in update] for update in updates])
        return encode_choice(select(composition, rows, context), len(rows)) if composition.selects_only else b""
    return b""
