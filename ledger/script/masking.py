"""The section `masking:` of a round script: secure aggregation, so that nobody sees the update of one client."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ledger import spec
from ledger.script.sections import Section

if TYPE_CHECKING:
    from ledger.script import Place, Script
    from ledger.script.sections import RuleSection

MIN_CLIENTS = 3
"""Of two clients each knows the other's update by the sum."""
MIN_GROUP = 8
"""In a sum of so many, attacks that look for one image find none (docs/privacy-attacks.md)."""


class MaskingSection(Section):
    """Clients mask their updates; the ledger holds masked updates, and the sum (docs/secure-aggregation.md)."""

    degree: int | None = Field(default=None, ge=2, le=spec.MAX_PEERS)
    """Peers of each client, even unless it is everybody; default: O(log n), 20 of 100 clients."""
    threshold: int | None = Field(default=None, ge=1, le=spec.MAX_PEERS)
    """Shares that recover the secret of a client that is gone; default: more than half of its peers."""
    groups: int = Field(default=1, ge=1, le=1000)
    """Groups with a sum each, over whose means the rule is; 1: one sum of all clients."""
    min_group: int = Field(default=MIN_GROUP, ge=MIN_CLIENTS, le=1000)
    """Fewest updates in the sum of a group; a number below the default hides a client among fewer."""
    masks: Literal["sha256", "aes"] = "sha256"
    """How masks are made; aes takes a client less time, and no court can judge a sum under such masks."""

    @property
    def is_grouped(self) -> bool:
        """Whether the rule is over the means of groups, be it one: replays judge it, and no court."""
        return self.groups > 1 or self.masks == "aes"

    def get_degree(self, clients: int) -> int:
        """Return the peers of each client. Args: clients: of the script."""
        return choose_degree(-(-clients // self.groups)) if self.degree is None else self.degree

    def get_threshold(self, clients: int) -> int:
        """Return how many shares recover a secret."""
        peers = min(self.get_degree(clients), clients // self.groups - 1)
        return choose_threshold(peers) if self.threshold is None else self.threshold

    def compose(self, rule: RuleSection) -> spec.Composition:
        """Return a rule as stages over the means of groups.

        Raises: NotCanonical: it is no rule over means, such as sum32, or one that knows single clients.
        """
        if rule.composition is not None:
            return rule.composition
        texts = {
            "mean": "mean@0",
            "median": f"median@{(self.groups - 1) // 2}",
            "trimmed-mean": f"trimmed-mean@{rule.trim}",
            "krum": f"multi-krum(1)+mean@{rule.f}",
            "multi-krum": f"multi-krum({rule.select})+mean@{rule.f}",
        }
        return spec.decode_composition(texts.get(rule.name, rule.name).encode("ascii"))

    def label(self, clients: int) -> str:
        """Return what the task does and does not do, for people."""
        peers, shares = self.get_degree(clients), self.get_threshold(clients)
        told = f"masked among {peers} peers, recovered by {shares}"
        if self.is_grouped:
            told += f"; groups: {self.groups}, at least {self.min_group} updates in a sum; replayed, judged by no court"
        return f"{told}; equal weights; clipping is the client's word: no norm is enforced, no update judged"


def choose_degree(clients: int) -> int:
    """Return the number of peers where a script names none: O(log n), even unless it is everybody.

    With 100 clients it is 20, as in SecAgg+ for 2**-40 (Bell et al. 2020).
    """
    return max(1, min(clients - 1, 2 * math.ceil(1.5 * math.log2(clients))))


def choose_threshold(degree: int) -> int:
    """Return how many shares recover a secret where a script names no number: more than half of the peers."""
    return degree // 2 + 1


_OF_CLIENTS = {"weighted-mean", "trust", "foolsgold"}
"""Stages that are about single clients: a group is none."""


def check_masking(script: Script) -> Iterator[tuple[Place, str]]:
    """Yield what the section `masking:` of a script contradicts."""
    section, count, place = script.masking, script.clients.count, ("masking",)
    if section is None:
        return
    yield from _check_rule(script.run.rule, section)
    if script.availability is not None:
        why = "a demand is answered with leaves alone, and what a client committed to needs the root of its seeds, too"
        yield place, f"'availability' and 'masking' exclude each other: {why}; honest answers would cost their stake"
    if count < MIN_CLIENTS:
        yield place, f"'clients.count' is {count}: among fewer than {MIN_CLIENTS} clients a sum hides nothing"
        return
    smallest, largest = count // section.groups, -(-count // section.groups)
    if section.is_grouped and smallest < section.min_group:
        few = f"groups of {smallest}, fewer than 'masking.min_group' ({section.min_group})"
        yield (*place, "groups"), f"'masking.groups' is {section.groups}: clients would hide in {few}"
        return
    degree, threshold = section.get_degree(count), section.get_threshold(count)
    if degree > largest - 1 or (degree % 2 and degree != largest - 1):
        what = f"expected an even number or {largest - 1}, at most that"
        yield (*place, "degree"), f"'masking.degree' is {degree}, {what}"
    peers = min(degree, smallest - 1)
    if threshold > peers:
        yield (*place, "threshold"), f"'masking.threshold' is {threshold}, more than the {peers} peers of a client"
    if script.format.bound * largest > spec.INT32_MAX:
        most = spec.INT32_MAX // largest
        yield ("format", "bound"), f"a sum of {largest} updates may wrap around: 'format.bound' must be at most {most}"


def _check_rule(rule: RuleSection, section: MaskingSection) -> Iterator[tuple[Place, str]]:
    place = ("run", "rule")
    if not section.is_grouped:
        if rule.rule is not spec.Rule.SUM32:
            what = f"'run.rule.name' is {rule.name}, expected sum32, or 'masking.groups'"
            yield ("masking",), f"masked updates can only be summed: {what}"
        return
    if rule.name == "sum32" or {stage.split("(")[0] for stage in rule.name.split("+")} & _OF_CLIENTS:
        yield place, f"the rule {rule.name} is not one over the means of groups"
        return
    f = rule.f or rule.trim or 0
    if 2 * f < section.groups < rule.min_updates:  # of a larger f the table of combinations says why not
        least = rule.min_updates
        yield place, f"{rule.label} needs at least {least} groups, 'masking.groups' is {section.groups}"
