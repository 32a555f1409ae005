"""Errors of the specification: what can be wrong with bytes, numbers and signatures.

FedtrailError                 every error that users meet carries an FTnnn code and a hint
├── SpecError      exit 7     the bytes or numbers themselves are wrong: evidence against whoever signed them
│   ├── WrongLength, TrailingBytes, WrongVersion, WrongShape, NotCanonical
│   ├── OutOfRange, Oversized, NonFinite, WrongExamples
│   ├── WrongSigner, WrongRound, WrongDomain, WrongClient, WrongRoot, SealBroken
│   ├── ZeroUpdate, StaleUpdate, DuplicateUpdate, LongUpdate, FaintUpdate, DistantUpdate
│   └── BadProof
└── RuleError      exit 6     the protocol refuses: phase, deadline, quorum, duplicate
    └── WrongPhase, DuplicateCommitment, QuorumNotMet, RuleNotApplicable, InvalidTask

The families outside the specification (chain, store, configuration) are in `ledger.errors`.
"""

from __future__ import annotations

from typing import ClassVar


class FedtrailError(Exception):
    """Base of every error that fedtrail raises on purpose.

    A subclass states its code, exit status, message template and hint once; a raise gives the values:
    ``raise WrongLength(got=12, want=64)``. `detail` keeps those values for `--format json`.
    """

    code: ClassVar[str] = "FT001"
    exit_status: ClassVar[int] = 1
    template: ClassVar[str] = "unexpected failure"
    hint_template: ClassVar[str] = ""

    def __init__(self, message: str | None = None, *, hint: str | None = None, **detail: object) -> None:
        self.detail = detail
        self.message = message if message is not None else self.template.format(**detail)
        self.hint = hint if hint is not None else self.hint_template.format(**detail)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint, self.detail))


def _rebuild(cls: type[FedtrailError], message: str, hint: str, detail: dict[str, object]) -> FedtrailError:
    return cls(message, hint=hint, **detail)


class SpecError(FedtrailError):
    """Bytes, numbers or a signature break the specification: evidence, never a transport problem."""

    exit_status = 7
    code = "FT700"


class WrongLength(SpecError):
    """The bytes end before the header says they should.

    Cause: a truncated upload, or a header that states another size.
    Fix: fetch the blob again; if its CID still verifies, its author published it truncated.
    """

    code = "FT710"
    template = "the blob has {got} bytes, its header asks for {want}"


class TrailingBytes(SpecError):
    """Bytes follow the last coordinate.

    Cause: two blobs run together, or a hidden payload.
    Fix: encode with `spec.encode_vector`; canonical bytes have nothing after the last value.
    """

    code = "FT711"
    template = "{extra} bytes follow the last value (canonical length {want})"


class WrongVersion(SpecError):
    """The magic bytes are not those of this format, kind or version.

    Cause: a blob of another program, another kind (update, aggregate, model) or a later version.
    Fix: upgrade fedtrail, or publish the kind that was asked for.
    """

    code = "FT712"
    template = "the blob starts with {got}, expected {want}"


class WrongShape(SpecError):
    """The number of coordinates, the scale or the leaf size is not the task's.

    Cause: the client trained another model or used another task's parameters.
    Fix: read the task's parameters again and re-encode.
    """

    code = "FT713"
    template = "{field} is {got}, the task fixes {want}"


class NonFinite(SpecError):
    """A tensor holds NaN or an infinity.

    Cause: training diverged.
    Fix: lower the learning rate, clip gradients, or leave this client out of the round.
    """

    code = "FT714"
    template = "tensor {tensor} holds {count} non-finite values"


class OutOfRange(SpecError):
    """A coordinate is larger than the task's bound.

    Cause: the client skipped clipping or saturation, or tries to dominate the aggregate.
    Fix: quantise with `fl.quantization`, which saturates and reports it.
    """

    code = "FT715"
    template = "coordinate {coordinate} is {got}, the bound is {want}"


class Oversized(SpecError):
    """The blob is larger than anything the task allows; it was not parsed.

    Cause: another model, or an attempt to exhaust memory.
    Fix: publish the update alone, in the canonical encoding.
    """

    code = "FT716"
    template = "the blob has {got} bytes, the largest allowed is {want}"


class WrongSigner(SpecError):
    """A signature does not recover to the key that was valid when the round opened.

    Cause: another key signed, the key was rotated, or the signature is for other data.
    Fix: sign with the key registered for this round: fedtrail key list.
    """

    code = "FT717"
    template = "the signature recovers to {got}, client {client} signs with {want}"


class WrongRound(SpecError):
    """The bytes belong to another round.

    Cause: an update of an earlier round was sent again.
    Fix: train on this round's model and commit anew.
    """

    code = "FT718"
    template = "the blob is for round {got}, this is round {want}"


class WrongDomain(SpecError):
    """The bytes belong to another chain or another contract.

    Cause: a replay across deployments, or a client with another network configured.
    Fix: compare `fedtrail contract info` on both sides.
    """

    code = "FT719"
    template = "the blob is bound to domain {got}, this ledger is {want}"


class WrongClient(SpecError):
    """The bytes name another client as their author.

    Cause: a copied update.
    Fix: none for the copier; the commitment opens only for its author.
    """

    code = "FT720"
    template = "the blob names client {got}, the commitment is by client {want}"


class WrongExamples(SpecError):
    """`num_examples` is zero or beyond its range.

    Cause: a client without data, or an attempt to gain weight.
    Fix: state the number of examples trained on; the task caps its weight.
    """

    code = "FT721"
    template = "num_examples is {got}, allowed is 1 to {want}"


class NotCanonical(SpecError):
    """The bytes decode but do not encode back to themselves.

    Cause: reserved bytes set, entries out of order, or a hand-made encoding.
    Fix: use the encoder of `ledger.spec`.
    """

    code = "FT722"
    template = "not canonical: {what}"


class SealBroken(SpecError):
    """An encrypted update is not what sealing an update to the task's audience gives.

    Cause: it was changed, sealed to others or with keys of another time, or its author sealed different things to
    different readers.
    Fix: for its author, seal with the keys that were in force when the round opened, and publish those bytes.
    """

    code = "FT741"
    template = "the sealed update of client {client} is rejected: {what}"


class WrongShare(SpecError):
    """A client's decryption share does not come from the secret of the key share that it committed to.

    Cause: its author sent something else than its part in decrypting the round's sum, and signed it.
    Fix: for its author, run the client again; the round is run again without it.
    """

    code = "FT742"
    template = "the decryption share of client {client} is wrong: {what}"


class WrongRoot(SpecError):
    """The bytes do not hash to what was committed on chain.

    Cause: the blob was changed after the commitment, or another blob was published.
    Fix: ask the author or another pin holder for the original.
    """

    code = "FT701"
    template = "update-tampered: {what}: the bytes hash to {got}, the chain committed {want}"
    hint_template = "ask its author or another pin holder for the original"


class ZeroUpdate(SpecError):
    """Every coordinate of the update is 0: its client contributed nothing.

    Cause: a free-rider, or a client whose training changed nothing.
    Fix: train before committing; a client without data stays out of the round.
    """

    code = "FT730"
    template = "the update of client {client} is all zeros"


class StaleUpdate(SpecError):
    """The update is what the last round added to the model, once more or reversed.

    Cause: a free-rider that replays the aggregate, or a client that contributes nothing beyond it.
    Fix: train on this round's model; the task's validation states the limit, and a client may contest the rejection.
    """

    code = "FT731"
    template = "the update of client {client} has cosine {got} with the last aggregate, the limit is {want}"


class DuplicateUpdate(SpecError):
    """The update points the same way as that of another client.

    Cause: one party under several identities, or two clients that train on the same data.
    Fix: one identity for one party; which of two was first no statistics can tell, and a client may contest.
    """

    code = "FT732"
    template = "the update of client {client} has cosine {got} with that of client {other}, the limit is {want}"


class LongUpdate(SpecError):
    """The update is much longer than those of most clients.

    Cause: an attempt to outweigh the others, or training that diverged.
    Fix: clip updates, lower the learning rate; the task's validation states the limit, and a client may contest.
    """

    code = "FT733"
    template = "the norm of client {client}'s update is {got} times the median, the limit is {want}"


class FaintUpdate(SpecError):
    """The update is much shorter than those of most clients.

    Cause: a free-rider that sends a little noise, or a client with hardly any data.
    Fix: train as long as the task says; the task's validation states the limit, and a client may contest.
    """

    code = "FT734"
    template = "the norm of client {client}'s update is {got} times the median, at least {want} is asked for"


class DistantUpdate(SpecError):
    """The update is much farther from the others than these are from each other.

    Cause: a poisoned update, or data unlike everybody else's.
    Fix: compare the data's distribution; the task's validation states the limit, and a client may contest.
    """

    code = "FT735"
    template = (
        "the median distance of client {client}'s update to the others is {got} times the usual, the limit is {want}"
    )


class BadProof(SpecError):
    """A Merkle proof does not lead to the root.

    Cause: a proof for other data, another index or another tree.
    Fix: build the proof again from the blob that the root commits to.
    """

    code = "FT703"
    template = "proof invalid: {what}"


class RuleError(FedtrailError):
    """The protocol refuses the step: nothing is wrong with the bytes."""

    exit_status = 6
    code = "FT600"


class WrongPhase(RuleError):
    """The round is not in the phase that this step needs.

    Cause: a deadline passed, or has not come yet.
    Fix: fedtrail round show N tells the phase and its deadlines.
    """

    code = "FT602"
    template = "round {round_id} is {got}, this step needs {want}"


class DuplicateCommitment(RuleError):
    """The client already committed in this round.

    Cause: a second update, or a retry of one that had arrived.
    Fix: none needed: a commitment cannot be replaced.
    """

    code = "FT603"
    template = "client {client} already committed in round {round_id}; a commitment cannot be replaced"


class QuorumNotMet(RuleError):
    """Fewer updates than the task requires.

    Cause: clients were late, unreachable or excluded.
    Fix: open a new round; the quorum is a task parameter.
    """

    code = "FT604"
    template = "quorum not met: {got} of {want} updates in round {round_id}"


class RuleNotApplicable(RuleError):
    """The aggregation rule is not defined for this many updates.

    Cause: f or the trim is too large for n.
    Fix: lower it in the round script, or bring more clients.
    """

    code = "FT609"
    template = "{rule} with parameter {parameter} needs at least {want} updates, got {got}"


class InvalidTask(RuleError):
    """A task parameter is out of its range; the contract refuses the task.

    Cause: a number in the round script that the protocol does not allow.
    Fix: the message names the field; fedtrail script schema states the ranges.
    """

    code = "FT610"
    template = "task parameter {field} is {got}; allowed: {want}"
