import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from web3 import Web3
from web3.exceptions import Web3RPCError

from ledger import devnet, nodejs
from ledger.devnet_process import get_start_mark, is_port_free, read_chain_id
from ledger.errors import DevnetFailed, ToolMissing, UsageError

pytestmark = pytest.mark.chain
ENGINES = pytest.mark.parametrize("engine", devnet.ENGINES)


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@ENGINES
def test_a_devnet_runs_as_long_as_its_block(tmp_path, engine):
    with devnet.running(tmp_path, engine=engine) as node:
        assert node.chain_id == devnet.CHAIN_ID == read_chain_id(node.rpc)
        assert devnet.status(tmp_path) == node
        assert node.rpc.startswith("http://127.0.0.1:")
    assert devnet.status(tmp_path) is None
    assert get_start_mark(node.pid) is None
    assert read_chain_id(node.rpc) is None


@ENGINES
def test_a_devnet_ends_with_a_parent_that_is_killed(tmp_path, engine):
    program = (
        "import sys, time; from pathlib import Path; from ledger import devnet\n"
        "with devnet.running(Path(sys.argv[1]), engine=sys.argv[2]) as node:\n"
        "    print(node.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path), engine]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert get_start_mark(pid) is not None
        parent.kill()
    assert wait_until(lambda: get_start_mark(pid) is None, 5)


def test_a_devnet_ends_although_a_forked_process_holds_its_pipe(tmp_path):
    program = (
        "import os, sys, time; from pathlib import Path; from ledger import devnet\n"
        "with devnet.running(Path(sys.argv[1]), engine='anvil') as node:\n"
        "    child = os.fork()\n"
        "    if child == 0: time.sleep(20); os._exit(0)\n"
        "    print(node.pid, child, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        pid, child = map(int, parent.stdout.readline().split())
        parent.kill()
        parent.wait()
        try:
            assert wait_until(lambda: get_start_mark(pid) is None, 5)
        finally:
            os.kill(child, signal.SIGKILL)


@ENGINES
def test_a_detached_devnet_outlives_who_started_it(tmp_path, engine):
    program = (
        "import sys; from pathlib import Path; from ledger import devnet\n"
        "print(devnet.start(Path(sys.argv[1]), engine=sys.argv[2], detach=True).pid)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path), engine], capture_output=True, text=True)
    try:
        node = devnet.status(tmp_path)
        assert node is not None, done.stderr
        assert node.pid == int(done.stdout)
        assert read_chain_id(node.rpc) == devnet.CHAIN_ID
        assert devnet.start(tmp_path, engine=engine) == node
    finally:
        assert devnet.stop(tmp_path)
    assert get_start_mark(node.pid) is None
    assert not devnet.stop(tmp_path)


def test_a_process_id_that_was_given_away_is_not_killed(tmp_path):
    with devnet.running(tmp_path, engine="anvil"):
        pass
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = tmp_path / "devnet" / "devnet.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "pid": stranger.pid}))
        assert devnet.status(tmp_path) is None
        assert not devnet.stop(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_killed_devnet_is_seen_as_gone_and_can_be_started_again(tmp_path):
    node = devnet.start(tmp_path, engine="anvil", detach=True)
    os.kill(node.pid, signal.SIGKILL)
    assert wait_until(lambda: devnet.status(tmp_path) is None, 5)
    with devnet.running(tmp_path, engine="anvil") as again:
        assert again.rpc == node.rpc  # the network in fedtrail.toml stays valid
        assert again.pid != node.pid


def test_anvil_leaves_no_states_of_past_blocks_behind(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    with devnet.running(tmp_path, engine="anvil") as node:
        chain = Web3(Web3.HTTPProvider(node.rpc))
        chain.provider.make_request("anvil_mine", [hex(1100)])
        assert chain.eth.get_balance(devnet.funded_account(0).address, 1100 - devnet.ANVIL_PAST_STATES + 1)
        with pytest.raises(Web3RPCError):
            chain.eth.get_balance(devnet.funded_account(0).address, 1)
        assert not list(home.rglob("*.json"))


def test_reset_forgets_the_state(tmp_path):
    with devnet.running(tmp_path, engine="anvil") as node:
        state = Path(node.state_file)
        assert wait_until(state.exists, 5)
    assert state.exists()
    devnet.reset(tmp_path)
    assert not state.exists()


def test_a_taken_port_is_told_with_the_end_of_the_log(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DevnetFailed, match="in use"):
            devnet.start(tmp_path, engine="anvil", port=taken.getsockname()[1])
    assert devnet.status(tmp_path) is None


def test_an_asked_for_port_is_used(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with devnet.running(tmp_path, engine="anvil", port=port) as node:
        assert node.rpc == f"http://127.0.0.1:{port}"
        assert not is_port_free(port)


def test_another_engine_beside_the_running_one_is_refused(tmp_path):
    with devnet.running(tmp_path, engine="anvil"), pytest.raises(UsageError, match="anvil devnet runs"):
        devnet.start(tmp_path, engine="hardhat")
    with pytest.raises(UsageError, match="ganache"):
        devnet.start(tmp_path, engine="ganache")


def test_a_missing_hardhat_is_named_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(nodejs, "SOURCE_TREE", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ToolMissing, match="hardhat not found") as raised:
        devnet.start(tmp_path / ".fedtrail")
    assert "npm i hardhat@" in raised.value.hint


def test_node_modules_elsewhere_are_used(tmp_path, monkeypatch):
    modules = nodejs.SOURCE_TREE / "node_modules"
    monkeypatch.setattr(nodejs, "SOURCE_TREE", tmp_path)
    monkeypatch.setenv("FEDTRAIL_NODE_MODULES", str(modules))
    with devnet.running(tmp_path / ".fedtrail") as node:
        assert node.chain_id == devnet.CHAIN_ID


def test_an_unfit_node_is_refused(monkeypatch):
    monkeypatch.setenv("FEDTRAIL_NODE", sys.executable)
    with pytest.raises(ToolMissing, match="FEDTRAIL_NODE"):
        nodejs.find_node()


def test_the_funded_accounts_are_those_that_every_devnet_knows():
    assert devnet.funded_account(0).address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert devnet.funded_account(9).address == "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"


def test_a_released_devnet_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from ledger import devnet\n"
        "folder = Path(sys.argv[1]); devnet.start(folder, engine='anvil'); devnet.release(folder)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    time.sleep(1)
    found = devnet.status(tmp_path)
    assert found is not None
    assert devnet.stop(tmp_path)
    assert devnet.status(tmp_path) is None
