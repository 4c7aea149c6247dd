"""The classifier among the causal learners."""

from typing import ClassVar

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from .._estimator_input import checked_data
from .._sklearn_compat import StrOptions, fit_context
from ..exceptions import InvalidInputError
from ._base import BaseCausalMitigated


class CausalMitigatedClassifier(ClassifierMixin, BaseCausalMitigated):
    """A classifier that relies on relations that hold in every training environment.

    Relations that differ between environments reveal which environments a model has seen. A
    learner that is penalized for using them leaks less about its training distribution.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(32,)
        Widths of the hidden layers of the multi-layer perceptron.
    activation : {"relu", "tanh", "sigmoid", "gelu", "silu", "identity"}, default="relu"
        Activation function of the hidden layers.
    penalty : {"auto", "irm", "irm_unbiased", "vrex", "group_dro", "causal_dantzig", "coral", \
            "fishr"}, callable or None, default="auto"
        Penalty on differences between environments, see Notes. "auto" is "irm" if environments are
        passed, otherwise None. None is empirical risk minimization (ERM), the baseline. A callable
        has the signature that :func:`wsl.train_zoo` takes.
    penalty_weight : float, default=1.0
        Weight of the penalty relative to the loss.
    penalty_warmup : int, default=0
        Epochs before the penalty is added. Large penalty weights draw an untrained model to
        constant outputs, which no penalty penalizes: use a warm-up with them.
    penalty_anneal : int, default=0
        Epochs, after the warm-up, over which the weight grows linearly to ``penalty_weight``.
    causal_features : array-like, "invariant", CausalFeatureSelector or None, default=None
        Columns that the learner uses: names, indices or a mask; "invariant" for the columns given
        which y does not depend on the environment, with the selector's default settings; a
        :class:`CausalFeatureSelector` for its settings or a causal graph; None for all columns.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
        Optimizer of the training.
    epochs : int, default=100
        Passes over the samples.
    batch_size : int or None, default=256
        Samples per step; None uses all samples in every step.
    learning_rate : float, default=1e-2
        Learning rate of the optimizer.
    weight_decay : float, default=1e-4
        L2 penalty on the weights; decoupled from the gradient for "adamw".
    early_stopping : bool, default=False
        Whether to hold out samples, keep the weights of the least objective on them, and stop
        after ``n_iter_no_change`` epochs without improvement. Epochs before the penalty has its
        full weight do not count.
    validation : {"split", "environment"}, default="split"
        What is held out with ``early_stopping``: samples of every environment, or whole
        environments, on which the objective is the loss without penalty.
    validation_fraction : float, default=0.1
        Fraction of samples or of environments that is held out with ``early_stopping``.
    n_iter_no_change : int, default=10
        Epochs without improvement after which ``early_stopping`` stops.
    device : str or torch.device, default="auto"
        Device of the training; "auto" is cuda, then mps, then cpu.
    random_state : int, RandomState, Generator or None, default=None
        Seed of initial weights, batches and held-out samples.
    verbose : int, default=0
        If above 0, show a progress bar.
    class_weight : {"balanced"}, dict or None, default=None
        Weights of the classes, by label; "balanced" gives all classes the same total weight.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    architecture_ : Architecture
        Architecture of the trained model.
    weights_ : ndarray of float32 of shape (n_weights,)
        Weights of the trained model, a row of a zoo.
    features_ : ndarray of int
        Indices of the columns in use. Without any, the model predicts a constant.
    graph_tests_ : DataFrame
        Tests of the causal graph, if the selector in ``causal_features`` has ``check_graph=True``.
    loss_ : float
        Mean training loss of the last epoch.
    n_iter_ : int
        Number of epochs.
    validation_loss_ : float or None
        Objective of the trained model on the held-out samples; None without ``early_stopping``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        If environments or weights do not fit X, ``causal_features`` names unknown columns, the
        causal graph does not name causes among the columns, y holds a
        single class, or nothing can be held out for
        ``early_stopping``.

    Warns
    -----
    EnvironmentsWarning
        If there is a penalty, or invariant columns are searched, without environments, with one,
        or with as many as samples.
    CausalGraphWarning
        If the data contradict the causal graph.
    CausalFeaturesWarning
        If the search for invariant columns rejects every set, or selects none.

    See Also
    --------
    CausalMitigatedRegressor : The same for continuous targets.
    CausalFeatureSelector : Selects causal columns in front of any learner.
    wsl.leakage_scorer : Scores utility and leakage of settings in a search.

    Notes
    -----
    With a penalty, the loss is averaged within each environment and then over environments, and
    ``penalty_weight`` times the penalty is added. Columns are not scaled: put a ``StandardScaler``
    in front.

    ================ =============================================================================
    penalty          what it penalizes
    ================ =============================================================================
    "irm"            the best scale of the outputs differs between environments: IRMv1 [2]_
    "irm_unbiased"   the same, estimated without bias from two halves of the samples
    "vrex"           the variance of the environments' risks
    "group_dro"      the worst risk; with ``penalty_weight=1`` the objective is that of group DRO
    "causal_dantzig" inner products of columns and errors differ between environments
    "coral"          means and covariances of the last hidden layer differ
    "fishr"          variances of the gradients of the last layer differ
    ================ =============================================================================

    See :func:`wsl.causal.irm_penalty` and so on for formulas and sources. The loss keeps its
    weight; the code of [2]_ divides loss and penalty by ``penalty_weight`` instead, which is
    equivalent for Adam up to ``weight_decay``.

    References
    ----------
    .. [1] V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
       Inference Risks: Identifying and Mitigating Sources of Leakage", SaTML 2023.
    .. [2] M. Arjovsky, L. Bottou, I. Gulrajani and D. Lopez-Paz, "Invariant Risk Minimization",
       2019.

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
        penalty="auto",
        penalty_weight=1.0,
        penalty_warmup=0,
        penalty_anneal=0,
        causal_features=None,
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
        """Train on samples of one or several environments.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Class labels.
        environments : array-like of shape (n_samples,), default=None
            Label of the environment of each sample, of any one type. If None, all samples belong
            to one environment. Requested by default in metadata routing.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the mean over its batch or environment. If a batch contains
            all samples, a weight has the same effect as repetition.

        Returns
        -------
        CausalMitigatedClassifier
            The fitted learner.

        Raises
        ------
        InvalidInputError
            If environments, weights or columns do not fit X.
        """
        X, y = checked_data(self, X, y)
        check_classification_targets(y)
        self.classes_ = self._find_classes(y)
        self._fit(X, y, environments, sample_weight)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of float32 of shape (n_samples, n_classes)
            Probabilities, columns in the order of ``classes_``.
        """
        logits = self._outputs(X)
        if logits.shape[1] > 1:
            return softmax(logits, axis=1)
        return np.hstack([expit(-logits), expit(logits)])

    def predict(self, X) -> np.ndarray:
        """Predict the most probable class of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            The predicted classes.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _find_classes(self, y: np.ndarray) -> np.ndarray:
        classes = np.unique(y)
        if len(classes) < 2:
            raise InvalidInputError(
                f"y must contain at least two classes; got one class, {classes[0]!r}."
            )
        return classes
