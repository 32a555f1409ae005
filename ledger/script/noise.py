"""The section `noise:` of a round script: what is added to updates, and how much privacy a client may spend."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor
from typing import Any

from pydantic import Field

from ledger import spec
from ledger.accounting import CLEARANCE, compute_variance, fits
from ledger.script.sections import ClientNumber, Section
from ledger.spec.noise import MAX_NOISE_VARIANCE, MICRO, PICO, Against, Noise, NoiseMechanism, Relation


class NoiseSection(Section):
    """Differential privacy of a run (docs/privacy.md)."""

    mechanism: NoiseMechanism
    """local: each client's own noise protects it; distributed: the sum of many shares; central: one client sends noise
    alone; sample: noisy training steps (DP-SGD), for single examples."""
    clip: float = Field(gt=0, le=1000)
    """Largest L2 norm of an update; for sample of the gradient of one example."""
    multiplier: float = Field(gt=0, le=10_000)
    """σ of the noise that protects, over the clip."""
    delta: float = Field(default=1e-5, gt=0, lt=1)
    """δ of the guarantee."""
    budget: float = Field(gt=0, le=1_000_000)
    """Largest ε of a client over the whole run: a round that would exceed it is refused before training."""
    relation: Relation = "zero-out"
    """What neighbours are: one client sends zeros (sensitivity: the clip), or anything else (twice the clip)."""
    against: Against = "everybody"
    """Whom ε speaks of; distributed and central noise without masking speaks of readers of models only."""
    shares: int | None = Field(default=None, ge=1, le=spec.MAX_CLIENTS)
    """distributed: honest shares that every sum holds at least; default: the quorum."""
    giver: ClientNumber | None = None
    """central: the client that sends noise alone."""
    rate: float | None = Field(default=None, gt=0, le=1)
    """sample: chance of each example to be in a step."""
    steps: int | None = Field(default=None, ge=1, le=1_000_000)
    """sample: steps of a round."""

    def make_term(self, scale_bits: int, quorum: int) -> Noise:
        """Return what the task is bound to: the clip rounded down, the noise up.

        Raises: NotCanonical: a number is too small or too large to be told.
        """
        common = {"mechanism": self.mechanism, "delta": floor(self.delta * PICO), "budget": floor(self.budget * MICRO)}
        clip = floor(self.clip * (1 << scale_bits))
        if self.mechanism == "sample":
            sampled = {"rate": ceil((self.rate or 0) * MICRO), "steps": self.steps or 0}
            return Noise(clip=clip, multiplier=floor(self.multiplier * MICRO), **sampled, **common)  # type: ignore[arg-type]
        shares = (self.shares or quorum) if self.mechanism == "distributed" else 1
        variance = min(compute_variance(self.multiplier, clip, shares), MAX_NOISE_VARIANCE + 1)
        chosen: dict[str, Any] = {"relation": self.relation, "against": self.against}
        return Noise(clip=clip, variance=variance, shares=shares, **chosen, **common)  # type: ignore[arg-type]


_OWN = {"shares": "distributed", "giver": "central", "rate": "sample", "steps": "sample"}


def check_noise(
    section: NoiseSection, *, scale_bits: int, bound: int, quorum: int, count: int
) -> Iterator[tuple[str, str]]:
    """Yield what contradicts itself in the section, as a key ("" for the whole of it) and a sentence."""
    for key, mechanism in _OWN.items():
        given = getattr(section, key) is not None
        if given and section.mechanism != mechanism:
            yield key, f"the mechanism {section.mechanism} takes no '{key}'"
        if not given and section.mechanism == mechanism and key != "shares":
            yield "", f"the mechanism {section.mechanism} needs '{key}'"
    if section.mechanism == "sample" and (section.relation, section.against) != ("zero-out", "everybody"):
        yield "", "the mechanism sample takes no 'relation' and no 'against': an example is there or not, for everybody"
    if (section.shares or 0) > quorum:
        yield "shares", f"'noise.shares' is {section.shares}, and the quorum guarantees {quorum} updates in a sum"
    if section.giver is not None and section.giver > count:
        yield "giver", f"there is no client {section.giver}; clients are numbered 1 to {count}"
    if section.mechanism == "central" and quorum != count:
        yield "", f"central noise is there only if its giver is: 'run.quorum' must be {count}, all clients"
    try:
        term = section.make_term(scale_bits, quorum)
    except spec.NotCanonical as error:
        yield "", str(error)
        return
    if section.mechanism != "sample" and not fits(term, bound):
        fitting = (bits for bits in range(scale_bits, -1, -1) if fits(section.make_term(bits, quorum), bound))
        hint = next((f"they fit with 'format.scale_bits': {bits}" for bits in fitting), "no 'format.scale_bits' helps")
        yield "", f"the clip and {CLEARANCE} σ of noise exceed 'format.bound'; {hint}"
