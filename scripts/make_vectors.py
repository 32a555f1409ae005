"""Write tests/vectors/v1 from the cases in scripts/vector_cases, or compare with what is there (--check)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VECTORS = ROOT / "tests" / "vectors" / "v1"


def render_all() -> dict[Path, str]:
    """Return the text of every vector file by its path."""
    from vector_cases import catalogue

    return {VECTORS / f"{name}.json": text for name, text in catalogue.render_all().items()}


def write(files: dict[Path, str]) -> None:
    """Replace the vectors on disk."""
    for stale in set(VECTORS.rglob("*.json")) - files.keys():
        stale.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def find_differences(files: dict[Path, str]) -> list[str]:
    """Return a line for every vector file that is missing, left over or different."""
    found = {path: path.read_text(encoding="utf-8") for path in VECTORS.rglob("*.json")}
    names = sorted(files.keys() | found.keys())
    state = {(True, False): "missing", (False, True): "left over", (True, True): "different"}
    return [
        f"{path.relative_to(ROOT)}: {state[path in files, path in found]}"
        for path in names
        if files.get(path) != found.get(path)
    ]


def main() -> int:
    """Write the vectors; with --check only compare, and return 1 on a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file would change")
    arguments = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
    files = render_all()
    if not arguments.check:
        write(files)
        print(f"{len(files)} vectors in {VECTORS.relative_to(ROOT)}")
        return 0
    differences = find_differences(files)
    print("\n".join(differences) or f"{len(files)} vectors are up to date")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
