"""Families whose Y given X is the same at every value of the property: what they know, or a fit.

What is learned from them is compared in ``_sources``.
"""

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import cross_val_predict

from ..._random import draw_seeds, resolve_random_state
from ...distributions import DistributionFamily
from ...distributions._base import Sample
from ...exceptions import InvalidInputError
from ..shadows._drawn_sets import draw

N_POOLED = 8192  # rows on which a common conditional is fitted
N_VALUES = 16  # values of a numeric property that they come from
N_FOLDS = 5


class PooledConditionalFamily(DistributionFamily):
    """Inputs of a family, with outcomes drawn from one fitted conditional at every value.

    Parameters
    ----------
    family : DistributionFamily
    model : fitted estimator
        Of the outcome, on rows of all values of the property.
    residuals : ndarray ``(n_rows,)`` or None
        What is added to a regressor's predictions, drawn with replacement; they come from folds
        that the model did not see. None of a classifier, whose classes are drawn with its
        probabilities.
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
            outcome = self.model.classes_[drawn]
        else:
            outcome = self.model.predict(X) + rng.choice(self.residuals, len(X))
        return X, outcome.astype(y.dtype), *environments

    def _summary(self) -> dict[str, object]:
        return {"family": self.family, "model": self.model}


def common_conditional(
    family: DistributionFamily, given: Any, is_class: bool, n_samples: int, seed: int
) -> tuple[DistributionFamily, str]:
    """Return a family with a common conditional, and in words where it comes from.

    Parameters
    ----------
    family : DistributionFamily
    given : {"auto", "known", "fitted"} or DistributionFamily
        "known" is what ``family.with_common_conditional()`` returns, "fitted" a model of pooled
        rows, "auto" the former where there is one.
    is_class : bool
        Whether the learner classifies.
    n_samples : int
        Rows of a training set.
    seed : int

    Raises
    ------
    InvalidInputError
        If there is none, or ``given`` is something else.
    """
    if isinstance(given, DistributionFamily):
        if given.property_values != family.property_values:
            raise InvalidInputError(
                f"conditional has properties {given.property_values!r}, but family has "
                f"{family.property_values!r}"
            )
        return given, "the family that was given"
    if given not in ("auto", "known", "fitted"):
        raise InvalidInputError(
            f"conditional={given!r}; wanted 'auto', 'known', 'fitted' or a DistributionFamily"
        )
    known = getattr(family, "with_common_conditional", None)
    if known is not None and given != "fitted":
        return known(), "a common one that the family knows"
    if given == "known":
        raise InvalidInputError(f"conditional='known', but {family!r} knows no common conditional")
    return _fit(family, is_class, n_samples, seed)


def _fit(
    family: DistributionFamily, is_class: bool, n_samples: int, seed: int
) -> tuple[DistributionFamily, str]:
    """Fit a gradient boosting to rows of all values of the property."""
    values = family.property_values
    n_sets = len(values) if isinstance(values, tuple) else N_VALUES
    seeds = draw_seeds(seed, 2).tolist()
    n_rows = min(n_samples, -(-N_POOLED // n_sets))
    draws = draw(family, n_sets, n_rows, seeds[0])
    X, y = (
        np.concatenate(part) for part in zip(*(draws(i)[:2] for i in range(n_sets)), strict=True)
    )
    if y.ndim > 1:
        raise InvalidInputError(
            f"y has shape {y.shape}; a common conditional is fitted to (n_rows,)"
        )
    if is_class:
        model: Any = HistGradientBoostingClassifier(random_state=seeds[1], max_iter=50)
        return PooledConditionalFamily(family, model.fit(X, y), None), (
            f"a fitted one: gradient boosting on {len(X)} rows of all values, classes drawn with "
            "its probabilities"
        )
    model = HistGradientBoostingRegressor(random_state=seeds[1])
    predicted = cross_val_predict(model, X, y, cv=N_FOLDS)
    family = PooledConditionalFamily(family, model.fit(X, y), y - predicted)
    share = 1 - np.mean((y - predicted) ** 2) / np.var(y)
    return family, (
        f"a fitted one: gradient boosting on {len(X)} rows of all values (R2 {share:.2f} on rows "
        "that it did not see), with their residuals resampled"
    )
