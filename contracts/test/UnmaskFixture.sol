// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "../interfaces/IDisputeCourt.sol";
import {Phase, Proposal, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {IUnmaskCourt} from "../interfaces/IUnmaskCourt.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {Masks} from "../libraries/Masks.sol";
import {UpdateOpening} from "../libraries/UpdateOpening.sol";
import {CourtFixture} from "./CourtFixture.sol";
import {RoundTally} from "./RoundTally.sol";
import {VmMore} from "./VmMore.sol";

/// Masked rounds whose seeds and updates the tests hold.
abstract contract UnmaskFixture is CourtFixture, RoundTally {
    uint32 internal constant SIZE = 19;
    VmMore internal constant MORE = VmMore(address(VM));

    /// What a pair of clients agreed on. Only a mutual pair cancels.
    enum Pair {
        Mutual,
        OneSided,
        Different
    }

    /// A round with everything that a challenger knows. Clients 1..committed commit; all of 1..roster agreed on seeds.
    struct Masked {
        uint256 seed;
        uint64 roundId;
        uint32 roster;
        uint32 committed;
        bytes excluded;
        int32[][] updates;
        int32[][] masked;
        bytes[] tables;
        bytes32[] commitments;
        uint32[] included;
        bytes matrix;
        int32[] aggregate;
        bytes aux;
        Claim claim;
    }

    error Outcome_(bool held, bytes32 word);

    IUnmaskCourt internal unmask;

    function extraCourts() internal pure override returns (uint256) {
        return 1;
    }

    function addCourts() internal override {
        unmask = IUnmaskCourt(deploy("UnmaskCourt", abi.encode(ledger)));
    }

    /// Leaves of 8 coordinates in an update, of 2 in the matrix and of 16 in the aggregate.
    function maskedTask(Rule rule, uint16 degree) internal pure returns (Task memory task) {
        task = smallTask(rule, SIZE, 1);
        (task.ruleParam, task.quorum) = (degree, 2);
    }

    // ------------------------------------------------------------------------------------------------- seeds, tables

    function random(uint256 seed, uint256 a, uint256 b) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, a, b)));
    }

    /// Half of the pairs beyond a ring agree as they should; the ring 1-2, 2-3, ... always does.
    function pairOf(Masked memory w, uint32 a, uint32 b) internal pure returns (Pair) {
        if (a > b) (a, b) = (b, a);
        uint256 draw = random(w.seed, a, b) % 6;
        if (b == a + 1 || draw > 1) return Pair.Mutual;
        return draw == 0 ? Pair.OneSided : Pair.Different;
    }

    function lists(Masked memory w, uint32 owner, uint32 peer) internal pure returns (bool) {
        return owner != peer && (peer > owner || pairOf(w, owner, peer) != Pair.OneSided);
    }

    function seedOf(Masked memory w, uint32 owner, uint32 peer) internal pure returns (bytes32) {
        if (peer == Masks.SELF) return bytes32(random(w.seed, owner, 0));
        if (pairOf(w, owner, peer) == Pair.Different) return keccak256(abi.encode(w.seed, owner, "to", peer));
        return owner < peer ? bytes32(random(w.seed, owner, peer)) : bytes32(random(w.seed, peer, owner));
    }

    function tableOf(Masked memory w, uint32 owner) internal pure returns (bytes memory table) {
        table = abi.encodePacked(Masks.SELF, Masks.seedCommitment(seedOf(w, owner, Masks.SELF)));
        for (uint32 peer = 1; peer <= w.roster; ++peer)
            if (lists(w, owner, peer))
                table = abi.encodePacked(table, peer, Masks.seedCommitment(seedOf(w, owner, peer)));
    }

    /// The definition (ledger/spec/masks.py): what an owner adds to its update at a coordinate, modulo 2^32.
    function maskOf(Masked memory w, uint32 owner, uint32 j) internal pure returns (uint32 total) {
        unchecked {
            total = Masks.maskWord(seedOf(w, owner, Masks.SELF), j);
            for (uint32 peer = 1; peer <= w.roster; ++peer) {
                if (!lists(w, owner, peer)) continue;
                uint32 word = Masks.maskWord(seedOf(w, owner, peer), j);
                total = peer > owner ? total + word : total - word;
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------- worlds

    /// Clients 1..committed have committed to masked updates; some of them are excluded.
    function committedWorld(
        uint32 roster,
        uint32 committed,
        uint16 degree,
        uint256 seed
    ) internal returns (Masked memory w) {
        uint32 taskId = ledger.createTask(maskedTask(Rule.Sum32, degree));
        restake();
        VM.prank(ownerOf(aggregator));
        w.roundId = ledger.openRound(taskId, aggregator);
        (w.seed, w.roster, w.committed) = (seed, roster, committed);
        (w.updates, w.masked) = (new int32[][](committed), new int32[][](committed));
        (w.tables, w.commitments) = (new bytes[](committed), new bytes32[](committed));
        for (uint32 i = 0; i < committed; ++i) {
            (w.updates[i], w.masked[i]) = (new int32[](SIZE), new int32[](SIZE));
            for (uint32 j = 0; j < SIZE; ++j) {
                w.updates[i][j] = int32(uint32(random(seed, i, 1000 + j)));
                unchecked {
                    w.masked[i][j] = int32(uint32(w.updates[i][j]) + maskOf(w, i + 1, j));
                }
            }
            w.tables[i] = tableOf(w, i + 1);
        }
        tally(MASKED_SUM, w.updates);
    }

    function examplesOf(uint32 client) internal pure returns (uint32) {
        return 7 * client;
    }

    function updateRoot(Masked memory w, uint32 client) internal view returns (bytes32) {
        return vectorRoot(w.masked[client - 1], 3);
    }

    function seedsRoot(Masked memory w, uint32 client) internal view returns (bytes32) {
        return ChunkTree.chunkRoot(w.tables[client - 1], 36);
    }

    /// Commit what the world holds, leave clients out by the bits of `dropped`, and let the aggregator be honest.
    function commit(Masked memory w, uint256 dropped) internal {
        bytes32 domain = ledger.domainSeparator();
        uint32[] memory ids = new uint32[](w.committed);
        uint256 count = 0;
        for (uint32 client = 1; client <= w.committed; ++client) {
            bytes32 root = Masks.maskedRoot(updateRoot(w, client), seedsRoot(w, client));
            bytes32 commitment = CommitHash.commitment(domain, w.roundId, client, examplesOf(client), root);
            w.commitments[client - 1] = commitment;
            VM.prank(ownerOf(client));
            ledger.commit(w.roundId, client, commitment);
            if ((dropped >> client) & 1 == 1) w.excluded = abi.encodePacked(w.excluded, client, uint16(801));
            else ids[count++] = client;
        }
        w.included = new uint32[](count);
        for (uint256 slot = 0; slot < count; ++slot) w.included[slot] = ids[slot];
        w.aux = revealsOf(w);
        w.aggregate = plainSum(w);
        VM.warp(uint256(ledger.round(w.roundId).dataEnd) + 1);
    }

    function plainSum(Masked memory w) internal pure returns (int32[] memory sum) {
        sum = new int32[](SIZE);
        for (uint32 j = 0; j < SIZE; ++j) {
            int32[] memory column = new int32[](w.included.length);
            for (uint256 slot = 0; slot < column.length; ++slot)
                column[slot] = w.updates[w.included[slot] - 1][j];
            sum[j] = IntegerRules.sum32(column);
        }
    }

    function isIncluded(Masked memory w, uint32 client) internal pure returns (bool) {
        for (uint256 slot = 0; slot < w.included.length; ++slot) if (w.included[slot] == client) return true;
        return false;
    }

    function isNeeded(Masked memory w, uint32 owner, uint32 peer) internal pure returns (bool) {
        if (!isIncluded(w, owner)) return false;
        if (peer == Masks.SELF) return true;
        if (peer > w.roster || !lists(w, owner, peer)) return false;
        return !isIncluded(w, peer) || pairOf(w, owner, peer) != Pair.Mutual;
    }

    function revealsOf(Masked memory w) internal pure returns (bytes memory aux) {
        for (uint32 owner = 1; owner <= w.committed; ++owner)
            for (uint32 peer = 0; peer <= w.roster; ++peer)
                if (isNeeded(w, owner, peer))
                    aux = abi.encodePacked(aux, owner, peer, seedOf(w, owner, peer));
    }

    /// The claim that follows from what the world holds now.
    function close(Masked memory w) internal view {
        uint256 n = w.included.length;
        int32[] memory flat = new int32[](n * SIZE);
        for (uint256 j = 0; j < SIZE; ++j)
            for (uint256 slot = 0; slot < n; ++slot) flat[j * n + slot] = w.masked[w.included[slot] - 1][j];
        w.matrix = LittleEndian.encode(flat);
        w.claim.proposal = Proposal({
            aggregateRoot: vectorRoot(w.aggregate, 4),
            matrixRoot: ChunkTree.chunkRoot(w.matrix, 8 * n),
            modelRoot: "model",
            membersRoot: ChunkTree.rootOf(memberLeaves(w)),
            dataId: "manifest",
            committed: uint16(w.committed)
        });
        w.claim.segmentsHash = ledger.round(w.roundId).segmentsHash;
        (w.claim.excludedHash, w.claim.auxHash) = (keccak256(w.excluded), keccak256(w.aux));
    }

    /// Claim another list of revealed seeds.
    function show(Masked memory w, bytes memory aux) internal pure {
        (w.aux, w.claim.auxHash) = (aux, keccak256(aux));
    }

    function propose(Masked memory w) internal {
        VM.prank(ownerOf(aggregator));
        ledger.propose(w.roundId, w.claim.proposal, w.excluded, w.aux);
    }

    // ------------------------------------------------------------------------------------------------------- proofs

    function memberLeaves(Masked memory w) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](w.included.length);
        for (uint256 slot = 0; slot < leaves.length; ++slot)
            leaves[slot] = UpdateOpening.memberLeaf(w.included[slot], w.commitments[w.included[slot] - 1]);
    }

    function matrixOpening(Masked memory w, uint32 j) internal view returns (bytes memory) {
        return openingOf(w.matrix, 8 * w.included.length, j / 2);
    }

    function updateOpening(Masked memory w, uint32 client, uint32 j) internal view returns (bytes memory) {
        return
            abi.encodePacked(
                client,
                examplesOf(client),
                opening(w.masked[client - 1], 3, j),
                seedsRoot(w, client)
            );
    }

    /// Where a client is in the member list, or would be.
    function slotOf(Masked memory w, uint32 client) internal pure returns (uint16 slot) {
        while (slot < w.included.length && w.included[slot] < client) ++slot;
    }

    function memberOpening(Masked memory w, uint256 slot) internal view returns (bytes memory) {
        uint32 client = w.included[slot];
        return abi.encodePacked(client, w.commitments[client - 1], pathIn(memberLeaves(w), slot, false));
    }

    function standing(Masked memory w, uint32 client) internal view returns (bytes memory) {
        uint16 slot = slotOf(w, client);
        if (isIncluded(w, client)) {
            bytes memory table = w.tables[client - 1];
            bytes memory head = abi.encodePacked(uint8(1), examplesOf(client), updateRoot(w, client));
            return
                abi.encodePacked(
                    head,
                    uint16(table.length / 36),
                    table,
                    slot,
                    pathIn(memberLeaves(w), slot, false)
                );
        }
        return
            abi.encodePacked(
                uint8(0),
                slot,
                slot > 0 ? memberOpening(w, slot - 1) : bytes(""),
                slot < w.included.length ? memberOpening(w, slot) : bytes("")
            );
    }

    /// Whether the standing of the peer decides: the owner lists it, and no other seed is revealed.
    function needsPeer(Masked memory w, uint32 owner, uint32 peer) internal pure returns (bool) {
        if (peer == Masks.SELF || peer > w.roster) return false;
        if (!isIncluded(w, owner) || !lists(w, owner, peer)) return false;
        for (uint256 at = 0; at + 40 <= w.aux.length; at += 40) {
            bytes memory entry = cut(w.aux, at, 40);
            if (bytes8(entry) == bytes8(abi.encodePacked(owner, peer)))
                return bytes32(cut(entry, 8, 32)) == seedOf(w, owner, peer);
        }
        return true;
    }

    function columnCall(Masked memory w, uint32 j) internal view returns (bytes memory) {
        bytes memory proof = abi.encodePacked(matrixOpening(w, j), opening(w.aggregate, 4, j));
        return abi.encodeCall(unmask.proveUnmasking, (w.roundId, w.claim, w.aux, j, proof));
    }

    function directCall(Masked memory w, uint32 j) internal view returns (bytes memory) {
        bytes memory proof;
        for (uint256 slot = 0; slot < w.included.length; ++slot)
            proof = abi.encodePacked(proof, updateOpening(w, w.included[slot], j));
        proof = abi.encodePacked(proof, opening(w.aggregate, 4, j));
        return abi.encodeCall(unmask.proveUnmaskingDirect, (w.roundId, w.claim, w.aux, j, proof));
    }

    function transposeCall(Masked memory w, uint32 j, uint32 slot) internal view returns (bytes memory) {
        bytes memory proof = abi.encodePacked(
            matrixOpening(w, j),
            updateOpening(w, w.included[slot], j),
            pathIn(memberLeaves(w), slot, false)
        );
        return abi.encodeCall(unmask.proveMaskedTranspose, (w.roundId, w.claim, j, slot, proof));
    }

    function revealCall(Masked memory w, uint32 owner, uint32 peer) internal view returns (bytes memory) {
        bytes memory proof = standing(w, owner);
        if (needsPeer(w, owner, peer)) proof = abi.encodePacked(proof, standing(w, peer));
        return abi.encodeCall(unmask.proveReveal, (w.roundId, w.claim, w.aux, owner, peer, proof));
    }

    // -------------------------------------------------------------------------------------------------------- calls

    /// Propose what the world claims, send a proof, and undo both: `word` is the reason for which the round was void,
    /// or the selector with which the proof was refused.
    function outcome(Masked memory w, bytes memory call) internal returns (bool held, bytes32 word) {
        try this.dry(w.roundId, w.claim, w.excluded, w.aux, call) {
            revert Untrue("unreachable");
        } catch (bytes memory answer) {
            if (bytes4(answer) != Outcome_.selector) {
                assembly ("memory-safe") {
                    revert(add(answer, 0x20), mload(answer))
                }
            }
            assembly ("memory-safe") {
                held := mload(add(answer, 0x24))
                word := mload(add(answer, 0x44))
            }
        }
    }

    function dry(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata excluded,
        bytes calldata aux,
        bytes calldata call
    ) external {
        VM.prank(ownerOf(aggregator));
        ledger.propose(roundId, claim.proposal, excluded, aux);
        MORE.recordLogs();
        VM.prank(CHALLENGER);
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, bytes memory answer) = address(unmask).call(call);
        if (!held) revert Outcome_(false, bytes4(answer));
        VmMore.Log[] memory logs = MORE.getRecordedLogs();
        same(uint256(ledger.round(roundId).phase), uint256(Phase.Voided));
        same(logs[0].emitter, address(unmask));
        same(logs[0].topics[1], bytes32(uint256(roundId)));
        same(logs[0].topics[3], bytes32(uint256(uint160(CHALLENGER))));
        same(logs[1].topics[2], logs[0].topics[2]);
        revert Outcome_(true, logs[0].topics[2]);
    }

    function strikes(Masked memory w, bytes memory call, bytes32 reason) internal {
        (bool held, bytes32 word) = outcome(w, call);
        if (!held || word != reason) revert NotEqual(word, reason);
    }

    function refuses(Masked memory w, bytes memory call, bytes4 selector) internal {
        (bool held, bytes32 word) = outcome(w, call);
        if (held || word != selector) revert NotEqual(word, selector);
    }

    /// Refused, for whatever reason.
    function refusesAny(Masked memory w, bytes memory call) internal {
        (bool held, bytes32 word) = outcome(w, call);
        if (held) revert NotEqual(word, 0);
    }
}
