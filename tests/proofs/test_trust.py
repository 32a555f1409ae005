"""The trust file: what is read, and that every mistake in it is named with its place."""

import pytest

from ledger.errors import BadConfiguration, WrongSigner
from ledger.notes import WITNESS, NoteKey, SignedNote, sign_note
from ledger.trust import Trust

KEYS = [NoteKey.from_seed(f"witness-{number}", WITNESS, bytes([number]) * 32) for number in (1, 2, 3)]
GOOD = f"""\
[ledger]
chain_id = 31337
contract = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
code_hash = "{"9f" * 32}"

[anchor]
block_hash = {{74 = "0x{"ab" * 32}"}}
witnesses = {{need = 2, keys = ["{KEYS[0].verifier}", "{KEYS[1].verifier}"]}}
"""


def load(tmp_path, text):
    path = tmp_path / "trust.toml"
    path.write_text(text)
    return Trust.load(path)


def test_everything_in_a_trust_file_is_read(tmp_path):
    assert load(tmp_path, GOOD) == Trust(
        chain_id=31337,
        contract=bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3"),
        code_hash=b"\x9f" * 32,
        block_hashes={74: b"\xab" * 32},
        need=2,
        keys=(KEYS[0].verifier, KEYS[1].verifier),
    )


def test_every_part_is_optional(tmp_path):
    assert load(tmp_path, "") == Trust()
    assert load(tmp_path, "[anchor]\nblock_hash = {}\n") == Trust()


def test_a_note_is_witnessed_once_enough_of_the_known_have_signed_it(tmp_path):
    trust, note = load(tmp_path, GOOD), SignedNote(text="text\n", signatures=())
    for key, witnessed in ((KEYS[2], False), (KEYS[0], False), (KEYS[0], False), (KEYS[1], True)):
        note = sign_note(note, key, at=1)
        assert trust.is_witnessed(note) is witnessed
    assert trust.find_witnesses(note) == ["witness-1", "witness-2"]
    assert not Trust().is_witnessed(note)
    with pytest.raises(WrongSigner):
        trust.is_witnessed(SignedNote(text="other\n", signatures=note.signatures))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("chain_id = 31337", "chain_id = -1", "3: 'chain_id' is -1"),
        ("chain_id = 31337", "chain_id = true", "'chain_id' is True"),
        ("chain_id", "chainid", "2:1: unknown key 'chainid'"),
        ('"0x5FbDB', '"0x5F', "'contract' is"),
        ("[ledger]", "[ledgers]", "unknown key 'ledgers'"),
        ('{74 = "0xab', '{"074" = "0xab', "'074' is no block number"),
        ('{74 = "0xab', '{74 = "0x', "'74' is"),
        ("need = 2", "need = 3", "expected 1 to 2"),
        ("need = 2", "need = 0", "expected 1 to 2"),
        ("need = 2, ", "", "'need' is None"),
        ("witness-2+", "witness-9+", "is no verifier key"),
        (str(KEYS[1].verifier), str(KEYS[0].verifier), "is there twice"),
        ("witnesses = {", "witnesses = 3 #", "'witnesses' is 3, expected a table"),
        ("[ledger]", "[ledger", "trust.toml:1"),
    ],
)
def test_every_mistake_is_named_with_its_place(tmp_path, old, new, what):
    assert old in GOOD
    with pytest.raises(BadConfiguration, match="FT202") as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert what.split(": ")[-1] in str(caught.value)
    assert "trust.toml" in str(caught.value)


def test_one_witness_under_two_names_does_not_count_twice(tmp_path):
    twin = NoteKey.from_seed("twin", WITNESS, KEYS[0].seed)
    with pytest.raises(BadConfiguration, match="twice"):
        load(tmp_path, GOOD.replace(str(KEYS[1].verifier), str(twin.verifier)))


def test_a_trust_file_that_is_not_there_is_a_configuration_error(tmp_path):
    with pytest.raises(BadConfiguration, match="No such file"):
        Trust.load(tmp_path / "none.toml")
