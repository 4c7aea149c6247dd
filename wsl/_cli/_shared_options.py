"""Options that several commands share."""

import math
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from ._config_file import read_config

Decorator = Callable[[Any], Any]
FILE = click.Path(path_type=Path)

CONFIG = click.option(
    "--config", type=FILE, is_eager=True, expose_value=False, callback=read_config,
    metavar="FILE.toml", help="Take options from a file; those given here come first.",
)  # fmt: skip
OUT = click.option("--out", type=FILE, required=True, metavar="DIR", help="Folder of the report.")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed."
)

TABLE_OPTIONS = (
    click.option("--target", required=True, metavar="COLUMN", help="The column to predict."),
    click.option(
        "--property", "stated_property", required=True, metavar="PROPERTY",
        help="What is to be inferred of the training data: the fraction of rows with COLUMN=VALUE, "
        "or COLUMN>=NUMBER; or the mean of a numeric COLUMN.",
    ),
    click.option(
        "--values", required=True, metavar="VALUES",
        help="Its values: 0.2,0.8 to tell apart, 0.2..0.8 to estimate within.",
    ),
    click.option(
        "--drop", multiple=True, metavar="COLUMN", help="A column that models do not see; repeat."
    ),
    click.option(
        "--missing", type=click.Choice(["error", "drop"]), default="error", show_default=True,
        help="What to do with rows that have no target or property.",
    ),
    click.option("--group", metavar="WORDS", help="What the report calls the rows of the group."),
)  # fmt: skip
LEARNER_OPTIONS = (
    click.option(
        "--set", "settings", multiple=True, metavar="NAME=VALUE",
        help="A parameter of the learner; repeat.",
    ),
    click.option(
        "--encode", type=click.Choice(["auto", "none"]), default="auto", show_default=True,
        help="auto: one-hot encode text, fill gaps in numbers by the median, standardize numbers; "
        "none: pass the table as it is.",
    ),
)  # fmt: skip
ADVERSARY_OPTIONS = (
    click.option(
        "--n-samples", type=click.IntRange(1), default=1024, show_default=True,
        help="Rows per training set.",
    ),
    click.option(
        "--n-shadows", type=click.IntRange(4), default=256, show_default=True,
        help="Shadow models of the adversary.",
    ),
    click.option(
        "--n-queries", type=click.IntRange(1), default=256, show_default=True,
        help="Queries of the adversary.",
    ),
    click.option("--labels-only", is_flag=True, help="The adversary observes labels alone."),
)  # fmt: skip
RUN_OPTIONS = (
    SEED,
    click.option(
        "--jobs", type=int, default=1, show_default=True, help="Workers; -1 for one per core."
    ),
    click.option(
        "--fail-above", multiple=True, metavar="METRIC=VALUE",
        help="Exit with 1 if the interval of a metric ends above: advantage=0.2; repeat.",
    ),
    OUT,
    CONFIG,
)  # fmt: skip


def options(*decorators: Decorator) -> Decorator:
    """Return one decorator that adds options in the order given."""
    return lambda command: reduce(lambda done, add: add(done), reversed(decorators), command)


def make_folder(out: Path) -> None:
    """Make the folder of a report, or say that ``--out`` cannot be one."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".writable").touch()
        (out / ".writable").unlink()
    except OSError as error:
        raise click.BadParameter(
            f"{out} must be a folder to write to: {error.strerror}.", param_hint="--out"
        ) from error


def parse_thresholds(texts: tuple[str, ...], metrics: tuple[str, ...]) -> dict[str, float]:
    """Return the thresholds of ``--fail-above`` by metric."""
    thresholds = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if name not in metrics or math.isnan(number):
            raise click.BadParameter(
                f"must be METRIC=NUMBER with a metric among {', '.join(metrics)}; got {text!r}.",
                param_hint="--fail-above",
            )
        thresholds[name] = number
    return thresholds
