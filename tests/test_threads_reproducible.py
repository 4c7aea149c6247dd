"""Fits in threads: the results of fits in a row, and torch's global generator untouched."""

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed

from wsl import Architecture, DeepSetsClassifier, ProbeClassifier, WeightSpaceAutoencoder

ARCHITECTURE = Architecture.mlp(4, [6], 3)
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(40, ARCHITECTURE.n_weights)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0).astype(int)
QUERIES = RNG.normal(size=(30, 4)).astype(np.float32)


def embed(seed):
    autoencoder = WeightSpaceAutoencoder(
        ARCHITECTURE, queries=QUERIES, latent_dim=2, d_model=8, n_layers=1, n_heads=2, epochs=2,
        random_state=seed,
    )  # fmt: skip
    return autoencoder.fit(ROWS).transform(ROWS)


def classify(seed):
    classifier = DeepSetsClassifier(ARCHITECTURE, epochs=4, dropout=0.5, random_state=seed)
    return classifier.fit(ROWS, LABELS).predict_proba(ROWS)


def probe(seed):
    classifier = ProbeClassifier(ARCHITECTURE, epochs=4, dropout=0.5, random_state=seed)
    return classifier.fit(ROWS, LABELS).predict_proba(ROWS)


@pytest.mark.parametrize("fit", [embed, classify, probe])
def test_fits_in_threads_are_those_in_a_row(fit):
    expected = [fit(seed) for seed in range(4)]
    state = torch.get_rng_state()
    in_threads = Parallel(n_jobs=4, backend="threading")(delayed(fit)(seed) for seed in range(4))
    assert torch.equal(torch.get_rng_state(), state)
    for ours, alone in zip(in_threads, expected, strict=True):
        np.testing.assert_array_equal(ours, alone)
    assert np.abs(in_threads[0] - in_threads[1]).max() > 1e-6
