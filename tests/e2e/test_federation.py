"""Whole rounds: real training, a real chain, a real store, judged from what they hold."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from fl.federation import Federation, aggregator, clients, commits, find_unmet
from ledger import errors, spec
from ledger.audit import replay
from ledger.history import load_round
from ledger.keys import Keystore
from ledger.project import Project
from ledger.records import Grade, Verdict
from ledger.script import MALFORMATIONS
from ledger.signing import recover

pytestmark = [pytest.mark.chain]
ScriptWriter = Callable[..., Path]


def test_a_run_passes_replay_in_every_round(project: Project, write_script: ScriptWriter) -> None:
    script = write_script(run={"rounds": 2}, expect={"replay": "pass", "accuracy": ">= 0.5"})
    federation = Federation.start(project, script)
    result = federation.run()
    assert [(r.verdict, r.grade) for r in result.rounds] == [(Verdict.PASS, Grade.PROVEN)] * 2
    assert [(r.committed, r.included) for r in result.rounds] == [(5, 5)] * 2
    assert find_unmet(federation.script, result) == []
    state = federation.chain.get_task_state(result.task_id)
    assert state.rounds == 2
    assert state.model == spec.compute_vector_root(list(result.model), federation.script.format.model_log2)
    assert state.head != spec.ZERO_DIGEST


def test_events_can_be_asked_for_by_task_and_by_round_wherever_the_number_stands(
    project: Project, write_script: ScriptWriter
) -> None:
    federation = Federation.start(project, write_script(run={"rounds": 2}))
    result = federation.run()
    chain, ids = federation.chain, [r.round_id for r in result.rounds]
    opened = chain.events(names=("RoundOpened", "TaskCreated"), task_id=result.task_id)
    assert [e.name for e in opened] == ["TaskCreated", "RoundOpened", "RoundOpened"]
    assert [e.args["round_id"] for e in opened[1:]] == ids
    names = [e.name for e in chain.events(round_id=ids[1])]
    assert names == ["RoundOpened", "SegmentCommitted", "Proposed", "Finalised"]
    task = [e.name for e in chain.events(task_id=result.task_id)]
    assert task == ["TaskCreated", "Locked", "RoundOpened", "RoundOpened", "Unlocked", "BondReleased"]


def test_an_unmet_expectation_is_told(project: Project, write_script: ScriptWriter) -> None:
    excluded = [{"client": 2, "rounds": [1]}]
    script = write_script(expect={"accuracy": "> 0.9999", "excluded": excluded})
    federation = Federation.start(project, script)
    unmet = find_unmet(federation.script, federation.run())
    assert len(unmet) == 2
    assert "accuracy" in unmet[0]
    assert "client 2" in unmet[1]


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "mean"},
        {"name": "weighted-mean"},
        {"name": "weighted-mean", "stake_per_weight": "0.02 ether"},
        {"name": "median"},
        {"name": "krum", "f": 1},
        {"name": "multi-krum", "f": 1, "select": 2},
        {"name": "drop(3)+nnm+trimmed-mean", "f": 1},
        {"name": "linkage+mean", "f": 1},
        {"name": "clip(2000000)+stake-mean(20000000)", "f": 0},
    ],
    ids=lambda rule: "-".join(map(str, rule.values())),
)
def test_the_twin_without_a_ledger_ends_with_the_same_model(
    project: Project, write_script: ScriptWriter, rule: dict[str, object]
) -> None:
    name = re.sub("[^a-z0-9.]+", "-", "-".join(["twin", *map(str, rule.values())]))
    federation = Federation.start(project, write_script(name=name, run={"rounds": 2, "rule": rule}))
    result = federation.run()
    section = federation.script.run.rule
    twin = federation.run_twin(section)
    assert twin.models[-1].tolist() == list(result.model)
    assert twin.accuracies == tuple(r.accuracy for r in result.rounds)


def test_ten_orders_of_arrival_and_any_number_of_threads_give_one_root(
    project: Project, write_script: ScriptWriter
) -> None:
    roots = set()
    threads = torch.get_num_threads()
    for order in range(10):
        torch.set_num_threads(1 + order % 2)
        federation = Federation.start(project, write_script(name=f"order-{order}"))
        ctx, (roster, task_id, model, cid) = federation.ctx, federation._set_up()
        plan = federation._open(roster, task_id, 1, 1, model, cid)
        submissions, _, _ = clients.prepare_all(ctx, roster, plan)
        random.Random(order).shuffle(submissions)
        split = order % len(submissions)  # some arrive alone, the others in a batch
        for submission in submissions[:split]:
            member = submission.member
            entry = spec.SignedMember(
                client=member.client, commitment=member.commitment, signature=submission.signature
            )
            key = ctx.key("alone", submission.client)
            ctx.chain.commit_batch(plan.round_id, [entry], key=key, sender=roster.operator)
        commits.send_all(ctx, roster, plan, submissions[split:])
        federation.chain.wait_until(plan.commit_end + 1)
        publications = clients.publish_all(ctx, roster, plan, submissions)
        federation.chain.wait_until(plan.data_end + 1)
        aggregator.propose(ctx, roster, plan, aggregator.collect(ctx, roster, plan, publications))
        record = load_round(ctx.chain, ctx.store, plan.round_id)
        assert replay(record).verdict is Verdict.PASS
        assert record.proposal is not None
        roots.add((record.proposal.aggregate_root, record.proposal.matrix_root, record.proposal.model_root))
    torch.set_num_threads(threads)
    assert len(roots) == 1


CODES = {
    "truncated": "FT710",
    "trailing-bytes": "FT711",
    "wrong-version": "FT712",
    "wrong-shape": "FT713",
    "nan": "FT714",
    "out-of-range": "FT715",
    "oversized": "FT716",
    "wrong-signer": "FT717",
    "wrong-round": "FT718",
    "wrong-chain": "FT719",
    "wrong-contract": "FT719",
    "late": "FT602",
    "duplicate": "FT603",
}


def test_each_malformation_ends_in_its_own_error_and_excludes_only_its_author(
    project: Project, write_script: ScriptWriter
) -> None:
    assert set(CODES) == set(MALFORMATIONS)
    events = [{"at": f"round {i}", "malform": kind, "client": 2} for i, kind in enumerate(MALFORMATIONS, 1)]
    script = write_script(run={"rounds": len(events)}, events=events)
    result = Federation.start(project, script).run()
    found = {}
    for kind, outcome in zip(MALFORMATIONS, result.rounds, strict=True):
        assert outcome.verdict is Verdict.PASS, (kind, outcome.report.findings)
        assert outcome.grade is Grade.PROVEN
        found[kind] = dict(outcome.excluded + outcome.refused)
        assert outcome.included == (5 if kind == "duplicate" else 4)
    assert found == {kind: {2: code} for kind, code in CODES.items()}


def test_a_client_that_signed_for_another_round_of_the_same_number_before_a_reorganisation_stays_out(
    project: Project, write_script: ScriptWriter
) -> None:
    federation = Federation.start(project, write_script(run={"quorum": 4}))
    chain = federation.chain
    number, client = chain.count_rounds() + 1, chain.find_participant(Keystore(project.keys_dir).address("c2"))
    federation.journal.note(f"{chain.fingerprint}/signed/{number}/{client}", {"commitment": "66" * 32})
    (only,) = federation.run().rounds
    assert (only.round_id, only.verdict, only.included) == (number, Verdict.PASS, 4)
    assert only.refused == ((2, "FT603"),)
    assert not chain.has_committed(number, client or 0)


def test_an_attacker_that_sends_nan_stays_out_and_the_round_goes_on(
    project: Project, write_script: ScriptWriter
) -> None:
    script = write_script(events=[{"at": "always", "client": 4, "attack": "nan"}])
    (outcome,) = Federation.start(project, script).run().rounds
    assert outcome.refused == ((4, "FT714"),)
    assert (outcome.included, outcome.verdict) == (4, Verdict.PASS)


MODES = ["accumulated", "root-only"]


@pytest.mark.parametrize("mode", MODES)
def test_a_run_passes_replay_in_every_mode(project: Project, write_script: ScriptWriter, mode: str) -> None:
    broken = [
        {"at": "round 1", "malform": "wrong-signer", "client": 2},
        {"at": "round 1", "malform": "late", "client": 3},
    ]
    broken += [
        {"at": "round 2", "malform": "truncated", "client": 4},
        {"at": "round 2", "malform": "duplicate", "client": 5},
    ]
    federation = Federation.start(project, write_script(run={"rounds": 2, "mode": mode}, events=broken))
    result = federation.run()
    assert [(r.verdict, r.grade) for r in result.rounds] == [(Verdict.PASS, Grade.PROVEN)] * 2
    assert [(r.committed, r.included) for r in result.rounds] == [(3, 3), (5, 4)]
    assert result.rounds[0].refused == ((2, "FT717"), (3, "FT602"))
    assert result.rounds[1].excluded == ((4, "FT710"),)
    # What the ledger does not notice in accumulated mode does no harm: a client's first commitment counts.
    assert result.rounds[1].refused == (() if mode == "accumulated" else ((5, "FT602"),))
    assert not federation.chain.get_task_state(result.task_id).bonded


def test_a_client_of_a_listed_round_has_a_receipt_by_its_aggregator(
    project: Project, write_script: ScriptWriter
) -> None:
    federation = Federation.start(project, write_script(run={"mode": "root-only"}))
    (outcome,) = federation.run().rounds
    record = load_round(federation.chain, federation.ctx.store, outcome.round_id)
    receipt = federation.journal.get_note(federation.ctx.key("round", 1, 1, "client", 2, "receipt"))
    assert receipt is not None
    member = next(m for m in record.members if m.commitment.hex() == receipt["commitment"])
    digest = spec.compute_receipt_digest(
        domain_separator=record.domain_separator,
        round_id=outcome.round_id,
        client=member.client,
        commitment=member.commitment,
    )
    signer = federation.chain.get_participant(record.aggregator).signer
    assert recover(digest, bytes.fromhex(str(receipt["signature"]))) == signer


def test_a_list_that_is_gone_is_missing_evidence(project: Project, write_script: ScriptWriter) -> None:
    federation = Federation.start(project, write_script(run={"mode": "root-only"}))
    (outcome,) = federation.run().rounds
    record = load_round(federation.chain, federation.ctx.store, outcome.round_id)
    assert record.signed_list is not None and record.signed_list.data is not None
    _block_file(project, sha256(record.signed_list.data).digest()).unlink()
    report = replay(load_round(federation.chain, federation.ctx.store, outcome.round_id))
    assert (report.verdict, [f.error.code for f in report.findings]) == (Verdict.INCOMPLETE, ["FT801"])


@pytest.mark.parametrize("mode", MODES)
def test_too_few_clients_end_a_round_in_every_mode(project: Project, write_script: ScriptWriter, mode: str) -> None:
    script = write_script(run={"rounds": 2, "mode": mode}, events=[{"at": "round 1", "drop": [1, 2, 3]}])
    federation = Federation.start(project, script)
    result = federation.run()
    assert [r.verdict for r in result.rounds] == [Verdict.NOTHING, Verdict.PASS]
    phase = federation.chain.get_round(result.rounds[0].round_id).phase
    assert phase is (spec.Phase.EXPIRED if mode == "accumulated" else spec.Phase.ABANDONED)
    assert federation.chain.events(names=("Slashed",), round_id=result.rounds[0].round_id) == []


def test_silent_clients_below_the_quorum_leave_the_model_as_it_was(
    project: Project, write_script: ScriptWriter
) -> None:
    script = write_script(run={"rounds": 2}, events=[{"at": "round 1", "drop": [1, 2, 3]}])
    federation = Federation.start(project, script)
    result = federation.run()
    assert [r.verdict for r in result.rounds] == [Verdict.NOTHING, Verdict.PASS]
    view = federation.chain.get_round(result.rounds[0].round_id)
    assert view.phase is spec.Phase.ABANDONED


def test_a_dishonest_aggregate_is_named_by_tensor_and_coordinate_and_not_finalised(
    project: Project, write_script: ScriptWriter
) -> None:
    script = write_script(run={"rounds": 3}, events=[{"at": "round 2", "aggregator": "tamper", "coordinate": 641}])
    federation = Federation.start(project, script)
    result = federation.run()
    assert [r.verdict for r in result.rounds] == [Verdict.PASS, Verdict.FAIL]
    with pytest.raises(errors.ReplayMismatch) as raised:
        result.rounds[-1].report.raise_for_status()
    assert raised.value.exit_status == 7
    assert "tensor fc.bias[1], coordinate 641" in raised.value.message
    assert federation.chain.get_round(result.rounds[-1].round_id).phase is spec.Phase.PROPOSED


def _block_file(project: Project, digest: bytes) -> Path:
    """Return the file of a block: any tool could change it, so the test does, too."""
    return next(p for p in project.store_path.rglob("*.data") if sha256(p.read_bytes()).digest() == digest)


def test_a_flipped_byte_in_a_stored_update_names_client_and_round(project: Project, write_script: ScriptWriter) -> None:
    federation = Federation.start(project, write_script())
    (outcome,) = federation.run().rounds
    record = load_round(federation.chain, federation.ctx.store, outcome.round_id)
    assert record.manifest.data is not None
    entry = spec.decode_manifest(record.manifest.data).entries[2]
    assert entry.content is not None
    path = _block_file(project, entry.content.digest)
    honest = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(honest[:-1] + bytes([honest[-1] ^ 1]))
    report = replay(load_round(federation.chain, federation.ctx.store, outcome.round_id))
    with pytest.raises(spec.WrongRoot) as raised:
        report.raise_for_status()
    assert (raised.value.code, raised.value.exit_status) == ("FT701", 7)
    assert f"round 1, client {entry.client}" in raised.value.message
    path.unlink()
    report = replay(load_round(federation.chain, federation.ctx.store, outcome.round_id))
    with pytest.raises(errors.Unavailable) as absent:
        report.raise_for_status()
    assert absent.value.exit_status == 8
    assert not any(finding.accuses for finding in report.findings)


def test_a_round_whose_deadline_passed_while_nobody_ran_it_is_opened_again(
    project: Project, write_script: ScriptWriter
) -> None:
    federation = Federation.start(project, write_script())
    roster, task_id, model, cid = federation._set_up()
    plan = federation._open(roster, task_id, 1, 1, model, cid)
    view = federation.chain.get_round(plan.round_id)
    federation.chain.wait_until(view.propose_end + 1)
    (outcome,) = Federation.resume(project, federation.script.run.name).run().rounds
    assert outcome.round_id == plan.round_id + 1
    assert outcome.verdict is Verdict.PASS
    assert federation.chain.get_round(plan.round_id).phase is spec.Phase.EXPIRED


def test_a_model_with_batch_normalisation_goes_in_and_comes_out(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "support"))
    script = write_script(model={"entry": "own_model:build"})
    federation = Federation.start(project, script)
    result = federation.run()
    assert result.rounds[0].verdict is Verdict.PASS
    state = federation.ctx.workload.to_state(np.array(result.model, dtype=np.int32))
    federation.ctx.workload.model.load_state_dict(state)  # type: ignore[arg-type]
    assert any("num_batches_tracked" in name for name in state)


def test_a_client_that_committed_by_itself_does_not_keep_the_others_out(
    project: Project, write_script: ScriptWriter
) -> None:
    federation = Federation.start(project, write_script())
    ctx, (roster, task_id, model, cid) = federation.ctx, federation._set_up()
    plan = federation._open(roster, task_id, 1, 1, model, cid)
    submissions, _, _ = clients.prepare_all(ctx, roster, plan)
    early = submissions[2].member
    entry = spec.SignedMember(client=early.client, commitment=early.commitment, signature=submissions[2].signature)
    ctx.chain.commit_batch(plan.round_id, [entry], key=ctx.key("early"), sender=roster.operator)
    assert commits.send_all(ctx, roster, plan, submissions) == [(3, "FT603")]
    assert ctx.chain.get_round(plan.round_id).committed == 5


def test_the_same_name_with_another_script_is_refused(project: Project, write_script: ScriptWriter) -> None:
    Federation.start(project, write_script(name="taken"))
    with pytest.raises(errors.UsageError, match="another script"):
        Federation.start(project, write_script(name="taken", training={"epochs": 2}))


def test_an_unknown_run_cannot_be_resumed(project: Project) -> None:
    with pytest.raises(errors.NotFoundError):
        Federation.resume(project, "never-started")


def test_a_run_that_is_over_is_resumed_without_sending_anything(project: Project, write_script: ScriptWriter) -> None:
    federation = Federation.start(project, write_script())
    first = federation.run()
    block = federation.chain.get_confirmed_block()
    again = Federation.resume(project, federation.script.run.name).run()
    assert federation.chain.get_confirmed_block() == block
    assert again.model == first.model
    assert [replace(r, seconds=0, training_seconds=0) for r in again.rounds] == [
        replace(r, seconds=0, training_seconds=0) for r in first.rounds
    ]
