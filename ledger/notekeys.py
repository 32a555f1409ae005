"""Keys that sign checkpoints, at rest: encrypted like a project's other keys, in a folder of their own beside them."""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from pathlib import Path

from ledger.errors import ConfigurationError, KeyExists, KeyMissing, NotCanonical, UsageError, WrongPassword
from ledger.keys import DEVNET_PASSWORD
from ledger.notes import NoteKey, VerifierKey, parse_verifier_key

FOLDER = "notes"
"""Within the keystore's folder: these are no keys of the chain."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class NoteKeystore:
    """The keys of a project that sign notes: NAME.json each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def new(self, name: str, kind: int, password: str) -> VerifierKey:
        """Make a key and return its public half.

        Args: kind: `notes.PLAIN` or `notes.WITNESS`.
        Raises: UsageError: no name for a key; KeyExists: it is taken, nothing was overwritten.
        """
        file = self._file(name)
        if file.exists():
            raise KeyExists(name=name, path=self.path)
        key = NoteKey.from_seed(name, kind, secrets.token_bytes(32))
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=".new-", dir=self.path)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as output:
                json.dump({"verifier": str(key.verifier), **_encrypt(key.seed, password)}, output)
                output.flush()
                os.fsync(output.fileno())
            os.link(partial, file)  # fails where a rename would overwrite
        except FileExistsError:
            raise KeyExists(name=name, path=self.path) from None
        finally:
            Path(partial).unlink()
        return key.verifier

    def load(self, name: str, password: str) -> NoteKey:
        """Return a private key.

        Raises: UsageError, KeyMissing, WrongPassword; ConfigurationError: the file is none of ours.
        """
        from eth_keyfile.keyfile import decode_keyfile_json

        content, verifier = self._read(name)
        try:
            seed = bytes(decode_keyfile_json(content, password.encode()))
            key = NoteKey.from_seed(verifier.name, verifier.kind, seed)
        except ValueError as problem:
            if "MAC" in str(problem):
                raise WrongPassword(name=name) from None
            raise _not_ours(name) from None
        except (KeyError, TypeError):
            raise _not_ours(name) from None
        if key.verifier != verifier:
            raise _not_ours(name)
        return key

    def get_verifier(self, name: str) -> VerifierKey:
        """Return the public half of a key, without its password.

        Raises: UsageError, KeyMissing; ConfigurationError: the file is none of ours.
        """
        return self._read(name)[1]

    def names(self) -> list[str]:
        """Return the names of the keys, sorted."""
        return sorted(file.name.removesuffix(".json") for file in self.path.glob("[!.]*.json"))

    def _file(self, name: str) -> Path:
        if not _FILE_NAME.fullmatch(name):
            raise UsageError(f"'{name}' is no key name", hint="1 to 64 letters, digits, '-', '_' and '.'")
        return self.path / f"{name}.json"

    def _read(self, name: str) -> tuple[dict[str, object], VerifierKey]:
        try:
            content = json.loads(self._file(name).read_text("utf-8"))
            return content, parse_verifier_key(content["verifier"])
        except FileNotFoundError:
            raise KeyMissing(
                name=name, path=self.path, hint="fedtrail checkpoint keys; fedtrail checkpoint key NAME"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, NotCanonical):
            raise _not_ours(name) from None


def _not_ours(name: str) -> ConfigurationError:
    return ConfigurationError(f"key '{name}' is no file of a key that signs checkpoints")


def _encrypt(seed: bytes, password: str) -> dict[str, object]:
    from eth_keyfile.keyfile import create_keyfile_json

    # As for the other keys: a published password protects nothing, and a costly derivation only costs time.
    light = password == DEVNET_PASSWORD
    content = create_keyfile_json(
        seed, password.encode(), kdf="pbkdf2" if light else "scrypt", iterations=light or None
    )
    return {"crypto": content["crypto"], "version": content["version"]}
