"""``audit``: how much do a learner's models give away about the distribution they were trained on?

Training lives in ``_shadows`` and ``_adversary``, attacking in ``_trials``, the report in
``_report``.
"""

import os
from numbers import Integral
from typing import Any

from ..distributions import DistributionFamily
from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._adversary import Adversary, check_unchanged, resolve_adversary
from ._input_checks import (
    check_counts,
    check_family,
    check_labels_only,
    check_learner,
    check_test_sets,
)
from .evaluation._attack_runs import attack_specs, encode_properties, run_attacks
from .evaluation._tables import attack_table, chance_of, utility_table
from .reports._audit_report import AuditReport
from .shadows._drawn_sets import draw, redraw
from .shadows._shadow_models import (
    ShadowModels,
    draw_streams,
    fixed_seed,
    open_cache,
    train_shadows,
)
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
    cache: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool | str = "auto",
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
    attacks : sequence of str or of attack estimators, or dict, default=("deepsets", "queries")
        Strategies of ``DistributionInferenceAttack``: "deepsets" sees the weights (white box),
        "queries" the answers to queries (black box). An estimator of one's own may stand for its
        strategy; a dict gives each attack a name, so that two of one strategy can be told apart.
    adversary : Adversary, optional
        What the adversary knows and may do; by default it knows the learner and the family, and
        trains 256 shadow models.
    n_targets : int, default=128
        Number of target models, on which attacks are scored.
    n_samples : int, default=1024
        Rows of each training set.
    n_repeats : int, default=10
        How often each attack is trained, every time on a random half of the shadows.
    shadows : ShadowModels, optional
        Shadow models that ``train_shadows`` has trained. They bring their adversary with them;
        ``adversary`` may then set ``n_selected_queries`` alone.
    test_set : (X, y), DistributionFamily, or dict of such by name; optional
        What the targets' own quality is measured on. Of a family, each target gets a fresh sample
        at its own value of the property; by default that of the family that it was trained on. A
        family that draws from a real table draws these rows from the same table: give held-out
        rows to see how well models generalise.
    cache : path, optional
        A folder in which trained models are kept, and found again by whatever audit would train
        the same ones: after an interrupt, with other attacks, more repeats or another learner to
        attack. Files are named by a digest of all that decides the models; deleting any is safe.
    n_jobs : int, optional
        Workers that train models and attacks, as in joblib; one by default.
    random_state : int, Generator, RandomState or None
        One seed gives one report, whatever ``n_jobs`` is.
    progress : bool or "auto", default="auto"
        Whether to show progress bars on stderr; "auto" shows them on a terminal or in a notebook.

    Returns
    -------
    AuditReport

    Raises
    ------
    UnsupportedModuleError
        If ``learner`` or ``family`` is of no such kind, or ``attacks`` holds something else.
    InvalidInputError
        If an attack is unknown, a number is too small, or the families' properties differ; if
        ``shadows`` come with what they bring themselves; if ``labels_only`` meets a regressor; if
        ``cache`` comes without a seed, or with a learner or family that cannot be told from others.

    Warns
    -----
    AttackNotApplicableWarning
        If an attack is left out because the learner does not offer what it needs: a forest has no
        weights. The report lists it under ``skipped``.

    Notes
    -----
    Weights are read from scikit-learn's linear models and multi-layer perceptrons, torch modules
    that skorch trains, scalers before them in a Pipeline folded in, and from zoos; every other
    learner is a black box. Queries are answered with probabilities (classifiers), predictions
    (regressors) or raw outputs (zoos); those of a zoo and of another classifier meet as
    probabilities. Attacks that use the queries' labels and the property that each was drawn from
    are told both.
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
    >>> from wsl.risk import Adversary, audit
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> report = audit(DecisionTreeRegressor(max_depth=2), family, attacks="queries",
    ...                adversary=Adversary(n_shadows=16), n_targets=8, n_samples=64, n_repeats=2,
    ...                random_state=0, progress=False)
    >>> report.table.columns.tolist()
    ['attack', 'metric', 'value', 'ci_low', 'ci_high', 'advantage', 'n_leaked']
    """
    properties = check_family(family, "family")
    check_learner(learner, "learner")
    counts = check_counts(properties, n_targets=n_targets, n_samples=n_samples, n_repeats=n_repeats)
    adversary = resolve_adversary(adversary)
    if adversary.n_selected_queries is not None:
        check_counts(properties, **{"adversary.n_selected_queries": adversary.n_selected_queries})
    plans = attack_specs(attacks, family.is_numeric)
    test_sets = {"": family} if test_set is None else check_test_sets(test_set, properties)
    store, seed = open_cache(cache, random_state), fixed_seed(random_state)
    if shadows is None:
        shadows = train_shadows(
            learner, family, adversary=adversary, n_samples=n_samples, cache=cache, n_jobs=n_jobs,
            random_state=seed, progress=progress,
        )  # fmt: skip
    else:
        _check_shadows(shadows, properties, adversary)
    check_labels_only(learner, shadows.adversary.labels_only)

    seeds = draw_streams(seed)
    trainer = Trainer(
        learner, shadows.queries.rows, shadows.adversary.labels_only, store, n_jobs, progress
    )
    data = draw(family, n_targets, n_samples, seeds["targets"])
    tests = {
        name: redraw(data, seeds["tests"], given)
        if isinstance(given, DistributionFamily)
        else given
        for name, given in test_sets.items()
    }
    targets = trainer.train(data, seeds["targets"], tests, "target models")
    trials, skipped = run_attacks(
        plans, shadows.population, targets, properties,
        queries=shadows.queries, n_selected_queries=adversary.n_selected_queries,
        n_repeats=n_repeats, seed=seeds["attacks"], n_jobs=n_jobs, progress=progress,
    )  # fmt: skip
    truth = encode_properties(targets.properties, properties)
    table = attack_table(trials, truth, properties, family.property_is_fraction)
    chances = chance_of(properties, truth)
    return AuditReport(
        table=table,
        utility=utility_table(targets.utility),
        chance={m: value for m, value in chances.items() if m in set(table["metric"])},
        skipped=skipped,
        settings={
            "learner": repr(learner),
            "family": repr(family),
            **counts,
            **shadows.settings,
            "n_selected_queries": adversary.n_selected_queries,
            "random_state": int(random_state) if isinstance(random_state, Integral) else None,
        },
        truth=truth,
        guesses={name: trial.guesses for name, trial in trials.items()},
        scores={name: t.scores for name, t in trials.items() if t.scores is not None},
        classes=properties if isinstance(properties, tuple) else None,
    )


def _check_shadows(shadows: Any, properties: Any, adversary: Adversary) -> None:
    """Raise unless shadow models look for the same, and come with nothing that they bring."""
    if not isinstance(shadows, ShadowModels):
        raise UnsupportedModuleError(
            f"shadows is a {type(shadows).__name__}; wanted what train_shadows returns"
        )
    check_unchanged(adversary, {"n_selected_queries"}, "`shadows` bring their adversary with them")
    own = shadows.adversary.family.property_values
    if own != properties:
        raise InvalidInputError(f"shadows have properties {own!r}, but family has {properties!r}")
