"""Pictures of a report, drawn on matplotlib Axes that are given, or made without a screen.

What is drawn is computed by the reports; the pages that show it are in ``_page``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation._tables import headline, is_headline

if TYPE_CHECKING:
    import pandas as pd

    from ._audit_report import AuditReport

LEAST_RATE = 1e-3


def new_figure(width: float, height: float) -> Any:
    """Return a figure that pyplot knows nothing of: it needs no screen and leaves nothing open."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_axes(width: float = 4.5, height: float = 4.0) -> Any:
    """Return Axes of a figure of their own."""
    return new_figure(width, height).add_subplot()


def figure_size(report: "AuditReport") -> tuple[float, float]:
    """Return the size, in inches, of a figure with one line an attack."""
    return 6.0, 1.4 + 0.4 * len(headline(report.table))


def draw_figures(report: "AuditReport", ax: Any) -> Any:
    """Draw how often, or how well, each attack guesses, one below the other."""
    table = headline(report.table)
    names = table["attack"].tolist()
    metrics = list(dict.fromkeys(table["metric"]))
    if len(metrics) > 1:
        names = [f"{a}, {m}" for a, m in zip(names, table["metric"], strict=True)]
    places = list(range(len(table)))
    reach = [table["value"] - table["ci_low"], table["ci_high"] - table["value"]]
    ax.errorbar(table["value"], places, xerr=reach, fmt="o", capsize=4, color="C0")
    chances = {value for metric, value in report.chance.items() if is_headline(metric)}
    for value in chances:
        ax.axvline(value, linestyle="--", color="0.4", label=f"guessing: {value:.3f}")
    ax.set_yticks(places, names)
    ax.set_ylim(max(len(places), 1) - 0.5, -0.5)
    if metrics == ["accuracy"]:
        ax.set_xlim(0, 1.02)
    else:
        ax.set_xlim(left=0)
    ax.set_xlabel("share of models whose property is guessed" if metrics == ["accuracy"] else
                  "mean absolute error of the guessed property")  # fmt: skip
    if chances:
        ax.legend(loc="best", frameon=False)
    return ax


def draw_roc(curves: Mapping[str, "pd.DataFrame"], ax: Any) -> Any:
    """Draw ROC curves by name on logarithmic axes, where few false alarms have room."""
    least = min((_least_rate(curve) for curve in curves.values()), default=LEAST_RATE)
    for name, curve in curves.items():
        # below the least rate that is told apart from 0, the curve is that of no false alarm
        fpr = curve["fpr"].clip(lower=least)
        ax.plot(fpr, curve["tpr"], drawstyle="steps-post", label=name)
    ax.plot([least, 1], [least, 1], linestyle="--", color="0.4", label="guessing")
    ax.set(xscale="log", yscale="log", xlim=(least, 1.02), ylim=(least, 1.05))
    ax.set_xlabel("false-positive rate")
    ax.set_ylabel("true-positive rate")
    ax.legend(loc="lower right", frameon=False)
    return ax


def _least_rate(curve: "pd.DataFrame") -> float:
    """Return the least rate of false alarms above none."""
    above = curve["fpr"][curve["fpr"] > 0]
    return float(above.min()) if len(above) else LEAST_RATE


def draw_confusion(table: "pd.DataFrame", attack: str, ax: Any) -> Any:
    """Draw which class an attack takes for which; returns scikit-learn's display."""
    from sklearn.metrics import ConfusionMatrixDisplay

    display = ConfusionMatrixDisplay(table.to_numpy(), display_labels=list(table.columns))
    display.plot(ax=ax, cmap="Blues", values_format=".2f", im_kw={"vmin": 0, "vmax": 1})
    ax.set(title=attack, xlabel="guessed property", ylabel="true property")
    return display


def draw_guesses(guesses: np.ndarray, truth: np.ndarray, attack: str, column: int, ax: Any) -> Any:
    """Draw guessed against true numbers, one point a target; returns scikit-learn's display.

    A point is the mean of what the repeats guessed.
    """
    from matplotlib.ticker import MaxNLocator
    from sklearn.metrics import PredictionErrorDisplay

    guessed, true = (x.reshape(len(truth), -1)[:, column] for x in (guesses.mean(axis=0), truth))
    title = attack if truth.ndim == 1 else f"{attack}, property {column}"
    display = PredictionErrorDisplay(y_true=true, y_pred=guessed)
    display.plot(ax=ax, kind="actual_vs_predicted", scatter_kwargs={"alpha": 0.4, "s": 12})
    for axis in (ax.xaxis, ax.yaxis):  # round numbers, where the display has put the ends
        axis.set_major_locator(MaxNLocator(5))
    ax.set(title=title, xlabel="guessed property", ylabel="true property")
    return display


def draw_risk_curve(rows: "pd.DataFrame", table: "pd.DataFrame", ax: Any) -> Any:
    """Draw the risk of an adversary who sees rows, and as lines those of attacks on models."""
    seen = rows[rows["n_rows"] > 0]
    ax.plot(seen["n_rows"], seen["risk"], "o-", color="0.3", label="sees rows of data")
    ax.fill_between(seen["n_rows"], seen["ci_low"], seen["ci_high"], color="0.3", alpha=0.2)
    without = rows["risk"].iloc[0]
    ax.axhline(without, linestyle="--", color="0.4", label="sees nothing")
    for place, row in enumerate(table.to_dict("records")):
        ax.axhline(row["risk"], color=f"C{place}", label=f"sees a model: {row['attack']}")
        ax.axhspan(row["ci_low"], row["ci_high"], color=f"C{place}", alpha=0.15)
    ax.set_xscale("log", base=2)
    ax.set(xlabel="rows of the training distribution", ylabel="risk of the adversary")
    ax.set_ylim(bottom=min(0.0, float(table["ci_low"].min())) if len(table) else None)
    ax.legend(loc="best", frameon=False)
    return ax


def draw_sources(table: "pd.DataFrame", titles: Mapping[str, str], ax: Any) -> Any:
    """Draw the parts of an advantage, one below the other, and the whole of it last."""
    titles = {**titles, "rest": "none of these", "total": "all"}
    places = np.arange(len(table))
    value, low, high = (table[name].to_numpy(float) for name in ("advantage", "ci_low", "ci_high"))
    colors = ["0.4" if source in ("rest", "total") else "C0" for source in table["source"]]
    ax.barh(places, value, xerr=[value - low, high - value], capsize=4, color=colors, alpha=0.7)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_yticks(places, [titles[source] for source in table["source"]])
    ax.invert_yaxis()
    ax.set_xlabel("advantage of the attack over guessing")
    return ax
