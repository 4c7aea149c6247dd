"""Causal graphs written as text: DOT, dagitty and GML. Nothing is ever read from a file."""

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from ..exceptions import InvalidInputError

if TYPE_CHECKING:
    import networkx as nx

MAX_CHARACTERS = 2**15  # pydot takes some seconds for as many
_COMMENT = re.compile(r"\s*(//[^\n]*|#[^\n]*|/\*.*?\*/)", re.DOTALL)
_DOT = re.compile(r"(strict\s+)?(di)?graph\b[^{]*\{.*\}", re.DOTALL | re.IGNORECASE)
_DAGITTY = re.compile(r"dag\b[^{]*\{(.*)\}", re.DOTALL | re.IGNORECASE)
_GML = re.compile(r"\bgraph\s*\[", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_COMPASS = re.compile(r":(n|ne|e|se|s|sw|w|nw|c|_)$")
_NUMERAL = re.compile(r'"(?:[^"\\]|\\.)*"|(?<=[\s{;])-(?:\.\d+|\d+(?:\.\d*)?)(?=[\s;}\[:-])')
_TOKEN = re.compile(
    r'\s*(?P<attributes>\[[^\]]*\])|\s*(?P<setting>\w+\s*=\s*(?:"[^"]*"|[^\s;]+))'
    r'|\s*(?P<arrow><->|->|<-|--|@-@|@->)|\s*(?P<name>"(?:[^"\\]|\\.)*"|[^\s;\[\]{}<>"=@-]+)|\s*;'
)


def parse_graph_text(text: str) -> "nx.Graph":
    """Return the graph that a text in DOT, dagitty or GML describes."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidInputError(
            f"`graph` must be a text of at most {MAX_CHARACTERS} characters; got {len(text)}. Pass "
            "a larger graph as networkx.DiGraph."
        )
    body = text.lstrip("\ufeff")
    while comment := _COMMENT.match(body):
        body = body[comment.end() :]
    body = body.strip()
    if _DOT.fullmatch(body):
        return _parse_dot(body)
    if dag := _DAGITTY.fullmatch(body):
        return _parse_dagitty(dag[1])
    if _GML.search(body) and body.endswith("]"):
        return _parse_gml(body)
    raise InvalidInputError(
        "`graph` must be text in DOT ('digraph {a -> b}'), dagitty ('dag {a -> b}') or GML "
        f"('graph [directed 1 ...]'), not a file name; got {_shortened(text)!r}."
    )


def _parse_dot(text: str) -> "nx.Graph":
    import pydot

    # pydot does not know negative numerals, which are names in DOT
    text = _NUMERAL.sub(lambda found: f'"{found[0]}"' if found[0][0] == "-" else found[0], text)
    with redirect_stdout(StringIO()) as printed:  # pydot prints syntax errors
        parsed = pydot.graph_from_dot_data(text)
    if not parsed:
        position = " ".join(printed.getvalue().split()[-12:])
        raise InvalidInputError(f"`graph` must be valid DOT; got a syntax error: {position}")
    if len(parsed) > 1:
        raise InvalidInputError(f"`graph` must be a single DOT graph; got {len(parsed)}.")
    return pydot_graph(parsed[0])


def pydot_graph(graph: Any) -> "nx.Graph":
    """Return the nodes and edges of a pydot graph, those of its subgraphs included."""
    import networkx as nx

    whole = nx.DiGraph() if graph.get_type() == "digraph" else nx.Graph()
    for part in _with_subgraphs(graph):
        for node in part.get_node_list():
            if node.get_name() not in ("node", "edge", "graph"):  # defaults of attributes
                whole.add_node(_node_name(node.get_name()), **_marks(node.get_attributes()))
        for edge in part.get_edge_list():
            ends = [list(_end_nodes(edge.get_source())), list(_end_nodes(edge.get_destination()))]
            whole.add_edges_from((source, target) for source in ends[0] for target in ends[1])
    return whole


def _with_subgraphs(graph: Any) -> Iterator[Any]:
    yield graph
    for subgraph in graph.get_subgraph_list():
        yield from _with_subgraphs(subgraph)


def _end_nodes(end: Any) -> Iterator[str]:
    """Yield the nodes at one end of an edge, which may be a group such as ``{b c}``."""
    if isinstance(end, dict):
        for name in end.get("nodes", {}):
            yield _node_name(name)
    else:
        yield _node_name(str(end))


def _node_name(name: str) -> str:
    """Return the name of a node without quotes, escapes and compass port."""
    quoted = _QUOTED.match(name)
    return quoted[1].replace('\\"', '"') if quoted else _COMPASS.sub("", name)


def _marks(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if key == "observed"}


def _parse_dagitty(body: str) -> "nx.DiGraph":
    import networkx as nx

    graph, previous, arrow, position = nx.DiGraph(), None, None, 0
    while position < len(body.rstrip()):
        token = _TOKEN.match(body, position)
        if token is None:
            raise InvalidInputError(
                f"`graph` must be valid dagitty text; got {_shortened(body[position:].strip())!r}."
            )
        position = token.end()
        if token["arrow"]:
            arrow = token["arrow"]
        elif token["attributes"] and previous is not None:
            if re.search(r"\b(latent|unobserved|u)\b", token["attributes"]):
                graph.add_node(previous, observed="no")
        elif token["name"]:
            name = _node_name(token["name"])
            graph.add_node(name)
            if arrow is not None:
                graph.add_edge(*_directed(previous, arrow, name))
            previous, arrow = name, None
    return graph


def _directed(first: Any, arrow: str, second: Any) -> tuple[Any, Any]:
    if arrow not in ("->", "<-") or first is None:
        raise InvalidInputError(f"`graph` must be directed; got the edge {first} {arrow} {second}.")
    return (first, second) if arrow == "->" else (second, first)


def _parse_gml(text: str) -> "nx.Graph":
    import networkx as nx

    try:
        return nx.parse_gml(text.splitlines())
    except (nx.NetworkXError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInputError(f"`graph` must be valid GML; got an error: {error}") from error


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
