"""Validation of cohorts: the fast path equals the specification, and dishonest clients cannot expel honest ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger import aggregation, spec
from ledger.spec.validation import LIMITS, MIN_COHORT

WHOLE = spec.decode_validation(b"stale(95)+duplicate(98)+norm(300)+faint(20)+distance(200)")
OUTLIERS = spec.Validation(norm=150, faint=60, distance=130)
BOUND = (1 << 23) - 1
Rows = list[list[int]]

coordinates = st.integers(-9, 9) | st.integers(-BOUND, BOUND) | st.sampled_from([0, BOUND, -BOUND])


@st.composite
def cohorts(draw: st.DrawFn, least: int = 0, most: int = 9) -> Rows:
    """Return updates, among them copies, multiples, opposites and zeros of each other."""
    d = draw(st.integers(1, 5))
    rows: Rows = []
    for _ in range(draw(st.integers(least, most))):
        if rows and draw(st.booleans()):
            factor, source = draw(st.sampled_from([1, -1, 2, 4, 0])), draw(st.sampled_from(rows))
            rows.append([max(-BOUND, min(BOUND, factor * x)) for x in source])
        else:
            rows.append(draw(st.lists(coordinates, min_size=d, max_size=d)))
    return rows


validations = st.builds(
    spec.Validation, **{name: st.none() | st.integers(least, most) for name, (least, most) in LIMITS.items()}
)


def codes(rejections: spec.Rejections) -> dict[int, str]:
    return {client: reason.code for client, reason in rejections.items()}


@given(validations)
def test_every_validation_reads_back_from_its_text(validation: spec.Validation) -> None:
    assert spec.decode_validation(spec.encode_validation(validation)) == validation


@given(st.binary(max_size=40) | st.text("stale(95)+normdupciz0 ", max_size=30).map(str.encode))
def test_what_is_read_as_a_validation_is_its_only_text(data: bytes) -> None:
    try:
        validation = spec.decode_validation(data)
    except spec.NotCanonical:
        return
    assert spec.encode_validation(validation) == data


def test_a_text_longer_than_any_validation_is_refused_unread() -> None:
    with pytest.raises(spec.NotCanonical):
        spec.decode_validation(b"norm(300)" + b"+norm(300)" * 100)


@given(validations, cohorts(), st.lists(st.integers(-(2**31), 2**31 - 1), min_size=5, max_size=5) | st.none())
def test_the_fast_path_gives_the_reasons_of_the_specification_word_for_word(
    validation: spec.Validation, rows: Rows, before: list[int] | None
) -> None:
    d = len(rows[0]) if rows else 1
    previous = None if before is None else before[:d]
    arrays = [np.array(row, dtype=np.int32) for row in rows]
    fast = aggregation.judge_cohort(
        validation, arrays, range(len(rows)), None if previous is None else np.array(previous, dtype=np.int32)
    )
    want = spec.judge_cohort(validation, rows, range(len(rows)), previous)
    assert [(client, str(reason)) for client, reason in fast.items()] == [(c, str(r)) for c, r in want.items()]


def test_the_fast_path_is_exact_beyond_one_block_of_coordinates() -> None:
    rng = np.random.default_rng(7)
    rows = rng.integers(-BOUND, BOUND + 1, (5, (1 << 16) + 3), dtype=np.int32)
    rows[4] = rows[0]
    rows[4, -1] = -rows[0, -1]
    previous = rng.integers(-(2**31), 2**31, rows.shape[1], dtype=np.int64).astype(np.int32)
    rows[3] = previous >> 8
    fast = aggregation.judge_cohort(WHOLE, list(rows), range(5), previous)
    want = spec.judge_cohort(WHOLE, rows.tolist(), range(5), previous.tolist())
    assert [str(reason) for reason in fast.values()] == [str(reason) for reason in want.values()]
    assert codes(fast) == {3: "FT731", 4: "FT732"}


def test_a_coordinate_on_either_side_of_a_block_counts() -> None:
    edges = [0, (1 << 16) - 1, 1 << 16, (1 << 16) + 2]
    rows = np.zeros((4, edges[-1] + 1), dtype=np.int32)
    rows[range(4), edges] = 1
    assert aggregation.judge_cohort(WHOLE, list(rows), range(4)) == {}


@given(cohorts(), st.randoms(use_true_random=False))
def test_the_order_of_the_updates_decides_nothing(rows: Rows, rng: object) -> None:
    clients = [3 * i + 1 for i in range(len(rows))]
    pairs = list(zip(clients, rows, strict=True))
    rng.shuffle(pairs)  # type: ignore[attr-defined]
    shuffled = spec.judge_cohort(WHOLE, [row for _, row in pairs], [client for client, _ in pairs])
    assert codes(shuffled) == codes(spec.judge_cohort(WHOLE, rows, clients))


@given(cohorts(least=1), st.integers(2, 1000))
def test_the_unit_of_the_updates_decides_nothing(rows: Rows, unit: int) -> None:
    before, clients = rows[-1][::-1], range(len(rows))
    scaled = [[unit * x for x in row] for row in rows]
    assert codes(spec.judge_cohort(WHOLE, scaled, clients, before)) == codes(
        spec.judge_cohort(WHOLE, rows, clients, before)
    )


@given(cohorts(least=MIN_COHORT, most=12))
def test_no_test_with_a_median_rejects_more_than_half(rows: Rows) -> None:
    assume(all(map(any, rows)))
    for validation in (spec.Validation(norm=101), spec.Validation(faint=99), spec.Validation(distance=101)):
        assert 2 * len(spec.judge_cohort(validation, rows, range(len(rows)))) <= len(rows)


def square(x: list[int], y: list[int] | None = None) -> int:
    return sum((a - b) ** 2 for a, b in zip(x, y or [0] * len(x), strict=True))


@given(st.data())
def test_defended_fewer_than_half_cannot_expel_an_honest_client_beyond_what_is_stated(
    data: st.DataObject,
) -> None:
    honest = [row for row in data.draw(cohorts(least=3, most=7), label="honest") if any(row)]
    assume(len(honest) >= 3)
    # Dishonest clients see all honest updates and send what they like: f <= n/2 - 1 is f <= len(honest) - 2.
    alike = st.sampled_from(honest).flatmap(lambda row: st.sampled_from([1, -1, 3]).map(lambda k: [k * x for x in row]))
    free = st.lists(coordinates, min_size=len(honest[0]), max_size=len(honest[0]))
    middle = [sum(column) // len(honest) for column in zip(*honest, strict=True)]
    attack = st.lists(alike | free | st.just(middle), max_size=len(honest) - 2)
    rows = honest + data.draw(attack)
    rejected = spec.judge_cohort(OUTLIERS, rows, range(len(rows)))
    norms = [square(row) for row in honest]
    pairs = [square(x, y) for i, x in enumerate(honest) for y in honest[:i]]
    for client, reason in rejected.items():
        if client < len(honest) and isinstance(reason, spec.LongUpdate):
            assert 100**2 * norms[client] > 150**2 * min(norms)
        elif client < len(honest) and isinstance(reason, spec.FaintUpdate):
            assert 100**2 * norms[client] < 60**2 * max(norms)
        elif client < len(honest):
            assert isinstance(reason, spec.DistantUpdate)
            assert 100**2 * max(pairs) > 130**2 * min(pairs)


@given(cohorts(least=MIN_COHORT), st.integers(1, 9))
def test_defended_free_riders_that_send_zeros_change_nothing_for_the_others(rows: Rows, riders: int) -> None:
    zeros = [[0] * len(rows[0])] * riders
    clients = range(len(rows) + riders)
    alone = codes(spec.judge_cohort(WHOLE, rows, clients[: len(rows)]))
    assert codes(spec.judge_cohort(WHOLE, rows + zeros, clients)) == alone | dict.fromkeys(
        clients[len(rows) :], "FT730"
    )


@given(st.lists(coordinates, min_size=3, max_size=3), st.integers(2, 12))
def test_defended_of_any_number_of_clones_one_is_left(row: list[int], count: int) -> None:
    assume(any(row))
    rejected = spec.judge_cohort(spec.Validation(duplicate=99), [row] * count, range(count))
    assert codes(rejected) == dict.fromkeys(range(1, count), "FT732")


def test_known_gap_attackers_within_all_limits_pass() -> None:
    honest = [[100, 70, -30], [95, -80, 60], [104, 20, 90], [98, -60, -50], [101, 90, 20]]
    poison = [[-60, 60, 0], [-60, 50, 30]]
    assert spec.judge_cohort(WHOLE, honest + poison, range(7)) == {}


def test_a_rejection_tells_both_values() -> None:
    (reason,) = spec.judge_cohort(spec.Validation(norm=300), [[2], [2], [2], [2], [19]], range(5)).values()
    assert (reason.detail["got"], reason.detail["want"]) == ("9.5", "3")
    assert "9.5 times the median, the limit is 3" in reason.message
