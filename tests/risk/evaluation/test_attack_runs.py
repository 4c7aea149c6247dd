import numpy as np
import pytest
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from wsl._random import resolve_random_state
from wsl.distributions import DistributionFamily, Interval
from wsl.exceptions import AttackNotApplicableWarning
from wsl.risk.evaluation._attack_inputs import encode_properties
from wsl.risk.evaluation._attack_runs import AttackRun, draw_halves, run_attacks
from wsl.risk.evaluation._attack_specs import AttackSpec
from wsl.risk.evaluation._tables import chance_of, evaluate
from wsl.risk.shadows._drawn_sets import draw_sets
from wsl.risk.shadows._trainer import Trainer

N_SAMPLES, SHIFT = 64, 0.25


def shifted_labels(property_value, n_samples, random_state):
    """Labels around ``property_value * SHIFT``: a learner of their mean leaks just that."""
    rng = resolve_random_state(random_state)
    X = rng.normal(size=(n_samples, 1))
    return X, property_value * SHIFT + rng.normal(size=n_samples)


SHIFTED = DistributionFamily.from_function(shifted_labels, (0, 1))
RESPONSES = AttackSpec("responses", False, LinearDiscriminantAnalysis())
WEIGHTS = AttackSpec("weights", True, LinearDiscriminantAnalysis())


def populations(learner, family=SHIFTED, n_shadows=200, n_targets=400):
    trainer = Trainer(learner, np.zeros((1, 1)))
    return [
        trainer.train(draw_sets(family, n_models, N_SAMPLES, seed), seed)
        for n_models, seed in ((n_shadows, 1), (n_targets, 2))
    ]


@pytest.mark.slow
def test_an_attack_reaches_the_bayes_accuracy_and_not_more():
    """A mean of n labels is N(p shift, 1 / n): the best guess has Phi(shift sqrt(n) / 2)."""
    shadows, targets = populations(DummyRegressor())
    runs = run_attacks([RESPONSES], shadows, targets, (0, 1), n_repeats=5, seed=0).runs
    row = evaluate("responses", runs["responses"], targets.properties, (0, 1), False)[0]
    _, metric, value, low, high, *_ = row
    best = norm.cdf(SHIFT * np.sqrt(N_SAMPLES) / 2)
    assert metric == "accuracy"
    assert low <= best <= high
    assert abs(value - best) < 3 * np.sqrt(best * (1 - best) / 400)


@pytest.mark.slow
def test_weights_reveal_what_responses_reveal():
    shadows, targets = populations(LinearRegression())
    specs = [WEIGHTS, RESPONSES]
    runs = run_attacks(specs, shadows, targets, (0, 1), n_repeats=3, seed=0).runs
    accuracies = [np.mean(runs[spec.name].guesses == targets.properties) for spec in specs]
    best = norm.cdf(SHIFT * np.sqrt(N_SAMPLES) / 2)
    assert all(abs(a - best) < 0.08 for a in accuracies)


def test_attacks_do_not_depend_on_each_other():
    shadows, targets = populations(LinearRegression(), n_shadows=40, n_targets=40)
    alone = run_attacks([RESPONSES], shadows, targets, (0, 1), n_repeats=3, seed=0).runs
    both = run_attacks([WEIGHTS, RESPONSES], shadows, targets, (0, 1), n_repeats=3, seed=0).runs
    np.testing.assert_array_equal(alone["responses"].guesses, both["responses"].guesses)


def test_without_weights_white_box_attacks_are_skipped():
    shadows, targets = populations(DummyRegressor(), n_shadows=20, n_targets=10)
    with pytest.warns(AttackNotApplicableWarning, match="'weights' skipped: it needs weights"):
        results = run_attacks([WEIGHTS, RESPONSES], shadows, targets, (0, 1), n_repeats=1, seed=0)
    assert "needs weights" in results.skipped["weights"]
    assert results.runs["responses"].guesses.shape == (1, 10)


def test_halves_hold_half_of_each_class():
    labels = np.array([0] * 20 + [1] * 10)
    halves = draw_halves(labels, 50, 0)
    for half in halves:
        assert len(set(half.tolist())) == 15
        assert (labels[half] == 1).sum() == 5
    assert len({tuple(sorted(h.tolist())) for h in halves}) > 40
    assert set(np.concatenate(halves).tolist()) == set(range(30))
    assert len(draw_halves(np.linspace(0, 1, 31), 1, 0)[0]) == 16


@pytest.mark.parametrize("classes", [(0.2, 0.5), ("a", 1), (True, False)])
def test_classes_of_any_type_are_encoded_as_indices(classes):
    values = np.array([classes[i] for i in (0, 1, 1, 0)], dtype=object)
    labels = encode_properties(values, classes)
    assert labels.tolist() == [0, 1, 1, 0]
    assert labels.dtype.kind == "i"


def test_errors_are_compared_with_those_of_the_midpoint():
    truth = np.array([0.0, 1.0, 0.5, 0.25])
    guesses = np.stack([truth + 0.1, truth - 0.3])
    rows = evaluate("any", AttackRun(guesses), truth, Interval(0, 1), True)
    (_, metric, value, low, high, gained, leaked) = rows[0]
    assert metric == "mean_absolute_error"
    assert value == pytest.approx(0.2)
    assert 0 <= low <= value <= high
    assert chance_of(Interval(0, 1), truth) == {"mean_absolute_error": pytest.approx(1.25 / 4)}
    assert gained == pytest.approx(1 - 0.2 / (1.25 / 4))
    assert np.isnan(leaked)


def test_several_continuous_properties_have_a_row_each():
    intervals = [Interval(0, 1), Interval(0, 10)]
    truth = np.array([[0.0, 0.0], [1.0, 10.0], [0.5, 5.0]])
    rows = evaluate(
        "any", AttackRun(np.stack([truth + np.array([0.1, 1.0])] * 3)), truth, intervals, False
    )
    assert [row[1] for row in rows] == ["mean_absolute_error_0", "mean_absolute_error_1"]
    assert [row[2] for row in rows] == pytest.approx([0.1, 1.0])
