"""The events of registry and ledger, and what they say of participants, tasks and rounds (docs/bundle.md §5).

Part of verify.py.
"""

import re
import struct
from itertools import pairwise

from verify_hashes import ZERO, keccak, require

REGISTRY_EVENTS = """
Registered(uint32 id*,address owner*,address signer*,uint8 role,uint256 stake,uint40 active_from)
KeyRotated(uint32 id*,address signer*,uint16 epoch)
Deposited(uint32 id*,uint256 amount,uint256 stake)
Unbonding(uint32 id*,uint40 unlock_at)
Withdrawn(uint32 id*,uint256 amount)
Claimed(address account*,address to*,uint256 amount)
CreditDeposited(address account*,uint256 amount)
CreditMoved(address from*,address to*,uint256 amount)
Locked(uint32 id*,uint32 task*,uint256 amount)
Unlocked(uint32 id*,uint32 task*,uint256 amount)
Slashed(uint32 id*,uint64 round*,bytes32 reason*,uint256 to_challenger,uint256 to_clients,uint256 burnt)
EIP712DomainChanged()"""
LEDGER_EVENTS = """
TaskCreated(uint32 task*,bytes32 params_hash*,(uint8 rule,uint16 rule_param,uint16 rule_select,uint32 size,\
uint8 scale_bits,uint8 leaf_log2,uint8 matrix_log2,uint8 model_log2,uint32 bound,uint32 examples_cap,uint8 mode,\
uint80 wei_per_weight,uint32 commit_seconds,uint32 data_seconds,uint32 propose_seconds,uint32 challenge_seconds,\
uint16 max_clients,uint16 quorum,uint96 bond_wei,address board,bytes32 genesis_model,bytes32 layout_digest,\
bytes32 script_digest))
RoundOpened(uint64 round*,uint32 task*,bytes32 base*,uint32 number,uint32 aggregator,uint40 opened_at,\
uint40 commit_end,uint40 data_end,uint40 propose_end)
Committed(uint64 round*,uint32 client*,bytes32 commitment)
SegmentCommitted(uint64 round*,bytes32 root*,uint16 first,uint16 count,bytes entries)
RootCommitted(uint64 round*,bytes32 root*,uint16 count,bytes32 list_id)
Proposed(uint64 round*,uint32 aggregator*,bytes32 proposal_hash*,(bytes32 aggregate_root,bytes32 matrix_root,\
bytes32 model_root,bytes32 members_root,bytes32 data_id,uint16 committed),bytes32 segments_hash,uint16 included,\
uint40 challenge_end,bytes excluded,bytes aux)
Finalised(uint64 round*,bytes32 head*,bytes32 model_root)
Abandoned(uint64 round*,uint16 included,bytes32 data_id,bytes excluded)
Expired(uint64 round*,uint256 slashed)
Voided(uint64 round*,bytes32 reason*,address challenger*)
BondReleased(uint32 task*,uint32 aggregator*)
DisputeHeld(uint64 round*,address court*,uint40 challenge_end)
DisputeReleased(uint64 round*,address court*)
Paused(uint32 task*,uint64 round*)
Resumed(uint32 task*,uint64 round*,uint40 paused_seconds)
SuccessorNamed(address successor*)
EIP712DomainChanged()"""


STATEMENT_EVENTS = """
ScoresRecorded(uint64 round*,uint32 scorer*,bytes32 kind*,bytes32 method,bytes entries)
PrivacySpent(uint64 round*,uint32 speaker*,bytes32 mechanism*,bytes entries)
RoundContested(uint64 round*,uint32 client*,bytes32 statement)
EncryptionKeyAnnounced(uint32 participant*,uint16 epoch*,bytes32 key,uint40 since)"""


def read_declarations(text):
    """Return {topic: (name, [(type, field, star if indexed)])}; structs here are static: their words lie in line."""
    found = {}
    for line in text.split("\n")[1:]:
        topic = keccak(re.sub(r" \w+\*?", "", line).encode())
        name, fields = line.split("(", 1)
        found[topic] = (name, re.findall(r"(\w+) (\w+)(\*?)", fields))
    return found


EVENTS = {"registry": read_declarations(REGISTRY_EVENTS), "ledger": read_declarations(LEDGER_EVENTS)}
EVENTS["statements"] = read_declarations(STATEMENT_EVENTS)


LARGEST = {"role": 3, "rule": 7, "mode": 2}
"""Numbers of the contracts' enumerations."""


def decode_event(contract, topics, data):
    """Return (name, arguments) of a log of registry or ledger.

    Raises: Bad FT703: it is no event of the contract's interface.
    """
    name, fields = EVENTS[contract].get(topics[0] if topics else b"", ("", None))
    require(fields is not None, "FT703", f"a log of the {contract} that is none of its events")
    require(len(topics) == 1 + sum(star == "*" for *_, star in fields), "FT703", f"event {name} with other topics")
    indexed, plain, args = iter(topics[1:]), iter(range(0, len(data) - 31, 32)), {}
    head = 32 * sum(not star for *_, star in fields)
    for kind, field, star in fields:
        value = next(indexed) if star else data[at : at + 32] if (at := next(plain, None)) is not None else b""
        require(len(value) == 32, "FT703", f"event {name} is cut short")
        number = int.from_bytes(value, "big")
        if kind == "bytes":
            require(number >= head, "FT703", f"event {name}: {field} lies within its head")
            start = number + 32
            end = start + int.from_bytes(data[number:start], "big")
            padding = data[end : end + -(end - start) % 32] if start <= end <= len(data) else b"\x01"
            require(padding == bytes(-(end - start) % 32), "FT703", f"event {name}: {field} is cut short or padded")
            args[field] = data[start:end]
        else:
            bits = 256 if kind == "bytes32" else 160 if kind == "address" else int(kind[4:])
            require(number >> bits == 0, "FT703", f"event {name}: {field} is no {kind}")
            require(number <= LARGEST.get(field, number), "FT703", f"event {name}: {field} is {number}")
            args[field] = value if kind == "bytes32" else value[12:] if kind == "address" else number
    return name, args


ACCUMULATED = 1
"""The mode in which the ledger does not count who committed (§6.3)."""
FACTS = {
    "ScoresRecorded": ("scores", "values", struct.Struct(">Iq")),
    "PrivacySpent": ("spend", "spent", struct.Struct(">IQQ")),
    "RoundContested": ("contest", None, None),
    "EncryptionKeyAnnounced": ("key", None, None),
}


def tell_fact(name, args):
    """Return what an event of `statements` says, as `facts.json` has it (docs/bundle.md §5).

    Raises: Bad FT703: its entries are none.
    """
    kind, listed, entry = FACTS[name]
    fact = {"fact": kind}
    for field, value in args.items():
        if field in ("kind", "mechanism"):
            label = value.rstrip(b"\0").decode("ascii", "replace")
            fact[field] = label if re.fullmatch("[ -~]+", label) else "0x" + value.hex()
        elif field == "entries":
            rows = list(entry.iter_unpack(value)) if len(value) % entry.size == 0 else [(0,), (0,)]
            require(all(a[0] < b[0] for a, b in pairwise(rows)), "FT703", "entries of a statement that do not rise")
            fact[listed] = [[str(number) for number in row] for row in rows]
        else:
            fact[field] = "0x" + value.hex() if isinstance(value, bytes) else str(value)
    return fact


NEVER = (1 << 40) - 1
OPEN, PROPOSED, FINALISED, ABANDONED, EXPIRED, VOIDED, PAUSED = range(1, 8)
PHASE_BEFORE = {"Finalised": PROPOSED, "Voided": PROPOSED, "DisputeHeld": PROPOSED}
PHASE_BEFORE |= dict.fromkeys(
    ("Committed", "SegmentCommitted", "RootCommitted", "Proposed", "Abandoned", "Expired"), OPEN
)
PHASE_AFTER = {
    "Proposed": PROPOSED,
    "Finalised": FINALISED,
    "Abandoned": ABANDONED,
    "Expired": EXPIRED,
    "Voided": VOIDED,
}


def value_at(trace, at):
    """Return the latest value of a rising trace of (second, value) that is not after a second, else None."""
    return next((value for second, value in reversed(trace) if second <= at), None)


class Participant:
    """What the events say of an identity."""

    def __init__(self, a, now):
        self.role, self.owner = a["role"], a["owner"]
        self.keys = [(now, a["signer"])]  # (first second, address), rising; like the next two
        self.stakes = [(now, a["stake"])]
        self.periods = []  # of activity that are over: (first second, the one after the last)
        self.active_from, self.unlock_at, self.locked, self.open_tasks = a["active_from"], 0, 0, 0

    def deactivate(self, now):
        """End the present period of activity."""
        if self.active_from < now:
            if self.periods and self.periods[-1][0] == self.active_from:
                self.periods.pop()
            self.periods.append((self.active_from, now))
        self.active_from = NEVER

    def key_at(self, at):
        """Return the address that a client signs with in rounds opened at a second; None if it is no client then."""
        active = at >= self.active_from or at < (value_at(self.periods, at) or 0)
        return (value_at(self.keys, at) or self.keys[0][1]) if active and self.role == 1 else None

    def words(self):
        """Return the three words that the registry keeps of it, hasBonded left out."""
        since, signer = self.keys[-1]
        first = int.from_bytes(signer, "big") | since << 160 | self.active_from << 200 | self.role << 240
        second = int.from_bytes(self.owner, "big") | self.stakes[-1][1] << 160
        third = self.locked | self.open_tasks << 96 | self.unlock_at << 120 | (len(self.keys) - 1) << 160
        return first, second, third


class Round:
    """What the events say of a round."""

    def __init__(self, task, opened):
        self.task, self.opened = task, opened
        self.phase, self.committed, self.excluded, self.disputes = OPEN, 0, 0, 0
        self.segments = []  # (root as told, packed client and commitment each), in the order of their arrival
        self.listed, self.ended, self.finalised = None, None, None


class Ledger:
    """Registry and ledger after some events (docs/bundle.md §5)."""

    def __init__(self, min_stakes):
        self.min_stakes, self.delay, self.burnt = min_stakes, None, 0
        self.participants, self.tasks, self.rounds = {}, {}, {}

    def apply(self, contract, name, a, now):
        """Take in an event of a block with timestamp `now`. Raises: Bad FT705: it does not follow from those before."""
        if name == "Registered":
            self.delay = a["active_from"] - now if self.delay is None else self.delay
            follows = a["id"] == len(self.participants) + 1 and a["active_from"] - now == self.delay
            require(follows, "FT705", f"participant {a['id']} does not follow from the events before")
            self.participants[a["id"]] = Participant(a, now)
        elif name == "TaskCreated":
            require(a["task"] == len(self.tasks) + 1, "FT705", f"task {a['task']} comes after {len(self.tasks)}")
            state = {"model": a["genesis_model"], "head": ZERO, "rounds": 0, "current": 0, "paused": False}
            self.tasks[a["task"]] = a | state
        elif contract == "registry" and "id" in a:
            require(a["id"] in self.participants, "FT705", f"{name}: there is no participant {a['id']}")
            self.change_participant(self.participants[a["id"]], name, a, now)
        elif "task" in a:
            require(a["task"] in self.tasks, "FT705", f"{name}: there is no task {a['task']}")
            self.change_task(self.tasks[a["task"]], name, a)
        elif contract == "ledger" and "round" in a:
            r = self.rounds.get(a["round"])
            follows = r is not None and PHASE_BEFORE.get(name, r.phase) == r.phase
            require(follows, "FT705", f"{name} does not follow from the events of round {a['round']} before")
            self.change_round(r, name, a)

    def change_participant(self, who, name, a, now):
        """Take in an event about an identity."""
        if name == "KeyRotated":
            who.keys.append((now + 1, a["signer"]))
        elif name in ("Locked", "Unlocked"):
            sign = 1 if name == "Locked" else -1
            who.locked, who.open_tasks = who.locked + sign * a["amount"], who.open_tasks + sign
        elif name == "Unbonding":
            who.deactivate(now)
            who.unlock_at = a["unlock_at"]
        elif name == "Withdrawn":
            who.unlock_at = 0
            who.stakes.append((now, 0))
        elif name == "Deposited":
            who.stakes.append((now, a["stake"]))
            if who.active_from == NEVER and a["stake"] >= self.min_stakes.get(who.role, 0):
                who.active_from = now + self.delay
        elif name == "Slashed":
            left = who.stakes[-1][1] - a["to_challenger"] - a["to_clients"] - a["burnt"]
            who.stakes.append((now, left))
            self.burnt += a["burnt"]
            if left < self.min_stakes.get(who.role, 0):
                who.deactivate(now)

    def change_task(self, task, name, a):
        """Take in an event about a task that opens no round, and RoundOpened."""
        current = self.rounds.get(task["current"])
        if name == "RoundOpened":
            free = not task["paused"] and (current is None or current.phase not in (OPEN, PAUSED, PROPOSED))
            follows = free and a["round"] == len(self.rounds) + 1 and a["number"] == task["rounds"] + 1
            require(follows, "FT705", f"round {a['round']} does not follow from the events before")
            task["rounds"], task["current"] = a["number"], a["round"]
            self.rounds[a["round"]] = Round(task, a | {"model_before": task["model"], "head_before": task["head"]})
        elif name in ("Paused", "Resumed"):
            require(task["paused"] == (name == "Resumed"), "FT705", f"{name} does not follow for task {a['task']}")
            task["paused"] = name == "Paused"
            if current is not None and current.phase == (OPEN if name == "Paused" else PAUSED):
                current.phase = PAUSED if name == "Paused" else OPEN

    def change_round(self, r, name, a):
        """Take in an event about a round that was opened."""
        r.phase = PHASE_AFTER.get(name, r.phase)
        if name in ("Committed", "SegmentCommitted"):
            is_batch = name == "SegmentCommitted"
            entries = a["entries"] if is_batch else struct.pack(">I", a["client"]) + a["commitment"]
            r.segments.append((a.get("root"), entries))
            r.committed = 1 if r.task["mode"] == ACCUMULATED else r.committed + a.get("count", 1)
        elif name == "RootCommitted":
            r.listed, r.committed = a, r.committed + a["count"]
        elif name in ("Proposed", "Abandoned"):
            r.ended, r.excluded = a, len(a["excluded"]) // 6
            r.committed = a.get("committed", r.committed)
        elif name == "Finalised":
            r.finalised, r.task["model"], r.task["head"] = a, a["model_root"], a["head"]
        elif name in ("DisputeHeld", "DisputeReleased"):
            r.disputes += 1 if name == "DisputeHeld" else -1
            require(r.disputes >= 0, "FT705", f"no dispute of round {a['round']} is open")

    def key_at(self, client, at):
        """Return the address that a client signed with in rounds opened at a second, or None."""
        return self.participants[client].key_at(at) if client in self.participants else None

    def stake_at(self, client, at):
        """Return a stake at the end of a second, in wei."""
        return (value_at(self.participants[client].stakes, at) or 0) if client in self.participants else 0
