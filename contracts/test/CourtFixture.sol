// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {DisputeCourt} from "../DisputeCourt.sol";
import {ParticipantRegistry} from "../ParticipantRegistry.sol";
import {RoundLedger} from "../RoundLedger.sol";
import {Claim} from "../interfaces/IDisputeCourt.sol";
import {Phase, Proposal, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

/// A deployment with its court, and whole rounds whose vectors the tests hold: clients 1..9, aggregator 10.
abstract contract CourtFixture is LedgerFixture {
    uint256 internal constant CLIENTS = 9;
    address internal constant CHALLENGER = address(0xCA11);

    /// A round with everything that a challenger knows. Vectors may be changed before `propose`.
    struct World {
        Task task;
        uint64 roundId;
        /// Clients 1..committed commit; those of `excluded` are left out.
        uint256 committed;
        bytes excluded;
        uint32[] clients;
        int32[][] updates;
        uint32[] examples;
        bytes32[] commitments;
        /// Of the included, in rising id.
        int32[][] included;
        uint32[] includedExamples;
        uint32[] includedIds;
        int32[] base;
        int32[] aggregate;
        int32[] model;
        bytes matrix;
        Claim claim;
    }

    DisputeCourt internal court;
    uint32 internal aggregator;

    function setUp() public virtual override {
        super.setUp();
        uint256 nonce = VM.getNonce(address(this));
        address ledgerAt = VM.computeCreateAddress(address(this), nonce + 1);
        address courtAt = VM.computeCreateAddress(address(this), nonce + 2);
        registry = new ParticipantRegistry(
            ledgerAt,
            courtAt,
            CLIENT_STAKE,
            AGGREGATOR_STAKE,
            3 ether,
            ACTIVATION,
            UNBOND
        );
        ledger = new RoundLedger(address(registry), courtAt, address(this));
        court = new DisputeCourt(address(registry), address(ledger));
        same(address(court), courtAt);
        aggregator = assemble(CLIENTS);
    }

    // ------------------------------------------------------------------------------------------------------- worlds

    function smallTask(Rule rule, uint32 size, uint8 matrixLog2) internal pure returns (Task memory task) {
        task = sampleTask();
        (task.rule, task.ruleParam, task.quorum) = (rule, 0, 1);
        (task.size, task.leafLog2, task.matrixLog2) = (size, 3, matrixLog2);
        (task.bound, task.examplesCap) = (1000, 50);
    }

    /// An update's coordinate: small, at the bound, beyond it, or at the end of the range.
    function draw(uint256 seed, uint256 i, uint256 j) internal pure returns (int32) {
        uint256 x = uint256(keccak256(abi.encode(seed, i, j)));
        uint256 kind = x % 8;
        if (kind == 0) return type(int32).min;
        if (kind == 1) return type(int32).max;
        if (kind == 2) return int32(uint32(x >> 8));
        if (kind == 3) return 1000;
        if (kind == 4) return -1001;
        return int32(int256((x >> 8) % 21)) - 10;
    }

    /// A round in which clients 1..n committed, half of them in a batch and half by themselves before it.
    function committedWorld(
        Task memory task,
        uint256 n,
        bytes memory excluded,
        uint256 seed
    ) internal returns (World memory w) {
        (w.committed, w.excluded) = (n, excluded);
        w.base = new int32[](task.size);
        for (uint256 j = 0; j < task.size; ++j) w.base[j] = draw(seed, 1000, j);
        task.genesisModel = vectorRoot(w.base);
        w.task = task;
        uint32 taskId = ledger.createTask(task);
        _restake();
        VM.prank(VM.addr(keyOf(aggregator)));
        w.roundId = ledger.openRound(taskId, aggregator);
        _drawUpdates(w, seed);
        _commitAll(w);
        _include(w);
        _recompute(w);
    }

    /// An aggregator that an earlier round of the test took its bond from comes back.
    function _restake() private {
        uint256 missing = AGGREGATOR_STAKE - stakeOf(aggregator);
        if (missing == 0) return;
        registry.deposit{value: missing}(aggregator);
        VM.warp(registry.participant(aggregator).activeFrom);
    }

    function _drawUpdates(World memory w, uint256 seed) private view {
        uint256 n = w.committed;
        (w.clients, w.examples) = (new uint32[](n), new uint32[](n));
        (w.updates, w.commitments) = (new int32[][](n), new bytes32[](n));
        for (uint256 i = 0; i < n; ++i) {
            w.clients[i] = uint32(i + 1);
            w.examples[i] = uint32(1 + (uint256(keccak256(abi.encode(seed, "examples", i))) % 80));
            w.updates[i] = new int32[](w.task.size);
            for (uint256 j = 0; j < w.task.size; ++j) w.updates[i][j] = draw(seed, i, j);
            w.commitments[i] = CommitHash.commitment(
                ledger.domainSeparator(),
                w.roundId,
                w.clients[i],
                w.examples[i],
                vectorRoot(w.updates[i])
            );
        }
    }

    function _commitAll(World memory w) private {
        uint256 half = w.committed / 2;
        for (uint256 i = half; i < w.committed; ++i) {
            VM.prank(ownerOf(w.clients[i]));
            ledger.commit(w.roundId, w.clients[i], w.commitments[i]);
        }
        bytes memory batch;
        for (uint256 i = 0; i < half; ++i) {
            bytes32 digest = CommitHash.commitmentDigest(
                ledger.domainSeparator(),
                w.roundId,
                w.clients[i],
                w.commitments[i]
            );
            (bytes32 r, bytes32 vs) = compact(keyOf(w.clients[i]), digest);
            batch = abi.encodePacked(batch, w.clients[i], w.commitments[i], r, vs);
        }
        if (half != 0) ledger.commitBatch(w.roundId, batch);
    }

    function isExcluded(World memory w, uint32 client) internal pure returns (bool) {
        for (uint256 at = 0; at < w.excluded.length; at += 6) {
            if (uint8(w.excluded[at + 3]) == client) return true;
        }
        return false;
    }

    function _include(World memory w) private pure {
        uint256 n = w.committed - w.excluded.length / 6;
        (w.included, w.includedExamples, w.includedIds) = (
            new int32[][](n),
            new uint32[](n),
            new uint32[](n)
        );
        uint256 slot = 0;
        for (uint256 i = 0; i < w.committed; ++i) {
            if (isExcluded(w, w.clients[i])) continue;
            w.included[slot] = w.updates[i];
            w.includedExamples[slot] = w.examples[i];
            w.includedIds[slot++] = w.clients[i];
        }
    }

    function columnOf(World memory w, uint256 j) internal pure returns (int32[] memory column) {
        column = new int32[](w.included.length);
        for (uint256 i = 0; i < column.length; ++i) column[i] = w.included[i][j];
        if (w.task.rule != Rule.Sum32) column = IntegerRules.clampAll(column, w.task.bound);
    }

    /// The specification's rule, by sorting.
    function honestValue(World memory w, uint256 j) internal pure returns (int32) {
        int32[] memory column = columnOf(w, j);
        if (w.task.rule == Rule.Sum32) return IntegerRules.sum32(column);
        if (w.task.rule == Rule.Median) return IntegerRules.median(column);
        if (w.task.rule == Rule.TrimmedMean) return IntegerRules.trimmedMean(column, w.task.ruleParam);
        if (w.task.rule == Rule.WeightedMean)
            return IntegerRules.weightedMean(column, w.includedExamples, w.task.examplesCap);
        return IntegerRules.mean(column);
    }

    function _recompute(World memory w) private pure {
        uint256 n = w.included.length;
        w.aggregate = new int32[](w.task.size);
        w.model = new int32[](w.task.size);
        int32[] memory flat = new int32[](n * w.task.size);
        for (uint256 j = 0; j < w.task.size; ++j) {
            w.aggregate[j] = honestValue(w, j);
            w.model[j] = IntegerRules.modelStep(w.base[j], w.aggregate[j]);
            for (uint256 i = 0; i < n; ++i) flat[j * n + i] = w.included[i][j];
        }
        w.matrix = LittleEndian.encode(flat);
    }

    /// Put forward whatever the world holds now.
    function propose(World memory w) internal {
        w.claim.proposal = Proposal({
            aggregateRoot: vectorRoot(w.aggregate),
            matrixRoot: ChunkTree.chunkRoot(w.matrix, matrixChunk(w)),
            membersRoot: ChunkTree.rootOf(memberLeaves(w)),
            modelRoot: vectorRoot(w.model),
            dataId: "manifest"
        });
        proposeClaim(w);
    }

    function proposeClaim(World memory w) internal {
        w.claim.excludedHash = keccak256(w.excluded);
        pass(ledger.round(w.roundId).dataEnd);
        VM.prank(VM.addr(keyOf(aggregator)));
        ledger.propose(w.roundId, w.claim.proposal, w.excluded);
    }

    function phaseOf(World memory w) internal view returns (Phase) {
        return ledger.round(w.roundId).phase;
    }

    // ------------------------------------------------------------------------------------------------------- proofs

    function vectorRoot(int32[] memory vector) internal view returns (bytes32) {
        return ChunkTree.chunkRoot(LittleEndian.encode(vector), 32);
    }

    function matrixChunk(World memory w) internal pure returns (uint256) {
        return (4 * w.included.length) << w.task.matrixLog2;
    }

    function memberLeaves(World memory w) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](w.includedIds.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint32 client = w.includedIds[i];
            leaves[i] = ChunkTree.leafHash(abi.encodePacked(client, w.commitments[client - 1]));
        }
    }

    /// Siblings of a leaf, packed; overwrites `level`.
    function pathIn(
        bytes32[] memory level,
        uint256 index,
        bool isSegment
    ) internal view returns (bytes memory path) {
        for (uint256 width = level.length; width > 1; width = (width + 1) / 2) {
            if (index ^ 1 < width) path = abi.encodePacked(path, level[index ^ 1]);
            for (uint256 i = 0; i + 1 < width; i += 2)
                level[i / 2] =
                    isSegment
                        ? SegmentTree.nodeHash(level[i], level[i + 1])
                        : ChunkTree.nodeHash(level[i], level[i + 1]);
            if (width % 2 == 1) level[width / 2] = level[width - 1];
            index /= 2;
        }
    }

    function openingOf(bytes memory data, uint256 size, uint256 index) internal view returns (bytes memory) {
        uint256 count = (data.length + size - 1) / size;
        bytes32[] memory leaves = new bytes32[](count);
        bytes memory chosen;
        for (uint256 i = 0; i < count; ++i) {
            bytes memory chunk = cut(data, i * size, size);
            if (i == index) chosen = chunk;
            leaves[i] = ChunkTree.leafHash(chunk);
        }
        return abi.encodePacked(chosen, pathIn(leaves, index, false));
    }

    /// At most `size` bytes from `start` on.
    function cut(bytes memory data, uint256 start, uint256 size) internal pure returns (bytes memory part) {
        if (start + size > data.length) size = data.length - start;
        part = new bytes(size);
        for (uint256 i = 0; i < size; ++i) part[i] = data[start + i];
    }

    function opening(int32[] memory vector, uint256 j) internal view returns (bytes memory) {
        return openingOf(LittleEndian.encode(vector), 32, j / 8);
    }

    function matrixOpening(World memory w, uint256 j) internal view returns (bytes memory) {
        return openingOf(w.matrix, matrixChunk(w), j >> w.task.matrixLog2);
    }

    function updateOpening(World memory w, uint256 i, uint256 j) internal view returns (bytes memory) {
        return abi.encodePacked(w.clients[i], w.examples[i], opening(w.updates[i], j));
    }

    function columnProof(World memory w, uint256 j) internal view returns (bytes memory) {
        return abi.encodePacked(matrixOpening(w, j), opening(w.aggregate, j));
    }

    function transposeProof(World memory w, uint256 j, uint256 slot) internal view returns (bytes memory) {
        return
            abi.encodePacked(
                matrixOpening(w, j),
                updateOpening(w, w.includedIds[slot] - 1, j),
                pathIn(memberLeaves(w), slot, false)
            );
    }

    function directProof(World memory w, uint256 j) internal view returns (bytes memory proof) {
        for (uint256 slot = 0; slot < w.includedIds.length; ++slot)
            proof = abi.encodePacked(proof, updateOpening(w, w.includedIds[slot] - 1, j));
        return abi.encodePacked(proof, opening(w.aggregate, j));
    }

    function modelProof(World memory w, uint256 j) internal view returns (bytes memory) {
        return abi.encodePacked(opening(w.base, j), opening(w.aggregate, j), opening(w.model, j));
    }

    /// Commitments in order of arrival: those beyond the half by themselves, then the batch.
    function membersProof(World memory w) internal pure returns (bytes memory) {
        uint256 half = w.committed / 2;
        bytes memory counts;
        bytes memory entries;
        for (uint256 i = half; i < w.committed; ++i) {
            counts = abi.encodePacked(counts, uint16(1));
            entries = abi.encodePacked(entries, w.clients[i], w.commitments[i]);
        }
        if (half != 0) counts = abi.encodePacked(counts, uint16(half));
        for (uint256 i = 0; i < half; ++i)
            entries = abi.encodePacked(entries, w.clients[i], w.commitments[i]);
        return abi.encodePacked(counts, entries, membersOrder(w));
    }

    function membersOrder(World memory w) internal pure returns (bytes memory order) {
        uint256 half = w.committed / 2;
        for (uint256 slot = 0; slot < w.includedIds.length; ++slot) {
            uint256 i = w.includedIds[slot] - 1;
            order = abi.encodePacked(order, uint16(i < half ? w.committed - half + i : i - half));
        }
    }

    function clipProof(World memory w, uint256 i, uint256 j) internal view returns (bytes memory) {
        uint256 half = w.committed / 2;
        bytes memory list;
        for (uint256 k = half; k < w.committed; ++k)
            list = abi.encodePacked(list, SegmentTree.leaf(w.clients[k], w.commitments[k]), uint16(1));
        if (half != 0) list = abi.encodePacked(list, SegmentTree.root(batchLeaves(w)), uint16(half));
        bool single = i >= half;
        return
            abi.encodePacked(
                updateOpening(w, i, j),
                uint16(single ? i - half : w.committed - half),
                uint16(single ? 0 : i),
                list,
                single ? bytes("") : pathIn(batchLeaves(w), i, true)
            );
    }

    function batchLeaves(World memory w) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](w.committed / 2);
        for (uint256 i = 0; i < leaves.length; ++i)
            leaves[i] = SegmentTree.leaf(w.clients[i], w.commitments[i]);
    }

    /// The hints that hold: lowest and highest kept value.
    function hintsOf(World memory w, uint256 j) internal pure returns (int32 low, int32 high) {
        if (w.task.rule != Rule.Median && w.task.rule != Rule.TrimmedMean) return (0, 0);
        int32[] memory column = columnOf(w, j);
        uint256 trim = w.task.rule == Rule.Median ? (column.length - 1) / 2 : w.task.ruleParam;
        int256[] memory wide = new int256[](column.length);
        for (uint256 i = 0; i < wide.length; ++i) wide[i] = column[i];
        wide = OrderStats.sorted(wide);
        return (int32(wide[trim]), int32(wide[wide.length - 1 - trim]));
    }

    // -------------------------------------------------------------------------------------------------------- calls

    function columnCall(World memory w, uint256 j, bytes memory proof) internal view returns (bytes memory) {
        (int32 low, int32 high) = hintsOf(w, j);
        return abi.encodeCall(court.proveColumn, (w.roundId, w.claim, uint32(j), low, high, proof));
    }

    function transposeCall(
        World memory w,
        uint256 j,
        uint256 slot,
        bytes memory proof
    ) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveTranspose, (w.roundId, w.claim, uint32(j), uint32(slot), proof));
    }

    function directCall(World memory w, uint256 j, bytes memory proof) internal view returns (bytes memory) {
        (int32 low, int32 high) = hintsOf(w, j);
        return abi.encodeCall(court.proveDirect, (w.roundId, w.claim, uint32(j), low, high, proof));
    }

    function modelCall(World memory w, uint256 j, bytes memory proof) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveModelStep, (w.roundId, w.claim, uint32(j), proof));
    }

    function membersCall(World memory w, bytes memory proof) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveMembers, (w.roundId, w.claim, w.excluded, proof));
    }

    function clipCall(World memory w, uint256 j, bytes memory proof) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveClipViolation, (w.roundId, uint32(j), proof));
    }

    /// Send a proof as the challenger. Returns whether it held and what it reverted with.
    function challenge(bytes memory call) internal returns (bool held, bytes memory reason) {
        VM.prank(CHALLENGER);
        // solhint-disable-next-line avoid-low-level-calls
        return address(court).call(call);
    }

    function holds(bytes memory call) internal {
        (bool held, bytes memory reason) = challenge(call);
        if (held) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    function fails(bytes memory call, bytes memory want) internal {
        (bool held, bytes memory reason) = challenge(call);
        check(!held, "a proof held");
        if (keccak256(reason) != keccak256(want)) revert NotEqual(bytes32(reason), bytes32(want));
    }

    /// Refused, with an error of this selector.
    function failsWith(bytes memory call, bytes4 want) internal {
        (bool held, bytes memory reason) = challenge(call);
        check(!held, "a proof held");
        if (bytes4(reason) != want) revert NotEqual(bytes4(reason), want);
    }
}
