// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Committee, Demand, DemandState, IAttestedBoard, Subject} from "./interfaces/IAttestedBoard.sol";
import {Claim, IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {IParticipantRegistry, Role} from "./interfaces/IParticipantRegistry.sol";
import {IRewardEscrow} from "./interfaces/IRewardEscrow.sol";
import {CommitMode, Dispute, IRoundLedger, Phase, Round, Task} from "./interfaces/IRoundLedger.sol";
import {Certificate} from "./libraries/Certificate.sol";
import {ChunkTree} from "./libraries/ChunkTree.sol";
import {ClaimCheck} from "./libraries/ClaimCheck.sol";
import {CommitHash} from "./libraries/CommitHash.sol";
import {LeafRange} from "./libraries/LeafRange.sol";
import {MemberList} from "./libraries/MemberList.sol";
import {PackedProof} from "./libraries/PackedProof.sol";
import {UpdateOpening} from "./libraries/UpdateOpening.sol";

/// Certificates of availability, and demands for leaves (docs/protocol.md, Availability). Immutable; holds no ETH:
/// bonds lie as its credit in the registry until an answer earns them.
contract AvailabilityBoard is IAttestedBoard, EIP712 {
    using PackedProof for PackedProof.Reader;

    /// A committee as it lies in storage: one slot, and one for every eight members.
    struct Roster {
        uint40 since;
        uint40 until;
        uint8 threshold;
        uint8 size;
        /// Eight ids a word, the first lowest.
        uint256[4] ids;
    }

    uint256 private constant MAX_MEMBERS = 32;
    uint256 private constant MAX_LEAVES = 64;
    /// Open demands that double the bond.
    uint256 private constant DOUBLING = 4;
    uint256 private constant EXCLUSION_BYTES = 6;
    uint256 private constant SIGNATURE_BYTES = 64;
    uint256 private constant WHOLE_BPS = 10_000;
    uint256 private constant CLIENT_BPS = 2_000;
    uint256 private constant ATTESTOR_BPS = 5_000;
    uint40 private constant NEVER = 0xffffffffff;

    bytes32 private constant DOUBLE_ATTESTATION = "double attestation";
    bytes32 private constant WITHHELD_UPDATE = "withheld update";
    bytes32 private constant WITHHELD_AGGREGATE = "withheld aggregate";
    bytes32 private constant WITHHELD_MATRIX = "withheld matrix";

    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;
    IRewardEscrow private immutable ESCROW;
    uint40 private immutable UNBOND_SECONDS;
    uint256 private immutable MAX_ANSWER_BYTES;
    uint256 private immutable GAS_PER_ANSWER;
    uint256 private immutable GAS_PER_BYTE;
    // The interface names this getter.
    // solhint-disable-next-line immutable-vars-naming
    uint40 public immutable answerSeconds;

    uint32 public epochCount;
    mapping(uint32 epoch => Roster) private _rosters;
    /// keccak256 of the certified exclusions; zero without a certificate.
    mapping(uint64 roundId => bytes32 hash) private _certificates;
    /// Hash of the demand that was made for a place, and its state.
    mapping(bytes32 placeHash => bytes32 hash) private _demands;
    mapping(uint64 roundId => mapping(uint32 client => uint256 count)) private _openOfClient;

    constructor(
        address registry_,
        address ledger_,
        address escrow_,
        uint40 answerSeconds_,
        uint256 maxAnswerBytes,
        uint256 gasPerAnswer,
        uint256 gasPerByte
    ) EIP712("fedtrail board", "1") {
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
        ESCROW = IRewardEscrow(escrow_);
        UNBOND_SECONDS = IParticipantRegistry(registry_).unbondSeconds();
        answerSeconds = answerSeconds_;
        MAX_ANSWER_BYTES = maxAnswerBytes;
        GAS_PER_ANSWER = gasPerAnswer;
        GAS_PER_BYTE = gasPerByte;
    }

    // -------------------------------------------------------------------------------------------------- certificates

    function setCommittee(uint32[] calldata ids, uint8 threshold) external returns (uint32 epoch) {
        if (msg.sender != LEDGER.governor()) revert NotGovernor(msg.sender);
        if (ids.length == 0 || ids.length > MAX_MEMBERS) revert InvalidCommittee("ids");
        if (threshold > ids.length || 2 * uint256(threshold) <= ids.length)
            revert InvalidCommittee("threshold");
        // As for keys: rounds that open in this second still have what was there before it.
        uint40 since = _now() + 1;
        epoch = ++epochCount;
        _rosters[epoch - 1].until = since;
        Roster storage roster = _rosters[epoch];
        (roster.since, roster.until, roster.threshold, roster.size) = (
            since,
            NEVER,
            threshold,
            uint8(ids.length)
        );
        uint256 word = 0;
        for (uint256 i = 0; i < ids.length; ++i) {
            if (ids[i] <= (i == 0 ? 0 : ids[i - 1])) revert InvalidCommittee("ids");
            word |= uint256(ids[i]) << (32 * (i & 7));
            if (i & 7 == 7 || i + 1 == ids.length) (roster.ids[i >> 3], word) = (word, 0);
        }
        emit CommitteeNamed(epoch, since, threshold, ids);
    }

    function certify(
        uint64 roundId,
        uint32 epoch,
        bytes calldata excluded,
        uint32 signers,
        bytes calldata signatures
    ) external {
        Round memory round = _certifiable(roundId);
        if (_now() <= round.commitEnd) revert IRoundLedger.TooEarly(roundId, round.commitEnd + 1, _now());
        // Until its end, the data phase is a client's time to publish.
        if (excluded.length != 0 && _now() <= round.dataEnd)
            revert IRoundLedger.TooEarly(roundId, round.dataEnd + 1, _now());
        bytes32 hash = keccak256(excluded);
        bytes32 digest = _hashTypedDataV4(Certificate.structHash(roundId, round.segmentsHash, hash));
        uint32[] memory ids = _select(epoch, signers, round.openedAt);
        address[] memory keys = REGISTRY.signersAt(ids, Role.Attestor, round.openedAt);
        _verify(digest, ids, keys, signatures);
        _certificates[roundId] = hash;
        emit Certified(roundId, epoch, signers, excluded, signatures);
    }

    function proveDoubleAttestation(uint64 roundId, bytes calldata proof) external {
        uint40 openedAt = LEDGER.round(roundId).openedAt;
        PackedProof.Reader memory reader = PackedProof.open(proof);
        uint32 attestor = reader.takeUint32();
        (, address signer) = REGISTRY.signerAt(attestor, Role.Attestor, openedAt);
        bytes32 first = _takeStatement(reader, roundId, attestor, signer);
        bytes32 second = _takeStatement(reader, roundId, attestor, signer);
        reader.finish();
        // One order only: the same two signatures must not make two proofs.
        if (first >= second) revert SameStatement(second);
        emit DoubleAttested(roundId, attestor, msg.sender);
        uint256 stakeWei = REGISTRY.participant(attestor).stakeWei;
        ESCROW.punish(roundId, attestor, DOUBLE_ATTESTATION, stakeWei, msg.sender, keccak256(proof));
    }

    // ------------------------------------------------------------------------------------------------------- demands

    function demandCommitment(
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        uint32 firstLeaf,
        uint32 leafCount,
        bytes calldata place
    ) external payable {
        Round memory round = _certifiable(roundId);
        if (_now() <= round.commitEnd) revert IRoundLedger.TooEarly(roundId, round.commitEnd + 1, _now());
        _checkCommitted(round, roundId, client, commitment, place);
        Demand memory demand = _newDemand(roundId, Subject.Commitment, firstLeaf, leafCount);
        (demand.client, demand.root) = (client, commitment);
        Task memory task = _ownTask(round.taskId);
        _shape(demand, 4 * uint256(task.size), 4 << task.leafLog2);
        _open(demand, round.openedAt, _openOfClient[roundId][client]++);
    }

    function demandLeaves(
        uint64 roundId,
        Claim calldata claim,
        Subject subject,
        uint32 firstLeaf,
        uint32 leafCount,
        bytes calldata member
    ) external payable {
        Dispute memory dispute = ClaimCheck.check(LEDGER, roundId, claim);
        Round memory round = LEDGER.round(roundId);
        if (_now() > round.challengeEnd) revert IRoundLedger.TooLate(roundId, round.challengeEnd, _now());
        _ownTask(round.taskId);
        Demand memory demand = _newDemand(roundId, subject, firstLeaf, leafCount);
        uint256 column = 4 * uint256(subject == Subject.Matrix ? dispute.included : 1);
        _shape(demand, column * dispute.size, column << _leafLog2(subject, dispute));
        PackedProof.Reader memory reader = PackedProof.open(member);
        if (subject == Subject.Update) {
            (demand.client, demand.root) = _takeMember(reader, claim.proposal.membersRoot, dispute.included);
        } else {
            demand.root =
                subject == Subject.Matrix ? claim.proposal.matrixRoot : claim.proposal.aggregateRoot;
        }
        reader.finish();
        // After an answer at the last second, there is as much time again to prove what it shows.
        LEDGER.holdDispute(roundId, demand.deadline + answerSeconds);
        _open(demand, round.openedAt, round.openDisputes);
    }

    function answer(Demand calldata demand_, bytes calldata leaves) external {
        Demand memory demand = demand_;
        if (_now() > demand.deadline) revert IRoundLedger.TooLate(demand.roundId, demand.deadline, _now());
        bytes32 hash = _close(demand, DemandState.Answered);
        bytes32 root = _rootOf(demand, leaves);
        if (root != demand.root) revert IDisputeCourt.WrongRoot(root, demand.root);
        emit LeavesServed(hash, msg.sender, leaves);
        // What is left of the bond stays credit of this contract, which cannot claim: it is burnt.
        REGISTRY.transferCredit(msg.sender, demand.rewardWei);
    }

    function fail(Demand calldata demand_) external {
        Demand memory demand = demand_;
        if (_now() <= demand.deadline)
            revert IRoundLedger.TooEarly(demand.roundId, demand.deadline + 1, _now());
        bool isClients = demand.subject == Subject.Commitment;
        bool isMoot = !isClients && LEDGER.round(demand.roundId).phase != Phase.Proposed;
        DemandState state = isMoot ? DemandState.Moot : DemandState.Withheld;
        bytes32 hash = _close(demand, state);
        emit LeavesWithheld(hash, state);
        if (isClients) _punishClient(demand, hash);
        else if (!isMoot)
            LEDGER.void(demand.roundId, _reason(demand.subject), demand.challenger, _proofHash(hash));
        REGISTRY.transferCredit(demand.challenger, demand.bondWei);
    }

    function proveUnserved(Demand calldata demand_, bytes calldata excluded, bytes calldata proof) external {
        Demand memory demand = demand_;
        if (demand.subject != Subject.Update) revert WrongSubject(demand.subject);
        bytes32 hash = _requireState(demand, DemandState.Withheld);
        Round memory round = LEDGER.round(demand.roundId);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        uint32 attestor = reader.takeUint32();
        bytes32 segmentsHash = reader.takeBytes32();
        _checkSigned(reader, round.openedAt, attestor, demand.roundId, segmentsHash, keccak256(excluded));
        MemberList.requireCommitted(reader, round.mode, segmentsHash, demand.client, demand.root);
        reader.finish();
        _requireIncluded(demand.client, excluded);
        emit Unserved(demand.roundId, attestor, hash);
        uint256 fineWei = (REGISTRY.participant(attestor).stakeWei * ATTESTOR_BPS) / WHOLE_BPS;
        ESCROW.punish(
            demand.roundId,
            attestor,
            WITHHELD_UPDATE,
            fineWei,
            demand.challenger,
            _proofHash(hash)
        );
    }

    // --------------------------------------------------------------------------------------------------------- views

    function exclusionsHash(uint64 roundId) external view returns (bool certified, bytes32 hash) {
        hash = _certificates[roundId];
        certified = hash != 0;
    }

    function demandState(Demand calldata demand_) external view returns (DemandState) {
        Demand memory demand = demand_;
        bytes32 stored = _demands[_placeHash(demand)];
        for (uint256 i = uint256(DemandState.Open); i <= uint256(DemandState.Moot); ++i) {
            if (stored == _stateHash(_demandHash(demand), DemandState(i))) return DemandState(i);
        }
        return DemandState.None;
    }

    function committee(uint32 epoch) external view returns (Committee memory view_) {
        Roster storage roster = _rosters[epoch];
        (view_.since, view_.until, view_.threshold) = (roster.since, roster.until, roster.threshold);
        view_.ids = new uint32[](roster.size);
        for (uint256 i = 0; i < view_.ids.length; ++i)
            view_.ids[i] = uint32(roster.ids[i >> 3] >> (32 * (i & 7)));
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    function escrow() external view returns (address) {
        return address(ESCROW);
    }

    function bondFor(uint256 answerBytes, bool certified, uint256 openDemands) public view returns (uint256) {
        uint256 costWei = (GAS_PER_ANSWER + GAS_PER_BYTE * answerBytes) * block.basefee;
        return (certified ? 4 * costWei : 2 * costWei) << (openDemands / DOUBLING);
    }

    // ------------------------------------------------------------------------------------------- certificates, inside

    /// An open round without a certificate, which may still have a proposal.
    /// Who answers demands has agreed to: the task names this board.
    function _ownTask(uint32 taskId) private view returns (Task memory task) {
        task = LEDGER.task(taskId);
        if (task.board != address(this)) revert ForeignTask(taskId);
    }

    function _certifiable(uint64 roundId) private view returns (Round memory round) {
        round = LEDGER.round(roundId);
        if (round.phase != Phase.Open) revert IRoundLedger.WrongPhase(roundId, round.phase);
        if (_now() > round.proposeEnd) revert IRoundLedger.TooLate(roundId, round.proposeEnd, _now());
        if (_certificates[roundId] != 0) revert AlreadyCertified(roundId);
    }

    /// Members at the positions in `signers` of the committee that serves rounds opened at `openedAt`.
    function _select(
        uint32 epoch,
        uint32 signers,
        uint40 openedAt
    ) private view returns (uint32[] memory ids) {
        Roster storage roster = _rosters[epoch];
        (uint256 since, uint256 until, uint8 threshold, uint256 size) = (
            roster.since,
            roster.until,
            roster.threshold,
            roster.size
        );
        if (since == 0 || openedAt < since || openedAt >= until) revert WrongEpoch(epoch, openedAt);
        if (uint256(signers) >> size != 0) revert NoSuchSigner(signers, size);
        ids = new uint32[](size);
        uint256 count = 0;
        uint256 word = 0;
        for (uint256 i = 0; i < size; ++i) {
            word = i & 7 == 0 ? roster.ids[i >> 3] : word >> 32;
            if ((signers >> i) & 1 == 1) ids[count++] = uint32(word);
        }
        if (count < threshold) revert TooFewSigners(count, threshold);
        assembly ("memory-safe") {
            mstore(ids, count)
        }
    }

    function _verify(
        bytes32 digest,
        uint32[] memory ids,
        address[] memory keys,
        bytes calldata signatures
    ) private view {
        uint256 want = SIGNATURE_BYTES * ids.length;
        if (signatures.length != want) revert IDisputeCourt.WrongProofLength(signatures.length, want);
        for (uint256 i = 0; i < ids.length; ++i) {
            address got = Certificate.recoverAt(digest, signatures, SIGNATURE_BYTES * i);
            if (got != keys[i] || got == address(0)) revert WrongSigner(ids[i], got, keys[i]);
        }
    }

    /// The next r | vs is `key`'s, over `digest`. Nobody signs for a key that is zero: an attestor that is not active.
    function _checkSignature(
        PackedProof.Reader memory reader,
        bytes32 digest,
        uint32 id,
        address key
    ) private view {
        address got = Certificate.recoverAt(digest, reader.take(SIGNATURE_BYTES), 0);
        if (got != key || got == address(0)) revert WrongSigner(id, got, key);
    }

    /// Struct hash of the next statement, which `key` signed.
    function _takeStatement(
        PackedProof.Reader memory reader,
        uint64 roundId,
        uint32 attestor,
        address key
    ) private view returns (bytes32 hash) {
        bytes32 segmentsHash = reader.takeBytes32();
        hash = Certificate.structHash(roundId, segmentsHash, reader.takeBytes32());
        _checkSignature(reader, _hashTypedDataV4(hash), attestor, key);
    }

    /// The next r | vs is the attestor's, over a statement about the round.
    function _checkSigned(
        PackedProof.Reader memory reader,
        uint40 openedAt,
        uint32 attestor,
        uint64 roundId,
        bytes32 segmentsHash,
        bytes32 excludedHash
    ) private view {
        (, address key) = REGISTRY.signerAt(attestor, Role.Attestor, openedAt);
        bytes32 hash = Certificate.structHash(roundId, segmentsHash, excludedHash);
        _checkSignature(reader, _hashTypedDataV4(hash), attestor, key);
    }

    function _requireIncluded(uint32 client, bytes calldata excluded) private pure {
        for (uint256 at = 0; at + 4 <= excluded.length; at += EXCLUSION_BYTES) {
            if (uint32(bytes4(excluded[at:at + 4])) == client) revert ExcludedClient(client);
        }
    }

    // ------------------------------------------------------------------------------------------------ demands, inside

    /// That the client committed to this in the round. In root-only mode the list is the aggregator's word, so that the
    /// client's signature must be shown as well.
    function _checkCommitted(
        Round memory round,
        uint64 roundId,
        uint32 client,
        bytes32 commitment,
        bytes calldata place
    ) private view {
        PackedProof.Reader memory reader = PackedProof.open(place);
        if (round.mode == CommitMode.RootOnly) {
            (, address key) = REGISTRY.signerAt(client, Role.Client, round.openedAt);
            bytes32 domain = LEDGER.domainSeparator();
            bytes32 digest = CommitHash.commitmentDigest(domain, roundId, client, commitment);
            _checkSignature(reader, digest, client, key);
        }
        MemberList.requireCommitted(reader, round.mode, round.segmentsHash, client, commitment);
        reader.finish();
    }

    /// A member of the proposal: client u32 | commitment | slot u16 | siblings.
    function _takeMember(
        PackedProof.Reader memory reader,
        bytes32 membersRoot,
        uint256 included
    ) private view returns (uint32 client, bytes32 commitment) {
        client = reader.takeUint32();
        commitment = reader.takeBytes32();
        uint256 slot = reader.takeUint16();
        if (slot >= included) revert IDisputeCourt.NoSuchSlot(uint32(slot), included);
        bytes calldata path = reader.take(32 * ChunkTree.pathLength(slot, included));
        bytes32 leaf = UpdateOpening.memberLeaf(client, commitment);
        bytes32 root = ChunkTree.climb(leaf, slot, included, path);
        if (root != membersRoot) revert IDisputeCourt.WrongRoot(root, membersRoot);
    }

    function _leafLog2(Subject subject, Dispute memory dispute) private pure returns (uint8) {
        if (subject == Subject.Update) return dispute.leafLog2;
        if (subject == Subject.Aggregate) return dispute.modelLog2;
        if (subject == Subject.Matrix) return dispute.matrixLog2;
        revert WrongSubject(subject);
    }

    function _newDemand(
        uint64 roundId,
        Subject subject,
        uint32 firstLeaf,
        uint32 leafCount
    ) private view returns (Demand memory demand) {
        (demand.roundId, demand.subject) = (roundId, subject);
        (demand.firstLeaf, demand.leafCount) = (firstLeaf, leafCount);
        (demand.challenger, demand.deadline) = (msg.sender, _now() + answerSeconds);
    }

    /// Set the sizes of the vector, which must have the leaves.
    function _shape(Demand memory demand, uint256 vectorBytes, uint256 leafBytes) private pure {
        (demand.vectorBytes, demand.leafBytes) = (uint64(vectorBytes), uint32(leafBytes));
        uint256 leaves = LeafRange.leaves(_rangeOf(demand));
        uint256 end = uint256(demand.firstLeaf) + demand.leafCount;
        if (demand.leafCount == 0 || demand.leafCount > MAX_LEAVES || end > leaves)
            revert NoSuchLeaves(demand.firstLeaf, demand.leafCount, leaves);
    }

    /// Record a demand and take its bond.
    function _open(Demand memory demand, uint40 openedAt, uint256 openDemands) private {
        // Until then the stakes of the round can be slashed for it.
        uint40 limit = openedAt + UNBOND_SECONDS;
        if (demand.deadline + answerSeconds > limit)
            revert IRoundLedger.TooLate(demand.roundId, limit - 2 * answerSeconds, _now());
        bool certified = _certificates[demand.roundId] != 0;
        uint256 wantWei = bondFor(_answerBytes(demand), certified, openDemands);
        if (msg.value < wantWei) revert BondTooSmall(msg.value, wantWei);
        // An amount above 2^96 wei does not exist.
        (demand.bondWei, demand.rewardWei) = (
            uint96(msg.value),
            uint96(msg.value >> (openDemands / DOUBLING))
        );
        bytes32 place = _placeHash(demand);
        if (_demands[place] != 0) revert AlreadyDemanded(place);
        _demands[place] = _stateHash(_demandHash(demand), DemandState.Open);
        emit LeavesDemanded(demand.roundId, demand.client, demand.challenger, demand);
        REGISTRY.depositCredit{value: msg.value}(address(this));
    }

    /// Bytes that an answer has, which must fit one transaction: nobody can be asked for more.
    function _answerBytes(Demand memory demand) private view returns (uint256 size) {
        LeafRange.Range memory range = _rangeOf(demand);
        size = 4 + LeafRange.dataBytes(range) + 32 * LeafRange.pathLength(range);
        if (size > MAX_ANSWER_BYTES) revert AnswerTooLong(size, MAX_ANSWER_BYTES);
    }

    /// Root, or commitment, to which an answer leads.
    function _rootOf(Demand memory demand, bytes calldata leaves) private view returns (bytes32 root) {
        PackedProof.Reader memory reader = PackedProof.open(leaves);
        bool isUpdate = demand.subject == Subject.Commitment || demand.subject == Subject.Update;
        uint32 examples = isUpdate ? reader.takeUint32() : 0;
        root = LeafRange.takeRoot(reader, _rangeOf(demand));
        reader.finish();
        if (!isUpdate) return root;
        bytes32 domain = LEDGER.domainSeparator();
        return CommitHash.commitment(domain, demand.roundId, demand.client, examples, root);
    }

    /// End an open demand; its place cannot be demanded again.
    function _close(Demand memory demand, DemandState state) private returns (bytes32 hash) {
        hash = _requireState(demand, DemandState.Open);
        _demands[_placeHash(demand)] = _stateHash(hash, state);
        if (demand.subject == Subject.Commitment) --_openOfClient[demand.roundId][demand.client];
        else LEDGER.releaseDispute(demand.roundId);
    }

    /// Once a round: further leaves that the client withholds cost it no more.
    function _punishClient(Demand memory demand, bytes32 hash) private {
        (uint64 roundId, uint32 client) = (demand.roundId, demand.client);
        if (ESCROW.rewardOf(roundId, client, WITHHELD_UPDATE).provenAt != 0) return;
        uint256 fineWei = (REGISTRY.participant(client).stakeWei * CLIENT_BPS) / WHOLE_BPS;
        ESCROW.punish(roundId, client, WITHHELD_UPDATE, fineWei, demand.challenger, _proofHash(hash));
    }

    function _reason(Subject subject) private pure returns (bytes32) {
        if (subject == Subject.Update) return WITHHELD_UPDATE;
        return subject == Subject.Matrix ? WITHHELD_MATRIX : WITHHELD_AGGREGATE;
    }

    /// The demand was public and names who is paid: nobody may have bought a ticket for its failure. So the hash is
    /// one that no earlier block could know.
    function _proofHash(bytes32 hash) private view returns (bytes32) {
        return keccak256(abi.encode(hash, blockhash(block.number - 1)));
    }

    function _requireState(Demand memory demand, DemandState want) private view returns (bytes32 hash) {
        hash = _demandHash(demand);
        if (_demands[_placeHash(demand)] != _stateHash(hash, want)) revert WrongState(hash, want);
    }

    function _rangeOf(Demand memory demand) private pure returns (LeafRange.Range memory) {
        return
            LeafRange.Range({
                vectorBytes: demand.vectorBytes,
                leafBytes: demand.leafBytes,
                first: demand.firstLeaf,
                count: demand.leafCount
            });
    }

    /// What is demanded: the same again would teach nothing.
    function _placeHash(Demand memory demand) private pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    demand.roundId,
                    demand.subject,
                    demand.client,
                    demand.root,
                    demand.firstLeaf,
                    demand.leafCount
                )
            );
    }

    /// keccak256(abi.encode(demand)): its twelve words lie in memory as the ABI wants them.
    function _demandHash(Demand memory demand) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(demand, 0x180)
        }
    }

    function _stateHash(bytes32 hash, DemandState state) private pure returns (bytes32) {
        return keccak256(abi.encode(hash, state));
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }
}
