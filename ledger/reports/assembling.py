"""Puts a report together: answers, figures, proofs and what is wrong with the evidence. Renderers only write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.index.reading import AsOf, Finality, Reader, Value
from ledger.records import Grade
from ledger.reports import running
from ledger.reports.catalogue import load_all
from ledger.reports.profiles import Profile, Section
from ledger.reports.running import Answer, Row

MEANINGS = {
    Grade.PROVEN: "recomputed from bytes: hash, signature, proof, replay",
    Grade.ATTESTED: "signed by a known party, not recomputable",
    Grade.CLAIMED: "said by somebody, unsigned",
    Grade.MISSING: "evidence is not there",
}
"""What the grades mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What proves rows of a report."""

    number: int
    """Within the report, from 1."""
    block: int | None
    """Block of the transaction."""
    tx: str
    """Hash of the transaction, 0x hex; empty where there is none."""
    command: str
    """What to type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An answer as a report shows it."""

    answer: Answer
    """The answer."""
    columns: tuple[str, ...]
    """Columns that are shown: without transaction, block and log, which the proofs have."""
    rows: tuple[Row, ...]
    """With names of participants."""
    proofs: tuple[int, ...]
    """Number of each row's proof; 0 for none."""
    marks: tuple[bool, ...]
    """Whether each row is a finding."""

    def list_first(self, count: int) -> list[tuple[Row, int, bool]]:
        """Return the first rows with their proofs and marks."""
        return list(zip(self.rows, self.proofs, self.marks, strict=True))[:count]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a report says."""

    profile: Profile
    """Whose report."""
    scope: str
    """What it is about, in words."""
    as_of: AsOf
    """When."""
    warnings: tuple[str, ...]
    """What is wrong with the evidence as a whole."""
    sections: tuple[tuple[Section, tuple[Part, ...]], ...]
    """In order."""
    proofs: tuple[Proof, ...]
    """By number."""
    signoffs: tuple[Row, ...]
    """Statements that people signed."""
    participation: tuple[Row, ...]
    """client, round, task, outcome, phase: what the figure of participation is made of."""
    evaluations: tuple[Row, ...]
    """task, round, split, metric, value of signed evaluations."""
    names: Mapping[int, str]
    """Participants by number."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """All answers, in order."""
        return tuple(part.answer for _, parts in self.sections for part in parts)

    @property
    def findings(self) -> int:
        """How many rows somebody should look at; a question that is asked twice counts once."""
        return sum(len(answer.findings) for answer in {a.query.number: a for a in self.answers}.values())


def assemble(
    reader: Reader,
    profile: Profile,
    *,
    scope: str,
    given: Mapping[str, str | Value],
    keys: Mapping[str, str],
    warnings: Sequence[str] = (),
) -> Report:
    """Ask everything that a profile asks.

    Args: scope: what it is about, in words. given: values of parameters, such as task. keys: names of keys by address.
    """
    names = running.read_names(reader, keys)
    by_number = {query.number: query for query in load_all()}
    proofs: dict[tuple[str, str], Proof] = {}
    sections = tuple(
        (section, tuple(_make_part(running.ask(reader, by_number[n], given), names, proofs) for n in section.queries))
        for section in profile.sections
    )
    task = {"task": by_number[1].bind(given)["task"]}
    return Report(
        profile=profile,
        scope=scope,
        as_of=reader.as_of,
        warnings=tuple(warnings),
        sections=sections,
        proofs=tuple(proofs.values()),
        signoffs=_read(
            reader, "signed_at, name, role, meaning, task, round, record, signer, valid, digest", "signoffs", task
        ),
        participation=_read(reader, "task, round, client, outcome, phase", "contributions", task),
        evaluations=_read(reader, "task, round, split, metric, value", "evals", task, "valid AND round > 0"),
        names=names,
    )


def _read(reader: Reader, columns: str, view: str, task: Mapping[str, Value], where: str = "1") -> tuple[Row, ...]:
    sql = f"SELECT {columns} FROM {view} WHERE (:task IS NULL OR task IN (:task, 0)) AND {where} ORDER BY task, round"
    return tuple(reader.query(sql, task).to_dicts())


def _make_part(answer: Answer, names: Mapping[int, str], proofs: dict[tuple[str, str], Proof]) -> Part:
    hidden = {"tx", "block", "log", "round_id", "finding"}
    return Part(
        answer=answer,
        columns=tuple(column for column in running.list_columns(answer, names) if column not in hidden),
        rows=running.add_names(answer, names),
        proofs=tuple(_number_proof(answer, row, proofs) for row in answer.rows),
        marks=tuple(map(answer.is_finding, answer.rows)),
    )


def _number_proof(answer: Answer, row: Row, proofs: dict[tuple[str, str], Proof]) -> int:
    command, tx = answer.get_proof(row), str(row.get("tx") or "")
    if not command and not tx:
        return 0
    key, block = (tx, command), row.get("block")
    known = Proof(number=len(proofs) + 1, block=block, tx=tx, command=command)
    return proofs.setdefault(key, known).number


def list_warnings(as_of: AsOf, head: int | None) -> list[str]:
    """Return what readers must know of an index before they believe what it says.

    Args: head: last block of the chain now; None if nobody asked the chain.
    """
    found = []
    if not as_of.verified:
        found.append("The index was not compared with the chain at this block: fedtrail index verify")
    if head is None:
        found.append(f"The chain was not asked: what came after block {as_of.tip} is not here")
    elif head > as_of.tip:
        found.append(f"The index is {head - as_of.tip} blocks behind the chain: fedtrail index sync")
    if as_of.block < as_of.tip:
        why = "" if as_of.finality is Finality.LATEST else f" (blocks that are {as_of.finality})"
        found.append(f"As of block {as_of.block}{why}; the index goes on to {as_of.tip}")
    return found


def to_document(report: Report) -> dict[str, object]:
    """Return a report as JSON has it: everything, uncut."""
    return {
        "profile": report.profile.name,
        "title": report.profile.title,
        "scope": report.scope,
        "findings": report.findings,
        "sections": [
            {"title": section.title, "text": section.text, "answers": [_describe(part) for part in parts]}
            for section, parts in report.sections
        ],
        "signoffs": list(report.signoffs),
        "not_in_ledger": list(report.profile.not_in_ledger),
        "proofs": [
            {"number": proof.number, "block": proof.block, "tx": proof.tx, "command": proof.command}
            for proof in report.proofs
        ],
    }


def _describe(part: Part) -> dict[str, object]:
    query = part.answer.query
    return {
        "query": query.name,
        "slug": query.slug,
        "question": query.question,
        "grade": part.answer.grade,
        "attested": list(query.attested),
        "parameters": dict(part.answer.parameters),
        "missing": {"count": part.answer.missing, "what": query.gap} if part.answer.missing else None,
        "rows": [{**row, "proof": number or None} for row, number in zip(part.rows, part.proofs, strict=True)],
    }
