"""fedtrail audit and signoff on an index whose events the test chose; the chain is not there."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from command_line import Cli, run_process
from planted_index import LEDGER, PlantedIndex, address, digest

from ledger.index.reading import Finality, open_reader
from ledger.journal import Journal
from ledger.project import Project


@pytest.fixture
def index(in_project: Project) -> PlantedIndex:
    """The index of the project, with two finalised rounds and one that a court struck."""
    planted = PlantedIndex(in_project.state_dir / "index.sqlite")
    planted.run(rounds=2)
    planted.open(3)
    planted.commit(3, 1, 2, 3)
    planted.propose(3, committed=4, excluded=[(2, 715)])
    planted.void(3)
    return planted


@pytest.fixture
def key(in_project: Project, cli: Cli) -> str:
    assert cli("key", "new", "ada").status == 0
    return "ada"


def test_questions_are_listed_with_their_grades_and_parameters(cli: Cli) -> None:
    data = cli("audit", "list", "--format", "json").json["data"]
    assert len(data) == 25
    assert data[9] == {
        "q": "Q10",
        "slug": "anomalies",
        "question": "Which updates had an anomaly score above a threshold?",
        "grade": "ATTESTED",
        "rows": "findings",
        "asked_by": ["researcher", "partner"],
        "parameters": ["task=", "threshold=3.0"],
    }


def test_answers_say_how_well_they_are_known_and_what_proves_them(cli: Cli, index: PlantedIndex) -> None:
    answer = cli("audit", "run", "Q4", "who-contributed", "--format", "json", "--offline")
    assert answer.status == 0, answer.err
    document = answer.json
    assert document["schema"] == "fedtrail/audit.run/v1" and document["grade"] == "PROVEN"
    assert document["asof"] == {
        "chain": "31337",
        "block": str(index.number),
        "hash": "0x" + digest("block", index.number).hex(),
        "finality": "final",
    }
    assert any("not compared with the chain" in warning for warning in document["warnings"])
    completeness, contributions = document["data"]
    assert (completeness["query"], completeness["findings"]) == ("Q4", 1)
    (row,) = completeness["rows"]
    assert (row["counted"], row["seen"], row["grade"], row["proof"]) == (4, 3, "PROVEN", "fedtrail index verify")
    assert len(contributions["rows"]) == 9
    assert contributions["rows"][0]["proof"] == "fedtrail proof get event --block 7 --log 0 -o FILE"


def test_a_table_tells_rows_grade_and_what_is_missing(cli: Cli, index: PlantedIndex) -> None:
    out = cli("audit", "run", "Q4", "Q12", "Q20", "--offline").out
    words = " ".join(out.split())
    assert "Q4 completeness 1 row PROVEN" in words
    assert "Q12 copycats 0 rows MISSING 8 accepted updates whose bytes are not in the index" in words
    assert "registered" in out and "prove the first row: fedtrail" in out


def test_csv_and_ndjson_have_every_row(cli: Cli, index: PlantedIndex) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("audit", "run", "Q1", "--format", "csv").out)))
    assert len(rows) == 9 and rows[0]["outcome"] == "accepted" and rows[0]["grade"] == "PROVEN"
    lines = cli("audit", "run", "Q1", "Q4", "--format", "ndjson").out.splitlines()
    assert [json.loads(line)["query"] for line in lines] == ["Q1"] * 9 + ["Q4"]
    assert cli("audit", "run", "Q1", "Q4", "--format", "csv").status == 2


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("Q4", "--fail-on", "any"), 9, "Q4 completeness: 1 row"),
        (("Q1", "Q7", "--fail-on", "any"), 0, ""),
        (("Q3", "--fail-on", "grade<P"), 9, "Q3 aggregation-honest: 3 rows"),
        (("Q3", "--fail-on", "grade<C"), 9, "Q3 aggregation-honest: 3 rows"),
        (("Q12", "--fail-on", "grade<A"), 9, "Q12 copycats: 8 accepted updates"),
        (("Q14", "--fail-on", "grade<P"), 0, ""),
        (("Q4", "--fail-on", "all"), 2, "expected any, grade<P"),
        (("Q99",), 5, "no query 'Q99'"),
        (("Q4", "--param", "limit=3"), 2, "no parameter limit"),
        (("Q4", "--param", "task"), 2, "no NAME=VALUE"),
        (("Q4", "--task", "7"), 5, "no task '7'"),
        (("Q4", "--at-block", "999"), 5, "before block 999"),
        (("Q4", "--run", "x", "--task", "1"), 2, "exclude each other"),
        (("Q4", "--run", "x"), 5, "no run 'x'"),
    ],
    ids=str,
)
def test_exit_statuses_say_what_was_found(
    cli: Cli, index: PlantedIndex, arguments: tuple[str, ...], status: int, words: str
) -> None:
    answer = cli("audit", "run", *arguments, "--offline")
    assert answer.status == status and words in answer.err


def test_a_failure_has_the_rows_in_json_nevertheless(cli: Cli, index: PlantedIndex) -> None:
    answer = cli("audit", "run", "Q4", "--fail-on", "any", "--format", "json", "--offline")
    assert (answer.status, answer.json["error"]["code"]) == (9, "FT901")
    assert answer.json["data"][0]["rows"][0]["counted"] == 4


def test_a_run_is_found_by_its_script_without_the_chain(cli: Cli, index: PlantedIndex, in_project: Project) -> None:
    index.create_task(2, script_digest=digest("mine"))
    index.open(4, task=2, number=1)
    index.commit(4, 1)
    journal = Journal(in_project.journal_path)
    for name, script in (("mine", "mine"), ("other", "elsewhere")):
        journal.note(f"31337-x-y/run/{name}/script", {"digest": digest(script).hex(), "file": "f"})
    journal.close()
    data = cli("audit", "run", "Q1", "--run", "mine", "--format", "json").json["data"]
    assert [(row["task"], row["round"]) for row in data[0]["rows"]] == [(2, 1)]
    absent = cli("audit", "run", "Q1", "--run", "other")
    assert absent.status == 5 and "not in the index" in absent.err


def test_a_chain_that_does_not_answer_is_said_to_be_unasked(cli: Cli, index: PlantedIndex) -> None:
    assert "The chain was not asked" in cli("audit", "run", "Q4").err


def test_without_an_index_the_hint_says_how_to_make_one(cli: Cli, in_project: Project) -> None:
    answer = cli("audit", "run", "Q1")
    assert answer.status == 5 and "fedtrail index sync" in answer.err
    assert not (in_project.state_dir / "index.sqlite").exists()


def test_sql_of_ones_own_runs_at_any_block_and_changes_nothing(cli: Cli, index: PlantedIndex) -> None:
    count = "SELECT count(*) AS n FROM rounds WHERE task = :t"
    query = ("audit", "sql", count, "--param", "t=1", "--format", "json")
    assert cli(*query).json["data"] == [{"n": 3}]
    assert cli(*query, "--at-block", 5).json["data"] == [{"n": 0}]
    assert cli(*query, "--at-block", 5).json["asof"]["block"] == "5"
    for statement in ("DELETE FROM event", "ATTACH ':memory:' AS m", "PRAGMA journal_mode"):
        refused = cli("audit", "sql", statement)
        assert refused.status == 2 and "only SELECT is allowed" in refused.err
    assert cli(*query).json["data"] == [{"n": 3}]


def test_the_schema_lists_what_can_be_asked(cli: Cli, index: PlantedIndex) -> None:
    tables = {row["name"]: row["columns"] for row in cli("audit", "schema", "--format", "json").json["data"]}
    assert "outcome" in tables["contributions"] and "x_update" in tables


def test_a_shell_takes_statements_until_the_input_ends(
    index: PlantedIndex, in_project: Project, tmp_path: Path
) -> None:
    import subprocess
    import sys

    typed = "SELECT count(*)\nAS rounds FROM rounds;\nDROP TABLE event;\nSELECT 41 + 1 AS sum;\n"
    done = subprocess.run(
        [sys.executable, "-m", "ledger.cli", "audit", "shell"],
        input=typed,
        capture_output=True,
        text=True,
        cwd=in_project.root,
        env={**os.environ, "NO_COLOR": "1"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["rounds", "3", "sum", "42"]
    assert "only SELECT is allowed" in done.stderr


@pytest.mark.parametrize("profile", ["annex-iv", "ropa", "hipaa", "part11", "partner", "research"])
def test_a_report_is_written_in_three_forms(cli: Cli, index: PlantedIndex, profile: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    assert cli("audit", "report", profile, "-o", file).status == 0
    assert file.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert cli("audit", "report", profile, "--format", "md").out.startswith("# ")
    document = cli("audit", "report", profile, "--format", "json", "--task", 1).json
    assert document["schema"] == "fedtrail/audit.report/v1" and document["data"]["scope"] == "Task 1"
    assert document["asof"]["chain"] == "31337"


def test_a_report_can_fail_on_findings(cli: Cli, index: PlantedIndex) -> None:
    assert cli("audit", "report", "partner", "--fail-on", "any").status == 9
    assert cli("audit", "report", "parter").status == 5


def test_who_looked_at_what_is_logged(cli: Cli, index: PlantedIndex) -> None:
    cli("audit", "run", "Q1", "--task", 1)
    cli("audit", "sql", "DROP TABLE event")
    cli("audit", "report", "partner", "--format", "md")
    rows = cli("audit", "run", "Q24", "--format", "json").json["data"][0]["rows"]
    seen = {(row["action"], row["target"], row["outcome"]) for row in rows}
    assert seen >= {("run", "Q1 task=1", "9 rows"), ("sql", "DROP TABLE event", "refused")}
    assert {row["grade"] for row in rows} == {"CLAIMED"}


def test_a_review_of_the_activity_is_signed_with_its_record(
    cli: Cli, index: PlantedIndex, key: str, in_project: Project
) -> None:
    assert cli("audit", "review", "--key", key, "--name", "Grace").status == 5  # nothing to examine yet
    cli("audit", "run", "Q1")
    told = cli("audit", "review", "--key", key, "--name", "Grace", "--format", "json").json["data"]
    assert told["examined"] == 1
    (row,) = cli("signoff", "list", "--format", "json").json["data"]
    assert (row["name"], row["role"], row["valid"], row["record"]) == ("Grace", "examiner", True, told["record"])
    assert json.loads(Path(told["file"]).read_text())["access"][0]["action"] == "run"


def sign(cli: Cli, *arguments: object) -> None:
    answer = cli("signoff", "add", "--key", "ada", "--name", "Ada Byron", "--meaning", "review", *arguments)
    assert answer.status == 0, answer.err


def test_a_round_is_signed_off_by_its_head(cli: Cli, index: PlantedIndex, key: str) -> None:
    sign(cli, "--task", 1, "--round", 2, "--metric", "test/accuracy=0.91")
    (row,) = cli("signoff", "list", "--format", "json").json["data"]
    assert row["record"] == "0x" + digest("head", 2).hex() and row["contract"] == LEDGER
    unsigned = cli("audit", "run", "Q21", "--format", "json").json["data"][0]["rows"]
    assert [each["round"] for each in unsigned] == [1]
    (accuracy,) = cli("audit", "run", "Q17", "--format", "json").json["data"][0]["rows"]
    assert (accuracy["value"], accuracy["evaluator"], accuracy["grade"]) == (0.91, "Ada Byron", "ATTESTED")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        (("--round", "1"), 2),
        (("--task", "1", "--round", "3"), 5),
        (("--task", "1", "--round", "1", "--metric", "accuracy=1"), 2),
        (("--task", "1", "--round", "1", "--key", "nobody"), 3),
    ],
)
def test_what_cannot_be_signed_is_refused(
    cli: Cli, index: PlantedIndex, key: str, arguments: tuple[str, ...], status: int, in_project: Project
) -> None:
    answer = cli("signoff", "add", "--key", "ada", "--name", "Ada", "--meaning", "review", *arguments)
    assert answer.status == status
    assert not list(in_project.root.glob("signoffs/0x*"))


def test_a_report_that_was_signed_verifies_and_a_changed_statement_does_not(
    cli: Cli, index: PlantedIndex, key: str, in_project: Project, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    cli("audit", "report", "part11", "-o", file)
    sign(cli, "--file", file)
    assert "Ada Byron" in cli("signoff", "list").out
    index.db.execute("UPDATE signoff SET meaning = 'approval'")
    answer = cli("signoff", "list")
    assert answer.status == 7 and "not signed by" in answer.err


def test_statements_come_back_into_an_index_that_was_built_anew(
    cli: Cli, index: PlantedIndex, key: str, in_project: Project
) -> None:
    sign(cli, "--task", 1, "--round", 1)
    index.db.execute("DELETE FROM signoff")
    assert [row["round"] for row in cli("signoff", "list", "--format", "json").json["data"]] == [1]


def test_an_organisation_is_named_here_and_can_be_erased(
    cli: Cli, index: PlantedIndex, in_project: Project, tmp_path: Path
) -> None:
    label = "St. Erasmus Hospital"
    assert cli("audit", "org", "set", 1, label, "--contact", "dpo@erasmus.example").status == 0
    rows = cli("audit", "run", "Q1", "--format", "json").json["data"][0]["rows"]
    assert {row["name"] for row in rows if row["client"] == "1"} == {label}
    copy = in_project.state_dir / "index.before.sqlite"
    copy.write_bytes((in_project.state_dir / "index.sqlite").read_bytes())
    assert cli("audit", "org", "erase", 1, "--yes").status == 0
    index.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in in_project.state_dir.glob("index*"):
        assert b"Erasmus" not in file.read_bytes() and b"dpo@" not in file.read_bytes(), file
    (row,) = cli("audit", "run", "Q25", "--format", "json").json["data"][0]["rows"]
    assert (row["what"], row["subject"]) == ("name", 1) and row["erased_at"]
    assert cli("audit", "org", "erase", 2, "--yes").status == 5
    assert cli("audit", "org", "set", "nobody", "x").status == 5


def test_clients_are_called_as_their_keys_here(cli: Cli, index: PlantedIndex, key: str, in_project: Project) -> None:
    from ledger.keys import Keystore

    signer = bytes.fromhex(Keystore(in_project.keys_dir).address(key)[2:])
    index.add("KeyRotated", id=2, signer=signer, epoch=1)
    rows = cli("audit", "run", "Q14", "--format", "json").json["data"][0]["rows"]
    assert [row["name"] for row in rows] == [None, "ada", None, None]


def test_an_index_that_cannot_be_written_is_read_nevertheless(cli: Cli, index: PlantedIndex) -> None:
    index.db.execute("BEGIN IMMEDIATE")
    with open_reader(index.path, finality=Finality.FINAL) as reader:
        assert reader.query("SELECT 1").rows == ((1,),)
    index.db.execute("ROLLBACK")


def test_help_reads_no_index(in_project: Project) -> None:
    answer = run_process("audit", "--help", cwd=in_project.root)
    assert answer.status == 0 and "fsck" in answer.out and address("x")
