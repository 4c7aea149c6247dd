"""``audit``: how much models of a learner reveal about the distribution of their training data."""

import os
from collections.abc import Mapping
from typing import Any

from ..distributions import DistributionFamily
from ._adversary import Adversary
from ._input_checks import (
    check_counts,
    check_learner,
    check_query_selection,
    is_fitted,
    resolve_adversary,
    resolve_family,
    resolve_test_sets,
    warn_of_identical_distributions,
)
from .evaluation._attack_runs import run_attacks
from .evaluation._attack_specs import resolve_attacks
from .evaluation._tables import attack_table, chance_of, utility_table
from .evaluation._thresholds import check_threshold_names
from .reports._audit_report import AuditReport
from .reports._audit_text import check_names
from .shadows._drawn_sets import draw_sets, draw_test_sets
from .shadows._execution import resolve_execution
from .shadows._shadow_models import ShadowModels, reuse_shadow_models, train_shadow_models
from .shadows._trainer import Trainer


def audit(
    learner: Any,
    family: DistributionFamily,
    *,
    attacks: Any = ("deepsets", "queries"),
    adversary: Adversary | None = None,
    n_targets: int = 128,
    n_samples: int = 1024,
    n_repeats: int = 10,
    shadows: ShadowModels | None = None,
    test_set: Any = None,
    names: Mapping[str, str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    cache: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool | str = "auto",
) -> AuditReport:
    """Measure how much a learner's models reveal about the distribution they were trained on.

    Target models are trained on samples of ``family``, each at a random value of the property. An
    adversary trains shadow models at values that it knows, learns to infer the value from a model,
    and guesses the values of the targets. The report says how often it is right, with intervals.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        A scikit-learn classifier or regressor, of which fresh copies are trained, also if it is
        fitted already (see :func:`audit_model` to audit that model); or an object
        whose ``fit_zoo`` trains many models at once and returns a :class:`wsl.ModelZoo`. Its
        ``datasets`` is a function from a model's index to ``(X, y)`` or ``(X, y, environments)``.
    family : DistributionFamily
        Distributions of the targets' training data. Its ``properties`` are what is inferred.
    attacks : str, attack estimator, sequence or dict of such, default=("deepsets", "queries")
        Strategies of :class:`wsl.DistributionInferenceAttack`: the default has one white-box
        attack, on weights, and one black-box attack, on responses to queries. An attack estimator
        is used as it is. A dict names the attacks, so that one strategy can be used twice.
    adversary : Adversary, optional
        What the adversary knows and may do. By default it knows learner, family and number of
        samples, trains 256 shadow models and makes 256 queries.
    n_targets : int, default=128
        Number of target models. Intervals narrow with its square root.
    n_samples : int, default=1024
        Rows per training set.
    n_repeats : int, default=10
        How often each attack is trained, each time on a random half of the shadow models, so that
        intervals include the choice of shadow models.
    shadows : ShadowModels, optional
        Shadow models from :func:`train_shadows`. They bring their adversary with them, so that
        ``adversary`` may only set ``n_selected_queries``.
    test_set : (X, y), DistributionFamily, or dict of such by name, optional
        Data on which the targets' own utility is measured. Of a family, each target gets a fresh
        sample at its own value of the property. By default that is ``family``; a family that
        draws from a table then draws training rows again, so pass held-out rows to measure
        generalisation.
    names : dict from str to str, optional
        Your own names for the report: "property", "group" (whose fraction of the rows the property
        is), "learner" and "data". By default those that the family takes from the name of a
        column, and general words.
    thresholds : dict from str to float, optional
        Largest values to accept of "advantage", "accuracy" or "auc", for ``report.passed``. By
        default nothing passes or fails.
    cache : path-like, optional
        Folder in which trained models are kept and found again by any audit that would train the
        same: after an interrupt, with other attacks, or with more repeats. Files are named by a
        digest of all that decides the models, and may be deleted at any time.
    n_jobs : int, optional
        Number of workers that train models and attacks, as in joblib; one by default.
    random_state : int, Generator, RandomState or None, default=None
        Seed of all draws, models and attacks. One int gives one report, whatever ``n_jobs`` is.
    progress : bool or "auto", default="auto"
        Whether to show progress bars on stderr; "auto" shows them on a terminal or in a notebook.

    Returns
    -------
    AuditReport
        Metrics of every attack with 95% intervals, the targets' utility, and all guesses.

    Raises
    ------
    UnsupportedModuleError
        If learner, family, adversary, shadows or an attack is of a wrong type.
    InvalidInputError
        If an attack is unknown; if a number is too small; if the properties of two families
        differ; if labels only are to be observed of a regressor; or if ``cache`` is given without
        a seed, or for a learner or family that has no digest.

    Warns
    -----
    AttackNotApplicableWarning
        If an attack is skipped since the models lack what it needs: a forest has no weights. The
        report lists it under ``skipped``.
    DivergedModelWarning
        If models have weights that are not finite, and are left out.
    IdenticalDistributionsWarning
        If training sets are the same at all values of the property.
    DroppedEnvironmentsWarning
        If an estimator inside the learner takes environments, and the family's do not reach it.

    See Also
    --------
    train_shadows : Train shadow models once, for audits of several learners.
    audit_model : Audit one model that is trained already.
    compare_audits : Test whether two learners differ in what they reveal.
    InferenceGame : Any prior, property and loss in place of a family's values and their accuracy.
    leakage_sources : Attribute the advantage of an attack to its sources.
    leakage_scorer : Leakage as a score, for searches over learners.

    Notes
    -----
    Weights are read from scikit-learn's linear models and multi-layer perceptrons, from torch
    modules trained by skorch, all of these also behind scalers in a Pipeline, and from zoos; any
    other learner is a black box. Responses are probabilities (classifiers), predictions
    (regressors) or raw outputs (zoos). Attacks that use the labels of queries, and the property
    under which each was drawn, get both.

    Models are not kept: each is observed where it is trained, so that memory does not grow with
    the size of the models. Environments of a family are passed to learners whose ``fit`` has a
    parameter ``environments``, also at the end of a Pipeline, and behind any meta-estimator where
    scikit-learn's metadata routing is enabled.

    The definition of the risk is that of [1]_, the experiments are those of [2]_.

    References
    ----------
    .. [1] Suri and Evans, "Formalizing and estimating distribution inference risks", PETS 2022.
    .. [2] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from wsl import Adversary, EnvironmentMembershipFamily, audit
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> report = audit(DecisionTreeRegressor(max_depth=2), family, attacks="queries",
    ...                adversary=Adversary(n_shadows=16), n_targets=8, n_samples=64, n_repeats=2,
    ...                random_state=0)
    >>> report.table.columns.tolist()
    ['attack', 'metric', 'value', 'ci_low', 'ci_high', 'advantage', 'n_leaked']
    """
    family = resolve_family(family, "family")
    properties = family.property_values
    check_learner(learner, "learner")
    check_names({} if names is None else names)
    check_threshold_names({} if thresholds is None else thresholds)
    counts = check_counts(properties, n_targets=n_targets, n_samples=n_samples, n_repeats=n_repeats)
    warn_of_identical_distributions(family, counts["n_samples"])
    test_sets = resolve_test_sets(test_set, family, properties)
    if shadows is None:
        adversary = resolve_adversary(adversary, learner, family, n_samples)
    else:
        adversary = check_query_selection(adversary, properties)
    specs = resolve_attacks(attacks, family.is_numeric)
    execution = resolve_execution(cache, n_jobs, random_state, progress)

    if shadows is None:
        shadows = train_shadow_models(adversary, execution)
    else:
        shadows = reuse_shadow_models(shadows, adversary, learner, properties)
    known = shadows.adversary

    seeds = execution.seeds
    drawn_sets = draw_sets(family, n_targets, n_samples, seeds["targets"])
    drawn_tests = draw_test_sets(test_sets, drawn_sets, seeds["tests"])
    trainer = Trainer(
        learner, shadows.queries.rows, known.labels_only, execution.cache, n_jobs, progress
    )
    targets = trainer.train(drawn_sets, seeds["targets"], drawn_tests, "target models")

    results = run_attacks(
        specs, shadows.population, targets, properties,
        queries=shadows.queries, n_selected_queries=known.n_selected_queries,
        n_repeats=n_repeats, seed=seeds["attacks"], n_jobs=n_jobs, progress=progress,
    )  # fmt: skip

    table = attack_table(results.runs, results.truth, properties, family.property_is_fraction)
    chances = chance_of(properties, results.truth)
    return AuditReport(
        table=table,
        utility=utility_table(targets.utility),
        chance={m: value for m, value in chances.items() if m in set(table["metric"])},
        skipped=results.skipped,
        settings={
            "learner": repr(learner),
            "family": repr(family),
            "property_column": family.property_column,
            **counts,
            **shadows.settings,
            "random_state": execution.reported_seed,
            **({"learner_was_fitted": True} if is_fitted(learner) else {}),
        },
        truth=results.truth,
        guesses={name: run.guesses for name, run in results.runs.items()},
        scores={n: run.scores for n, run in results.runs.items() if run.scores is not None},
        classes=properties if isinstance(properties, tuple) else None,
        names={**family.report_names, **(names or {})},
        thresholds=dict(thresholds or {}),
    )
