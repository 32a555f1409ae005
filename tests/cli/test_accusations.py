"""Faults that no replay finds, proved from the command line: `fedtrail dispute open --kind`, on a real node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Cli
from stepped_round import SteppedRound

from ledger import availability, signing, spec
from ledger.chain import ETHER, Chain
from ledger.project import Project
from ledger.statements import (
    Signed,
    SignedCommitment,
    Statement,
    decode_signed,
    encode_commitment,
    encode_signed,
    write_file,
)
from ledger.store import open_store

pytestmark = pytest.mark.chain

STAKE = 20 * ETHER


def accuse(cli: Cli, number: int, kind: str, *arguments: object) -> Any:
    answer = cli("dispute", "open", number, "--kind", kind, *arguments, "--format", "json")
    assert answer.status == 0, answer.err
    return answer.json["data"]


def refuse(cli: Cli, number: int, kind: str, *arguments: object) -> str:
    answer = cli("dispute", "open", number, "--kind", kind, *arguments)
    assert answer.status != 0
    return answer.err


def get_stake(chain: Chain, participant: int) -> int:
    return chain.get_participant(participant).stake_wei


@pytest.fixture
def made(in_served: Project, chain: Chain) -> Iterator[SteppedRound]:
    """An open round with a board, three clients and three attestors, who get back afterwards what they lost."""
    made = SteppedRound(in_served, chain, str(time.time_ns()))
    yield made
    for name, participant in made.ids.items():
        lost = STAKE - get_stake(chain, participant)
        if lost > 0:
            chain.deposit(participant, lost, key=f"{made.name}/{name}", sender=made.operator)


# -------------------------------------------------------------------------------------------------------------- clients


def test_a_client_beyond_the_bound_pays_a_fifth_and_the_challenger_is_paid(
    cli: Cli, chain: Chain, in_served: Project, made: SteppedRound
) -> None:
    made = SteppedRound(in_served, chain, f"{made.name}-boardless", has_board=False)
    made.values["b2"][5] = made.task.bound + 1
    before = get_stake(chain, made.ids["b2"])
    made.commit()
    made.publish("b1", "b2", "b3")
    made.end_data_phase()
    made.propose()
    assert "beyond the bound" in refuse(cli, made.round_id, "out-of-bound", "--client", "b1")
    told = accuse(cli, made.round_id, "out-of-bound")
    assert (told["proof"], told["coordinate"], told["phase"]) == ("proveClipViolation", 5, "unchanged")
    assert told["slashed_participant"] == str(made.ids["b2"])
    assert get_stake(chain, made.ids["b2"]) == before * 4 // 5
    paid = cli("dispute", "resolve", made.round_id, "--wait", "--format", "json").json["data"]
    assert (paid["slashed_participant"], paid["to_challenger_wei"]) == (str(made.ids["b2"]), str(before // 5 * 2 // 5))
    assert paid["paid_to"]


def sign(made: SteppedRound, who: str, commitment: bytes, folder: Path) -> Path:
    """Write the file of a commitment that a client signed."""
    named: dict[str, Any] = {"round_id": made.round_id, "client": made.ids[who], "commitment": commitment}
    digest = spec.compute_commitment_digest(domain_separator=made.chain.domain_separator, **named)
    signed = SignedCommitment(**named, signature=signing.sign_digest(made.load(who), digest))
    path = folder / f"{who}-{commitment.hex()[:8]}.json"
    write_file(path, encode_commitment(signed))
    return path


def test_a_client_that_signs_two_commitments_loses_its_stake(
    cli: Cli, chain: Chain, made: SteppedRound, tmp_path: Path
) -> None:
    first, second = (sign(made, "b3", bytes([at]) * 32, tmp_path) for at in (7, 6))
    other = sign(made, "b1", b"\x08" * 32, tmp_path)
    assert "two commitments" in refuse(cli, made.round_id, "equivocation", "--evidence", first)
    assert "of 2 clients" in refuse(cli, made.round_id, "equivocation", "--evidence", first, "--evidence", other)
    told = accuse(cli, made.round_id, "equivocation", "--evidence", first, "--evidence", second)
    assert (told["proof"], told["slashed_participant"]) == ("proveEquivocation", str(made.ids["b3"]))
    assert get_stake(chain, made.ids["b3"]) == 0


# ------------------------------------------------------------------------------------------------------------ attestors


def attest(cli: Cli, *names: str) -> None:
    for name in names:
        assert cli("attest", "--attestor", name, "--once").status == 0


def find_statement(project: Project, made: SteppedRound, who: str) -> Path:
    folder = project.state_dir / "statements" / made.chain.fingerprint / str(made.round_id)
    return folder / f"{made.ids[who]}.json"


def contradict(made: SteppedRound, said: Path, who: str, folder: Path) -> Path:
    """Write the file of another statement of an attestor than the one that it made."""
    statement = decode_signed(said.read_bytes()).statement
    other = Statement(segments_hash=statement.segments_hash, excluded=spec.encode_exclusions([(made.ids["b1"], 801)]))
    digest = other.compute_digest(made.chain.board_domain_separator, made.round_id)
    signed = Signed(attestor=made.ids[who], statement=other, signature=signing.sign_digest(made.load(who), digest))
    write_file(folder / f"{who}.json", encode_signed(signed))
    return folder / f"{who}.json"


def test_an_attestor_that_makes_two_statements_loses_its_stake(
    cli: Cli, chain: Chain, in_served: Project, made: SteppedRound, tmp_path: Path
) -> None:
    made.commit()
    made.publish("b1", "b2", "b3")
    attest(cli, "att1")
    said = find_statement(in_served, made, "att1")
    other = contradict(made, said, "att1", tmp_path)
    assert "no attestor" in refuse(cli, made.round_id, "double-attestation", "--evidence", other)
    told = accuse(cli, made.round_id, "double-attestation", "--evidence", said, "--evidence", other)
    assert (told["proof"], told["slashed_participant"]) == ("proveDoubleAttestation", str(made.ids["att1"]))
    assert get_stake(chain, made.ids["att1"]) == 0
    fault = cli("dispute", "show", made.round_id, "--format", "json").json["data"]["faults"][0]
    assert (fault["reason"], fault["subject"], fault["status"]) == ("double attestation", made.ids["att1"], "settled")


def test_what_is_in_a_certificate_is_one_of_the_two_statements(
    cli: Cli, chain: Chain, in_served: Project, made: SteppedRound, tmp_path: Path
) -> None:
    made.commit()
    made.publish("b1", "b2", "b3")
    attest(cli, "att2", "att3")
    other = contradict(made, find_statement(in_served, made, "att3"), "att3", tmp_path)
    told = accuse(cli, made.round_id, "double-attestation", "--evidence", other)
    assert told["slashed_participant"] == str(made.ids["att3"])


@pytest.fixture
def proposed(cli: Cli, made: SteppedRound) -> SteppedRound:
    """A round that two attestors have certified, with an honest proposal."""
    made.commit()
    made.publish("b1", "b2", "b3")
    attest(cli, "att1", "att2")
    made.end_data_phase()
    made.propose()
    return made


def demand(cli: Cli, stranger: Project) -> list[dict[str, Any]]:
    """Let a stranger watch once; return what it told."""
    options = ("--open-disputes", "--once", "--format", "json", "--project", stranger.root)
    return list(cli("watch", *options).json["data"])


def list_demands(chain: Chain, made: SteppedRound) -> list[availability.Demand]:
    events = chain.events(names=("LeavesDemanded",), round_id=made.round_id)
    return [availability.read_demand(event.args["demand"]) for event in events]


def test_attestors_who_vouched_for_what_nobody_shows_pay_half_each(
    cli: Cli, chain: Chain, proposed: SteppedRound, stranger: Project
) -> None:
    proposed.give(open_store(stranger.store_path, ipfs=None), without="b2")
    demand(cli, stranger)
    assert "not shown on demand" in refuse(cli, proposed.round_id, "unserved")
    (made,) = list_demands(chain, proposed)
    chain.wait_until(made.deadline + 1)
    cli("dispute", "resolve", proposed.round_id)
    told = accuse(cli, proposed.round_id, "unserved")
    attestors = [proposed.ids["att1"], proposed.ids["att2"]]
    assert [row["slashed_participant"] for row in told] == [str(each) for each in sorted(attestors)]
    assert {get_stake(chain, each) for each in attestors} == {STAKE // 2}
    assert "accused already" in refuse(cli, proposed.round_id, "unserved")
    assert cli("dispute", "resolve", proposed.round_id, "--wait").status == 0
    faults = cli("dispute", "show", proposed.round_id, "--format", "json").json["data"]["faults"]
    assert {(fault["subject"], fault["status"]) for fault in faults} == {
        ("aggregator", "paid"),
        *((each, "paid") for each in attestors),
    }
    assert {fault["challenger"] for fault in faults} == {"0x" + made.challenger.hex()}


# ---------------------------------------------------------------------------------------------------- matrix and leaves


def test_a_wrong_matrix_is_proved_from_a_leaf_that_was_demanded(
    cli: Cli, chain: Chain, made: SteppedRound, stranger: Project
) -> None:
    made.commit()
    made.publish("b1", "b2", "b3")
    attest(cli, "att1", "att2")
    made.end_data_phase()
    made.propose(matrix_lie=1)
    assert "demand one" in refuse(cli, made.round_id, "wrong-matrix")
    made.give(open_store(stranger.store_path, ipfs=None), without="nothing")
    demand(cli, stranger)
    (demanded,) = list_demands(chain, made)
    assert demanded.subject is availability.Subject.MATRIX
    vector = np.ascontiguousarray((made.matrix + 1).T, dtype="<i4").tobytes()
    call = chain.contracts.to("board", "answer", demanded.arguments(), availability.encode_answer(demanded, vector))
    chain.send(call, key=f"{made.name}/answer", sender=made.operator)
    dry = accuse(cli, made.round_id, "wrong-matrix", "--dry-run")
    assert dry["proof"] == "proveTranspose"
    assert "check (7)" in refuse(cli, made.round_id, "wrong-aggregate")
    told = demand(cli, stranger)
    proven = next(row for row in told if row["what"] == "prove")
    assert "wrong matrix" in proven["message"]
    assert chain.get_round(made.round_id).phase is spec.Phase.VOIDED


def test_a_matrix_that_nobody_shows_voids_the_round(
    cli: Cli, chain: Chain, made: SteppedRound, stranger: Project
) -> None:
    made.commit()
    made.publish("b1", "b2", "b3")
    attest(cli, "att1", "att2")
    made.end_data_phase()
    made.propose(matrix_lie=1)
    made.give(open_store(stranger.store_path, ipfs=None), without="nothing")
    demand(cli, stranger)
    (demanded,) = list_demands(chain, made)
    chain.wait_until(demanded.deadline + 1)
    assert "withheld" in {row["what"] for row in demand(cli, stranger)}
    assert chain.get_round(made.round_id).phase is spec.Phase.VOIDED


def test_a_leaf_of_every_missing_vector_is_demanded_and_no_more(
    cli: Cli, chain: Chain, proposed: SteppedRound, stranger: Project
) -> None:
    for name in ("b1", "b3", "aggregate"):
        proposed.blobs.pop(name)
    proposed.give(open_store(stranger.store_path, ipfs=None), without="nothing")
    demand(cli, stranger)
    wanted = {(each.subject.name, each.client) for each in list_demands(chain, proposed)}
    assert wanted == {("UPDATE", proposed.ids["b1"]), ("UPDATE", proposed.ids["b3"]), ("AGGREGATE", 0)}
    demand(cli, stranger)
    assert len(list_demands(chain, proposed)) == 3
