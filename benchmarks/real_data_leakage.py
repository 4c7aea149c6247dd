"""What leaks from models of real data: from which learner, by which attack.

Census income: is the fraction of women in the training data one half or another value, and which
value between .2 and .8? Digits: is one digit a tenth or a fifth of the images, and what are the
fractions of two digits? Targets and adversary draw from disjoint rows, and models are scored on
rows that neither has. Trained models are saved in the results folder, and an interrupted run
reuses them.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._runner import Benchmark, Run
from wsl import Adversary, CausalMitigatedClassifier, SubsampledFamily, audit
from wsl.attacks import STRATEGIES
from wsl.datasets import load_census_income
from wsl.distributions import Interval
from wsl.exceptions import AttackNotApplicableWarning

ATTACKS = tuple(STRATEGIES)
DIGITS = (3, 8)
# metrics of a report that measure an attack's guesses, and the property of the task they are of
METRICS = {
    "accuracy": 0,
    "mean_absolute_error": 0,
    "mean_absolute_error_0": 0,
    "mean_absolute_error_1": 1,
}


@dataclass(frozen=True)
class Scale:
    """Numbers of models and repeats per property and learner; fractions of women to compare."""

    n_shadows: int
    n_targets: int
    n_repeats: int
    fractions: tuple[float, ...]


SCALES = {
    "full": Scale(128, 128, 10, (0.2, 0.3, 0.4, 0.6, 0.7, 0.8)),
    "quick": Scale(12, 8, 1, (0.2,)),
}

LEARNERS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "random forest": RandomForestClassifier(n_estimators=20),
    "gradient boosting": HistGradientBoostingClassifier(max_iter=15, early_stopping=False),
    "MLP": CausalMitigatedClassifier((8,), penalty=None, epochs=20, batch_size=32),
}


@dataclass(frozen=True)
class Task:
    """A property to infer, and the data that models are trained on."""

    data: str
    names: tuple[str, ...]  # one per dimension of the property
    family: SubsampledFamily
    test_set: tuple[np.ndarray, np.ndarray]
    n_samples: int
    labels_only: bool = False


def census_tasks(scale: Scale, seed: int) -> Iterator[Task]:
    """Yield the tasks about the fraction of women; sex is not among the columns of models."""
    census: Any = load_census_income()
    women = (census.sensitive["sex"] == "female").to_numpy()
    rows, held_out = train_test_split(
        np.arange(len(women)), test_size=0.2, random_state=seed, stratify=census.target
    )
    test_set = census.data[held_out], census.target[held_out]
    for properties in (*((0.5, fraction) for fraction in scale.fractions), Interval(0.2, 0.8)):
        family = SubsampledFamily(
            census.data[rows], census.target[rows], women[rows], properties=properties
        )
        numeric = isinstance(properties, Interval)
        name = "fraction of women" if numeric else "women: {:g} or {:g}?".format(*properties)
        yield Task("census", (name,), family, test_set, 1000)
        if properties == (0.5, scale.fractions[0]):
            yield Task("census", (f"{name} by labels",), family, test_set, 1000, True)


def digits_tasks(scale: Scale, seed: int) -> Iterator[Task]:
    """Yield the tasks about proportions of the classes themselves."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.2, random_state=seed, stratify=y)
    family = SubsampledFamily(X, y, y, value=DIGITS[0], properties=(0.1, 0.2))
    names = (f"{DIGITS[0]}s: 0.1 or 0.2?",)
    yield Task("digits", names, family, (X_test, y_test), 250)
    both = SubsampledFamily.with_proportions(
        X, y, y, values=DIGITS, properties=[Interval(0.05, 0.25)] * 2
    )
    names = tuple(f"fraction of {digit}s" for digit in DIGITS)
    yield Task("digits", names, both, (X_test, y_test), 250)


TASKS: dict[str, Callable[[Scale, int], Iterator[Task]]] = {
    "census": census_tasks, "digits": digits_tasks,
}  # fmt: skip


def audit_learner(task: Task, name: str, run: Run) -> pd.DataFrame:
    """Audit one learner; return one row per attack and metric."""
    family, adversary_family = task.family.split(0.5, random_state=run.seed)
    attacks = ATTACKS
    if task.labels_only:
        attacks = tuple(attack for attack in ATTACKS if not STRATEGIES[attack].white_box)
    with warnings.catch_warnings():  # the table marks these attacks
        warnings.simplefilter("ignore", AttackNotApplicableWarning)
        report = audit(
            LEARNERS[name],
            family,
            attacks=attacks,
            adversary=Adversary(
                family=adversary_family,
                n_shadows=run.scale.n_shadows,
                labels_only=task.labels_only,
            ),
            test_set=task.test_set,
            n_targets=run.scale.n_targets,
            n_samples=task.n_samples,
            n_repeats=run.scale.n_repeats,
            cache=run.folder("models"),
            n_jobs=run.n_jobs,
            random_state=run.seed,
            progress=False,
        )
    table = report.table[report.table["metric"].isin(METRICS)]
    return table.assign(
        data=task.data,
        property=[task.names[METRICS[metric]] for metric in table["metric"]],
        learner=name,
        chance=table["metric"].map(report.chance),
        quality=report.utility.set_index("metric")["value"]["accuracy"],
    )


def summarize(found: pd.DataFrame) -> pd.DataFrame:
    """Return one row per property and learner: each attack's metric with its 95% interval.

    The metric is accuracy for two fractions and mean absolute error for a fraction; "-" marks
    white-box attacks on a learner without weights. ``n_leaked`` is that of the best attack.
    """
    cells = found.assign(
        text=[
            f"{value:.3f} ({low:.2f} to {high:.2f})"
            for value, low, high in found[["value", "ci_low", "ci_high"]].to_numpy()
        ]
    )
    index = ["data", "property", "learner"]
    table = cells.pivot_table(
        index=index, columns="attack", values="text", aggfunc="first", sort=False
    ).fillna("-")
    groups = found.groupby(index, sort=False)
    table.insert(0, "guessing", groups["chance"].first().map("{:.3f}".format))
    table["n_leaked"] = groups["n_leaked"].max().map("{:.1f}".format).replace("nan", "-")
    table["model accuracy"] = groups["quality"].first().map("{:.3f}".format)
    return table.reset_index()


def strongest(found: pd.DataFrame) -> pd.DataFrame:
    """Return one row per property: for each learner, the metric of the best attack."""
    best = found.loc[found.groupby(["data", "property", "learner"])["advantage"].idxmax()]
    cells = best.pivot(index=["data", "property"], columns="learner", values="value")
    guessing = found.groupby(["data", "property"], sort=False)["chance"].first()
    table = guessing.rename("guessing").to_frame().join(cells[list(LEARNERS)])
    return table.reset_index()


def draw(found: pd.DataFrame) -> Figure:
    """Draw, for each property, the advantage of each attack on each learner."""
    properties = found["property"].unique()
    learners, attacks = found["learner"].unique().tolist(), found["attack"].unique().tolist()
    n_columns = min(4, len(properties))
    n_rows = -(-len(properties) // n_columns)
    figure = Figure(figsize=(2.5 * n_columns + 2, 3.4 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(properties) :]:
        ax.set_visible(False)
    for ax, name in zip(axes, properties, strict=False):
        results = found[found["property"] == name]
        ax.axvline(0, color="0.6", linewidth=1)
        ax.set_title(f"{results['data'].iloc[0]}\n{name}", fontsize=8)
        for i, attack in enumerate(attacks):
            rows = results[results["attack"] == attack]
            offset = 0.8 * (i + 0.5) / len(attacks) - 0.4
            heights = [learners.index(learner) + offset for learner in rows["learner"]]
            draw_intervals(ax, rows, heights, i)
    axes[0].set(yticks=range(len(learners)), yticklabels=learners, xlim=(-0.5, 1.05))
    axes[0].invert_yaxis()
    figure.supxlabel("advantage of the attack (0: guessing, 1: always right)", fontsize=9)
    marks = [Line2D([], [], color=f"C{i}", marker="o", markersize=4) for i in range(len(attacks))]
    figure.legend(marks, attacks, loc="outside right upper", fontsize=8)
    return figure


def draw_intervals(ax: Any, rows: pd.DataFrame, at: list[float], color: int) -> None:
    """Draw the metrics of one attack and their intervals as advantages over guessing."""
    perfect = (rows["metric"] == "accuracy").astype(float)
    low, high = (
        (rows[end] - rows["chance"]) / (perfect - rows["chance"]) for end in ("ci_low", "ci_high")
    )
    ax.hlines(at, low, high, colors=f"C{color}", alpha=0.5)
    ax.plot(rows["advantage"], at, "o", color=f"C{color}", markersize=4)


def run_benchmark(run: Run) -> None:
    """Audit every learner for every property."""
    results = []
    for part in run.parts:
        for task in TASKS[part](run.scale, run.seed):
            for learner in LEARNERS:
                results.append(audit_learner(task, learner, run))
                run.log(f"  {task.data}, {task.names[0]}, {learner}: done")
    found = pd.concat(results, ignore_index=True)
    run.raw("attacks", found)
    run.figure("attacks", draw(found))
    run.table("attacks", summarize(found))
    run.table("strongest", strongest(found))


BENCHMARK = Benchmark(
    name="real_data_leakage",
    shows="what every attack infers from models of census income and of digits, by learner",
    takes="5 minutes",
    run=run_benchmark,
    scales=SCALES,
    parts=dict.fromkeys(TASKS, ()),
    packages=("scikit-learn",),
)

if __name__ == "__main__":
    BENCHMARK.main()
