"""Symbolic execution (halmos), static analysis (slither) and coverage of the contracts.

Their tools are in `.tools`, apart from `.venv`: slither needs an older web3 than the product. Slither is apart from
halmos, since `make test` runs it: its packages have wheels for every machine that the product's have.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from devtools.checks import Stage
from devtools.environment import hash_files, hold_lock, read_stamp, set_up_npm, step, write_stamp
from devtools.places import PYTHON, ROOT, WINDOWS, Refusal

TOOLS = ROOT / ".tools"
HERE = ROOT / "scripts" / "devtools"
FOUNDRY = HERE / "foundry"
SOLC = HERE / "solc.mjs"
BUILD = ROOT / ".dev" / "forge"
SYMBOLIC = "contracts/test/symbolic"


def set_up_tool(name: str) -> None:
    """Install a Python program, `<name>-requirements.txt`, into an environment of its own.

    Raises: Refusal: a step failed.
    """
    folder, requirements = TOOLS / name, HERE / f"{name}-requirements.txt"
    with hold_lock():
        wanted = {"root": str(ROOT), "inputs": hash_files([requirements])}
        if read_stamp(folder) == wanted:
            return
        shutil.rmtree(folder, ignore_errors=True)
        step(f"environment for {name}", [sys.executable, "-m", "venv", "--symlinks", folder])
        pip: list[str | Path] = [get_bin(name) / "python", "-m", "pip", "install", "--no-compile", "--no-deps"]
        step(name, [*pip, "-r", requirements])
        write_stamp(folder, wanted)


def get_bin(name: str) -> Path:
    """Return the folder of a tool's programs."""
    return TOOLS / name / ("Scripts" if WINDOWS else "bin")


def set_up_forge() -> None:
    """Install forge, and make it, the solver and the settings known to children.

    Raises: Refusal: there is no forge for this machine, or a step failed.
    """
    with hold_lock():
        set_up_npm(FOUNDRY, "forge")
    found = next(FOUNDRY.glob("node_modules/@foundry-rs/forge-*/bin/forge"), None)
    if found is None:
        raise Refusal("forge comes for Linux on x86-64 and for macOS on ARM only")
    os.environ["PATH"] = os.pathsep.join([str(found.parent), str(get_bin("halmos")), os.environ.get("PATH", "")])
    os.environ["FOUNDRY_CONFIG"] = str(FOUNDRY / "foundry.toml")
    os.environ["FOUNDRY_SOLC"] = str(SOLC)


def get_symbolic_stages() -> list[Stage]:
    """Return the checks that hold for all inputs (contracts/test/symbolic)."""
    use_folders(SYMBOLIC, BUILD / "symbolic")
    return [
        Stage(
            "symbolic checks",
            [
                get_bin("halmos") / "halmos",
                *("--root", ROOT, "--forge-build-out", (BUILD / "symbolic" / "out").relative_to(ROOT)),
                # More than any loop of these checks takes, so that none is cut short.
                *("--loop", "40"),
                *("--panic-error-codes", "*"),
                # Not the default, yices 2.6.4: it calls questions unsatisfiable that z3, cvc5 and bitwuzla satisfy, and
                # "unsatisfiable" is what a proof rests on.
                *("--solver", "z3"),
                *("--solver-timeout-branching", "1s", "--solver-timeout-assertion", "300s"),
                "--no-status",
            ],
        )
    ]


def get_slither_stages() -> list[Stage]:
    """Return the static analysis; docs/security-analysis.md has the findings that stay, and why."""
    return [Stage("slither", [PYTHON, HERE / "slither.py", get_bin("slither") / "slither", SOLC])]


def get_coverage_stages() -> list[Stage]:
    """Return what counts the lines and branches that the Solidity tests reach, and compares."""
    use_folders("contracts", BUILD / "coverage")
    report = BUILD / "coverage" / "lcov.info"
    forge: list[str | Path] = [
        "forge",
        "coverage",
        "--ir-minimum",
        "--root",
        ROOT,
        "--report",
        "lcov",
        "--report-file",
        report,
    ]
    return [
        Stage("lines and branches", forge),
        Stage("all reached", [PYTHON, HERE / "coverage.py", report], is_live=True),
    ]


def use_folders(sources: str, build: Path) -> None:
    """Tell forge what to compile, and where its output goes."""
    os.makedirs(build, exist_ok=True)
    tests = sources if sources == SYMBOLIC else f"{sources}/test"
    os.environ.update(FOUNDRY_SRC=sources, FOUNDRY_TEST=tests)
    os.environ.update(FOUNDRY_OUT=f"{build}/out", FOUNDRY_CACHE_PATH=f"{build}/cache")
