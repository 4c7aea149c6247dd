"""``wsl audit-model``: what one trained model, or a file of its responses, reveals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from .._interrupts import interrupts_wait
from ._config_file import write_config
from ._session import FROM_CACHE, Session, notes
from ._shared_options import (
    ADVERSARY_OPTIONS,
    FILE,
    LEARNER_OPTIONS,
    RUN_OPTIONS,
    TABLE_OPTIONS,
    make_folder,
    options,
    parse_thresholds,
)


@click.command()
@click.argument("model", type=FILE)
@click.option(
    "--table", type=FILE, required=True, metavar="TABLE",
    help="Rows like those that the model was trained on: a CSV, TSV or Parquet file.",
)  # fmt: skip
@options(
    *TABLE_OPTIONS,
    click.option(
        "--learner", metavar="CLASS",
        help="Full name of the class that trains shadow models; by default the model's own.",
    ),
    *LEARNER_OPTIONS,
    click.option("--trust", is_flag=True, help="Load pickles and unknown types, which run code."),
    click.option(
        "--responses", multiple=True, metavar="COLUMN",
        help="If MODEL is a CSV file of queries: the column of responses, or one column of "
        "probabilities per class; repeat.",
    ),
    click.option(
        "--attacks", default="queries", show_default=True, metavar="NAMES",
        help="Attack strategies, separated by commas.",
    ),
    *ADVERSARY_OPTIONS,
    *RUN_OPTIONS,
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    model: Path,
    table: Path,
    target: str,
    stated_property: str,
    values: str,
    drop: tuple[str, ...],
    missing: str,
    group: str | None,
    learner: str | None,
    settings: tuple[str, ...],
    encode: str,
    trust: bool,
    responses: tuple[str, ...],
    attacks: str,
    n_samples: int,
    n_shadows: int,
    n_queries: int,
    labels_only: bool,
    seed: int,
    jobs: int,
    fail_above: tuple[str, ...],
    out: Path,
) -> int:
    """Audit a trained model: what does MODEL reveal about its training data?

    MODEL is a fitted scikit-learn model in a .skops file; in a .joblib or .pkl file with --trust;
    or a .csv file of queries and what the model responded to them, with --responses and --learner.
    --n-samples should be the number of rows that the model was trained on. The adversary's shadow
    models are trained on rows of TABLE. --fail-above takes probability and likelihood_ratio, and
    fails only where the attack is better than chance on models that it has not seen.
    """
    session: Session = context.obj
    session.n_steps, session.out, session.resume = 4, out, FROM_CACHE
    session.step(f"read {model} and {table}")
    with interrupts_wait():
        from ..risk import Adversary, audit_model
        from ._learner_source import ENCODING, check_trainable, make_learner, with_encoding
        from ._report_files import names_of, show_report, write_report
        from ._table_source import parse_values, read_table, select

    property_values = parse_values(values)
    metrics = ("probability", "likelihood_ratio") if isinstance(property_values, tuple) else ()
    thresholds = parse_thresholds(fail_above, metrics)
    source = select(read_table(table), target, stated_property, list(drop), missing)
    trained = _trained(model, trust, responses, learner)
    source = source.seen_by(trained)
    encoding = ""
    shadow_learner = None if learner is None else make_learner(learner, settings)
    if shadow_learner is None and settings:
        raise click.BadParameter("needs --learner.", param_hint="--set")
    if shadow_learner is not None and encode == "auto":
        shadow_learner, encoding = with_encoding(shadow_learner, source.features), ENCODING
    family = source.family(np.arange(len(source.target)), property_values)
    if shadow_learner is not None or hasattr(trained, "fit"):
        check_trainable(shadow_learner or trained, family, n_samples)
    make_folder(out)
    session.saved.append(write_config(context, out))

    session.step(f"train {n_shadows} shadow models, and attack {model}")
    with notes():
        report = audit_model(
            {model.name: trained},
            family,
            learner=shadow_learner,
            adversary=Adversary(n_shadows=n_shadows, n_queries=n_queries, labels_only=labels_only),
            attacks=tuple(name.strip() for name in attacks.split(",")),
            n_samples=n_samples,
            cache=out / "cache",
            n_jobs=jobs,
            random_state=seed,
        )
    names = names_of(source, table, stated_property, group)
    report = replace(report, names={"learner": f"the model {model.name}", **names})

    session.step(f"write {out}")
    write_report(report, out, session)
    session.step("done")
    show_report(report, report.table.drop(columns="attack"), source, encoding, session)
    exceeded = any((report.table[name] > value).any() for name, value in thresholds.items())
    return 1 if exceeded and report.is_informative else 0


def _trained(path: Path, trust: bool, responses: tuple[str, ...], learner: str | None) -> Any:
    """Return the model in a file, or the responses that stand for it."""
    from ..risk import RecordedResponses
    from ._model_file import load_model
    from ._table_source import read_table

    if path.suffix != ".csv":
        if responses:
            raise click.BadParameter("is for a MODEL in a .csv file.", param_hint="--responses")
        return load_model(path, trust)
    if not responses or learner is None:
        raise click.UsageError("a MODEL in a .csv file needs --responses and --learner.")
    read_table(path)
    columns: Any = responses[0] if len(responses) == 1 else list(responses)
    return RecordedResponses.from_csv(path, columns)
