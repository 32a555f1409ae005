// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Dispute, Rule} from "../interfaces/IRoundLedger.sol";
import {ColumnCensus} from "./ColumnCensus.sol";
import {IntegerRules} from "./IntegerRules.sol";
import {OrderStats} from "./OrderStats.sol";
import {PackedProof} from "./PackedProof.sol";

/// What a task's rule makes of one coordinate of all included clients (docs/protocol.md §5).
library ColumnRules {
    /// Aggregate of the column that begins at value `start` of a chunk in the call data, for rules without weights.
    function aggregateFrom(
        Dispute memory dispute,
        bytes calldata chunk,
        uint256 start,
        int32 low,
        int32 high
    ) internal pure returns (int32) {
        uint256 n = dispute.included;
        if (!isHinted(dispute.rule))
            return aggregate(dispute, PackedProof.valuesFrom(chunk, start, n), new uint32[](0), low, high);
        uint256 trim = trimOf(dispute);
        int256 sum = ColumnCensus.keptSum(chunk, start, n, dispute.bound, trim, low, high);
        return int32(IntegerRules.rdiv(sum, int256(n - 2 * trim)));
    }

    /// Aggregate of a column, which it clamps in place. `weights` may be empty unless the rule weighs.
    function aggregate(
        Dispute memory dispute,
        int32[] memory column,
        uint32[] memory weights,
        int32 low,
        int32 high
    ) internal pure returns (int32) {
        requireCovered(dispute, low, high);
        Rule rule = dispute.rule;
        if (rule == Rule.Sum32) return IntegerRules.sum32(column);
        clamp(column, dispute.bound);
        if (isHinted(rule)) return IntegerRules.trimmedMeanHinted(column, trimOf(dispute), low, high);
        if (rule == Rule.Mean) return IntegerRules.mean(column);
        if (weights.length == 0) revert IDisputeCourt.RuleNotCovered(rule);
        return IntegerRules.weightedMean(column, weights, dispute.examplesCap);
    }

    /// Mean of a column, which it clamps in place, by the weights that the proposal posted.
    function aggregatePosted(
        Dispute memory dispute,
        int32[] memory column,
        uint32[] memory weights
    ) internal pure returns (int32) {
        clamp(column, dispute.bound);
        return IntegerRules.weightedMean(column, weights, dispute.examplesCap);
    }

    /// Not covered are rules that need more than one coordinate, and masked sums, of which no column tells the result.
    function requireCovered(Dispute memory dispute, int32 low, int32 high) internal pure {
        Rule rule = dispute.rule;
        bool isMasked = rule == Rule.Sum32 && dispute.ruleParam != 0;
        if (isMasked || rule == Rule.Krum || rule == Rule.MultiKrum || rule == Rule.Composed)
            revert IDisputeCourt.RuleNotCovered(rule);
        // Zeros where there are no hints: a copier must not find another encoding of a proof.
        if (!isHinted(rule) && (low != 0 || high != 0)) revert OrderStats.WrongHint(low, high);
    }

    /// Whether a proof names the lowest and the highest value that the rule keeps.
    function isHinted(Rule rule) internal pure returns (bool) {
        return rule == Rule.TrimmedMean || rule == Rule.Median;
    }

    /// Values that the rule leaves out at each end.
    function trimOf(Dispute memory dispute) internal pure returns (uint256) {
        return dispute.rule == Rule.Median ? (uint256(dispute.included) - 1) / 2 : dispute.ruleParam;
    }

    /// IntegerRules.clamp of every value.
    function clamp(int32[] memory column, uint32 bound) internal pure {
        assembly ("memory-safe") {
            let at := add(column, 0x20)
            let low := sub(0, bound)
            for {
                let end := add(at, shl(5, mload(column)))
            } lt(at, end) {
                at := add(at, 0x20)
            } {
                if sgt(mload(at), bound) {
                    mstore(at, bound)
                }
                if slt(mload(at), low) {
                    mstore(at, low)
                }
            }
        }
    }
}
