"""Causal graphs: reading them from what users have, and the columns that they name as causes."""

from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._graph_text import parse_graph_text, pydot_graph

if TYPE_CHECKING:
    import networkx as nx

FORMS = (
    "a directed networkx graph, text in DOT, dagitty or GML, an adjacency DataFrame or array, a "
    "list of edges, a dict of successors, or a graph or model of pydot or dowhy"
)


def read_graph(graph: Any, outcome: Any = None) -> "nx.DiGraph":
    """Return the acyclic graph that ``graph`` describes, with nodes by name.

    Parameters
    ----------
    graph : object
        One of ``FORMS``. Text is never taken for the name of a file. A nonzero entry in row a and
        column b of an adjacency table is an edge from a to b. The last row and column of an
        adjacency array belong to the outcome unless ``outcome`` is an int, the others to the first
        columns of X.
    outcome : str or int, default=None
        Name of the outcome.

    Raises
    ------
    InvalidInputError
        If text or table cannot be read, edges have no direction, or there is a cycle.
    UnsupportedModuleError
        If ``graph`` has another type.
    """
    import networkx as nx

    parsed = _reader(graph)(graph, outcome)
    if not parsed.is_directed():
        raise InvalidInputError("`graph` must be directed; got edges without direction.")
    plain = nx.DiGraph()
    plain.add_nodes_from(parsed.nodes(data=True))
    plain.add_edges_from(parsed.edges())
    if not nx.is_directed_acyclic_graph(plain):
        nodes = [edge[0] for edge in nx.find_cycle(plain)]
        cycle = " -> ".join(map(str, [*nodes, nodes[0]]))
        raise InvalidInputError(f"`graph` must be acyclic; got the cycle {cycle}.")
    return plain


def _reader(graph: Any) -> Callable[[Any, Any], "nx.Graph"]:
    if isinstance(graph, str):
        return lambda text, _: parse_graph_text(text)
    if isinstance(graph, pd.DataFrame):
        return lambda table, _: _from_adjacency(table)
    if isinstance(graph, np.ndarray):
        return _from_array
    if isinstance(graph, (dict, list, tuple, set)):
        return lambda edges, _: _from_edges(edges)
    return lambda other, _: _from_object(other)


def _from_adjacency(table: pd.DataFrame) -> "nx.DiGraph":
    import networkx as nx

    if table.index.tolist() != table.columns.tolist() or not table.index.is_unique:
        raise InvalidInputError(
            "`graph` must have the same unique names in rows and columns, in the same order; got "
            f"rows {table.index.tolist()} and columns {table.columns.tolist()}."
        )
    numeric = all(pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes)
    if not numeric or table.isna().any(axis=None):
        raise InvalidInputError("`graph` must contain finite numbers; got other entries.")
    return nx.from_pandas_adjacency(
        pd.DataFrame(_edges_of(table.to_numpy(dtype=float)), table.index, table.columns),
        create_using=nx.DiGraph,
    )


def _from_array(array: np.ndarray, outcome: Any) -> "nx.DiGraph":
    import networkx as nx

    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise InvalidInputError(f"`graph` must be a square array; got shape {array.shape}.")
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(f"`graph` must contain numbers; got dtype {array.dtype}.")
    graph = nx.from_numpy_array(_edges_of(array.astype(float)), create_using=nx.DiGraph)
    if isinstance(outcome, Integral) or outcome is None:
        return graph
    return nx.relabel_nodes(graph, {len(array) - 1: outcome})


def _edges_of(numbers: np.ndarray) -> np.ndarray:
    if not np.isfinite(numbers).all():
        raise InvalidInputError("`graph` must contain finite numbers; got NaN or infinity.")
    return (numbers != 0).astype(int)


def _from_edges(edges: Any) -> "nx.DiGraph":
    import networkx as nx

    try:
        return nx.DiGraph(edges)
    except (nx.NetworkXError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"`graph` must be a list of pairs (cause, effect) or a dict of successors; got {error}."
        ) from error


def _from_object(graph: Any) -> "nx.Graph":
    package = type(graph).__module__.split(".")[0]
    if package == "dowhy":
        from dowhy.gcm import ProbabilisticCausalModel

        model = graph if hasattr(graph, "graph") else ProbabilisticCausalModel(graph)
        return model.graph
    if package == "pydot":
        return pydot_graph(graph)
    if all(hasattr(graph, name) for name in ("nodes", "edges", "is_directed")):
        return graph
    raise UnsupportedModuleError(f"`graph` must be {FORMS}; got a {type(graph).__name__}.")


def unobserved_nodes(graph: "nx.DiGraph") -> set[Any]:
    """Return the nodes without data, marked by dowhy's convention ``observed="no"``."""
    return {
        node
        for node, marks in graph.nodes(data=True)
        if str(marks.get("observed", "yes")).strip('"').lower() == "no"
    }


def columns_of_graph(
    graph: "nx.DiGraph", outcome: Any, names: list[str], keep: str = "parents"
) -> tuple[int, ...]:
    """Return the indices of the columns that are causes of the outcome, or its Markov blanket.

    Parameters
    ----------
    graph : networkx.DiGraph
        A graph as ``read_graph`` returns it, nodes named by ``name_nodes``.
    outcome : str or int
        The node of y.
    names : list of str
        Names of the columns.
    keep : {"parents", "markov_blanket"}, default="parents"
        The Markov blanket consists of the parents, the children, and the children's other parents.

    Raises
    ------
    InvalidInputError
        If the outcome is no node or also a column, an observed node is no column, or no column is
        left.
    """
    if outcome is None or outcome not in graph:
        raise InvalidInputError(
            f"`outcome` must be one of the graph's nodes {list(graph)}; got {outcome!r}."
        )
    if outcome in names:
        raise InvalidInputError(
            f"`outcome` must not be a column of X, as y holds it; got the column {outcome!r}."
        )
    unobserved = unobserved_nodes(graph)
    unknown = [node for node in graph if node not in {*names, outcome, *unobserved}]
    if unknown:
        raise InvalidInputError(
            f"`graph` must have columns of X as nodes; got {unknown} beside the columns {names}. "
            'Mark a node without data as observed="no".'
        )
    selected = set(graph.predecessors(outcome))
    if keep == "markov_blanket":
        children = set(graph.successors(outcome))
        selected |= children.union(*map(graph.predecessors, children)) - {outcome}
    columns = tuple(sorted(names.index(node) for node in selected - unobserved))
    if not columns:
        relation = "parent" if keep == "parents" else "neighbor"
        raise InvalidInputError(
            f"`outcome` must have at least one observed {relation} in `graph`; {outcome!r} has "
            "none."
        )
    return columns


def name_nodes(graph: "nx.DiGraph", outcome: Any, names: list[str]) -> "nx.DiGraph":
    """Return the graph with int nodes, which are positions of columns, renamed to column names."""
    import networkx as nx

    positions = {
        node: names[int(node)]
        for node in graph
        if isinstance(node, Integral) and node != outcome and node in range(len(names))
    }
    taken = [name for name in positions.values() if name in graph]
    if taken:
        raise InvalidInputError(
            f"`graph` must name a column once; got {taken[0]!r} by name and by position."
        )
    return nx.relabel_nodes(graph, positions)


def column_names(names: Any, n_features: int) -> list[str]:
    """Return the names of the columns, or ``x0``, ``x1``, ... as in scikit-learn if there are none.

    Like scikit-learn, names other than str count as none.
    """
    if names is None or not all(isinstance(name, str) for name in names):
        return [f"x{i}" for i in range(n_features)]
    return list(names)
