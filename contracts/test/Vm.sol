// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

// Named as everywhere: test runners document it as Vm.
// solhint-disable interface-starts-with-i

/// The test runner's cheat codes that these tests use.
interface Vm {
    function warp(uint256 timestamp) external;
    function getBlockTimestamp() external view returns (uint256);
    function chainId(uint256 id) external;
    function deal(address account, uint256 wei_) external;
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function assume(bool condition) external pure;
    function expectRevert() external;
    function expectRevert(bytes calldata data) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data, address emitter) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function getNonce(address account) external view returns (uint64);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function etch(address target, bytes calldata code) external;
    function getCode(string calldata artifact) external view returns (bytes memory);
}

/// Assertions that revert, so that a test which never reaches them cannot pass for the wrong reason.
abstract contract TestBase {
    error NotEqual(bytes32 got, bytes32 want);
    error Untrue(string what);

    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function check(bool holds, string memory what) internal pure {
        if (!holds) revert Untrue(what);
    }

    function same(bytes32 got, bytes32 want) internal pure {
        if (got != want) revert NotEqual(got, want);
    }

    function same(uint256 got, uint256 want) internal pure {
        same(bytes32(got), bytes32(want));
    }

    function same(int256 got, int256 want) internal pure {
        same(bytes32(uint256(got)), bytes32(uint256(want)));
    }

    function same(address got, address want) internal pure {
        same(bytes32(uint256(uint160(got))), bytes32(uint256(uint160(want))));
    }

    /// As `new`, of a contract that is compiled by itself: `new` would have it compiled again within each test.
    function deploy(string memory name, bytes memory arguments) internal returns (address created) {
        bytes memory code = abi.encodePacked(VM.getCode(name), arguments);
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
            if iszero(created) {
                let reason := mload(0x40)
                returndatacopy(reason, 0, returndatasize())
                revert(reason, returndatasize())
            }
        }
    }

    /// The second it is. The optimiser takes block.timestamp for a constant, and `warp` for any other call.
    function clock() internal view returns (uint256) {
        return VM.getBlockTimestamp();
    }

    /// `x` brought into [low, high].
    function within(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + (x % (high - low + 1));
    }
}
