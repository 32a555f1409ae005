"""Runs questions against an index and grades the answers."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger.index.reading import Reader, Value
from ledger.records import Grade
from ledger.reports.catalogue import Query

Row = Mapping[str, Any]

ORDER = (Grade.PROVEN, Grade.ATTESTED, Grade.CLAIMED, Grade.MISSING)
"""Grades, best first."""
PARTIES = ("client", "aggregator", "subject")
"""Columns that hold the number of a participant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a question gave."""

    query: Query
    """The question."""
    parameters: Mapping[str, Value]
    """As they were bound."""
    columns: tuple[str, ...]
    """Of the rows, in order; the column `grade` is always there."""
    rows: tuple[Row, ...]
    """Each with its grade."""
    missing: int
    """How much of what the answer needs is not there (see Query.gap)."""

    @property
    def grade(self) -> Grade:
        """How well the whole answer is known: as its worst row, and MISSING if something that it needs is not there."""
        grades = [Grade(str(row["grade"])) for row in self.rows] or [self.query.grade]
        return max([*grades, *([Grade.MISSING] if self.missing else [])], key=ORDER.index)

    @property
    def findings(self) -> tuple[Row, ...]:
        """The rows that somebody should look at."""
        return tuple(filter(self.is_finding, self.rows))

    def is_finding(self, row: Row) -> bool:
        """Return whether somebody should look at a row."""
        return bool(row.get("finding", self.query.finds))

    def list_below(self, grade: Grade) -> tuple[Row, ...]:
        """Return the rows that are known less well than a grade."""
        return tuple(row for row in self.rows if ORDER.index(Grade(str(row["grade"]))) > ORDER.index(grade))

    def get_proof(self, row: Row) -> str:
        """Return the command that proves a row; empty where nothing does."""
        for proof in self.query.proofs:
            names = [name for _, name, _, _ in string.Formatter().parse(proof) if name]
            if all(row.get(name) is not None for name in names):
                return proof.format(**{name: row[name] for name in names})
        return ""


def ask(reader: Reader, query: Query, given: Mapping[str, str | Value] | None = None) -> Answer:
    """Return the answer to a question as of the reader's block. Raises: UsageError: a parameter has another type."""
    bound = query.bind(given or {})
    table = reader.query(query.sql, bound)
    rows = [{**row, "grade": row.get("grade") or query.grade.value} for row in table.to_dicts()]
    columns = [name for name in table.columns if name != "grade"]
    missing = int(reader.query(query.gap_sql, bound).rows[0][0]) if query.gap_sql else 0
    return Answer(query=query, parameters=bound, columns=(*columns, "grade"), rows=tuple(rows), missing=missing)


def read_names(reader: Reader, keys: Mapping[str, str]) -> dict[int, str]:
    """Return what participants are called here: the label of their organisation, else the name of their key.

    Args: keys: names of keys by address, 0x hex in lower case. An erased organisation has no name, whatever its key.
    """
    named = {}
    for row in reader.query("SELECT client, signer, label, erased_at FROM members").to_dicts():
        name = row["label"] or (None if row["erased_at"] else keys.get(str(row["signer"])))
        if name:
            named[row["client"]] = name
    return named


def add_names(answer: Answer, names: Mapping[int, str]) -> tuple[Row, ...]:
    """Return an answer's rows with a column `name` behind the first column that holds a participant."""
    party = next((column for column in answer.columns if column in PARTIES), None)
    if party is None or not names:
        return answer.rows
    return tuple({**row, "name": names.get(row[party])} for row in answer.rows)


def list_columns(answer: Answer, names: Mapping[int, str]) -> tuple[str, ...]:
    """Return the columns of `add_names`."""
    party = next((column for column in answer.columns if column in PARTIES), None)
    if party is None or not names:
        return answer.columns
    at = answer.columns.index(party) + 1
    return (*answer.columns[:at], "name", *answer.columns[at:])
