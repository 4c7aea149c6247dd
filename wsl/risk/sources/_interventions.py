"""What each source of leakage is switched off by, for a learner and a family, or why it cannot be.

Common conditionals are made in ``_common_conditional``; what comes of it is measured in
``_sources``.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from .._input_checks import check_learner, is_zoo_classifier
from ..reports._sources_report import SOURCES
from ..shadows._drawn_sets import draw
from ._shared_conditional import common_conditional


class Interventions(NamedTuple):
    """What each source is switched off by, and why some cannot be."""

    families: dict[bool, DistributionFamily]  # by whether conditionals differ
    learners: dict[bool, Any]  # by whether the learner is the one that is examined
    multipliers: tuple[int, ...]  # 1 first; no more where training sets cannot grow
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
    """Find out what each source can be switched off by."""
    _, y, *_ = draw(family, 1, n_samples, seed)(0)
    zoo = hasattr(learner, "fit_zoo")
    classifies = is_zoo_classifier(learner, y) if zoo else is_classifier(learner)
    families, learners = {True: family}, {True: learner}
    notes, unavailable = {}, {}
    try:
        families[False], notes["conditional"] = common_conditional(
            family, conditional, classifies, n_samples, seed
        )
    except InvalidInputError as error:
        if conditional != "auto":
            raise
        unavailable["conditional"] = str(error)
    if reference_learner is not None:
        _check_reference(reference_learner, learner)
        learners[False], notes["bias"] = reference_learner, "the given reference learner"
    elif y.ndim == 1:
        boosting = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
        learners[False] = boosting(early_stopping=False)
        notes["bias"] = "gradient boosting, richer than most but not known to be right"
    else:
        unavailable["bias"] = "y has several columns; give a reference_learner that takes them"
    fits = tuple(k for k in multipliers if _can_draw(families, k * n_samples, seed))
    if len(fits) > 1:
        shown = ", ".join(str(k * n_samples) for k in fits)
        notes["sample"] = f"the limit of training sets of {shown} rows"
    else:
        larger = ", ".join(str(k) for k in multipliers[1:])
        unavailable["sample"] = (
            f"the family has too few rows for sets of {larger} times as many" if larger else
            "`sample_size_multipliers` has none above 1"
        )  # fmt: skip
    return Interventions(families, learners, fits, notes, unavailable)


def _check_reference(reference_learner: Any, learner: Any) -> None:
    """Raise unless the reference learner trains models of the learner's kind."""
    check_learner(reference_learner, "reference_learner")
    pair = (reference_learner, learner)
    told = all(hasattr(own, "__sklearn_tags__") for own in pair)  # others need not say what they do
    if told and is_classifier(reference_learner) != is_classifier(learner):
        own, wanted = ("a classifier" if is_classifier(x) else "a regressor" for x in pair)
        raise InvalidInputError(
            f"reference_learner={reference_learner!r} is {own}; wanted {wanted}, as the learner is"
        )


def check_multipliers(multipliers: Any) -> tuple[int, ...]:
    """Return the multiples of the training set, rising from 1."""
    values = tuple(multipliers) if isinstance(multipliers, (list, tuple)) else ()
    fits = all(isinstance(k, (int, np.integer)) and k >= 1 for k in values)
    if not fits or 1 not in values or len(set(values)) < len(values):
        raise InvalidInputError(
            "`sample_size_multipliers` must be different ints of at least 1, with 1 among them; "
            f"got {multipliers!r}."
        )
    return tuple(sorted(int(k) for k in values))


def _can_draw(families: dict[bool, DistributionFamily], n_samples: int, seed: int) -> bool:
    """Tell whether training sets of this size can be drawn at some values of the property."""
    for family in families.values():
        draws = draw(family, 16, n_samples, seed)
        try:
            for index in range(len(draws)):
                draws(index)
        except InvalidInputError:
            return False
    return True
