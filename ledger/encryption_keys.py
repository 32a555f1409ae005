"""Private halves of the encryption keys that participants announce: NAME.N.x25519.pem beside the signing keys.

PKCS 8, encrypted with the keystore's password. Which of them is in force when, the chain says (Statements).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.bundle.sealing import get_public, load_recipient_key, make_recipient_key
from ledger.errors import KeyMissing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_SUFFIX = ".x25519.pem"


class EncryptionKeys:
    """The encryption keys of one participant."""

    def __init__(self, folder: Path, name: str) -> None:
        """Args: folder: the project's keys. name: of the participant's signing key."""
        self.folder, self.name = folder, name

    def next(self, announced: Sequence[bytes], password: str) -> tuple[Path, bytes]:
        """Return file and public half of the key to announce: the newest one, or a new one if that was announced.

        So a key whose announcement was interrupted is announced the next time, and none is lost.
        Raises: WrongPassword: of the newest key.
        """
        files = self._files()
        if files and (public := get_public(load_recipient_key(files[-1], password))) not in announced:
            return files[-1], public
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._file(len(files))
        return file, make_recipient_key(file, password)

    def count(self) -> int:
        """Return how many keys there are, earlier ones and one that waits to be announced included."""
        return len(self._files())

    def list_public(self, password: str) -> list[str]:
        """Return the public halves, hex, oldest first. Raises: WrongPassword."""
        return [get_public(load_recipient_key(file, password)).hex() for file in self._files()]

    def load(self, public: bytes, password: str) -> X25519PrivateKey:
        """Return the private half of an announced key. Raises: KeyMissing: it is not here; WrongPassword."""
        for file in reversed(self._files()):
            key = load_recipient_key(file, password)
            if get_public(key) == public:
                return key
        raise KeyMissing(name=f"{self.name} ({public.hex()[:16]}...)", path=self.folder)

    def _file(self, number: int) -> Path:
        return self.folder / f"{self.name}.{number}{_SUFFIX}"

    def _files(self) -> list[Path]:
        files: list[Path] = []
        while (file := self._file(len(files))).exists():
            files.append(file)
        return files


class HeldKeys:
    """All encryption keys in a folder, whoever's they are; a `readers.KeyHolder`."""

    def __init__(self, folder: Path, get_password: Callable[[], str]) -> None:
        """Args: folder: the project's keys. get_password: asked once, and only if a key is needed and there is one."""
        self._folder, self._get_password = folder, get_password
        self._keys: dict[bytes, X25519PrivateKey] | None = None

    def find_key(self, public: bytes) -> X25519PrivateKey | None:
        """Return the private half of a key, announced or not; None if it is not here. Raises: WrongPassword."""
        if self._keys is None:
            self._keys = self._load()
        return self._keys.get(public)

    def _load(self) -> dict[bytes, X25519PrivateKey]:
        files = sorted(self._folder.glob(f"*{_SUFFIX}"))
        password = self._get_password() if files else ""
        keys = [load_recipient_key(file, password) for file in files]
        return {get_public(key): key for key in keys}
