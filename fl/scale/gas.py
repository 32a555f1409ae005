"""Gas of transactions beside the least that any contract could do with: their bytes, and the signatures it checks."""

from __future__ import annotations

from dataclasses import dataclass

from ledger import artifacts
from ledger.chain import Chain
from ledger.chain.abi import get_interface

BASE_GAS = 21_000
"""Of every transaction."""
TOKEN_GAS, FLOOR_TOKEN_GAS = 4, 10
"""A token is a zero byte of calldata or a quarter of another one; the second figure is EIP-7623's least."""
RECOVER_GAS = 3_000
"""Of recovering one signer (the precompile ECRECOVER)."""
_BATCH = "commitBatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionGas:
    """One transaction of a round."""

    name: str
    """Function, with the number of clients where the gas depends on it: commitBatch n=100."""
    gas: int
    """Measured, from its receipt."""
    floor_gas: int
    """Least gas for its bytes and its signatures, without any storage."""
    calldata_bytes: int

    @property
    def ratio(self) -> float:
        """Return how many times the floor it takes."""
        return self.gas / self.floor_gas


def compute_floor(calldata: bytes, signatures: int) -> int:
    """Return the least gas of a transaction (EIP-2028, EIP-7623) whose contract recovers so many signers."""
    tokens = calldata.count(0) + 4 * (len(calldata) - calldata.count(0))
    return BASE_GAS + max(TOKEN_GAS * tokens + RECOVER_GAS * signatures, FLOOR_TOKEN_GAS * tokens)


def read_gas(chain: Chain, round_id: int, clients: int) -> tuple[TransactionGas, ...]:
    """Return the transactions of a finalised round in their order, by function of the contracts.

    Args: chain: on which nothing else happened from the round's opening to its end. clients: that committed.
    """
    events = chain.events(round_id=round_id)
    found = []
    for block in range(events[0].block, events[-1].block + 1):
        for sent in chain.w3.eth.get_block(block, full_transactions=True)["transactions"]:
            assert not isinstance(sent, bytes)  # they were asked for as a whole
            calldata, receipt = bytes(sent["input"]), chain.w3.eth.get_transaction_receipt(sent["hash"])
            name = _name_function(calldata[:4])
            found.append(
                TransactionGas(
                    name=f"{name} n={clients}" if name == _BATCH else name,
                    gas=receipt["gasUsed"],
                    floor_gas=compute_floor(calldata, clients if name == _BATCH else 0),
                    calldata_bytes=len(calldata),
                )
            )
    return tuple(found)


def _name_function(selector: bytes) -> str:
    interfaces = (get_interface(contract) for contract in artifacts.CONTRACTS)
    functions = (item for interface in interfaces for item in interface.functions.values())
    return next((item.name for item in functions if item.signature_hash[:4] == selector), "0x" + selector.hex())
