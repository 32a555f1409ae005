"""The section `masking:` of a round script: what it means, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from ledger import spec
from ledger.errors import IncompatibleParts, ScriptError
from ledger.script import Script, parse_script


def read(**sections: Any) -> Script:
    script: dict[str, Any] = {
        "fedtrail": 1,
        "run": {"name": "masked", "rounds": 3, "rule": {"name": "sum32"}},
        "clients": {"count": 20},
        "format": {"bound": 1 << 22},
        "masking": {},
    }
    for name, section in sections.items():
        is_part = isinstance(section, dict) and isinstance(script.get(name), dict)
        script[name] = {**script[name], **section} if is_part else section
    return parse_script(yaml.safe_dump(script).encode(), name="masked.yaml")


def test_degree_and_threshold_follow_from_the_number_of_clients() -> None:
    script = read()
    assert script.masking is not None
    assert (script.rule_param, script.masking.get_threshold(20), script.quorum) == (14, 8, 11)
    named = read(masking={"degree": 6, "threshold": 5})
    assert named.masking is not None and (named.rule_param, named.masking.get_threshold(20)) == (6, 5)
    assert read(masking={"degree": 19}).rule_param == 19
    assert read(masking=None).rule_param == 0


def test_what_is_not_enforced_is_said_when_a_script_is_checked() -> None:
    script = read()
    assert script.masking is not None
    told = script.masking.label(20)
    assert "masked among 14 peers, recovered by 8" in told
    assert "equal weights" in told and "no norm is enforced" in told


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"run": {"rule": {"name": "mean"}}}, "masked updates can only be summed: 'run.rule.name' is mean"),
        ({"availability": {"attestors": 3}}, "'availability' and 'masking' exclude each other"),
        (
            {"run": {"rule": {"name": "median"}}, "masking": {"groups": 5}},
            "'masking.groups' is 5: clients would hide in groups of 4, fewer than 'masking.min_group' (8)",
        ),
        ({"masking": {"groups": 2}}, "the rule sum32 is not one over the means of groups"),
        ({"run": {"rule": {"name": "foolsgold", "f": 1}}, "masking": {"groups": 2}}, "the rule foolsgold is not one"),
        (
            {"run": {"rule": {"name": "multi-krum", "f": 2, "select": 3}}, "masking": {"groups": 5, "min_group": 4}},
            "multi-krum(2, 3) needs at least 7 groups, 'masking.groups' is 5",
        ),
        (
            {"run": {"rule": {"name": "mean"}, "quorum": 7}, "masking": {"masks": "aes"}},
            "'run.quorum' is 7, expected 8",
        ),
        ({"clients": {"count": 2}}, "among fewer than 3 clients a sum hides nothing"),
        ({"masking": {"degree": 7}}, "'masking.degree' is 7, expected an even number or 19"),
        ({"masking": {"degree": 20}}, "'masking.degree' is 20, expected an even number or 19"),
        ({"masking": {"degree": 6, "threshold": 7}}, "'masking.threshold' is 7, more than the 6 peers"),
        ({"clients": {"count": 300}, "format": {"bound": spec.MAX_BOUND}}, "'format.bound' must be at most 7158278"),
        (
            {"masking": None, "events": [{"at": "always", "drop": 3, "stage": "unmask"}]},
            "'unmask' is a stage of masked runs",
        ),
    ],
)
def test_what_cannot_be_masked_is_refused_with_its_line(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read(**sections)
    assert message in " ".join([caught.value.message, json.dumps(caught.value.detail, default=str)])


def test_groups_make_a_composed_rule_whose_stages_are_over_means() -> None:
    rules = {
        "mean": ({"name": "mean"}, "mean@0", 1),
        "median": ({"name": "median"}, "median@2", 5),
        "trimmed": ({"name": "trimmed-mean", "trim": 2}, "trimmed-mean@2", 5),
        "krum": ({"name": "krum", "f": 1}, "multi-krum(1)+mean@1", 5),
        "composed": ({"name": "nnm+trimmed-mean", "f": 2}, "nnm+trimmed-mean@2", 5),
    }
    for rule, text, fewest in rules.values():
        script = read(run={"rule": rule}, masking={"groups": 5, "min_group": 4})
        assert (script.rule, str(script.composition), script.rule_param) == (spec.Rule.COMPOSED, text, fewest)
        assert (script.divisor, script.quorum) == (1, max(11, 4 * fewest))
    plain = read()
    assert (plain.rule, plain.composition, plain.divisor) == (spec.Rule.SUM32, None, 20)


@pytest.mark.parametrize("rule", [{"name": "trimmed-mean", "trim": 3}, {"name": "nnm+median", "f": 3}], ids=str)
def test_as_many_dishonest_clients_as_half_of_the_groups_are_refused_with_the_reason(rule: dict[str, Any]) -> None:
    with pytest.raises(IncompatibleParts, match="a majority of honest groups is not guaranteed"):
        read(run={"rule": rule}, masking={"groups": 5, "min_group": 4})


def test_masks_in_aes_take_any_rule_over_one_mean_and_say_that_no_court_judges_them() -> None:
    script = read(run={"rule": {"name": "mean"}}, masking={"masks": "aes"})
    assert script.masking is not None and str(script.composition) == "mean@0"
    told = script.masking.label(20)
    assert "groups: 1, at least 8 updates in a sum; replayed, judged by no court" in told
    noise = {"mechanism": "distributed", "clip": 1.0, "multiplier": 2.0, "budget": 50.0}
    coarse = {"scale_bits": 16}
    term = read(run={"rule": {"name": "mean"}}, masking={"masks": "aes"}, noise=noise, format=coarse).noise_term
    assert term is not None and term.clip == 1 << 16  # nobody divides it before the sum
    with pytest.raises(IncompatibleParts, match="one sum with everybody's noise"):
        read(run={"rule": {"name": "mean"}}, masking={"groups": 2}, noise=noise, format=coarse)


def test_clients_drop_out_of_masked_runs_at_a_stage() -> None:
    script = read(events=[{"at": "round 2", "drop": [3, 4], "stage": "shares"}, {"at": "always", "drop": 5}])
    assert [event.stage for event in script.events] == ["shares", "start"]  # type: ignore[union-attr]


def test_noise_is_scaled_to_updates_that_are_divided_by_all_clients() -> None:
    noise = {"mechanism": "distributed", "clip": 1.0, "multiplier": 2.0, "budget": 50.0}
    masked = read(noise=noise).noise_term
    assert masked is not None
    assert masked.clip == (1 << 20) // 20
    # Twice the clip over the root of the shares, each rounded up.
    assert 0 <= masked.variance - (2 * masked.clip) ** 2 / masked.shares <= 2
