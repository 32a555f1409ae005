// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IKrumCourt} from "../interfaces/IKrumCourt.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {PackedProof} from "./PackedProof.sol";
import {SegmentTree} from "./SegmentTree.sol";

/// The partial distances of a dissection: packed uint80, since 2^32 squared differences below 2^48 fit that. Their root
/// is a Keccak tree over groups of 32 (leaf keccak256(0x00 | group)), so that the next move brings back one group
/// instead of all parts.
library KrumParts {
    using PackedProof for PackedProof.Reader;

    uint256 private constant PART_BYTES = 10;
    uint256 private constant GROUP = 32;

    /// Sum and root of `count` parts.
    function read(bytes calldata parts, uint256 count) internal pure returns (uint256 sum, bytes32 root) {
        if (parts.length != PART_BYTES * count)
            revert IKrumCourt.WrongPartsLength(parts.length, PART_BYTES * count);
        sum = _sum(parts);
        root = SegmentTree.root(_groups(parts));
    }

    /// Part `index` of `count`, from the next bytes of a proof: its group and the group's siblings, which must lead to
    /// `root`.
    function take(
        PackedProof.Reader memory reader,
        uint256 index,
        uint256 count,
        bytes32 root
    ) internal pure returns (uint96 part) {
        if (index >= count) revert IKrumCourt.NoSuchPart(index, count);
        uint256 group = index / GROUP;
        uint256 groups = (count + GROUP - 1) / GROUP;
        uint256 size = group + 1 < groups ? GROUP : count - group * GROUP;
        bytes calldata data = reader.take(PART_BYTES * size);
        bytes calldata path = reader.take(32 * ChunkTree.pathLength(group, groups));
        bytes32 got = SegmentTree.climb(_leaf(data), group, groups, path);
        if (got != root) revert IDisputeCourt.WrongRoot(got, root);
        uint256 at = PART_BYTES * (index % GROUP);
        part = uint80(bytes10(data[at:at + PART_BYTES]));
    }

    function _groups(bytes calldata parts) private pure returns (bytes32[] memory hashes) {
        uint256 size = PART_BYTES * GROUP;
        hashes = new bytes32[]((parts.length + size - 1) / size);
        for (uint256 i = 0; i < hashes.length; ++i) {
            uint256 end = i + 1 < hashes.length ? (i + 1) * size : parts.length;
            hashes[i] = _leaf(parts[i * size:end]);
        }
    }

    function _leaf(bytes calldata group) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0x00)
            calldatacopy(add(at, 0x01), group.offset, group.length)
            hash := keccak256(at, add(group.length, 0x01))
        }
    }

    /// In assembly: a thousand parts are summed in one move.
    function _sum(bytes calldata parts) private pure returns (uint256 sum) {
        assembly ("memory-safe") {
            let end := add(parts.offset, parts.length)
            for {
                let at := parts.offset
            } lt(at, end) {
                at := add(at, 10)
            } {
                sum := add(sum, shr(176, calldataload(at)))
            }
        }
    }
}
