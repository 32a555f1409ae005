"""Pages of docs/ that a script makes: written, or compared with what is there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def run(script: str, about: str | None, target: Path, render: Callable[[], str]) -> int:
    """Write a page, or with --check compare it. Returns 1 where it differs.

    Args: script: path of the calling script. about: its docstring, for --help.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="compare only")
    return write_or_compare(script, target, render, check=parser.parse_args().check)


def write_or_compare(script: str, target: Path, render: Callable[[], str], *, check: bool) -> int:
    """Write a page, or compare it. Returns 1 where it differs."""
    if not check:
        target.parent.mkdir(exist_ok=True)
        target.write_text(render(), encoding="utf-8")
        return 0
    if target.read_text(encoding="utf-8") == render():
        return 0
    print(f"docs/{target.name} is not up to date; run: python scripts/{Path(script).name}", file=sys.stderr)
    return 1
