"""Signing keys at rest: encrypted JSON files (Web3 Secret Storage, version 3), one a name.

A devnet's keys protect nothing: their password is public and their key derivation is light, so that ten clients
start at once. Every other key is derived with scrypt at the full cost.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import ConfigurationError, KeyExists, KeyMissing, UsageError, WrongPassword
from ledger.passwords import get_password

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.chain import Network

DEVNET_PASSWORD = "devnet"

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_OLD_KEY = re.compile(r"(.+)\.(\d+)")
_ADDRESS = re.compile("(0x)?[0-9a-f]{40}")


def password_for(network: Network, *, name: str = "signing key", confirm: bool = False) -> str:
    """Return the keystore password: the public one on a devnet, else what `passwords.get_password` finds.

    Args and errors as there.
    """
    return DEVNET_PASSWORD if network.devnet else get_password(name, confirm=confirm)


class Keystore:
    """The keys of a project: NAME.json, and NAME.0.json, NAME.1.json … for keys that were rotated away.

    .next-NAME.json waits to take a key's place: it is on disk before the registry hears of it, so that an interrupted
    rotation is finished and none is begun twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def new(self, name: str, password: str) -> str:
        """Make a key and return its checksummed address.

        Raises: UsageError: the name is not one; KeyExists: it is taken, nothing was overwritten.
        """
        file = self._file(name)
        if file.exists():
            raise KeyExists(name=name, path=self.path)
        account = _make_account()
        partial = self._write_partial(account, password)
        try:
            os.link(partial, file)  # fails where a rename would overwrite
        except FileExistsError:
            raise KeyExists(name=name, path=self.path) from None
        finally:
            partial.unlink()
        _sync_folder(self.path)
        return account.address

    def load(self, name: str, password: str, *, version: int | None = None) -> LocalAccount:
        """Return the account of a key.

        Args: version: number of a key that was rotated away; None for the current one.
        Raises: UsageError, KeyMissing, WrongPassword; ConfigurationError: the file is no keystore.
        """
        return self._decrypt(self._file(name, version), name, password)

    def _decrypt(self, file: Path, name: str, password: str) -> LocalAccount:
        from eth_account import Account

        content = self._read(file, name)
        try:
            account: LocalAccount = Account.from_key(Account.decrypt(content, password))
        except ValueError as problem:
            if "MAC" in str(problem):
                raise WrongPassword(name=name) from None
            raise ConfigurationError(f"key '{name}' is no keystore file: {problem}") from None
        except (KeyError, TypeError) as problem:
            raise ConfigurationError(f"key '{name}' is no keystore file: {problem!r}") from None
        return account

    def names(self) -> list[str]:
        """Return the names of the current keys, sorted."""
        stems = [file.name.removesuffix(".json") for file in self.path.glob("*.json")]
        return sorted(stem for stem in stems if _NAME.fullmatch(stem) and not _OLD_KEY.fullmatch(stem))

    def address(self, name: str, *, version: int | None = None) -> str:
        """Return the checksummed address of a key without its password.

        Raises: UsageError, KeyMissing; ConfigurationError: the file is no keystore.
        """
        from eth_utils.address import to_checksum_address

        return to_checksum_address(self.plain_address(name, version=version))

    def plain_address(self, name: str, *, version: int | None = None) -> str:
        """Return the address of a key without its password, 0x hex in lower case, at once.

        Raises: UsageError, KeyMissing; ConfigurationError: the file is no keystore.
        """
        return self._read_address(self._file(name, version), name)

    def _read_address(self, file: Path, name: str) -> str:
        address = self._read(file, name).get("address")
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address.lower()):
            raise ConfigurationError(f"key '{name}' is no keystore file: it names no address")
        return "0x" + address.lower().removeprefix("0x")

    def rotate(self, name: str, password: str) -> str:
        """Put a new key in the place of a key, which is kept as NAME.N.json, and return the new address.

        Raises: UsageError, KeyMissing; WrongPassword: of the present key, so that one password opens all of them.
        """
        address = self.prepare(name, password).address
        self.adopt(name)
        return address

    def prepare(self, name: str, password: str) -> LocalAccount:
        """Return the key that waits to take a key's place: the one that was made before, or a new one.

        Raises: UsageError, KeyMissing; WrongPassword: of the present key, so that one password opens all of them.
        """
        self.load(name, password)
        file = self._next_file(name)
        if not file.exists():
            self._write_partial(_make_account(), password).replace(file)
            _sync_folder(self.path)
        return self._decrypt(file, name, password)

    def adopt(self, name: str) -> None:
        """Let the key that waits take its place; the present one is kept as NAME.N.json.

        Raises: UsageError, KeyMissing: none waits.
        """
        file, waiting = self._file(name), self._next_file(name)
        self._read(waiting, name)
        count = self.count_versions(name)
        # Somebody that died between the two steps has kept the present key already.
        if not count or self.plain_address(name, version=count - 1) != self.plain_address(name):
            os.link(file, self._file(name, count))
        waiting.replace(file)
        _sync_folder(self.path)

    def waiting_address(self, name: str) -> str | None:
        """Return the address of the key that waits, 0x hex in lower case; None if none does."""
        file = self._next_file(name)
        return self._read_address(file, name) if file.exists() else None

    def list_addresses(self, name: str) -> dict[str, Path]:
        """Return the files of all keys of a name by address (0x hex in lower case): earlier, present, waiting."""
        earlier = [self._file(name, version) for version in range(self.count_versions(name))]
        files = [*earlier, self._file(name), self._next_file(name)]
        return {self._read_address(file, name): file for file in files if file.exists()}

    def load_by_address(self, name: str, address: bytes, password: str) -> LocalAccount:
        """Return the key of a name with an address of 20 bytes. Raises: KeyMissing: none has it; WrongPassword."""
        file = self.list_addresses(name).get(f"0x{address.hex()}")
        if file is None:
            raise KeyMissing(name=f"{name} (0x{address.hex()})", path=self.path)
        return self._decrypt(file, name, password)

    def count_versions(self, name: str) -> int:
        """Return how many keys of that name were rotated away."""
        count = 0
        while self._file(name, count).exists():
            count += 1
        return count

    def _file(self, name: str, version: int | None = None) -> Path:
        if not _NAME.fullmatch(name) or _OLD_KEY.fullmatch(name):
            raise UsageError(
                f"'{name}' is no key name",
                hint="1 to 64 letters, digits, '-', '_' and '.'; no dot in front, and no number after the last dot",
            )
        return self.path / (f"{name}.json" if version is None else f"{name}.{version}.json")

    def _next_file(self, name: str) -> Path:
        return self._file(name).with_name(f".next-{name}.json")

    def _read(self, file: Path, name: str) -> dict[str, str]:
        try:
            content = json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise KeyMissing(name=name if file == self._file(name) else file.stem, path=self.path) from None
        except ValueError:
            raise ConfigurationError(f"key '{name}' is no keystore file: it is not JSON") from None
        if not isinstance(content, dict):
            raise ConfigurationError(f"key '{name}' is no keystore file: it is no JSON object")
        return content

    def _write_partial(self, account: LocalAccount, password: str) -> Path:
        """Return a complete, synced file beside the keys that nobody reads yet (mode 0600)."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = _encrypt(account, password)
        descriptor, partial = tempfile.mkstemp(prefix=".new-", dir=self.path)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        return Path(partial)


def _make_account() -> LocalAccount:
    from eth_account import Account

    account: LocalAccount = Account.create()
    return account


def _encrypt(account: LocalAccount, password: str) -> dict[str, object]:
    from eth_account import Account

    if password == DEVNET_PASSWORD:
        # A published password protects nothing: a costly derivation would only cost time.
        return dict(Account.encrypt(account.key, password, kdf="pbkdf2", iterations=1))
    return dict(Account.encrypt(account.key, password))


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
