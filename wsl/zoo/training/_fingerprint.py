"""A digest of everything that decides a zoo, so that only the same training is resumed."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import joblib
import numpy as np

from ... import __version__
from ..._digest import json_digest
from ._chunk import ChunkJob
from ._datasets import Datasets, function_name
from ._model_table import ModelTable


def fingerprint(
    job: ChunkJob, models: ModelTable, datasets: Datasets, test_sets: Datasets | None
) -> str:
    """Return a digest of everything that decides weights and metadata.

    That is the architecture, the training config, each model's row, start and stop, the data, the
    type of device and the release. A function counts by its module and name, and by the datasets
    that it returns for the first and the last model. The size of chunks does not count.
    """
    config, architecture = job.config, job.config.architecture
    indices = models.table["model"].tolist()
    names = (
        *("loss", "epochs", "batch_size", "optimizer", "checkpoints"),
        *("penalty_weight", "penalty_warmup", "penalty_anneal"),
    )
    parts = {
        "release": __version__,
        "device": job.device.type,
        "architecture": [
            repr(architecture.template),
            architecture.input_shape,
            architecture.parameter_names,
            architecture.parameter_shapes,
        ],
        "config": {name: getattr(config, name) for name in names},
        "penalty": None if config.penalty is None else _penalty_name(config.penalty),
        "early_stopping": config.early_stopping and asdict(config.early_stopping),
        "models": {str(name): column.tolist() for name, column in models.table.items()},
        "stop_at_loss": models.stop_at_loss.tolist(),
        "starts": _starts_digest(models.starts),
        "datasets": datasets.digest(indices),
        "test_set": None if test_sets is None else test_sets.digest(indices),
    }
    return json_digest(parts)


def _penalty_name(penalty: Callable[..., Any]) -> list[Any]:
    """Return the name of a penalty and the arguments that ``partial`` bound to it."""
    if isinstance(penalty, partial):
        bound = [repr(penalty.args), repr(sorted(penalty.keywords.items()))]
        return [*_penalty_name(penalty.func), *bound]
    return [function_name(penalty)]


def _starts_digest(starts: Any) -> Any:
    return joblib.hash(starts) if isinstance(starts, np.ndarray) else list(starts)
