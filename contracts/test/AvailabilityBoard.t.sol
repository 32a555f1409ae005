// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Committee, Demand, DemandState, IAttestedBoard, Subject} from "../interfaces/IAttestedBoard.sol";
import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IRewardEscrow} from "../interfaces/IRewardEscrow.sol";
import {CommitMode, IRoundLedger, Phase, Task} from "../interfaces/IRoundLedger.sol";
import {Certificate} from "../libraries/Certificate.sol";
import {BoardFixture} from "./BoardFixture.sol";

/// Certificates, the faults of attestors, and demands for leaves.
contract AvailabilityBoardTest is BoardFixture {
    bytes private constant CLIENT_3_IS_OUT = hex"000000030321";
    bytes32 private constant WITHHELD = "withheld update";

    /// The call fails with an error of this selector.
    function fails(bytes memory call, bytes4 want) private {
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, bytes memory reason) = address(board).call(call);
        check(!held, "a call was taken");
        if (bytes4(reason) != want) revert NotEqual(bytes4(reason), want);
    }

    function certifyCall(
        Scene memory s,
        uint32 epoch,
        uint32 signers,
        bytes memory signatures
    ) private view returns (bytes memory) {
        return abi.encodeCall(board.certify, (s.roundId, epoch, s.excluded, signers, signatures));
    }

    function isCertified(Scene memory s) private view returns (bool certified) {
        (certified, ) = board.exclusionsHash(s.roundId);
    }

    // -------------------------------------------------------------------------------------------------- committees

    function testTheGovernorNamesACommittee() public {
        Committee memory one = board.committee(1);
        same(one.ids.length, ATTESTORS);
        same(one.ids[0], FIRST_ATTESTOR);
        same(one.threshold, THRESHOLD);
        same(board.setCommittee(attestors(FIRST_ATTESTOR, 3), 2), 2);
        same(board.committee(1).until, block.timestamp + 1);
        same(board.committee(2).since, block.timestamp + 1);
        same(board.epochCount(), 2);
    }

    function testNobodyElseNamesACommittee() public {
        VM.prank(ANYBODY);
        VM.expectRevert(abi.encodeWithSelector(IAttestedBoard.NotGovernor.selector, ANYBODY));
        board.setCommittee(attestors(FIRST_ATTESTOR, 3), 2);
    }

    function testACommitteeRisesAndNeedsMoreThanHalf() public {
        bytes4 invalid = IAttestedBoard.InvalidCommittee.selector;
        fails(abi.encodeCall(board.setCommittee, (new uint32[](0), 0)), invalid);
        fails(abi.encodeCall(board.setCommittee, (attestors(7, 33), 17)), invalid);
        fails(abi.encodeCall(board.setCommittee, (attestors(7, 4), 2)), invalid);
        fails(abi.encodeCall(board.setCommittee, (attestors(7, 4), 5)), invalid);
        fails(abi.encodeCall(board.setCommittee, (attestors(0, 3), 2)), invalid);
        uint32[] memory twice = attestors(7, 3);
        twice[2] = 8;
        fails(abi.encodeCall(board.setCommittee, (twice, 2)), invalid);
        board.setCommittee(attestors(7, 32), 17);
    }

    function testAnOpenRoundKeepsTheCommitteeThatItOpenedWith() public {
        Scene memory s = committed();
        board.setCommittee(attestors(FIRST_ATTESTOR, 3), 2);
        VM.warp(block.timestamp + 10);
        bytes4 wrong = IAttestedBoard.WrongEpoch.selector;
        fails(certifyCall(s, 2, 0x7, signaturesOf(digestOf(s), 0x7)), wrong);
        fails(certifyCall(s, 3, 0x7, signaturesOf(digestOf(s), 0x7)), wrong);
        fails(certifyCall(s, 0, 0, ""), wrong);
        certify(s, QUORUM_BITS);
    }

    function testACommitteeServesFromTheSecondAfterItsNaming() public {
        board.setCommittee(attestors(FIRST_ATTESTOR, 3), 2);
        Scene memory s = committed();
        uint256 named = s.openedAt;
        fails(certifyCall(s, 2, 0x5, signaturesOf(digestOf(s), 0x5)), IAttestedBoard.WrongEpoch.selector);
        certify(s, QUORUM_BITS);
        VM.warp(named + 1);
        s = committed();
        fails(
            certifyCall(s, 1, QUORUM_BITS, signaturesOf(digestOf(s), QUORUM_BITS)),
            IAttestedBoard.WrongEpoch.selector
        );
        board.certify(s.roundId, 2, "", 0x5, signaturesOf(digestOf(s), 0x5));
        check(isCertified(s), "not certified");
    }

    // ------------------------------------------------------------------------------------------------ certificates

    function testACertifiedRoundIsProposedWithTheCertifiedExclusions() public {
        Scene memory s = committed();
        s.excluded = CLIENT_3_IS_OUT;
        propose(s);
        check(phaseOf(s) == Phase.Proposed, "not proposed");
        (bool certified, bytes32 hash) = board.exclusionsHash(s.roundId);
        check(certified, "not certified");
        same(hash, keccak256(CLIENT_3_IS_OUT));
    }

    function testAnAggregatorCannotLeaveOutWhomTheCertificateDoesNot() public {
        Scene memory s = committed();
        VM.warp(ledger.round(s.roundId).dataEnd + 1);
        certify(s, QUORUM_BITS);
        VM.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, s.roundId));
        VM.prank(ownerOf(AGGREGATOR));
        ledger.abandon(s.roundId, "", CLIENT_3_IS_OUT);
    }

    function testSilentAttestorsMakeARoundExpireAndCostTheAggregatorNothing() public {
        Scene memory s = committed();
        uint256 stakeWei = stakeOf(AGGREGATOR);
        VM.warp(ledger.round(s.roundId).dataEnd + 1);
        VM.expectRevert(abi.encodeWithSelector(IRoundLedger.WrongExclusions.selector, s.roundId));
        VM.prank(ownerOf(AGGREGATOR));
        ledger.abandon(s.roundId, "", "");
        VM.warp(ledger.round(s.roundId).proposeEnd + 1);
        ledger.expire(s.roundId);
        check(phaseOf(s) == Phase.Expired, "not expired");
        same(stakeOf(AGGREGATOR), stakeWei);
    }

    function testAnAggregatorThatIsSilentAfterACertificateLosesATenth() public {
        Scene memory s = committed();
        VM.warp(ledger.round(s.roundId).dataEnd + 1);
        certify(s, QUORUM_BITS);
        uint256 stakeWei = stakeOf(AGGREGATOR);
        VM.warp(ledger.round(s.roundId).proposeEnd + 1);
        ledger.expire(s.roundId);
        same(stakeOf(AGGREGATOR), stakeWei - BOND / 10);
    }

    function testFewerThanTheThresholdCannotCertify() public {
        Scene memory s = committed();
        fails(certifyCall(s, 1, 0x7, signaturesOf(digestOf(s), 0x7)), IAttestedBoard.TooFewSigners.selector);
        // Nor can one signature stand for two members.
        bytes memory twice = abi.encodePacked(
            signaturesOf(digestOf(s), 0x7),
            signature(keyOf(FIRST_ATTESTOR), digestOf(s))
        );
        fails(certifyCall(s, 1, QUORUM_BITS, twice), IAttestedBoard.WrongSigner.selector);
    }

    function testEveryMemberMaySign() public {
        Scene memory s = committed();
        certify(s, 0x7f);
    }

    function testSignersOutsideTheCommitteeAreRefused() public {
        Scene memory s = committed();
        fails(
            certifyCall(s, 1, 0x8f, signaturesOf(digestOf(s), QUORUM_BITS)),
            IAttestedBoard.NoSuchSigner.selector
        );
    }

    function testTheFirstCertificateStands() public {
        Scene memory s = committed();
        certify(s, QUORUM_BITS);
        fails(
            certifyCall(s, 1, 0x78, signaturesOf(digestOf(s), 0x78)),
            IAttestedBoard.AlreadyCertified.selector
        );
    }

    function testACertificateIsBoundToItsSegments() public {
        Scene memory s = committed();
        bytes32 other = statement(board, s.roundId, keccak256("other segments"), "");
        fails(
            certifyCall(s, 1, QUORUM_BITS, signaturesOf(other, QUORUM_BITS)),
            IAttestedBoard.WrongSigner.selector
        );
    }

    function testACertificateIsBoundToRoundChainAndContract() public {
        Scene memory s = committed();
        bytes4 wrong = IAttestedBoard.WrongSigner.selector;
        bytes32 otherRound = statement(board, s.roundId + 1, s.segmentsHash, "");
        fails(certifyCall(s, 1, QUORUM_BITS, signaturesOf(otherRound, QUORUM_BITS)), wrong);
        bytes32 otherBoard = statement(newBoard(), s.roundId, s.segmentsHash, "");
        fails(certifyCall(s, 1, QUORUM_BITS, signaturesOf(otherBoard, QUORUM_BITS)), wrong);
        bytes memory here = signaturesOf(digestOf(s), QUORUM_BITS);
        VM.chainId(99);
        fails(certifyCall(s, 1, QUORUM_BITS, here), wrong);
    }

    function testTrailingAndMissingSignaturesAreRefused() public {
        Scene memory s = committed();
        bytes memory all = signaturesOf(digestOf(s), QUORUM_BITS);
        bytes4 wrong = IDisputeCourt.WrongProofLength.selector;
        fails(certifyCall(s, 1, QUORUM_BITS, abi.encodePacked(all, uint8(0))), wrong);
        fails(certifyCall(s, 1, QUORUM_BITS, cut(all, 0, 192)), wrong);
    }

    function testARotatedAttestorCertifiesOpenRoundsWithItsOldKey() public {
        Scene memory s = committed();
        rotate(FIRST_ATTESTOR, 77);
        bytes memory fresh = abi.encodePacked(signature(77, digestOf(s)), signaturesOf(digestOf(s), 0xe));
        fails(certifyCall(s, 1, QUORUM_BITS, fresh), IAttestedBoard.WrongSigner.selector);
        certify(s, QUORUM_BITS);
    }

    function testAnAttestorThatIsNotActiveCannotCertify() public {
        VM.prank(ownerOf(FIRST_ATTESTOR));
        registry.requestUnbond(FIRST_ATTESTOR);
        Scene memory s = committed();
        fails(
            certifyCall(s, 1, QUORUM_BITS, signaturesOf(digestOf(s), QUORUM_BITS)),
            IAttestedBoard.WrongSigner.selector
        );
        certify(s, 0x1e);
    }

    function testCertificatesComeBetweenCommitsAndTheLastProposal() public {
        Scene memory s = committed();
        bytes memory call = certifyCall(s, 1, QUORUM_BITS, signaturesOf(digestOf(s), QUORUM_BITS));
        uint40 commitEnd = ledger.round(s.roundId).commitEnd;
        uint40 proposeEnd = ledger.round(s.roundId).proposeEnd;
        VM.warp(commitEnd);
        fails(call, IRoundLedger.TooEarly.selector);
        VM.warp(proposeEnd + 1);
        fails(call, IRoundLedger.TooLate.selector);
        VM.warp(proposeEnd);
        certify(s, QUORUM_BITS);
    }

    function testTheBoardTellsWhomItBelongsTo() public view {
        check(board.registry() == address(registry), "registry");
        check(board.ledger() == address(ledger), "ledger");
        check(board.escrow() == address(escrow), "escrow");
    }

    function testOnlyAnOpenRoundIsCertified() public {
        Scene memory s = committed();
        bytes memory call = certifyCall(s, 1, QUORUM_BITS, signaturesOf(digestOf(s), QUORUM_BITS));
        propose(s);
        fails(call, IRoundLedger.WrongPhase.selector);
    }

    function testNobodyIsExcludedBeforeTheDataPhaseIsOver() public {
        Scene memory s = committed();
        s.excluded = CLIENT_3_IS_OUT;
        bytes memory call = certifyCall(s, 1, QUORUM_BITS, signaturesOf(digestOf(s), QUORUM_BITS));
        VM.warp(ledger.round(s.roundId).dataEnd);
        fails(call, IRoundLedger.TooEarly.selector);
        VM.warp(block.timestamp + 1);
        certify(s, QUORUM_BITS);
    }

    function testEveryCommitModeIsCertified() public {
        for (uint256 mode = 0; mode < 3; ++mode) {
            Task memory task = smallTask();
            task.mode = CommitMode(mode);
            Scene memory s = committed(task);
            propose(s);
            check(phaseOf(s) == Phase.Proposed, "not proposed");
        }
    }

    // -------------------------------------------------------------------------------------------- double attestation

    /// What the holder of `key` said about the round, and that it signed it.
    function signed(Scene memory s, uint256 key, bytes32 segmentsHash) private view returns (bytes memory) {
        bytes32 digest = statement(board, s.roundId, segmentsHash, s.excluded);
        return abi.encodePacked(segmentsHash, keccak256(s.excluded), signature(key, digest));
    }

    /// That the holder of `key`, called `attestor`, said two things about the round; and the same in the other order.
    function twoStatements(
        Scene memory s,
        uint32 attestor,
        uint256 key
    ) private view returns (bytes memory proof, bytes memory swapped) {
        bytes32 other = "other segments";
        bytes32 excludedHash = keccak256(s.excluded);
        bytes memory a = signed(s, key, s.segmentsHash);
        bytes memory b = signed(s, key, other);
        if (
            Certificate.structHash(s.roundId, s.segmentsHash, excludedHash) >
            Certificate.structHash(s.roundId, other, excludedHash)
        ) (a, b) = (b, a);
        return (abi.encodePacked(attestor, a, b), abi.encodePacked(attestor, b, a));
    }

    function testTwoStatementsAboutOneRoundCostTheWholeStake() public {
        Scene memory s = committed();
        (bytes memory proof, bytes memory swapped) = twoStatements(s, 9, keyOf(9));
        VM.prank(CHALLENGER);
        board.proveDoubleAttestation(s.roundId, proof);
        same(stakeOf(9), 0);
        same(registry.creditOf(address(escrow)), (ATTESTOR_STAKE * 4) / 10);
        same(escrow.rewardOf(s.roundId, 9, "double attestation").challenger, CHALLENGER);
        fails(
            abi.encodeCall(board.proveDoubleAttestation, (s.roundId, proof)),
            IRewardEscrow.AlreadyProven.selector
        );
        // One order only, so that one fault has one proof.
        fails(
            abi.encodeCall(board.proveDoubleAttestation, (s.roundId, swapped)),
            IAttestedBoard.SameStatement.selector
        );
    }

    function testOneStatementTwiceIsNoFault() public {
        Scene memory s = committed();
        bytes memory a = signed(s, keyOf(9), s.segmentsHash);
        fails(
            abi.encodeCall(board.proveDoubleAttestation, (s.roundId, abi.encodePacked(uint32(9), a, a))),
            IAttestedBoard.SameStatement.selector
        );
    }

    function testAnotherKeysStatementsAccuseNobody() public {
        Scene memory s = committed();
        (bytes memory proof, ) = twoStatements(s, 9, keyOf(10));
        bytes4 wrong = IAttestedBoard.WrongSigner.selector;
        fails(abi.encodeCall(board.proveDoubleAttestation, (s.roundId, proof)), wrong);
        // A client is no attestor, whatever its key signs.
        (proof, ) = twoStatements(s, 2, keyOf(2));
        fails(abi.encodeCall(board.proveDoubleAttestation, (s.roundId, proof)), wrong);
        // Nor is anybody accused by statements about another round.
        Scene memory later = committed();
        (proof, ) = twoStatements(s, 9, keyOf(9));
        fails(abi.encodeCall(board.proveDoubleAttestation, (later.roundId, proof)), wrong);
    }

    // --------------------------------------------------------------------------------------- demands on a commitment

    function testAClientThatAnswersEarnsTheBond() public {
        Scene memory s = committed();
        Demand memory d = demandCommitment(s, 4, 1, 1);
        check(d.bondWei >= 2 * (GAS_PER_ANSWER + 32 * GAS_PER_BYTE) * 1 gwei, "bond");
        VM.warp(d.deadline);
        serve(s, d, ownerOf(4));
        isIn(d, DemandState.Answered);
        same(registry.creditOf(ownerOf(4)), d.bondWei);
        same(stakeOf(4), CLIENT_STAKE);
        same(address(board).balance, 0);
    }

    function testAClientThatDoesNotAnswerLosesAFifthAndTheBondGoesBack() public {
        Scene memory s = committed();
        Demand memory d = demandCommitment(s, 4, 0, 3);
        VM.warp(d.deadline);
        fails(abi.encodeCall(board.fail, (d)), IRoundLedger.TooEarly.selector);
        VM.warp(d.deadline + 1);
        fails(abi.encodeCall(board.answer, (d, answerOf(s, d))), IRoundLedger.TooLate.selector);
        board.fail(d);
        isIn(d, DemandState.Withheld);
        same(stakeOf(4), CLIENT_STAKE - CLIENT_STAKE / 5);
        same(registry.creditOf(CHALLENGER), d.bondWei);
        same(escrow.rewardOf(s.roundId, 4, WITHHELD).challenger, CHALLENGER);
        fails(abi.encodeCall(board.fail, (d)), IAttestedBoard.WrongState.selector);
    }

    function testAClientIsPunishedOnceARoundAndEveryBondComesBack() public {
        Scene memory s = committed();
        Demand memory a = demandCommitment(s, 4, 0, 1);
        bytes memory place = placeOf(s, 4);
        Demand memory b = demandOf(s, Subject.Commitment, 4, 1, 1, 1 ether);
        VM.prank(CHALLENGER);
        board.demandCommitment{value: 1 ether}(s.roundId, 4, b.root, 1, 1, place);
        VM.warp(b.deadline + 1);
        board.fail(a);
        board.fail(b);
        same(stakeOf(4), CLIENT_STAKE - CLIENT_STAKE / 5);
        same(registry.creditOf(CHALLENGER), uint256(a.bondWei) + b.bondWei);
    }

    function testEveryCommitModeAllowsDemands() public {
        for (uint256 mode = 0; mode < 3; ++mode) {
            Task memory task = smallTask();
            task.mode = CommitMode(mode);
            Scene memory s = committed(task);
            for (uint32 client = 1; client <= CLIENTS; ++client)
                serve(s, demandCommitment(s, client, 2, 1), ANYBODY);
        }
    }

    function testAListedClientThatNeverSignedIsNotAccused() public {
        Task memory task = smallTask();
        task.mode = CommitMode.RootOnly;
        Scene memory s = committed(task);
        bytes memory place = abi.encodePacked(signatureOf(s, 4, keyOf(3)), placeOf(s, 4));
        fails(
            abi.encodeCall(board.demandCommitment, (s.roundId, 4, s.commitments[3], 0, 1, place)),
            IAttestedBoard.WrongSigner.selector
        );
    }

    function testOnlyACommitmentOfTheRoundCanBeDemanded() public {
        Scene memory s = committed();
        bytes memory place = placeOf(s, 4);
        fails(
            abi.encodeCall(board.demandCommitment, (s.roundId, 4, "another", 0, 1, place)),
            IDisputeCourt.WrongRoot.selector
        );
        fails(
            abi.encodeCall(board.demandCommitment, (s.roundId, 3, s.commitments[3], 0, 1, place)),
            IDisputeCourt.WrongRoot.selector
        );
    }

    function testACommitmentIsDemandedAfterCommitsAndBeforeTheCertificate() public {
        Scene memory s = committed();
        bytes memory place = placeOf(s, 4);
        bytes memory call = abi.encodeCall(
            board.demandCommitment,
            (s.roundId, 4, s.commitments[3], 0, 1, place)
        );
        VM.warp(ledger.round(s.roundId).commitEnd);
        fails(call, IRoundLedger.TooEarly.selector);
        VM.warp(ledger.round(s.roundId).proposeEnd + 1);
        fails(call, IRoundLedger.TooLate.selector);
        VM.warp(ledger.round(s.roundId).proposeEnd);
        certify(s, QUORUM_BITS);
        fails(call, IAttestedBoard.AlreadyCertified.selector);
    }

    // -------------------------------------------------------------------------------------------------------- prices

    function testTheBondIsPricedWhenTheDemandIsMade() public {
        Scene memory s = committed();
        Demand memory d = demandOf(s, Subject.Commitment, 4, 0, 1, 0);
        uint256 cheap = bondOf(s, d);
        BOARD_VM.fee(50 gwei);
        same(bondOf(s, d), 50 * cheap);
        bytes memory call = abi.encodeCall(
            board.demandCommitment,
            (s.roundId, 4, d.root, 0, 1, placeOf(s, 4))
        );
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, bytes memory reason) = address(board).call{value: 50 * cheap - 1}(call);
        check(!held && bytes4(reason) == IAttestedBoard.BondTooSmall.selector, "too cheap");
        // solhint-disable-next-line avoid-low-level-calls
        (held, ) = address(board).call{value: 50 * cheap}(call);
        check(held, "refused");
    }

    function testACertifiedRoundsDemandsCostTwiceAsMuch() public view {
        same(board.bondFor(1000, true, 0), 2 * board.bondFor(1000, false, 0));
        same(board.bondFor(1000, false, 0), 2 * (70_000 + 40 * 1000) * 1 gwei);
    }

    /// Not a limit on the number, since a guilty aggregator could fill it with demands of its own.
    function testEveryFourOpenDemandsDoubleTheBondAndTheAnswerBurnsTheDoubling() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d;
        for (uint32 leaf = 0; leaf < 9; ++leaf) d = demandLeaves(s, Subject.Matrix, leaf, 1);
        same(d.rewardWei, board.bondFor(4 + answerOf(s, d).length, true, 0));
        same(d.bondWei, 4 * uint256(d.rewardWei));
        uint256 held = registry.creditOf(address(board));
        serve(s, d, ANYBODY);
        same(registry.creditOf(ANYBODY), d.rewardWei);
        same(registry.creditOf(address(board)), held - d.rewardWei);
        // Where nobody answers, the whole bond comes back.
        Demand memory last = demandLeaves(s, Subject.Matrix, 9, 1);
        check(last.bondWei > last.rewardWei, "not doubled");
        VM.warp(last.deadline + 1);
        board.fail(last);
        same(registry.creditOf(CHALLENGER), last.bondWei);
    }

    // ------------------------------------------------------------------------------------------ demands on a proposal

    function testAnHonestAggregatorAlwaysCanAnswer() public {
        Scene memory s = committed();
        s.excluded = CLIENT_3_IS_OUT;
        propose(s);
        Subject[3] memory subjects = [Subject.Update, Subject.Aggregate, Subject.Matrix];
        for (uint256 i = 0; i < 3; ++i) {
            uint32 leaves = subjects[i] == Subject.Matrix ? 11 : 3;
            for (uint32 first = 0; first < leaves; ++first) {
                for (uint32 count = 1; first + count <= leaves; ++count)
                    serve(s, demandLeaves(s, subjects[i], first, count), ownerOf(AGGREGATOR));
            }
        }
        same(ledger.round(s.roundId).openDisputes, 0);
        VM.warp(ledger.round(s.roundId).challengeEnd + 1);
        finalise(s);
        check(phaseOf(s) == Phase.Finalised, "not finalised");
        same(stakeOf(AGGREGATOR), AGGREGATOR_STAKE);
    }

    function finalise(Scene memory s) private {
        ledger.finalise(s.roundId, outcomeOf(s.claim.proposal, s.claim.segmentsHash, s.excluded, ""));
    }

    function testAWithheldAggregateStrikesTheProposal() public {
        withheld(Subject.Aggregate, "withheld aggregate");
    }

    function testAWithheldMatrixStrikesTheProposal() public {
        withheld(Subject.Matrix, "withheld matrix");
    }

    function testAWithheldUpdateStrikesTheProposal() public {
        withheld(Subject.Update, WITHHELD);
    }

    function withheld(Subject subject, bytes32 reason) private {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, subject, 1, 2);
        VM.warp(d.deadline + 1);
        VM.expectEmit(true, true, true, true, address(ledger));
        emit IRoundLedger.Voided(s.roundId, reason, CHALLENGER);
        VM.prank(ANYBODY);
        board.fail(d);
        check(phaseOf(s) == Phase.Voided, "not voided");
        isIn(d, DemandState.Withheld);
        same(ledger.verdictOf(s.roundId).challenger, CHALLENGER);
        same(registry.creditOf(CHALLENGER), d.bondWei);
        escrow.settle(s.roundId);
        same(stakeOf(AGGREGATOR), AGGREGATOR_STAKE - BOND);
    }

    function testTasksWithoutThisBoardKnowNoDemands() public {
        Task memory task = smallTask();
        task.board = address(0);
        Scene memory s = committed(task);
        VM.warp(ledger.round(s.roundId).dataEnd + 1);
        s.included = includedOf(s);
        proposeIncluded(s);
        Subject[3] memory subjects = [Subject.Aggregate, Subject.Matrix, Subject.Update];
        for (uint256 i = 0; i < subjects.length; ++i) {
            bytes memory call = abi.encodeCall(
                board.demandLeaves,
                (s.roundId, s.claim, subjects[i], 0, 1, bytes(""))
            );
            // solhint-disable-next-line avoid-low-level-calls
            (bool held, bytes memory reason) = address(board).call{value: 1 ether}(call);
            check(!held && bytes4(reason) == IAttestedBoard.ForeignTask.selector, "a stranger's demand held");
        }
    }

    function testAnOpenDemandHoldsTheRound() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, Subject.Aggregate, 0, 1);
        VM.warp(ledger.round(s.roundId).challengeEnd + 1000);
        VM.expectRevert(abi.encodeWithSelector(IRoundLedger.DisputesOpen.selector, s.roundId, 1));
        finalise(s);
        board.fail(d);
        check(phaseOf(s) == Phase.Voided, "not voided");
    }

    function testTheSameLeavesAreDemandedOnce() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, Subject.Matrix, 3, 2);
        serve(s, d, ANYBODY);
        bytes memory call = abi.encodeCall(
            board.demandLeaves,
            (s.roundId, s.claim, Subject.Matrix, 3, 2, bytes(""))
        );
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, bytes memory reason) = address(board).call{value: 1 ether}(call);
        check(!held && bytes4(reason) == IAttestedBoard.AlreadyDemanded.selector, "taken twice");
    }

    function testALastSecondDemandExtendsTheWindow() public {
        Scene memory s = committed();
        propose(s);
        uint40 end = ledger.round(s.roundId).challengeEnd;
        VM.warp(end);
        Demand memory d = demandLeaves(s, Subject.Aggregate, 0, 1);
        same(ledger.round(s.roundId).challengeEnd, uint256(end) + 2 * ANSWER);
        VM.warp(d.deadline);
        serve(s, d, ANYBODY);
        VM.expectRevert();
        finalise(s);
        VM.warp(ledger.round(s.roundId).challengeEnd + 1);
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Aggregate, 1, 1, bytes(""))),
            IRoundLedger.TooLate.selector
        );
        finalise(s);
    }

    /// Demand after demand keeps a round open no longer than the stakes of its parties are held.
    function testDemandsExtendTheWindowBoundedly() public {
        Scene memory s = committed();
        propose(s);
        uint40 limit = s.openedAt + UNBOND;
        uint32 made = 0;
        for (; made < 60; ++made) {
            VM.warp(ledger.round(s.roundId).challengeEnd);
            if (block.timestamp + 2 * ANSWER > limit) break;
            // 3 leaves have 6 ranges, 11 have 66.
            serve(s, demandLeaves(s, Subject.Matrix, made % 11, 1 + made / 11), ANYBODY);
        }
        check(made > 5 && made < 60, "not bounded");
        check(ledger.round(s.roundId).challengeEnd <= limit, "beyond the limit");
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, bytes memory reason) = address(board).call{value: 1 ether}(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Aggregate, 0, 1, bytes("")))
        );
        check(!held && bytes4(reason) == IRoundLedger.TooLate.selector, "taken");
        VM.warp(ledger.round(s.roundId).challengeEnd + 1);
        finalise(s);
    }

    function testADemandOnAStruckRoundIsMoot() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, Subject.Update, 0, 1);
        VM.prank(COURT);
        ledger.void(s.roundId, "wrong aggregate", ANYBODY, "proof");
        VM.warp(d.deadline + 1);
        board.fail(d);
        isIn(d, DemandState.Moot);
        same(registry.creditOf(CHALLENGER), d.bondWei);
        same(ledger.verdictOf(s.roundId).challenger, ANYBODY);
        fails(unservedCall(s, d, 7, s.excluded), IAttestedBoard.WrongState.selector);
    }

    function testTwoWithheldDemandsStrikeOnce() public {
        Scene memory s = committed();
        propose(s);
        Demand memory a = demandLeaves(s, Subject.Matrix, 0, 1);
        Demand memory b = demandLeaves(s, Subject.Aggregate, 0, 1);
        VM.warp(b.deadline + 1);
        board.fail(b);
        board.fail(a);
        isIn(b, DemandState.Withheld);
        isIn(a, DemandState.Moot);
        same(registry.creditOf(CHALLENGER), uint256(a.bondWei) + b.bondWei);
    }

    function testAClaimThatIsNotTheProposalIsRefused() public {
        Scene memory s = committed();
        propose(s);
        s.claim.proposal.aggregateRoot = "another";
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Aggregate, 0, 1, bytes(""))),
            IRoundLedger.ProposalMismatch.selector
        );
    }

    function testOnlyAMemberOfTheProposalCanBeDemanded() public {
        Scene memory s = committed();
        s.excluded = CLIENT_3_IS_OUT;
        propose(s);
        bytes memory member = memberOf(s, 2);
        member[3] = bytes1(uint8(3));
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Update, 0, 1, member)),
            IDisputeCourt.WrongRoot.selector
        );
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Commitment, 0, 1, member)),
            IAttestedBoard.WrongSubject.selector
        );
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Matrix, 0, 1, member)),
            IDisputeCourt.WrongProofLength.selector
        );
        member = memberOf(s, 2);
        member[37] = 0x7f;
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Update, 0, 1, member)),
            IDisputeCourt.NoSuchSlot.selector
        );
    }

    function testLeavesThatAVectorDoesNotHaveAreRefused() public {
        Scene memory s = committed();
        propose(s);
        uint32[2][4] memory ranges = [[uint32(3), 1], [uint32(2), 2], [uint32(0), 0], [type(uint32).max, 1]];
        for (uint256 i = 0; i < 4; ++i)
            fails(
                abi.encodeCall(
                    board.demandLeaves,
                    (s.roundId, s.claim, Subject.Aggregate, ranges[i][0], ranges[i][1], bytes(""))
                ),
                IAttestedBoard.NoSuchLeaves.selector
            );
    }

    function testNobodyIsAskedForMoreThanATransactionHolds() public {
        Task memory task = smallTask();
        (task.size, task.matrixLog2) = (2000, 0);
        Scene memory s = committed(task);
        propose(s);
        bytes4 tooLong = IAttestedBoard.AnswerTooLong.selector;
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Aggregate, 0, 64, bytes(""))),
            tooLong
        );
        fails(
            abi.encodeCall(board.demandLeaves, (s.roundId, s.claim, Subject.Aggregate, 0, 65, bytes(""))),
            IAttestedBoard.NoSuchLeaves.selector
        );
        serve(s, demandLeaves(s, Subject.Matrix, 1900, 64), ANYBODY);
    }

    // ------------------------------------------------------------------------------------------------------- answers

    function testAMutatedAnswerIsRefused() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, Subject.Update, 1, 1);
        bytes memory honest = answerOf(s, d);
        for (uint256 i = 0; i < honest.length; ++i) {
            bytes memory bad = abi.encodePacked(honest);
            bad[i] ^= 0x01;
            fails(abi.encodeCall(board.answer, (d, bad)), IDisputeCourt.WrongRoot.selector);
        }
        bytes4 wrong = IDisputeCourt.WrongProofLength.selector;
        fails(abi.encodeCall(board.answer, (d, cut(honest, 0, honest.length - 1))), wrong);
        fails(abi.encodeCall(board.answer, (d, abi.encodePacked(honest, uint8(0)))), wrong);
        serve(s, d, ANYBODY);
    }

    function testAnotherDemandThanTheRecordedIsRefused() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, Subject.Aggregate, 1, 1);
        bytes memory leaves = answerOf(s, d);
        d.rewardWei += 1;
        fails(abi.encodeCall(board.answer, (d, leaves)), IAttestedBoard.WrongState.selector);
        check(board.demandState(d) == DemandState.None, "nobody demanded that");
        d.rewardWei -= 1;
        check(board.demandState(d) == DemandState.Open, "this was demanded");
        d.leafBytes *= 2;
        fails(abi.encodeCall(board.answer, (d, leaves)), IAttestedBoard.WrongState.selector);
        d.leafBytes /= 2;
        board.answer(d, leaves);
        fails(abi.encodeCall(board.answer, (d, leaves)), IAttestedBoard.WrongState.selector);
    }

    /// Sizes, leaves and ranges of every shape: what the specification's path leads to, the board accepts.
    function testFuzzEveryRangeOfEveryVectorCanBeAnswered(uint256 seed) public {
        Task memory task = smallTask();
        task.size = uint32(within(seed, 1, 150));
        task.matrixLog2 = uint8(within(seed >> 16, 0, 3));
        Scene memory s = committed(task);
        propose(s);
        Subject subject = Subject(within(seed >> 32, 1, 3));
        uint256 width = subject == Subject.Matrix ? 1 << task.matrixLog2 : 8;
        uint256 leaves = (task.size + width - 1) / width;
        uint256 first = within(seed >> 64, 0, leaves - 1);
        uint256 count = within(seed >> 96, 1, leaves - first);
        if (count > 12) count = 12;
        serve(s, demandLeaves(s, subject, uint32(first), uint32(count)), ANYBODY);
    }

    // ------------------------------------------------------------------------------------- attestors that cannot serve

    function unservedCall(
        Scene memory s,
        Demand memory d,
        uint32 attestor,
        bytes memory excluded
    ) private view returns (bytes memory) {
        bytes32 digest = statement(board, s.roundId, s.segmentsHash, excluded);
        bytes memory proof = abi.encodePacked(
            attestor,
            s.segmentsHash,
            signature(keyOf(attestor), digest),
            placeOf(s, d.client)
        );
        return abi.encodeCall(board.proveUnserved, (d, excluded, proof));
    }

    function send(bytes memory call) private {
        // solhint-disable-next-line avoid-low-level-calls
        (bool held, bytes memory reason) = address(board).call(call);
        if (held) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    /// Colluding attestors can certify an update that is nowhere; the first demand that nobody answers costs each half
    /// of its stake, and the aggregator its proposal.
    function testAttestorsThatCertifyAnUnavailableUpdateLoseHalfTheirStake() public {
        for (uint256 mode = 0; mode < 3; ++mode) {
            Task memory task = smallTask();
            task.mode = CommitMode(mode);
            Scene memory s = committed(task);
            propose(s);
            Demand memory d = demandLeaves(s, Subject.Update, 0, 1);
            fails(unservedCall(s, d, 7, s.excluded), IAttestedBoard.WrongState.selector);
            VM.warp(d.deadline + 1);
            board.fail(d);
            uint256 before = stakeOf(7);
            send(unservedCall(s, d, 7, s.excluded));
            same(stakeOf(7), before - before / 2);
            fails(unservedCall(s, d, 7, s.excluded), IRewardEscrow.AlreadyProven.selector);
            same(escrow.rewardOf(s.roundId, 7, WITHHELD).challenger, CHALLENGER);
            for (uint256 id = 1; id <= 13; ++id) {
                // Everybody is back for the next mode.
                registry.deposit{value: 5 ether}(uint32(id));
            }
            VM.warp(block.timestamp + ACTIVATION);
        }
    }

    function testWithheldAggregatesAreNotTheAttestors() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, Subject.Aggregate, 0, 1);
        VM.warp(d.deadline + 1);
        board.fail(d);
        d.client = 1;
        fails(unservedCall(s, d, 7, ""), IAttestedBoard.WrongSubject.selector);
    }

    /// An aggregator that names a member which never committed cannot make the attestors pay for it.
    function testAnInventedMemberAccusesNoAttestor() public {
        Scene memory s = committed();
        bytes32 honest = s.commitments[1];
        certifyLate(s);
        s.commitments[1] = "invented";
        s.included = includedOf(s);
        proposeIncluded(s);
        Demand memory d = demandLeaves(s, Subject.Update, 0, 1);
        VM.warp(d.deadline + 1);
        board.fail(d);
        check(phaseOf(s) == Phase.Voided, "not voided");
        s.commitments[1] = honest;
        fails(unservedCall(s, d, 7, s.excluded), IDisputeCourt.WrongRoot.selector);
    }

    /// Nor one that includes a client whom the certificate leaves out.
    function testAnExcludedClientAccusesNoAttestor() public {
        Scene memory s = committed();
        s.excluded = CLIENT_3_IS_OUT;
        certifyLate(s);
        s.included = includedOf(s);
        s.included[1] = 3;
        proposeIncluded(s);
        Demand memory d = demandLeaves(s, Subject.Update, 0, 1);
        same(d.client, 3);
        VM.warp(d.deadline + 1);
        board.fail(d);
        fails(unservedCall(s, d, 7, s.excluded), IAttestedBoard.ExcludedClient.selector);
    }

    function testOnlyWhoSignedAnswersForACertificate() public {
        Scene memory s = committed();
        propose(s);
        Demand memory d = demandLeaves(s, Subject.Update, 0, 1);
        VM.warp(d.deadline + 1);
        board.fail(d);
        bytes memory proof = abi.encodePacked(
            uint32(13),
            s.segmentsHash,
            signature(keyOf(7), digestOf(s)),
            placeOf(s, d.client)
        );
        fails(
            abi.encodeCall(board.proveUnserved, (d, s.excluded, proof)),
            IAttestedBoard.WrongSigner.selector
        );
    }

    /// The failure pays whom the demand names: no ticket for it can be older than the failure itself.
    function testATicketForAPublicDemandWinsNothing() public {
        Scene memory s = committed();
        Demand memory d = demandCommitment(s, 4, 0, 1);
        bytes32 demandHash = keccak256(abi.encode(d));
        VM.prank(ANYBODY);
        escrow.ticket(keccak256(abi.encode(s.roundId, demandHash, ANYBODY, bytes32(0))));
        VM.warp(d.deadline + 1);
        board.fail(d);
        VM.prank(ANYBODY);
        VM.expectRevert(abi.encodeWithSelector(IRewardEscrow.WrongProofHash.selector, demandHash));
        escrow.contest(s.roundId, 4, WITHHELD, demandHash, 0);
        VM.warp(block.timestamp + 1 hours + 1);
        escrow.claimPunishment(s.roundId, 4, WITHHELD);
        same(registry.creditOf(CHALLENGER), d.bondWei + ((CLIENT_STAKE / 5) * 4) / 10);
    }
}
