"""Reports stand alone, say how well everything is known, and show hostile text as text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from planted_index import PlantedIndex, address, make_update

from ledger.index.reading import open_reader
from ledger.reports import figures, markdown, page, words
from ledger.reports.assembling import Report, assemble, list_warnings, to_document
from ledger.reports.profiles import PROFILES, find_profile

HOSTILE = "<script>alert(1)</script>|**bold**[x](javascript:y)\u202e\x07\"'&"
VOID = {"meta", "circle", "rect", "polyline"}


class Outline(HTMLParser):
    """Reads a document as a browser does, and complains about what is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> Outline:
    outline = Outline()
    outline.feed(html)
    outline.close()
    assert outline.open == []
    return outline


@pytest.fixture
def eventful(planted: PlantedIndex) -> PlantedIndex:
    """A ledger in which everything happened at least once, to somebody with a hostile name."""
    planted.run(rounds=2)
    planted.open(3)
    planted.commit(3, 1, 2, 3)
    planted.propose(3, committed=3, excluded=[(2, 715)])
    planted.publish(3, {1: make_update(3, 1, [1] * 45, 12)}, silent=[2, 3])
    planted.void(3)
    planted.slash(9, 3, reason=b"voided round", wei=10**18)
    planted.insert("org", org="0x" + address(("owner", 1)).hex(), label=HOSTILE)
    planted.insert("access_log", at="2026-01-01", who=HOSTILE, action="sql", target=HOSTILE, outcome="3 rows")
    planted.insert("artifact", cid="baf", kind=HOSTILE, status="missing", retain_until="2020-01-01", checked_at="2020")
    return planted


def make_report(planted: PlantedIndex, name: str) -> Report:
    planted.sign_off(name="Ada & <b>Co</b>", metrics='{"test/accuracy":"0.9"}')
    planted.sign_off(round_id=2, metrics='{"test/accuracy":"0.95"}')
    with open_reader(planted.path) as reader:
        warnings = list_warnings(reader.as_of, head=reader.as_of.tip + 5)
        return assemble(reader, find_profile(name), scope=HOSTILE, given={}, keys={}, warnings=warnings)


@pytest.mark.parametrize("name", PROFILES)
def test_a_report_stands_alone_and_escapes_whatever_it_shows(eventful: PlantedIndex, name: str) -> None:
    report = make_report(eventful, name)
    html = page.render(report)
    outline = read(html)
    tags = [tag for tag, _ in outline.tags]
    assert "script" not in tags and "b" not in tags and "img" not in tags and "link" not in tags
    links = [value for _, attrs in outline.tags for key, value in attrs.items() if key in ("href", "src", "xlink:href")]
    assert links and all(link and link.startswith("#") for link in links)
    assert not re.search(r"https?://|url\(", html)
    targets = {attrs["id"] for _, attrs in outline.tags if "id" in attrs}
    assert {link[1:] for link in links if link} <= targets
    assert "\u202e" not in html and "\x07" not in html


@pytest.mark.parametrize("name", PROFILES)
def test_people_with_assistive_technology_can_read_a_report(eventful: PlantedIndex, name: str) -> None:
    outline = read(page.render(make_report(eventful, name)))
    tags = [tag for tag, _ in outline.tags]
    attributes = dict(outline.tags)
    assert attributes["html"] == {"lang": "en"} and tags.count("main") == tags.count("h1") == 1
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert all(attrs.get("scope") == "col" for tag, attrs in outline.tags if tag == "th")
    figures_ = [attrs for tag, attrs in outline.tags if tag == "svg"]
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in figures_)
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", PROFILES)
def test_a_report_judges_no_law_and_names_what_no_ledger_knows(eventful: PlantedIndex, name: str) -> None:
    report = make_report(eventful, name)
    for text in (page.render(report), markdown.render(report), json.dumps(to_document(report))):
        assert not re.search("complian", text, re.IGNORECASE)
    words = " ".join(read(page.render(report)).words)
    assert "Not in ledger" in words and "no ledger can prove that" in words
    assert "5 blocks behind" in words and "not compared with the chain" in words


@pytest.mark.parametrize("name", PROFILES)
def test_every_row_has_a_grade_and_mostly_a_proof(eventful: PlantedIndex, name: str) -> None:
    report = make_report(eventful, name)
    numbers = {proof.number for proof in report.proofs}
    for _, parts in report.sections:
        for part in parts:
            assert "grade" in part.columns
            assert all(row["grade"] in ("PROVEN", "ATTESTED", "CLAIMED", "MISSING") for row in part.rows)
            assert set(part.proofs) <= numbers | {0}
            if any(part.answer.query.proofs) and part.answer.query.number not in (18, 23):
                assert all(part.proofs), part.answer.query.name
    assert all(proof.command or proof.tx for proof in report.proofs)


def test_a_name_from_a_stranger_cannot_leave_its_cell_in_markdown(eventful: PlantedIndex) -> None:
    text = markdown.render(make_report(eventful, "partner"))
    (row, *_) = [line for line in text.splitlines() if "alert" in line and line.startswith("|")]
    heads = next(line for line in text.splitlines() if line.startswith("| client | name |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == len(re.findall(r"(?<!\\)\|", heads))
    assert "\\<script\\>" in row and "\\*\\*bold" in row and not re.search(r"(?<!\\)\]\(", row)


def test_the_json_form_is_whole_where_tables_are_cut(eventful: PlantedIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (page, markdown):
        monkeypatch.setattr(module, "MAX_ROWS", 2)
    report = make_report(eventful, "hipaa")
    assert "The first 2 of 9 rows; all:" in page.render(report)
    assert "The first 2 of 9 rows; all:" in markdown.render(report)
    answers = to_document(report)["sections"][0]["answers"]  # type: ignore[index]
    assert len(answers[0]["rows"]) == 9 and answers[0]["rows"][0]["commitment"].startswith("0x")


def test_a_finding_is_marked_by_a_word_and_not_by_colour_alone(eventful: PlantedIndex) -> None:
    report = make_report(eventful, "partner")
    count = sum(sum(part.marks) for _, parts in report.sections for part in parts)
    assert count == report.findings > 0
    assert page.render(report).count("<strong>look</strong>") == markdown.render(report).count("**look**") == count


def test_participation_is_drawn_with_a_letter_in_every_cell(eventful: PlantedIndex) -> None:
    report = make_report(eventful, "partner")
    svg = figures.draw_participation(report.participation, report.names)
    letters = re.findall(r'text-anchor="middle">([ARDS…]?)</text></g>', svg)
    assert sorted(letters) == ["A"] * 6 + ["R", "S", "S"]
    assert 'aria-label="Participation of 3 clients in 3 rounds: 6 accepted, 1 rejected, 2 struck"' in svg


def test_accuracy_is_drawn_as_evaluators_signed_it(eventful: PlantedIndex) -> None:
    report = make_report(eventful, "research")
    svg = figures.draw_series(report.evaluations, "accuracy")
    (points,) = re.findall(r'polyline points="([^"]*)"', svg)
    (x0, y0), (x1, y1) = (tuple(map(float, point.split(","))) for point in points.split())
    assert x0 < x1 and y0 > y1  # later is to the right, better is higher
    assert figures.draw_series(report.evaluations, "loss") == figures.draw_participation((), {}) == ""


def test_one_round_is_enough_for_a_figure(planted: PlantedIndex) -> None:
    row = {"task": 1, "round": 1, "split": "test", "metric": "accuracy", "value": 0.5}
    assert "nan" not in figures.draw_series((row,), "accuracy")


def test_a_signature_is_shown_with_name_time_and_meaning_or_as_invalid(eventful: PlantedIndex) -> None:
    make_report(eventful, "part11")
    eventful.db.execute("UPDATE signoff SET meaning = 'approval' WHERE round_id = 2")
    with open_reader(eventful.path) as reader:
        report = assemble(reader, find_profile("part11"), scope="x", given={}, keys={})
    cells = [words.list_signoff(row) for row in report.signoffs]
    assert cells[0][:5] == ("Ada & <b>Co</b>", "reviewer", "review", "2023-11-14 22:13:20Z", "round 1")
    assert [cell[-1] for cell in cells] == ["ATTESTED", "INVALID SIGNATURE"]


def test_a_task_of_its_own_is_reported_alone(eventful: PlantedIndex) -> None:
    eventful.create_task(2)
    eventful.open(4, task=2, number=1)
    eventful.commit(4, 1)
    with open_reader(eventful.path) as reader:
        report = assemble(reader, find_profile("partner"), scope="x", given={"task": 2}, keys={})
    assert {row["task"] for row in report.participation} == {2}
    assert report.answers[0].rows[0]["committed"] == 1
