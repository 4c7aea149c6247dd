"""``train_zoos``: models that differ in what they compute, trained into a zoo for each kind.

Training one zoo lives in ``_train``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._train import train_zoo
from ._zoo import ModelZoo
from .training._datasets import Dataset
from .training._hyperparameters import read_table
from .training._model_table import resolve_seeds


def train_zoos(
    architecture: Architecture,
    datasets: Dataset | Sequence[Dataset] | Callable[[int], Dataset],
    hyperparameters: pd.DataFrame | Iterable[Mapping[str, Any]],
    *,
    random_state=None,
    out: str | Path | None = None,
    **options: Any,
) -> dict[str, ModelZoo]:
    """Train a zoo for each activation in a table of hyper-parameters.

    Models of one zoo compute the same function of their weights; with another activation they are
    of another architecture, and of another zoo.

    Parameters
    ----------
    architecture : Architecture
        Its activations are replaced by those of ``hyperparameters``.
    datasets : tuple, sequence of tuples, or callable
        As for :func:`train_zoo`; for each model, its row's number in ``hyperparameters`` counts.
    hyperparameters : DataFrame or iterable of mappings
        As for :func:`train_zoo`, with a column ``activation``.
    random_state : int, Generator, RandomState or None
        A model's seed depends on its row's number, not on how rows fall into zoos.
    out : str or Path, optional
        A folder to write the zoos into, each in one named after its activation.
    options
        All else that :func:`train_zoo` takes, the same for all models.

    Returns
    -------
    dict of str to ModelZoo
        By activation, in the order in which they first appear. ``model`` in the metadata is the
        row's number in ``hyperparameters``.

    Raises
    ------
    InvalidInputError
        As :func:`train_zoo` does, or if there is no column ``activation``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import ParameterSampler
    >>> from wsl import Architecture, train_zoos
    >>> choices = {"activation": ["relu", "tanh"], "learning_rate": [0.01, 0.02, 0.05]}
    >>> draws = ParameterSampler(choices, n_iter=6, random_state=0)
    >>> zoos = train_zoos(Architecture.mlp(4, [8], 3), load_iris(return_X_y=True), draws,
    ...                   epochs=2, random_state=0)
    >>> {name: len(zoo) for name, zoo in sorted(zoos.items())}
    {'relu': 3, 'tanh': 3}
    """
    table = read_table(hyperparameters)
    if "activation" not in table:
        raise InvalidInputError(
            f"hyperparameters has columns {list(table.columns)}; wanted activation among them"
        )
    table["seed"] = resolve_seeds(table.get("seed"), random_state, len(table), out is not None)
    if "model" not in table:
        table["model"] = np.arange(len(table))
    return {
        str(activation): train_zoo(
            architecture,
            datasets,
            hyperparameters=rows,
            out=None if out is None else Path(out) / str(activation),
            **options,
        )
        for activation, rows in table.groupby("activation", sort=False)
    }
