"""How reports write values, whatever their format."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ledger.records import Grade
from ledger.reports.assembling import Part, Report
from ledger.reports.running import Row

MAX_ROWS = 200
"""Rows of a table; the rest is in the JSON form."""
_DIGEST = re.compile(r"0x[0-9a-f]{40,64}|baf[a-z2-7]{50,60}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return text without what could change how the text around it is shown: labels come from strangers."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def to_words(value: object) -> str:
    """Return a value as people read it: digests short, nothing as a dash, no control characters."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = clean("0x" + value.hex() if isinstance(value, bytes) else str(value))
    return f"{text[:8]}…{text[-4:]}" if _DIGEST.fullmatch(text) else text


def describe_time(report: Report) -> str:
    """Return what moment a report is about, in words."""
    at = datetime.fromtimestamp(report.as_of.ts, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    where = f"chain {report.as_of.chain_id}, ledger {report.as_of.contract}"
    return f"block {report.as_of.block} ({report.as_of.hash}) of {where}; block time {at}"


def describe_part(part: Part) -> str:
    """Return one line about an answer."""
    answer = part.answer
    count = f"{len(part.rows)} row{'' if len(part.rows) == 1 else 's'}"
    lacks = f"; {answer.missing} {answer.query.gap}" if answer.missing else ""
    words = f"; {', '.join(answer.query.attested)}: ATTESTED" if answer.query.attested and part.rows else ""
    found = f", {len(answer.findings)} to look at" if answer.findings else ""
    return f"{answer.grade}: {count}{found}{lacks}{words}"


def list_signoff(row: Row) -> tuple[str, ...]:
    """Return the cells of a statement: name, time and meaning as 21 CFR 11.50 wants them beside each other."""
    at = datetime.fromtimestamp(int(row["signed_at"]), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    about = f"round {to_words(row['round'])}" if row["round"] else f"task {to_words(row['task'])}"
    grade = Grade.ATTESTED if row["valid"] else "INVALID SIGNATURE"
    names = (to_words(row["name"]), to_words(row["role"]), to_words(row["meaning"]))
    return (*names, at, about, to_words(row["record"]), to_words(row["signer"]), grade)


SIGNOFF_COLUMNS = ("name", "role", "meaning", "signed", "about", "record", "key", "grade")
