#!/usr/bin/env python3
"""Check a fedtrail bundle without fedtrail: Python 3.11 or later, the standard library, no network.

    python3 verify.py BUNDLE [--trust FILE] [--json]

docs/bundle.md says what a bundle holds and docs/protocol.md what is recomputed; numbers such as §4.7 are its sections.
Nothing trusts a byte before it was hashed, decoded canonically or verified. Exit status: 0 VERIFIED, 8 CONSISTENT or
INCOMPLETE, 7 FAILED. This file has the twelve checks and the verdict; each question has a file, all in one folder:

    verify.py          what is checked, in which order, and what follows: read it from `main` upwards
    verify_files.py    is it a bundle? the container, its manifest, the notes of witnesses, your trust file
    verify_chain.py    did the chain say so? RLP, headers, receipts, proofs of state
    verify_events.py   what did it say? events, and the participants, tasks and rounds that they make
    verify_blobs.py    what was published? updates, manifests, files as IPFS cuts them, layouts
    verify_rounds.py   was a round honest? the replay
    verify_cohorts.py  who should be in? validation; and sums under masks
    verify_rules.py    what should have come out? rules and composed rules
    verify_hashes.py   Keccak, SHA-256, Merkle roots, signatures on two curves: as in every textbook
"""

import argparse
import base64
import hashlib
import json
import mmap
import re
import sys
import zlib
from collections import deque
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))  # python3 -I leaves it out; it comes last, so it hides nothing
sys.dont_write_bytecode = True  # and leaves nothing in your folder

from verify_blobs import CHUNK, WIDTH, child_parts, cid_text, content_of, parse_cid, stated_size
from verify_chain import (
    Log,
    bloom_mask,
    decode_header,
    decode_logs,
    list_root,
    may_hold,
    parse_rlp,
    prove_account,
    slot_of,
    to_int,
)
from verify_events import EVENTS, Ledger, decode_event, tell_fact
from verify_files import (
    HEX20,
    HEX32,
    KEYS,
    NUMBER,
    encode_canonical,
    is_cosigned,
    matches,
    parse_canonical,
    parse_note,
    read_archive,
    read_manifest,
    read_state,
    read_trust,
)
from verify_hashes import Bad, is_signed25519, keccak, merkle_root, require, sha256, word
from verify_rounds import Replay, domain_separator

CHECKS = (
    *("manifest", "anchor", "headers", "receipts", "events", "counters"),
    *("blobs", "commitments", "membership", "replay", "lineage", "stakes"),
)


class Bundle:
    """A bundle under check: what its files say, as far as they could be read, and what was found.

    Args: data: the file. trust: the auditor's, from read_trust.
    """

    def __init__(self, data, trust):
        self.data, self.trust = data, trust
        self.findings, self.rounds, self.made, self.partial = [], [], {}, set()
        self.entries, self.manifest, self.blocks, self.logs = {}, None, {}, []
        self.ledger, self.state, self.codes, self.kinds, self.anchor = None, None, {}, {}, None

    def find(self, check, code, message, number=None, client=None):
        """Note a finding of a check, about a round and a client."""
        who = {"round": None if number is None else str(number), "client": None if client is None else str(client)}
        self.findings.append((check, {"code": code, "message": message, **who}))

    def run(self):
        """Return the result: every check as far as what it needs could be read (§6)."""
        for check in ("manifest", "headers", "receipts", "events", "anchor", "counters", "blobs", "replay", "stakes"):
            names = CHECKS[7:11] if check == "replay" else (check,)
            try:
                detail = getattr(self, f"check_{check}")()
                self.made |= dict.fromkeys(names, detail) if detail is not None else {}
            except Bad as bad:
                self.find(check, bad.code, str(bad))
            except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
                self.find(check, "FT703", f"malformed: {error!r:.200}")
            if self.manifest is None:
                break
        return self.report()

    def report(self):
        """Return the result as JSON has it."""
        found = sorted(self.findings, key=lambda each: CHECKS.index(each[0]))
        codes = {each["code"] for _, each in found}
        if any(not code.startswith("FT8") for code in codes):
            verdict = "FAILED"
        elif codes - {"FT802"} or self.made.keys() != set(CHECKS):
            verdict = "INCOMPLETE"
        else:
            verdict = "CONSISTENT" if codes else "VERIFIED"
        checks = []
        for name in CHECKS:
            here = {each["code"] for check, each in found if check == name}
            accuses = any(not code.startswith("FT8") for code in here)
            ok = False if accuses else True if name in self.made and not here and name not in self.partial else None
            checks.append({"name": name, "ok": ok, "detail": self.made.get(name) or "not made"})
        return {
            "verdict": verdict,
            "exit": {"VERIFIED": 0, "FAILED": 7}.get(verdict, 8),
            "checks": checks,
            "findings": [each for _, each in found],
            "rounds": self.rounds,
            "level": self.manifest["level"] if self.manifest else None,
            "anchor": self.anchor,
        }

    def read(self, name):
        """Return the content of an entry. Raises: Bad FT703: there is none."""
        require(name in self.entries, "FT703", f"{name} is not in the bundle")
        start, size, _ = self.entries[name]
        return self.data[start : start + size]

    def check_manifest(self):
        """1: the container, the manifest, every file and the signatures."""
        self.entries = read_archive(self.data)
        for name in ("README.txt", "chain/headers.rlp", "chain/receipts.rlp", "manifest.json", "verify.py"):
            require(name in self.entries, "FT722", f"{name} is not in the bundle")
        notes = sum(name.startswith("checkpoints/") for name in self.entries)
        require(notes <= 64, "FT716", f"{notes} checkpoints")
        raw = self.read("manifest.json")
        m = read_manifest(raw)
        files = m.pop("files")
        self.manifest = m
        self.contracts = {key: bytes.fromhex(text[2:]) for key, text in m["contracts"].items()}
        self.chain_id, self.last = int(m["chain_id"]), int(m["last_block"]["number"])
        self.domain = domain_separator("fedtrail", self.chain_id, self.contracts["ledger"])
        for name in sorted(files.keys() | self.entries.keys() - {"manifest.json", "manifest.dsse.json"}):
            self.check_file(name, files.get(name))
        for name in self.entries.keys() & {"manifest.json", "manifest.dsse.json"}:
            if zlib.crc32(self.read(name)) != self.entries[name][2]:
                self.find("manifest", "FT703", f"{name} has another CRC-32")
        signers = self.check_signatures(raw) if "manifest.dsse.json" in self.entries else []
        return f"{len(files)} files" + "".join(f", signed by {signer}" for signer in signers)

    def check_file(self, name, told):
        """Check an entry against its line of the manifest."""
        start, size, crc = self.entries.get(name, (0, -1, 0))
        digest, got = hashlib.sha256(), 0
        for at in range(start, start + size, 1 << 20):
            chunk = self.data[at : min(at + (1 << 20), start + size)]
            digest.update(chunk)
            got = zlib.crc32(chunk, got)
        same = told == {"bytes": str(size), "sha256": digest.hexdigest()} and got == crc
        if not same:
            self.find("manifest", "FT703", f"{name} is not what manifest and directory say of it")

    def check_signatures(self, raw):
        """Return who signed the manifest (DSSE)."""
        envelope = parse_canonical(self.read("manifest.dsse.json"))
        kind = "application/vnd.fedtrail.bundle.v1+json"
        line = {"keyid": "ed25519:[0-9a-f]{64}", "sig": "[A-Za-z0-9+/]+=*"}
        form = {"payload": "[A-Za-z0-9+/]+=*", "payloadType": re.escape(kind), "signatures": [line]}
        require(matches(envelope, form) and len(envelope["signatures"]) <= 16, "FT722", "no DSSE envelope")
        same = envelope["payload"] == base64.b64encode(raw).decode()
        require(same and envelope["signatures"], "FT722", "the signatures are over another manifest")
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(raw), raw)
        for each in envelope["signatures"]:
            key = bytes.fromhex(each["keyid"][8:])
            signature = base64.b64decode(each["sig"])
            if base64.b64encode(signature).decode() != each["sig"] or not is_signed25519(key, message, signature):
                self.find("manifest", "FT717", f"the signature of {each['keyid']} does not verify")
        return [each["keyid"] for each in envelope["signatures"]]

    def items(self, name, limit):
        """Yield the encodings of the RLP lists that follow each other in an entry."""
        at, size, _ = self.entries[name]
        end = at + size
        while at < end:
            first = self.data[at]
            require(first >= 0xC0, "FT703", "a byte string where an RLP list belongs")
            digits = max(first - 0xF7, 0)
            size = int.from_bytes(self.data[at + 1 : at + 1 + digits], "big") if digits else first - 0xC0
            stop = at + 1 + digits + size
            require(stop - at <= limit, "FT716", f"an item of {stop - at} bytes")
            require(stop <= end, "FT703", "RLP is cut short")
            yield self.data[at:stop]
            at = stop

    def check_headers(self):
        """3: every block is there, each the parent of the next."""
        want = int(self.manifest["first_block"]["number"])
        for raw in self.items("chain/headers.rlp", 1 << 14):
            header = decode_header(raw)
            number = header.number
            require(want <= number <= self.last, "FT703", f"a header of block {number} where block {want} belongs")
            before = self.blocks.get(number - 1)
            if number > want:
                self.find("headers", "FT705", f"incomplete: the header of block {want} is not in the bundle")
            elif before and header.parent != before.hash:
                told = f"{header.parent.hex()}, block {number - 1} is {before.hash.hex()}"
                self.find("headers", "FT703", f"block {number} names as its parent {told}")
            self.blocks[number], want = header, number + 1
        for name in ("first_block", "last_block"):
            number, digest = int(self.manifest[name]["number"]), self.manifest[name]["hash"]
            require(number in self.blocks, "FT705", f"incomplete: the header of block {number} is not in the bundle")
            got = self.blocks[number].hash.hex()
            require("0x" + got == digest, "FT703", f"block {number} has hash {got}, the manifest says {digest}")
        return f"{len(self.blocks)} blocks up to {self.last} are linked"

    def check_receipts(self):
        """4: the blocks that matter have all their receipts, no other block has any."""
        masks = [bloom_mask(address) for address in self.contracts.values()]
        waiting = [number for number, header in self.blocks.items() if may_hold(header.bloom, masks)]
        waiting, total, addresses = deque(waiting), len(waiting), set(self.contracts.values())
        missing = "incomplete: the receipts of block {} are not in the bundle"
        for raw in self.items("chain/receipts.rlp", 1 << 25):
            number, receipts = parse_rlp(raw)
            is_list = isinstance(receipts, list) and all(isinstance(receipt, bytes) for receipt in receipts)
            require(is_list, "FT703", "malformed receipts")
            number = to_int(number)
            while waiting and waiting[0] < number:
                self.find("receipts", "FT705", missing.format(waiting.popleft()))
            require(waiting and waiting[0] == number, "FT703", f"receipts of block {number} where none belong")
            waiting.popleft()
            root = list_root(receipts)
            if root == self.blocks[number].receipts_root:
                logs = [log for receipt in receipts for log in decode_logs(receipt)]
                self.logs += [Log(number, at, *log) for at, log in enumerate(logs) if log[0] in addresses]
            else:
                told = f"{root.hex()}, its header says {self.blocks[number].receipts_root.hex()}"
                self.find("receipts", "FT703", f"proof invalid: the receipts of block {number} give root {told}")
        for number in waiting:
            self.find("receipts", "FT705", missing.format(number))
        return f"of {total} blocks, {len(self.logs)} events"

    def check_events(self):
        """5: logs of registry, ledger and statements are their events, and what those say follows from each other."""
        names, events = {self.contracts[name]: name for name in EVENTS}, []
        for log in self.logs:
            if log.address in names:
                try:
                    events.append((names[log.address], *decode_event(names[log.address], log.topics, log.data), log))
                except Bad as bad:
                    self.find("events", bad.code, f"block {log.block}: {bad}")
        try:
            self.check_facts([each for each in events if each[0] == "statements"])
        except Bad as bad:
            self.find("events", bad.code, str(bad))
        ledger = Ledger({int(role): int(wei) for role, wei in self.manifest["min_stake_wei"].items()})
        for contract, name, args, log in events:
            block = self.blocks[log.block]
            opening = {"opening_hash": block.hash} if name == "RoundOpened" else {}
            ledger.apply(contract, name, args | opening, block.now)
        self.ledger = ledger
        told = set(self.manifest["tasks"]) <= ledger.tasks.keys()
        require(told, "FT705", f"the ledger has {len(ledger.tasks)} tasks, not all that the manifest names")
        return f"{len(ledger.participants)} participants, {len(ledger.tasks)} tasks, {len(ledger.rounds)} rounds"

    def check_facts(self, events):
        """5: `facts.json` says what the events of `statements` say. Raises: Bad FT703."""
        facts = [
            {"block": str(log.block), "log": str(log.index), **tell_fact(name, args)} for _, name, args, log in events
        ]
        want = encode_canonical({"facts": facts, "format": "fedtrail-facts-1"})
        told = "facts.json" not in self.entries or self.read("facts.json") == want
        require(told, "FT703", "facts.json does not say what the events of the statements say")

    def check_anchor(self):
        """2: the bundle is about the ledger and the chain that the auditor named (§7)."""
        trust = self.trust
        wrong = {"chain_id": trust.get("chain_id", self.chain_id) != self.chain_id}
        wrong["contract"] = trust.get("contract", self.contracts["ledger"]) != self.contracts["ledger"]
        if "code_hash" in trust and "chain/state.json" in self.entries:
            code = read_state(self.read("chain/state.json"))["code"]
            codes = [bytes.fromhex(code[key][2:]) for key in KEYS if key in code]
            wrong["code_hash"] = keccak(b"".join(codes)) != trust["code_hash"]
        for name in (name for name, is_wrong in wrong.items() if is_wrong):
            self.find("anchor", "FT404", f"{name} is not the one of the trust file")
        satisfied = []
        blocks = {number: header.hash for number, header in self.blocks.items()}
        for number, digest in trust.get("block_hashes", {}).items():
            if blocks.get(number, digest) != digest:
                told = f"{blocks[number].hex()}, the trust file says {digest.hex()}"
                self.find("anchor", "FT704", f"split view: block {number} is {told}")
            elif number in blocks:
                satisfied.append((number, f"block {number} of the trust file"))
        for name in sorted(name for name in self.entries if name.startswith("checkpoints/")):
            satisfied += self.check_checkpoint(name, blocks)
        last_event = max((log.block for log in self.logs), default=0)
        is_pinned = "contract" in trust and "code_hash" in trust
        best = [text for number, text in satisfied if number == self.last or (is_pinned and number >= last_event)]
        if "contract" not in trust:  # a block of the chain does not say which of its ledgers is the auditor's
            best, satisfied = [], [(0, "a trust file that does not name the ledger")]
        if not best:
            early = f"; {satisfied[0][1]} leaves later blocks open" if satisfied else ""
            self.find("anchor", "FT802", f"consistent but unanchored: no anchor of your own is satisfied{early}")
        self.anchor = best[0] if best else None
        return self.anchor or "unanchored"

    def check_checkpoint(self, name, blocks):
        """Return [(block, text)] if a checkpoint of this ledger is signed by enough witnesses."""
        try:
            body, signatures = parse_note(bytes(self.read(name)).decode())
            form = rf"fedtrail\.({NUMBER})\.({HEX20})\n({NUMBER})\n([A-Za-z0-9+/]{{43}}=)\nblock ({NUMBER}) ({HEX32})\n"
            found = re.fullmatch(form, body)
            require(found, "FT722", "not the text of a checkpoint")
        except (Bad, ValueError) as problem:
            self.find("anchor", "FT722", f"{name}: {problem}")
            return []
        chain_id, ledger, size, root, number, digest = found.groups()
        number, signers = int(number), set()
        for signer, key_id, signature in signatures:
            for named, wanted, kind, key in self.trust.get("keys", []):
                if (signer, key_id) == (named, wanted) and is_cosigned(body, kind, key, signature):
                    signers.add(named)
                elif (signer, key_id) == (named, wanted):
                    self.find("anchor", "FT717", f"{name}: the signature of {named} does not verify")
                    return []
        is_ours = (int(chain_id), ledger) == (self.chain_id, "0x" + self.contracts["ledger"].hex())
        if not signers or not is_ours or number not in blocks:
            return []
        leaves = [
            sha256(b"\x00" + log.address + b"".join(log.topics) + log.data) for log in self.logs if log.block <= number
        ]
        ours = merkle_root(leaves) if leaves else sha256(b"")
        told = (str(len(leaves)), base64.b64encode(ours).decode(), "0x" + blocks[number].hex())
        if told != (size, root, digest):
            who = ", ".join(sorted(signers))
            self.find(
                "anchor", "FT704", f"split view: {who} signed block {number} as {digest}, {size} events, root {root}"
            )
            return []
        enough = 0 < self.trust.get("need", 0) <= len(signers)
        return [(number, f"{len(signers)} of {len(self.trust['keys'])} witnesses at block {number}")] if enough else []

    def check_counters(self):
        """6: the state after the last block agrees with the events, and the contracts are what they should be."""
        require("chain/state.json" in self.entries, "FT801", "no proofs of state in the bundle")
        state, proven = read_state(self.read("chain/state.json")), {}
        if self.last not in self.blocks:
            return None
        same = state["accounts"].keys() == self.contracts.keys() and state["block"] == str(self.last)
        require(same, "FT703", "proofs of other contracts, or of another block")
        for key, proof in state["accounts"].items():
            require(proof["address"] == "0x" + self.contracts[key].hex(), "FT703", f"a proof of another {key}")
            self.codes[key], slots = prove_account(self.blocks[self.last].state_root, self.contracts[key], proof)
            proven[key] = slots
        self.state = proven
        require(state["code"].keys() == self.contracts.keys(), "FT703", "not the code of every contract")
        for key, text in state["code"].items():
            code = bytes.fromhex(text[2:])
            if keccak(code) != self.codes[key]:
                self.find("counters", "FT703", f"the code of the {key} is not the one at its address")
            wanted = ("registry", "escrow") if key == "ledger" else () if key == "timelock" else ("ledger",)
            if not all(self.contracts[name] in code for name in wanted):
                self.find("counters", "FT404", f"the code of the {key} does not name the {' and the '.join(wanted)}")
        for role, wei in self.manifest["min_stake_wei"].items():
            if "7f" + word(int(wei)).hex() not in state["code"]["registry"]:  # a constructor's word follows a PUSH32
                self.find("counters", "FT404", f"the registry's code does not have {wei} wei, the stake of role {role}")
        for key in ("court", "session_court", "krum_court", "unmask_court", "board"):
            if self.state["ledger"].get(slot_of(int.from_bytes(self.contracts[key], "big"), 3)) != 1:
                self.find("counters", "FT404", f"the ledger does not take verdicts of the {key}")
        if self.ledger is None:
            return None
        self.compare_counters()
        return f"{sum(map(len, self.state.values()))} slots proven at block {self.last}"

    def take(self, contract, slot):
        """Return the word in a proven slot."""
        require(slot in self.state[contract], "FT703", f"the evidence has no storage proof of slot {slot:#x}")
        return self.state[contract][slot]

    def compare_counters(self):
        """Compare what the ledger counted with what the events say."""
        ledger, take = self.ledger, self.take
        counts = take("ledger", 2)
        told = [(counts & 0xFFFFFFFF, len(ledger.tasks), "tasks")]
        told.append((counts >> 32 & (1 << 64) - 1, len(ledger.rounds), "rounds"))
        told.append((take("registry", 2) & 0xFFFFFFFF, len(ledger.participants), "participants"))
        for got, want, what in told:
            if got != want:
                self.find("counters", "FT705", f"incomplete: the contract counted {got} {what}, the bundle has {want}")
        for number, task in ledger.tasks.items():
            slot = slot_of(number, 5)
            take("ledger", slot + 1)  # no verdict rests on its digest, but the bundle must prove it
            packed, model, head = take("ledger", slot), word(take("ledger", slot + 2)), word(take("ledger", slot + 3))
            state = (packed & 0xFFFFFFFF, packed >> 32 & (1 << 56) - 1, model, head)
            if state != (task["rounds"], task["current"], task["model"], task["head"]):
                self.find("counters", "FT705", f"incomplete: task {number} is not where the events leave it")
        for number, r in ledger.rounds.items():
            clock, opened = take("ledger", slot_of(number, 6)), r.opened
            state = [
                clock >> at & (1 << bits) - 1
                for at, bits in ((0, 8), (24, 40), (104, 32), (136, 32), (168, 16), (200, 16))
            ]
            if state != [r.phase, opened["opened_at"], opened["task"], opened["aggregator"], r.committed, r.excluded]:
                told = f"the contract has phase {state[0]}, {state[4]} commitments, {state[5]} exclusions"
                ours = f"the events phase {r.phase}, {r.committed} and {r.excluded}"
                self.find("counters", "FT705", f"incomplete: {told}; {ours}", number)

    def check_blobs(self):
        """7: every blob is what its CID names."""
        names = [name for name in self.entries if name.startswith("blobs/")]
        for name in names:
            data, content = self.read(name), parse_cid(name[6:])
            if content[0] == 0x70 and content_of(data) == content:
                self.kinds[name] = "file"
            else:
                self.kinds[name] = "block" if sha256(data) == content[1] else "corrupt"
            if self.kinds[name] == "corrupt":
                self.find("blobs", "FT708", f"{name} is not what its CID names")
        return f"{len(names)} blobs"

    def read_blob(self, content, limit):
        """Return a blob: one block where the limit is 0, else a file of at most so many bytes (§3.4).

        Raises: Bad: FT801 absent, FT708 corrupt, else the code for which a reader refuses the file.
        """
        name = "blobs/" + cid_text(content)
        require(name in self.entries, "FT801", f"{cid_text(content)} is not in the bundle")
        require(self.kinds[name] != "corrupt", "FT708", f"{cid_text(content)} is corrupt")
        data = self.read(name)
        if limit == 0 or self.kinds[name] == "file":
            return data
        size = stated_size(content, data)
        require(size <= limit, "FT716", f"a file of {size} bytes, at most {limit} are read")
        height = next(h for h in range(9) if CHUNK * WIDTH**h >= size)
        leaves, pending = [], [(content, size, height)]
        while pending:
            part, size, height = pending.pop()
            block = data if part == content else self.read_blob(part, 0)
            require(height or len(block) == size, "FT710", f"a leaf of {len(block)} bytes, its parent says {size}")
            leaves += [] if height else [block]
            pending += reversed(child_parts(block, size, height) if height else [])
        return b"".join(leaves)

    def check_replay(self):
        """8 to 11: the replay of every round of the tasks (§7)."""
        if self.ledger is None:
            return None
        wanted = [number for number, r in self.ledger.rounds.items() if r.opened["task"] in self.manifest["tasks"]]
        for number in wanted:
            replay = Replay(self.ledger, self.domain, number, self.read_blob)
            verdict, grade = replay.run()
            self.rounds.append({"round_id": str(number), "verdict": verdict, "grade": grade})
            gaps = [each for each in replay.findings if each[1].startswith("FT8")]
            for check, code, message, client in replay.findings:
                if not code.startswith("FT8"):
                    self.find(check, code, f"round {number}: {message}", number, client)
            if gaps:
                _, code, message, _ = max(gaps, key=lambda each: each[1])  # a term nobody knows, before what is absent
                more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
                self.find("commitments", code, f"round {number} cannot be replayed: {message}{more}", number)
            self.partial |= {check for check, *_ in gaps}
            if verdict != "voided" and replay.proposal and not replay.is_replayed:
                self.partial |= {"membership", "replay"}
        done = sum(each["verdict"] in ("pass", "nothing", "voided") for each in self.rounds)
        return f"{done} of {len(wanted)} rounds"

    def check_stakes(self):
        """12: every participant's record is what the events give."""
        if self.ledger is None or self.state is None:
            return None
        for number, who in self.ledger.participants.items():
            slot = slot_of(number, 6)
            words = [self.take("registry", slot + i) for i in range(3)]
            words[2] &= ~(0xFF << 112)  # hasBonded, which no event tells
            if words != list(who.words()) or self.take("registry", slot_of(number, 9)) != len(who.periods):
                self.find("stakes", "FT705", f"participant {number} is not what its events say", client=number)
        if self.take("registry", 3) != self.ledger.burnt:
            self.find(
                "stakes", "FT705", f"{self.take('registry', 3)} wei were burnt, the events say {self.ledger.burnt}"
            )
        return f"{len(self.ledger.participants)} participants"


def main(arguments):
    """Check a bundle, print what was found and return the exit status."""
    parser = argparse.ArgumentParser(description="Check a fedtrail bundle offline.")
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--trust", metavar="FILE", help="what you take as given: ledger, block hashes, witnesses")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    try:
        trust = read_trust(Path(options.trust).read_bytes()) if options.trust else {}
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        sys.stderr.write(f"FT202: {options.trust}: {problem}\n")
        return 3
    try:
        with Path(options.bundle).open("rb") as file:
            empty = file.seek(0, 2) == 0
            data = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as problem:
        sys.stderr.write(f"FT501: {problem}\n")
        return 5
    result = Bundle(data, trust).run()
    if options.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
        return result["exit"]
    marks = {True: "[ok]  ", False: "[FAIL]", None: "[ -- ]"}
    for check in result["checks"]:
        sys.stdout.write(f" {marks[check['ok']]} {check['name']}: {check['detail']}\n")
    for each in result["findings"]:
        sys.stdout.write(f"{each['code']} {each['message']}\n")
    sys.stdout.write(f"{result['verdict']} (level {result['level']}, anchor: {result['anchor']})\n")
    return result["exit"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
