"""Reorganisations in every phase, on anvil: what was done is gone, and whoever needs it does it again (trap 8)."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ledger_world import Setup, World, lie, make_key, make_setup
from raw_node import Node

from ledger import devnet as devnets
from ledger import spec
from ledger.chain import Chain, Network, Role, deploy, sending
from ledger.errors import ChainReset, NotMined, Reverted, WrongPhase, WrongSigner
from ledger.history import load_round
from ledger.journal import Journal

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """The same deployment on a node whose blocks can be taken back."""
    folder = tmp_path_factory.mktemp("reorgs")
    journal = Journal(folder / "setup.sqlite")
    with devnets.running(folder, engine="anvil") as node:
        yield make_setup(node.rpc, journal)
    journal.close()


def reorganise(world: World, blocks: int = 1, *, forget: bool = True) -> None:
    """Replace the last blocks by empty ones; everybody's program starts anew unless it is to remember."""
    world.node.call("anvil_reorg", blocks, [])
    if forget:
        world.restart()


def test_defended_a_reorg_of_commitments_lets_the_relayer_send_the_very_same_again(world):
    round_, chain = world.open(), world.chain
    entries = [round_.entry(client) for client in round_.clients]
    named = {"key": "commit", "sender": world.people.relayer}
    first = chain.commit_batch(round_.round_id, entries, **named)
    reorganise(world, forget=False)
    assert chain.get_round(round_.round_id).committed == 0
    again = chain.commit_batch(round_.round_id, entries, **named)
    assert (again.tx, again.block != first.block) == (first.tx, True)
    assert chain.get_round(round_.round_id).committed == 4


def test_defended_a_reorg_of_a_commitment_leaves_its_client_free_to_commit_something_else(world):
    """What it sent was withdrawn with the block; what it signed for a relayer still binds it."""
    round_ = world.open()
    round_.commit_alone(1)
    reorganise(world)
    round_.commit_alone(1, commitment=b"\x77" * 32)
    assert world.chain.has_committed(round_.round_id, 1)


def test_defended_a_reorg_of_a_proposal_opens_the_round_again_and_spoils_the_proofs_against_it(world):
    round_ = lie(world.open().commit())
    old, data_end = round_.column(33), world.chain.get_round(round_.round_id)
    reorganise(world)
    assert (round_.phase, data_end.phase) == (spec.Phase.OPEN, spec.Phase.PROPOSED)
    with pytest.raises(WrongPhase, match="proposed and not yet finalised"):
        round_.prove(old)
    round_.compute().propose()
    with pytest.raises(Reverted, match="ProposalMismatch"):
        round_.prove(old)
    round_.finalise()
    assert world.bill() == {}


def test_defended_a_reorg_that_turns_one_lie_into_another_does_not_save_the_aggregator(world):
    round_ = lie(world.open().commit())
    reorganise(world)
    round_.aggregate[33] += 1
    round_.propose()
    round_.prove(round_.column(33))
    world.send("settle", round_.round_id)
    assert world.bill()["aggregator"] == -40_000


def test_defended_a_reorg_of_a_proof_takes_the_verdict_back_and_the_challenger_sends_it_again(world):
    round_ = lie(world.open().commit())
    named = {"key": "prove", "sender": world.people.challenger}
    proof = round_.column(33)
    first = world.chain.prove(proof, **named)
    reorganise(world, forget=False)
    assert round_.phase is spec.Phase.PROPOSED
    assert not any(world.chain.get_verdict(round_.round_id).challenger)
    assert world.chain.prove(proof, **named).tx == first.tx
    assert round_.phase is spec.Phase.VOIDED


def test_defended_a_reorg_of_a_settlement_takes_the_money_back_and_anybody_settles_again(world):
    round_ = lie(world.open().commit())
    round_.prove(round_.column(33))
    world.send("settle", round_.round_id)
    reorganise(world)
    assert (world.bill(), world.chain.is_settled(round_.round_id)) == ({}, False)
    world.send("settle", round_.round_id, by=world.people.stranger)
    assert world.bill() == {"aggregator": -40_000, "escrow": 20_000, "burnt": 20_000}


def test_defended_a_reorg_of_a_finalisation_takes_the_model_back_and_ends_with_the_same_head(world):
    round_ = world.open().commit().propose()
    round_.finalise()
    before = world.chain.get_task_state(round_.task_id)
    reorganise(world)
    taken_back = world.chain.get_task_state(round_.task_id)
    assert (taken_back.model, taken_back.head) == (round_.task.genesis_model, spec.ZERO_DIGEST)
    round_.finalise()
    assert world.chain.get_task_state(round_.task_id) == before


def test_defended_a_reorg_of_a_finalisation_leaves_a_lie_open_to_proof(world):
    round_ = lie(world.open().commit())
    proof = round_.column(33)
    round_.finalise()
    reorganise(world)
    round_.prove(proof)
    assert round_.phase is spec.Phase.VOIDED


def test_defended_an_auditor_that_waits_for_confirmations_sees_no_round_that_may_vanish(world, tmp_path):
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish())
    journal = Journal(tmp_path / "auditor.sqlite")
    auditor = Chain.connect(replace(world.setup.network, devnet=False, confirmations=3), journal)
    assert load_round(auditor, world.store, round_.round_id).proposal is None
    reorganise(world)
    round_.propose(data_id=round_.publish())
    world.node.call("anvil_mine", 3)
    record = load_round(auditor, world.store, round_.round_id)
    assert auditor.get_block_hash(record.block) == record.block_hash
    journal.close()


def test_defended_a_record_names_its_block_so_that_a_reorg_is_noticed(world):
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish())
    record = round_.record()
    assert world.chain.get_block_hash(record.block) == record.block_hash
    reorganise(world)
    assert world.chain.get_block_hash(record.block) != record.block_hash


def test_defended_a_program_that_connects_again_sends_what_a_reorg_has_dropped(world):
    round_ = world.open()
    round_.relay()
    reorganise(world, forget=False)
    again = Chain.connect(world.setup.network, world.journal)
    assert again.get_round(round_.round_id).committed == 4


def test_known_gap_a_transaction_that_a_reorg_dropped_blocks_its_senders_next_ones(world, monkeypatch):
    """The journal keeps its number. It flips once a running program, too, sends again what is missing."""
    monkeypatch.setattr(sending, "MINED_SECONDS", 0.5)
    round_ = world.open()
    round_.relay([1])
    reorganise(world, forget=False)
    with pytest.raises(NotMined):
        round_.relay([2])
    # It waits in the mempool for the number before it, and no revert of the node's state takes it from there.
    world.node.call("anvil_dropAllTransactions")


def test_defended_an_identity_that_a_reorg_numbered_anew_signs_for_nobody_else(world):
    old, call = world.enrol("client 10"), world.chain.contracts.register
    reorganise(world, 2)
    named = {"role": Role.CLIENT, "owner": b"\x11" * 20, "stake_wei": 10**18}
    receipt = world.send("send", call(**named, signer=make_key("somebody else")), by=world.people.stranger)
    assert receipt.find("Registered").args["id"] == old
    round_ = world.open(clients=(1, 2, 3, old))
    with pytest.raises(WrongSigner, match=f"client {old}"):
        world.send("commit_batch", round_.round_id, [round_.entry(old, signer=make_key("client 10"))])


def test_known_gap_after_a_reorg_a_signed_commitment_fits_the_round_of_another_task_with_the_same_number(world):
    """It names the round and not the task or the base model. It flips once the signature names one of them."""
    tasks = []
    for _ in range(2):
        receipt = world.send("create_task", world.make_task(), by=world.people.governor)
        tasks.append(receipt.find("TaskCreated").args["task_id"])
    base = world.open().base
    meant = world.open_next(tasks[0], base)
    signed = meant.entry(1)
    reorganise(world)
    other = world.open_next(tasks[1], base, by="rival")
    assert (other.round_id, other.task_id) == (meant.round_id, tasks[1])
    world.send("commit_batch", other.round_id, [signed], by=world.people.stranger)
    assert world.chain.has_committed(other.round_id, 1)


def test_defended_a_reorg_of_the_deployment_itself_is_told_before_anything_is_sent(tmp_path):
    journal = Journal(tmp_path / "journal.sqlite")
    with devnets.running(tmp_path, engine="anvil") as node:
        network = Network(name="devnet", rpc=node.rpc, chain_id=node.chain_id, devnet=True)
        network = deploy(network, devnets.funded_account(0), journal).apply(network)
        rpc = Node(node.rpc)
        rpc.call("anvil_rollback", int(rpc.call("eth_blockNumber"), 16) - network.deploy_block + 1)
        with pytest.raises(ChainReset):
            Chain.connect(network, journal)
    journal.close()
