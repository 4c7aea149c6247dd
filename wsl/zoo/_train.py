"""``train_zoo``: many models trained at once, from arguments to a zoo.

Chunks of them are spread over workers in ``_spread`` and trained in ``_chunk``.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import effective_n_jobs

from .._device import resolve_device
from .._sklearn_compat import HasMethods, Interval, StrOptions, validate_params
from ..architectures import Architecture
from ..exceptions import DivergedModelWarning
from ._zoo import ModelZoo
from .training._arguments import (
    check_dropout,
    check_features,
    check_test_set,
    fitting_chunk_size,
    resolve_checkpoints,
)
from .training._chunk import ChunkJob
from .training._collect import collect
from .training._datasets import Dataset, Datasets
from .training._early_stopping import VALIDATION, EarlyStopping
from .training._hyperparameters import as_columns, with_one_activation
from .training._initialization import SCHEMES
from .training._loop import TrainingConfig
from .training._losses import LOSSES, resolve_loss
from .training._model_table import resolve_models
from .training._optimizers import OPTIMIZERS


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
        "penalty_warmup": [Interval(Integral, 0, None, closed="left")],
        "penalty_anneal": [Interval(Integral, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation": [StrOptions(set(VALIDATION))],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "stop_at_loss": [Interval(Real, 0, None, closed="left"), "array-like", None],
        "checkpoints": ["array-like", None],
        "init": [StrOptions(set(SCHEMES)), "array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like", None],
        "hyperparameters": [pd.DataFrame, HasMethods("__iter__"), None],
        "test_set": [tuple, "array-like", HasMethods("__getitem__"), callable, None],
        "seeds": ["array-like", None],
        "chunk_size": [Interval(Integral, 1, None, closed="left"), None],
        "out": [str, Path, None],
        "progress": ["boolean", StrOptions({"auto"})],
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
    penalty_warmup: int = 0,
    penalty_anneal: int = 0,
    early_stopping: bool = False,
    validation: str = "split",
    validation_fraction: float = 0.1,
    n_iter_no_change: int = 10,
    stop_at_loss=None,
    checkpoints: Sequence[int] | None = None,
    init: Any = "default",
    dropout=None,
    seeds=None,
    hyperparameters: pd.DataFrame | Iterable[Mapping[str, Any]] | None = None,
    test_set: Dataset | Sequence[Dataset] | Callable[[int], Dataset] | None = None,
    chunk_size: int | None = None,
    device="auto",
    n_jobs: int | None = None,
    random_state=None,
    out: str | Path | None = None,
    progress: bool | str = "auto",
) -> ModelZoo:
    """Train many models of one architecture together.

    Parameters carry a leading model axis and a chunk of models, sized for the cache, goes through
    each step in one batched product. A model's result depends on its seed, its data and its
    hyper-parameters; other models, chunk size and ``n_jobs`` change it by float rounding at most.

    Parameters
    ----------
    architecture : Architecture
    datasets : tuple, sequence of tuples, or callable
        One ``(X, y[, environments[, sample_weight]])`` for all models; or a sequence with one for
        each model, or a function from a model's index to its tuple. X is ``(n_samples,
        n_features)``; ``environments`` may be None. Each mean over samples of a batch, in all of
        it or in an environment, is weighted by ``sample_weight``: on all samples at once that
        counts as repeating them. A function is called where the model is trained, so it must
        pickle if ``n_jobs`` is used.
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
        ``penalty(outputs, targets, members, loss) -> (n_models,)``, which torch can differentiate
        in the outputs: ``wsl.causal.irm_penalty`` says what they are, ``wsl.causal.PENALTIES``
        which others there are. Datasets must then hold environments, and the objective is the loss
        averaged over environments plus ``penalty_weight`` times the penalty. A penalty with a
        parameter ``inputs`` is given the samples, ``(n_models or 1, n_samples, n_features)``; one
        with ``features``, what the last layer takes, ``(n_models, n_samples, n_features)``, in
        which it is differentiated, too; one with ``state``, a dict of tensors ``(n_models, ...)``
        to keep from step to step.
    penalty_weight : float, default=1.0
    penalty_warmup : int, default=0
        Epochs before the penalty counts.
    penalty_anneal : int, default=0
        Epochs after those over which its weight grows in equal steps, to be
        ``penalty_weight`` in the next. The loss keeps its own weight, which is one.
    early_stopping : bool, default=False
        Whether to set samples aside and keep the weights with which a model's objective is least
        on them. It stops when ``n_iter_no_change`` epochs have brought nothing lower, not
        counting those until the penalty has its full weight.
    validation : {"split", "environment"}, default="split"
        What to set aside, by each model's own seed: some samples of every environment, or whole
        environments. On the latter the objective is the loss without the penalty.
    validation_fraction : float, default=0.1
        The share of samples or of environments to set aside, rounded, but at least one.
    n_iter_no_change : int, default=10
    stop_at_loss : float or array ``(n_models,)``, optional
        A model stops after the first epoch whose mean training loss, over the batches as they were
        trained, is below this.
    checkpoints : sequence of int, optional
        Epochs at which to keep every model; 0 is before training. Rows are ordered by model, then
        epoch. By default the last epoch only. A model that stopped early repeats its last weights.
        With ``early_stopping``, a model's weights are the best until then.
    init : str or array ``(n_models, n_weights)``, default="default"
        Starting rows, or how to draw them: "default" (as torch does), "kaiming_uniform",
        "kaiming_normal", "lecun_uniform", "lecun_normal"; or one such name for each model.
    dropout : float or array ``(n_models,)``, optional
        The probability of every dropout layer of a model; by default each layer's own.
    seeds : array of int ``(n_models,)``, optional
        Each model's own seed, for its start and the order of its samples. Drawn from
        ``random_state`` by default and recorded, so that any model can be trained again alone.
    hyperparameters : DataFrame or iterable of mappings, optional
        One row a model, such as scikit-learn's ``ParameterGrid`` and ``ParameterSampler`` give.
        Columns take the place of the arguments of that name: ``learning_rate``,
        ``weight_decay``, ``init``, ``dropout``, ``seed``. ``activation`` takes the place of the
        architecture's; it must be one for all, as a zoo has one architecture (see
        :func:`train_zoos`). ``model`` is the index with which ``datasets`` is asked, by default
        the row's number: columns of a zoo's metadata train some of its models again.
    test_set : tuple, sequence of tuples, or callable, optional
        Samples on which each model is evaluated at each checkpoint, in the forms of ``datasets``.
    chunk_size : int, optional
        Models trained in one pass; by default as many as the cache holds.
    device : str or torch.device, default="auto"
    n_jobs : int, optional
        Workers over which joblib spreads the chunks: processes, or what
        ``joblib.parallel_config`` says, such as a Dask cluster. On CPU each keeps to one core.
    random_state : int, Generator, RandomState or None
    out : str or Path, optional
        A folder to write the zoo into, each chunk as soon as it is trained. A run that is killed
        or stopped leaves what is finished, and the same call made again trains the rest, whatever
        its ``n_jobs`` and ``chunk_size``. What the call can see of a function is its name and the
        sets that it gives for the first and the last model: if it changes otherwise, give another
        folder. Needs ``seeds``, or a ``random_state`` that is not None.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar on stderr; "auto" shows it on a terminal or in a notebook.

    Returns
    -------
    ModelZoo
        Its ``metadata`` has a row for each model and checkpoint: ``model``, ``seed``, ``epoch``
        (where it stopped, if earlier), ``train_loss``, ``learning_rate``, ``weight_decay``,
        ``init``, and ``dropout`` and ``activation`` where given. With ``test_set`` also
        ``train_accuracy``, on the model's own training set, ``test_loss`` and ``test_accuracy``;
        there is no accuracy with the loss "mse". With ``early_stopping`` also ``best_epoch``, that
        of the weights, and their ``validation_loss``. With ``out``, its weights are a memory map.

    Raises
    ------
    InvalidInputError
        If an argument has a wrong value or length; it is named.
    UnsupportedModuleError
        If a layer of the architecture cannot be trained; it is named. If the penalty takes features
        and the last layer is no Linear.
    TrainingFailedError
        If chunks raised, or a worker was killed; its ``models`` are the indices of the models that
        were not trained. All other chunks are trained, and written if there is ``out``, before.
    ZooFileError
        If ``out`` holds another zoo.

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

    A grid of hyper-parameters, with what every model of it scores:

    >>> from sklearn.model_selection import ParameterGrid
    >>> grid = ParameterGrid({"learning_rate": [0.01, 0.05], "init": ["default", "lecun_normal"]})
    >>> zoo = train_zoo(Architecture.mlp(4, [8], 3), (X[::2], y[::2]), hyperparameters=grid,
    ...                 test_set=(X[1::2], y[1::2]), batch_size=32, random_state=0)
    >>> zoo.metadata[["learning_rate", "init", "test_accuracy"]].shape
    (4, 3)
    """
    columns = {
        "seed": seeds,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "init": init,
        "dropout": dropout,
        **as_columns(hyperparameters),
    }
    if "activation" in columns:
        architecture = with_one_activation(architecture, columns["activation"])
    source = Datasets(datasets, architecture)
    test = None if test_set is None else Datasets(test_set, architecture, "test_set")
    given = [source] if test is None else [source, test]
    models = resolve_models(
        architecture, given, n_models, columns, stop_at_loss, random_state, out is not None
    )
    check_dropout(architecture, models.table.get("dropout"))
    first_y = source[int(models.table["model"].iloc[0])][1]
    config = TrainingConfig(
        architecture=architecture,
        loss=resolve_loss(loss, first_y, architecture.n_outputs),
        epochs=int(epochs),
        batch_size=None if batch_size is None else int(batch_size),
        optimizer=optimizer,
        penalty=penalty,
        penalty_weight=float(penalty_weight),
        penalty_warmup=int(penalty_warmup),
        penalty_anneal=int(penalty_anneal),
        checkpoints=resolve_checkpoints(checkpoints, int(epochs)),
        early_stopping=EarlyStopping(validation, float(validation_fraction), int(n_iter_no_change))
        if early_stopping
        else None,
    )
    check_features(config)
    if test is not None:
        check_test_set(
            test, int(models.table["model"].iloc[0]), config.loss, architecture.n_outputs
        )
    job, n_workers = ChunkJob(config, resolve_device(device)), effective_n_jobs(n_jobs)
    size = chunk_size or fitting_chunk_size(job, len(first_y), len(models), n_workers)
    zoo = collect(job, models, source, test, out, chunk_size=size, n_jobs=n_jobs, progress=progress)
    _warn_of_diverged(zoo)
    return zoo


def _warn_of_diverged(zoo: ModelZoo) -> None:
    finite = [np.isfinite(part.weights).all(axis=1) for part in zoo.batches()]
    diverged = np.unique(zoo.metadata["model"][~np.concatenate(finite)])
    if len(diverged):
        warnings.warn(
            f"{len(diverged)} of {zoo.metadata['model'].nunique()} models diverged, their weights "
            f"are not finite: models {diverged[:20].tolist()}"
            f"{' and more' if len(diverged) > 20 else ''}",
            DivergedModelWarning,
            stacklevel=4,  # past scikit-learn's check of parameters, to the caller
        )
