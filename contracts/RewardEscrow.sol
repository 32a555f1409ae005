// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Shares} from "./interfaces/IParticipantRegistry.sol";
import {IRewardEscrow, Reward} from "./interfaces/IRewardEscrow.sol";
import {CommitMode, IRoundLedger, Round, Verdict} from "./interfaces/IRoundLedger.sol";

/// What a proof costs the guilty and earns the challenger (docs/protocol.md, Rewards). Immutable; no owner; its credit
/// in the registry is what it owes.
contract RewardEscrow is IRewardEscrow {
    uint40 private constant ESCROW_SECONDS = 1 hours;
    uint256 private constant WHOLE_BPS = 10_000;
    uint16 private constant CHALLENGER_BPS = 4_000;
    uint16 private constant CLIENTS_BPS = 1_000;
    bytes32 private constant VOIDED = "voided round";
    /// The reward of a voided round has one place, whatever voided it.
    uint32 private constant AGGREGATOR = 0;
    bytes32 private constant ANY_REASON = 0;

    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;

    mapping(bytes32 hash => uint40 bought) public ticketAt;
    mapping(bytes32 key => Reward) private _rewards;
    /// The clients' share of a voided round, in wei a client.
    mapping(uint64 roundId => uint256 amountWei) private _clientWei;
    mapping(uint64 roundId => mapping(uint256 word => uint256 bits)) private _claimedBits;

    constructor(address registry_, address ledger_) {
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
    }

    // ------------------------------------------------------------------------------------------------------ penalties

    function punish(
        uint64 roundId,
        uint32 subject,
        bytes32 reason,
        uint256 amountWei,
        address challenger,
        bytes32 proofHash
    ) external {
        if (!LEDGER.isCourt(msg.sender)) revert NotCourt(msg.sender);
        Reward storage reward = _rewards[_key(roundId, subject, reason)];
        if (reward.provenAt != 0) revert AlreadyProven(roundId, subject);
        (reward.challenger, reward.provenAt, reward.proofTag) = (
            challenger,
            _now(),
            uint56(uint256(proofHash))
        );
        uint256 takenWei = REGISTRY.slash(subject, roundId, amountWei, reason, _shares(0));
        reward.amountWei = uint128((takenWei * CHALLENGER_BPS) / WHOLE_BPS);
    }

    function settle(uint64 roundId) external {
        if (isSettled(roundId)) revert AlreadySettled(roundId);
        _settle(roundId);
    }

    // --------------------------------------------------------------------------------------------- tickets and rewards

    function ticket(bytes32 hash) external {
        if (ticketAt[hash] != 0) revert TicketExists(hash);
        ticketAt[hash] = _now();
        emit Ticketed(hash);
    }

    function contest(
        uint64 roundId,
        uint32 subject,
        bytes32 reason,
        bytes32 proofHash,
        bytes32 salt
    ) external {
        if (subject == AGGREGATOR && !isSettled(roundId)) _settle(roundId);
        Reward storage reward = _owed(roundId, subject, reason);
        uint40 until = reward.provenAt + ESCROW_SECONDS;
        if (_now() > until) revert EscrowOver(until, _now());
        if (uint56(uint256(proofHash)) != reward.proofTag) revert WrongProofHash(proofHash);
        bytes32 hash = keccak256(abi.encode(roundId, proofHash, msg.sender, salt));
        uint40 bought = ticketAt[hash];
        uint40 before = reward.ticketAt == 0 ? reward.provenAt : reward.ticketAt;
        if (bought == 0 || bought >= before) revert NoEarlierTicket(hash);
        (reward.challenger, reward.ticketAt) = (msg.sender, bought);
        emit Contested(roundId, subject, reason, msg.sender);
    }

    function claimReward(uint64 roundId) external {
        if (!isSettled(roundId)) _settle(roundId);
        _pay(roundId, AGGREGATOR, ANY_REASON);
    }

    function claimPunishment(uint64 roundId, uint32 subject, bytes32 reason) external {
        // The aggregator's reward has another call, which settles first.
        if (subject == AGGREGATOR) revert NothingOwed(roundId, subject);
        _pay(roundId, subject, reason);
    }

    function claimShare(uint64 roundId, uint32 client) external {
        if (!isSettled(roundId)) _settle(roundId);
        if (!LEDGER.hasCommitted(roundId, client)) revert NotCommitted(roundId, client);
        if (hasClaimedShare(roundId, client)) revert AlreadyClaimed(roundId, client);
        _claimedBits[roundId][client >> 8] |= 1 << (client & 0xff);
        uint256 amountWei = _clientWei[roundId];
        address owner = REGISTRY.ownerOf(client);
        emit ShareClaimed(roundId, client, owner, amountWei);
        REGISTRY.transferCredit(owner, amountWei);
    }

    // ----------------------------------------------------------------------------------------------------------- views

    function rewardOf(uint64 roundId, uint32 subject, bytes32 reason) external view returns (Reward memory) {
        return _rewards[_key(roundId, subject, reason)];
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    function hasClaimedShare(uint64 roundId, uint32 client) public view returns (bool) {
        return _claimedBits[roundId][client >> 8] & (1 << (client & 0xff)) != 0;
    }

    function isSettled(uint64 roundId) public view returns (bool) {
        return _rewards[_key(roundId, AGGREGATOR, ANY_REASON)].provenAt != 0;
    }

    // ------------------------------------------------------------------------------------------------------ internals

    /// Take the bond of a voided round, of which nothing else can have taken anything: it was locked until now.
    function _settle(uint64 roundId) private {
        Verdict memory verdict = LEDGER.verdictOf(roundId);
        if (verdict.provenAt == 0) revert NothingOwed(roundId, AGGREGATOR);
        Round memory round = LEDGER.round(roundId);
        Reward storage reward = _rewards[_key(roundId, AGGREGATOR, ANY_REASON)];
        (reward.challenger, reward.provenAt, reward.proofTag) = (
            verdict.challenger,
            verdict.provenAt,
            verdict.proofTag
        );
        uint256 bondWei = LEDGER.task(round.taskId).bondWei;
        // Who has committed is on the chain in verified mode only; elsewhere the clients' share is burnt.
        uint16 clientsBps = round.mode == CommitMode.Verified ? CLIENTS_BPS : 0;
        uint256 takenWei = REGISTRY.forfeit(
            round.aggregator,
            round.taskId,
            roundId,
            bondWei,
            VOIDED,
            _shares(clientsBps)
        );
        reward.amountWei = uint128((takenWei * CHALLENGER_BPS) / WHOLE_BPS);
        if (clientsBps != 0) _clientWei[roundId] = (takenWei * clientsBps) / WHOLE_BPS / round.committed;
        emit Settled(roundId, round.aggregator, takenWei);
    }

    function _shares(uint16 clientsBps) private view returns (Shares memory) {
        return
            Shares({
                challenger: address(this),
                challengerBps: CHALLENGER_BPS,
                clients: address(this),
                clientsBps: clientsBps
            });
    }

    function _pay(uint64 roundId, uint32 subject, bytes32 reason) private {
        Reward storage reward = _owed(roundId, subject, reason);
        uint40 until = reward.provenAt + ESCROW_SECONDS;
        if (_now() <= until) revert EscrowOpen(until, _now());
        address challenger = reward.challenger;
        reward.challenger = address(0);
        emit Rewarded(roundId, subject, challenger, reward.amountWei);
        REGISTRY.transferCredit(challenger, reward.amountWei);
    }

    function _owed(
        uint64 roundId,
        uint32 subject,
        bytes32 reason
    ) private view returns (Reward storage reward) {
        reward = _rewards[_key(roundId, subject, subject == AGGREGATOR ? ANY_REASON : reason)];
        if (reward.challenger == address(0)) revert NothingOwed(roundId, subject);
    }

    function _key(uint64 roundId, uint32 subject, bytes32 reason) private pure returns (bytes32) {
        return keccak256(abi.encode(roundId, subject, reason));
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }
}
