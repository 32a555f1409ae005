"""Two hospitals witness one ledger: `fedtrail checkpoint` on a real node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Cli
from scripted_runs import run_script

from ledger.chain import Chain
from ledger.checkpoints import parse_checkpoint
from ledger.notes import PLAIN, NoteKey, SignedNote, parse_note, sign_note
from ledger.project import Project

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def finished(served: Project) -> Project:
    """A run of this project's clients is on the ledger."""
    assert run_script(served, "witnessed") == 0
    return served


def make_key(cli: Cli, project: Project, name: str) -> str:
    answer = cli("checkpoint", "key", name, "--project", project.root, "--format", "json")
    if answer.status == 0:
        return str(answer.json["data"]["verifier"])
    listed = cli("checkpoint", "keys", "--project", project.root, "--format", "json").json["data"]
    return next(str(row["verifier"]) for row in listed if row["name"] == name)


def test_one_creates_another_cosigns_and_a_third_counts_both(
    cli: Cli, finished: Project, in_served: Project, stranger: Project, tmp_path: Path, chain: Chain
) -> None:
    keys = [make_key(cli, in_served, "hospital-a"), make_key(cli, stranger, "bank-b")]
    file, trust = tmp_path / "now.note", tmp_path / "trust.toml"
    trust.write_text(f"[anchor]\nwitnesses = {{need = 2, keys = {keys}}}\n".replace("'", '"'))
    created = cli("checkpoint", "create", "--key", "hospital-a", "-o", file, "--format", "json")
    assert created.status == 0
    assert int(created.json["data"]["block"]) == chain.get_confirmed_block()
    cosigned = cli("checkpoint", "cosign", file, "--key", "bank-b", "--project", stranger.root)
    assert cosigned.status == 0 and "hospital-a, bank-b" in cosigned.out
    listed = cli("checkpoint", "list", "--trust", trust, "--project", stranger.root, "--format", "json")
    assert [row["witnessed"] for row in listed.json["data"]] == [True]
    assert parse_checkpoint(parse_note(file.read_bytes()).text).size == len(chain.events(0))
    quiet = cli("checkpoint", "monitor", file, "--trust", trust, "--once", "--client", "c1")
    assert (quiet.status, "nothing alarming" in quiet.err) == (0, True)


def test_a_note_of_another_history_is_refused_by_witnesses_and_raises_the_alarm(
    cli: Cli, finished: Project, in_served: Project, tmp_path: Path, chain: Chain
) -> None:
    make_key(cli, in_served, "hospital-a")
    file = tmp_path / "other.note"
    assert cli("checkpoint", "create", "--key", "hospital-a", "-o", file).status == 0
    other = replace(parse_checkpoint(parse_note(file.read_bytes()).text), block_hash=b"\x66" * 32)
    forger = NoteKey.from_seed("forger", PLAIN, bytes(32))
    file.write_text(str(sign_note(SignedNote(text=str(other), signatures=()), forger, at=0)))
    cosigned = cli("checkpoint", "cosign", file, "--key", "hospital-a")
    assert cosigned.status == 7
    assert "FT704" in cosigned.err and "66" * 32 in cosigned.err
    true = chain.get_block_hash(other.block)
    assert true is not None and true.hex() in cosigned.err
    alarm = cli("checkpoint", "monitor", file, "--once", "--format", "json")
    assert alarm.status == 7
    assert {row["code"] for row in alarm.json["data"]} == {"FT704"}


def test_a_client_whose_project_knows_nothing_of_its_commitments_is_alarmed(
    cli: Cli, finished: Project, in_served: Project, stranger: Project
) -> None:
    client = cli("client", "show", "c1", "--format", "json").json["data"]["id"]
    assert cli("checkpoint", "monitor", "--once", "--client", "c1").status == 0
    alarm = cli("checkpoint", "monitor", "--once", "--client", client, "--project", stranger.root)
    assert alarm.status == 7
    assert "FT723" in alarm.err and "committed to" in alarm.err


def test_a_monitor_that_follows_ends_with_its_time_or_at_the_first_alarm(
    cli: Cli, finished: Project, in_served: Project, stranger: Project
) -> None:
    assert cli("checkpoint", "monitor", "--client", "c1", "--interval", "0.1", "--timeout", "0.3").status == 0
    client = cli("client", "show", "c1", "--format", "json").json["data"]["id"]
    alarm = cli("checkpoint", "monitor", "--client", client, "--timeout", "60", "--project", stranger.root)
    assert alarm.status == 7


def test_keys_without_a_name_or_password_are_refused(cli: Cli, in_served: Project, tmp_path: Path) -> None:
    make_key(cli, in_served, "hospital-a")
    assert cli("checkpoint", "key", "hospital-a").status == 3
    assert cli("checkpoint", "create", "--key", "nobody").status == 3
    assert cli("checkpoint", "key", "two words").status == 2
    listed = cli("checkpoint", "list")
    assert "hospital-a" in listed.out or "no checkpoints" in listed.err
    (tmp_path / "noise").write_bytes(b"\xff\x00")
    assert cli("checkpoint", "cosign", tmp_path / "noise", "--key", "hospital-a").status == 7
