"""The sample sessions of the pages are run as they stand, one command after the other, on a real ledger."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from scripted_runs import run_honest

from ledger import devnet
from ledger.chain import Chain
from ledger.cli import main
from ledger.journal import Journal
from ledger.project import Project

DOCS = Path(__file__).parents[2] / "docs"
COMMAND = re.compile(r"^    ((?:fedtrail|python3|mv) .*)$", re.MULTILINE)
NEEDS_A_KEY_OF_BANK_B = "fedtrail checkpoint key bank-b"
"""What somebody else has done before the session of docs/proofs.md."""

PAGES = (
    "index.md",
    "proofs.md",
    "bundle.md",
    "monitoring.md",
    "privacy.md",
    "keys.md",
    "encryption.md",
    "secure-aggregation.md",
    "homomorphic.md",
)
STATUS = {"bundle.md": {5: 8}, "encryption.md": {6: 8}}
"""Exit status of a page's n-th command, from 0, where it is not 0: a public bundle leaves updates open, and so does
who has no reader's key."""
ELSEWHERE = {
    "performance.md": "of this machine alone: tests/fl/test_speed.py runs the command with fewer clients",
    "privacy-attacks.md": "minutes of computing: tests/fl/test_leakage.py runs the command with fewer cells",
    "robustness.md": "hours of computing: tests/fl/test_robustness.py runs the command with fewer cells",
}
"""Pages whose indented commands are run by other tests, or cannot be run here."""


@dataclass
class Session:
    project: Project
    values: dict[str, str] = field(default_factory=dict)
    """What a command printed and a later one needs, by its placeholder."""

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        words = re.split(r"\s{2,}", line)[0]
        for name, value in self.values.items():
            words = re.sub(rf"\b{name}\b", value, words)
        done = subprocess.run(
            words.replace("python3", sys.executable),
            shell=True,
            cwd=self.project.root,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "FEDTRAIL_KEY_PASSWORD": "of a test",
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        if key := re.search(r"^public key\s+(\w+)$", done.stdout, re.MULTILINE):
            self.values["KEY"] = key[1]
        return done


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A project with a run of three rounds, a trust file that names its last block, and an update to prove."""
    project = Project.create(tmp_path_factory.mktemp("sessions") / "p")
    with devnet.running(project.state_dir):
        assert main(["contract", "deploy", "--project", str(project.root), "--format", "ndjson"]) == 0
        project = Project.find(project.root)
        run = {"name": "sepsis", "rounds": 3, "seed": 5, "rule": {"name": "mean"}}
        run_honest(project, "sepsis", run=run, scores={})
        session = Session(project)
        assert session.run(NEEDS_A_KEY_OF_BANK_B).returncode == 0
        _write_trust(project)
        _write_update(session)
        yield session


def _write_trust(project: Project) -> None:
    network = project.network()
    journal = Journal(project.state_dir / "test.sqlite")
    block = Chain.connect(network, journal).w3.eth.get_block("latest")
    journal.close()
    address = network.contracts["ledger"]
    text = f'[ledger]\nchain_id = 31337\ncontract = "{address}"\n\n[anchor]\n'
    text += f'block_hash = {{{block["number"]} = "0x{bytes(block["hash"]).hex()}"}}\n'
    (project.root / "trust.toml").write_text(text)


def _write_update(session: Session) -> None:
    sql = "SELECT cid FROM updates WHERE round = 3 AND client = 3 AND cid IS NOT NULL"
    for line in ("fedtrail index sync", f'fedtrail audit sql "{sql}" --format csv --finality latest'):
        done = session.run(line)
        assert done.returncode == 0, done.stderr
    cid = done.stdout.split()[1]
    assert session.run(f"fedtrail store get {cid} -o update.bin").returncode == 0


def list_commands(page: Path) -> list[str]:
    return COMMAND.findall(page.read_text("utf-8"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_session_does_what_the_page_says(page: str, session: Session) -> None:
    commands = list_commands(DOCS / page)
    assert commands
    done = [session.run(line) for line in commands]
    want = [STATUS.get(page, {}).get(number, 0) for number in range(len(commands))]
    assert [each.returncode for each in done] == want, [each.stderr for each in done]


def test_no_page_has_a_session_that_is_not_run() -> None:
    pages = {page.name for page in DOCS.glob("*.md") if list_commands(page)}
    assert pages - set(ELSEWHERE) == set(PAGES)
    assert shutil.which("fedtrail", path=str(Path(sys.executable).parent))
