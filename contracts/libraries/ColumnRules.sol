// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Rule, Task} from "../interfaces/IRoundLedger.sol";
import {IntegerRules} from "./IntegerRules.sol";

/// What a task's rule makes of one coordinate of all included clients (docs/protocol.md §5).
library ColumnRules {
    /// Aggregate of a column, which it clamps in place. `examples` may be empty unless the rule weighs. Rules that
    /// need more than one coordinate are not covered.
    function aggregate(
        Task memory task,
        int32[] memory column,
        uint32[] memory examples,
        int32 low,
        int32 high
    ) internal pure returns (int32) {
        Rule rule = task.rule;
        if (rule == Rule.Sum32) return IntegerRules.sum32(column);
        _clamp(column, task.bound);
        if (rule == Rule.Mean) return IntegerRules.mean(column);
        if (rule == Rule.Median)
            return IntegerRules.trimmedMeanHinted(column, (column.length - 1) / 2, low, high);
        if (rule == Rule.TrimmedMean)
            return IntegerRules.trimmedMeanHinted(column, task.ruleParam, low, high);
        if (rule == Rule.WeightedMean && examples.length != 0)
            return IntegerRules.weightedMean(column, examples, task.examplesCap);
        revert IDisputeCourt.RuleNotCovered(rule);
    }

    /// IntegerRules.clamp of every value.
    function _clamp(int32[] memory column, uint32 bound) private pure {
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
