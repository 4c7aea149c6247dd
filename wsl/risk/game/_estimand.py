"""What a game infers: the property, the loss of a wrong guess, and what the prior says of it."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...distributions import DistributionFamily
from ...exceptions import InvalidInputError
from ..evaluation._attack_inputs import encode_properties
from ..evaluation._attack_runs import AttackResults
from ..shadows._shadow_models import ShadowModels
from ._losses import GuessLoss, resolve_loss
from ._prior import N_DRAWS, Prior, classes_of


class Estimand(NamedTuple):
    """What is guessed, the loss of a guess, and draws of it from the prior."""

    loss: GuessLoss
    draws: np.ndarray  # classes by their indices
    is_exact: bool  # whether classes are as frequent in the draws as in the prior

    @property
    def properties(self) -> Any:
        """The classes, or an empty list for continuous properties of any range."""
        return [] if self.loss.classes is None else self.loss.classes

    def read_properties(self, prior: Prior, values: np.ndarray, name: str = "prior") -> np.ndarray:
        """Return the property of each distribution; ``name`` is what errors call the prior."""
        properties = prior.read_properties(values)
        if self.loss.classes is None:
            return properties.astype(float)
        unknown = set(properties.tolist()) - set(self.loss.classes)
        if unknown:
            raise InvalidInputError(
                f"`{name}` must only have the properties {self.loss.classes}; got also "
                f"{', '.join(sorted(map(repr, unknown)))}."
            )
        return properties

    def encode(self, prior: Prior, values: np.ndarray) -> np.ndarray:
        """Return the property of each distribution, classes by their indices."""
        return encode_properties(prior.read_properties(values), self.properties)

    def relabel(self, shadows: ShadowModels, prior: Prior) -> ShadowModels:
        """Return shadow models with the property of each distribution in place of its value."""
        queries, population = shadows.queries, shadows.population
        if queries.properties is not None:
            properties = self.read_properties(prior, queries.properties, "adversary.family")
            queries = replace(queries, properties=properties)
        properties = self.read_properties(prior, population.properties, "adversary.family")
        population = replace(population, properties=properties)
        return replace(shadows, population=population, queries=queries)


class GameOutcome(NamedTuple):
    """The truth, and by attack the guesses and losses, ``(n_repeats, n_targets)`` each."""

    truth: np.ndarray
    guesses: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]


def score_guesses(results: AttackResults, loss: GuessLoss) -> GameOutcome:
    """Return the guesses of least expected loss, and what they cost."""
    guesses = {name: loss.decide(run.guesses, run.scores) for name, run in results.runs.items()}
    losses = {
        name: np.stack([loss(repeat, results.truth) for repeat in repeats])
        for name, repeats in guesses.items()
    }
    return GameOutcome(results.truth, guesses, losses)


def resolve_estimand(prior: Prior, loss: Any, seed: int) -> Estimand:
    """Return what is inferred under a prior."""
    draws = prior.draw_properties(N_DRAWS, seed)
    classes = classes_of(prior, loss, draws)
    resolved = resolve_loss(loss, classes is not None, classes)
    if classes is None:
        return Estimand(resolved, draws.astype(float), False)
    # the base class draws a family's classes in equal numbers
    draw_properties = type(prior.family).draw_properties
    if prior.property_of is None and draw_properties is DistributionFamily.draw_properties:
        return Estimand(resolved, np.arange(len(classes)), True)
    return Estimand(resolved, encode_properties(draws, classes), False)
