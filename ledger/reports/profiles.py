"""Six reports: which questions each of them asks, for which clause, and what no ledger can answer.

They print evidence and the clause that it helps with. Whether a law is kept is for people to judge.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import NotFoundError
from ledger.suggestions import suggest


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report."""

    title: str
    """Heading, with the clause where there is one."""
    text: str
    """What the evidence says, in words."""
    queries: tuple[int, ...]
    """Numbers of the questions, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A report for one kind of reader."""

    name: str
    """As on the command line."""
    title: str
    """Heading."""
    sections: tuple[Section, ...]
    """In order."""
    not_in_ledger: tuple[str, ...]
    """What the reader also needs, and has to get elsewhere."""


_NEVER = (
    "That clients trained honestly, on good data, and on as many samples as they say: no ledger can prove that.",
    "That block times are true times: they are what the producers of blocks say, in rising order.",
)

ANNEX_IV = Profile(
    name="annex-iv",
    title="Evidence for technical documentation (EU AI Act, Annex IV)",
    sections=(
        Section(
            title="2(a) Methods and steps of development",
            text="The rules of a training task are fixed when it is created; every round applies them to what clients "
            "committed to. A replay recomputes the aggregate from the updates.",
            queries=(19, 6, 3),
        ),
        Section(
            title="2(d) Provenance of what the model was trained on",
            text="Data never leaves its holders. The ledger has whose updates entered which round; the number of "
            "samples is the client's signed word.",
            queries=(2, 20),
        ),
        Section(
            title="2(f) Changes that were laid down in advance",
            text="What could happen to an update, and why: reasons are codes that anybody can check on the bytes.",
            queries=(8, 5),
        ),
        Section(
            title="2(g) Validation, testing, and signed test reports",
            text="Evaluations and reviews are statements that people signed; each names its record by a digest.",
            queries=(17, 21),
        ),
        Section(
            title="6 Changes through the lifecycle",
            text="Every round starts from the model that the last finalised one ended with.",
            queries=(7,),
        ),
        Section(
            title="Articles 12 and 19: records of events, and that they are whole",
            text="Events are counted by the contract, so one that is missing here shows.",
            queries=(4, 18, 23, 25),
        ),
    ),
    not_in_ledger=(
        "1 General description: intended purpose, versions, hardware, user interface.",
        "2(b), 2(c) Design specifications, architecture, computing resources.",
        "2(d) Characteristics, labelling and cleaning of the data; only their holders know them.",
        "2(e) Human oversight. 2(h) Cybersecurity of the participants' systems.",
        "3 to 5 Monitoring, appropriateness of metrics, risk management.",
        "7 to 9 Standards, declaration of conformity, post-market monitoring plan.",
        "That the documentation is kept for ten years (Article 18): keep a bundle and this report.",
        *_NEVER,
    ),
)

ROPA = Profile(
    name="ropa",
    title="Evidence for the record of processing activities (GDPR, Article 30)",
    sections=(
        Section(
            title="30(1)(a) Who takes part",
            text="The chain knows pseudonymous keys. Names come from a table on this machine that can be erased.",
            queries=(20,),
        ),
        Section(
            title="30(1)(d) Who has looked at this index",
            text="As this machine noted it; nobody else has signed it.",
            queries=(24,),
        ),
        Section(
            title="30(1)(f) and Article 17: retention and erasure",
            text="Blobs have a date until which they are kept; labels of organisations can be erased. What is on the "
            "chain stays: digests and pseudonymous keys.",
            queries=(25,),
        ),
        Section(
            title="30(1)(g) and Article 25: measures",
            text="Updates leave a client clipped; what privacy they cost is recorded where a task uses noise.",
            queries=(13, 19),
        ),
        Section(
            title="Article 5(2): accountability",
            text="What was processed in which round, and that the record is whole.",
            queries=(2, 4),
        ),
    ),
    not_in_ledger=(
        "30(1)(a) Name and contact of controller, representative and data protection officer.",
        "30(1)(b) Purposes: the round script may state one; the chain has the script's digest.",
        "30(1)(c) Categories of data subjects and of personal data.",
        "30(1)(d), (e) Recipients outside this machine, transfers to third countries.",
        "Legal basis, consent, and the data protection impact assessment.",
        *_NEVER,
    ),
)

HIPAA = Profile(
    name="hipaa",
    title="Evidence for audit controls and integrity (HIPAA, 45 CFR 164.312 and 164.316)",
    sections=(
        Section(
            title="164.312(b) Audit controls",
            text="What happened in the federation, and who looked at it here. `fedtrail audit review` signs that the "
            "activity was examined.",
            queries=(1, 24),
        ),
        Section(
            title="164.312(c) Integrity",
            text="Aggregates are recomputed, events are counted, blobs hash to their names.",
            queries=(3, 4, 7, 12, 18),
        ),
        Section(
            title="164.312(d) Who a participant is",
            text="Every identity proves that it holds its key; rotations keep the history.",
            queries=(20,),
        ),
        Section(
            title="164.316(b)(2) Retention and updates",
            text="What is past its date, and what changed.",
            queries=(25, 19),
        ),
    ),
    not_in_ledger=(
        "Access to health records in the participants' own systems.",
        "Risk analysis, workforce training, business associate agreements.",
        "Encryption at rest and in transit on the participants' machines.",
        "That documentation is kept for six years: keep a bundle and this report.",
        *_NEVER,
    ),
)

PART_11 = Profile(
    name="part11",
    title="Evidence for electronic records and signatures (21 CFR Part 11)",
    sections=(
        Section(
            title="11.10(b) Copies that people can read, and electronic ones",
            text="This report, its JSON form, and the bundle of the run: fedtrail bundle create.",
            queries=(1,),
        ),
        Section(
            title="11.10(c) Protection and retrieval of records",
            text="Blobs that the chain names, and what is kept beyond its date.",
            queries=(18, 25),
        ),
        Section(
            title="11.10(e) Audit trail that obscures nothing",
            text="Events are appended, never overwritten; what a chain took back stays in the index, marked.",
            queries=(4, 23, 19, 20),
        ),
        Section(
            title="11.10(d), (g) Access and authority",
            text="Who used this index, and who could act in the federation.",
            queries=(24, 22),
        ),
        Section(
            title="11.50 and 11.70 Signatures with name, time and meaning, linked to their records",
            text="A statement names its record by a digest: moved to another record it does not verify.",
            queries=(21, 17),
        ),
    ),
    not_in_ledger=(
        "11.10(a) Validation of systems. 11.10(i) Training of people. 11.10(j) Written policies.",
        "11.100(b) That the person behind a key is who the statement says.",
        "11.300 Controls for passwords and identification codes.",
        "That the clock of a signer was right: the time of a signature is the signer's word.",
        *_NEVER,
    ),
)

PARTNER = Profile(
    name="partner",
    title="For a partner of the federation: was everybody treated by the rules?",
    sections=(
        Section(title="Contributions", text="Who contributed what, and what became of it.", queries=(2, 1)),
        Section(
            title="Honesty of the aggregator",
            text="Recomputed aggregates, counted events, and every aggregator's record.",
            queries=(3, 4, 22),
        ),
        Section(title="What was left out", text="Rejected, dropped, late or copied updates.", queries=(8, 5, 9, 12)),
        Section(title="Money", text="Stakes, slashes and disputes.", queries=(14, 15, 16)),
        Section(title="Evidence that is missing here", text="Ask whoever holds it.", queries=(18,)),
    ),
    not_in_ledger=("What the model is worth, and to whom.", "Contracts between the partners.", *_NEVER),
)

RESEARCH = Profile(
    name="research",
    title="For researchers: the run, its model and its participants",
    sections=(
        Section(title="Set-up", text="Rule and limits of the task, fixed on chain.", queries=(19,)),
        Section(title="Results", text="As evaluators signed them.", queries=(17,)),
        Section(title="Participation", text="Commitments and their outcomes.", queries=(2, 8, 5)),
        Section(title="Attacks and anomalies", text="Scores are an analyst's signed word.", queries=(10, 11, 12)),
        Section(title="Reproducibility", text="Replays and lineage.", queries=(3, 6, 7)),
        Section(title="Privacy", text="Where noise was used.", queries=(13,)),
    ),
    not_in_ledger=(
        "Data sets, their splits and licences; the script names them, its digest is on chain.",
        "Hyperparameters beyond the task: see the script with the digest above.",
        *_NEVER,
    ),
)

PROFILES = {profile.name: profile for profile in (ANNEX_IV, ROPA, HIPAA, PART_11, PARTNER, RESEARCH)}
"""Reports by name."""


def find_profile(name: str) -> Profile:
    """Return a report by name. Raises: NotFoundError."""
    if name not in PROFILES:
        hint = f"reports: {', '.join(PROFILES)}"
        raise NotFoundError(kind="report", name=name, suggestion=suggest(name, PROFILES), hint=hint)
    return PROFILES[name]
