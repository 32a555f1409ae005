// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Role} from "./IParticipantRegistry.sol";

/// Aggregation rules in exact integers (docs/protocol.md, Rules).
enum Rule {
    Sum32,
    Mean,
    WeightedMean,
    Median,
    TrimmedMean,
    Krum,
    MultiKrum,
    /// Stages that the layout's document names: only replay knows them, the ledger knows how many updates they need.
    Composed
}

/// How a task's clients commit.
enum CommitMode {
    /// Batches whose every signature the ledger checks, and clients that commit by themselves.
    Verified,
    /// Clients that commit by themselves only. The ledger keeps a hash and neither counts them nor notices a client
    /// that commits twice (its first commitment counts): the aggregator says how many there are, and answers for it.
    Accumulated,
    /// One root, posted by the aggregator, over a list of signed commitments that lies off chain; it answers for
    /// every entry.
    RootOnly
}

/// Immutable parameters of a task. Seconds, wei, and counts of coordinates. The order fills two slots: what courts
/// judge by, and what opens a round and takes a proposal.
struct Task {
    Rule rule;
    /// Trim per side, the number f of Byzantine clients that Krum assumes, the fewest updates of a composed rule; 0 for
    /// the other rules.
    uint16 ruleParam;
    /// Number of updates that Multi-Krum averages; 0 for the other rules.
    uint16 ruleSelect;
    /// Coordinates of an update (d).
    uint32 size;
    /// Fractional bits of the fixed-point format.
    uint8 scaleBits;
    /// A leaf of an update holds 2^leafLog2 coordinates.
    uint8 leafLog2;
    /// A leaf of the matrix holds 2^matrixLog2 coordinates of all included clients.
    uint8 matrixLog2;
    /// A leaf of an aggregate or a model holds 2^modelLog2 coordinates.
    uint8 modelLog2;
    /// Largest magnitude of a coordinate; rules clamp to it.
    uint32 bound;
    /// The weight of a client is min(num_examples, examplesCap, stake / weiPerWeight).
    uint32 examplesCap;
    CommitMode mode;
    /// Stake that a unit of weight needs, so that a stake weighs the same under one identity and under many; 0: the
    /// stake does not limit the weight.
    uint80 weiPerWeight;
    uint32 commitSeconds;
    uint32 dataSeconds;
    uint32 proposeSeconds;
    uint32 challengeSeconds;
    /// Most commitments in a round, at most 10,000: its manifest is one block.
    uint16 maxClients;
    /// Fewest included updates that make a round.
    uint16 quorum;
    /// Bond that the aggregator's stake holds while it runs rounds of the task.
    uint96 bondWei;
    /// Availability board that decides exclusions; zero: the aggregator states them and replay checks them.
    address board;
    /// Root of the model that round one starts from.
    bytes32 genesisModel;
    /// SHA-256 of the document with the names of the coordinates and the stages of a composed rule.
    bytes32 layoutDigest;
    /// SHA-256 of the round script.
    bytes32 scriptDigest;
}

enum Phase {
    None,
    Open,
    Proposed,
    Finalised,
    Abandoned,
    Expired,
    Voided,
    /// Open, but stopped by the guardian for a while.
    Paused
}

/// A round. Times are last seconds: of the commit phase, of the data phase, for a proposal (all 0 once there is an
/// outcome), for challenges (0 before a proposal).
struct Round {
    Phase phase;
    CommitMode mode;
    uint32 taskId;
    uint32 aggregator;
    uint40 openedAt;
    uint40 commitEnd;
    uint40 dataEnd;
    uint40 proposeEnd;
    uint40 challengeEnd;
    uint8 openDisputes;
    /// Clients that committed; in accumulated mode 1 for any number until a proposal says it.
    uint16 committed;
    uint16 excluded;
    /// Rolling hash over the segments, keccak256(abi.encode(previous, segmentRoot, count)). 0 once there is a
    /// proposal, whose hash covers it, and once the task's next round is open.
    bytes32 segmentsHash;
    /// 0 before a proposal, once it is voided, and once the task's next round is open: then the task's head covers it.
    bytes32 proposalHash;
}

/// What an aggregator puts forward.
struct Proposal {
    /// Chunk-tree root of the aggregate.
    bytes32 aggregateRoot;
    /// Chunk-tree root of the included updates, transposed.
    bytes32 matrixRoot;
    /// Chunk-tree root of base model plus aggregate.
    bytes32 modelRoot;
    /// Chunk-tree root over (client, commitment) of the included updates, in rising client id.
    bytes32 membersRoot;
    /// SHA-256 of the round's manifest, which is one raw IPFS block: its CID follows from this digest.
    bytes32 dataId;
    /// Clients that committed. The ledger knows it, except in accumulated mode.
    uint16 committed;
}

/// A proposal as far as finalisation needs it; `detailsHash` is `ProposalHash.details`.
struct Outcome {
    bytes32 aggregateRoot;
    bytes32 matrixRoot;
    bytes32 modelRoot;
    bytes32 detailsHash;
}

/// What courts judge a proposal by.
struct Dispute {
    bytes32 proposalHash;
    Rule rule;
    uint16 ruleParam;
    uint16 ruleSelect;
    uint32 size;
    uint8 leafLog2;
    uint8 matrixLog2;
    uint8 modelLog2;
    uint32 bound;
    uint32 examplesCap;
    uint80 weiPerWeight;
    uint16 included;
}

/// Who struck a proposal, and when.
struct Verdict {
    address challenger;
    uint40 provenAt;
    /// Low bits of the proof's hash. A ticket was bought before the proof was seen, so it names one hash: that it
    /// fits these bits by chance is one in 2^56 a ticket.
    uint56 proofTag;
}

/// Tasks, rounds, commitments, proposals. Every deadline can be acted on by anybody.
interface IRoundLedger {
    event TaskCreated(uint32 indexed taskId, bytes32 indexed paramsHash, Task task);
    event RoundOpened(
        uint64 indexed roundId,
        uint32 indexed taskId,
        bytes32 indexed baseModel,
        uint32 number,
        uint32 aggregator,
        uint40 openedAt,
        uint40 commitEnd,
        uint40 dataEnd,
        uint40 proposeEnd
    );
    /// One accepted self-commitment.
    event Committed(uint64 indexed roundId, uint32 indexed client, bytes32 commitment);
    /// One accepted batch: `entries` is packed (client uint32 | commitment bytes32), rising by client.
    event SegmentCommitted(
        uint64 indexed roundId,
        bytes32 indexed root,
        uint16 first,
        uint16 count,
        bytes entries
    );
    /// The round's list of signed commitments: its root, and the SHA-256 of its bytes.
    event RootCommitted(uint64 indexed roundId, bytes32 indexed root, uint16 count, bytes32 listId);
    /// `excluded` is packed (client uint32 | reason uint16), rising by client; reasons are FT codes. `aux` is what the
    /// rule asks for beside roots (docs/protocol.md, Proposals).
    event Proposed(
        uint64 indexed roundId,
        uint32 indexed aggregator,
        bytes32 indexed proposalHash,
        Proposal proposal,
        bytes32 segmentsHash,
        uint16 included,
        uint40 challengeEnd,
        bytes excluded,
        bytes aux
    );
    event Finalised(uint64 indexed roundId, bytes32 indexed head, bytes32 modelRoot);
    event Abandoned(uint64 indexed roundId, uint16 included, bytes32 dataId, bytes excluded);
    event Expired(uint64 indexed roundId, uint256 slashedWei);
    event Voided(uint64 indexed roundId, bytes32 indexed reason, address indexed challenger);
    event BondReleased(uint32 indexed taskId, uint32 indexed aggregator);
    event DisputeHeld(uint64 indexed roundId, address indexed court, uint40 challengeEnd);
    event DisputeReleased(uint64 indexed roundId, address indexed court);
    event Paused(uint32 indexed taskId, uint64 indexed roundId);
    event Resumed(uint32 indexed taskId, uint64 indexed roundId, uint40 pausedSeconds);
    event SuccessorNamed(address indexed successor);

    error UnknownTask(uint32 taskId);
    error UnknownRound(uint64 roundId);
    error InvalidTask(bytes32 field);
    error NotGovernor(address sender);
    error NotGuardian(address sender);
    error NotRegistry(address sender);
    error NotAggregator(uint32 aggregator, address sender);
    error NotCourt(address sender);
    error RoundInProgress(uint32 taskId, uint64 roundId);
    error WrongPhase(uint64 roundId, Phase phase);
    error WrongMode(uint64 roundId, CommitMode mode);
    /// `from` is the first second at which the call is taken.
    error TooEarly(uint64 roundId, uint40 from, uint40 nowSeconds);
    /// `until` is the last second at which the call was taken.
    error TooLate(uint64 roundId, uint40 until, uint40 nowSeconds);
    error AlreadyCommitted(uint64 roundId, uint32 client);
    error NotEligible(uint64 roundId, uint32 client);
    error RoundFull(uint64 roundId, uint16 maxClients);
    error EmptyBatch();
    error WrongBatchLength(uint256 got);
    error NotRising(uint32 previous, uint32 next);
    error SignatureMismatch(uint32 client, address got, address want);
    error ZeroRoot();
    error WrongExclusions(uint64 roundId);
    error AuxTooLong(uint256 got, uint256 max);
    error WrongCount(uint64 roundId, uint16 got, uint16 want);
    error QuorumNotMet(uint64 roundId, uint16 got, uint16 want);
    error QuorumMet(uint64 roundId, uint16 got, uint16 want);
    error ProposalMismatch(uint64 roundId, bytes32 got, bytes32 want);
    error DisputesOpen(uint64 roundId, uint8 open);
    error NoDispute(uint64 roundId);
    error NoBond(uint32 taskId);
    error TaskPaused(uint32 taskId);
    error NotPaused(uint32 taskId);
    error PausedTooOften(uint32 taskId, uint40 from);
    error SuccessorKnown(address successor);

    /// Governor only. Parameters never change afterwards.
    function createTask(Task calldata task) external returns (uint32 taskId);

    /// Open the next round of a task; its base model is the task's current model. Sent by the signer or the owner of
    /// an active aggregator, whose bond is locked, or stays locked from its last round of the task. A voided round
    /// before it is settled first.
    function openRound(uint32 taskId, uint32 aggregator) external returns (uint64 roundId);

    /// Free the bond of the aggregator that ran a task's last round, once that has ended. Anybody may send.
    function releaseBond(uint32 taskId) external;

    /// Commit by oneself: sent by the client's signer (of this round) or owner.
    function commit(uint64 roundId, uint32 client, bytes32 commitment) external;

    /// Commit for many: `batch` is packed (client uint32 | commitment bytes32 | r bytes32 | vs bytes32), rising by
    /// client; each signature is over `Commitment(uint64 roundId,uint32 client,bytes32 commitment)`. Any sender.
    function commitBatch(uint64 roundId, bytes calldata batch) external;

    /// Commit for all: `root` is the keccak tree over the entries of a batch as `commitBatch` takes it, which nobody
    /// checks here; `listId` is the SHA-256 of the batch. The round's aggregator only, once, in root-only mode.
    function commitRoot(uint64 roundId, bytes32 root, uint16 count, bytes32 listId) external;

    /// Put an aggregate forward, after dataEnd and until proposeEnd. The round's aggregator only.
    function propose(
        uint64 roundId,
        Proposal calldata proposal,
        bytes calldata excluded,
        bytes calldata aux
    ) external;

    /// End a round whose included updates are fewer than the quorum. The round's aggregator only, same time as propose.
    /// Not in accumulated mode, where such a round expires.
    function abandon(uint64 roundId, bytes32 dataId, bytes calldata excluded) external;

    /// After challengeEnd, anybody: the task's model becomes the proposal's.
    function finalise(uint64 roundId, Outcome calldata outcome) external;

    /// After proposeEnd without a proposal, anybody. The aggregator loses a tenth of its bond, nothing when the
    /// commitments were fewer than the quorum or are not counted, or its board has not certified the round.
    function expire(uint64 roundId) external;

    /// Courts only: strike a proposal; the task's model stays. The bond stays locked until it is forfeited.
    function void(uint64 roundId, bytes32 reason, address challenger, bytes32 proofHash) external;

    /// Courts only: count disputes that hold up finalisation, and move challengeEnd to `extendTo` if that is later,
    /// at most to openedAt plus the registry's unbonding time: until then every stake of the round can be slashed.
    function holdDispute(uint64 roundId, uint40 extendTo) external;

    function releaseDispute(uint64 roundId) external;

    /// Guardian only: no round of the task is opened, committed to or proposed in, for at most maxPauseSeconds. Proofs,
    /// answers, finalisation and withdrawals go on. Once per maxPauseSeconds of freedom.
    function pause(uint32 taskId) external;

    /// Guardian, or anybody once maxPauseSeconds are over: deadlines of the open round move by the pause, at most by
    /// maxPauseSeconds in all.
    function resume(uint32 taskId) external;

    /// Governor only, once: the ledger that takes this one's place. Nothing here changes.
    function nameSuccessor(address successor) external;

    /// Registry only, whenever that changes: who signs for a participant in rounds that open at `since` or later.
    function seat(uint32 id, address signer, uint40 since, Role role) external;

    function task(uint32 taskId) external view returns (Task memory);

    function taskState(
        uint32 taskId
    ) external view returns (bytes32 model, uint32 rounds, uint64 currentRound, bytes32 head, bool bonded);

    function round(uint64 roundId) external view returns (Round memory);

    /// What courts judge by; the round must be proposed.
    function disputeOf(uint64 roundId) external view returns (Dispute memory);

    /// The base model of a task's latest round.
    function baseModelOf(uint64 roundId) external view returns (bytes32);

    /// Zeros where no proposal was struck, and once the task's next round is open.
    function verdictOf(uint64 roundId) external view returns (Verdict memory);

    /// Whether a client has committed; always false in accumulated and root-only mode.
    function hasCommitted(uint64 roundId, uint32 client) external view returns (bool);

    function isCourt(address account) external view returns (bool);

    /// Second since which a task is paused; 0 while it is not.
    function pausedAt(uint32 taskId) external view returns (uint40);

    function taskCount() external view returns (uint32);

    function roundCount() external view returns (uint64);

    function domainSeparator() external view returns (bytes32);

    function registry() external view returns (address);

    function governor() external view returns (address);

    function guardian() external view returns (address);

    function maxPauseSeconds() external view returns (uint40);

    function successor() external view returns (address);
}
