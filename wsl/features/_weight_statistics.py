"""``WeightStatistics``: moments and quantiles of each parameter of a model.

Features that look at what a model computes live in ``_responses``.
"""

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._batches import map_rows
from .._sklearn_compat import fit_context
from .._validation import check_n_columns
from ..architectures import Architecture
from ..exceptions import InvalidInputError

COPIES = 3  # of a row, in float64: to convert it, to sort it, to square it


class WeightStatistics(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Mean, variance and quantiles of each layer's weights and, apart from them, its biases.

    A few numbers a layer that do not depend on the order of hidden units: the baseline that every
    learned representation of weights has to beat.

    Parameters
    ----------
    architecture : Architecture, optional
        What a row of weights means. Without one, the statistics are taken over the whole row.
    quantiles : array-like of float in [0, 1], default=(0, 0.25, 0.5, 0.75, 1)
        The quantiles taken beside mean and variance.

    Attributes
    ----------
    quantiles_ : ndarray ``(n_quantiles,)``
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If a quantile lies outside [0, 1], or X has another number of columns than the architecture
        has weights.

    References
    ----------
    T. Unterthiner, D. Keysers, S. Gelly, O. Bousquet and I. Tolstikhin, "Predicting Neural Network
    Accuracy from Weights", 2020, section 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, WeightStatistics
    >>> architecture = Architecture.mlp(4, [8], 3)
    >>> rows = np.random.default_rng(0).normal(size=(10, architecture.n_weights))
    >>> statistics = WeightStatistics(architecture, quantiles=(0.5,)).fit(rows)
    >>> statistics.transform(rows).shape
    (10, 12)
    >>> print(*statistics.get_feature_names_out()[:4])
    0.weight_mean 0.weight_variance 0.weight_quantile0.5 0.bias_mean
    """

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [Architecture, None],
        "quantiles": ["array-like"],
    }

    def __init__(self, architecture=None, *, quantiles=(0, 0.25, 0.5, 0.75, 1)):
        self.architecture = architecture
        self.quantiles = quantiles

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check X ``(n_models, n_weights)`` and the quantiles; nothing is learned from X."""
        self._check_rows(X, reset=True)
        quantiles = np.asarray(self.quantiles, dtype=float)
        if quantiles.ndim != 1 or not np.all((quantiles >= 0) & (quantiles <= 1)):
            raise InvalidInputError(f"quantiles={self.quantiles!r}; wanted numbers from 0 to 1")
        self.quantiles_ = quantiles
        return self

    def transform(self, X):
        """Return the statistics of the models.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``

        Returns
        -------
        ndarray ``(n_models, n_parameters * (2 + n_quantiles))`` float32
            A parameter's statistics stand together, parameters in the architecture's order.
        """
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        return map_rows(self._features, rows, COPIES * 8 * rows.shape[1])

    def get_feature_names_out(self, input_features=None):
        """Return ``0.weight_mean`` and the like; ``row_mean`` without an architecture."""
        check_is_fitted(self)
        super().get_feature_names_out(input_features)  # refuses names that are not those of X
        kinds = ["mean", "variance", *(f"quantile{q:g}" for q in self.quantiles_)]
        return np.asarray([f"{part}_{k}" for part in self._parts() for k in kinds], dtype=object)

    def _features(self, rows: np.ndarray) -> np.ndarray:
        features = [self._statistics(rows[:, part]) for part in self._parts().values()]
        return np.concatenate(features, axis=1).astype(np.float32)

    def _statistics(self, values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float64)
        quantiles = np.quantile(values, self.quantiles_, axis=1)
        return np.vstack([values.mean(axis=1), values.var(axis=1), quantiles]).T

    def _parts(self) -> dict[str, slice]:
        return {"row": slice(None)} if self.architecture is None else self.architecture.slices

    def _check_rows(self, X, reset: bool) -> np.ndarray:
        rows = validate_data(self, X, reset=reset, dtype=np.float32)
        if self.architecture is not None:
            check_n_columns(rows, self.architecture.n_weights, "X")
        return rows

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
