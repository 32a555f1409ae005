// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Game, IKrumCourt} from "../interfaces/IKrumCourt.sol";
import {IRoundLedger, Outcome, Phase, Rule, Task, Verdict} from "../interfaces/IRoundLedger.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {KrumLayout} from "../libraries/KrumLayout.sol";
import {KrumSelection} from "../libraries/KrumSelection.sol";
import {ProposalHash} from "../libraries/ProposalHash.sol";
import {KrumFixture} from "./KrumFixture.sol";
import {KrumHarness} from "./KrumHarness.sol";

// Test names are sentences.
// solhint-disable func-name-mixedcase

contract KrumCourtTest is KrumFixture {
    KrumHarness internal harness = KrumHarness(deploy("KrumHarness", ""));

    // ---------------------------------------------------------------------------------------------------- libraries

    function testFuzz_the_distance_of_a_block_is_that_of_the_rules(
        uint256 seed,
        uint256 size,
        uint32 bound
    ) public view {
        size = within(size, 1, 70);
        bound = uint32(within(bound, 1, 2 ** 23 - 1));
        (bytes memory a, bytes memory b) = (drawBlock(seed, size), drawBlock(~seed, size));
        same(harness.squaredDistance(a, b, bound), distanceOf(a, b, bound));
    }

    function test_the_largest_block_of_the_largest_differences_is_summed_exactly() public view {
        bytes memory a = new bytes(4 * 4096);
        bytes memory b = new bytes(4 * 4096);
        for (uint256 at = 3; at < a.length; at += 4) (a[at], b[at]) = (0x80, 0x7f);
        same(harness.squaredDistance(a, b, 2 ** 23 - 1), 4096 * (2 * (2 ** 23 - 1)) ** 2);
    }

    function testFuzz_parts_divide_every_range_down_to_single_blocks(uint32 size, uint256 walk) public pure {
        uint32 blocks = KrumLayout.blockCount(uint32(within(size, 1, type(uint32).max)), 8);
        uint8 height = KrumLayout.topOf(blocks);
        uint32 index = 0;
        uint256 start = 0;
        uint256 end = blocks;
        for (uint256 step = KrumLayout.stepCount(blocks); step > 0; --step) {
            uint8 lower = KrumLayout.below(blocks, height);
            uint256 count = KrumLayout.partCount(blocks, height, index);
            uint256 first = KrumLayout.firstPart(blocks, height, index);
            check(count > 0 && count <= 1024, "more parts than a move posts");
            same(first << lower, start);
            uint256 reach = (first + count) << lower;
            check(reach >= end && reach - end < 1 << lower, "the parts do not end with the range");
            index = uint32(first + (walk % count));
            (height, walk) = (lower, walk / 1024);
            (start, end) = (uint256(index) << height, (uint256(index) + 1) << height);
            if (end > blocks) end = blocks;
        }
        same(height, 0);
        same(end - start, 1);
    }

    function test_the_number_of_moves_follows_from_the_size() public pure {
        same(KrumLayout.stepCount(KrumLayout.blockCount(1, 8)), 1);
        same(KrumLayout.stepCount(KrumLayout.blockCount(1 << 20, 8)), 1);
        same(KrumLayout.stepCount(KrumLayout.blockCount((1 << 20) + 1, 8)), 2);
        same(KrumLayout.stepCount(KrumLayout.blockCount(100_000_000, 8)), 2);
        same(KrumLayout.stepCount(KrumLayout.blockCount(type(uint32).max, 3)), 3);
        same(KrumLayout.blockCount(4097, 12), 2);
        // The steps are alike: 11 levels in 6 and 5, 22 in 8, 8 and 6.
        same(KrumLayout.below(2048, 11), 5);
        same(KrumLayout.below(1 << 22, 22), 14);
        same(KrumLayout.below(1 << 22, 14), 6);
        same(KrumLayout.below(1 << 22, 6), 0);
    }

    function testFuzz_the_choice_is_that_of_the_rules_also_with_ties(
        uint256 seed,
        uint256 n,
        uint256 f,
        uint256 m
    ) public view {
        (uint256[][] memory distances, uint256 f_, uint256 m_) = _drawDistances(seed, n, f, m);
        uint256[] memory want = IntegerRules.selectLowest(IntegerRules.krumScores(distances, f_), m_);
        (bytes memory thresholds, uint256 last) = hintsOf(distances, f_, m_);
        uint256 nearest = distances.length - f_ - 2;
        uint256[] memory got = harness.choose(packed(distances), thresholds, nearest, m_, last);
        same(keccak256(abi.encode(got)), keccak256(abi.encode(want)));
    }

    function testFuzz_no_hint_makes_another_choice(
        uint256 seed,
        uint256 n,
        uint256 f,
        uint256 m,
        uint256 slot
    ) public view {
        (uint256[][] memory distances, uint256 f_, uint256 m_) = _drawDistances(seed, n, f, m);
        uint256[] memory want = IntegerRules.selectLowest(IntegerRules.krumScores(distances, f_), m_);
        (bytes memory thresholds, uint256 last) = hintsOf(distances, f_, m_);
        // Thresholds are the distances of other pairs or neighbours of those; or the last slot is another one.
        n = distances.length;
        slot = slot % n;
        if (seed % 4 == 0) last = (seed >> 8) % (n + 1);
        else thresholds[12 * slot + 11] = bytes1(uint8(seed >> 16) % 12);
        try harness.choose(packed(distances), thresholds, n - f_ - 2, m_, last) returns (
            uint256[] memory got
        ) {
            same(keccak256(abi.encode(got)), keccak256(abi.encode(want)));
        } catch {
            return;
        }
    }

    function testFuzz_posted_distances_are_read_by_pair(uint256 seed, uint256 n) public view {
        (uint256[][] memory distances, , ) = _drawDistances(seed, n, 0, 0);
        bytes memory aux = packed(distances);
        n = distances.length;
        same(aux.length, KrumSelection.auxLength(n));
        for (uint256 i = 0; i < n; ++i) {
            for (uint256 j = i + 1; j < n; ++j) same(harness.distanceOf(aux, n, i, j), distances[i][j]);
        }
    }

    // ------------------------------------------------------------------------------------------------ one transaction

    function test_a_wrong_choice_is_proved_by_one_coordinate() public {
        for (uint16 select = 0; select < 5; ++select) {
            World memory w = makeWorld(krumTask(19, 2, select), 7, 1, select);
            uint32 coordinate = 7 + select;
            w.aggregate[4 * coordinate] ^= 0x01;
            propose(w);
            holds(ALICE, selectionCall(w, coordinate, selectionProof(w, coordinate)));
            same(uint256(phaseOf(w)), uint256(Phase.Voided));
            same(ledger.verdictOf(w.roundId).challenger, ALICE);
        }
    }

    function test_a_right_choice_cannot_be_struck() public {
        for (uint16 select = 0; select < 5; ++select) {
            World memory w = makeWorld(krumTask(19, 2, select), 7, 1, 40 + select);
            propose(w);
            for (uint32 at = 0; at < 19; ++at)
                refused(ALICE, selectionCall(w, at, selectionProof(w, at)), IDisputeCourt.NotFraud.selector);
        }
    }

    function test_ties_go_to_the_lower_slot() public {
        World memory w;
        w.task = krumTask(3, 1, 0);
        drawUpdates(w, 6, 1, 1);
        // Slots 0 and 1 are alike, and so are the others: all scores are equal among the first two pairs of twins.
        for (uint256 i = 0; i < 6; ++i)
            w.updates[i][0] = abi.encodePacked(bytes1(uint8(i / 3)), new bytes(11));
        finish(w);
        propose(w);
        same(uint8(w.aggregate[0]), 0);
        refused(ALICE, selectionCall(w, 0, selectionProof(w, 0)), IDisputeCourt.NotFraud.selector);
        bytes memory proof = selectionProof(w, 0);
        proof[12 * 6 + 1] = 0x03;
        refused(ALICE, selectionCall(w, 0, proof), IKrumCourt.WrongLastSlot.selector);
    }

    function test_a_changed_selection_proof_is_never_accepted() public {
        World memory w = makeWorld(krumTask(19, 2, 2), 7, 1, 77);
        w.aggregate[4 * 5] ^= 0x01;
        propose(w);
        bytes memory proof = selectionProof(w, 5);
        for (uint256 at = 0; at < proof.length; ++at) {
            proof[at] ^= 0x10;
            _proveChanged(selectionCall(w, 5, proof));
            proof[at] ^= 0x10;
        }
        _proveChanged(selectionCall(w, 5, cut(proof, 0, proof.length - 1)));
        _proveChanged(selectionCall(w, 5, abi.encodePacked(proof, uint8(0))));
        _proveChanged(selectionCall(w, 19, proof));
        bytes memory aux = w.aux;
        (aux[11], w.aux) = (aux[11] ^ 0x01, aux);
        refused(ALICE, selectionCall(w, 5, proof), IKrumCourt.WrongAux.selector);
        aux[11] ^= 0x01;
        holds(ALICE, selectionCall(w, 5, proof));
    }

    function test_a_wrong_number_of_distances_is_proved_by_itself() public {
        for (uint256 k = 0; k < 3; ++k) {
            World memory w = makeWorld(krumTask(19, 1, 0), 5, 1, k);
            w.aux =
                k == 0
                    ? bytes("")
                    : k == 1
                        ? cut(w.aux, 0, 119)
                        : abi.encodePacked(w.aux, new bytes(12));
            propose(w);
            refused(ALICE, selectionCall(w, 0, selectionProof(w, 0)), IKrumCourt.WrongAuxLength.selector);
            holds(ALICE, abi.encodeCall(krum.proveAuxLength, (w.roundId, w.claim, w.aux)));
            same(uint256(phaseOf(w)), uint256(Phase.Voided));
        }
    }

    function test_the_right_number_of_distances_cannot_be_struck() public {
        World memory w = makeWorld(krumTask(19, 1, 0), 5, 1, 0);
        propose(w);
        bytes memory call = abi.encodeCall(krum.proveAuxLength, (w.roundId, w.claim, w.aux));
        refused(ALICE, call, IKrumCourt.RightAuxLength.selector);
        call = abi.encodeCall(krum.proveAuxLength, (w.roundId, w.claim, hex"00"));
        refused(ALICE, call, IKrumCourt.WrongAux.selector);
    }

    function test_the_court_tells_whom_it_belongs_to() public view {
        check(krum.registry() == address(registry), "registry");
        check(krum.ledger() == address(ledger), "ledger");
    }

    function test_other_rules_are_not_judged_here() public {
        Task memory task = krumTask(19, 0, 0);
        task.rule = Rule.Mean;
        World memory w = makeWorld(task, 5, 1, 0);
        propose(w);
        bytes4 want = IDisputeCourt.RuleNotCovered.selector;
        refused(ALICE, selectionCall(w, 0, ""), want);
        refused(ALICE, abi.encodeCall(krum.proveAuxLength, (w.roundId, w.claim, w.aux)), want);
        VM.expectRevert(abi.encodeWithSelector(want, Rule.Mean));
        krum.challenge{value: GAME_BOND}(w.roundId, w.claim, 0, 1, 0);
    }

    // -------------------------------------------------------------------------------------------------------- games

    function test_an_honest_proposal_survives_every_challenger() public {
        for (uint256 seed = 0; seed < 6; ++seed) {
            uint256 n = 3 + ((seed * 5) % 10);
            uint32 size = uint32(1 + ((seed * 977) % 3000));
            World memory w = makeWorld(krumTask(size, 0, 0), n, 2, seed);
            propose(w);
            (uint16 low, uint16 high) = (uint16(seed % (n - 1)), uint16(n - 1));
            Game memory game = open(w, ALICE, low, high);
            bytes memory parts = packParts(trueParts(w, game));
            refused(ALICE, abi.encodeCall(krum.refute, (game, w.aux)), IKrumCourt.RightDistance.selector);
            game = dissect(game, parts);
            for (uint256 part = 0; part < game.blocks; ++part)
                refused(ALICE, proveCall(w, game, parts, part), IDisputeCourt.NotFraud.selector);
            _expire(game);
            same(creditOf(ownerOf(AGGREGATOR)), GAME_BOND * (seed + 1));
            _finalise(w);
        }
    }

    function test_every_wrong_distance_loses_whichever_way_the_aggregator_answers() public {
        for (uint256 seed = 0; seed < 8; ++seed) {
            World memory w = makeWorld(krumTask(2500 + uint32(seed), 0, 0), 3, 3, seed);
            int256 error = seed % 2 == 0 ? int256(1) : -int256(w.distances[0][2]);
            lie(w, 0, 2, error);
            propose(w);
            Game memory game = open(w, ALICE, 0, 2);
            uint256[] memory parts = trueParts(w, game);
            distribute(parts, game.distance, seed);
            bytes memory data = packParts(parts);
            game = dissect(game, data);
            uint256 wrong = firstWrong(parts, trueParts(w, game));
            bytes memory call = proveCall(w, game, data, wrong);
            holds(ALICE, call);
            same(uint256(phaseOf(w)), uint256(Phase.Voided));
            Verdict memory verdict = ledger.verdictOf(w.roundId);
            same(verdict.challenger, ALICE);
            check(!isOpen(game), "a won game is open");
            same(creditOf(ALICE), GAME_BOND * (seed + 1));
            same(creditOf(address(krum)), 0);
        }
    }

    function test_long_updates_take_two_dissections() public {
        for (uint256 seed = 0; seed < 3; ++seed) {
            World memory w = makeWorld(krumTask((1 << 20) + 1500 + uint32(seed), 0, 0), 3, 5, seed);
            lie(w, 1, 2, seed == 0 ? int256(-1) : int256(1000));
            propose(w);
            Game memory game = open(w, ALICE, 1, 2);
            uint256 top = game.height;
            uint256[] memory parts = trueParts(w, game);
            distribute(parts, game.distance, seed);
            bytes memory data = packParts(parts);
            game = dissect(game, data);
            uint256 wrong = firstWrong(parts, trueParts(w, game));
            refused(ALICE, proveCall(w, game, data, wrong), IKrumCourt.WrongHeight.selector);
            game = pick(game, data, wrong);
            same(game.distance, parts[wrong]);
            check(game.height > 0 && game.height < top, "a step of no height");
            parts = trueParts(w, game);
            distribute(parts, game.distance, seed + 1);
            data = packParts(parts);
            game = dissect(game, data);
            wrong = firstWrong(parts, trueParts(w, game));
            refused(
                ALICE,
                abi.encodeCall(krum.pick, (game, uint32(wrong), partProof(data, wrong))),
                IKrumCourt.WrongHeight.selector
            );
            holds(ALICE, proveCall(w, game, data, wrong));
            same(uint256(phaseOf(w)), uint256(Phase.Voided));
        }
    }

    function test_a_challenger_that_picks_right_parts_of_long_updates_loses() public {
        World memory w = makeWorld(krumTask(1 << 21, 0, 0), 3, 4, 9);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        bytes memory data = packParts(trueParts(w, game));
        game = pick(dissect(game, data), data, 63);
        data = packParts(trueParts(w, game));
        game = dissect(game, data);
        for (uint256 part = 30; part < 32; ++part)
            refused(ALICE, proveCall(w, game, data, part), IDisputeCourt.NotFraud.selector);
        _expire(game);
        same(creditOf(ownerOf(AGGREGATOR)), GAME_BOND);
        _finalise(w);
    }

    function test_leaves_larger_than_a_block_are_blocks() public {
        Task memory task = krumTask(5000, 0, 0);
        task.leafLog2 = 12;
        World memory w;
        w.task = task;
        w.updates = new bytes[][](3);
        w.examples = new uint32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            w.updates[i] = new bytes[](2);
            (w.updates[i][0], w.updates[i][1]) = (drawBlock(i, 4096), drawBlock(i + 3, 904));
        }
        finish(w);
        lie(w, 0, 1, 5);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        uint256[] memory parts = trueParts(w, game);
        parts[1] += 5;
        game = dissect(game, packParts(parts));
        refused(ALICE, proveCall(w, game, packParts(parts), 0), IDisputeCourt.NotFraud.selector);
        holds(ALICE, proveCall(w, game, packParts(parts), 1));
    }

    function test_a_distance_that_was_not_posted_is_refuted() public {
        World memory w = makeWorld(krumTask(1030, 0, 0), 4, 2, 3);
        propose(w);
        Game memory game = openSaying(w, ALICE, 1, 3, uint96(w.distances[1][3] + 1));
        refused(BOB, abi.encodeCall(krum.refute, (game, hex"")), IKrumCourt.WrongAux.selector);
        holds(BOB, abi.encodeCall(krum.refute, (game, w.aux)));
        check(!isOpen(game), "a refuted game is open");
        same(creditOf(ownerOf(AGGREGATOR)), GAME_BOND);
        _finalise(w);
    }

    function test_a_game_can_be_refuted_on_the_first_turn_only() public {
        World memory w = makeWorld(krumTask(1 << 21, 0, 0), 3, 2, 3);
        propose(w);
        Game memory game = openSaying(w, ALICE, 0, 1, uint96(w.distances[0][1] + 1));
        uint256[] memory parts = trueParts(w, game);
        parts[0] += 1;
        bytes memory data = packParts(parts);
        game = dissect(game, data);
        refused(BOB, abi.encodeCall(krum.refute, (game, w.aux)), IKrumCourt.NotOnTurn.selector);
        game = pick(game, data, 0);
        refused(BOB, abi.encodeCall(krum.refute, (game, w.aux)), IKrumCourt.WrongHeight.selector);
    }

    function test_parts_must_sum_to_the_distance_and_be_complete() public {
        World memory w = makeWorld(krumTask(2500, 0, 0), 3, 2, 3);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        uint256[] memory parts = trueParts(w, game);
        bytes memory right = packParts(parts);
        ++parts[0];
        _dissectRefused(game, packParts(parts), IKrumCourt.WrongSum.selector);
        _dissectRefused(game, cut(right, 0, 29), IKrumCourt.WrongPartsLength.selector);
        _dissectRefused(game, abi.encodePacked(right, new bytes(10)), IKrumCourt.WrongPartsLength.selector);
        _dissectRefused(game, "", IKrumCourt.WrongPartsLength.selector);
        dissect(game, right);
    }

    function test_only_the_one_on_turn_moves() public {
        World memory w = makeWorld(krumTask(1 << 21, 0, 0), 3, 2, 3);
        lie(w, 0, 1, 1);
        propose(w);
        bytes4 want = IKrumCourt.NotOnTurn.selector;
        Game memory game = open(w, ALICE, 0, 1);
        uint256[] memory parts = trueParts(w, game);
        ++parts[5];
        bytes memory data = packParts(parts);
        bytes memory picking = abi.encodeCall(krum.pick, (game, 5, partProof(data, 5)));
        refused(ALICE, picking, want);
        refused(ALICE, abi.encodeCall(krum.prove, (game, 5, hex"")), want);
        refused(ALICE, abi.encodeCall(krum.dissect, (game, data)), want);
        game = dissect(game, data);
        refused(signer(), abi.encodeCall(krum.dissect, (game, data)), want);
        picking = abi.encodeCall(krum.pick, (game, 5, partProof(data, 5)));
        refused(BOB, picking, want);
        refused(signer(), picking, want);
        game = pick(game, data, 5);
        parts = trueParts(w, game);
        ++parts[0];
        data = packParts(parts);
        // The owner may move for the signer.
        VM.prank(ownerOf(AGGREGATOR));
        krum.dissect(game, data);
    }

    function test_a_move_must_name_the_state_that_it_answers() public {
        World memory w = makeWorld(krumTask(2500, 0, 0), 3, 2, 3);
        propose(w);
        bytes4 want = IKrumCourt.NoSuchGame.selector;
        Game memory first = open(w, ALICE, 0, 1);
        bytes memory data = packParts(trueParts(w, first));
        Game memory next = dissect(first, data);
        _dissectRefused(first, data, want);
        refused(BOB, abi.encodeCall(krum.timeout, (first)), want);
        refused(BOB, abi.encodeCall(krum.refute, (first, w.aux)), want);
        refused(BOB, abi.encodeCall(krum.reclaim, (first)), want);
        next.moveBy += 1;
        refused(ALICE, proveCall(w, next, data, 0), want);
        next.moveBy -= 1;
        next.distance += 1;
        refused(ALICE, proveCall(w, next, data, 0), want);
        next.distance -= 1;
        _expire(next);
        refused(BOB, abi.encodeCall(krum.timeout, (next)), want);
    }

    function test_a_part_must_be_one_that_was_posted() public {
        World memory w = makeWorld(krumTask(1 << 20, 0, 0), 3, 2, 3);
        lie(w, 0, 1, 1);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        uint256[] memory parts = trueParts(w, game);
        ++parts[700];
        bytes memory data = packParts(parts);
        game = dissect(game, data);
        refused(
            ALICE,
            abi.encodeCall(krum.prove, (game, 1024, partProof(data, 700))),
            IKrumCourt.NoSuchPart.selector
        );
        refused(ALICE, proveCall(w, game, data, 699), IDisputeCourt.NotFraud.selector);
        data[7009] ^= 0x03;
        refused(ALICE, proveCall(w, game, data, 700), IDisputeCourt.WrongRoot.selector);
        data[7009] ^= 0x03;
        holds(ALICE, proveCall(w, game, data, 700));
    }

    function test_a_changed_block_opening_is_never_accepted() public {
        World memory w = makeWorld(krumTask(1100, 0, 0), 5, 2, 21);
        lie(w, 1, 3, 1);
        propose(w);
        Game memory game = open(w, ALICE, 1, 3);
        uint256[] memory parts = trueParts(w, game);
        bytes memory right = packParts(parts);
        ++parts[1];
        bytes memory data = packParts(parts);
        game = dissect(game, data);
        bytes memory proof = abi.encodePacked(partProof(data, 1), blocksProof(w, game, 1));
        for (uint256 at = 0; at < proof.length; ++at) {
            proof[at] ^= 0x04;
            _proveChanged(abi.encodeCall(krum.prove, (game, 1, proof)));
            proof[at] ^= 0x04;
        }
        _proveChanged(abi.encodeCall(krum.prove, (game, 1, cut(proof, 0, proof.length - 1))));
        _proveChanged(abi.encodeCall(krum.prove, (game, 1, abi.encodePacked(proof, uint8(0)))));
        _proveChanged(abi.encodeCall(krum.prove, (game, 0, proof)));
        _proveChanged(
            abi.encodeCall(
                krum.prove,
                (game, 1, abi.encodePacked(partProof(right, 1), blocksProof(w, game, 1)))
            )
        );
        // The same two updates the other way round, and another pair.
        Game memory other = abi.decode(abi.encode(game), (Game));
        (other.low, other.high) = (3, 1);
        _proveChanged(
            abi.encodeCall(
                krum.prove,
                (game, 1, abi.encodePacked(partProof(data, 1), blocksProof(w, other, 1)))
            )
        );
        (other.low, other.high) = (1, 4);
        _proveChanged(
            abi.encodeCall(
                krum.prove,
                (game, 1, abi.encodePacked(partProof(data, 1), blocksProof(w, other, 1)))
            )
        );
        holds(ALICE, abi.encodeCall(krum.prove, (game, 1, proof)));
    }

    // ------------------------------------------------------------------------------------------------------- clocks

    function test_an_aggregator_that_does_not_answer_loses() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        VM.warp(game.moveBy);
        refused(BOB, abi.encodeCall(krum.timeout, (game)), IKrumCourt.ClockRunning.selector);
        VM.warp(game.moveBy + 1);
        _dissectRefused(game, packParts(trueParts(w, game)), IKrumCourt.ClockOver.selector);
        refused(BOB, abi.encodeCall(krum.refute, (game, w.aux)), IKrumCourt.ClockOver.selector);
        holds(BOB, abi.encodeCall(krum.timeout, (game)));
        same(uint256(phaseOf(w)), uint256(Phase.Voided));
        same(ledger.verdictOf(w.roundId).challenger, ALICE);
        same(creditOf(ALICE), GAME_BOND);
        same(creditOf(address(krum)), 0);
    }

    function test_a_challenger_that_does_not_go_on_loses_at_every_step() public {
        for (uint256 step = 0; step < 2; ++step) {
            World memory w = makeWorld(krumTask(1 << 21, 0, 0), 3, 2, 3);
            lie(w, 0, 1, 1);
            propose(w);
            Game memory game = open(w, ALICE, 0, 1);
            for (uint256 k = 0; k <= step; ++k) {
                uint256[] memory parts = trueParts(w, game);
                ++parts[3];
                game = dissect(game, packParts(parts));
                if (k < step) game = pick(game, packParts(parts), 3);
            }
            VM.warp(game.moveBy);
            refused(BOB, abi.encodeCall(krum.timeout, (game)), IKrumCourt.ClockRunning.selector);
            VM.warp(game.moveBy + 1);
            refused(ALICE, abi.encodeCall(krum.pick, (game, 3, hex"")), IKrumCourt.ClockOver.selector);
            refused(ALICE, abi.encodeCall(krum.prove, (game, 3, hex"")), IKrumCourt.ClockOver.selector);
            holds(BOB, abi.encodeCall(krum.timeout, (game)));
            same(creditOf(ownerOf(AGGREGATOR)), GAME_BOND * (step + 1));
            _finalise(w);
        }
    }

    function test_an_aggregator_loses_at_its_second_step_too() public {
        World memory w = makeWorld(krumTask(1 << 21, 0, 0), 3, 2, 3);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        bytes memory data = packParts(trueParts(w, game));
        game = pick(dissect(game, data), data, 3);
        _expire(game);
        same(uint256(phaseOf(w)), uint256(Phase.Voided));
        same(creditOf(ALICE), GAME_BOND);
    }

    function test_a_last_second_move_leaves_the_extension_and_no_more() public {
        World memory w = makeWorld(krumTask(1 << 21, 0, 0), 3, 2, 3);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        same(game.moveBy, block.timestamp + CLOCK);
        // Not from block.timestamp: the compiler may read that again later.
        uint256 opened = game.moveBy - CLOCK;
        uint40 held = ledger.round(w.roundId).challengeEnd;
        for (uint256 k = 0; k < 2; ++k) {
            VM.warp(game.moveBy);
            bytes memory data = packParts(trueParts(w, game));
            game = dissect(game, data);
            same(game.waiting, EXTENSION);
            same(game.moveBy, block.timestamp + (k == 0 ? CLOCK : EXTENSION));
            VM.warp(game.moveBy);
            if (k == 0) game = pick(game, data, 3);
            if (k == 0) same(game.waiting, EXTENSION);
        }
        // Two clocks, and one extension for each of the two moves that were not a player's last.
        same(block.timestamp, opened + 2 * CLOCK + 2 * EXTENSION);
        check(held >= block.timestamp + 2 * EXTENSION, "no time is left for another challenger");
    }

    function test_early_moves_keep_their_time() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        VM.warp(block.timestamp + 100);
        game = dissect(game, packParts(trueParts(w, game)));
        same(game.waiting, CLOCK - 100);
        same(game.moveBy, block.timestamp + CLOCK);
    }

    // --------------------------------------------------------------------------------------------- games and rounds

    function test_a_round_with_an_open_game_cannot_be_finalised() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        VM.warp(ledger.round(w.roundId).challengeEnd);
        Game memory game = open(w, ALICE, 0, 1);
        same(ledger.round(w.roundId).challengeEnd, block.timestamp + 2 * (CLOCK + EXTENSION));
        game = dissect(game, packParts(trueParts(w, game)));
        VM.warp(ledger.round(w.roundId).challengeEnd + 1);
        VM.expectRevert(abi.encodeWithSelector(IRoundLedger.DisputesOpen.selector, w.roundId, uint8(1)));
        ledger.finalise(w.roundId, _outcome(w));
        holds(BOB, abi.encodeCall(krum.timeout, (game)));
        ledger.finalise(w.roundId, _outcome(w));
    }

    function test_no_game_is_opened_after_the_challenge_phase() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        VM.warp(ledger.round(w.roundId).challengeEnd + 1);
        VM.prank(ALICE);
        VM.expectRevert();
        krum.challenge{value: GAME_BOND}(w.roundId, w.claim, 0, 1, 0);
    }

    function test_a_challenger_plays_one_game_at_a_time_over_a_pair() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        VM.prank(ALICE);
        VM.expectRevert(abi.encodeWithSelector(IKrumCourt.GameExists.selector, idOf(game)));
        krum.challenge{value: GAME_BOND}(w.roundId, w.claim, 0, 1, 0);
        open(w, ALICE, 0, 2);
        open(w, BOB, 0, 1);
        game = dissect(game, packParts(trueParts(w, game)));
        _expire(game);
        open(w, ALICE, 0, 1);
    }

    function test_defended_a_friend_of_the_aggregator_loses_its_own_game_and_nobody_elses() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        lie(w, 0, 1, 7);
        propose(w);
        Game memory friend = open(w, BOB, 0, 1);
        Game memory honest = open(w, ALICE, 0, 1);
        uint256[] memory parts = trueParts(w, friend);
        parts[0] += 7;
        bytes memory data = packParts(parts);
        friend = dissect(friend, data);
        honest = dissect(honest, data);
        VM.warp(friend.moveBy);
        holds(ALICE, proveCall(w, honest, data, 0));
        same(ledger.verdictOf(w.roundId).challenger, ALICE);
    }

    function test_defended_a_crowd_of_games_counts_as_one_dispute() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        Game[] memory games = new Game[](300);
        for (uint256 i = 0; i < 300; ++i) {
            address player = address(uint160(0xC000 + i));
            VM.deal(player, GAME_BOND);
            games[i] = open(w, player, 0, 1);
        }
        same(ledger.round(w.roundId).openDisputes, 1);
        same(krum.openGames(w.roundId), 300);
        same(creditOf(address(krum)), 300 * GAME_BOND);
        bytes memory data = packParts(trueParts(w, games[0]));
        for (uint256 i = 0; i < 300; ++i) games[i] = dissect(games[i], data);
        VM.warp(games[299].moveBy + 1);
        for (uint256 i = 0; i < 300; ++i) {
            same(ledger.round(w.roundId).openDisputes, 1);
            krum.timeout(games[i]);
        }
        same(creditOf(address(krum)), 0);
        same(creditOf(ownerOf(AGGREGATOR)), 300 * GAME_BOND);
        _finalise(w);
    }

    function test_bonds_come_back_once_the_round_is_void_for_another_reason() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        Game memory first = open(w, ALICE, 0, 1);
        Game memory second = open(w, BOB, 0, 2);
        second = dissect(second, packParts(trueParts(w, second)));
        bytes4 want = IRoundLedger.WrongPhase.selector;
        refused(ALICE, abi.encodeCall(krum.reclaim, (first)), want);
        VM.prank(COURT);
        ledger.void(w.roundId, "wrong model", address(0xCAFE), "proof");
        refused(BOB, proveCall(w, second, packParts(trueParts(w, second)), 0), want);
        VM.warp(second.moveBy + 1);
        refused(BOB, abi.encodeCall(krum.timeout, (first)), want);
        refused(BOB, abi.encodeCall(krum.timeout, (second)), want);
        holds(ownerOf(AGGREGATOR), abi.encodeCall(krum.reclaim, (first)));
        holds(ownerOf(AGGREGATOR), abi.encodeCall(krum.reclaim, (second)));
        same(creditOf(ALICE), GAME_BOND);
        same(creditOf(BOB), GAME_BOND);
        same(creditOf(address(krum)), 0);
        refused(ownerOf(AGGREGATOR), abi.encodeCall(krum.reclaim, (first)), IKrumCourt.NoSuchGame.selector);
    }

    function test_a_refuted_claim_in_a_void_round_keeps_its_bond() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        Game memory game = openSaying(w, ALICE, 0, 1, 1);
        VM.prank(COURT);
        ledger.void(w.roundId, "wrong model", address(0xCAFE), "proof");
        refused(BOB, abi.encodeCall(krum.refute, (game, w.aux)), IRoundLedger.WrongPhase.selector);
        holds(BOB, abi.encodeCall(krum.reclaim, (game)));
        same(creditOf(ALICE), GAME_BOND);
    }

    function test_an_opening_names_a_pair_the_proposal_and_the_bond() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        VM.expectRevert(abi.encodeWithSelector(IKrumCourt.WrongBond.selector, GAME_BOND - 1, GAME_BOND));
        krum.challenge{value: GAME_BOND - 1}(w.roundId, w.claim, 0, 1, 0);
        VM.expectRevert(abi.encodeWithSelector(IKrumCourt.WrongPair.selector, 1, 1, 3));
        krum.challenge{value: GAME_BOND}(w.roundId, w.claim, 1, 1, 0);
        VM.expectRevert(abi.encodeWithSelector(IKrumCourt.WrongPair.selector, 1, 3, 3));
        krum.challenge{value: GAME_BOND}(w.roundId, w.claim, 1, 3, 0);
        w.claim.auxHash = keccak256("other");
        VM.expectRevert();
        krum.challenge{value: GAME_BOND}(w.roundId, w.claim, 0, 1, 0);
    }

    function test_a_timeout_gives_nobody_a_hash_to_buy_a_ticket_for() public {
        World memory w = makeWorld(krumTask(40, 0, 0), 3, 1, 3);
        propose(w);
        Game memory game = open(w, ALICE, 0, 1);
        VM.warp(game.moveBy + 1);
        holds(BOB, abi.encodeCall(krum.timeout, (game)));
        bytes32 hash = keccak256(abi.encode(idOf(game), blockhash(block.number - 1)));
        same(ledger.verdictOf(w.roundId).provenAt, block.timestamp);
        same(ledger.verdictOf(w.roundId).proofTag, uint56(uint256(hash)));
    }

    function test_a_clock_must_leave_room_for_an_extension() public {
        VM.expectRevert(abi.encodeWithSelector(IKrumCourt.InvalidClock.selector, 10, 11));
        newCourt(10, 11);
        VM.expectRevert(abi.encodeWithSelector(IKrumCourt.InvalidClock.selector, 10, 0));
        newCourt(10, 0);
    }

    // ------------------------------------------------------------------------------------------------------- helpers

    function _drawDistances(
        uint256 seed,
        uint256 n,
        uint256 f,
        uint256 m
    ) private pure returns (uint256[][] memory distances, uint256 f_, uint256 m_) {
        n = within(n, 3, 12);
        f_ = within(f, 0, (n - 3) / 2);
        m_ = within(m, 1, n - f_);
        distances = new uint256[][](n);
        for (uint256 i = 0; i < n; ++i) distances[i] = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                // Few different values, so that there are ties; now and then the largest.
                uint256 x = uint256(keccak256(abi.encode(seed, i, j))) % 11;
                distances[i][j] = distances[j][i] = x == 10 ? type(uint96).max : x;
            }
        }
    }

    /// Refused, for whatever reason.
    function _proveChanged(bytes memory call) private {
        (bool held, ) = send(ALICE, call);
        check(!held, "a changed proof held");
    }

    function _dissectRefused(Game memory game, bytes memory parts, bytes4 want) private {
        refused(signer(), abi.encodeCall(krum.dissect, (game, parts)), want);
    }

    /// Let the time of the one who is to move run out.
    function _expire(Game memory game) private {
        VM.warp(game.moveBy + 1);
        holds(BOB, abi.encodeCall(krum.timeout, (game)));
        check(!isOpen(game), "an ended game is open");
    }

    function _outcome(World memory w) private pure returns (Outcome memory) {
        return
            Outcome(
                w.claim.proposal.aggregateRoot,
                w.claim.proposal.matrixRoot,
                w.claim.proposal.modelRoot,
                ProposalHash.details(
                    w.claim.proposal,
                    w.claim.segmentsHash,
                    w.claim.excludedHash,
                    w.claim.auxHash,
                    uint16(w.updates.length)
                )
            );
    }

    function _finalise(World memory w) private {
        uint40 end = ledger.round(w.roundId).challengeEnd;
        if (block.timestamp <= end) VM.warp(end + 1);
        ledger.finalise(w.roundId, _outcome(w));
        same(uint256(phaseOf(w)), uint256(Phase.Finalised));
        same(creditOf(address(krum)), 0);
    }
}
