"""A table from a file, its target, and the property that is to be inferred."""

import csv
import operator
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from .._files import open_regular
from ..distributions import Interval, SubsampledFamily
from ..exceptions import InvalidInputError

COMPARISONS = {
    ">=": operator.ge, "<=": operator.le, "=": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
PROPERTY = re.compile(r"(.+?)(>=|<=|=|>|<)(.+)")


@dataclass(frozen=True)
class Table:
    """Features, target and property of each row.

    Attributes
    ----------
    features : DataFrame of shape (n_rows, n_features)
    target : Series of shape (n_rows,)
    attribute : Series of shape (n_rows,)
        Whether a row belongs to the group; or, where the property is a mean, a number.
    column : str
        The column that defines the property.
    is_mean : bool
        Whether the property is the mean of the attribute, and not the fraction of a group.
    n_dropped : int
        Rows left out since target or attribute are missing.
    """

    features: pd.DataFrame
    target: pd.Series
    attribute: pd.Series
    column: str
    is_mean: bool
    n_dropped: int

    def seen_by(self, model: Any) -> "Table":
        """Return the table with the columns that a fitted model takes, if it names them."""
        names = getattr(model, "feature_names_in_", None)
        if names is None:
            return self
        missing = [name for name in names if name not in self.features]
        if missing:
            raise click.UsageError(
                f"--table has no column {', '.join(map(repr, missing))}, which the model was "
                f"trained on; columns: {', '.join(map(str, self.features))}."
            )
        return replace(self, features=self.features[list(names)])

    def family(self, rows: np.ndarray, values: Any) -> SubsampledFamily:
        """Return the family of training sets from some of the rows."""
        X, y = self.features.iloc[rows], self.target.iloc[rows]
        attribute = self.attribute.iloc[rows].to_numpy()
        if self.is_mean:
            family = SubsampledFamily.with_mean(X, y, attribute, properties=values)
        else:
            family = SubsampledFamily(X, y, attribute.astype(bool), properties=values)
        family.property_column = self.column if self.column in self.features else ""
        return family


def read_table(path: Path) -> pd.DataFrame:
    """Return the table in a CSV, TSV or Parquet file, with the columns named as there."""
    with open_regular(path, error=InvalidInputError):
        pass
    if ".parquet" in path.suffixes:
        return pd.read_parquet(path)
    separator = "\t" if ".tsv" in path.suffixes else ","
    try:
        # read as data: pandas renames columns that occur twice
        names = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0]
        table = pd.read_csv(path, sep=separator)
    except (ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise click.UsageError(f"{path} must be a table with a header: {error}") from error
    twice = sorted(set(names[names.duplicated()].dropna()))
    if twice:
        raise click.UsageError(f"{path} must have distinct column names; {twice} occur twice.")
    if not len(table):
        raise click.UsageError(f"{path} must have rows below its header; got none.")
    return table


def select(
    table: pd.DataFrame, target: str, stated_property: str, drop: list[str], missing: str
) -> Table:
    """Return features, target and property of the rows of a table."""
    for option, names in (("--target", [target]), ("--drop", drop)):
        for name in names:
            require_column(table, name, option)
    column, attribute, is_mean = _attribute(table, stated_property)
    known = table[target].notna() & attribute.notna()
    n_missing = int((~known).sum())
    if n_missing and missing == "error":
        raise click.UsageError(
            f"{n_missing} of {len(table)} rows have no value in {target!r} or {column!r}; "
            "--missing drop leaves them out."
        )
    y = table.loc[known, target]
    if y.nunique() < 2:
        raise click.UsageError(
            f"--target: column {target!r} must have at least two values; got {list(y.unique())}."
        )
    features = table.loc[known].drop(columns=[target, *drop])
    if not features.shape[1]:
        raise click.UsageError("no feature is left beside --target and --drop.")
    return Table(features, y, attribute[known], column, is_mean, n_missing)


def require_column(table: pd.DataFrame, name: str, option: str) -> None:
    """Raise an error that lists the columns if there is none of that name."""
    if name not in table.columns:
        raise click.UsageError(
            f"{option}: no column {name!r}; columns: {', '.join(map(str, table.columns))}."
        )


def parse_values(text: str) -> Any:
    """Return the values of a property: ``0.2,0.8`` as classes, ``0.2..0.8`` as an interval."""
    try:
        if ".." in text:
            low, high = text.split("..")
            return Interval(float(low), float(high))
        return tuple(float(part) for part in text.split(","))
    except (ValueError, InvalidInputError) as error:
        raise click.BadParameter(
            f"must be numbers such as 0.2,0.8 (to tell apart) or 0.2..0.8 (to estimate in); "
            f"got {text!r}.",
            param_hint="--values",
        ) from error


def _attribute(table: pd.DataFrame, text: str) -> tuple[str, pd.Series, bool]:
    """Return column, value of each row (missing where the column is), and whether it is a mean."""
    if text in table.columns:
        if not pd.api.types.is_numeric_dtype(table[text]):
            example = table[text].dropna().iloc[0] if table[text].notna().any() else "VALUE"
            raise click.UsageError(
                f"--property: the mean of {text!r} needs numbers, and it holds text; "
                f"for the fraction of a group write {text}={example}."
            )
        return text, table[text].astype(float), True
    match = PROPERTY.fullmatch(text)
    if match is None:
        raise click.UsageError(
            f"--property must be COLUMN=VALUE, COLUMN>=NUMBER or a numeric COLUMN; got {text!r}. "
            f"Columns: {', '.join(map(str, table.columns))}."
        )
    name, sign, value = match[1].strip(), match[2], match[3].strip()
    require_column(table, name, "--property")
    column = table[name]
    belongs = COMPARISONS[sign](column, _value_of(column, value, sign))
    return name, belongs.astype("boolean").mask(column.isna()), False


def _value_of(column: pd.Series, text: str, sign: str) -> Any:
    """Return the value of a column that a text means."""
    if sign != "=":
        try:
            if pd.api.types.is_numeric_dtype(column):
                return float(text)
        except ValueError:
            pass
        raise click.UsageError(
            f"--property: {column.name}{sign}{text} must compare a numeric column with a number."
        )
    values = list(column.dropna().unique())
    for value in values:
        if str(value) == text or _same_number(value, text):
            return value
    shown = ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")
    raise click.UsageError(
        f"--property: no row has {column.name}={text}; values of {column.name!r}: {shown}."
    )


def _same_number(value: Any, text: str) -> bool:
    try:
        return isinstance(value, int | float | np.number) and float(value) == float(text)
    except ValueError:
        return False
