"""An index whose events a test chooses: each goes through the same projection as an event of a chain."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger import spec
from ledger.chain.views import Event, Role
from ledger.devnet import funded_account
from ledger.evidence.headers import Header
from ledger.index import database, facts, opening, signoffs
from ledger.index.source import Block, Fingerprint, Heads, Log
from ledger.reports.running import Answer

LEDGER = "0x" + "1e" * 20
CHAIN_ID = 31337
START = 1_700_000_000
"""Time of block 0; a block comes every 10 seconds."""
ETHER = 10**18
Question = Callable[..., Answer]
"""Answers a question by its number."""


def digest(*parts: object) -> bytes:
    """Return 32 bytes that stand for something."""
    return hashlib.sha256(repr(parts).encode()).digest()


def address(name: object) -> bytes:
    """Return the 20 bytes of somebody's address."""
    return digest("address", name)[:20]


def make_task(**changes: Any) -> spec.Task:
    """Return the parameters of a task; keyword arguments replace fields."""
    task = spec.Task(
        rule=spec.Rule.TRIMMED_MEAN,
        rule_param=1,
        rule_select=0,
        size=45,
        scale_bits=20,
        leaf_log2=3,
        matrix_log2=2,
        model_log2=4,
        bound=1000,
        examples_cap=100_000,
        mode=spec.CommitMode.VERIFIED,
        wei_per_weight=0,
        commit_seconds=600,
        data_seconds=600,
        propose_seconds=600,
        challenge_seconds=1800,
        max_clients=64,
        quorum=3,
        bond_wei=ETHER,
        board=spec.NO_BOARD,
        genesis_model=digest("model", 0),
        layout_digest=digest("layout"),
        script_digest=digest("script"),
    )
    return replace(task, **changes)


class PlantedIndex:
    """An index that a test fills event by event; each event has its own block unless `at` says otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = opening.open_index(path, create=True)
        named = {"code_hash": "0x" + "cc" * 32, "deploy_block": 0, "deploy_hash": "0x" + "dd" * 32}
        self.chain = database.add_epoch(
            self.db, Fingerprint(chain_id=CHAIN_ID, genesis="0x" + "aa" * 32, contract=LEDGER, **named)
        )
        self.number = -1
        self.mine()

    def mine(self, *events: tuple[str, dict[str, Any]], seconds: int = 10, actor: str = "anybody") -> int:
        """Add a block with events, `seconds` after the one before, and return its number."""
        self.number += 1
        number, block_hash = self.number, digest("block", self.number)
        self.now = getattr(self, "now", START - seconds) + seconds
        header = Header(
            number=number,
            hash=block_hash,
            parent_hash=digest("block", number - 1),
            state_root=bytes(32),
            receipts_root=bytes(32),
            logs_bloom=bytes(256),
            timestamp=self.now,
        )
        logs = tuple(
            Log(
                event=Event(
                    name=name,
                    args=args,
                    block=number,
                    block_hash=block_hash,
                    tx=digest("tx", number),
                    log_index=index,
                ),
                address=bytes(20),
                topics=(),
                data=b"",
                tx_index=0,
                actor=address(actor),
            )
            for index, (name, args) in enumerate(events)
        )
        with opening.writing(self.db):
            database.put_block(self.db, self.chain, Block(header=header, encoded=b"", logs=logs))
            database.mark_finality(self.db, self.chain, Heads(latest=number, safe=number, final=number))
        return number

    def add(self, name: str, *, seconds: int = 10, **args: Any) -> int:
        """Add a block with one event."""
        return self.mine((name, args), seconds=seconds)

    def insert(self, table: str, **values: Any) -> None:
        """Insert a row of a local table, or of a fact that no event tells yet."""
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))

    def last_event(self) -> int:
        return int(self.db.execute("SELECT max(id) FROM event").fetchone()[0])

    # ---------------------------------------------------------------------------------------------------- what happens

    def register(self, *clients: int, role: Role = Role.CLIENT, stake_wei: int = 10 * ETHER) -> None:
        for client in clients:
            keys = {"owner": address(("owner", client)), "signer": address(("signer", client))}
            self.add("Registered", id=client, **keys, role=role, stake_wei=stake_wei, active_from=self.now)

    def create_task(self, task: int = 1, **changes: Any) -> None:
        self.add("TaskCreated", task_id=task, params_hash=digest("params", task, changes), task=make_task(**changes))

    def open(self, round_id: int, *, task: int = 1, number: int | None = None, base: bytes | None = None) -> None:
        opened_at = self.now + 10
        self.add(
            "RoundOpened",
            round_id=round_id,
            task_id=task,
            base_model=base or digest("model", round_id - 1),
            number=number or round_id,
            aggregator=9,
            opened_at=opened_at,
            commit_end=opened_at + 600,
            data_end=opened_at + 1200,
            propose_end=opened_at + 1800,
        )

    def commit(self, round_id: int, *clients: int, first: int = 0, seconds: int = 10) -> None:
        members = [spec.Member(client=client, commitment=digest("commitment", round_id, client)) for client in clients]
        entries, count = spec.encode_members(members), len(clients)
        told = {"root": digest("segment", round_id, clients), "first": first, "count": count, "entries": entries}
        self.add("SegmentCommitted", seconds=seconds, round_id=round_id, **told)

    def propose(
        self,
        round_id: int,
        *,
        committed: int,
        excluded: Sequence[tuple[int, int]] = (),
        aggregator: int = 9,
        model: bytes | None = None,
    ) -> None:
        roots = {name: digest(name, round_id) for name in ("aggregate_root", "matrix_root", "members_root", "data_id")}
        proposal = spec.Proposal(**roots, model_root=model or digest("model", round_id), committed=committed)
        self.add(
            "Proposed",
            round_id=round_id,
            aggregator=aggregator,
            proposal_hash=digest("proposal", round_id),
            proposal=proposal,
            segments_hash=digest("segments", round_id),
            included=committed - len(excluded),
            challenge_end=self.now + 1810,
            excluded=spec.encode_exclusions(list(excluded)),
            aux=b"",
        )

    def finalise(self, round_id: int, *, model: bytes | None = None) -> None:
        head = digest("head", round_id)
        self.add("Finalised", round_id=round_id, head=head, model_root=model or digest("model", round_id))

    def void(self, round_id: int, *, reason: bytes = b"wrong aggregate", challenger: str = "challenger") -> None:
        words = {"reason": reason.ljust(32, b"\0"), "challenger": address(challenger), "round_id": round_id}
        proof = {"subject": 0, "coordinate": 3, "claimed": 7, "recomputed": 8, "proof_hash": digest("proof")}
        self.mine(("Voided", words), ("FraudProven", {**words, **proof}))

    def slash(self, client: int, round_id: int, *, reason: bytes, wei: int) -> None:
        parts = {"to_challenger": wei * 2 // 5, "to_clients": 0, "burnt": wei - wei * 2 // 5}
        self.add("Slashed", id=client, round_id=round_id, reason=reason.ljust(32, b"\0"), **parts)

    def score(self, round_id: int, kind: str, values: Mapping[int, float], *, scorer: int = 9) -> None:
        """Record scores of clients."""
        entries = [(client, int(value * spec.SCORE_UNITS)) for client, value in values.items()]
        told = {"kind": spec.encode_label(kind), "method": digest("method"), "entries": spec.encode_scores(entries)}
        self.add("ScoresRecorded", round_id=round_id, scorer=scorer, **told)

    def spend(self, round_id: int, epsilons: Mapping[int, float], *, speaker: int = 9) -> None:
        """Record what clients have spent, with a delta of 1e-5."""
        entries = [(client, int(eps * spec.EPSILON_UNITS), 10**7) for client, eps in epsilons.items()]
        told = {"mechanism": spec.encode_label("gaussian"), "entries": spec.encode_spends(entries)}
        self.add("PrivacySpent", round_id=round_id, speaker=speaker, **told)

    def publish(self, round_id: int, updates: dict[int, bytes], *, silent: Sequence[int] = ()) -> None:
        """Read the manifest of a proposal in which these clients published, and these did not."""
        entries = tuple(
            spec.ManifestEntry(
                client=client,
                reason=0,
                content=None
                if client in silent
                else spec.ContentId(codec=0x55, digest=digest("blob", round_id, client)),
                signature=bytes(64),
            )
            for client in sorted({*updates, *silent})
        )
        named = {"base": None, "aggregate": None, "model": None}
        manifest = spec.Manifest(domain_separator=bytes(32), round_id=round_id, entries=entries, **named)
        event = Event(name="Proposed", args={"round_id": round_id}, block=0, block_hash=b"", tx=b"", log_index=0)
        for table, values in facts.rows_of_manifest(event, manifest, updates):
            self.insert(table, ev=self.last_event(), **values)

    def sign_off(self, **changes: Any) -> signoffs.Signoff:
        """Let somebody sign round 1 of task 1; keyword arguments replace fields of the statement."""
        about = {"chain_id": CHAIN_ID, "contract": LEDGER, "task": 1, "round_id": 1}
        said = {"name": "Dr. Ada Byron", "role": "reviewer", "meaning": "review", "signed_at": START}
        told = {**about, **said, "record": "0x" + digest("head", 1).hex(), **changes}
        statement = signoffs.sign(signoffs.Signoff(**told), funded_account(3))
        signoffs.store(self.db, [statement])
        return statement

    def run(self, rounds: int = 2, clients: Sequence[int] = (1, 2, 3)) -> None:
        """Plant an honest run: registered clients and an aggregator, and finalised rounds of one task."""
        self.register(*clients)
        self.register(9, role=Role.AGGREGATOR)
        self.create_task()
        for round_id in range(1, rounds + 1):
            self.round(round_id, clients)

    def round(self, round_id: int, clients: Sequence[int] = (1, 2, 3)) -> None:
        self.open(round_id)
        self.commit(round_id, *clients)
        self.propose(round_id, committed=len(clients))
        self.finalise(round_id)


def make_update(round_id: int, client: int, values: Sequence[int], num_examples: int) -> bytes:
    """Return the blob of an update."""
    header = spec.VectorHeader(
        kind=spec.Kind.UPDATE,
        domain_separator=bytes(32),
        round_id=round_id,
        client=client,
        num_examples=num_examples,
        size=len(values),
        scale_bits=20,
        leaf_log2=3,
    )
    return spec.encode_vector(header, struct.pack(f">{len(values)}i", *values))
