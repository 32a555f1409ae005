// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Role} from "../interfaces/IParticipantRegistry.sol";
import {Proposal, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {KeyProof} from "../libraries/KeyProof.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {ProposalHash} from "../libraries/ProposalHash.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {TaskRules} from "../libraries/TaskRules.sol";

/// Every pure function of the libraries as a call, for the shared vectors. Not deployed with the product.
contract SpecHarness {
    error BadSegment(uint256 length);

    // ------------------------------------------------------------------------------------------------ numbers, bytes

    function rdiv(int256 a, int256 b) external pure returns (int256) {
        return IntegerRules.rdiv(a, b);
    }

    function clamp(int32 x, uint32 bound) external pure returns (int32) {
        return IntegerRules.clamp(x, bound);
    }

    function modelStep(
        int32[] calldata model,
        int32[] calldata step
    ) external pure returns (int32[] memory next) {
        if (model.length != step.length) revert IntegerRules.LengthMismatch(step.length, model.length);
        next = new int32[](model.length);
        for (uint256 i = 0; i < model.length; ++i) next[i] = IntegerRules.modelStep(model[i], step[i]);
    }

    function encodeInt32(int32[] calldata values) external pure returns (bytes memory) {
        return LittleEndian.encode(values);
    }

    function decodeInt32(bytes calldata data) external pure returns (int32[] memory) {
        return LittleEndian.decode(data);
    }

    // --------------------------------------------------------------------------------------------------- chunk trees

    function leafHash(bytes calldata chunk) external view returns (bytes32) {
        return ChunkTree.leafHash(chunk);
    }

    function nodeHash(bytes32 left, bytes32 right) external view returns (bytes32) {
        return ChunkTree.nodeHash(left, right);
    }

    function chunkRoot(bytes calldata data, uint256 leafBytes) external view returns (bytes32) {
        return ChunkTree.chunkRoot(data, leafBytes);
    }

    function rootOf(bytes32[] calldata leaves) external view returns (bytes32) {
        return ChunkTree.rootOf(leaves);
    }

    function pathLength(uint256 index, uint256 leafCount) external pure returns (uint256) {
        return ChunkTree.pathLength(index, leafCount);
    }

    function verifyInclusion(
        bytes32 leaf,
        uint256 index,
        uint256 leafCount,
        bytes32[] calldata path,
        bytes32 root
    ) external view returns (bool) {
        return ChunkTree.verifyInclusion(leaf, index, leafCount, path, root);
    }

    // --------------------------------------------------------------------------------------- commitments and digests

    /// `name` is "fedtrail" for the ledger, "fedtrail registry" for the registry.
    function domainSeparator(
        string calldata name,
        uint256 chainId,
        address verifyingContract
    ) external pure returns (bytes32) {
        return CommitHash.domainSeparatorOf(name, "1", chainId, verifyingContract);
    }

    function commitment(
        bytes32 domain,
        uint64 roundId,
        uint32 client,
        uint32 numExamples,
        bytes32 treeRoot
    ) external pure returns (bytes32) {
        return CommitHash.commitment(domain, roundId, client, numExamples, treeRoot);
    }

    function commitmentDigest(
        bytes32 domain,
        uint64 roundId,
        uint32 client,
        bytes32 commitment_
    ) external pure returns (bytes32) {
        return CommitHash.commitmentDigest(domain, roundId, client, commitment_);
    }

    function receiptDigest(
        bytes32 domain,
        uint64 roundId,
        uint32 client,
        bytes32 commitment_
    ) external pure returns (bytes32) {
        return CommitHash.receiptDigest(domain, roundId, client, commitment_);
    }

    function registerDigest(
        bytes32 domain,
        address owner,
        address signer,
        uint8 role,
        uint256 deadline
    ) external pure returns (bytes32) {
        return CommitHash.typedDigest(domain, KeyProof.registerHash(owner, signer, Role(role), deadline));
    }

    function rotateDigest(
        bytes32 domain,
        uint32 id,
        address signer,
        uint256 deadline
    ) external pure returns (bytes32) {
        return CommitHash.typedDigest(domain, KeyProof.rotateHash(id, signer, deadline));
    }

    /// Root over packed (client u32 | commitment) entries.
    function segmentRoot(bytes calldata entries) external pure returns (bytes32) {
        if (entries.length % 36 != 0) revert BadSegment(entries.length);
        bytes32[] memory hashes = new bytes32[](entries.length / 36);
        for (uint256 i = 0; i < hashes.length; ++i) {
            bytes calldata entry = entries[36 * i:36 * i + 36];
            hashes[i] = SegmentTree.leaf(uint32(bytes4(entry[:4])), bytes32(entry[4:]));
        }
        return SegmentTree.root(hashes);
    }

    /// Root over packed (client u32 | commitment | r | vs) entries.
    function listRoot(bytes calldata list) external pure returns (bytes32) {
        if (list.length % 100 != 0) revert BadSegment(list.length);
        bytes32[] memory hashes = new bytes32[](list.length / 100);
        for (uint256 i = 0; i < hashes.length; ++i)
            hashes[i] = keccak256(abi.encodePacked(uint8(0), list[100 * i:100 * i + 100]));
        return SegmentTree.root(hashes);
    }

    function segmentsHash(bytes32 previous, bytes32 root, uint256 count) external pure returns (bytes32) {
        return keccak256(abi.encode(previous, root, count));
    }

    function taskHash(Task calldata task) external pure returns (bytes32) {
        return keccak256(abi.encode(task));
    }

    /// Reverts with InvalidTask as createTask does.
    function checkTask(Task calldata task, uint256 unbondSeconds, uint256 maxPauseSeconds) external pure {
        TaskRules.check(task, unbondSeconds, maxPauseSeconds);
    }

    function detailsHash(
        Proposal calldata proposal,
        bytes32 segments,
        bytes calldata excluded,
        bytes calldata aux,
        uint16 included
    ) public pure returns (bytes32) {
        return ProposalHash.details(proposal, segments, keccak256(excluded), keccak256(aux), included);
    }

    function coreHash(bytes32 modelRoot, bytes32 detailsHash_) external pure returns (bytes32) {
        return ProposalHash.core(modelRoot, detailsHash_);
    }

    function proposalHash(
        uint64 roundId,
        Proposal calldata proposal,
        bytes32 segments,
        bytes calldata excluded,
        bytes calldata aux,
        uint16 included
    ) external pure returns (bytes32) {
        bytes32 details = detailsHash(proposal, segments, excluded, aux, included);
        bytes32 core = ProposalHash.core(proposal.modelRoot, details);
        return ProposalHash.outer(roundId, proposal.aggregateRoot, proposal.matrixRoot, core);
    }

    function headHash(
        bytes32 previous,
        uint64 roundId,
        bytes32 proposalHash_
    ) external pure returns (bytes32) {
        return keccak256(abi.encode(previous, roundId, proposalHash_));
    }

    // --------------------------------------------------------------------------- rules, one coordinate of all clients

    function sum32(int32[] calldata column) external pure returns (int32) {
        return IntegerRules.sum32(column);
    }

    function mean(int32[] calldata column) external pure returns (int32) {
        return IntegerRules.mean(column);
    }

    function weightedMean(int32[] calldata column, uint32[] calldata weights) external pure returns (int32) {
        return IntegerRules.weightedMean(column, weights, type(uint32).max);
    }

    function median(int32[] calldata column) external pure returns (int32) {
        return IntegerRules.median(column);
    }

    function trimmedMean(int32[] calldata column, uint256 trim) external pure returns (int32) {
        return IntegerRules.trimmedMean(column, trim);
    }

    function trimmedMeanHinted(
        int32[] calldata column,
        uint256 trim,
        int32 low,
        int32 high
    ) external pure returns (int32) {
        return IntegerRules.trimmedMeanHinted(column, trim, low, high);
    }

    function sorted(int256[] calldata values) external pure returns (int256[] memory) {
        return OrderStats.sorted(values);
    }

    // ------------------------------------------------------------------------------------------- rules, whole updates

    function krumScores(int32[][] calldata updates, uint256 f) external pure returns (int256[] memory) {
        return IntegerRules.krumScores(IntegerRules.distances(updates), f);
    }

    /// Upper triangle, row by row, of the squared distances of clamped updates.
    function distances(
        int32[][] calldata updates,
        uint32 bound
    ) external pure returns (uint256[] memory upper) {
        uint256 n = updates.length;
        int32[][] memory clamped = new int32[][](n);
        for (uint256 i = 0; i < n; ++i) clamped[i] = IntegerRules.clampAll(updates[i], bound);
        uint256[][] memory matrix = IntegerRules.distances(clamped);
        upper = new uint256[]((n * (n - 1)) / 2);
        uint256 next = 0;
        for (uint256 i = 0; i < n; ++i) for (uint256 j = i + 1; j < n; ++j) upper[next++] = matrix[i][j];
    }

    function krumScoresOf(uint256[][] calldata matrix, uint256 f) external pure returns (int256[] memory) {
        return IntegerRules.krumScores(matrix, f);
    }

    function krumSelect(int32[][] calldata updates, uint256 f) external pure returns (uint256) {
        return _select(updates, f, 1)[0];
    }

    function multiKrumSelect(
        int32[][] calldata updates,
        uint256 f,
        uint256 count
    ) external pure returns (uint256[] memory) {
        return _select(updates, f, count);
    }

    // Both are changed or handed on in memory.
    // solhint-disable gas-calldata-parameters

    /// The whole rule, clamping included: what ledger/spec/rules.py calls `aggregate`. `updates[i]` is client i's.
    function aggregate(
        Rule rule,
        uint256 param,
        uint256 select,
        uint32 bound,
        int32[][] memory updates,
        uint32[] memory weights
    ) external pure returns (int32[] memory result) {
        if (updates.length == 0) revert IntegerRules.EmptyColumn();
        uint256 size = updates[0].length;
        for (uint256 i = 0; i < updates.length; ++i) {
            if (updates[i].length != size) revert IntegerRules.LengthMismatch(updates[i].length, size);
            if (rule != Rule.Sum32) updates[i] = IntegerRules.clampAll(updates[i], bound);
        }
        if (rule == Rule.Krum) select = 1;
        if (rule == Rule.Krum || rule == Rule.MultiKrum)
            updates = _pick(updates, _select(updates, param, select));
        result = new int32[](size);
        for (uint256 j = 0; j < size; ++j)
            result[j] = _aggregateColumn(rule, param, _column(updates, j), weights);
    }

    function _aggregateColumn(
        Rule rule,
        uint256 param,
        int32[] memory column,
        uint32[] memory weights
    ) private pure returns (int32) {
        if (rule == Rule.Sum32) return IntegerRules.sum32(column);
        if (rule == Rule.WeightedMean) return IntegerRules.weightedMean(column, weights, type(uint32).max);
        if (rule == Rule.Median) return IntegerRules.median(column);
        if (rule == Rule.TrimmedMean) return IntegerRules.trimmedMean(column, param);
        return IntegerRules.mean(column);
    }

    function _select(
        int32[][] memory updates,
        uint256 f,
        uint256 count
    ) private pure returns (uint256[] memory) {
        return IntegerRules.selectLowest(IntegerRules.krumScores(IntegerRules.distances(updates), f), count);
    }

    function _pick(
        int32[][] memory updates,
        uint256[] memory slots
    ) private pure returns (int32[][] memory picked) {
        picked = new int32[][](slots.length);
        for (uint256 i = 0; i < slots.length; ++i) picked[i] = updates[slots[i]];
    }

    function _column(int32[][] memory updates, uint256 j) private pure returns (int32[] memory column) {
        column = new int32[](updates.length);
        for (uint256 i = 0; i < updates.length; ++i) column[i] = updates[i][j];
    }
}
