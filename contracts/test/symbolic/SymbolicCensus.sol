// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ColumnCensus} from "../../libraries/ColumnCensus.sol";
import {IntegerRules} from "../../libraries/IntegerRules.sol";
import {LittleEndian} from "../../libraries/LittleEndian.sol";
import {Symbolic} from "./Symbolic.sol";

/// The census of eight values at a time: the clamped median of one value, and of one among others, and no other hints.
contract SymbolicCensus is Symbolic {
    uint32 private constant BOUND = 2 ** 23 - 1;

    function keptSum(
        bytes calldata chunk,
        uint256 trim,
        int32 low,
        int32 high
    ) external pure returns (int256) {
        return ColumnCensus.keptSum(chunk, 0, chunk.length / 4, BOUND, trim, low, high);
    }

    function check_only_the_clamped_value_passes_for_a_column_of_1() external view {
        int32[] memory column = anyColumn(1);
        _isMedian(column, IntegerRules.clamp(column[0], BOUND));
    }

    /// The second word has one value, and fillers.
    function check_only_the_median_passes_for_one_value_among_9() external view {
        int32[] memory column = new int32[](9);
        for (uint256 i = 0; i < 8; ++i) column[i] = i % 2 == 0 ? int32(-1000) : int32(1000);
        column[8] = anyInt32("value");
        int32 median = column[8];
        if (median < -1000) median = -1000;
        if (median > 1000) median = 1000;
        _isMedian(column, median);
    }

    function _isMedian(int32[] memory column, int32 median) private view {
        (int32 low, int32 high) = (anyInt32("low"), anyInt32("high"));
        bool isHonest = low == median && high == median;
        bytes memory chunk = LittleEndian.encode(column);
        try this.keptSum(chunk, column.length / 2, low, high) returns (int256 got) {
            assert(isHonest && got == median);
        } catch {
            assert(!isHonest);
        }
    }
}
