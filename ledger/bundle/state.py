"""The state in a bundle: which slots are proven, and whether they say what the events say (docs/bundle.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from ledger import artifacts
from ledger.bundle.format import MAX_STATE_BYTES, STATE, BlockRef, decode_json, encode_json
from ledger.chain.views import ParticipantView, Role
from ledger.errors import BadProof, FedtrailError, Incomplete, NotCanonical, Oversized, WrongCode
from ledger.evidence.slots import (
    PARTICIPANT_COUNT,
    list_slots,
    read_counts,
    read_participant_count,
    read_round,
    read_task,
)
from ledger.evidence.state import AccountProof, decode_proof, encode_proof, verify_proof
from ledger.recorded_chain import RecordedChain
from ledger.spec import Phase

COURTS = ("court", "session_court", "krum_court", "unmask_court", "board")
"""Contracts whose verdicts the ledger takes."""
_PUSH32 = b"\x7f"
_BURNT, _COURTS, _RECORDS, _PERIODS = 3, 3, 6, 9
"""Slots of ParticipantRegistry: burntWei, _records, _pastPeriods; of RoundLedger: isCourt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenState:
    """What the proofs lead to."""

    words: Mapping[str, Mapping[int, int]]
    """By contract: words by slot."""
    code_hashes: Mapping[str, bytes]
    """By contract: Keccak-256 of its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFile:
    """`chain/state.json`, decoded and not yet verified."""

    block: int
    """Number of the block."""
    accounts: Mapping[str, AccountProof]
    """By contract."""
    code: Mapping[str, bytes]
    """Runtime code by contract."""


def list_state_slots(recorded: RecordedChain) -> dict[str, list[int]]:
    """Return the slots that a bundle proves, by contract, rising."""
    addresses = recorded.contracts.addresses
    participants = [each.id for each in recorded.participants()]
    courts = [_get_court_slot(addresses[key]) for key in COURTS]
    ledger = list_slots(range(1, recorded.count_tasks() + 1), range(1, recorded.count_rounds() + 1))
    registry = [slot for number in participants for slot in (*_get_record_slots(number), _get_periods_slot(number))]
    return {
        **{key: [] for key in addresses},
        "ledger": sorted({*ledger, *courts}),
        "registry": sorted({PARTICIPANT_COUNT, _BURNT, *registry}),
    }


def _get_court_slot(address: bytes) -> int:
    return _get_mapped_slot(int.from_bytes(address, "big"), _COURTS)


def _get_record_slots(participant: int) -> range:
    base = _get_mapped_slot(participant, _RECORDS)
    return range(base, base + 3)


def _get_periods_slot(participant: int) -> int:
    return _get_mapped_slot(participant, _PERIODS)


def _get_mapped_slot(key: int, slot: int) -> int:
    return int.from_bytes(keccak(key.to_bytes(32, "big") + slot.to_bytes(32, "big")), "big")


def encode_state(state: StateFile) -> bytes:
    """Return the bytes of `chain/state.json`."""
    return encode_json(
        {
            "block": str(state.block),
            "accounts": {key: encode_proof(proof) for key, proof in state.accounts.items()},
            "code": {key: "0x" + code.hex() for key, code in state.code.items()},
        }
    )


def decode_state(data: bytes) -> StateFile:
    """Return what a stranger's `chain/state.json` says, canonical or rejected.

    Raises: Oversized, NotCanonical, BadProof.
    """
    if len(data) > MAX_STATE_BYTES:
        raise Oversized(got=len(data), want=MAX_STATE_BYTES)
    document: Any = decode_json(data, what=STATE)
    try:
        state = StateFile(
            block=int(document["block"]),
            accounts={key: decode_proof(value) for key, value in document["accounts"].items()},
            code={key: bytes.fromhex(text[2:]) for key, text in document["code"].items()},
        )
        if encode_state(state) == data:
            return state
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise NotCanonical(what=f"{STATE} lacks or misstates something")


def verify_state(state: StateFile, contracts: Mapping[str, bytes], block: BlockRef, state_root: bytes) -> ProvenState:
    """Return what the proofs lead to.

    Raises: BadProof: another block or other accounts, or a proof that does not lead from the state root.
    """
    if state.block != block.number or {key: proof.address for key, proof in state.accounts.items()} != dict(contracts):
        raise BadProof(what=f"{STATE} is about another block or other contracts than the bundle")
    proven = {key: verify_proof(state_root, proof) for key, proof in state.accounts.items()}
    return ProvenState(
        words={key: words for key, (_, words) in proven.items()},
        code_hashes={key: account.code_hash for key, (account, _) in proven.items()},
    )


def find_code_faults(
    state: StateFile, contracts: Mapping[str, bytes], min_stake_wei: Mapping[Role, int], proven: ProvenState
) -> Iterator[FedtrailError]:
    """Yield what is wrong with the contracts' code, and with what their code says of each other.

    Each is told the others' addresses when it is deployed, and keeps them in its code, as the registry does its
    smallest stakes.
    """
    if set(state.code) != set(contracts):
        yield BadProof(what=f"{STATE} does not have the code of every contract")
        return
    for key, code in state.code.items():
        name = artifacts.NAMES[key]
        if (got := keccak(code)) != proven.code_hashes[key]:
            what = f"the code of {name} hashes to 0x{got.hex()}, the state has 0x{proven.code_hashes[key].hex()}"
            yield BadProof(what=what)
    for holder, named in _list_references(contracts):
        if contracts[named] not in state.code[holder]:
            names, address = artifacts.NAMES, contracts[named].hex()
            yield WrongCode(f"the code of {names[holder]} does not name {names[named]} at 0x{address}", contract=holder)
    for role, stake_wei in sorted(min_stake_wei.items()):
        if _PUSH32 + stake_wei.to_bytes(32, "big") not in state.code["registry"]:
            yield WrongCode(f"the registry's code does not have {stake_wei} wei, the stake of role {role}", role=role)
    for key in COURTS:
        if proven.words["ledger"].get(_get_court_slot(contracts[key])) != 1:
            yield WrongCode(f"the ledger does not take verdicts of {artifacts.NAMES[key]}", contract=key)


def _list_references(contracts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return which contract's code names which other one."""
    others = [key for key in contracts if key not in ("ledger", artifacts.TIMELOCK)]
    return [("ledger", "registry"), ("ledger", "escrow"), *((key, "ledger") for key in others)]


def compute_code_hash(code: Mapping[str, bytes]) -> bytes:
    """Return the hash that trust files and fedtrail.toml pin: over all codes, in the order of `artifacts.NAMES`."""
    return keccak(b"".join(code[key] for key in artifacts.NAMES if key in code))


# ---------------------------------------------------------------------------------------------- events against state


def find_counter_faults(recorded: RecordedChain, proven: ProvenState) -> Iterator[Incomplete]:
    """Yield where the ledger's own counters and heads differ from what its events give. Raises: BadProof: a proof is
    not there.
    """
    ledger, counts = proven.words["ledger"], read_counts(proven.words["ledger"])
    participants = len(recorded.participants())
    yield from _compare("tasks", recorded.count_tasks(), counts.tasks)
    yield from _compare("rounds", recorded.count_rounds(), counts.rounds)
    yield from _compare("participants", participants, read_participant_count(proven.words["registry"]))
    for task_id in range(1, min(recorded.count_tasks(), counts.tasks) + 1):
        got, want = recorded.get_task_state(task_id), read_task(ledger, task_id)
        for name in ("rounds", "current_round", "model", "head"):
            yield from _compare(f"{name} of task {task_id}", getattr(got, name), getattr(want, name))
    for round_id in range(1, min(recorded.count_rounds(), counts.rounds) + 1):
        view, stored = recorded.get_round(round_id), read_round(ledger, round_id)
        for name in ("phase", "opened_at", "task_id", "aggregator", "committed", "excluded"):
            what = f"{name} of round {round_id}"
            yield from _compare(what, getattr(view, name), getattr(stored, name), round_id=round_id)


def find_stake_faults(recorded: RecordedChain, proven: ProvenState) -> Iterator[Incomplete]:
    """Yield where the registry's records differ from what its events give. Raises: BadProof: a proof is not there."""
    words = proven.words["registry"]
    yield from _compare("wei burnt", recorded.registry.burnt_wei, _take(words, _BURNT))
    for who in recorded.participants():
        periods = recorded.registry.count_periods(who.id)
        got = (*_pack(who), periods)
        slots = (*_get_record_slots(who.id), _get_periods_slot(who.id))
        for name, mine, slot in zip(("keys", "stake", "bonds", "periods"), got, slots, strict=True):
            stored = _take(words, slot) & (_WITHOUT_FLAG if name == "bonds" else -1)
            yield from _compare(f"{name} of participant {who.id}", mine, stored)


_WITHOUT_FLAG = ~(0xFF << 112)
"""Whether it ever held a bond: what no event tells."""


def _pack(who: ParticipantView) -> tuple[int, int, int]:
    """Return the three words in which the registry keeps a participant (docs/bundle.md, The chain)."""
    signer, owner = int.from_bytes(who.signer, "big"), int.from_bytes(who.owner, "big")
    return (
        signer | who.key_since << 160 | who.active_from << 200 | int(who.role) << 240,
        owner | who.stake_wei << 160,
        who.locked_wei | who.open_tasks << 96 | who.unlock_at << 120 | who.key_epoch << 160,
    )


def _compare(what: str, got: object, want: object, *, round_id: int | None = None) -> Iterator[Incomplete]:
    if got != want:
        texts = [_show(value) for value in (want, got)]
        message = f"incomplete: {what}: the contract holds {texts[0]}, the events give {texts[1]}"
        yield Incomplete(message, round_id=round_id)


def _show(value: object) -> str:
    if isinstance(value, Phase):
        return value.name.lower()
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _take(words: Mapping[int, int], slot: int) -> int:
    if slot not in words:
        raise BadProof(what=f"the evidence has no storage proof of slot {slot:#x}")
    return words[slot]
