// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim, IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {Dispute, IRoundLedger, Rule} from "./interfaces/IRoundLedger.sol";
import {IUnmaskCourt} from "./interfaces/IUnmaskCourt.sol";
import {ChunkTree} from "./libraries/ChunkTree.sol";
import {ClaimCheck} from "./libraries/ClaimCheck.sol";
import {CommitHash} from "./libraries/CommitHash.sol";
import {IntegerRules} from "./libraries/IntegerRules.sol";
import {Masks} from "./libraries/Masks.sol";
import {PackedProof} from "./libraries/PackedProof.sol";
import {UpdateOpening} from "./libraries/UpdateOpening.sol";

/// Judges the unmasking of masked sums (docs/protocol.md §11). Immutable; no owner, no ETH.
contract UnmaskCourt is IUnmaskCourt {
    using PackedProof for PackedProof.Reader;

    /// What a proof is judged by, read once.
    struct Case {
        uint64 roundId;
        Dispute dispute;
        bytes32 membersRoot;
        bytes32 domain;
    }

    bytes32 private constant WRONG_AGGREGATE = "wrong aggregate";
    bytes32 private constant WRONG_MATRIX = "wrong matrix";
    bytes32 private constant MALFORMED_REVEALS = "malformed reveals";
    bytes32 private constant WRONG_SEED = "wrong seed";
    bytes32 private constant MISSING_SEED = "missing seed";
    bytes32 private constant SURPLUS_SEED = "surplus seed";
    bytes32 private constant BAD_SEED_TABLE = "bad seed table";
    uint32 private constant AGGREGATOR = 0;
    uint8 private constant ABSENT = 0;
    uint8 private constant INCLUDED = 1;

    IRoundLedger private immutable LEDGER;

    constructor(address ledger_) {
        LEDGER = IRoundLedger(ledger_);
    }

    // -------------------------------------------------------------------------------------------------------- the sum

    function proveUnmasking(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata aux,
        uint32 coordinate,
        bytes calldata proof
    ) external {
        Case memory case_ = _case(roundId, claim);
        _requireRoot(keccak256(aux), claim.auxHash);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32[] memory column = _takeColumn(reader, case_, claim, coordinate);
        int32 claimed = _takeAggregate(reader, case_, claim, coordinate);
        _judgeSum(case_, aux, coordinate, column, claimed, keccak256(proof));
    }

    function proveUnmaskingDirect(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata aux,
        uint32 coordinate,
        bytes calldata proof
    ) external {
        Case memory case_ = _case(roundId, claim);
        _requireRoot(keccak256(aux), claim.auxHash);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32[] memory column = _takeUpdates(reader, case_, coordinate);
        int32 claimed = _takeAggregate(reader, case_, claim, coordinate);
        _judgeSum(case_, aux, coordinate, column, claimed, keccak256(proof));
    }

    function proveMaskedTranspose(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        uint32 slot,
        bytes calldata proof
    ) external {
        Case memory case_ = _case(roundId, claim);
        uint256 included = case_.dispute.included;
        if (slot >= included) revert IDisputeCourt.NoSuchSlot(slot, included);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        int32 claimed = _takeColumn(reader, case_, claim, coordinate)[slot];
        PackedProof.Place memory place = PackedProof.locate(
            coordinate,
            case_.dispute.size,
            case_.dispute.leafLog2
        );
        (int32 value, bytes32 leaf) = _takeUpdate(reader, case_, place);
        _requireMember(reader, case_, leaf, slot);
        reader.finish();
        _strike(case_, WRONG_MATRIX, coordinate, claimed, value, keccak256(proof));
    }

    // --------------------------------------------------------------------------------------------- the revealed seeds

    function proveMalformedReveals(uint64 roundId, Claim calldata claim, bytes calldata aux) external {
        Case memory case_ = _case(roundId, claim);
        bytes32 auxHash = keccak256(aux);
        _requireRoot(auxHash, claim.auxHash);
        (, uint256 canonicalBytes) = Masks.revealedSum(aux, 0);
        _strike(case_, MALFORMED_REVEALS, 0, int256(aux.length), int256(canonicalBytes), auxHash);
    }

    function proveReveal(
        uint64 roundId,
        Claim calldata claim,
        bytes calldata aux,
        uint32 owner,
        uint32 peer,
        bytes calldata proof
    ) external {
        Case memory case_ = _case(roundId, claim);
        _requireRoot(keccak256(aux), claim.auxHash);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        (bytes32 reason, bytes32 shown, bytes32 needed) = _judgeReveal(reader, case_, aux, owner, peer);
        reader.finish();
        if (reason == 0) revert RightSeed(owner, peer);
        bytes32 proofHash = keccak256(proof);
        emit SeedFraudProven(roundId, reason, msg.sender, owner, peer, shown, needed, proofHash);
        LEDGER.void(roundId, reason, msg.sender, proofHash);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    // ------------------------------------------------------------------------------------------------------- verdicts

    /// What is wrong with the seed of a pair, 0 for nothing; the commitment to the seed that was revealed, and to the
    /// one that had to be, 0 for none.
    function _judgeReveal(
        PackedProof.Reader memory reader,
        Case memory case_,
        bytes calldata aux,
        uint32 owner,
        uint32 peer
    ) private view returns (bytes32 reason, bytes32 shown, bytes32 needed) {
        (bool isShown, bytes32 seed) = Masks.revealOf(aux, owner, peer);
        if (isShown) shown = Masks.seedCommitment(seed);
        (bool isIncluded, bytes calldata table) = _takeStanding(reader, case_, owner);
        if (isIncluded && !Masks.isSeedTable(table, owner, case_.dispute.ruleParam))
            return (BAD_SEED_TABLE, shown, 0);
        (bool isListed, bytes32 commitment) = Masks.lineOf(table, peer);
        if (isListed && isShown && shown != commitment) return (WRONG_SEED, shown, commitment);
        bool isNeeded =
            isListed && (peer == Masks.SELF || !_takeCancellation(reader, case_, owner, peer, commitment));
        if (isNeeded) needed = commitment;
        if (isShown != isNeeded) reason = isShown ? SURPLUS_SEED : MISSING_SEED;
    }

    function _judgeSum(
        Case memory case_,
        bytes calldata aux,
        uint32 coordinate,
        int32[] memory column,
        int32 claimed,
        bytes32 proofHash
    ) private {
        // Of a list that is not canonical, the entries up to where it is not: its aggregator is guilty either way.
        (uint32 masks, ) = Masks.revealedSum(aux, coordinate);
        int32 want;
        unchecked {
            want = int32(uint32(IntegerRules.sum32(column)) - masks);
        }
        _strike(case_, WRONG_AGGREGATE, coordinate, claimed, want, proofHash);
    }

    /// Void the round, unless the claim is right.
    function _strike(
        Case memory case_,
        bytes32 reason,
        uint32 coordinate,
        int256 claimed,
        int256 recomputed,
        bytes32 proofHash
    ) private {
        if (claimed == recomputed) revert IDisputeCourt.NotFraud(claimed, recomputed);
        emit IDisputeCourt.FraudProven(
            case_.roundId,
            reason,
            msg.sender,
            AGGREGATOR,
            coordinate,
            claimed,
            recomputed,
            proofHash
        );
        LEDGER.void(case_.roundId, reason, msg.sender, proofHash);
    }

    // ------------------------------------------------------------------------------------------------ reading a proof

    /// The case of a masked round whose proposal is `claim`.
    function _case(uint64 roundId, Claim calldata claim) private view returns (Case memory case_) {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        if (dispute.rule != Rule.Sum32 || dispute.ruleParam == 0)
            revert IDisputeCourt.RuleNotCovered(dispute.rule);
        (case_.roundId, case_.dispute) = (roundId, dispute);
        (case_.membersRoot, case_.domain) = (claim.proposal.membersRoot, LEDGER.domainSeparator());
    }

    /// All included clients' masked values of one coordinate, from an opening of the matrix.
    function _takeColumn(
        PackedProof.Reader memory reader,
        Case memory case_,
        Claim calldata claim,
        uint32 coordinate
    ) private view returns (int32[] memory) {
        Dispute memory dispute = case_.dispute;
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.matrixLog2);
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, dispute.included);
        _requireRoot(root, claim.proposal.matrixRoot);
        return PackedProof.valuesFrom(chunk, place.offset * dispute.included, dispute.included);
    }

    /// The aggregate's value, from the last opening of a proof.
    function _takeAggregate(
        PackedProof.Reader memory reader,
        Case memory case_,
        Claim calldata claim,
        uint32 coordinate
    ) private view returns (int32) {
        Dispute memory dispute = case_.dispute;
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.modelLog2);
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, 1);
        _requireRoot(root, claim.proposal.aggregateRoot);
        reader.finish();
        return PackedProof.valueAt(chunk, place.offset);
    }

    /// Every included client's masked value at one coordinate, from openings that make up the member list.
    function _takeUpdates(
        PackedProof.Reader memory reader,
        Case memory case_,
        uint32 coordinate
    ) private view returns (int32[] memory column) {
        Dispute memory dispute = case_.dispute;
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.leafLog2);
        bytes32[] memory leaves = new bytes32[](dispute.included);
        column = new int32[](dispute.included);
        for (uint256 slot = 0; slot < leaves.length; ++slot)
            (column[slot], leaves[slot]) = _takeUpdate(reader, case_, place);
        _requireRoot(ChunkTree.rootOf(leaves), case_.membersRoot);
    }

    /// A client's masked value and its leaf in the member list.
    function _takeUpdate(
        PackedProof.Reader memory reader,
        Case memory case_,
        PackedProof.Place memory place
    ) private view returns (int32 value, bytes32 leaf) {
        uint32 client = reader.takeUint32();
        uint32 examples = reader.takeUint32();
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, 1);
        value = PackedProof.valueAt(chunk, place.offset);
        leaf = _leaf(case_, client, examples, root, reader.takeBytes32());
    }

    /// Whether a client is included, and its seed table, which is empty if it is not.
    function _takeStanding(
        PackedProof.Reader memory reader,
        Case memory case_,
        uint32 client
    ) private view returns (bool isIncluded, bytes calldata table) {
        uint8 kind = uint8(bytes1(reader.take(1)));
        if (kind > INCLUDED) revert WrongStanding(kind);
        if (kind == ABSENT) {
            _takeGap(reader, case_, client);
            return (false, reader.take(0));
        }
        uint32 examples = reader.takeUint32();
        bytes32 root = reader.takeBytes32();
        table = reader.take(Masks.LINE_BYTES * reader.takeUint16());
        uint256 slot = reader.takeUint16();
        if (slot >= case_.dispute.included)
            revert IDisputeCourt.NoSuchSlot(uint32(slot), case_.dispute.included);
        _requireMember(reader, case_, _leaf(case_, client, examples, root, Masks.seedsRoot(table)), slot);
        return (true, table);
    }

    /// That no included client has this id: the member list rises, and two neighbours leave no room for it.
    function _takeGap(PackedProof.Reader memory reader, Case memory case_, uint32 client) private view {
        uint256 slot = reader.takeUint16();
        uint256 included = case_.dispute.included;
        if (slot > included) revert IDisputeCourt.NoSuchSlot(uint32(slot), included);
        if (slot > 0 && _takeMember(reader, case_, slot - 1) >= client)
            revert IDisputeCourt.WrongOrder(slot - 1);
        if (slot < included && _takeMember(reader, case_, slot) <= client)
            revert IDisputeCourt.WrongOrder(slot);
    }

    /// The client at a slot of the member list.
    function _takeMember(
        PackedProof.Reader memory reader,
        Case memory case_,
        uint256 slot
    ) private view returns (uint32 client) {
        client = reader.takeUint32();
        _requireMember(reader, case_, UpdateOpening.memberLeaf(client, reader.takeBytes32()), slot);
    }

    /// Whether the peer takes the owner's mask out of the sum: it is included, and lists the owner with the same seed.
    function _takeCancellation(
        PackedProof.Reader memory reader,
        Case memory case_,
        uint32 owner,
        uint32 peer,
        bytes32 commitment
    ) private view returns (bool) {
        (, bytes calldata table) = _takeStanding(reader, case_, peer);
        (bool isListed, bytes32 other) = Masks.lineOf(table, owner);
        return isListed && other == commitment;
    }

    /// That the next siblings lead from a leaf at `slot` to the root of the member list.
    function _requireMember(
        PackedProof.Reader memory reader,
        Case memory case_,
        bytes32 leaf,
        uint256 slot
    ) private view {
        _requireRoot(reader.takeClimb(leaf, slot, case_.dispute.included), case_.membersRoot);
    }

    /// Leaf in the member list of a client whose commitment binds a masked update and a seed table (§11.3).
    function _leaf(
        Case memory case_,
        uint32 client,
        uint32 examples,
        bytes32 vectorRoot,
        bytes32 seedsRoot
    ) private view returns (bytes32) {
        bytes32 root = Masks.maskedRoot(vectorRoot, seedsRoot);
        bytes32 commitment = CommitHash.commitment(case_.domain, case_.roundId, client, examples, root);
        return UpdateOpening.memberLeaf(client, commitment);
    }

    function _requireRoot(bytes32 got, bytes32 want) private pure {
        if (got != want) revert IDisputeCourt.WrongRoot(got, want);
    }
}
