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

    /// Powers of two are bits to the solver, so all sums of 2^32 values are looked at; other divisors cost it so much
    /// that small numerators, of both signs, have to do.
    function check_rdiv_by_2(int64 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 2), a, 2);
    }

    function check_rdiv_by_4(int64 a) external pure {
        _isRounded(IntegerRules.rdiv(a, 4), a, 4);
    }

    function check_rdiv_by_3(uint8 magnitude, bool isNegative) external pure {
        _rdiv(magnitude, isNegative, 3);
    }

    function check_rdiv_refuses_all_but_positive_divisors(int256 a, int256 b) external view {
        if (b > 0) return;
        try this.rdiv(a, b) {
            assert(false);
        } catch {}
    }

    function check_mean_of_2() external pure {
        int32[] memory column = anyColumn(2);
        _isRounded(IntegerRules.mean(column), int256(column[0]) + column[1], 2);
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

    function _rdiv(uint256 magnitude, bool isNegative, int256 divisor) private pure {
        int256 a = isNegative ? -int256(magnitude) : int256(magnitude);
        _isRounded(IntegerRules.rdiv(a, divisor), a, divisor);
    }

    /// quotient = floor((2a + b) / 2b), without a division.
    function _isRounded(int256 quotient, int256 a, int256 b) private pure {
        int256 rest = 2 * a + b - 2 * b * quotient;
        assert(0 <= rest && rest < 2 * b);
    }
}
