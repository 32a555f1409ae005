"""Put the contracts on a chain. Each is told the others' addresses, so the first names the later ones in advance."""

from __future__ import annotations

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


def deploy(
    network: Network,
    deployer: LocalAccount,
    journal: Journal,
    *,
    params: DeployParams | None = None,
    key: str = "deploy",
) -> Deployment:
    """Deploy ParticipantRegistry, RoundLedger and DisputeCourt; after an interruption, go on where it stopped.

    Args: deployer: pays, and governs unless params name a governor. key: prefix of the journal's keys; a second
    deployment on the same chain needs another one.
    Raises: WrongChain; CannotReach; ConfigurationError: the deployer's key sent something else in between.
    """
    params = params or DeployParams()
    connection = Connection(network.rpc)
    verify_chain_id(connection, network)
    sending = Sending(
        connection,
        journal,
        chain_id=network.chain_id,
        devnet=network.devnet,
        confirmations=network.confirmations,
    )
    sending.recover()
    governor = params.governor or spec_address(deployer)
    call = _make_registry_call(spec_address(deployer), params)
    registry = _create(sending, call, key=f"{key}/registry", sender=deployer)[0]
    call = _make_creation("RoundLedger", registry, read_address(connection, "court", registry), governor)
    ledger, block = _create(sending, call, key=f"{key}/ledger", sender=deployer)
    call = _make_creation("DisputeCourt", registry, ledger)
    court, _ = _create(sending, call, key=f"{key}/court", sender=deployer)
    if (ledger, court) != tuple(read_address(connection, name, registry) for name in ("ledger", "court")):
        raise ConfigurationError(
            "the deployer's key sent another transaction between the contracts, so they do not know each other",
            hint="deploy again with a key that nobody else uses meanwhile: fedtrail contract deploy --new",
        )
    return describe(connection, registry, ledger, court, block)


def _create(sending: Sending, call: Call, *, key: str, sender: LocalAccount) -> tuple[bytes, int]:
    receipt = sending.send(Order(call=call, key=key, sender=sender))
    if receipt.contract is None:
        raise ConfigurationError(f"{call.name} created no contract")
    return receipt.contract, receipt.block


def describe(connection: Connection, registry: bytes, ledger: bytes, court: bytes, block: int) -> Deployment:
    """Return what pins a deployment: its addresses, code and block."""
    from eth_utils.address import to_checksum_address

    found = connection.request("eth_getBlockByNumber", to_quantity(block), False)
    codes = (get_code(connection, address) for address in (ledger, registry, court))
    return Deployment(
        registry=to_checksum_address(registry),
        ledger=to_checksum_address(ledger),
        court=to_checksum_address(court),
        code_hash=to_hex(compute_code_hash(*codes)),
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


def compute_code_hash(ledger_code: bytes, registry_code: bytes, court_code: bytes) -> bytes:
    """Return the keccak256 of the runtime codes, in this order."""
    from eth_utils.crypto import keccak

    return bytes(keccak(ledger_code + registry_code + court_code))


def compute_creation_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract that a transaction creates."""
    import rlp
    from eth_utils.crypto import keccak

    return bytes(keccak(rlp.encode([sender, nonce])))[12:]


def read_address(connection: Connection, function: str, registry: bytes) -> bytes:
    """Return an address that the registry tells."""
    item = get_interface("ParticipantRegistry").functions[function]
    answer = connection.request("eth_call", {"to": to_hex(registry), "data": to_hex(item.encode_call())}, "latest")
    address: bytes = item.decode_result(to_bytes(answer))
    return address


def _make_registry_call(deployer: bytes, params: DeployParams) -> Call:
    stakes = (params.client_min_stake_wei, params.aggregator_min_stake_wei, params.attestor_min_stake_wei)
    seconds = (params.activation_seconds, params.unbond_seconds)

    def make_data(nonce: int) -> bytes:
        ledger, court = (compute_creation_address(deployer, nonce + later) for later in (1, 2))
        return _make_creation("ParticipantRegistry", ledger, court, *stakes, *seconds).data

    identity = sha256(repr((stakes, seconds)).encode()).digest()
    return Call(name="deploy ParticipantRegistry", to=None, make_data=make_data, identity=identity)


def _make_creation(name: str, *args: object) -> Call:
    data = artifacts.load(name).bytecode + encode_values(get_interface(name).constructor, args)
    return Call(name=f"deploy {name}", to=None, data=data)
