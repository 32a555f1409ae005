// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IParticipantRegistry, Participant, Role, Shares} from "./interfaces/IParticipantRegistry.sol";
import {IRoundLedger} from "./interfaces/IRoundLedger.sol";
import {KeyProof} from "./libraries/KeyProof.sol";

/// Identities, keys and stakes (docs/protocol.md, Participants). Immutable; holds all ETH; pays out by pull only.
contract ParticipantRegistry is IParticipantRegistry, EIP712, ReentrancyGuardTransient {
    using Checkpoints for Checkpoints.Trace208;

    /// Three slots. The first alone answers whether a client may take part and who signs for it.
    struct Record {
        address signer;
        uint40 keySince;
        uint40 activeFrom;
        Role role;
        address owner;
        uint96 stakeWei;
        uint96 lockedWei;
        uint16 openTasks;
        // Set for good by the first bond: a slot that never returns to zero makes later bonds cheaper.
        bool hasBonded;
        uint40 unlockAt;
        uint16 keyEpoch;
    }

    struct Key {
        address signer;
        uint40 since;
    }

    uint40 private constant NEVER = 0xffffffffff;
    uint256 private constant WHOLE_BPS = 10_000;

    // The interface names these getters.
    // solhint-disable immutable-vars-naming
    address public immutable ledger;
    address public immutable escrow;
    uint40 public immutable activationSeconds;
    uint40 public immutable unbondSeconds;
    // solhint-enable immutable-vars-naming
    uint256 private immutable CLIENT_MIN_WEI;
    uint256 private immutable AGGREGATOR_MIN_WEI;
    uint256 private immutable ATTESTOR_MIN_WEI;

    uint32 public participantCount;
    uint256 public burntWei;
    /// Keys stay here for ever: no key ever serves two identities.
    mapping(address signer => uint32 id) public idOfSigner;
    mapping(address account => uint256 amountWei) public creditOf;
    mapping(uint32 id => Record) private _records;
    mapping(uint32 id => mapping(uint256 epoch => Key)) private _pastKeys;
    mapping(uint32 id => Checkpoints.Trace208) private _stakes;
    /// Periods of activity that are over, from their first second to the one after their last: rounds that opened in
    /// them still accept the participant, for ever, since a root-only list is judged long after its commitments.
    mapping(uint32 id => Checkpoints.Trace208) private _pastPeriods;

    modifier onlyLedger() {
        if (msg.sender != ledger) revert NotLedger(msg.sender);
        _;
    }

    constructor(
        address ledger_,
        address escrow_,
        uint256 clientMinStakeWei,
        uint256 aggregatorMinStakeWei,
        uint256 attestorMinStakeWei,
        uint40 activationSeconds_,
        uint40 unbondSeconds_
    ) EIP712("fedtrail registry", "1") {
        ledger = ledger_;
        escrow = escrow_;
        CLIENT_MIN_WEI = clientMinStakeWei;
        AGGREGATOR_MIN_WEI = aggregatorMinStakeWei;
        ATTESTOR_MIN_WEI = attestorMinStakeWei;
        activationSeconds = activationSeconds_;
        unbondSeconds = unbondSeconds_;
    }

    // ------------------------------------------------------------------------------------------ identities and keys

    function register(
        address owner,
        address signer,
        Role role,
        uint256 deadline,
        bytes32 r,
        bytes32 vs
    ) external payable returns (uint32 id) {
        if (owner == address(0)) revert InvalidOwner(owner);
        if (role == Role.None) revert InvalidRole(role);
        if (msg.value < minStakeWei(role)) revert InsufficientStake(msg.value, minStakeWei(role));
        id = ++participantCount;
        _takeKey(id, signer, KeyProof.registerHash(owner, signer, role, deadline), deadline, r, vs);

        uint40 activeFrom = _now() + activationSeconds;
        Record storage p = _records[id];
        (p.signer, p.keySince, p.activeFrom, p.role) = (signer, _now(), activeFrom, role);
        p.owner = owner;
        _setStake(id, p, msg.value);
        _seat(id, p);
        emit Registered(id, owner, signer, role, msg.value, activeFrom);
    }

    function rotateKey(uint32 id, address signer, uint256 deadline, bytes32 r, bytes32 vs) external {
        Record storage p = _ownRecord(id);
        _takeKey(id, signer, KeyProof.rotateHash(id, signer, deadline), deadline, r, vs);
        uint16 epoch = p.keyEpoch + 1;
        _pastKeys[id][epoch - 1] = Key({signer: p.signer, since: p.keySince});
        (p.signer, p.keySince, p.keyEpoch) = (signer, _now() + 1, epoch);
        _seat(id, p);
        emit KeyRotated(id, signer, epoch);
    }

    // -------------------------------------------------------------------------------------------------------- stakes

    function deposit(uint32 id) external payable {
        Record storage p = _record(id);
        if (p.unlockAt != 0) revert AlreadyUnbonding(id, p.unlockAt);
        uint256 stakeWei = msg.value + p.stakeWei;
        _setStake(id, p, stakeWei);
        if (p.activeFrom == NEVER && stakeWei >= minStakeWei(p.role)) {
            p.activeFrom = _now() + activationSeconds;
            _seat(id, p);
        }
        emit Deposited(id, msg.value, stakeWei);
    }

    function requestUnbond(uint32 id) external {
        Record storage p = _ownRecord(id);
        if (p.unlockAt != 0) revert AlreadyUnbonding(id, p.unlockAt);
        _deactivate(id, p);
        p.unlockAt = _now() + unbondSeconds;
        emit Unbonding(id, p.unlockAt);
    }

    function withdraw(uint32 id) external {
        Record storage p = _record(id);
        if (p.unlockAt == 0) revert NotUnbonding(id);
        if (_now() < p.unlockAt || p.openTasks != 0) revert StillBonded(id, p.unlockAt, p.openTasks);
        uint256 amountWei = p.stakeWei;
        p.unlockAt = 0;
        _setStake(id, p, 0);
        creditOf[p.owner] += amountWei;
        emit Withdrawn(id, amountWei);
    }

    function claim(address to) external nonReentrant {
        uint256 amountWei = creditOf[msg.sender];
        if (amountWei == 0) revert NothingToClaim(msg.sender);
        if (to == address(0)) revert TransferFailed(to, amountWei);
        creditOf[msg.sender] = 0;
        emit Claimed(msg.sender, to, amountWei);
        (bool sent, ) = to.call{value: amountWei}("");
        if (!sent) revert TransferFailed(to, amountWei);
    }

    function depositCredit(address account) external payable {
        if (account == address(0)) revert InvalidOwner(account);
        creditOf[account] += msg.value;
        emit CreditDeposited(account, msg.value);
    }

    function transferCredit(address to, uint256 amountWei) external {
        uint256 credit = creditOf[msg.sender];
        if (to == address(0)) revert TransferFailed(to, amountWei);
        if (amountWei > credit) revert InsufficientCredit(credit, amountWei);
        creditOf[msg.sender] = credit - amountWei;
        creditOf[to] += amountWei;
        emit CreditMoved(msg.sender, to, amountWei);
    }

    function lock(uint32 id, uint32 taskId, uint256 amountWei) external onlyLedger {
        Record storage p = _record(id);
        uint256 freeWei = p.stakeWei - p.lockedWei;
        if (freeWei < amountWei) revert InsufficientStake(freeWei, amountWei);
        (p.lockedWei, p.openTasks, p.hasBonded) = (p.lockedWei + uint96(amountWei), p.openTasks + 1, true);
        emit Locked(id, taskId, amountWei);
    }

    function unlock(uint32 id, uint32 taskId, uint256 amountWei) external onlyLedger {
        _unlock(id, taskId, amountWei);
    }

    function slash(
        uint32 id,
        uint64 roundId,
        uint256 amountWei,
        bytes32 reason,
        Shares calldata shares
    ) external returns (uint256 takenWei) {
        if (msg.sender != ledger && msg.sender != escrow) revert NotEscrow(msg.sender);
        return _slash(id, roundId, amountWei, reason, shares);
    }

    function forfeit(
        uint32 id,
        uint32 taskId,
        uint64 roundId,
        uint256 amountWei,
        bytes32 reason,
        Shares calldata shares
    ) external returns (uint256 takenWei) {
        if (msg.sender != escrow) revert NotEscrow(msg.sender);
        _unlock(id, taskId, amountWei);
        return _slash(id, roundId, amountWei, reason, shares);
    }

    // --------------------------------------------------------------------------------------------------------- views

    function participant(uint32 id) external view returns (Participant memory) {
        Record storage p = _record(id);
        return
            Participant({
                signer: p.signer,
                keyEpoch: p.keyEpoch,
                keySince: p.keySince,
                activeFrom: p.activeFrom,
                owner: p.owner,
                stakeWei: p.stakeWei,
                lockedWei: p.lockedWei,
                openTasks: p.openTasks,
                unlockAt: p.unlockAt,
                role: p.role
            });
    }

    function signersAt(uint32[] calldata ids, Role role, uint40 at) external view returns (address[] memory) {
        uint256 count = ids.length;
        uint256 answer;
        assembly ("memory-safe") {
            answer := mload(0x40)
            mstore(answer, 0x20)
            mstore(add(answer, 0x20), count)
            mstore(0x40, add(add(answer, 0x40), shl(5, count)))
        }
        for (uint256 i = 0; i < count; ++i) {
            address signer;
            bool ordinary;
            // The first slot of a Record, read by hand: signer 160 | keySince 40 | activeFrom 40 | role 8.
            assembly ("memory-safe") {
                mstore(0x00, calldataload(add(ids.offset, shl(5, i))))
                mstore(0x20, _records.slot)
                let word := sload(keccak256(0x00, 0x40))
                let late := or(gt(and(shr(160, word), NEVER), at), gt(and(shr(200, word), NEVER), at))
                ordinary := and(eq(shr(240, word), role), iszero(late))
                signer := word
            }
            if (!ordinary) signer = _signerAt(ids[i], role, at);
            assembly ("memory-safe") {
                mstore(
                    add(add(answer, 0x40), shl(5, i)),
                    and(signer, 0xffffffffffffffffffffffffffffffffffffffff)
                )
            }
        }
        // The array is laid out as the ABI wants it: returning it as it lies saves a copy per client.
        assembly ("memory-safe") {
            return(answer, add(0x40, shl(5, count)))
        }
    }

    function ownerOf(uint32 id) external view returns (address) {
        return _record(id).owner;
    }

    function signerAt(uint32 id, Role role, uint40 at) external view returns (bool active, address signer) {
        signer = _signerAt(id, role, at);
        active = signer != address(0);
    }

    function keyAt(uint32 id, uint16 epoch) external view returns (address signer, uint40 since) {
        Record storage p = _record(id);
        if (epoch == p.keyEpoch) return (p.signer, p.keySince);
        Key storage key = _pastKeys[id][epoch];
        return (key.signer, key.since);
    }

    function stakeAt(uint32 id, uint40 at) external view returns (uint256) {
        return _stakes[id].upperLookupRecent(at);
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function minStakeWei(Role role) public view returns (uint256) {
        if (role == Role.Client) return CLIENT_MIN_WEI;
        if (role == Role.Aggregator) return AGGREGATOR_MIN_WEI;
        if (role == Role.Attestor) return ATTESTOR_MIN_WEI;
        revert InvalidRole(role);
    }

    // ------------------------------------------------------------------------------------------------------ internals

    /// Reserve `signer` for `id` once it has signed `structHash`: nobody can register a key that is not theirs.
    function _takeKey(
        uint32 id,
        address signer,
        bytes32 structHash,
        uint256 deadline,
        bytes32 r,
        bytes32 vs
    ) private {
        if (signer == address(0)) revert InvalidSigner(signer);
        if (block.timestamp > deadline) revert SignatureExpired(deadline, block.timestamp);
        if (idOfSigner[signer] != 0) revert SignerTaken(signer, idOfSigner[signer]);
        (address got, , ) = ECDSA.tryRecover(_hashTypedDataV4(structHash), r, vs);
        if (got != signer) revert SignatureMismatch(got, signer);
        idOfSigner[signer] = id;
    }

    function _unlock(uint32 id, uint32 taskId, uint256 amountWei) private {
        Record storage p = _record(id);
        (p.lockedWei, p.openTasks) = (p.lockedWei - _toUint96(amountWei), p.openTasks - 1);
        emit Unlocked(id, taskId, amountWei);
    }

    function _slash(
        uint32 id,
        uint64 roundId,
        uint256 amountWei,
        bytes32 reason,
        Shares calldata shares
    ) private returns (uint256 takenWei) {
        if (uint256(shares.challengerBps) + shares.clientsBps > WHOLE_BPS)
            revert InvalidShares(uint256(shares.challengerBps) + shares.clientsBps);
        takenWei = _take(id, amountWei);
        uint256 toChallenger = _credit(shares.challenger, (takenWei * shares.challengerBps) / WHOLE_BPS);
        uint256 toClients = _credit(shares.clients, (takenWei * shares.clientsBps) / WHOLE_BPS);
        uint256 burnt = takenWei - toChallenger - toClients;
        burntWei += burnt;
        emit Slashed(id, roundId, reason, toChallenger, toClients, burnt);
    }

    function _take(uint32 id, uint256 amountWei) private returns (uint256 takenWei) {
        Record storage p = _record(id);
        uint256 freeWei = p.stakeWei - p.lockedWei;
        takenWei = amountWei < freeWei ? amountWei : freeWei;
        _setStake(id, p, p.stakeWei - takenWei);
        if (p.stakeWei < minStakeWei(p.role)) _deactivate(id, p);
    }

    function _setStake(uint32 id, Record storage p, uint256 amountWei) private {
        uint96 stakeWei = _toUint96(amountWei);
        p.stakeWei = stakeWei;
        _stakes[id].push(_now(), stakeWei);
    }

    function _credit(address account, uint256 amountWei) private returns (uint256) {
        if (account == address(0)) return 0;
        creditOf[account] += amountWei;
        return amountWei;
    }

    /// End the current period of activity, if one has begun, and remember it for the rounds that opened in it.
    function _deactivate(uint32 id, Record storage p) private {
        if (p.activeFrom < _now()) _pastPeriods[id].push(p.activeFrom, _now());
        p.activeFrom = NEVER;
        _seat(id, p);
    }

    /// The ledger keeps what it reads of everybody in every round.
    function _seat(uint32 id, Record storage p) private {
        uint40 since = p.keySince > p.activeFrom ? p.keySince : p.activeFrom;
        IRoundLedger(ledger).seat(id, p.signer, since, p.role);
    }

    function _signerAt(uint32 id, Role role, uint40 at) private view returns (address) {
        Record storage p = _records[id];
        // Read together, so that the first slot is loaded once.
        (address signer, uint40 keySince, uint40 activeFrom, Role has) = (
            p.signer,
            p.keySince,
            p.activeFrom,
            p.role
        );
        if (has != role) return address(0);
        if (at < activeFrom && at >= _pastPeriods[id].upperLookupRecent(at)) return address(0);
        return at < keySince ? _pastSigner(id, p.keyEpoch, at) : signer;
    }

    /// Binary search: a participant that rotates a thousand times must not make others' batches dear.
    function _pastSigner(uint32 id, uint256 epoch, uint40 at) private view returns (address) {
        uint256 low = 0;
        while (epoch - low > 1) {
            uint256 middle = (low + epoch) / 2;
            if (_pastKeys[id][middle].since <= at) low = middle;
            else epoch = middle;
        }
        return _pastKeys[id][low].signer;
    }

    function _record(uint32 id) private view returns (Record storage p) {
        p = _records[id];
        if (p.role == Role.None) revert UnknownParticipant(id);
    }

    function _ownRecord(uint32 id) private view returns (Record storage p) {
        p = _record(id);
        if (msg.sender != p.owner) revert NotOwner(id, msg.sender, p.owner);
    }

    function _now() private view returns (uint40) {
        return uint40(block.timestamp);
    }

    function _toUint96(uint256 amountWei) private pure returns (uint96) {
        if (amountWei > type(uint96).max) revert AmountTooLarge(amountWei);
        return uint96(amountWei);
    }
}
