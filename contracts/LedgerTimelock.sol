// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// A governor that everybody can see coming: what it is to do to a ledger, an attestor committee or itself waits for
/// `minDelay` seconds first. It has no administrator beside itself, and executing is open to anybody.
contract LedgerTimelock is TimelockController {
    constructor(
        uint256 minDelay,
        address[] memory proposers
    ) TimelockController(minDelay, proposers, new address[](1), address(0)) {}
}
