"""Write the table of docs/compatibility.md from ledger/compatibility.py; with --check, only compare.

Usage: python scripts/make_compatibility.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ledger.compatibility import render_table

TARGET = Path(__file__).resolve().parents[1] / "docs" / "compatibility.md"
BEGIN, END = "<!-- made by scripts/make_compatibility.py -->\n", "<!-- end -->\n"


def render() -> str:
    """Return the page as it should be."""
    head, _, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    return f"{head}{BEGIN}\n{render_table()}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Write or compare the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        TARGET.write_text(render(), encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == render():
        return 0
    print(f"{TARGET} is not up to date; run: python scripts/make_compatibility.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
