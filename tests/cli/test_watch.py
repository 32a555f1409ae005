"""A watcher finds what is wrong, proves it and collects the reward by itself: `fedtrail watch` on a real node."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from command_line import COMMAND, Cli
from scripted_runs import run_honest, run_tampered

from ledger import spec
from ledger.audit import is_published, replay
from ledger.chain import Chain
from ledger.devnet import funded_account
from ledger.history import load_round
from ledger.journal import Journal
from ledger.project import Project
from ledger.proving import make_proof
from ledger.store import open_store
from ledger.watching import Challenger

pytestmark = pytest.mark.chain

REWARD_WEI = 4 * 10**17
"""Two fifths of a bond of one ether."""


def watch(cli: Cli, *arguments: object) -> list[dict[str, object]]:
    """Look once and return what was told."""
    answer = cli("watch", "--once", "--format", "json", *arguments)
    return list(answer.json["data"])


def list_steps(told: list[dict[str, object]]) -> list[object]:
    return [row["what"] for row in told]


def get_last_round(chain: Chain) -> int:
    return chain.count_rounds()


def count_sent(project: Project) -> int:
    journal = Journal(project.journal_path)
    count = len(journal.entries(Chain.connect(project.network(), journal)._sending.scope))
    journal.close()
    return count


def test_a_tampered_proposal_is_found_proved_and_paid_without_anybody_typing(
    cli: Cli, in_served: Project, chain: Chain
) -> None:
    run_tampered(in_served, "paid")
    operator = bytes.fromhex(funded_account(0).address[2:])
    before = chain.get_credit(operator)
    answer = cli("watch", "--open-disputes", "--once", "--run", "paid", "--format", "json")
    assert answer.status == 7
    found = answer.json["data"]
    assert [row["what"] for row in found] == ["replayed", "buy ticket", "prove"]
    assert (found[0]["verdict"], found[0]["grade"], found[0]["code"]) == ("fail", "PROVEN", "FT702")
    assert "coordinate 77" in found[2]["message"]
    assert watch(cli, "--open-disputes", "--run", "paid") == []  # the hour is not over
    reward = chain.get_verdict(get_last_round(chain))
    chain.wait_until(reward.proven_at + 3601)
    paid = watch(cli, "--open-disputes", "--run", "paid")
    assert list_steps(paid) == ["claim", "closed"]
    assert "0.4 ETH" in paid[0]["message"]
    assert chain.get_credit(operator) - before == REWARD_WEI
    assert watch(cli, "--open-disputes", "--run", "paid") == []


def test_a_watcher_without_disputes_tells_and_sends_nothing(cli: Cli, in_served: Project, chain: Chain) -> None:
    run_tampered(in_served, "only-watched")
    sent = count_sent(in_served)
    told = watch(cli, "--run", "only-watched")
    assert [(row["what"], row["verdict"]) for row in told] == [("replayed", "fail")]
    assert count_sent(in_served) == sent
    assert chain.get_round(get_last_round(chain)).phase.name == "PROPOSED"


def test_what_was_only_watched_is_still_proved_by_who_comes_later(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "later")
    watch(cli, "--run", "later")
    assert list_steps(watch(cli, "--open-disputes", "--run", "later")) == ["buy ticket", "prove"]


def test_an_honest_round_is_told_once_and_disputed_never(cli: Cli, in_served: Project) -> None:
    run_honest(in_served, "honest")
    answer = cli("watch", "--open-disputes", "--once", "--run", "honest", "--format", "json")
    assert answer.status == 0
    assert [(row["what"], row["verdict"], row["code"]) for row in answer.json["data"]] == [("replayed", "pass", None)]
    assert watch(cli, "--open-disputes", "--run", "honest") == []


def prove_as_stranger(in_served: Project, chain: Chain, round_id: int) -> None:
    """Prove a round wrong with another account, which sees the same evidence."""
    record = load_round(chain, open_store(in_served.store_path, ipfs=None), round_id)
    Challenger(chain, funded_account(3)).prove(round_id, make_proof(record, replay(record)))


def test_a_watcher_that_comes_second_says_so_and_goes_on(cli: Cli, in_served: Project, chain: Chain) -> None:
    run_tampered(in_served, "second")
    prove_as_stranger(in_served, chain, get_last_round(chain))
    told = watch(cli, "--open-disputes", "--run", "second")
    assert list_steps(told) == ["replayed", "closed"]
    assert funded_account(3).address[2:].lower() in str(told[1]["message"])
    assert watch(cli, "--open-disputes", "--run", "second") == []


def test_a_copier_loses_its_reward_to_the_watcher_that_held_a_ticket(
    cli: Cli, in_served: Project, chain: Chain
) -> None:
    run_tampered(in_served, "copied")
    round_id = get_last_round(chain)
    record = load_round(chain, open_store(in_served.store_path, ipfs=None), round_id)
    journal = Journal(in_served.journal_path)
    held = Challenger(Chain.connect(in_served.network(), journal), funded_account(0))
    held.buy_ticket(round_id, make_proof(record, replay(record)))
    journal.close()
    prove_as_stranger(in_served, chain, round_id)
    told = watch(cli, "--open-disputes", "--run", "copied")
    assert list_steps(told) == ["replayed", "contest"]
    assert chain.get_reward(round_id).challenger == bytes.fromhex(funded_account(0).address[2:])


@pytest.mark.parametrize("step", range(1, 9))
def test_a_killed_watcher_goes_on_and_sends_nothing_twice(
    step: int, cli: Cli, in_served: Project, chain: Chain
) -> None:
    from crashing import count_and_kill, in_child

    from ledger.cli import main

    name = f"killed-{step}"
    run_tampered(in_served, name)
    round_id, sent = get_last_round(chain), count_sent(in_served)

    def look_and_die() -> None:
        count_and_kill(step)
        main(["watch", "--open-disputes", "--once", "--run", name])

    assert in_child(look_and_die) == -signal.SIGKILL
    watch(cli, "--open-disputes", "--run", name)
    assert chain.get_round(round_id).phase.name == "VOIDED"
    assert count_sent(in_served) - sent == 2  # one ticket, one proof
    tickets = [event for event in chain.events(names=("Ticketed",)) if event.block > 0]
    assert len({event.args["hash"] for event in tickets}) == len(tickets)


def test_a_following_watcher_sees_a_round_that_appears_and_ends_cleanly(in_served: Project) -> None:
    options = ("--interval", "0.2", "--format", "ndjson")
    process = subprocess.Popen(
        [*COMMAND, "watch", "--open-disputes", *options], cwd=in_served.root, stdout=subprocess.PIPE, text=True
    )
    try:
        run_tampered(in_served, "followed")
        assert process.stdout is not None
        told: list[dict[str, object]] = []
        while not any(row["what"] == "prove" and row["round_id"] for row in told[-1:]):
            told.append(json.loads(process.stdout.readline()))
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)[0]
    assert process.returncode == 0, rest


def test_missing_evidence_accuses_nobody_and_is_asked_for_again(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "missing")
    away = Path(f"{in_served.store_path}-away")
    shutil.move(in_served.store_path, away)
    try:
        answer = cli("watch", "--open-disputes", "--once", "--run", "missing", "--format", "json")
        assert answer.status == 8
        assert [(row["what"], row["verdict"]) for row in answer.json["data"]] == [("replayed", "incomplete")]
    finally:
        shutil.rmtree(in_served.store_path, ignore_errors=True)
        shutil.move(away, in_served.store_path)
    assert list_steps(watch(cli, "--open-disputes", "--run", "missing")) == ["replayed", "buy ticket", "prove"]


def test_a_run_leaves_the_list_of_what_its_clients_published_for_attestors(in_served: Project, chain: Chain) -> None:
    run_honest(in_served, "listed")
    folder = in_served.state_dir / "publications" / chain.fingerprint
    listed = spec.decode_manifest((folder / f"{chain.count_rounds()}.publications").read_bytes())
    record = load_round(chain, open_store(in_served.store_path, ipfs=None), chain.count_rounds())
    signed = [entry for entry in listed.entries if is_published(record, entry.client, entry.content, entry.signature)]
    assert [entry.client for entry in signed] == [member.client for member in record.members]
