"""What a challenger decides, from values alone: tickets before proofs, contests in time, and nothing for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import spec
from ledger.chain.views import ESCROW_SECONDS
from ledger.watching import Choice, Standing, Step, Ticket, decide

ME, OTHER, NOBODY = b"\x0a" * 20, b"\x0b" * 20, bytes(20)
PROOF, OTHER_PROOF = b"\x01" * 32, b"\x02" * 32
NOW = 1_000_000


def make_ticket(proof_hash: bytes = PROOF, bought_at: int = NOW - 100) -> Ticket:
    return Ticket(proof_hash=proof_hash, salt=b"\x03" * 32, bought_at=bought_at)


PROPOSED = Standing(phase=spec.Phase.PROPOSED, challenger=NOBODY, proven_at=0, proof_tag=0, claimed_by=0, now=NOW)
VOIDED = replace(
    PROPOSED,
    phase=spec.Phase.VOIDED,
    challenger=OTHER,
    proven_at=NOW - 50,
    proof_tag=make_ticket().proof_tag,
)


def test_a_ticket_comes_before_the_proof_and_the_proof_right_after() -> None:
    assert decide(PROPOSED, ME, [], PROOF).step is Step.BUY_TICKET
    drawn = make_ticket(bought_at=0)
    assert decide(PROPOSED, ME, [drawn], PROOF).step is Step.BUY_TICKET
    assert decide(PROPOSED, ME, [make_ticket()], PROOF) == Choice(step=Step.PROVE, ticket=make_ticket())


def test_a_ticket_for_another_proof_does_not_protect_this_one() -> None:
    assert decide(PROPOSED, ME, [make_ticket(OTHER_PROOF)], PROOF).step is Step.BUY_TICKET


def test_without_a_proof_nothing_is_done() -> None:
    assert decide(PROPOSED, ME, [make_ticket()], None).step is Step.NOTHING


@pytest.mark.parametrize("phase", [spec.Phase.OPEN, spec.Phase.FINALISED, spec.Phase.EXPIRED, spec.Phase.ABANDONED])
def test_a_round_that_is_no_proposal_is_left_alone(phase: spec.Phase) -> None:
    assert decide(replace(PROPOSED, phase=phase), ME, [make_ticket()], PROOF).step is Step.NOTHING


def test_our_reward_is_claimed_when_the_hour_is_over_and_not_a_second_before() -> None:
    ours = replace(VOIDED, challenger=ME)
    last = ours.proven_at + ESCROW_SECONDS
    assert decide(replace(ours, now=last), ME, [], None).step is Step.WAIT
    assert decide(replace(ours, now=last + 1), ME, [], None).step is Step.CLAIM


def test_a_copier_is_contested_by_a_ticket_that_is_older_than_its_proof() -> None:
    assert decide(VOIDED, ME, [make_ticket()], None) == Choice(step=Step.CONTEST, ticket=make_ticket())


@pytest.mark.parametrize(
    "ticket",
    [
        make_ticket(OTHER_PROOF),
        make_ticket(bought_at=VOIDED.proven_at),
        make_ticket(bought_at=0),
    ],
    ids=["for another proof", "of the very second of the proof", "never bought"],
)
def test_no_other_ticket_contests(ticket: Ticket) -> None:
    assert decide(VOIDED, ME, [ticket], None).step is Step.NOTHING


def test_of_two_tickets_the_older_one_wins_for_good() -> None:
    contested = replace(VOIDED, claimed_by=NOW - 200)
    assert decide(contested, ME, [make_ticket(bought_at=NOW - 200)], None).step is Step.NOTHING
    assert decide(contested, ME, [make_ticket(bought_at=NOW - 201)], None).step is Step.CONTEST


def test_a_contest_is_too_late_after_the_hour() -> None:
    last = VOIDED.escrow_until
    assert decide(replace(VOIDED, now=last), ME, [make_ticket()], None).step is Step.CONTEST
    assert decide(replace(VOIDED, now=last + 1), ME, [make_ticket()], None).step is Step.NOTHING


def test_what_is_paid_is_done() -> None:
    assert decide(replace(VOIDED, challenger=NOBODY), ME, [make_ticket()], PROOF).step is Step.NOTHING
