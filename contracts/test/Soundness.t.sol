// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {CommitMode, Phase, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {CourtFixture} from "./CourtFixture.sol";
import {RoundTally} from "./RoundTally.sol";

/// Random rounds: every rule by coordinate, every mode, 1 to 40 clients, ragged trees, the ends of the int32 range.
/// What is honest is never provable, what is wrong always is, and no proof survives a change.
contract SoundnessTest is CourtFixture, RoundTally {
    bytes4 private immutable NOT_FRAUD = IDisputeCourt.NotFraud.selector;

    struct Plan {
        Rule rule;
        CommitMode mode;
        uint256 n;
        uint256 at;
        uint256 slot;
    }

    function clientCount() internal pure override returns (uint256) {
        return 40;
    }

    // --------------------------------------------------------------------------------------------------------- worlds

    /// In every eighth round nothing but the ends of the range; otherwise they are a quarter of the coordinates.
    function draw(uint256 seed, uint256 i, uint256 j) internal pure override returns (int32) {
        if ((seed >> 112) % 8 != 0) return super.draw(seed, i, j);
        return uint256(keccak256(abi.encode(seed, i, j))) % 2 == 0 ? type(int32).min : type(int32).max;
    }

    function rules(uint256 i) private pure returns (Rule) {
        Rule[5] memory all = [Rule.Sum32, Rule.Mean, Rule.WeightedMean, Rule.Median, Rule.TrimmedMean];
        return all[i];
    }

    /// Many clients have few coordinates, so that a run takes no longer than another.
    function randomWorld(uint256 seed) private returns (World memory w, Plan memory plan) {
        plan.rule = rules(seed % 5);
        plan.mode = CommitMode((seed >> 8) % 3);
        plan.n = (seed >> 16) % 4 == 0 ? within(seed >> 18, 10, 40) : within(seed >> 18, 1, 9);
        uint32 size = uint32(within(seed >> 32, 1, plan.n < 10 ? 70 : 12));
        Task memory task = smallTask(plan.rule, size, uint8((seed >> 48) % 4));
        (task.mode, task.leafLog2, task.modelLog2) = (
            plan.mode,
            3 + uint8((seed >> 56) % 2),
            3 + uint8((seed >> 64) % 3)
        );
        bool out = plan.n > 4 && (seed >> 72) % 2 == 1;
        uint256 included = out ? plan.n - 1 : plan.n;
        if (plan.rule == Rule.TrimmedMean) {
            task.ruleParam = uint16((seed >> 80) % ((included + 1) / 2));
            task.quorum = 2 * task.ruleParam + 1;
        }
        // From 25 units of weight on, with up to 59 more.
        if (plan.rule == Rule.WeightedMean && (seed >> 88) % 2 == 1) task.weiPerWeight = 0.04 ether;
        bytes memory excluded =
            out ? abi.encodePacked(uint32(1 + ((seed >> 96) % plan.n)), uint16(801)) : bytes("");
        if ((seed >> 120) % 4 == 0) task.bound = (seed >> 122) % 2 == 0 ? 1 : 2 ** 23 - 1;
        w = committedWorld(task, plan.n, excluded, seed);
        tally(uint256(task.rule), w.updates);
        (plan.at, plan.slot) = ((seed >> 104) % size, (seed >> 136) % included);
    }

    function isWeighted(Plan memory plan) private pure returns (bool) {
        return plan.rule == Rule.WeightedMean;
    }

    /// The proof from the matrix, by weights or without.
    function matrixCall(World memory w, Plan memory plan, uint256 j) private view returns (bytes memory) {
        return isWeighted(plan) ? weightedCall(w, j, weightedProof(w, j)) : columnCall(w, columnProof(w, j));
    }

    // -------------------------------------------------------------------------------------------------------- honesty

    function testFuzzHonestRoundsAreNeverProvable(uint256 seed) public {
        seed = spread(seed);
        (World memory w, Plan memory plan) = randomWorld(seed);
        propose(w);
        checkNothingHolds(w, plan);
        check(phaseOf(w) == Phase.Proposed, "voided");
    }

    function checkNothingHolds(World memory w, Plan memory plan) private {
        (uint256 j, uint256 slot) = (plan.at, plan.slot);
        failsWith(matrixCall(w, plan, j), NOT_FRAUD);
        if (isWeighted(plan)) failsWith(weightCall(w, slot, weightProof(w, slot)), NOT_FRAUD);
        failsWith(transposeCall(w, j, slot, transposeProof(w, j, slot)), NOT_FRAUD);
        failsWith(directCall(w, j, directProof(w, j)), NOT_FRAUD);
        failsWith(modelCall(w, j, modelProof(w, j)), NOT_FRAUD);
        failsWith(membersCall(w, membersProof(w)), IDisputeCourt.SameRoot.selector);
        if (plan.mode == CommitMode.RootOnly)
            failsWith(entryCall(w, slot, listedEntry(w, slot)), IDisputeCourt.ValidEntry.selector);
    }

    /// Every number of clients, every rule: the honest coordinate and one that is off by one.
    function testEveryNumberOfClients() public {
        for (uint256 n = 1; n <= 40; ++n) {
            Task memory task = smallTask(rules(n % 5), 3, uint8(n % 2));
            if (task.rule == Rule.TrimmedMean)
                (task.ruleParam, task.quorum) = (uint16((n - 1) / 3), uint16(n));
            if (n % 2 == 0 && task.rule == Rule.WeightedMean) task.weiPerWeight = 0.04 ether;
            World memory w = committedWorld(task, n, "", n);
            w.aggregate[2] += w.aggregate[2] == type(int32).max ? -1 : int32(1);
            propose(w);
            Plan memory plan;
            plan.rule = task.rule;
            failsWith(matrixCall(w, plan, 1), NOT_FRAUD);
            failsWith(directCall(w, 0, directProof(w, 0)), NOT_FRAUD);
            holds(n % 3 == 0 ? directCall(w, 2, directProof(w, 2)) : matrixCall(w, plan, 2));
        }
    }

    // ---------------------------------------------------------------------------------------------------------- fraud

    function testFuzzAWrongCoordinateIsProvable(uint256 seed) public {
        seed = spread(seed);
        (World memory w, Plan memory plan) = randomWorld(seed);
        uint256 j = plan.at;
        int32 change = int32(uint32(within(seed >> 168, 1, type(uint32).max)));
        unchecked {
            w.aggregate[j] += change;
        }
        propose(w);
        holds((seed >> 208) % 2 == 1 ? directCall(w, j, directProof(w, j)) : matrixCall(w, plan, j));
        checkVoided(w);
    }

    function testFuzzAnyOtherWrongVectorIsProvable(uint256 seed) public {
        seed = spread(seed);
        (World memory w, Plan memory plan) = randomWorld(seed);
        (uint256 j, uint256 slot) = (plan.at, plan.slot);
        uint256 kind = (seed >> 200) % (isWeighted(plan) ? 4 : 3);
        uint32 change = uint32(within(seed >> 168, 1, type(uint32).max));
        if (kind == 0) {
            uint256 at = 4 * (j * w.includedIds.length + slot) + (change % 4);
            w.matrix[at] ^= bytes1(uint8(within(change >> 8, 1, 255)));
        }
        if (kind == 1) w.includedIds[slot] = (w.includedIds[slot] % uint32(w.committed)) + 1;
        if (kind == 2) {
            unchecked {
                w.model[j] += int32(change);
            }
        }
        if (kind == 3) w.aux[4 * slot + (change % 4)] ^= bytes1(uint8(within(change >> 8, 1, 255)));
        // One client has no other to stand for it.
        if (kind == 1 && w.committed == 1) return;
        propose(w);
        if (kind == 0) holds(transposeCall(w, j, slot, transposeProof(w, j, slot)));
        if (kind == 1) holds(membersCall(w, membersProof(w)));
        if (kind == 2) holds(modelCall(w, j, modelProof(w, j)));
        if (kind == 3) holds(weightCall(w, slot, weightProof(w, slot)));
        checkVoided(w);
    }

    // ------------------------------------------------------------------------------------------------------ mutations

    /// One bit flipped, the end cut off, a byte added: no proof of a wrong coordinate survives it.
    function testFuzzMutatedProofsAreRefused(uint256 seed) public {
        seed = spread(seed);
        (World memory w, Plan memory plan) = randomWorld(seed);
        (uint256 j, uint256 slot) = (plan.at, plan.slot);
        unchecked {
            w.aggregate[j] += 1;
            w.model[j] += 2;
        }
        w.matrix[4 * (j * w.includedIds.length + slot)] ^= 0x01;
        if (isWeighted(plan)) w.aux[4 * slot + 3] ^= 0x01;
        propose(w);
        refused(directCall(w, j, mutate(directProof(w, j), seed)), "direct");
        if (isWeighted(plan)) {
            refused(weightedCall(w, j, mutate(weightedProof(w, j), seed)), "weighted");
            refused(weightCall(w, slot, mutate(weightProof(w, slot), seed)), "weight");
        } else {
            refused(columnCall(w, mutate(columnProof(w, j), seed)), "column");
        }
        refused(transposeCall(w, j, slot, mutate(transposeProof(w, j, slot), seed)), "transpose");
        refused(modelCall(w, j, mutate(modelProof(w, j), seed)), "model");
        refused(membersCall(w, mutate(membersProof(w), seed)), "members");
        if (plan.mode == CommitMode.RootOnly)
            refused(entryCall(w, slot, mutate(listedEntry(w, slot), seed)), "entry");
        checkOtherPlaces(w, plan, (seed >> 200) % w.task.size);
        check(phaseOf(w) == Phase.Proposed, "voided");
    }

    function refused(bytes memory call, string memory what) private {
        (bool held, ) = challenge(call);
        check(!held, what);
    }

    /// A proof of one coordinate is none of a coordinate in another leaf.
    function checkOtherPlaces(World memory w, Plan memory plan, uint256 other) private {
        if (other >> w.task.leafLog2 != plan.at >> w.task.leafLog2)
            refused(directCall(w, other, directProof(w, plan.at)), "direct elsewhere");
        if (other >> w.task.modelLog2 != plan.at >> w.task.modelLog2)
            refused(modelCall(w, other, modelProof(w, plan.at)), "model elsewhere");
        if (other >> w.task.matrixLog2 == plan.at >> w.task.matrixLog2) return;
        refused(
            transposeCall(w, other, plan.slot, transposeProof(w, plan.at, plan.slot)),
            "transpose elsewhere"
        );
        if (isWeighted(plan))
            refused(weightedCall(w, other, weightedProof(w, plan.at)), "weighted elsewhere");
    }

    function mutate(bytes memory proof, uint256 seed) private pure returns (bytes memory) {
        uint256 kind = (seed >> 208) % 4;
        if (kind == 0) return cut(proof, 0, proof.length - within(seed >> 216, 1, proof.length));
        if (kind == 1) return abi.encodePacked(proof, uint8(seed >> 216));
        uint256 bit = uint256(keccak256(abi.encode(seed))) % (8 * proof.length);
        proof[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        return proof;
    }

    function testFuzzWrongHintsNeverHold(uint256 seed, int32 low, int32 high) public {
        seed = spread(seed);
        (World memory w, Plan memory plan) = randomWorld(5 * (seed >> 3) + 3 + (seed % 2));
        propose(w);
        (int32 wantLow, int32 wantHigh) = hintsOf(w, plan.at);
        int32[] memory column = columnOf(w, plan.at);
        if (seed % 3 != 0) low = column[(seed >> 64) % column.length];
        if (seed % 3 == 2) high = column[(seed >> 96) % column.length];
        bool right = low == wantLow && high == wantHigh;
        failsWith(
            columnCall(w, hintedProof(w, plan.at, low, high)),
            right ? NOT_FRAUD : OrderStats.WrongHint.selector
        );
        failsWith(columnCall(w, hintedProof(w, plan.at, wantLow, wantHigh)), NOT_FRAUD);
    }
}
