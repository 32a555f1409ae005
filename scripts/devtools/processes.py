"""Children: one line each with the seconds it took, its output in a log, its whole group ended on Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from devtools.places import LOGS, ROOT, WINDOWS, Refusal, get_environment

GRACE_SECONDS = 5.0
TAIL_LINES = 15
LABEL_WIDTH = 44


@dataclass(frozen=True)
class Outcome:
    """How a child ended."""

    status: int
    """Exit status; negative when a signal ended it."""
    log: Path | None
    """Where its output is; None when it went to the terminal."""


class Interrupted(BaseException):
    """SIGTERM or SIGHUP came; handled like Ctrl-C."""


def obey_signals() -> None:
    """Turn a polite request to end into an exception, so that children are ended first."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)


def start(command: Sequence[str | Path], output: int | None, folder: Path) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own; output None leaves it the terminal."""
    group: dict[str, int] = {"creationflags": 0x200} if WINDOWS else {"process_group": 0}
    child: subprocess.Popen[bytes] = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env=get_environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        **group,  # type: ignore[call-overload]
    )
    return child


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a child and everything in its group: as Ctrl-C would, so that tests tidy up, then less politely."""
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            child.terminate() if WINDOWS else os.killpg(child.pid, number)
            child.wait(GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired, PermissionError):
            continue


def wait(child: subprocess.Popen[bytes], label: str) -> int:
    """Return the child's exit status; show the seconds meanwhile when a person watches."""
    started = time.monotonic()
    watched = bool(label) and sys.stdout.isatty()
    try:
        while True:
            try:
                return child.wait(0.5 if watched else None)
            except subprocess.TimeoutExpired:
                print(f"\r{label:<{LABEL_WIDTH}} {time.monotonic() - started:6.0f} s", end="", flush=True)
    except BaseException:
        stop(child)
        raise


def run_logged(label: str, command: Sequence[str | Path], folder: Path = ROOT, *, otherwise: str = "FAILED") -> Outcome:
    """Run a child with its output in a log, under one line: label, seconds, ok or otherwise."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / ("".join(c if c.isalnum() else "-" for c in label.lower()) + ".log")
    print(f"{label:<{LABEL_WIDTH}}", end="", flush=True)
    started = time.monotonic()
    with log.open("wb") as out:
        status = wait(start(command, out.fileno(), folder), label)
    verdict = "ok" if status == 0 else otherwise
    line = f"{label:<{LABEL_WIDTH}} {time.monotonic() - started:6.1f} s  {verdict}"
    print("\r" + line if sys.stdout.isatty() else line[LABEL_WIDTH:], flush=True)
    return Outcome(status, log)


def run_live(label: str, command: Sequence[str | Path], folder: Path = ROOT) -> Outcome:
    """Run a child that talks to the terminal itself, between a line before and a line after."""
    print(label, flush=True)
    started = time.monotonic()
    status = wait(start(command, None, folder), "")
    verdict = "ok" if status == 0 else "FAILED"
    print(f"{label:<{LABEL_WIDTH}} {time.monotonic() - started:6.1f} s  {verdict}", flush=True)
    return Outcome(status, None)


def replace(command: Sequence[str | Path]) -> int:
    """Become another program, so that the terminal and its signals are its own.

    It gets the person's own PATH: what it prints to be typed next must work in their shell.
    """
    parts = [str(part) for part in command]
    environment = {**get_environment(), "PATH": os.environ.get("PATH", os.defpath)}
    sys.stdout.flush()
    if WINDOWS:
        return subprocess.call(parts, env=environment)
    try:
        os.execve(parts[0], parts, environment)
    except FileNotFoundError as absent:
        raise Refusal(f"{parts[0]} is missing; run: python3 scripts/dev.py setup") from absent


def read_tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, indented."""
    text = log.read_text("utf-8", errors="replace").rstrip().splitlines()
    return "\n".join("  | " + line for line in text[-lines:])
