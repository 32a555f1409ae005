"""The whole error tree.

FedtrailError
├── SpecError, RuleError            ledger.spec.errors: evidence (exit 7), refusals by the protocol (exit 6)
├── UsageError         exit 2       the command or the script is wrong
├── ConfigurationError exit 3       project, keys, wrong network
├── ChainError         exit 4       the node or the chain
├── NotFoundError      exit 5       no such run, round, client, blob name
├── StakeError …       exit 6       refusals decoded from the contracts
├── IntegrityError     exit 7       what an audit proved wrong
├── EvidenceError      exit 8       could not be fetched: try again, never an accusation
└── FindingsError      exit 9       an expectation of a script was not met

Every class states its code, exit status, message and hint once; its docstring is what
`fedtrail explain CODE` prints (title, cause, fix).
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.spec.errors import (
    BadProof,
    DuplicateCommitment,
    FedtrailError,
    NonFinite,
    NotCanonical,
    OutOfRange,
    Oversized,
    QuorumNotMet,
    RuleError,
    RuleNotApplicable,
    SpecError,
    TrailingBytes,
    WrongClient,
    WrongDomain,
    WrongExamples,
    WrongLength,
    WrongPhase,
    WrongRoot,
    WrongRound,
    WrongShape,
    WrongSigner,
    WrongVersion,
)


class UsageError(FedtrailError):
    """The command line or the round script is wrong.

    Cause: an unknown option, a misspelt key, a value of the wrong type.
    Fix: the message names the place; `fedtrail COMMAND --help` lists the options.
    """

    code = "FT101"
    exit_status = 2


class ScriptError(UsageError):
    """A round script does not follow the schema.

    Cause: unknown key, wrong type or a value out of range, at the line and column given.
    Fix: fedtrail script schema prints the schema; fedtrail script new writes an example.
    """

    code = "FT102"
    template = "{file}:{line}:{column}: {what}"


class MissingExtra(UsageError):
    """A feature needs a package that is not installed.

    Cause: fedtrail's extras are optional.
    Fix: install the extra that the message names.
    """

    code = "FT103"
    template = "{feature} needs the package {package}"
    hint_template = "pip install 'fedtrail[{extra}]'"


class BadQuery(UsageError):
    """A query file of a report is malformed.

    Cause: a header line that the format does not know, a missing one, or parameters that are not those of the SQL.
    Fix: docs/reports.md has the format; compare with the files of ledger/reports/queries.
    """

    code = "FT104"
    template = "{file}: {what}"


class IncompatibleParts(ScriptError):
    """A round script asks for two things that do not go together.

    Cause: what one of them hides or adds, the other one needs to see or to be without.
    Fix: the message names what comes nearest; docs/compatibility.md has the whole table.
    """

    code = "FT105"
    template = "{file}:{line}:{column}: {what}"


class ConfigurationError(FedtrailError):
    """The project, its keys or its network are not set up.

    Cause and fix: the message names them.
    """

    code = "FT200"
    exit_status = 3


class NoProject(ConfigurationError):
    """No fedtrail.toml was found in this folder or above.

    Cause: the command was started outside a project.
    Fix: fedtrail init creates one.
    """

    code = "FT201"
    template = "no fedtrail.toml here or above ({path})"
    hint_template = "run: fedtrail init"


class BadConfiguration(ConfigurationError):
    """fedtrail.toml cannot be used.

    Cause: a syntax error, an unknown key or a value of the wrong type.
    Fix: correct the line that the message names.
    """

    code = "FT202"
    template = "{file}: {what}"


class ToolMissing(ConfigurationError):
    """A program that fedtrail starts is not installed.

    Cause: Node, Hardhat, anvil or the Solidity compiler was not found.
    Fix: the hint names the command that installs it.
    """

    code = "FT203"
    template = "{tool} not found ({searched})"


class InsecureEndpoint(ConfigurationError):
    """A node or a store on another machine would be asked without encryption.

    Cause: its address is plain HTTP: whoever is in between reads, and may change, everything.
    Fix: use its https address; or a tunnel that ends on this machine, such as ssh -L.
    """

    code = "FT204"
    template = "{address} is on another machine and not encrypted"
    hint_template = "use an https address, or a tunnel to 127.0.0.1"


class KeyLocked(ConfigurationError):
    """A keystore file is encrypted and no password was given.

    Cause: the environment names no password and there is no terminal to ask on.
    Fix: set FEDTRAIL_KEY_PASSWORD, FEDTRAIL_KEY_PASSWORD_FILE or FEDTRAIL_KEY_PASSWORD_COMMAND, or run in a terminal.
    """

    code = "FT210"
    template = "key '{name}' is locked; set FEDTRAIL_KEY_PASSWORD or run in a terminal"


class KeyMissing(ConfigurationError):
    """No key of that name is in the project's keystore.

    Cause: a misspelt name, or keys of another project.
    Fix: fedtrail key list; fedtrail key new NAME.
    """

    code = "FT211"
    template = "no key '{name}' in {path}"
    hint_template = "fedtrail key list; fedtrail key new {name}"


class KeyExists(ConfigurationError):
    """A key of that name exists already; it was not overwritten.

    Cause: the name is taken.
    Fix: choose another name, or fedtrail key rotate NAME.
    """

    code = "FT212"
    template = "key '{name}' exists already in {path}; nothing was changed"


class WrongPassword(ConfigurationError):
    """The keystore password is wrong.

    Cause: another password was used when the key was made.
    Fix: try again; a lost password cannot be recovered, rotate with the owner's key.
    """

    code = "FT213"
    template = "wrong password for key '{name}'"


class ChainError(FedtrailError):
    """The node did not do what was asked.

    Cause and fix: the message names them.
    """

    code = "FT400"
    exit_status = 4


class CannotReach(ChainError):
    """The RPC endpoint does not answer.

    Cause: the node is down, or the address is wrong.
    Fix: fedtrail devnet up, or correct `rpc` in fedtrail.toml.
    """

    code = "FT401"
    template = "cannot reach {rpc} ({reason}, {tries} tries in {seconds:.1f} s)"
    hint_template = "is the devnet up? fedtrail devnet up"


class UntrustedServer(CannotReach):
    """A server's certificate does not show that it is the one that was asked for. Nothing was sent to it.

    Cause: another server answers, its certificate is for another name or has ended, or its authority is not known here.
    Fix: if it is your own authority, name its certificates: `ca_file` in fedtrail.toml.
    """

    code = "FT411"
    template = "{rpc} does not prove that it is that server: {reason}"
    hint_template = "if the authority is your own: ca_file in fedtrail.toml; if not, somebody may be in between"


class WrongChain(ChainError):
    """The node serves another chain than the project is configured for.

    Cause: another network, or the devnet of another project.
    Fix: correct `rpc` or `chain_id` in fedtrail.toml.
    """

    code = "FT402"
    exit_status = 3
    template = "wrong chain: the node says {got}, network '{network}' in fedtrail.toml says {want}; nothing was sent"


class NoContract(ChainError):
    """There is no contract at the configured address.

    Cause: it was deployed elsewhere, or the chain was reset.
    Fix: fedtrail contract deploy, or correct the address.
    """

    code = "FT403"
    exit_status = 3
    template = "no contract code at {address} on chain {chain_id} (block {block})"
    hint_template = "deployed elsewhere, or the chain was reset: fedtrail contract info"


class WrongCode(ChainError):
    """The contract's code is not the one that this project pinned.

    Cause: another version is deployed at that address.
    Fix: use the release that deployed it, or deploy anew.
    """

    code = "FT404"
    exit_status = 3
    template = "contract code hash {got} differs from the pinned {want}; refusing to read or write"


class ChainReset(ChainError):
    """The chain is another than the one seen before.

    Cause: the devnet was restarted without its state, or restored to an earlier point.
    Fix: fedtrail contract deploy starts anew; keys, scripts and stored blobs are kept.
    """

    code = "FT405"
    template = "chain was reset: block {block} was {want}, the node now has {got}; nothing was sent"
    hint_template = "start anew with: fedtrail contract deploy --new; stored blobs and keys are kept"


class Reorganised(ChainError):
    """The chain replaced blocks that the index had; the old ones are kept, and marked.

    Cause: short reorganisations are normal, and only told. One past finality is not: the exit status is 4 then.
    Fix: none is needed, the index follows the chain; fedtrail audit run Q23 tells what was lost. Past finality, raise
    `confirmations` in fedtrail.toml, and ask who runs the network.
    """

    code = "FT406"
    template = "reorg of depth {depth} at block {block}: {events} events orphaned (kept, marked); re-synced to {tip}"


class NotMined(ChainError):
    """A transaction was sent and is not in a block yet.

    Cause: the node is slow, stopped mining, or the fee is too low.
    Fix: fedtrail run resume continues; nothing is sent twice.
    """

    code = "FT407"
    template = "transaction {tx} not mined after {seconds:.0f} s (nonce {nonce})"
    hint_template = "fedtrail run resume continues; nothing is sent twice"


class Pruned(ChainError):
    """The node does not serve old logs or blocks.

    Cause: the node prunes history.
    Fix: use an archive node.
    """

    code = "FT408"
    template = "the node does not serve logs for blocks {first} to {last}: {reason}"


class Reverted(ChainError):
    """The contract refused a transaction for a reason that fedtrail has no own error for.

    Cause: the message holds the contract's error.
    Fix: fedtrail round show N; fedtrail contract info.
    """

    code = "FT409"
    template = "the contract refused {call}: {reason}"


class DevnetFailed(ChainError):
    """The devnet's process did not come up, or ended.

    Cause: the message holds the end of its log.
    Fix: fedtrail devnet logs; fedtrail doctor.
    """

    code = "FT410"
    template = "the devnet did not answer within {seconds:.0f} s; the end of its log: {log}"
    hint_template = "fedtrail devnet logs; fedtrail doctor"


class StoreUnreachable(ChainError):
    """The content store's daemon does not answer.

    Cause: the IPFS daemon is down, or its address is wrong.
    Fix: start it, or use the embedded store (remove `ipfs` from fedtrail.toml).
    """

    code = "FT420"
    template = "cannot use the IPFS daemon at {address}: {reason}"


class NotFoundError(FedtrailError):
    """Nothing of that name.

    Cause: a misspelt name or another project.
    Fix: list what there is; the message suggests the nearest name.
    """

    code = "FT501"
    exit_status = 5
    template = "no {kind} '{name}'{suggestion}"


class NotAContentId(NotFoundError):
    """The text is not a CID that fedtrail reads (CIDv1, sha2-256, raw or dag-pb).

    Cause: a truncated or mistyped identifier.
    Fix: copy the whole CID; fedtrail store add prints it.
    """

    code = "FT502"
    template = "'{text}' is not a CIDv1 with sha2-256: {reason}"


class InsufficientStake(RuleError):
    """The participant's stake is below the registry's minimum.

    Cause: the deposit was too small, or it was slashed.
    Fix: fedtrail stake deposit.
    """

    code = "FT601"
    template = "insufficient stake: {who} has {got} wei, {want} wei are needed"
    hint_template = "fedtrail stake deposit CLIENT AMOUNT"


class NotEligible(RuleError):
    """The participant may not take this step.

    Cause: another role, not active when the round opened, or another sender.
    Fix: fedtrail client show NAME.
    """

    code = "FT605"
    template = "participant {who} may not {what}: {reason}"


class NoEncryptionKey(RuleError):
    """A reader of the task had no usable encryption key when the round opened, so nothing can be sealed to it.

    Cause: it has not announced one, or announced bytes that are no key.
    Fix: fedtrail key announce NAME, before the next round opens.
    """

    code = "FT613"
    template = "the {role} {participant} had no usable encryption key when round {round_id} opened"
    hint_template = "fedtrail key announce NAME; the next round will have it"


class BudgetExceeded(RuleError):
    """A round would spend more privacy than a client's budget allows; nobody has trained.

    Cause: each round in which a client sends an update costs it some, and the task's term says how much it may spend.
    Fix: end the run here, leave the client out, or start a task with more noise: fedtrail privacy plan.
    """

    code = "FT607"
    template = "privacy budget: this round would bring {who} to eps {got:.2f} > {want:.2f} (delta {delta:g})"
    hint_template = "fedtrail privacy budget; fedtrail privacy plan finds the noise for more rounds"


class FundsLocked(RuleError):
    """Stake cannot be withdrawn yet.

    Cause: an open round holds a bond, or the unbonding period is not over.
    Fix: wait until the time that the message names.
    """

    code = "FT608"
    template = "funds of participant {who} are locked: {reason}"


class MaskingRefused(RuleError):
    """A client of a masked round does not go on: its update would be known, or its secrets misused.

    Cause: too few peers take part, or an aggregator asks for secrets that the chain's list of survivors does not allow.
    Fix: run the round again with more clients; who asks for both secrets of one client is not to be trusted.
    """

    code = "FT611"
    template = "client {client} does not {what}"


class UnmaskingFailed(RuleError):
    """The masks of a round cannot be removed; it is abandoned, and nothing of any update is known.

    Cause: more clients dropped out than the task's threshold allows for, or shares are wrong.
    Fix: run the round again; a lower masking.threshold lets more clients drop out, and needs fewer to collude.
    """

    code = "FT612"
    template = "round {round_id} cannot be unmasked: {what}"


class DecryptionFailed(RuleError):
    """The sum of a homomorphic round cannot be decrypted; nothing of any update is known.

    Cause: clients that hold a part of the round's key did not commit, did not publish, or sent no part in the
    decryption, or a wrong one. Every holder is needed.
    Fix: nothing; the run opens the round again, with new keys, without them, as long as its quorum is met. With
    clients that come and go, the section masking survives who is gone.
    """

    code = "FT614"
    template = "round {round_id} cannot be decrypted: {what}"
    hint_template = "it is run again without them, with new keys, while 'run.quorum' is met; else fedtrail run resume"


class IntegrityError(FedtrailError):
    """An audit proved that something is wrong.

    Cause: the message names round, participant and both values.
    Fix: keep the evidence; fedtrail round explain N tells what follows.
    """

    code = "FT799"
    exit_status = 7


class ReplayMismatch(IntegrityError):
    """The recomputed aggregate is not the one on the chain.

    Cause: the aggregator proposed something else than the rule yields for the included updates.
    Fix: fedtrail dispute open N proves it on chain while the round can be challenged, and takes the bond.
    """

    code = "FT702"
    template = "replay mismatch in round {round_id}: recomputed {got}, the chain has {want}; first differing {where}"
    hint_template = "prove it on chain while the round can be challenged: fedtrail dispute open {round_id}"


class WrongExclusion(IntegrityError):
    """The aggregator excluded an update that was fine, or included one that was not.

    Cause: the stated reason does not hold for the bytes that the client signed.
    Fix: fedtrail round replay N shows the client and both reasons.
    """

    code = "FT706"
    template = "round {round_id}, client {client}: the proposal says {got}, the bytes say {want}"


class WrongDecryption(IntegrityError):
    """What an aggregator states about the decryption of a round does not fit together.

    Cause: it added updates that are not encrypted under one key, listed a share that its client never signed, or
    proposed a sum without saying who decrypted it.
    Fix: fedtrail round replay N shows it; no court judges encrypted sums, the evidence is in chain and store.
    """

    code = "FT744"
    template = "round {round_id}: {what}"


class BrokenLineage(IntegrityError):
    """A round did not start from the model that the last one ended with.

    Cause: a model was swapped between rounds.
    Fix: fedtrail round replay of both rounds.
    """

    code = "FT707"
    template = "round {round_id} starts from model {got}, the round before ended with {want}"


class BlobCorrupt(IntegrityError):
    """A block in the store does not hash to its CID.

    Cause: a disk error, or somebody changed the file.
    Fix: remove it and fetch it from another pin holder.
    """

    code = "FT708"
    template = "block {cid} is corrupt: its bytes hash to {got}"
    hint_template = "fedtrail store add FILE puts an intact copy back"


class Incomplete(IntegrityError):
    """The events do not add up to the contract's own counters.

    Cause: events were dropped by the node or by the index.
    Fix: read from another node.
    """

    code = "FT705"
    template = "incomplete: the contract counted {want} {what} in round {round_id}, the events give {got}"


class WrongBooks(IntegrityError):
    """Stakes, slashes or the registry's ETH are not what the events add up to.

    Cause: events are missing, or the contract is not the one that it should be.
    Fix: read from another node; fedtrail contract verify compares the code on chain with the sources.
    """

    code = "FT709"
    template = "the books do not add up: {what}: the events give {want}, the chain holds {got}"


class SplitView(IntegrityError):
    """Two parties were shown different ledgers, or one ledger that forgot what it had said.

    Cause: a chain that was replaced or rolled back, or a node or witness that lies.
    Fix: keep both statements: each is signed. Ask further witnesses, and read from another node.
    """

    code = "FT704"
    template = "split view: {who} says that {what} is {got}, {against} says {want}"


class KeyMisused(IntegrityError):
    """The ledger holds something in a client's name that this project does not know of.

    Cause: the key is in other hands too, or this is not the only place where the client works.
    Fix: if it was not you, fedtrail key revoke NAME at once; the message names what was signed.
    """

    code = "FT723"
    template = "{name} is said to have {what}, which this project knows nothing of"
    hint_template = "if it was not you, shut the thief out: fedtrail key revoke {name}"


class WrongSources(IntegrityError):
    """The code on the chain is not what the sources compile to.

    Cause: another version was deployed, or code that only pretends to be it.
    Fix: check out the version that was deployed; trust no record of a contract that no published source gives.
    """

    code = "FT724"
    template = "{contract} on the chain is not what the sources of {sources} compile to: {what}"


class WrongIndex(IntegrityError):
    """The index does not hold what the chain holds.

    Cause: its file was changed or damaged, or the node that it was read from left events out.
    Fix: fedtrail index rebuild reads the chain again; the earlier file is kept beside it.
    """

    code = "FT725"
    template = "the index differs from the chain up to block {block} in: {tables}"
    hint_template = "fedtrail index rebuild"


class ForeignModel(IntegrityError):
    """A client was handed another model than the one that the ledger opened the round with.

    Cause: whoever handed it out changed it: chosen weights make an update give away the examples behind it.
    Fix: do not train on it; fetch the model that the ledger names, and ask who served this one.
    """

    code = "FT728"
    template = "round {round_id}: the model handed out has root {got}, the chain opened the round with {want}"
    hint_template = "nothing was trained and nothing sent; fedtrail round show {round_id} names the model's round"


class ShareRejected(IntegrityError):
    """A message between clients of a masked round is not what its sender sealed for this receiver and round.

    Cause: whoever carried it changed, replayed, reordered or redirected it, or swapped a key.
    Fix: none is needed: a client masks with those peers alone whose messages are right.
    """

    code = "FT740"
    template = "the shares of client {client} are rejected: {what}"


class WrongScore(IntegrityError):
    """A score that was recorded of a client is not what the round's updates give.

    Cause: whoever recorded it made a mistake, or made it up.
    Fix: fedtrail score recompute shows every value; believe the recomputed ones, and doubt who recorded the others.
    """

    code = "FT727"
    template = (
        "round {round_id}, client {client}: participant {scorer} recorded {kind} {got}, the round's updates give {want}"
    )


class WrongSpend(IntegrityError):
    """What was recorded of a client's privacy is not what the task's terms and its rounds give.

    Cause: whoever recorded it made a mistake, or plays down what the rounds cost.
    Fix: fedtrail privacy show tells both; believe the recomputed one.
    """

    code = "FT729"
    template = (
        "round {round_id}, client {client}: participant {speaker} recorded eps {got:.6f}, "
        "terms and rounds give {want:.6f}"
    )


class EvidenceError(FedtrailError):
    """Evidence could not be fetched. Not an accusation.

    Cause: a store or node that does not have it now.
    Fix: try again, or name another store.
    """

    code = "FT800"
    exit_status = 8


class Unavailable(EvidenceError):
    """A blob is not in any store that was asked.

    Cause: its publisher is offline, or nobody pinned it.
    Fix: ask its publisher, or import a CAR: fedtrail store add FILE.
    """

    code = "FT801"
    template = "CID {cid} unavailable ({found} of {stores} stores, {seconds:.0f} s){consequence}"


class Unanchored(EvidenceError):
    """The evidence agrees with itself, but nothing that the auditor trusts says that it is the real chain.

    Cause: no trust file was given, or none of its anchors is satisfied.
    Fix: --trust FILE with a block hash of your own node, or with the keys of witnesses.
    """

    code = "FT802"
    template = "consistent but unanchored: {what}"
    hint_template = "name what you trust: --trust FILE"


class UnknownTerm(EvidenceError):
    """A task is bound by something that this program cannot judge.

    Cause: the layout of the task has a term of a later version, or one whose text nobody can read.
    Fix: replay with the version that made the task; the message names the term.
    """

    code = "FT803"
    template = "round {round_id} is bound by the term '{term}', which cannot be judged here: {why}"
    hint_template = "replay with a version that knows the term"


class NotAReader(EvidenceError):
    """An update is encrypted to an audience, and the key of none of its readers is here.

    Cause: the task binds its updates to readers (the term `audience`), and this machine is none of them.
    Fix: replay where the key of a reader is; or ask an auditor of the task, or for its signed report.
    """

    code = "FT804"
    template = "the update of client {client} in round {round_id} is encrypted to {readers}"
    hint_template = "replay with the encryption key of {readers}"


class FindingsError(FedtrailError):
    """Something was found that was expected not to be.

    Cause: a run ended otherwise than the `expect:` of its script says, or an audit found what `--fail-on` names.
    Fix: the message lists each expectation with the value found, or each question with the number of its findings.
    """

    code = "FT901"
    exit_status = 9


class Interrupted(FedtrailError):
    """The run was interrupted; its state is kept.

    Cause: Ctrl-C or a signal.
    Fix: fedtrail run resume continues; nothing is sent twice.
    """

    code = "FT130"
    exit_status = 130
    template = "interrupted"
    hint_template = "fedtrail run resume continues; nothing is sent twice"


def iter_errors(root: type[FedtrailError] = FedtrailError) -> Iterator[type[FedtrailError]]:
    """Yield every error class, parents first: the catalogue that `fedtrail explain` prints."""
    yield root
    for child in root.__subclasses__():
        yield from iter_errors(child)


__all__ = [
    "BadConfiguration",
    "BadProof",
    "BadQuery",
    "BlobCorrupt",
    "BrokenLineage",
    "BudgetExceeded",
    "CannotReach",
    "ChainError",
    "ChainReset",
    "ConfigurationError",
    "DevnetFailed",
    "DuplicateCommitment",
    "EvidenceError",
    "FedtrailError",
    "FindingsError",
    "ForeignModel",
    "FundsLocked",
    "IncompatibleParts",
    "Incomplete",
    "InsufficientStake",
    "IntegrityError",
    "Interrupted",
    "KeyExists",
    "KeyLocked",
    "KeyMissing",
    "KeyMisused",
    "MissingExtra",
    "NoContract",
    "NoProject",
    "NonFinite",
    "NotAContentId",
    "NotCanonical",
    "NotEligible",
    "NotFoundError",
    "NotMined",
    "OutOfRange",
    "Oversized",
    "Pruned",
    "QuorumNotMet",
    "ReplayMismatch",
    "Reverted",
    "RuleError",
    "RuleNotApplicable",
    "ScriptError",
    "SpecError",
    "SplitView",
    "StoreUnreachable",
    "ToolMissing",
    "TrailingBytes",
    "Unanchored",
    "Unavailable",
    "UnknownTerm",
    "UsageError",
    "WrongChain",
    "WrongClient",
    "WrongCode",
    "WrongDomain",
    "WrongExamples",
    "WrongExclusion",
    "WrongLength",
    "WrongPassword",
    "WrongPhase",
    "WrongRoot",
    "WrongRound",
    "WrongScore",
    "WrongShape",
    "WrongSigner",
    "WrongSpend",
    "WrongVersion",
    "iter_errors",
]
