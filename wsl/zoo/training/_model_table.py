"""What differs from model to model: how many there are, seeds, hyper-parameters, starts.

Checked and put side by side here; a table of hyper-parameters is read in ``_hyperparameters``.
"""

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

_WHOLE = "whole numbers from 0", lambda v: (v >= 0) & (v % 1 == 0), np.int64
_POSITIVE = "positive numbers", lambda v: (v > 0) & np.isfinite(v), np.float32
_FROM_ZERO = "numbers from 0", lambda v: (v >= 0) & np.isfinite(v), np.float32
_PROBABILITY = "numbers from 0, below 1", lambda v: (v >= 0) & (v < 1), np.float32

# column of the table -> (its argument, (what is wanted, whether values are that, their type))
COLUMNS: dict[str, tuple[str, tuple[str, Any, Any]]] = {
    "model": ("model of hyperparameters", _WHOLE),
    "seed": ("seeds", _WHOLE),
    "learning_rate": ("learning_rate", _POSITIVE),
    "weight_decay": ("weight_decay", _FROM_ZERO),
    "dropout": ("dropout", _PROBABILITY),
}


@dataclass
class ModelTable:
    """Models to train: a table with a row for each, where they start, the loss they stop at."""

    table: pd.DataFrame
    starts: Sequence[Any]
    stop_at_loss: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    def part(self, start: int, stop: int) -> "ModelTable":
        """Return the models in places ``start`` to ``stop``."""
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
    """Return what differs from model to model, checked, with seeds drawn where none are given.

    ``datasets`` are those to train on and those to test on; ``columns`` holds values of all
    models, or one for all, by their name in the table.
    """
    named = columns.get("model")
    n_sets = [sets.n_models for sets in datasets if sets.n_models is not None]
    n_models = count_models(n_models, n_sets if named is None else [], *columns.values())
    seeds = resolve_seeds(columns["seed"], random_state, n_models, resumable)
    indices = np.arange(n_models) if named is None else named
    table = model_table(n_models, {**columns, "model": indices, "seed": seeds})
    if table["model"].max() >= min(n_sets, default=math.inf):
        raise InvalidInputError(
            f"hyperparameters has model {table['model'].max()}, but datasets or test_set holds "
            f"sets for {min(n_sets)} models"
        )
    starts, init = resolve_init(columns["init"], architecture, n_models)
    table.insert(4, "init", init)
    if "activation" in columns:
        table["activation"] = columns["activation"]
    return ModelTable(table, starts, resolve_stop(stop_at_loss, n_models))


def count_models(n_models: int | None, n_sets: Sequence[int], *per_model_values: Any) -> int:
    """Return the number of models that the arguments agree on."""
    counts = [len(v) for v in per_model_values if np.ndim(v) > 0]
    found = [n for n in (n_models, *n_sets, *counts) if n is not None]
    if not found:
        raise InvalidInputError("n_models is None; wanted a number, as nothing else given tells it")
    if len(set(found)) > 1:
        raise InvalidInputError(
            f"n_models={n_models}, but datasets, test_set, hyperparameters, seeds, init, "
            "learning_rate, weight_decay or dropout are for "
            f"{sorted(set(found))} models; wanted one number"
        )
    return int(found[0])


def resolve_seeds(seeds: Any, random_state: Any, n_models: int, resumable: bool) -> Any:
    """Return given seeds, or draw them; an error if another run is to draw the same and cannot."""
    if seeds is not None:
        return seeds
    if resumable and random_state is None:
        raise InvalidInputError(
            "random_state is None; with out, wanted an int, or seeds: a run that is broken off "
            "can be resumed only with the same seeds"
        )
    return draw_seeds(random_state, n_models)


def model_table(n_models: int, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row a model, with those of ``COLUMNS`` whose values are given, checked."""
    return pd.DataFrame(
        {
            name: per_model(
                columns[name], n_models, argument, wanted=wanted, valid=valid, dtype=dtype
            )
            for name, (argument, (wanted, valid, dtype)) in COLUMNS.items()
            if columns.get(name) is not None
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
