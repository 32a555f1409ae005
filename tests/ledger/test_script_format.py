"""The section `format:` of a round script: how many bits a coordinate of an update is stored with."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ledger import spec
from ledger.errors import ScriptError
from ledger.script import Script, parse_script


def read(**sections: Any) -> Script:
    rule = "mean" if "masking" not in sections else "sum32"
    run = {"name": "narrow", "rounds": 1, "rule": {"name": rule}}
    script = {"fedtrail": 1, "run": run, "clients": {"count": 20}, **sections}
    return parse_script(yaml.safe_dump(script).encode(), name="narrow.yaml")


def test_updates_have_32_bits_a_coordinate_unless_a_script_says_16() -> None:
    assert read().format.update_kind is spec.Kind.UPDATE and read().terms == ()
    script = read(format={"bits": 16, "bound": 32767, "scale_bits": 12})
    assert script.format.update_kind is spec.Kind.NARROW
    assert script.terms == (("coordinates", "int16"),)


def test_a_bound_that_16_bits_do_not_hold_is_refused() -> None:
    for changes in ({}, {"bound": 32768}):
        with pytest.raises(ScriptError, match="32767"):
            read(format={"bits": 16, **changes})
    with pytest.raises(ScriptError, match="bits"):
        read(format={"bits": 8})


def test_masked_updates_take_all_32_bits() -> None:
    read(masking={})
    with pytest.raises(ScriptError, match="neither masked"):
        read(masking={}, format={"bits": 16, "bound": 32767})
