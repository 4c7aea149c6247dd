"""``RebalancedClassifier`` and ``RebalancedRegressor``: any learner on balanced groups."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils import check_array, get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, has_fit_parameter

from .._random import draw_seeds, resolve_random_state
from .._sklearn_compat import DocumentedEstimator, HasMethods, StrOptions, safe_indexing
from .._validation import check_environments
from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._group_proportions import (
    check_proportions_given,
    resampled_rows,
    row_weights,
    strata_of,
    target_proportions,
)


def _learner_has(name: str) -> Any:
    def check(self: Any) -> bool:
        return hasattr(getattr(self, "estimator_", self.estimator), name)

    return check


class _Rebalanced(MetaEstimatorMixin, DocumentedEstimator):
    """Fits a learner to rows, or with weights, that give each group its proportion."""

    __metadata_request__fit: ClassVar[dict] = {"environments": True}

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "column": [str, int, None],
        "proportions": [StrOptions({"equal"}), Mapping],
        "method": [StrOptions({"resample", "weight"})],
        "random_state": ["random_state", np.random.Generator],
    }

    def _fit(self, X: Any, y: Any, environments: Any) -> Any:
        self._validate_params()
        if y is None:
            raise ValueError(
                f"requires y to be passed, but the target y is None: {type(self).__name__}."
            )
        if not hasattr(X, "columns"):
            X = check_array(X, accept_sparse="csr", dtype=None, ensure_all_finite=False)
        y = y if hasattr(y, "iloc") else np.asarray(y)
        strata, proportions = self._strata(X, y, environments)
        learner = clone(self.estimator)
        known = {}
        if environments is not None and has_fit_parameter(learner, "environments"):
            known["environments"] = environments
        if self.method == "weight":
            self._check_takes_weights(learner)
            learner.fit(X, y, sample_weight=row_weights(strata, proportions), **known)
        else:
            rows = resampled_rows(strata, proportions, resolve_random_state(self.random_state))
            known = {name: safe_indexing(labels, rows) for name, labels in known.items()}
            learner.fit(safe_indexing(X, rows), safe_indexing(y, rows), **known)
        self.estimator_ = learner
        return self

    def _strata(self, X: Any, y: Any, environments: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the stratum of each row and the proportion that each stratum is to have."""
        check_proportions_given(self.proportions)
        check_consistent_length(X, y)
        groups = self._groups(X, environments, len(y))
        classes = np.asarray(y) if getattr(self, "balance_classes", False) else None
        return strata_of(groups, target_proportions(groups, self.proportions), classes)

    def _groups(self, X: Any, environments: Any, n_samples: int) -> np.ndarray:
        if self.column is None:
            if environments is None:
                raise InvalidInputError(
                    "`environments` must be passed to fit, one label per row, unless `column` says "
                    "which column of X holds the groups; got None."
                )
            return check_environments(environments, n_samples)
        groups = self._column_values(X)
        if pd.isna(groups).any():
            raise InvalidInputError(
                f"`column` {self.column!r} must have no missing value; {pd.isna(groups).sum()} of "
                f"{len(groups)} rows have none. NaN cannot be a group."
            )
        try:
            return check_environments(groups, n_samples)
        except TypeError as error:
            raise UnsupportedModuleError(
                f"a group of `column` {self.column!r}: its argument must be a string or a number; "
                f"{error}."
            ) from error

    def _column_values(self, X: Any) -> np.ndarray:
        try:
            values = safe_indexing(X, self.column, axis=1)
        except (ValueError, IndexError, KeyError) as error:
            raise InvalidInputError(
                f"`column` must be a column of X; got {self.column!r}: {error}"
            ) from error
        return values.toarray().ravel() if hasattr(values, "toarray") else np.asarray(values)

    def _check_takes_weights(self, learner: Any) -> None:
        routed = get_routing_for_object(learner).consumes("fit", ["sample_weight"])
        if not routed and not has_fit_parameter(learner, "sample_weight"):
            raise InvalidInputError(
                f"`method='weight'` needs an `estimator` whose fit takes `sample_weight`; "
                f"{type(learner).__name__} does not: use method='resample'."
            )

    @available_if(_learner_has("fit_zoo"))
    def fit_zoo(self, datasets: Any, n_models: int, *, n_jobs: int | None = None) -> Any:
        """Train many models together, each on its own rebalanced training set.

        Parameters
        ----------
        datasets : callable
            Function from a model's index to its training set ``(X, y[, environments])``.
        n_models : int
            Number of models.
        n_jobs : int, default=None
            Number of joblib workers of the learner.

        Returns
        -------
        ModelZoo
            The trained models; this estimator stays unfitted.

        Raises
        ------
        InvalidInputError
            If ``method`` is not "resample".
        """
        if self.method != "resample":
            raise InvalidInputError(
                f"`method` must be 'resample' for many models at once; got {self.method!r}."
            )
        self._validate_params()
        seeds = draw_seeds(self.random_state, n_models)

        def rebalanced(model: int) -> tuple[Any, ...]:
            X, y, *environments = datasets(model)
            strata, proportions = self._strata(X, y, environments[0] if environments else None)
            rows = resampled_rows(strata, proportions, resolve_random_state(int(seeds[model])))
            return tuple(safe_indexing(part, rows) for part in (X, y, *environments))

        return clone(self.estimator).fit_zoo(rebalanced, n_models, n_jobs=n_jobs)

    @available_if(_learner_has("predict"))
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the fitted learner.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            What the learner predicts.
        """
        check_is_fitted(self)
        predicted: np.ndarray = self.estimator_.predict(X)
        return predicted

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in ``fit``."""
        return self._of_learner("n_features_in_")

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns seen in ``fit``, where they have names."""
        return self._of_learner("feature_names_in_")

    def _of_learner(self, name: str) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted.")
        return getattr(self.estimator_, name)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.target_tags.multi_output = inner.target_tags.multi_output
        return tags


class RebalancedClassifier(ClassifierMixin, _Rebalanced):
    """Fit any classifier to training rows in which groups have fixed proportions.

    What a model reveals about the fraction of a group in its training data, it has learned from
    that fraction. Here the learner always sees the same one, whatever the data have.

    Parameters
    ----------
    estimator : classifier
        The learner, a Pipeline included. It is cloned, and stays as it is.
    column : str or int, optional
        Column of X whose values are the groups, by name or position. By default, the groups are
        the ``environments`` passed to ``fit``.
    proportions : "equal" or dict from group to float, default="equal"
        Fraction of each group in what the learner sees; a dict is normalized to sum 1.
    balance_classes : bool, default=False
        Whether classes have equal parts in each group, too. This also hides how frequent a class
        is, and shifts predicted probabilities accordingly.
    method : {"resample", "weight"}, default="resample"
        "resample" repeats or leaves out rows, as many as there were; "weight" passes
        ``sample_weight``, for learners that take it.
    random_state : int, Generator, RandomState or None, default=None
        Seed of the rows that are repeated or left out.

    Attributes
    ----------
    estimator_ : classifier
        The fitted learner.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str of shape (n_features,)
        Names of the columns seen in ``fit``, where they have names.

    Raises
    ------
    InvalidInputError
        By ``fit``, if there are neither environments nor a column, if a group without
        proportion occurs or one with a proportion does not, or if the learner takes no weights.

    See Also
    --------
    RebalancedRegressor : The same for regressors.
    CausalMitigatedClassifier : Networks trained with penalties across environments.
    wsl.leakage_scorer : Leakage as a score, to search over learners.

    Notes
    -----
    The smallest group decides how far this goes: its rows are repeated, and a learner that
    memorizes rows may reveal how often each occurred. Resampling so that groups or classes are
    equally likely is compared as a baseline in [1]_. All rows of a group occur equally often, up
    to one. Classes of one group that do not occur get no part.

    References
    ----------
    .. [1] Idrissi et al., "Simple data balancing achieves competitive worst-group-accuracy",
       CLeaR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from wsl import RebalancedClassifier
    >>> X, y = np.zeros((10, 1)), np.array([1] * 8 + [0] * 2)
    >>> learner = RebalancedClassifier(DummyClassifier(strategy="prior"), random_state=0)
    >>> learner.fit(X, y, environments=y).predict_proba(X[:1])
    array([[0.5, 0.5]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": _Rebalanced._parameter_constraints["estimator"],
        "column": _Rebalanced._parameter_constraints["column"],
        "proportions": _Rebalanced._parameter_constraints["proportions"],
        "balance_classes": ["boolean"],
        "method": _Rebalanced._parameter_constraints["method"],
        "random_state": _Rebalanced._parameter_constraints["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        column=None,
        proportions="equal",
        balance_classes=False,
        method="resample",
        random_state=None,
    ):
        self.estimator = estimator
        self.column = column
        self.proportions = proportions
        self.balance_classes = balance_classes
        self.method = method
        self.random_state = random_state

    def fit(self, X: Any, y: Any, environments: Any = None) -> "RebalancedClassifier":
        """Fit the learner.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            Their classes.
        environments : array-like of shape (n_samples,), optional
            The group of each row, unless ``column`` says where it stands.

        Returns
        -------
        RebalancedClassifier
            This estimator.
        """
        if y is not None:
            check_classification_targets(y)
        return self._fit(X, y, environments)

    @property
    def classes_(self) -> np.ndarray:
        """The classes."""
        return self._of_learner("classes_")

    @available_if(_learner_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``.
        """
        check_is_fitted(self)
        predicted: np.ndarray = self.estimator_.predict_proba(X)
        return predicted

    @available_if(_learner_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the learner's decision values.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            The values.
        """
        check_is_fitted(self)
        values: np.ndarray = self.estimator_.decision_function(X)
        return values


class RebalancedRegressor(RegressorMixin, _Rebalanced):
    """Fit any regressor to training rows in which groups have fixed proportions.

    What a model reveals about the fraction of a group in its training data, it has learned from
    that fraction. Here the learner always sees the same one, whatever the data have.

    Parameters
    ----------
    estimator : regressor
        The learner, a Pipeline included. It is cloned, and stays as it is.
    column : str or int, optional
        Column of X whose values are the groups, by name or position. By default, the groups are
        the ``environments`` passed to ``fit``.
    proportions : "equal" or dict from group to float, default="equal"
        Fraction of each group in what the learner sees; a dict is normalized to sum 1.
    method : {"resample", "weight"}, default="resample"
        "resample" repeats or leaves out rows, as many as there were; "weight" passes
        ``sample_weight``, for learners that take it.
    random_state : int, Generator, RandomState or None, default=None
        Seed of the rows that are repeated or left out.

    Attributes
    ----------
    estimator_ : regressor
        The fitted learner.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of str of shape (n_features,)
        Names of the columns seen in ``fit``, where they have names.

    Raises
    ------
    InvalidInputError
        By ``fit``, if there are neither environments nor a column, if a group without
        proportion occurs or one with a proportion does not, or if the learner takes no weights.

    See Also
    --------
    RebalancedClassifier : The same for classifiers, with references.
    CausalMitigatedRegressor : Networks trained with penalties across environments.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> from wsl import RebalancedRegressor
    >>> X, y, region = np.zeros((10, 1)), np.arange(10.0), ["north"] * 8 + ["south"] * 2
    >>> learner = RebalancedRegressor(DummyRegressor(), method="weight")
    >>> learner.fit(X, y, environments=region).predict(X[:1])  # (3.5 + 8.5) / 2
    array([6.])
    """

    def __init__(
        self, estimator, *, column=None, proportions="equal", method="resample", random_state=None
    ):
        self.estimator = estimator
        self.column = column
        self.proportions = proportions
        self.method = method
        self.random_state = random_state

    def fit(self, X: Any, y: Any, environments: Any = None) -> "RebalancedRegressor":
        """Fit the learner.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their outcomes.
        environments : array-like of shape (n_samples,), optional
            The group of each row, unless ``column`` says where it stands.

        Returns
        -------
        RebalancedRegressor
            This estimator.
        """
        return self._fit(X, y, environments)
