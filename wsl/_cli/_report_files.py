"""Reports in a folder and on the terminal."""

from pathlib import Path
from typing import Any

import click
import pandas as pd

from ._session import Session
from ._table_source import Table


def names_of(source: Table, path: Path, stated_property: str, group: str | None) -> dict[str, str]:
    """Return what the sentences of a report call data and property."""
    if source.is_mean:
        return {"data": path.name, "property": f"the mean of {source.column}"}
    return {"data": path.name, "group": group or f"rows with {stated_property}"}


def write_report(report: Any, out: Path, session: Session) -> None:
    """Write a report in all its formats."""
    from .._files import write_text

    report.save(out / "report.json")
    report.to_html(out / "report.html")
    write_text(out / "report.md", report.to_markdown())
    write_text(out / "table.csv", report.table.to_csv(index=False))
    session.saved += ["report.json", "report.html", "report.md", "table.csv"]


def show_report(
    report: Any, table: pd.DataFrame, source: Table, encoding: str, session: Session
) -> None:
    """Print what was assumed, the table in at most 80 columns, and the finding in words last."""
    if source.n_dropped:
        click.echo(f"Left out: {source.n_dropped} rows without target or property.")
    if encoding:
        click.echo(click.wrap_text(encoding))
    if source.column in source.features:
        click.echo(f"Models see the column {source.column!r}; --drop {source.column} hides it.")
    click.echo(f"\n{table.to_string(index=False, float_format='{:.3f}'.format, na_rep='')}\n")
    click.echo("\n".join(map(click.wrap_text, report.explain())))
    assert session.out is not None
    page = (session.out / "report.html").resolve()
    click.echo(f"\nReport: {page} ({session.seconds:.0f} s)")


def with_interval(table: pd.DataFrame, columns: list[str], sign: str = "-") -> pd.DataFrame:
    """Return columns of a table with its 95% interval as one column of text after them.

    With the sign "+", positive ends have a sign, too.
    """
    ends = zip(table["ci_low"], table["ci_high"], strict=True)
    interval = [f"{low:{sign}.3f} to {high:{sign}.3f}" for low, high in ends]
    return table[columns].assign(**{"95% interval": interval})
