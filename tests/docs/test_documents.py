"""What documents name exists: tests, files, links, decision records, clauses."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECORDS = sorted(DOCS.glob("adr/[0-9]*.md"))
NAMES = ("protocol.md", "threat-model.md", "architecture.md", "security-analysis.md", "adr/README.md")
DOCUMENTS = [*(DOCS / name for name in NAMES), *RECORDS]


@cache
def collect_tests() -> frozenset[str]:
    names = set()
    for file in (ROOT / "tests").glob("*/*.py"):
        names |= {n.name for n in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(n, ast.FunctionDef)}
    for file in (ROOT / "contracts/test").glob("*.sol"):
        names |= set(re.findall(r"function ((?:test|invariant)\w*)", file.read_text("utf-8")))
    return frozenset(names)


def collect_clauses() -> set[str]:
    text = (DOCS / "protocol.md").read_text("utf-8")
    return set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?) ", text, re.MULTILINE))


def collect_named() -> set[str]:
    return set(re.findall(r"`((?:test|invariant)_?[A-Za-z0-9_]+)`", (DOCS / "threat-model.md").read_text("utf-8")))


def test_every_test_that_the_threat_model_names_exists():
    named = collect_named()
    assert len(named) > 20
    assert named - collect_tests() == set()


def test_every_known_gap_is_in_the_threat_model():
    gaps = {name for name in collect_tests() if name.startswith("test_known_gap_")}
    assert gaps
    assert gaps - collect_named() == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(DOCS)))
def test_every_link_of_a_document_leads_somewhere(document):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_decision_record_is_in_the_index():
    index = (DOCS / "adr/README.md").read_text("utf-8")
    assert RECORDS
    assert sorted(re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", index)) == [file.name for file in RECORDS]


def test_every_clause_that_code_cites_is_a_section_of_the_protocol():
    clauses, cited = collect_clauses(), set()
    sources = [file for part in ("ledger", "fl", "contracts", "scripts") for file in (ROOT / part).rglob("*")]
    for file in sources:
        if file.suffix not in (".py", ".sol") or "node_modules" in file.parts:
            continue
        for line in file.read_text("utf-8").splitlines():
            # Papers and standards have sections, too; they are cited with their own names in front.
            if not re.search(r"RFC|Keccak reference", line):
                cited |= {(clause, str(file.relative_to(ROOT))) for clause in re.findall(r"§(\d+(?:\.\d+)?)", line)}
    assert len(cited) > 50
    assert sorted(pair for pair in cited if pair[0] not in clauses) == []


def test_every_heading_that_code_cites_is_one_of_the_protocol():
    headings = set(re.findall(r"^#+ [\d.]+ (.+)$", (DOCS / "protocol.md").read_text("utf-8"), re.MULTILINE))
    words = {word.capitalize() for heading in headings for word in heading.split()}
    cited = set()
    for file in [*(ROOT / "contracts").rglob("*.sol"), *(ROOT / "ledger").rglob("*.py")]:
        cited |= set(re.findall(r"docs/protocol\.md, ([A-Z]\w+)", file.read_text("utf-8")))
    assert cited
    assert cited - words == set()
