"""Baseline of an adversary that observes rows of the training distribution instead of a model."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..._random import draw_seeds, resolve_random_state
from ..._sklearn_compat import arrays_inside
from ...distributions import DistributionFamily
from ..evaluation._confidence_intervals import Estimate
from ..shadows._drawn_sets import DrawnSets, draw_sets
from ..shadows._numeric_encoder import numeric_encoder
from ._losses import GuessLoss

MAX_PRODUCTS = 200  # with more, only squares and products with y are used
N_REPLICATES = 500


@dataclass(frozen=True, eq=False)
class SampleBaseline:
    """Losses of an adversary that observes n rows, for growing n.

    Attributes
    ----------
    n_rows : ndarray of shape (n_sizes,), int
        Rising from 0.
    losses : ndarray of shape (n_sizes, n_targets)
        For each target distribution; for 0 rows, the risk by the prior alone.
    """

    n_rows: np.ndarray
    losses: np.ndarray

    def table(self) -> pd.DataFrame:
        """Return the risk at each number of rows, with its 95% interval."""
        mean = self.losses.mean(axis=1)
        half = 1.96 * self.losses.std(axis=1, ddof=1) / math.sqrt(self.losses.shape[1])
        return pd.DataFrame(
            {"n_rows": self.n_rows, "risk": mean, "ci_low": mean - half, "ci_high": mean + half}
        )

    def n_leaked(self, risk: float, standard_error: float, random_state: Any) -> Estimate:
        """Return how many rows have the same risk as a model, with a 95% interval.

        Parameters
        ----------
        risk, standard_error : float
            Of the attack on models.
        random_state : int, Generator, RandomState or None
            With which target distributions are resampled, and the risk.

        Returns
        -------
        Estimate
            Infinite if the largest number of rows has a larger risk than the model.
        """
        rng = resolve_random_state(random_state)
        n_targets = self.losses.shape[1]
        weights = rng.multinomial(n_targets, np.full(n_targets, 1 / n_targets), N_REPLICATES)
        curves = weights @ self.losses.T / n_targets
        risks = risk + standard_error * rng.standard_normal(N_REPLICATES)
        replicates = [rows_for(self.n_rows, *pair) for pair in zip(curves, risks, strict=True)]
        low, high = np.quantile(replicates, [0.025, 0.975], method="nearest")
        value = rows_for(self.n_rows, self.losses.mean(axis=1), risk)
        return Estimate(value, min(float(low), value), max(float(high), value))


def rows_for(n_rows: np.ndarray, risks: np.ndarray, risk: float) -> float:
    """Return where a curve of risks, made to fall and linear in between, reaches ``risk``."""
    falling = np.minimum.accumulate(risks)
    if risk >= falling[0]:
        return 0.0
    if risk < falling[-1]:
        return math.inf
    above = int(np.flatnonzero(falling > risk)[-1])
    fraction = (falling[above] - risk) / (falling[above] - falling[above + 1])
    return float(n_rows[above] + fraction * (n_rows[above + 1] - n_rows[above]))


def measure_sample_baseline(
    family: DistributionFamily,
    adversary_family: DistributionFamily,
    encode: Callable[[np.ndarray], np.ndarray],
    loss: GuessLoss,
    prior_risk: float,
    *,
    n_sets: int,
    n_samples: int,
    seed: int,
) -> SampleBaseline:
    """Return the losses of an adversary that observes 1, 2, 4, ... ``n_samples`` rows.

    Parameters
    ----------
    family, adversary_family : DistributionFamily
        From which the rows are drawn that it judges, and those that it learns from.
    encode : callable
        From values of a family's property to what is guessed: class indices, or floats.
    loss : GuessLoss
    prior_risk : float
        Risk of the best guess without any row.
    n_sets : int
        Number of data sets that it learns from; half as many are judged.
    n_samples : int
        Rows of the largest.
    seed : int

    Notes
    -----
    It learns a ridge regression of the property (for classes, of their indicators) on the means of
    the columns, of their squares and products: enough to distinguish Gaussians, or proportions.
    """
    sizes = np.unique(np.append(2 ** np.arange(int(math.log2(n_samples)) + 1), n_samples))
    seeds = draw_seeds(seed, 2).tolist()
    train_sets = draw_sets(adversary_family, n_sets, n_samples, seeds[0])
    test_sets = draw_sets(family, max(n_sets // 2, 2), n_samples, seeds[1])
    labels = np.unique(np.concatenate([train_sets(i)[1] for i in range(min(n_sets, 16))]))
    classes = labels if labels.dtype.kind != "f" else None
    to_numbers = numeric_encoder(train_sets(0)[0])
    train_moments, test_moments = (
        _mean_moments(sets, sizes, classes, to_numbers) for sets in (train_sets, test_sets)
    )
    targets, truth = encode(train_sets.properties), encode(test_sets.properties)
    losses = [np.full(len(truth), prior_risk)]
    for X, X_test in zip(train_moments, test_moments, strict=True):
        losses.append(loss(_guess(X, targets, X_test, loss), truth))
    return SampleBaseline(np.append(0, sizes), np.stack(losses))


def _guess(X: np.ndarray, targets: np.ndarray, X_test: np.ndarray, loss: GuessLoss) -> np.ndarray:
    """Return the guesses of a ridge regression."""
    outcome = targets if loss.classes is None else np.eye(len(loss.classes))[targets]
    with arrays_inside():
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 7))).fit(X, outcome)
        predicted = model.predict(X_test)
    if loss.classes is None:
        return predicted
    weights = np.clip(predicted, 1e-6, None)
    return loss.decide(predicted.argmax(axis=1), weights / weights.sum(axis=1, keepdims=True))


def _mean_moments(
    drawn_sets: DrawnSets,
    sizes: np.ndarray,
    classes: np.ndarray | None,
    to_numbers: Callable[[Any], np.ndarray],
) -> np.ndarray:
    """Return mean moments of the first n rows of each set, ``(n_sizes, n_sets, n_moments)``."""
    means = []
    for index in range(len(drawn_sets)):
        X, y, *_ = drawn_sets(index)
        order = np.random.default_rng(int(drawn_sets.seeds[index])).permutation(len(X))
        moments = _moments(to_numbers(X)[order], np.asarray(y)[order], classes)
        # a family may return fewer rows than requested
        counts = np.minimum(sizes, len(moments))
        means.append(np.cumsum(moments, axis=0)[counts - 1] / counts[:, None])
    return np.stack(means, axis=1)


def _moments(X: np.ndarray, y: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """Return each row's columns, squares and products, ``(n_samples, n_moments)``."""
    outcome = y.reshape(len(y), -1).astype(float) if classes is None else y[:, None] == classes[1:]
    columns = np.hstack([X, outcome])
    i, j = np.triu_indices(columns.shape[1])
    if len(i) > MAX_PRODUCTS:
        products = [columns**2, *(X * column[:, None] for column in outcome.T)]
        return np.hstack([columns, *products])
    return np.hstack([columns, columns[:, i] * columns[:, j]])
