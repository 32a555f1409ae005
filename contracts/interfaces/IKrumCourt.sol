// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim} from "./IDisputeCourt.sol";

/// A game over one posted distance, as its last event tells it. The court keeps only the hash of it: every move brings
/// it along, and so names the very state that it answers.
// Never stored, and ordered for readers.
// solhint-disable-next-line gas-struct-packing
struct Game {
    uint64 roundId;
    uint32 aggregator;
    address challenger;
    /// Slots of the two updates; `low` is the lower one.
    uint16 low;
    uint16 high;
    /// Of the proposal that is disputed.
    bytes32 membersRoot;
    bytes32 auxHash;
    /// Blocks of an update.
    uint32 blocks;
    /// What is in dispute: the squared distance over the `2^height` blocks from block `index * 2^height` on.
    uint8 height;
    uint32 index;
    uint96 distance;
    /// Root over the parts that the aggregator posted; 0 while it is to post them.
    bytes32 partsRoot;
    /// Last second for the one who is to move, and the seconds that the other has left.
    uint40 moveBy;
    uint40 waiting;
}

/// Disputes over Krum and Multi-Krum, whose proposals post all squared distances (docs/protocol.md, Disputes over
/// Krum). Two things are proved in one transaction: the number of distances, and the choice that follows from them. A
/// distance itself is disputed in a game of the challenger against the aggregator: the aggregator splits the distance
/// into partial ones over ranges of blocks, the challenger names a wrong one, until that is a block which the contract
/// can compute. Whoever lets its clock run out loses.
///
/// Every challenger plays its own games, so that none can lose another's. The bond of a game is credit in the registry;
/// the court holds no ETH and has no owner.
interface IKrumCourt {
    event GameOpened(bytes32 indexed gameId, uint64 indexed roundId, address indexed challenger, Game game);
    /// `parts` is packed uint80, in rising order of blocks.
    event Dissected(bytes32 indexed gameId, uint64 indexed roundId, Game game, bytes parts);
    event Picked(bytes32 indexed gameId, uint64 indexed roundId, Game game);
    event GameClosed(bytes32 indexed gameId, uint64 indexed roundId, address indexed bondTo);

    error WrongBond(uint256 got, uint256 want);
    error WrongPair(uint16 low, uint16 high, uint16 included);
    error WrongAux(bytes32 got, bytes32 want);
    error WrongAuxLength(uint256 got, uint256 want);
    /// The posted distances are as many as they must be.
    error RightAuxLength(uint256 length);
    /// The posted distance is what the challenger says.
    error RightDistance(uint96 distance);
    error WrongThreshold(uint256 slot);
    error WrongLastSlot(uint256 slot, uint256 chosen);
    error WrongPartsLength(uint256 got, uint256 want);
    error WrongSum(uint256 got, uint256 want);
    error NoSuchPart(uint256 index, uint256 count);
    error GameExists(bytes32 gameId);
    /// No game is in this state.
    error NoSuchGame(bytes32 gameId, bytes32 got, bytes32 want);
    error NotOnTurn(bytes32 gameId, address sender);
    error ClockOver(uint40 moveBy, uint40 nowSeconds);
    error ClockRunning(uint40 moveBy, uint40 nowSeconds);
    /// Blocks are opened, not dissected; anything larger is dissected, not opened.
    error WrongHeight(uint8 height);
    error InvalidClock(uint40 clockSeconds, uint40 extensionSeconds);

    /// Against the aggregator: the proposal does not post one distance (uint96) for every pair. `aux` as in it.
    function proveAuxLength(uint64 roundId, Claim calldata claim, bytes calldata aux) external;

    /// Against the aggregator: one coordinate of the aggregate is not the mean of the updates that the posted distances
    /// choose. `proof`: threshold u96 of every slot, the largest of the distances that its score counts | slot u16 of
    /// the last one chosen, by score and slot | opening of the matrix | opening of the aggregate.
    function proveSelectionColumn(
        uint64 roundId,
        Claim calldata claim,
        uint32 coordinate,
        bytes calldata aux,
        bytes calldata proof
    ) external;

    /// Open a game, until the end of the challenge phase: the distance of two slots, posted as `distance`, is wrong.
    /// The sender pays the bond. One game at a time for a challenger and a pair.
    function challenge(
        uint64 roundId,
        Claim calldata claim,
        uint16 low,
        uint16 high,
        uint96 distance
    ) external payable returns (bytes32 gameId);

    /// On the aggregator's first turn, anybody: the proposal posted another distance than the challenger says.
    function refute(Game calldata game, bytes calldata aux) external;

    /// The aggregator, by its signer or owner: split the disputed distance. `parts`: packed uint80 that sum to it, one
    /// for every range of blocks of the next lower height.
    function dissect(Game calldata game, bytes calldata parts) external;

    /// The challenger: part `part` of the last move is wrong; the aggregator is to split it.
    /// `proof`: the group of up to 32 parts that holds it | siblings of the group.
    function pick(Game calldata game, uint32 part, bytes calldata proof) external;

    /// The challenger: part `part` of the last move, one block, is wrong. Ends the game and voids the round, or reverts
    /// if the part is right.
    /// `proof`: as for `pick` | for the lower and then the higher slot: client u32 | numExamples u32 | coordinates of
    /// the block | siblings of the block in the update | siblings of the client in the member list.
    function prove(Game calldata game, uint32 part, bytes calldata proof) external;

    /// Anybody, once the time of the one who is to move is over: the round is void, or the bond is the aggregator's.
    function timeout(Game calldata game) external;

    /// Anybody, once the round is void for another reason: the bond goes back.
    function reclaim(Game calldata game) external;

    /// keccak256(abi.encode(game)); 0 for a game that is not open.
    function gameHash(bytes32 gameId) external view returns (bytes32);

    function openGames(uint64 roundId) external view returns (uint256);

    function bondWei() external view returns (uint256);

    function clockSeconds() external view returns (uint40);

    function extensionSeconds() external view returns (uint40);

    function registry() external view returns (address);

    function ledger() external view returns (address);
}
