"""Tests of one set of columns: whether y given them still depends on the environment."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import stats
from sklearn.preprocessing import SplineTransformer

from .._scaling import standardized
from .._sklearn_compat import arrays_inside
from ._independence_tests import as_variable, draw_rows, kernel_p_value, seeded_global_generators

JITTER = 1e-9  # of the Gram matrix, for equal and constant columns
N_KNOTS = 4
NEWTON_STEPS = 25
SEPARATED = 30.0  # larger coefficients occur if classes are separable
MAX_ROWS = 1000  # of the kernel test, which takes about .7 s then
Test = Callable[[tuple[int, ...]], float]


@dataclass(frozen=True, eq=False)
class Design:
    """A training set prepared for regressions on many sets of its columns.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        Columns.
    y : ndarray of shape (n_samples,)
        Outcome.
    environment : ndarray of int of shape (n_samples,)
        Index of each sample's environment.
    targets : ndarray of shape (n_samples, n_targets)
        Standardised y, or one indicator per class.
    terms : ndarray of shape (n_samples, n_terms)
        A constant, then standardised columns or splines of them.
    term_indices : tuple of ndarray of int
        For each column, the indices of its terms.
    gram : ndarray of shape (n_terms, n_terms)
        Gram matrix of the terms.
    moments : ndarray of shape (n_terms, n_targets)
        Products of terms and targets.
    """

    X: np.ndarray
    y: np.ndarray
    environment: np.ndarray
    targets: np.ndarray
    terms: np.ndarray
    term_indices: tuple[np.ndarray, ...]
    gram: np.ndarray
    moments: np.ndarray

    @classmethod
    def of(
        cls, X: np.ndarray, y: np.ndarray, environment: np.ndarray, additive: bool = False
    ) -> "Design":
        """Expand the columns, with ``additive`` into cubic splines with knots at quantiles."""
        blocks = [standardized(_spline(x) if additive else x[:, None]) for x in X.T.astype(float)]
        widths = [1, *(block.shape[1] for block in blocks)]
        ends = np.cumsum(widths)
        term_indices = tuple(np.arange(a, b) for a, b in pairwise(ends))
        terms = np.hstack([np.ones((len(X), 1)), *blocks])
        if y.dtype.kind == "f":
            targets = standardized(y[:, None].astype(float))
        else:
            targets = (y[:, None] == np.unique(y)).astype(float)
        gram = terms.T @ terms
        gram[np.diag_indices_from(gram)] += JITTER * len(X)
        return cls(X, y, environment, targets, terms, term_indices, gram, terms.T @ targets)

    @cached_property
    def members(self) -> np.ndarray:
        """Masks of the samples of each environment, ``(n_environments, n_samples)``."""
        return self.environment == np.arange(self.environment.max() + 1)[:, None]

    @property
    def is_numeric(self) -> bool:
        """Whether y is continuous."""
        return self.y.dtype.kind == "f"

    def terms_of(self, columns: tuple[int, ...]) -> np.ndarray:
        """Return the indices of the terms of a regression on these columns."""
        indices = [self.term_indices[column] for column in columns]
        return np.concatenate([[0], *indices]).astype(int)

    def fit(self, columns: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the terms and their least-squares coefficients."""
        terms = self.terms_of(columns)
        return terms, np.linalg.solve(self.gram[np.ix_(terms, terms)], self.moments[terms])

    def criterion(self, columns: tuple[int, ...]) -> float:
        """Return the Bayesian information criterion of least squares on these columns.

        For classes it is that of their indicators (Brier score).
        """
        n_samples = len(self.y)
        terms, coefficients = self.fit(columns)
        explained = float((self.moments[terms] * coefficients).sum())
        residual = max(float((self.targets**2).sum()) - explained, 1e-12 * n_samples)
        log_n = float(np.log(n_samples))
        return n_samples * float(np.log(residual / n_samples)) + len(terms) * log_n

    def select_greedily(self, n_columns: int) -> list[int]:
        """Return the columns that predict best together, selected one after another."""
        selected: list[int] = []
        remaining = set(range(len(self.term_indices)))
        while len(selected) < n_columns:
            best = min(sorted(remaining), key=lambda column: self.criterion((*selected, column)))
            selected.append(best)
            remaining.remove(best)
        return selected


def _spline(column: np.ndarray) -> np.ndarray:
    """Return the terms of a cubic spline, or indicators for a column with few values."""
    values = np.unique(column)
    if len(values) <= N_KNOTS + 2:
        return (column[:, None] == values[1:]).astype(float) if len(values) > 1 else column[:, None]
    knots = np.unique(np.quantile(column, np.linspace(0, 1, N_KNOTS)))[:, None]
    if len(knots) < 2:
        return column[:, None]
    with arrays_inside():
        return SplineTransformer(knots=knots, include_bias=False).fit_transform(column[:, None])


def make_test(name: str, design: Design) -> Test:
    """Return the function from columns to the p-value of y's independence of the environment."""
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
    r"""Test whether one least-squares regression fits all environments.

    Notes
    -----
    Method I of [1]_: the coefficients are compared by Chow's F-test, and the variance of the
    residuals in each environment with that of all others, with Bonferroni's correction over
    environments; the p-value is twice the smaller of the two. Variances are compared by Welch's
    t-test of the squared residuals instead of the F-test, so that noise need not be Gaussian.

    References
    ----------
    .. [1] J. Peters, P. Buehlmann and N. Meinshausen, "Causal inference by using invariant
       prediction: identification and confidence intervals", JRSS B 2016, section 3.1.
    """
    indices, coefficients = design.fit(columns)
    terms = design.terms[:, indices]
    residuals = (design.targets - terms @ coefficients)[:, 0]
    groups = [terms[rows] for rows in design.members]
    scores = [part.T @ residuals[rows] for part, rows in zip(groups, design.members, strict=True)]
    gain, df = _heterogeneity(np.array(scores), np.array([part.T @ part for part in groups]))
    rest = float(residuals @ residuals) - gain
    df_rest = len(residuals) - df - len(indices)
    p_coefficients = 1.0
    if df > 0 and df_rest > 0 and rest > 0:
        p_coefficients = float(stats.f.sf(gain / df * df_rest / rest, df, df_rest))
    return min(1.0, 2 * min(p_coefficients, _compare_means(residuals**2, design.members)))


def _heterogeneity(scores: np.ndarray, information: np.ndarray) -> tuple[float, int]:
    r"""Return :math:`\sum_e U_e^T I_e^{-1} U_e` and its degrees of freedom.

    It is the gain in fit of one regression per environment over one for all; ``scores`` are
    ``(n_environments, n_coefficients)`` at the pooled maximum.
    """
    inverses = np.linalg.pinv(information, rcond=1e-8, hermitian=True)
    ranks = np.linalg.matrix_rank(information, rtol=1e-8, hermitian=True)
    shared_rank = np.linalg.matrix_rank(information.sum(0), rtol=1e-8, hermitian=True)
    gain = float(np.einsum("ei,eij,ej->", scores, inverses, scores))
    return gain, int(ranks.sum() - shared_rank)


def _compare_means(values: np.ndarray, members: np.ndarray) -> float:
    """Return the smallest of Welch's p-values of environments against the rest, times their number.

    ``members`` are masks ``(n_environments, n_samples)``. Environments of one row are left out.
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
    """Return the mean of each environment, its squared standard error, and the number of rows."""
    n = members.sum(1)
    mean = members @ values / np.maximum(n, 1)
    variance = members @ values**2 / np.maximum(n, 1) - mean**2
    return mean, np.maximum(variance, 0) / np.maximum(n - 1, 1), n


def compare_logistic(design: Design, columns: tuple[int, ...]) -> float:
    r"""Test whether one logistic regression fits all environments.

    Notes
    -----
    Rao's score test of equal coefficients, the counterpart of Chow's test. With the score
    :math:`U_e` and the Fisher information :math:`I_e` of environment e at the pooled maximum,
    :math:`\sum_e U_e^T I_e^{-1} U_e` has a chi-squared distribution, with the number of
    coefficients of all environments minus that of one regression as degrees of freedom.
    """
    terms = design.terms[:, design.terms_of(columns)]
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
    gain, df = _heterogeneity(*_scores(parts, coefficients))
    return float(stats.chi2.sf(gain, df)) if df > 0 else 1.0


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
        covariance = p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
        fisher = np.einsum("ni,nkl,nj->ikjl", terms, covariance, terms, optimize=True)
        information.append(fisher.reshape(n_coefficients, n_coefficients))
    return np.array(scores), np.array(information)
