// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAvailabilityBoard} from "../interfaces/IAvailabilityBoard.sol";

/// A board of one, which certifies what its maker tells it.
contract SoleBoard is IAvailabilityBoard {
    bool private _certified;
    bytes32 private _hash;

    function certify(bytes calldata excluded) external {
        (_certified, _hash) = (true, keccak256(excluded));
    }

    function exclusionsHash(uint64) external view returns (bool certified, bytes32 hash) {
        return (_certified, _hash);
    }
}
