// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IParticipantRegistry, Role} from "../interfaces/IParticipantRegistry.sol";

/// What rounds need of a participant, in one slot: the registry writes it whenever it changes.
struct Seat {
    address signer;
    /// Rounds that open at this second or later take this signer.
    uint40 since;
    Role role;
}

/// Reads seats. They tell the current key and period of activity; for a round that opened before, the registry knows
/// the past.
library Seats {
    /// Signing key of `id` in rounds opened at `at`; zero if it is no active `role` then.
    function signerAt(
        mapping(uint32 id => Seat) storage seats,
        IParticipantRegistry registry,
        uint32 id,
        Role role,
        uint40 at
    ) internal view returns (address signer) {
        Seat memory seat = seats[id];
        if (seat.role == role && seat.since <= at) return seat.signer;
        (, signer) = registry.signerAt(id, role, at);
    }
}
