"""Composed rules: the text, the stages worked by hand, and the fast path against the specification."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import use_compiled_kernels
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.aggregation.compositions import aggregate_composed, choose_updates
from ledger.spec import gram as grams
from ledger.spec.compositions import (
    STAGES,
    Composition,
    Context,
    Kind,
    Stage,
    decode_composition,
    encode_composition,
    evaluate,
    select,
)
from ledger.spec.errors import NotCanonical, RuleNotApplicable
from ledger.spec.filtering import select_distinct
from ledger.spec.rows import ListRows

BOUND = (1 << 23) - 1


def make_context(n: int, seed: int = 0) -> Context:
    return Context(clients=tuple(range(1, n + 1)), weights=tuple(range(n)), seed=seed.to_bytes(32, "big"))


def by_spec(text: str, updates: list[list[int]], bound: int = BOUND, seed: int = 0) -> list[int]:
    return list(evaluate(decode_composition(text.encode()), ListRows(updates), make_context(len(updates), seed), bound))


def arguments(name: str):
    if name == "distinct":
        return st.integers(60, 100)
    return st.integers(1, 4) if STAGES[name].argument else st.just(0)


def choose(text: str, updates: list[list[int]]) -> list[int]:
    return select(decode_composition(text.encode()), ListRows(updates), make_context(len(updates)))


@st.composite
def compositions(draw) -> Composition:
    selects = [k for k, v in STAGES.items() if v.kind is Kind.SELECT and k != "distinct"]
    start = draw(st.sampled_from([[], ["distinct"]]))
    first = draw(st.lists(st.sampled_from(selects), max_size=3 - len(start)))
    clips = draw(st.lists(st.sampled_from([k for k, v in STAGES.items() if v.kind is Kind.CLIP]), max_size=2))
    mixes = draw(st.lists(st.sampled_from([k for k, v in STAGES.items() if v.kind is Kind.MIX]), max_size=2))
    finals = [k for k, v in STAGES.items() if v.kind is Kind.FINAL]
    last = draw(st.sampled_from([k for k in finals if not mixes or k not in ("weighted-mean", "stake-mean", "trust")]))
    names = [*start, *draw(st.permutations(first + clips)), *mixes, last]
    return Composition(
        stages=tuple(Stage(name, draw(arguments(name))) for name in names),
        f=draw(st.integers(0, 5)),
    )


def updates_of(n: int, d: int):
    small = st.integers(-4, 4)
    coordinate = st.one_of(small, st.sampled_from([-BOUND, BOUND, 0]), st.integers(-BOUND, BOUND))
    return st.lists(st.lists(coordinate, min_size=d, max_size=d), min_size=n, max_size=n)


@given(
    compositions(),
    st.integers(1, 9).flatmap(lambda n: updates_of(n, 5)),
    st.integers(0, 3),
    st.sampled_from([3, BOUND]),
)
@example(decode_composition(b"linkage+geometric-median@9"), [[0] * 5], 0, BOUND)
@example(decode_composition(b"guarded-mean@9"), [[0] * 5, [1] * 5, [7] * 5], 0, BOUND)
@example(decode_composition(b"fenced-mean(9999999999)@1"), [[-BOUND] * 5, [BOUND] * 5, [0] * 5, [1] * 5], 0, BOUND)
@example(
    decode_composition(b"distinct(99)+cosine-filter(1)+mean@2"), [[i] * 4 + [i * i] for i in range(-4, 5)], 0, BOUND
)
def test_the_fast_path_gives_the_bits_of_the_specification(composition, updates, seed, bound):
    context = make_context(len(updates), seed)
    rows = [[max(-bound, min(bound, x)) for x in row] for row in updates]
    try:
        want = list(evaluate(composition, ListRows(rows), context, bound))
    except RuleNotApplicable:
        with pytest.raises(RuleNotApplicable):
            aggregate_composed(composition, context, np.array(updates, dtype=np.int32), bound)
        return
    assert aggregate_composed(composition, context, np.array(updates, dtype=np.int32), bound).tolist() == want
    with use_compiled_kernels():
        assert aggregate_composed(composition, context, np.array(updates, dtype=np.int32), bound).tolist() == want
    assert all(-bound <= x <= bound for x in want)
    if composition.selects_only:
        chosen = choose_updates(composition, context, np.array(updates, dtype=np.int32), bound)
        assert chosen == select(composition, ListRows(rows), context)


@given(compositions())
def test_a_composition_is_its_text(composition):
    assert decode_composition(encode_composition(composition)) == composition


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"mean",
        b"mean@",
        b"mean@01",
        b"mean@65536",
        b"mean@-1",
        b"Mean@1",
        b"mean()@1",
        b"mean(1)@1",
        b"drop+mean@1",
        b"drop(0)+mean@1",
        b"drop(03)+mean@1",
        b"mean+mean@1",
        b"nnm@1",
        b"nnm+clip(3)+mean@1",
        b"drop(3)+distinct(99)+mean@1",
        b"distinct(99)+distinct(99)+mean@1",
        b"nnm+trust(1)@1",
        b"nnm +mean@1",
        b"krum@1",
        b"mean@1\n",
        b"nnm+" * 8 + b"mean@1",
        b"\xff@1",
        b"drop(3)+" * 60 + b"mean@1",
    ],
)
def test_what_is_no_composition_is_refused(text):
    with pytest.raises(NotCanonical):
        decode_composition(text)


def test_each_composition_says_how_many_updates_it_needs():
    needs = {"mean@6": 1, "median@6": 13, "multi-krum(1)+mean@6": 15, "bulyan@4": 19}
    needs |= {"nnm+trimmed-mean@6": 13, "bucketing(2)+median@3": 13, "drop(3)+nnm+trimmed-mean@6": 13}
    assert {text: decode_composition(text.encode()).min_updates for text in needs} == needs


# ---------------------------------------------------------------------------------------------------- worked by hand


def test_drop_leaves_out_what_is_longer_than_so_many_times_the_median():
    assert by_spec("drop(3)+mean@1", [[2], [2], [6], [7]]) == [3], "6 is three times the median 2, 7 is more"


def test_drop_measures_against_all_updates_whoever_is_left():
    assert by_spec("multi-krum(2)+drop(1)+mean@1", [[0], [1], [5], [6], [90]]) == [3]
    # Sums of three, 6 6 10 10, are compared with so many times three times the median 1.
    assert by_spec("nnm+drop(3)+mean@1", [[1], [1], [4], [5]]) == [2], "up to 9"
    assert by_spec("nnm+drop(4)+mean@1", [[1], [1], [4], [5]]) == [3], "up to 12: rdiv(32, 12)"
    assert by_spec("nnm+drop(1)+mean@1", [[1], [1], [4], [5]]) == [2], "nobody is, and the shortest stay"


def test_a_stage_reckons_with_a_minority_however_few_are_left():
    # dnc leaves three of five. The next one takes one of them for dishonest, not two, and leaves two.
    updates = [[0], [1], [2], [40], [-60]]
    context, rows = make_context(5), ListRows(updates)
    assert len(select(decode_composition(b"dnc+mean@2"), rows, context)) == 3
    assert len(select(decode_composition(b"dnc+dnc+mean@2"), rows, context)) == 2


def test_who_was_left_out_is_not_counted_as_dishonest():
    # Two far ones go. f stays 2, the most that three can withstand is 1: one value is trimmed at each end.
    assert by_spec("drop(3)+trimmed-mean@2", [[1], [1], [4], [90], [-90]]) == [1]
    # Of seven, dnc leaves out two honest ones; two that are left may still be dishonest, and both are trimmed.
    updates = [[50], [-50], [0], [0], [0], [9], [9]]
    assert by_spec("dnc+trimmed-mean@2", updates) == [0]
    assert by_spec("dnc+mean@2", updates) == [4]


def test_krum_takes_the_one_with_the_nearest_neighbours():
    assert by_spec("multi-krum(1)+mean@1", [[0], [1], [2], [50], [3]]) == [1]


def test_bulyan_chooses_and_then_averages_around_the_median():
    updates = [[0], [1], [2], [3], [4], [5], [1000]]
    assert grams.select_bulyan(grams.compute_gram(updates), 1) == [0, 1, 2, 3, 4], "of equal scores the lower slot"
    assert by_spec("bulyan@1", updates) == [2], "three of the five, those next to their median"


def test_linkage_finds_the_component_that_points_the_same_way():
    updates = [[10, 0], [11, 1], [9, 1], [-10, 0], [-11, 1]]
    assert grams.select_linked(grams.compute_gram(updates), 2) == [0, 1, 2]
    assert by_spec("linkage+mean@2", updates) == [10, 1]


def test_the_smallest_diameter_wins_and_of_equals_the_first():
    assert grams.select_smallest_diameter(grams.compute_gram([[0], [5], [6], [7], [30]]), 2) == [1, 2, 3]
    assert grams.select_smallest_diameter(grams.compute_gram([[0], [1], [9], [10]]), 2) == [0, 1]
    assert grams.select_smallest_diameter(grams.compute_gram([[0]] * 60), 30) == list(range(60)), "too many to compare"


def test_dnc_leaves_out_those_far_along_the_main_direction():
    updates = [[1, 0], [0, 1], [-1, 0], [0, -1], [50, 50], [52, 51]]
    assert grams.select_off_direction(grams.compute_gram(updates), 2, grams.square_repeatedly) == [0, 1, 2, 3]


def test_cosine_dnc_sees_directions_and_no_lengths():
    updates = [[10, 0], [20, 1], [9, 1], [30, -1], [-1, 0], [-2, 0]]
    assert by_spec("cosine-dnc+mean@2", updates) == [17, 0], "the two short ones that point back go"
    assert by_spec("dnc+mean@2", updates) == [10, 1], "by length 30 and -2 are the farthest from 11"
    longer = [[1000 * x for x in row] if i % 2 else row for i, row in enumerate(updates)]
    assert grams.select_off_median(grams.compute_gram(longer), 2, grams.square_repeatedly) == [0, 1, 2, 3]


def test_cosine_dnc_measures_from_the_median_since_outliers_move_the_mean():
    # From the mean direction of all five the honest second one would be farther than the fourth, which is not.
    updates = [[10, 2], [10, -1], [10, 1], [6, 6], [3, 9]]
    assert grams.select_off_median(grams.compute_gram(updates), 2, grams.square_repeatedly) == [0, 1, 2]


def test_a_cosine_is_that_of_the_angle_and_none_where_a_vector_is_zero():
    cosines = grams.compute_cosines(grams.compute_gram([[3, 4], [4, 3], [-6, -8], [0, 0]]))
    assert cosines[0] == [1 << 20, (24 << 20) // 25, -(1 << 20), 0]
    assert cosines[3] == [0, 0, 0, 0]


def test_a_guarded_mean_stays_within_what_trimming_half_of_f_leaves():
    assert by_spec("guarded-mean@2", [[0], [1], [2], [3], [100]]) == [3]
    assert by_spec("guarded-mean@2", [[0], [1], [2], [3], [4]]) == [2]
    assert by_spec("guarded-mean@2", [[-100], [1], [2], [3], [4]]) == [1]
    assert by_spec("guarded-mean@9", [[0], [100], [5]]) == [5], "of three no more than one is trimmed at each end"


@given(st.integers(5, 9).flatmap(lambda n: updates_of(n, 3)), st.integers(0, 2))
def test_half_of_f_cannot_move_a_guarded_mean_beyond_the_honest(updates, half):
    got = by_spec(f"guarded-mean@{2 * half}", updates)
    honest = list(zip(*updates[half:], strict=True))
    assert all(min(column) <= x <= max(column) for x, column in zip(got, honest, strict=True))


def test_copies_count_once_and_zeros_never():
    assert by_spec("distinct(99)+mean@2", [[6, 0], [60, 1], [0, 0], [0, 2]]) == [3, 1]
    assert by_spec("distinct(99)+mean@2", [[6, 0], [-60, 0], [0, 2]]) == [-18, 1], "opposites are no copies"
    assert by_spec("distinct(99)+mean@1", [[0, 0], [0, 0]]) == [0, 0], "one stays, so that there is something to take"


def test_where_more_than_f_would_leave_as_copies_honest_clients_are_alike_and_only_zeros_leave():
    alike = [[100, 1], [101, 0], [99, -1], [100, 0]]
    assert by_spec("distinct(99)+mean@2", [*alike, [0, 0]]) == [100, 0]
    assert by_spec("distinct(99)+mean@4", [*alike, [0, 0]]) == [100, 1], "four could all be of one attacker"


@given(st.data())
def test_f_falls_by_no_more_than_the_dishonest_who_left(data):
    """Honest updates here are unlike each other, and the dishonest copy them, each other, or send zeros."""
    f = data.draw(st.integers(0, 4))
    honest = [[1000 * (i == j) + 7 * (i > j) for j in range(5)] for i in range(5)]
    lie = st.one_of(st.sampled_from([*honest, [0] * 5]), st.lists(st.integers(-9, 9), min_size=5, max_size=5))
    sent = [(row, True) for row in honest] + [(data.draw(lie), False) for _ in range(f)]
    order = data.draw(st.permutations(sent))
    kept, gone = select_distinct(grams.compute_gram([row for row, _ in order]), f, 99)
    assert sum(not is_honest for slot in kept for is_honest in [order[slot][1]]) <= f - gone
    assert len(order) - len(kept) <= f


def test_nobody_is_filtered_out_where_nobody_stands_out():
    spread = [[10, 0], [9, 3], [10, -2], [8, 4], [9, -4], [10, 1]]
    assert choose("cosine-filter(3)+mean@2", spread) == [0, 1, 2, 3, 4, 5], "with nobody attacking it costs nothing"
    assert choose("cosine-filter(3)+mean@2", [*spread, [-9, 1], [-90, 0]]) == [0, 1, 2, 3, 4, 5]
    assert choose("cosine-filter(3)+mean@1", [*spread, [-9, 1], [-90, 0]]) == [0, 1, 2, 3, 4, 5, 6], "f is the most"


def test_a_filter_looks_along_one_direction_after_the_other():
    base = [[100, a, b] for a, b in ((9, 0), (-9, 1), (0, 9), (1, -9), (4, 4), (-4, -3), (5, -5), (-6, 5))]
    first, second = [0, 100, 0], [30, 0, 100]
    assert choose("cosine-filter(3)+mean@2", [*base, first, second]) == list(range(8))


def test_values_beyond_the_fences_count_as_the_fence():
    assert by_spec("fenced-mean(1)@1", [[0], [1], [2], [3], [90]]) == [2], "90 as 5"
    assert by_spec("fenced-mean(2)@1", [[0], [1], [2], [3], [90]]) == [3], "90 as 7: 13 / 5"
    assert by_spec("fenced-mean(9)@2", [[0], [0], [0], [80], [-7]]) == [0], "where the middle is still, nobody moves it"


@given(st.integers(5, 9).flatmap(lambda n: updates_of(n, 3)), st.integers(0, 2), st.integers(1, 3))
def test_f_cannot_move_a_fenced_mean_beyond_so_many_ranges_of_the_honest(updates, f, widths):
    got = by_spec(f"fenced-mean({widths})@{f}", updates)
    for x, column in zip(got, zip(*updates[f:], strict=True), strict=True):
        room = widths * (max(column) - min(column))
        assert min(column) - room <= x <= max(column) + room


def test_nnm_divides_once_at_the_end():
    # Nearest two of each: (0,1) (1,0) (3,1), sums 1 1 4; mean 6 / (2 * 3).
    assert by_spec("nnm+mean@1", [[0], [1], [3]]) == [1]


def test_clipping_never_leaves_a_vector_longer_than_the_radius():
    assert by_spec("clip(5)+mean@1", [[30, -40]]) == [3, -4]
    assert by_spec("clip(50)+mean@1", [[30, -40]]) == [30, -40]
    for x, y in ((7, 9), (8388607, 1), (-12345, 54321)):
        out = by_spec("clip(100)+mean@1", [[x, y]])
        assert sum(v * v for v in out) <= 100**2


def test_arc_clips_the_longest_to_the_next():
    # 2f(n - f)/n = 1.5: one is clipped.
    assert by_spec("arc+mean@1", [[1], [2], [3], [400]]) == [2]
    assert by_spec("median-clip+mean@1", [[1], [2], [2], [3], [400]]) == [2]


def test_buckets_hold_everybody_once_and_the_seed_deals():
    mixture, divisor = grams.mix_buckets(5, 2, bytes(32))
    assert divisor == 2
    assert [sum(row) for row in mixture] == [2, 2, 2], "each bucket weighs the same, the last one holds one"
    assert sorted(i for row in mixture for i, part in enumerate(row) if part) == [0, 1, 2, 3, 4]
    deals = {tuple(grams.deal(5, seed.to_bytes(32, "big"))) for seed in range(40)}
    assert len(deals) > 20


def test_the_geometric_median_is_where_most_are():
    assert by_spec("geometric-median@1", [[0, 0], [0, 0], [0, 0], [900, 900]]) == [0, 0]
    assert by_spec("geometric-median@1", [[0, 0], [10, 0], [5, 9]])[0] == 5


def test_centered_clipping_bounds_what_one_can_move():
    assert abs(by_spec("centered-clipping@1", [[10], [10], [10], [8_000_000]])[0] - 10) <= 10


def test_trust_scales_to_the_reference_and_ignores_what_points_away():
    # Client 1 is the reference. Client 2 points the same way, ten times as long; client 3 the other way.
    assert by_spec("trust(1)@1", [[4, 0], [40, 0], [-7, 0]]) == [4, 0]
    assert by_spec("trust(1)@1", [[4, 0], [-40, 0]]) == [0, 0], "nobody is like it"
    with pytest.raises(RuleNotApplicable):
        by_spec("trust(9)@1", [[4], [4]])


def test_foolsgold_silences_clones():
    loud = by_spec("foolsgold@1", [[100, 0, 0], [100, 0, 0], [100, 0, 0], [0, 30, 0], [0, 0, 30]])
    assert loud[0] == 0
    assert loud[1] > 0 < loud[2]


@given(st.lists(st.integers(1, 1 << 40), min_size=1, max_size=5))
def test_the_integer_logarithm_is_within_its_last_bit(values):
    from math import log2

    for value in values:
        assert abs(grams._log2(value) / 65536 - log2(value)) < 2 / 65536


@given(st.integers(2, 8).flatmap(lambda n: updates_of(n, 4)), st.randoms())
def test_no_order_of_clients_changes_a_rule_without_ties(updates, random):
    """Ties go to the lower slot, so only rules without a choice among equals are free of the order."""
    order = list(range(len(updates)))
    random.shuffle(order)
    for text in ("median@1", "trimmed-mean@1", "geometric-median@1", "centered-clipping@1", "arc+mean@1"):
        if text == "arc+mean@1" and len({sum(x * x for x in row) for row in updates}) < len(updates):
            continue
        assert by_spec(text, updates) == by_spec(text, [updates[i] for i in order])
