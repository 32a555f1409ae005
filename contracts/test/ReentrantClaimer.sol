// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";

// A receiver that does what receivers should not.
// solhint-disable avoid-low-level-calls, no-complex-fallback

/// Owns a participant and, when it is paid, asks to be paid again. Remembers what became of that.
contract ReentrantClaimer {
    IParticipantRegistry private immutable REGISTRY;
    bool public tried;
    bool public succeeded;
    /// First four bytes of the revert that stopped it.
    bytes4 public refusal;
    bool public refusesPayment;

    constructor(address registry) {
        REGISTRY = IParticipantRegistry(registry);
    }

    receive() external payable {
        // solhint-disable-next-line gas-custom-errors, reason-string
        require(!refusesPayment);
        tried = true;
        (bool ok, bytes memory data) = address(REGISTRY).call(
            abi.encodeCall(IParticipantRegistry.claim, (address(this)))
        );
        succeeded = ok;
        if (!ok) refusal = bytes4(data);
    }

    function refusePayment(bool refuses) external {
        refusesPayment = refuses;
    }

    function unbond(uint32 id) external {
        REGISTRY.requestUnbond(id);
    }

    function claim() external {
        REGISTRY.claim(address(this));
    }
}
