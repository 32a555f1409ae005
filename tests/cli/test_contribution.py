"""What clients of a real round are worth by its test set: `fedtrail contribution`."""

from __future__ import annotations

from fractions import Fraction

import pytest
from command_line import Cli
from scripted_runs import run_honest, run_tampered

from ledger.project import Project

pytestmark = pytest.mark.chain


def test_values_of_a_round_add_up_to_what_it_gained_and_are_no_more_than_claimed(cli: Cli, in_served: Project) -> None:
    run_honest(in_served, "shared", events=[{"at": "always", "client": 5, "attack": "free-ride-zero"}])
    for method in ("shapley", "gtg", "loo"):
        document = cli("contribution", "show", "shared", "--round", "1", "--method", method, "--format", "json").json
        assert document["grade"] == "CLAIMED"
        assert document["test_set"].startswith("digits test, 359 examples, sha256 ")
        values = [Fraction(row["exact"]) for row in document["data"]]
        ends = document["right_predictions"]
        if method != "loo":
            assert sum(values) == ends["everybody"] - ends["nobody"]
        assert [row["name"] for row in document["data"]] == ["c1", "c2", "c3", "c4", "c5"]
        assert values[4] < max(values)
    answer = cli("contribution", "show", "shared", "--round", "1")
    assert answer.status == 0
    assert "CLAIMED" in answer.err
    assert "never pay by it alone" in answer.err


def test_a_round_whose_replay_fails_has_no_contributions(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "tampered")
    assert cli("contribution", "show", "tampered", "--round", "1").status == 7
    assert cli("contribution", "show", "tampered", "--round", "2").status == 5
