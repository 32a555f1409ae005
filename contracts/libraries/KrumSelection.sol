// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IKrumCourt} from "../interfaces/IKrumCourt.sol";

/// Which updates Krum and Multi-Krum choose, from the packed distances (uint96, pairs (0, 1), (0, 2) … (1, 2) …) and
/// hints that are checked by counting, so that nothing is sorted (docs/protocol.md §5.6).
library KrumSelection {
    uint256 private constant DISTANCE_BYTES = 12;

    /// A slot's row of distances, read against its threshold.
    struct Row {
        /// Largest of the distances that the score counts.
        uint256 threshold;
        /// Sum of the distances below it in the low 192 bits; how many those are in the next 32, and how many equal it
        /// in the top 32.
        uint256 seen;
    }

    function auxLength(uint256 n) internal pure returns (uint256) {
        return (DISTANCE_BYTES * n * (n - 1)) / 2;
    }

    function thresholdsLength(uint256 n) internal pure returns (uint256) {
        return DISTANCE_BYTES * n;
    }

    /// Distance of two slots, `low` the lower one; the length of `aux` is right.
    function distanceOf(
        bytes calldata aux,
        uint256 n,
        uint256 low,
        uint256 high
    ) internal pure returns (uint96) {
        uint256 at = DISTANCE_BYTES * ((low * (2 * n - low - 1)) / 2 + high - low - 1);
        return uint96(bytes12(aux[at:at + DISTANCE_BYTES]));
    }

    /// Slots of the `count` lowest scores, ties to the lower slot, in rising slot order. A score is the sum of the
    /// `nearest` smallest distances to the others; `last` is the slot of the highest score chosen. Wrong hints revert.
    function choose(
        Row[] memory rows,
        uint256 nearest,
        uint256 count,
        uint256 last
    ) internal pure returns (uint256[] memory slots) {
        uint256[] memory scores = _scores(rows, nearest);
        if (last >= scores.length) revert IKrumCourt.WrongLastSlot(last, 0);
        slots = new uint256[](count);
        uint256 found = 0;
        for (uint256 slot = 0; slot < scores.length; ++slot) {
            bool isChosen = slot <= last ? scores[slot] <= scores[last] : scores[slot] < scores[last];
            if (!isChosen) continue;
            if (found < count) slots[found] = slot;
            ++found;
        }
        if (found != count) revert IKrumCourt.WrongLastSlot(last, found);
    }

    /// The sum of the `nearest` smallest: those below the threshold, and as many that equal it as are missing.
    function _scores(Row[] memory rows, uint256 nearest) private pure returns (uint256[] memory scores) {
        scores = new uint256[](rows.length);
        for (uint256 slot = 0; slot < scores.length; ++slot) {
            Row memory row = rows[slot];
            uint256 below = uint32(row.seen >> 192);
            uint256 equal = row.seen >> 224;
            // Exactly the value of rank `nearest`: a proof has one encoding, or a copier could change its hash.
            if (below >= nearest || below + equal < nearest) revert IKrumCourt.WrongThreshold(slot);
            scores[slot] = uint192(row.seen) + (nearest - below) * row.threshold;
        }
    }

    /// Every slot's row; both lengths are right.
    function read(bytes calldata aux, bytes calldata thresholds) internal pure returns (Row[] memory rows) {
        rows = new Row[](thresholds.length / DISTANCE_BYTES);
        for (uint256 slot = 0; slot < rows.length; ++slot) {
            uint256 at = DISTANCE_BYTES * slot;
            rows[slot].threshold = uint96(bytes12(thresholds[at:at + DISTANCE_BYTES]));
        }
        _count(aux, rows);
    }

    /// One pass over the distances, each of which is in two rows. In assembly: it is most of what the proof computes.
    function _count(bytes calldata aux, Row[] memory rows) private pure {
        assembly ("memory-safe") {
            let unit := shl(192, 1)
            let at := aux.offset
            let end := add(add(rows, 0x20), shl(5, mload(rows)))
            for {
                let i := add(rows, 0x20)
            } lt(i, end) {
                i := add(i, 0x20)
            } {
                let row := mload(i)
                let threshold := mload(row)
                let seen := mload(add(row, 0x20))
                for {
                    let j := add(i, 0x20)
                } lt(j, end) {
                    j := add(j, 0x20)
                } {
                    let distance := shr(160, calldataload(at))
                    at := add(at, 12)
                    let plain := add(distance, unit)
                    seen := add(
                        seen,
                        add(mul(lt(distance, threshold), plain), shl(224, eq(distance, threshold)))
                    )
                    let other := mload(j)
                    let limit := mload(other)
                    other := add(other, 0x20)
                    mstore(
                        other,
                        add(mload(other), add(mul(lt(distance, limit), plain), shl(224, eq(distance, limit))))
                    )
                }
                mstore(add(row, 0x20), seen)
            }
        }
    }
}
