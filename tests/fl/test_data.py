"""Digits ship with the package; MNIST and CIFAR-10 are read in the formats their authors published."""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from fl import data
from fl.data.bundled import decode_digits
from fl.data.dataset import Dataset, split_stratified
from ledger.errors import ConfigurationError, MissingExtra, NotFoundError, UsageError

MNIST_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array: np.ndarray) -> bytes:
    """IDX as LeCun's page describes it: 00 00, type, dimensions, big-endian sizes, rows."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, *, packed: bool = False, dotted: bool = False) -> dict[str, np.ndarray]:
    generator = np.random.Generator(np.random.PCG64(1))
    arrays = {}
    for name, count in zip(MNIST_NAMES, (7, 7, 3, 3), strict=True):
        shape, high = ((count, 28, 28), 256) if "images" in name else ((count,), 10)
        arrays[name] = generator.integers(0, high, shape).astype(np.uint8)
        file_name = name.replace("-idx", ".idx") if dotted else name
        blob = idx(arrays[name])
        if packed:
            (folder / f"{file_name}.gz").write_bytes(gzip.compress(blob))
        else:
            (folder / file_name).write_bytes(blob)
    return arrays


def write_cifar(folder: Path) -> bytes:
    """Binary CIFAR-10: a record is the label, then 1024 red, 1024 green and 1024 blue pixels."""
    generator = np.random.Generator(np.random.PCG64(2))
    records = generator.integers(0, 256, (12, 3073)).astype(np.uint8)
    records[:, 0] %= 10
    for number, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        (folder / name).write_bytes(records[2 * number : 2 * number + 2].tobytes())
    return records.tobytes()


def test_digits_need_nothing_but_the_package() -> None:
    digits = data.load("digits")
    assert digits.x_train.shape == (1438, 1, 8, 8)
    assert digits.x_test.shape == (359, 1, 8, 8)
    assert digits.x_train.dtype == np.float32 and digits.y_train.dtype == np.int64
    assert (digits.x_train.min(), digits.x_train.max()) == (0.0, 1.0)
    assert digits.num_classes == 10 and digits.licence == "CC BY 4.0" and "Alpaydin" in digits.source


def test_digits_are_those_of_scikit_learn() -> None:
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    original = sklearn_datasets.load_digits()
    x, y = decode_digits(resources.files("fl.data").joinpath("digits.npz").read_bytes())
    assert np.array_equal(x, original.data) and np.array_equal(y, original.target)


def test_attribution_names_authors_licence_and_the_file_that_ships() -> None:
    folder = resources.files("fl.data")
    text = folder.joinpath("ATTRIBUTION.md").read_text(encoding="utf-8")
    digest = hashlib.sha256(folder.joinpath("digits.npz").read_bytes()).hexdigest()
    for part in ("Alpaydin", "Kaynak", "creativecommons.org/licenses/by/4.0", digest):
        assert part in text


def test_changed_digits_are_refused_before_they_are_parsed() -> None:
    blob = bytearray(resources.files("fl.data").joinpath("digits.npz").read_bytes())
    blob[1000] ^= 1
    with pytest.raises(ConfigurationError, match="sha256"):
        decode_digits(bytes(blob))


def test_one_seed_gives_one_split_and_another_seed_another() -> None:
    first, again, other = (data.load("digits", seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.x_test, again.x_test) and np.array_equal(first.y_train, again.y_train)
    assert not np.array_equal(first.x_test, other.x_test)


def test_split_keeps_every_example_once_and_the_mix_of_classes() -> None:
    labels = np.repeat(np.array([0, 1, 2]), [100, 50, 10])
    train, test = split_stratified(labels, seed=0)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(160))
    assert np.bincount(labels[test]).tolist() == [20, 10, 2]


def test_arrays_of_a_data_set_cannot_be_written_to() -> None:
    digits = data.load("digits")
    with pytest.raises(ValueError, match="read-only"):
        digits.y_train[0] = 5
    part = digits.take(np.array([4, 2]))
    part.y[0] = 5  # a client's part is its own copy
    assert len(part) == 2


def test_breast_cancer_is_scaled_by_its_training_part() -> None:
    pytest.importorskip("sklearn")
    cancer = data.load("breast_cancer")
    assert cancer.x_train.shape[1:] == (30,) and len(cancer.y_train) + len(cancer.y_test) == 569
    assert np.allclose(cancer.x_train.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(cancer.x_train.std(axis=0), 1, atol=1e-4)


def test_breast_cancer_without_scikit_learn_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtra) as caught:
        data.load("breast_cancer")
    assert "fedtrail[data]" in caught.value.hint


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_mnist_is_read_from_idx_files(tmp_path: Path, packed: bool, dotted: bool) -> None:
    arrays = write_mnist(tmp_path, packed=packed, dotted=dotted)
    mnist = data.load("mnist", root=tmp_path)
    assert mnist.x_train.shape == (7, 1, 28, 28) and mnist.x_test.shape == (3, 1, 28, 28)
    assert np.array_equal(np.rint(mnist.x_train[:, 0] * 255), arrays[MNIST_NAMES[0]])
    assert np.array_equal(mnist.y_test, arrays[MNIST_NAMES[3]])


def test_folder_of_the_files_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    write_mnist(tmp_path / "MNIST" / "raw")
    monkeypatch.setenv("FEDTRAIL_DATA", str(tmp_path))
    assert len(data.load("mnist").y_train) == 7


def test_absent_mnist_names_the_file_and_all_that_are_expected(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / MNIST_NAMES[2]).unlink()
    with pytest.raises(NotFoundError, match="t10k-images-idx3-ubyte") as caught:
        data.load("mnist", root=tmp_path)
    assert all(name in caught.value.hint for name in MNIST_NAMES)


def test_without_a_folder_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEDTRAIL_DATA", raising=False)
    with pytest.raises(NotFoundError) as caught:
        data.load("cifar10")
    assert "FEDTRAIL_DATA" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(lambda b: b[:-1], "header asks for", id="truncated"),
        pytest.param(lambda b: b + b"\0", "header asks for", id="trailing"),
        pytest.param(lambda b: b[:6], "header alone", id="header-cut"),
        pytest.param(lambda b: b"", "starts with", id="empty"),
        pytest.param(lambda b: b[:2] + b"\x0d" + b[3:], "starts with", id="floats"),
        pytest.param(lambda b: b[:3] + b"\x01" + b[4:], "starts with", id="labels-as-images"),
        pytest.param(lambda b: b[:4] + struct.pack(">3I", 2**31, 2**31, 4) + b[16:], "asks for", id="overflow"),
    ],
)
def test_damaged_mnist_is_refused_with_the_file_and_the_reason(tmp_path: Path, change, what: str) -> None:
    write_mnist(tmp_path)
    path = tmp_path / MNIST_NAMES[0]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ConfigurationError, match=what) as caught:
        data.load("mnist", root=tmp_path)
    assert str(path) in caught.value.message


def test_damaged_archive_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, packed=True)
    path = tmp_path / f"{MNIST_NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        data.load("mnist", root=tmp_path)


def test_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fl.data.image_files.MAX_FILE_BYTES", 5000)
    write_mnist(tmp_path, packed=True)
    with pytest.raises(ConfigurationError, match="more than 5000 bytes"):
        data.load("mnist", root=tmp_path)


def test_images_without_their_labels_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / MNIST_NAMES[1]).write_bytes(idx(np.zeros(6, dtype=np.uint8)))
    with pytest.raises(ConfigurationError, match="7 inputs with 6 labels"):
        data.load("mnist", root=tmp_path)


def test_label_that_is_no_class_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / MNIST_NAMES[1]).write_bytes(idx(np.full(7, 10, dtype=np.uint8)))
    with pytest.raises(ConfigurationError, match="allowed are 0 to 9"):
        data.load("mnist", root=tmp_path)


def test_cifar_is_read_from_its_binary_version(tmp_path: Path) -> None:
    records = write_cifar(tmp_path)
    cifar = data.load("cifar10", root=tmp_path)
    assert cifar.x_train.shape == (10, 3, 32, 32) and cifar.x_test.shape == (2, 3, 32, 32)
    assert cifar.y_train.tolist() == [records[3073 * n] for n in range(10)]
    # Fourth record, green plane (the second), row 5, column 6.
    pixel = records[3 * 3073 + 1 + 1024 + 5 * 32 + 6]
    assert cifar.x_train[3, 1, 5, 6] == np.float32(pixel) / np.float32(255)


def test_cifar_in_pickles_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(NotFoundError, match=r"data_batch_1\.bin") as caught:
        data.load("cifar10", root=tmp_path)
    assert "binary version" in caught.value.hint


@pytest.mark.parametrize("size", [0, 3072, 3074])
def test_cifar_batch_of_broken_records_is_refused(tmp_path: Path, size: int) -> None:
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").write_bytes(bytes(size))
    with pytest.raises(ConfigurationError, match="whole records"):
        data.load("cifar10", root=tmp_path)


def test_misspelt_data_set_gets_a_suggestion() -> None:
    with pytest.raises(NotFoundError, match="did you mean digits"):
        data.load("digit")


def test_negative_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="seed is -1"):
        data.load("digits", seed=-1)


def test_empty_test_part_is_refused() -> None:
    x, y = np.zeros((2, 3), dtype=np.float32), np.array([0, 1])
    with pytest.raises(ConfigurationError, match="0 inputs"):
        Dataset(
            name="tiny", x_train=x, y_train=y, x_test=x[:0], y_test=y[:0], num_classes=2, source="test", licence="none"
        )
