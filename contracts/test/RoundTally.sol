// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TestBase} from "./Vm.sol";
import {VmMore} from "./VmMore.sol";

/// Tells a campaign (`dev.py soundness`) of each random round that a test makes.
abstract contract RoundTally is TestBase {
    /// Of a round, beside the numbers of the rules.
    uint256 internal constant MASKED_SUM = 7;
    VmMore private constant CODES = VmMore(address(VM));

    /// Every bit of a round's plan random: the fuzzer likes small numbers.
    function spread(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("round", seed)));
    }

    /// Add "kind, clients, coordinates, of them at an end of the int32 range" to the file that FEDTRAIL_TALLY names.
    function tally(uint256 kind, int32[][] memory updates) internal {
        string memory file = CODES.envOr("FEDTRAIL_TALLY", string(""));
        if (bytes(file).length == 0) return;
        uint256[4] memory row = [kind, updates.length, 0, 0];
        for (uint256 i = 0; i < updates.length; ++i) {
            row[2] += updates[i].length;
            for (uint256 j = 0; j < updates[i].length; ++j)
                if (updates[i][j] == type(int32).min || updates[i][j] == type(int32).max) ++row[3];
        }
        string memory line = CODES.toString(row[0]);
        for (uint256 k = 1; k < 4; ++k) line = string.concat(line, " ", CODES.toString(row[k]));
        // Suites run at the same time, and the end of a line is written after it.
        CODES.writeLine(file, string.concat(line, ";"));
    }
}
