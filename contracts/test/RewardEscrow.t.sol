// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRewardEscrow, Reward} from "../interfaces/IRewardEscrow.sol";
import {CommitMode, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// What proofs cost and earn: bonds, fines, tickets, shares.
contract RewardEscrowTest is CourtFixture {
    address private constant COPIER = address(0xC0B1);
    bytes32 private constant ANY = 0;

    function world(CommitMode mode) private returns (World memory w) {
        Task memory task = smallTask(Rule.Median, 21, 1);
        task.mode = mode;
        w = committedWorld(task, 7, abi.encodePacked(uint32(2), uint16(715)), 5);
    }

    /// A median round whose aggregate is one off at coordinate 17, and the proof of it.
    function lie() private returns (World memory w, bytes memory proof) {
        w = world(CommitMode.Verified);
        w.aggregate[17] += 1;
        propose(w);
        proof = columnProof(w, 17);
    }

    /// The same, proven.
    function voided(CommitMode mode) private returns (World memory w) {
        w = world(mode);
        w.aggregate[17] += 1;
        propose(w);
        holds(columnCall(w, columnProof(w, 17)));
    }

    function refuse(bytes memory reason) private {
        VM.expectRevert(reason);
    }

    function nothingOwed(World memory w, uint32 subject) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRewardEscrow.NothingOwed.selector, w.roundId, subject);
    }

    function testTheEscrowKnowsItsContractsAndTakesNoEth() public {
        same(escrow.registry(), address(registry));
        same(escrow.ledger(), address(ledger));
        // solhint-disable-next-line avoid-low-level-calls
        (bool sent, ) = address(escrow).call{value: 1}("");
        check(!sent, "took ETH");
    }

    // ------------------------------------------------------------------------------------------------- voided rounds

    /// The proof leaves the bond where it is; the settlement takes it, once, whoever sends it.
    function testTheBondIsTakenWhenTheRoundIsSettled() public {
        World memory w = voided(CommitMode.Verified);
        same(stakeOf(aggregator), AGGREGATOR_STAKE);
        same(registry.participant(aggregator).lockedWei, BOND);
        check(!escrow.isSettled(w.roundId), "settled");
        same(escrow.rewardOf(w.roundId, 0, ANY).provenAt, 0);
        VM.warp(clock() + 5);
        VM.expectEmit(true, true, false, true, address(escrow));
        emit IRewardEscrow.Settled(w.roundId, aggregator, BOND);
        VM.prank(address(0xBEEF));
        escrow.settle(w.roundId);
        check(escrow.isSettled(w.roundId), "not settled");
        same(stakeOf(aggregator), AGGREGATOR_STAKE - BOND);
        check(isUnlocked(aggregator), "locked");
        Reward memory reward = escrow.rewardOf(w.roundId, 0, ANY);
        same(reward.challenger, CHALLENGER);
        same(reward.provenAt, ledger.verdictOf(w.roundId).provenAt);
        same(reward.amountWei, (BOND * 4) / 10);
        refuse(abi.encodeWithSelector(IRewardEscrow.AlreadySettled.selector, w.roundId));
        escrow.settle(w.roundId);
    }

    /// Until it is settled, the aggregator can neither free the bond nor leave with it.
    function testAVoidedRoundsBondCannotLeave() public {
        World memory w = voided(CommitMode.Verified);
        VM.prank(ownerOf(aggregator));
        registry.requestUnbond(aggregator);
        VM.warp(clock() + UNBOND);
        VM.expectRevert();
        registry.withdraw(aggregator);
        escrow.settle(w.roundId);
        registry.withdraw(aggregator);
        same(registry.creditOf(ownerOf(aggregator)), AGGREGATOR_STAKE - BOND);
    }

    /// A fine for something else leaves the bond whole.
    function testABondIsWholeWhateverElseWasTaken() public {
        World memory w = voided(CommitMode.Verified);
        VM.prank(COURT);
        escrow.punish(w.roundId, aggregator, "other", 100 ether, CHALLENGER, "proof");
        same(stakeOf(aggregator), BOND);
        escrow.settle(w.roundId);
        same(stakeOf(aggregator), 0);
        same(escrow.rewardOf(w.roundId, 0, ANY).amountWei, (BOND * 4) / 10);
    }

    function testNothingIsOwedWithoutAVerdict() public {
        (World memory w, ) = lie();
        bytes memory reason = nothingOwed(w, 0);
        refuse(reason);
        escrow.settle(w.roundId);
        refuse(reason);
        escrow.claimReward(w.roundId);
        refuse(reason);
        escrow.claimShare(w.roundId, 1);
        refuse(reason);
        escrow.contest(w.roundId, 0, ANY, "proof", "salt");
        refuse(nothingOwed(w, 3));
        escrow.claimPunishment(w.roundId, 3, "equivocation");
        refuse(nothingOwed(w, 3));
        escrow.contest(w.roundId, 3, "equivocation", "proof", "salt");
        finish(w);
        refuse(reason);
        escrow.settle(w.roundId);
    }

    function testTheRewardWaitsAnHourFromTheProof() public {
        World memory w = voided(CommitMode.Verified);
        uint40 until = ledger.verdictOf(w.roundId).provenAt + 1 hours;
        VM.warp(until);
        refuse(abi.encodeWithSelector(IRewardEscrow.EscrowOpen.selector, until, until));
        escrow.claimReward(w.roundId);
        VM.warp(until + 1);
        VM.expectEmit(true, true, true, true, address(escrow));
        emit IRewardEscrow.Rewarded(w.roundId, 0, CHALLENGER, (BOND * 4) / 10);
        escrow.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), (BOND * 4) / 10);
        VM.prank(CHALLENGER);
        registry.claim(CHALLENGER);
        same(CHALLENGER.balance, (BOND * 4) / 10);
        refuse(nothingOwed(w, 0));
        escrow.claimReward(w.roundId);
    }

    function testARewardIsPaidAfterAnEarlierSettlementToo() public {
        World memory w = voided(CommitMode.Verified);
        escrow.settle(w.roundId);
        pass(ledger.verdictOf(w.roundId).provenAt + 1 hours);
        escrow.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), (BOND * 4) / 10);
    }

    /// The call for punishments must not spend the aggregator's reward for nothing.
    function testTheRewardOfARoundIsPaidByItsOwnCall() public {
        World memory w = voided(CommitMode.Verified);
        escrow.settle(w.roundId);
        pass(ledger.verdictOf(w.roundId).provenAt + 1 hours);
        refuse(nothingOwed(w, 0));
        escrow.claimPunishment(w.roundId, 0, ANY);
        escrow.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), (BOND * 4) / 10);
    }

    // --------------------------------------------------------------------------------------------------------- shares

    function testEveryClientOfAVoidedRoundHasAShare() public {
        World memory w = voided(CommitMode.Verified);
        uint256 share = BOND / 10 / 7;
        // The first claim settles.
        for (uint32 client = 1; client <= 7; ++client) {
            check(!escrow.hasClaimedShare(w.roundId, client), "claimed");
            VM.expectEmit(true, true, true, true, address(escrow));
            emit IRewardEscrow.ShareClaimed(w.roundId, client, ownerOf(client), share);
            escrow.claimShare(w.roundId, client);
            check(escrow.hasClaimedShare(w.roundId, client), "not claimed");
            same(registry.creditOf(ownerOf(client)), share);
            refuse(abi.encodeWithSelector(IRewardEscrow.AlreadyClaimed.selector, w.roundId, client));
            escrow.claimShare(w.roundId, client);
        }
        refuse(abi.encodeWithSelector(IRewardEscrow.NotCommitted.selector, w.roundId, uint32(8)));
        escrow.claimShare(w.roundId, 8);
        pass(uint40(clock()) + 1 hours);
        escrow.claimReward(w.roundId);
        // Only what a division leaves stays in the escrow's credit.
        same(registry.creditOf(address(escrow)), BOND / 10 - 7 * share);
    }

    /// Where the chain does not know who committed, the clients' share is burnt.
    function testWithoutAListOnTheChainTheClientsShareIsBurnt() public {
        for (uint256 mode = 1; mode < 3; ++mode) {
            World memory w = voided(CommitMode(mode));
            refuse(abi.encodeWithSelector(IRewardEscrow.NotCommitted.selector, w.roundId, uint32(1)));
            escrow.claimShare(w.roundId, 1);
            checkVoided(w);
            same(registry.creditOf(address(escrow)), (BOND * 4) / 10);
            pass(uint40(clock()) + 1 hours);
            escrow.claimReward(w.roundId);
            same(registry.creditOf(address(escrow)), 0);
            same(registry.burntWei(), (mode * BOND * 6) / 10);
        }
    }

    // -------------------------------------------------------------------------------------------------------- tickets

    function ticketHash(
        World memory w,
        bytes memory proof,
        address who,
        bytes32 salt
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(w.roundId, keccak256(proof), who, salt));
    }

    function contestAs(address who, World memory w, bytes memory proof, bytes32 salt) private {
        VM.prank(who);
        escrow.contest(w.roundId, 0, "wrong aggregate", keccak256(proof), salt);
    }

    function copy(bytes memory call) private {
        VM.prank(COPIER);
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, ) = address(court).call(call);
        check(held, "the copy");
    }

    function buy(address who, World memory w, bytes memory proof, bytes32 salt) private {
        bytes32 hash = ticketHash(w, proof, who, salt);
        VM.expectEmit(true, false, false, true, address(escrow));
        emit IRewardEscrow.Ticketed(hash);
        VM.prank(who);
        escrow.ticket(hash);
        same(escrow.ticketAt(hash), clock());
        VM.warp(clock() + 1);
    }

    function testAnEarlierTicketBeatsACopier() public {
        (World memory w, bytes memory proof) = lie();
        buy(CHALLENGER, w, proof, "salt");
        copy(columnCall(w, proof));
        same(ledger.verdictOf(w.roundId).challenger, COPIER);
        VM.expectEmit(true, true, false, true, address(escrow));
        emit IRewardEscrow.Contested(w.roundId, 0, "wrong aggregate", CHALLENGER);
        contestAs(CHALLENGER, w, proof, "salt");
        pass(uint40(clock()) + 1 hours);
        escrow.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), (BOND * 4) / 10);
        same(registry.creditOf(COPIER), 0);
    }

    function testTheEarliestTicketWins() public {
        (World memory w, bytes memory proof) = lie();
        buy(address(1), w, proof, "a");
        buy(address(2), w, proof, "b");
        VM.warp(clock() - 1);
        buy(address(3), w, proof, "c");
        holds(columnCall(w, proof));
        contestAs(address(2), w, proof, "b");
        // One of the same second is not earlier.
        bytes32 late = ticketHash(w, proof, address(3), "c");
        refuse(abi.encodeWithSelector(IRewardEscrow.NoEarlierTicket.selector, late));
        contestAs(address(3), w, proof, "c");
        contestAs(address(1), w, proof, "a");
        late = ticketHash(w, proof, address(2), "b");
        refuse(abi.encodeWithSelector(IRewardEscrow.NoEarlierTicket.selector, late));
        contestAs(address(2), w, proof, "b");
        Reward memory reward = escrow.rewardOf(w.roundId, 0, ANY);
        same(reward.challenger, address(1));
        same(reward.ticketAt, escrow.ticketAt(ticketHash(w, proof, address(1), "a")));
    }

    function testLateTicketsAndOthersTicketsAreWorthNothing() public {
        (World memory w, bytes memory proof) = lie();
        // In the second of the proof is too late.
        bytes32 hash = ticketHash(w, proof, COPIER, "salt");
        VM.prank(COPIER);
        escrow.ticket(hash);
        holds(columnCall(w, proof));
        refuse(abi.encodeWithSelector(IRewardEscrow.NoEarlierTicket.selector, hash));
        contestAs(COPIER, w, proof, "salt");
        bytes32 none = ticketHash(w, proof, COPIER, "none");
        refuse(abi.encodeWithSelector(IRewardEscrow.NoEarlierTicket.selector, none));
        contestAs(COPIER, w, proof, "none");
        refuse(abi.encodeWithSelector(IRewardEscrow.WrongProofHash.selector, keccak256("another")));
        contestAs(COPIER, w, "another", "salt");
        refuse(abi.encodeWithSelector(IRewardEscrow.TicketExists.selector, hash));
        escrow.ticket(hash);
    }

    function testATicketIsUsedWithinTheHour() public {
        (World memory w, bytes memory proof) = lie();
        buy(COPIER, w, proof, "salt");
        holds(columnCall(w, proof));
        uint40 until = uint40(clock()) + 1 hours;
        VM.warp(until + 1);
        refuse(abi.encodeWithSelector(IRewardEscrow.EscrowOver.selector, until, until + 1));
        contestAs(COPIER, w, proof, "salt");
        VM.warp(until);
        contestAs(COPIER, w, proof, "salt");
    }

    /// The hour runs from the proof, not from the settlement, and a paid reward is not contested.
    function testALateSettlementLeavesNoTimeToContest() public {
        (World memory w, bytes memory proof) = lie();
        buy(COPIER, w, proof, "salt");
        holds(columnCall(w, proof));
        pass(uint40(clock()) + 1 hours);
        escrow.settle(w.roundId);
        VM.expectRevert();
        contestAs(COPIER, w, proof, "salt");
        escrow.claimReward(w.roundId);
        refuse(nothingOwed(w, 0));
        contestAs(COPIER, w, proof, "salt");
    }

    // ---------------------------------------------------------------------------------------------------- punishments

    function testOnlyCourtsPunish() public {
        refuse(abi.encodeWithSelector(IRewardEscrow.NotCourt.selector, address(this)));
        escrow.punish(1, 3, "test", 1 ether, CHALLENGER, "proof");
    }

    function testAPunishmentIsTakenAtOnceAndOnce() public {
        VM.startPrank(COURT);
        escrow.punish(1, 3, "test", 0.5 ether, CHALLENGER, "proof");
        same(stakeOf(3), 0.5 ether);
        same(registry.creditOf(address(escrow)), 0.2 ether);
        same(registry.burntWei(), 0.3 ether);
        refuse(abi.encodeWithSelector(IRewardEscrow.AlreadyProven.selector, uint64(1), uint32(3)));
        escrow.punish(1, 3, "test", 0.5 ether, CHALLENGER, "another");
        // Another round, another client, another reason.
        escrow.punish(2, 3, "test", 0.1 ether, CHALLENGER, "proof");
        escrow.punish(1, 4, "test", 0.1 ether, CHALLENGER, "proof");
        escrow.punish(1, 3, "other", 0.1 ether, CHALLENGER, "proof");
        VM.stopPrank();
        Reward memory reward = escrow.rewardOf(1, 3, "test");
        same(reward.challenger, CHALLENGER);
        same(reward.provenAt, clock());
        same(reward.proofTag, uint56(uint256(bytes32("proof"))));
        same(reward.amountWei, 0.2 ether);
        uint40 until = reward.provenAt + 1 hours;
        VM.warp(until);
        refuse(abi.encodeWithSelector(IRewardEscrow.EscrowOpen.selector, until, until));
        escrow.claimPunishment(1, 3, "test");
        VM.warp(until + 1);
        VM.expectEmit(true, true, true, true, address(escrow));
        emit IRewardEscrow.Rewarded(1, 3, CHALLENGER, 0.2 ether);
        escrow.claimPunishment(1, 3, "test");
        same(registry.creditOf(CHALLENGER), 0.2 ether);
        refuse(abi.encodeWithSelector(IRewardEscrow.NothingOwed.selector, uint64(1), uint32(3)));
        escrow.claimPunishment(1, 3, "test");
    }

    function testAnEarlierTicketWinsAPunishmentToo() public {
        bytes32 hash = keccak256(abi.encode(uint64(1), bytes32("proof"), address(this), bytes32("salt")));
        escrow.ticket(hash);
        VM.warp(clock() + 1);
        VM.prank(COURT);
        escrow.punish(1, 3, "test", 1 ether, COPIER, "proof");
        escrow.contest(1, 3, "test", "proof", "salt");
        same(escrow.rewardOf(1, 3, "test").challenger, address(this));
    }

    /// A client whose free stake is gone costs the escrow nothing: the reward is what was taken.
    function testARewardIsNeverMoreThanWhatWasTaken() public {
        VM.startPrank(COURT);
        escrow.punish(1, 3, "first", 5 ether, CHALLENGER, "proof");
        escrow.punish(1, 3, "second", 5 ether, CHALLENGER, "proof");
        VM.stopPrank();
        same(escrow.rewardOf(1, 3, "first").amountWei, (CLIENT_STAKE * 4) / 10);
        same(escrow.rewardOf(1, 3, "second").amountWei, 0);
        same(registry.creditOf(address(escrow)), (CLIENT_STAKE * 4) / 10);
        pass(uint40(clock()) + 1 hours);
        escrow.claimPunishment(1, 3, "second");
        escrow.claimPunishment(1, 3, "first");
        same(registry.creditOf(CHALLENGER), (CLIENT_STAKE * 4) / 10);
    }
}
