"""Make fl/data/digits.npz from scikit-learn's copy of the UCI data, or check that it is still equal.

    python scripts/make_digits.py            writes the file and prints its sha256
    python scripts/make_digits.py --check    exit 1 if scikit-learn's arrays differ from the file's

Needs scikit-learn. Origin and licence: fl/data/ATTRIBUTION.md.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

FILE = Path(__file__).resolve().parent.parent / "fl" / "data" / "digits.npz"


def main() -> int:
    parser = argparse.ArgumentParser(description="make or check the vendored digits")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    digits = load_digits()
    # The pixels are integers 0 to 16 and the labels 0 to 9: one byte each loses nothing.
    arrays = {"x": digits.data.astype(np.uint8), "y": digits.target.astype(np.uint8)}
    if arguments.check:
        with np.load(FILE, allow_pickle=False) as stored:
            equal = all(np.array_equal(stored[name], array) for name, array in arrays.items())
        print("equal" if equal else f"{FILE} differs from scikit-learn's digits")
        return 0 if equal else 1
    np.savez_compressed(FILE, **arrays)
    print(f"{hashlib.sha256(FILE.read_bytes()).hexdigest()}  {FILE.name}  {FILE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
