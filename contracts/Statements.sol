// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Participant, Role} from "./interfaces/IParticipantRegistry.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {IStatements} from "./interfaces/IStatements.sol";

/// What participants state about rounds (docs/protocol.md, Statements and rewards). Immutable; no owner, no ETH. It
/// checks who speaks and how, never whether it is true.
contract Statements is IStatements {
    struct Key {
        bytes32 key;
        uint40 since;
    }

    uint256 private constant MAX_ENTRIES = 10_000;
    uint256 private constant SCORE_BYTES = 12;
    uint256 private constant SPEND_BYTES = 20;
    bytes32 private constant SCORES = "scores";
    bytes32 private constant SPEND = "spend";

    IParticipantRegistry private immutable REGISTRY;
    IRoundLedger private immutable LEDGER;

    mapping(uint32 id => uint16 count) public keyCount;
    mapping(uint32 id => mapping(uint16 epoch => Key)) private _keys;
    /// The last client of which a speaker has stated something: nobody states two values of one thing.
    mapping(bytes32 thing => uint32 client) private _lastClient;

    constructor(address registry_, address ledger_) {
        REGISTRY = IParticipantRegistry(registry_);
        LEDGER = IRoundLedger(ledger_);
    }

    // ---------------------------------------------------------------------------------------------------- statements

    function recordScores(
        uint64 roundId,
        uint32 scorer,
        bytes32 kind,
        bytes32 method,
        bytes calldata entries
    ) external {
        Participant memory p = _activeSpeaker(scorer);
        if (p.role != Role.Aggregator && p.role != Role.Attestor) revert WrongRole(scorer);
        if (kind == 0 || method == 0) revert ZeroValue();
        // Reverts for a round that nobody opened.
        LEDGER.round(roundId);
        _checkEntries(entries, SCORE_BYTES, keccak256(abi.encode(SCORES, roundId, scorer, kind)));
        emit ScoresRecorded(roundId, scorer, kind, method, entries);
    }

    function recordSpend(uint64 roundId, uint32 speaker, bytes32 mechanism, bytes calldata entries) external {
        _activeSpeaker(speaker);
        if (mechanism == 0) revert ZeroValue();
        bool isAggregator = LEDGER.round(roundId).aggregator == speaker;
        _checkEntries(entries, SPEND_BYTES, keccak256(abi.encode(SPEND, roundId, speaker, mechanism)));
        bool isOwn = entries.length == SPEND_BYTES && uint32(bytes4(entries)) == speaker;
        if (!isAggregator && !isOwn) revert NotOwnSpend(speaker, roundId);
        emit PrivacySpent(roundId, speaker, mechanism, entries);
    }

    function contestRound(uint64 roundId, uint32 client, bytes32 statement) external {
        if (_speaker(client).role != Role.Client) revert WrongRole(client);
        if (statement == 0) revert ZeroValue();
        LEDGER.round(roundId);
        emit RoundContested(roundId, client, statement);
    }

    // ----------------------------------------------------------------------------------------------- encryption keys

    function announceKey(uint32 id, bytes32 key) external {
        _activeSpeaker(id);
        if (key == 0) revert ZeroValue();
        uint16 epoch = keyCount[id]++;
        uint40 since = _now() + 1;
        _keys[id][epoch] = Key({key: key, since: since});
        emit EncryptionKeyAnnounced(id, epoch, key, since);
    }

    function encryptionKey(uint32 id, uint16 epoch) external view returns (bytes32 key, uint40 since) {
        Key storage found = _keys[id][epoch];
        return (found.key, found.since);
    }

    function encryptionKeyAt(uint32 id, uint40 at) external view returns (uint16 epoch, bytes32 key) {
        for (uint16 count = keyCount[id]; count > 0; --count) {
            Key storage found = _keys[id][count - 1];
            if (found.since <= at) return (count - 1, found.key);
        }
        revert NoKey(id, at);
    }

    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    function ledger() external view returns (address) {
        return address(LEDGER);
    }

    // ------------------------------------------------------------------------------------------------------ internals

    /// The participant for which the sender speaks.
    function _speaker(uint32 id) private view returns (Participant memory p) {
        p = REGISTRY.participant(id);
        if (msg.sender != p.signer && msg.sender != p.owner) revert NotSpeaker(id, msg.sender);
    }

    function _activeSpeaker(uint32 id) private view returns (Participant memory p) {
        p = _speaker(id);
        if (p.activeFrom > _now()) revert NotActive(id, p.activeFrom);
    }

    /// That entries are whole and rise by client, from the last one on that was stated of the same thing.
    function _checkEntries(bytes calldata entries, uint256 entryBytes, bytes32 thing) private {
        uint256 count = entries.length / entryBytes;
        if (count == 0 || entries.length % entryBytes != 0) revert WrongEntries(entries.length, entryBytes);
        if (count > MAX_ENTRIES) revert TooManyEntries(count, MAX_ENTRIES);
        uint32 previous = _lastClient[thing];
        for (uint256 at = 0; at < entries.length; at += entryBytes) {
            uint32 client = uint32(bytes4(entries[at:at + 4]));
            if (client <= previous) revert ClientsNotRising(previous, client);
            previous = client;
        }
        _lastClient[thing] = previous;
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }
}
