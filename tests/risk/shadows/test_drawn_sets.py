import numpy as np

from wsl.distributions import EnvironmentMembershipFamily
from wsl.risk.shadows._drawn_sets import draw_sets, redraw_sets

CAUSAL = EnvironmentMembershipFamily.linear_causal()


def test_draws_repeat_and_redraws_share_the_property_alone():
    draws = draw_sets(CAUSAL, 6, 40, seed=3)
    others = redraw_sets(draws, seed=4)
    for index in range(6):
        for a, b in zip(draws(index), draws(index), strict=True):
            np.testing.assert_array_equal(a, b)
        assert (3 in draws(index)[2]) == (3 in others(index)[2]) == draws.properties[index]
        assert not np.array_equal(draws(index)[0], others(index)[0])
    assert not np.array_equal(draws(0)[0], draws(1)[0])
