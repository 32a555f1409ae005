// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim, IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {IParticipantRegistry} from "./interfaces/IParticipantRegistry.sol";
import {Dispute, IRoundLedger, Rule} from "./interfaces/IRoundLedger.sol";
import {ISessionCourt, Session} from "./interfaces/ISessionCourt.sol";
import {ChunkTree} from "./libraries/ChunkTree.sol";
import {ClaimCheck} from "./libraries/ClaimCheck.sol";
import {ColumnRules} from "./libraries/ColumnRules.sol";
import {IntegerRules} from "./libraries/IntegerRules.sol";
import {OrderStats} from "./libraries/OrderStats.sol";
import {PackedProof} from "./libraries/PackedProof.sol";
import {UpdateOpening} from "./libraries/UpdateOpening.sol";
import {Weights} from "./libraries/Weights.sol";

/// Judges fraud proofs of many transactions: order statistics are found by counting, and counts add up
/// (docs/protocol.md, Sessions). Immutable; no owner, no ETH.
contract SessionCourt is ISessionCourt {
    using PackedProof for PackedProof.Reader;

    /// What a session is about, and what it has been shown.
    struct Record {
        Session session;
        uint32 coordinate;
        int32 low;
        int32 high;
    }

    /// Clients of a block: a subtree of the member list. Their updates, in leaves of the default size, are 90 kB.
    uint256 private constant BLOCK_LOG2 = 6;
    bytes32 private constant WRONG_AGGREGATE = "wrong aggregate";

    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;

    mapping(uint64 roundId => mapping(address challenger => Record)) private _records;

    constructor(address registry_, address ledger_) {
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
    }

    function open(uint64 roundId, Claim calldata claim, uint32 coordinate, int32 low, int32 high) external {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        if (coordinate >= dispute.size) revert IDisputeCourt.NoSuchCoordinate(coordinate, dispute.size);
        ColumnRules.requireCovered(dispute, low, high);
        Record memory record;
        record.session.proposalHash = dispute.proposalHash;
        (record.coordinate, record.low, record.high) = (coordinate, low, high);
        _records[roundId][msg.sender] = record;
        emit SessionOpened(roundId, msg.sender, coordinate, low, high);
    }

    function show(uint64 roundId, Claim calldata claim, uint256 number, bytes calldata proof) external {
        (Dispute memory dispute, Record memory record) = _open(roundId, claim);
        uint256 count = _blocks(dispute.included);
        if (number >= count) revert NoSuchBlock(number, count);
        if (record.session.shown & (1 << number) != 0) revert AlreadyShown(number);
        record.session.shown |= 1 << number;

        PackedProof.Reader memory reader = PackedProof.open(proof);
        uint256 first = number << BLOCK_LOG2;
        uint256 size =
            dispute.included - first < 1 << BLOCK_LOG2 ? dispute.included - first : 1 << BLOCK_LOG2;
        (bytes32 root, int32[] memory column, uint32[] memory weights) = _takeUpdates(
            reader,
            roundId,
            dispute,
            record.coordinate,
            size
        );
        root = reader.takeClimb(root, number, count);
        reader.finish();
        if (root != claim.proposal.membersRoot)
            revert IDisputeCourt.WrongRoot(root, claim.proposal.membersRoot);
        _add(dispute, record, column, weights);
        _records[roundId][msg.sender] = record;
        emit BlockShown(roundId, msg.sender, number);
    }

    function close(uint64 roundId, Claim calldata claim, bytes calldata proof) external {
        (Dispute memory dispute, Record memory record) = _open(roundId, claim);
        uint256 want = (1 << _blocks(dispute.included)) - 1;
        if (record.session.shown != want) revert BlocksMissing(record.session.shown, want);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        PackedProof.Place memory place = PackedProof.locate(
            record.coordinate,
            dispute.size,
            dispute.modelLog2
        );
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, 1);
        reader.finish();
        if (root != claim.proposal.aggregateRoot)
            revert IDisputeCourt.WrongRoot(root, claim.proposal.aggregateRoot);
        int32 claimed = PackedProof.valueAt(chunk, place.offset);
        int32 recomputed = _conclude(dispute, record);
        if (claimed == recomputed) revert IDisputeCourt.NotFraud(claimed, recomputed);
        delete _records[roundId][msg.sender];
        bytes32 hash = keccak256(proof);
        emit FraudProven(
            roundId,
            WRONG_AGGREGATE,
            msg.sender,
            0,
            record.coordinate,
            claimed,
            recomputed,
            hash
        );
        LEDGER.void(roundId, WRONG_AGGREGATE, msg.sender, hash);
    }

    function sessionOf(uint64 roundId, address challenger) external view returns (Session memory) {
        return _records[roundId][challenger].session;
    }

    /// The sender's session about the claim. One that was opened against an earlier proposal, which a reorganisation
    /// took away, is none.
    function _open(
        uint64 roundId,
        Claim calldata claim
    ) private view returns (Dispute memory dispute, Record memory record) {
        dispute = ClaimCheck.check(LEDGER, roundId, claim);
        record = _records[roundId][msg.sender];
        if (record.session.proposalHash != dispute.proposalHash) revert NoSession(roundId, msg.sender);
    }

    function _blocks(uint256 included) private pure returns (uint256) {
        return (included + (1 << BLOCK_LOG2) - 1) >> BLOCK_LOG2;
    }

    /// The next `size` clients' values and weights, and the root of their part of the member list.
    function _takeUpdates(
        PackedProof.Reader memory reader,
        uint64 roundId,
        Dispute memory dispute,
        uint32 coordinate,
        uint256 size
    ) private view returns (bytes32 root, int32[] memory column, uint32[] memory weights) {
        PackedProof.Place memory place = PackedProof.locate(coordinate, dispute.size, dispute.leafLog2);
        bytes32 domain = LEDGER.domainSeparator();
        uint40 openedAt = dispute.weiPerWeight == 0 ? 0 : LEDGER.round(roundId).openedAt;
        bytes32[] memory leaves = new bytes32[](size);
        column = new int32[](size);
        weights = new uint32[](size);
        for (uint256 i = 0; i < size; ++i) {
            UpdateOpening.Opened memory opened = UpdateOpening.take(reader, place, roundId, domain);
            leaves[i] = UpdateOpening.memberLeaf(opened.client, opened.commitment);
            column[i] = opened.value;
            weights[i] = uint32(Weights.weigh(REGISTRY, dispute, opened.client, opened.examples, openedAt));
        }
        root = ChunkTree.rootOf(leaves);
    }

    function _add(
        Dispute memory dispute,
        Record memory record,
        int32[] memory column,
        uint32[] memory weights
    ) private pure {
        Session memory session = record.session;
        session.clients += uint16(column.length);
        if (dispute.rule != Rule.Sum32) ColumnRules.clamp(column, dispute.bound);
        if (ColumnRules.isHinted(dispute.rule)) {
            OrderStats.Census memory seen = OrderStats.census(column, record.low, record.high);
            session.belowLow += uint16(seen.belowLow);
            session.upToLow += uint16(seen.upToLow);
            session.belowHigh += uint16(seen.belowHigh);
            session.upToHigh += uint16(seen.upToHigh);
            session.sum += int128(seen.between);
            return;
        }
        for (uint256 i = 0; i < column.length; ++i) {
            int256 weight = dispute.rule == Rule.WeightedMean ? int256(uint256(weights[i])) : int256(1);
            session.weights += uint48(uint256(weight));
            session.sum += int128(weight * column[i]);
        }
    }

    function _conclude(Dispute memory dispute, Record memory record) private pure returns (int32) {
        Session memory session = record.session;
        if (dispute.rule == Rule.Sum32) return int32(uint32(uint128(session.sum)));
        if (!ColumnRules.isHinted(dispute.rule))
            return
                session.weights == 0
                    ? int32(0)
                    : int32(IntegerRules.rdiv(session.sum, int256(uint256(session.weights))));
        uint256 trim = ColumnRules.trimOf(dispute);
        OrderStats.Census memory seen = OrderStats.Census({
            belowLow: session.belowLow,
            upToLow: session.upToLow,
            belowHigh: session.belowHigh,
            upToHigh: session.upToHigh,
            between: session.sum
        });
        int256 kept = OrderStats.keptSumOf(seen, session.clients, trim, record.low, record.high);
        return int32(IntegerRules.rdiv(kept, int256(uint256(session.clients) - 2 * trim)));
    }
}
