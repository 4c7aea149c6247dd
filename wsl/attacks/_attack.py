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
from ._attack_context import AttackContext
from ._strategies import build, resolve_strategy
from ._white_box import is_fitted
from .meta_networks._deepsets import classes_of


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
            AttackContext(
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
    r"""Infer from trained models a property of the distribution of their training data.

    The adversary trains shadow models on data with the property and without it, learns to tell them
    apart, and applies what was learned to a target model.

    Parameters
    ----------
    strategy : str, default="auto"
        See below. ``"auto"`` is autoencoder where one is given, deepsets with an architecture and
        no queries, and queries otherwise.
    architecture : Architecture, optional
        What a row of weights means. Without one, X is taken as it stands: by a black box for
        answers recorded from models of any kind, a query's outputs together.
    queries : array-like ``(n_queries, n_inputs)``, optional
        The inputs of the black-box attacks; needed for them where an architecture is given.
    query_labels : array-like ``(n_queries,)`` or ``(n_queries, n_outputs)``, optional
        The true targets of the queries; needed for loss and threshold. For a classifier they are
        the numbers of its classes, or their names, all of them, in the order of its outputs. To
        classes of models with a single logit there are two; other targets of a single output are
        numbers that it predicts.
    query_properties : array-like ``(n_queries,)``, optional
        The property of the distribution that each query was drawn from, as in ``y``; needed for
        loss and threshold.
    query_output : {"logits", "proba", "label"}, default="logits"
        What the adversary sees of an answer: outputs as they are, which for a regression are its
        predictions; probabilities; or the decided class alone. Without an architecture, what X
        holds; a single logit or probability is that of class 1. Several outputs are taken for
        logits of classes, whose differences alone count, unless ``query_labels`` are numbers.
    n_selected_queries : int, optional
        Keep as many of the queries, those that separate the models of ``fit`` most, see
        :func:`wsl.attacks.select_queries`. For queries and kl.
    autoencoder : WeightSpaceAutoencoder or other transformer, optional
        For autoencoder: one that is fitted, as to models without a label, is used as it is, and
        stays so in copies of the attack; one that is not is copied and fitted to the models of
        ``fit``. By default the linear code that training would start from, trained for one epoch.
    meta_estimator : classifier, optional
        Learns the property from the features of the strategy, for sorted, statistics,
        autoencoder, queries and threshold. The default of threshold is a decision tree with one
        leaf for each class; that of the others is least squares on a wide Gaussian kernel, see
        Notes.
    device : str or torch.device, default="auto"
        Where networks are trained: cuda, then mps, then cpu.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the strategy; a ``meta_estimator`` or ``autoencoder`` keeps its own.
    verbose : int, default=0

    Attributes
    ----------
    classes_ : ndarray ``(n_classes,)``
    strategy_ : str
        The strategy that was used.
    estimator_ : estimator
        What it fitted, from rows to the property.
    selected_queries_ : ndarray of int ``(n_selected_queries,)``, or None
        Which queries are asked, where not all are.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X had column names.

    Raises
    ------
    InvalidInputError
        If the strategy is unknown, misses what it needs, or is given a ``meta_estimator`` or
        ``n_selected_queries`` without use for it; if queries have another number of features than
        the architecture takes, or labels and properties another number of entries; if X has
        another number of columns than the architecture has weights; if y holds one class.

    Notes
    -----
    The strategies. White box, reading weights:

    - deepsets: a network on the weights as sets of units, :class:`DeepSetsClassifier` [1]_;
    - probes: what the model answers to inputs that are learned, :class:`ProbeClassifier`, which
      needs the fewest shadow models;
    - sorted: weights with units in one order, :class:`SortedWeights` [1]_;
    - statistics: mean, variance and quantiles of each layer, :class:`WeightStatistics` [2]_;
    - autoencoder: the embedding of a :class:`WeightSpaceAutoencoder`.

    Black box, seeing answers to queries:

    - queries: the answers themselves, :class:`QueryResponses` [3]_;
    - loss: the class b on whose samples :math:`S_b`, the queries of that property, the model does
      best, :math:`\hat b = \arg\min_b L(M, S_b)`, L the mean loss. It is what Suri and Evans [4]_
      call the loss test; it uses no shadow models but for ``predict_proba``;
    - threshold: thresholds on :math:`L(M, S_b)`, and the b to look at, chosen on the shadow models
      [4]_;
    - kl: with shadow models :math:`M_a^i` and :math:`M_b^j` of two classes, each pair (i, j) votes
      for the one from which the Kullback-Leibler divergence of the model's predictions, averaged
      over queries, is less [5]_. Most votes win, but for an offset of each class that is fitted to
      the votes on each shadow model.

    L is the cross-entropy of logits and probabilities, the share of wrong labels under
    ``query_output="label"``, which is the published form, and the squared error of numbers.

    Probabilities come close to frequencies. Those of the default meta-estimator and of kl are
    fitted, after Platt, to scores of shadow models that were left out; those of deepsets and probes
    are tempered on a quarter held out, at three quarters of its time again. On four populations of
    models the expected calibration error, over strategies other than loss, had median .05, .04 and
    .03 with 64, 256 and 1024 shadow models, of which .02 to .03 is noise, and was at most .15, .13
    and .08. The last example draws the picture. Where ``predict`` of loss and ``predict_proba``
    differ, the first is the published test. A ``meta_estimator`` of your own has probabilities of
    its own; scikit-learn's CalibratedClassifierCV serves it.

    A fit to 1024 models with 200 weights takes one thread 0.1 to 0.3 s, deepsets and autoencoder
    some seconds. Least squares choose width and penalty by predictions for left-out models, which
    are had in closed form.

    With an architecture, X may be a float32 memory map larger than memory: it is read in batches,
    and held are the features of the strategy alone. Without one, what ``fit`` holds is for
    ``meta_estimator`` to say.

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

    How far probabilities are to be believed, on models that the attack has not seen:

    >>> from sklearn.calibration import CalibrationDisplay
    >>> attack = attack.fit(rows[::2], steep[::2])
    >>> display = CalibrationDisplay.from_estimator(attack, rows[1::2], steep[1::2], n_bins=5)
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
    strategy : str, default="auto"
        As in :class:`DistributionInferenceAttack`, with these differences: loss is the value on
        whose samples the model's loss is least; threshold a regression on the losses at up to 16
        values; kl the mean of the shadows' values, weighted by nearness.
    architecture : Architecture, optional
        What a row of weights means. Without one, X is taken as it stands.
    queries : array-like ``(n_queries, n_inputs)``, optional
        The inputs of the black-box attacks; needed for them where an architecture is given.
    query_labels : array-like ``(n_queries,)`` or ``(n_queries, n_outputs)``, optional
        The true targets of the queries; needed for loss and threshold.
    query_properties : array-like of float ``(n_queries,)``, optional
        The number that describes the distribution that each query was drawn from; needed for loss
        and threshold.
    query_output : {"logits", "proba", "label"}, default="logits"
        What the adversary sees of an answer.
    n_selected_queries : int, optional
        Keep as many of the queries, those that tell most. For queries and kl.
    autoencoder : WeightSpaceAutoencoder or other transformer, optional
        As in :class:`DistributionInferenceAttack`.
    meta_estimator : regressor, optional
        Learns the property from the features of the strategy, for sorted, statistics,
        autoencoder, queries and threshold. By default ridge regression on standardised features
        in a wide Gaussian kernel, nearly linear or bent, as predicts left-out models best.
    device : str or torch.device, default="auto"
        Where networks are trained: cuda, then mps, then cpu.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the strategy; a ``meta_estimator`` or ``autoencoder`` keeps its own.
    verbose : int, default=0

    Attributes
    ----------
    strategy_ : str
        The strategy that was used.
    estimator_ : estimator
        What it fitted, from rows to the property.
    selected_queries_ : ndarray of int ``(n_selected_queries,)``, or None
        Which queries are asked, where not all are.
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
        self._least, self._most = y.min(axis=0), y.max(axis=0)
        return self

    def predict(self, X):
        """Return the property of each model of ``X (n_models, n_weights)``.

        It lies within what the shadow models had: they cover what the adversary thinks possible.
        """
        return np.clip(super().predict(X), self._least, self._most)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
