"""Updates that only their audience can read: what their bytes are, and that nothing but those bytes is taken."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from ledger import sealed_updates, spec
from ledger.sealed_updates import LABEL, UnusableKey, open_update, seal_update
from ledger.spec.audience import (
    MAX_READERS,
    SEALED_ALLOWANCE_BYTES,
    Audience,
    Envelope,
    Reader,
    compute_sealed_bytes,
    decode_audience,
    decode_sealed,
    encode_sealed_header,
    pad,
)
from ledger.spec.errors import SealBroken

DOMAIN, SEED, UPDATE = bytes(range(32)), bytes(range(100, 132)), bytes(range(200)) * 3
KEYS = [X25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5)]
HEADER_BYTES, STANZA_BYTES = 50, 88


def make_envelope(*, round_id: int = 7, client: int = 2, domain: bytes = DOMAIN, epoch: int = 0) -> Envelope:
    """Author 2, aggregator 1, attestor 3, auditor 4; updates of at most 700 bytes."""
    readers = tuple(
        Reader(participant=number, epoch=epoch, key=key.public_key().public_bytes_raw())
        for number, key in enumerate(KEYS, start=1)
    )
    return Envelope(domain_separator=domain, round_id=round_id, client=client, readers=readers, max_bytes=700)


ENVELOPE = make_envelope()
SEALED = seal_update(UPDATE, ENVELOPE, SEED)


def code_of(blob: bytes, envelope: Envelope = ENVELOPE, key: X25519PrivateKey = KEYS[3]) -> str:
    with pytest.raises(spec.SpecError) as caught:
        open_update(blob, envelope, key)
    return caught.value.code


def test_every_reader_opens_an_update_with_its_own_key() -> None:
    assert [open_update(SEALED, ENVELOPE, key) for key in KEYS] == [UPDATE] * 4


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    assert seal_update(UPDATE, ENVELOPE, SEED) == SEALED
    assert seal_update(UPDATE, ENVELOPE, bytes(32)) != SEALED


def test_a_stanza_is_hpke_as_another_library_reads_it() -> None:
    stanza, reader = decode_sealed(SEALED, ENVELOPE).stanzas[2], ENVELOPE.readers[2]
    info = LABEL + b"seed" + encode_sealed_header(ENVELOPE) + reader.participant.to_bytes(4, "big") + bytes(4)
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    assert suite.decrypt(stanza.encapsulation + stanza.wrapped_seed, KEYS[2], info) == SEED


def test_updates_of_all_lengths_become_as_long_as_each_other() -> None:
    lengths = {len(seal_update(bytes(size), ENVELOPE, SEED)) for size in (0, 1, 699, 700)}
    assert lengths == {len(SEALED)} == {compute_sealed_bytes(700, 4)}
    with pytest.raises(spec.WrongLength):
        seal_update(bytes(701), ENVELOPE, SEED)


def test_the_most_readers_fit_into_what_a_fetcher_allows() -> None:
    assert compute_sealed_bytes(700, MAX_READERS) + spec.TRAILING_ALLOWANCE_BYTES <= 700 + SEALED_ALLOWANCE_BYTES


def test_defended_every_changed_bit_is_refused_by_every_reader() -> None:
    """Those of other readers' stanzas too: all readers agree on what is sealed as it should be."""
    for bit in range(8 * len(SEALED)):
        changed = bytearray(SEALED)
        changed[bit // 8] ^= 1 << bit % 8
        code_of(bytes(changed), key=KEYS[bit % 4])


def test_defended_a_swapped_ciphertext_is_refused() -> None:
    other = seal_update(bytes(600), ENVELOPE, bytes(32))
    body = HEADER_BYTES + 4 * STANZA_BYTES
    assert code_of(SEALED[:body] + other[body:]) == "FT741"


def test_defended_a_swapped_stanza_is_refused_by_all_readers() -> None:
    """Readers whose own stanzas are untouched refuse it, too."""
    other = seal_update(UPDATE, ENVELOPE, bytes(32))
    place = slice(HEADER_BYTES, HEADER_BYTES + STANZA_BYTES)
    changed = SEALED[: place.start] + other[place] + SEALED[place.stop :]
    assert {code_of(changed, key=key) for key in KEYS} == {"FT741"}


def test_defended_stanzas_in_another_order_are_refused() -> None:
    first, second = HEADER_BYTES, HEADER_BYTES + STANZA_BYTES
    end = second + STANZA_BYTES
    assert code_of(SEALED[:first] + SEALED[second:end] + SEALED[first:second] + SEALED[end:]) == "FT741"


def test_defended_an_update_of_another_round_chain_client_or_key_is_refused() -> None:
    assert code_of(SEALED, make_envelope(round_id=8)) == "FT718"
    assert code_of(SEALED, make_envelope(domain=bytes(32))) == "FT719"
    assert code_of(SEALED, make_envelope(client=3)) == "FT720"
    assert code_of(SEALED, make_envelope(epoch=1)) == "FT741"


def test_defended_a_header_of_this_round_does_not_open_an_update_of_another() -> None:
    before = seal_update(UPDATE, make_envelope(round_id=6), SEED)
    assert code_of(SEALED[:HEADER_BYTES] + before[HEADER_BYTES:]) == "FT741"


def test_defended_truncated_longer_and_plain_updates_are_refused() -> None:
    assert code_of(SEALED[:-1]) == code_of(SEALED[:40]) == "FT710"
    assert code_of(SEALED + b"\0") == "FT711"
    assert code_of(UPDATE) == "FT712"


def test_defended_wrong_padding_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an author who pads with something else: all else is right."""
    with monkeypatch.context() as patch:
        patch.setattr(
            "ledger.sealed_updates.pad", lambda blob, size: len(blob).to_bytes(4, "big") + blob.ljust(size, b"x")
        )
        padded_otherwise = seal_update(UPDATE, ENVELOPE, SEED)
    assert len(padded_otherwise) == len(SEALED)
    assert code_of(padded_otherwise) == "FT741"


def test_defended_an_author_cannot_show_two_readers_different_updates() -> None:
    """Two readers' stanzas hold one seed, the other two another, and the ciphertext is right for the first seed."""
    other = seal_update(UPDATE, ENVELOPE, bytes(32))
    header, end = encode_sealed_header(ENVELOPE), HEADER_BYTES + 4 * STANZA_BYTES
    middle = HEADER_BYTES + 2 * STANZA_BYTES
    stanzas = SEALED[HEADER_BYTES:middle] + other[middle:end]
    key = ChaCha20Poly1305(sealed_updates._derive(SEED, b"content", header))
    blob = header + stanzas + key.encrypt(bytes(12), pad(UPDATE, 700), header + stanzas)
    # Who does not seal again would take it: stanza and ciphertext of the first two readers open.
    assert key.decrypt(bytes(12), blob[end:], blob[:end]) == pad(UPDATE, 700)
    assert blob[:middle] == SEALED[:middle]
    assert {code_of(blob, key=each) for each in KEYS} == {"FT741"}


def test_an_update_to_other_readers_is_refused_before_any_key_is_used() -> None:
    fewer = Envelope(
        domain_separator=DOMAIN, round_id=7, client=2, readers=ENVELOPE.readers[:3], max_bytes=ENVELOPE.max_bytes
    )
    with pytest.raises(SealBroken, match="audience"):
        decode_sealed(seal_update(UPDATE, fewer, SEED), ENVELOPE)


@pytest.mark.parametrize("key", [b"", bytes(32), bytes([1]) + bytes(31)])
def test_nothing_is_sealed_to_a_key_that_is_none(key: bytes) -> None:
    readers = (ENVELOPE.readers[0], Reader(participant=9, epoch=0, key=key))
    with pytest.raises(UnusableKey) as caught:
        seal_update(
            UPDATE, Envelope(domain_separator=DOMAIN, round_id=7, client=2, readers=readers, max_bytes=700), SEED
        )
    assert caught.value.participant == 9


@given(st.binary(max_size=700))
def test_what_is_sealed_comes_back(update: bytes) -> None:
    assert open_update(seal_update(update, ENVELOPE, SEED), ENVELOPE, KEYS[0]) == update


@given(st.sets(st.integers(1, 10**9), max_size=40))
def test_the_term_reads_back_as_it_was_written(numbers: set[int]) -> None:
    attestors, auditors = sorted(numbers)[::2], sorted(numbers)[1::2]
    audience = Audience(attestors=tuple(attestors), auditors=tuple(auditors))
    if len(str(audience)) < 400:
        assert decode_audience(str(audience)) == audience


@pytest.mark.parametrize(
    "text",
    [
        "",
        "auditors(3)",
        "aggregator+auditors()",
        "aggregator+auditors(4)+attestors(3)",
        "aggregator+auditors(3,4)",
        "aggregator+auditors(4,3)",
        "aggregator+auditors(03)",
        "aggregator+attestors(3)+auditors(3)",
        "aggregator+auditors(1-63)",
        "aggregator+clients(3)",
        "aggregator ",
    ],
)
def test_other_terms_are_refused(text: str) -> None:
    with pytest.raises(spec.NotCanonical):
        decode_audience(text)


def test_the_readers_of_an_update_are_its_author_and_who_the_term_names() -> None:
    audience = decode_audience("aggregator+attestors(5-6)+auditors(9)")
    assert audience.list_readers(aggregator=1, client=3) == (1, 3, 5, 6, 9)
    assert [audience.name_role(number, aggregator=1) for number in (1, 3, 6, 9)] == [
        "aggregator",
        "client",
        "attestor",
        "auditor",
    ]
