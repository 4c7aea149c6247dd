"""Tests of one set of columns: does y, given them, still depend on the environment?

Which sets are tested, and what follows, is for ``_invariant``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import stats
from sklearn.preprocessing import SplineTransformer

from ._independence_tests import as_variable, draw_rows, kernel_p_value, seeded_global_generators

JITTER = 1e-9  # of the Gram matrix, so that equal and constant columns do no harm
N_KNOTS = 4
NEWTON_STEPS = 25
SEPARATED = 30.0  # a coefficient beyond it belongs to classes that are separated
MAX_ROWS = 1000  # of the kernel test, which takes about .7 s then
Test = Callable[[tuple[int, ...]], float]


@dataclass(frozen=True, eq=False)
class Design:
    """A training set, made ready for regressions on many sets of its columns.

    Attributes
    ----------
    X : ndarray ``(n_samples, n_features)``
    y : ndarray ``(n_samples,)``
    environment : ndarray ``(n_samples,)`` of int
    targets : ndarray ``(n_samples, n_targets)``
        y standardised, or one indicator a class.
    terms : ndarray ``(n_samples, n_terms)``
        The first is 1, the others standardised columns, or splines of them.
    places : tuple of ndarray of int
        For each column, which of the terms are its own.
    gram : ndarray ``(n_terms, n_terms)``
    moments : ndarray ``(n_terms, n_targets)``
    """

    X: np.ndarray
    y: np.ndarray
    environment: np.ndarray
    targets: np.ndarray
    terms: np.ndarray
    places: tuple[np.ndarray, ...]
    gram: np.ndarray
    moments: np.ndarray

    @classmethod
    def of(
        cls, X: np.ndarray, y: np.ndarray, environment: np.ndarray, additive: bool = False
    ) -> "Design":
        """Expand columns; ``additive`` gives each a cubic spline with knots at its quantiles."""
        blocks = [_standardised(_spline(x) if additive else x[:, None]) for x in X.T.astype(float)]
        widths = [1, *(block.shape[1] for block in blocks)]
        ends = np.cumsum(widths)
        places = tuple(np.arange(a, b) for a, b in pairwise(ends))
        terms = np.hstack([np.ones((len(X), 1)), *blocks])
        if y.dtype.kind == "f":
            targets = _standardised(y[:, None].astype(float))
        else:
            targets = (y[:, None] == np.unique(y)).astype(float)
        gram = terms.T @ terms
        gram[np.diag_indices_from(gram)] += JITTER * len(X)
        return cls(X, y, environment, targets, terms, places, gram, terms.T @ targets)

    @cached_property
    def members(self) -> np.ndarray:
        """Whether a sample is of an environment, ``(n_environments, n_samples)``."""
        return self.environment == np.arange(self.environment.max() + 1)[:, None]

    @property
    def is_numeric(self) -> bool:
        """Whether y is a number, and not a class."""
        return self.y.dtype.kind == "f"

    def places_of(self, columns: tuple[int, ...]) -> np.ndarray:
        """Return which terms a regression on these columns has."""
        return np.concatenate([[0], *(self.places[column] for column in columns)]).astype(int)

    def fit(self, columns: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of the terms and their least-squares coefficients."""
        places = self.places_of(columns)
        return places, np.linalg.solve(self.gram[np.ix_(places, places)], self.moments[places])

    def criterion(self, columns: tuple[int, ...]) -> float:
        """Return the Bayesian information criterion of least squares on these columns.

        With classes it is that of their indicators, the Brier score's.
        """
        n_samples = len(self.y)
        places, coefficients = self.fit(columns)
        explained = float((self.moments[places] * coefficients).sum())
        rest = max(float((self.targets**2).sum()) - explained, 1e-12 * n_samples)
        return n_samples * float(np.log(rest / n_samples)) + len(places) * float(np.log(n_samples))

    def choose_greedily(self, n_columns: int) -> list[int]:
        """Return the columns that predict best together, each added to those before it."""
        chosen: list[int] = []
        left = set(range(len(self.places)))
        while len(chosen) < n_columns:
            best = min(sorted(left), key=lambda column: self.criterion((*chosen, column)))
            chosen.append(best)
            left.remove(best)
        return chosen


def _standardised(block: np.ndarray) -> np.ndarray:
    block = block - block.mean(0)
    spread = block.std(0)
    return block / np.where(spread > 0, spread, 1)


def _spline(column: np.ndarray) -> np.ndarray:
    """Return a cubic spline's terms; a column of few values, one for each but the first."""
    values = np.unique(column)
    if len(values) <= N_KNOTS + 2:
        return (column[:, None] == values[1:]).astype(float) if len(values) > 1 else column[:, None]
    knots = np.unique(np.quantile(column, np.linspace(0, 1, N_KNOTS)))[:, None]
    if len(knots) < 2:
        return column[:, None]
    return SplineTransformer(knots=knots, include_bias=False).fit_transform(column[:, None])


def make_test(name: str, design: Design) -> Test:
    """Return the function from columns to the p-value of y not depending on the environment."""
    if name == "kernel":
        return _kernel_test(design)
    compare = compare_least_squares if design.is_numeric else compare_logistic
    return lambda columns: compare(design, columns)


def _kernel_test(design: Design) -> Test:
    rows = draw_rows(len(design.y), MAX_ROWS)
    X, y = design.X[rows].astype(float), as_variable(design.y[rows])
    environment = as_variable(design.environment[rows])

    def p_value(columns: tuple[int, ...]) -> float:
        with seeded_global_generators():
            return kernel_p_value(y, environment, X[:, list(columns)] if columns else None)

    return p_value


def compare_least_squares(design: Design, columns: tuple[int, ...]) -> float:
    r"""Test whether one regression by least squares serves all environments.

    Notes
    -----
    Method I of [1]_: the coefficients are compared by Chow's F-test, and the variance of the
    residuals in each environment with that of all others, with Bonferroni's correction over
    environments; the p-value is twice the lesser of the two. Variances are compared by Welch's
    t-test of the squared residuals in place of the F-test, so that noise need not be Gaussian.

    References
    ----------
    .. [1] J. Peters, P. Buehlmann and N. Meinshausen, "Causal inference by using invariant
       prediction: identification and confidence intervals", JRSS B 2016, section 3.1.
    """
    places, coefficients = design.fit(columns)
    terms = design.terms[:, places]
    residuals = (design.targets - terms @ coefficients)[:, 0]
    groups = [terms[rows] for rows in design.members]
    scores = [part.T @ residuals[rows] for part, rows in zip(groups, design.members, strict=True)]
    gained, df = _heterogeneity(np.array(scores), np.array([part.T @ part for part in groups]))
    rest = float(residuals @ residuals) - gained
    df_rest = len(residuals) - df - len(places)
    unequal = 1.0
    if df > 0 and df_rest > 0 and rest > 0:
        unequal = float(stats.f.sf(gained / df * df_rest / rest, df, df_rest))
    return min(1.0, 2 * min(unequal, _differ(residuals**2, design.members)))


def _heterogeneity(scores: np.ndarray, information: np.ndarray) -> tuple[float, int]:
    r"""Return :math:`\sum_e U_e^T I_e^{-1} U_e`, and its degrees of freedom.

    How much better one regression an environment fits than one for all; ``scores`` is
    ``(n_environments, n_coefficients)``, at the maximum for all.
    """
    inverses = np.linalg.pinv(information, rcond=1e-8, hermitian=True)
    ranks = np.linalg.matrix_rank(information, rtol=1e-8, hermitian=True)
    shared = np.linalg.matrix_rank(information.sum(0), rtol=1e-8, hermitian=True)
    gained = float(np.einsum("ei,eij,ej->", scores, inverses, scores))
    return gained, int(ranks.sum() - shared)


def _differ(values: np.ndarray, members: np.ndarray) -> float:
    """Return the least of Welch's p-values, each environment against the rest, times their number.

    ``members`` is ``(n_environments, n_samples)`` of bool. Environments of one row tell nothing.
    """
    members = members[:1] if len(members) == 2 else members  # the second would repeat the first
    inside, outside = (_mean_and_error(values, part) for part in (members, ~members))
    (mean, error, n), (other, error_other, n_other) = inside, outside
    usable = (n > 1) & (n_other > 1) & (error + error_other > 0)
    if not usable.any():
        return 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(mean - other) / np.sqrt(error + error_other)
        df = (error + error_other) ** 2 / (error**2 / (n - 1) + error_other**2 / (n_other - 1))
    p_values = 2 * stats.t.sf(t[usable], df[usable])
    return min(1.0, float(p_values.min()) * len(members))


def _mean_and_error(
    values: np.ndarray, members: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means in each environment, their squared standard errors, and the numbers of rows."""
    n = members.sum(1)
    mean = members @ values / np.maximum(n, 1)
    spread = members @ values**2 / np.maximum(n, 1) - mean**2
    return mean, np.maximum(spread, 0) / np.maximum(n - 1, 1), n


def compare_logistic(design: Design, columns: tuple[int, ...]) -> float:
    r"""Test whether one logistic regression serves all environments.

    Notes
    -----
    Rao's score test of equal coefficients, the counterpart of Chow's. With the score
    :math:`U_e` and Fisher's information :math:`I_e` of environment e at the pooled maximum,
    :math:`\sum_e U_e^T I_e^{-1} U_e` follows a chi-squared distribution, with as many degrees of
    freedom as the environments have coefficients more than one regression has.
    """
    terms = design.terms[:, design.places_of(columns)]
    parts = [(terms[rows], design.targets[rows]) for rows in design.members]
    coefficients = np.zeros((terms.shape[1], design.targets.shape[1] - 1))
    for _ in range(NEWTON_STEPS):
        scores, information = _scores(parts, coefficients)
        pooled = information.sum(0)
        pooled[np.diag_indices_from(pooled)] += JITTER * len(terms)
        step = np.linalg.solve(pooled, scores.sum(0)).reshape(coefficients.shape)
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-6 or np.abs(coefficients).max() > SEPARATED:
            break
    gained, df = _heterogeneity(*_scores(parts, coefficients))
    return float(stats.chi2.sf(gained, df)) if df > 0 else 1.0


def _scores(
    parts: list[tuple[np.ndarray, np.ndarray]], coefficients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return score ``(n_environments, n_coefficients)`` and information of a logistic regression.

    The last class is the reference, so its logit is 0.
    """
    scores, information = [], []
    n_coefficients = coefficients.size
    for terms, targets in parts:
        logits = np.hstack([terms @ coefficients, np.zeros((len(terms), 1))])
        odds = np.exp(logits - logits.max(1, keepdims=True))
        p = (odds / odds.sum(1, keepdims=True))[:, :-1]
        scores.append((terms.T @ (targets[:, :-1] - p)).ravel())
        spread = p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
        own = np.einsum("ni,nkl,nj->ikjl", terms, spread, terms, optimize=True)
        information.append(own.reshape(n_coefficients, n_coefficients))
    return np.array(scores), np.array(information)
