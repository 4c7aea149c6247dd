"""``leakage_sources``: which part of an attack's advantage comes from where, by intervention.

Interventions live in ``_interventions``, what large training sets are seen through in
``_blur``, Shapley values and limits in ``_shapley``; the report in ``_sources_report``.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from numbers import Integral
from typing import Any

import numpy as np

from ...distributions import DistributionFamily
from ...distributions._properties import Properties
from ...exceptions import InvalidInputError
from .._adversary import Adversary, check_unchanged, resolve_adversary
from .._input_checks import check_counts, check_family, check_learner
from ..evaluation._attack_runs import AttackSpec, attack_specs, encode_properties, run_attacks
from ..reports._sources_report import SourcesReport
from ..shadows._drawn_sets import draw, find_queries
from ..shadows._population import Population
from ..shadows._shadow_models import draw_streams, fixed_seed, open_cache
from ..shadows._trainer import Trainer
from ._decomposition import summarize
from ._interventions import Interventions, check_multipliers, plan_interventions
from ._noise_matching import blurred


@dataclass(frozen=True)
class SourcesContext:
    """What all trainings of an analysis share."""

    trainer: Trainer
    n_models: dict[str, int]  # by "shadows" and "targets"
    n_samples: int
    seeds: dict[str, int]
    plan: AttackSpec
    properties: Properties
    n_repeats: int
    n_selected_queries: int | None = None


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
    r"""Divide the advantage of a black-box attack among three sources of leakage.

    A model gives its distribution away because it memorised the expected outcome E[Y|X], because
    its inductive bias is wrong, so that it fits where the inputs are, or because its training data
    are finite [1]_. Each source is switched off by an intervention, in all combinations, and what
    the attack loses is shared out by Shapley values.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        As in :func:`wsl.audit`.
    family : DistributionFamily
    attacks : str or attack estimator, default="queries"
        One black-box strategy that needs no labels of queries.
    adversary : Adversary, optional
        Its shadow models, for each of the up to twelve populations that are trained, and its
        queries; by default ``Adversary(n_shadows=128)``. It knows learner, family and number of
        samples, and observes whole responses, so that these fields are left at their defaults.
    reference_learner : estimator, or an object with ``fit_zoo``, optional
        A learner without the wrong bias: well specified where one is known. By default scikit-
        learn's gradient boosting of histograms, which fits any function but is no more right than
        that: the report says so.
    conditional : {"auto", "known", "fitted"} or DistributionFamily, default="auto"
        A family whose Y given X is the same at every value of the property: what
        ``family.with_common_conditional()`` returns ("known"), inputs of the family with outcomes
        of a gradient boosting fitted to rows of all values, its out-of-fold residuals resampled
        ("fitted"), the former where there is one ("auto"), or one of one's own.
    n_targets : int, default=128
        For each of the up to twelve populations that are trained.
    n_samples : int, default=1024
    sample_size_multipliers : sequence of int, default=(1, 2, 4)
        Multiples of ``n_samples`` along which training data grow; 1 is among them. Those for which
        a table has too few rows are left out.
    n_repeats, cache, n_jobs, random_state, progress : as in :func:`wsl.audit`

    Returns
    -------
    SourcesReport

    Raises
    ------
    UnsupportedModuleError, InvalidInputError
        As in :func:`wsl.audit`; and if the attack sees weights or needs labels.

    Notes
    -----
    The advantage is :math:`1 - R / R_0` with R the share of wrong guesses or the mean absolute
    error, and :math:`R_0` that of the best guess by the prior. Infinite training data are the limit
    a of :math:`a + b / k`, fitted to the advantage at k times the rows, models of many rows being
    seen through fluctuations of the size that few rows have. So the limit
    is what the limits of models show at the sight that one has today: with data of any size that
    sharpen the sight, the smallest difference would tell all. Shares may be negative: finite data
    can hide what a model would tell.

    Intervals take models as samples. Each repeat attacks with a random half of the shadows: a
    bootstrap of them with weights of 0 and 2 [2]_. Halves and targets are the same in every
    combination, so that each figure, limits included, has a value for every half and target; its
    variance is put together from the components of both, as in :func:`wsl.audit`. The interval is
    Student's, widened to hold the limit that :math:`\sqrt k` in place of k gives, and where
    hardly a guess is wrong. Over analyses of linear Gaussian data that were made again and again
    (``benchmarks.interval_coverage``), it held a figure's mean in 93 to 100% of 150 with 48 shadows
    and targets (mean width .38), and in 94 to 100% of 100 with 128 (.22). Percentiles of halves
    and targets that are drawn with replacement do no better: averaged over the halves they held it
    in 91 to 100% and 90 to 100% (.34 and .20), of one half at a time in 99 to 100% and 96 to 100%
    (.56 and .32).

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.
    .. [2] Præstgaard and Wellner, "Exchangeably weighted bootstraps of the general empirical
       process", Annals of Probability 1993.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl.distributions import GaussianFamily
    >>> from wsl.risk import Adversary, leakage_sources
    >>> family = GaussianFamily("mean", properties=(0, 0.4), on_inputs=0)
    >>> report = leakage_sources(LinearRegression(), family, reference_learner=LinearRegression(),
    ...                          adversary=Adversary(n_shadows=32, n_queries=16), n_targets=32,
    ...                          n_samples=64, n_repeats=3, random_state=0, progress=False)
    >>> report.dominant
    'conditional'
    """
    properties = check_family(family, "family")
    check_learner(learner, "learner")
    adversary = resolve_adversary(adversary, Adversary(n_shadows=128))
    check_unchanged(
        adversary,
        {"n_shadows", "queries", "n_queries", "n_selected_queries"},
        "interventions are made on targets and shadow models alike",
    )
    counts = check_counts(properties, n_targets=n_targets, n_samples=n_samples, n_repeats=n_repeats)
    names = ("n_shadows", "n_queries", "n_selected_queries")
    own = {name: getattr(adversary, name) for name in names if getattr(adversary, name) is not None}
    check_counts(properties, **{f"adversary.{name}": n for name, n in own.items()})
    plan = _black_box(attacks, family.is_numeric)
    seed = fixed_seed(random_state)
    seeds = draw_streams(seed)
    off = plan_interventions(
        learner, family, reference_learner, conditional, check_multipliers(sample_size_multipliers),
        n_samples, seeds["tests"],
    )  # fmt: skip
    asked = find_queries(adversary.queries, family, adversary.n_queries, seeds["queries"])
    scene = SourcesContext(
        Trainer(learner, asked.rows, False, open_cache(cache, random_state), n_jobs, progress),
        {"shadows": adversary.n_shadows, "targets": n_targets},
        n_samples,
        seeds,
        plan,
        properties,
        n_repeats,
        adversary.n_selected_queries,
    )
    advantages = measure(scene, off)
    return summarize(
        advantages,
        off.switches,
        off.multipliers,
        n_samples,
        floor=-1 / (len(properties) - 1) if isinstance(properties, tuple) else None,
        notes=off.notes,
        unavailable=off.unavailable,
        settings={
            "learner": repr(learner),
            "family": repr(family),
            "attack": plan.name,
            "reference_learner": repr(off.learners.get(False)),
            **counts,
            **own,
            "sample_size_multipliers": list(off.multipliers),
            "random_state": int(random_state) if isinstance(random_state, Integral) else None,
        },
    )


def measure(scene: SourcesContext, off: Interventions) -> dict[tuple[bool, bool, int], np.ndarray]:
    """Return advantages ``(n_repeats, n_targets)`` by conditional, bias (both: on?) and growth."""
    known: dict[tuple[int, int, int], dict[str, Population]] = {}
    trained: dict[tuple[bool, bool, int], dict[str, Population]] = {}
    for key, family, learner, k in _arms(off):
        same = (id(family), id(learner), k)  # arms may have both in common
        if same not in known:
            known[same] = _train(scene, family, learner, k)
        trained[key] = dict(known[same])
    for part in scene.n_models:  # a model that diverged anywhere is left out everywhere
        kept = reduce(np.intersect1d, (own[part].models for own in trained.values()))
        for own in trained.values():
            own[part] = _take(own[part], np.isin(own[part].models, kept))
    attacked: dict[tuple[int, int, int], np.ndarray] = {}
    found = {}
    for (differ, biased, k), family, learner, _ in _arms(off):
        same = (id(family), id(learner), k)
        if same not in attacked:
            own, small = trained[differ, biased, k], trained[differ, biased, 1]
            if k > 1:
                own = {
                    part: blurred(own[part], small[part], small["shadows"], k, scene.seeds[part])
                    for part in own
                }
            attacked[same] = _attack(scene, own)
        found[differ, biased, k] = attacked[same]
    return found


def _arms(off: Interventions) -> Iterator[tuple[Any, ...]]:
    """Yield each combination of interventions with its family, learner and growth."""
    for differ, family in off.families.items():
        for biased, learner in off.learners.items():
            for k in off.multipliers:
                yield (differ, biased, k), family, learner, k


def _train(
    scene: SourcesContext, family: DistributionFamily, learner: Any, growth: int
) -> dict[str, Population]:
    """Train shadow and target models, on draws that are the same for every arm."""
    trainer = replace(scene.trainer, learner=learner)
    trained = {}
    for part, n_models in scene.n_models.items():
        data = draw(family, n_models, growth * scene.n_samples, scene.seeds[part])
        population = trainer.train(data, scene.seeds[part], name=f"{part}, {growth} n rows")
        labels = encode_properties(population.properties, scene.properties)
        trained[part] = replace(population, properties=labels, weights=None, architecture=None)
    return trained


def _attack(scene: SourcesContext, seen: dict[str, Population]) -> np.ndarray:
    """Return the advantage over the prior on each target, ``(n_repeats, n_targets)``."""
    classes = scene.properties if isinstance(scene.properties, tuple) else None
    space = tuple(range(len(classes))) if classes else scene.properties
    trials, skipped = run_attacks(
        [scene.plan], seen["shadows"], seen["targets"], space, n_repeats=scene.n_repeats,
        n_selected_queries=scene.n_selected_queries,
        seed=scene.seeds["attacks"], n_jobs=scene.trainer.n_jobs,
    )  # fmt: skip
    if skipped:
        raise InvalidInputError(f"attacks={scene.plan.name!r} cannot be tried: {skipped}")
    (trial,), truth = trials.values(), seen["targets"].properties
    if classes:
        return 1 - (trial.guesses != truth) / (1 - 1 / len(classes))
    given: Any = scene.properties
    intervals = given if isinstance(given, list) else [given]
    chance = np.array([interval.high - interval.low for interval in intervals]) / 4
    errors = np.abs(trial.guesses - truth).reshape(*trial.guesses.shape[:2], -1)
    return (1 - errors / chance).mean(axis=2)


def _take(population: Population, kept: np.ndarray) -> Population:
    return replace(
        population,
        properties=population.properties[kept],
        models=population.models[kept],
        responses=population.responses[kept],
    )


def _black_box(attacks: Any, is_numeric: bool) -> AttackSpec:
    from ...attacks import STRATEGIES

    plans = attack_specs(attacks, is_numeric)
    if len(plans) > 1:
        raise InvalidInputError(
            f"`attacks` must be one attack, whose advantage is divided; got {len(plans)}."
        )
    (plan,) = plans
    strategy = STRATEGIES.get(getattr(plan.estimator, "strategy", ""))
    if plan.is_white_box or (strategy is not None and strategy.needs):
        raise InvalidInputError(
            f"attacks={attacks!r}; wanted a black-box strategy that needs no labels of queries: "
            "weights of models of different training sets have no fluctuation in common"
        )
    return plan
