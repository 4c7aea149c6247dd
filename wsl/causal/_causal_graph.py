"""Causal graphs: what stands for one, and which columns it names as causes of the outcome.

Graphs are tested against data in ``_independence``; columns are searched without one in
``_invariant``.
"""

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..exceptions import InvalidInputError, UnsupportedModuleError

if TYPE_CHECKING:
    import networkx as nx

FORMS = (
    "a directed networkx graph, DOT or GML text, an adjacency DataFrame or a graph or model of "
    "dowhy"
)


def read_graph(graph: Any) -> "nx.DiGraph":
    """Return the acyclic graph that ``graph`` stands for, nodes by name.

    Parameters
    ----------
    graph : networkx.DiGraph, str, DataFrame, or a graph or model of dowhy
        Text is DOT or GML; it is never taken for the name of a file. In an adjacency DataFrame,
        a number other than 0 in row a and column b is an edge from a to b.

    Raises
    ------
    InvalidInputError
        If text or table cannot be read, edges have no direction, or there is a cycle.
    UnsupportedModuleError
        If ``graph`` is of no such kind.
    """
    import networkx as nx

    if isinstance(graph, str):
        found = _parse(graph)
    elif isinstance(graph, pd.DataFrame):
        found = _from_adjacency(graph)
    else:
        found = _from_object(graph)
    if not found.is_directed():
        raise InvalidInputError("graph has edges without direction; wanted a directed graph")
    plain = nx.DiGraph()
    plain.add_nodes_from(found.nodes(data=True))
    plain.add_edges_from(found.edges())
    if not nx.is_directed_acyclic_graph(plain):
        cycle = [edge[0] for edge in nx.find_cycle(plain)]
        circle = " -> ".join(map(str, [*cycle, cycle[0]]))
        raise InvalidInputError(f"graph has the cycle {circle}; wanted an acyclic graph")
    return plain


_DOT = re.compile(r"(strict\s+)?(di)?graph\b[^{]*\{.*\}", re.DOTALL | re.IGNORECASE)
_GML = re.compile(r".*\bgraph\s*\[.*\]", re.DOTALL | re.IGNORECASE)


def _parse(text: str) -> "nx.Graph":
    if _DOT.fullmatch(text.strip()):
        return _parse_dot(text.strip())
    if _GML.fullmatch(text.strip()):
        return _parse_gml(text)
    raise InvalidInputError(
        f"graph is the text {_shortened(text)!r}; wanted DOT, 'digraph {{a -> b}}', or GML, "
        "'graph [directed 1 ...]', and no name of a file"
    )


def _parse_dot(text: str) -> "nx.Graph":
    import networkx as nx
    import pydot

    with redirect_stdout(StringIO()) as said:  # pydot prints where the text is wrong
        parsed = pydot.graph_from_dot_data(text)
    if not parsed:
        where = " ".join(said.getvalue().split()[-12:])
        raise InvalidInputError(f"graph is no DOT: {where}")
    parts = [nx.nx_pydot.from_pydot(part) for part in _with_subgraphs(parsed[0])]
    whole = nx.DiGraph() if parts[0].is_directed() else nx.Graph()
    for part in parts:
        whole.add_nodes_from(part.nodes(data=True))
        whole.add_edges_from(part.edges())
    return whole


def _with_subgraphs(part: Any) -> Iterator[Any]:
    yield part
    for inner in part.get_subgraph_list():
        yield from _with_subgraphs(inner)


def _parse_gml(text: str) -> "nx.Graph":
    import networkx as nx

    try:
        return nx.parse_gml(text.splitlines())
    except (nx.NetworkXError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"graph is no GML: {error}") from error


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _from_adjacency(table: pd.DataFrame) -> "nx.DiGraph":
    import networkx as nx

    if table.index.tolist() != table.columns.tolist() or not table.index.is_unique:
        raise InvalidInputError(
            f"graph is a table with rows {table.index.tolist()} and columns "
            f"{table.columns.tolist()}; wanted the same names, each once, in the same order"
        )
    numbers = table.to_numpy()
    if numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).all():
        raise InvalidInputError("graph is a table with other than finite numbers; wanted 0 or 1")
    return nx.from_pandas_adjacency(table != 0, create_using=nx.DiGraph)


def _from_object(graph: Any) -> "nx.DiGraph":
    kind = type(graph)
    if kind.__module__.split(".")[0] == "dowhy":
        from dowhy.gcm import ProbabilisticCausalModel

        model = graph if hasattr(graph, "graph") else ProbabilisticCausalModel(graph)
        return model.graph
    if all(hasattr(graph, name) for name in ("nodes", "edges", "is_directed")):
        return graph
    raise UnsupportedModuleError(f"graph is a {kind.__name__}; wanted {FORMS}")


def unobserved_nodes(graph: "nx.DiGraph") -> set[Any]:
    """Return the nodes that dowhy's convention, ``observed="no"``, marks as without data."""
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
        As ``read_graph`` returns it.
    outcome : str
        The node that y holds.
    names : list of str
        Names of the columns.
    keep : {"parents", "markov_blanket"}, default="parents"
        The blanket holds the parents, the children, and the other parents of the children.

    Raises
    ------
    InvalidInputError
        If the outcome is no node or also a column, a node with data is no column, or nothing is
        left to keep.
    """
    if outcome is None or outcome not in graph:
        raise InvalidInputError(
            f"outcome={outcome!r}; wanted one of the graph's nodes {list(graph)}"
        )
    if outcome in names:
        raise InvalidInputError(f"outcome={outcome!r} is a column of X too; wanted it in y alone")
    hidden = unobserved_nodes(graph)
    unknown = [node for node in graph if node not in {*names, outcome, *hidden}]
    if unknown:
        raise InvalidInputError(
            f"graph has the nodes {unknown}, which are no columns of X: {names}. A node without "
            'data is marked observed="no"'
        )
    wanted = set(graph.predecessors(outcome))
    if keep == "markov_blanket":
        children = set(graph.successors(outcome))
        wanted |= children.union(*map(graph.predecessors, children)) - {outcome}
    columns = tuple(sorted(names.index(node) for node in wanted - hidden))
    if not columns:
        what = "parent" if keep == "parents" else "neighbour"
        raise InvalidInputError(
            f"outcome={outcome!r} has no observed {what} in graph; wanted at least one"
        )
    return columns


def column_names(names: Any, n_features: int) -> list[str]:
    """Return the names of the columns; ``x0``, ``x1``, ... as scikit-learn's where there are none.

    What other names a table has, numbers say, scikit-learn does not take for names either.
    """
    if names is None or not all(isinstance(name, str) for name in names):
        return [f"x{i}" for i in range(n_features)]
    return list(names)
