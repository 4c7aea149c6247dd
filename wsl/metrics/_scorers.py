"""Scorers of autoencoders for scikit-learn's searches: callables of an estimator and rows.

scikit-learn looks names up in a registry of its own, which has no public way in. So a name is
resolved here, and the scorer is what ``scoring=`` takes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._agreement import agreement, shuffled_agreement
from ._explained_variance import behavioral_r2, explained_variance

MAX_QUERIES = 1000


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
    """A metric between models and what an autoencoder rebuilds of them; greater is better.

    Made by :func:`wsl.metrics.get_scorer`.

    Attributes
    ----------
    name : str
    queries : ndarray ``(n_queries, n_features)`` or None
        None takes those of the scored autoencoder.
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
                f"the scorer {self.name!r} got a {type(estimator).__name__}; wanted an autoencoder "
                "with a method reconstruct"
            )
        metric, of_outputs = _METRICS[self.name]
        rows, rebuilt = np.asarray(X, dtype=np.float32), estimator.reconstruct(X)
        if not of_outputs:
            return metric(rows, rebuilt)
        queries = self.queries
        if queries is None:
            queries = _first_queries(getattr(estimator, "queries", None))
        if queries is None or estimator.architecture is None:
            raise InvalidInputError(
                f"the scorer {self.name!r} runs models on queries, but the autoencoder has "
                "architecture=None or queries=None; wanted both, or queries= of get_scorer"
            )
        forward = estimator.architecture.forward
        return metric(forward(rows, queries), forward(rebuilt, queries))


def _first_queries(queries) -> np.ndarray | None:
    """Return the first of the queries; of several sets by name, as many of each."""
    sets = list(queries.values()) if isinstance(queries, Mapping) else [queries]
    if not sets or sets[0] is None:
        return None
    return np.concatenate([np.asarray(one)[: max(1, MAX_QUERIES // len(sets))] for one in sets])


def get_scorer(name: str, *, queries=None) -> ReconstructionScorer:
    """Return the scorer of a name, for ``scoring=`` of scikit-learn's searches.

    Parameters
    ----------
    name : {"agreement", "agreement_gain", "behavioral_r2", "explained_variance"}
        Metrics between models and their rebuilds. ``"agreement_gain"`` is the agreement less the
        shuffled one: agreement alone is highest for one good model given to everybody.
    queries : array-like ``(n_queries, n_features)``, optional
        Inputs on which models are compared; by default the first 1,000 of the autoencoder's own,
        on which it was trained.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None)``, which pickles.

    Raises
    ------
    InvalidInputError
        If there is no scorer of that name.

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

    Several at once, with the one to choose by:

    >>> names = ["agreement", "behavioral_r2"]
    >>> search = GridSearchCV(
    ...     autoencoder, grid, scoring={name: get_scorer(name) for name in names},
    ...     refit="behavioral_r2", cv=2,
    ... )
    """
    if name not in _METRICS:
        raise InvalidInputError(f"name={name!r}; wanted one of {get_scorer_names()}")
    return ReconstructionScorer(name, None if queries is None else np.asarray(queries))


def get_scorer_names() -> list[str]:
    """Return the names that ``get_scorer`` knows.

    Returns
    -------
    list of str
        In alphabetical order.
    """
    return sorted(_METRICS)
