"""Homomorphic runs on a devnet: a sum that nobody reads alone, proven by replay; who leaves, lies or is killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fl.federation import Federation
from ledger import spec
from ledger.audit import replay
from ledger.chain import Chain
from ledger.history import load_round
from ledger.journal import Journal
from ledger.project import Project
from ledger.records import Grade, RoundRecord, Verdict
from ledger.spec.homomorphic import decode_homomorphic
from ledger.store import open_store

pytestmark = pytest.mark.chain
ScriptWriter = Callable[..., Path]
ENCRYPTED: dict[str, Any] = {
    "run": {"rounds": 1, "seed": 3, "rule": {"name": "sum32", "trim": None}},
    "clients": {"count": 3},
    "homomorphic": {},
}


def record_of(project: Project, round_id: int) -> RoundRecord:
    chain = Chain.connect(project.network(), Journal(project.journal_path))
    return load_round(chain, open_store(project.store_path), round_id)


def secrets_left(project: Project) -> list[Path]:
    return list((project.state_dir / "homomorphic").rglob("*.json"))


def test_a_homomorphic_run_gives_the_model_of_the_plain_sum_and_its_replay_proves_it(
    project: Project, write_script: ScriptWriter
) -> None:
    federation = Federation.start(project, write_script(**ENCRYPTED, compare=[{"name": "sum32"}]))
    result = federation.run()
    (only,) = result.rounds
    assert (only.verdict, only.grade, only.included) == (Verdict.PASS, Grade.PROVEN, 3)
    plain = federation.run_twin(federation.script.compare[0])
    assert result.model == tuple(plain.models[-1].tolist())
    record = record_of(project, only.round_id)
    assert record.layout is not None
    term = decode_homomorphic(record.layout.term("homomorphic") or "")
    assert (len(term.roster), record.task.degree, record.aux) == (3, 0, b"")
    assert secrets_left(project) == []
    # What anybody can read in the store of a client's update is nowhere in it.
    update = federation.ctx.workload.compute_update(1, 1, federation.ctx.workload.compute_genesis()).values
    sealed = bytes(record.updates[term.roster[0]].data or b"")
    assert update[:4].tobytes() not in sealed
    assert len(sealed) > 2_000_000


def test_a_round_that_clients_leave_is_run_again_without_them(project: Project, write_script: ScriptWriter) -> None:
    events = [{"at": "round 1", "drop": 2, "stage": "decrypt"}]
    sections = ENCRYPTED | {"clients": {"count": 4}, "run": {**ENCRYPTED["run"], "quorum": 3}}
    federation = Federation.start(project, write_script(**sections, events=events))
    first, second = federation.run().rounds
    assert (first.verdict, second.verdict) == (Verdict.NOTHING, Verdict.PASS)
    assert first.problem.startswith("FT614: round ") and "sent no decryption share" in first.problem
    assert (first.number, second.number, second.included, second.problem) == (1, 1, 3, "")
    left = record_of(project, first.round_id)
    assert left.phase is spec.Phase.EXPIRED
    assert any("sent no decryption share" in text for text in replay(left).attested)
    assert secrets_left(project) == []
