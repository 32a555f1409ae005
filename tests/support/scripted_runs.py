"""Runs of one round whose outcome a test knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ledger.cli import main
from ledger.project import Project

TAMPER = {"at": "always", "aggregator": "tamper", "coordinate": 77}
"""The smallest lie: one unit in one coordinate."""


def run_script(project: Project, name: str, **sections: Any) -> int:
    """Run one round of five clients and return the exit status; keyword arguments replace sections of the script."""
    script: dict[str, Any] = {
        "fedtrail": 1,
        "run": {"name": name, "rounds": 1, "seed": 5, "rule": {"name": "mean"}},
        "model": {"entry": "logistic"},
        "training": {"epochs": 1},
        "clients": {"count": 5, "clip_norm": None},
        # Runs that end in a dispute keep their bond: all tests of a file share one aggregator.
        "aggregator": {"stake": "100 ether", "bond": "1 ether"},
    }
    for section, value in sections.items():
        is_part = isinstance(value, dict) and section in script
        script[section] = {**script[section], **value} if is_part else value
    path = Path(project.root) / f"{name}.yaml"
    path.write_text(yaml.safe_dump(script, sort_keys=False))
    return main(["run", "start", str(path), "--project", str(project.root), "--format", "json"])


def run_tampered(project: Project, name: str, **sections: Any) -> None:
    """Run one round whose replay fails: it stays proposed."""
    assert run_script(project, name, **{"events": [TAMPER], **sections}) == 7


def run_honest(project: Project, name: str, **sections: Any) -> None:
    """Run one round that is finalised."""
    assert run_script(project, name, **sections) == 0
