"""`fedtrail key` on a ledger: what is replaced, what is shut out, and what the chain remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Cli
from scripted_runs import run_honest

from ledger.chain import Chain
from ledger.devnet import funded_account
from ledger.encryption_keys import EncryptionKeys
from ledger.keys import Keystore, password_for
from ledger.project import Project
from ledger.rotation import rotate_signing_key

pytestmark = pytest.mark.chain


def data(cli: Cli, *words: str) -> Any:
    answer = cli(*words, "--format", "json")
    assert answer.status == 0, answer.err
    return answer.json["data"]


def list_keys(cli: Cli, name: str, kind: str) -> list[dict[str, object]]:
    return [row for row in data(cli, "key", "history", name) if row["kind"] == kind]


def test_a_rotation_that_was_interrupted_is_finished_and_not_begun_again(
    cli: Cli, in_served: Project, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = int(data(cli, "client", "register", "interrupted", "--stake", "1.5 ether")["id"])
    keys, password = Keystore(in_served.keys_dir), password_for(in_served.network())
    owner = keys.load("interrupted-owner", password)
    chain.transfer(owner.address, 10**17, key="gas", sender=funded_account(0))
    with monkeypatch.context() as patched:
        patched.setattr(Keystore, "adopt", lambda self, name: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rotate_signing_key(chain, keys, "interrupted", number, password=password, owner=owner)
    in_registry = f"0x{chain.get_participant(number).signer.hex()}"
    assert in_registry == keys.waiting_address("interrupted") != keys.plain_address("interrupted")
    assert cli("checkpoint", "monitor", "--client", "interrupted", "--once").status == 0  # the new key is known
    assert data(cli, "key", "rotate", "interrupted")["address"].lower() == in_registry
    assert [row["held"] for row in list_keys(cli, "interrupted", "signing")] == [True, True]
    assert data(cli, "key", "rotate", "interrupted")["address"].lower() != in_registry


def test_revoking_replaces_both_keys_and_names_the_rounds_that_still_take_the_old_one(
    cli: Cli, in_served: Project, chain: Chain
) -> None:
    run_honest(in_served, "revoked")
    cli("key", "announce", "c1")
    keys = Keystore(in_served.keys_dir)
    aggregator = keys.load("aggregator", password_for(in_served.network()))
    old = keys.plain_address("c1")
    opened = chain.open_round(
        chain.count_tasks(), chain.find_participant(aggregator.address), key="open", sender=aggregator
    )
    round_id = opened.find("RoundOpened").args["round_id"]
    told = data(cli, "key", "revoke", "c1")
    assert told["address"].lower() == keys.plain_address("c1") != old
    assert [int(each["round_id"]) for each in told["open_rounds"]] == [round_id]
    signing, encryption = list_keys(cli, "c1", "signing"), list_keys(cli, "c1", "encryption")
    assert signing[-1]["since"] == told["since"] == signing[-2]["until"] + 1
    assert [row["key"] for row in signing[-2:]] == [old, told["address"].lower()]
    assert encryption[-1]["key"] == f"0x{told['public_key']}" and encryption[-2]["until"] is not None
    assert chain.get_signer_at(int(told["id"]), chain.get_round(round_id).opened_at) == bytes.fromhex(old[2:])
    chain.wait_until(chain.get_round(round_id).commit_end + 1)
    assert data(cli, "key", "revoke", "c1")["open_rounds"] == []


def test_keys_that_waited_on_disk_are_revoked_with_the_others(cli: Cli, in_served: Project) -> None:
    """Whoever copied the keys has copied those, too."""
    data(cli, "client", "register", "copied", "--stake", "1.5 ether")
    data(cli, "key", "announce", "copied")
    keys, password = Keystore(in_served.keys_dir), password_for(in_served.network())
    waiting = keys.prepare("copied", password).address.lower()
    held = EncryptionKeys(in_served.keys_dir, "copied")
    _, public = held.next([bytes.fromhex(each) for each in held.list_public(password)], password)
    told = data(cli, "key", "revoke", "copied")
    assert told["address"].lower() != waiting and told["public_key"] != public.hex()
    assert [row["key"] for row in list_keys(cli, "copied", "signing")][1:] == [waiting, told["address"].lower()]
    assert list_keys(cli, "copied", "encryption")[-1]["key"] == f"0x{told['public_key']}"
    assert cli("checkpoint", "monitor", "--client", "copied", "--once").status == 0


def test_who_does_not_hold_the_owners_key_revokes_nothing(cli: Cli, in_served: Project, tmp_path: Path) -> None:
    data(cli, "client", "register", "ownerless", "--stake", "1.5 ether")
    (in_served.keys_dir / "ownerless-owner.json").rename(tmp_path / "away.json")
    answer = cli("key", "revoke", "ownerless")
    assert (answer.status, answer.err[:5]) == (6, "FT605")
    assert len(list_keys(cli, "ownerless", "signing")) == 1
