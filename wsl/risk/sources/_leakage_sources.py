"""``leakage_sources``: which part of an attack's advantage has which source, by intervention."""

import os
from collections.abc import Sequence
from typing import Any

from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from .._adversary import Adversary
from .._input_checks import (
    adversary_counts,
    check_adversary,
    check_counts,
    check_learner,
    check_unchanged,
    resolve_family,
    warn_of_identical_distributions,
)
from ..evaluation._attack_specs import AttackSpec, resolve_attacks
from ..reports._sources_report import SourcesReport
from ..shadows._adversary_queries import resolve_queries
from ..shadows._execution import resolve_execution
from ..shadows._trainer import Trainer
from ._decomposition import decompose
from ._interventions import plan_interventions, resolve_multipliers
from ._measurement import SourcesContext, measure_advantages

DEFAULT_ADVERSARY = Adversary(n_shadows=128)
ADVERSARY_FIELDS = {"n_shadows", "queries", "n_queries", "n_selected_queries"}


def leakage_sources(
    learner: Any,
    family: DistributionFamily,
    *,
    attacks: Any = "queries",
    adversary: Adversary | None = None,
    reference_learner: Any = None,
    conditional: Any = "auto",
    n_targets: int = 128,
    n_samples: int = 1024,
    sample_size_multipliers: Sequence[int] = (1, 2, 4),
    n_repeats: int = 10,
    cache: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool | str = "auto",
) -> SourcesReport:
    r"""Attribute the advantage of a black-box attack to three sources of leakage.

    A model leaks its distribution since it memorised the expected outcome E[Y|X], since its
    inductive bias is wrong, so that the fit depends on where the inputs are, or since its training
    data are finite [1]_. Each source is switched off by an intervention, in all combinations, and
    the loss of advantage is attributed by Shapley values.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner of the models, as in :func:`audit`.
    family : DistributionFamily
        Distributions of the training data.
    attacks : str or attack estimator, default="queries"
        One black-box attack that needs no labels of queries. Weights of models with different
        training sets have no common noise, so that white-box attacks are not possible.
    adversary : Adversary, optional
        Its number of shadow models, for each of the up to twelve populations that are trained, and
        its queries. Other fields must be left at their defaults, as interventions are made on
        targets and shadow models alike. By default ``Adversary(n_shadows=128)``.
    reference_learner : estimator, or an object with ``fit_zoo``, optional
        A learner without the wrong bias: a well-specified one if it is known. By default
        scikit-learn's histogram gradient boosting, which fits most functions but has a bias of its
        own, as the report states.
    conditional : {"auto", "known", "fitted"} or DistributionFamily, default="auto"
        A family whose Y given X is the same at every value of the property: "known" is what
        ``family.with_common_conditional()`` returns; "fitted" takes the family's inputs, with
        targets from gradient boosting on pooled rows; "auto" is the former where it exists; or a
        given family.
    n_targets : int, default=128
        Number of target models of each population.
    n_samples : int, default=1024
        Rows per training set.
    sample_size_multipliers : sequence of int, default=(1, 2, 4)
        Multiples of ``n_samples`` from which infinite training data are extrapolated; 1 is among
        them. Those for which the family has too few rows are left out.
    n_repeats : int, default=10
        How often the attack is trained, each time on a random half of the shadow models.
    cache : path-like, optional
        Folder in which trained models are kept and found again, as in :func:`audit`.
    n_jobs : int, optional
        Number of workers that train models and attacks, as in joblib; one by default.
    random_state : int, Generator, RandomState or None, default=None
        Seed of all draws, models and attacks.
    progress : bool or "auto", default="auto"
        Whether to show progress bars on stderr; "auto" shows them on a terminal or in a notebook.

    Returns
    -------
    SourcesReport
        The parts of the advantage with 95% intervals, and what was done to obtain them.

    Raises
    ------
    UnsupportedModuleError
        If a learner, the family, the adversary or the attack is of a wrong type.
    InvalidInputError
        If the attack reads weights, needs labels of queries, or cannot be applied to the models;
        if there are several; or if another parameter is invalid.

    Warns
    -----
    IdenticalDistributionsWarning
        If training sets are the same at all values of the property.

    See Also
    --------
    audit : Measure how large the advantage is, for any attack.

    Notes
    -----
    The advantage is :math:`1 - R / R_0` with R the error rate, or the mean absolute error, and
    :math:`R_0` that of the best guess by the prior. Infinite training data are the limit a of
    :math:`a + b / k`, fitted to the advantage at k times the rows, where responses get the noise
    of small training sets (noise matching). So the limit is what the limits of models reveal to an
    adversary whose resolution stays as it is: without noise, the smallest difference would reveal
    everything. Parts may be negative: finite data can hide what a model would leak.

    Intervals treat models as samples. Each repeat attacks with a random half of the shadow models:
    a bootstrap of them with weights of 0 and 2 [2]_. Halves and targets are the same in every
    variant, so that each estimate, limits included, has a value for every half and target; its
    variance is composed of the components of both, as in :func:`audit`. The interval is Student's,
    widened to hold the limit that :math:`\sqrt k` in place of k gives, and where errors are rare.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.
    .. [2] Præstgaard and Wellner, "Exchangeably weighted bootstraps of the general empirical
       process", Annals of Probability 1993.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary, GaussianFamily, leakage_sources
    >>> family = GaussianFamily("mean", properties=(0, 0.4), on_inputs=0)
    >>> report = leakage_sources(LinearRegression(), family, reference_learner=LinearRegression(),
    ...                          adversary=Adversary(n_shadows=32, n_queries=16), n_targets=32,
    ...                          n_samples=64, n_repeats=3, random_state=0)
    >>> report.dominant
    'conditional'
    """
    family = resolve_family(family, "family")
    properties = family.property_values
    check_learner(learner, "learner")
    adversary = check_adversary(adversary, DEFAULT_ADVERSARY)
    reason = "interventions are made on targets and shadow models alike"
    check_unchanged(adversary, ADVERSARY_FIELDS, reason)
    counts = check_counts(properties, n_targets=n_targets, n_samples=n_samples, n_repeats=n_repeats)
    adversary_sizes = check_counts(properties, **adversary_counts(adversary))
    warn_of_identical_distributions(family, counts["n_samples"])
    multipliers = resolve_multipliers(sample_size_multipliers)
    spec = _resolve_black_box(attacks, family.is_numeric)
    execution = resolve_execution(cache, n_jobs, random_state, progress)
    seeds = execution.seeds
    queries = resolve_queries(adversary.queries, family, adversary.n_queries, seeds["queries"])

    interventions = plan_interventions(
        learner, family, reference_learner, conditional, multipliers, n_samples, seeds["tests"]
    )
    context = SourcesContext(
        Trainer(learner, queries.rows, False, execution.cache, n_jobs, progress),
        {"shadows": adversary.n_shadows, "targets": n_targets},
        n_samples,
        seeds,
        spec,
        properties,
        n_repeats,
        adversary.n_selected_queries,
    )
    advantages = measure_advantages(context, interventions)
    return decompose(
        advantages,
        interventions.switches,
        interventions.multipliers,
        n_samples,
        floor=-1 / (len(properties) - 1) if isinstance(properties, tuple) else None,
        notes=interventions.notes,
        unavailable=interventions.unavailable,
        settings={
            "learner": repr(learner),
            "family": repr(family),
            "attack": spec.name,
            "reference_learner": repr(interventions.learners.get(False)),
            **counts,
            **{name.split(".")[-1]: count for name, count in adversary_sizes.items()},
            "sample_size_multipliers": list(interventions.multipliers),
            "random_state": execution.reported_seed,
        },
    )


def _resolve_black_box(attacks: Any, is_numeric: bool) -> AttackSpec:
    """Return the spec of one black-box attack that needs no labels of queries."""
    from ...attacks import STRATEGIES

    specs = resolve_attacks(attacks, is_numeric)
    if len(specs) > 1:
        raise InvalidInputError(
            f"`attacks` must be one attack, whose advantage is attributed; got {len(specs)}."
        )
    (spec,) = specs
    if spec.is_white_box or STRATEGIES[spec.estimator.strategy].needs:
        raise InvalidInputError(
            f"`attacks` must be a black-box attack that needs no labels of queries; got "
            f"{attacks!r}."
        )
    return spec
