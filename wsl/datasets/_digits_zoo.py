"""``load_digits_zoo``: a population of small CNNs trained on scikit-learn's digits."""

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
    cache: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> Bunch:
    """Load a zoo of CNNs that classify handwritten digits, which is trained on first use.

    Each model has the architecture ``Architecture.cnn((1, 8, 8), (6, 8), (16,), 10)`` with 814
    weights, its own seed, and one of three learning rates, three weight decays and four
    initializations drawn at random. All are trained on the same 70% of scikit-learn's 1,797 digits,
    scaled to [0, 1]. Training the default zoo takes less than a minute, once.

    Parameters
    ----------
    n_models : int, default=200
        How many models the zoo has.
    epochs : int, default=25
        Epochs for which each model is trained.
    checkpoints : sequence of int, optional
        Epochs at which every model is kept; 0 is before training. The zoo has a row per model and
        checkpoint. By default the last epoch only.
    inverted : bool, default=False
        If True, the models are trained on images with inverted gray values. This gives a zoo of
        other data, to test how well something learned from the plain zoo transfers.
    random_state : int, default=0
        Seed of the models. The split of the digits is the same for every zoo.
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
        Dictionary-like object, with the following attributes.

        zoo : ModelZoo
            The models. The metadata has the columns ``model``, ``seed``, ``epoch``,
            ``train_loss``, ``learning_rate``, ``weight_decay``, ``init``, ``train_accuracy``,
            ``test_loss`` and ``test_accuracy``.
        X_train : ndarray of shape (1257, 64)
            The digits that the models were trained on, float32.
        y_train : ndarray of shape (1257,)
            Their classes.
        X_test : ndarray of shape (540, 64)
            The digits on which the models were tested.
        y_test : ndarray of shape (540,)
            Their classes.
        train, valid, test : ndarray of int
            Indices into the zoo, for 70%, 15% and 15% of the models. All checkpoints of a model
            are in the same part.

    Raises
    ------
    InvalidInputError
        If ``inverted`` is not a bool, or the folder of this zoo in ``cache`` holds another zoo.

    See Also
    --------
    load_mnist_zoo : CNNs on MNIST.
    load_census_zoo : Perceptrons on census data.
    wsl.train_zoo : Train a zoo on your own data.

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
        cache=cache,
        n_jobs=n_jobs,
        progress=progress,
        **variant,
    )
