"""How often the intervals of ``leakage_sources`` hold what they should.

``python -m benchmarks.interval_coverage [--learner NAME] [--models 48] [--runs 100]``

The same analysis of linear Gaussian data is made again and again, with other models each time. A
figure's interval should hold its mean over all of them in 95 runs of 100. Beside it stands the
figure on paper, of an adversary who knows both distributions: one who has learned them from few
models falls short of it.
"""

import argparse

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from benchmarks._machine import describe_machine
from benchmarks.leakage_sources import parts_on_paper
from wsl import Adversary, GaussianFamily, leakage_sources

N_SAMPLES, DISTANCE, ON_INPUTS, ON_OUTCOME = 64, 0.6, 0.5, 1.0
LEARNERS = {"constant": DummyRegressor, "least-squares": LinearRegression}


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
    """Return how often intervals hold the mean of all tables, by source."""
    value, low, high = (
        np.stack([table[name].to_numpy(float) for table in tables])
        for name in ("advantage", "ci_low", "ci_high")
    )
    mean = value.mean(axis=0)
    held = (low <= mean) & (mean <= high)
    return pd.DataFrame(
        {
            "mean": mean,
            "deviation": value.std(axis=0, ddof=1),
            "width": (high - low).mean(axis=0),
            "held": held.mean(axis=0),
        },
        index=tables[0].index,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interval_coverage",
                                     description=__doc__)  # fmt: skip
    parser.add_argument("--learner", choices=sorted(LEARNERS), default="constant")
    parser.add_argument("--models", type=int, default=48, help="shadows, and targets")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print(describe_machine("scikit-learn"))
    runs = (delayed(analyse)(args.learner, args.models, seed) for seed in range(args.runs))
    table = coverage(list(Parallel(args.jobs)(runs)))
    on_paper = parts_on_paper(
        args.learner == "constant", N_SAMPLES, DISTANCE, ON_INPUTS, ON_OUTCOME
    )
    print(f"{args.learner}, {args.models} shadows and targets, {args.runs} runs")
    print(table.assign(**{"on paper": pd.Series(on_paper)}).round(3).to_string())


if __name__ == "__main__":
    main()
