"""``InferenceGame``: a prior, a property, a learner, and an adversary with a goal of its own.

Models are trained and attacked by the parts of ``audit``; the report lives in ``_game_report``,
games that have a name in ``_special_cases``.
"""

import os
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from ...exceptions import InvalidInputError
from .._adversary import Adversary, resolve_adversary
from .._input_checks import check_counts, check_labels_only, check_learner
from ..evaluation._attack_runs import AttackSpec, attack_specs, encode_properties, run_attacks
from ..reports._game_report import GameReport
from ..shadows._drawn_sets import draw
from ..shadows._population import Population, join
from ..shadows._shadow_models import (
    ShadowModels,
    draw_streams,
    fixed_seed,
    open_cache,
    train_shadows,
)
from ..shadows._trainer import Trainer
from ._estimand import Estimand, Outcome, goal_of
from ._game_tables import game_table, prior_estimate
from ._prior import Prior, make_prior
from ._sample_baseline import SampleBaseline, row_curve
from ._sequential_stopping import InterimAnalysis, plan_looks

ACCESS = {"white_box": ("deepsets", "queries"), "black_box": ("queries",)}


class Table(NamedTuple):
    """What targets are set against: prior and goal, shadow models, and the attacks on them."""

    prior: Prior
    goal: Estimand
    shadows: ShadowModels
    plans: list[AttackSpec]
    n_repeats: int
    seed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class InferenceGame:
    r"""A game of distribution inference: what is played for, by whom, and who sees what.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        As in :func:`wsl.audit`.
    prior : DistributionFamily, or callable
        Where distributions come from: a family, whose ``draw_properties`` draws their values; or a
        function of a numpy Generator that draws a distribution, which is an object with
        ``sample(n_samples, random_state)`` or a function of the two.
    property_of : callable, optional
        From a distribution (of a family, from the value that it has there) to what the adversary
        wants to know: whether it belongs to a set, a number or several, a component of a mixture.
        By default the value itself. Floats are numbers, other values classes; of a family's own
        values, those that are named in a tuple are classes.
    loss : {"auto", "zero_one", "absolute", "squared"} or callable, default="auto"
        What a wrong guess costs: "zero_one" of classes and "absolute" of numbers, by default; or a
        function of guesses and true values, element by element. Of classes, an attack that has
        probabilities decides by the least expected loss.
    access : {"white_box", "black_box"}, default="white_box"
        Whether the adversary sees weights and answers, or answers alone; with
        ``adversary.labels_only``, predicted labels are all that it sees of these.
    attacks : as in :func:`wsl.audit`, optional
        By default "deepsets" and "queries" of a white box, else "queries".
    n_samples : int, default=1024
        Rows of each training set.
    adversary : Adversary, optional
        What the adversary knows and may do. Its ``family`` may be any prior; ``property_of`` is the
        same for both.

    Raises
    ------
    UnsupportedModuleError, InvalidInputError
        From ``play``, if a parameter is of no such kind, a white-box attack comes with an access
        that shows no weights, or the loss does not suit the property.

    Notes
    -----
    The game is that of [1]_ with any prior :math:`\pi`, property f, loss :math:`\ell` and view v
    of a model. One distribution is drawn, :math:`D \sim \pi`; a training set, :math:`S \sim D^n`;
    and a model, :math:`h = L(S)`. The adversary sees :math:`v(h)` and guesses :math:`f(D)`. What it
    risks is

    .. math:: R = E\, \ell\big(A(v(h)), f(D)\big), \qquad
              R_0 = \min_g E_{D \sim \pi}\, \ell(g, f(D)),

    without the model :math:`R_0`, and its advantage is :math:`1 - R / R_0`: 0 for the best guess by
    the prior, 1 for certainty. With two classes that are equally likely it is the true-positive
    rate less the false-positive rate.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl.distributions import GaussianFamily, Interval
    >>> from wsl.risk import Adversary, InferenceGame
    >>> family = GaussianFamily("mean", properties=Interval(0, 1), on_inputs=0)
    >>> game = InferenceGame(learner=LinearRegression(), prior=family, access="black_box",
    ...                      property_of=lambda mean: mean > 0.5, n_samples=64,
    ...                      adversary=Adversary(n_shadows=32, n_queries=8))
    >>> report = game.play(n_targets=16, n_repeats=2, n_row_sets=0, random_state=0, progress=False)
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
        """Draw, train, attack and score.

        Parameters
        ----------
        n_targets, n_repeats : int, default=128 and 10
            As in :func:`wsl.audit`.
        width : float, optional
            Targets are doubled until the interval of every attack's risk is at most so wide, or
            there are ``max_targets`` of them.
        max_targets : int, optional
            By default eight times ``n_targets``.
        n_row_sets : int, default=1024
            Data sets from which an adversary who sees rows instead of a model learns, for
            ``n_leaked``; 0 leaves it out.
        cache, n_jobs, random_state, progress : as in :func:`wsl.audit`
            With one seed, models and guesses are those of ``audit``.

        Returns
        -------
        GameReport

        Notes
        -----
        With a ``width`` the game is looked at up to K times. Each interval has the level
        :math:`1 - 0.05 / K`, so that with 95% all of them hold the risk, whenever it is that the
        game stops.
        """
        prior, adversary, plans = self._check()
        known = resolve_adversary(self.adversary)
        sizes = plan_looks(n_targets, width, max_targets)
        check_counts((0, 1), n_targets=n_targets, n_repeats=n_repeats)
        if not isinstance(n_row_sets, Integral) or n_row_sets < 0 or 0 < n_row_sets < 32:
            raise InvalidInputError(f"n_row_sets={n_row_sets!r}; wanted 0, or an int from 32")
        seed = fixed_seed(random_state)
        goal = goal_of(prior, self.loss, _seed(seed, "prior"))
        shadows = train_shadows(
            self.learner,
            adversary.family,
            adversary=replace(known, family=None),
            n_samples=self.n_samples,
            cache=cache,
            n_jobs=n_jobs,
            random_state=seed,
            progress=progress,
        )
        shadows = goal.label(shadows, adversary)
        trainer = Trainer(
            self.learner, shadows.queries.rows, shadows.adversary.labels_only,
            open_cache(cache, random_state), n_jobs, progress,
        )  # fmt: skip
        table = Table(prior, goal, shadows, plans, n_repeats, seed)
        outcome, looks, skipped = self._play_on(trainer, table, sizes, width)
        curve = self._rows(prior, adversary, goal, n_row_sets, _seed(seed, "rows"))
        return GameReport(
            table=game_table(
                outcome.losses, goal, curve, prior.family, len(sizes), _seed(seed, "n_leaked")
            ),
            prior_risk=prior_estimate(goal),
            rows=None if curve is None else curve.table(),
            interim_analyses=looks,
            skipped=skipped,
            classes=goal.loss.classes,
            **outcome._asdict(),
            settings=self._shown(prior, goal) | shadows.settings | {
                "n_repeats": n_repeats, "width": width,
                "random_state": int(random_state) if isinstance(random_state, Integral) else None,
            },
        )  # fmt: skip

    def _check(self) -> tuple[Prior, Prior, list[AttackSpec]]:
        """Return the two priors and the attacks, which are checked against the access later."""
        prior = make_prior(self.prior, self.property_of)
        adversary = prior
        known = resolve_adversary(self.adversary)
        if known.family is not None:
            adversary = make_prior(known.family, self.property_of, "adversary.family")
        check_learner(self.learner, "learner")
        check_counts((0, 1), n_samples=self.n_samples)
        if not isinstance(self.access, str) or self.access not in ACCESS:
            raise InvalidInputError(f"access={self.access!r}; wanted one of {list(ACCESS)}")
        check_labels_only(self.learner, known.labels_only)
        if known.n_selected_queries is not None:
            check_counts((0, 1), **{"adversary.n_selected_queries": known.n_selected_queries})
        goal_is_class = goal_of(prior, self.loss, 0).loss.classes is not None
        attacks = ACCESS[self.access] if self.attacks is None else self.attacks
        plans = attack_specs(attacks, not goal_is_class)
        seeing = [plan.name for plan in plans if plan.is_white_box]
        if seeing and self.access != "white_box":
            raise InvalidInputError(f"attacks {seeing} see weights, but access={self.access!r}")
        return prior, adversary, plans

    def _play_on(
        self, trainer: Trainer, table: "Table", sizes: list[int], width: float | None
    ) -> tuple[Outcome, list[InterimAnalysis], dict[str, str]]:
        """Train and attack targets until intervals are narrow, or there are enough of them."""
        prior, goal, shadows, plans, n_repeats, seed = table
        seeds = draw_streams(seed)
        data = draw(prior.family, sizes[-1], self.n_samples, seeds["targets"])
        parts: list[Population] = []
        looks: list[InterimAnalysis] = []
        skipped: dict[str, str] = {}
        for place, (start, stop) in enumerate(zip([0, *sizes[:-1]], sizes, strict=True)):
            own = seeds["targets"] if place == 0 else _seed(seeds["targets"], str(place))
            parts.append(trainer.train(data.part(range(start, stop)), own, name="target models"))
            targets = join(parts)
            targets = replace(targets, properties=goal.read(prior, targets.properties))
            trials, left_out = run_attacks(
                plans, shadows.population, targets, goal.space, queries=shadows.queries,
                n_selected_queries=shadows.adversary.n_selected_queries, n_repeats=n_repeats,
                seed=seeds["attacks"], n_jobs=trainer.n_jobs, progress=trainer.progress,
            )  # fmt: skip
            skipped |= left_out
            plans = [plan for plan in plans if plan.name in trials]
            outcome = Outcome.of(trials, targets.properties, goal)
            looks.append(InterimAnalysis.of(outcome.losses, goal, len(sizes)))
            if width is not None and looks[-1].width <= width:
                break
        return outcome, looks, skipped

    def _rows(
        self, prior: Prior, adversary: Prior, goal: Estimand, n_sets: int, seed: int
    ) -> SampleBaseline | None:
        if not n_sets:
            return None
        return row_curve(
            prior.family, adversary.family,
            lambda values: encode_properties(prior.read(values), goal.space),
            goal.loss, prior_estimate(goal).value,
            n_sets=int(n_sets), n_samples=self.n_samples, seed=seed,
        )  # fmt: skip

    def _shown(self, prior: Prior, goal: Estimand) -> dict[str, Any]:
        """Return what is played for and seen; ``train_shadows`` says what the adversary knows."""
        functions = {"property_of": prior.property_of, "loss": goal.loss.name}
        named = {k: getattr(own, "__qualname__", own) for k, own in functions.items()}
        own = {name: getattr(self, name) for name in ("access", "n_samples")}
        own["n_selected_queries"] = resolve_adversary(self.adversary).n_selected_queries
        return {"learner": repr(self.learner), "family": repr(prior.family)} | named | own


def _seed(seed: int, name: str) -> int:
    """Return the seed of a part that ``audit`` does not have."""
    return int(np.random.SeedSequence([seed, crc32(name.encode())]).generate_state(1)[0] >> 1)
