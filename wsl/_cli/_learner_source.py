"""A learner by its dotted name, with parameters, and the encoding of a table in front of it."""

import ast
import difflib
import importlib
from typing import Any

import click
import pandas as pd

ENCODING = (
    "Text columns are one-hot encoded, gaps in numbers are filled with the median, and numbers are "
    "standardized; --encode none passes the table to the learner as it is."
)
MAX_CATEGORIES = 50


def make_learner(name: str, settings: tuple[str, ...]) -> Any:
    """Return an instance of the class ``name``, such as ``sklearn.linear_model.Ridge``."""
    from sklearn.base import BaseEstimator

    module, _, class_name = name.rpartition(".")
    try:
        learner_class = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise click.BadParameter(
            f"must be the full name of a class, such as sklearn.ensemble.RandomForestClassifier; "
            f"got {name!r} ({error}).",
            param_hint="--learner",
        ) from error
    if not (isinstance(learner_class, type) and issubclass(learner_class, BaseEstimator)):
        raise click.BadParameter(
            f"must be a class of scikit-learn estimators; got {name!r}.", param_hint="--learner"
        )
    try:
        learner = learner_class()
    except TypeError as error:
        raise click.BadParameter(
            f"{name} cannot be made without arguments: {error}.", param_hint="--learner"
        ) from error
    return learner.set_params(**_parameters(learner, settings))


def with_encoding(learner: Any, features: pd.DataFrame) -> Any:
    """Return a Pipeline that makes numbers of the table's columns in front of the learner."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    is_number = {
        name: pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        for name, dtype in features.dtypes.items()
    }
    numbers = [name for name, numeric in is_number.items() if numeric]
    texts = [name for name, numeric in is_number.items() if not numeric]
    encoders: list[Any] = []
    if numbers:
        steps: list[Any] = [StandardScaler()]
        if features[numbers].isna().any(axis=None):
            steps.insert(0, SimpleImputer(strategy="median", add_indicator=True))
        encoders.append((make_pipeline(*steps), numbers))
    if texts:
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=MAX_CATEGORIES,
            sparse_output=False,
        )
        encoders.append((one_hot, texts))
    return make_pipeline(make_column_transformer(*encoders), learner)


def check_trainable(learner: Any, family: Any, n_samples: int) -> None:
    """Train one model, so that a learner that cannot take the table is named before hours of work.

    Raises
    ------
    click.BadParameter
        With the words of the learner.
    """
    from sklearn.base import clone

    value = family.draw_properties(1, 0)[0]
    X, y = family.sample(value, n_samples, random_state=0)[:2]
    try:
        clone(learner).fit(X, y)
    except Exception as error:  # a learner may raise anything
        raise click.BadParameter(
            f"{type(learner).__name__} cannot be trained on the table: {type(error).__name__}: "
            f"{str(error).splitlines()[0]}. With --learner, --encode auto makes numbers of text "
            "and fills gaps.",
            param_hint="--learner",
        ) from error


def _parameters(learner: Any, settings: tuple[str, ...]) -> dict[str, Any]:
    known = learner.get_params()
    parameters = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise click.BadParameter(f"must be NAME=VALUE; got {setting!r}.", param_hint="--set")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}."
            raise click.BadParameter(
                f"{type(learner).__name__} has no parameter {name!r}; {hint}", param_hint="--set"
            )
        parameters[name] = _literal(text)
    return parameters


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
