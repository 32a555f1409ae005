"""What updates say together: whom a validation rejects (§12), sums under masks, in groups (§11). Part of verify.py."""

import re
import struct

from verify_blobs import read_ranges
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


def unmask(total, reveals, masks="sha256"):
    """Return the sums without the revealed masks, modulo 2^32 (§11.1, §11.6, in AES §11.13)."""
    for owner, peer, seed in reveals:
        sign = -1 if 0 < peer < owner else 1
        if masks == "aes":
            stream = expand_aes(seed, -(-len(total) // 4))
        else:
            stream = b"".join(sha256(seed + b.to_bytes(8, "big")) for b in range(-(-len(total) // 8)))
        words = struct.iter_unpack("<I", stream)
        total = [x - sign * w for x, (w,) in zip(total, words, strict=False)]
    return [wrap(x) for x in total]


GROUPED = r"threshold\((n)\)\+roster\(([0-9,-]{1,900})\)\+degree\((n)\)\+groups\((n)\)\+least\((n)\)"


def parse_groups(text):
    """Return what a term says of groups, None if it says nothing of them or nothing canonical (§11.13)."""
    told = re.fullmatch(GROUPED.replace("(n)", "([1-9][0-9]{0,3})") + r"\+masks\((sha256|aes)\)", text)
    roster = read_ranges(told[2]) if told else None
    if roster is None:
        return None
    threshold, degree, groups, least = (int(told[at]) for at in (1, 3, 4, 5))
    fits = max(threshold, degree) <= 1000 and 2 <= least <= len(roster) // groups
    found = {"roster": roster, "degree": degree, "groups": groups, "least": least, "masks": told[6]}
    return found if fits else None


def draw_groups(roster, count, beacon):
    """Return the ring of a round cut into groups, each a run of neighbours (§11.7, §11.13)."""
    ring = sorted(roster, key=lambda client: sha256(beacon + struct.pack(">I", client)))
    return [ring[len(ring) * k // count : len(ring) * (k + 1) // count] for k in range(count)]


def double(x):
    """Return 2x in the field of 256 elements."""
    return (x << 1 ^ (0x11B if x & 0x80 else 0)) & 0xFF


def make_sbox():
    """Return the S-box of AES: inverses in the field, of powers of 3, each through an affine map (FIPS 197)."""
    powers, x = [], 1
    for _ in range(255):
        powers.append(x)
        x ^= double(x)
    sbox = [0x63] * 256
    for at, power in enumerate(powers):
        inverse = powers[-at % 255] * 0x101
        sbox[power] = (inverse ^ inverse >> 4 ^ inverse >> 5 ^ inverse >> 6 ^ inverse >> 7 ^ 0x63) & 0xFF
    return bytes(sbox)


def expand_aes(key, blocks):
    """Return the first blocks of the key stream of AES-256 in counter mode, from the counter 0 on (§11.13)."""
    sbox, constant, words = make_sbox(), 1, [key[at : at + 4] for at in range(0, 32, 4)]
    for i in range(8, 60):
        last = words[-1]
        if i % 8 == 0:
            last = last[1:] + last[:1]
        if i % 4 == 0:
            last = last.translate(sbox)
        if i % 8 == 0:
            last, constant = bytes([last[0] ^ constant]) + last[1:], double(constant)
        words.append(bytes(a ^ b for a, b in zip(words[-8], last, strict=True)))
    keys, stream = [b"".join(words[at : at + 4]) for at in range(0, 60, 4)], []
    for block in range(blocks):
        state = bytes(a ^ b for a, b in zip(block.to_bytes(16, "big"), keys[0], strict=True))
        for number, round_key in enumerate(keys[1:], start=1):
            s = bytes(state[(5 * i) % 16] for i in range(16)).translate(sbox)
            if number < 14:
                mixed = []
                for at in range(0, 16, 4):
                    c, total = s[at : at + 4], s[at] ^ s[at + 1] ^ s[at + 2] ^ s[at + 3]
                    mixed += [c[i] ^ total ^ double(c[i] ^ c[(i + 1) % 4]) for i in range(4)]
                s = mixed
            state = bytes(a ^ b for a, b in zip(s, round_key, strict=True))
        stream.append(state)
    return b"".join(stream)
