"""Vectors of §11.13: the term, who is in which group, the means of groups, and masks in AES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger import spec
from vector_cases.case import Case, digest_of, from_hex

ZEROS, ONES = "0x" + "00" * 32, "0x" + "11" * 32
PLAIN = "threshold(11)+roster(2-21,30)"
GROUPED = "threshold(3)+roster(2-21)+degree(3)+groups(5)+least(4)+masks(sha256)"
REFUSED = {
    "no-degree": GROUPED.replace("degree(3)", "degree(0)"),
    "groups-below-the-least": GROUPED.replace("least(4)", "least(5)"),
    "groups-of-one": GROUPED.replace("least(4)", "least(1)").replace("groups(5)", "groups(20)"),
    "unknown-masks": GROUPED.replace("sha256", "md5"),
    "too-high-a-degree": GROUPED.replace("degree(3)", "degree(1001)"),
    "other-order": "threshold(3)+roster(2-21)+groups(5)+degree(3)+least(4)+masks(sha256)",
    "half-of-it": "threshold(3)+roster(2-21)+degree(3)",
}
AES_ZEROS = [0x78C0_95DC, 0x8989_40A2, 0x14A2_48AD, 0x8720_8492, 0xFB8A_0F53]
"""Of dc95c078a2408989ad48a21492842087 and 530f8afb, under a key of zeros (test case 13 of the GCM specification)."""

Input = Mapping[str, Any]


def _means(i: Input) -> list[Any]:
    groups = tuple(tuple(group) for group in i["groups"])
    roster = tuple(sorted(client for group in groups for client in group))
    expansion = spec.Expansion(i["masks"])
    term = spec.Masking(threshold=1, roster=roster, degree=1, groups=len(groups), least=i["least"], expansion=expansion)
    reveals = spec.decode_reveals(from_hex(i["reveals"]))
    return [[k, mean] for k, mean in spec.compute_group_means(i["masked"], i["clients"], reveals, groups, term).items()]


OPERATIONS: dict[str, Callable[[Input], Any]] = {
    "decode_masking": lambda i: str(spec.decode_masking(i["text"])),
    "beacon": lambda i: spec.compute_beacon(from_hex(i["domain"]), i["round"], from_hex(i["opening_hash"])),
    "groups": lambda i: [
        list(group) for group in spec.draw_groups(tuple(i["roster"]), i["count"], from_hex(i["beacon"]))
    ],
    "group_means": _means,
    "expand_aes_mask": lambda i: spec.expand_mask(from_hex(i["seed"]), i["size"], spec.Expansion.AES),
}


def get_cases() -> list[Case]:
    """Return the cases of §11.13."""
    return [*_terms(), *_groups(), *_all_means(), *_aes()]


def _case(name: str, why: str, operation: str, arguments: Input, **result: Any) -> Case:
    return Case(name=f"groups/{name}", clause="§11.13", why=why, operation=operation, input=arguments, **result)


def _terms() -> list[Case]:
    texts = {"plain": PLAIN, "grouped": GROUPED, "aes": GROUPED.replace("sha256", "aes")}
    good = [_case(f"term-{k}", "canonical", "decode_masking", {"text": t}, want=t) for k, t in texts.items()]
    bad = [
        _case(f"term-{name}", name.replace("-", " "), "decode_masking", {"text": text}, want_error="FT722")
        for name, text in REFUSED.items()
    ]
    return [*good, *bad]


def _groups() -> list[Case]:
    seven: dict[str, Any] = {"roster": [2, 3, 5, 7, 11, 13, 17], "beacon": ZEROS}
    domain = {"domain": digest_of("domain of a ledger"), "round": 7}
    return [
        _case("one", "one group is everybody", "groups", {**seven, "count": 1}, want=[seven["roster"]]),
        _case("three-of-seven", "places 0 to 1, 2 to 3 and 4 to 6 of the ring", "groups", {**seven, "count": 3}),
        _case("other-beacon", "another order of the ring", "groups", {**seven, "beacon": ONES, "count": 3}),
        _case("beacon", "of a ledger, a round and its opening block", "beacon", {**domain, "opening_hash": ONES}),
        _case("beacon-other-block", "of another opening block", "beacon", {**domain, "opening_hash": ZEROS}),
    ]


def _all_means() -> list[Case]:
    base: dict[str, Any] = {"groups": [[2, 5], [3, 7, 9]], "masks": "sha256", "reveals": "0x", "least": 2}
    whole = {**base, "clients": [2, 3, 5, 7], "masked": [[1, -1], [10, 7], [4, -4], [21, 8]]}
    own = "0x" + "".join(f"{client:08x}{0:08x}" + "00" * 32 for client in (2, 5))
    masked = {**base, "clients": [2, 5], "masked": [[500053041], [500053042]], "reveals": own}
    first = spec.expand_mask(bytes(32), 1, spec.Expansion.AES)[0]
    in_aes = {**masked, "masks": "aes", "masked": [[spec.wrap32(5 + first)], [spec.wrap32(6 + first)]]}
    why = "(1 + 4) / 2 = 2.5, up; (-1 - 4) / 2 = -2.5, up; (10 + 21) / 2 = 15.5; (7 + 8) / 2 = 7.5"
    return [
        _case("means", why, "group_means", whole, want=[[1, [3, -2]], [2, [16, 8]]]),
        _case(
            "means-one-group-gone",
            "a group without anybody has no mean",
            "group_means",
            {**base, "clients": [3, 7, 9], "masked": [[1], [1], [2]]},
            want=[[2, [1]]],
        ),
        _case(
            "means-masked", "both own masks go, 0x1dce342c each: (5 + 6) / 2", "group_means", masked, want=[[1, [6]]]
        ),
        _case("means-masked-in-aes", "the same in AES", "group_means", in_aes, want=[[1, [6]]]),
        _case(
            "means-too-few",
            "one client of a group that needs two",
            "group_means",
            {**base, "clients": [2, 3, 5], "masked": [[1], [1], [1]]},
            want_error="FT609",
        ),
    ]


def _aes() -> list[Case]:
    return [
        _case("aes-mask", "five words, little endian", "expand_aes_mask", {"seed": ZEROS, "size": 5}, want=AES_ZEROS),
        _case("aes-mask-of-ones", "another seed", "expand_aes_mask", {"seed": ONES, "size": 9}),
    ]
