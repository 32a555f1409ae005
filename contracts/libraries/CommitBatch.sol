// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Role} from "../interfaces/IParticipantRegistry.sol";
import {IRoundLedger} from "../interfaces/IRoundLedger.sol";
import {CommitHash} from "./CommitHash.sol";

/// Reads and verifies a batch of signed commitments: (client u32 | commitment | r | vs), 100 bytes each, rising.
/// Assembly, since this loop is what a round costs; the ledger's tests compare it with `CommitHash` and `SegmentTree`.
library CommitBatch {
    uint256 internal constant SIGNED_ENTRY_BYTES = 100;
    uint256 internal constant ENTRY_BYTES = 36;
    /// Half the order of secp256k1: a larger s is the malleable twin of a signature and is refused (EIP-2).
    uint256 private constant HALF_ORDER_PLUS_1 =
        0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1;

    /// Number of entries.
    function count(bytes calldata batch) internal pure returns (uint256) {
        if (batch.length == 0) revert IRoundLedger.EmptyBatch();
        if (batch.length % SIGNED_ENTRY_BYTES != 0) revert IRoundLedger.WrongBatchLength(batch.length);
        return batch.length / SIGNED_ENTRY_BYTES;
    }

    function client(bytes calldata batch, uint256 i) internal pure returns (uint32 id) {
        assembly ("memory-safe") {
            id := shr(224, calldataload(add(batch.offset, mul(i, SIGNED_ENTRY_BYTES))))
        }
    }

    /// Call data of `registry.signersAt` for `size` clients, whose ids `addWord` fills in.
    function newRequest(uint256 size, uint40 openedAt) internal pure returns (bytes memory request) {
        request = abi.encodeCall(IParticipantRegistry.signersAt, (new uint32[](0), Role.Client, openedAt));
        assembly ("memory-safe") {
            // Selector, offset of the ids, role, time, number of ids: 0x84 bytes, and the ids. It may grow: nothing was
            // allocated since. The end is rounded up to whole words.
            mstore(request, add(0x84, shl(5, size)))
            mstore(add(request, 0x84), size)
            mstore(0x40, add(add(request, 0xc0), shl(5, size)))
        }
    }

    /// Copy the ids from entry `i` on that share a bitmap word into the request. Returns their bits in the word and the
    /// entry after them. Reverts unless they rise.
    function addWord(
        bytes calldata batch,
        uint256 i,
        bytes memory request
    ) internal pure returns (uint256 bits, uint256 next) {
        bool rising = true;
        assembly ("memory-safe") {
            let at := add(batch.offset, mul(i, SIGNED_ENTRY_BYTES))
            let end := add(batch.offset, batch.length)
            let to := add(add(request, 0xa4), shl(5, i))
            let id := shr(224, calldataload(at))
            let word := shr(8, id)
            for {} lt(at, end) {} {
                mstore(to, id)
                let bit := shl(and(id, 0xff), 1)
                // A larger id has a higher bit than all before it.
                rising := and(rising, gt(bit, bits))
                bits := or(bits, bit)
                to := add(to, 0x20)
                at := add(at, SIGNED_ENTRY_BYTES)
                id := shr(224, calldataload(at))
                if xor(shr(8, id), word) {
                    break
                }
            }
            next := div(sub(at, batch.offset), SIGNED_ENTRY_BYTES)
        }
        if (!rising) _revertNotRising(batch, i, next);
        if (next * SIGNED_ENTRY_BYTES < batch.length)
            _requireRising(client(batch, next - 1), client(batch, next));
    }

    /// Ask the registry; the answer overwrites the request, which is the longer of the two.
    function fetchSigners(
        bytes memory request,
        IParticipantRegistry registry
    ) internal view returns (address[] memory signers) {
        assembly ("memory-safe") {
            let head := add(request, 0x20)
            let bytesBack := sub(mload(request), 0x44)
            let ok := staticcall(gas(), registry, head, mload(request), head, bytesBack)
            if iszero(and(ok, eq(returndatasize(), bytesBack))) {
                revert(0x00, 0x00)
            }
            // Offset of the array, its length, its elements.
            signers := add(head, 0x20)
        }
    }

    /// Check every signature against `signers`, which become the segment's leaf hashes; return them and the entries
    /// without signatures.
    function verify(
        bytes calldata batch,
        address[] memory signers,
        uint64 roundId,
        bytes32 domainSeparator
    ) internal view returns (bytes32[] memory leaves, bytes memory entries) {
        entries = new bytes(signers.length * ENTRY_BYTES);
        bytes memory work = _workspace(roundId, domainSeparator);
        uint256 failed = 0;
        address got = address(0);
        address want = address(0);
        assembly ("memory-safe") {
            leaves := signers
            let domain := add(work, 0x20)
            let fields := add(work, 0x80)
            let entry := batch.offset
            let to := add(entries, 0x20)
            let slot := add(signers, 0x20)
            let end := add(slot, shl(5, mload(signers)))
            for {} lt(slot, end) {} {
                want := mload(slot)
                calldatacopy(add(fields, 0x5c), entry, SIGNED_ENTRY_BYTES)
                mcopy(to, add(fields, 0x5c), ENTRY_BYTES)
                // SegmentTree.leaf: the byte before the client is zero.
                mstore(slot, keccak256(add(fields, 0x5b), 0x25))
                let filled := iszero(iszero(mload(add(fields, 0x60))))
                mstore(add(domain, 0x22), keccak256(fields, 0x80))
                // ecrecover takes digest, v, r, s: r is in place, the others overwrite what is hashed already.
                mstore(add(fields, 0x40), keccak256(domain, 0x42))
                let vs := mload(add(fields, 0xa0))
                let s := shr(1, shl(1, vs))
                mstore(add(fields, 0x60), add(27, shr(255, vs)))
                mstore(add(fields, 0xa0), s)
                // A failed recovery returns no bytes and leaves the zero in place.
                mstore(0x00, 0)
                pop(staticcall(gas(), 1, add(fields, 0x40), 0x80, 0x00, 0x20))
                mstore(add(fields, 0x40), 0)
                // A key that is zero (not active) must match no signature.
                got := mul(mload(0x00), and(filled, lt(s, HALF_ORDER_PLUS_1)))
                if or(xor(got, want), iszero(got)) {
                    failed := entry
                    break
                }
                to := add(to, ENTRY_BYTES)
                slot := add(slot, 0x20)
                entry := add(entry, SIGNED_ENTRY_BYTES)
            }
        }
        if (failed != 0) _revertRefused(failed, roundId, got, want);
    }

    /// Memory for `verify`, with what all entries share in place:
    /// 0x00 0x1901 | 0x02 domain | 0x22 struct hash || 0x60 typehash | 0x80 round | 0xa0 client | 0xc0 commitment
    /// | 0xe0 r | 0x100 vs
    function _workspace(uint64 roundId, bytes32 domainSeparator) private pure returns (bytes memory work) {
        work = new bytes(0x120);
        bytes32 typehash = CommitHash.COMMITMENT_TYPEHASH;
        assembly ("memory-safe") {
            mstore(add(work, 0x20), shl(240, 0x1901))
            mstore(add(work, 0x22), domainSeparator)
            mstore(add(work, 0x80), typehash)
            mstore(add(work, 0xa0), roundId)
        }
    }

    function _revertNotRising(bytes calldata batch, uint256 i, uint256 end) private pure {
        for (++i; i < end; ++i) _requireRising(client(batch, i - 1), client(batch, i));
    }

    function _requireRising(uint32 previous, uint32 next) private pure {
        if (next <= previous) revert IRoundLedger.NotRising(previous, next);
    }

    /// Say what is wrong with the entry at calldata offset `entry`.
    function _revertRefused(uint256 entry, uint64 roundId, address got, address want) private pure {
        uint32 id;
        bytes32 commitment;
        assembly ("memory-safe") {
            id := shr(224, calldataload(entry))
            commitment := calldataload(add(entry, 4))
        }
        if (want == address(0)) revert IRoundLedger.NotEligible(roundId, id);
        if (commitment == bytes32(0)) revert IRoundLedger.ZeroRoot();
        revert IRoundLedger.SignatureMismatch(id, got, want);
    }
}
