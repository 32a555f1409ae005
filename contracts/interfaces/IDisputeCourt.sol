// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Proposal, Rule} from "./IRoundLedger.sol";

/// A proposal as its event tells it: what a proof is about. The ledger's hash of it must be the round's.
struct Claim {
    Proposal proposal;
    /// keccak256 of the packed exclusions.
    bytes32 excludedHash;
}

/// What is owed for a proof until it is paid.
struct Reward {
    /// Who is to be paid; zero once paid.
    address challenger;
    /// Second of the proof; 0 where nothing was proven.
    uint40 provenAt;
    /// Low bits of the proof's hash. A ticket was bought before the proof was seen, so it names one hash: that it
    /// fits these bits by chance is one in 2^56 a ticket.
    uint56 proofTag;
    /// What a proof against a client earns; the reward of a voided round follows from its task's bond instead.
    uint128 amountWei;
    /// Second of the ticket by which the challenger claimed the proof; 0 without one.
    uint40 ticketAt;
}

/// Fraud proofs of one transaction (docs/protocol.md, Disputes). Holds no ETH and has no owner.
///
/// A proof is packed bytes. An *opening* is one chunk of a vector and the siblings that lead to the vector's root; its
/// place and length follow from the coordinate and the task. An *update opening* is (client u32 | numExamples u32)
/// and an opening: it gives the client's commitment.
interface IDisputeCourt {
    /// A proof held. `subject` is the client that it accuses, or 0 for the aggregator, whose round is void. Both
    /// values are the digests of the member list where `reason` is "wrong members".
    event FraudProven(
        uint64 indexed roundId,
        bytes32 indexed reason,
        address indexed challenger,
        uint32 subject,
        uint32 coordinate,
        int256 claimed,
        int256 recomputed,
        bytes32 proofHash
    );
    event Ticketed(bytes32 indexed hash);
    event Contested(uint64 indexed roundId, uint32 indexed subject, bytes32 reason, address challenger);
    event Rewarded(uint64 indexed roundId, uint32 indexed subject, address indexed to, uint256 amountWei);
    event ShareClaimed(uint64 indexed roundId, uint32 indexed client, address indexed to, uint256 amountWei);

    /// The accused is honest: the claim is what follows from the evidence.
    error NotFraud(int256 claimed, int256 recomputed);
    error SameRoot(bytes32 root);
    error SameCommitment(bytes32 commitment);
    error RuleNotCovered(Rule rule);
    error WrongProofLength(uint256 got, uint256 want);
    error WrongRoot(bytes32 got, bytes32 want);
    error NoSuchCoordinate(uint32 coordinate, uint32 size);
    error NoSuchSlot(uint32 slot, uint256 included);
    error WrongOrder(uint256 slot);
    error WrongSigner(address got, address want);
    error AlreadyProven(uint64 roundId, uint32 subject);
    error TicketExists(bytes32 hash);
    error NoEarlierTicket(bytes32 hash);
    error WrongProofHash(bytes32 proofHash);
    error EscrowOpen(uint40 until, uint40 nowSeconds);
    error EscrowOver(uint40 until, uint40 nowSeconds);
    error NothingOwed(uint64 roundId, uint32 subject);
    error NotCommitted(uint64 roundId, uint32 client);
    error AlreadyClaimed(uint64 roundId, uint32 client);

    /// Against the aggregator: one coordinate of the aggregate is not what the rule makes of the matrix.
    /// `proof`: opening of the matrix | opening of the aggregate. For a median and a trimmed mean `low` and `high` are
    /// the lowest and the highest value that is kept; other rules ignore them. Not for weighted mean and Krum.
    function proveColumn(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        int32 low,
        int32 high,
        bytes calldata proof
    ) external;

    /// Against the aggregator: the matrix holds another value than the included client at `slot` committed to.
    /// `proof`: opening of the matrix | update opening | siblings of the client in the member list.
    function proveTranspose(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        uint32 slot,
        bytes calldata proof
    ) external;

    /// Against the aggregator: the root of the member list is not that of the included clients.
    /// `proof`: count u16 of every segment | (client u32 | commitment) of every commitment in order of arrival |
    /// position u16, in that order, of every included client, rising by client. `excluded` as in the proposal.
    function proveMembers(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata excluded,
        bytes calldata proof
    ) external;

    /// Against the aggregator, without its matrix: as `proveColumn`, and for the weighted mean too.
    /// `proof`: update opening of every included client, in rising id | opening of the aggregate.
    function proveDirect(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        int32 low,
        int32 high,
        bytes calldata proof
    ) external;

    /// Against the aggregator: the new model is not base plus aggregate.
    /// `proof`: openings of base model | aggregate | new model.
    function proveModelStep(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata proof
    ) external;

    /// Against a client: it committed to a coordinate beyond the bound. The round stays, since rules clamp.
    /// `proof`: update opening | number u16 of its segment | position u16 in it | (root bytes32 | count u16) of every
    /// segment | siblings in the segment. Rests on commitments alone, never on what an aggregator says.
    function proveClipViolation(uint64 roundId, uint32 coordinate, bytes calldata proof) external;

    /// Against a client: it signed two commitments for one round.
    /// `proof`: client u32 | (commitment | r | vs) twice, the lower commitment first.
    function proveEquivocation(uint64 roundId, bytes calldata proof) external;

    /// Say, without saying what, that the sender has a proof: `hash` is
    /// keccak256(abi.encode(roundId, proofHash, challenger, salt)), with proofHash = keccak256(proof).
    function ticket(bytes32 hash) external;

    /// Within the hour after a proof: the sender's ticket is older than the proof and than any ticket used so far.
    /// `subject` and `reason` as in FraudProven.
    function contest(
        uint64 roundId,
        uint32 subject,
        bytes32 reason,
        bytes32 proofHash,
        bytes32 salt
    ) external;

    /// After that hour: credit the challenger's share of a voided round in the registry. Anybody may send.
    function claimReward(uint64 roundId) external;

    /// The same for a proof against a client.
    function claimClientReward(uint64 roundId, uint32 client, bytes32 reason) external;

    /// Credit a committed client's owner with its part of the clients' share of a voided round, once.
    function claimShare(uint64 roundId, uint32 client) external;

    function rewardOf(uint64 roundId, uint32 subject, bytes32 reason) external view returns (Reward memory);

    /// Second at which a ticket was bought; 0 for none.
    function ticketAt(bytes32 hash) external view returns (uint40);

    function hasClaimedShare(uint64 roundId, uint32 client) external view returns (bool);

    function registry() external view returns (address);

    function ledger() external view returns (address);
}
