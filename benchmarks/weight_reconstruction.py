"""Rebuilding, generating and predicting real models: six arms of the autoencoder on a real zoo.

``python -m benchmarks.weight_reconstruction [--zoo digits|mnist|census] [--scale full|quick]
[--seeds N] [--queries N] [--arms ARM ...] [--tables NAME ...] [--ablations NAME ...]``

Every arm is trained by as many steps on the same models; means and spreads are over seeds of the
autoencoder. Beside them stand PCA with as many latent numbers, the mean of the zoo, and what a
constant answer reaches. The figures of Meynent et al. (2025) are on zoos of their own. What is
found is written as CSV at once.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks import _reconstruction as bench
from benchmarks import _reconstruction_tables as tables
from benchmarks._machine import describe_machine
from benchmarks._reconstruction import ARMS, GENERATING, SCALES, SUBJECTS, Study
from wsl import ModelZoo, WeightSpaceAutoencoder
from wsl._files import write_text
from wsl.displays import LatentDisplay, ReconstructionDisplay, TrainingHistoryDisplay

PUBLISHED = Path(__file__).parent / "published" / "weight_reconstruction.csv"
TABLES = {
    "rebuilding": "1. Rebuilding test models",
    "generation": "2. Generation from the best third of the zoo",
    "prediction": "3. Prediction of test models, early epochs among them",
    "ablations": "4. Ablations of all three, and models of other data",
    "time": "5. What is reached in which time, by the linear code and by responses",
}
OTHER_DATA, REFINED = "other data", "refine_steps"
ABLATIONS = (OTHER_DATA, *bench.VARIED, REFINED)


class Records:
    """One row a seed for each thing that is measured, by table; files start with ``stem``."""

    def __init__(self, stem: Path) -> None:
        self.stem = stem
        self.rows: dict[str, list[dict]] = defaultdict(list)

    def add(self, table: str, name: str, seed: int, values: dict[str, float]) -> None:
        """Keep a row, and write its table as CSV: an interrupt loses nothing that was measured."""
        self.rows[table].append({"models": name, "seed": seed, **values})
        write_text(Path(f"{self.stem}_{table}.csv"), self.frame(table).to_csv(index=False))

    def frame(self, table: str) -> pd.DataFrame:
        return pd.DataFrame(self.rows[table])

    def summary(self, table: str) -> pd.DataFrame:
        """Return mean and standard deviation over seeds, as text."""
        groups = self.frame(table).drop(columns="seed").groupby("models", sort=False)
        mean, spread = groups.mean(), groups.std(ddof=1)
        return pd.DataFrame(
            {
                column: [_text(m, s) for m, s in zip(mean[column], spread[column], strict=True)]
                for column in mean
            },
            index=mean.index,
        )


def _text(mean: float, spread: float) -> str:
    if np.isnan(mean):
        return ""
    return f"{mean:.3f}" if np.isnan(spread) or spread == 0 else f"{mean:.3f}±{spread:.3f}"


def run_arms(
    study: Study, records: Records, wanted: set[str], arms: list[str]
) -> tuple[dict, dict]:
    """Fill the first three tables; return the first seed's autoencoders and what they rebuilt."""
    autoencoders, rebuilt = {}, {}
    for seed in range(study.scale.n_seeds):
        for arm in arms:
            start = time.perf_counter()
            autoencoder = bench.fit(study, seed, pooling="behavior", **ARMS[arm])
            minutes = (time.perf_counter() - start) / 60
            if "rebuilding" in wanted:
                rows = autoencoder.reconstruct(study.test.weights)
                found = tables.rebuilding(study, rows, autoencoder.n_latents_)
                records.add("rebuilding", arm, seed, {**found, "minutes": minutes})
                if seed == 0:
                    rebuilt[arm] = rows
            if "generation" in wanted and arm in GENERATING:
                generate(study, records, autoencoder, arm, seed)
            if "prediction" in wanted:
                for name, found in tables.embedding_scores(study, autoencoder).items():
                    records.add("prediction", f"{arm}{name}", seed, found)
            if seed == 0:
                autoencoders[arm] = autoencoder
            print(f"  seed {seed}, {arm}: {minutes:.1f} min of training", flush=True)
    return autoencoders, rebuilt


def generate(
    study: Study, records: Records, autoencoder: WeightSpaceAutoencoder, arm: str, seed: int
) -> None:
    """Generate by the density and the ensemble; all three losses by the other methods too, once."""
    full = arm == "all three"
    methods = tables.METHODS if full and seed == 0 else ("kde", "ensemble")
    for method in methods:
        found = tables.generation(study, autoencoder, method, seed)
        records.add("generation", f"{arm}, {method}", seed, found)
    if full:
        found = tables.generation(study, autoencoder, "ensemble", seed, best=True)
        records.add("generation", f"{arm}, ensemble, best of {tables.N_TRIED}", seed, found)


def run_baselines(study: Study, records: Records, n_latents: int, wanted: set[str]) -> None:
    """Add what needs no autoencoder; only that which draws at random is repeated."""
    if "rebuilding" in wanted:
        for name, found in tables.rebuilding_baselines(study, n_latents):
            records.add("rebuilding", name, 0, found)
    if "generation" in wanted:
        for name, found in tables.generation_baselines(study, 0):
            records.add("generation", name, 0, found)
    if "prediction" in wanted:
        for seed in range(study.scale.n_seeds):
            for name, found in tables.prediction_baselines(study, n_latents, seed):
                records.add("prediction", name, seed, found)


def run_ablations(
    study: Study, records: Records, quick: bool, jobs: int, varied: list[str]
) -> None:
    """Fill the fourth table: on fewer test models, after fewer steps."""
    study = study.ablated()
    usual = ARMS["all three"]
    all_three = cache(lambda: bench.fit(study, 0, **usual))
    all_three_found = cache(lambda: _found(study, all_three()))
    if OTHER_DATA in varied:
        other = bench.load_study(study.name, study.scale, jobs, other=True)
        structural = bench.fit(study, 0, **ARMS["structural"])
        for arm, autoencoder in {"structural": structural, "all three": all_three()}.items():
            found = tables.elsewhere(study, autoencoder, other)
            records.add("ablations", f"{OTHER_DATA}: {arm}", 0, found)
    for name, value, settings in bench.ablations(study, quick, varied):
        if settings == usual:
            found = all_three_found()
        else:
            found = _found(study, bench.fit(study, 0, **settings))
        records.add("ablations", f"{name} {value}", 0, found)
        print(f"  {name} {value}: agreement {found['agreement']:.3f}", flush=True)
    if REFINED in varied:
        size = bench.latent_dim(study, 4.0)
        autoencoder = bench.fit(study, 0, latent_dim=size, **ARMS["behavioral"])
        for n_steps in bench.REFINEMENTS[: 2 if quick else None]:
            found = _found(study, autoencoder.set_params(refine_steps=n_steps))
            records.add("ablations", f"{REFINED} {n_steps}", 0, found)


def run_time(study: Study, records: Records, quick: bool) -> None:
    """Fill the fifth table, on finished models as the ablations."""
    study = study.ablated()
    for code in ("linear", "responses"):
        for name, found in tables.time_course(study, code, quick):
            records.add("time", name, 0, found)


def _found(study: Study, autoencoder: WeightSpaceAutoencoder) -> dict[str, float]:
    rows = autoencoder.reconstruct(study.test.weights)
    return tables.rebuilding(study, rows, autoencoder.n_latents_)


def show_published() -> str:
    table = pd.read_csv(PUBLISHED)
    kept = table[table["table"].isin(["reconstruction", "best_model", "prediction", "diversity"])]
    return kept.to_string(index=False)


def draw(study: Study, autoencoders: dict, rebuilt: dict, stem: Path) -> None:
    """Write the pictures beside the tables."""
    zoos = {arm: ModelZoo(rows, study.zoo.architecture) for arm, rows in rebuilt.items()}
    display = ReconstructionDisplay.from_zoos(
        study.test, zoos, study.data.X_test, study.data.y_test
    )
    display.figure_.savefig(f"{stem}_models.png", dpi=110)
    best = list(autoencoders.values())[-1]
    TrainingHistoryDisplay.from_estimator(best).figure_.savefig(f"{stem}_history.png", dpi=110)
    best.set_params(refine_steps=0)
    for column in ("test_accuracy", "epoch", "init"):
        colors = study.zoo.metadata[column]
        shown = LatentDisplay.from_estimator(best, study.zoo.weights, colors, name=column)
        shown.figure_.savefig(f"{stem}_map_{column}.png", dpi=110)


def draw_ablations(table: pd.DataFrame, stem: Path) -> None:
    """Draw agreement and behavioral R2 against what is varied, a panel each."""
    table = table[~table["models"].str.startswith(OTHER_DATA)]
    parts = table["models"].str.split(n=1)
    table = table.assign(varied=parts.str[0], value=parts.str[1])
    groups = list(table.groupby("varied", sort=False))
    if not groups:
        return
    figure = Figure(figsize=(2.6 * len(groups), 3.2), layout="constrained")
    for ax, (name, own) in zip(
        figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True
    ):
        for column in ("agreement", "shuffled", "behavioral R2"):
            ax.plot(own["value"], own[column].clip(lower=-0.5), "o-", label=column)
        ax.set_xlabel(name)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(f"{stem}_ablations.png", dpi=110)


def report(records: Records) -> None:
    """Print the tables."""
    for name, title in TABLES.items():
        if records.rows[name]:
            print(f"\n{title}\n{records.summary(name).to_string()}", flush=True)
    print(f"\nPublished, on zoos of 10,853 weights\n{show_published()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.weight_reconstruction",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--zoo", choices=SUBJECTS, default="digits")
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--seeds", type=int, help="how many; by default what the scale says")
    parser.add_argument("--queries", type=int, help="a step; by default what the scale says")
    parser.add_argument("--jobs", type=int, default=2, help="workers that train the zoo")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="which of six")
    parser.add_argument(
        "--tables", nargs="+", choices=TABLES, default=list(TABLES), help="which of the five"
    )
    parser.add_argument(
        "--ablations", nargs="+", choices=ABLATIONS, default=list(ABLATIONS), help="which of them"
    )
    args = parser.parse_args()
    start, scale, wanted = time.perf_counter(), SCALES[args.scale][args.zoo], set(args.tables)
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / f"weight_reconstruction_{args.zoo}"
    records = Records(stem)
    scale = replace(
        scale,
        n_seeds=args.seeds or scale.n_seeds,
        n_queries=args.queries or scale.n_queries,
    )
    print(describe_machine("scikit-learn"), flush=True)
    study = bench.load_study(args.zoo, scale, args.jobs)
    print(
        f"{args.zoo}: {len(study.zoo)} rows of {study.zoo.architecture.n_weights} weights; "
        f"{len(study.data.train)} to train on, {len(study.test)} finished models to rebuild",
        flush=True,
    )
    autoencoders: dict[str, WeightSpaceAutoencoder] = {}
    rebuilt: dict[str, np.ndarray] = {}
    if wanted - {"ablations", "time"}:
        autoencoders, rebuilt = run_arms(study, records, wanted, args.arms)
        run_baselines(study, records, autoencoders[args.arms[-1]].n_latents_, wanted)
    if "ablations" in wanted:
        run_ablations(study, records, args.scale == "quick", args.jobs, args.ablations)
        draw_ablations(records.frame("ablations"), stem)
    if "time" in wanted:
        run_time(study, records, args.scale == "quick")
    report(records)
    if rebuilt:
        draw(study, autoencoders, rebuilt, stem)
    print(f"{(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
