"""Zoos built from seeded recipes on first use and kept in the user's cache folder.

What each is trained on lives in the modules beside this. A recipe rather than a shipped file: a
zoo comes in any size, seed or length.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from .._digest import json_digest
from .._random import MAX_SEED, resolve_random_state
from ..architectures import Architecture
from ..exceptions import InvalidInputError, ZooFileError
from ..zoo import ModelZoo, train_zoo

WEIGHT_DECAYS = (0.0, 1e-4, 1e-3)
INITS = ("default", "kaiming_uniform", "kaiming_normal", "lecun_normal")
TEST_SHARE = 0.3
SPLIT_SHARES = {"train": 0.7, "valid": 0.15, "test": 0.15}


@dataclass(frozen=True)
class ZooRecipe:
    """What the models of a zoo are, and among which hyper-parameters they draw theirs."""

    name: str
    version: int
    architecture: Architecture
    learning_rates: Sequence[float]
    batch_size: int


def cache_folder(data_home: str | Path | None = None) -> Path:
    """Return where built data is kept: ``data_home``, $WSL_DATA, or the user's cache folder."""
    if data_home is not None:
        return Path(data_home).expanduser()
    if named := os.environ.get("WSL_DATA"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wsl"


def load_recipe(
    recipe: ZooRecipe,
    X: np.ndarray,
    y: np.ndarray,
    *,
    n_models: int,
    epochs: int,
    checkpoints: Sequence[int] | None,
    random_state: int,
    data_home: str | Path | None,
    n_jobs: int | None,
    progress: bool | str,
    **variant: Any,
) -> Bunch:
    """Return a zoo with the data that it is trained and tested on, training it if need be.

    ``variant`` is what else tells the data apart; with nothing in it, the zoo is the plain one.
    """
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_SHARE, random_state=0, stratify=y
    )
    settings: dict[str, Any] = {
        "version": recipe.version,
        "n_models": int(n_models),
        "epochs": int(epochs),
        "random_state": int(random_state),
        **variant,
    }
    if checkpoints is not None:
        settings["checkpoints"] = sorted({int(epoch) for epoch in checkpoints})
    key = json_digest(settings)[:12]
    path = cache_folder(data_home) / f"{recipe.name}-zoo-{key}"
    try:
        zoo = ModelZoo.load(path)
    except ZooFileError:  # not built yet, or damaged: the recipe makes it again
        rng = resolve_random_state(random_state)
        zoo = train_zoo(
            recipe.architecture,
            (X_train, y_train),
            n_models=n_models,
            test_set=(X_test, y_test),
            epochs=epochs,
            batch_size=recipe.batch_size,
            checkpoints=settings.get("checkpoints"),
            learning_rate=rng.choice(recipe.learning_rates, n_models),
            weight_decay=rng.choice(WEIGHT_DECAYS, n_models),
            init=rng.choice(INITS, n_models).tolist(),
            seeds=rng.integers(MAX_SEED, size=n_models),
            device="cpu",
            n_jobs=n_jobs,
            progress=progress,
        )
        zoo.save(path)
    parts = split_by_model(zoo.metadata["model"].to_numpy())
    return Bunch(zoo=zoo, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test, **parts)


def split_by_model(models: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of the models to train on, to choose by and to test on: 70, 15 and 15%.

    Checkpoints of one model stay together, or a test row would have a near copy in training.
    ``models`` ``(n_rows,)`` tells which model each row is of.
    """
    kinds = np.unique(models)
    order = np.random.default_rng(0).permutation(kinds)
    ends = np.round(np.cumsum(list(SPLIT_SHARES.values())) * len(kinds)).astype(int)
    parts = np.split(order, ends[:-1])
    return {
        name: np.flatnonzero(np.isin(models, part))
        for name, part in zip(SPLIT_SHARES, parts, strict=True)
    }


def check_flag(value, name: str) -> bool:
    """Return a bool; InvalidInputError for anything else."""
    if not isinstance(value, bool):
        raise InvalidInputError(f"{name} is {value!r}; wanted True or False")
    return value
