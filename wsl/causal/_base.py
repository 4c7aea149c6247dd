"""What the invariant learners share: parameters, training as a zoo of one or many, outputs.

The estimators that users construct live in ``_estimators``, penalties in ``_penalties``.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn_compat import Interval, StrOptions
from .._validation import check_environments, check_sample_weight
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ..zoo import ModelZoo, train_zoo
from ..zoo.training._early_stopping import VALIDATION
from ._column_selection import ColumnRule, prepare_sets
from ._sample_weights import join_equal
from ._training_sets import check_sets
from .penalties import PENALTIES

_OF_ALL_SAMPLES = tuple(set(PENALTIES) - {"irm_unbiased"})


class BaseCausalMitigated(BaseEstimator):
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
