"""Disputes of several transactions: games over Krum's distances, played on both sides, and sessions; a real node."""

from __future__ import annotations

import time

import pytest
from command_line import Cli
from scripted_runs import run_tampered
from stepped_round import AGGREGATOR, SteppedRound

from ledger import krum_disputes, spec
from ledger.chain import Chain
from ledger.devnet import funded_account
from ledger.history import load_round
from ledger.project import Project
from ledger.proving import make_claim
from ledger.watching import plans
from ledger.watching.games import GamePlayer, fetch_open_games, make_evidence, open_game

pytestmark = pytest.mark.chain


def propose(in_served: Project, chain: Chain, *, distance_lie: int) -> SteppedRound:
    """A Krum round over five blocks that is proposed, with a lie about one distance or without."""
    made = SteppedRound(
        in_served, chain, str(time.time_ns()), rule=spec.Rule.KRUM, size=4 * 1024 + 100, has_board=False
    )
    made.commit()
    made.end_data_phase()
    made.propose(distance_lie=distance_lie)
    return made


def watch(cli: Cli, made: SteppedRound, *arguments: object) -> list[object]:
    """Look once; return what was told about the round."""
    told = cli("watch", "--once", "--format", "json", *arguments).json["data"]
    return [row["what"] for row in told if row["round_id"] == str(made.round_id)]


def answer_with_a_lie(made: SteppedRound, chain: Chain) -> None:
    """Let the aggregator split its wrong distance: it must hide the lie in one part."""
    (game,) = fetch_open_games(chain, made.round_id)
    record = load_round(chain, made.store, made.round_id)
    parts = krum_disputes.compute_parts(game.game, make_evidence(record))
    parts[3] += game.game.distance - sum(parts)
    move = krum_disputes.Move(function="dissect", arguments=(game.game.fields(), krum_disputes.encode_parts(parts)))
    GamePlayer(chain, made.store, made.load(AGGREGATOR), aggregator=made.ids[AGGREGATOR]).make_move(game, move)


def test_a_wrong_distance_is_played_down_to_a_block_and_proved(cli: Cli, in_served: Project, chain: Chain) -> None:
    made = propose(in_served, chain, distance_lie=1)
    assert watch(cli, made, "--open-disputes") == ["replayed", "open game"]
    assert watch(cli, made, "--open-disputes") == []  # it is the aggregator's turn
    listed = cli("dispute", "show", made.round_id, "--format", "json").json["data"]["games"]
    assert [(game["on_turn"], game["blocks"]) for game in listed] == [("aggregator", 5)]
    answer_with_a_lie(made, chain)
    assert watch(cli, made, "--open-disputes") == ["prove"]
    assert chain.get_round(made.round_id).phase is spec.Phase.VOIDED
    chain.wait_until(chain.get_verdict(made.round_id).proven_at + 3601)
    assert watch(cli, made, "--open-disputes") == ["claim", "closed"]


def test_an_aggregator_that_does_not_answer_loses_by_its_clock(cli: Cli, in_served: Project, chain: Chain) -> None:
    made = propose(in_served, chain, distance_lie=1)
    told = cli("dispute", "open", made.round_id, "--format", "json").json["data"]
    assert (told["proof"], told["slots"], told["phase"]) == ("challenge", [0, 1], "unchanged")
    (game,) = fetch_open_games(chain, made.round_id)
    chain.wait_until(game.game.move_by + 1)
    answer = cli("dispute", "resolve", made.round_id, "--wait", "--format", "json")
    assert answer.status == 0, answer.err
    assert "timeout" in answer.err
    assert answer.json["data"]["paid_to"] == "0x" + funded_account(0).address[2:].lower()


def test_an_honest_aggregator_is_defended_and_keeps_bond_and_round(cli: Cli, in_served: Project, chain: Chain) -> None:
    made = propose(in_served, chain, distance_lie=0)
    record = load_round(chain, made.store, made.round_id)
    assert record.proposal is not None
    (distance, *_) = spec.decode_distances(record.aux, count=3)
    opening = krum_disputes.open_game(make_claim(record, record.proposal), low=0, high=1, distance=distance)
    open_game(chain, opening, account=funded_account(4))
    assert watch(cli, made, "--defend", AGGREGATOR) == ["replayed", "dissect"]
    (game,) = fetch_open_games(chain, made.round_id)
    chain.wait_until(game.game.move_by + 1)
    assert watch(cli, made, "--defend", AGGREGATOR) == ["timeout"]
    assert fetch_open_games(chain, made.round_id) == []
    assert chain.get_round(made.round_id).phase is spec.Phase.PROPOSED


def test_a_game_about_a_distance_that_was_never_posted_is_refuted_by_hand(
    cli: Cli, in_served: Project, chain: Chain
) -> None:
    made = propose(in_served, chain, distance_lie=0)
    record = load_round(chain, made.store, made.round_id)
    assert record.proposal is not None
    opening = krum_disputes.open_game(make_claim(record, record.proposal), low=0, high=1, distance=12345)
    open_game(chain, opening, account=funded_account(4))
    told = cli("dispute", "answer", made.round_id, "--as", AGGREGATOR, "--format", "json").json["data"]
    assert [row["what"] for row in told] == ["refute"]
    assert fetch_open_games(chain, made.round_id) == []


def test_a_proof_that_no_transaction_can_carry_is_brought_in_a_session(
    cli: Cli, in_served: Project, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SteppedRound(in_served, chain, str(time.time_ns()), has_board=False)
    made.commit()
    made.end_data_phase()
    made.propose(aggregate_lie=1)
    dry = cli("dispute", "open", made.round_id, "--dry-run", "--format", "json").json["data"]
    assert (dry["proof"], dry["transactions"]) == ("proveDirect", 1)
    monkeypatch.setattr(plans, "MAX_DIRECT_BYTES", dry["proof_bytes"] // 2)
    split = cli("dispute", "open", made.round_id, "--dry-run", "--format", "json").json["data"]
    assert (split["proof"], split["transactions"]) == ("session", 3)
    assert watch(cli, made, "--open-disputes") == ["replayed", "buy ticket", "prove"]
    assert chain.get_round(made.round_id).phase is spec.Phase.VOIDED


def test_an_aggregate_that_its_own_distances_do_not_choose_needs_no_game(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "krum", run={"rule": {"name": "krum", "f": 1}})
    told = cli("dispute", "open", "1", "--run", "krum", "--format", "json").json["data"]
    assert (told["proof"], told["phase"], told["coordinate"]) == ("proveSelectionColumn", "voided", 77)
