"""Which chain, which contracts, and how sure one wants to be. Imports nothing heavy: every command reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    registry: str | None = None
    """Checksummed address of ParticipantRegistry; None before a deployment."""
    ledger: str | None = None
    """Checksummed address of RoundLedger; None before a deployment."""
    court: str | None = None
    """Checksummed address of DisputeCourt; None before a deployment."""
    code_hash: str | None = None
    """0x and the keccak256 of the runtime codes of ledger, registry and court; None to accept any."""
    deploy_block: int | None = None
    """Block that the ledger was deployed in."""
    deploy_block_hash: str | None = None
    """0x and that block's hash: another one means that the chain was reset."""
    confirmations: int = 0
    """Blocks on top of a transaction's block before it counts; devnets, which mine on demand, ignore it."""
    devnet: bool = False
    """Whether it is a local devnet, whose clock may be moved and whose keys protect nothing."""


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
    """From a request to unbond to the withdrawal; every window of a round must fit in."""
    governor: bytes | None = None
    """Address that may create tasks; None for the deployer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment adds to its network."""

    registry: str
    """Checksummed address of ParticipantRegistry."""
    ledger: str
    """Checksummed address of RoundLedger."""
    court: str
    """Checksummed address of DisputeCourt."""
    code_hash: str
    """0x and the keccak256 of the runtime codes of ledger, registry and court."""
    deploy_block: int
    """Block that the ledger was deployed in."""
    deploy_block_hash: str
    """0x and that block's hash."""

    def apply(self, network: Network) -> Network:
        """Return the network with these contracts."""
        return replace(
            network,
            registry=self.registry,
            ledger=self.ledger,
            court=self.court,
            code_hash=self.code_hash,
            deploy_block=self.deploy_block,
            deploy_block_hash=self.deploy_block_hash,
        )
