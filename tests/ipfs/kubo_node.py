"""A Kubo node in a process of its own: python kubo_node.py LIBRARY REPO, then JSON requests on standard input.

The library takes over signals, writes a log into the working folder and can hang for ever, so it is never loaded into
the process that tests. Each request is `["function", argument...]` and gets one line of JSON back.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from pathlib import Path

LOOPBACK_ONLY = {
    "Bootstrap": [],
    "AutoNAT": {"ServiceMode": "disabled"},
    "Discovery": {"MDNS": {"Enabled": False}},
    "Swarm": {
        "DisableNatPortMap": True,
        "RelayClient": {"Enabled": False},
        "RelayService": {"Enabled": False},
        "Transports": {"Network": {"QUIC": False, "WebTransport": False, "Websocket": False, "Relay": False}},
    },
}
TEXT = ("AddFile", "ListPins", "GetNodeID", "ListPeersIDs", "ListPeers")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configure(repo: Path) -> str:
    """Make the node speak on loopback only; return its address."""
    address = f"/ip4/127.0.0.1/tcp/{free_port()}"
    config = json.loads((repo / "config").read_text())
    swarm = config.get("Swarm", {}) | LOOPBACK_ONLY["Swarm"]
    config |= LOOPBACK_ONLY | {"Swarm": swarm}
    config["Addresses"] |= {"Swarm": [address], "API": [], "Gateway": [], "Announce": [], "AppendAnnounce": []}
    (repo / "config").write_text(json.dumps(config))
    return address


def main() -> None:
    library, repo = sys.argv[1], Path(sys.argv[2]).resolve()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the library prints to standard output
    os.chdir(repo)  # it writes kubo.log where it is loaded
    kubo = ctypes.CDLL(library)
    for name in TEXT:
        getattr(kubo, name).restype = ctypes.c_char_p
    path = str(repo).encode()
    if not (repo / "config").exists() and kubo.CreateRepo(path) != 1:
        raise SystemExit("CreateRepo failed")
    address = configure(repo)
    if kubo.RunNode(path) != 1:
        raise SystemExit("RunNode failed")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the node took it
    print(json.dumps(f"{address}/p2p/{kubo.GetNodeID(path).decode().removeprefix('ID:')}"), file=answers, flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        call = [argument.encode() if isinstance(argument, str) else argument for argument in arguments]
        answer = getattr(kubo, name)(path, *call)
        print(json.dumps(answer.decode() if isinstance(answer, bytes) else answer), file=answers, flush=True)
    os._exit(0)  # the parent closed the pipe; Go's threads need no goodbye


if __name__ == "__main__":
    main()
