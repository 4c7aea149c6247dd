"""The rule by which columns are chosen: given, by a causal graph, or by invariance.

One rule serves the selector and the learners; how graphs are read and sets searched is beside it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd

from .._sklearn_compat import Interval, StrOptions
from ..exceptions import CausalFeaturesWarning, CausalGraphWarning, InvalidInputError
from ._causal_graph import column_names, columns_of_graph, read_graph
from ._independence_tests import as_variable, find_violations
from ._invariant_prediction import InvariantSearch, find_invariant
from ._training_sets import PreparedDatasets, resolve_columns

KEPT = {"graph": ("parents", "markov_blanket"), "invariant": ("predictor", "parents")}
SHOWN = 5  # violations that a warning names


@dataclass(frozen=True, eq=False)
class ColumnRule:
    """How columns are chosen; the parameters of ``CausalFeatureSelector``, and its checks."""

    method: str | Sequence[Any] | None
    graph: Any = None
    outcome: str | None = None
    keep: str = "auto"
    check_graph: bool = False
    invariance_test: str = "linear"
    alpha: float = 0.05

    CONSTRAINTS: ClassVar[dict] = {
        "graph": "no_validation",
        "outcome": [str, None],
        "keep": [StrOptions({"auto", "parents", "markov_blanket", "predictor"})],
        "check_graph": ["boolean"],
        "invariance_test": [StrOptions({"linear", "additive", "kernel"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
    }

    @property
    def depends_on_data(self) -> bool:
        """Whether another training set may lead to other columns."""
        return isinstance(self.method, str) and self.method == "invariant"

    @property
    def kept(self) -> str:
        """What is kept, "auto" resolved."""
        known = KEPT[str(self.method)]
        if self.keep not in ("auto", *known):
            raise InvalidInputError(
                f"keep={self.keep!r}; wanted 'auto' or one of {known} for {self.method!r}"
            )
        return known[0] if self.keep == "auto" else self.keep

    def resolve(self, n_features: int, names: Any) -> tuple[int, ...]:
        """Return the columns of a rule that does not depend on the data."""
        if not (isinstance(self.method, str) and self.method == "graph"):
            return resolve_columns(self.method, n_features, names)
        columns = column_names(names, n_features)
        return columns_of_graph(self._read_graph(), self.outcome, columns, self.kept)

    def search(self, X: np.ndarray, y: np.ndarray, environments: Any) -> InvariantSearch:
        """Search invariant columns; see :func:`find_invariant`, also for what y may be."""
        return find_invariant(
            X, y, environments, keep=self.kept, test=self.invariance_test, alpha=self.alpha
        )

    def test_graph(self, X: np.ndarray, y: np.ndarray, names: Any) -> pd.DataFrame:
        """Test the graph on data, and warn with what it rules out and the data show."""
        graph = self._read_graph()
        data = pd.DataFrame(X, columns=column_names(names, X.shape[1])).astype(float)
        data = data[[name for name in data if name in graph]].assign(
            **{str(self.outcome): as_variable(y)}
        )
        tests = find_violations(graph, data, self.alpha)
        violated = tests[tests["violated"]]
        if len(violated):
            listed = "; ".join(_in_words(test) for test in violated.head(SHOWN).itertuples())
            more = f"; and {len(violated) - SHOWN} more" if len(violated) > SHOWN else ""
            warnings.warn(
                f"the data contradict {len(violated)} of {len(tests)} independences of graph at "
                f"alpha={self.alpha}: {listed}{more}",
                CausalGraphWarning,
                stacklevel=4,
            )
        return tests

    def _read_graph(self) -> Any:
        if self.graph is None:
            raise InvalidInputError("graph=None; wanted the causal graph to take columns from")
        return read_graph(self.graph)


def _in_words(test: Any) -> str:
    given = f" given {', '.join(test.given)}" if test.given else ""
    return f"{test.node} and {test.independent_of}{given} (p={test.adjusted_p_value:.2g})"


def warn_of_search(searches: Sequence[InvariantSearch], stacklevel: int = 4) -> None:
    """Warn if in a training set no set of columns was accepted, or none is left."""
    rejected = sum(not search.any_accepted for search in searches)
    empty = sum(not search.columns for search in searches)
    of = "" if len(searches) == 1 else f" in {{}} of {len(searches)} training sets"
    if rejected:
        warnings.warn(
            f"every set of columns predicts y differently in some environment{of}: environments "
            "may act on y itself, or invariance_test may not suit it".format(rejected),
            CausalFeaturesWarning,
            stacklevel=stacklevel,
        )
    elif empty:
        warnings.warn(
            f"no column is kept{of}: y may be distributed alike in every environment, and then "
            "none is certain to be a cause".format(empty),
            CausalFeaturesWarning,
            stacklevel=stacklevel,
        )


def prepare_sets(
    rule: ColumnRule,
    datasets: Any,
    n_models: int,
    n_features: int,
    names: Any,
    classes: np.ndarray | None,
    class_weight: Any = None,
    n_jobs: int | None = None,
) -> PreparedDatasets:
    """Return training sets cut to the columns of a rule, or with each set's own invariant ones."""
    if not rule.depends_on_data:
        columns = rule.resolve(n_features, names)
        return PreparedDatasets(datasets, n_features, columns, classes, class_weight)
    columns = tuple(range(n_features))
    whole = PreparedDatasets(datasets, n_features, columns, classes, class_weight)
    n_sets = 1 if isinstance(datasets, tuple) else n_models
    searches = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_search_one)(rule, whole, model) for model in range(n_sets)
    )
    warn_of_search(searches)
    used = [search.columns for search in searches]
    return PreparedDatasets(datasets, n_features, columns, classes, class_weight, used)


def _search_one(rule: ColumnRule, datasets: PreparedDatasets, model: int) -> InvariantSearch:
    return rule.search(*datasets(model)[:3])
