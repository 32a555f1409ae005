// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Keccak Merkle tree over a segment of commitments, RFC 6962 shape (docs/protocol.md, Segments).
/// A leaf is keccak256(0x00 | client u32 | commitment), a node keccak256(0x01 | left | right).
library SegmentTree {
    error EmptySegment();

    function leaf(uint32 client, bytes32 commitment) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0x00, shl(216, client))
            mstore(0x05, commitment)
            hash := keccak256(0x00, 0x25)
        }
    }

    /// Root over `hashes`, which it overwrites. A node without a sibling moves up unchanged.
    function root(bytes32[] memory hashes) internal pure returns (bytes32) {
        uint256 width = hashes.length;
        if (width == 0) revert EmptySegment();
        while (width > 1) {
            uint256 pairs = width >> 1;
            assembly ("memory-safe") {
                let to := add(hashes, 0x20)
                let from := to
                let node := mload(0x40)
                let children := add(node, 0x01)
                let end := add(to, shl(5, pairs))
                mstore8(node, 0x01)
                for {} lt(to, end) {} {
                    mcopy(children, from, 0x40)
                    mstore(to, keccak256(node, 0x41))
                    from := add(from, 0x40)
                    to := add(to, 0x20)
                }
                if and(width, 1) {
                    mstore(to, mload(from))
                }
            }
            width = pairs + (width & 1);
        }
        return hashes[0];
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0x01)
            mstore(add(at, 0x01), left)
            mstore(add(at, 0x21), right)
            hash := keccak256(at, 0x41)
        }
    }

    /// Root to which a packed path leads from `hash`, at `index` of `count` (as ChunkTree.climb).
    function climb(
        bytes32 hash,
        uint256 index,
        uint256 count,
        bytes calldata path
    ) internal pure returns (bytes32) {
        uint256 at = 0;
        for (uint256 last = count - 1; last > 0; last >>= 1) {
            if (index ^ 1 <= last) {
                bytes32 sibling = bytes32(path[at:at + 32]);
                hash = index & 1 == 1 ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
                at += 32;
            }
            index >>= 1;
        }
        return hash;
    }
}
