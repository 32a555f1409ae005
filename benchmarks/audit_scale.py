"""What an audit costs, and how that grows with the ledger: index, questions, replay, bundle, both verifiers.

    .venv/bin/python benchmarks/audit_scale.py [--size 5000] [--write]

Makes honest ledgers of 10 and 100 clients over 50 rounds, and of 100 clients over 5, as benchmarks/index.py does, and
takes every step in a process of its own. `--write` keeps the result in benchmarks/results/audit_scale.json, with the
command and the machine. Ratios tell how time grows: ten times the clients, ten times the rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from index import get_memory_mib, make_ledger
from machine import describe_machine

from ledger import bundle, devnet
from ledger.bundle.check import check_bundle
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level
from ledger.chain import Chain
from ledger.index.opening import FILE_NAME, open_index
from ledger.index.reading import open_reader
from ledger.index.source import NodeSource
from ledger.index.sync import sync
from ledger.journal import Journal
from ledger.project import Project
from ledger.records import Verdict
from ledger.replays import check_books, replay_rounds
from ledger.reports.catalogue import load_all
from ledger.reports.running import ask
from ledger.store import open_store
from ledger.trust import Trust

RESULT = Path(__file__).parent / "results" / "audit_scale.json"
SCALES = ((10, 50), (100, 5), (100, 50))
"""Clients and rounds of the ledgers; the last is the largest."""
BUNDLE = "scale.ftb.zip"


def main() -> int:
    """Make the ledgers, measure every step on each, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=5000, help="coordinates of an update")
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        sys.stdout.write(json.dumps(take_step(Project.find(arguments.folder), arguments.step)))
        return 0
    ledgers = [measure(clients, rounds, arguments.size) for clients, rounds in SCALES]
    command = f"benchmarks/audit_scale.py --size {arguments.size}"
    result = {"command": command, **describe_machine(), "ledgers": ledgers, "growth": compare(ledgers)}
    text = json.dumps(result, indent=2) + "\n"
    if arguments.write:
        RESULT.write_text(text)
    sys.stdout.write(text)
    return 0


def measure(clients: int, rounds: int, size: int) -> dict[str, Any]:
    """Return what every step takes on one ledger."""
    sys.stderr.write(f"{clients} clients, {rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "project")
        with devnet.running(project.state_dir, engine="anvil"):
            made = make_ledger(project, Namespace(clients=clients, rounds=rounds, size=size, mode="verified"))
            steps = {name: run_step(project, name) for name in STEPS}
    return {"clients": clients, "rounds": rounds, "ledger": made, **steps}


def compare(ledgers: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how many times longer every step takes with ten times the clients, and with ten times the rounds."""
    few_clients, few_rounds, large = ledgers
    return {
        name: {
            "ten_times_the_clients": round(large[name]["seconds"] / few_clients[name]["seconds"], 1),
            "ten_times_the_rounds": round(large[name]["seconds"] / few_rounds[name]["seconds"], 1),
        }
        for name in STEPS
    }


def run_step(project: Project, step: str) -> dict[str, Any]:
    """Take a step in a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(project.root)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    sys.stderr.write(f"  {step}: {found['seconds']} s, {found['memory_mib']} MiB\n")
    return found


def take_step(project: Project, step: str) -> dict[str, Any]:
    """Return time of one step, memory beyond what the program itself takes, and what came of it.

    Raises: AssertionError: it found fault.
    """
    before, began = get_memory_mib(), time.perf_counter()
    found = STEPS[step](project)
    seconds = round(time.perf_counter() - began, 2)
    return {"seconds": seconds, "memory_mib": get_memory_mib() - before, **found}


def make_index(project: Project) -> dict[str, Any]:
    """Follow the chain from the beginning, blobs included."""
    path = project.state_dir / FILE_NAME
    with closing(open_index(path, create=True)) as db:
        sync(db, NodeSource(project.network()), open_store(project.store_path))
        events = db.execute("SELECT count(*) FROM event").fetchone()[0]
    return {"events": events, "bytes": path.stat().st_size}


def ask_everything(project: Project) -> dict[str, Any]:
    """Answer all 25 questions."""
    rows, slowest = 0, ("", 0.0)
    with open_reader(project.state_dir / FILE_NAME) as reader:
        for query in load_all():
            began = time.perf_counter()
            rows += len(ask(reader, query, {}).rows)
            slowest = max(slowest, (query.name, time.perf_counter() - began), key=lambda each: each[1])
    return {"rows": rows, "slowest": slowest[0], "slowest_seconds": round(slowest[1], 3)}


def replay_everything(project: Project) -> dict[str, Any]:
    """Replay all rounds, and hold the books against the events."""
    journal = Journal(project.state_dir / "reader.sqlite")
    chain, store = Chain.connect(project.network(), journal), open_store(project.store_path)
    verdicts = [each.report.verdict for each in replay_rounds(chain, store, range(1, chain.count_rounds() + 1))]
    assert set(verdicts) == {Verdict.PASS} and not check_books(chain)
    journal.close()
    return {"rounds": len(verdicts)}


def make_bundle(project: Project) -> dict[str, Any]:
    """Put everything into one file."""
    path = project.root / BUNDLE
    journal = Journal(project.state_dir / "reader.sqlite")
    chain, store = Chain.connect(project.network(), journal), open_store(project.store_path)
    manifest = create_bundle(path, chain, store, BundleRequest(level=Level.AUDITOR))
    last, contract = manifest.last_block, manifest.contracts["ledger"]
    trust = f'[ledger]\nchain_id = 31337\ncontract = "0x{contract.hex()}"\n[anchor]\n'
    (project.root / "trust.toml").write_text(f'{trust}block_hash = {{ {last.number} = "0x{last.hash.hex()}" }}\n')
    journal.close()
    return {"bytes": path.stat().st_size}


def check(project: Project) -> dict[str, Any]:
    """Check the file with the package."""
    report = check_bundle(project.root / BUNDLE, Trust.load(project.root / "trust.toml"))
    assert str(report.verdict) == "VERIFIED", report
    return {}


def check_alone(project: Project) -> dict[str, Any]:
    """Check the file with the verifier that is in it, which shares nothing with the package."""
    alone = Path(bundle.__file__).with_name("verify.py")
    command = [sys.executable, str(alone), str(project.root / BUNDLE), "--trust", "trust.toml", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project.root)
    assert json.loads(done.stdout)["verdict"] == "VERIFIED", done.stdout
    return {}


STEPS: dict[str, Callable[[Project], dict[str, Any]]] = {
    "index": make_index,
    "queries": ask_everything,
    "replay": replay_everything,
    "bundle": make_bundle,
    "verify": check,
    "verify_alone": check_alone,
}


if __name__ == "__main__":
    sys.exit(main())
