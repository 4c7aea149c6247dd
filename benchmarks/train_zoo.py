"""Train the same shadow models with propinfer, one after another, and with train_zoo, together.

``python -m benchmarks.train_zoo [--models N] [--peer-models N] [--jobs N] [--seed N]``

Both take the same data, steps, batch size and optimiser; the ratio of models a second is between
runs that alternate in this process. Needs the extra ``benchmarks``.
"""

import argparse
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from benchmarks._machine import describe_machine
from wsl import Architecture, EnvironmentMembershipFamily, RandomNetworkFamily, train_zoo


@dataclass(frozen=True)
class Setting:
    """Shadow models of one experiment of Hartmann et al. (2023)."""

    name: str
    family: object
    hidden: int
    epochs: int
    learning_rate: float
    weight_decay: float
    n_samples: int = 2048
    batch_size: int = 32

    @property
    def n_features(self) -> int:
        return self.sample(0)[0].shape[1]

    def sample(self, model: int, seed: int = 0):
        return self.family.sample(
            model % 2, self.n_samples, random_state=np.random.default_rng([seed, model])
        )[:2]


def settings(seed: int) -> list[Setting]:
    a = RandomNetworkFamily(epsilon=0.04, random_state=seed)
    causal = EnvironmentMembershipFamily.linear_causal()
    return [
        Setting("A: 4-32-1, 20 epochs", a, 32, 20, 1e-3, 1e-4),
        Setting("causal: 2-2-1, 10 epochs", causal, 2, 10, 1e-2, 1e-3),
    ]


def train_peer(setting: Setting, sets) -> tuple[float, np.ndarray]:
    """Return the seconds that propinfer takes, and its models' mean squared errors."""
    from propinfer import MLP

    hyperparams = {
        "input_size": setting.n_features,
        "n_classes": 1,
        "layers": [setting.hidden],
        "epochs": setting.epochs,
        "learning_rate": setting.learning_rate,
        "weight_decay": setting.weight_decay,
        "batch_size": setting.batch_size,
        "normalise": False,
    }
    frames = [pd.DataFrame(X).add_prefix("x").assign(y=y) for X, y in sets]
    start = time.perf_counter()
    models = [MLP("y", dict(hyperparams)).fit(frame) for frame in frames]
    seconds = time.perf_counter() - start
    errors = [
        np.mean((model.predict_proba(frame).ravel() - frame["y"].to_numpy()) ** 2)
        for model, frame in zip(models, frames, strict=True)
    ]
    return seconds, np.array(errors)


def train_ours(setting: Setting, sets, n_jobs: int, seed: int) -> tuple[float, np.ndarray]:
    """Return the seconds that train_zoo takes, and its models' mean squared errors."""
    architecture = Architecture.mlp(setting.n_features, [setting.hidden], 1)
    start = time.perf_counter()
    zoo = train_zoo(
        architecture,
        sets,
        loss="mse",
        epochs=setting.epochs,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        weight_decay=setting.weight_decay,
        n_jobs=n_jobs,
        device="cpu",
        random_state=seed,
    )
    seconds = time.perf_counter() - start
    errors = [
        np.mean((architecture.forward(row[None], X)[0, :, 0] - y) ** 2)
        for row, (X, y) in zip(zoo.weights, sets, strict=True)
    ]
    return seconds, np.array(errors)


def compare(setting: Setting, args: argparse.Namespace) -> dict:
    draw = partial(setting.sample, seed=args.seed)
    sets = [draw(model) for model in range(args.models)]
    train_ours(setting, sets[: 2 * args.jobs], args.jobs, args.seed)  # starts the workers
    peer, ours = [], []
    peer_sets = np.array_split(np.arange(args.peer_models), args.rounds)
    for own in peer_sets:
        peer.append(train_peer(setting, [sets[i] for i in own]))
        ours.append(train_ours(setting, sets, args.jobs, args.seed))
    peer_rate = args.peer_models / sum(seconds for seconds, _ in peer)
    rate = args.models * args.rounds / sum(seconds for seconds, _ in ours)
    same = ours[0][1][: args.peer_models]
    return {
        "experiment": setting.name,
        "propinfer models/s": f"{peer_rate:.2f}",
        "wsl models/s": f"{rate:.1f}",
        "ratio": f"{rate / peer_rate:.0f}",
        f"propinfer mse ({args.peer_models} models)": _mean(np.concatenate([e for _, e in peer])),
        "wsl mse (on the same sets)": _mean(same),
        f"wsl mse ({args.models} models)": _mean(ours[0][1]),
    }


def _mean(errors: np.ndarray) -> str:
    """Return the mean and its standard error."""
    return f"{errors.mean():.3f} +- {errors.std(ddof=1) / len(errors) ** 0.5:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_zoo", description=__doc__)
    parser.add_argument("--models", type=int, default=2048, help="models that train_zoo trains")
    parser.add_argument("--peer-models", type=int, default=24, help="models that propinfer trains")
    parser.add_argument("--rounds", type=int, default=3, help="times that the two alternate")
    parser.add_argument("--jobs", type=int, default=2, help="workers of train_zoo")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the peer is slower with more, on networks as small as these
    print(describe_machine("propinfer", "scikit-learn"))
    rows = [compare(setting, args) for setting in settings(args.seed)]
    print(pd.DataFrame(rows).set_index("experiment").T.to_string())


if __name__ == "__main__":
    main()
