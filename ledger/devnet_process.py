"""What the operating system and a node's log tell about a devnet."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

_READY = re.compile(r"(?:server at http://127\.0\.0\.1:|Listening on 127\.0\.0\.1:)(\d+)")
_TAIL_BYTES = 2000
_TAIL_LINES = 12


def find_port(log: Path) -> int | None:
    """Return the port that a node says it listens on, or None while its log does not."""
    try:
        found = _READY.search(log.read_text("utf-8", errors="replace"))
    except OSError:
        return None
    return int(found[1]) if found else None


def read_chain_id(rpc: str) -> int | None:
    """Return the chain id that a node on the loopback address answers with, or None."""
    try:
        return int(_request(rpc, "eth_chainId"), 16)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_clock_rising(rpc: str) -> None:
    """Bring the clock of a node that was restarted with its state at least to its last block.

    anvil's clock starts again at the time of day: after moves into the future, the next block would be older than
    the one before it, and deadlines that had passed would be open again.
    """
    latest = int(_request(rpc, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    if latest > time.time():
        _request(rpc, "evm_setNextBlockTimestamp", latest + 1)
        _request(rpc, "evm_mine")


def _request(rpc: str, method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(rpc, body, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=5) as answer:
        return json.load(answer)["result"]


def read_tail(log: Path) -> str:
    """Return the last lines of a log in one line."""
    try:
        text = log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return " | ".join(line.strip() for line in text.splitlines()[-_TAIL_LINES:] if line.strip()) or "(empty log)"


def is_port_free(port: int) -> bool:
    """Return whether a loopback port can be bound now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def get_start_mark(pid: int) -> str | None:
    """Return when a process started, in the system's own words, or None when none of that id runs.

    A process id alone may have been given to a stranger; the id with this mark has not.
    """
    if Path("/proc/self/stat").exists():
        return _get_linux_mark(pid)
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def _get_linux_mark(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold blanks
    return None if fields[0] in ("Z", "X") else f"{boot} {fields[19]}"
