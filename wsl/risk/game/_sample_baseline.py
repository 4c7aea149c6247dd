"""An adversary who sees rows of the training distribution instead of a model: how many it needs.

The closed form for two shares lives in ``_leakage``.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..._random import draw_seeds, resolve_random_state
from ...distributions import DistributionFamily
from ..evaluation._confidence_intervals import Estimate
from ..shadows._drawn_sets import DrawnSets, draw
from ._losses import GuessLoss

MOST_PRODUCTS = 200  # beyond which no more than squares and products with y are averaged
N_REPLICATES = 500


@dataclass(frozen=True, eq=False)
class SampleBaseline:
    """What it costs an adversary who sees n rows, for growing n.

    Attributes
    ----------
    n_rows : ndarray ``(n_sizes,)`` of int, rising from 0
    losses : ndarray ``(n_sizes, n_targets)``
        Of each target distribution; at 0 rows the risk by the prior alone.
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

    def n_leaked(self, risk: float, deviation: float, random_state: Any) -> Estimate:
        """Return how many rows bring the risk down to that of a model, with a 95% interval.

        Parameters
        ----------
        risk, deviation : float
            Of the attack on models, and its standard error.
        random_state : int, Generator, RandomState or None
            Resamples the targets of the curve, and the risk.

        Returns
        -------
        Estimate
            Infinity where the largest number of rows tells less than the model does.
        """
        rng = resolve_random_state(random_state)
        n_targets = self.losses.shape[1]
        weights = rng.multinomial(n_targets, np.full(n_targets, 1 / n_targets), N_REPLICATES)
        curves = weights @ self.losses.T / n_targets
        risks = risk + deviation * rng.standard_normal(N_REPLICATES)
        found = [rows_for(self.n_rows, *pair) for pair in zip(curves, risks, strict=True)]
        low, high = np.quantile(found, [0.025, 0.975], method="nearest")
        value = rows_for(self.n_rows, self.losses.mean(axis=1), risk)
        return Estimate(value, min(float(low), value), max(float(high), value))


def rows_for(n_rows: np.ndarray, risks: np.ndarray, risk: float) -> float:
    """Return where a curve of risks, made to fall and straight between, comes down to ``risk``."""
    falling = np.minimum.accumulate(risks)
    if risk >= falling[0]:
        return 0.0
    if risk < falling[-1]:
        return math.inf
    above = int(np.flatnonzero(falling > risk)[-1])
    drop = (falling[above] - risk) / (falling[above] - falling[above + 1])
    return float(n_rows[above] + drop * (n_rows[above + 1] - n_rows[above]))


def row_curve(
    family: DistributionFamily,
    adversary_family: DistributionFamily,
    read: Any,
    loss: GuessLoss,
    prior_risk: float,
    *,
    n_sets: int,
    n_samples: int,
    seed: int,
) -> SampleBaseline:
    """Return the losses of an adversary who sees 1, 2, 4, ... ``n_samples`` rows.

    Parameters
    ----------
    family, adversary_family : DistributionFamily
        Where the rows that it must judge, and those that it learns from, are drawn.
    read : callable
        From values of a family's property to what is guessed: classes by their index, or numbers.
    loss : Loss
    prior_risk : float
        What the best guess costs without any row.
    n_sets : int
        Data sets that it learns from; half as many are judged.
    n_samples : int
        Rows of the largest.
    seed : int

    Notes
    -----
    It learns a ridge regression of the property, of classes of their indicators, on the means of
    the columns, of their squares and products: enough to tell Gaussians apart, or shares.
    """
    sizes = np.unique(np.append(2 ** np.arange(int(math.log2(n_samples)) + 1), n_samples))
    seeds = draw_seeds(seed, 2).tolist()
    learnt = draw(adversary_family, n_sets, n_samples, seeds[0])
    judged = draw(family, max(n_sets // 2, 2), n_samples, seeds[1])
    labels = np.unique(np.concatenate([learnt(i)[1] for i in range(min(n_sets, 16))]))
    kinds = labels if labels.dtype.kind != "f" else None
    seen, shown = (_summaries(draws, sizes, kinds) for draws in (learnt, judged))
    known, truth = read(learnt.properties), read(judged.properties)
    losses = [np.full(len(truth), prior_risk)]
    for X, X_judged in zip(seen, shown, strict=True):
        losses.append(loss(_guess(X, known, X_judged, loss), truth))
    return SampleBaseline(np.append(0, sizes), np.stack(losses))


def _guess(X: np.ndarray, known: np.ndarray, X_judged: np.ndarray, loss: GuessLoss) -> np.ndarray:
    """Return the guesses of a ridge regression."""
    wanted = known if loss.classes is None else np.eye(len(loss.classes))[known]
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 7))).fit(X, wanted)
    found = model.predict(X_judged)
    if loss.classes is None:
        return found
    shares = np.clip(found, 1e-6, None)
    return loss.decide(found.argmax(axis=1), shares / shares.sum(axis=1, keepdims=True))


def _summaries(draws: DrawnSets, sizes: np.ndarray, kinds: np.ndarray | None) -> np.ndarray:
    """Return means over the first n rows of each set, ``(n_sizes, n_sets, n_features)``."""
    parts = []
    for index in range(len(draws)):
        X, y, *_ = draws(index)
        order = np.random.default_rng(int(draws.seeds[index])).permutation(len(X))
        moments = _moments(np.asarray(X, dtype=float)[order], np.asarray(y)[order], kinds)
        # a family may give fewer rows than asked
        counts = np.minimum(sizes, len(moments))
        parts.append(np.cumsum(moments, axis=0)[counts - 1] / counts[:, None])
    return np.stack(parts, axis=1)


def _moments(X: np.ndarray, y: np.ndarray, kinds: np.ndarray | None) -> np.ndarray:
    """Return each row's columns, squares and products, ``(n_samples, n_features)``."""
    outcome = y.reshape(len(y), -1).astype(float) if kinds is None else y[:, None] == kinds[1:]
    both = np.hstack([X, outcome])
    i, j = np.triu_indices(both.shape[1])
    if len(i) > MOST_PRODUCTS:
        i = np.arange(both.shape[1])
        products = [both[:, i] ** 2, *(X * column[:, None] for column in outcome.T)]
        return np.hstack([both, *products])
    return np.hstack([both, both[:, i] * both[:, j]])
