// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IRoundLedger, Phase, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {ISessionCourt} from "../interfaces/ISessionCourt.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {CourtFixture} from "./CourtFixture.sol";

/// Proofs of several transactions over rounds of up to 70 clients: a whole block and a short one.
contract SessionCourtTest is CourtFixture {
    uint32 internal constant SIZE = 9;
    uint32 internal constant AT = 7;

    ISessionCourt internal sessions;

    function clientCount() internal pure override returns (uint256) {
        return 70;
    }

    function extraCourts() internal pure override returns (uint256) {
        return 1;
    }

    function addCourts() internal override {
        sessions = ISessionCourt(deploy("SessionCourt", abi.encode(registry, ledger)));
    }

    // ------------------------------------------------------------------------------------------------------- soundness

    function testAWrongCoordinateOfEveryRuleIsProvable() public {
        for (uint256 rule = 0; rule <= uint256(Rule.TrimmedMean); ++rule) {
            World memory w = _lying(Rule(rule), 70, rule);
            _openSession(w);
            _show(w, 1);
            _show(w, 0);
            _close(w);
            checkVoided(w);
        }
    }

    function testHonestRoundsOfEveryRuleAreNotProvable() public {
        for (uint256 rule = 0; rule <= uint256(Rule.TrimmedMean); ++rule) {
            World memory w = _honest(Rule(rule), 70, 7 + rule);
            _openSession(w);
            _show(w, 0);
            _show(w, 1);
            _refuses(
                w,
                abi.encodeWithSelector(IDisputeCourt.NotFraud.selector, w.aggregate[AT], w.aggregate[AT])
            );
            finish(w);
        }
    }

    function testFuzzTheVerdictIsThatOfOneTransaction(uint256 seed) public {
        uint256 n = within(seed >> 8, 3, 9);
        Rule rule = Rule(seed % (uint256(Rule.TrimmedMean) + 1));
        bool lies = seed & (1 << 200) != 0;
        World memory w = lies ? _lying(rule, n, seed) : _honest(rule, n, seed);
        _openSession(w);
        _show(w, 0);
        if (lies) {
            _close(w);
            checkVoided(w);
        } else
            _refuses(
                w,
                abi.encodeWithSelector(IDisputeCourt.NotFraud.selector, w.aggregate[AT], w.aggregate[AT])
            );
    }

    function testWrongHintsProveNothing() public {
        World memory w = _honest(Rule.Median, 9, 5);
        (int32 low, int32 high) = hintsOf(w, AT);
        for (uint256 i = 0; i < 2; ++i) {
            int32 wrong = i == 0 ? low - 1 : high + 1;
            VM.prank(CHALLENGER);
            sessions.open(w.roundId, w.claim, AT, wrong, wrong);
            _show(w, 0);
            _refuses(w, abi.encodeWithSelector(OrderStats.WrongHint.selector, wrong, wrong));
        }
    }

    function testChangedBytesAreRefused() public {
        World memory w = _lying(Rule.Mean, 70, 3);
        _openSession(w);
        bytes memory proof = _block(w, 1);
        for (uint256 i = 0; i < proof.length; i += 37) {
            proof[i] ^= 0x01;
            VM.prank(CHALLENGER);
            VM.expectRevert();
            sessions.show(w.roundId, w.claim, 1, proof);
            proof[i] ^= 0x01;
        }
        VM.prank(CHALLENGER);
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.WrongProofLength.selector, 1, 0));
        sessions.show(w.roundId, w.claim, 1, bytes.concat(proof, hex"00"));
        same(sessions.sessionOf(w.roundId, CHALLENGER).shown, 0);
    }

    // ---------------------------------------------------------------------------------------------------------- order

    function testABlockCountsOnce() public {
        World memory w = _lying(Rule.Mean, 70, 4);
        _openSession(w);
        _show(w, 0);
        bytes memory proof = _block(w, 0);
        VM.prank(CHALLENGER);
        VM.expectRevert(abi.encodeWithSelector(ISessionCourt.AlreadyShown.selector, 0));
        sessions.show(w.roundId, w.claim, 0, proof);
    }

    function testABlockStandsAtItsOwnPlaceOnly() public {
        World memory w = _lying(Rule.Mean, 70, 4);
        _openSession(w);
        bytes memory proof = _block(w, 0);
        VM.prank(CHALLENGER);
        VM.expectRevert();
        sessions.show(w.roundId, w.claim, 1, proof);
        VM.prank(CHALLENGER);
        VM.expectRevert(abi.encodeWithSelector(ISessionCourt.NoSuchBlock.selector, 2, 2));
        sessions.show(w.roundId, w.claim, 2, proof);
    }

    function testASessionEndsOnlyWithEveryBlockShown() public {
        World memory w = _lying(Rule.Mean, 70, 4);
        _openSession(w);
        _show(w, 1);
        _refuses(w, abi.encodeWithSelector(ISessionCourt.BlocksMissing.selector, 2, 3));
    }

    function testASessionBelongsToItsOpener() public {
        World memory w = _lying(Rule.Mean, 9, 4);
        _openSession(w);
        _show(w, 0);
        bytes memory proof = modelOpening(w, w.aggregate, AT);
        VM.prank(address(0xBAD));
        VM.expectRevert(abi.encodeWithSelector(ISessionCourt.NoSession.selector, w.roundId, address(0xBAD)));
        sessions.close(w.roundId, w.claim, proof);
    }

    function testOpeningAnewForgetsWhatWasShown() public {
        World memory w = _lying(Rule.Mean, 9, 4);
        _openSession(w);
        _show(w, 0);
        _openSession(w);
        _refuses(w, abi.encodeWithSelector(ISessionCourt.BlocksMissing.selector, 0, 1));
        _show(w, 0);
        _close(w);
        checkVoided(w);
    }

    function testASessionHoldsNothingUpAndEndsWithTheRound() public {
        World memory w = _lying(Rule.Mean, 9, 4);
        _openSession(w);
        _show(w, 0);
        finish(w);
        _refuses(w, abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, w.roundId, Phase.Finalised));
    }

    // ------------------------------------------------------------------------------------------------- what it covers

    function testKrumAndMaskedSumsAreNotCovered() public {
        Task memory task = smallTask(Rule.Sum32, SIZE, 0);
        (task.ruleParam, task.quorum, task.maxClients) = (2, 2, 40);
        World memory w = committedWorld(task, 9, "", 1);
        propose(w);
        _cannotOpen(w, Rule.Sum32);
        task = smallTask(Rule.Krum, SIZE, 0);
        (task.ruleParam, task.quorum, task.maxClients) = (1, 5, 40);
        w = committedWorld(task, 9, "", 2);
        propose(w);
        _cannotOpen(w, Rule.Krum);
    }

    function testACoordinateOutsideTheVectorIsRefused() public {
        World memory w = _honest(Rule.Mean, 9, 1);
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.NoSuchCoordinate.selector, SIZE, SIZE));
        sessions.open(w.roundId, w.claim, SIZE, 0, 0);
    }

    function testAnotherAggregateIsRefused() public {
        World memory w = _lying(Rule.Mean, 9, 4);
        _openSession(w);
        _show(w, 0);
        bytes memory proof = modelOpening(w, w.model, AT);
        VM.prank(CHALLENGER);
        VM.expectRevert();
        sessions.close(w.roundId, w.claim, proof);
    }

    // ------------------------------------------------------------------------------------------------------- internals

    function _honest(Rule rule, uint256 n, uint256 seed) private returns (World memory w) {
        w = _committed(rule, n, seed);
        propose(w);
    }

    function _lying(Rule rule, uint256 n, uint256 seed) private returns (World memory w) {
        w = _committed(rule, n, seed);
        unchecked {
            w.aggregate[AT] += 1;
        }
        propose(w);
    }

    function _committed(Rule rule, uint256 n, uint256 seed) private returns (World memory) {
        Task memory task = smallTask(rule, SIZE, 0);
        if (rule == Rule.TrimmedMean) (task.ruleParam, task.quorum) = (1, 3);
        if (rule == Rule.WeightedMean && seed % 2 == 0) task.weiPerWeight = 0.05 ether;
        return committedWorld(task, n, "", seed);
    }

    function _openSession(World memory w) private {
        (int32 low, int32 high) = hintsOf(w, AT);
        VM.prank(CHALLENGER);
        sessions.open(w.roundId, w.claim, AT, low, high);
    }

    function _cannotOpen(World memory w, Rule rule) private {
        VM.expectRevert(abi.encodeWithSelector(IDisputeCourt.RuleNotCovered.selector, rule));
        sessions.open(w.roundId, w.claim, AT, 0, 0);
    }

    function _show(World memory w, uint256 number) private {
        bytes memory proof = _block(w, number);
        VM.prank(CHALLENGER);
        sessions.show(w.roundId, w.claim, number, proof);
    }

    function _close(World memory w) private {
        bytes memory proof = modelOpening(w, w.aggregate, AT);
        VM.prank(CHALLENGER);
        sessions.close(w.roundId, w.claim, proof);
    }

    function _refuses(World memory w, bytes memory reason) private {
        bytes memory proof = modelOpening(w, w.aggregate, AT);
        VM.prank(CHALLENGER);
        VM.expectRevert(reason);
        sessions.close(w.roundId, w.claim, proof);
    }

    /// Update openings of slots 64 * number on, and the siblings of their part of the member list.
    function _block(World memory w, uint256 number) private view returns (bytes memory proof) {
        bytes32[] memory leaves = memberLeaves(w);
        uint256 count = (leaves.length + 63) / 64;
        bytes32[] memory roots = new bytes32[](count);
        for (uint256 k = 0; k < count; ++k) {
            uint256 size = leaves.length - 64 * k < 64 ? leaves.length - 64 * k : 64;
            bytes32[] memory part = new bytes32[](size);
            for (uint256 i = 0; i < size; ++i) {
                part[i] = leaves[64 * k + i];
                if (k == number)
                    proof = abi.encodePacked(proof, updateOpening(w, w.includedIds[64 * k + i] - 1, AT));
            }
            roots[k] = ChunkTree.rootOf(part);
        }
        return abi.encodePacked(proof, pathIn(roots, number, false));
    }
}
