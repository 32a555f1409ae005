// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRoundLedger, Rule, Task} from "../interfaces/IRoundLedger.sol";

/// Ranges that every task keeps for ever (docs/protocol.md, Tasks).
library TaskRules {
    /// A round's manifest, 147 bytes and 103 a client, is one block of at most 1 MiB.
    uint16 private constant MAX_CLIENTS = 10_000;
    /// Distances of all pairs travel with a proposal: 12 bytes each.
    uint16 private constant MAX_KRUM_CLIENTS = 50;
    /// A client's seed table travels with a proof: 36 bytes a peer.
    uint16 private constant MAX_PEERS = 1000;

    /// Revert with the name of the first field that is out of range.
    function check(Task calldata task, uint256 unbondSeconds, uint256 maxPauseSeconds) internal pure {
        _checkFormat(task);
        _checkCounts(task);
        _checkRule(task);
        _checkWindows(task, unbondSeconds, maxPauseSeconds);
        _require(task.genesisModel != 0, "genesisModel");
        _require(task.layoutDigest != 0, "layoutDigest");
    }

    function _checkFormat(Task calldata task) private pure {
        _require(task.size > 0, "size");
        _require(task.scaleBits <= 30, "scaleBits");
        _require(task.leafLog2 >= 3 && task.leafLog2 <= 12, "leafLog2");
        _require(task.matrixLog2 <= 8, "matrixLog2");
        _require(task.modelLog2 >= 3 && task.modelLog2 <= 12, "modelLog2");
        // One squared difference of two coordinates then fits 2^48.
        _require(task.bound > 0 && task.bound < 2 ** 23, "bound");
    }

    function _checkCounts(Task calldata task) private pure {
        _require(task.examplesCap > 0 && task.examplesCap < 2 ** 20, "examplesCap");
        _require(task.weiPerWeight == 0 || task.rule == Rule.WeightedMean, "weiPerWeight");
        _require(task.maxClients > 0 && task.maxClients <= MAX_CLIENTS, "maxClients");
        _require(task.quorum > 0 && task.quorum <= task.maxClients, "quorum");
    }

    /// The rule must be defined for every round that reaches the quorum.
    function _checkRule(Task calldata task) private pure {
        (Rule rule, uint256 param, uint256 select) = (task.rule, task.ruleParam, task.ruleSelect);
        bool isKrum = rule == Rule.Krum || rule == Rule.MultiKrum;
        if (rule == Rule.TrimmedMean) _require(2 * param < task.quorum, "quorum");
        else if (isKrum) _require(2 * param + 3 <= task.quorum, "quorum");
        else if (rule == Rule.Composed) _require(param != 0 && param <= task.quorum, "quorum");
        else if (rule == Rule.Sum32) _require(param < task.maxClients && param <= MAX_PEERS, "ruleParam");
        else _require(param == 0, "ruleParam");
        // A masked sum of one update is that update.
        _require(rule != Rule.Sum32 || param == 0 || task.quorum > 1, "quorum");
        _require((select != 0) == (rule == Rule.MultiKrum), "ruleSelect");
        _require(select == 0 || select + param <= task.quorum, "quorum");
        _require(!isKrum || task.maxClients <= MAX_KRUM_CLIENTS, "maxClients");
    }

    /// A stake that leaves must outlast every round that it could have taken part in, however it was delayed.
    function _checkWindows(Task calldata task, uint256 unbondSeconds, uint256 maxPauseSeconds) private pure {
        _require(task.commitSeconds > 0, "commitSeconds");
        _require(task.proposeSeconds > 0, "proposeSeconds");
        _require(task.challengeSeconds > 0, "challengeSeconds");
        uint256 sum =
            uint256(task.commitSeconds) +
                task.dataSeconds +
                task.proposeSeconds +
                task.challengeSeconds +
                maxPauseSeconds;
        _require(sum <= unbondSeconds, "challengeSeconds");
    }

    function _require(bool ok, bytes32 field) private pure {
        if (!ok) revert IRoundLedger.InvalidTask(field);
    }
}
