"""``load_digits_zoo``: a population of small CNNs trained on scikit-learn's digits.

Built on first use from a seeded recipe and kept in the user's cache folder. A recipe rather than
a shipped file: it costs half a minute once, and the zoo comes in any size, seed or length.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from .._random import MAX_SEED, resolve_random_state
from ..architectures import Architecture
from ..exceptions import ZooFileError
from ..zoo import ModelZoo, train_zoo

RECIPE_VERSION = 2
LEARNING_RATES = (2e-3, 5e-3, 1e-2)
WEIGHT_DECAYS = (0.0, 1e-4, 1e-3)
INITS = ("default", "kaiming_uniform", "kaiming_normal", "lecun_normal")


def cache_folder(data_home: str | Path | None = None) -> Path:
    """Return where built data is kept: ``data_home``, $WSL_DATA, or the user's cache folder."""
    if data_home is not None:
        return Path(data_home).expanduser()
    if named := os.environ.get("WSL_DATA"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wsl"


def load_digits_zoo(
    n_models: int = 200,
    *,
    epochs: int = 25,
    random_state: int = 0,
    data_home: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Bunch:
    """Load a zoo of CNNs that classify handwritten digits, training it if it is not there yet.

    Each model has the architecture ``Architecture.cnn((1, 8, 8), (6, 8), (16,), 10)``, 814 weights,
    a seed of its own, and a learning rate (3), weight decay (3) and initialisation (4 kinds) drawn
    at random. All are trained on the same 70% of scikit-learn's 1,797 digits, scaled to [0, 1].

    Parameters
    ----------
    n_models : int, default=200
    epochs : int, default=25
    random_state : int, default=0
        Seed of the zoo. The split of the digits is the same for every zoo.
    data_home : path, optional
        Cache folder; by default the environment variable ``WSL_DATA``, else ``~/.cache/wsl``.
    n_jobs : int, optional
        Workers for the training.
    progress : bool, default=False
        Show a progress bar if the zoo is trained.

    Returns
    -------
    Bunch
        ``zoo`` (ModelZoo; ``metadata`` with ``model``, ``seed``, ``epoch``, ``train_loss``,
        ``learning_rate``, ``weight_decay``, ``init``, ``train_accuracy``, ``test_loss``,
        ``test_accuracy``), ``X_train`` ``(1257, 64)``, ``y_train``, ``X_test`` ``(540, 64)``,
        ``y_test``.

    Examples
    --------
    >>> from wsl.datasets import load_digits_zoo
    >>> digits = load_digits_zoo(n_models=32, epochs=1)
    >>> digits.zoo.weights.shape
    (32, 814)
    """
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        (X / 16).astype(np.float32), y, test_size=0.3, random_state=0, stratify=y
    )
    recipe = {
        "version": RECIPE_VERSION,
        "n_models": int(n_models),
        "epochs": int(epochs),
        "random_state": int(random_state),
    }
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
    path = cache_folder(data_home) / f"digits-zoo-{key}"
    try:
        zoo = ModelZoo.load(path)
    except ZooFileError:  # not built yet, or damaged: the recipe makes it again
        digits = (X_train, y_train), (X_test, y_test)
        zoo = _train(n_models, epochs, random_state, *digits, n_jobs=n_jobs, progress=progress)
        zoo.save(path)
    return Bunch(zoo=zoo, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test)


def _train(
    n_models: int,
    epochs: int,
    random_state: int,
    train_set: tuple[np.ndarray, np.ndarray],
    test_set: tuple[np.ndarray, np.ndarray],
    *,
    n_jobs: int | None,
    progress: bool,
) -> ModelZoo:
    rng = resolve_random_state(random_state)
    return train_zoo(
        Architecture.cnn((1, 8, 8), (6, 8), (16,), 10),
        train_set,
        n_models=n_models,
        test_set=test_set,
        epochs=epochs,
        batch_size=64,
        learning_rate=rng.choice(LEARNING_RATES, n_models),
        weight_decay=rng.choice(WEIGHT_DECAYS, n_models),
        init=rng.choice(INITS, n_models).tolist(),
        seeds=rng.integers(MAX_SEED, size=n_models),
        device="cpu",
        n_jobs=n_jobs,
        progress=progress,
    )
