from mtbert.methods.seeding import seed_from


def test_a_seed_depends_on_every_part_and_its_place():
    parts = [(1, 2), (2, 1), (12,), (1, "2 "), (1, 2, 0), ("order", 1, 2)]
    seeds = {seed_from(*p) for p in parts}
    assert len(seeds) == len(parts)
    assert all(0 <= s < 2**63 for s in seeds)
    assert seed_from("a", 1) == seed_from("a", 1)
