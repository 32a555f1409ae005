// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt, Reward} from "../interfaces/IDisputeCourt.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {IRoundLedger, Phase, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// Proofs, slashes, tickets and rewards. "Trap n" is the list in docs/protocol.md, Traps.
contract DisputeCourtTest is CourtFixture {
    bytes4 private immutable NOT_FRAUD = IDisputeCourt.NotFraud.selector;
    address private constant COPIER = address(0xC0B1);
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

    /// The aggregator lost the bond of one round: 40 % and 10 % of it are the court's, the rest is burnt.
    function checkVoided(World memory w) private view {
        check(phaseOf(w) == Phase.Voided, "not voided");
        same(stakeOf(aggregator), AGGREGATOR_STAKE - BOND);
        check(isUnlocked(aggregator), "still locked");
        same(registry.creditOf(address(court)), (BOND * 5) / 10);
        same(registry.burntWei(), BOND - (BOND * 5) / 10);
        same(address(registry).balance, CLIENTS * CLIENT_STAKE + AGGREGATOR_STAKE);
        same(address(court).balance, 0);
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
        holds(columnCall(w, 17, proof));
        checkVoided(w);
    }

    function testColumnRefusesAnHonestCoordinate() public {
        World memory w = lie();
        fails(columnCall(w, 3, columnProof(w, 3)), notFraud(w.aggregate[3]));
        check(phaseOf(w) == Phase.Proposed, "phase");
        same(registry.creditOf(address(court)), 0);
    }

    function testColumnCoversFourRules() public {
        Rule[4] memory rules = [Rule.Sum32, Rule.Mean, Rule.Median, Rule.TrimmedMean];
        for (uint256 i = 0; i < 4; ++i) {
            World memory w = world(rules[i]);
            w.aggregate[5] -= 1;
            propose(w);
            failsWith(columnCall(w, 6, columnProof(w, 6)), NOT_FRAUD);
            holds(columnCall(w, 5, columnProof(w, 5)));
        }
    }

    function testColumnDoesNotCoverWeightsAndKrum() public {
        Rule[3] memory rules = [Rule.WeightedMean, Rule.Krum, Rule.MultiKrum];
        for (uint256 i = 0; i < 3; ++i) {
            Task memory task = smallTask(rules[i], 10, 0);
            if (i != 0) task.quorum = 3;
            if (i == 2) task.ruleSelect = 1;
            World memory w = committedWorld(task, 4, NOBODY, i);
            w.aggregate[0] += 1;
            propose(w);
            bytes memory reason = abi.encodeWithSelector(IDisputeCourt.RuleNotCovered.selector, rules[i]);
            fails(columnCall(w, 0, columnProof(w, 0)), reason);
            if (i != 0) fails(directCall(w, 0, directProof(w, 0)), reason);
            if (i == 0) holds(directCall(w, 0, directProof(w, 0)));
            else end(w);
        }
    }

    function end(World memory w) private {
        pass(ledger.round(w.roundId).challengeEnd);
        ledger.finalise(w.roundId, w.claim.proposal, w.excluded);
    }

    function testWrongHintsAreRefused() public {
        World memory w = lie();
        (int32 low, int32 high) = hintsOf(w, 17);
        bytes memory proof = columnProof(w, 17);
        for (int32 off = -1; off <= 1; off += 2) {
            failsWith(
                abi.encodeCall(court.proveColumn, (w.roundId, w.claim, 17, low + off, high, proof)),
                OrderStats.WrongHint.selector
            );
            failsWith(
                abi.encodeCall(court.proveColumn, (w.roundId, w.claim, 17, low, high + off, proof)),
                OrderStats.WrongHint.selector
            );
        }
    }

    function testPlacesOutsideTheVectorAreRefused() public {
        World memory w = lie();
        fails(
            columnCall17(w, 21),
            abi.encodeWithSelector(IDisputeCourt.NoSuchCoordinate.selector, uint32(21), uint32(21))
        );
        fails(
            transposeCall(w, 0, 6, transposeProof(w, 0, 5)),
            abi.encodeWithSelector(IDisputeCourt.NoSuchSlot.selector, uint32(6), uint256(6))
        );
    }

    function columnCall17(World memory w, uint32 coordinate) private view returns (bytes memory) {
        return abi.encodeCall(court.proveColumn, (w.roundId, w.claim, coordinate, 0, 0, columnProof(w, 17)));
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
        failsWith(transposeCall(w, 20, 3, transposeProof(w, 20, 3)), IDisputeCourt.WrongRoot.selector);
        w.updates[4][20] -= 1;
        w.examples[4] += 1;
        failsWith(transposeCall(w, 20, 3, transposeProof(w, 20, 3)), IDisputeCourt.WrongRoot.selector);
    }

    // ------------------------------------------------------------------------------------------------------ members

    function testMembersProvesAWrongList() public {
        World memory w = world(Rule.Mean);
        bytes32 honest = keccak256("not yet");
        propose(w);
        honest = w.claim.proposal.membersRoot;
        fails(
            membersCall(w, membersProof(w)),
            abi.encodeWithSelector(IDisputeCourt.SameRoot.selector, honest)
        );
        end(w);
        w = world(Rule.Mean);
        w.claim.proposal = sampleProposal(w.roundId);
        proposeClaim(w);
        holds(membersCall(w, membersProof(w)));
        checkVoided(w);
    }

    function testMembersNeedsTheWholeListInOrder() public {
        World memory w = world(Rule.Mean);
        w.claim.proposal = sampleProposal(w.roundId);
        proposeClaim(w);
        bytes memory proof = membersProof(w);
        uint256 order = proof.length - 12;
        bytes memory changed = cut(proof, 0, proof.length);
        // Client 1 twice, client 3 for the excluded client 2, a position beyond the list.
        changed[order + 3] = changed[order + 1];
        fails(membersCall(w, changed), abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 1));
        changed[order + 3] = 0x05;
        fails(membersCall(w, changed), abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 1));
        changed[order + 3] = 0x07;
        fails(membersCall(w, changed), abi.encodeWithSelector(IDisputeCourt.WrongOrder.selector, 1));
        changed = cut(proof, 0, proof.length);
        changed[20] ^= 0x01;
        failsWith(membersCall(w, changed), IDisputeCourt.WrongRoot.selector);
        bytes memory call = abi.encodeCall(court.proveMembers, (w.roundId, w.claim, NOBODY, proof));
        failsWith(call, IDisputeCourt.WrongRoot.selector);
        failsWith(membersCall(w, abi.encodePacked(proof, uint8(0))), IDisputeCourt.WrongProofLength.selector);
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
            if (i == 0) checkVoided(w);
            same(uint256(phaseOf(w)), uint256(Phase.Voided));
        }
    }

    function testDirectNeedsEveryMember() public {
        World memory w = lie();
        w.claim.proposal.dataId = "manifest";
        uint32 client = w.includedIds[0];
        w.includedIds[0] = w.includedIds[1];
        failsWith(directCall(w, 17, directProof(w, 17)), IDisputeCourt.WrongRoot.selector);
        w.includedIds[0] = client;
        w.examples[0] += 1;
        failsWith(directCall(w, 17, directProof(w, 17)), IDisputeCourt.WrongRoot.selector);
    }

    // --------------------------------------------------------------------------------------------------- model step

    function testModelStepProvesAWrongModel() public {
        World memory w = world(Rule.Mean);
        w.model[9] += w.model[9] == type(int32).max ? -1 : int32(1);
        propose(w);
        fails(modelCall(w, 8, modelProof(w, 8)), notFraud(w.model[8]));
        w.base[9] += 1;
        failsWith(modelCall(w, 9, modelProof(w, 9)), IDisputeCourt.WrongRoot.selector);
        w.base[9] -= 1;
        holds(modelCall(w, 9, modelProof(w, 9)));
        checkVoided(w);
    }

    // --------------------------------------------------------------------------------------------- rounds and claims

    function testOnlyTheProposalOfTheRoundIsJudged() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        bytes32 root = w.claim.proposal.dataId;
        w.claim.proposal.dataId = "another";
        failsWith(columnCall(w, 17, proof), IRoundLedger.ProposalMismatch.selector);
        w.claim.proposal.dataId = root;
        w.claim.excludedHash = keccak256("");
        failsWith(columnCall(w, 17, proof), IRoundLedger.ProposalMismatch.selector);
        w.claim.excludedHash = keccak256(w.excluded);
        uint64 roundId = w.roundId;
        w.roundId = roundId + 1;
        failsWith(columnCall(w, 17, proof), IRoundLedger.UnknownRound.selector);
        w.roundId = roundId;
        holds(columnCall(w, 17, proof));
        fails(
            columnCall(w, 17, proof),
            abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Voided)
        );
    }

    function testNothingIsProvenBeforeAProposalOrAfterTheEnd() public {
        World memory w = world(Rule.Mean);
        failsWith(modelCall(w, 0, modelProof(w, 0)), IRoundLedger.WrongPhase.selector);
        w.model[0] += w.model[0] == type(int32).max ? -1 : int32(1);
        propose(w);
        end(w);
        failsWith(modelCall(w, 0, modelProof(w, 0)), IRoundLedger.WrongPhase.selector);
    }

    function testAVoidedRoundIsOpenedAnew() public {
        World memory w = lie();
        holds(columnCall(w, 17, columnProof(w, 17)));
        (bytes32 model, , uint64 current, ) = ledger.taskState(1);
        same(model, w.task.genesisModel);
        same(current, 0);
        registry.deposit{value: BOND}(aggregator);
        VM.warp(block.timestamp + ACTIVATION);
        same(open(aggregator), w.roundId + 1);
    }

    // --------------------------------------------------------------------------------------------------------- fuzz

    struct Plan {
        Rule rule;
        uint256 n;
        uint32 size;
        uint8 matrixLog2;
        uint256 at;
    }

    function planOf(uint256 seed) private pure returns (Plan memory plan) {
        Rule[5] memory rules = [Rule.Sum32, Rule.Mean, Rule.WeightedMean, Rule.Median, Rule.TrimmedMean];
        plan.rule = rules[seed % 5];
        plan.n = within(seed >> 8, 1, CLIENTS);
        plan.size = uint32(within(seed >> 16, 1, 70));
        plan.matrixLog2 = uint8((seed >> 24) % 3);
        plan.at = (seed >> 32) % plan.size;
    }

    /// A random round, with one client out when there are enough and a trim where the rule has one.
    function randomWorld(uint256 seed) private returns (World memory w, Plan memory plan) {
        plan = planOf(seed);
        Task memory task = smallTask(plan.rule, plan.size, plan.matrixLog2);
        bool out = plan.n > 4 && (seed >> 40) & 1 == 1;
        uint256 included = out ? plan.n - 1 : plan.n;
        if (plan.rule == Rule.TrimmedMean) {
            task.ruleParam = uint16((seed >> 48) % ((included + 1) / 2));
            task.quorum = 2 * task.ruleParam + 1;
        }
        bytes memory excluded =
            out ? abi.encodePacked(uint32(1 + ((seed >> 56) % plan.n)), uint16(801)) : NOBODY;
        w = committedWorld(task, plan.n, excluded, seed);
    }

    function testFuzzHonestRoundsAreNeverProvable(uint256 seed) public {
        (World memory w, Plan memory plan) = randomWorld(seed);
        propose(w);
        uint256 j = plan.at;
        uint256 slot = (seed >> 64) % w.includedIds.length;
        if (plan.rule != Rule.WeightedMean) failsWith(columnCall(w, j, columnProof(w, j)), NOT_FRAUD);
        failsWith(transposeCall(w, j, slot, transposeProof(w, j, slot)), NOT_FRAUD);
        failsWith(directCall(w, j, directProof(w, j)), NOT_FRAUD);
        failsWith(modelCall(w, j, modelProof(w, j)), NOT_FRAUD);
        failsWith(membersCall(w, membersProof(w)), IDisputeCourt.SameRoot.selector);
        check(phaseOf(w) == Phase.Proposed, "voided");
    }

    function testFuzzAWrongCoordinateIsProvable(uint256 seed) public {
        (World memory w, Plan memory plan) = randomWorld(seed);
        uint256 j = plan.at;
        int32 change = int32(uint32(within(seed >> 128, 1, type(uint32).max)));
        unchecked {
            w.aggregate[j] += change;
        }
        propose(w);
        bool direct = plan.rule == Rule.WeightedMean || (seed >> 72) & 1 == 1;
        holds(direct ? directCall(w, j, directProof(w, j)) : columnCall(w, j, columnProof(w, j)));
        checkVoided(w);
    }

    function testFuzzAWrongMatrixOrModelIsProvable(uint256 seed) public {
        (World memory w, Plan memory plan) = randomWorld(seed);
        uint256 j = plan.at;
        uint256 slot = (seed >> 64) % w.includedIds.length;
        bool matrix = (seed >> 72) & 1 == 1;
        if (matrix) {
            uint256 at = 4 * (j * w.includedIds.length + slot) + ((seed >> 80) % 4);
            w.matrix[at] ^= bytes1(uint8(within(seed >> 88, 1, 255)));
        } else {
            unchecked {
                w.model[j] += int32(uint32(within(seed >> 128, 1, type(uint32).max)));
            }
        }
        propose(w);
        holds(
            matrix ? transposeCall(w, j, slot, transposeProof(w, j, slot)) : modelCall(w, j, modelProof(w, j))
        );
        checkVoided(w);
    }

    /// One bit flipped, the end cut off, a byte added: no proof of a wrong coordinate survives it.
    function testFuzzMutatedProofsAreRefused(uint256 seed) public {
        (World memory w, Plan memory plan) = randomWorld(seed);
        uint256 j = plan.at;
        unchecked {
            w.aggregate[j] += 1;
            w.model[j] += 2;
        }
        w.matrix[4 * j * w.includedIds.length] ^= 0x01;
        propose(w);
        bytes memory proof = mutate(directProof(w, j), seed);
        (bool held, ) = challenge(directCall(w, j, proof));
        check(!held, "direct");
        (held, ) = challenge(columnCall(w, j, mutate(columnProof(w, j), seed)));
        check(!held, "column");
        (held, ) = challenge(transposeCall(w, j, 0, mutate(transposeProof(w, j, 0), seed)));
        check(!held, "transpose");
        (held, ) = challenge(modelCall(w, j, mutate(modelProof(w, j), seed)));
        check(!held, "model");
        (held, ) = challenge(membersCall(w, mutate(membersProof(w), seed)));
        check(!held, "members");
        checkOtherPlaces(w, plan, seed);
        check(phaseOf(w) == Phase.Proposed, "voided");
    }

    /// A proof of one coordinate is none of a coordinate in another leaf.
    function checkOtherPlaces(World memory w, Plan memory plan, uint256 seed) private {
        uint256 other = (seed >> 200) % plan.size;
        if (other / 8 == plan.at / 8) return;
        (bool held, ) = challenge(directCall(w, other, directProof(w, plan.at)));
        check(!held, "direct elsewhere");
        (held, ) = challenge(modelCall(w, other, modelProof(w, plan.at)));
        check(!held, "model elsewhere");
        (held, ) = challenge(columnCall(w, other, columnProof(w, plan.at)));
        check(!held, "column elsewhere");
        (held, ) = challenge(transposeCall(w, other, 0, transposeProof(w, plan.at, 0)));
        check(!held, "transpose elsewhere");
    }

    function mutate(bytes memory proof, uint256 seed) private pure returns (bytes memory) {
        uint256 kind = (seed >> 96) % 4;
        if (kind == 0) return cut(proof, 0, proof.length - within(seed >> 104, 1, proof.length));
        if (kind == 1) return abi.encodePacked(proof, uint8(seed >> 104));
        uint256 bit = uint256(keccak256(abi.encode(seed))) % (8 * proof.length);
        proof[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        return proof;
    }

    function testFuzzWrongHintsNeverHold(uint256 seed, int32 low, int32 high) public {
        (World memory w, Plan memory plan) = randomWorld((seed >> 4) * 5 + 3 + (seed % 2));
        propose(w);
        (int32 wantLow, int32 wantHigh) = hintsOf(w, plan.at);
        if (seed % 3 != 0) low = columnOf(w, plan.at)[(seed >> 64) % w.includedIds.length];
        if (seed % 3 == 2) high = columnOf(w, plan.at)[(seed >> 96) % w.includedIds.length];
        bytes memory call = abi.encodeCall(
            court.proveColumn,
            (w.roundId, w.claim, uint32(plan.at), low, high, columnProof(w, plan.at))
        );
        bool right = low == wantLow && high == wantHigh;
        failsWith(call, right ? NOT_FRAUD : OrderStats.WrongHint.selector);
    }

    // -------------------------------------------------------------------------------------------------- clip and keys

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
            failsWith(clipCall(w, honest, clipProof(w, i, honest)), NOT_FRAUD);
            holds(clipCall(w, j, clipProof(w, i, j)));
            same(stakeOf(w.clients[i]), (CLIENT_STAKE * 8) / 10);
            fails(
                clipCall(w, j, clipProof(w, i, j)),
                abi.encodeWithSelector(IDisputeCourt.AlreadyProven.selector, w.roundId, w.clients[i])
            );
        }
        same(registry.creditOf(address(court)), 2 * ((CLIENT_STAKE * 8) / 100));
        same(registry.burntWei(), 2 * ((CLIENT_STAKE * 12) / 100));
        end(w);
        pass(uint40(block.timestamp) + 1 hours);
        court.claimClientReward(w.roundId, 6, "out of bound");
        same(registry.creditOf(CHALLENGER), (CLIENT_STAKE * 8) / 100);
    }

    function testClipRestsOnCommitmentsAlone() public {
        World memory w = world(Rule.Mean);
        uint256 j = find(w, 1, true);
        bytes memory proof = clipProof(w, 1, j);
        w.updates[1][j] = type(int32).max;
        w.updates[1][j] -= 5;
        failsWith(clipCall(w, j, clipProof(w, 1, j)), IDisputeCourt.WrongRoot.selector);
        uint256 at = proof.length - 32 * 2;
        bytes memory changed = cut(proof, 0, proof.length);
        changed[at - 1] ^= 0x01;
        failsWith(clipCall(w, j, changed), IDisputeCourt.WrongRoot.selector);
        changed = cut(proof, 0, proof.length);
        // Position in the batch of three.
        changed[proof.length - 64 - 5 * 34 - 1] = 0x03;
        failsWith(clipCall(w, j, changed), IDisputeCourt.NoSuchSlot.selector);
        failsWith(clipCall(w, j, abi.encodePacked(proof, uint8(0))), IDisputeCourt.WrongProofLength.selector);
        // No proposal is needed: a client that is left out is judged all the same.
        holds(clipCall(w, j, proof));
    }

    function testMaskedUpdatesHaveNoBound() public {
        World memory w = world(Rule.Sum32);
        uint256 j = find(w, 1, true);
        failsWith(clipCall(w, j, clipProof(w, 1, j)), IDisputeCourt.RuleNotCovered.selector);
    }

    function signed(
        World memory w,
        uint32 client,
        bytes32 commitment,
        uint256 key
    ) private view returns (bytes memory) {
        bytes32 digest = CommitHash.commitmentDigest(ledger.domainSeparator(), w.roundId, client, commitment);
        (bytes32 r, bytes32 vs) = compact(key, digest);
        return abi.encodePacked(commitment, r, vs);
    }

    function equivocation(
        World memory w,
        uint256 first,
        uint256 second,
        uint256 key
    ) private view returns (bytes memory) {
        bytes memory both = abi.encodePacked(
            signed(w, 3, bytes32(first), key),
            signed(w, 3, bytes32(second), key)
        );
        return abi.encodeCall(court.proveEquivocation, (w.roundId, abi.encodePacked(uint32(3), both)));
    }

    function testEquivocationTakesTheWholeStake() public {
        World memory w = world(Rule.Mean);
        pass(ledger.round(w.roundId).openedAt);
        holds(equivocation(w, 7, 8, keyOf(3)));
        same(stakeOf(3), 0);
        same(registry.creditOf(address(court)), (CLIENT_STAKE * 4) / 10);
        same(registry.burntWei(), (CLIENT_STAKE * 6) / 10);
        registry.deposit{value: CLIENT_STAKE}(3);
        failsWith(equivocation(w, 8, 9, keyOf(3)), IDisputeCourt.AlreadyProven.selector);
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
        VM.warp(block.timestamp + 10);
        failsWith(equivocation(w, 7, 8, 777), IDisputeCourt.WrongSigner.selector);
        holds(equivocation(w, 7, 8, keyOf(3)));
    }

    // --------------------------------------------------------------------------------------------- tickets and rewards

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
        court.contest(w.roundId, 0, "wrong aggregate", keccak256(proof), salt);
    }

    function copy(bytes memory call) private {
        VM.prank(COPIER);
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, ) = address(court).call(call);
        check(held, "the copy");
    }

    function buy(address who, World memory w, bytes memory proof, bytes32 salt) private {
        bytes32 hash = ticketHash(w, proof, who, salt);
        VM.prank(who);
        court.ticket(hash);
        VM.warp(court.ticketAt(hash) + 1);
    }

    function testRewardWaitsAnHour() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        holds(columnCall(w, 17, proof));
        Reward memory reward = court.rewardOf(w.roundId, 0, 0);
        same(reward.challenger, CHALLENGER);
        same(reward.provenAt, block.timestamp);
        uint40 until = reward.provenAt + 1 hours;
        VM.warp(until);
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.EscrowOpen.selector, until, until));
        court.claimReward(w.roundId);
        VM.warp(until + 1);
        court.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), (BOND * 4) / 10);
        VM.prank(CHALLENGER);
        registry.claim(CHALLENGER);
        same(CHALLENGER.balance, (BOND * 4) / 10);
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingOwed.selector, w.roundId, uint32(0)));
        court.claimReward(w.roundId);
    }

    function testAnEarlierTicketBeatsACopier() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        buy(CHALLENGER, w, proof, "salt");
        bytes memory call = columnCall(w, 17, proof);
        copy(call);
        same(court.rewardOf(w.roundId, 0, 0).challenger, COPIER);
        VM.expectEmit(true, true, false, true, address(court));
        emit IDisputeCourt.Contested(w.roundId, 0, "wrong aggregate", CHALLENGER);
        contestAs(CHALLENGER, w, proof, "salt");
        pass(uint40(block.timestamp) + 1 hours);
        court.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), (BOND * 4) / 10);
        same(registry.creditOf(COPIER), 0);
    }

    function testTheEarliestTicketWins() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        buy(address(1), w, proof, "a");
        buy(address(2), w, proof, "b");
        holds(columnCall(w, 17, proof));
        contestAs(address(2), w, proof, "b");
        contestAs(address(1), w, proof, "a");
        bytes32 late = ticketHash(w, proof, address(2), "b");
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NoEarlierTicket.selector, late));
        contestAs(address(2), w, proof, "b");
        same(court.rewardOf(w.roundId, 0, 0).challenger, address(1));
    }

    function testLateTicketsAndOthersTicketsAreWorthNothing() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        // In the second of the proof is too late.
        VM.prank(COPIER);
        court.ticket(ticketHash(w, proof, COPIER, "salt"));
        holds(columnCall(w, 17, proof));
        bytes32 hash = ticketHash(w, proof, COPIER, "salt");
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NoEarlierTicket.selector, hash));
        contestAs(COPIER, w, proof, "salt");
        hash = ticketHash(w, proof, COPIER, "none");
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NoEarlierTicket.selector, hash));
        contestAs(COPIER, w, proof, "none");
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.WrongProofHash.selector, keccak256("another")));
        contestAs(COPIER, w, "another", "salt");
        hash = ticketHash(w, proof, COPIER, "salt");
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.TicketExists.selector, hash));
        court.ticket(hash);
    }

    function testATicketIsUsedWithinTheHour() public {
        World memory w = lie();
        bytes memory proof = columnProof(w, 17);
        buy(COPIER, w, proof, "salt");
        holds(columnCall(w, 17, proof));
        uint40 until = uint40(block.timestamp) + 1 hours;
        VM.warp(until + 1);
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.EscrowOver.selector, until, until + 1));
        contestAs(COPIER, w, proof, "salt");
        VM.warp(until);
        contestAs(COPIER, w, proof, "salt");
    }

    /// Several wrong coordinates in one leaf are one proof: a copier cannot choose another one.
    function testTheProofsHashDoesNotNameTheCoordinate() public {
        World memory w = world(Rule.Mean);
        w.aggregate[16] += 1;
        w.aggregate[17] += 1;
        propose(w);
        same(keccak256(columnProof(w, 16)), keccak256(columnProof(w, 17)));
        buy(CHALLENGER, w, columnProof(w, 17), "salt");
        bytes memory call = columnCall(w, 16, columnProof(w, 16));
        copy(call);
        contestAs(CHALLENGER, w, columnProof(w, 17), "salt");
    }

    function testEveryClientOfAVoidedRoundHasAShare() public {
        World memory w = lie();
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingOwed.selector, w.roundId, uint32(0)));
        court.claimShare(w.roundId, 1);
        holds(columnCall(w, 17, columnProof(w, 17)));
        uint256 share = BOND / 10 / 7;
        for (uint32 client = 1; client <= 7; ++client) {
            check(!court.hasClaimedShare(w.roundId, client), "claimed");
            court.claimShare(w.roundId, client);
            check(court.hasClaimedShare(w.roundId, client), "not claimed");
            same(registry.creditOf(ownerOf(client)), share);
            VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.AlreadyClaimed.selector, w.roundId, client));
            court.claimShare(w.roundId, client);
        }
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NotCommitted.selector, w.roundId, uint32(8)));
        court.claimShare(w.roundId, 8);
        pass(uint40(block.timestamp) + 1 hours);
        court.claimReward(w.roundId);
        // Only what a division leaves stays in the court's credit.
        same(registry.creditOf(address(court)), BOND / 10 - 7 * share);
    }

    /// The call for clients' rewards must not spend the aggregator's for nothing.
    function testTheRewardOfARoundIsPaidByItsOwnCall() public {
        World memory w = lie();
        holds(columnCall(w, 17, columnProof(w, 17)));
        pass(court.rewardOf(w.roundId, 0, 0).provenAt + 1 hours);
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingOwed.selector, w.roundId, uint32(0)));
        court.claimClientReward(w.roundId, 0, 0);
        court.claimReward(w.roundId);
        same(registry.creditOf(CHALLENGER), (BOND * 4) / 10);
    }

    function testNothingIsOwedWithoutAProof() public {
        World memory w = lie();
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingOwed.selector, w.roundId, uint32(0)));
        court.claimReward(w.roundId);
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NothingOwed.selector, w.roundId, uint32(3)));
        court.claimClientReward(w.roundId, 3, "equivocation");
    }

    // ------------------------------------------------------------------------------------------------------ the rest

    function testTheCourtKnowsItsContractsAndTakesNoEth() public {
        same(court.registry(), address(registry));
        same(court.ledger(), address(ledger));
        (bool sent, ) = address(court).call{value: 1}("");
        check(!sent, "took ETH");
    }

    function testCreditMovesOnlyAsFarAsItGoes() public {
        World memory w = lie();
        holds(columnCall(w, 17, columnProof(w, 17)));
        uint256 held = registry.creditOf(address(court));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InsufficientCredit.selector, 0, 1));
        registry.transferCredit(COPIER, 1);
        VM.prank(address(court));
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.InsufficientCredit.selector, held, held + 1)
        );
        registry.transferCredit(COPIER, held + 1);
        VM.prank(address(court));
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.TransferFailed.selector, address(0), held)
        );
        registry.transferCredit(address(0), held);
        VM.prank(address(court));
        VM.expectEmit(true, true, false, true, address(registry));
        emit IParticipantRegistry.CreditMoved(address(court), COPIER, held);
        registry.transferCredit(COPIER, held);
        same(registry.creditOf(COPIER), held);
        same(registry.creditOf(address(court)), 0);
    }

    /// A client whose free stake is gone costs the court nothing: the reward is what was taken.
    function testARewardIsNeverMoreThanWhatWasTaken() public {
        World memory w = world(Rule.Mean);
        holds(equivocation(w, 7, 8, keyOf(3)));
        uint256 j = find(w, 2, true);
        holds(clipCall(w, j, clipProof(w, 2, j)));
        same(court.rewardOf(w.roundId, 3, "out of bound").amountWei, 0);
        same(court.rewardOf(w.roundId, 3, "equivocation").amountWei, (CLIENT_STAKE * 4) / 10);
    }
}
