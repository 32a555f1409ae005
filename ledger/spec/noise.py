"""How a task keeps what its clients add to their updates private, as one text: its term `noise` (docs/privacy.md).

    distributed(clip=524288,variance=41231686042,shares=60,relation=zero-out,against=everybody,delta=10000000,budget=8000000)
    sample(clip=1048576,multiplier=1100000,rate=250000,steps=8,delta=10000000,budget=8000000)

Every number is an integer: clips and σ in units of 2^-scale_bits, δ in 10^-12, all else in 10^-6. The text binds what
everybody must account for. That a client did draw its noise cannot be proven: it is ATTESTED by the client's signature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from ledger.spec.errors import NotCanonical

TERM = "noise"
"""Name of the term."""
MICRO, PICO = 10**6, 10**12
"""Units of an epsilon, a multiplier or a rate, and of a delta."""
MAX_NOISE_VARIANCE = 1 << 48
"""Largest σ² that can be drawn."""
MAX_NUMBER = (1 << 63) - 1

NoiseMechanism = Literal["local", "distributed", "central", "sample"]
Relation = Literal["zero-out", "replace-one"]
Against = Literal["everybody", "readers-of-models"]

_WHOLE = ("clip", "variance", "shares", "relation", "against", "delta", "budget")
_SAMPLE = ("clip", "multiplier", "rate", "steps", "delta", "budget")
_CHOICES: dict[str, tuple[str, ...]] = {"relation": get_args(Relation), "against": get_args(Against)}
_TEXT = re.compile(r"([a-z]+)\(([a-z0-9=,-]+)\)")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What protects the clients of a task.

    Raises: NotCanonical: a number is out of its range, or belongs to another mechanism.
    """

    mechanism: NoiseMechanism
    """local: each client's own noise protects it; distributed: the sum of shares does; central: that of one client that
    sends noise alone; sample: every step of a client's training is noisy (DP-SGD), which protects single examples."""
    clip: int
    """Largest L2 norm, exact, in units of 2^-scale_bits: of an update, for `sample` of the gradient of an example."""
    variance: int = 0
    """σ² of what one client adds to a coordinate, 1 to 2^48; 0 for `sample`."""
    shares: int = 0
    """Fewest noises in every sum that anybody sees; 1 where each counts alone; 0 for `sample`."""
    relation: Relation = "zero-out"
    """Neighbours: runs in which one client sends zeros, or anything else that the clip allows."""
    against: Against = "everybody"
    """Who learns no more than epsilon says; readers of models: not those who can read the updates."""
    multiplier: int = 0
    """sample: σ of a step over its clip, in 10^-6."""
    rate: int = 0
    """sample: chance of an example to be in a step, in 10^-6, at most 10^6."""
    steps: int = 0
    """sample: steps of a round."""
    delta: int
    """δ of the guarantee, in 10^-12, below 1."""
    budget: int
    """Largest ε of a client over all rounds of the task, in 10^-6."""

    def __post_init__(self) -> None:
        if self.mechanism not in get_args(NoiseMechanism):
            raise NotCanonical(what=f"noise: there is no mechanism {self.mechanism}")
        for name in ("clip", "variance", "shares", "multiplier", "rate", "steps", "delta", "budget"):
            number, is_told = getattr(self, name), name in _fields(self.mechanism)
            if type(number) is not int or (number > 0) != is_told or number > _MOST.get(name, MAX_NUMBER):
                raise NotCanonical(what=f"noise: {name} of {self.mechanism} is {number}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise NotCanonical(what=f"noise: {name} is {getattr(self, name)}, expected one of {', '.join(allowed)}")
        if self.mechanism in ("local", "central") and self.shares != 1:
            raise NotCanonical(what=f"noise: one share is all that {self.mechanism} counts, not {self.shares}")

    def __str__(self) -> str:
        told = ",".join(f"{name}={getattr(self, name)}" for name in _fields(self.mechanism))
        return f"{self.mechanism}({told})"

    @property
    def label(self) -> str:
        """Mechanism and neighbours in few words, as spends are recorded with them."""
        return "sample, add-or-remove" if self.mechanism == "sample" else f"{self.mechanism}, {self.relation}"

    @property
    def epsilon_budget(self) -> float:
        """The budget as a number."""
        return self.budget / MICRO


_MOST = {"variance": MAX_NOISE_VARIANCE, "rate": MICRO, "delta": PICO - 1}


def decode_noise(text: str) -> Noise:
    """Return what a term's text says.

    Raises: NotCanonical: it is not what `str` makes of any noise.
    """
    found = _TEXT.fullmatch(text)
    if found is None or found[1] not in get_args(NoiseMechanism):
        raise NotCanonical(what=f"noise: {text[:60]!r} names no mechanism with its numbers")
    mechanism = cast(NoiseMechanism, found[1])
    pairs = [part.partition("=")[::2] for part in found[2].split(",")]
    if tuple(name for name, _ in pairs) != _fields(mechanism):
        raise NotCanonical(what=f"noise: {mechanism} takes {', '.join(_fields(mechanism))}, in this order")
    numbers = {name: int(value) for name, value in pairs if _NUMBER.fullmatch(value)}
    chosen = {name: value for name, value in pairs if name in _CHOICES}
    if len(numbers) + len(chosen) != len(pairs):
        raise NotCanonical(what=f"noise: {text[:60]!r} holds a number that is none")
    return Noise(mechanism=mechanism, **numbers, **chosen)  # type: ignore[arg-type]  # __post_init__ looks at each


def _fields(mechanism: str) -> tuple[str, ...]:
    return _SAMPLE if mechanism == "sample" else _WHOLE
