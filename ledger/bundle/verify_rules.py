"""What a round computes from its updates: rules (§5) and composed rules (§5.9, §5.10).

Part of verify.py. Integers throughout; an update is a sequence of int32, and `rdiv` alone rounds to the nearest.
"""

import re
import struct
from functools import cached_property
from itertools import combinations
from math import comb, isqrt, lcm
from operator import mul

from verify_hashes import require, sha256

SUM32, MEAN, WEIGHTED_MEAN, MEDIAN, TRIMMED_MEAN, KRUM, MULTI_KRUM, COMPOSED = range(8)


def rdiv(a, b):
    """Return a / b rounded to the nearest integer, a half upwards (§1.3)."""
    return (2 * a + b) // (2 * b)


def clamp(updates, bound):
    """Return updates with every coordinate limited to [-bound, bound] (§1.4); most are, and stay as they are."""
    if all(len(update) == 0 or (max(update) <= bound and min(update) >= -bound) for update in updates):
        return updates
    return [[max(-bound, min(bound, x)) for x in update] for update in updates]


def wrap(total):
    """Return an integer modulo 2^32, signed (§1.5)."""
    return (total + 2**31) % 2**32 - 2**31


def inner(a, b):
    """Return the inner product of two vectors."""
    return sum(map(mul, a, b))


def mean(updates):
    """Return the rounded mean of every coordinate (§5.2)."""
    return [rdiv(total, len(updates)) for total in map(sum, zip(*updates, strict=True))]


def squared_distances(updates):
    """Return the exact squared distances of all pairs, the upper triangle row by row (§5.6)."""
    squares = [inner(update, update) for update in updates]
    pairs = combinations(range(len(updates)), 2)
    return [squares[i] + squares[j] - 2 * inner(updates[i], updates[j]) for i, j in pairs]


def lowest(scores, count):
    """Return the positions of the `count` lowest scores, ties to the lower position, rising."""
    return sorted(sorted(range(len(scores)), key=scores.__getitem__)[:count])


def choose_by_krum(distances, n, f, count):
    """Return the slots of the `count` lowest Krum scores (§5.6)."""
    to_others = [[] for _ in range(n)]
    for (i, j), distance in zip(combinations(range(n), 2), distances, strict=True):
        to_others[i].append(distance)
        to_others[j].append(distance)
    return lowest([sum(sorted(row)[: n - f - 2]) for row in to_others], count)


def aggregate(task, updates, weights, rule=None):
    """Return what a task's rule makes of the included updates, in rising client number (§5).

    Args: rule: of a composed one, the arguments of `compose` that follow the weights.
    Raises: Bad: FT609 too few updates, FT710 updates or weights of another number.
    """
    kind, k, n = task["rule"], task["rule_param"], len(updates)
    smallest = {TRIMMED_MEAN: 2 * k + 1, KRUM: 2 * k + 3, COMPOSED: k}
    smallest[MULTI_KRUM] = max(2 * k + 3, k + task["rule_select"])
    require(n >= max(smallest.get(kind, 1), 1), "FT609", f"rule {kind} is not defined for {n} updates")
    require(len({len(update) for update in updates}) == 1, "FT710", "updates of different lengths")
    if kind == SUM32:
        return [wrap(total) for total in map(sum, zip(*updates, strict=True))]
    updates = clamp(updates, task["bound"])
    if kind == COMPOSED:
        require(rule is not None, "FT609", "the layout has no stages for a composed rule")
        result, _ = compose(updates, weights, **rule)
        return clamp([result], task["bound"])[0]
    if kind == WEIGHTED_MEAN:
        require(len(weights) == n, "FT710", f"{len(weights)} weights for {n} updates")
        total = sum(weights)
        return [rdiv(inner(weights, column), total) if total else 0 for column in zip(*updates, strict=True)]
    if kind == MEDIAN:
        return [rdiv(v[(n - 1) // 2] + v[n // 2], 2) for v in map(sorted, zip(*updates, strict=True))]
    if kind == TRIMMED_MEAN:
        return [rdiv(sum(v[k : n - k]), n - 2 * k) for v in map(sorted, zip(*updates, strict=True))]
    if kind in (KRUM, MULTI_KRUM):
        count = 1 if kind == KRUM else task["rule_select"]
        updates = [updates[slot] for slot in choose_by_krum(squared_distances(updates), n, k, count)]
    return mean(updates)


def encode_aux(task, updates, weights, rule=None):
    """Return the auxiliary data that a proposal of a task must carry (§5.8)."""
    clamped = clamp(updates, task["bound"])
    if task["rule"] in (KRUM, MULTI_KRUM):
        return b"".join(distance.to_bytes(12, "big") for distance in squared_distances(clamped))
    if task["rule"] == COMPOSED:
        require(rule is not None, "FT609", "the layout has no stages for a composed rule")
        if not is_choice(rule["stages"]):
            return b""
        _, chosen = compose(clamped, weights, **rule)
        return b"".join(struct.pack(">I", slot in chosen) for slot in range(len(updates)))
    return struct.pack(f">{len(weights)}I", *weights) if task["rule"] == WEIGHTED_MEAN else b""


def step_model(base, change):
    """Return base plus aggregate, saturating (§5.7)."""
    require(len(base) == len(change), "FT710", f"{len(change)} coordinates for a model of {len(base)}")
    return [max(-(2**31), min(2**31 - 1, a + b)) for a, b in zip(base, change, strict=True)]


# ------------------------------------------------------------------------------------------------ composed rules (§5.9)


class Vectors:
    """What a stage finds: vectors, each its sum over `divisor`, and whose they are until they are mixed."""

    def __init__(self, values, slots, divisor=1):
        self.values, self.slots, self.divisor = values, slots, divisor

    @cached_property
    def gram(self):
        """All inner products, G."""
        n, gram = len(self.values), {}
        for i in range(n):
            for j in range(i + 1):
                gram[i, j] = gram[j, i] = inner(self.values[i], self.values[j])
        return [[gram[i, j] for j in range(n)] for i in range(n)]

    @property
    def norms(self):
        """The squared norms."""
        return [self.gram[i][i] for i in range(len(self.values))]

    @cached_property
    def distances(self):
        """The squared distances, D."""
        norms = self.norms
        return [
            [a + b - 2 * g for b, g in zip(norms, row, strict=True)] for a, row in zip(norms, self.gram, strict=True)
        ]

    def take(self, positions):
        """Return some of them."""
        return Vectors([self.values[i] for i in positions], [self.slots[i] for i in positions], self.divisor)

    def columns(self):
        """Return the sorted values of every coordinate."""
        return map(sorted, zip(*self.values, strict=True))

    def average(self, weights, divisor):
        """Return rdiv(Σ w x, divisor · δ) of every coordinate, zero where the divisor is."""
        columns = zip(*self.values, strict=True)
        return [rdiv(inner(weights, column), divisor * self.divisor) if divisor else 0 for column in columns]


def lower_median(values):
    """Return the lower of the two middle values."""
    return sorted(values)[(len(values) - 1) // 2]


# Stages that select: (vectors, f, number, context) -> positions of those that stay, rising.


def drop(v, f, number, context):
    """Those whose norm is at most `number` times the median of all updates, or the shortest."""
    limit = (number * v.divisor) ** 2 * context["median_square"]
    shortest = min(v.norms)
    return [i for i, norm in enumerate(v.norms) if norm <= max(limit, shortest)]


def multi_krum(v, f, number, context):
    """The `number` of lowest Krum scores."""
    n = len(v.values)
    return lowest(
        [sum(sorted(row[:i] + row[i + 1 :])[: max(1, n - f - 2)]) for i, row in enumerate(v.distances)], number
    )


def linkage(v, f, number, context):
    """The first component of n - f, joined from the most alike pair on."""
    n = len(v.values)

    def likeness(pair):
        i, j = pair
        g, product = v.gram[i][j], v.norms[i] * v.norms[j]
        size = (g * g << 64) // product if product else 0
        return -size if g > 0 else size  # rising by what is less alike

    component = [{i} for i in range(n)]
    for i, j in sorted(combinations(range(n), 2), key=likeness):
        joined = component[i] | component[j]
        for member in joined:
            component[member] = joined
        if len(joined) >= max(2, n - f):
            return sorted(joined)
    return list(range(n))


def mda(v, f, number, context):
    """The n - f of smallest diameter, the first such subset; all, where there are too many subsets to try."""
    n, size = len(v.values), max(1, len(v.values) - f)
    if comb(n, size) > 100_000:
        return list(range(n))
    distances = v.distances
    return list(
        min(
            combinations(range(n), size),
            key=lambda subset: max((distances[i][j] for i, j in combinations(subset, 2)), default=0),
        )
    )


def main_direction(gram):
    """Return Hu: how far each vector lies from all others' mean along the main direction, by inner products alone."""
    n, rows = len(gram), [sum(row) for row in gram]
    total = sum(rows)
    h = [[n * n * g - n * (rows[i] + rows[j]) + total for j, g in enumerate(row)] for i, row in enumerate(gram)]
    power = shorten(h)
    for _ in range(10):
        power = shorten([[inner(a, b) for b in zip(*power, strict=True)] for a in power])
    at = max(range(n), key=lambda i: (power[i][i], -i))
    u = [row[at] for row in power]
    return [inner(row, u) for row in h]


def shorten(matrix):
    """Return a matrix with all entries shifted right, towards zero, until the largest has 23 bits."""
    shift = max(max(abs(x) for row in matrix for x in row).bit_length() - 23, 0)
    return [[abs(x) >> shift if x >= 0 else -(abs(x) >> shift) for x in row] for row in matrix]


def dnc(v, f, number, context):
    """All but the f farthest along the main direction."""
    return lowest([abs(x) for x in main_direction(v.gram)], max(1, len(v.values) - f))


def cosine_dnc(v, f, number, context):
    """All but the f farthest from the median along the main direction of all cosines."""
    along = main_direction([[cosine(v, i, j, 20) for j in range(len(v.values))] for i in range(len(v.values))])
    middle = lower_median(along)
    return lowest([abs(x - middle) for x in along], max(1, len(v.values) - f))


def cosine_filter(v, f, number, context):
    """All but those, f at most, beyond `number` median distances along main directions of all cosines, one by one."""
    left = list(range(len(v.values)))
    table = [[cosine(v, i, j, 20) for j in left] for i in left]
    for _ in range(8):
        along = main_direction([[table[i][j] for j in left] for i in left])
        away = [abs(x - lower_median(along)) for x in along]
        limit, allowed = number * lower_median(away), f - len(v.values) + len(left)
        ranked = sorted(((-x, -slot) for x, slot in zip(away, left, strict=True)))[:allowed]
        gone = {-slot for x, slot in ranked if -x > limit}
        left = [slot for slot in left if slot not in gone]
        if not gone:
            break
    return left


def distinct(v, f, number):
    """Return (the slots without zeros and copies, by how much f falls); without zeros alone if more than f would go."""
    groups, there = {}, [i for i, norm in enumerate(v.norms) if norm]
    for i in there:
        for first in groups:
            g = v.gram[i][first]
            if g > 0 and (100 * g) ** 2 >= number**2 * v.norms[i] * v.norms[first]:
                groups[first] += 1
                break
        else:
            groups[i] = 1
    zeros = len(v.values) - len(there)
    if len(v.values) - len(groups) > f:
        return there or [0], min(zeros, f)
    return list(groups) or [0], zeros + sum(max(0, size - 2) for size in groups.values())


def cosine(v, i, j, bits):
    """Return the cosine of two vectors in units of 2^-bits, towards zero; 0 where one is zero."""
    g, product = v.gram[i][j], v.norms[i] * v.norms[j]
    size = (abs(g) << bits) // isqrt(product) if product else 0
    return size if g > 0 else -size


# Stages that clip: (vectors, f, number) -> the square of the norm that vectors are scaled down to.


def clip(v, f, number):
    """A fixed norm."""
    return number * number


def median_clip(v, f, number):
    """The median norm."""
    return lower_median(v.norms)


def arc(v, f, number):
    """The norm of the longest vector but 2f(n - f) / n."""
    n = len(v.values)
    return sorted(v.norms, reverse=True)[min(2 * f * (n - f) // n, n - 1)]


def shrink(v, square):
    """Return vectors, those above a squared norm scaled down to it."""
    values, radius = [], isqrt(square)
    for values_of, norm in zip(v.values, v.norms, strict=True):
        if norm > square:
            root = isqrt(norm - 1) + 1  # the smallest integer whose square is not below
            values_of = [abs(x) * radius // root * (1 if x >= 0 else -1) for x in values_of]
        values.append(values_of)
    return Vectors(values, v.slots, v.divisor)


# Stages that mix: (vectors, f, number, seed) -> ([how often each vector goes into a new one], their common divisor).


def nnm(v, f, number, seed):
    """Each with its nearest, n - f in all."""
    n = len(v.values)
    nearest = [set(lowest(row, max(1, n - f))) for row in v.distances]
    return [[int(i in near) for i in range(n)] for near in nearest], max(1, n - f)


def bucketing(v, f, number, seed):
    """Buckets of `number` in an order drawn from the seed."""
    n = len(v.values)
    order = list(range(n))
    for k in range(n - 1, 0, -1):
        draw = int.from_bytes(sha256(seed + struct.pack(">I", k))[:8], "big") % (k + 1)
        order[k], order[draw] = order[draw], order[k]
    buckets = [order[at : at + number] for at in range(0, n, number)]
    common = lcm(*map(len, buckets))
    return [[common // len(each) * (i in each) for i in range(n)] for each in buckets], common


def mix(v, parts, divisor):
    """Return the vectors Σ parts[k][i] x[i]; they are nobody's any more."""
    columns = list(zip(*v.values, strict=True))
    values = [[inner(row, column) for column in columns] for row in parts]
    return Vectors(values, list(range(len(values))), v.divisor * divisor)


# Stages that end: (vectors, f, number, context) -> one vector.


def plain_mean(v, f, number, context):
    """The mean."""
    return v.average([1] * len(v.values), len(v.values))


def weighted_mean(v, f, number, context):
    """The mean by weights (§5.3)."""
    weights = [context["weights"][slot] for slot in v.slots]
    return v.average(weights, sum(weights))


def median(v, f, number, context):
    """The median of every coordinate."""
    return trim(v, (len(v.values) - 1) // 2)


def trimmed_mean(v, f, number, context):
    """The mean of every coordinate without its f lowest and highest values."""
    return trim(v, f)


def trim(v, k):
    """Return the mean of every coordinate without its k lowest and highest values."""
    n = len(v.values)
    return [rdiv(sum(column[k : n - k]), (n - 2 * k) * v.divisor) for column in v.columns()]


def guarded_mean(v, f, number, context):
    """The mean, within what trimming half of the composition's own f would leave."""
    n = len(v.values)
    k, result = min(context["f"] // 2, (n - 1) // 2), []
    for column in v.columns():
        low, high = rdiv(column[k], v.divisor), rdiv(column[n - 1 - k], v.divisor)
        result.append(min(max(rdiv(sum(column), n * v.divisor), low), high))
    return result


def fenced_mean(v, f, number, context):
    """The mean of values that are limited to fences: `number` ranges beyond what trimming f leaves."""
    n, result = len(v.values), []
    k = min(f, (n - 1) // 2)
    for column in v.columns():
        low, high = column[k], column[n - 1 - k]
        least, most = low - number * (high - low), high + number * (high - low)
        result.append(rdiv(sum(max(least, min(most, x)) for x in column), n * v.divisor))
    return result


def meamed(v, f, number, context):
    """The mean of the n - f values of every coordinate around its median."""
    return mean_around_median(v, max(1, len(v.values) - f))


def mean_around_median(v, count):
    """Return the mean of the `count` values of every coordinate that are nearest to its median."""
    n, result = len(v.values), []
    for column in v.columns():
        twice = column[(n - 1) // 2] + column[n // 2]
        nearest = sorted(column, key=lambda x: (abs(2 * x - twice), x))[:count]
        result.append(rdiv(sum(nearest), count * v.divisor))
    return result


def bulyan(v, f, number, context):
    """The mean around the median of n - 2f that are chosen by Krum, one after the other."""
    left, chosen = list(range(len(v.values))), []
    for _ in range(max(1, len(left) - 2 * f)):
        count = max(1, len(left) - f - 2)
        scores = [sum(sorted(v.distances[i][j] for j in left if j != i)[:count]) for i in left]
        chosen.append(left.pop(lowest(scores, 1)[0]))
    return mean_around_median(v.take(sorted(chosen)), max(1, len(chosen) - 2 * f))


def geometric_median(v, f, number, context):
    """32 steps of Weiszfeld."""
    a = [1] * len(v.values)
    for _ in range(32):
        total, along = sum(a), [inner(row, a) for row in v.gram]
        square = inner(a, along)
        away = [total * total * norm - 2 * total * g + square for norm, g in zip(v.norms, along, strict=True)]
        away = [max(isqrt(x), total) for x in away]
        a = [(min(away) << 32) // x for x in away]
    return v.average(a, sum(a))


def centered_clipping(v, f, number, context):
    """Three steps from zero, each as far as the median distance."""
    one, n = 1 << 32, len(v.values)
    b = [0] * n
    for _ in range(3):
        along = [inner(row, b) for row in v.gram]
        square = inner(b, along)
        away = [isqrt((norm << 64) - (g << 33) + square) for norm, g in zip(v.norms, along, strict=True)]
        radius = lower_median(away)
        phi = [min(one, radius * one // x) if x else one for x in away]
        b = [(old * (n * one - sum(phi)) + part * one) // (n * one) for old, part in zip(b, phi, strict=True)]
    return v.average(b, one)


def trust(v, f, number, context):
    """The mean by likeness to one client's update. Raises: Bad FT609: it is not there."""
    clients = [context["clients"][slot] for slot in v.slots]
    require(number in clients, "FT609", f"client {number}, whose update is trusted, is not included")
    root, norms = clients.index(number), v.norms
    alike = [max(0, g) if i != root else 0 for i, g in enumerate(v.gram[root])]
    a = [(g << 32) // norm if g else 0 for g, norm in zip(alike, norms, strict=True)]
    total = sum((g << 32) // isqrt(norm * norms[root]) for g, norm in zip(alike, norms, strict=True) if g)
    return v.average(a, total)


def foolsgold(v, f, number, context):
    """The mean by unlikeness to all others."""
    n, one = len(v.values), 1 << 32
    alike = [[max(0, cosine(v, i, j, 32)) if i != j else 0 for j in range(n)] for i in range(n)]
    most = [max(row) for row in alike]
    for i, j in ((i, j) for i in range(n) for j in range(n) if most[j] > most[i]):
        alike[i][j] = alike[i][j] * most[i] // most[j]
    unlike = [max(0, one - max(row)) for row in alike]
    weights = [stretch(x * one // max(unlike)) if max(unlike) else 0 for x in unlike]
    return v.average(weights, sum(weights))


def stretch(alpha):
    """Return ln(α / (1 - α)) + 1/2 within 0 to 1, in units of 2^-16; α in units of 2^-32, at most 99/100."""
    one = 1 << 32
    alpha = min(alpha, 99 * one // 100)
    if not alpha:
        return 0
    logit = (log2(alpha) - log2(one - alpha)) * 45426 >> 16
    return max(0, min(1 << 16, logit + (1 << 15)))


def log2(x):
    """Return the logarithm of a number above 0 in units of 2^-16, bit by bit."""
    whole = x.bit_length() - 1
    mantissa, result = (x << 32) >> whole, whole
    for _ in range(16):
        mantissa = mantissa * mantissa >> 32
        bit = mantissa >> 33
        mantissa, result = mantissa >> bit, 2 * result + bit
    return result


SELECTING = {"drop": drop, "multi-krum": multi_krum, "linkage": linkage}
SELECTING |= {"mda": mda, "dnc": dnc, "cosine-dnc": cosine_dnc, "cosine-filter": cosine_filter}
CLIPPING = {"clip": clip, "median-clip": median_clip, "arc": arc}
MIXING = {"nnm": nnm, "bucketing": bucketing}
ENDING = {"mean": plain_mean, "guarded-mean": guarded_mean, "weighted-mean": weighted_mean, "median": median}
ENDING |= {"trimmed-mean": trimmed_mean, "meamed": meamed, "bulyan": bulyan, "geometric-median": geometric_median}
ENDING |= {"centered-clipping": centered_clipping, "trust": trust, "foolsgold": foolsgold, "fenced-mean": fenced_mean}
ENDING |= {"stake-mean": weighted_mean}
NUMBERED = {"distinct", "drop", "multi-krum", "cosine-filter", "clip", "bucketing"}
NUMBERED |= {"fenced-mean", "stake-mean", "trust"}
OF_CLIENTS = {*CLIPPING, "weighted-mean", "stake-mean", "trust"}
"""Stages that make no sense of mixtures, which are nobody's."""


def parse_composition(text):
    """Return ([(stage, its number)], f) of a composition (§5.9). Raises: Bad FT722: it is none."""
    told = re.fullmatch(r"([a-z0-9()+-]+)@(0|[1-9][0-9]{0,4})", text)
    parts = [re.fullmatch(r"([a-z-]+)(?:\(([1-9][0-9]{0,9})\))?", part) for part in told[1].split("+")] if told else []
    require(parts and all(parts) and len(parts) <= 8 and len(text) <= 255, "FT722", f"{text!r} is no composition")
    stages = [(part[1], int(part[2] or 0)) for part in parts]
    names = [name for name, _ in stages if name != "distinct"]
    mixed = next((at for at, name in enumerate(names) if name in MIXING), len(names))
    sound = bool(names) and names[-1] in ENDING and all(name in SELECTING | CLIPPING | MIXING for name in names[:-1])
    sound = sound and all(name != "distinct" for name, _ in stages[1:])  # it comes first
    sound = sound and all((number > 0) == (name in NUMBERED) for name, number in stages)
    sound = sound and not set(names[mixed:]) & OF_CLIENTS and int(told[2]) <= 65_535
    require(sound, "FT722", f"{text!r} is no composition")
    return stages, int(told[2])


def is_choice(stages):
    """Whether a composition only selects, and so posts whom it chose (§5.8)."""
    return stages[-1][0] == "mean" and all(name == "distinct" or name in SELECTING for name, _ in stages[:-1])


def compose(updates, weights, stages, f, clients, seed):
    """Return (the aggregate, the slots that it is of unless they are mixed) of clamped updates (§5.10).

    Args: stages, f: from `parse_composition`. clients: participant numbers of the slots. seed: of the round.
    """
    v = Vectors(updates, list(range(len(updates))))
    if stages[0][0] == "distinct":
        kept, fewer = distinct(v, f, stages[0][1])
        v, f, stages = v.take(kept), max(0, f - fewer), stages[1:]
    context = {"weights": weights, "clients": clients, "f": f, "median_square": lower_median(v.norms)}
    for name, number in stages[:-1]:
        fits = min(f, (len(v.values) - 1) // 2)  # as many as can be outvoted
        if name in SELECTING:
            v = v.take(SELECTING[name](v, fits, number, context))
        elif name in CLIPPING:
            v = shrink(v, CLIPPING[name](v, fits, number))
        else:
            v = mix(v, *MIXING[name](v, fits, number, seed))
    name, number = stages[-1]
    return ENDING[name](v, min(f, (len(v.values) - 1) // 2), number, context), v.slots
