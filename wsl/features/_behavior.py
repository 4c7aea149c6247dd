"""``BehaviorFeatures``: what models respond to queries, relative to the other models of a zoo."""

from numbers import Integral
from typing import ClassVar

import numpy as np
import torch
from sklearn.decomposition import PCA

from .._batches import map_rows
from .._diverged import fitted_models, refuse_overflow
from .._outputs import class_probabilities
from .._queries import N_COMPARED, check_query_sets, first_queries
from .._sklearn_compat import Interval, StrOptions, fit_context
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._base import RowFeatures

MAX_MODELS = 2048
MAX_VALUES = 2**25  # in the responses of all models that are drawn: 128 MiB
COPIES = 4  # of responses: outputs, probabilities, decisions, differences from the average


class BehaviorFeatures(RowFeatures):
    r"""Scores and principal components of what models respond to queries, without labels.

    The averaged response of all models stands in for the unknown labels, so these features predict
    how good a model is without any labelled data.

    Parameters
    ----------
    architecture : Architecture, default=None
        What a row of weights means. Without one, ``X`` holds features already and passes through.
    queries : array-like of shape (n_all_queries, n_inputs), or dict of such arrays, default=None
        Inputs on which every model is run; needed with an architecture. They need no labels.
    task : {"classification", "regression"}, default="classification"
        What outputs are: logits, of which probabilities are compared and a single one is a binary
        logit, or continuous predictions, which are compared as they are.
    n_queries : int, default=1000
        How many of ``queries`` are used at most: the first ones, evenly from each set of several.
        More queries hardly change the features and cost proportionally more.
    n_components : int, default=64
        How many principal components of the responses are returned at most; fewer where there are
        fewer models or responses.

    Attributes
    ----------
    queries_ : ndarray of shape (n_queries, n_inputs), float32, or None
        The queries that are used; None without an architecture.
    average_ : ndarray of shape (n_queries, n_values)
        Averaged response of the models; ``n_values`` is the number of classes or of outputs.
    variance_ : ndarray of shape (n_values,)
        Variance of each value over models and queries.
    components_ : ndarray of shape (n_components, n_queries * n_values)
        Principal directions of the responses, scaled so that the first component of the models of
        ``fit`` has unit variance.
    n_features_in_ : int
        Number of columns of ``X``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of ``X``, where it had string names.

    Raises
    ------
    InvalidInputError
        From ``fit``: one of architecture and queries is missing, or their columns do not fit the
        architecture; also from ``transform``: ``X`` has another number of columns than the
        architecture has weights.

    See Also
    --------
    QueryResponses : The responses themselves.
    WeightSpaceAutoencoder : Latents of models, from their weights alone.

    Notes
    -----
    With :math:`\pi_c(x)` the averaged probability of class c, a model that predicts
    :math:`\hat y(x)` has as features its expected accuracy :math:`E_x\, \pi_{\hat y(x)}(x)`, its
    agreement with :math:`\arg\max_c \pi_c(x)`, and its expected recall of each class,
    :math:`E_x[\pi_c(x) 1(\hat y(x) = c)] / E_x\, \pi_c(x)`. In regression it has the mean squared
    distance of each output from its average, over the variance of that output. The principal
    components follow.

    ``fit`` draws at most 2,048 models, the same ones at every call, and fewer where the responses
    of a model are many.

    References
    ----------
    .. [1] Jiang et al. (2022), "Assessing Generalization of SGD via Disagreement", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture, BehaviorFeatures, WeightSpaceAutoencoder
    >>> architecture = Architecture.mlp(4, [8], 3)
    >>> rng = np.random.default_rng(0)
    >>> rows, queries = rng.normal(size=(20, architecture.n_weights)), rng.normal(size=(50, 4))
    >>> behavior = BehaviorFeatures(architecture, queries, n_components=2).fit(rows)
    >>> print(*behavior.get_feature_names_out())
    expected_accuracy agreement recall0 recall1 recall2 component0 component1

    Beside latents of the weights, which are scaled down as they are many:

    >>> from sklearn.pipeline import FeatureUnion
    >>> autoencoder = WeightSpaceAutoencoder(
    ...     architecture, queries=queries, latent_dim=2, d_model=16, n_layers=1, epochs=1
    ... )
    >>> union = FeatureUnion(
    ...     [("latents", autoencoder), ("behavior", behavior)], transformer_weights={"latents": 0.1}
    ... )
    >>> union.fit_transform(rows).shape
    (20, 29)
    """

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [Architecture, None],
        "queries": ["array-like", dict, None],
        "task": [StrOptions({"classification", "regression"})],
        "n_queries": [Interval(Integral, 1, None, closed="left")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        architecture=None,
        queries=None,
        *,
        task="classification",
        n_queries=N_COMPARED,
        n_components=64,
    ):
        self.architecture = architecture
        self.queries = queries
        self.task = task
        self.n_queries = n_queries
        self.n_components = n_components

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the averaged response of models and the directions in which they differ.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        BehaviorFeatures
            The fitted transformer itself.

        Raises
        ------
        InvalidInputError
            If one of architecture and queries is missing.
        """
        rows = self._fit_rows(X)
        self.queries_: np.ndarray | None = None
        if (self.architecture is None) != (self.queries is None):
            missing = "architecture" if self.architecture is None else "queries"
            raise InvalidInputError(
                f"`architecture` and `queries` must be given together; got {missing}=None."
            )
        if self.architecture is not None:
            sets = check_query_sets(self.queries, self.architecture)
            self.queries_ = first_queries(sets, self.n_queries)
            check_n_models(rows, 2)
            rows = rows[fitted_models(rows)]
            self._fit_responses(rows)
        return self

    def transform(self, X):
        """Return the scores and components of models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model.

        Returns
        -------
        ndarray of shape (n_models, n_scores + n_components), float32
            Scores, then principal components. Without an architecture, ``X`` itself.
        """
        rows = self._fitted_rows(X)
        if self.queries_ is None:
            return rows
        return map_rows(self._features, rows, rows[:1].nbytes + COPIES * self.average_.nbytes)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features, such as ``expected_accuracy``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must be the names of the columns of ``X``, if given.

        Returns
        -------
        ndarray of str
            One name per feature; without an architecture, the names of the columns of ``X``.
        """
        names = self._input_names(input_features)
        if self.queries_ is None:
            return names
        values = range(self.average_.shape[1])
        if self.task == "regression":
            scores = [f"distance{i}" for i in values]
        else:
            scores = ["expected_accuracy", "agreement", *(f"recall{i}" for i in values)]
        components = [f"component{i}" for i in range(len(self.components_))]
        return np.asarray([*scores, *components], dtype=object)

    def _fit_responses(self, rows: np.ndarray) -> None:
        """Set average, variance and components from rows ``(n_models, n_weights)``."""
        assert self.architecture is not None
        assert self.queries_ is not None
        n_values = len(self.queries_) * max(self.architecture.n_outputs, 2)
        n_drawn = max(2, min(MAX_MODELS, MAX_VALUES // n_values))
        drawn = np.sort(np.random.default_rng(0).permutation(len(rows))[:n_drawn])
        row_bytes = COPIES * 4 * n_values + rows[:1].nbytes
        responses = map_rows(lambda indices: self._responses(rows[indices]), drawn, row_bytes)
        flat = responses.reshape(len(responses), -1)
        pca = PCA(min(self.n_components, *flat.shape), random_state=0).fit(flat)
        self.average_, self.variance_ = responses.mean(axis=0), responses.var(axis=(0, 1))
        deviation = max(np.sqrt(pca.explained_variance_[0]), rounding_error(self.average_))
        self.components_ = pca.components_ / deviation

    def _features(self, rows: np.ndarray) -> np.ndarray:
        responses = self._responses(rows)
        scores = self._distances if self.task == "regression" else self._class_scores
        centred = (responses - self.average_).reshape(len(rows), -1)
        components = centred @ self.components_.T
        return np.concatenate([scores(responses), components], axis=1, dtype=np.float32)

    def _responses(self, rows: np.ndarray) -> np.ndarray:
        """Return probabilities or outputs, ``(n_models, n_queries, n_values)``."""
        assert self.architecture is not None
        outputs = self.architecture.forward(rows, self.queries_)
        refuse_overflow(bool(np.isfinite(outputs).all()))
        if self.task == "regression":
            return outputs
        return class_probabilities(torch.from_numpy(outputs)).numpy()

    def _class_scores(self, responses: np.ndarray) -> np.ndarray:
        n_queries, n_classes = self.average_.shape
        predicted = responses.argmax(axis=2)
        agreement = (predicted == self.average_.argmax(axis=1)).mean(axis=1)
        one_hot = predicted[..., None] == np.arange(n_classes)
        expected_hits = (one_hot * self.average_).sum(axis=1)  # (n_models, n_classes)
        expected_counts = np.maximum(self.average_.sum(axis=0), np.finfo(np.float32).tiny)
        recall = expected_hits / expected_counts
        return np.column_stack([expected_hits.sum(axis=1) / n_queries, agreement, recall])

    def _distances(self, responses: np.ndarray) -> np.ndarray:
        squares = np.square(responses - self.average_).mean(axis=1)
        return squares / np.maximum(self.variance_, rounding_error(self.average_))


def check_n_models(rows: np.ndarray, n_models: int) -> None:
    """Raise InvalidInputError if there are fewer rows than ``n_models``."""
    if len(rows) < n_models:
        raise InvalidInputError(
            f"`X` must have at least {n_models} rows, one per model, to compare models with each "
            f"other; got {len(rows)}."
        )


def rounding_error(average: np.ndarray) -> np.float32:
    """Return the size of rounding errors, below which models do not differ."""
    return np.finfo(np.float32).eps * np.maximum(np.float32(1.0), np.linalg.norm(average))
