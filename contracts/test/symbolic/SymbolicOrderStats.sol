// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {OrderStats} from "../../libraries/OrderStats.sol";
import {Symbolic} from "./Symbolic.sol";

/// Of all pairs of hints, only the lowest and the highest kept value pass, and what passes with them is the sum of the
/// kept values. Three steps make that hold of columns in any order:
/// 1. the census is the count that its fields name, a sum over the values, in which their order is of no account;
/// 2. of a column in rising order, no other hints than the two order statistics pass;
/// 3. of a column in rising order, those two pass, and the sum is right.
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
        _isCensus(3);
    }

    function check_census_of_4() external pure {
        _isCensus(4);
    }

    function check_census_of_5() external pure {
        _isCensus(5);
    }

    function check_median_of_3_in_any_order() external view {
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

    function check_no_wrong_hint_passes_for_all_of_3() external view {
        _refusesWrongHints(3, 0);
    }

    function check_right_hints_give_the_sum_for_all_of_3() external view {
        _sumsKept(3, 0);
    }

    function check_no_wrong_hint_passes_for_median_of_3() external view {
        _refusesWrongHints(3, 1);
    }

    function check_right_hints_give_the_sum_for_median_of_3() external view {
        _sumsKept(3, 1);
    }

    function check_no_wrong_hint_passes_for_all_of_4() external view {
        _refusesWrongHints(4, 0);
    }

    function check_right_hints_give_the_sum_for_all_of_4() external view {
        _sumsKept(4, 0);
    }

    function check_no_wrong_hint_passes_for_median_of_4() external view {
        _refusesWrongHints(4, 1);
    }

    function check_right_hints_give_the_sum_for_median_of_4() external view {
        _sumsKept(4, 1);
    }

    function check_no_wrong_hint_passes_for_all_of_5() external view {
        _refusesWrongHints(5, 0);
    }

    function check_right_hints_give_the_sum_for_all_of_5() external view {
        _sumsKept(5, 0);
    }

    function check_no_wrong_hint_passes_for_5_without_2() external view {
        _refusesWrongHints(5, 1);
    }

    function check_right_hints_give_the_sum_for_5_without_2() external view {
        _sumsKept(5, 1);
    }

    function check_no_wrong_hint_passes_for_median_of_5() external view {
        _refusesWrongHints(5, 2);
    }

    function check_right_hints_give_the_sum_for_median_of_5() external view {
        _sumsKept(5, 2);
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

    function _isCensus(uint256 n) private pure {
        int32[] memory column = anyColumn(n);
        (int32 low, int32 high) = (anyInt32("low"), anyInt32("high"));
        OrderStats.Census memory got = OrderStats.census(column, low, high);
        OrderStats.Census memory want;
        for (uint256 i = 0; i < n; ++i) {
            int32 x = column[i];
            want.belowLow += _one(x < low);
            want.upToLow += _one(x <= low);
            want.belowHigh += _one(x < high);
            want.upToHigh += _one(x <= high);
            unchecked {
                want.between += int256(_one(low < x) & _one(x < high)) * x;
            }
        }
        assert(got.belowLow == want.belowLow);
        assert(got.upToLow == want.upToLow);
        assert(got.belowHigh == want.belowHigh);
        assert(got.upToHigh == want.upToHigh);
        assert(got.between == want.between);
    }

    function _refusesWrongHints(uint256 n, uint256 trim) private view {
        int32[] memory column = anyColumn(n);
        for (uint256 i = 1; i < n; ++i) assume(column[i - 1] <= column[i]);
        (int32 low, int32 high) = (anyInt32("low"), anyInt32("high"));
        if (low == column[trim] && high == column[n - 1 - trim]) return;
        try this.keptSum(column, trim, low, high) returns (int256) {
            assert(false);
        } catch {}
    }

    function _sumsKept(uint256 n, uint256 trim) private view {
        int32[] memory column = _strictOrTied(n);
        int256 want = 0;
        for (uint256 i = trim; i < n - trim; ++i) want += column[i];
        try this.keptSum(column, trim, column[trim], column[n - 1 - trim]) returns (int256 got) {
            assert(got == want);
        } catch {
            assert(false);
        }
    }

    /// A path for each way in which neighbours can be equal, so that the solver has numbers where the census counts.
    function _strictOrTied(uint256 n) private pure returns (int32[] memory column) {
        column = new int32[](n);
        column[0] = anyInt32("value");
        for (uint256 i = 1; i < n; ++i) {
            if (anyUint32("isTie") == 1) {
                column[i] = column[i - 1];
                continue;
            }
            column[i] = anyInt32("value");
            for (uint256 j = 0; j < i; ++j) assume(column[j] < column[i]);
        }
    }

    function _median(int32 a, int32 b, int32 c) private pure returns (int32) {
        if (b < a) (a, b) = (b, a);
        if (c < a) return a;
        return c < b ? c : b;
    }

    /// A branch less for the solver than `? 1 : 0`.
    function _one(bool holds) private pure returns (uint256 one) {
        assembly ("memory-safe") {
            one := holds
        }
    }

    function _times(int256[] memory values, int256 value) private pure returns (uint256 times) {
        for (uint256 i = 0; i < values.length; ++i) if (values[i] == value) ++times;
    }
}
