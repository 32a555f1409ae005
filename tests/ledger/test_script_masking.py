"""The section `masking:` of a round script: what it means, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from ledger import spec
from ledger.errors import ScriptError
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
