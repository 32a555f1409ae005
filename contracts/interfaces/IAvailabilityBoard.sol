// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Decides which committed updates of a round could not be had. All that the ledger asks of a board.
interface IAvailabilityBoard {
    /// Whether the board has certified the round, and the keccak256 of the packed exclusions
    /// (client uint32 | reason uint16, rising by client) that a proposal must then carry.
    function exclusionsHash(uint64 roundId) external view returns (bool certified, bytes32 hash);
}
