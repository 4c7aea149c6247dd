"""Checks of what ``audit`` is given; each names the parameter, what came, what was wanted."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

from ..distributions import DistributionFamily
from ..distributions._properties import Properties
from ..exceptions import InvalidInputError, UnsupportedModuleError

FEWEST_SHADOWS = 4  # of each class, so that a half still holds two


def check_families(family: Any, adversary_family: Any) -> Properties:
    """Return what there is to guess; the adversary must look for the same."""
    for name, given in (("family", family), ("adversary_family", adversary_family)):
        if not isinstance(given, DistributionFamily):
            raise UnsupportedModuleError(
                f"{name} is a {type(given).__name__}; wanted a DistributionFamily"
            )
    properties = family.property_values
    if adversary_family.property_values != properties:
        raise InvalidInputError(
            f"adversary_family has properties {adversary_family.property_values!r}, but family has "
            f"{properties!r}"
        )
    return properties


def check_learner(learner: Any) -> None:
    """Raise UnsupportedModuleError unless the learner trains one model, or many at once."""
    if isinstance(learner, type):
        raise UnsupportedModuleError(f"learner is the class {learner.__name__}; wanted an instance")
    if hasattr(learner, "fit_zoo"):
        return
    if not (hasattr(learner, "get_params") and (is_classifier(learner) or is_regressor(learner))):
        raise UnsupportedModuleError(
            f"learner is a {type(learner).__name__}; wanted a scikit-learn classifier or "
            "regressor, or an object with fit_zoo(datasets, n_models)"
        )


def check_counts(properties: Properties, **counts: Any) -> None:
    """Raise InvalidInputError if a count is no int, or too small for the classes there are."""
    n_classes = len(properties) if isinstance(properties, tuple) else 2
    least = {"n_shadows": FEWEST_SHADOWS * n_classes, "n_targets": n_classes}
    for name, given in counts.items():
        wanted = least.get(name, 1)
        if not isinstance(given, Integral) or given < wanted:
            raise InvalidInputError(f"{name}={given!r}; wanted an int of at least {wanted}")


def check_test_set(test_set: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the test set as a pair of arrays of one length."""
    if not isinstance(test_set, (tuple, list)) or len(test_set) != 2:
        raise InvalidInputError(f"test_set is a {type(test_set).__name__}; wanted a pair (X, y)")
    X, y = (np.asarray(part) for part in test_set)
    if len(X) != len(y):
        raise InvalidInputError(f"test_set has {len(X)} rows of X, but {len(y)} of y")
    return X, y
