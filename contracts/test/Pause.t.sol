// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRoundLedger, Outcome, Phase, Round, Task} from "../interfaces/IRoundLedger.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

/// The guardian's pause, and what it never stops; the governor's successor.
contract PauseTest is LedgerFixture {
    uint32 private aggregator;

    function setUp() public override {
        super.setUp();
        aggregator = assemble(5);
        ledger.createTask(sampleTask());
    }

    function refuse(bytes memory reason) private {
        VM.expectRevert(reason);
    }

    function pause() private {
        VM.prank(GUARDIAN);
        ledger.pause(1);
    }

    function resume() private {
        VM.prank(GUARDIAN);
        ledger.resume(1);
    }

    function wait(uint256 span) private {
        VM.warp(clock() + span);
    }

    function checkPhase(uint64 roundId, Phase want) private view {
        same(uint256(phaseOf(roundId)), uint256(want));
    }

    // --------------------------------------------------------------------------------------------------- who and when

    function testOnlyTheGuardianPauses() public {
        refuse(abi.encodeWithSelector(IRoundLedger.NotGuardian.selector, address(this)));
        ledger.pause(1);
        VM.prank(GUARDIAN);
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownTask.selector, 9));
        ledger.pause(9);
        refuse(abi.encodeWithSelector(IRoundLedger.NotPaused.selector, 1));
        resume();
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.Paused(1, 0);
        pause();
        same(ledger.pausedAt(1), clock());
        refuse(abi.encodeWithSelector(IRoundLedger.TaskPaused.selector, 1));
        pause();
    }

    function testAnybodyEndsAnOverlongPause() public {
        pause();
        wait(MAX_PAUSE);
        refuse(abi.encodeWithSelector(IRoundLedger.NotGuardian.selector, address(this)));
        ledger.resume(1);
        wait(1);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.Resumed(1, 0, MAX_PAUSE + 1);
        ledger.resume(1);
        same(ledger.pausedAt(1), 0);
    }

    function testPausesLeaveTimeBetweenThem() public {
        pause();
        wait(5);
        resume();
        uint40 from = uint40(clock()) + MAX_PAUSE + 1;
        refuse(abi.encodeWithSelector(IRoundLedger.PausedTooOften.selector, 1, from));
        pause();
        VM.warp(from - 1);
        refuse(abi.encodeWithSelector(IRoundLedger.PausedTooOften.selector, 1, from));
        pause();
        VM.warp(from);
        pause();
    }

    /// One task's pause is no other task's.
    function testAPauseStopsItsOwnTaskOnly() public {
        uint32 other = ledger.createTask(sampleTask());
        pause();
        VM.startPrank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.TaskPaused.selector, 1));
        ledger.openRound(1, aggregator);
        ledger.openRound(other, aggregator);
        VM.stopPrank();
        resume();
        open(aggregator);
    }

    // ------------------------------------------------------------------------------------------------- an open round

    function testAPausedRoundTakesNothing() public {
        uint64 roundId = open(aggregator);
        bytes memory batch = batchOf(roundId, 1, 5);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.Paused(1, roundId);
        pause();
        checkPhase(roundId, Phase.Paused);
        bytes memory paused = abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Paused);
        refuse(paused);
        ledger.commitBatch(roundId, batch);
        refuse(paused);
        ledger.commit(roundId, 1, keccak256("x"));
        refuse(abi.encodeWithSelector(IRoundLedger.RoundInProgress.selector, 1, roundId));
        ledger.releaseBond(1);
        pass(ledger.round(roundId).proposeEnd);
        refuse(paused);
        ledger.propose(roundId, sampleProposal(roundId, 5), "", "");
        refuse(paused);
        ledger.abandon(roundId, "", "");
        refuse(paused);
        ledger.expire(roundId);
    }

    /// Every deadline that has not passed moves by the pause, and no other.
    function testFuzzDeadlinesMoveByThePause(uint256 seed) public {
        uint64 roundId = open(aggregator);
        Round memory before = ledger.round(roundId);
        uint256 at = within(seed >> 8, before.openedAt, uint256(before.proposeEnd) + 50);
        uint256 span = within(seed >> 64, 0, MAX_PAUSE);
        VM.warp(at);
        pause();
        Round memory paused = ledger.round(roundId);
        same(paused.commitEnd, before.commitEnd);
        same(paused.proposeEnd, before.proposeEnd);
        wait(span);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.Resumed(1, roundId, uint40(span));
        resume();
        Round memory later = ledger.round(roundId);
        checkPhase(roundId, Phase.Open);
        same(later.openedAt, before.openedAt);
        same(later.commitEnd, before.commitEnd + (at <= before.commitEnd ? span : 0));
        same(later.dataEnd, before.dataEnd + span);
        same(later.proposeEnd, before.proposeEnd + span);
    }

    function testARoundThatWasPausedGoesOn() public {
        uint64 roundId = open(aggregator);
        wait(COMMIT);
        pause();
        wait(400);
        resume();
        // The pause began in the last second of the commits: that second is left.
        ledger.commitBatch(roundId, batchOf(roundId, 1, 5));
        uint40 end = ledger.round(roundId).commitEnd;
        bytes memory late = entry(roundId, 1, keyOf(1));
        wait(1);
        refuse(abi.encodeWithSelector(IRoundLedger.TooLate.selector, roundId, end, clock()));
        ledger.commitBatch(roundId, late);
        pass(ledger.round(roundId).dataEnd);
        Outcome memory outcome = proposeAs(aggregator, roundId, "");
        pass(ledger.round(roundId).challengeEnd);
        ledger.finalise(roundId, outcome);
    }

    function testAPausedRoundExpiresLater() public {
        uint64 roundId = open(aggregator);
        uint40 proposeEnd = ledger.round(roundId).proposeEnd;
        VM.warp(proposeEnd);
        pause();
        wait(77);
        resume();
        refuse(
            abi.encodeWithSelector(IRoundLedger.TooEarly.selector, roundId, proposeEnd + 78, proposeEnd + 77)
        );
        ledger.expire(roundId);
        pass(proposeEnd + 77);
        ledger.expire(roundId);
        checkPhase(roundId, Phase.Expired);
    }

    // --------------------------------------------------------------------------------------------- what is not stopped

    /// Proofs, disputes, finalisation and withdrawals go on.
    function testAPauseStopsNoProofAndNoFinalisation() public {
        Task memory task = sampleTask();
        task.challengeSeconds = 50;
        ledger.createTask(task);
        uint64 roundId = open(aggregator);
        VM.prank(ownerOf(aggregator));
        uint64 other = ledger.openRound(2, aggregator);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 5));
        ledger.commitBatch(other, batchOf(other, 1, 5));
        pass(ledger.round(roundId).dataEnd);
        Outcome memory outcome = proposeAs(aggregator, roundId, "");
        proposeAs(aggregator, other, "");
        uint40 end = ledger.round(roundId).challengeEnd;
        VM.startPrank(GUARDIAN);
        ledger.pause(1);
        ledger.pause(2);
        VM.stopPrank();
        checkPhase(roundId, Phase.Proposed);
        VM.startPrank(COURT);
        ledger.holdDispute(roundId, 0);
        ledger.releaseDispute(roundId);
        ledger.void(other, "x", COURT, "proof");
        VM.stopPrank();
        escrow.settle(other);
        pass(end);
        ledger.finalise(roundId, outcome);
        ledger.releaseBond(1);
        resume();
        // Nothing moved: there was no open round.
        same(ledger.round(roundId).challengeEnd, end);
        checkPhase(roundId, Phase.Finalised);
    }

    function testStakesLeaveDuringAPause() public {
        VM.prank(ownerOf(1));
        registry.requestUnbond(1);
        wait(UNBOND - 10);
        pause();
        wait(10);
        registry.withdraw(1);
        same(registry.creditOf(ownerOf(1)), CLIENT_STAKE);
    }

    /// No pause by the guardian alone makes a stake leave before its round has ended.
    function testAStakeOutlastsAPausedRound() public {
        Task memory task = sampleTask();
        task.challengeSeconds = uint32(UNBOND - MAX_PAUSE) - COMMIT - DATA - PROPOSE;
        uint32 taskId = ledger.createTask(task);
        VM.prank(ownerOf(aggregator));
        uint64 roundId = ledger.openRound(taskId, aggregator);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 5));
        wait(1);
        VM.prank(ownerOf(1));
        registry.requestUnbond(1);
        VM.prank(GUARDIAN);
        ledger.pause(taskId);
        wait(MAX_PAUSE);
        VM.prank(GUARDIAN);
        ledger.resume(taskId);
        VM.warp(ledger.round(roundId).proposeEnd);
        proposeAs(aggregator, roundId, "");
        check(
            registry.participant(1).unlockAt >= ledger.round(roundId).challengeEnd,
            "the stake leaves first"
        );
    }

    /// All pauses of a round together, and one that nobody ends in time, move it by one full pause and no more.
    function testAStakeOutlastsARoundThatIsPausedAgainAndAgain() public {
        Task memory task = sampleTask();
        (task.commitSeconds, task.challengeSeconds) = (3000, 5300);
        uint32 taskId = ledger.createTask(task);
        VM.prank(ownerOf(aggregator));
        uint64 roundId = ledger.openRound(taskId, aggregator);
        Round memory before = ledger.round(roundId);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 5));
        wait(1);
        VM.prank(ownerOf(1));
        registry.requestUnbond(1);
        uint256[3] memory spans = [uint256(MAX_PAUSE - 300), MAX_PAUSE, MAX_PAUSE];
        for (uint256 i = 0; i < 3; ++i) {
            VM.prank(GUARDIAN);
            ledger.pause(taskId);
            wait(spans[i]);
            VM.prank(GUARDIAN);
            ledger.resume(taskId);
            uint256 moved = i == 0 ? MAX_PAUSE - 300 : MAX_PAUSE;
            same(ledger.round(roundId).commitEnd, before.commitEnd + moved);
            same(ledger.round(roundId).proposeEnd, before.proposeEnd + moved);
            wait(MAX_PAUSE + 1);
        }
        VM.warp(ledger.round(roundId).proposeEnd);
        proposeAs(aggregator, roundId, "");
        check(
            registry.participant(1).unlockAt >= ledger.round(roundId).challengeEnd,
            "the stake leaves first"
        );
    }

    function testAPauseThatNobodyEndsMovesARoundNoFurther() public {
        uint64 roundId = open(aggregator);
        Round memory before = ledger.round(roundId);
        pause();
        wait(3 * uint256(MAX_PAUSE));
        ledger.resume(1);
        same(ledger.round(roundId).commitEnd, before.commitEnd + MAX_PAUSE);
        same(ledger.round(roundId).proposeEnd, before.proposeEnd + MAX_PAUSE);
    }

    // ------------------------------------------------------------------------------------------------------ successor

    function testTheGovernorNamesOneSuccessor() public {
        same(ledger.successor(), address(0));
        VM.prank(GUARDIAN);
        refuse(abi.encodeWithSelector(IRoundLedger.NotGovernor.selector, GUARDIAN));
        ledger.nameSuccessor(address(7));
        VM.expectEmit(true, false, false, true, address(ledger));
        emit IRoundLedger.SuccessorNamed(address(7));
        ledger.nameSuccessor(address(7));
        same(ledger.successor(), address(7));
        refuse(abi.encodeWithSelector(IRoundLedger.SuccessorKnown.selector, address(7)));
        ledger.nameSuccessor(address(8));
        // Nothing here changes.
        open(aggregator);
    }
}
