// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Role} from "../interfaces/IParticipantRegistry.sol";
import {
    CommitMode,
    Dispute,
    IRoundLedger,
    Outcome,
    Phase,
    Proposal,
    Round,
    Rule,
    Task,
    Verdict
} from "../interfaces/IRoundLedger.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {ProposalHash} from "../libraries/ProposalHash.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {SoleBoard} from "./Boards.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

// One test reads the reason of a revert.
// solhint-disable avoid-low-level-calls

/// Tasks, rounds, commitments, proposals. "Trap n" is the list in docs/protocol.md, Traps.
contract RoundLedgerTest is LedgerFixture {
    bytes32 private constant ZERO = bytes32(0);
    uint32 private aggregator;

    function setUp() public override {
        super.setUp();
        aggregator = assemble(5);
        ledger.createTask(sampleTask());
    }

    /// An open round in which clients 1..5 committed in one batch.
    function openWithFive() private returns (uint64 roundId) {
        roundId = open(aggregator);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 5));
    }

    function proposed() private returns (uint64 roundId, Outcome memory outcome) {
        roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        outcome = proposeAs(aggregator, roundId, "");
    }

    function checkPhase(uint64 roundId, Phase want) private view {
        same(uint256(phaseOf(roundId)), uint256(want));
    }

    function refuse(bytes memory reason) private {
        VM.expectRevert(reason);
    }

    // -------------------------------------------------------------------------------------------------------- tasks

    function testTaskIsStoredAndHashed() public {
        Task memory task = sampleTask();
        task.rule = Rule.MultiKrum;
        (task.ruleParam, task.ruleSelect, task.quorum, task.maxClients) = (2, 5, 7, 50);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.TaskCreated(2, keccak256(abi.encode(task)), task);
        same(ledger.createTask(task), 2);
        same(keccak256(abi.encode(ledger.task(2))), keccak256(abi.encode(task)));
        (bytes32 model, uint32 rounds, uint64 current, bytes32 head, bool bonded) = ledger.taskState(2);
        same(model, GENESIS);
        same(rounds + current, 0);
        same(head, ZERO);
        check(!bonded, "bonded");
        same(ledger.taskCount(), 2);
    }

    function testOnlyTheGovernorCreatesTasks() public {
        VM.prank(COURT);
        refuse(abi.encodeWithSelector(IRoundLedger.NotGovernor.selector, COURT));
        ledger.createTask(sampleTask());
        same(ledger.governor(), address(this));
        same(ledger.guardian(), GUARDIAN);
        same(ledger.maxPauseSeconds(), MAX_PAUSE);
        check(ledger.isCourt(COURT) && ledger.isCourt(address(court)), "courts");
        check(!ledger.isCourt(address(escrow)) && !ledger.isCourt(address(this)), "no courts");
        same(ledger.registry(), address(registry));
    }

    function invalid(Task memory task, bytes32 field) private {
        refuse(abi.encodeWithSelector(IRoundLedger.InvalidTask.selector, field));
        ledger.createTask(task);
    }

    function testTaskFormatHasRanges() public {
        Task memory task = sampleTask();
        task.size = 0;
        invalid(task, "size");
        task = sampleTask();
        task.scaleBits = 31;
        invalid(task, "scaleBits");
        task = sampleTask();
        task.leafLog2 = 2;
        invalid(task, "leafLog2");
        task.leafLog2 = 13;
        invalid(task, "leafLog2");
        task = sampleTask();
        task.matrixLog2 = 9;
        invalid(task, "matrixLog2");
        task = sampleTask();
        task.modelLog2 = 2;
        invalid(task, "modelLog2");
        task.modelLog2 = 13;
        invalid(task, "modelLog2");
        task = sampleTask();
        task.bound = 0;
        invalid(task, "bound");
        task.bound = 2 ** 23;
        invalid(task, "bound");
    }

    function testTaskCountsHaveRanges() public {
        Task memory task = sampleTask();
        task.examplesCap = 0;
        invalid(task, "examplesCap");
        task.examplesCap = 2 ** 20;
        invalid(task, "examplesCap");
        task = sampleTask();
        task.weiPerWeight = 1;
        invalid(task, "weiPerWeight");
        (task.rule, task.ruleParam) = (Rule.WeightedMean, 0);
        ledger.createTask(task);
        task = sampleTask();
        task.maxClients = 0;
        invalid(task, "maxClients");
        task.maxClients = 10_001;
        invalid(task, "maxClients");
        task.maxClients = 10_000;
        ledger.createTask(task);
        task = sampleTask();
        task.quorum = 0;
        invalid(task, "quorum");
        task.quorum = task.maxClients + 1;
        invalid(task, "quorum");
        task = sampleTask();
        task.genesisModel = 0;
        invalid(task, "genesisModel");
        task = sampleTask();
        task.layoutDigest = 0;
        invalid(task, "layoutDigest");
    }

    function testTaskWindowsFitTheUnbondingTime() public {
        Task memory task = sampleTask();
        task.commitSeconds = 0;
        invalid(task, "commitSeconds");
        task = sampleTask();
        task.proposeSeconds = 0;
        invalid(task, "proposeSeconds");
        task = sampleTask();
        task.challengeSeconds = 0;
        invalid(task, "challengeSeconds");
        task.dataSeconds = 0;
        task.challengeSeconds = uint32(UNBOND - MAX_PAUSE) - COMMIT - PROPOSE;
        ledger.createTask(task);
        task.challengeSeconds += 1;
        invalid(task, "challengeSeconds");
        task.challengeSeconds = type(uint32).max;
        invalid(task, "challengeSeconds");
    }

    function ruleTask(
        Rule rule,
        uint16 param,
        uint16 select,
        uint16 quorum
    ) private pure returns (Task memory task) {
        task = sampleTask();
        (task.rule, task.ruleParam, task.ruleSelect, task.quorum) = (rule, param, select, quorum);
        if (rule == Rule.Krum || rule == Rule.MultiKrum) task.maxClients = 50;
    }

    function testTaskRulesAreDefinedForTheQuorum() public {
        invalid(ruleTask(Rule.Mean, 1, 0, 3), "ruleParam");
        invalid(ruleTask(Rule.Mean, 0, 1, 3), "ruleSelect");
        ledger.createTask(ruleTask(Rule.Mean, 0, 0, 1));
        invalid(ruleTask(Rule.TrimmedMean, 1, 0, 2), "quorum");
        ledger.createTask(ruleTask(Rule.TrimmedMean, 1, 0, 3));
        ledger.createTask(ruleTask(Rule.TrimmedMean, 0, 0, 1));
        invalid(ruleTask(Rule.Krum, 1, 0, 4), "quorum");
        invalid(ruleTask(Rule.Krum, 1, 1, 5), "ruleSelect");
        ledger.createTask(ruleTask(Rule.Krum, 1, 0, 5));
        invalid(ruleTask(Rule.MultiKrum, 1, 0, 5), "ruleSelect");
        invalid(ruleTask(Rule.MultiKrum, 1, 5, 5), "quorum");
        ledger.createTask(ruleTask(Rule.MultiKrum, 1, 4, 5));
        invalid(ruleTask(Rule.Composed, 0, 0, 3), "quorum");
        invalid(ruleTask(Rule.Composed, 4, 0, 3), "quorum");
        invalid(ruleTask(Rule.Composed, 3, 1, 3), "ruleSelect");
        ledger.createTask(ruleTask(Rule.Composed, 3, 0, 3));
        Task memory task = ruleTask(Rule.Krum, 1, 0, 5);
        task.maxClients = 51;
        invalid(task, "maxClients");
    }

    function testUnknownTasksAndRoundsAreNamed() public {
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownTask.selector, 9));
        ledger.task(9);
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownTask.selector, 9));
        ledger.openRound(9, aggregator);
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownRound.selector, 9));
        ledger.round(9);
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownRound.selector, 9));
        ledger.commit(9, 1, keccak256("x"));
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownRound.selector, 9));
        ledger.expire(9);
    }

    // ------------------------------------------------------------------------------------------------------ opening

    function testRoundOpensWithItsDeadlines() public {
        uint40 at = uint40(clock());
        VM.expectEmit(true, true, true, true, address(ledger));
        emit IRoundLedger.RoundOpened(
            1,
            1,
            GENESIS,
            1,
            aggregator,
            at,
            at + COMMIT,
            at + COMMIT + DATA,
            at + COMMIT + DATA + PROPOSE
        );
        uint64 roundId = open(aggregator);
        Round memory round = ledger.round(roundId);
        same(uint256(round.phase), uint256(Phase.Open));
        same(round.openedAt, at);
        same(round.proposeEnd, at + COMMIT + DATA + PROPOSE);
        same(round.challengeEnd, 0);
        same(uint256(round.mode), uint256(CommitMode.Verified));
        same(round.taskId, 1);
        same(round.commitEnd, at + COMMIT);
        same(round.dataEnd, at + COMMIT + DATA);
        same(round.aggregator, aggregator);
        same(ledger.baseModelOf(roundId), GENESIS);
        same(registry.participant(aggregator).lockedWei, BOND);
        same(registry.participant(aggregator).openTasks, 1);
        (, uint32 rounds, uint64 current, , bool bonded) = ledger.taskState(1);
        same(rounds, 1);
        same(current, roundId);
        check(bonded, "not bonded");
        same(ledger.roundCount(), 1);
    }

    function testTaskHasOneRoundAtATime() public {
        uint64 roundId = open(aggregator);
        VM.prank(VM.addr(keyOf(aggregator)));
        refuse(abi.encodeWithSelector(IRoundLedger.RoundInProgress.selector, 1, roundId));
        ledger.openRound(1, aggregator);
        ledger.createTask(sampleTask());
        VM.prank(ownerOf(aggregator));
        same(ledger.openRound(2, aggregator), roundId + 1);
    }

    function testOnlyAnActiveAggregatorOpens() public {
        refuse(abi.encodeWithSelector(IRoundLedger.NotAggregator.selector, aggregator, address(this)));
        ledger.openRound(1, aggregator);
        VM.prank(ownerOf(1));
        refuse(abi.encodeWithSelector(IRoundLedger.NotAggregator.selector, 1, ownerOf(1)));
        ledger.openRound(1, 1);
        uint32 fresh = join(Role.Aggregator, AGGREGATOR_STAKE);
        VM.prank(ownerOf(fresh));
        refuse(abi.encodeWithSelector(IRoundLedger.NotAggregator.selector, fresh, ownerOf(fresh)));
        ledger.openRound(1, fresh);
    }

    /// Trap 7: one stake never backs more tasks than it covers.
    function testTrap7BondIsLockedPerTask() public {
        for (uint32 i = 0; i < 4; ++i) {
            uint32 taskId = ledger.createTask(sampleTask());
            VM.prank(ownerOf(aggregator));
            ledger.openRound(taskId, aggregator);
        }
        VM.prank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IParticipantRegistry.InsufficientStake.selector, 0, BOND));
        ledger.openRound(1, aggregator);
    }

    // ----------------------------------------------------------------------------------------------- self-commitment

    function testSignerAndOwnerCommitThemselves() public {
        uint64 roundId = open(aggregator);
        bytes32 first = commitmentOf(roundId, 1);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.Committed(roundId, 1, first);
        VM.prank(VM.addr(keyOf(1)));
        ledger.commit(roundId, 1, first);
        bytes32 second = commitmentOf(roundId, 2);
        VM.prank(ownerOf(2));
        ledger.commit(roundId, 2, second);
        bytes32 want = keccak256(abi.encode(ZERO, SegmentTree.leaf(1, first), 1));
        want = keccak256(abi.encode(want, SegmentTree.leaf(2, second), 1));
        Round memory round = ledger.round(roundId);
        same(round.segmentsHash, want);
        same(round.committed, 2);
        check(ledger.hasCommitted(roundId, 1) && ledger.hasCommitted(roundId, 2), "bits");
        check(!ledger.hasCommitted(roundId, 3), "bit of another");
    }

    function testSelfCommitmentIsRefusedToOthers() public {
        uint64 roundId = open(aggregator);
        bytes32 commitment = commitmentOf(roundId, 1);
        address signer = VM.addr(keyOf(1));
        refuse(abi.encodeWithSelector(IRoundLedger.SignatureMismatch.selector, 1, address(this), signer));
        ledger.commit(roundId, 1, commitment);
        VM.startPrank(ownerOf(1));
        refuse(abi.encodeWithSelector(IRoundLedger.ZeroRoot.selector));
        ledger.commit(roundId, 1, 0);
        refuse(abi.encodeWithSelector(IRoundLedger.NotEligible.selector, roundId, aggregator));
        ledger.commit(roundId, aggregator, commitment);
        ledger.commit(roundId, 1, commitment);
        refuse(abi.encodeWithSelector(IRoundLedger.AlreadyCommitted.selector, roundId, 1));
        ledger.commit(roundId, 1, commitment);
    }

    function testLateClientsWaitForTheNextRound() public {
        uint32 late = join(Role.Client, CLIENT_STAKE);
        uint64 roundId = open(aggregator);
        VM.warp(clock() + ACTIVATION);
        VM.prank(ownerOf(late));
        refuse(abi.encodeWithSelector(IRoundLedger.NotEligible.selector, roundId, late));
        ledger.commit(roundId, late, keccak256("x"));
    }

    function testCommitEndIsTheLastSecond() public {
        uint64 roundId = open(aggregator);
        uint40 end = ledger.round(roundId).commitEnd;
        VM.warp(end);
        VM.prank(ownerOf(1));
        ledger.commit(roundId, 1, keccak256("x"));
        VM.warp(end + 1);
        bytes memory late = abi.encodeWithSelector(IRoundLedger.TooLate.selector, roundId, end, end + 1);
        bytes memory batch = batchOf(roundId, 2, 3);
        VM.prank(ownerOf(2));
        refuse(late);
        ledger.commit(roundId, 2, keccak256("x"));
        refuse(late);
        ledger.commitBatch(roundId, batch);
    }

    // ------------------------------------------------------------------------------------------------------- batches

    function testBatchStoresOneRootAndEmitsItsEntries() public {
        uint64 roundId = open(aggregator);
        bytes memory entries;
        for (uint32 client = 1; client <= 5; ++client) {
            entries = abi.encodePacked(entries, client, commitmentOf(roundId, client));
        }
        bytes32 root = referenceRoot(roundId, 1, 5);
        bytes memory batch = batchOf(roundId, 1, 5);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.SegmentCommitted(roundId, root, 0, 5, entries);
        ledger.commitBatch(roundId, batch);
        Round memory round = ledger.round(roundId);
        same(round.segmentsHash, keccak256(abi.encode(ZERO, root, 5)));
        same(round.committed, 5);
        for (uint32 client = 1; client <= 5; ++client) check(ledger.hasCommitted(roundId, client), "bit");
    }

    function referenceRoot(uint64 roundId, uint32 first, uint32 last) private pure returns (bytes32) {
        bytes32[] memory level = new bytes32[](last - first + 1);
        for (uint32 c = first; c <= last; ++c) {
            level[c - first] = keccak256(abi.encodePacked(uint8(0), c, commitmentOf(roundId, c)));
        }
        for (uint256 n = level.length; n > 1; n = (n + 1) / 2) {
            for (uint256 i = 0; i < n / 2; ++i) {
                level[i] = keccak256(abi.encodePacked(uint8(1), level[2 * i], level[2 * i + 1]));
            }
            if (n % 2 == 1) level[n / 2] = level[n - 1];
        }
        return level[0];
    }

    /// Clients far apart, so that batches cross words of the bitmap; any split into two batches gives the same bits.
    function testFuzzBatchesSetExactlyTheirBits(uint256 seed, uint8 cut) public {
        for (uint256 i = 6; i < 30; ++i) join(Role.Client, CLIENT_STAKE);
        VM.store(address(registry), bytes32(uint256(2)), bytes32(uint256(249)));
        for (uint256 i = 249; i < 264; ++i) join(Role.Client, CLIENT_STAKE);
        VM.warp(clock() + ACTIVATION);
        uint64 roundId = open(aggregator);
        bytes[2] memory batches;
        uint256 count = 0;
        for (uint32 client = 1; client < 264; ++client) {
            bool exists = (client < 6 || (client > 6 && client < 31) || client > 249);
            if (!exists || (seed >> (client % 256)) & 1 == 0) continue;
            uint256 half = client < cut ? 0 : 1;
            batches[half] = abi.encodePacked(batches[half], entry(roundId, client, keyOf(client)));
            ++count;
        }
        for (uint256 half = 0; half < 2; ++half) {
            if (batches[half].length != 0) ledger.commitBatch(roundId, batches[half]);
        }
        uint256 bits = 0;
        for (uint32 client = 0; client < 512; ++client) if (ledger.hasCommitted(roundId, client)) ++bits;
        same(bits, count);
        same(ledger.round(roundId).committed, count);
    }

    function testBatchShapeIsChecked() public {
        uint64 roundId = open(aggregator);
        refuse(abi.encodeWithSelector(IRoundLedger.EmptyBatch.selector));
        ledger.commitBatch(roundId, "");
        bytes memory batch = abi.encodePacked(batchOf(roundId, 1, 2), uint8(0));
        refuse(abi.encodeWithSelector(IRoundLedger.WrongBatchLength.selector, 201));
        ledger.commitBatch(roundId, batch);
    }

    function testBatchMustRise() public {
        uint64 roundId = open(aggregator);
        bytes memory one = entry(roundId, 1, keyOf(1));
        bytes memory two = entry(roundId, 2, keyOf(2));
        refuse(abi.encodeWithSelector(IRoundLedger.NotRising.selector, 2, 1));
        ledger.commitBatch(roundId, bytes.concat(two, one));
        refuse(abi.encodeWithSelector(IRoundLedger.NotRising.selector, 1, 1));
        ledger.commitBatch(roundId, bytes.concat(one, one, two));
        bytes memory far = entry(roundId, 300, keyOf(300));
        refuse(abi.encodeWithSelector(IRoundLedger.NotRising.selector, 300, 2));
        ledger.commitBatch(roundId, bytes.concat(one, far, two));
    }

    function testBatchNamesTheDuplicate() public {
        uint64 roundId = open(aggregator);
        ledger.commitBatch(roundId, batchOf(roundId, 2, 3));
        bytes memory batch = batchOf(roundId, 1, 5);
        refuse(abi.encodeWithSelector(IRoundLedger.AlreadyCommitted.selector, roundId, 2));
        ledger.commitBatch(roundId, batch);
        same(ledger.round(roundId).committed, 2);
    }

    function testBatchNamesTheIneligible() public {
        uint64 roundId = open(aggregator);
        bytes memory batch = bytes.concat(
            batchOf(roundId, 1, 5),
            entry(roundId, aggregator, keyOf(aggregator))
        );
        refuse(abi.encodeWithSelector(IRoundLedger.NotEligible.selector, roundId, aggregator));
        ledger.commitBatch(roundId, batch);
        batch = bytes.concat(entry(roundId, 1, keyOf(1)), hex"00000063", new bytes(96));
        refuse(abi.encodeWithSelector(IRoundLedger.NotEligible.selector, roundId, 99));
        ledger.commitBatch(roundId, batch);
    }

    function testBatchNamesTheWrongSigner() public {
        uint64 roundId = open(aggregator);
        bytes memory batch = bytes.concat(batchOf(roundId, 1, 2), entry(roundId, 3, keyOf(4)));
        refuse(
            abi.encodeWithSelector(
                IRoundLedger.SignatureMismatch.selector,
                3,
                VM.addr(keyOf(4)),
                VM.addr(keyOf(3))
            )
        );
        ledger.commitBatch(roundId, batch);
    }

    /// ecrecover answers nothing for a malformed signature: that must never equal a key that is not there.
    function testUnrecoverableSignatureIsRefused() public {
        uint64 roundId = open(aggregator);
        bytes memory first = entry(roundId, 1, keyOf(1));
        bytes memory broken = abi.encodePacked(uint32(2), commitmentOf(roundId, 2), bytes32(0), bytes32(0));
        refuse(
            abi.encodeWithSelector(IRoundLedger.SignatureMismatch.selector, 2, address(0), VM.addr(keyOf(2)))
        );
        ledger.commitBatch(roundId, bytes.concat(first, broken));
    }

    function testBatchRefusesEmptyCommitments() public {
        uint64 roundId = open(aggregator);
        bytes32 digest = CommitHash.commitmentDigest(ledger.domainSeparator(), roundId, 1, 0);
        (bytes32 r, bytes32 vs) = compact(keyOf(1), digest);
        refuse(abi.encodeWithSelector(IRoundLedger.ZeroRoot.selector));
        ledger.commitBatch(roundId, abi.encodePacked(uint32(1), bytes32(0), r, vs));
    }

    function testRoundTakesNoMoreThanItsMaximum() public {
        Task memory task = sampleTask();
        (task.maxClients, task.quorum) = (4, 3);
        uint32 taskId = ledger.createTask(task);
        VM.prank(ownerOf(aggregator));
        uint64 roundId = ledger.openRound(taskId, aggregator);
        bytes memory batch = batchOf(roundId, 1, 5);
        refuse(abi.encodeWithSelector(IRoundLedger.RoundFull.selector, roundId, 4));
        ledger.commitBatch(roundId, batch);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 4));
        VM.prank(ownerOf(5));
        refuse(abi.encodeWithSelector(IRoundLedger.RoundFull.selector, roundId, 4));
        ledger.commit(roundId, 5, keccak256("x"));
    }

    /// Trap 1: after a rotation in mid-round, the key that was current when the round opened still counts, and only it.
    function testTrap1RotationInMidRoundKeepsTheOldKey() public {
        uint64 roundId = open(aggregator);
        rotate(1, 77);
        VM.warp(clock() + 10);
        bytes memory byNewKey = entry(roundId, 1, 77);
        refuse(
            abi.encodeWithSelector(IRoundLedger.SignatureMismatch.selector, 1, VM.addr(77), VM.addr(keyOf(1)))
        );
        ledger.commitBatch(roundId, byNewKey);
        ledger.commitBatch(roundId, entry(roundId, 1, keyOf(1)));
    }

    /// A round that opens in the second of the rotation still has the old key; one second later, the new one.
    function testRotationCountsFromTheNextSecond() public {
        rotate(1, 77);
        uint64 roundId = open(aggregator);
        ledger.commitBatch(roundId, entry(roundId, 1, keyOf(1)));
        uint32 taskId = ledger.createTask(sampleTask());
        VM.warp(clock() + 1);
        VM.prank(ownerOf(aggregator));
        uint64 later = ledger.openRound(taskId, aggregator);
        ledger.commitBatch(later, entry(later, 1, 77));
    }

    /// Trap 3: a high s is refused even where ecrecover itself would take it.
    function testTrap3HighSIsRefusedInABatch() public {
        uint64 roundId = open(aggregator);
        bytes32 commitment = commitmentOf(roundId, 1);
        bytes32 digest = CommitHash.commitmentDigest(ledger.domainSeparator(), roundId, 1, commitment);
        (bytes32 r, ) = compact(keyOf(1), digest);
        uint256 half = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
        for (uint256 s = half; s <= half + 1; ++s) {
            // The key for which this s would be right, put in the place of client 1's.
            address signer = ecrecover(digest, 27, r, bytes32(s));
            check(signer != address(0), "ecrecover takes it");
            VM.prank(address(registry));
            ledger.seat(1, signer, 0, Role.Client);
            bytes memory batch = abi.encodePacked(uint32(1), commitment, r, s);
            if (s > half) {
                refuse(
                    abi.encodeWithSelector(IRoundLedger.SignatureMismatch.selector, 1, address(0), signer)
                );
                ledger.commitBatch(roundId, batch);
            } else {
                (, bytes memory reason) = address(this).call(abi.encodeCall(this.tryBatch, (roundId, batch)));
                same(keccak256(reason), keccak256(abi.encodeWithSelector(Untrue.selector, "committed")));
            }
        }
    }

    /// Commit, so that the lowest allowed s is seen to pass, and undo it.
    function tryBatch(uint64 roundId, bytes calldata batch) external {
        ledger.commitBatch(roundId, batch);
        same(ledger.round(roundId).committed, 1);
        revert Untrue("committed");
    }

    /// Trap 5: a signature is good for one round, one chain and one contract.
    function testTrap5SignatureIsBoundToRoundChainAndContract() public {
        uint64 roundId = open(aggregator);
        bytes memory batch = batchOf(roundId, 1, 3);
        uint32 taskId = ledger.createTask(sampleTask());
        VM.prank(ownerOf(aggregator));
        uint64 other = ledger.openRound(taskId, aggregator);
        VM.expectRevert();
        ledger.commitBatch(other, batch);
        IRoundLedger twin = newLedger(address(escrow), new address[](0), address(this));
        check(twin.domainSeparator() != ledger.domainSeparator(), "contract in the domain");
        VM.chainId(4242);
        VM.expectRevert();
        ledger.commitBatch(roundId, batch);
        VM.chainId(31337);
        ledger.commitBatch(roundId, batch);
    }

    /// Trap 7: a client that leaves in mid-round cannot break a relayer's batch; its stake answers for the round.
    function testTrap7LeavingInMidRoundDoesNotBreakABatch() public {
        uint64 roundId = open(aggregator);
        bytes memory batch = batchOf(roundId, 1, 5);
        VM.warp(clock() + 10);
        VM.prank(ownerOf(3));
        registry.requestUnbond(3);
        VM.prank(address(escrow));
        registry.slash(4, 1, 1, "test", burnt());
        ledger.commitBatch(roundId, batch);
        uint40 end = ledger.round(roundId).proposeEnd + CHALLENGE;
        check(registry.participant(3).unlockAt > end, "the stake leaves before the round has ended");
    }

    function testWhoLeftBeforeIsNotInTheRound() public {
        VM.prank(ownerOf(3));
        registry.requestUnbond(3);
        uint64 roundId = open(aggregator);
        bytes memory batch = batchOf(roundId, 1, 5);
        refuse(abi.encodeWithSelector(IRoundLedger.NotEligible.selector, roundId, 3));
        ledger.commitBatch(roundId, batch);
    }

    // ------------------------------------------------------------------------------------------------------ proposals

    function testProposalOpensTheChallengeWindow() public {
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        bytes memory excluded = abi.encodePacked(uint32(2), uint16(713), uint32(5), uint16(701));
        Proposal memory proposal = sampleProposal(roundId, 5);
        bytes32 segmentsHash = ledger.round(roundId).segmentsHash;
        bytes32 hash = referenceHash(roundId, proposal, segmentsHash, excluded, "aux", 3);
        address signer = VM.addr(keyOf(aggregator));
        VM.expectEmit(true, true, true, true, address(ledger));
        emit IRoundLedger.Proposed(
            roundId,
            aggregator,
            hash,
            proposal,
            segmentsHash,
            3,
            uint40(clock()) + CHALLENGE,
            excluded,
            "aux"
        );
        VM.prank(signer);
        ledger.propose(roundId, proposal, excluded, "aux");
        Round memory round = ledger.round(roundId);
        same(uint256(round.phase), uint256(Phase.Proposed));
        same(round.committed, 5);
        same(round.excluded, 2);
        same(round.challengeEnd, clock() + CHALLENGE);
        same(round.proposalHash, hash);
        same(round.segmentsHash, ZERO);
        same(round.commitEnd + round.dataEnd + round.proposeEnd, 0);
    }

    /// The proposal's hash, written out.
    function referenceHash(
        uint64 roundId,
        Proposal memory proposal,
        bytes32 segmentsHash,
        bytes memory excluded,
        bytes memory aux,
        uint16 included
    ) private pure returns (bytes32) {
        bytes32 details = keccak256(
            abi.encode(
                proposal.membersRoot,
                proposal.dataId,
                segmentsHash,
                keccak256(excluded),
                keccak256(aux),
                proposal.committed,
                included
            )
        );
        bytes32 core = keccak256(abi.encode(proposal.modelRoot, details));
        return keccak256(abi.encode(roundId, proposal.aggregateRoot, proposal.matrixRoot, core));
    }

    function testProposalHasItsWindow() public {
        uint64 roundId = openWithFive();
        Round memory round = ledger.round(roundId);
        Proposal memory proposal = sampleProposal(roundId, 5);
        VM.startPrank(ownerOf(aggregator));
        VM.warp(round.dataEnd);
        bytes memory early = abi.encodeWithSelector(
            IRoundLedger.TooEarly.selector,
            roundId,
            round.dataEnd + 1,
            round.dataEnd
        );
        refuse(early);
        ledger.propose(roundId, proposal, "", "");
        refuse(early);
        ledger.abandon(roundId, "manifest", "");
        VM.warp(round.proposeEnd + 1);
        bytes memory late = abi.encodeWithSelector(
            IRoundLedger.TooLate.selector,
            roundId,
            round.proposeEnd,
            round.proposeEnd + 1
        );
        refuse(late);
        ledger.propose(roundId, proposal, "", "");
        refuse(late);
        ledger.abandon(roundId, "manifest", "");
        VM.warp(round.proposeEnd);
        ledger.propose(roundId, proposal, "", "");
        refuse(abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Proposed));
        ledger.propose(roundId, proposal, "", "");
    }

    function testProposalIsTakenFromTheSecondAfterTheDataPhase() public {
        uint64 roundId = openWithFive();
        VM.warp(ledger.round(roundId).commitEnd + DATA + 1);
        proposeAs(aggregator, roundId, "");
        checkPhase(roundId, Phase.Proposed);
    }

    function testWithoutADataPhaseProposalsFollowTheCommits() public {
        Task memory task = sampleTask();
        task.dataSeconds = 0;
        uint32 taskId = ledger.createTask(task);
        VM.startPrank(ownerOf(aggregator));
        uint64 roundId = ledger.openRound(taskId, aggregator);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 5));
        uint40 end = ledger.round(roundId).commitEnd;
        Proposal memory proposal = sampleProposal(roundId, 5);
        VM.warp(end);
        refuse(abi.encodeWithSelector(IRoundLedger.TooEarly.selector, roundId, end + 1, end));
        ledger.propose(roundId, proposal, "", "");
        VM.warp(end + 1);
        ledger.propose(roundId, proposal, "", "");
    }

    function testOnlyTheRoundsAggregatorProposes() public {
        uint32 other = join(Role.Aggregator, AGGREGATOR_STAKE);
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        Proposal memory proposal = sampleProposal(roundId, 5);
        bytes memory reason = abi.encodeWithSelector(
            IRoundLedger.NotAggregator.selector,
            aggregator,
            ownerOf(other)
        );
        VM.startPrank(ownerOf(other));
        refuse(reason);
        ledger.propose(roundId, proposal, "", "");
        refuse(reason);
        ledger.abandon(roundId, "", "");
    }

    /// Whoever opened a round may end it, and so may the owner and the key of the round, but no later key.
    function testTheKeyOfTheRoundProposes() public {
        uint64 roundId = openWithFive();
        rotate(aggregator, 77);
        VM.warp(clock() + 1);
        uint32 taskId = ledger.createTask(sampleTask());
        VM.prank(ownerOf(aggregator));
        uint64 later = ledger.openRound(taskId, aggregator);
        ledger.commitBatch(later, batchOf(later, 1, 5));
        pass(ledger.round(later).dataEnd);
        Proposal memory proposal = sampleProposal(roundId, 5);
        VM.prank(VM.addr(77));
        refuse(abi.encodeWithSelector(IRoundLedger.NotAggregator.selector, aggregator, VM.addr(77)));
        ledger.propose(roundId, proposal, "", "");
        VM.prank(VM.addr(keyOf(aggregator)));
        ledger.propose(roundId, proposal, "", "");
        proposal = sampleProposal(later, 5);
        VM.prank(VM.addr(77));
        ledger.propose(later, proposal, "", "");
    }

    function testTheOwnerProposesWhatTheSignerOpened() public {
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        Proposal memory proposal = sampleProposal(roundId, 5);
        VM.prank(ownerOf(aggregator));
        ledger.propose(roundId, proposal, "", "");
    }

    function testProposalNeedsEveryRoot() public {
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        for (uint256 i = 0; i < 5; ++i) {
            Proposal memory proposal = sampleProposal(roundId, 5);
            if (i == 0) proposal.aggregateRoot = 0;
            if (i == 1) proposal.matrixRoot = 0;
            if (i == 2) proposal.membersRoot = 0;
            if (i == 3) proposal.modelRoot = 0;
            if (i == 4) proposal.dataId = 0;
            VM.prank(ownerOf(aggregator));
            refuse(abi.encodeWithSelector(IRoundLedger.ZeroRoot.selector));
            ledger.propose(roundId, proposal, "", "");
        }
    }

    /// Every proof carries the auxiliary data again.
    function testAuxiliaryDataHasALimit() public {
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        Proposal memory proposal = sampleProposal(roundId, 5);
        bytes memory aux = new bytes(2 ** 17 + 1);
        VM.startPrank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.AuxTooLong.selector, 2 ** 17 + 1, 2 ** 17));
        ledger.propose(roundId, proposal, "", aux);
        assembly ("memory-safe") {
            mstore(aux, 0x20000)
        }
        ledger.propose(roundId, proposal, "", aux);
    }

    function testProposalCountsAsTheLedgerDoes() public {
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        for (uint16 committed = 4; committed <= 6; committed += 2) {
            VM.prank(ownerOf(aggregator));
            refuse(abi.encodeWithSelector(IRoundLedger.WrongCount.selector, roundId, committed, uint16(5)));
            ledger.propose(roundId, sampleProposal(roundId, committed), "", "");
        }
    }

    function testExclusionsAreCommittedClientsRising() public {
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        bytes[5] memory wrong = [
            bytes(hex"00000002029a00"),
            abi.encodePacked(uint32(3), uint16(1), uint32(2), uint16(1)),
            abi.encodePacked(uint32(2), uint16(1), uint32(2), uint16(1)),
            abi.encodePacked(uint32(1), uint16(1), aggregator, uint16(1)),
            abi.encodePacked(uint32(0), uint16(1))
        ];
        VM.startPrank(ownerOf(aggregator));
        for (uint256 i = 0; i < wrong.length; ++i) {
            refuse(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, roundId));
            ledger.propose(roundId, sampleProposal(roundId, 5), wrong[i], "");
            refuse(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, roundId));
            ledger.abandon(roundId, "manifest", wrong[i]);
        }
    }

    function firstThree() private pure returns (bytes memory) {
        return abi.encodePacked(uint32(1), uint16(1), uint32(2), uint16(1), uint32(3), uint16(1));
    }

    function testQuorumDecidesBetweenProposalAndAbandonment() public {
        uint64 roundId = openWithFive();
        pass(ledger.round(roundId).dataEnd);
        bytes32 segmentsHash = ledger.round(roundId).segmentsHash;
        VM.startPrank(ownerOf(aggregator));
        refuse(abi.encodeWithSelector(IRoundLedger.QuorumNotMet.selector, roundId, 2, 3));
        ledger.propose(roundId, sampleProposal(roundId, 5), firstThree(), "");
        refuse(abi.encodeWithSelector(IRoundLedger.QuorumMet.selector, roundId, 5, 3));
        ledger.abandon(roundId, "manifest", "");
        VM.expectEmit(true, false, false, true, address(ledger));
        emit IRoundLedger.Abandoned(roundId, 2, "manifest", firstThree());
        ledger.abandon(roundId, "manifest", firstThree());
        checkPhase(roundId, Phase.Abandoned);
        Round memory round = ledger.round(roundId);
        same(round.excluded, 3);
        same(round.segmentsHash, segmentsHash);
        same(round.commitEnd + round.challengeEnd, 0);
        ledger.openRound(1, aggregator);
    }

    // ---------------------------------------------------------------------------------------------------------- board

    function openWithBoard() private returns (uint64 roundId, SoleBoard board) {
        board = new SoleBoard();
        Task memory task = sampleTask();
        task.board = address(board);
        uint32 taskId = ledger.createTask(task);
        VM.prank(ownerOf(aggregator));
        roundId = ledger.openRound(taskId, aggregator);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 5));
    }

    function testBoardDecidesExclusionsAfterTheDataPhase() public {
        (uint64 roundId, SoleBoard board) = openWithBoard();
        Round memory round = ledger.round(roundId);
        bytes memory excluded = abi.encodePacked(uint32(4), uint16(801));
        Proposal memory proposal = sampleProposal(roundId, 5);
        VM.startPrank(ownerOf(aggregator));
        VM.warp(round.dataEnd);
        refuse(
            abi.encodeWithSelector(IRoundLedger.TooEarly.selector, roundId, round.dataEnd + 1, round.dataEnd)
        );
        ledger.propose(roundId, proposal, excluded, "");
        pass(round.dataEnd);
        refuse(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, roundId));
        ledger.propose(roundId, proposal, excluded, "");
        board.certify(excluded);
        refuse(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, roundId));
        ledger.propose(roundId, proposal, "", "");
        ledger.propose(roundId, proposal, excluded, "");
        same(ledger.round(roundId).excluded, 1);
    }

    // ----------------------------------------------------------------------------------------------------------- ends

    function testAnybodyFinalisesAfterTheWindow() public {
        (uint64 roundId, Outcome memory outcome) = proposed();
        Round memory round = ledger.round(roundId);
        VM.warp(round.challengeEnd);
        refuse(
            abi.encodeWithSelector(
                IRoundLedger.TooEarly.selector,
                roundId,
                round.challengeEnd + 1,
                round.challengeEnd
            )
        );
        ledger.finalise(roundId, outcome);
        pass(round.challengeEnd);
        bytes32 head = keccak256(abi.encode(ZERO, roundId, round.proposalHash));
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.Finalised(roundId, head, outcome.modelRoot);
        VM.prank(address(0xBEEF));
        ledger.finalise(roundId, outcome);
        (bytes32 model, uint32 rounds, uint64 current, bytes32 got, ) = ledger.taskState(1);
        same(model, outcome.modelRoot);
        same(rounds, 1);
        same(current, roundId);
        same(got, head);
        Round memory ended = ledger.round(roundId);
        same(uint256(ended.phase), uint256(Phase.Finalised));
        same(ended.proposalHash, round.proposalHash);
        same(ended.challengeEnd, round.challengeEnd);
        VM.expectEmit(true, true, true, false, address(ledger));
        emit IRoundLedger.RoundOpened(roundId + 1, 1, outcome.modelRoot, 2, aggregator, 0, 0, 0, 0);
        uint64 next = open(aggregator);
        same(ledger.baseModelOf(next), outcome.modelRoot);
        (, rounds, , , ) = ledger.taskState(1);
        same(rounds, 2);
    }

    function testFinalisationTakesTheProposalAndNoOther() public {
        (uint64 roundId, Outcome memory outcome) = proposed();
        bytes32 want = ledger.round(roundId).proposalHash;
        pass(ledger.round(roundId).challengeEnd);
        for (uint256 i = 0; i < 4; ++i) {
            Outcome memory other = abi.decode(abi.encode(outcome), (Outcome));
            if (i == 0) other.aggregateRoot = keccak256("mine");
            if (i == 1) other.matrixRoot = keccak256("mine");
            if (i == 2) other.modelRoot = keccak256("mine");
            if (i == 3) other.detailsHash = keccak256("mine");
            bytes32 core = ProposalHash.core(other.modelRoot, other.detailsHash);
            bytes32 got = ProposalHash.outer(roundId, other.aggregateRoot, other.matrixRoot, core);
            refuse(abi.encodeWithSelector(IRoundLedger.ProposalMismatch.selector, roundId, got, want));
            ledger.finalise(roundId, other);
        }
        ledger.finalise(roundId, outcome);
    }

    function testMissedProposalCostsATenthOfTheBond() public {
        uint64 roundId = openWithFive();
        uint40 end = ledger.round(roundId).proposeEnd;
        VM.warp(end);
        refuse(abi.encodeWithSelector(IRoundLedger.TooEarly.selector, roundId, end + 1, end));
        ledger.expire(roundId);
        pass(end);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.BondReleased(1, aggregator);
        VM.expectEmit(true, false, false, true, address(ledger));
        emit IRoundLedger.Expired(roundId, BOND / 10);
        VM.prank(address(0xBEEF));
        ledger.expire(roundId);
        same(stakeOf(aggregator), AGGREGATOR_STAKE - BOND / 10);
        same(registry.burntWei(), BOND / 10);
        check(isUnlocked(aggregator), "the bond");
        checkPhase(roundId, Phase.Expired);
        (, , , , bool bonded) = ledger.taskState(1);
        check(!bonded, "bonded");
    }

    function testRoundWithoutAQuorumExpiresForNothing() public {
        uint64 roundId = open(aggregator);
        ledger.commitBatch(roundId, batchOf(roundId, 1, 2));
        pass(ledger.round(roundId).proposeEnd);
        VM.expectEmit(true, false, false, true, address(ledger));
        emit IRoundLedger.Expired(roundId, 0);
        ledger.expire(roundId);
        same(stakeOf(aggregator), AGGREGATOR_STAKE);
        same(uint256(open(aggregator)), roundId + 1);
    }

    /// Trap 7: an aggregator that loses its standing in one round still ends the ones it has opened.
    function testTrap7DeactivatedAggregatorStillProposes() public {
        uint64 roundId = openWithFive();
        VM.warp(clock() + 1);
        VM.prank(address(escrow));
        registry.slash(aggregator, 99, 1 ether, "test", burnt());
        pass(ledger.round(roundId).dataEnd);
        proposeAs(aggregator, roundId, "");
        checkPhase(roundId, Phase.Proposed);
    }

    // ---------------------------------------------------------------------------------------------------------- bonds

    function lockedOf(uint32 id) private view returns (uint256) {
        return registry.participant(id).lockedWei;
    }

    function checkBonded(bool want) private view {
        (, , , , bool bonded) = ledger.taskState(1);
        check(bonded == want, "bonded");
    }

    /// A bond stays from round to round, whatever the ending, and is held once.
    function testBondIsCarriedOverToTheNextRound() public {
        (uint64 roundId, Outcome memory outcome) = proposed();
        pass(ledger.round(roundId).challengeEnd);
        ledger.finalise(roundId, outcome);
        same(lockedOf(aggregator), BOND);
        roundId = openWithFive();
        same(lockedOf(aggregator), BOND);
        pass(ledger.round(roundId).dataEnd);
        VM.prank(ownerOf(aggregator));
        ledger.abandon(roundId, "manifest", firstThree());
        roundId = open(aggregator);
        pass(ledger.round(roundId).proposeEnd);
        ledger.expire(roundId);
        open(aggregator);
        same(lockedOf(aggregator), BOND);
        same(registry.participant(aggregator).openTasks, 1);
        checkBonded(true);
    }

    function testAnotherAggregatorFreesTheBondOfTheLast() public {
        uint32 other = join(Role.Aggregator, AGGREGATOR_STAKE);
        VM.warp(clock() + ACTIVATION);
        uint64 roundId = open(aggregator);
        pass(ledger.round(roundId).proposeEnd);
        ledger.expire(roundId);
        same(lockedOf(aggregator), BOND);
        open(other);
        check(isUnlocked(aggregator), "the last one's bond");
        same(lockedOf(other), BOND);
        same(registry.participant(other).openTasks, 1);
    }

    function testAnybodyReleasesTheBondBetweenRounds() public {
        bytes memory noBond = abi.encodeWithSelector(IRoundLedger.NoBond.selector, uint32(1));
        refuse(noBond);
        ledger.releaseBond(1);
        refuse(abi.encodeWithSelector(IRoundLedger.NoBond.selector, uint32(9)));
        ledger.releaseBond(9);
        uint64 roundId = openWithFive();
        bytes memory running = abi.encodeWithSelector(IRoundLedger.RoundInProgress.selector, 1, roundId);
        refuse(running);
        ledger.releaseBond(1);
        pass(ledger.round(roundId).dataEnd);
        Outcome memory outcome = proposeAs(aggregator, roundId, "");
        refuse(running);
        ledger.releaseBond(1);
        pass(ledger.round(roundId).challengeEnd);
        ledger.finalise(roundId, outcome);
        VM.prank(address(0xBEEF));
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.BondReleased(1, aggregator);
        ledger.releaseBond(1);
        check(isUnlocked(aggregator), "the bond");
        checkBonded(false);
        refuse(noBond);
        ledger.releaseBond(1);
        open(aggregator);
        same(lockedOf(aggregator), BOND);
    }

    function voidedRound() private returns (uint64 roundId) {
        (roundId, ) = proposed();
        VM.prank(COURT);
        ledger.void(roundId, "x", address(0xCA11), keccak256("proof"));
    }

    /// The next round settles the verdict on the last one, and needs a bond of its own.
    function testTheNextRoundSettlesAVerdict() public {
        uint64 roundId = voidedRound();
        refuse(abi.encodeWithSelector(IRoundLedger.NoBond.selector, uint32(1)));
        ledger.releaseBond(1);
        same(lockedOf(aggregator), BOND);
        registry.deposit{value: BOND}(aggregator);
        uint64 next = open(aggregator);
        check(escrow.isSettled(roundId), "not settled");
        same(escrow.rewardOf(roundId, 0, ZERO).challenger, address(0xCA11));
        same(lockedOf(aggregator), BOND);
        same(registry.participant(aggregator).openTasks, 1);
        same(stakeOf(aggregator), AGGREGATOR_STAKE);
        checkPhase(next, Phase.Open);
    }

    function testASettledVerdictIsNotSettledAgain() public {
        uint64 roundId = voidedRound();
        registry.deposit{value: BOND}(aggregator);
        escrow.settle(roundId);
        check(isUnlocked(aggregator), "the bond");
        open(aggregator);
        same(stakeOf(aggregator), AGGREGATOR_STAKE);
        same(lockedOf(aggregator), BOND);
    }

    /// An aggregator that the settlement leaves below the minimum cannot open a round that it could not propose in.
    function testAVerdictMayEndAnAggregatorsStanding() public {
        voidedRound();
        address signer = VM.addr(keyOf(aggregator));
        VM.prank(signer);
        refuse(abi.encodeWithSelector(IRoundLedger.NotAggregator.selector, aggregator, signer));
        ledger.openRound(1, aggregator);
    }

    function testAnotherAggregatorTakesAVoidedTaskOver() public {
        uint32 other = join(Role.Aggregator, AGGREGATOR_STAKE);
        VM.warp(clock() + ACTIVATION);
        uint64 roundId = voidedRound();
        open(other);
        check(isUnlocked(aggregator), "the bond");
        same(stakeOf(aggregator), AGGREGATOR_STAKE - BOND);
        same(lockedOf(other), BOND);
        check(escrow.isSettled(roundId), "not settled");
    }

    // ---------------------------------------------------------------------------------------------------------- court

    function testCourtVoidsAProposalAndTheModelStays() public {
        (uint64 roundId, Outcome memory outcome) = proposed();
        uint40 end = ledger.round(roundId).challengeEnd;
        registry.deposit{value: BOND}(aggregator);
        VM.expectEmit(true, true, true, true, address(ledger));
        emit IRoundLedger.Voided(roundId, "wrong aggregate", address(0xCA11));
        VM.prank(COURT);
        ledger.void(roundId, "wrong aggregate", address(0xCA11), keccak256("proof"));
        (bytes32 model, , uint64 current, bytes32 head, bool bonded) = ledger.taskState(1);
        same(model, GENESIS);
        same(current, roundId);
        same(head, ZERO);
        check(bonded, "the bond waits for its settlement");
        Round memory round = ledger.round(roundId);
        same(uint256(round.phase), uint256(Phase.Voided));
        same(round.challengeEnd, end);
        same(round.proposalHash, ZERO);
        same(round.segmentsHash, ZERO);
        same(round.committed, 5);
        Verdict memory verdict = ledger.verdictOf(roundId);
        same(verdict.challenger, address(0xCA11));
        same(verdict.provenAt, clock());
        same(verdict.proofTag, uint56(uint256(keccak256("proof"))));
        pass(end);
        refuse(abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Voided));
        ledger.finalise(roundId, outcome);
        open(aggregator);
        same(ledger.verdictOf(roundId).provenAt, 0);
        checkPhase(roundId, Phase.Voided);
    }

    /// A task's rounds share their place: what a round that is over committed to can no longer be told.
    function testTheNextRoundTakesTheDigestsPlace() public {
        registry.deposit{value: BOND}(aggregator);
        uint64 first = openWithFive();
        pass(ledger.round(first).proposeEnd);
        ledger.expire(first);
        check(ledger.round(first).segmentsHash != ZERO, "too early");
        uint64 second = open(aggregator);
        same(ledger.round(first).segmentsHash, ZERO);
        same(ledger.round(first).committed, 5);
        // What the first one left is not the second one's.
        same(ledger.round(second).segmentsHash, ZERO);
        bytes32 commitment = commitmentOf(second, 1);
        VM.prank(ownerOf(1));
        ledger.commit(second, 1, commitment);
        bytes32 want = keccak256(abi.encode(ZERO, SegmentTree.leaf(1, commitment), 1));
        same(ledger.round(second).segmentsHash, want);
        ledger.commitBatch(second, batchOf(second, 2, 5));
        pass(ledger.round(second).dataEnd);
        Outcome memory outcome = proposeAs(aggregator, second, "");
        pass(ledger.round(second).challengeEnd);
        ledger.finalise(second, outcome);
        check(ledger.round(second).proposalHash != ZERO, "too early");
        open(aggregator);
        same(ledger.round(second).proposalHash, ZERO);
    }

    function testNoVerdictWithoutAVoidedProposal() public {
        (uint64 roundId, ) = proposed();
        same(ledger.verdictOf(roundId).provenAt, 0);
        same(ledger.verdictOf(roundId).challenger, address(0));
        same(ledger.verdictOf(99).provenAt, 0);
    }

    function testOnlyCourtsJudge() public {
        (uint64 roundId, ) = proposed();
        bytes memory notCourt = abi.encodeWithSelector(IRoundLedger.NotCourt.selector, address(this));
        refuse(notCourt);
        ledger.void(roundId, "x", address(this), ZERO);
        refuse(notCourt);
        ledger.holdDispute(roundId, 0);
        refuse(notCourt);
        ledger.releaseDispute(roundId);
    }

    function testDisputeHoldsFinalisationUp() public {
        (uint64 roundId, Outcome memory outcome) = proposed();
        uint40 end = ledger.round(roundId).challengeEnd;
        VM.startPrank(COURT);
        refuse(abi.encodeWithSelector(IRoundLedger.NoDispute.selector, roundId));
        ledger.releaseDispute(roundId);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.DisputeHeld(roundId, COURT, end);
        ledger.holdDispute(roundId, 0);
        same(ledger.round(roundId).challengeEnd, end);
        ledger.holdDispute(roundId, end + 50);
        same(ledger.round(roundId).challengeEnd, end + 50);
        same(ledger.round(roundId).openDisputes, 2);
        pass(end + 50);
        refuse(abi.encodeWithSelector(IRoundLedger.DisputesOpen.selector, roundId, 2));
        ledger.finalise(roundId, outcome);
        VM.expectEmit(true, true, false, true, address(ledger));
        emit IRoundLedger.DisputeReleased(roundId, COURT);
        ledger.releaseDispute(roundId);
        ledger.releaseDispute(roundId);
        ledger.finalise(roundId, outcome);
        checkPhase(roundId, Phase.Finalised);
    }

    /// One court's verdict ends the round; another court still closes the dispute that it holds.
    function testADisputeIsReleasedAfterAVerdictToo() public {
        (uint64 roundId, ) = proposed();
        VM.prank(COURT);
        ledger.holdDispute(roundId, 0);
        VM.prank(address(court));
        ledger.void(roundId, "x", address(0xCA11), ZERO);
        VM.prank(COURT);
        ledger.releaseDispute(roundId);
        same(ledger.round(roundId).openDisputes, 0);
    }

    /// Trap 7: last-minute disputes extend a round, but never past the time at which its stakes could leave.
    function testTrap7ExtensionEndsWithTheUnbondingTime() public {
        (uint64 roundId, ) = proposed();
        VM.prank(COURT);
        ledger.holdDispute(roundId, type(uint40).max);
        same(ledger.round(roundId).challengeEnd, ledger.round(roundId).openedAt + UNBOND);
    }

    function testCourtsJudgeByTheTask() public {
        Task memory task = sampleTask();
        (task.rule, task.ruleParam, task.ruleSelect) = (Rule.MultiKrum, 2, 4);
        (task.quorum, task.maxClients) = (7, 50);
        (task.size, task.leafLog2, task.matrixLog2, task.modelLog2) = (4811, 9, 4, 6);
        (task.bound, task.examplesCap) = (777, 888);
        uint32 taskId = ledger.createTask(task);
        join(Role.Client, CLIENT_STAKE);
        join(Role.Client, CLIENT_STAKE);
        join(Role.Client, CLIENT_STAKE);
        VM.warp(clock() + ACTIVATION);
        VM.prank(ownerOf(aggregator));
        uint64 roundId = ledger.openRound(taskId, aggregator);
        ledger.commitBatch(roundId, bytes.concat(batchOf(roundId, 1, 5), batchOf(roundId, 7, 9)));
        refuse(abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Open));
        ledger.disputeOf(roundId);
        pass(ledger.round(roundId).dataEnd);
        proposeAs(aggregator, roundId, abi.encodePacked(uint32(2), uint16(1)));
        Dispute memory want = Dispute({
            proposalHash: ledger.round(roundId).proposalHash,
            rule: Rule.MultiKrum,
            ruleParam: 2,
            ruleSelect: 4,
            size: 4811,
            leafLog2: 9,
            matrixLog2: 4,
            modelLog2: 6,
            bound: 777,
            examplesCap: 888,
            weiPerWeight: 0,
            included: 7
        });
        same(keccak256(abi.encode(ledger.disputeOf(roundId))), keccak256(abi.encode(want)));
    }

    function testTheBaseModelIsThatOfARunningRound() public {
        (uint64 roundId, Outcome memory outcome) = proposed();
        same(ledger.baseModelOf(roundId), GENESIS);
        pass(ledger.round(roundId).challengeEnd);
        ledger.finalise(roundId, outcome);
        refuse(abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Finalised));
        ledger.baseModelOf(roundId);
        refuse(abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, uint64(99), Phase.None));
        ledger.baseModelOf(99);
    }

    // ---------------------------------------------------------------------------------------------------------- seats

    function testOnlyTheRegistrySeatsParticipants() public {
        refuse(abi.encodeWithSelector(IRoundLedger.NotRegistry.selector, address(this)));
        ledger.seat(1, address(this), 0, Role.Client);
    }

    /// The ledger's mirror and the registry say the same of a client, whatever it did before and since.
    function testFuzzARoundKnowsItsClientsAsTheRegistryDoes(uint256 seed) public {
        uint256 key = keyOf(3);
        uint256 opening = seed % 8;
        uint64 roundId = 0;
        for (uint256 i = 0; i < 8; ++i) {
            if (i == opening) roundId = open(aggregator);
            uint256 x = uint256(keccak256(abi.encode(seed, i)));
            uint256 choice = (x >> 8) % 4;
            bool isLeaving = registry.participant(3).unlockAt != 0;
            if (choice == 0) rotate(3, 9000 + i);
            if (choice == 1) slashOf(3);
            if (choice == 2 && !isLeaving) registry.deposit{value: 1}(3);
            if (choice == 3 && !isLeaving && x % 2 == 0) leave(3);
            VM.warp(clock() + (x % 70));
        }
        (bool active, address signer) = registry.signerAt(3, Role.Client, ledger.round(roundId).openedAt);
        for (uint256 i = 0; i < 8; ++i) if (signer == VM.addr(9000 + i)) key = 9000 + i;
        check(!active || signer == VM.addr(key), "key");
        bytes memory batch = entry(roundId, 3, key);
        if (!active) refuse(abi.encodeWithSelector(IRoundLedger.NotEligible.selector, roundId, 3));
        if (seed & 0x100 == 0) return ledger.commitBatch(roundId, batch);
        VM.prank(active ? signer : ownerOf(3));
        ledger.commit(roundId, 3, keccak256("mine"));
    }

    function slashOf(uint32 id) private {
        VM.prank(address(escrow));
        registry.slash(id, 1, 1, "test", burnt());
    }

    function leave(uint32 id) private {
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
    }

    // ------------------------------------------------------------------------------------------------------ one ending

    /// A round that has ended accepts nothing at all, whatever the time.
    function testEndedRoundsAcceptNothing() public {
        uint64 roundId = openWithFive();
        bytes memory batch = entry(roundId, 1, keyOf(1));
        pass(ledger.round(roundId).proposeEnd);
        ledger.expire(roundId);
        Proposal memory proposal = sampleProposal(roundId, 5);
        Outcome memory outcome;
        bytes memory ended = abi.encodeWithSelector(IRoundLedger.WrongPhase.selector, roundId, Phase.Expired);
        VM.startPrank(ownerOf(aggregator));
        refuse(ended);
        ledger.commitBatch(roundId, batch);
        refuse(ended);
        ledger.commit(roundId, 1, keccak256("x"));
        refuse(ended);
        ledger.commitRoot(roundId, "x", 1, "y");
        refuse(ended);
        ledger.propose(roundId, proposal, "", "");
        refuse(ended);
        ledger.abandon(roundId, "", "");
        refuse(ended);
        ledger.finalise(roundId, outcome);
        refuse(ended);
        ledger.expire(roundId);
        refuse(ended);
        ledger.disputeOf(roundId);
        VM.stopPrank();
        VM.startPrank(COURT);
        refuse(ended);
        ledger.void(roundId, "x", COURT, ZERO);
        refuse(ended);
        ledger.holdDispute(roundId, 0);
    }
}
