"""Homomorphic sums: exact, replayable, and unreadable for the aggregator together with all clients but one."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fl.privacy.homomorphic import drawing
from fl.privacy.homomorphic.parties import KeyHolder, Setting, verify_shares
from ledger.aggregation import ciphertexts, lattice
from ledger.errors import MaskingRefused, UsageError
from ledger.spec import ContentId, decryption
from ledger.spec import homomorphic as he
from ledger.spec import lattice as plain
from ledger.spec import shares as sent
from ledger.spec.errors import NotCanonical, SpecError, WrongLength, WrongRoot, WrongRound, WrongShare

DOMAIN = b"d" * 32
BOUND = (1 << 23) - 1
DEGREE = plain.DEGREE
Updates = NDArray[np.int32]


def make_random(seed: int) -> drawing.RandomBytes:
    return np.random.default_rng(seed).bytes


def draw(clients: int, size: int, seed: int = 1) -> Updates:
    return np.random.default_rng(seed).integers(-BOUND, BOUND + 1, (clients, size)).astype(np.int32)


def make_setting(clients: int, size: int, bound: int = BOUND, round_id: int = 7) -> Setting:
    holders = tuple(range(2, 2 + clients))
    return Setting(domain_separator=DOMAIN, round_id=round_id, holders=holders, size=size, bound=bound)


def agree(setting: Setting) -> dict[int, KeyHolder]:
    """Return the clients of a round with their joint key."""
    holders = {client: KeyHolder(client, setting, bytes([client]) * 32) for client in setting.holders}
    shares = {client: holder.share for client, holder in holders.items()}
    digests = {client: holder.digest for client, holder in holders.items()}
    for holder in holders.values():
        holder.accept_key(shares, digests)
    return holders


@dataclass(frozen=True, kw_only=True)
class Round:
    """A round up to its decryption shares."""

    setting: Setting
    holders: dict[int, KeyHolder]
    updates: dict[int, bytes]
    committed: dict[int, bytes]

    @property
    def parts(self) -> dict[int, he.EncryptedUpdate]:
        """Its encrypted updates, decoded."""
        return {client: self.decode(client, data) for client, data in self.updates.items()}

    def decode(self, client: int, data: bytes) -> he.EncryptedUpdate:
        """Return one of them."""
        return he.decode_encrypted_update(
            data,
            domain_separator=DOMAIN,
            round_id=self.setting.round_id,
            client=client,
            roster=self.setting.holders,
            size=self.setting.size,
            bound=self.setting.bound,
        )

    @property
    def total(self) -> lattice.Residues:
        """The encrypted sum."""
        return ciphertexts.add_ciphertexts([lattice.decode_polynomials(p.ciphertexts) for p in self.parts.values()])

    def decrypt(self, client: int) -> sent.DecryptionShare:
        """Return a client's decryption share."""
        return self.read_share(client, self.holders[client].decrypt(self.updates, self.committed))

    def read_share(self, client: int, data: bytes) -> sent.DecryptionShare:
        """Return the decryption share that bytes of a client hold."""
        return sent.decode_decryption_share(
            data,
            self.setting.params,
            domain_separator=DOMAIN,
            round_id=self.setting.round_id,
            client=client,
            sum_root=he.compute_sum_root(lattice.encode_polynomials(self.total)),
        )


def encrypt_all(setting: Setting, values: Updates) -> Round:
    holders = agree(setting)
    updates = {client: holders[client].encrypt(row) for client, row in zip(setting.holders, values, strict=True)}
    committed = {client: setting.commit(client, data) for client, data in updates.items()}
    return Round(setting=setting, holders=holders, updates=updates, committed=committed)


@functools.cache
def make_round() -> tuple[Round, Updates, dict[int, sent.DecryptionShare]]:
    """Return one round of three clients, two ciphertexts each, its updates, and all shares."""
    values = draw(3, 9 * DEGREE + 5)
    made = encrypt_all(make_setting(3, 9 * DEGREE + 5), values)
    return made, values, {client: made.decrypt(client) for client in made.setting.holders}


def decrypt_sum(made: Round, shares: dict[int, sent.DecryptionShare]) -> NDArray[np.int64]:
    decoded = [lattice.decode_polynomials(share.share) for share in shares.values()]
    return ciphertexts.decrypt_sum(made.setting.params, made.total, decoded)


def test_the_sum_is_exact_and_that_of_the_specification() -> None:
    made, values, shares = make_round()
    assert made.setting.params.ciphertexts == 2
    assert np.array_equal(decrypt_sum(made, shares), values.sum(axis=0))
    total = decryption.add_ciphertexts([part.ciphertexts for part in made.parts.values()])
    assert total == lattice.encode_polynomials(made.total)
    by_spec = decryption.decrypt_sum(made.setting.params, total, [share.share for share in shares.values()])
    assert by_spec == values.sum(axis=0).tolist()


@pytest.mark.parametrize("value", [BOUND, -BOUND, 0])
def test_the_sum_is_exact_at_the_ends_of_the_range_and_over_several_ciphertexts(value: int) -> None:
    updates = np.full((2, 9 * DEGREE + 5), value, dtype=np.int32)
    updates[:, ::3] = -value  # neighbours in one coefficient at opposite ends
    made = encrypt_all(make_setting(2, 9 * DEGREE + 5), updates)
    assert made.setting.params.ciphertexts == 2
    secrets = [holder._secret.transformed for holder in made.holders.values()]
    parts = [lattice.multiply(made.total[1::2], secret) for secret in secrets]
    assert np.array_equal(ciphertexts.decrypt_sum(made.setting.params, made.total, parts), updates.sum(axis=0))


def test_a_thousand_clients_leave_room_for_the_worst_errors_and_for_the_slack_of_proofs() -> None:
    for clients, size in itertools.product((2, 20, 1000), (1, 100_000, 10_000_000)):
        params = he.choose_parameters(clients=clients, size=size, bound=BOUND)
        noise = clients * (2 * DEGREE * clients * he.ERROR_BOUND + he.ERROR_BOUND)
        # Of an accepted proof: |z - z'| < 2**(8 w), twice divided by a difference of powers of x, which costs 2N each.
        shares = clients * 2 ** (8 * params.wide_bytes) * 2 * DEGREE**2
        secret = 2 ** (8 * he.NARROW_BYTES) * DEGREE
        of_key = 2 * DEGREE * clients**2 * secret * (1 + he.ERROR_BOUND)
        assert 4 * noise + shares + of_key < 2 ** (params.shift + 1)  # half of four times a message's last bit
        assert 4 * 2 ** (params.digits * params.width + params.shift) < plain.MODULUS
        assert 2**params.width > 2 * clients * BOUND
        places = params.ciphertexts * DEGREE
        assert params.smudge_bits >= noise.bit_length() + he.HIDING_BITS + places.bit_length()
        hidden = params.ciphertexts * 2 ** (params.smudge_bits - 1)
        assert 2 ** (8 * params.wide_bytes - 2) >= hidden * he.REPETITIONS * DEGREE * 2**he.HIDING_BITS


@pytest.mark.parametrize(
    ("clients", "size", "bound"), [(1, 10, 5), (1001, 10, 5), (2, 0, 5), (2, 10, 0), (2, 10, 1 << 23)]
)
def test_sums_that_do_not_fit_are_refused(clients: int, size: int, bound: int) -> None:
    with pytest.raises(NotCanonical):
        he.choose_parameters(clients=clients, size=size, bound=bound)


def test_parameters_that_pack_one_more_coordinate_would_not_fit() -> None:
    params = he.choose_parameters(clients=20, size=100_000, bound=BOUND)
    more = replace(params, digits=params.digits + 1)
    assert 2 ** (more.digits * more.width + more.shift + 2) > plain.MODULUS
    assert params.expansion < 5


def test_a_value_beyond_the_bound_or_another_length_is_not_encrypted() -> None:
    holder = agree(make_setting(2, 4, bound=10))[2]
    with pytest.raises(UsageError):
        holder.encrypt(np.array([0, 0, 0, -11], dtype=np.int32))
    with pytest.raises(WrongLength):
        holder.encrypt(np.zeros(5, dtype=np.int32))


@pytest.mark.parametrize("missing", [1, 2])
def test_the_aggregator_with_all_clients_but_one_or_with_one_alone_reads_nothing(missing: int) -> None:
    made, values, _ = make_round()
    params, total = made.setting.params, made.total
    secrets = [holder._secret.transformed for holder in made.holders.values()]
    known = [lattice.multiply(total[1::2], secret) for secret in secrets[missing:]]
    seen = ciphertexts.decrypt_sum(params, total, known)
    single = lattice.decode_polynomials(made.parts[2].ciphertexts)
    parts = [lattice.multiply(single[1::2], secret) for secret in secrets[missing:]]
    alone = ciphertexts.decrypt_sum(params, single, parts)
    for guess, truth in ((seen, values.sum(axis=0)), (alone + 2 * BOUND, values[0])):
        assert int(np.count_nonzero(guess == truth)) <= 2
        # What is left is uniform: of 16 bins, each has its share within six standard deviations.
        counts = np.bincount((guess + 3 * BOUND) & 15, minlength=16)
        assert np.abs(counts - len(guess) / 16).max() < 6 * (len(guess) / 16) ** 0.5
        assert abs(float(np.corrcoef(guess, truth)[0, 1])) < 0.05
    everybody = [lattice.multiply(total[1::2], secret) for secret in secrets]
    assert np.array_equal(ciphertexts.decrypt_sum(params, total, everybody), values.sum(axis=0))


def test_decryption_shares_are_smudged() -> None:
    made, _, shares = make_round()
    params, secret = made.setting.params, made.holders[2]._secret
    exact = lattice.multiply(made.total[1::2], secret.transformed)
    share = lattice.decode_polynomials(shares[2].share)
    smudge = lattice.to_integers(lattice.restore(lattice.subtract(share, exact)))
    centred = np.where(smudge > plain.MODULUS // 2, smudge - plain.MODULUS, smudge)
    half = 1 << (params.smudge_bits - 1)
    assert -half <= min(centred.flat) < -half // 2
    assert half // 2 < max(centred.flat) < half


# ------------------------------------------------------------------------------------------------------------ proofs


def verify(made: Round, share: sent.DecryptionShare, client: int | None = None) -> None:
    key_share = made.parts[client or share.client].key_share
    ciphertexts.verify_share(made.setting.params, share, key_share=key_share, total=made.total)


def test_every_honest_share_is_proved_and_the_specification_says_so_too() -> None:
    made, _, shares = make_round()
    for share in shares.values():
        verify(made, share)
    total, key_share = lattice.encode_polynomials(made.total), made.parts[2].key_share
    decryption.verify_share(made.setting.params, shares[2], key_share=key_share, total=total)


def change_residue(data: bytes, at: int = 0) -> bytes:
    word = int.from_bytes(data[at : at + 4], "little")
    return data[:at] + ((word + 1) % plain.PRIMES[-1]).to_bytes(4, "little") + data[at + 4 :]


def test_a_share_that_is_wrong_by_one_residue_or_with_a_proof_for_anything_else_is_not_proved() -> None:
    made, values, shares = make_round()
    honest = shares[2]
    wrong = {
        "one residue": replace(honest, share=change_residue(honest.share, at=len(honest.share) - 4)),
        "somebody's proof": replace(honest, proof=shares[3].proof),
        "another sum": replace(honest, sum_root=bytes(32)),
        "another answer": replace(honest, proof=honest.proof[:-1] + bytes([honest.proof[-1] ^ 1])),
    }
    for why, share in wrong.items():
        with pytest.raises(WrongShare):
            verify(made, share, client=2)
            pytest.fail(why)
    assert not np.array_equal(decrypt_sum(made, {**shares, 2: wrong["one residue"]}), values.sum(axis=0))


def test_a_challenge_binds_all_that_a_proof_is_about() -> None:
    """Whoever could choose a share after its challenge would solve for one that passes."""
    made, _, shares = make_round()
    honest, key_share = shares[2], made.parts[2].key_share
    others = (
        replace(honest, share=change_residue(honest.share)),
        replace(honest, client=3),
        replace(honest, round_id=8),
        replace(honest, sum_root=bytes(32)),
        replace(honest, domain_separator=bytes(32)),
    )
    statements = {decryption.compute_statement(share, key_share) for share in (honest, *others)}
    statements.add(decryption.compute_statement(honest, made.parts[3].key_share))
    assert len(statements) == 7
    statement = decryption.compute_statement(honest, key_share)
    assert decryption.compute_challenge(statement, [b"a"]) != decryption.compute_challenge(statement, [b"b"])
    assert decryption.compute_challenge(statement, []) != decryption.compute_challenge(bytes(32), [])


def test_a_proof_made_with_another_secret_than_that_of_the_key_share_does_not_hold() -> None:
    made, _, _ = make_round()
    liar = KeyHolder(2, made.setting, b"another root".ljust(32))
    liar._committed = made.holders[2]._committed
    liar.share = made.holders[2].share  # it claims the share that it committed to
    data = liar.decrypt(made.updates, made.committed)
    with pytest.raises(WrongShare):
        verify(made, made.read_share(2, data))


def test_answers_tell_nothing_of_the_secret_in_their_size() -> None:
    made, _, shares = make_round()
    at = 32
    answers = np.frombuffer(shares[2].proof, dtype="<u8", offset=at, count=DEGREE)
    centred = (answers ^ np.uint64(1 << 63)).view(np.int64)
    assert np.abs(centred.astype(float)).max() < 2.0**62 * 1.0001  # uniform in [-2**62, 2**62)
    assert abs(float(centred.astype(float).mean()) / 2.0**62) < 6 / (3 * DEGREE) ** 0.5
    assert abs(float(np.corrcoef(centred.astype(float), made.holders[2]._secret.ternary)[0, 1])) < 0.05


# --------------------------------------------------------------------------------------------------- what is refused


def test_a_client_decrypts_the_sum_of_everybody_alone_and_of_no_second_round_of_updates() -> None:
    setting = make_setting(3, 5)
    made = encrypt_all(setting, draw(3, 5))
    victim = made.holders[2]
    with pytest.raises(MaskingRefused, match="not everybody's"):
        victim.decrypt({2: made.updates[2]}, made.committed)
    with pytest.raises(WrongRoot):
        victim.decrypt({**made.updates, 3: made.updates[4]}, made.committed)
    stranger = encrypt_all(make_setting(3, 5, round_id=8), draw(3, 5))
    other = stranger.updates[3]
    with pytest.raises(WrongRound):
        victim.decrypt({**made.updates, 3: other}, {**made.committed, 3: setting.commit(3, other)})
    again = made.holders[3].encrypt(draw(1, 5)[0])  # the aggregator's friend encrypts something else
    victim.decrypt(made.updates, made.committed)
    with pytest.raises(MaskingRefused, match="second sum"):
        victim.decrypt({**made.updates, 3: again}, {**made.committed, 3: setting.commit(3, again)})


def test_a_client_decrypts_nothing_that_somebody_encrypted_under_another_key() -> None:
    setting = make_setting(2, 5)
    made = encrypt_all(setting, draw(2, 5))
    friend, double = KeyHolder(3, setting, b"x" * 32), KeyHolder(2, setting, b"y" * 32)
    holders = {2: double, 3: friend}
    shares, digests = {c: h.share for c, h in holders.items()}, {c: h.digest for c, h in holders.items()}
    friend.accept_key(shares, digests)
    other = friend.encrypt(draw(1, 5)[0])
    with pytest.raises(MaskingRefused, match="under another key"):
        made.holders[2].decrypt({2: made.updates[2], 3: other}, {**made.committed, 3: setting.commit(3, other)})


def test_a_last_client_cannot_choose_the_joint_key() -> None:
    setting = make_setting(3, 5)
    holders = {client: KeyHolder(client, setting, bytes([client]) * 32) for client in setting.holders}
    shares = {client: holder.share for client, holder in holders.items()}
    digests = {client: holder.digest for client, holder in holders.items()}
    two, three, four = (lattice.decode_polynomials(shares[client])[0] for client in (2, 3, 4))
    rogue = lattice.subtract(four, lattice.add(two, three))  # the joint key would be its own
    with pytest.raises(WrongRoot):
        holders[2].accept_key({**shares, 4: lattice.encode_polynomials(rogue)}, digests)
    with pytest.raises(MaskingRefused):
        holders[2].accept_key({2: shares[2], 3: shares[3]}, {2: digests[2], 3: digests[3]})
    with pytest.raises(MaskingRefused):
        holders[2].encrypt(draw(1, 5)[0])
    with pytest.raises(WrongRoot):
        verify_shares({2: shares[2]}, {})


def test_a_client_that_starts_again_says_the_same_and_encrypts_with_fresh_randomness() -> None:
    made, values, shares = make_round()
    again = agree(made.setting)[2]
    assert again.share == made.holders[2].share
    assert again.decrypt(made.updates, made.committed) == sent.encode_decryption_share(shares[2])
    assert again.encrypt(values[0]) != made.updates[2]
    fewer = replace(made.setting, holders=(2, 3))
    assert KeyHolder(2, fewer, bytes([2]) * 32).share != made.holders[2].share


# ------------------------------------------------------------------------------------------------------------- bytes


def test_auditors_add_the_ciphertexts_again_to_the_same_bytes_in_every_order() -> None:
    made, _, _ = make_round()
    polynomials = [lattice.decode_polynomials(part.ciphertexts) for part in made.parts.values()]
    sums = {
        lattice.encode_polynomials(ciphertexts.add_ciphertexts([polynomials[at] for at in order]))
        for order in itertools.permutations(range(3))
    }
    assert len(sums) == 1
    changed = lattice.decode_polynomials(change_residue(made.parts[3].ciphertexts, at=1000))
    assert lattice.encode_polynomials(ciphertexts.add_ciphertexts([*polynomials[:2], changed])) not in sums


def test_encrypted_updates_come_back_from_bytes_and_no_others_are_taken() -> None:
    made = encrypt_all(make_setting(2, 3), draw(2, 3))
    data = made.updates[2]
    assert he.encode_encrypted_update(made.decode(2, data)) == data
    assert len(data) == made.setting.params.update_bytes
    lines = 50  # bytes before the key holders
    swapped = data[:lines] + data[lines + 36 : lines + 72] + data[lines : lines + 36] + data[lines + 72 :]
    for wrong in (data[:-1], data + b"\0", b"", b"X" + data[1:], swapped, change_residue(data, at=lines + 72)):
        with pytest.raises(SpecError):
            made.decode(2, wrong)
    with pytest.raises(SpecError):
        made.decode(3, data)
    part = made.decode(2, data[:-4] + plain.PRIMES[-1].to_bytes(4, "little"))
    for decode in (lattice.decode_polynomials, decryption.decode_polynomials):
        with pytest.raises(NotCanonical):
            decode(part.ciphertexts)


def test_the_term_and_lists_of_shares_are_canonical_or_rejected() -> None:
    term = he.Homomorphic(roster=(2, 3, 4, 9))
    assert (str(term), he.decode_homomorphic(str(term))) == ("bfv-1+roster(2-4,9)", term)
    for wrong in ("bfv-1+roster(2)", "bfv-1+roster(2,3)", "bfv-2+roster(2-4)", "bfv-1+roster(4-2)", ""):
        with pytest.raises(NotCanonical):
            he.decode_homomorphic(wrong)
    content = ContentId(codec=0x55, digest=bytes(32))
    entries = tuple(
        sent.ShareEntry(client=client, update=content, share=content, signature=bytes(64)) for client in (2, 5)
    )
    shares = sent.ShareList(domain_separator=DOMAIN, round_id=7, entries=entries)
    data = sent.encode_share_list(shares)
    assert sent.decode_share_list(data, domain_separator=DOMAIN, round_id=7) == shares
    turned = sent.encode_share_list(replace(shares, entries=entries[::-1]))
    for wrong_list in (data[:-1], data + b"\0", b"", turned, data.replace(b"FTL\1", b"FTL\2"), bytes(1 << 20)):
        with pytest.raises(SpecError):
            sent.decode_share_list(wrong_list, domain_separator=DOMAIN, round_id=7)
    with pytest.raises(WrongRound):
        sent.decode_share_list(data, domain_separator=DOMAIN, round_id=8)


# -------------------------------------------------------------------------------------------------------- arithmetic


def test_arrays_compute_what_the_specification_does() -> None:
    generator = np.random.default_rng(3)
    x = np.stack([generator.integers(0, prime, DEGREE) for prime in plain.PRIMES]).astype(np.uint64)
    data = lattice.encode_polynomials(x)
    integers = plain.decode_polynomial(data)
    assert plain.encode_polynomial(integers) == data
    assert integers == lattice.to_integers(x).tolist()
    assert plain.encode_polynomial(plain.transform(integers)) == lattice.encode_polynomials(lattice.transform(x))
    assert plain.encode_polynomial(plain.restore(integers)) == lattice.encode_polynomials(lattice.restore(x))
    assert plain.encode_polynomial(plain.expand(b"x")) == lattice.encode_polynomials(lattice.expand(b"x"))
    for exponent in (0, 1, DEGREE, 2 * DEGREE - 1):
        monomial = lattice.transform_monomial(exponent)
        assert plain.encode_polynomial(plain.transform_monomial(exponent)) == lattice.encode_polynomials(monomial)


@settings(max_examples=5, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, DEGREE - 1), st.integers(-100, 100)), min_size=1, max_size=3),
    st.integers(0, DEGREE - 1),
)
def test_products_through_the_transform_are_those_of_polynomials(terms: list[tuple[int, int]], place: int) -> None:
    x, y = np.zeros((2, DEGREE), dtype=np.int64)
    for at, value in terms:
        x[at] = value
    y[place], y[0] = 7, -1
    both = lattice.transform(lattice.to_residues(np.stack([x, y])))
    centred = lattice.to_integers(lattice.restore(lattice.multiply(both[0], both[1])))
    want = np.zeros(DEGREE, dtype=np.int64)
    for i in np.flatnonzero(x):
        for j in np.flatnonzero(y):
            want[(i + j) % DEGREE] += x[i] * y[j] * (-1 if i + j >= DEGREE else 1)
    assert np.array_equal(np.where(centred > plain.MODULUS // 2, centred - plain.MODULUS, centred), want)


def test_what_is_drawn_has_the_distribution_it_should() -> None:
    random = make_random(3)
    ternary = drawing.draw_ternary(20, random).ravel()
    for value in (-1, 0, 1):
        assert abs(np.mean(ternary == value) - 1 / 3) < 0.006
    errors = drawing.draw_errors(20, random).ravel()
    assert np.abs(errors).max() <= he.ERROR_BOUND
    assert abs(errors.mean()) < 0.05
    assert abs(errors.var() - he.ERROR_BOUND / 2) < 0.2
    wide = drawing.draw_uniform(85, random)
    assert -(2**84) <= wide.min() < -(2**84) * 0.99 < 2**84 * 0.99 < wide.max() < 2**84
    uniform = lattice.expand(b"x")
    assert uniform.shape == (14, DEGREE)
    assert all(abs(row.mean() / prime - 0.5) < 0.02 for row, prime in zip(uniform, plain.PRIMES, strict=True))
    assert not np.array_equal(uniform, lattice.expand(b"y"))
