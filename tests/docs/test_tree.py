"""The tree in docs/architecture.md is the tree on disk, one sentence a file."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def read_tree() -> list[tuple[str, str]]:
    """Return path and sentence of every line in the tree's blocks."""
    document = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = document.split("## The tree\n")[1].split("\n## ")[0]
    lines = "".join(re.findall(r"```text\n(.*?)```", section, re.DOTALL)).splitlines()
    return [(path, sentence.strip()) for path, _, sentence in (line.partition(" ") for line in lines if line)]


def list_files() -> set[str]:
    python = {file for package in ("ledger", "fl") for file in (ROOT / package).rglob("*.py")}
    solidity = set((ROOT / "contracts").rglob("*.sol"))
    return {file.relative_to(ROOT).as_posix() for file in python | solidity}


def test_every_module_and_contract_is_in_the_tree():
    assert sorted(list_files() - {path for path, _ in read_tree()}) == []


def test_every_file_in_the_tree_is_there():
    assert [path for path, _ in read_tree() if not (ROOT / path).is_file()] == []


def test_a_file_is_listed_once_with_its_sentence():
    tree = read_tree()
    assert len(tree) == len({path for path, _ in tree})
    assert [path for path, sentence in tree if len(sentence.split()) < 3] == []
