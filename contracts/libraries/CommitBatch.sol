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
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

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

    /// `registry.signersAt` for the clients of the batch, which must rise; the call is packed straight from calldata.
    function fetchSigners(
        bytes calldata batch,
        IParticipantRegistry registry,
        uint40 openedAt
    ) internal view returns (address[] memory signers) {
        uint256 size = count(batch);
        signers = new address[](size);
        bytes memory request = _request(batch, size, openedAt);
        assembly ("memory-safe") {
            let bytesBack := add(0x40, shl(5, size))
            // The answer overwrites the request, which is the longer of the two.
            let ok := staticcall(gas(), registry, add(request, 0x20), mload(request), add(request, 0x20), bytesBack)
            if iszero(and(ok, eq(returndatasize(), bytesBack))) {
                returndatacopy(request, 0, returndatasize())
                revert(request, returndatasize())
            }
            mcopy(add(signers, 0x20), add(request, 0x60), shl(5, size))
        }
    }

    function _request(bytes calldata batch, uint256 size, uint40 openedAt) private pure returns (bytes memory request) {
        request = abi.encodeCall(IParticipantRegistry.signersAt, (new uint32[](0), Role.Client, openedAt));
        uint256 words = 0;
        assembly ("memory-safe") {
            // Behind the selector: offset of the ids, role, time, number of ids. Nothing was allocated since.
            words := add(request, 0xa4)
            mstore(sub(words, 0x20), size)
            mstore(request, add(0x84, shl(5, size)))
            mstore(0x40, add(words, shl(5, size)))
        }
        uint32 previous = 0;
        for (uint256 i = 0; i < size; ++i) {
            uint32 id = client(batch, i);
            if (id <= previous) revert IRoundLedger.NotRising(previous, id);
            assembly ("memory-safe") {
                mstore(add(words, shl(5, i)), id)
            }
            previous = id;
        }
    }

    /// Check every signature against `signers`. Returns the segment's leaf hashes and its entries without signatures.
    function verify(
        bytes calldata batch,
        address[] memory signers,
        uint64 roundId,
        bytes32 domainSeparator
    ) internal view returns (bytes32[] memory leaves, bytes memory entries) {
        uint256 size = signers.length;
        leaves = new bytes32[](size);
        entries = new bytes(size * ENTRY_BYTES);
        bytes memory work = _workspace(roundId, domainSeparator);
        for (uint256 i = 0; i < size; ++i) {
            address want;
            uint256 entry;
            bytes32 commitment;
            assembly ("memory-safe") {
                want := mload(add(add(signers, 0x20), shl(5, i)))
                entry := add(batch.offset, mul(i, SIGNED_ENTRY_BYTES))
                commitment := calldataload(add(entry, 4))
            }
            if (want == address(0)) revert IRoundLedger.NotEligible(roundId, client(batch, i));
            if (commitment == bytes32(0)) revert IRoundLedger.ZeroRoot();
            address got = _recover(work, entry);
            if (got != want) revert IRoundLedger.SignatureMismatch(client(batch, i), got, want);
            assembly ("memory-safe") {
                calldatacopy(add(add(entries, 0x20), mul(i, ENTRY_BYTES)), entry, ENTRY_BYTES)
                // SegmentTree.leaf
                mstore8(0x00, 0x00)
                calldatacopy(0x01, entry, ENTRY_BYTES)
                mstore(add(add(leaves, 0x20), shl(5, i)), keccak256(0x00, 0x25))
            }
        }
    }

    /// Memory that `_recover` works in, with what all entries share already in place:
    /// 0x00 typehash | 0x20 round | 0x40 client | 0x60 commitment || 0x80 0x1901 | 0x82 domain | 0xa2 struct hash
    /// || 0xc2 digest | 0xe2 v | 0x102 r | 0x122 s
    function _workspace(uint64 roundId, bytes32 domainSeparator) private pure returns (bytes memory work) {
        work = new bytes(0x142);
        bytes32 typehash = CommitHash.COMMITMENT_TYPEHASH;
        assembly ("memory-safe") {
            let base := add(work, 0x20)
            mstore(base, typehash)
            mstore(add(base, 0x20), roundId)
            mstore(add(base, 0x80), shl(240, 0x1901))
            mstore(add(base, 0x82), domainSeparator)
        }
    }

    /// Who signed the entry at calldata offset `entry`; zero for no valid signature.
    function _recover(bytes memory work, uint256 entry) private view returns (address got) {
        assembly ("memory-safe") {
            let base := add(work, 0x20)
            calldatacopy(add(base, 0x5c), entry, 0x24) // client and commitment, right-aligned in their words
            mstore(add(base, 0xa2), keccak256(base, 0x80))
            mstore(add(base, 0xc2), keccak256(add(base, 0x80), 0x42))
            let vs := calldataload(add(entry, 0x44))
            let s := shr(1, shl(1, vs))
            mstore(add(base, 0xe2), add(27, shr(255, vs)))
            mstore(add(base, 0x102), calldataload(add(entry, 0x24)))
            mstore(add(base, 0x122), s)
            mstore(0x00, 0)
            // A failed recovery returns no bytes and leaves the zero in place.
            pop(staticcall(gas(), 1, add(base, 0xc2), 0x80, 0x00, 0x20))
            got := mul(mload(0x00), iszero(gt(s, HALF_ORDER)))
        }
    }
}
