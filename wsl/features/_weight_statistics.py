"""``WeightStatistics``: moments and quantiles of each parameter of a model."""

from typing import ClassVar

import numpy as np

from .._batches import map_rows
from .._sklearn_compat import fit_context
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._base import RowFeatures

COPIES = 3  # of a row, in float64: converted, sorted, squared


class WeightStatistics(RowFeatures):
    """Mean, variance and quantiles of the weights and of the biases of each layer.

    A few features per layer that do not depend on the order of hidden units: the baseline that
    every learned representation of weights has to beat.

    Parameters
    ----------
    architecture : Architecture, default=None
        What a row of weights means. Without one, the statistics are taken over the whole row.
    quantiles : array-like of float in [0, 1], default=(0, 0.25, 0.5, 0.75, 1)
        The quantiles taken beside mean and variance. The default is that of [1]_.

    Attributes
    ----------
    quantiles_ : ndarray of shape (n_quantiles,)
        The checked quantiles.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of ``X``, where it had string names.

    Raises
    ------
    InvalidInputError
        From ``fit``: a quantile lies outside [0, 1]; also from ``transform``: ``X`` has another
        number of columns than the architecture has weights.

    See Also
    --------
    SortedWeights : The weights themselves, with hidden units in one order.
    BehaviorFeatures : Features of what models respond.

    References
    ----------
    .. [1] T. Unterthiner, D. Keysers, S. Gelly, O. Bousquet and I. Tolstikhin, "Predicting Neural
       Network Accuracy from Weights", 2020, section 4.1.

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
        """Check the models and the quantiles; nothing is learned from the models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        WeightStatistics
            The fitted transformer itself.

        Raises
        ------
        InvalidInputError
            If a quantile lies outside [0, 1].
        """
        self._fit_rows(X)
        quantiles = np.asarray(self.quantiles, dtype=float)
        if quantiles.ndim != 1 or not np.all((quantiles >= 0) & (quantiles <= 1)):
            raise InvalidInputError(
                f"`quantiles` must be a sequence of numbers from 0 to 1; got {self.quantiles!r}."
            )
        self.quantiles_ = quantiles
        return self

    def transform(self, X):
        """Return the statistics of the models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models, n_parameters * (2 + n_quantiles)), float32
            The statistics of a parameter follow each other, parameters in the order of the
            architecture.
        """
        rows = self._fitted_rows(X)
        return map_rows(self._features, rows, COPIES * 8 * rows.shape[1])

    def get_feature_names_out(self, input_features=None):
        """Return the names of the statistics, such as ``0.weight_mean``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must be the names of the columns of ``X``, if given.

        Returns
        -------
        ndarray of str
            One name per statistic; without an architecture they begin with ``row``.
        """
        self._input_names(input_features)  # refuses names that are not those of X
        statistics = ["mean", "variance", *(f"quantile{q:g}" for q in self.quantiles_)]
        names = [f"{part}_{statistic}" for part in self._parts() for statistic in statistics]
        return np.asarray(names, dtype=object)

    def _features(self, rows: np.ndarray) -> np.ndarray:
        features = [self._statistics(rows[:, part]) for part in self._parts().values()]
        return np.concatenate(features, axis=1).astype(np.float32)

    def _statistics(self, values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float64)
        quantiles = np.quantile(values, self.quantiles_, axis=1)
        return np.vstack([values.mean(axis=1), values.var(axis=1), quantiles]).T

    def _parts(self) -> dict[str, slice]:
        return {"row": slice(None)} if self.architecture is None else self.architecture.slices
