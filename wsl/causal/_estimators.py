"""``CausalMitigatedClassifier`` and ``CausalMitigatedRegressor``, invariant learners.

Training is ``train_zoo``, for one model as for a thousand; penalties live in ``_penalties``.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn_compat import Interval, StrOptions, fit_context
from .._validation import check_environments
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ..zoo import ModelZoo, train_zoo
from ._choice import ColumnRule, prepare_sets
from ._features import check_sets
from ._penalties import PENALTIES


class _BaseCausalMitigated(BaseEstimator):
    """Parameters, training and outputs that both estimators share."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions({"relu", "tanh", "sigmoid", "identity", "gelu", "silu"})],
        "penalty": [StrOptions(set(PENALTIES)), None],
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "causal_features": ["array-like", StrOptions({"graph", "invariant"}), None],
        **ColumnRule.CONSTRAINTS,
        "optimizer": [StrOptions({"adam", "adamw", "sgd"})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "device": [str, torch.device],
        "random_state": ["random_state", np.random.Generator],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        *,
        activation="relu",
        penalty="irm",
        penalty_weight=1.0,
        causal_features=None,
        graph=None,
        outcome=None,
        keep="auto",
        check_graph=False,
        invariance_test="linear",
        alpha=0.05,
        optimizer="adam",
        epochs=100,
        batch_size=256,
        learning_rate=1e-2,
        weight_decay=1e-4,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.penalty = penalty
        self.penalty_weight = penalty_weight
        self.causal_features = causal_features
        self.graph = graph
        self.outcome = outcome
        self.keep = keep
        self.check_graph = check_graph
        self.invariance_test = invariance_test
        self.alpha = alpha
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit_zoo(self, datasets, n_models: int, *, n_jobs: int | None = None) -> ModelZoo:
        """Train many models of this learner together, each on a training set of its own.

        Parameters
        ----------
        datasets : tuple, sequence of tuples, or callable
            ``(X, y)`` or ``(X, y, environments)``, as :func:`wsl.train_zoo` takes them. The first
            set tells the number of columns and the classes.
        n_models : int
        n_jobs : int, optional
            Workers over which joblib spreads the models.

        Returns
        -------
        ModelZoo
            Its architecture takes all columns of X, whichever of them the learner uses. Nothing of
            the estimator itself is fitted.

        Notes
        -----
        Invariant columns are searched in each training set by itself; a model's weights of the
        others are 0. A graph is not checked against the data here.
        """
        self._validate_params()
        check_sets(datasets, n_models)
        first = datasets(0) if callable(datasets) else datasets
        first = first if isinstance(first, tuple) else first[0]
        X, y = np.asarray(first[0]), np.asarray(first[1])
        if X.ndim != 2:
            raise InvalidInputError(
                f"X of datasets has shape {X.shape}; wanted (n_samples, n_features)"
            )
        names = getattr(first[0], "columns", None)
        prepared = prepare_sets(
            self._rule(), datasets, n_models, X.shape[1], names, self._find_classes(y), n_jobs
        )
        shared = prepared.prepare(datasets) if isinstance(datasets, tuple) else prepared
        zoo = self._train(shared, n_models, X.shape[1], prepared.columns, prepared.classes, n_jobs)
        return prepared.drop_unused(zoo)

    def _train(
        self,
        datasets: Any,
        n_models: int,
        n_features: int,
        columns: tuple[int, ...],
        classes: np.ndarray | None,
        n_jobs: int | None = None,
    ) -> ModelZoo:
        n_outputs = 1 if classes is None or len(classes) == 2 else len(classes)
        losses = {None: "mse", 2: "binary"}
        hidden = tuple(self.hidden_layer_sizes)
        if not all(isinstance(width, Integral) and int(width) > 0 for width in hidden):
            raise InvalidInputError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r}; wanted whole numbers above 0"
            )
        zoo = train_zoo(
            Architecture.mlp(len(columns), hidden, n_outputs, self.activation),
            datasets,
            n_models=n_models,
            loss=losses.get(None if classes is None else len(classes), "cross_entropy"),
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            optimizer=self.optimizer,
            penalty=None if self.penalty is None else PENALTIES[self.penalty],
            penalty_weight=self.penalty_weight,
            device=self.device,
            n_jobs=n_jobs,
            random_state=self.random_state,
            progress=bool(self.verbose),
        )
        if columns == tuple(range(n_features)):
            return zoo
        selecting = Architecture.mlp(
            n_features, hidden, n_outputs, self.activation, features=columns
        )
        return ModelZoo(zoo.weights, selecting, zoo.metadata)

    def _fit(self, X: np.ndarray, y: np.ndarray, environments: Any) -> None:
        if environments is not None:
            environments = check_environments(environments, len(X))
        names = getattr(self, "feature_names_in_", None)
        rule, classes, dataset = self._rule(), self._find_classes(y), (X, y, environments)
        prepared = prepare_sets(rule, dataset, 1, X.shape[1], names, classes)
        self.features_ = np.array(prepared.used[0], dtype=int)
        if self.check_graph:
            self.graph_tests_ = rule.test_graph(X, y if classes is None else y.astype(str), names)
        zoo = prepared.drop_unused(
            self._train(prepared.prepare(dataset), 1, X.shape[1], prepared.columns, classes)
        )
        self.architecture_ = zoo.architecture
        self.weights_ = zoo.weights[0]
        self.loss_ = float(zoo.metadata["train_loss"].iloc[0])

    def _rule(self) -> ColumnRule:
        return ColumnRule(
            self.causal_features, self.graph, self.outcome, self.keep, self.check_graph,
            self.invariance_test, self.alpha,
        )  # fmt: skip

    def _outputs(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32)
        return self.architecture_.forward(self.weights_[None], X)[0]

    def _find_classes(self, y: np.ndarray) -> np.ndarray | None:
        return None


class CausalMitigatedClassifier(ClassifierMixin, _BaseCausalMitigated):
    """A classifier that relies on what predicts alike in every training environment.

    What predicts differently from one environment to the next tells which of them a model has
    seen. A learner that is kept from using it gives away less of its training distribution.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(32,)
        Widths of the hidden layers of the multi-layer perceptron that is trained.
    activation : {"relu", "tanh", "sigmoid", "gelu", "silu", "identity"}, default="relu"
    penalty : {"irm"} or None, default="irm"
        "irm" is IRMv1. None is empirical risk minimisation (ERM), the learner to compare with.
    penalty_weight : float, default=1.0
        How much the penalty counts beside the loss.
    causal_features : sequence of str or int, "graph", "invariant" or None, default=None
        The columns that the learner may use: by name or index; those that ``graph`` names; those
        given which y does not depend on the environment; None is all columns.
    graph, outcome, keep, check_graph, invariance_test, alpha
        How "graph" and "invariant" choose; see :class:`CausalFeatureSelector`.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
    epochs : int, default=100
    batch_size : int or None, default=256
        None takes all samples at once.
    learning_rate : float, default=1e-2
    weight_decay : float, default=1e-4
    device : str or torch.device, default="auto"
    random_state : int, RandomState, Generator or None, default=None
    verbose : int, default=0
        Above 0, a progress bar.

    Attributes
    ----------
    classes_ : ndarray ``(n_classes,)``
    architecture_ : Architecture
    weights_ : ndarray ``(n_weights,)`` float32
        The trained model, as a row for a zoo.
    features_ : ndarray of int
        Columns in use. With none, the model answers a constant.
    graph_tests_ : DataFrame
        With ``check_graph``, the tests of the graph.
    loss_ : float
        Mean training loss in the last epoch.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If ``environments`` has another length than X, y holds one class, ``causal_features``
        holds an unknown column, or ``graph`` does not name causes among the columns.

    Warns
    -----
    CausalGraphWarning
        If the data contradict the graph.
    CausalFeaturesWarning
        If the search for invariant columns rejects every set, or leaves none.

    Notes
    -----
    With a penalty, the loss is averaged in each environment and then over environments, and
    ``penalty_weight`` times the penalty is added to it. Without ``environments`` all samples are
    of one. Columns are not scaled: put a ``StandardScaler`` in front.

    References
    ----------
    V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
    Inference Risks: Identifying and Mitigating Sources of Leakage", SaTML 2023.

    M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk Minimization", 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from wsl import CausalMitigatedClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> environments = X[:, 0] > 14  # small and large tumours
    >>> learner = make_pipeline(StandardScaler(), CausalMitigatedClassifier(random_state=0))
    >>> learner = learner.fit(X, y, causalmitigatedclassifier__environments=environments)
    >>> learner.score(X, y) > 0.95
    True
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, environments=None):
        """Train on X ``(n_samples, n_features)``, labels y and the environment of each sample."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_ = self._find_classes(y)
        self._fit(X, y, environments)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Return probabilities ``(n_samples, n_classes)`` float32, columns as in ``classes_``."""
        logits = self._outputs(X)
        if logits.shape[1] > 1:
            return softmax(logits, axis=1)
        return np.hstack([expit(-logits), expit(logits)])

    def predict(self, X) -> np.ndarray:
        """Return the likeliest class of each sample, ``(n_samples,)``."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _find_classes(self, y: np.ndarray) -> np.ndarray:
        classes = np.unique(y)
        if len(classes) < 2:
            raise InvalidInputError(
                f"y holds one class, {classes[0]!r}; wanted at least two classes"
            )
        return classes


class CausalMitigatedRegressor(RegressorMixin, _BaseCausalMitigated):
    """A regressor that relies on what predicts alike in every training environment.

    Errors, notes and references are those of :class:`CausalMitigatedClassifier`; the loss is the
    squared error.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(32,)
        Widths of the hidden layers of the multi-layer perceptron that is trained.
    activation : {"relu", "tanh", "sigmoid", "gelu", "silu", "identity"}, default="relu"
    penalty : {"irm"} or None, default="irm"
        "irm" is IRMv1. None is empirical risk minimisation (ERM), the learner to compare with.
    penalty_weight : float, default=1.0
        How much the penalty counts beside the loss.
    causal_features : sequence of str or int, "graph", "invariant" or None, default=None
        The columns that the learner may use: by name or index; those that ``graph`` names; those
        given which y does not depend on the environment; None is all columns.
    graph, outcome, keep, check_graph, invariance_test, alpha
        How "graph" and "invariant" choose; see :class:`CausalFeatureSelector`.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
    epochs : int, default=100
    batch_size : int or None, default=256
        None takes all samples at once.
    learning_rate : float, default=1e-2
    weight_decay : float, default=1e-4
    device : str or torch.device, default="auto"
    random_state : int, RandomState, Generator or None, default=None
    verbose : int, default=0
        Above 0, a progress bar.

    Attributes
    ----------
    architecture_ : Architecture
    weights_ : ndarray ``(n_weights,)`` float32
        The trained model, as a row for a zoo.
    features_ : ndarray of int
        Columns in use. With none, the model answers a constant.
    graph_tests_ : DataFrame
        With ``check_graph``, the tests of the graph.
    loss_ : float
        Mean training loss in the last epoch.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Examples
    --------
    >>> from wsl import CausalMitigatedRegressor, EnvironmentMembershipFamily
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> X, y, environments = family.sample(1, 2000, random_state=0)
    >>> learner = CausalMitigatedRegressor((2,), causal_features=[0], penalty=None, random_state=0)
    >>> learner.fit(X, y, environments=environments).predict(X).shape
    (2000,)
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, environments=None):
        """Train on X ``(n_samples, n_features)``, numbers y and the environment of each sample."""
        X, y = validate_data(self, X, y, dtype=np.float32, y_numeric=True)
        self._fit(X, y, environments)
        return self

    def predict(self, X) -> np.ndarray:
        """Return the predicted number of each sample, ``(n_samples,)`` float32."""
        return self._outputs(X)[:, 0]
