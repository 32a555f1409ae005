"""Write the table of docs/compatibility.md from ledger/compatibility.py; with --check, only compare.

Usage: python scripts/make_compatibility.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from devtools import pages

from ledger.compatibility import render_table

TARGET = Path(__file__).resolve().parents[1] / "docs" / "compatibility.md"
BEGIN, END = "<!-- made by scripts/make_compatibility.py -->\n", "<!-- end -->\n"


def render() -> str:
    """Return the page as it should be."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    return f"{head}{BEGIN}\n{render_table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    sys.exit(pages.run(__file__, __doc__, TARGET, render))
