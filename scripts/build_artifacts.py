"""Compile the contracts into ledger/artifacts_data; with --check, compile and compare, and write nothing."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ledger import artifacts
from ledger.errors import FedtrailError

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "ledger" / "artifacts_data"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="exit 1 when the shipped artifacts are not those of the sources"
    )
    options = parser.parse_args()
    try:
        built = artifacts.build(ROOT / "contracts")
    except FedtrailError as problem:
        print(f"{problem}\n{problem.hint}".strip(), file=sys.stderr)
        return problem.exit_status
    if not options.check:
        write(built)
        return 0
    differences = [line for name, artifact in built.items() for line in compare(name, artifact)]
    print("\n".join(differences) or f"{', '.join(built)}: the shipped artifacts are those of the sources")
    return 1 if differences else 0


def write(built: dict[str, dict[str, object]]) -> None:
    DATA.mkdir(exist_ok=True)
    for name, artifact in built.items():
        (DATA / f"{name}.json").write_text(artifacts.encode(artifact), "utf-8")
        print(f"{name}: {len(str(artifact['runtime_code'])) // 2} bytes of code")


def compare(name: str, artifact: dict[str, object]) -> list[str]:
    try:
        shipped = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return [f"{name}: no shipped artifact; run: python scripts/build_artifacts.py"]
    differing = [field for field in artifact if shipped.get(field) != artifact[field]]
    if not differing:
        return []
    return [f"{name}: {', '.join(differing)} differ from the sources; run: python scripts/build_artifacts.py"]


if __name__ == "__main__":
    sys.exit(main())
