"""Vectors of §5: every rule by hand on a coordinate or two, and larger inputs that the specification decides."""

from __future__ import annotations

import hashlib
from typing import Any

from vector_cases.case import COMPUTED, Case

B = (1 << 23) - 1
CAP = (1 << 20) - 1
MAX, MIN = (1 << 31) - 1, -(1 << 31)
CLAUSES = {
    "sum32": "§5.1",
    "mean": "§5.2",
    "weighted-mean": "§5.3",
    "median": "§5.4",
    "trimmed-mean": "§5.5",
    "krum": "§5.6",
    "multi-krum": "§5.6",
}
MIXED = 4
"""The larger inputs mix values inside and beyond the bound: seed MIXED gives both in every column."""

# name, column (one value a client), result, why
SUM32 = [
    ("one", [-5], -5, "a single update is its own sum"),
    ("small", [1, 2, -6], -3, "1 + 2 - 6"),
    ("wraps-up", [MAX, 1], MIN, "2**31 - 1 + 1 = 2**31, minus 2**32"),
    ("wraps-down", [MIN, -1], MAX, "-2**31 - 1, plus 2**32"),
    ("wraps-to-zero", [MIN, MIN], 0, "-2**32 is 0 modulo 2**32"),
    ("not-clamped", [MAX, -2], MAX - 2, "masked updates fill the whole range: nothing is clamped"),
]
MEAN = [
    ("one", [-5], -5, "n = 1: rdiv(-5, 1) = -5"),
    ("half-up", [1, 2], 2, "rdiv(3, 2) = (6 + 2) // 4 = 2"),
    ("negative-half-up", [-1, -2], -1, "rdiv(-3, 2) = (-6 + 2) // 4 = -1"),
    ("third", [0, 0, 1], 0, "rdiv(1, 3) = (2 + 3) // 6 = 0"),
    ("negative-third", [0, 0, -1], 0, "rdiv(-1, 3) = (-2 + 3) // 6 = 0; plain floor would give -1"),
    ("two-negative-thirds", [0, -1, -1], -1, "rdiv(-2, 3) = (-4 + 3) // 6 = -1"),
    ("opposite-extremes", [B, -B], 0, "they cancel"),
    ("at-bound", [B, B, B], B, "all at the bound"),
    ("clamped-above", [MAX, 0], 4194304, "2**31 - 1 counts as 2**23 - 1: rdiv(8388607, 2) = (16777214 + 2) // 4"),
    ("clamped-below", [MIN, 0], -4194303, "-2**31 counts as -(2**23 - 1): (-16777214 + 2) // 4 = -16777212 // 4"),
    ("just-beyond-bound", [B + 1, -B - 1, B + 1], 2796202, "B, -B, B: rdiv(8388607, 3) = 16777217 // 6 = 2796202.8.."),
]
MEDIAN = [
    ("one", [7], 7, "n = 1"),
    ("odd", [5, -1, 3], 3, "-1, 3, 5: the second"),
    ("even", [1, 4], 3, "rdiv(5, 2) = 12 // 4 = 3"),
    ("even-negative-half", [-3, -2], -2, "rdiv(-5, 2) = (-10 + 2) // 4 = -2"),
    ("even-four", [9, -9, 2, 4], 3, "-9, 2, 4, 9: rdiv(6, 2) = 3"),
    ("ties", [2, 2, 2, 9, -9], 2, "-9, 2, 2, 2, 9"),
    ("even-tie-in-the-middle", [1, 5, 5, 8], 5, "1, 5, 5, 8: rdiv(10, 2)"),
    ("extremes", [B, -B, B, -B, 0], 0, "-B, -B, 0, B, B"),
    ("clamped", [MAX, MAX, 0], B, "two values beyond the bound count as the bound"),
    ("minority-beyond-bound", [MAX, 1, 2], 2, "1, 2, B: one client cannot move it far"),
]
TRIMMED = [
    ("nothing-trimmed", [1, 2, 3, 5], 0, 3, "the mean: rdiv(11, 4) = (22 + 4) // 8 = 3"),
    ("smallest", [9, -9, 2], 1, 2, "n = 3, one a side: the median is left"),
    ("five", [1, 100, 3, -100, 4], 1, 3, "left are 1, 3, 4: rdiv(8, 3) = (16 + 3) // 6 = 3"),
    ("multiplicity", [7, 7, 7, 1, 1], 1, 5, "1, 1, 7, 7, 7: one 1 and one 7 go; rdiv(15, 3) = 5"),
    ("tie-at-the-cut", [4, 4, 0, 8, 4], 2, 4, "0, 4, 4, 4, 8: which 4 is cut makes no difference"),
    ("negative", [-1, -2, -4, -100, 50], 1, -2, "left are -4, -2, -1: rdiv(-7, 3) = (-14 + 3) // 6 = floor(-1.8)"),
    ("extremes-cut", [B, B, -B, -B, 6, 7], 2, 7, "left are 6 and 7: rdiv(13, 2) = (26 + 2) // 4 = 7"),
    (
        "extremes-stay",
        [B, B, B, -B, -B],
        1,
        2796202,
        "left are B, B and -B: rdiv(8388607, 3) = (16777214 + 3) // 6 = 2796202",
    ),
    ("clamped", [MAX, MAX, MAX], 1, B, "the middle one, limited to the bound"),
]
WEIGHTED = [
    ("one-and-three", [0, 4], [1, 3], 3, "rdiv(12, 4) = 3"),
    ("half-up", [1, 2], [1, 1], 2, "rdiv(3, 2) = 2, as the mean"),
    ("negative", [-3, 1], [3, 1], -2, "rdiv(-8, 4) = (-16 + 4) // 8 = floor(-1.5) = -2"),
    ("negative-half-up", [-3, -2], [5, 5], -2, "rdiv(-25, 10) = (-50 + 10) // 20 = -2"),
    ("zero-and-one", [100, 7], [0, 1], 7, "a client without weight counts for nothing"),
    ("equal", [1, 2, 9], [8, 8, 8], 4, "rdiv(96, 24) = 4, the mean"),
    ("largest-weights", [B, -B, B], [CAP, CAP, CAP], 2796202, "the mean of B, -B, B: 2796202.33"),
    ("clamped", [MAX, -B], [3, 1], 4194304, "(3 B - B) / 4 = B / 2 = 4194303.5 goes up"),
    ("dominated", [B, 1], [1, CAP], 9, "(8388607 + 1048575) / 2**20 = 9437182 / 1048576 = 8.99..."),
]
# name, num_examples, examples_cap, stake_wei, wei_per_weight, result, why
WEIGHTS = [
    ("below-cap", 9, 10, 0, 0, 9, "below the cap, and no stake is asked for"),
    ("at-cap", 10, 10, 0, 0, 10, "a weight at the cap stays"),
    ("one-above-cap", 11, 10, 0, 0, 10, "11 counts as 10"),
    ("most-examples", (1 << 32) - 1, 10, 0, 0, 10, "any count above the cap weighs as the cap"),
    ("by-stake", 100, 1000, 50 * 10**15, 10**15, 50, "0.05 ether at 0.001 ether a unit"),
    ("by-stake-floor", 100, 1000, 51 * 10**15 - 1, 10**15, 50, "one wei short of 51 units"),
    ("by-examples", 49, 1000, 50 * 10**15, 10**15, 49, "the stake would do for 50"),
    ("by-cap", 100, 30, 50 * 10**15, 10**15, 30, "the stake would do for 50, the cap is 30"),
    ("no-stake", 100, 1000, 10**15 - 1, 10**15, 0, "one wei short of one unit"),
]
KRUM = [
    ("tie-to-lower-slot", [0, 1, 10], 0, 0, "one neighbour each: scores 1, 1, 81; slot 0 wins the tie"),
    ("tie-to-lower-slot-swapped", [1, 0, 10], 0, 1, "scores 1, 1, 81 again: the slot decides, not the value"),
    ("outlier", [10, 11, 12, 13, 1000], 1, 11, "two neighbours: 1+4, 1+1, 1+1, 1+4, far: slots 1 and 2 tie at 2"),
    ("outlier-first", [1000, 13, 12, 11, 10], 1, 12, "the same from the other end: slots 2 and 3 tie, slot 2 holds 12"),
    ("all-equal", [5, 5, 5, 5, 5], 1, 5, "all scores 0: slot 0"),
    (
        "pair-of-colluders",
        [0, 10, 20, 500, 500],
        1,
        10,
        "500: 0 + 480**2; 0: 100 + 400; 10: 100 + 100 = 200, the lowest",
    ),
    (
        "clamped-outlier",
        [MAX, B, B - 1, 0, 1],
        1,
        B,
        "MAX counts as B: slots 0, 1: 0 + 1 = 1; slot 2: 1 + 1 = 2; slot 0",
    ),
    (
        "neighbours-n-f-2",
        [0, 1, 2, 4, 5],
        1,
        1,
        "2 neighbours: 5, 2, 5, 5, 10; with n - f - 1 = 3, slot 2 would win by 9 to 11",
    ),
]
MULTI_KRUM = [
    ("one-is-krum", [10, 11, 12, 13, 1000], 1, 1, 11, "the lowest score alone: slot 1"),
    ("two", [10, 11, 12, 13, 1000], 1, 2, 12, "slots 1 and 2: rdiv(23, 2) = 12"),
    (
        "three-tie-to-lower-slot",
        [10, 11, 12, 13, 1000],
        1,
        3,
        11,
        "slots 1, 2 and, of the tie at 5, slot 0: rdiv(33, 3) = 11",
    ),
    ("most", [10, 11, 12, 13, 1000], 1, 4, 12, "all but the outlier: rdiv(46, 4) = (92 + 4) // 8 = 12"),
    ("negative-half-up", [-10, -11, -12, -13, -1000], 1, 2, -11, "slots 1 and 2: rdiv(-23, 2) = (-46 + 2) // 4 = -11"),
]


def get_cases() -> list[Case]:
    """Return the cases of §5."""
    columns = [("sum32", SUM32), ("mean", MEAN), ("median", MEDIAN)]
    return [
        *(_column(rule, name, xs, want, why) for rule, rows in columns for name, xs, want, why in rows),
        *(_column("trimmed-mean", n, xs, want, why, parameter=k) for n, xs, k, want, why in TRIMMED),
        *(_column("weighted-mean", n, xs, want, why, weights=w) for n, xs, w, want, why in WEIGHTED),
        *(_column("krum", n, xs, want, why, parameter=f) for n, xs, f, want, why in KRUM),
        *(_column("multi-krum", n, xs, want, why, parameter=f, select=m) for n, xs, f, m, want, why in MULTI_KRUM),
        *_planes(),
        *_larger(),
        *_rejections(),
        *_parts(),
        *_weight_cases(),
    ]


def _column(rule: str, name: str, column: list[int], want: Any, why: str, **options: Any) -> Case:
    return _aggregate(rule, name, [[x] for x in column], why, want=[want], **options)


def _aggregate(rule: str, name: str, updates: list[list[int]], why: str, **options: Any) -> Case:
    result = {key: options.pop(key) for key in ("want", "want_error") if key in options}
    arguments = {
        "rule": rule,
        "parameter": options.get("parameter", 0),
        "select": options.get("select", 0),
        "bound": options.get("bound", B),
        "updates": updates,
        "weights": options.get("weights", [1] * len(updates)),
    }
    return Case(
        name=f"rules/{rule}-{name}", clause=CLAUSES[rule], why=why, operation="aggregate", input=arguments, **result
    )


def _planes() -> list[Case]:
    plane = [[0, 0], [3, 4], [0, 1], [100, 100], [1, 0]]
    small = [[100, -100, 3], [-100, 100, 4]]
    why_krum = "2 neighbours: (0,0): 1+1 = 2; (0,1): 1+2; (1,0): 1+2; (3,4) and (100,100) are far: slot 0"
    why_two = "scores 2, 38, 3, far, 3: slots 0 and 2 (the lower of two at 3): rdiv(0, 2) and rdiv(1, 2) = 1"
    why_bound = "limited to 10: means of 10 and -10, of -10 and 10, of 3 and 4"
    return [
        _aggregate("krum", "whole-vectors", plane, why_krum, parameter=1, want=[0, 0]),
        _aggregate("multi-krum", "whole-vectors", plane, why_two, parameter=1, select=2, want=[0, 1]),
        _aggregate("mean", "small-bound", small, why_bound, bound=10, want=[0, 0, 4]),
        _aggregate("mean", "no-coordinates", [[], []], "d = 0: nothing to average", want=[]),
    ]


def _larger() -> list[Case]:
    options: dict[str, dict[str, int]] = {
        "trimmed-mean": {"parameter": 2},
        "krum": {"parameter": 2},
        "multi-krum": {"parameter": 2, "select": 4},
    }
    return [
        _aggregate(
            rule,
            f"{n}-clients-9-coordinates",
            _updates(n, 9),
            f"{n} clients, some coordinates beyond the bound",
            weights=_weights(n),
            want=COMPUTED,
            **options.get(rule, {}),
        )
        for rule in CLAUSES
        for n in (7, 8, 12)
    ]


def _updates(n: int, d: int) -> list[list[int]]:
    return [[_draw(f"{MIXED}/{i}/{j}") % (1 << 25) - (1 << 24) for j in range(d)] for i in range(n)]


def _weights(n: int) -> list[int]:
    return [1 + _draw(f"weight/{i}") % 2000 for i in range(n)]


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _rejections() -> list[Case]:
    rows: list[tuple[str, str, int, dict[str, int], str]] = [
        ("sum32", "no-updates", 0, {}, "nothing to add"),
        ("mean", "no-updates", 0, {}, "nothing to average"),
        ("median", "no-updates", 0, {}, "nothing to order"),
        ("trimmed-mean", "too-few", 4, {"parameter": 2}, "2 k + 1 = 5 needed, 4 there"),
        ("krum", "too-few", 4, {"parameter": 1}, "2 f + 3 = 5 needed, 4 there"),
        ("krum", "too-few-without-byzantine", 2, {"parameter": 0}, "3 needed, 2 there"),
        ("multi-krum", "too-few", 4, {"parameter": 1, "select": 2}, "2 f + 3 = 5 needed, 4 there"),
        ("multi-krum", "selects-too-many", 5, {"parameter": 1, "select": 5}, "f + m = 6 needed, 5 there"),
    ]
    refused = [
        _aggregate(rule, name, [[i] for i in range(n)], why, want_error="FT609", **options)
        for rule, name, n, options, why in rows
    ]
    nobody = _aggregate(
        "weighted-mean", "no-weight", [[1], [2]], "0 + 0: nobody weighs anything", weights=[0, 0], want=[0]
    )
    short = _aggregate(
        "weighted-mean", "weight-missing", [[1], [2]], "two updates, one weight", weights=[1], want_error="FT710"
    )
    ragged = _aggregate("mean", "different-lengths", [[1, 2], [3]], "two coordinates and one", want_error="FT710")
    return [*refused, nobody, short, ragged]


def _case(name: str, clause: str, why: str, operation: str, arguments: dict[str, Any], **result: Any) -> Case:
    return Case(name=f"rules/{name}", clause=clause, why=why, operation=operation, input=arguments, **result)


def _parts() -> list[Case]:
    steps = [
        ("adds", [1, -2], [3, 4], [4, 2], "1 + 3, -2 + 4"),
        ("saturates-above", [MAX, MAX - 1], [1, 1], [MAX, MAX], "2**31 is one too many; 2**31 - 1 just fits"),
        ("saturates-below", [MIN, MIN + 1], [-1, -1], [MIN, MIN], "-2**31 - 1 is one too few; -2**31 just fits"),
    ]
    square = str(B * B)
    scores = {"updates": [[B], [-B], [0]], "f": 0}
    far = {"updates": [[B, B], [-B, -B], [B, -B]], "f": 0}
    why_far = "differences are 2 B or 0: the nearest of each is one coordinate away: (2 B)**2 = 4 B**2"
    lowest = {"scores": ["281474976710656", "281474976710655", "281474976710655", 0], "count": 2}
    return [
        *(
            _case(f"model-step-{n}", "§5.7", why, "model_step", {"model": m, "aggregate": a}, want=w)
            for n, m, a, w, why in steps
        ),
        _case(
            "model-step-different-lengths",
            "§5.7",
            "two and one",
            "model_step",
            {"model": [1, 2], "aggregate": [1]},
            want_error="FT710",
        ),
        _case(
            "krum-scores-extremes",
            "§5.6",
            "nearest: B**2 for all, as 0 is B away from both",
            "krum_scores",
            scores,
            want=[int(square)] * 3,
        ),
        _case("krum-scores-far", "§5.6", why_far, "krum_scores", far, want=[4 * B * B] * 3),
        _case(
            "select-lowest-large-ties",
            "§5.6",
            "0 first, then the lower of the two at 2**48 - 1; slots rise",
            "select_lowest",
            lowest,
            want=[1, 3],
        ),
        *(
            _case(
                f"min-updates-{rule}-{k}-{m}",
                CLAUSES[rule],
                why,
                "min_updates",
                {"rule": rule, "parameter": k, "select": m},
                want=want,
            )
            for rule, k, m, want, why in (
                ("mean", 0, 0, 1, "one update is enough"),
                ("trimmed-mean", 3, 0, 7, "2 * 3 + 1"),
                ("krum", 3, 0, 9, "2 * 3 + 3"),
                ("multi-krum", 3, 5, 9, "max(2 * 3 + 3, 3 + 5)"),
                ("multi-krum", 3, 8, 11, "max(2 * 3 + 3, 3 + 8)"),
            )
        ),
    ]


def _weight_cases() -> list[Case]:
    return [
        _case(
            f"weight-{name}",
            "§5.3",
            why,
            "weight",
            {"num_examples": count, "examples_cap": cap, "stake_wei": str(stake), "wei_per_weight": str(unit)},
            want=want,
        )
        for name, count, cap, stake, unit, want, why in WEIGHTS
    ]
