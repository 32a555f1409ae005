// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// What a participant does. Fixed at registration: one identity never holds two roles.
enum Role {
    None,
    Client,
    Aggregator,
    Attestor
}

/// A registered identity. Times are seconds since 1970; amounts are wei.
struct Participant {
    /// Hot key that signs commitments (an EOA; recovered with ecrecover).
    address signer;
    /// Number of the current key, counted from 0.
    uint16 keyEpoch;
    /// Rounds that open at this second or later use the current key: the registration second for the first key, the
    /// second after the rotation for every other one. Earlier rounds keep the key before (`keyAt`).
    uint40 keySince;
    /// Rounds that open at this second or later may have the participant; type(uint40).max while none may.
    uint40 activeFrom;
    /// Cold key: rotates, unbonds, withdraws.
    address owner;
    /// Stake, the locked part included.
    uint96 stakeWei;
    /// Part of the stake that tasks hold as bonds.
    uint96 lockedWei;
    /// Tasks that hold a bond.
    uint32 openTasks;
    /// When unbonding ends; 0 while not unbonding.
    uint40 unlockAt;
    Role role;
}

/// What becomes of a slashed stake, in basis points of it; the rest is burnt, and so is a share of nobody.
struct Shares {
    address challenger;
    uint16 challengerBps;
    address clients;
    uint16 clientsBps;
}

/// Identities, keys and stakes. The only contract of the family that holds ETH.
interface IParticipantRegistry {
    event Registered(
        uint32 indexed id,
        address indexed owner,
        address indexed signer,
        Role role,
        uint256 stakeWei,
        uint40 activeFrom
    );
    event KeyRotated(uint32 indexed id, address indexed signer, uint16 epoch);
    event Deposited(uint32 indexed id, uint256 amountWei, uint256 stakeWei);
    event Unbonding(uint32 indexed id, uint40 unlockAt);
    event Withdrawn(uint32 indexed id, uint256 amountWei);
    event Claimed(address indexed account, address indexed to, uint256 amountWei);
    event CreditDeposited(address indexed account, uint256 amountWei);
    event CreditMoved(address indexed from, address indexed to, uint256 amountWei);
    event Locked(uint32 indexed id, uint32 indexed taskId, uint256 amountWei);
    event Unlocked(uint32 indexed id, uint32 indexed taskId, uint256 amountWei);
    /// `toChallenger + toClients + burnt` is what the participant lost.
    event Slashed(
        uint32 indexed id,
        uint64 indexed roundId,
        bytes32 indexed reason,
        uint256 toChallenger,
        uint256 toClients,
        uint256 burnt
    );

    error UnknownParticipant(uint32 id);
    error NotOwner(uint32 id, address sender, address owner);
    error NotLedger(address sender);
    error NotEscrow(address sender);
    error InvalidOwner(address owner);
    error InvalidRole(Role role);
    error InvalidSigner(address signer);
    error SignerTaken(address signer, uint32 id);
    error SignatureExpired(uint256 deadline, uint256 nowSeconds);
    error SignatureMismatch(address got, address want);
    error InsufficientStake(uint256 got, uint256 want);
    error AlreadyUnbonding(uint32 id, uint40 unlockAt);
    error NotUnbonding(uint32 id);
    error StillBonded(uint32 id, uint40 unlockAt, uint32 openTasks);
    error NothingToClaim(address account);
    error InsufficientCredit(uint256 got, uint256 want);
    error TransferFailed(address to, uint256 amountWei);
    error AmountTooLarge(uint256 amountWei);
    error InvalidShares(uint256 basisPoints);

    /// Register an identity. Anybody may send and pay; the owner is named and the signer proves possession by
    /// signing `Register(address owner,address signer,uint8 role,uint256 deadline)`.
    function register(
        address owner,
        address signer,
        Role role,
        uint256 deadline,
        bytes32 r,
        bytes32 vs
    ) external payable returns (uint32 id);

    /// Replace the signing key; the new key signs `Rotate(uint32 id,address signer,uint256 deadline)`. Owner only.
    /// Rounds that are open keep the key they opened with.
    function rotateKey(uint32 id, address signer, uint256 deadline, bytes32 r, bytes32 vs) external;

    /// Add to a stake; anybody may pay. A stake that comes back to the minimum is active again after
    /// `activationSeconds`. Refused while unbonding; after `withdraw` it starts the identity anew.
    function deposit(uint32 id) external payable;

    /// Stop taking part in rounds that open from this second on, and start the clock after which the stake can leave.
    /// Rounds that opened earlier still accept the participant: its stake stays slashable until they have ended.
    /// Owner only.
    function requestUnbond(uint32 id) external;

    /// Credit the whole stake to the owner once unbonding is over. Anybody may send.
    function withdraw(uint32 id) external;

    /// Pay the sender's credit out (pull payment).
    function claim(address to) external;

    /// Pay into an account's credit: how contracts that hold no ETH take a bond.
    function depositCredit(address account) external payable;

    /// Move part of the sender's credit to another account's: a contract that receives shares of a slash passes them
    /// on without ever holding ETH.
    function transferCredit(address to, uint256 amountWei) external;

    /// Ledger only: hold `amountWei` of the stake as the bond of a task's rounds.
    function lock(uint32 id, uint32 taskId, uint256 amountWei) external;

    /// Ledger only.
    function unlock(uint32 id, uint32 taskId, uint256 amountWei) external;

    /// Ledger and escrow only: take up to `amountWei` of the stake that no task holds, so that one fault never eats
    /// the bond of another task. What the shares leave is burnt (kept by this contract for ever). A stake below the
    /// minimum is inactive until somebody deposits.
    function slash(
        uint32 id,
        uint64 roundId,
        uint256 amountWei,
        bytes32 reason,
        Shares calldata shares
    ) external returns (uint256 takenWei);

    /// Escrow only: take a bond that a task holds.
    function forfeit(
        uint32 id,
        uint32 taskId,
        uint64 roundId,
        uint256 amountWei,
        bytes32 reason,
        Shares calldata shares
    ) external returns (uint256 takenWei);

    function participant(uint32 id) external view returns (Participant memory);

    function ownerOf(uint32 id) external view returns (address);

    /// Signing keys that rounds opened at `at` use, in the order of `ids`; zero for one that is no active `role` then.
    function signersAt(uint32[] calldata ids, Role role, uint40 at) external view returns (address[] memory);

    /// Whether rounds opened at `at` may have `id` as `role`, and the key it signs with; (false, zero) if not.
    function signerAt(uint32 id, Role role, uint40 at) external view returns (bool active, address signer);

    /// Key number `epoch`, current or past, and the first round-opening second it serves; zeros for no such key.
    function keyAt(uint32 id, uint16 epoch) external view returns (address signer, uint40 since);

    /// Stake at the end of second `at`: what a round that opens in the next second weighs a client by.
    function stakeAt(uint32 id, uint40 at) external view returns (uint256);

    function idOfSigner(address signer) external view returns (uint32);

    function creditOf(address account) external view returns (uint256);

    function participantCount() external view returns (uint32);

    function minStakeWei(Role role) external view returns (uint256);

    function unbondSeconds() external view returns (uint40);

    function activationSeconds() external view returns (uint40);

    function burntWei() external view returns (uint256);

    function domainSeparator() external view returns (bytes32);
}
