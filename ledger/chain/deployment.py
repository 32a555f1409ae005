"""Put the contracts on a chain. Each is told the others' addresses, so the first names the later ones in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger import artifacts
from ledger.chain.abi import encode_values, get_interface
from ledger.chain.calls import Call, spec_address
from ledger.chain.connection import Connection, to_bytes, to_hex, to_quantity
from ledger.chain.network import Deployment, DeployParams, Network
from ledger.chain.sending import Order, Sending
from ledger.errors import ConfigurationError, WrongChain
from ledger.journal import Journal

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.chain.views import Receipt

Addresses = Mapping[str, bytes]
"""20 bytes by the keys of `artifacts.KEYS`."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one contract is made."""

    arguments: Callable[[Addresses, DeployParams, bytes], tuple[object, ...]]
    """Constructor arguments from all addresses, the parameters, and the deployer's address."""
    is_court: bool = False
    """Whether the ledger takes its verdicts."""


def _registry_arguments(at: Addresses, params: DeployParams, deployer: bytes) -> tuple[object, ...]:
    stakes = (params.client_min_stake_wei, params.aggregator_min_stake_wei, params.attestor_min_stake_wei)
    return (at["ledger"], at["escrow"], *stakes, params.activation_seconds, params.unbond_seconds)


def _ledger_arguments(at: Addresses, params: DeployParams, deployer: bytes) -> tuple[object, ...]:
    courts = [at[key] for key, plan in _PLANS.items() if plan.is_court]
    governor, guardian = params.governor or deployer, params.guardian or deployer
    return (at["registry"], at["escrow"], courts, governor, guardian, params.max_pause_seconds)


def _krum_arguments(at: Addresses, params: DeployParams, deployer: bytes) -> tuple[object, ...]:
    clocks = (params.game_clock_seconds, params.game_extension_seconds)
    return (at["registry"], at["ledger"], params.game_bond_wei, *clocks)


def _board_arguments(at: Addresses, params: DeployParams, deployer: bytes) -> tuple[object, ...]:
    prices = (params.max_answer_bytes, params.gas_per_answer, params.gas_per_byte)
    return (at["registry"], at["ledger"], at["escrow"], params.answer_seconds, *prices)


# One line a contract, as in artifacts.KEYS.
_PLANS: dict[str, _Plan] = {
    "registry": _Plan(_registry_arguments),
    "ledger": _Plan(_ledger_arguments),
    "escrow": _Plan(lambda at, params, deployer: (at["registry"], at["ledger"])),
    "court": _Plan(lambda at, params, deployer: (at["registry"], at["ledger"], at["escrow"]), is_court=True),
    "session_court": _Plan(lambda at, params, deployer: (at["registry"], at["ledger"]), is_court=True),
    "krum_court": _Plan(_krum_arguments, is_court=True),
    "unmask_court": _Plan(lambda at, params, deployer: (at["ledger"],), is_court=True),
    "board": _Plan(_board_arguments, is_court=True),
    "statements": _Plan(lambda at, params, deployer: (at["registry"], at["ledger"])),
    "reward_pool": _Plan(lambda at, params, deployer: (at["registry"], at["ledger"])),
}


def deploy(
    network: Network,
    deployer: LocalAccount,
    journal: Journal,
    *,
    params: DeployParams | None = None,
    key: str = "deploy",
    timelock_seconds: int | None = None,
) -> Deployment:
    """Deploy the contracts of `artifacts.KEYS`; after an interruption, go on where it stopped.

    Args: deployer: pays, and governs and guards unless params name others. key: prefix of the journal's keys; a second
    deployment on the same chain needs another one. timelock_seconds: the governor is a LedgerTimelock with this delay,
    deployed first, to which the deployer proposes; None for no timelock.
    Raises: WrongChain; CannotReach; ConfigurationError: the deployer's key sent something else in between.
    """
    params = params or DeployParams()
    connection = Connection(network.rpc, ca_file=network.ca_file)
    verify_chain_id(connection, network)
    sending = Sending(
        connection,
        journal,
        chain_id=network.chain_id,
        devnet=network.devnet,
        confirmations=network.confirmations,
    )
    sending.recover()
    sender = spec_address(deployer)
    timelock = {}
    if timelock_seconds is not None:
        # First of all: the ledger's constructor takes its governor's address.
        made = _make_creation(artifacts.TIMELOCK, (timelock_seconds, [sender]))
        receipt = sending.send(Order(call=made, key=f"{key}/{artifacts.TIMELOCK}", sender=deployer))
        timelock = {artifacts.TIMELOCK: receipt.contract or b""}
        params = replace(params, governor=receipt.contract)
    first, *rest = artifacts.KEYS
    order = Order(call=_make_first_call(first, sender, params), key=f"{key}/{first}", sender=deployer)
    receipts = {first: sending.send(order)}
    at = compute_addresses(sender, _get_nonce(connection, receipts[first]))
    for name in rest:
        call = _make_creation(name, _PLANS[name].arguments(at, params, sender))
        receipts[name] = sending.send(Order(call=call, key=f"{key}/{name}", sender=deployer))
    if {name: receipt.contract for name, receipt in receipts.items()} != at:
        raise ConfigurationError(
            "the deployer's key sent another transaction between the contracts, so they do not know each other",
            hint="deploy again with a key that nobody else uses meanwhile: fedtrail contract deploy --new",
        )
    return describe(connection, {**at, **timelock}, receipts["ledger"].block)


def describe(connection: Connection, at: Addresses, block: int) -> Deployment:
    """Return what pins a deployment: its addresses, code and block."""
    from eth_utils.address import to_checksum_address

    found = connection.request("eth_getBlockByNumber", to_quantity(block), False)
    codes = [get_code(connection, address) for address in at.values()]
    return Deployment(
        contracts={key: to_checksum_address(address) for key, address in at.items()},
        code_hash=to_hex(compute_code_hash(codes)),
        deploy_block=block,
        deploy_block_hash=found["hash"],
    )


def verify_chain_id(connection: Connection, network: Network) -> None:
    """Return if the node serves the chain that the network names.

    Raises: WrongChain; CannotReach.
    """
    got = int(connection.request("eth_chainId"), 16)
    if got != network.chain_id:
        raise WrongChain(got=got, network=network.name, want=network.chain_id)


def get_code(connection: Connection, address: bytes) -> bytes:
    """Return the runtime code at an address; empty where there is none."""
    return to_bytes(connection.request("eth_getCode", to_hex(address), "latest"))


def compute_code_hash(codes: Sequence[bytes]) -> bytes:
    """Return the keccak256 of runtime codes, in the order of `artifacts.NAMES`."""
    from eth_utils.crypto import keccak

    return bytes(keccak(b"".join(codes)))


def compute_creation_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract that a transaction creates."""
    import rlp
    from eth_utils.crypto import keccak

    return bytes(keccak(rlp.encode([sender, nonce])))[12:]


def compute_addresses(deployer: bytes, nonce: int) -> dict[str, bytes]:
    """Return where the contracts come to lie, by key, when the first one is created with a nonce."""
    return {key: compute_creation_address(deployer, nonce + later) for later, key in enumerate(artifacts.KEYS)}


def _get_nonce(connection: Connection, receipt: Receipt) -> int:
    return int(connection.request("eth_getTransactionByHash", to_hex(receipt.tx))["nonce"], 16)


def _make_first_call(key: str, deployer: bytes, params: DeployParams) -> Call:
    """Return the creation whose arguments depend on its own nonce."""

    def make_data(nonce: int) -> bytes:
        return _make_creation(key, _PLANS[key].arguments(compute_addresses(deployer, nonce), params, deployer)).data

    identity = sha256(repr(params).encode()).digest()
    return Call(name=f"deploy {artifacts.KEYS[key]}", to=None, make_data=make_data, identity=identity)


def _make_creation(key: str, arguments: tuple[object, ...]) -> Call:
    name = artifacts.NAMES[key]
    data = artifacts.load(name).bytecode + encode_values(get_interface(name).constructor, arguments)
    return Call(name=f"deploy {name}", to=None, data=data)
