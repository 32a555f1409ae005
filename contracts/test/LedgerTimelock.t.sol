// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRoundLedger, Task} from "../interfaces/IRoundLedger.sol";
import {LedgerFixture} from "./LedgerFixture.sol";

/// What these tests call of a LedgerTimelock.
// solhint-disable-next-line interface-starts-with-i
interface Timelock {
    // The name is OpenZeppelin's.
    // solhint-disable-next-line func-name-mixedcase
    function DEFAULT_ADMIN_ROLE() external view returns (bytes32);
    function hasRole(bytes32 role, address account) external view returns (bool);
    function schedule(
        address target,
        uint256 value,
        bytes calldata data,
        bytes32 predecessor,
        bytes32 salt,
        uint256 delay
    ) external;
    function execute(
        address target,
        uint256 value,
        bytes calldata payload,
        bytes32 predecessor,
        bytes32 salt
    ) external payable;
}

/// A ledger whose governor is a timelock.
contract LedgerTimelockTest is LedgerFixture {
    uint256 internal constant DELAY = 2 days;
    address internal constant PROPOSER = address(0x9201);

    Timelock internal timelock;
    IRoundLedger internal governed;

    function setUp() public override {
        super.setUp();
        address[] memory proposers = new address[](1);
        proposers[0] = PROPOSER;
        timelock = Timelock(deploy("LedgerTimelock", abi.encode(DELAY, proposers)));
        governed = newLedger(address(escrow), new address[](0), address(timelock));
    }

    function testATaskWaitsForTheDelayAndThenAnybodyCreatesIt() public {
        bytes memory call = _createTask();
        VM.prank(PROPOSER);
        timelock.schedule(address(governed), 0, call, 0, 0, DELAY);
        VM.warp(block.timestamp + DELAY - 1);
        VM.expectRevert();
        timelock.execute(address(governed), 0, call, 0, 0);
        same(governed.taskCount(), 0);
        VM.warp(START + DELAY);
        VM.prank(address(0x5712A6E2));
        timelock.execute(address(governed), 0, call, 0, 0);
        same(governed.taskCount(), 1);
    }

    function testNothingIsScheduledWithLessThanTheDelay() public {
        VM.prank(PROPOSER);
        VM.expectRevert();
        timelock.schedule(address(governed), 0, _createTask(), 0, 0, DELAY - 1);
    }

    function testStrangersScheduleNothing() public {
        VM.expectRevert();
        timelock.schedule(address(governed), 0, _createTask(), 0, 0, DELAY);
    }

    function testProposersGuardianAndDeployerCreateNoTaskThemselves() public {
        address[3] memory senders = [PROPOSER, GUARDIAN, address(this)];
        Task memory task = sampleTask();
        for (uint256 i = 0; i < senders.length; ++i) {
            VM.prank(senders[i]);
            VM.expectRevert(abi.encodeWithSelector(IRoundLedger.NotGovernor.selector, senders[i]));
            governed.createTask(task);
        }
    }

    function testTheTimelockHasNoAdministratorBesideItself() public {
        bytes32 admin = timelock.DEFAULT_ADMIN_ROLE();
        check(timelock.hasRole(admin, address(timelock)), "its own administrator");
        check(!timelock.hasRole(admin, address(this)), "the deployer is none");
        check(!timelock.hasRole(admin, PROPOSER), "a proposer is none");
    }

    function testTheSuccessorIsNamedOnceThroughTheTimelock() public {
        bytes memory call = abi.encodeCall(governed.nameSuccessor, (address(0xBEEF)));
        VM.prank(PROPOSER);
        timelock.schedule(address(governed), 0, call, 0, 0, DELAY);
        VM.warp(START + DELAY);
        timelock.execute(address(governed), 0, call, 0, 0);
        same(governed.successor(), address(0xBEEF));
        VM.prank(address(timelock));
        VM.expectRevert(abi.encodeWithSelector(IRoundLedger.SuccessorKnown.selector, address(0xBEEF)));
        governed.nameSuccessor(address(0xCAFE));
    }

    function _createTask() private view returns (bytes memory) {
        return abi.encodeCall(governed.createTask, (sampleTask()));
    }
}
