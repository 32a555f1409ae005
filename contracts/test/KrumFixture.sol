// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "../interfaces/IDisputeCourt.sol";
import {Game, IKrumCourt} from "../interfaces/IKrumCourt.sol";
import {CommitMode, Phase, Proposal, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {KrumLayout} from "../libraries/KrumLayout.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

struct Log {
    bytes32[] topics;
    bytes data;
    address emitter;
}

// Named as everywhere: test runners document it as Vm.
// solhint-disable-next-line interface-starts-with-i
interface VmLogs {
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
}

/// A deployment with a KrumCourt, and rounds of Krum whose updates the tests hold: clients 1..40, aggregator 41.
abstract contract KrumFixture is LedgerFixture {
    uint256 internal constant CLIENTS = 40;
    uint32 internal constant AGGREGATOR = 41;
    uint256 internal constant GAME_BOND = 0.05 ether;
    uint40 internal constant CLOCK = 1200;
    uint40 internal constant EXTENSION = 300;
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    uint256 internal constant BLOCK_BYTES = 4096;
    VmLogs internal constant LOGS = VmLogs(address(VM));

    /// A round with everything that both players know. An update is a list of blocks; blocks that hold zeros only are
    /// one and the same object, so that updates of millions of coordinates fit the memory of a test.
    struct World {
        Task task;
        uint64 roundId;
        bytes[][] updates;
        uint32[] examples;
        bytes32[] commitments;
        uint256[][] distances;
        bytes aux;
        bytes aggregate;
        bytes matrix;
        Claim claim;
    }

    IKrumCourt internal krum;

    function setUp() public virtual override {
        super.setUp();
        VM.deal(ALICE, 100 ether);
        VM.deal(BOB, 100 ether);
        same(assemble(CLIENTS), AGGREGATOR);
        // Enough for the bonds of many tasks.
        registry.deposit{value: 20 ether}(AGGREGATOR);
    }

    function extraCourts() internal pure override returns (uint256) {
        return 1;
    }

    function addCourts() internal override {
        krum = newCourt(CLOCK, EXTENSION);
    }

    function newCourt(uint40 clockSeconds, uint40 extensionSeconds) internal returns (IKrumCourt) {
        bytes memory arguments = abi.encode(registry, ledger, GAME_BOND, clockSeconds, extensionSeconds);
        return IKrumCourt(deploy("KrumCourt", arguments));
    }

    function signer() internal pure returns (address) {
        return VM.addr(keyOf(AGGREGATOR));
    }

    // ------------------------------------------------------------------------------------------------------- worlds

    function krumTask(uint32 size, uint16 f, uint16 select) internal pure returns (Task memory task) {
        (task.rule, task.ruleParam, task.ruleSelect) = (select == 0 ? Rule.Krum : Rule.MultiKrum, f, select);
        (task.size, task.scaleBits, task.leafLog2) = (size, 20, 8);
        (task.matrixLog2, task.modelLog2, task.bound, task.examplesCap) = (1, 3, 40_000, 100);
        (task.maxClients, task.quorum, task.bondWei) = (50, 2 * f + 3, 0.5 ether);
        if (select + f > task.quorum) task.quorum = select + f;
        (task.commitSeconds, task.dataSeconds, task.proposeSeconds) = (600, 0, 400);
        task.challengeSeconds = CHALLENGE;
        (task.mode, task.genesisModel) = (CommitMode.Verified, keccak256("model"));
        (task.layoutDigest, task.scriptDigest) = (keccak256("layout"), keccak256("script"));
    }

    /// Random coordinates: small, anything, or the ends of the range.
    function drawBlock(uint256 seed, uint256 size) internal pure returns (bytes memory data) {
        data = new bytes(4 * size);
        for (uint256 at = 0; at < size; at += 8) {
            uint256 word = uint256(keccak256(abi.encode(seed, at)));
            // A fifth of the words each: small numbers, the ends of the range, negative ones of 16 bits.
            uint256 kind = word % 5;
            if (kind == 0) word &= 0x03020000010300000200000003030000010000000203000001030000ff010000;
            if (kind == 1) word = 0x0000008000000080ffffff7fffffff7f00000080ffffff7f0000008000000000;
            if (kind == 2) word |= 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
            for (uint256 i = 0; i < 32 && 4 * at + i < data.length; ++i) data[4 * at + i] = bytes32(word)[i];
        }
    }

    /// Updates of which `dense` of the blocks have content, spread over the vector; the others are zeros.
    function drawUpdates(World memory w, uint256 n, uint256 dense, uint256 seed) internal pure {
        uint256 blocks = KrumLayout.blockCount(w.task.size, w.task.leafLog2);
        bytes memory zeros = new bytes(BLOCK_BYTES);
        w.updates = new bytes[][](n);
        w.examples = new uint32[](n);
        for (uint256 i = 0; i < n; ++i) {
            w.examples[i] = uint32(1 + i);
            w.updates[i] = new bytes[](blocks);
            for (uint256 b = 0; b < blocks; ++b) w.updates[i][b] = zeros;
            uint256 rest = w.task.size - 1024 * (blocks - 1);
            for (uint256 k = 0; k < dense; ++k) {
                uint256 b = blocks - 1 - (k * blocks) / dense;
                w.updates[i][b] = drawBlock(
                    uint256(keccak256(abi.encode(seed, i, k))),
                    b + 1 < blocks ? 1024 : rest
                );
            }
        }
    }

    /// A round with `n` clients, committed and computed; `aux`, `aggregate` and `matrix` may be changed before propose.
    function makeWorld(
        Task memory task,
        uint256 n,
        uint256 dense,
        uint256 seed
    ) internal returns (World memory w) {
        w.task = task;
        drawUpdates(w, n, dense, seed);
        finish(w);
    }

    function finish(World memory w) internal {
        commitAll(w);
        w.distances = new uint256[][](w.updates.length);
        for (uint256 i = 0; i < w.updates.length; ++i) w.distances[i] = new uint256[](w.updates.length);
        for (uint256 i = 0; i < w.updates.length; ++i) {
            for (uint256 j = i + 1; j < w.updates.length; ++j) {
                uint256 total = 0;
                for (uint256 b = 0; b < w.updates[i].length; ++b) total += blockDistance(w, i, j, b);
                w.distances[i][j] = w.distances[j][i] = total;
            }
        }
        w.aux = packed(w.distances);
        if (w.updates[0].length == 1) choose(w);
    }

    function commitAll(World memory w) internal {
        uint32 taskId = ledger.createTask(w.task);
        VM.prank(signer());
        w.roundId = ledger.openRound(taskId, AGGREGATOR);
        w.commitments = new bytes32[](w.updates.length);
        for (uint256 i = 0; i < w.updates.length; ++i) {
            bytes32 root = ChunkTree.rootOf(blockRoots(w, i));
            uint32 client = uint32(i + 1);
            w.commitments[i] = CommitHash.commitment(
                ledger.domainSeparator(),
                w.roundId,
                client,
                w.examples[i],
                root
            );
            VM.prank(ownerOf(client));
            ledger.commit(w.roundId, client, w.commitments[i]);
        }
    }

    function packed(uint256[][] memory distances) internal pure returns (bytes memory aux) {
        for (uint256 i = 0; i < distances.length; ++i) {
            for (uint256 j = i + 1; j < distances.length; ++j)
                aux = abi.encodePacked(aux, uint96(distances[i][j]));
        }
    }

    /// By the specification's rules, as everything here.
    function blockDistance(World memory w, uint256 i, uint256 j, uint256 b) internal pure returns (uint256) {
        (bytes memory x, bytes memory y) = (w.updates[i][b], w.updates[j][b]);
        bool isSame;
        assembly ("memory-safe") {
            isSame := eq(x, y)
        }
        return isSame ? 0 : distanceOf(x, y, w.task.bound);
    }

    function distanceOf(bytes memory x, bytes memory y, uint32 bound) internal pure returns (uint256) {
        return
            IntegerRules.squaredDistance(
                IntegerRules.clampAll(LittleEndian.decode(x), bound),
                IntegerRules.clampAll(LittleEndian.decode(y), bound)
            );
    }

    /// Aggregate and matrix of updates of one block.
    function choose(World memory w) internal pure {
        uint256 n = w.updates.length;
        uint256 count = w.task.ruleSelect == 0 ? 1 : w.task.ruleSelect;
        uint256[] memory chosen = IntegerRules.selectLowest(
            IntegerRules.krumScores(w.distances, w.task.ruleParam),
            count
        );
        int32[] memory aggregate = new int32[](w.task.size);
        int32[] memory flat = new int32[](n * w.task.size);
        int32[][] memory values = new int32[][](n);
        for (uint256 i = 0; i < n; ++i) values[i] = LittleEndian.decode(w.updates[i][0]);
        for (uint256 k = 0; k < w.task.size; ++k) {
            int32[] memory kept = new int32[](count);
            for (uint256 i = 0; i < n; ++i) flat[k * n + i] = values[i][k];
            for (uint256 i = 0; i < count; ++i)
                kept[i] = IntegerRules.clamp(values[chosen[i]][k], w.task.bound);
            aggregate[k] = IntegerRules.mean(kept);
        }
        (w.aggregate, w.matrix) = (LittleEndian.encode(aggregate), LittleEndian.encode(flat));
    }

    function matrixChunk(World memory w) internal pure returns (uint256) {
        return (4 * w.updates.length) << w.task.matrixLog2;
    }

    function propose(World memory w) internal {
        bool isSmall = w.aggregate.length != 0;
        w.claim.proposal = Proposal({
            aggregateRoot: isSmall ? ChunkTree.chunkRoot(w.aggregate, 32) : keccak256("aggregate"),
            matrixRoot: isSmall ? ChunkTree.chunkRoot(w.matrix, matrixChunk(w)) : keccak256("matrix"),
            modelRoot: keccak256("next model"),
            membersRoot: ChunkTree.rootOf(memberLeaves(w)),
            dataId: keccak256("manifest"),
            committed: uint16(w.updates.length)
        });
        VM.warp(ledger.round(w.roundId).dataEnd + 1);
        w.claim.segmentsHash = ledger.round(w.roundId).segmentsHash;
        (w.claim.excludedHash, w.claim.auxHash) = (keccak256(""), keccak256(w.aux));
        VM.prank(signer());
        ledger.propose(w.roundId, w.claim.proposal, "", w.aux);
    }

    /// Add `error` to one posted distance.
    function lie(World memory w, uint256 low, uint256 high, int256 error) internal pure {
        uint256 posted = uint256(int256(w.distances[low][high]) + error);
        (w.distances[low][high], w.distances[high][low]) = (posted, posted);
        w.aux = packed(w.distances);
    }

    function phaseOf(World memory w) internal view returns (Phase) {
        return ledger.round(w.roundId).phase;
    }

    // ------------------------------------------------------------------------------------------------------- proofs

    function blockRoots(World memory w, uint256 i) internal view returns (bytes32[] memory roots) {
        bytes[] memory blocks = w.updates[i];
        roots = new bytes32[](blocks.length);
        bytes memory last;
        for (uint256 b = 0; b < roots.length; ++b) {
            bytes memory data = blocks[b];
            bool isSame;
            assembly ("memory-safe") {
                isSame := eq(data, last)
            }
            roots[b] = isSame ? roots[b - 1] : ChunkTree.chunkRoot(data, 4 << w.task.leafLog2);
            last = data;
        }
    }

    function memberLeaves(World memory w) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](w.updates.length);
        for (uint256 i = 0; i < leaves.length; ++i)
            leaves[i] = ChunkTree.leafHash(abi.encodePacked(uint32(i + 1), w.commitments[i]));
    }

    /// Siblings of a node, packed; overwrites `level`.
    function pathIn(
        bytes32[] memory level,
        uint256 index,
        bool isKeccak
    ) internal view returns (bytes memory path) {
        for (uint256 width = level.length; width > 1; width = (width + 1) / 2) {
            if (index ^ 1 < width) path = abi.encodePacked(path, level[index ^ 1]);
            for (uint256 i = 0; i + 1 < width; i += 2)
                level[i / 2] =
                    isKeccak
                        ? SegmentTree.nodeHash(level[i], level[i + 1])
                        : ChunkTree.nodeHash(level[i], level[i + 1]);
            if (width % 2 == 1) level[width / 2] = level[width - 1];
            index /= 2;
        }
    }

    /// At most `size` bytes from `start` on.
    function cut(bytes memory data, uint256 start, uint256 size) internal pure returns (bytes memory part) {
        if (start + size > data.length) size = data.length - start;
        part = new bytes(size);
        for (uint256 i = 0; i < size; ++i) part[i] = data[start + i];
    }

    function openingOf(bytes memory data, uint256 size, uint256 index) internal view returns (bytes memory) {
        uint256 count = (data.length + size - 1) / size;
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) leaves[i] = ChunkTree.leafHash(cut(data, i * size, size));
        return abi.encodePacked(cut(data, index * size, size), pathIn(leaves, index, false));
    }

    function blockOpening(World memory w, uint256 slot, uint256 b) internal view returns (bytes memory) {
        return
            abi.encodePacked(
                uint32(slot + 1),
                w.examples[slot],
                w.updates[slot][b],
                pathIn(blockRoots(w, slot), b, false)
            );
    }

    function blocksProof(World memory w, Game memory game, uint256 b) internal view returns (bytes memory) {
        return
            abi.encodePacked(
                blockOpening(w, game.low, b),
                pathIn(memberLeaves(w), game.low, false),
                blockOpening(w, game.high, b),
                pathIn(memberLeaves(w), game.high, false)
            );
    }

    function partProof(bytes memory parts, uint256 part) internal view returns (bytes memory) {
        uint256 groups = (parts.length + 319) / 320;
        bytes32[] memory leaves = new bytes32[](groups);
        for (uint256 i = 0; i < groups; ++i)
            leaves[i] = keccak256(abi.encodePacked(uint8(0), cut(parts, 320 * i, 320)));
        return abi.encodePacked(cut(parts, 320 * (part / 32), 320), pathIn(leaves, part / 32, true));
    }

    // -------------------------------------------------------------------------------------------------------- games

    /// True distances over the parts of a game's range.
    function trueParts(World memory w, Game memory game) internal pure returns (uint256[] memory parts) {
        uint8 lower = KrumLayout.below(game.blocks, game.height);
        uint256 first = KrumLayout.firstPart(game.blocks, game.height, game.index);
        parts = new uint256[](KrumLayout.partCount(game.blocks, game.height, game.index));
        for (uint256 i = 0; i < parts.length; ++i) {
            for (uint256 b = (first + i) << lower; b < (first + i + 1) << lower && b < game.blocks; ++b)
                parts[i] += blockDistance(w, game.low, game.high, b);
        }
    }

    function packParts(uint256[] memory parts) internal pure returns (bytes memory data) {
        for (uint256 i = 0; i < parts.length; ++i) data = abi.encodePacked(data, uint80(parts[i]));
    }

    function open(
        World memory w,
        address challenger,
        uint16 low,
        uint16 high
    ) internal returns (Game memory) {
        return openSaying(w, challenger, low, high, uint96(w.distances[low][high]));
    }

    function openSaying(
        World memory w,
        address challenger,
        uint16 low,
        uint16 high,
        uint96 distance
    ) internal returns (Game memory) {
        LOGS.recordLogs();
        VM.prank(challenger);
        krum.challenge{value: GAME_BOND}(w.roundId, w.claim, low, high, distance);
        return lastGame();
    }

    function dissect(Game memory game, bytes memory parts) internal returns (Game memory) {
        LOGS.recordLogs();
        VM.prank(signer());
        krum.dissect(game, parts);
        return lastGame();
    }

    function pick(Game memory game, bytes memory parts, uint256 part) internal returns (Game memory) {
        LOGS.recordLogs();
        VM.prank(game.challenger);
        krum.pick(game, uint32(part), partProof(parts, part));
        return lastGame();
    }

    function proveCall(
        World memory w,
        Game memory game,
        bytes memory parts,
        uint256 part
    ) internal view returns (bytes memory) {
        uint256 b = KrumLayout.firstPart(game.blocks, game.height, game.index) + part;
        bytes memory proof = abi.encodePacked(partProof(parts, part), blocksProof(w, game, b));
        return abi.encodeCall(krum.prove, (game, uint32(part), proof));
    }

    /// The state that the court's last event tells.
    function lastGame() internal returns (Game memory game) {
        Log[] memory logs = LOGS.getRecordedLogs();
        for (uint256 i = logs.length; i > 0; --i) {
            if (logs[i - 1].emitter == address(krum) && logs[i - 1].data.length >= 14 * 32)
                return abi.decode(logs[i - 1].data, (Game));
        }
        revert Untrue("no game was told");
    }

    function idOf(Game memory game) internal pure returns (bytes32) {
        return keccak256(abi.encode(game.roundId, game.challenger, game.low, game.high));
    }

    function isOpen(Game memory game) internal view returns (bool) {
        return krum.gameHash(idOf(game)) != 0;
    }

    function hintsOf(
        uint256[][] memory distances,
        uint256 f,
        uint256 count
    ) internal pure returns (bytes memory thresholds, uint256 last) {
        uint256 n = distances.length;
        int256[] memory scores = IntegerRules.krumScores(distances, f);
        for (uint256 i = 0; i < n; ++i) {
            int256[] memory row = new int256[](n - 1);
            for (uint256 j = 0; j < n - 1; ++j) row[j] = int256(distances[i][j < i ? j : j + 1]);
            thresholds = abi.encodePacked(thresholds, uint96(uint256(OrderStats.sorted(row)[n - f - 3])));
            uint256 rank = 0;
            for (uint256 j = 0; j < n; ++j)
                if (scores[j] < scores[i] || (scores[j] == scores[i] && j < i)) ++rank;
            if (rank + 1 == count) last = i;
        }
    }

    function selectionProof(World memory w, uint256 coordinate) internal view returns (bytes memory) {
        uint256 count = w.task.ruleSelect == 0 ? 1 : w.task.ruleSelect;
        (bytes memory thresholds, uint256 last) = hintsOf(w.distances, w.task.ruleParam, count);
        return
            abi.encodePacked(
                thresholds,
                uint16(last),
                openingOf(w.matrix, matrixChunk(w), coordinate >> w.task.matrixLog2),
                openingOf(w.aggregate, 32, coordinate / 8)
            );
    }

    function selectionCall(
        World memory w,
        uint32 coordinate,
        bytes memory proof
    ) internal view returns (bytes memory) {
        return abi.encodeCall(krum.proveSelectionColumn, (w.roundId, w.claim, coordinate, w.aux, proof));
    }

    /// Make the parts sum to a wrong distance: move what they hold about, and put the error somewhere.
    function distribute(uint256[] memory parts, uint256 distance, uint256 seed) internal pure {
        uint256 sum = 0;
        for (uint256 i = 0; i < parts.length; ++i) sum += parts[i];
        if (seed % 3 == 2) parts[0] = sum - sumFrom(parts, 1);
        for (uint256 i = 0; i < parts.length && sum > distance; ++i) {
            uint256 at = (seed + i) % parts.length;
            uint256 step = parts[at] < sum - distance ? parts[at] : sum - distance;
            (parts[at], sum) = (parts[at] - step, sum - step);
        }
        if (sum < distance) parts[seed % parts.length] += distance - sum;
        // Two more errors that cancel out.
        if (seed % 3 == 1 && parts.length > 2 && parts[0] > 0)
            (parts[0], parts[1]) = (parts[0] - 1, parts[1] + 1);
    }

    function sumFrom(uint256[] memory parts, uint256 start) internal pure returns (uint256 sum) {
        for (uint256 i = start; i < parts.length; ++i) sum += parts[i];
    }

    function firstWrong(uint256[] memory got, uint256[] memory want) internal pure returns (uint256) {
        for (uint256 i = 0; i < got.length; ++i) if (got[i] != want[i]) return i;
        revert Untrue("no part is wrong");
    }

    // -------------------------------------------------------------------------------------------------------- calls

    function send(address from, bytes memory call) internal returns (bool held, bytes memory reason) {
        VM.prank(from);
        // solhint-disable-next-line avoid-low-level-calls
        return address(krum).call(call);
    }

    function holds(address from, bytes memory call) internal {
        (bool held, bytes memory reason) = send(from, call);
        if (held) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    /// Refused, with an error of this selector.
    function refused(address from, bytes memory call, bytes4 want) internal {
        (bool held, bytes memory reason) = send(from, call);
        check(!held, "a call held");
        if (bytes4(reason) != want) revert NotEqual(bytes4(reason), want);
    }

    function creditOf(address account) internal view returns (uint256) {
        return registry.creditOf(account);
    }
}
