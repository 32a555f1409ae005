"""The figures on validation in docs/robustness.md are those of the committed result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULT = json.loads((ROOT / "benchmarks/results/validation.json").read_text("utf-8"))
PAGE = (ROOT / "docs/robustness.md").read_text("utf-8")
SPLITS = [RESULT["rejected"][name] for name in ("iid", "dirichlet(0.5)")]


def tell(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


@pytest.mark.parametrize("name", RESULT["rejected"]["iid"])
def test_a_row_of_the_page_is_that_of_the_result(name: str) -> None:
    cells = [tell(split[name].get(key)) for split in SPLITS for key in ("dishonest_rejected", "honest_rejected")]
    assert f"| {name} | {' | '.join(cells)} |" in PAGE


def test_the_limits_that_were_measured_are_the_defaults() -> None:
    from ledger.script import ValidationSection

    assert RESULT["validation"] == str(ValidationSection().validation)


def test_honest_clients_are_hardly_ever_rejected() -> None:
    for split in SPLITS:
        assert split["nobody"]["honest_rejected"] <= 0.02
        assert split["nobody"]["honest_client_rounds"] >= 6000
