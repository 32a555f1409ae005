// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Order statistics, by sorting or by checking hints (docs/protocol.md §5).
library OrderStats {
    error WrongHint(int32 low, int32 high);

    /// Values and counts seen on both sides of two hints.
    struct Census {
        uint256 belowLow;
        uint256 upToLow;
        uint256 belowHigh;
        uint256 upToHigh;
        int256 between;
    }

    /// A sorted copy in rising order (insertion sort: columns have as many values as a round has clients).
    function sorted(int256[] memory values) internal pure returns (int256[] memory copy) {
        copy = new int256[](values.length);
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 j = i;
            for (; j > 0 && copy[j - 1] > values[i]; --j) copy[j] = copy[j - 1];
            copy[j] = values[i];
        }
    }

    /// Sum of the column without its `trim` lowest and highest values, given the lowest and the highest value that is
    /// kept. One pass of counting proves the hints; wrong ones revert.
    function keptSum(
        int32[] memory column,
        uint256 trim,
        int32 low,
        int32 high
    ) internal pure returns (int256) {
        return keptSumOf(census(column, low, high), column.length, trim, low, high);
    }

    /// The same from the census of `count` values.
    function keptSumOf(
        Census memory seen,
        uint256 count,
        uint256 trim,
        int32 low,
        int32 high
    ) internal pure returns (int256) {
        uint256 end = count - trim;
        uint256 kept = end - trim;
        bool lowHolds = seen.belowLow <= trim && trim < seen.upToLow;
        bool highHolds = seen.belowHigh < end && end <= seen.upToHigh;
        if (!lowHolds || !highHolds) revert WrongHint(low, high);
        // Nothing overflows: values have 32 bits, counts are below 2^16 (a round has at most 10,000 clients), `between`
        // is a sum of so many values, and of hints that hold no difference of counts is negative. The compiler checks
        // products by dividing, which the solver does not get through (docs/security-analysis.md).
        unchecked {
            if (low == high) return int256(low) * int256(kept);
            return
                seen.between +
                int256(low) * int256(seen.upToLow - trim) +
                int256(high) * int256(end - seen.belowHigh);
        }
    }

    /// In assembly: one pass over all clients is most of what a dispute computes. No sum of int32 overflows.
    function census(int32[] memory column, int32 low, int32 high) internal pure returns (Census memory seen) {
        assembly ("memory-safe") {
            low := signextend(3, low)
            high := signextend(3, high)
            let at := add(column, 0x20)
            let end := add(at, shl(5, mload(column)))
            let belowLow := 0
            let upToLow := 0
            let belowHigh := 0
            let upToHigh := 0
            let between := 0
            for {} lt(at, end) {
                at := add(at, 0x20)
            } {
                let x := mload(at)
                let aboveLow := sgt(x, low)
                let underHigh := slt(x, high)
                belowLow := add(belowLow, slt(x, low))
                upToLow := add(upToLow, iszero(aboveLow))
                belowHigh := add(belowHigh, underHigh)
                upToHigh := add(upToHigh, iszero(sgt(x, high)))
                between := add(between, mul(x, and(aboveLow, underHigh)))
            }
            mstore(seen, belowLow)
            mstore(add(seen, 0x20), upToLow)
            mstore(add(seen, 0x40), belowHigh)
            mstore(add(seen, 0x60), upToHigh)
            mstore(add(seen, 0x80), between)
        }
    }
}
