"""Sets of queries: equal shares, drawn afresh, none twice."""

import pytest
import torch

from wsl.autoencoder.losses._query_sets import QuerySets

SETS = [torch.arange(0.0, 100.0)[:, None], torch.arange(1000.0, 1005.0)[:, None]]


@pytest.fixture
def queries():
    return QuerySets(SETS)


def test_each_set_gives_its_share_and_a_small_one_all_it_has(queries):
    generator = torch.Generator().manual_seed(0)
    drawn = queries.draw(8, generator).flatten()
    assert len(drawn.unique()) == 8
    assert (drawn < 1000).sum() == (drawn >= 1000).sum() == 4
    assert len(queries.draw(40, generator)) == 20 + 5
    assert len(queries.draw(1000, generator)) == len(queries) == 105


def test_a_draw_is_fresh_and_its_generator_decides_it(queries):
    first, second = (queries.draw(8, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    generator = torch.Generator().manual_seed(3)
    queries.draw(8, generator)
    assert not torch.equal(first, queries.draw(8, generator))


def test_every_query_has_its_turn_in_steps(queries):
    seen = torch.cat([queries.pick(8, step) for step in range(25)]).flatten()
    assert set(seen[seen < 1000].tolist()) == set(range(100))
    assert torch.equal(queries.pick(8, 0), queries.pick(8, 25))


def test_the_first_are_of_each_set(queries):
    assert queries.first(5).flatten().tolist() == [0, 1, 1000, 1001, 1002]


def test_closed_forms_look_at_fewer_queries_of_large_networks():
    queries = QuerySets([torch.arange(1000.0)[:, None]])
    found = [len(queries.few(size)) for size in (1, 1024, 2048, 4096, 10**9)]
    assert found == [256, 256, 128, 64, 64]
    assert queries.few(1).tolist() == queries.first(256).tolist()
    assert queries.few(1, 1).tolist() == queries.pick(256, 1).tolist()
