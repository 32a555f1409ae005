// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IRoundLedger, Rule} from "../interfaces/IRoundLedger.sol";
import {IUnmaskCourt} from "../interfaces/IUnmaskCourt.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {Masks} from "../libraries/Masks.sol";
import {UnmaskFixture} from "./UnmaskFixture.sol";

contract UnmaskCourtTest is UnmaskFixture {
    uint32 private constant CLIENTS = 6;

    /// A round of 2 to 6 committed clients of a roster of 6, at least two of them included; degree 5.
    function worldOf(uint256 seed) internal returns (Masked memory w) {
        uint32 committed = uint32(within(random(seed, 1, 1), 2, CLIENTS));
        w = committedWorld(CLIENTS, committed, 5, seed);
        commit(w, random(seed, 2, 2) & ~uint256((1 << (1 + (random(seed, 3, 3) % committed))) | 6));
        close(w);
    }

    // ----------------------------------------------------------------------------------------------------- the sum

    function testFuzzAnHonestSumIsTheSumOfThePlainUpdatesAndNeverProvable(uint256 seed) public {
        Masked memory w = worldOf(seed);
        for (uint32 i = 0; i < 4; ++i) {
            uint32 j = uint32(random(seed, 9, i) % SIZE);
            uint32 slot = uint32(random(seed, 10, i) % w.included.length);
            refuses(w, columnCall(w, j), IDisputeCourt.NotFraud.selector);
            refuses(w, directCall(w, j), IDisputeCourt.NotFraud.selector);
            refuses(w, transposeCall(w, j, slot), IDisputeCourt.NotFraud.selector);
        }
    }

    function testFuzzEveryWrongCoordinateIsProvableAndNoOther(uint256 seed, int32 delta) public {
        if (delta == 0) delta = 1;
        Masked memory w = worldOf(seed);
        uint32 wrong = uint32(random(seed, 4, 4) % SIZE);
        unchecked {
            w.aggregate[wrong] += delta;
        }
        close(w);
        strikes(w, columnCall(w, wrong), "wrong aggregate");
        strikes(w, directCall(w, wrong), "wrong aggregate");
        refuses(w, columnCall(w, (wrong + 1) % SIZE), IDisputeCourt.NotFraud.selector);
        refuses(w, directCall(w, (wrong + 1) % SIZE), IDisputeCourt.NotFraud.selector);
    }

    function testTheCourtTellsWhomItBelongsTo() public view {
        check(unmask.ledger() == address(ledger), "ledger");
    }

    function testEachCoordinateOfAMaskWordBlockIsProvable() public {
        Masked memory w = worldOf(11);
        for (uint32 j = 0; j < SIZE; ++j) {
            w.aggregate[j] ^= 1;
            close(w);
            strikes(w, columnCall(w, j), "wrong aggregate");
            w.aggregate[j] ^= 1;
        }
    }

    function testAWrongMatrixIsProvableAndTheDirectFormDoesWithoutIt() public {
        Masked memory w = worldOf(12);
        uint32 client = w.included[1];
        w.masked[client - 1][3] ^= 4;
        close(w);
        w.masked[client - 1][3] ^= 4;
        strikes(w, transposeCall(w, 3, 1), "wrong matrix");
        refuses(w, transposeCall(w, 3, 0), IDisputeCourt.NotFraud.selector);
        refuses(w, transposeCall(w, 4, 1), IDisputeCourt.NotFraud.selector);
        refuses(w, directCall(w, 3), IDisputeCourt.NotFraud.selector);
        bytes memory call = abi.encodeCall(unmask.proveMaskedTranspose, (w.roundId, w.claim, 3, 7, ""));
        refuses(w, call, IDisputeCourt.NoSuchSlot.selector);
    }

    function testFuzzASumWithoutUnmaskingIsProvable(uint256 seed) public {
        Masked memory w = worldOf(seed);
        int32[] memory column = new int32[](w.included.length);
        for (uint256 slot = 0; slot < column.length; ++slot) column[slot] = w.masked[w.included[slot] - 1][0];
        w.aggregate[0] = IntegerRules.sum32(column);
        VM.assume(w.aggregate[0] != plainSum(w)[0]);
        close(w);
        strikes(w, columnCall(w, 0), "wrong aggregate");
    }

    // ------------------------------------------------------------------------------------------------ revealed seeds

    function testFuzzAnHonestListOfSeedsIsNeverProvable(uint256 seed) public {
        Masked memory w = worldOf(seed);
        uint32 owner = uint32(random(seed, 9, 9) % (CLIENTS + 2));
        for (uint32 peer = 0; peer <= CLIENTS + 1; ++peer)
            refuses(w, revealCall(w, owner, peer), IUnmaskCourt.RightSeed.selector);
    }

    function testFuzzEveryMissingSeedIsProvable(uint256 seed) public {
        Masked memory w = worldOf(seed);
        bytes memory honest = w.aux;
        for (uint256 at = 0; at < honest.length; at += 40) {
            show(w, abi.encodePacked(cut(honest, 0, at), cut(honest, at + 40, honest.length)));
            uint64 pair = uint64(bytes8(cut(honest, at, 8)));
            strikes(w, revealCall(w, uint32(pair >> 32), uint32(pair)), "missing seed");
        }
    }

    function testFuzzEveryWrongSeedIsProvable(uint256 seed) public {
        Masked memory w = worldOf(seed);
        uint256 entries = w.aux.length / 40;
        for (uint256 i = 0; i < entries; ++i) {
            uint256 at = 40 * i + 8 + (random(seed, 5, i) % 32);
            w.aux[at] ^= 0x10;
            show(w, w.aux);
            uint64 pair = uint64(bytes8(cut(w.aux, 40 * i, 8)));
            strikes(w, revealCall(w, uint32(pair >> 32), uint32(pair)), "wrong seed");
            w.aux[at] ^= 0x10;
        }
    }

    /// Above all both kinds of seeds of one client: its own mask and its pairs' (the client is then unmasked).
    function testFuzzEverySeedThatIsNotToBeRevealedIsProvable(uint256 seed) public {
        Masked memory w = worldOf(seed);
        bytes memory honest = w.aux;
        uint32 owner = 1 + uint32(random(seed, 9, 9) % (CLIENTS + 1));
        for (uint32 peer = 0; peer <= CLIENTS + 1; ++peer) {
            if (isNeeded(w, owner, peer)) continue;
            show(w, inserted(honest, owner, peer, seedOf(w, owner, peer)));
            strikes(w, revealCall(w, owner, peer), "surplus seed");
        }
    }

    function testBothSeedsOfADroppedClientAreProvable() public {
        Masked memory w = committedWorld(4, 4, 5, 21);
        commit(w, 1 << 2);
        bytes memory honest = w.aux;
        close(w);
        show(w, inserted(honest, 2, Masks.SELF, seedOf(w, 2, Masks.SELF)));
        // Its pair seeds are there, as they must be.
        refuses(w, revealCall(w, 1, 2), IUnmaskCourt.RightSeed.selector);
        strikes(w, revealCall(w, 2, Masks.SELF), "surplus seed");
        // Nor may the other side of its pairs be named.
        show(w, inserted(honest, 2, 1, seedOf(w, 2, 1)));
        strikes(w, revealCall(w, 2, 1), "surplus seed");
    }

    function testAPairSeedOfTwoIncludedClientsIsProvable() public {
        Masked memory w = committedWorld(4, 4, 5, 21);
        commit(w, 1 << 4);
        w.aux = inserted(w.aux, 1, 2, seedOf(w, 1, 2));
        w.aux = inserted(w.aux, 2, 1, seedOf(w, 2, 1));
        close(w);
        // The sum is right all the same: the two masks cancel. The seeds are not.
        for (uint32 j = 0; j < SIZE; ++j) refuses(w, columnCall(w, j), IDisputeCourt.NotFraud.selector);
        strikes(w, revealCall(w, 1, 2), "surplus seed");
        strikes(w, revealCall(w, 2, 1), "surplus seed");
    }

    function testFuzzAListOfSeedsThatIsNotCanonicalIsProvable(uint256 seed, uint8 kind) public {
        Masked memory w = worldOf(seed);
        bytes memory honest = w.aux;
        uint256 last = honest.length - 40;
        if (kind % 5 == 0) w.aux = abi.encodePacked(honest, uint8(0));
        else if (kind % 5 == 1) w.aux = cut(honest, 0, honest.length - 1);
        else if (kind % 5 == 2) w.aux = abi.encodePacked(honest, cut(honest, last, 40));
        else if (kind % 5 == 3) w.aux = abi.encodePacked(uint64(0), bytes32("seed"), honest);
        else w.aux = abi.encodePacked(cut(honest, 40, honest.length), cut(honest, 0, 40));
        close(w);
        bytes memory call = abi.encodeCall(unmask.proveMalformedReveals, (w.roundId, w.claim, w.aux));
        strikes(w, call, "malformed reveals");
        w.aux = honest;
        close(w);
        call = abi.encodeCall(unmask.proveMalformedReveals, (w.roundId, w.claim, w.aux));
        refuses(w, call, IDisputeCourt.NotFraud.selector);
    }

    function testAnIncludedClientWithoutASeedTableIsProvable() public {
        bytes32 digest = Masks.seedCommitment("seed");
        bytes memory self = abi.encodePacked(Masks.SELF, digest);
        bytes[7] memory tables = [
            bytes(""),
            abi.encodePacked(uint32(2), digest),
            abi.encodePacked(self, self),
            abi.encodePacked(self, uint32(1), digest),
            abi.encodePacked(self, uint32(3), digest, uint32(2), digest),
            abi.encodePacked(self, uint32(3), digest, uint32(3), digest),
            abi.encodePacked(self, uint32(2), digest, uint32(3), digest, uint32(4), digest)
        ];
        for (uint256 i = 0; i < tables.length; ++i) {
            // The last one has a peer more than the task allows.
            Masked memory w = committedWorld(4, 4, 2, i);
            w.tables[0] = tables[i];
            commit(w, 0);
            close(w);
            bytes memory proof = standing(w, 1);
            bytes memory call = abi.encodeCall(
                unmask.proveReveal,
                (w.roundId, w.claim, w.aux, 1, Masks.SELF, proof)
            );
            strikes(w, call, "bad seed table");
        }
    }

    function inserted(
        bytes memory reveals,
        uint32 owner,
        uint32 peer,
        bytes32 seed
    ) private pure returns (bytes memory) {
        bytes memory entry = abi.encodePacked(owner, peer, seed);
        uint256 at = 0;
        while (at < reveals.length && uint64(bytes8(cut(reveals, at, 8))) < uint64(bytes8(entry))) at += 40;
        return abi.encodePacked(cut(reveals, 0, at), entry, cut(reveals, at, reveals.length));
    }

    // ------------------------------------------------------------------------------------------------ hostile proofs

    /// Change one bit or the length of a proof that holds: nothing else may hold by it.
    function testFuzzAMutatedProofIsRefused(uint256 seed) public {
        Masked memory w = worldOf(seed);
        w.aggregate[2] ^= 1;
        w.aux = cut(w.aux, 40, w.aux.length);
        close(w);
        uint32 owner = w.included[0];
        bytes memory reveal = standing(w, owner);
        bytes memory column = abi.encodePacked(matrixOpening(w, 2), opening(w.aggregate, 4, 2));
        for (uint256 i = 0; i < 24; ++i) {
            bytes memory proof = mutated(column, random(seed, 7, i));
            refusesAny(w, abi.encodeCall(unmask.proveUnmasking, (w.roundId, w.claim, w.aux, 2, proof)));
            proof = mutated(reveal, random(seed, 8, i));
            refusesAny(w, abi.encodeCall(unmask.proveReveal, (w.roundId, w.claim, w.aux, owner, 0, proof)));
        }
        strikes(
            w,
            abi.encodeCall(unmask.proveReveal, (w.roundId, w.claim, w.aux, owner, 0, reveal)),
            "missing seed"
        );
    }

    function mutated(bytes memory proof, uint256 draw) private pure returns (bytes memory) {
        if (draw % 8 == 0) return cut(proof, 0, proof.length - 1 - ((draw >> 8) % proof.length));
        if (draw % 8 == 1) return abi.encodePacked(proof, uint8(draw >> 8));
        proof = cut(proof, 0, proof.length);
        proof[(draw >> 8) % proof.length] ^= bytes1(uint8(1 << (draw % 8)));
        return proof;
    }

    function testForgedOpeningsConvictNobody() public {
        Masked memory w = worldOf(61);
        uint32 first = w.included[0];
        w.masked[first - 1][3] ^= 1;
        refuses(w, directCall(w, 3), IDisputeCourt.WrongRoot.selector);
        refuses(w, transposeCall(w, 3, 0), IDisputeCourt.WrongRoot.selector);
        refuses(w, revealCall(w, first, 0), IDisputeCourt.WrongRoot.selector);
        w.masked[first - 1][3] ^= 1;
        w.tables[first - 1][5] ^= 0x01;
        refuses(w, directCall(w, 3), IDisputeCourt.WrongRoot.selector);
        refuses(w, revealCall(w, first, 0), IDisputeCourt.WrongRoot.selector);
        w.tables[first - 1][5] ^= 0x01;
        w.aggregate[3] ^= 1;
        refuses(w, columnCall(w, 3), IDisputeCourt.WrongRoot.selector);
        refuses(w, directCall(w, 3), IDisputeCourt.WrongRoot.selector);
        w.aggregate[3] ^= 1;
        w.matrix[4 * 3 * w.included.length] ^= 0x01;
        refuses(w, columnCall(w, 3), IDisputeCourt.WrongRoot.selector);
        refuses(w, transposeCall(w, 3, 0), IDisputeCourt.WrongRoot.selector);
    }

    function testAStandingOfAnotherClientSlotOrKindIsRefused() public {
        Masked memory w = committedWorld(5, 5, 5, 31);
        commit(w, 1 << 3);
        close(w);
        bytes memory own = standing(w, 2);
        bytes memory gap = standing(w, 3);
        refuses(w, revealWith(w, 3, 0, own), IDisputeCourt.WrongRoot.selector);
        refuses(w, revealWith(w, 2, 0, gap), IDisputeCourt.WrongOrder.selector);
        refuses(w, revealWith(w, 4, 0, gap), IDisputeCourt.WrongOrder.selector);
        own[0] = 0x02;
        refuses(w, revealWith(w, 2, 0, own), IUnmaskCourt.WrongStanding.selector);
        gap[2] = 0x09;
        refuses(w, revealWith(w, 3, 0, gap), IDisputeCourt.NoSuchSlot.selector);
        bytes memory both = abi.encodePacked(standing(w, 2), standing(w, 3));
        refuses(w, revealWith(w, 2, 0, both), IDisputeCourt.WrongProofLength.selector);
    }

    function revealWith(
        Masked memory w,
        uint32 owner,
        uint32 peer,
        bytes memory proof
    ) private view returns (bytes memory) {
        return abi.encodeCall(unmask.proveReveal, (w.roundId, w.claim, w.aux, owner, peer, proof));
    }

    function testAProofForOtherDataIsRefused() public {
        Masked memory w = worldOf(41);
        w.aggregate[0] ^= 1;
        close(w);
        bytes memory honest = w.aux;
        bytes memory call = columnCall(w, 0);
        strikes(w, call, "wrong aggregate");
        // Other seeds than the proposal's.
        w.aux = cut(honest, 40, honest.length);
        bytes memory other = columnCall(w, 0);
        bytes memory reveal = revealCall(w, w.included[0], 0);
        w.aux = honest;
        refuses(w, other, IDisputeCourt.WrongRoot.selector);
        refuses(w, reveal, IDisputeCourt.WrongRoot.selector);
        // Another proposal than the round's.
        w.aggregate[0] ^= 1;
        close(w);
        refuses(w, call, IRoundLedger.ProposalMismatch.selector);
        // Another coordinate's opening, and none at all.
        w.aggregate[0] ^= 1;
        close(w);
        bytes memory proof = abi.encodePacked(matrixOpening(w, 9), opening(w.aggregate, 4, 9));
        refusesAny(w, abi.encodeCall(unmask.proveUnmasking, (w.roundId, w.claim, w.aux, 0, proof)));
        call = abi.encodeCall(unmask.proveUnmasking, (w.roundId, w.claim, w.aux, SIZE, proof));
        refuses(w, call, IDisputeCourt.NoSuchCoordinate.selector);
    }

    // ------------------------------------------------------------------------------------------------------- rounds

    function testRoundsWithoutMasksAreNotCovered() public {
        for (uint256 i = 0; i < 2; ++i) {
            uint32 taskId = ledger.createTask(maskedTask(i == 0 ? Rule.Sum32 : Rule.Mean, 0));
            Masked memory w;
            restake();
            VM.prank(ownerOf(aggregator));
            w.roundId = ledger.openRound(taskId, aggregator);
            (w.committed, w.included) = (2, new uint32[](2));
            (w.masked, w.commitments, w.tables) = (new int32[][](2), new bytes32[](2), new bytes[](2));
            for (uint32 k = 0; k < 2; ++k) (w.masked[k], w.included[k]) = (new int32[](SIZE), k + 1);
            w.aggregate = new int32[](SIZE);
            for (uint32 client = 1; client <= 2; ++client) {
                VM.prank(ownerOf(client));
                ledger.commit(w.roundId, client, "commitment");
            }
            VM.warp(uint256(ledger.round(w.roundId).dataEnd) + 1);
            close(w);
            refuses(w, columnCall(w, 0), IDisputeCourt.RuleNotCovered.selector);
            refuses(w, directCall(w, 0), IDisputeCourt.RuleNotCovered.selector);
            refuses(w, transposeCall(w, 0, 0), IDisputeCourt.RuleNotCovered.selector);
            refuses(w, revealWith(w, 1, 0, ""), IDisputeCourt.RuleNotCovered.selector);
        }
    }

    function testAVerdictTakesTheBondAndAFinalisedRoundHasNone() public {
        Masked memory w = worldOf(51);
        w.aux = cut(w.aux, 40, w.aux.length);
        close(w);
        bytes memory call = revealCall(w, w.included[0], 0);
        propose(w);
        VM.prank(CHALLENGER);
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, ) = address(unmask).call(call);
        check(held, "the proof held");
        same(ledger.verdictOf(w.roundId).challenger, CHALLENGER);
        VM.warp(block.timestamp + 2 hours);
        escrow.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), 0.2 ether);

        w = worldOf(52);
        w.aux = cut(w.aux, 40, w.aux.length);
        close(w);
        call = revealCall(w, w.included[0], 0);
        propose(w);
        VM.warp(uint256(ledger.round(w.roundId).challengeEnd) + 1);
        ledger.finalise(w.roundId, outcomeOf(w.claim.proposal, w.claim.segmentsHash, w.excluded, w.aux));
        VM.prank(CHALLENGER);
        // solhint-disable-next-line avoid-low-level-calls
        (held, ) = address(unmask).call(call);
        check(!held, "a finalised round was struck");
    }
}
