"""Vectors of §12: the text of a validation, and each test by hand on cohorts of a few short updates."""

from __future__ import annotations

from typing import Any

from vector_cases.case import Case

# name, validation, updates, previous aggregate, FT code by client, why
BY_HAND: list[tuple[str, str, list[list[int]], list[int] | None, list[list[Any]], str]] = [
    ("zeros", "zero", [[0, 0], [1, 0]], None, [[1, "FT730"]], "nothing else is asked for"),
    ("stale", "stale(95)", [[3, 4], [4, -3]], [30, 40], [[1, "FT731"]], "cosines 1 and 0"),
    ("stale-at-the-limit", "stale(80)", [[4, 3]], [1, 0], [[1, "FT731"]], "cosine 4 / 5, at the limit"),
    ("stale-below-the-limit", "stale(81)", [[4, 3]], [1, 0], [], "cosine 0.80"),
    ("stale-reversed", "stale(95)", [[-3, -4]], [3, 4], [[1, "FT731"]], "the last step taken back: its size counts"),
    ("stale-in-the-first-round", "stale(95)", [[3, 4]], None, [], "there is no aggregate before"),
    ("stale-after-a-step-of-zeros", "stale(95)", [[3, 4]], [0, 0], [], "zeros point nowhere"),
    (
        "duplicate-keeps-the-lowest-client",
        "duplicate(99)",
        [[3, 4], [6, 8], [-3, -4], [4, -3]],
        None,
        [[2, "FT732"]],
        "cosine 1 with client 1; the opposite is no duplicate",
    ),
    (
        "duplicate-of-one-that-is-kept",
        "duplicate(90)",
        [[10, 0], [10, 4], [10, 9]],
        None,
        [[2, "FT732"]],
        "cosine² 100/116 = .86 of 1 and 2, 100/181 = .55 of 1 and 3; 2, which 3 is near to, is not kept",
    ),
    ("norm", "norm(300)", [[2], [-2], [2], [6], [7]], None, [[5, "FT733"]], "6 is three times the median 2, 7 more"),
    ("norm-of-four", "norm(300)", [[2], [-2], [2], [9]], None, [[4, "FT733"]], "fires among four"),
    ("norm-of-three", "norm(300)", [[2], [2], [900]], None, [], "three are not compared with their median"),
    ("faint", "faint(50)", [[4], [-4], [4], [2], [1]], None, [[5, "FT734"]], "2 is half the median 4, 1 less"),
    (
        "distance",
        "distance(200)",
        [[10], [11], [12], [13], [40]],
        None,
        [[5, "FT735"]],
        "lower median distances 2, 1, 1, 2, 28, of these 2: 28 is more than twice that",
    ),
    (
        "distance-of-six",
        "distance(149)",
        [[10], [11], [12], [13], [14], [40]],
        None,
        [[1, "FT735"], [5, "FT735"], [6, "FT735"]],
        "lower medians of five distances 3, 2, 2, 2, 3, 28, of these 2: 3 is more than 1.49 times that",
    ),
    (
        "distance-when-most-are-equal",
        "distance(200)",
        [[5], [5], [5], [5], [6]],
        None,
        [[5, "FT735"]],
        "the usual distance is 0: any other is infinitely many times that",
    ),
    (
        "zeros-do-not-count-in-medians",
        "norm(300)",
        [[0], [0], [0], [2], [-2], [2], [7]],
        None,
        [[1, "FT730"], [2, "FT730"], [3, "FT730"], [7, "FT733"]],
        "the median of 2, 2, 2, 7 is 2",
    ),
    (
        "clones-do-not-count-in-medians",
        "duplicate(99)+norm(300)",
        [[90, 0], [90, 0], [90, 0], [90, 0], [2, 1], [-2, 1], [1, -2]],
        None,
        [[1, "FT733"], [2, "FT732"], [3, "FT732"], [4, "FT732"]],
        "of four clones one is left, and it is far above the median of four",
    ),
    (
        "first-reason-counts",
        "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)",
        [[100, 0], [200, 0], [0, 1], [1, 2], [-1, 2], [3, 1], [0, 60]],
        [1, 0],
        [[1, "FT731"], [2, "FT731"], [7, "FT732"]],
        "1 and 2 are stale before anything else; 7 is a duplicate of 3 before it is too long",
    ),
]
COHORT = [[12, 7, -3], [11, 8, -2], [10, 9, -4], [13, 6, -3], [-90, 4, 8], [1, 1, 0], [24, 14, -6], [0, 0, 0]]
REFUSED = [
    ("empty", ""),
    ("limit-missing", "norm"),
    ("limit-with-a-zero-in-front", "norm(0300)"),
    ("capital", "Norm(300)"),
    ("unknown-test", "norm(300)+shape(3)"),
    ("other-order", "norm(300)+stale(95)"),
    ("twice", "norm(300)+norm(300)"),
    ("zero-beside-a-test", "zero+norm(300)"),
    ("blank", "norm(300) "),
    ("norm-below-its-range", "norm(100)"),
    ("norm-above-its-range", "norm(10001)"),
    ("stale-above-its-range", "stale(101)"),
    ("faint-above-its-range", "faint(100)"),
]
READABLE = ["zero", "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)", "duplicate(100)", "norm(101)"]


def get_cases() -> list[Case]:
    """Return the cases of §12."""
    judged = [_judge(name, text, rows, before, why, want=want) for name, text, rows, before, want, why in BY_HAND]
    whole = "stale(95)+duplicate(98)+norm(300)+faint(20)+distance(150)"
    judged += [_judge(f"whole-{at}", whole, COHORT[at:], [2, -5, 9], "all tests together") for at in range(3)]
    large = [[(1 << 23) - 1] * 3, [1 - (1 << 23)] * 3, [5, 5, 5], [6, 5, 4], [4, 5, 6]]
    judged.append(_judge("largest-values", "stale(99)+norm(300)", large, [-(1 << 31), 1, 1], "beyond 64 bits"))
    read = [_read(f"read-{at}", text, want=text) for at, text in enumerate(READABLE, start=1)]
    return [*judged, *read, *(_read(f"refused-{name}", text, want_error="FT722") for name, text in REFUSED)]


def _judge(name: str, text: str, rows: list[list[int]], before: list[int] | None, why: str, **result: Any) -> Case:
    arguments = {"validation": text, "updates": rows, "clients": list(range(1, len(rows) + 1)), "previous": before}
    name = f"validation/judge-{name}"
    return Case(name=name, clause="§12.2", why=why, operation="judge_cohort", input=arguments, **result)


def _read(name: str, text: str, **result: Any) -> Case:
    why = f"{text!r} is {'a' if 'want' in result else 'no'} validation"
    name = f"validation/{name}"
    return Case(name=name, clause="§12.1", why=why, operation="decode_validation", input={"text": text}, **result)
