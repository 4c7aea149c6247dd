"""``DistributionInferenceAttack`` and its regressor twin: models in, properties of their data out.

What a strategy does lives in ``_strategies``.
"""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from .._batches import map_rows
from .._random import draw_seed, resolve_random_state
from .._sklearn_compat import HasMethods, Interval, StrOptions, fit_context
from .._validation import check_n_columns
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._deepsets import classes_of
from ._strategies import AttackSetting, build, is_fitted, resolve_strategy


def _meta_has(method: str):
    """Tell whether what predicts has a method; the defaults of all strategies have."""

    def has(attack: Any) -> bool:
        inner = getattr(attack, "estimator_", attack.meta_estimator)
        return inner is None or hasattr(inner, method)

    return has


class _BaseAttack(BaseEstimator):
    """Parameters, checks and the choice of strategy that both attacks share."""

    _parameter_constraints: ClassVar[dict] = {
        "strategy": [str],
        "architecture": [Architecture, None],
        "queries": ["array-like", None],
        "query_labels": ["array-like", None],
        "query_properties": ["array-like", None],
        "query_output": [StrOptions({"logits", "proba", "label"})],
        "n_selected_queries": [Interval(Integral, 1, None, closed="left"), None],
        "autoencoder": [HasMethods(["fit", "transform"]), None],
        "meta_estimator": [HasMethods(["fit", "predict"]), None],
        "device": [str, torch.device],
        "random_state": ["random_state", np.random.Generator],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        strategy="auto",
        *,
        architecture=None,
        queries=None,
        query_labels=None,
        query_properties=None,
        query_output="logits",
        n_selected_queries=None,
        autoencoder=None,
        meta_estimator=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.strategy = strategy
        self.architecture = architecture
        self.queries = queries
        self.query_labels = query_labels
        self.query_properties = query_properties
        self.query_output = query_output
        self.n_selected_queries = n_selected_queries
        self.autoencoder = autoencoder
        self.meta_estimator = meta_estimator
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def predict(self, X):
        """Return the property of each model of ``X (n_models, n_weights)``."""
        check_is_fitted(self)
        return map_rows(self.estimator_.predict, self._check_rows(X, reset=False))

    def _check_rows(self, X, *y, **options):
        """Validate X, and y if given; features that stand for themselves keep their precision."""
        dtype = np.float32 if self.architecture is not None else [np.float64, np.float32]
        checked = validate_data(self, X, *y, dtype=dtype, **options)
        if self.architecture is not None:
            rows = checked[0] if y else checked
            check_n_columns(rows, self.architecture.n_weights, "X")
        return checked

    def _fit_strategy(self, X: np.ndarray, y: np.ndarray, n_classes: int | None = None) -> None:
        """Build the estimator of the strategy and fit it; sets the learned attributes."""
        strategy = resolve_strategy(
            self.strategy, self.architecture, self.queries, self.autoencoder
        )
        if self.meta_estimator is not None and is_classifier(self.meta_estimator) != is_classifier(
            self
        ):
            wanted = "classifier" if is_classifier(self) else "regressor"
            raise InvalidInputError(f"meta_estimator={self.meta_estimator!r}; wanted a {wanted}")
        estimator = build(
            strategy,
            AttackSetting(
                n_classes=n_classes,
                architecture=self.architecture,
                queries=self.queries,
                query_labels=self.query_labels,
                query_properties=self.query_properties,
                query_output=self.query_output,
                n_selected_queries=self.n_selected_queries,
                autoencoder=self.autoencoder,
                meta_estimator=self.meta_estimator,
                device=self.device,
                seed=draw_seed(resolve_random_state(self.random_state)),
                verbose=int(self.verbose),
                n_models=X.shape[0],
                n_columns=X.shape[1],
            ),
        )
        self.strategy_ = strategy
        self.estimator_ = estimator.fit(X, y)
        self.selected_queries_ = None
        if self.n_selected_queries is not None:
            self.selected_queries_ = self.estimator_[0].selected_

    def __sklearn_clone__(self):
        """Return an unfitted copy that shares a fitted autoencoder: cloning would lose it."""
        twin = super().__sklearn_clone__()
        if self.autoencoder is not None and is_fitted(self.autoencoder):
            twin.autoencoder = self.autoencoder
        return twin


class DistributionInferenceAttack(ClassifierMixin, _BaseAttack):
    """Infer from trained models a property of the distribution of their training data.

    The adversary trains shadow models on data with the property and without it, learns to tell them
    apart, and applies what was learned to a target model.

    Parameters
    ----------
    strategy : {"auto", "deepsets", "queries"}, default="auto"
        ``"deepsets"`` (white box) reads the weights, see :class:`DeepSetsClassifier`.
        ``"queries"`` (black box) sees the outputs of the models on ``queries``. ``"auto"`` is
        deepsets with an architecture and no queries, and queries otherwise.
    architecture : Architecture, optional
        What a row of weights means. Without one, X is taken as features as they stand: recorded
        responses of any kind of model, say.
    queries : array-like ``(n_queries, n_inputs)``, optional
        The inputs of the black-box attack; needed for it where an architecture is given.
    meta_estimator : classifier, optional
        Learns the property from the features of the strategy. By default logistic regression on
        standardised features in a wide Gaussian kernel, near to linear. Not for deepsets, which
        is its own.
    device : str or torch.device, default="auto"
        Where networks are trained: cuda, then mps, then cpu.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the strategy; a ``meta_estimator`` keeps its own.
    verbose : int, default=0

    Attributes
    ----------
    classes_ : ndarray ``(n_classes,)``
    strategy_ : str
        The strategy that was used.
    estimator_ : estimator
        What it fitted, from rows to the property.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If the strategy is unknown; if queries are missing, given without use for them, or have
        another number of features than the architecture takes; if X has another number of columns
        than it has weights; if y holds one class.

    Notes
    -----
    With an architecture, X may be a float32 memory map larger than memory: it is read in batches,
    and the black box holds the answers to its queries alone. Without one, what ``fit`` holds is
    for ``meta_estimator`` to say.

    References
    ----------
    K. Ganju, Q. Wang, W. Yang, C. Gunter and N. Borisov, "Property Inference Attacks on Fully
    Connected Neural Networks using Permutation Invariant Representations", CCS 2018.

    V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
    Inference Risks: Identifying and Mitigating Sources of Leakage", SaTML 2023.

    Examples
    --------
    Linear models of ``y = a x`` where ``a`` is 1 or 1.5; the black box sees two of their answers.

    >>> import numpy as np
    >>> from torch import nn
    >>> from wsl import Architecture, DistributionInferenceAttack
    >>> rng = np.random.default_rng(0)
    >>> steep = np.repeat([False, True], 50)
    >>> rows = np.c_[np.where(steep, 1.5, 1.0), np.zeros(100)] + 0.1 * rng.normal(size=(100, 2))
    >>> attack = DistributionInferenceAttack(
    ...     architecture=Architecture(nn.Linear(1, 1)), queries=[[-2.0], [2.0]], random_state=0
    ... )
    >>> attack.fit(rows, steep).strategy_
    'queries'
    >>> attack.predict([[1.6, 0.0], [1.1, 0.0]])
    array([ True, False])
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Learn from models ``X (n_models, n_weights)`` with the property ``y (n_models,)``."""
        X, y = self._check_rows(X, y)
        self.classes_, _ = classes_of(y)
        self._fit_strategy(X, y, len(self.classes_))
        return self

    @available_if(_meta_has("predict_proba"))
    def predict_proba(self, X):
        """Return probabilities ``(n_models, n_classes)``, columns as in ``classes_``."""
        check_is_fitted(self)
        return map_rows(self.estimator_.predict_proba, self._check_rows(X, reset=False))


class DistributionInferenceRegressor(RegressorMixin, _BaseAttack):
    """Infer from trained models a number that describes the distribution of their training data.

    The twin of :class:`DistributionInferenceAttack` for a property that is a number, or several.

    Parameters
    ----------
    strategy : {"auto", "deepsets", "queries"}, default="auto"
        As in :class:`DistributionInferenceAttack`.
    architecture : Architecture, optional
        What a row of weights means. Without one, X is taken as features as they stand.
    queries : array-like ``(n_queries, n_inputs)``, optional
        The inputs of the black-box attack; needed for it where an architecture is given.
    meta_estimator : regressor, optional
        Learns the property from the features of the strategy. By default ridge regression on
        standardised features in a wide Gaussian kernel, near to linear.
    device : str or torch.device, default="auto"
        Where networks are trained: cuda, then mps, then cpu.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the strategy; a ``meta_estimator`` keeps its own.
    verbose : int, default=0

    Attributes
    ----------
    strategy_ : str
        The strategy that was used.
    estimator_ : estimator
        What it fitted, from rows to the property.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        As in :class:`DistributionInferenceAttack`.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import DistributionInferenceRegressor
    >>> rng = np.random.default_rng(0)
    >>> share = rng.uniform(size=100)
    >>> responses = share[:, None] + 0.1 * rng.normal(size=(100, 20))
    >>> attack = DistributionInferenceRegressor(random_state=0).fit(responses, share)
    >>> attack.score(responses, share) > 0.95
    True
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Learn from shadow models.

        Parameters
        ----------
        X : array-like ``(n_models, n_weights)``
        y : array-like ``(n_models,)`` or ``(n_models, n_targets)``
        """
        X, y = self._check_rows(X, y, y_numeric=True, multi_output=True, ensure_min_samples=2)
        self._fit_strategy(X, y)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
