"""Say which lines and branches of the contracts no Solidity test reaches: coverage.py LCOV.

The report is forge's. It takes places from the compiler's source maps, which assembly blurs: lines and branches
in assembly blocks are left out, and what the rest owes to inlining needs its reason in the document, like what
no test can reach. The tests of the assembly are vectors, fuzzing and symbolic checks.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "security-analysis.md"
ROW = re.compile(r"^\| `(contracts/[\w/]+\.sol)` \| `([^`]+)` \| \S.* \|$", re.MULTILINE)


def main() -> int:
    """Print one line a contract, then what is missing. Returns 0 when nothing is."""
    report = Path(sys.argv[1])
    lines, branches = (
        {file: drop_assembly(file, hits) for file, hits in read(report, kind).items()} for kind in ("DA", "BRDA")
    )
    print(f"{'':<44}{'lines':>10}{'branches':>10}")
    for file in sorted({*lines, *branches}):
        print(f"{file:<44}{share(lines.get(file, {})):>10}{share(branches.get(file, {})):>10}")
    print(f"{'all':<44}{share(merge(lines)):>10}{share(merge(branches)):>10}")
    missing = {**find_missing("line", lines), **find_missing("branch", branches)}
    explained = set(read_reasons(DOCUMENT.read_text("utf-8")))
    for place in sorted(missing.keys() - explained):
        print(f"{missing[place]} never reached: {place[1]}")
    for file, code in sorted(explained - missing.keys()):
        print(f"{DOCUMENT.relative_to(ROOT)} explains a line of {file} that is reached, or is not there: {code}")
    return 1 if missing.keys() != explained or not lines or not branches else 0


def merge(files: dict[str, dict[tuple[int, ...], int]]) -> dict[tuple[object, ...], int]:
    """Return the places of all files as one."""
    return {(file, *place): count for file, hits in files.items() for place, count in hits.items()}


def read_reasons(document: str) -> Iterator[tuple[str, str]]:
    """Yield file and source line of what the document gives a reason for; a bar of the code has a backslash there."""
    for file, code in ROW.findall(document):
        yield file, code.replace("\\|", "|")


def read(report: Path, record: str) -> dict[str, dict[tuple[int, ...], int]]:
    """Return how often each line (DA) or branch (BRDA) was taken, by file; tests and packages are left out."""
    hits: dict[str, dict[tuple[int, ...], int]] = defaultdict(dict)
    file = ""
    for row in report.read_text("utf-8").splitlines():
        kind, _, value = row.partition(":")
        if kind == "SF":
            file = Path(value).relative_to(ROOT).as_posix() if Path(value).is_absolute() else value
        elif kind == record and file.startswith("contracts/") and not file.startswith("contracts/test/"):
            *place, count = [0 if part == "-" else int(part) for part in value.split(",")]
            # A function that is inlined in several places is counted in each.
            hits[file][tuple(place)] = hits[file].get(tuple(place), 0) + count
    return dict(hits)


def drop_assembly(file: str, hits: dict[tuple[int, ...], int]) -> dict[tuple[int, ...], int]:
    """Return the places outside of assembly blocks."""
    inside = set(find_assembly((ROOT / file).read_text("utf-8")))
    return {place: count for place, count in hits.items() if place[0] not in inside}


def find_assembly(source: str) -> Iterator[int]:
    """Yield the numbers of the lines in assembly blocks; the formatter ends each with a brace of its own column."""
    end = None
    for number, line in enumerate(source.splitlines(), start=1):
        opened = re.match(r"( *)assembly\b", line)
        if opened:
            end = opened[1] + "}"
        if end is not None:
            yield number
        if line == end:
            end = None


def share(hits: Mapping[Any, int]) -> str:
    """Return reached/all."""
    return f"{sum(count > 0 for count in hits.values())}/{len(hits)}"


def find_missing(what: str, files: dict[str, dict[tuple[int, ...], int]]) -> dict[tuple[str, str], str]:
    """Return file:line of what was never taken, by file and source line: line numbers change with every edit above."""
    missing = {}
    for file, hits in files.items():
        source = (ROOT / file).read_text("utf-8").splitlines()
        for place, count in hits.items():
            if count == 0:
                missing[file, source[place[0] - 1].strip()] = f"{file}:{place[0]}: {what}"
    return missing


if __name__ == "__main__":
    sys.exit(main())
