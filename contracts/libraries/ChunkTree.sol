// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// SHA-256 Merkle tree over chunks, in the shape of RFC 6962: nothing is padded, a node without a sibling moves up
/// unchanged (docs/protocol.md §2). The leaf and node prefixes keep a node from passing as a leaf.
library ChunkTree {
    error NoLeaves();

    function leafHash(bytes memory chunk) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0x00), chunk));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0x01), left, right));
    }

    /// Root of `data` cut into chunks of `chunkBytes`, the last one possibly short; no data is one empty chunk.
    function chunkRoot(bytes memory data, uint256 chunkBytes) internal pure returns (bytes32) {
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
    function rootOf(bytes32[] memory hashes) internal pure returns (bytes32) {
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
    ) internal pure returns (bool) {
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

    function _slice(bytes memory data, uint256 start, uint256 size) private pure returns (bytes memory part) {
        part = new bytes(size);
        assembly ("memory-safe") {
            mcopy(add(part, 0x20), add(add(data, 0x20), start), size)
        }
    }
}
