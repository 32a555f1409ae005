"""Masked rounds made from the specification alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from round_maker import RoundMaker, make_task, update_values

from ledger import spec

TASK = make_task(rule=spec.Rule.SUM32, rule_param=4, quorum=2)


def make_seed(*names: object) -> bytes:
    return hashlib.sha256(repr(names).encode()).digest()


@dataclass
class MaskedMaker(RoundMaker):
    """A masked round in which client 5 committed and published nothing, unless a test says otherwise."""

    task: spec.Task = field(default_factory=lambda: TASK)
    silent: set[int] = field(default_factory=lambda: {5})
    reasons: dict[int, int] = field(default_factory=lambda: {5: 801})
    shown: list[spec.Reveal] | None = None
    """What a dishonest aggregator reveals; None for what is needed."""
    spoiled: bytes = b""
    """Bytes after the revealed seeds."""

    def seeds(self, client: int) -> dict[int, bytes]:
        pairs = {p: make_seed(*sorted((client, p))) for p in self.clients if p != client}
        return {spec.SELF: make_seed(client), **pairs}

    def values(self, client: int) -> list[int]:
        return spec.apply_masks(update_values(client), client, self.seeds(client))

    def blob(self, client: int, values: object = None, **changes: object) -> bytes:
        header = self.header(spec.Kind.MASKED, client, num_examples=1, leaf_log2=self.task.leaf_log2, **changes)
        table = spec.encode_seed_table(spec.make_seed_table(self.seeds(client)))
        return spec.encode_vector(header, spec.encode_int32(self.values(client)), table)

    def root(self, blob: spec.VectorBlob) -> bytes:
        return spec.compute_masked_root(blob.root(), spec.compute_chunk_root(blob.seed_table, spec.SEED_LINE_BYTES))

    def needed(self) -> list[spec.Reveal]:
        tables = {c: spec.make_seed_table(self.seeds(c)) for c in self.clients if c not in self.reasons}
        return [spec.Reveal(owner=o, peer=p, seed=self.seeds(o)[p]) for o, p in spec.compute_needed(tables)]

    def aggregate(self, params: spec.RuleParams, values: list[list[int]], weights: list[int]) -> list[int]:
        return spec.compute_unmasked_sum(values, self.needed() if self.shown is None else self.shown)

    def aux(self, params: spec.RuleParams, values: list[list[int]], weights: list[int]) -> bytes:
        return spec.encode_reveals(self.needed() if self.shown is None else self.shown) + self.spoiled
