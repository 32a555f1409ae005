// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// What is owed for a proof until it is paid.
struct Reward {
    /// Who is to be paid; zero once paid.
    address challenger;
    /// Second of the proof; 0 where nothing was proven.
    uint40 provenAt;
    /// Low bits of the proof's hash (IRoundLedger, Verdict).
    uint56 proofTag;
    uint128 amountWei;
    /// Second of the ticket by which the challenger claimed the proof; 0 without one.
    uint40 ticketAt;
}

/// Takes what proofs cost the guilty, keeps the reward for an hour, in which the holder of an earlier ticket may claim
/// it from a copier, and pays it as credit in the registry. Holds no ETH and has no owner.
interface IRewardEscrow {
    event Ticketed(bytes32 indexed hash);
    event Settled(uint64 indexed roundId, uint32 indexed aggregator, uint256 takenWei);
    event Contested(uint64 indexed roundId, uint32 indexed subject, bytes32 reason, address challenger);
    event Rewarded(uint64 indexed roundId, uint32 indexed subject, address indexed to, uint256 amountWei);
    event ShareClaimed(uint64 indexed roundId, uint32 indexed client, address indexed to, uint256 amountWei);

    error NotCourt(address sender);
    error AlreadyProven(uint64 roundId, uint32 subject);
    error AlreadySettled(uint64 roundId);
    error TicketExists(bytes32 hash);
    error NoEarlierTicket(bytes32 hash);
    error WrongProofHash(bytes32 proofHash);
    error EscrowOpen(uint40 until, uint40 nowSeconds);
    error EscrowOver(uint40 until, uint40 nowSeconds);
    error NothingOwed(uint64 roundId, uint32 subject);
    error NotCommitted(uint64 roundId, uint32 client);
    error AlreadyClaimed(uint64 roundId, uint32 client);

    /// Courts only: slash a participant other than the aggregator of the round, at once. Nothing for the clients: the
    /// round goes on, and they lost nothing. Once per round, subject and reason.
    function punish(
        uint64 roundId,
        uint32 subject,
        bytes32 reason,
        uint256 amountWei,
        address challenger,
        bytes32 proofHash
    ) external;

    /// Take the bond of a voided round: 40 % for the challenger, 10 % for the clients that committed, 50 % burnt.
    /// Anybody may send, once; `claimReward` and `claimShare` do it if nobody has.
    function settle(uint64 roundId) external;

    /// Say, without saying what, that the sender has a proof: `hash` is
    /// keccak256(abi.encode(roundId, proofHash, challenger, salt)), with proofHash = keccak256(proof).
    function ticket(bytes32 hash) external;

    /// Within the hour after a proof: the sender's ticket is older than the proof and than any ticket used so far.
    /// `subject` 0 is the aggregator of a voided round; else `subject` and `reason` are those of `punish`.
    function contest(
        uint64 roundId,
        uint32 subject,
        bytes32 reason,
        bytes32 proofHash,
        bytes32 salt
    ) external;

    /// After that hour: credit the challenger's share of a voided round in the registry. Anybody may send.
    function claimReward(uint64 roundId) external;

    /// The same for a punished participant.
    function claimPunishment(uint64 roundId, uint32 subject, bytes32 reason) external;

    /// Credit a committed client's owner with its part of the clients' share of a voided round, once.
    function claimShare(uint64 roundId, uint32 client) external;

    function rewardOf(uint64 roundId, uint32 subject, bytes32 reason) external view returns (Reward memory);

    /// Second at which a ticket was bought; 0 for none.
    function ticketAt(bytes32 hash) external view returns (uint40);

    function hasClaimedShare(uint64 roundId, uint32 client) external view returns (bool);

    function isSettled(uint64 roundId) external view returns (bool);

    function registry() external view returns (address);

    function ledger() external view returns (address);
}
