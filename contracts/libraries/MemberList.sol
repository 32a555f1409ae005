// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {CommitMode} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {PackedProof} from "./PackedProof.sol";
import {SegmentTree} from "./SegmentTree.sol";

/// Commitments of a round, checked against the ledger's rolling hash over their segments (docs/protocol.md §4.5, §4.6).
library MemberList {
    using PackedProof for PackedProof.Reader;

    uint256 internal constant SIGNED_ENTRY_BYTES = 100;
    uint256 private constant ENTRY_BYTES = 36;
    uint256 private constant EXCLUSION_BYTES = 6;

    /// What follows from the whole list of commitments.
    struct Members {
        bytes32 root;
        /// Clients; one that committed twice is one.
        uint256 committed;
        uint256 included;
    }

    /// Read IDisputeCourt.proveMembers. `excluded` rises by client.
    function read(
        CommitMode mode,
        bytes32 segmentsHash,
        bytes calldata excluded,
        bytes calldata proof
    ) internal view returns (Members memory members) {
        PackedProof.Reader memory reader = PackedProof.open(proof);
        bytes calldata counts = reader.take(2 * uint256(reader.takeUint16()));
        uint256 total = _sum(counts);
        uint256 size = mode == CommitMode.RootOnly ? SIGNED_ENTRY_BYTES : ENTRY_BYTES;
        bytes calldata entries = reader.take(size * total);
        bytes calldata order = reader.take(2 * total);
        reader.finish();
        bytes32 got = _segmentsHash(counts, entries, size);
        if (got != segmentsHash) revert IDisputeCourt.WrongRoot(got, segmentsHash);
        bytes32[] memory leaves;
        (leaves, members.committed) = _includedLeaves(entries, size, order, excluded);
        members.included = leaves.length;
        // No member at all: a root that no proposal has.
        if (members.included != 0) members.root = ChunkTree.rootOf(leaves);
    }

    /// That (client, commitment) lies at a position of a segment of the round (IDisputeCourt.proveClipViolation). What
    /// lies in a list that nobody has checked comes back with its signature (r | vs), else with none.
    function requireCommitted(
        PackedProof.Reader memory reader,
        CommitMode mode,
        bytes32 segmentsHash,
        uint32 client,
        bytes32 commitment
    ) internal pure returns (bytes calldata signature) {
        uint256 segments = reader.takeUint16();
        uint256 number = reader.takeUint16();
        uint256 position = reader.takeUint16();
        bytes32 rolling = 0;
        bytes32 root = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < segments; ++i) {
            bytes32 nextRoot = reader.takeBytes32();
            uint256 nextCount = reader.takeUint16();
            rolling = _extend(rolling, nextRoot, nextCount);
            if (i == number) (root, count) = (nextRoot, nextCount);
        }
        if (rolling != segmentsHash) revert IDisputeCourt.WrongRoot(rolling, segmentsHash);
        if (position >= count) revert IDisputeCourt.NoSuchSlot(uint32(position), count);
        signature = reader.take(mode == CommitMode.RootOnly ? 64 : 0);
        bytes32 leaf = keccak256(abi.encodePacked(uint8(0), client, commitment, signature));
        bytes calldata path = reader.take(32 * ChunkTree.pathLength(position, count));
        bytes32 got = SegmentTree.climb(leaf, position, count, path);
        if (got != root) revert IDisputeCourt.WrongRoot(got, root);
    }

    /// The entry at a position of the only segment of a round in root-only mode.
    function takeListed(
        PackedProof.Reader memory reader,
        bytes32 segmentsHash,
        uint256 position,
        uint256 count
    ) internal pure returns (bytes calldata entry) {
        if (position >= count) revert IDisputeCourt.NoSuchSlot(uint32(position), count);
        entry = reader.take(SIGNED_ENTRY_BYTES);
        bytes calldata path = reader.take(32 * ChunkTree.pathLength(position, count));
        bytes32 leaf = keccak256(abi.encodePacked(uint8(0), entry));
        bytes32 got = _extend(0, SegmentTree.climb(leaf, position, count, path), count);
        if (got != segmentsHash) revert IDisputeCourt.WrongRoot(got, segmentsHash);
    }

    function _sum(bytes calldata counts) private pure returns (uint256 total) {
        for (uint256 at = 0; at < counts.length; at += 2) total += uint16(bytes2(counts[at:at + 2]));
    }

    function _segmentsHash(
        bytes calldata counts,
        bytes calldata entries,
        uint256 size
    ) private pure returns (bytes32 rolling) {
        // One array serves every segment: a round of thousands of self-commitments must not fill the memory.
        bytes32[] memory leaves = new bytes32[](entries.length / size);
        uint256 first = 0;
        for (uint256 at = 0; at < counts.length; at += 2) {
            uint256 count = uint16(bytes2(counts[at:at + 2]));
            assembly ("memory-safe") {
                mstore(leaves, count)
            }
            for (uint256 i = 0; i < count; ++i) leaves[i] = _leaf(entries, size, first + i);
            rolling = _extend(rolling, SegmentTree.root(leaves), count);
            first += count;
        }
    }

    /// keccak256(0x00 | entry)
    function _leaf(bytes calldata entries, uint256 size, uint256 i) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0x00)
            calldatacopy(add(at, 1), add(entries.offset, mul(size, i)), size)
            hash := keccak256(at, add(size, 1))
        }
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

    /// Leaves of the included clients, and the number of all. `order` must rise by client and then by position: it
    /// then names every commitment once, and a client's first one comes first.
    function _includedLeaves(
        bytes calldata entries,
        uint256 size,
        bytes calldata order,
        bytes calldata excluded
    ) private view returns (bytes32[] memory leaves, uint256 committed) {
        leaves = new bytes32[](order.length / 2);
        uint256 included = 0;
        uint256 out = 0;
        uint256 previous = 0;
        uint256 previousClient = 0;
        for (uint256 i = 0; i < order.length / 2; ++i) {
            uint256 position = uint16(bytes2(order[2 * i:2 * i + 2]));
            if (position * size >= entries.length) revert IDisputeCourt.WrongOrder(i);
            bytes calldata entry = entries[position * size:position * size + ENTRY_BYTES];
            uint256 client = uint32(bytes4(entry));
            bool again = i > 0 && client == previousClient;
            if (i > 0 && (client < previousClient || (again && position <= previous)))
                revert IDisputeCourt.WrongOrder(i);
            (previous, previousClient) = (position, client);
            if (again) continue;
            ++committed;
            while (out < excluded.length && uint32(bytes4(excluded[out:out + 4])) < client) {
                out += EXCLUSION_BYTES;
            }
            bool isOut = out < excluded.length && uint32(bytes4(excluded[out:out + 4])) == client;
            if (!isOut) leaves[included++] = ChunkTree.leafHashOf(entry);
        }
        assembly ("memory-safe") {
            mstore(leaves, included)
        }
    }
}
