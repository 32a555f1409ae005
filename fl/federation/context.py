"""What the parties of a run share on one machine: chain, stores, journal, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fl.engines import Engine
from fl.federation.results import Observer, Progress
from fl.workload import Vector, Workload
from ledger import spec
from ledger.chain import Chain
from ledger.journal import Journal
from ledger.script import Script
from ledger.store import ContentStore

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.chain import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A registered participant whose key this machine holds."""

    name: str
    """Name of its key."""
    participant: int
    """Participant id in the registry."""
    account: LocalAccount
    """Its signing key."""

    @property
    def address(self) -> bytes:
        """Address of the signing key, 20 bytes."""
        return bytes.fromhex(self.account.address[2:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody in a run."""

    operator: LocalAccount
    """Pays for registrations, relays commitments, governs the ledger."""
    aggregators: tuple[Party, ...]
    """Open rounds and propose aggregates: one at a time, the next one when one is convicted."""
    challenger: LocalAccount
    """Proves a wrong proposal to the court."""
    clients: tuple[Party, ...]
    """Clients 1 to n of the script, in order."""
    attestors: tuple[Party, ...] = ()
    """Committee that certifies which updates could be had; empty where the script has none."""
    auditors: tuple[Party, ...] = ()
    """Participants that are there to replay what is encrypted; empty where nothing is."""
    encryption_keys: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """Private X25519 keys of all of them, by participant; empty where nothing is encrypted."""

    def number_of(self, participant: int) -> int:
        """Return the script's number of a participant."""
        return next(i for i, party in enumerate(self.clients, 1) if party.participant == participant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that a step of a run needs; steps differ only in what they do with it."""

    script: Script
    """The round script."""
    workload: Workload
    """The learning."""
    engine: Engine
    """Where clients train."""
    chain: Chain
    """The ledger."""
    store: ContentStore
    """Where updates are published."""
    outbox: ContentStore
    """Where clients keep their updates until the commit phase is over."""
    journal: Journal
    """Transactions and notes of the project: what makes a step happen once."""
    state_dir: Path
    """Where the project keeps what its parties hand to each other."""
    observer: Observer
    """Told about every step."""

    def folder(self, what: str) -> Path:
        """Return the folder of what parties hand to each other about this ledger, such as publications."""
        return self.state_dir / what / self.chain.fingerprint

    def key(self, *parts: object) -> str:
        """Return the journal key of a step of this run."""
        return "/".join([self.chain.fingerprint, "run", self.script.run.name, *map(str, parts)])

    def tell(self, stage: str, number: int, done: int, total: int, text: str = "") -> None:
        """Tell the observer about a step."""
        rounds = self.script.run.rounds
        self.observer(Progress(stage=stage, round=number, rounds=rounds, done=done, total=total, text=text))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """One round while it runs."""

    number: int
    """Round of the run, from 1."""
    attempt: int
    """Counts rounds that had to be opened again, from 1."""
    round_id: int
    """Its number in the ledger."""
    aggregator: Party
    """Who runs it."""
    base: Vector
    """Global model that clients train on, int32[d]."""
    base_cid: str
    """Where that model is."""
    opened_at: int
    """When it opened, seconds since 1970: keys that were in force then serve it."""
    commit_end: int
    """Last second for commitments, seconds since 1970."""
    data_end: int
    """Last second for publishing; proposals are taken after it."""

    def key(self, *parts: object) -> tuple[object, ...]:
        """Return the key parts of a step of this round."""
        return ("round", self.number, self.attempt, *parts)

    def key_of_update(self, client: int) -> tuple[object, ...]:
        """Return the key parts of a client's update: it belongs to this round of the ledger and this base model only.

        A devnet that lost its last blocks may number the rounds that follow anew.
        """
        return self.key("client", client, "update", self.round_id, self.base_cid)


_OF_CLIENTS = (spec.Kind.UPDATE, spec.Kind.MASKED, spec.Kind.NARROW)


def header_of(
    ctx: Context, kind: spec.Kind, *, round_id: int, client: int, num_examples: int, size: int | None = None
) -> spec.VectorHeader:
    """Return the header of a vector of this run."""
    return spec.VectorHeader(
        kind=kind,
        domain_separator=ctx.chain.domain_separator,
        round_id=round_id,
        client=client,
        num_examples=num_examples,
        size=ctx.workload.layout.size if size is None else size,
        scale_bits=ctx.script.format.scale_bits,
        leaf_log2=ctx.script.format.leaf_log2 if kind in _OF_CLIENTS else ctx.script.format.model_log2,
    )
