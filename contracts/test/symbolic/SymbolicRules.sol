// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IntegerRules} from "../../libraries/IntegerRules.sol";
import {LittleEndian} from "../../libraries/LittleEndian.sol";
import {Symbolic} from "./Symbolic.sol";

/// The arithmetic of the rules against its definition, for all values of the arguments' types.
contract SymbolicRules is Symbolic {
    function rdiv(int256 a, int256 b) external pure returns (int256) {
        return IntegerRules.rdiv(a, b);
    }

    function check_rdiv_by_1_is_the_same_number(int128 a) external pure {
        assert(IntegerRules.rdiv(a, 1) == a);
    }

    /// Powers of two are bits to the solver. Of other divisors it manages these, for all sums of 2^16 values.
    function check_rdiv_by_2(int64 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 2), a, 2);
    }

    function check_rdiv_by_4(int64 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 4), a, 4);
    }

    function check_rdiv_by_8(int64 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 8), a, 8);
    }

    function check_rdiv_by_16(int64 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 16), a, 16);
    }

    function check_rdiv_by_3(int48 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 3), a, 3);
    }

    function check_rdiv_by_6(int48 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 6), a, 6);
    }

    function check_rdiv_by_7(int48 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 7), a, 7);
    }

    function check_rdiv_refuses_all_but_positive_divisors(int256 a, int256 b) external view {
        if (b > 0) return;
        try this.rdiv(a, b) {
            assert(false);
        } catch {}
    }

    function check_mean_of_2() external pure {
        _isMean(2);
    }

    function check_mean_of_4() external pure {
        _isMean(4);
    }

    function check_sum_32_wraps() external pure {
        int32[] memory column = anyColumn(3);
        unchecked {
            assert(IntegerRules.sum32(column) == column[0] + column[1] + column[2]);
        }
    }

    function check_clamp_is_the_nearest_value_within_the_bound(int32 x, uint32 bound) external pure {
        int256 got = IntegerRules.clamp(x, bound);
        int256 limit = int256(uint256(bound));
        assert(-limit <= got && got <= limit);
        assert(got == x || (x > limit && got == limit) || (x < -limit && got == -limit));
    }

    function check_model_step_saturates(int32 model, int32 aggregate) external pure {
        int256 sum = int256(model) + aggregate;
        int256 got = IntegerRules.modelStep(model, aggregate);
        if (sum > type(int32).max) assert(got == type(int32).max);
        else if (sum < type(int32).min) assert(got == type(int32).min);
        else assert(got == sum);
    }

    function check_swap_32_reverses_four_bytes(uint32 x) external pure {
        uint32 swapped = LittleEndian.swap32(x);
        assert(LittleEndian.swap32(swapped) == x);
        for (uint256 i = 0; i < 4; ++i) assert(bytes4(swapped)[i] == bytes4(x)[3 - i]);
    }

    function check_decode_undoes_encode() external pure {
        int32[] memory values = anyColumn(3);
        int32[] memory back = LittleEndian.decode(LittleEndian.encode(values));
        assert(back.length == values.length);
        for (uint256 i = 0; i < values.length; ++i) assert(back[i] == values[i]);
    }

    function _isMean(uint256 n) private pure {
        int32[] memory column = anyColumn(n);
        int256 sum = 0;
        unchecked {
            for (uint256 i = 0; i < n; ++i) sum += column[i];
        }
        _isRounded(IntegerRules.mean(column), sum, int256(n));
    }

    /// quotient = floor((2a + b) / 2b), without a division, nor the compiler's checks of products, which are divisions.
    function _isRounded(int256 quotient, int256 a, int256 b) private pure {
        unchecked {
            int256 rest = 2 * a + b - 2 * b * quotient;
            assert(0 <= rest && rest < 2 * b);
        }
    }
}
