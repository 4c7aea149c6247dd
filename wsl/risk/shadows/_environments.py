"""How environments of a family reach a learner, directly or through a meta-estimator."""

from typing import Any

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from ..._caller_warnings import warn_caller
from ...exceptions import DroppedEnvironmentsWarning

NAME = "environments"


def environments_parameter(learner: Any) -> str | None:
    """Return the parameter of ``fit`` that takes environments to where they are used, or None.

    With metadata routing, meta-estimators pass on what their estimators request. Without it, only a
    Pipeline does: to its last step, by a prefix.
    """
    if has_fit_parameter(learner, NAME):
        return NAME
    if get_config()["enable_metadata_routing"]:
        consumed = get_routing_for_object(learner).consumes("fit", {NAME})
        return NAME if NAME in consumed else None
    if isinstance(learner, Pipeline):
        name, last = learner.steps[-1]
        inner = environments_parameter(last)
        return None if inner is None else f"{name}__{inner}"
    return None


def warn_of_dropped_environments(learner: Any) -> None:
    """Warn if an estimator inside a learner takes environments, but none reach it."""
    if environments_parameter(learner) is not None or not hasattr(learner, "get_params"):
        return
    parts = [part for part in learner.get_params(deep=True).values() if hasattr(part, "fit")]
    takers = sorted({type(part).__name__ for part in parts if has_fit_parameter(part, NAME)})
    if takers:
        warn_caller(
            f"{' and '.join(takers)} in {type(learner).__name__} can use environments, but the "
            "family's environments do not reach it: models are trained without them. Enable "
            "scikit-learn's metadata routing (enable_metadata_routing=True) and request them with "
            "set_fit_request(environments=True).",
            DroppedEnvironmentsWarning,
        )
