// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {OrderStats} from "./OrderStats.sol";

/// Aggregation rules in exact integers, for one coordinate of all included clients (docs/protocol.md §5).
/// The mirror of ledger/spec/rules.py; the shared vectors keep the two equal.
library IntegerRules {
    error EmptyColumn();
    error LengthMismatch(uint256 got, uint256 want);
    error ZeroDivisor();
    error TooFewUpdates(uint256 got, uint256 want);

    /// a / b to the nearest integer, halves up: floor((2a + b) / 2b), b positive (§1.3).
    function rdiv(int256 a, int256 b) internal pure returns (int256 quotient) {
        if (b <= 0) revert ZeroDivisor();
        int256 numerator = 2 * a + b;
        quotient = numerator / (2 * b);
        // Solidity truncates towards zero, the specification floors.
        if (numerator < 0 && numerator % (2 * b) != 0) --quotient;
    }

    function clamp(int32 x, uint32 bound) internal pure returns (int32) {
        int256 limit = int256(uint256(bound));
        if (x > limit) return int32(limit);
        if (x < -limit) return int32(-limit);
        return x;
    }

    function clampAll(int32[] memory values, uint32 bound) internal pure returns (int32[] memory clamped) {
        clamped = new int32[](values.length);
        for (uint256 i = 0; i < values.length; ++i) clamped[i] = clamp(values[i], bound);
    }

    /// Sum modulo 2^32, read as signed: for masked updates, so nothing is clamped (§5.1).
    function sum32(int32[] memory column) internal pure returns (int32) {
        return int32(uint32(uint256(_sum(column))));
    }

    function mean(int32[] memory column) internal pure returns (int32) {
        _requireFilled(column);
        return int32(rdiv(_sum(column), int256(column.length)));
    }

    /// Weights are min(examples, cap): self-reported counts never weigh more (§5.3).
    function weightedMean(
        int32[] memory column,
        uint32[] memory examples,
        uint32 cap
    ) internal pure returns (int32) {
        if (examples.length != column.length) revert LengthMismatch(examples.length, column.length);
        int256 sum = 0;
        int256 weights = 0;
        for (uint256 i = 0; i < column.length; ++i) {
            int256 weight = int256(uint256(examples[i] < cap ? examples[i] : cap));
            sum += weight * column[i];
            weights += weight;
        }
        // Nobody weighs anything: the aggregate is zero (§5.3).
        return weights == 0 ? int32(0) : int32(rdiv(sum, weights));
    }

    /// The middle value, or the two middle ones halved: what is left after trimming all others.
    function median(int32[] memory column) internal pure returns (int32) {
        _requireFilled(column);
        return trimmedMean(column, (column.length - 1) / 2);
    }

    /// Mean without the `trim` lowest and highest values, with multiplicity.
    function trimmedMean(int32[] memory column, uint256 trim) internal pure returns (int32) {
        if (column.length <= 2 * trim) revert TooFewUpdates(column.length, 2 * trim + 1);
        int256[] memory ordered = OrderStats.sorted(_widen(column));
        int256 sum = 0;
        for (uint256 i = trim; i < ordered.length - trim; ++i) sum += ordered[i];
        return int32(rdiv(sum, int256(ordered.length - 2 * trim)));
    }

    /// The same from two hints, in one pass and without a sort (OrderStats.keptSum).
    function trimmedMeanHinted(
        int32[] memory column,
        uint256 trim,
        int32 low,
        int32 high
    ) internal pure returns (int32) {
        if (column.length <= 2 * trim) revert TooFewUpdates(column.length, 2 * trim + 1);
        return int32(rdiv(OrderStats.keptSum(column, trim, low, high), int256(column.length - 2 * trim)));
    }

    /// Base plus aggregate, saturating at the int32 range (§5.7).
    function modelStep(int32 model, int32 aggregate) internal pure returns (int32) {
        int256 sum = int256(model) + aggregate;
        if (sum > type(int32).max) return type(int32).max;
        if (sum < type(int32).min) return type(int32).min;
        return int32(sum);
    }

    function squaredDistance(int32[] memory a, int32[] memory b) internal pure returns (uint256 total) {
        if (a.length != b.length) revert LengthMismatch(a.length, b.length);
        for (uint256 i = 0; i < a.length; ++i) {
            int256 difference = int256(a[i]) - b[i];
            total += uint256(difference * difference);
        }
    }

    /// Symmetric matrix of exact squared distances.
    function distances(int32[][] memory updates) internal pure returns (uint256[][] memory matrix) {
        uint256 n = updates.length;
        matrix = new uint256[][](n);
        for (uint256 i = 0; i < n; ++i) {
            matrix[i] = new uint256[](n);
            for (uint256 j = 0; j < i; ++j) {
                matrix[i][j] = squaredDistance(updates[i], updates[j]);
                matrix[j][i] = matrix[i][j];
            }
        }
    }

    /// Krum score of each update: the sum of its n - f - 2 smallest squared distances to the others (§5.6).
    function krumScores(uint256[][] memory matrix, uint256 f) internal pure returns (int256[] memory scores) {
        uint256 n = matrix.length;
        if (n < 2 * f + 3) revert TooFewUpdates(n, 2 * f + 3);
        scores = new int256[](n);
        for (uint256 i = 0; i < n; ++i) {
            int256[] memory others = OrderStats.sorted(_others(matrix[i], i));
            for (uint256 j = 0; j < n - f - 2; ++j) scores[i] += others[j];
        }
    }

    /// Slots of the `count` lowest scores, ties to the lower slot, in rising slot order.
    function selectLowest(
        int256[] memory scores,
        uint256 count
    ) internal pure returns (uint256[] memory slots) {
        if (count > scores.length) revert TooFewUpdates(scores.length, count);
        slots = new uint256[](count);
        uint256 found = 0;
        for (uint256 i = 0; i < scores.length; ++i) {
            if (_rank(scores, i) < count) slots[found++] = i;
        }
    }

    function _rank(int256[] memory scores, uint256 slot) private pure returns (uint256 rank) {
        for (uint256 j = 0; j < scores.length; ++j) {
            if (scores[j] < scores[slot] || (scores[j] == scores[slot] && j < slot)) ++rank;
        }
    }

    function _others(uint256[] memory row, uint256 slot) private pure returns (int256[] memory others) {
        others = new int256[](row.length - 1);
        for (uint256 j = 0; j < others.length; ++j) others[j] = int256(row[j < slot ? j : j + 1]);
    }

    function _widen(int32[] memory values) private pure returns (int256[] memory wide) {
        wide = new int256[](values.length);
        for (uint256 i = 0; i < values.length; ++i) wide[i] = values[i];
    }

    function _sum(int32[] memory values) private pure returns (int256 sum) {
        assembly ("memory-safe") {
            let at := add(values, 0x20)
            for {
                let end := add(at, shl(5, mload(values)))
            } lt(at, end) {
                at := add(at, 0x20)
            } {
                sum := add(sum, mload(at))
            }
        }
    }

    function _requireFilled(int32[] memory column) private pure {
        if (column.length == 0) revert EmptyColumn();
    }
}
