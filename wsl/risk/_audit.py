"""``audit``: how much do a learner's models give away about the distribution they were trained on?

Training lives in ``_shadows``, attacking in ``_trials``, the report in ``_report``.
"""

from numbers import Integral
from typing import Any
from zlib import crc32

import numpy as np

from .._random import draw_seeds
from ..distributions import DistributionFamily
from ..distributions._properties import Properties
from ._checks import check_counts, check_families, check_learner, check_test_set
from ._draws import draw, draw_queries, redraw
from ._figures import attack_table, chance_of, utility_table
from ._report import AuditReport
from ._shadows import Population, Trainer
from ._trials import Plan, Trial, halves_of, labels_of, plan_attacks, try_attack

_STREAMS = ("queries", "targets", "tests", "shadows", "attacks")


def audit(
    learner: Any,
    family: DistributionFamily,
    *,
    attacks: Any = ("deepsets", "queries"),
    n_shadows: int = 256,
    n_targets: int = 128,
    n_samples: int = 1024,
    n_repeats: int = 10,
    n_queries: int = 256,
    adversary_family: DistributionFamily | None = None,
    test_set: tuple[Any, Any] | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool = True,
) -> AuditReport:
    """Play the distribution inference game against a learner, and report how often it is lost.

    Target models are trained on samples of ``family``, each at a random value of the property. An
    adversary that knows the learner and the family trains shadow models of its own at values that
    it knows, learns to read the value off a model, and guesses the targets' values.

    Parameters
    ----------
    learner : estimator
        A scikit-learn classifier or regressor; or an object with
        ``fit_zoo(datasets, n_models) -> ModelZoo``, which trains all models at once. Its
        ``datasets`` is a function from a model's index to ``(X, y)`` or ``(X, y, environments)``.
    family : DistributionFamily
        Where the targets' training sets come from. Its ``properties`` are what there is to guess.
    attacks : sequence of str or of attack estimators, default=("deepsets", "queries")
        "deepsets" sees the weights (white box), "queries" the answers to queries (black box). A
        ``DistributionInferenceAttack`` of one's own may stand for its strategy.
    n_shadows, n_targets : int, default=256 and 128
    n_samples : int, default=1024
        Rows of each training set.
    n_repeats : int, default=10
        How often each attack is trained, every time on a random half of the shadows.
    n_queries : int, default=256
        Rows, drawn from the adversary's family over the values of its property.
    adversary_family : DistributionFamily, optional
        Where the shadows' training sets come from; by default ``family``. Properties must agree.
    test_set : (X, y), optional
        What the targets' own quality is measured on; by default, for each target, a fresh sample
        of the distribution that it was trained on. A family that draws from a real table draws
        these rows from the same table: give held-out rows to see how well models generalise.
    n_jobs : int, optional
        Workers that train models and attacks, as in joblib; one by default.
    random_state : int, Generator, RandomState or None
        One seed gives one report, whatever ``n_jobs`` is.
    progress : bool, default=True
        Show progress bars on stderr.

    Returns
    -------
    AuditReport

    Raises
    ------
    UnsupportedModuleError
        If ``learner`` or ``family`` is of no such kind, or ``attacks`` holds something else.
    InvalidInputError
        If an attack is unknown, a number is too small, or the families' properties differ.

    Warns
    -----
    AttackNotApplicableWarning
        If an attack is left out because the learner does not offer what it needs: a forest has no
        weights. The report lists it under ``skipped``.

    Notes
    -----
    Weights are read from scikit-learn's linear models and multi-layer perceptrons, scalers before
    them in a Pipeline folded in, and from zoos; every other learner is a black box. Queries are
    answered with probabilities (classifiers), predictions (regressors) or raw outputs (zoos).
    Models are not kept: each is looked at where it is trained, so memory does not grow with them.
    Environments that the family returns are passed on to a learner whose ``fit`` takes them.

    References
    ----------
    .. [1] Suri and Evans, "Formalizing and estimating distribution inference risks", PETS 2022.
    .. [2] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from wsl.distributions import EnvironmentMembershipFamily
    >>> from wsl.risk import audit
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> report = audit(DecisionTreeRegressor(max_depth=2), family, attacks="queries",
    ...                n_shadows=16, n_targets=8, n_samples=64, n_repeats=2, random_state=0,
    ...                progress=False)
    >>> report.table.columns.tolist()
    ['attack', 'metric', 'value', 'ci_low', 'ci_high', 'advantage', 'n_leaked']
    """
    adversary_family = family if adversary_family is None else adversary_family
    properties = check_families(family, adversary_family)
    check_learner(learner)
    settings = {
        "n_shadows": n_shadows,
        "n_targets": n_targets,
        "n_samples": n_samples,
        "n_repeats": n_repeats,
        "n_queries": n_queries,
    }
    check_counts(properties, **settings)
    plans = plan_attacks(attacks, family.is_numeric)
    seeds = dict(zip(_STREAMS, draw_seeds(random_state, len(_STREAMS)).tolist(), strict=True))

    queries = draw_queries(adversary_family, n_queries, seeds["queries"])
    trainer = Trainer(learner, queries, n_jobs, progress)
    data = draw(family, n_targets, n_samples, seeds["targets"])
    tests = redraw(data, seeds["tests"]) if test_set is None else check_test_set(test_set)
    targets = trainer.train(data, seeds["targets"], tests, "target models")
    data = draw(adversary_family, n_shadows, n_samples, seeds["shadows"])
    shadows = trainer.train(data, seeds["shadows"], name="shadow models")

    trials, skipped = try_attacks(
        plans, shadows, targets, properties,
        n_repeats=n_repeats, seed=seeds["attacks"], n_jobs=n_jobs, progress=progress,
    )  # fmt: skip
    truth = labels_of(targets.properties, properties)
    return AuditReport(
        table=attack_table(trials, truth, properties, family.property_is_share),
        utility=utility_table(targets.utility),
        chance=chance_of(properties, truth),
        skipped=skipped,
        settings={
            "learner": repr(learner),
            "family": repr(family),
            "adversary_family": repr(adversary_family),
            **settings,
            "random_state": int(random_state) if isinstance(random_state, Integral) else None,
        },
        truth=truth,
        guesses={name: trial.guesses for name, trial in trials.items()},
        scores={name: t.scores for name, t in trials.items() if t.scores is not None},
        classes=properties if isinstance(properties, tuple) else None,
    )


def try_attacks(
    plans: list[Plan],
    shadows: Population,
    targets: Population,
    properties: Properties,
    *,
    n_repeats: int,
    seed: int,
    n_jobs: int | None = None,
    progress: bool = False,
) -> tuple[dict[str, Trial], dict[str, str]]:
    """Try every attack on trained populations, all on the same halves of the shadows.

    Returns
    -------
    trials : dict from attack to Trial
    skipped : dict from attack to str
        Why it was left out.
    """
    known = labels_of(shadows.properties, properties)
    halves = halves_of(known, n_repeats, seed)
    trials: dict[str, Trial] = {}
    skipped: dict[str, str] = {}
    for plan in plans:
        own = np.random.SeedSequence([seed, crc32(plan.name.encode())])  # whatever the others are
        trial = try_attack(
            plan, shadows, targets, known, halves,
            random_state=own, n_jobs=n_jobs, progress=progress,
        )  # fmt: skip
        if isinstance(trial, str):
            skipped[plan.name] = trial
        else:
            trials[plan.name] = trial
    return trials, skipped
