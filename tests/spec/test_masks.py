"""Properties of masked sums: unmasking gives the plain sum, and only the right list of seeds is accepted (§11)."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import spec

INT32 = st.integers(spec.INT32_MIN, spec.INT32_MAX)


def _seed(*names: object) -> bytes:
    return hashlib.sha256(repr(names).encode()).digest()


@dataclass(frozen=True)
class World:
    """Clients that masked their updates, and who of them is included."""

    degree: int
    updates: dict[int, list[int]]
    seeds: dict[int, dict[int, bytes]]
    included: list[int]

    def masked(self) -> list[list[int]]:
        return [spec.apply_masks(self.updates[c], c, self.seeds[c]) for c in self.included]

    def tables(self) -> dict[int, list[spec.SeedLine]]:
        return {client: _table(self.seeds[client]) for client in self.included}

    def reveals(self) -> list[spec.Reveal]:
        return [spec.Reveal(owner=o, peer=p, seed=self.seeds[o][p]) for o, p in spec.compute_needed(self.tables())]

    def plain_sum(self) -> list[int]:
        return [spec.wrap32(sum(column)) for column in zip(*(self.updates[c] for c in self.included), strict=True)]


def _table(seeds: dict[int, bytes]) -> list[spec.SeedLine]:
    lines = [spec.SeedLine(peer=p, commitment=spec.compute_seed_commitment(seed)) for p, seed in seeds.items()]
    return sorted(lines)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return 1 to 7 clients, some of them dropped; some pairs disagree about their seed or about being a pair."""
    roster = draw(st.lists(st.integers(1, 60), min_size=1, max_size=7, unique=True))
    degree, size = draw(st.integers(1, 7)), draw(st.integers(1, 20))
    seeds = {client: {spec.SELF: _seed(client)} for client in roster}
    for owner, peers in spec.compute_peers(roster, degree, draw(st.binary(min_size=32, max_size=32))).items():
        for peer in peers:
            agreement = draw(st.sampled_from(["same", "same", "same", "own", "none"]))
            if agreement != "none":
                seeds[owner][peer] = _seed(*sorted((owner, peer)), owner if agreement == "own" else 0)
    updates = {client: draw(st.lists(INT32, min_size=size, max_size=size)) for client in roster}
    included = draw(st.lists(st.sampled_from(sorted(roster)), min_size=1, unique=True))
    return World(degree=degree, updates=updates, seeds=seeds, included=sorted(included))


@given(world=worlds())
def test_unmasking_by_the_needed_seeds_gives_the_plain_sum(world: World) -> None:
    spec.verify_reveals(world.reveals(), world.tables())
    assert spec.compute_unmasked_sum(world.masked(), world.reveals()) == world.plain_sum()


@given(world=worlds(), data=st.data())
def test_a_list_with_one_seed_missing_added_or_changed_is_refused(world: World, data: st.DataObject) -> None:
    reveals = world.reveals()
    at = data.draw(st.integers(0, len(reveals) - 1))
    changed = spec.Reveal(owner=reveals[at].owner, peer=reveals[at].peer, seed=_seed("other"))
    pairs = {(reveal.owner, reveal.peer) for reveal in reveals}
    others = [pair for pair in itertools.product(range(1, 62), range(62)) if pair not in pairs]
    owner, peer = data.draw(st.sampled_from(others))
    added = spec.Reveal(owner=owner, peer=peer, seed=world.seeds.get(owner, {}).get(peer, _seed("any")))
    without = reveals[:at] + reveals[at + 1 :]
    for wrong in (without, [*without, changed], [*reveals, added]):
        with pytest.raises(spec.NotCanonical, match=r"the seed of \(\d+, \d+\)"):
            spec.verify_reveals(wrong, world.tables())


@given(world=worlds())
def test_lists_and_tables_are_what_their_bytes_decode_to(world: World) -> None:
    assert spec.decode_reveals(spec.encode_reveals(reversed(world.reveals()))) == world.reveals()
    for client, table in world.tables().items():
        assert spec.decode_seed_table(spec.encode_seed_table(table), owner=client, degree=world.degree) == table


@given(data=st.binary(max_size=130).filter(len))
def test_bytes_that_decode_to_reveals_are_their_encoding(data: bytes) -> None:
    try:
        reveals = spec.decode_reveals(data)
    except spec.SpecError:
        return
    assert spec.encode_reveals(reveals) == data


@given(world=worlds())
def test_who_hides_behind_nobody_is_told(world: World) -> None:
    tables, shown = world.tables(), {(reveal.owner, reveal.peer) for reveal in world.reveals()}
    for client in world.included:
        left = [peer for peer in world.seeds[client] if (client, peer) not in shown]
        assert spec.count_cancelled(client, tables) == len(left)
        assert all(spec.is_cancelled(client, line, tables) == (line.peer in left) for line in tables[client])


@given(seed=st.binary(min_size=32, max_size=32), size=st.integers(0, 40))
def test_a_mask_is_its_words_one_by_one(seed: bytes, size: int) -> None:
    assert spec.expand_mask(seed, size) == [spec.compute_mask_word(seed, j) for j in range(size)]
    stream = b"".join(hashlib.sha256(seed + block.to_bytes(8, "big")).digest() for block in range(-(-size // 8)))
    assert spec.expand_mask(seed, size) == [word & 0xFFFFFFFF for word in spec.decode_int32(stream[: 4 * size])]


@given(
    roster=st.lists(st.integers(1, 999), max_size=30, unique=True),
    degree=st.integers(0, 31),
    beacon=st.binary(min_size=32, max_size=32),
)
def test_everybody_is_a_peer_of_their_peers_and_has_as_many_as_the_task_allows(
    roster: list[int], degree: int, beacon: bytes
) -> None:
    peers = spec.compute_peers(roster, degree, beacon)
    assert set(peers) == set(roster)
    for client, of_client in peers.items():
        assert client not in of_client
        assert of_client == sorted(set(of_client))
        assert all(client in peers[peer] for peer in of_client)
        assert len(of_client) == (len(roster) - 1 if degree >= len(roster) - 1 else degree // 2 * 2)
    assert peers == spec.compute_peers(reversed(roster), degree, beacon)


def test_a_commitment_to_a_masked_update_opens_for_no_other_seeds() -> None:
    root = spec.compute_vector_root([1, 2, 3], 3)
    tables = [_table({spec.SELF: _seed(1)}), _table({spec.SELF: _seed(2)}), _table({spec.SELF: _seed(1), 2: _seed(3)})]
    assert len({spec.compute_masked_root(root, spec.compute_seeds_root(table)) for table in tables}) == 3
