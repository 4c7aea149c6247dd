"""What differs from model to model: how many there are, seeds, rates, starts and when to stop.

Checked and put side by side here; used in ``_train`` and ``_engine``.
"""

from typing import Any

import numpy as np
import pandas as pd

from .._validation import check_rows, per_model
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._data import Datasets
from ._init import SCHEMES


def count_models(n_models: int | None, source: Datasets, *per_model_values: Any) -> int:
    """Return the number of models that the arguments agree on."""
    counts = [len(v) for v in per_model_values if np.ndim(v) > 0]
    found = [n for n in (n_models, source.n_models, *counts) if n is not None]
    if not found:
        raise InvalidInputError("n_models is None; wanted a number, as nothing else given tells it")
    if len(set(found)) > 1:
        raise InvalidInputError(
            f"n_models={n_models}, but datasets, seeds, init, learning_rate or weight_decay are "
            f"for {sorted(set(found))} models; wanted one number"
        )
    return int(found[0])


def model_table(n_models: int, seeds: Any, learning_rate: Any, weight_decay: Any) -> pd.DataFrame:
    """Return one row a model: its index, seed, learning rate and weight decay."""
    return pd.DataFrame(
        {
            "model": np.arange(n_models),
            "seed": per_model(
                seeds,
                n_models,
                "seeds",
                wanted="whole numbers from 0",
                valid=lambda v: (v >= 0) & (v % 1 == 0),
                dtype=np.int64,
            ),
            "learning_rate": per_model(
                learning_rate,
                n_models,
                "learning_rate",
                wanted="positive numbers",
                valid=lambda v: (v > 0) & np.isfinite(v),
            ),
            "weight_decay": per_model(
                weight_decay,
                n_models,
                "weight_decay",
                wanted="numbers from 0",
                valid=lambda v: (v >= 0) & np.isfinite(v),
            ),
        }
    )


def resolve_stop(stop_at_loss: Any, n_models: int) -> np.ndarray:
    """Return the loss below which each model stops, ``(n_models,)``; 0, never, for None."""
    return per_model(
        0.0 if stop_at_loss is None else stop_at_loss,
        n_models,
        "stop_at_loss",
        wanted="numbers from 0",
        valid=lambda v: v >= 0,
    )


def resolve_init(init: Any, architecture: Architecture, n_models: int) -> tuple[Any, Any]:
    """Return, for each model, its starting row or scheme, and the name to record."""
    if isinstance(init, str):
        return [init] * n_models, init
    if all(isinstance(scheme, str) for scheme in init):
        unknown = sorted(set(init) - set(SCHEMES))
        if unknown:
            raise InvalidInputError(f"init holds {unknown}; wanted some of {sorted(SCHEMES)}")
        return list(init), list(init)
    return check_rows(init, architecture.n_weights, "init"), "given"
