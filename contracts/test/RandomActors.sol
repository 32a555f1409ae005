// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Role} from "../interfaces/IParticipantRegistry.sol";
import {Outcome, Phase, Proposal, Round, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {CourtFixture} from "./CourtFixture.sol";

// A call that is refused is one of the things that may happen.
// solhint-disable avoid-low-level-calls

/// Participants that act at random, within what each of them is able to sign: aggregators that lie or not, challengers
/// that are right or not. It remembers what it saw accepted. Courts and escrow are the real ones.
contract RandomActors is CourtFixture {
    /// What is wrong with a proposal.
    enum Lie {
        None,
        Aggregate,
        Matrix,
        Members,
        Model
    }

    address private constant COPIER = address(0xC0B1);
    uint256 private constant TASKS = 2;
    uint256 private constant MAX_PARTICIPANTS = 16;
    uint32 private constant OTHER_AGGREGATOR = 10;
    uint32 private constant SIZE = 6;
    /// The coordinate at which an aggregator lies.
    uint256 private constant AT = 2;

    /// How often each client's commitment was accepted in a round.
    mapping(uint64 roundId => mapping(uint32 client => uint256)) public accepted;
    mapping(uint64 roundId => Phase) public ending;
    mapping(uint64 roundId => Lie) public lieOf;
    /// Disputes that COURT holds.
    mapping(uint64 roundId => uint256) public held;
    mapping(uint64 roundId => uint256) public proofs;
    mapping(uint64 roundId => mapping(uint32 id => bytes32)) private _commitments;
    mapping(uint64 roundId => uint16[]) private _counts;
    mapping(uint64 roundId => uint32[]) private _arrivals;
    mapping(uint64 roundId => bytes) private _excluded;
    mapping(uint64 roundId => Outcome) private _outcomes;
    mapping(uint64 roundId => bytes32) private _segments;
    mapping(uint64 roundId => bytes32) private _proofHash;
    mapping(uint32 taskId => int32[]) private _models;
    mapping(uint32 id => uint256 key) private _key;
    /// Rounds in which a client was caught signing twice.
    mapping(uint32 id => uint64[]) private _punished;
    uint256 private _keys = 1 << 32;
    uint256 public actions;

    constructor() {
        CourtFixture.setUp();
        for (uint32 taskId = 1; taskId <= TASKS; ++taskId) _createTask(taskId);
        assemble(2);
        registry.deposit{value: 40 ether}(aggregator);
        registry.deposit{value: 40 ether}(OTHER_AGGREGATOR);
    }

    /// The constructor has done it: what it deploys need not lie in the code of this contract.
    function setUp() public override {
        assert(address(ledger) != address(0));
    }

    function clientCount() internal pure override returns (uint256) {
        return 6;
    }

    /// Do one thing, chosen by the seed.
    function step(uint256 seed) external {
        uint256 choice = seed % 25;
        seed = uint256(keccak256(abi.encode(seed)));
        if (choice < 1) _wait(seed);
        else if (choice < 5) _openRound(seed);
        else if (choice < 8) _commitBatch(_anyRound(seed), seed);
        else if (choice < 9) _commit(seed);
        else if (choice < 12) _closeRound(seed);
        else if (choice < 15) _endRound(seed);
        else if (choice < 16) _dispute(seed);
        else if (choice < 19) _prove(_anyRound(seed), seed);
        else if (choice < 20) _equivocate(seed);
        else if (choice < 21) _collect(seed);
        else if (choice < 22) _moveStake(seed);
        else if (choice < 23) _rotate(seed);
        else if (choice < 24) _pause(seed);
        else if (registry.participantCount() < MAX_PARTICIPANTS) _join(seed);
        ++actions;
        _noteEndings();
    }

    /// End every round, take every stake and every credit out.
    function leaveAltogether() external {
        VM.warp(clock() + 10 * uint256(UNBOND));
        for (uint32 taskId = 1; taskId <= TASKS; ++taskId)
            if (ledger.pausedAt(taskId) != 0) ledger.resume(taskId);
        VM.warp(clock() + 10 * uint256(UNBOND));
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) _endNow(roundId);
        for (uint32 taskId = 1; taskId <= TASKS; ++taskId) {
            (, , , , bool bonded) = ledger.taskState(taskId);
            (bool ok, ) = address(ledger).call(abi.encodeCall(ledger.releaseBond, (taskId)));
            ok = ok || bonded;
        }
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            for (uint256 i = 0; i < _punished[id].length; ++i) _payPunishment(_punished[id][i], id);
            if (registry.participant(id).unlockAt != 0) continue;
            VM.prank(ownerOf(id));
            registry.requestUnbond(id);
        }
        VM.warp(clock() + UNBOND);
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            registry.withdraw(id);
            _claim(ownerOf(id));
        }
        _claim(CHALLENGER);
        _claim(COPIER);
    }

    function heldWei() external view returns (uint256 sum) {
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            sum += stakeOf(id) + registry.creditOf(ownerOf(id));
        }
        sum += registry.creditOf(CHALLENGER) + registry.creditOf(COPIER);
        sum += registry.creditOf(address(escrow)) + registry.burntWei();
    }

    function contracts() external view returns (address, address, address) {
        return (address(registry), address(ledger), address(escrow));
    }

    function _createTask(uint32 taskId) private {
        Task memory task = smallTask(taskId == 1 ? Rule.Median : Rule.Mean, SIZE, 1);
        task.quorum = 3;
        int32[] memory model = new int32[](SIZE);
        _models[taskId] = model;
        task.genesisModel = vectorRoot(model, task.modelLog2);
        ledger.createTask(task);
    }

    // ---------------------------------------------------------------------------------------------------------- ends

    function _endNow(uint64 roundId) private {
        for (; held[roundId] > 0; --held[roundId]) {
            VM.prank(COURT);
            ledger.releaseDispute(roundId);
        }
        Phase phase = phaseOf(roundId);
        if (phase == Phase.Open) ledger.expire(roundId);
        if (phase == Phase.Proposed) ledger.finalise(roundId, _outcomes[roundId]);
        if (phase != Phase.Voided) return;
        (bool ok, ) = address(escrow).call(abi.encodeCall(escrow.claimReward, (roundId)));
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            if (!ledger.hasCommitted(roundId, id) || escrow.hasClaimedShare(roundId, id)) continue;
            escrow.claimShare(roundId, id);
        }
        ok = true;
    }

    function _payPunishment(uint64 roundId, uint32 id) private {
        (bool ok, ) = address(escrow).call(
            abi.encodeCall(escrow.claimPunishment, (roundId, id, "equivocation"))
        );
        ok = true;
    }

    function _claim(address account) private {
        if (registry.creditOf(account) == 0) return;
        VM.prank(account);
        registry.claim(address(0xFEED));
    }

    function _anyId(uint256 seed) private view returns (uint32) {
        return uint32(within(seed, 1, registry.participantCount()));
    }

    /// Mostly a task's latest, so that something can still happen to it.
    function _anyRound(uint256 seed) private view returns (uint64) {
        uint256 count = ledger.roundCount();
        if (count == 0 || seed % 8 == 0) return uint64(count == 0 ? 0 : within(seed >> 3, 1, count));
        (, , uint64 current, , ) = ledger.taskState(uint32(within(seed >> 3, 1, TASKS)));
        return current;
    }

    function _wait(uint256 seed) private {
        uint256[4] memory spans = [uint256(1), ACTIVATION, 350, 601];
        VM.warp(clock() + spans[seed % spans.length]);
    }

    function _join(uint256 seed) private {
        if (seed % 4 == 0) join(Role.Aggregator, AGGREGATOR_STAKE + ((seed >> 8) % 1 ether));
        else join(Role.Client, CLIENT_STAKE + ((seed >> 8) % 1 ether));
    }

    function _openRound(uint256 seed) private {
        uint32 id = seed % 2 == 0 ? aggregator : OTHER_AGGREGATOR;
        uint32 taskId = uint32(within(seed >> 16, 1, TASKS));
        VM.prank(ownerOf(id));
        (bool ok, ) = address(ledger).call(abi.encodeCall(ledger.openRound, (taskId, id)));
        // Most clients come at once.
        if (ok && (seed >> 32) % 4 != 0) _commitBatch(ledger.roundCount(), seed >> 64);
    }

    // --------------------------------------------------------------------------------------------------- commitments

    function _signingKey(uint32 id) private view returns (uint256) {
        return _key[id] == 0 ? keyOf(id) : _key[id];
    }

    /// What a client commits to follows from round and client.
    function _world(uint64 roundId) private view returns (World memory w) {
        uint256 n = registry.participantCount();
        w.roundId = roundId;
        w.task = ledger.task(ledger.round(roundId).taskId);
        w.base = _models[ledger.round(roundId).taskId];
        w.excluded = _excluded[roundId];
        (w.clients, w.examples) = (new uint32[](n), new uint32[](n));
        (w.updates, w.commitments) = (new int32[][](n), new bytes32[](n));
        for (uint256 i = 0; i < n; ++i) {
            (w.clients[i], w.examples[i]) = (uint32(i + 1), uint32(i));
            w.updates[i] = new int32[](SIZE);
            for (uint256 j = 0; j < SIZE; ++j) w.updates[i][j] = draw(roundId, i, j);
            w.commitments[i] = _commitments[roundId][uint32(i + 1)];
        }
    }

    /// Hashed once: a campaign is mostly hashes otherwise.
    function _committing(World memory w, uint32 id) private returns (bytes32 commitment) {
        commitment = _commitments[w.roundId][id];
        if (commitment == 0) commitment = commitmentTo(w, id - 1);
        _commitments[w.roundId][id] = commitment;
    }

    function _commitBatch(uint64 roundId, uint256 seed) private {
        if (roundId == 0 || phaseOf(roundId) != Phase.Open) return;
        World memory w = _world(roundId);
        bytes memory batch;
        uint32[] memory ids = new uint32[](w.clients.length);
        uint256 count = 0;
        for (uint32 id = 1; id <= ids.length; ++id) {
            if ((seed >> id) & 3 == 0) continue;
            ids[count++] = id;
            bytes memory one = signedEntry(roundId, id, _committing(w, id), _signingKey(id));
            batch = abi.encodePacked(batch, one);
        }
        assembly ("memory-safe") {
            mstore(ids, count)
        }
        if (_send(roundId, batch)) return _note(roundId, ids);
        // One bad entry refuses a batch: send the entries one by one.
        for (uint256 i = 0; i < count; ++i) {
            uint32[] memory one = new uint32[](1);
            one[0] = ids[i];
            if (_send(roundId, cut(batch, 100 * i, 100))) _note(roundId, one);
        }
    }

    function _send(uint64 roundId, bytes memory batch) private returns (bool ok) {
        (ok, ) = address(ledger).call(abi.encodeCall(ledger.commitBatch, (roundId, batch)));
    }

    function _note(uint64 roundId, uint32[] memory ids) private {
        for (uint256 i = 0; i < ids.length; ++i) {
            ++accepted[roundId][ids[i]];
            _arrivals[roundId].push(ids[i]);
        }
        _counts[roundId].push(uint16(ids.length));
    }

    function _commit(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        if (roundId == 0) return;
        uint32[] memory ids = new uint32[](1);
        ids[0] = _anyId(seed >> 8);
        bytes32 commitment = _committing(_world(roundId), ids[0]);
        VM.prank(ownerOf(ids[0]));
        (bool ok, ) = address(ledger).call(abi.encodeCall(ledger.commit, (roundId, ids[0], commitment)));
        if (ok) _note(roundId, ids);
    }

    // ----------------------------------------------------------------------------------------------------- proposals

    function _closeRound(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        if (roundId == 0) return;
        Round memory round = ledger.round(roundId);
        if (round.phase != Phase.Open) return;
        // An empty round is mostly left open for those who will commit.
        if (round.committed < 3 && (seed >> 192) % 8 != 0) return;
        if (clock() <= round.dataEnd) pass(round.dataEnd);
        bytes memory excluded = _someExcluded(roundId, seed);
        if (round.committed < 3 + excluded.length / 6) {
            VM.prank(ownerOf(round.aggregator));
            (bool ended, ) = address(ledger).call(
                abi.encodeCall(ledger.abandon, (roundId, "manifest", excluded))
            );
            ended = true;
            return;
        }
        _excluded[roundId] = excluded;
        lieOf[roundId] = Lie((seed >> 128) % 8 < 3 ? 0 : 1 + (roundId % 4));
        World memory w = _proposed(roundId);
        VM.prank(ownerOf(round.aggregator));
        (bool ok, ) = address(ledger).call(
            abi.encodeCall(ledger.propose, (roundId, w.claim.proposal, excluded, ""))
        );
        if (!ok) return;
        _segments[roundId] = round.segmentsHash;
        w.claim.segmentsHash = round.segmentsHash;
        _outcomes[roundId] = outcomeOf(w);
        // Half of the rounds are watched.
        if ((seed >> 200) % 2 == 0) _prove(roundId, seed >> 8);
    }

    /// What the aggregator puts forward.
    function _proposed(uint64 roundId) private view returns (World memory w) {
        w = _world(roundId);
        Lie lie = lieOf[roundId];
        uint256 count = 0;
        w.committed = _arrivals[roundId].length;
        w.includedIds = new uint32[](w.committed - w.excluded.length / 6);
        w.included = new int32[][](w.includedIds.length);
        for (uint32 id = 1; id <= w.clients.length; ++id) {
            if (accepted[roundId][id] == 0 || isExcluded(w, id)) continue;
            w.included[count] = w.updates[id - 1];
            w.includedIds[count++] = id;
        }
        recompute(w);
        if (lie == Lie.Aggregate) w.aggregate[AT] += 1;
        for (uint256 j = 0; j < SIZE; ++j) w.model[j] = IntegerRules.modelStep(w.base[j], w.aggregate[j]);
        if (lie == Lie.Matrix) w.matrix[4 * AT * count] ^= 0x01;
        if (lie == Lie.Members) w.includedIds[0] = w.includedIds[1];
        if (lie == Lie.Model) w.model[AT] += w.model[AT] == type(int32).max ? -1 : int32(1);
        w.claim.proposal = Proposal({
            aggregateRoot: vectorRoot(w.aggregate, w.task.modelLog2),
            matrixRoot: ChunkTree.chunkRoot(w.matrix, matrixChunk(w)),
            modelRoot: vectorRoot(w.model, w.task.modelLog2),
            membersRoot: rootOfMembers(w),
            dataId: "manifest",
            committed: uint16(w.committed)
        });
        w.claim.segmentsHash = _segments[roundId];
        (w.claim.excludedHash, w.claim.auxHash) = (keccak256(w.excluded), keccak256(""));
    }

    function _someExcluded(uint64 roundId, uint256 seed) private view returns (bytes memory excluded) {
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            bool chosen = (seed >> (id + 64)) & 7 == 0;
            if (chosen && ledger.hasCommitted(roundId, id))
                excluded = abi.encodePacked(excluded, id, uint16(701));
        }
    }

    function _endRound(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        if (roundId == 0) return;
        Round memory round = ledger.round(roundId);
        if (round.phase == Phase.Open && (seed >> 192) % 8 != 0) return;
        uint40 end = round.phase == Phase.Open ? round.proposeEnd : round.challengeEnd;
        if (seed % 3 != 0 && clock() <= end) pass(end);
        World memory w;
        if (round.phase == Phase.Proposed) w = _proposed(roundId);
        (bool ok, ) = address(ledger).call(
            round.phase == Phase.Open
                ? abi.encodeCall(ledger.expire, (roundId))
                : abi.encodeCall(ledger.finalise, (roundId, _outcomes[roundId]))
        );
        if (ok && round.phase == Phase.Proposed) _models[round.taskId] = w.model;
    }

    // --------------------------------------------------------------------------------------------------------- proofs

    function _dispute(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        bool hold = (seed >> 8) % 3 == 0;
        VM.prank(COURT);
        (bool ok, ) = address(ledger).call(
            hold
                ? abi.encodeCall(ledger.holdDispute, (roundId, uint40(clock() + 100)))
                : abi.encodeCall(ledger.releaseDispute, (roundId))
        );
        if (ok && hold) ++held[roundId];
        else if (ok) --held[roundId];
    }

    /// A proof of any kind about any round: it must hold where it is the right one, and never against the honest.
    function _prove(uint64 roundId, uint256 seed) private {
        if (roundId == 0 || phaseOf(roundId) != Phase.Proposed) return;
        World memory w = _proposed(roundId);
        Lie lie = lieOf[roundId];
        // Half of the challengers know what is wrong.
        Lie accused = (seed >> 8) % 2 == 0 && lie != Lie.None ? lie : Lie(1 + ((seed >> 16) % 4));
        uint256 j = accused == lie ? AT : (seed >> 32) % SIZE;
        (bytes memory call, bytes memory proof) = _accusation(w, accused, j, seed);
        if ((seed >> 64) % 4 == 0) _buyTicket(roundId, proof);
        VM.prank((seed >> 72) % 3 == 0 ? COPIER : CHALLENGER);
        (bool ok, ) = address(court).call(call);
        if (ok && lie == Lie.None) revert Untrue("an honest round is void");
        if (!ok && accused == lie) revert Untrue("a lie is not provable");
        if (!ok) return;
        ++proofs[roundId];
        _proofHash[roundId] = keccak256(proof);
    }

    function _accusation(
        World memory w,
        Lie accused,
        uint256 j,
        uint256 seed
    ) private view returns (bytes memory call, bytes memory proof) {
        if (accused == Lie.Members) {
            proof = _membersProof(w.roundId);
            return (membersCall(w, proof), proof);
        }
        if (accused == Lie.Matrix) {
            proof = transposeProof(w, j, 0);
            return (transposeCall(w, j, 0, proof), proof);
        }
        if (accused == Lie.Model) {
            proof = modelProof(w, j);
            return (modelCall(w, j, proof), proof);
        }
        if ((seed >> 80) % 2 == 0) {
            proof = directProof(w, j);
            return (directCall(w, j, proof), proof);
        }
        proof = columnProof(w, j);
        return (columnCall(w, proof), proof);
    }

    function _membersProof(uint64 roundId) private view returns (bytes memory) {
        uint16[] memory counts = _counts[roundId];
        uint32[] memory ids = _arrivals[roundId];
        bytes32[] memory commitments = _world(roundId).commitments;
        bytes memory head = abi.encodePacked(uint16(counts.length));
        for (uint256 i = 0; i < counts.length; ++i) head = abi.encodePacked(head, counts[i]);
        bytes memory order;
        for (uint256 i = 0; i < ids.length; ++i)
            head = abi.encodePacked(head, ids[i], commitments[ids[i] - 1]);
        for (uint32 id = 1; id <= commitments.length; ++id)
            for (uint256 i = 0; i < ids.length; ++i)
                if (ids[i] == id) order = abi.encodePacked(order, uint16(i));
        return abi.encodePacked(head, order);
    }

    function _buyTicket(uint64 roundId, bytes memory proof) private {
        bytes32 hash = keccak256(abi.encode(roundId, keccak256(proof), CHALLENGER, bytes32("salt")));
        if (escrow.ticketAt(hash) != 0) return;
        escrow.ticket(hash);
        VM.warp(clock() + 1);
    }

    /// A client that signs two commitments is caught.
    function _equivocate(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        uint32 id = _anyId(seed >> 8);
        // The whole stake goes: not too often.
        if (roundId == 0 || (seed >> 16) % 8 != 0) return;
        World memory w;
        w.roundId = roundId;
        bytes memory call = equivocationCall(w, id, "one", "two", _signingKey(id));
        VM.prank(CHALLENGER);
        (bool ok, ) = address(court).call(call);
        if (ok) _punished[id].push(roundId);
    }

    /// Anybody settles, contests, claims: any of it may be too early, too late or not owed.
    function _collect(uint256 seed) private {
        uint64 roundId = uint64(within(seed >> 8, 1, ledger.roundCount() + 1));
        uint256 choice = seed % 5;
        if (seed % 3 == 0) VM.warp(clock() + 1 hours);
        uint32 id = _anyId(seed >> 16);
        bytes memory call = abi.encodeCall(escrow.settle, (roundId));
        if (choice == 1) call = abi.encodeCall(escrow.claimReward, (roundId));
        if (choice == 2) call = abi.encodeCall(escrow.claimShare, (roundId, id));
        if (choice == 3) call = abi.encodeCall(escrow.claimPunishment, (roundId, id, "equivocation"));
        if (choice == 4) call = abi.encodeCall(escrow.contest, (roundId, 0, 0, _proofHash[roundId], "salt"));
        VM.prank(CHALLENGER);
        (bool ok, ) = address(escrow).call(call);
        ok = true;
    }

    // --------------------------------------------------------------------------------------------------------- stakes

    function _moveStake(uint256 seed) private {
        uint32 id = _anyId(seed >> 8);
        uint256 choice = seed % 4;
        // Few leave, or nobody would be left to commit.
        if (choice == 0 && (seed >> 128) % 4 != 0) return;
        if (choice == 0) VM.prank(ownerOf(id));
        (bool ok, ) = choice < 2
            ? address(registry).call(
                choice == 0
                    ? abi.encodeCall(registry.requestUnbond, (id))
                    : abi.encodeCall(registry.withdraw, (id))
            )
            : address(registry).call{value: 0.5 ether + ((seed >> 64) % 1 ether)}(
                abi.encodeCall(registry.deposit, (id))
            );
        ok = true;
        if (choice == 3) _claim(ownerOf(id));
    }

    function _rotate(uint256 seed) private {
        uint32 id = _anyId(seed);
        rotate(id, ++_keys);
        if (seed % 2 == 0) _key[id] = _keys;
    }

    function _pause(uint256 seed) private {
        uint32 taskId = uint32(within(seed, 1, TASKS));
        bool isPaused = ledger.pausedAt(taskId) != 0;
        if (!isPaused && (seed >> 16) % 4 != 0) return;
        if ((seed >> 8) & 3 != 0) VM.prank(GUARDIAN);
        (bool ok, ) = address(ledger).call(
            isPaused ? abi.encodeCall(ledger.resume, (taskId)) : abi.encodeCall(ledger.pause, (taskId))
        );
        ok = true;
    }

    function _noteEndings() private {
        uint64 count = ledger.roundCount();
        for (uint64 roundId = count < 5 ? 1 : count - 4; roundId <= count; ++roundId) {
            Phase phase = phaseOf(roundId);
            if (ending[roundId] != Phase.None && phase != ending[roundId])
                revert Untrue("an ended round went on");
            bool isOver = phase > Phase.Proposed && phase != Phase.Paused;
            if (isOver) ending[roundId] = phase;
        }
    }
}
