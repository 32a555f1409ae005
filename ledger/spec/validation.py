"""Validation of updates against each other before any rule sees them (docs/protocol.md, Validation).

A validation is a text such as `stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)`: which tests a task asks for,
in the order in which they are made, each with its limit in hundredths. It is the term `validation` of the layout
(§3.5). An update that is all zeros is rejected under every validation.

Norms and cosines are compared by their squares and inner products, so that nothing is rounded. The three tests that
compare an update with the others use lower medians over n updates. As long as f ≤ n/2 − 1 of these are dishonest, each
such median lies between two values of honest updates: `find_outliers` says what follows for an honest client.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

from ledger.spec.errors import (
    DistantUpdate,
    DuplicateUpdate,
    FaintUpdate,
    LongUpdate,
    NotCanonical,
    SpecError,
    StaleUpdate,
    ZeroUpdate,
)
from ledger.spec.filtering import is_alike
from ledger.spec.gram import Gram, compute_gram, lower_median

TERM = "validation"
"""Name of the layout's term."""
MIN_COHORT = 4
"""Fewest updates that are compared with their medians."""
LIMITS = {
    "stale": (1, 100),
    "duplicate": (1, 100),
    "norm": (101, 10_000),
    "faint": (1, 99),
    "distance": (101, 10_000),
}
"""Tests in the order in which they are made and written, and the range of each limit, in hundredths."""
REASONS = {
    int(error.code.removeprefix("FT")): error
    for error in (ZeroUpdate, StaleUpdate, DuplicateUpdate, LongUpdate, FaintUpdate, DistantUpdate)
}
"""Rejections by the number of their FT code: what stands on the ledger."""

_WHOLE = 100
_TEST = re.compile(r"([a-z]+)\(([1-9][0-9]{0,5})\)")
_MAX_TEXT_BYTES = 255

Rejections = dict[int, SpecError]
"""Why, by client or by slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Limits of the tests, in hundredths; None for a test that is not made.

    Raises: NotCanonical: a limit is out of its range (LIMITS).
    """

    stale: int | None = None
    """Largest |cosine| with the aggregate of the task's last finalised round."""
    duplicate: int | None = None
    """Largest cosine with the update of another client."""
    norm: int | None = None
    """Largest norm, in medians."""
    faint: int | None = None
    """Smallest norm, in medians."""
    distance: int | None = None
    """Largest median distance to the others, in medians of these distances."""

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            least, most = LIMITS[name]
            if not least <= limit <= most:
                raise NotCanonical(what=f"{name}({limit}): allowed are {least} to {most} hundredths")

    @property
    def limits(self) -> dict[str, int]:
        """Limits of the tests that are made, in their order."""
        return {name: limit for name in LIMITS if (limit := getattr(self, name)) is not None}

    def __str__(self) -> str:
        return "+".join(f"{name}({limit})" for name, limit in self.limits.items()) or "zero"


def encode_validation(validation: Validation) -> bytes:
    """Return the text of a validation; `zero` where updates of zeros are all that is rejected."""
    return str(validation).encode("ascii")


def decode_validation(data: bytes) -> Validation:
    """Return the validation of a text.

    Raises: NotCanonical: it is none, or another text means the same.
    """
    text = data.decode("ascii", "replace") if len(data) <= _MAX_TEXT_BYTES else ""
    found = [_TEST.fullmatch(part) for part in text.split("+")] if text != "zero" else []
    if not all(each and each[1] in LIMITS for each in found):
        raise NotCanonical(what=f"{data[:_MAX_TEXT_BYTES]!r} is no validation; tests are {', '.join(LIMITS)}")
    validation = Validation(**{each[1]: int(each[2]) for each in found if each})
    if encode_validation(validation) != data:
        raise NotCanonical(what=f"{text!r} instead of {str(validation)!r}")
    return validation


def judge_cohort(
    validation: Validation,
    updates: Sequence[Sequence[int]],
    clients: Sequence[int],
    previous: Sequence[int] | None = None,
) -> Rejections:
    """Return the clients whose updates are rejected, each with the reason, in rising client number.

    Args: updates: n vectors of d integers, each valid by itself. clients: their authors, in any order. previous: the
    aggregate of the task's last finalised round, d integers; None before the first.
    """
    rows = [*updates, previous] if previous is not None else updates
    return judge_gram(validation, compute_gram(rows), clients)


def judge_gram(validation: Validation, gram: Gram, clients: Sequence[int]) -> Rejections:
    """Return what `judge_cohort` returns, from the inner products of the updates.

    Args: gram: of n updates, or of n updates and, last, the previous aggregate. clients: n authors.
    """
    rejected: Rejections = {}
    left = sorted(range(len(clients)), key=lambda slot: clients[slot])
    steps: tuple[_Step, ...] = (_find_zeros, _find_stale, _find_duplicates, find_outliers)
    for find in steps:
        found = find(validation, gram, clients, left)
        rejected |= {clients[slot]: reason for slot, reason in found.items()}
        left = [slot for slot in left if slot not in found]
    return dict(sorted(rejected.items()))


_Step = Callable[[Validation, Gram, Sequence[int], Sequence[int]], Rejections]


def _find_zeros(validation: Validation, gram: Gram, clients: Sequence[int], left: Sequence[int]) -> Rejections:
    del validation  # whoever contributes nothing is rejected under all of them
    return {slot: ZeroUpdate(client=clients[slot]) for slot in left if not gram[slot][slot]}


def _find_stale(validation: Validation, gram: Gram, clients: Sequence[int], left: Sequence[int]) -> Rejections:
    """Return the updates that are the last global step again, or its opposite."""
    before, limit = len(clients), validation.stale
    if limit is None or len(gram) == before or not gram[before][before]:
        return {}
    return {
        slot: StaleUpdate(client=clients[slot], got=_cosine(gram, slot, before), want=_number(limit))
        for slot in left
        if is_alike(gram, slot, before, limit)
    }


def _find_duplicates(validation: Validation, gram: Gram, clients: Sequence[int], left: Sequence[int]) -> Rejections:
    """Return the updates that point the way of one with a lower client number that is kept.

    What is left of a group of clones weighs as one client, and nobody is said to have copied.
    """
    found: Rejections = {}
    kept: list[int] = []
    for slot in left if validation.duplicate is not None else ():
        limit = validation.duplicate or 0
        first = next((k for k in kept if gram[slot][k] > 0 and is_alike(gram, slot, k, limit)), None)
        if first is None:
            kept.append(slot)
        else:
            got = _cosine(gram, slot, first)
            found[slot] = DuplicateUpdate(client=clients[slot], other=clients[first], got=got, want=_number(limit))
    return found


def find_outliers(validation: Validation, gram: Gram, clients: Sequence[int], left: Sequence[int]) -> Rejections:
    """Return the updates that are too long, too faint or too far from the others; nobody among fewer than MIN_COHORT.

    All are compared with the same updates, so that a test rejects at most half of these. Where at most n/2 − 1 of n are
    dishonest, whatever these send: an honest update is too long only if it has more than `norm` times the norm of
    another honest one, too faint only below `faint` times one, too far only if some two honest ones are more than
    `distance` times as far from each other as some other two.
    """
    if len(left) < MIN_COHORT:
        return {}
    norms = {slot: gram[slot][slot] for slot in left}
    far = {slot: lower_median([_distance(gram, slot, j) for j in left if j != slot]) for slot in left}
    usual, apart = lower_median(list(norms.values())), lower_median(list(far.values()))
    tests = (
        (LongUpdate, validation.norm, norms, usual, 1),
        (FaintUpdate, validation.faint, norms, usual, -1),
        (DistantUpdate, validation.distance, far, apart, 1),
    )
    found: Rejections = {}
    for slot in left:
        for reason, limit, values, middle, sign in tests:
            if limit is not None and sign * (_WHOLE**2 * values[slot] - limit**2 * middle) > 0:
                got = _ratio(values[slot], middle)
                found.setdefault(slot, reason(client=clients[slot], got=got, want=_number(limit)))
    return found


def _distance(gram: Gram, i: int, j: int) -> int:
    """Return the squared distance of two updates."""
    return gram[i][i] + gram[j][j] - 2 * gram[i][j]


def _cosine(gram: Gram, i: int, j: int) -> str:
    """Return a cosine of two vectors that are not 0, its size rounded down to 4 digits, for people."""
    sign = "-" if gram[i][j] < 0 else ""
    return sign + _number(isqrt(10**8 * gram[i][j] ** 2 // (gram[i][i] * gram[j][j])), 4)


def _ratio(square: int, other: int) -> str:
    """Return √(square / other) rounded down to 3 digits, for people."""
    return _number(isqrt(10**6 * square // other), 3) if other else "infinitely many"


def _number(scaled: int, digits: int = 2) -> str:
    whole, rest = divmod(scaled, 10**digits)
    return f"{whole}.{rest:0{digits}}".rstrip("0").rstrip(".")
