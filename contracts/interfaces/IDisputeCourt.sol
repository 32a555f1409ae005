// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Proposal, Rule} from "./IRoundLedger.sol";

/// A proposal as its event tells it: what a proof is about. The ledger's hash of it must be the round's.
struct Claim {
    Proposal proposal;
    /// The round's rolling hash over its segments.
    bytes32 segmentsHash;
    /// keccak256 of the packed exclusions.
    bytes32 excludedHash;
    /// keccak256 of the proposal's auxiliary data.
    bytes32 auxHash;
}

/// Fraud proofs of one transaction (docs/protocol.md, Disputes). Holds no ETH and has no owner; what they cost and
/// earn is for the RewardEscrow to say.
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
    /// The accused is honest: the claim is what follows from the evidence.
    error NotFraud(int256 claimed, int256 recomputed);
    error SameRoot(bytes32 root);
    error ValidEntry(uint256 position);
    error ListedClient(uint32 client);
    error SameCommitment(bytes32 commitment);
    error RuleNotCovered(Rule rule);
    error WrongProofLength(uint256 got, uint256 want);
    error WrongRoot(bytes32 got, bytes32 want);
    error NoSuchCoordinate(uint32 coordinate, uint32 size);
    error NoSuchSlot(uint32 slot, uint256 included);
    error WrongOrder(uint256 slot);
    error WrongSigner(address got, address want);

    /// Against the aggregator: one coordinate of the aggregate is not what the rule makes of the matrix. `coreHash` is
    /// `ProposalHash.core`: the two roots follow from the openings.
    /// `proof`: coordinate u32 | low i32 | high i32 | opening of the matrix | opening of the aggregate. For a median
    /// and a trimmed mean `low` and `high` are the lowest and the highest value that is kept, for other rules 0.
    /// Not for weighted mean and Krum.
    function proveColumn(uint64 roundId, bytes32 coreHash, bytes calldata proof) external;

    /// The same for a weighted mean, by the weights that the proposal posted (`aux`: weight u32 of every slot).
    function proveWeightedColumn(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata aux,
        bytes calldata proof
    ) external;

    /// Against the aggregator: the weight posted for a slot is not that of its client, or the weights are not as many
    /// as the included. `proof`: update opening at coordinate 0 | siblings of the client in the member list; empty for
    /// a wrong number of weights.
    function proveWeight(
        uint64 roundId,
        Claim calldata claim,
        uint32 slot,
        bytes calldata aux,
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

    /// Against the aggregator: the root of the member list is not that of the included clients, or their number or that
    /// of the committed is not what it says.
    /// `proof`: number u16 of segments | count u16 of every segment | (client u32 | commitment) of every commitment in
    /// order of arrival, with (r | vs) in root-only mode | position u16, in that order, of every commitment, rising by
    /// client and then by position. `excluded` as in the proposal.
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

    /// Against the aggregator of a round in root-only mode: the entry at `position` of its list is not signed by the
    /// client's key of this round, its client was not active, or it does not rise from the entry before.
    /// `proof`: entry (client u32 | commitment | r | vs) | siblings | the entry before and its siblings, if its order
    /// is what is wrong.
    function proveWrongEntry(
        uint64 roundId,
        Claim calldata claim,
        uint32 position,
        bytes calldata proof
    ) external;

    /// Against the aggregator of a round in root-only mode: it signed for a client's commitment and left it out.
    /// `proof`: client u32 | commitment | r | vs of `Receipt(uint64 roundId,uint32 client,bytes32 commitment)`
    /// by the aggregator's key | position u16 of the first entry of a higher client (the count if there is none) |
    /// that entry and the one before it, where they exist, each with its siblings; or the client's own entry with
    /// another commitment.
    function proveOmission(uint64 roundId, Claim calldata claim, bytes calldata proof) external;

    /// Against a client: it committed to a coordinate beyond the bound. The round stays, since rules clamp.
    /// `proof`: update opening | number u16 of segments | number u16 of its segment | position u16 in it |
    /// (root bytes32 | count u16) of every segment | r | vs of the client in root-only mode | siblings in the segment.
    /// Rests on commitments alone, never on what an aggregator says, while the round is open; afterwards on the claim's
    /// segments.
    function proveClipViolation(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata proof
    ) external;

    /// Against a client: it signed two commitments for one round.
    /// `proof`: client u32 | (commitment | r | vs) twice, the lower commitment first.
    function proveEquivocation(uint64 roundId, bytes calldata proof) external;

    function registry() external view returns (address);

    function ledger() external view returns (address);

    function escrow() external view returns (address);
}
