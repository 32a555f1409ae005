"""The 25 questions: SQL files with a header that says who asks, how well the answer is known, and what proves it.

    -- Q4 completeness: Do the events add up to what the contract counted?
    -- asked by: 21 CFR Part 11, partner
    -- grade: PROVEN
    -- rows: findings
    -- proof: index
    -- attested: n_samples                          (optional: columns that somebody only says)
    -- param task INTEGER = NULL: only this task    (any number)
    SELECT ...;
    -- gap: updates that are not in the index       (optional: what an answer would need, and how many are missing)
    SELECT count(*) ...;

`rows` are facts, or findings: a finding is something that somebody should look at. A column `finding` says it of single
rows, a column `grade` grades single rows. A header that says anything else is refused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from ledger.errors import BadQuery, NotFoundError, UsageError
from ledger.index.reading import Value
from ledger.records import Grade
from ledger.suggestions import suggest

PROOFS = {
    "event": "fedtrail proof get event --block {block} --log {log} -o FILE",
    "log": "fedtrail proof get event --block {block} --log {log} --as tlog-proof -o FILE",
    "replay": "fedtrail audit fsck --task {task}",
    "index": "fedtrail index verify",
    "blob": "fedtrail store get {cid}",
    "signoff": "fedtrail signoff list",
    "none": "",
}
"""What proves an answer, as a command; the names in braces are columns."""
AUDIENCES = ("EU AI Act", "GDPR", "HIPAA", "21 CFR Part 11", "partner", "researcher", "chain engineer")
"""Who asks."""

_TYPES: Mapping[str, type] = {"INTEGER": int, "REAL": float, "TEXT": str}
_TITLE = re.compile(r"-- Q([1-9]\d?) ([a-z]+(?:-[a-z]+)*): (\S.*\?)")
_PARAMETER = re.compile(r"-- param ([a-z]+) (INTEGER|REAL|TEXT) = (NULL|-?\d+(?:\.\d+)?|'[^']*'): (\S.*)")
_FIELD = re.compile(r"-- (asked by|grade|rows|proof|attested): (\S.*)")
_GAP = re.compile(r"^-- gap: (\S.*)\n", re.MULTILINE)
_NAMED = re.compile(r":([a-z_]+)")
_TEXT = re.compile(r"'[^']*'|--[^\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a query."""

    name: str
    """As in the SQL, without the colon."""
    kind: str
    """INTEGER, REAL or TEXT."""
    default: Value
    """Used where nothing is given; None mostly means: all."""
    what: str
    """What it does, in words."""

    def parse(self, text: str) -> Value:
        """Return a value that somebody wrote. Raises: UsageError: it has another type."""
        try:
            value: Value = _TYPES[self.kind](text)
        except ValueError:
            raise UsageError(f"{self.name} is {text!r}, expected {self.kind}") from None
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One of the questions."""

    number: int
    """1 to 25."""
    slug: str
    """Its name."""
    question: str
    """In words."""
    asked_by: tuple[str, ...]
    """Who asks it; of AUDIENCES."""
    grade: Grade
    """How well its answer is known at best."""
    finds: bool
    """Whether every row is a finding."""
    proofs: tuple[str, ...]
    """Commands, the first of which that has all its columns proves a row; the names in braces are columns."""
    attested: tuple[str, ...]
    """Columns that are somebody's word, where the rest of a row is known better."""
    parameters: tuple[Parameter, ...]
    """In order."""
    sql: str
    """One SELECT."""
    gap: str
    """What an answer would need and may lack; empty where it can lack nothing."""
    gap_sql: str
    """One SELECT that counts it."""

    @property
    def name(self) -> str:
        """Q and its number."""
        return f"Q{self.number}"

    def bind(self, given: Mapping[str, str | Value]) -> dict[str, Value]:
        """Return the value of every parameter.

        Args: given: text is parsed, other values are taken as they are; names that the query lacks are passed over.
        """
        bound: dict[str, Value] = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            is_text = isinstance(value, str) and parameter.name in given
            bound[parameter.name] = parameter.parse(str(value)) if is_text else value
        return bound


def parse(text: str, file: str) -> Query:
    """Return the query of a file. Raises: BadQuery."""
    lines = text.splitlines()
    title = _TITLE.fullmatch(lines[0]) if lines else None
    if title is None:
        raise BadQuery(file=file, what="line 1 is no '-- QN slug: Question?'")
    fields: dict[str, str] = {}
    parameters: list[Parameter] = []
    end = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for number, line in enumerate(lines[1:end], start=2):
        if match := _PARAMETER.fullmatch(line):
            parameters.append(_make_parameter(match, file, number))
        elif (match := _FIELD.fullmatch(line)) and match[1] not in fields:
            fields[match[1]] = match[2]
        else:
            raise BadQuery(file=file, what=f"line {number} is no line of a header, or says again what another one says")
    sql, gap, gap_sql = _split_gap("\n".join(lines[end:]))
    if file != f"q{int(title[1]):02d}_{title[2].replace('-', '_')}.sql":
        raise BadQuery(file=file, what=f"the file of Q{title[1]} {title[2]} has another name")
    _verify_parameters(file, f"{sql} {gap_sql}", parameters)
    named = _read_fields(file, fields)
    return Query(
        number=int(title[1]),
        slug=title[2],
        question=title[3],
        parameters=tuple(parameters),
        sql=sql,
        gap=gap,
        gap_sql=gap_sql,
        asked_by=named.asked_by,
        grade=named.grade,
        finds=named.finds,
        proofs=named.proofs,
        attested=named.attested,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fields:
    asked_by: tuple[str, ...]
    grade: Grade
    finds: bool
    proofs: tuple[str, ...]
    attested: tuple[str, ...]


def _read_fields(file: str, fields: Mapping[str, str]) -> _Fields:
    if missing := [name for name in ("asked by", "grade", "rows", "proof") if name not in fields]:
        raise BadQuery(file=file, what=f"the header lacks {' and '.join(missing)}")
    asked_by = tuple(fields["asked by"].split(", "))
    proofs = tuple(fields["proof"].split(", "))
    choices = {"grade": tuple(Grade), "rows": ("facts", "findings")}
    said = [*(("asked by", one, AUDIENCES) for one in asked_by), *((k, fields[k], v) for k, v in choices.items())]
    said += [("proof", one, tuple(PROOFS)) for one in proofs]
    for name, value, allowed in said:
        if value not in allowed:
            raise BadQuery(file=file, what=f"{name} is {value!r}, expected one of {', '.join(allowed)}")
    return _Fields(
        asked_by=asked_by,
        grade=Grade(fields["grade"]),
        finds=fields["rows"] == "findings",
        proofs=tuple(PROOFS[one] for one in proofs),
        attested=tuple(fields["attested"].split(", ")) if "attested" in fields else (),
    )


def _make_parameter(match: re.Match[str], file: str, line: int) -> Parameter:
    name, kind, default, what = match.groups()
    parameter = Parameter(name=name, kind=kind, default=None, what=what)
    if default == "NULL":
        return parameter
    try:
        value = parameter.parse(default.strip("'"))
    except UsageError as problem:
        raise BadQuery(file=file, what=f"line {line}: {problem.message}") from None
    return Parameter(name=name, kind=kind, default=value, what=what)


def _split_gap(body: str) -> tuple[str, str, str]:
    sql, *more = _GAP.split(body)
    gap, gap_sql = more if len(more) == 2 else ("", "")
    return sql.strip().removesuffix(";"), gap, gap_sql.strip().removesuffix(";")


def _verify_parameters(file: str, sql: str, parameters: Sequence[Parameter]) -> None:
    plain = _TEXT.sub("", sql)
    if not plain.lstrip().upper().startswith(("SELECT", "WITH")) or ";" in plain:
        raise BadQuery(file=file, what="the SQL is not one SELECT")
    used, declared = set(_NAMED.findall(plain)), [parameter.name for parameter in parameters]
    if used != set(declared) or len(declared) != len(set(declared)):
        want = ", ".join(sorted(used)) or "none"
        raise BadQuery(file=file, what=f"declares the parameters {declared}, the SQL uses {want}")


@functools.cache
def load_all() -> tuple[Query, ...]:
    """Return the questions that ship with the package, by number. Raises: BadQuery."""
    folder = resources.files("ledger.reports").joinpath("queries")
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return tuple(sorted((parse(file.read_text("utf-8"), file.name) for file in files), key=lambda query: query.number))


def find(name: str) -> Query:
    """Return a question by number (Q4, q4, 4) or slug. Raises: NotFoundError."""
    known = {alias: query for query in load_all() for alias in (query.name.lower(), str(query.number), query.slug)}
    if name.lower() not in known:
        slugs = [query.slug for query in load_all()]
        raise NotFoundError(kind="query", name=name, suggestion=suggest(name, slugs), hint="fedtrail audit list")
    return known[name.lower()]
