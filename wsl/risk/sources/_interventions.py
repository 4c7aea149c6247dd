"""Interventions that switch sources of leakage off, and why some are unavailable."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from .._input_checks import check_learner, is_zoo_classifier
from ..reports._sources_report import SOURCES
from ..shadows._drawn_sets import draw_sets
from ..shadows._numeric_encoder import on_numbers
from ._shared_conditional import share_conditional

N_TRIAL_SETS = 16  # drawn to find out whether a family has enough rows


class Interventions(NamedTuple):
    """What each source is switched off by, and why some cannot be."""

    families: dict[bool, DistributionFamily]  # by whether conditionals differ
    learners: dict[bool, Any]  # by whether the learner is the examined one
    multipliers: tuple[int, ...]  # 1 first; only 1 where training sets cannot grow
    notes: dict[str, str]
    unavailable: dict[str, str]

    @property
    def switches(self) -> list[str]:
        """The sources that can be switched off."""
        return [name for name in SOURCES if name not in self.unavailable]


def plan_interventions(
    learner: Any,
    family: DistributionFamily,
    reference_learner: Any,
    conditional: Any,
    multipliers: tuple[int, ...],
    n_samples: int,
    seed: int,
) -> Interventions:
    """Return the interventions that are possible for a learner and a family."""
    X, y, *_ = draw_sets(family, 1, n_samples, seed)(0)
    is_zoo = hasattr(learner, "fit_zoo")
    is_class = is_zoo_classifier(learner, y) if is_zoo else is_classifier(learner)
    families, learners = {True: family}, {True: learner}
    notes, unavailable = {}, {}
    try:
        families[False], notes["conditional"] = share_conditional(
            family, conditional, is_class, n_samples, seed
        )
    except InvalidInputError as error:
        if conditional != "auto":
            raise
        unavailable["conditional"] = str(error).removesuffix(".")
    if reference_learner is not None:
        _check_reference_learner(reference_learner, learner)
        learners[False], notes["bias"] = reference_learner, "the given reference learner"
    elif y.ndim == 1:
        boosting = HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
        learners[False] = on_numbers(boosting(early_stopping=False), X)
        notes["bias"] = "gradient boosting, which fits most functions but has a bias of its own"
    else:
        unavailable["bias"] = "y has several columns; pass a `reference_learner` that takes them"
    available = tuple(k for k in multipliers if _can_draw(families, k * n_samples, seed))
    if len(available) > 1:
        sizes = ", ".join(str(k * n_samples) for k in available)
        notes["sample"] = f"the limit of training sets of {sizes} rows"
    else:
        unavailable["sample"] = _why_no_growth(multipliers)
    return Interventions(families, learners, available, notes, unavailable)


def resolve_multipliers(multipliers: Any) -> tuple[int, ...]:
    """Return the multipliers of the training set's size, rising from 1."""
    values = tuple(multipliers) if isinstance(multipliers, (list, tuple)) else ()
    is_valid = all(isinstance(k, (int, np.integer)) and k >= 1 for k in values)
    if not is_valid or 1 not in values or len(set(values)) < len(values):
        raise InvalidInputError(
            "`sample_size_multipliers` must be different ints of at least 1, with 1 among them; "
            f"got {multipliers!r}."
        )
    return tuple(sorted(int(k) for k in values))


def _check_reference_learner(reference_learner: Any, learner: Any) -> None:
    """Raise unless the reference learner trains models of the learner's kind."""
    check_learner(reference_learner, "reference_learner")
    pair = (reference_learner, learner)
    have_tags = all(hasattr(each, "__sklearn_tags__") for each in pair)  # others are not checked
    if have_tags and is_classifier(reference_learner) != is_classifier(learner):
        own, expected = ("a classifier" if is_classifier(x) else "a regressor" for x in pair)
        raise InvalidInputError(
            f"`reference_learner` must be {expected}, as the learner is; got {own}, "
            f"{reference_learner!r}."
        )


def _why_no_growth(multipliers: tuple[int, ...]) -> str:
    larger = ", ".join(str(k) for k in multipliers[1:])
    if not larger:
        return "`sample_size_multipliers` has none above 1"
    return f"the family has too few rows for training sets of {larger} times the size"


def _can_draw(families: dict[bool, DistributionFamily], n_samples: int, seed: int) -> bool:
    """Return True if training sets of this size can be drawn at some values of the property."""
    for family in families.values():
        drawn_sets = draw_sets(family, N_TRIAL_SETS, n_samples, seed)
        try:
            for index in range(len(drawn_sets)):
                drawn_sets(index)
        except InvalidInputError:
            return False
    return True
