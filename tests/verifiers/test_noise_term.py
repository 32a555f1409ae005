"""Both verifiers read the same texts as terms of noise."""

from __future__ import annotations

import random

import pytest
from standalone import load_standalone

from ledger.spec.errors import NotCanonical
from ledger.spec.noise import decode_noise

ALONE = load_standalone()
TERMS = (
    "distributed(clip=524288,variance=41231686042,shares=60,relation=zero-out,against=everybody,delta=10000000,budget=1)",
    "local(clip=7,variance=281474976710656,shares=1,relation=replace-one,against=everybody,delta=999999999999,budget=9)",
    "central(clip=7,variance=1,shares=1,relation=zero-out,against=readers-of-models,delta=1,budget=9223372036854775807)",
    "sample(clip=1048576,multiplier=1100000,rate=1000000,steps=8,delta=10000000,budget=8000000)",
)
WRONG = (
    TERMS[1].replace("281474976710656", "281474976710657"),
    TERMS[1].replace("999999999999", "1000000000000"),
    TERMS[1].replace("shares=1,", "shares=2,"),
    TERMS[2].replace("9223372036854775807", "9223372036854775808"),
    TERMS[3].replace("rate=1000000", "rate=1000001"),
    TERMS[3].replace("sample", "local"),
)


def is_read(text: str) -> bool:
    try:
        decode_noise(text)
    except NotCanonical:
        return False
    return True


@pytest.mark.parametrize("text", TERMS)
def test_a_term_of_noise_is_read_by_both(text: str) -> None:
    assert is_read(text)
    assert ALONE.is_noise(text)


@pytest.mark.parametrize("text", WRONG)
def test_a_number_out_of_its_range_is_refused_by_both(text: str) -> None:
    assert not is_read(text)
    assert not ALONE.is_noise(text)


def test_both_agree_on_thousands_of_changed_terms() -> None:
    draw, read = random.Random(6), 0
    alphabet = "0123456789acdlmnorstuvz=,()-"
    for _ in range(20_000):
        text = list(draw.choice(TERMS))
        for _ in range(draw.choice((1, 1, 2))):
            at = draw.randrange(len(text))
            text[at : at + draw.choice((0, 1))] = draw.choice(alphabet)
        changed = "".join(text)
        assert is_read(changed) == ALONE.is_noise(changed), changed
        read += is_read(changed)
    assert 1000 < read < 19_000
