"""The picture and the page of an audit report.

The figures come from ``AuditReport``; matplotlib is imported where it draws.
"""

import base64
import io
import math
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from ._report import AuditReport

SEES = {"deepsets": "sees the weights", "queries": "sees answers to queries"}

PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Distribution inference audit</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ccc; text-align: right }
th:first-child, td:first-child { text-align: left }
img { max-width: 100%; height: auto }
dt { font-weight: 600 } dd { margin: 0 0 .5rem; overflow-wrap: anywhere }
</style>
</head>
<body>
<h1>Distribution inference audit</h1>
<p>Someone who sees one trained model tries to tell from which of several distributions its training
data came. This page says how well that works.</p>
<h2>What the attacks found</h2>
<ul>
$findings
</ul>
<img alt="Figure of each attack with its interval" src="data:image/png;base64,$picture">
$table
<p>The interval holds the figure that other target models and other shadow models would give, with
a confidence of 95%. Advantage 0 is guessing without a look at the model, 1 is certainty.</p>
<h2>How good the models are</h2>
$utility
<h2>How it was measured</h2>
<dl>
$settings
</dl>
</body>
</html>
"""
)


def figure_size(report: "AuditReport") -> tuple[float, float]:
    """Return the size, in inches, of a figure with one line an attack."""
    return 6.0, 1.4 + 0.4 * len(report.table)


def draw(report: "AuditReport", ax: Any) -> Any:
    """Draw the report's figures, one below the other, on a matplotlib Axes."""
    table = report.table
    names = table["attack"].tolist()
    metrics = list(dict.fromkeys(table["metric"]))
    if len(metrics) > 1:
        names = [f"{a}, {m}" for a, m in zip(names, table["metric"], strict=True)]
    places = list(range(len(table)))
    reach = [table["value"] - table["ci_low"], table["ci_high"] - table["value"]]
    ax.errorbar(table["value"], places, xerr=reach, fmt="o", capsize=4, color="C0")
    for value in set(report.chance.values()):
        ax.axvline(value, linestyle="--", color="0.4", label=f"guessing: {value:.3f}")
    ax.set_yticks(places, names)
    ax.set_ylim(max(len(places), 1) - 0.5, -0.5)
    if metrics == ["accuracy"]:
        ax.set_xlim(0, 1.02)
    else:
        ax.set_xlim(left=0)
    ax.set_xlabel("share of models whose property is guessed" if metrics == ["accuracy"] else
                  "mean absolute error of the guessed property")  # fmt: skip
    if report.chance:
        ax.legend(loc="best", frameon=False)
    return ax


def render(report: "AuditReport") -> str:
    """Return the page as a string."""
    findings = [_finding(row, report.chance) for row in report.table.to_dict("records")]
    findings += [f"{name} was left out: {reason}." for name, reason in report.skipped.items()]
    settings = "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
        for name, value in report.settings.items()
    )
    return PAGE.substitute(
        findings="\n".join(f"<li>{escape(text)}</li>" for text in findings),
        picture=_picture(report),
        table=_html_table(report.table),
        utility=_html_table(report.utility),
        settings=settings,
    )


def _finding(row: dict[Any, Any], chance: dict[str, float]) -> str:
    """Say in plain words what one row of the table means."""
    guessing, value, low, high = (
        chance[row["metric"]], row["value"], row["ci_low"], row["ci_high"],
    )  # fmt: skip
    name = row["attack"] + (f" ({SEES[row['attack']]})" if row["attack"] in SEES else "")
    if row["metric"] == "accuracy":
        text = (
            f"{name}: the property is guessed for {value:.1%} of the models (interval {low:.1%} to "
            f"{high:.1%}); who does not look at the model is right for {guessing:.1%}."
        )
    else:
        text = (
            f"{name}: the guess misses the property by {value:.3f} on average (interval {low:.3f} "
            f"to {high:.3f}); who does not look at the model misses it by {guessing:.3f}."
        )
    if low <= guessing <= high:
        text += " The interval holds chance: this attack found no leak. Another might."
    elif math.isfinite(row["n_leaked"]):
        n_rows = math.ceil(row["n_leaked"])
        text += f" To tell as much from data takes at least {n_rows} row{'s' * (n_rows > 1)} of it."
    return text


def _picture(report: "AuditReport") -> str:
    from matplotlib.figure import Figure  # without pyplot: needs no screen, leaves nothing open

    figure = Figure(figsize=figure_size(report), layout="constrained")
    draw(report, figure.add_subplot())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _html_table(frame: "pd.DataFrame") -> str:
    if frame.empty:
        return "<p>No figures.</p>"
    return frame.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="–")
