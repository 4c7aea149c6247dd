"""What a game is played for: the property, what a wrong guess costs, what is known beforehand.

Priors live in ``_prior``, losses in ``_losses``; the game is played in ``_game``.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from ..evaluation._attack_runs import AttackRun, encode_properties
from ..shadows._shadow_models import ShadowModels
from ._losses import GuessLoss, resolve_loss
from ._prior import N_DRAWS, Prior, classes_of


class Estimand(NamedTuple):
    """What is guessed, what a wrong guess costs, and what is known of it beforehand."""

    loss: GuessLoss
    draws: np.ndarray  # from the prior; classes by their index
    is_exact: bool  # whether the shares of the classes in them are those of the prior

    @property
    def space(self) -> Any:
        """The classes, or a list, which is what several numbers have."""
        return [] if self.loss.classes is None else self.loss.classes

    def read(self, prior: Prior, values: np.ndarray, name: str = "prior") -> np.ndarray:
        """Return the property of each distribution; ``name`` is what an error calls the prior."""
        found = prior.read(values)
        if self.loss.classes is None:
            return found.astype(float)
        strange = set(found.tolist()) - set(self.loss.classes)
        if strange:
            raise InvalidInputError(
                f"{name} has the properties {sorted(map(repr, strange))}, beside the classes "
                f"{self.loss.classes}"
            )
        return found

    def label(self, shadows: ShadowModels, prior: Prior) -> ShadowModels:
        """Return shadow models that bear the property of a distribution and not its value."""
        queries, population = shadows.queries, shadows.population
        if queries.properties is not None:
            own = self.read(prior, queries.properties, "adversary.family")
            queries = replace(queries, properties=own)
        own = self.read(prior, population.properties, "adversary.family")
        return replace(shadows, population=replace(population, properties=own), queries=queries)


class Outcome(NamedTuple):
    """What attacks decided on, ``(n_repeats, n_targets)`` each, and what it cost."""

    truth: np.ndarray
    guesses: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]

    @classmethod
    def of(cls, trials: dict[str, AttackRun], properties: np.ndarray, goal: Estimand) -> "Outcome":
        """Score trials on targets with these properties."""
        truth = encode_properties(properties, goal.space)
        guesses = {name: goal.loss.decide(t.guesses, t.scores) for name, t in trials.items()}
        losses = {
            name: np.stack([goal.loss(each, truth) for each in own])
            for name, own in guesses.items()
        }
        return cls(truth, guesses, losses)


def goal_of(prior: Prior, loss: Any, seed: int) -> Estimand:
    """Return what a prior is played for."""
    draws = prior.draw(N_DRAWS, seed)
    classes = classes_of(prior, loss, draws)
    resolved = resolve_loss(loss, classes is not None, classes)
    if classes is None:
        return Estimand(resolved, draws.astype(float), False)
    # the base class draws a family's classes in equal numbers
    drawn_by = type(prior.family).draw_properties
    if prior.property_of is None and drawn_by is DistributionFamily.draw_properties:
        return Estimand(resolved, np.arange(len(classes)), True)
    return Estimand(resolved, encode_properties(draws, classes), False)
