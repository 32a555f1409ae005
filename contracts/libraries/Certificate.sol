// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// What attestors sign (docs/protocol.md, Availability).
library Certificate {
    bytes32 internal constant AVAILABLE_TYPEHASH = keccak256(
        "Available(uint64 roundId,bytes32 segmentsHash,bytes32 exclusionsHash)"
    );

    /// Half the order of secp256k1: a larger s is the malleable twin of a signature and is refused (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    function structHash(
        uint64 roundId,
        bytes32 segmentsHash,
        bytes32 exclusionsHash
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(AVAILABLE_TYPEHASH, roundId, segmentsHash, exclusionsHash));
    }

    /// Who signed `digest` by the r | vs (EIP-2098) at `at`, where the caller knows that 64 bytes are; zero for nobody.
    function recoverAt(
        bytes32 digest,
        bytes calldata signatures,
        uint256 at
    ) internal view returns (address signer) {
        assembly ("memory-safe") {
            let input := mload(0x40)
            let vs := calldataload(add(add(signatures.offset, at), 0x20))
            let s := shr(1, shl(1, vs))
            mstore(input, digest)
            mstore(add(input, 0x20), add(27, shr(255, vs)))
            mstore(add(input, 0x40), calldataload(add(signatures.offset, at)))
            mstore(add(input, 0x60), s)
            // A failed recovery returns no bytes and leaves the zero in place.
            mstore(0x00, 0)
            pop(staticcall(gas(), 1, input, 0x80, 0x00, 0x20))
            signer := mul(mload(0x00), iszero(gt(s, HALF_ORDER)))
        }
    }
}
