// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Role} from "../interfaces/IParticipantRegistry.sol";
import {CommitMode, IRoundLedger, Phase, Round, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// Root-only mode: one root over a list of signed commitments, and an aggregator that answers for every entry.
contract RootOnlyTest is CourtFixture {
    bytes4 private immutable VALID = IDisputeCourt.ValidEntry.selector;
    bytes4 private immutable LISTED = IDisputeCourt.ListedClient.selector;
    bytes private constant NOBODY = "";

    function rootOnly() private pure returns (Task memory task) {
        task = smallTask(Rule.Median, 21, 1);
        (task.mode, task.maxClients) = (CommitMode.RootOnly, 8);
    }

    /// Clients 1..n are about to be listed.
    function opened(uint256 n) private returns (World memory) {
        return openWorld(rootOnly(), n, NOBODY, 5);
    }

    /// List whatever the world's entries are, and propose.
    function listed(World memory w) private {
        commitWorld(w);
        includeUpdates(w);
        propose(w);
    }

    function refuse(bytes memory reason) private {
        VM.expectRevert(reason);
    }

    function checkPhase(World memory w, Phase want) private view {
        same(uint256(phaseOf(w)), uint256(want));
    }

    // --------------------------------------------------------------------------------------------------------- ledger

    function testTheLedgerKeepsOneRootAndItsCount() public {
        World memory w = opened(5);
        bytes32 root = SegmentTree.root(batchLeaves(w));
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.RootCommitted(w.roundId, root, 5, sha256(batchBytes(w)));
        commitWorld(w);
        Round memory round = ledger.round(w.roundId);
        same(uint256(round.mode), uint256(CommitMode.RootOnly));
        same(round.committed, 5);
        same(round.segmentsHash, keccak256(abi.encode(bytes32(0), root, 5)));
        check(!ledger.hasCommitted(w.roundId, 1), "a bit");
        includeUpdates(w);
        propose(w);
        finish(w);
        checkPhase(w, Phase.Finalised);
    }

    function testTheListIsTheAggregatorsAndComesOnce() public {
        World memory w = opened(5);
        uint64 roundId = w.roundId;
        bytes memory wrong = abi.encodeWithSelector(
            IRoundLedger.WrongMode.selector,
            roundId,
            CommitMode.RootOnly
        );
        refuse(abi.encodeWithSelector(IRoundLedger.NotAggregator.selector, aggregator, address(this)));
        ledger.commitRoot(roundId, "root", 5, "list");
        VM.startPrank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.ZeroRoot.selector));
        ledger.commitRoot(roundId, 0, 5, "list");
        refuse(abi.encodeWithSelector(IRoundLedger.ZeroRoot.selector));
        ledger.commitRoot(roundId, "root", 5, 0);
        refuse(abi.encodeWithSelector(IRoundLedger.EmptyBatch.selector));
        ledger.commitRoot(roundId, "root", 0, "list");
        refuse(abi.encodeWithSelector(IRoundLedger.RoundFull.selector, roundId, 8));
        ledger.commitRoot(roundId, "root", 9, "list");
        refuse(wrong);
        ledger.commitBatch(roundId, w.entries[0]);
        ledger.commitRoot(roundId, "root", 5, "list");
        refuse(wrong);
        ledger.commitRoot(roundId, "root", 5, "list");
        VM.stopPrank();
        VM.prank(ownerOf(1));
        refuse(wrong);
        ledger.commit(roundId, 1, "x");
    }

    function testNoListInOtherModesOrAfterTheCommits() public {
        Task memory task = rootOnly();
        task.mode = CommitMode.Verified;
        uint32 taskId = ledger.createTask(task);
        VM.startPrank(ownerOf(aggregator));
        uint64 roundId = ledger.openRound(taskId, aggregator);
        refuse(abi.encodeWithSelector(IRoundLedger.WrongMode.selector, roundId, CommitMode.Verified));
        ledger.commitRoot(roundId, "root", 5, "list");
        VM.stopPrank();
        World memory w = opened(5);
        uint40 end = ledger.round(w.roundId).commitEnd;
        pass(end);
        VM.prank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.TooLate.selector, w.roundId, end, end + 1));
        ledger.commitRoot(w.roundId, "root", 5, "list");
    }

    function testAListWithoutAProposalCostsATenth() public {
        World memory w = opened(5);
        commitWorld(w);
        pass(ledger.round(w.roundId).proposeEnd);
        ledger.expire(w.roundId);
        same(stakeOf(aggregator), AGGREGATOR_STAKE - BOND / 10);
    }

    // --------------------------------------------------------------------------------------------------- wrong entry

    function testAnHonestListHasNoWrongEntry() public {
        World memory w = opened(5);
        listed(w);
        for (uint256 i = 0; i < 5; ++i) {
            fails(entryCall(w, i, listedEntry(w, i)), abi.encodeWithSelector(VALID, i));
            if (i > 0)
                failsWith(entryCall(w, i, abi.encodePacked(listedEntry(w, i), listedEntry(w, i - 1))), VALID);
        }
        failsWith(membersCall(w, membersProof(w)), IDisputeCourt.SameRoot.selector);
        // Another place, another entry, more and less of it.
        failsWith(entryCall(w, 1, listedEntry(w, 0)), IDisputeCourt.WrongRoot.selector);
        failsWith(entryCall(w, 5, listedEntry(w, 0)), IDisputeCourt.NoSuchSlot.selector);
        bytes memory proof = listedEntry(w, 0);
        bytes4 wrongLength = IDisputeCourt.WrongProofLength.selector;
        failsWith(entryCall(w, 0, abi.encodePacked(proof, uint8(0))), wrongLength);
        failsWith(entryCall(w, 0, cut(proof, 0, proof.length - 1)), wrongLength);
        failsWith(entryCall(w, 1, abi.encodePacked(listedEntry(w, 1), uint8(0))), wrongLength);
        checkPhase(w, Phase.Proposed);
    }

    /// By another's key, of nobody, of one that is not active, of another role, empty, or not signed at all.
    function testAnUnsignedEntryIsProven() public {
        for (uint256 i = 0; i < 8; ++i) {
            World memory w = opened(5);
            uint32 late = join(Role.Client, CLIENT_STAKE);
            uint64 roundId = w.roundId;
            if (i == 0) w.entries[2] = signedEntry(roundId, 3, w.commitments[2], keyOf(4));
            if (i == 1) w.entries[4] = signedEntry(roundId, 9999, w.commitments[4], keyOf(5));
            if (i == 2) w.entries[4] = signedEntry(roundId, late, w.commitments[4], keyOf(late));
            if (i == 3) w.entries[4] = signedEntry(roundId, aggregator, w.commitments[4], keyOf(aggregator));
            if (i == 4) w.entries[2] = signedEntry(roundId, 3, 0, keyOf(3));
            if (i == 5) w.entries[2] = abi.encodePacked(uint32(3), w.commitments[2], new bytes(64));
            if (i == 6) w.entries[2] = signedEntry(roundId + 1, 3, w.commitments[2], keyOf(3));
            // No signature and no key are not the same.
            if (i == 7) w.entries[4] = abi.encodePacked(uint32(9999), w.commitments[4], new bytes(64));
            listed(w);
            uint256 at = i == 1 || i == 2 || i == 3 || i == 7 ? 4 : 2;
            bytes memory proof = listedEntry(w, at);
            failsWith(entryCall(w, 1, listedEntry(w, 1)), VALID);
            // One proof an entry: its order is another question.
            failsWith(entryCall(w, at, abi.encodePacked(proof, listedEntry(w, at - 1))), VALID);
            VM.expectEmit(true, true, true, true, address(court));
            emit IDisputeCourt.FraudProven(
                roundId,
                "wrong entry",
                CHALLENGER,
                0,
                uint32(at),
                int256(uint256(uint32(bytes4(proof)))),
                0,
                keccak256(proof)
            );
            holds(entryCall(w, at, proof));
            checkVoided(w);
        }
    }

    function testAnEntryOutOfOrderIsProven() public {
        for (uint256 i = 0; i < 2; ++i) {
            World memory w = opened(5);
            // Client 2 in the place of client 3, or in both.
            if (i == 0) (w.entries[1], w.entries[2]) = (w.entries[2], w.entries[1]);
            else w.entries[2] = w.entries[1];
            listed(w);
            failsWith(entryCall(w, 2, listedEntry(w, 2)), VALID);
            failsWith(
                entryCall(w, 2, abi.encodePacked(listedEntry(w, 2), listedEntry(w, 0))),
                IDisputeCourt.WrongRoot.selector
            );
            holds(entryCall(w, 2, abi.encodePacked(listedEntry(w, 2), listedEntry(w, 1))));
            checkVoided(w);
        }
    }

    /// The key of the round counts, whatever became of the client since: it cannot make an honest list wrong.
    function testNoClientCanMakeAListWrong() public {
        World memory w = opened(5);
        listed(w);
        rotate(3, 777);
        for (uint256 i = 0; i < 3; ++i) {
            VM.warp(clock() + 1);
            VM.prank(address(escrow));
            registry.slash(3, 1, 1, "test", burnt());
            registry.deposit{value: 1}(3);
            VM.warp(clock() + ACTIVATION);
        }
        failsWith(entryCall(w, 2, listedEntry(w, 2)), VALID);
        VM.prank(ownerOf(3));
        registry.requestUnbond(3);
        failsWith(entryCall(w, 2, listedEntry(w, 2)), VALID);
    }

    // ------------------------------------------------------------------------------------------------------- omission

    /// The aggregator's word that it took a client's commitment.
    function receipt(
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        uint256 key
    ) private view returns (bytes memory) {
        bytes32 digest = CommitHash.receiptDigest(ledger.domainSeparator(), roundId, client, commitment);
        (bytes32 r, bytes32 vs) = compact(key, digest);
        return abi.encodePacked(client, commitment, r, vs);
    }

    function receiptOf(World memory w, uint256 i) private view returns (bytes memory) {
        return receipt(w.roundId, w.clients[i], w.commitments[i], keyOf(aggregator));
    }

    /// Neighbours of a place between entries, as the list has them.
    function neighbours(World memory w, uint256 position) private view returns (bytes memory proof) {
        proof = abi.encodePacked(uint16(position));
        if (position > 0) proof = abi.encodePacked(proof, listedEntry(w, position - 1));
        if (position < w.committed) proof = abi.encodePacked(proof, listedEntry(w, position));
    }

    function testAnHonestListOmitsNobody() public {
        World memory w = opened(5);
        listed(w);
        for (uint256 i = 0; i < 5; ++i)
            for (uint256 position = 0; position <= 5; ++position)
                fails(
                    omissionCall(w, abi.encodePacked(receiptOf(w, i), neighbours(w, position))),
                    abi.encodeWithSelector(LISTED, w.clients[i])
                );
        bytes memory far = abi.encodePacked(receiptOf(w, 0), uint16(6));
        failsWith(omissionCall(w, far), IDisputeCourt.NoSuchSlot.selector);
        checkPhase(w, Phase.Proposed);
    }

    /// A list of clients 2, 3, 5, 6: client 1, 4 or 7 had a receipt.
    function omitting() private returns (World memory w) {
        w = opened(4);
        uint32[4] memory ids = [uint32(2), 3, 5, 6];
        for (uint256 i = 0; i < 4; ++i) {
            w.clients[i] = ids[i];
            w.commitments[i] = commitmentTo(w, i);
            w.entries[i] = signedEntry(w.roundId, ids[i], w.commitments[i], keyOf(ids[i]));
        }
        commitWorld(w);
        w.claim.proposal = sampleProposal(w.roundId, 4);
        proposeClaim(w);
    }

    function testAnOmissionIsProvenAtEitherEndAndBetween() public {
        for (uint256 i = 0; i < 3; ++i) {
            World memory w = omitting();
            uint32 client = uint32(1 + 3 * i);
            uint256 position = 2 * i;
            bytes memory word = receipt(w.roundId, client, "left out", keyOf(aggregator));
            bytes memory proof = abi.encodePacked(word, neighbours(w, position));
            for (uint256 other = 0; other <= 4; ++other) {
                if (other == position) continue;
                bytes memory elsewhere = abi.encodePacked(word, neighbours(w, other));
                fails(omissionCall(w, elsewhere), abi.encodeWithSelector(LISTED, client));
            }
            failsWith(
                omissionCall(w, abi.encodePacked(proof, uint8(0))),
                IDisputeCourt.WrongProofLength.selector
            );
            failsWith(
                omissionCall(w, cut(proof, 0, proof.length - 1)),
                IDisputeCourt.WrongProofLength.selector
            );
            VM.expectEmit(true, true, true, true, address(court));
            emit IDisputeCourt.FraudProven(
                w.roundId,
                "omitted commitment",
                CHALLENGER,
                0,
                uint32(position),
                0,
                int256(uint256(client)),
                keccak256(proof)
            );
            holds(omissionCall(w, proof));
            checkVoided(w);
        }
    }

    /// Listed with another commitment than the one it had a receipt for.
    function testAnAlteredCommitmentIsProven() public {
        World memory w = omitting();
        bytes memory word = receipt(w.roundId, 3, "another", keyOf(aggregator));
        failsWith(omissionCall(w, abi.encodePacked(word, neighbours(w, 2))), LISTED);
        holds(omissionCall(w, abi.encodePacked(word, neighbours(w, 1))));
        checkVoided(w);
    }

    function testOnlyTheAggregatorsWordForThisRoundCounts() public {
        World memory w = omitting();
        bytes4 wrongSigner = IDisputeCourt.WrongSigner.selector;
        bytes memory place = neighbours(w, 2);
        bytes memory word = receipt(w.roundId, 4, "left out", keyOf(4));
        failsWith(omissionCall(w, abi.encodePacked(word, place)), wrongSigner);
        word = receipt(w.roundId + 1, 4, "left out", keyOf(aggregator));
        failsWith(omissionCall(w, abi.encodePacked(word, place)), wrongSigner);
        // A commitment's signature is no receipt.
        word = signedEntry(w.roundId, 4, "left out", keyOf(aggregator));
        failsWith(omissionCall(w, abi.encodePacked(word, place)), wrongSigner);
        word = abi.encodePacked(uint32(4), bytes32("left out"), new bytes(64));
        failsWith(omissionCall(w, abi.encodePacked(word, place)), wrongSigner);
        // The key of the round, also after a rotation.
        word = receipt(w.roundId, 4, "left out", keyOf(aggregator));
        rotate(aggregator, 777);
        VM.warp(clock() + 1);
        holds(omissionCall(w, abi.encodePacked(word, place)));
    }

    // --------------------------------------------------------------------------------------------------------- clients

    function beyond(World memory w, uint256 i) private pure returns (uint256 j) {
        while (w.updates[i][j] <= 1000 && w.updates[i][j] >= -1000) ++j;
    }

    function testClipIsProvenInARootOnlyRound() public {
        World memory w = opened(5);
        uint256 j = beyond(w, 2);
        commitWorld(w);
        bytes memory proof = clipProof(w, 2, j);
        failsWith(clipCall(w, j, cut(proof, 0, proof.length - 1)), IDisputeCourt.WrongProofLength.selector);
        holds(clipCall(w, j, proof));
        same(stakeOf(3), (CLIENT_STAKE * 8) / 10);
        includeUpdates(w);
        propose(w);
        j = beyond(w, 3);
        holds(clipCall(w, j, clipProof(w, 3, j)));
        same(stakeOf(4), (CLIENT_STAKE * 8) / 10);
    }

    /// Nobody checks the list when it is posted: what its aggregator writes there costs no client anything.
    function testAnInventedEntryCostsNoClientItsStake() public {
        for (uint256 i = 0; i < 3; ++i) {
            World memory w = opened(5);
            if (i == 0) w.entries[2] = signedEntry(w.roundId, 3, w.commitments[2], keyOf(aggregator));
            if (i == 1) w.entries[2] = abi.encodePacked(uint32(3), w.commitments[2], new bytes(64));
            // Somebody who is no client, by its own key.
            if (i == 2) {
                w.clients[2] = aggregator;
                w.commitments[2] = commitmentTo(w, 2);
                w.entries[2] = signedEntry(w.roundId, aggregator, w.commitments[2], keyOf(aggregator));
            }
            commitWorld(w);
            uint256 j = beyond(w, 2);
            failsWith(clipCall(w, j, clipProof(w, 2, j)), IDisputeCourt.WrongSigner.selector);
        }
        same(stakeOf(3), CLIENT_STAKE);
    }

    function testEquivocationIsProvenInARootOnlyRound() public {
        World memory w = opened(5);
        listed(w);
        holds(equivocationCall(w, 3, bytes32(uint256(1)), w.commitments[2], keyOf(3)));
        same(stakeOf(3), 0);
    }

    function testMembersAreThoseOfTheList() public {
        World memory w = opened(5);
        commitWorld(w);
        includeUpdates(w);
        w.includedIds[1] = 4;
        propose(w);
        bytes memory proof = membersProof(w);
        // A signature is a part of its leaf.
        proof[4 + 100 - 1] ^= 0x01;
        failsWith(membersCall(w, proof), IDisputeCourt.WrongRoot.selector);
        proof[4 + 100 - 1] ^= 0x01;
        holds(membersCall(w, proof));
        checkVoided(w);
    }

    /// A client that is listed twice is one member: the list is wrong, and so is the number.
    function testAClientThatIsListedTwiceIsOneMember() public {
        World memory w = opened(5);
        w.entries[2] = w.entries[1];
        listed(w);
        holds(membersCall(w, membersProof(w)));
        checkVoided(w);
    }

    function testTheProofsOfVectorsServeEveryMode() public {
        World memory w = opened(5);
        commitWorld(w);
        includeUpdates(w);
        w.aggregate[17] += 1;
        propose(w);
        failsWith(directCall(w, 3, directProof(w, 3)), IDisputeCourt.NotFraud.selector);
        failsWith(transposeCall(w, 3, 2, transposeProof(w, 3, 2)), IDisputeCourt.NotFraud.selector);
        holds(directCall(w, 17, directProof(w, 17)));
        checkVoided(w);
    }
}
