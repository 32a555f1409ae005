// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// What the symbolic executor answers with a value that stands for all values of its type.
interface Symbols {
    function createUint(uint256 bits, string calldata name) external pure returns (uint256);
    function createInt(uint256 bits, string calldata name) external pure returns (int256);
    function createBytes32(string calldata name) external pure returns (bytes32);
}

/// What every test runner answers; of its kind, the executor needs only this.
interface Assumptions {
    function assume(bool holds) external pure;
}

/// For properties that hold for all inputs, not for samples: `check_…` functions, whose `assert`s the executor tries to
/// break (`python3 scripts/dev.py symbolic`). No other runner calls them. A plain revert counts as a pass, so what must
/// not revert is called from outside, in a `try`; a panic never passes.
abstract contract Symbolic {
    Symbols private constant SYMBOLS = Symbols(0xF3993A62377BCd56AE39D773740A5390411E8BC9);

    Assumptions private constant ASSUMPTIONS = Assumptions(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    /// Leave out all inputs of which this does not hold.
    function assume(bool holds) internal pure {
        ASSUMPTIONS.assume(holds);
    }

    function anyInt32(string memory name) internal pure returns (int32) {
        return int32(SYMBOLS.createInt(32, name));
    }

    function anyUint32(string memory name) internal pure returns (uint32) {
        return uint32(SYMBOLS.createUint(32, name));
    }

    function anyBytes32(string memory name) internal pure returns (bytes32) {
        return SYMBOLS.createBytes32(name);
    }

    function anyColumn(uint256 n) internal pure returns (int32[] memory column) {
        column = new int32[](n);
        for (uint256 i = 0; i < n; ++i) column[i] = anyInt32("value");
    }
}
