// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IAvailabilityBoard} from "./interfaces/IAvailabilityBoard.sol";
import {IParticipantRegistry, Role, Shares} from "./interfaces/IParticipantRegistry.sol";
import {IRewardEscrow} from "./interfaces/IRewardEscrow.sol";
import {
    CommitMode,
    Dispute,
    IRoundLedger,
    Outcome,
    Phase,
    Proposal,
    Round,
    Task,
    Verdict
} from "./interfaces/IRoundLedger.sol";
import {CommitBatch} from "./libraries/CommitBatch.sol";
import {ProposalHash} from "./libraries/ProposalHash.sol";
import {Seat, Seats} from "./libraries/Seats.sol";
import {SegmentTree} from "./libraries/SegmentTree.sol";
import {TaskRules} from "./libraries/TaskRules.sol";

/// Tasks, rounds, commitments and proposals (docs/protocol.md, Rounds). Immutable; holds no ETH.
contract RoundLedger is IRoundLedger, EIP712 {
    using Seats for mapping(uint32 id => Seat);

    /// Slots that every round of the task uses anew, since one that was used before costs a quarter.
    // solhint-disable-next-line gas-struct-packing
    struct TaskState {
        uint32 rounds;
        uint56 currentRound;
        /// Whether the aggregator of the current round has its bond locked; unless that round is voided, which
        /// forfeits it.
        bool bonded;
        CommitMode mode;
        bool hasBoard;
        uint40 pausedAt;
        uint40 resumedAt;
        /// Of the current round: the rolling hash over its segments (if anybody has committed; else what an earlier
        /// round left); once there is a proposal, its hash, which covers that; once it is struck, the packed verdict.
        bytes32 digest;
        bytes32 model;
        bytes32 head;
    }

    /// One slot. `until` is the last second of the commit phase, and after a proposal that of the challenges; data and
    /// proposal have `shift` seconds more than the task says.
    struct Clock {
        Phase phase;
        CommitMode mode;
        bool hasBoard;
        uint40 openedAt;
        uint40 until;
        uint32 taskId;
        uint32 aggregator;
        uint16 committed;
        uint16 capacity;
        uint16 excluded;
        uint8 openDisputes;
        uint32 shift;
    }

    uint256 private constant EXCLUSION_BYTES = 6;
    /// Proofs carry the auxiliary data again: beside more of it none would fit a transaction.
    uint256 private constant MAX_AUX_BYTES = 2 ** 17;
    bytes32 private constant NO_PROPOSAL = "no proposal";

    IParticipantRegistry private immutable REGISTRY;
    IRewardEscrow private immutable ESCROW;
    uint40 private immutable UNBOND_SECONDS;
    // The interface names these getters.
    // solhint-disable immutable-vars-naming
    address public immutable governor;
    address public immutable guardian;
    uint40 public immutable maxPauseSeconds;
    // solhint-enable immutable-vars-naming

    uint32 public taskCount;
    uint64 public roundCount;
    address public successor;
    mapping(address account => bool known) public isCourt;
    mapping(uint32 taskId => Task) private _tasks;
    mapping(uint32 taskId => TaskState) private _states;
    mapping(uint64 roundId => Clock) private _clocks;
    mapping(uint64 roundId => mapping(uint256 word => uint256 bits)) private _committedBits;
    mapping(uint32 id => Seat) private _seats;

    modifier onlyCourt() {
        if (!isCourt[msg.sender]) revert NotCourt(msg.sender);
        _;
    }

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender);
        _;
    }

    constructor(
        address registry_,
        address escrow_,
        address[] memory courts,
        address governor_,
        address guardian_,
        uint40 maxPauseSeconds_
    ) EIP712("fedtrail", "1") {
        REGISTRY = IParticipantRegistry(registry_);
        ESCROW = IRewardEscrow(escrow_);
        UNBOND_SECONDS = IParticipantRegistry(registry_).unbondSeconds();
        for (uint256 i = 0; i < courts.length; ++i) isCourt[courts[i]] = true;
        governor = governor_;
        guardian = guardian_;
        maxPauseSeconds = maxPauseSeconds_;
    }

    // ---------------------------------------------------------------------------------------------- tasks and rounds

    function createTask(Task calldata task_) external onlyGovernor returns (uint32 taskId) {
        TaskRules.check(task_, UNBOND_SECONDS, maxPauseSeconds);
        taskId = ++taskCount;
        _tasks[taskId] = task_;
        TaskState storage state = _states[taskId];
        (state.mode, state.hasBoard) = (task_.mode, task_.board != address(0));
        state.model = task_.genesisModel;
        emit TaskCreated(taskId, keccak256(abi.encode(task_)), task_);
    }

    function openRound(uint32 taskId, uint32 aggregator) external returns (uint64 roundId) {
        TaskState storage state = _states[taskId];
        Task storage task_ = _task(taskId);
        if (state.pausedAt != 0) revert TaskPaused(taskId);
        _bond(taskId, aggregator, task_.bondWei);
        // After the last verdict is settled, which may cost the aggregator its standing.
        _checkAggregator(aggregator, _now());

        roundId = ++roundCount;
        (state.rounds, state.currentRound, state.bonded) = (state.rounds + 1, uint56(roundId), true);
        Clock memory clock;
        (clock.phase, clock.mode, clock.hasBoard) = (Phase.Open, state.mode, state.hasBoard);
        (clock.openedAt, clock.until) = (_now(), _now() + task_.commitSeconds);
        (clock.taskId, clock.aggregator, clock.capacity) = (taskId, aggregator, task_.maxClients);
        _store(roundId, clock);
        _emitOpened(roundId, clock, state, task_);
    }

    function releaseBond(uint32 taskId) external {
        TaskState storage state = _states[taskId];
        uint64 current = state.currentRound;
        Clock memory clock = _clocks[current];
        if (_isRunning(clock.phase)) revert RoundInProgress(taskId, current);
        if (!state.bonded || clock.phase == Phase.Voided) revert NoBond(taskId);
        _releaseBond(state, clock);
    }

    // --------------------------------------------------------------------------------------------------- commitments

    function commit(uint64 roundId, uint32 client, bytes32 commitment) external {
        Clock memory clock = _committing(roundId);
        if (clock.mode == CommitMode.RootOnly) revert WrongMode(roundId, clock.mode);
        if (commitment == bytes32(0)) revert ZeroRoot();
        address signer = _seats.signerAt(REGISTRY, client, Role.Client, clock.openedAt);
        if (signer == address(0)) revert NotEligible(roundId, client);
        if (!_actsFor(client, signer)) revert SignatureMismatch(client, msg.sender, signer);

        _appendSegment(clock, SegmentTree.leaf(client, commitment), 1);
        if (clock.mode == CommitMode.Verified) {
            uint256 bits = _committedBits[roundId][client >> 8];
            _committedBits[roundId][client >> 8] = _withBit(roundId, client, bits);
            _count(roundId, clock, 1);
        } else if (clock.committed == 0) {
            // Says that somebody has, no more.
            _count(roundId, clock, 1);
        }
        emit Committed(roundId, client, commitment);
    }

    function commitBatch(uint64 roundId, bytes calldata batch) external {
        Clock memory clock = _committing(roundId);
        if (clock.mode != CommitMode.Verified) revert WrongMode(roundId, clock.mode);
        uint256 count = CommitBatch.count(batch);
        address[] memory signers = _markCommitted(roundId, batch, count, clock.openedAt);
        (bytes32[] memory leaves, bytes memory entries) = CommitBatch.verify(
            batch,
            signers,
            roundId,
            _domainSeparatorV4()
        );
        bytes32 root = SegmentTree.root(leaves);
        uint16 first = clock.committed;
        _appendSegment(clock, root, count);
        _count(roundId, clock, count);
        emit SegmentCommitted(roundId, root, first, uint16(count), entries);
    }

    function commitRoot(uint64 roundId, bytes32 root, uint16 count, bytes32 listId) external {
        Clock memory clock = _committing(roundId);
        if (clock.mode != CommitMode.RootOnly || clock.committed != 0) revert WrongMode(roundId, clock.mode);
        _checkAggregator(clock.aggregator, clock.openedAt);
        if (root == 0 || listId == 0) revert ZeroRoot();
        if (count == 0) revert EmptyBatch();
        _appendSegment(clock, root, count);
        _count(roundId, clock, count);
        emit RootCommitted(roundId, root, count, listId);
    }

    // ----------------------------------------------------------------------------------------------------- proposals

    function propose(
        uint64 roundId,
        Proposal calldata proposal,
        bytes calldata excluded,
        bytes calldata aux
    ) external {
        Clock memory clock = _inPhase(roundId, Phase.Open);
        bytes32 segmentsHash = _segmentsHash(clock);
        if (clock.mode == CommitMode.Accumulated) {
            if (proposal.committed > clock.capacity) revert RoundFull(roundId, clock.capacity);
            clock.committed = proposal.committed;
        }
        if (proposal.committed != clock.committed)
            revert WrongCount(roundId, proposal.committed, clock.committed);
        uint16 included = _closeCommits(roundId, clock, excluded);
        Task storage task_ = _tasks[clock.taskId];
        if (included < task_.quorum) revert QuorumNotMet(roundId, included, task_.quorum);
        _checkRoots(proposal);
        if (aux.length > MAX_AUX_BYTES) revert AuxTooLong(aux.length, MAX_AUX_BYTES);

        clock.phase = Phase.Proposed;
        clock.until = _now() + task_.challengeSeconds;
        bytes32 hash = _proposalHash(
            roundId,
            proposal,
            segmentsHash,
            keccak256(excluded),
            keccak256(aux),
            included
        );
        _states[clock.taskId].digest = hash;
        _store(roundId, clock);
        emit Proposed(
            roundId,
            clock.aggregator,
            hash,
            proposal,
            segmentsHash,
            included,
            clock.until,
            excluded,
            aux
        );
    }

    function abandon(uint64 roundId, bytes32 dataId, bytes calldata excluded) external {
        Clock memory clock = _inPhase(roundId, Phase.Open);
        if (clock.mode == CommitMode.Accumulated) revert WrongMode(roundId, clock.mode);
        uint16 included = _closeCommits(roundId, clock, excluded);
        uint16 quorum = _tasks[clock.taskId].quorum;
        if (included >= quorum) revert QuorumMet(roundId, included, quorum);
        clock.phase = Phase.Abandoned;
        _store(roundId, clock);
        emit Abandoned(roundId, included, dataId, excluded);
    }

    function finalise(uint64 roundId, Outcome calldata outcome) external {
        Clock memory clock = _inPhase(roundId, Phase.Proposed);
        if (_now() <= clock.until) revert TooEarly(roundId, clock.until + 1, _now());
        if (clock.openDisputes != 0) revert DisputesOpen(roundId, clock.openDisputes);
        bytes32 got = ProposalHash.outer(
            roundId,
            outcome.aggregateRoot,
            outcome.matrixRoot,
            ProposalHash.core(outcome.modelRoot, outcome.detailsHash)
        );
        TaskState storage state = _states[clock.taskId];
        bytes32 want = state.digest;
        if (got != want) revert ProposalMismatch(roundId, got, want);

        clock.phase = Phase.Finalised;
        _store(roundId, clock);
        state.model = outcome.modelRoot;
        bytes32 head = keccak256(abi.encode(state.head, roundId, want));
        state.head = head;
        emit Finalised(roundId, head, outcome.modelRoot);
    }

    function expire(uint64 roundId) external {
        Clock memory clock = _inPhase(roundId, Phase.Open);
        (, uint40 proposeEnd) = _deadlines(clock);
        if (_now() <= proposeEnd) revert TooEarly(roundId, proposeEnd + 1, _now());
        clock.phase = Phase.Expired;
        _store(roundId, clock);
        uint256 slashedWei = 0;
        Task storage task_ = _tasks[clock.taskId];
        if (
            clock.mode != CommitMode.Accumulated &&
            clock.committed >= task_.quorum &&
            _isReady(roundId, clock)
        ) {
            _releaseBond(_states[clock.taskId], clock);
            slashedWei = _slashTenth(roundId, clock.aggregator, task_.bondWei);
        }
        emit Expired(roundId, slashedWei);
    }

    // --------------------------------------------------------------------------------------------------------- courts

    function void(uint64 roundId, bytes32 reason, address challenger, bytes32 proofHash) external onlyCourt {
        Clock memory clock = _inPhase(roundId, Phase.Proposed);
        clock.phase = Phase.Voided;
        _store(roundId, clock);
        _states[clock.taskId].digest = bytes32(
            (uint256(uint160(challenger)) << 96) |
                (uint256(_now()) << 56) |
                uint256(uint56(uint256(proofHash)))
        );
        emit Voided(roundId, reason, challenger);
    }

    function holdDispute(uint64 roundId, uint40 extendTo) external onlyCourt {
        Clock memory clock = _inPhase(roundId, Phase.Proposed);
        uint40 limit = clock.openedAt + UNBOND_SECONDS;
        if (extendTo > limit) extendTo = limit;
        if (extendTo > clock.until) clock.until = extendTo;
        ++clock.openDisputes;
        _store(roundId, clock);
        emit DisputeHeld(roundId, msg.sender, clock.until);
    }

    function releaseDispute(uint64 roundId) external onlyCourt {
        Clock storage clock = _clocks[roundId];
        if (clock.openDisputes == 0) revert NoDispute(roundId);
        --clock.openDisputes;
        emit DisputeReleased(roundId, msg.sender);
    }

    // ----------------------------------------------------------------------------------------- guardian and governor

    function pause(uint32 taskId) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        _task(taskId);
        TaskState storage state = _states[taskId];
        if (state.pausedAt != 0) revert TaskPaused(taskId);
        if (state.resumedAt != 0 && _now() <= state.resumedAt + maxPauseSeconds)
            revert PausedTooOften(taskId, state.resumedAt + maxPauseSeconds + 1);
        state.pausedAt = _now();
        uint64 roundId = state.currentRound;
        Clock storage clock = _clocks[roundId];
        if (clock.phase == Phase.Open) clock.phase = Phase.Paused;
        emit Paused(taskId, roundId);
    }

    function resume(uint32 taskId) external {
        TaskState storage state = _states[taskId];
        uint40 since = state.pausedAt;
        if (since == 0) revert NotPaused(taskId);
        if (msg.sender != guardian && _now() <= since + maxPauseSeconds) revert NotGuardian(msg.sender);
        (state.pausedAt, state.resumedAt) = (0, _now());
        uint40 span = _now() - since;
        uint64 roundId = state.currentRound;
        Clock storage clock = _clocks[roundId];
        if (clock.phase == Phase.Paused) {
            clock.phase = Phase.Open;
            // All pauses of a round together move its deadlines by maxPauseSeconds at most: stakes that leave
            // outlast it.
            uint40 moved = clock.until + clock.shift - clock.openedAt - _tasks[taskId].commitSeconds;
            if (span > maxPauseSeconds - moved) span = maxPauseSeconds - moved;
            if (since <= clock.until) clock.until += span;
            else clock.shift += uint32(span);
        }
        emit Resumed(taskId, roundId, span);
    }

    function nameSuccessor(address successor_) external onlyGovernor {
        if (successor != address(0)) revert SuccessorKnown(successor);
        successor = successor_;
        emit SuccessorNamed(successor_);
    }

    // ------------------------------------------------------------------------------------------------------- registry

    function seat(uint32 id, address signer, uint40 since, Role role) external {
        if (msg.sender != address(REGISTRY)) revert NotRegistry(msg.sender);
        _seats[id] = Seat({signer: signer, since: since, role: role});
    }

    // ---------------------------------------------------------------------------------------------------------- views

    function task(uint32 taskId) external view returns (Task memory) {
        return _task(taskId);
    }

    function taskState(
        uint32 taskId
    ) external view returns (bytes32 model, uint32 rounds, uint64 currentRound, bytes32 head, bool bonded) {
        TaskState storage state = _states[taskId];
        return (state.model, state.rounds, state.currentRound, state.head, state.bonded);
    }

    function round(uint64 roundId) external view returns (Round memory view_) {
        Clock memory clock = _clocks[roundId];
        if (clock.phase == Phase.None) revert UnknownRound(roundId);
        (view_.phase, view_.mode, view_.taskId, view_.aggregator) = (
            clock.phase,
            clock.mode,
            clock.taskId,
            clock.aggregator
        );
        (view_.openedAt, view_.openDisputes) = (clock.openedAt, clock.openDisputes);
        (view_.committed, view_.excluded) = (clock.committed, clock.excluded);
        bool isOpen = clock.phase == Phase.Open || clock.phase == Phase.Paused;
        if (isOpen) {
            view_.commitEnd = clock.until;
            (view_.dataEnd, view_.proposeEnd) = _deadlines(clock);
        }
        bool hasProposal = clock.phase == Phase.Proposed || clock.phase == Phase.Finalised;
        if (hasProposal || clock.phase == Phase.Voided) view_.challengeEnd = clock.until;
        if (_states[clock.taskId].currentRound != roundId || clock.phase == Phase.Voided) return view_;
        if (hasProposal) view_.proposalHash = _states[clock.taskId].digest;
        else view_.segmentsHash = _segmentsHash(clock);
    }

    function disputeOf(uint64 roundId) external view returns (Dispute memory) {
        Clock memory clock = _inPhase(roundId, Phase.Proposed);
        Task storage task_ = _tasks[clock.taskId];
        return
            Dispute({
                proposalHash: _states[clock.taskId].digest,
                rule: task_.rule,
                ruleParam: task_.ruleParam,
                ruleSelect: task_.ruleSelect,
                size: task_.size,
                leafLog2: task_.leafLog2,
                matrixLog2: task_.matrixLog2,
                modelLog2: task_.modelLog2,
                bound: task_.bound,
                examplesCap: task_.examplesCap,
                weiPerWeight: task_.weiPerWeight,
                included: clock.committed - clock.excluded
            });
    }

    function baseModelOf(uint64 roundId) external view returns (bytes32) {
        Clock memory clock = _clocks[roundId];
        if (!_isRunning(clock.phase)) revert WrongPhase(roundId, clock.phase);
        return _states[clock.taskId].model;
    }

    function verdictOf(uint64 roundId) external view returns (Verdict memory verdict) {
        Clock memory clock = _clocks[roundId];
        TaskState storage state = _states[clock.taskId];
        if (clock.phase != Phase.Voided || state.currentRound != roundId) return verdict;
        uint256 word = uint256(state.digest);
        (verdict.challenger, verdict.provenAt, verdict.proofTag) = (
            address(uint160(word >> 96)),
            uint40(word >> 56),
            uint56(word)
        );
    }

    function hasCommitted(uint64 roundId, uint32 client) external view returns (bool) {
        return _committedBits[roundId][client >> 8] & (1 << (client & 0xff)) != 0;
    }

    function pausedAt(uint32 taskId) external view returns (uint40) {
        return _states[taskId].pausedAt;
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    // ------------------------------------------------------------------------------------------------------ internals

    /// See to it that the aggregator's bond is locked: it stays from its last round of the task, unless another one
    /// ran that or a verdict takes it, which is then settled here, before its slot is used anew.
    function _bond(uint32 taskId, uint32 aggregator, uint96 bondWei) private {
        TaskState storage state = _states[taskId];
        uint64 previousId = state.currentRound;
        Clock memory previous = _clocks[previousId];
        if (_isRunning(previous.phase)) revert RoundInProgress(taskId, previousId);
        if (previous.phase == Phase.Voided) {
            if (!ESCROW.isSettled(previousId)) ESCROW.settle(previousId);
        } else if (state.bonded) {
            if (previous.aggregator == aggregator) return;
            REGISTRY.unlock(previous.aggregator, taskId, bondWei);
        }
        REGISTRY.lock(aggregator, taskId, bondWei);
    }

    function _releaseBond(TaskState storage state, Clock memory clock) private {
        state.bonded = false;
        REGISTRY.unlock(clock.aggregator, clock.taskId, _tasks[clock.taskId].bondWei);
        emit BondReleased(clock.taskId, clock.aggregator);
    }

    function _emitOpened(
        uint64 roundId,
        Clock memory clock,
        TaskState storage state,
        Task storage task_
    ) private {
        uint40 dataEnd = clock.until + task_.dataSeconds;
        emit RoundOpened(
            roundId,
            clock.taskId,
            state.model,
            state.rounds,
            clock.aggregator,
            clock.openedAt,
            clock.until,
            dataEnd,
            dataEnd + task_.proposeSeconds
        );
    }

    function _committing(uint64 roundId) private view returns (Clock memory clock) {
        clock = _inPhase(roundId, Phase.Open);
        if (_now() > clock.until) revert TooLate(roundId, clock.until, _now());
    }

    /// Last second of the data phase, and for a proposal.
    function _deadlines(Clock memory clock) private view returns (uint40 dataEnd, uint40 proposeEnd) {
        Task storage task_ = _tasks[clock.taskId];
        dataEnd = clock.until + clock.shift + task_.dataSeconds;
        proposeEnd = dataEnd + task_.proposeSeconds;
    }

    /// `_clocks[roundId] = clock` in one write: the compiler makes one of every member.
    function _store(uint64 roundId, Clock memory clock) private {
        Clock storage place = _clocks[roundId];
        assembly ("memory-safe") {
            function at(from, member, shift) -> part {
                part := shl(shift, mload(add(from, shl(5, member))))
            }
            let low := or(or(at(clock, 0, 0), at(clock, 1, 8)), or(at(clock, 2, 16), at(clock, 3, 24)))
            let middle := or(
                or(at(clock, 4, 64), at(clock, 5, 104)),
                or(at(clock, 6, 136), at(clock, 7, 168))
            )
            let high := or(
                or(at(clock, 8, 184), at(clock, 9, 200)),
                or(at(clock, 10, 216), at(clock, 11, 224))
            )
            sstore(place.slot, or(low, or(middle, high)))
        }
    }

    function _count(uint64 roundId, Clock memory clock, uint256 count) private {
        uint256 committed = clock.committed + count;
        if (committed > clock.capacity) revert RoundFull(roundId, clock.capacity);
        clock.committed = uint16(committed);
        _store(roundId, clock);
    }

    /// The rolling hash over a round's segments, before it has a proposal.
    function _segmentsHash(Clock memory clock) private view returns (bytes32) {
        return clock.committed == 0 ? bytes32(0) : _states[clock.taskId].digest;
    }

    /// keccak256(abi.encode(digest, root, count)), without taking memory.
    function _appendSegment(Clock memory clock, bytes32 root, uint256 count) private {
        TaskState storage state = _states[clock.taskId];
        bytes32 digest = clock.committed == 0 ? bytes32(0) : state.digest;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore(at, digest)
            mstore(add(at, 0x20), root)
            mstore(add(at, 0x40), count)
            digest := keccak256(at, 0x60)
        }
        state.digest = digest;
    }

    /// Set the bits of the batch's clients, which rise, so that each word is loaded and stored once, and find their
    /// keys.
    function _markCommitted(
        uint64 roundId,
        bytes calldata batch,
        uint256 count,
        uint40 openedAt
    ) private returns (address[] memory keys) {
        keys = new address[](count);
        uint256 unusual = 0;
        for (uint256 i = 0; i < count;) {
            uint32 word = CommitBatch.client(batch, i) >> 8;
            (uint256 added, uint256 next, uint256 more) = CommitBatch.takeWord(
                batch,
                i,
                _seats,
                openedAt,
                keys
            );
            uint256 bits = _committedBits[roundId][word];
            if (bits & added != 0) revert AlreadyCommitted(roundId, _lowestClient(word, bits & added));
            _committedBits[roundId][word] = bits | added;
            unusual += more;
            i = next;
        }
        CommitBatch.fillKeys(batch, keys, unusual, REGISTRY, openedAt);
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
        Clock memory clock,
        bytes calldata excluded
    ) private view returns (uint16 included) {
        (uint40 dataEnd, uint40 proposeEnd) = _deadlines(clock);
        if (_now() <= dataEnd) revert TooEarly(roundId, dataEnd + 1, _now());
        if (_now() > proposeEnd) revert TooLate(roundId, proposeEnd, _now());
        _checkAggregator(clock.aggregator, clock.openedAt);
        uint256 count = _countExclusions(roundId, clock.mode, excluded);
        if (count > clock.committed) revert WrongExclusions(roundId);
        clock.excluded = uint16(count);
        if (clock.hasBoard) _checkBoard(roundId, _tasks[clock.taskId].board, excluded);
        included = clock.committed - clock.excluded;
    }

    /// Exclusions rise by client, and name only clients that committed, as far as the ledger knows them.
    function _countExclusions(
        uint64 roundId,
        CommitMode mode,
        bytes calldata excluded
    ) private view returns (uint256) {
        if (excluded.length % EXCLUSION_BYTES != 0) revert WrongExclusions(roundId);
        mapping(uint256 word => uint256 bits) storage committedBits = _committedBits[roundId];
        uint32 previous = 0;
        for (uint256 at = 0; at < excluded.length; at += EXCLUSION_BYTES) {
            uint32 client = uint32(bytes4(excluded[at:at + 4]));
            bool committed =
                mode != CommitMode.Verified || committedBits[client >> 8] & (1 << (client & 0xff)) != 0;
            if (client <= previous || !committed) revert WrongExclusions(roundId);
            previous = client;
        }
        return excluded.length / EXCLUSION_BYTES;
    }

    function _checkBoard(uint64 roundId, address board, bytes calldata excluded) private view {
        (bool certified, bytes32 hash) = IAvailabilityBoard(board).exclusionsHash(roundId);
        if (!certified || hash != keccak256(excluded)) revert WrongExclusions(roundId);
    }

    /// Whether an aggregator could have proposed, as far as its board goes.
    function _isReady(uint64 roundId, Clock memory clock) private view returns (bool certified) {
        if (!clock.hasBoard) return true;
        (certified, ) = IAvailabilityBoard(_tasks[clock.taskId].board).exclusionsHash(roundId);
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
        bytes32 excludedHash,
        bytes32 auxHash,
        uint16 included
    ) private pure returns (bytes32) {
        bytes32 details = ProposalHash.details(proposal, segmentsHash, excludedHash, auxHash, included);
        bytes32 core = ProposalHash.core(proposal.modelRoot, details);
        return ProposalHash.outer(roundId, proposal.aggregateRoot, proposal.matrixRoot, core);
    }

    /// All of it is burnt: a reward for an expired round would pay whoever keeps the aggregator off the chain.
    function _slashTenth(uint64 roundId, uint32 aggregator, uint96 bondWei) private returns (uint256) {
        Shares memory none;
        return REGISTRY.slash(aggregator, roundId, bondWei / 10, NO_PROPOSAL, none);
    }

    /// The sender must be the owner or, for rounds opened at `at`, the signer of an active aggregator.
    function _checkAggregator(uint32 aggregator, uint40 at) private view {
        address signer = _seats.signerAt(REGISTRY, aggregator, Role.Aggregator, at);
        if (signer == address(0) || !_actsFor(aggregator, signer))
            revert NotAggregator(aggregator, msg.sender);
    }

    function _actsFor(uint32 id, address signer) private view returns (bool) {
        return msg.sender == signer || msg.sender == REGISTRY.ownerOf(id);
    }

    function _inPhase(uint64 roundId, Phase want) private view returns (Clock memory clock) {
        clock = _clocks[roundId];
        if (clock.phase == Phase.None) revert UnknownRound(roundId);
        if (clock.phase != want) revert WrongPhase(roundId, clock.phase);
    }

    function _isRunning(Phase phase) private pure returns (bool) {
        return phase == Phase.Open || phase == Phase.Proposed || phase == Phase.Paused;
    }

    function _task(uint32 taskId) private view returns (Task storage task_) {
        task_ = _tasks[taskId];
        if (task_.commitSeconds == 0) revert UnknownTask(taskId);
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }
}
