"""Scorers of autoencoders for scikit-learn's searches: callables of an estimator and rows.

The registry of scikit-learn's own scorer names cannot be extended, so names are resolved here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._queries import first_queries
from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._agreement import agreement, shuffled_agreement
from ._explained_variance import behavioral_r2, explained_variance


def _agreement_gain(outputs, rebuilt) -> float:
    return agreement(outputs, rebuilt) - shuffled_agreement(outputs, rebuilt)


# name -> (metric, whether it compares outputs; weights otherwise)
_METRICS: dict[str, tuple[Callable[[Any, Any], float], bool]] = {
    "agreement": (agreement, True),
    "agreement_gain": (_agreement_gain, True),
    "behavioral_r2": (behavioral_r2, True),
    "explained_variance": (explained_variance, False),
}


@dataclass(frozen=True, eq=False)
class ReconstructionScorer:
    """A metric between models and the models that an autoencoder rebuilds; greater is better.

    Made by :func:`wsl.metrics.get_scorer`.

    Attributes
    ----------
    name : str
        The name of the metric.
    queries : ndarray of shape (n_queries, n_inputs) or None
        None means the queries of the scored autoencoder.
    """

    name: str
    queries: np.ndarray | None = None

    def __call__(self, estimator, X, y=None) -> float:
        """Return the score of a fitted autoencoder on rows ``(n_models, n_weights)``.

        Raises
        ------
        UnsupportedModuleError
            If the estimator cannot rebuild rows.
        InvalidInputError
            If outputs are to be compared and the autoencoder has no architecture or no queries.
        """
        if not hasattr(estimator, "reconstruct"):
            raise UnsupportedModuleError(
                f"the scorer {self.name!r} needs an autoencoder with a method reconstruct; got a "
                f"{type(estimator).__name__}."
            )
        metric, of_outputs = _METRICS[self.name]
        rows, rebuilt = np.asarray(X, dtype=np.float32), estimator.reconstruct(X)
        if not of_outputs:
            return metric(rows, rebuilt)
        queries = self.queries
        if queries is None and getattr(estimator, "queries", None) is not None:
            queries = first_queries(estimator.queries)
        if queries is None or estimator.architecture is None:
            raise InvalidInputError(
                f"the scorer {self.name!r} runs models on queries and needs an autoencoder with "
                "architecture= and queries= (or get_scorer with queries=); got one with "
                "architecture=None or queries=None."
            )
        forward = estimator.architecture.forward
        return metric(forward(rows, queries), forward(rebuilt, queries))


def get_scorer(name: str, *, queries=None) -> ReconstructionScorer:
    """Return a scorer by name, for ``scoring=`` of scikit-learn's searches.

    Parameters
    ----------
    name : {"agreement", "agreement_gain", "behavioral_r2", "explained_variance"}
        The metric of models and rebuilt models. "agreement_gain" is the agreement minus the
        shuffled agreement: agreement alone can be high for one good model that replaces all.
    queries : array-like of shape (n_queries, n_inputs), optional
        Inputs on which models are compared. By default the first 1,000 queries that the autoencoder
        was trained on.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None)``, which pickles.

    Raises
    ------
    InvalidInputError
        If there is no scorer with this name.

    See Also
    --------
    get_scorer_names : The names of all scorers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from wsl import Architecture, WeightSpaceAutoencoder
    >>> from wsl.metrics import get_scorer
    >>> rng = np.random.default_rng(0)
    >>> architecture = Architecture.mlp(4, [6], 3)
    >>> rows, queries = rng.normal(size=(24, architecture.n_weights)), rng.normal(size=(50, 4))
    >>> autoencoder = WeightSpaceAutoencoder(
    ...     architecture, queries=queries, d_model=16, n_layers=1, epochs=1, random_state=0
    ... )
    >>> grid = {"beta": [0.1, 1.0], "latent_dim": [2, 4]}
    >>> search = GridSearchCV(autoencoder, grid, scoring=get_scorer("agreement"), cv=2).fit(rows)
    >>> search.best_params_["latent_dim"]
    4

    Several metrics at once, one of which selects the best parameters:

    >>> names = ["agreement", "behavioral_r2"]
    >>> search = GridSearchCV(
    ...     autoencoder, grid, scoring={name: get_scorer(name) for name in names},
    ...     refit="behavioral_r2", cv=2,
    ... )
    """
    if name not in _METRICS:
        raise InvalidInputError(f"`name` must be one of {get_scorer_names()}; got {name!r}.")
    return ReconstructionScorer(name, None if queries is None else np.asarray(queries))


def get_scorer_names() -> list[str]:
    """Return the names of all scorers.

    Returns
    -------
    list of str
        In alphabetical order.

    See Also
    --------
    get_scorer : Returns the scorer with a name.

    Examples
    --------
    >>> from wsl.metrics import get_scorer_names
    >>> get_scorer_names()
    ['agreement', 'agreement_gain', 'behavioral_r2', 'explained_variance']
    """
    return sorted(_METRICS)
