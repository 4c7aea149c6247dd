"""Selecting columns as given, by a causal graph, or by invariance."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd

from .._caller_warnings import warn_caller
from .._sklearn_compat import Interval, StrOptions
from .._workers import run_jobs
from ..exceptions import CausalFeaturesWarning, CausalGraphWarning, InvalidInputError
from ._causal_graph import column_names, columns_of_graph, name_nodes, read_graph
from ._independence_tests import as_variable, find_violations
from ._invariant_prediction import InvariantSearch, find_invariant
from ._training_sets import PreparedDatasets, resolve_columns

KEEP_OPTIONS = {"graph": ("parents", "markov_blanket"), "invariant": ("predictor", "parents")}
MAX_LISTED = 5  # violations in a warning


@dataclass(frozen=True, eq=False)
class ColumnRule:
    """How columns are selected: the parameters of ``CausalFeatureSelector`` and their checks."""

    method: str | Sequence[Any] | None
    graph: Any = None
    outcome: str | int | None = None
    keep: str = "auto"
    check_graph: bool = False
    invariance_test: str = "linear"
    significance_level: float = 0.05

    CONSTRAINTS: ClassVar[dict] = {
        "graph": "no_validation",
        "outcome": [str, Integral, None],
        "keep": [StrOptions({"auto", "parents", "markov_blanket", "predictor"})],
        "check_graph": ["boolean"],
        "invariance_test": [StrOptions({"linear", "additive", "kernel"})],
        "significance_level": [Interval(Real, 0, 1, closed="neither")],
    }

    @property
    def depends_on_data(self) -> bool:
        """Whether the columns depend on the training set."""
        return isinstance(self.method, str) and self.method == "invariant"

    @property
    def resolved_keep(self) -> str:
        """The value of ``keep``, with "auto" resolved."""
        options = KEEP_OPTIONS[str(self.method)]
        if self.keep not in ("auto", *options):
            raise InvalidInputError(
                f"`keep` must be 'auto' or one of {options} for method {self.method!r}; got "
                f"{self.keep!r}."
            )
        return options[0] if self.keep == "auto" else self.keep

    def resolve(self, n_features: int, names: Any) -> tuple[int, ...]:
        """Return the indices of the columns, for a rule that does not depend on the data."""
        if not (isinstance(self.method, str) and self.method == "graph"):
            return resolve_columns(self.method, n_features, names)
        columns = column_names(names, n_features)
        graph = self._read_graph(columns)
        return columns_of_graph(graph, self.outcome, columns, self.resolved_keep)

    def search(self, X: np.ndarray, y: np.ndarray, environments: Any) -> InvariantSearch:
        """Search invariant columns, see ``find_invariant``."""
        return find_invariant(
            X,
            y,
            environments,
            keep=self.resolved_keep,
            test=self.invariance_test,
            significance_level=self.significance_level,
        )

    def test_graph(self, X: np.ndarray, y: np.ndarray, names: Any) -> pd.DataFrame:
        """Test the independences of the graph on data, and warn of those that are violated."""
        columns = column_names(names, X.shape[1])
        graph = self._read_graph(columns)
        data = pd.DataFrame(X, columns=columns).astype(float)
        data = data[[name for name in data if name in graph]]
        data[self.outcome] = as_variable(y)
        tests = find_violations(graph, data, self.significance_level)
        violated = tests[tests["violated"]]
        if len(violated):
            listed = "; ".join(_in_words(test) for test in violated.head(MAX_LISTED).itertuples())
            more = f"; and {len(violated) - MAX_LISTED} more" if len(violated) > MAX_LISTED else ""
            warn_caller(
                f"the data contradict {len(violated)} of {len(tests)} independences of `graph` at "
                f"significance_level={self.significance_level}: {listed}{more}",
                CausalGraphWarning,
            )
        return tests

    def _read_graph(self, columns: list[str]) -> Any:
        if self.graph is None:
            raise InvalidInputError("`graph` must be given for method 'graph'; got None.")
        return name_nodes(read_graph(self.graph, self.outcome), self.outcome, columns)


def _in_words(test: Any) -> str:
    condition = f" given {', '.join(map(str, test.given))}" if test.given else ""
    return f"{test.node} and {test.independent_of}{condition} (p={test.adjusted_p_value:.2g})"


def warn_of_search(searches: Sequence[InvariantSearch]) -> None:
    """Warn if every set of columns was rejected for a training set, or no column is selected."""
    rejected = sum(not search.any_accepted for search in searches)
    empty = sum(not search.columns for search in searches)
    where = "" if len(searches) == 1 else f" in {{}} of {len(searches)} training sets"
    if rejected:
        warn_caller(
            f"every set of columns predicts y differently in some environment{where}: environments "
            "may act on y itself, or `invariance_test` may not suit it".format(rejected),
            CausalFeaturesWarning,
        )
    elif empty:
        warn_caller(
            f"no column is selected{where}: y may have the same distribution in every environment, "
            "and then no column is certain to be a cause".format(empty),
            CausalFeaturesWarning,
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
    """Return training sets with the columns of a rule, or the invariant columns of each set."""
    if not rule.depends_on_data:
        columns = rule.resolve(n_features, names)
        return PreparedDatasets(datasets, n_features, columns, classes, class_weight)
    columns = tuple(range(n_features))
    all_columns = PreparedDatasets(datasets, n_features, columns, classes, class_weight)
    n_sets = 1 if isinstance(datasets, tuple) else n_models
    jobs = (joblib.delayed(_search_one)(rule, all_columns, model) for model in range(n_sets))
    searches = list(run_jobs(jobs, n_jobs))
    warn_of_search(searches)
    used = [search.columns for search in searches]
    return PreparedDatasets(datasets, n_features, columns, classes, class_weight, used)


def _search_one(rule: ColumnRule, datasets: PreparedDatasets, model: int) -> InvariantSearch:
    return rule.search(*datasets(model)[:3])
