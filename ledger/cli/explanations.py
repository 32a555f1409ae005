"""What is known of a round, in words: each fact with its grade and the reason for it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ledger.records import AuditReport, Grade, RoundRecord, Verdict

_CHECKS = {
    "1": "Nothing was left out: the {committed} commitments are all that the contract knows of, and hash to the "
    "rolling hash that it keeps.",
    "2": "The manifest is the one whose digest the proposal put on chain, and it lists every committed client once.",
    "3": "The exclusions on the chain are those of the manifest ({excluded} of {committed} clients).",
    "4": "Each of the {included} included updates decodes, names its client and this round, is within the bound, and "
    "is byte for byte what its client committed to.",
    "5": "Each excluded update was published by its client's signature and is broken for the reason given.",
    "6": "The included clients are the members that the proposal names, and the contract stored that proposal.",
    "7": "The rule over the included updates yields the proposed aggregate, bit for bit.",
    "11": "What the proposal carries for its rule, weights or distances of pairs, is what those updates yield.",
    "8": "The same updates, transposed, yield the proposed matrix root, from which any coordinate can be disputed.",
    "9": "The base model plus that aggregate is the proposed model.",
    "10": "The round started from the model that the last finalised round ended with.",
    "12": "Nothing binds the round that was not judged here; {validation}",
}

_MASKED = {
    "4": "Each of the {included} included masked updates decodes, names its client, this round and its seeds, and is "
    "byte for byte what its client committed to.",
    "7": "The included masked updates, without the masks that were revealed, sum to the proposed aggregate, bit for "
    "bit.",
    "11": "Exactly those seeds are revealed that the sum needs, each the one that its client committed to, and never "
    "both kinds of one client.",
    "12": "Nothing binds the round that was not judged here; no update was, since nobody sees one.",
}
"""The same of a round whose updates are masked."""

_GROUPED = _MASKED | {
    "7": "The included masked updates of each group, without the masks that were revealed, sum to its mean, and "
    "the rule over the means of {groups} groups, each of at least {least} updates, yields the proposed aggregate, bit "
    "for bit. A replay shows that; no court judges it.",
    "8": "The same updates, transposed, yield the proposed matrix root.",
}
"""The same where they are masked in groups."""

_ENCRYPTED = {
    "4": "Each of the {included} included encrypted updates decodes, names its client, this round and who holds its "
    "key, and is byte for byte what its client committed to.",
    "13": "All of them are encrypted under one key, that of all their authors together, and each author signed its "
    "decryption share, with a proof that it comes from the share of the key that the author committed to.",
    "8": "Added again, the ciphertexts are the sum that the proposal names.",
    "7": "What these shares decrypt that sum to is the proposed aggregate, bit for bit. A replay shows that; no court "
    "judges it.",
    "12": "Nothing binds the round that was not judged here; no update was, since nobody sees one.",
}
"""The same of a round whose updates are encrypted to be added."""

_CIPHERTEXTS = (
    "That each ciphertext is made as it should be, of an update within its bound: nobody can look. One that is not may "
    "change the sum as far as any update may."
)

_HIDDEN = "That masked updates are within their clip norm, and masked with the seeds they state: nobody can look."

_NEVER = (
    "That clients trained honestly, on good data, and on as many examples as they say: no ledger can prove that. "
    "An included update may still be an attack that follows the format."
)

_VERDICTS = {
    Verdict.PASS: "Everything was recomputed from what the clients signed, and agrees with the chain.",
    Verdict.FAIL: "Something is proved wrong. Keep the evidence: fedtrail round replay {number} --format json",
    Verdict.INCOMPLETE: "Evidence is missing. That accuses nobody: fetch it from another store, and replay again.",
    Verdict.NOTHING: "There is no proposal, so there is nothing to replay.",
}


def explain_round(record: RoundRecord, report: AuditReport) -> Iterator[str]:
    """Yield the lines of an explanation, at most 100 characters each where words allow."""
    yield f"Round {report.number} ({record.phase.name.lower()}): replay {report.verdict}, grade {report.grade}"
    yield from _wrap(_VERDICTS[report.verdict].format(number=report.number), "  ")
    sections = {
        "WRONG": [f"({f.clause}) {f.error}" for f in report.findings if f.accuses],
        Grade.PROVEN: list(_proven(record, report)),
        Grade.ATTESTED: [*report.attested, *_attested(record)],
        Grade.CLAIMED: [
            "Accuracy, loss and whatever a run's script says of its purpose: nobody signed them.",
            *([_HIDDEN] if record.degree else []),
            *([_CIPHERTEXTS] if record.homomorphic else []),
        ],
        Grade.MISSING: [f"({f.clause}) {f.error}" for f in report.findings if not f.accuses],
        "NEVER PROVEN": [_NEVER],
    }
    for title, facts in sections.items():
        if facts:
            yield ""
            yield f"{title}: {_MEANING[title]}"
            for fact in facts:
                yield from _wrap(fact, "  - ")


_MEANING = {
    "WRONG": "evidence that anybody can recompute",
    Grade.PROVEN: "recomputed here from bytes",
    Grade.ATTESTED: "signed by a known party, not recomputable",
    Grade.CLAIMED: "said by somebody, unsigned",
    Grade.MISSING: "could not be fetched",
    "NEVER PROVEN": "by this or any ledger",
}


def _proven(record: RoundRecord, report: AuditReport) -> Iterator[str]:
    """A check that found nothing holds, as far as it could run: those behind a failed one are not claimed."""
    failed = {finding.clause for finding in report.findings}
    numbers = {"committed": report.committed, "included": report.included, "excluded": len(record.exclusions)}
    told = {**numbers, "validation": _tell_validation(record, report)}
    masking = record.masking
    if masking is not None:
        told |= {"groups": masking.groups, "least": masking.least}
    special = _GROUPED if masking else _MASKED if record.degree else _ENCRYPTED if record.homomorphic else {}
    texts = _CHECKS | special
    ran = set(texts) if report.verdict is Verdict.PASS else _reached(record, report, failed)
    for clause, text in texts.items():
        absent = {"3": not record.exclusions, "5": not record.exclusions, "4": not report.included}
        empty = {**absent, "11": not record.aux}.get(clause, False)
        if clause in ran - failed and not empty:
            yield f"({clause}) {text.format(**told)}"
    for error in report.rejections:
        about = f"{report.number} --client {error.detail['client']}"
        ways = f"proof: fedtrail proof get update --round {about} -o FILE; objection: fedtrail update contest {about}"
        yield f"{error} ({ways} --reason TEXT)"


def _tell_validation(record: RoundRecord, report: AuditReport) -> str:
    text = record.layout.term("validation") if record.layout else None
    if text is None:
        return "updates are judged one by one."
    return f"updates, compared with each other by {text}, reject {len(report.rejections)}."


def _reached(record: RoundRecord, report: AuditReport, failed: set[str]) -> set[str]:
    if record.signed_list is not None and "1" in failed and not any(report.aggregate_root):
        return set()  # nobody knows who committed
    if record.proposal is None or "2" in failed:
        return {"1", "2", "3", "5", "12"} if record.manifest.data is not None and "2" not in failed else {"1"}
    reached = {"1", "2", "3", "4", "5", "10", "12"}
    return reached | {"6", "7", "8", "9", "11", "13"} if any(report.aggregate_root) else reached


def _attested(record: RoundRecord) -> Iterator[str]:
    if record.proposal is not None and not record.degree and record.homomorphic is None:
        yield (
            "The number of examples of each update: signed by its client"
            f", counted up to {record.task.examples_cap} by the task."
        )


def _wrap(text: str, lead: str) -> list[str]:
    return textwrap.wrap(
        text,
        100,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
