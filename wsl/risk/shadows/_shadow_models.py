"""``train_shadows``: an adversary's shadow models, ready for any number of audits."""

import os
from dataclasses import dataclass, replace
from typing import Any

from ...distributions import DistributionFamily
from ...distributions._properties import Properties
from ...exceptions import InvalidInputError, UnsupportedModuleError
from .._adversary import Adversary
from .._input_checks import (
    check_counts,
    check_labels_only,
    check_learner,
    resolve_adversary,
    resolve_family,
    warn_of_identical_distributions,
)
from ._adversary_queries import QuerySet, resolve_queries
from ._drawn_sets import DrawnSets, draw_sets
from ._execution import Execution, resolve_execution
from ._population import Population
from ._trainer import Trainer


@dataclass(frozen=True, eq=False, repr=False)
class ShadowModels:
    """Shadow models of an adversary, as :func:`train_shadows` returns them.

    ``len`` is the number of models.

    Parameters
    ----------
    population : Population
        Responses of the models to the queries and, where they have them, their weights.
    queries : QuerySet
        What the shadow models, and the targets of an audit, are queried with.
    adversary : Adversary
        The adversary, with the learner, family and number of samples that were used.

    See Also
    --------
    train_shadows : Train shadow models.
    audit : Measure leakage, with given shadow models.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary, EnvironmentMembershipFamily, train_shadows
    >>> shadows = train_shadows(
    ...     LinearRegression(), EnvironmentMembershipFamily.linear_causal(),
    ...     adversary=Adversary(n_shadows=8), n_samples=50, random_state=0)
    >>> len(shadows)
    8
    """

    population: Population
    queries: QuerySet
    adversary: Adversary

    @property
    def settings(self) -> dict[str, Any]:
        """How the shadow models were trained and queried, as reports state it."""
        adversary = self.adversary
        assert adversary.n_samples is not None
        return {
            "adversary_learner": repr(adversary.learner),
            "adversary_family": repr(adversary.family),
            "n_shadows": int(adversary.n_shadows),
            "adversary_n_samples": int(adversary.n_samples),
            "n_queries": len(self.queries.rows),
            "queries": adversary.queries if isinstance(adversary.queries, str) else "given",
            "labels_only": adversary.labels_only,
            "n_selected_queries": adversary.n_selected_queries,
        }

    def __len__(self) -> int:
        return len(self.population)

    def __repr__(self) -> str:
        return f"ShadowModels({len(self)} models, {self.settings})"


def train_shadows(
    learner: Any,
    family: DistributionFamily,
    *,
    adversary: Adversary | None = None,
    n_samples: int = 1024,
    cache: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool | str = "auto",
) -> ShadowModels:
    """Train an adversary's shadow models once, for audits of several learners.

    ``audit(..., shadows=)`` takes them. With the same ``random_state`` they are those that
    ``audit`` trains itself.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner that will be audited, as in :func:`audit`.
    family : DistributionFamily
        Family from which training sets are drawn.
    adversary : Adversary, optional
        What the adversary knows and may do. Its own learner, family and number of samples replace
        the other parameters. By default ``Adversary()``.
    n_samples : int, default=1024
        Rows per training set.
    cache : path-like, optional
        Folder in which trained models are kept and found again, as in :func:`audit`.
    n_jobs : int, optional
        Number of workers that train models, as in joblib; one by default.
    random_state : int, Generator, RandomState or None, default=None
        Seed of the draws and of all models; an int makes the result reproducible.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar on stderr; "auto" shows it on a terminal or in a notebook.

    Returns
    -------
    ShadowModels
        The models' responses to the queries and, where they can be read, their weights.

    Raises
    ------
    UnsupportedModuleError
        If the learner, the family or the adversary is of a wrong type.
    InvalidInputError
        If a field of the adversary or another parameter has an invalid value.

    Warns
    -----
    IdenticalDistributionsWarning
        If training sets are the same at all values of the property.

    See Also
    --------
    audit : Train target models and attack them with the help of shadow models.
    Adversary : What an adversary knows and may do.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> from wsl import Adversary, EnvironmentMembershipFamily, audit, train_shadows
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> shadows = train_shadows(LinearRegression(), family, adversary=Adversary(n_shadows=32),
    ...                         random_state=0)
    >>> for target in (LinearRegression(), Ridge(100.0)):
    ...     report = audit(target, family, shadows=shadows, attacks="queries", n_targets=8,
    ...                    n_repeats=2, random_state=0)
    >>> report.settings["adversary_learner"]
    'LinearRegression()'
    """
    family = resolve_family(family, "family")
    properties = family.property_values
    check_learner(learner, "learner")
    check_counts(properties, n_samples=n_samples)
    warn_of_identical_distributions(family, n_samples)
    adversary = resolve_adversary(adversary, learner, family, n_samples)
    return train_shadow_models(adversary, resolve_execution(cache, n_jobs, random_state, progress))


def train_shadow_models(
    adversary: Adversary, execution: Execution, queries: QuerySet | None = None
) -> ShadowModels:
    """Train the shadow models of an adversary that has a learner, a family and a sample size.

    ``queries`` replaces those of the adversary if they have been drawn already.
    """
    if queries is None:
        queries = draw_adversary_queries(adversary, execution)
    drawn_sets = draw_shadow_sets(adversary, execution)
    trainer = Trainer(
        adversary.learner, queries.rows, adversary.labels_only, execution.cache, execution.n_jobs,
        execution.progress,
    )  # fmt: skip
    population = trainer.train(drawn_sets, execution.seeds["shadows"], name="shadow models")
    return ShadowModels(population, queries, adversary)


def draw_adversary_queries(adversary: Adversary, execution: Execution) -> QuerySet:
    """Return the queries of an adversary that has a family."""
    seed = execution.seeds["queries"]
    return resolve_queries(adversary.queries, adversary.family, adversary.n_queries, seed)


def draw_shadow_sets(adversary: Adversary, execution: Execution) -> DrawnSets:
    """Return the training sets of the shadow models."""
    assert adversary.n_samples is not None
    seed = execution.seeds["shadows"]
    return draw_sets(adversary.family, adversary.n_shadows, adversary.n_samples, seed)


def reuse_shadow_models(
    shadows: Any, adversary: Adversary, learner: Any, properties: Properties
) -> ShadowModels:
    """Return given shadow models for an audit of ``learner``; the adversary selects queries."""
    if not isinstance(shadows, ShadowModels):
        raise UnsupportedModuleError(
            f"`shadows` must be what train_shadows returns; got {shadows!r}."
        )
    own_properties = shadows.adversary.family.property_values
    if own_properties != properties:
        raise InvalidInputError(
            f"`shadows` must be trained for the properties of `family`, {properties!r}; got "
            f"{own_properties!r}."
        )
    check_labels_only(learner, shadows.adversary.labels_only)
    if adversary.n_selected_queries is None:
        return shadows
    selecting = replace(shadows.adversary, n_selected_queries=adversary.n_selected_queries)
    return replace(shadows, adversary=selecting)
