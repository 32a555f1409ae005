"""Whole runs and ledgers, replayed; stakes, slashes and ETH against the events."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from audited_run import AuditedRun
from command_line import run_process

from ledger import bookkeeping
from ledger.bookkeeping import Books, check_books
from ledger.records import Verdict
from ledger.replays import replay_rounds
from ledger.spec import Phase

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def books(audited_run: AuditedRun) -> Books:
    chain = audited_run.chain
    balance = chain.get_balance(chain.contracts.addresses["registry"])
    return Books(participants=chain.participants(), balance_wei=balance)


@pytest.fixture(scope="module")
def events(audited_run: AuditedRun):
    return audited_run.chain.events(names=bookkeeping.NAMES)


def test_every_round_of_an_honest_run_passes_and_what_a_court_struck_needs_no_pursuing(audited_run: AuditedRun):
    replayed = list(replay_rounds(audited_run.chain, audited_run.store, audited_run.round_ids))
    verdicts = {each.record.round_id: each.report.verdict for each in replayed}
    assert verdicts == {1: Verdict.PASS, 2: Verdict.PASS, 3: Verdict.FAIL, 4: Verdict.PASS}
    assert [each.unsettled for each in replayed] == [(), (), (), ()]
    assert replayed[2].record.phase is Phase.VOIDED


def test_a_court_that_strikes_an_honest_round_is_a_finding(audited_run: AuditedRun):
    class Accusing:
        """The same ledger, on which a court has struck an honest round, too."""

        def __getattr__(self, name: str):
            return getattr(audited_run.chain, name)

        def events(self, *args, **kwargs):
            found = audited_run.chain.events(*args, **kwargs)
            if kwargs.get("names") == ("Voided",):
                found += [replace(event, args={**event.args, "round_id": 1}) for event in found]
            return found

    (replayed,) = replay_rounds(Accusing(), audited_run.store, [1])
    assert [finding.error.code for finding in replayed.unsettled] == ["FT702"]
    assert "a court struck the round" in replayed.unsettled[0].error.message


def test_the_books_of_an_honest_ledger_add_up(events, books: Books):
    assert [event.name for event in events].count("Slashed") == 1
    assert check_books(events, books) == []


@dataclass(frozen=True)
class Held:
    id: int
    stake_wei: int
    locked_wei: int


def test_a_stake_that_no_event_tells_of_is_found(events, books: Books):
    first = books.participants[0]
    other = Held(first.id, first.stake_wei + 1, first.locked_wei)
    (error,) = check_books(events, replace(books, participants=[other, *books.participants[1:]]))
    assert (error.code, f"participant {first.id}" in error.message) == ("FT709", True)


def test_a_participant_that_no_event_tells_of_is_found(events, books: Books):
    (error,) = check_books(events, replace(books, participants=[*books.participants, Held(99, 1, 0)]))
    assert "no participant" in error.message


def test_a_dropped_deposit_shows_in_stake_and_balance(events, books: Books):
    dropped = next(event for event in events if event.name == "Registered")
    whats = {error.detail["what"] for error in check_books([e for e in events if e is not dropped], books)}
    assert f"participant {dropped.args['id']}" in whats


def test_a_slash_without_a_cause_is_found(events, books: Books):
    told = [event for event in events if event.name != "Settled"]
    assert [error.detail["got"] for error in check_books(told, books)] == ["a slash"]
    told = [event for event in events if event.name != "Voided"]
    assert [error.detail["got"] for error in check_books(told, books)] == ["a slash"]


def test_a_slash_of_which_the_challenger_had_too_much_is_found(events, books: Books):
    told = [
        replace(e, args={**e.args, "to_challenger": e.args["to_challenger"] + 1, "burnt": e.args["burnt"] - 1})
        if e.name == "Slashed"
        else e
        for e in events
    ]
    (error,) = check_books(told, books)
    assert error.detail["what"].startswith("slash of participant")


def test_eth_that_left_without_a_claim_is_found(events, books: Books):
    (error,) = check_books(events, replace(books, balance_wei=books.balance_wei - 1))
    assert error.detail["what"] == "ETH of the registry"
    assert check_books(events, replace(books, balance_wei=books.balance_wei + 1)) == [], "anybody may send ETH"


def test_run_replay_and_fsck_tell_every_round_and_end_well(audited_run: AuditedRun):
    for command in (["run", "replay", audited_run.name], ["audit", "fsck"]):
        answer = run_process(*command, "--format", "json", cwd=audited_run.project.root)
        assert answer.status == 0, answer.err
        assert [(row["round_id"], row["phase"], row["verdict"]) for row in answer.json["data"]] == [
            ("1", "finalised", "pass"),
            ("2", "finalised", "pass"),
            ("3", "voided", "fail"),
            ("4", "finalised", "pass"),
        ]


def test_fsck_of_a_store_without_an_update_says_what_is_missing_and_replays_the_rest(
    audited_run: AuditedRun, tmp_path: Path
):
    project = tmp_path / "copy"
    shutil.copytree(audited_run.project.root, project)
    (round_1,) = [each.record for each in replay_rounds(audited_run.chain, audited_run.store, [1])]
    blocks = [path for path in project.rglob("*.data") if path.is_file()]
    for block in blocks:
        if block.read_bytes() == round_1.updates[round_1.members[0].client].data:
            block.unlink()
    answer = run_process("audit", "fsck", "--format", "json", cwd=project)
    assert (answer.status, answer.json["error"]["code"]) == (8, "FT801")
    assert [row["verdict"] for row in answer.json["data"]["rounds"]] == ["incomplete", "pass", "fail", "pass"]
