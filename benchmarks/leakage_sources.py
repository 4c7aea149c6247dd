"""Where leakage comes from: cases with one source, cases known on paper, and real data.

``python -m benchmarks.leakage_sources [alone|paper|census|curves|all] [--scale full|quick]``

``alone``: families of Hartmann et al. (2023) in which one source is at work. ``paper``: linear
Gaussian cases whose parts are computed in closed form. ``census``: which source makes three
learners leak the share of women. ``curves``: the success of the attack against epsilon, training
error and sample size, beside what was published and what the theory says. Trained models are kept
in the folder, and a run that was interrupted goes on with them.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from benchmarks._hartmann import (
    EPSILONS,
    SIZES,
    STOPS,
    ShadowLearner,
    published,
)
from benchmarks._machine import describe_machine
from wsl import (
    Adversary,
    Architecture,
    CausalMitigatedClassifier,
    DistributionInferenceAttack,
    GaussianFamily,
    RandomNetworkFamily,
    SubsampledFamily,
    audit,
    leakage_sources,
    train_zoo,
)
from wsl.datasets import load_census_income
from wsl.displays import SourcesDisplay
from wsl.distributions import Interval
from wsl.risk import SourcesReport

SOURCES = ("conditional", "bias", "sample")


@dataclass(frozen=True)
class Scale:
    """How many models are trained for each population."""

    n_shadows: int
    n_targets: int
    n_repeats: int


SCALES = {"full": Scale(128, 128, 10), "quick": Scale(32, 32, 4)}


@dataclass(frozen=True)
class Case:
    """A learner on a family, with the source that must dominate, or the parts on paper."""

    name: str
    learner: Any
    family: Any
    options: dict[str, Any]
    expected: Any


class TrainedOut(BaseEstimator):
    """A network of one hidden layer, wider than the one that labels, trained until it fits.

    Parameters
    ----------
    random_state : int, optional
    """

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit_zoo(self, datasets, n_models):
        return train_zoo(
            Architecture.mlp(4, [64], 1),
            datasets,
            n_models=n_models,
            loss="mse",
            epochs=100,
            batch_size=64,
            learning_rate=5e-3,
            random_state=self.random_state,
        )


def alone(seed: int) -> Iterator[Case]:
    """Yield experiments A, A-bis, B and C.

    In C the learner is one that fits: what 20 epochs of 512 rows leave is, for the greater part,
    want of training.
    """
    shadow, fitting = ShadowLearner(), TrainedOut()
    options: dict[str, Any] = {"reference_learner": shadow, "n_samples": 2048, "n_queries": 64}
    for name, epsilon, learner in (
        ("A: epsilon .04", 0.04, shadow),
        ("A-bis: stopped at 30", 0.05, ShadowLearner(30)),
    ):
        family = RandomNetworkFamily(epsilon, random_state=seed)
        yield Case(name, learner, family, options, "conditional")
    inputs = RandomNetworkFamily(0.0, shift=1.0, properties=Interval(0, 1), random_state=seed)
    options = {"reference_learner": fitting, "conditional": inputs, "n_queries": 64}
    longer = options | {"n_samples": 1024, "sample_size_multipliers": (1, 2, 4, 8)}
    yield Case("B: stopped at 50", ShadowLearner(50), inputs, longer, "bias")
    longer = options | {"n_samples": 512, "sample_size_multipliers": (1, 2, 4, 8, 16)}
    yield Case("C: 512 rows", fitting, inputs, longer, "sample")


def paper(seed: int) -> Iterator[Case]:
    """Yield linear Gaussian cases, the property the mean of an attribute."""
    options = {
        "reference_learner": LinearRegression(), "n_queries": 6, "n_shadows": 512, "n_targets": 512,
    }  # fmt: skip
    for learner in (DummyRegressor(), LinearRegression()):
        for a, b, d, n in ((0.5, 1.0, 0.6, 64), (0.5, 0.5, 0.3, 256), (1.0, 2.0, 0.2, 256)):
            family = GaussianFamily("mean", properties=(0, d), on_inputs=a, on_outcome=b)
            constant = isinstance(learner, DummyRegressor)
            expected = parts_on_paper(constant, n, d, a, b)
            name = f"{'constant' if constant else 'least squares'}, a {a:g}, b {b:g}, d {d:g}"
            yield Case(f"{name}, n {n}", learner, family, options | {"n_samples": n}, expected)
    larger = {"n_samples": 64, "n_queries": 3, "sample_size_multipliers": (1, 4, 16)}
    yield finite_data(options | larger)


def finite_data(options: dict[str, Any]) -> Case:
    """Return the case of inputs that move alone: errors of least squares hang together by p.

    That is a product of two coefficients, which the attack must be given.
    """
    ends, a = (-1.5, 1.5), 2.0
    family = GaussianFamily("mean", properties=ends, on_inputs=a, on_outcome=0, n_features=2)
    products = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(C=100.0))
    attack = DistributionInferenceAttack("queries", meta_estimator=products)
    whole = 2 * family.bayes_accuracy(64, "coefficients") - 1
    expected = {"conditional": 0.0, "bias": 0.0, "sample": whole, "rest": 0.0, "total": whole}
    name = f"least squares, a {a:g}, b 0, d {ends[1] - ends[0]:g}, n 64"
    return Case(name, LinearRegression(), family, options | {"attacks": attack}, expected)


def parts_on_paper(constant: bool, n: int, d: float, a: float, b: float) -> dict[str, float]:
    """Return the Shapley parts of an attack that knows the two distributions.

    A row has an attribute of the mean 0 or d, an input with a times it, and an outcome with b
    times it; noises are 1. Least squares takes the place of the constant learner.
    """
    deviation = np.sqrt(b**2 / (1 + a**2) + 1)
    conditional = advantage(np.sqrt(n) * b * d / (1 + a**2) / deviation)
    fitted = {
        (1, 1): least_squares(n, d, a, b, 1.0),
        (0, 1): least_squares(n, d, a, 0.0, deviation),
        (1, 0): conditional,
        (0, 0): 0.0,
    }
    moved = {1: b * d, 0: a**2 * b * d / (1 + a**2)}
    of_mean = {on: advantage(np.sqrt(n / (4 + b**2)) * moved[on]) for on in moved}

    def value(c: int, biased: int, s: int) -> float:
        return of_mean[c] if biased and constant else fitted[c, s]

    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    parts = np.zeros(3)
    for order in orders:
        on = np.zeros(3, int)
        for place in order:
            before = value(*on)
            on[place] = 1
            parts[place] += (value(*on) - before) / len(orders)
    return {**dict(zip(SOURCES, parts.tolist(), strict=True)), "rest": 0.0, "total": parts.sum()}


def advantage(distance: float) -> float:
    """Return the advantage on two normals, so many standard deviations apart."""
    return float(2 * stats.norm.cdf(distance / 2) - 1)


def least_squares(n: int, d: float, a: float, b: float, noise: float) -> float:
    """Return the advantage of who sees the coefficients of a least-squares fit."""
    family = GaussianFamily("mean", properties=(0, d), on_inputs=a, on_outcome=b, noise=noise)
    return 2 * family.bayes_accuracy(n, "coefficients") - 1


def census(seed: int) -> Iterator[Case]:
    """Yield three learners of income; models do not see the sex."""
    bunch: Any = load_census_income()
    women = (bunch.sensitive["sex"] == "female").to_numpy()
    family = SubsampledFamily(bunch.data, bunch.target, women, properties=(0.2, 0.5))
    rich = HistGradientBoostingClassifier(max_iter=40, early_stopping=False)
    options = {"n_samples": 1000, "reference_learner": rich, "n_queries": 256}
    learners = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "random forest": RandomForestClassifier(n_estimators=20),
        "MLP": CausalMitigatedClassifier((8,), penalty=None, epochs=20, batch_size=32),
    }
    for name, learner in learners.items():
        yield Case(name, learner, family, options, None)


CASES: dict[str, Callable[[int], Iterator[Case]]] = {
    "alone": alone, "paper": paper, "census": census,
}  # fmt: skip


def analyse(case: Case, scale: Scale, args: argparse.Namespace) -> SourcesReport:
    """Divide what a case leaks."""
    sizes = {"n_shadows": scale.n_shadows, "n_targets": scale.n_targets}
    options = sizes | case.options
    adversary = Adversary(n_shadows=options.pop("n_shadows"), n_queries=options.pop("n_queries"))
    return leakage_sources(
        case.learner, case.family, adversary=adversary, n_repeats=scale.n_repeats,
        cache=args.out / "models", n_jobs=args.jobs, random_state=args.seed, progress=False,
        **options,
    )  # fmt: skip


def verdict(case: Case, report: SourcesReport) -> str:
    """Say whether a report agrees with what must come out."""
    if isinstance(case.expected, str):
        return "as it must" if report.dominant == case.expected else f"wanted {case.expected}"
    if case.expected is None:
        return str(report.dominant)
    rows = report.table.set_index("source")
    out = [
        f"{name} {value:.2f}"
        for name, value in case.expected.items()
        if not rows["ci_low"][name] <= value <= rows["ci_high"][name]
    ]
    return "all within" if not out else f"on paper: {', '.join(out)}"


def run_sources(part: str, scale: Scale, args: argparse.Namespace) -> None:
    """Analyse the cases of a part; print a line each, write table and picture."""
    reports: dict[str, SourcesReport] = {}
    lines = []
    for case in CASES[part](args.seed):
        start = time.perf_counter()
        report = reports[case.name] = analyse(case, scale, args)
        cells = {
            row["source"]: f"{row['advantage']:.2f} {row['ci_low']:.2f} to {row['ci_high']:.2f}"
            for row in report.table.to_dict("records")
        }
        if isinstance(case.expected, dict):
            cells = {name: f"{own} ({case.expected[name]:.2f})" for name, own in cells.items()}
        lines.append({"case": case.name, **cells, "verdict": verdict(case, report)})
        print(f"  {case.name}: {time.perf_counter() - start:.0f} s", flush=True)
        report.save(args.out / part / f"{len(lines)}.json")
    if part == "paper":
        print("In parentheses: on paper, for the best adversary.")
    print(pd.DataFrame(lines).to_string(index=False))
    if part == "census":
        for name, report in reports.items():
            print(f"{name}: {' '.join(report.explain())}")
    display = SourcesDisplay.from_reports(reports)
    display.ax_.tick_params(axis="x", labelrotation=20)
    display.figure_.savefig(args.out / f"{part}.png", dpi=150)


def run_curves(scale: Scale, args: argparse.Namespace) -> None:
    """Follow the attack along epsilon, training error and sample size.

    Beside the paper's learner, which 20 epochs leave far from a fit, one that fits.
    """
    inputs = RandomNetworkFamily(0.0, shift=1.0, properties=Interval(0, 1), random_state=args.seed)
    curves: dict[str, list[tuple[str, Any, Any, int]]] = {
        "a": [
            (str(e), ShadowLearner(), RandomNetworkFamily(e, random_state=args.seed), 2048)
            for e in EPSILONS
        ],
        "b": [
            *((str(stop), ShadowLearner(stop), inputs, 2048) for stop in STOPS),
            ("0", TrainedOut(), inputs, 2048),
        ],
        "c": [(str(size), ShadowLearner(), inputs, size) for size in SIZES],
        "c, trained out": [
            (str(size), TrainedOut(), inputs, size) for size in (512, 1024, 2048, 4096)
        ],
    }
    known = published("distribution_inference").set_index(["experiment", "level", "task", "attack"])
    lines = []
    for experiment, settings in curves.items():
        for level, learner, family, n_samples in settings:
            report = audit(
                learner, family, attacks="queries",
                adversary=Adversary(n_shadows=scale.n_shadows, n_queries=64),
                n_targets=scale.n_targets, n_samples=n_samples, n_repeats=scale.n_repeats,
                cache=args.out / "models", n_jobs=args.jobs,
                random_state=args.seed, progress=False,
            )  # fmt: skip
            row = report.table.iloc[0]
            error = report.utility.set_index("metric")["value"]["mean_squared_error"]
            task = "regression" if family.is_numeric else "classification"
            lines.append(
                {
                    "experiment": experiment, "level": level, "metric": row["metric"],
                    "value": row["value"], "ci_low": row["ci_low"], "ci_high": row["ci_high"],
                    "advantage": row["advantage"], "error of models": error,
                    "published": known["mean"].get((experiment, level, task, "queries"), np.nan),
                }
            )  # fmt: skip
            print(f"  {experiment} {level}: done", flush=True)
    table = pd.DataFrame(lines)
    table.to_csv(args.out / "curves.csv", index=False, float_format="%.6g")
    print(table.to_string(index=False, float_format="{:.3f}".format))
    print(theory(table).to_string(index=False))


def theory(table: pd.DataFrame) -> pd.DataFrame:
    """Set what the theory says beside what the attack reached, an experiment a row."""
    said = {
        "a": ("nothing at epsilon 0, more with epsilon", 1),
        "b": ("E[Y|X] is common: less the better models fit", -1),
        "c": ("E[Y|X] is common: less the more rows", -1),
        "c, trained out": ("the same, of models that fit", -1),
    }
    rows = []
    for experiment, (text, sign) in said.items():
        own = table[table["experiment"] == experiment]
        by = own["level"].astype(float)
        if experiment == "b":
            by = -by  # training is stopped at a lower error
        rank = stats.spearmanr(by, own["advantage"]).statistic
        holds = "yes" if rank * sign > 0.5 else "hardly" if rank * sign > 0 else "no"
        if experiment == "a":
            first = own.iloc[0]
            holds += f", at 0 {first['value']:.3f} ({first['ci_low']:.2f}-{first['ci_high']:.2f})"
        rows.append((experiment, text, f"{rank:.2f}", holds))
    return pd.DataFrame(rows, columns=["experiment", "theory", "rank correlation", "holds"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leakage_sources",
                                     description=__doc__)  # fmt: skip
    parser.add_argument("part", nargs="?", choices=[*CASES, "curves", "all"], default="all")
    parser.add_argument("--scale", choices=sorted(SCALES), default="full")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    scale, start = SCALES[args.scale], time.perf_counter()
    print(describe_machine("scikit-learn"))
    print(f"{args.scale}: {scale}, {args.jobs} jobs, seed {args.seed}")
    args.out.mkdir(parents=True, exist_ok=True)
    for part in [*CASES, "curves"] if args.part == "all" else [args.part]:
        print(f"== {part}", flush=True)
        if part == "curves":
            run_curves(scale, args)
        else:
            run_sources(part, scale, args)
    print(f"{time.perf_counter() - start:.0f} s; reports and pictures in {args.out}")


if __name__ == "__main__":
    main()
