"""Start and stop a local development chain: Hardhat by default, anvil where the state is to survive a restart.

A devnet binds the loopback address only, on a free port unless one is asked for. Its accounts are public test
accounts: nothing on it is worth anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import nodejs, tether
from ledger.devnet_process import (
    find_port,
    get_start_mark,
    is_port_free,
    keep_clock_rising,
    read_chain_id,
    read_tail,
)
from ledger.errors import DevnetFailed, UsageError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

ENGINES = ("hardhat", "anvil")
MNEMONIC = "test test test test test test test test test test test junk"
CHAIN_ID = 31337
START_SECONDS = 60.0
STOP_SECONDS = 5.0
ANVIL_PAST_STATES = 256
"""Blocks back to which an anvil chain answers and can be taken back. Hardhat keeps all."""

# Hardhat runs only in a folder that has a configuration and finds its own package; this is that folder.
_HARDHAT_FILES = {
    "package.json": '{"name": "fedtrail-devnet", "private": true, "type": "module"}\n',
    "hardhat.config.js": "export default {}\n",
}
_PORT_SECONDS = 1.0
_children: list[subprocess.Popen[bytes]] = []
_tethers: dict[int, subprocess.Popen[bytes]] = {}
"""What holds each devnet that must not outlive this process, by the node's process id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devnet:
    """A running devnet."""

    engine: str
    """hardhat or anvil."""
    rpc: str
    """URL of its JSON-RPC endpoint, on the loopback address."""
    chain_id: int
    """EIP-155 chain id."""
    pid: int
    """Process id of the node itself."""
    log: str
    """File that the node writes its output to."""
    state_file: str | None
    """File in which anvil keeps its state; None for Hardhat, which keeps none."""


def start(state_dir: Path, *, engine: str = "hardhat", port: int = 0, detach: bool = False) -> Devnet:
    """Start a devnet, or return the one that runs already.

    Args: state_dir: folder for pid file, log and state (a project's .fedtrail). engine: hardhat or anvil.
    port: 0 takes the port of the last run when it is free, else any. detach: outlive this process.
    Raises: ToolMissing; UsageError: unknown engine, or the other engine runs; DevnetFailed: it did not answer.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown devnet engine '{engine}'; there are: {', '.join(ENGINES)}")
    running_one = _find_answering(state_dir)
    if running_one is not None:
        if running_one.engine != engine:
            raise UsageError(f"a {running_one.engine} devnet runs at {running_one.rpc}", hint="fedtrail devnet down")
        return running_one
    state_dir = state_dir.resolve()
    folder = _folder(state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "node.log"
    log.unlink(missing_ok=True)
    command = _make_command(folder, engine, port or _get_last_port(folder), project=state_dir.parent)
    process, pid = (_launch_detached if detach else _launch_tethered)(command, folder, log)
    try:
        rpc, chain_id = _wait_until_ready(process, log)
        keep_clock_rising(rpc)
    except BaseException:
        _end(process)
        raise
    devnet = Devnet(
        engine=engine,
        rpc=rpc,
        chain_id=chain_id,
        pid=pid,
        log=str(log),
        state_file=str(folder / "anvil.json") if engine == "anvil" else None,
    )
    _write_record(folder, {**asdict(devnet), "started": get_start_mark(pid)})
    return devnet


def _find_answering(state_dir: Path) -> Devnet | None:
    """Return the devnet that runs and answers; one that was just killed is given a moment to be gone."""
    deadline = time.monotonic() + STOP_SECONDS
    while (found := status(state_dir)) is not None:
        if read_chain_id(found.rpc) is not None or time.monotonic() > deadline:
            return found
        time.sleep(0.05)
    return None


def release(state_dir: Path) -> None:
    """Let a devnet that this process started outlive it, as if it had been started with `detach`."""
    devnet = status(state_dir)
    process = _tethers.pop(devnet.pid, None) if devnet else None
    if process is not None and process.stdin is not None:
        process.stdin.write(tether.RELEASE)
        process.stdin.flush()


def stop(state_dir: Path) -> bool:
    """Stop the devnet: a request first, force after 5 s. Returns whether one ran."""
    devnet = status(state_dir)
    if devnet is None:
        return False
    mark = get_start_mark(devnet.pid)
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(devnet.pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            _reap()
            if get_start_mark(devnet.pid) != mark:
                _reap(wait=True)
                return True
            time.sleep(0.02)
    raise DevnetFailed(f"the devnet's process {devnet.pid} does not end")


def status(state_dir: Path) -> Devnet | None:
    """Return the devnet that runs for this folder, or None. A process id that was given away is not ours."""
    _reap()
    record = _read_record(_folder(state_dir))
    started = record.pop("started", None)
    try:
        devnet = Devnet(**record)  # type: ignore[arg-type]  # any other content than ours is refused here
    except TypeError:
        return None
    return devnet if started is not None and get_start_mark(devnet.pid) == started else None


def reset(state_dir: Path) -> None:
    """Stop the devnet and forget its state; the next start begins an empty chain, on the same port if it is free."""
    stop(state_dir)
    (_folder(state_dir) / "anvil.json").unlink(missing_ok=True)


@contextlib.contextmanager
def running(state_dir: Path, *, engine: str = "hardhat", port: int = 0) -> Iterator[Devnet]:
    """Run a devnet that ends with the block, and with this process however that ends."""
    devnet = start(state_dir, engine=engine, port=port)
    try:
        yield devnet
    finally:
        stop(state_dir)


def funded_account(index: int) -> LocalAccount:
    """Return test account `index` of every devnet: its key is public, so it is for devnets only."""
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return account


def _folder(state_dir: Path) -> Path:
    return state_dir / "devnet"


def _make_command(folder: Path, engine: str, port: int, *, project: Path) -> list[str]:
    place = ["--port", str(port)]
    if engine == "anvil":
        state = ["--state", str(_prepare_state(folder)), "--state-interval", "1"]
        # Left alone, anvil moves all but the last ten states to the user's home: gigabytes, which a kill leaves there.
        past = ["--prune-history", str(ANVIL_PAST_STATES)]
        limits = ["--enable-tx-gas-limit"]  # as on public chains (EIP-7825) and on Hardhat
        return [nodejs.find_anvil(project=project), "--host", "127.0.0.1", *place, *state, *past, *limits]
    cli = nodejs.find_package_file("hardhat/dist/src/cli.js", project=project)
    home = folder / "hardhat"
    home.mkdir(exist_ok=True)
    for name, text in _HARDHAT_FILES.items():
        (home / name).write_text(text, "utf-8")
    link = home / "node_modules"
    link.unlink(missing_ok=True)
    link.symlink_to(next(parent for parent in cli.parents if parent.name == "node_modules"), target_is_directory=True)
    config = ["--config", str(home / "hardhat.config.js")]
    return [nodejs.find_node(), str(cli), *config, "node", "--hostname", "127.0.0.1", *place]


def _prepare_state(folder: Path) -> Path:
    """Return anvil's state file, whole: one that a kill left half-written gives way to the copy of the last start.

    What that copy lacks is in the journal and is broadcast again.
    """
    state, copy = folder / "anvil.json", folder / "anvil.last-start.json"
    if not state.exists():
        copy.unlink(missing_ok=True)
        return state
    try:
        json.loads(state.read_bytes())
    except ValueError:
        state.unlink()
        if copy.exists():
            shutil.copyfile(copy, state)
    else:
        shutil.copyfile(state, copy)
    return state


def _make_environment(**extra: str) -> Mapping[str, str]:
    return {**os.environ, "HARDHAT_DISABLE_TELEMETRY": "true", "NO_COLOR": "1", **extra}


def _launch_detached(command: list[str], folder: Path, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_make_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children.append(process)
    return process, process.pid


def _launch_tethered(command: list[str], folder: Path, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    with log.open("ab") as output:  # not our own stderr: who reads it to its end would wait for a released node
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(tether.__file__), *command],
            cwd=folder,
            env=_make_environment(FEDTRAIL_TETHER_LOG=str(log)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    _children.append(process)
    assert process.stdout is not None  # asked for above
    line = process.stdout.readline().strip()
    if not line.isdigit():
        _end(process)
        raise DevnetFailed(seconds=0, log=f"{command[0]} could not be started")
    _tethers[int(line)] = process
    return process, int(line)


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[str, int]:
    """Poll the node until it answers with its chain id. Returns its URL and that id."""
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < START_SECONDS:
        port = find_port(log)
        rpc = f"http://127.0.0.1:{port}"
        chain_id = read_chain_id(rpc) if port else None
        if chain_id is not None:
            return rpc, chain_id
        time.sleep(0.02)
    raise DevnetFailed(seconds=time.monotonic() - began, log=read_tail(log))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    _close_pipes(process)


def _reap(*, wait: bool = False) -> None:
    """Collect children that ended, so that their process ids do not look alive."""
    for child in list(_children):
        if wait and child.stdin is not None and child.stdin.closed is False and child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.5)  # a tether notices within its watch interval
        if child.poll() is not None:
            _close_pipes(child)
            _children.remove(child)


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _write_record(folder: Path, record: dict[str, object]) -> None:
    partial = folder / "devnet.json.partial"
    partial.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    partial.replace(folder / "devnet.json")


def _read_record(folder: Path) -> dict[str, object]:
    try:
        record = json.loads((folder / "devnet.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _get_last_port(folder: Path) -> int:
    """Return the port of the run before, so that a network's address stays valid; 0 when it is taken."""
    rpc = str(_read_record(folder).get("rpc", ""))
    port = rpc.rpartition(":")[2]
    deadline = time.monotonic() + _PORT_SECONDS
    while port.isdigit() and time.monotonic() < deadline:
        if is_port_free(int(port)):
            return int(port)
        time.sleep(0.05)  # the system may still be closing what a killed node had open
    return 0
