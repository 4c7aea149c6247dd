"""``load_census_zoo``: a population of perceptrons trained on the census income sample.

How a zoo is built and kept lives in ``_recipes``, the sample in ``_census``.
"""

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
    data_home: str | Path | None = None,
    n_jobs: int | None = None,
    progress: bool | str = "auto",
) -> Bunch:
    """Load a zoo of perceptrons on census data, training it if it is not there yet.

    Each model has the architecture ``Architecture.mlp(30, [16, 8], 2)``, 650 weights, a seed of its
    own, and a learning rate (3), weight decay (3) and initialisation (4 kinds) drawn at random. All
    are trained on the same 70% of the 20,000 persons of ``load_census_income``, whose sensitive
    attributes they do not see.

    Parameters
    ----------
    n_models : int, default=500
    epochs : int, default=15
    checkpoints : sequence of int, optional
        Epochs at which every model is kept, a row each; 0 is before training. By default the last.
    target : {"income", "sex"}, default="income"
        What the models predict: 50,000 dollars or more, or whether a person is male. The latter is
        a zoo of another task on the same inputs.
    random_state : int, default=0
        Seed of the zoo. The split of the persons is the same for every zoo of a target.
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
        As of ``load_digits_zoo``, with ``X_train`` ``(14000, 30)`` and ``X_test`` ``(6000, 30)``.

    Raises
    ------
    InvalidInputError
        If ``target`` is something else.

    Examples
    --------
    >>> from wsl.datasets import load_census_zoo
    >>> census = load_census_zoo(n_models=10, epochs=1)
    >>> census.zoo.weights.shape, len(census.train), len(census.test)
    ((10, 650), 7, 2)
    """
    if target not in TARGETS:
        raise InvalidInputError(f"target={target!r}; wanted one of {TARGETS}")
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
        data_home=data_home,
        n_jobs=n_jobs,
        progress=progress,
        **({} if target == "income" else {"target": target}),
    )
