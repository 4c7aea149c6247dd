"""Arguments of ``train_zoo`` that hold for all models: checkpoints, chunk size, dropout layers.

What differs from model to model is resolved in ``_models``.
"""

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
# cache before they are read again. A GPU wants far more at once.
CHUNK_BYTES = {"cpu": 6 * 2**20, "cuda": 2**28, "mps": 2**27}
SMALLEST_CHUNK = 8


def check_dropout(architecture: Architecture, dropout: pd.Series | None) -> None:
    """Raise InvalidInputError for models' own dropout where no layer would apply it."""
    if dropout is None or not (dropout > 0).any():
        return
    if not any(isinstance(step.layer, nn.Dropout) for step in architecture.forward_pass.plan or ()):
        raise InvalidInputError(
            f"dropout holds {dropout.max():.4g}, but {architecture!r} has no dropout layer that "
            "many models can be run through"
        )


def check_features(recipe: TrainingConfig) -> None:
    """Raise UnsupportedModuleError if the penalty wants features, and no last layer takes any."""
    if not recipe.objective.takes_features:
        return
    architecture = recipe.architecture
    last = architecture.forward_pass.plan[-1].layer if architecture.forward_pass.plan else None
    if not isinstance(last, nn.Linear):
        raise UnsupportedModuleError(
            f"penalty takes the features before the last layer, and that of {architecture!r} is "
            f"{'not known' if last is None else type(last).__name__}; wanted a Linear, in a module "
            "that torch.fx can trace, of standard layers"
        )


def check_test_set(test: Datasets, model: int, loss: str, n_outputs: int) -> None:
    """Raise InvalidInputError, before anything is trained, if the loss cannot take its targets."""
    try:
        LOSSES[loss].targets(test[model][1], n_outputs)
    except InvalidInputError as error:
        raise InvalidInputError(f"test_set: {error}") from error


def resolve_checkpoints(checkpoints: Sequence[int] | None, epochs: int) -> tuple[int, ...]:
    """Return the epochs at which models are kept, in order; the last for None."""
    if checkpoints is None:
        return (epochs,)
    wanted = tuple(sorted({int(c) for c in checkpoints}))
    if not wanted or wanted[0] < 0 or wanted[-1] > epochs:
        raise InvalidInputError(
            f"checkpoints={list(checkpoints)}; wanted epochs from 0 to {epochs}"
        )
    return wanted


def fitting_chunk_size(job: ChunkJob, n_samples: int, n_models: int, n_workers: int) -> int:
    """Return how many models at a time fit the cache, and give each worker as many chunks."""
    architecture = job.recipe.architecture
    batch = min(job.recipe.batch_size or n_samples, n_samples)
    if job.recipe.early_stopping is not None:  # samples set aside are evaluated at once
        batch = max(batch, round(job.recipe.early_stopping.validation_fraction * n_samples))
    # values and gradients of the largest layer; what comes in, and what the loss makes of outputs
    a_sample = (
        3 * architecture.forward_pass.activation_size
        + architecture.n_inputs
        + 6 * architecture.n_outputs
    )
    a_sample += 0 if job.recipe.penalty is None else 8
    # moments of each environment, of which there are a few
    a_sample += (
        4 * architecture.forward_pass.activation_size if job.recipe.objective.takes_features else 0
    )
    a_sample += 4 * architecture.n_inputs if job.recipe.objective.takes_inputs else 0
    numbers = 5 * architecture.n_weights + batch * a_sample
    fitting = max(SMALLEST_CHUNK, CHUNK_BYTES[job.device.type] // (4 * numbers))
    n_rounds = math.ceil(n_models / (fitting * n_workers))
    return math.ceil(n_models / (n_rounds * n_workers))
