"""``train_zoo``: many models trained at once, cut into chunks and spread over workers.

The loop that trains one chunk lives in ``_engine``.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed, effective_n_jobs
from torch import nn
from tqdm import tqdm

from .._device import resolve_device
from .._random import draw_seeds
from .._sklearn_compat import HasMethods, Interval, StrOptions, validate_params
from ..architectures import Architecture
from ..exceptions import DivergedModelWarning, InvalidInputError, UnsupportedModuleError
from ._data import Dataset, Datasets, encode_environments
from ._engine import Chunk, Recipe, Trained, train_chunk
from ._init import SCHEMES, initial_row
from ._losses import LOSSES, resolve_loss
from ._models import count_models, model_table, resolve_init, resolve_stop
from ._optimizers import OPTIMIZERS
from ._zoo import ModelZoo

# Measured on experiment A's models: below 128 in a chunk (2 MiB here) the calls themselves take the
# time, above 256 nothing is gained and memory grows. A GPU wants far more at once.
CHUNK_BYTES = {"cpu": 2**22, "cuda": 2**28, "mps": 2**27}
SMALLEST_CHUNK = 32


@validate_params(
    {
        "architecture": [Architecture],
        "datasets": [tuple, "array-like", HasMethods("__getitem__"), callable],
        "n_models": [Interval(Integral, 1, None, closed="left"), None],
        "loss": [StrOptions({"auto", *LOSSES})],
        "epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "weight_decay": [Interval(Real, 0, None, closed="left"), "array-like"],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "penalty": [callable, None],
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
        "stop_at_loss": [Interval(Real, 0, None, closed="left"), "array-like", None],
        "checkpoints": ["array-like", None],
        "init": [StrOptions(set(SCHEMES)), "array-like"],
        "seeds": ["array-like", None],
        "chunk_size": [Interval(Integral, 1, None, closed="left"), None],
        "progress": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def train_zoo(
    architecture: Architecture,
    datasets: Dataset | Sequence[Dataset] | Callable[[int], Dataset],
    *,
    n_models: int | None = None,
    loss: str = "auto",
    epochs: int = 20,
    batch_size: int | None = 256,
    learning_rate=1e-3,
    weight_decay=0.0,
    optimizer: str = "adam",
    penalty: Callable[..., torch.Tensor] | None = None,
    penalty_weight: float = 1.0,
    stop_at_loss=None,
    checkpoints: Sequence[int] | None = None,
    init: Any = "default",
    seeds=None,
    chunk_size: int | None = None,
    device="auto",
    n_jobs: int | None = None,
    random_state=None,
    progress: bool = False,
) -> ModelZoo:
    """Train many models of one architecture together.

    Parameters carry a leading model axis and a chunk of models, sized for the cache, goes through
    each step in one batched product. A model's result depends on its seed, its data and its
    hyper-parameters; other models, chunk size and ``n_jobs`` change it by float rounding at most.

    Parameters
    ----------
    architecture : Architecture
    datasets : tuple, sequence of tuples, or callable
        One ``(X, y)`` or ``(X, y, environments)`` for all models; or a sequence with one for each
        model, or a function from a model's index to its tuple. X is ``(n_samples, n_features)``.
        A function is called where the model is trained, so it must pickle if ``n_jobs`` is used.
    n_models : int, optional
        Needed unless datasets, ``seeds``, ``init`` or an array of hyper-parameters tells it.
    loss : {"auto", "mse", "cross_entropy", "binary"}, default="auto"
        "auto": "mse" for targets of float type, else "binary" with one output, "cross_entropy"
        with several. Outputs are logits.
    epochs : int, default=20
    batch_size : int or None, default=256
        None trains on all samples at once.
    learning_rate, weight_decay : float or array ``(n_models,)``
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
        As in ``torch.optim``, with its default settings.
    penalty : callable, optional
        ``penalty(outputs, targets, members, loss) -> (n_models,)``: ``wsl.causal.irm_penalty``.
        Datasets must then hold environments, and the objective is the loss averaged over
        environments plus ``penalty_weight`` times the penalty.
    penalty_weight : float, default=1.0
    stop_at_loss : float or array ``(n_models,)``, optional
        A model stops after the first epoch whose mean training loss, over the batches as they were
        trained, is below this.
    checkpoints : sequence of int, optional
        Epochs at which to keep every model; 0 is before training. Rows are ordered by model, then
        epoch. By default the last epoch only. A model that stopped early repeats its last weights.
    init : str or array ``(n_models, n_weights)``, default="default"
        Starting rows, or how to draw them: "default" (as torch does), "kaiming_uniform",
        "kaiming_normal", "lecun_uniform", "lecun_normal"; or one such name for each model.
    seeds : array of int ``(n_models,)``, optional
        Each model's own seed, for its start and the order of its samples. Drawn from
        ``random_state`` by default and recorded, so that any model can be trained again alone.
    chunk_size : int, optional
        Models trained in one pass; by default as many as the cache holds.
    device : str or torch.device, default="auto"
    n_jobs : int, optional
        Workers over which joblib spreads the chunks.
    random_state : int, Generator, RandomState or None
    progress : bool, default=False
        Show a progress bar on stderr.

    Returns
    -------
    ModelZoo
        Its ``metadata`` has a row for each model and checkpoint: ``model``, ``seed``, ``epoch``
        (where it stopped, if earlier), ``train_loss``, ``learning_rate``, ``weight_decay`` and
        ``init``.

    Raises
    ------
    InvalidInputError
        If an argument has a wrong value or length; it is named.
    UnsupportedModuleError
        If the architecture has dropout, which is not trained with.

    Warns
    -----
    DivergedModelWarning
        If weights are no longer finite; the models' indices are named.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from wsl import Architecture, train_zoo
    >>> X, y = load_iris(return_X_y=True)
    >>> zoo = train_zoo(Architecture.mlp(4, [8], 3), (X, y), n_models=16, learning_rate=0.05,
    ...                 batch_size=32, random_state=0)
    >>> len(zoo), zoo.weights.shape
    (16, (16, 67))
    >>> bool(zoo.accuracy(X, y).mean() > 0.9)
    True
    """
    # _refuse_dropout(architecture)
    source = Datasets(datasets, architecture)
    n_models = count_models(n_models, source, seeds, init, learning_rate, weight_decay)
    first_y = source[0][1]
    recipe = Recipe(
        architecture=architecture,
        loss=resolve_loss(loss, first_y, architecture.n_outputs),
        epochs=int(epochs),
        batch_size=batch_size,
        optimizer=optimizer,
        penalty=penalty,
        penalty_weight=float(penalty_weight),
        checkpoints=_resolve_checkpoints(checkpoints, int(epochs)),
    )
    if seeds is None:
        seeds = draw_seeds(random_state, n_models)
    table = model_table(n_models, seeds, learning_rate, weight_decay)
    starts, table["init"] = resolve_init(init, architecture, n_models)
    stop = resolve_stop(stop_at_loss, n_models)
    place = resolve_device(device)
    size = chunk_size or _chunk_size(recipe, len(first_y), place, n_models, n_jobs)
    tasks = (
        delayed(_train_models)(
            recipe, source, table[i : i + size], starts[i : i + size], stop, place
        )
        for i in range(0, n_models, size)
    )
    results = Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
    trained = list(_with_progress(results, table, size, progress))
    return _assemble(architecture, table, trained)


def _refuse_dropout(architecture: Architecture) -> None:
    for name, layer in architecture.template.named_modules():
        if getattr(layer, "p", 0) and isinstance(layer, nn.modules.dropout._DropoutNd):
            raise UnsupportedModuleError(
                f"layer {name!r} of the architecture is {layer!r}; wanted p=0, as models trained "
                "together have no dropout of their own"
            )


def _resolve_checkpoints(checkpoints: Sequence[int] | None, epochs: int) -> tuple[int, ...]:
    if checkpoints is None:
        return (epochs,)
    wanted = tuple(sorted({int(c) for c in checkpoints}))
    if not wanted or wanted[0] < 0 or wanted[-1] > epochs:
        raise InvalidInputError(
            f"checkpoints={list(checkpoints)}; wanted epochs from 0 to {epochs}"
        )
    return wanted


def _chunk_size(
    recipe: Recipe, n_samples: int, device: torch.device, n_models: int, n_jobs: int | None
) -> int:
    architecture = recipe.architecture
    batch = min(recipe.batch_size or n_samples, n_samples)
    numbers = 5 * architecture.n_weights + 3 * batch * architecture.activation_size
    fitting = max(SMALLEST_CHUNK, CHUNK_BYTES[device.type] // (4 * numbers))
    return min(fitting, math.ceil(n_models / effective_n_jobs(n_jobs)))


def _train_models(
    recipe: Recipe,
    source: Datasets,
    table: pd.DataFrame,
    starts: Sequence[Any],
    stop_at_loss: np.ndarray,
    device: torch.device,
) -> Trained:
    """Train the models of ``table``, those with sets of one size together."""
    sets = [source[0]] if source.shared else [source[model] for model in table["model"]]
    sizes = np.array([len(X) for X, *_ in sets])
    parts, places = [], []
    for size in np.unique(sizes):
        members = np.arange(len(table)) if source.shared else np.flatnonzero(sizes == size)
        own_sets = sets if source.shared else [sets[i] for i in members]
        own = table.iloc[members]
        chunk = _make_chunk(recipe, own, [starts[int(i)] for i in members], own_sets, device)
        chunk = replace(
            chunk, stop_at_loss=torch.tensor(stop_at_loss[own["model"].to_numpy()], device=device)
        )
        parts.append(train_chunk(recipe, chunk))
        places.append(members)
    back = np.argsort(np.concatenate(places))
    return Trained(
        *(
            np.concatenate([getattr(part, name) for part in parts], axis=1)[:, back]
            for name in ("weights", "epoch", "loss")
        )
    )


def _make_chunk(
    recipe: Recipe,
    table: pd.DataFrame,
    starts: Sequence[Any],
    sets: Sequence[Dataset],
    device: torch.device,
) -> Chunk:
    rngs = [np.random.default_rng(seed) for seed in table["seed"]]
    rows = [
        initial_row(recipe.architecture, start, rng) if isinstance(start, str) else start
        for start, rng in zip(starts, rngs, strict=True)
    ]
    n_outputs = recipe.architecture.n_outputs
    targets = [LOSSES[recipe.loss].targets(y, n_outputs) for _, y, _ in sets]
    environments = [e for *_, e in sets if e is not None]
    if recipe.penalty is not None and len(environments) < len(sets):
        raise InvalidInputError(
            "datasets hold no environments; with penalty, wanted (X, y, environments)"
        )
    encoded = [encode_environments(e) for e in environments] if recipe.penalty is not None else []

    def column(name: str) -> torch.Tensor:
        return torch.tensor(table[name].to_numpy(np.float32), device=device)[:, None]

    return Chunk(
        weights=torch.tensor(np.stack(rows), device=device),
        inputs=torch.tensor(np.stack([X for X, *_ in sets]), device=device),
        targets=torch.stack(targets).to(device),
        environments=torch.stack(encoded).to(device) if encoded else None,
        learning_rate=column("learning_rate"),
        weight_decay=column("weight_decay"),
        stop_at_loss=torch.full((len(table),), -torch.inf, device=device),
        seeds=table["seed"].to_numpy(),
        rngs=rngs,
    )


def _with_progress(results, table: pd.DataFrame, size: int, progress: bool) -> Iterator[Trained]:
    with tqdm(total=len(table), desc="training models", unit="model", disable=not progress) as bar:
        for result in results:
            bar.update(result.weights.shape[1])
            yield result


def _assemble(
    architecture: Architecture, table: pd.DataFrame, trained: Sequence[Trained]
) -> ModelZoo:
    def by_model(name: str) -> np.ndarray:
        joined = np.concatenate([getattr(part, name) for part in trained], axis=1)
        return joined.swapaxes(0, 1).reshape(-1, *joined.shape[2:])

    weights = by_model("weights")
    n_checkpoints = len(weights) // len(table)
    metadata = table.loc[table.index.repeat(n_checkpoints)].reset_index(drop=True)
    metadata.insert(2, "epoch", by_model("epoch"))
    metadata.insert(3, "train_loss", by_model("loss"))
    diverged = np.unique(metadata["model"][~np.isfinite(weights).all(axis=1)])
    if len(diverged):
        warnings.warn(
            f"{len(diverged)} of {len(table)} models diverged, their weights are not finite: "
            f"models {diverged[:20].tolist()}{' and more' if len(diverged) > 20 else ''}",
            DivergedModelWarning,
            stacklevel=4,  # past scikit-learn's check of parameters, to the caller
        )
    return ModelZoo(weights, architecture, metadata)
