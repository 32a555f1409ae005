// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {OrderStats} from "../../libraries/OrderStats.sol";
import {Symbolic} from "./Symbolic.sol";

/// What the census of a column counts, and that of three values only the middle one passes as the two hints of a median.
contract SymbolicOrderStats is Symbolic {
    function keptSum(
        int32[] memory column,
        uint256 trim,
        int32 low,
        int32 high
    ) external pure returns (int256) {
        return OrderStats.keptSum(column, trim, low, high);
    }

    function check_census_of_3() external pure {
        int32[] memory column = anyColumn(3);
        (int32 low, int32 high) = (anyInt32("low"), anyInt32("high"));
        OrderStats.Census memory got = OrderStats.census(column, low, high);
        OrderStats.Census memory want = _census(column, low, high);
        assert(got.belowLow == want.belowLow && got.upToLow == want.upToLow);
        assert(got.belowHigh == want.belowHigh && got.upToHigh == want.upToHigh);
        assert(got.between == want.between);
    }

    function check_only_the_median_passes_for_the_median_of_3() external view {
        int32[] memory column = anyColumn(3);
        (int32 low, int32 high) = (anyInt32("low"), anyInt32("high"));
        int32 median = _median(column[0], column[1], column[2]);
        bool isHonest = low == median && high == median;
        try this.keptSum(column, 1, low, high) returns (int256 got) {
            assert(isHonest && got == median);
        } catch {
            assert(!isHonest);
        }
    }

    function check_sorted_of_3() external pure {
        int32[] memory column = anyColumn(3);
        int256[] memory values = new int256[](3);
        for (uint256 i = 0; i < 3; ++i) values[i] = column[i];
        int256[] memory got = OrderStats.sorted(values);
        assert(got[0] <= got[1] && got[1] <= got[2]);
        // The same values as often: each value is found as often before as after.
        for (uint256 i = 0; i < 3; ++i) assert(_times(values, values[i]) == _times(got, values[i]));
    }

    function _median(int32 a, int32 b, int32 c) private pure returns (int32) {
        if (b < a) (a, b) = (b, a);
        if (c < a) return a;
        return c < b ? c : b;
    }

    function _census(
        int32[] memory column,
        int32 low,
        int32 high
    ) private pure returns (OrderStats.Census memory seen) {
        for (uint256 i = 0; i < column.length; ++i) {
            if (column[i] < low) ++seen.belowLow;
            if (column[i] <= low) ++seen.upToLow;
            if (column[i] < high) ++seen.belowHigh;
            if (column[i] <= high) ++seen.upToHigh;
            if (low < column[i] && column[i] < high) seen.between += column[i];
        }
    }

    function _times(int256[] memory values, int256 value) private pure returns (uint256 times) {
        for (uint256 i = 0; i < values.length; ++i) if (values[i] == value) ++times;
    }
}
