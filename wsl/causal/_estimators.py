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
from .._validation import check_environments, check_sample_weight
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ..zoo import ModelZoo, train_zoo
from ..zoo._stopping import VALIDATION
from ._choice import ColumnRule, prepare_sets
from ._features import check_sets
from ._penalties import PENALTIES
from ._samples import join_equal

_OF_ALL_SAMPLES = tuple(set(PENALTIES) - {"irm_unbiased"})


class _BaseCausalMitigated(BaseEstimator):
    """Parameters, training and outputs that both estimators share."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions({"relu", "tanh", "sigmoid", "identity", "gelu", "silu"})],
        "penalty": [StrOptions(set(PENALTIES)), callable, None],
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "penalty_warmup": [Interval(Integral, 0, None, closed="left")],
        "penalty_anneal": [Interval(Integral, 0, None, closed="left")],
        "causal_features": ["array-like", StrOptions({"graph", "invariant"}), None],
        **ColumnRule.CONSTRAINTS,
        "optimizer": [StrOptions({"adam", "adamw", "sgd"})],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation": [StrOptions(set(VALIDATION))],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
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
        penalty_warmup=0,
        penalty_anneal=0,
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
        early_stopping=False,
        validation="split",
        validation_fraction=0.1,
        n_iter_no_change=10,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.penalty = penalty
        self.penalty_weight = penalty_weight
        self.penalty_warmup = penalty_warmup
        self.penalty_anneal = penalty_anneal
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
        self.early_stopping = early_stopping
        self.validation = validation
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit_zoo(self, datasets, n_models: int, *, n_jobs: int | None = None) -> ModelZoo:
        """Train many models of this learner together, each on a training set of its own.

        Parameters
        ----------
        datasets : tuple, sequence of tuples, or callable
            ``(X, y[, environments[, sample_weight]])``, as :func:`wsl.train_zoo` takes them. The
            first set tells the number of columns and the classes.
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
            self._rule(),
            datasets,
            n_models,
            X.shape[1],
            names,
            self._find_classes(y),
            self._class_weight(),
            n_jobs,
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
        named = self.penalty is None or isinstance(self.penalty, str)
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
            penalty=PENALTIES.get(self.penalty) if named else self.penalty,
            penalty_weight=self.penalty_weight,
            penalty_warmup=self.penalty_warmup,
            penalty_anneal=self.penalty_anneal,
            early_stopping=self.early_stopping,
            validation=self.validation,
            validation_fraction=self.validation_fraction,
            n_iter_no_change=self.n_iter_no_change,
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

    def _class_weight(self) -> Any:
        return getattr(self, "class_weight", None)

    def _fit(self, X: np.ndarray, y: np.ndarray, environments: Any, sample_weight: Any) -> None:
        if environments is not None:
            environments = check_environments(environments, len(X))
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(X))
        names = getattr(self, "feature_names_in_", None)
        rule, classes = self._rule(), self._find_classes(y)
        raw = (X, y, environments, sample_weight)
        prepared = prepare_sets(rule, raw, 1, X.shape[1], names, classes, self._class_weight())
        self.features_ = np.array(prepared.used[0], dtype=int)
        if self.check_graph:
            self.graph_tests_ = rule.test_graph(X, y if classes is None else y.astype(str), names)
        dataset = prepared.prepare(raw)
        if self._equal_samples_are_one(len(X)):
            dataset = join_equal(dataset)
        zoo = self._train(dataset, 1, X.shape[1], prepared.columns, classes)
        zoo = prepared.drop_unused(zoo)
        self.architecture_ = zoo.architecture
        self.weights_ = zoo.weights[0]
        record = zoo.metadata.iloc[0]
        self.loss_, self.n_iter_ = float(record["train_loss"]), int(record["epoch"])
        self.validation_loss_ = float(record["validation_loss"]) if self.early_stopping else None

    def _equal_samples_are_one(self, n_samples: int) -> bool:
        """Tell whether joining equal samples changes nothing but rounding.

        Batches, halves of environments and samples that are set aside are drawn among those given.
        """
        at_once = self.batch_size is None or n_samples <= self.batch_size
        return at_once and not self.early_stopping and self.penalty in (None, *_OF_ALL_SAMPLES)

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
    penalty : {"irm", "irm_unbiased", "vrex", "group_dro", "causal_dantzig", "coral", "fishr"}, \
            callable or None, default="irm"
        What makes it keep to what predicts alike, see Notes. None is empirical risk minimisation
        (ERM), the learner to compare with. A callable is one as :func:`wsl.train_zoo` takes it.
    penalty_weight : float, default=1.0
        How much the penalty counts beside the loss.
    penalty_warmup : int, default=0
        Epochs before the penalty counts.
    penalty_anneal : int, default=0
        Epochs after those over which its weight grows in equal steps to ``penalty_weight``.
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
    early_stopping : bool, default=False
        Whether to set samples aside, keep the weights with which the objective is least on them,
        and stop when ``n_iter_no_change`` epochs have brought nothing lower. Epochs until the
        penalty has its full weight do not count.
    validation : {"split", "environment"}, default="split"
        What is set aside: some samples of every environment, or whole environments, on which the
        loss alone is the objective.
    validation_fraction : float, default=0.1
        The share of samples or of environments that is set aside.
    n_iter_no_change : int, default=10
    device : str or torch.device, default="auto"
    random_state : int, RandomState, Generator or None, default=None
    verbose : int, default=0
        Above 0, a progress bar.
    class_weight : {"balanced"}, dict or None, default=None
        How much samples of each class count: by label, or each class as much as any other.

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
    n_iter_ : int
        Epochs trained.
    validation_loss_ : float or None
        With ``early_stopping``, the objective of the trained model on what was set aside.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If ``environments`` or ``sample_weight`` has another length than X, weights are below 0 or
        all 0, y holds one class, ``causal_features`` or ``class_weight`` names what is not there,
        ``graph`` does not name causes among the columns, or nothing can be set aside for
        ``early_stopping``.

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

    ================ =============================================================================
    penalty          is large where
    ================ =============================================================================
    "irm"            an environment's own best scale of the outputs is not that of others: IRMv1
    "irm_unbiased"   the same, in expectation: IRMv1 estimated without bias from two halves
    "vrex"           environments are not predicted equally well: the variance of their risks
    "group_dro"      one is predicted worse than others; with ``penalty_weight=1``, group DRO
    "causal_dantzig" errors go with columns in one environment and not, or less, in another
    "coral"          the last hidden layer's means and covariances differ
    "fishr"          variances of the last layer's gradients differ
    ================ =============================================================================

    Formulas and sources are those of ``wsl.causal.irm_penalty``, ``vrex_penalty`` and so on. Large
    weights draw a model that knows nothing yet to constant outputs, which no penalty minds: give
    it a warm-up. The loss keeps its weight throughout; the IRM paper's code divides both by
    ``penalty_weight`` instead, which is the same to Adam, but for ``weight_decay``.

    ``sample_weight`` counts as repetition if a batch holds all samples, and without early stopping
    and "irm_unbiased" to the last bit; in smaller batches, within each of them.

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

    _parameter_constraints: ClassVar[dict] = {
        **_BaseCausalMitigated._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        *,
        activation="relu",
        penalty="irm",
        penalty_weight=1.0,
        penalty_warmup=0,
        penalty_anneal=0,
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
        early_stopping=False,
        validation="split",
        validation_fraction=0.1,
        n_iter_no_change=10,
        device="auto",
        random_state=None,
        verbose=0,
        class_weight=None,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation=activation,
            penalty=penalty,
            penalty_weight=penalty_weight,
            penalty_warmup=penalty_warmup,
            penalty_anneal=penalty_anneal,
            causal_features=causal_features,
            graph=graph,
            outcome=outcome,
            keep=keep,
            check_graph=check_graph,
            invariance_test=invariance_test,
            alpha=alpha,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            early_stopping=early_stopping,
            validation=validation,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, environments=None, sample_weight=None):
        """Train on samples, their labels and the environment of each.

        Parameters
        ----------
        X : array ``(n_samples, n_features)``
        y : array ``(n_samples,)``
        environments : array ``(n_samples,)``, optional
            The environment of each sample, a label of any kind; by default all are of one.
        sample_weight : array ``(n_samples,)``, optional
            How much each sample counts, in the mean over its batch or its environment in it. If a
            batch holds all samples, a weight is as good as repetition.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_ = self._find_classes(y)
        self._fit(X, y, environments, sample_weight)
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
    penalty : {"irm", "irm_unbiased", "vrex", "group_dro", "causal_dantzig", "coral", "fishr"}, \
            callable or None, default="irm"
        What makes it keep to what predicts alike, see Notes. None is empirical risk minimisation
        (ERM), the learner to compare with. A callable is one as :func:`wsl.train_zoo` takes it.
    penalty_weight : float, default=1.0
        How much the penalty counts beside the loss.
    penalty_warmup : int, default=0
        Epochs before the penalty counts.
    penalty_anneal : int, default=0
        Epochs after those over which its weight grows in equal steps to ``penalty_weight``.
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
    early_stopping : bool, default=False
        Whether to set samples aside, keep the weights with which the objective is least on them,
        and stop when ``n_iter_no_change`` epochs have brought nothing lower. Epochs until the
        penalty has its full weight do not count.
    validation : {"split", "environment"}, default="split"
        What is set aside: some samples of every environment, or whole environments, on which the
        loss alone is the objective.
    validation_fraction : float, default=0.1
        The share of samples or of environments that is set aside.
    n_iter_no_change : int, default=10
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
    n_iter_ : int
        Epochs trained.
    validation_loss_ : float or None
        With ``early_stopping``, the objective of the trained model on what was set aside.
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
    def fit(self, X, y, environments=None, sample_weight=None):
        """Train on samples, their numbers and the environment of each.

        Parameters
        ----------
        X : array ``(n_samples, n_features)``
        y : array ``(n_samples,)``
        environments : array ``(n_samples,)``, optional
            The environment of each sample, a label of any kind; by default all are of one.
        sample_weight : array ``(n_samples,)``, optional
            How much each sample counts, in the mean over its batch or its environment in it. If a
            batch holds all samples, a weight is as good as repetition.

        Returns
        -------
        self
        """
        X, y = validate_data(self, X, y, dtype=np.float32, y_numeric=True)
        self._fit(X, y, environments, sample_weight)
        return self

    def predict(self, X) -> np.ndarray:
        """Return the predicted number of each sample, ``(n_samples,)`` float32."""
        return self._outputs(X)[:, 0]
