"""A trained model from a file: skops without running code, pickles only on request."""

import importlib.util
from pathlib import Path
from typing import Any

import click

from .._files import open_regular
from ..exceptions import InvalidInputError

PICKLES = {".joblib", ".pkl", ".pickle"}
WHAT_TRUST_MEANS = (
    "Loading a pickle runs whatever code its author put into it, with your rights; --trust does "
    "that. Save the model with skops.io.dump instead if you can."
)


def load_model(path: Path, trust: bool) -> Any:
    """Return the fitted model in a ``.skops`` file; in a pickle only if it is trusted.

    Raises
    ------
    click.UsageError
        If the file is of another kind, or would need trust that it does not have.
    """
    with open_regular(path, error=InvalidInputError):
        pass
    if path.suffix == ".skops":
        return _load_skops(path, trust)
    if path.suffix not in PICKLES:
        raise click.UsageError(
            f"MODEL must be a .skops file, a .joblib or .pkl file with --trust, or a .csv file of "
            f"queries and --responses; got {path}."
        )
    if not trust:
        raise click.UsageError(f"{path} is a pickle. {WHAT_TRUST_MEANS}")
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:  # a pickle may raise anything
        raise click.UsageError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _load_skops(path: Path, trust: bool) -> Any:
    if importlib.util.find_spec("skops") is None:
        raise click.UsageError(
            "reading .skops files needs skops: pip install 'weight-space-learning[cli]'."
        )
    import skops.io

    try:
        untrusted = skops.io.get_untrusted_types(file=path)
        if untrusted and not trust:
            raise click.UsageError(
                f"{path} holds types that skops does not know to be safe: {', '.join(untrusted)}. "
                "--trust loads them nevertheless, which may run code of theirs."
            )
        return skops.io.load(path, trusted=untrusted)
    except click.UsageError:
        raise
    except Exception as error:  # a damaged archive fails in many ways
        raise click.UsageError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
