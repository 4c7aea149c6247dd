"""Checks of what ``audit`` is given; each names the parameter, what came, what was wanted."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import check_array

from ..distributions import DistributionFamily
from ..distributions._properties import Properties
from ..exceptions import InvalidInputError, UnsupportedModuleError

FEWEST_SHADOWS = 4  # of each class, so that a half still holds two


def check_family(family: Any, name: str) -> Properties:
    """Return what there is to guess."""
    if not isinstance(family, DistributionFamily):
        raise UnsupportedModuleError(
            f"{name} is a {type(family).__name__}; wanted a DistributionFamily"
        )
    return family.property_values


def check_adversary_family(adversary_family: Any, properties: Properties) -> None:
    """Raise InvalidInputError unless the adversary looks for the same."""
    own = check_family(adversary_family, "adversary_family")
    if own != properties:
        raise InvalidInputError(
            f"adversary_family has properties {own!r}, but family has {properties!r}"
        )


def check_learner(learner: Any, name: str) -> None:
    """Raise UnsupportedModuleError unless the learner trains one model, or many at once."""
    if isinstance(learner, type):
        raise UnsupportedModuleError(f"{name} is the class {learner.__name__}; wanted an instance")
    if hasattr(learner, "fit_zoo"):
        return
    if not (hasattr(learner, "get_params") and (is_classifier(learner) or is_regressor(learner))):
        raise UnsupportedModuleError(
            f"{name} is a {type(learner).__name__}; wanted a scikit-learn classifier or "
            "regressor, or an object with fit_zoo(datasets, n_models)"
        )


def check_labels_only(learner: Any, labels_only: Any) -> None:
    """Raise InvalidInputError where a learner decides on no class."""
    if not isinstance(labels_only, bool):
        raise InvalidInputError(f"labels_only={labels_only!r}; wanted True or False")
    if labels_only and hasattr(learner, "__sklearn_tags__") and not is_classifier(learner):
        raise InvalidInputError(f"labels_only=True, but {learner!r} is no classifier")


def check_counts(properties: Properties, **counts: Any) -> dict[str, int]:
    """Return the counts; InvalidInputError if one is no int, or too small for the classes."""
    n_classes = len(properties) if isinstance(properties, tuple) else 2
    least = {"n_shadows": FEWEST_SHADOWS * n_classes, "n_targets": n_classes}
    for name, given in counts.items():
        wanted = least.get(name, 1)
        if not isinstance(given, Integral) or given < wanted:
            raise InvalidInputError(f"{name}={given!r}; wanted an int of at least {wanted}")
    return {name: int(given) for name, given in counts.items()}


def check_test_set(test_set: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the test set as a pair of arrays of one length."""
    if not isinstance(test_set, (tuple, list)) or len(test_set) != 2:
        raise InvalidInputError(f"test_set is a {type(test_set).__name__}; wanted a pair (X, y)")
    X, y = (np.asarray(part) for part in test_set)
    if len(X) != len(y):
        raise InvalidInputError(f"test_set has {len(X)} rows of X, but {len(y)} of y")
    return X, y


def check_numbers(rows: Any, name: str) -> np.ndarray:
    """Return rows as a 2-D array of finite numbers, in their own type."""
    try:
        return check_array(rows, input_name=name)
    except ValueError as error:
        raise InvalidInputError(f"{name}: {error}") from error


def is_zoo_classifier(learner: Any, labels: np.ndarray) -> bool:
    """Tell whether a learner with ``fit_zoo`` classifies; without tags, the labels tell it."""
    if hasattr(learner, "__sklearn_tags__"):
        return is_classifier(learner)
    return labels.dtype.kind != "f"
