"""The section `homomorphic:` of a round script, and what it excludes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ledger.errors import IncompatibleParts, ScriptError
from ledger.script import Script, parse_script


def parse(**sections: Any) -> Script:
    script: dict[str, Any] = {
        "fedtrail": 1,
        "run": {"name": "sums", "rounds": 1, "rule": {"name": "sum32"}},
        "clients": {"count": 4},
        "homomorphic": {},
    }
    for name, value in sections.items():
        script[name] = {**script[name], **value} if isinstance(value, dict) and name in script else value
    return parse_script(yaml.safe_dump(script).encode(), name="sums.yaml")


def test_a_homomorphic_script_divides_by_its_clients_and_says_what_it_does_not_do() -> None:
    script = parse(events=[{"at": "round 1", "drop": 2, "stage": "decrypt"}])
    assert script.hides_updates and script.rule_param == 0
    assert script.homomorphic is not None and "no norm is enforced" in script.homomorphic.label(4)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"run": {"rule": {"name": "mean"}}}, "can only be summed"),
        ({"run": {"dispute": True}}, "no court can open"),
        ({"run": {"mode": "accumulated"}}, "could not be abandoned"),
        ({"clients": {"count": 2}}, "3 to 1000 clients"),
        ({"format": {"bound": (1 << 23) - 1}, "clients": {"count": 300}}, "leave 32 bits"),
        ({"events": [{"at": "always", "drop": 1, "stage": "unmask"}]}, "'unmask' is a stage of masked runs"),
        ({"homomorphic": None, "events": [{"at": "always", "drop": 1, "stage": "decrypt"}]}, "homomorphic runs"),
    ],
)
def test_what_a_homomorphic_script_contradicts_is_refused(sections: dict[str, Any], told: str) -> None:
    with pytest.raises(ScriptError, match=told):
        parse(**sections)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"homomorphic": {"scheme": "ckks"}}, "CKKS with replay bit for bit.*nearest: BFV"),
        ({"masking": {}}, "homomorphic encryption with secure aggregation"),
        ({"run": {"rule": {"name": "median"}}}, "sorting or choosing"),
        ({"scores": {}}, "scores of single clients"),
        ({"availability": {"attestors": 3}}, "attestors of availability"),
    ],
)
def test_what_goes_together_with_no_homomorphic_sum_is_refused_with_what_comes_nearest(
    sections: dict[str, Any], told: str
) -> None:
    with pytest.raises(IncompatibleParts, match=told):
        parse(**sections)
