"""How often intervals contain what they should, and how often an audit claims a leak.

Part ``audits`` simulates audits: an attack by nearest means of random halves of the shadow models,
whose features are normal. The interval of each metric should contain the mean over all audits in
95 of 100. An audit claims a leak if an interval lies above chance.

In parts ``constant`` and ``least-squares`` an analysis of linear Gaussian data by
``leakage_sources`` is repeated, with other models each time. The closed form beside it assumes an
adversary who knows both distributions: one who learned them from few models falls short of it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from benchmarks._gaussian_sources import closed_form_parts
from benchmarks._runner import Benchmark, Run
from wsl import Adversary, AuditReport, GaussianFamily, leakage_sources

N_SAMPLES, DISTANCE, ON_INPUTS, ON_OUTCOME = 64, 0.6, 0.5, 1.0
LEARNERS = {"constant": DummyRegressor, "least-squares": LinearRegression}


@dataclass(frozen=True)
class Scale:
    """Numbers of models, shadows and targets each, of analyses, and of simulated audits."""

    n_models: int
    n_analyses: int
    n_audits: int


SCALES = {"quick": Scale(12, 2, 50), "full": Scale(48, 100, 1000)}


def analyse(learner: str, n_models: int, seed: int) -> pd.DataFrame:
    """Return the parts of one analysis, by source."""
    family = GaussianFamily(
        "mean", properties=(0, DISTANCE), on_inputs=ON_INPUTS, on_outcome=ON_OUTCOME
    )
    report = leakage_sources(
        LEARNERS[learner](), family, reference_learner=LinearRegression(),
        adversary=Adversary(n_shadows=n_models, n_queries=6), n_targets=n_models,
        n_samples=N_SAMPLES, random_state=seed, progress=False,
    )  # fmt: skip
    return report.table.set_index("source")


REGIMES = {"no leak": 0.0, "weak": 0.68, "strong": 1.2, "very strong": 2.0}  # distance of means


def simulate_audit(signal: float, n_targets: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of one audit with 64 shadow models, 10 features and 10 repeats."""
    n_shadows, n_features, n_repeats = 64, 10, 10
    labels, truth = np.arange(n_shadows) % 2, np.arange(n_targets) % 2
    shadows = rng.normal(size=(n_shadows, n_features))
    targets = rng.normal(size=(n_targets, n_features))
    shadows[:, 0] += signal * (2 * labels - 1)
    targets[:, 0] += signal * (2 * truth - 1)
    margins = np.empty((n_repeats, n_targets))
    for repeat in range(n_repeats):
        first, second = (
            shadows[rng.choice(np.flatnonzero(labels == c), n_shadows // 4, replace=False)].mean(0)
            for c in (0, 1)
        )
        margins[repeat] = (targets - (first + second) / 2) @ (second - first)
    guesses = {"nearest mean": (margins > 0).astype(int)}
    scores = {"nearest mean": expit(np.stack([-margins, margins], axis=-1))}
    report = AuditReport.from_guesses(truth, guesses, scores, classes=(0, 1))
    return report.table.set_index("metric")


def audit_coverage(n_audits: int, seed: int) -> pd.DataFrame:
    """Return one row per number of targets, leak and metric."""
    rows = []
    for n_targets in (32, 128):
        for leak, signal in REGIMES.items():
            rng = np.random.default_rng(seed)
            tables = [simulate_audit(signal, n_targets, rng) for _ in range(n_audits)]
            part = coverage([table.assign(advantage=table["value"]) for table in tables])
            claims = np.mean([(table["ci_low"] > 0.5).any() for table in tables])
            part.insert(0, "targets", n_targets)
            part.insert(1, "leak", leak)
            rows.append(part.assign(**{"claimed by any metric": claims}))
    return pd.concat(rows)


def coverage(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return how often intervals contain the mean of all analyses, one row per source."""
    value, low, high = (
        np.stack([table[name].to_numpy(float) for table in tables])
        for name in ("advantage", "ci_low", "ci_high")
    )
    mean = value.mean(axis=0)
    contained = (low <= mean) & (mean <= high)
    return pd.DataFrame(
        {
            tables[0].index.name: tables[0].index,
            "mean": mean,
            "standard deviation": value.std(axis=0, ddof=1),
            "mean width": (high - low).mean(axis=0),
            "coverage": contained.mean(axis=0),
        }
    )


def run_benchmark(run: Run) -> None:
    """Repeat the analysis of each learner."""
    scale = run.scale
    if "audits" in run.parts:
        run.table("audits", audit_coverage(scale.n_audits, run.seed))
    seeds = range(run.seed, run.seed + scale.n_analyses)
    for learner in (part for part in run.parts if part in LEARNERS):
        analyses = (delayed(analyse)(learner, scale.n_models, seed) for seed in seeds)
        table = coverage(list(Parallel(run.n_jobs)(analyses)))
        exact = closed_form_parts(learner == "constant", N_SAMPLES, DISTANCE, ON_INPUTS, ON_OUTCOME)
        run.table(learner, table.assign(**{"closed form": table["source"].map(exact)}))


BENCHMARK = Benchmark(
    name="interval_coverage",
    shows="how often intervals of audits and of `leakage_sources` contain what they should",
    takes="1 minute for `--parts audits`; others not recorded",
    run=run_benchmark,
    scales=SCALES,
    parts=dict.fromkeys(("audits", *LEARNERS), ()),
    packages=("scikit-learn",),
)

if __name__ == "__main__":
    BENCHMARK.main()
