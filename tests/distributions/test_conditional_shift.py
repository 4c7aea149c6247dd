import joblib
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from wsl.distributions import ConditionalShiftFamily, Interval
from wsl.exceptions import InvalidInputError

N_ROWS = 3000
TABLE = np.random.default_rng(0).normal(2, 3, (N_ROWS, 3)).astype(np.float32)
TABLE[:, 2] = 7  # a column that is the same everywhere


def line(X):
    return X[:, 0] - 2 * X[:, 1]


def square(X):
    return X[:, 0] ** 2


def both(X):
    return np.column_stack([X[:, 0], X[:, 1] ** 2])


def draw_inputs(n_samples, rng):
    return rng.uniform(-1, 1, (n_samples, 2))


@pytest.mark.parametrize("inputs", [TABLE, draw_inputs])
@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_the_expected_outcome_moves_and_nothing_else(inputs, p):
    family = ConditionalShiftFamily(
        line, inputs, epsilon=0.5, direction=square, properties=Interval(0, 1)
    )
    X, y = family.sample(p, 200, random_state=1)
    assert X.dtype == y.dtype == np.float32
    np.testing.assert_allclose(y, line(X) + 0.5 * p * square(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(X, family.sample(0.5, 200, random_state=1)[0])


@pytest.mark.parametrize("inputs", [TABLE, draw_inputs])
def test_a_random_direction_has_mean_0_and_the_stated_size(inputs):
    family = ConditionalShiftFamily(line, inputs, epsilon=0.3, random_state=0)
    sets = [family.sample(p, N_ROWS, random_state=1) for p in (0, 1)]
    move = sets[1][1] - sets[0][1]
    exact = inputs is TABLE  # the reference is the sample itself
    assert abs(move.mean()) < (1e-5 if exact else 4 * 0.3 * np.sqrt(1 / N_ROWS + 1 / 4096))
    assert abs(move.std() / 0.3 - 1) < (1e-5 if exact else 0.1)
    other = ConditionalShiftFamily(line, inputs, epsilon=0.3, random_state=1)
    assert not np.allclose(other.sample(1, N_ROWS, 1)[1], sets[1][1], atol=0.01)


def test_several_numbers_move_along_as_many_directions():
    properties = [Interval(-1, 1), Interval(0, 1)]
    given = ConditionalShiftFamily(line, TABLE, direction=both, properties=properties)
    X, y = given.sample((-0.5, 0.75), 100, 0)
    expected = line(X) + 0.1 * (-0.5 * X[:, 0] + 0.75 * X[:, 1] ** 2)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    drawn = ConditionalShiftFamily(line, TABLE, properties=properties, random_state=0)
    one, two = (drawn.sample(p, N_ROWS, 0)[1] for p in ((1, 0), (0, 1)))
    assert abs(np.corrcoef(one - line(drawn.sample((1, 0), N_ROWS, 0)[0]), two - one)[0, 1]) < 0.99


def test_noise_and_a_binary_outcome_have_the_stated_spread():
    noisy = ConditionalShiftFamily(line, TABLE, noise=0.7)
    X, y = noisy.sample(0, N_ROWS, random_state=0)
    assert abs((y - line(X)).std() / 0.7 - 1) < 4 / np.sqrt(2 * N_ROWS)
    binary = ConditionalShiftFamily(
        lambda X: np.full(len(X), 0.3), TABLE, epsilon=1, direction=lambda X: 0.0 * X[:, 0] + 0.4,
        properties=(-1, 0, 1), binary=True,
    )  # fmt: skip
    for p, share in ((-1, 0.0), (0, 0.3), (1, 0.7)):  # below 0 is clipped
        y = binary.sample(p, N_ROWS, random_state=0)[1]
        assert y.dtype == np.int64
        assert abs(y.mean() - share) <= 4 * np.sqrt(share * (1 - share) / N_ROWS)


def test_the_base_may_be_a_fitted_estimator():
    target = line(TABLE)
    regressor = LinearRegression().fit(TABLE, target)
    X, y = ConditionalShiftFamily(regressor, TABLE).sample(0, 50, random_state=0)
    np.testing.assert_allclose(y, regressor.predict(X), rtol=1e-4, atol=1e-4)
    classifier = LogisticRegression().fit(TABLE / 10, target > 0)
    family = ConditionalShiftFamily(classifier, TABLE / 10)
    X, y = family.sample(0, N_ROWS, random_state=0)
    off = y - classifier.predict_proba(X)[:, 1]
    assert abs(off.mean()) < 4 * 0.5 / np.sqrt(N_ROWS)
    assert set(y.tolist()) == {0, 1}
    assert "binary=True" in repr(family)
    assert "LogisticRegression" in repr(family)


def test_a_split_shares_no_row():
    target, adversary = ConditionalShiftFamily(line, TABLE).split(0.25, random_state=0)
    first, second = (set(f.sample(0, n, 0)[0][:, 0].tolist())
                     for f, n in ((target, 750), (adversary, 2250)))  # fmt: skip
    assert len(first | second) == len(np.unique(TABLE[:, 0]))
    assert not first & second
    with pytest.raises(InvalidInputError, match="751 are needed of inputs, which has 750"):
        target.sample(0, 751)
    endless = ConditionalShiftFamily(line, draw_inputs)
    assert endless.split() == (endless, endless)


def test_it_pickles_and_repeats(tmp_path):
    family = ConditionalShiftFamily(line, draw_inputs, noise=1, random_state=3)
    joblib.dump(family, tmp_path / "family")
    loaded = joblib.load(tmp_path / "family")
    twin = ConditionalShiftFamily(line, draw_inputs, noise=1, random_state=3)
    for other in (loaded, twin):
        for one, two in zip(family.sample(1, 9, 1), other.sample(1, 9, 1), strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((line, TABLE, {"epsilon": -1}), "`epsilon` must be .*got -1"),
        ((line, TABLE, {"noise": np.inf}), "`noise` must be .*got inf"),
        ((line, TABLE, {"noise": 1, "binary": True}), "`noise` must be 0 for a binary.*got 1"),
        ((line, TABLE, {"properties": ("a", "b")}), "properties"),
        ((line, TABLE, {"direction": both}), r"`direction` must return .*got \(3000, 2\)"),
        ((line, np.full((9, 2), np.nan), {}), "NaN"),
        ((line, np.ones((9, 2)), {}), "rows that differ"),
        ((3, TABLE, {}), "`base` must be .*got 3"),
        ((LogisticRegression(), TABLE, {}), "`base` must be .*got LogisticRegression"),
        ((both, TABLE, {}), "`base` must return shape"),
    ],
)
def test_errors_name_the_parameter(arguments, named):
    base, inputs, options = arguments
    with pytest.raises(InvalidInputError, match=named):
        ConditionalShiftFamily(base, inputs, **options)


def test_inputs_of_another_length_are_named():
    def short(n_samples, rng):
        return np.zeros((n_samples - 1, 2))

    family = ConditionalShiftFamily(line, short, direction=square)
    with pytest.raises(InvalidInputError, match=r"`inputs` must return .*got \(8, 2\)"):
        family.sample(0, 9)
