// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Proposal} from "../interfaces/IRoundLedger.sol";

/// What the ledger keeps of a proposal (docs/protocol.md §4.7). It is hashed in three steps, so that finalisation and
/// the cheapest proof carry no more of it than they need.
library ProposalHash {
    /// Everything but the three vectors' roots.
    function details(
        Proposal memory proposal,
        bytes32 segmentsHash,
        bytes32 excludedHash,
        bytes32 auxHash,
        uint16 included
    ) internal pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    proposal.membersRoot,
                    proposal.dataId,
                    segmentsHash,
                    excludedHash,
                    auxHash,
                    proposal.committed,
                    included
                )
            );
    }

    /// Everything but aggregate and matrix: what a column proof carries.
    function core(bytes32 modelRoot, bytes32 detailsHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(modelRoot, detailsHash));
    }

    function outer(
        uint64 roundId,
        bytes32 aggregateRoot,
        bytes32 matrixRoot,
        bytes32 coreHash
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(roundId, aggregateRoot, matrixRoot, coreHash));
    }
}
