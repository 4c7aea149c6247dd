"""``wsl compare``: do two audits differ?"""

from pathlib import Path

import click

from .._interrupts import interrupts_wait
from ._shared_options import FILE


@click.command()
@click.argument("reports", type=FILE, nargs=-1, required=True)
@click.option("--out", type=FILE, metavar="FILE.csv", help="Also write the table to a file.")
def command(reports: tuple[Path, ...], out: Path | None) -> None:
    """Compare audits: each report against the first, by attack and metric.

    REPORTS are two or more report.json of wsl audit.
    """
    with interrupts_wait():
        from .._files import write_text
        from ..risk import AuditReport, compare_audits
        from ._report_files import with_interval

    if len(reports) < 2:
        raise click.UsageError(f"needs at least two reports; got {len(reports)}.")
    if len(set(reports)) < len(reports):
        raise click.UsageError("needs different reports; got one of them twice.")
    table = compare_audits({str(path): AuditReport.load(path) for path in reports})
    if out is not None:
        write_text(out, table.to_csv(index=False))
    click.echo(f"Reference: {reports[0]}\n")
    for name, part in table.groupby("audit", sort=False):
        columns = ["attack", "metric", "reference", "value", "difference"]
        shown = with_interval(part, columns, "+")
        click.echo(f"{name}\n{shown.to_string(index=False, float_format='{:.3f}'.format)}\n")
        differs = part[(part["ci_low"] > 0) | (part["ci_high"] < 0)]
        found = ", ".join(f"{row.metric} of {row.attack}" for row in differs.itertuples())
        click.echo(f"Differs in {found}.\n" if found else "Every interval holds zero.\n")
