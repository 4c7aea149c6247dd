"""``train_zoos``: one zoo per activation function."""

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
    """Train one zoo per activation in a table of hyperparameters.

    The models of a zoo compute the same function of their weights, so models with different
    activations belong to different zoos.

    Parameters
    ----------
    architecture : Architecture
        The network. Its activations are replaced by those of ``hyperparameters``.
    datasets : tuple, sequence of tuples, or callable
        The training data, in the forms that :func:`train_zoo` takes. A sequence or function is
        indexed by the number of a model's row in ``hyperparameters``.
    hyperparameters : DataFrame or iterable of mappings
        One row per model, as for :func:`train_zoo`, with a column ``activation``.
    random_state : int, Generator, RandomState or None, default=None
        From which the models' seeds are drawn, one per row of ``hyperparameters``, so that they do
        not depend on the activations.
    out : str or Path, optional
        Folder to write the zoos into, each in a subfolder that has the name of its activation.
    **options : dict
        Further arguments of :func:`train_zoo`, the same for all models.

    Returns
    -------
    dict of str to ModelZoo
        The zoo of each activation, in order of first appearance. ``model`` in the metadata is the
        number of the row in ``hyperparameters``.

    Raises
    ------
    InvalidInputError
        If ``hyperparameters`` has no column ``activation``, or as :func:`train_zoo` does.

    See Also
    --------
    train_zoo : Train one zoo, with any other hyperparameters.

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
            "`hyperparameters` must have a column activation; got columns "
            f"{list(table.columns)}. train_zoo trains models that share the architecture's."
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
