"""Witnesses of a real ledger: they sign what extends the past, and nothing after a rollback or in a split view."""

import os
from dataclasses import replace

import pytest
from ledger_world import World, make_key

from ledger import monitoring, spec, witnessing
from ledger.checkpoints import parse_checkpoint
from ledger.errors import (
    ChainError,
    ConfigurationError,
    KeyExists,
    KeyMissing,
    KeyMisused,
    NotCanonical,
    SplitView,
    UsageError,
    WrongPassword,
    WrongSigner,
)
from ledger.history import to_cid
from ledger.monitoring import OwnActs
from ledger.notekeys import NoteKeystore
from ledger.notes import PLAIN, WITNESS, NoteKey, SignedNote, find_signers, sign_note
from ledger.trust import Trust
from ledger.witnessing import Notebook, read_notes

pytestmark = pytest.mark.chain

LOG, ANNE, BOB = (
    NoteKey.from_seed(name, kind, bytes([number]) * 32)
    for number, (name, kind) in enumerate((("log", PLAIN), ("anne", WITNESS), ("bob", WITNESS)), start=1)
)


@pytest.fixture
def notebook(tmp_path):
    return Notebook(tmp_path / "notebook")


def create(world: World, notebook: Notebook, key=LOG) -> SignedNote:
    return witnessing.create(world.chain, key, notebook, at=1000)


def cosign(world: World, note: SignedNote, notebook: Notebook, key=ANNE) -> SignedNote:
    return witnessing.cosign(world.chain, note, key, notebook, at=2000)


def lie(note: SignedNote, **changes) -> SignedNote:
    """Return another checkpoint, signed by the same log: somebody's other view."""
    checkpoint = replace(parse_checkpoint(note.text), **changes)
    return sign_note(SignedNote(text=str(checkpoint), signatures=()), LOG, at=1000)


def test_a_checkpoint_counts_every_event_and_is_of_the_last_block(world, notebook):
    world.open().commit()
    found = parse_checkpoint(create(world, notebook).text)
    assert (found.size, found.block) == (len(world.chain.events(0)), world.chain.get_confirmed_block())
    assert found.block_hash == world.chain.get_block_hash(found.block)
    assert found.origin == f"fedtrail.31337.0x{world.setup.contracts.ledger.hex()}"


def test_witnesses_cosign_one_after_the_other_and_one_file_gathers_their_signatures(world, notebook, tmp_path):
    note = create(world, notebook)
    for key in (ANNE, BOB, ANNE):
        note = cosign(world, note, notebook, key)
    assert find_signers(note, [each.verifier for each in (LOG, ANNE, BOB)]) == {
        LOG.verifier: None,
        ANNE.verifier: 2000,
        BOB.verifier: 2000,
    }
    assert notebook.list() == [note]
    assert list(read_notes([notebook.path]).values()) == [note]


def test_a_witness_follows_a_ledger_that_grows(world, notebook):
    for _ in range(3):
        world.open(bond_wei=0).commit()
        cosign(world, create(world, notebook), notebook)
    sizes = [parse_checkpoint(note.text).size for note in notebook.list()]
    assert sizes == sorted(set(sizes)) and len(sizes) == 3


@pytest.mark.parametrize("field", ["block_hash", "root", "size"])
def test_a_witness_refuses_another_view_and_names_both(world, notebook, field):
    note = create(world, notebook)
    changes = {"block_hash": b"\x66" * 32, "root": b"\x66" * 32, "size": 3}
    with pytest.raises(SplitView, match="FT704") as caught:
        cosign(world, lie(note, **{field: changes[field]}), notebook)
    true = getattr(parse_checkpoint(note.text), field)
    for value in (changes[field], true):
        assert (value.hex() if isinstance(value, bytes) else str(value)) in str(caught.value)
    assert notebook.get_last("anne") is None


@pytest.mark.parametrize("act", ["create", "cosign"])
def test_a_witness_signs_nothing_more_after_a_reorg_of_what_it_signed(world, notebook, act):
    world.open().commit()
    note = cosign(world, create(world, notebook), notebook)
    lost = parse_checkpoint(note.text)
    world.node.call("anvil_reorg", 1, [])
    with pytest.raises(SplitView) as caught:
        create(world, notebook, ANNE) if act == "create" else cosign(world, note, notebook)
    assert lost.block_hash.hex() in str(caught.value)
    assert world.chain.get_block_hash(lost.block).hex() in str(caught.value)


def test_a_node_that_was_rolled_back_is_no_excuse_for_signing_a_shorter_ledger(world, notebook):
    cosign(world, create(world, notebook), notebook)
    snapshot = world.node.call("evm_snapshot")
    world.open().commit()
    cosign(world, create(world, notebook), notebook)
    world.node.call("evm_revert", snapshot)
    with pytest.raises(SplitView, match="not there"):
        create(world, notebook, ANNE)


def test_a_witness_that_changed_its_mind_about_the_events_is_noticed(world, notebook):
    """The block is the same, the events are not: a node that leaves logs out."""
    note = create(world, notebook)
    wrong = replace(parse_checkpoint(note.text), size=1, root=b"\x01" * 32)
    notebook.set_last("anne", wrong)
    with pytest.raises(SplitView, match="number of events"):
        cosign(world, note, notebook)


def test_a_witness_does_not_go_back_and_does_not_sign_for_another_ledger(world, notebook):
    early = create(world, notebook)
    world.open()
    cosign(world, create(world, notebook), notebook)
    with pytest.raises(UsageError, match="does not go back"):
        cosign(world, early, notebook)
    with pytest.raises(UsageError, match=r"this project of fedtrail\.31337"):
        cosign(world, lie(early, chain_id=1), notebook)


def test_a_checkpoint_beyond_ones_own_node_has_to_wait(world, notebook):
    note = create(world, notebook)
    ahead = lie(note, block=parse_checkpoint(note.text).block + 5)
    with pytest.raises(ChainError, match="has confirmed block"):
        cosign(world, ahead, notebook)


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    (tmp_path / "a.note").write_text(str(sign_note(SignedNote(text="hello\n", signatures=()), LOG, at=1)))
    with pytest.raises(NotCanonical, match="no checkpoint"):
        read_notes([tmp_path])
    with pytest.raises(UsageError, match="no file"):
        read_notes([tmp_path / "none.note"])


# ------------------------------------------------------------------------------------------------------------- monitor


def test_a_monitor_sees_two_witnesses_that_were_shown_different_blocks(world, notebook):
    note = create(world, notebook)
    other = lie(note, block_hash=b"\x66" * 32)
    found = list(monitoring.compare_views(world.chain, {"anne's": note, "bob's": other}))
    assert [error.code for error in found] == ["FT704", "FT704"]
    assert found[0].detail["who"] == "anne's" and found[0].detail["against"] == "bob's"
    assert found[1].detail["against"] == "this node"
    assert list(monitoring.compare_views(world.chain, {"anne's": note, "again": note})) == []


def test_a_monitor_sees_a_checkpoint_whose_events_are_not_those_of_its_node(world, notebook):
    note = create(world, notebook)
    world.open()
    (found,) = monitoring.compare_views(world.chain, {"anne's": lie(note, root=b"\x66" * 32)})
    assert found.code == "FT704" and "root" in found.message


def test_only_witnesses_of_the_trust_file_are_heard_and_forged_signatures_are_told(world, notebook):
    note = cosign(world, create(world, notebook), notebook)
    trust = Trust(need=1, keys=(ANNE.verifier,))
    forged = replace(note, text=lie(note, size=3).text)
    taken, problems = monitoring.judge_signatures(
        {"good": note, "stranger's": lie(note, size=3), "forged": forged}, trust
    )
    assert list(taken) == ["good"]
    assert [type(problem) for problem in problems] == [WrongSigner]


def test_a_monitor_remembers_what_its_own_node_said(world, notebook):
    world.open().commit()
    monitoring.watch_own_node(world.chain, notebook)
    monitoring.watch_own_node(world.chain, notebook)
    world.node.call("anvil_reorg", 1, [])
    with pytest.raises(SplitView):
        monitoring.watch_own_node(world.chain, notebook)


def know(world: World, *, commitments=(), cids=()) -> OwnActs:
    signers = frozenset(bytes.fromhex(key.address[2:]) for key in world.clients.values())
    return OwnActs(commitments=frozenset(commitments), cids=frozenset(map(str, cids)), signers=signers)


def find_misuse(world: World, client: int, acts: OwnActs):
    return list(monitoring.find_misuse(world.chain, world.store, client, acts, name="c1"))


def test_an_encryption_key_that_its_participant_did_not_announce_raises_the_alarm(world):
    client, key = next(iter(world.clients)), b"\x05" * 32
    world.send("announce_key", client, key, by=world.clients[client])
    (alarm,) = find_misuse(world, client, know(world))
    assert alarm.code == "FT723" and key.hex() in str(alarm)
    assert find_misuse(world, client, replace(know(world), encryption_keys=frozenset({key}))) == []


@pytest.mark.parametrize("mode", [spec.CommitMode.VERIFIED, spec.CommitMode.ACCUMULATED, spec.CommitMode.ROOT_ONLY])
def test_a_client_hears_of_a_commitment_that_it_did_not_make_in_every_mode(world, mode):
    round_ = world.open(mode=mode).commit()
    client = round_.clients[0]
    assert find_misuse(world, client, know(world, commitments=[round_.commitment(client)])) == []
    (alarm,) = find_misuse(world, client, know(world, commitments=[round_.commitment(round_.clients[1])]))
    assert isinstance(alarm, KeyMisused) and alarm.code == "FT723"
    assert round_.commitment(client).hex() in alarm.message and f"round {round_.round_id}" in alarm.message


def test_a_client_hears_of_a_publication_that_it_did_not_sign(world):
    round_ = world.open().commit().compute()
    round_.propose(data_id=round_.publish())
    client, manifest = round_.clients[0], spec.decode_manifest(round_.record().manifest.data)
    cid = to_cid(next(entry.content for entry in manifest.entries if entry.client == client))
    acts = know(world, commitments=[round_.commitment(client)], cids=[cid])
    assert find_misuse(world, client, acts) == []
    (alarm,) = find_misuse(world, client, replace(acts, cids=frozenset()))
    assert "signed that its update" in alarm.message and str(cid) in alarm.message


def test_a_list_that_nobody_can_read_is_missing_and_accuses_nobody(world):
    round_ = world.open(mode=spec.CommitMode.ROOT_ONLY)
    call = world.chain.contracts.to_ledger("commitRoot", round_.round_id, b"\x01" * 32, 4, os.urandom(32))
    world.send("send", call, by=world.people.aggregator)
    (problem,) = find_misuse(world, round_.clients[0], know(world))
    assert problem.exit_status == 8


def test_a_client_hears_of_a_key_that_is_not_its_own(world):
    client = next(iter(world.clients))
    call = world.chain.contracts.rotate_key(participant=client, signer=make_key("thief"))
    world.send("send", call, by=world.people.owner)
    (alarm,) = find_misuse(world, client, know(world))
    assert "rotated its key" in alarm.message


# ---------------------------------------------------------------------------------------------------------------- keys


def test_keys_of_witnesses_are_kept_encrypted_and_opened_by_their_password_only(tmp_path):
    store = NoteKeystore(tmp_path / "notes")
    verifier = store.new("anne", WITNESS, "secret")
    key = store.load("anne", "secret")
    assert key.verifier == store.get_verifier("anne") == verifier
    assert key.seed.hex() not in (tmp_path / "notes" / "anne.json").read_text()
    assert (tmp_path / "notes" / "anne.json").stat().st_mode & 0o777 == 0o600
    assert store.names() == ["anne"] and list((tmp_path / "notes").iterdir()) == [tmp_path / "notes" / "anne.json"]
    with pytest.raises(WrongPassword):
        store.load("anne", "other")
    with pytest.raises(KeyExists):
        store.new("anne", WITNESS, "secret")
    with pytest.raises(KeyMissing):
        store.load("bob", "secret")
    with pytest.raises(UsageError):
        store.new("../anne", WITNESS, "secret")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"verifier": "x"}'])
def test_a_file_that_is_no_witnesss_key_is_a_configuration_error(tmp_path, text):
    (tmp_path / "anne.json").write_text(text)
    with pytest.raises(ConfigurationError, match="no file of a key"):
        NoteKeystore(tmp_path).get_verifier("anne")


def test_a_key_file_whose_public_half_was_swapped_signs_nothing(tmp_path):
    store = NoteKeystore(tmp_path)
    one, other = store.new("anne", WITNESS, "devnet"), store.new("bob", WITNESS, "devnet")
    file = tmp_path / "anne.json"
    file.write_text(file.read_text().replace(str(one), str(replace(other, name="anne"))))
    with pytest.raises(ConfigurationError):
        store.load("anne", "devnet")
