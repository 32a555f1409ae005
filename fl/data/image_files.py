"""MNIST (IDX files) and CIFAR-10 (binary batches) from files that the user has; nothing is downloaded or unpickled."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from fl.data.dataset import Dataset
from ledger.errors import ConfigurationError, NotFoundError

MAX_FILE_BYTES = 1 << 30
CIFAR_PIXELS = 3 * 32 * 32
_MNIST_FOLDERS = ("", "mnist", "MNIST/raw")
_CIFAR_FOLDERS = ("", "cifar-10-batches-bin", "cifar10")
_IDX_UNSIGNED_BYTE = 0x08


def load_mnist(root: Path) -> Dataset:
    """Return MNIST, or a set published in its four files, as images [n, 1, height, width] of 0 to 1.

    Args:
        root: folder with the files, plain or gzipped; its subfolders `mnist` and `MNIST/raw` are searched too.

    Raises:
        NotFoundError: a file is missing; the hint names all four.
        ConfigurationError: a file is not in the IDX format.
    """
    stems = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    hint = f"expected in {root}: " + ", ".join(f"{stem}-ubyte" for stem in stems) + " (each also as .gz)"
    paths = [_find(root, _MNIST_FOLDERS, _idx_names(stem), hint) for stem in stems]
    x_train, y_train, x_test, y_test = (read_idx(path) for path in paths)
    return Dataset(
        name="mnist",
        x_train=_scaled(x_train[:, None]),
        y_train=y_train.astype(np.int64),
        x_test=_scaled(x_test[:, None]),
        y_test=y_test.astype(np.int64),
        num_classes=10,
        source="Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits, 1998",
        licence="not stated by its authors",
    )


def load_cifar10(root: Path) -> Dataset:
    """Return CIFAR-10 as images [n, 3, 32, 32] of 0 to 1, from its binary version.

    Args:
        root: folder with the files; its subfolders `cifar-10-batches-bin` and `cifar10` are searched too.

    Raises:
        NotFoundError: a file is missing; the hint names all six.
        ConfigurationError: a file does not consist of whole records.
    """
    names = [f"data_batch_{number}.bin" for number in range(1, 6)]
    # The version for Python holds pickles, and unpickling a file runs whatever program it contains.
    hint = f"expected in {root}: data_batch_1.bin to data_batch_5.bin, test_batch.bin; the binary version is read alone"
    train = [read_cifar_batch(_find(root, _CIFAR_FOLDERS, (name,), hint)) for name in names]
    x_test, y_test = read_cifar_batch(_find(root, _CIFAR_FOLDERS, ("test_batch.bin",), hint))
    return Dataset(
        name="cifar10",
        x_train=_scaled(np.concatenate([x for x, _ in train])),
        y_train=np.concatenate([y for _, y in train]).astype(np.int64),
        x_test=_scaled(x_test),
        y_test=y_test.astype(np.int64),
        num_classes=10,
        source="A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
        licence="not stated by its author",
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes: labels [n] or images [n, height, width].

    Args:
        path: at most 1 GiB of content; unpacked when its name ends in `.gz`.

    Raises:
        ConfigurationError: the magic number, a dimension or the length is wrong, by name or by content.
    """
    blob = _read(path)
    dimensions = 3 if "idx3" in path.name else 1
    if blob[:4] != bytes([0, 0, _IDX_UNSIGNED_BYTE, dimensions]):
        raise _damaged(path, f"it starts with {blob[:4].hex()}, expected 0000{_IDX_UNSIGNED_BYTE:02x}{dimensions:02x}")
    header_bytes = 4 + 4 * dimensions
    if len(blob) < header_bytes:
        raise _damaged(path, f"it has {len(blob)} bytes, its header alone takes {header_bytes}")
    shape = tuple(int(size) for size in np.frombuffer(blob, dtype=">u4", count=dimensions, offset=4))
    # math.prod counts in Python's integers: a hostile header must not overflow into a plausible size.
    want = header_bytes + prod(shape)
    if len(blob) != want:
        raise _damaged(path, f"it has {len(blob)} bytes, its header asks for {want}")
    return np.frombuffer(blob, dtype=np.uint8, offset=header_bytes).reshape(shape)


def read_cifar_batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images uint8 [n, 3, 32, 32] and labels uint8 [n] of a binary CIFAR-10 batch.

    Raises:
        ConfigurationError: the file is empty or does not consist of records of 1 + 3072 bytes.
    """
    blob = _read(path)
    if not blob or len(blob) % (1 + CIFAR_PIXELS):
        raise _damaged(path, f"{len(blob)} bytes are not whole records of {1 + CIFAR_PIXELS}")
    records = np.frombuffer(blob, dtype=np.uint8).reshape(-1, 1 + CIFAR_PIXELS)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def _idx_names(stem: str) -> Iterator[str]:
    for name in (f"{stem}-ubyte", f"{stem.replace('-idx', '.idx')}-ubyte"):
        yield name
        yield f"{name}.gz"


def _find(root: Path, folders: tuple[str, ...], names: Iterator[str] | tuple[str, ...], hint: str) -> Path:
    wanted = list(names)
    for folder in folders:
        for name in wanted:
            if (path := root / folder / name).is_file():
                return path
    raise NotFoundError(kind="data file", name=wanted[0], suggestion=f" in {root}", hint=hint)


def _read(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            # One byte more than allowed: a small archive may unpack to more than the memory holds.
            blob = cast(BinaryIO, file).read(MAX_FILE_BYTES + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise _damaged(path, f"it cannot be read ({error})") from error
    if len(blob) > MAX_FILE_BYTES:
        raise _damaged(path, f"it holds more than {MAX_FILE_BYTES} bytes")
    return blob


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255)


def _damaged(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"data file {path}: {what}", hint="fetch the file again", path=str(path), what=what)
