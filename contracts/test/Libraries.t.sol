// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Rule} from "../interfaces/IRoundLedger.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {ColumnCensus} from "../libraries/ColumnCensus.sol";
import {IntegerRules} from "../libraries/IntegerRules.sol";
import {LittleEndian} from "../libraries/LittleEndian.sol";
import {OrderStats} from "../libraries/OrderStats.sol";
import {SegmentTree} from "../libraries/SegmentTree.sol";
import {SpecHarness} from "./SpecHarness.sol";
import {TestBase} from "./Vm.sol";

/// The pure libraries, through the harness that the shared vectors use.
contract LibrariesTest is TestBase {
    SpecHarness private spec;

    function setUp() public {
        spec = SpecHarness(deploy("SpecHarness", ""));
    }

    function column(int32 a, int32 b, int32 c) private pure returns (int32[] memory values) {
        values = new int32[](3);
        (values[0], values[1], values[2]) = (a, b, c);
    }

    function pair(int32 a, int32 b) private pure returns (int32[] memory values) {
        values = new int32[](2);
        (values[0], values[1]) = (a, b);
    }

    function randomColumn(
        uint256 seed,
        uint256 size,
        uint256 span
    ) private pure returns (int32[] memory values) {
        values = new int32[](size);
        for (uint256 i = 0; i < size; ++i) {
            values[i] = int32(int256(uint256(keccak256(abi.encode(seed, i))) % (2 * span)) - int256(span));
        }
    }

    // ------------------------------------------------------------------------------------------------------- numbers

    /// Trap 4: halves go up on the number line, also below zero, where the EVM's division truncates.
    function testTrap4DivisionRoundsHalvesUp() public {
        int256[2][10] memory cases = [
            [int256(7), 2],
            [int256(-7), 2],
            [int256(5), 2],
            [int256(-5), 2],
            [int256(1), 3],
            [int256(-1), 3],
            [int256(-2), 3],
            [int256(2), 3],
            [int256(-4), 4],
            [int256(0), 9]
        ];
        int256[10] memory wants = [int256(4), -3, 3, -2, 0, 0, -1, 1, -1, 0];
        for (uint256 i = 0; i < 10; ++i) same(spec.rdiv(cases[i][0], cases[i][1]), wants[i]);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.ZeroDivisor.selector));
        spec.rdiv(1, 0);
    }

    /// The quotient q of rdiv is the only integer with 2bq <= 2a + b < 2b(q + 1).
    function testFuzzRdivBrackets(int128 a, uint64 divisor) public view {
        int256 b = int256(uint256(divisor)) + 1;
        int256 q = spec.rdiv(a, b);
        check(2 * b * q <= 2 * int256(a) + b, "below");
        check(2 * int256(a) + b < 2 * b * (q + 1), "above");
    }

    function testFuzzClamp(int32 x, uint32 bound) public view {
        bound = uint32(within(bound, 1, 2 ** 23 - 1));
        int256 got = spec.clamp(x, bound);
        int256 limit = int256(uint256(bound));
        if (x > limit) same(got, limit);
        else if (x < -limit) same(got, -limit);
        else same(got, int256(x));
    }

    function testModelStepSaturates() public {
        int32 top = type(int32).max;
        int32 bottom = type(int32).min;
        int32[] memory next = spec.modelStep(column(top, bottom, 5), column(1, -1, -7));
        same(int256(next[0]), int256(top));
        same(int256(next[1]), int256(bottom));
        same(int256(next[2]), -2);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.LengthMismatch.selector, 2, 3));
        spec.modelStep(column(1, 2, 3), pair(1, 2));
    }

    function testBytesAreLittleEndian() public {
        same(keccak256(spec.encodeInt32(pair(1, -2))), keccak256(hex"01000000feffffff"));
        VM.expectRevert(abi.encodeWithSelector(LittleEndian.NotWords.selector, 5));
        spec.decodeInt32(hex"0100000000");
    }

    function testFuzzBytesRoundTrip(int32[] calldata values) public view {
        same(
            keccak256(abi.encode(spec.decodeInt32(spec.encodeInt32(values)))),
            keccak256(abi.encode(values))
        );
    }

    // --------------------------------------------------------------------------------------------------- chunk trees

    function testTreeOfThreeByHand() public view {
        bytes32 a = sha256(hex"00aa");
        bytes32 b = sha256(hex"00bb");
        bytes32 c = sha256(hex"00cc");
        bytes32 left = sha256(abi.encodePacked(hex"01", a, b));
        same(spec.chunkRoot(hex"aabbcc", 1), sha256(abi.encodePacked(hex"01", left, c)));
        same(spec.chunkRoot("", 4), sha256(hex"00"));
        same(spec.chunkRoot(hex"aabbcc", 2), spec.nodeHash(spec.leafHash(hex"aabb"), spec.leafHash(hex"cc")));
    }

    function testTreeNeedsLeaves() public {
        VM.expectRevert(abi.encodeWithSelector(ChunkTree.NoLeaves.selector));
        spec.rootOf(new bytes32[](0));
        VM.expectRevert(abi.encodeWithSelector(ChunkTree.NoLeaves.selector));
        spec.chunkRoot("x", 0);
        VM.expectRevert(abi.encodeWithSelector(SegmentTree.EmptySegment.selector));
        spec.segmentRoot("");
        VM.expectRevert(abi.encodeWithSelector(SpecHarness.BadSegment.selector, 35));
        spec.segmentRoot(new bytes(35));
    }

    function leavesOf(uint256 seed, uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) leaves[i] = keccak256(abi.encode(seed, i));
    }

    /// Siblings of a leaf, lowest first, by the recursive definition of RFC 6962 (2.1.1).
    function pathOf(bytes32[] memory leaves, uint256 index) private view returns (bytes32[] memory path) {
        uint256 n = leaves.length;
        if (n == 1) return new bytes32[](0);
        uint256 k = 1;
        while (k * 2 < n) k *= 2;
        (bytes32[] memory left, bytes32[] memory right) = (part(leaves, 0, k), part(leaves, k, n));
        bytes32[] memory below = index < k ? pathOf(left, index) : pathOf(right, index - k);
        path = new bytes32[](below.length + 1);
        for (uint256 i = 0; i < below.length; ++i) path[i] = below[i];
        path[below.length] = spec.rootOf(index < k ? right : left);
    }

    function part(
        bytes32[] memory all,
        uint256 from,
        uint256 to
    ) private pure returns (bytes32[] memory some) {
        some = new bytes32[](to - from);
        for (uint256 i = from; i < to; ++i) some[i - from] = all[i];
    }

    function testFuzzInclusion(uint256 seed, uint8 countSeed, uint8 indexSeed, uint8 flip) public view {
        uint256 count = within(countSeed, 1, 40);
        uint256 index = within(indexSeed, 0, count - 1);
        bytes32[] memory leaves = leavesOf(seed, count);
        bytes32[] memory path = pathOf(leaves, index);
        bytes32 leaf = leaves[index];
        bytes32 root = spec.rootOf(leaves);
        same(spec.pathLength(index, count), path.length);
        check(spec.verifyInclusion(leaf, index, count, path, root), "honest");
        check(!spec.verifyInclusion(leaf ^ bytes32(uint256(1) << flip), index, count, path, root), "leaf");
        check(!spec.verifyInclusion(leaf, count, count, path, root), "index beyond the leaves");
        if (count > 1) {
            check(!spec.verifyInclusion(leaf, (index + 1) % count, count, path, root), "index");
            path[flip % path.length] ^= bytes32(uint256(1) << flip);
            check(!spec.verifyInclusion(leaf, index, count, path, root), "sibling");
            check(!spec.verifyInclusion(leaf, index, count, part(path, 1, path.length), root), "short path");
        }
    }

    // ------------------------------------------------------------------------------------------ commitments and hashes

    function testFuzzCommitmentIsPackedBigEndian(
        bytes32 domain,
        uint64 roundId,
        uint32 client,
        uint32 n
    ) public view {
        bytes memory packed = bytes.concat(
            hex"02",
            domain,
            bytes8(roundId),
            bytes4(client),
            bytes4(n),
            keccak256("r")
        );
        same(packed.length, 81);
        same(spec.commitment(domain, roundId, client, n, keccak256("r")), sha256(packed));
    }

    function testSegmentRootHashesPackedEntries() public view {
        bytes memory one = abi.encodePacked(uint32(7), keccak256("a"));
        bytes memory two = abi.encodePacked(uint32(9), keccak256("b"));
        bytes32 left = keccak256(bytes.concat(hex"00", one));
        bytes32 right = keccak256(bytes.concat(hex"00", two));
        same(spec.segmentRoot(one), left);
        same(spec.segmentRoot(bytes.concat(one, two)), keccak256(bytes.concat(hex"01", left, right)));
    }

    // --------------------------------------------------------------------------------------- rules by coordinate

    function testRulesByHand() public view {
        same(int256(spec.mean(column(-1, -1, -2))), -1);
        same(int256(spec.mean(pair(-1, -2))), -1);
        same(int256(spec.mean(pair(1, 2))), 2);
        same(int256(spec.median(column(9, -5, 4))), 4);
        same(int256(spec.median(pair(-3, 0))), -1);
        same(int256(spec.trimmedMean(column(100, 3, -100), 1)), 3);
        same(int256(spec.sum32(pair(type(int32).max, 1))), int256(type(int32).min));
        same(int256(spec.sum32(pair(type(int32).min, -1))), int256(type(int32).max));
    }

    function testWeightsAreCapped() public {
        uint32[] memory weights = new uint32[](2);
        (weights[0], weights[1]) = (1_000_000, 10);
        same(int256(IntegerRules.weightedMean(pair(30, 0), weights, 20)), 20);
        (weights[0], weights[1]) = (20, 10);
        same(int256(spec.weightedMean(pair(30, 0), weights)), 20);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.LengthMismatch.selector, 2, 3));
        spec.weightedMean(column(1, 2, 3), weights);
        // Nobody weighs anything.
        (weights[0], weights[1]) = (0, 0);
        same(int256(spec.weightedMean(pair(1, 2), weights)), 0);
    }

    function testRulesNeedEnoughValues() public {
        int32[] memory none = new int32[](0);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.EmptyColumn.selector));
        spec.mean(none);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.EmptyColumn.selector));
        spec.median(none);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.TooFewUpdates.selector, 2, 3));
        spec.trimmedMean(pair(1, 2), 1);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.TooFewUpdates.selector, 2, 3));
        spec.trimmedMeanHinted(pair(1, 2), 1, 1, 2);
    }

    /// A small span makes many ties, which is where counting goes wrong.
    function testFuzzHintsGiveTheTrimmedMean(
        uint256 seed,
        uint8 size,
        uint8 trimSeed,
        uint8 spanSeed
    ) public view {
        int32[] memory values = randomColumn(seed, within(size, 1, 24), within(spanSeed, 1, 12));
        uint256 trim = within(trimSeed, 0, (values.length - 1) / 2);
        int256[] memory ordered = sortedOf(values);
        int32 low = int32(ordered[trim]);
        int32 high = int32(ordered[values.length - 1 - trim]);
        same(int256(spec.trimmedMeanHinted(values, trim, low, high)), int256(spec.trimmedMean(values, trim)));
    }

    function testFuzzWrongHintsRevert(
        uint256 seed,
        uint8 size,
        uint8 trimSeed,
        int8 dLow,
        int8 dHigh
    ) public {
        VM.assume(dLow != 0 || dHigh != 0);
        int32[] memory values = randomColumn(seed, within(size, 1, 24), 200);
        uint256 trim = within(trimSeed, 0, (values.length - 1) / 2);
        int256[] memory ordered = sortedOf(values);
        int32 low = int32(ordered[trim]) + dLow;
        int32 high = int32(ordered[values.length - 1 - trim]) + dHigh;
        VM.expectRevert(abi.encodeWithSelector(OrderStats.WrongHint.selector, low, high));
        spec.trimmedMeanHinted(values, trim, low, high);
    }

    function sortedOf(int32[] memory values) private view returns (int256[] memory) {
        int256[] memory wide = new int256[](values.length);
        for (uint256 i = 0; i < values.length; ++i) wide[i] = values[i];
        return spec.sorted(wide);
    }

    function testFuzzOrderDoesNotMatter(uint256 seed, uint8 size) public view {
        int32[] memory values = randomColumn(seed, within(size, 1, 16), 1 << 23);
        int32[] memory turned = new int32[](values.length);
        for (uint256 i = 0; i < values.length; ++i) turned[i] = values[values.length - 1 - i];
        same(int256(spec.mean(values)), int256(spec.mean(turned)));
        same(int256(spec.median(values)), int256(spec.median(turned)));
        same(int256(spec.sum32(values)), int256(spec.sum32(turned)));
    }

    // ---------------------------------------------------------------------------------------- columns in the call data

    function censusOf(
        bytes calldata chunk,
        uint256 start,
        uint256 count,
        uint32 bound,
        uint256 trim,
        int32 low,
        int32 high
    ) external pure returns (int256) {
        return ColumnCensus.keptSum(chunk, start, count, bound, trim, low, high);
    }

    function keptSumOf(
        int32[] calldata values,
        uint32 bound,
        uint256 trim,
        int32 low,
        int32 high
    ) external pure returns (int256) {
        return OrderStats.keptSum(IntegerRules.clampAll(values, bound), trim, low, high);
    }

    /// Values at the bound, next to it, far beyond it, and few enough different ones to tie.
    function extremeColumn(
        uint256 seed,
        uint256 size,
        int32 bound
    ) private pure returns (int32[] memory values) {
        int32[8] memory picks = [
            type(int32).min,
            type(int32).max,
            bound,
            -bound,
            bound + 1,
            -bound - 1,
            int32(0),
            int32(-1)
        ];
        values = new int32[](size);
        for (uint256 i = 0; i < size; ++i) {
            uint256 x = uint256(keccak256(abi.encode(seed, i)));
            values[i] = x % 3 == 0 ? picks[(x >> 8) % 8] : int32(uint32(x >> 16)) % (2 * bound);
        }
    }

    /// Eight values at a time is the same as one by one: the same sum for the same hints, and the same refusal.
    function testFuzzTheCensusIsThatOfTheColumn(uint256 seed, uint8 size, uint8 before) public view {
        uint32 bound = uint32(within(seed, 1, (seed >> 30) % 2 == 0 ? 3 : 2 ** 23 - 1));
        int32[] memory values = extremeColumn(seed, within(size, 1, 60), int32(bound));
        uint256 trim = (seed >> 32) % ((values.length + 1) / 2);
        int32[] memory clamped = IntegerRules.clampAll(values, bound);
        int256[] memory ordered = sortedOf(clamped);
        int32 low = int32(ordered[trim]);
        int32 high = int32(ordered[values.length - 1 - trim]);
        // Right hints half the time, else near misses and values of the column.
        if ((seed >> 64) % 4 == 1) low = values[(seed >> 72) % values.length];
        if ((seed >> 64) % 4 == 2) high += int32(int256((seed >> 72) % 3)) - 1;
        if ((seed >> 64) % 4 == 3) (low, high) = (high, low);
        bytes memory chunk = LittleEndian.encode(values);
        uint256 start = within(before, 0, 9);
        chunk = abi.encodePacked(leavesOf(seed, 2)[0], leavesOf(seed, 2)[1], chunk, leavesOf(seed, 1)[0]);
        chunk = cutFrom(chunk, 64 - 4 * start);
        check(values.length > 0 && chunk.length > 0, "nothing to count");
        try this.keptSumOf(values, bound, trim, low, high) returns (int256 want) {
            same(this.censusOf(chunk, start, values.length, bound, trim, low, high), want);
        } catch (bytes memory reason) {
            same(bytes32(bytes4(reason)), OrderStats.WrongHint.selector);
            try this.censusOf(chunk, start, values.length, bound, trim, low, high) {
                revert Untrue("wrong hints held");
            } catch (bytes memory other) {
                same(keccak256(other), keccak256(reason));
            }
        }
    }

    function cutFrom(bytes memory data, uint256 start) private pure returns (bytes memory rest) {
        rest = new bytes(data.length - start);
        for (uint256 i = 0; i < rest.length; ++i) rest[i] = data[start + i];
    }

    // ------------------------------------------------------------------------------------------ rules by update

    function updatesOf(int32[5] memory values) private pure returns (int32[][] memory updates) {
        updates = new int32[][](5);
        for (uint256 i = 0; i < 5; ++i) updates[i] = pair(values[i], 0);
    }

    /// n = 5, f = 1: two nearest. Scores of 0, 1, 2, 10, 50: 5, 2, 5, 145, 3904.
    function testKrumByHand() public view {
        int32[][] memory updates = updatesOf([int32(50), 2, 1, 0, 10]);
        int256[] memory scores = spec.krumScores(updates, 1);
        int256[5] memory want = [int256(3904), 5, 2, 5, 145];
        for (uint256 i = 0; i < 5; ++i) same(scores[i], want[i]);
        same(spec.krumSelect(updates, 1), 2);
        uint256[] memory two = spec.multiKrumSelect(updates, 1, 2);
        same(two[0], 1);
        same(two[1], 2);
    }

    function testKrumTiesGoToTheLowerSlot() public view {
        same(spec.krumSelect(updatesOf([int32(7), 7, 7, 7, 7]), 1), 0);
        uint256[] memory three = spec.multiKrumSelect(updatesOf([int32(7), 7, 7, 7, 7]), 1, 3);
        same(three[2], 2);
    }

    function testKrumNeedsEnoughUpdates() public {
        int32[][] memory updates = updatesOf([int32(1), 2, 3, 4, 5]);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.TooFewUpdates.selector, 5, 7));
        spec.krumSelect(updates, 2);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.TooFewUpdates.selector, 5, 6));
        spec.multiKrumSelect(updates, 1, 6);
        updates[3] = column(1, 2, 3);
        VM.expectRevert();
        spec.krumSelect(updates, 1);
    }

    function testDistancesAreExactAtTheExtremes() public view {
        int32[][] memory updates = updatesOf([type(int32).min, type(int32).max, 0, 0, 0]);
        uint256[][] memory matrix = new uint256[][](3);
        for (uint256 i = 0; i < 3; ++i) matrix[i] = new uint256[](3);
        (matrix[0][1], matrix[1][0]) = ((2 ** 32 - 1) ** 2, (2 ** 32 - 1) ** 2);
        same(spec.krumScoresOf(matrix, 0)[0], int256(0));
        same(spec.krumScores(updates, 1)[0], int256(2 * 2 ** 62));
    }

    /// The whole rule clamps first, except for sums modulo 2^32.
    function testWholeRulesClamp() public {
        int32[][] memory updates = updatesOf([int32(1000), 2, 1, 0, -1000]);
        uint32[] memory examples = new uint32[](5);
        for (uint256 i = 0; i < 5; ++i) examples[i] = uint32(i + 1);
        same(whole(Rule.Sum32, 0, 0, updates, examples), 3);
        same(whole(Rule.Mean, 0, 0, updates, examples), 1);
        same(whole(Rule.WeightedMean, 0, 0, updates, examples), -2);
        same(whole(Rule.Median, 0, 0, updates, examples), 1);
        same(whole(Rule.TrimmedMean, 1, 0, updates, examples), 1);
        same(whole(Rule.Krum, 1, 0, updates, examples), 1);
        same(whole(Rule.MultiKrum, 1, 3, updates, examples), 1);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.EmptyColumn.selector));
        spec.aggregate(Rule.Mean, 0, 0, 10, new int32[][](0), examples);
        updates[4] = column(1, 2, 3);
        VM.expectRevert(abi.encodeWithSelector(IntegerRules.LengthMismatch.selector, 3, 2));
        spec.aggregate(Rule.Mean, 0, 0, 10, updates, examples);
    }

    function whole(
        Rule rule,
        uint256 param,
        uint256 select,
        int32[][] memory updates,
        uint32[] memory examples
    ) private view returns (int256) {
        int32[] memory result = spec.aggregate(rule, param, select, 10, updates, examples);
        same(result.length, 2);
        same(int256(result[1]), 0);
        return result[0];
    }
}
