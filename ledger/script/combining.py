"""What a round script asks for at once, as the table of `ledger.compatibility` reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledger.compatibility import Answer, Combination, Pair, find_pairs

if TYPE_CHECKING:
    from ledger.script import Script


def read_combination(script: Script) -> Combination:
    """Return what the table looks at of a script."""
    rule, noise = script.run.rule, script.noise
    stages = [rule.name] if rule.composition is None else [stage.name for stage in rule.composition.stages]
    masking = getattr(script, "masking", None)
    return Combination(
        stages=tuple(stages),
        clients=script.clients.count,
        f=rule.f or rule.trim or 0,
        masked=masking is not None,
        groups=getattr(masking, "groups", None) or 1,
        noise=noise.mechanism if noise else "",
        against=noise.against if noise else "everybody",
        epsilon=noise.budget if noise else None,
        encrypted=script.audience is not None,
        certified=script.availability is not None,
        homomorphic=script.homomorphic.scheme if script.homomorphic else "",
        validated=getattr(script, "validation", None) is not None,
        scored=getattr(script, "scores", None) is not None,
    )


def find_impossible(script: Script) -> Iterator[Pair]:
    """Yield what a script asks for and cannot have."""
    yield from find_pairs(read_combination(script), Answer.NO)


def find_warnings(script: Script) -> list[str]:
    """Return what a script gets only in part, a sentence each."""
    return [str(pair) for pair in find_pairs(read_combination(script), Answer.PARTLY)]
