// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAvailabilityBoard} from "./IAvailabilityBoard.sol";
import {Claim} from "./IDisputeCourt.sol";

/// Whose leaves are demanded, and so who must answer.
enum Subject {
    /// What a client committed to, before the round is certified: the client.
    Commitment,
    /// An included update of a proposal: the aggregator, and whoever certified the round.
    Update,
    /// The proposed aggregate: the aggregator.
    Aggregate,
    /// The proposed matrix: the aggregator.
    Matrix
}

enum DemandState {
    None,
    Open,
    Answered,
    /// Nobody answered in time.
    Withheld,
    /// Nobody answered, and the round was struck for something else meanwhile.
    Moot
}

/// A demand for leaves, as its event tells it. The board keeps its hash.
struct Demand {
    uint64 roundId;
    /// Author of the update; 0 for aggregate and matrix.
    uint32 client;
    uint32 firstLeaf;
    uint32 leafCount;
    /// Length of a leaf that is not the vector's last.
    uint32 leafBytes;
    /// Last second for an answer.
    uint40 deadline;
    /// The client's commitment, or the vector's root.
    bytes32 root;
    /// Who pays the bond: it comes back if nobody answers.
    address challenger;
    uint96 bondWei;
    /// Part of the bond that an answer earns; the rest is then nobody's.
    uint96 rewardWei;
    /// Length of the whole vector.
    uint64 vectorBytes;
    Subject subject;
}

/// Who may certify the rounds that open from `since` on and before `until`.
struct Committee {
    uint40 since;
    uint40 until;
    uint8 threshold;
    /// Attestors, rising; a certificate names its signers by their positions.
    uint32[] ids;
}

/// Decides which committed updates of a round could not be had, and makes those answer who say that a vector can.
/// Holds no ETH; the governor names committees for rounds to come and can do nothing else.
interface IAttestedBoard is IAvailabilityBoard {
    event CommitteeNamed(uint32 indexed epoch, uint40 since, uint8 threshold, uint32[] ids);
    /// `excluded` and `signatures` as in `certify`.
    event Certified(
        uint64 indexed roundId,
        uint32 indexed epoch,
        uint32 signers,
        bytes excluded,
        bytes signatures
    );
    event DoubleAttested(uint64 indexed roundId, uint32 indexed attestor, address indexed challenger);
    event LeavesDemanded(
        uint64 indexed roundId,
        uint32 indexed client,
        address indexed challenger,
        Demand demand
    );
    event LeavesServed(bytes32 indexed demandHash, address indexed answerer, bytes answer);
    event LeavesWithheld(bytes32 indexed demandHash, DemandState state);
    event Unserved(uint64 indexed roundId, uint32 indexed attestor, bytes32 indexed demandHash);

    error NotGovernor(address sender);
    error InvalidCommittee(bytes32 field);
    /// The committee of `epoch` serves no round that opened at `openedAt`.
    error WrongEpoch(uint32 epoch, uint40 openedAt);
    error AlreadyCertified(uint64 roundId);
    error TooFewSigners(uint256 got, uint8 threshold);
    error NoSuchSigner(uint32 signers, uint256 size);
    error WrongSigner(uint32 id, address got, address want);
    error SameStatement(bytes32 hash);
    error NoSuchLeaves(uint32 firstLeaf, uint32 leafCount, uint256 leaves);
    error AnswerTooLong(uint256 answerBytes, uint256 maxBytes);
    error BondTooSmall(uint256 got, uint256 want);
    error AlreadyDemanded(bytes32 placeHash);
    error WrongState(bytes32 demandHash, DemandState state);
    error WrongSubject(Subject subject);
    error ExcludedClient(uint32 client);
    /// The task does not name this board: nobody has agreed to answer.
    error ForeignTask(uint32 taskId);

    // ------------------------------------------------------------------------------------------------- certificates

    /// Governor only: the committee of all rounds that open after this second. `ids` rise, at most 32; more than half
    /// of them must sign.
    function setCommittee(uint32[] calldata ids, uint8 threshold) external returns (uint32 epoch);

    /// State which updates of a round could not be had, after its commit phase and until `proposeEnd`; somebody is
    /// excluded only after the data phase. Anybody may send; the first certificate stands.
    /// `excluded` is packed (client uint32 | reason uint16), rising by client. `signers` are positions in the committee
    /// of `epoch`; `signatures` are r | vs of each, in that order, over
    /// `Available(uint64 roundId,bytes32 segmentsHash,bytes32 exclusionsHash)`.
    function certify(
        uint64 roundId,
        uint32 epoch,
        bytes calldata excluded,
        uint32 signers,
        bytes calldata signatures
    ) external;

    /// Against an attestor: it signed two statements about one round. It loses its whole stake.
    /// `proof`: attestor u32 | (segmentsHash | exclusionsHash | r | vs) twice, the lower struct hash first.
    function proveDoubleAttestation(uint64 roundId, bytes calldata proof) external;

    // ------------------------------------------------------------------------------------------------------ demands

    /// Demand leaves of what a client committed to: after the commit phase, until `proposeEnd`, while there is no
    /// certificate. The value sent is the bond, at least `bondFor` with the client's open demands.
    /// `place`: as in `IDisputeCourt.proveClipViolation`, from the number of segments on; in root-only mode r | vs of
    /// the commitment come first.
    function demandCommitment(
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        uint32 firstLeaf,
        uint32 leafCount,
        bytes calldata place
    ) external payable;

    /// Demand leaves of a proposal's aggregate, matrix or included update, until `challengeEnd`. The round cannot be
    /// finalised before the answer. The value sent is the bond, at least `bondFor` with the round's open disputes.
    /// `member`: client u32 | commitment | slot u16 among the included | siblings in the member list; empty for
    /// aggregate and matrix.
    function demandLeaves(
        uint64 roundId,
        Claim calldata claim,
        Subject subject,
        uint32 firstLeaf,
        uint32 leafCount,
        bytes calldata member
    ) external payable;

    /// Answer a demand and earn its reward; anybody, until the deadline.
    /// `leaves`: numExamples u32 where the subject is an update | the leaves | the siblings that lead from them to the
    /// root, level by level, the left one first.
    function answer(Demand calldata demand, bytes calldata leaves) external;

    /// After the deadline, anybody: the bond goes back. A client that withheld its update loses a fifth of its stake.
    /// For anything else the proposal is struck: an honest aggregator holds all that it aggregated.
    function fail(Demand calldata demand) external;

    /// Against an attestor, after `fail`: it stated that an update could be had which nobody showed. It loses half of
    /// its stake. `excluded` is what it signed for.
    /// `proof`: attestor u32 | segmentsHash | r | vs | `place` of the client's commitment as in `demandCommitment`.
    function proveUnserved(Demand calldata demand, bytes calldata excluded, bytes calldata proof) external;

    // -------------------------------------------------------------------------------------------------------- views

    /// The least bond of a demand at the block's base fee: twice what an answer of that length costs, four times once
    /// the round is certified, and that doubled for every four demands that are open already. The doubling is what
    /// keeps an honest party from being flooded, and a guilty one from hiding behind demands of its own: it is burnt
    /// with the answer.
    function bondFor(
        uint256 answerBytes,
        bool certified,
        uint256 openDemands
    ) external view returns (uint256 amountWei);

    function demandState(Demand calldata demand) external view returns (DemandState);

    /// Committees are counted from 1.
    function committee(uint32 epoch) external view returns (Committee memory);

    function epochCount() external view returns (uint32);

    function answerSeconds() external view returns (uint40);

    function domainSeparator() external view returns (bytes32);

    function registry() external view returns (address);

    function ledger() external view returns (address);

    function escrow() external view returns (address);
}
