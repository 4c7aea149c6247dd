"""``audit_model``: what one trained model reveals about the distribution of its training data."""

import os
from collections.abc import Mapping
from typing import Any

from ..distributions import DistributionFamily
from ..exceptions import InvalidInputError
from ._adversary import Adversary
from ._input_checks import check_counts, resolve_family, warn_of_identical_distributions
from .evaluation._attack_inputs import encode_properties, prepare_attacks
from .evaluation._attack_specs import AttackSpec, resolve_attacks
from .evaluation._tables import attack_table, chance_of
from .reports._audit_text import check_names
from .reports._model_report import ModelAuditReport
from .shadows._execution import Execution, resolve_execution
from .shadows._population import Population
from .shadows._shadow_models import ShadowModels
from .trained_models._cross_fit import check_frequencies, cross_fit, draw_folds
from .trained_models._likelihoods import Likelihoods, posterior_of, property_grid
from .trained_models._observed_models import observe_models
from .trained_models._posteriors import (
    HeldOutCheck,
    Inference,
    calibration_table,
    model_table,
    reliability_table,
)
from .trained_models._target_models import resolve_models, target_population
from .trained_models._typicality import typicality
from .trained_models._value_prior import resolve_value_prior


def audit_model(
    model: Any,
    family: DistributionFamily,
    *,
    learner: Any = None,
    adversary: Adversary | None = None,
    attacks: Any = ("deepsets", "queries"),
    prior: Any = None,
    n_samples: int = 1024,
    shadows: ShadowModels | None = None,
    names: Mapping[str, str] | None = None,
    cache: str | os.PathLike | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool | str = "auto",
) -> ModelAuditReport:
    """Infer a property of the training data of one model that is trained already.

    The model is used as it is. An adversary trains shadow models at known values of the property,
    learns to infer the value from a model, and applies that to yours. The report gives the
    posterior probability of each value, and how often such posteriors are right for models that
    the adversary has not seen, so that one lucky guess is not taken for a leak.

    Parameters
    ----------
    model : estimator, nn.Module, ModelZoo, RecordedResponses, other object, or several
        A fitted scikit-learn estimator, Pipeline or skorch net; a torch module, or a
        :class:`wsl.ModelZoo` where its input shape must be known; any object with ``predict`` or
        ``predict_proba``; or its :class:`RecordedResponses`. A list of models, or a dict of models
        by name, is audited with the same shadow models. Outputs of a torch module are logits,
        probabilities or predictions, with classes in sorted order; likewise the probabilities of
        an object without ``classes_``.
    family : DistributionFamily
        The distributions that the training data may come from. Its ``properties`` are the values
        among which is inferred.
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``, optional
        Learner that trains the shadow models. By default that of ``adversary``, otherwise an
        unfitted copy of ``model``, if it can be cloned.
    adversary : Adversary, optional
        What the adversary knows and may do. By default it trains 256 shadow models on samples of
        ``family`` and makes 256 queries. Recorded responses bring their own queries.
    attacks : str, attack estimator, sequence or dict of such, default=("deepsets", "queries")
        Strategies of :class:`wsl.DistributionInferenceAttack`, as in :func:`audit`. White-box
        attacks are skipped where the model's weights cannot be read, or its architecture is not
        that of the shadow models.
    prior : sequence, dict, density or None, default=None
        How likely each value is before the model is observed: probabilities of the classes, in
        their order or by value; of a continuous property its density, a function of values or an
        object with ``pdf``; a list of densities of several properties. By default all values are
        equally likely.
    n_samples : int, default=1024
        Rows per training set of the shadow models. Pass the number that the model was trained on:
        with another one, its posterior is not calibrated.
    shadows : ShadowModels, optional
        Shadow models from :func:`train_shadows`, which bring their adversary with them, so that
        ``adversary`` may only set ``n_selected_queries``, and ``learner`` must be None.
    names : dict from str to str, optional
        Your own names for the report: "property", "group" (whose fraction of the rows the property
        is), and "learner", as the model is called. By default those that the family takes from
        the name of a column, and general words.
    cache : path-like, optional
        Folder in which shadow models are kept and found again, as in :func:`audit`.
    n_jobs : int, optional
        Number of workers that train shadow models and attacks, as in joblib; one by default.
    random_state : int, Generator, RandomState or None, default=None
        Seed of all draws, shadow models and attacks. One int gives one report.
    progress : bool or "auto", default="auto"
        Whether to show progress bars on stderr; "auto" shows them on a terminal or in a notebook.

    Returns
    -------
    ModelAuditReport
        The posterior of each model, its calibration, and the average success of the attacks.

    Raises
    ------
    UnsupportedModuleError
        If model, learner, family, adversary, shadows or an attack is of a wrong type.
    InvalidInputError
        If a model is not fitted, does not respond to the queries, or responds with classes that
        the training sets of ``family`` do not contain; if no learner is given and the model cannot
        be cloned; if no attack is applicable; or if another argument has an invalid value.

    Warns
    -----
    AttackNotApplicableWarning
        If an attack is skipped. The report lists it under ``skipped``.
    IdenticalDistributionsWarning
        If training sets do not depend on the property, so that nothing can be inferred.

    See Also
    --------
    audit : Audits a learner: how much its models reveal on average, and how that varies.
    RecordedResponses : A model's responses in place of the model.
    wsl.displays.ReliabilityDisplay : Plots how well posteriors are calibrated.

    Notes
    -----
    Shadow models are divided into five folds. Each attack is trained five times, without one fold,
    and scores the models of that fold. Scores are turned into likelihoods of the values by a fit
    to these held-out shadow models: logistic regression of the classes, or, of a
    continuous property, a normal distribution of the guess whose mean and variance depend on the
    value. The model's likelihoods are the average over the five attacks, and its posterior follows
    by Bayes' rule. The report's reliability concerns shadow models that neither the attack nor the
    fit has used.

    All of this holds under the adversary's assumptions: that the model was trained by such a
    learner, on so many rows, of one of the family's distributions. The report says so if a model
    responds unlike all shadow models; that it does not is no proof.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary, EnvironmentMembershipFamily, audit_model
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> X, y, _ = family.sample(1, 1024, random_state=1)
    >>> report = audit_model(LinearRegression().fit(X, y), family, attacks="queries",
    ...                      adversary=Adversary(n_shadows=64), random_state=0)
    >>> report.table["guess"].tolist()
    [1]
    """
    family = resolve_family(family, "family")
    properties = family.property_values
    counts = check_counts(properties, n_samples=n_samples)
    check_names(names or {})
    models = resolve_models(model)
    specs = resolve_attacks(attacks, family.is_numeric)
    grid = property_grid(properties)
    value_prior = resolve_value_prior(prior, properties, grid)
    execution = resolve_execution(cache, n_jobs, random_state, progress)

    warn_of_identical_distributions(family, counts["n_samples"])
    observed, shadows = observe_models(
        models, family, learner, adversary, shadows, counts["n_samples"], execution
    )
    targets = target_population(observed, shadows.population)
    truth = encode_properties(shadows.population.properties, properties)
    check_frequencies(truth, properties)
    folds = draw_folds(truth, execution.further_seed("folds"))
    inference = Inference(properties, grid, value_prior, truth, folds)
    likelihoods, skipped = _infer(specs, shadows, targets, inference, execution)
    checks = {name: inference.check(own) for name, own in likelihoods.items()}
    best = min(checks, key=lambda name: checks[name].log_loss)
    table = model_table(list(models), best, likelihoods[best].of_targets, inference)
    unlike = dict(zip(models, typicality(shadows.population, targets).tolist(), strict=True))
    return ModelAuditReport(
        table=table.assign(typicality=table["model"].map(unlike)),
        attack=best,
        posteriors={
            name: posterior_of(own.of_targets, value_prior, grid)
            for name, own in likelihoods.items()
        },
        prior=value_prior,
        grid=grid,
        calibration=calibration_table(checks),
        reliability=reliability_table(checks),
        **_average(checks, inference, family),
        skipped=skipped,
        settings={
            "model": [_shown(each) for each in models.values()],
            "family": repr(family),
            "property_column": family.property_column,
            **shadows.settings,
            "prior": "uniform" if prior is None else repr(prior),
            "random_state": execution.reported_seed,
        },
        classes=properties if isinstance(properties, tuple) else None,
        names={**family.report_names, **(names or {})},
    )


def _infer(
    specs: list[AttackSpec],
    shadows: ShadowModels,
    targets: Population,
    inference: Inference,
    execution: Execution,
) -> tuple[dict[str, Likelihoods], dict[str, str]]:
    """Return the likelihoods by each attack, and why others are skipped."""
    inputs, skipped = prepare_attacks(
        specs, shadows.population, targets, inference.properties, shadows.queries,
        shadows.adversary.n_selected_queries,
    )  # fmt: skip
    if not inputs:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in skipped.items())
        raise InvalidInputError(f"`attacks` must hold one that is applicable; got {reasons}.")
    seed = execution.seeds["attacks"]
    likelihoods = {}
    for name, own_inputs in inputs.items():
        scores = cross_fit(
            name, own_inputs, inference.truth, inference.folds, seed, execution.n_jobs,
            execution.progress,
        )  # fmt: skip
        likelihoods[name] = inference.likelihoods(scores)
    return likelihoods, skipped


def _average(
    checks: dict[str, HeldOutCheck], inference: Inference, family: DistributionFamily
) -> dict[str, Any]:
    """Return the fields of the report on what attacks achieve on held-out shadow models."""
    properties, truth = inference.properties, inference.truth
    runs = {name: check.run for name, check in checks.items()}
    table = attack_table(runs, truth, properties, family.property_is_fraction)
    chances = chance_of(properties, truth)
    return {
        "average": table,
        "chance": {m: value for m, value in chances.items() if m in set(table["metric"])},
        "truth": truth,
        "guesses": {name: run.guesses for name, run in runs.items()},
        "scores": {name: run.scores for name, run in runs.items() if run.scores is not None},
    }


def _shown(model: Any) -> str:
    text = " ".join(repr(model).split())
    return text if len(text) < 300 else f"{text[:297]}..."
