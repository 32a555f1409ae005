// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {LittleEndian} from "./LittleEndian.sol";

/// Reads packed proofs from the call data: every part has a length that follows from chain state, so that each proof
/// has one encoding.
library PackedProof {
    /// What is left to read: calldata positions.
    struct Reader {
        uint256 at;
        uint256 end;
    }

    /// Where a coordinate lies in a vector's tree.
    struct Place {
        uint256 leaf;
        uint256 leafCount;
        /// Coordinates in that leaf.
        uint256 width;
        /// Position in that leaf.
        uint256 offset;
    }

    function open(bytes calldata proof) internal pure returns (Reader memory reader) {
        assembly ("memory-safe") {
            mstore(reader, proof.offset)
            mstore(add(reader, 0x20), add(proof.offset, proof.length))
        }
    }

    function locate(uint32 coordinate, uint32 size, uint8 log2) internal pure returns (Place memory place) {
        if (coordinate >= size) revert IDisputeCourt.NoSuchCoordinate(coordinate, size);
        uint256 full = 1 << log2;
        place.leaf = coordinate >> log2;
        place.leafCount = (size + full - 1) >> log2;
        place.offset = coordinate & (full - 1);
        place.width = place.leaf + 1 < place.leafCount ? full : size - place.leaf * full;
    }

    /// The next `size` bytes.
    function take(Reader memory reader, uint256 size) internal pure returns (bytes calldata part) {
        uint256 at = reader.at;
        if (size > reader.end - at) revert IDisputeCourt.WrongProofLength(reader.end - at, size);
        reader.at = at + size;
        assembly ("memory-safe") {
            part.offset := at
            part.length := size
        }
    }

    /// The next opening: its chunk, of `width` values a coordinate, and the root that it leads to.
    function takeOpening(
        Reader memory reader,
        Place memory place,
        uint256 width
    ) internal view returns (bytes calldata chunk, bytes32 root) {
        chunk = take(reader, 4 * place.width * width);
        root = takeClimb(reader, ChunkTree.leafHashOf(chunk), place.leaf, place.leafCount);
    }

    /// The root to which the next siblings lead from `leaf`, at `index` of `leafCount`.
    function takeClimb(
        Reader memory reader,
        bytes32 leaf,
        uint256 index,
        uint256 leafCount
    ) internal view returns (bytes32 root) {
        uint256 at = reader.at;
        uint256 next;
        (root, next) = ChunkTree.climbAt(leaf, index, leafCount, at);
        if (next > reader.end) revert IDisputeCourt.WrongProofLength(reader.end - at, next - at);
        reader.at = next;
    }

    function takeUint32(Reader memory reader) internal pure returns (uint32) {
        return uint32(bytes4(take(reader, 4)));
    }

    function takeUint16(Reader memory reader) internal pure returns (uint16) {
        return uint16(bytes2(take(reader, 2)));
    }

    function takeBytes32(Reader memory reader) internal pure returns (bytes32) {
        return bytes32(take(reader, 32));
    }

    /// Nothing may follow.
    function finish(Reader memory reader) internal pure {
        if (reader.at != reader.end) revert IDisputeCourt.WrongProofLength(reader.end - reader.at, 0);
    }

    /// Value `index` of a chunk of little-endian int32; the caller knows that it is there.
    function valueAt(bytes calldata chunk, uint256 index) internal pure returns (int32) {
        uint32 word;
        assembly ("memory-safe") {
            word := shr(224, calldataload(add(chunk.offset, shl(2, index))))
        }
        return int32(LittleEndian.swap32(word));
    }

    /// The `count` values from value `start` on.
    function valuesFrom(
        bytes calldata chunk,
        uint256 start,
        uint256 count
    ) internal pure returns (int32[] memory values) {
        values = new int32[](count);
        // `valueAt` in a loop: a column is read once a client.
        assembly ("memory-safe") {
            let from := add(chunk.offset, shl(2, start))
            let to := add(values, 0x20)
            for {
                let end := add(to, shl(5, count))
            } lt(to, end) {
                to := add(to, 0x20)
            } {
                let word := shr(224, calldataload(from))
                word := or(shl(8, and(word, 0x00ff00ff)), shr(8, and(word, 0xff00ff00)))
                mstore(to, signextend(3, or(shl(16, word), shr(16, word))))
                from := add(from, 4)
            }
        }
    }
}
