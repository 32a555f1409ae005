// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Claim, IDisputeCourt, Reward} from "./interfaces/IDisputeCourt.sol";
import {IParticipantRegistry, Role} from "./interfaces/IParticipantRegistry.sol";
import {IRoundLedger, Phase, Round, Rule, Task} from "./interfaces/IRoundLedger.sol";
import {ChunkTree} from "./libraries/ChunkTree.sol";
import {ColumnRules} from "./libraries/ColumnRules.sol";
import {CommitHash} from "./libraries/CommitHash.sol";
import {IntegerRules} from "./libraries/IntegerRules.sol";
import {MemberList} from "./libraries/MemberList.sol";
import {PackedProof} from "./libraries/PackedProof.sol";

/// Judges fraud proofs of one transaction (docs/protocol.md, Disputes). Immutable; no owner, no ETH.
contract DisputeCourt is IDisputeCourt {
    using PackedProof for PackedProof.Reader;

    /// What a proof is judged by, read once.
    struct Case {
        uint64 roundId;
        Round round;
        Task task;
        uint256 included;
    }

    /// An update opening, read.
    struct Opened {
        uint32 client;
        uint32 examples;
        int32 value;
        bytes32 commitment;
    }

    uint40 private constant ESCROW_SECONDS = 1 hours;
    uint256 private constant WHOLE_BPS = 10_000;
    uint16 private constant CHALLENGER_BPS = 4_000;
    uint16 private constant CLIENTS_BPS = 1_000;
    uint256 private constant CLIP_BPS = 2_000;

    bytes32 private constant WRONG_AGGREGATE = "wrong aggregate";
    bytes32 private constant WRONG_MATRIX = "wrong matrix";
    bytes32 private constant WRONG_MEMBERS = "wrong members";
    bytes32 private constant WRONG_MODEL = "wrong model";
    bytes32 private constant OUT_OF_BOUND = "out of bound";
    bytes32 private constant EQUIVOCATION = "equivocation";
    /// The reward of a voided round has one place, whatever voided it.
    uint32 private constant AGGREGATOR = 0;
    bytes32 private constant ANY_REASON = 0;

    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;

    mapping(bytes32 hash => uint40 bought) public ticketAt;
    mapping(bytes32 key => Reward) private _rewards;
    mapping(uint64 roundId => mapping(uint256 word => uint256 bits)) private _claimedBits;

    constructor(address registry_, address ledger_) {
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
    }

    // ------------------------------------------------------------------------------------------ against the aggregator

    function proveColumn(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        int32 low,
        int32 high,
        bytes calldata proof
    ) external {
        Case memory case_ = _proposed(roundId, claim);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32[] memory column = _takeColumn(reader, case_, claim, coordinate);
        int32 claimed = _takeLast(reader, case_.task, coordinate, claim.proposal.aggregateRoot);
        int32 want = ColumnRules.aggregate(case_.task, column, new uint32[](0), low, high);
        _strike(case_, WRONG_AGGREGATE, coordinate, claimed, want, keccak256(proof));
    }

    function proveTranspose(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        uint32 slot,
        bytes calldata proof
    ) external {
        Case memory case_ = _proposed(roundId, claim);
        if (slot >= case_.included) revert NoSuchSlot(slot, case_.included);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32 claimed = _takeColumn(reader, case_, claim, coordinate)[slot];
        PackedProof.Place memory place = PackedProof.locate(coordinate, case_.task.size, case_.task.leafLog2);
        Opened memory opened = _takeUpdate(reader, place, roundId, LEDGER.domainSeparator());
        bytes calldata path = reader.take(32 * ChunkTree.pathLength(slot, case_.included));
        reader.finish();
        bytes32 root = ChunkTree.climb(_memberLeaf(opened), slot, case_.included, path);
        _requireRoot(root, claim.proposal.membersRoot);
        _strike(case_, WRONG_MATRIX, coordinate, claimed, opened.value, keccak256(proof));
    }

    function proveMembers(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata excluded,
        bytes calldata proof
    ) external {
        Case memory case_ = _proposed(roundId, claim);
        _requireRoot(keccak256(excluded), claim.excludedHash);
        bytes32 want = MemberList.membersRoot(case_.round, excluded, proof);
        bytes32 claimed = claim.proposal.membersRoot;
        if (claimed == want) revert SameRoot(want);
        _strike(case_, WRONG_MEMBERS, 0, int256(uint256(claimed)), int256(uint256(want)), keccak256(proof));
    }

    function proveDirect(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        int32 low,
        int32 high,
        bytes calldata proof
    ) external {
        Case memory case_ = _proposed(roundId, claim);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        (bytes32 members, int32[] memory column, uint32[] memory examples) = _takeUpdates(
            reader,
            case_,
            coordinate
        );
        _requireRoot(members, claim.proposal.membersRoot);
        int32 claimed = _takeLast(reader, case_.task, coordinate, claim.proposal.aggregateRoot);
        int32 want = ColumnRules.aggregate(case_.task, column, examples, low, high);
        _strike(case_, WRONG_AGGREGATE, coordinate, claimed, want, keccak256(proof));
    }

    function proveModelStep(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata proof
    ) external {
        Case memory case_ = _proposed(roundId, claim);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32 base = _takeValue(reader, case_.task, coordinate, case_.round.baseModel);
        int32 step = _takeValue(reader, case_.task, coordinate, claim.proposal.aggregateRoot);
        int32 claimed = _takeLast(reader, case_.task, coordinate, claim.proposal.modelRoot);
        int32 want = IntegerRules.modelStep(base, step);
        _strike(case_, WRONG_MODEL, coordinate, claimed, want, keccak256(proof));
    }

    // ------------------------------------------------------------------------------------------------ against a client

    function proveClipViolation(uint64 roundId, uint32 coordinate, bytes calldata proof) external {
        Case memory case_ = _case(roundId);
        if (case_.task.rule == Rule.Sum32) revert RuleNotCovered(Rule.Sum32);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        PackedProof.Place memory place = PackedProof.locate(coordinate, case_.task.size, case_.task.leafLog2);
        Opened memory opened = _takeUpdate(reader, place, roundId, LEDGER.domainSeparator());
        MemberList.requireCommitted(reader, case_.round, opened.client, opened.commitment);
        reader.finish();
        int32 want = IntegerRules.clamp(opened.value, case_.task.bound);
        if (want == opened.value) revert NotFraud(opened.value, want);
        uint256 fine = (uint256(REGISTRY.participant(opened.client).stakeWei) * CLIP_BPS) / WHOLE_BPS;
        bytes32 proofHash = keccak256(proof);
        _punish(roundId, opened.client, OUT_OF_BOUND, fine, proofHash);
        emit FraudProven(
            roundId,
            OUT_OF_BOUND,
            msg.sender,
            opened.client,
            coordinate,
            opened.value,
            want,
            proofHash
        );
    }

    function proveEquivocation(uint64 roundId, bytes calldata proof) external {
        uint40 openedAt = LEDGER.round(roundId).openedAt;
        PackedProof.Reader memory reader = PackedProof.open(proof);
        uint32 client = reader.takeUint32();
        (, address signer) = REGISTRY.signerAt(client, Role.Client, openedAt);
        bytes32 first = _takeSigned(reader, roundId, client, signer);
        bytes32 second = _takeSigned(reader, roundId, client, signer);
        reader.finish();
        // One order only: the same two signatures must not make two proofs.
        if (first >= second) revert SameCommitment(second);
        bytes32 proofHash = keccak256(proof);
        _punish(roundId, client, EQUIVOCATION, REGISTRY.participant(client).stakeWei, proofHash);
        emit FraudProven(
            roundId,
            EQUIVOCATION,
            msg.sender,
            client,
            0,
            int256(uint256(first)),
            int256(uint256(second)),
            proofHash
        );
    }

    // --------------------------------------------------------------------------------------------- tickets and rewards

    function ticket(bytes32 hash) external {
        if (ticketAt[hash] != 0) revert TicketExists(hash);
        ticketAt[hash] = _now();
        emit Ticketed(hash);
    }

    function contest(
        uint64 roundId,
        uint32 subject,
        bytes32 reason,
        bytes32 proofHash,
        bytes32 salt
    ) external {
        Reward storage reward = _owed(roundId, subject, reason);
        uint40 until = reward.provenAt + ESCROW_SECONDS;
        if (_now() > until) revert EscrowOver(until, _now());
        if (uint56(uint256(proofHash)) != reward.proofTag) revert WrongProofHash(proofHash);
        bytes32 hash = keccak256(abi.encode(roundId, proofHash, msg.sender, salt));
        uint40 bought = ticketAt[hash];
        uint40 before = reward.ticketAt == 0 ? reward.provenAt : reward.ticketAt;
        if (bought == 0 || bought >= before) revert NoEarlierTicket(hash);
        (reward.challenger, reward.ticketAt) = (msg.sender, bought);
        emit Contested(roundId, subject, reason, msg.sender);
    }

    function claimReward(uint64 roundId) external {
        uint256 bondWei = LEDGER.task(LEDGER.round(roundId).taskId).bondWei;
        _pay(roundId, AGGREGATOR, ANY_REASON, (bondWei * CHALLENGER_BPS) / WHOLE_BPS);
    }

    function claimClientReward(uint64 roundId, uint32 client, bytes32 reason) external {
        // The aggregator's reward has another amount and another call.
        if (client == AGGREGATOR) revert NothingOwed(roundId, client);
        _pay(roundId, client, reason, _rewards[_key(roundId, client, reason)].amountWei);
    }

    function claimShare(uint64 roundId, uint32 client) external {
        if (_rewards[_key(roundId, AGGREGATOR, ANY_REASON)].provenAt == 0)
            revert NothingOwed(roundId, AGGREGATOR);
        if (!LEDGER.hasCommitted(roundId, client)) revert NotCommitted(roundId, client);
        if (hasClaimedShare(roundId, client)) revert AlreadyClaimed(roundId, client);
        _claimedBits[roundId][client >> 8] |= 1 << (client & 0xff);
        Case memory case_ = _case(roundId);
        uint256 pool = (uint256(case_.task.bondWei) * CLIENTS_BPS) / WHOLE_BPS;
        uint256 amountWei = pool / case_.round.committed;
        address owner = REGISTRY.ownerOf(client);
        emit ShareClaimed(roundId, client, owner, amountWei);
        REGISTRY.transferCredit(owner, amountWei);
    }

    // ----------------------------------------------------------------------------------------------------------- views

    function rewardOf(uint64 roundId, uint32 subject, bytes32 reason) external view returns (Reward memory) {
        return _rewards[_key(roundId, subject, reason)];
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    function hasClaimedShare(uint64 roundId, uint32 client) public view returns (bool) {
        return _claimedBits[roundId][client >> 8] & (1 << (client & 0xff)) != 0;
    }

    // ------------------------------------------------------------------------------------------------------- verdicts

    /// Void the round and take the bond, unless the claim is right. The bond is free again once the round has ended,
    /// and nothing else can have taken it: a slash never touches what rounds hold.
    function _strike(
        Case memory case_,
        bytes32 reason,
        uint32 coordinate,
        int256 claimed,
        int256 recomputed,
        bytes32 proofHash
    ) private {
        if (claimed == recomputed) revert NotFraud(claimed, recomputed);
        uint64 roundId = case_.roundId;
        _escrow(roundId, AGGREGATOR, ANY_REASON, proofHash);
        emit FraudProven(roundId, reason, msg.sender, AGGREGATOR, coordinate, claimed, recomputed, proofHash);
        LEDGER.void(roundId, reason);
        _slash(case_.round.aggregator, roundId, case_.task.bondWei, reason, CLIENTS_BPS);
    }

    /// Slash a client. No clients' share: the round goes on, and they lost nothing.
    function _punish(
        uint64 roundId,
        uint32 client,
        bytes32 reason,
        uint256 fineWei,
        bytes32 proofHash
    ) private {
        Reward storage reward = _escrow(roundId, client, reason, proofHash);
        uint256 takenWei = _slash(client, roundId, fineWei, reason, 0);
        reward.amountWei = uint128((takenWei * CHALLENGER_BPS) / WHOLE_BPS);
    }

    function _escrow(
        uint64 roundId,
        uint32 subject,
        bytes32 reason,
        bytes32 proofHash
    ) private returns (Reward storage reward) {
        reward = _rewards[_key(roundId, subject, reason)];
        if (reward.provenAt != 0) revert AlreadyProven(roundId, subject);
        (reward.challenger, reward.provenAt, reward.proofTag) = (
            msg.sender,
            _now(),
            uint56(uint256(proofHash))
        );
    }

    function _slash(
        uint32 id,
        uint64 roundId,
        uint256 amountWei,
        bytes32 reason,
        uint16 clientsBps
    ) private returns (uint256) {
        return
            REGISTRY.slash(
                id,
                roundId,
                amountWei,
                reason,
                address(this),
                CHALLENGER_BPS,
                address(this),
                clientsBps
            );
    }

    function _pay(uint64 roundId, uint32 subject, bytes32 reason, uint256 amountWei) private {
        Reward storage reward = _owed(roundId, subject, reason);
        uint40 until = reward.provenAt + ESCROW_SECONDS;
        if (_now() <= until) revert EscrowOpen(until, _now());
        address challenger = reward.challenger;
        reward.challenger = address(0);
        emit Rewarded(roundId, subject, challenger, amountWei);
        REGISTRY.transferCredit(challenger, amountWei);
    }

    function _owed(
        uint64 roundId,
        uint32 subject,
        bytes32 reason
    ) private view returns (Reward storage reward) {
        reward = _rewards[_key(roundId, subject, subject == AGGREGATOR ? ANY_REASON : reason)];
        if (reward.challenger == address(0)) revert NothingOwed(roundId, subject);
    }

    function _key(uint64 roundId, uint32 subject, bytes32 reason) private pure returns (bytes32) {
        return keccak256(abi.encode(roundId, subject, reason));
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }

    // ------------------------------------------------------------------------------------------------ reading a proof

    function _case(uint64 roundId) private view returns (Case memory case_) {
        case_.roundId = roundId;
        case_.round = LEDGER.round(roundId);
        case_.task = LEDGER.task(case_.round.taskId);
        case_.included = uint256(case_.round.committed) - case_.round.excluded;
    }

    /// The case of a round whose proposal is `claim`.
    function _proposed(uint64 roundId, Claim calldata claim) private view returns (Case memory case_) {
        case_ = _case(roundId);
        Round memory round = case_.round;
        if (round.phase != Phase.Proposed) revert IRoundLedger.WrongPhase(roundId, round.phase);
        bytes32 got = keccak256(
            abi.encode(roundId, claim.proposal, round.segmentsHash, claim.excludedHash, case_.included)
        );
        if (got != round.proposalHash) revert IRoundLedger.ProposalMismatch(roundId, got, round.proposalHash);
    }

    /// All clients' values of one coordinate, from an opening of the matrix.
    function _takeColumn(
        PackedProof.Reader memory reader,
        Case memory case_,
        Claim calldata claim,
        uint32 coordinate
    ) private view returns (int32[] memory) {
        PackedProof.Place memory place = PackedProof.locate(
            coordinate,
            case_.task.size,
            case_.task.matrixLog2
        );
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, case_.included);
        _requireRoot(root, claim.proposal.matrixRoot);
        return PackedProof.valuesFrom(chunk, place.offset * case_.included, case_.included);
    }

    /// Every included client's value and examples at one coordinate, and the member list that they prove.
    function _takeUpdates(
        PackedProof.Reader memory reader,
        Case memory case_,
        uint32 coordinate
    ) private view returns (bytes32 members, int32[] memory column, uint32[] memory examples) {
        PackedProof.Place memory place = PackedProof.locate(coordinate, case_.task.size, case_.task.leafLog2);
        bytes32 domain = LEDGER.domainSeparator();
        bytes32[] memory leaves = new bytes32[](case_.included);
        column = new int32[](case_.included);
        examples = new uint32[](case_.included);
        for (uint256 slot = 0; slot < leaves.length; ++slot) {
            Opened memory opened = _takeUpdate(reader, place, case_.roundId, domain);
            (leaves[slot], column[slot], examples[slot]) = (
                _memberLeaf(opened),
                opened.value,
                opened.examples
            );
        }
        members = ChunkTree.rootOf(leaves);
    }

    function _takeUpdate(
        PackedProof.Reader memory reader,
        PackedProof.Place memory place,
        uint64 roundId,
        bytes32 domain
    ) private view returns (Opened memory opened) {
        opened.client = reader.takeUint32();
        opened.examples = reader.takeUint32();
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, 1);
        opened.value = PackedProof.valueAt(chunk, place.offset);
        opened.commitment = CommitHash.commitment(domain, roundId, opened.client, opened.examples, root);
    }

    function _memberLeaf(Opened memory opened) private view returns (bytes32) {
        return ChunkTree.leafHash(abi.encodePacked(opened.client, opened.commitment));
    }

    /// A vector's value at a coordinate, from an opening that leads to `want`.
    function _takeValue(
        PackedProof.Reader memory reader,
        Task memory task,
        uint32 coordinate,
        bytes32 want
    ) private view returns (int32) {
        PackedProof.Place memory place = PackedProof.locate(coordinate, task.size, task.leafLog2);
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, 1);
        _requireRoot(root, want);
        return PackedProof.valueAt(chunk, place.offset);
    }

    /// The same, and nothing may follow.
    function _takeLast(
        PackedProof.Reader memory reader,
        Task memory task,
        uint32 coordinate,
        bytes32 want
    ) private view returns (int32 value) {
        value = _takeValue(reader, task, coordinate, want);
        reader.finish();
    }

    /// A commitment that `signer` signed for the round.
    function _takeSigned(
        PackedProof.Reader memory reader,
        uint64 roundId,
        uint32 client,
        address signer
    ) private view returns (bytes32 commitment) {
        commitment = reader.takeBytes32();
        bytes32 digest = CommitHash.commitmentDigest(LEDGER.domainSeparator(), roundId, client, commitment);
        bytes32 r = reader.takeBytes32();
        (address got, , ) = ECDSA.tryRecover(digest, r, reader.takeBytes32());
        if (got != signer || got == address(0)) revert WrongSigner(got, signer);
    }

    function _requireRoot(bytes32 got, bytes32 want) private pure {
        if (got != want) revert WrongRoot(got, want);
    }
}
