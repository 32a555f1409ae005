// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ColumnCensus} from "../../libraries/ColumnCensus.sol";
import {IntegerRules} from "../../libraries/IntegerRules.sol";
import {LittleEndian} from "../../libraries/LittleEndian.sol";
import {Symbolic} from "./Symbolic.sol";

/// The census of eight values at a time: the clamped median of one value, and of one among others, and no other hints.
contract SymbolicCensus is Symbolic {
    uint256 private constant ONES = 0x0000000000000001000000000000000100000000000000010000000000000001;
    uint256 private constant LOW_HALVES = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
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

    function check_only_the_median_passes_for_the_first_of_9() external view {
        _isMedianAt(0);
    }

    function check_only_the_median_passes_for_the_eighth_of_9() external view {
        _isMedianAt(7);
    }

    /// The second word has one value, and fillers.
    function check_only_the_median_passes_for_the_last_of_9() external view {
        _isMedianAt(8);
    }

    /// Of the library's comparison: whether y < t is bit 32 of 2^32 - 1 + t - y, in all four lanes at once.
    function check_lanes_compare_without_borrowing() external pure {
        uint256 y = uint256(anyBytes32("lanes")) & LOW_HALVES;
        uint256 edge = uint256(anyUint32("edge")) + (anyUint32("isEnd") & 1);
        unchecked {
            uint256 below = (((0xffffffff + edge) * ONES - y) >> 32) & ONES;
            uint256 want = 0;
            for (uint256 lane = 0; lane < 256; lane += 64) want |= _one(uint64(y >> lane) < edge) << lane;
            assert(below == want);
        }
    }

    function _isMedianAt(uint256 place) private view {
        int32[] memory column = new int32[](9);
        for (uint256 i = 0; i < 9; ++i) column[i] = i % 2 == 0 ? int32(-1000) : int32(1000);
        // Four below and four above, so that the value is the median where it lies between them.
        if (place % 2 == 1) column[8] = 1000;
        column[place] = anyInt32("value");
        int32 median = column[place];
        if (median < -1000) median = -1000;
        if (median > 1000) median = 1000;
        _isMedian(column, median);
    }

    function _one(bool holds) private pure returns (uint256 one) {
        assembly ("memory-safe") {
            one := holds
        }
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
