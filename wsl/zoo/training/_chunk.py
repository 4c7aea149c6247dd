"""What a worker does with a chunk of models: draw their sets, train them, evaluate them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ..._threads import one_thread
from ..._torch_defaults import torch_defaults
from ...exceptions import InvalidInputError
from ._datasets import Dataset, Datasets, Split, by_size, encode_environments
from ._early_stopping import EarlyStopping
from ._evaluation import evaluate
from ._initialization import initial_row
from ._loop import Chunk, TrainedChunk, TrainingConfig, train_chunk
from ._losses import LOSSES
from ._minibatches import Samples
from ._model_table import ModelTable


@dataclass(frozen=True)
class ChunkJob:
    """What is the same for every chunk."""

    config: TrainingConfig
    device: torch.device


@dataclass
class TrainedRows:
    """Rows of a zoo: weights ``(n_rows, n_weights)`` and metadata, by model, then checkpoint."""

    weights: np.ndarray
    table: pd.DataFrame


def train_models(
    job: ChunkJob, models: ModelTable, datasets: Datasets, test_sets: Datasets | None
) -> TrainedRows:
    """Train models, those with sets of one size together; evaluate them if there is a test set."""
    indices = models.table["model"].tolist()
    with one_thread(), torch_defaults():
        training_sets = datasets.of(indices)
        trained = _train(job, models, training_sets)
        scores = {}
        if test_sets is not None:
            train_scores = evaluate(job.config, trained.weights, training_sets, job.device)
            test_scores = evaluate(job.config, trained.weights, test_sets.of(indices), job.device)
            scores = {
                "train_accuracy": train_scores.accuracy,
                "test_loss": test_scores.loss,
                "test_accuracy": test_scores.accuracy,
            }
    return _to_rows(models, trained, scores)


def _train(job: ChunkJob, models: ModelTable, datasets: Sequence[Dataset]) -> TrainedChunk:
    """Train the models of each size of set; return them in the order of ``models``."""
    early_stopping = job.config.early_stopping
    sets: Sequence[Dataset | Split] = datasets
    if early_stopping is not None:
        sets = _split(early_stopping, models.table["seed"].to_numpy(), datasets)
    parts, indices = [], []
    for members, member_sets in by_size(sets, len(models)):
        parts.append(train_chunk(job.config, _make_chunk(job, models, members, member_sets)))
        indices.append(members)
    order = np.argsort(np.concatenate(indices))

    def joined(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays, axis=1)[:, order]

    return TrainedChunk(
        joined([part.weights for part in parts]),
        {name: joined([part.columns[name] for part in parts]) for name in parts[0].columns},
    )


def _split(
    early_stopping: EarlyStopping, seeds: np.ndarray, datasets: Sequence[Dataset]
) -> list[Split]:
    """Return each model's split of its set, or of the one that all models share."""
    per_model = datasets if len(datasets) == len(seeds) else [datasets[0]] * len(seeds)
    return [early_stopping.split(d, seed) for d, seed in zip(per_model, seeds, strict=True)]


def _make_chunk(
    job: ChunkJob, models: ModelTable, members: np.ndarray, sets: Sequence[Dataset | Split]
) -> Chunk:
    """Return the models with the indices ``members`` as the training loop takes them."""
    config, device, table = job.config, job.device, models.table.iloc[members]
    rngs = [np.random.default_rng(seed) for seed in table["seed"]]
    starts = [models.starts[int(i)] for i in members]
    rows = [
        initial_row(config.architecture, start, rng) if isinstance(start, str) else start
        for start, rng in zip(starts, rngs, strict=True)
    ]
    splits = [s for s in sets if isinstance(s, Split)]
    train = [split.train for split in splits] or list(sets)

    def column(name: str) -> torch.Tensor:
        return torch.tensor(table[name].to_numpy(np.float32), device=device)

    return Chunk(
        weights=torch.tensor(np.stack(rows), device=device),
        samples=_stack(config, train, device),
        validation=_stack(config, [s.validation for s in splits], device) if splits else None,
        learning_rate=column("learning_rate")[:, None],
        weight_decay=column("weight_decay")[:, None],
        stop_at_loss=torch.tensor(models.stop_at_loss[members], device=device),
        seeds=table["seed"].to_numpy(),
        rngs=rngs,
        dropout=column("dropout") if "dropout" in table else None,
    )


def _stack(config: TrainingConfig, datasets: Sequence[Dataset], device: torch.device) -> Samples:
    """Return sets of one size as the training loop takes them."""
    n_outputs = config.architecture.n_outputs
    targets = [LOSSES[config.loss].targets(y, n_outputs) for _, y, *_ in datasets]
    return Samples(
        torch.tensor(np.stack([X for X, *_ in datasets]), device=device),
        torch.stack(targets).to(device),
        _environments(config, datasets, device),
        _sample_weights(datasets, device),
    )


def _sample_weights(datasets: Sequence[Dataset], device: torch.device) -> torch.Tensor | None:
    """Return sample weights ``(n_sets, n_samples)``; None if no set has any."""
    if all(weights is None for *_, weights in datasets):
        return None
    ones = np.ones(len(datasets[0][0]))
    rows = [ones if weights is None else weights for *_, weights in datasets]
    return torch.tensor(np.stack(rows).astype(np.float32), device=device)


def _environments(
    config: TrainingConfig, datasets: Sequence[Dataset], device: torch.device
) -> torch.Tensor | None:
    """Return environments ``(n_sets, n_samples)`` as whole numbers; None without a penalty."""
    if config.penalty is None:
        return None
    labels = [environments for _, _, environments, _ in datasets if environments is not None]
    if len(labels) < len(datasets):
        raise InvalidInputError(
            "`datasets` must be of the form (X, y, environments) when `penalty` is given; got "
            "datasets without environments."
        )
    return torch.stack([encode_environments(e) for e in labels]).to(device)


def _to_rows(
    models: ModelTable, trained: TrainedChunk, scores: dict[str, np.ndarray | None]
) -> TrainedRows:
    """Order by model, then checkpoint, what was recorded by checkpoint, then model."""
    n_checkpoints, n_models, n_weights = trained.weights.shape
    repeated = np.repeat(np.arange(n_models), n_checkpoints)
    table = models.table.iloc[repeated].reset_index(drop=True)
    for position, name in enumerate(("epoch", "train_loss"), start=2):
        table.insert(position, name, trained.columns.pop(name).T.ravel())
    columns: dict[str, np.ndarray | None] = {**trained.columns, **scores}
    for name, values in columns.items():
        if values is not None:
            table[name] = values.T.ravel()
    return TrainedRows(trained.weights.swapaxes(0, 1).reshape(-1, n_weights), table)
