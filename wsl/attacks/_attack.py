"""The attack estimators: from models to a property of their training data."""

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._batches import map_rows
from .._sklearn_compat import arrays_inside, fit_context
from ._base import BaseAttack, meta_estimator_has
from .meta_networks._base import encode_classes


class DistributionInferenceAttack(ClassifierMixin, BaseAttack):
    r"""Infer from trained models a property of the distribution of their training data.

    The adversary trains shadow models on data with and without the property, learns to distinguish
    them, and applies the learned classifier to a target model.

    Parameters
    ----------
    strategy : str, default="auto"
        How models are turned into features; see Notes for all strategies. ``"auto"`` selects
        ``"autoencoder"`` if ``autoencoder`` is given, ``"deepsets"`` with an architecture and no
        queries, and ``"queries"`` otherwise.
    architecture : Architecture, default=None
        The network that a row of weights belongs to. If None, rows are used as they are: for a
        black-box strategy, as recorded responses of models of any kind, all outputs of a query
        next to each other.
    queries : array-like of shape (n_queries, n_inputs), default=None
        Inputs on which black-box strategies run the models. Required by them if an architecture is
        given.
    query_labels : array-like of shape (n_queries,) or (n_queries, n_outputs), default=None
        The true targets of the queries. Required by ``"loss"`` and ``"threshold"``. For
        classifiers they are class indices, or the names of all classes in the order of the
        outputs. Models with a single logit have two classes; other targets of a single output are
        continuous.
    query_properties : array-like of shape (n_queries,), default=None
        The property of the distribution that each query was drawn from, with values as in ``y``.
        Required by ``"loss"`` and ``"threshold"``.
    query_output : {"logits", "proba", "label"}, default="logits"
        What the adversary observes of a response: raw outputs (for a regression model, its
        predictions), probabilities, or the predicted label only. Without an architecture, what X
        contains. A single logit or probability is that of class 1. Several outputs count as logits
        of classes, of which only differences matter, unless ``query_labels`` are continuous.
    n_selected_queries : int, default=None
        If given, keep only this many queries: those that best separate the models passed to
        ``fit``, see :func:`select_queries`. Available for ``"queries"`` and ``"kl"``.
    autoencoder : transformer, default=None
        A :class:`wsl.WeightSpaceAutoencoder` or other transformer for ``"autoencoder"``. A fitted
        one, for example on unlabelled models, is used as it is, also in clones of the attack; an
        unfitted one is cloned and fitted to the models passed to ``fit``. If None, a small
        autoencoder is trained for one epoch.
    meta_estimator : classifier, default=None
        Classifier that learns the property from the features of ``"sorted"``, ``"statistics"``,
        ``"autoencoder"``, ``"queries"`` or ``"threshold"``. If None, a decision tree with one leaf
        per class for ``"threshold"`` and RBF kernel ridge for the others, see Notes.
    device : str or torch.device, default="auto"
        Device on which networks are trained; ``"auto"`` is cuda, then mps, then cpu.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the strategy. A given ``meta_estimator`` or ``autoencoder`` keeps its own seed.
    verbose : int, default=0
        If above 0, networks print one line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The values of the property.
    strategy_ : str
        The strategy that was used.
    estimator_ : estimator
        The fitted estimator, from rows to the property.
    selected_queries_ : ndarray of int of shape (n_selected_queries,) or None
        Indices of the selected queries, or None if all queries are used.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        If the strategy is unknown, lacks a parameter that it requires, or is given a
        ``meta_estimator`` or ``n_selected_queries`` that it cannot use; if queries, labels,
        properties and architecture do not fit together; or if y holds a single class.

    See Also
    --------
    DistributionInferenceRegressor : The same for continuous properties.
    DeepSetsClassifier : The network behind the strategy ``"deepsets"``.
    ProbeClassifier : The network behind the strategy ``"probes"``.
    wsl.audit : Train shadow and target models and report how well attacks do.

    Notes
    -----
    White-box strategies, which read weights:

    - ``"deepsets"``: a network on the weights as sets of units [1]_;
    - ``"probes"``: the responses to learned inputs; needs the fewest shadow models;
    - ``"sorted"``: weights with hidden units in canonical order [1]_;
    - ``"statistics"``: mean, variance and quantiles of each layer [2]_;
    - ``"autoencoder"``: the embedding of an autoencoder.

    Black-box strategies, which observe responses to queries:

    - ``"queries"``: the responses themselves [3]_;
    - ``"loss"``: the class b on whose samples :math:`S_b`, the queries of that property, the model
      has the least loss, :math:`\hat b = \arg\min_b L(M, S_b)` with L the mean loss: the loss test
      of [4]_. Shadow models are only used for ``predict_proba``;
    - ``"threshold"``: thresholds on :math:`L(M, S_b)`, chosen on the shadow models [4]_;
    - ``"kl"``: with shadow models :math:`M_a^i` and :math:`M_b^j` of two classes, each pair (i, j)
      votes for the shadow model from which the Kullback-Leibler divergence of the model's
      predictions, averaged over queries, is smaller [5]_. The class with most votes wins, after
      adding an offset per class that is fitted to the votes on each shadow model.

    L is the cross-entropy for logits and probabilities, the error rate for
    ``query_output="label"`` (the published form) and the squared error for continuous targets.

    The default meta-estimator is ridge regression on the features of a wide RBF kernel; width and
    penalty minimise the leave-one-out error, which has a closed form. Its probabilities and those
    of ``"kl"`` are calibrated as in Platt scaling on left-out shadow models; those of
    ``"deepsets"`` and ``"probes"`` by temperature scaling on a held-out quarter of the models. For
    ``"loss"``, ``predict`` is the published test and may differ from ``predict_proba``. A given
    ``meta_estimator`` keeps its own probabilities; scikit-learn's ``CalibratedClassifierCV``
    calibrates them.

    With an architecture, X may be a float32 memory map larger than memory: it is read in batches.

    References
    ----------
    .. [1] K. Ganju, Q. Wang, W. Yang, C. Gunter and N. Borisov, "Property Inference Attacks on
       Fully Connected Neural Networks using Permutation Invariant Representations", CCS 2018.
    .. [2] T. Unterthiner, D. Keysers, S. Gelly, O. Bousquet and I. Tolstikhin, "Predicting Neural
       Network Accuracy from Weights", 2020.
    .. [3] V. Hartmann, L. Meynent, M. Peyrard, D. Dimitriadis, S. Tople and R. West, "Distribution
       Inference Risks: Identifying and Mitigating Sources of Leakage", SaTML 2023.
    .. [4] A. Suri and D. Evans, "Formalizing and Estimating Distribution Inference Risks", PETS
       2022.
    .. [5] A. Suri, Y. Lu, Y. Chen and D. Evans, "Dissecting Distribution Inference", SaTML 2023.

    Examples
    --------
    Linear models of ``y = a x`` with a = 1 or a = 1.5, observed through two queries:

    >>> import numpy as np
    >>> from torch import nn
    >>> from wsl import Architecture, DistributionInferenceAttack
    >>> rng = np.random.default_rng(0)
    >>> is_steep = np.repeat([False, True], 50)
    >>> rows = np.c_[np.where(is_steep, 1.5, 1.0), np.zeros(100)] + 0.1 * rng.normal(size=(100, 2))
    >>> attack = DistributionInferenceAttack(
    ...     architecture=Architecture(nn.Linear(1, 1)), queries=[[-2.0], [2.0]], random_state=0
    ... )
    >>> attack.fit(rows, is_steep).strategy_
    'queries'
    >>> attack.predict([[1.6, 0.0], [1.1, 0.0]])
    array([ True, False])

    A reliability diagram on models that the attack has not seen:

    >>> from sklearn.calibration import CalibrationDisplay
    >>> attack = attack.fit(rows[::2], is_steep[::2])
    >>> display = CalibrationDisplay.from_estimator(attack, rows[1::2], is_steep[1::2], n_bins=5)
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Learn the property from shadow models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per shadow model, or of responses without an architecture.
        y : array-like of shape (n_models,)
            The property of each model's training distribution.

        Returns
        -------
        DistributionInferenceAttack
            The fitted attack.

        Raises
        ------
        InvalidInputError
            If parameters, X and y do not fit together.
        """
        X, y = self._check_rows(X, y)
        self.classes_, _ = encode_classes(y)
        self._fit_strategy(X, y, len(self.classes_))
        return self

    @available_if(meta_estimator_has("predict_proba"))
    def predict_proba(self, X):
        """Predict the probability of each value of the property.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row per model, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_models, n_classes)
            Probabilities, columns in the order of ``classes_``.
        """
        check_is_fitted(self, "estimator_")
        with arrays_inside():
            return map_rows(self.estimator_.predict_proba, self._check_rows(X, reset=False))


class DistributionInferenceRegressor(RegressorMixin, BaseAttack):
    """Infer from trained models a continuous property of their training distribution.

    The counterpart of :class:`DistributionInferenceAttack` for one or several continuous targets,
    for example the fraction of a group among the training rows.

    Parameters
    ----------
    strategy : str, default="auto"
        As in :class:`DistributionInferenceAttack`, except that ``"loss"`` predicts the value on
        whose samples the model's loss is least, ``"threshold"`` is a regression on the losses at
        up to 16 values, and ``"kl"`` the mean of the shadow models' values, weighted by nearness.
    architecture : Architecture, default=None
        The network that a row of weights belongs to. If None, rows are used as they are.
    queries : array-like of shape (n_queries, n_inputs), default=None
        Inputs on which black-box strategies run the models. Required by them if an architecture is
        given.
    query_labels : array-like of shape (n_queries,) or (n_queries, n_outputs), default=None
        The true targets of the queries. Required by ``"loss"`` and ``"threshold"``.
    query_properties : array-like of float of shape (n_queries,), default=None
        The property of the distribution that each query was drawn from. Required by ``"loss"`` and
        ``"threshold"``.
    query_output : {"logits", "proba", "label"}, default="logits"
        What the adversary observes of a response, as in :class:`DistributionInferenceAttack`.
    n_selected_queries : int, default=None
        If given, keep only the most informative queries. Available for ``"queries"`` and ``"kl"``.
    autoencoder : transformer, default=None
        Embedding for ``"autoencoder"``, as in :class:`DistributionInferenceAttack`.
    meta_estimator : regressor, default=None
        Regressor that learns the property from the features of ``"sorted"``, ``"statistics"``,
        ``"autoencoder"``, ``"queries"`` or ``"threshold"``. If None, RBF kernel ridge on
        standardised features, with width and penalty of least leave-one-out error.
    device : str or torch.device, default="auto"
        Device on which networks are trained; ``"auto"`` is cuda, then mps, then cpu.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the strategy. A given ``meta_estimator`` or ``autoencoder`` keeps its own seed.
    verbose : int, default=0
        If above 0, networks print one line per epoch.

    Attributes
    ----------
    strategy_ : str
        The strategy that was used.
    estimator_ : estimator
        The fitted estimator, from rows to the property.
    selected_queries_ : ndarray of int of shape (n_selected_queries,) or None
        Indices of the selected queries, or None if all queries are used.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, if X had any.

    Raises
    ------
    InvalidInputError
        As :class:`DistributionInferenceAttack` does.

    See Also
    --------
    DistributionInferenceAttack : The same for properties that are classes, with all strategies.
    wsl.audit : Train shadow and target models and report how well attacks do.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import DistributionInferenceRegressor
    >>> rng = np.random.default_rng(0)
    >>> fraction = rng.uniform(size=100)
    >>> responses = fraction[:, None] + 0.1 * rng.normal(size=(100, 20))
    >>> attack = DistributionInferenceRegressor(random_state=0).fit(responses, fraction)
    >>> attack.score(responses, fraction) > 0.95
    True
    """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Learn the property from shadow models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per shadow model, or of responses without an architecture.
        y : array-like of shape (n_models,) or (n_models, n_properties)
            The property of each model's training distribution.

        Returns
        -------
        DistributionInferenceRegressor
            The fitted attack.

        Raises
        ------
        InvalidInputError
            If parameters, X and y do not fit together.
        """
        X, y = self._check_rows(X, y, y_numeric=True, multi_output=True, ensure_min_samples=2)
        self._fit_strategy(X, y)
        self._min_target, self._max_target = y.min(axis=0), y.max(axis=0)
        return self

    def predict(self, X):
        """Predict the property of models, clipped to the range of the shadow models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row per model, as in ``fit``.

        Returns
        -------
        ndarray of shape (n_models,) or (n_models, n_properties)
            The predicted property of each model.
        """
        return np.clip(super().predict(X), self._min_target, self._max_target)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
