// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "../interfaces/IDisputeCourt.sol";
import {Dispute, IRoundLedger} from "../interfaces/IRoundLedger.sol";
import {ProposalHash} from "./ProposalHash.sol";

/// That a claim is the proposal that a round holds.
library ClaimCheck {
    /// What to judge the round by.
    function check(
        IRoundLedger ledger,
        uint64 roundId,
        Claim calldata claim
    ) internal view returns (Dispute memory dispute) {
        dispute = ledger.disputeOf(roundId);
        requireMatch(roundId, claim, dispute.included, dispute.proposalHash);
    }

    function requireMatch(uint64 roundId, Claim calldata claim, uint16 included, bytes32 want) internal pure {
        bytes32 details = ProposalHash.details(
            claim.proposal,
            claim.segmentsHash,
            claim.excludedHash,
            claim.auxHash,
            included
        );
        requireProposal(
            roundId,
            claim.proposal.aggregateRoot,
            claim.proposal.matrixRoot,
            ProposalHash.core(claim.proposal.modelRoot, details),
            want
        );
    }

    function requireProposal(
        uint64 roundId,
        bytes32 aggregateRoot,
        bytes32 matrixRoot,
        bytes32 coreHash,
        bytes32 want
    ) internal pure {
        bytes32 got = ProposalHash.outer(roundId, aggregateRoot, matrixRoot, coreHash);
        if (got != want) revert IRoundLedger.ProposalMismatch(roundId, got, want);
    }
}
