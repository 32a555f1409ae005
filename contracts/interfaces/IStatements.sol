// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// What participants state about rounds, and the keys by which one encrypts to them (docs/protocol.md, Statements and
/// rewards). A statement shows who said what and when, never that it is true. Holds no ETH and has no owner.
interface IStatements {
    /// `entries` is packed (client uint32 | value int64), rising by client; a value counts units of 2^-16. `method` is
    /// the SHA-256 of the text that tells how they are computed.
    event ScoresRecorded(
        uint64 indexed roundId,
        uint32 indexed scorer,
        bytes32 indexed kind,
        bytes32 method,
        bytes entries
    );
    /// `entries` is packed (client uint32 | epsilon uint64 in 1e-6 | delta uint64 in 1e-12), rising by client: what the
    /// task has spent of a client's privacy from its first round to this one, both included.
    event PrivacySpent(
        uint64 indexed roundId,
        uint32 indexed speaker,
        bytes32 indexed mechanism,
        bytes entries
    );
    /// `statement` is the SHA-256 of the client's document.
    event RoundContested(uint64 indexed roundId, uint32 indexed client, bytes32 statement);
    event EncryptionKeyAnnounced(uint32 indexed id, uint16 indexed epoch, bytes32 key, uint40 since);

    error NotSpeaker(uint32 id, address sender);
    error NotActive(uint32 id, uint40 activeFrom);
    error WrongRole(uint32 id);
    error NotOwnSpend(uint32 speaker, uint64 roundId);
    error ZeroValue();
    error WrongEntries(uint256 length, uint256 entryBytes);
    error TooManyEntries(uint256 got, uint256 max);
    /// A client is there twice, or lower than the one before it, or than the last one that was stated earlier.
    error ClientsNotRising(uint32 previous, uint32 next);
    error NoKey(uint32 id, uint40 at);

    /// An active aggregator or attestor scores clients in a round; the sender is its signer or owner. Each scorer
    /// states one value a round, kind and client: a further call only goes on with higher clients. At most 10,000
    /// entries.
    function recordScores(
        uint64 roundId,
        uint32 scorer,
        bytes32 kind,
        bytes32 method,
        bytes calldata entries
    ) external;

    /// The round's aggregator for any clients, or a client for itself; active; once a round, mechanism and client.
    function recordSpend(uint64 roundId, uint32 speaker, bytes32 mechanism, bytes calldata entries) external;

    /// A client's own objection to a round; its signer or owner sends, though it may have become inactive, as slashed
    /// ones do. Whether it committed in that round is not checked: on chain only verified mode knows it, replay always
    /// does.
    function contestRound(uint64 roundId, uint32 client, bytes32 statement) external;

    /// An active participant's next X25519 public key, in force from the next second on. That somebody has its private
    /// half is not shown: such a key signs nothing. Two participants may announce the same one, or else whoever saw a
    /// key first could keep its holder from announcing it.
    function announceKey(uint32 id, bytes32 key) external;

    /// How many keys a participant has announced: their epochs count from 0.
    function keyCount(uint32 id) external view returns (uint16);

    /// Zeros for no such key.
    function encryptionKey(uint32 id, uint16 epoch) external view returns (bytes32 key, uint40 since);

    /// The key in force in second `at`: of those announced before it the last one.
    function encryptionKeyAt(uint32 id, uint40 at) external view returns (uint16 epoch, bytes32 key);

    function registry() external view returns (address);

    function ledger() external view returns (address);
}
