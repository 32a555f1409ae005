"""Follow a ledger: replay every proposal as it appears, and pursue what is wrong until the reward is paid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger import spec
from ledger.audit import replay
from ledger.chain import Chain, Receipt
from ledger.docket import decode_reason
from ledger.errors import NotFoundError
from ledger.history import load_round
from ledger.krum_disputes import Move
from ledger.readers import BlobReader
from ledger.records import AuditReport, RoundRecord, Verdict
from ledger.units import format_wei
from ledger.watching.challenger import Challenger, get_standing
from ledger.watching.decisions import Standing, Step
from ledger.watching.demands import Demander, fetch_matrix_leaves
from ledger.watching.games import open_game
from ledger.watching.happening import Happening, Player, guard
from ledger.watching.logbook import Logbook
from ledger.watching.plans import Plan, is_matrix_wrong, make_plan

_MOST_STEPS = 5
"""Steps about one round in one look: ticket, proof, contest, claim, and one that somebody else came before."""


class Watcher:
    """Looks at a ledger again and again. Everything it must not forget is in the journal."""

    def __init__(
        self,
        chain: Chain,
        store: BlobReader,
        *,
        task_id: int | None = None,
        challenger: Challenger | None = None,
        demander: Demander | None = None,
        players: Sequence[Player] = (),
    ) -> None:
        self.chain = chain
        self.store = store
        self.logbook = Logbook(chain.journal, f"{chain.fingerprint}/watch/{task_id or 'all'}")
        self._task_id = task_id
        self._challenger = challenger
        self._demander = demander
        self._players = players
        self._reports: dict[int, tuple[RoundRecord, AuditReport]] = {}
        self._plans: dict[int, Plan] = {}
        self._told: set[tuple[int, str, str]] = set()

    def look(self) -> Iterator[Happening]:
        """Look once: judge what is new, do what is due, and tell each thing once."""
        self._see()
        yield from self._tell_new(self._look())

    def _look(self) -> Iterator[Happening]:
        for round_id in self.logbook.list_unjudged():
            yield from guard(round_id, self._judge(round_id))
        if self._challenger is not None:
            for round_id in self.logbook.list_wrong():
                yield from guard(round_id, self._pursue(self._challenger, round_id))
        players: Sequence[Player] = [*([self._demander] if self._demander else []), *self._players]
        for player in players:
            yield from player.look()

    def _tell_new(self, happenings: Iterator[Happening]) -> Iterator[Happening]:
        for one in happenings:
            key = (one.round_id, one.what, one.error.message if one.error else one.message)
            if key not in self._told:
                self._told.add(key)
                yield one

    def _see(self) -> None:
        first_block = self.logbook.first_block()
        mine = self._list_rounds() if self._task_id is not None else None
        for event in self.chain.events(first_block, names=("Proposed",)):
            if mine is None or event.args["round_id"] in mine:
                self.logbook.see(event.args["round_id"], event.block)

    def _list_rounds(self) -> set[int]:
        opened = self.chain.events(names=("RoundOpened",), task_id=self._task_id)
        return {int(event.args["round_id"]) for event in opened}

    # --------------------------------------------------------------------------------------------------------- judge

    def _judge(self, round_id: int) -> Iterator[Happening]:
        record, report = self._replay(round_id)
        yield _describe(report)
        if report.verdict is not Verdict.INCOMPLETE:
            self.logbook.judge(round_id, is_wrong=report.verdict is Verdict.FAIL)
        elif record.phase is not spec.Phase.PROPOSED:
            self._give_up(round_id)
        elif self._demander is not None:
            yield from self._demander.demand(record)

    def _give_up(self, round_id: int) -> None:
        """Nothing can be proved any more, unless withheld leaves have voided the round: then a reward is due."""
        if self._challenger and get_standing(self.chain, round_id).challenger == self._challenger.address:
            self.logbook.judge(round_id, is_wrong=True)
        else:
            self.logbook.close(round_id, "evidence was missing until nothing could be proved any more")

    def _replay(self, round_id: int) -> tuple[RoundRecord, AuditReport]:
        record = load_round(self.chain, self.store, round_id)
        report = replay(record)
        if report.verdict is Verdict.FAIL:
            self._reports[round_id] = record, report
        return record, report

    # -------------------------------------------------------------------------------------------------------- pursue

    def _pursue(self, challenger: Challenger, round_id: int) -> Iterator[Happening]:
        """Take every step about a wrong round that is due now."""
        for _ in range(_MOST_STEPS):
            standing = get_standing(self.chain, round_id)
            try:
                done = self._step(challenger, round_id, standing)
            except spec.WrongPhase:
                if get_standing(self.chain, round_id).phase is standing.phase:
                    raise
                continue  # somebody else was faster: what now is decided from where that leaves the round
            except NotFoundError:
                # A proof may lack nothing but what the aggregator keeps to itself.
                if self._demander is not None and round_id in self._reports:
                    record, report = self._reports[round_id]
                    yield from self._demander.demand(record, matrix=is_matrix_wrong(report))
                raise
            if done is not None:
                yield done
            if done is None or done.tx is None:
                return

    def _step(self, challenger: Challenger, round_id: int, standing: Standing) -> Happening | None:
        """Take one step and tell it; None where there is only to wait."""
        plan = self._make_plan(round_id) if standing.phase is spec.Phase.PROPOSED else None
        if isinstance(plan, Move):
            return self._open_game(challenger, round_id, plan)
        choice = challenger.choose(round_id, standing, plan)
        if choice.step is Step.NOTHING:
            return self._let_go(round_id, standing)
        receipt = challenger.take(round_id, choice, plan)
        if receipt is None:
            return None
        return Happening(what=choice.step, round_id=round_id, message=_read(choice.step, receipt), tx=receipt.tx)

    def _open_game(self, challenger: Challenger, round_id: int, opening: Move) -> Happening | None:
        """Open a game unless there was one before: from then on a player makes the moves."""
        opened = self.chain.events(names=("GameOpened",), round_id=round_id)
        if any(event.args["challenger"] == challenger.address for event in opened):
            return None
        receipt = open_game(self.chain, opening, account=challenger.account)
        low, high = opening.arguments[-3:-1]
        message = f"the distance of slots {low} and {high}"
        return Happening(what="open game", round_id=round_id, message=message, tx=receipt.tx)

    def _make_plan(self, round_id: int) -> Plan:
        if round_id not in self._plans:
            if round_id not in self._reports:
                self._replay(round_id)
            if round_id not in self._reports:
                raise NotFoundError("what was found wrong before cannot be replayed now: evidence has gone")
            record, report = self._reports[round_id]
            shown = fetch_matrix_leaves(self.chain, round_id) if is_matrix_wrong(report) else {}
            self._plans[round_id] = make_plan(record, report, shown)
        return self._plans[round_id]

    def _let_go(self, round_id: int, standing: Standing) -> Happening:
        if standing.phase is not spec.Phase.VOIDED:
            outcome = f"the round is {standing.phase.name.lower()}: nothing can be proved any more"
        elif not any(standing.challenger):
            outcome = "the reward is paid"
        else:
            outcome = f"0x{standing.challenger.hex()} was faster, and no earlier ticket is ours"
        self.logbook.close(round_id, outcome)
        for kept in (self._reports, self._plans):
            kept.pop(round_id, None)
        return Happening(what="closed", round_id=round_id, message=outcome)


def _describe(report: AuditReport) -> Happening:
    first = report.findings[0].error if report.findings else None
    return Happening(
        what="replayed",
        round_id=report.round_id,
        number=report.number,
        verdict=report.verdict,
        grade=report.grade,
        error=first,
    )


def _read(step: Step, receipt: Receipt) -> str:
    """Return what a transaction came to, from its events."""
    found = {event.name: event.args for event in receipt.events}
    if step is Step.PROVE and "FraudProven" in found:
        proven = found["FraudProven"]
        values = f"claimed {proven['claimed']}, recomputed {proven['recomputed']}"
        return f"{decode_reason(proven['reason'])} at coordinate {proven['coordinate']}: {values}"
    if "Rewarded" in found:
        return f"{format_wei(found['Rewarded']['amount_wei'])} to 0x{found['Rewarded']['to'].hex()}"
    return ""
