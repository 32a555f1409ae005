// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IDisputeCourt} from "../interfaces/IDisputeCourt.sol";
import {IParticipantRegistry, Participant, Role, Shares} from "../interfaces/IParticipantRegistry.sol";
import {IRewardEscrow} from "../interfaces/IRewardEscrow.sol";
import {IRoundLedger, Outcome, Phase, Proposal, Round, Rule, Task} from "../interfaces/IRoundLedger.sol";
import {CommitHash} from "../libraries/CommitHash.sol";
import {KeyProof} from "../libraries/KeyProof.sol";
import {ProposalHash} from "../libraries/ProposalHash.sol";
import {TestBase} from "./Vm.sol";

/// A deployment with participants whose keys the tests hold: participant i has the owner `ownerOf(i)` and the first
/// key i + 1000.
abstract contract LedgerFixture is TestBase {
    uint40 internal constant START = 1_700_000_000;
    uint40 internal constant ACTIVATION = 100;
    uint40 internal constant UNBOND = 10_000;
    uint32 internal constant COMMIT = 600;
    uint32 internal constant DATA = 300;
    uint32 internal constant PROPOSE = 400;
    uint32 internal constant CHALLENGE = 500;
    uint256 internal constant CLIENT_STAKE = 1 ether;
    uint256 internal constant AGGREGATOR_STAKE = 2 ether;
    uint96 internal constant BOND = 0.5 ether;
    uint40 internal constant MAX_PAUSE = 1_000;
    /// A court that does what a test tells it.
    address internal constant COURT = address(0xC0);
    address internal constant GUARDIAN = address(0x60A7D);
    bytes32 internal constant GENESIS = keccak256("model 0");

    IParticipantRegistry internal registry;
    IRoundLedger internal ledger;
    IRewardEscrow internal escrow;
    IDisputeCourt internal court;

    function setUp() public virtual {
        VM.warp(START);
        uint256 nonce = VM.getNonce(address(this));
        _deployLedger(nonce);
        same(address(escrow), _created(nonce + 2));
        court = IDisputeCourt(deploy("DisputeCourt", abi.encode(registry, ledger, escrow)));
        addCourts();
        same(VM.getNonce(address(this)), nonce + 4 + extraCourts());
        VM.deal(address(this), 1_000_000 ether);
    }

    /// How many contracts `addCourts` creates. The ledger takes all of them for courts.
    function extraCourts() internal pure virtual returns (uint256) {
        return 0;
    }

    /// Create the further courts of a derived fixture: `extraCourts()` times `deploy`, and nothing else.
    // solhint-disable-next-line no-empty-blocks
    function addCourts() internal virtual {}

    /// Registry, ledger and escrow, in this order. The courts follow: their addresses must be known before they are
    /// there.
    function _deployLedger(uint256 nonce) private {
        address[] memory courts = new address[](2 + extraCourts());
        courts[0] = COURT;
        for (uint256 i = 1; i < courts.length; ++i) courts[i] = _created(nonce + 2 + i);
        (address ledger_, address escrow_) = (_created(nonce + 1), _created(nonce + 2));
        bytes memory arguments = abi.encode(
            ledger_,
            escrow_,
            CLIENT_STAKE,
            AGGREGATOR_STAKE,
            3 ether,
            ACTIVATION,
            UNBOND
        );
        registry = IParticipantRegistry(deploy("ParticipantRegistry", arguments));
        ledger = newLedger(escrow_, courts, address(this));
        escrow = IRewardEscrow(deploy("RewardEscrow", abi.encode(registry, ledger)));
    }

    function newLedger(
        address escrow_,
        address[] memory courts,
        address governor
    ) internal returns (IRoundLedger) {
        bytes memory arguments = abi.encode(registry, escrow_, courts, governor, GUARDIAN, MAX_PAUSE);
        return IRoundLedger(deploy("RoundLedger", arguments));
    }

    /// Address of the contract that this one creates with its `nonce`.
    function _created(uint256 nonce) private view returns (address) {
        return VM.computeCreateAddress(address(this), nonce);
    }

    // ------------------------------------------------------------------------------------------------ participants

    function ownerOf(uint256 id) internal pure returns (address) {
        return address(uint160(0x1_0000_0000 + id));
    }

    function keyOf(uint256 id) internal pure returns (uint256) {
        return id + 1000;
    }

    function compact(uint256 key, bytes32 digest) internal pure returns (bytes32 r, bytes32 vs) {
        (uint8 v, bytes32 r_, bytes32 s) = VM.sign(key, digest);
        return (r_, bytes32(uint256(s) | (uint256(v - 27) << 255)));
    }

    function registerProof(
        address owner,
        uint256 key,
        Role role,
        uint256 deadline
    ) internal view returns (bytes32 r, bytes32 vs) {
        bytes32 structHash = KeyProof.registerHash(owner, VM.addr(key), role, deadline);
        return compact(key, CommitHash.typedDigest(registry.domainSeparator(), structHash));
    }

    function rotateProof(
        uint32 id,
        uint256 key,
        uint256 deadline
    ) internal view returns (bytes32 r, bytes32 vs) {
        bytes32 structHash = KeyProof.rotateHash(id, VM.addr(key), deadline);
        return compact(key, CommitHash.typedDigest(registry.domainSeparator(), structHash));
    }

    function join(Role role, uint256 stakeWei) internal returns (uint32 id) {
        uint256 next = registry.participantCount() + 1;
        (bytes32 r, bytes32 vs) = registerProof(ownerOf(next), keyOf(next), role, clock());
        id = registry.register{value: stakeWei}(ownerOf(next), VM.addr(keyOf(next)), role, clock(), r, vs);
        same(id, next);
    }

    function rotate(uint32 id, uint256 key) internal {
        (bytes32 r, bytes32 vs) = rotateProof(id, key, clock());
        VM.prank(ownerOf(id));
        registry.rotateKey(id, VM.addr(key), clock(), r, vs);
    }

    /// `count` clients, then one aggregator, all active.
    function assemble(uint256 count) internal returns (uint32 aggregator) {
        for (uint256 i = 0; i < count; ++i) join(Role.Client, CLIENT_STAKE);
        aggregator = join(Role.Aggregator, AGGREGATOR_STAKE);
        VM.warp(clock() + ACTIVATION);
    }

    // ------------------------------------------------------------------------------------------------------- rounds

    function sampleTask() internal pure returns (Task memory task) {
        task.rule = Rule.TrimmedMean;
        task.ruleParam = 1;
        task.size = 4810;
        task.scaleBits = 20;
        task.leafLog2 = 8;
        task.matrixLog2 = 3;
        task.modelLog2 = 5;
        task.bound = 2 ** 23 - 1;
        task.examplesCap = 100_000;
        task.maxClients = 600;
        task.quorum = 3;
        task.commitSeconds = COMMIT;
        task.dataSeconds = DATA;
        task.proposeSeconds = PROPOSE;
        task.challengeSeconds = CHALLENGE;
        task.bondWei = BOND;
        task.genesisModel = GENESIS;
        task.layoutDigest = keccak256("layout");
        task.scriptDigest = keccak256("script");
    }

    function open(uint32 aggregator) internal returns (uint64 roundId) {
        VM.prank(VM.addr(keyOf(aggregator)));
        return ledger.openRound(1, aggregator);
    }

    function commitmentOf(uint64 roundId, uint32 client) internal pure returns (bytes32) {
        return keccak256(abi.encode("commitment", roundId, client));
    }

    function entry(uint64 roundId, uint32 client, uint256 key) internal view returns (bytes memory) {
        bytes32 commitment = commitmentOf(roundId, client);
        bytes32 digest = CommitHash.commitmentDigest(ledger.domainSeparator(), roundId, client, commitment);
        (bytes32 r, bytes32 vs) = compact(key, digest);
        return abi.encodePacked(client, commitment, r, vs);
    }

    function batchOf(uint64 roundId, uint32 first, uint32 last) internal view returns (bytes memory batch) {
        for (uint32 client = first; client <= last; ++client) {
            batch = abi.encodePacked(batch, entry(roundId, client, keyOf(client)));
        }
    }

    function sampleProposal(uint64 roundId, uint256 committed) internal pure returns (Proposal memory) {
        return
            Proposal({
                aggregateRoot: keccak256(abi.encode("aggregate", roundId)),
                matrixRoot: keccak256(abi.encode("matrix", roundId)),
                modelRoot: keccak256(abi.encode("model", roundId)),
                membersRoot: keccak256(abi.encode("members", roundId)),
                dataId: keccak256(abi.encode("manifest", roundId)),
                committed: uint16(committed)
            });
    }

    /// What finalisation is told of a proposal.
    function outcomeOf(
        Proposal memory proposal,
        bytes32 segmentsHash,
        bytes memory excluded,
        bytes memory aux
    ) internal pure returns (Outcome memory) {
        uint16 included = proposal.committed - uint16(excluded.length / 6);
        return
            Outcome({
                aggregateRoot: proposal.aggregateRoot,
                matrixRoot: proposal.matrixRoot,
                modelRoot: proposal.modelRoot,
                detailsHash: ProposalHash.details(
                    proposal,
                    segmentsHash,
                    keccak256(excluded),
                    keccak256(aux),
                    included
                )
            });
    }

    /// Let the second after the window that ends at `end` begin.
    function pass(uint40 end) internal {
        VM.warp(uint256(end) + 1);
    }

    /// Put the sample proposal forward, without auxiliary data, and return what finalises it.
    function proposeAs(
        uint32 aggregator,
        uint64 roundId,
        bytes memory excluded
    ) internal returns (Outcome memory) {
        Round memory round = ledger.round(roundId);
        Proposal memory proposal = sampleProposal(roundId, round.committed);
        VM.prank(VM.addr(keyOf(aggregator)));
        ledger.propose(roundId, proposal, excluded, "");
        return outcomeOf(proposal, round.segmentsHash, excluded, "");
    }

    function phaseOf(uint64 roundId) internal view returns (Phase) {
        return ledger.round(roundId).phase;
    }

    function stakeOf(uint32 id) internal view returns (uint256) {
        return registry.participant(id).stakeWei;
    }

    function isUnlocked(uint32 id) internal view returns (bool) {
        Participant memory p = registry.participant(id);
        return p.lockedWei == 0 && p.openTasks == 0;
    }

    /// Shares of a slash of which everything is burnt.
    // solhint-disable-next-line no-empty-blocks
    function burnt() internal pure returns (Shares memory none) {}
}
