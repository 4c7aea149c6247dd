"""Measurements of ``weight_reconstruction``: rebuilding, generation, prediction and time."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._reconstruction import VARIANTS, Study, build
from wsl import (
    BehaviorFeatures,
    DeepSetsRegressor,
    ModelZoo,
    QueryResponses,
    WeightSpaceAutoencoder,
    WeightStatistics,
    metrics,
    train_zoo,
)

METHODS = ("token_kde", "kde", "interpolation", "gmm", "ensemble")
N_CANDIDATES = 4  # per generated model, where the best by training labels are selected
FINE_TUNING = (0, 1, 5)
FINE_TUNING_DIVISOR = 10  # of the learning rate of training
ALPHAS = np.logspace(-3, 5, 17)
TIMED_EPOCHS = (1, 4, 16, 64)
TIMED_REFINEMENTS = (30, 200)  # steps
N_QUERIES, N_COMPONENTS = 1000, 64  # as many as the embedding with behavior has


# --- 1, rebuilding


def rebuilding(study: Study, rebuilt: np.ndarray, n_latents: float) -> dict[str, float]:
    """Compare rebuilt test models with their originals."""
    originals, X, y = study.test, study.data.X_test, study.data.y_test
    outputs = originals.forward(X)
    rebuilt_outputs = originals.architecture.forward(rebuilt, X)
    accuracy = metrics.accuracy(outputs, y)
    rebuilt_accuracy = metrics.accuracy(rebuilt_outputs, y)
    return {
        "l2 distance": float(np.linalg.norm(originals.weights - rebuilt, axis=1).mean()),
        "explained variance": metrics.explained_variance(originals.weights, rebuilt),
        "agreement": metrics.agreement(outputs, rebuilt_outputs),
        "shuffled": metrics.shuffled_agreement(outputs, rebuilt_outputs),
        "behavioral R2": metrics.behavioral_r2(outputs, rebuilt_outputs),
        "variance ratio": metrics.variance_ratio(originals.weights, rebuilt),
        "accuracy": float(rebuilt_accuracy.mean()),
        "error of accuracy": float(np.abs(rebuilt_accuracy - accuracy).mean()),
        "best accuracy": float(rebuilt_accuracy.max()),
        "compression": originals.architecture.n_weights / n_latents if n_latents else np.inf,
    }


def rebuilding_baselines(study: Study, n_latents: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield originals, the mean of the zoo, PCA, and the floors of agreement."""
    originals, training = study.test, study.zoo.weights[study.data.train]
    yield "originals", rebuilding(study, originals.weights, originals.architecture.n_weights)
    mean = np.broadcast_to(training.mean(axis=0), originals.weights.shape)
    yield "mean of the zoo", rebuilding(study, mean, 0)
    pca = _pca(training, n_latents)
    rebuilt = pca.inverse_transform(pca.transform(originals.weights)).astype(np.float32)
    yield f"PCA, {pca.n_components_} components", rebuilding(study, rebuilt, pca.n_components_)
    outputs, others = (zoo.forward(study.data.X_test) for zoo in (originals, study.training))
    yield (
        "floor: best single model",
        {"agreement": metrics.best_single_model_agreement(outputs, others)},
    )
    average = metrics.averaged_prediction_agreement(outputs, others)
    yield "floor: averaged prediction", {"agreement": average, "behavioral R2": 0.0}


def rebuilding_other_data(
    study: Study, autoencoder: WeightSpaceAutoencoder, other: Study
) -> dict[str, float]:
    """Rebuild models of other data by an autoencoder that was not trained on such models."""
    aligned = study.zoo.architecture.canonicalize(other.zoo.weights, reference=study.reference)
    zoo = ModelZoo(aligned, other.zoo.architecture, other.zoo.metadata)
    moved = Study(other.name, other.scale, zoo, other.data, study.reference, other.last)
    rebuilt = autoencoder.reconstruct(moved.test.weights)
    return rebuilding(moved, rebuilt, autoencoder.n_latents_)


# --- 2, generation


def generation(
    study: Study, autoencoder: WeightSpaceAutoencoder, method: str, seed: int, best: bool = False
) -> dict[str, float]:
    """Generate from the anchors and fine-tune; distances are relative to those of the zoo.

    With ``best``, models are the best of four times as many on the training set.
    """
    data, n_models = study.data, study.scale.n_generated
    selection = {
        "n_candidates": N_CANDIDATES * n_models,
        "queries": data.X_train,
        "labels": data.y_train,
    }
    autoencoder.set_params(refine_steps=study.scale.anchor_steps)
    rows = autoencoder.sample(
        n_models,
        anchors=study.anchors().weights,
        method=method,
        n_steps=study.scale.generation_steps,
        random_state=seed,
        **(selection if best else {}),
    )
    autoencoder.set_params(refine_steps=study.scale.refine_steps)
    rows = study.zoo.architecture.canonicalize(rows, reference=study.reference)
    rate = study.learning_rate / FINE_TUNING_DIVISOR
    return {**_accuracies(study, seed, rate, init=rows), **_differences(study, rows)}


def generation_baselines(study: Study, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the accuracies of the zoo, of its anchors, and of training from scratch."""
    for name, zoo in (("zoo", study.training), ("anchors", study.anchors())):
        scores = zoo.accuracy(study.data.X_test, study.data.y_test)
        accuracies = {"mean, 0 epochs": scores.mean(), "best, 0 epochs": scores.max()}
        yield name, {**accuracies, **_differences(study, zoo.weights, in_zoo=True)}
    scratch = _accuracies(study, seed, study.learning_rate, n_models=study.scale.n_generated)
    yield "from scratch", scratch


def _accuracies(study: Study, seed: int, rate: float, **start: Any) -> dict[str, float]:
    data, accuracies = study.data, {}
    for epochs in FINE_TUNING:
        zoo = train_zoo(
            study.zoo.architecture, (data.X_train, data.y_train), epochs=epochs, batch_size=64,
            learning_rate=rate, random_state=seed, device="cpu", **start,
        )  # fmt: skip
        scores = zoo.accuracy(data.X_test, data.y_test)
        accuracies[f"mean, {epochs} epochs"] = float(scores.mean())
        accuracies[f"best, {epochs} epochs"] = float(scores.max())
    return accuracies


def _differences(study: Study, rows: np.ndarray, in_zoo: bool = False) -> dict[str, float]:
    zoo = study.training.weights
    outputs = study.zoo.architecture.forward(rows, study.data.X_test)
    if in_zoo:
        nearest = np.array([_nearest_other(zoo, row) for row in rows])
    else:
        nearest = metrics.nearest_distance(rows, zoo)
    usual = np.mean([_nearest_other(zoo, row) for row in zoo])
    return {
        "diversity": metrics.diversity(rows) / metrics.diversity(zoo),
        "disagreement": metrics.disagreement(outputs),
        "nearest": float(nearest.mean() / usual),
    }


def _nearest_other(zoo: np.ndarray, row: np.ndarray) -> float:
    """Return the distance to the nearest row of the zoo that is not the row itself."""
    distances = np.linalg.norm(zoo - row, axis=1)
    return float(distances[distances > 0].min())


# --- 3, prediction


def prediction(study: Study, embedding: TransformerMixin) -> dict[str, float]:
    """Predict test accuracy and generalisation gap of test models, all checkpoints, by ridge."""
    rows = study.zoo.weights
    features = embedding.fit(rows[study.data.train]).transform(rows)
    return _ridge_scores(study, features)


def embedding_scores(
    study: Study, autoencoder: WeightSpaceAutoencoder
) -> dict[str, dict[str, float]]:
    """Predict from the latents of a fitted variant, alone and beside behavior on training inputs.

    Latents are many and of unit variance: beside others they are scaled down.
    """
    autoencoder.set_params(refine_steps=0)
    latents = autoencoder.transform(study.zoo.weights)
    autoencoder.set_params(refine_steps=study.scale.refine_steps)
    behavior = behavior_features(study)
    scaled = latents / np.sqrt(autoencoder.n_latents_)
    return {
        "": _ridge_scores(study, latents),
        ", with behavior": _ridge_scores(study, np.hstack([scaled, behavior])),
    }


def behavior_features(study: Study) -> np.ndarray:
    """Return scores and components of what models respond to training inputs."""
    behavior = BehaviorFeatures(study.zoo.architecture, study.data.X_train)
    return behavior.fit(study.zoo.weights[study.data.train]).transform(study.zoo.weights)


def prediction_baselines(
    study: Study, n_latents: int, seed: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the scores of weight statistics, raw weights, PCA, DeepSets and query responses."""
    yield "weight statistics", prediction(study, WeightStatistics(study.zoo.architecture))
    yield "raw weights", _ridge_scores(study, study.zoo.weights)
    yield "PCA", prediction(study, _pca(study.zoo.weights[study.data.train], n_latents))
    deep_sets = DeepSetsRegressor(study.zoo.architecture, random_state=seed)
    yield "DeepSets", _scores(study, study.zoo.weights, deep_sets.fit)
    queries = study.data.X_train[:N_QUERIES]
    responses = QueryResponses(study.zoo.architecture, queries, output="proba")
    pca = PCA(min(N_COMPONENTS, len(study.data.train) - 1), random_state=seed)
    yield "PCA of responses", prediction(study, make_pipeline(responses, pca))
    yield "behavior", _ridge_scores(study, behavior_features(study))


def _ridge_scores(study: Study, features: np.ndarray) -> dict[str, float]:
    """Score ridge regression; whether features are standardised is chosen on training models."""
    scalers = {"standardscaler": [StandardScaler(), "passthrough"]}
    search = GridSearchCV(
        make_pipeline(StandardScaler(), RidgeCV(ALPHAS)), scalers, cv=GroupKFold(5)
    )
    groups = study.zoo.metadata["model"].to_numpy()[study.data.train]
    return _scores(study, features, partial(search.fit, groups=groups))


def _scores(study: Study, features: np.ndarray, fit: Callable[..., Any]) -> dict[str, float]:
    table, train, test = study.zoo.metadata, study.data.train, study.data.test
    targets = {
        "R2 of test accuracy": table["test_accuracy"].to_numpy(),
        "R2 of generalisation gap": (table["train_accuracy"] - table["test_accuracy"]).to_numpy(),
    }
    return {
        name: r2_score(y[test], fit(features[train], y[train]).predict(features[test]))
        for name, y in targets.items()
    }


def _pca(rows: np.ndarray, n_latents: int) -> PCA:
    size = min(n_latents, rows.shape[1], len(rows) - 1)  # one more would have no variance
    return PCA(size, svd_solver="full").fit(rows)


# --- 5, time


def time_course(
    study: Study, code: str, seed: int, quick: bool
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the metrics of all three losses after some epochs, and the seconds until then.

    The learning rate is constant; the closed-form code is part of the first epoch. In the end all
    test models are refined; the seconds of rebuilding are those of all of them.
    """
    rows, seconds = study.zoo.weights[study.data.train], 0.0
    autoencoder = build(study, seed, code=code, **VARIANTS["all three"]).set_params(refine_steps=0)
    measured_epochs = TIMED_EPOCHS[: 1 if quick else None]
    for epoch in range(1, measured_epochs[-1] + 1):
        start = time.perf_counter()
        autoencoder.partial_fit(rows)
        seconds += time.perf_counter() - start
        if epoch in measured_epochs:
            yield f"{code}, epoch {epoch}", _reached(study, autoencoder, seconds)
    for n_steps in TIMED_REFINEMENTS[: 1 if quick else None]:
        autoencoder.set_params(refine_steps=n_steps)
        yield f"{code}, {n_steps} steps of refinement", _reached(study, autoencoder, seconds)


def _reached(study: Study, autoencoder: WeightSpaceAutoencoder, seconds: float) -> dict[str, float]:
    start = time.perf_counter()
    rebuilt = autoencoder.reconstruct(study.test.weights)
    spent = time.perf_counter() - start
    measured = rebuilding(study, rebuilt, autoencoder.n_latents_)
    scores = {name: measured[name] for name in ("agreement", "behavioral R2", "accuracy")}
    return {"seconds of training": seconds, "seconds of rebuilding": spent, **scores}
