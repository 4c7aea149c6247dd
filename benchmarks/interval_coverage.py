"""How often the intervals of ``leakage_sources`` contain what they should.

The same analysis of linear Gaussian data is repeated, with other models each time. An interval
should contain the mean over all analyses in 95 of 100. The closed form beside it assumes an
adversary who knows both distributions: one who learned them from few models falls short of it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from benchmarks._gaussian_sources import closed_form_parts
from benchmarks._runner import Benchmark, Run
from wsl import Adversary, GaussianFamily, leakage_sources

N_SAMPLES, DISTANCE, ON_INPUTS, ON_OUTCOME = 64, 0.6, 0.5, 1.0
LEARNERS = {"constant": DummyRegressor, "least-squares": LinearRegression}


@dataclass(frozen=True)
class Scale:
    """Numbers of models, shadows and targets each, and of analyses."""

    n_models: int
    n_analyses: int


SCALES = {"quick": Scale(12, 2), "full": Scale(48, 100)}


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
            "source": tables[0].index,
            "mean": mean,
            "standard deviation": value.std(axis=0, ddof=1),
            "mean width": (high - low).mean(axis=0),
            "coverage": contained.mean(axis=0),
        }
    )


def run_benchmark(run: Run) -> None:
    """Repeat the analysis of each learner."""
    scale = run.scale
    seeds = range(run.seed, run.seed + scale.n_analyses)
    for learner in run.parts:
        analyses = (delayed(analyse)(learner, scale.n_models, seed) for seed in seeds)
        table = coverage(list(Parallel(run.n_jobs)(analyses)))
        exact = closed_form_parts(learner == "constant", N_SAMPLES, DISTANCE, ON_INPUTS, ON_OUTCOME)
        run.table(learner, table.assign(**{"closed form": table["source"].map(exact)}))


BENCHMARK = Benchmark(
    name="interval_coverage",
    shows="how often the intervals of `leakage_sources` contain the mean over repeated analyses",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    parts=dict.fromkeys(LEARNERS, ()),
    packages=("scikit-learn",),
)

if __name__ == "__main__":
    BENCHMARK.main()
