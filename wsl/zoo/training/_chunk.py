"""What a worker does with a chunk of models: draw their sets, train them, evaluate them.

The training loop lives in ``_engine``; spreading chunks over workers in ``_spread``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ..._threads import one_thread
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

    recipe: TrainingConfig
    device: torch.device


@dataclass
class TrainedRows:
    """Rows of a zoo: weights ``(n_rows, n_weights)`` and metadata, by model, then checkpoint."""

    weights: np.ndarray
    table: pd.DataFrame


def train_models(
    job: ChunkJob, models: ModelTable, datasets: Datasets, test: Datasets | None
) -> TrainedRows:
    """Train models, those with sets of one size together; evaluate them if there is a test set."""
    indices = models.table["model"].tolist()
    with one_thread():
        sets = datasets.of(indices)
        trained = _train(job, models, sets)
        scores = {}
        if test is not None:
            own = evaluate(job.recipe, trained.weights, sets, job.device)
            held_out = evaluate(job.recipe, trained.weights, test.of(indices), job.device)
            scores = {
                "train_accuracy": own.accuracy,
                "test_loss": held_out.loss,
                "test_accuracy": held_out.accuracy,
            }
    return _to_rows(models, trained, scores)


def _train(job: ChunkJob, models: ModelTable, sets: Sequence[Dataset]) -> TrainedChunk:
    parts, places = [], []
    given: Sequence[Dataset | Split] = sets
    if job.recipe.early_stopping is not None:
        given = _split(job.recipe.early_stopping, models.table["seed"].to_numpy(), sets)
    for members, own_sets in by_size(given, len(models)):
        parts.append(train_chunk(job.recipe, _make_chunk(job, models, members, own_sets)))
        places.append(members)
    back = np.argsort(np.concatenate(places))

    def together(arrays: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays, axis=1)[:, back]

    return TrainedChunk(
        together([part.weights for part in parts]),
        {name: together([part.columns[name] for part in parts]) for name in parts[0].columns},
    )


def _split(stopping: EarlyStopping, seeds: np.ndarray, sets: Sequence[Dataset]) -> list[Split]:
    """Return each model's own split of its set, or of the one for all."""
    own = sets if len(sets) == len(seeds) else [sets[0]] * len(seeds)
    return [stopping.split(dataset, seed) for dataset, seed in zip(own, seeds, strict=True)]


def _make_chunk(
    job: ChunkJob, models: ModelTable, members: np.ndarray, sets: Sequence[Dataset | Split]
) -> Chunk:
    recipe, device, table = job.recipe, job.device, models.table.iloc[members]
    rngs = [np.random.default_rng(seed) for seed in table["seed"]]
    starts = [models.starts[int(i)] for i in members]
    rows = [
        initial_row(recipe.architecture, start, rng) if isinstance(start, str) else start
        for start, rng in zip(starts, rngs, strict=True)
    ]
    splits = [own for own in sets if isinstance(own, Split)]
    train = [own.train for own in splits] or list(sets)

    def column(name: str) -> torch.Tensor:
        return torch.tensor(table[name].to_numpy(np.float32), device=device)

    return Chunk(
        weights=torch.tensor(np.stack(rows), device=device),
        samples=_stack(recipe, train, device),
        validation=_stack(recipe, [s.validation for s in splits], device) if splits else None,
        learning_rate=column("learning_rate")[:, None],
        weight_decay=column("weight_decay")[:, None],
        stop_at_loss=torch.tensor(models.stop_at_loss[members], device=device),
        seeds=table["seed"].to_numpy(),
        rngs=rngs,
        dropout=column("dropout") if "dropout" in table else None,
    )


def _stack(recipe: TrainingConfig, sets: Sequence[Dataset], device: torch.device) -> Samples:
    """Return the sets of one size as the engine takes them."""
    n_outputs = recipe.architecture.n_outputs
    targets = [LOSSES[recipe.loss].targets(y, n_outputs) for _, y, *_ in sets]
    return Samples(
        torch.tensor(np.stack([X for X, *_ in sets]), device=device),
        torch.stack(targets).to(device),
        _environments(recipe, sets, device),
        _weights(sets, device),
    )


def _weights(sets: Sequence[Dataset], device: torch.device) -> torch.Tensor | None:
    if all(weights is None for *_, weights in sets):
        return None
    ones = np.ones(len(sets[0][0]))
    rows = [ones if weights is None else weights for *_, weights in sets]
    return torch.tensor(np.stack(rows).astype(np.float32), device=device)


def _environments(
    recipe: TrainingConfig, sets: Sequence[Dataset], device: torch.device
) -> torch.Tensor | None:
    if recipe.penalty is None:
        return None
    given = [e for _, _, e, _ in sets if e is not None]
    if len(given) < len(sets):
        raise InvalidInputError(
            "datasets hold no environments; with penalty, wanted (X, y, environments)"
        )
    return torch.stack([encode_environments(e) for e in given]).to(device)


def _to_rows(
    models: ModelTable, trained: TrainedChunk, scores: dict[str, np.ndarray | None]
) -> TrainedRows:
    """Order by model, then checkpoint, what was recorded by checkpoint, then model."""
    n_checkpoints, n_models, n_weights = trained.weights.shape
    repeated = np.repeat(np.arange(n_models), n_checkpoints)
    table = models.table.iloc[repeated].reset_index(drop=True)
    for place, name in enumerate(("epoch", "train_loss"), start=2):
        table.insert(place, name, trained.columns.pop(name).T.ravel())
    columns: dict[str, np.ndarray | None] = {**trained.columns, **scores}
    for name, values in columns.items():
        if values is not None:
            table[name] = values.T.ravel()
    return TrainedRows(trained.weights.swapaxes(0, 1).reshape(-1, n_weights), table)
