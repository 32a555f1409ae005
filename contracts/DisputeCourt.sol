// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Claim, IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {IParticipantRegistry, Role} from "./interfaces/IParticipantRegistry.sol";
import {IRewardEscrow} from "./interfaces/IRewardEscrow.sol";
import {CommitMode, Dispute, IRoundLedger, Phase, Round, Rule, Task} from "./interfaces/IRoundLedger.sol";
import {ChunkTree} from "./libraries/ChunkTree.sol";
import {ClaimCheck} from "./libraries/ClaimCheck.sol";
import {ColumnRules} from "./libraries/ColumnRules.sol";
import {CommitHash} from "./libraries/CommitHash.sol";
import {IntegerRules} from "./libraries/IntegerRules.sol";
import {MemberList} from "./libraries/MemberList.sol";
import {PackedProof} from "./libraries/PackedProof.sol";
import {UpdateOpening} from "./libraries/UpdateOpening.sol";
import {Weights} from "./libraries/Weights.sol";

/// Judges fraud proofs of one transaction (docs/protocol.md, Disputes). Immutable; no owner, no ETH.
contract DisputeCourt is IDisputeCourt {
    using PackedProof for PackedProof.Reader;

    uint256 private constant WHOLE_BPS = 10_000;
    uint256 private constant CLIP_BPS = 2_000;

    bytes32 private constant WRONG_AGGREGATE = "wrong aggregate";
    bytes32 private constant WRONG_MATRIX = "wrong matrix";
    bytes32 private constant WRONG_MEMBERS = "wrong members";
    bytes32 private constant WRONG_MODEL = "wrong model";
    bytes32 private constant WRONG_WEIGHT = "wrong weight";
    bytes32 private constant WRONG_ENTRY = "wrong entry";
    bytes32 private constant OMITTED = "omitted commitment";
    bytes32 private constant OUT_OF_BOUND = "out of bound";
    bytes32 private constant EQUIVOCATION = "equivocation";
    /// What FraudProven names when the aggregator is accused.
    uint32 private constant AGGREGATOR = 0;

    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;
    IRewardEscrow private immutable ESCROW;

    constructor(address registry_, address ledger_, address escrow_) {
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
        ESCROW = IRewardEscrow(escrow_);
    }

    // ------------------------------------------------------------------------------------------ against the aggregator

    function proveColumn(uint64 roundId, bytes32 coreHash, bytes calldata proof) external {
        Dispute memory dispute = LEDGER.disputeOf(roundId);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        uint32 coordinate = reader.takeUint32();
        int32 low = int32(reader.takeUint32());
        int32 high = int32(reader.takeUint32());
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.matrixLog2);
        (bytes calldata chunk, bytes32 matrixRoot) = reader.takeOpening(place, dispute.included);
        (int32 claimed, bytes32 aggregateRoot) = _takeValue(reader, dispute, coordinate);
        reader.finish();
        ClaimCheck.requireProposal(roundId, aggregateRoot, matrixRoot, coreHash, dispute.proposalHash);
        uint256 start = place.offset * dispute.included;
        int32 want = ColumnRules.aggregateFrom(dispute, chunk, start, low, high);
        _strike(roundId, WRONG_AGGREGATE, coordinate, claimed, want, proof);
    }

    function proveWeightedColumn(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata aux,
        bytes calldata proof
    ) external {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        // A composed rule that only selects posts whom it selected; that the choice is right, a replay tells.
        bool isPosted = dispute.rule == Rule.WeightedMean || dispute.rule == Rule.Composed;
        if (!isPosted) revert RuleNotCovered(dispute.rule);
        uint32[] memory weights = _readWeights(claim, aux);
        if (weights.length != dispute.included) revert WrongProofLength(aux.length, 4 * dispute.included);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32[] memory column = _takeColumn(reader, dispute, claim, coordinate);
        int32 claimed = _takeLast(reader, dispute, coordinate, claim.proposal.aggregateRoot);
        int32 want = ColumnRules.aggregatePosted(dispute, column, weights);
        _strike(roundId, WRONG_AGGREGATE, coordinate, claimed, want, proof);
    }

    function proveWeight(
        uint64 roundId,
        Claim calldata claim,
        uint32 slot,
        bytes calldata aux,
        bytes calldata proof
    ) external {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        if (dispute.rule != Rule.WeightedMean) revert RuleNotCovered(dispute.rule);
        uint32[] memory weights = _readWeights(claim, aux);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        if (weights.length != dispute.included) {
            reader.finish();
            return
                _strike(
                    roundId,
                    WRONG_WEIGHT,
                    slot,
                    int256(weights.length),
                    int256(uint256(dispute.included)),
                    proof
                );
        }
        if (slot >= dispute.included) revert NoSuchSlot(slot, dispute.included);
        PackedProof.Place memory place = PackedProof.locate(0, dispute.size, dispute.leafLog2);
        UpdateOpening.Opened memory opened = UpdateOpening.take(
            reader,
            place,
            roundId,
            LEDGER.domainSeparator()
        );
        bytes32 root = UpdateOpening.takeMembersRoot(reader, opened, slot, dispute.included);
        reader.finish();
        _requireRoot(root, claim.proposal.membersRoot);
        uint256 want = Weights.weigh(
            REGISTRY,
            dispute,
            opened.client,
            opened.examples,
            LEDGER.round(roundId).openedAt
        );
        _strike(roundId, WRONG_WEIGHT, slot, int256(uint256(weights[slot])), int256(want), proof);
    }

    function proveTranspose(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        uint32 slot,
        bytes calldata proof
    ) external {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        if (slot >= dispute.included) revert NoSuchSlot(slot, dispute.included);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32 claimed = _takeColumn(reader, dispute, claim, coordinate)[slot];
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.leafLog2);
        UpdateOpening.Opened memory opened = UpdateOpening.take(
            reader,
            place,
            roundId,
            LEDGER.domainSeparator()
        );
        bytes32 root = UpdateOpening.takeMembersRoot(reader, opened, slot, dispute.included);
        reader.finish();
        _requireRoot(root, claim.proposal.membersRoot);
        _strike(roundId, WRONG_MATRIX, coordinate, claimed, opened.value, proof);
    }

    function proveMembers(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata excluded,
        bytes calldata proof
    ) external {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        _requireRoot(keccak256(excluded), claim.excludedHash);
        CommitMode mode = LEDGER.round(roundId).mode;
        MemberList.Members memory want = MemberList.read(mode, claim.segmentsHash, excluded, proof);
        bytes32 claimed = claim.proposal.membersRoot;
        if (claimed != want.root)
            return
                _strike(
                    roundId,
                    WRONG_MEMBERS,
                    0,
                    int256(uint256(claimed)),
                    int256(uint256(want.root)),
                    proof
                );
        // The same root over the same leaves: only the numbers can be wrong. Where both are right, the exclusions name
        // nobody but clients that committed.
        (uint256 number, uint256 counted) = dispute.included == want.included
            ? (uint256(claim.proposal.committed), want.committed)
            : (uint256(dispute.included), want.included);
        if (number == counted) revert SameRoot(claimed);
        _strike(roundId, WRONG_MEMBERS, 0, int256(number), int256(counted), proof);
    }

    function proveDirect(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        int32 low,
        int32 high,
        bytes calldata proof
    ) external {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        (bytes32 members, int32[] memory column, uint32[] memory weights) = _takeUpdates(
            reader,
            roundId,
            dispute,
            coordinate
        );
        _requireRoot(members, claim.proposal.membersRoot);
        int32 claimed = _takeLast(reader, dispute, coordinate, claim.proposal.aggregateRoot);
        int32 want = ColumnRules.aggregate(dispute, column, weights, low, high);
        _strike(roundId, WRONG_AGGREGATE, coordinate, claimed, want, proof);
    }

    function proveModelStep(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata proof
    ) external {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        (int32 base, bytes32 baseRoot) = _takeValue(reader, dispute, coordinate);
        _requireRoot(baseRoot, LEDGER.baseModelOf(roundId));
        (int32 step, bytes32 stepRoot) = _takeValue(reader, dispute, coordinate);
        _requireRoot(stepRoot, claim.proposal.aggregateRoot);
        int32 claimed = _takeLast(reader, dispute, coordinate, claim.proposal.modelRoot);
        int32 want = IntegerRules.modelStep(base, step);
        _strike(roundId, WRONG_MODEL, coordinate, claimed, want, proof);
    }

    // ---------------------------------------------------------------------------- against the aggregator of a root

    function proveWrongEntry(
        uint64 roundId,
        Claim calldata claim,
        uint32 position,
        bytes calldata proof
    ) external {
        ClaimCheck.check(LEDGER, roundId, claim);
        Round memory round = _rootOnly(roundId);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        bytes calldata entry = MemberList.takeListed(reader, claim.segmentsHash, position, round.committed);
        uint32 client = uint32(bytes4(entry));
        (, address signer) = REGISTRY.signerAt(client, Role.Client, round.openedAt);
        bool isWrong = !_isSigned(roundId, entry, signer);
        // One proof an entry: its order is what is wrong only if its signature is right.
        if (reader.at != reader.end && position > 0) {
            bytes calldata before = MemberList.takeListed(
                reader,
                claim.segmentsHash,
                position - 1,
                round.committed
            );
            isWrong = !isWrong && uint32(bytes4(before)) >= client;
        }
        reader.finish();
        if (!isWrong) revert ValidEntry(position);
        _void(roundId, WRONG_ENTRY, position, int256(uint256(client)), 0, proof);
    }

    function proveOmission(uint64 roundId, Claim calldata claim, bytes calldata proof) external {
        ClaimCheck.check(LEDGER, roundId, claim);
        Round memory round = _rootOnly(roundId);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        (uint32 client, bytes32 commitment) = _takeReceipt(reader, roundId, round);
        uint256 position = reader.takeUint16();
        if (position > round.committed) revert NoSuchSlot(uint32(position), round.committed);
        if (position > 0) {
            bytes calldata before = MemberList.takeListed(
                reader,
                claim.segmentsHash,
                position - 1,
                round.committed
            );
            if (uint32(bytes4(before)) >= client) revert ListedClient(client);
        }
        if (position < round.committed) {
            bytes calldata entry = MemberList.takeListed(
                reader,
                claim.segmentsHash,
                position,
                round.committed
            );
            bool isOther = uint32(bytes4(entry)) > client;
            bool isAltered = uint32(bytes4(entry)) == client && bytes32(entry[4:36]) != commitment;
            if (!isOther && !isAltered) revert ListedClient(client);
        }
        reader.finish();
        _void(roundId, OMITTED, uint32(position), 0, int256(uint256(client)), proof);
    }

    // ------------------------------------------------------------------------------------------------ against a client

    function proveClipViolation(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata proof
    ) external {
        Round memory round = LEDGER.round(roundId);
        Task memory task = LEDGER.task(round.taskId);
        if (task.rule == Rule.Sum32) revert RuleNotCovered(Rule.Sum32);
        bytes32 segmentsHash = _segmentsHash(roundId, round, claim);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        PackedProof.Place memory place = PackedProof.locate(coordinate, task.size, task.leafLog2);
        UpdateOpening.Opened memory opened = UpdateOpening.take(
            reader,
            place,
            roundId,
            LEDGER.domainSeparator()
        );
        bytes calldata signature = MemberList.requireCommitted(
            reader,
            round.mode,
            segmentsHash,
            opened.client,
            opened.commitment
        );
        reader.finish();
        // An aggregator's list proves nothing against a client that has not signed.
        if (round.mode == CommitMode.RootOnly)
            _requireOwn(roundId, opened.client, opened.commitment, round.openedAt, signature);
        int32 want = IntegerRules.clamp(opened.value, task.bound);
        if (want == opened.value) revert NotFraud(opened.value, want);
        uint256 fine = (uint256(REGISTRY.participant(opened.client).stakeWei) * CLIP_BPS) / WHOLE_BPS;
        _punish(roundId, opened.client, OUT_OF_BOUND, fine, proof);
        emit FraudProven(
            roundId,
            OUT_OF_BOUND,
            msg.sender,
            opened.client,
            coordinate,
            opened.value,
            want,
            keccak256(proof)
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
        _punish(roundId, client, EQUIVOCATION, REGISTRY.participant(client).stakeWei, proof);
        emit FraudProven(
            roundId,
            EQUIVOCATION,
            msg.sender,
            client,
            0,
            int256(uint256(first)),
            int256(uint256(second)),
            keccak256(proof)
        );
    }

    // ----------------------------------------------------------------------------------------------------------- views

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    function escrow() external view returns (address) {
        return address(ESCROW);
    }

    // ------------------------------------------------------------------------------------------------------- verdicts

    function _strike(
        uint64 roundId,
        bytes32 reason,
        uint32 coordinate,
        int256 claimed,
        int256 recomputed,
        bytes calldata proof
    ) private {
        if (claimed == recomputed) revert NotFraud(claimed, recomputed);
        _void(roundId, reason, coordinate, claimed, recomputed, proof);
    }

    function _void(
        uint64 roundId,
        bytes32 reason,
        uint32 coordinate,
        int256 claimed,
        int256 recomputed,
        bytes calldata proof
    ) private {
        bytes32 proofHash = keccak256(proof);
        emit FraudProven(roundId, reason, msg.sender, AGGREGATOR, coordinate, claimed, recomputed, proofHash);
        LEDGER.void(roundId, reason, msg.sender, proofHash);
    }

    function _punish(
        uint64 roundId,
        uint32 client,
        bytes32 reason,
        uint256 fineWei,
        bytes calldata proof
    ) private {
        ESCROW.punish(roundId, client, reason, fineWei, msg.sender, keccak256(proof));
    }

    // ------------------------------------------------------------------------------------------------ reading a proof

    /// All clients' values of one coordinate, from an opening of the proposal's matrix.
    function _takeColumn(
        PackedProof.Reader memory reader,
        Dispute memory dispute,
        Claim calldata claim,
        uint32 coordinate
    ) private view returns (int32[] memory) {
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.matrixLog2);
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, dispute.included);
        _requireRoot(root, claim.proposal.matrixRoot);
        return PackedProof.valuesFrom(chunk, place.offset * dispute.included, dispute.included);
    }

    /// Every included client's value and weight at one coordinate, and the member list that they prove.
    function _takeUpdates(
        PackedProof.Reader memory reader,
        uint64 roundId,
        Dispute memory dispute,
        uint32 coordinate
    ) private view returns (bytes32 members, int32[] memory column, uint32[] memory weights) {
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.leafLog2);
        bytes32 domain = LEDGER.domainSeparator();
        uint40 openedAt = dispute.weiPerWeight == 0 ? 0 : LEDGER.round(roundId).openedAt;
        bytes32[] memory leaves = new bytes32[](dispute.included);
        column = new int32[](dispute.included);
        weights = new uint32[](dispute.included);
        for (uint256 slot = 0; slot < leaves.length; ++slot) {
            UpdateOpening.Opened memory opened = UpdateOpening.take(reader, place, roundId, domain);
            leaves[slot] = UpdateOpening.memberLeaf(opened.client, opened.commitment);
            column[slot] = opened.value;
            weights[slot] = uint32(
                Weights.weigh(REGISTRY, dispute, opened.client, opened.examples, openedAt)
            );
        }
        members = ChunkTree.rootOf(leaves);
    }

    /// The weights that a proposal posted.
    function _readWeights(
        Claim calldata claim,
        bytes calldata aux
    ) private pure returns (uint32[] memory weights) {
        _requireRoot(keccak256(aux), claim.auxHash);
        weights = new uint32[](aux.length / 4);
        for (uint256 i = 0; i < weights.length; ++i) weights[i] = uint32(bytes4(aux[4 * i:4 * i + 4]));
        // Loose bytes at the end make no weight: the number is then wrong.
        if (aux.length % 4 != 0) weights = new uint32[](0);
    }

    /// Aggregate or model at a coordinate, and the root of the opening.
    function _takeValue(
        PackedProof.Reader memory reader,
        Dispute memory dispute,
        uint32 coordinate
    ) private view returns (int32 value, bytes32 root) {
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.modelLog2);
        bytes calldata chunk;
        (chunk, root) = reader.takeOpening(place, 1);
        value = PackedProof.valueAt(chunk, place.offset);
    }

    /// The same, from an opening that leads to `want`, and nothing may follow.
    function _takeLast(
        PackedProof.Reader memory reader,
        Dispute memory dispute,
        uint32 coordinate,
        bytes32 want
    ) private view returns (int32 value) {
        bytes32 root;
        (value, root) = _takeValue(reader, dispute, coordinate);
        _requireRoot(root, want);
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
        _requireSigned(reader, digest, signer);
    }

    /// The client and commitment that the round's aggregator said it had received.
    function _takeReceipt(
        PackedProof.Reader memory reader,
        uint64 roundId,
        Round memory round
    ) private view returns (uint32 client, bytes32 commitment) {
        client = reader.takeUint32();
        commitment = reader.takeBytes32();
        (, address signer) = REGISTRY.signerAt(round.aggregator, Role.Aggregator, round.openedAt);
        bytes32 digest = CommitHash.receiptDigest(LEDGER.domainSeparator(), roundId, client, commitment);
        _requireSigned(reader, digest, signer);
    }

    function _requireSigned(PackedProof.Reader memory reader, bytes32 digest, address signer) private pure {
        bytes32 r = reader.takeBytes32();
        (address got, , ) = ECDSA.tryRecover(digest, r, reader.takeBytes32());
        if (got != signer || got == address(0)) revert WrongSigner(got, signer);
    }

    /// That the client signed its commitment for the round; `signature` is r | vs.
    function _requireOwn(
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        uint40 openedAt,
        bytes calldata signature
    ) private view {
        (, address signer) = REGISTRY.signerAt(client, Role.Client, openedAt);
        bytes32 digest = CommitHash.commitmentDigest(LEDGER.domainSeparator(), roundId, client, commitment);
        _requireSigned(PackedProof.open(signature), digest, signer);
    }

    /// Whether an entry (client | commitment | r | vs) is one that `commitBatch` would take.
    function _isSigned(uint64 roundId, bytes calldata entry, address signer) private view returns (bool) {
        bytes32 commitment = bytes32(entry[4:36]);
        bytes32 digest = CommitHash.commitmentDigest(
            LEDGER.domainSeparator(),
            roundId,
            uint32(bytes4(entry)),
            commitment
        );
        (address got, , ) = ECDSA.tryRecover(digest, bytes32(entry[36:68]), bytes32(entry[68:100]));
        return got == signer && got != address(0) && commitment != bytes32(0);
    }

    function _rootOnly(uint64 roundId) private view returns (Round memory round) {
        round = LEDGER.round(roundId);
        if (round.mode != CommitMode.RootOnly) revert IRoundLedger.WrongMode(roundId, round.mode);
    }

    /// The rolling hash over a round's segments: from the ledger before there is a proposal, then from the claim.
    function _segmentsHash(
        uint64 roundId,
        Round memory round,
        Claim calldata claim
    ) private pure returns (bytes32) {
        if (round.phase == Phase.Voided) revert IRoundLedger.WrongPhase(roundId, round.phase);
        if (round.proposalHash == bytes32(0)) return round.segmentsHash;
        ClaimCheck.requireMatch(roundId, claim, round.committed - round.excluded, round.proposalHash);
        return claim.segmentsHash;
    }

    function _requireRoot(bytes32 got, bytes32 want) private pure {
        if (got != want) revert WrongRoot(got, want);
    }
}
