"""Masked rounds in memory: every client, every message, and who falls silent when."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fl.privacy.secagg import Masker, Request, Setting, Unmasker, decode_answer
from fl.privacy.secagg.keys import compute_public_key
from ledger import spec
from ledger.aggregation.masks import apply_masks, compute_unmasked_sum
from ledger.script.masking import choose_degree, choose_threshold

DOMAIN, BEACON, AGGREGATOR = b"\x0d" * 32, b"\xbe" * 32, 999
STAGES = ("hello", "shares", "commit", "publish", "unmask")
"""A client that falls silent at one of them has done what comes before it."""


def private_key(client: int) -> bytes:
    """Return the private half of a participant's key on chain."""
    return hashlib.sha256(b"x25519 %d" % client).digest()


def make_setting(count: int, **changes: object) -> Setting:
    """Return a round of clients 1 to count."""
    size = count // int(changes.get("group_count", 1))  # type: ignore[call-overload]
    degree = int(changes.pop("degree", choose_degree(size)))  # type: ignore[call-overload]
    values = {
        "domain_separator": DOMAIN,
        "round_id": 7,
        "beacon": BEACON,
        "roster": tuple(range(1, count + 1)),
        "keys": {client: compute_public_key(private_key(client)) for client in range(1, count + 1)},
        "degree": degree,
        "threshold": choose_threshold(degree),
        "quorum": count // 2 + 1,
    }
    return Setting(**(values | changes))  # type: ignore[arg-type]


@dataclass
class MaskedRound:
    """A round whose clients fall silent where a test says; `run` gives the sum."""

    setting: Setting
    updates: dict[int, NDArray[np.int32]]
    silent: dict[int, str] = field(default_factory=dict)
    """Client -> stage at which it falls silent."""

    def __post_init__(self) -> None:
        self.maskers = {
            client: Masker(
                setting=self.setting,
                client=client,
                private_key=private_key(client),
                root=hashlib.sha256(b"root %d" % client).digest(),
            )
            for client in self.setting.roster
        }

    def speaking(self, stage: str) -> list[int]:
        """Return who still does what a stage asks for."""
        return [c for c in self.setting.roster if STAGES.index(self.silent.get(c, "unmask")) >= STAGES.index(stage)]

    def _present(self, stage: str) -> list[int]:
        return [c for c in self.speaking(stage) if self.silent.get(c) != stage]

    def exchange(self) -> MaskedRound:
        """Let clients say hello and send their shares."""
        self.hellos = {c: self.maskers[c].make_hello() for c in self._present("hello")}
        senders = self._present("shares")
        self.sent = {c: self.maskers[c].share(self.hellos) for c in senders}
        self.inbox = {c: [out[c] for out in self.sent.values() if c in out] for c in senders}
        return self

    def mask(self) -> MaskedRound:
        """Let clients mask; `masked` holds what is published."""
        self.held, self.tables, self.masked = {}, {}, {}
        for c in self._present("commit"):
            self.held[c], rejected = self.maskers[c].receive(self.hellos, self.inbox[c])
            assert not rejected
            seeds = self.maskers[c].make_seeds(self.hellos, self.held[c])
            lines = [
                spec.SeedLine(peer=p, commitment=spec.compute_seed_commitment(s)) for p, s in sorted(seeds.items())
            ]
            self.tables[c] = tuple(lines)
            self.masked[c] = apply_masks(self.updates[c], c, seeds, self.setting.expansion)
        return self

    @property
    def survivors(self) -> list[int]:
        """Who has published."""
        return self._present("publish")

    @property
    def unmasker(self) -> Unmasker:
        """What the aggregator knows."""
        return Unmasker(setting=self.setting, hellos=self.hellos, tables={c: self.tables[c] for c in self.survivors})

    def ask(self, client: int, request: Request, survivors: Collection[int] | None = None) -> bytes:
        """Return a client's sealed answer."""
        table = [line.peer for line in self.tables[client]]
        answer = self.maskers[client].answer(
            request, self.held[client], table, self.survivors if survivors is None else survivors
        )
        key = compute_public_key(private_key(AGGREGATOR))
        return self.maskers[client].seal_answer(answer, aggregator=AGGREGATOR, aggregator_key=key)

    def open(self, message: bytes) -> object:
        """Return an answer as the aggregator reads it."""
        return decode_answer(self.setting, message, aggregator=AGGREGATOR, private_key=private_key(AGGREGATOR))

    def unmask(self) -> tuple[NDArray[np.int32], list[spec.Reveal]]:
        """Return the sum and the seeds that had to be revealed for it."""
        unmasker = self.unmasker
        request = unmasker.make_request()
        answers = [self.open(self.ask(c, request)) for c in self._present("unmask")]
        reveals = unmasker.recover(answers)  # type: ignore[arg-type]
        matrix = np.stack([self.masked[c] for c in self.survivors])
        return compute_unmasked_sum(matrix, reveals), reveals


def make_updates(clients: Sequence[int], size: int, seed: int = 0) -> dict[int, NDArray[np.int32]]:
    """Return random updates within the bound of the ledger's format."""
    source = np.random.default_rng(seed)
    return {c: source.integers(-spec.MAX_BOUND, spec.MAX_BOUND, size, dtype=np.int32) for c in clients}


def make_round(count: int, size: int = 19, silent: dict[int, str] | None = None, **changes: object) -> MaskedRound:
    """Return a round of clients 1 to count with random updates."""
    setting = make_setting(count, **changes)
    return MaskedRound(setting=setting, updates=make_updates(setting.roster, size), silent=silent or {})


def plain_sum(round_: MaskedRound) -> list[int]:
    """Return the sum of the survivors' plain updates."""
    rows = [round_.updates[c].tolist() for c in round_.survivors]
    return [spec.wrap32(sum(column)) for column in zip(*rows, strict=True)]
