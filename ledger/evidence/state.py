"""Proofs of accounts and of their storage against a block's state root, as eth_getProof gives them. Pure.

Source: EIP-1186; Ethereum Yellow Paper 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from ledger.errors import BadProof
from ledger.evidence import rlp, trie

_WORD_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the state holds of an account."""

    nonce: int
    """Transactions sent, or contracts created."""
    balance: int
    """In wei."""
    storage_root: bytes
    """Root of its storage, 32 bytes."""
    code_hash: bytes
    """Keccak-256 of its code, 32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProof:
    """Evidence about one account and some of its slots, not yet verified."""

    address: bytes
    """20 bytes."""
    nodes: tuple[bytes, ...]
    """From the state root down."""
    slots: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    """By slot number: nodes from the storage root down."""


def verify_account(state_root: bytes, address: bytes, proof: Sequence[bytes]) -> Account:
    """Return what the state holds of an account.

    Raises: BadProof: the nodes do not lead there, or lead to the proof that there is no such account.
    """
    value = trie.verify(state_root, keccak(address), proof)
    parts = rlp.decode(value) if value is not None else None
    match parts:
        case None:
            raise BadProof(what=f"the state has no account 0x{address.hex()}")
        case [nonce, balance, bytes() as root, bytes() as code] if len(root) == len(code) == _WORD_BYTES:
            return Account(
                nonce=rlp.decode_int(nonce), balance=rlp.decode_int(balance), storage_root=root, code_hash=code
            )
    raise BadProof(what=f"a malformed account 0x{address.hex()}")


def verify_storage(storage_root: bytes, slot: int, proof: Sequence[bytes]) -> int:
    """Return the word in a slot of an account's storage; 0 is proven by absence.

    Raises: BadProof: the nodes do not lead there, or the value is no word.
    """
    value = trie.verify(storage_root, keccak(slot.to_bytes(_WORD_BYTES, "big")), proof)
    word = rlp.decode_int(rlp.decode(value)) if value is not None else 0
    if word >> (8 * _WORD_BYTES):
        raise BadProof(what="a storage value of more than 32 bytes")
    return word


def verify_proof(state_root: bytes, proof: AccountProof) -> tuple[Account, dict[int, int]]:
    """Return an account and the words in those of its slots that the evidence covers.

    Raises: BadProof.
    """
    account = verify_account(state_root, proof.address, proof.nodes)
    return account, {
        slot: verify_storage(account.storage_root, slot, nodes) for slot, nodes in sorted(proof.slots.items())
    }


def encode_proof(proof: AccountProof) -> dict[str, Any]:
    """Return evidence as JSON objects: lower-case hex with 0x, slots as 32 bytes in rising order."""
    return {
        "address": _hex(proof.address),
        "account": [_hex(node) for node in proof.nodes],
        "storage": {
            _hex(slot.to_bytes(_WORD_BYTES, "big")): [_hex(node) for node in nodes]
            for slot, nodes in sorted(proof.slots.items())
        },
    }


def decode_proof(value: object) -> AccountProof:
    """Return evidence from JSON objects.

    Raises: BadProof: they are not what `encode_proof` makes.
    """
    try:
        match value:
            case {"address": str(address), "account": list(nodes), "storage": dict(storage)}:
                proof = AccountProof(
                    address=bytes.fromhex(address[2:]),
                    nodes=tuple(bytes.fromhex(node[2:]) for node in nodes),
                    slots={
                        int(slot, 16): tuple(bytes.fromhex(node[2:]) for node in part) for slot, part in storage.items()
                    },
                )
                if len(proof.address) == 20 and encode_proof(proof) == value:
                    return proof
    except (ValueError, TypeError, AttributeError, OverflowError):
        pass
    raise BadProof(what="a proof of state that is not canonical")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
