"""Train many small models: ``train_zoo`` against training them one after another.

``shadows``: shadow models of Hartmann et al. (2023), against propinfer. ``irm``: their invariant
shadow models, against a loop that differentiates twice. ``cnn``: small CNNs, against a plain torch
loop. ``growth``: time, and fraction of the peak of matrix products, as the number of models and
their width grow.

Both variants have the same data, steps, batch size and optimizer. They alternate in one process,
which has one torch thread: the peer is slower with more. Ratios are of models per second.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks._networks import multiplications, peak_gflops
from benchmarks._populations import PARTS, Setting
from benchmarks._runner import Benchmark, Run
from benchmarks._timing import alternate
from wsl import Architecture, ModelZoo, RandomNetworkFamily, train_zoo

PEER, OURS = "one after another", "train_zoo"


@dataclass(frozen=True)
class Scale:
    """Numbers of models of ``train_zoo`` and of the peer, by part, and of timed rounds.

    ``max_models`` and ``max_width`` bound part ``growth``.
    """

    n_shadows: int
    n_shadows_peer: int
    n_irm: int
    n_irm_peer: int
    n_cnn: int
    n_cnn_peer: int
    n_rounds: int
    max_models: int
    max_width: int


SCALES = {
    "quick": Scale(8, 2, 2, 1, 4, 1, 1, 64, 0),
    "full": Scale(1024, 24, 256, 6, 256, 9, 3, 16384, 512),
}


def train_together(setting: Setting, datasets: list[tuple], run: Run) -> ModelZoo:
    """Train one model per data set with ``train_zoo``."""
    shared = datasets[0][0] is datasets[-1][0]
    return train_zoo(
        setting.architecture,
        datasets[0] if shared else datasets,
        n_models=len(datasets),
        n_jobs=run.n_jobs,
        device="cpu",
        random_state=run.seed,
        **setting.options,
    )


def training_losses(setting: Setting, rows: np.ndarray, datasets: list[tuple]) -> np.ndarray:
    """Return each model's loss on its training set."""
    values = []
    for row, (X, y, *_) in zip(rows, datasets, strict=True):
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


def flatten(architecture: Architecture, modules: list[nn.Module]) -> np.ndarray:
    """Return the modules of a peer, whose parameters have other names, as rows."""
    names = architecture.parameter_names
    return architecture.flatten(
        [dict(zip(names, module.state_dict().values(), strict=True)) for module in modules]
    )


def compare(setting: Setting, n_models: int, n_peer: int, run: Run) -> dict[str, Any]:
    """Return models per second of both variants, and the losses of their models."""
    datasets = [setting.sample(model) for model in range(n_models)]
    train_together(setting, datasets[: 2 * run.n_jobs], run)  # starts the workers
    batches = iter(np.array_split(np.arange(n_peer), run.scale.n_rounds))
    modules: list[nn.Module] = []

    def train_peer() -> None:
        modules.extend(setting.peer(setting, datasets[model]) for model in next(batches))

    timings = alternate(
        {PEER: train_peer, OURS: lambda: train_together(setting, datasets, run)},
        run.scale.n_rounds,
        warm_up=False,
    )
    peer_rows = flatten(setting.architecture, modules)
    peer_losses = training_losses(setting, peer_rows, datasets[:n_peer])
    losses = training_losses(setting, timings.results[OURS].weights, datasets)
    n_peer_round = n_peer / run.scale.n_rounds
    return {
        "models": setting.name,
        f"{PEER}, models per second": n_peer_round / timings.median(PEER),
        f"{OURS}, models per second": n_models / timings.median(OURS),
        "ratio": n_models / timings.median(OURS) * timings.median(PEER) / n_peer_round,
        f"{PEER}, CPU seconds per model": timings.cpu_median(PEER) / n_peer_round,
        f"{OURS}, CPU seconds per model": timings.cpu_median(OURS) / n_models,
        f"{PEER}, loss of {n_peer}": describe(peer_losses),
        f"{OURS}, loss on the same data": describe(losses[:n_peer]),
        f"{OURS}, loss of all": describe(losses),
    }


def describe(values: np.ndarray) -> str:
    """Return the mean and its standard error, over the models that did not diverge."""
    finite = values[np.isfinite(values)]
    diverged = f", {len(values) - len(finite)} diverged" if len(finite) < len(values) else ""
    if len(finite) < 2:
        return f"{finite.mean():.3f}{diverged}"
    return f"{finite.mean():.3f} ± {finite.std(ddof=1) / len(finite) ** 0.5:.3f}{diverged}"


@dataclass(frozen=True)
class _Cyclic:
    """Training sets in rotation, for more models than have sets of their own in memory."""

    datasets: list

    def __call__(self, model: int):
        return self.datasets[model % len(self.datasets)]


def growth_settings(run: Run) -> list[tuple]:
    """Return experiment A's models, more and more of them, and ever wider perceptrons on digits.

    Each is a name, the number of models, architecture, data, rows, batch size and epochs.
    """
    family = RandomNetworkFamily(epsilon=0.04, random_state=run.seed)
    n_sets = min(256, run.scale.max_models)
    cyclic = _Cyclic([family.sample(i % 2, 2048, random_state=i) for i in range(n_sets)])
    X, y = load_digits(return_X_y=True)
    digits = (X[:1280] / 16).astype("f"), y[:1280]
    a = Architecture.mlp(4, [32], 1)
    return [
        ("4-32-1", n_models, a, cyclic, 2048, 32, max(4, min(20, 20 * 1024 // n_models)))
        for n_models in (64, 256, 1024, 4096, 16384)
        if n_models <= run.scale.max_models
    ] + [
        (f"64-{w}-{w}-10", 128, Architecture.mlp(64, [w, w], 10), digits, 1280, 64, 1 + 512 // w)
        for w in (8, 16, 32, 64, 128, 256, 512)
        if w <= run.scale.max_width
    ]


def growth(run: Run) -> pd.DataFrame:
    """Return time per model and step, and the fraction of the peak, one row per setting."""
    peak = run.n_jobs * peak_gflops(1024)
    run.log(f"peak of {run.n_jobs} cores: {peak:.0f} GFLOP/s")
    rows = []
    for name, n_models, architecture, data, n_samples, batch_size, epochs in growth_settings(run):
        options = {"epochs": epochs, "batch_size": batch_size, "n_jobs": run.n_jobs}
        seconds = []
        for _ in range(run.scale.n_rounds):
            start = time.perf_counter()
            train_zoo(
                architecture, data, n_models=n_models, random_state=run.seed, device="cpu",
                **options,
            )  # fmt: skip
            seconds.append(time.perf_counter() - start)
        steps = n_models * epochs * n_samples // batch_size
        work = 2e-9 * batch_size * multiplications(architecture, training=True) * steps
        median = float(np.median(seconds))
        rows.append(
            {
                "network": name,
                "models": n_models,
                "us per model and step": 1e6 * median / steps,
                "GFLOP/s": work / median,
                "fraction of peak": work / median / peak,
            }
        )
    return pd.DataFrame(rows)


def run_benchmark(run: Run) -> None:
    """Run the parts that were chosen."""
    torch.set_num_threads(1)
    torch.manual_seed(run.seed)  # the peers draw from torch's global generator
    for part in run.parts:
        if part == "growth":
            run.table(part, growth(run))
            continue
        n_models = getattr(run.scale, f"n_{part}")
        n_peer = getattr(run.scale, f"n_{part}_peer")
        settings = PARTS[part](run.seed)
        run.table(part, pd.DataFrame([compare(each, n_models, n_peer, run) for each in settings]))


BENCHMARK = Benchmark(
    name="train_zoo",
    shows="models per second of `train_zoo`, against training them one after another",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    parts={"shadows": ("propinfer",), "irm": (), "cnn": ("mlxtend",), "growth": ()},
    packages=("propinfer", "scikit-learn"),
)

if __name__ == "__main__":
    BENCHMARK.main()
