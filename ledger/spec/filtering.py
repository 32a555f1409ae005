"""Selections that leave out only what stands out: copies and zeros, and outliers (docs/protocol.md §5.10).

Others leave out f updates whether anybody attacks or not, and with nobody attacking that is what robustness costs.
Papers: what is alike: FoolsGold (Fung 2020); filtering along the main direction until nobody stands out: Diakonikolas
2016 (arXiv:1604.06443), of cosines as in `gram.select_off_median`.
"""

from __future__ import annotations

from ledger.spec.gram import FindPower, Gram, compute_cosines, lower_median, project

FILTER_PASSES = 8
"""Directions along which outliers are looked for, at most."""
_WHOLE = 100


def is_alike(gram: Gram, i: int, j: int, limit: int) -> bool:
    """Return whether the |cosine| of two vectors is at least `limit` hundredths."""
    return (_WHOLE * gram[i][j]) ** 2 >= limit**2 * gram[i][i] * gram[j][j]


def select_distinct(gram: Gram, f: int, limit: int) -> tuple[list[int], int]:
    """Return the slots without zeros and copies, at least one, and how many fewer of them are dishonest than f.

    A vector is a copy if its cosine with one in a lower slot that is kept reaches `limit` hundredths. Of g that are
    alike at most one is honest, so at least g − 2 dishonest ones go. If that leaves out more than f in all, honest ones
    are alike too, and only zeros go.
    """
    present = [i for i in range(len(gram)) if gram[i][i]]
    zeros = len(gram) - len(present)
    kept: dict[int, int] = {}
    for slot in present:
        first = next((k for k in kept if gram[slot][k] > 0 and is_alike(gram, slot, k, limit)), slot)
        kept[first] = kept.get(first, 0) + 1
    if len(gram) - len(kept) > f:
        return present or [0], min(zeros, f)
    return list(kept) or [0], zeros + sum(size - 2 for size in kept.values() if size > 2)


def select_within_spread(gram: Gram, f: int, times: int, find_power: FindPower) -> list[int]:
    """Return the slots but those, f at most, that stand out from the others.

    Who is more than `times` the median distance from the median, along the main direction of all cosines, goes, the
    farthest first; then those who are left have another main direction. It ends where nobody stands out.

    Args: find_power: as for `gram.select_off_direction`.
    """
    cosines, left = compute_cosines(gram), list(range(len(gram)))
    for _ in range(FILTER_PASSES):
        along = project([[cosines[i][j] for j in left] for i in left], find_power)
        middle = lower_median(along)
        far = [abs(x - middle) for x in along]
        usual = lower_median(far)
        farthest = sorted(range(len(left)), key=lambda at: (-far[at], -at))[: f - (len(gram) - len(left))]
        out = {at for at in farthest if far[at] > times * usual}
        if not out:
            break
        left = [slot for at, slot in enumerate(left) if at not in out]
    return left
