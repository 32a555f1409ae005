// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "./IDisputeCourt.sol";

/// What a sponsor pays the clients of a task's finalised rounds. Amounts are wei, times seconds since 1970.
struct Pool {
    uint32 taskId;
    address sponsor;
    /// Rounds that opened at this second or later are paid.
    uint40 since;
    /// Last second at which the sponsor may not take the rest back.
    uint40 until;
    /// A round pays a client rateWei for each ether of its stake, of which at most capWei count.
    uint96 rateWei;
    uint96 capWei;
    /// What is left to pay.
    uint256 leftWei;
}

/// A finalised round of which members were shown.
struct AdmittedRound {
    bytes32 membersRoot;
    uint32 taskId;
    uint40 openedAt;
    uint16 included;
}

/// A link of a task's head: a finalised round and its proposal's hash.
struct HeadLink {
    uint64 roundId;
    bytes32 proposalHash;
}

/// Pays clients for updates that went into finalised rounds, by what replay can check, inclusion, and by what the
/// chain knows, stake (docs/protocol.md, Statements and rewards). Holds no ETH and has no owner: what it pays is its
/// credit in the registry, from which everybody takes its own.
interface IRewardPool {
    event PoolFunded(
        uint64 indexed poolId,
        uint32 indexed taskId,
        address indexed sponsor,
        uint96 rateWei,
        uint96 capWei,
        uint40 since,
        uint40 until,
        uint256 amountWei
    );
    event PoolToppedUp(uint64 indexed poolId, address indexed from, uint256 amountWei);
    event RoundAdmitted(uint64 indexed roundId, uint32 indexed taskId, bytes32 membersRoot, uint16 included);
    event RewardPaid(
        uint64 indexed roundId,
        uint32 indexed client,
        uint64 indexed poolId,
        address to,
        uint256 amountWei
    );
    event PoolReclaimed(uint64 indexed poolId, address indexed sponsor, uint256 amountWei);

    error UnknownPool(uint64 poolId);
    error InvalidPool(bytes32 field);
    error WrongHead(uint64 roundId, bytes32 got, bytes32 want);
    error NotAdmitted(uint64 roundId);
    error NotCovered(uint64 poolId, uint64 roundId);
    error NotMember(uint64 roundId, uint32 client);
    error AlreadyPaid(uint64 poolId, uint64 roundId, uint32 client);
    error NothingToPay(uint64 poolId, uint64 roundId, uint32 client);
    error PoolTooSmall(uint64 poolId, uint256 leftWei, uint256 wantWei);
    error NotSponsor(uint64 poolId, address sender);
    error PoolStillOpen(uint64 poolId, uint40 until);

    /// Pay clients of the task's rounds that open from now on. A sponsor that wants to change the terms opens another
    /// pool: those of this one never change.
    function fund(
        uint32 taskId,
        uint96 rateWei,
        uint96 capWei,
        uint40 until
    ) external payable returns (uint64 poolId);

    /// Add to a pool. Anybody may; the rest goes to the sponsor all the same.
    function topUp(uint64 poolId) external payable;

    /// Show the proposal by which a round was finalised: hashed after `previousHead` and followed by the task's later
    /// finalised rounds it gives the task's head. Anybody may send; nothing happens where it was shown before.
    function admit(
        uint64 roundId,
        Claim calldata claim,
        uint16 included,
        bytes32 previousHead,
        HeadLink[] calldata later
    ) external;

    /// Credit the owner of a client in the registry, once a pool, round and client. Anybody may send. `path` leads from
    /// the leaf (client, commitment) at `index` of the included ones to the members' root.
    function claim(
        uint64 poolId,
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        uint256 index,
        bytes32[] calldata path
    ) external;

    /// After `until`: credit the sponsor with what is left. Claims need what a pool still has: whoever waits longer
    /// than `until` may find nothing.
    function reclaim(uint64 poolId) external;

    function pool(uint64 poolId) external view returns (Pool memory);

    function poolCount() external view returns (uint64);

    /// Zeros for a round that was not admitted.
    function admitted(uint64 roundId) external view returns (AdmittedRound memory);

    function hasPaid(uint64 poolId, uint64 roundId, uint32 client) external view returns (bool);

    /// What a pool owes a client that is a member of an admitted round, paid or not.
    function rewardOf(uint64 poolId, uint64 roundId, uint32 client) external view returns (uint256);

    function registry() external view returns (address);

    function ledger() external view returns (address);
}
