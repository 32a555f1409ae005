"""Vectors of §1: fixed point, rounding, wrapping, clamping. Small enough that all of them are worked by hand."""

from __future__ import annotations

from typing import Any

from vector_cases.case import Case, to_float_bits

B = (1 << 23) - 1

RDIV = [
    ("half-up", 5, 2, 3, "(2*5 + 2) // (2*2) = 12 // 4 = 3: 2.5 goes up"),
    ("negative-half-up", -5, 2, -2, "(-10 + 2) // 4 = -8 // 4 = -2: -2.5 goes up, to -2, not away from zero"),
    ("negative-half-of-one", -1, 2, 0, "(-2 + 2) // 4 = 0: -0.5 goes up to 0"),
    ("half-of-one", 1, 2, 1, "(2 + 2) // 4 = 1: 0.5 goes up to 1"),
    ("negative-three-halves", -3, 2, -1, "(-6 + 2) // 4 = -4 // 4 = -1: -1.5 goes up"),
    ("third-down", 4, 3, 1, "(8 + 3) // 6 = 11 // 6 = 1: 1.33 is nearer to 1"),
    ("third-up", 5, 3, 2, "(10 + 3) // 6 = 13 // 6 = 2: 1.67 is nearer to 2"),
    ("negative-third-up", -4, 3, -1, "(-8 + 3) // 6 = -5 // 6 = floor(-0.83) = -1; a division that truncates gives 0"),
    ("negative-third-down", -5, 3, -2, "(-10 + 3) // 6 = -7 // 6 = floor(-1.17) = -2; one that truncates gives -1"),
    ("zero", 0, 7, 0, "(0 + 7) // 14 = 0"),
    ("by-one", -12345, 1, -12345, "(-24690 + 1) // 2 = floor(-12344.5) = -12345"),
    ("just-below-half", 499, 1000, 0, "(998 + 1000) // 2000 = 1998 // 2000 = 0"),
    ("just-below-minus-half", -501, 1000, -1, "(-1002 + 1000) // 2000 = -2 // 2000 = floor(-0.001) = -1"),
    ("exact-negative", -12, 4, -3, "(-24 + 4) // 8 = -20 // 8 = floor(-2.5) = -3"),
    (
        "large",
        576460752303423489,
        2,
        288230376151711745,
        "a = 2**59 + 1 is odd: a / 2 = 2**58 + 0.5 goes up to 2**58 + 1",
    ),
    ("large-negative", -576460752303423489, 2, -288230376151711744, "a = -(2**59 + 1): -2**58 - 0.5 goes up to -2**58"),
]

QUANTIZE = [
    ("one", 1.0, 20, 1048576, "1 * 2**20 = 1048576"),
    ("minus-one", -1.0, 20, -1048576, "-1 * 2**20 = -1048576"),
    ("zero", 0.0, 20, 0, "0"),
    ("negative-zero", -0.0, 20, 0, "-0.0 is the integer 0"),
    ("tie-to-even-down", 0.5, 0, 0, "0.5 lies between 0 and 1; 0 is even"),
    ("tie-to-even-up", 1.5, 0, 2, "1.5 lies between 1 and 2; 2 is even"),
    ("tie-to-even-stays", 2.5, 0, 2, "2.5 lies between 2 and 3; 2 is even; halves up would give 3"),
    ("negative-tie-to-even-up", -0.5, 0, 0, "-0.5 lies between -1 and 0; 0 is even"),
    ("negative-tie-to-even-down", -1.5, 0, -2, "-1.5 lies between -2 and -1; -2 is even; halves up would give -1"),
    ("negative-tie-to-even-stays", -2.5, 0, -2, "-2.5 lies between -3 and -2; -2 is even"),
    ("scaled-tie", 2.5 / 1048576, 20, 2, "2.5 * 2**-20 * 2**20 = 2.5, and 2 is even"),
    ("scaled-above-tie", 2.625 / 1048576, 20, 3, "2.625 is nearer to 3"),
    ("saturates-high", 8.0, 20, B, "8 * 2**20 = 2**23, one more than the bound 2**23 - 1"),
    ("saturates-low", -8.0, 20, -B, "-8 * 2**20 = -2**23, saturated symmetrically to -(2**23 - 1)"),
    ("reaches-bound", B / 1048576, 20, B, "(2**23 - 1) * 2**-20 * 2**20 = 2**23 - 1, not saturated"),
    ("smallest-subnormal", 2.0**-149, 30, 0, "2**-149 * 2**30 = 2**-119 rounds to 0"),
    ("largest-float32", 3.4028234663852886e38, 30, B, "(2 - 2**-23) * 2**127 is far beyond the bound"),
]

NON_FINITE = [
    ("nan", float("nan"), "NaN is no number: refused, never 0"),
    ("infinity", float("inf"), "an infinity is refused, never saturated"),
    ("minus-infinity", float("-inf"), "an infinity is refused, never saturated"),
]

CLAMP = [
    ("inside", 5, 7, 5, "-7 <= 5 <= 7"),
    ("at-bound", 7, 7, 7, "7 <= 7"),
    ("above", 8, 7, 7, "8 > 7"),
    ("at-minus-bound", -7, 7, -7, "-7 >= -7"),
    ("below", -8, 7, -7, "-8 < -7"),
    ("int32-min", -(1 << 31), B, -B, "-2**31 is limited to -(2**23 - 1)"),
]

WRAP32 = [
    ("inside", -5, -5, "within int32, unchanged"),
    ("largest", 2147483647, 2147483647, "2**31 - 1 is the largest int32"),
    ("one-above", 2147483648, -2147483648, "2**31 - 2**32 = -2**31"),
    ("one-below", -2147483649, 2147483647, "-2**31 - 1 + 2**32 = 2**31 - 1"),
    ("full-turn", 4294967296, 0, "2**32 mod 2**32 = 0"),
    ("minus-full-turn-and-one", -4294967297, -1, "-2**32 - 1 + 2**32 = -1"),
]

SATURATE32 = [
    ("inside", 123, 123, "within int32, unchanged"),
    ("above", 2147483648, 2147483647, "2**31 is one too many"),
    ("below", -2147483649, -2147483648, "-2**31 - 1 is one too few"),
]

ENCODE = [
    ("one", [1], "0x01000000", "least significant byte first"),
    ("minus-one", [-1], "0xffffffff", "two's complement: 2**32 - 1"),
    ("order", [1, -2, 256], "0x01000000feffffff00010000", "1; 2**32 - 2 = fffffffe; 256 = 00000100, each reversed"),
    ("extremes", [-2147483648, 2147483647], "0x00000080ffffff7f", "80000000 and 7fffffff, each reversed"),
    ("empty", [], "0x", "no coordinates, no bytes"),
]

DEQUANTIZE = [
    ("one", 1048576, 20, 1.0, "2**20 / 2**20 = 1"),
    ("minus-one-unit", -1, 20, -(2.0**-20), "-1 / 2**20"),
    ("int32-min", -2147483648, 30, -2.0, "-2**31 / 2**30 = -2"),
]


def get_cases() -> list[Case]:
    """Return the cases of §1."""
    return [
        *(_case("rdiv", "§1.3", n, why, {"a": _big(a), "b": b}, _big(want)) for n, a, b, want, why in RDIV),
        *(_quantize(n, v, s, why, want=want) for n, v, s, want, why in QUANTIZE),
        *(_quantize(n, v, 20, why, want_error="FT714") for n, v, why in NON_FINITE),
        *(_case("clamp", "§1.4", n, why, {"x": x, "bound": b}, want) for n, x, b, want, why in CLAMP),
        *(_case("wrap32", "§1.5", n, why, {"x": x}, want) for n, x, want, why in WRAP32),
        *(_case("saturate32", "§1.6", n, why, {"x": x}, want) for n, x, want, why in SATURATE32),
        *(_case("encode_int32", "§1.1", n, why, {"values": v}, want) for n, v, want, why in ENCODE),
        *(_case("decode_int32", "§1.1", n, f"inverse: {why}", {"data": data}, v) for n, v, data, why in ENCODE),
        _truncated_word(),
        *(_dequantize(*row) for row in DEQUANTIZE),
    ]


def _big(value: int) -> Any:
    return value if abs(value) < 1 << 53 else str(value)


def _case(operation: str, clause: str, name: str, why: str, arguments: dict[str, Any], want: Any) -> Case:
    path = f"numbers/{operation.replace('_', '-')}-{name}"
    return Case(name=path, clause=clause, why=why, operation=operation, input=arguments, want=want)


def _quantize(name: str, value: float, scale: int, why: str, **result: Any) -> Case:
    arguments = {"value": to_float_bits(value), "scale_bits": scale, "bound": B}
    path = f"numbers/quantize-{name}"
    return Case(name=path, clause="§1.2", why=why, operation="quantize", input=arguments, **result)


def _dequantize(name: str, value: int, scale: int, want: float, why: str) -> Case:
    arguments = {"value_q": value, "scale_bits": scale}
    return _case("dequantize", "§1.2", name, why, arguments, to_float_bits(want, size=8))


def _truncated_word() -> Case:
    return Case(
        name="numbers/decode-int32-truncated",
        clause="§1.1",
        why="seven bytes are one word and three quarters",
        operation="decode_int32",
        input={"data": "0x01000000feffff"},
        want_error="FT710",
    )
