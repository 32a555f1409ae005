// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Aggregation rules in exact integers (docs/protocol.md, Rules).
enum Rule {
    Sum32,
    Mean,
    WeightedMean,
    Median,
    TrimmedMean,
    Krum,
    MultiKrum
}

/// Immutable parameters of a task. Seconds, wei, and counts of coordinates.
struct Task {
    Rule rule;
    /// Trim per side, or the number f of Byzantine clients that Krum assumes; 0 for the other rules.
    uint16 ruleParam;
    /// Number of updates that Multi-Krum averages; 0 for the other rules.
    uint16 ruleSelect;
    /// Coordinates of an update (d).
    uint32 size;
    /// Fractional bits of the fixed-point format.
    uint8 scaleBits;
    /// A leaf of an update, aggregate or model holds 2^leafLog2 coordinates.
    uint8 leafLog2;
    /// A leaf of the matrix holds 2^matrixLog2 coordinates of all included clients.
    uint8 matrixLog2;
    /// Largest magnitude of a coordinate; rules clamp to it.
    uint32 bound;
    /// The weight of a client is min(num_examples, examplesCap).
    uint32 examplesCap;
    /// Most commitments in a round, at most 10,000: its manifest is one block.
    uint16 maxClients;
    /// Fewest included updates that make a round.
    uint16 quorum;
    uint32 commitSeconds;
    uint32 dataSeconds;
    uint32 proposeSeconds;
    uint32 challengeSeconds;
    /// Bond that the aggregator's stake holds per open round.
    uint96 bondWei;
    /// Availability board that decides exclusions; zero: the aggregator states them and replay checks them.
    address board;
    /// Root of the model that round one starts from.
    bytes32 genesisModel;
    /// SHA-256 of the canonical tensor layout.
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
    Voided
}

/// A round. Commit ends at `commitEnd`; the data phase at `dataEnd`; a proposal is due by `proposeEnd`;
/// it can be challenged until `challengeEnd` (0 before a proposal).
struct Round {
    Phase phase;
    uint32 taskId;
    uint32 aggregator;
    uint40 openedAt;
    uint40 commitEnd;
    uint40 dataEnd;
    uint40 proposeEnd;
    uint40 challengeEnd;
    uint16 openDisputes;
    /// Number within the task, counted from 1.
    uint32 number;
    uint16 committed;
    uint16 segments;
    uint16 excluded;
    bytes32 baseModel;
    /// Rolling hash over the segments: keccak256(abi.encode(previous, segmentRoot, count)).
    bytes32 segmentsHash;
    bytes32 proposalHash;
}

/// What an aggregator puts forward.
struct Proposal {
    /// Chunk-tree root of the aggregate.
    bytes32 aggregateRoot;
    /// Chunk-tree root of the included updates, transposed.
    bytes32 matrixRoot;
    /// Chunk-tree root over (client, commitment) of the included updates, in rising client id.
    bytes32 membersRoot;
    /// Chunk-tree root of base model plus aggregate.
    bytes32 modelRoot;
    /// SHA-256 of the round's manifest, which is one raw IPFS block: its CID follows from this digest.
    bytes32 dataId;
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
    /// `excluded` is packed (client uint32 | reason uint16), rising by client; reasons are FT codes.
    event Proposed(
        uint64 indexed roundId,
        uint32 indexed aggregator,
        bytes32 indexed aggregateRoot,
        Proposal proposal,
        uint16 included,
        uint40 challengeEnd,
        bytes excluded
    );
    event Finalised(uint64 indexed roundId, bytes32 indexed head, bytes32 modelRoot);
    event Abandoned(uint64 indexed roundId, uint16 included, bytes32 dataId, bytes excluded);
    event Expired(uint64 indexed roundId, uint256 slashedWei);
    event Voided(uint64 indexed roundId, bytes32 indexed reason);

    error UnknownTask(uint32 taskId);
    error UnknownRound(uint64 roundId);
    error InvalidTask(bytes32 field);
    error NotGovernor(address sender);
    error NotAggregator(uint32 aggregator, address sender);
    error NotCourt(address sender);
    error RoundInProgress(uint32 taskId, uint64 roundId);
    error WrongPhase(uint64 roundId, Phase phase);
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
    error QuorumNotMet(uint64 roundId, uint16 got, uint16 want);
    error QuorumMet(uint64 roundId, uint16 got, uint16 want);
    error ProposalMismatch(uint64 roundId, bytes32 got, bytes32 want);
    error DisputesOpen(uint64 roundId, uint16 open);
    error NoDispute(uint64 roundId);

    /// Governor only. Parameters never change afterwards.
    function createTask(Task calldata task) external returns (uint32 taskId);

    /// Open the next round of a task; its base model is the task's current model. Sent by the signer or the owner of
    /// an active aggregator, whose bond is locked.
    function openRound(uint32 taskId, uint32 aggregator) external returns (uint64 roundId);

    /// Commit by oneself: sent by the client's signer (of this round) or owner.
    function commit(uint64 roundId, uint32 client, bytes32 commitment) external;

    /// Commit for many: `batch` is packed (client uint32 | commitment bytes32 | r bytes32 | vs bytes32), rising by
    /// client; each signature is over `Commitment(uint64 roundId,uint32 client,bytes32 commitment)`. Any sender.
    function commitBatch(uint64 roundId, bytes calldata batch) external;

    /// Put an aggregate forward, after dataEnd and until proposeEnd. The round's aggregator only.
    function propose(uint64 roundId, Proposal calldata proposal, bytes calldata excluded) external;

    /// End a round whose included updates are fewer than the quorum. The round's aggregator only, same time as propose.
    function abandon(uint64 roundId, bytes32 dataId, bytes calldata excluded) external;

    /// After challengeEnd, anybody: the task's model becomes the proposal's.
    function finalise(uint64 roundId, Proposal calldata proposal, bytes calldata excluded) external;

    /// After proposeEnd without a proposal, anybody. The aggregator loses a tenth of its bond, nothing when the
    /// commitments were fewer than the quorum.
    function expire(uint64 roundId) external;

    /// Court only: strike a proposal; the task's model stays.
    function void(uint64 roundId, bytes32 reason) external;

    /// Court only: count disputes that hold up finalisation, and move challengeEnd to `extendTo` if that is later,
    /// at most to openedAt plus the registry's unbonding time: until then every stake of the round can be slashed.
    function holdDispute(uint64 roundId, uint40 extendTo) external;

    function releaseDispute(uint64 roundId) external;

    function task(uint32 taskId) external view returns (Task memory);

    function taskState(
        uint32 taskId
    ) external view returns (bytes32 model, uint32 rounds, uint64 currentRound, bytes32 head);

    function round(uint64 roundId) external view returns (Round memory);

    function hasCommitted(uint64 roundId, uint32 client) external view returns (bool);

    function taskCount() external view returns (uint32);

    function roundCount() external view returns (uint64);

    function domainSeparator() external view returns (bytes32);

    function registry() external view returns (address);

    function governor() external view returns (address);

    function court() external view returns (address);
}
