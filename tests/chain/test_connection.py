"""What a node may do to us: be gone, be another one, hang, talk nonsense."""

import http.server
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ledger import artifacts
from ledger import devnet as devnets
from ledger.chain import Chain, Connection, DeployParams, Network, NodeRefused, connection, deploy
from ledger.chain import deployment as deployment_module
from ledger.chain.abi import get_interface
from ledger.errors import CannotReach, ChainReset, ConfigurationError, NoContract, Pruned, WrongChain, WrongCode
from ledger.journal import Journal


@contextmanager
def serve(answer):
    """Run a server on the loopback address whose answer to a request body is (status, body)."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(json.loads(body))
            status, reply = answer(seen)
            if status is None:  # the connection drops
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def get_closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def reply(result):
    return lambda seen: (200, json.dumps({"jsonrpc": "2.0", "id": seen[-1]["id"], "result": result}).encode())


def test_a_node_that_is_gone_is_tried_three_times_and_not_for_long():
    rpc = f"http://127.0.0.1:{get_closed_port()}"
    started = time.monotonic()
    with pytest.raises(CannotReach, match=rf"cannot reach {rpc} \(connection refused, 3 tries in \d\.\d s\)") as raised:
        Connection(rpc).request("eth_chainId")
    assert time.monotonic() - started < 6
    assert "fedtrail devnet up" in raised.value.hint


def test_a_node_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(CannotReach, match="no answer"):
            Connection(f"http://127.0.0.1:{silent.getsockname()[1]}").request("eth_chainId")


@pytest.mark.parametrize(
    "status, body, what",
    [(500, b"oops", "HTTP status 500"), (403, b"", "HTTP status 403"), (200, b"<html>", "not JSON-RPC")],
)
def test_a_server_that_is_no_node_is_told(status, body, what):
    with serve(lambda seen: (status, body)) as (rpc, _), pytest.raises(CannotReach, match=what):
        Connection(rpc).request("eth_chainId")


def test_a_dropped_connection_is_opened_again():
    def answer(seen):
        return reply("0x1")(seen) if len(seen) != 2 else (None, b"")

    with serve(answer) as (rpc, seen):
        one = Connection(rpc)
        assert [one.request("eth_chainId"), one.request("eth_chainId")] == ["0x1", "0x1"]
        assert len(seen) == 3


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{get_closed_port()}")
    with serve(reply("0x7")) as (rpc, _):
        assert Connection(rpc).request("eth_chainId") == "0x7"


def test_a_batch_that_the_node_does_not_take_is_told():
    def answer(_seen):
        return 200, json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no batches"}}).encode()

    with serve(answer) as (rpc, _), pytest.raises(NodeRefused, match="no batches"):
        Connection(rpc).batch([("eth_chainId", []), ("eth_blockNumber", [])])


def test_another_chain_is_refused(tmp_path):
    contracts = {"registry": "0x" + "1" * 40, "ledger": "0x" + "2" * 40}
    network = Network(name="hospital", rpc="", chain_id=31337, contracts=contracts)
    with serve(reply("0x1")) as (rpc, seen), pytest.raises(WrongChain) as raised:
        Chain.connect(replace(network, rpc=rpc), Journal(tmp_path / "j"))
    assert raised.value.detail == {"got": 1, "network": "hospital", "want": 31337}
    assert [request["method"] for request in seen] == ["eth_chainId"]


@pytest.mark.chain
def test_a_network_without_contracts_is_refused(devnet, journal):
    network = Network(name="devnet", rpc=devnet.rpc, chain_id=devnet.chain_id, devnet=True)
    with pytest.raises(NoContract, match="names no contracts"):
        Chain.connect(network, journal)


@pytest.mark.chain
def test_an_address_without_code_is_refused(deployment, journal):
    with pytest.raises(NoContract, match="no contract code at 0x1111"):
        Chain.connect(replace(deployment, contracts={**deployment.contracts, "ledger": "0x" + "1" * 40}), journal)


@pytest.mark.chain
def test_a_deployment_without_one_of_the_contracts_is_refused(deployment, journal):
    contracts = {key: address for key, address in deployment.contracts.items() if key != "escrow"}
    with pytest.raises(NoContract, match="names no contract 'escrow'"):
        Chain.connect(replace(deployment, contracts=contracts), journal)


@pytest.mark.chain
def test_other_code_than_the_pinned_is_refused(deployment, journal):
    at = deployment.contracts
    swapped = replace(deployment, contracts={**at, "ledger": at["registry"], "registry": at["ledger"]})
    with pytest.raises(WrongCode) as raised:
        Chain.connect(swapped, journal)
    assert raised.value.detail["want"] == deployment.code_hash


@pytest.mark.chain
def test_a_restarted_hardhat_is_seen_as_a_reset(tmp_path, journal):
    with devnets.running(tmp_path) as node:
        network = Network(name="devnet", rpc=node.rpc, chain_id=node.chain_id, devnet=True)
        network = deploy(network, devnets.funded_account(0), journal).apply(network)
        Chain.connect(network, journal)
    with devnets.running(tmp_path) as again:
        with pytest.raises(ChainReset, match="no such block"):
            Chain.connect(replace(network, rpc=again.rpc), journal)
        # The same project deploys anew at once: the journal knows that this is another chain.
        anew = deploy(replace(network, rpc=again.rpc), devnets.funded_account(0), journal).apply(network)
        assert anew.deploy_block_hash != network.deploy_block_hash
        with pytest.raises(ChainReset, match="the node now has 0x"):
            Chain.connect(replace(network, rpc=again.rpc), journal)
        chain = Chain.connect(replace(anew, rpc=again.rpc), journal)
        assert chain.fingerprint != Chain(network, journal, Connection(again.rpc), chain.contracts).fingerprint


@pytest.mark.chain
def test_a_second_deployment_is_another_one(devnet, journal):
    network = Network(name="devnet", rpc=devnet.rpc, chain_id=devnet.chain_id, devnet=True)
    deployer = devnets.funded_account(0)
    first = deploy(network, deployer, journal)
    assert deploy(network, deployer, journal) == first
    second = deploy(network, deployer, journal, key="deploy-2")
    assert not set(second.contracts.values()) & set(first.contracts.values())


@pytest.mark.chain
def test_all_contracts_of_a_deployment_know_each_other(chain):
    at = chain.contracts.addresses
    known = {
        key: {name for name in at if name in get_interface(artifacts.KEYS[key]).functions} for key in artifacts.KEYS
    }
    assert known["registry"] == {"ledger", "escrow"}
    assert known["court"] == {"registry", "ledger", "escrow"}
    for key, names in known.items():
        for name in names:
            assert chain._read(chain.contracts.to(key, name)) == at[name], (key, name)
    courts = [key for key in at if "court" in key or key == "board"]
    assert [key for key in at if chain.is_court(at[key])] == courts


@pytest.mark.chain
def test_governor_and_guardian_are_the_deployer_unless_named(devnet, journal):
    network = Network(name="devnet", rpc=devnet.rpc, chain_id=devnet.chain_id, devnet=True)
    deployer, guardian = devnets.funded_account(0), bytes.fromhex(devnets.funded_account(5).address[2:])
    params = DeployParams(guardian=guardian, max_pause_seconds=7)
    chain = Chain.connect(deploy(network, deployer, journal, params=params).apply(network), journal)
    read = lambda name: chain._read(chain.contracts.to_ledger(name))  # noqa: E731
    assert (read("governor").hex(), read("guardian")) == (deployer.address[2:].lower(), guardian)
    assert chain.get_max_pause_seconds() == 7


@pytest.mark.chain
def test_contracts_that_do_not_know_each_other_are_not_accepted(devnet, journal, monkeypatch):
    network = Network(name="devnet", rpc=devnet.rpc, chain_id=devnet.chain_id, devnet=True)
    deployer = devnets.funded_account(3)

    def make_creation(key, arguments):
        if key == "ledger":  # somebody else uses the deployer's key at this moment
            w3 = Connection(devnet.rpc).w3
            w3.eth.wait_for_transaction_receipt(
                w3.eth.send_transaction({"from": deployer.address, "to": deployer.address})
            )
        return original(key, arguments)

    original = deployment_module._make_creation
    monkeypatch.setattr(deployment_module, "_make_creation", make_creation)
    with pytest.raises(ConfigurationError, match="do not know each other"):
        deploy(network, deployer, journal)


@pytest.mark.chain
def test_blocks_that_the_node_does_not_serve_are_told(chain, monkeypatch):
    refused = NodeRefused(method="eth_getLogs", reason="missing trie node")

    def refuse(method, *params):
        if method == "eth_getLogs":
            raise refused
        return original(method, *params)

    original = chain._connection.request
    monkeypatch.setattr(chain._connection, "request", refuse)
    with pytest.raises(Pruned, match="missing trie node"):
        chain.events(0, 3)
