"""``load_census_zoo``: a population of perceptrons trained on the census income sample."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._census_income import load_census_income
from ._zoo_recipes import ZooRecipe, load_recipe

RECIPE = ZooRecipe(
    name="census",
    version=1,
    architecture=Architecture.mlp(30, [16, 8], 2),
    learning_rates=(1e-3, 3e-3, 1e-2),
    batch_size=256,
)
TARGETS = ("income", "sex")


def load_census_zoo(
    n_models: int = 500,
    *,
    epochs: int = 15,
    checkpoints: Sequence[int] | None = None,
    target: str = "income",
    random_state: int = 0,
    cache: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> Bunch:
    """Load a zoo of perceptrons on census data, which is trained on first use.

    Each model has the architecture ``Architecture.mlp(30, [16, 8], 2)`` with 650 weights, its own
    seed, and one of three learning rates, three weight decays and four initializations drawn at
    random. All are trained on the same 70% of the 20,000 persons of :func:`load_census_income`,
    without their sensitive attributes.

    Parameters
    ----------
    n_models : int, default=500
        How many models the zoo has.
    epochs : int, default=15
        Epochs for which each model is trained.
    checkpoints : sequence of int, optional
        Epochs at which every model is kept; 0 is before training. The zoo has a row per model and
        checkpoint. By default the last epoch only.
    target : {"income", "sex"}, default="income"
        What the models predict: an income of 50,000 dollars or more, or whether a person is male.
        The latter is a zoo of another task on the same inputs.
    random_state : int, default=0
        Seed of the models. The split of the persons is the same for every zoo of a target.
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
        (14000, 30) and ``X_test`` (6000, 30).

    Raises
    ------
    InvalidInputError
        If ``target`` is neither "income" nor "sex", or the folder of this zoo in ``cache`` holds
        another zoo.

    See Also
    --------
    load_census_income : The data that the models are trained on.
    load_digits_zoo : Small CNNs on handwritten digits.
    load_mnist_zoo : CNNs on MNIST.

    Examples
    --------
    >>> from wsl.datasets import load_census_zoo
    >>> census = load_census_zoo(n_models=10, epochs=1)
    >>> census.zoo.weights.shape, len(census.train), len(census.test)
    ((10, 650), 7, 2)
    """
    if target not in TARGETS:
        raise InvalidInputError(f"`target` must be one of {TARGETS}; got {target!r}.")
    census = load_census_income()
    assert isinstance(census, Bunch)
    labels = census.target
    if target == "sex":
        labels = (census.sensitive["sex"] == "male").to_numpy().astype(np.int64)
    return load_recipe(
        RECIPE,
        census.data.astype(np.float32),
        labels,
        n_models=n_models,
        epochs=epochs,
        checkpoints=checkpoints,
        random_state=random_state,
        cache=cache,
        n_jobs=n_jobs,
        progress=progress,
        **({} if target == "income" else {"target": target}),
    )
