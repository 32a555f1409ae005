"""Compiled kernels give what the specification gives, bit for bit, whatever the size, the rows or the threads."""

from __future__ import annotations

import gc
import hashlib
import itertools
import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compiled import use_compiled_kernels, use_numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fl.kernels import compiled, coordinates, gram, networks, sha256
from fl.speed.timing import measure
from ledger import aggregation, commitments, spec
from ledger import kernels as registry
from ledger.aggregation import distances
from ledger.store import unixfs
from ledger.store.content import chunks_of

ROOT = Path(__file__).parents[2]
B, MAX, MIN = spec.MAX_BOUND, spec.INT32_MAX, spec.INT32_MIN
KERNELS = compiled.CompiledKernels()
VALUES = st.sampled_from([B, -B, B + 1, -B - 1, MAX, MIN, 0, 1, -1]) | st.integers(-3, 3) | st.integers(MIN, MAX)
BOUNDS = st.sampled_from([1, 2, 100, B])


@st.composite
def matrices(draw: st.DrawFn, max_rows: int = 12) -> np.ndarray:
    shape = st.tuples(st.integers(1, max_rows), st.integers(1, 40))
    return draw(hnp.arrays(np.int32, shape, elements=VALUES))


def clamp(updates: np.ndarray, bound: int) -> np.ndarray:
    return np.clip(updates, -bound, bound)


@pytest.mark.parametrize("n", range(1, 11))
def test_a_network_sorts_every_input_of_zeros_and_ones(n: int) -> None:
    # By the 0-1 principle (Knuth 5.3.4) it then sorts everything.
    for values in itertools.product((0, 1), repeat=n):
        wires = list(values)
        for i, j in networks.make_sorting_network(n):
            wires[i], wires[j] = min(wires[i], wires[j]), max(wires[i], wires[j])
        assert wires == sorted(values)


@pytest.mark.parametrize("n", range(1, 11))
def test_a_selection_network_keeps_the_ranks_between_the_trims(n: int) -> None:
    for trim in range((n + 1) // 2):
        network = networks.make_selection_network(n, trim)
        for values in itertools.product((0, 1), repeat=n):
            wires = list(values)
            for i, j in network:
                wires[i], wires[j] = min(wires[i], wires[j]), max(wires[i], wires[j])
            assert sum(wires[trim : n - trim]) == sum(sorted(values)[trim : n - trim])


def test_a_selection_network_is_shorter_than_a_sorting_network() -> None:
    assert len(networks.make_selection_network(32, 15)) < len(networks.make_sorting_network(32))
    assert networks.make_selection_network(32, 0) == []


@given(updates=matrices())
def test_wrapped_sums_are_the_specifications(updates: np.ndarray) -> None:
    got = KERNELS.sum32(list(updates))
    assert got is not None
    assert got.tolist() == [spec.wrap32(sum(column)) for column in updates.T.tolist()]


@given(updates=matrices(), bound=BOUNDS, data=st.data())
def test_what_is_left_between_two_ranks_is_the_specifications(updates: np.ndarray, bound: int, data) -> None:
    n = len(updates)
    trim = data.draw(st.integers(0, (n - 1) // 2))
    divisor = data.draw(st.integers(n - 2 * trim, 1 << 51))
    got = KERNELS.reduce_middle(list(updates), bound=bound, trim=trim, divisor=divisor)
    free = KERNELS.reduce_middle(list(updates), bound=None, trim=trim, divisor=divisor)
    assert got is not None
    assert free is not None
    for values, result in ((clamp(updates, bound), got), (updates, free)):
        want = [spec.rdiv(sum(sorted(column)[trim : n - trim]), divisor) for column in values.T.tolist()]
        assert result.tolist() == want


@given(updates=matrices(), data=st.data())
def test_what_is_left_of_mixtures_is_the_specifications(updates: np.ndarray, data) -> None:
    updates = clamp(updates, B)
    m, n = data.draw(st.integers(1, 8)), len(updates)
    parts = st.lists(st.integers(0, 1) | st.integers(-9, 9), min_size=n, max_size=n)
    mixture = data.draw(st.lists(parts, min_size=m, max_size=m))
    trim = data.draw(st.integers(0, (m - 1) // 2))
    divisor = m * max(1, *(sum(map(abs, row)) for row in mixture), 1)
    got = KERNELS.reduce_mixed(list(updates), mixture, trim=trim, divisor=divisor)
    assert got is not None
    mixed = (np.array(mixture, dtype=object) @ updates.astype(object)).T.tolist()
    assert got.tolist() == [spec.rdiv(sum(sorted(column)[trim : m - trim]), divisor) for column in mixed]


@pytest.mark.parametrize("d", [1, 63, 64, 65, 129, (1 << 13) + 1, (1 << 14) + 63])
def test_mixtures_of_many_coordinates_are_made_block_by_block(d: int, monkeypatch) -> None:
    monkeypatch.setattr(compiled, "_SHARE_ENTRIES", 1 << 14)
    updates = np.random.default_rng(d).integers(-B, B, (5, d), dtype=np.int32)
    mixture = np.random.default_rng(d).integers(0, 2, (4, 5))
    got = KERNELS.reduce_mixed(list(updates), mixture.tolist(), trim=1, divisor=10)
    want = np.sort(mixture @ updates, axis=0)[1:3].sum(axis=0)
    assert got is not None
    assert got.tolist() == ((2 * want + 10) // 20).tolist()


def test_mixtures_that_int32_cannot_hold_are_left_to_numpy() -> None:
    rows = list(np.full((2, 64), B, dtype=np.int32))
    assert KERNELS.reduce_mixed(rows, [[128, 128]], trim=0, divisor=256) is None
    assert KERNELS.reduce_mixed(rows, [[100, 100]] * 4, trim=0, divisor=3) is None


@given(updates=matrices(), bound=BOUNDS, data=st.data())
def test_weighted_means_are_the_specifications(updates: np.ndarray, bound: int, data) -> None:
    n = len(updates)
    weights = data.draw(st.lists(st.integers(0, spec.MAX_EXAMPLES_CAP), min_size=n, max_size=n).filter(any))
    got = KERNELS.reduce_weighted(list(updates), bound=bound, weights=weights, divisor=sum(weights))
    assert got is not None
    columns = clamp(updates, bound).T.tolist()
    want = [spec.rdiv(sum(w * x for w, x in zip(weights, column, strict=True)), sum(weights)) for column in columns]
    assert got.tolist() == want


@given(updates=matrices(max_rows=20), bound=BOUNDS)
def test_inner_products_are_the_specifications(updates: np.ndarray, bound: int) -> None:
    rows = [np.pad(row, (0, 20)) for row in updates]
    got = KERNELS.compute_gram(rows, bound=bound)
    clamped = clamp(updates, bound).tolist()
    assert got == [[sum(a * b for a, b in zip(x, y, strict=True)) for y in clamped] for x in clamped]


def test_inner_products_are_exact_beyond_int64() -> None:
    d = 3 * gram.MAX_COORDINATES + 5
    updates = np.array([[B], [-B], [MIN], [0], [1]], dtype=np.int32) * np.ones(d, dtype=np.int32)
    assert B * B * d > 1 << 63
    column = [B, -B, -B, 0, 1]
    assert KERNELS.compute_gram(list(updates), bound=B) == [[a * b * d for b in column] for a in column]


@pytest.mark.parametrize("n", [64, 100, coordinates.MAX_NETWORK])
@pytest.mark.parametrize("value", [B, -B, MIN])
def test_many_clients_at_the_extremes_do_not_overflow(n: int, value: int) -> None:
    rows = list(np.full((n, 33), value, dtype=np.int32))
    want = max(-B, min(B, value))
    for trim in (0, 1, (n - 1) // 2):
        got = KERNELS.reduce_middle(rows, bound=B, trim=trim, divisor=n - 2 * trim)
        assert got is not None
        assert set(got.tolist()) == {want}


@pytest.mark.parametrize("value", [B, -B])
def test_the_largest_sum_of_a_mean_fits(value: int) -> None:
    n = coordinates.MAX_SUM
    got = KERNELS.reduce_middle(list(np.full((n, 9), value, dtype=np.int32)), bound=B, trim=0, divisor=n)
    assert got is not None
    assert set(got.tolist()) == {value}


@pytest.mark.parametrize("threads", ["1", "2", "3"])
@pytest.mark.parametrize("rule", [spec.Rule.SUM32, spec.Rule.MEAN, spec.Rule.WEIGHTED_MEAN, spec.Rule.MEDIAN])
def test_the_number_of_threads_shows_in_no_bit(rule: spec.Rule, threads: str, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(compiled, "_SHARE_ENTRIES", 64)
    params = spec.RuleParams(rule=rule, parameter=0, select=0, bound=B, examples_cap=1000)
    updates = np.random.default_rng(5).integers(-2 * B, 2 * B, (7, 1009), dtype=np.int32)
    with use_compiled_kernels():
        got = aggregation.aggregate(params, updates, [1, 2, 3, 4, 5, 6, 7])
    assert got.tolist() == spec.aggregate(params, updates.tolist(), [1, 2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_the_number_of_threads_shows_in_no_inner_product_and_no_digest(threads: str, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(compiled, "_SHARE_ENTRIES", 64)
    monkeypatch.setattr(compiled, "_SHARE_BYTES", 64)
    updates = np.random.default_rng(6).integers(-2 * B, 2 * B, (7, 1009), dtype=np.int32)
    with use_numpy():
        want = distances.compute_gram(updates), commitments.compute_vector_root(updates[0], 3)
    with use_compiled_kernels():
        assert (distances.compute_gram(updates), commitments.compute_vector_root(updates[0], 3)) == want


@pytest.mark.skipif(not sha256.is_supported(), reason="this processor has no SHA instructions")
@pytest.mark.parametrize("prefix", [0, 1, 255])
@pytest.mark.parametrize("chunk_bytes", [1, 4, 54, 55, 56, 62, 63, 64, 118, 119, 120, 126, 127, 128, 191, 1024])
def test_digests_are_hashlibs(prefix: int, chunk_bytes: int) -> None:
    data = np.random.default_rng(chunk_bytes).bytes(5 * chunk_bytes + 1)[1:]  # not aligned
    got = KERNELS.hash_chunks(bytes([prefix]), memoryview(data), chunk_bytes)
    chunks = [data[i : i + chunk_bytes] for i in range(0, len(data), chunk_bytes)]
    assert got == b"".join(hashlib.sha256(bytes([prefix]) + chunk).digest() for chunk in chunks)


@pytest.mark.skipif(not sha256.is_supported(), reason="this processor has no SHA instructions")
@pytest.mark.parametrize("size", [1, 55, 56, 63, 64, 65, 119, 120, 128, 1000])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_pieces_that_lie_anywhere_are_hashed_as_hashlib_does(size: int, count: int) -> None:
    data = np.random.default_rng(size).bytes(3 * count * size)
    starts = np.random.default_rng(count).permutation(3 * count)[:count] * size
    pieces = [memoryview(data)[start : start + size] for start in starts]
    assert KERNELS.hash_pieces(pieces) == [hashlib.sha256(piece).digest() for piece in pieces]


def test_pieces_of_different_lengths_and_single_ones_are_left_to_hashlib() -> None:
    assert KERNELS.hash_pieces([b"a"]) is None
    assert KERNELS.hash_pieces([b"a", b"bc"]) is None


@pytest.mark.parametrize("size", [0, 5, 3 << 18, (3 << 18) + 1, (40 << 18) + 7])
def test_identifiers_are_the_same_with_and_without_kernels(size: int) -> None:
    data = np.random.default_rng(1).bytes(size)
    want = unixfs.add_file(chunks_of(data), lambda cid, block: None)
    with use_compiled_kernels():
        assert unixfs.add_file(chunks_of([data[:60], data[60:]]), lambda cid, block: None) == want


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 17, 64, 100, 129])
def test_roots_and_openings_are_the_specifications(size: int) -> None:
    values = np.random.default_rng(size).integers(MIN, MAX, size, dtype=np.int32)
    data, leaf_log2 = spec.encode_int32(values.tolist()), 2
    leaves = [spec.hash_leaf(chunk) for chunk in spec.split_chunks(data, 16)]
    with use_compiled_kernels():
        assert commitments.compute_vector_root(values, leaf_log2) == spec.compute_root(leaves)
        for index in range(len(leaves)):
            chunk, path = commitments.compute_opening(values, leaf_log2, index)
            assert chunk == data[16 * index : 16 * index + 16]
            assert path == spec.compute_inclusion_proof(leaves, index)


@pytest.mark.parametrize("shape", [(1, 1), (3, 0), (3, 7), (5, 64), (33, 100)])
def test_roots_of_matrices_are_the_specifications(shape: tuple[int, int]) -> None:
    updates = np.random.default_rng(7).integers(MIN, MAX, shape, dtype=np.int32)
    with use_compiled_kernels():
        for matrix_log2 in (0, 1, 3):
            want = spec.compute_matrix_root(updates.tolist(), matrix_log2)
            assert commitments.compute_matrix_root(updates, matrix_log2) == want


def test_rows_that_are_too_many_or_scattered_are_left_to_numpy() -> None:
    few = np.arange(60, dtype=np.int32).reshape(3, 20)
    many = list(np.zeros((coordinates.MAX_SUM + 1, 8), dtype=np.int32))
    assert KERNELS.sum32(list(few[:, ::2])) is None
    assert KERNELS.sum32(many) is None
    assert KERNELS.reduce_middle(many[: coordinates.MAX_NETWORK + 1], bound=1, trim=1, divisor=9) is None
    assert KERNELS.compute_gram(list(few[:, ::2]), bound=1) is None


def test_weights_whose_sums_doubles_cannot_hold_are_left_to_numpy() -> None:
    rows = list(np.full((3, 8), B, dtype=np.int32))
    assert KERNELS.reduce_weighted(rows, bound=B, weights=[1 << 30] * 3, divisor=3 << 30) is None


def test_a_compiled_median_takes_a_fifth_of_numpys_time_at_most() -> None:
    updates = np.random.default_rng(8).integers(-B, B, (32, 60_000), dtype=np.int32)
    params = spec.RuleParams(rule=spec.Rule.MEDIAN, parameter=0, select=0, bound=B, examples_cap=1)

    def work() -> None:
        aggregation.aggregate(params, updates, [1] * 32)

    with use_numpy():
        slow = measure(work, calls=3)
    with use_compiled_kernels():
        fast = measure(work, calls=3)
    assert fast.seconds <= slow.seconds / 5


def test_small_rounds_are_left_to_numpy(monkeypatch) -> None:
    monkeypatch.setattr(registry, "_load", lambda: pytest.fail("kernels were loaded"))
    updates = np.zeros((3, 100), dtype=np.int32)
    params = spec.RuleParams(rule=spec.Rule.MEDIAN, parameter=0, select=0, bound=B, examples_cap=1)
    assert aggregation.aggregate(params, updates, [1] * 3).tolist() == [0] * 100


def test_a_kernel_that_is_forgotten_takes_no_other_with_it() -> None:
    for _ in range(3):
        make = coordinates.compile_kernel.__wrapped__
        make("wrapped", 3, 0)  # freed at once
        assert make("wrapped", 2, 0).call is not None
        gc.collect()
    got = KERNELS.sum32(list(np.ones((6, 9), dtype=np.int32)))
    assert got is not None
    assert got.tolist() == [6] * 9


def test_without_llvm_there_are_no_kernels() -> None:
    report = "import sys; sys.modules['llvmlite'] = None; from fl import kernels; print(kernels.load())"
    run = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "None"


def _aggregate_in_child(queue: multiprocessing.Queue) -> None:
    rows = list(np.ones((4, 1 << 18), dtype=np.int32))
    queue.put(int(compiled.CompiledKernels().sum32(rows).sum()))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_a_forked_child_has_threads_of_its_own(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert KERNELS.sum32(list(np.ones((4, 1 << 18), dtype=np.int32))) is not None  # threads are running now
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_aggregate_in_child, args=(queue,))
    child.start()
    try:
        assert queue.get(timeout=30) == 4 << 18
    finally:
        child.kill()
        child.join()
