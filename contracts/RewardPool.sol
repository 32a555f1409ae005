// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "./interfaces/IDisputeCourt.sol";
import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {AdmittedRound, HeadLink, IRewardPool, Pool} from "./interfaces/IRewardPool.sol";
import {IRoundLedger, Round} from "./interfaces/IRoundLedger.sol";
import {ChunkTree} from "./libraries/ChunkTree.sol";
import {ProposalHash} from "./libraries/ProposalHash.sol";

/// Pays clients for updates that went into finalised rounds (docs/protocol.md, Statements and rewards). Immutable; no
/// owner; its credit in the registry is what its pools have left.
contract RewardPool is IRewardPool {
    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;

    uint64 public poolCount;
    mapping(uint64 poolId => Pool) private _pools;
    mapping(uint64 roundId => AdmittedRound) private _admitted;
    mapping(uint64 poolId => mapping(uint64 roundId => mapping(uint32 client => bool paid))) public hasPaid;

    constructor(address registry_, address ledger_) {
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
    }

    // ------------------------------------------------------------------------------------------------------- sponsors

    function fund(
        uint32 taskId,
        uint96 rateWei,
        uint96 capWei,
        uint40 until
    ) external payable returns (uint64 poolId) {
        // Reverts where there is no such task.
        LEDGER.task(taskId);
        if (rateWei == 0) revert InvalidPool("rateWei");
        if (capWei == 0) revert InvalidPool("capWei");
        if (until <= _now()) revert InvalidPool("until");
        if (msg.value == 0) revert InvalidPool("value");
        poolId = ++poolCount;
        _pools[poolId] = Pool({
            taskId: taskId,
            sponsor: msg.sender,
            since: _now(),
            until: until,
            rateWei: rateWei,
            capWei: capWei,
            leftWei: msg.value
        });
        emit PoolFunded(poolId, taskId, msg.sender, rateWei, capWei, _now(), until, msg.value);
        REGISTRY.depositCredit{value: msg.value}(address(this));
    }

    function topUp(uint64 poolId) external payable {
        if (msg.value == 0) revert InvalidPool("value");
        _pool(poolId).leftWei += msg.value;
        emit PoolToppedUp(poolId, msg.sender, msg.value);
        REGISTRY.depositCredit{value: msg.value}(address(this));
    }

    function reclaim(uint64 poolId) external {
        Pool storage pool_ = _pool(poolId);
        if (msg.sender != pool_.sponsor) revert NotSponsor(poolId, msg.sender);
        if (_now() <= pool_.until) revert PoolStillOpen(poolId, pool_.until);
        uint256 leftWei = pool_.leftWei;
        pool_.leftWei = 0;
        emit PoolReclaimed(poolId, msg.sender, leftWei);
        REGISTRY.transferCredit(msg.sender, leftWei);
    }

    // -------------------------------------------------------------------------------------------------------- clients

    function admit(
        uint64 roundId,
        Claim calldata claim_,
        uint16 included,
        bytes32 previousHead,
        HeadLink[] calldata later
    ) external {
        if (_admitted[roundId].taskId != 0) return;
        Round memory round = LEDGER.round(roundId);
        bytes32 head = _extend(previousHead, roundId, _proposalHash(roundId, claim_, included));
        for (uint256 i = 0; i < later.length; ++i) {
            head = _extend(head, later[i].roundId, later[i].proposalHash);
        }
        (, , , bytes32 want, ) = LEDGER.taskState(round.taskId);
        if (head != want) revert WrongHead(roundId, head, want);
        bytes32 membersRoot = claim_.proposal.membersRoot;
        _admitted[roundId] = AdmittedRound({
            membersRoot: membersRoot,
            taskId: round.taskId,
            openedAt: round.openedAt,
            included: included
        });
        emit RoundAdmitted(roundId, round.taskId, membersRoot, included);
    }

    function claim(
        uint64 poolId,
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        uint256 index,
        bytes32[] calldata path
    ) external {
        Pool storage pool_ = _pool(poolId);
        AdmittedRound storage round = _admitted[roundId];
        if (round.taskId == 0) revert NotAdmitted(roundId);
        if (round.taskId != pool_.taskId || round.openedAt < pool_.since) revert NotCovered(poolId, roundId);
        if (hasPaid[poolId][roundId][client]) revert AlreadyPaid(poolId, roundId, client);
        bytes32 leaf = ChunkTree.leafHash(abi.encodePacked(client, commitment));
        if (!ChunkTree.verifyInclusion(leaf, index, round.included, path, round.membersRoot))
            revert NotMember(roundId, client);
        uint256 amountWei = _rewardOf(pool_, round, client);
        if (amountWei == 0) revert NothingToPay(poolId, roundId, client);
        if (amountWei > pool_.leftWei) revert PoolTooSmall(poolId, pool_.leftWei, amountWei);
        address owner = REGISTRY.ownerOf(client);

        hasPaid[poolId][roundId][client] = true;
        pool_.leftWei -= amountWei;
        emit RewardPaid(roundId, client, poolId, owner, amountWei);
        REGISTRY.transferCredit(owner, amountWei);
    }

    // ---------------------------------------------------------------------------------------------------------- views

    function pool(uint64 poolId) external view returns (Pool memory) {
        return _pool(poolId);
    }

    function admitted(uint64 roundId) external view returns (AdmittedRound memory) {
        return _admitted[roundId];
    }

    function rewardOf(uint64 poolId, uint64 roundId, uint32 client) external view returns (uint256) {
        AdmittedRound storage round = _admitted[roundId];
        if (round.taskId == 0) revert NotAdmitted(roundId);
        return _rewardOf(_pool(poolId), round, client);
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    // ------------------------------------------------------------------------------------------------------ internals

    /// By the stake that weighs a client in the round. Rounded down, so that one stake under many identities earns no
    /// more than under one, as long as that one stays within the cap.
    function _rewardOf(
        Pool storage pool_,
        AdmittedRound storage round,
        uint32 client
    ) private view returns (uint256) {
        uint256 stakeWei = REGISTRY.stakeAt(client, round.openedAt - 1);
        if (stakeWei > pool_.capWei) stakeWei = pool_.capWei;
        return (stakeWei * pool_.rateWei) / 1 ether;
    }

    function _proposalHash(
        uint64 roundId,
        Claim calldata claim_,
        uint16 included
    ) private pure returns (bytes32) {
        bytes32 details = ProposalHash.details(
            claim_.proposal,
            claim_.segmentsHash,
            claim_.excludedHash,
            claim_.auxHash,
            included
        );
        bytes32 core = ProposalHash.core(claim_.proposal.modelRoot, details);
        return ProposalHash.outer(roundId, claim_.proposal.aggregateRoot, claim_.proposal.matrixRoot, core);
    }

    /// How RoundLedger.finalise extends a task's head.
    function _extend(bytes32 head, uint64 roundId, bytes32 proposalHash) private pure returns (bytes32) {
        return keccak256(abi.encode(head, roundId, proposalHash));
    }

    function _pool(uint64 poolId) private view returns (Pool storage pool_) {
        pool_ = _pools[poolId];
        if (pool_.sponsor == address(0)) revert UnknownPool(poolId);
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }
}
