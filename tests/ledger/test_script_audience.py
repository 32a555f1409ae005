"""The section `audience:` of round scripts: what it says, and what it does not go together with."""

import pytest

from ledger.compatibility import Answer, find_pairs
from ledger.errors import IncompatibleParts, ScriptError
from ledger.script import Script, parse_script
from ledger.script.combining import find_warnings, read_combination

PLAIN = "fedtrail: 1\nrun: {name: r, rounds: 2, rule: {name: RULE}}\nclients: {count: 6}\n"


def load(text: str, rule: str = "mean") -> Script:
    return parse_script((PLAIN.replace("RULE", rule) + text).encode(), name="r.yaml")


def test_an_empty_section_has_one_auditor_and_names_who_reads() -> None:
    section = load("audience: {}").audience
    assert section is not None
    assert section.label(0) == "encrypted to the aggregator and 1 auditor"
    assert section.label(3) == "encrypted to the aggregator and 3 attestors and 1 auditor"


def test_a_script_may_have_no_auditor_but_the_aggregator() -> None:
    section = load("audience: {auditors: 0}").audience
    assert section is not None and section.label(0) == "encrypted to the aggregator"


@pytest.mark.parametrize("auditors", [-1, 17])
def test_a_script_with_too_many_or_too_few_auditors_is_refused(auditors: int) -> None:
    with pytest.raises(ScriptError, match="auditors"):
        load(f"audience: {{auditors: {auditors}}}")


def test_auditors_that_were_registered_elsewhere_are_named_by_number_once() -> None:
    section = load("audience: {auditors: 0, others: [12, 7]}").audience
    assert section is not None and section.label(0) == "encrypted to the aggregator and 2 auditors"
    for others in ("[7, 7]", "[0]", "[auditor-1]"):
        with pytest.raises(ScriptError, match="others"):
            load(f"audience: {{others: {others}}}")
    with pytest.raises(ScriptError, match="65 readers"):
        load(f"audience: {{auditors: 0, others: {list(range(1, 64))}}}")


def test_masked_updates_are_not_encrypted_to_an_audience_and_the_reason_is_told() -> None:
    with pytest.raises(IncompatibleParts, match="tells its readers nothing"):
        load("audience: {}\nmasking: {degree: 4}", rule="sum32")


def test_an_oversized_update_cannot_be_sealed() -> None:
    with pytest.raises(ScriptError, match="oversized"):
        load("audience: {}\nevents: [{at: round 1, client: 1, malform: oversized}]")


def test_rules_and_noise_of_single_updates_go_together_with_an_audience() -> None:
    script = load("audience: {}\nnoise: {mechanism: local, clip: 0.5, multiplier: 1, budget: 100}")
    found = find_pairs(read_combination(script), Answer.YES)
    assert [pair.first for pair in found] == ["updates encrypted to an audience"]


@pytest.mark.parametrize(
    ("section", "rule", "told"),
    [
        ("scores: {}", "mean", "scores are on the chain"),
        ("availability: {}", "mean", "64 leaves"),
        ("", "weighted-mean", "distances of all pairs, or weights"),
    ],
)
def test_what_the_chain_shows_all_the_same_is_told(section: str, rule: str, told: str) -> None:
    assert any(told in warning for warning in find_warnings(load(f"audience: {{}}\n{section}", rule)))
    assert not any(told in warning for warning in find_warnings(load(section, rule)))


def test_noise_that_speaks_of_models_alone_hides_updates_from_outsiders_with_an_audience() -> None:
    noise = "noise: {mechanism: distributed, clip: 0.5, multiplier: 1, budget: 100, against: readers-of-models}"
    assert any("whoever reads the store" in warning for warning in find_warnings(load(noise)))
    assert not any("whoever reads the store" in warning for warning in find_warnings(load(f"audience: {{}}\n{noise}")))
