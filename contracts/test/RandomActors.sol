// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Role} from "../interfaces/IParticipantRegistry.sol";
import {Phase, Round} from "../interfaces/IRoundLedger.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

// A call that is refused is one of the things that may happen.
// solhint-disable avoid-low-level-calls

/// Participants that act at random, within what each of them is able to sign. It remembers what it saw accepted.
contract RandomActors is LedgerFixture {
    address private constant CHALLENGER = address(0xABC);
    address private constant POOL = address(0xDEF);
    uint256 private constant TASKS = 2;
    uint256 private constant MAX_PARTICIPANTS = 16;

    /// How often each client's commitment was accepted in a round.
    mapping(uint64 roundId => mapping(uint32 client => uint256)) public accepted;
    mapping(uint64 roundId => Phase) public ending;
    mapping(uint64 roundId => bytes) public excludedOf;
    mapping(uint32 id => uint256 key) private _key;
    uint256 private _keys = 1 << 32;
    uint256 public actions;

    constructor() {
        setUp();
        for (uint256 i = 0; i < TASKS; ++i) ledger.createTask(sampleTask());
        assemble(6);
        assemble(2);
    }

    function setUp() public override {
        if (address(ledger) == address(0)) super.setUp();
    }

    /// Do one thing, chosen by the seed.
    function step(uint256 seed) external {
        uint256 choice = seed % 16;
        seed = uint256(keccak256(abi.encode(seed)));
        if (choice < 2) _wait(seed);
        else if (choice < 4) _openRound(seed);
        else if (choice < 6) _commitBatch(seed);
        else if (choice < 7) _commit(seed);
        else if (choice < 9) _closeRound(seed);
        else if (choice < 11) _endRound(seed);
        else if (choice < 12) _judge(seed);
        else if (choice < 13) _slash(seed);
        else if (choice < 14) _moveStake(seed);
        else if (choice < 15) _rotate(seed);
        else if (registry.participantCount() < MAX_PARTICIPANTS) _join(seed);
        ++actions;
        _noteEndings();
    }

    /// End every round, take every stake and every credit out.
    function leaveAltogether() external {
        VM.warp(block.timestamp + 10 * uint256(UNBOND));
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) _endNow(roundId);
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            if (registry.participant(id).unlockAt != 0) continue;
            VM.prank(ownerOf(id));
            registry.requestUnbond(id);
        }
        VM.warp(block.timestamp + UNBOND);
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            registry.withdraw(id);
            _claim(ownerOf(id));
        }
        _claim(CHALLENGER);
        _claim(POOL);
    }

    function heldWei() external view returns (uint256 sum) {
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            sum += stakeOf(id) + registry.creditOf(ownerOf(id));
        }
        sum += registry.creditOf(CHALLENGER) + registry.creditOf(POOL) + registry.burntWei();
    }

    function contracts() external view returns (address, address) {
        return (address(registry), address(ledger));
    }

    function _endNow(uint64 roundId) private {
        Round memory round = ledger.round(roundId);
        for (uint256 i = 0; i < round.openDisputes; ++i) {
            VM.prank(COURT);
            ledger.releaseDispute(roundId);
        }
        if (round.phase == Phase.Open) ledger.expire(roundId);
        if (round.phase == Phase.Proposed)
            ledger.finalise(roundId, sampleProposal(roundId), excludedOf[roundId]);
    }

    function _claim(address account) private {
        if (registry.creditOf(account) == 0) return;
        VM.prank(account);
        registry.claim(address(0xFEED));
    }

    function _anyId(uint256 seed) private view returns (uint32) {
        return uint32(within(seed, 1, registry.participantCount()));
    }

    function _anyRound(uint256 seed) private view returns (uint64) {
        // Mostly one of the latest, so that something can still happen to it.
        uint256 count = ledger.roundCount();
        return uint64(count < 2 ? count : count - (seed % 2));
    }

    function _wait(uint256 seed) private {
        uint256[4] memory spans = [uint256(1), ACTIVATION, 350, 601];
        VM.warp(block.timestamp + spans[seed % 4]);
    }

    function _join(uint256 seed) private {
        if (seed % 4 == 0) join(Role.Aggregator, AGGREGATOR_STAKE + ((seed >> 8) % 1 ether));
        else join(Role.Client, CLIENT_STAKE + ((seed >> 8) % 1 ether));
    }

    function _openRound(uint256 seed) private {
        uint32 aggregator = seed % 2 == 0 ? 7 : 10;
        uint32 taskId = uint32(within(seed >> 16, 1, TASKS));
        VM.prank(ownerOf(aggregator));
        (bool ok, ) = address(ledger).call(abi.encodeCall(ledger.openRound, (taskId, aggregator)));
        ok;
    }

    function _signingKey(uint32 id) private view returns (uint256) {
        return _key[id] == 0 ? keyOf(id) : _key[id];
    }

    function _commitBatch(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        if (roundId == 0) return;
        bytes memory batch;
        for (uint32 id = 1; id <= registry.participantCount(); ++id) {
            if ((seed >> id) & 3 != 0) batch = abi.encodePacked(batch, entry(roundId, id, _signingKey(id)));
        }
        (bool ok, ) = address(ledger).call(abi.encodeCall(ledger.commitBatch, (roundId, batch)));
        if (!ok) return _commitEach(roundId, batch);
        for (uint256 at = 0; at < batch.length; at += 100) ++accepted[roundId][_clientAt(batch, at)];
    }

    /// One bad entry refuses a batch: send the entries one by one.
    function _commitEach(uint64 roundId, bytes memory batch) private {
        for (uint256 at = 0; at < batch.length; at += 100) {
            bytes memory one = new bytes(100);
            for (uint256 i = 0; i < 100; ++i) one[i] = batch[at + i];
            (bool ok, ) = address(ledger).call(abi.encodeCall(ledger.commitBatch, (roundId, one)));
            if (ok) ++accepted[roundId][_clientAt(batch, at)];
        }
    }

    function _clientAt(bytes memory batch, uint256 at) private pure returns (uint32 client) {
        for (uint256 i = 0; i < 4; ++i) client = (client << 8) | uint8(batch[at + i]);
    }

    function _commit(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        uint32 id = _anyId(seed >> 8);
        VM.prank(ownerOf(id));
        (bool ok, ) = address(ledger).call(
            abi.encodeCall(ledger.commit, (roundId, id, keccak256(abi.encode(seed))))
        );
        if (ok) ++accepted[roundId][id];
    }

    function _closeRound(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        if (roundId == 0) return;
        Round memory round = ledger.round(roundId);
        if (round.phase != Phase.Open) return;
        if (block.timestamp <= round.dataEnd) pass(round.dataEnd);
        bytes memory excluded = _someExcluded(roundId, seed);
        bytes memory call = abi.encodeCall(ledger.propose, (roundId, sampleProposal(roundId), excluded));
        VM.prank(ownerOf(round.aggregator));
        (bool ok, ) = address(ledger).call(call);
        if (ok) {
            excludedOf[roundId] = excluded;
            return;
        }
        VM.prank(ownerOf(round.aggregator));
        (ok, ) = address(ledger).call(abi.encodeCall(ledger.abandon, (roundId, "manifest", excluded)));
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
        uint40 end = round.phase == Phase.Open ? round.proposeEnd : round.challengeEnd;
        if (seed % 3 == 0 && block.timestamp <= end) pass(end);
        (bool ok, ) = address(ledger).call(
            round.phase == Phase.Open
                ? abi.encodeCall(ledger.expire, (roundId))
                : abi.encodeCall(ledger.finalise, (roundId, sampleProposal(roundId), excludedOf[roundId]))
        );
        ok;
    }

    function _judge(uint256 seed) private {
        uint64 roundId = _anyRound(seed);
        VM.prank(COURT);
        bytes memory call = abi.encodeCall(ledger.releaseDispute, (roundId));
        if ((seed >> 8) % 3 == 0) call = abi.encodeCall(ledger.void, (roundId, "judged"));
        else if ((seed >> 8) % 3 == 1)
            call = abi.encodeCall(ledger.holdDispute, (roundId, uint40(block.timestamp + 100)));
        (bool ok, ) = address(ledger).call(call);
        ok;
    }

    function _slash(uint256 seed) private {
        uint16 challengerBps = uint16((seed >> 8) % 5001);
        uint32 id = _anyId(seed);
        VM.prank(COURT);
        registry.slash(id, 1, (seed >> 32) % 1 ether, "judged", CHALLENGER, challengerBps, POOL, 1000);
    }

    function _moveStake(uint256 seed) private {
        uint32 id = _anyId(seed >> 8);
        uint256 choice = seed % 4;
        if (choice == 0) VM.prank(ownerOf(id));
        (bool ok, ) = choice < 2
            ? address(registry).call(
                choice == 0
                    ? abi.encodeCall(registry.requestUnbond, (id))
                    : abi.encodeCall(registry.withdraw, (id))
            )
            : address(registry).call{value: (seed >> 64) % 1 ether}(abi.encodeCall(registry.deposit, (id)));
        ok;
        if (choice == 3) _claim(ownerOf(id));
    }

    function _rotate(uint256 seed) private {
        uint32 id = _anyId(seed);
        rotate(id, ++_keys);
        if (seed % 2 == 0) _key[id] = _keys;
    }

    function _noteEndings() private {
        for (uint64 roundId = 1; roundId <= ledger.roundCount(); ++roundId) {
            Phase phase = ledger.round(roundId).phase;
            if (ending[roundId] != Phase.None && phase != ending[roundId])
                revert Untrue("an ended round went on");
            if (phase > Phase.Proposed) ending[roundId] = phase;
        }
    }
}
