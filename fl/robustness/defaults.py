"""Which rules and attacks the matrix has unless it is told others."""

from __future__ import annotations

RULES = (
    "mean",
    "median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "meamed",
    "geometric-median",
    "centered-clipping",
    "bulyan",
    "foolsgold",
    "trust(1)",
    "bucketing(2)+trimmed-mean",
    "nnm+trimmed-mean",
    "arc+nnm+trimmed-mean",
    "drop(3)+nnm+trimmed-mean",
    "dnc+mean",
    "drop(3)+dnc+mean",
    "linkage+mean",
    "drop(3)+linkage+mean",
    "drop(3)+dnc+nnm+trimmed-mean",
    "cosine-dnc+drop(3)+guarded-mean",
    "cosine-dnc+drop(3)+dnc+guarded-mean",
    "distinct(99)+cosine-filter(3)+drop(3)+fenced-mean(2)",
)
"""Client 1, the reference of `trust`, is honest."""

UNTARGETED = (
    "none",
    "sign-flip",
    "gaussian",
    "label-flip",
    "random-labels",
    "ipm(strength=0.5)",
    "ipm(strength=0)",
    "alie(strength=1.5)",
    "alie(strength=0)",
    "min-max",
    "min-sum",
    "mimic",
    "free-ride-zero",
    "adaptive",
    "sign-flip(factor=1)",
    "mimic+clones(noise=0.3)",
    "ipm(strength=0.5)+clones(noise=0.3)",
    "adaptive(noise=0.3)",
)
"""Strength 0 optimises it against the rule; `adaptive` optimises the direction as well. The last four go around what
the default looks for: lengths, and copies."""

TEXTBOOK_BACKDOORS = ("backdoor", "backdoor+clones", "backdoor+scaling(factor=10)")
"""Alone, as Sybils, as model replacement: the three that most papers have."""


def list_attacks(dataset: str) -> tuple[str, ...]:
    """Return the attacks for a data set: backdoors between two classes need two that it has."""
    semantic = "semantic-backdoor(source=0,target=1)" if dataset == "breast_cancer" else "semantic-backdoor"
    return (*UNTARGETED, *TEXTBOOK_BACKDOORS, "backdoor(parts=4)", semantic, "backdoor+hidden")
