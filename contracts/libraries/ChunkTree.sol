// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// SHA-256 Merkle tree over chunks, in the shape of RFC 6962: nothing is padded, a node without a sibling moves up
/// unchanged (docs/protocol.md §2). The leaf and node prefixes keep a node from passing as a leaf.
library ChunkTree {
    error NoLeaves();

    function leafHash(bytes memory chunk) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            // Scratch beyond the free memory: hashing a million leaves must not make memory dear.
            let at := mload(0x40)
            mstore8(at, 0x00)
            mcopy(add(at, 1), add(chunk, 0x20), mload(chunk))
            if iszero(staticcall(gas(), 2, at, add(mload(chunk), 1), 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            hash := mload(0x00)
        }
    }

    /// The same for a chunk that lies in the call data.
    function leafHashOf(bytes calldata chunk) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0x00)
            calldatacopy(add(at, 1), chunk.offset, chunk.length)
            if iszero(staticcall(gas(), 2, at, add(chunk.length, 1), 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            hash := mload(0x00)
        }
    }

    function nodeHash(bytes32 left, bytes32 right) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0x01)
            mstore(add(at, 0x01), left)
            mstore(add(at, 0x21), right)
            if iszero(staticcall(gas(), 2, at, 0x41, 0x00, 0x20)) {
                revert(0x00, 0x00)
            }
            hash := mload(0x00)
        }
    }

    /// Root of `data` cut into chunks of `chunkBytes`, the last one possibly short; no data is one empty chunk.
    function chunkRoot(bytes memory data, uint256 chunkBytes) internal view returns (bytes32) {
        if (chunkBytes == 0) revert NoLeaves();
        uint256 count = data.length == 0 ? 1 : (data.length + chunkBytes - 1) / chunkBytes;
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 start = i * chunkBytes;
            uint256 size = data.length - start < chunkBytes ? data.length - start : chunkBytes;
            hashes[i] = leafHash(_slice(data, start, size));
        }
        return rootOf(hashes);
    }

    /// Root over leaf hashes, which it overwrites.
    function rootOf(bytes32[] memory hashes) internal view returns (bytes32) {
        if (hashes.length == 0) revert NoLeaves();
        for (uint256 width = hashes.length; width > 1; width = (width + 1) / 2) {
            for (uint256 i = 0; i + 1 < width; i += 2) hashes[i / 2] = nodeHash(hashes[i], hashes[i + 1]);
            if (width % 2 == 1) hashes[width / 2] = hashes[width - 1];
        }
        return hashes[0];
    }

    /// Siblings that the path of leaf `index` of `leafCount` has: at a level whose last node it is, it may have none.
    function pathLength(uint256 index, uint256 leafCount) internal pure returns (uint256 length) {
        for (uint256 last = leafCount - 1; last > 0; last >>= 1) {
            if (index ^ 1 <= last) ++length;
            index >>= 1;
        }
    }

    /// Whether `path` leads from `leaf`, at `index` of `leafCount`, to `root`. The length of the path follows from the
    /// two numbers, so a proof cannot place a leaf at another depth.
    function verifyInclusion(
        bytes32 leaf,
        uint256 index,
        uint256 leafCount,
        bytes32[] memory path,
        bytes32 root
    ) internal view returns (bool) {
        if (index >= leafCount || path.length != pathLength(index, leafCount)) return false;
        uint256 used = 0;
        for (uint256 last = leafCount - 1; last > 0; last >>= 1) {
            if (index ^ 1 <= last) {
                bytes32 sibling = path[used++];
                leaf = index & 1 == 1 ? nodeHash(sibling, leaf) : nodeHash(leaf, sibling);
            }
            index >>= 1;
        }
        return leaf == root;
    }

    /// Root to which a packed path leads from `leaf`, at `index` of `leafCount`; `index` is below `leafCount`, and
    /// `path` holds the siblings that `pathLength` counts, 32 bytes each.
    function climb(
        bytes32 leaf,
        uint256 index,
        uint256 leafCount,
        bytes calldata path
    ) internal view returns (bytes32 root) {
        uint256 at;
        assembly ("memory-safe") {
            at := path.offset
        }
        (root, ) = climbAt(leaf, index, leafCount, at);
    }

    /// The same for siblings from position `at` of the call data on, and the position after them, which the caller
    /// compares with the end of what it was given.
    function climbAt(
        bytes32 leaf,
        uint256 index,
        uint256 leafCount,
        uint256 at
    ) internal view returns (bytes32 root, uint256 end) {
        // In assembly: a proof climbs as often as its vectors have levels.
        assembly ("memory-safe") {
            let node := mload(0x40)
            let left := add(node, 0x01)
            let right := add(node, 0x21)
            mstore8(node, 0x01)
            root := leaf
            for {
                let last := sub(leafCount, 1)
            } last {
                last := shr(1, last)
            } {
                // The last node of a level has a sibling only where it is a right child.
                if iszero(gt(xor(index, 1), last)) {
                    let odd := shl(5, and(index, 1))
                    mstore(add(left, odd), root)
                    mstore(sub(right, odd), calldataload(at))
                    at := add(at, 0x20)
                    if iszero(staticcall(gas(), 2, node, 0x41, 0x00, 0x20)) {
                        revert(0x00, 0x00)
                    }
                    root := mload(0x00)
                }
                index := shr(1, index)
            }
            end := at
        }
    }

    function _slice(bytes memory data, uint256 start, uint256 size) private pure returns (bytes memory part) {
        part = new bytes(size);
        assembly ("memory-safe") {
            mcopy(add(part, 0x20), add(add(data, 0x20), start), size)
        }
    }
}
