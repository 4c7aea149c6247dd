"""dowhy's kernel test of conditional independence, and tests of a causal graph with it."""

import random
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._sklearn_compat import arrays_inside

if TYPE_CHECKING:
    import networkx as nx

MAX_ROWS = 400  # in tests of a graph, as their time grows with the cube
_GLOBAL_GENERATORS = threading.RLock()


@contextmanager
def seeded_global_generators() -> Iterator[None]:
    """Set numpy's and Python's global generators to a fixed state, and restore them afterwards.

    dowhy draws from them, seeds them, and takes no other generator. Threads share them, so that
    one thread is in the block at a time.
    """
    with _GLOBAL_GENERATORS:
        numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
        try:
            np.random.set_state(np.random.RandomState(0).get_state())  # noqa: NPY002
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def draw_rows(n_rows: int, max_rows: int) -> np.ndarray:
    """Draw at most ``max_rows`` rows without replacement, always the same ones."""
    if n_rows <= max_rows:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(0).choice(n_rows, max_rows, replace=False))


def kernel_p_value(first: Any, second: Any, given: Any = None) -> float:
    """Return the p-value of ``first`` being independent of ``second``, given other columns.

    Categories are strings. It draws from numpy's global generator.
    """
    from dowhy.gcm.independence_test import kernel_based

    with arrays_inside():
        return float(kernel_based(first, second, given, use_bootstrap=False, bootstrap_n_jobs=1))


def as_variable(values: np.ndarray) -> np.ndarray:
    """Return floats as float64 and other types as strings, dowhy's form of categories."""
    return values.astype(float) if values.dtype.kind == "f" else values.astype(str).astype(object)


def find_violations(
    graph: "nx.DiGraph", data: pd.DataFrame, significance_level: float = 0.05
) -> pd.DataFrame:
    """Test each node's independence of its non-descendants given its parents.

    Parameters
    ----------
    graph : networkx.DiGraph
        Causal graph.
    data : DataFrame
        One column per node, of which at most 400 rows are used. Nodes without a column count as
        unobserved, and independences that involve them are not tested.
    significance_level : float, default=0.05
        Probability that a correct graph shows any violation, by Holm's correction over all tests.

    Returns
    -------
    DataFrame
        ``node``, ``independent_of``, ``given`` (tuple), ``p_value``, ``adjusted_p_value``,
        ``violated``, sorted by p-value.
    """
    from dowhy.gcm.falsify import FalsifyConst, validate_lmc

    data = data.iloc[draw_rows(len(data), MAX_ROWS)]
    with seeded_global_generators(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tests of nodes without data
        results = validate_lmc(
            graph, data, independence_test=kernel_p_value,
            conditional_independence_test=kernel_p_value, n_jobs=1,
        )[FalsifyConst.P_VALUES]  # fmt: skip
    tests: dict[Any, tuple] = {}
    for (node, other), (p_value, _) in results.items():
        given = tuple(sorted(graph.predecessors(node), key=str))
        tests.setdefault((frozenset((node, other)), given), (node, other, given, p_value))
    columns = ["node", "independent_of", "given", "p_value"]
    table = pd.DataFrame(list(tests.values()), columns=columns)
    table = table.sort_values("p_value", ignore_index=True)
    steps = table["p_value"] * np.arange(len(table), 0, -1)
    table["adjusted_p_value"] = steps.cummax().clip(upper=1)
    table["violated"] = table["adjusted_p_value"] <= significance_level
    return table
