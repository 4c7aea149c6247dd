"""The time of one training step of the autoencoder, by part, against the peak of the machine.

The digits CNN, a batch of models in two views, all three losses. Each part runs by itself, and its
median time stands beside its work; the peak is that of a large matrix product on the same threads.
Whole steps of the variants show what the behavioral and the contrastive loss add to the
structural one.

The parts of a step have no public counterpart, so this benchmark reads the fitted ``codec_`` and
the skorch net ``net_``.
"""

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._networks import multiplications, peak_gflops
from benchmarks._runner import Benchmark, Run
from benchmarks._timing import alternate
from wsl import Architecture, WeightSpaceAutoencoder

ARCHITECTURE = Architecture.cnn((1, 8, 8), [6, 8], [16], 10)
LINEAR = {"code": "linear"}  # the only one of the reference implementation
VARIANTS: dict[str, dict[str, Any]] = {
    "structural": {"beta": 1.0, "gamma": 0.0, **LINEAR},
    "behavioral": {"beta": 0.0, "gamma": 0.0, **LINEAR},
    "structural + behavioral": {"beta": 0.1, "gamma": 0.0, **LINEAR},
    "contrastive + structural": {"beta": 1.0, "gamma": 0.05, **LINEAR},
    "all three": {"beta": 0.1, "gamma": 0.05, **LINEAR},
    "all three, code by responses": {"beta": 0.1, "gamma": 0.05, "code": "responses"},
}


@dataclass(frozen=True)
class Scale:
    """Sizes of the batch, the network and the peak's matrices; number of timed rounds."""

    n_models: int
    d_model: int
    n_layers: int
    n_queries: int
    latent_dim: int
    peak_size: int
    n_rounds: int


SCALES = {
    "quick": Scale(8, 32, 1, 32, 4, 512, 2),
    "full": Scale(32, 128, 4, 256, 16, 2048, 7),
}


def count_gflop(function: Callable[[], object]) -> float:
    """Return the floating-point operations of the matrix products and convolutions, in 1e9."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 1e9


def fitted(run: Run, rows: np.ndarray, queries: np.ndarray, variant: str) -> WeightSpaceAutoencoder:
    """Return an autoencoder after one epoch, which has all its parts."""
    scale = run.scale
    return WeightSpaceAutoencoder(
        ARCHITECTURE,
        queries=queries,
        latent_dim=scale.latent_dim,
        d_model=scale.d_model,
        n_layers=scale.n_layers,
        n_queries=scale.n_queries,
        batch_size=scale.n_models,
        epochs=1,
        validation_fraction=0.0,
        device="cpu",
        random_state=run.seed,
        **VARIANTS[variant],
    ).fit(rows)


def take_step(autoencoder: WeightSpaceAutoencoder, rows: Tensor) -> None:
    """Train on one batch, as the training loop does."""
    net = autoencoder.net_
    net.history.new_batch()
    net.optimizer_.zero_grad()
    net.train_step_single((rows, None))
    net.optimizer_.step()


def step_parts(
    autoencoder: WeightSpaceAutoencoder, rows: Tensor, queries: Tensor
) -> dict[str, Callable[[], object]]:
    """Return each part of a step as a function that runs it once."""
    codec, optimizer = autoencoder.codec_, autoencoder.net_.optimizer_
    network, objective, layout = codec.network.train(), codec.objective, codec.layout
    tokens = layout.to_tokens(torch.cat([rows, rows]))
    latents = network.encode(tokens).detach()
    rebuilt = network.decode(latents[: len(rows)]).detach()
    weights = objective.scaling.inverse_transform(layout.to_rows(rebuilt))

    def losses_and_gradients() -> None:
        objective(network, rows)["total"].backward()

    losses_and_gradients()
    return {
        "permute copies": lambda: ARCHITECTURE.permute(weights, objective.generator),
        "tokenize": lambda: layout.to_tokens(torch.cat([rows, rows])),
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
    parts: dict[str, Callable[[], object]], peak: float, zoo_gflop: float, n_rounds: int
) -> pd.DataFrame:
    """Return milliseconds, work and speed of each part; backward by difference.

    ``zoo_gflop`` is the work of running the batch of models on the queries, in GFLOP.
    """
    timings = alternate(parts, n_rounds)
    table = {name: (timings.median(name), count_gflop(part)) for name, part in parts.items()}
    for name in ("original models on queries", "rebuilt models on queries"):
        table[name] = table[name][0], zoo_gflop  # the counter misses elementwise products
    whole, forward = table["all losses and backward"], table["all losses, no backward"]
    table["backward, by difference"] = (whole[0] - forward[0], whole[1] - forward[1])
    step = whole[0] + table["optimizer"][0]
    return pd.DataFrame(
        [
            {
                "part": name,
                "ms": 1e3 * seconds,
                "fraction of step": seconds / step,
                "GFLOP": work,
                "GFLOP/s": work / seconds,
                "fraction of peak": work / seconds / peak,
            }
            for name, (seconds, work) in table.items()
        ]
    )


def measure_variants(run: Run, rows: np.ndarray, queries: np.ndarray) -> pd.DataFrame:
    """Return milliseconds of a whole step of each variant."""
    variants = {name: fitted(run, rows, queries, name) for name in VARIANTS}
    batch = torch.from_numpy(rows)
    for autoencoder in variants.values():
        autoencoder.net_.history.new_epoch()
    timings = alternate(
        {name: lambda one=one: take_step(one, batch) for name, one in variants.items()},
        run.scale.n_rounds,
    )
    return pd.DataFrame(
        {
            "variant": name,
            "ms per step": 1e3 * timings.median(name),
            "CPU ms per step": 1e3 * timings.cpu_median(name),
            "ratio to structural": timings.ratio(name, "structural"),
        }
        for name in variants
    )


def run_benchmark(run: Run) -> None:
    """Measure the parts of a step of all three losses, and whole steps of every variant."""
    scale, rng = run.scale, np.random.default_rng(run.seed)
    shape = (scale.n_models, ARCHITECTURE.n_weights)
    rows = rng.normal(0, 0.3, shape).astype(np.float32)
    queries = rng.normal(size=(4 * scale.n_queries, 64)).astype(np.float32)
    peak = peak_gflops(scale.peak_size)
    run.log(f"matrix product of {scale.peak_size} x {scale.peak_size}: {peak:.0f} GFLOP/s")
    autoencoder = fitted(run, rows, queries, "all three")
    batch, few = torch.from_numpy(rows), torch.from_numpy(queries[: scale.n_queries])
    zoo_gflop = 2e-9 * multiplications(ARCHITECTURE) * scale.n_queries * scale.n_models
    parts = step_parts(autoencoder, batch, few)
    run.table("parts", measure_parts(parts, peak, zoo_gflop, scale.n_rounds))
    run.table("variants", measure_variants(run, rows, queries))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    run.log(f"peak memory: {memory:.2f} GiB")


BENCHMARK = Benchmark(
    name="autoencoder_step",
    shows="the time of one training step of the autoencoder, by part and by losses",
    takes="not recorded",
    run=run_benchmark,
    scales=SCALES,
    n_jobs=1,
    threads=True,
)

if __name__ == "__main__":
    BENCHMARK.main()
