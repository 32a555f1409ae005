"""Signed notes and verifier keys: the specification's examples, and everything that is not quite a note."""

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import notes
from ledger.errors import NotCanonical, Oversized, WrongSigner
from ledger.notes import PLAIN, WITNESS, NoteKey, SignedNote, find_signers, parse_note, parse_verifier_key, sign_note

# C2SP signed-note, and the documentation of golang.org/x/mod/sumdb/note.
EXAMPLES = {
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k": (
        "This is an example message.\n\n"
        "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
        "\n"
    ),
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW": (
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ),
}
TEXT = "fedtrail.31337\n3\n\nmore\n"
ANNE, BOB = (NoteKey.from_seed(name, kind, bytes([kind]) * 32) for name, kind in (("anne", PLAIN), ("bob", WITNESS)))


def make_note() -> SignedNote:
    return sign_note(sign_note(SignedNote(text=TEXT, signatures=()), ANNE, at=7), BOB, at=1700000000)


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_specifications_examples_verify(text):
    key, note = parse_verifier_key(text), parse_note(EXAMPLES[text].encode())
    assert str(key) == text
    assert find_signers(note, [key]) == {key: None}


def test_a_note_is_read_as_it_was_written_and_each_signer_is_found():
    note = parse_note(str(make_note()).encode())
    assert note == make_note()
    assert note.text == TEXT
    assert find_signers(note, [BOB.verifier, ANNE.verifier]) == {ANNE.verifier: None, BOB.verifier: 1700000000}
    assert find_signers(note, [BOB.verifier]) == {BOB.verifier: 1700000000}


def test_a_witness_signs_the_time_and_the_text_as_the_specification_says():
    (line,) = sign_note(SignedNote(text=TEXT, signatures=()), BOB, at=1679315147).signatures
    assert int.from_bytes(line.data[:8], "big") == 1679315147
    message = b"cosignature/v1\ntime 1679315147\n" + TEXT.encode()
    Ed25519PublicKey.from_public_bytes(BOB.verifier.public).verify(line.data[8:], message)


def test_signing_again_replaces_the_earlier_signature():
    again = sign_note(make_note(), BOB, at=1800000000)
    assert len(again.signatures) == 2
    assert find_signers(again, [BOB.verifier]) == {BOB.verifier: 1800000000}


def test_signatures_by_nobody_we_know_are_ignored():
    stranger = NoteKey.from_seed("anne", PLAIN, b"\x09" * 32)  # of the same name, but another key
    assert find_signers(make_note(), [stranger.verifier]) == {}


@pytest.mark.parametrize("where", ["text", "time", "signature", "length"])
def test_a_line_that_names_a_known_key_must_verify(where):
    note = make_note()
    line = note.signatures[1]
    data = {
        "text": line.data,
        "time": bytes([line.data[0], *line.data[1:7], line.data[7] ^ 1]) + line.data[8:],
        "signature": line.data[:-1] + bytes([line.data[-1] ^ 1]),
        "length": line.data[8:],
    }[where]
    text = "x" + TEXT if where == "text" else TEXT
    wrong = replace(note, text=text, signatures=(replace(line, data=data),))
    with pytest.raises(WrongSigner, match="FT717"):
        find_signers(wrong, [BOB.verifier])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n\n—", "\n—"),
        lambda text: text.removesuffix("\n"),
        lambda text: text + "\n",
        lambda text: text.replace("— bob", "—  bob"),
        lambda text: text.replace("— bob", "- bob"),
        lambda text: text.replace("— bob", "— b+b"),
        lambda text: text.replace("=\n", "\n"),
        lambda text: text.replace("3", "\x00"),
        lambda text: text[: text.index("—")],
        lambda text: text[: text.index("—")] + 65 * text[text.index("—") :],
        lambda text: "",
    ],
)
def test_what_is_not_quite_a_note_is_refused(change):
    with pytest.raises(NotCanonical):
        parse_note(change(str(make_note())).encode())


def test_a_signature_with_a_time_where_none_belongs_or_beyond_all_time_does_not_verify():
    line = make_note().signatures[0]
    padded = replace(make_note(), signatures=(replace(line, data=bytes(8) + line.data),))
    late = sign_note(SignedNote(text=TEXT, signatures=()), BOB, at=1 << 63)
    for note, key in ((padded, ANNE), (late, BOB)):
        with pytest.raises(WrongSigner):
            find_signers(note, [key.verifier])


def test_a_note_beyond_all_bounds_is_not_even_parsed():
    with pytest.raises(Oversized):
        parse_note(b"x" * (notes.MAX_NOTE_BYTES + 1))


@given(st.binary(max_size=400), st.integers(0, 150), st.integers(0, 40))
def test_bytes_of_strangers_are_a_note_or_not_canonical(noise, start, length):
    good = str(make_note()).encode()
    for data in (noise, good[:start] + noise[:length] + good[start + length :]):
        try:
            note = parse_note(data)
        except NotCanonical:
            continue
        assert str(note).encode() == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        str(ANNE.verifier)[:-1],
        str(ANNE.verifier).replace("anne", "eve"),
        str(ANNE.verifier).replace("anne", "an ne"),
        "anne+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(),
        str(ANNE.verifier) + "\n",
    ],
)
def test_what_is_no_verifier_key_is_refused(text):
    with pytest.raises(NotCanonical):
        parse_verifier_key(text)


def test_a_private_key_does_not_show_itself():
    assert ANNE.seed.hex() not in repr(ANNE)
    with pytest.raises(NotCanonical, match="no name"):
        NoteKey.from_seed("two words", PLAIN, bytes(32))
