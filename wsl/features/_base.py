"""What transformers of rows of weights share: checks of rows and tags."""

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._estimator_input import checked_data
from .._sklearn_compat import DocumentedEstimator
from .._validation import check_n_columns
from ..architectures import Architecture


class RowFeatures(OneToOneFeatureMixin, TransformerMixin, DocumentedEstimator):
    """A transformer of rows ``(n_models, n_weights)`` of an architecture, or of plain features."""

    architecture: Architecture | None

    def _fit_rows(self, X) -> np.ndarray:
        """Check the rows of ``fit`` and remember their columns."""
        return self._check_rows(X, reset=True)

    def _fitted_rows(self, X) -> np.ndarray:
        """Check the rows of ``transform``, float32."""
        check_is_fitted(self)
        return self._check_rows(X, reset=False)

    def _input_names(self, input_features) -> np.ndarray:
        """Return the names of the columns of X; raise ValueError for any other names."""
        check_is_fitted(self)
        return super().get_feature_names_out(input_features)

    def _check_rows(self, X, reset: bool) -> np.ndarray:
        rows = checked_data(self, X, reset=reset)
        if self.architecture is not None:
            check_n_columns(rows, self.architecture.n_weights, "X")
        return rows

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
