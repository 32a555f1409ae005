// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAttestedBoard, Demand, DemandState, Subject} from "../interfaces/IAttestedBoard.sol";
import {Claim} from "../interfaces/IDisputeCourt.sol";
import {Role} from "../interfaces/IParticipantRegistry.sol";
import {CommitMode, Phase, Proposal, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {Certificate} from "../libraries/Certificate.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {LedgerFixture} from "./LedgerFixture.sol";
import {Vm} from "./Vm.sol";

/// The cheat codes that only these tests use.
// solhint-disable-next-line interface-starts-with-i
interface BoardVm is Vm {
    function fee(uint256 basefee) external;
}

/// A deployment with its board: clients 1..5, aggregator 6, attestors 7..13, of whom four certify.
abstract contract BoardFixture is LedgerFixture {
    uint40 internal constant ANSWER = 300;
    uint256 internal constant ATTESTOR_STAKE = 3 ether;
    uint32 internal constant CLIENTS = 5;
    uint32 internal constant AGGREGATOR = 6;
    uint32 internal constant FIRST_ATTESTOR = 7;
    uint32 internal constant ATTESTORS = 7;
    uint8 internal constant THRESHOLD = 4;
    /// The first four.
    uint32 internal constant QUORUM_BITS = 0xf;
    uint256 internal constant GAS_PER_ANSWER = 70_000;
    uint256 internal constant GAS_PER_BYTE = 40;
    uint256 internal constant MAX_ANSWER_BYTES = 2048;
    address internal constant CHALLENGER = address(0xCA11);
    address internal constant ANYBODY = address(0xA11);
    BoardVm internal constant BOARD_VM = BoardVm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// A round with all that its parties know.
    struct Scene {
        Task task;
        uint64 roundId;
        uint40 openedAt;
        bytes32 segmentsHash;
        int32[][] updates;
        bytes32[] commitments;
        bytes excluded;
        uint32[] included;
        bytes aggregate;
        bytes matrix;
        Claim claim;
    }

    IAttestedBoard internal board;

    function setUp() public virtual override {
        super.setUp();
        BOARD_VM.fee(1 gwei);
        VM.deal(CHALLENGER, 1_000 ether);
        same(assemble(CLIENTS), AGGREGATOR);
        for (uint256 i = 0; i < ATTESTORS; ++i) join(Role.Attestor, ATTESTOR_STAKE);
        board.setCommittee(attestors(FIRST_ATTESTOR, ATTESTORS), THRESHOLD);
        VM.warp(block.timestamp + ACTIVATION);
    }

    function extraCourts() internal pure override returns (uint256) {
        return 1;
    }

    function addCourts() internal override {
        board = newBoard();
    }

    function newBoard() internal returns (IAttestedBoard) {
        bytes memory arguments = abi.encode(
            registry,
            ledger,
            escrow,
            ANSWER,
            MAX_ANSWER_BYTES,
            GAS_PER_ANSWER,
            GAS_PER_BYTE
        );
        return IAttestedBoard(deploy("AvailabilityBoard", arguments));
    }

    /// r | vs of the holder of `key`.
    function signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = compact(key, digest);
        return abi.encodePacked(r, vs);
    }

    function attestors(uint32 first, uint32 count) internal pure returns (uint32[] memory ids) {
        ids = new uint32[](count);
        for (uint32 i = 0; i < count; ++i) ids[i] = first + i;
    }

    // -------------------------------------------------------------------------------------------------------- rounds

    /// 21 coordinates: leaves of 8, 8 and 5 in updates and aggregate, ten of 2 and one of 1 in the matrix.
    function smallTask() internal view returns (Task memory task) {
        task = sampleTask();
        (task.rule, task.ruleParam, task.quorum, task.maxClients) = (Rule.Mean, 0, 2, 16);
        (task.size, task.scaleBits, task.bound, task.examplesCap) = (21, 20, 1000, 50);
        (task.leafLog2, task.matrixLog2, task.modelLog2) = (3, 1, 3);
        task.board = address(board);
    }

    /// A round that is open, whose clients have committed, and whose commit phase is over.
    function committed(Task memory task) internal returns (Scene memory s) {
        s.task = task;
        uint32 taskId = ledger.createTask(task);
        VM.prank(ownerOf(AGGREGATOR));
        s.roundId = ledger.openRound(taskId, AGGREGATOR);
        s.openedAt = uint40(block.timestamp);
        (s.updates, s.commitments) = (new int32[][](CLIENTS), new bytes32[](CLIENTS));
        for (uint32 client = 1; client <= CLIENTS; ++client) {
            int32[] memory update = new int32[](task.size);
            for (uint256 j = 0; j < task.size; ++j)
                update[j] = int32(int256(uint256(keccak256(abi.encode(client, j))) % 2001)) - 1000;
            s.updates[client - 1] = update;
            s.commitments[client - 1] = commitmentOf(s, client);
        }
        _commitAll(s);
        VM.warp(ledger.round(s.roundId).commitEnd + 1);
        s.segmentsHash = ledger.round(s.roundId).segmentsHash;
    }

    function committed() internal returns (Scene memory) {
        return committed(smallTask());
    }

    function examplesOf(uint32 client) internal pure returns (uint32) {
        return 10 + client;
    }

    function commitmentOf(Scene memory s, uint32 client) internal view returns (bytes32) {
        return
            CommitHash.commitment(
                ledger.domainSeparator(),
                s.roundId,
                client,
                examplesOf(client),
                ChunkTree.chunkRoot(bytesOf(s, client), 4 << s.task.leafLog2)
            );
    }

    function bytesOf(Scene memory s, uint32 client) internal pure returns (bytes memory) {
        return LittleEndian.encode(s.updates[client - 1]);
    }

    /// Clients 1 and 2 in a batch, the others by themselves; in root-only mode all in one list.
    function _commitAll(Scene memory s) private {
        if (s.task.mode == CommitMode.RootOnly) {
            bytes32 root = SegmentTree.root(listLeaves(s));
            VM.prank(ownerOf(AGGREGATOR));
            ledger.commitRoot(s.roundId, root, uint16(CLIENTS), "list");
            return;
        }
        uint32 first = s.task.mode == CommitMode.Verified ? 3 : 1;
        if (first == 3) ledger.commitBatch(s.roundId, abi.encodePacked(entryOf(s, 1), entryOf(s, 2)));
        for (uint32 client = first; client <= CLIENTS; ++client) {
            VM.prank(ownerOf(client));
            ledger.commit(s.roundId, client, s.commitments[client - 1]);
        }
    }

    function entryOf(Scene memory s, uint32 client) internal view returns (bytes memory) {
        return abi.encodePacked(client, s.commitments[client - 1], signatureOf(s, client, keyOf(client)));
    }

    function signatureOf(Scene memory s, uint32 client, uint256 key) internal view returns (bytes memory) {
        bytes32 domain = ledger.domainSeparator();
        bytes32 commitment = s.commitments[client - 1];
        return signature(key, CommitHash.commitmentDigest(domain, s.roundId, client, commitment));
    }

    function listLeaves(Scene memory s) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](CLIENTS);
        for (uint32 client = 1; client <= CLIENTS; ++client)
            leaves[client - 1] = keccak256(abi.encodePacked(uint8(0), entryOf(s, client)));
    }

    /// Certify the round and propose what the scene holds.
    function propose(Scene memory s) internal {
        certifyLate(s);
        s.included = includedOf(s);
        proposeIncluded(s);
    }

    function certifyLate(Scene memory s) internal {
        VM.warp(ledger.round(s.roundId).dataEnd + 1);
        certify(s, QUORUM_BITS);
    }

    function proposeIncluded(Scene memory s) internal {
        uint256 n = s.included.length;
        int32[] memory flat = new int32[](n * s.task.size);
        for (uint256 i = 0; i < n; ++i) {
            int32[] memory update = s.updates[s.included[i] - 1];
            for (uint256 j = 0; j < update.length; ++j) flat[j * n + i] = update[j];
        }
        s.matrix = LittleEndian.encode(flat);
        // Which rule made it is for other courts.
        s.aggregate = bytesOf(s, s.included[0]);
        s.claim.proposal = Proposal({
            aggregateRoot: ChunkTree.chunkRoot(s.aggregate, 4 << s.task.modelLog2),
            matrixRoot: ChunkTree.chunkRoot(s.matrix, (4 * n) << s.task.matrixLog2),
            modelRoot: keccak256("next model"),
            membersRoot: ChunkTree.rootOf(memberLeaves(s)),
            dataId: keccak256("manifest"),
            committed: uint16(CLIENTS)
        });
        (s.claim.segmentsHash, s.claim.excludedHash) = (s.segmentsHash, keccak256(s.excluded));
        s.claim.auxHash = keccak256("");
        VM.prank(ownerOf(AGGREGATOR));
        ledger.propose(s.roundId, s.claim.proposal, s.excluded, "");
    }

    function includedOf(Scene memory s) internal pure returns (uint32[] memory ids) {
        ids = new uint32[](CLIENTS - s.excluded.length / 6);
        uint256 slot = 0;
        for (uint32 client = 1; client <= CLIENTS; ++client) {
            bool isOut = false;
            for (uint256 at = 3; at < s.excluded.length; at += 6)
                isOut = isOut || uint8(s.excluded[at]) == client;
            if (!isOut) ids[slot++] = client;
        }
    }

    function memberLeaves(Scene memory s) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](s.included.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint32 client = s.included[i];
            leaves[i] = ChunkTree.leafHash(abi.encodePacked(client, s.commitments[client - 1]));
        }
    }

    function phaseOf(Scene memory s) internal view returns (Phase) {
        return ledger.round(s.roundId).phase;
    }

    // -------------------------------------------------------------------------------------------------- certificates

    function statement(
        IAttestedBoard at,
        uint64 roundId,
        bytes32 segmentsHash,
        bytes memory excluded
    ) internal view returns (bytes32) {
        bytes32 structHash = Certificate.structHash(roundId, segmentsHash, keccak256(excluded));
        return CommitHash.typedDigest(at.domainSeparator(), structHash);
    }

    function digestOf(Scene memory s) internal view returns (bytes32) {
        return statement(board, s.roundId, s.segmentsHash, s.excluded);
    }

    /// Signatures over `digest` by the members of the first committee that `signers` names.
    function signaturesOf(bytes32 digest, uint32 signers) internal pure returns (bytes memory all) {
        for (uint32 i = 0; i < ATTESTORS; ++i) {
            if ((signers >> i) & 1 == 1)
                all = abi.encodePacked(all, signature(keyOf(FIRST_ATTESTOR + i), digest));
        }
    }

    function certify(Scene memory s, uint32 signers) internal {
        board.certify(s.roundId, 1, s.excluded, signers, signaturesOf(digestOf(s), signers));
    }

    // ------------------------------------------------------------------------------------------------------- demands

    /// Leaves from `first` on, and the siblings that lead from them to the root.
    function rangeOf(
        bytes memory data,
        uint256 leafBytes,
        uint256 first,
        uint256 count
    ) internal view returns (bytes memory) {
        uint256 end = (first + count) * leafBytes;
        if (end > data.length) end = data.length;
        bytes32[] memory level = new bytes32[]((data.length + leafBytes - 1) / leafBytes);
        for (uint256 i = 0; i < level.length; ++i)
            level[i] = ChunkTree.leafHash(cut(data, i * leafBytes, leafBytes));
        return
            abi.encodePacked(
                cut(data, first * leafBytes, end - first * leafBytes),
                _path(level, first, count)
            );
    }

    function _path(
        bytes32[] memory level,
        uint256 first,
        uint256 count
    ) private view returns (bytes memory path) {
        uint256 last = first + count - 1;
        while (level.length > 1) {
            if (first % 2 == 1) path = abi.encodePacked(path, level[first - 1]);
            if (last % 2 == 0 && last + 1 < level.length) path = abi.encodePacked(path, level[last + 1]);
            bytes32[] memory next = new bytes32[]((level.length + 1) / 2);
            for (uint256 i = 0; i < next.length; ++i)
                next[i] =
                    2 * i + 1 < level.length
                        ? ChunkTree.nodeHash(level[2 * i], level[2 * i + 1])
                        : level[2 * i];
            (level, first, last) = (next, first / 2, last / 2);
        }
    }

    /// At most `size` bytes from `start` on.
    function cut(bytes memory data, uint256 start, uint256 size) internal pure returns (bytes memory part) {
        if (start + size > data.length) size = data.length - start;
        part = new bytes(size);
        for (uint256 i = 0; i < size; ++i) part[i] = data[start + i];
    }

    /// Siblings of one leaf; overwrites `level`.
    function segmentPath(bytes32[] memory level, uint256 index) internal pure returns (bytes memory path) {
        for (uint256 width = level.length; width > 1; width = (width + 1) / 2) {
            if (index ^ 1 < width) path = abi.encodePacked(path, level[index ^ 1]);
            for (uint256 i = 0; i + 1 < width; i += 2)
                level[i / 2] = SegmentTree.nodeHash(level[i], level[i + 1]);
            if (width % 2 == 1) level[width / 2] = level[width - 1];
            index /= 2;
        }
    }

    /// Where a client's commitment lies (IDisputeCourt.proveClipViolation).
    function placeOf(Scene memory s, uint32 client) internal view returns (bytes memory) {
        if (s.task.mode == CommitMode.RootOnly) {
            bytes memory head = abi.encodePacked(uint16(1), uint16(0), uint16(client - 1));
            bytes memory segment = abi.encodePacked(SegmentTree.root(listLeaves(s)), uint16(CLIENTS));
            bytes memory signed = signatureOf(s, client, keyOf(client));
            return abi.encodePacked(head, segment, signed, segmentPath(listLeaves(s), client - 1));
        }
        uint32 batched = s.task.mode == CommitMode.Verified ? 2 : 0;
        bytes memory list;
        if (batched != 0) list = abi.encodePacked(SegmentTree.root(batchLeaves(s)), uint16(2));
        for (uint32 i = batched + 1; i <= CLIENTS; ++i)
            list = abi.encodePacked(list, SegmentTree.leaf(i, s.commitments[i - 1]), uint16(1));
        uint16 segments = uint16(CLIENTS - batched + (batched == 0 ? 0 : 1));
        if (client <= batched)
            return
                abi.encodePacked(
                    segments,
                    uint16(0),
                    uint16(client - 1),
                    list,
                    segmentPath(batchLeaves(s), client - 1)
                );
        return abi.encodePacked(segments, uint16(client - batched - (batched == 0 ? 1 : 0)), uint16(0), list);
    }

    function batchLeaves(Scene memory s) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](2);
        for (uint32 i = 0; i < 2; ++i) leaves[i] = SegmentTree.leaf(i + 1, s.commitments[i]);
    }

    /// What `demandLeaves` asks for beside the claim.
    function memberOf(Scene memory s, uint256 slot) internal view returns (bytes memory) {
        uint32 client = s.included[slot];
        return
            abi.encodePacked(
                client,
                s.commitments[client - 1],
                uint16(slot),
                _path(memberLeaves(s), slot, 1)
            );
    }

    /// The demand that the board must have recorded.
    function demandOf(
        Scene memory s,
        Subject subject,
        uint32 client,
        uint32 first,
        uint32 count,
        uint256 bondWei
    ) internal view returns (Demand memory d) {
        (d.roundId, d.subject, d.client) = (s.roundId, subject, client);
        (d.firstLeaf, d.leafCount, d.challenger) = (first, count, CHALLENGER);
        (d.bondWei, d.rewardWei) = (uint96(bondWei), uint96(bondWei));
        d.deadline = uint40(block.timestamp) + ANSWER;
        uint256 n = subject == Subject.Matrix ? s.included.length : 1;
        uint8 log2 =
            subject == Subject.Matrix
                ? s.task.matrixLog2
                : subject == Subject.Aggregate
                    ? s.task.modelLog2
                    : s.task.leafLog2;
        (d.vectorBytes, d.leafBytes) = (uint64(4 * n * s.task.size), uint32((4 * n) << log2));
        if (subject == Subject.Matrix) d.root = s.claim.proposal.matrixRoot;
        else if (subject == Subject.Aggregate) d.root = s.claim.proposal.aggregateRoot;
        else d.root = s.commitments[client - 1];
    }

    function vectorOf(Scene memory s, Demand memory d) internal pure returns (bytes memory) {
        if (d.subject == Subject.Matrix) return s.matrix;
        return d.subject == Subject.Aggregate ? s.aggregate : bytesOf(s, d.client);
    }

    function answerOf(Scene memory s, Demand memory d) internal view returns (bytes memory) {
        bytes memory leaves = rangeOf(vectorOf(s, d), d.leafBytes, d.firstLeaf, d.leafCount);
        bool isUpdate = d.subject == Subject.Commitment || d.subject == Subject.Update;
        return isUpdate ? abi.encodePacked(examplesOf(d.client), leaves) : leaves;
    }

    /// The bond that the next demand for these leaves needs.
    function bondOf(Scene memory s, Demand memory d) internal view returns (uint256) {
        uint256 open = d.subject == Subject.Commitment ? 0 : ledger.round(s.roundId).openDisputes;
        bytes memory leaves = rangeOf(vectorOf(s, d), d.leafBytes, d.firstLeaf, d.leafCount);
        (bool certified, ) = board.exclusionsHash(s.roundId);
        return board.bondFor(4 + leaves.length, certified, open);
    }

    /// Demand leaves of a client's commitment, as the challenger.
    function demandCommitment(
        Scene memory s,
        uint32 client,
        uint32 first,
        uint32 count
    ) internal returns (Demand memory d) {
        d = demandOf(s, Subject.Commitment, client, first, count, 0);
        uint256 bondWei = bondOf(s, d);
        (d.bondWei, d.rewardWei) = (uint96(bondWei), uint96(bondWei));
        bytes memory place = commitmentPlace(s, client);
        VM.prank(CHALLENGER);
        board.demandCommitment{value: bondWei}(s.roundId, client, d.root, first, count, place);
        isIn(d, DemandState.Open);
    }

    function commitmentPlace(Scene memory s, uint32 client) internal view returns (bytes memory) {
        if (s.task.mode != CommitMode.RootOnly) return placeOf(s, client);
        return abi.encodePacked(signatureOf(s, client, keyOf(client)), placeOf(s, client));
    }

    /// Demand leaves of the proposal, as the challenger; an update is that of the client at slot 1.
    function demandLeaves(
        Scene memory s,
        Subject subject,
        uint32 first,
        uint32 count
    ) internal returns (Demand memory d) {
        bool isUpdate = subject == Subject.Update;
        d = demandOf(s, subject, isUpdate ? s.included[1] : 0, first, count, 0);
        uint256 bondWei = bondOf(s, d);
        uint256 open = ledger.round(s.roundId).openDisputes;
        (d.bondWei, d.rewardWei) = (uint96(bondWei), uint96(bondWei >> (open / 4)));
        bytes memory member = isUpdate ? memberOf(s, 1) : bytes("");
        VM.prank(CHALLENGER);
        board.demandLeaves{value: bondWei}(s.roundId, s.claim, subject, first, count, member);
        isIn(d, DemandState.Open);
    }

    function serve(Scene memory s, Demand memory d, address by) internal {
        bytes memory leaves = answerOf(s, d);
        VM.prank(by);
        board.answer(d, leaves);
    }

    function isIn(Demand memory d, DemandState want) internal view {
        same(uint256(board.demandState(d)), uint256(want));
    }
}
