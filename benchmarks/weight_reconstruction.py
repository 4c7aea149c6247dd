"""Rebuilding, generating and predicting real models: six arms of the autoencoder on a real zoo.

``python -m benchmarks.weight_reconstruction [--zoo digits|mnist|census] [--scale full|quick]
[--seeds N] [--no-ablations]``

Every arm is trained by as many steps on the same models; means and spreads are over seeds of the
autoencoder. Beside them stand PCA with as many latent numbers, the mean of the zoo, and what a
constant answer reaches. The figures of Meynent et al. (2025) are on zoos of their own.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks import _reconstruction as bench
from benchmarks import _reconstruction_tables as tables
from benchmarks._machine import describe_machine
from benchmarks._reconstruction import ARMS, SCALES, SUBJECTS, Study
from wsl import ModelZoo
from wsl.displays import LatentDisplay, ReconstructionDisplay, TrainingHistoryDisplay

PUBLISHED = Path(__file__).parent / "published" / "weight_reconstruction.csv"
TABLES = {
    "rebuilding": "1. Rebuilding test models",
    "generation": "2. Generation from the best third of the zoo",
    "prediction": "3. Prediction of test models, early epochs among them",
    "ablations": "4. Ablations of all three, and models of other data",
}


class Records:
    """One row a seed for each thing that is measured, by table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict]] = defaultdict(list)

    def add(self, table: str, name: str, seed: int, values: dict[str, float]) -> None:
        self.rows[table].append({"models": name, "seed": seed, **values})

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


def run_arms(study: Study, records: Records) -> tuple[dict, dict]:
    """Fill the first three tables; return the first seed's autoencoders and what they rebuilt."""
    autoencoders, rebuilt = {}, {}
    for seed in range(study.scale.n_seeds):
        for arm, settings in ARMS.items():
            start = time.perf_counter()
            autoencoder = bench.fit(study, seed, pooling="behavior", **settings)
            seconds = time.perf_counter() - start
            rows = autoencoder.reconstruct(study.test.weights)
            found = tables.rebuilding(study, rows, autoencoder.n_latents_)
            records.add("rebuilding", arm, seed, {**found, "minutes": seconds / 60})
            methods = tables.METHODS if arm == "all three" else ("kde", "ensemble")
            for method in methods:
                found = tables.generation(study, autoencoder, method, seed)
                records.add("generation", f"{arm}, {method}", seed, found)
            if arm == "all three":
                found = tables.generation(study, autoencoder, "ensemble", seed, best=True)
                records.add("generation", f"{arm}, ensemble, best of {tables.N_TRIED}", seed, found)
            for name, found in tables.embedding_scores(study, autoencoder).items():
                records.add("prediction", f"{arm}{name}", seed, found)
            print(f"  seed {seed}, {arm}: {seconds:.0f} s of training", flush=True)
            if seed == 0:
                autoencoders[arm], rebuilt[arm] = autoencoder, rows
    return autoencoders, rebuilt


def run_baselines(study: Study, records: Records, n_latents: int) -> None:
    """Add what needs no autoencoder; only that which draws at random is repeated."""
    for name, found in tables.rebuilding_baselines(study, n_latents):
        records.add("rebuilding", name, 0, found)
    for name, found in tables.generation_baselines(study, 0):
        records.add("generation", name, 0, found)
    for seed in range(study.scale.n_seeds):
        for name, found in tables.prediction_baselines(study, n_latents, seed):
            records.add("prediction", name, seed, found)


def run_ablations(study: Study, records: Records, quick: bool) -> None:
    for name, value, settings in bench.ablations(study, quick):
        autoencoder = bench.fit(study, 0, **settings)
        rows = autoencoder.reconstruct(study.test.weights)
        found = tables.rebuilding(study, rows, autoencoder.n_latents_)
        records.add("ablations", f"{name} {value}", 0, found)


def show_published() -> str:
    table = pd.read_csv(PUBLISHED)
    kept = table[table["table"].isin(["reconstruction", "best_model", "prediction", "diversity"])]
    return kept.to_string(index=False)


def draw(study: Study, records: Records, autoencoders: dict, rebuilt: dict, stem: Path) -> None:
    """Write the pictures beside the tables."""
    zoos = {arm: ModelZoo(rows, study.zoo.architecture) for arm, rows in rebuilt.items()}
    display = ReconstructionDisplay.from_zoos(
        study.test, zoos, study.data.X_test, study.data.y_test
    )
    display.figure_.savefig(f"{stem}_models.png", dpi=110)
    best = autoencoders["all three"]
    TrainingHistoryDisplay.from_estimator(best).figure_.savefig(f"{stem}_history.png", dpi=110)
    best.set_params(refine_steps=0)
    for column in ("test_accuracy", "epoch", "init"):
        values = study.zoo.metadata[column]
        colors = values.astype(str) if column == "epoch" else values
        shown = LatentDisplay.from_estimator(best, study.zoo.weights, colors, name=column)
        shown.figure_.savefig(f"{stem}_map_{column}.png", dpi=110)
    if records.rows["ablations"]:
        draw_ablations(records.frame("ablations"), stem)


def draw_ablations(table: pd.DataFrame, stem: Path) -> None:
    """Draw agreement and behavioral R2 against what is varied, a panel each."""
    table = table[~table["models"].str.startswith("other data")]
    parts = table["models"].str.rsplit(n=1)
    groups = list(table.assign(varied=parts.str[0], value=parts.str[1]).groupby("varied"))
    figure = Figure(figsize=(3 * len(groups), 3.2), layout="constrained")
    for ax, (name, own) in zip(
        figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True
    ):
        for column in ("agreement", "shuffled", "behavioral R2"):
            ax.plot(own["value"], own[column].clip(lower=-0.5), "o-", label=column)
        ax.set_xlabel(name)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    figure.savefig(f"{stem}_ablations.png", dpi=110)


def report(records: Records, stem: Path) -> None:
    """Print the tables and write every seed's figures as CSV."""
    for name, title in TABLES.items():
        if records.rows[name]:
            print(f"\n{title}\n{records.summary(name).to_string()}", flush=True)
            records.frame(name).to_csv(f"{stem}_{name}.csv", index=False)
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
    parser.add_argument("--jobs", type=int, default=2, help="workers that train the zoo")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--no-ablations", action="store_true", help="leave out table 4")
    args = parser.parse_args()
    start, records, scale = time.perf_counter(), Records(), SCALES[args.scale][args.zoo]
    scale = replace(scale, n_seeds=args.seeds or scale.n_seeds)
    print(describe_machine("scikit-learn"), flush=True)
    study = bench.load_study(args.zoo, scale, args.jobs)
    print(
        f"{args.zoo}: {len(study.zoo)} rows of {study.zoo.architecture.n_weights} weights; "
        f"{len(study.data.train)} to train on, {len(study.test)} finished models to rebuild",
        flush=True,
    )
    autoencoders, rebuilt = run_arms(study, records)
    run_baselines(study, records, autoencoders["all three"].n_latents_)
    if not args.no_ablations:
        run_ablations(study, records, args.scale == "quick")
        other = bench.load_study(args.zoo, scale, args.jobs, other=True)
        for arm in ("structural", "all three"):
            found = tables.elsewhere(study, autoencoders[arm], other)
            records.add("ablations", f"other data: {arm}", 0, found)
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / f"weight_reconstruction_{args.zoo}"
    report(records, stem)
    draw(study, records, autoencoders, rebuilt, stem)
    print(f"{(time.perf_counter() - start) / 60:.1f} min")


if __name__ == "__main__":
    main()
