"""The training loop: a chunk of models trained in one pass of batched products.

Plain torch, one device, one process. What a worker does around it lives in ``_chunk``.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...architectures import Architecture
from ._dropout import Dropout
from ._early_stopping import Best, EarlyStopping
from ._losses import LOSSES
from ._minibatches import Batch, Minibatches, Samples
from ._network import ExecutionPlan, Network
from ._objective import Objective, Penalty, State
from ._optimizers import OPTIMIZERS, Optimizer


@dataclass(frozen=True)
class TrainingConfig:
    """How models are trained; the same for every model of a zoo."""

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
    def blueprint(self) -> ExecutionPlan:
        """How the architecture is trained."""
        return ExecutionPlan(self.architecture)

    @cached_property
    def objective(self) -> Objective:
        """What is minimised."""
        return Objective(LOSSES[self.loss], self.penalty)

    def penalty_weight_at(self, epoch: int) -> float:
        """Return the penalty's weight in an epoch: 0 in the warm-up, then linear up to its own."""
        n_since = max(0, epoch - self.penalty_warmup)
        return self.penalty_weight * min(1.0, n_since / (self.penalty_anneal + 1))

    @property
    def n_ramp(self) -> int:
        """Epochs until the penalty has its full weight."""
        return 0 if self.penalty is None else self.penalty_warmup + self.penalty_anneal


@dataclass
class Chunk:
    """Models that are trained together, all on the same number of samples.

    ``samples`` hold one set for each model, or one for all; so do those of ``validation``, which
    tell when to stop. The other values hold one entry for each model; ``dropout`` is its
    probability in every dropout layer, or None for the layers' own.
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

    def record(self, place: int, models: Tensor, rows: Tensor, **values: Tensor | int) -> None:
        """Keep models at a checkpoint."""
        index = models.cpu().numpy()
        self.weights[place, index] = rows.cpu().numpy()
        for name, value in values.items():
            own = value.cpu().numpy() if isinstance(value, Tensor) else np.int64(value)
            if name not in self.columns:
                self.columns[name] = np.zeros(self.weights.shape[:2], own.dtype)
            self.columns[name][place, index] = own


def train_chunk(recipe: TrainingConfig, chunk: Chunk) -> TrainedChunk:
    """Train the models of a chunk and return them at every checkpoint.

    A model that reaches its ``stop_at_loss``, or whose validation loss falls no further, leaves
    the chunk; its later checkpoints repeat the weights that it left with. With early stopping, a
    model's weights at a checkpoint are the best until then.
    """
    n_models, n_weights = chunk.weights.shape
    trained = TrainedChunk(np.empty((len(recipe.checkpoints), n_models, n_weights), np.float32))
    run = _Run(recipe, chunk)
    active = torch.arange(n_models, device=chunk.weights.device)
    for epoch in range(recipe.epochs + 1):
        if epoch > 0:
            run.epoch(epoch)
        stopped = run.stopped()
        for place, checkpoint in enumerate(recipe.checkpoints):
            reached = stopped if epoch < checkpoint else torch.ones_like(stopped)
            if epoch <= checkpoint and reached.any():
                kept = {name: values[reached] for name, values in run.results().items()}
                trained.record(place, active[reached], epoch=epoch, **kept)
        if stopped.any():
            going_on = torch.nonzero(~stopped).flatten()
            active = active[going_on]
            run.select(going_on)
        if not len(active):
            break
    return trained


class _Run:
    """The models of a chunk that are still trained, and all that changes while they are."""

    def __init__(self, recipe: TrainingConfig, chunk: Chunk):
        self._recipe, self._layout = recipe, recipe.blueprint.layout
        self._weights = self._layout.pack(chunk.weights)
        rate, decay = chunk.learning_rate.flatten(), chunk.weight_decay.flatten()
        self._optimizer: Optimizer = OPTIMIZERS[recipe.optimizer](
            self._layout.spread(rate), self._layout.spread(decay)
        )
        self._data = Minibatches(chunk.samples, recipe.batch_size)
        self._validation = None if chunk.validation is None else Minibatches(chunk.validation, None)
        self._best = None
        if recipe.early_stopping is not None:
            self._best = Best(self.rows(), recipe.early_stopping.n_iter_no_change)
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
            self._networks[key] = self._recipe.blueprint.bind(
                self._weights, self._gradient, n_inputs, dropout
            )
        return self._networks[key]

    def rows(self) -> Tensor:
        """Return the weights as rows ``(n_models, n_weights)``."""
        return self._layout.unpack(self._weights)

    def results(self) -> dict[str, Tensor]:
        """Return what is kept of each model at a checkpoint, by name."""
        if self._best is None:
            return {"rows": self.rows(), "train_loss": self._losses}
        return {
            "rows": self._best.rows,
            "train_loss": self._losses,
            "best_epoch": self._best.epoch,
            "validation_loss": self._best.loss,
        }

    def stopped(self) -> Tensor:
        """Tell which models have been trained for long enough, ``(n_models,)``."""
        stopped = self._losses < self._stop_at_loss
        return stopped if self._best is None else stopped | self._best.exhausted

    def select(self, kept: Tensor) -> None:
        """Go on with the models in ``kept`` only."""

        def take(flat: Tensor) -> Tensor:
            return self._layout.select(flat, kept)

        self._weights = take(self._weights)
        self._optimizer.select(take)
        for part in (self._data, self._validation, self._best, self._dropout):
            if part is not None:
                part.select(kept)
        self._rngs = [self._rngs[i] for i in kept.tolist()]
        self._penalty_state = {name: value[kept] for name, value in self._penalty_state.items()}
        self._losses, self._stop_at_loss = self._losses[kept], self._stop_at_loss[kept]
        self._bind()

    def epoch(self, epoch: int) -> None:
        """Train one epoch; take each model's mean loss over the batches as they were trained."""
        total = torch.zeros_like(self._losses)
        mass: Tensor | int = 0
        penalty_weight = self._recipe.penalty_weight_at(epoch)
        for batch in self._data.epoch(self._rngs):
            n_inputs = batch.x.shape[2]
            network = self._network(n_inputs)
            outputs, features = self._forward(network, batch)
            gradient = self._recipe.objective.gradient(
                outputs, features, batch, penalty_weight, self._penalty_state
            )
            in_features = gradient.in_features
            network.backward(
                gradient.in_outputs.mT, None if in_features is None else in_features.mT
            )
            self._optimizer.step(self._weights, self._gradient)
            self._dropout.step += 1
            own_mass = n_inputs if batch.weights is None else batch.weights.sum(1)
            total += gradient.risk * own_mass
            mass = mass + own_mass
        self._losses = total / mass
        if self._best is not None:
            comparable = epoch > self._recipe.n_ramp + 1 or self._recipe.n_ramp == 0
            self._best.update(self._validate(penalty_weight), self.rows(), epoch, comparable)

    def _forward(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return outputs and, if the penalty takes them, features: ``(n_models, n_inputs, n)``."""
        outputs = network.forward(batch.x).mT
        return outputs, network.features.mT if self._recipe.objective.takes_features else None

    @torch.no_grad()
    def _validate(self, penalty_weight: float) -> Tensor:
        """Return each model's objective on its validation samples.

        On whole environments that were held out it is their mean loss: a penalty on how they differ
        from one another says nothing of those trained on.
        """
        assert self._validation is not None
        assert self._recipe.early_stopping is not None
        batch = self._validation.whole()
        network = self._network(batch.x.shape[2], training=False)
        outputs, features = self._forward(network, batch)
        if self._recipe.early_stopping.validation == "environment":
            penalty_weight = 0
        return self._recipe.objective.value(outputs, features, batch, penalty_weight)
