"""Estimators on memory-mapped rows: the results of arrays in memory, and never a second copy.

Run as a program, the file fits all of them on a zoo that does not fit into the memory it has.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from wsl import (
    Architecture,
    BehaviorFeatures,
    DeepSetsClassifier,
    DeepSetsRegressor,
    DistributionInferenceAttack,
    DistributionInferenceRegressor,
    QueryResponses,
    WeightSpaceAutoencoder,
    WeightStatistics,
    _batches,
    metrics,
)
from wsl._validation import check_rows
from wsl.attacks.meta_networks import _meta_training
from wsl.autoencoder.codes import _fit_code

MLP = Architecture.mlp(4, [6, 5], 3)
N_MODELS = 60
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(N_MODELS, MLP.n_weights)).astype(np.float32)
QUERIES = RNG.normal(size=(20, 4)).astype(np.float32)
LABELS = np.resize(["no", "yes"], N_MODELS)
NUMBERS = ROWS[:, :2].astype(np.float64)
SMALL = {"latent_dim": 3, "d_model": 16, "n_layers": 1, "n_heads": 2, "epochs": 2, "batch_size": 8}


def embed(X, architecture=MLP, **parameters):
    settings = {"random_state": 0, "validation_fraction": 0.1, **SMALL, **parameters}
    model = WeightSpaceAutoencoder(architecture, **settings).fit(X)
    scales = np.asarray(list(model.loss_scales_.values()))
    drawn = model.sample(3, anchors=X, random_state=0)
    score = np.asarray(model.score(X))
    return [model.latents_, model.transform(X), model.reconstruct(X), scales, drawn, score]


def fit_predict(model, X, y):
    model.fit(X, y)
    return [model.predict(X), *([model.predict_proba(X)] if hasattr(model, "classes_") else [])]


def attack(X, **parameters):
    return fit_predict(
        DistributionInferenceAttack(architecture=MLP, random_state=0, **parameters), X, LABELS
    )


ROUTES = {
    "structural": lambda X: embed(X, beta=1.0),
    "no architecture": lambda X: embed(X, None, token_size=16),
    "behavior": lambda X: [BehaviorFeatures(MLP, QUERIES).fit(X).transform(X)],
    "deepsets": lambda X: fit_predict(
        DeepSetsClassifier(MLP, epochs=2, random_state=0), X, LABELS
    ),
    "deepsets regressor": lambda X: fit_predict(
        DeepSetsRegressor(MLP, epochs=2, random_state=0), X, NUMBERS
    ),
    "attack": attack,
    "queries attack": lambda X: attack(X, queries=QUERIES),
    "attack regressor": lambda X: fit_predict(
        DistributionInferenceRegressor(architecture=MLP, queries=QUERIES, random_state=0),
        X, NUMBERS,
    ),
    "features attack": lambda X: fit_predict(
        DistributionInferenceAttack(random_state=0), X, LABELS
    ),
    "sorted attack": lambda X: attack(X, strategy="sorted"),
    "statistics attack": lambda X: attack(X, strategy="statistics"),
    "kl attack": lambda X: attack(X, strategy="kl", queries=QUERIES),
    "loss attack": lambda X: attack(
        X,
        strategy="loss",
        queries=QUERIES,
        query_labels=np.arange(len(QUERIES)) % MLP.n_outputs,
        query_properties=LABELS[np.arange(len(QUERIES)) % len(LABELS)],
    ),
    "statistics": lambda X: [WeightStatistics(MLP).fit_transform(X)],
    "probabilities": lambda X: [QueryResponses(MLP, QUERIES, output="proba").fit_transform(X)],
    "labels": lambda X: [QueryResponses(MLP, QUERIES, output="label").fit_transform(X)],
    "metrics": lambda X: [
        np.asarray(metrics.explained_variance(X, np.roll(X, 1, axis=0))),
        np.asarray(metrics.diversity(X)),
        np.asarray(metrics.variance_ratio(X, X[:9])),
    ],
}  # fmt: skip


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


def shrink(monkeypatch, batch_bytes, cache_bytes=0):
    monkeypatch.setattr(_batches, "BATCH_BYTES", batch_bytes)
    monkeypatch.setattr(_batches, "CACHE_BYTES", cache_bytes)


def test_mapped_rows_are_checked_without_a_copy(mapped):
    assert np.shares_memory(check_rows(mapped, MLP.n_weights), mapped)


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES)
def test_rows_read_in_small_batches_give_the_same_results(route, mapped, monkeypatch):
    monkeypatch.setattr(_meta_training, "STATISTICS_ROWS", 30)  # statistics of the same halves then
    expected = ROUTES[route](ROWS)
    reads_weights_by_sets = route in ("deepsets", "deepsets regressor", "attack")
    shrink(monkeypatch, batch_bytes=150_000 if reads_weights_by_sets else 8000)  # 3 to 25 models
    for given, wanted in zip(ROUTES[route](mapped), expected, strict=True):
        assert given.dtype == wanted.dtype
        if wanted.dtype.kind in "US":
            np.testing.assert_array_equal(given, wanted)
        else:
            np.testing.assert_allclose(given, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_rows_that_are_not_cached_train_the_same_autoencoder(mapped, monkeypatch):
    expected = embed(ROWS, queries=QUERIES)
    shrink(monkeypatch, batch_bytes=_batches.BATCH_BYTES)
    for given, wanted in zip(embed(mapped, queries=QUERIES), expected, strict=True):
        np.testing.assert_array_equal(given, wanted)


@pytest.mark.slow
def test_the_behavioral_arm_learns_from_small_batches_too(mapped, monkeypatch):
    *_, score = embed(ROWS, queries=QUERIES)
    shrink(monkeypatch, batch_bytes=8000)
    *_, given = embed(mapped, queries=QUERIES)  # directions of gradients are drawn in other order
    assert given > 0.4
    assert given == pytest.approx(score, abs=0.1)


def test_the_start_looks_at_the_outputs_of_some_models_only(monkeypatch):
    seen = []
    forward = Architecture.forward

    def counted(architecture, weights, inputs, batch_size=None):
        seen.append(len(weights))
        return forward(architecture, weights, inputs, batch_size)

    monkeypatch.setattr(Architecture, "forward", counted)
    monkeypatch.setattr(_fit_code, "CODE_MODELS", 10)
    settings = SMALL | {"epochs": 0}
    model = WeightSpaceAutoencoder(MLP, queries=QUERIES, random_state=0, **settings).fit(ROWS)
    assert max(seen) == 10
    seen.clear()
    WeightSpaceAutoencoder(MLP, queries=QUERIES, code="linear", **settings).fit(ROWS)
    assert sum(seen) == 4 * 10 + 2 * 10  # the draws of gradients, then mean and model for a scale
    monkeypatch.undo()
    whole = WeightSpaceAutoencoder(MLP, queries=QUERIES, random_state=0, **settings).fit(ROWS)
    assert model.score(ROWS) == pytest.approx(whole.score(ROWS), abs=0.15)


@pytest.mark.parametrize("shift", [0, 7])
def test_r2_in_batches_is_that_of_the_whole(shift):
    outputs = np.random.default_rng(0).normal(size=(30, 4, 3))
    rebuilt = np.roll(outputs, shift, axis=0)
    parts = [slice(0, 1), slice(1, 12), slice(12, 30)]
    streamed = metrics.streamed_r2((outputs[part], rebuilt[part]) for part in parts)
    assert streamed == pytest.approx(metrics.behavioral_r2(outputs, rebuilt), rel=1e-12)


def test_no_estimator_holds_a_second_copy():
    told = subprocess.run(
        [sys.executable, __file__],
        capture_output=True, text=True, timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert told.stdout.split() == ["refused", *UNDER_CAP], told.stderr


WIDE = Architecture.mlp(2000, [4], 2)
WIDE_QUERIES = RNG.normal(size=(16, 2000)).astype(np.float32)
MIB = 2**20
ZOO_BYTES, CAP_BYTES = 72 * MIB, 56 * MIB


def fit_wide_autoencoder(X, y):
    settings = SMALL | {"latent_dim": 1, "epochs": 1, "batch_size": 16, "token_size": 128}
    model = WeightSpaceAutoencoder(WIDE, queries=WIDE_QUERIES, random_state=0, **settings)
    model.fit(X).transform(X)
    assert np.isfinite(model.score(X))


UNDER_CAP = {
    "autoencoder": fit_wide_autoencoder,
    "deepsets": lambda X, y: DeepSetsClassifier(WIDE, epochs=1).fit(X, y).predict(X),
    "attack": lambda X, y: (
        DistributionInferenceAttack(architecture=WIDE, queries=WIDE_QUERIES).fit(X, y).predict(X)
    ),
    "statistics": lambda X, y: WeightStatistics(WIDE).fit_transform(X),
    "metrics": lambda X, y: (metrics.diversity(X), metrics.explained_variance(X, X)),
}


def run_under_cap(path: Path) -> None:
    """Run each operation with less memory for arrays than the zoo takes, and print its name."""
    import resource

    n_models = ZOO_BYTES // (4 * WIDE.n_weights)
    rng = np.random.default_rng(0)
    weights = np.lib.format.open_memmap(path, "w+", np.float32, (n_models, WIDE.n_weights))
    for start in range(0, n_models, 256):
        weights[start : start + 256] = rng.normal(size=weights[start : start + 256].shape)
    weights.flush()
    del weights
    X, y = np.load(path, mmap_mode="r"), np.arange(n_models) % 2
    _batches.BATCH_BYTES, _batches.CACHE_BYTES = MIB, 0
    for operation in UNDER_CAP.values():  # what is imported or started at the first call
        operation(X[:64], y[:64])
    lines = Path("/proc/self/status").read_text().splitlines()
    now = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (now + CAP_BYTES, now + CAP_BYTES))
    try:
        np.array(X)
    except MemoryError:
        print("refused", flush=True)
    for name, operation in UNDER_CAP.items():
        operation(X, y)
        print(name, flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        run_under_cap(Path(folder) / "zoo.npy")
