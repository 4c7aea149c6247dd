"""Whether the posteriors of ``audit_model`` are calibrated, on models of census income.

Models are trained on rows of the census sample of which a known fraction are women, and audited
one by one with shadow models that were trained on other rows. Of models for which a value has a
probability of 80%, it should be the true one for 80%; and 95% credible intervals should hold 95%
of the true fractions. The calibration error of the audited models stands beside that which the
report itself estimated on held-out shadow models.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.integrate import cumulative_trapezoid
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from benchmarks._runner import Benchmark, Run
from wsl import Adversary, ModelAuditReport, SubsampledFamily, audit_model
from wsl.datasets import load_census_income
from wsl.distributions import Interval

PROPERTIES: dict[str, Any] = {
    "binary": (0.3, 0.5),
    "classes": (0.2, 0.4, 0.6),
    "continuous": Interval(0.1, 0.9),
}
LEARNERS = {
    "logistic regression": LogisticRegression(max_iter=500),
    "decision tree": DecisionTreeClassifier(min_samples_leaf=10, random_state=0),
}
ATTACKS = {
    "logistic regression": ("deepsets", "queries"),
    "decision tree": ("queries",),
}


@dataclass(frozen=True)
class Scale:
    """Numbers of audited models, shadow models, rows per training set and queries."""

    n_models: int
    n_shadows: int
    n_samples: int
    n_queries: int


SCALES = {"quick": Scale(24, 24, 200, 32), "full": Scale(200, 256, 1000, 256)}


def draw_models(
    learner: Any, family: SubsampledFamily, scale: Scale, seed: int
) -> tuple[list[Any], np.ndarray]:
    """Train the models to audit, and return them with their properties."""
    values = family.draw_properties(scale.n_models, np.random.default_rng([seed, 1]))
    models = [
        type(learner)(**learner.get_params()).fit(
            *family.sample(value, scale.n_samples, np.random.default_rng([seed, 2, index]))
        )
        for index, value in enumerate(values.tolist())
    ]
    return models, values


def rows_of(report: ModelAuditReport, values: np.ndarray) -> list[dict[str, Any]]:
    """Return one row per attack: success, calibration of these models and of held-out shadows."""
    held_out = report.calibration.set_index("attack")["calibration_error"]
    return [
        {
            "attack": row["attack"],
            **success_of(report, row["attack"], values),
            "calibration error": row["calibration_error"],
            "from": row["ci_low"],
            "to": row["ci_high"],
            "if calibrated": row["if_calibrated"],
            "on held-out shadows": held_out[row["attack"]],
        }
        for row in report.check(values).to_dict("records")
    ]


def success_of(report: ModelAuditReport, attack: str, values: np.ndarray) -> dict[str, float]:
    """Return how often guesses are right, beside their mean probability; or intervals hold."""
    posteriors = report.posterior(attack=attack).pivot(
        index="model", columns="value", values="probability"
    )
    posteriors = posteriors.loc[list(report.table["model"])]
    if report.classes is not None:
        right = posteriors.idxmax(axis=1).to_numpy() == values
        return {
            "mean probability": float(posteriors.max(axis=1).mean()),
            "guesses right": float(right.mean()),
        }
    grid, densities = posteriors.columns.to_numpy(float), posteriors.to_numpy()
    below = cumulative_trapezoid(densities, grid, axis=1, initial=0)
    below /= below[:, -1:]
    inside = [
        0.025 <= np.interp(value, grid, function) <= 0.975
        for value, function in zip(values, below, strict=True)
    ]
    return {"95% intervals hold": float(np.mean(inside))}


def run_benchmark(run: Run) -> None:
    """Audit the models of each learner for each kind of property."""
    census, scale = load_census_income(), run.scale
    is_woman = (census.sensitive["sex"] == "female").to_numpy()
    for part in run.parts:
        family = SubsampledFamily(census.data, census.target, is_woman, properties=PROPERTIES[part])
        mine, known = family.split(0.5, random_state=run.seed)
        rows = []
        for name, learner in LEARNERS.items():
            models, values = draw_models(learner, mine, scale, run.seed)
            report = audit_model(
                models, known, attacks=ATTACKS[name],
                adversary=Adversary(n_shadows=scale.n_shadows, n_queries=scale.n_queries),
                n_samples=scale.n_samples, n_jobs=run.n_jobs, random_state=run.seed,
                progress=False,
            )  # fmt: skip
            rows += [{"learner": name, **row} for row in rows_of(report, values)]
        run.table(part, pd.DataFrame(rows))


BENCHMARK = Benchmark(
    name="model_posteriors",
    shows="whether the posteriors of `audit_model` are calibrated, by kind of property",
    takes="3 minutes on one core",
    run=run_benchmark,
    scales=SCALES,
    parts=dict.fromkeys(PROPERTIES, ()),
    n_jobs=1,
    packages=("scikit-learn", "skorch"),
)

if __name__ == "__main__":
    BENCHMARK.main()
