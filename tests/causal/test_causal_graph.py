import sys
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pydot
import pytest

from wsl import CausalFeatureSelector, CausalMitigatedRegressor
from wsl.causal._causal_graph import columns_of_graph, read_graph, unobserved_nodes
from wsl.exceptions import InvalidInputError

# a and b cause y, y causes c, d causes c too, e causes a: the blanket of y is a, b, c, d
EDGES = {("e", "a"), ("a", "y"), ("b", "y"), ("y", "c"), ("d", "c")}
NAMES = ["a", "b", "c", "d", "e"]
PARENTS, BLANKET = (0, 1), (0, 1, 2, 3)
NODES = sorted({node for edge in EDGES for node in edge})
DOT = """
strict digraph G {
    e -> a; "a" -> y;

    subgraph cluster { b -> y; y -> {c} }
    d -> c [style=dashed]
}
"""
GML = "graph [directed 1 {} {}]".format(
    " ".join(f'node [id {i} label "{node}"]' for i, node in enumerate(NODES)),
    " ".join(f"edge [source {NODES.index(a)} target {NODES.index(b)}]" for a, b in EDGES),
)
ADJACENCY = pd.DataFrame(
    [[float((a, b) in EDGES) for b in NODES] for a in NODES], index=NODES, columns=NODES
)


def dowhy_causal_model():
    from dowhy import CausalModel

    data = pd.DataFrame(np.zeros((3, len(NODES))), columns=NODES)
    return CausalModel(data, treatment="a", outcome="y", graph=nx.DiGraph(EDGES))


def dowhy_graph():
    from dowhy.causal_graph import CausalGraph

    return CausalGraph("a", "y", graph=nx.DiGraph(EDGES))


def dowhy_gcm():
    from dowhy.gcm import StructuralCausalModel

    return StructuralCausalModel(nx.DiGraph(EDGES))


FORMS = {
    "networkx": lambda: nx.DiGraph(EDGES),
    "networkx, multiple edges": lambda: nx.MultiDiGraph([*EDGES, ("a", "y")]),
    "DOT": lambda: DOT,
    "GML": lambda: GML,
    "GML in lines": lambda: GML.replace("] ", "]\n"),
    "adjacency": lambda: ADJACENCY,
    "dowhy.CausalModel": dowhy_causal_model,
    "dowhy.causal_graph.CausalGraph": dowhy_graph,
    "dowhy.gcm.StructuralCausalModel": dowhy_gcm,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_graph(form):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dowhy's and pydot's own
        graph = read_graph(FORMS[form]())
    assert set(graph.edges()) == EDGES
    assert columns_of_graph(graph, "y", NAMES) == PARENTS
    assert columns_of_graph(graph, "y", NAMES, "markov_blanket") == BLANKET
    assert unobserved_nodes(graph) == set()


@pytest.mark.slow
def test_text_needs_no_dowhy():
    import subprocess

    code = (
        "import sys\nfrom wsl.causal._causal_graph import read_graph\n"
        "read_graph('digraph {a -> y}')\nassert 'dowhy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "graph",
    [
        'digraph {U [observed="no"]; U -> y; U -> a; a -> y}',
        'graph [directed 1 node [id 0 label "U" observed "no"] node [id 1 label "a"] '
        'node [id 2 label "y"] edge [source 0 target 2] edge [source 1 target 2]]',
    ],
)
def test_a_cause_without_data_is_left_out_if_it_is_marked(graph):
    graph = read_graph(graph)
    assert unobserved_nodes(graph) == {"U"}
    assert columns_of_graph(graph, "y", ["a"]) == (0,)


def test_columns_beside_the_graph_are_not_kept():
    graph = read_graph("digraph {a -> y}")
    assert columns_of_graph(graph, "y", ["z", "a", "q"]) == (1,)


@pytest.mark.parametrize(
    ("graph", "error", "named"),
    [
        ("graph.dot", ValueError, r"`graph` must be text in DOT.*not a file name; got 'graph.dot'"),
        ("digraph {a -> y}.txt", ValueError, "not a file name"),
        ("", ValueError, "got ''"),
        ("digraph {a -> ", ValueError, "must be text in DOT"),
        ("digraph {a -> }", ValueError, r"must be valid DOT.*line:1, col:12"),
        ('graph [directed 1 node [id 1 label "a"] edge [source 1 target 7]]', ValueError,
         "must be valid GML.*edge #0 has undefined target 7"),
        ("graph {a -- y}", ValueError, "edges without direction"),
        ('graph [node [id 1 label "a"]]', ValueError, "edges without direction"),
        (nx.Graph([("a", "y")]), ValueError, "edges without direction"),
        ("digraph {a -> b; b -> y; y -> a}", ValueError, "the cycle .*a -> b -> y"),
        (ADJACENCY[NODES[::-1]], ValueError, "must have the same unique names"),
        (ADJACENCY.replace(1.0, np.nan), ValueError, "must contain finite numbers"),
        (3, TypeError, "must be a directed networkx graph.*got a int"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_graph_is_named(graph, error, named, capsys):
    with pytest.raises(error, match=named):
        read_graph(graph)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["graph.txt", "graph.dot", "graph.gml", "digraph {x} .txt"])
def test_text_that_names_a_file_is_not_opened(tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("digraph {a -> y}")
    monkeypatch.chdir(tmp_path)
    opened = []
    sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
    with pytest.raises(ValueError, match="not a file name"):
        read_graph(name)
    assert not [path for path in opened if str(path).endswith(name)]


FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "c"])
WRONG = {
    "no graph": ({"outcome": "y"}, "`graph` must be given.*got None"),
    "no outcome": ({"graph": "digraph {a -> y}"}, r"one of .*\['a', 'y'\]; got None"),
    "unknown outcome": ({"graph": "digraph {a -> y}", "outcome": "z"}, "outcome.*; got 'z'"),
    "outcome in X": ({"graph": "digraph {a -> b}", "outcome": "b"}, "not be a column of X.*'b'"),
    "unknown cause": (
        {"graph": "digraph {q -> y}", "outcome": "y"},
        r"got \['q'\] beside the columns \['a', 'b', 'c'\]",
    ),
    "stray blank": ({"graph": 'digraph {"a " -> y}', "outcome": "y"}, r"got \['a '\]"),
    "no cause": ({"graph": "digraph {y -> a}", "outcome": "y"}, "observed parent.*'y' has none"),
    "wrong choice": (
        {"graph": "digraph {a -> y}", "outcome": "y", "keep": "predictor"},
        "`keep` must be 'auto' or one of.*got 'predictor'",
    ),
    "cycle": ({"graph": "digraph {a -> y; y -> a}", "outcome": "y"}, "must be acyclic"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_what_is_wrong(case):
    parameters, named = WRONG[case]
    with pytest.raises(ValueError, match=named):
        CausalFeatureSelector("graph", **parameters).fit(FRAME)
    with pytest.raises(ValueError, match=named):
        CausalMitigatedRegressor(
            causal_features=CausalFeatureSelector("graph", **parameters), epochs=1
        ).fit(FRAME, FRAME["a"])


def test_columns_without_names_are_called_as_scikit_learn_calls_them():
    settings = {"graph": "digraph {x2 -> y; y -> x0}", "outcome": "y"}
    selector = CausalFeatureSelector("graph", **settings).fit(FRAME.to_numpy())
    assert selector.get_feature_names_out().tolist() == ["x2"]
    numbered = FRAME.set_axis([0, 1, 2], axis=1)
    assert CausalFeatureSelector("graph", **settings).fit(numbered).get_support().tolist() == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(("keep", "columns"), [("parents", [1]), ("markov_blanket", [0, 1])])
def test_a_learner_by_a_graph_is_a_learner_by_columns(keep, columns):
    graph = "digraph {b -> y; y -> a}"
    y = FRAME["b"] + FRAME["a"]
    settings = {"hidden_layer_sizes": (3,), "epochs": 3, "random_state": 0}
    selector = CausalFeatureSelector("graph", graph=graph, outcome="y", keep=keep)
    by_graph = CausalMitigatedRegressor(causal_features=selector, **settings).fit(FRAME, y)
    by_columns = CausalMitigatedRegressor(causal_features=columns, **settings).fit(FRAME, y)
    assert by_graph.features_.tolist() == columns
    np.testing.assert_array_equal(by_graph.weights_, by_columns.weights_)
    learner = CausalMitigatedRegressor(causal_features=selector, **settings)
    zoo = learner.fit_zoo((FRAME, y.to_numpy()), 1)
    np.testing.assert_array_equal(zoo.weights[0], by_graph.weights_)


THREE = FRAME.set_axis(["a", "b", "c"], axis=1)
WRITTEN = {
    "byte-order mark": "\ufeffdigraph {a -> y; y -> b}",
    "leading comments": "// causes\n/* and\n more */ # too\ndigraph {a -> y; y -> b}",
    "ports": "digraph {a:e -> y:w; y -> b}",
    "negative numeral": 'digraph {a -> y; "x -1 z" [observed=no]; -1 [observed=no]; y -> b}',
    "group": "digraph {a -> y; y -> {b c}}",
    "escaped quotes": 'digraph {"a" -> y; "say \\"hi\\"" [observed="no"]; y -> b}',
    "dagitty": "dag { a -> y y -> b }",
    "dagitty with attributes": (
        'dag {\nbb="0,0,1,1"\nU [latent]\na [pos="0,0"]\nU -> y <- a\ny -> b\n}'
    ),
    "edges": [("a", "y"), ("y", "b")],
    "successors": {"a": ["y"], "y": ["b"]},
    "pydot": pydot.graph_from_dot_data('digraph {"a" -> y; y -> b}')[0],
    "nullable table": pd.DataFrame(
        [[0, 1, 0], [0, 0, 1], [0, 0, 0]], list("ayb"), list("ayb"), dtype="Int64"
    ),
    "array, the outcome last": np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]),
    "array of one column": np.array([[0, 1], [0, 0]]),
    "positions of columns": nx.DiGraph([(0, "y"), ("y", 1)]),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_every_way_to_write_a_graph_selects_the_same_column(form):
    selector = CausalFeatureSelector("graph", graph=WRITTEN[form], outcome="y").fit(THREE)
    assert selector.get_support().tolist() == [True, False, False]


def test_int_nodes_and_an_int_outcome_are_positions():
    graph = nx.DiGraph([(0, 3), (3, 1), (2, 1)])
    selector = CausalFeatureSelector("graph", graph=graph, outcome=3).fit(THREE.to_numpy())
    assert selector.get_support().tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ("dag {a <-> y}", "must be directed; got the edge a <-> y"),
        ("dag {a -> }} y}", "must be valid dagitty"),
        ("digraph {a -> y} digraph {b -> y}", "must be a single DOT graph; got 2"),
        ("digraph {" + "a -> y;" * 10_000 + "}", "at most 32768 characters; got 70010"),
        ("graph " * 5_000, "must be text in DOT"),
        ("graph [" * 4_000 + "]", "must be valid GML"),
        (np.ones((2, 3)), r"must be a square array; got shape \(2, 3\)"),
        (np.array([["a", "b"], ["c", "d"]]), "must contain numbers"),
        ([("a", "y", "b", "c")], "must be a list of pairs"),
        (nx.DiGraph([(0, "y"), ("a", "y")]), "got 'a' by name and by position"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_other_graphs_are_refused_in_words(graph, message):
    with pytest.raises(InvalidInputError, match=message):
        CausalFeatureSelector("graph", graph=graph, outcome="y").fit(THREE)
