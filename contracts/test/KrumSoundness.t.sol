// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {Game, IKrumCourt} from "../interfaces/IKrumCourt.sol";
import {Phase, Task} from "../interfaces/IRoundLedger.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {KrumFixture} from "./KrumFixture.sol";
import {RoundTally} from "./RoundTally.sol";

/// Random rounds of Krum and Multi-Krum: from the fewest clients that a rule allows to 40, ragged vectors, the ends of
/// the int32 range. What is honest is never provable, what is wrong always is, and no proof survives a change.
contract KrumSoundnessTest is KrumFixture, RoundTally {
    // --------------------------------------------------------------------------------------------------------- worlds

    /// Vectors of one block; many clients have few coordinates.
    function randomWorld(uint256 seed) private returns (World memory w) {
        bool many = (seed >> 8) % 4 == 0;
        uint256 n = many ? within(seed >> 16, 10, CLIENTS) : within(seed >> 16, 3, 9);
        uint16 f = uint16((seed >> 32) % ((n - 3) / 2 + 1));
        uint16 select = seed % 2 == 0 ? 0 : uint16(within(seed >> 48, 1, n - f));
        Task memory task = krumTask(uint32(within(seed >> 64, 1, many ? 4 : 19)), f, select);
        (task.matrixLog2, task.modelLog2) = (uint8((seed >> 80) % 4), 3);
        if ((seed >> 88) % 4 == 0) task.bound = (seed >> 90) % 2 == 0 ? 1 : 2 ** 23 - 1;
        w = makeWorld(task, n, 1, seed);
        noteRound(w);
    }

    /// Vectors of up to three blocks and few clients: only distances are looked at.
    function longWorld(uint256 seed) private returns (World memory w) {
        uint32 size = uint32(within(seed >> 64, 1025, 2600));
        w = makeWorld(krumTask(size, 0, 0), within(seed >> 16, 3, 4), 1, seed);
        noteRound(w);
    }

    function noteRound(World memory w) private {
        int32[][] memory updates = new int32[][](w.updates.length);
        for (uint256 i = 0; i < updates.length; ++i)
            updates[i] = LittleEndian.decode(w.updates[i][w.updates[i].length - 1]);
        tally(uint256(w.task.rule), updates);
    }

    function randomPair(World memory w, uint256 seed) private pure returns (uint16 low, uint16 high) {
        uint256 n = w.updates.length;
        low = uint16((seed >> 96) % (n - 1));
        high = uint16(within(seed >> 112, low + 1, n - 1));
    }

    function checkVoided(World memory w) private view {
        same(uint256(phaseOf(w)), uint256(Phase.Voided));
        same(ledger.verdictOf(w.roundId).challenger, ALICE);
    }

    // -------------------------------------------------------------------------------------------------------- honesty

    function testFuzzAnHonestSelectionIsNeverProvable(uint256 seed) public {
        seed = spread(seed);
        World memory w = randomWorld(seed);
        propose(w);
        bytes4 notFraud = IDisputeCourt.NotFraud.selector;
        for (uint32 at = 0; at < w.task.size; at += 1 + w.task.size / 4)
            refused(ALICE, selectionCall(w, at, selectionProof(w, at)), notFraud);
        bytes memory call = abi.encodeCall(krum.proveAuxLength, (w.roundId, w.claim, w.aux));
        refused(ALICE, call, IKrumCourt.RightAuxLength.selector);
        (uint16 low, uint16 high) = randomPair(w, seed);
        checkGame(w, open(w, ALICE, low, high));
    }

    function testFuzzHonestDistancesOfLongVectorsAreNeverProvable(uint256 seed) public {
        seed = spread(seed);
        World memory w = longWorld(seed);
        propose(w);
        (uint16 low, uint16 high) = randomPair(w, seed);
        checkGame(w, open(w, ALICE, low, high));
    }

    /// A game that the aggregator plays honestly is the challenger's loss, whichever part it goes for.
    function checkGame(World memory w, Game memory game) private {
        refused(ALICE, abi.encodeCall(krum.refute, (game, w.aux)), IKrumCourt.RightDistance.selector);
        bytes memory parts = packParts(trueParts(w, game));
        game = dissect(game, parts);
        for (uint256 part = 0; part < game.blocks; ++part)
            refused(ALICE, proveCall(w, game, parts, part), IDisputeCourt.NotFraud.selector);
        VM.warp(game.moveBy + 1);
        holds(BOB, abi.encodeCall(krum.timeout, (game)));
        same(creditOf(ownerOf(AGGREGATOR)), GAME_BOND);
        same(uint256(phaseOf(w)), uint256(Phase.Proposed));
    }

    // ---------------------------------------------------------------------------------------------------------- fraud

    function testFuzzAWrongCoordinateOfASelectionIsProvable(uint256 seed) public {
        seed = spread(seed);
        World memory w = randomWorld(seed);
        uint256 at = (seed >> 128) % w.aggregate.length;
        w.aggregate[at] ^= bytes1(uint8(within(seed >> 144, 1, 255)));
        propose(w);
        holds(ALICE, selectionCall(w, uint32(at / 4), selectionProof(w, uint32(at / 4))));
        checkVoided(w);
    }

    /// The aggregate of any other update than the one chosen, or of another number of them.
    function testFuzzAnotherSelectionIsProvableWhereItDiffers(uint256 seed) public {
        seed = spread(seed);
        World memory w = randomWorld(seed);
        int32[] memory honest = LittleEndian.decode(w.aggregate);
        int32[] memory other = LittleEndian.decode(w.updates[(seed >> 128) % w.updates.length][0]);
        other = IntegerRules.clampAll(other, w.task.bound);
        w.aggregate = LittleEndian.encode(other);
        propose(w);
        for (uint32 at = 0; at < other.length; ++at) {
            bytes memory call = selectionCall(w, at, selectionProof(w, at));
            if (other[at] == honest[at]) {
                refused(ALICE, call, IDisputeCourt.NotFraud.selector);
                continue;
            }
            holds(ALICE, call);
            checkVoided(w);
            return;
        }
    }

    function testFuzzAWrongDistanceLoses(uint256 seed) public {
        seed = spread(seed);
        World memory w = (seed >> 4) % 4 == 0 ? longWorld(seed) : randomWorld(seed);
        (uint16 low, uint16 high) = randomPair(w, seed);
        uint256 right = w.distances[low][high];
        uint256 posted =
            (seed >> 128) % 2 == 0
                ? right + 1
                : (seed >> 130) % 2 == 0
                    ? right - (right == 0 ? 0 : 1)
                    : 0;
        if (posted == right) posted = right + within(seed >> 132, 1, 2 ** 40);
        lie(w, low, high, int256(posted) - int256(right));
        propose(w);
        Game memory game = open(w, ALICE, low, high);
        uint256[] memory parts = trueParts(w, game);
        distribute(parts, posted, (seed >> 176) % 64);
        bytes memory data = packParts(parts);
        game = dissect(game, data);
        uint256 wrong = firstWrong(parts, trueParts(w, game));
        bytes memory call = proveCall(w, game, data, wrong);
        for (uint256 part = 0; part < wrong; ++part)
            refused(ALICE, proveCall(w, game, data, part), IDisputeCourt.NotFraud.selector);
        holds(ALICE, call);
        checkVoided(w);
    }

    // ------------------------------------------------------------------------------------------------------ mutations

    /// One bit flipped, the end cut off, a byte added: no proof of a wrong aggregate or distance survives it.
    function testFuzzMutatedSelectionProofsAreRefused(uint256 seed) public {
        seed = spread(seed);
        World memory w = randomWorld(seed);
        uint32 at = uint32((seed >> 128) % w.task.size);
        w.aggregate[4 * at] ^= 0x01;
        propose(w);
        bytes memory proof = selectionProof(w, at);
        checkRefused(selectionCall(w, at, mutate(proof, seed)));
        bytes memory aux = w.aux;
        w.aux = mutate(aux, ~seed);
        checkRefused(selectionCall(w, at, selectionProof(w, at)));
        w.aux = aux;
        holds(ALICE, selectionCall(w, at, selectionProof(w, at)));
    }

    function testFuzzMutatedBlockProofsAreRefused(uint256 seed) public {
        seed = spread(seed);
        World memory w = randomWorld(seed);
        (uint16 low, uint16 high) = randomPair(w, seed);
        lie(w, low, high, 1);
        propose(w);
        Game memory game = open(w, ALICE, low, high);
        bytes memory data = packParts(postedParts(game));
        game = dissect(game, data);
        bytes memory proof = abi.encodePacked(partProof(data, 0), blocksProof(w, game, 0));
        checkRefused(abi.encodeCall(krum.prove, (game, 0, mutate(proof, seed))));
        holds(ALICE, proveCall(w, game, data, 0));
    }

    /// The one part of vectors of one block.
    function postedParts(Game memory game) private pure returns (uint256[] memory parts) {
        parts = new uint256[](1);
        parts[0] = game.distance;
    }

    function checkRefused(bytes memory call) private {
        (bool held, ) = send(ALICE, call);
        check(!held, "a changed proof held");
    }

    /// A copy with one change.
    function mutate(bytes memory proof, uint256 seed) private pure returns (bytes memory changed) {
        uint256 kind = (seed >> 208) % 4;
        if (kind == 0) return cut(proof, 0, proof.length - within(seed >> 216, 1, proof.length));
        if (kind == 1) return abi.encodePacked(proof, uint8(seed >> 216));
        changed = bytes.concat(proof);
        uint256 bit = uint256(keccak256(abi.encode(seed))) % (8 * proof.length);
        changed[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
    }
}
