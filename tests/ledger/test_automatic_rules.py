"""`rule: auto` of a round script becomes a composition with its f before anything is hashed."""

from __future__ import annotations

import pytest

from ledger.errors import ScriptError
from ledger.script import Script, parse_script
from ledger.script.automatic import AUTO_STAGES, choose_f


def script_with(rule: str, count: int = 10, more: str = "") -> Script:
    text = f"fedtrail: 1\nrun: {{name: a, rounds: 1, rule: {rule}}}\nclients: {{count: {count}}}\n{more}"
    return parse_script(text.encode(), name="a.yaml")


@pytest.mark.parametrize("rule", ["auto", "{name: auto}"])
def test_auto_is_written_out_as_a_composition_for_three_tenths_of_the_clients(rule: str) -> None:
    chosen = script_with(rule).run.rule
    assert str(chosen.composition) == f"{AUTO_STAGES}@3"
    assert chosen.parameter == 7, "the ledger asks for 2f + 1 updates"


def test_whoever_knows_f_says_so() -> None:
    assert str(script_with("{name: auto, f: 2}").run.rule.composition) == f"{AUTO_STAGES}@2"
    with pytest.raises(ScriptError, match="needs at least 11 clients"):
        script_with("{name: auto, f: 5}")


def test_auto_may_be_a_twin_too() -> None:
    script = script_with("{name: mean}", more="compare: [auto, {name: median}]")
    assert [rule.label for rule in script.compare] == [f"{AUTO_STAGES}@3", "median"]


def test_any_number_of_clients_has_a_rule_that_takes_its_updates() -> None:
    for count in range(1, 60):
        assert script_with("auto", count).run.rule.min_updates <= count
    assert [choose_f(count) for count in (1, 2, 3, 4, 6, 7, 10, 20)] == [0, 0, 1, 1, 1, 2, 3, 6]


@pytest.mark.parametrize(
    ("rule", "count", "what"),
    [("{name: auto, trim: 1}", "10", "takes no 'trim'"), ("auto", "many", "'clients.count' is 'many'")],
)
def test_what_is_wrong_beside_auto_is_named(rule: str, count: str, what: str) -> None:
    with pytest.raises(ScriptError, match=what):
        script_with(rule, count)  # type: ignore[arg-type]  # as a file may have it
