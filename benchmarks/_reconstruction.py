"""What ``benchmarks.weight_reconstruction`` trains: zoos, arms and ablations.

What is measured lives in ``_reconstruction_tables``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from wsl import ModelZoo, WeightSpaceAutoencoder
from wsl.datasets import load_census_zoo, load_digits_zoo, load_mnist_zoo

ARMS = {
    "structural": {"gamma": 0.0, "beta": 1.0},
    "behavioral": {"gamma": 0.0, "beta": 0.0},
    "contrastive+structural": {"gamma": 0.05, "beta": 1.0},
    "contrastive+behavioral": {"gamma": 0.05, "beta": 0.0},
    "structural+behavioral": {"gamma": 0.0, "beta": 0.1},
    "all three": {"gamma": 0.05, "beta": 0.1},
}
GENERATING = ("contrastive+structural", "all three")  # those that the paper compares
COMPRESSIONS = (1.3, 1.8, 2.5, 4.0, 8.0)
REFINEMENTS = (0, 30, 200, 500, 1000)  # steps, by behavior alone at compression 4
ABLATED = 5  # one in so many test models is rebuilt there, after a quarter of the steps


@dataclass(frozen=True)
class Subject:
    """A zoo to study: how it and its companion on other data are loaded, and how it is coded."""

    load: Callable[..., Bunch]
    other: dict[str, Any]
    latent_dim: int  # for a compression of about 1.8, the paper's own


SUBJECTS = {
    "digits": Subject(load_digits_zoo, {"inverted": True}, 11),
    "mnist": Subject(load_mnist_zoo, {"inverted": True}, 28),
    "census": Subject(load_census_zoo, {"target": "sex"}, 14),
}


@dataclass(frozen=True)
class Scale:
    """How much work one run does; every arm takes ``n_steps`` of training."""

    n_models: int
    epochs: int
    checkpoints: tuple[int, ...]
    n_steps: int
    n_seeds: int
    n_queries: int
    network: dict[str, int]
    n_generated: int = 50
    refine_steps: int = 200
    anchor_steps: int = 30  # of refinement of the anchors that are generated from
    generation_steps: int = 300


_FULL = Scale(1000, 25, (1, 5, 10, 25), 300, 3, 256, {"d_model": 64, "n_layers": 2})
_QUICK = Scale(60, 10, (1, 10), 40, 1, 64, {"d_model": 16, "n_layers": 1}, 10, 5, 5, 30)
SCALES = {
    "full": {
        "digits": _FULL,
        # images of 784 pixels cost some twenty times as much: one seed, fewer queries and steps
        "mnist": replace(
            _FULL,
            n_models=300,
            epochs=15,
            checkpoints=(1, 5, 10, 15),
            n_seeds=1,
            n_queries=64,
        ),
        "census": replace(_FULL, n_models=500),
    },
    "quick": {
        "digits": _QUICK,
        "mnist": replace(_QUICK, n_models=12, epochs=2, checkpoints=(1, 2), n_queries=16),
        "census": _QUICK,
    },
}


@dataclass(frozen=True, eq=False)
class Study:
    """A zoo, its data, and which of its rows are for what.

    Rows are aligned to one of them beforehand, so that distances are between functions and not
    between orders of units. ``last`` are rows of the last checkpoint.
    """

    name: str
    scale: Scale
    zoo: ModelZoo
    data: Bunch
    reference: np.ndarray
    last: np.ndarray = field(repr=False)

    @property
    def test(self) -> ModelZoo:
        """The models that are rebuilt: finished, and of those for testing."""
        return self.zoo[np.intersect1d(self.data.test, self.last)]

    @property
    def training(self) -> ModelZoo:
        """The finished models among those for training."""
        return self.zoo[np.intersect1d(self.data.train, self.last)]

    @property
    def learning_rate(self) -> float:
        """The median rate at which the zoo was trained."""
        return float(self.training.metadata["learning_rate"].median())

    def ablated(self) -> "Study":
        """Return the study of finished models alone, with fewer to rebuild and fewer steps."""
        scale = replace(self.scale, n_steps=self.scale.n_steps // 4)
        data = Bunch(**{**self.data, "train": np.intersect1d(self.data.train, self.last)})
        return replace(self, scale=scale, data=data, last=self.last[::ABLATED])

    def anchors(self) -> ModelZoo:
        """Return the best third of the finished training models, by training accuracy."""
        own = self.training
        order = np.argsort(-own.metadata["train_accuracy"].to_numpy(), kind="stable")
        return own[order[: max(4, len(own) // 3)]]


def load_study(name: str, scale: Scale, jobs: int, other: bool = False) -> Study:
    """Load a zoo, or its smaller companion on other data, and align its rows."""
    subject = SUBJECTS[name]
    n_models, checkpoints = scale.n_models, scale.checkpoints
    if other:
        n_models, checkpoints = max(10, n_models // 5), (scale.epochs,)
    data = subject.load(
        n_models, epochs=scale.epochs, checkpoints=checkpoints, n_jobs=jobs, progress=True,
        **(subject.other if other else {}),
    )  # fmt: skip
    rows = data.zoo.weights
    reference = rows[data.train[np.linalg.norm(rows[data.train], axis=1).argmax()]]
    aligned = data.zoo.architecture.canonicalize(rows, reference=reference)
    zoo = ModelZoo(aligned, data.zoo.architecture, data.zoo.metadata)
    last = np.flatnonzero(zoo.metadata["epoch"] == zoo.metadata["epoch"].max())
    return Study(name, scale, zoo, data, reference, last)


def build(study: Study, seed: int, **settings: Any) -> WeightSpaceAutoencoder:
    """Return an arm, not fitted, that will take as many steps as any other."""
    scale = study.scale
    options = {
        "queries": {"data": study.data.X_train, "mixtures": mixtures(study.data.X_train)},
        "behavioral_loss": "distillation",
        "n_queries": scale.n_queries,
        "latent_dim": SUBJECTS[study.name].latent_dim,
        "batch_size": 32,
        "validation_fraction": 0.0,
        "refine_steps": scale.refine_steps,
        **scale.network,
        **settings,
    }
    steps_an_epoch = -(-len(study.data.train) // options["batch_size"])
    return WeightSpaceAutoencoder(
        study.zoo.architecture,
        epochs=-(-scale.n_steps // steps_an_epoch),
        random_state=seed,
        **options,
    )


def fit(study: Study, seed: int, **settings: Any) -> WeightSpaceAutoencoder:
    """Fit an arm on the rows of the training models."""
    return build(study, seed, **settings).fit(study.zoo.weights[study.data.train])


def mixtures(X: np.ndarray, n_times: int = 8) -> np.ndarray:
    """Return mixtures of three inputs, ``n_times`` as many as inputs, in uneven shares.

    Many steps of refinement match models on a few hundred inputs, and on no others.
    """
    rng = np.random.default_rng(0)
    n_rows = n_times * len(X)
    shares = rng.dirichlet([0.5] * 3, n_rows).astype(np.float32)
    return sum(share[:, None] * X[rng.integers(len(X), size=n_rows)] for share in shares.T)


def query_sets(study: Study) -> dict[str, Any]:
    """Return training inputs, noise of their mean and spread, and both."""
    rng, data = np.random.default_rng(0), study.data.X_train
    noise = rng.normal(data.mean(axis=0), data.std(axis=0) + 1e-6, data.shape).astype(np.float32)
    return {"data": data, "noise": noise, "data and noise": {"data": data, "noise": noise}}


def latent_dim(study: Study, compression: float) -> int:
    """Return the latent numbers a token that compress about so much."""
    return max(1, round(1.8 * SUBJECTS[study.name].latent_dim / compression))


VARIED: dict[str, Callable[[Study], dict[Any, Any]]] = {  # values by what they are called
    "beta": lambda study: {b: b for b in (0.0, 0.1, 0.5, 0.9, 1.0)},
    "gamma": lambda study: {g: g for g in (0.0, 0.05, 0.2)},
    "queries": query_sets,
    "code": lambda study: {name: name for name in ("linear", "responses")},
    "align": lambda study: {name: name for name in ("reference", "importance")},
    "n_queries": lambda study: {n: n for n in (16, 64, 256)},
    "compression": lambda study: {c: latent_dim(study, c) for c in COMPRESSIONS},
}


def ablations(
    study: Study, quick: bool, varied: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what is varied, to what, and the settings for it; the rest is as in all three."""
    for name, values in VARIED.items():
        if name in varied:
            parameter = "latent_dim" if name == "compression" else name
            for label, value in list(values(study).items())[: 2 if quick else None]:
                yield name, str(label), {**ARMS["all three"], parameter: value}
