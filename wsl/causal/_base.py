"""Parameters and training that classifier and regressor share; a model is a zoo of one."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from .._estimator_input import checked_data
from .._sklearn_compat import DocumentedEstimator, Interval, StrOptions
from .._validation import check_environments, check_hidden_layer_sizes, check_sample_weight
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ..zoo import ModelZoo, train_zoo
from ..zoo.training._early_stopping import VALIDATION
from ._column_selection import ColumnRule, prepare_sets
from ._environment_counts import warn_unless_comparable
from ._feature_selector import CausalFeatureSelector
from ._sample_weights import join_equal
from ._training_sets import check_sets
from .penalties import PENALTIES

_PENALTIES_ON_ALL_SAMPLES = tuple(set(PENALTIES) - {"irm_unbiased"})


class BaseCausalMitigated(DocumentedEstimator):
    """A causal learner; subclasses add ``fit`` and ``predict``."""

    __metadata_request__fit: ClassVar[dict] = {"environments": True}

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "activation": [StrOptions({"relu", "tanh", "sigmoid", "identity", "gelu", "silu"})],
        "penalty": [StrOptions({"auto", *PENALTIES}), callable, None],
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "penalty_warmup": [Interval(Integral, 0, None, closed="left")],
        "penalty_anneal": [Interval(Integral, 0, None, closed="left")],
        "causal_features": [
            "array-like",
            StrOptions({"invariant"}),
            CausalFeatureSelector,
            None,
        ],
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
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.penalty = penalty
        self.penalty_weight = penalty_weight
        self.penalty_warmup = penalty_warmup
        self.penalty_anneal = penalty_anneal
        self.causal_features = causal_features
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
        """Train many models of this learner together, each on its own training set.

        Parameters
        ----------
        datasets : tuple, sequence of tuples, or callable
            Training sets ``(X, y[, environments[, sample_weight]])``: one for all models, one per
            model, or a function from a model's index to its set. The number of columns and the
            classes are those of the first set.
        n_models : int
            Number of models.
        n_jobs : int, default=None
            Number of joblib workers; None is one unless a joblib backend says otherwise.

        Returns
        -------
        ModelZoo
            The trained models. Its architecture takes all columns of X, whichever of them the
            learner uses. The estimator itself stays unfitted.

        Raises
        ------
        InvalidInputError
            If the training sets have another form, number or shape.

        Warns
        -----
        EnvironmentsWarning
            If environments are to be compared, and the first training set has none, one, or as
            many as samples.

        Notes
        -----
        Invariant columns are searched in each training set separately; a model's weights of the
        other columns are 0. A causal graph is not tested on the data here.
        """
        self._validate_params()
        check_sets(datasets, n_models)
        first = datasets(0) if callable(datasets) else datasets
        first = first if isinstance(first, tuple) else first[0]
        X, y = np.asarray(first[0]), np.asarray(first[1])
        if X.ndim != 2:
            raise InvalidInputError(
                f"X of `datasets` must have shape (n_samples, n_features); got {X.shape}."
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
        environments = (*first, None)[2]
        self._warn_unless_comparable(environments, len(X), "datasets")
        zoo = self._train(
            shared,
            n_models,
            X.shape[1],
            prepared.columns,
            prepared.classes,
            self._resolve_penalty(environments),
            n_jobs,
        )
        return prepared.drop_unused(zoo)

    def _train(
        self,
        datasets: Any,
        n_models: int,
        n_features: int,
        columns: tuple[int, ...],
        classes: np.ndarray | None,
        penalty: Any,
        n_jobs: int | None = None,
    ) -> ModelZoo:
        n_outputs = 1 if classes is None or len(classes) == 2 else len(classes)
        losses = {None: "mse", 2: "binary"}
        hidden = check_hidden_layer_sizes(self.hidden_layer_sizes)
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
            penalty=PENALTIES[penalty] if isinstance(penalty, str) else penalty,
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

    def _resolve_penalty(self, environments: Any) -> Any:
        """Return the penalty, with "auto" resolved."""
        if isinstance(self.penalty, str) and self.penalty == "auto":
            return None if environments is None else "irm"
        return self.penalty

    def _warn_unless_comparable(self, environments: Any, n_samples: int, name: str = "") -> None:
        penalty = self._resolve_penalty(environments) if self.penalty_weight else None
        invariant = self._rule().depends_on_data
        warn_unless_comparable(environments, n_samples, penalty, invariant, name)

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
        if rule.check_graph:
            self.graph_tests_ = rule.test_graph(X, y if classes is None else y.astype(str), names)
        dataset = prepared.prepare(raw)
        penalty = self._resolve_penalty(environments)
        if self._can_join_equal_samples(len(X), penalty):
            dataset = join_equal(dataset)
        self._warn_unless_comparable(environments, len(X))
        zoo = self._train(dataset, 1, X.shape[1], prepared.columns, classes, penalty)
        zoo = prepared.drop_unused(zoo)
        self.architecture_ = zoo.architecture
        self.weights_ = zoo.weights[0]
        record = zoo.metadata.iloc[0]
        self.loss_, self.n_iter_ = float(record["train_loss"]), int(record["epoch"])
        self.validation_loss_ = float(record["validation_loss"]) if self.early_stopping else None

    def _can_join_equal_samples(self, n_samples: int, penalty: Any) -> bool:
        """Return True if joining equal samples changes nothing but rounding.

        It does if batches, halves of environments or held-out samples are drawn among the samples.
        """
        full_batch = self.batch_size is None or n_samples <= self.batch_size
        return (
            full_batch and not self.early_stopping and penalty in (None, *_PENALTIES_ON_ALL_SAMPLES)
        )

    def _rule(self) -> ColumnRule:
        if isinstance(self.causal_features, CausalFeatureSelector):
            return self.causal_features._column_rule()
        return ColumnRule(self.causal_features)

    def _outputs(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = checked_data(self, X, reset=False)
        return self.architecture_.forward(self.weights_[None], X)[0]

    def _find_classes(self, y: np.ndarray) -> np.ndarray | None:
        return None
