// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Masks} from "../libraries/Masks.sol";
import {TestBase} from "./Vm.sol";
import {VmMore} from "./VmMore.sol";

/// The shared vectors (tests/vectors) through the library.
contract MaskVectorsTest is TestBase {
    VmMore private constant MORE = VmMore(address(VM));

    function testTheLibraryGivesWhatTheVectorsWant() public view {
        VmMore.DirEntry[] memory files = MORE.readDir("tests/vectors/v1/masks");
        uint256 ran = 0;
        for (uint256 i = 0; i < files.length; ++i) if (run(MORE.readFile(files[i].path))) ++ran;
        check(ran >= 40, "vectors were run");
    }

    function run(string memory json) private view returns (bool) {
        bytes32 operation = keccak256(bytes(MORE.parseJsonString(json, ".operation")));
        bool isRefused = MORE.keyExistsJson(json, ".want_error");
        // A seed of another length has no type here.
        if (isRefused && MORE.keyExistsJson(json, ".input.seed")) return false;
        if (operation == keccak256("mask_word")) word(json);
        else if (operation == keccak256("seed_commitment")) commitment(json);
        else if (operation == keccak256("masked_root")) maskedRoot(json);
        else if (operation == keccak256("seeds_root")) this.root(json, tableIn(json, ".input.lines"));
        else if (operation == keccak256("decode_seed_table"))
            this.seedTable(json, MORE.parseJsonBytes(json, ".input.data"), isRefused);
        else if (operation == keccak256("decode_reveals"))
            this.reveals(json, MORE.parseJsonBytes(json, ".input.data"), isRefused);
        else if (operation == keccak256("unmasked_sum"))
            this.sum(json, MORE.parseJsonBytes(json, ".input.reveals"));
        else return false;
        return true;
    }

    function word(string memory json) private view {
        bytes32 seed = MORE.parseJsonBytes32(json, ".input.seed");
        uint32 coordinate = uint32(MORE.parseJsonUint(json, ".input.coordinate"));
        same(uint256(Masks.maskWord(seed, coordinate)), MORE.parseJsonUint(json, ".want"));
        this.sumOf(
            abi.encodePacked(uint32(1), Masks.SELF, seed),
            coordinate,
            MORE.parseJsonUint(json, ".want")
        );
    }

    function commitment(string memory json) private pure {
        bytes32 seed = MORE.parseJsonBytes32(json, ".input.seed");
        same(Masks.seedCommitment(seed), MORE.parseJsonBytes32(json, ".want"));
    }

    function maskedRoot(string memory json) private pure {
        bytes32 vectorRoot = MORE.parseJsonBytes32(json, ".input.vector_root");
        bytes32 seedsRoot = MORE.parseJsonBytes32(json, ".input.seeds_root");
        same(Masks.maskedRoot(vectorRoot, seedsRoot), MORE.parseJsonBytes32(json, ".want"));
    }

    /// A list of [peer, commitment], packed.
    function tableIn(string memory json, string memory key) private view returns (bytes memory packed) {
        for (uint256 i = 0; MORE.keyExistsJson(json, at(key, i)); ++i)
            packed = abi.encodePacked(
                packed,
                uint32(MORE.parseJsonUint(json, at(at(key, i), 0))),
                MORE.parseJsonBytes32(json, at(at(key, i), 1))
            );
    }

    function at(string memory key, uint256 i) private pure returns (string memory) {
        string memory digits = string(abi.encodePacked(bytes1(uint8(48 + (i % 10)))));
        if (i > 9) digits = string.concat(string(abi.encodePacked(bytes1(uint8(48 + i / 10)))), digits);
        return string.concat(key, "[", digits, "]");
    }

    function root(string calldata json, bytes calldata packed) external view {
        same(Masks.seedsRoot(packed), MORE.parseJsonBytes32(json, ".want"));
    }

    /// A table that is no whole number of lines cannot be written down in a proof.
    function seedTable(string calldata json, bytes calldata packed, bool isRefused) external view {
        if (packed.length % Masks.LINE_BYTES != 0) return check(isRefused, "not whole lines");
        uint32 owner = uint32(MORE.parseJsonUint(json, ".input.owner"));
        bool isTable = Masks.isSeedTable(packed, owner, MORE.parseJsonUint(json, ".input.degree"));
        check(isTable != isRefused, "a table is refused as the specification does");
        if (isTable) same(keccak256(packed), keccak256(tableIn(json, ".want")));
    }

    function reveals(string calldata json, bytes calldata packed, bool isRefused) external view {
        (, uint256 canonicalBytes) = Masks.revealedSum(packed, 0);
        check((canonicalBytes != packed.length) == isRefused, "a list is refused as the specification does");
        if (isRefused) return;
        for (uint256 i = 0; MORE.keyExistsJson(json, at(".want", i)); ++i) {
            uint32 owner = uint32(MORE.parseJsonUint(json, at(at(".want", i), 0)));
            uint32 peer = uint32(MORE.parseJsonUint(json, at(at(".want", i), 1)));
            (bool shown, bytes32 seed) = Masks.revealOf(packed, owner, peer);
            check(shown, "an entry is found");
            same(seed, MORE.parseJsonBytes32(json, at(at(".want", i), 2)));
            (shown, ) = Masks.revealOf(packed, owner, peer + 1);
            check(!shown, "no other entry is found");
        }
    }

    function sum(string calldata json, bytes calldata packed) external view {
        int256[] memory want = MORE.parseJsonIntArray(json, ".want");
        for (uint32 j = 0; j < want.length; ++j) {
            (uint32 masks, ) = Masks.revealedSum(packed, j);
            int256 total = 0;
            for (uint256 i = 0; MORE.keyExistsJson(json, at(".input.masked", i)); ++i)
                total += MORE.parseJsonInt(json, at(at(".input.masked", i), j));
            same(uint256(uint32(uint256(total - int256(uint256(masks))))), uint256(uint32(int32(want[j]))));
        }
    }

    function sumOf(bytes calldata packed, uint32 coordinate, uint256 want) external view {
        (uint32 masks, uint256 canonicalBytes) = Masks.revealedSum(packed, coordinate);
        same(masks, want);
        same(canonicalBytes, packed.length);
    }
}
