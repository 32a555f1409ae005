"""The daemon's store when the daemon misbehaves. What it does with a real daemon is in tests/ipfs."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ledger.errors import (
    BlobCorrupt,
    FedtrailError,
    NotCanonical,
    NotFoundError,
    Oversized,
    StoreUnreachable,
    Unavailable,
)
from ledger.store import Cid, Codec, ContentStore, open_store
from ledger.store.kubo import KuboStore

TIMEOUT_SECONDS = 0.3
BOUND_SECONDS = 5 * TIMEOUT_SECONDS + 2  # the call, one question whether the daemon is alive, and a busy machine
CID = Cid.of(b"leaf")


class Request(BaseHTTPRequestHandler):
    """One request; the stub's plan for its path says what happens."""

    server: Stub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        path = urlsplit(self.path)
        name = path.path.removeprefix("/api/v0/")
        self.server.seen.append((name, parse_qs(path.query), dict(self.headers), self._body()))
        self.server.plan.get(name, not_asked_for)(self)

    def _body(self) -> bytes:
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return body

    def answer(self, status: int, body: bytes, kind: str = "application/json", *, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


Answer = Callable[[Request], None]


class Stub(ThreadingHTTPServer):
    """A server on loopback that answers each path as planned and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.plan: dict[str, Answer] = {"version": says({"Version": "0.0.0-stub"})}
        self.seen: list[tuple[str, dict[str, list[str]], dict[str, str], bytes]] = []
        self.over = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that hang up are part of these tests


def says(answer: object, status: int = 200) -> Answer:
    return lambda request: request.answer(status, json.dumps(answer).encode())


def fails(message: str, status: int = 500) -> Answer:
    return says({"Message": message, "Code": 0, "Type": "error"}, status)


def sends(body: bytes, *, length: int | None = None, status: int = 200) -> Answer:
    def send(request: Request) -> None:
        request.answer(status, body, "application/octet-stream", length=length)
        request.close_connection = True

    return send


def is_silent(request: Request) -> None:
    request.server.over.wait(20)
    request.close_connection = True


def hangs_up(request: Request) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True


def drips(request: Request) -> None:
    """Send a byte now and then, so that no single read times out."""
    request.answer(200, b"", length=1000)
    while not request.server.over.wait(TIMEOUT_SECONDS / 5):
        request.wfile.write(b"x")


def never_stops(request: Request) -> None:
    request.answer(200, b"", length=2**40)
    while not request.server.over.is_set():
        request.wfile.write(bytes(1 << 16))


def not_asked_for(request: Request) -> None:
    request.answer(404, b"404 page not found", "text/plain")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.fixture
def daemon(stub: Stub) -> ContentStore:
    return open_store("unused", ipfs=f"/ip4/127.0.0.1/tcp/{stub.server_port}", timeout_seconds=TIMEOUT_SECONDS)


def every_call(daemon: ContentStore, tmp_path: Path) -> list[Callable[[], object]]:
    return [
        lambda: daemon.put(b"blob"),
        lambda: daemon.get(CID, max_bytes=10),
        lambda: daemon.stat(CID),
        lambda: daemon.pin(CID),
        lambda: daemon.unpin(CID),
        lambda: daemon.is_pinned(CID),
        lambda: daemon.put_block(b"block"),
        lambda: daemon.get_block(CID),
        lambda: daemon.export_car(CID, tmp_path / "out.car"),
    ]


def assert_each_fails(calls: list[Callable[[], object]], error: type[FedtrailError]) -> None:
    for call in calls:
        started = time.monotonic()
        with pytest.raises(error):
            call()
        assert time.monotonic() - started < BOUND_SECONDS


def test_no_daemon_is_unreachable_at_once(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        daemon = open_store("unused", ipfs=f"/ip4/127.0.0.1/tcp/{port}", timeout_seconds=TIMEOUT_SECONDS)
        assert_each_fails(every_call(daemon, tmp_path), StoreUnreachable)
    assert list(tmp_path.iterdir()) == []


def test_a_silent_daemon_is_unreachable_in_bounded_time(daemon: ContentStore, stub: Stub, tmp_path: Path) -> None:
    stub.plan = dict.fromkeys(("version", "dag/import", "block/get", "pin/add", "pin/ls", "pin/rm"), is_silent)
    assert_each_fails(every_call(daemon, tmp_path), StoreUnreachable)


@pytest.mark.parametrize(
    "answer",
    [fails("merkledag: internal trouble"), sends(b"oops", status=500), sends(b"", status=403), not_asked_for, hangs_up],
    ids=["500-json", "500-text", "403", "404", "hangs-up"],
)
def test_a_failing_daemon_is_unreachable(answer: Answer, daemon: ContentStore, stub: Stub, tmp_path: Path) -> None:
    stub.plan = dict.fromkeys(("version", "dag/import", "block/get", "pin/add", "pin/ls", "pin/rm"), answer)
    assert_each_fails(every_call(daemon, tmp_path), StoreUnreachable)


@pytest.mark.parametrize(
    "answer",
    [sends(b"<html>"), sends(b""), says([]), says({}), says({"Root": {"Cid": None}}), says({"Keys": 7}), says(5)],
)
def test_a_server_that_is_no_ipfs_daemon_is_unreachable(answer: Answer, daemon: ContentStore, stub: Stub) -> None:
    stub.plan = dict.fromkeys(("dag/import", "pin/ls"), answer)
    for call in (daemon.put, lambda _: daemon.is_pinned(CID)):
        with pytest.raises(StoreUnreachable):
            call(b"blob")


@pytest.mark.parametrize(
    "message",
    [
        "block was not found locally (offline): ipld: could not find bafk",
        "context deadline exceeded",
        "Block not found",
        "request timed out",
    ],
)
def test_a_block_that_the_daemon_does_not_find_is_unavailable(message: str, daemon: ContentStore, stub: Stub) -> None:
    stub.plan["block/get"] = stub.plan["pin/add"] = fails(message)
    for call in (daemon.get_block, daemon.stat, daemon.pin):
        with pytest.raises(Unavailable) as caught:
            call(CID)
        assert caught.value.detail["cid"] == CID


@pytest.mark.parametrize("answer", [is_silent, drips])
def test_a_block_that_does_not_come_in_time_is_unavailable(answer: Answer, daemon: ContentStore, stub: Stub) -> None:
    stub.plan["block/get"] = answer
    assert_each_fails([lambda: daemon.get(CID, max_bytes=10)], Unavailable)


@pytest.mark.parametrize("sent", [b"", b"leap", b"lea", b"leaf\0", b'{"Message": "leaf"}'])
def test_wrong_bytes_are_caught_with_the_digest_of_what_came(sent: bytes, daemon: ContentStore, stub: Stub) -> None:
    stub.plan["block/get"] = sends(sent)
    with pytest.raises(BlobCorrupt) as caught:
        daemon.get(CID, max_bytes=10)
    assert caught.value.detail == {"cid": CID, "got": Cid.of(sent).digest.hex()}


def test_a_body_cut_off_is_a_broken_connection_and_no_accusation(daemon: ContentStore, stub: Stub) -> None:
    stub.plan["block/get"] = sends(b"lea", length=4)
    with pytest.raises(StoreUnreachable):
        daemon.get(CID, max_bytes=10)


def test_a_body_without_end_is_cut_off(daemon: ContentStore, stub: Stub) -> None:
    stub.plan["block/get"] = never_stops
    assert_each_fails([lambda: daemon.get(CID, max_bytes=10)], Oversized)


def test_an_intact_block_that_is_no_file_is_not_read_as_one(daemon: ContentStore, stub: Stub) -> None:
    stub.plan["block/get"] = sends(b"\x08\x01")
    with pytest.raises(NotCanonical):
        daemon.get(Cid.of(b"\x08\x01", Codec.DAG_PB), max_bytes=10)


@pytest.mark.parametrize("text", [str(CID), "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", "zb2rh", "z0", ""])
def test_another_root_than_the_one_sent_is_refused(text: str, daemon: ContentStore, stub: Stub) -> None:
    stub.plan["dag/import"] = says({"Root": {"Cid": {"/": text}, "PinErrorMsg": ""}})
    stub.plan["pin/add"] = says({"Pins": [text]})
    with pytest.raises(StoreUnreachable):
        daemon.put(b"blob")
    assert [name for name, *_ in stub.seen] == ["dag/import"]


def test_a_pin_that_fails_fails_the_put(daemon: ContentStore, stub: Stub) -> None:
    stub.plan["dag/import"] = says({"Root": {"Cid": {"/": str(CID)}, "PinErrorMsg": ""}})
    stub.plan["pin/add"] = fails("pin: the disk is full")
    with pytest.raises(StoreUnreachable, match="the disk is full"):
        daemon.put(b"leaf")


def test_a_put_sends_one_archive_and_calls_nothing_that_daemons_disagree_on(stub: Stub, tmp_path: Path) -> None:
    stub.plan["dag/import"] = says({"Root": {"Cid": {"/": str(CID)}, "PinErrorMsg": ""}})
    stub.plan["pin/add"] = says({"Pins": [str(CID)]})
    daemon = KuboStore(f"/ip4/127.0.0.1/tcp/{stub.server_port}", timeout_seconds=5, authorization="Bearer secret")
    assert daemon.put(b"leaf") == CID
    (imported, _, headers, body), (pinned, query, *_) = stub.seen
    assert (imported, pinned, query["arg"]) == ("dag/import", "pin/add", [str(CID)])
    assert headers["Authorization"] == "Bearer secret"
    archive = open_store(tmp_path / "expected")
    archive.export_car(archive.put(b"leaf"), tmp_path / "leaf.car")
    assert (tmp_path / "leaf.car").read_bytes() in body
    assert daemon.get_version() == "0.0.0-stub"


def test_a_malformed_archive_is_not_sent(daemon: ContentStore, stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "bad.car").write_bytes(b"\0" * 100)
    for name, error in (("bad.car", NotCanonical), ("none.car", NotFoundError)):
        with pytest.raises(error):
            daemon.import_car(tmp_path / name)
    with pytest.raises(NotFoundError):
        daemon.put(tmp_path / "none")
    assert stub.seen == []


def test_unpinning_what_is_not_pinned_does_nothing(daemon: ContentStore, stub: Stub) -> None:
    stub.plan["pin/ls"] = fails(f"path '/ipfs/{CID}' is not pinned")
    assert not daemon.is_pinned(CID)
    daemon.unpin(CID)
    assert {name for name, *_ in stub.seen} == {"pin/ls"}
