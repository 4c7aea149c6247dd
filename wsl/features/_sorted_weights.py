"""``SortedWeights``: rows of weights with the hidden units of every model in one order."""

from typing import ClassVar

import numpy as np

from .._batches import map_rows
from .._sklearn_compat import StrOptions, fit_context
from ..architectures import Architecture
from ._base import RowFeatures

COPIES = 4  # of a row, in float64: incoming and outgoing weights, their products, the result


class SortedWeights(RowFeatures):
    """The weights of every model, its hidden units in an order that does not depend on theirs.

    A model stays the same function. Estimators that read columns then find similar units in the
    same columns, as far as there are any.

    Parameters
    ----------
    architecture : Architecture, default=None
        What a row of weights means. Without one there is nothing to sort, and ``X`` passes through.
    order : {"aligned", "norm"}, default="aligned"
        ``"aligned"`` matches the units of each model to those of the first model of ``fit``, by
        weight matching [2]_. ``"norm"`` sorts each layer by decreasing norm of the weights that
        come into a unit, as in [1]_; it needs no reference model, but units of similar norm change
        places, so alignment is the default.

    Attributes
    ----------
    reference_ : ndarray of shape (n_weights,), float32, or None
        The model to which others are aligned, its own units sorted by norm; None for
        ``order="norm"`` and without an architecture.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of ``X``, where it had string names.

    Raises
    ------
    InvalidInputError
        From ``fit`` and ``transform``: ``X`` has another number of columns than the architecture
        has weights.
    UnsupportedModuleError
        From ``fit``: the symmetries of the architecture are not known.

    See Also
    --------
    Architecture.canonicalize : The same as a function of rows.
    WeightStatistics : Features that do not depend on the order of units.

    References
    ----------
    .. [1] K. Ganju, Q. Wang, W. Yang, C. Gunter and N. Borisov, "Property Inference Attacks on
       Fully Connected Neural Networks using Permutation Invariant Representations", CCS 2018,
       section 4.2.
    .. [2] S. Ainsworth, J. Hayase and S. Srinivasa, "Git Re-Basin: Merging Models modulo
       Permutation Symmetries", ICLR 2023, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, SortedWeights
    >>> architecture = Architecture.mlp(4, [8], 3)
    >>> rows = np.random.default_rng(0).normal(size=(10, architecture.n_weights))
    >>> sorting = SortedWeights(architecture).fit(rows)
    >>> permuted = architecture.permute(rows, random_state=0)
    >>> bool((sorting.transform(permuted) == sorting.transform(rows)).all())
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [Architecture, None],
        "order": [StrOptions({"aligned", "norm"})],
    }

    def __init__(self, architecture=None, *, order="aligned"):
        self.architecture = architecture
        self.order = order

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the models and keep the one to which others are aligned.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        SortedWeights
            The fitted transformer itself.
        """
        rows = self._fit_rows(X)
        self.reference_ = None
        if self.architecture is not None:
            first = self.architecture.canonicalize(rows[:1])[0]
            self.reference_ = first if self.order == "aligned" else None
        return self

    def transform(self, X):
        """Return the models with their units in order.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models, n_weights), float32
            The same functions, one row of weights per model.
        """
        rows = self._fitted_rows(X)
        if self.architecture is None:
            return rows
        return map_rows(self._sorted, rows, COPIES * 8 * rows.shape[1])

    def get_feature_names_out(self, input_features=None):
        """Return the names of the weights, such as ``0.weight_3_1`` for row 3, column 1.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must be the names of the columns of ``X``, if given.

        Returns
        -------
        ndarray of str
            One name per weight; without an architecture, the names of the columns of ``X``.
        """
        names = self._input_names(input_features)
        if self.architecture is None:
            return names
        shapes = zip(
            self.architecture.parameter_names, self.architecture.parameter_shapes, strict=True
        )
        entries = ((name, index) for name, shape in shapes for index in np.ndindex(shape))
        return np.asarray(["_".join([name, *map(str, index)]) for name, index in entries], object)

    def _sorted(self, rows: np.ndarray) -> np.ndarray:
        assert self.architecture is not None
        return self.architecture.canonicalize(rows, reference=self.reference_)
