// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ChunkTree} from "../../libraries/ChunkTree.sol";
import {LittleEndian} from "../../libraries/LittleEndian.sol";
import {PackedProof} from "../../libraries/PackedProof.sol";
import {Symbolic} from "./Symbolic.sol";

/// Where a coordinate lies, how long its path is, what is read of a proof: for all positions.
contract SymbolicProofs is Symbolic {
    uint256 private constant MAX_LEAVES = 16;

    function values(
        bytes calldata chunk,
        uint256 start,
        uint256 count
    ) external pure returns (int32[] memory) {
        return PackedProof.valuesFrom(chunk, start, count);
    }

    function valueAt(bytes calldata chunk, uint256 index) external pure returns (int32) {
        return PackedProof.valueAt(chunk, index);
    }

    function take(
        bytes calldata proof,
        uint256 at,
        uint256 size
    ) external pure returns (uint256 start, uint256 length, uint256 next) {
        PackedProof.Reader memory reader = PackedProof.open(proof);
        uint256 from = reader.at;
        reader.at += at;
        bytes calldata part = PackedProof.take(reader, size);
        assembly ("memory-safe") {
            start := sub(part.offset, from)
        }
        return (start, part.length, reader.at - from);
    }

    function check_path_length(uint8 index, uint8 leafCount) external pure {
        if (leafCount > MAX_LEAVES || index >= leafCount) return;
        assert(ChunkTree.pathLength(index, leafCount) == _pathLength(index, leafCount));
    }

    function check_leaves_of_8_cut_the_vector_into_parts(uint32 coordinate, uint32 size) external pure {
        _isPart(coordinate, size, 3);
    }

    function check_leaves_of_256_cut_the_vector_into_parts(uint32 coordinate, uint32 size) external pure {
        _isPart(coordinate, size, 8);
    }

    function check_nothing_is_taken_beyond_the_end(uint256 at, uint256 size) external view {
        bytes memory proof = new bytes(100);
        if (at > proof.length) return;
        bool fits = size <= proof.length - at;
        try this.take(proof, at, size) returns (uint256 start, uint256 length, uint256 next) {
            assert(fits && start == at && length == size && next == at + size);
        } catch {
            assert(!fits);
        }
    }

    function check_values_are_read_as_they_were_encoded() external view {
        int32[] memory column = anyColumn(4);
        bytes memory chunk = LittleEndian.encode(column);
        int32[] memory middle = this.values(chunk, 1, 2);
        assert(middle.length == 2 && middle[0] == column[1] && middle[1] == column[2]);
        for (uint256 i = 0; i < column.length; ++i) assert(this.valueAt(chunk, i) == column[i]);
    }

    /// Leaves are full but for the last, which ends where the vector ends.
    function _isPart(uint32 coordinate, uint32 size, uint8 log2) private pure {
        if (coordinate >= size) return;
        PackedProof.Place memory place = PackedProof.locate(coordinate, size, log2);
        uint256 full = 1 << log2;
        assert(place.leaf < place.leafCount);
        assert(place.offset < place.width && place.width <= full);
        assert((place.leaf << log2) + place.offset == coordinate);
        if (place.leaf + 1 < place.leafCount) assert(place.width == full);
        else assert((place.leaf << log2) + place.width == size);
    }

    /// RFC 6962, section 2.1.1: the length of PATH(index, D[count]).
    function _pathLength(uint256 index, uint256 count) private pure returns (uint256) {
        if (count == 1) return 0;
        uint256 left = _split(count);
        return 1 + (index < left ? _pathLength(index, left) : _pathLength(index - left, count - left));
    }

    /// The largest power of two below `count`.
    function _split(uint256 count) private pure returns (uint256 power) {
        power = 1;
        while (2 * power < count) power *= 2;
    }
}
