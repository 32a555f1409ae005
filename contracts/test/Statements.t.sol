// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Role} from "../interfaces/IParticipantRegistry.sol";
import {IRoundLedger} from "../interfaces/IRoundLedger.sol";
import {IStatements} from "../interfaces/IStatements.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

/// Who may state what about a round, and which encryption key is in force when. Clients are 1 to 3, then comes the
/// aggregator, then an attestor.
contract StatementsTest is LedgerFixture {
    bytes32 private constant KIND = "anomaly";
    bytes32 private constant METHOD = keccak256("method");
    bytes32 private constant MECHANISM = "gaussian";
    uint32 private constant AGGREGATOR = 4;
    uint32 private constant ATTESTOR = 5;

    IStatements private statements;
    uint64 private roundId;

    function setUp() public override {
        super.setUp();
        statements = IStatements(deploy("Statements", abi.encode(registry, ledger)));
        assemble(3);
        join(Role.Attestor, 3 ether);
        VM.warp(clock() + ACTIVATION);
        ledger.createTask(sampleTask());
        roundId = open(AGGREGATOR);
    }

    function refuse(bytes memory reason) private {
        VM.expectRevert(reason);
    }

    function speakAs(uint32 id) private {
        VM.prank(VM.addr(keyOf(id)));
    }

    function score(uint32 client, int64 value) private pure returns (bytes memory) {
        return abi.encodePacked(client, value);
    }

    function spend(uint32 client) private pure returns (bytes memory) {
        return abi.encodePacked(client, uint64(1_000_000), uint64(10 ** 7));
    }

    function notRising(uint32 previous, uint32 next) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IStatements.ClientsNotRising.selector, previous, next);
    }

    function testItKnowsItsContractsAndTakesNoEth() public {
        same(statements.registry(), address(registry));
        same(statements.ledger(), address(ledger));
        // solhint-disable-next-line avoid-low-level-calls
        (bool sent, ) = address(statements).call{value: 1}("");
        check(!sent, "took ETH");
    }

    // --------------------------------------------------------------------------------------------------------- scores

    function testAggregatorsAndAttestorsScore() public {
        bytes memory entries = abi.encodePacked(score(1, -5), score(3, type(int64).max));
        for (uint32 scorer = AGGREGATOR; scorer <= ATTESTOR; ++scorer) {
            VM.expectEmit(true, true, true, true, address(statements));
            emit IStatements.ScoresRecorded(roundId, scorer, KIND, METHOD, entries);
            speakAs(scorer);
            statements.recordScores(roundId, scorer, KIND, METHOD, entries);
        }
        VM.prank(ownerOf(ATTESTOR));
        statements.recordScores(roundId, ATTESTOR, "trust", METHOD, entries);
    }

    function testNobodyScoresForAnother() public {
        refuse(abi.encodeWithSelector(IStatements.NotSpeaker.selector, ATTESTOR, VM.addr(keyOf(AGGREGATOR))));
        speakAs(AGGREGATOR);
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, score(1, 1));
        refuse(abi.encodeWithSelector(IStatements.WrongRole.selector, uint32(1)));
        speakAs(1);
        statements.recordScores(roundId, 1, KIND, METHOD, score(1, 1));
        refuse(abi.encodeWithSelector(IParticipantRegistry.UnknownParticipant.selector, uint32(6)));
        statements.recordScores(roundId, 6, KIND, METHOD, score(1, 1));
    }

    function testAKeyThatWasReplacedSpeaksNoMore() public {
        rotate(ATTESTOR, 77);
        address old = VM.addr(keyOf(ATTESTOR));
        refuse(abi.encodeWithSelector(IStatements.NotSpeaker.selector, ATTESTOR, old));
        speakAs(ATTESTOR);
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, score(1, 1));
        VM.prank(VM.addr(77));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, score(1, 1));
    }

    function testScoresNameAKindAMethodAndARoundThatIsThere() public {
        VM.startPrank(ownerOf(ATTESTOR));
        refuse(abi.encodeWithSelector(IStatements.ZeroValue.selector));
        statements.recordScores(roundId, ATTESTOR, 0, METHOD, score(1, 1));
        refuse(abi.encodeWithSelector(IStatements.ZeroValue.selector));
        statements.recordScores(roundId, ATTESTOR, KIND, 0, score(1, 1));
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownRound.selector, roundId + 1));
        statements.recordScores(roundId + 1, ATTESTOR, KIND, METHOD, score(1, 1));
    }

    function testEntriesAreWholeAndRise() public {
        VM.startPrank(ownerOf(ATTESTOR));
        refuse(abi.encodeWithSelector(IStatements.WrongEntries.selector, 0, 12));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, "");
        refuse(abi.encodeWithSelector(IStatements.WrongEntries.selector, 13, 12));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, abi.encodePacked(score(1, 1), uint8(0)));
        refuse(abi.encodeWithSelector(IStatements.WrongEntries.selector, 11, 12));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, new bytes(11));
        refuse(notRising(0, 0));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, score(0, 1));
        refuse(notRising(2, 2));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, abi.encodePacked(score(2, 1), score(2, 1)));
        refuse(notRising(2, 1));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, abi.encodePacked(score(2, 1), score(1, 1)));
    }

    /// Ten thousand fit, one more does not.
    function testAStatementIsBounded() public {
        bytes memory entries = new bytes(12 * 10_000);
        for (uint256 i = 0; i < 10_000; ++i) {
            assembly ("memory-safe") {
                mstore(add(add(entries, 0x20), mul(i, 12)), shl(224, add(i, 1)))
            }
        }
        VM.startPrank(ownerOf(ATTESTOR));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, entries);
        refuse(abi.encodeWithSelector(IStatements.TooManyEntries.selector, 10_001, 10_000));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, abi.encodePacked(entries, score(10_001, 1)));
    }

    /// Nobody states two values of one thing; further clients may follow, and other things are apart.
    function testAScorerDoesNotContradictItself() public {
        VM.startPrank(ownerOf(ATTESTOR));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, score(2, 1));
        refuse(notRising(2, 2));
        statements.recordScores(roundId, ATTESTOR, KIND, "another method", score(2, 9));
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, score(3, 1));
        statements.recordScores(roundId, ATTESTOR, "trust", METHOD, score(2, 1));
        VM.stopPrank();
        speakAs(AGGREGATOR);
        statements.recordScores(roundId, AGGREGATOR, KIND, METHOD, score(2, 1));
    }

    function testFuzzEntriesAreTakenExactlyWhenTheyRise(uint32[5] memory clients, uint8 count) public {
        uint256 taken = within(count, 1, 5);
        bytes memory entries;
        bool rises = true;
        for (uint256 i = 0; i < taken; ++i) {
            // Few numbers, so that equal ones occur.
            clients[i] %= 9;
            entries = abi.encodePacked(entries, score(clients[i], int64(int256(i))));
            if (clients[i] <= (i == 0 ? 0 : clients[i - 1])) rises = false;
        }
        speakAs(ATTESTOR);
        bytes memory call = abi.encodeCall(
            IStatements.recordScores,
            (roundId, ATTESTOR, KIND, METHOD, entries)
        );
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, ) = address(statements).call(call);
        check(ok == rises, "entries");
    }

    function testWhoLeftScoresNoMore() public {
        VM.prank(ownerOf(ATTESTOR));
        registry.requestUnbond(ATTESTOR);
        refuse(abi.encodeWithSelector(IStatements.NotActive.selector, ATTESTOR, type(uint40).max));
        speakAs(ATTESTOR);
        statements.recordScores(roundId, ATTESTOR, KIND, METHOD, score(1, 1));
    }

    function testWhoIsNotYetActiveIsNotHeard() public {
        uint32 late = join(Role.Attestor, 3 ether);
        uint40 from = registry.participant(late).activeFrom;
        VM.warp(from - 1);
        refuse(abi.encodeWithSelector(IStatements.NotActive.selector, late, from));
        speakAs(late);
        statements.recordScores(roundId, late, KIND, METHOD, score(1, 1));
        VM.warp(from);
        speakAs(late);
        statements.recordScores(roundId, late, KIND, METHOD, score(1, 1));
    }

    // ---------------------------------------------------------------------------------------------------------- spend

    function testTheRoundsAggregatorSpeaksForAllAndAClientForItself() public {
        bytes memory entries = abi.encodePacked(spend(1), spend(2), spend(3));
        VM.expectEmit(true, true, true, true, address(statements));
        emit IStatements.PrivacySpent(roundId, AGGREGATOR, MECHANISM, entries);
        speakAs(AGGREGATOR);
        statements.recordSpend(roundId, AGGREGATOR, MECHANISM, entries);
        VM.expectEmit(true, true, true, true, address(statements));
        emit IStatements.PrivacySpent(roundId, 2, MECHANISM, spend(2));
        speakAs(2);
        statements.recordSpend(roundId, 2, MECHANISM, spend(2));
    }

    function testNobodyElseSaysWhatAClientSpent() public {
        bytes memory reason = abi.encodeWithSelector(IStatements.NotOwnSpend.selector, uint32(2), roundId);
        refuse(reason);
        speakAs(2);
        statements.recordSpend(roundId, 2, MECHANISM, spend(1));
        refuse(reason);
        speakAs(2);
        statements.recordSpend(roundId, 2, MECHANISM, abi.encodePacked(spend(2), spend(3)));
        refuse(abi.encodeWithSelector(IStatements.NotOwnSpend.selector, ATTESTOR, roundId));
        speakAs(ATTESTOR);
        statements.recordSpend(roundId, ATTESTOR, MECHANISM, spend(1));
        refuse(abi.encodeWithSelector(IStatements.NotSpeaker.selector, uint32(2), VM.addr(keyOf(1))));
        speakAs(1);
        statements.recordSpend(roundId, 2, MECHANISM, spend(2));
    }

    function testWhatWasSpentIsSaidOnceAndWhole() public {
        VM.startPrank(ownerOf(2));
        refuse(abi.encodeWithSelector(IStatements.ZeroValue.selector));
        statements.recordSpend(roundId, 2, 0, spend(2));
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownRound.selector, uint64(9)));
        statements.recordSpend(9, 2, MECHANISM, spend(2));
        refuse(abi.encodeWithSelector(IStatements.WrongEntries.selector, 12, 20));
        statements.recordSpend(roundId, 2, MECHANISM, score(2, 1));
        statements.recordSpend(roundId, 2, MECHANISM, spend(2));
        refuse(notRising(2, 2));
        statements.recordSpend(roundId, 2, MECHANISM, spend(2));
        statements.recordSpend(roundId, 2, "laplace", spend(2));
    }

    // -------------------------------------------------------------------------------------------------------- contest

    function testAClientContestsForItselfEvenAfterItLeft() public {
        VM.expectEmit(true, true, false, true, address(statements));
        emit IStatements.RoundContested(roundId, 1, "statement");
        speakAs(1);
        statements.contestRound(roundId, 1, "statement");
        VM.startPrank(ownerOf(1));
        registry.requestUnbond(1);
        statements.contestRound(roundId, 1, "another");
    }

    function testNobodyContestsForAnother() public {
        refuse(abi.encodeWithSelector(IStatements.NotSpeaker.selector, uint32(1), VM.addr(keyOf(2))));
        speakAs(2);
        statements.contestRound(roundId, 1, "statement");
        refuse(abi.encodeWithSelector(IStatements.WrongRole.selector, AGGREGATOR));
        speakAs(AGGREGATOR);
        statements.contestRound(roundId, AGGREGATOR, "statement");
        VM.startPrank(ownerOf(1));
        refuse(abi.encodeWithSelector(IStatements.ZeroValue.selector));
        statements.contestRound(roundId, 1, 0);
        refuse(abi.encodeWithSelector(IRoundLedger.UnknownRound.selector, uint64(0)));
        statements.contestRound(0, 1, "statement");
    }

    // ------------------------------------------------------------------------------------------------ encryption keys

    function testKeysKeepTheirHistory() public {
        same(uint256(statements.keyCount(1)), 0);
        refuse(abi.encodeWithSelector(IStatements.NoKey.selector, uint32(1), uint40(clock())));
        statements.encryptionKeyAt(1, uint40(clock()));
        uint40[3] memory since;
        for (uint16 epoch = 0; epoch < 3; ++epoch) {
            since[epoch] = uint40(clock()) + 1;
            VM.expectEmit(true, true, false, true, address(statements));
            emit IStatements.EncryptionKeyAnnounced(1, epoch, bytes32(uint256(epoch) + 7), since[epoch]);
            speakAs(1);
            statements.announceKey(1, bytes32(uint256(epoch) + 7));
            VM.warp(clock() + 10);
        }
        same(uint256(statements.keyCount(1)), 3);
        for (uint16 epoch = 0; epoch < 3; ++epoch) {
            (bytes32 key, uint40 from) = statements.encryptionKey(1, epoch);
            same(key, bytes32(uint256(epoch) + 7));
            same(from, since[epoch]);
            uint16 found;
            (found, key) = statements.encryptionKeyAt(1, since[epoch]);
            same(found, epoch);
            same(key, bytes32(uint256(epoch) + 7));
            if (epoch == 0) continue;
            (found, ) = statements.encryptionKeyAt(1, since[epoch] - 1);
            same(found, epoch - 1);
        }
        refuse(abi.encodeWithSelector(IStatements.NoKey.selector, uint32(1), since[0] - 1));
        statements.encryptionKeyAt(1, since[0] - 1);
        (bytes32 none, uint40 never) = statements.encryptionKey(1, 3);
        same(none, 0);
        same(never, 0);
    }

    /// Of two keys of one second the later one counts; two participants may announce one key.
    function testTheLastKeyOfASecondCounts() public {
        VM.startPrank(ownerOf(1));
        statements.announceKey(1, "a");
        statements.announceKey(1, "b");
        VM.stopPrank();
        (uint16 epoch, bytes32 key) = statements.encryptionKeyAt(1, uint40(clock()) + 1);
        same(epoch, 1);
        same(key, "b");
        speakAs(AGGREGATOR);
        statements.announceKey(AGGREGATOR, "b");
    }

    function testNobodyAnnouncesForAnotherNorNothing() public {
        refuse(abi.encodeWithSelector(IStatements.NotSpeaker.selector, uint32(1), VM.addr(keyOf(2))));
        speakAs(2);
        statements.announceKey(1, "key");
        refuse(abi.encodeWithSelector(IStatements.ZeroValue.selector));
        speakAs(1);
        statements.announceKey(1, 0);
        VM.startPrank(ownerOf(1));
        registry.requestUnbond(1);
        refuse(abi.encodeWithSelector(IStatements.NotActive.selector, uint32(1), type(uint40).max));
        statements.announceKey(1, "key");
    }
}
