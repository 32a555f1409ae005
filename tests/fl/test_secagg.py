"""Secure aggregation: the sum of the survivors comes out exactly, and nothing else does."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masked_rounds import (
    DOMAIN,
    STAGES,
    make_round,
    make_setting,
    make_updates,
    plain_sum,
    private_key,
)

from fl.kernels import lanes as wide
from fl.kernels import load, sha256
from fl.kernels.compiled import CompiledKernels
from fl.privacy.secagg import Masker, Request
from fl.privacy.secagg.keys import compute_public_key
from fl.privacy.secagg.shares import PRIME, join, split
from ledger import commitments, kernels, spec
from ledger.aggregation.masks import apply_masks, compute_unmasked_sum, expand_mask
from ledger.errors import MaskingRefused, ShareRejected, UnmaskingFailed
from ledger.script.masking import choose_degree, choose_threshold

COUNT = 20

# ---------------------------------------------------------------------------------------------------- the exact sum


@pytest.mark.parametrize("stage", STAGES)
def test_the_sum_of_the_survivors_is_exact_whenever_clients_drop_out(stage: str) -> None:
    round_ = make_round(COUNT, silent={4: stage, 17: stage}).exchange().mask()
    total, reveals = round_.unmask()
    assert total.tolist() == plain_sum(round_)
    assert len(round_.survivors) == (COUNT if stage == "unmask" else COUNT - 2)
    spec.verify_reveals(reveals, {c: round_.tables[c] for c in round_.survivors})


def test_the_sum_is_exact_when_a_client_drops_out_at_every_stage_of_one_round() -> None:
    round_ = make_round(COUNT, silent=dict(zip((2, 5, 9, 14, 20), STAGES, strict=True))).exchange().mask()
    assert round_.unmask()[0].tolist() == plain_sum(round_)
    assert set(round_.survivors) == set(range(1, 21)) - {2, 5, 9, 14}


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.integers(1, 12), st.sampled_from(STAGES), max_size=12),
    st.sampled_from([2, 4, 6, 8, 11]),
    st.data(),
)
def test_any_dropouts_end_in_the_exact_sum_or_in_a_clear_refusal(
    silent: dict[int, str], degree: int, data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(1, degree))
    round_ = make_round(12, 9, silent, degree=degree, threshold=threshold, quorum=2)
    try:
        total, _ = round_.exchange().mask().unmask()
    except (MaskingRefused, UnmaskingFailed):
        assert silent  # with everybody there it always works
    else:
        assert total.tolist() == plain_sum(round_)


def test_dropouts_are_survived_down_to_the_threshold_and_no_further() -> None:
    # Everybody is everybody's peer: of a client that is gone, the other five hold a share.
    silent = {1: "publish", 2: "unmask", 3: "unmask"}
    enough = make_round(6, silent=silent, degree=5, threshold=3, quorum=2).exchange().mask()
    assert enough.unmask()[0].tolist() == plain_sum(enough)
    one_more = make_round(6, silent={**silent, 4: "unmask"}, degree=5, threshold=3, quorum=2).exchange().mask()
    with pytest.raises(UnmaskingFailed, match=r"shares of client \d, 3 are needed"):
        one_more.unmask()


def test_clients_do_not_mask_with_fewer_peers_than_the_threshold() -> None:
    silent = dict.fromkeys(range(1, 5), "hello")
    with pytest.raises(MaskingRefused, match="1 of its peers said hello, at least 3 must"):
        make_round(6, silent=silent, degree=5, threshold=3).exchange()
    silent = dict.fromkeys(range(1, 5), "shares")
    with pytest.raises(MaskingRefused, match="1 of its peers sent shares, at least 3 must"):
        make_round(6, silent=silent, degree=5, threshold=3).exchange().mask()


def test_the_degree_grows_as_the_logarithm_and_the_threshold_is_a_majority() -> None:
    assert [choose_degree(n) for n in (2, 5, 20, 100, 1000, 10_000)] == [1, 4, 14, 20, 30, 40]
    assert [choose_threshold(k) for k in (1, 4, 20)] == [1, 3, 11]


def test_who_masks_with_whom_depends_on_the_block_in_which_the_round_was_opened() -> None:
    beacons = {spec.compute_beacon(DOMAIN, 7, bytes([b]) * 32) for b in range(5)}
    rings = {str(make_setting(30, beacon=beacon, degree=4).peers) for beacon in beacons}
    assert len(beacons) == len(rings) == 5
    peers = make_setting(30, degree=4).peers
    assert all(len(neighbours) == 4 for neighbours in peers.values())
    assert all(a in peers[b] for a, neighbours in peers.items() for b in neighbours)


# ----------------------------------------------------------------------------------------------- what nobody learns


def test_a_client_that_is_asked_for_both_secrets_of_one_client_refuses_every_one_of_them() -> None:
    round_ = make_round(COUNT, silent={4: "publish"}).exchange().mask()
    honest = round_.unmasker.make_request()
    for victim in (4, 7):
        both = Request(own_of=honest.own_of | {victim}, keys_of=honest.keys_of | {victim})
        for client in round_.survivors:
            with pytest.raises(MaskingRefused, match=f"both secrets of client {victim}"):
                round_.ask(client, both)


def test_a_client_believes_the_chain_and_not_the_aggregator_about_who_survived() -> None:
    round_ = make_round(COUNT, silent={4: "publish"}).exchange().mask()
    honest = round_.unmasker.make_request()
    own_of_a_dropout = replace(honest, own_of=honest.own_of | {4}, keys_of=honest.keys_of - {4})
    key_of_a_survivor = replace(honest, own_of=honest.own_of - {7}, keys_of=honest.keys_of | {7})
    for client in round_.survivors:
        with pytest.raises(MaskingRefused, match="client 4 is not in the sum: its own mask stays"):
            round_.ask(client, own_of_a_dropout)
        with pytest.raises(MaskingRefused, match="client 7 is in the sum: its pair masks stay"):
            round_.ask(client, key_of_a_survivor)


def test_a_client_hands_out_nothing_where_its_update_would_stand_alone() -> None:
    round_ = make_round(6, degree=5, threshold=3, quorum=3).exchange().mask()
    nothing = Request(own_of=frozenset(), keys_of=frozenset())
    with pytest.raises(MaskingRefused, match="2 updates are in the sum, at least 3 must be"):
        round_.ask(1, nothing, survivors=[1, 2])
    with pytest.raises(MaskingRefused, match="2 of its peers are in the sum, at least 3 must be"):
        round_.ask(1, nothing, survivors=[1, 2, 3])
    with pytest.raises(MaskingRefused, match="its own update is not in the sum"):
        round_.ask(1, nothing, survivors=[2, 3, 4, 5])


def test_shares_below_the_threshold_fit_every_secret() -> None:
    secret, source = b"\x05" * 32, b"\x0a" * 32
    shares = split(secret, range(1, 6), 3, source=source)
    for chosen in itertools.combinations(shares, 3):
        assert join({holder: shares[holder] for holder in chosen}) == secret
    # Fewer lie on no line of a lower degree through the secret.
    five = split(secret, range(1, 9), 5, source=source)
    for count in range(1, 5):
        assert all(join({h: five[h] for h in c}) != secret for c in itertools.combinations(five, count))
    # Whatever the secret were, one value of a third share makes it so: two shares say nothing.
    two = {holder: shares[holder] for holder in (2, 5)}
    for other in (0, 1, 2**256 - 1, 12345):
        line = _interpolate({0: other, **{h: int.from_bytes(s, "big") for h, s in two.items()}}, 3)
        assert join({**two, 3: line.to_bytes(33, "big")}) == other.to_bytes(32, "big")


def _interpolate(points: dict[int, int], x: int) -> int:
    total = 0
    for i, y in points.items():
        for j in points:
            if i != j:
                y = y * (x - j) * pow(i - j, -1, PRIME) % PRIME
        total += y
    return total % PRIME


def _views(updates: tuple[int, ...], modulus: int, *, dropped: bool) -> Counter[tuple[int, ...]]:
    """Count what an aggregator sees of three clients over every choice of masks, each equally likely.

    One coordinate modulo a small number; masks in place of the generator's words. It sees the masked updates, the own
    masks of the survivors, and with client 3 dropped out the masks of its pairs.
    """
    seen: Counter[tuple[int, ...]] = Counter()
    for own in itertools.product(range(modulus), repeat=3):
        for m12, m13, m23 in itertools.product(range(modulus), repeat=3):
            pairs = (m12 + m13, -m12 + m23, -m13 - m23)
            masked = tuple((x + o + p) % modulus for x, o, p in zip(updates, own, pairs, strict=True))
            seen[(*masked, *own[:2], m13, m23) if dropped else (*masked, *own)] += 1
    return seen


@pytest.mark.parametrize("dropped", [False, True])
def test_of_two_sets_of_updates_with_one_sum_the_aggregator_sees_the_same_equally_often(dropped: bool) -> None:
    # The signs are those of the protocol.
    assert [spec.compute_sign(*pair) for pair in ((1, 2), (2, 1), (2, 3), (3, 2))] == [1, -1, 1, -1]
    if dropped:  # the sum of 1 and 2 is known, of 3 nothing at all
        assert _views((0, 3, 0), 4, dropped=True) == _views((2, 1, 3), 4, dropped=True)
        assert _views((0, 3, 0), 4, dropped=True) != _views((0, 2, 0), 4, dropped=True)
    else:
        assert _views((0, 3, 1), 4, dropped=False) == _views((2, 2, 0), 4, dropped=False)
        assert _views((0, 3, 1), 4, dropped=False) != _views((0, 3, 2), 4, dropped=False)


def test_masked_values_are_uniform_whatever_the_update_is() -> None:
    # Chi-square over 256 classes of each byte, 255 degrees of freedom: beyond 360 once in 100,000.
    size = 1 << 16
    for value in (0, spec.MAX_BOUND):
        seeds = {spec.SELF: bytes([1]) * 32, 3: bytes([2]) * 32}
        masked = apply_masks(np.full(size, value, dtype=np.int32), 2, seeds)
        for shift in range(0, 32, 8):
            counts = np.bincount((masked.view(np.uint32) >> shift) & 255, minlength=256)
            assert float(((counts - size / 256) ** 2 / (size / 256)).sum()) < 360


def test_what_the_server_carries_holds_no_seed_key_or_share() -> None:
    round_ = make_round(8).exchange().mask()
    carried = b"".join([*round_.hellos.values(), *(m for out in round_.sent.values() for m in out.values())])
    for client, masker in round_.maskers.items():
        shares = [part for held in round_.held.values() if client in held for part in _parts(held[client])]
        for secret in (masker.root, masker.own_seed, masker.round_key, private_key(client), *shares):
            assert secret not in carried and secret[:16] not in carried
        assert "root" not in repr(masker) and "private" not in repr(masker)


def _parts(held: object) -> tuple[bytes, bytes]:
    return held.own_share, held.key_share  # type: ignore[attr-defined]


# ----------------------------------------------------------------------------------------------- who is in between


def test_every_single_bit_flip_of_a_share_message_is_rejected() -> None:
    round_ = make_round(4).exchange()
    message = round_.sent[1][2]
    assert round_.maskers[2].open_share(round_.hellos, message)[0] == 1
    for bit in range(8 * len(message)):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ShareRejected):
            round_.maskers[2].open_share(round_.hellos, bytes(changed))


def test_every_single_bit_flip_of_a_hello_is_noticed_by_whoever_was_told_another_one() -> None:
    round_ = make_round(4).exchange()
    told = round_.hellos[1]
    for bit in range(8 * len(told)):
        changed = bytearray(told)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ShareRejected):
            round_.maskers[2].open_share({**round_.hellos, 1: bytes(changed)}, round_.sent[1][2])


def test_every_single_bit_flip_of_an_answer_is_rejected() -> None:
    round_ = make_round(4, silent={4: "publish"}, threshold=1, quorum=2).exchange().mask()
    message = round_.ask(1, round_.unmasker.make_request())
    assert round_.open(message).client == 1  # type: ignore[attr-defined]
    for bit in range(8 * len(message)):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ShareRejected):
            round_.open(bytes(changed))


def test_share_messages_are_of_one_pair_one_direction_and_one_round() -> None:
    round_ = make_round(5).exchange()
    message = round_.sent[1][2]
    with pytest.raises(ShareRejected, match="another client, round or ledger"):
        round_.maskers[3].open_share(round_.hellos, message)  # redirected
    with pytest.raises(ShareRejected):
        round_.maskers[1].open_share(round_.hellos, message)  # sent back
    for length in (0, 80, len(message) - 1, len(message) + 1):
        with pytest.raises(ShareRejected, match="bytes, a message has"):
            round_.maskers[2].open_share(round_.hellos, (message + b"\0")[:length])
    for other in ({"round_id": 8}, {"domain_separator": b"\x0e" * 32}, {"beacon": b"\0" * 32}, {"threshold": 2}):
        masker = replace(round_.maskers[2], setting=replace(round_.setting, **other))  # type: ignore[arg-type]
        with pytest.raises(ShareRejected, match="another client, round or ledger"):
            masker.open_share(round_.hellos, message)
    held, rejected = round_.maskers[2].receive(round_.hellos, [*round_.inbox[2], message])
    assert sorted(held) == [1, 3, 4, 5] and [error.code for error in rejected] == ["FT740"]
    assert "it came before" in rejected[0].message


def test_messages_may_arrive_in_any_order() -> None:
    round_ = make_round(6).exchange()
    for inbox in round_.inbox.values():
        inbox.reverse()
    assert round_.mask().unmask()[0].tolist() == plain_sum(round_)


def test_a_server_that_swaps_a_key_of_the_round_can_neither_read_nor_write_a_message() -> None:
    round_ = make_round(5).exchange()
    attacker = Masker(setting=round_.setting, client=2, private_key=b"\x66" * 32, root=b"\x67" * 32)
    swapped = {**round_.hellos, 2: attacker.make_hello()}
    to_attacker = round_.maskers[1].share(swapped)[2]  # client 1 was told another key of client 2
    with pytest.raises(ShareRejected, match="not sealed by that client"):
        attacker.open_share(round_.hellos, to_attacker)
    with pytest.raises(ShareRejected, match="not sealed by that client"):
        round_.maskers[2].open_share(round_.hellos, to_attacker)
    forged = attacker.share({**round_.hellos, 2: attacker.make_hello()})[1]
    with pytest.raises(ShareRejected, match="not sealed by that client"):
        round_.maskers[1].open_share(swapped, forged)


def test_a_registered_key_that_somebody_swapped_is_noticed_since_clients_read_the_chain() -> None:
    round_ = make_round(5)
    keys = {**round_.setting.keys, 2: compute_public_key(b"\x66" * 32)}
    round_.maskers[1] = replace(round_.maskers[1], setting=replace(round_.setting, keys=keys))
    round_.exchange()
    for client, sender in ((1, 2), (2, 1)):
        with pytest.raises(ShareRejected, match=f"client {sender} are rejected: it was not sealed by that client"):
            round_.maskers[client].open_share(round_.hellos, round_.sent[sender][client])


def test_keys_of_small_order_and_unknown_senders_are_rejected() -> None:
    round_ = make_round(5).exchange()
    for none in (bytes(32), b"\x01" + bytes(31), b"", bytes(33)):  # nobody is kept out by a neighbour's
        assert sorted(round_.maskers[1].share({**round_.hellos, 2: none})) == [3, 4, 5]
        with pytest.raises(ShareRejected, match="its key is none"):
            round_.maskers[1].open_share({**round_.hellos, 2: none}, round_.sent[2][1])
    keys = {c: key for c, key in round_.setting.keys.items() if c != 2}
    stranger = replace(round_.maskers[1], setting=replace(round_.setting, keys=keys))
    assert sorted(stranger.share(round_.hellos)) == [3, 4, 5]
    with pytest.raises(ShareRejected, match="the chain holds no key of that client"):
        stranger.open_share(round_.hellos, round_.sent[2][1])
    without = {c: hello for c, hello in round_.hellos.items() if c != 1}
    with pytest.raises(ShareRejected, match="no peer that said hello"):
        round_.maskers[2].open_share(without, round_.sent[1][2])


@pytest.mark.parametrize(("which", "victim"), [("own_shares", 5), ("key_shares", 3)])
def test_a_wrong_share_is_done_without_and_no_wrong_sum_comes_out_of_many(which: str, victim: int) -> None:
    round_ = make_round(6, silent={3: "publish", 5: "unmask"}, degree=5, threshold=3, quorum=2).exchange().mask()
    unmasker = round_.unmasker
    answers = [round_.open(round_.ask(c, unmasker.make_request())) for c in (1, 2, 4, 6)]
    right = unmasker.recover(answers)  # type: ignore[arg-type]

    def spoil(answer: object) -> object:
        return replace(answer, **{which: {**getattr(answer, which), victim: bytes(33)}})  # type: ignore[type-var]

    for liar in range(4):
        spoiled = [spoil(answer) if at == liar else answer for at, answer in enumerate(answers)]
        assert unmasker.recover(spoiled) == right  # type: ignore[arg-type]
    with pytest.raises(UnmaskingFailed, match=f"wrong shares of client {victim}"):
        unmasker.recover([*map(spoil, answers[:2]), *answers[2:]])  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------- started again, once


def test_a_client_that_dies_and_starts_again_says_the_same_and_masks_with_the_same_seeds() -> None:
    first, again = make_round(6).exchange().mask(), make_round(6).exchange().mask()
    assert first.hellos == again.hellos and first.sent == again.sent and first.tables == again.tables
    assert all((first.masked[c] == again.masked[c]).all() for c in first.masked)


def test_another_root_round_or_graph_gives_other_seeds() -> None:
    round_ = make_round(4).exchange()
    masker = round_.maskers[1]
    others = [
        replace(masker, root=Masker.make_root()),
        replace(masker, setting=replace(round_.setting, round_id=8)),
        replace(masker, setting=replace(round_.setting, beacon=bytes(32))),
    ]
    seeds = [m.make_seeds({**round_.hellos, 1: m.make_hello()}, [2, 3, 4]) for m in (masker, *others)]
    assert len({seed for each in seeds for seed in each.values()}) == 4 * len(seeds)
    assert Masker.make_root() != Masker.make_root()


# ---------------------------------------------------------------------------------------- equal to the specification


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 70))
def test_fast_masks_are_those_of_the_specification(seed: bytes, size: int) -> None:
    assert expand_mask(seed, size).tolist() == spec.expand_mask(seed, size)


@pytest.mark.parametrize("peers", [[], [3], [0, 9, 3], [0, 3, 3], [0, 5], [0, 1, 2, 3]], ids=str)
def test_masked_updates_with_a_table_that_is_not_allowed_are_refused_by_both_decoders(peers: list[int]) -> None:
    want = spec.Expectation(
        kind=spec.Kind.MASKED,
        domain_separator=DOMAIN,
        round_id=7,
        client=5,
        size=2,
        scale_bits=20,
        leaf_log2=3,
        degree=2,
    )
    fields = {name: getattr(want, name) for name in ("kind", "domain_separator", "round_id", "client", "size")}
    header = spec.VectorHeader(**fields, num_examples=1, scale_bits=20, leaf_log2=3)
    lines = [spec.SeedLine(peer=peer, commitment=bytes(32)) for peer in peers]
    blob = spec.encode_vector(header, bytes(8), spec.encode_seed_table(lines))
    for decode in (spec.decode_update, commitments.decode_update):
        with pytest.raises(spec.NotCanonical):
            decode(blob, want=want, bound=1)
    good = spec.encode_vector(header, b"\xff" * 4 + b"\x7f" * 4, spec.encode_seed_table(lines[:0]) + bytes(36))
    assert spec.decode_update(good, want=want, bound=1).seed_table == bytes(36)  # values have no range


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_fast_masking_and_unmasking_are_those_of_the_specification(size: int, seed: int) -> None:
    updates = make_updates([3, 8], size, seed)
    seeds = {spec.SELF: b"\x01" * 32, 5: b"\x02" * 32, 9: b"\x03" * 32}
    masked = {c: apply_masks(updates[c], c, seeds) for c in updates}
    assert all(masked[c].tolist() == spec.apply_masks(updates[c].tolist(), c, seeds) for c in updates)
    reveals = [spec.Reveal(owner=c, peer=p, seed=s) for c in updates for p, s in sorted(seeds.items())]
    matrix = np.stack([masked[3], masked[8]])
    assert compute_unmasked_sum(matrix, reveals).tolist() == spec.compute_unmasked_sum(matrix.tolist(), reveals)
    plain = [spec.wrap32(a + b) for a, b in zip(updates[3].tolist(), updates[8].tolist(), strict=True)]
    assert compute_unmasked_sum(matrix, reveals).tolist() == plain


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 200), st.sampled_from([1, -1]))
def test_compiled_masks_are_those_of_the_specification(seed: bytes, size: int, sign: int) -> None:
    compiled = load()
    assert compiled is not None
    total = np.arange(size, dtype=np.uint32)
    done = compiled.add_mask(total, seed, sign)
    assert done in (size - size % 16, size - size % 128)  # with SHA instructions, and without
    want = [(at + sign * word) % 2**32 for at, word in enumerate(spec.expand_mask(seed, size))]
    assert total.tolist() == want[:done] + list(range(done, size))


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 3), st.sampled_from([1, -1]))
def test_masks_without_sha_instructions_are_those_of_the_specification(seed: bytes, steps: int, sign: int) -> None:
    size = steps * wide.LANES * wide.WORDS_PER_BLOCK + 5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sha256, "is_supported", lambda: False)
        total = np.arange(size, dtype=np.uint32)
        done = CompiledKernels().add_mask(total, seed, sign)
    assert done == size - 5
    want = [(at + sign * word) % 2**32 for at, word in enumerate(spec.expand_mask(seed, done))]
    assert total.tolist() == want + list(range(done, size))


def test_large_masks_are_compiled_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = {spec.SELF: b"\x01" * 32, 2: b"\x02" * 32, 9: b"\x03" * 32}
    update = make_updates([5], 1003)[5]
    plain = apply_masks(update, 5, seeds)
    used = []
    monkeypatch.setattr(kernels, "MIN_BYTES", 1)
    monkeypatch.setattr(kernels, "_load", lambda: used.append(1) or load())
    assert (apply_masks(update, 5, seeds) == plain).all() and used


# ------------------------------------------------------------------------------------------------ what it leaves open


def test_known_gap_a_masked_update_may_be_as_long_as_its_client_likes() -> None:
    round_ = make_round(6)
    round_.updates[2] = np.full(19, 1 << 30, dtype=np.int32)  # far beyond any bound, and nobody can tell
    total, _ = round_.exchange().mask().unmask()
    assert total.tolist() == plain_sum(round_)


def test_known_gap_a_client_that_seals_wrong_shares_and_leaves_stops_the_round() -> None:
    round_ = make_round(6, silent={3: "publish"}, degree=5, threshold=3, quorum=2).exchange().mask()
    for held in round_.held.values():
        if 3 in held:  # the message was sealed by client 3 and came through unchanged; what it says is no share
            held[3] = replace(held[3], key_share=bytes(33))
    with pytest.raises(UnmaskingFailed, match="wrong shares of client 3"):
        round_.unmask()
