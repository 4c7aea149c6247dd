"""Checks of the arguments that the functions of ``wsl.risk`` have in common."""

from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from .._caller_warnings import warn_caller
from .._frames import is_frame
from ..distributions import DistributionFamily
from ..distributions._properties import Properties
from ..distributions._table_rows import plain_column
from ..exceptions import (
    IdenticalDistributionsWarning,
    InvalidInputError,
    UnsupportedModuleError,
)
from ._adversary import Adversary

MIN_SHADOWS_PER_CLASS = 4  # so that a random half holds two


def resolve_family(family: Any, name: str) -> DistributionFamily:
    """Return a family for a DistributionFamily or an object of its form, its property checked."""
    try:
        resolved = DistributionFamily.from_object(family)
    except InvalidInputError as error:
        raise UnsupportedModuleError(
            f"`{name}` must be a DistributionFamily, or an object with `properties` and `sample`; "
            f"got {family!r}."
        ) from error
    resolved.property_values  # noqa: B018 raises for values that are no property
    return resolved


def warn_of_identical_distributions(family: DistributionFamily, n_samples: int) -> None:
    """Warn if training sets do not depend on the property, so that nothing can be inferred."""
    properties = family.property_values
    if isinstance(properties, tuple):
        values: list[Any] = list(properties)
    elif isinstance(properties, list):
        values = [tuple(i.low for i in properties), tuple(i.high for i in properties)]
    else:
        values = [properties.low, properties.high]
    first, *others = (family.sample(value, n_samples, 0) for value in values)
    if all(_equal_samples(first, other) for other in others):
        warn_caller(
            f"training sets of {family!r} are the same at all values of the property: whatever an "
            "attack finds, it cannot be the property",
            IdenticalDistributionsWarning,
        )


def _equal_samples(first: Any, second: Any) -> bool:
    return len(first) == len(second) and all(
        np.shape(a) == np.shape(b) and joblib.hash(np.asarray(a)) == joblib.hash(np.asarray(b))
        for a, b in zip(first, second, strict=True)
    )


def check_learner(learner: Any, name: str) -> None:
    """Raise UnsupportedModuleError unless the learner trains one model, or many at once."""
    if isinstance(learner, type):
        raise UnsupportedModuleError(
            f"`{name}` must be an instance; got the class {learner.__name__}."
        )
    if hasattr(learner, "fit_zoo"):
        return
    if not (hasattr(learner, "get_params") and (is_classifier(learner) or is_regressor(learner))):
        raise UnsupportedModuleError(
            f"`{name}` must be a scikit-learn classifier or regressor, or an object with "
            f"fit_zoo(datasets, n_models); got {learner!r}."
        )


def is_fitted(model: Any) -> bool:
    """Return True for an estimator of scikit-learn's kind that has been fitted."""
    if not (hasattr(model, "__sklearn_tags__") and hasattr(model, "fit")):
        return False
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def check_counts(properties: Properties, **counts: Any) -> dict[str, int]:
    """Return the counts as ints; raise InvalidInputError if one is too small for the classes."""
    n_classes = len(properties) if isinstance(properties, tuple) else 2
    minima = {"n_shadows": MIN_SHADOWS_PER_CLASS * n_classes, "n_targets": n_classes}
    for name, count in counts.items():
        minimum = minima.get(name.split(".")[-1], 1)
        if not isinstance(count, Integral) or count < minimum:
            raise InvalidInputError(
                f"`{name}` must be an int of at least {minimum}; got {count!r}."
            )
    return {name: int(count) for name, count in counts.items()}


def resolve_adversary(
    adversary: Any,
    learner: Any,
    family: DistributionFamily,
    n_samples: int,
    default: Adversary | None = None,
) -> Adversary:
    """Return a checked adversary that knows what ``adversary`` leaves open: learner, family, size.

    ``learner`` and ``family`` are the audited ones, already checked; ``default`` replaces None.
    """
    adversary = check_adversary(adversary, default)
    audited = {"learner": learner, "family": family, "n_samples": n_samples}
    adversary = replace(
        adversary,
        **{name: value for name, value in audited.items() if getattr(adversary, name) is None},
    )
    check_learner(adversary.learner, "adversary.learner")
    properties = family.property_values
    adversary = replace(adversary, family=resolve_family(adversary.family, "adversary.family"))
    own_properties = adversary.family.property_values
    if own_properties != properties:
        raise InvalidInputError(
            f"`adversary.family` must have the properties of the audited family, {properties!r}; "
            f"got {own_properties!r}."
        )
    check_counts(properties, **adversary_counts(adversary))
    for each in (adversary.learner, learner):
        check_labels_only(each, adversary.labels_only)
    return adversary


def check_adversary(adversary: Any, default: Adversary | None = None) -> Adversary:
    """Return the adversary, or the default one for None."""
    if adversary is None:
        return default or Adversary()
    if not isinstance(adversary, Adversary):
        raise UnsupportedModuleError(
            f"`adversary` must be a wsl.Adversary or None; got {adversary!r}."
        )
    return adversary


def adversary_counts(adversary: Adversary) -> dict[str, Any]:
    """Return the counts of an adversary that are given, by the name that errors use."""
    names = ("n_samples", "n_shadows", "n_queries", "n_selected_queries")
    return {
        f"adversary.{name}": count
        for name in names
        if (count := getattr(adversary, name)) is not None
    }


def check_query_selection(adversary: Any, properties: Properties) -> Adversary:
    """Return an adversary that goes with given shadow models: it may only select queries."""
    adversary = check_adversary(adversary)
    check_unchanged(adversary, {"n_selected_queries"}, "`shadows` were trained for their adversary")
    check_counts(properties, **adversary_counts(adversary))
    return adversary


def check_unchanged(adversary: Adversary, allowed: set[str], reason: str) -> None:
    """Raise InvalidInputError if a field that is not allowed differs from its default."""
    for field in fields(adversary):
        value = getattr(adversary, field.name)
        is_default = type(value) is type(field.default) and value == field.default
        if not is_default and field.name not in allowed:
            raise InvalidInputError(
                f"`adversary.{field.name}` must be left at its default, {field.default!r}, as "
                f"{reason}; got {value!r}."
            )


def check_labels_only(learner: Any, labels_only: Any) -> None:
    """Raise InvalidInputError where labels are to be observed of a learner that predicts none."""
    if not isinstance(labels_only, bool):
        raise InvalidInputError(
            f"`adversary.labels_only` must be True or False; got {labels_only!r}."
        )
    if labels_only and hasattr(learner, "__sklearn_tags__") and not is_classifier(learner):
        raise InvalidInputError(
            f"`adversary.labels_only` must be False for a regressor, which predicts no labels; got "
            f"True for {learner!r}."
        )


def check_sample(sample: Any, family: Any, n_samples: int) -> None:
    """Raise InvalidInputError unless a set is ``(X, y[, environments])`` of ``n_samples`` rows."""
    if not isinstance(sample, (tuple, list)) or len(sample) not in (2, 3):
        raise InvalidInputError(
            f"`sample` of {family!r} must return (X, y) or (X, y, environments); got a "
            f"{type(sample).__name__}."
        )
    lengths = [len(part) if is_frame(part) or np.ndim(part) else 0 for part in sample]
    if set(lengths) != {n_samples}:
        raise InvalidInputError(
            f"`sample` of {family!r} must return as many rows as it is asked for, {n_samples}; got "
            f"parts of {lengths} rows. Draw until there are enough, or draw with replacement."
        )


def resolve_test_sets(
    test_set: Any, family: DistributionFamily, properties: Properties
) -> dict[str, Any]:
    """Return test sets by name, each a family or ``(X, y)``; a single one is named ""."""
    if test_set is None:
        return {"": family}
    if not isinstance(test_set, Mapping):
        return {"": _check_test_set(test_set, "test_set", properties)}
    if not test_set:
        raise InvalidInputError("`test_set` must hold at least one test set, or be None; got {}.")
    return {
        str(name): _check_test_set(one_set, f"test_set[{name!r}]", properties)
        for name, one_set in test_set.items()
    }


def _check_test_set(test_set: Any, name: str, properties: Properties) -> Any:
    """Return a family of the same property unchanged, or a pair of arrays of one length."""
    if hasattr(test_set, "properties") and hasattr(test_set, "sample"):
        test_set = resolve_family(test_set, name)
        own_properties = test_set.property_values
        if own_properties != properties:
            raise InvalidInputError(
                f"`{name}` must have the properties of `family`, {properties!r}; got "
                f"{own_properties!r}."
            )
        return test_set
    if not isinstance(test_set, (tuple, list)) or len(test_set) != 2:
        raise InvalidInputError(
            f"`{name}` must be a pair (X, y), a DistributionFamily, or a dict of such; got a "
            f"{type(test_set).__name__}."
        )
    X, y = test_set[0] if is_frame(test_set[0]) else np.asarray(test_set[0]), test_set[1]
    y = plain_column(y)
    if len(X) != len(y):
        raise InvalidInputError(
            f"`{name}` must have as many rows in X as in y; got {len(X)} and {len(y)}."
        )
    return X, y


def check_query_rows(rows: Any, name: str) -> Any:
    """Return a DataFrame unchanged, other rows as a 2-D array of finite numbers in their type."""
    if is_frame(rows):
        return rows
    try:
        return check_array(rows, input_name=name)
    except ValueError as error:
        raise InvalidInputError(
            f"`{name}` must be a 2-D array of finite numbers: {error}"
        ) from error


def is_zoo_classifier(learner: Any, labels: np.ndarray) -> bool:
    """Return True if a learner with ``fit_zoo`` classifies: by its tags, or by the labels."""
    if hasattr(learner, "__sklearn_tags__"):
        return is_classifier(learner)
    return labels.dtype.kind != "f"
