"""Vectors of §5.8: what a proposal carries for its rule beside roots."""

from __future__ import annotations

from typing import Any

from vector_cases.case import COMPUTED, Case

B = (1 << 23) - 1
MAX = (1 << 31) - 1
FAR = (2 * B) ** 2


def get_cases() -> list[Case]:
    """Return the cases of §5.8."""
    return [*_distances(), *_bytes(), *_aux()]


def _case(name: str, why: str, operation: str, arguments: dict[str, Any], want: Any = COMPUTED, **result: Any) -> Case:
    return Case(name=f"rules/{name}", clause="§5.8", why=why, operation=operation, input=arguments, want=want, **result)


def _distances() -> list[Case]:
    rows: list[tuple[str, str, list[list[int]], int, list[Any]]] = [
        ("one-update", "no pair", [[1]], B, []),
        ("two", "3**2 + 4**2", [[0, 0], [3, 4]], B, [25]),
        ("order", "pairs 01, 02, 03, 12, 13, 23", [[0], [1], [3], [7]], B, [1, 9, 49, 4, 36, 16]),
        ("clamped", "11 and -11 count as 10 and -10", [[11], [-11]], 10, [400]),
        ("extremes", "(2 B)**2, and B limits the largest int32", [[MAX], [-B], [B]], B, [FAR, 0, FAR]),
        ("beyond-a-double", "257 times (2 B)**2 is above 2**53", [[B] * 257, [-B] * 257], B, [str(257 * FAR)]),
        ("no-coordinates", "nothing apart", [[], []], B, [0]),
    ]
    return [
        _case(f"distances-{name}", why, "distances", {"updates": updates, "bound": bound}, want)
        for name, why, updates, bound, want in rows
    ]


def _bytes() -> list[Case]:
    three = "0x" + "".join(f"{distance:024x}" for distance in (25, 0, 1 << 80))
    weights = "0x00000001000fffff00000000"
    return [
        _case("encode-distances", "12 bytes each", "encode_distances", {"distances": [25, 0, str(1 << 80)]}, three),
        _case(
            "decode-distances",
            "three pairs of three",
            "decode_distances",
            {"data": three, "count": 3},
            [25, 0, str(1 << 80)],
        ),
        _case("decode-distances-none", "one update has no pair", "decode_distances", {"data": "0x", "count": 1}, []),
        _short("decode-distances-truncated", three[:-2], 3, "35 bytes of 36"),
        _short("decode-distances-trailing-byte", three + "00", 3, "37 bytes of 36"),
        _short("decode-distances-other-count", three, 4, "four updates have six pairs"),
        _case("encode-weights", "4 bytes each", "encode_weights", {"weights": [1, 1048575, 0]}, weights),
        _case("decode-weights", "back", "decode_weights", {"data": weights, "count": 3}, [1, 1048575, 0]),
        _short("decode-weights-truncated", weights[:-2], 3, "11 bytes of 12"),
        _short("decode-weights-trailing-byte", weights + "00", 3, "13 bytes of 12"),
        _short("decode-weights-other-count", weights, 2, "12 bytes for two updates"),
    ]


def _short(name: str, data: str, count: int, why: str) -> Case:
    operation = "decode_distances" if "distances" in name else "decode_weights"
    return _case(name, why, operation, {"data": data, "count": count}, want_error="FT710")


def _aux() -> list[Case]:
    updates, weights = [[0, 0], [3, 4], [0, 1]], [1, 2, 3]
    distances = "0x" + "".join(f"{distance:024x}" for distance in (25, 1, 18))
    want = {"krum": distances, "multi-krum": distances, "weighted-mean": "0x000000010000000200000003"}
    rules = ("sum32", "mean", "weighted-mean", "median", "trimmed-mean", "krum", "multi-krum")
    why = {"krum": "25, 1 and 9 + 9", "multi-krum": "as Krum", "weighted-mean": "the weights"}
    return [
        _case(
            f"aux-{rule}",
            why.get(rule, "nothing beside roots"),
            "aux",
            {"rule": rule, "parameter": 0, "select": 0, "bound": B, "updates": updates, "weights": weights},
            want.get(rule, "0x"),
        )
        for rule in rules
    ]
