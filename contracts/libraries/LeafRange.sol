// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ChunkTree} from "./ChunkTree.sol";
import {PackedProof} from "./PackedProof.sol";

/// Contiguous leaves of a chunk tree, with the siblings that lead from them to its root (docs/protocol.md §2.5).
library LeafRange {
    using PackedProof for PackedProof.Reader;

    /// A vector of `vectorBytes` in leaves of `leafBytes`, and `count` of them, at least one, from `first` on.
    struct Range {
        uint256 vectorBytes;
        uint256 leafBytes;
        uint256 first;
        uint256 count;
    }

    /// Leaves of the whole vector.
    function leaves(Range memory range) internal pure returns (uint256) {
        return (range.vectorBytes + range.leafBytes - 1) / range.leafBytes;
    }

    /// Bytes of the range's leaves; the vector's last leaf may be short.
    function dataBytes(Range memory range) internal pure returns (uint256) {
        uint256 end = (range.first + range.count) * range.leafBytes;
        return (end < range.vectorBytes ? end : range.vectorBytes) - range.first * range.leafBytes;
    }

    /// Siblings of the range: at each level, one on the left of an odd first node, and one on the right of an even
    /// last node that is not the level's last.
    function pathLength(Range memory range) internal pure returns (uint256 length) {
        uint256 first = range.first;
        uint256 last = first + range.count - 1;
        for (uint256 end = leaves(range) - 1; end > 0; end >>= 1) {
            assembly ("memory-safe") {
                let right := and(lt(last, end), iszero(and(last, 1)))
                length := add(length, add(and(first, 1), right))
                first := shr(1, first)
                last := shr(1, last)
            }
        }
    }

    /// Read the leaves and their siblings; return the root to which they lead.
    function takeRoot(PackedProof.Reader memory reader, Range memory range) internal view returns (bytes32) {
        bytes calldata data = reader.take(dataBytes(range));
        bytes32[] memory nodes = new bytes32[](range.count);
        for (uint256 i = 0; i < nodes.length; ++i) {
            uint256 end = (i + 1) * range.leafBytes;
            nodes[i] = ChunkTree.leafHashOf(data[i * range.leafBytes:end < data.length ? end : data.length]);
        }
        uint256 at = reader.at;
        uint256 first = range.first;
        for (uint256 end = leaves(range) - 1; end > 0; end >>= 1) {
            at = _climb(nodes, first, end, at);
            first >>= 1;
        }
        // The siblings were read unchecked.
        reader.take(at - reader.at);
        return nodes[0];
    }

    /// Put the parents of `nodes`, which begin at index `first` of a level that ends with index `end`, in their place.
    /// Siblings lie in the call data from `at` on; returns where the rest of them is.
    function _climb(
        bytes32[] memory nodes,
        uint256 first,
        uint256 end,
        uint256 at
    ) private view returns (uint256 rest) {
        assembly ("memory-safe") {
            function parent(left, right) -> node {
                let scratch := mload(0x40)
                mstore8(scratch, 0x01)
                mstore(add(scratch, 0x01), left)
                mstore(add(scratch, 0x21), right)
                if iszero(staticcall(gas(), 2, scratch, 0x41, 0x00, 0x20)) {
                    revert(0x00, 0x00)
                }
                node := mload(0x00)
            }
            let base := add(nodes, 0x20)
            let limit := add(base, shl(5, mload(nodes)))
            let from := base
            // An odd first node is a right child.
            if and(first, 1) {
                mstore(base, parent(calldataload(at), mload(base)))
                at := add(at, 0x20)
                from := add(base, 0x20)
            }
            let to := from
            for {} lt(add(from, 0x20), limit) {} {
                mstore(to, parent(mload(from), mload(add(from, 0x20))))
                from := add(from, 0x40)
                to := add(to, 0x20)
            }
            // A last node alone is a left child, or the last of its level: that one moves up unchanged.
            if lt(from, limit) {
                let node := mload(from)
                if lt(add(first, shr(5, sub(from, base))), end) {
                    node := parent(node, calldataload(at))
                    at := add(at, 0x20)
                }
                mstore(to, node)
                to := add(to, 0x20)
            }
            mstore(nodes, shr(5, sub(to, base)))
            rest := at
        }
    }
}
