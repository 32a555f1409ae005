"""Scores of the rounds of a task, computed from chain and store alone, and what was recorded of them on the chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ledger import spec
from ledger.audit import replay
from ledger.errors import WrongScore
from ledger.history import ChainReader, load_round
from ledger.readers import BlobReader
from ledger.records import AuditReport, Grade, RoundRecord
from ledger.scoring import RoundScores, Sheet, Standing, can_be_scored, compute_method, score_round
from ledger.scoring.rounds import METHODS
from ledger.spec.statements import is_evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRound:
    """A finalised round whose replay passed, and its scores."""

    record: RoundRecord
    """What chain and store say of it."""
    report: AuditReport
    """Its replay."""
    scores: RoundScores
    """What follows for its clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSheet:
    """Scores of one kind that somebody has stated of a round, signed with a transaction."""

    round_id: int
    """Number within the ledger."""
    scorer: int
    """Participant whose word it is."""
    kind: str
    """What is scored."""
    method: bytes
    """SHA-256 of the words that say how, 32 bytes."""
    values: Sheet
    """By client."""
    block: int
    """Block of the last event that belongs to it."""
    tx: bytes
    """Its transaction, 32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a recorded sheet is worth."""

    sheet: RecordedSheet
    """As it was recorded."""
    recomputed: Sheet
    """What the round's updates give; empty where nobody here knows how it was computed."""
    wrong: WrongScore | None
    """The first client of whom something else was recorded."""

    @property
    def grade(self) -> Grade:
        """PROVEN where all values came out the same, ATTESTED where the method is unknown."""
        return Grade.ATTESTED if not self.recomputed else Grade.PROVEN


def score_task(chain: ChainReader, store: BlobReader, task_id: int) -> Iterator[ScoredRound]:
    """Yield every finalised round of a task with its scores, in order, one in memory at a time.

    Nothing where single updates are masked. Trust needs all rounds from the first on: the first that does not replay
    ends it.

    Raises: the first finding of a round whose replay does not pass; Unavailable.
    """
    standing = Standing()
    for event in chain.events(names=("RoundOpened",), task_id=task_id):
        round_id = int(event.args["round_id"])
        if chain.get_round(round_id).phase is spec.Phase.FINALISED:
            record = load_round(chain, store, round_id)
            if not can_be_scored(record):
                return
            report = replay(record)
            report.raise_for_status()
            scores, standing = score_round(record, standing)
            yield ScoredRound(record=record, report=report, scores=scores)


def list_recorded(chain: ChainReader, *, round_id: int | None = None) -> list[RecordedSheet]:
    """Return the scores of clients that were recorded, of one round or of all, in the order of their first events."""
    sheets: dict[tuple[int, int, str, bytes], RecordedSheet] = {}
    for event in chain.events(names=("ScoresRecorded",), round_id=round_id):
        sheet = RecordedSheet(
            round_id=event.args["round_id"],
            scorer=event.args["scorer"],
            kind=spec.decode_label(event.args["kind"]),
            method=event.args["method"],
            values=dict(spec.decode_scores(event.args["entries"])),
            block=event.block,
            tx=event.tx,
        )
        if is_evaluation(sheet.kind):
            continue
        key = (sheet.round_id, sheet.scorer, sheet.kind, sheet.method)
        before = sheets[key].values if key in sheets else {}
        sheets[key] = replace(sheet, values={**before, **sheet.values})
    return list(sheets.values())


def compare(sheet: RecordedSheet, scores: RoundScores) -> Comparison:
    """Return what a recorded sheet is worth, given what its round's updates give."""
    if sheet.kind not in METHODS or sheet.method != compute_method(sheet.kind):
        return Comparison(sheet=sheet, recomputed={}, wrong=None)
    want = scores.sheets[sheet.kind]
    return Comparison(sheet=sheet, recomputed=want, wrong=_find_wrong(sheet, want, scores.number))


def _find_wrong(sheet: RecordedSheet, want: Mapping[int, int], number: int) -> WrongScore | None:
    for client in sorted({*sheet.values, *want}):
        if sheet.values.get(client) != want.get(client):
            got, recomputed = (_tell(values.get(client)) for values in (sheet.values, want))
            return WrongScore(
                kind=sheet.kind, client=client, round_id=number, scorer=sheet.scorer, got=got, want=recomputed
            )
    return None


def _tell(value: int | None) -> str:
    return "nothing" if value is None else f"{value}/{spec.SCORE_UNITS}"
