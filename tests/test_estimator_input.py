"""What every fit, predict and transform does with X and y that are no plain arrays."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from sklearn.base import clone

from wsl import (
    Architecture,
    BehaviorFeatures,
    CausalFeatureSelector,
    CausalMitigatedClassifier,
    CausalMitigatedRegressor,
    DeepSetsClassifier,
    DistributionInferenceAttack,
    ProbeRegressor,
    QueryResponses,
    SortedWeights,
    WeightSpaceAutoencoder,
    WeightStatistics,
)
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(2, [2], 2)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, ARCHITECTURE.n_weights)).astype(np.float16).astype(np.float64)
Y = np.arange(20) % 2
QUERIES = RNG.normal(size=(5, 2))
SMALL = {"d_model": 8, "n_layers": 1, "n_heads": 2, "epochs": 1, "latent_dim": 2}
ESTIMATORS = {
    "autoencoder": WeightSpaceAutoencoder(
        ARCHITECTURE, queries=QUERIES, code="linear", random_state=0, **SMALL
    ),
    "deepsets": DeepSetsClassifier(ARCHITECTURE, epochs=1, random_state=0),
    "probes": ProbeRegressor(ARCHITECTURE, epochs=1, random_state=0),
    "attack": DistributionInferenceAttack("sorted", architecture=ARCHITECTURE, random_state=0),
    "attack on responses": DistributionInferenceAttack("queries", random_state=0),
    "sorted weights": SortedWeights(ARCHITECTURE),
    "statistics": WeightStatistics(ARCHITECTURE),
    "responses": QueryResponses(ARCHITECTURE, QUERIES),
    "behavior": BehaviorFeatures(ARCHITECTURE, QUERIES),
    "causal classifier": CausalMitigatedClassifier(epochs=1, random_state=0),
    "causal regressor": CausalMitigatedRegressor(epochs=1, random_state=0),
    "selector": CausalFeatureSelector(),
}
SUPERVISED = ["deepsets", "probes", "attack", "causal classifier", "causal regressor", "selector"]


def masked(values):
    return np.ma.array(values, mask=np.indices(np.shape(values)).sum(axis=0) == 3)


def frame(values, **columns):
    return pd.DataFrame(values).rename(columns="w{}".format).assign(**columns)


def changed(values, value):
    values = values.astype(object if isinstance(value, datetime.date) else float)
    values[3, 1] = value
    return values


REFUSED = {
    "masked": (masked, "masked array"),
    "dates": (lambda X: X.astype("M8[s]"), "real numbers; got datetime64"),
    "durations": (lambda X: X.astype("m8[s]"), "real numbers; got timedelta64"),
    "dates in objects": (lambda X: changed(X, datetime.date(2020, 1, 1)), "real numbers; got date"),
    "a column of dates": (
        lambda X: frame(X, w1=pd.Timestamp("2020-01-01")),
        r"dates in columns \['w1'\]",
    ),
    "a column of dates in polars": (
        lambda X: pl.DataFrame(frame(X, w1=pd.Timestamp("2020-01-01"))),
        r"dates in columns \['w1'\]",
    ),
    "periods": (lambda X: frame(X, w1=pd.Period("2020-01")), "got Period"),
    "equal names": (
        lambda X: frame(X).rename(columns={"w1": "w0"}),
        r"unique column names; got \['w0'\] twice",
    ),
    "sparse matrix": (scipy.sparse.csr_matrix, r"dense; got a sparse csr_matrix: pass X.toarray"),
    "sparse array": (scipy.sparse.coo_array, r"dense; got a sparse coo_array: pass X.toarray"),
    "text": (lambda X: X.astype(str).astype(object), "of type str"),
    "NaN": (lambda X: changed(X, np.nan), r"finite; got NaN in rows \[3\]\."),
    "infinity": (lambda X: changed(X, -np.inf), r"finite; got infinity in rows \[3\]\."),
}
TAKEN = {
    "not masked": np.ma.array,
    "list": lambda X: X.tolist(),
    "big-endian": lambda X: X.astype(">f8"),
    "long double": lambda X: X.astype(np.longdouble),
    "half": lambda X: X.astype(np.float16),
    "objects": lambda X: X.astype(object),
    "tensor": torch.tensor,
    "frame": frame,
    "nullable frame": lambda X: frame(X).astype("Float64"),
    "polars": pl.DataFrame,
}


def applied(estimator, rows):
    return estimator.transform(rows) if hasattr(estimator, "transform") else estimator.predict(rows)


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(one).fit(X, Y) for name, one in ESTIMATORS.items()}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_holds_no_numbers_is_refused_by_fit(name, kind):
    make, words = REFUSED[kind]
    with pytest.raises(InvalidInputError, match=rf"`X` must .*{words}"):
        clone(ESTIMATORS[name]).fit(make(X), Y)


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "selector"])
def test_what_holds_no_numbers_is_refused_after_fit(name, kind, fitted):
    make, words = REFUSED[kind]
    with pytest.raises(InvalidInputError, match=rf"`X` must .*{words}"):
        applied(fitted[name], make(X))


@pytest.mark.parametrize("kind", ["masked", "equal names"])
def test_the_selector_refuses_what_it_would_change(kind, fitted):
    make, words = REFUSED[kind]
    with pytest.raises(InvalidInputError, match=rf"`X` must .*{words}"):
        fitted["selector"].transform(make(X))


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_numbers_of_every_kind_give_the_same_result(name, kind, fitted):
    expected = np.asarray(applied(fitted[name], X), dtype=float)
    after = np.asarray(applied(fitted[name], TAKEN[kind](X)), dtype=float)
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)
    if name in ("sorted weights", "attack", "selector"):  # and fitted to them
        again = applied(clone(ESTIMATORS[name]).fit(TAKEN[kind](X), Y), TAKEN[kind](X))
        np.testing.assert_allclose(np.asarray(again, float), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SUPERVISED)
def test_masked_targets_are_refused(name):
    with pytest.raises(InvalidInputError, match=r"`y` must have no missing values; got a masked"):
        clone(ESTIMATORS[name]).fit(X, masked(Y))


@pytest.mark.parametrize("name", ["probes", "causal regressor"])
def test_targets_of_a_regressor_are_numbers(name):
    with pytest.raises(InvalidInputError, match=r"`y` must hold real numbers; got datetime64"):
        clone(ESTIMATORS[name]).fit(X, Y.astype("M8[D]"))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (2.0, r"shape \(20,\), one weight per sample; got \(\)"),
        (masked(np.ones(20)), "masked array"),
        (np.where(np.arange(20) == 2, np.nan, 1.0), "finite numbers of at least 0; got nan"),
    ],
    ids=["scalar", "masked", "NaN"],
)
def test_sample_weights_are_one_number_per_sample(weights, words):
    with pytest.raises(InvalidInputError, match=rf"`sample_weight` must .*{words}"):
        clone(ESTIMATORS["causal classifier"]).fit(X, Y, sample_weight=weights)


def test_masked_environments_are_refused():
    with pytest.raises(InvalidInputError, match=r"`environments` must .* masked array"):
        clone(ESTIMATORS["causal classifier"]).fit(X, Y, environments=masked(Y))


@pytest.mark.parametrize("kind", ["masked", "dates", "text", "NaN"])
def test_latents_are_numbers(kind, fitted):
    latents = np.resize(X, (6, fitted["autoencoder"].n_latents_))
    make, words = REFUSED[kind]
    with pytest.raises(InvalidInputError, match=rf"`Z` must .*{words}"):
        fitted["autoencoder"].inverse_transform(make(latents))
