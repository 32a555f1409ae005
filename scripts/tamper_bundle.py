"""Falsify a bundle in one way, resealed as far as a forger can: scripts/tamper_bundle.py KIND IN OUT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Write the false bundle and say what a verifier should make of it."""
    from tamper.forgery import read_files, write_files
    from tamper.kinds import KINDS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("source", metavar="IN", type=Path, help="a sound bundle")
    parser.add_argument("target", metavar="OUT", type=Path, help="where the false one goes")
    options = parser.parse_args(arguments)
    kind = KINDS[options.kind]
    write_files(options.target, kind.tamper(read_files(options.source)))
    print(f"{options.target}: {options.kind}; expected: {kind.verdict} with {' or '.join(sorted(kind.codes))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
