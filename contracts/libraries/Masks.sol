// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ChunkTree} from "./ChunkTree.sol";
import {LittleEndian} from "./LittleEndian.sol";

/// Masks of secure aggregation (docs/protocol.md §11): mask words, seed tables, revealed seeds.
/// The mirror of ledger/spec/masks.py; the shared vectors keep the two equal.
library Masks {
    /// owner u32 | peer u32 | seed
    uint256 internal constant REVEAL_BYTES = 40;
    /// peer u32 | commitment to the seed
    uint256 internal constant LINE_BYTES = 36;
    /// Stands for a peer where a client's own mask is meant.
    uint32 internal constant SELF = 0;

    /// Word coordinate % 8, little-endian, of sha256(seed | u64(coordinate / 8)) (§11.1).
    function maskWord(bytes32 seed, uint32 coordinate) internal pure returns (uint32) {
        bytes32 digest = sha256(abi.encodePacked(seed, uint64(coordinate >> 3)));
        return LittleEndian.swap32(uint32(uint256(digest) >> (32 * (7 - (coordinate & 7)))));
    }

    /// sha256(0x03 | seed) (§11.2).
    function seedCommitment(bytes32 seed) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0x03), seed));
    }

    /// Root over the lines of a seed table, one line a leaf; no line is one empty leaf (§11.2).
    function seedsRoot(bytes calldata table) internal view returns (bytes32) {
        if (table.length == 0) return ChunkTree.leafHashOf(table);
        bytes32[] memory leaves = new bytes32[](table.length / LINE_BYTES);
        for (uint256 i = 0; i < leaves.length; ++i)
            leaves[i] = ChunkTree.leafHashOf(table[LINE_BYTES * i:LINE_BYTES * (i + 1)]);
        return ChunkTree.rootOf(leaves);
    }

    /// What takes the place of the tree root in a masked task's commitment (§11.3). No node of a tree has this prefix:
    /// otherwise a seed table could pass for the last leaf of an update.
    function maskedRoot(bytes32 vectorRoot, bytes32 seedsRoot_) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0x04), vectorRoot, seedsRoot_));
    }

    /// Whether a table is one that `owner` may have: its own mask first, then at most `degree` peers, rising, not the
    /// owner (§11.2).
    function isSeedTable(bytes calldata table, uint32 owner, uint256 degree) internal pure returns (bool) {
        if (table.length == 0 || table.length > LINE_BYTES * (degree + 1)) return false;
        if (uint32(bytes4(table)) != SELF) return false;
        uint32 previous = SELF;
        for (uint256 at = LINE_BYTES; at < table.length; at += LINE_BYTES) {
            uint32 peer = uint32(bytes4(table[at:at + 4]));
            if (peer <= previous || peer == owner) return false;
            previous = peer;
        }
        return true;
    }

    /// What a table states for a peer.
    function lineOf(
        bytes calldata table,
        uint32 peer
    ) internal pure returns (bool listed, bytes32 commitment) {
        for (uint256 at = 0; at < table.length; at += LINE_BYTES) {
            if (uint32(bytes4(table[at:at + 4])) == peer)
                return (true, bytes32(table[at + 4:at + LINE_BYTES]));
        }
    }

    /// The seed revealed for (owner, peer), by bisection: the entries rise (`revealedSum`).
    function revealOf(
        bytes calldata reveals,
        uint32 owner,
        uint32 peer
    ) internal pure returns (bool shown, bytes32 seed) {
        uint256 want = (uint256(owner) << 32) | peer;
        uint256 low = 0;
        uint256 high = reveals.length / REVEAL_BYTES;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            bytes calldata entry = reveals[REVEAL_BYTES * middle:REVEAL_BYTES * (middle + 1)];
            uint256 key = uint64(bytes8(entry));
            if (key == want) return (true, bytes32(entry[8:]));
            if (key < want) low = middle + 1;
            else high = middle;
        }
    }

    /// Sum modulo 2^32 of the revealed masks at a coordinate, each with the sign with which its owner added it, and how
    /// many bytes are canonical: whole entries that rise by (owner, peer) from (0, 0) (§11.6).
    function revealedSum(
        bytes calldata reveals,
        uint32 coordinate
    ) internal view returns (uint32 sum, uint256 canonicalBytes) {
        assembly ("memory-safe") {
            // Beyond the free memory: seed, u64(coordinate / 8).
            let block_ := mload(0x40)
            mstore(add(block_, 0x20), shl(192, shr(3, coordinate)))
            let shift := shl(5, sub(7, and(coordinate, 7)))
            let previous := 0
            let total := 0
            let at := reveals.offset
            for {
                let end := add(at, sub(reveals.length, mod(reveals.length, REVEAL_BYTES)))
            } lt(at, end) {
                at := add(at, REVEAL_BYTES)
            } {
                let key := shr(192, calldataload(at))
                if iszero(gt(key, previous)) {
                    break
                }
                previous := key
                calldatacopy(block_, add(at, 8), 0x20)
                if iszero(staticcall(gas(), 2, block_, 0x28, 0x00, 0x20)) {
                    revert(0x00, 0x00)
                }
                let word := shr(shift, mload(0x00))
                word := or(shl(8, and(word, 0x00ff00ff)), and(shr(8, word), 0x00ff00ff))
                word := or(shl(16, and(word, 0xffff)), shr(16, word))
                // Minus for a peer with a lower id: 0 < peer < owner.
                let peer := and(key, 0xffffffff)
                switch and(gt(peer, 0), lt(peer, shr(32, key)))
                case 0 {
                    total := add(total, word)
                }
                default {
                    total := sub(total, word)
                }
            }
            sum := and(total, 0xffffffff)
            canonicalBytes := sub(at, reveals.offset)
        }
    }
}
