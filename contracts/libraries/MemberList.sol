// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Round} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {PackedProof} from "./PackedProof.sol";
import {SegmentTree} from "./SegmentTree.sol";

/// Commitments of a round, checked against the ledger's rolling hash over their segments (docs/protocol.md §4.5, §4.6).
library MemberList {
    using PackedProof for PackedProof.Reader;

    uint256 private constant ENTRY_BYTES = 36;
    uint256 private constant EXCLUSION_BYTES = 6;

    /// Root over the included members that follows from the whole list of commitments (IDisputeCourt.proveMembers).
    /// `excluded` is what the ledger accepted: rising, and committed.
    function membersRoot(
        Round memory round,
        bytes calldata excluded,
        bytes calldata proof
    ) internal view returns (bytes32) {
        PackedProof.Reader memory reader = PackedProof.open(proof);
        bytes calldata counts = reader.take(2 * uint256(round.segments));
        bytes calldata entries = reader.take(ENTRY_BYTES * round.committed);
        uint256 included = uint256(round.committed) - round.excluded;
        bytes calldata order = reader.take(2 * included);
        reader.finish();
        bytes32 got = _segmentsHash(counts, entries);
        if (got != round.segmentsHash) revert IDisputeCourt.WrongRoot(got, round.segmentsHash);
        return ChunkTree.rootOf(_includedLeaves(entries, order, excluded));
    }

    /// That (client, commitment) lies at a position of a segment of the round (IDisputeCourt.proveClipViolation).
    function requireCommitted(
        PackedProof.Reader memory reader,
        Round memory round,
        uint32 client,
        bytes32 commitment
    ) internal pure {
        uint256 number = reader.takeUint16();
        uint256 position = reader.takeUint16();
        bytes32 rolling = 0;
        bytes32 root = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < round.segments; ++i) {
            bytes32 nextRoot = reader.takeBytes32();
            uint256 nextCount = reader.takeUint16();
            rolling = _extend(rolling, nextRoot, nextCount);
            if (i == number) (root, count) = (nextRoot, nextCount);
        }
        if (rolling != round.segmentsHash) revert IDisputeCourt.WrongRoot(rolling, round.segmentsHash);
        if (position >= count) revert IDisputeCourt.NoSuchSlot(uint32(position), count);
        bytes calldata path = reader.take(32 * ChunkTree.pathLength(position, count));
        bytes32 got = SegmentTree.climb(SegmentTree.leaf(client, commitment), position, count, path);
        if (got != root) revert IDisputeCourt.WrongRoot(got, root);
    }

    function _segmentsHash(
        bytes calldata counts,
        bytes calldata entries
    ) private pure returns (bytes32 rolling) {
        // One array serves every segment: a round of thousands of self-commitments must not fill the memory.
        bytes32[] memory leaves = new bytes32[](entries.length / ENTRY_BYTES);
        uint256 first = 0;
        for (uint256 at = 0; at < counts.length; at += 2) {
            uint256 count = uint16(bytes2(counts[at:at + 2]));
            bytes calldata segment = entries[ENTRY_BYTES * first:ENTRY_BYTES * (first + count)];
            assembly ("memory-safe") {
                mstore(leaves, count)
            }
            for (uint256 i = 0; i < count; ++i) leaves[i] = _segmentLeaf(segment, i);
            rolling = _extend(rolling, SegmentTree.root(leaves), count);
            first += count;
        }
    }

    function _segmentLeaf(bytes calldata segment, uint256 i) private pure returns (bytes32) {
        bytes calldata entry = segment[ENTRY_BYTES * i:ENTRY_BYTES * (i + 1)];
        return SegmentTree.leaf(uint32(bytes4(entry)), bytes32(entry[4:]));
    }

    /// keccak256(abi.encode(rolling, root, count)), without taking memory.
    function _extend(bytes32 rolling, bytes32 root, uint256 count) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore(at, rolling)
            mstore(add(at, 0x20), root)
            mstore(add(at, 0x40), count)
            hash := keccak256(at, 0x60)
        }
    }

    /// Leaves in the named order, which must rise by client and leave out the excluded. As many as are included, all
    /// different and none excluded: they are the included.
    function _includedLeaves(
        bytes calldata entries,
        bytes calldata order,
        bytes calldata excluded
    ) private view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](order.length / 2);
        uint256 previous = 0;
        uint256 out = 0;
        for (uint256 slot = 0; slot < leaves.length; ++slot) {
            uint256 at = ENTRY_BYTES * uint256(uint16(bytes2(order[2 * slot:2 * slot + 2])));
            if (at >= entries.length) revert IDisputeCourt.WrongOrder(slot);
            bytes calldata entry = entries[at:at + ENTRY_BYTES];
            uint256 client = uint32(bytes4(entry));
            while (out < excluded.length && uint32(bytes4(excluded[out:out + 4])) < client) {
                out += EXCLUSION_BYTES;
            }
            bool isOut = out < excluded.length && uint32(bytes4(excluded[out:out + 4])) == client;
            if (client <= previous || isOut) revert IDisputeCourt.WrongOrder(slot);
            previous = client;
            leaves[slot] = ChunkTree.leafHashOf(entry);
        }
    }
}
