// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {Dispute} from "../interfaces/IRoundLedger.sol";

/// What a client weighs in a weighted mean (docs/protocol.md §5.3).
library Weights {
    /// min(examples, examplesCap, stake / weiPerWeight), the stake as it was before the round opened.
    function weigh(
        IParticipantRegistry registry,
        Dispute memory dispute,
        uint32 client,
        uint32 examples,
        uint40 openedAt
    ) internal view returns (uint256 weight) {
        weight = examples < dispute.examplesCap ? examples : dispute.examplesCap;
        if (dispute.weiPerWeight == 0) return weight;
        uint256 byStake = registry.stakeAt(client, openedAt - 1) / dispute.weiPerWeight;
        if (byStake < weight) weight = byStake;
    }
}
