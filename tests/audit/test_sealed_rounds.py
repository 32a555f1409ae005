"""Replay of rounds whose updates are sealed to an audience: with a reader's key, and without."""

from dataclasses import replace

import pytest
from round_maker import DOMAIN, LAYOUT, RoundMaker, make_task

from ledger import spec
from ledger.audit import replay
from ledger.readers import PrivateKeys, open_fetched
from ledger.records import NOTHING, Fetched, Grade, RoundRecord, Verdict
from ledger.sealed_updates import seal_update
from ledger.spec.audience import Audience, Reader, Readership
from ledger.watching.leaves import list_wanted

CLIENTS, AGGREGATOR, AUDITOR = (2, 3, 5, 8, 9), 1, 12
TERM = Audience(auditors=(AUDITOR,))


def private_key(participant: int) -> bytes:
    return participant.to_bytes(32, "big")


def public_key(participant: int) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(private_key(participant)).public_key().public_bytes_raw()


READERSHIP = Readership(
    audience=TERM,
    aggregator=AGGREGATOR,
    keys={n: Reader(participant=n, epoch=0, key=public_key(n)) for n in (AGGREGATOR, AUDITOR, *CLIENTS)},
    domain_separator=DOMAIN,
    round_id=4,
    max_bytes=spec.compute_max_bytes(make_task().size),
)
STRANGER = PrivateKeys([bytes([77]) * 32])


def seal(client: int, blob: bytes, readership: Readership = READERSHIP) -> bytes:
    return seal_update(blob, readership.make_envelope(client), bytes([client]) * 32)


def make_round(published: dict[int, bytes] | None = None, reasons: dict[int, int] | None = None) -> RoundRecord:
    """Return the record of a sealed round as it is stored. Args: published: by client, instead of what it should."""
    maker = RoundMaker(clients=CLIENTS, reasons=reasons or {})
    maker.published = {c: seal(c, maker.blob(c)) for c in CLIENTS} | (published or {})
    layout = replace(LAYOUT, terms=(("audience", str(TERM)),))
    return replace(maker.record(), layout=layout, readership=READERSHIP)


def read_by(record: RoundRecord, keys: PrivateKeys) -> RoundRecord:
    """Return what `history.load_round` makes of the record where these keys are at hand."""
    opened: dict[int, Fetched] = {}
    for client, fetched in record.updates.items():
        opened[client] = open_fetched(fetched, client, record.readership, keys)
    return replace(record, updates=opened)


def findings(record: RoundRecord) -> list[tuple[str, str, int | None]]:
    return [(f.clause, f.error.code, f.participant) for f in replay(record).findings]


@pytest.mark.parametrize("reader", [AGGREGATOR, AUDITOR])
def test_every_reader_replays_a_sealed_round(reader: int) -> None:
    report = replay(read_by(make_round(), PrivateKeys([private_key(reader)])))
    assert (report.verdict, report.grade, report.included) == (Verdict.PASS, Grade.PROVEN, 5)


def test_without_a_reader_s_key_a_round_is_incomplete_and_says_whose_key_opens_it() -> None:
    report = replay(read_by(make_round(), STRANGER))
    assert (report.verdict, report.grade) == (Verdict.INCOMPLETE, Grade.MISSING)
    assert [(f.clause, f.error.code, f.participant) for f in report.findings] == [("4", "FT804", c) for c in CLIENTS]
    assert report.findings[0].error.hint == "replay with the encryption key of aggregator 1, auditor 12"


def test_nobody_pays_for_leaves_of_updates_that_are_only_closed_to_it() -> None:
    """A demand would show them on the chain, to everybody."""
    record = make_round()
    assert list_wanted(read_by(record, STRANGER)) == []
    gone = replace(record, updates={**record.updates, 5: NOTHING})
    assert [wanted.client for wanted in list_wanted(read_by(gone, STRANGER))] == [5]


def test_a_client_opens_its_own_update_and_no_other() -> None:
    record = read_by(make_round(), PrivateKeys([private_key(5)]))
    assert [client for client, each in record.updates.items() if each.data is not None] == [5]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]), 741, id="one-bit"),
        pytest.param(lambda blob: blob[:-1], 710, id="truncated"),
        pytest.param(lambda blob: blob + b"!", 711, id="longer"),
        pytest.param(lambda blob: RoundMaker().blob(5), 712, id="in-the-open"),
        pytest.param(lambda blob: seal(5, RoundMaker().blob(5), replace(READERSHIP, round_id=3)), 718, id="replayed"),
        pytest.param(lambda blob: seal(3, RoundMaker().blob(5)), 720, id="another-author-s"),
        pytest.param(lambda blob: seal(5, RoundMaker().blob(5)[:-4]), 710, id="sealed-but-broken-inside"),
        pytest.param(lambda blob: seal(5, RoundMaker().blob(5, [1001] + [0] * 19)), 715, id="sealed-but-out-of-range"),
    ],
)
def test_an_update_that_is_not_sealed_right_is_excluded_for_its_reason(change, reason: int) -> None:  # type: ignore[no-untyped-def]
    blob = change(seal(5, RoundMaker().blob(5)))
    auditor = PrivateKeys([private_key(AUDITOR)])
    assert replay(read_by(make_round({5: blob}, {5: reason}), auditor)).verdict is Verdict.PASS
    assert findings(read_by(make_round({5: blob}, {5: 716}), auditor)) == [("5", "FT706", AGGREGATOR)]
    assert findings(read_by(make_round({5: blob}), auditor))[0] == ("4", "FT706", AGGREGATOR)


def test_what_is_no_sealed_update_is_evidence_without_any_key_too() -> None:
    record = read_by(make_round({5: RoundMaker().blob(5)}), STRANGER)
    assert ("4", "FT706", AGGREGATOR) in findings(record)


def test_an_exclusion_that_only_readers_can_judge_accuses_nobody_without_a_key() -> None:
    report = replay(read_by(make_round(reasons={5: 741}), STRANGER))
    assert report.verdict is Verdict.INCOMPLETE
    assert findings(read_by(make_round(reasons={5: 741}), PrivateKeys([private_key(AUDITOR)]))) == [
        ("5", "FT706", AGGREGATOR)
    ]


def test_a_reader_that_had_no_key_leaves_nothing_that_could_be_sealed() -> None:
    keys = {number: key for number, key in READERSHIP.keys.items() if number != AUDITOR}
    record = replace(make_round(), readership=replace(READERSHIP, keys=keys))
    assert {f[1] for f in findings(read_by(record, PrivateKeys([private_key(AGGREGATOR)])))} == {"FT706"}


def test_a_replay_that_does_not_know_the_term_accuses_nobody() -> None:
    """What a version before this one, or a verifier without encryption, makes of such a round."""
    record = make_round(reasons={5: 741})
    strange = replace(LAYOUT, terms=(("audience", "everybody"),))
    assert findings(replace(record, layout=strange, readership=None)) == [("12", "FT803", None)]


def test_masked_updates_are_not_sealed() -> None:
    masked = make_task(rule=spec.Rule.SUM32, rule_param=2)
    record = replace(make_round(), task=masked, readership=None)
    assert ("12", "FT803", None) in findings(record)
