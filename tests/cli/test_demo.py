"""The demo: one command, and every command that it proposes afterwards works as printed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Cli, run_process

from fl.demo import make_script, parse_attack
from ledger import devnet
from ledger.errors import NotFoundError, ScriptError, UsageError
from ledger.script import parse_script
from ledger.script.automatic import AUTO_STAGES


@pytest.fixture
def demo_folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / ".fedtrail-demo"
    devnet.stop(tmp_path / ".fedtrail-demo" / ".fedtrail")


@pytest.mark.chain
@pytest.mark.slow
def test_demo_runs_twice_and_its_next_commands_work(tmp_path: Path, demo_folder: Path) -> None:
    small = ("demo", "--rounds", "2", "--clients", "5", "--attack", "sign-flip:1")
    first = run_process(*small, cwd=tmp_path)
    assert first.status == 0, first.err
    assert first.err.startswith("devnet  hardhat http://127.0.0.1:") and "\x1b" not in first.err
    state = devnet.status(demo_folder / ".fedtrail")
    assert state is not None
    second = run_process(*small, cwd=tmp_path)
    assert second.status == 0, second.err
    assert devnet.status(demo_folder / ".fedtrail") != state
    table = [line.split() for line in second.out.splitlines()]
    rounds = [line for line in table if line[:1] in (["1"], ["2"])]
    assert [(line[1], line[-1], "pass" in line) for line in rounds] == [("5/5", "PROVEN", True)] * 2
    assert "○ mean (no ledger)" in second.out and "of it for the ledger" in second.out
    commands = second.out.partition("next, type:\n")[2].splitlines()
    assert [line.split()[0] for line in commands] == ["cd", *["fedtrail"] * 5]
    _type(commands, tmp_path)
    assert devnet.status(demo_folder / ".fedtrail") is None


def _type(commands: list[str], folder: Path) -> None:
    """Type each line into one shell, which stops at the first failure; `fedtrail` is this environment's."""
    alias = f'fedtrail() {{ "{sys.executable}" -m ledger.cli "$@"; }}'
    script = "\n".join(["set -e", alias, *commands])
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "PROVEN" in done.stdout and "replay pass" in done.stdout and "the devnet is stopped" in done.stderr


def test_demo_never_empties_a_folder_of_something_else(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    answer = cli("demo", "--dir", tmp_path / "mine")
    assert answer.status == 2 and "holds something else" in answer.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_demo_script_is_the_story_that_was_asked_for() -> None:
    text = make_script(rounds=5, clients=10, attack="sign-flip:3", seed=7)
    script = parse_script(text.encode(), name="demo.yaml")
    assert script.run.rule.label == f"{AUTO_STAGES}@3" and script.run.rule.caption == "auto(3)"
    assert script.compare[0].name == "mean"
    assert script.events[0].targets == (1, 2, 3) and script.events[0].span == (1, None)
    text = make_script(rounds=5, clients=10, attack="sign-flip:3", seed=7, dishonest=True)
    lying = parse_script(text.encode(), name="demo.yaml")
    assert lying.run.rule.label == "trimmed-mean(3)", "a court must be able to judge it"
    honest = parse_script(make_script(rounds=1, clients=2, attack="none", seed=0).encode(), name="demo.yaml")
    assert honest.events == () and honest.run.rule.name == "mean"


@pytest.mark.parametrize(
    ("attack", "error"), [("sign-flip", UsageError), ("sign-flip:0", UsageError), ("sgin-flip:1", NotFoundError)]
)
def test_attacks_that_cannot_be_are_refused(attack: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_attack(attack)


def test_more_attackers_than_the_rule_withstands_are_refused_before_anything_starts(cli: Cli, tmp_path: Path) -> None:
    answer = cli("demo", "--attack", "sign-flip:5", "--dir", tmp_path / "d")
    assert answer.status == ScriptError.exit_status and "needs at least 11 clients" in answer.err
    assert not (tmp_path / "d").exists()
