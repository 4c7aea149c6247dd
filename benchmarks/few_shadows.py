"""How many labelled shadow models an attack needs, with and without unlabelled ones.

``python -m benchmarks.few_shadows [--scale full|quick] [--out FOLDER]``

The accuracy of each attack against 16, 32, ... labelled shadows on three set-ups: two random
networks that differ by 4% and by 2% of a standard deviation (experiment A of Hartmann et al.,
2023), and the membership of an environment in linear causal data. ``autoencoder`` is fitted once
to unlabelled shadows, which cost no labels, and a linear model reads its embedding. The aim is to
reach with 64 labels what deepsets reaches with the most.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._machine import describe_machine
from wsl import (
    Architecture,
    DeepSetsClassifier,
    DistributionFamily,
    DistributionInferenceAttack,
    EnvironmentMembershipFamily,
    ModelZoo,
    ProbeClassifier,
    RandomNetworkFamily,
    WeightSpaceAutoencoder,
    WeightStatistics,
    train_zoo,
)

N_SAMPLES = 2048
AIM_LABELS = 64
FEW = 512


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    labels: tuple[int, ...]
    n_unlabelled: int
    n_test: int
    n_repeats: int
    epochs: int  # of the autoencoder


SCALES = {
    "full": Scale((16, 32, 64, 128, 256, 512, 1024), 2000, 1000, 8, 30),
    "quick": Scale((16, 64, 256), 300, 300, 2, 3),
}


@dataclass(frozen=True)
class SetUp:
    """A property to infer, and the learner whose models give it away."""

    family: DistributionFamily
    architecture: Architecture
    training: dict[str, Any]
    query_scale: float = 1.0


def set_ups() -> dict[str, SetUp]:
    """Return the three set-ups; hyper-parameters are the paper's."""
    mlp = Architecture.mlp(4, [32], 1)
    nets = {"epochs": 20, "learning_rate": 1e-3, "weight_decay": 1e-4, "batch_size": 32}
    causal = {"epochs": 10, "learning_rate": 1e-2, "weight_decay": 1e-3, "batch_size": 32}
    return {
        "A, eps .04": SetUp(RandomNetworkFamily(0.04, random_state=0), mlp, nets, 2.0),
        "A, eps .02": SetUp(RandomNetworkFamily(0.02, random_state=0), mlp, nets, 2.0),
        "causal": SetUp(
            EnvironmentMembershipFamily.linear_causal(), Architecture.mlp(2, [2], 1), causal
        ),
    }


def draw_zoo(setup: SetUp, n_models: int, seed: int) -> ModelZoo:
    """Train models of both properties, in turn, each on data of its own."""
    values = np.arange(n_models) % 2

    def data(model: int):
        X, y, *_ = setup.family.sample(
            setup.family.properties[values[model]],
            N_SAMPLES,
            random_state=np.random.SeedSequence([seed, model]),
        )
        return X, y

    zoo = train_zoo(
        setup.architecture, data, n_models=n_models, random_state=seed, **setup.training
    )
    zoo.metadata["property"] = values
    return zoo


def linear() -> Any:
    """Return a linear classifier that chooses its own regularisation."""
    return make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 4, 15)))


def queries_of(setup: SetUp, n_queries: int) -> np.ndarray:
    """Return inputs as the adversary would draw them."""
    shape = (n_queries, setup.architecture.n_inputs)
    return setup.query_scale * np.random.default_rng(0).standard_normal(shape, np.float32)


def attacks(
    setup: SetUp, embedding: WeightSpaceAutoencoder
) -> dict[str, Callable[[int, int], Any]]:
    """Return for each attack what builds it for a number of labels and a seed."""
    architecture = setup.architecture

    def steps(n_labels: int) -> dict[str, int]:
        return {"batch_size": 16 if n_labels <= FEW else 32}

    def black_box(n_labels: int, seed: int) -> Any:
        return DistributionInferenceAttack(
            "queries",
            architecture=architecture,
            queries=queries_of(setup, 256),
            random_state=seed,
        )

    return {
        "deepsets": lambda n, seed: DeepSetsClassifier(architecture, random_state=seed, **steps(n)),
        "probes": lambda n, seed: ProbeClassifier(architecture, random_state=seed, **steps(n)),
        "queries": black_box,
        "statistics": lambda n, seed: make_pipeline(WeightStatistics(architecture), linear()),
        "autoencoder": lambda n, seed: make_pipeline(FrozenEstimator(embedding), linear()),
        "raw rows": lambda n, seed: linear(),
    }


def pretrain(setup: SetUp, scale: Scale) -> WeightSpaceAutoencoder:
    """Fit an autoencoder to shadows whose property nobody looks at."""
    unlabelled = draw_zoo(setup, scale.n_unlabelled, seed=1)
    return WeightSpaceAutoencoder(
        setup.architecture,
        queries=queries_of(setup, 128),
        code="linear",
        n_queries=64,
        d_model=32,
        n_layers=2,
        epochs=scale.epochs,
        learning_rate=1e-3,
        random_state=0,
    ).fit(unlabelled.weights)


def curves(name: str, setup: SetUp, scale: Scale) -> pd.DataFrame:
    """Return one row an attack, a number of labels and a repeat, with the accuracy reached."""
    embedding = pretrain(setup, scale)
    pool = draw_zoo(setup, max(scale.labels) + scale.n_test, seed=2)
    weights, truth = pool.weights, pool.metadata["property"].to_numpy()
    rows = []
    for repeat in range(scale.n_repeats):
        order = np.random.default_rng(repeat).permutation(len(pool))
        test, rest = np.split(order, [scale.n_test])
        for attack, build in attacks(setup, embedding).items():
            for n_labels in scale.labels:
                known = rest[:n_labels]
                fitted = build(n_labels, repeat).fit(weights[known], truth[known])
                accuracy = fitted.score(weights[test], truth[test])
                rows.append((name, attack, n_labels, repeat, accuracy))
    return pd.DataFrame(rows, columns=["set_up", "attack", "labels", "repeat", "accuracy"])


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """Return mean and the half width of its 95% interval over repeats."""
    groups = results.groupby(["set_up", "attack", "labels"], sort=False)["accuracy"]
    half = 1.96 * groups.std() / np.sqrt(groups.count())
    return pd.DataFrame({"accuracy": groups.mean(), "half_width": half})


def verdict(summary: pd.DataFrame, set_up: str) -> str:
    """Say which attacks reach with few labels what deepsets reaches with the most."""
    of = summary.loc[set_up]
    most = of.index.get_level_values("labels").max()
    goal = of.loc[("deepsets", most)]
    at_few = of.xs(AIM_LABELS, level="labels")["accuracy"].sort_values(ascending=False)
    reach = at_few[at_few >= goal["accuracy"] - goal["half_width"]]
    found = ", ".join(f"{name} {value:.3f}" for name, value in reach.items())
    best = f"nobody; nearest {at_few.index[0]} {at_few.iloc[0]:.3f}"
    return f"{set_up}: deepsets with {most} labels {goal['accuracy']:.3f}; with {AIM_LABELS}: " + (
        found or best
    )


def draw(summary: pd.DataFrame, path: Path) -> None:
    """Write the curves, one panel a set-up."""
    names = list(summary.index.unique("set_up"))
    figure = Figure(figsize=(5 * len(names), 4), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for attack, part in summary.loc[name].groupby("attack", sort=False):
            labels = part.index.get_level_values("labels")
            axis.errorbar(labels, part["accuracy"], part["half_width"], label=attack, capsize=2)
        axis.set(xscale="log", xlabel="labelled shadows", ylabel="accuracy", title=name)
        axis.set_xticks(labels, labels)
        axis.minorticks_off()
    axes[0, 0].legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    arguments = parser.parse_args()
    print(describe_machine("scikit-learn", "skorch"))
    parts = []
    for name, setup in set_ups().items():
        start = time.perf_counter()
        parts.append(curves(name, setup, SCALES[arguments.scale]))
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    results = pd.concat(parts)
    summary = summarise(results)
    arguments.out.mkdir(parents=True, exist_ok=True)
    results.to_csv(arguments.out / "few_shadows.csv", index=False)
    draw(summary, arguments.out / "few_shadows.png")
    for name in summary.index.unique("set_up"):
        table = summary.loc[name, "accuracy"].unstack("labels").sort_index()
        print(f"\n{name}\n{table.round(3).to_string()}")
    print()
    for name in summary.index.unique("set_up"):
        print(verdict(summary, name))


if __name__ == "__main__":
    main()
