"""The zip of a bundle: what is written is read, and nothing else is."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.bundle.chain_evidence import iter_items
from ledger.bundle.container import Container, stage
from ledger.errors import BadProof, FedtrailError, NotFoundError, Oversized, SpecError
from ledger.evidence import rlp

FILES = {"README.txt": b"read me", "blobs/b": b"", "chain/headers.rlp": bytes(3_000_000)}


def write(target: Path, files: dict[str, bytes]) -> bytes:
    with stage(target) as staging:
        for name, content in files.items():
            staging.add(name, [content[:10], content[10:]])
        staging.write(target)
    return target.read_bytes()


def read(path: Path) -> dict[str, bytes]:
    with Container(path) as container:
        return {name: container.read(name, max_bytes=1 << 30) for name in container.entries}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", FILES)
    assert read(tmp_path / "a.zip") == FILES
    assert write(tmp_path / "empty.zip", {}) == b"PK\5\6" + bytes(18)
    assert read(tmp_path / "empty.zip") == {}


def test_the_order_in_which_files_come_makes_no_difference(tmp_path: Path) -> None:
    backwards = dict(reversed(FILES.items()))
    assert write(tmp_path / "a.zip", FILES) == write(tmp_path / "b.zip", backwards)


def test_python_writes_the_same_bytes_where_it_is_told_everything(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in sorted(FILES.items()):
            info = zipfile.ZipInfo(name)
            info.external_attr, info.create_system = 0o100644 << 16, 3
            archive.writestr(info, content)
    assert file.getvalue() == write(tmp_path / "a.zip", FILES)


@given(place=st.integers(0, 10**6), change=st.integers(1, 255))
def test_no_byte_of_the_structure_can_change(tmp_path_factory: pytest.TempPathFactory, place: int, change: int) -> None:
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    whole = bytearray(write(path, {"README.txt": b"0123456789", "verify.py": b"x"}))
    place %= len(whole)
    whole[place] ^= change
    path.write_bytes(whole)
    try:
        with Container(path) as container:
            digests = [container.compute_digest(name) for name in container.entries]
    except SpecError:
        return
    # Only a content can change without its container noticing; then it has another digest, and another CRC first.
    pytest.fail(f"byte {place} changed: {digests}")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data + b"\0",
        lambda data: b"\0" + data,
        lambda data: data[:-22] + b"x" + data[-22:],
        lambda data: data[:-2] + b"\1\0" + b"c",
        lambda data: data[:-1],
        lambda data: data[len(data) // 2 :],
    ],
    ids=["trailing", "leading", "gap", "comment", "truncated", "second half"],
)
def test_bytes_that_no_entry_accounts_for_are_refused(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.zip"
    path.write_bytes(damage(write(path, {"README.txt": b"0123456789"})))
    with pytest.raises(SpecError):
        Container(path)


@pytest.mark.parametrize("kind", ["deflated", "comment", "extra", "unsorted", "twice", "other mode", "other date"])
def test_zips_of_other_programs_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.zip"
    method = zipfile.ZIP_DEFLATED if kind == "deflated" else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in ("b", "a") if kind == "unsorted" else ("a", "b"):
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0) if kind == "other date" else (1980, 1, 1, 0, 0, 0))
            info.external_attr = (0o100755 if kind == "other mode" else 0o100644) << 16
            info.create_system, info.compress_type = 3, method
            info.extra = b"\x99\x99\0\0" if kind == "extra" else b""
            archive.writestr(info, b"a" * 100)
        if kind == "twice":
            with pytest.warns(UserWarning):
                archive.writestr(info, b"again")
        archive.comment = b"hello" if kind == "comment" else b""
    with pytest.raises(SpecError):
        Container(path)


def test_an_entry_is_read_up_to_a_limit(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", FILES)
    with Container(tmp_path / "a.zip") as container:
        with pytest.raises(Oversized):
            container.read("chain/headers.rlp", max_bytes=2_999_999)
        with pytest.raises(NotFoundError):
            container.read("nothing", max_bytes=1)


def test_too_many_entries_or_bytes_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.bundle.container.MAX_ENTRIES", 2)
    with pytest.raises(Oversized, match="3 entries"):
        write(tmp_path / "a.zip", FILES)
    monkeypatch.setattr("ledger.bundle.container.MAX_ENTRIES", 3)
    monkeypatch.setattr("ledger.bundle.container.MAX_BUNDLE_BYTES", 3_000_000)
    with pytest.raises(Oversized):
        write(tmp_path / "a.zip", FILES)
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_left_behind_is_cleared_and_a_living_ones_is_not(tmp_path: Path) -> None:
    for pid in (1, 2**22 + 1):
        (tmp_path / f".a.zip.{pid}.partial").mkdir()
    write(tmp_path / "a.zip", FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.zip.1.partial", "a.zip"]


@given(sizes=st.lists(st.integers(0, 400), max_size=12), cut=st.integers(1, 500))
def test_rlp_lists_are_found_however_the_bytes_arrive(sizes: list[int], cut: int) -> None:
    items = [rlp.encode([bytes([1]) * size]) for size in sizes]
    stream = b"".join(items)
    chunks = [stream[at : at + cut] for at in range(0, len(stream), cut)]
    assert list(iter_items(chunks, 1000)) == items


@given(data=st.binary(max_size=200))
def test_whatever_bytes_come_as_rlp_lists_they_are_read_or_refused(data: bytes) -> None:
    try:
        assert b"".join(iter_items([data], 100)) == data
    except (BadProof, Oversized) as refused:
        assert isinstance(refused, FedtrailError)
