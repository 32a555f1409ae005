"""Each of the 25 questions finds what was planted, and nothing where nothing is. Events go through the projection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planted_index import ETHER, START, PlantedIndex, Question, address, digest, make_update

from ledger.chain.views import Role
from ledger.history import raw_cid
from ledger.index import database, opening, signoffs
from ledger.index.reading import open_reader
from ledger.records import Grade
from ledger.reports.catalogue import Query, load_all
from ledger.reports.running import ask
from ledger.spec import CommitMode


def pick(rows: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PlantedIndex(tmp_path_factory.mktemp("empty") / "index.sqlite").path


@pytest.mark.parametrize("query", load_all(), ids=lambda query: query.name)
def test_every_question_finds_nothing_in_an_empty_ledger(empty: Path, query: Query) -> None:
    with open_reader(empty) as reader:
        answer = ask(reader, query)
    assert (answer.rows, answer.findings, answer.missing, answer.grade) == ((), (), 0, query.grade)


def test_q01_tells_who_contributed_and_what_became_of_it(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    planted.open(2)
    planted.commit(2, 1, 2, 3)
    planted.propose(2, committed=3, excluded=[(2, 715)])
    planted.publish(2, {1: make_update(2, 1, [1] * 45, 12)}, silent=[2, 3])
    rows = question(1).rows
    assert pick(rows, "round", "client", "outcome", "reason", "n_samples") == [
        (1, 1, "accepted", None, None),
        (1, 2, "accepted", None, None),
        (1, 3, "accepted", None, None),
        (2, 1, "accepted", None, 12),
        (2, 2, "rejected", "FT715", None),
        (2, 3, "accepted", None, None),
    ]
    assert rows[4]["commitment"] == "0x" + digest("commitment", 2, 2).hex()
    assert question(1, task=2).rows == ()


def test_q02_adds_up_contributions_and_counts_only_what_was_finalised(
    planted: PlantedIndex, question: Question
) -> None:
    planted.run(rounds=1)
    planted.publish(1, {client: make_update(1, client, [client] * 45, 10 * client) for client in (1, 2, 3)})
    planted.open(2)
    planted.commit(2, 1, 2)
    planted.propose(2, committed=2, excluded=[(2, 721)])
    planted.void(2)
    answer = question(2)
    assert pick(answer.rows, "client", "committed", "accepted", "rejected", "struck", "samples") == [
        (1, 2, 1, 0, 1, 10),
        (2, 2, 1, 1, 0, 20),
        (3, 1, 1, 0, 0, 30),
    ]
    assert (answer.missing, answer.grade) == (1, Grade.MISSING)  # of the second round no update was read


def test_q03_says_which_aggregates_were_recomputed_and_which_failed(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=3)
    for round_id, verdict in ((1, "pass"), (2, "fail")):
        subject = "0x" + digest("proposal", round_id).hex()
        planted.insert("verification", at="2026-01-01", tool="t", chk="replay", subject=subject, verdict=verdict)
    answer = question(3)
    assert pick(answer.rows, "round", "declared", "accepted", "replay", "grade", "finding") == [
        (1, 3, 3, "pass", "PROVEN", 0),
        (2, 3, 3, "fail", "PROVEN", 1),
        (3, 3, 3, "not replayed", "MISSING", 0),
    ]
    assert len(answer.list_below(Grade.PROVEN)) == 1


def test_q03_finds_a_proposal_that_includes_more_than_was_accepted(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=0)
    planted.open(1)
    planted.commit(1, 1, 2)
    planted.propose(1, committed=3)
    assert pick(question(3).findings, "declared", "accepted") == [(3, 2)]


def test_q04_finds_commitments_that_were_counted_and_are_not_here(planted: PlantedIndex, question: Question) -> None:
    planted.run()
    assert question(4).rows == ()
    planted.open(3)
    planted.commit(3, 1, 2)
    planted.propose(3, committed=3)
    planted.open(4)
    planted.commit(4, 3, first=2)  # the ledger had counted two before
    found = question(4)
    assert pick(found.rows, "round", "counted", "seen", "why") == [
        (3, 3, 2, "events are missing"),
        (4, 3, 1, "events are missing"),
    ]
    assert len(found.findings) == 2


def test_q04_accuses_nobody_of_a_list_that_it_has_not_read(planted: PlantedIndex, question: Question) -> None:
    planted.create_task(mode=CommitMode.ROOT_ONLY)
    planted.open(1)
    planted.add("RootCommitted", round_id=1, root=digest("root"), count=3, list_id=digest("list"))
    answer = question(4)
    assert pick(answer.rows, "counted", "seen", "grade") == [(3, 0, "MISSING")]


def test_q05_tells_dropped_from_unpublished_and_from_ignored(planted: PlantedIndex, question: Question) -> None:
    planted.run()
    assert question(5).rows == ()
    planted.open(3)
    planted.commit(3, 1, 2, 3)
    planted.propose(3, committed=3, excluded=[(2, 801), (3, 801)])
    planted.publish(3, {2: b""}, silent=[1, 3])
    planted.insert("x_blob", ev=planted.last_event(), round_id=3, kind="base", cid="a model")
    planted.open(4)
    planted.commit(4, 1)
    planted.add("Expired", round_id=4, slashed_wei=0)
    assert pick(question(5).rows, "round", "client", "why") == [
        (3, 2, "published, left out as unavailable"),
        (3, 3, "never published"),
        (4, 1, "the round ended without a proposal"),
    ]


def test_q06_follows_a_model_back_to_the_first(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=2)
    planted.open(3)
    planted.propose(3, committed=0)
    planted.void(3)
    planted.open(4, base=digest("model", 2))
    planted.finalise(4)
    rows = question(6).rows
    assert pick(rows, "round", "depth", "starts_from") == [
        (4, 0, "an earlier round"),
        (2, 1, "an earlier round"),
        (1, 2, "genesis"),
    ]
    assert pick(question(6, model="0x" + digest("model", 1).hex()).rows, "round") == [(1,)]
    assert question(6, model="0x00").rows == ()


def test_q07_finds_a_round_that_starts_from_another_model(planted: PlantedIndex, question: Question) -> None:
    planted.run()
    assert question(7).rows == ()
    planted.open(3, base=digest("swapped"))
    (row,) = question(7).findings
    assert (row["round"], row["got"]) == (3, "0x" + digest("swapped").hex())
    assert row["want"] == "0x" + digest("model", 2).hex()


def test_q08_lists_rejections_with_their_reasons(planted: PlantedIndex, question: Question) -> None:
    planted.run()
    assert question(8).rows == ()
    planted.open(3)
    planted.commit(3, 1, 2)
    planted.add("Abandoned", round_id=3, included=1, data_id=digest("data"), excluded=bytes.fromhex("0000000202c5"))
    assert pick(question(8).rows, "round", "client", "reason", "phase") == [(3, 2, "FT709", "abandoned")]


def test_q08_tells_which_test_of_a_validation_rejected_an_update(planted: PlantedIndex, question: Question) -> None:
    planted.open(1)
    planted.commit(1, *range(1, 9))
    reasons = [715, *range(730, 736), 801]
    excluded = b"".join(client.to_bytes(4, "big") + code.to_bytes(2, "big") for client, code in enumerate(reasons, 1))
    planted.add("Abandoned", round_id=1, included=0, data_id=digest("data"), excluded=excluded)
    tests = ["bytes", "zeros", "stale", "duplicate", "norm", "faint", "distance", "absence"]
    assert [row["test"] for row in question(8).rows] == tests


def test_q08_tells_which_rejections_were_contested(planted: PlantedIndex, question: Question) -> None:
    planted.open(1)
    planted.commit(1, 1, 2)
    planted.propose(1, committed=2, excluded=[(1, 715), (2, 715)])
    assert pick(question(8).rows, "client", "contested", "objection") == [(1, 0, None), (2, 0, None)]
    planted.add("RoundContested", round_id=1, client=2, statement=digest("first"))
    planted.add("RoundContested", round_id=1, client=2, statement=digest("second"))
    planted.add("RoundContested", round_id=9, client=1, statement=digest("of another round"))
    (kept, contested) = question(8).rows
    assert (kept["contested"], contested["contested"]) == (0, 2)
    assert contested["objection"] == str(raw_cid(digest("second")))


def test_q09_finds_commitments_after_their_deadline_and_forgives_pauses(
    planted: PlantedIndex, question: Question
) -> None:
    planted.run()
    planted.open(3)
    planted.add("Paused", task_id=1, round_id=3)
    planted.add("Resumed", task_id=1, round_id=3, paused_seconds=5000, seconds=5000)
    planted.commit(3, 1, seconds=500)
    assert question(9).rows == ()
    planted.commit(3, 2, first=1, seconds=200)
    assert pick(question(9).findings, "client", "late_seconds") == [(2, 110)]


def test_q10_finds_scores_above_a_threshold_with_their_trend(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=2)
    assert question(10).missing == 2  # nobody has scored these rounds
    for round_id, value in ((1, 1.0), (2, 5.0)):
        planted.score(round_id, "anomaly", {2: 0.5, 3: value})
    answer = question(10)
    assert (pick(answer.findings, "round", "client", "value", "trend"), answer.missing) == ([(2, 3, 5.0, 3.0)], 0)
    assert pick(answer.findings, "scorer", "method") == [(9, "0x" + digest("method").hex())]
    planted.score(2, "trust", {1: 9.0})  # is no anomaly
    # Another scorer's word is another row, and its trend its own.
    planted.score(2, "anomaly", {3: 7.0}, scorer=8)
    assert pick(question(10).findings, "scorer", "value", "trend") == [(8, 7.0, 7.0), (9, 5.0, 3.0)]
    assert question(10, threshold=7.0).rows == ()


def test_q11_ranks_clients_by_influence(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    assert question(11).missing == 1
    planted.score(1, "influence", {1: 0.25, 2: 0.75})
    answer = question(11)
    assert (pick(answer.rows, "client", "influence", "rank"), answer.missing) == ([(2, 0.75, 1), (1, 0.25, 2)], 0)
    # A scorer that sees it the other way round does not change what the first one said.
    planted.score(1, "influence", {1: 0.5, 2: 0.125}, scorer=10)
    assert pick(question(11).rows, "scorer", "client", "rank") == [(9, 2, 1), (9, 1, 2), (10, 1, 1), (10, 2, 2)]


def test_q12_finds_two_clients_with_one_update(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    planted.publish(1, {client: make_update(1, client, [client % 2] * 45, client) for client in (1, 2, 3)})
    answer = question(12)
    assert (pick(answer.findings, "round", "clients", "copies"), answer.grade) == ([(1, "1, 3", 2)], Grade.PROVEN)
    planted.round(2)
    assert question(12).grade is Grade.MISSING


def test_q13_finds_who_has_overspent(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=2)
    assert question(13).missing == 2
    for round_id, eps in ((1, 6.0), (2, 9.0)):  # what was spent from the first round on
        planted.spend(round_id, {1: 2.0, 2: eps})
    answer = question(13)
    assert pick(answer.findings, "client", "eps", "delta", "up_to") == [(2, 9.0, 1e-5, 2)]
    assert pick(answer.findings, "mechanism", "speaker") == [("gaussian", 9)]
    assert answer.missing == 0
    assert question(13, budget=9.0).rows == ()
    # The client itself says less: both statements are there to compare.
    planted.spend(2, {2: 8.5}, speaker=2)
    assert pick(question(13).findings, "speaker", "eps") == [(2, 8.5), (9, 9.0)]


def test_q14_balances_stakes_to_the_wei(planted: PlantedIndex, question: Question) -> None:
    planted.register(1, stake_wei=10 * ETHER)
    planted.add("Deposited", id=1, amount_wei=ETHER // 3, stake_wei=0)
    planted.add("Locked", id=1, task_id=1, amount_wei=4 * ETHER)
    planted.add("Unlocked", id=1, task_id=1, amount_wei=ETHER)
    planted.slash(1, 1, reason=b"equivocation", wei=5)
    planted.register(2, stake_wei=7)
    planted.add("Withdrawn", id=2, amount_wei=7)
    planted.add("ShareClaimed", round_id=1, client=1, to=address("a"), amount_wei=9)  # credit, no stake
    assert pick(question(14).rows, "client", "stake_wei", "locked_wei") == [
        (1, str(10 * ETHER + ETHER // 3 - 5), str(3 * ETHER)),
        (2, "0", "0"),
    ]


def test_q15_joins_slashes_with_what_proved_them(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    planted.open(2)
    planted.void(2)
    planted.slash(9, 2, reason=b"voided round", wei=ETHER)
    proof = {"round_id": 2, "reason": b"equivocation".ljust(32, b"\0"), "challenger": address("c"), "subject": 1}
    planted.add("FraudProven", **proof, coordinate=0, claimed=0, recomputed=0, proof_hash=digest("p"))
    planted.slash(1, 2, reason=b"equivocation", wei=10)
    planted.add("Unserved", round_id=2, attestor=4, demand_hash=digest("d"))
    planted.slash(4, 2, reason=b"withheld update", wei=10)
    planted.slash(9, 2, reason=b"no proposal", wei=10)
    planted.slash(3, 2, reason=b"why", wei=10)
    answer = question(15)
    assert pick(answer.rows, "client", "cause", "finding") == [
        (9, "wrong aggregate", 0),
        (1, "equivocation", 0),
        (4, "unserved", 0),
        (9, "no proposal", 0),
        (3, None, 1),
    ]
    assert answer.rows[0]["proof_hash"] == "0x" + digest("proof").hex()


def test_q16_measures_how_long_disputes_took(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    planted.open(2)
    planted.propose(2, committed=0)
    planted.void(2)
    planted.add("Settled", seconds=50, round_id=2, aggregator=9, taken_wei=1)
    planted.add("Rewarded", seconds=4000, round_id=2, subject=0, to=address("c"), amount_wei=1)
    game = {"challenger": address("c"), "low": 0, "high": 1, "distance": 7}
    about = {"game_id": digest("game"), "round_id": 2}
    planted.add("GameOpened", **about, challenger=address("c"), game=game)
    planted.add("GameClosed", seconds=70, **about, bond_to=address("c"))
    assert pick(question(16).rows, "kind", "seconds_to_open", "seconds", "state") == [
        ("proof", 10, 50, "rewarded"),
        ("game", 4070, 70, "closed"),
    ]


def test_q17_tells_accuracy_by_whose_word_it_is(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=2)
    assert question(17).missing == 2
    for round_id, value in ((1, "0.5"), (2, "0.75")):
        metrics = signoffs.encode_metrics({"test/accuracy": value})
        planted.sign_off(round_id=round_id, metrics=metrics, signed_at=START + round_id)
    answer = question(17)
    assert (answer.missing, answer.grade, answer.findings) == (0, Grade.ATTESTED, ())
    assert pick(answer.rows, "round", "split", "metric", "value", "change", "evaluator") == [
        (1, "test", "accuracy", 0.5, None, "Dr. Ada Byron"),
        (2, "test", "accuracy", 0.75, 0.25, "Dr. Ada Byron"),
    ]


def test_q17_tells_what_an_aggregator_stated_on_the_ledger(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=2)
    planted.score(1, "test/accuracy", {9: 0.5})
    planted.score(2, "test/accuracy", {9: 0.75, 1: 0.9})  # nobody grades the model in a client's name
    answer = question(17)
    assert (answer.missing, answer.grade, answer.findings) == (0, Grade.ATTESTED, ())
    assert pick(answer.rows, "round", "split", "metric", "value", "change", "evaluator", "grade") == [
        (1, "test", "accuracy", 0.5, None, "participant 9", "ATTESTED"),
        (2, "test", "accuracy", 0.75, 0.25, "participant 9", "ATTESTED"),
    ]
    assert answer.get_proof(answer.rows[0]).startswith("fedtrail proof get event --block ")
    assert question(11).rows == () or question(11).rows == []  # it is no score of a client


def test_q17_falls_to_claimed_where_somebody_changed_the_value(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    planted.sign_off(metrics=signoffs.encode_metrics({"test/accuracy": "0.5"}))
    planted.db.execute("UPDATE signoff SET metrics = replace(metrics, '0.5', '0.9')")
    answer = question(17)
    assert (answer.grade, len(answer.findings), answer.missing) == (Grade.MISSING, 1, 1)
    assert answer.rows[0]["grade"] == "CLAIMED"


def test_q18_finds_blobs_that_are_not_here(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    assert (pick(question(18).findings, "kind", "status"), question(18).missing) == ([("manifest", "never fetched")], 1)
    planted.publish(1, {1: b""}, silent=[2])
    cids = [
        cid for (cid,) in planted.db.execute("SELECT cid FROM x_blob UNION SELECT cid FROM x_update WHERE cid > ''")
    ]
    for cid in cids:
        planted.insert("artifact", cid=cid, kind="blob", status="ok", checked_at="2026-01-01")
    planted.insert("x_blob", ev=planted.last_event(), round_id=1, kind="base", cid=cids[0])
    assert (question(18).findings, question(18).missing) == ((), 0)
    planted.db.execute("UPDATE artifact SET status = 'corrupt' WHERE cid = ?", (cids[-1],))
    assert pick(question(18).findings, "status") == [("corrupt",)]


def test_q19_tells_rules_and_who_changed_what(planted: PlantedIndex, question: Question) -> None:
    planted.create_task()
    planted.create_task(2, quorum=5)
    planted.add("Paused", task_id=2, round_id=0)
    planted.add("CommitteeNamed", epoch=1, since=START, threshold=2, ids=(4, 5, 6))
    planted.add("SuccessorNamed", successor=address("next"))
    assert pick(question(19).rows, "task", "what", "rule", "quorum") == [
        (1, "task created", "trimmed-mean(1)", 3),
        (2, "task created", "trimmed-mean(1)", 5),
        (2, "paused", None, None),
        (None, "committee 1 named", None, 2),
        (None, "successor named", None, None),
    ]
    assert pick(question(19, task=1).rows, "task") == [(1,), (None,), (None,)]


def test_q20_tells_who_joined_changed_keys_and_left(planted: PlantedIndex, question: Question) -> None:
    planted.register(1)
    planted.add("KeyRotated", id=1, signer=address("new"), epoch=1)
    planted.add("EncryptionKeyAnnounced", id=1, epoch=0, key=b"\x05" * 32, since=START)
    planted.add("Unbonding", id=1, unlock_at=START + 99)
    planted.add("Withdrawn", id=1, amount_wei=1)
    rows = question(20).rows
    assert pick(rows, "action", "key_epoch") == [
        ("registered", 0),
        ("rotated", 1),
        ("encryption key", 0),
        ("unbonding", None),
        ("withdrawn", None),
    ]
    assert rows[1]["signer"] == "0x" + address("new").hex()


def test_q21_finds_rounds_that_nobody_signed_off(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=2)
    planted.sign_off()
    planted.sign_off(round_id=2)  # but the record of round 1
    assert pick(question(21).findings, "round") == [(2,)]
    assert pick(question(21, role="approver").findings, "round") == [(1,), (2,)]
    planted.db.execute("UPDATE signoff SET name = 'somebody else'")
    assert pick(question(21).findings, "round") == [(1,), (2,)]


def test_q22_tells_every_aggregators_record(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=2)
    assert pick(question(22).rows, "aggregator", "opened", "finalised", "finding") == [(9, 2, 2, 0)]
    planted.open(3)
    planted.propose(3, committed=0)
    planted.void(3)
    planted.open(4)
    planted.add("Expired", round_id=4, slashed_wei=5)
    planted.open(5)
    (row,) = question(22).findings
    assert (row["opened"], row["proposed"], row["voided"], row["expired"], row["abandoned"]) == (5, 3, 1, 1, 0)


def test_q23_tells_what_the_chain_took_back(planted: PlantedIndex, question: Question) -> None:
    planted.run(rounds=1)
    with opening.writing(planted.db):
        database.orphan_blocks(planted.db, planted.chain, planted.number - 2, "0xff")
    found = question(23)
    assert pick(found.findings, "event", "depth", "past_final") == [("Proposed", 2, 1), ("Finalised", 2, 1)]
    assert pick(question(1).rows, "outcome") == [("pending",)] * 3  # and facts know nothing of it any more


def test_q24_counts_who_looked_at_what(planted: PlantedIndex, question: Question) -> None:
    for day in ("2026-01-01", "2026-02-01", "2026-03-01"):
        planted.insert("access_log", at=day, who="ada", action="run", target="Q1", outcome="3 rows")
    assert pick(question(24).rows, "who", "times", "last") == [("ada", 3, "2026-03-01")]
    assert pick(question(24, since="2026-01-15").rows, "times") == [(2,)]


def test_q25_finds_what_is_past_its_date_and_tells_erasures(planted: PlantedIndex, question: Question) -> None:
    planted.register(1, role=Role.CLIENT)
    kept = {"kind": "update", "status": "ok", "checked_at": "2026-01-01"}
    planted.insert("artifact", cid="baf-old", retain_until="2026-05-01", **kept)
    planted.insert("artifact", cid="baf-new", retain_until="2027-05-01", **kept)
    owner = "0x" + address(("owner", 1)).hex()
    planted.insert("org", org=owner, label=None, erased_at="2026-04-01")
    assert pick(question(25, on="2026-06-01").rows, "what", "subject", "finding") == [
        ("blob", "baf-old", 1),
        ("name", 1, 0),
    ]
    assert len(question(25, on="2026-06-01").findings) == 1


def test_sixty_rounds_of_sixty_clients_are_answered_in_seconds(planted: PlantedIndex) -> None:
    clients = range(1, 61)
    planted.register(*clients)
    planted.create_task()
    for round_id in range(1, 61):
        planted.open(round_id)
        planted.commit(round_id, *clients)
        planted.propose(round_id, committed=60, excluded=[(5, 715)])
        planted.finalise(round_id)
    with open_reader(planted.path, at_block=planted.number - 1, seconds=5) as reader:  # stops what takes longer
        assert [ask(reader, query).query.number for query in load_all()] == list(range(1, 26))
