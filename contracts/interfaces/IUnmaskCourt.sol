// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "./IDisputeCourt.sol";

/// Fraud proofs of one transaction for masked tasks: rule Sum32 whose ruleParam, the most peers of a client, is not 0
/// (docs/protocol.md §11). All are against the aggregator. Holds no ETH and has no owner; events and errors that are
/// not here are those of IDisputeCourt.
///
/// `aux` is the proposal's list of revealed seeds, packed (owner u32 | peer u32 | seed bytes32), rising by owner and
/// peer; peer 0 stands for the owner's own mask.
/// A *standing* of a client says whether it is included:
///   1 u8 | numExamples u32 | root of its masked update bytes32 | lines u16 | (peer u32 | commitment bytes32) of every
///   line of its seed table | its slot u16 | siblings in the member list; or
///   0 u8 | slot u16 of the first included client above it (the count if there is none) | the members at the slot
///   before and at that slot, where they exist, each (client u32 | commitment bytes32 | siblings).
/// A *masked update opening* is an update opening (IDisputeCourt) and the root bytes32 of the client's seed table.
interface IUnmaskCourt {
    /// A proof about the seed of (owner, peer) held. Both values are commitments: to the seed that was revealed, and
    /// to the one that had to be; 0 for none.
    event SeedFraudProven(
        uint64 indexed roundId,
        bytes32 indexed reason,
        address indexed challenger,
        uint32 owner,
        uint32 peer,
        bytes32 claimed,
        bytes32 recomputed,
        bytes32 proofHash
    );

    /// The aggregator did with this seed what it had to.
    error RightSeed(uint32 owner, uint32 peer);
    error WrongStanding(uint8 kind);

    /// One coordinate of the aggregate is not the sum of the masked updates without the revealed masks.
    /// `proof`: opening of the matrix | opening of the aggregate.
    function proveUnmasking(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata aux,
        uint32 coordinate,
        bytes calldata proof
    ) external;

    /// The same without the matrix.
    /// `proof`: masked update opening of every included client, in rising id | opening of the aggregate.
    function proveUnmaskingDirect(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata aux,
        uint32 coordinate,
        bytes calldata proof
    ) external;

    /// The matrix holds another value than the included client at `slot` committed to.
    /// `proof`: opening of the matrix | masked update opening | siblings of the client in the member list.
    function proveMaskedTranspose(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        uint32 slot,
        bytes calldata proof
    ) external;

    /// The list of revealed seeds is not canonical: not whole entries, or they do not rise from (0, 0). It is its own
    /// proof, so the proof's hash is its hash. Both values of the event are bytes: all of them, and those up to where
    /// the list is canonical.
    function proveMalformedReveals(uint64 roundId, Claim calldata claim, bytes calldata aux) external;

    /// The seed of (owner, peer) is revealed and should not be ("surplus seed"), is not and should be ("missing
    /// seed"), or is not the one committed to ("wrong seed"); or the included owner has no seed table that its task
    /// allows ("bad seed table"). A seed must be revealed if the owner is included, its table lists the peer, and the
    /// mask does not cancel: for peer 0, for a peer that is not included, and for one whose table does not list the
    /// owner with the same commitment.
    /// `proof`: standing of the owner | standing of the peer, if that decides: the owner's table lists the peer, which
    /// is not 0, and if its seed is revealed, it is the one committed to.
    function proveReveal(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata aux,
        uint32 owner,
        uint32 peer,
        bytes calldata proof
    ) external;

    function ledger() external view returns (address);
}
