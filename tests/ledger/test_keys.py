import json
import os
import stat
import subprocess
import sys

import pytest
from eth_account import Account

from ledger import keys
from ledger.chain import Network
from ledger.errors import ConfigurationError, KeyExists, KeyLocked, KeyMissing, UsageError, WrongPassword
from ledger.keys import DEVNET_PASSWORD, Keystore, password_for
from ledger.passwords import COMMAND_VARIABLE, FILE_VARIABLE, PASSWORD_VARIABLE

DEVNET = Network(name="devnet", rpc="http://127.0.0.1:1", chain_id=31337, devnet=True)
PUBLIC = Network(name="public", rpc="http://127.0.0.1:1", chain_id=1)


@pytest.fixture
def keystore(tmp_path):
    return Keystore(tmp_path / "keys")


def test_a_key_opens_with_its_password(keystore):
    address = keystore.new("hospital-a", DEVNET_PASSWORD)
    account = keystore.load("hospital-a", DEVNET_PASSWORD)
    assert account.address == address == keystore.address("hospital-a")
    assert keystore.names() == ["hospital-a"]


def test_a_key_file_is_a_standard_keystore_that_only_its_owner_reads(keystore):
    address = keystore.new("a", "a real password")
    file = keystore.path / "a.json"
    content = json.loads(file.read_text())
    assert content["version"] == 3
    assert content["crypto"]["kdf"] == "scrypt"
    assert content["crypto"]["kdfparams"]["n"] >= 2**17
    assert Account.from_key(Account.decrypt(content, "a real password")).address == address
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(keystore.path.stat().st_mode) == 0o700


def test_a_second_key_of_a_name_is_refused_and_the_first_stays(keystore):
    address = keystore.new("a", DEVNET_PASSWORD)
    with pytest.raises(KeyExists):
        keystore.new("a", DEVNET_PASSWORD)
    assert keystore.address("a") == address
    assert list(keystore.path.iterdir()) == [keystore.path / "a.json"]


def test_a_wrong_password_is_said_to_be_wrong(keystore):
    keystore.new("a", DEVNET_PASSWORD)
    with pytest.raises(WrongPassword):
        keystore.load("a", "another")


def test_a_missing_key_is_named(keystore):
    with pytest.raises(KeyMissing, match="'nobody'"):
        keystore.load("nobody", DEVNET_PASSWORD)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/b", "a\\b", ".hidden", "a b", "é", "a\n", "a.0", "a.b.12", "x" * 65, "a\0"]
)
def test_no_name_reaches_another_path(keystore, name):
    with pytest.raises(UsageError):
        keystore.new(name, DEVNET_PASSWORD)
    with pytest.raises(UsageError):
        keystore.load(name, DEVNET_PASSWORD)
    assert not keystore.path.exists()


def test_a_key_that_waits_is_made_once_and_takes_the_place_when_it_is_told(keystore):
    first = keystore.new("a", DEVNET_PASSWORD)
    waiting = keystore.prepare("a", DEVNET_PASSWORD)
    assert keystore.prepare("a", DEVNET_PASSWORD).address == waiting.address
    assert (keystore.address("a"), keystore.names(), keystore.count_versions("a")) == (first, ["a"], 0)
    assert keystore.waiting_address("a") == waiting.address.lower()
    keystore.adopt("a")
    assert (keystore.address("a"), keystore.waiting_address("a")) == (waiting.address, None)
    assert list(keystore.list_addresses("a")) == [first.lower(), waiting.address.lower()]
    with pytest.raises(KeyMissing):
        keystore.adopt("a")


def test_a_rotation_that_died_between_its_last_two_steps_keeps_the_old_key_once(keystore):
    keystore.new("a", DEVNET_PASSWORD)
    keystore.prepare("a", DEVNET_PASSWORD)
    os.link(keystore.path / "a.json", keystore.path / "a.0.json")
    keystore.adopt("a")
    assert keystore.count_versions("a") == 1


def test_every_key_of_a_name_is_found_by_its_address_and_no_other(keystore):
    first = keystore.new("a", DEVNET_PASSWORD)
    keystore.rotate("a", DEVNET_PASSWORD)
    keystore.prepare("a", DEVNET_PASSWORD)
    addresses = keystore.list_addresses("a")
    assert len(addresses) == 3
    for address in addresses:
        found = keystore.load_by_address("a", bytes.fromhex(address[2:]), DEVNET_PASSWORD)
        assert found.address.lower() == address
    with pytest.raises(KeyMissing):
        keystore.load_by_address("b", bytes.fromhex(first[2:]), DEVNET_PASSWORD)


def test_rotation_keeps_every_key(keystore):
    first = keystore.new("a", DEVNET_PASSWORD)
    second = keystore.rotate("a", DEVNET_PASSWORD)
    third = keystore.rotate("a", DEVNET_PASSWORD)
    assert len({first, second, third}) == 3
    assert [keystore.load("a", DEVNET_PASSWORD, version=v).address for v in (0, 1, None)] == [first, second, third]
    assert keystore.count_versions("a") == 2
    assert keystore.names() == ["a"]


def test_rotation_with_a_wrong_password_changes_nothing(keystore):
    address = keystore.new("a", DEVNET_PASSWORD)
    with pytest.raises(WrongPassword):
        keystore.rotate("a", "another")
    assert keystore.address("a") == address
    assert keystore.count_versions("a") == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": 5}', '{"address": "zz"}'])
def test_a_broken_file_is_said_to_be_broken(keystore, content):
    keystore.path.mkdir()
    (keystore.path / "a.json").write_text(content)
    with pytest.raises(ConfigurationError):
        keystore.address("a")
    with pytest.raises(ConfigurationError):
        keystore.load("a", DEVNET_PASSWORD)


def test_a_devnet_needs_no_password(monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    assert password_for(DEVNET) == DEVNET_PASSWORD


def test_the_environment_gives_the_password(monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert password_for(PUBLIC) == "secret"


def test_a_file_or_a_program_gives_the_password(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text("of the file\n")
    monkeypatch.setenv(COMMAND_VARIABLE, f"'{sys.executable}' -c \"print('of the program')\"")
    assert password_for(PUBLIC) == "of the program"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    assert password_for(PUBLIC) == "of the file"
    monkeypatch.setenv(PASSWORD_VARIABLE, "of the environment")
    assert password_for(PUBLIC) == "of the environment"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (FILE_VARIABLE, "/nowhere/at/all"),
        (COMMAND_VARIABLE, "/nowhere/at/all"),
        (COMMAND_VARIABLE, f"'{sys.executable}' -c 'raise SystemExit(3)'"),
        (COMMAND_VARIABLE, f"'{sys.executable}' -c 'pass'"),
        (COMMAND_VARIABLE, "an 'open quote"),
    ],
)
def test_a_place_without_a_password_leaves_a_key_locked_and_nobody_is_asked(monkeypatch, variable, value):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(KeyLocked, match="password should be"):
        password_for(PUBLIC, name="hospital-a")


def test_without_terminal_and_environment_a_key_stays_locked():
    program = (
        "from ledger.chain import Network; from ledger.keys import password_for\n"
        "password_for(Network(name='n', rpc='', chain_id=1), name='hospital-a')"
    )
    environment = {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment
    )
    assert f"{KeyLocked.__name__}: FT210: key 'hospital-a' is locked" in done.stderr


def test_a_key_that_another_process_makes_meanwhile_is_not_overwritten(keystore, monkeypatch):
    racing = Keystore(keystore.path)
    make_account = keys._make_account
    won = []

    def race():
        monkeypatch.setattr(keys, "_make_account", make_account)
        won.append(racing.new("a", DEVNET_PASSWORD))
        return make_account()

    monkeypatch.setattr(keys, "_make_account", race)
    with pytest.raises(KeyExists):
        keystore.new("a", DEVNET_PASSWORD)
    assert [keystore.load("a", DEVNET_PASSWORD).address] == won
    assert list(keystore.path.iterdir()) == [keystore.path / "a.json"]
