// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim, IDisputeCourt} from "./interfaces/IDisputeCourt.sol";
import {Game, IKrumCourt} from "./interfaces/IKrumCourt.sol";
import {IParticipantRegistry, Participant} from "./interfaces/IParticipantRegistry.sol";
import {Dispute, IRoundLedger, Phase, Round, Rule} from "./interfaces/IRoundLedger.sol";
import {ClaimCheck} from "./libraries/ClaimCheck.sol";
import {IntegerRules} from "./libraries/IntegerRules.sol";
import {KrumBlock} from "./libraries/KrumBlock.sol";
import {KrumLayout} from "./libraries/KrumLayout.sol";
import {KrumParts} from "./libraries/KrumParts.sol";
import {KrumSelection} from "./libraries/KrumSelection.sol";
import {PackedProof} from "./libraries/PackedProof.sol";

/// Judges Krum and Multi-Krum (docs/protocol.md, Disputes over Krum). Immutable; no owner, no ETH.
contract KrumCourt is IKrumCourt {
    using PackedProof for PackedProof.Reader;

    /// A coordinate of the updates that a rule chooses.
    struct Choice {
        Dispute dispute;
        uint32 coordinate;
        uint256[] slots;
    }

    bytes32 private constant WRONG_AGGREGATE = "wrong aggregate";
    bytes32 private constant WRONG_AUX = "wrong number of distances";
    bytes32 private constant WRONG_DISTANCE = "wrong distance";
    bytes32 private constant UNANSWERED = "unanswered dispute";
    /// Subject of a proof against the aggregator.
    uint32 private constant AGGREGATOR = 0;

    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;
    // The interface names these getters.
    // solhint-disable immutable-vars-naming
    uint256 public immutable bondWei;
    uint40 public immutable clockSeconds;
    uint40 public immutable extensionSeconds;
    // solhint-enable immutable-vars-naming

    mapping(bytes32 gameId => bytes32 hash) public gameHash;
    mapping(uint64 roundId => uint256 games) public openGames;

    /// A move that is made in the last `extensionSeconds_` of a clock leaves that much on it.
    constructor(
        address registry_,
        address ledger_,
        uint256 bondWei_,
        uint40 clockSeconds_,
        uint40 extensionSeconds_
    ) {
        if (extensionSeconds_ == 0 || extensionSeconds_ > clockSeconds_)
            revert InvalidClock(clockSeconds_, extensionSeconds_);
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
        bondWei = bondWei_;
        clockSeconds = clockSeconds_;
        extensionSeconds = extensionSeconds_;
    }

    // ----------------------------------------------------------------------------------------- in one transaction

    function proveAuxLength(uint64 roundId, Claim calldata claim, bytes calldata aux) external {
        Dispute memory dispute = _disputeOf(roundId, claim);
        _requireAux(aux, claim.auxHash);
        uint256 want = KrumSelection.auxLength(dispute.included);
        if (aux.length == want) revert RightAuxLength(want);
        _strike(roundId, WRONG_AUX, 0, int256(aux.length), int256(want), keccak256(aux));
    }

    function proveSelectionColumn(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata aux,
        bytes calldata proof
    ) external {
        Choice memory choice = Choice(_disputeOf(roundId, claim), coordinate, new uint256[](0));
        _requireDistances(aux, claim.auxHash, choice.dispute.included);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        _choose(reader, choice, aux);
        int32 want = _takeMean(reader, choice, claim.proposal.matrixRoot);
        int32 claimed = _takeLast(reader, choice, claim.proposal.aggregateRoot);
        if (claimed == want) revert IDisputeCourt.NotFraud(claimed, want);
        _strike(roundId, WRONG_AGGREGATE, coordinate, claimed, want, keccak256(proof));
    }

    // ------------------------------------------------------------------------------------------------------- games

    function challenge(
        uint64 roundId,
        Claim calldata claim,
        uint16 low,
        uint16 high,
        uint96 distance
    ) external payable returns (bytes32 gameId) {
        if (msg.value != bondWei) revert WrongBond(msg.value, bondWei);
        Dispute memory dispute = _disputeOf(roundId, claim);
        if (low >= high || high >= dispute.included) revert WrongPair(low, high, dispute.included);
        Round memory round = LEDGER.round(roundId);
        if (_now() > round.challengeEnd) revert IRoundLedger.TooLate(roundId, round.challengeEnd, _now());

        Game memory game;
        (game.roundId, game.aggregator, game.challenger) = (roundId, round.aggregator, msg.sender);
        (game.low, game.high, game.distance) = (low, high, distance);
        (game.membersRoot, game.auxHash) = (claim.proposal.membersRoot, claim.auxHash);
        game.blocks = KrumLayout.blockCount(dispute.size, dispute.leafLog2);
        game.height = KrumLayout.topOf(game.blocks);
        (game.moveBy, game.waiting) = (_now() + clockSeconds, clockSeconds);

        gameId = _idOf(roundId, msg.sender, low, high);
        if (gameHash[gameId] != 0) revert GameExists(gameId);
        gameHash[gameId] = keccak256(abi.encode(game));
        emit GameOpened(gameId, roundId, msg.sender, game);
        _hold(roundId, KrumLayout.stepCount(game.blocks));
        REGISTRY.depositCredit{value: msg.value}(address(this));
    }

    function refute(Game calldata game, bytes calldata aux) external {
        bytes32 gameId = _turnOf(game, true);
        if (game.height != KrumLayout.topOf(game.blocks)) revert WrongHeight(game.height);
        uint256 included = LEDGER.disputeOf(game.roundId).included;
        _requireDistances(aux, game.auxHash, included);
        if (KrumSelection.distanceOf(aux, included, game.low, game.high) == game.distance)
            revert RightDistance(game.distance);
        _dismiss(gameId, game);
    }

    function dissect(Game calldata game, bytes calldata parts) external {
        bytes32 gameId = _turnOf(game, true);
        Participant memory aggregator = REGISTRY.participant(game.aggregator);
        if (msg.sender != aggregator.signer && msg.sender != aggregator.owner)
            revert NotOnTurn(gameId, msg.sender);
        uint256 count = KrumLayout.partCount(game.blocks, game.height, game.index);
        (uint256 sum, bytes32 root) = KrumParts.read(parts, count);
        if (sum != game.distance) revert WrongSum(sum, game.distance);
        Game memory next = game;
        next.partsRoot = root;
        _move(gameId, next);
        emit Dissected(gameId, game.roundId, next, parts);
    }

    function pick(Game calldata game, uint32 part, bytes calldata proof) external {
        bytes32 gameId = _challengersTurn(game);
        Game memory next = game;
        next.height = KrumLayout.below(game.blocks, game.height);
        if (next.height == 0) revert WrongHeight(next.height);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        (next.index, next.distance) = _takePart(reader, game, part);
        reader.finish();
        next.partsRoot = 0;
        _move(gameId, next);
        emit Picked(gameId, game.roundId, next);
    }

    function prove(Game calldata game, uint32 part, bytes calldata proof) external {
        bytes32 gameId = _challengersTurn(game);
        uint8 height = KrumLayout.below(game.blocks, game.height);
        if (height != 0) revert WrongHeight(height);
        PackedProof.Reader memory reader = PackedProof.open(proof);
        (uint32 block_, uint96 claimed) = _takePart(reader, game, part);
        (uint32 coordinate, uint256 want) = _computePart(reader, game, block_);
        reader.finish();
        if (claimed == want) revert IDisputeCourt.NotFraud(int256(uint256(claimed)), int256(want));
        _close(gameId, game.roundId, game.challenger);
        _strike(
            game.roundId,
            WRONG_DISTANCE,
            coordinate,
            int256(uint256(claimed)),
            int256(want),
            keccak256(proof)
        );
    }

    function timeout(Game calldata game) external {
        bytes32 gameId = _requireState(game);
        if (_now() <= game.moveBy) revert ClockRunning(game.moveBy, _now());
        if (game.partsRoot != 0) return _dismiss(gameId, game);
        _close(gameId, game.roundId, game.challenger);
        // Nobody could buy a ticket for this hash: nobody but the challenger has earned the reward.
        bytes32 proofHash = keccak256(abi.encode(gameId, blockhash(block.number - 1)));
        LEDGER.void(game.roundId, UNANSWERED, game.challenger, proofHash);
    }

    function reclaim(Game calldata game) external {
        bytes32 gameId = _requireState(game);
        Phase phase = LEDGER.round(game.roundId).phase;
        if (phase != Phase.Voided) revert IRoundLedger.WrongPhase(game.roundId, phase);
        _close(gameId, game.roundId, game.challenger);
    }

    // ------------------------------------------------------------------------------------------------------- views

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    // ----------------------------------------------------------------------------------------- turns and outcomes

    function _idOf(
        uint64 roundId,
        address challenger,
        uint16 low,
        uint16 high
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(roundId, challenger, low, high));
    }

    /// The game is in the state that the sender names.
    function _requireState(Game calldata game) private view returns (bytes32 gameId) {
        gameId = _idOf(game.roundId, game.challenger, game.low, game.high);
        (bytes32 got, bytes32 want) = (keccak256(abi.encode(game)), gameHash[gameId]);
        if (got != want) revert NoSuchGame(gameId, got, want);
    }

    function _turnOf(Game calldata game, bool isAggregator) private view returns (bytes32 gameId) {
        gameId = _requireState(game);
        if ((game.partsRoot == 0) != isAggregator) revert NotOnTurn(gameId, msg.sender);
        if (_now() > game.moveBy) revert ClockOver(game.moveBy, _now());
    }

    function _challengersTurn(Game calldata game) private view returns (bytes32 gameId) {
        gameId = _turnOf(game, false);
        if (msg.sender != game.challenger) revert NotOnTurn(gameId, msg.sender);
    }

    /// Stop the clock of the one who moved, and start the other's. The moves are few, so what late ones add is bounded.
    function _move(bytes32 gameId, Game memory next) private {
        uint40 left = next.moveBy - _now();
        if (left < extensionSeconds) left = extensionSeconds;
        (next.moveBy, next.waiting) = (_now() + next.waiting, left);
        gameHash[gameId] = keccak256(abi.encode(next));
    }

    /// Hold the round for the longest game, and long enough after it for another challenger. All games together count
    /// as one dispute: the ledger counts few, and a crowd of games must not keep an honest one out.
    function _hold(uint64 roundId, uint40 steps) private {
        LEDGER.holdDispute(roundId, _now() + 2 * (clockSeconds + steps * extensionSeconds));
        if (openGames[roundId]++ != 0) LEDGER.releaseDispute(roundId);
    }

    /// The aggregator has won. In a round that is void it has not: there the bond can only be reclaimed.
    function _dismiss(bytes32 gameId, Game calldata game) private {
        Phase phase = LEDGER.round(game.roundId).phase;
        if (phase != Phase.Proposed) revert IRoundLedger.WrongPhase(game.roundId, phase);
        if (--openGames[game.roundId] == 0) LEDGER.releaseDispute(game.roundId);
        _close(gameId, game.roundId, REGISTRY.ownerOf(game.aggregator));
    }

    function _close(bytes32 gameId, uint64 roundId, address bondTo) private {
        delete gameHash[gameId];
        emit GameClosed(gameId, roundId, bondTo);
        REGISTRY.transferCredit(bondTo, bondWei);
    }

    function _strike(
        uint64 roundId,
        bytes32 reason,
        uint32 coordinate,
        int256 claimed,
        int256 recomputed,
        bytes32 proofHash
    ) private {
        emit IDisputeCourt.FraudProven(
            roundId,
            reason,
            msg.sender,
            AGGREGATOR,
            coordinate,
            claimed,
            recomputed,
            proofHash
        );
        LEDGER.void(roundId, reason, msg.sender, proofHash);
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }

    // ----------------------------------------------------------------------------------------------------- reading

    /// What to judge a proposal of Krum or Multi-Krum by.
    function _disputeOf(uint64 roundId, Claim calldata claim) private view returns (Dispute memory dispute) {
        dispute = ClaimCheck.check(LEDGER, roundId, claim);
        if (dispute.rule != Rule.Krum && dispute.rule != Rule.MultiKrum)
            revert IDisputeCourt.RuleNotCovered(dispute.rule);
    }

    /// The slots that the posted distances choose, by the hints that come next in the proof.
    function _choose(
        PackedProof.Reader memory reader,
        Choice memory choice,
        bytes calldata aux
    ) private pure {
        Dispute memory dispute = choice.dispute;
        bytes calldata thresholds = reader.take(KrumSelection.thresholdsLength(dispute.included));
        KrumSelection.Row[] memory rows = KrumSelection.read(aux, thresholds);
        uint256 nearest = uint256(dispute.included) - dispute.ruleParam - 2;
        uint256 count = dispute.rule == Rule.Krum ? 1 : dispute.ruleSelect;
        choice.slots = KrumSelection.choose(rows, nearest, count, reader.takeUint16());
    }

    /// Mean of the chosen updates at the coordinate, from the opening of the matrix that comes next in the proof.
    function _takeMean(
        PackedProof.Reader memory reader,
        Choice memory choice,
        bytes32 matrixRoot
    ) private view returns (int32) {
        Dispute memory dispute = choice.dispute;
        PackedProof.Place memory place = PackedProof.locate(
            choice.coordinate,
            dispute.size,
            dispute.matrixLog2
        );
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, dispute.included);
        _requireRoot(root, matrixRoot);
        uint256 first = place.offset * dispute.included;
        int32[] memory values = new int32[](choice.slots.length);
        for (uint256 i = 0; i < values.length; ++i) {
            values[i] = IntegerRules.clamp(
                PackedProof.valueAt(chunk, first + choice.slots[i]),
                dispute.bound
            );
        }
        return IntegerRules.mean(values);
    }

    /// The aggregate's value at the coordinate, from its opening, which ends the proof.
    function _takeLast(
        PackedProof.Reader memory reader,
        Choice memory choice,
        bytes32 aggregateRoot
    ) private view returns (int32) {
        PackedProof.Place memory place = PackedProof.locate(
            choice.coordinate,
            choice.dispute.size,
            choice.dispute.modelLog2
        );
        (bytes calldata chunk, bytes32 root) = reader.takeOpening(place, 1);
        _requireRoot(root, aggregateRoot);
        reader.finish();
        return PackedProof.valueAt(chunk, place.offset);
    }

    /// A part of the last dissection: its position among the ranges of its height, and the distance claimed for it.
    function _takePart(
        PackedProof.Reader memory reader,
        Game calldata game,
        uint32 part
    ) private pure returns (uint32 index, uint96 distance) {
        uint256 count = KrumLayout.partCount(game.blocks, game.height, game.index);
        distance = KrumParts.take(reader, part, count, game.partsRoot);
        index = uint32(KrumLayout.firstPart(game.blocks, game.height, game.index)) + part;
    }

    /// The squared distance of a block of both updates, and the block's first coordinate.
    function _computePart(
        PackedProof.Reader memory reader,
        Game calldata game,
        uint32 block_
    ) private view returns (uint32 coordinate, uint256 distance) {
        Dispute memory dispute = LEDGER.disputeOf(game.roundId);
        KrumBlock.Site memory site = KrumBlock.siteOf(dispute, block_);
        (site.roundId, site.domain) = (game.roundId, LEDGER.domainSeparator());
        bytes calldata low = _takeBlock(reader, site, game.low, game.membersRoot);
        bytes calldata high = _takeBlock(reader, site, game.high, game.membersRoot);
        return (site.coordinate, KrumBlock.squaredDistance(low, high, dispute.bound));
    }

    /// Coordinates of a block of the update at `slot`.
    function _takeBlock(
        PackedProof.Reader memory reader,
        KrumBlock.Site memory site,
        uint256 slot,
        bytes32 membersRoot
    ) private view returns (bytes calldata coordinates) {
        bytes32 root;
        (coordinates, root) = KrumBlock.take(reader, site, slot);
        _requireRoot(root, membersRoot);
    }

    /// `aux` is what was posted, and one distance for every pair.
    function _requireDistances(bytes calldata aux, bytes32 auxHash, uint256 included) private pure {
        _requireAux(aux, auxHash);
        uint256 want = KrumSelection.auxLength(included);
        if (aux.length != want) revert WrongAuxLength(aux.length, want);
    }

    function _requireAux(bytes calldata aux, bytes32 want) private pure {
        bytes32 got = keccak256(aux);
        if (got != want) revert WrongAux(got, want);
    }

    function _requireRoot(bytes32 got, bytes32 want) private pure {
        if (got != want) revert IDisputeCourt.WrongRoot(got, want);
    }
}
