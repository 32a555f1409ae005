"""The stages of `test`, `lint` and `format`: every one runs, every failure shows its log, one line each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devtools.places import NODE_MODULES, PYTHON, ROOT, get_node, get_tool
from devtools.processes import read_tail, run_live, run_logged

CONTRACTS = "contracts/**/*.sol"
GENERATORS = {
    "digits": "make_digits.py",
    "vectors": "make_vectors.py",
    "artifacts": "build_artifacts.py",
    "gas": "measure_gas.py",
}
"""Scripts that write committed files from sources; with --check they compare instead."""
LOG_LINES = 200


@dataclass(frozen=True)
class Stage:
    """One check."""

    label: str
    """What its line says."""
    command: Sequence[str | Path]
    """What to run, from the root of the checkout."""
    is_live: bool = False
    """Whether it shows its own progress instead of writing a log."""


def run_stages(stages: Sequence[Stage]) -> int:
    """Run all stages, the failed ones' logs shown as they come. Returns 0, or 1 when any failed."""
    failed = [stage.label for stage in stages if not run_stage(stage)]
    if failed:
        print(f"\n{len(failed)} of {len(stages)} stages failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    if len(stages) > 1:
        print(f"\nall {len(stages)} stages passed")
    return 0


def run_stage(stage: Stage) -> bool:
    """Run one stage and show its log if it fails. Returns whether it passed."""
    outcome = (run_live if stage.is_live else run_logged)(stage.label, stage.command)
    if outcome.status != 0 and outcome.log:
        print(read_tail(outcome.log, LOG_LINES), flush=True)
    return outcome.status == 0


def get_lint_stages() -> list[Stage]:
    """Return the checks that run no product code."""
    stages = [
        Stage("ruff check", [get_tool("ruff"), "check", "."]),
        Stage("ruff format", [get_tool("ruff"), "format", "--check", "."]),
        Stage("mypy --strict", [get_tool("mypy")]),
        Stage("import directions", [get_tool("lint-imports")]),
    ]
    if has_contracts():
        stages += [
            Stage("solhint", run_node("solhint/solhint.js", "--noPoster", "--disc", "--max-warnings", "0", CONTRACTS)),
            Stage("prettier", run_node("prettier/bin/prettier.cjs", "--check", CONTRACTS, "*.js")),
        ]
    return stages


def get_format_stages() -> list[Stage]:
    """Return the rewriters that make the lint stages pass."""
    stages = [
        Stage("ruff check --fix", [get_tool("ruff"), "check", "--fix", "."]),
        Stage("ruff format", [get_tool("ruff"), "format", "."]),
    ]
    if has_contracts():
        stages.append(Stage("prettier", run_node("prettier/bin/prettier.cjs", "--write", CONTRACTS, "*.js")))
    return stages


def get_contract_stages() -> list[Stage]:
    """Return the tests that are written in Solidity: units, fuzzing, invariants."""
    return [Stage("Solidity tests", hardhat("test", "solidity"))] if has_contracts() else []


def get_generator_stages(names: Sequence[str] = tuple(GENERATORS), *, update: bool = False) -> list[Stage]:
    """Return the regeneration of committed files, which must change nothing unless it is an update."""
    option = [] if update else ["--check"]
    verdict = "written" if update else "as committed"
    return [Stage(f"{name} {verdict}", [PYTHON, ROOT / "scripts" / GENERATORS[name], *option]) for name in names]


def get_pytest_stages(arguments: Sequence[str]) -> list[Stage]:
    """Return the Python tests, with pytest's own arguments."""
    return [Stage("pytest", [PYTHON, "-m", "pytest", *arguments], is_live=True)]


def has_contracts() -> bool:
    """Return whether the checkout has Solidity sources."""
    return any((ROOT / "contracts").rglob("*.sol"))


def hardhat(*arguments: str) -> list[str | Path]:
    """Return the command of the locked Hardhat."""
    return run_node("hardhat/dist/src/cli.js", *arguments)


def run_node(script: str, *arguments: str) -> list[str | Path]:
    """Return the command that runs a script of node_modules with the wheel's Node."""
    return [get_node(), NODE_MODULES / script, *arguments]
