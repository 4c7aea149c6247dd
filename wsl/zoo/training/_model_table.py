"""What differs between models: their number, seeds, hyperparameters and starting weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..._random import draw_seeds
from ..._validation import check_rows, per_model
from ...architectures import Architecture
from ...exceptions import InvalidInputError
from ._datasets import Datasets
from ._initialization import SCHEMES

_WHOLE = "whole numbers of at least 0", lambda v: (v >= 0) & (v % 1 == 0), np.int64
_POSITIVE = "positive numbers", lambda v: (v > 0) & np.isfinite(v), np.float32
_FROM_ZERO = "numbers of at least 0", lambda v: (v >= 0) & np.isfinite(v), np.float32
_PROBABILITY = "numbers of at least 0 and below 1", lambda v: (v >= 0) & (v < 1), np.float32

# column of the table -> (its argument, (what values must be, whether they are, their type))
COLUMNS: dict[str, tuple[str, tuple[str, Any, Any]]] = {
    "model": ("model of hyperparameters", _WHOLE),
    "seed": ("seeds", _WHOLE),
    "learning_rate": ("learning_rate", _POSITIVE),
    "weight_decay": ("weight_decay", _FROM_ZERO),
    "dropout": ("dropout", _PROBABILITY),
}


@dataclass
class ModelTable:
    """The models to train: one row of ``table``, start and loss to stop at per model."""

    table: pd.DataFrame
    starts: Sequence[Any]
    stop_at_loss: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def part(self, start: int, stop: int) -> "ModelTable":
        """Return the models ``start`` to ``stop``."""
        return ModelTable(
            self.table[start:stop], self.starts[start:stop], self.stop_at_loss[start:stop]
        )


def resolve_models(
    architecture: Architecture,
    datasets: Sequence[Datasets],
    n_models: int | None,
    columns: dict[str, Any],
    stop_at_loss: Any,
    random_state: Any,
    resumable: bool,
) -> ModelTable:
    """Return what differs between models, checked, with seeds drawn where there are none.

    ``datasets`` are the training and the test sets; ``columns`` maps names of the table to one
    value per model, or one for all.
    """
    indices = columns.get("model")
    n_sets = [sets.n_models for sets in datasets if sets.n_models is not None]
    n_models = count_models(n_models, n_sets if indices is None else [], *columns.values())
    seeds = resolve_seeds(columns["seed"], random_state, n_models, resumable)
    indices = np.arange(n_models) if indices is None else indices
    table = model_table(n_models, {**columns, "model": indices, "seed": seeds})
    if table["model"].max() >= min(n_sets, default=math.inf):
        raise InvalidInputError(
            f"`model` of `hyperparameters` must be below {min(n_sets)}, the number of datasets or "
            f"test sets; got {table['model'].max()}."
        )
    starts, init = resolve_init(columns["init"], architecture, n_models)
    table.insert(4, "init", init)
    if "activation" in columns:
        table["activation"] = columns["activation"]
    return ModelTable(table, starts, resolve_stop(stop_at_loss, n_models))


def count_models(n_models: int | None, n_sets: Sequence[int], *per_model_values: Any) -> int:
    """Return the number of models that the arguments agree on."""
    counts = [len(v) for v in per_model_values if np.ndim(v) > 0]
    all_counts = [n for n in (n_models, *n_sets, *counts) if n is not None]
    if not all_counts:
        raise InvalidInputError(
            "`n_models` must be a number where no other argument determines it; got None."
        )
    if len(set(all_counts)) > 1:
        raise InvalidInputError(
            "`n_models`, datasets, test_set, hyperparameters, seeds, init, learning_rate, "
            "weight_decay and dropout must be for the same number of models; got n_models="
            f"{n_models} and lengths {sorted(set(all_counts))}."
        )
    return int(all_counts[0])


def resolve_seeds(seeds: Any, random_state: Any, n_models: int, resumable: bool) -> Any:
    """Return the seeds, drawn if None; raise InvalidInputError if a resumed run cannot repeat."""
    if seeds is not None:
        return seeds
    if resumable and random_state is None:
        raise InvalidInputError(
            "`random_state` must be an int with `out`, as an interrupted run can only be resumed "
            "with the same seeds; got None. Alternatively pass `seeds`."
        )
    return draw_seeds(random_state, n_models)


def model_table(n_models: int, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per model, with those of ``COLUMNS`` that have values, checked."""
    return pd.DataFrame(
        {
            name: per_model(columns[name], n_models, argument, kind=kind, valid=valid, dtype=dtype)
            for name, (argument, (kind, valid, dtype)) in COLUMNS.items()
            if columns.get(name) is not None
        }
    )


def resolve_stop(stop_at_loss: Any, n_models: int) -> np.ndarray:
    """Return the loss below which each model stops, ``(n_models,)``; 0, never, for None."""
    return per_model(
        0.0 if stop_at_loss is None else stop_at_loss,
        n_models,
        "stop_at_loss",
        kind="numbers of at least 0",
        valid=lambda v: v >= 0,
    )


def resolve_init(init: Any, architecture: Architecture, n_models: int) -> tuple[Any, Any]:
    """Return the starting row or scheme of each model, and the name to record."""
    if isinstance(init, str):
        return [init] * n_models, init
    if all(isinstance(scheme, str) for scheme in init):
        unknown = sorted(set(init) - set(SCHEMES))
        if unknown:
            raise InvalidInputError(f"`init` must be among {sorted(SCHEMES)}; got {unknown}.")
        return list(init), list(init)
    return check_rows(init, architecture.n_weights, "init"), "given"
