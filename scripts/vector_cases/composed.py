"""Vectors of §5.9 and §5.10: every stage by hand on a coordinate or two, and larger inputs for all of them together."""

from __future__ import annotations

import hashlib
from typing import Any

from vector_cases.case import Case

B = (1 << 23) - 1

# name, composition, updates, result, why
BY_HAND = [
    ("mean", "mean@0", [[1], [2]], [2], "rdiv(3, 2)"),
    ("drop", "drop(3)+mean@1", [[2], [2], [6], [7]], [3], "6 is three times the median 2, 7 is more: 10 / 3"),
    (
        "drop-keeps-f",
        "drop(3)+trimmed-mean@2",
        [[1], [1], [4], [90], [-90]],
        [1],
        "two go, f stays 2 and counts as 1 among three: 1 of 1, 1, 4 is left",
    ),
    (
        "drop-among-all",
        "multi-krum(2)+drop(1)+mean@1",
        [[0], [1], [5], [6], [90]],
        [3],
        "1 and 5 are left, and 5 is the median of all",
    ),
    ("multi-krum", "multi-krum(1)+mean@1", [[0], [1], [2], [50], [3]], [1], "scores 5, 2, 2, far, 5: slot 1"),
    (
        "linkage",
        "linkage+mean@2",
        [[10, 0], [11, 1], [9, 1], [-10, 0], [-11, 1]],
        [10, 1],
        "slots 0 to 2 point alike",
    ),
    ("mda", "mda+mean@2", [[0], [5], [6], [7], [30]], [6], "5, 6, 7 have the smallest diameter"),
    ("mda-tie", "mda+mean@1", [[0], [1], [9], [10]], [3], "two threes of diameter 9: the first, rdiv(10, 3) = 3"),
    (
        "dnc",
        "dnc+mean@2",
        [[1, 0], [0, 1], [-1, 0], [0, -1], [50, 50], [52, 51]],
        [0, 0],
        "the last two are far along the main direction",
    ),
    (
        "cosine-dnc",
        "cosine-dnc+mean@2",
        [[10, 0], [20, 1], [9, 1], [30, -1], [-1, 0], [-2, 0]],
        [17, 0],
        "two short ones point back, and a cosine knows no length: 69 / 4, 1 / 4",
    ),
    (
        "cosine-filter",
        "cosine-filter(3)+mean@2",
        [[10, 0], [20, 1], [9, 1], [30, -1], [-1, 0], [-2, 0]],
        [17, 0],
        "two point back, and then nobody stands out among 10, 20, 9, 30: 69 / 4",
    ),
    (
        "cosine-filter-nobody",
        "cosine-filter(3)+mean@1",
        [[9, 1], [9, 2], [9, 3], [9, 4]],
        [9, 3],
        "evenly spread: nobody is three times as far out as usual; rdiv(10, 4) = 3",
    ),
    (
        "distinct",
        "distinct(99)+trimmed-mean@2",
        [[5, 0], [0, 7], [50, 0], [0, 0], [9, 9]],
        [5, 7],
        "slot 2 copies slot 0 and slot 3 is zero, so that f is 1: the middle of 5, 0, 9 and of 0, 7, 9",
    ),
    (
        "distinct-certain",
        "distinct(99)+trimmed-mean@3",
        [[5, 0], [50, 0], [7, 0], [0, 0], [0, 9], [4, 4], [2, 9]],
        [3, 7],
        "three alike, one of which may be honest, and a zero: f is 3 - 1 - 1 = 1, so (2 + 4) / 2 and rdiv(4 + 9, 2)",
    ),
    (
        "distinct-many",
        "distinct(99)+mean@1",
        [[1, 0], [2, 0], [3, 0], [0, 4]],
        [2, 1],
        "two copies are more than f: honest clients are alike, and all stay: 6 / 4, 4 / 4",
    ),
    ("clip", "clip(5)+mean@1", [[30, -40]], [3, -4], "norm 50 to 5"),
    ("clip-within", "clip(50)+mean@1", [[30, -40]], [30, -40], "norm 50 stays"),
    ("clip-floor", "clip(5)+mean@1", [[7, -7]], [3, -3], "norm 9.9, rounded up to 10: floor(7 * 5 / 10)"),
    ("median-clip", "median-clip+mean@1", [[1], [2], [2], [3], [400]], [2], "3 and 400 become 2: 9 / 5"),
    ("arc", "arc+mean@1", [[1], [2], [3], [400]], [2], "floor(2 * 3 / 4) = 1 is clipped, to 3: 9 / 4"),
    ("nnm", "nnm+mean@1", [[0], [1], [3]], [1], "sums of two nearest 1, 1, 4; 6 / (3 * 2)"),
    ("nnm-median", "nnm+median@1", [[0], [1], [3]], [1], "sums 1, 1, 4: the middle 1, over 2 is 0.5 and goes up"),
    ("median", "median@1", [[3], [9], [-2], [4]], [4], "rdiv(7, 2)"),
    ("trimmed-mean", "trimmed-mean@1", [[1], [100], [3], [-100], [4]], [3], "rdiv(8, 3)"),
    ("guarded-mean", "guarded-mean@2", [[0], [1], [2], [3], [100]], [3], "rdiv(106, 5) = 21, and 100 may not raise it"),
    ("guarded-mean-within", "guarded-mean@2", [[0], [1], [2], [3], [4]], [2], "rdiv(10, 5), between 1 and 3"),
    ("guarded-mean-half", "guarded-mean@1", [[0], [100], [2]], [34], "half of f = 1 is 0: nothing limits it"),
    (
        "fenced-mean",
        "fenced-mean(1)@1",
        [[0], [1], [3], [90], [2]],
        [2],
        "1 to 3 is left, fences at -1 and 5: 11 / 5, 90 counts as 5",
    ),
    (
        "fenced-mean-still",
        "fenced-mean(9)@2",
        [[0], [0], [0], [80], [-7]],
        [0],
        "the middle has no width: nobody moves it",
    ),
    ("meamed", "meamed@1", [[0], [10], [11], [12], [13]], [12], "median 11, 0 goes: rdiv(46, 4)"),
    ("meamed-tie", "meamed@1", [[0], [2], [4]], [1], "0 and 4 are as far from 2: the lower value stays"),
    ("bulyan", "bulyan@1", [[0], [1], [2], [3], [4], [5], [1000]], [2], "chosen 0 to 4, of these the three around 2"),
    ("geometric-median", "geometric-median@1", [[0, 0], [0, 0], [0, 0], [900, 900]], [0, 0], "where most are"),
    (
        "trust",
        "trust(1)@1",
        [[4, 0], [40, 0], [-7, 0]],
        [4, 0],
        "the second in the first's length, the third never",
    ),
    ("trust-nobody", "trust(1)@1", [[4, 0], [-40, 0]], [0, 0], "nobody points the reference's way"),
    ("f-too-large", "trimmed-mean@9", [[1], [5], [9]], [5], "as many are trimmed as leave one"),
]
COMPOSITIONS = [
    "drop(3)+nnm+trimmed-mean@4",
    "drop(2)+dnc+median@4",
    "cosine-dnc+drop(3)+guarded-mean@4",
    "nnm+guarded-mean@5",
    "distinct(99)+cosine-filter(3)+drop(3)+fenced-mean(2)@4",
    "nnm+fenced-mean(2)@3",
    "linkage+nnm+meamed@4",
    "multi-krum(5)+mean@3",
    "mda+geometric-median@2",
    "arc+nnm+trimmed-mean@4",
    "median-clip+bucketing(2)+median@2",
    "clip(900)+weighted-mean@4",
    "distinct(99)+cosine-filter(3)+drop(3)+clip(900)+stake-mean(500)@4",
    "bulyan@2",
    "centered-clipping@4",
    "foolsgold@4",
    "drop(3)+trust(3)@4",
    "bucketing(3)+geometric-median@1",
]
CHOICES = {
    "mean": [1, 1],
    "drop": [1, 1, 1, 0],
    "multi-krum": [0, 1, 0, 0, 0],
    "linkage": [1, 1, 1, 0, 0],
    "drop-among-all": [0, 1, 1, 0, 0],
    "mda": [0, 1, 1, 1, 0],
    "mda-tie": [1, 1, 1, 0],
    "dnc": [1, 1, 1, 1, 0, 0],
    "cosine-dnc": [1, 1, 1, 1, 0, 0],
    "cosine-filter": [1, 1, 1, 1, 0, 0],
    "cosine-filter-nobody": [1, 1, 1, 1],
    "distinct-many": [1, 1, 1, 1],
}
"""Whom the compositions that only select have chosen: what their proposals post (§5.8)."""
NEEDS = [
    ("mean@6", 1, True),
    ("drop(3)+mean@6", 13, True),
    ("median@6", 13, False),
    ("multi-krum(1)+mean@6", 15, True),
    ("bulyan@4", 19, False),
    ("bucketing(2)+median@3", 13, False),
    ("drop(3)+nnm+trimmed-mean@6", 13, False),
]
REFUSED = [
    "",
    "mean",
    "mean@01",
    "Mean@1",
    "drop+mean@1",
    "drop(0)+mean@1",
    "mean+mean@1",
    "nnm@1",
    "nnm+clip(3)+mean@1",
    "drop(3)+distinct(99)+mean@1",
    "distinct(99)@1",
]


def get_cases() -> list[Case]:
    """Return the cases of §5.9 and §5.10."""
    by_hand = [_case(name, text, updates, why, want=_result(name, want)) for name, text, updates, want, why in BY_HAND]
    why = "as the specification computes"
    larger = [_case(f"larger-{_name(text)}", text, _make_updates(text), why) for text in COMPOSITIONS]
    needs = [
        Case(
            name=f"rules/composition-{_name(text)}",
            clause="§5.9",
            why="how many updates it needs, and whether its choice is posted",
            operation="decode_composition",
            input={"text": text},
            want={"min_updates": needed, "selects_only": selects},
        )
        for text, needed, selects in NEEDS
    ]
    absent = _case("trust-absent", "trust(9)@1", [[4], [4]], "client 9 has no update", want_error="FT609")
    refused = [
        Case(
            name=f"rules/composition-refused-{at}",
            clause="§5.9",
            why=f"{text!r} is no composition",
            operation="decode_composition",
            input={"text": text},
            want_error="FT722",
        )
        for at, text in enumerate(REFUSED, start=1)
    ]
    return [*by_hand, *larger, *needs, absent, *refused]


def _result(name: str, aggregate: list[int]) -> dict[str, Any]:
    posted = "0x" + b"".join(weight.to_bytes(4, "big") for weight in CHOICES.get(name, [])).hex()
    return {"aggregate": aggregate, "aux": posted}


def _case(name: str, text: str, updates: list[list[int]], why: str, **result: Any) -> Case:
    arguments = {
        "composition": text,
        "bound": B,
        "updates": updates,
        "clients": list(range(1, len(updates) + 1)),
        "weights": [1 + i % 3 for i in range(len(updates))],
        "seed": "0x" + hashlib.sha256(name.encode()).hexdigest(),
    }
    return Case(name=f"rules/compose-{name}", clause="§5.10", why=why, operation="compose", input=arguments, **result)


def _name(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text).replace("--", "-").strip("-")


def _make_updates(text: str) -> list[list[int]]:
    """Return 11 vectors of 6 coordinates: most near each other, three far away; the text decides."""
    draws = iter(hashlib.shake_256(text.encode()).digest(11 * 6 * 2))
    rows = [[(next(draws) << 8 | next(draws)) - 32768 >> 6 for _ in range(6)] for _ in range(11)]
    return [[x + 700 if i < 8 else 40 * x - 9000 for x in row] for i, row in enumerate(rows)]
