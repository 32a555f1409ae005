"""A run whose first aggregator lies: proved, slashed, and the round run again by the next one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fl.federation import Federation, RunResult
from ledger import spec
from ledger.errors import NotFoundError
from ledger.project import Project
from ledger.records import Verdict

ScriptWriter = Callable[..., Path]
ETHER = 10**18
LIE = {"at": "round 2", "aggregator": "tamper", "coordinate": 17}


def run(
    project: Project, write: ScriptWriter, name: str | None = None, **sections: object
) -> tuple[Federation, RunResult]:
    script = write(name, run={"rounds": 3, "dispute": True}, aggregator={"count": 2}, **sections)
    federation = Federation.start(project, script)
    return federation, federation.run()


def test_a_lie_is_proved_and_the_next_aggregator_runs_the_round_again(
    project: Project, write_script: ScriptWriter
) -> None:
    federation, result = run(project, write_script, events=[LIE])
    assert [(item.number, item.verdict) for item in result.rounds] == [
        (1, Verdict.PASS),
        (2, Verdict.FAIL),
        (2, Verdict.PASS),
        (3, Verdict.PASS),
    ]
    struck = result.rounds[1].conviction
    assert struck is not None and struck.coordinate == 17 and struck.claimed == struck.recomputed + 1
    assert (struck.to_challenger_wei, struck.to_clients_wei, struck.burnt_wei) == (
        4 * ETHER // 10,
        ETHER // 10,
        ETHER // 2,
    )
    phases = [federation.chain.get_round(item.round_id).phase for item in result.rounds]
    assert phases == [spec.Phase.FINALISED, spec.Phase.VOIDED, spec.Phase.FINALISED, spec.Phase.FINALISED]
    assert result.verdict is Verdict.PASS


def test_the_model_after_a_struck_round_is_that_of_an_honest_run(project: Project, write_script: ScriptWriter) -> None:
    _, struck = run(project, write_script, events=[LIE], name="struck")
    _, honest = run(project, write_script, name="honest")
    assert struck.model == honest.model
    assert all(item.conviction is None for item in honest.rounds)


def test_a_run_with_a_struck_round_is_resumed_without_sending_anything(
    project: Project, write_script: ScriptWriter
) -> None:
    federation, first = run(project, write_script, events=[LIE])
    sent = federation.chain.gas_used("")
    again = Federation.resume(project, federation.script.run.name)
    second = again.run()
    assert again.chain.gas_used("") == sent
    assert [item.round_id for item in second.rounds] == [item.round_id for item in first.rounds]
    assert second.rounds[1].conviction == first.rounds[1].conviction


def test_without_disputes_a_lie_ends_the_run(project: Project, write_script: ScriptWriter) -> None:
    script = write_script(run={"rounds": 3}, aggregator={"count": 2}, events=[LIE])
    result = Federation.start(project, script).run()
    assert [item.verdict for item in result.rounds] == [Verdict.PASS, Verdict.FAIL]
    assert result.rounds[1].conviction is None


def test_a_wrong_mean_of_those_that_a_composed_rule_chose_costs_the_bond(
    project: Project, write_script: ScriptWriter
) -> None:
    rule = {"name": "drop(3)+linkage+mean", "f": 1}
    script = write_script(
        "composed",
        run={"rounds": 1, "dispute": True, "rule": rule},
        aggregator={"count": 2},
        events=[{"at": "round 1", "aggregator": "tamper", "coordinate": 17}],
    )
    result = Federation.start(project, script).run()
    struck = result.rounds[0].conviction
    assert struck is not None and struck.coordinate == 17 and struck.claimed == struck.recomputed + 1
    assert [item.verdict for item in result.rounds] == [Verdict.FAIL, Verdict.PASS]


def test_a_lie_under_a_rule_that_no_court_knows_ends_the_run_with_the_evidence(
    project: Project, write_script: ScriptWriter
) -> None:
    rule = {"name": "nnm+median", "f": 1}
    script = write_script(
        "replayed",
        run={"rounds": 1, "dispute": True, "rule": rule},
        aggregator={"count": 2},
        events=[{"at": "round 1", "aggregator": "tamper", "coordinate": 17}],
    )
    federation = Federation.start(project, script)
    with pytest.raises(NotFoundError, match="no court judges this composed rule"):
        federation.run()
    assert federation.chain.get_round(federation.chain.count_rounds()).phase is spec.Phase.PROPOSED
