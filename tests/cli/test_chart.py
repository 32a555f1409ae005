"""The chart: values stand where they belong, in any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.chart import ASCII_MARKS, MARKS, draw_lines


def test_values_stand_at_their_height_and_round() -> None:
    lines = draw_lines({"a": [0.0, 0.5, 1.0]}, width=5, height=3)
    assert lines[0].startswith("  1.0 |") and lines[2].startswith("  0.0 |")
    assert (lines[0][11], lines[1][9], lines[2][7]) == ("●", "●", "●")
    assert lines[-1].strip() == "round 1 to 3     ● a"


def test_the_first_series_shows_where_two_meet() -> None:
    lines = draw_lines({"ours": [0.5], "theirs": [0.5]}, width=3, height=3)
    assert MARKS[0] in lines[1] and MARKS[1] not in lines[1]


def test_ascii_only_stays_ascii() -> None:
    text = "\n".join(draw_lines({"a": [0.1, 0.9, 0.3], "b": [0.2, 0.2, 0.2]}, ascii_only=True))
    assert text.isascii() and ASCII_MARKS[0] in text and ASCII_MARKS[1] in text


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.floats(-1, 2, allow_nan=False), max_size=40), max_size=6),
    st.integers(2, 80),
    st.integers(2, 30),
)
def test_nothing_is_drawn_outside(series: dict[str, list[float]], width: int, height: int) -> None:
    lines = draw_lines(series, width=width, height=height)
    assert len(lines) == height + 2
    assert all(len(line) <= width + 7 for line in lines[: height + 1])


@pytest.mark.parametrize("values", [[], [0.3]])
def test_runs_without_a_second_round_can_be_drawn(values: list[float]) -> None:
    drawn = draw_lines({"a": values}, width=4, height=4)
    assert sum(line.count(MARKS[0]) for line in drawn[:4]) == len(values)
