// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {CommitMode, IRoundLedger, Phase, Proposal, Round, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// Accumulated mode: clients commit by themselves, the ledger keeps a hash, and the aggregator answers for the count.
contract AccumulatedTest is CourtFixture {
    bytes private constant NOBODY = "";

    function accumulated() private pure returns (Task memory task) {
        task = smallTask(Rule.Median, 21, 1);
        (task.mode, task.quorum, task.maxClients) = (CommitMode.Accumulated, 3, 8);
    }

    function world() private returns (World memory) {
        return committedWorld(accumulated(), 7, abi.encodePacked(uint32(2), uint16(715)), 5);
    }

    function refuse(bytes memory reason) private {
        VM.expectRevert(reason);
    }

    // --------------------------------------------------------------------------------------------------------- ledger

    function testTheLedgerKeepsAHashAndNoCount() public {
        World memory w = openWorld(accumulated(), 3, NOBODY, 5);
        same(ledger.round(w.roundId).segmentsHash, bytes32(0));
        commitWorld(w);
        bytes32 want = 0;
        for (uint256 i = 3; i > 0; --i)
            want = keccak256(abi.encode(want, SegmentTree.leaf(w.clients[i - 1], w.commitments[i - 1]), 1));
        Round memory round = ledger.round(w.roundId);
        same(uint256(round.mode), uint256(CommitMode.Accumulated));
        same(round.segmentsHash, want);
        // Somebody has committed.
        same(round.committed, 1);
        check(!ledger.hasCommitted(w.roundId, 1), "a bit");
    }

    function testSelfCommitmentIsCheckedAsInEveryMode() public {
        World memory w = openWorld(accumulated(), 3, NOBODY, 5);
        refuse(
            abi.encodeWithSelector(
                IRoundLedger.SignatureMismatch.selector,
                1,
                address(this),
                VM.addr(keyOf(1))
            )
        );
        ledger.commit(w.roundId, 1, "x");
        VM.prank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.NotEligible.selector, w.roundId, aggregator));
        ledger.commit(w.roundId, aggregator, "x");
        VM.prank(ownerOf(1));
        refuse(abi.encodeWithSelector(IRoundLedger.ZeroRoot.selector));
        ledger.commit(w.roundId, 1, 0);
        pass(ledger.round(w.roundId).commitEnd);
        VM.prank(ownerOf(1));
        VM.expectRevert();
        ledger.commit(w.roundId, 1, "x");
    }

    function testThereAreNoBatchesAndNoLists() public {
        World memory w = openWorld(accumulated(), 3, NOBODY, 5);
        bytes memory wrong = abi.encodeWithSelector(
            IRoundLedger.WrongMode.selector,
            w.roundId,
            CommitMode.Accumulated
        );
        refuse(wrong);
        ledger.commitBatch(w.roundId, w.entries[0]);
        VM.prank(ownerOf(aggregator));
        refuse(wrong);
        ledger.commitRoot(w.roundId, "root", 1, "list");
    }

    function testTheProposalSaysHowManyThereAre() public {
        World memory w = world();
        propose(w);
        Round memory round = ledger.round(w.roundId);
        same(round.committed, 7);
        same(round.excluded, 1);
        same(ledger.disputeOf(w.roundId).included, 6);
        finish(w);
        check(phaseOf(w) == Phase.Finalised, "phase");
    }

    function testTheCountIsWithinTheRoundsMaximum() public {
        World memory w = world();
        pass(ledger.round(w.roundId).dataEnd);
        Proposal memory proposal = sampleProposal(w.roundId, 9);
        VM.startPrank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.RoundFull.selector, w.roundId, 8));
        ledger.propose(w.roundId, proposal, NOBODY, "");
        proposal.committed = 2;
        refuse(abi.encodeWithSelector(IRoundLedger.QuorumNotMet.selector, w.roundId, 2, 3));
        ledger.propose(w.roundId, proposal, NOBODY, "");
        proposal.committed = 0;
        refuse(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, w.roundId));
        ledger.propose(w.roundId, proposal, w.excluded, "");
        // Whom the ledger does not know it cannot miss among the excluded; that they rise it sees.
        proposal.committed = 8;
        bytes memory falling = abi.encodePacked(uint32(9), uint16(1), uint32(8), uint16(1));
        refuse(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, w.roundId));
        ledger.propose(w.roundId, proposal, falling, "");
        ledger.propose(w.roundId, proposal, abi.encodePacked(uint32(99), uint16(1)), "");
    }

    function testARoundOfTooFewExpiresForNothing() public {
        World memory w = world();
        pass(ledger.round(w.roundId).dataEnd);
        VM.prank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.WrongMode.selector, w.roundId, CommitMode.Accumulated));
        ledger.abandon(w.roundId, "manifest", w.excluded);
        pass(ledger.round(w.roundId).proposeEnd);
        VM.expectEmit(true, false, false, true, address(ledger));
        emit IRoundLedger.Expired(w.roundId, 0);
        ledger.expire(w.roundId);
        same(stakeOf(aggregator), AGGREGATOR_STAKE);
    }

    // --------------------------------------------------------------------------------------------------------- proofs

    function testAnHonestCountIsNotProvable() public {
        World memory w = world();
        propose(w);
        failsWith(membersCall(w, membersProof(w)), IDisputeCourt.SameRoot.selector);
    }

    function expectMembersFraud(World memory w, bytes memory proof, int256 claimed, int256 counted) private {
        VM.expectEmit(true, true, true, true, address(court));
        emit IDisputeCourt.FraudProven(
            w.roundId,
            "wrong members",
            CHALLENGER,
            0,
            0,
            claimed,
            counted,
            keccak256(proof)
        );
        holds(membersCall(w, proof));
        checkVoided(w);
    }

    /// One too many or too few: the number of the included is wrong.
    function testAWrongCountIsProven() public {
        for (uint16 committed = 6; committed <= 8; committed += 2) {
            World memory w = world();
            propose(w, committed);
            expectMembersFraud(w, membersProof(w), int256(uint256(committed)) - 1, 6);
        }
    }

    function propose(World memory w, uint16 committed) private {
        w.claim.proposal = Proposal({
            aggregateRoot: "aggregate",
            matrixRoot: "matrix",
            modelRoot: "model",
            membersRoot: rootOfMembers(w),
            dataId: "manifest",
            committed: committed
        });
        proposeClaim(w);
    }

    /// As many too many as are excluded that never committed: the number of the included is right, and that of the
    /// committed is not.
    function testExclusionsOfNobodyAreProven() public {
        World memory w = world();
        w.excluded = abi.encodePacked(uint32(2), uint16(715), uint32(99), uint16(1));
        propose(w, 8);
        same(ledger.disputeOf(w.roundId).included, 6);
        expectMembersFraud(w, membersProof(w), 8, 7);
    }

    function testCommitmentsOfNobodyAreProven() public {
        World memory w = openWorld(accumulated(), 0, NOBODY, 5);
        w.claim.proposal = sampleProposal(w.roundId, 3);
        proposeClaim(w);
        bytes memory proof = abi.encodePacked(uint16(0));
        expectMembersFraud(w, proof, int256(uint256(w.claim.proposal.membersRoot)), 0);
    }

    /// The first commitment of a client counts, in the order of arrival.
    function testAClientThatCommitsTwiceIsOneMember() public {
        World memory w = openWorld(accumulated(), 4, NOBODY, 5);
        commitWorld(w);
        VM.prank(ownerOf(3));
        ledger.commit(w.roundId, 3, "second");
        includeUpdates(w);
        propose(w);
        bytes memory head = abi.encodePacked(
            uint16(5),
            uint16(1),
            uint16(1),
            uint16(1),
            uint16(1),
            uint16(1)
        );
        bytes memory entries = abi.encodePacked(membersEntries(w), uint32(3), bytes32("second"));
        // Clients 4, 3, 2, 1 and again 3 arrived.
        bytes memory order = hex"00030002000100040000";
        bytes memory proof = abi.encodePacked(head, entries, order);
        failsWith(membersCall(w, proof), IDisputeCourt.SameRoot.selector);
        // Its second one before its first.
        order = hex"00030002000400010000";
        fails(
            membersCall(w, abi.encodePacked(head, entries, order)),
            abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 3)
        );
        // The same one twice, in place of the second.
        order = hex"00030002000100010000";
        fails(
            membersCall(w, abi.encodePacked(head, entries, order)),
            abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 3)
        );
    }

    function testTheSecondCommitmentOfAClientIsAWrongMember() public {
        World memory w = openWorld(accumulated(), 4, NOBODY, 5);
        commitWorld(w);
        VM.prank(ownerOf(3));
        ledger.commit(w.roundId, 3, "second");
        includeUpdates(w);
        bytes memory head = abi.encodePacked(
            uint16(5),
            uint16(1),
            uint16(1),
            uint16(1),
            uint16(1),
            uint16(1)
        );
        bytes memory entries = abi.encodePacked(membersEntries(w), uint32(3), bytes32("second"));
        w.commitments[2] = "second";
        propose(w);
        holds(membersCall(w, abi.encodePacked(head, entries, hex"00030002000100040000")));
    }

    function testClipIsProvenInAnAccumulatedRound() public {
        World memory w = world();
        uint256 j = 0;
        while (w.updates[4][j] <= 1000 && w.updates[4][j] >= -1000) ++j;
        holds(clipCall(w, j, clipProof(w, 4, j)));
        propose(w);
        j = 0;
        while (w.updates[5][j] <= 1000 && w.updates[5][j] >= -1000) ++j;
        holds(clipCall(w, j, clipProof(w, 5, j)));
        same(stakeOf(5), (CLIENT_STAKE * 8) / 10);
        same(stakeOf(6), (CLIENT_STAKE * 8) / 10);
    }
}
