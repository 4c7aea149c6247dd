"""The default meta-estimators: ridge regression on the features of a wide RBF kernel."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.kernel_approximation import Nystroem
from sklearn.preprocessing import StandardScaler

from ..._diverged import typical_rows
from ._calibration import calibrate

N_COMPONENTS = 256
WIDTHS = (0.03, 1.0)  # gamma times the number of features: nearly linear, and non-linear
PENALTIES = np.logspace(-9, 3, 25)  # of the squared weights, times the number of models
EPSILON = 1e-12  # smaller eigenvalues, relative to the largest, are rounding errors


class _KernelRidge(BaseEstimator):
    """Kernel features, with width and penalty of least leave-one-out error.

    A kernel this wide is nearly linear, which suffices for most properties. The prediction for a
    model by a fit without it follows in closed form from one eigendecomposition, so that width and
    penalty are selected, and probabilities calibrated, on left-out models at the cost of one fit
    per width.
    """

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _solve(self, X: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Fit to ``targets (n_models, n_targets)``; return centred leave-one-out predictions."""
        self.scaler_ = StandardScaler().fit(typical_rows(X))
        scaled = self.scaler_.transform(X)
        fits = [self._fit_width(scaled, targets, width) for width in WIDTHS]
        _, left_out, self.kernel_, self.coef_, self.shift_ = min(fits, key=lambda fit: fit[0])
        return left_out

    def _fit_width(self, X: np.ndarray, targets: np.ndarray, width: float) -> tuple[Any, ...]:
        """Return leave-one-out error and predictions, the kernel, its weights and the shift."""
        kernel = Nystroem(
            gamma=width / X.shape[1],
            n_components=min(N_COMPONENTS, len(X)),
            random_state=self.random_state,
        )
        features = kernel.fit(X).transform(X)
        mean = features.mean(axis=0)
        error, left_out, weights = ridge_leave_one_out(features - mean, targets, PENALTIES * len(X))
        return error, left_out, kernel, weights, mean @ weights

    def _scores(self, X: Any) -> np.ndarray:
        """Return centred predictions, ``(n_models, n_targets)``."""
        scaled = self.scaler_.transform(as_double(X))
        return self.kernel_.transform(scaled) @ self.coef_ - self.shift_


class KernelRidgeClassifier(ClassifierMixin, _KernelRidge):
    """Ridge regression on class indicators; probabilities calibrated on left-out scores."""

    def fit(self, X, y):
        """Learn from features ``X (n_models, n_features)`` and classes ``y (n_models,)``."""
        self.classes_, labels = np.unique(y, return_inverse=True)
        left_out = self._solve(as_double(X), np.eye(len(self.classes_))[labels])
        self.calibration_ = calibrate(left_out, labels)
        return self

    def predict_proba(self, X):
        """Return probabilities ``(n_models, n_classes)``."""
        return self.calibration_(self._scores(X))

    def predict(self, X):
        """Return the most probable class of each model, ``(n_models,)``."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class KernelRidgeRegressor(RegressorMixin, _KernelRidge):
    """Ridge regression; several targets share one width and penalty."""

    def fit(self, X, y):
        """Learn from features ``X`` and one or several targets ``y`` per model."""
        targets = np.asarray(y, dtype=float).reshape(len(X), -1)
        self.scale_ = np.where(targets.std(axis=0) > 0, targets.std(axis=0), 1.0)
        self._solve(as_double(X), targets / self.scale_)
        self.mean_ = targets.mean(axis=0)
        self.shape_ = np.shape(y)[1:]
        return self

    def predict(self, X):
        """Return the targets of each model, in the shape of y."""
        targets = self._scores(X) * self.scale_ + self.mean_
        return targets.reshape(len(targets), *self.shape_)


def as_double(X: Any) -> np.ndarray:
    """Return features as float64, as the kernel squares small differences."""
    return np.asarray(X, dtype=np.float64)


def ridge_leave_one_out(
    features: np.ndarray, targets: np.ndarray, penalties: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    r"""Fit ridge regression with the penalty of least leave-one-out error.

    Parameters
    ----------
    features : ndarray of shape (n_models, n_features)
        Centred features.
    targets : ndarray of shape (n_models, n_targets)
        Targets, not centred.
    penalties : ndarray of shape (n_penalties,)
        Candidate penalties.

    Returns
    -------
    error : float
        The mean squared leave-one-out error of the best penalty.
    left_out : ndarray of shape (n_models, n_targets)
        The prediction for each model by a fit without it, minus the mean target of the other
        models: that mean alone would reveal the class of the left-out model.
    weights : ndarray of shape (n_features, n_targets)
        Weights of the fit to all models.

    Notes
    -----
    With the hat matrix H of a linear smoother, :math:`y_i - \hat y_i^{(-i)} =
    (y_i - \hat y_i) / (1 - H_{ii})`.
    """
    n_models = len(features)
    mean = targets.mean(axis=0)
    centred = targets - mean
    squares, axes = np.linalg.eigh(features.T @ features)
    significant = squares > squares[-1] * EPSILON
    squares, axes = squares[significant], axes[:, significant]
    U = (features @ axes) / np.sqrt(squares)
    projected = U.T @ centred
    shrinks = squares / (squares + penalties[:, None])  # (n_penalties, n_components)
    leverage = np.minimum(shrinks @ (U**2).T + 1 / n_models, 1 - 1e-9)
    fitted = np.einsum("ic,pc,ct->pit", U, shrinks, projected, optimize=True)
    residuals = (centred - fitted) / (1 - leverage)[:, :, None]
    errors = np.mean(residuals**2, axis=(1, 2))
    best = int(np.argmin(errors))
    others = (n_models * mean - targets) / max(1, n_models - 1)
    left_out = targets - residuals[best] - others
    weights = axes @ ((np.sqrt(squares) / (squares + penalties[best]))[:, None] * projected)
    return float(errors[best]), left_out, weights
