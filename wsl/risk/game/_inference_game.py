"""``InferenceGame``: a prior, a property, a learner, an adversary and its loss."""

import os
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, NamedTuple

from ...exceptions import InvalidInputError
from .._adversary import Adversary
from .._input_checks import (
    check_adversary,
    check_counts,
    check_learner,
    resolve_adversary,
    warn_of_identical_distributions,
)
from ..evaluation._attack_specs import AttackSpec, resolve_attacks
from ..reports._game_report import GameReport
from ..shadows._execution import Execution, resolve_execution
from ..shadows._shadow_models import train_shadow_models
from ._estimand import Estimand, resolve_estimand
from ._game_tables import game_table, prior_risk
from ._match import Match
from ._prior import DrawnFamily, Prior, resolve_prior
from ._sample_baseline import SampleBaseline, measure_sample_baseline
from ._sequential_stopping import resolve_interim_sizes

# by what the adversary observes: the attacks that are used by default
ACCESS = {"white_box": ("deepsets", "queries"), "black_box": ("queries",)}
MIN_ROW_SETS = 32


class Priors(NamedTuple):
    """The prior of a game, and that in which the adversary believes."""

    true: Prior
    adversary: Prior


@dataclass(frozen=True, eq=False, kw_only=True)
class InferenceGame:
    r"""A game of distribution inference: what is inferred, by whom, and from what.

    The building blocks of :func:`audit`, with any prior over distributions, any property of them
    and any loss. The result is a risk in units of the loss, beside that of an adversary who only
    knows the prior, and beside that of one who observes rows of data instead of a model.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner of the target models, as in :func:`audit`.
    prior : DistributionFamily, or callable
        Prior over distributions: a family, whose ``draw_properties`` draws the values of its
        property; or a function from a numpy Generator to a distribution, which is an object with
        ``sample(n_samples, random_state)`` or a function of these two.
    property_of : callable, optional
        Function from a distribution (of a family, from the value of its property) to what is
        inferred: whether it belongs to a set, one or several numbers, a component of a mixture.
        By default the value itself. Floats are continuous, other values are classes; the values
        that a family lists in a tuple are classes, too.
    loss : {"auto", "zero_one", "absolute", "squared"} or callable, default="auto"
        Loss of a guess: by default "zero_one" for classes and "absolute" for a continuous
        property; or an elementwise function of guesses and true values. For classes, an attack
        with probabilities then makes the guess of least expected loss.
    access : {"white_box", "black_box"}, default="white_box"
        Whether the adversary observes weights and responses, or responses only. To restrict
        responses to predicted labels, set ``labels_only`` of the adversary.
    attacks : str, attack estimator, sequence or dict of such, optional
        Attacks, as in :func:`audit`. By default "deepsets" and "queries" with white-box access,
        otherwise "queries".
    n_samples : int, default=1024
        Rows per training set.
    adversary : Adversary, optional
        What the adversary knows and may do. Its ``family`` may be any prior, for which
        ``property_of`` is the same; by default it knows the prior.

    Raises
    ------
    UnsupportedModuleError
        From ``play``, if the learner, the prior, the adversary or an attack is of a wrong type.
    InvalidInputError
        From ``play``, if another parameter is invalid: a white-box attack without access to
        weights, or a loss that does not suit the property.

    See Also
    --------
    audit : The game of a family's own property, in metrics of classification or regression.
    property_inference : The game of which of a few distributions it was.
    ratio_inference : The game of which of two proportions it was.
    proportion_regression : The game of what proportion it was.
    environment_membership_inference : The game of whether an environment was part of the data.
    record_membership_inference : The game of whether a record was part of the data.

    Notes
    -----
    The game is that of [1]_ with any prior :math:`\pi`, property f, loss :math:`\ell` and view v
    of a model. A distribution is drawn, :math:`D \sim \pi`; a training set, :math:`S \sim D^n`;
    and a model, :math:`h = L(S)`. The adversary observes :math:`v(h)` and guesses :math:`f(D)`.
    Its risk with and without the model is

    .. math:: R = E\, \ell\big(A(v(h)), f(D)\big), \qquad
              R_0 = \min_g E_{D \sim \pi}\, \ell(g, f(D)),

    and its advantage is :math:`1 - R / R_0`: 0 for the best guess by the prior, 1 for certainty.
    For two equally likely classes it is the true-positive rate minus the false-positive rate.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary, GaussianFamily, InferenceGame
    >>> from wsl.distributions import Interval
    >>> family = GaussianFamily("mean", properties=Interval(0, 1), on_inputs=0)
    >>> game = InferenceGame(learner=LinearRegression(), prior=family, access="black_box",
    ...                      property_of=lambda mean: mean > 0.5, n_samples=64,
    ...                      adversary=Adversary(n_shadows=32, n_queries=8))
    >>> report = game.play(n_targets=16, n_repeats=2, n_row_sets=0, random_state=0)
    >>> report.classes
    (False, True)
    >>> report.table.columns.tolist()[:4]
    ['attack', 'risk', 'ci_low', 'ci_high']
    >>> report.explain()[1]
    'Without access to the model, the best guess is wrong for 49.3% of models.'
    """

    learner: Any
    prior: Any
    property_of: Any = None
    loss: Any = "auto"
    access: str = "white_box"
    attacks: Any = None
    n_samples: int = 1024
    adversary: Adversary | None = None

    def play(
        self,
        *,
        n_targets: int = 128,
        n_repeats: int = 10,
        width: float | None = None,
        max_targets: int | None = None,
        n_row_sets: int = 1024,
        cache: str | os.PathLike | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        progress: bool | str = "auto",
    ) -> GameReport:
        """Play the game: draw distributions, train models, attack them, and score the guesses.

        Parameters
        ----------
        n_targets : int, default=128
            Number of target models.
        n_repeats : int, default=10
            How often each attack is trained, each time on a random half of the shadow models.
        width : float, optional
            If given, the number of targets is doubled until the interval of every attack's risk is
            at most this wide, or there are ``max_targets``.
        max_targets : int, optional
            By default eight times ``n_targets``. Only used together with ``width``.
        n_row_sets : int, default=1024
            Number of data sets from which an adversary learns who observes rows instead of a
            model, for ``n_leaked``: at least 32, or 0 to leave it out.
        cache : path-like, optional
            Folder in which trained models are kept and found again, as in :func:`audit`.
        n_jobs : int, optional
            Number of workers that train models and attacks, as in joblib; one by default.
        random_state : int, Generator, RandomState or None, default=None
            Seed of all draws, models and attacks. With one seed, models and guesses are those of
            :func:`audit`.
        progress : bool or "auto", default="auto"
            Whether to show progress bars on stderr; "auto" shows them on a terminal or in a
            notebook.

        Returns
        -------
        GameReport
            Risk, advantage and leaked rows of every attack with 95% intervals, and all guesses.

        Raises
        ------
        UnsupportedModuleError
            If the learner, the prior, the adversary or an attack is of a wrong type.
        InvalidInputError
            If a parameter of the game or of this method is invalid.

        Warns
        -----
        IdenticalDistributionsWarning
            If training sets are the same at all values of a family's property.

        Notes
        -----
        With a ``width``, up to K interim analyses are made. Each interval has the level
        :math:`1 - 0.05 / K`, so that all of them hold the risk with 95%, whenever the game stops.
        """
        priors, adversary = self._resolve_priors()
        check_counts((0, 1), n_targets=n_targets, n_repeats=n_repeats)
        if not isinstance(priors.true.family, DrawnFamily):  # it has no few values to compare
            warn_of_identical_distributions(priors.true.family, self.n_samples)
        sizes = resolve_interim_sizes(n_targets, width, max_targets)
        _check_row_sets(n_row_sets)
        execution = resolve_execution(cache, n_jobs, random_state, progress)
        estimand = resolve_estimand(priors.true, self.loss, execution.further_seed("prior"))
        specs = self._resolve_attacks(estimand)

        shadows = estimand.relabel(train_shadow_models(adversary, execution), priors.adversary)
        match = Match(
            self.learner,
            priors.true,
            estimand,
            shadows,
            specs,
            self.n_samples,
            n_repeats,
            execution,
        )
        outcome, analyses, skipped = match.play(sizes, width)
        baseline = None
        if n_row_sets:
            baseline = self._sample_baseline(priors, estimand, n_row_sets, execution)
        return GameReport(
            table=game_table(
                outcome.losses, estimand, baseline, priors.true.family, len(sizes),
                execution.further_seed("n_leaked"),
            ),
            prior_risk=prior_risk(estimand),
            rows=None if baseline is None else baseline.table(),
            interim_analyses=analyses,
            skipped=skipped,
            classes=estimand.loss.classes,
            **outcome._asdict(),
            settings=self._settings(priors.true, estimand) | shadows.settings | {
                "n_repeats": n_repeats, "width": width, "random_state": execution.reported_seed,
            },
        )  # fmt: skip

    def _resolve_priors(self) -> tuple[Priors, Adversary]:
        """Return the two priors, and the adversary with what it takes from the game."""
        prior = adversary_prior = resolve_prior(self.prior, self.property_of)
        adversary = check_adversary(self.adversary)
        if adversary.family is not None:
            adversary_prior = resolve_prior(adversary.family, self.property_of, "adversary.family")
        check_learner(self.learner, "learner")
        check_counts((0, 1), n_samples=self.n_samples)
        family = adversary_prior.family
        adversary = resolve_adversary(
            replace(adversary, family=family), self.learner, family, self.n_samples
        )
        return Priors(prior, adversary_prior), adversary

    def _resolve_attacks(self, estimand: Estimand) -> list[AttackSpec]:
        """Return the specs of the attacks, none of which exceeds the access."""
        if not isinstance(self.access, str) or self.access not in ACCESS:
            raise InvalidInputError(
                f"`access` must be one of {list(ACCESS)}; got {self.access!r}. For predicted "
                "labels only, set `labels_only` of the adversary."
            )
        attacks = ACCESS[self.access] if self.attacks is None else self.attacks
        specs = resolve_attacks(attacks, estimand.loss.classes is None)
        white_boxes = [spec.name for spec in specs if spec.is_white_box]
        if white_boxes and self.access != "white_box":
            raise InvalidInputError(
                f"`attacks` must be black-box attacks, as access={self.access!r}; got "
                f"{white_boxes}, which read weights."
            )
        return specs

    def _sample_baseline(
        self, priors: Priors, estimand: Estimand, n_sets: int, execution: Execution
    ) -> SampleBaseline:
        return measure_sample_baseline(
            priors.true.family,
            priors.adversary.family,
            lambda values: estimand.encode(priors.true, values),
            estimand.loss,
            prior_risk(estimand).value,
            n_sets=int(n_sets),
            n_samples=self.n_samples,
            seed=execution.further_seed("rows"),
        )

    def _settings(self, prior: Prior, estimand: Estimand) -> dict[str, Any]:
        """Return the settings of the game itself, functions by their names."""
        functions = {"property_of": prior.property_of, "loss": estimand.loss.name}
        names = {key: getattr(own, "__qualname__", own) for key, own in functions.items()}
        own = {"access": self.access, "n_samples": self.n_samples}
        return {"learner": repr(self.learner), "family": repr(prior.family)} | names | own


def _check_row_sets(n_row_sets: Any) -> None:
    is_int = isinstance(n_row_sets, Integral)
    if not is_int or n_row_sets < 0 or 0 < n_row_sets < MIN_ROW_SETS:
        raise InvalidInputError(
            f"`n_row_sets` must be 0 or an int of at least {MIN_ROW_SETS}; got {n_row_sets!r}."
        )
