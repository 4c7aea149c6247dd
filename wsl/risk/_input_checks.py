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
    own = check_family(adversary_family, "adversary.family")
    if own != properties:
        raise InvalidInputError(
            f"adversary.family has properties {own!r}, but family has {properties!r}"
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


def check_labels_only(
    learner: Any, labels_only: Any, said: str = "adversary.labels_only=True"
) -> None:
    """Raise InvalidInputError where a learner decides on no class, ``said`` being what asks it."""
    if not isinstance(labels_only, bool):
        raise InvalidInputError(f"adversary.labels_only={labels_only!r}; wanted True or False")
    if labels_only and hasattr(learner, "__sklearn_tags__") and not is_classifier(learner):
        raise InvalidInputError(f"{said}, but {learner!r} is no classifier")


def check_counts(properties: Properties, **counts: Any) -> dict[str, int]:
    """Return the counts; InvalidInputError if one is no int, or too small for the classes."""
    n_classes = len(properties) if isinstance(properties, tuple) else 2
    least = {"n_shadows": FEWEST_SHADOWS * n_classes, "n_targets": n_classes}
    for name, given in counts.items():
        wanted = least.get(name.split(".")[-1], 1)
        if not isinstance(given, Integral) or given < wanted:
            raise InvalidInputError(f"{name}={given!r}; wanted an int of at least {wanted}")
    return {name: int(given) for name, given in counts.items()}


def check_sample(sample: Any, family: Any) -> None:
    """Raise InvalidInputError unless a training set is ``(X, y)`` or ``(X, y, environments)``."""
    if not isinstance(sample, (tuple, list)) or len(sample) not in (2, 3):
        raise InvalidInputError(
            f"{family!r} drew a {type(sample).__name__}; wanted (X, y) or (X, y, environments)"
        )
    lengths = [len(part) if np.ndim(part) else 0 for part in sample]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise InvalidInputError(
            f"{family!r} drew parts with {lengths} rows; wanted one number of them"
        )


def check_test_sets(test_set: Any, properties: Properties) -> dict[str, Any]:
    """Return test sets by name, each a family or a pair of arrays; one without a name has ""."""
    if not isinstance(test_set, dict):
        return {"": _check_test_set(test_set, "test_set", properties)}
    if not test_set:
        raise InvalidInputError("test_set is empty; wanted at least one, or None")
    return {
        str(name): _check_test_set(given, f"test_set[{name!r}]", properties)
        for name, given in test_set.items()
    }


def _check_test_set(given: Any, name: str, properties: Properties) -> Any:
    """Return a family of the same property as it is, or a pair of arrays of one length."""
    if isinstance(given, DistributionFamily):
        if check_family(given, name) != properties:
            raise InvalidInputError(
                f"{name} has properties {given.property_values!r}, but family has {properties!r}"
            )
        return given
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise InvalidInputError(
            f"{name} is a {type(given).__name__}; wanted a pair (X, y), a DistributionFamily, or a "
            "dict of such"
        )
    X, y = (np.asarray(part) for part in given)
    if len(X) != len(y):
        raise InvalidInputError(f"{name} has {len(X)} rows of X, but {len(y)} of y")
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
