// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Dispute} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "./ChunkTree.sol";
import {CommitHash} from "./CommitHash.sol";
import {KrumLayout} from "./KrumLayout.sol";
import {PackedProof} from "./PackedProof.sol";
import {UpdateOpening} from "./UpdateOpening.sol";

/// One block of an update: a whole subtree of its leaves, and the squared distance of two of them.
library KrumBlock {
    using PackedProof for PackedProof.Reader;
    using UpdateOpening for PackedProof.Reader;

    // Masks of a word of four lanes of 64 bits.
    uint256 private constant LANES = 0x0000000000000001000000000000000100000000000000010000000000000001;
    uint256 private constant LOW_HALVES = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant RIGHT_LANES = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
    uint256 private constant ODD_BYTES = 0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00;
    uint256 private constant LEFT_PAIRS = 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000;

    /// Where a block lies in the updates of a round.
    struct Site {
        /// As if blocks were leaves.
        PackedProof.Place place;
        /// First coordinate.
        uint32 coordinate;
        uint8 leafLog2;
        uint16 included;
        uint64 roundId;
        bytes32 domain;
    }

    /// Site of a block of the round's updates, but for round and domain.
    function siteOf(Dispute memory dispute, uint32 block_) internal pure returns (Site memory site) {
        uint8 log2 = KrumLayout.blockLog2(dispute.leafLog2);
        (site.coordinate, site.leafLog2, site.included) = (
            block_ << log2,
            dispute.leafLog2,
            dispute.included
        );
        site.place = PackedProof.locate(site.coordinate, dispute.size, log2);
    }

    /// The next block opening, client u32 | numExamples u32 | coordinates | siblings of the block | siblings of the
    /// client in the member list: its coordinates, and the root of the member list that has its client at `slot`.
    function take(
        PackedProof.Reader memory reader,
        Site memory site,
        uint256 slot
    ) internal view returns (bytes calldata coordinates, bytes32 membersRoot) {
        UpdateOpening.Opened memory opened;
        (opened.client, opened.examples) = (reader.takeUint32(), reader.takeUint32());
        coordinates = reader.take(4 * site.place.width);
        bytes32 root = _rootOf(coordinates, 4 << site.leafLog2);
        root = reader.takeClimb(root, site.place.leaf, site.place.leafCount);
        opened.commitment = CommitHash.commitment(
            site.domain,
            site.roundId,
            opened.client,
            opened.examples,
            root
        );
        membersRoot = reader.takeMembersRoot(opened, slot, site.included);
    }

    /// Squared Euclidean distance of two chunks of little-endian int32, of the same length, clamped to `bound`, which
    /// is below 2^23 (§5.6). A block has a thousand coordinates, so four are taken at a time, in lanes of 64 bits.
    function squaredDistance(
        bytes calldata a,
        bytes calldata b,
        uint32 bound
    ) internal pure returns (uint256 total) {
        unchecked {
            uint256 toLow = LANES * (2 ** 63 - 2 ** 31 + uint256(bound));
            uint256 toHigh = LANES * (2 ** 63 + 2 * uint256(bound));
            for (uint256 i = 0; i < a.length; i += 32) {
                (uint256 x, uint256 y) = (_coordinatesAt(a, i), _coordinatesAt(b, i));
                total += _squares(
                    _turned(x & LOW_HALVES, toLow, toHigh),
                    _turned(y & LOW_HALVES, toLow, toHigh)
                );
                total += _squares(
                    _turned((x >> 32) & LOW_HALVES, toLow, toHigh),
                    _turned((y >> 32) & LOW_HALVES, toLow, toHigh)
                );
            }
        }
    }

    /// Eight coordinates from byte `i` on, big endian; zeros stand for what follows the last one.
    function _coordinatesAt(bytes calldata chunk, uint256 i) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(chunk.offset, i))
        }
        word = ((word & ODD_BYTES) >> 8) | ((word << 8) & ODD_BYTES);
        word = ((word & LEFT_PAIRS) >> 16) | ((word << 16) & LEFT_PAIRS);
        unchecked {
            uint256 rest = chunk.length - i;
            if (rest < 32) word >>= 8 * (32 - rest);
        }
    }

    /// Four int32 x as bound - clamp(x), which is from 0 to 2 * bound: distances do not mind the turn. Where a
    /// subtraction goes below zero, its lane loses the flag in the top bit, and becomes zero.
    function _turned(uint256 x, uint256 toLow, uint256 toHigh) private pure returns (uint256) {
        unchecked {
            uint256 fromLow = (x ^ (LANES << 31)) + toLow;
            uint256 kept = (fromLow >> 63) & LANES;
            uint256 fromHigh = toHigh - (fromLow & ((kept << 63) - kept));
            kept = (fromHigh >> 63) & LANES;
            return fromHigh & ((kept << 63) - kept);
        }
    }

    /// Sum of four squared differences: the lanes times the lanes in reverse order, of which the top lane gets the
    /// products of equal lanes. What the lanes below leave is small and signed, hence the rounding.
    function _squares(uint256 x, uint256 y) private pure returns (uint256) {
        unchecked {
            uint256 flags = LANES << 63;
            uint256 difference = x + flags - y;
            uint256 mirror = (difference << 128) | (difference >> 128);
            mirror = ((mirror & RIGHT_LANES) << 64) | ((mirror >> 64) & RIGHT_LANES);
            return ((difference - flags) * (mirror - flags) + 2 ** 191) >> 192;
        }
    }

    function _rootOf(bytes calldata chunk, uint256 leafBytes) private view returns (bytes32) {
        bytes32[] memory leaves = new bytes32[]((chunk.length + leafBytes - 1) / leafBytes);
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint256 end = i + 1 < leaves.length ? (i + 1) * leafBytes : chunk.length;
            leaves[i] = ChunkTree.leafHashOf(chunk[i * leafBytes:end]);
        }
        return ChunkTree.rootOf(leaves);
    }
}
