"""The trust file: what an auditor takes as given, whatever a bundle, a proof or a node says.

    [ledger]
    chain_id = 31337
    contract = "0x5fbdb2315678afecb367f032d93f642f64180aa3"    # RoundLedger
    code_hash = "0x9f2c…e1d0"                                  # as in fedtrail.toml

    [anchor]                                                   # one satisfied rule is enough
    block_hash = {74 = "0xab…19"}
    witnesses = {need = 2, keys = ["hospital-a+3f0c21aa+BA…=", "bank-b+9c…"]}

It is the auditor's own and never comes from what is judged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.errors import BadConfiguration, NotCanonical
from ledger.marked import Document, SyntaxProblem, parse
from ledger.notes import SignedNote, VerifierKey, find_signers, parse_verifier_key
from ledger.suggestions import suggest

_KEYS = {
    (): ("ledger", "anchor"),
    ("ledger",): ("chain_id", "contract", "code_hash"),
    ("anchor",): ("block_hash", "witnesses"),
    ("anchor", "witnesses"): ("need", "keys"),
}
_HEX = re.compile(r"(0x)?((?:[0-9a-fA-F]{2})*)")
_Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What an auditor takes as given; nothing by default."""

    chain_id: int | None = None
    """Chain of the ledger."""
    contract: bytes | None = None
    """Address of RoundLedger, 20 bytes."""
    code_hash: bytes | None = None
    """Keccak-256 of the contracts' runtime codes, as fedtrail.toml pins it; 32 bytes."""
    block_hashes: Mapping[int, bytes] = field(default_factory=dict)
    """Hashes of blocks by number, 32 bytes each."""
    need: int = 0
    """How many of the witnesses must have signed a checkpoint."""
    keys: tuple[VerifierKey, ...] = ()
    """The witnesses."""

    @staticmethod
    def load(path: Path) -> Trust:
        """Read a trust file. Raises: BadConfiguration: names the line of the mistake."""
        try:
            document = parse(path.read_bytes(), suffix=".toml")
        except SyntaxProblem as error:
            raise BadConfiguration(file=f"{path}:{error.mark.line}:{error.mark.column}", what=str(error)) from error
        except OSError as error:
            raise BadConfiguration(file=path, what=str(error.strerror)) from error
        return _Reader(path, document).read()

    def find_witnesses(self, note: SignedNote) -> list[str]:
        """Return the names of the witnesses that signed a note.

        Raises: WrongSigner: a line that names one of them does not verify.
        """
        return [key.name for key in find_signers(note, self.keys)]

    def is_witnessed(self, note: SignedNote) -> bool:
        """Whether enough witnesses signed a note; never without any.

        Raises: WrongSigner.
        """
        return 0 < self.need <= len(self.find_witnesses(note))


class _Reader:
    """Checks a parsed trust file; every complaint names its place."""

    def __init__(self, path: Path, document: Document) -> None:
        self._path, self._document = path, document

    def read(self) -> Trust:
        for place in _KEYS:
            for key in self._table(place):
                if key not in _KEYS[place]:
                    raise self._bad((*place, key), f"unknown key '{key}'{suggest(key, _KEYS[place])}")
        ledger, witnesses = self._table(("ledger",)), self._table(("anchor", "witnesses"))
        keys = self._read_keys(witnesses.get("keys", []))
        return Trust(
            chain_id=self._read_number(("ledger", "chain_id")) if "chain_id" in ledger else None,
            contract=self._read_hex(("ledger", "contract"), 20) if "contract" in ledger else None,
            code_hash=self._read_hex(("ledger", "code_hash"), 32) if "code_hash" in ledger else None,
            block_hashes=self._read_blocks(),
            need=self._read_need(len(keys)) if witnesses else 0,
            keys=keys,
        )

    def _read_blocks(self) -> dict[int, bytes]:
        place: _Place = ("anchor", "block_hash")
        found = {}
        for number in self._table(place):
            if not re.fullmatch("0|[1-9][0-9]{0,18}", number):
                raise self._bad((*place, number), f"'{number}' is no block number")
            found[int(number)] = self._read_hex((*place, number), 32)
        return found

    def _read_keys(self, texts: Any) -> tuple[VerifierKey, ...]:
        place: _Place = ("anchor", "witnesses", "keys")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self._bad(place, "'keys' is no list of texts NAME+ID+KEY")
        try:
            keys = tuple(parse_verifier_key(text) for text in texts)
        except NotCanonical as problem:
            raise self._bad(place, str(problem.detail["what"])) from None
        # One witness under two names must not count twice.
        if len({key.public for key in keys}) != len(keys):
            raise self._bad(place, "a witness's key is there twice")
        return keys

    def _read_need(self, count: int) -> int:
        place: _Place = ("anchor", "witnesses", "need")
        need = self._read_number(place)
        if not 1 <= need <= count:
            raise self._bad(place, f"'need' is {need}, expected 1 to {count}, the number of keys")
        return need

    def _read_number(self, place: _Place) -> int:
        value = self._get(place)
        if type(value) is not int or value < 0:
            raise self._bad(place, f"'{place[-1]}' is {value!r}, expected a whole number")
        return value

    def _read_hex(self, place: _Place, size: int) -> bytes:
        value = self._get(place)
        match = _HEX.fullmatch(value) if isinstance(value, str) else None
        data = bytes.fromhex(match[2]) if match else b""
        if len(data) != size:
            raise self._bad(place, f"'{place[-1]}' is {value!r}, expected {size} bytes in hex")
        return data

    def _table(self, place: _Place) -> dict[str, Any]:
        table: Any = self._document.data
        for part in place:
            table = table.get(part, {})
            if not isinstance(table, dict):
                raise self._bad(place, f"'{place[-1]}' is {table!r}, expected a table")
        return dict(table)

    def _get(self, place: _Place) -> Any:
        return self._table(place[:-1]).get(str(place[-1]))

    def _bad(self, place: _Place, what: str) -> BadConfiguration:
        mark = self._document.locate(place)
        return BadConfiguration(file=f"{self._path}:{mark.line}:{mark.column}", what=what)
