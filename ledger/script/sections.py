"""The sections of a round script and the values in them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import WithJsonSchema

from ledger import spec
from ledger.errors import UsageError
from ledger.script.automatic import AUTO, AUTO_STAGES
from ledger.spec import narrow
from ledger.suggestions import suggest
from ledger.units import AMOUNT_PATTERN, parse_wei

MAX_ATTESTORS = 32
"""Largest committee that the AvailabilityBoard takes."""

_ACCURACY = re.compile(r"(>=|>|<=|<) ([01](?:\.[0-9]{1,9})?)")


def _verify_amount(text: str) -> str:
    try:
        parse_wei(text)
    except UsageError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error
    return text


def _verify_accuracy(text: str) -> str:
    if _ACCURACY.fullmatch(text) is None:
        raise ValueError("expected a comparison with a number from 0 to 1, such as '>= 0.80'")
    return text


Amount = Annotated[str, AfterValidator(_verify_amount), WithJsonSchema({"type": "string", "pattern": AMOUNT_PATTERN})]
Accuracy = Annotated[
    str, AfterValidator(_verify_accuracy), WithJsonSchema({"type": "string", "pattern": f"^({_ACCURACY.pattern})$"})
]
ClientNumber = Annotated[int, Field(ge=1, le=spec.MAX_CLIENTS)]
ClientNumbers = Annotated[tuple[ClientNumber, ...], Field(strict=False, min_length=1)]
Seconds = Annotated[int, Field(ge=1, le=10**9)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def _verify_rule_name(name: str) -> str:
    if name not in spec.RULE_NAMES:
        try:
            spec.decode_composition(f"{name}@0".encode("ascii", "replace"))
        except spec.NotCanonical as error:
            raise ValueError(f"{name!r} is no rule and no composition{_explain_stage(name)}") from error
    return name


def _explain_stage(name: str) -> str:
    """Return what may be meant by the first part that is no stage; nothing where all are."""
    known = (*spec.RULE_NAMES, *spec.STAGES)
    for part in name.split("+"):
        stage = part.partition("(")[0]
        if stage not in known:
            return suggest(stage, known) or f"; stages are {', '.join(spec.STAGES)}"
    return f" of {', '.join(spec.STAGES)}: docs/protocol.md, composed rules"


RuleName = Annotated[str, Field(max_length=200), AfterValidator(_verify_rule_name)]


class Section(BaseModel):
    """Keys and values that cannot change, with no unknown key and no guessed type."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class RuleSection(Section):
    """An aggregation rule and its number."""

    name: RuleName
    """Rule (docs/protocol.md §5), stages of a composed one (§5.9) such as drop(3)+nnm+trimmed-mean, or auto."""
    trim: int | None = Field(default=None, ge=0, le=65535)
    """trimmed-mean: values left out at each end."""
    f: int | None = Field(default=None, ge=0, le=65535)
    """krum, multi-krum, composed rules: dishonest clients to withstand; auto: by default 30 % of the clients."""
    select: int | None = Field(default=None, ge=1, le=65535)
    """multi-krum: updates that are averaged."""
    stake_per_weight: Amount | None = None
    """weighted-mean: stake that a unit of weight needs, so that many small identities weigh no more than one."""

    @property
    def rule(self) -> spec.Rule:
        """The rule's number on chain."""
        return spec.RULE_NAMES.get(self.name, spec.Rule.COMPOSED)

    @property
    def composition(self) -> spec.Composition | None:
        """Stages of a composed rule; None of any other."""
        if self.rule is not spec.Rule.COMPOSED:
            return None
        return spec.decode_composition(f"{self.name}@{self.f or 0}".encode("ascii"))

    @property
    def parameter(self) -> int:
        """Trim or f, of a composed rule its fewest updates; 0 for rules without one."""
        if self.composition is not None:
            return self.composition.min_updates
        return (self.trim if self.name == "trimmed-mean" else self.f) or 0

    @property
    def wei_per_weight(self) -> int:
        """Stake that a unit of weight needs, in wei; 0 where the stake does not limit the weight."""
        return parse_wei(self.stake_per_weight) if self.stake_per_weight else 0

    def make_params(self, bound: int, examples_cap: int) -> spec.RuleParams:
        """Return the rule as it is applied, but for what it may read of a round."""
        return spec.RuleParams(
            rule=self.rule,
            parameter=self.parameter,
            select=self.select or 0,
            bound=bound,
            examples_cap=examples_cap,
            wei_per_weight=self.wei_per_weight,
            composition=self.composition,
        )

    @property
    def min_updates(self) -> int:
        """Fewest updates for which the rule is defined."""
        return spec.compute_min_updates(self.rule, self.parameter, self.select or 0)

    @property
    def label(self) -> str:
        """Name with its number, for people: `trimmed-mean(3)`, `nnm+median@6`."""
        if self.composition is not None:
            return str(self.composition)
        numbers = [str(n) for n in (self.trim, self.f, self.select) if n is not None]
        return f"{self.name}({', '.join(numbers)})" if numbers else self.name

    @property
    def caption(self) -> str:
        """The label, short enough for a column: `auto(3)` for the default."""
        return f"{AUTO}({self.f})" if self.name == AUTO_STAGES else self.label


class RunSection(Section):
    """What is run."""

    name: Name
    """Name of the run, unique in its project."""
    rounds: int = Field(ge=1, le=100_000)
    """Number of rounds."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of the split, the first model and every client's training."""
    purpose: str = Field(default="", max_length=1000)
    """Why, for readers of the script."""
    mode: Literal["verified", "accumulated", "root-only"] = "verified"
    """verified: the ledger checks signatures; accumulated: one by one, uncounted; root-only: a signed list's root."""
    quorum: int | None = Field(default=None, ge=1, le=spec.MAX_CLIENTS)
    """Fewest included updates for a proposal; default: more than half of the clients, and enough for the rule."""
    dispute: bool = False
    """Prove a wrong proposal to the court and run the round again, instead of ending the run."""
    record_accuracy: bool = False
    """State the accuracy of the model on the ledger after each round: the aggregator's word, which Q17 tells."""
    rule: RuleSection
    """How updates become one."""

    @property
    def commit_mode(self) -> spec.CommitMode:
        """The mode's number on chain."""
        return spec.CommitMode[self.mode.upper().replace("-", "_")]


class ModelSection(Section):
    """What is trained."""

    entry: str = Field(default="mlp", min_length=1, max_length=200)
    """mlp, cnn, logistic, or MODULE:FUNCTION of your own."""


class DataSection(Section):
    """What it is trained on."""

    name: str = Field(default="digits", min_length=1, max_length=100)
    """digits, breast_cancer, mnist or cifar10."""
    root: str | None = None
    """Folder of the files of mnist and cifar10."""
    partition: Literal["iid", "dirichlet"] = "iid"
    """How examples are dealt to clients."""
    alpha: float = Field(default=1.0, gt=0)
    """dirichlet: 0.1 is strongly skewed by class, 100 close to even."""
    min_examples: int = Field(default=8, ge=1)
    """Smallest part that a client may get."""


class TrainingSection(Section):
    """Local training of every client."""

    epochs: int = Field(default=3, ge=1, le=10_000)
    """Passes over the client's examples in a round."""
    batch_size: int = Field(default=16, ge=1)
    """Examples a step."""
    learning_rate: float = Field(default=0.1, gt=0)
    """Step size."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of SGD; 0 is plain SGD."""


class ClientsSection(Section):
    """Who takes part; clients are numbered 1 to `count`."""

    count: ClientNumber
    """Number of clients."""
    stake: Amount = "1 ether"
    """Stake of each."""
    clip_norm: float | None = Field(default=4.0, gt=0)
    """Largest L2 norm of an update; null for none."""

    @property
    def stake_wei(self) -> int:
        """Stake of each in wei."""
        return parse_wei(self.stake)


class FormatSection(Section):
    """Number format of updates (docs/protocol.md §1, §2)."""

    scale_bits: int = Field(default=20, ge=0, le=spec.MAX_SCALE_BITS)
    """Fractional bits."""
    bound: int = Field(default=spec.MAX_BOUND, ge=1, le=spec.MAX_BOUND)
    """Largest |coordinate|."""
    bits: Literal[16, 32] = 32
    """Of a coordinate of an update as it is stored and sent (docs/protocol.md §3.6)."""
    leaf_log2: int = Field(default=8, ge=3, le=12)
    """Coordinates per leaf of an update, log2."""
    matrix_log2: int = Field(default=3, ge=0, le=8)
    """Coordinates per matrix leaf, log2."""
    model_log2: int = Field(default=5, ge=3, le=12)
    """Coordinates per leaf of an aggregate or a model, log2."""
    examples_cap: int = Field(default=100_000, ge=1, le=spec.MAX_EXAMPLES_CAP)
    """Largest weight of one client."""

    @model_validator(mode="after")
    def _verify_bits(self) -> FormatSection:
        if self.bits == 16 and self.bound > narrow.MAX_NARROW:
            raise ValueError(
                f"bits: 16 takes a bound of at most {narrow.MAX_NARROW}, and fewer scale_bits to go with it"
            )
        return self

    @property
    def update_kind(self) -> spec.Kind:
        """What an update is stored as where it is neither masked nor encrypted for a sum."""
        return spec.Kind.NARROW if self.bits == 16 else spec.Kind.UPDATE

    @property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """What the task says of it beside its parameters (docs/protocol.md §3.5)."""
        return ((narrow.TERM, narrow.TEXT),) if self.bits == 16 else ()


class WindowsSection(Section):
    """Length of the phases of a round."""

    commit_seconds: Seconds = 600
    """For commitments."""
    data_seconds: int = Field(default=600, ge=0, le=10**9)
    """For publishing the data."""
    propose_seconds: Seconds = 600
    """For the aggregator's proposal."""
    challenge_seconds: Seconds = 1800
    """For challenges after a proposal."""


class AggregatorSection(Section):
    """Who proposes."""

    stake: Amount = "2 ether"
    """Stake of the aggregator."""
    bond: Amount = "1 ether"
    """Part of it held while it runs the rounds; what a proved fraud costs."""

    count: int = Field(default=1, ge=1, le=100)
    """Aggregators: when one is convicted, the next one runs the round again."""

    @property
    def stake_wei(self) -> int:
        """Stake in wei."""
        return parse_wei(self.stake)

    @property
    def bond_wei(self) -> int:
        """Bond in wei."""
        return parse_wei(self.bond)


class AvailabilitySection(Section):
    """Attestors, who certify which updates could be had before an aggregate is proposed."""

    attestors: int = Field(default=3, ge=1, le=MAX_ATTESTORS)
    """Number of attestors in the committee."""
    threshold: int | None = Field(default=None, ge=1, le=MAX_ATTESTORS)
    """How many of them must sign; more than half, and by default no more than that takes."""
    stake: Amount = "1 ether"
    """Stake of each."""

    @property
    def stake_wei(self) -> int:
        """Stake of each in wei."""
        return parse_wei(self.stake)

    @property
    def majority(self) -> int:
        """Fewest signatures that are more than half of the committee's."""
        return self.attestors // 2 + 1

    @property
    def signatures(self) -> int:
        """Signatures that a certificate needs."""
        return self.threshold or self.majority


class ExcludedClient(Section):
    """A client that the aggregator must have excluded."""

    client: ClientNumber
    """Which."""
    rounds: tuple[Annotated[int, Field(ge=1)], ...] = Field(strict=False, min_length=1)
    """In these rounds."""
    code: str | None = Field(default=None, pattern=r"^FT[0-9]{3}$")
    """With this error."""


class ExpectSection(Section):
    """What must come out; otherwise the run ends with exit status 9."""

    replay: Literal["pass"] | None = None
    """pass: every round's replay passes."""
    accuracy: Accuracy | None = None
    """Accuracy of the last model, such as `>= 0.80`."""
    excluded: tuple[ExcludedClient, ...] | None = Field(default=None, strict=False)
    """Who must be excluded in which rounds."""
