"""``wsl audit``: how much models of a learner reveal about the table that they are trained on."""

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
@click.argument("table", type=FILE)
@options(
    *TABLE_OPTIONS,
    click.option(
        "--learner", required=True, metavar="CLASS",
        help="Full name of a class, such as sklearn.ensemble.RandomForestClassifier.",
    ),
    *LEARNER_OPTIONS,
    click.option(
        "--attacks", default="deepsets,queries", show_default=True, metavar="NAMES",
        help="Attack strategies, separated by commas.",
    ),
    click.option(
        "--n-targets", type=click.IntRange(2), default=128, show_default=True,
        help="Target models.",
    ),
    click.option(
        "--n-repeats", type=click.IntRange(1), default=10, show_default=True,
        help="How often each attack is trained.",
    ),
    *ADVERSARY_OPTIONS,
    *RUN_OPTIONS,
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    table: Path,
    target: str,
    stated_property: str,
    values: str,
    drop: tuple[str, ...],
    missing: str,
    group: str | None,
    learner: str,
    settings: tuple[str, ...],
    encode: str,
    attacks: str,
    n_targets: int,
    n_repeats: int,
    n_samples: int,
    n_shadows: int,
    n_queries: int,
    labels_only: bool,
    seed: int,
    jobs: int,
    fail_above: tuple[str, ...],
    out: Path,
) -> int:
    """Audit a learner: what do its models reveal about the TABLE they are trained on?

    Example: wsl audit census.csv --target income --property sex=female --values 0.2,0.8 --learner
    sklearn.ensemble.RandomForestClassifier --set n_estimators=50 --out report

    TABLE is a CSV, TSV or Parquet file with a header. A fifth of its rows is held out to measure
    the models' own quality; targets and adversary share the others, half each. The folder gets the
    report as page (report.html), Markdown and JSON, its table as CSV, and config.toml, with which
    --config repeats the run. Trained models are found again in the folder's cache.
    """
    session: Session = context.obj
    session.n_steps, session.out, session.resume = 4, out, FROM_CACHE
    session.step(f"read {table}")
    with interrupts_wait():
        from ..risk import Adversary, audit
        from ._learner_source import ENCODING, check_trainable, make_learner, with_encoding
        from ._report_files import names_of, show_report, with_interval, write_report
        from ._table_source import parse_values, read_table, select

    property_values = parse_values(values)
    of_classes = ("accuracy", "auc") if isinstance(property_values, tuple) else ()
    thresholds = parse_thresholds(fail_above, ("advantage", *of_classes))
    source = select(read_table(table), target, stated_property, list(drop), missing)
    model = make_learner(learner, settings)
    if encode == "auto":
        model = with_encoding(model, source.features)
    train, held_out = _hold_out(len(source.target), seed)
    family = source.family(train, property_values)
    check_trainable(model, family, n_samples)
    make_folder(out)
    session.saved.append(write_config(context, out))

    targets, known = family.split(0.5, random_state=seed)
    session.step(f"train {n_shadows} shadow models and {n_targets} target models, attack them")
    with notes():
        report = audit(
            model,
            targets,
            attacks=tuple(name.strip() for name in attacks.split(",")),
            adversary=Adversary(
                family=known, n_shadows=n_shadows, n_queries=n_queries, labels_only=labels_only
            ),
            n_targets=n_targets,
            n_samples=n_samples,
            n_repeats=n_repeats,
            test_set=(source.features.iloc[held_out], source.target.iloc[held_out]),
            cache=out / "cache",
            n_jobs=jobs,
            random_state=seed,
        )
    names = {
        "learner": type(_last_step(model)).__name__,
        **names_of(source, table, stated_property, group),
    }
    report = replace(report, names=names, thresholds=thresholds)

    session.step(f"write {out}")
    write_report(report, out, session)
    session.step("done")
    shown = with_interval(report.table, ["attack", "metric", "value"])
    shown["advantage"] = report.table["advantage"]
    show_report(report, shown, source, ENCODING if encode == "auto" else "", session)
    return 1 if report.passed is False else 0


def _hold_out(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to draw training sets from, and a fifth of all rows to test models on."""
    order = np.random.default_rng(seed).permutation(n_rows)
    n_held_out = max(n_rows // 5, 1)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


def _last_step(model: Any) -> Any:
    return model[-1] if hasattr(model, "steps") else model
