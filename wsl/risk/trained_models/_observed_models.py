"""Trained models observed through the queries of an adversary, whose shadow models are trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from .._adversary import Adversary
from .._input_checks import (
    check_adversary,
    check_query_selection,
    is_zoo_classifier,
    resolve_adversary,
)
from ..shadows._drawn_sets import DrawnSets
from ..shadows._execution import Execution
from ..shadows._shadow_models import (
    ShadowModels,
    draw_adversary_queries,
    draw_shadow_sets,
    reuse_shadow_models,
    train_shadow_models,
)
from ._model_responses import ObservedResponses, observe
from ._recorded_queries import match_queries
from ._recorded_responses import RecordedResponses
from ._response_classes import check_known_classes
from ._target_models import argument_of, resolve_shadow_learner


def observe_models(
    models: Mapping[str, Any],
    family: DistributionFamily,
    learner: Any,
    adversary: Adversary | None,
    shadows: ShadowModels | None,
    n_samples: int,
    execution: Execution,
) -> tuple[dict[str, ObservedResponses], ShadowModels]:
    """Return what is observed of each model, and the shadow models that it is compared with.

    Models are observed first, so that what is wrong with them is said before the training.
    """
    if shadows is not None:
        _check_one_learner(learner, "shadows")
        return _observe_with(shadows, models, family, adversary, execution)
    adversary = _with_recorded_queries(check_adversary(adversary), models)
    if adversary.learner is None:
        learner = resolve_shadow_learner(models, learner)
    else:
        _check_one_learner(learner, "adversary.learner")
        learner = adversary.learner
    adversary = resolve_adversary(adversary, learner, family, n_samples)
    training_sets = draw_shadow_sets(adversary, execution)
    if not isinstance(adversary.queries, str):
        name = _queries_argument(models)
        rows = match_queries(adversary.queries, training_sets(0)[0], name)
        adversary = replace(adversary, queries=rows)
    queries = draw_adversary_queries(adversary, execution)
    observed = _observe_all(models, queries.rows, adversary, training_sets)
    if any(each.output == "label" for each in observed.values()):
        adversary = replace(adversary, labels_only=True)
    return observed, train_shadow_models(adversary, execution, queries)


def _check_one_learner(learner: Any, other: str) -> None:
    if learner is not None:
        raise InvalidInputError(
            f"`learner` must be None where `{other}` says how shadow models are trained; got "
            f"{learner!r}."
        )


def _observe_with(
    shadows: Any,
    models: Mapping[str, Any],
    family: DistributionFamily,
    adversary: Adversary | None,
    execution: Execution,
) -> tuple[dict[str, ObservedResponses], ShadowModels]:
    """Return what is observed of each model through the queries of given shadow models."""
    properties = family.property_values
    selecting = check_query_selection(adversary, properties)
    learner = getattr(getattr(shadows, "adversary", None), "learner", None)
    shadows = reuse_shadow_models(shadows, selecting, learner, properties)
    known, rows = shadows.adversary, shadows.queries.rows
    training_sets = draw_shadow_sets(known, execution)
    for name, model in models.items():
        if isinstance(model, RecordedResponses):
            own = match_queries(model.queries, rows, _queries_argument({name: model}))
            _check_equal(own, rows, _queries_argument({name: model}), "those of `shadows`")
    observed = _observe_all(models, rows, known, training_sets)
    for name, each in observed.items():
        if each.output == "label" and not known.labels_only:
            raise InvalidInputError(
                f"`shadows` must be trained with labels_only=True for `{argument_of(name)}`, which "
                "responds with labels only."
            )
    return observed, shadows


def _observe_all(
    models: Mapping[str, Any], rows: Any, adversary: Adversary, training_sets: DrawnSets
) -> dict[str, ObservedResponses]:
    learner, names = adversary.learner, {name: argument_of(name) for name in models}
    if hasattr(learner, "fit_zoo"):
        is_class = is_zoo_classifier(learner, np.asarray(training_sets(0)[1]))
    else:
        is_class = is_classifier(learner)
    observed = {
        name: observe(
            model, names[name], rows, is_class=is_class, labels_only=adversary.labels_only
        )
        for name, model in models.items()
    }
    for name, each in observed.items():
        check_known_classes(each, training_sets, names[name])
    return observed


def _with_recorded_queries(adversary: Adversary, models: Mapping[str, Any]) -> Adversary:
    """Return an adversary whose queries are those of recorded responses, if there are any."""
    recorded = {n: model for n, model in models.items() if isinstance(model, RecordedResponses)}
    if not recorded:
        return adversary
    queries, *others = (model.queries for model in recorded.values())
    if not isinstance(adversary.queries, str) or adversary.queries != "family":
        raise InvalidInputError(
            "`adversary.queries` must be left at its default, 'family', as recorded responses "
            f"have queries of their own; got {adversary.queries!r}."
        )
    for name, other in zip(list(recorded)[1:], others, strict=True):
        own = _queries_argument({name: None})
        _check_equal(other, queries, own, f"those of `{argument_of(next(iter(recorded)))}`")
    return replace(adversary, queries=queries)


def _queries_argument(models: Mapping[str, Any]) -> str:
    """Return what errors call the queries of the recorded responses, or of the adversary."""
    for name, model in models.items():
        if model is None or isinstance(model, RecordedResponses):
            return f"{argument_of(name)}.queries"
    return "adversary.queries"


def _check_equal(queries: Any, others: Any, name: str, of: str) -> None:
    if not pd.DataFrame(np.asarray(queries)).equals(pd.DataFrame(np.asarray(others))):
        raise InvalidInputError(f"`{name}` must be {of}, row by row; got others.")
