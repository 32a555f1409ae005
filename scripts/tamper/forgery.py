"""A bundle in the hands of a forger: everything can be changed, and all that needs no key is made to fit again.

Digests of files, links and hashes of blocks, receipts roots and whole state tries are made anew. What a forger cannot
make is a block hash that an auditor knows already, a signature, or a preimage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from ledger.bundle.container import Container, stage
from ledger.evidence import rlp, trie
from ledger.evidence.receipts import compute_receipts_root

MANIFEST, ENVELOPE = "manifest.json", "manifest.dsse.json"
HEADERS, RECEIPTS, STATE = "chain/headers.rlp", "chain/receipts.rlp", "chain/state.json"
PARENT, STATE_ROOT, RECEIPTS_ROOT, NUMBER, TIME = 0, 3, 5, 8, 11
"""Places of a header's fields."""

Log = list[Any]
"""Address, topics, data."""


def read_files(path: Path) -> dict[str, bytes]:
    """Return the content of every entry of a bundle, by name."""
    with Container(path) as container:
        return {name: b"".join(container.chunks(name)) for name in container.entries}


def write_files(path: Path, files: dict[str, bytes]) -> None:
    """Write a bundle of these entries as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with stage(path) as staging:
        for name, data in files.items():
            staging.add(name, [data])
        staging.write(path)


def encode_json(document: object) -> bytes:
    """Return canonical JSON."""
    return (json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n").encode()


def describe_files(files: dict[str, bytes]) -> dict[str, dict[str, str]]:
    """Return what a manifest says of files."""
    return {
        name: {"bytes": str(len(data)), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
        if name not in (MANIFEST, ENVELOPE)
    }


def reseal(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with a manifest that fits them, unsigned."""
    manifest = json.loads(files[MANIFEST]) | {"files": describe_files(files)}
    kept = {name: data for name, data in files.items() if name != ENVELOPE}
    return kept | {MANIFEST: encode_json(manifest)}


class Forgery:
    """The parts of a bundle, to be changed and sealed again.

    Args: files: content by name.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)
        self.manifest: dict[str, Any] = json.loads(files[MANIFEST])
        self.headers: list[list[Any]] = [list(rlp.decode(item)) for item in rlp.split(files[HEADERS])]
        decoded = [rlp.decode(item) for item in rlp.split(files[RECEIPTS])]
        self.receipts: dict[int, list[bytes]] = {
            int.from_bytes(number, "big"): list(receipts)
            for number, receipts in decoded  # type: ignore[misc]
        }
        self.state: dict[str, Any] = json.loads(files[STATE])
        self._touched: set[int] = set()

    def edit_logs(self, contract: str, topic: bytes, change: Callable[[Log], Log | None], *, at: int = 0) -> None:
        """Change one log of a contract, or drop it where the change gives None.

        Args: topic: first topic of the log. at: which of those logs, in order; -1 is the last.
        Raises: LookupError: there are not so many.
        """
        address = bytes.fromhex(self.manifest["contracts"][contract][2:])
        places = [place for place, log in self.iter_logs() if log[0] == address and log[1][0] == topic]
        number, index, position = places[at]
        kind, parts = _open_receipt(self.receipts[number][index])
        changed = change([bytes(parts[3][position][0]), list(parts[3][position][1]), bytes(parts[3][position][2])])
        parts[3] = [*parts[3][:position], *([changed] if changed else []), *parts[3][position + 1 :]]
        self.receipts[number][index] = kind + rlp.encode(parts)
        self._touched.add(number)

    def iter_logs(self) -> Iterator[tuple[tuple[int, int, int], Log]]:
        """Yield (block, receipt, position) and the log there, of all receipts."""
        for number, receipts in sorted(self.receipts.items()):
            for index, receipt in enumerate(receipts):
                for position, log in enumerate(_open_receipt(receipt)[1][3]):
                    yield (number, index, position), log

    def replace_receipt(self, number: int, index: int, receipt: bytes) -> None:
        """Put other bytes in a receipt's place; the root of its block is made anew."""
        self.receipts[number][index] = receipt
        self._touched.add(number)

    def find_header(self, number: int) -> list[Any]:
        """Return the fields of a block's header; changes are sealed in."""
        return next(header for header in self.headers if _number_of(header) == number)

    def read_words(self) -> dict[str, dict[int, int]]:
        """Return what the bundle proves of the contracts' storage: words by slot, by contract."""
        return {
            key: {int(slot, 16): _read_word(slot, nodes) for slot, nodes in account["storage"].items()}
            for key, account in self.state["accounts"].items()
        }

    def rebuild_state(self, words: dict[str, dict[int, int]]) -> None:
        """Prove these words and the bundle's own codes in tries that hold nothing else."""
        storage = {
            key: {keccak(_word(slot)): rlp.encode(rlp.encode_int(value)) for slot, value in held.items() if value}
            for key, held in words.items()
        }
        accounts = {}
        for key, text in self.manifest["contracts"].items():
            root = trie.compute_root(storage[key])
            code = keccak(bytes.fromhex(self.state["code"][key][2:]))
            accounts[keccak(bytes.fromhex(text[2:]))] = rlp.encode([b"\x01", b"", root, code])
        self.headers[-1][STATE_ROOT] = trie.compute_root(accounts)
        for key, text in self.manifest["contracts"].items():
            self.state["accounts"][key] = {
                "address": text,
                "account": _to_hex(trie.prove(accounts, keccak(bytes.fromhex(text[2:])))),
                "storage": {
                    "0x" + _word(slot).hex(): _to_hex(trie.prove(storage[key], keccak(_word(slot))))
                    for slot in words[key]
                },
            }

    def append_block(self) -> None:
        """Put a block behind the last one in which nothing happens."""
        header = list(self.headers[-1])
        header[NUMBER] = rlp.encode_int(_number_of(header) + 1)
        header[TIME] = rlp.encode_int(int.from_bytes(header[TIME], "big") + 1)
        header[RECEIPTS_ROOT], header[6] = trie.EMPTY_ROOT, bytes(256)
        self.headers.append(header)
        self.state["block"] = str(_number_of(header))

    def seal(self, *, relink: bool = True) -> dict[str, bytes]:
        """Return the files of the bundle, made to fit each other.

        Args: relink: also make receipts roots, links and block hashes anew.
        """
        if relink:
            for number in self._touched:
                self.find_header(number)[RECEIPTS_ROOT] = compute_receipts_root(self.receipts[number])
            for before, header in zip(self.headers, self.headers[1:], strict=False):
                header[PARENT] = keccak(rlp.encode(before))
            for name, header in (("first_block", self.headers[0]), ("last_block", self.headers[-1])):
                digest = "0x" + keccak(rlp.encode(header)).hex()
                self.manifest[name] = {"number": str(_number_of(header)), "hash": digest}
        listed = [[rlp.encode_int(number), receipts] for number, receipts in sorted(self.receipts.items())]
        self.files[HEADERS] = b"".join(rlp.encode(header) for header in self.headers)
        self.files[RECEIPTS] = b"".join(rlp.encode(item) for item in listed)
        self.files[STATE] = encode_json(self.state)
        self.files[MANIFEST] = encode_json(self.manifest)
        return reseal(self.files)


def _open_receipt(receipt: bytes) -> tuple[bytes, list[Any]]:
    typed = 1 if receipt[0] < 0x80 else 0
    return receipt[:typed], list(rlp.decode(receipt[typed:]))


def _number_of(header: list[Any]) -> int:
    return int.from_bytes(header[NUMBER], "big")


def _read_word(slot: str, proof: list[str]) -> int:
    nodes = [bytes.fromhex(node[2:]) for node in proof]
    value = trie.verify(keccak(nodes[0]) if nodes else trie.EMPTY_ROOT, keccak(bytes.fromhex(slot[2:])), nodes)
    return int.from_bytes(bytes(rlp.decode(value)), "big") if value else 0  # type: ignore[arg-type]


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _to_hex(nodes: list[bytes]) -> list[str]:
    return ["0x" + node.hex() for node in nodes]


def shrink(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return a bundle that holds the same with short codes: sound by itself, and quick to check."""
    forgery = Forgery(files)
    words = forgery.read_words()
    contracts = {key: text[2:] for key, text in forgery.manifest["contracts"].items()}
    forgery.state["code"] = {
        key: "0x" + (contracts["registry"] + contracts["escrow"] if key == "ledger" else contracts["ledger"])
        for key in contracts
    }
    stakes = forgery.manifest["min_stake_wei"].values()
    forgery.state["code"]["registry"] += "".join("7f" + _word(int(wei)).hex() for wei in stakes)
    forgery.rebuild_state(words)
    forgery.files = {name: data for name, data in forgery.files.items() if not name.startswith("verify_")}
    forgery.files["verify.py"] = forgery.files["README.txt"] = b"left out\n"
    return forgery.seal()
