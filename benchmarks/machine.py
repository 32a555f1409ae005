"""What a figure belongs to: the commit, and the machine that it was measured on."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def describe_machine() -> dict[str, object]:
    """Return the commit and the machine that a figure belongs to."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    model = next(
        (line.split(":", 1)[1].strip() for line in _read_cpuinfo() if line.startswith("model name")),
        platform.processor(),
    )
    return {"commit": commit.stdout.strip(), "python": platform.python_version(), "processor": model}


def _read_cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
