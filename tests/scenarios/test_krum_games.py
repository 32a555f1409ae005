"""Games over Krum's distances: lies, griefers, crowds of games, silence, late moves."""

import pytest
from ledger_world import ETHER

from ledger import krum_disputes as krum
from ledger import spec
from ledger.errors import Reverted, WrongPhase

pytestmark = pytest.mark.chain

STRUCK = {"aggregator": -40_000, "challenger": 1_000, "escrow": 20_000, "burnt": 20_000}
"""In thousandths of an ether; the challenger's own bond of one ether is credit again."""


def open_round(world):
    return world.open(rule=spec.Rule.KRUM, rule_param=0, max_clients=16).commit()


def post_wrong_distance(round_, pair=2):
    """Propose with one distance that is not that of the updates."""
    distances = list(spec.decode_distances(compute_aux(round_), count=4))
    distances[pair] += 1
    return round_.propose(aux=spec.encode_distances(distances))


def compute_aux(round_):
    return spec.compute_aux(round_.task.rule_params(), round_.matrix.tolist(), round_.weights)


def evidence(round_):
    return krum.Evidence(task=round_.task, updates=round_.updates, members=round_.members, aux=round_.claim.aux)


def play(world, move, by=None):
    """Make a move; return the game after it, or None where it has ended."""
    by = by or world.people.challenger
    value_wei = ETHER if move.pays_bond else 0
    receipt = world.call("krum_court", move.function, *move.arguments, by=by, value_wei=value_wei)
    found = next((event.args["game"] for event in receipt.events if "game" in event.args), None)
    return None if found is None else krum.Game(**found)


def challenge(world, round_, low, high, by=None, distance=None):
    """Open a game over a posted distance."""
    posted = {(a, b): at for at, (a, b) in enumerate((a, b) for a in range(4) for b in range(a + 1, 4))}
    said = spec.decode_distances(round_.claim.aux, count=4)[posted[low, high]] if distance is None else distance
    return play(world, krum.open_game(round_.claim, low=low, high=high, distance=said), by)


def dissect(world, game, parts, by=None):
    packed = krum.encode_parts(parts)
    move = krum.Move(function="dissect", arguments=(game.fields(), packed))
    return play(world, move, by or world.people.aggregator), packed


def answer(world, round_, game):
    """Let the aggregator make an honest player's move."""
    move = krum.compute_aggregators_move(game, evidence(round_), now=world.chain.now() + 1)
    return play(world, move, world.people.aggregator)


def test_defended_an_honest_krum_round_stands(world):
    round_ = open_round(world).propose()
    for move, error in (
        (krum.prove_selection_column(round_.claim, evidence(round_), 9, aggregate=round_.aggregate), "NotFraud"),
        (krum.prove_aux_length(round_.claim, round_.claim.aux), "RightAuxLength"),
    ):
        with pytest.raises(Reverted, match=error):
            play(world, move)
    round_.finalise()
    assert world.bill() == {}


def test_defended_another_choice_than_the_distances_make_costs_the_whole_bond(world):
    round_ = open_round(world)
    chosen = next(c for c in round_.clients if round_.values[c].tolist() == round_.aggregate.tolist())
    round_.aggregate = round_.values[chosen % 4 + 1].copy()
    round_.propose()
    at = next(i for i in range(45) if round_.aggregate[i] != round_.values[chosen][i])
    play(world, krum.prove_selection_column(round_.claim, evidence(round_), at, aggregate=round_.aggregate))
    world.send("settle", round_.round_id)
    assert world.bill() == {name: cost for name, cost in STRUCK.items() if name != "challenger"}


def test_defended_too_few_distances_cost_the_whole_bond(world):
    round_ = open_round(world)
    round_.propose(aux=compute_aux(round_)[:-12])
    play(world, krum.prove_aux_length(round_.claim, round_.claim.aux))
    assert round_.phase is spec.Phase.VOIDED


def test_defended_a_wrong_distance_costs_the_whole_bond_in_three_moves(world):
    round_ = post_wrong_distance(open_round(world))
    ((low, high, _),) = krum.find_wrong_distances(evidence(round_))
    game = challenge(world, round_, low, high)
    game, parts = dissect(world, game, [game.distance])
    move = krum.compute_challengers_move(game, parts, evidence(round_), now=world.chain.now() + 1)
    play(world, move)
    assert round_.phase is spec.Phase.VOIDED
    world.send("settle", round_.round_id)
    assert world.bill() == STRUCK


def test_defended_an_aggregator_that_does_not_answer_a_game_loses_everything(world):
    round_ = post_wrong_distance(open_round(world))
    game = challenge(world, round_, 0, 3)
    timeout = krum.Move(function="timeout", arguments=(game.fields(),))
    with pytest.raises(Reverted, match="ClockRunning"):
        play(world, timeout, world.people.stranger)
    world.wait_until(game.move_by + 1)
    play(world, timeout, world.people.stranger)
    world.send("settle", round_.round_id)
    assert world.bill() == STRUCK


def test_cost_bounded_a_griefer_that_disputes_a_true_distance_pays_the_aggregator_for_its_answer(world):
    round_ = open_round(world).propose()
    game = answer(world, round_, challenge(world, round_, 0, 1, by=world.people.stranger))
    world.wait_until(game.move_by + 1)
    play(world, krum.Move(function="timeout", arguments=(game.fields(),)))
    round_.finalise()
    assert world.bill() == {"host": 1_000}


def test_cost_bounded_parallel_games_hold_a_round_up_as_one_and_each_costs_its_own_bond(world):
    round_ = open_round(world).propose()
    pairs = ((0, 1), (0, 2), (1, 3), (2, 3))
    games = [challenge(world, round_, *pair, by=world.people.copycat) for pair in pairs]
    assert world.chain.get_round(round_.round_id).open_disputes == 1
    games = [answer(world, round_, game) for game in games]
    with pytest.raises((Reverted, WrongPhase)):
        round_.finalise()
    world.wait_until(games[-1].move_by + 1)
    for game in games:
        play(world, krum.Move(function="timeout", arguments=(game.fields(),)))
    assert world.chain.get_round(round_.round_id).open_disputes == 0
    round_.finalise()
    assert world.bill() == {"host": 4_000}


def test_defended_a_friend_of_the_aggregator_cannot_occupy_the_wrong_pair(world):
    round_ = post_wrong_distance(open_round(world))
    friends = challenge(world, round_, 0, 3, by=world.people.host)
    with pytest.raises(Reverted, match="GameExists"):
        challenge(world, round_, 0, 3, by=world.people.host)
    game, parts = dissect(world, challenge(world, round_, 0, 3), [friends.distance])
    play(world, krum.compute_challengers_move(game, parts, evidence(round_), now=world.chain.now() + 1))
    assert round_.phase is spec.Phase.VOIDED


def test_defended_a_game_over_a_distance_that_was_never_posted_is_refuted_at_once(world):
    round_ = open_round(world).propose()
    game = challenge(world, round_, 0, 1, distance=12345)
    play(world, krum.Move(function="refute", arguments=(game.fields(), round_.claim.aux)), world.people.stranger)
    round_.finalise()
    assert world.bill() == {"host": 1_000}


def test_defended_parts_that_do_not_sum_to_the_distance_are_no_answer(world):
    round_ = post_wrong_distance(open_round(world))
    game = challenge(world, round_, 0, 3)
    with pytest.raises(Reverted, match="WrongSum"):
        dissect(world, game, [game.distance - 1])


def test_defended_nobody_moves_for_another_or_out_of_turn(world):
    round_ = post_wrong_distance(open_round(world))
    game = challenge(world, round_, 0, 3)
    with pytest.raises(Reverted, match="NotOnTurn"):
        dissect(world, game, [game.distance], by=world.people.rival)
    after, parts = dissect(world, game, [game.distance])
    with pytest.raises(Reverted, match="NoSuchGame"):
        dissect(world, game, [game.distance])
    move = krum.compute_challengers_move(after, parts, evidence(round_), now=world.chain.now() + 1)
    with pytest.raises(Reverted, match="NotOnTurn"):
        play(world, move, world.people.copycat)


def test_defended_a_game_opened_in_the_last_second_is_played_to_its_end_and_one_later_is_refused(world):
    round_ = post_wrong_distance(open_round(world))
    end = world.chain.get_round(round_.round_id).challenge_end
    world.wait_until(end - 1)
    world.at(end)
    game = challenge(world, round_, 0, 3)
    later = world.chain.get_round(round_.round_id).challenge_end
    assert later > game.move_by
    world.wait_until(later)
    with pytest.raises(WrongPhase):
        challenge(world, round_, 0, 1)
    play(world, krum.Move(function="timeout", arguments=(game.fields(),)))
    assert round_.phase is spec.Phase.VOIDED


def test_defended_a_pause_stops_no_move(world):
    round_ = post_wrong_distance(open_round(world))
    game = challenge(world, round_, 0, 3)
    world.send("pause", round_.task_id, by=world.people.guardian)
    game, parts = dissect(world, game, [game.distance])
    play(world, krum.compute_challengers_move(game, parts, evidence(round_), now=world.chain.now() + 1))
    assert round_.phase is spec.Phase.VOIDED


def test_defended_who_plays_while_another_proof_strikes_has_its_bond_back(world):
    round_ = open_round(world)
    round_.model[0] += 1
    post_wrong_distance(round_)
    game = challenge(world, round_, 0, 3)
    round_.prove(round_.model_step(0), by=world.people.stranger)
    play(world, krum.Move(function="reclaim", arguments=(game.fields(),)), world.people.copycat)
    world.send("settle", round_.round_id)
    assert world.bill() == STRUCK


def test_known_gap_an_honest_aggregator_that_is_offline_for_a_clock_loses_its_bond_to_a_bluff(world):
    """Silence is taken for guilt, as in every game with clocks. It may never flip: it is what clocks are for."""
    round_ = open_round(world).propose()
    game = challenge(world, round_, 0, 1)
    world.wait_until(game.move_by + 1)
    play(world, krum.Move(function="timeout", arguments=(game.fields(),)))
    world.send("settle", round_.round_id)
    assert world.bill() == STRUCK
