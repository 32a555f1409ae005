"""Write the list of questions in docs/reports.md from their files; with --check, only compare.

Usage: python scripts/make_reports_reference.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from devtools import pages

from ledger.reports.catalogue import Query, load_all
from ledger.reports.profiles import PROFILES

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reports.md"
BEGIN, END = "<!-- made by scripts/make_reports_reference.py -->\n", "<!-- end -->\n"


def render() -> str:
    """Return the page as it should be."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    return f"{head}{BEGIN}{''.join(_lines())}{END}{rest.partition(END)[2]}"


def _lines() -> Iterator[str]:
    yield "\n| question | grade | rows | asked by | parameters |\n|---|---|---|---|---|\n"
    for query in load_all():
        what = f"**{query.name}** `{query.slug}`: {query.question}"
        rows = "findings" if query.finds else "facts"
        cells = (what, _grade(query), rows, ", ".join(query.asked_by), _parameters(query))
        yield f"| {' | '.join(cells)} |\n"
    yield "\n| report | questions |\n|---|---|\n"
    for profile in PROFILES.values():
        asked = ", ".join(f"Q{number}" for section in profile.sections for number in section.queries)
        yield f"| `{profile.name}`: {profile.title} | {asked} |\n"
    yield "\n"


def _grade(query: Query) -> str:
    lower = f" (`{', '.join(query.attested)}`: ATTESTED)" if query.attested else ""
    return f"{query.grade}{lower}"


def _parameters(query: Query) -> str:
    shown = [
        f"`{each.name}` {each.what}" + ("" if each.default is None else f" ({each.default})")
        for each in query.parameters
    ]
    return "; ".join(shown) or "–"


if __name__ == "__main__":
    sys.exit(pages.run(__file__, __doc__, TARGET, render))
