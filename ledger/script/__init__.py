"""Round scripts: what a run does, as one checked file in YAML or TOML (docs/cli.md, Round scripts).

The SHA-256 of the file's bytes goes on chain with the task, so a run and its script cannot part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from ledger import spec
from ledger.errors import IncompatibleParts, NotFoundError, ScriptError
from ledger.marked import Document, Mark, SyntaxProblem, parse
from ledger.script.audience import AudienceSection, check_audience
from ledger.script.automatic import resolve_rules
from ledger.script.combining import find_impossible
from ledger.script.events import (
    MALFORMATIONS,
    AggregatorEvent,
    AttackEvent,
    DropEvent,
    MalformEvent,
    ScriptEvent,
    WithholdEvent,
)
from ledger.script.homomorphic import HomomorphicSection, check_homomorphic
from ledger.script.keys import KeysSection
from ledger.script.masking import MaskingSection, check_masking
from ledger.script.noise import NoiseSection, check_noise
from ledger.script.rewards import RewardsSection
from ledger.script.scores import ScoresSection
from ledger.script.sections import (
    AggregatorSection,
    AvailabilitySection,
    ClientsSection,
    DataSection,
    ExcludedClient,
    ExpectSection,
    FormatSection,
    ModelSection,
    RuleSection,
    RunSection,
    Section,
    TrainingSection,
    WindowsSection,
)
from ledger.script.validation import ValidationSection
from ledger.spec.noise import TERM as NOISE_TERM
from ledger.spec.noise import Noise
from ledger.suggestions import suggest

Place: TypeAlias = tuple[str | int, ...]


class Script(Section):
    """A run from its first client to what must come out."""

    fedtrail: Literal[1]
    """Version of this schema."""
    run: RunSection
    """What is run."""
    model: ModelSection = Field(default_factory=ModelSection)
    """What is trained."""
    data: DataSection = Field(default_factory=DataSection)
    """What it is trained on."""
    training: TrainingSection = Field(default_factory=TrainingSection)
    """Local training of every client."""
    clients: ClientsSection
    """Who takes part."""
    format: FormatSection = Field(default_factory=FormatSection)
    """Number format of updates."""
    windows: WindowsSection = Field(default_factory=WindowsSection)
    """Length of the phases of a round."""
    aggregator: AggregatorSection = Field(default_factory=AggregatorSection)
    """Who proposes."""
    availability: AvailabilitySection | None = None
    """Attestors, who certify which updates could be had; without this section the aggregator says it alone."""
    masking: MaskingSection | None = None
    """Secure aggregation; without this section everybody sees every update."""
    homomorphic: HomomorphicSection | None = None
    """Sums under encryption; without this section everybody sees every update."""
    audience: AudienceSection | None = None
    """Who may read updates; without this section everybody who reads the store."""
    keys: KeysSection | None = None
    """How long signing and encryption keys last; without this section they stay until somebody replaces them."""
    rewards: RewardsSection | None = None
    """Pay for updates that went into finalised rounds; without this section there is none."""
    scores: ScoresSection | None = None
    """Scores that the aggregator records; without this section everybody computes them alone."""
    validation: ValidationSection | None = None
    """Which updates are rejected when they are compared with each other; without this section none is."""
    noise: NoiseSection | None = None
    """Differential privacy; without this section no noise is added."""
    events: tuple[ScriptEvent, ...] = Field(default=(), strict=False)
    """What goes wrong, and when."""
    compare: tuple[RuleSection, ...] = Field(default=(), strict=False)
    """Rules for twin runs without the ledger, on the same split."""
    expect: ExpectSection = Field(default_factory=ExpectSection)
    """What must come out."""

    _source: bytes = PrivateAttr(default=b"")

    @model_validator(mode="before")
    @classmethod
    def _resolve_rules(cls, data: Any) -> Any:
        return resolve_rules(data)

    @model_validator(mode="after")
    def _verify_format(self) -> Script:
        if self.format.bits == 16 and (self.masking is not None or self.homomorphic is not None):
            raise ValueError("format.bits: 16 is for updates that are neither masked nor encrypted for a sum")
        return self

    @property
    def source(self) -> bytes:
        """The file's bytes, as they were read."""
        return self._source

    @property
    def quorum(self) -> int:
        """Fewest included updates: the script's number, else more than half and enough for the rule."""
        return self.run.quorum or max(self.clients.count // 2 + 1, self.min_updates)

    @property
    def min_updates(self) -> int:
        """Fewest included updates for which the rule is defined; in groups, those of as many groups as it needs."""
        grouped = self.grouped
        return self.run.rule.min_updates if grouped is None else self.rule_param * grouped.min_group

    @property
    def grouped(self) -> MaskingSection | None:
        """The section `masking:` where the rule is over the means of groups; None in any other script."""
        return self.masking if self.masking is not None and self.masking.is_grouped else None

    @property
    def composition(self) -> spec.Composition | None:
        """Stages of the rule as the task has it; None where it is not composed."""
        return self.run.rule.composition if self.grouped is None else self.grouped.compose(self.run.rule)

    @property
    def rule(self) -> spec.Rule:
        """The rule as the task has it."""
        return self.run.rule.rule if self.grouped is None else spec.Rule.COMPOSED

    @property
    def divisor(self) -> int:
        """What every client divides its update by: nobody can divide a sum without knowing how many are in it."""
        return self.clients.count if self.hides_updates and self.grouped is None else 1

    @property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """What binds the task's rounds beside its rule (docs/protocol.md §3.5), in rising name."""
        sections = (self.validation,)
        noise = () if self.noise_term is None else ((NOISE_TERM, str(self.noise_term)),)
        return tuple(
            sorted((*self.format.terms, *noise, *(section.term for section in sections if section is not None)))
        )

    @property
    def noise_term(self) -> Noise | None:
        """What the task says of noise; None without."""
        noise = self.divided_noise
        return None if noise is None else noise.make_term(self.format.scale_bits, self.quorum)

    @property
    def divided_noise(self) -> NoiseSection | None:
        """The section `noise:` for what is committed: before it is hidden, an update may be divided."""
        if self.noise is None or self.divisor == 1 or self.noise.mechanism == "sample":
            return self.noise
        return self.noise.model_copy(update={"clip": self.noise.clip / self.divisor})

    @property
    def hides_updates(self) -> bool:
        """Whether nobody sees single updates: then every client divides its own, since nobody can divide the sum."""
        return self.masking is not None or self.homomorphic is not None

    @property
    def rule_param(self) -> int:
        """The rule's number as the task has it: of a masked sum the peers of each client, of groups the fewest."""
        if self.grouped is not None:
            return self.grouped.compose(self.run.rule).min_updates
        return self.run.rule.parameter if self.masking is None else self.masking.get_degree(self.clients.count)

    def digest(self) -> bytes:
        """Return the SHA-256 of the file's bytes."""
        return hashlib.sha256(self._source).digest()

    def events_in(self, number: int) -> tuple[ScriptEvent, ...]:
        """Return the events of the round of that number within the run, from 1."""
        return tuple(event for event in self.events if event.covers(number))


def load_script(path: Path | str) -> Script:
    """Read and check a round script; `.toml` is TOML, all else YAML.

    Raises: NotFoundError: no such file. ScriptError: names the file, line and column of the first mistake.
    """
    file = Path(path)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise NotFoundError(
            kind="script", name=path, suggestion=f" ({error.strerror})", hint="fedtrail script new writes one"
        ) from error
    return parse_script(raw, name=str(path))


def parse_script(raw: bytes, *, name: str) -> Script:
    """Check a round script's bytes.

    Args: name: the file's name; it ends in `.toml` for TOML.
    Raises: ScriptError: names the file, line and column of the first mistake.
    """
    try:
        document = parse(raw, suffix=Path(name).suffix)
    except SyntaxProblem as error:
        raise _problem(name, error.mark, str(error)) from error
    try:
        script = Script.model_validate(document.data)
    except ValidationError as error:
        problems = [(tuple(e["loc"]), _describe(e, document)) for e in error.errors(include_url=False)]
        raise _first_problem(name, document, problems) from error
    problems = list(_find_contradictions(script))
    if problems:
        raise _first_problem(name, document, problems)
    for pair in find_impossible(script):
        mark = document.locate(document.resolve(("noise",) if script.noise else ("run", "rule")))
        raise IncompatibleParts(file=name, line=mark.line, column=mark.column, what=str(pair))
    script._source = raw
    return script


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of round scripts."""
    return Script.model_json_schema()


def _problem(name: str, mark: Mark, what: str, others: Iterable[str] = ()) -> ScriptError:
    also = list(others)
    hint = "also wrong: " + "; ".join(also[:5]) if also else "fedtrail script schema prints what is allowed"
    return ScriptError(file=name, line=mark.line, column=mark.column, what=what, hint=hint, also=also)


def _first_problem(name: str, document: Document, problems: list[tuple[Place, str]]) -> ScriptError:
    found = {document.resolve(place) for place, _ in problems}
    placed: dict[Mark, str] = {}
    for place, what in problems:
        here = document.resolve(place)
        # Each branch of a union complains about the same place; and a key misspelt inside is why one is missing.
        if not any(other[: len(here)] == here for other in found - {here}):
            placed.setdefault(document.locate(place), what)
    (mark, what), *rest = sorted(placed.items(), key=lambda item: (item[0].line, item[0].column))
    return _problem(name, mark, what, (f"{m.line}:{m.column}: {w}" for m, w in rest))


_EXPECTED = {
    "model_type": "keys with values",
    "dict_type": "keys with values",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_pattern_mismatch": "text of the form {pattern}",
}


def _describe(error: Any, document: Document) -> str:
    place = document.resolve(tuple(error["loc"]))
    where = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        return f"unknown key '{place[-1]}'{_suggest_key(str(place[-1]))}"
    if error["type"] == "missing":
        return f"'{'.'.join(map(str, (*place, error['loc'][-1])))}' is missing"
    if error["type"] in ("event_kind", "value_error"):
        return f"'{where}': {error['msg'].removeprefix('Value error, ')}"
    expected = _EXPECTED.get(error["type"], error["msg"].removeprefix("Input should be "))
    return f"'{where}' is {_shorten(error['input'])}, expected {expected.format(**error.get('ctx', {}))}"


def _shorten(value: object) -> str:
    text = "empty" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggest_key(key: str) -> str:
    known = sorted(_collect_keys(json_schema()))
    if key in known:
        return ": it does not belong in this section"
    return suggest(key, known)


def _collect_keys(schema: dict[str, Any]) -> set[str]:
    tables = [schema, *schema["$defs"].values()]
    return {key for table in tables for key in table.get("properties", {})}


def _find_contradictions(script: Script) -> Iterator[tuple[Place, str]]:
    run, count = script.run, script.clients.count
    grouped = script.grouped
    # That there are enough groups for the rule is said by check_masking and the table of combinations.
    problems = [*_check_rule(run.rule, ("run", "rule"), count, is_counted=grouped is None), *check_masking(script)]
    yield from problems
    if grouped is not None and problems:
        return  # the rule may be none that groups can have
    for index, rule in enumerate(script.compare):
        yield from _check_rule(rule, ("compare", index), count)
    if run.quorum is not None and not script.min_updates <= run.quorum <= count:
        allowed = f"{script.min_updates} (needed by {run.rule.label}) to {count} (clients.count)"
        yield ("run", "quorum"), f"'run.quorum' is {run.quorum}, expected {allowed}"
    if script.aggregator.bond_wei > script.aggregator.stake_wei:
        yield ("aggregator", "bond"), "'aggregator.bond' is more than 'aggregator.stake'"
    if script.noise is not None:
        numbers = {"scale_bits": script.format.scale_bits, "bound": script.format.bound}
        for key, what in check_noise(
            script.divided_noise or script.noise, quorum=script.quorum, count=count, **numbers
        ):
            yield ("noise", key) if key else ("noise",), what
    committee = script.availability
    if committee is not None and not committee.majority <= committee.signatures <= committee.attestors:
        allowed = f"{committee.majority} (more than half) to {committee.attestors} (availability.attestors)"
        yield ("availability", "threshold"), f"'availability.threshold' is {committee.threshold}, expected {allowed}"
    if script.validation is not None and committee is not None:
        why = "rejects updates by comparing them, and attestors ('availability') certify each one alone"
        yield ("validation",), f"'validation' {why}: leave one of the two out"
    yield from check_homomorphic(script)
    yield from check_audience(script)
    for index, event in enumerate(script.events):
        yield from _check_event(script, index, event)
    for index, excluded in enumerate(script.expect.excluded or ()):
        place = ("expect", "excluded", index)
        if excluded.client > count:
            yield (*place, "client"), _no_client(excluded.client, count)
        if max(excluded.rounds) > run.rounds:
            yield (*place, "rounds"), f"the run has {run.rounds} rounds, not {max(excluded.rounds)}"


def _check_rule(rule: RuleSection, place: Place, count: int, *, is_counted: bool = True) -> Iterator[tuple[Place, str]]:
    wanted = {"trimmed-mean": {"trim"}, "krum": {"f"}, "multi-krum": {"f", "select"}}.get(rule.name, set())
    wanted = wanted if rule.composition is None else {"f"}
    optional = {"stake_per_weight"} if rule.name == "weighted-mean" else set()
    for key in ("trim", "f", "select", "stake_per_weight"):
        given = getattr(rule, key) is not None
        if given and key not in wanted | optional:
            yield (*place, key), f"the rule {rule.name} takes no '{key}'"
        if not given and key in wanted:
            yield place, f"the rule {rule.name} needs '{key}'"
    if rule.name in ("krum", "multi-krum") and count > spec.MAX_KRUM_CLIENTS:
        most = f"at most {spec.MAX_KRUM_CLIENTS} clients: a proposal carries the distances of all pairs"
        yield place, f"the rule {rule.name} takes {most}, 'clients.count' is {count}"
    if is_counted and rule.min_updates > count:
        yield place, f"{rule.label} needs at least {rule.min_updates} clients, 'clients.count' is {count}"


def _check_event(script: Script, index: int, event: ScriptEvent) -> Iterator[tuple[Place, str]]:
    place = ("events", index)
    first, last = event.span
    if not 1 <= first <= script.run.rounds or (last or 1) > script.run.rounds:
        yield (*place, "at"), f"'{event.at}' is outside of the run's rounds, 1 to {script.run.rounds}"
    if isinstance(event, DropEvent) and event.stage == "decrypt" and script.homomorphic is None:
        yield (*place, "stage"), "'decrypt' is a stage of homomorphic runs; this script has no 'homomorphic'"
    elif isinstance(event, DropEvent) and event.stage == "unmask" and script.masking is None:
        yield (*place, "stage"), "'unmask' is a stage of masked runs; this script has no 'masking'"
    elif isinstance(event, DropEvent) and event.stage != "start" and not script.hides_updates:
        yield (*place, "stage"), f"'{event.stage}' is a stage of masked runs; this script has no 'masking'"
    if isinstance(event, AttackEvent) and (event.client is None) == (event.clients is None):
        yield place, "an attack needs either 'client' or 'clients'"
    for client in event.targets:
        if client > script.clients.count:
            key = next(k for k in ("client", "clients", "drop", "withhold") if getattr(event, k, None) is not None)
            yield (*place, key), _no_client(client, script.clients.count)


def _no_client(client: int, count: int) -> str:
    return f"there is no client {client}; clients are numbered 1 to {count}"


__all__ = [
    "MALFORMATIONS",
    "AggregatorEvent",
    "AggregatorSection",
    "AttackEvent",
    "AudienceSection",
    "AvailabilitySection",
    "ClientsSection",
    "DataSection",
    "DropEvent",
    "ExcludedClient",
    "ExpectSection",
    "FormatSection",
    "KeysSection",
    "MalformEvent",
    "ModelSection",
    "NoiseSection",
    "RewardsSection",
    "RuleSection",
    "RunSection",
    "ScoresSection",
    "Script",
    "ScriptEvent",
    "TrainingSection",
    "ValidationSection",
    "WindowsSection",
    "WithholdEvent",
    "json_schema",
    "load_script",
    "parse_script",
]
