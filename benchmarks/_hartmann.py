"""The five experiments of Hartmann et al. (2023): families, learners and published results."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator

from wsl import (
    Architecture,
    CausalMitigatedRegressor,
    DistributionFamily,
    EnvironmentMembershipFamily,
    RandomNetworkFamily,
    train_zoo,
)
from wsl.distributions import Interval

EPSILONS = (0.0, 0.04, 0.08, 0.12, 0.16, 0.2)
STOPS = (50, 40, 30, 20, 10)
SIZES = (512, 1024, 1536, 2048)
WHITE, BLACK = "deepsets", "queries"
PUBLISHED = Path(__file__).parent / "published"
KEY = ["experiment", "level", "task"]


class ShadowLearner(BaseEstimator):
    """The 4-32-1 regressor of experiments A to C, which trains many models at once.

    Parameters
    ----------
    stop_at_loss : float, optional
        Training ends after the first epoch whose mean squared error is below it.
    random_state : int, optional
        Seed of initial weights and minibatches.
    """

    def __init__(self, stop_at_loss=None, random_state=None):
        self.stop_at_loss = stop_at_loss
        self.random_state = random_state

    def fit_zoo(self, datasets, n_models):
        return train_zoo(
            Architecture.mlp(4, [32], 1),
            datasets,
            n_models=n_models,
            loss="mse",
            epochs=20,
            batch_size=32,
            learning_rate=1e-3,
            weight_decay=1e-4,
            stop_at_loss=self.stop_at_loss,
            random_state=self.random_state,
        )


@dataclass(frozen=True)
class Setting:
    """One row of the paper's tables: a learner and the data that it is trained on."""

    experiment: str
    level: str  # value of what the experiment varies
    task: str
    learner: Any
    family: DistributionFamily
    n_samples: int = 2048
    n_queries: int = 1024
    moved: DistributionFamily | None = None  # test data besides the training family


def conditional_shift(seed: int) -> Iterator[Setting]:
    """Yield experiment A: M1 is M0 plus a normal deviation of epsilon on every parameter."""
    for epsilon in EPSILONS:
        family = RandomNetworkFamily(epsilon, random_state=seed)
        yield Setting("a", str(epsilon), "classification", ShadowLearner(), family)


def early_stopping(seed: int) -> Iterator[Setting]:
    """Yield experiment A-bis: A at epsilon .05, stopped early."""
    family = RandomNetworkFamily(0.05, random_state=seed)
    for stop in STOPS:
        yield Setting("a-bis", str(stop), "classification", ShadowLearner(stop), family)


def _means(seed: int) -> Iterator[tuple[str, RandomNetworkFamily]]:
    """Yield the families of B and C: the property shifts the mean of X and not E[Y|X]."""
    for task, properties in (("classification", (0, 1)), ("regression", Interval(0, 1))):
        yield task, RandomNetworkFamily(0.0, shift=1.0, properties=properties, random_state=seed)


def model_fitness(seed: int) -> Iterator[Setting]:
    """Yield experiment B: the property is in X alone, and models are stopped before they fit."""
    for task, family in _means(seed):
        for stop in STOPS:
            yield Setting("b", str(stop), task, ShadowLearner(stop), family)


def training_set_size(seed: int) -> Iterator[Setting]:
    """Yield experiment C: as B, fully trained on fewer or more samples."""
    for task, family in _means(seed):
        for n_samples in SIZES:
            yield Setting("c", str(n_samples), task, ShadowLearner(), family, n_samples, 512)


def causal(seed: int) -> Iterator[Setting]:
    """Yield the membership of environment 3, as published and with training sets of one size."""
    by_steps = {"epochs": 10, "learning_rate": 1e-2, "weight_decay": 1e-3, "batch_size": 32}
    learners = {
        "ERM": CausalMitigatedRegressor((2,), penalty=None, **by_steps),
        "Causal ERM": CausalMitigatedRegressor((2,), penalty=None, causal_features=[0], **by_steps),
        "IRM": irm_as_published(),
    }
    for experiment, equal_size in (("causal", False), ("causal, equal sizes", True)):
        family, moved = (
            EnvironmentMembershipFamily.linear_causal(effect=effect, equal_size=equal_size)
            for effect in (1.0, -1.0)
        )
        for name, learner in learners.items():
            yield Setting(experiment, name, "classification", learner, family, moved=moved)


def irm_as_published() -> CausalMitigatedRegressor:
    """Return the paper's IRM: 2,048 full-batch epochs of SGD at 1e-2, the error weighted .1.

    Over four environments that is the objective here with ``penalty_weight=9`` at 4e-3.
    """
    return CausalMitigatedRegressor(
        (2,), penalty="irm", penalty_weight=9.0, optimizer="sgd", learning_rate=4e-3,
        weight_decay=0.0, epochs=2048, batch_size=None,
    )  # fmt: skip


EXPERIMENTS = {
    "a": conditional_shift,
    "a-bis": early_stopping,
    "b": model_fitness,
    "c": training_set_size,
    "causal": causal,
}


def published(name: str) -> pd.DataFrame:
    """Return a table of published results, its levels as text."""
    return pd.read_csv(PUBLISHED / f"{name}.csv", dtype={"level": str})
