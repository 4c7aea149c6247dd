"""The five experiments of Hartmann et al. (2023), beside the published results.

The full scale is that of the paper: 1,024 targets, 2,048 shadow models and 100 repeats on random
halves of the shadow models. Where labels come from a random network M0, the repeats are divided
among five draws of M0, each with targets and shadow models of its own. Part ``peer`` measures
propinfer on a few models and attacks, and extrapolates to the five experiments.
"""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks._hartmann import BLACK, EXPERIMENTS, KEY, WHITE, Setting
from benchmarks._hartmann_tables import as_text, compare, draw_curves, model_errors
from benchmarks._propinfer import measure_propinfer
from benchmarks._runner import Benchmark, Run
from wsl import Adversary, audit


@dataclass(frozen=True)
class Scale:
    """Numbers of models, and of repeats in all, which are divided among the draws of M0.

    With a ``stride`` of k, every k-th setting of each experiment is run.
    """

    n_targets: int
    n_shadows: int
    n_repeats: int
    n_draws: int
    stride: int = 1


SCALES = {
    "full": Scale(1024, 2048, 100, 5),
    "medium": Scale(256, 512, 30, 3),
    "quick": Scale(16, 16, 1, 1, stride=4),
}


def audit_setting(
    setting: Setting, run: Run, n_repeats: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and attack; return one score per attack and repeat, and the targets' own errors."""
    test_sets = {"own distribution": setting.family}
    if setting.moved is not None:
        test_sets = {"validation": setting.family, "test": setting.moved}
    report = audit(
        setting.learner,
        setting.family,
        attacks=(WHITE, BLACK),
        adversary=Adversary(n_shadows=run.scale.n_shadows, n_queries=setting.n_queries),
        n_targets=run.scale.n_targets,
        n_samples=setting.n_samples,
        n_repeats=n_repeats,
        test_set=test_sets,
        n_jobs=run.n_jobs,
        random_state=seed,
        progress=False,
    )
    scores = pd.concat(
        [
            pd.DataFrame({"attack": attack, "score": score_repeats(guesses, report.truth)})
            for attack, guesses in report.guesses.items()
        ]
    )
    return scores, report.utility


def score_repeats(guesses: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the accuracy of each repeat, or its mean absolute error for a continuous target."""
    if truth.dtype.kind == "f":
        return np.abs(guesses - truth).mean(axis=1)
    return (guesses == truth).mean(axis=1)


def run_experiment(name: str, run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run one experiment; return one row per repeat, and the errors of each setting's models."""
    n_draws = 1 if name == "causal" else run.scale.n_draws
    repeats, errors = [], []
    for draw in range(n_draws):
        settings = list(enumerate(EXPERIMENTS[name](run.seed + draw)))
        for index, setting in settings[:: run.scale.stride]:
            own = int(np.random.SeedSequence([run.seed, draw, index]).generate_state(1)[0])
            scores, utility = audit_setting(setting, run, run.scale.n_repeats // n_draws, own)
            key = {k: getattr(setting, k) for k in KEY} | {"draw": draw}
            repeats.append(scores.assign(**key))
            errors.append(utility.assign(**key))
            means = scores.groupby("attack")["score"].mean()
            text = ", ".join(f"{attack} {mean:.3f}" for attack, mean in means.items())
            run.log(f"  {setting.experiment} {setting.level} {setting.task}, draw {draw}: {text}")
    return pd.concat(repeats, ignore_index=True), pd.concat(errors, ignore_index=True)


def run_benchmark(run: Run) -> None:
    """Run the experiments, compare with the published results, and time the peer."""
    comparisons, errors, minutes = [], [], []
    for name in run.parts:
        if name == "peer":
            run.table("propinfer", measure_propinfer(run.quick))
            continue
        start = time.perf_counter()
        repeats, model_utility = run_experiment(name, run)
        minutes.append({"experiment": name, "minutes": (time.perf_counter() - start) / 60})
        run.raw(name, repeats)
        comparisons.append(compare(repeats))
        errors.append(model_errors(model_utility))
    if comparisons:
        comparison = pd.concat(comparisons)
        run.raw("comparison", comparison)
        run.table("attacks", as_text(comparison))
        run.table("model_errors", pd.concat(errors))
        run.table("minutes", pd.DataFrame(minutes))
        run.figure("attacks", draw_curves(comparison))


BENCHMARK = Benchmark(
    name="distribution_inference",
    shows="the five experiments of Hartmann et al. (2023), beside the published results",
    takes="56 minutes on two cores, without `peer`",
    run=run_benchmark,
    scales=SCALES,
    parts={**dict.fromkeys(EXPERIMENTS, ()), "peer": ("propinfer",)},
    packages=("propinfer", "scikit-learn"),
)

if __name__ == "__main__":
    BENCHMARK.main()
