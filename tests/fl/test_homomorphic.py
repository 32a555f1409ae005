"""Homomorphic sums: exact, replayable, and unreadable for the aggregator together with all clients but one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fl.privacy.homomorphic import ring, scheme
from fl.privacy.homomorphic.parties import KeyHolder, verify_digests
from fl.privacy.homomorphic.ring import Residues
from fl.privacy.homomorphic.scheme import Parameters
from ledger.errors import MaskingRefused, UsageError
from ledger.spec.errors import NotCanonical, WrongLength, WrongRoot

SEED = b"chain, ledger, round 7"
BOUND = (1 << 23) - 1
Updates = NDArray[np.int32]


def make_random(seed: int):  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(seed)
    return generator.bytes


def digests(shown: dict[int, Residues]) -> dict[int, bytes]:
    return {client: scheme.compute_digest(each) for client, each in shown.items()}


def agree(params: Parameters) -> list[KeyHolder]:
    """Return the clients of a round with their joint key."""
    holders = [KeyHolder(client, params, SEED, random=make_random(client)) for client in range(params.clients)]
    shares = {holder.client: holder.share for holder in holders}
    for holder in holders:
        holder.accept_key(shares, digests(shares))
    return holders


def run(updates: Updates, bound: int = BOUND) -> NDArray[np.int64]:
    params = scheme.choose_parameters(clients=len(updates), size=updates.shape[1], bound=bound)
    holders = agree(params)
    ciphertexts = {holder.client: holder.encrypt(updates[holder.client]) for holder in holders}
    shares = [holder.decrypt(ciphertexts, digests(ciphertexts)) for holder in holders]
    return scheme.combine(params, scheme.add_ciphertexts(list(ciphertexts.values())), shares)


def draw(clients: int, size: int, seed: int = 1) -> Updates:
    return np.random.default_rng(seed).integers(-BOUND, BOUND + 1, (clients, size)).astype(np.int32)


@pytest.mark.parametrize(("clients", "size"), [(2, 1), (3, 8192 * 4 + 1), (20, 100)])
def test_the_sum_is_exact(clients: int, size: int) -> None:
    updates = draw(clients, size)
    assert np.array_equal(run(updates), updates.sum(axis=0))


@pytest.mark.parametrize("value", [BOUND, -BOUND, 0])
def test_the_sum_is_exact_at_the_ends_of_the_range(value: int) -> None:
    updates = np.full((4, 50), value, dtype=np.int32)
    updates[:, ::3] = -value  # neighbours in one coefficient at opposite ends
    assert np.array_equal(run(updates), updates.sum(axis=0))


def test_a_thousand_clients_leave_room_for_the_worst_errors() -> None:
    for clients, size in itertools.product((2, 20, 1000), (1, 100_000, 10_000_000)):
        params = scheme.choose_parameters(clients=clients, size=size, bound=BOUND)
        errors = clients * (2 * ring.DEGREE * clients * ring.ERROR_BOUND + ring.ERROR_BOUND)
        assert errors + clients * 2 ** (params.smudge_bits - 1) < 2 ** (params.shift - 1)
        assert 2 ** (params.digits * params.width + params.shift) < ring.MODULUS
        assert 2**params.width > 2 * clients * BOUND
        hidden = params.smudge_bits - errors.bit_length() - (params.ciphertexts * ring.DEGREE).bit_length()
        assert hidden >= scheme.SMUDGING_BITS


@pytest.mark.parametrize(
    ("clients", "size", "bound"), [(1, 10, 5), (1001, 10, 5), (2, 0, 5), (2, 10, 0), (2, 10, 1 << 23)]
)
def test_sums_that_do_not_fit_are_refused(clients: int, size: int, bound: int) -> None:
    with pytest.raises(UsageError):
        scheme.choose_parameters(clients=clients, size=size, bound=bound)


def test_a_value_beyond_the_bound_or_another_length_is_not_encrypted() -> None:
    params = scheme.choose_parameters(clients=2, size=4, bound=10)
    holder = agree(params)[0]
    with pytest.raises(UsageError):
        holder.encrypt(np.array([0, 0, 0, -11], dtype=np.int32))
    with pytest.raises(WrongLength):
        holder.encrypt(np.zeros(5, dtype=np.int32))


@pytest.mark.parametrize("missing", [1, 4])
def test_the_aggregator_with_all_clients_but_one_or_with_one_alone_reads_nothing(missing: int) -> None:
    updates = draw(5, 20_000)
    params = scheme.choose_parameters(clients=5, size=20_000, bound=BOUND)
    holders = agree(params)
    secrets = [holder._secret for holder in holders]
    ciphertexts = {holder.client: holder.encrypt(updates[holder.client]) for holder in holders}
    total = scheme.add_ciphertexts(list(ciphertexts.values()))
    known = [ring.restore(ring.multiply(total[:, 1], secret)) for secret in secrets[missing:]]
    seen = scheme.decode(params, scheme.add_ciphertexts([ring.restore(total[:, 0]), *known]))
    single = ciphertexts[0]
    parts = [ring.restore(ring.multiply(single[:, 1], secret)) for secret in secrets[missing:]]
    alone = scheme.decode(params, scheme.add_ciphertexts([ring.restore(single[:, 0]), *parts]))
    for guess, truth in ((seen, updates.sum(axis=0)), (alone + 4 * BOUND, updates[0])):
        assert int(np.count_nonzero(guess == truth)) <= 2
        # What is left is uniform: of 16 bins, each has its share within six standard deviations.
        low = (guess + 5 * BOUND) & 15
        counts = np.bincount(low, minlength=16)
        assert np.abs(counts - len(low) / 16).max() < 6 * (len(low) / 16) ** 0.5
        assert abs(float(np.corrcoef(guess, truth)[0, 1])) < 0.05
    everybody = [ring.restore(ring.multiply(total[:, 1], secret)) for secret in secrets]
    assert np.array_equal(scheme.combine(params, total, everybody), updates.sum(axis=0)), (
        "with all of them it can be read"
    )


def test_a_missing_share_is_said_not_guessed() -> None:
    updates = draw(3, 5)
    params = scheme.choose_parameters(clients=3, size=5, bound=BOUND)
    holders = agree(params)
    ciphertexts = {holder.client: holder.encrypt(updates[holder.client]) for holder in holders}
    shares = [holder.decrypt(ciphertexts, digests(ciphertexts)) for holder in holders[:2]]
    with pytest.raises(UsageError, match="all are needed"):
        scheme.combine(params, scheme.add_ciphertexts(list(ciphertexts.values())), shares)


def test_decryption_shares_are_smudged() -> None:
    params = scheme.choose_parameters(clients=2, size=5, bound=BOUND)
    holder, other = agree(params)
    secret = holder._secret
    assert secret is not None
    ciphertexts = {each.client: each.encrypt(draw(2, 5)[each.client]) for each in (holder, other)}
    total = scheme.add_ciphertexts(list(ciphertexts.values()))
    share = holder.decrypt(ciphertexts, digests(ciphertexts))
    exact = ring.restore(ring.multiply(total[:, 1], secret))
    smudge = ring.to_integers(ring.add(share, ring.negate(exact)))
    centred = np.where(smudge > ring.MODULUS // 2, smudge - ring.MODULUS, smudge)
    half = 1 << (params.smudge_bits - 1)
    assert -half <= min(centred.flat) < -half // 2
    assert half // 2 < max(centred.flat) < half


def test_a_client_decrypts_the_sum_of_everybody_alone_and_once() -> None:
    updates = draw(3, 5)
    params = scheme.choose_parameters(clients=3, size=5, bound=BOUND)
    holders = agree(params)
    ciphertexts = {holder.client: holder.encrypt(updates[holder.client]) for holder in holders}
    committed = digests(ciphertexts)
    victim = holders[0]
    alone = {0: ciphertexts[0]}
    zero = {**ciphertexts, 1: np.zeros_like(ciphertexts[1]), 2: np.zeros_like(ciphertexts[2])}
    with pytest.raises(MaskingRefused):
        victim.decrypt(alone, digests(alone))
    with pytest.raises(WrongRoot):
        victim.decrypt(zero, committed)
    with pytest.raises(MaskingRefused):
        other = {**ciphertexts, 0: ciphertexts[1]}
        victim.decrypt(other, digests(other))  # a sum without its own update is not the round's
    with pytest.raises(MaskingRefused):
        victim.encrypt(updates[0])
    victim.decrypt(ciphertexts, committed)
    with pytest.raises(MaskingRefused, match="second time"):
        victim.decrypt(ciphertexts, committed)


def test_a_last_client_cannot_choose_the_joint_key() -> None:
    params = scheme.choose_parameters(clients=3, size=5, bound=BOUND)
    holders = [KeyHolder(client, params, SEED, random=make_random(client)) for client in range(3)]
    shares = {holder.client: holder.share for holder in holders}
    committed = digests(shares)
    rogue = ring.add(shares[2], ring.negate(ring.add(shares[0], shares[1])))  # the joint key would be its own
    with pytest.raises(WrongRoot):
        holders[0].accept_key({**shares, 2: rogue}, committed)
    with pytest.raises(MaskingRefused):
        holders[0].accept_key({0: shares[0], 1: shares[1]}, {0: committed[0], 1: committed[1]})
    with pytest.raises(MaskingRefused):
        holders[0].encrypt(draw(1, 5)[0])


def test_auditors_add_the_ciphertexts_again_to_the_same_bytes_in_every_order() -> None:
    updates = draw(4, 10)
    params = scheme.choose_parameters(clients=4, size=10, bound=BOUND)
    blobs = [scheme.encode_ciphertext(holder.encrypt(updates[holder.client])) for holder in agree(params)]
    sums = set()
    for order in itertools.permutations(range(4)):
        ciphertexts = [scheme.decode_ciphertext(params, blobs[at]) for at in order]
        sums.add(scheme.encode_ciphertext(scheme.add_ciphertexts(ciphertexts)))
    assert len(sums) == 1
    changed = bytearray(blobs[2])
    changed[-4] ^= 1
    ciphertexts = [scheme.decode_ciphertext(params, bytes(changed) if at == 2 else blobs[at]) for at in range(4)]
    assert scheme.encode_ciphertext(scheme.add_ciphertexts(ciphertexts)) not in sums
    with pytest.raises(WrongRoot):
        verify_digests("the ciphertext", {2: ciphertexts[2]}, {2: scheme.compute_digest(ciphertexts[1])})


def test_ciphertexts_come_back_from_bytes_and_no_others_are_taken() -> None:
    params = scheme.choose_parameters(clients=2, size=10, bound=BOUND)
    ciphertext = agree(params)[0].encrypt(draw(1, 10)[0])
    blob = scheme.encode_ciphertext(ciphertext)
    assert np.array_equal(scheme.decode_ciphertext(params, blob), ciphertext)
    assert len(blob) == params.size_bytes
    for wrong in (blob[:-1], blob + b"\0", b""):
        with pytest.raises(WrongLength):
            scheme.decode_ciphertext(params, wrong)
    for wrong in (b"X" + blob[1:], blob[:-4] + ring.PRIMES[-1].to_bytes(4, "little")):
        with pytest.raises(NotCanonical):
            scheme.decode_ciphertext(params, wrong)


def test_an_update_looks_different_every_time_it_is_encrypted() -> None:
    params = scheme.choose_parameters(clients=2, size=10, bound=BOUND)
    holders = agree(params)
    update = draw(1, 10)[0]
    assert scheme.compute_digest(holders[0].encrypt(update)) != scheme.compute_digest(holders[1].encrypt(update))


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8191), st.integers(-100, 100)), min_size=1, max_size=3), st.integers(0, 8191))
def test_products_through_the_transform_are_those_of_polynomials(terms: list[tuple[int, int]], place: int) -> None:
    x, y = np.zeros((2, ring.DEGREE), dtype=np.int64)
    for at, value in terms:
        x[at] = value
    y[place], y[0] = 7, -1
    got = ring.restore(ring.multiply(ring.transform(ring.to_residues(x)), ring.transform(ring.to_residues(y))))
    want = np.zeros(ring.DEGREE, dtype=np.int64)
    for i in np.flatnonzero(x):
        for j in np.flatnonzero(y):
            want[(i + j) % ring.DEGREE] += x[i] * y[j] * (-1 if i + j >= ring.DEGREE else 1)
    centred = ring.to_integers(got)
    assert np.array_equal(np.where(centred > ring.MODULUS // 2, centred - ring.MODULUS, centred), want)


def test_what_is_drawn_has_the_distribution_it_should() -> None:
    random = make_random(3)
    ternary = ring.draw_ternary(20, random).ravel()
    for value in (-1, 0, 1):
        assert abs(np.mean(ternary == value) - 1 / 3) < 0.006
    errors = ring.draw_errors(20, random).ravel()
    assert np.abs(errors).max() <= ring.ERROR_BOUND
    assert abs(errors.mean()) < 0.05
    assert abs(errors.var() - ring.ERROR_BOUND / 2) < 0.2
    uniform = ring.expand(b"x")
    assert uniform.shape == (7, ring.DEGREE)
    assert all(abs(row.mean() / prime - 0.5) < 0.02 for row, prime in zip(uniform, ring.PRIMES, strict=True))
    assert not np.array_equal(uniform, ring.expand(b"y"))


def test_parameters_that_pack_one_more_coordinate_would_not_fit() -> None:
    params = scheme.choose_parameters(clients=20, size=100_000, bound=BOUND)
    more = replace(params, digits=params.digits + 1)
    assert 2 ** (more.digits * more.width + more.shift) > ring.MODULUS
    assert params.expansion < 5
