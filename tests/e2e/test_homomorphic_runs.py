"""Homomorphic runs on a devnet: a sum that nobody reads alone, proven by replay; who leaves, lies or is killed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import crashing
import pytest
from both_verifiers import QUICK, judge
from crashing import load_everything, resume, run_and_die

from fl.federation import Federation, homomorphic
from fl.privacy.homomorphic.parties import KeyHolder
from ledger import spec
from ledger.audit import replay
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level
from ledger.chain import Chain
from ledger.errors import NotFoundError
from ledger.history import load_round
from ledger.journal import Journal
from ledger.project import Project
from ledger.proving import make_proof
from ledger.records import NOTHING, Fetched, Grade, RoundRecord, Verdict
from ledger.spec.homomorphic import decode_homomorphic
from ledger.spec.shares import ShareList, encode_share_list
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
    project: Project, write_script: ScriptWriter, tmp_path: Path
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
    _assert_that_lies_are_found(record)
    # A bundle has no decryption shares yet: both verifiers miss something, and neither accuses anybody.
    chain, path = Chain.connect(project.network(), Journal(project.journal_path)), tmp_path / "sums.ftb.zip"
    request = BundleRequest(level=Level.AUDITOR, tasks=(result.task_id,))
    create_bundle(path, chain, open_store(project.store_path), request)
    for verifier in judge(path.read_bytes(), None, tmp_path, alone=QUICK):
        assert {finding["code"] for finding in verifier["findings"]} <= {"FT801", "FT802", "FT803"}
        assert verifier["exit"] == 8


def _assert_that_lies_are_found(record: RoundRecord) -> None:
    """A sum by one unit beside what was decrypted, and other ciphertexts than were added."""
    assert record.proposal is not None
    published = spec.decode_vector(bytes(record.aggregate.data or b""), max_bytes=1 << 20)
    values = published.values()
    values[5] += 1
    lie = replace(record.aggregate, data=spec.encode_vector(published.header, spec.encode_int32(values)))
    root = spec.compute_vector_root(values, record.task.model_log2)
    proposal = replace(record.proposal, aggregate_root=root, matrix_root=bytes(32))
    report = replay(replace(record, aggregate=lie, proposal=proposal))
    told = {finding.clause: str(finding.error) for finding in report.findings}
    assert report.verdict is Verdict.FAIL and {"7", "8"} <= set(told)
    assert "coordinate 5: recomputed" in told["7"] and "root: ciphertexts" in told["8"]
    unsaid = replay(replace(record, share_list=None))
    assert [(f.error.code, f.participant) for f in unsaid.findings] == [("FT744", record.aggregator)]
    (first, *rest), where = record.list_shares(), (record.domain_separator, record.round_id)
    listed = ShareList(
        domain_separator=where[0], round_id=where[1], entries=(replace(first, signature=bytes(64)), *rest)
    )
    unsigned = replay(replace(record, share_list=Fetched(cid="", data=encode_share_list(listed))))
    accused = {(f.clause, f.participant) for f in unsigned.findings}
    assert ("13", record.aggregator) in accused and first.client not in {who for _, who in accused}
    gone = replay(replace(record, shares={**record.shares, first.client: NOTHING}))
    assert (gone.verdict, [f.error.code for f in gone.findings]) == (Verdict.INCOMPLETE, ["FT801"])
    with pytest.raises(NotFoundError, match="no court judges sums of encrypted updates"):
        make_proof(record, replace(report, findings=tuple(f for f in report.findings if f.clause in ("7", "8"))))


@pytest.mark.slow
def test_a_round_that_clients_leave_or_lie_in_is_run_again_without_them_and_the_liar_is_named(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = KeyHolder.decrypt

    def lie(self: KeyHolder, updates: dict[int, bytes], committed: dict[int, bytes]) -> bytes:
        data = honest(self, updates, committed)
        at = 100  # a residue of its share, one unit beside the truth
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if self.client == liar else data

    monkeypatch.setattr(KeyHolder, "decrypt", lie)
    events = [{"at": "round 1", "drop": 2, "stage": "decrypt"}, {"at": "round 1", "drop": 5, "stage": "shares"}]
    sections = ENCRYPTED | {"clients": {"count": 5}, "run": {**ENCRYPTED["run"], "quorum": 2}}
    federation = Federation.start(project, write_script(**sections, events=events))
    roster, *_ = federation._set_up()
    liar = roster.clients[2].participant
    first, second = federation.run().rounds
    assert (first.verdict, second.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert first.problem.startswith("FT614: round ") and "sent no decryption share" in first.problem
    assert (first.number, second.number, first.committed, second.included, second.problem) == (1, 1, 4, 2, "")
    failed = record_of(project, first.round_id)
    assert (failed.phase, failed.proposal) == (spec.Phase.ABANDONED, None)
    assert [code for _, code in first.excluded] == ["FT614", "FT801", "FT801", "FT614"]
    (finding,) = first.report.findings  # the specification says so, too
    assert (finding.clause, finding.error.code, finding.participant) == ("13", "FT742", liar)
    assert any(f"[{roster.clients[1].participant}] sent no decryption share" in text for text in first.report.attested)
    assert secrets_left(project) == []


def test_below_its_quorum_a_round_is_abandoned_and_the_run_does_not_wait(
    project: Project, write_script: ScriptWriter
) -> None:
    events = [{"at": "always", "withhold": [2, 3]}]
    (only,) = Federation.start(project, write_script(**ENCRYPTED, events=events)).run().rounds
    assert (only.verdict, {code for _, code in only.excluded}) == (Verdict.NOTHING, {"FT801"})
    record = record_of(project, only.round_id)
    assert (record.phase, record.share_list) == (spec.Phase.ABANDONED, None)
    assert secrets_left(project) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_homomorphic_run_killed_while_it_decrypts_or_after_is_resumed_with_the_same_keys(
    project: Project, tmp_path: Path, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_everything()
    plain = Federation.start(project, write_script(name="not-run", **ENCRYPTED))
    rule = plain.script.run.rule
    want = f"pass {hash(tuple(plain.run_twin(rule).models[-1].tolist()))}"
    # Three roots are written, then who answers, then the list of shares is stated; a process may die around each.
    monkeypatch.setattr(crashing, "STEPS", ((homomorphic, "write_secrets"), (homomorphic, "_state_shares")))
    for step in (9, 14):
        name, report = f"encrypted-killed-{step}", tmp_path / "report"
        assert run_and_die(project.root, write_script(name=name, **ENCRYPTED), at=step) == -signal.SIGKILL
        assert secrets_left(project)
        assert resume(project.root, name, report) == 0
        assert report.read_text() == want
    assert secrets_left(project) == []
