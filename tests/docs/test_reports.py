"""docs/reports.md lists the questions as they are, and its session is what the commands print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from make_reports_reference import TARGET, render
from planted_index import PlantedIndex, digest, make_update

from ledger.project import Project

TEXT = TARGET.read_text("utf-8")


def plant(path: Path) -> None:
    """Three clients; round 3 left one out and was struck, a fourth round took its place."""
    planted = PlantedIndex(path)
    planted.run(rounds=2)
    planted.publish(2, {client: make_update(2, client, [client] * 45, 10 * client) for client in (1, 2, 3)})
    planted.open(3)
    planted.commit(3, 1, 2, 3)
    planted.propose(3, committed=3, excluded=[(2, 715)])
    planted.void(3)
    planted.slash(9, 3, reason=b"voided round", wei=10**18)
    planted.sign_off(metrics='{"test/accuracy":"0.61"}')
    planted.sign_off(round_id=2, record="0x" + digest("head", 2).hex(), metrics='{"test/accuracy":"0.72"}')
    planted.db.close()


def read_session() -> list[tuple[str, str]]:
    """Return the commands of the session with what they print."""
    (block,) = re.findall(r"<!-- session -->\n```console\n(.*?)```", TEXT, re.DOTALL)
    steps = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(step.partition("\n")[0], step.partition("\n")[2]) for step in steps]


def test_the_list_of_questions_is_that_of_the_files() -> None:
    assert render() == TEXT


def test_the_session_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.create(tmp_path / "p")
    plant(project.state_dir / "index.sqlite")
    monkeypatch.setenv("NO_COLOR", "1")
    assert [(line, call(line, project)) for line, _ in read_session()] == read_session()


def call(line: str, project: Project) -> str:
    """Return what a terminal shows of a command, and of `; echo $?` behind it."""
    command, _, echo = line.partition(" ; ")
    arguments = [sys.executable, "-m", "ledger.cli", *shlex.split(command)[1:]]
    shown = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(arguments, cwd=project.root, timeout=120, **shown)  # type: ignore[call-overload]
    return str(done.stdout) + (f"{done.returncode}\n" if echo else "")


def test_the_page_is_linked_from_where_people_look() -> None:
    root = TARGET.parents[1]
    assert "reports.md" in (root / "README.md").read_text("utf-8") + (root / "docs/architecture.md").read_text("utf-8")
