"""Attestors sign what could be had, certify together, and show it to who demands it, on a real node."""

from __future__ import annotations

import signal
import time

import pytest
from command_line import Cli
from crashing import count_and_kill, in_child
from stepped_round import SteppedRound

from ledger import spec
from ledger.chain import Chain
from ledger.cli import main
from ledger.project import Project
from ledger.store import open_store

pytestmark = pytest.mark.chain

Rows = list[dict[str, object]]


@pytest.fixture
def committed(in_served: Project, chain: Chain) -> SteppedRound:
    """A round whose commit phase is over and in which nobody has published anything yet."""
    made = SteppedRound(in_served, chain, str(time.time_ns()))
    made.commit()
    return made


def attest(cli: Cli, who: str, made: SteppedRound) -> Rows:
    """Look once as an attestor, and return what was told about a round."""
    told = cli("attest", "--attestor", who, "--once", "--format", "json").json["data"]
    return [row for row in told if row["round_id"] == str(made.round_id)]


def list_steps(rows: Rows) -> list[object]:
    return [row["what"] for row in rows]


def read_statements(project: Project, chain: Chain, round_id: int) -> dict[str, bytes]:
    folder = project.state_dir / "statements" / chain.fingerprint / str(round_id)
    return {path.stem: path.read_bytes() for path in folder.glob("*.json")}


def test_two_of_three_attestors_certify_a_round_whose_updates_are_all_there(
    cli: Cli, chain: Chain, committed: SteppedRound
) -> None:
    committed.publish("b1", "b2", "b3")
    assert list_steps(attest(cli, "att1", committed)) == ["signed"]
    assert chain.get_certificate(committed.round_id) is None
    told = attest(cli, "att2", committed)
    assert list_steps(told) == ["signed", "certified"]
    assert chain.get_certificate(committed.round_id) == spec.keccak256(b"")
    assert attest(cli, "att3", committed) == []  # it is certified: nothing is left to say
    committed.end_data_phase()
    committed.propose()  # which the ledger takes only with a certificate that agrees
    assert chain.get_round(committed.round_id).phase is spec.Phase.PROPOSED


def test_a_client_has_until_the_end_of_the_data_phase_and_is_then_excluded(
    cli: Cli, chain: Chain, committed: SteppedRound
) -> None:
    committed.publish("b1", "b3")
    assert attest(cli, "att1", committed) == []
    committed.end_data_phase()
    assert attest(cli, "att1", committed)[0]["message"] == "1 excluded"
    attest(cli, "att3", committed)
    late = spec.encode_exclusions([(committed.ids["b2"], 801)])
    assert chain.get_certificate(committed.round_id) == spec.keccak256(late)


def test_an_attestor_never_says_two_things_about_one_round(
    cli: Cli, in_served: Project, chain: Chain, committed: SteppedRound
) -> None:
    committed.publish("b1", "b2", "b3")
    attest(cli, "att1", committed)
    said = read_statements(in_served, chain, committed.round_id)
    committed.publish("b1")
    committed.end_data_phase()
    assert attest(cli, "att1", committed) == []
    assert read_statements(in_served, chain, committed.round_id) == said


@pytest.mark.parametrize("step", [1, 2])
def test_an_attestor_killed_before_or_after_it_decided_says_one_thing(
    step: int, cli: Cli, in_served: Project, chain: Chain, committed: SteppedRound
) -> None:
    committed.publish("b1", "b2", "b3")
    assert in_child(lambda: _look_and_die(step)) == -signal.SIGKILL
    committed.publish("b1")
    committed.end_data_phase()
    attest(cli, "att1", committed)
    (said,) = read_statements(in_served, chain, committed.round_id).values()
    # Killed before the note it judges anew; after it, it stands by what it noted.
    excluded = spec.encode_exclusions([(committed.ids["b2"], 801), (committed.ids["b3"], 801)])
    assert (excluded.hex().encode() in said) is (step == 1)


def _look_and_die(step: int) -> None:
    count_and_kill(step)
    main(["attest", "--attestor", "att1", "--once"])


def test_statements_that_are_forged_or_broken_count_for_nobody(
    cli: Cli, in_served: Project, chain: Chain, committed: SteppedRound
) -> None:
    committed.publish("b1", "b2", "b3")
    attest(cli, "att1", committed)
    folder = in_served.state_dir / "statements" / chain.fingerprint / str(committed.round_id)
    mine = (folder / f"{committed.ids['att1']}.json").read_bytes()
    forged = mine.replace(b'"attestor": %d' % committed.ids["att1"], b'"attestor": %d' % committed.ids["att2"])
    assert forged != mine
    (folder / f"{committed.ids['att2']}.json").write_bytes(forged)
    (folder / "rubbish.json").write_bytes(b"[]")
    (folder / "endless.json").write_bytes(b" " * 300_000)
    assert attest(cli, "att1", committed) == []
    assert chain.get_certificate(committed.round_id) is None
    assert list_steps(attest(cli, "att3", committed)) == ["signed", "certified"]


def test_only_an_attestor_attests(cli: Cli, committed: SteppedRound) -> None:
    answer = cli("attest", "--attestor", "b1", "--once")
    assert (answer.status, "FT605" in answer.err) == (6, True)


# ------------------------------------------------------------------------------------------------------------- demands


@pytest.fixture
def proposed(cli: Cli, committed: SteppedRound) -> SteppedRound:
    """A certified round with an honest proposal."""
    committed.publish("b1", "b2", "b3")
    attest(cli, "att1", committed)
    attest(cli, "att2", committed)
    committed.end_data_phase()
    committed.propose()
    return committed


def look_as(stranger: Project, cli: Cli, *arguments: object) -> Rows:
    """Let the stranger watch once and dispute; return what was told."""
    options = ("--open-disputes", "--once", "--format", "json", "--project", stranger.root)
    return list(cli("watch", *options, *arguments).json["data"])


def about(made: SteppedRound, rows: Rows) -> list[tuple[object, object]]:
    return [(row["what"], row["verdict"]) for row in rows if row["round_id"] == str(made.round_id)]


def test_a_watcher_that_lacks_an_update_demands_a_leaf_and_an_attestor_shows_it(
    cli: Cli, chain: Chain, proposed: SteppedRound, stranger: Project
) -> None:
    proposed.give(open_store(stranger.store_path, ipfs=None), without="b2")
    told = look_as(stranger, cli)
    found = about(proposed, told)
    assert found == [("replayed", "incomplete"), ("demand leaves", None)], [r["message"] for r in told]
    assert chain.get_round(proposed.round_id).open_disputes == 1
    listed = cli("dispute", "list", "--format", "json").json["data"]
    assert [row["status"] for row in listed if row["round_id"] == str(proposed.round_id)] == ["demand open"]
    assert list_steps(attest(cli, "att1", proposed)) == ["answer"]
    assert chain.get_round(proposed.round_id).open_disputes == 0
    assert attest(cli, "att2", proposed) == []
    assert about(proposed, look_as(stranger, cli)) == [("replayed", "incomplete")]
    assert len(chain.events(names=("LeavesDemanded",), round_id=proposed.round_id)) == 1


def test_withheld_leaves_void_the_round_and_the_watcher_is_paid(
    cli: Cli, chain: Chain, proposed: SteppedRound, stranger: Project
) -> None:
    proposed.give(open_store(stranger.store_path, ipfs=None), without="b1")
    assert ("demand leaves", None) in about(proposed, look_as(stranger, cli))
    (event,) = chain.events(names=("LeavesDemanded",), round_id=proposed.round_id)
    chain.wait_until(event.args["demand"]["deadline"] + 1)
    assert ("withheld", None) in about(proposed, look_as(stranger, cli))
    assert chain.get_round(proposed.round_id).phase is spec.Phase.VOIDED
    chain.wait_until(chain.get_verdict(proposed.round_id).proven_at + 3601)
    paid = about(proposed, look_as(stranger, cli))
    assert paid == [("replayed", "incomplete"), ("claim", None), ("closed", None)]


def test_an_aggregator_that_is_defended_answers_by_itself(
    cli: Cli, chain: Chain, proposed: SteppedRound, stranger: Project
) -> None:
    proposed.give(open_store(stranger.store_path, ipfs=None), without="b2")
    look_as(stranger, cli)
    told = cli("watch", "--once", "--defend", "boarded", "--format", "json").json["data"]
    assert ("answer", None) in about(proposed, told)
    assert chain.get_round(proposed.round_id).open_disputes == 0


def test_anybody_with_the_bytes_answers_by_hand(
    cli: Cli, chain: Chain, proposed: SteppedRound, stranger: Project
) -> None:
    proposed.give(open_store(stranger.store_path, ipfs=None), without="b3")
    look_as(stranger, cli)
    told = cli("dispute", "answer", proposed.round_id, "--format", "json").json["data"]
    assert [row["what"] for row in told] == ["answer"]
    assert cli("dispute", "answer", proposed.round_id, "--format", "json").json["data"] == []
    assert chain.get_round(proposed.round_id).open_disputes == 0


def test_a_demand_that_nobody_answered_is_closed_by_hand(
    cli: Cli, chain: Chain, proposed: SteppedRound, stranger: Project
) -> None:
    proposed.give(open_store(stranger.store_path, ipfs=None), without="b1")
    look_as(stranger, cli)
    (event,) = chain.events(names=("LeavesDemanded",), round_id=proposed.round_id)
    chain.wait_until(event.args["demand"]["deadline"] + 1)
    answer = cli("dispute", "resolve", proposed.round_id, "--wait", "--format", "json")
    assert answer.status == 0, answer.err
    assert "withheld" in answer.err
    fault = cli("dispute", "show", proposed.round_id, "--format", "json").json["data"]["faults"][0]
    assert (fault["reason"], fault["status"]) == ("withheld update", "paid")


# Last: the key that the other tests register is gone after it.
def test_an_attestor_whose_key_is_replaced_in_mid_round_signs_with_the_key_of_the_rounds_opening(
    cli: Cli, chain: Chain, committed: SteppedRound
) -> None:
    committed.publish("b1", "b2", "b3")
    assert cli("key", "rotate", "att1").status == 0
    assert list_steps(attest(cli, "att1", committed)) == ["signed"]
    assert list_steps(attest(cli, "att2", committed)) == ["signed", "certified"]
