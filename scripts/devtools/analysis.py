"""Symbolic execution (halmos), static analysis (slither) and coverage of the contracts.

Their tools are in `.tools`, apart from `.venv`: slither needs an older web3 than the product.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from devtools.checks import Stage, hardhat
from devtools.environment import hash_files, hold_lock, read_stamp, set_up_npm, step, write_stamp
from devtools.places import PYTHON, ROOT, WINDOWS, Refusal

TOOLS = ROOT / ".tools"
TOOLS_BIN = TOOLS / ("Scripts" if WINDOWS else "bin")
HERE = ROOT / "scripts" / "devtools"
REQUIREMENTS = HERE / "analysis-requirements.txt"
FOUNDRY = HERE / "foundry"
SOLC = HERE / "solc.mjs"
BUILD = ROOT / ".dev" / "forge"
SYMBOLIC = "contracts/test/symbolic"


def set_up_python_tools() -> None:
    """Install halmos and slither into .tools.

    Raises: Refusal: a step failed.
    """
    with hold_lock():
        wanted = {"root": str(ROOT), "inputs": hash_files([REQUIREMENTS])}
        if read_stamp(TOOLS) == wanted:
            return
        shutil.rmtree(TOOLS, ignore_errors=True)
        step("environment for the analysis", [sys.executable, "-m", "venv", "--symlinks", TOOLS])
        pip: list[str | Path] = [TOOLS_BIN / "python", "-m", "pip", "install", "--no-compile", "--no-deps"]
        step("halmos, slither", [*pip, "-r", REQUIREMENTS])
        write_stamp(TOOLS, wanted)


def set_up_forge() -> None:
    """Install forge, and make it, the solver and the settings known to children.

    Raises: Refusal: there is no forge for this machine, or a step failed.
    """
    with hold_lock():
        set_up_npm(FOUNDRY, "forge")
    found = next(FOUNDRY.glob("node_modules/@foundry-rs/forge-*/bin/forge"), None)
    if found is None:
        raise Refusal("forge comes for Linux on x86-64 and for macOS on ARM only")
    os.environ["PATH"] = os.pathsep.join([str(found.parent), str(TOOLS_BIN), os.environ.get("PATH", "")])
    os.environ["FOUNDRY_CONFIG"] = str(FOUNDRY / "foundry.toml")
    os.environ["FOUNDRY_SOLC"] = str(SOLC)


def get_symbolic_stages() -> list[Stage]:
    """Return the checks that hold for all inputs (contracts/test/symbolic)."""
    use_folders(SYMBOLIC, BUILD / "symbolic")
    return [
        Stage(
            "symbolic checks",
            [
                TOOLS_BIN / "halmos",
                *("--root", ROOT, "--forge-build-out", (BUILD / "symbolic" / "out").relative_to(ROOT)),
                # More than any loop of these checks takes, so that none is cut short.
                *("--loop", "40"),
                *("--panic-error-codes", "*"),
                # Not the default, yices 2.6.4: it calls questions unsatisfiable that z3, cvc5 and bitwuzla satisfy, and
                # "unsatisfiable" is what a proof rests on.
                *("--solver", "z3"),
                *("--solver-timeout-branching", "100ms", "--solver-timeout-assertion", "300s"),
                "--no-status",
            ],
        )
    ]


def get_slither_stages() -> list[Stage]:
    """Return the static analysis; docs/security-analysis.md has the findings that stay, and why."""
    return [Stage("slither", [PYTHON, HERE / "slither.py", TOOLS_BIN / "slither", SOLC])]


def get_coverage_stages() -> list[Stage]:
    """Return what measures lines (Hardhat) and branches (forge) that the Solidity tests reach, and compares."""
    use_folders("contracts", BUILD / "coverage")
    lines, branches = ROOT / "coverage" / "lcov.info", BUILD / "coverage" / "lcov.info"
    forge: list[str | Path] = [
        "forge",
        "coverage",
        "--ir-minimum",
        "--root",
        ROOT,
        "--report",
        "lcov",
        "--report-file",
        branches,
    ]
    return [
        Stage("lines reached", hardhat("test", "solidity", "--coverage")),
        Stage("branches reached", forge),
        Stage("all reached", [PYTHON, HERE / "coverage.py", lines, branches], is_live=True),
    ]


def use_folders(sources: str, build: Path) -> None:
    """Tell forge what to compile, and where its output goes."""
    os.makedirs(build, exist_ok=True)
    tests = sources if sources == SYMBOLIC else f"{sources}/test"
    os.environ.update(FOUNDRY_SRC=sources, FOUNDRY_TEST=tests)
    os.environ.update(FOUNDRY_OUT=f"{build}/out", FOUNDRY_CACHE_PATH=f"{build}/cache")
