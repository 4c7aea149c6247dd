"""Parameters, input checks and fitting that both attack estimators share."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from .._batches import map_rows
from .._diverged import fitted_models
from .._estimator_input import checked_data
from .._interrupts import interrupts_reach_caller
from .._random import draw_seed, resolve_random_state
from .._sklearn_compat import (
    DocumentedEstimator,
    HasMethods,
    Interval,
    StrOptions,
    arrays_inside,
)
from .._validation import check_n_columns
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._attack_context import AttackContext
from ._strategies import STRATEGIES, build, resolve_strategy
from ._white_box import is_fitted


class BaseAttack(DocumentedEstimator):
    """An attack estimator; subclasses add ``fit`` for classes or for continuous targets."""

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
        """Predict the property of models.

        Parameters
        ----------
        X : array-like of shape (n_models, n_weights)
            One row of weights per model, or of responses without an architecture.

        Returns
        -------
        ndarray of shape (n_models,)
            The predicted class of each model, one of ``classes_``.
        """
        check_is_fitted(self, "estimator_")
        with arrays_inside():
            return map_rows(self.estimator_.predict, self._check_rows(X, reset=False))

    def _check_rows(self, X, *y, **options):
        """Validate X, and y if given; without an architecture X keeps its precision."""
        dtype = None if self.architecture is None else np.float32
        checked = checked_data(self, X, *y, dtype=dtype, **options)
        if self.architecture is not None:
            rows = checked[0] if y else checked
            check_n_columns(rows, self.architecture.n_weights, "X")
        return checked

    def _fit_strategy(self, X: np.ndarray, y: np.ndarray, n_classes: int | None = None) -> None:
        """Build the estimator of the strategy and fit it; sets the learned attributes."""
        strategy = resolve_strategy(
            self.strategy, self.architecture, self.queries, self.autoencoder
        )
        if self.architecture is not None:
            fitted = fitted_models(X, STRATEGIES[strategy].leaves_out_diverged)
            X, y = X[fitted], y[fitted]
        self._check_meta_estimator()
        context = AttackContext(
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
        )
        with interrupts_reach_caller(), arrays_inside():
            estimator = build(strategy, context).fit(X, y)
        self.strategy_, self.estimator_ = strategy, estimator
        self.selected_queries_ = None
        if self.n_selected_queries is not None:
            self.selected_queries_ = self.estimator_[0].selected_

    def _check_meta_estimator(self) -> None:
        if self.meta_estimator is None or is_classifier(self.meta_estimator) == is_classifier(self):
            return
        role = "classifier" if is_classifier(self) else "regressor"
        raise InvalidInputError(
            f"`meta_estimator` must be a {role}, as the attack is one; got {self.meta_estimator!r}."
        )

    def __sklearn_clone__(self):
        """Return an unfitted copy that shares a fitted autoencoder, which cloning would discard."""
        copy = super().__sklearn_clone__()
        if self.autoencoder is not None and is_fitted(self.autoencoder):
            copy.autoencoder = self.autoencoder
        return copy


def meta_estimator_has(method: str):
    """Return a check for ``available_if``: whether the meta-estimator has a method."""

    def check(attack: Any) -> bool:
        estimator = getattr(attack, "estimator_", attack.meta_estimator)
        return estimator is None or hasattr(estimator, method)

    return check
