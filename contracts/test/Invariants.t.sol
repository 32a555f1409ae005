// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ParticipantRegistry} from "../ParticipantRegistry.sol";
import {RoundLedger} from "../RoundLedger.sol";
import {Participant} from "../interfaces/IParticipantRegistry.sol";
import {Phase, Round} from "../interfaces/IRoundLedger.sol";
import {RandomActors} from "./RandomActors.sol";
import {TestBase} from "./Vm.sol";

/// What holds whatever participants, aggregators and the court do, in whatever order.
contract InvariantsTest is TestBase {
    RandomActors private actors;
    ParticipantRegistry private registry;
    RoundLedger private ledger;

    function setUp() public {
        actors = new RandomActors();
        (address registry_, address ledger_) = actors.contracts();
        registry = ParticipantRegistry(registry_);
        ledger = RoundLedger(ledger_);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(actors);
        targets[0].selectors = new bytes4[](1);
        targets[0].selectors[0] = actors.step.selector;
    }

    function invariantEveryWeiIsAccountedFor() public view {
        same(actors.heldWei(), address(registry).balance);
    }

    function invariantBondsAreCoveredByStakes() public view {
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            Participant memory p = registry.participant(id);
            check(p.lockedWei <= p.stakeWei, "locked beyond the stake");
            check(p.openRounds != 0 || p.lockedWei == 0, "locked without a round");
        }
    }

    function invariantOneCommitmentPerClientAndRound() public view {
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            uint256 bits = 0;
            for (uint32 id = 1; id <= registry.participantCount(); ++id) {
                uint256 seen = actors.accepted(roundId, id);
                check(seen <= 1, "two commitments");
                check((seen == 1) == ledger.hasCommitted(roundId, id), "bit");
                bits += seen;
            }
            same(ledger.round(roundId).committed, bits);
        }
    }

    function invariantTasksHaveOneOpenRound() public view {
        uint256[3] memory open;
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            Round memory round = ledger.round(roundId);
            bool ended = round.phase > Phase.Proposed;
            if (!ended) ++open[round.taskId];
            (, , uint64 current, ) = ledger.taskState(round.taskId);
            check((current == roundId) == !ended, "current round");
        }
        check(open[1] <= 1 && open[2] <= 1, "two open rounds");
    }

    /// The actors get somewhere: every phase in which a round can end is reached.
    function testActorsReachEveryEnding() public {
        uint256[7] memory endings;
        for (uint256 i = 0; i < 500; ++i) actors.step(uint256(keccak256(abi.encode("endings", i))));
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            ++endings[uint256(ledger.round(roundId).phase)];
        }
        check(endings[uint256(Phase.Finalised)] > 0, "finalised");
        check(endings[uint256(Phase.Abandoned)] > 0, "abandoned");
        check(endings[uint256(Phase.Expired)] > 0, "expired");
        check(endings[uint256(Phase.Voided)] > 0, "voided");
    }

    /// After everything has ended, all ETH but the burnt can be taken out.
    function testFuzzAllEthLeavesInTheEnd(uint256 seed) public {
        for (uint256 i = 0; i < 30; ++i) actors.step(uint256(keccak256(abi.encode(seed, i))));
        same(actors.heldWei(), address(registry).balance);
        actors.leaveAltogether();
        same(address(registry).balance, registry.burntWei());
        same(actors.heldWei(), registry.burntWei());
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            check(ledger.round(roundId).phase > Phase.Proposed, "a round that cannot end");
        }
    }
}
