// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "../interfaces/IDisputeCourt.sol";
import {Participant} from "../interfaces/IParticipantRegistry.sol";
import {CommitMode, Outcome, Phase, Proposal, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {ProposalHash} from "../libraries/ProposalHash.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

/// Whole rounds whose vectors the tests hold, and the proofs about them: clients 1..clientCount(), then the aggregator.
abstract contract CourtFixture is LedgerFixture {
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
        /// Signed entries (client | commitment | r | vs).
        bytes[] entries;
        /// Of the included, in rising id.
        int32[][] included;
        uint32[] includedWeights;
        uint32[] includedIds;
        int32[] base;
        int32[] aggregate;
        int32[] model;
        bytes matrix;
        bytes aux;
        Claim claim;
    }

    uint32 internal aggregator;

    function setUp() public virtual override {
        super.setUp();
        aggregator = assemble(clientCount());
    }

    function clientCount() internal pure virtual returns (uint256) {
        return 9;
    }

    // ------------------------------------------------------------------------------------------------------- worlds

    /// Leaves of 8 coordinates in an update and of 16 in a model, so that no tree passes for the other.
    function smallTask(Rule rule, uint32 size, uint8 matrixLog2) internal pure returns (Task memory task) {
        task = sampleTask();
        (task.rule, task.ruleParam, task.quorum) = (rule, 0, 1);
        (task.size, task.leafLog2, task.matrixLog2, task.modelLog2) = (size, 3, matrixLog2, 4);
        (task.bound, task.examplesCap) = (1000, 50);
    }

    /// An update's coordinate: small, at the bound, beyond it, or at the end of the range.
    function draw(uint256 seed, uint256 i, uint256 j) internal pure virtual returns (int32) {
        uint256 x = uint256(keccak256(abi.encode(seed, i, j)));
        uint256 kind = x % 8;
        if (kind == 0) return type(int32).min;
        if (kind == 1) return type(int32).max;
        if (kind == 2) return int32(uint32(x >> 8));
        if (kind == 3) return 1000;
        if (kind == 4) return -1001;
        return int32(int256((x >> 8) % 21)) - 10;
    }

    /// A round in which clients 1..n committed, as the task's mode has it.
    function committedWorld(
        Task memory task,
        uint256 n,
        bytes memory excluded,
        uint256 seed
    ) internal returns (World memory w) {
        w = openWorld(task, n, excluded, seed);
        commitWorld(w);
        includeUpdates(w);
    }

    /// A round that has opened, and what its clients are going to commit to.
    function openWorld(
        Task memory task,
        uint256 n,
        bytes memory excluded,
        uint256 seed
    ) internal returns (World memory w) {
        (w.committed, w.excluded) = (n, excluded);
        w.base = new int32[](task.size);
        for (uint256 j = 0; j < task.size; ++j) w.base[j] = draw(seed, 1000, j);
        task.genesisModel = vectorRoot(w.base, task.modelLog2);
        w.task = task;
        uint32 taskId = ledger.createTask(task);
        restake();
        if (task.weiPerWeight != 0) _drawStakes(task, n, seed);
        VM.prank(VM.addr(keyOf(aggregator)));
        w.roundId = ledger.openRound(taskId, aggregator);
        _drawUpdates(w, seed);
    }

    /// An aggregator that an earlier round of the test took its bond from, or holds one, comes back.
    function restake() internal {
        Participant memory p = registry.participant(aggregator);
        uint256 missing = AGGREGATOR_STAKE + p.lockedWei - p.stakeWei;
        if (missing == 0) return;
        registry.deposit{value: missing}(aggregator);
        uint40 activeFrom = registry.participant(aggregator).activeFrom;
        if (activeFrom > clock()) VM.warp(activeFrom);
    }

    /// Some stakes limit the weight and some do not.
    function _drawStakes(Task memory task, uint256 n, uint256 seed) private {
        for (uint32 client = 1; client <= n; ++client) {
            uint256 x = uint256(keccak256(abi.encode(seed, "stake", client)));
            registry.deposit{value: (x % 60) * task.weiPerWeight}(client);
        }
        VM.warp(clock() + 1);
        // In the second of the opening is too late to weigh anything.
        for (uint32 client = 1; client <= n; ++client)
            registry.deposit{value: 60 * uint256(task.weiPerWeight)}(client);
    }

    function _drawUpdates(World memory w, uint256 seed) private view {
        uint256 n = w.committed;
        (w.clients, w.examples) = (new uint32[](n), new uint32[](n));
        (w.updates, w.commitments) = (new int32[][](n), new bytes32[](n));
        w.entries = new bytes[](n);
        for (uint256 i = 0; i < n; ++i) {
            w.clients[i] = uint32(i + 1);
            w.examples[i] = uint32(uint256(keccak256(abi.encode(seed, "examples", i))) % 80);
            w.updates[i] = new int32[](w.task.size);
            for (uint256 j = 0; j < w.task.size; ++j) w.updates[i][j] = draw(seed, i, j);
            w.commitments[i] = commitmentTo(w, i);
            w.entries[i] = signedEntry(w.roundId, w.clients[i], w.commitments[i], keyOf(w.clients[i]));
        }
    }

    function commitmentTo(World memory w, uint256 i) internal view returns (bytes32) {
        bytes32 root = vectorRoot(w.updates[i], w.task.leafLog2);
        bytes32 domain = ledger.domainSeparator();
        return CommitHash.commitment(domain, w.roundId, w.clients[i], w.examples[i], root);
    }

    function signedEntry(
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        uint256 key
    ) internal view returns (bytes memory) {
        bytes32 digest = CommitHash.commitmentDigest(ledger.domainSeparator(), roundId, client, commitment);
        (bytes32 r, bytes32 vs) = compact(key, digest);
        return abi.encodePacked(client, commitment, r, vs);
    }

    /// Clients in their order of arrival. Verified: half of them by themselves, then the others in a batch;
    /// accumulated: by themselves, backwards; root-only: as the list has them.
    function arrivals(World memory w) internal pure returns (uint256[] memory order) {
        uint256 n = w.committed;
        uint256 batched = batchSize(w);
        order = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            if (w.task.mode == CommitMode.RootOnly) order[i] = i;
            else if (w.task.mode == CommitMode.Accumulated) order[i] = n - 1 - i;
            else order[i] = i < n - batched ? batched + i : i - (n - batched);
        }
    }

    /// Commitments of the round's last segment; all others come by themselves.
    function batchSize(World memory w) internal pure returns (uint256) {
        if (w.task.mode == CommitMode.RootOnly) return w.committed;
        return w.task.mode == CommitMode.Verified ? w.committed / 2 : 0;
    }

    function commitWorld(World memory w) internal {
        uint256[] memory order = arrivals(w);
        uint256 singles = w.committed - batchSize(w);
        for (uint256 k = 0; k < singles; ++k) {
            uint256 i = order[k];
            VM.prank(ownerOf(w.clients[i]));
            ledger.commit(w.roundId, w.clients[i], w.commitments[i]);
        }
        if (batchSize(w) == 0) return;
        if (w.task.mode == CommitMode.Verified) ledger.commitBatch(w.roundId, batchBytes(w));
        else commitList(w.roundId, SegmentTree.root(batchLeaves(w)), uint16(w.committed), batchBytes(w));
    }

    function commitList(uint64 roundId, bytes32 root, uint16 count, bytes memory list) internal {
        // Hashing is a call: it would use the prank up.
        bytes32 listId = sha256(list);
        VM.prank(VM.addr(keyOf(aggregator)));
        ledger.commitRoot(roundId, root, count, listId);
    }

    function batchBytes(World memory w) internal pure returns (bytes memory batch) {
        for (uint256 i = 0; i < batchSize(w); ++i) batch = abi.encodePacked(batch, w.entries[i]);
    }

    /// Leaves of the last segment.
    function batchLeaves(World memory w) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](batchSize(w));
        for (uint256 i = 0; i < leaves.length; ++i)
            leaves[i] =
                w.task.mode == CommitMode.RootOnly
                    ? keccak256(abi.encodePacked(uint8(0), w.entries[i]))
                    : SegmentTree.leaf(w.clients[i], w.commitments[i]);
    }

    function isExcluded(World memory w, uint32 client) internal pure returns (bool) {
        for (uint256 at = 0; at < w.excluded.length; at += 6) {
            if (uint8(w.excluded[at + 3]) == client) return true;
        }
        return false;
    }

    /// Everything that an honest aggregator makes of the updates.
    function includeUpdates(World memory w) internal view {
        uint256 n = w.committed - w.excluded.length / 6;
        w.included = new int32[][](n);
        (w.includedWeights, w.includedIds) = (new uint32[](n), new uint32[](n));
        uint256 slot = 0;
        for (uint256 i = 0; i < w.committed; ++i) {
            if (isExcluded(w, w.clients[i])) continue;
            w.included[slot] = w.updates[i];
            w.includedWeights[slot] = weightOf(w, i);
            w.includedIds[slot++] = w.clients[i];
        }
        recompute(w);
    }

    /// min(examples, cap, stake before the round / wei per weight)
    function weightOf(World memory w, uint256 i) internal view returns (uint32 weight) {
        weight = w.examples[i] < w.task.examplesCap ? w.examples[i] : w.task.examplesCap;
        if (w.task.weiPerWeight == 0) return weight;
        uint40 before = ledger.round(w.roundId).openedAt - 1;
        uint256 byStake = registry.stakeAt(w.clients[i], before) / w.task.weiPerWeight;
        if (byStake < weight) weight = uint32(byStake);
    }

    function columnOf(World memory w, uint256 j) internal pure returns (int32[] memory column) {
        column = new int32[](w.included.length);
        for (uint256 i = 0; i < column.length; ++i) column[i] = w.included[i][j];
        if (w.task.rule != Rule.Sum32) column = IntegerRules.clampAll(column, w.task.bound);
    }

    /// The specification's rule, by sorting.
    function honestValue(World memory w, uint256 j) internal pure virtual returns (int32) {
        int32[] memory column = columnOf(w, j);
        if (w.task.rule == Rule.Sum32) return IntegerRules.sum32(column);
        if (w.task.rule == Rule.Median) return IntegerRules.median(column);
        if (w.task.rule == Rule.TrimmedMean) return IntegerRules.trimmedMean(column, w.task.ruleParam);
        if (w.task.rule == Rule.WeightedMean)
            return IntegerRules.weightedMean(column, w.includedWeights, w.task.examplesCap);
        return IntegerRules.mean(column);
    }

    /// What the rule asks for beside roots: the weights of a weighted mean.
    function honestAux(World memory w) internal pure virtual returns (bytes memory aux) {
        if (w.task.rule != Rule.WeightedMean) return aux;
        for (uint256 i = 0; i < w.includedWeights.length; ++i)
            aux = abi.encodePacked(aux, w.includedWeights[i]);
    }

    function recompute(World memory w) internal pure {
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
        w.aux = honestAux(w);
    }

    /// Put forward whatever the world holds now.
    function propose(World memory w) internal {
        w.claim.proposal = Proposal({
            aggregateRoot: vectorRoot(w.aggregate, w.task.modelLog2),
            matrixRoot: ChunkTree.chunkRoot(w.matrix, matrixChunk(w)),
            modelRoot: vectorRoot(w.model, w.task.modelLog2),
            membersRoot: rootOfMembers(w),
            dataId: "manifest",
            committed: uint16(w.committed)
        });
        proposeClaim(w);
    }

    /// Put the claim's proposal forward, with the world's exclusions and auxiliary data.
    function proposeClaim(World memory w) internal {
        w.claim.segmentsHash = ledger.round(w.roundId).segmentsHash;
        (w.claim.excludedHash, w.claim.auxHash) = (keccak256(w.excluded), keccak256(w.aux));
        pass(ledger.round(w.roundId).dataEnd);
        VM.prank(VM.addr(keyOf(aggregator)));
        ledger.propose(w.roundId, w.claim.proposal, w.excluded, w.aux);
    }

    function finish(World memory w) internal {
        pass(ledger.round(w.roundId).challengeEnd);
        ledger.finalise(w.roundId, outcomeOf(w));
    }

    function outcomeOf(World memory w) internal pure returns (Outcome memory) {
        return outcomeOf(w.claim.proposal, w.claim.segmentsHash, w.excluded, w.aux);
    }

    /// ProposalHash.core of the claim: what a column proof carries.
    function coreOf(World memory w) internal pure returns (bytes32) {
        Outcome memory outcome = outcomeOf(w);
        return ProposalHash.core(outcome.modelRoot, outcome.detailsHash);
    }

    function phaseOf(World memory w) internal view returns (Phase) {
        return phaseOf(w.roundId);
    }

    // ------------------------------------------------------------------------------------------------------- proofs

    function vectorRoot(int32[] memory vector, uint8 leafLog2) internal view returns (bytes32) {
        return ChunkTree.chunkRoot(LittleEndian.encode(vector), 4 << leafLog2);
    }

    function matrixChunk(World memory w) internal pure returns (uint256) {
        return (4 * w.included.length) << w.task.matrixLog2;
    }

    function rootOfMembers(World memory w) internal view returns (bytes32) {
        return ChunkTree.rootOf(memberLeaves(w));
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

    function opening(int32[] memory vector, uint8 leafLog2, uint256 j) internal view returns (bytes memory) {
        return openingOf(LittleEndian.encode(vector), 4 << leafLog2, j >> leafLog2);
    }

    /// Of an aggregate or a model.
    function modelOpening(
        World memory w,
        int32[] memory vector,
        uint256 j
    ) internal view returns (bytes memory) {
        return opening(vector, w.task.modelLog2, j);
    }

    function matrixOpening(World memory w, uint256 j) internal view returns (bytes memory) {
        return openingOf(w.matrix, matrixChunk(w), j >> w.task.matrixLog2);
    }

    function updateOpening(World memory w, uint256 i, uint256 j) internal view returns (bytes memory) {
        return abi.encodePacked(w.clients[i], w.examples[i], opening(w.updates[i], w.task.leafLog2, j));
    }

    /// With the hints that hold.
    function columnProof(World memory w, uint256 j) internal view returns (bytes memory) {
        (int32 low, int32 high) = hintsOf(w, j);
        return hintedProof(w, j, low, high);
    }

    function hintedProof(
        World memory w,
        uint256 j,
        int32 low,
        int32 high
    ) internal view returns (bytes memory) {
        return abi.encodePacked(uint32(j), low, high, weightedProof(w, j));
    }

    function weightedProof(World memory w, uint256 j) internal view returns (bytes memory) {
        return abi.encodePacked(matrixOpening(w, j), modelOpening(w, w.aggregate, j));
    }

    function weightProof(World memory w, uint256 slot) internal view returns (bytes memory) {
        bytes memory path = pathIn(memberLeaves(w), slot, false);
        return abi.encodePacked(updateOpening(w, w.includedIds[slot] - 1, 0), path);
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
        return abi.encodePacked(proof, modelOpening(w, w.aggregate, j));
    }

    function modelProof(World memory w, uint256 j) internal view returns (bytes memory) {
        return
            abi.encodePacked(
                modelOpening(w, w.base, j),
                modelOpening(w, w.aggregate, j),
                modelOpening(w, w.model, j)
            );
    }

    function membersProof(World memory w) internal pure returns (bytes memory) {
        return abi.encodePacked(membersCounts(w), membersEntries(w), membersOrder(w));
    }

    /// Number of segments, and commitments in each.
    function membersCounts(World memory w) internal pure returns (bytes memory counts) {
        uint256 batched = batchSize(w);
        uint256 singles = w.committed - batched;
        counts = abi.encodePacked(uint16(segmentCount(w)));
        for (uint256 i = 0; i < singles; ++i) counts = abi.encodePacked(counts, uint16(1));
        if (batched != 0) counts = abi.encodePacked(counts, uint16(batched));
    }

    function segmentCount(World memory w) internal pure returns (uint256) {
        uint256 batched = batchSize(w);
        return w.committed - batched + (batched == 0 ? 0 : 1);
    }

    function membersEntries(World memory w) internal pure returns (bytes memory entries) {
        uint256[] memory order = arrivals(w);
        bool isSigned = w.task.mode == CommitMode.RootOnly;
        for (uint256 k = 0; k < order.length; ++k) {
            bytes memory signed = w.entries[order[k]];
            entries = abi.encodePacked(entries, isSigned ? signed : cut(signed, 0, 36));
        }
    }

    /// Positions of the clients among the arrivals.
    function membersOrder(World memory w) internal pure returns (bytes memory order) {
        uint256[] memory from = arrivals(w);
        order = new bytes(2 * from.length);
        for (uint256 k = 0; k < from.length; ++k) {
            (order[2 * from[k]], order[2 * from[k] + 1]) = (bytes1(uint8(k >> 8)), bytes1(uint8(k)));
        }
    }

    function clipProof(World memory w, uint256 i, uint256 j) internal view returns (bytes memory) {
        uint256 batched = batchSize(w);
        bool single = i >= batched;
        uint256 number = single ? 0 : segmentCount(w) - 1;
        if (single) while (arrivals(w)[number] != i) ++number;
        bytes memory signature;
        if (w.task.mode == CommitMode.RootOnly) signature = cut(w.entries[i], 36, 64);
        return
            abi.encodePacked(
                updateOpening(w, i, j),
                uint16(segmentCount(w)),
                uint16(number),
                uint16(single ? 0 : i),
                segmentList(w),
                signature,
                single ? bytes("") : pathIn(batchLeaves(w), i, true)
            );
    }

    /// (root | count) of every segment.
    function segmentList(World memory w) internal pure returns (bytes memory list) {
        uint256[] memory order = arrivals(w);
        uint256 batched = batchSize(w);
        for (uint256 k = 0; k < w.committed - batched; ++k) {
            uint256 i = order[k];
            list = abi.encodePacked(list, SegmentTree.leaf(w.clients[i], w.commitments[i]), uint16(1));
        }
        if (batched != 0) list = abi.encodePacked(list, SegmentTree.root(batchLeaves(w)), uint16(batched));
    }

    /// The entry of a root-only round's list, with its siblings.
    function listedEntry(World memory w, uint256 position) internal view returns (bytes memory) {
        return abi.encodePacked(w.entries[position], pathIn(batchLeaves(w), position, true));
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

    /// Two commitments of a client for the round, by a key.
    function equivocationCall(
        World memory w,
        uint32 client,
        bytes32 first,
        bytes32 second,
        uint256 key
    ) internal view returns (bytes memory) {
        bytes memory one = cut(signedEntry(w.roundId, client, first, key), 4, 96);
        bytes memory two = cut(signedEntry(w.roundId, client, second, key), 4, 96);
        return abi.encodeCall(court.proveEquivocation, (w.roundId, abi.encodePacked(client, one, two)));
    }

    // -------------------------------------------------------------------------------------------------------- calls

    function columnCall(World memory w, bytes memory proof) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveColumn, (w.roundId, coreOf(w), proof));
    }

    function weightedCall(
        World memory w,
        uint256 j,
        bytes memory proof
    ) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveWeightedColumn, (w.roundId, w.claim, uint32(j), w.aux, proof));
    }

    function weightCall(
        World memory w,
        uint256 slot,
        bytes memory proof
    ) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveWeight, (w.roundId, w.claim, uint32(slot), w.aux, proof));
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

    function entryCall(
        World memory w,
        uint256 position,
        bytes memory proof
    ) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveWrongEntry, (w.roundId, w.claim, uint32(position), proof));
    }

    function omissionCall(World memory w, bytes memory proof) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveOmission, (w.roundId, w.claim, proof));
    }

    function clipCall(World memory w, uint256 j, bytes memory proof) internal view returns (bytes memory) {
        return abi.encodeCall(court.proveClipViolation, (w.roundId, w.claim, uint32(j), proof));
    }

    /// The aggregator's bond is what a proof costs: 40 % and, where the chain knows them, 10 % for the clients are the
    /// escrow's, the rest is burnt, and nothing is left locked for the task.
    function checkVoided(World memory w) internal {
        check(phaseOf(w) == Phase.Voided, "not voided");
        Participant memory before = registry.participant(aggregator);
        (uint256 credit, uint256 burntWei) = (registry.creditOf(address(escrow)), registry.burntWei());
        uint256 balance = address(registry).balance;
        escrow.settle(w.roundId);
        Participant memory p = registry.participant(aggregator);
        uint256 shared = (uint256(BOND) * (w.task.mode == CommitMode.Verified ? 5 : 4)) / 10;
        same(p.stakeWei, before.stakeWei - BOND);
        same(p.lockedWei, before.lockedWei - BOND);
        same(p.openTasks, before.openTasks - 1);
        same(registry.creditOf(address(escrow)), credit + shared);
        same(registry.burntWei(), burntWei + BOND - shared);
        same(address(registry).balance, balance);
        same(address(court).balance + address(escrow).balance + address(ledger).balance, 0);
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
