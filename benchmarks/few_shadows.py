"""How many labelled shadow models an attack needs, with and without unlabelled ones.

The accuracy of each attack against 16, 32, ... labelled shadow models in three experiments: two
random networks that differ by 4% and by 2% of a standard deviation (experiment A of Hartmann et
al., 2023), and the membership of an environment in linear causal data. ``autoencoder`` is fitted
once to unlabelled shadow models, and a linear model is fitted to its embedding. The question is
which attacks reach with 64 labels the accuracy of deepsets with the most labels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._runner import Benchmark, Run
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
FEW_LABELS = 64
MAX_SMALL_BATCH = 512  # labels up to which meta-classifiers are trained in batches of 16


@dataclass(frozen=True)
class Scale:
    """Numbers of labelled, unlabelled and test models, of repeats, and of autoencoder epochs."""

    labels: tuple[int, ...]
    n_unlabelled: int
    n_test: int
    n_repeats: int
    epochs: int


SCALES = {
    "full": Scale((16, 32, 64, 128, 256, 512, 1024), 2000, 1000, 8, 30),
    "quick": Scale((16, 64), 40, 40, 1, 1),
}


@dataclass(frozen=True)
class Experiment:
    """A property to infer, and the training of the models that reveal it."""

    family: DistributionFamily
    architecture: Architecture
    training: dict[str, Any]
    query_scale: float = 1.0


def experiments(seed: int) -> dict[str, Experiment]:
    """Return the three experiments; hyper-parameters are those of the paper."""
    mlp = Architecture.mlp(4, [32], 1)
    nets = {"epochs": 20, "learning_rate": 1e-3, "weight_decay": 1e-4, "batch_size": 32}
    causal = {"epochs": 10, "learning_rate": 1e-2, "weight_decay": 1e-3, "batch_size": 32}
    return {
        "A, eps .04": Experiment(RandomNetworkFamily(0.04, random_state=seed), mlp, nets, 2.0),
        "A, eps .02": Experiment(RandomNetworkFamily(0.02, random_state=seed), mlp, nets, 2.0),
        "causal": Experiment(
            EnvironmentMembershipFamily.linear_causal(), Architecture.mlp(2, [2], 1), causal
        ),
    }


def draw_zoo(experiment: Experiment, n_models: int, seed: int, n_jobs: int) -> ModelZoo:
    """Train models of both properties, in turn, each on data of its own."""
    values = np.arange(n_models) % 2

    def data(model: int):
        X, y, *_ = experiment.family.sample(
            experiment.family.properties[values[model]],
            N_SAMPLES,
            random_state=np.random.SeedSequence([seed, model]),
        )
        return X, y

    zoo = train_zoo(
        experiment.architecture, data, n_models=n_models, random_state=seed, n_jobs=n_jobs,
        **experiment.training,
    )  # fmt: skip
    zoo.metadata["property"] = values
    return zoo


def linear() -> Any:
    """Return a linear classifier that chooses its own regularization."""
    return make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 4, 15)))


def draw_queries(experiment: Experiment, n_queries: int, seed: int) -> np.ndarray:
    """Return inputs as the adversary would draw them."""
    shape = (n_queries, experiment.architecture.n_inputs)
    return experiment.query_scale * np.random.default_rng(seed).standard_normal(shape, np.float32)


def attacks(
    experiment: Experiment, embedding: WeightSpaceAutoencoder, seed: int
) -> dict[str, Callable[[int, int], Any]]:
    """Return, for each attack, a function that builds it for a number of labels and a seed."""
    architecture = experiment.architecture
    queries = draw_queries(experiment, 256, seed)

    def batches(n_labels: int) -> dict[str, int]:
        return {"batch_size": 16 if n_labels <= MAX_SMALL_BATCH else 32}

    def black_box(n_labels: int, seed: int) -> Any:
        return DistributionInferenceAttack(
            "queries", architecture=architecture, queries=queries, random_state=seed
        )

    return {
        "deepsets": lambda n, seed: DeepSetsClassifier(
            architecture, random_state=seed, **batches(n)
        ),
        "probes": lambda n, seed: ProbeClassifier(architecture, random_state=seed, **batches(n)),
        "queries": black_box,
        "statistics": lambda n, seed: make_pipeline(WeightStatistics(architecture), linear()),
        "autoencoder": lambda n, seed: make_pipeline(FrozenEstimator(embedding), linear()),
        "raw rows": lambda n, seed: linear(),
    }


def pretrain(experiment: Experiment, run: Run) -> WeightSpaceAutoencoder:
    """Fit an autoencoder to shadow models without labels."""
    unlabelled = draw_zoo(experiment, run.scale.n_unlabelled, 10 * run.seed + 1, run.n_jobs)
    return WeightSpaceAutoencoder(
        experiment.architecture,
        queries=draw_queries(experiment, 128, run.seed),
        code="linear",
        n_queries=64,
        d_model=32,
        n_layers=2,
        epochs=run.scale.epochs,
        learning_rate=1e-3,
        random_state=run.seed,
    ).fit(unlabelled.weights)


def measure_curves(name: str, experiment: Experiment, run: Run) -> pd.DataFrame:
    """Return one row per repeat, attack and number of labels, with the accuracy."""
    scale = run.scale
    embedding = pretrain(experiment, run)
    n_models = max(scale.labels) + scale.n_test
    pool = draw_zoo(experiment, n_models, 10 * run.seed + 2, run.n_jobs)
    weights, truth = pool.weights, pool.metadata["property"].to_numpy()
    rows = []
    for repeat in range(run.seed, run.seed + scale.n_repeats):
        order = np.random.default_rng(repeat).permutation(len(pool))
        test, rest = np.split(order, [scale.n_test])
        for attack, build in attacks(experiment, embedding, run.seed).items():
            for n_labels in scale.labels:
                labelled = rest[:n_labels]
                fitted = build(n_labels, repeat).fit(weights[labelled], truth[labelled])
                accuracy = fitted.score(weights[test], truth[test])
                rows.append((name, attack, n_labels, repeat, accuracy))
    return pd.DataFrame(rows, columns=["experiment", "attack", "labels", "repeat", "accuracy"])


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """Return mean and half the width of its 95% interval over repeats."""
    groups = results.groupby(["experiment", "attack", "labels"], sort=False)["accuracy"]
    half = 1.96 * groups.std() / np.sqrt(groups.count())
    return pd.DataFrame({"accuracy": groups.mean(), "half_width": half})


def compare_to_deepsets(summary: pd.DataFrame, experiment: str) -> dict[str, Any]:
    """Return which attacks reach with few labels what deepsets reaches with the most."""
    own = summary.loc[experiment]
    most = own.index.get_level_values("labels").max()
    reference = own.loc[("deepsets", most)]
    at_few = own.xs(FEW_LABELS, level="labels")["accuracy"].sort_values(ascending=False)
    half_width = np.nan_to_num(reference["half_width"])  # NaN where there is one repeat
    reached = at_few[at_few >= reference["accuracy"] - half_width]
    return {
        "experiment": experiment,
        f"deepsets, {most} labels": reference["accuracy"],
        f"best attack, {FEW_LABELS} labels": at_few.index[0],
        "its accuracy": at_few.iloc[0],
        "attacks that reach deepsets": ", ".join(reached.index) or "-",
    }


def draw(summary: pd.DataFrame) -> Figure:
    """Draw the curves, one panel per experiment."""
    names = list(summary.index.unique("experiment"))
    figure = Figure(figsize=(5 * len(names), 4), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for attack, part in summary.loc[name].groupby("attack", sort=False):
            labels = part.index.get_level_values("labels")
            axis.errorbar(labels, part["accuracy"], part["half_width"], label=attack, capsize=2)
        axis.set(xscale="log", xlabel="labelled shadow models", ylabel="accuracy", title=name)
        axis.set_xticks(labels, labels)
        axis.minorticks_off()
    axes[0, 0].legend()
    return figure


def run_benchmark(run: Run) -> None:
    """Measure the curves of the three experiments."""
    curves = []
    for name, experiment in experiments(run.seed).items():
        curves.append(measure_curves(name, experiment, run))
        run.log(f"{name}: done")
    results = pd.concat(curves)
    run.raw("accuracies", results)
    summary = summarize(results)
    run.figure("accuracies", draw(summary))
    run.table("accuracies", summary["accuracy"].unstack("labels").reset_index())
    names = summary.index.unique("experiment")
    run.table("few_labels", pd.DataFrame([compare_to_deepsets(summary, name) for name in names]))


BENCHMARK = Benchmark(
    name="few_shadows",
    shows="accuracy of attacks against the number of labelled shadow models",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    packages=("scikit-learn", "skorch"),
)

if __name__ == "__main__":
    BENCHMARK.main()
