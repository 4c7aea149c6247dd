import joblib
import numpy as np
import pytest

from wsl import Architecture
from wsl.distributions import Interval, RandomNetworkFamily
from wsl.exceptions import InvalidInputError


def relu_network(row, X):
    """Compute a 4-32-1 ReLU network by hand, in float64."""
    row = row.astype(float)
    first, bias, second, last = np.split(row, [128, 160, 192])
    return np.maximum(X @ first.reshape(32, 4).T + bias, 0) @ second + last


def test_labels_are_the_networks_outputs():
    family = RandomNetworkFamily(0.5, random_state=0)
    for p in (0, 1):
        X, y = family.sample(p, 200, random_state=1)
        assert (X.dtype, y.dtype, X.shape, y.shape) == (np.float32, np.float32, (200, 4), (200,))
        np.testing.assert_allclose(y, relu_network(family.networks[p], X), rtol=1e-4, atol=1e-4)


def test_values_between_lie_on_the_line_between_the_networks():
    family = RandomNetworkFamily(0.5, properties=Interval(0, 1), random_state=0)
    X, y = family.sample(0.25, 100, random_state=1)
    network = 0.75 * family.networks[0] + 0.25 * family.networks[1]
    np.testing.assert_allclose(y, relu_network(network, X), rtol=1e-4, atol=1e-4)


def test_parameters_and_their_difference_have_the_stated_spread():
    wide = Architecture.mlp(40, [200], 1)
    base, moved = RandomNetworkFamily(0.1, architecture=wide, random_state=0).networks
    n = len(base)
    assert abs(base.mean()) < 4 / np.sqrt(n)
    assert abs(base.std() - 1) < 4 / np.sqrt(2 * n)
    assert abs((moved - base).std() / 0.1 - 1) < 4 / np.sqrt(2 * n)


def test_epsilon_zero_leaves_nothing_to_find():
    family = RandomNetworkFamily(0.0, random_state=0)
    np.testing.assert_array_equal(family.networks[0], family.networks[1])
    for a, b in zip(family.sample(0, 50, 1), family.sample(1, 50, 1), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("p", "mean"), [(0, -1.0), (1, 1.0), (0.25, -0.5)])
def test_inputs_have_the_stated_mean_and_spread(p, mean):
    family = RandomNetworkFamily(0, shift=1, properties=Interval(0, 1), random_state=0)
    X, _ = family.sample(p, 20_000, random_state=2)
    error = 2 / np.sqrt(len(X))
    np.testing.assert_allclose(X.mean(0), mean, atol=4 * error)
    np.testing.assert_allclose(np.cov(X.T), 4 * np.eye(4), atol=5 * 4 * np.sqrt(2 / len(X)))


@pytest.mark.parametrize("p", [(0.0, 0.0, 0.0, 0.0), (0.25, 1.0, 0.0, 0.5)])
def test_several_numbers_move_a_mean_and_a_network_each(p):
    family = RandomNetworkFamily(0.3, shift=1, properties=[Interval(0, 1)] * 4, random_state=0)
    X, y = family.sample(p, 20_000, random_state=2)
    np.testing.assert_allclose(X.mean(0), 2 * np.array(p) - 1, atol=4 * 2 / np.sqrt(len(X)))
    base, *moved = family.networks.astype(float)
    row = base + sum(share * (end - base) for share, end in zip(p, moved, strict=True))
    np.testing.assert_allclose(y, relu_network(row, X), rtol=1e-3, atol=1e-3)
    assert len(moved) == 4


def test_classes_may_be_tuples():
    family = RandomNetworkFamily(0.3, properties=((0, 1), (1, 0), (1, 1)), random_state=0)
    assert set(family.draw_properties(6, 0)) == {(0, 1), (1, 0), (1, 1)}
    X, y = family.sample((1, 0), 50, random_state=1)
    np.testing.assert_allclose(y, relu_network(family.networks[1], X), rtol=1e-4, atol=1e-4)


def test_the_network_may_be_given():
    network = np.linspace(-1, 1, 193).astype(np.float32)
    family = RandomNetworkFamily(0.1, network=network, random_state=0)
    X, y = family.sample(0, 50, random_state=1)
    np.testing.assert_allclose(y, relu_network(network, X), rtol=1e-4, atol=1e-4)
    unlike = RandomNetworkFamily(0.1, random_state=0).networks
    np.testing.assert_allclose(np.diff(family.networks, axis=0), np.diff(unlike, axis=0), atol=1e-6)


def test_one_seed_is_one_family_and_it_pickles(tmp_path):
    family = RandomNetworkFamily(random_state=7)
    joblib.dump(family, tmp_path / "family")
    loaded = joblib.load(tmp_path / "family")
    twin = RandomNetworkFamily(random_state=7)
    other = RandomNetworkFamily(random_state=8)
    expected = family.sample(1, 20, random_state=0)[1]
    np.testing.assert_array_equal(loaded.sample(1, 20, random_state=0)[1], expected)
    np.testing.assert_array_equal(twin.sample(1, 20, random_state=0)[1], expected)
    assert not np.array_equal(other.sample(1, 20, random_state=0)[1], expected)
    assert not np.array_equal(family.sample(1, 20, random_state=1)[1], expected)


def test_several_outputs_stay_columns():
    family = RandomNetworkFamily(architecture=Architecture.mlp(3, [5], 2), random_state=0)
    assert family.sample(0, 10, 0)[1].shape == (10, 2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"epsilon": -1}, "epsilon"),
        ({"scale": float("nan")}, "scale"),
        ({"properties": (0, 2)}, "properties"),
        ({"properties": Interval(0, 2)}, "properties"),
        ({"properties": [Interval(0, 1), Interval(0, 2)]}, "properties"),
        (
            {"properties": [Interval(0, 1), Interval(0, 1)], "shift": 1},
            "`properties` must have one number.*got 2",
        ),
        ({"properties": ((0, 1), (1,))}, "properties"),
        ({"network": np.zeros(3)}, "`network` must be .*got shape"),
        ({"network": np.full(193, np.nan)}, "network"),
    ],
)
def test_bad_parameters_are_named(arguments, named):
    with pytest.raises(InvalidInputError, match=named):
        RandomNetworkFamily(**arguments)


def test_repr_names_what_matters():
    text = repr(RandomNetworkFamily(0.08, random_state=0))
    assert "epsilon=0.08" in text
    assert "properties=(0, 1)" in text
