"""Where leakage comes from: cases with one source, cases in closed form, and real data.

``single-source``: families of Hartmann et al. (2023) in which one source is at work.
``closed-form``: linear Gaussian cases whose parts can be computed. ``census``: which source makes
three learners leak the fraction of women. ``curves``: the success of the attack against epsilon,
training error and sample size, beside the published results and the theory. Trained models are
saved in the results folder, and an interrupted run reuses them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks._hartmann import EPSILONS, SIZES, STOPS, ShadowLearner, published
from benchmarks._runner import Benchmark, Run
from benchmarks._source_cases import CASES, Case, TrainedOut
from wsl import Adversary, RandomNetworkFamily, audit, leakage_sources
from wsl.displays import SourcesDisplay
from wsl.distributions import Interval
from wsl.risk import SourcesReport


@dataclass(frozen=True)
class Scale:
    """Numbers of models per population and of repeats; of models where parts are exact.

    With a ``stride`` of k, every k-th case of a part is analysed.
    """

    n_shadows: int
    n_targets: int
    n_repeats: int
    n_exact: int
    stride: int = 1


SCALES = {"full": Scale(128, 128, 10, 512), "quick": Scale(8, 8, 1, 8, stride=2)}


def analyse(case: Case, run: Run) -> SourcesReport:
    """Decompose the leakage of a case."""
    scale = run.scale
    options = {"n_shadows": scale.n_shadows, "n_targets": scale.n_targets} | case.options
    adversary = Adversary(n_shadows=options.pop("n_shadows"), n_queries=options.pop("n_queries"))
    return leakage_sources(
        case.learner, case.family, adversary=adversary, n_repeats=scale.n_repeats,
        cache=run.folder("models"), n_jobs=run.n_jobs, random_state=run.seed, progress=False,
        **options,
    )  # fmt: skip


def agreement(case: Case, report: SourcesReport) -> str:
    """Return whether a report agrees with what is expected of the case."""
    if case.expected is None:
        return f"largest: {report.dominant}"
    if isinstance(case.expected, str):
        return f"largest: {report.dominant}; expected: {case.expected}"
    rows = report.table.set_index("source")
    outside = [
        f"{name} {value:.2f}"
        for name, value in case.expected.items()
        if not rows["ci_low"][name] <= value <= rows["ci_high"][name]
    ]
    return f"outside of the interval: {', '.join(outside)}" if outside else "all within"


def run_sources(part: str, run: Run) -> None:
    """Analyse the cases of a part; write table, reports and figure.

    In table ``closed-form``, the number in brackets is the closed form for the best adversary.
    """
    reports: dict[str, SourcesReport] = {}
    lines, tables = [], []
    cases = list(CASES[part](run.seed, run.scale.n_exact))
    for case in cases[:: run.scale.stride]:
        report = reports[case.name] = analyse(case, run)
        tables.append(report.table.assign(case=case.name))
        cells = {
            row["source"]: f"{row['advantage']:.2f} ({row['ci_low']:.2f} to {row['ci_high']:.2f})"
            for row in report.table.to_dict("records")
        }
        if isinstance(case.expected, dict):
            cells = {name: f"{text} [{case.expected[name]:.2f}]" for name, text in cells.items()}
        lines.append({"case": case.name, **cells, "result": agreement(case, report)})
        report.save(run.folder(f"raw/{part}") / f"{len(lines)}.json")
        run.log(f"  {case.name}: {' '.join(report.explain())}")
    run.raw(part, pd.concat(tables))
    run.table(part, pd.DataFrame(lines))
    display = SourcesDisplay.from_reports(reports)
    display.ax_.tick_params(axis="x", labelrotation=20)
    run.figure(part, display.figure_)


def curve_settings(seed: int) -> Iterator[tuple[str, str, Any, Any, int]]:
    """Yield experiment, level, learner, family and sample size.

    The learner of the paper is far from a fit after 20 epochs, so one that fits is added.
    """
    inputs = RandomNetworkFamily(0.0, shift=1.0, properties=Interval(0, 1), random_state=seed)
    for epsilon in EPSILONS:
        family = RandomNetworkFamily(epsilon, random_state=seed)
        yield "a", str(epsilon), ShadowLearner(), family, 2048
    for stop in STOPS:
        yield "b", str(stop), ShadowLearner(stop), inputs, 2048
    yield "b", "0", TrainedOut(), inputs, 2048
    for size in SIZES:
        yield "c", str(size), ShadowLearner(), inputs, size
    for size in (512, 1024, 2048, 4096):
        yield "c, trained out", str(size), TrainedOut(), inputs, size


def run_curves(run: Run) -> None:
    """Measure the attack against epsilon, training error and sample size."""
    index = ["experiment", "level", "task", "attack"]
    theirs = published("distribution_inference").set_index(index)["mean"]
    lines = []
    settings = list(curve_settings(run.seed))
    for experiment, level, learner, family, n_samples in settings[:: run.scale.stride]:
        report = audit(
            learner, family, attacks="queries",
            adversary=Adversary(n_shadows=run.scale.n_shadows, n_queries=64),
            n_targets=run.scale.n_targets, n_samples=n_samples, n_repeats=run.scale.n_repeats,
            cache=run.folder("models"), n_jobs=run.n_jobs, random_state=run.seed, progress=False,
        )  # fmt: skip
        row = report.table.iloc[0]
        task = "regression" if family.is_numeric else "classification"
        lines.append(
            {
                "experiment": experiment, "level": level, "metric": row["metric"],
                "value": row["value"], "ci_low": row["ci_low"], "ci_high": row["ci_high"],
                "advantage": row["advantage"],
                "error of models":
                    report.utility.set_index("metric")["value"]["mean_squared_error"],
                "published": theirs.get((experiment, level, task, "queries"), np.nan),
            }
        )  # fmt: skip
        run.log(f"  {experiment} {level}: done")
    curves = pd.DataFrame(lines)
    run.raw("curves", curves)
    run.table("curves", curves)
    run.table("theory", theory(curves))


def theory(table: pd.DataFrame) -> pd.DataFrame:
    """Return, for each experiment, what the theory predicts and whether it was observed."""
    predictions = {
        "a": ("no leakage at epsilon 0, more with epsilon", 1),
        "b": ("E[Y|X] is shared: less leakage the better models fit", -1),
        "c": ("E[Y|X] is shared: less leakage with more rows", -1),
        "c, trained out": ("the same, for models that fit", -1),
    }
    rows = []
    for experiment, (text, sign) in predictions.items():
        own = table[table["experiment"] == experiment]
        levels = own["level"].astype(float)
        if experiment == "b":
            levels = -levels  # a lower level is longer training
        rank = stats.spearmanr(levels, own["advantage"]).statistic
        holds = "yes" if rank * sign > 0.5 else "weakly" if rank * sign > 0 else "no"
        if experiment == "a":
            first = own.iloc[0]
            holds += f", at 0 {first['value']:.3f} ({first['ci_low']:.2f}-{first['ci_high']:.2f})"
        rows.append((experiment, text, f"{rank:.2f}", holds))
    return pd.DataFrame(rows, columns=["experiment", "theory", "rank correlation", "holds"])


def run_benchmark(run: Run) -> None:
    """Run the parts that were chosen."""
    for part in run.parts:
        if part == "curves":
            run_curves(run)
        else:
            run_sources(part, run)


BENCHMARK = Benchmark(
    name="leakage_sources",
    shows="the parts of an attack's advantage that are due to each source of leakage",
    takes="6 minutes",
    run=run_benchmark,
    scales=SCALES,
    parts=dict.fromkeys([*CASES, "curves"], ()),
    packages=("scikit-learn",),
)

if __name__ == "__main__":
    BENCHMARK.main()
