"""Zoos that are trained from seeded recipes on first use and stored in the cache folder.

A recipe gives zoos of any size, seed and length, which a file that ships could not.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from .._digest import json_digest
from .._locks import locked
from .._progress import shows_progress
from .._random import MAX_SEED, resolve_random_state
from ..architectures import Architecture
from ..exceptions import InvalidInputError, ZooFileError
from ..zoo import ModelZoo, train_zoo
from ..zoo.storage._folder import write_folder
from ..zoo.storage._manifest import read_manifest

CACHE_FORMAT = 2  # of stored zoos, which have had a key since 2
WEIGHT_DECAYS = (0.0, 1e-4, 1e-3)
INITS = ("default", "kaiming_uniform", "kaiming_normal", "lecun_normal")
TEST_FRACTION = 0.3
SPLIT_FRACTIONS = {"train": 0.7, "valid": 0.15, "test": 0.15}


@dataclass(frozen=True)
class ZooRecipe:
    """The architecture of a zoo's models, and the hyperparameters that they are drawn from."""

    name: str
    version: int
    architecture: Architecture
    learning_rates: Sequence[float]
    batch_size: int


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the folder of stored zoos: ``cache``, $WSL_DATA, or that of the user."""
    if cache is not None:
        return Path(cache).expanduser()
    if from_environment := os.environ.get("WSL_DATA"):
        return Path(from_environment).expanduser()
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
    cache: str | Path | None,
    n_jobs: int | None,
    progress: bool | str,
    **variant: Any,
) -> Bunch:
    """Return a zoo and the data that it is trained and tested on; train it if it is not stored.

    ``variant`` distinguishes zoos of one recipe that are trained on other data.
    """
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=TEST_FRACTION, random_state=0, stratify=y
    )
    settings: dict[str, Any] = {
        "format": CACHE_FORMAT,
        "version": recipe.version,
        "n_models": int(n_models),
        "epochs": int(epochs),
        "random_state": int(random_state),
        **variant,
    }
    if checkpoints is not None:
        settings["checkpoints"] = sorted({int(epoch) for epoch in checkpoints})
    path = cache_folder(cache) / f"{recipe.name}-zoo-{json_digest(settings)[:12]}"
    data = [joblib.hash(array) for array in (X_train, y_train, X_test, y_test)]
    key = json_digest([recipe.name, settings, data])

    def train() -> ModelZoo:
        rng = resolve_random_state(random_state)
        return train_zoo(
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

    zoo = _load_or_train(path, key, train, progress)
    parts = split_by_model(zoo.metadata["model"].to_numpy())
    return Bunch(zoo=zoo, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test, **parts)


def _load_or_train(
    path: Path, key: str, train: Callable[[], ModelZoo], progress: bool | str
) -> ModelZoo:
    """Return the zoo in a folder; train it if it is not there or damaged, in one process only.

    ``key`` is stored with the zoo. A zoo that has another one is left alone and not returned.
    """

    def tell(holder: str) -> None:
        if shows_progress(progress):
            tqdm.write(f"waiting for {holder}, which trains {path.name}", file=sys.stderr)

    with suppress(ZooFileError):
        return _load(path, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock"), wait=None, on_wait=tell):
        with suppress(ZooFileError):  # another process may have trained it meanwhile
            return _load(path, key)
        zoo = train()
        write_folder(path, zoo.weights, zoo.architecture, zoo.metadata, key)
        return zoo


def _load(path: Path, key: str) -> ModelZoo:
    """Return the zoo in a folder; raise InvalidInputError if it was not stored under ``key``."""
    stored = read_manifest(path).get("fingerprint")
    zoo = ModelZoo.load(path)
    if stored != key:
        raise InvalidInputError(
            f"`cache` must hold the zoo of these arguments in {path}, or none; got another zoo, or "
            "a changed one. Move it away, or pass another folder as cache."
        )
    return zoo


def split_by_model(models: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of the models for training, validation and test: 70, 15 and 15%.

    Checkpoints of one model stay together, as a test row would otherwise have a near copy in
    training. ``models`` ``(n_rows,)`` is the model of each row.
    """
    distinct = np.unique(models)
    order = np.random.default_rng(0).permutation(distinct)
    ends = np.round(np.cumsum(list(SPLIT_FRACTIONS.values())) * len(distinct)).astype(int)
    parts = np.split(order, ends[:-1])
    return {
        name: np.flatnonzero(np.isin(models, part))
        for name, part in zip(SPLIT_FRACTIONS, parts, strict=True)
    }


def check_flag(value, name: str) -> bool:
    """Return a bool; raise InvalidInputError for anything else."""
    if not isinstance(value, bool):
        raise InvalidInputError(f"`{name}` must be True or False; got {value!r}.")
    return value
