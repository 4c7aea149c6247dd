"""A family with a common conditional: inputs as they were, E[Y|X] the same at every value."""

import numpy as np
import pytest

from wsl.distributions import ConditionalShiftFamily, GaussianFamily, Interval, RandomNetworkFamily
from wsl.exceptions import InvalidInputError

N = 200_000


def square(X):
    return X[:, 0] ** 2


def line(X):
    return X[:, 0]


def normal(n_samples, rng):
    return rng.normal(size=(n_samples, 2))


FAMILIES = {
    "mean": GaussianFamily("mean", properties=(-0.5, 0.5), n_features=2),
    "deviation": GaussianFamily("deviation", properties=(0.5, 1.5), n_features=2),
    "share": GaussianFamily("fraction", properties=(0.2, 0.8), n_features=2, on_inputs=2),
    "binary": GaussianFamily("mean", properties=(-0.5, 0.5), n_features=2, binary=True),
    "no inputs": GaussianFamily("mean", properties=(-0.5, 0.5), n_features=2, on_inputs=0),
    "two": GaussianFamily("mean", properties=((-0.5, 0), (0.5, 0)), n_features=3),
    "interval": GaussianFamily("mean", properties=Interval(-0.5, 0.5), n_features=2),
    "shift": ConditionalShiftFamily(square, normal, direction=line, epsilon=1, properties=(-1, 1)),
    "network": RandomNetworkFamily(0.5, shift=0.5, random_state=0),
}
ENDS = {"interval": (-0.5, 0.5)}


def coefficients(X, y):
    """Return least squares on inputs, squares and products, which differ where E[Y|X] does."""
    i, j = np.triu_indices(X.shape[1])
    design = np.hstack([np.ones((len(X), 1)), X, X[:, i] * X[:, j]])
    return np.linalg.lstsq(design, y, rcond=None)[0]


@pytest.mark.parametrize(
    "name",
    sorted(set(FAMILIES) - {"deviation", "shift", "network"}),  # whose means stay near 0
)
def test_inputs_stay_and_outcomes_have_one_conditional(name):
    family = FAMILIES[name]
    common = family.with_common_conditional()
    ends = ENDS.get(name, family.properties)
    drawn = [common.sample(value, N, random_state=k) for k, value in enumerate(ends)]
    own = [family.sample(value, N, random_state=k) for k, value in enumerate(ends)]
    for (X, _), (X_own, _) in zip(drawn, own, strict=True):
        np.testing.assert_array_equal(X, X_own)
    near = [  # the same inputs, as dense in both: E[Y|X] alone tells them apart
        (np.abs(X) < 0.5).all(axis=1) for X, _ in drawn
    ]
    means, own_means = (
        [y[rows].mean() for (_, y), rows in zip(pair, near, strict=True)] for pair in (drawn, own)
    )
    noise = 5 * max(
        y[rows].std() / np.sqrt(rows.sum()) for (_, y), rows in zip(own, near, strict=True)
    )
    assert abs(own_means[1] - own_means[0]) > 2 * noise
    assert abs(means[1] - means[0]) < noise + 0.05 * abs(own_means[1] - own_means[0])


def test_deviations_have_one_slope():
    family = FAMILIES["deviation"]
    slopes, own = (
        [
            coefficients(*which.sample(value, N, random_state=k))[1]
            for k, value in enumerate((0.5, 1.5))
        ]
        for which in (family.with_common_conditional(), family)
    )
    assert own[1] - own[0] > 0.3  # p^2 / (1 + p^2) is .2 and .69
    assert own[0] == pytest.approx(0.2, abs=0.02)
    assert slopes == pytest.approx([0.5, 0.5], abs=0.02)  # that of the mean deviation, 1


def test_networks_and_shifts_are_those_of_the_mean_property():
    network = RandomNetworkFamily(0.5, random_state=0)
    for value in (0, 1):
        common = network.with_common_conditional().sample(value, 50, random_state=3)
        middle = RandomNetworkFamily(0.5, properties=(0, 0.5), random_state=0)
        np.testing.assert_allclose(common[1], middle.sample(0.5, 50, random_state=3)[1], rtol=1e-5)
    shift = FAMILIES["shift"].with_common_conditional()
    for value in (-1, 1):
        X, y = shift.sample(value, 50, random_state=3)
        np.testing.assert_allclose(y, X[:, 0] ** 2, rtol=1e-5)
    parts = shift.split(0.5, random_state=0)
    np.testing.assert_allclose(parts[0].sample(1, 9, random_state=0)[1].shape, (9,))


def test_the_family_itself_is_not_changed():
    for name in ("mean", "shift", "network"):
        family = FAMILIES[name]
        before = family.sample(family.properties[1], 20, random_state=0)[1]
        family.with_common_conditional()
        after = family.sample(family.properties[1], 20, random_state=0)[1]
        np.testing.assert_array_equal(before, after)


def test_the_best_adversary_of_a_common_conditional_is_not_known():
    with pytest.raises(InvalidInputError, match="common conditional"):
        FAMILIES["mean"].with_common_conditional().bayes_accuracy(100)
