"""Which chain, which contracts, and how sure one wants to be. Imports nothing heavy: every command reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

ETHER = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network of a project, as fedtrail.toml names it."""

    name: str
    """Name in fedtrail.toml."""
    rpc: str
    """URL of the JSON-RPC endpoint."""
    chain_id: int
    """EIP-155 chain id."""
    contracts: Mapping[str, str] = field(default_factory=dict)
    """Checksummed addresses by the keys of `artifacts.NAMES`; empty before a deployment."""
    code_hash: str | None = None
    """0x and the keccak256 of the runtime codes of the contracts, in the order of `artifacts.NAMES`; None for any."""
    deploy_block: int | None = None
    """Block that the ledger was deployed in."""
    deploy_block_hash: str | None = None
    """0x and that block's hash: another one means that the chain was reset."""
    confirmations: int = 0
    """Blocks on top of a transaction's block before it counts; devnets, which mine on demand, ignore it."""
    ca_file: str | None = None
    """Certificates of the authorities that are trusted to name the endpoint, PEM; None for those that all trust."""
    devnet: bool = False
    """Whether it is a local devnet, whose clock may be moved and whose keys protect nothing."""

    @property
    def ledger(self) -> str | None:
        """Address of RoundLedger: what tells one deployment from another; None before a deployment."""
        return self.contracts.get("ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployParams:
    """What the constructors fix for ever."""

    client_min_stake_wei: int = ETHER
    """Smallest stake of a client."""
    aggregator_min_stake_wei: int = 2 * ETHER
    """Smallest stake of an aggregator."""
    attestor_min_stake_wei: int = ETHER
    """Smallest stake of an attestor."""
    activation_seconds: int = 0
    """From a registration to the first round that may have the participant."""
    unbond_seconds: int = 24 * 3600
    """From a request to unbond to the withdrawal; every window of a round, and a pause, must fit in."""
    governor: bytes | None = None
    """Address that may create tasks, name attestor committees and, once, a successor; None for the deployer's. To let
    every act wait and be seen before, the address of a LedgerTimelock (docs/adr/0018)."""
    guardian: bytes | None = None
    """Address that may pause a task for a while; None for the deployer's."""
    max_pause_seconds: int = 3600
    """Longest pause, and shortest time between two."""
    game_bond_wei: int = ETHER // 10
    """What a challenger of a Krum distance puts up: more than the answers cost the aggregator."""
    game_clock_seconds: int = 1200
    """Time that each side of a game has in all."""
    game_extension_seconds: int = 300
    """Time that a move leaves the other side at least."""
    answer_seconds: int = 300
    """Time to show leaves that somebody demands."""
    max_answer_bytes: int = 1 << 17
    """Longest answer that may be demanded: what one transaction carries."""
    gas_per_answer: int = 70_000
    """Gas that an answer's bond covers beside its bytes."""
    gas_per_byte: int = 40
    """And for each byte (EIP-7623)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment adds to its network."""

    contracts: Mapping[str, str]
    """Checksummed addresses by the keys of `artifacts.NAMES`."""
    code_hash: str
    """0x and the keccak256 of the runtime codes, in the same order."""
    deploy_block: int
    """Block that the ledger was deployed in."""
    deploy_block_hash: str
    """0x and that block's hash."""

    def apply(self, network: Network) -> Network:
        """Return the network with these contracts."""
        return replace(
            network,
            contracts=self.contracts,
            code_hash=self.code_hash,
            deploy_block=self.deploy_block,
            deploy_block_hash=self.deploy_block_hash,
        )
