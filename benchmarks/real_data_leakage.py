"""What leaks from models of real data: from which learner, by which attack.

``python -m benchmarks.real_data_leakage [--scale full|quick] [--out PATH] [--jobs N]``

Census income: were half of the persons women, or another share? And which share between .2 and .8?
Digits: was one digit a tenth of the images, or a fifth? And which shares had two digits? Targets
and adversary draw from rows that they do not share; models are scored on rows that neither has.
Trained models are kept in the folder, and a run that was interrupted goes on with them.
"""

import argparse
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
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

from benchmarks._machine import describe_machine
from wsl import Adversary, CausalMitigatedClassifier, SubsampledFamily, audit
from wsl.attacks import STRATEGIES
from wsl.datasets import load_census_income
from wsl.distributions import Interval
from wsl.exceptions import AttackNotApplicableWarning

ATTACKS = tuple(STRATEGIES)
DIGITS = (3, 8)
# of a report's metrics, those that say how near an attack's guesses are, and to which number
FIGURES = {
    "accuracy": 0,
    "mean_absolute_error": 0,
    "mean_absolute_error_0": 0,
    "mean_absolute_error_1": 1,
}


@dataclass(frozen=True)
class Scale:
    """How many models are trained for each question and learner."""

    n_shadows: int
    n_targets: int
    n_repeats: int
    shares: tuple[float, ...]


SCALES = {
    "full": Scale(128, 128, 10, (0.2, 0.3, 0.4, 0.6, 0.7, 0.8)),
    "quick": Scale(24, 16, 2, (0.2,)),
}

LEARNERS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "random forest": RandomForestClassifier(n_estimators=20),
    "gradient boosting": HistGradientBoostingClassifier(max_iter=15, early_stopping=False),
    "MLP": CausalMitigatedClassifier((8,), penalty=None, epochs=20, batch_size=32),
}


@dataclass(frozen=True)
class Question:
    """A property that an adversary asks for, and the data that models are trained on."""

    data: str
    asks: tuple[str, ...]  # one for each number that the property is
    family: SubsampledFamily
    test_set: tuple[np.ndarray, np.ndarray]
    n_samples: int
    labels_only: bool = False


def census_questions(scale: Scale, seed: int) -> Iterator[Question]:
    """Yield the questions about the share of women; models do not see the sex."""
    census: Any = load_census_income()
    women = (census.sensitive["sex"] == "female").to_numpy()
    kept, held_out = train_test_split(
        np.arange(len(women)), test_size=0.2, random_state=seed, stratify=census.target
    )
    test_set = census.data[held_out], census.target[held_out]
    for properties in (*((0.5, share) for share in scale.shares), Interval(0.2, 0.8)):
        family = SubsampledFamily(
            census.data[kept], census.target[kept], women[kept], properties=properties
        )
        numeric = isinstance(properties, Interval)
        asks = "share of women" if numeric else f"women: {properties[0]:g} or {properties[1]:g}?"
        yield Question("census", (asks,), family, test_set, 1000)
        if properties == (0.5, scale.shares[0]):
            yield Question("census", (f"{asks} by labels",), family, test_set, 1000, True)


def digits_questions(seed: int) -> Iterator[Question]:
    """Yield the questions about proportions of the classes themselves."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.2, random_state=seed, stratify=y)
    family = SubsampledFamily(X, y, y, value=DIGITS[0], properties=(0.1, 0.2))
    asks = (f"{DIGITS[0]}s: 0.1 or 0.2?",)
    yield Question("digits", asks, family, (X_test, y_test), 250)
    both = SubsampledFamily.with_proportions(
        X, y, y, values=DIGITS, properties=[Interval(0.05, 0.25)] * 2
    )
    asks = tuple(f"share of {digit}s" for digit in DIGITS)
    yield Question("digits", asks, both, (X_test, y_test), 250)


def ask(question: Question, name: str, scale: Scale, args: argparse.Namespace) -> pd.DataFrame:
    """Audit one learner for one question; one row an attack and metric."""
    family, adversary_family = question.family.split(0.5, random_state=args.seed)
    attacks = ATTACKS
    if question.labels_only:
        attacks = tuple(attack for attack in ATTACKS if not STRATEGIES[attack].white_box)
    with warnings.catch_warnings():  # what a learner does not show is said in the table
        warnings.simplefilter("ignore", AttackNotApplicableWarning)
        report = audit(
            LEARNERS[name],
            family,
            attacks=attacks,
            adversary=Adversary(
                family=adversary_family,
                n_shadows=scale.n_shadows,
                labels_only=question.labels_only,
            ),
            test_set=question.test_set,
            n_targets=scale.n_targets,
            n_samples=question.n_samples,
            n_repeats=scale.n_repeats,
            cache=args.out / "models",
            n_jobs=args.jobs,
            random_state=args.seed,
            progress=False,
        )
    table = report.table[report.table["metric"].isin(FIGURES)]
    return table.assign(
        data=question.data,
        question=[question.asks[FIGURES[metric]] for metric in table["metric"]],
        learner=name,
        chance=table["metric"].map(report.chance),
        quality=report.utility.set_index("metric")["value"]["accuracy"],
    )


def summarize(found: pd.DataFrame) -> pd.DataFrame:
    """Return one row a question and learner: each attack's figure with its interval."""
    cells = found.assign(
        shown=[
            f"{value:.3f} {low:.2f}-{high:.2f}"
            for value, low, high in found[["value", "ci_low", "ci_high"]].to_numpy()
        ]
    )
    index = ["data", "question", "learner"]
    table = cells.pivot_table(
        index=index, columns="attack", values="shown", aggfunc="first", sort=False
    ).fillna("-")
    groups = found.groupby(index, sort=False)
    table.insert(0, "guessing", groups["chance"].first().map("{:.3f}".format))
    table["n_leaked"] = groups["n_leaked"].max().map("{:.1f}".format).replace("nan", "-")
    table["model accuracy"] = groups["quality"].first().map("{:.3f}".format)
    return table


def draw(found: pd.DataFrame) -> Figure:
    """Draw, for each question, the advantage of each attack on each learner."""
    questions = found["question"].unique()
    learners, attacks = found["learner"].unique().tolist(), found["attack"].unique().tolist()
    n_columns = min(4, len(questions))
    n_rows = -(-len(questions) // n_columns)
    figure = Figure(figsize=(2.5 * n_columns + 2, 3.4 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(questions) :]:
        ax.set_visible(False)
    for ax, question in zip(axes, questions, strict=False):
        asked = found[found["question"] == question]
        ax.axvline(0, color="0.6", linewidth=1)
        ax.set_title(f"{asked['data'].iloc[0]}\n{question}", fontsize=8)
        for i, attack in enumerate(attacks):
            rows = asked[asked["attack"] == attack]
            place = 0.8 * (i + 0.5) / len(attacks) - 0.4
            draw_intervals(ax, rows, [learners.index(name) + place for name in rows["learner"]], i)
    axes[0].set(yticks=range(len(learners)), yticklabels=learners, xlim=(-0.5, 1.05))
    axes[0].invert_yaxis()
    figure.supxlabel("advantage of the attack: 0 guesses, 1 is always right", fontsize=9)
    marks = [Line2D([], [], color=f"C{i}", marker="o", markersize=4) for i in range(len(attacks))]
    figure.legend(marks, attacks, loc="outside right upper", fontsize=8)
    return figure


def draw_intervals(ax: Any, rows: pd.DataFrame, at: list[float], color: int) -> None:
    """Draw figures and intervals of one attack as advantages over guessing."""
    perfect = (rows["metric"] == "accuracy").astype(float)
    low, high = (
        (rows[end] - rows["chance"]) / (perfect - rows["chance"]) for end in ("ci_low", "ci_high")
    )
    ax.hlines(at, low, high, colors=f"C{color}", alpha=0.5)
    ax.plot(rows["advantage"], at, "o", color=f"C{color}", markersize=4)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_data_leakage",
                                     description=__doc__)  # fmt: skip
    parser.add_argument("--scale", choices=sorted(SCALES), default="full")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    scale, start = SCALES[args.scale], time.perf_counter()
    print(describe_machine("scikit-learn"))
    print(f"{args.scale}: {scale}, {args.jobs} jobs, seed {args.seed}")
    for name, learner in LEARNERS.items():
        print(f"{name}: {learner}".replace("\n", " "))
    found = []
    questions = [*census_questions(scale, args.seed), *digits_questions(args.seed)]
    for question in questions:
        for name in LEARNERS:
            began = time.perf_counter()
            found.append(ask(question, name, scale, args))
            seconds = time.perf_counter() - began
            print(f"{question.data}, {question.asks[0]} {name}: {seconds:.1f} s", flush=True)
    table = pd.concat(found, ignore_index=True)
    args.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.out / "real_data_leakage.csv", index=False, float_format="%.6g")
    draw(table).savefig(args.out / "real_data_leakage.png", dpi=150)
    print("Accuracy of telling two shares apart, or mean absolute error of a share; 95% intervals;")
    print("n_leaked of the strongest attack; '-': the learner has no weights to read.")
    print(summarize(table).to_string())
    print(f"{time.perf_counter() - start:.0f} s; figures and picture in {args.out}")


if __name__ == "__main__":
    main()
