"""The training loop: a chunk of models trained together, on one device in one process."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...architectures import Architecture
from ._dropout import Dropout
from ._early_stopping import BestWeights, EarlyStopping
from ._losses import LOSSES
from ._minibatches import Batch, Minibatches, Samples
from ._network import ExecutionPlan, Network
from ._objective import Objective, Penalty, State
from ._optimizers import OPTIMIZERS, Optimizer


@dataclass(frozen=True)
class TrainingConfig:
    """How the models of a zoo are trained, as far as it is the same for all of them."""

    architecture: Architecture
    loss: str
    epochs: int
    batch_size: int | None
    optimizer: str
    penalty: Penalty | None
    penalty_weight: float
    penalty_warmup: int
    penalty_anneal: int
    checkpoints: tuple[int, ...]
    early_stopping: EarlyStopping | None

    @cached_property
    def execution_plan(self) -> ExecutionPlan:
        """The layers that train the architecture, and the layout of its weights."""
        return ExecutionPlan(self.architecture)

    @cached_property
    def objective(self) -> Objective:
        """The objective that is minimized."""
        return Objective(LOSSES[self.loss], self.penalty)

    def penalty_weight_at(self, epoch: int) -> float:
        """Return the penalty's weight in an epoch: 0 in the warm-up, then rising linearly."""
        n_since = max(0, epoch - self.penalty_warmup)
        return self.penalty_weight * min(1.0, n_since / (self.penalty_anneal + 1))

    @property
    def n_ramp(self) -> int:
        """Epochs until the penalty has its full weight."""
        return 0 if self.penalty is None else self.penalty_warmup + self.penalty_anneal


@dataclass
class Chunk:
    """Models that are trained together, all on the same number of samples.

    ``samples`` and ``validation``, the held-out samples, hold one set per model, or one for all.
    The other fields hold one entry per model; ``dropout`` is the rate of every dropout layer, or
    None for each layer's own.
    """

    weights: Tensor
    samples: Samples
    validation: Samples | None
    learning_rate: Tensor
    weight_decay: Tensor
    stop_at_loss: Tensor
    seeds: np.ndarray
    rngs: list[np.random.Generator]
    dropout: Tensor | None = None


@dataclass
class TrainedChunk:
    """Weights ``(n_checkpoints, n_models, n_weights)``, and columns of a zoo's metadata.

    ``columns`` are ``(n_checkpoints, n_models)``: ``epoch``, ``train_loss`` and, with early
    stopping, ``best_epoch`` and ``validation_loss``.
    """

    weights: np.ndarray
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    def record(self, checkpoint: int, models: Tensor, rows: Tensor, **values: Tensor | int) -> None:
        """Store models and their values at the checkpoint of that index."""
        indices = models.cpu().numpy()
        self.weights[checkpoint, indices] = rows.cpu().numpy()
        for name, value in values.items():
            entries = value.cpu().numpy() if isinstance(value, Tensor) else np.int64(value)
            if name not in self.columns:
                self.columns[name] = np.zeros(self.weights.shape[:2], entries.dtype)
            self.columns[name][checkpoint, indices] = entries


def train_chunk(config: TrainingConfig, chunk: Chunk) -> TrainedChunk:
    """Train the models of a chunk and return them at every checkpoint.

    A model that reaches its ``stop_at_loss``, or whose validation loss stops falling, is no longer
    trained, and its later checkpoints repeat its last weights. With early stopping, a model's
    weights at a checkpoint are the best until then.
    """
    n_models, n_weights = chunk.weights.shape
    trained = TrainedChunk(np.empty((len(config.checkpoints), n_models, n_weights), np.float32))
    run = _Run(config, chunk)
    active = torch.arange(n_models, device=chunk.weights.device)
    for epoch in range(config.epochs + 1):
        if epoch > 0:
            run.epoch(epoch)
        stopped = run.stopped()
        for index, checkpoint in enumerate(config.checkpoints):
            reached = stopped if epoch < checkpoint else torch.ones_like(stopped)
            if epoch <= checkpoint and reached.any():
                results = {name: values[reached] for name, values in run.results().items()}
                trained.record(index, active[reached], epoch=epoch, **results)
        if stopped.any():
            remaining = torch.nonzero(~stopped).flatten()
            active = active[remaining]
            run.select(remaining)
        if not len(active):
            break
    return trained


class _Run:
    """The models of a chunk that are still trained, and the state of their training."""

    def __init__(self, config: TrainingConfig, chunk: Chunk):
        self._config, self._layout = config, config.execution_plan.layout
        self._weights = self._layout.pack(chunk.weights)
        rate, decay = chunk.learning_rate.flatten(), chunk.weight_decay.flatten()
        self._optimizer: Optimizer = OPTIMIZERS[config.optimizer](
            self._layout.repeat(rate), self._layout.repeat(decay)
        )
        self._data = Minibatches(chunk.samples, config.batch_size)
        self._validation = None if chunk.validation is None else Minibatches(chunk.validation, None)
        self._best = None
        if config.early_stopping is not None:
            self._best = BestWeights(self.rows(), config.early_stopping.n_iter_no_change)
        self._dropout = Dropout(chunk.seeds, chunk.dropout, chunk.weights.device)
        self._rngs = chunk.rngs
        self._penalty_state: State = {}
        self._losses = torch.full((len(self._rngs),), torch.nan, device=chunk.weights.device)
        self._stop_at_loss = chunk.stop_at_loss
        self._bind()

    def _bind(self) -> None:
        self._gradient = torch.zeros_like(self._weights)
        self._networks: dict[tuple[int, bool], Network] = {}

    def _network(self, n_inputs: int, training: bool = True) -> Network:
        key = n_inputs, training
        if key not in self._networks:
            dropout = self._dropout if training else None
            self._networks[key] = self._config.execution_plan.bind(
                self._weights, self._gradient, n_inputs, dropout
            )
        return self._networks[key]

    def rows(self) -> Tensor:
        """Return the weights as rows ``(n_models, n_weights)``."""
        return self._layout.unpack(self._weights)

    def results(self) -> dict[str, Tensor]:
        """Return what is recorded of each model at a checkpoint, by name."""
        if self._best is None:
            return {"rows": self.rows(), "train_loss": self._losses}
        return {
            "rows": self._best.rows,
            "train_loss": self._losses,
            "best_epoch": self._best.epoch,
            "validation_loss": self._best.loss,
        }

    def stopped(self) -> Tensor:
        """Return which models are not trained any further, ``(n_models,)``."""
        stopped = self._losses < self._stop_at_loss
        return stopped if self._best is None else stopped | self._best.exhausted

    def select(self, models: Tensor) -> None:
        """Keep the models with the given indices only."""

        def take(flat: Tensor) -> Tensor:
            return self._layout.select(flat, models)

        self._weights = take(self._weights)
        self._optimizer.select(take)
        for part in (self._data, self._validation, self._best, self._dropout):
            if part is not None:
                part.select(models)
        self._rngs = [self._rngs[i] for i in models.tolist()]
        self._penalty_state = {name: value[models] for name, value in self._penalty_state.items()}
        self._losses, self._stop_at_loss = self._losses[models], self._stop_at_loss[models]
        self._bind()

    def epoch(self, epoch: int) -> None:
        """Train one epoch; record each model's mean loss over the batches as they were trained."""
        total = torch.zeros_like(self._losses)
        total_weight: Tensor | int = 0
        penalty_weight = self._config.penalty_weight_at(epoch)
        for batch in self._data.epoch(self._rngs):
            n_inputs = batch.x.shape[2]
            network = self._network(n_inputs)
            outputs, features = self._forward(network, batch)
            gradient = self._config.objective.gradient(
                outputs, features, batch, penalty_weight, self._penalty_state
            )
            in_features = gradient.in_features
            network.backward(
                gradient.in_outputs.mT, None if in_features is None else in_features.mT
            )
            self._optimizer.step(self._weights, self._gradient)
            self._dropout.step += 1
            batch_weight = n_inputs if batch.weights is None else batch.weights.sum(1)
            total += gradient.mean_loss * batch_weight
            total_weight = total_weight + batch_weight
        self._losses = total / total_weight
        if self._best is not None:
            comparable = epoch > self._config.n_ramp + 1 or self._config.n_ramp == 0
            self._best.update(self._validate(penalty_weight), self.rows(), epoch, comparable)

    def _forward(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return outputs and, if the penalty takes them, features: ``(n_models, n_inputs, n)``."""
        outputs = network.forward(batch.x).mT
        return outputs, network.features.mT if self._config.objective.takes_features else None

    @torch.no_grad()
    def _validate(self, penalty_weight: float) -> Tensor:
        """Return each model's objective on its validation samples.

        On held-out environments that is their mean loss: a penalty on how these environments
        differ says nothing about the environments of the training set.
        """
        assert self._validation is not None
        assert self._config.early_stopping is not None
        batch = self._validation.whole()
        network = self._network(batch.x.shape[2], training=False)
        outputs, features = self._forward(network, batch)
        if self._config.early_stopping.validation == "environment":
            penalty_weight = 0
        return self._config.objective.value(outputs, features, batch, penalty_weight)
