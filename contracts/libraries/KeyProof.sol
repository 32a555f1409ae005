// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Role} from "../interfaces/IParticipantRegistry.sol";

/// EIP-712 struct hashes by which a signing key proves that it may be registered (docs/protocol.md, Keys).
library KeyProof {
    bytes32 internal constant REGISTER_TYPEHASH = keccak256(
        "Register(address owner,address signer,uint8 role,uint256 deadline)"
    );
    bytes32 internal constant ROTATE_TYPEHASH = keccak256(
        "Rotate(uint32 id,address signer,uint256 deadline)"
    );

    function registerHash(
        address owner,
        address signer,
        Role role,
        uint256 deadline
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(REGISTER_TYPEHASH, owner, signer, role, deadline));
    }

    function rotateHash(uint32 id, address signer, uint256 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(ROTATE_TYPEHASH, id, signer, deadline));
    }
}
