// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {KrumBlock} from "../libraries/KrumBlock.sol";
import {KrumSelection} from "../libraries/KrumSelection.sol";

/// Library functions of packed bytes as calls.
contract KrumHarness {
    function squaredDistance(
        bytes calldata a,
        bytes calldata b,
        uint32 bound
    ) external pure returns (uint256) {
        return KrumBlock.squaredDistance(a, b, bound);
    }

    function choose(
        bytes calldata aux,
        bytes calldata thresholds,
        uint256 nearest,
        uint256 count,
        uint256 last
    ) external pure returns (uint256[] memory) {
        return KrumSelection.choose(KrumSelection.read(aux, thresholds), nearest, count, last);
    }

    function distanceOf(
        bytes calldata aux,
        uint256 n,
        uint256 low,
        uint256 high
    ) external pure returns (uint96) {
        return KrumSelection.distanceOf(aux, n, low, high);
    }
}
