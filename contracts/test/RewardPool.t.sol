// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "../interfaces/IDisputeCourt.sol";
import {Role} from "../interfaces/IParticipantRegistry.sol";
import {AdmittedRound, HeadLink, IRewardPool, Pool} from "../interfaces/IRewardPool.sol";
import {IRoundLedger, Outcome, Proposal, Round} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {ProposalHash} from "../libraries/ProposalHash.sol";
import {LedgerFixture} from "./LedgerFixture.sol";
import {ReentrantClaimer} from "./ReentrantClaimer.sol";

/// A finalised round, what admits it and who is in it. Client 2 is excluded.
struct Finished {
    Claim claim;
    uint32[] members;
    bytes32 previousHead;
    bytes32 hash;
    uint64 roundId;
    uint16 included;
}

/// What sponsors promise, what members are paid, and that nobody else is.
contract RewardPoolTest is LedgerFixture {
    address private constant SPONSOR = address(0x5905);
    uint96 private constant RATE = 0.1 ether;
    uint96 private constant CAP = 100 ether;
    bytes private constant EXCLUDED = hex"0000000202cb";

    IRewardPool private rewards;
    uint32 private aggregator;
    uint40 private until;

    function setUp() public override {
        super.setUp();
        rewards = IRewardPool(deploy("RewardPool", abi.encode(registry, ledger)));
        aggregator = assemble(4);
        ledger.createTask(sampleTask());
        until = uint40(clock()) + 100_000;
        VM.deal(SPONSOR, 1_000 ether);
    }

    function refuse(bytes memory reason) private {
        VM.expectRevert(reason);
    }

    function fund(uint256 amountWei, uint96 capWei) private returns (uint64) {
        VM.prank(SPONSOR);
        return rewards.fund{value: amountWei}(1, RATE, capWei, until);
    }

    function leaf(uint64 roundId, uint32 client) private view returns (bytes32) {
        return ChunkTree.leafHash(abi.encodePacked(client, commitmentOf(roundId, client)));
    }

    function levelOf(Finished memory f) private view returns (bytes32[] memory level) {
        level = new bytes32[](f.members.length);
        for (uint256 i = 0; i < level.length; ++i) level[i] = leaf(f.roundId, f.members[i]);
    }

    function rootOf(Finished memory f) private view returns (bytes32) {
        return ChunkTree.rootOf(levelOf(f));
    }

    /// Siblings from the leaf at `index` up.
    function pathOf(Finished memory f, uint256 index) private view returns (bytes32[] memory path) {
        bytes32[] memory level = levelOf(f);
        path = new bytes32[](ChunkTree.pathLength(index, level.length));
        uint256 used = 0;
        for (uint256 width = level.length; width > 1; width = (width + 1) / 2) {
            if (index ^ 1 < width) path[used++] = level[index ^ 1];
            for (uint256 i = 0; i + 1 < width; i += 2)
                level[i / 2] = ChunkTree.nodeHash(level[i], level[i + 1]);
            if (width % 2 == 1) level[width / 2] = level[width - 1];
            index >>= 1;
        }
    }

    /// A round of clients 1 to `last`, all but client 2, up to its proposal.
    function proposed(uint32 last) private returns (Finished memory f, Outcome memory outcome) {
        f.roundId = open(aggregator);
        ledger.commitBatch(f.roundId, batchOf(f.roundId, 1, last));
        f.members = new uint32[](last - 1);
        f.members[0] = 1;
        for (uint32 i = 1; i < last - 1; ++i) f.members[i] = i + 2;
        Round memory round = ledger.round(f.roundId);
        Proposal memory proposal = sampleProposal(f.roundId, round.committed);
        proposal.membersRoot = rootOf(f);
        f.claim = Claim({
            proposal: proposal,
            segmentsHash: round.segmentsHash,
            excludedHash: keccak256(EXCLUDED),
            auxHash: keccak256("")
        });
        f.included = uint16(last - 1);
        (, , , f.previousHead, ) = ledger.taskState(1);
        outcome = outcomeOf(proposal, round.segmentsHash, EXCLUDED, "");
        bytes32 core = ProposalHash.core(outcome.modelRoot, outcome.detailsHash);
        f.hash = ProposalHash.outer(f.roundId, outcome.aggregateRoot, outcome.matrixRoot, core);
        pass(round.dataEnd);
        VM.prank(VM.addr(keyOf(aggregator)));
        ledger.propose(f.roundId, proposal, EXCLUDED, "");
        pass(ledger.round(f.roundId).challengeEnd);
    }

    function finished() private returns (Finished memory f) {
        Outcome memory outcome;
        (f, outcome) = proposed(4);
        ledger.finalise(f.roundId, outcome);
    }

    function admit(Finished memory f) private {
        rewards.admit(f.roundId, f.claim, f.included, f.previousHead, new HeadLink[](0));
    }

    function claim(uint64 poolId, Finished memory f, uint256 index) private {
        uint32 client = f.members[index];
        bytes32 commitment = commitmentOf(f.roundId, client);
        rewards.claim(poolId, f.roundId, client, commitment, index, pathOf(f, index));
    }

    /// What is asked of a claim whose revert is awaited: everything is read before.
    function claimCall(uint64 poolId, Finished memory f, uint256 index) private view returns (bytes memory) {
        uint32 client = f.members[index];
        bytes32 commitment = commitmentOf(f.roundId, client);
        return
            abi.encodeCall(
                IRewardPool.claim,
                (poolId, f.roundId, client, commitment, index, pathOf(f, index))
            );
    }

    function refused(bytes memory call, bytes memory reason) private {
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, bytes memory data) = address(rewards).call(call);
        check(!ok && keccak256(data) == keccak256(reason), "not refused so");
    }

    function wrongHead(Finished memory f, bytes32 got) private view returns (bytes memory) {
        (, , , bytes32 want, ) = ledger.taskState(1);
        return abi.encodeWithSelector(IRewardPool.WrongHead.selector, f.roundId, got, want);
    }

    function extend(bytes32 head, Finished memory f) private pure returns (bytes32) {
        return keccak256(abi.encode(head, f.roundId, f.hash));
    }

    function linksOf(Finished memory f) private pure returns (HeadLink[] memory later) {
        later = new HeadLink[](1);
        later[0] = HeadLink({roundId: f.roundId, proposalHash: f.hash});
    }

    // ------------------------------------------------------------------------------------------------------- sponsors

    function testItKnowsItsContractsAndKeepsNoEth() public {
        same(rewards.registry(), address(registry));
        same(rewards.ledger(), address(ledger));
        // solhint-disable-next-line avoid-low-level-calls
        (bool sent, ) = address(rewards).call{value: 1}("");
        check(!sent, "took ETH");
        fund(2 ether, CAP);
        same(address(rewards).balance, 0);
        same(registry.creditOf(address(rewards)), 2 ether);
    }

    function testAPoolIsWhatItsSponsorSaid() public {
        VM.expectEmit(true, true, true, true, address(rewards));
        emit IRewardPool.PoolFunded(1, 1, SPONSOR, RATE, CAP, uint40(clock()), until, 2 ether);
        same(fund(2 ether, CAP), 1);
        same(fund(1 ether, CAP), 2);
        same(rewards.poolCount(), 2);
        VM.expectEmit(true, true, false, true, address(rewards));
        emit IRewardPool.PoolToppedUp(1, address(this), 5);
        rewards.topUp{value: 5}(1);
        Pool memory pool = rewards.pool(1);
        same(pool.leftWei, 2 ether + 5);
        same(pool.sponsor, SPONSOR);
        same(pool.since, clock());
        same(pool.until, until);
        same(pool.taskId, 1);
        same(registry.creditOf(address(rewards)), 3 ether + 5);
    }

    function invalid(bytes32 field) private {
        refuse(abi.encodeWithSelector(IRewardPool.InvalidPool.selector, field));
    }

    function testAPoolNeedsATaskARateACapATimeAndMoney() public {
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownTask.selector, uint32(2)));
        rewards.fund{value: 1}(2, RATE, CAP, until);
        invalid("rateWei");
        rewards.fund{value: 1}(1, 0, CAP, until);
        invalid("capWei");
        rewards.fund{value: 1}(1, RATE, 0, until);
        invalid("until");
        rewards.fund{value: 1}(1, RATE, CAP, uint40(clock()));
        invalid("value");
        rewards.fund(1, RATE, CAP, until);
        fund(1, CAP);
        invalid("value");
        rewards.topUp(1);
        bytes memory unknown = abi.encodeWithSelector(IRewardPool.UnknownPool.selector, uint64(2));
        refuse(unknown);
        rewards.topUp{value: 1}(2);
        refuse(unknown);
        rewards.pool(2);
        refuse(unknown);
        rewards.reclaim(2);
    }

    function testTheSponsorTakesTheRestBackAfterTheTime() public {
        uint64 poolId = fund(2 ether, CAP);
        refuse(abi.encodeWithSelector(IRewardPool.NotSponsor.selector, poolId, address(this)));
        rewards.reclaim(poolId);
        VM.warp(until);
        refuse(abi.encodeWithSelector(IRewardPool.PoolStillOpen.selector, poolId, until));
        VM.prank(SPONSOR);
        rewards.reclaim(poolId);
        pass(until);
        VM.expectEmit(true, true, false, true, address(rewards));
        emit IRewardPool.PoolReclaimed(poolId, SPONSOR, 2 ether);
        VM.prank(SPONSOR);
        rewards.reclaim(poolId);
        same(registry.creditOf(SPONSOR), 2 ether);
        same(registry.creditOf(address(rewards)), 0);
        // Once more there is nothing.
        VM.prank(SPONSOR);
        rewards.reclaim(poolId);
        same(registry.creditOf(SPONSOR), 2 ether);
    }

    // ------------------------------------------------------------------------------------------------------ admission

    function testAFinalisedRoundIsAdmittedOnceByAnybody() public {
        Finished memory f = finished();
        same(rewards.admitted(f.roundId).taskId, 0);
        VM.expectEmit(true, true, false, true, address(rewards));
        emit IRewardPool.RoundAdmitted(f.roundId, 1, rootOf(f), f.included);
        admit(f);
        AdmittedRound memory round = rewards.admitted(f.roundId);
        same(round.membersRoot, rootOf(f));
        same(round.included, f.included);
        same(round.openedAt, ledger.round(f.roundId).openedAt);
        // Whatever is shown later changes nothing, and stops nobody.
        f.claim.proposal.membersRoot = "forged";
        admit(f);
        same(rewards.admitted(f.roundId).membersRoot, round.membersRoot);
    }

    function testOldRoundsAreAdmittedByTheLinksAfterThem() public {
        Finished memory first = finished();
        Finished memory second = finished();
        refuse(wrongHead(first, extend(0, first)));
        admit(first);
        rewards.admit(first.roundId, first.claim, first.included, 0, linksOf(second));
        same(rewards.admitted(first.roundId).membersRoot, rootOf(first));
        same(second.previousHead, extend(0, first));
        admit(second);
        same(rewards.admitted(second.roundId).membersRoot, rootOf(second));
    }

    function testAProposalThatIsNotFinalisedIsNotAdmitted() public {
        Finished memory first = finished();
        (Finished memory f, Outcome memory outcome) = proposed(4);
        bytes memory reason = wrongHead(f, extend(f.previousHead, f));
        refuse(reason);
        admit(f);
        // Nor is one that was struck.
        VM.prank(COURT);
        ledger.void(f.roundId, "test", address(this), "proof");
        refuse(reason);
        admit(f);
        check(outcome.modelRoot != 0 && first.roundId != 0, "rounds");
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownRound.selector, uint64(9)));
        rewards.admit(9, f.claim, f.included, 0, new HeadLink[](0));
    }

    /// Nothing of what the proposal's hash covers can be another.
    function testFuzzNoOtherClaimIsAdmitted(uint8 what, bytes32 other, uint16 included) public {
        Finished memory f = finished();
        what %= 11;
        if (what < 10) VM.assume(other != word(f, what));
        else VM.assume(included != f.included);
        if (what == 0) f.claim.proposal.aggregateRoot = other;
        if (what == 1) f.claim.proposal.matrixRoot = other;
        if (what == 2) f.claim.proposal.modelRoot = other;
        if (what == 3) f.claim.proposal.membersRoot = other;
        if (what == 4) f.claim.proposal.dataId = other;
        if (what == 5) f.claim.segmentsHash = other;
        if (what == 6) f.claim.excludedHash = other;
        if (what == 7) f.claim.auxHash = other;
        if (what == 8) f.previousHead = other;
        if (what == 9) f.claim.proposal.committed = uint16(uint256(other));
        if (what == 9) VM.assume(uint16(uint256(other)) != 4);
        if (what == 10) f.included = included;
        bytes memory call = abi.encodeCall(
            IRewardPool.admit,
            (f.roundId, f.claim, f.included, f.previousHead, new HeadLink[](0))
        );
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, ) = address(rewards).call(call);
        check(!ok, "admitted");
    }

    function word(Finished memory f, uint256 what) private pure returns (bytes32) {
        if (what == 0) return f.claim.proposal.aggregateRoot;
        if (what == 1) return f.claim.proposal.matrixRoot;
        if (what == 2) return f.claim.proposal.modelRoot;
        if (what == 3) return f.claim.proposal.membersRoot;
        if (what == 4) return f.claim.proposal.dataId;
        if (what == 5) return f.claim.segmentsHash;
        if (what == 6) return f.claim.excludedHash;
        if (what == 7) return f.claim.auxHash;
        if (what == 8) return f.previousHead;
        return bytes32(uint256(f.claim.proposal.committed));
    }

    // --------------------------------------------------------------------------------------------------------- claims

    function testMembersArePaidOnceByTheirStake() public {
        uint64 poolId = fund(1 ether, CAP);
        Finished memory f = finished();
        admit(f);
        for (uint256 i = 0; i < 3; ++i) {
            uint32 client = f.members[i];
            same(rewards.rewardOf(poolId, f.roundId, client), 0.1 ether);
            VM.expectEmit(true, true, true, true, address(rewards));
            emit IRewardPool.RewardPaid(f.roundId, client, poolId, ownerOf(client), 0.1 ether);
            claim(poolId, f, i);
            same(registry.creditOf(ownerOf(client)), 0.1 ether);
            check(rewards.hasPaid(poolId, f.roundId, client), "not paid");
            bytes memory again = claimCall(poolId, f, i);
            refused(
                again,
                abi.encodeWithSelector(IRewardPool.AlreadyPaid.selector, poolId, f.roundId, client)
            );
        }
        same(rewards.pool(poolId).leftWei, 0.7 ether);
        // Another pool pays for the same round, too, but not one that came later.
        uint64 late = fund(1 ether, CAP);
        bytes memory call = claimCall(late, f, 0);
        refused(call, abi.encodeWithSelector(IRewardPool.NotCovered.selector, late, f.roundId));
    }

    function testOnlyMembersArePaid() public {
        uint64 poolId = fund(1 ether, CAP);
        Finished memory f = finished();
        bytes memory early = claimCall(poolId, f, 0);
        refused(early, abi.encodeWithSelector(IRewardPool.NotAdmitted.selector, f.roundId));
        refuse(abi.encodeWithSelector(IRewardPool.NotAdmitted.selector, f.roundId));
        rewards.rewardOf(poolId, f.roundId, 1);
        admit(f);
        refused(claimCall(9, f, 0), abi.encodeWithSelector(IRewardPool.UnknownPool.selector, uint64(9)));
        bytes32[] memory path = pathOf(f, 1);
        bytes32 theirs = commitmentOf(f.roundId, 3);
        // The excluded client with its own commitment, and anybody with a member's.
        notMember(poolId, f, 2, commitmentOf(f.roundId, 2), 1, path);
        notMember(poolId, f, 2, theirs, 1, path);
        notMember(poolId, f, 3, "another", 1, path);
        notMember(poolId, f, 3, theirs, 0, path);
        notMember(poolId, f, 3, theirs, 3, path);
        notMember(poolId, f, 3, theirs, 1, new bytes32[](0));
        claim(poolId, f, 1);
    }

    function notMember(
        uint64 poolId,
        Finished memory f,
        uint32 client,
        bytes32 commitment,
        uint256 index,
        bytes32[] memory path
    ) private {
        refuse(abi.encodeWithSelector(IRewardPool.NotMember.selector, f.roundId, client));
        rewards.claim(poolId, f.roundId, client, commitment, index, path);
    }

    function testAPoolPaysItsOwnTaskOnly() public {
        ledger.createTask(sampleTask());
        VM.prank(SPONSOR);
        uint64 poolId = rewards.fund{value: 1 ether}(2, RATE, CAP, until);
        Finished memory f = finished();
        admit(f);
        bytes memory call = claimCall(poolId, f, 0);
        refused(call, abi.encodeWithSelector(IRewardPool.NotCovered.selector, poolId, f.roundId));
    }

    /// What came into the stake once the round was open does not count, nor what is above the cap.
    function testTheStakeBeforeTheRoundCountsUpToTheCap() public {
        uint64 poolId = fund(10 ether, 2 ether);
        registry.deposit{value: 0.5 ether}(1);
        registry.deposit{value: 9 ether}(3);
        VM.warp(clock() + 1);
        // In the second in which the round opens is too late.
        registry.deposit{value: 5 ether}(4);
        Finished memory f = finished();
        registry.deposit{value: 5 ether}(1);
        admit(f);
        same(rewards.rewardOf(poolId, f.roundId, 4), 0.1 ether);
        same(rewards.rewardOf(poolId, f.roundId, 1), 0.15 ether);
        same(rewards.rewardOf(poolId, f.roundId, 3), 0.2 ether);
        claim(poolId, f, 1);
        same(registry.creditOf(ownerOf(3)), 0.2 ether);
    }

    function testAnEmptyPoolPaysNobodyUntilItIsFilled() public {
        uint64 poolId = fund(0.15 ether, CAP);
        Finished memory f = finished();
        admit(f);
        claim(poolId, f, 0);
        refused(
            claimCall(poolId, f, 1),
            abi.encodeWithSelector(IRewardPool.PoolTooSmall.selector, poolId, 0.05 ether, 0.1 ether)
        );
        rewards.topUp{value: 0.05 ether}(poolId);
        claim(poolId, f, 1);
        same(rewards.pool(poolId).leftWei, 0);
    }

    function testARateThatRoundsToNothingPaysNothing() public {
        VM.prank(SPONSOR);
        uint64 poolId = rewards.fund{value: 1}(1, 1, 1, until);
        Finished memory f = finished();
        admit(f);
        refused(
            claimCall(poolId, f, 0),
            abi.encodeWithSelector(IRewardPool.NothingToPay.selector, poolId, f.roundId, uint32(1))
        );
    }

    /// The reward is credit: taking it out is the registry's pull payment, and whoever is paid cannot be paid twice.
    function testWhoIsPaidCannotAskAgainMeanwhile() public {
        ReentrantClaimer greedy = new ReentrantClaimer(address(registry));
        uint256 key = keyOf(6);
        (bytes32 r, bytes32 vs) = registerProof(address(greedy), key, Role.Client, clock());
        registry.register{value: 1 ether}(address(greedy), VM.addr(key), Role.Client, clock(), r, vs);
        VM.warp(clock() + ACTIVATION);
        uint64 poolId = fund(1 ether, CAP);
        Finished memory f;
        f.roundId = open(aggregator);
        ledger.commitBatch(f.roundId, abi.encodePacked(batchOf(f.roundId, 1, 4), entry(f.roundId, 6, key)));
        f.members = new uint32[](5);
        for (uint32 i = 0; i < 4; ++i) f.members[i] = i + 1;
        f.members[4] = 6;
        Round memory round = ledger.round(f.roundId);
        f.claim.proposal = sampleProposal(f.roundId, 5);
        f.claim.proposal.membersRoot = rootOf(f);
        (f.claim.segmentsHash, f.claim.excludedHash) = (round.segmentsHash, keccak256(""));
        (f.claim.auxHash, f.included) = (keccak256(""), 5);
        pass(round.dataEnd);
        VM.prank(VM.addr(keyOf(aggregator)));
        ledger.propose(f.roundId, f.claim.proposal, "", "");
        pass(ledger.round(f.roundId).challengeEnd);
        ledger.finalise(f.roundId, outcomeOf(f.claim.proposal, round.segmentsHash, "", ""));
        admit(f);
        claim(poolId, f, 4);
        greedy.claim();
        check(greedy.tried() && !greedy.succeeded(), "paid twice");
        same(address(greedy).balance, 0.1 ether);
        refused(
            claimCall(poolId, f, 4),
            abi.encodeWithSelector(IRewardPool.AlreadyPaid.selector, poolId, f.roundId, uint32(6))
        );
    }

    // ----------------------------------------------------------------------------------------- what holds of all pools

    /// Whatever is funded, claimed and taken back: what was paid and what is left is what was given.
    function testFuzzWhatIsPaidAndLeftIsWhatWasFunded(
        uint256 givenWei,
        uint96 rateWei,
        uint96 capWei,
        uint8 claims,
        bool takesBack
    ) public {
        givenWei = within(givenWei, 1, 10 ether);
        rateWei = uint96(within(rateWei, 1, 20 ether));
        capWei = uint96(within(capWei, 1, 2 ether));
        VM.prank(SPONSOR);
        uint64 poolId = rewards.fund{value: givenWei}(1, rateWei, capWei, until);
        Finished memory f = finished();
        admit(f);
        uint256 paidWei = 0;
        for (uint256 i = 0; i < 3; ++i) {
            if (claims & (1 << i) == 0) continue;
            uint256 before = registry.creditOf(ownerOf(f.members[i]));
            // solhint-disable-next-line avoid-low-level-calls
            (bool ok, ) = address(rewards).call(claimCall(poolId, f, i));
            uint256 gotWei = registry.creditOf(ownerOf(f.members[i])) - before;
            check(ok == (gotWei != 0), "paid without a claim");
            if (ok) same(gotWei, rewards.rewardOf(poolId, f.roundId, f.members[i]));
            paidWei += gotWei;
        }
        if (takesBack) {
            pass(until);
            VM.prank(SPONSOR);
            rewards.reclaim(poolId);
            paidWei += registry.creditOf(SPONSOR);
        }
        same(paidWei + rewards.pool(poolId).leftWei, givenWei);
        same(registry.creditOf(address(rewards)), rewards.pool(poolId).leftWei);
    }

    /// What a round pays for stakes: by the rule of the pool, each rounded down.
    function earn(uint256 stakeWei, uint256 rateWei, uint256 capWei) private pure returns (uint256) {
        return ((stakeWei < capWei ? stakeWei : capWei) * rateWei) / 1 ether;
    }

    /// One stake within the cap, cut into parts under many identities, earns no more than under one.
    function testFuzzManyIdentitiesEarnNoMoreThanOne(
        uint256 stakeWei,
        uint96 rateWei,
        uint8 identities,
        uint256 seed
    ) public pure {
        stakeWei = within(stakeWei, 1 ether, 1_000 ether);
        uint256 leftWei = stakeWei;
        uint256 earned = 0;
        for (uint256 k = within(identities, 1, 100); k > 1; --k) {
            uint256 partWei = within(uint256(keccak256(abi.encode(seed, k))), 0, leftWei);
            earned += earn(partWei, rateWei, stakeWei);
            leftWei -= partWei;
        }
        earned += earn(leftWei, rateWei, stakeWei);
        check(earned <= earn(stakeWei, rateWei, stakeWei), "splitting pays");
    }

    /// The same on chain: client 1 has the stake that clients 3 and 4 share.
    function testASplitStakeEarnsWhatTheWholeOneDoes() public {
        uint64 poolId = fund(10 ether, CAP);
        registry.deposit{value: 2.5 ether + 1}(1);
        registry.deposit{value: 0.75 ether}(3);
        registry.deposit{value: 0.75 ether + 1}(4);
        VM.warp(clock() + 1);
        Finished memory f = finished();
        admit(f);
        for (uint256 i = 0; i < 3; ++i) claim(poolId, f, i);
        uint256 whole = registry.creditOf(ownerOf(1));
        same(whole, 0.35 ether);
        check(registry.creditOf(ownerOf(3)) + registry.creditOf(ownerOf(4)) <= whole, "splitting pays");
    }
}
