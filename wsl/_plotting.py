"""Plots of tables, drawn on matplotlib Axes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LEAST_RATE = 1e-3
GREY = "0.5"  # readable on white and on black


def axes_or_new(ax: Any, width: float = 4.5, height: float = 4.0) -> Any:
    """Return ``ax``, or the Axes of a new pyplot figure, ``width`` by ``height`` inches."""
    return new_subplots(width, height)[0] if ax is None else ax


def new_subplots(width: float, height: float, n_columns: int = 1) -> Any:
    """Return the Axes, side by side, of a new figure that ``plt.show()`` shows."""
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(width, height), layout="constrained")
    return figure.subplots(1, n_columns, squeeze=False)[0]


def printable(text: str) -> str:
    """Return text that every file takes: surrogates, which UTF-8 lacks, as their escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def label(name: Any) -> str:
    """Return a name as matplotlib shows it unchanged: no formula, and never left out of a legend.

    matplotlib takes text between dollar signs for a formula, skips names that start with an
    underscore in legends, and fails on surrogates.
    """
    text = printable(str(name)).replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text


def interval_reach(table: "pd.DataFrame", value: str = "value") -> list[np.ndarray]:
    """Return the distances from values to the ends of their intervals, each ``(n_rows,)``."""
    middle, low, high = (table[name].to_numpy(float) for name in (value, "ci_low", "ci_high"))
    return [np.maximum(middle - low, 0), np.maximum(high - middle, 0)]


def metric_title(metrics: list[str]) -> str:
    """Return the axis title of metrics, of which only the property's number may differ."""
    if metrics in (["accuracy"], ["auc"]):
        return {"accuracy": "accuracy of the guess", "auc": "area under the ROC curve"}[metrics[0]]
    if all(metric.startswith("mean_absolute_error") for metric in metrics):
        return "mean absolute error of the guess"
    return label(" and ".join(metric.replace("_", " ") for metric in metrics))


def row_names(table: "pd.DataFrame") -> list[str]:
    """Return the attack of each row, with the property's number where there are several."""
    several = table["metric"].nunique() > 1
    return [
        label(f"{attack}, property {metric.rsplit('_', 1)[1]}" if several else attack)
        for attack, metric in zip(table["attack"], table["metric"], strict=True)
    ]


def draw_estimates(table: "pd.DataFrame", chance: Mapping[str, float], ax: Any) -> Any:
    """Draw estimates with their intervals, one below the other, and what guessing reaches.

    Accuracies and areas under curves have an axis from chance to 1, whatever the estimates are;
    one below chance is drawn as an arrow at its end.

    Parameters
    ----------
    table : DataFrame
        Columns ``attack``, ``metric``, ``value``, ``ci_low`` and ``ci_high``.
    chance : dict from metric to float
    ax : matplotlib Axes
    """
    metrics = list(dict.fromkeys(table["metric"]))
    least = 0.0
    if metrics in (["accuracy"], ["auc"]):
        least = chance.get(metrics[0], 0.5)
        ax.set_xlim(least - 0.02 * (1 - least), 1 + 0.02 * (1 - least))
    shown = table.assign(
        **{name: table[name].clip(lower=least) for name in ("value", "ci_low", "ci_high")}
    )
    positions = np.arange(len(table))
    ax.errorbar(
        shown["value"], positions, xerr=interval_reach(shown), fmt="o", capsize=4, color="C0"
    )
    below = np.flatnonzero(table["value"] < least)
    ax.plot(np.full(len(below), least), below, "<", color="C0", markersize=9)
    style = {"linestyle": "--", "color": GREY}
    for i, metric in enumerate(table["metric"]):
        if metric in chance:
            name = f"guessing: {chance[metric]:.3f}" if len(metrics) < 2 else "guessing"
            ax.plot([chance[metric]] * 2, [i - 0.5, i + 0.5], label=None if i else name, **style)
    ax.set_yticks(positions, row_names(table))
    ax.set_ylim(max(len(table), 1) - 0.5, -0.5)
    if metrics and metrics[0].startswith("mean_absolute_error"):
        ax.set_xlim(left=0)
    ax.set_xlabel(metric_title(metrics))
    if len(table) and chance:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return ax


def draw_roc(curves: Mapping[str, "pd.DataFrame"], ax: Any) -> Any:
    """Draw ROC curves by name on logarithmic axes, which give room to low false-positive rates."""
    least = min((_least_rate(curve) for curve in curves.values()), default=LEAST_RATE)
    for name, curve in curves.items():
        # below the least rate above 0, the curve continues at the height of rate 0
        fpr = curve["fpr"].clip(lower=least)
        ax.plot(fpr, curve["tpr"], drawstyle="steps-post", label=label(name))
    ax.plot([least, 1], [least, 1], linestyle="--", color=GREY, label="guessing")
    ax.set(xscale="log", yscale="log", xlim=(least, 1.02), ylim=(least, 1.05))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("false-positive rate")
    ax.set_ylabel("true-positive rate")
    ax.legend(loc="lower right", frameon=False)
    return ax


def _least_rate(curve: "pd.DataFrame") -> float:
    """Return the least false-positive rate above 0."""
    above = curve["fpr"][curve["fpr"] > 0]
    return float(above.min()) if len(above) else LEAST_RATE


def draw_confusion(table: "pd.DataFrame", attack: str, ax: Any) -> Any:
    """Draw a confusion table of fractions per true class; returns scikit-learn's display."""
    from sklearn.metrics import ConfusionMatrixDisplay

    display = ConfusionMatrixDisplay(table.to_numpy(), display_labels=[*map(label, table.columns)])
    display.plot(ax=ax, cmap="Blues", values_format=".2f", im_kw={"vmin": 0, "vmax": 1})
    ax.set(title=label(attack), xlabel="guessed property", ylabel="true property")
    return display


def draw_guesses(guesses: np.ndarray, truth: np.ndarray, attack: str, column: int, ax: Any) -> Any:
    """Draw guessed against true values of a continuous property; returns scikit-learn's display.

    Parameters
    ----------
    guesses : ndarray of shape (n_repeats, n_targets) or (n_repeats, n_targets, n_properties)
        A point is drawn at the mean over repeats.
    truth : ndarray of shape (n_targets,) or (n_targets, n_properties)
    attack : str
    column : int
        Which of several properties.
    ax : matplotlib Axes
    """
    from matplotlib.ticker import MaxNLocator
    from sklearn.metrics import PredictionErrorDisplay

    guessed, true = (x.reshape(len(truth), -1)[:, column] for x in (guesses.mean(axis=0), truth))
    title = attack if truth.ndim == 1 else f"{attack}, property {column}"
    display = PredictionErrorDisplay(y_true=true, y_pred=guessed)
    display.plot(ax=ax, kind="actual_vs_predicted", scatter_kwargs={"alpha": 0.4, "s": 12})
    for axis in (ax.xaxis, ax.yaxis):  # round numbers, where the display has put the ends
        axis.set_major_locator(MaxNLocator(5))
    ax.set(title=label(title), xlabel="guessed property", ylabel="true property")
    return display


def draw_risk_curve(rows: "pd.DataFrame", table: "pd.DataFrame", ax: Any) -> Any:
    """Draw the risk of an adversary who observes rows of data, and of those who attack a model.

    Parameters
    ----------
    rows : DataFrame
        Columns ``n_rows``, ``risk``, ``ci_low`` and ``ci_high``; first that of 0 rows.
    table : DataFrame
        Columns ``attack``, ``risk``, ``ci_low`` and ``ci_high``.
    ax : matplotlib Axes
    """
    observed = rows[rows["n_rows"] > 0]
    ax.plot(observed["n_rows"], observed["risk"], "o-", color=GREY, label="observes rows of data")
    ax.fill_between(
        observed["n_rows"], observed["ci_low"], observed["ci_high"], color=GREY, alpha=0.2
    )
    ax.axhline(rows["risk"].iloc[0], linestyle="--", color=GREY, label="observes nothing")
    for i, row in enumerate(table.to_dict("records")):
        ax.axhline(row["risk"], color=f"C{i}", label=label(f"attacks a model: {row['attack']}"))
        ax.axhspan(row["ci_low"], row["ci_high"], color=f"C{i}", alpha=0.15)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="rows of the training distribution", ylabel="risk of the adversary")
    ax.set_ylim(bottom=min(0.0, float(table["ci_low"].min())) if len(table) else None)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return ax


def draw_sources(table: "pd.DataFrame", titles: Mapping[str, str], ax: Any) -> Any:
    """Draw the parts of an advantage, one below the other, and their sum last.

    Parameters
    ----------
    table : DataFrame
        Columns ``source``, ``advantage``, ``ci_low`` and ``ci_high``.
    titles : dict from source to str
    ax : matplotlib Axes
    """
    titles = {**titles, "rest": "none of these", "total": "all"}
    positions = np.arange(len(table))
    colors = [GREY if source in ("rest", "total") else "C0" for source in table["source"]]
    reach = interval_reach(table, "advantage")
    ax.barh(
        positions, table["advantage"], xerr=reach, capsize=4, color=colors, alpha=0.7,
        error_kw={"ecolor": GREY},
    )  # fmt: skip
    ax.axvline(0, color=GREY, linewidth=1)
    ax.set_yticks(positions, [titles[source] for source in table["source"]])
    ax.invert_yaxis()
    ax.set_xlabel("advantage of the attack over guessing")
    return ax


def draw_posteriors(table: "pd.DataFrame", ax: Any) -> Any:
    """Draw what is inferred of each model, one below the other, beside what the prior says.

    Parameters
    ----------
    table : DataFrame
        Columns ``model`` and ``guess``, with ``probability`` and ``prior`` of a class, or
        ``ci_low``, ``ci_high``, ``prior_low`` and ``prior_high``.
    ax : matplotlib Axes
    """
    positions = np.arange(len(table))
    names = [label(name) for name in table["model"]]
    if "probability" in table:
        guesses = [label(guess) for guess in table["guess"]]
        names = [f"{name}: {guess}" for name, guess in zip(names, guesses, strict=True)]
        ax.plot(table["probability"], positions, "o", color="C0", label="posterior")
        ax.plot(table["prior"], positions, "|", color=GREY, markersize=14, label="prior")
        ax.set(xlim=(-0.02, 1.02), xlabel="probability of the value")
    else:
        reach = interval_reach(table, "guess")
        before = table[["prior_low", "prior_high"]].to_numpy(float)
        ax.hlines(positions, *before.T, color=GREY, linewidth=6, alpha=0.3, label="prior")
        ax.errorbar(
            table["guess"].astype(float), positions, xerr=reach, fmt="o", capsize=4, color="C0",
            label="posterior",
        )  # fmt: skip
        ax.set_xlabel("property, with its 95% credible interval")
    ax.set_yticks(positions, names)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return ax


def draw_reliability(tables: Mapping[str, "pd.DataFrame"], is_class: bool, ax: Any) -> Any:
    """Draw how often what has a probability is true, by that probability.

    Parameters
    ----------
    tables : dict from name to DataFrame
        Columns ``probability``, ``frequency``, ``ci_low`` and ``ci_high``.
    is_class : bool
        Whether the probability is that of the guessed class, or the level of an interval.
    ax : matplotlib Axes
    """
    ax.plot([0, 1], [0, 1], linestyle="--", color=GREY, label="calibrated")
    for name, table in tables.items():
        ax.errorbar(
            table["probability"], table["frequency"], yerr=interval_reach(table, "frequency"),
            fmt="o-", capsize=3, label=label(name),
        )  # fmt: skip
    what = "guess" if is_class else "interval"
    ax.set_xlabel(f"probability of the {what}")
    ax.set_ylabel(
        "fraction of models of which the guess is right"
        if is_class
        else "fraction of models whose value is inside"
    )
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.legend(loc="upper left", frameon=False)
    return ax
