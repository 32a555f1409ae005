"""A masked round of a run: clients agree on seeds before they commit, and hand out what unmasks the sum after.

What a client must not forget lies in a file of its own, readable by its owner only, from before it says anything until
the round is over; then it is deleted, and nobody can recover the masks of that round from this machine any more.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fl.federation.context import Context, Roster, RoundPlan
from fl.federation.secret_files import read_secrets as _read
from fl.federation.secret_files import write_secrets as _write
from fl.privacy.secagg import Answer, Masker, Received, Setting, Unmasker, decode_answer
from fl.privacy.secagg.client import compute_survivors_digest
from fl.workload import find_silent
from ledger import spec
from ledger.errors import FedtrailError, MaskingRefused, ShareRejected, UnmaskingFailed

SURVIVORS = "survivors"
"""Kind of the statement by which an aggregator says, before it is told any seed, whose updates are in the sum."""
METHOD = "fedtrail/masking/1: the clients whose masked updates are in the sum; the round's first statement counts"
"""Text behind the statement's method."""
_PRESENT = 1 << 16
"""The value 1 of a statement."""

Tables = Mapping[int, tuple[spec.SeedLine, ...]]


@dataclass(frozen=True, kw_only=True)
class Masks:
    """The clients of a masked round."""

    setting: Setting
    """What the chain says of the round."""
    folder: Path
    """Where clients keep what they must not forget."""
    maskers: dict[int, Masker] = field(default_factory=dict)
    """Clients that said hello, by participant."""
    hellos: dict[int, bytes] = field(default_factory=dict)
    """Their keys of the round."""
    held: dict[int, dict[int, Received]] = field(default_factory=dict)
    """Shares that each client holds, by client and peer; clients that can mask."""
    refused: dict[int, FedtrailError] = field(default_factory=dict)
    """Why other clients do not go on."""

    def get_seeds(self, client: int) -> dict[int, bytes]:
        """Return what a client masks with. Raises: MaskingRefused: it has too few peers for that."""
        if client not in self.held:
            raise self.refused.get(client) or MaskingRefused(client=client, what="mask: it shared no secrets")
        return self.maskers[client].make_seeds(self.hellos, self.held[client])

    def file_of(self, client: int) -> Path:
        """Return the file of a client in this round."""
        return self.folder / f"{self.setting.round_id}-{self.setting.beacon.hex()[:16]}-{client}.json"


def exchange(ctx: Context, roster: Roster, plan: RoundPlan) -> Masks | None:
    """Let clients say hello and share their secrets; None where the script does not mask."""
    if ctx.script.masking is None:
        return None
    masks = Masks(setting=_read_setting(ctx, roster, plan), folder=ctx.folder("masks"))
    quiet = {stage: find_silent_parties(ctx, roster, plan, stage) for stage in ("start", "shares")}
    for client in masks.setting.roster:
        if client not in quiet["start"] and client in roster.encryption_keys:
            masks.maskers[client] = _make_masker(masks, roster, client)
            masks.hellos[client] = masks.maskers[client].make_hello()
    sent: dict[int, dict[int, bytes]] = {}
    for client in sorted(set(masks.maskers) - quiet["shares"]):
        with _refusing(masks, client):
            sent[client] = masks.maskers[client].share(masks.hellos)
    for client in sent:
        with _refusing(masks, client):
            inbox = [messages[client] for messages in sent.values() if client in messages]
            masks.held[client], _ = masks.maskers[client].receive(masks.hellos, inbox)
    ctx.tell("mask", plan.number, len(masks.held), len(masks.setting.roster))
    return masks


def find_silent_parties(ctx: Context, roster: Roster, plan: RoundPlan, *stages: str) -> set[int]:
    """Return the participants that a script silences in a round at any of these stages."""
    return {roster.clients[number - 1].participant for number in find_silent(ctx.script, plan.number, *stages)}


@contextlib.contextmanager
def _refusing(masks: Masks, client: int) -> Iterator[None]:
    """Note why a client does not go on, in place of stopping the others."""
    try:
        yield
    except (MaskingRefused, ShareRejected) as error:
        masks.refused[client] = error


def _read_setting(ctx: Context, roster: Roster, plan: RoundPlan) -> Setting:
    """Return what every client reads from the chain before it says anything."""
    opened = ctx.chain.events(names=("RoundOpened",), round_id=plan.round_id)[0]
    view = ctx.chain.get_round(plan.round_id)
    masking = make_term(ctx, roster)
    found = {client: ctx.chain.get_encryption_key(client, view.opened_at) for client in masking.roster}
    domain = ctx.chain.domain_separator
    return Setting(
        domain_separator=domain,
        round_id=plan.round_id,
        beacon=spec.compute_beacon(domain, plan.round_id, opened.block_hash),
        roster=masking.roster,
        keys={client: view.key for client, view in found.items() if view is not None},
        degree=masking.degree or ctx.script.rule_param,
        threshold=masking.threshold,
        quorum=ctx.script.quorum,
        group_count=masking.groups,
        least=masking.least,
        expansion=masking.expansion,
    )


def make_term(ctx: Context, roster: Roster) -> spec.Masking:
    """Return what the task's layout says of masking. The script must have the section."""
    section, clients = ctx.script.masking, roster.clients
    if section is None:
        raise ValueError("the script has no section 'masking'")
    term = spec.Masking(
        threshold=section.get_threshold(len(clients)),
        roster=tuple(sorted(party.participant for party in clients)),
    )
    if not section.is_grouped:
        return term
    return replace(
        term,
        degree=section.get_degree(len(clients)),
        groups=section.groups,
        least=section.min_group,
        expansion=spec.Expansion(section.masks),
    )


def _make_masker(masks: Masks, roster: Roster, client: int) -> Masker:
    file = masks.file_of(client)
    kept = _read(file)
    if kept is None:
        kept = {"root": Masker.make_root().hex()}
        _write(file, kept)
    root, private = bytes.fromhex(kept["root"]), roster.encryption_keys[client]
    return Masker(setting=masks.setting, client=client, private_key=private, root=root)


# -------------------------------------------------------------------------------------------------------- unmasking


def unmask(ctx: Context, roster: Roster, plan: RoundPlan, masks: Masks, tables: Tables) -> list[spec.Reveal]:
    """Return the seeds that the proposal must reveal; of groups that are lost (`find_lost`) none.

    The aggregator first says on the chain whose updates are in the sum. Every client reads that there, and what it
    hands out depends on nothing else. What came out is written down: a run that goes on asks nobody again.

    Args: tables: seed table by client whose update could be had.
    Raises: UnmaskingFailed: too few groups are left, or updates; its `detail["silent"]` names the clients that did not
        answer.
    """
    key = ctx.key(*plan.key("unmask"))
    kept = ctx.journal.get_note(key)
    if kept is None:
        kept = _ask(ctx, roster, plan, masks, tables)
        ctx.journal.note(key, kept)
    if "reveals" not in kept:
        raise UnmaskingFailed(round_id=plan.round_id, what=kept["what"], silent=kept["silent"])
    return spec.decode_reveals(bytes.fromhex(str(kept["reveals"])))


def find_lost(ctx: Context, plan: RoundPlan) -> list[int]:
    """Return the clients of groups whose masks could not be removed, after `unmask`: the others go on without."""
    kept = ctx.journal.get_note(ctx.key(*plan.key("unmask"))) or {}
    return list(kept.get("lost", ()))


def _ask(ctx: Context, roster: Roster, plan: RoundPlan, masks: Masks, tables: Tables) -> dict[str, object]:
    setting = masks.setting
    asked = {c: table for c, table in tables.items() if len(setting.select_group(c, tables)) >= setting.least}
    problem, answers, reveals = _find_shortage(ctx, setting, asked), list[Answer](), list[spec.Reveal]()
    if not problem:
        unmasker = Unmasker(setting=setting, hellos=masks.hellos, tables=asked)
        _state_survivors(ctx, plan, asked)
        answers = _collect_answers(ctx, roster, plan, masks, unmasker)
        reveals, failed = unmasker.recover_groups(answers)
        asked = {client: table for client, table in asked.items() if client not in failed}
        problem = _find_shortage(ctx, setting, asked)
        if problem and failed:
            problem += f": {next(iter(failed.values())).detail['what']}"
    if problem:
        return {"what": problem, "silent": sorted(set(tables) - {answer.client for answer in answers})}
    return {"reveals": spec.encode_reveals(reveals).hex(), "lost": sorted(set(tables) - set(asked))}


def _find_shortage(ctx: Context, setting: Setting, clients: Collection[int]) -> str:
    """Return what clients whose masks can be removed are too few for; nothing where they suffice."""
    groups = sum(not set(group).isdisjoint(clients) for group in setting.groups)
    if setting.least and groups < ctx.script.rule_param:
        return f"{groups} groups of enough clients are left, {ctx.script.rule_param} are needed"
    is_short = len(clients) < setting.quorum
    return f"{len(clients)} updates are in the sum, {setting.quorum} are needed" if is_short else ""


def _state_survivors(ctx: Context, plan: RoundPlan, tables: Collection[int]) -> None:
    ctx.chain.record_scores(
        plan.round_id,
        SURVIVORS,
        [(client, _PRESENT) for client in sorted(tables)],
        hashlib.sha256(METHOD.encode()).digest(),
        key=ctx.key(*plan.key("survivors")),
        sender=plan.aggregator.account,
        scorer=plan.aggregator.participant,
    )


def read_survivors(ctx: Context, plan: RoundPlan) -> frozenset[int]:
    """Return whose updates are in the sum, as the round's aggregator stated first; nobody's where it stated nothing."""
    kind = spec.encode_label(SURVIVORS)
    for event in ctx.chain.events(names=("ScoresRecorded",), round_id=plan.round_id):
        if event.args["kind"] == kind and event.args["scorer"] == plan.aggregator.participant:
            return frozenset(client for client, _ in spec.decode_scores(event.args["entries"]))
    return frozenset()


def _collect_answers(ctx: Context, roster: Roster, plan: RoundPlan, masks: Masks, unmasker: Unmasker) -> list[Answer]:
    request, aggregator = unmasker.make_request(), plan.aggregator.participant
    public = ctx.chain.get_encryption_key(aggregator, ctx.chain.get_round(plan.round_id).opened_at)
    silent, answers = find_silent_parties(ctx, roster, plan, "unmask"), []
    for client in sorted(unmasker.survivors & set(masks.held) - silent):
        survivors = read_survivors(ctx, plan)
        if public is None or aggregator not in roster.encryption_keys or not _may_answer(masks, client, survivors):
            continue
        masker = masks.maskers[client]
        try:
            answer = masker.answer(request, masks.held[client], masks.held[client], survivors)
        except MaskingRefused:
            continue  # to the aggregator a client that refuses is one that is gone
        message = masker.seal_answer(answer, aggregator=aggregator, aggregator_key=public.key)
        private = roster.encryption_keys[aggregator]
        answers.append(decode_answer(masks.setting, message, aggregator=aggregator, private_key=private))
    return answers


def _may_answer(masks: Masks, client: int, survivors: Collection[int]) -> bool:
    """Write down for whose sum the client answers; with another list, after a reorganisation, it stays silent."""
    kept, digest = _read(masks.file_of(client)) or {}, compute_survivors_digest(survivors).hex()
    if "answered" not in kept:
        kept = {**kept, "answered": digest}
        _write(masks.file_of(client), kept)
    return kept["answered"] == digest


def find_problem(ctx: Context, plan: RoundPlan) -> str:
    """Return why the masks of a round could not be removed; nothing where they could, or nobody tried."""
    kept = ctx.journal.get_note(ctx.key(*plan.key("unmask"))) or {}
    return str(UnmaskingFailed(round_id=plan.round_id, what=kept["what"])) if "what" in kept else ""


def forget(masks: Masks | None) -> None:
    """Delete what clients kept of a round that is over."""
    if masks is not None:
        for client in masks.setting.roster:
            masks.file_of(client).unlink(missing_ok=True)
