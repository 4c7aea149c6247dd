"""Families whose Y given X is the same at every value of the property: known ones, and fits."""

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import cross_val_predict

from ..._random import draw_seeds, resolve_random_state
from ...distributions import DistributionFamily
from ...distributions._base import Sample
from ...distributions._table_rows import concatenate_rows
from ...exceptions import InvalidInputError
from ..shadows._drawn_sets import draw_sets
from ..shadows._numeric_encoder import on_numbers

N_POOLED = 8192  # rows to which a common conditional is fitted
N_VALUES = 16  # values of a continuous property that they come from
N_FOLDS = 5


class PooledConditionalFamily(DistributionFamily):
    """Inputs of a family, with targets drawn from one fitted conditional at every value.

    Parameters
    ----------
    family : DistributionFamily
    model : fitted estimator
        Of the target, on rows of all values of the property.
    residuals : ndarray of shape (n_rows,) or None
        Out-of-fold residuals of a regressor, which are resampled and added to its predictions.
        None for a classifier, whose classes are drawn with its probabilities.
    """

    def __init__(self, family: DistributionFamily, model: Any, residuals: np.ndarray | None):
        self.family = family
        self.properties = family.property_values
        self.property_is_fraction = family.property_is_fraction
        self.model = model
        self.residuals = residuals

    def draw_properties(self, n_values: int, random_state: Any = None) -> np.ndarray:
        """Draw values as the family does."""
        return self.family.draw_properties(n_values, random_state)

    def sample(self, property_value: Any, n_samples: int, random_state: Any = None) -> Sample:
        """Draw one training set; see :meth:`DistributionFamily.sample`."""
        rng = resolve_random_state(random_state)
        X, y, *environments = self.family.sample(property_value, n_samples, rng)
        if self.residuals is None:
            bounds = self.model.predict_proba(X).cumsum(axis=1)
            drawn = (rng.random((len(X), 1)) > bounds[:, :-1]).sum(axis=1)
            targets = self.model.classes_[drawn]
        else:
            targets = self.model.predict(X) + rng.choice(self.residuals, len(X))
        return X, targets.astype(y.dtype), *environments

    def _summary(self) -> dict[str, object]:
        return {"family": self.family, "model": self.model}


def share_conditional(
    family: DistributionFamily, conditional: Any, is_class: bool, n_samples: int, seed: int
) -> tuple[DistributionFamily, str]:
    """Return a family with a common conditional, and a description of it.

    Parameters
    ----------
    family : DistributionFamily
    conditional : {"auto", "known", "fitted"} or DistributionFamily
        "known" is what ``family.with_common_conditional()`` returns, "fitted" a model of pooled
        rows, "auto" the former where it exists.
    is_class : bool
        Whether the learner is a classifier.
    n_samples : int
        Rows per training set.
    seed : int

    Raises
    ------
    InvalidInputError
        If no common conditional is available, or ``conditional`` is something else.
    """
    if isinstance(conditional, DistributionFamily):
        if conditional.property_values != family.property_values:
            raise InvalidInputError(
                f"`conditional` must have the properties of `family`, {family.property_values!r}; "
                f"got {conditional.property_values!r}."
            )
        return conditional, "the given family"
    if conditional not in ("auto", "known", "fitted"):
        raise InvalidInputError(
            "`conditional` must be 'auto', 'known', 'fitted' or a DistributionFamily; got "
            f"{conditional!r}."
        )
    known = getattr(family, "with_common_conditional", None)
    if known is not None and conditional != "fitted":
        return known(), "the family's own common conditional"
    if conditional == "known":
        raise InvalidInputError(
            f"`conditional` must not be 'known' for {family!r}, which has no method "
            "with_common_conditional."
        )
    return _fit_conditional(family, is_class, n_samples, seed)


def _fit_conditional(
    family: DistributionFamily, is_class: bool, n_samples: int, seed: int
) -> tuple[DistributionFamily, str]:
    """Fit gradient boosting to rows of all values of the property."""
    seeds = draw_seeds(seed, 2).tolist()
    X, y = _pool_rows(family, n_samples, seeds[0])
    if y.ndim > 1:
        raise InvalidInputError(
            f"y of {family!r} must have shape (n_rows,) for a fitted conditional; got {y.shape}."
        )
    if is_class:
        model: Any = HistGradientBoostingClassifier(random_state=seeds[1], max_iter=50)
        model = on_numbers(model, X)
        return PooledConditionalFamily(family, model.fit(X, y), None), (
            f"gradient boosting fitted to {len(X)} rows of all values, with classes drawn from its "
            "probabilities"
        )
    model = on_numbers(HistGradientBoostingRegressor(random_state=seeds[1]), X)
    predicted = cross_val_predict(model, X, y, cv=N_FOLDS)
    pooled = PooledConditionalFamily(family, model.fit(X, y), y - predicted)
    r2 = 1 - np.mean((y - predicted) ** 2) / np.var(y)
    return pooled, (
        f"gradient boosting fitted to {len(X)} rows of all values (out-of-fold R2 {r2:.2f}), with "
        "resampled out-of-fold residuals"
    )


def _pool_rows(family: DistributionFamily, n_samples: int, seed: int) -> tuple[Any, np.ndarray]:
    """Return X and y of rows of all classes, or of 16 values of a continuous property."""
    values = family.property_values
    n_sets = len(values) if isinstance(values, tuple) else N_VALUES
    n_rows = min(n_samples, -(-N_POOLED // n_sets))
    drawn_sets = draw_sets(family, n_sets, n_rows, seed)
    X, y = zip(*(drawn_sets(index)[:2] for index in range(n_sets)), strict=True)
    return concatenate_rows(X), np.concatenate(y)
