// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ChunkTree} from "./ChunkTree.sol";
import {CommitHash} from "./CommitHash.sol";
import {PackedProof} from "./PackedProof.sol";

/// Reads update openings: (client u32 | numExamples u32) and one chunk of the update with its siblings, which together
/// give the client's commitment.
library UpdateOpening {
    using PackedProof for PackedProof.Reader;

    struct Opened {
        uint32 client;
        uint32 examples;
        int32 value;
        bytes32 commitment;
    }

    function take(
        PackedProof.Reader memory reader,
        PackedProof.Place memory place,
        uint64 roundId,
        bytes32 domain
    ) internal view returns (Opened memory opened) {
        (opened, ) = takeWithChunk(reader, place, roundId, domain);
    }

    /// The same, with the whole chunk of little-endian int32.
    function takeWithChunk(
        PackedProof.Reader memory reader,
        PackedProof.Place memory place,
        uint64 roundId,
        bytes32 domain
    ) internal view returns (Opened memory opened, bytes calldata chunk) {
        opened.client = reader.takeUint32();
        opened.examples = reader.takeUint32();
        bytes32 root;
        (chunk, root) = reader.takeOpening(place, 1);
        opened.value = PackedProof.valueAt(chunk, place.offset);
        opened.commitment = CommitHash.commitment(domain, roundId, opened.client, opened.examples, root);
    }

    /// Leaf of a client in the member list.
    function memberLeaf(uint32 client, bytes32 commitment) internal view returns (bytes32) {
        return ChunkTree.leafHash(abi.encodePacked(client, commitment));
    }

    /// Root of the member list to which the next siblings lead from slot `slot` of `included`.
    function takeMembersRoot(
        PackedProof.Reader memory reader,
        Opened memory opened,
        uint256 slot,
        uint256 included
    ) internal view returns (bytes32) {
        return reader.takeClimb(memberLeaf(opened.client, opened.commitment), slot, included);
    }
}
