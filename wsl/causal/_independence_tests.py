"""dowhy's kernel test of conditional independence, and a causal graph tested with it.

dowhy is slow to import, so it is imported where it is called.
"""

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import networkx as nx

MAX_ROWS = 400  # of a graph's tests, .1 s each; the time grows with the cube


@contextmanager
def seeded_global_generators() -> Iterator[None]:
    """Give numpy's and Python's own generators one state inside the block, and their own after it.

    dowhy draws from them, and seeds them, and takes no other.
    """
    kept_numpy, kept_python = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        np.random.set_state(np.random.RandomState(0).get_state())  # noqa: NPY002
        yield
    finally:
        np.random.set_state(kept_numpy)  # noqa: NPY002
        random.setstate(kept_python)


def draw_rows(n_rows: int, max_rows: int) -> np.ndarray:
    """Draw ``max_rows`` rows without replacement, the same ones each time; all, if no more."""
    if n_rows <= max_rows:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(0).choice(n_rows, max_rows, replace=False))


def kernel_p_value(first: Any, second: Any, given: Any = None) -> float:
    """Return the p-value of ``first`` being independent of ``second`` given other columns.

    Categories are strings. Draws from numpy's global generator.
    """
    from dowhy.gcm.independence_test import kernel_based

    return float(kernel_based(first, second, given, use_bootstrap=False, bootstrap_n_jobs=1))


def as_variable(values: np.ndarray) -> np.ndarray:
    """Return numbers as float64, and anything else as strings, dowhy's form of categories."""
    return values.astype(float) if values.dtype.kind == "f" else values.astype(str).astype(object)


def find_violations(graph: "nx.DiGraph", data: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Test each node's independence of its non-descendants given its parents.

    Parameters
    ----------
    graph : networkx.DiGraph
    data : DataFrame
        A column for each node, of which 400 rows are taken at most. Nodes without one are taken
        for unobserved, and what would need them is not tested.
    alpha : float, default=0.05
        The chance that a right graph shows any violation: Holm's correction over all tests.

    Returns
    -------
    DataFrame
        ``node``, ``independent_of``, ``given`` (tuple), ``p_value``, ``adjusted_p_value``,
        ``violated``; the least p-value first.
    """
    from dowhy.gcm.falsify import FalsifyConst, validate_lmc

    data = data.iloc[draw_rows(len(data), MAX_ROWS)]
    with seeded_global_generators(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tests left out for want of a node's data
        found = validate_lmc(
            graph, data, independence_test=kernel_p_value,
            conditional_independence_test=kernel_p_value, n_jobs=1,
        )[FalsifyConst.P_VALUES]  # fmt: skip
    tests: dict[Any, tuple] = {}
    for (node, other), (p_value, _) in found.items():
        given = tuple(sorted(graph.predecessors(node)))
        tests.setdefault((frozenset((node, other)), given), (node, other, given, p_value))
    columns = ["node", "independent_of", "given", "p_value"]
    table = pd.DataFrame(list(tests.values()), columns=columns)
    table = table.sort_values("p_value", ignore_index=True)
    steps = table["p_value"] * np.arange(len(table), 0, -1)
    table["adjusted_p_value"] = steps.cummax().clip(upper=1)
    table["violated"] = table["adjusted_p_value"] <= alpha
    return table
