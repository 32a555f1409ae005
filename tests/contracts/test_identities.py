"""Identities and stakes on a real node."""

import pytest
from eth_account import Account
from web3 import Web3

from ledger import spec

pytestmark = pytest.mark.chain
ETHER = 10**18
UNBOND_SECONDS = 20_000


def test_somebody_elses_signer_cannot_be_registered(fresh):
    victim = Account.from_key(spec.keccak256(b"victim")).address
    attacker = spec.keccak256(b"attacker")
    call = fresh.register_call(attacker, 1, signer=victim)
    name, got, want = fresh.refusal(call, value=ETHER)
    assert (name, want) == ("SignatureMismatch", victim.lower())
    assert got == Account.from_key(attacker).address.lower()


def test_key_serves_one_identity_only(fresh):
    call = fresh.register_call(fresh.key(1), 1)
    assert fresh.refusal(call, value=ETHER)[0] == "SignerTaken"


def test_registration_needs_the_minimum_stake(fresh):
    call = fresh.register_call(spec.keccak256(b"poor"), 1)
    assert fresh.refusal(call, value=ETHER - 1) == ("InsufficientStake", ETHER - 1, ETHER)


def test_domain_separators_are_those_of_spec(fresh):
    for name, contract in ((spec.REGISTRY_NAME, fresh.registry), (spec.LEDGER_NAME, fresh.ledger)):
        want = spec.compute_domain_separator(name, 31337, bytes.fromhex(contract.address[2:]))
        assert contract.functions.domainSeparator().call() == want


def test_unbonded_stake_is_pulled_by_its_owner(fresh):
    owner = fresh.web3.eth.accounts[6]
    fresh.send(fresh.register_call(spec.keccak256(b"leaver"), 1, owner=owner), value=2 * ETHER)
    participant = fresh.registry.functions.participantCount().call()
    stranger = fresh.refusal(fresh.registry.functions.requestUnbond(participant))
    assert stranger[:2] == ("NotOwner", participant)
    fresh.send(fresh.registry.functions.requestUnbond(participant), sender=owner)
    assert fresh.refusal(fresh.registry.functions.withdraw(participant))[0] == "StillBonded"
    fresh.move_to(fresh.now() + UNBOND_SECONDS)
    fresh.send(fresh.registry.functions.withdraw(participant))
    receiver = Web3.to_checksum_address("0x" + 40 * "9")
    before = fresh.web3.eth.get_balance(receiver)
    fresh.send(fresh.registry.functions.claim(receiver), sender=owner)
    assert fresh.web3.eth.get_balance(receiver) - before == 2 * ETHER
    assert fresh.refusal(fresh.registry.functions.claim(receiver), sender=owner)[0] == "NothingToClaim"


def test_receiver_that_calls_back_is_paid_once(fresh):
    claimer = fresh._deploy(fresh.web3, "test/ReentrantClaimer", fresh.registry.address)
    fresh.send(fresh.register_call(spec.keccak256(b"reentrant"), 1, owner=claimer.address), value=ETHER)
    participant = fresh.registry.functions.participantCount().call()
    held = fresh.web3.eth.get_balance(fresh.registry.address)
    fresh.send(claimer.functions.unbond(participant))
    fresh.move_to(fresh.now() + UNBOND_SECONDS)
    fresh.send(fresh.registry.functions.withdraw(participant))
    fresh.send(claimer.functions.claim())
    assert claimer.functions.tried().call()
    assert not claimer.functions.succeeded().call()
    assert fresh.web3.eth.get_balance(claimer.address) == ETHER
    assert fresh.web3.eth.get_balance(fresh.registry.address) == held - ETHER
