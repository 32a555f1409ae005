// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Vectors are bytes of little-endian int32, as numpy holds them; the EVM is big-endian (docs/protocol.md §1.1).
library LittleEndian {
    error NotWords(uint256 length);

    function swap32(uint32 x) internal pure returns (uint32) {
        x = ((x & 0xff00ff00) >> 8) | ((x & 0x00ff00ff) << 8);
        return (x >> 16) | (x << 16);
    }

    function encode(int32[] memory values) internal pure returns (bytes memory data) {
        data = new bytes(values.length * 4);
        for (uint256 i = 0; i < values.length; ++i) {
            bytes4 word = bytes4(swap32(uint32(values[i])));
            for (uint256 j = 0; j < 4; ++j) data[4 * i + j] = word[j];
        }
    }

    function decode(bytes memory data) internal pure returns (int32[] memory values) {
        if (data.length % 4 != 0) revert NotWords(data.length);
        values = new int32[](data.length / 4);
        for (uint256 i = 0; i < values.length; ++i) {
            bytes32 word;
            assembly ("memory-safe") {
                word := mload(add(add(data, 0x20), mul(i, 4)))
            }
            values[i] = int32(swap32(uint32(bytes4(word))));
        }
    }
}
