"""Learners and data of ``benchmarks.causal_mitigation``."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks import _defences as defences
from benchmarks._hartmann import irm_as_published, published
from wsl import (
    CausalMitigatedClassifier,
    CausalMitigatedRegressor,
    EnvironmentMembershipFamily,
    RebalancedClassifier,
)
from wsl.causal import PENALTIES
from wsl.datasets import load_census_income

# Weights of least test error among a few that were tried: an oracle's choice.
WEIGHTS = {
    "irm": 100.0, "irm_unbiased": 100.0, "vrex": 300.0, "group_dro": 1.0, "coral": 1000.0,
    "fishr": 10.0,
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One draw of a part: training families, and the test sets."""

    family: EnvironmentMembershipFamily
    adversary_family: EnvironmentMembershipFamily
    n_samples: int
    test_sets: dict[str, Any]  # families, or pairs (X, y)
    metric: str


def published_table() -> pd.DataFrame:
    """Return the published results of the causal experiment, one row per learner."""
    parts = []
    for name, column, ending in (
        ("target_models", "evaluated_on", " MSE"),
        ("distribution_inference", "attack", ""),
    ):
        table = published(name)
        own = table[table["experiment"] == "causal"]
        parts.append(own.pivot(index="level", columns=column, values="mean").add_suffix(ending))
    table = pd.concat(parts, axis=1).loc[["ERM", "Causal ERM", "IRM"]]
    return table.rename_axis("learner").reset_index()


def table_learners() -> dict[str, Any]:
    """Return the regressors of the linear causal experiment."""
    plain = {
        "hidden_layer_sizes": (2,), "epochs": 10, "batch_size": 32, "learning_rate": 1e-2,
        "weight_decay": 1e-3, "device": "cpu",
    }  # fmt: skip
    full_batch = {**plain, "batch_size": None, "epochs": 600, "penalty_warmup": 150}

    def erm(**changed: Any) -> CausalMitigatedRegressor:
        return CausalMitigatedRegressor(**{**plain, "penalty": None, **changed})

    penalised = {
        name: CausalMitigatedRegressor(**full_batch, penalty=name, penalty_weight=weight)
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
    """Return the linear causal experiment; the test set has the effect of the outcome reversed."""
    family = EnvironmentMembershipFamily.linear_causal(equal_size=equal_size)
    reversed_effect = EnvironmentMembershipFamily.linear_causal(effect=-1)
    test_sets = {"validation MSE": family, "test MSE": reversed_effect}
    return Setting(family, family, 2048, test_sets, "mean_squared_error")


def classifiers(hidden: tuple[int, ...], epochs: int) -> dict[str, Any]:
    """Return the classifiers of the real data; DP-SGD needs opacus."""
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
        "balanced resampling": RebalancedClassifier(erm(), balance_classes=True),
        "noise on weights": erm(defences.NoisyClassifier),
    }
    if importlib.util.find_spec("opacus") is None:
        print("DP-SGD is left out: opacus is not installed")
    else:
        learners["DP-SGD"] = defences.PrivateClassifier(**plain)
    return learners


class ColouredDigits:
    """Digits from 5 on against smaller ones, in one of two colours.

    As in coloured MNIST (Arjovsky et al. 2019), a quarter of the labels is wrong, and the colour
    agrees with the label with the probability ``agreement``.
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
    """Return coloured digits; in one test set the colour disagrees with the label."""
    X, digit = load_digits(return_X_y=True)
    X, large = X / 16, digit >= 5
    rows, held_out = train_test_split(np.arange(len(X)), test_size=0.25, random_state=seed)
    target, adversary = train_test_split(rows, test_size=0.5, random_state=seed)
    families = [
        EnvironmentMembershipFamily(
            [ColouredDigits(X[part], large[part], agreement) for agreement in (0.9, 0.8, 0.7, 0.6)]
        )
        for part in (target, adversary)
    ]
    rng = np.random.default_rng(seed)
    test_sets = {
        name: ColouredDigits(X[held_out], large[held_out], agreement)(4096, rng)
        for name, agreement in {
            "accuracy, same colours": 0.75,
            "accuracy, reversed colours": 0.1,
        }.items()
    }
    return Setting(families[0], families[1], 1024, test_sets, "accuracy")


def census_setting(seed: int) -> Setting:
    """Return census income by class of worker; one test set has a class that nobody trained on."""
    census: Any = load_census_income()
    X, y = census.data, census.target
    worker = census.frame["class_of_worker"].astype(str).to_numpy()
    left_out = worker == "federal_government"
    rows, held_out = train_test_split(
        np.flatnonzero(~left_out), test_size=0.2, random_state=seed, stratify=y[~left_out]
    )
    family, adversary_family = EnvironmentMembershipFamily.from_table(
        X[rows], y[rows], worker[rows], member="self_employed_incorporated"
    ).split(0.5, random_state=seed)
    rng = np.random.default_rng(seed)
    test_sets = {
        name: (X[chosen], y[chosen])
        for name, chosen in {
            "balanced accuracy, same workers": balanced_rows(rng, y, held_out),
            "balanced accuracy, other workers": balanced_rows(rng, y, np.flatnonzero(left_out)),
        }.items()
    }
    return Setting(family, adversary_family, 1000, test_sets, "accuracy")


def balanced_rows(rng: np.random.Generator, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Draw as many rows of either class: accuracy on them is balanced accuracy."""
    by_class = [rows[y[rows] == label] for label in (0, 1)]
    n_rows = min(map(len, by_class))
    return np.concatenate([rng.choice(rows, n_rows, replace=False) for rows in by_class])


PARTS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[int], Setting], str]] = {
    "table": (table_learners, table_setting, "test MSE"),
    "table-equal": (table_learners, partial(table_setting, equal_size=True), "test MSE"),
    "digits": (lambda: classifiers((16,), 30), digits_setting, "accuracy, reversed colours"),
    "census": (lambda: classifiers((8,), 20), census_setting, "balanced accuracy, other workers"),
}
