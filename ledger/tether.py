"""Run a program that must not outlive the process which started it: `python tether.py PROGRAM ARGS`.

Standard library only and run as a file, so that it starts in a blink. The program ends when the parent closes our
standard input or is gone, however it went; the first line on standard output is the program's process id. On Linux
the kernel ends the program even when this process is killed. A line `release` on our standard input lets the program
outlive the parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

PATIENCE_SECONDS = 5
WATCH_SECONDS = 0.3
_PR_SET_PDEATHSIG = 1


def _make_death_signal() -> Callable[[], None] | None:
    """Return what asks Linux, between fork and exec, to end the program with us; the library is loaded before."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


RELEASE = b"release\n"


def _wait_for_end_of_input(stop: threading.Event, released: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        while said := os.read(sys.stdin.fileno(), 64):
            if said == RELEASE:
                released.set()
                return
    stop.set()


def run(command: list[str]) -> int:
    """Run the command until it ends or the parent does. Returns its exit status."""
    stop, released = threading.Event(), threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent decides, not we
    parent = os.getppid()
    # Our main thread starts the program and lives as long as we do; the death signal hangs on that thread.
    with open(os.environ["FEDTRAIL_TETHER_LOG"], "ab") as log:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_make_death_signal(),
        )
    sys.stdout.write(f"{program.pid}\n")
    sys.stdout.flush()
    threading.Thread(target=_wait_for_end_of_input, args=(stop, released), daemon=True).start()
    # A process that the parent forked may hold our input open, hence the look at the parent too.
    while program.poll() is None and not stop.wait(WATCH_SECONDS):
        if os.getppid() != parent and not released.is_set():
            break
    return _end(program)


def _end(program: subprocess.Popen[bytes]) -> int:
    if program.poll() is None:
        program.terminate()
        try:
            program.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
    return program.wait()


if __name__ == "__main__":
    status = run(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status & 0xFF)  # the reading thread would hold up an ordinary exit
