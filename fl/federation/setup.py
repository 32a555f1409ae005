"""Before the first round: keys, registrations with stake, the genesis model, the task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fl.federation import homomorphic
from fl.federation.context import Context, Party, Roster, header_of
from fl.federation.encryption import announce_keys
from fl.federation.masking import make_term
from fl.federation.sealing import make_terms
from ledger import commitments, spec
from ledger.chain import Role
from ledger.devnet import funded_account
from ledger.keys import Keystore
from ledger.layout import encode_layout
from ledger.script import MalformEvent
from ledger.store import Codec

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

_GAS_MONEY_WEI = 10**18


def find_operator(devnet: bool, keys: Keystore, password: str) -> LocalAccount:
    """Return who pays: the project's key `operator`, on a devnet its first funded account."""
    return funded_account(0) if devnet else keys.load("operator", password)


def find_challenger(devnet: bool, keys: Keystore, password: str, operator: LocalAccount) -> LocalAccount:
    """Return who proves fraud: on a devnet its second funded account, else the key `challenger` or the operator."""
    if devnet:
        return funded_account(1)
    return keys.load("challenger", password) if "challenger" in keys.names() else operator


def enrol(ctx: Context, keys: Keystore, password: str, *, operator: LocalAccount, challenger: LocalAccount) -> Roster:
    """Register the aggregators, clients, attestors and auditors that are not registered yet; return everybody.

    Each has a hot key NAME that signs and a cold key NAME-owner that the stake returns to. Registrations are sent in
    the order of the clients, so that participant ids rise with them.
    """
    aggregators = ["aggregator", *(f"aggregator-{i}" for i in range(2, ctx.script.aggregator.count + 1))]
    clients = [f"c{i}" for i in range(1, ctx.script.clients.count + 1)]
    committee = ctx.script.availability
    attestors = [f"attestor-{i}" for i in range(1, committee.attestors + 1)] if committee else []
    auditors = [f"auditor-{i}" for i in range(1, ctx.script.audience.auditors + 1)] if ctx.script.audience else []
    names = [*aggregators, *clients, *attestors, *auditors]
    accounts = {name: _ensure_key(keys, name, password) for name in names}
    missing = [name for name in names if ctx.chain.find_participant(accounts[name].address) is None]
    for done, name in enumerate(missing, start=1):
        _register(ctx, keys, operator, accounts[name], name)
        ctx.tell("set-up", 0, done, len(missing), f"register {name}")
    parties = {name: _party(ctx, name, accounts[name]) for name in names}
    give_gas_money(ctx, operator, parties)
    encryption_keys = announce_keys(ctx, keys, password, parties) if _needs_encryption(ctx) else {}
    return Roster(
        encryption_keys=encryption_keys,
        operator=operator,
        challenger=challenger,
        aggregators=tuple(parties[name] for name in aggregators),
        clients=tuple(parties[name] for name in clients),
        attestors=tuple(parties[name] for name in attestors),
        auditors=tuple(parties[name] for name in auditors),
    )


def _needs_encryption(ctx: Context) -> bool:
    return ctx.script.masking is not None or ctx.script.audience is not None


def _ensure_key(keys: Keystore, name: str, password: str) -> LocalAccount:
    for each in (name, f"{name}-owner"):
        if each not in keys.names():
            keys.new(each, password)
    return keys.load(name, password)


def _register(ctx: Context, keys: Keystore, operator: LocalAccount, account: LocalAccount, name: str) -> None:
    role, stake_wei = _choose_role(ctx, name)
    ctx.chain.register(
        role=role,
        owner=keys.address(f"{name}-owner"),
        signer=account,
        stake_wei=stake_wei,
        key=f"{ctx.chain.fingerprint}/register/{account.address}",
        sender=operator,
    )


def _choose_role(ctx: Context, name: str) -> tuple[Role, int]:
    """Return role and stake of a party of the script, by the name of its key."""
    script = ctx.script
    if script.availability and name.startswith("attestor"):
        return Role.ATTESTOR, script.availability.stake_wei
    if script.audience and name.startswith("auditor"):
        return Role.ATTESTOR, script.audience.stake_wei  # the registry's only role beside clients and aggregators
    if name.startswith("aggregator"):
        return Role.AGGREGATOR, script.aggregator.stake_wei
    return Role.CLIENT, script.clients.stake_wei


def _party(ctx: Context, name: str, account: LocalAccount) -> Party:
    participant = ctx.chain.find_participant(account.address)
    if participant is None:
        raise RuntimeError(f"{name} was registered and is not in the registry")
    return Party(name=name, participant=participant, account=account)


def give_gas_money(ctx: Context, operator: LocalAccount, parties: dict[str, Party]) -> None:
    """Pay for the gas of who sends transactions: aggregators, clients that commit alone, whoever announces keys."""
    breakers = [event for event in ctx.script.events if isinstance(event, MalformEvent)]
    alone = {f"c{event.client}" for event in breakers if event.malform in ("late", "duplicate")}
    everybody = ctx.script.run.commit_mode is spec.CommitMode.ACCUMULATED or _needs_encryption(ctx)
    aggregators = {name for name in parties if name.startswith("aggregator")}
    clients = {name for name in parties if name.startswith("c")}
    readers = {name for name in parties if name.startswith(("attestor", "auditor"))} if ctx.script.audience else set()
    for name in sorted((aggregators | readers | (clients if everybody else alone)) & set(parties)):
        party = parties[name]
        key = f"{ctx.chain.fingerprint}/gas-money/{party.account.address}"
        ctx.chain.transfer(party.address, _GAS_MONEY_WEI, key=key, sender=operator)


def create_task(ctx: Context, operator: LocalAccount, roster: Roster) -> tuple[int, str]:
    """Store layout, script and genesis model, create the task; return its id and the genesis model's CID."""
    genesis = ctx.workload.compute_genesis()
    header = header_of(ctx, spec.Kind.MODEL, round_id=0, client=0, num_examples=0)
    cid = ctx.store.put(spec.split_vector(header, commitments.encode_values(genesis)))
    masking = (("masking", str(make_term(ctx, roster))),) if ctx.script.masking is not None else ()
    terms = tuple(sorted((*masking, *homomorphic.make_terms(ctx, roster), *make_terms(ctx, roster), *ctx.script.terms)))
    document = replace(ctx.workload.layout, composition=ctx.script.composition, terms=terms)
    layout = ctx.store.put_block(encode_layout(document), Codec.RAW)
    script = ctx.store.put_block(ctx.script.source, Codec.RAW)
    for block in (layout, script):
        ctx.store.pin(block)
    task = _make_task(ctx, commitments.compute_vector_root(genesis, header.leaf_log2), layout.digest, script.digest)
    receipt = ctx.chain.create_task(task, key=ctx.key("task"), sender=operator)
    return int(receipt.find("TaskCreated").args["task_id"]), str(cid)


def _make_task(ctx: Context, genesis: bytes, layout: bytes, script: bytes) -> spec.Task:
    run, form, windows = ctx.script.run, ctx.script.format, ctx.script.windows
    return spec.Task(
        rule=ctx.script.rule,
        rule_param=ctx.script.rule_param,
        rule_select=0 if ctx.script.grouped else run.rule.select or 0,
        size=ctx.workload.layout.size,
        scale_bits=form.scale_bits,
        leaf_log2=form.leaf_log2,
        matrix_log2=form.matrix_log2,
        model_log2=form.model_log2,
        bound=form.bound,
        examples_cap=form.examples_cap,
        mode=run.commit_mode,
        wei_per_weight=run.rule.wei_per_weight,
        max_clients=ctx.script.clients.count,
        quorum=ctx.script.quorum,
        commit_seconds=windows.commit_seconds,
        data_seconds=windows.data_seconds,
        propose_seconds=windows.propose_seconds,
        challenge_seconds=windows.challenge_seconds,
        bond_wei=ctx.script.aggregator.bond_wei,
        board=ctx.chain.contracts.addresses["board"] if ctx.script.availability else spec.NO_BOARD,
        genesis_model=genesis,
        layout_digest=layout,
        script_digest=script,
    )
