"""Zoos, variants of the autoencoder and ablations of ``benchmarks.weight_reconstruction``."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from wsl import ModelZoo, WeightSpaceAutoencoder
from wsl.datasets import load_census_zoo, load_digits_zoo, load_mnist_zoo

VARIANTS = {
    "structural": {"gamma": 0.0, "beta": 1.0},
    "behavioral": {"gamma": 0.0, "beta": 0.0},
    "contrastive+structural": {"gamma": 0.05, "beta": 1.0},
    "contrastive+behavioral": {"gamma": 0.05, "beta": 0.0},
    "structural+behavioral": {"gamma": 0.0, "beta": 0.1},
    "all three": {"gamma": 0.05, "beta": 0.1},
}
GENERATING = ("contrastive+structural", "all three")  # the variants that the paper compares
COMPRESSIONS = (1.3, 1.8, 2.5, 4.0, 8.0)
REFINEMENTS = (0, 30, 200, 500, 1000)  # steps, by behavior alone at compression 4


@dataclass(frozen=True)
class Subject:
    """How a zoo and its companion on other data are loaded, and the latent dimensions per token."""

    load: Callable[..., Bunch]
    other: dict[str, Any]
    latent_dim: int  # for a compression of about 1.8, as in the paper


SUBJECTS = {
    "digits": Subject(load_digits_zoo, {"inverted": True}, 11),
    "mnist": Subject(load_mnist_zoo, {"inverted": True}, 28),
    "census": Subject(load_census_zoo, {"target": "sex"}, 14),
}


@dataclass(frozen=True)
class Scale:
    """Numbers of models, steps, seeds and queries; every variant is trained by ``n_steps``."""

    n_models: int
    epochs: int
    checkpoints: tuple[int, ...]
    n_steps: int
    n_seeds: int
    n_queries: int
    network: dict[str, int]
    n_generated: int = 50
    refine_steps: int = 200
    anchor_steps: int = 30  # of refinement of the anchors
    generation_steps: int = 300
    ablation_stride: int = 5  # ablations rebuild every fifth test model, after a quarter of steps


_FULL = Scale(1000, 25, (1, 5, 10, 25), 300, 3, 256, {"d_model": 64, "n_layers": 2})
_QUICK = Scale(12, 2, (1, 2), 4, 1, 16, {"d_model": 16, "n_layers": 1}, 4, 2, 2, 5, 1)
SCALES = {
    "full": {
        "digits": _FULL,
        # images of 784 pixels cost about twenty times as much: one seed, fewer models and queries
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
        "mnist": _QUICK,
        "census": _QUICK,
    },
}


@dataclass(frozen=True, eq=False)
class Study:
    """A zoo, its data, and the indices of its rows at the last checkpoint.

    Rows are aligned to one of them beforehand, so that distances do not depend on the order of
    hidden units.
    """

    name: str
    scale: Scale
    zoo: ModelZoo
    data: Bunch
    reference: np.ndarray
    last: np.ndarray = field(repr=False)

    @property
    def test(self) -> ModelZoo:
        """The test models at the last checkpoint, which are rebuilt."""
        return self.zoo[np.intersect1d(self.data.test, self.last)]

    @property
    def training(self) -> ModelZoo:
        """The training models at the last checkpoint."""
        return self.zoo[np.intersect1d(self.data.train, self.last)]

    @property
    def learning_rate(self) -> float:
        """The median learning rate of the training models."""
        return float(self.training.metadata["learning_rate"].median())

    def ablated(self) -> "Study":
        """Return the study of finished models, with fewer of them to rebuild and fewer steps."""
        scale = replace(self.scale, n_steps=self.scale.n_steps // 4)
        data = Bunch(**{**self.data, "train": np.intersect1d(self.data.train, self.last)})
        return replace(self, scale=scale, data=data, last=self.last[:: self.scale.ablation_stride])

    def anchors(self) -> ModelZoo:
        """Return the best third of the finished training models, by training accuracy."""
        training = self.training
        order = np.argsort(-training.metadata["train_accuracy"].to_numpy(), kind="stable")
        return training[order[: max(4, len(training) // 3)]]


def load_study(name: str, scale: Scale, n_jobs: int, other: bool = False) -> Study:
    """Load a zoo, or its smaller companion on other data, and align its rows."""
    subject = SUBJECTS[name]
    n_models, checkpoints = scale.n_models, scale.checkpoints
    if other:
        n_models, checkpoints = max(10, n_models // 5), (scale.epochs,)
    data = subject.load(
        n_models, epochs=scale.epochs, checkpoints=checkpoints, n_jobs=n_jobs,
        **(subject.other if other else {}),
    )  # fmt: skip
    rows = data.zoo.weights
    reference = rows[data.train[np.linalg.norm(rows[data.train], axis=1).argmax()]]
    aligned = data.zoo.architecture.canonicalize(rows, reference=reference)
    zoo = ModelZoo(aligned, data.zoo.architecture, data.zoo.metadata)
    last = np.flatnonzero(zoo.metadata["epoch"] == zoo.metadata["epoch"].max())
    return Study(name, scale, zoo, data, reference, last)


def build(study: Study, seed: int, **settings: Any) -> WeightSpaceAutoencoder:
    """Return a variant, not fitted, that is trained by as many steps as any other."""
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
    steps_per_epoch = -(-len(study.data.train) // options["batch_size"])
    return WeightSpaceAutoencoder(
        study.zoo.architecture,
        epochs=-(-scale.n_steps // steps_per_epoch),
        random_state=seed,
        **options,
    )


def fit(study: Study, seed: int, **settings: Any) -> WeightSpaceAutoencoder:
    """Fit a variant on the rows of the training models."""
    return build(study, seed, **settings).fit(study.zoo.weights[study.data.train])


def mixtures(X: np.ndarray, n_times: int = 8) -> np.ndarray:
    """Return mixtures of three inputs with random weights, ``n_times`` as many as inputs.

    With queries from a few hundred inputs alone, many steps of refinement match models on these
    inputs and on no others.
    """
    rng = np.random.default_rng(0)
    n_rows = n_times * len(X)
    mixture_weights = rng.dirichlet([0.5] * 3, n_rows).astype(np.float32)
    return sum(part[:, None] * X[rng.integers(len(X), size=n_rows)] for part in mixture_weights.T)


def query_sets(study: Study) -> dict[str, Any]:
    """Return training inputs, noise of their mean and standard deviation, and both."""
    rng, data = np.random.default_rng(0), study.data.X_train
    noise = rng.normal(data.mean(axis=0), data.std(axis=0) + 1e-6, data.shape).astype(np.float32)
    return {"data": data, "noise": noise, "data and noise": {"data": data, "noise": noise}}


def latent_dim(study: Study, compression: float) -> int:
    """Return the latent dimensions per token for about this compression."""
    return max(1, round(1.8 * SUBJECTS[study.name].latent_dim / compression))


VARIED: dict[str, Callable[[Study], dict[Any, Any]]] = {  # label -> value
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
    """Yield parameter, label and settings; the other settings are those of all three losses."""
    for name, values in VARIED.items():
        if name in varied:
            parameter = "latent_dim" if name == "compression" else name
            for label, value in list(values(study).items())[: 1 if quick else None]:
                yield name, str(label), {**VARIANTS["all three"], parameter: value}
