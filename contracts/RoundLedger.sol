// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IAvailabilityBoard} from "./interfaces/IAvailabilityBoard.sol";
import {IParticipantRegistry, Role} from "./interfaces/IParticipantRegistry.sol";
import {IRoundLedger, Phase, Proposal, Round, Task} from "./interfaces/IRoundLedger.sol";
import {CommitBatch} from "./libraries/CommitBatch.sol";
import {SegmentTree} from "./libraries/SegmentTree.sol";
import {TaskRules} from "./libraries/TaskRules.sol";

/// Tasks, rounds, commitments and proposals (docs/protocol.md, Rounds). Immutable; holds no ETH.
contract RoundLedger is IRoundLedger, EIP712 {
    struct TaskState {
        bytes32 model;
        uint32 rounds;
        uint64 currentRound;
        bytes32 head;
    }

    /// One slot: what time decides.
    struct Clock {
        Phase phase;
        uint40 openedAt;
        uint40 commitEnd;
        uint40 dataEnd;
        uint40 proposeEnd;
        uint40 challengeEnd;
        uint16 openDisputes;
        uint16 excluded;
        uint16 quorum;
    }

    /// One slot: what commitments change, beside what the round copies from its task.
    struct Tally {
        uint32 taskId;
        uint32 aggregator;
        uint32 number;
        uint16 committed;
        uint16 segments;
        uint16 maxClients;
        bool hasBoard;
        uint96 bondWei;
    }

    struct RoundState {
        Clock clock;
        Tally tally;
        bytes32 baseModel;
        bytes32 segmentsHash;
        bytes32 proposalHash;
    }

    uint256 private constant EXCLUSION_BYTES = 6;
    bytes32 private constant NO_PROPOSAL = "no proposal";

    IParticipantRegistry private immutable REGISTRY;
    uint40 private immutable UNBOND_SECONDS;
    // The interface names these getters.
    // solhint-disable immutable-vars-naming
    address public immutable court;
    address public immutable governor;
    // solhint-enable immutable-vars-naming

    uint32 public taskCount;
    uint64 public roundCount;
    mapping(uint32 taskId => Task) private _tasks;
    mapping(uint32 taskId => TaskState) public taskState;
    mapping(uint64 roundId => RoundState) private _rounds;
    mapping(uint64 roundId => mapping(uint256 word => uint256 bits)) private _committedBits;

    modifier onlyCourt() {
        if (msg.sender != court) revert NotCourt(msg.sender);
        _;
    }

    constructor(address registry_, address court_, address governor_) EIP712("fedtrail", "1") {
        REGISTRY = IParticipantRegistry(registry_);
        UNBOND_SECONDS = IParticipantRegistry(registry_).unbondSeconds();
        court = court_;
        governor = governor_;
    }

    // ---------------------------------------------------------------------------------------------- tasks and rounds

    function createTask(Task calldata task_) external returns (uint32 taskId) {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        TaskRules.check(task_, UNBOND_SECONDS);
        taskId = ++taskCount;
        _tasks[taskId] = task_;
        taskState[taskId].model = task_.genesisModel;
        emit TaskCreated(taskId, keccak256(abi.encode(task_)), task_);
    }

    function openRound(uint32 taskId, uint32 aggregator) external returns (uint64 roundId) {
        Task storage task_ = _task(taskId);
        TaskState storage state = taskState[taskId];
        if (state.currentRound != 0) revert RoundInProgress(taskId, state.currentRound);
        _checkAggregator(aggregator, _now());

        roundId = ++roundCount;
        uint32 number = state.rounds + 1;
        (state.rounds, state.currentRound) = (number, roundId);
        RoundState storage round_ = _rounds[roundId];
        round_.clock = _newClock(task_);
        round_.tally = Tally({
            taskId: taskId,
            aggregator: aggregator,
            number: number,
            committed: 0,
            segments: 0,
            maxClients: task_.maxClients,
            hasBoard: task_.board != address(0),
            bondWei: task_.bondWei
        });
        round_.baseModel = state.model;
        _emitOpened(roundId, round_);
        REGISTRY.lock(aggregator, roundId, task_.bondWei);
    }

    // --------------------------------------------------------------------------------------------------- commitments

    function commit(uint64 roundId, uint32 client, bytes32 commitment) external {
        RoundState storage round_ = _rounds[roundId];
        Clock memory clock = _committing(roundId, round_);
        if (commitment == bytes32(0)) revert ZeroRoot();
        (bool active, address signer) = REGISTRY.signerAt(client, Role.Client, clock.openedAt);
        if (!active) revert NotEligible(roundId, client);
        if (!_actsFor(client, signer)) revert SignatureMismatch(client, msg.sender, signer);

        uint256 bits = _committedBits[roundId][client >> 8];
        _committedBits[roundId][client >> 8] = _withBit(roundId, client, bits);
        _appendSegment(roundId, round_, SegmentTree.leaf(client, commitment), 1);
        emit Committed(roundId, client, commitment);
    }

    function commitBatch(uint64 roundId, bytes calldata batch) external {
        RoundState storage round_ = _rounds[roundId];
        Clock memory clock = _committing(roundId, round_);
        uint256 count = CommitBatch.count(batch);
        bytes memory request = CommitBatch.newRequest(count, clock.openedAt);
        _markCommitted(roundId, batch, count, request);
        address[] memory signers = CommitBatch.fetchSigners(request, REGISTRY);
        (bytes32[] memory leaves, bytes memory entries) = CommitBatch.verify(
            batch,
            signers,
            roundId,
            _domainSeparatorV4()
        );
        bytes32 root = SegmentTree.root(leaves);
        uint16 first = _appendSegment(roundId, round_, root, count);
        emit SegmentCommitted(roundId, root, first, uint16(count), entries);
    }

    // ----------------------------------------------------------------------------------------------------- proposals

    function propose(uint64 roundId, Proposal calldata proposal, bytes calldata excluded) external {
        RoundState storage round_ = _rounds[roundId];
        (Clock memory clock, Tally memory tally, uint16 included) = _closeCommits(roundId, round_, excluded);
        if (included < clock.quorum) revert QuorumNotMet(roundId, included, clock.quorum);
        _checkRoots(proposal);

        clock.phase = Phase.Proposed;
        clock.challengeEnd = _now() + _tasks[tally.taskId].challengeSeconds;
        round_.clock = clock;
        round_.proposalHash = _proposalHash(roundId, proposal, round_.segmentsHash, excluded, included);
        emit Proposed(
            roundId,
            tally.aggregator,
            proposal.aggregateRoot,
            proposal,
            included,
            clock.challengeEnd,
            excluded
        );
    }

    function abandon(uint64 roundId, bytes32 dataId, bytes calldata excluded) external {
        RoundState storage round_ = _rounds[roundId];
        (Clock memory clock, Tally memory tally, uint16 included) = _closeCommits(roundId, round_, excluded);
        if (included >= clock.quorum) revert QuorumMet(roundId, included, clock.quorum);
        clock.phase = Phase.Abandoned;
        round_.clock = clock;
        emit Abandoned(roundId, included, dataId, excluded);
        _endRound(roundId, tally);
    }

    function finalise(uint64 roundId, Proposal calldata proposal, bytes calldata excluded) external {
        RoundState storage round_ = _rounds[roundId];
        Clock memory clock = _inPhase(roundId, round_, Phase.Proposed);
        if (_now() <= clock.challengeEnd) revert TooEarly(roundId, clock.challengeEnd + 1, _now());
        if (clock.openDisputes != 0) revert DisputesOpen(roundId, clock.openDisputes);
        Tally memory tally = round_.tally;
        uint16 included = tally.committed - clock.excluded;
        bytes32 got = _proposalHash(roundId, proposal, round_.segmentsHash, excluded, included);
        bytes32 want = round_.proposalHash;
        if (got != want) revert ProposalMismatch(roundId, got, want);

        round_.clock.phase = Phase.Finalised;
        TaskState storage state = taskState[tally.taskId];
        state.model = proposal.modelRoot;
        bytes32 head = keccak256(abi.encode(state.head, roundId, want));
        state.head = head;
        emit Finalised(roundId, head, proposal.modelRoot);
        _endRound(roundId, tally);
    }

    function expire(uint64 roundId) external {
        RoundState storage round_ = _rounds[roundId];
        Clock memory clock = _inPhase(roundId, round_, Phase.Open);
        if (_now() <= clock.proposeEnd) revert TooEarly(roundId, clock.proposeEnd + 1, _now());
        Tally memory tally = round_.tally;
        round_.clock.phase = Phase.Expired;
        _endRound(roundId, tally);
        uint256 slashedWei = 0;
        if (tally.committed >= clock.quorum) slashedWei = _slashTenth(roundId, tally);
        emit Expired(roundId, slashedWei);
    }

    // ---------------------------------------------------------------------------------------------------------- court

    function void(uint64 roundId, bytes32 reason) external onlyCourt {
        RoundState storage round_ = _rounds[roundId];
        _inPhase(roundId, round_, Phase.Proposed);
        round_.clock.phase = Phase.Voided;
        emit Voided(roundId, reason);
        _endRound(roundId, round_.tally);
    }

    function holdDispute(uint64 roundId, uint40 extendTo) external onlyCourt {
        RoundState storage round_ = _rounds[roundId];
        Clock memory clock = _inPhase(roundId, round_, Phase.Proposed);
        uint40 limit = clock.openedAt + UNBOND_SECONDS;
        if (extendTo > limit) extendTo = limit;
        if (extendTo > clock.challengeEnd) clock.challengeEnd = extendTo;
        ++clock.openDisputes;
        round_.clock = clock;
    }

    function releaseDispute(uint64 roundId) external onlyCourt {
        Clock storage clock = _rounds[roundId].clock;
        if (clock.openDisputes == 0) revert NoDispute(roundId);
        --clock.openDisputes;
    }

    // ---------------------------------------------------------------------------------------------------------- views

    function task(uint32 taskId) external view returns (Task memory) {
        return _task(taskId);
    }

    function round(uint64 roundId) external view returns (Round memory) {
        RoundState storage round_ = _rounds[roundId];
        Clock memory clock = round_.clock;
        Tally memory tally = round_.tally;
        if (clock.phase == Phase.None) revert UnknownRound(roundId);
        return
            Round({
                phase: clock.phase,
                taskId: tally.taskId,
                aggregator: tally.aggregator,
                openedAt: clock.openedAt,
                commitEnd: clock.commitEnd,
                dataEnd: clock.dataEnd,
                proposeEnd: clock.proposeEnd,
                challengeEnd: clock.challengeEnd,
                openDisputes: clock.openDisputes,
                number: tally.number,
                committed: tally.committed,
                segments: tally.segments,
                excluded: clock.excluded,
                baseModel: round_.baseModel,
                segmentsHash: round_.segmentsHash,
                proposalHash: round_.proposalHash
            });
    }

    function hasCommitted(uint64 roundId, uint32 client) external view returns (bool) {
        return _committedBits[roundId][client >> 8] & (1 << (client & 0xff)) != 0;
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    // ------------------------------------------------------------------------------------------------------ internals

    function _newClock(Task storage task_) private view returns (Clock memory clock) {
        clock.phase = Phase.Open;
        clock.openedAt = _now();
        clock.commitEnd = clock.openedAt + task_.commitSeconds;
        clock.dataEnd = clock.commitEnd + task_.dataSeconds;
        clock.proposeEnd = clock.dataEnd + task_.proposeSeconds;
        clock.quorum = task_.quorum;
    }

    function _emitOpened(uint64 roundId, RoundState storage round_) private {
        Clock memory clock = round_.clock;
        Tally memory tally = round_.tally;
        emit RoundOpened(
            roundId,
            tally.taskId,
            round_.baseModel,
            tally.number,
            tally.aggregator,
            clock.openedAt,
            clock.commitEnd,
            clock.dataEnd,
            clock.proposeEnd
        );
    }

    function _committing(
        uint64 roundId,
        RoundState storage round_
    ) private view returns (Clock memory clock) {
        clock = _inPhase(roundId, round_, Phase.Open);
        if (_now() > clock.commitEnd) revert TooLate(roundId, clock.commitEnd, _now());
    }

    /// Count a segment in and return the position of its first commitment.
    function _appendSegment(
        uint64 roundId,
        RoundState storage round_,
        bytes32 root,
        uint256 count
    ) private returns (uint16 first) {
        Tally memory tally = round_.tally;
        first = tally.committed;
        if (first + count > tally.maxClients) revert RoundFull(roundId, tally.maxClients);
        tally.committed = uint16(first + count);
        ++tally.segments;
        round_.tally = tally;
        round_.segmentsHash = keccak256(abi.encode(round_.segmentsHash, root, count));
    }

    /// Set the bits of the batch's clients, which rise, so that each word is loaded and stored once, and name the
    /// clients in the request to the registry.
    function _markCommitted(
        uint64 roundId,
        bytes calldata batch,
        uint256 count,
        bytes memory request
    ) private {
        for (uint256 i = 0; i < count;) {
            uint32 word = CommitBatch.client(batch, i) >> 8;
            (uint256 added, uint256 next) = CommitBatch.addWord(batch, i, request);
            uint256 bits = _committedBits[roundId][word];
            if (bits & added != 0) revert AlreadyCommitted(roundId, _lowestClient(word, bits & added));
            _committedBits[roundId][word] = bits | added;
            i = next;
        }
    }

    function _lowestClient(uint32 word, uint256 bits) private pure returns (uint32 client) {
        client = word << 8;
        for (; bits & 1 == 0; bits >>= 1) ++client;
    }

    function _withBit(uint64 roundId, uint32 client, uint256 bits) private pure returns (uint256) {
        uint256 bit = 1 << (client & 0xff);
        if (bits & bit != 0) revert AlreadyCommitted(roundId, client);
        return bits | bit;
    }

    /// What propose and abandon share: the time, the sender, and who is left out.
    function _closeCommits(
        uint64 roundId,
        RoundState storage round_,
        bytes calldata excluded
    ) private view returns (Clock memory clock, Tally memory tally, uint16 included) {
        clock = _inPhase(roundId, round_, Phase.Open);
        tally = round_.tally;
        if (_now() <= clock.dataEnd) revert TooEarly(roundId, clock.dataEnd + 1, _now());
        if (_now() > clock.proposeEnd) revert TooLate(roundId, clock.proposeEnd, _now());
        _checkAggregator(tally.aggregator, clock.openedAt);
        clock.excluded = _countExclusions(roundId, excluded);
        if (tally.hasBoard) _checkBoard(roundId, _tasks[tally.taskId].board, excluded);
        included = tally.committed - clock.excluded;
    }

    /// Exclusions rise by client, and name only clients that committed.
    function _countExclusions(uint64 roundId, bytes calldata excluded) private view returns (uint16) {
        if (excluded.length % EXCLUSION_BYTES != 0) revert WrongExclusions(roundId);
        mapping(uint256 word => uint256 bits) storage committedBits = _committedBits[roundId];
        uint32 previous = 0;
        for (uint256 at = 0; at < excluded.length; at += EXCLUSION_BYTES) {
            uint32 client = uint32(bytes4(excluded[at:at + 4]));
            bool committed = committedBits[client >> 8] & (1 << (client & 0xff)) != 0;
            if (client <= previous || !committed) revert WrongExclusions(roundId);
            previous = client;
        }
        return uint16(excluded.length / EXCLUSION_BYTES);
    }

    function _checkBoard(uint64 roundId, address board, bytes calldata excluded) private view {
        (bool certified, bytes32 hash) = IAvailabilityBoard(board).exclusionsHash(roundId);
        if (!certified || hash != keccak256(excluded)) revert WrongExclusions(roundId);
    }

    function _checkRoots(Proposal calldata proposal) private pure {
        if (
            proposal.aggregateRoot == 0 ||
            proposal.matrixRoot == 0 ||
            proposal.membersRoot == 0 ||
            proposal.modelRoot == 0 ||
            proposal.dataId == 0
        ) revert ZeroRoot();
    }

    function _proposalHash(
        uint64 roundId,
        Proposal calldata proposal,
        bytes32 segmentsHash,
        bytes calldata excluded,
        uint16 included
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(roundId, proposal, segmentsHash, keccak256(excluded), included));
    }

    /// Free the task for its next round and the aggregator's bond.
    function _endRound(uint64 roundId, Tally memory tally) private {
        taskState[tally.taskId].currentRound = 0;
        REGISTRY.unlock(tally.aggregator, roundId, tally.bondWei);
    }

    /// All of it is burnt: a reward for an expired round would pay whoever keeps the aggregator off the chain.
    function _slashTenth(uint64 roundId, Tally memory tally) private returns (uint256) {
        return
            REGISTRY.slash(
                tally.aggregator,
                roundId,
                tally.bondWei / 10,
                NO_PROPOSAL,
                address(0),
                0,
                address(0),
                0
            );
    }

    /// The sender must be the owner or, for rounds opened at `at`, the signer of an active aggregator.
    function _checkAggregator(uint32 aggregator, uint40 at) private view {
        (bool active, address signer) = REGISTRY.signerAt(aggregator, Role.Aggregator, at);
        if (!active || !_actsFor(aggregator, signer)) revert NotAggregator(aggregator, msg.sender);
    }

    function _actsFor(uint32 id, address signer) private view returns (bool) {
        return msg.sender == signer || msg.sender == REGISTRY.ownerOf(id);
    }

    function _inPhase(
        uint64 roundId,
        RoundState storage round_,
        Phase want
    ) private view returns (Clock memory clock) {
        clock = round_.clock;
        if (clock.phase == Phase.None) revert UnknownRound(roundId);
        if (clock.phase != want) revert WrongPhase(roundId, clock.phase);
    }

    function _task(uint32 taskId) private view returns (Task storage task_) {
        task_ = _tasks[taskId];
        if (task_.size == 0) revert UnknownTask(taskId);
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }
}
