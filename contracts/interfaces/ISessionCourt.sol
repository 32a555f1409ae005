// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "./IDisputeCourt.sol";

/// What a session has been shown so far. Values are clamped, unless the rule is a sum.
struct Session {
    /// Proposal that it is about, by its hash; zero: no such session.
    bytes32 proposalHash;
    /// Blocks of clients that have been shown.
    uint256 shown;
    uint16 belowLow;
    uint16 upToLow;
    uint16 belowHigh;
    uint16 upToHigh;
    uint16 clients;
    uint48 weights;
    /// Sum of the values: all of them for a sum and a mean, by weight for a weighted mean, those strictly between the
    /// hints for a median and a trimmed mean.
    int128 sum;
}

/// Proofs that need more than one transaction: `IDisputeCourt.proveDirect` for rounds whose updates do not fit one
/// (docs/protocol.md, Sessions). A session belongs to who opened it, and holds nothing up: it has to end while the
/// proposal can be challenged.
interface ISessionCourt {
    event SessionOpened(
        uint64 indexed roundId,
        address indexed challenger,
        uint32 coordinate,
        int32 low,
        int32 high
    );
    event BlockShown(uint64 indexed roundId, address indexed challenger, uint256 number);
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

    error NoSession(uint64 roundId, address challenger);
    error NoSuchBlock(uint256 number, uint256 count);
    error AlreadyShown(uint256 number);
    error BlocksMissing(uint256 shown, uint256 want);

    /// Begin, or begin anew: what was shown before is forgotten. `low` and `high` as in `proveDirect`.
    function open(uint64 roundId, Claim calldata claim, uint32 coordinate, int32 low, int32 high) external;

    /// Show block `number`: the update openings of the included clients in slots 64 * number to 64 * number + 63 (the
    /// last block may be shorter), then the siblings of that block of the member list. Any order, each once.
    function show(uint64 roundId, Claim calldata claim, uint256 number, bytes calldata proof) external;

    /// End: every block was shown, and the aggregate is not what follows. `proof`: opening of the aggregate.
    function close(uint64 roundId, Claim calldata claim, bytes calldata proof) external;

    function sessionOf(uint64 roundId, address challenger) external view returns (Session memory);
}
