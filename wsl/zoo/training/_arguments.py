"""Arguments of ``train_zoo`` that hold for all models: checkpoints, chunk size, dropout layers."""

import math
from collections.abc import Sequence

import pandas as pd
from torch import nn

from ...architectures import Architecture
from ...exceptions import InvalidInputError, UnsupportedModuleError
from ._chunk import ChunkJob
from ._datasets import Datasets
from ._loop import TrainingConfig
from ._losses import LOSSES

# Measured: in smaller chunks the calls themselves take the time, in larger ones values leave the
# cache before they are read again. A GPU needs far more at once.
CHUNK_BYTES = {"cpu": 6 * 2**20, "cuda": 2**28, "mps": 2**27}
SMALLEST_CHUNK = 8


def check_dropout(architecture: Architecture, dropout: pd.Series | None) -> None:
    """Raise InvalidInputError for a dropout rate per model where no layer would apply it."""
    if dropout is None or not (dropout > 0).any():
        return
    if not any(isinstance(step.layer, nn.Dropout) for step in architecture.forward_pass.plan or ()):
        raise InvalidInputError(
            f"`dropout` must be 0 or None for {architecture!r}, which has no dropout layer that "
            f"many models can be run through; got {dropout.max():.4g}."
        )


def check_features(config: TrainingConfig) -> None:
    """Raise UnsupportedModuleError if the penalty takes features and no last Linear takes any."""
    if not config.objective.takes_features:
        return
    architecture, plan = config.architecture, config.architecture.forward_pass.plan
    last = plan[-1].layer if plan else None
    if not isinstance(last, nn.Linear):
        raise UnsupportedModuleError(
            "`penalty` takes the features before the last layer, so the last layer must be a "
            "Linear in a module of standard layers that torch.fx can trace; got "
            f"{'an unknown layer' if last is None else type(last).__name__} in {architecture!r}."
        )


def check_test_set(test_sets: Datasets, model: int, loss: str, n_outputs: int) -> None:
    """Raise InvalidInputError, before anything is trained, if the loss cannot take its targets."""
    try:
        LOSSES[loss].targets(test_sets[model][1], n_outputs)
    except InvalidInputError as error:
        raise InvalidInputError(f"test_set: {error}") from error


def resolve_checkpoints(checkpoints: Sequence[int] | None, epochs: int) -> tuple[int, ...]:
    """Return the epochs at which models are kept, in order; the last for None."""
    if checkpoints is None:
        return (epochs,)
    resolved = tuple(sorted({int(c) for c in checkpoints}))
    if not resolved or resolved[0] < 0 or resolved[-1] > epochs:
        raise InvalidInputError(
            f"`checkpoints` must be epochs from 0 to {epochs}; got {list(checkpoints)}."
        )
    return resolved


def fitting_chunk_size(job: ChunkJob, n_samples: int, n_models: int, n_workers: int) -> int:
    """Return how many models at a time fit the cache, such that each worker gets equally many."""
    config, architecture = job.config, job.config.architecture
    activation_size = architecture.forward_pass.activation_size
    batch = min(config.batch_size or n_samples, n_samples)
    if config.early_stopping is not None:  # held-out samples are evaluated at once
        batch = max(batch, round(config.early_stopping.validation_fraction * n_samples))
    # values and gradients of the largest layer; the inputs, and what the loss makes of outputs
    per_sample = 3 * activation_size + architecture.n_inputs + 6 * architecture.n_outputs
    per_sample += 0 if config.penalty is None else 8
    # moments of each environment, of which there are a few
    per_sample += 4 * activation_size if config.objective.takes_features else 0
    per_sample += 4 * architecture.n_inputs if config.objective.takes_inputs else 0
    per_model = 5 * architecture.n_weights + batch * per_sample
    fitting = max(SMALLEST_CHUNK, CHUNK_BYTES[job.device.type] // (4 * per_model))
    n_rounds = math.ceil(n_models / (fitting * n_workers))
    return math.ceil(n_models / (n_rounds * n_workers))
