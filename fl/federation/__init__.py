"""The only composition: runs the rounds of a script through a chain and a store.

train_locally → quantize → commit → publish → (attest) → aggregate → propose → replay → finalise

Every step happens once: transactions are written to the journal before they are sent, updates are on disk before
anybody hears of them, and a run that is killed at any point goes on where it was (`Federation.resume`).
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from fl.engines import Engine, LocalEngine
from fl.federation import aggregator, attestors, clients, commits, homomorphic, masking, rewards, setup
from fl.federation.context import Context, Roster, RoundPlan
from fl.federation.keyring import Keyring
from fl.federation.results import Conviction, Observer, Progress, RoundResult, RunResult, find_unmet
from fl.federation.scoring import record_evaluation, record_scores
from fl.federation.sealing import read_as_auditor
from fl.federation.spending import record_spends, verify_budgets
from fl.federation.updates import Refusals
from fl.workload import PlainRun, Vector, Workload, run_plain
from ledger import spec
from ledger.audit import replay
from ledger.chain import Chain
from ledger.errors import BudgetExceeded, NotFoundError, UsageError
from ledger.history import load_round
from ledger.journal import Journal
from ledger.keys import Keystore, password_for
from ledger.project import Project
from ledger.proving import make_proof
from ledger.records import AuditReport, RoundRecord, Verdict
from ledger.scoring import Standing
from ledger.script import RuleSection, Script, load_script
from ledger.statements import write_publications
from ledger.store import EmbeddedStore, open_store

MAX_ATTEMPTS = 3
"""How often a round is opened again when its deadline passed while nobody ran it."""
_PROVEN = ("FraudProven", "SeedFraudProven")
"""What a court says of a proof: about a coordinate, or about a seed that a proposal reveals."""
_BOND_IS_FREE = spec.TERMINAL - {spec.Phase.VOIDED}


def ignore(progress: Progress) -> None:
    """Observe nothing."""
    del progress


class Federation:
    """One run of a script in a project."""

    def __init__(
        self,
        project: Project,
        script: Script,
        *,
        network: str | None = None,
        observer: Observer = ignore,
        engine: Engine | None = None,
    ) -> None:
        """Args: engine: where clients train; None for this process."""
        self.project, self.script = project, script
        self.network = project.network(network)
        self.journal = Journal(project.journal_path)
        self._convicted = 0
        self._standing = Standing()
        self._pool_id: int | None = None
        self.chain = Chain.connect(self.network, self.journal)
        self.ctx = Context(
            script=script,
            workload=Workload(script),
            engine=engine or LocalEngine(),
            chain=self.chain,
            store=open_store(project.store_path, ipfs=project.ipfs, ca_file=project.ipfs_ca_file),
            outbox=EmbeddedStore(project.state_dir / "outbox"),
            journal=self.journal,
            state_dir=project.state_dir,
            observer=observer,
        )

    @classmethod
    def start(
        cls,
        project: Project,
        script_path: Path,
        *,
        network: str | None = None,
        observer: Observer = ignore,
        engine: Engine | None = None,
    ) -> Federation:
        """Return a new run of a script.

        Raises: UsageError: a run of that name exists on this deployment with another script.
        """
        federation = cls(project, load_script(script_path), network=network, observer=observer, engine=engine)
        script, key = federation.script, federation.ctx.key("script")
        known = federation.journal.get_note(key)
        if known and known["digest"] != script.digest().hex():
            raise UsageError(f"a run '{script.run.name}' exists with another script; choose another name")
        kept = project.state_dir / "runs" / f"{script.digest().hex()}{script_path.suffix}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(script.source)
        federation.journal.note(key, {"digest": script.digest().hex(), "file": kept.name})
        return federation

    @classmethod
    def resume(
        cls,
        project: Project,
        name: str,
        *,
        network: str | None = None,
        observer: Observer = ignore,
        engine: Engine | None = None,
    ) -> Federation:
        """Return a run that was started before; what has happened does not happen again.

        Raises: NotFoundError: no run of that name was started here.
        """
        journal = Journal(project.journal_path)
        found = [v for k, v in journal.notes("").items() if k.endswith(f"/run/{name}/script")]
        journal.close()
        if not found:
            raise NotFoundError(kind="run", name=name, suggestion="")
        path = project.state_dir / "runs" / str(found[-1]["file"])
        return cls(project, load_script(path), network=network, observer=observer, engine=engine)

    def run(self) -> RunResult:
        """Run every round, then the twins without a ledger; a round whose replay fails ends the run unfinalised."""
        roster, task_id, model, cid = self._set_up()
        results: list[RoundResult] = []
        for number in range(1, self.script.run.rounds + 1):
            try:
                found, model, cid = self._run_round(roster, task_id, number, model, cid)
            except BudgetExceeded:
                self._release_bond(roster, task_id)
                raise
            results += found
            if found[-1].verdict in (Verdict.FAIL, Verdict.INCOMPLETE):
                break
        self._release_bond(roster, task_id)
        twins, seconds = self._run_twins()
        return RunResult(
            name=self.script.run.name,
            task_id=task_id,
            clients=len(roster.clients),
            rounds=tuple(results),
            twins=twins,
            twin_seconds=seconds,
            model_q=model,
        )

    def _set_up(self) -> tuple[Roster, int, Vector, str]:
        keys, password = Keystore(self.project.keys_dir), password_for(self.network)
        self._keyring = Keyring(ctx=self.ctx, keys=keys, password=password)
        operator = setup.find_operator(self.network.devnet, keys, password)
        challenger = setup.find_challenger(self.network.devnet, keys, password, operator)
        roster = setup.enrol(self.ctx, keys, password, operator=operator, challenger=challenger)
        attestors.name_committee(self.ctx, roster)
        task_id, cid = setup.create_task(self.ctx, operator, roster)
        self._pool_id = rewards.fund(self.ctx, roster, task_id)
        return roster, task_id, self.ctx.workload.compute_genesis(), cid

    def _run_round(
        self, roster: Roster, task_id: int, number: int, model: Vector, cid: str
    ) -> tuple[list[RoundResult], Vector, str]:
        """Run a round, and once more with the next aggregator for each proposal that the court strikes.

        A homomorphic round that fails through some of its clients is run again without them, too.
        """
        results: list[RoundResult] = []
        roster, attempt = self._keyring.rotate_due(roster, number), 1
        while True:
            plan = self._open(roster, task_id, number, attempt, model, cid)
            result, model, cid = self._run_attempt(roster, plan, model, cid)
            results.append(result)
            attempt = plan.attempt + 1
            if homomorphic.can_go_on(self.ctx, roster, plan):
                continue
            if result.conviction is None or len(results) > len(roster.aggregators):
                return results, model, cid
            self._convicted += 1

    def _run_attempt(self, roster: Roster, plan: RoundPlan, model: Vector, cid: str) -> tuple[RoundResult, Vector, str]:
        started, number = time.perf_counter(), plan.number
        roster = self._keyring.in_force(roster, plan.opened_at)
        plan = replace(plan, aggregator=next(p for p in roster.aggregators if p.name == plan.aggregator.name))
        masks, group = masking.exchange(self.ctx, roster, plan), homomorphic.agree(self.ctx, roster, plan)
        submissions, refusals, training = clients.prepare_all(self.ctx, roster, plan, masks, group)
        refusals += commits.send_all(self.ctx, roster, plan, submissions)
        refusals += commits.commit_alone(self.ctx, roster, plan, submissions, "duplicate")
        self.ctx.tell("commit", number, len(submissions), len(submissions))
        self.chain.wait_until(plan.commit_end + 1)
        refusals += commits.commit_alone(self.ctx, roster, plan, submissions, "late")
        record_spends(self.ctx, plan)
        publications = clients.publish_all(self.ctx, roster, plan, submissions)
        write_publications(self.ctx.folder("publications"), clients.list_publications(self.ctx, plan, publications))
        self.chain.wait_until(plan.data_end + 1)
        attestors.certify(self.ctx, roster, plan)
        collected = aggregator.collect(self.ctx, roster, plan, publications)
        outcome = aggregator.propose(self.ctx, roster, plan, collected, masks, group)
        if outcome is None:
            self._let_expire(roster, plan)
        record, report = self._replay(roster, plan)
        conviction: Conviction | None = None
        paid: rewards.Paid = ()
        if outcome is not None and report.verdict is Verdict.PASS:
            self._finalise(roster, plan, record)
            self._standing = record_scores(self.ctx, plan, record, self._standing)
            paid = self._claim_rewards(roster, plan)
            model, cid = outcome, record.model.cid
        elif report.verdict is Verdict.FAIL and self.script.run.dispute:
            conviction = self._convict(roster, plan, record, report)
        masking.forget(masks)
        homomorphic.forget(group)
        result = self._describe(roster, plan, record, report, refusals, model)
        result = replace(result, conviction=conviction, paid=paid)
        if outcome is not None and report.verdict is Verdict.PASS:
            record_evaluation(self.ctx, plan, record, result.accuracy)
        return replace(result, seconds=time.perf_counter() - started, training_seconds=training), model, cid

    def _open(
        self, roster: Roster, task_id: int, number: int, first_attempt: int, model: Vector, cid: str
    ) -> RoundPlan:
        """Open the round; one whose deadline passed while nobody ran it is expired and opened again."""
        party = roster.aggregators[self._convicted % len(roster.aggregators)]
        for attempt in range(first_attempt, first_attempt + MAX_ATTEMPTS):
            key = self.ctx.key("round", number, attempt, "open")
            if not self.chain.gas_used(key):  # a round that is open already was affordable
                verify_budgets(self.ctx, roster, task_id, number)
            receipt = self.chain.open_round(task_id, party.participant, key=key, sender=party.account)
            opened = receipt.find("RoundOpened").args
            round_id = int(opened["round_id"])
            view = self.chain.get_round(round_id)
            if view.phase is spec.Phase.OPEN and self.chain.now() > view.propose_end:
                key = self.ctx.key("round", number, attempt, "expire")
                self.chain.expire(round_id, key=key, sender=roster.operator)
            elif view.phase is not spec.Phase.EXPIRED:
                break
        else:
            raise spec.WrongPhase(round_id=round_id, got="expired", want=f"open ({MAX_ATTEMPTS} attempts)")
        return RoundPlan(
            number=number,
            attempt=attempt,
            round_id=round_id,
            aggregator=party,
            base=model,
            base_cid=cid,
            opened_at=opened["opened_at"],
            commit_end=opened["commit_end"],
            data_end=opened["data_end"],
        )

    def _let_expire(self, roster: Roster, plan: RoundPlan) -> None:
        """End a round that its aggregator could neither propose nor abandon."""
        view = self.chain.get_round(plan.round_id)
        if view.phase is spec.Phase.OPEN:
            self.chain.wait_until(view.propose_end + 1)
            key = self.ctx.key(*plan.key("let-expire"))
            self.chain.expire(plan.round_id, key=key, sender=roster.operator)

    def _replay(self, roster: Roster, plan: RoundPlan) -> tuple[RoundRecord, AuditReport]:
        """Judge the round from chain and store alone, as a stranger would, or an auditor where updates are sealed."""
        self.ctx.tell("replay", plan.number, 0, 1)
        record = load_round(self.chain, read_as_auditor(self.ctx, roster, plan), plan.round_id)
        report = replay(record)
        self.ctx.tell("replay", plan.number, 1, 1)
        return record, report

    def _convict(self, roster: Roster, plan: RoundPlan, record: RoundRecord, report: AuditReport) -> Conviction:
        """Prove a wrong proposal to the court and have the aggregator's bond taken."""
        self.ctx.tell("dispute", plan.number, 0, 2)
        proof = make_proof(record, report)
        key, challenger = self.ctx.key(*plan.key("prove")), roster.challenger
        receipt = self.chain.prove(proof, key=key, sender=challenger)
        self.ctx.tell("dispute", plan.number, 1, 2)
        settled = self.chain.settle(plan.round_id, key=self.ctx.key(*plan.key("settle")), sender=challenger)
        self.ctx.tell("dispute", plan.number, 2, 2)
        proven = next(event.args for event in receipt.events if event.name in _PROVEN)
        slashed = settled.find("Slashed").args
        return Conviction(
            function=proof.function,
            coordinate=proven.get("coordinate"),
            claimed=_to_number(proven["claimed"]),
            recomputed=_to_number(proven["recomputed"]),
            aggregator=slashed["id"],
            gas_used=receipt.gas_used,
            to_challenger_wei=slashed["to_challenger"],
            to_clients_wei=slashed["to_clients"],
            burnt_wei=slashed["burnt"],
        )

    def _finalise(self, roster: Roster, plan: RoundPlan, record: RoundRecord) -> None:
        view = self.chain.get_round(plan.round_id)
        self.chain.wait_until(view.challenge_end + 1)
        key = self.ctx.key(*plan.key("finalise"))
        if record.proposal is not None:
            outcome = spec.make_outcome(
                record.proposal,
                segments_hash=record.segments_hash,
                excluded=spec.encode_exclusions(record.exclusions),
                aux=record.aux,
                included=record.included,
            )
            self.chain.finalise(plan.round_id, outcome, key=key, sender=roster.operator)
        self.ctx.tell("finalise", plan.number, 1, 1)

    def _claim_rewards(self, roster: Roster, plan: RoundPlan) -> rewards.Paid:
        if self._pool_id is None:
            return ()
        finalised = load_round(self.chain, self.ctx.store, plan.round_id)
        return rewards.claim(self.ctx, roster, plan, finalised, self._pool_id)

    def _release_bond(self, roster: Roster, task_id: int) -> None:
        """Free the aggregator's bond, unless a round is still to be judged or a verdict holds it."""
        state = self.chain.get_task_state(task_id)
        if state.bonded and self.chain.get_round(state.current_round).phase in _BOND_IS_FREE:
            self.chain.release_bond(task_id, key=self.ctx.key("release-bond"), sender=roster.operator)

    def _describe(
        self,
        roster: Roster,
        plan: RoundPlan,
        record: RoundRecord,
        report: AuditReport,
        refusals: Refusals,
        model: Vector,
    ) -> RoundResult:
        excluded = tuple((roster.number_of(client), f"FT{reason}") for client, reason in record.exclusions)
        return RoundResult(
            number=plan.number,
            task_number=record.number,
            round_id=plan.round_id,
            committed=report.committed,
            included=report.included,
            excluded=excluded,
            refused=tuple(sorted(refusals)),
            accuracy=self.ctx.workload.evaluate(model),
            verdict=report.verdict,
            grade=report.grade,
            block=record.block,
            gas_used=self.chain.gas_used(self.ctx.key(*plan.key()) + "/"),
            seconds=0.0,
            training_seconds=0.0,
            problem=masking.find_problem(self.ctx, plan) or homomorphic.find_problem(self.ctx, plan),
            report=report,
        )

    def _run_twins(self) -> tuple[dict[str, tuple[float, ...]], dict[str, float]]:
        accuracies, seconds = {}, {}
        for rule in self.script.compare:
            started = time.perf_counter()
            accuracies[rule.caption] = self.run_twin(rule).accuracies
            seconds[rule.caption] = time.perf_counter() - started
        return accuracies, seconds

    def run_twin(self, rule: RuleSection) -> PlainRun:
        """Return the same learning without a ledger, under a rule: same split, same training, same integers."""
        params = rule.make_params(self.script.format.bound, self.script.format.examples_cap)
        rounds = self.script.run.rounds
        workload = self.ctx.workload
        if rule.rule is not spec.Rule.SUM32:
            workload = workload.undivided()
        return run_plain(workload, params, rounds, on_round=lambda n: self.ctx.tell("twin", n, n, rounds, rule.name))


def _to_number(told: int | bytes) -> int:
    """Return what a court's event says; of a seed it tells the commitment."""
    return int.from_bytes(told, "big") if isinstance(told, bytes) else told


__all__ = ["Conviction", "Federation", "Observer", "Progress", "RoundResult", "RunResult", "find_unmet"]
