"""The regressor among the causal learners."""

import numpy as np
from sklearn.base import RegressorMixin

from .._estimator_input import checked_data
from .._sklearn_compat import fit_context
from ._base import BaseCausalMitigated


class CausalMitigatedRegressor(RegressorMixin, BaseCausalMitigated):
    """A regressor that relies on relations that hold in every training environment.

    The counterpart of :class:`CausalMitigatedClassifier` with the squared error as loss; its notes
    on penalties and its references hold here too.

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

    Attributes
    ----------
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
        causal graph does not name causes among the columns, or nothing can be held out for
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
    CausalMitigatedClassifier : The same for classes, with notes on the penalties.
    CausalFeatureSelector : Selects causal columns in front of any learner.
    wsl.leakage_scorer : Scores utility and leakage of settings in a search.

    Examples
    --------
    >>> from wsl import CausalMitigatedRegressor, EnvironmentMembershipFamily
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> X, y, environments = family.sample(1, 2000, random_state=0)
    >>> learner = CausalMitigatedRegressor(2, causal_features=[0], penalty=None, random_state=0)
    >>> learner.fit(X, y, environments=environments).predict(X).shape
    (2000,)
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, environments=None, sample_weight=None):
        """Train on samples of one or several environments.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Continuous targets.
        environments : array-like of shape (n_samples,), default=None
            Label of the environment of each sample, of any one type. If None, all samples belong
            to one environment. Requested by default in metadata routing.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the mean over its batch or environment. If a batch contains
            all samples, a weight has the same effect as repetition.

        Returns
        -------
        CausalMitigatedRegressor
            The fitted learner.

        Raises
        ------
        InvalidInputError
            If environments, weights or columns do not fit X.
        """
        X, y = checked_data(self, X, y, y_numeric=True)
        self._fit(X, y, environments, sample_weight)
        return self

    def predict(self, X) -> np.ndarray:
        """Predict the target of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of float32 of shape (n_samples,)
            The predicted targets.
        """
        return self._outputs(X)[:, 0]
