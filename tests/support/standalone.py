"""The verifier that ships inside every bundle, loaded as the lone files that it is."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

PATH = Path(__file__).resolve().parents[2] / "ledger" / "bundle" / "verify.py"
PARTS = sorted(PATH.parent.glob("verify_*.py"))
"""The files beside it."""


def load_standalone(keccak: Callable[[bytes], bytes] | None = None) -> ModuleType:
    """Return the verifier as a module, without the package around it; it has the names of all of its parts.

    Args: keccak: in place of its own.
    """
    names, before = [path.stem for path in PARTS], (sys.path.copy(), sys.dont_write_bytecode)
    spec = importlib.util.spec_from_file_location("standalone_verifier", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:], sys.dont_write_bytecode = before
        parts = [sys.modules.pop(name) for name in names if name in sys.modules]  # another set has parts of its own
    for part in (*parts, module):
        if keccak is not None and hasattr(part, "keccak"):
            part.keccak = keccak  # type: ignore[attr-defined]
    for part in parts:
        for name, value in vars(part).items():
            module.__dict__.setdefault(name, value)
    module.parts = {part.__name__: part for part in parts}  # type: ignore[attr-defined]
    return module
