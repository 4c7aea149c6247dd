"""Families through ``audit``: every kind of property, and attacks against the best there is."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from wsl import Adversary, audit
from wsl.distributions import (
    ConditionalShiftFamily,
    DistributionFamily,
    GaussianFamily,
    Interval,
    SubsampledFamily,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3))
CLASSES = RNG.integers(3, size=600)
X[:, 0] += CLASSES
Y = (np.choose(CLASSES, [X[:, 2], X[:, 1], -X[:, 1]]) > 0).astype(int)  # each class in its own way
QUICK = {"n_targets": 20, "n_repeats": 2, "random_state": 0, "progress": False}


def shifted_line(property_value, n_samples, random_state):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, 1))
    return X, X[:, 0] + property_value


def line(X):
    return X[:, 0]


FAMILIES = {
    "presence": SubsampledFamily.with_presence(X, Y, CLASSES, value=2),
    "mean": SubsampledFamily.with_mean(X, Y, X[:, 0], properties=Interval(0.5, 1.5)),
    "tuples": SubsampledFamily.with_proportions(
        X, Y, CLASSES, values=(0, 2), properties=((0.1, 0.6), (0.6, 0.1), (0.4, 0.4))
    ),
    "several": SubsampledFamily.with_proportions(
        X, Y, CLASSES, values=(0, 2), properties=[Interval(0, 0.5)] * 2
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_of_property_can_be_audited(name):
    target, adversary = FAMILIES[name].split(0.5, random_state=0)
    report = audit(
        LogisticRegression(), target, attacks="queries", n_samples=100,
        adversary=Adversary(family=adversary, n_shadows=60, n_queries=32), **QUICK,
    )  # fmt: skip
    guessed = report.table[report.table["metric"].str.match("accuracy|mean_absolute_error")]
    assert len(guessed) == (2 if name == "several" else 1)
    assert (guessed["advantage"] > 0.1).any()
    assert report.table["n_leaked"].isna().all()


def test_a_function_is_a_family_in_one_line():
    family = DistributionFamily.from_function(shifted_line, (0, 1))
    report = audit(LinearRegression(), family, attacks="queries", n_samples=50,
                   adversary=Adversary(n_shadows=16, n_queries=32), **QUICK)  # fmt: skip
    assert (report.table["value"] == 1).all()


@pytest.mark.filterwarnings("ignore::wsl.exceptions.IdenticalDistributionsWarning")  # epsilon 0
@pytest.mark.parametrize("epsilon", [0.0, 2.0])
def test_a_model_gives_away_a_shift_of_the_outcome_it_learned(epsilon):
    family = ConditionalShiftFamily(line, X, epsilon=epsilon, direction=line)
    report = audit(LinearRegression(), family, attacks="queries", n_samples=100,
                   adversary=Adversary(n_shadows=40, n_queries=32), **QUICK)  # fmt: skip
    row = report.table.iloc[0]
    if epsilon:
        assert row["value"] == 1
    else:
        assert row["ci_low"] <= 0.5 <= row["ci_high"]


@pytest.mark.slow
@pytest.mark.parametrize("on_inputs", [0.0, 1.0])
def test_an_attack_on_least_squares_reaches_the_best_and_not_more(on_inputs):
    family = GaussianFamily(properties=(0, 0.15), on_inputs=on_inputs, n_features=2)
    best = family.bayes_accuracy(150, "coefficients")
    report = audit(
        LinearRegression(), family, attacks="queries", n_samples=150,
        adversary=Adversary(n_shadows=400, n_queries=32), **{**QUICK, "n_targets": 600},
    )  # fmt: skip
    reached = report.table["value"].iloc[0]
    assert abs(reached - best) < 3.5 * np.sqrt(best * (1 - best) / 600) + 0.01
