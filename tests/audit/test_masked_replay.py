"""Replay of masked rounds: an honest one passes and is proven, and each lie is found, named and proved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from masked_maker import MaskedMaker, make_seed
from round_maker import SIZE, update_values

from ledger import spec
from ledger.audit import replay
from ledger.cli.explanations import explain_round
from ledger.layout import Layout
from ledger.proving import make_proof
from ledger.records import Grade, RoundRecord, Verdict


def findings(record: RoundRecord) -> list[str]:
    return [finding.clause for finding in replay(record).findings]


def test_an_honest_masked_round_passes_and_its_sum_is_that_of_the_plain_updates() -> None:
    record = MaskedMaker().record()
    report = replay(record)
    assert (report.verdict, report.included) == (Verdict.PASS, 4)
    assert report.grade is Grade.ATTESTED  # that client 5 published nothing is the aggregator's word
    total = spec.decode_vector(record.aggregate.data or b"", max_bytes=1 << 20).values()
    assert total == [sum(column) for column in zip(*map(update_values, (2, 3, 8, 9)), strict=True)]
    whole = replay(MaskedMaker(silent=set(), reasons={}).record())
    assert (whole.verdict, whole.grade, whole.included) == (Verdict.PASS, Grade.PROVEN, 5)


def test_an_explanation_says_what_of_a_masked_round_is_proven_and_what_is_not() -> None:
    record = MaskedMaker().record()
    told = " ".join(" ".join(explain_round(record, replay(record))).split())
    assert "without the masks that were revealed, sum to the proposed aggregate" in told
    assert "Exactly those seeds are revealed that the sum needs" in told
    assert "within their clip norm" in told.split("CLAIMED")[1]
    assert "is within the bound" not in told and "number of examples" not in told


def test_a_wrong_sum_is_found_at_its_coordinate_and_proved() -> None:
    record = MaskedMaker(aggregate_lie={13: 1}).record()
    report = replay(record)
    (finding,) = report.findings
    assert (report.verdict, finding.clause, finding.participant) == (Verdict.FAIL, "7", 1)
    assert "coordinate 13" in finding.error.message
    proof = make_proof(record, report)
    assert (proof.function, proof.court, 13 in proof.arguments) == ("proveUnmasking", "unmask_court", True)


def test_a_wrong_sum_under_a_wrong_matrix_is_proved_from_the_updates_themselves() -> None:
    record = MaskedMaker(aggregate_lie={13: 1}).record()
    assert record.proposal is not None
    lied = replace(record, proposal=replace(record.proposal, matrix_root=b"\xbb" * 32))
    assert make_proof(lied, replay(lied)).function == "proveUnmaskingDirect"


@pytest.mark.parametrize("pair", [(2, spec.SELF), (3, 5)], ids=["own", "of-a-pair"])
def test_a_missing_seed_is_found_and_proved(pair: tuple[int, int]) -> None:
    shown = [reveal for reveal in MaskedMaker().needed() if (reveal.owner, reveal.peer) != pair]
    record = MaskedMaker(shown=shown).record()
    (finding,) = replay(record).findings  # the sum follows from the list: one lie, one finding
    assert (finding.clause, finding.participant) == ("11", 1)
    assert f"the seed of {pair} is missing" in finding.error.message
    assert make_proof(record, replay(record)).function == "proveReveal"


@pytest.mark.parametrize(("owner", "peer"), [(5, spec.SELF), (2, 3), (5, 2)], ids=["own-of-a-dropout", "pair", "its"])
def test_a_seed_that_had_to_stay_secret_is_found_and_proved(owner: int, peer: int) -> None:
    maker = MaskedMaker()
    surplus = spec.Reveal(owner=owner, peer=peer, seed=maker.seeds(owner)[peer])
    record = MaskedMaker(shown=[*maker.needed(), surplus]).record()
    (finding,) = replay(record).findings
    assert (finding.clause, "must not be revealed" in finding.error.message) == ("11", True)
    assert make_proof(record, replay(record)).function == "proveReveal"


def test_another_seed_than_the_one_committed_to_is_found_and_proved() -> None:
    shown = [replace(each, seed=make_seed("x")) if each.peer == 5 else each for each in MaskedMaker().needed()]
    record = MaskedMaker(shown=shown).record()
    assert findings(record) == ["11"]
    assert make_proof(record, replay(record)).function == "proveReveal"


def test_a_list_of_seeds_that_nobody_can_read_is_found_and_proved() -> None:
    record = MaskedMaker(spoiled=b"\x00").record()
    assert findings(record) == ["11"]
    assert make_proof(record, replay(record)).function == "proveMalformedReveals"


def test_a_wrong_matrix_of_masked_updates_is_found() -> None:
    record = MaskedMaker().record()
    assert record.proposal is not None
    assert "8" in findings(replace(record, proposal=replace(record.proposal, matrix_root=b"\xbb" * 32)))


@pytest.mark.parametrize("change", ["seed", "value"])
def test_an_update_with_other_seeds_or_values_than_committed_names_its_client(change: str) -> None:
    blob = bytearray(MaskedMaker().blob(3))
    blob[-1 if change == "seed" else 70] ^= 1
    report = replay(MaskedMaker(published={3: bytes(blob)}).record())
    assert [(f.clause, f.error.code, f.participant) for f in report.findings] == [("4", "FT701", 3)]


@pytest.mark.parametrize(
    ("break_", "code"),
    [
        (lambda blob: blob[:-1], "FT710"),
        (lambda blob: blob + bytes(36), "FT722"),
        (lambda blob: blob[:-36] + blob[-72:-36], "FT722"),
        (lambda blob: blob[: 60 + 4 * SIZE], "FT722"),
        (lambda blob: blob + bytes(36 * 40), "FT716"),
        (lambda blob: blob[:2] + b"U" + blob[3:], "FT711"),
        (lambda blob: blob[:2] + b"U" + blob[3 : 60 + 4 * SIZE], "FT712"),
    ],
    ids=["half-a-line", "a-line-more", "a-line-twice", "no-table", "flood", "plain-with-a-table", "plain"],
)
def test_a_masked_update_that_is_malformed_is_excluded_for_its_reason(break_: object, code: str) -> None:
    broken = break_(MaskedMaker().blob(3))  # type: ignore[operator]
    reasons = {5: 801, 3: int(code.removeprefix("FT"))}
    report = replay(MaskedMaker(published={3: broken}, reasons=reasons).record())
    assert (report.verdict, report.included) == (Verdict.PASS, 3)


def test_a_term_of_masking_that_cannot_be_read_is_never_a_pass() -> None:
    layout = Layout(names=("w",), shapes=((SIZE,),), terms=(("masking", "threshold(0)"),))
    report = replay(replace(MaskedMaker().record(), layout=layout))
    assert report.verdict is Verdict.INCOMPLETE
    assert [finding.error.code for finding in report.findings] == ["FT803"]
    good = replace(layout, terms=(("masking", str(spec.Masking(threshold=2, roster=(2, 3, 5, 8, 9)))),))
    assert replay(replace(MaskedMaker().record(), layout=good)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "text",
    [
        *("", "threshold(2)", "threshold(2)+roster()", "threshold(2)+roster(3-2)", "threshold(2)+roster(2,3)"),
        *("threshold(02)+roster(2)", "threshold(2)+roster(2-3) ", "threshold(1001)+roster(2-3)"),
        *("threshold(2)+roster(0-3)", "threshold(2)+roster(1-99999)", "threshold(2)+roster(5,2)"),
    ],
)
def test_terms_of_masking_are_canonical_or_rejected(text: str) -> None:
    with pytest.raises(spec.NotCanonical):
        spec.decode_masking(text)


def test_terms_of_masking_say_who_masks() -> None:
    for roster in ((2,), (2, 3, 4), (1, 3, 5, 6, 7, 900)):
        masking = spec.Masking(threshold=11, roster=roster)
        assert spec.decode_masking(str(masking)) == masking
    assert str(spec.Masking(threshold=11, roster=(2, 3, 4, 9))) == "threshold(11)+roster(2-4,9)"
