"""Run slither over the contracts; every finding of medium impact or higher needs its reason in the document.

Usage: slither.py SLITHER SOLC, from the root of the checkout.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "security-analysis.md"
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (`[^|]+`) \| \S.* \|$", re.MULTILINE)
Finding = tuple[str, str]
"""Detector, and the function or variable that it names first."""


def main() -> int:
    """Compare slither's findings with the document. Returns 0 when the two are the same."""
    slither, solc = sys.argv[1:]
    found = set(find(run(slither, solc)))
    explained = set(read_reasons(DOCUMENT.read_text("utf-8")))
    for detector, place in sorted(found - explained):
        print(f"| `{detector}` | `{place}` | no reason in {DOCUMENT.relative_to(ROOT)} |")
    for detector, place in sorted(explained - found):
        print(f"{DOCUMENT.relative_to(ROOT)} explains {detector} of {place}, which slither no longer reports")
    print(f"{len(found)} findings of medium impact or higher, {len(found & explained)} of them explained")
    return 0 if found == explained else 1


def read_reasons(document: str) -> Iterator[Finding]:
    """Yield what the document gives a reason for: rows of detector, places in back quotes, reason."""
    for detector, places in ROW.findall(document):
        for place in re.findall(r"`([\w.]+)`", places):
            yield detector, place


def run(slither: str, solc: str) -> dict[str, Any]:
    """Return slither's report on everything in contracts/ but the tests.

    Raises: SystemExit: it came to no report.
    """
    with tempfile.TemporaryDirectory() as folder:
        request, report = Path(folder, "request.json"), Path(folder, "report.json")
        request.write_text(json.dumps(make_request()), "utf-8")
        options = ["--compile-force-framework", "solc-json", "--solc", solc, "--filter-paths", "node_modules"]
        silent = ["--exclude-low", "--exclude-informational", "--exclude-optimization", "--json", str(report)]
        # Its status only says that it found something.
        done = subprocess.run([slither, str(request), *options, *silent], cwd=ROOT, capture_output=True, text=True)
        answer: dict[str, Any] = json.loads(report.read_text("utf-8")) if report.exists() else {"success": False}
    if not answer["success"]:
        raise SystemExit(done.stderr or "slither says nothing")
    return answer


def make_request() -> dict[str, Any]:
    """Return what the compiler is asked: trees and interfaces, no code."""
    tests = ROOT / "contracts" / "test"
    files = [file for file in sorted((ROOT / "contracts").rglob("*.sol")) if tests not in file.parents]
    wanted = ["abi", "devdoc", "userdoc", "evm.methodIdentifiers"]
    return {
        "language": "Solidity",
        "sources": {file.relative_to(ROOT).as_posix(): {"content": file.read_text("utf-8")} for file in files},
        "settings": {"evmVersion": "osaka", "outputSelection": {"*": {"*": wanted, "": ["ast"]}}},
    }


def find(report: dict[str, Any]) -> Iterator[Finding]:
    """Yield each finding; line numbers are left out, since they change with every edit above them."""
    for finding in report["results"].get("detectors", []):
        if finding["impact"] in ("Medium", "High"):
            yield finding["check"], name(finding["elements"][0])


def name(element: dict[str, Any]) -> str:
    """Return Contract.function.variable of an element; a statement has the name of its function."""
    parent = element.get("type_specific_fields", {}).get("parent")
    if parent is None or element["type"] == "contract":
        return str(element["name"])
    return name(parent) if element["type"] == "node" else f"{name(parent)}.{element['name']}"


if __name__ == "__main__":
    sys.exit(main())
