// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {OrderStats} from "./OrderStats.sol";

/// `OrderStats.keptSum` of clamped values that lie in the call data as little-endian int32, eight at a time: what one
/// column of a thousand clients costs is this loop.
///
/// Four values share a word, each biased by 2^31 to an unsigned number y of 32 bits in a lane of 64. Whether y < t is
/// bit 32 of 2^32 - 1 + t - y, for all lanes in one subtraction, and no lane borrows from its neighbour.
library ColumnCensus {
    uint256 private constant ONES = 0x0000000000000001000000000000000100000000000000010000000000000001;
    uint256 private constant EVERY = 0x0000000100000001000000010000000100000001000000010000000100000001;
    uint256 private constant LOW_HALVES = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant BIAS = 0x8000000080000000800000008000000080000000800000008000000080000000;
    uint256 private constant ODD_BYTES = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant ODD_PAIRS = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;

    /// Sum of the `count` values from `start` on, clamped to `bound`, without the `trim` lowest and highest, given the
    /// lowest and the highest value that is kept. Wrong hints revert.
    function keptSum(
        bytes calldata chunk,
        uint256 start,
        uint256 count,
        uint32 bound,
        uint256 trim,
        int32 low,
        int32 high
    ) internal pure returns (int256) {
        int256 limit = int256(uint256(bound));
        if (low > high || low < -limit || high > limit) revert OrderStats.WrongHint(low, high);
        // x < low and x <= low after clamping are x < t and x < t + 1 before, except at the ends of the range, where
        // nothing is below and everything is at most.
        uint256[4] memory edges = [
            low == -limit ? 0 : _biased(low),
            low == limit ? 2 ** 32 : _biased(low) + 1,
            high == -limit ? 0 : _biased(high),
            high == limit ? 2 ** 32 : _biased(high) + 1
        ];
        (OrderStats.Census memory seen, uint256 sum) = _count(chunk, start, count, edges, _biased(low));
        // Of one and the same hint nothing lies between, and `sum` says nothing.
        seen.between = int256(sum) - 2 ** 31 * (int256(seen.belowHigh) - int256(seen.upToLow));
        return OrderStats.keptSumOf(seen, count, trim, low, high);
    }

    function _biased(int32 x) private pure returns (uint256) {
        return uint256(int256(x) + 2 ** 31);
    }

    // One loop, most of it constants and comments; splitting it would pass nine values around.
    // solhint-disable function-max-lines
    /// Numbers of values below the four edges, and the biased sum of those from the second edge to below the third.
    function _count(
        bytes calldata chunk,
        uint256 start,
        uint256 count,
        uint256[4] memory edges,
        uint256 filler
    ) private pure returns (OrderStats.Census memory seen, uint256 sum) {
        uint256 fillers = (8 - (count & 7)) & 7;
        uint256 counts;
        assembly ("memory-safe") {
            // 2^32 - 1 + edge in every lane.
            function spread(edge) -> lanes {
                lanes := mul(add(0xffffffff, edge), ONES)
            }
            function total(lanes) -> all {
                lanes := add(lanes, shr(128, lanes))
                all := and(add(lanes, shr(64, lanes)), 0xffffffffffffffff)
            }
            let belowLow := spread(mload(edges))
            let upToLow := spread(mload(add(edges, 0x20)))
            let belowHigh := spread(mload(add(edges, 0x40)))
            let upToHigh := spread(mload(add(edges, 0x60)))
            let at := add(chunk.offset, shl(2, start))
            let end := add(at, shl(2, count))
            // Counts of one edge fill 16 bits of each lane: a column has fewer than 2^16 values.
            for {} lt(at, end) {
                at := add(at, 0x20)
            } {
                let word := calldataload(at)
                word := or(and(shr(8, word), ODD_BYTES), shl(8, and(word, ODD_BYTES)))
                word := or(and(shr(16, word), ODD_PAIRS), shl(16, and(word, ODD_PAIRS)))
                word := xor(word, BIAS)
                let left := sub(end, at)
                if lt(left, 0x20) {
                    // The last word: the lowest kept value stands in for what is not there.
                    let bits := shl(3, sub(0x20, left))
                    word := or(shl(bits, shr(bits, word)), and(mul(filler, EVERY), sub(shl(bits, 1), 1)))
                }
                let y := and(word, LOW_HALVES)
                let b := and(shr(32, sub(upToLow, y)), ONES)
                let c := and(shr(32, sub(belowHigh, y)), ONES)
                counts := add(
                    counts,
                    add(
                        add(and(shr(32, sub(belowLow, y)), ONES), shl(16, b)),
                        shl(32, add(c, shl(16, and(shr(32, sub(upToHigh, y)), ONES))))
                    )
                )
                sum := add(sum, and(y, mul(xor(b, c), 0xffffffff)))
                y := and(shr(32, word), LOW_HALVES)
                b := and(shr(32, sub(upToLow, y)), ONES)
                c := and(shr(32, sub(belowHigh, y)), ONES)
                counts := add(
                    counts,
                    add(
                        add(and(shr(32, sub(belowLow, y)), ONES), shl(16, b)),
                        shl(32, add(c, shl(16, and(shr(32, sub(upToHigh, y)), ONES))))
                    )
                )
                sum := add(sum, and(y, mul(xor(b, c), 0xffffffff)))
            }
            counts := total(counts)
            sum := total(sum)
        }
        seen.belowLow = counts & 0xffff;
        seen.upToLow = ((counts >> 16) & 0xffff) - fillers;
        // The filler is below the highest kept value only where that is another one.
        seen.belowHigh = ((counts >> 32) & 0xffff) - (edges[2] > filler ? fillers : 0);
        seen.upToHigh = (counts >> 48) - fillers;
    }
    // solhint-enable function-max-lines
}
