"""What commands print: the same data in every format, and nothing that could steer a terminal."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass

import pytest

from ledger.cli.output import print_rows, printable, shorten, to_plain, to_text
from ledger.records import Grade
from ledger.spec import Phase
from ledger.store import Cid

ROWS = [
    {"name": "a", "size": 1, "stake_wei": 10**20, "tags": ["x", "y"], "root": b"\x01\x02", "note": None},
    {"name": 'b, "c"', "size": 22, "stake_wei": 5, "tags": [], "root": b"", "note": "z"},
]
COLUMNS = ("name", "size", "tags", "note")


@dataclass(frozen=True)
class Point:
    client_id: int
    phase: Phase


def show(capsys: pytest.CaptureFixture[str], fmt: str) -> str:
    print_rows("test.list", ROWS, fmt=fmt, columns=COLUMNS, grade=Grade.PROVEN)
    return capsys.readouterr().out


def test_json_is_one_envelope_with_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(show(capsys, "json"))
    assert {key: document[key] for key in ("schema", "ok", "grade", "warnings")} == {
        "schema": "fedtrail/test.list/v1",
        "ok": True,
        "grade": "PROVEN",
        "warnings": [],
    }
    assert document["data"][0] == {
        "name": "a",
        "size": 1,
        "stake_wei": "100000000000000000000",
        "tags": ["x", "y"],
        "root": "0x0102",
        "note": None,
    }


def test_ndjson_is_one_row_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert [json.loads(line)["name"] for line in show(capsys, "ndjson").splitlines()] == ["a", 'b, "c"']


def test_csv_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.reader(io.StringIO(show(capsys, "csv"))))
    assert rows == [list(COLUMNS), ["a", "1", '["x", "y"]', ""], ['b, "c"', "22", "[]", "z"]]


def test_table_cuts_nothing_and_leaves_no_blanks_at_line_ends(capsys: pytest.CaptureFixture[str]) -> None:
    long = [{"name": "n" * 300, "size": 1}]
    print_rows("test.list", long, fmt="table", columns=("name", "size"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "n" * 300 in lines[1]
    assert all(line == line.rstrip() for line in lines)
    assert show(capsys, "table").splitlines()[1].split() == ["a", "1", "x,", "y", "-"]


def test_an_empty_table_says_so_on_stderr_only(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows("test.list", [], fmt="table", columns=COLUMNS, empty="nothing here")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "nothing here\n")
    print_rows("test.list", [], fmt="json", columns=COLUMNS, empty="nothing here")
    assert json.loads(capsys.readouterr().out)["data"] == []


@pytest.mark.parametrize(
    ("value", "key", "plain"),
    [
        (7, "client", "7"),
        (7, "round_id", "7"),
        (7, "rounds", 7),
        (2**53, "", str(2**53)),
        (2**53 - 1, "", 2**53 - 1),
        (True, "client", True),
        (Phase.OPEN, "", "open"),
        (Grade.PROVEN, "", "PROVEN"),
        (Point(client_id=3, phase=Phase.FINALISED), "", {"client_id": "3", "phase": "finalised"}),
    ],
)
def test_identifiers_and_large_integers_are_strings(value: object, key: str, plain: object) -> None:
    assert to_plain(value, key) == plain
    json.dumps(to_plain(value, key))


def test_a_cid_is_written_as_people_know_it() -> None:
    assert to_plain({"cid": Cid.of(b"x")})["cid"].startswith("bafkrei")


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x1b]0;title\x07", "a\rb", "\u202egnp.exe", "\x9b31m", "\x00"])
def test_text_of_strangers_cannot_steer_the_terminal(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "\\x" in printable(hostile)
    print_rows("test.list", [{"name": hostile}], fmt="table", columns=("name",))
    out = capsys.readouterr().out
    assert hostile not in out and "\x1b" not in out and "\r" not in out


def test_markup_in_names_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows("test.list", [{"name": "[red]x[/red]"}], fmt="table", columns=("name",))
    assert "[red]x[/red]" in capsys.readouterr().out


def test_digests_are_shortened_for_tables_only() -> None:
    assert shorten(bytes(range(32))) == "0x000102..1e1f"
    assert shorten("short") == "short"
    assert to_text(bytes(range(32))).endswith("1e1f") and len(to_text(bytes(range(32)))) == 66
