"""Files of what a client must not forget while a round runs, and what nobody else may read."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def read_secrets(file: Path) -> dict[str, str] | None:
    """Return what a client kept; None if there is no such file."""
    try:
        kept: dict[str, str] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return kept


def write_secrets(file: Path, kept: Mapping[str, str]) -> None:
    """Replace a file that nobody else may read (mode 0600): the old one or the new one is there after a crash."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=".new-", dir=file.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        json.dump(kept, output)
        output.flush()
        os.fsync(output.fileno())
    os.replace(partial, file)
    with contextlib.suppress(OSError):  # Windows opens no folders
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
