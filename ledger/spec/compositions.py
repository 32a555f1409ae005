"""Composed rules: stages one after the other, as text, and what they make of updates (docs/protocol.md §5.9, §5.10).

A composition is `STAGE+…+STAGE@f`, such as `drop(3)+nnm+trimmed-mean@6`: f is the number of dishonest clients that it
withstands. Every stage but the last selects, clips or mixes vectors; the last makes one of them. f is the same for all
stages: whom a stage left out may have been honest, so those that follow must still reckon with f. `distinct` alone,
which comes first, lowers it by those who cannot have been. Where fewer than 2f + 1 vectors are left, a stage reckons
with the most that any rule can withstand among them.

The order of the stages is here and nowhere else, for lists of integers and for the arrays of the fast path (`rows`).
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ledger.spec import filtering
from ledger.spec import gram as grams
from ledger.spec.errors import NotCanonical, RuleNotApplicable
from ledger.spec.rows import Rows

MAX_TEXT_BYTES = 255
MAX_STAGES = 8
MAX_F = (1 << 16) - 1
WEI_PER_GWEI = 10**9
_STAGE = re.compile(r"([a-z][a-z-]*)(?:\((0|[1-9][0-9]{0,9})\))?")
_TEXT = re.compile(r"([^@]+)@(0|[1-9][0-9]{0,4})")


class Kind(enum.Enum):
    """What a stage does with the vectors."""

    SELECT = "selects"
    CLIP = "clips"
    MIX = "mixes"
    FINAL = "ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageType:
    """A stage that compositions may have."""

    kind: Kind
    """What it does."""
    argument: str = ""
    """What its number is; "" if it takes none."""
    needs: Callable[[int], int]
    """Fewest vectors for which it keeps what it promises against f, by f."""


def _most(f: int) -> int:
    return 2 * f + 1


FIRST = "distinct"
"""The stage that stands before all others, since it decides what f and "all updates" are for them."""
STAGES = {
    FIRST: StageType(kind=Kind.SELECT, argument="hundredths of the cosine from which updates are copies", needs=_most),
    "drop": StageType(kind=Kind.SELECT, argument="times the median norm", needs=_most),
    "multi-krum": StageType(kind=Kind.SELECT, argument="vectors kept", needs=lambda f: 2 * f + 3),
    "linkage": StageType(kind=Kind.SELECT, needs=_most),
    "mda": StageType(kind=Kind.SELECT, needs=_most),
    "dnc": StageType(kind=Kind.SELECT, needs=_most),
    "cosine-dnc": StageType(kind=Kind.SELECT, needs=_most),
    "cosine-filter": StageType(kind=Kind.SELECT, argument="times the median distance", needs=_most),
    "clip": StageType(kind=Kind.CLIP, argument="largest norm, in units of 2^-scale_bits", needs=_most),
    "median-clip": StageType(kind=Kind.CLIP, needs=_most),
    "arc": StageType(kind=Kind.CLIP, needs=_most),
    "nnm": StageType(kind=Kind.MIX, needs=_most),
    "bucketing": StageType(kind=Kind.MIX, argument="vectors a bucket", needs=_most),
    "mean": StageType(kind=Kind.FINAL, needs=lambda f: 1),
    "guarded-mean": StageType(kind=Kind.FINAL, needs=_most),
    "fenced-mean": StageType(kind=Kind.FINAL, argument="ranges beyond the trimmed one", needs=_most),
    "weighted-mean": StageType(kind=Kind.FINAL, needs=lambda f: 1),
    "stake-mean": StageType(kind=Kind.FINAL, argument="gwei of stake that a unit of weight needs", needs=lambda f: 1),
    "median": StageType(kind=Kind.FINAL, needs=_most),
    "trimmed-mean": StageType(kind=Kind.FINAL, needs=_most),
    "meamed": StageType(kind=Kind.FINAL, needs=_most),
    "bulyan": StageType(kind=Kind.FINAL, needs=lambda f: 4 * f + 3),
    "geometric-median": StageType(kind=Kind.FINAL, needs=_most),
    "centered-clipping": StageType(kind=Kind.FINAL, needs=_most),
    "trust": StageType(kind=Kind.FINAL, argument="client whose update is the reference", needs=lambda f: 2),
    "foolsgold": StageType(kind=Kind.FINAL, needs=lambda f: 2),
}
"""Every stage by its name."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a composition."""

    name: str
    """One of STAGES."""
    argument: int = 0
    """Its number; 0 for stages without one."""

    @property
    def type(self) -> StageType:
        """What it does."""
        return STAGES[self.name]

    def __str__(self) -> str:
        return f"{self.name}({self.argument})" if self.type.argument else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A composed rule.

    Raises: NotCanonical: the stages are in no order that means something.
    """

    stages: tuple[Stage, ...]
    """1 to MAX_STAGES; the last and only the last ends it."""
    f: int
    """Dishonest clients that it withstands, 0 to MAX_F."""

    def __post_init__(self) -> None:
        kinds = [stage.type.kind for stage in self.stages]
        if not 1 <= len(kinds) <= MAX_STAGES:
            raise NotCanonical(what=f"{len(kinds)} stages, allowed are 1 to {MAX_STAGES}")
        if Kind.FINAL in kinds[:-1] or kinds[-1] is not Kind.FINAL:
            raise NotCanonical(what=f"{self}: the last stage, and no other, makes one vector of many")
        if FIRST in [stage.name for stage in self.stages[1:]]:
            raise NotCanonical(what=f"{self}: {FIRST} comes first")
        if Kind.MIX in kinds and any(kind is Kind.CLIP for kind in kinds[kinds.index(Kind.MIX) :]):
            raise NotCanonical(what=f"{self}: clipping comes before mixing")
        if Kind.MIX in kinds and self.stages[-1].name in ("weighted-mean", "stake-mean", "trust"):
            raise NotCanonical(what=f"{self}: {self.stages[-1].name} is about clients, and mixtures are none")
        if not 0 <= self.f <= MAX_F:
            raise NotCanonical(what=f"f = {self.f}, allowed are 0 to {MAX_F}")
        for stage in self.stages:
            if bool(stage.argument) != bool(stage.type.argument):
                raise NotCanonical(what=f"{stage.name} takes {stage.type.argument or 'no number'}")

    def __str__(self) -> str:
        return "+".join(map(str, self.stages)) + f"@{self.f}"

    @property
    def min_updates(self) -> int:
        """Fewest updates for which every stage keeps what it promises against f."""
        bucket = max([stage.argument for stage in self.stages if stage.name == "bucketing"], default=1)
        # Of buckets of s, f may hold a dishonest update each.
        return max((stage.type.needs(self.f) - 1) * bucket + 1 for stage in self.stages)

    @property
    def wei_per_weight(self) -> int:
        """Stake that a unit of weight needs, in wei; 0 where the stake does not limit the weight."""
        return self.stages[-1].argument * WEI_PER_GWEI if self.stages[-1].name == "stake-mean" else 0

    @property
    def selects_only(self) -> bool:
        """Whether it is the mean of some updates, as they are: then the choice can be told by weights of 0 and 1."""
        return self.stages[-1].name == "mean" and all(s.type.kind is Kind.SELECT for s in self.stages[:-1])


def encode_composition(composition: Composition) -> bytes:
    """Return the text of a composition: what a task's digest is of."""
    return str(composition).encode("ascii")


def decode_composition(data: bytes) -> Composition:
    """Return the composition of a text.

    Raises: NotCanonical: it is no composition, or another text means the same.
    """
    try:
        text = data.decode("ascii") if len(data) <= MAX_TEXT_BYTES else ""
    except UnicodeDecodeError:
        text = ""
    found = _TEXT.fullmatch(text)
    if not found:
        raise NotCanonical(what=f"{data[:MAX_TEXT_BYTES]!r} is no composition such as drop(3)+nnm+trimmed-mean@6")
    composition = Composition(stages=tuple(map(_decode_stage, found[1].split("+"))), f=int(found[2]))
    if encode_composition(composition) != data:
        raise NotCanonical(what=f"{text!r} instead of {str(composition)!r}")
    return composition


def _decode_stage(text: str) -> Stage:
    found = _STAGE.fullmatch(text)
    if not found or found[1] not in STAGES:
        raise NotCanonical(what=f"no stage {text!r}; there are {', '.join(STAGES)}")
    return Stage(found[1], int(found[2] or 0))


# ----------------------------------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a composed rule may read beside updates."""

    clients: tuple[int, ...]
    """Participant id of every slot."""
    weights: tuple[int, ...]
    """compute_weight of every slot."""
    seed: bytes
    """32 bytes of the ledger for what is left to chance (`compute_seed`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    rows: Rows
    slots: tuple[int, ...]
    """Slots of the updates that are left, while rows are updates."""
    updates: Rows
    """All of them, as they came; without copies where these are left out."""
    most: int
    """f of the composition, less the dishonest updates that are certain to be gone."""
    divisor: int
    """What every coordinate is to be divided by in the end."""

    @property
    def f(self) -> int:
        """How many of the vectors that are left a stage takes for dishonest: at most f, and always a minority."""
        return min(self.most, (len(self.rows) - 1) // 2)


def evaluate(composition: Composition, rows: Rows, context: Context, bound: int) -> Sequence[int]:
    """Return what a composition makes of clamped updates: d integers within [-bound, bound].

    Raises: RuleNotApplicable: there is no update, or the reference of `trust` is not among them.
    """
    if not len(rows):
        raise RuleNotApplicable(rule=str(composition), parameter=composition.f, want=1, got=0)
    state = _State(rows=rows, updates=rows, slots=tuple(range(len(rows))), most=composition.f, divisor=1)
    for stage in composition.stages[:-1]:
        state = _apply(stage, state, context)
    return rows.limit(_finish(composition.stages[-1], state, context), bound)


def compute_seed(domain_separator: bytes, round_id: int, segments_hash: bytes) -> bytes:
    """Return sha256("fedtrail seed" | domain separator | round u64 | segmentsHash): fixed after the commit phase.

    Nobody knows it before the last commitment, and whoever commits last can choose among as many seeds as it tries.
    """
    return hashlib.sha256(b"fedtrail seed" + domain_separator + round_id.to_bytes(8, "big") + segments_hash).digest()


def select(composition: Composition, rows: Rows, context: Context) -> list[int]:
    """Return the slots whose mean a composition is that only selects (Composition.selects_only), rising."""
    state = _State(rows=rows, updates=rows, slots=tuple(range(len(rows))), most=composition.f, divisor=1)
    for stage in composition.stages[:-1]:
        state = _apply(stage, state, context)
    return sorted(state.slots)


def _apply(stage: Stage, state: _State, context: Context) -> _State:
    if stage.name == FIRST:
        kept, gone = filtering.select_distinct(state.rows.gram(), state.most, stage.argument)
        taken = _take(state, kept)
        return replace(taken, updates=taken.rows, most=max(0, state.most - gone))
    if stage.type.kind is Kind.SELECT:
        return _take(state, _select(stage, state))
    if stage.type.kind is Kind.CLIP:
        return replace(state, rows=_clip(stage, state))
    if stage.name == "nnm":
        mixture, divisor = grams.mix_nearest(state.rows.gram(), state.f)
    else:
        mixture, divisor = grams.mix_buckets(len(state.rows), stage.argument, context.seed)
    return replace(state, rows=state.rows.mix(mixture), divisor=state.divisor * divisor)


def _take(state: _State, kept: Sequence[int]) -> _State:
    slots = tuple(state.slots[i] for i in kept) if len(state.slots) == len(state.rows) else state.slots
    return replace(state, rows=state.rows.take(kept), slots=slots)


def _select(stage: Stage, state: _State) -> Sequence[int]:
    if len(state.rows) == 1:
        return [0]
    matrix, f = state.rows.gram(), state.f
    if stage.name == "drop":
        # The median of all updates: among those that are left the long ones may be the most.
        usual = grams.find_median_radius(state.updates.gram())[1]
        return grams.select_within_norm(matrix, stage.argument**2 * usual * state.divisor**2)
    if stage.name == "multi-krum":
        return grams.select_multi_krum(matrix, f, stage.argument)
    if stage.name == "dnc":
        return grams.select_off_direction(matrix, f, state.rows.find_power)
    if stage.name == "cosine-dnc":
        return grams.select_off_median(matrix, f, state.rows.find_power)
    if stage.name == "cosine-filter":
        return filtering.select_within_spread(matrix, f, stage.argument, state.rows.find_power)
    return grams.select_linked(matrix, f) if stage.name == "linkage" else grams.select_smallest_diameter(matrix, f)


def _clip(stage: Stage, state: _State) -> Rows:
    matrix = state.rows.gram()
    squares = [matrix[i][i] for i in range(len(matrix))]
    if stage.name == "clip":
        return state.rows.shrink([(stage.argument**2, square) for square in squares])
    clipped, radius = (
        grams.find_arc_radius(matrix, state.f) if stage.name == "arc" else grams.find_median_radius(matrix)
    )
    return state.rows.shrink([(radius if i in clipped else square, square) for i, square in enumerate(squares)])


def _finish(stage: Stage, state: _State, context: Context) -> Sequence[int]:
    rows, n, f, divisor = state.rows, len(state.rows), state.f, state.divisor
    if stage.name in ("median", "trimmed-mean"):
        trim = (n - 1) // 2 if stage.name == "median" else min(f, (n - 1) // 2)
        return rows.middle(trim, (n - 2 * trim) * divisor)
    if stage.name == "guarded-mean":
        return rows.guarded(state.most // 2, divisor)
    if stage.name == "fenced-mean":
        return rows.fenced(f, stage.argument, divisor)
    if stage.name == "meamed":
        return rows.nearest(max(1, n - f), max(1, n - f) * divisor)
    if stage.name == "bulyan":
        chosen = grams.select_bulyan(rows.gram(), f)
        count = max(1, len(chosen) - 2 * f)
        return rows.take(chosen).nearest(count, count * divisor)
    weights, total = _weigh(stage, state, context)
    return rows.divide(weights, total * divisor)


def _weigh(stage: Stage, state: _State, context: Context) -> tuple[list[int], int]:
    rows = state.rows
    if stage.name == "mean":
        return [1] * len(rows), len(rows)
    if stage.name in ("weighted-mean", "stake-mean"):
        weights = [context.weights[slot] for slot in state.slots]
        return weights, sum(weights)
    if stage.name == "geometric-median":
        return grams.weigh_geometric_median(rows.gram())
    if stage.name == "centered-clipping":
        return grams.weigh_centered_clipping(rows.gram())
    if stage.name == "foolsgold":
        return grams.weigh_by_difference(rows.gram())
    clients = [context.clients[slot] for slot in state.slots]
    if stage.argument not in clients:
        raise RuleNotApplicable(rule=str(stage), parameter=stage.argument, want="the reference's update", got="none")
    return grams.weigh_by_trust(rows.gram(), clients.index(stage.argument))
