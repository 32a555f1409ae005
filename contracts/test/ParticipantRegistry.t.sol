// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IParticipantRegistry, Participant, Role, Shares} from "../interfaces/IParticipantRegistry.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {KeyProof} from "../libraries/KeyProof.sol";
import {LedgerFixture} from "./LedgerFixture.sol";
import {ReentrantClaimer} from "./ReentrantClaimer.sol";

/// Getters of a ParticipantRegistry that its interface leaves out.
// solhint-disable-next-line interface-starts-with-i
interface Registry {
    function ledger() external view returns (address);
    function escrow() external view returns (address);
}

/// Identities, keys and stakes. "Trap n" is the list in docs/protocol.md, Traps.
contract ParticipantRegistryTest is LedgerFixture {
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    // ------------------------------------------------------------------------------------------------- registration

    function testRegistrationStoresEverything() public {
        uint32 id = join(Role.Client, 1.5 ether);
        Participant memory p = registry.participant(id);
        same(p.signer, VM.addr(keyOf(id)));
        same(p.owner, ownerOf(id));
        same(registry.ownerOf(id), ownerOf(id));
        same(p.stakeWei, 1.5 ether);
        same(p.activeFrom, START + ACTIVATION);
        same(p.keySince, START);
        same(p.keyEpoch, 0);
        same(uint256(p.role), uint256(Role.Client));
        same(p.lockedWei + p.openTasks + p.unlockAt, 0);
        same(registry.idOfSigner(p.signer), id);
        same(registry.participantCount(), 1);
        same(Registry(address(registry)).ledger(), address(ledger));
        same(Registry(address(registry)).escrow(), address(escrow));
        same(registry.activationSeconds(), ACTIVATION);
        same(registry.unbondSeconds(), UNBOND);
    }

    function testEachRoleHasItsMinimum() public {
        same(registry.minStakeWei(Role.Client), CLIENT_STAKE);
        same(registry.minStakeWei(Role.Aggregator), AGGREGATOR_STAKE);
        same(registry.minStakeWei(Role.Attestor), 3 ether);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InvalidRole.selector, Role.None));
        registry.minStakeWei(Role.None);
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(1), keyOf(1), Role.Attestor, START);
        address signer = VM.addr(keyOf(1));
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.InsufficientStake.selector, 3 ether - 1, 3 ether)
        );
        registry.register{value: 3 ether - 1}(ownerOf(1), signer, Role.Attestor, START, r, vs);
    }

    function testRegistrationRefusesNobodyAsOwnerSignerOrRole() public {
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(1), keyOf(1), Role.Client, START);
        address signer = VM.addr(keyOf(1));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InvalidOwner.selector, address(0)));
        registry.register{value: 1 ether}(address(0), signer, Role.Client, START, r, vs);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InvalidSigner.selector, address(0)));
        registry.register{value: 1 ether}(ownerOf(1), address(0), Role.Client, START, r, vs);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InvalidRole.selector, Role.None));
        registry.register{value: 1 ether}(ownerOf(1), signer, Role.None, START, r, vs);
    }

    /// Trap 2: somebody else's signer cannot be registered, so nobody can be blocked by it.
    function testTrap2SomebodyElsesSignerCannotBeRegistered() public {
        uint256 attacker = 66;
        address victim = VM.addr(keyOf(1));
        bytes32 structHash = KeyProof.registerHash(ownerOf(9), victim, Role.Client, START);
        (bytes32 r, bytes32 vs) = compact(
            attacker,
            CommitHash.typedDigest(registry.domainSeparator(), structHash)
        );
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.SignatureMismatch.selector, VM.addr(attacker), victim)
        );
        registry.register{value: 1 ether}(ownerOf(9), victim, Role.Client, START, r, vs);
    }

    function testRegistrationBindsOwnerRoleAndDeadline() public {
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(1), keyOf(1), Role.Client, START);
        address signer = VM.addr(keyOf(1));
        VM.expectRevert();
        registry.register{value: 2 ether}(ownerOf(2), signer, Role.Client, START, r, vs);
        VM.expectRevert();
        registry.register{value: 2 ether}(ownerOf(1), signer, Role.Aggregator, START, r, vs);
        VM.expectRevert();
        registry.register{value: 2 ether}(ownerOf(1), signer, Role.Client, START + 1, r, vs);
        registry.register{value: 2 ether}(ownerOf(1), signer, Role.Client, START, r, vs);
    }

    function testRegistrationExpires() public {
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(1), keyOf(1), Role.Client, START);
        address signer = VM.addr(keyOf(1));
        VM.warp(START + 1);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.SignatureExpired.selector, START, START + 1)
        );
        registry.register{value: 1 ether}(ownerOf(1), signer, Role.Client, START, r, vs);
    }

    function testKeyServesOneIdentityForEver() public {
        uint32 id = join(Role.Client, 1 ether);
        rotate(id, 77);
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(5), keyOf(id), Role.Client, START);
        address old = VM.addr(keyOf(id));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.SignerTaken.selector, old, id));
        registry.register{value: 1 ether}(ownerOf(5), old, Role.Client, START, r, vs);
    }

    /// Trap 3: the malleable twin of a valid signature is refused. Its s has the bit that the 64-byte form gives to v.
    function testTrap3HighSIsRefused() public {
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(1), keyOf(1), Role.Client, START);
        address signer = VM.addr(keyOf(1));
        uint256 s = uint256(vs) & (type(uint256).max >> 1);
        VM.expectRevert();
        registry.register{value: 1 ether}(ownerOf(1), signer, Role.Client, START, r, bytes32(ORDER - s));
    }

    /// Trap 3: an account with delegated code (EIP-7702) still registers by its key alone.
    function testTrap3SignerWithCodeStillSigns() public {
        VM.etch(VM.addr(keyOf(1)), hex"ef0100deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
        same(join(Role.Client, 1 ether), 1);
    }

    function testAmountsBeyond96BitsAreRefused() public {
        VM.deal(address(this), 1 << 98);
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(1), keyOf(1), Role.Client, START);
        address signer = VM.addr(keyOf(1));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.AmountTooLarge.selector, 1 << 96));
        registry.register{value: 1 << 96}(ownerOf(1), signer, Role.Client, START, r, vs);
    }

    // --------------------------------------------------------------------------------------------------------- keys

    function testRotationServesRoundsThatOpenLater() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.warp(START + 500);
        rotate(id, 77);
        (, address inTheSameSecond) = registry.signerAt(id, Role.Client, START + 500);
        same(inTheSameSecond, VM.addr(keyOf(id)));
        (, address afterwards) = registry.signerAt(id, Role.Client, START + 501);
        same(afterwards, VM.addr(77));
    }

    function testKeyHistoryIsKept() public {
        uint32 id = join(Role.Client, 1 ether);
        rotate(id, 77);
        VM.warp(START + 10);
        rotate(id, 78);
        checkKey(id, 0, VM.addr(keyOf(id)), START);
        checkKey(id, 1, VM.addr(77), START + 1);
        checkKey(id, 2, VM.addr(78), START + 11);
        checkKey(id, 3, address(0), 0);
    }

    function checkKey(uint32 id, uint16 epoch, address want, uint40 wantSince) private view {
        (address got, uint40 since) = registry.keyAt(id, epoch);
        same(got, want);
        same(since, wantSince);
    }

    /// Two keys in one second: the second one wins for all rounds that open later.
    function testTwoRotationsInOneSecond() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.warp(START + 200);
        rotate(id, 77);
        rotate(id, 78);
        (, address before) = registry.signerAt(id, Role.Client, START + 200);
        (, address afterwards) = registry.signerAt(id, Role.Client, START + 201);
        same(before, VM.addr(keyOf(id)));
        same(afterwards, VM.addr(78));
    }

    function testFuzzKeyAtTimeIsTheLatestSince(uint256 seed, uint8 rotations, uint16 back) public {
        uint32 id = join(Role.Client, 1 ether);
        VM.warp(START + ACTIVATION);
        uint256 count = within(rotations, 0, 12);
        for (uint256 i = 0; i < count; ++i) {
            VM.warp(clock() + (uint256(keccak256(abi.encode(seed, i))) % 3));
            rotate(id, 5000 + i);
        }
        uint40 at = uint40(clock() + 2 - within(back, 0, clock() + 2 - START - ACTIVATION));
        address want = address(0);
        for (uint16 epoch = 0; epoch <= count; ++epoch) {
            (address signer, uint40 since) = registry.keyAt(id, epoch);
            if (since <= at) want = signer;
        }
        (bool active, address got) = registry.signerAt(id, Role.Client, at);
        check(active, "active");
        same(got, want);
    }

    function testRotationNeedsTheOwnerAndTheNewKey() public {
        uint32 id = join(Role.Client, 1 ether);
        (bytes32 r, bytes32 vs) = rotateProof(id, 77, START);
        address signer = VM.addr(77);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.NotOwner.selector, id, address(this), ownerOf(id))
        );
        registry.rotateKey(id, signer, START, r, vs);
        VM.prank(ownerOf(id));
        VM.expectRevert();
        registry.rotateKey(id, VM.addr(78), START, r, vs);
    }

    /// Trap 5: a proof for one registry says nothing on another chain or to another registry.
    function testTrap5ProofIsBoundToChainAndContract() public {
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(1), keyOf(1), Role.Client, START);
        address signer = VM.addr(keyOf(1));
        VM.chainId(4242);
        VM.expectRevert();
        registry.register{value: 1 ether}(ownerOf(1), signer, Role.Client, START, r, vs);
        VM.chainId(31337);
        registry.register{value: 1 ether}(ownerOf(1), signer, Role.Client, START, r, vs);
    }

    function testDomainSeparatorIsThatOfEip712() public view {
        bytes32 want = CommitHash.domainSeparatorOf(
            "fedtrail registry",
            "1",
            block.chainid,
            address(registry)
        );
        same(registry.domainSeparator(), want);
        same(
            ledger.domainSeparator(),
            CommitHash.domainSeparatorOf("fedtrail", "1", block.chainid, address(ledger))
        );
    }

    // ----------------------------------------------------------------------------------------------------- activity

    function testActivityBeginsAfterTheDelayAndOnlyInTheRole() public {
        uint32 id = join(Role.Client, 1 ether);
        checkActive(id, Role.Client, START + ACTIVATION - 1, false);
        checkActive(id, Role.Client, START + ACTIVATION, true);
        checkActive(id, Role.Aggregator, START + ACTIVATION, false);
        checkActive(id, Role.None, START + ACTIVATION, false);
        checkActive(99, Role.None, START, false);
        checkActive(99, Role.Client, START, false);
    }

    function checkActive(uint32 id, Role role, uint40 at, bool want) private view {
        (bool active, address signer) = registry.signerAt(id, role, at);
        check(active == want, "activity");
        check((signer != address(0)) == want, "signer of the inactive");
        uint32[] memory ids = new uint32[](1);
        ids[0] = id;
        same(registry.signersAt(ids, role, at)[0], signer);
    }

    /// The batch form reads storage by hand; it must say what the plain form says.
    function testFuzzSignersAtEqualsSignerAt(uint16 offset, uint8 roleSeed) public {
        uint32 plain = join(Role.Client, 1 ether);
        uint32 rotated = join(Role.Client, 1 ether);
        uint32 leaving = join(Role.Client, 1 ether);
        uint32 aggregator = join(Role.Aggregator, 2 ether);
        VM.warp(START + 150);
        rotate(rotated, 77);
        VM.warp(START + 180);
        VM.prank(ownerOf(leaving));
        registry.requestUnbond(leaving);
        uint40 at = START + uint40(within(offset, 90, 200));
        Role role = Role(within(roleSeed, 0, 3));
        uint32[] memory ids = new uint32[](6);
        (ids[0], ids[1], ids[2], ids[3], ids[4], ids[5]) = (plain, rotated, leaving, aggregator, 99, 0);
        address[] memory signers = registry.signersAt(ids, role, at);
        for (uint256 i = 0; i < ids.length; ++i) {
            (, address want) = registry.signerAt(ids[i], role, at);
            same(signers[i], want);
        }
    }

    /// An id with bits above 32 must not be read as the id below them.
    function testSignersAtRefusesWideIds() public {
        uint32 id = join(Role.Client, 1 ether);
        bytes memory call = abi.encodeWithSelector(
            registry.signersAt.selector,
            uint256(0x60),
            Role.Client,
            START + ACTIVATION,
            uint256(1),
            uint256(id) + (1 << 32)
        );
        (bool ok, ) = address(registry).staticcall(call);
        check(!ok, "a wide id was accepted");
    }

    function testUnbondingEndsActivityFromThatSecondOn() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.warp(START + 200);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        checkActive(id, Role.Client, START + ACTIVATION - 1, false);
        checkActive(id, Role.Client, START + ACTIVATION, true);
        checkActive(id, Role.Client, START + 199, true);
        checkActive(id, Role.Client, START + 200, false);
        checkActive(id, Role.Client, START + 300, false);
    }

    function testUnbondingBeforeActivityLeavesNone() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        checkActive(id, Role.Client, START, false);
        checkActive(id, Role.Client, START + ACTIVATION, false);
    }

    // ------------------------------------------------------------------------------------------------------- stakes

    function testStakeLeavesOnceUnbonded() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.NotUnbonding.selector, id));
        registry.withdraw(id);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        VM.warp(START + UNBOND - 1);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.StillBonded.selector, id, START + UNBOND, 0)
        );
        registry.withdraw(id);
        VM.warp(START + UNBOND);
        registry.withdraw(id);
        same(registry.creditOf(ownerOf(id)), 1 ether);
        VM.prank(ownerOf(id));
        registry.claim(address(0xFEED));
        same(address(0xFEED).balance, 1 ether);
        same(address(registry).balance, 0);
    }

    function testUnbondingIsTheOwnersAndOnlyOnce() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.NotOwner.selector, id, address(this), ownerOf(id))
        );
        registry.requestUnbond(id);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        VM.prank(ownerOf(id));
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.AlreadyUnbonding.selector, id, START + UNBOND)
        );
        registry.requestUnbond(id);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.AlreadyUnbonding.selector, id, START + UNBOND)
        );
        registry.deposit{value: 1}(id);
    }

    function testDepositAfterWithdrawalStartsAnew() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        VM.warp(START + UNBOND);
        registry.withdraw(id);
        registry.deposit{value: 1 ether - 1}(id);
        same(registry.participant(id).activeFrom, type(uint40).max);
        registry.deposit{value: 1}(id);
        same(registry.participant(id).activeFrom, START + UNBOND + ACTIVATION);
    }

    function testDepositAddsAndKeepsActivity() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.warp(START + 50);
        registry.deposit{value: 5}(id);
        same(stakeOf(id), 1 ether + 5);
        same(registry.participant(id).activeFrom, START + ACTIVATION);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.UnknownParticipant.selector, 42));
        registry.deposit{value: 5}(42);
    }

    function testClaimNeedsCreditAndAReceiver() public {
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.NothingToClaim.selector, address(this)));
        registry.claim(address(this));
        uint32 id = join(Role.Client, 1 ether);
        slash(id, 1 ether, 10_000, 0);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.TransferFailed.selector, address(0), 1 ether)
        );
        VM.prank(address(0xABC));
        registry.claim(address(0));
    }

    /// Trap 7: payment is pulled, and a receiver that calls back gets nothing more.
    function testTrap7ReentrantClaimIsRefused() public {
        ReentrantClaimer claimer = new ReentrantClaimer(address(registry));
        (bytes32 r, bytes32 vs) = registerProof(address(claimer), 77, Role.Client, START);
        uint32 id = registry.register{value: 1 ether}(
            address(claimer),
            VM.addr(77),
            Role.Client,
            START,
            r,
            vs
        );
        join(Role.Client, 1 ether);
        claimer.unbond(id);
        VM.warp(START + UNBOND);
        registry.withdraw(id);
        claimer.refusePayment(true);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.TransferFailed.selector, address(claimer), 1 ether)
        );
        claimer.claim();
        claimer.refusePayment(false);
        claimer.claim();
        check(claimer.tried() && !claimer.succeeded(), "the second claim went through");
        same(bytes32(claimer.refusal()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        same(address(claimer).balance, 1 ether);
        same(address(registry).balance, 1 ether);
    }

    // ------------------------------------------------------------------------------------------------------ slashes

    function slash(
        uint32 id,
        uint256 amountWei,
        uint16 challengerBps,
        uint16 clientsBps
    ) private returns (uint256) {
        VM.prank(address(escrow));
        return registry.slash(id, 1, amountWei, "test", sharesOf(challengerBps, clientsBps));
    }

    function sharesOf(uint16 challengerBps, uint16 clientsBps) private pure returns (Shares memory) {
        return Shares(address(0xABC), challengerBps, address(0xDEF), clientsBps);
    }

    function testSlashIsSplitAndTheRestBurnt() public {
        uint32 id = join(Role.Client, 1 ether);
        same(slash(id, 0.5 ether, 4000, 1000), 0.5 ether);
        same(registry.creditOf(address(0xABC)), 0.2 ether);
        same(registry.creditOf(address(0xDEF)), 0.05 ether);
        same(registry.burntWei(), 0.25 ether);
        same(stakeOf(id), 0.5 ether);
    }

    function testSlashTakesAtMostTheStake() public {
        uint32 id = join(Role.Client, 1 ether);
        same(slash(id, 5 ether, 0, 0), 1 ether);
        same(registry.burntWei(), 1 ether);
        same(slash(id, 5 ether, 0, 0), 0);
    }

    function testShareOfNobodyIsBurnt() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.prank(address(escrow));
        registry.slash(id, 1, 1 ether, "test", Shares(address(0), 4000, address(0), 1000));
        same(registry.burntWei(), 1 ether);
        same(registry.creditOf(address(0)), 0);
    }

    function testSlashBelowTheMinimumEndsActivityUntilDeposit() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.warp(START + 200);
        slash(id, 1, 0, 0);
        checkActive(id, Role.Client, START + 199, true);
        checkActive(id, Role.Client, START + 200, false);
        VM.warp(START + 300);
        registry.deposit{value: 1}(id);
        checkActive(id, Role.Client, START + 300, false);
        checkActive(id, Role.Client, START + 300 + ACTIVATION, true);
        checkActive(id, Role.Client, START + 199, true);
    }

    function testSlashAboveTheMinimumKeepsActivity() public {
        uint32 id = join(Role.Client, 2 ether);
        slash(id, 1 ether, 0, 0);
        checkActive(id, Role.Client, START + ACTIVATION, true);
    }

    function testStakeIsSlashableUntilWithdrawn() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        VM.warp(START + UNBOND + 5);
        same(slash(id, 0.4 ether, 0, 0), 0.4 ether);
        registry.withdraw(id);
        same(registry.creditOf(ownerOf(id)), 0.6 ether);
    }

    function testSharesBeyondTheWholeAreRefused() public {
        uint32 id = join(Role.Client, 1 ether);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InvalidShares.selector, 10_001));
        slash(id, 1, 9000, 1001);
    }

    function testOnlyLedgerAndEscrowMoveStakes() public {
        uint32 id = join(Role.Client, 1 ether);
        Shares memory shares = sharesOf(0, 0);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.NotEscrow.selector, address(this)));
        registry.slash(id, 1, 1, "test", shares);
        VM.prank(address(ledger));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.NotEscrow.selector, address(ledger)));
        registry.forfeit(id, 1, 1, 1, "test", shares);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.NotLedger.selector, address(this)));
        registry.lock(id, 1, 1);
        VM.prank(address(escrow));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.NotLedger.selector, address(escrow)));
        registry.unlock(id, 1, 1);
        VM.prank(address(ledger));
        registry.lock(id, 1, 1);
        VM.prank(address(ledger));
        same(registry.slash(id, 1, 1, "test", shares), 1);
    }

    function testForfeitFreesABondAndTakesIt() public {
        uint32 id = join(Role.Aggregator, 2 ether);
        VM.startPrank(address(ledger));
        registry.lock(id, 1, 0.5 ether);
        registry.lock(id, 2, 1.5 ether);
        VM.stopPrank();
        VM.prank(address(escrow));
        VM.expectEmit(true, true, true, true, address(registry));
        emit IParticipantRegistry.Unlocked(id, 1, 0.5 ether);
        VM.expectEmit(true, true, true, true, address(registry));
        emit IParticipantRegistry.Slashed(id, 7, "test", 0.2 ether, 0.05 ether, 0.25 ether);
        same(registry.forfeit(id, 1, 7, 0.5 ether, "test", sharesOf(4000, 1000)), 0.5 ether);
        Participant memory p = registry.participant(id);
        same(p.stakeWei, 1.5 ether);
        same(p.lockedWei, 1.5 ether);
        same(p.openTasks, 1);
        same(p.activeFrom, type(uint40).max);
    }

    /// Trap 7: one stake never answers for two faults; what a round holds is not taken for another.
    function testTrap7SlashLeavesBondsOfOtherRounds() public {
        uint32 id = join(Role.Aggregator, 2 ether);
        VM.startPrank(address(ledger));
        registry.lock(id, 1, 0.7 ether);
        registry.lock(id, 2, 1 ether);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.InsufficientStake.selector, 0.3 ether, 0.5 ether)
        );
        registry.lock(id, 3, 0.5 ether);
        VM.stopPrank();
        same(slash(id, 2 ether, 0, 0), 0.3 ether);
        same(stakeOf(id), registry.participant(id).lockedWei);
    }

    function testALockIsTakenBackInFull() public {
        uint32 id = join(Role.Aggregator, 2 ether);
        VM.startPrank(address(ledger));
        VM.expectEmit(true, true, false, true, address(registry));
        emit IParticipantRegistry.Locked(id, 4, 0.7 ether);
        registry.lock(id, 4, 0.7 ether);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.AmountTooLarge.selector, 1 << 96));
        registry.unlock(id, 4, 1 << 96);
        VM.expectEmit(true, true, false, true, address(registry));
        emit IParticipantRegistry.Unlocked(id, 4, 0.7 ether);
        registry.unlock(id, 4, 0.7 ether);
        check(isUnlocked(id), "locked");
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.UnknownParticipant.selector, 42));
        registry.unlock(42, 4, 0);
    }

    function testBondHoldsWithdrawalUp() public {
        uint32 id = join(Role.Aggregator, 2 ether);
        VM.prank(address(ledger));
        registry.lock(id, 1, 0);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        VM.warp(START + UNBOND);
        VM.expectRevert(
            abi.encodeWithSelector(IParticipantRegistry.StillBonded.selector, id, START + UNBOND, 1)
        );
        registry.withdraw(id);
        VM.prank(address(ledger));
        registry.unlock(id, 1, 0);
        registry.withdraw(id);
        same(registry.creditOf(ownerOf(id)), 2 ether);
    }

    // --------------------------------------------------------------------------------------------- stakes of the past

    function testStakeOfASecondIsThatOfItsEnd() public {
        uint32 id = join(Role.Client, 1 ether);
        same(registry.stakeAt(id, START - 1), 0);
        same(registry.stakeAt(id, START), 1 ether);
        VM.warp(START + 10);
        registry.deposit{value: 1}(id);
        registry.deposit{value: 2}(id);
        same(registry.stakeAt(id, START + 9), 1 ether);
        same(registry.stakeAt(id, START + 10), 1 ether + 3);
        VM.warp(START + 20);
        slash(id, 0.5 ether, 0, 0);
        same(registry.stakeAt(id, START + 19), 1 ether + 3);
        same(registry.stakeAt(id, START + 20), 0.5 ether + 3);
        VM.prank(ownerOf(id));
        registry.requestUnbond(id);
        VM.warp(START + 20 + UNBOND);
        registry.withdraw(id);
        same(registry.stakeAt(id, START + 19 + UNBOND), 0.5 ether + 3);
        same(registry.stakeAt(id, START + 20 + UNBOND), 0);
        same(registry.stakeAt(99, START), 0);
    }

    function testFuzzStakeAtIsTheLatestStake(uint256 seed, uint16 back) public {
        uint32 id = join(Role.Client, 1 ether);
        uint40[] memory times = new uint40[](9);
        uint256[] memory stakes = new uint256[](9);
        (times[0], stakes[0]) = (START, 1 ether);
        for (uint256 i = 1; i < 9; ++i) {
            uint256 x = uint256(keccak256(abi.encode(seed, i)));
            VM.warp(clock() + (x % 3));
            if (x & 0x100 == 0) registry.deposit{value: 1 + ((x >> 16) % 1 ether)}(id);
            else slash(id, (x >> 16) % 1 ether, 0, 0);
            (times[i], stakes[i]) = (uint40(clock()), stakeOf(id));
        }
        uint40 at = START + uint40(within(back, 0, 20));
        uint256 want = 0;
        for (uint256 i = 0; i < 9; ++i) if (times[i] <= at) want = stakes[i];
        same(registry.stakeAt(id, at), want);
    }

    /// A round of long ago is judged by who was active then, however often the client left and came back since: else a
    /// client could make an honest aggregator's list wrong.
    function testEveryPeriodOfActivityIsRemembered() public {
        uint32 id = join(Role.Client, 1 ether);
        uint40[] memory ends = new uint40[](4);
        uint40[] memory starts = new uint40[](5);
        starts[0] = START + ACTIVATION;
        for (uint256 i = 0; i < 4; ++i) {
            VM.warp(starts[i] + 7);
            slash(id, 1, 0, 0);
            ends[i] = uint40(clock());
            VM.warp(clock() + 3);
            registry.deposit{value: 1}(id);
            starts[i + 1] = uint40(clock()) + ACTIVATION;
        }
        checkActive(id, Role.Client, starts[0] - 1, false);
        for (uint256 i = 0; i < 4; ++i) {
            checkActive(id, Role.Client, starts[i], true);
            checkActive(id, Role.Client, ends[i] - 1, true);
            checkActive(id, Role.Client, ends[i], false);
            checkActive(id, Role.Client, starts[i + 1] - 1, false);
        }
        checkActive(id, Role.Client, starts[4], true);
    }

    // -------------------------------------------------------------------------------------------------------- credit

    function testCreditIsPaidInForOthers() public {
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InvalidOwner.selector, address(0)));
        registry.depositCredit{value: 5}(address(0));
        VM.expectEmit(true, false, false, true, address(registry));
        emit IParticipantRegistry.CreditDeposited(address(0xABC), 5);
        registry.depositCredit{value: 5}(address(0xABC));
        registry.depositCredit{value: 2}(address(0xABC));
        same(registry.creditOf(address(0xABC)), 7);
    }

    function testCreditMovesOnlyAsFarAsItGoes() public {
        registry.depositCredit{value: 5}(address(0xABC));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InsufficientCredit.selector, 0, 1));
        registry.transferCredit(address(0xDEF), 1);
        VM.startPrank(address(0xABC));
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.InsufficientCredit.selector, 5, 6));
        registry.transferCredit(address(0xDEF), 6);
        VM.expectRevert(abi.encodeWithSelector(IParticipantRegistry.TransferFailed.selector, address(0), 5));
        registry.transferCredit(address(0), 5);
        VM.expectEmit(true, true, false, true, address(registry));
        emit IParticipantRegistry.CreditMoved(address(0xABC), address(0xDEF), 4);
        registry.transferCredit(address(0xDEF), 4);
        registry.transferCredit(address(0xABC), 1);
        same(registry.creditOf(address(0xABC)), 1);
        same(registry.creditOf(address(0xDEF)), 4);
    }
}
