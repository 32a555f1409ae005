"""Say which lines and branches of the contracts no Solidity test reaches: coverage.py LINES_LCOV BRANCHES_LCOV.

Lines as Hardhat counts them, which marks statements in the source; branches as forge counts them, which Hardhat does
not. Forge's lines are not used: it takes them from source maps, which the optimiser blurs in assembly. Nor are its
branches in assembly, where the compiler moves them: the tests of these libraries are vectors and symbolic checks.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print one line a contract, then what is missing. Returns 0 when nothing is."""
    lines = read(Path(sys.argv[1]), "DA")
    branches = {file: drop_assembly(file, hits) for file, hits in read(Path(sys.argv[2]), "BRDA").items()}
    print(f"{'':<44}{'lines':>10}{'branches':>10}")
    for file in sorted({*lines, *branches}):
        print(f"{file:<44}{share(lines.get(file, {})):>10}{share(branches.get(file, {})):>10}")
    missing = [*tell("line", lines), *tell("branch", branches)]
    print("\n".join(missing))
    return 1 if missing or not lines or not branches else 0


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
    """Return the branches outside of assembly blocks."""
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


def share(hits: dict[tuple[int, ...], int]) -> str:
    """Return reached/all."""
    return f"{sum(count > 0 for count in hits.values())}/{len(hits)}"


def tell(what: str, files: dict[str, dict[tuple[int, ...], int]]) -> list[str]:
    """Return file:line of what was never taken."""
    return [
        f"{file}:{place[0]}: {what} never reached"
        for file, hits in sorted(files.items())
        for place, count in sorted(hits.items())
        if count == 0
    ]


if __name__ == "__main__":
    sys.exit(main())
