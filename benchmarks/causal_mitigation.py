"""Mitigation against other defences: what learners are worth, and how much they leak.

``table``: the linear causal experiment of Hartmann et al. (2023), beside the published results; as
published, the training set without the environment is smaller. ``table-equal``: the same with sets
of equal size. ``digits``: real digits, small or large, in a colour that agrees with the label, to a
degree that differs between environments; tested where it disagrees. ``census``: income, where
environments are classes of workers; tested on a class that nobody trained on.

The property is whether one environment was in the training mixture. Leakage is the advantage of
the stronger of two attacks, from weights (deepsets) and from outputs (queries); DP-SGD is attacked
with 64 shadow models at most. Quality is the mean over the attacked models, half of them trained
without the environment. Intervals are Student's over seeds, each with splits, draws and models of
its own. The penalty weights of the two tables are those of least test error among a few that were
tried, an oracle's choice; nothing else was tuned on the tested environment.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks import _defences as defences
from benchmarks._causal_settings import PARTS, Setting, published_table
from benchmarks._runner import Benchmark, Run
from wsl import Adversary, audit
from wsl.displays import PrivacyUtilityDisplay

ATTACKS = ("deepsets", "queries")
MAX_PRIVATE = 64  # models of DP-SGD, which are trained one after another, a second each


@dataclass(frozen=True)
class Scale:
    """Numbers of models, of repeats of each attack, and of seeds.

    With a ``stride`` of k, every k-th learner is measured.
    """

    n_shadows: int
    n_targets: int
    n_repeats: int
    n_seeds: int
    stride: int = 1


SCALES = {
    "quick": Scale(8, 8, 1, 1, stride=4),
    "medium": Scale(256, 128, 5, 5),
    "full": Scale(2048, 1024, 5, 5),
}


def measure(learner: Any, setting: Setting, run: Run, seed: int) -> dict[str, float]:
    """Return scores on the test sets, the accuracy of each attack, and the leakage."""
    n_shadows, n_targets = run.scale.n_shadows, run.scale.n_targets
    if isinstance(learner, defences.PrivateClassifier):
        n_shadows, n_targets = min(n_shadows, MAX_PRIVATE), min(n_targets, MAX_PRIVATE)
    report = audit(
        learner, setting.family, attacks=ATTACKS,
        adversary=Adversary(family=setting.adversary_family, n_shadows=n_shadows),
        n_targets=n_targets, n_samples=setting.n_samples,
        n_repeats=run.scale.n_repeats, test_set=setting.test_sets, n_jobs=run.n_jobs,
        random_state=seed, progress=False,
    )  # fmt: skip
    quality = report.utility[report.utility["metric"] == setting.metric].set_index("test_set")
    attacks = report.table[report.table["metric"] == "accuracy"].set_index("attack")
    return {
        **quality["value"].to_dict(),
        **attacks["value"].to_dict(),
        "leakage": float(attacks["advantage"].max()),
    }


def interval(values: pd.Series) -> tuple[float, float, float]:
    """Return mean and 95% interval over seeds."""
    mean, n = float(values.mean()), len(values)
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return mean, mean - half, mean + half


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """Return mean and interval of each measurement, as text, one row per learner."""
    measured = [name for name in results if name not in ("learner", "seed")]
    rows = []
    for learner, own in results.groupby("learner", sort=False):
        cells = {name: interval(own[name]) for name in measured}
        texts = {name: f"{m:.3f} ({a:.3f} to {b:.3f})" for name, (m, a, b) in cells.items()}
        rows.append({"learner": learner, **texts})
    return pd.DataFrame(rows)


def compare(results: pd.DataFrame, useful: str, baseline: str = "ERM") -> pd.DataFrame:
    """Return differences of each learner to the baseline, paired by seed.

    A difference counts where its 95% interval excludes 0, so not where there is one seed.
    """
    by_seed = results.pivot(index="seed", columns="learner", values=["leakage", useful])
    rows = []
    for learner in dict.fromkeys(results["learner"]):
        if learner == baseline:
            continue
        row = {"learner": learner}
        for name in ("leakage", useful):
            mean, low, high = interval(by_seed[name][learner] - by_seed[name][baseline])
            row[f"difference of {name}"] = f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"
            row[f"{name} is"] = "higher" if low > 0 else "lower" if high < 0 else "not different"
        rows.append(row)
    return pd.DataFrame(rows)


def draw(results: pd.DataFrame, useful: str) -> Any:
    """Draw utility against leakage with its Pareto front."""
    rows = {}
    for learner, own in results.groupby("learner", sort=False):
        rows[learner] = [*interval(own[useful]), *interval(own["leakage"])]
    columns = [f"{name}{end}" for name in ("utility", "leakage") for end in ("", "_low", "_high")]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    for name in ("utility", "leakage"):  # one seed has no interval
        for end in ("_low", "_high"):
            table[f"{name}{end}"] = table[f"{name}{end}"].fillna(table[name])
    return PrivacyUtilityDisplay(table, utility_name=useful).plot().figure_


def run_part(part: str, run: Run) -> None:
    """Measure every learner of a part on every seed; write tables and figure."""
    make_learners, draw_setting, useful = PARTS[part]
    learners = make_learners()
    names = list(learners)[:: run.scale.stride]
    if run.options.learners:
        names = ["ERM", *run.options.learners]
    rows = []
    for seed in range(run.seed, run.seed + run.scale.n_seeds):
        setting = draw_setting(seed)
        for name in names:
            measured = measure(learners[name], setting, run, seed)
            rows.append({"learner": name, "seed": seed, **measured})
            text = ", ".join(f"{key} {value:.3f}" for key, value in measured.items())
            run.log(f"  {part}, seed {seed}, {name}: {text}")
    results = pd.DataFrame(rows)
    run.raw(part, results)
    run.table(part, summarize(results))
    if part.startswith("table"):
        run.table("published", published_table())
        results["negated test MSE"] = -results[useful]  # so that more is better
        useful = "negated test MSE"
    run.table(f"{part}-differences", compare(results, useful))
    run.figure(part, draw(results, useful))


def run_benchmark(run: Run) -> None:
    """Run the parts that were chosen."""
    for part in run.parts:
        run_part(part, run)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--learners", nargs="+", help="only these, and ERM")


BENCHMARK = Benchmark(
    name="causal_mitigation",
    shows="utility and leakage of causal learners, invariance penalties and other defences",
    takes="2 hours on one core for `--parts table-equal --scale full`; others not recorded",
    run=run_benchmark,
    scales=SCALES,
    default_scale="medium",
    parts=dict.fromkeys(PARTS, ()),
    packages=("scikit-learn", "dowhy", "opacus"),
    add_options=add_options,
)

if __name__ == "__main__":
    BENCHMARK.main()
