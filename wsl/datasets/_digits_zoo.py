"""``load_digits_zoo``: a population of small CNNs trained on scikit-learn's digits.

How a zoo is built and kept lives in ``_recipes``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from ..architectures import Architecture
from ._zoo_recipes import ZooRecipe, check_flag, load_recipe

RECIPE = ZooRecipe(
    name="digits",
    version=2,
    architecture=Architecture.cnn((1, 8, 8), (6, 8), (16,), 10),
    learning_rates=(2e-3, 5e-3, 1e-2),
    batch_size=64,
)


def load_digits_zoo(
    n_models: int = 200,
    *,
    epochs: int = 25,
    checkpoints: Sequence[int] | None = None,
    inverted: bool = False,
    random_state: int = 0,
    data_home: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> Bunch:
    """Load a zoo of CNNs that classify handwritten digits, training it if it is not there yet.

    Each model has the architecture ``Architecture.cnn((1, 8, 8), (6, 8), (16,), 10)``, 814 weights,
    a seed of its own, and a learning rate (3), weight decay (3) and initialisation (4 kinds) drawn
    at random. All are trained on the same 70% of scikit-learn's 1,797 digits, scaled to [0, 1].
    It costs about 20 seconds for 200 models, once.

    Parameters
    ----------
    n_models : int, default=200
    epochs : int, default=25
    checkpoints : sequence of int, optional
        Epochs at which every model is kept, a row each; 0 is before training. By default the last.
    inverted : bool, default=False
        Show the models white paper as ink and ink as paper: a zoo of other data, to see how what
        was learned from the plain one carries over.
    random_state : int, default=0
        Seed of the zoo. The split of the digits is the same for every zoo.
    data_home : path, optional
        Cache folder; by default the environment variable ``WSL_DATA``, else ``~/.cache/wsl``.
    n_jobs : int, optional
        Workers for the training.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar while the zoo is trained; "auto" shows it on a terminal or
        in a notebook.

    Returns
    -------
    Bunch
        ``zoo`` (ModelZoo; ``metadata`` with ``model``, ``seed``, ``epoch``, ``train_loss``,
        ``learning_rate``, ``weight_decay``, ``init``, ``train_accuracy``, ``test_loss``,
        ``test_accuracy``), ``X_train`` ``(1257, 64)``, ``y_train``, ``X_test`` ``(540, 64)``,
        ``y_test``; and ``train``, ``valid``, ``test``: rows of the zoo, 70, 15 and 15% of the
        models, all checkpoints of a model in one of them.

    Examples
    --------
    >>> from wsl.datasets import load_digits_zoo
    >>> digits = load_digits_zoo(n_models=32, epochs=1)
    >>> digits.zoo.weights.shape
    (32, 814)
    >>> digits.zoo[digits.train]
    ModelZoo(22 models of ...)
    """
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    variant = {"inverted": True} if check_flag(inverted, "inverted") else {}
    return load_recipe(
        RECIPE,
        1 - X if inverted else X,
        y,
        n_models=n_models,
        epochs=epochs,
        checkpoints=checkpoints,
        random_state=random_state,
        data_home=data_home,
        n_jobs=n_jobs,
        progress=progress,
        **variant,
    )
