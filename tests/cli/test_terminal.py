"""At a terminal people see bars and colours; programs never do."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import COMMAND, run_process

PROBE = """
from ledger.cli.progress import progress_bar
import time
with progress_bar() as bar:
    for done in range(4):
        bar.update(done, 4, f"step {done}")
        time.sleep(0.15)
"""


def at_terminal(command: list[str], cwd: Path, *, which: tuple[str, ...], **environment: str) -> tuple[int, str, str]:
    """Run a command with a terminal as some of its streams; return status, what the terminal got, what pipes got."""
    parent, child = pty.openpty()
    streams = {name: child if name in which else subprocess.PIPE for name in ("stdout", "stderr")}
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environment}
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, **streams)  # type: ignore[call-overload]
    os.close(child)
    seen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([parent], [], [], 0.2)
        if ready:
            try:
                chunk = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            seen += chunk
        elif process.poll() is not None:
            break
    out, err = process.communicate(timeout=30)
    os.close(parent)
    return process.returncode, seen.decode(), ((out or b"") + (err or b"")).decode()


def test_a_bar_moves_on_a_terminal(tmp_path: Path) -> None:
    _, seen, piped = at_terminal([sys.executable, "-c", PROBE], tmp_path, which=("stderr",))
    assert "step 3" in seen and "━" in seen and "75%" in seen
    assert piped == ""


def test_no_bar_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROBE]
    _, seen, piped = at_terminal(command, tmp_path, which=("stdout",), FORCE_COLOR="1")  # would convince the library
    assert (seen, piped) == ("", "")


def test_tables_have_bold_headers_on_a_terminal_only(tmp_path: Path) -> None:
    command = [*COMMAND, "explain"]
    assert "\x1b[1m" in at_terminal(command, tmp_path, which=("stdout",))[1]
    assert "\x1b" not in run_process("explain", cwd=tmp_path).out


def test_no_color_is_respected(tmp_path: Path) -> None:
    _, seen, _ = at_terminal([sys.executable, "-c", PROBE], tmp_path, which=("stderr",), NO_COLOR="1")
    assert "step 3" in seen
    assert not any(f"\x1b[{code}" in seen for code in ("31m", "32m", "33m", "38;", "34m", "35m", "36m"))


def test_a_binary_blob_is_not_written_to_a_terminal(tmp_path: Path) -> None:
    run_process("init", "p", cwd=tmp_path)
    folder = tmp_path / "p"
    cid = run_process("store", "add", "fedtrail.toml", "--format", "json", cwd=folder).json["data"][0]["cid"]
    status, seen, piped = at_terminal([*COMMAND, "store", "get", cid], folder, which=("stdout",))
    assert (status, seen) == (2, "") and "use -o FILE" in piped
    assert run_process("store", "get", cid, cwd=folder).out == (folder / "fedtrail.toml").read_text()


@pytest.mark.chain
def test_devnet_up_shows_progress_at_a_terminal_and_data_on_stdout(tmp_path: Path) -> None:
    run_process("init", "p", cwd=tmp_path)
    folder = tmp_path / "p"
    try:
        status, seen, piped = at_terminal([*COMMAND, "devnet", "up", "--format", "json"], folder, which=("stderr",))
    finally:
        run_process("devnet", "down", cwd=folder)
    assert status == 0 and "start hardhat" in seen and '"running": true' in piped
