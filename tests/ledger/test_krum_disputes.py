"""Games over posted distances: layout, encodings and what honest players do. The contract's side is KrumCourt.t.sol."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import krum_disputes as krum
from ledger import spec
from ledger.commitments import compute_vector_root
from ledger.disputes import Update
from ledger.spec.errors import BadProof, WrongLength

BOUND = 40_000


def make_task(size: int, *, f: int = 0, select: int = 0, leaf_log2: int = 3) -> spec.Task:
    return spec.Task(
        rule=spec.Rule.MULTI_KRUM if select else spec.Rule.KRUM,
        rule_param=f,
        rule_select=select,
        size=size,
        scale_bits=20,
        leaf_log2=leaf_log2,
        matrix_log2=1,
        model_log2=3,
        bound=BOUND,
        examples_cap=100,
        mode=spec.CommitMode.VERIFIED,
        wei_per_weight=0,
        commit_seconds=1,
        data_seconds=0,
        propose_seconds=1,
        challenge_seconds=1,
        max_clients=50,
        quorum=2 * f + 3,
        bond_wei=1,
        board=bytes(20),
        genesis_model=b"\x01" * 32,
        layout_digest=b"\x02" * 32,
        script_digest=b"\x03" * 32,
    )


def make_evidence(task: spec.Task, n: int, seed: int = 1) -> krum.Evidence:
    """A round with an honest proposal: coordinates are small, large, or at the ends of the range."""
    source = np.random.default_rng(seed)
    kinds = source.integers(0, 3, (n, task.size))
    small = source.integers(-50, 50, (n, task.size))
    large = source.integers(-(2**31), 2**31, (n, task.size))
    ends = np.where(large < 0, -(2**31), 2**31 - 1)
    values = np.choose(kinds, [small, large, ends]).astype(np.int32)
    updates = [Update(client=3 * i + 1, num_examples=i + 1, values=values[i]) for i in range(n)]
    members = [spec.Member(client=update.client, commitment=commitment_of(update, task)) for update in updates]
    aux = spec.encode_distances(spec.compute_distances(values.tolist(), BOUND) if task.size < 5000 else [])
    return krum.Evidence(task=task, updates=updates, members=members, aux=aux)


def commitment_of(update: Update, task: spec.Task) -> bytes:
    return spec.compute_commitment(
        domain_separator=b"\x07" * 32,
        round_id=1,
        client=update.client,
        num_examples=update.num_examples,
        root=compute_vector_root(update.values, task.leaf_log2),
    )


def start_game(evidence: krum.Evidence, low: int = 0, high: int = 1, error: int = 0) -> krum.Game:
    blocks = krum.compute_block_count(evidence.task.size, evidence.task.leaf_log2)
    values = [evidence.updates[slot].values for slot in (low, high)]
    return krum.Game(
        round_id=1,
        aggregator=9,
        challenger="0x" + "11" * 20,
        low=low,
        high=high,
        members_root=spec.compute_members_root(evidence.members),
        aux_hash=keccak(evidence.aux),
        blocks=blocks,
        height=(blocks - 1).bit_length(),
        index=0,
        distance=sum(krum.compute_block_distances(*values, evidence.task).tolist()) + error,
        parts_root=bytes(32),
        move_by=1000,
        waiting=500,
    )


def answer(game: krum.Game, parts: bytes) -> krum.Game:
    return replace(game, parts_root=krum.compute_parts_root(parts))


def read_opening(proof: bytes, *, width: int, path_length: int) -> tuple[bytes, list[bytes], bytes]:
    """Split the next update opening off: header and coordinates, siblings, what follows."""
    body, at = proof[: 8 + 4 * width], 8 + 4 * width
    path = [proof[at + 32 * k : at + 32 * (k + 1)] for k in range(path_length)]
    return body, path, proof[at + 32 * path_length :]


@given(st.integers(1, 2**32 - 1), st.integers(3, 12), st.data())
def test_parts_divide_every_range_and_end_at_single_blocks(size: int, leaf_log2: int, data: st.DataObject) -> None:
    blocks = krum.compute_block_count(size, leaf_log2)
    game = replace(start_game(make_evidence(make_task(8), 3)), blocks=blocks, height=(blocks - 1).bit_length())
    covered, steps = range(blocks), 0
    while True:
        lower, parts = krum.compute_height_below(blocks, game.height), krum.compute_part_range(game)
        assert 1 <= len(parts) <= 1024
        assert parts.start << lower == covered.start
        assert 0 <= (parts.stop << lower) - covered.stop < 1 << lower
        chosen, steps = data.draw(st.sampled_from(parts)), steps + 1
        covered = range(chosen << lower, min((chosen + 1) << lower, blocks))
        if lower == 0:
            break
        game = replace(game, height=lower, index=chosen)
    assert len(covered) == 1
    assert steps == (1 if blocks <= 1024 else 2 if blocks <= 2**20 else 3)


def test_the_steps_of_a_long_game_are_alike() -> None:
    assert [krum.compute_height_below(2048, height) for height in (11, 5)] == [5, 0]
    assert [krum.compute_height_below(1 << 22, height) for height in (22, 14, 6)] == [14, 6, 0]


@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_block_distances_add_up_to_the_distance_of_the_specification(size: int, seed: int) -> None:
    evidence = make_evidence(make_task(size), 3, seed)
    blocks = krum.compute_block_distances(evidence.updates[0].values, evidence.updates[2].values, evidence.task)
    assert len(blocks) == -(-size // 1024)
    assert sum(blocks.tolist()) == evidence.distances()[1]


def test_the_largest_distances_of_the_largest_block_are_exact() -> None:
    task = replace(make_task(4096, leaf_log2=12), bound=2**23 - 1)
    low, high = np.full(4096, -(2**31), np.int32), np.full(4096, 2**31 - 1, np.int32)
    assert krum.compute_block_distances(low, high, task).tolist() == [4096 * (2**24 - 2) ** 2]


def test_honest_distances_leave_nothing_to_challenge() -> None:
    assert krum.find_wrong_distances(make_evidence(make_task(50), 6)) == []


def test_every_wrong_distance_is_found_with_its_pair() -> None:
    evidence = make_evidence(make_task(50), 5)
    posted = list(evidence.distances())
    posted[5] += 1  # slots 1 and 3
    posted[9] = 0  # slots 3 and 4
    lied = replace(evidence, aux=spec.encode_distances(posted))
    assert krum.find_wrong_distances(lied) == [(1, 3, posted[5]), (3, 4, 0)]


def test_a_wrong_number_of_distances_is_for_another_proof() -> None:
    evidence = make_evidence(make_task(50), 5)
    with pytest.raises(WrongLength):
        krum.find_wrong_distances(replace(evidence, aux=evidence.aux + bytes(12)))


def test_the_aggregator_answers_with_parts_that_sum_to_what_it_posted() -> None:
    evidence = make_evidence(make_task(2500), 3)
    game = start_game(evidence)
    move = krum.compute_aggregators_move(game, evidence, now=1000)
    assert move is not None
    assert (move.function, move.arguments[0]) == ("dissect", game.fields())
    assert sum(krum.decode_parts(move.arguments[1], count=3)) == game.distance


def test_the_aggregator_refutes_a_distance_that_it_did_not_post() -> None:
    evidence = make_evidence(make_task(2500), 3)
    move = krum.compute_aggregators_move(start_game(evidence, error=1), evidence, now=1000)
    assert move is not None
    assert (move.function, move.arguments[1]) == ("refute", evidence.aux)


def test_the_challenger_opens_the_block_whose_part_is_wrong() -> None:
    evidence = make_evidence(make_task(2500), 5)
    game = start_game(evidence, low=1, high=3, error=7)
    true = krum.compute_parts(game, evidence)
    parts = krum.encode_parts([true[0], true[1], true[2] + 7])
    game = answer(game, parts)
    move = krum.compute_challengers_move(game, parts, evidence, now=1000)
    assert move is not None
    assert (move.function, move.arguments[:2]) == ("prove", (game.fields(), 2))
    assert move.arguments[2][:30] == parts
    rest = move.arguments[2][30:]
    leaves = [hashlib.sha256(b"\x00" + spec.encode_members([member])).digest() for member in evidence.members]
    for slot in (1, 3):
        update = evidence.updates[slot]
        body, path, rest = read_opening(rest, width=452, path_length=1)
        assert body[:8] == update.client.to_bytes(4, "big") + update.num_examples.to_bytes(4, "big")
        assert body[8:] == update.values[2048:].astype("<i4").tobytes()
        assert spec.hash_node(path[0], spec.compute_chunk_root(body[8:], 32)) == compute_vector_root(update.values, 3)
        length = spec.compute_path_length(slot, 5)
        path, rest = [rest[32 * k : 32 * (k + 1)] for k in range(length)], rest[32 * length :]
        spec.verify_inclusion(leaves[slot], slot, 5, path, game.members_root)
    assert rest == b""


def test_the_challenger_picks_the_wrong_part_of_a_long_range() -> None:
    evidence = make_evidence(make_task((1 << 20) + 5, leaf_log2=10), 2)
    game = start_game(evidence, error=1)
    true = krum.compute_parts(game, evidence)
    assert len(true) == 33
    true[32] += 1
    parts = krum.encode_parts(true)
    move = krum.compute_challengers_move(answer(game, parts), parts, evidence, now=0)
    assert move is not None
    assert (move.function, move.arguments[1]) == ("pick", 32)
    assert move.arguments[2] == parts[320:] + keccak(b"\x00" + parts[:320])


def test_the_challenger_of_true_parts_has_no_move() -> None:
    evidence = make_evidence(make_task(2500), 3)
    game = start_game(evidence)
    parts = krum.encode_parts(krum.compute_parts(game, evidence))
    assert krum.compute_challengers_move(answer(game, parts), parts, evidence, now=0) is None


def test_players_wait_for_each_other_until_the_clock_has_run_out() -> None:
    evidence = make_evidence(make_task(2500), 3)
    game = start_game(evidence, error=1)
    parts = krum.encode_parts(krum.compute_parts(game, evidence))
    assert krum.compute_challengers_move(game, b"", evidence, now=1000) is None
    late = krum.compute_challengers_move(game, b"", evidence, now=1001)
    assert late == krum.Move(function="timeout", arguments=(game.fields(),))
    assert krum.compute_aggregators_move(game, evidence, now=1001) is None
    answered = answer(game, parts)
    assert krum.compute_aggregators_move(answered, evidence, now=1000) is None
    assert krum.compute_aggregators_move(answered, evidence, now=1001) == replace(late, arguments=(answered.fields(),))
    assert krum.compute_challengers_move(answered, parts, evidence, now=1001) is None


@given(st.lists(st.integers(0, 2**80 - 1), min_size=1, max_size=200), st.data())
def test_a_part_is_opened_by_its_group_and_the_groups_siblings(parts: list[int], data: st.DataObject) -> None:
    packed = krum.encode_parts(parts)
    assert krum.decode_parts(packed, count=len(parts)) == parts
    part = data.draw(st.integers(0, len(parts) - 1))
    opening, index = krum.encode_part_opening(packed, part), part // 32
    size = min(320, len(packed) - 320 * index)
    digest, path, last = keccak(b"\x00" + opening[:size]), opening[size:], (len(parts) - 1) // 32
    assert opening[:size][10 * (part % 32) :][:10] == parts[part].to_bytes(10, "big")
    while last > 0:
        if index ^ 1 <= last:
            sibling, path = path[:32], path[32:]
            digest = keccak(b"\x01" + (sibling + digest if index % 2 else digest + sibling))
        index, last = index // 2, last // 2
    assert (digest, path) == (krum.compute_parts_root(packed), b"")


def test_parts_of_another_number_are_refused() -> None:
    with pytest.raises(WrongLength):
        krum.decode_parts(bytes(29), count=3)


def test_a_block_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadProof):
        krum.encode_block_opening(make_evidence(make_task(2500), 3).updates[0], 3, 3)


@given(st.integers(0, 2), st.integers(0, 4), st.lists(st.integers(0, 5), min_size=21, max_size=21))
def test_selection_hints_are_the_ranks_that_decide(f: int, select: int, distances: list[int]) -> None:
    params = make_task(8, f=f, select=select).rule_params()
    hints = krum.encode_selection_hints(params, distances, 7)
    thresholds = [int.from_bytes(hints[12 * k : 12 * k + 12], "big") for k in range(7)]
    matrix = np.zeros((7, 7), dtype=int)
    matrix[np.triu_indices(7, 1)] = distances
    matrix += matrix.T
    for slot, threshold in enumerate(thresholds):
        others = sorted(np.delete(matrix[slot], slot))
        assert others[7 - f - 3] == threshold
    scores = spec.compute_scores_from_distances(matrix.tolist(), f)
    chosen = spec.select_lowest(scores, max(select, 1))
    last = int.from_bytes(hints[84:], "big")
    assert max((scores[slot], slot) for slot in chosen) == (scores[last], last)
