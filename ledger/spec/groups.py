"""Masked updates summed in groups, and a rule over the groups' means (docs/protocol.md §11.13).

Everybody sees the sum of each group and nothing of its members; a robust rule compares the means. Who is in which group
follows from the block in which the round was opened, so that whoever attacks cannot choose whom it spoils.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from ledger.spec.errors import NotCanonical, RuleNotApplicable
from ledger.spec.masking import Masking
from ledger.spec.masks import SELF, Reveal, SeedTable, compute_unmasked_sum, order_ring
from ledger.spec.numbers import rdiv

Groups = tuple[tuple[int, ...], ...]
"""The participants of every group, rising; groups count from 1."""


def compute_beacon(domain_separator: bytes, round_id: int, opening_hash: bytes) -> bytes:
    """Return the 32 bytes that order the ring of a round (§11.11).

    Args: opening_hash: of the block in which the round was opened. Whoever makes blocks may throw a few of them away to
        try again; an aggregator alone does not know it when it opens the round.
    """
    fields = domain_separator + round_id.to_bytes(8, "big") + opening_hash
    return hashlib.sha256(b"fedtrail/masking/1/beacon" + fields).digest()


@lru_cache(maxsize=16)
def draw_groups(roster: tuple[int, ...], count: int, beacon: bytes) -> Groups:
    """Return the ring of a round cut into `count` runs of neighbours, whose sizes differ by one at most."""
    ring = order_ring(roster, beacon)
    edges = [len(ring) * k // count for k in range(count + 1)]
    return tuple(tuple(sorted(ring[start:stop])) for start, stop in itertools.pairwise(edges))


def verify_peers(owner: int, table: SeedTable, groups: Groups) -> None:
    """Return if a client is in a group and masks with members of it alone: only there its masks cancel.

    Raises: NotCanonical.
    """
    group = next((group for group in groups if owner in group), ())
    outside = [line.peer for line in table if line.peer != SELF and line.peer not in group]
    if not group or outside:
        raise NotCanonical(what=f"seed table of client {owner} lists peers {outside} outside of its group")


def split_slots(clients: Sequence[int], groups: Groups) -> dict[int, list[int]]:
    """Return the slots of the included clients by the number of their group, rising; groups without any are left out.

    Args: clients: included participants, rising, each in a group.
    """
    number_of = {client: number for number, group in enumerate(groups, start=1) for client in group}
    slots: dict[int, list[int]] = {}
    for slot, client in enumerate(clients):
        slots.setdefault(number_of[client], []).append(slot)
    return dict(sorted(slots.items()))


def verify_sizes(slots: Mapping[int, Collection[int]], least: int) -> None:
    """Return if the sum of every group that is in the aggregate has enough updates.

    Raises: RuleNotApplicable: names the first that has not.
    """
    for number, members in slots.items():
        if len(members) < least:
            raise RuleNotApplicable(rule=f"sum of group {number}", parameter=number, want=least, got=len(members))


def compute_group_means(
    masked: Sequence[Sequence[int]], clients: Sequence[int], reveals: Iterable[Reveal], groups: Groups, term: Masking
) -> dict[int, list[int]]:
    """Return the mean of every group by its number: rdiv(sum without the revealed masks, updates in it), d integers.

    The sum is one modulo 2**32, read as signed: of honest updates it does not wrap around.

    Args: masked: n vectors of d int32, clients in rising id.
    Raises: RuleNotApplicable: a group has fewer updates than the term allows.
    """
    slots, reveals = split_slots(clients, groups), list(reveals)
    verify_sizes(slots, term.least)
    means = {}
    for number, members in slots.items():
        shown = [reveal for reveal in reveals if reveal.owner in groups[number - 1]]
        total = compute_unmasked_sum([masked[slot] for slot in members], shown, term.expansion)
        means[number] = [rdiv(value, len(members)) for value in total]
    return means
