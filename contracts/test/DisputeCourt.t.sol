// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IRewardEscrow} from "../interfaces/IRewardEscrow.sol";
import {IRoundLedger, Phase, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// Every proof of one transaction, by hand. "Trap n" is the list in docs/protocol.md, Traps.
contract DisputeCourtTest is CourtFixture {
    bytes4 private immutable NOT_FRAUD = IDisputeCourt.NotFraud.selector;
    bytes4 private immutable WRONG_ROOT = IDisputeCourt.WrongRoot.selector;
    bytes private constant NOBODY = "";

    function world(Rule rule) private returns (World memory w) {
        return committedWorld(smallTask(rule, 21, 1), 7, abi.encodePacked(uint32(2), uint16(715)), 5);
    }

    /// A median round whose aggregate is one off at coordinate 17.
    function lie() private returns (World memory w) {
        w = world(Rule.Median);
        w.aggregate[17] += 1;
        w.model[17] += 1;
        propose(w);
    }

    function notFraud(int256 value) private view returns (bytes memory) {
        return abi.encodeWithSelector(NOT_FRAUD, value, value);
    }

    /// A copy with one byte changed.
    function altered(bytes memory proof, uint256 at, uint8 to) private pure returns (bytes memory changed) {
        changed = cut(proof, 0, proof.length);
        changed[at] = bytes1(to);
    }

    function refusesOtherLengths(bytes memory call, bytes memory longer, bytes memory shorter) private {
        failsWith(longer, IDisputeCourt.WrongProofLength.selector);
        failsWith(shorter, IDisputeCourt.WrongProofLength.selector);
        holds(call);
    }

    // ------------------------------------------------------------------------------------------------------- column

    function testColumnProvesAWrongAggregate() public {
        World memory w = lie();
        int32 honest = honestValue(w, 17);
        bytes memory proof = columnProof(w, 17);
        VM.expectEmit(true, true, true, true, address(court));
        emit IDisputeCourt.FraudProven(
            w.roundId,
            "wrong aggregate",
            CHALLENGER,
            0,
            17,
            honest + 1,
            honest,
            keccak256(proof)
        );
        holds(columnCall(w, proof));
        same(ledger.verdictOf(w.roundId).challenger, CHALLENGER);
        checkVoided(w);
    }

    function testColumnRefusesAnHonestCoordinate() public {
        World memory w = lie();
        fails(columnCall(w, columnProof(w, 3)), notFraud(w.aggregate[3]));
        check(phaseOf(w) == Phase.Proposed, "phase");
        same(registry.creditOf(address(escrow)), 0);
    }

    function testColumnCoversFourRules() public {
        Rule[4] memory rules = [Rule.Sum32, Rule.Mean, Rule.Median, Rule.TrimmedMean];
        for (uint256 i = 0; i < 4; ++i) {
            World memory w = world(rules[i]);
            w.aggregate[5] -= 1;
            propose(w);
            failsWith(columnCall(w, columnProof(w, 6)), NOT_FRAUD);
            holds(columnCall(w, columnProof(w, 5)));
            checkVoided(w);
        }
    }

    function testColumnDoesNotCoverWeightsAndKrum() public {
        Rule[3] memory rules = [Rule.WeightedMean, Rule.Krum, Rule.MultiKrum];
        for (uint256 i = 0; i < 3; ++i) {
            Task memory task = smallTask(rules[i], 10, 0);
            if (i != 0) (task.quorum, task.maxClients) = (3, 50);
            if (i == 2) task.ruleSelect = 1;
            World memory w = committedWorld(task, 4, NOBODY, i);
            w.aggregate[0] += 1;
            propose(w);
            bytes memory reason = abi.encodeWithSelector(IDisputeCourt.RuleNotCovered.selector, rules[i]);
            fails(columnCall(w, columnProof(w, 0)), reason);
            if (i != 0) fails(directCall(w, 0, directProof(w, 0)), reason);
            if (i == 0) holds(directCall(w, 0, directProof(w, 0)));
            else finish(w);
        }
    }

    function testWrongHintsAreRefused() public {
        World memory w = lie();
        (int32 low, int32 high) = hintsOf(w, 17);
        for (int32 off = -1; off <= 1; off += 2) {
            failsWith(columnCall(w, hintedProof(w, 17, low + off, high)), OrderStats.WrongHint.selector);
            failsWith(columnCall(w, hintedProof(w, 17, low, high + off)), OrderStats.WrongHint.selector);
        }
        holds(columnCall(w, hintedProof(w, 17, low, high)));
    }

    /// A proof has one encoding: where a rule takes no hints, they are zeros.
    function testNeedlessHintsAreRefused() public {
        Rule[2] memory rules = [Rule.Sum32, Rule.Mean];
        for (uint256 i = 0; i < 2; ++i) {
            World memory w = world(rules[i]);
            w.aggregate[5] -= 1;
            propose(w);
            failsWith(columnCall(w, hintedProof(w, 5, 1, 0)), OrderStats.WrongHint.selector);
            failsWith(columnCall(w, hintedProof(w, 5, 0, 1)), OrderStats.WrongHint.selector);
            holds(columnCall(w, hintedProof(w, 5, 0, 0)));
        }
    }

    function testPlacesOutsideTheVectorAreRefused() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        fails(
            columnCall(w, altered(proof, 3, 21)),
            abi.encodeWithSelector(IDisputeCourt.NoSuchCoordinate.selector, uint32(21), uint32(21))
        );
        fails(
            transposeCall(w, 0, 6, transposeProof(w, 0, 5)),
            abi.encodeWithSelector(IDisputeCourt.NoSuchSlot.selector, uint32(6), uint256(6))
        );
        failsWith(modelCall(w, 21, modelProof(w, 17)), IDisputeCourt.NoSuchCoordinate.selector);
        failsWith(directCall17(w, 21), IDisputeCourt.NoSuchCoordinate.selector);
        failsWith(clipCall(w, 21, clipProof(w, 0, 17)), IDisputeCourt.NoSuchCoordinate.selector);
    }

    function directCall17(World memory w, uint32 coordinate) private view returns (bytes memory) {
        (int32 low, int32 high) = hintsOf(w, 17);
        bytes memory proof = directProof(w, 17);
        return abi.encodeCall(court.proveDirect, (w.roundId, w.claim, coordinate, low, high, proof));
    }

    function testProofsHaveOneLength() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        refusesOtherLengths(
            columnCall(w, proof),
            columnCall(w, abi.encodePacked(proof, uint8(0))),
            columnCall(w, cut(proof, 0, proof.length - 1))
        );
    }

    // ------------------------------------------------------------------------------------------------------ weights

    function weighted() private returns (World memory w) {
        Task memory task = smallTask(Rule.WeightedMean, 21, 1);
        task.weiPerWeight = 0.05 ether;
        w = committedWorld(task, 7, abi.encodePacked(uint32(2), uint16(715)), 5);
        // Both limits are felt, and so is the want of any.
        uint256[3] memory seen;
        for (uint256 i = 0; i < 7; ++i) {
            uint256 limit = w.examples[i] < 50 ? w.examples[i] : 50;
            ++seen[weightOf(w, i) < limit ? 0 : (limit < w.examples[i] ? 1 : 2)];
        }
        check(seen[0] > 0 && seen[1] > 0 && seen[2] > 0, "a limit is not tried");
    }

    function testWeightedColumnProvesAWrongAggregate() public {
        World memory w = weighted();
        w.aggregate[17] += 1;
        propose(w);
        bytes memory proof = weightedProof(w, 17);
        fails(weightedCall(w, 3, weightedProof(w, 3)), notFraud(w.aggregate[3]));
        failsWith(weightedCall(w, 3, proof), WRONG_ROOT);
        refusesOtherLengths(
            weightedCall(w, 17, proof),
            weightedCall(w, 17, abi.encodePacked(proof, uint8(0))),
            weightedCall(w, 17, cut(proof, 0, proof.length - 1))
        );
        checkVoided(w);
    }

    /// By the weights that were posted: whether those are right is another question.
    function testWeightedColumnGoesByThePostedWeights() public {
        World memory w = weighted();
        w.includedWeights[3] += 1;
        recompute(w);
        propose(w);
        failsWith(weightedCall(w, 17, weightedProof(w, 17)), NOT_FRAUD);
        w.aux = altered(w.aux, 3, uint8(w.aux[3]) + 1);
        failsWith(weightedCall(w, 17, weightedProof(w, 17)), WRONG_ROOT);
    }

    function composed() private returns (World memory w) {
        Task memory task = smallTask(Rule.Composed, 21, 1);
        (task.ruleParam, task.quorum) = (3, 3);
        w = committedWorld(task, 5, NOBODY, 6);
    }

    /// Whether the choice is right only a replay tells; that the aggregate is the mean of the chosen, the court does.
    function testComposedColumnGoesByThePostedChoice() public {
        World memory w = composed();
        uint32[] memory chosen = new uint32[](5);
        (chosen[0], chosen[2], chosen[4]) = (1, 1, 1);
        for (uint256 i = 0; i < 5; ++i) w.aux = abi.encodePacked(w.aux, chosen[i]);
        for (uint256 j = 0; j < 21; ++j) {
            w.aggregate[j] = IntegerRules.weightedMean(columnOf(w, j), chosen, w.task.examplesCap);
            w.model[j] = IntegerRules.modelStep(w.base[j], w.aggregate[j]);
        }
        w.aggregate[17] += 1;
        propose(w);
        fails(weightedCall(w, 3, weightedProof(w, 3)), notFraud(w.aggregate[3]));
        bytes memory reason = abi.encodeWithSelector(IDisputeCourt.RuleNotCovered.selector, Rule.Composed);
        fails(columnCall(w, columnProof(w, 17)), reason);
        fails(directCall(w, 17, directProof(w, 17)), reason);
        fails(weightCall(w, 3, weightProof(w, 3)), reason);
        holds(weightedCall(w, 17, weightedProof(w, 17)));
        checkVoided(w);
    }

    function testComposedRoundsThatPostNoChoiceAreForReplayAlone() public {
        World memory w = composed();
        w.aggregate[17] += 1;
        propose(w);
        failsWith(weightedCall(w, 17, weightedProof(w, 17)), IDisputeCourt.WrongProofLength.selector);
    }

    function testWeightedProofsAreForWeightedMeansOnly() public {
        World memory w = lie();
        bytes memory reason = abi.encodeWithSelector(IDisputeCourt.RuleNotCovered.selector, Rule.Median);
        fails(weightedCall(w, 17, weightedProof(w, 17)), reason);
        fails(weightCall(w, 3, weightProof(w, 3)), reason);
    }

    function testWeightProvesAWrongWeight() public {
        World memory w = weighted();
        w.includedWeights[3] += 1;
        recompute(w);
        propose(w);
        for (uint256 slot = 0; slot < 6; ++slot) {
            if (slot == 3) continue;
            fails(
                weightCall(w, slot, weightProof(w, slot)),
                notFraud(int256(uint256(w.includedWeights[slot])))
            );
        }
        failsWith(weightCall(w, 3, weightProof(w, 2)), WRONG_ROOT);
        fails(
            weightCall(w, 6, weightProof(w, 3)),
            abi.encodeWithSelector(IDisputeCourt.NoSuchSlot.selector, uint32(6), uint256(6))
        );
        bytes memory proof = weightProof(w, 3);
        uint256 posted = w.includedWeights[3];
        VM.expectEmit(true, true, true, true, address(court));
        emit IDisputeCourt.FraudProven(
            w.roundId,
            "wrong weight",
            CHALLENGER,
            0,
            3,
            int256(posted),
            int256(posted - 1),
            keccak256(proof)
        );
        holds(weightCall(w, 3, proof));
        checkVoided(w);
    }

    function testWeightNeedsTheExamplesThatWereCommitted() public {
        World memory w = weighted();
        w.includedWeights[3] += 1;
        recompute(w);
        propose(w);
        w.examples[w.includedIds[3] - 1] += 1;
        failsWith(weightCall(w, 3, weightProof(w, 3)), WRONG_ROOT);
        w.examples[w.includedIds[3] - 1] -= 1;
        bytes memory proof = weightProof(w, 3);
        refusesOtherLengths(
            weightCall(w, 3, proof),
            weightCall(w, 3, abi.encodePacked(proof, uint8(0))),
            weightCall(w, 3, cut(proof, 0, proof.length - 1))
        );
    }

    /// A stake that came in the second of the opening weighs nothing (CourtFixture, `_drawStakes`): else a loan of one
    /// second would.
    function testStakesWeighAsTheyWereBeforeTheRound() public {
        World memory w = weighted();
        uint256 slot = 0;
        uint256 i = w.includedIds[0] - 1;
        uint256 free = 0;
        for (; ; i = w.includedIds[++slot] - 1) {
            free = w.examples[i] < 50 ? w.examples[i] : 50;
            if (weightOf(w, i) < free) break;
        }
        uint40 openedAt = ledger.round(w.roundId).openedAt;
        check(registry.stakeAt(w.clients[i], openedAt) / w.task.weiPerWeight >= free, "the late deposit");
        w.includedWeights[slot] = uint32(free);
        recompute(w);
        propose(w);
        registry.deposit{value: 9 ether}(w.clients[i]);
        holds(weightCall(w, slot, weightProof(w, slot)));
    }

    function testAWrongNumberOfWeightsIsProven() public {
        for (uint256 i = 0; i < 4; ++i) {
            World memory w = world(Rule.WeightedMean);
            if (i == 0) w.aux = cut(w.aux, 0, 20);
            if (i == 1) w.aux = abi.encodePacked(w.aux, uint32(1));
            if (i == 2) w.aux = abi.encodePacked(w.aux, uint8(0));
            if (i == 3) w.aux = "";
            propose(w);
            failsWith(weightedCall(w, 17, weightedProof(w, 17)), IDisputeCourt.WrongProofLength.selector);
            // Nothing but the empty proof, whose hash a ticket can name.
            failsWith(weightCall(w, 3, weightProof(w, 3)), IDisputeCourt.WrongProofLength.selector);
            holds(weightCall(w, 3, ""));
            checkVoided(w);
        }
    }

    /// Nobody weighs anything: the aggregate is zero.
    function testAMeanWithoutWeightsIsZero() public {
        Task memory task = smallTask(Rule.WeightedMean, 21, 1);
        task.weiPerWeight = 1000 ether;
        World memory w = openWorld(task, 5, NOBODY, 5);
        for (uint256 i = 0; i < 5; ++i) {
            w.examples[i] = 0;
            w.commitments[i] = commitmentTo(w, i);
            w.entries[i] = signedEntry(w.roundId, w.clients[i], w.commitments[i], keyOf(w.clients[i]));
        }
        commitWorld(w);
        includeUpdates(w);
        w.aggregate[20] = -1;
        propose(w);
        same(int256(w.aggregate[0]), 0);
        failsWith(weightedCall(w, 0, weightedProof(w, 0)), NOT_FRAUD);
        failsWith(directCall(w, 0, directProof(w, 0)), NOT_FRAUD);
        holds(weightedCall(w, 20, weightedProof(w, 20)));
    }

    // ---------------------------------------------------------------------------------------------------- transpose

    function testTransposeProvesAWrongMatrix() public {
        World memory w = world(Rule.Mean);
        // Slot 3 is client 5, since client 2 is out.
        w.matrix[4 * (6 * 20 + 3)] ^= 0x01;
        propose(w);
        failsWith(transposeCall(w, 20, 2, transposeProof(w, 20, 2)), NOT_FRAUD);
        failsWith(transposeCall(w, 19, 3, transposeProof(w, 19, 3)), NOT_FRAUD);
        holds(transposeCall(w, 20, 3, transposeProof(w, 20, 3)));
        checkVoided(w);
    }

    function testTransposeNeedsTheMembersOwnUpdate() public {
        World memory w = world(Rule.Mean);
        w.matrix[4 * (6 * 20 + 3)] ^= 0x01;
        propose(w);
        w.updates[4][20] += 1;
        failsWith(transposeCall(w, 20, 3, transposeProof(w, 20, 3)), WRONG_ROOT);
        w.updates[4][20] -= 1;
        w.examples[4] += 1;
        failsWith(transposeCall(w, 20, 3, transposeProof(w, 20, 3)), WRONG_ROOT);
    }

    // ------------------------------------------------------------------------------------------------------ members

    function testMembersProvesAWrongList() public {
        World memory w = world(Rule.Mean);
        propose(w);
        bytes32 honest = w.claim.proposal.membersRoot;
        fails(
            membersCall(w, membersProof(w)),
            abi.encodeWithSelector(IDisputeCourt.SameRoot.selector, honest)
        );
        finish(w);
        w = world(Rule.Mean);
        w.claim.proposal = sampleProposal(w.roundId, 7);
        proposeClaim(w);
        holds(membersCall(w, membersProof(w)));
        checkVoided(w);
    }

    /// Members left out, taken in, or in another order.
    function testMembersProvesEveryOtherSetOfMembers() public {
        for (uint256 i = 0; i < 3; ++i) {
            World memory w = world(Rule.Mean);
            uint32[] memory ids = w.includedIds;
            if (i == 0) ids[0] = 2;
            if (i == 1) (ids[4], ids[5]) = (ids[5], ids[4]);
            if (i == 2) ids[1] = ids[0];
            propose(w);
            holds(membersCall(w, membersProof(w)));
            checkVoided(w);
        }
    }

    function testMembersNeedsTheWholeListInOrder() public {
        World memory w = world(Rule.Mean);
        w.claim.proposal = sampleProposal(w.roundId, 7);
        proposeClaim(w);
        bytes memory proof = membersProof(w);
        // Seven positions at the end: client 1 is at 4, client 2 at 5, client 4 at 0.
        uint256 order = proof.length - 14;
        bytes memory wrong = abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 1);
        fails(membersCall(w, altered(proof, order + 3, 4)), wrong);
        fails(membersCall(w, altered(proof, order + 3, 7)), wrong);
        fails(
            membersCall(w, altered(proof, order + 5, 4)),
            abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 2)
        );
        fails(
            membersCall(w, altered(proof, order + 3, 0)),
            abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 2)
        );
        failsWith(membersCall(w, altered(proof, 20, uint8(proof[20]) ^ 1)), WRONG_ROOT);
        failsWith(membersCall(w, altered(proof, 3, 0)), IDisputeCourt.WrongProofLength.selector);
        bytes memory call = abi.encodeCall(court.proveMembers, (w.roundId, w.claim, NOBODY, proof));
        failsWith(call, WRONG_ROOT);
        refusesOtherLengths(
            membersCall(w, proof),
            membersCall(w, abi.encodePacked(proof, uint8(0))),
            membersCall(w, cut(proof, 0, proof.length - 1))
        );
    }

    /// Segments are as they came: neither split nor joined nor padded with empty ones.
    function testMembersNeedsTheSegmentsAsTheyCame() public {
        World memory w = world(Rule.Mean);
        w.claim.proposal = sampleProposal(w.roundId, 7);
        proposeClaim(w);
        bytes memory rest = abi.encodePacked(membersEntries(w), membersOrder(w));
        uint16 one = 1;
        bytes memory counts = abi.encodePacked(uint16(4), one, one, one, uint16(4));
        failsWith(membersCall(w, abi.encodePacked(counts, rest)), WRONG_ROOT);
        counts = abi.encodePacked(uint16(6), one, one, one, one, one, uint16(2));
        failsWith(membersCall(w, abi.encodePacked(counts, rest)), WRONG_ROOT);
        counts = abi.encodePacked(uint16(6), one, one, one, one, uint16(0), uint16(3));
        failsWith(membersCall(w, abi.encodePacked(counts, rest)), SegmentTree.EmptySegment.selector);
        counts = abi.encodePacked(uint16(5), one, one, one, one, uint16(3));
        holds(membersCall(w, abi.encodePacked(counts, rest)));
    }

    // ------------------------------------------------------------------------------------------------------- direct

    function testDirectProvesWithoutTheMatrix() public {
        Rule[5] memory rules = [Rule.Sum32, Rule.Mean, Rule.WeightedMean, Rule.Median, Rule.TrimmedMean];
        for (uint256 i = 0; i < 5; ++i) {
            World memory w = world(rules[i]);
            w.aggregate[20] += 1;
            // Nobody can open this matrix.
            w.matrix = abi.encodePacked("garbage");
            propose(w);
            failsWith(directCall(w, 4, directProof(w, 4)), NOT_FRAUD);
            holds(directCall(w, 20, directProof(w, 20)));
            checkVoided(w);
        }
    }

    function testDirectNeedsEveryMember() public {
        World memory w = lie();
        uint32 client = w.includedIds[0];
        w.includedIds[0] = w.includedIds[1];
        failsWith(directCall(w, 17, directProof(w, 17)), WRONG_ROOT);
        w.includedIds[0] = client;
        w.examples[0] += 1;
        failsWith(directCall(w, 17, directProof(w, 17)), WRONG_ROOT);
    }

    // --------------------------------------------------------------------------------------------------- model step

    function testModelStepProvesAWrongModel() public {
        World memory w = world(Rule.Mean);
        w.model[9] += w.model[9] == type(int32).max ? -1 : int32(1);
        propose(w);
        fails(modelCall(w, 8, modelProof(w, 8)), notFraud(w.model[8]));
        w.base[9] += 1;
        failsWith(modelCall(w, 9, modelProof(w, 9)), WRONG_ROOT);
        w.base[9] -= 1;
        holds(modelCall(w, 9, modelProof(w, 9)));
        checkVoided(w);
    }

    // --------------------------------------------------------------------------------------------- rounds and claims

    function testOnlyTheProposalOfTheRoundIsJudged() public {
        World memory w = lie();
        bytes memory proof = modelProof(w, 17);
        Task memory task = w.task;
        for (uint256 i = 0; i < 9; ++i) {
            World memory other = abi.decode(abi.encode(w), (World));
            if (i == 0) other.claim.proposal.aggregateRoot ^= bytes32(uint256(1));
            if (i == 1) other.claim.proposal.matrixRoot ^= bytes32(uint256(1));
            if (i == 2) other.claim.proposal.modelRoot ^= bytes32(uint256(1));
            if (i == 3) other.claim.proposal.membersRoot ^= bytes32(uint256(1));
            if (i == 4) other.claim.proposal.dataId ^= bytes32(uint256(1));
            if (i == 5) other.claim.proposal.committed += 1;
            if (i == 6) other.claim.segmentsHash ^= bytes32(uint256(1));
            if (i == 7) other.claim.excludedHash ^= bytes32(uint256(1));
            if (i == 8) other.claim.auxHash ^= bytes32(uint256(1));
            failsWith(modelCall(other, 17, proof), IRoundLedger.ProposalMismatch.selector);
            failsWith(
                transposeCall(other, 17, 0, transposeProof(w, 17, 0)),
                IRoundLedger.ProposalMismatch.selector
            );
            failsWith(directCall(other, 17, directProof(w, 17)), IRoundLedger.ProposalMismatch.selector);
            failsWith(membersCall(other, membersProof(w)), IRoundLedger.ProposalMismatch.selector);
        }
        failsWith(
            abi.encodeCall(court.proveColumn, (w.roundId, keccak256("core"), columnProof(w, 17))),
            IRoundLedger.ProposalMismatch.selector
        );
        check(task.size == 21, "the world was not copied");
    }

    function testEveryRoundIsJudgedOnce() public {
        World memory w = lie();
        bytes memory call = columnCall(w, columnProof(w, 17));
        uint64 roundId = w.roundId;
        w.roundId = roundId + 1;
        failsWith(columnCall(w, columnProof(w, 17)), IRoundLedger.UnknownRound.selector);
        w.roundId = roundId;
        holds(call);
        bytes memory voided = abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Voided);
        fails(call, voided);
        fails(modelCall(w, 17, modelProof(w, 17)), voided);
        fails(membersCall(w, membersProof(w)), voided);
    }

    function testNothingIsProvenBeforeAProposalOrAfterTheEnd() public {
        World memory w = world(Rule.Mean);
        failsWith(modelCall(w, 0, modelProof(w, 0)), IRoundLedger.WrongPhase.selector);
        w.model[0] += w.model[0] == type(int32).max ? -1 : int32(1);
        propose(w);
        finish(w);
        failsWith(modelCall(w, 0, modelProof(w, 0)), IRoundLedger.WrongPhase.selector);
    }

    /// Proofs go on after the challenge window, until somebody finalises.
    function testALateProofStillHolds() public {
        World memory w = lie();
        pass(ledger.round(w.roundId).challengeEnd);
        holds(columnCall(w, columnProof(w, 17)));
    }

    function testAVoidedRoundIsOpenedAnew() public {
        World memory w = lie();
        holds(columnCall(w, columnProof(w, 17)));
        (bytes32 model, , , , ) = ledger.taskState(1);
        same(model, w.task.genesisModel);
        restake();
        same(open(aggregator), w.roundId + 1);
    }

    // ----------------------------------------------------------------------------------------------- against clients

    /// First coordinate of an update beyond the bound, or in range.
    function find(World memory w, uint256 i, bool beyond) private pure returns (uint256 j) {
        while ((w.updates[i][j] > 1000 || w.updates[i][j] < -1000) != beyond) ++j;
    }

    function testClipTakesAFifthOfTheStakeAndTheRoundStays() public {
        World memory w = world(Rule.Mean);
        propose(w);
        // Client 2 by the batch, client 6 by itself.
        for (uint256 i = 1; i < 6; i += 4) {
            uint256 j = find(w, i, true);
            uint256 honest = find(w, i, false);
            bytes memory proof = clipProof(w, i, j);
            failsWith(clipCall(w, honest, clipProof(w, i, honest)), NOT_FRAUD);
            VM.expectEmit(true, true, true, true, address(court));
            emit IDisputeCourt.FraudProven(
                w.roundId,
                "out of bound",
                CHALLENGER,
                w.clients[i],
                uint32(j),
                w.updates[i][j],
                w.updates[i][j] > 0 ? int256(1000) : int256(-1000),
                keccak256(proof)
            );
            holds(clipCall(w, j, proof));
            same(stakeOf(w.clients[i]), (CLIENT_STAKE * 8) / 10);
            fails(
                clipCall(w, j, proof),
                abi.encodeWithSelector(IRewardEscrow.AlreadyProven.selector, w.roundId, w.clients[i])
            );
        }
        same(registry.creditOf(address(escrow)), 2 * ((CLIENT_STAKE * 8) / 100));
        same(registry.burntWei(), 2 * ((CLIENT_STAKE * 12) / 100));
        finish(w);
        // A round that is final is judged all the same.
        uint256 late = find(w, 3, true);
        holds(clipCall(w, late, clipProof(w, 3, late)));
        pass(uint40(clock()) + 1 hours);
        escrow.claimPunishment(w.roundId, 6, "out of bound");
        same(registry.creditOf(CHALLENGER), (CLIENT_STAKE * 8) / 100);
    }

    function testClipRestsOnCommitmentsAlone() public {
        World memory w = world(Rule.Mean);
        uint256 j = find(w, 1, true);
        bytes memory proof = clipProof(w, 1, j);
        int32 value = w.updates[1][j];
        w.updates[1][j] = type(int32).max - 5;
        failsWith(clipCall(w, j, clipProof(w, 1, j)), WRONG_ROOT);
        w.updates[1][j] = value;
        // Two siblings at the end, five segments before them, and before those the three numbers.
        uint256 list = proof.length - 64 - 5 * 34;
        failsWith(clipCall(w, j, altered(proof, list + 3, uint8(proof[list + 3]) ^ 1)), WRONG_ROOT);
        failsWith(clipCall(w, j, altered(proof, list + 33, 2)), WRONG_ROOT);
        failsWith(
            clipCall(w, j, altered(proof, proof.length - 1, uint8(proof[proof.length - 1]) ^ 1)),
            WRONG_ROOT
        );
        failsWith(clipCall(w, j, altered(proof, list - 1, 0)), WRONG_ROOT);
        fails(
            clipCall(w, j, altered(proof, list - 1, 3)),
            abi.encodeWithSelector(IDisputeCourt.NoSuchSlot.selector, uint32(3), uint256(3))
        );
        // Segment 5 of 0..4.
        fails(
            clipCall(w, j, altered(proof, list - 3, 5)),
            abi.encodeWithSelector(IDisputeCourt.NoSuchSlot.selector, uint32(1), uint256(0))
        );
        // No proposal is needed: a client that is left out is judged all the same.
        refusesOtherLengths(
            clipCall(w, j, proof),
            clipCall(w, j, abi.encodePacked(proof, uint8(0))),
            clipCall(w, j, cut(proof, 0, proof.length - 1))
        );
    }

    function testClipGoesByTheClaimOnceThereIsAProposal() public {
        World memory w = world(Rule.Mean);
        uint256 j = find(w, 1, true);
        propose(w);
        w.claim.segmentsHash ^= bytes32(uint256(1));
        failsWith(clipCall(w, j, clipProof(w, 1, j)), IRoundLedger.ProposalMismatch.selector);
        w.claim.segmentsHash ^= bytes32(uint256(1));
        holds(clipCall(w, j, clipProof(w, 1, j)));
    }

    /// The verdict lies where the proposal lay, and what a client committed to can no longer be told.
    function testClipIsTooLateOnceTheRoundIsVoid() public {
        World memory w = world(Rule.Mean);
        uint256 j = find(w, 1, true);
        w.aggregate[0] += 1;
        propose(w);
        holds(columnCall(w, columnProof(w, 0)));
        failsWith(clipCall(w, j, clipProof(w, 1, j)), IRoundLedger.WrongPhase.selector);
    }

    function testClipOutlivesARoundWithoutAProposal() public {
        World memory w = world(Rule.Mean);
        uint256 j = find(w, 1, true);
        bytes memory call = clipCall(w, j, clipProof(w, 1, j));
        pass(ledger.round(w.roundId).proposeEnd);
        ledger.expire(w.roundId);
        holds(call);
    }

    /// Once the task's next round is open, nothing says any more who committed to what.
    function testClipIsTooLateInTheNextRound() public {
        World memory w = world(Rule.Mean);
        uint256 j = find(w, 1, true);
        pass(ledger.round(w.roundId).proposeEnd);
        ledger.expire(w.roundId);
        restake();
        same(open(aggregator), w.roundId + 1);
        failsWith(clipCall(w, j, clipProof(w, 1, j)), WRONG_ROOT);
        // No segments at all lead to the zero that is there.
        bytes memory none = abi.encodePacked(updateOpening(w, 1, j), uint16(0), uint16(0), uint16(0));
        failsWith(clipCall(w, j, none), IDisputeCourt.NoSuchSlot.selector);
    }

    function testMaskedUpdatesHaveNoBound() public {
        World memory w = world(Rule.Sum32);
        uint256 j = find(w, 1, true);
        failsWith(clipCall(w, j, clipProof(w, 1, j)), IDisputeCourt.RuleNotCovered.selector);
    }

    function equivocation(
        World memory w,
        uint256 first,
        uint256 second,
        uint256 key
    ) private view returns (bytes memory) {
        return equivocationCall(w, 3, bytes32(first), bytes32(second), key);
    }

    function testEquivocationTakesTheWholeStake() public {
        World memory w = world(Rule.Mean);
        pass(ledger.round(w.roundId).openedAt);
        holds(equivocation(w, 7, 8, keyOf(3)));
        same(stakeOf(3), 0);
        same(registry.creditOf(address(escrow)), (CLIENT_STAKE * 4) / 10);
        same(registry.burntWei(), (CLIENT_STAKE * 6) / 10);
        registry.deposit{value: CLIENT_STAKE}(3);
        failsWith(equivocation(w, 8, 9, keyOf(3)), IRewardEscrow.AlreadyProven.selector);
    }

    function testEquivocationNeedsTwoCommitmentsInOrder() public {
        World memory w = world(Rule.Mean);
        failsWith(equivocation(w, 7, 7, keyOf(3)), IDisputeCourt.SameCommitment.selector);
        failsWith(equivocation(w, 8, 7, keyOf(3)), IDisputeCourt.SameCommitment.selector);
        failsWith(equivocation(w, 7, 8, keyOf(4)), IDisputeCourt.WrongSigner.selector);
        bytes memory stranger = abi.encodePacked(uint32(99), new bytes(192));
        failsWith(
            abi.encodeCall(court.proveEquivocation, (w.roundId, stranger)),
            IDisputeCourt.WrongSigner.selector
        );
    }

    /// Trap 1: the key of `openedAt` counts, before and after a rotation.
    function testEquivocationIsJudgedByTheKeyOfTheRound() public {
        World memory w = world(Rule.Mean);
        rotate(3, 777);
        VM.warp(clock() + 10);
        failsWith(equivocation(w, 7, 8, 777), IDisputeCourt.WrongSigner.selector);
        holds(equivocation(w, 7, 8, keyOf(3)));
    }

    // ------------------------------------------------------------------------------------------------------ the rest

    function testTheCourtKnowsItsContractsAndTakesNoEth() public {
        same(court.registry(), address(registry));
        same(court.ledger(), address(ledger));
        same(court.escrow(), address(escrow));
        // solhint-disable-next-line avoid-low-level-calls
        (bool sent, ) = address(court).call{value: 1}("");
        check(!sent, "took ETH");
    }

    function testRootOnlyProofsAreForRootOnlyRounds() public {
        World memory w = lie();
        bytes4 wrongMode = IRoundLedger.WrongMode.selector;
        failsWith(entryCall(w, 0, w.entries[0]), wrongMode);
        failsWith(omissionCall(w, w.entries[0]), wrongMode);
    }
}
