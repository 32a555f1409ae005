"""The files of the questions say what they are, or are refused."""

from __future__ import annotations

import re

import pytest

from ledger.errors import BadQuery, NotFoundError, UsageError
from ledger.records import Grade
from ledger.reports.catalogue import PROOFS, Parameter, find, load_all, parse

FILE = "q03_good_slug.sql"
GOOD = """\
-- Q3 good-slug: Is this a question?
-- asked by: partner, GDPR
-- grade: ATTESTED
-- rows: findings
-- proof: event
-- attested: n
-- param task INTEGER = NULL: only this task
-- param limit REAL = 2.5: a limit
SELECT n, ':no parameter; --nothing' FROM t WHERE :task IS NULL OR n > :limit;
-- gap: what may be missing
SELECT count(*) FROM t WHERE :task IS NULL;
"""


def test_a_file_says_everything_about_its_question() -> None:
    query = parse(GOOD, FILE)
    assert (query.number, query.slug, query.question) == (3, "good-slug", "Is this a question?")
    assert (query.asked_by, query.grade, query.finds) == (("partner", "GDPR"), Grade.ATTESTED, True)
    assert [(p.name, p.kind, p.default) for p in query.parameters] == [
        ("task", "INTEGER", None),
        ("limit", "REAL", 2.5),
    ]
    assert (query.gap, query.gap_sql) == ("what may be missing", "SELECT count(*) FROM t WHERE :task IS NULL")
    assert query.sql.startswith("SELECT n") and query.proofs == (PROOFS["event"],) and query.attested == ("n",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-- Q3 good-slug: Is this a question?\n", ""),
        ("Is this a question?", "This is no question."),
        ("Q3", "Q03"),
        ("good-slug:", "Good_Slug:"),
        ("Q3", "Q4"),
        ("-- grade: ATTESTED\n", ""),
        ("-- asked by: partner, GDPR\n", ""),
        ("-- rows: findings\n", ""),
        ("-- proof: event\n", ""),
        ("ATTESTED", "SURE"),
        ("partner, GDPR", "partner, somebody"),
        ("findings", "many"),
        ("-- proof: event", "-- proof: oath"),
        ("-- grade: ATTESTED", "-- grade: ATTESTED\n-- grade: PROVEN"),
        ("-- rows", "-- colour: blue\n-- rows"),
        ("-- rows", "--rows"),
        ("INTEGER", "INT"),
        ("= 2.5", "= much"),
        ("= NULL", "= 1.5"),
        ("-- param limit REAL = 2.5: a limit\n", ""),
        ("-- param limit", "-- param lim"),
        ("-- param limit REAL = 2.5: a limit", "-- param limit REAL = 2.5: a limit\n-- param task REAL = 1: again"),
        ("SELECT n", "DELETE n"),
        ("> :limit;", "> :limit; SELECT 1;"),
    ],
)
def test_a_malformed_header_is_refused(before: str, after: str) -> None:
    assert before in GOOD
    with pytest.raises(BadQuery, match=FILE):
        parse(GOOD.replace(before, after, 1), FILE)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(BadQuery, match="line 1"):
        parse("", FILE)


def test_there_are_25_questions_numbered_without_a_gap() -> None:
    assert [query.number for query in load_all()] == list(range(1, 26))
    assert len({query.slug for query in load_all()}) == 25


@pytest.mark.parametrize("name", ["Q4", "q4", "4", "completeness"])
def test_a_question_is_found_by_number_and_by_name(name: str) -> None:
    assert find(name).number == 4


def test_a_misspelt_question_is_suggested() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'completeness'"):
        find("completness")


def test_a_parameter_of_another_type_is_refused() -> None:
    with pytest.raises(UsageError, match="task is 'one', expected INTEGER"):
        find("Q1").bind({"task": "one"})
    assert Parameter(name="a", kind="REAL", default=None, what="x").parse("2") == 2.0


def test_every_proof_is_a_command_that_exists() -> None:
    from ledger.cli.app import build_cli

    root = build_cli()
    for command in filter(None, PROOFS.values()):
        noun, verb = re.match(r"fedtrail (\w+) (\w+)", command).groups()  # type: ignore[union-attr]
        group = root.get_command(root.make_context("fedtrail", [], resilient_parsing=True), noun)
        assert group is not None, command
        assert verb in group.list_commands(group.make_context(noun, [], resilient_parsing=True)), command  # type: ignore[attr-defined]
