"""``train_shadows``: the models that an adversary trains, and what it asks of every model.

Attacks on them live in ``_trials``; ``_audit`` sets them against targets.
"""

import os
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from ..._random import draw_seed, draw_seeds, resolve_random_state
from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from .._adversary import Adversary, fill_adversary, resolve_adversary
from .._input_checks import (
    check_adversary_family,
    check_counts,
    check_family,
    check_labels_only,
    check_learner,
)
from ._cache import Cache
from ._drawn_sets import QuerySet, draw, find_queries
from ._population import Population
from ._trainer import Trainer

STREAMS = ("queries", "targets", "tests", "shadows", "attacks")


@dataclass(frozen=True, eq=False, repr=False)
class ShadowModels:
    """An adversary's shadow models, ready for any number of audits; ``train_shadows`` makes them.

    Attributes
    ----------
    population : Population
        What the models answer and, where they have them, their weights.
    queries : Queries
        What they, and the targets of an audit, are asked.
    adversary : Adversary
        With the learner, family and number of samples that they were trained with.
    settings : dict
        How they were trained.
    """

    population: Population
    queries: QuerySet
    adversary: Adversary
    settings: dict[str, Any]

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
    """Train an adversary's shadow models once, for audits of several targets.

    ``audit(..., shadows=)`` takes them. With the same ``random_state`` they are the ones that
    ``audit`` would train itself.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        As in :func:`wsl.audit`.
    family : DistributionFamily
        Where their training sets come from.
    adversary : Adversary, optional
        What the adversary knows and may do: its learner, family and ``n_samples`` take precedence
        over the other parameters.
    n_samples : int, default=1024
        Rows of each training set.
    cache : path, optional
    n_jobs : int, optional
    random_state : int, Generator, RandomState or None
    progress : bool or "auto", default="auto"
        Whether to show progress bars on stderr; "auto" shows them on a terminal or in a notebook.

    Returns
    -------
    ShadowModels

    Raises
    ------
    UnsupportedModuleError, InvalidInputError
        As in :func:`wsl.audit`.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression, Ridge
    >>> from wsl.distributions import EnvironmentMembershipFamily
    >>> from wsl.risk import Adversary, audit, train_shadows
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> shadows = train_shadows(LinearRegression(), family, adversary=Adversary(n_shadows=32),
    ...                         random_state=0, progress=False)
    >>> for target in (LinearRegression(), Ridge(100.0)):
    ...     report = audit(target, family, shadows=shadows, attacks="queries", n_targets=8,
    ...                    n_repeats=2, random_state=0, progress=False)
    >>> report.settings["adversary_learner"]
    'LinearRegression()'
    """
    properties = check_family(family, "family")
    check_learner(learner, "learner")
    adversary = fill_adversary(resolve_adversary(adversary), learner, family, n_samples)
    check_learner(adversary.learner, "adversary.learner")
    check_adversary_family(adversary.family, properties)
    check_labels_only(adversary.learner, adversary.labels_only)
    names = ("n_shadows", "n_samples", "n_queries")
    check_counts(properties, **{f"adversary.{name}": getattr(adversary, name) for name in names})
    seeds = draw_streams(random_state)
    asked = find_queries(adversary.queries, adversary.family, adversary.n_queries, seeds["queries"])
    store = open_cache(cache, random_state)
    trainer = Trainer(adversary.learner, asked.rows, adversary.labels_only, store, n_jobs, progress)
    data = draw(adversary.family, adversary.n_shadows, adversary.n_samples, seeds["shadows"])
    return ShadowModels(
        trainer.train(data, seeds["shadows"], name="shadow models"),
        asked,
        adversary,
        {
            "adversary_learner": repr(adversary.learner),
            "adversary_family": repr(adversary.family),
            "n_shadows": int(adversary.n_shadows),
            "adversary_n_samples": int(adversary.n_samples),
            "n_queries": len(asked.rows),
            "queries": adversary.queries if isinstance(adversary.queries, str) else "given",
            "labels_only": adversary.labels_only,
        },
    )


def draw_streams(random_state: Any) -> dict[str, int]:
    """Return the seed of each part of an audit, which does not depend on the other parts."""
    return dict(zip(STREAMS, draw_seeds(random_state, len(STREAMS)).tolist(), strict=True))


def fixed_seed(random_state: Any) -> int:
    """Return an int for a ``random_state`` of any kind, so that one draw serves several uses."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return draw_seed(resolve_random_state(random_state))


def open_cache(folder: Any, random_state: Any) -> Cache | None:
    """Return the cache; InvalidInputError where nothing in it could ever be found again."""
    if folder is None:
        return None
    if random_state is None:
        raise InvalidInputError(
            f"cache={str(folder)!r}, but random_state=None draws other models each time; wanted a "
            "seed"
        )
    return Cache(folder)
