"""What leaves this machine leaves it under TLS, to a server that proves who it is: nodes and IPFS daemons."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from ledger.chain.connection import Connection
from ledger.errors import BadConfiguration, CannotReach, InsecureEndpoint, UntrustedServer
from ledger.project import load_project
from ledger.store.kubo import KuboStore

Asked = list[str]


@contextmanager
def serve(certificate: trustme.LeafCert, asked: Asked, *, redirect: str = "") -> Iterator[int]:
    """Yield the port of an HTTPS server that answers as a node with chain id 7 and as an IPFS daemon."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            asked.append(self.path)
            self.send_response(307 if redirect else 200)
            if redirect:
                self.send_header("location", redirect)
            self.send_header("content-type", "application/json")
            body = json.dumps({"jsonrpc": "2.0", "id": 0, "result": "0x7", "Version": "0.30.0"}).encode()
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            del arguments

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def ask_node(port: int, ca_file: str | None) -> object:
    return Connection(f"https://localhost:{port}", ca_file=ca_file).request("eth_chainId")


def ask_daemon(port: int, ca_file: str | None) -> object:
    return KuboStore(f"/dns4/localhost/tcp/{port}/https", timeout_seconds=20, ca_file=ca_file).get_version()


ASK = [pytest.param(ask_node, id="node"), pytest.param(ask_daemon, id="daemon")]
Ask = Callable[[int, str | None], object]


@pytest.mark.parametrize("ask", ASK)
def test_a_server_whose_authority_the_project_names_is_asked(ask: Ask, authority: trustme.CA, ca_file: str) -> None:
    asked: Asked = []
    with serve(authority.issue_cert("localhost"), asked) as port:
        assert ask(port, ca_file) in ("0x7", "0.30.0")
    assert len(asked) == 1


@pytest.mark.parametrize("ask", ASK)
def test_defended_a_server_of_an_unknown_authority_is_told_nothing(ask: Ask, authority: trustme.CA) -> None:
    asked: Asked = []
    with serve(authority.issue_cert("localhost"), asked) as port, pytest.raises(UntrustedServer) as caught:
        ask(port, None)
    assert (caught.value.code, asked) == ("FT411", [])
    assert "ca_file" in caught.value.hint


@pytest.mark.parametrize("ask", ASK)
def test_defended_a_server_with_another_s_certificate_is_told_nothing(
    ask: Ask, authority: trustme.CA, ca_file: str
) -> None:
    asked: Asked = []
    with serve(authority.issue_cert("node.example"), asked) as port, pytest.raises(UntrustedServer, match="localhost"):
        ask(port, ca_file)
    assert asked == []


def test_defended_a_certificate_that_has_ended_is_not_taken(authority: trustme.CA, ca_file: str) -> None:
    asked: Asked = []
    ended = authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    with serve(ended, asked) as port, pytest.raises(UntrustedServer, match="expired"):
        ask_node(port, ca_file)
    assert asked == []


def test_defended_another_authority_with_the_same_name_is_not_taken(ca_file: str) -> None:
    asked: Asked = []
    with serve(trustme.CA().issue_cert("localhost"), asked) as port, pytest.raises(UntrustedServer):
        ask_node(port, ca_file)
    assert asked == []


def test_defended_a_node_cannot_send_us_elsewhere(authority: trustme.CA, ca_file: str) -> None:
    asked: Asked = []
    with serve(authority.issue_cert("localhost"), asked, redirect="/elsewhere") as port, pytest.raises(CannotReach):
        ask_node(port, ca_file)
    assert asked == ["/"]


@pytest.mark.parametrize(
    "rpc",
    [
        "http://192.0.2.1:8545",
        "http://node.example",
        "http://localhost.example",
        "ws://node.example",
        "http://[2001:db8::1]",
    ],
)
def test_defended_a_node_elsewhere_is_not_asked_without_tls(rpc: str) -> None:
    with pytest.raises(InsecureEndpoint) as caught:
        Connection(rpc)
    assert (caught.value.code, "https" in caught.value.hint) == ("FT204", True)


@pytest.mark.parametrize(
    "address", ["/ip4/192.0.2.1/tcp/5001", "/dns4/ipfs.example/tcp/5001/http", "/ip6/2001:db8::1/tcp/5001"]
)
def test_defended_a_daemon_elsewhere_is_not_asked_without_tls(address: str) -> None:
    with pytest.raises(InsecureEndpoint):
        KuboStore(address, timeout_seconds=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "node.localhost", "[::1]"])
def test_this_machine_may_be_asked_without_tls(host: str) -> None:
    Connection(f"http://{host}:8545")


@pytest.mark.parametrize(
    "address", ["/ip4/127.0.0.1/tcp/5001", "/ip6/::1/tcp/5001", "/dns4/ipfs.example/tcp/443/https"]
)
def test_daemons_here_and_those_with_tls_may_be_asked(address: str) -> None:
    KuboStore(address, timeout_seconds=1)


def test_the_project_names_authorities_of_its_node_and_its_store(tmp_path: Path, ca_file: str) -> None:
    file = tmp_path / "fedtrail.toml"
    file.write_text(
        'fedtrail = 1\n[networks.ours]\nrpc = "https://node.example"\nchain_id = 5\nca_file = "authority.pem"\n'
        '[store]\nipfs = "/dns4/ipfs.example/tcp/443/https"\nca_file = "authority.pem"\n'
    )
    project = load_project(file)
    assert (project.network("ours").ca_file, project.ipfs_ca_file) == (ca_file, ca_file)
    Path(ca_file).unlink()
    with pytest.raises(BadConfiguration, match="there is no file"):
        load_project(file)
