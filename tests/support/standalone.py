"""The verifier that ships inside every bundle, loaded as the lone file that it is."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PATH = Path(__file__).resolve().parents[2] / "ledger" / "bundle" / "verify.py"


def load_standalone() -> ModuleType:
    """Return the file as a module, without the package around it."""
    spec = importlib.util.spec_from_file_location("standalone_verifier", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
