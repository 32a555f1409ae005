"""Blobs larger than memory: the same bytes through a map, and memory that stays that of a part."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ledger import commitments, mapped, spec, spool
from ledger.aggregation import aggregate
from ledger.store import EmbeddedStore

READ_ROWS = """
import mmap, sys
from pathlib import Path
import numpy as np
from ledger import commitments, mapped, spec, spool
from ledger.aggregation import aggregate

def read_most():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024

mapped.SPAN_ENTRIES = 1 << 21
n, d = 16, 1 << 21
with open(sys.argv[1], "rb") as file:
    values = np.frombuffer(spool.map_file(file.fileno()), dtype="<i4")
rows = [values[slot * d : (slot + 1) * d] for slot in range(n)]
params = spec.RuleParams(rule=spec.Rule.MEAN, parameter=0, select=0, bound=spec.MAX_BOUND, examples_cap=1)
before = read_most()
assert not aggregate(params, rows, [1] * n).any()
between = read_most()
commitments.compute_matrix_root(rows, 8)
for row in rows:
    commitments.compute_vector_root(row, 12)
print(between - before, read_most() - before)
"""


def test_a_small_blob_is_joined_in_memory() -> None:
    assert spool.join([b"ab", b"", b"c"]) == b"abc"
    assert spool.join([]) == b""


def test_a_large_blob_is_a_view_of_a_file_that_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAPPED_BYTES", 5)
    view = spool.join([b"abc", b"def", b"ghi"], tmp_path)
    assert isinstance(view, memoryview) and view == b"abcdefghi"
    assert view.readonly and not list(tmp_path.iterdir())


def test_what_was_forgotten_is_read_again(tmp_path: Path) -> None:
    data = np.arange(5 * mmap.PAGESIZE, dtype=np.int32)
    (tmp_path / "file").write_bytes(data.tobytes())
    with (tmp_path / "file").open("rb") as file:
        row = np.frombuffer(spool.map_file(file.fileno())[60:], dtype="<i4")
    mapped.forget(row[100:3000])
    mapped.forget(row[:0])
    mapped.forget(np.zeros(3, dtype=np.int32))
    assert row.tolist() == data[15:].tolist()


@pytest.mark.parametrize(("size", "entries"), [(0, 10), (1, 10), (64, 1), (1000, 200), (1000, 10**6)])
def test_parts_cover_every_coordinate_once(size: int, entries: int) -> None:
    rows = [np.zeros(size, dtype=np.int32)] * 3
    covered = [at for part in mapped.iter_parts(rows, entries) for at in range(part.start, part.stop)]
    assert covered == list(range(size))


def test_a_stored_blob_that_is_read_through_a_map_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, data = EmbeddedStore(tmp_path / "store"), np.random.default_rng(1).bytes(700_001)
    cid = store.put([data[:1], data[1:300_000], b"", data[300_000:]])
    assert cid == store.put(data), "pieces are the bytes that they make"
    assert store.get(cid, max_bytes=len(data)) == data
    monkeypatch.setattr(spool, "MAPPED_BYTES", 1 << 18)
    view = store.get(cid, max_bytes=len(data))
    assert isinstance(view, memoryview) and view == data
    assert not list((tmp_path / "store" / "tmp").iterdir())


def test_a_mapped_update_decodes_as_one_in_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(-40, 60, dtype=np.int32)
    fields = {"domain_separator": bytes(32), "round_id": 1, "client": 2, "size": 100, "scale_bits": 8, "leaf_log2": 3}
    header = spec.VectorHeader(kind=spec.Kind.UPDATE, num_examples=3, **fields)
    want = spec.Expectation(kind=spec.Kind.UPDATE, **fields)
    data = spec.encode_vector(header, commitments.encode_values(values))
    monkeypatch.setattr(spool, "MAPPED_BYTES", 1)
    view = spool.join([data])
    assert isinstance(view, memoryview)
    blob, got = commitments.decode_update(view, want=want, bound=60)
    assert (blob.header, got.tolist(), blob.root()) == (header, values.tolist(), spec.compute_vector_root(values, 3))
    with pytest.raises(spec.OutOfRange, match="59"):
        commitments.decode_update(view, want=want, bound=58)
    with pytest.raises(spec.TrailingBytes):
        commitments.decode_update(spool.join([data, b"x"]), want=want, bound=60)


def test_rules_take_rows_as_they_take_an_array() -> None:
    updates = np.random.default_rng(2).integers(-900, 900, (7, 300), dtype=np.int32)
    params = spec.RuleParams(rule=spec.Rule.KRUM, parameter=1, select=0, bound=1000, examples_cap=1)
    assert aggregate(params, list(updates), [1] * 7).tolist() == aggregate(params, updates, [1] * 7).tolist()
    with pytest.raises(spec.WrongShape, match="300"):
        aggregate(params, [*updates, updates[0][:-1]], [1] * 8)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the most memory of a process")
def test_resident_memory_stays_far_below_the_size_of_mapped_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    with path.open("wb") as file:
        file.truncate(4 * 16 << 21)  # 128 MiB
    done = subprocess.run([sys.executable, "-c", READ_ROWS, path], capture_output=True, text=True, check=True)
    reduced, hashed = map(int, done.stdout.split())
    assert reduced < 64 and hashed < 80, "MiB, the result and a few parts"
