"""What goes together and what does not: the table, its page, and scripts that ask for too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.compatibility import PAIRS, Answer, Combination, find_pairs, render_table
from ledger.errors import IncompatibleParts, ScriptError
from ledger.script import parse_script
from ledger.script.combining import find_warnings, read_combination

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def write(rule: str = "{name: mean}", clients: int = 20, **noise: object) -> bytes:
    options = {"mechanism": "local", "clip": 0.5, "multiplier": 3.0, "budget": 8.0} | noise
    text = ", ".join(f"{key}: {value}" for key, value in options.items())
    return (
        f"fedtrail: 1\nrun: {{name: n, rounds: 1, rule: {rule}}}\nclients: {{count: {clients}}}\n"
        f"format: {{scale_bits: 16}}\nnoise: {{{text}}}\n"
    ).encode()


IMPOSSIBLE = [
    (Combination(masked=True, stages=("krum",), f=3, clients=20), "a rule over single updates"),
    (Combination(masked=True, stages=("nnm", "trimmed-mean"), f=3), "a rule over single updates"),
    (Combination(masked=True, groups=5, stages=("median",), f=3), "f >= g/2"),
    (Combination(masked=True, groups=5, noise="distributed"), "distributed or central noise"),
    (Combination(masked=True, certified=True), "attestors of availability"),
    (Combination(homomorphic="ckks"), "replay bit for bit"),
    (Combination(homomorphic="bfv", stages=("median",)), "sorting or choosing"),
    (Combination(homomorphic="bfv", masked=True), "secure aggregation"),
    (Combination(homomorphic="bfv", certified=True), "attestors of availability"),
    (Combination(homomorphic="bfv", encrypted=True), "secure aggregation or homomorphic encryption"),
    (Combination(homomorphic="bfv", validated=True), "validation of single updates"),
    (Combination(noise="local", stages=("krum",)), "trust the centre"),
    (Combination(noise="local", stages=("geometric-median",)), "trust the centre"),
    (Combination(noise="local", stages=("median",)), "trust the centre"),
    (Combination(noise="distributed", masked=True, stages=("weighted-mean",)), "plain mean"),
    (Combination(noise="distributed"), "updates in the open"),
    (Combination(noise="central"), "updates in the open"),
    (Combination(masked=True, validated=True), "validation of single updates"),
    (Combination(homomorphic="bfv", scored=True), "scores of single clients"),
]


@pytest.mark.parametrize(("asked", "told"), IMPOSSIBLE)
def test_impossible_combinations_are_refused_with_a_reason_and_what_comes_nearest(asked, told):
    found = find_pairs(asked, Answer.NO)
    assert any(told in pair.second for pair in found)
    assert all(pair.why and pair.nearest for pair in found)


@pytest.mark.parametrize(
    "asked",
    [
        Combination(stages=("krum",), f=3, clients=20),
        Combination(masked=True, groups=7, stages=("median",), f=3),
        Combination(masked=True, noise="distributed", clients=100, epsilon=4),
        Combination(noise="sample", stages=("krum",), f=3, clients=20),
        Combination(noise="local", stages=("nnm", "trimmed-mean"), f=3, clients=20),
        Combination(homomorphic="bfv"),
        Combination(validated=True, scored=True),
    ],
)
def test_what_goes_together_is_not_refused(asked):
    assert find_pairs(asked, Answer.NO) == []


def test_every_pair_of_the_table_is_found_by_something_that_a_task_can_ask_for():
    asked = [each for each, _ in IMPOSSIBLE] + [
        Combination(masked=True, f=1),
        Combination(masked=True, groups=9, stages=("median",), f=2),
        Combination(noise="distributed", against="readers-of-models"),
        Combination(noise="local", stages=("nnm", "trimmed-mean"), scored=True, clients=20, epsilon=3.9),
        Combination(masked=True, noise="distributed"),
        Combination(homomorphic="bfv", f=1),
        Combination(homomorphic="bfv", noise="distributed"),
        Combination(encrypted=True, masked=True),
        Combination(encrypted=True, noise="distributed", against="readers-of-models"),
        Combination(encrypted=True, certified=True, scored=True, stages=("krum",)),
    ]
    assert [pair for pair in PAIRS if not any(pair.applies(each) for each in asked)] == []


def test_a_script_that_asks_for_krum_over_noisy_updates_is_refused_where_it_says_so():
    with pytest.raises(
        IncompatibleParts, match=r"s\.yaml:5:1: noise on updates with Krum.*nearest: multi-krum"
    ) as info:
        parse_script(write("{name: krum, f: 3}"), name="s.yaml")
    assert (info.value.code, info.value.exit_status) == ("FT105", 2)


def test_a_script_with_shares_of_noise_says_whom_they_protect_against():
    with pytest.raises(IncompatibleParts, match="against: readers-of-models"):
        parse_script(write(mechanism="distributed"), name="s.yaml")
    script = parse_script(write(mechanism="distributed", against="readers-of-models"), name="s.yaml")
    assert any("epsilon speaks of models only" in told for told in find_warnings(script))


def test_twenty_clients_at_a_small_epsilon_are_warned_that_it_is_not_useful():
    warned = find_warnings(parse_script(write(budget=4.0), name="s.yaml"))
    assert any("not useful" in told for told in warned)
    assert not any("not useful" in told for told in find_warnings(parse_script(write(budget=9.0), name="s.yaml")))
    hundred = parse_script(write(budget=4.0, clients=100), name="s.yaml")
    assert not any("not useful" in told for told in find_warnings(hundred))


def test_a_script_is_read_as_what_it_asks_for():
    asked = read_combination(parse_script(write("{name: nnm+trimmed-mean, f: 4}"), name="s.yaml"))
    assert (asked.stages, asked.f, asked.clients, asked.noise) == (("nnm", "trimmed-mean"), 4, 20, "local")
    assert read_combination(parse_script(write("{name: trimmed-mean, trim: 3}"), name="s.yaml")).f == 3


@pytest.mark.parametrize(
    ("noise", "told"),
    [
        ({"mechanism": "sample"}, "needs 'rate'"),
        ({"mechanism": "central"}, "needs 'giver'"),
        ({"shares": 4}, "takes no 'shares'"),
        ({"mechanism": "distributed", "shares": 19}, "the quorum guarantees 11"),
        ({"mechanism": "central", "giver": 3}, "'run.quorum' must be 20"),
        ({"mechanism": "central", "giver": 21}, "there is no client 21"),
        ({"multiplier": 100}, "they fit with 'format.scale_bits': 1"),
        ({"clip": "0.00001"}, "clip of local is 0"),
        ({"mechanism": "sample", "rate": 0.5, "steps": 3, "relation": "replace-one"}, "takes no 'relation'"),
        ({"clip": -1}, "noise.clip"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(noise, told):
    with pytest.raises(ScriptError) as info:
        parse_script(write(**noise), name="s.yaml")
    assert told in str([info.value.message, info.value.hint])


def test_the_page_is_what_the_code_says():
    assert render_table() in PAGE.read_text("utf-8"), "run: python scripts/make_compatibility.py"
