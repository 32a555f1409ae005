// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// How an update is cut into blocks, and a disputed range of blocks into parts (docs/protocol.md, Disputes over Krum).
/// Both follow from the task, so that both players know every move's length and the number of moves.
library KrumLayout {
    /// A block has 1024 coordinates, or one leaf if that is more: about as much to open as a dissection has to post.
    uint8 private constant BLOCK_LOG2 = 10;
    /// At most 1024 parts a move.
    uint8 private constant PARTS_LOG2 = 10;

    function blockLog2(uint8 leafLog2) internal pure returns (uint8) {
        return leafLog2 > BLOCK_LOG2 ? leafLog2 : BLOCK_LOG2;
    }

    function blockCount(uint32 size, uint8 leafLog2) internal pure returns (uint32) {
        return uint32(_ceilShift(size, blockLog2(leafLog2)));
    }

    /// Height of the range that has all blocks.
    function topOf(uint32 blocks) internal pure returns (uint8 height) {
        while (1 << height < uint256(blocks)) ++height;
    }

    /// Dissections that lead from all blocks to one; one block is dissected too, which confirms the distance.
    function stepCount(uint32 blocks) internal pure returns (uint8) {
        uint8 top = topOf(blocks);
        return top == 0 ? 1 : (top + PARTS_LOG2 - 1) / PARTS_LOG2;
    }

    /// Height of the parts of a range: dissections split the way down evenly.
    function below(uint32 blocks, uint8 height) internal pure returns (uint8) {
        uint8 steps = stepCount(blocks);
        uint8 stepLog2 = (topOf(blocks) + steps - 1) / steps;
        return height > stepLog2 ? height - stepLog2 : 0;
    }

    /// Position of a range's first part among the ranges of their height.
    function firstPart(uint32 blocks, uint8 height, uint32 index) internal pure returns (uint256) {
        return uint256(index) << (height - below(blocks, height));
    }

    /// Parts of a range; the last range may have fewer than the others.
    function partCount(uint32 blocks, uint8 height, uint32 index) internal pure returns (uint256) {
        uint8 lower = below(blocks, height);
        uint256 end = (uint256(index) + 1) << (height - lower);
        uint256 all = _ceilShift(blocks, lower);
        return (end < all ? end : all) - firstPart(blocks, height, index);
    }

    function _ceilShift(uint256 x, uint8 log2) private pure returns (uint256) {
        return (x + (1 << log2) - 1) >> log2;
    }
}
