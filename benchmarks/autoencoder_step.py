"""Where the time of one training step of the autoencoder goes, and how near it is to the peak.

``python -m benchmarks.autoencoder_step [--models N] [--d-model N] [--layers N] [--queries N]``

The digits CNN, a batch of models in two views, all three losses. Each part is run by itself and
its best time of several stands beside its multiplications; the peak is that of a large matrix
product on the same threads. Below that, whole steps of the arms: what the behavioral and the
contrastive loss add to the structural one.
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._machine import describe_machine
from benchmarks._networks import multiplications
from wsl import Architecture, WeightSpaceAutoencoder

ARCHITECTURE = Architecture.cnn((1, 8, 8), [6, 8], [16], 10)
LINEAR = {"code": "linear"}  # the reference has no other
ARMS: dict[str, dict[str, Any]] = {
    "structural": {"beta": 1.0, "gamma": 0.0, **LINEAR},
    "behavioral": {"beta": 0.0, "gamma": 0.0, **LINEAR},
    "structural + behavioral": {"beta": 0.1, "gamma": 0.0, **LINEAR},
    "contrastive + structural": {"beta": 1.0, "gamma": 0.05, **LINEAR},
    "all three": {"beta": 0.1, "gamma": 0.05, **LINEAR},
    "all three, code by responses": {"beta": 0.1, "gamma": 0.05, "code": "responses"},
}
PEAK_SIZE = 2048
REPEATS = 7


@dataclass(frozen=True)
class Settings:
    """Sizes of the batch and of the network."""

    models: int
    d_model: int
    layers: int
    queries: int
    latent_dim: int = 16


def best_seconds(function: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the least time of several runs, after one that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def count_gflop(function: Callable[[], object]) -> float:
    """Return the floating-point operations of the matrix products and convolutions, in 1e9."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 1e9


def peak_gflops() -> float:
    """Return the speed of one large matrix product in float32."""
    a, b = torch.randn(2, PEAK_SIZE, PEAK_SIZE)
    return 2e-9 * PEAK_SIZE**3 / best_seconds(lambda: a @ b)


def fitted(settings: Settings, rows: np.ndarray, queries: np.ndarray, arm: dict[str, Any]):
    """Return an autoencoder of one epoch: all parts are there, and the network is off its start."""
    return WeightSpaceAutoencoder(
        ARCHITECTURE,
        queries=queries,
        latent_dim=settings.latent_dim,
        d_model=settings.d_model,
        n_layers=settings.layers,
        n_queries=settings.queries,
        batch_size=settings.models,
        epochs=1,
        validation_fraction=0.0,
        device="cpu",
        random_state=0,
        **arm,
    ).fit(rows)


def take_step(autoencoder: WeightSpaceAutoencoder, rows: Tensor) -> None:
    """Train on one batch, as the training loop does."""
    net = autoencoder.net_
    net.history.new_batch()
    net.optimizer_.zero_grad()
    net.train_step_single((rows, None))
    net.optimizer_.step()


def parts_of(
    autoencoder: WeightSpaceAutoencoder, rows: Tensor, queries: Tensor
) -> dict[str, Callable[[], object]]:
    """Return each part of a step as a function that runs it once."""
    codec, optimizer = autoencoder.codec_, autoencoder.net_.optimizer_
    network, objective, layout = codec.network.train(), codec.objective, codec.layout
    tokens = layout.to_tokens(torch.cat([rows, rows]))
    latents = network.encode(tokens).detach()
    rebuilt = network.decode(latents[: len(rows)]).detach()
    weights = objective.weights(layout.to_rows(rebuilt))

    def losses_and_gradients() -> None:
        objective(network, rows)["total"].backward()

    losses_and_gradients()
    return {
        "permute copies": lambda: ARCHITECTURE.permute(weights, objective.generator),
        "tokenise": lambda: layout.to_tokens(torch.cat([rows, rows])),
        "encoder": lambda: network.encode(tokens),
        "decoder": lambda: network.decode(latents[: len(rows)]),
        "original models on queries": lambda: run_without_gradient(weights, queries),
        "rebuilt models on queries": lambda: ARCHITECTURE.forward(
            weights.clone().requires_grad_(True), queries
        ),
        "all losses, no backward": lambda: objective(network, rows),
        "all losses and backward": losses_and_gradients,
        "optimizer": optimizer.step,
    }


def run_without_gradient(weights: Tensor, queries: Tensor) -> Tensor:
    with torch.no_grad():
        return ARCHITECTURE.forward(weights, queries)


def measure_parts(
    parts: dict[str, Callable[[], object]], peak: float, zoo_work: float
) -> pd.DataFrame:
    """Return milliseconds, work and speed of each part; backward by difference.

    ``zoo_work`` is what it takes to run the batch of models on the queries, in GFLOP.
    """
    table = {name: (best_seconds(part), count_gflop(part)) for name, part in parts.items()}
    for name in ("original models on queries", "rebuilt models on queries"):
        table[name] = table[name][0], zoo_work  # the counter knows no products done elementwise
    whole, forward = table["all losses and backward"], table["all losses, no backward"]
    table["backward, by difference"] = (whole[0] - forward[0], whole[1] - forward[1])
    step = whole[0] + table["optimizer"][0]
    return pd.DataFrame(
        [
            {
                "part": name,
                "ms": 1e3 * seconds,
                "share of step": seconds / step,
                "GFLOP": work,
                "GFLOP/s": work / seconds,
                "of peak": work / seconds / peak,
            }
            for name, (seconds, work) in table.items()
        ]
    )


def measure_arms(settings: Settings, rows: np.ndarray, queries: np.ndarray) -> pd.DataFrame:
    """Return milliseconds of a whole step of each arm; arms take turns, as machines have moods."""
    arms = {name: fitted(settings, rows, queries, arm) for name, arm in ARMS.items()}
    batch = torch.from_numpy(rows[: settings.models])
    for autoencoder in arms.values():
        autoencoder.net_.history.new_epoch()
    seconds = dict.fromkeys(arms, np.inf)
    for _ in range(REPEATS):
        for name, autoencoder in arms.items():
            own = best_seconds(lambda one=autoencoder: take_step(one, batch), repeats=1)
            seconds[name] = min(seconds[name], own)
    base = seconds["structural"]
    return pd.DataFrame(
        {"arm": name, "ms a step": 1e3 * own, "over structural": own / base}
        for name, own in seconds.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.autoencoder_step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", type=int, default=32, help="in a batch")
    parser.add_argument("--d-model", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4, help="of encoder and of decoder")
    parser.add_argument("--queries", type=int, default=256)
    args = parser.parse_args()
    settings = Settings(args.models, args.d_model, args.layers, args.queries)
    rng = np.random.default_rng(0)
    shape = (settings.models, ARCHITECTURE.n_weights)
    rows = rng.normal(0, 0.3, shape).astype(np.float32)
    queries = rng.normal(size=(4 * settings.queries, 64)).astype(np.float32)
    print(describe_machine())
    peak = peak_gflops()
    print(f"matrix product of {PEAK_SIZE} x {PEAK_SIZE}: {peak:.0f} GFLOP/s\n{settings}\n")
    autoencoder = fitted(settings, rows, queries, ARMS["all three"])
    batch, few = torch.from_numpy(rows), torch.from_numpy(queries[: settings.queries])
    zoo_work = 2e-9 * multiplications(ARCHITECTURE) * settings.queries * settings.models
    parts = measure_parts(parts_of(autoencoder, batch, few), peak, zoo_work)
    print(parts.to_string(index=False, float_format="{:.3g}".format), "\n")
    print(
        measure_arms(settings, rows, queries).to_string(index=False, float_format="{:.3g}".format)
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nmost memory: {memory:.2f} GiB")


if __name__ == "__main__":
    main()
