"""Learners that keep to causes against all else one would try: what they are worth and give away.

``python -m benchmarks.causal_mitigation [--part table|table-equal|digits|census|all]
[--scale quick|medium|paper] [--seeds N] [--jobs N] [--out FOLDER]``

table: the linear causal set-up of Hartmann et al. 2023 (SaTML), beside the published figures; as
    published, the training set without the environment is smaller. table-equal: of equal size.
digits: real digits, small or large, in a colour that goes with the label, more or less so in
    each environment; tested where it goes against it.
census: income, environments are classes of workers; tested on one that nobody trained on.

The property is whether one environment was in the training mixture; leakage is the advantage of
the stronger of two attacks, from weights (deepsets) and from answers (queries); on DP-SGD they have
64 shadows. Quality is the mean over the attacked models, half of them trained without the
environment. Intervals are Student's over seeds, each with splits, draws and models of its own.
Weights of the penalties in the table are those of least test error among a few that were tried, an
oracle's choice; nothing else was tuned on the tested environment.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks import _defences as defences
from benchmarks._hartmann import irm_as_published, published
from benchmarks._machine import describe_machine
from wsl import (
    Adversary,
    CausalMitigatedClassifier,
    CausalMitigatedRegressor,
    EnvironmentMembershipFamily,
    audit,
)
from wsl.causal import PENALTIES
from wsl.datasets import load_census_income
from wsl.displays import PrivacyUtilityDisplay

ATTACKS = ("deepsets", "queries")


@dataclass(frozen=True)
class Scale:
    """How much is trained."""

    n_shadows: int
    n_targets: int
    n_repeats: int
    n_seeds: int


SCALES = {
    "quick": Scale(64, 64, 3, 2),
    "medium": Scale(256, 128, 5, 5),
    "paper": Scale(2048, 1024, 5, 5),
}


@dataclass(frozen=True)
class Setting:
    """One draw of a part: who trains on what, and where it is tested."""

    family: EnvironmentMembershipFamily
    adversary_family: EnvironmentMembershipFamily
    n_samples: int
    tests: dict[str, Any]  # families, or pairs (X, y)
    metric: str


def measure(learner: Any, setting: Setting, scale: Scale, seed: int, jobs: int) -> dict[str, float]:
    """Return scores on the test sets, the accuracy of each attack, and the leakage."""
    if isinstance(learner, defences.PrivateClassifier):  # a second a model, one after another
        scale = replace(scale, n_shadows=64, n_targets=64)
    report = audit(
        learner, setting.family, attacks=ATTACKS,
        adversary=Adversary(family=setting.adversary_family, n_shadows=scale.n_shadows),
        n_targets=scale.n_targets, n_samples=setting.n_samples,
        n_repeats=scale.n_repeats, test_set=setting.tests, n_jobs=jobs, random_state=seed,
        progress=False,
    )  # fmt: skip
    quality = report.utility[report.utility["metric"] == setting.metric].set_index("test_set")
    attacks = report.table[report.table["metric"] == "accuracy"].set_index("attack")
    return {
        **quality["value"].to_dict(),
        **attacks["value"].to_dict(),
        "leakage": float(attacks["advantage"].max()),
    }


def run(
    learners: dict[str, Any],
    draw: Callable[[int], Setting],
    scale: Scale,
    seeds: Sequence[int],
    jobs: int,
) -> pd.DataFrame:
    """Return one row a learner and seed."""
    rows = []
    for seed in seeds:
        setting = draw(seed)
        for name, learner in learners.items():
            start = time.perf_counter()
            found = measure(learner, setting, scale, seed, jobs)
            rows.append({"learner": name, "seed": seed, **found})
            shown = ", ".join(f"{key} {value:.3f}" for key, value in found.items())
            print(
                f"  seed {seed}, {name}: {shown} ({time.perf_counter() - start:.0f} s)", flush=True
            )
    return pd.DataFrame(rows)


def interval(values: pd.Series) -> tuple[float, float, float]:
    """Return mean and 95% interval over seeds."""
    mean, n = float(values.mean()), len(values)
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return mean, mean - half, mean + half


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    """Return mean and interval of each figure, as text."""
    figures = [name for name in found if name not in ("learner", "seed")]
    rows = {}
    for learner, own in found.groupby("learner", sort=False):
        ends = {name: interval(own[name]) for name in figures}
        rows[learner] = {name: f"{m:.3f} ({a:.3f} to {b:.3f})" for name, (m, a, b) in ends.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def verdict(found: pd.DataFrame, useful: str, baseline: str = "ERM") -> list[str]:
    """Say of each learner what it saves and costs against the baseline, by paired differences."""
    figures = found.pivot(index="seed", columns="learner", values=["leakage", useful])
    lines = []
    for learner in dict.fromkeys(found["learner"]):
        if learner == baseline:
            continue
        saved = interval(figures["leakage"][baseline] - figures["leakage"][learner])
        gained = interval(figures[useful][learner] - figures[useful][baseline])
        says = "leaks less" if saved[1] > 0 else "leaks more" if saved[2] < 0 else "leaks alike"
        worth = "is worth more" if gained[1] > 0 else "costs" if gained[2] < 0 else "costs nothing"
        lines.append(
            f"{learner}: {says} ({-saved[0]:+.3f}), {worth} ({gained[0]:+.3f}) than {baseline}"
        )
    return lines


def draw_front(found: pd.DataFrame, useful: str, path: Path) -> None:
    """Save the picture of utility against leakage."""
    rows = {}
    for learner, own in found.groupby("learner", sort=False):
        rows[learner] = [*interval(own[useful]), *interval(own["leakage"])]
    columns = [f"{name}{end}" for name in ("utility", "leakage") for end in ("", "_low", "_high")]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    display = PrivacyUtilityDisplay(table, utility_name=useful).plot()
    display.figure_.savefig(path, dpi=150)


# --- the table of the paper

WEIGHTS = {
    "irm": 100.0, "irm_unbiased": 100.0, "vrex": 300.0, "group_dro": 1.0, "coral": 1000.0,
    "fishr": 10.0,
}  # fmt: skip


def published_table() -> pd.DataFrame:
    """Return what was published of the causal set-up, as it was run: a row a learner."""
    parts = []
    for name, column, ending in (
        ("target_models", "evaluated_on", " MSE"),
        ("distribution_inference", "attack", ""),
    ):
        table = published(name)
        own = table[table["experiment"] == "causal"]
        parts.append(own.pivot(index="level", columns=column, values="mean").add_suffix(ending))
    return pd.concat(parts, axis=1).loc[["ERM", "Causal ERM", "IRM"]].round(3)


def table_learners() -> dict[str, Any]:
    plain = {
        "hidden_layer_sizes": (2,), "epochs": 10, "batch_size": 32, "learning_rate": 1e-2,
        "weight_decay": 1e-3, "device": "cpu",
    }  # fmt: skip
    whole = {**plain, "batch_size": None, "epochs": 600, "penalty_warmup": 150}

    def erm(**changed: Any) -> CausalMitigatedRegressor:
        return CausalMitigatedRegressor(**{**plain, "penalty": None, **changed})

    penalised = {
        name: CausalMitigatedRegressor(**whole, penalty=name, penalty_weight=weight)
        for name, weight in WEIGHTS.items()
    }
    return {
        "ERM": erm(),
        "causal ERM": erm(causal_features=[0]),
        "invariant features": erm(causal_features="invariant"),
        "irm, as published": irm_as_published(),
        **penalised,
        "causal_dantzig": erm(
            penalty="causal_dantzig", penalty_weight=30.0, hidden_layer_sizes=(16,),
            batch_size=512, epochs=150,
        ),
        "early stopping": erm(epochs=2),
        "weight decay": erm(weight_decay=1.0),
        "noise on weights": defences.NoisyRegressor(**plain, penalty=None),
    }  # fmt: skip


def table_setting(seed: int, equal_size: bool = False) -> Setting:
    family = EnvironmentMembershipFamily.linear_causal(equal_size=equal_size)
    turned = EnvironmentMembershipFamily.linear_causal(effect=-1)
    tests = {"validation MSE": family, "test MSE": turned}
    return Setting(family, family, 2048, tests, "mean_squared_error")


# --- classifiers: coloured digits, census


def classifiers(hidden: tuple[int, ...], epochs: int) -> dict[str, Any]:
    plain = {
        "hidden_layer_sizes": hidden, "epochs": epochs, "batch_size": 128, "learning_rate": 1e-2,
        "weight_decay": 1e-4,
    }  # fmt: skip

    def erm(kind: Any = CausalMitigatedClassifier, **changed: Any) -> CausalMitigatedClassifier:
        return kind(**{**plain, "penalty": None, "device": "cpu", **changed})

    learners = {
        "ERM": erm(),
        **{name: erm(penalty=name, penalty_weight=10.0) for name in PENALTIES},
        "early stopping": erm(epochs=max(epochs // 8, 1)),
        "weight decay": erm(weight_decay=1e-2, optimizer="adamw"),
        "label smoothing": defences.SmoothedClassifier(**plain),
        "balanced resampling": erm(defences.BalancedClassifier),
        "noise on weights": erm(defences.NoisyClassifier),
    }
    try:
        import opacus  # noqa: F401
    except ImportError:
        print("DP-SGD is left out: opacus is not installed")
    else:
        learners["DP-SGD"] = defences.PrivateClassifier(**plain)
    return learners


class ColouredDigits:
    """Digits from 5 on against those below it, in one of two colours.

    As in coloured MNIST (Arjovsky et al. 2019), a quarter of the labels is wrong, and the colour
    agrees with the label as often as the environment says.
    """

    def __init__(self, pixels: np.ndarray, large: np.ndarray, agreement: float):
        self.pixels, self.large, self.agreement = pixels, large, agreement

    def __call__(self, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        rows = rng.choice(len(self.pixels), n_samples)
        y = self.large[rows] ^ (rng.random(n_samples) < 0.25)
        red = y ^ (rng.random(n_samples) >= self.agreement)
        X = np.zeros((n_samples, 2, self.pixels.shape[1]), dtype=np.float32)
        X[np.arange(n_samples), red.astype(int)] = self.pixels[rows]
        return X.reshape(n_samples, -1), y.astype(int)

    def __repr__(self) -> str:
        return f"ColouredDigits(agreement={self.agreement})"


def digits_setting(seed: int) -> Setting:
    X, digit = load_digits(return_X_y=True)
    X, large = X / 16, digit >= 5
    rows, held_out = train_test_split(np.arange(len(X)), test_size=0.25, random_state=seed)
    own, other = train_test_split(rows, test_size=0.5, random_state=seed)
    families = [
        EnvironmentMembershipFamily(
            [ColouredDigits(X[part], large[part], agreement) for agreement in (0.9, 0.8, 0.7, 0.6)]
        )
        for part in (own, other)
    ]
    rng = np.random.default_rng(seed)
    tests = {
        name: ColouredDigits(X[held_out], large[held_out], agreement)(4096, rng)
        for name, agreement in {"accuracy, alike": 0.75, "accuracy, turned": 0.1}.items()
    }
    return Setting(families[0], families[1], 1024, tests, "accuracy")


def census_setting(seed: int) -> Setting:
    census: Any = load_census_income()
    X, y = census.data, census.target
    worker = census.frame["class_of_worker"].astype(str).to_numpy()
    outside = worker == "federal_government"
    rows, held_out = train_test_split(
        np.flatnonzero(~outside), test_size=0.2, random_state=seed, stratify=y[~outside]
    )
    family, adversary_family = EnvironmentMembershipFamily.from_table(
        X[rows], y[rows], worker[rows], member="self_employed_incorporated"
    ).split(0.5, random_state=seed)
    rng = np.random.default_rng(seed)
    tests = {
        name: (X[chosen], y[chosen])
        for name, chosen in {
            "balanced accuracy, alike": as_many_of_each(rng, y, held_out),
            "balanced accuracy, outside": as_many_of_each(rng, y, np.flatnonzero(outside)),
        }.items()
    }
    return Setting(family, adversary_family, 1000, tests, "accuracy")


def as_many_of_each(rng: np.random.Generator, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Keep as many rows of either class: accuracy on them is balanced accuracy."""
    either = [rows[y[rows] == label] for label in (0, 1)]
    n_rows = min(map(len, either))
    return np.concatenate([rng.choice(own, n_rows, replace=False) for own in either])


PARTS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[int], Setting], str]] = {
    "table": (table_learners, table_setting, "test MSE"),
    "table-equal": (table_learners, partial(table_setting, equal_size=True), "test MSE"),
    "digits": (lambda: classifiers((16,), 30), digits_setting, "accuracy, turned"),
    "census": (lambda: classifiers((8,), 20), census_setting, "balanced accuracy, outside"),
}


def show(part: str, args: argparse.Namespace) -> None:
    learners, draw, useful = PARTS[part]
    scale = SCALES[args.scale]
    start = time.perf_counter()
    print(f"\n{part}, scale {args.scale}")
    chosen = learners()
    if args.learners:
        chosen = {name: chosen[name] for name in ["ERM", *args.learners]}
    found = run(chosen, draw, scale, range(args.seeds or scale.n_seeds), args.jobs)
    print(summarise(found).to_string())
    if part.startswith("table"):
        print(f"published:\n{published_table().to_string()}")
        found["negated test MSE"] = -found[useful]
        useful = "negated test MSE"  # more is better from here on
    print("\n".join(verdict(found, useful)))
    args.out.mkdir(parents=True, exist_ok=True)
    found.to_csv(args.out / f"causal_mitigation_{part}.csv", index=False)
    draw_front(found, useful, args.out / f"causal_mitigation_{part}.png")
    print(f"{time.perf_counter() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--scale", choices=SCALES, default="medium")
    parser.add_argument("--seeds", type=int, help="how many; by default what the scale says")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--learners", nargs="*", help="only these, beside ERM")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    args = parser.parse_args()
    print(describe_machine("scikit-learn", "dowhy", "opacus"))
    for part in PARTS if args.part == "all" else [args.part]:
        show(part, args)


if __name__ == "__main__":
    main()
