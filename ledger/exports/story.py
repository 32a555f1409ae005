"""The story of one model: every finalised round that led to it, replayed, and what is known of each how well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import spec
from ledger.chain import Chain
from ledger.errors import FedtrailError, NotFoundError
from ledger.history import fetch_block
from ledger.readers import BlobReader
from ledger.records import Grade, RoundRecord, Verdict, name_rule, read_num_examples
from ledger.replays import Replayed, replay_rounds
from ledger.script import Script, parse_script


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that is said of a model, and how well it is known."""

    name: str
    """Words with underscores, such as `purpose`."""
    value: object
    """Text, number, list or mapping that JSON holds; None when it is not in the ledger."""
    grade: Grade
    """How well."""
    source: str
    """Where it is from, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One committed update of a round."""

    client: int
    """Participant id."""
    commitment: bytes
    """What the client signed."""
    cid: str
    """Content identifier of the update; "" if none was published."""
    num_examples: int | None
    """What the client says that it trained on; None if the update is not there."""
    reason: int
    """0: included; else the number of the FT code for which it was excluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One finalised round."""

    record: RoundRecord
    """What chain and store say."""
    verdict: Verdict
    """Outcome of its replay."""
    grade: Grade
    """How well it is known."""
    opened_at: int
    """Second since 1970 of the block that opened it."""
    contributions: tuple[Contribution, ...]
    """In rising client id."""

    @property
    def included(self) -> tuple[Contribution, ...]:
        """Those that the aggregate was made of."""
        return tuple(each for each in self.contributions if not each.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A model and how it came to be."""

    name: str
    """Of the run, or of the task where no script names one."""
    chain_id: int
    """EIP-155 number."""
    ledger: bytes
    """Address of the RoundLedger, 20 bytes."""
    task_id: int
    """The task."""
    task: spec.Task
    """Its parameters."""
    script: Script | None
    """The round script, when its bytes are those of the task's digest; None where they are not to be had."""
    steps: tuple[Step, ...]
    """The finalised rounds up to the model, oldest first."""
    model_root: bytes
    """Root of the model."""
    model_cid: str
    """Where its vector is."""
    model: spec.Bytes | None
    """The vector blob (§3.1); None when it is not there or not that of the root."""

    @property
    def grade(self) -> Grade:
        """The lowest grade of all rounds: how well it is known that the model is what the updates make."""
        order = list(Grade)
        return max((step.grade for step in self.steps), key=order.index)

    @property
    def clients(self) -> tuple[int, ...]:
        """Everybody who is in the model, in rising id."""
        return tuple(sorted({each.client for step in self.steps for each in step.included}))

    def iter_facts(self) -> Iterator[Fact]:
        """Yield what is known of the model as a whole, and what nobody can know from the ledger."""
        yield from _iter_proven(self)
        yield from _iter_said(self.script)
        yield from _iter_unknown()


def tell(chain: Chain, store: BlobReader, round_id: int) -> Story:
    """Return the story of the model that a finalised round ended with; every round before it is replayed.

    Raises: NotFoundError: there is no such round, or it is not finalised. ChainError: the node does not answer.
    """
    opened = {event.args["round_id"]: event for event in chain.events(names=("RoundOpened",))}
    if round_id not in opened:
        raise NotFoundError(kind="round", name=round_id, suggestion=f"; the ledger has {len(opened)}")
    task_id = opened[round_id].args["task_id"]
    finalised = {event.args["round_id"] for event in chain.events(names=("Finalised",))}
    if round_id not in finalised:
        raise NotFoundError(f"round {round_id} has no model: it is not finalised", hint="fedtrail run show")
    of_task = {number for number, event in opened.items() if event.args["task_id"] == task_id and number <= round_id}
    wanted = sorted(of_task & finalised)
    steps = tuple(_make_step(each, opened[each.record.round_id].args) for each in replay_rounds(chain, store, wanted))
    last, task = steps[-1].record, chain.get_task(task_id)
    script, proposal = _read_script(store, task), last.proposal
    root = proposal.model_root if proposal else spec.ZERO_DIGEST
    return Story(
        name=script.run.name if script else f"task {task_id}",
        chain_id=chain.network.chain_id,
        ledger=chain.contracts.addresses["ledger"],
        task_id=task_id,
        task=task,
        script=script,
        steps=steps,
        model_root=root,
        model_cid=last.model.cid,
        model=last.model.data if _is_of(last.model.data, root) else None,
    )


def _is_of(data: spec.Bytes | None, root: bytes) -> bool:
    try:
        return data is not None and spec.decode_vector(data, max_bytes=len(data)).root() == root
    except FedtrailError:
        return False


def _read_script(store: BlobReader, task: spec.Task) -> Script | None:
    raw = fetch_block(store, task.script_digest).data
    try:
        return None if raw is None else parse_script(bytes(raw), name="script")
    except FedtrailError:  # the digest may be of something that is no script of this version
        return None


def _make_step(replayed: Replayed, opened: Mapping[str, Any]) -> Step:
    record, reasons = replayed.record, dict(replayed.record.exclusions)
    return Step(
        record=record,
        verdict=replayed.report.verdict,
        grade=replayed.report.grade if replayed.report.verdict is Verdict.PASS else Grade.MISSING,
        opened_at=opened["opened_at"],
        contributions=tuple(_make_contribution(record, member, reasons) for member in record.members),
    )


def _make_contribution(record: RoundRecord, member: spec.Member, reasons: Mapping[int, int]) -> Contribution:
    fetched = record.updates[member.client]
    return Contribution(
        client=member.client,
        commitment=member.commitment,
        cid=fetched.cid,
        num_examples=read_num_examples(fetched.data),
        reason=reasons.get(member.client, 0),
    )


def _iter_proven(story: Story) -> Iterator[Fact]:
    task, steps = story.task, story.steps
    chain = f"chain {story.chain_id}, contract 0x{story.ledger.hex()}"
    replayed = f"replay of {len(steps)} rounds from the updates"
    yield Fact(name="model_root", value="0x" + story.model_root.hex(), grade=story.grade, source=replayed)
    yield Fact(name="rounds", value=len(steps), grade=story.grade, source=replayed)
    yield Fact(name="coordinates", value=task.size, grade=Grade.PROVEN, source=f"task {story.task_id} on {chain}")
    yield Fact(name="rule", value=name_rule(task), grade=Grade.PROVEN, source=f"task {story.task_id} on {chain}")
    yield Fact(name="clients", value=len(story.clients), grade=story.grade, source=replayed)
    excluded = sum(len(step.contributions) - len(step.included) for step in steps)
    yield Fact(name="excluded_updates", value=excluded, grade=story.grade, source=replayed)
    examples = [each.num_examples for step in steps[-1:] for each in step.included]
    total = None if None in examples else sum(number or 0 for number in examples)
    said = "what each client signed in its update; nobody can recompute it"
    yield Fact(name="examples_in_last_round", value=total, grade=Grade.ATTESTED, source=said)


def _iter_said(script: Script | None) -> Iterator[Fact]:
    source = "round script, whose digest is on the chain; that it was followed is not proved"
    grade = Grade.MISSING if script is None else Grade.CLAIMED
    said: Sequence[tuple[str, object]] = (
        ("purpose", script.run.purpose or None if script else None),
        ("architecture", script.model.entry if script else None),
        ("dataset", script.data.name if script else None),
        ("partition", script.data.partition if script else None),
        ("local_epochs", script.training.epochs if script else None),
    )
    for name, value in said:
        yield Fact(name=name, value=value, grade=grade if value is not None else Grade.MISSING, source=source)


def _iter_unknown() -> Iterator[Fact]:
    for name in ("licence", "intended_use", "accuracy", "data_quality", "consent"):
        yield Fact(name=name, value=None, grade=Grade.MISSING, source="not in the ledger")
