// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Role} from "../interfaces/IParticipantRegistry.sol";
import {IRoundLedger} from "../interfaces/IRoundLedger.sol";
import {CommitHash} from "./CommitHash.sol";
import {Seat} from "./Seats.sol";

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

    /// Clients from entry `i` on that share a bitmap word: their bits, the entry after them, and their keys in rounds
    /// opened at `at`, written to `keys`; zero for one whose seat does not say, of which there are `unusual`. Reverts
    /// unless they rise.
    function takeWord(
        bytes calldata batch,
        uint256 i,
        mapping(uint32 id => Seat) storage seats,
        uint40 at,
        address[] memory keys
    ) internal view returns (uint256 bits, uint256 next, uint256 unusual) {
        bool rising = true;
        uint256 clientRole = uint256(Role.Client);
        assembly ("memory-safe") {
            let entry := add(batch.offset, mul(i, SIGNED_ENTRY_BYTES))
            let end := add(batch.offset, batch.length)
            let to := add(add(keys, 0x20), shl(5, i))
            let id := shr(224, calldataload(entry))
            let word := shr(8, id)
            mstore(0x20, seats.slot)
            for {} lt(entry, end) {} {
                let bit := shl(and(id, 0xff), 1)
                // A larger id has a higher bit than all before it.
                rising := and(rising, gt(bit, bits))
                bits := or(bits, bit)
                // A Seat, read by hand: signer 160 | since 40 | role 8.
                mstore(0x00, id)
                let seat := sload(keccak256(0x00, 0x40))
                let late := gt(and(shr(160, seat), 0xffffffffff), at)
                let usual := gt(eq(shr(200, seat), clientRole), late)
                unusual := add(unusual, iszero(usual))
                mstore(to, mul(and(seat, 0xffffffffffffffffffffffffffffffffffffffff), usual))
                to := add(to, 0x20)
                entry := add(entry, SIGNED_ENTRY_BYTES)
                id := shr(224, calldataload(entry))
                if xor(shr(8, id), word) {
                    break
                }
            }
            next := div(sub(entry, batch.offset), SIGNED_ENTRY_BYTES)
        }
        if (!rising) _revertNotRising(batch, i, next);
        if (next * SIGNED_ENTRY_BYTES < batch.length)
            _requireRising(client(batch, next - 1), client(batch, next));
    }

    /// Ask the registry for the `unusual` keys that are missing; zero stays for a client that is not active.
    function fillKeys(
        bytes calldata batch,
        address[] memory keys,
        uint256 unusual,
        IParticipantRegistry registry,
        uint40 at
    ) internal view {
        for (uint256 i = 0; unusual != 0; ++i) {
            if (keys[i] != address(0)) continue;
            (, keys[i]) = registry.signerAt(client(batch, i), Role.Client, at);
            --unusual;
        }
    }

    /// Check every signature against `keys`, which become the segment's leaf hashes; return them and the entries
    /// without signatures.
    function verify(
        bytes calldata batch,
        address[] memory keys,
        uint64 roundId,
        bytes32 domainSeparator
    ) internal view returns (bytes32[] memory leaves, bytes memory entries) {
        entries = new bytes(keys.length * ENTRY_BYTES);
        bytes memory work = _workspace(roundId, domainSeparator);
        uint256 failed = 0;
        address got = address(0);
        address want = address(0);
        assembly ("memory-safe") {
            leaves := keys
            let domain := add(work, 0x20)
            let fields := add(work, 0x80)
            let entry := batch.offset
            let to := add(entries, 0x20)
            let slot := add(keys, 0x20)
            let end := add(slot, shl(5, mload(keys)))
            for {} lt(slot, end) {} {
                want := mload(slot)
                calldatacopy(add(fields, 0x5c), entry, SIGNED_ENTRY_BYTES)
                mcopy(to, add(fields, 0x5c), ENTRY_BYTES)
                // SegmentTree.leaf: the byte before the client is zero.
                mstore(slot, keccak256(add(fields, 0x5b), 0x25))
                let empty := iszero(mload(add(fields, 0x60)))
                mstore(add(domain, 0x22), keccak256(fields, 0x80))
                // ecrecover takes digest, v, r, s: r is in place, the others overwrite what is hashed already.
                mstore(add(fields, 0x40), keccak256(domain, 0x42))
                let vs := mload(add(fields, 0xa0))
                let s := and(vs, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff)
                mstore(add(fields, 0x60), add(27, shr(255, vs)))
                mstore(add(fields, 0xa0), s)
                // A failed recovery returns no bytes and leaves the zero in place.
                mstore(0x00, 0)
                pop(staticcall(gas(), 1, add(fields, 0x40), 0x80, 0x00, 0x20))
                mstore(add(fields, 0x40), 0)
                // A key that is zero (not active) must match no signature.
                got := mul(mload(0x00), gt(lt(s, HALF_ORDER_PLUS_1), empty))
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
