"""What updates say together: whom a validation rejects (§12), and sums under masks (§11). Part of verify.py."""

import re
import struct

from verify_hashes import require, sha256
from verify_rules import Vectors, inner, lower_median, wrap

# --------------------------------------------------------------------------------------------------- validation (§12)

TESTS = {"stale": (1, 100), "duplicate": (1, 100), "norm": (101, 10_000), "faint": (1, 99), "distance": (101, 10_000)}
"""The tests of a validation in their order, and the range of each one's limit in hundredths (§12.1)."""


def parse_validation(text):
    """Return {test: limit in hundredths} of the term `validation` (§12.1). Raises: Bad FT722: it is none."""
    if text == "zero":
        return {}
    found = [re.fullmatch(r"([a-z]+)\(([1-9][0-9]{0,4})\)", part) for part in text[:100].split("+")]
    require(all(found) and len(text) <= 100, "FT722", f"{text[:100]!r} is no validation")
    limits = {each[1]: int(each[2]) for each in found}
    in_order = [name for name in TESTS if name in limits] == [each[1] for each in found]
    in_range = in_order and all(TESTS[name][0] <= limit <= TESTS[name][1] for name, limit in limits.items())
    require(in_range, "FT722", f"{text!r} is no validation")
    return limits


def judge_cohort(limits, updates, clients, previous):
    """Return {client: code} of those whom a validation rejects (§12.2).

    Args: limits: from `parse_validation`. clients: rising. previous: the aggregate before, None if there is none.
    """
    v, rejected = Vectors(updates, clients), {}
    squares, gram = v.norms, v.gram
    left = [i for i, square in enumerate(squares) if square]  # 1: zeros
    rejected |= {clients[i]: "FT730" for i, square in enumerate(squares) if not square}
    if "stale" in limits and previous is not None and any(previous):  # 2
        square, limit = inner(previous, previous), limits["stale"]
        along = {i: inner(updates[i], previous) for i in left}
        stale = [i for i in left if (100 * along[i]) ** 2 >= limit**2 * squares[i] * square]
        rejected |= {clients[i]: "FT731" for i in stale}
        left = [i for i in left if i not in stale]
    if "duplicate" in limits:  # 3
        kept, limit = [], limits["duplicate"]
        for i in left:
            alike = (gram[i][j] > 0 and (100 * gram[i][j]) ** 2 >= limit**2 * squares[i] * squares[j] for j in kept)
            if any(alike):
                rejected[clients[i]] = "FT732"
            else:
                kept.append(i)
        left = kept
    if len(left) >= 4:  # 4
        middle = lower_median([squares[i] for i in left])
        apart = {i: lower_median([v.distances[i][j] for j in left if j != i]) for i in left}
        usual = lower_median(apart.values())
        for i in left:
            if "norm" in limits and 10**4 * squares[i] > limits["norm"] ** 2 * middle:
                rejected[clients[i]] = "FT733"
            elif "faint" in limits and 10**4 * squares[i] < limits["faint"] ** 2 * middle:
                rejected[clients[i]] = "FT734"
            elif "distance" in limits and 10**4 * apart[i] > limits["distance"] ** 2 * usual:
                rejected[clients[i]] = "FT735"
    return dict(sorted(rejected.items()))


# -------------------------------------------------------------------------------------------------- masked sums (§11)


def needed_seeds(tables):
    """Return the commitment of every seed that must be revealed, by (owner, peer) (§11.5)."""
    pairs = ((owner, peer, digest) for owner, table in tables.items() for peer, digest in table.items())
    return {(o, p): digest for o, p, digest in pairs if tables.get(p, {}).get(o) != digest}


def unmask(total, reveals):
    """Return the sums without the revealed masks, modulo 2^32 (§11.1, §11.6)."""
    for owner, peer, seed in reveals:
        sign = -1 if 0 < peer < owner else 1
        blocks = (sha256(seed + b.to_bytes(8, "big")) for b in range(-(-len(total) // 8)))
        words = struct.iter_unpack("<I", b"".join(blocks))
        total = [x - sign * w for x, (w,) in zip(total, words, strict=False)]
    return [wrap(x) for x in total]
