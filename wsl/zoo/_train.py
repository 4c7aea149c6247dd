"""``train_zoo``: many models trained at once, from arguments to a zoo."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import effective_n_jobs

from .._device import resolve_device
from .._diverged import diverged_rows, warn_of_diverged
from .._sklearn_compat import HasMethods, Interval, StrOptions, validate_params
from ..architectures import Architecture
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

    All parameters have a leading model axis, and a chunk of models, sized for the cache, goes
    through each training step in one batched product. A model depends on its seed, its data and its
    hyperparameters; the other models, ``chunk_size`` and ``n_jobs`` change it by float rounding at
    most.

    Parameters
    ----------
    architecture : Architecture
        The network that every model is.
    datasets : tuple, dict, sequence of these, or callable
        The training data: one ``(X, y[, environments[, sample_weight]])`` that all models share, a
        sequence with one such tuple per model, or a function from a model's index to its tuple. A
        dict with these keys stands for a tuple.

        - ``X``: array-like of shape (n_samples, n_inputs) or (n_samples, ...).
        - ``y``: array-like of shape (n_samples,) or (n_samples, n_outputs); class labels are
          whole numbers from 0.
        - ``environments``: array-like of shape (n_samples,), or None; labels of any type. Used by
          penalties and by ``validation="environment"``.
        - ``sample_weight``: array-like of shape (n_samples,), or None. Weights every mean over
          samples of a batch, in all of it or in an environment. With ``batch_size=None`` a whole
          weight is the same as repeating the sample.

        A function is called in the process that trains the model, so it must pickle if ``n_jobs``
        is used.
    n_models : int, optional
        How many models to train. Required unless datasets, ``seeds``, ``init`` or an array of
        hyperparameters determines it.
    loss : {"auto", "mse", "cross_entropy", "binary"}, default="auto"
        The loss of the outputs, which are logits for "cross_entropy" and "binary". "auto" is "mse"
        for targets of float type, unless the network has several outputs and each sample one
        target that is a class; otherwise it is "binary" with one output and "cross_entropy" with
        several.
    epochs : int, default=20
        Passes over the training data; 0 returns the starting weights.
    batch_size : int or None, default=256
        Samples per step. None trains on all samples at once.
    learning_rate : float or array-like of shape (n_models,), default=1e-3
        Step size of the optimizer, one for all models or one per model. The default is torch's for
        Adam; "sgd" usually needs a larger one.
    weight_decay : float or array-like of shape (n_models,), default=0.0
        Weight decay of the optimizer, one for all models or one per model.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
        The optimizer of the same name in ``torch.optim``, with its default settings.
    penalty : callable, optional
        A function ``penalty(outputs, targets, members, loss)`` that returns a tensor of shape
        (n_models,) and that torch can differentiate in the outputs. Datasets must then hold
        environments, and the objective is the loss averaged over environments plus
        ``penalty_weight`` times the penalty. The penalties of ``wsl.causal`` have this form, see
        :func:`~wsl.causal.irm_penalty` for the arguments. A penalty may have further parameters:
        ``inputs``, the samples, of shape (n_models or 1, n_samples, n_features); ``features``, the
        inputs of the last layer, of shape (n_models, n_samples, n_features), in which the penalty
        is differentiated too; ``state``, a dict of tensors of shape (n_models, ...) that is kept
        from step to step.
    penalty_weight : float, default=1.0
        Factor of the penalty in the objective.
    penalty_warmup : int, default=0
        Epochs before the penalty counts, so that models can fit the data first.
    penalty_anneal : int, default=0
        Epochs after the warm-up during which the penalty's weight grows in equal steps, to reach
        ``penalty_weight`` in the next epoch. The weight of the loss stays 1.
    early_stopping : bool, default=False
        If True, hold samples out and return the weights with the least objective on them. A model
        stops when ``n_iter_no_change`` epochs have not improved it, not counting the epochs before
        the penalty has its full weight.
    validation : {"split", "environment"}, default="split"
        What early stopping holds out, drawn from each model's own seed: samples of every
        environment, or whole environments. For the latter the objective is the loss without the
        penalty.
    validation_fraction : float, default=0.1
        Fraction of the samples or environments to hold out, rounded, but at least one. Only used
        with ``early_stopping``.
    n_iter_no_change : int, default=10
        Epochs without improvement after which a model stops. Only used with ``early_stopping``.
    stop_at_loss : float or array-like of shape (n_models,), optional
        A model stops after the first epoch whose mean training loss, over the batches as they were
        trained, is below this. By default no model does.
    checkpoints : sequence of int, optional
        Epochs at which every model is kept; 0 is before training. Rows are ordered by model, then
        by epoch. By default the last epoch only. A model that stopped early repeats its last
        weights. With ``early_stopping``, the weights at a checkpoint are the best until then.
    init : str or array-like, default="default"
        How starting weights are drawn, one name for all models or a sequence of one per model:
        "default" (as torch does), "kaiming_uniform", "kaiming_normal", "lecun_uniform" or
        "lecun_normal". An array of shape (n_models, n_weights) holds the starting weights
        themselves.
    dropout : float or array-like of shape (n_models,), optional
        The probability of every dropout layer of a model. By default each layer's own.
    seeds : array-like of int of shape (n_models,), optional
        The seed of each model, for its starting weights and the order of its samples. By default
        drawn from ``random_state``. Seeds are part of the metadata, so that any model can be
        trained again alone.
    hyperparameters : DataFrame or iterable of mappings, optional
        One row per model, such as scikit-learn's ``ParameterGrid`` and ``ParameterSampler`` return.
        The columns ``learning_rate``, ``weight_decay``, ``init``, ``dropout`` and ``seed`` replace
        the arguments of that name. ``activation`` replaces that of the architecture; it must be the
        same for all models, as a zoo has one architecture (see :func:`train_zoos`). ``model`` is
        the index into ``datasets``, by default the number of the row: with columns of a zoo's
        metadata, some of its models can be trained again.
    test_set : tuple, sequence of tuples, or callable, optional
        Samples on which each model is evaluated at each checkpoint, in the forms of ``datasets``.
    chunk_size : int, optional
        Models that are trained in one pass; by default as many as fit the cache.
    device : str or torch.device, default="auto"
        Where to train. "auto" is the first of cuda, mps and cpu that is available.
    n_jobs : int, optional
        Workers over which joblib distributes the chunks: processes, or the backend of
        ``joblib.parallel_config``, such as a Dask cluster. On the CPU each worker uses one core.
        None means 1.
    random_state : int, Generator, RandomState or None, default=None
        From which ``seeds`` are drawn. An int makes the zoo reproducible.
    out : str or Path, optional
        Folder to write the zoo into, chunk by chunk as they are trained. An interrupted run leaves
        the finished chunks there, and the same call trains the rest, with any ``n_jobs`` and
        ``chunk_size``. Requires ``seeds``, or a ``random_state`` that is not None. A function in
        the arguments is recognized by its name and by the datasets that it returns for the first
        and the last model: use another folder if it changes in any other way.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar on stderr; "auto" shows it on a terminal or in a notebook.

    Returns
    -------
    ModelZoo
        The trained models. The metadata has a row per model and checkpoint: ``model``, ``seed``,
        ``epoch`` (the last epoch of a model that stopped early), ``train_loss``,
        ``learning_rate``, ``weight_decay``, ``init``, and ``dropout`` and ``activation`` if they
        were given. With ``test_set`` also ``train_accuracy``, on the model's own training set,
        ``test_loss`` and ``test_accuracy``; there is no accuracy with the loss "mse". With
        ``early_stopping`` also ``best_epoch``, that of the weights, and their
        ``validation_loss``. With ``out``, the weights are a memory map.

    Raises
    ------
    InvalidInputError
        If an argument has an invalid value or length; it is named.
    UnsupportedModuleError
        If the architecture has a layer that cannot be trained, which is named; if the penalty takes
        features and the last layer is not Linear.
    TrainingFailedError
        If chunks raised an error or a worker was killed. Its ``models`` are the indices of the
        models that were not trained. All other chunks are trained first, and written to ``out``.
    FolderInUseError
        If another process writes into ``out``; it is named.
    ZooFileError
        If ``out`` holds another zoo.

    Warns
    -----
    DivergedModelWarning
        If models diverged; their indices are named. The warning's class says by which rule.

    See Also
    --------
    train_zoos : Train one zoo per activation function.
    read_zoo : Read models that are trained already.
    wsl.causal.CausalMitigatedClassifier : The estimator that trains single models with a penalty.
    wsl.datasets.load_digits_zoo : A zoo that is trained on first use.

    Notes
    -----
    Starting weights, order of samples and dropout masks come from each model's own seed. No global
    random state is read or changed.

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

    A grid of hyperparameters, and the test accuracy of each model:

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
    train_sets = Datasets(datasets, architecture)
    architecture = train_sets.architecture
    test_sets = None if test_set is None else Datasets(test_set, architecture, "test_set")
    all_sets = [train_sets] if test_sets is None else [train_sets, test_sets]
    models = resolve_models(
        architecture, all_sets, n_models, columns, stop_at_loss, random_state, out is not None
    )
    check_dropout(architecture, models.table.get("dropout"))
    first_model = int(models.table["model"].iloc[0])
    first_y = train_sets[first_model][1]
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
    if test_sets is not None:
        check_test_set(test_sets, first_model, config.loss, architecture.n_outputs)
    job, n_workers = ChunkJob(config, resolve_device(device)), effective_n_jobs(n_jobs)
    size = chunk_size or fitting_chunk_size(job, len(first_y), len(models), n_workers)
    zoo = collect(
        job, models, train_sets, test_sets, out, chunk_size=size, n_jobs=n_jobs, progress=progress
    )
    diverged = diverged_rows(batch.weights for batch in zoo.batches())
    indices = zoo.metadata["model"]
    warn_of_diverged(np.unique(indices[diverged]).tolist(), indices.nunique())
    return zoo
