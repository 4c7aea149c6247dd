"""Comparison of the five experiments of Hartmann et al. (2023) with the published results."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks._hartmann import KEY, published

ROUNDING = 5e-4  # results are compared to three digits


def compare(repeats: pd.DataFrame) -> pd.DataFrame:
    """Return our means and 95% ranges beside the published ones, with a verdict."""
    ours = repeats.groupby([*KEY, "attack"], sort=False)["score"].agg(
        mean="mean", low=lambda s: s.quantile(0.025), high=lambda s: s.quantile(0.975)
    )
    by_draw = repeats.groupby([*KEY, "attack", "draw"], sort=False)["score"].mean()
    ours["over draws"] = [
        f"{group.min():.3f}-{group.max():.3f}" if len(group) > 1 else ""
        for _, group in by_draw.groupby(level=list(range(4)), sort=False)
    ]
    theirs = published("distribution_inference").set_index([*KEY, "attack"])
    table = ours.join(theirs.add_prefix("published ")).reset_index()
    table["verdict"] = [verdict(row, by_draw) for row in table.to_dict("records")]
    return table


def verdict(row: dict, by_draw: pd.Series) -> str:
    """Say whether the attack is as good as the published one, better, or worse and why."""
    lower_is_better = row["task"] == "regression"
    mean, low, high = (row[f"published {name}"] for name in ("mean", "low", "high"))
    if np.isnan(mean):
        return "nothing published"
    if low - ROUNDING <= row["mean"] <= high + ROUNDING:
        return "within"
    if (row["mean"] < low) == lower_is_better:
        return "better"
    draws = by_draw.xs(tuple(row[name] for name in (*KEY, "attack")), level=[*KEY, "attack"])
    if draws.min() <= mean <= draws.max():
        return "worse; the published mean is within our draws of M0"
    return "worse"


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison with ranges as text."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "level": table["level"],
            "task": table["task"],
            "attack": table["attack"],
            "ours": [f"{m:.3f}" for m in table["mean"]],
            "95% range": _ranges(table["low"], table["high"]),
            "draws of M0": table["over draws"],
            "published": [f"{m:.3f}" for m in table["published mean"]],
            "its range": _ranges(table["published low"], table["published high"]),
            "verdict": table["verdict"],
        }
    )


def _ranges(low: pd.Series, high: pd.Series) -> list[str]:
    return [f"{a:.3f}-{b:.3f}" for a, b in zip(low, high, strict=True)]


def model_errors(errors: pd.DataFrame) -> pd.DataFrame:
    """Return the target models' mean squared errors beside the published ones."""
    squared = errors[errors["metric"] == "mean_squared_error"]
    ours = squared.groupby([*KEY, "test_set"], sort=False)["value"].mean().rename("mse").to_frame()
    theirs = published("target_models").rename(columns={"evaluated_on": "test_set"})
    table = ours.join(theirs.set_index([*KEY, "test_set"])["mean"].rename("published"))
    return table.reset_index()


def draw_curves(table: pd.DataFrame) -> Figure:
    """Draw our results and the published ones against the level of each experiment."""
    groups = list(table.groupby(["experiment", "task"], sort=False))
    figure = Figure(
        figsize=(4 * min(len(groups), 4), 3.4 * -(-len(groups) // 4)), layout="constrained"
    )
    axes = figure.subplots(-(-len(groups) // 4), min(len(groups), 4), squeeze=False).ravel()
    for ax, ((experiment, task), group) in zip(axes, groups, strict=False):
        for color, (attack, own) in zip(("C0", "C1"), group.groupby("attack"), strict=False):
            positions = np.arange(len(own))
            for prefix, style, shift in (("", "o-", -0.05), ("published ", "s:", 0.05)):
                mean = own[f"{prefix}mean"]
                reach = [mean - own[f"{prefix}low"], own[f"{prefix}high"] - mean]
                ax.errorbar(
                    positions + shift, mean, np.clip(reach, 0, None), fmt=style, color=color,
                    capsize=3, label=f"{attack}, {prefix or 'ours'}".strip(), alpha=0.8,
                )  # fmt: skip
            ax.set_xticks(positions, own["level"])
        ax.set_title(f"{experiment}, {task}")
        ax.set_ylabel("accuracy" if task == "classification" else "mean absolute error")
    for ax in axes[len(groups) :]:
        ax.set_axis_off()
    axes[0].legend(frameon=False, fontsize=8)
    return figure
