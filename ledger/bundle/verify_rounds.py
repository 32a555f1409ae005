"""The replay of a round (§7): who committed, whose updates count, what follows from them. Part of verify.py."""

import struct

from verify_blobs import (
    ALLOWANCE,
    LINE,
    REVEAL,
    VECTOR,
    cut,
    decode_list,
    decode_manifest,
    decode_update,
    decode_vector,
    is_audience,
    is_masking,
    is_noise,
    matrix_root,
    measure_vector,
    read_layout,
    read_seeds,
    to_little_endian,
)
from verify_cohorts import draw_groups, judge_cohort, needed_seeds, parse_groups, parse_validation, unmask
from verify_events import ACCUMULATED, VOIDED
from verify_hashes import ZERO, Bad, chunk_root, keccak, merkle_root, recover, require, sha256, word
from verify_rules import COMPOSED, SUM32, aggregate, encode_aux, parse_composition, rdiv, step_model

FORMS = {"audience", "coordinates", "homomorphic", "masking"}
"""Terms that say what the bytes of an update are: with another one than is known here, none can be judged."""
REJECTIONS = range(730, 736)
"""Reasons for which a validation excludes (§12.1)."""
PROPOSAL = ("aggregate_root", "matrix_root", "model_root", "members_root", "data_id", "committed")
"""Fields of a proposal in the order in which they are hashed."""


def domain_separator(name, chain_id, contract):
    """Return the EIP-712 domain separator of a contract (§4.2)."""
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    parts = (keccak(kind), keccak(name.encode()), keccak(b"1"), word(chain_id), contract.rjust(32, b"\x00"))
    return keccak(b"".join(parts))


def typed_digest(domain, kind, *words):
    """Return the EIP-712 digest that is signed of a struct whose fields are 32-byte words (§4.2)."""
    return keccak(b"\x19\x01" + domain + keccak(keccak(kind) + b"".join(words)))


def commitment_digest(domain, number, client, commitment):
    """Return what a client signs to commit (§4.2)."""
    kind = b"Commitment(uint64 roundId,uint32 client,bytes32 commitment)"
    return typed_digest(domain, kind, word(number), word(client), commitment)


def publication_digest(domain, number, client, content):
    """Return what a client signs to say where its update is (§4.3)."""
    kind = b"Publication(uint64 roundId,uint32 client,uint8 codec,bytes32 digest)"
    return typed_digest(domain, kind, word(number), word(client), word(content[0]), content[1])


def commitment(domain, number, client, examples, root):
    """Return the commitment to an update (§4.1)."""
    return sha256(b"\x02" + domain + struct.pack(">QII", number, client, examples) + root)


def members_root(members):
    """Return the root over the included (client, commitment) (§4.5)."""
    return merkle_root([sha256(b"\x00" + struct.pack(">I32s", *member)) for member in members])


def segment_root(entries):
    """Return the root of a batch of packed entries: client and commitment, in a list also the signature (§4.6)."""
    return merkle_root([keccak(b"\x00" + entry) for entry in entries], keccak)


def roll_segment(segments_hash, root, count):
    """Return the round's rolling hash after a segment (§4.6)."""
    return keccak(segments_hash + root + word(count))


def proposal_hash(number, proposal, segments_hash, excluded, aux, included):
    """Return the hash that the ledger stores of a proposal (§4.7).

    Args: proposal: (aggregate_root, matrix_root, model_root, members_root, data_id, committed).
    """
    aggregate_root, matrix, model, members, data_id, committed = proposal
    tail = (keccak(excluded), keccak(aux), word(committed), word(included))
    core = keccak(model + keccak(b"".join((members, data_id, segments_hash, *tail))))
    return keccak(word(number) + aggregate_root + matrix + core)


def weigh(task, examples, stake, rule=None):
    """Return the weight of a client in a weighted mean (§5.3). Args: rule: of a composed one its stages, else None."""
    name, number = rule["stages"][-1] if rule else ("", 0)
    weight, needed = min(examples, task["examples_cap"]), task["wei_per_weight"]
    if name == "stake-mean":
        needed = number * 10**9
    return min(weight, stake // needed) if needed else weight


def extend_head(head, number, digest):
    """Return the head of a task's chain of finalised rounds after one more (§4.8)."""
    return keccak(head + word(number) + digest)


def add(updates):
    """Return the sums of updates, coordinate by coordinate."""
    return [sum(column) for column in zip(*(update.values for update in updates), strict=True)]


class Replay:
    """The replay of one round; (n) are the checks of §7, each noted under its name in docs/bundle.md §6.

    Args: read_blob: (content, limit) to bytes; raises Bad: FT801 absent, FT708 corrupt, else the code for which a
    reader refuses the blob.
    """

    def __init__(self, ledger, domain, number, read_blob):
        self.ledger, self.domain, self.number, self.read_blob = ledger, domain, number, read_blob
        self.r = ledger.rounds[number]
        self.task, self.opened_at = self.r.task, self.r.opened["opened_at"]
        ended = self.r.ended or {}
        self.data_id, self.excluded = ended.get("data_id", ZERO), ended.get("excluded", b"")
        self.proposal = ended if "proposal_hash" in ended else None
        self.members, self.findings, self.is_attested, self.is_replayed = {}, [], False, False
        self.rule, self.limits, self.is_bound, self.is_legible = None, None, False, True
        self.masking, self.groups = None, ()

    def find(self, check, code, message, client=None):
        """Note a finding."""
        self.findings.append((check, code, message, client))

    def run(self):
        """Return (verdict, grade) and leave the findings: the checks in their order."""
        is_listed = self.check_segments() if self.r.listed is None else self.check_list()
        is_voided = self.r.phase == VOIDED
        if not is_voided and is_listed and (self.data_id != ZERO or self.excluded):
            manifest = self.check_manifest()
            if manifest:
                self.check_terms()
            updates = self.check_updates(manifest) if manifest and self.is_legible else []
            if self.proposal and len(updates) == len(self.members) - len(self.excluded) // 6 > 0:
                self.check_proposal(updates)
                self.check_aggregate(updates, manifest)
            self.check_lineage()
        grade = "ATTESTED" if self.is_attested or is_voided else "PROVEN"
        if any(not code.startswith("FT8") for _, code, *_ in self.findings):
            return "fail", grade
        if self.findings:
            return "incomplete", "MISSING"
        return "voided" if is_voided else "pass" if self.proposal else "nothing", grade

    def check_segments(self):
        """(1) The commitments in the events are all that the ledger counted, and hash to its rolling hash."""
        rolling, matches = ZERO, True
        for told, entries in self.r.segments:
            batch = [struct.unpack(">I32s", each) for each in cut(entries, 36)]
            root = segment_root(cut(entries, 36)) if batch else ZERO
            rolling, matches = roll_segment(rolling, root, len(batch)), matches and root == (told or root)
            for client, digest in batch:
                self.members.setdefault(client, digest)  # the first commitment of a client counts (§4.6)
        self.members = dict(sorted(self.members.items()))
        if self.proposal:
            matches = rolling == self.proposal["segments_hash"]
        if not matches or (self.task["mode"] != ACCUMULATED and len(self.members) != self.r.committed):
            told = f"{len(self.members)} commitments that hash to {rolling.hex()}"
            self.find("commitments", "FT705", f"incomplete: {told}; the ledger counted {self.r.committed}")
        return True

    def check_list(self):
        """(1) in root-only mode: the list is that of the root, and its clients signed it; whether it can be read."""
        try:
            data = self.read_blob((0x55, self.r.listed["list_id"]), 0)
            entries = decode_list(data)
            told = (segment_root(cut(data, 100)), len(entries)) == (self.r.listed["root"], self.r.listed["count"])
            require(told, "FT701", "the list of commitments is not that of the root on the chain")
        except Bad as bad:
            self.find("commitments", bad.code, f"list of commitments: {bad}")
            return False
        for client, digest, signature in entries:
            self.members[client] = digest
            signer = self.ledger.key_at(client, self.opened_at)
            signed = commitment_digest(self.domain, self.number, client, digest)
            if digest == ZERO or signer is None or recover(signed, signature) != signer:
                self.find("commitments", "FT717", f"the entry of client {client} is not signed with its key", client)
        return True

    def check_manifest(self):
        """(2) and (3): the manifest that dataId names, or None."""
        try:
            manifest = decode_manifest(self.read_blob((0x55, self.data_id), 0))
            require(manifest.domain == self.domain, "FT719", "it is for another ledger")
            require(manifest.round == self.number, "FT718", f"it is for round {manifest.round}")
            listed = [entry.client for entry in manifest.entries]
            require(listed == list(self.members), "FT706", "it does not list exactly who committed")
        except Bad as bad:
            self.find("membership", bad.code, f"manifest: {bad}")
            return None
        stated = b"".join(struct.pack(">IH", e.client, e.reason) for e in manifest.entries if e.reason)
        if stated != self.excluded:
            self.find("membership", "FT706", "the exclusions on the chain are not those of the manifest")
        return manifest

    def check_terms(self):
        """(12) What binds the round, from the layout (§3.5): the stages of its rule, and terms that are known here."""
        try:
            stages, terms = read_layout(self.read_blob((0x55, self.task["layout_digest"]), 0), self.task["size"])
        except Bad:
            self.find("membership", "FT801", "the layout is missing or unreadable, and with it the terms (§3.5)")
            self.is_legible = self.task["rule"] != COMPOSED  # its updates may be masked (§11.13)
            return
        self.rule = stages and dict(zip(("stages", "f"), parse_composition(stages), strict=True))
        readable = {"audience": is_audience, "noise": is_noise}
        readable |= {"masking": self.is_masking, "validation": self.is_validation}
        strange = [name for name, text in terms.items() if not readable.get(name, lambda _: False)(text)]
        strange += ["audience"] if self.masking and "audience" in terms else []
        if strange:
            self.is_legible = not FORMS & set(strange)
            self.find("membership", "FT803", f"the term {strange[0]} is unknown or unreadable: no round can be judged")
            return
        self.is_bound = True
        if "validation" in terms:
            self.limits = parse_validation(terms["validation"])
        if "audience" in terms:
            self.is_legible = False
            self.find("commitments", "FT804", "its updates are encrypted, and no reader's key is used here")

    def is_masking(self, text):
        """Whether a term says who masks: in groups where the rule is composed, and those are known from then on."""
        groups = parse_groups(text) if self.task["rule"] == COMPOSED else None
        if groups:
            self.masking = groups
            opening = self.domain + struct.pack(">Q", self.number) + self.r.opened["opening_hash"]
            beacon = sha256(b"fedtrail/masking/1/beacon" + opening)  # §11.11
            self.groups = draw_groups(groups["roster"], groups["groups"], beacon)
        return bool(groups) or is_masking(text)

    def is_validation(self, text):
        """Whether a term is a validation that can be judged: not of updates under masks (§12.4)."""
        try:
            parse_validation(text)
        except Bad:
            return False
        return not self.degree

    def judge(self, client, content):
        """Return a client's update if it is what was committed (§3.2).

        Raises: Bad: FT801 where it is absent, else the code of the first check that fails.
        """
        task = self.task
        require(content is not None, "FT801", "it was never published")
        data = self.read_blob(content, measure_vector(task["size"], self.degree))
        kind = b"S" if self.degree else b"U"
        want = (kind, self.domain, self.number, client, task["size"], task["scale_bits"], task["leaf_log2"])
        update = decode_update(data, want, task["bound"], self.degree)
        root = chunk_root(data[VECTOR.size : VECTOR.size + 4 * task["size"]], 4 << task["leaf_log2"])
        if self.masking:
            group = next((group for group in self.groups if client in group), ())
            peers = set(read_seeds(update, self.degree)) - {0}
            require(client in group and peers <= set(group), "FT722", f"client {client} masks outside of its group")
        if self.degree:
            root = sha256(b"\x04" + root + chunk_root(update.seeds, LINE.size))  # §11.3
        got = commitment(self.domain, self.number, client, update.examples, root)
        told = self.members[client]
        require(got == told, "FT701", f"update-tampered: the bytes open {got.hex()}, committed was {told.hex()}")
        return update

    def check_updates(self, manifest):
        """(4), (5) and (12): the included updates that are as committed, in rising client number."""
        sound, reasons = {}, {entry.client: entry.reason for entry in manifest.entries}
        for entry in manifest.entries:
            client, reason, found = entry.client, entry.reason, None
            try:
                update = self.judge(client, entry.content)
            except Bad as bad:
                found = bad
            if reason == 801:
                self.is_attested = True  # the aggregator's word
            elif not found and self.may_have(reason):
                sound[client] = update
            elif not reason:
                # Bytes other than committed, whoever changed them; every other reason should have excluded it.
                code = {"FT801": "FT801", "FT701": "FT701", "FT708": "FT701"}.get(found.code, "FT706")
                self.find("commitments", code, f"client {client} is included, but: {found}", client)
            elif entry.content and found and found.code in ("FT801", "FT708"):
                code = "FT801" if found.code == "FT801" else "FT701"
                self.find("membership", code, f"the excluded update of client {client}: {found}", client)
            elif found and not self.is_published(entry):
                self.find("membership", "FT706", f"client {client} never signed what it is excluded for", client)
            elif not found or int(found.code[2:]) != reason:
                what = f"for FT{reason}, its update is {found.code if found else 'valid'}"
                self.find("membership", "FT706", f"client {client} is excluded {what}", client)
        if self.limits is not None:
            self.check_cohort(sound, {c: r for c, r in reasons.items() if not r or r in REJECTIONS})
        return [update for client, update in sound.items() if not reasons[client]]

    def may_have(self, reason):
        """Whether an update that is valid by itself may have a reason; what an unknown term asks for may be."""
        return not reason or not self.is_bound or (self.limits is not None and reason in REJECTIONS)

    def check_cohort(self, sound, stated):
        """(12) A validation rejects exactly those whom the manifest says; nobody knows where an update is missing."""
        if sound.keys() != stated.keys():
            return
        try:
            previous = self.read_previous() if "stale" in self.limits else None
        except Bad as bad:
            self.find("membership", "FT801", f"the aggregate of the last finalised round: {bad}")
            return
        rejected = judge_cohort(self.limits, [update.values for update in sound.values()], list(sound), previous)
        for client, reason in stated.items():
            wanted = rejected.get(client, "FT0")
            if int(wanted[2:]) != reason:
                told = f"for FT{reason}, the validation says {wanted}" if reason else f"nothing, not for {wanted}"
                self.find("membership", "FT706", f"client {client} is excluded {told}", client)

    def read_previous(self):
        """Return the aggregate of the task's last finalised round before this one; None before the first."""
        rounds = self.ledger.rounds.items()
        before = [r for number, r in rounds if number < self.number and r.task is self.task and r.finalised]
        if not before:
            return None
        proposed = before[-1].ended or {}
        require("proposal_hash" in proposed, "FT801", "it was never proposed")
        manifest = decode_manifest(self.read_blob((0x55, proposed["data_id"]), 0))
        return self.read_vector(manifest.aggregate, proposed["aggregate_root"])

    def is_published(self, entry):
        """Whether a client signed that its update is where the manifest says (§4.3)."""
        if entry.content is None:
            return False
        signer = self.ledger.key_at(entry.client, self.opened_at)
        signed = publication_digest(self.domain, self.number, entry.client, entry.content)
        return signer is not None and recover(signed, entry.signature) == signer

    def check_proposal(self, updates):
        """(6) Its members, its count and its hash."""
        p = self.proposal
        if len(self.members) != p["committed"]:
            self.find("membership", "FT702", f"{len(self.members)} clients committed, proposed {p['committed']}")
        if members_root([(u.client, self.members[u.client]) for u in updates]) != p["members_root"]:
            self.find("membership", "FT702", "the included clients do not give the members root")
        fields = [p[name] for name in PROPOSAL]
        told = proposal_hash(self.number, fields, p["segments_hash"], p["excluded"], p["aux"], p["included"])
        if told != p["proposal_hash"]:
            self.find("membership", "FT702", f"the proposal hashes to {told.hex()}, not to {p['proposal_hash'].hex()}")

    @property
    def degree(self):
        """The peers that a client of a masked task may have (§11); 0 where updates are not masked."""
        if self.masking:
            return self.masking["degree"]
        return self.task["rule_param"] if self.task["rule"] == SUM32 else 0

    def check_aggregate(self, updates, manifest):
        """(7) to (9) and (11)"""
        vectors = [update.values for update in updates]
        if matrix_root(vectors, self.task["matrix_log2"]) != self.proposal["matrix_root"]:
            self.find("replay", "FT702", "the updates, transposed, do not give the matrix root")
        try:
            result = self.remove_masks(updates) if self.degree else self.apply_rule(updates)
            self.is_replayed = True
        except Bad as bad:
            self.find("replay", bad.code, str(bad))
            result = None
        self.check_result(result, manifest)

    @property
    def seed(self):
        """The seed of a composed rule (§5.10)."""
        return sha256(b"fedtrail seed" + self.domain + struct.pack(">Q", self.number) + self.proposal["segments_hash"])

    def apply_rule(self, updates):
        """(7) and (11): the aggregate, and the auxiliary data that goes with it. Raises: Bad: there is none."""
        task, rule = self.task, None
        if task["rule"] == COMPOSED:
            require(self.rule is not None, "FT801", "the layout with the stages of the rule is missing")
            rule = self.rule | {"clients": [update.client for update in updates], "seed": self.seed}
        vectors = [update.values for update in updates]
        stakes = [self.ledger.stake_at(update.client, self.opened_at - 1) for update in updates]
        weights = [weigh(task, update.examples, stake, rule) for update, stake in zip(updates, stakes, strict=True)]
        if encode_aux(task, vectors, weights, rule) != self.proposal["aux"]:
            self.find("replay", "FT702", "the auxiliary data is not what the updates give")
        return aggregate(task, vectors, weights, rule)

    def remove_masks(self, updates):
        """(7) and (11) under masks: the sum without those that the revealed seeds give. Raises: Bad: unreadable."""
        aux = self.proposal["aux"]
        require(len(aux) % REVEAL.size == 0, "FT710", "the revealed seeds are no whole number of entries")
        reveals = list(REVEAL.iter_unpack(aux))
        shown = {(owner, peer): sha256(b"\x03" + seed) for owner, peer, seed in reveals}
        rise = [(0, 0), *((o, q) for o, q, _ in reveals)] == [(0, 0), *sorted(shown)] and (0, 0) not in shown
        require(rise, "FT722", "the revealed seeds do not rise by owner and peer")
        if shown != needed_seeds({update.client: read_seeds(update, self.degree) for update in updates}):
            self.find("replay", "FT722", "the revealed seeds are not those that must be revealed")
        if not self.masking:
            return unmask(add(updates), reveals)
        means = self.average_groups(updates, reveals)
        ones = [1] * len(means)
        require(self.rule is not None, "FT801", "the layout with the stages of the rule is missing")
        return aggregate(self.task, list(means.values()), ones, self.rule | {"clients": list(means), "seed": self.seed})

    def average_groups(self, updates, reveals):
        """Return the mean of every group by its number (§11.13). Raises: Bad FT609: one has too few updates."""
        means, masks = {}, self.masking["masks"]
        for number, group in enumerate(self.groups, start=1):
            inside = [update for update in updates if update.client in group]
            if inside:
                require(len(inside) >= self.masking["least"], "FT609", f"group {number} has {len(inside)} updates")
                total = unmask(add(inside), [each for each in reveals if each[0] in group], masks)
                means[number] = [rdiv(value, len(inside)) for value in total]
        return means

    def check_result(self, result, manifest):
        """(7) and (9): the recomputed aggregate is the proposed one, and so is the model that it leads to."""
        p = self.proposal
        if result is None:
            result = self.read_proposed(manifest.aggregate, p["aggregate_root"])
        elif self.root_of(result) != p["aggregate_root"]:
            result = self.compare("aggregate", result, manifest.aggregate, p["aggregate_root"])
        if result is None:
            return
        try:
            base = self.read_vector(manifest.base, self.r.opened["base"])
        except Bad as bad:
            self.find("replay", bad.code, f"base model: {bad}")
            return
        model = step_model(base, result)
        if self.root_of(model) != p["model_root"]:
            self.compare("model", model, manifest.model, p["model_root"])

    def read_proposed(self, content, root):
        """Return a published vector of a root; None if it is not there."""
        try:
            return self.read_vector(content, root)
        except Bad:
            return None

    def root_of(self, values):
        """Return the root of an aggregate or a model."""
        return chunk_root(to_little_endian(values), 4 << self.task["model_log2"])

    def read_vector(self, content, root):
        """Return the values of a published vector if they are those of a root on the chain; its header says nothing.

        Raises: Bad: FT801 absent or another vector, FT708 corrupt.
        """
        require(content is not None, "FT801", "nobody says where it is")
        try:
            data = self.read_blob(content, VECTOR.size + 4 * self.task["size"] + ALLOWANCE)
            vector = decode_vector(data, len(data))
        except Bad as bad:
            raise Bad(bad.code if bad.code == "FT708" else "FT801", str(bad)) from None
        fits = vector.leaf_log2 < 32 and chunk_root(data[VECTOR.size :], 4 << vector.leaf_log2) == root
        require(fits and vector.size == self.task["size"], "FT801", "it is not the one of the root on the chain")
        return vector.values

    def compare(self, what, ours, content, root):
        """Note that a recomputed vector is not the one of a root; return the proposed one, None if it is not there."""
        try:
            theirs = self.read_vector(content, root)
        except Bad as bad:
            self.find("replay", "FT702", f"replay mismatch: another {what}; which coordinate is unknown: {bad}")
            return None
        at = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=True)) if x != y), None)
        where = "the values are the same" if at is None else f"coordinate {at} is {ours[at]}, proposed {theirs[at]}"
        self.find("replay", "FT702", f"replay mismatch: another {what}: {where}")
        return theirs

    def check_lineage(self):
        """(10) The base model is the one before; a finalised proposal is the next link of the task's chain."""
        opened = self.r.opened
        if opened["base"] != opened["model_before"]:
            told = f"{opened['base'].hex()}, the last finalised round ended with {opened['model_before'].hex()}"
            self.find("lineage", "FT707", f"the base model is {told}")
        if self.r.finalised and self.proposal and self.r.finalised["head"] != ZERO:  # zeros: check 6 tells
            head = extend_head(opened["head_before"], self.number, self.proposal["proposal_hash"])
            if head != self.r.finalised["head"]:
                self.find("lineage", "FT701", f"head {head.hex()} follows, not {self.r.finalised['head'].hex()}")
