"""Which protections and rules go together, and which do not: one table, for scripts and docs/compatibility.md.

Each pair says why, and what comes nearest to what was asked for. A script that asks for an impossible pair is refused
(FT105); one that gets only a part of what it may hope for is told so. What was measured is in docs/privacy.md and
docs/robustness.md.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


class Answer(enum.StrEnum):
    """Whether a pair goes together."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """What a task asks for, as far as the table looks at it."""

    stages: tuple[str, ...] = ("mean",)
    """Stages of the rule, its name alone if it is not composed."""
    clients: int = 1
    """n."""
    f: int = 0
    """Dishonest clients that the rule is told to withstand; trimmed at each end for trimmed-mean."""
    masked: bool = False
    """Whether only sums of updates are seen."""
    groups: int = 1
    """Groups in which updates are masked, each with a sum of its own."""
    noise: Literal["", "local", "distributed", "central", "sample"] = ""
    """Mechanism of noise; "" without."""
    against: Literal["everybody", "readers-of-models"] = "everybody"
    """Whom its ε speaks of."""
    epsilon: float | None = None
    """What a client may spend over all rounds; None without noise."""
    homomorphic: Literal["", "bfv", "ckks"] = ""
    """Scheme under which sums are computed on ciphertexts; "" without."""
    encrypted: bool = False
    """Whether updates are encrypted to an audience."""
    certified: bool = False
    """Whether attestors certify which updates could be had, and show leaves on demand."""
    validated: bool = False
    """Whether updates are compared with each other."""
    scored: bool = False
    """Whether single clients are scored."""

    @property
    def hides_updates(self) -> bool:
        """Whether nobody sees the update of one client."""
        return self.masked or bool(self.homomorphic)

    @property
    def averages(self) -> bool:
        """Whether the rule is a mean of all updates, weighted or not."""
        return set(self.stages) <= AVERAGES

    @property
    def chooses(self) -> bool:
        """Whether the rule trusts what lies in the middle, or picks single updates."""
        return bool(set(self.stages) & CENTRAL) and not set(self.stages) & {"nnm", "multi-krum"}


AVERAGES = {"mean", "weighted-mean", "sum32"}
CENTRAL = {"krum", "median", "geometric-median", "meamed", "bulyan", "mda", "dnc", "centered-clipping"}
"""Rules under which updates without noise look central, and win."""
POSTED = {"krum", "multi-krum", "weighted-mean"}
"""Rules whose proposals carry distances or weights."""
DISTANT = CENTRAL | {"nnm", "multi-krum"}
ROBUST_MEANS = {"trimmed-mean", "multi-krum", "nnm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two things that a task may ask for at once."""

    first: str
    """One of them."""
    second: str
    """The other."""
    answer: Answer
    """Whether they go together."""
    why: str
    """Reason, with what was measured."""
    nearest: str
    """What comes nearest; "" where nothing better is known or needed."""
    applies: Callable[[Combination], bool]
    """Whether a task asks for both."""

    def __str__(self) -> str:
        told = f"{self.first} with {self.second}: {self.why}"
        return f"{told}; nearest: {self.nearest}" if self.nearest else told


PAIRS = (
    Pair(
        first="secure aggregation",
        second="mean",
        answer=Answer.PARTLY,
        why="the sum is all that anybody sees, so nobody sees who poisons it, and one long update decides the model",
        nearest="groups of clients with a rule across the groups, or bounds that clients prove",
        applies=lambda c: c.masked and c.averages and c.groups == 1 and c.f > 0,
    ),
    Pair(
        first="secure aggregation",
        second="a rule over single updates",
        answer=Answer.NO,
        why="the rule compares updates that nobody sees; doing so under masks takes multi-party computation",
        nearest="groups: the rule compares the means of groups, and withstands f < g/2 of them",
        applies=lambda c: c.masked and c.groups == 1 and not c.averages,
    ),
    Pair(
        first="groups of masked clients",
        second="f dishonest clients, f >= g/2",
        answer=Answer.NO,
        why="each dishonest client may spoil a group of its own: a majority of honest groups is not guaranteed",
        nearest="smaller groups, so that there are more than 2f of them, or a smaller f",
        applies=lambda c: c.masked and c.groups > 1 and not c.averages and 2 * c.f >= c.groups,
    ),
    Pair(
        first="groups of masked clients",
        second="a rule across the groups, f < g/2",
        answer=Answer.PARTLY,
        why="it withstands f spoilt groups, so one dishonest client costs the updates of its whole group",
        nearest="",
        applies=lambda c: c.masked and c.groups > 1 and not c.averages and 2 * c.f < c.groups,
    ),
    Pair(
        first="groups of masked clients",
        second="distributed or central noise",
        answer=Answer.NO,
        why="epsilon is that of one sum with everybody's noise; the sum of a group is seen with its members' alone",
        nearest="one group, or mechanism: local",
        applies=lambda c: c.masked and c.groups > 1 and c.noise in ("distributed", "central"),
    ),
    Pair(
        first="secure aggregation",
        second="attestors of availability",
        answer=Answer.NO,
        why="a demand for leaves is answered with leaves alone, but what a client committed to under masks needs the "
        "root of its seeds, too: honest attestors and clients could not answer, and would lose their stake",
        nearest="masking without attestors: that an update was unavailable is then the aggregator's word",
        applies=lambda c: c.masked and c.certified,
    ),
    Pair(
        first="secure aggregation or homomorphic encryption",
        second="validation of single updates",
        answer=Answer.NO,
        why="updates that nobody sees cannot be compared; only bounds that clients prove could be",
        nearest="validation of what groups sum up to, or updates that are encrypted to auditors instead of masked",
        applies=lambda c: c.hides_updates and c.validated,
    ),
    Pair(
        first="secure aggregation or homomorphic encryption",
        second="scores of single clients",
        answer=Answer.NO,
        why="contribution, anomaly and trust of a client need its update",
        nearest="scores of groups, or updates that are encrypted to an auditor who scores them",
        applies=lambda c: c.hides_updates and c.scored,
    ),
    Pair(
        first="distributed or central noise against everybody",
        second="updates in the open",
        answer=Answer.NO,
        why="the store shows each update with its own share of the noise alone, under central noise with none",
        nearest="masking, or mechanism: local, or against: readers-of-models if the store is not public",
        applies=lambda c: c.noise in ("distributed", "central") and c.against == "everybody" and not c.hides_updates,
    ),
    Pair(
        first="distributed or central noise against readers of models",
        second="updates in the open",
        answer=Answer.PARTLY,
        why="epsilon speaks of models only: whoever reads the store sees each update with its own share of the noise "
        "alone, under central noise with none",
        nearest="masking, or mechanism: local",
        applies=lambda c: (
            c.noise in ("distributed", "central")
            and c.against != "everybody"
            and not c.hides_updates
            and not c.encrypted
        ),
    ),
    Pair(
        first="distributed or central noise",
        second="another rule than the plain mean",
        answer=Answer.NO,
        why="epsilon is that of a sum with everybody's noise; a rule that selects, trims or weighs leaves noise out, "
        "and one client moves its result by up to 2C, not 2C/n",
        nearest="rule: mean, or mechanism: local, whose epsilon holds under every rule",
        applies=lambda c: c.noise in ("distributed", "central") and set(c.stages) - {"mean", "sum32"} != set(),
    ),
    Pair(
        first="noise on updates",
        second="Krum, median, geometric median and other rules that trust the centre",
        answer=Answer.NO,
        why="whoever adds no noise lies in the centre and wins: a few clients that flip signs bring accuracy to chance",
        nearest="multi-krum or nnm+trimmed-mean, which average many updates",
        applies=lambda c: c.noise == "local" and c.chooses,
    ),
    Pair(
        first="noise on updates",
        second="Multi-Krum, NNM with trimmed mean, trimmed mean",
        answer=Answer.PARTLY,
        why="they average enough updates for the noise to shrink, but the error must still grow with f·d/n",
        nearest="",
        applies=lambda c: c.noise == "local" and bool(set(c.stages) & ROBUST_MEANS) and not c.chooses,
    ),
    Pair(
        first="noise on updates",
        second="scores or validation of single clients",
        answer=Answer.PARTLY,
        why="what is compared is mostly noise: its length exceeds the clip by the root of d",
        nearest="a clip that honest updates rarely reach, and norms judged against clip and noise together",
        applies=lambda c: c.noise == "local" and (c.scored or c.validated),
    ),
    Pair(
        first="clipping for privacy",
        second="NNM, Krum and other rules that choose by distance",
        answer=Answer.PARTLY,
        why="a clipped attacker looks honest: accuracy holds, but nnm+trimmed-mean lets backdoors through that it "
        "stops without clipping",
        nearest="drop what is too long before anything is clipped, which only updates in the open allow",
        applies=lambda c: c.noise in ("local", "sample") and bool(set(c.stages) & DISTANT),
    ),
    Pair(
        first="noise that protects whole clients",
        second="20 clients or fewer at epsilon 4 or less",
        answer=Answer.PARTLY,
        why="not useful: the noise of so few clients drowns what they learn",
        nearest="100 clients, or an epsilon of 9, or mechanism: sample",
        applies=lambda c: (
            c.noise in ("local", "distributed", "central")
            and c.clients <= 20
            and c.epsilon is not None
            and c.epsilon <= 4
        ),
    ),
    Pair(
        first="homomorphic encryption",
        second="secure aggregation",
        answer=Answer.NO,
        why="either hides single updates from everybody; inside ciphertexts masks would hide nothing more, and every "
        "client would be needed for both",
        nearest="masking where clients come and go, homomorphic where all stay to the end",
        applies=lambda c: bool(c.homomorphic) and c.masked,
    ),
    Pair(
        first="homomorphic encryption",
        second="attestors of availability",
        answer=Answer.NO,
        why="attestors judge and open leaves of updates, and a ciphertext has none that a court could read",
        nearest="no section availability: who published nothing is left out, and the round is run again",
        applies=lambda c: bool(c.homomorphic) and c.certified,
    ),
    Pair(
        first="homomorphic encryption",
        second="mean",
        answer=Answer.PARTLY,
        why="the sum is all that anybody sees, so nobody sees who poisons it, and one long update decides the model",
        nearest="masking in groups, with a rule across the groups",
        applies=lambda c: bool(c.homomorphic) and c.averages and c.f > 0,
    ),
    Pair(
        first="homomorphic encryption",
        second="clients that come and go",
        answer=Answer.PARTLY,
        why="the key is shared n of n: one client that is gone costs the attempt, and the round is run again, with "
        "new keys, without it",
        nearest="secure aggregation, which goes on without them",
        applies=lambda c: bool(c.homomorphic),
    ),
    Pair(
        first="homomorphic encryption",
        second="noise in shares, plain mean",
        answer=Answer.YES,
        why="every share of the noise is in the sum, since a sum without everybody is not decrypted",
        nearest="",
        applies=lambda c: bool(c.homomorphic) and c.noise == "distributed" and c.averages,
    ),
    Pair(
        first="updates encrypted to an audience",
        second="secure aggregation or homomorphic encryption",
        answer=Answer.NO,
        why="a masked update or a ciphertext tells its readers nothing: sealing it would hide no more, and would keep "
        "everybody else from replaying",
        nearest="one of the two; masking and homomorphic sums hide updates from the aggregator too",
        applies=lambda c: c.encrypted and c.hides_updates,
    ),
    Pair(
        first="updates encrypted to an audience",
        second="rules over single updates, validation, local noise",
        answer=Answer.YES,
        why="readers see every update as it was committed; commitments and fraud proofs are the same",
        nearest="",
        applies=lambda c: c.encrypted and not c.hides_updates,
    ),
    Pair(
        first="updates encrypted to an audience",
        second="distributed or central noise against readers of models",
        answer=Answer.YES,
        why="outsiders see models only, of which epsilon speaks; the audience sees each update with its own share",
        nearest="",
        applies=lambda c: c.encrypted and c.noise in ("distributed", "central") and c.against != "everybody",
    ),
    Pair(
        first="updates encrypted to an audience",
        second="Krum, Multi-Krum and weighted means",
        answer=Answer.PARTLY,
        why="their proposals show on the chain what the rule decided by: distances of all pairs, or weights",
        nearest="a composed rule, which shows nothing or only whom it chose",
        applies=lambda c: c.encrypted and len(c.stages) == 1 and bool(set(c.stages) & POSTED),
    ),
    Pair(
        first="updates encrypted to an audience",
        second="scores of single clients",
        answer=Answer.PARTLY,
        why="scores are on the chain: norms and likeness of updates, for everybody; only readers compute them again",
        nearest="scores that an auditor computes and keeps",
        applies=lambda c: c.encrypted and c.scored,
    ),
    Pair(
        first="updates encrypted to an audience",
        second="leaves on demand",
        answer=Answer.PARTLY,
        why="who pays for a demand sees up to 64 leaves of an update on the chain, as everybody then does",
        nearest="no section availability: the aggregator alone says which updates could be had",
        applies=lambda c: c.encrypted and c.certified,
    ),
    Pair(
        first="secure aggregation",
        second="noise in shares, plain mean",
        answer=Answer.YES,
        why="each share is small, the sum of the survivors holds what epsilon asks for",
        nearest="",
        applies=lambda c: c.masked and c.noise == "distributed" and c.averages,
    ),
    Pair(
        first="BFV",
        second="replay bit for bit",
        answer=Answer.YES,
        why="the sum of integers is exact; anybody adds the ciphertexts again",
        nearest="",
        applies=lambda c: c.homomorphic == "bfv" and c.averages,
    ),
    Pair(
        first="CKKS",
        second="replay bit for bit",
        answer=Answer.NO,
        why="its sums are approximate, and a replay knows no nearly equal",
        nearest="BFV, which is exact; or a commitment to the rounded sum with a proof of the rounding",
        applies=lambda c: c.homomorphic == "ckks",
    ),
    Pair(
        first="homomorphic encryption",
        second="sorting or choosing",
        answer=Answer.NO,
        why="comparing ciphertexts takes bootstrapping, orders of magnitude beyond a round's time",
        nearest="rule: mean over ciphertexts, or a rule over updates that are encrypted to auditors",
        applies=lambda c: bool(c.homomorphic) and not c.averages,
    ),
)
"""The whole table."""


def find_pairs(asked: Combination, answer: Answer) -> list[Pair]:
    """Return the pairs of a task that have an answer, in the order of the table."""
    return [pair for pair in PAIRS if pair.answer is answer and pair.applies(asked)]


def render_table() -> str:
    """Return the table in Markdown."""
    rows = [f"| {p.first} | {p.second} | {p.answer} | {p.why} | {p.nearest or '–'} |" for p in PAIRS]
    return "\n".join(["| one | other | together | why | nearest |", "|---|---|---|---|---|", *rows])
