import random
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from wsl import CausalFeatureSelector, CausalMitigatedClassifier, CausalMitigatedRegressor
from wsl.causal._independence_tests import find_violations
from wsl.exceptions import CausalGraphWarning

RIGHT = "digraph {a -> b; b -> y; y -> c}"
WRONG = "digraph {a -> y; b -> y; y -> c}"  # a and b have nothing to do with one another, it says


def draw(seed=0, n_samples=300):
    """A chain a, b, y, c with linear effects and Gaussian noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(4, n_samples))
    a = noise[0]
    b = a + noise[1]
    y = b + noise[2]
    return pd.DataFrame({"a": a, "b": b, "c": y + noise[3]}), y


def test_a_right_graph_passes_and_its_tests_are_kept():
    X, y = draw()
    selector = CausalFeatureSelector("graph", graph=RIGHT, outcome="y", check_graph=True)
    assert selector.fit(X, y).get_feature_names_out().tolist() == ["b"]
    tests = {
        (frozenset((t.node, t.independent_of)), t.given): t.violated
        for t in selector.tests_.itertuples()
    }
    # what the local Markov condition of the chain says, each once
    assert tests == {
        (frozenset("ya"), ("b",)): False,
        (frozenset("ca"), ("y",)): False,
        (frozenset("cb"), ("y",)): False,
    }


@pytest.mark.parametrize("kind", [CausalMitigatedRegressor, CausalFeatureSelector])
def test_a_wrong_graph_is_warned_of_with_what_is_violated(kind):
    X, y = draw()
    settings = {"graph": WRONG, "outcome": "y", "check_graph": True}
    if kind is CausalFeatureSelector:
        model = kind("graph", **settings)
    else:
        selector = CausalFeatureSelector("graph", **settings)
        model = kind(causal_features=selector, epochs=1, random_state=0)
    with pytest.warns(CausalGraphWarning, match=r"contradict 1 of 3 .*(a and b|b and a) \(p="):
        model.fit(X, y)
    tests = model.tests_ if kind is CausalFeatureSelector else model.graph_tests_
    assert {tests["node"][0], tests["independent_of"][0]} == {"a", "b"}
    assert tests["violated"].tolist() == [True, False, False]


def test_labels_are_tested_as_categories():
    """Cut into classes y no longer keeps c from b, and that is found too."""
    X, y = draw()
    selector = CausalFeatureSelector("graph", graph=WRONG, outcome="y", check_graph=True)
    learner = CausalMitigatedClassifier(causal_features=selector, epochs=1)
    with pytest.warns(CausalGraphWarning, match=r"contradict 3 of 3 .*; .*c and b given y"):
        learner.fit(X, np.where(y > 0, 1.0, 0.0))


def test_the_correction_is_holms():
    X, y = draw(3)
    tests = find_violations(nx.DiGraph([("a", "y"), ("b", "y"), ("c", "y")]), X.assign(y=y))
    p = tests["p_value"].to_numpy()
    assert (np.diff(p) >= 0).all()
    by_hand = [min(1.0, max((len(p) - j) * p[j] for j in range(i + 1))) for i in range(len(p))]
    np.testing.assert_allclose(tests["adjusted_p_value"], by_hand)


def test_what_needs_a_node_without_data_is_not_tested():
    X, y = draw()
    graph = 'digraph {U [observed="no"]; U -> a; U -> b; b -> y; y -> c}'
    selector = CausalFeatureSelector("graph", graph=graph, outcome="y", check_graph=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tests = selector.fit(X, y).tests_
    assert "U" not in {*tests["node"], *tests["independent_of"], *sum(tests["given"], ())}
    assert len(tests) == 3


def test_a_graph_that_rules_nothing_out_has_no_tests():
    X, y = draw()
    tests = find_violations(nx.DiGraph([("a", "y")]), X[["a"]].assign(y=y))
    assert len(tests) == 0
    assert "violated" in tests


def test_global_generators_stay():
    X, y = draw()
    numpy_state, python_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    settings = {"graph": RIGHT, "outcome": "y", "check_graph": True}
    first, again = (CausalFeatureSelector("graph", **settings).fit(X, y).tests_ for _ in "ab")
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert random.getstate() == python_state
    pd.testing.assert_frame_equal(first, again)
