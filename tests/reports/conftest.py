"""An index of a test's own, and questions about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted_index import PlantedIndex, Question

from ledger.index.reading import Value, open_reader
from ledger.reports.catalogue import load_all
from ledger.reports.running import Answer, ask


@pytest.fixture
def planted(tmp_path: Path) -> PlantedIndex:
    """An index with one empty block."""
    return PlantedIndex(tmp_path / "index.sqlite")


@pytest.fixture
def question(planted: PlantedIndex) -> Question:
    """Return a function that answers a question by number; keyword arguments are its parameters."""

    def answer(number: int, **given: Value) -> Answer:
        with open_reader(planted.path) as reader:
            return ask(reader, load_all()[number - 1], given)

    return answer
