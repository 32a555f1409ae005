// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Participant} from "../interfaces/IParticipantRegistry.sol";
import {IRewardEscrow} from "../interfaces/IRewardEscrow.sol";
import {IRoundLedger, Phase, Round} from "../interfaces/IRoundLedger.sol";
import {TestBase} from "./Vm.sol";

/// What these tests call of RandomActors.
// solhint-disable-next-line interface-starts-with-i
interface Actors {
    function step(uint256 seed) external;
    function leaveAltogether() external;
    function contracts() external view returns (address registry, address ledger, address escrow);
    function heldWei() external view returns (uint256);
    function accepted(uint64 roundId, uint32 client) external view returns (uint256);
    function lieOf(uint64 roundId) external view returns (uint8);
    function held(uint64 roundId) external view returns (uint256);
    function proofs(uint64 roundId) external view returns (uint256);
}

/// What holds whatever participants, aggregators and challengers do, in whatever order. The actors themselves see to it
/// that no honest round is void, that every lie is provable, and that a round that has ended stays as it is.
contract InvariantsTest is TestBase {
    uint256 private constant BOND = 0.5 ether;
    uint32 private constant TASKS = 2;

    Actors private actors;
    IParticipantRegistry private registry;
    IRoundLedger private ledger;
    IRewardEscrow private escrow;

    function setUp() public {
        actors = Actors(deploy("RandomActors", ""));
        (address registry_, address ledger_, address escrow_) = actors.contracts();
        registry = IParticipantRegistry(registry_);
        ledger = IRoundLedger(ledger_);
        escrow = IRewardEscrow(escrow_);
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

    /// What a participant has locked is the bonds of its tasks, each once, and a part of its stake.
    function invariantBondsAreCoveredByStakesOnce() public view {
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            Participant memory p = registry.participant(id);
            uint256 tasks = 0;
            for (uint32 taskId = 1; taskId <= TASKS; ++taskId) if (holdsBond(id, taskId)) ++tasks;
            same(p.openTasks, tasks);
            same(p.lockedWei, tasks * BOND);
            check(p.lockedWei <= p.stakeWei, "locked beyond the stake");
        }
    }

    function holdsBond(uint32 id, uint32 taskId) private view returns (bool) {
        (, , uint64 current, , bool bonded) = ledger.taskState(taskId);
        if (!bonded || current == 0) return false;
        Round memory round = ledger.round(current);
        return round.aggregator == id && (round.phase != Phase.Voided || !escrow.isSettled(current));
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

    function isRunning(Phase phase) private pure returns (bool) {
        return phase == Phase.Open || phase == Phase.Proposed || phase == Phase.Paused;
    }

    function invariantOnlyTheLatestRoundOfATaskRuns() public view {
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            Round memory round = ledger.round(roundId);
            (, , uint64 current, , ) = ledger.taskState(round.taskId);
            check(roundId <= current, "current round");
            check(roundId == current || !isRunning(round.phase), "two running rounds");
            check((round.phase == Phase.Paused) == pausedWhileOpen(round, roundId, current), "paused");
        }
    }

    function pausedWhileOpen(Round memory round, uint64 roundId, uint64 current) private view returns (bool) {
        bool isOpen = round.phase == Phase.Open || round.phase == Phase.Paused;
        return roundId == current && isOpen && ledger.pausedAt(round.taskId) != 0;
    }

    function invariantARoundIsStruckByOneProof() public view {
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            bool isVoided = ledger.round(roundId).phase == Phase.Voided;
            same(actors.proofs(roundId), isVoided ? 1 : 0);
            check(!escrow.isSettled(roundId) || isVoided, "settled without a verdict");
            same(ledger.round(roundId).openDisputes, actors.held(roundId));
        }
    }

    /// The actors get somewhere: every phase in which a round can end is reached, and every lie is told and proven.
    function testActorsReachEveryEnding() public {
        uint256[8] memory endings;
        uint256[5] memory proven;
        for (uint256 i = 0; i < 600; ++i) actors.step(uint256(keccak256(abi.encode("endings", i))));
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            ++endings[uint256(ledger.round(roundId).phase)];
            if (actors.proofs(roundId) > 0) ++proven[actors.lieOf(roundId)];
        }
        check(endings[uint256(Phase.Finalised)] > 0, "finalised");
        check(endings[uint256(Phase.Abandoned)] > 0, "abandoned");
        check(endings[uint256(Phase.Expired)] > 0, "expired");
        check(endings[uint256(Phase.Voided)] > 0, "voided");
        for (uint256 lie = 1; lie < 5; ++lie) check(proven[lie] > 0, "a lie that was not proven");
    }

    /// After everything has ended, all ETH can be taken out but the burnt and what divisions left.
    /// hardhat-config: fuzz.runs = 32
    function testFuzzAllEthLeavesInTheEnd(uint256 seed) public {
        for (uint256 i = 0; i < 40; ++i) actors.step(uint256(keccak256(abi.encode(seed, i))));
        same(actors.heldWei(), address(registry).balance);
        actors.leaveAltogether();
        uint256 left = registry.creditOf(address(escrow));
        same(address(registry).balance, registry.burntWei() + left);
        check(left <= 16 * ledger.roundCount(), "the escrow keeps more than divisions left");
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            check(!isRunning(ledger.round(roundId).phase), "a round that cannot end");
            same(ledger.round(roundId).openDisputes, 0);
        }
    }
}
