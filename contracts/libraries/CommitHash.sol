// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// What a client commits to and what it signs (docs/protocol.md, Commitments).
library CommitHash {
    bytes32 internal constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 internal constant COMMITMENT_TYPEHASH = keccak256(
        "Commitment(uint64 roundId,uint32 client,bytes32 commitment)"
    );

    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(uint64 roundId,uint32 client,bytes32 commitment)"
    );

    /// sha256(0x02 | domainSeparator | roundId | client | numExamples | treeRoot), integers big-endian.
    function commitment(
        bytes32 domainSeparator,
        uint64 roundId,
        uint32 client,
        uint32 numExamples,
        bytes32 treeRoot
    ) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0x02), domainSeparator, roundId, client, numExamples, treeRoot));
    }

    function commitmentDigest(
        bytes32 domainSeparator,
        uint64 roundId,
        uint32 client,
        bytes32 commitment_
    ) internal pure returns (bytes32) {
        return
            typedDigest(
                domainSeparator,
                keccak256(abi.encode(COMMITMENT_TYPEHASH, roundId, client, commitment_))
            );
    }

    /// What an aggregator signs when it takes a client's commitment for its list (root-only mode).
    function receiptDigest(
        bytes32 domainSeparator,
        uint64 roundId,
        uint32 client,
        bytes32 commitment_
    ) internal pure returns (bytes32) {
        return
            typedDigest(
                domainSeparator,
                keccak256(abi.encode(RECEIPT_TYPEHASH, roundId, client, commitment_))
            );
    }

    function typedDigest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash));
    }

    function domainSeparatorOf(
        string memory name,
        string memory version,
        uint256 chainId,
        address verifyingContract
    ) internal pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    DOMAIN_TYPEHASH,
                    keccak256(bytes(name)),
                    keccak256(bytes(version)),
                    chainId,
                    verifyingContract
                )
            );
    }
}
