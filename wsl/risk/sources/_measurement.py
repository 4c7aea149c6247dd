"""Advantages of an attack under interventions: models are trained, noise-matched and attacked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from ...distributions import DistributionFamily
from ...distributions._properties import Properties
from ...exceptions import InvalidInputError
from ..evaluation._attack_inputs import encode_properties
from ..evaluation._attack_runs import run_attacks
from ..evaluation._attack_specs import AttackSpec
from ..shadows._drawn_sets import draw_sets
from ..shadows._population import Population
from ..shadows._trainer import Trainer
from ._interventions import Interventions
from ._noise_matching import match_noise

Populations = dict[str, Population]  # "shadows" and "targets"


@dataclass(frozen=True)
class SourcesContext:
    """What all variants of an analysis have in common."""

    trainer: Trainer
    n_models: dict[str, int]  # by "shadows" and "targets"
    n_samples: int
    seeds: dict[str, int]
    spec: AttackSpec
    properties: Properties
    n_repeats: int
    n_selected_queries: int | None = None


def measure_advantages(
    context: SourcesContext, interventions: Interventions
) -> dict[tuple[bool, bool, int], np.ndarray]:
    """Return advantages ``(n_repeats, n_targets)`` by variant: conditional, bias, multiplier.

    The first two say whether the source is on. Variants with the same models share one array.
    """
    populations = _train_variants(context, interventions)
    by_models: dict[tuple[int, int, int], np.ndarray] = {}
    advantages = {}
    for key, family, learner in _variants(interventions):
        differ, biased, k = key
        models = (id(family), id(learner), k)
        if models not in by_models:
            own, small = populations[key], populations[differ, biased, 1]
            if k > 1:
                own = {
                    part: match_noise(
                        own[part], small[part], small["shadows"], k, context.seeds[part]
                    )
                    for part in own
                }
            by_models[models] = _attack(context, own)
        advantages[key] = by_models[models]
    return advantages


def _variants(interventions: Interventions) -> Iterator[tuple[tuple[bool, bool, int], Any, Any]]:
    """Yield the key of each combination of interventions, its family and its learner."""
    for differ, family in interventions.families.items():
        for biased, learner in interventions.learners.items():
            for k in interventions.multipliers:
                yield (differ, biased, k), family, learner


def _train_variants(
    context: SourcesContext, interventions: Interventions
) -> dict[tuple[bool, bool, int], Populations]:
    """Train the models of all variants; one that diverged in any variant is left out of all."""
    by_models: dict[tuple[int, int, int], Populations] = {}
    populations = {}
    for key, family, learner in _variants(interventions):
        models = (id(family), id(learner), key[2])  # variants may have both in common
        if models not in by_models:
            by_models[models] = _train(context, family, learner, key[2])
        populations[key] = dict(by_models[models])
    for part in context.n_models:
        common = reduce(np.intersect1d, (own[part].models for own in populations.values()))
        for own in populations.values():
            own[part] = _keep_models(own[part], np.isin(own[part].models, common))
    return populations


def _train(
    context: SourcesContext, family: DistributionFamily, learner: Any, multiplier: int
) -> Populations:
    """Train shadow and target models, on draws that are the same for every variant."""
    trainer = replace(context.trainer, learner=learner)
    populations = {}
    for part, n_models in context.n_models.items():
        n_samples = multiplier * context.n_samples
        drawn_sets = draw_sets(family, n_models, n_samples, context.seeds[part])
        name = f"{part} on {n_samples} rows"
        population = trainer.train(drawn_sets, context.seeds[part], name=name)
        labels = encode_properties(population.properties, context.properties)
        populations[part] = replace(population, properties=labels, weights=None, architecture=None)
    return populations


def _keep_models(population: Population, kept: np.ndarray) -> Population:
    return replace(
        population,
        properties=population.properties[kept],
        models=population.models[kept],
        responses=population.responses[kept],
    )


def _attack(context: SourcesContext, populations: Populations) -> np.ndarray:
    """Return the advantage over the prior for each target, ``(n_repeats, n_targets)``."""
    classes = context.properties if isinstance(context.properties, tuple) else None
    results = run_attacks(
        [context.spec], populations["shadows"], populations["targets"],
        tuple(range(len(classes))) if classes else context.properties,
        n_selected_queries=context.n_selected_queries, n_repeats=context.n_repeats,
        seed=context.seeds["attacks"], n_jobs=context.trainer.n_jobs,
        progress=context.trainer.progress,
    )  # fmt: skip
    if results.skipped:
        (reason,) = results.skipped.values()
        raise InvalidInputError(
            f"`attacks` must be applicable; got {context.spec.name!r}, but {reason}."
        )
    (run,) = results.runs.values()
    if classes:
        return 1 - (run.guesses != results.truth) / (1 - 1 / len(classes))
    properties: Any = context.properties
    intervals = properties if isinstance(properties, list) else [properties]
    prior_risks = np.array([interval.high - interval.low for interval in intervals]) / 4
    errors = np.abs(run.guesses - results.truth).reshape(*run.guesses.shape[:2], -1)
    return (1 - errors / prior_risks).mean(axis=2)
