"""``CausalMitigatedClassifier`` and ``CausalMitigatedRegressor``, invariant learners.

How they train lives in ``_base``, what they are penalised for in ``_penalties``.
"""

from typing import ClassVar

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .._sklearn_compat import StrOptions, fit_context
from ..exceptions import InvalidInputError
from ._base import BaseCausalMitigated


class CausalMitigatedClassifier(ClassifierMixin, BaseCausalMitigated):
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
        **BaseCausalMitigated._parameter_constraints,
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


class CausalMitigatedRegressor(RegressorMixin, BaseCausalMitigated):
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
