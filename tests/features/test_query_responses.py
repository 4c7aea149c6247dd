import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from wsl import Architecture, QueryResponses
from wsl.exceptions import InvalidInputError

ARCHITECTURES = {
    "mlp": Architecture.mlp(4, [6, 5], 3),
    "single output": Architecture.mlp(4, [6], 1),
    "cnn": Architecture.cnn((1, 6, 6), [3], [5], 4),
}


def rows_and_queries(architecture, n_models=7, n_queries=5, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_models, architecture.n_weights)).astype(np.float32)
    return rows, rng.normal(size=(n_queries, architecture.n_inputs)).astype(np.float32)


def looped_logits(architecture, rows, queries):
    """The slow way: one module after another."""
    with torch.no_grad():
        return [architecture.module(row)(torch.tensor(queries)) for row in rows]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_logits_agree_with_one_module_after_another(name):
    architecture = ARCHITECTURES[name]
    rows, queries = rows_and_queries(architecture)
    responses = QueryResponses(architecture, queries).fit_transform(rows)
    expected = [logits.flatten().numpy() for logits in looped_logits(architecture, rows, queries)]
    assert responses.dtype == np.float32
    np.testing.assert_allclose(responses, np.stack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_probabilities_and_labels_are_those_of_torch(name):
    architecture = ARCHITECTURES[name]
    rows, queries = rows_and_queries(architecture)
    logits = torch.stack(looped_logits(architecture, rows, queries))
    if architecture.n_outputs == 1:
        proba, label = logits.sigmoid(), (logits > 0).int()
    else:
        proba, label = logits.softmax(-1), logits.argmax(-1)
    seen = {
        output: QueryResponses(architecture, queries, output=output).fit_transform(rows)
        for output in ("proba", "label")
    }
    np.testing.assert_allclose(seen["proba"], proba.flatten(1).numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(seen["label"], label.flatten(1).numpy())
    assert seen["label"].shape == (7, 5)


def test_hidden_units_may_change_places():
    architecture = ARCHITECTURES["mlp"]
    rows, queries = rows_and_queries(architecture)
    responses = QueryResponses(architecture, queries).fit(rows)
    moved = architecture.permute(rows, random_state=1)
    assert np.abs(moved - rows).max() > 0.1
    np.testing.assert_allclose(
        responses.transform(moved), responses.transform(rows), rtol=1e-4, atol=1e-5
    )


def test_without_an_architecture_features_pass_through():
    X = np.random.default_rng(0).normal(size=(6, 3))
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    responses = QueryResponses().set_output(transform="pandas").fit(frame)
    seen = responses.transform(frame)
    assert list(seen.columns) == ["a", "b", "c"]
    np.testing.assert_array_equal(seen.to_numpy(), X.astype(np.float32))


def test_feature_names_say_query_and_output():
    architecture = ARCHITECTURES["mlp"]
    rows, queries = rows_and_queries(architecture, n_queries=2)
    responses = QueryResponses(architecture, queries).fit(rows)
    assert responses.get_feature_names_out().tolist() == [
        "query0_output0", "query0_output1", "query0_output2",
        "query1_output0", "query1_output1", "query1_output2",
    ]  # fmt: skip
    labels = clone(responses).set_params(output="label").fit(rows)
    assert labels.get_feature_names_out().tolist() == ["query0_label", "query1_label"]


def test_images_are_queries_too():
    architecture = ARCHITECTURES["cnn"]
    rows, queries = rows_and_queries(architecture)
    flat = QueryResponses(architecture, queries).fit_transform(rows)
    shaped = QueryResponses(architecture, queries.reshape(-1, 1, 6, 6)).fit_transform(rows)
    np.testing.assert_array_equal(flat, shaped)


MLP = ARCHITECTURES["mlp"]
WRONG = {
    "missing": ({"architecture": MLP}, "`queries` must be an array.* got None"),
    "features": (
        {"architecture": MLP, "queries": np.ones((3, 5))},
        "`queries` must have 4 columns.* got 5",
    ),
    "nan": (
        {"architecture": MLP, "queries": np.full((3, 4), np.nan)},
        "`queries` must be finite; got NaN",
    ),
    "no architecture": ({"queries": np.ones((3, 4))}, "`queries` needs an `architecture`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_queries_are_named(case):
    parameters, message = WRONG[case]
    rows, _ = rows_and_queries(MLP)
    with pytest.raises(InvalidInputError, match=message):
        QueryResponses(**parameters).fit(rows)


def test_wrong_number_of_weights_is_named():
    _, queries = rows_and_queries(MLP)
    message = f"`X` must have {MLP.n_weights} columns, .*; got 10"
    with pytest.raises(InvalidInputError, match=message):
        QueryResponses(MLP, queries).fit(np.ones((3, 10)))


def test_grid_search_over_what_the_observer_sees():
    architecture = Architecture.mlp(4, [6], 1)
    rows, queries = rows_and_queries(architecture, n_models=60, n_queries=30)
    shift = architecture.slices["2.bias"]
    y = np.repeat([0, 1], 30)
    rows[:, shift] += 8 * y[:, None]
    pipeline = make_pipeline(QueryResponses(architecture, queries), LogisticRegression())
    search = GridSearchCV(pipeline, {"queryresponses__output": ["logits", "label"]}, cv=3, n_jobs=2)
    search.fit(rows, y)
    assert search.best_score_ > 0.85
