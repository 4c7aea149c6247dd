"""The five experiments of Hartmann et al. (2023), beside what they published.

``python -m benchmarks.distribution_inference [a|a-bis|b|c|causal|peer|all]
[--scale paper|medium|quick]``

``paper`` is their scale: 1,024 targets, 2,048 shadows and 100 repeats on random halves of the
shadows. Where labels come from a random network M0, the repeats are divided among five draws of it,
each with targets and shadows of its own. ``peer`` measures propinfer on a few models and attacks
and says what it would take for the rest (extra ``benchmarks``).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from benchmarks import _hartmann
from benchmarks._hartmann import BLACK, EXPERIMENTS, KEY, WHITE, Setting
from benchmarks._machine import describe_machine
from wsl import Adversary, audit

ROUNDING = 5e-4  # figures are compared to three digits


@dataclass(frozen=True)
class Scale:
    """How much is trained; ``n_repeats`` in all, divided among the draws of M0."""

    n_targets: int
    n_shadows: int
    n_repeats: int
    n_draws: int


SCALES = {
    "paper": Scale(1024, 2048, 100, 5),
    "medium": Scale(256, 512, 30, 3),
    "quick": Scale(64, 128, 4, 2),
}


def play(setting: Setting, scale: Scale, n_repeats: int, seed: int, jobs: int):
    """Train and attack; return scores ``(attack, repeat)`` and the targets' own errors."""
    tests = {"own distribution": setting.family}
    if setting.moved is not None:
        tests = {"validation": setting.family, "test": setting.moved}
    report = audit(
        setting.learner,
        setting.family,
        attacks=(WHITE, BLACK),
        adversary=Adversary(n_shadows=scale.n_shadows, n_queries=setting.n_queries),
        n_targets=scale.n_targets,
        n_samples=setting.n_samples,
        n_repeats=n_repeats,
        test_set=tests,
        n_jobs=jobs,
        random_state=seed,
        progress=False,
    )
    scores = pd.concat(
        [
            pd.DataFrame({"attack": attack, "score": score_repeats(guesses, report.truth)})
            for attack, guesses in report.guesses.items()
        ]
    )
    return scores, report.utility


def score_repeats(guesses: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the accuracy of each repeat, or its mean absolute error where labels are numbers."""
    if truth.dtype.kind == "f":
        return np.abs(guesses - truth).mean(axis=1)
    return (guesses == truth).mean(axis=1)


def run(name: str, scale: Scale, seed: int, jobs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run one experiment; return a row for each repeat, and for each setting the models' errors."""
    n_draws = 1 if name == "causal" else scale.n_draws
    repeats, errors = [], []
    for draw in range(n_draws):
        for place, setting in enumerate(EXPERIMENTS[name](seed + draw)):
            start = time.perf_counter()
            own = int(np.random.SeedSequence([seed, draw, place]).generate_state(1)[0])
            scores, utility = play(setting, scale, scale.n_repeats // n_draws, own, jobs)
            key = {k: getattr(setting, k) for k in KEY} | {"draw": draw}
            repeats.append(scores.assign(**key))
            errors.append(utility.assign(**key))
            means = scores.groupby("attack")["score"].mean()
            print(
                f"  {setting.experiment} {setting.level} {setting.task}, draw {draw}: "
                + ", ".join(f"{attack} {mean:.3f}" for attack, mean in means.items())
                + f" ({time.perf_counter() - start:.0f} s)",
                flush=True,
            )
    return pd.concat(repeats, ignore_index=True), pd.concat(errors, ignore_index=True)


def compare(repeats: pd.DataFrame) -> pd.DataFrame:
    """Set our means and 95% ranges beside the published ones, with a verdict."""
    ours = repeats.groupby([*KEY, "attack"], sort=False)["score"].agg(
        mean="mean", low=lambda s: s.quantile(0.025), high=lambda s: s.quantile(0.975)
    )
    by_draw = repeats.groupby([*KEY, "attack", "draw"], sort=False)["score"].mean()
    ours["over draws"] = [
        f"{group.min():.3f}-{group.max():.3f}" if len(group) > 1 else ""
        for _, group in by_draw.groupby(level=list(range(4)), sort=False)
    ]
    theirs = _hartmann.published("distribution_inference").set_index([*KEY, "attack"])
    table = ours.join(theirs.add_prefix("published ")).reset_index()
    table["verdict"] = [verdict(row, by_draw) for row in table.to_dict("records")]
    return table


def verdict(row: dict, by_draw: pd.Series) -> str:
    """Say whether the attack is as good as the published one, better, or worse and why."""
    lower_is_better = row["task"] == "regression"
    mean, low, high = (row[f"published {name}"] for name in ("mean", "low", "high"))
    if np.isnan(mean):
        return "nothing published"
    if low - ROUNDING <= row["mean"] <= high + ROUNDING:
        return "within"
    if (row["mean"] < low) == lower_is_better:
        return "better"
    draws = by_draw.xs(tuple(row[name] for name in (*KEY, "attack")), level=[*KEY, "attack"])
    if draws.min() <= mean <= draws.max():
        return "worse; theirs lies within our draws of M0"
    return "worse"


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison with ranges as text."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "level": table["level"],
            "task": table["task"],
            "attack": table["attack"],
            "ours": [f"{m:.3f}" for m in table["mean"]],
            "95% range": _ranges(table["low"], table["high"]),
            "draws of M0": table["over draws"],
            "published": [f"{m:.3f}" for m in table["published mean"]],
            "its range": _ranges(table["published low"], table["published high"]),
            "verdict": table["verdict"],
        }
    )


def _ranges(low: pd.Series, high: pd.Series) -> list[str]:
    return [f"{a:.3f}-{b:.3f}" for a, b in zip(low, high, strict=True)]


def model_errors(errors: pd.DataFrame) -> pd.DataFrame:
    """Set the target models' mean squared errors beside the published ones."""
    kept = errors[errors["metric"] == "mean_squared_error"]
    ours = kept.groupby([*KEY, "test_set"], sort=False)["value"].mean().rename("mse").to_frame()
    theirs = _hartmann.published("target_models").rename(columns={"evaluated_on": "test_set"})
    table = ours.join(theirs.set_index([*KEY, "test_set"])["mean"].rename("published"))
    return table.reset_index()


def draw_curves(table: pd.DataFrame, path: Path) -> None:
    """Draw ours and the published figures against what each experiment varies."""
    groups = list(table.groupby(["experiment", "task"], sort=False))
    figure = Figure(
        figsize=(4 * min(len(groups), 4), 3.4 * -(-len(groups) // 4)), layout="constrained"
    )
    axes = figure.subplots(-(-len(groups) // 4), min(len(groups), 4), squeeze=False).ravel()
    for ax, ((experiment, task), group) in zip(axes, groups, strict=False):
        for color, (attack, own) in zip(("C0", "C1"), group.groupby("attack"), strict=False):
            places = np.arange(len(own))
            for prefix, style, shift in (("", "o-", -0.05), ("published ", "s:", 0.05)):
                mean = own[f"{prefix}mean"]
                reach = [mean - own[f"{prefix}low"], own[f"{prefix}high"] - mean]
                ax.errorbar(
                    places + shift, mean, np.clip(reach, 0, None), fmt=style, color=color,
                    capsize=3, label=f"{attack}, {prefix or 'ours'}".strip(), alpha=0.8,
                )  # fmt: skip
            ax.set_xticks(places, own["level"])
        ax.set_title(f"{experiment}, {task}")
        ax.set_ylabel("accuracy" if task == "classification" else "mean absolute error")
    for ax in axes[len(groups) :]:
        ax.set_axis_off()
    axes[0].legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def measure_peer() -> pd.DataFrame:
    """Time propinfer on a few models and attacks; extrapolate to the five experiments."""
    from propinfer import MLP
    from propinfer.deepsets import DeepSets
    from sklearn.neural_network import MLPClassifier

    family = next(iter(EXPERIMENTS["a"](0))).family
    rng = np.random.default_rng(0)
    options = {
        "input_size": 4, "n_classes": 1, "layers": [32], "epochs": 20, "learning_rate": 1e-3,
        "weight_decay": 1e-4, "batch_size": 32, "normalise": False,
    }  # fmt: skip
    frames = [
        pd.DataFrame(X).add_prefix("x").assign(y=y)
        for X, y in (family.sample(i % 2, 2048, i) for i in range(6))
    ]
    start = time.perf_counter()
    models = [MLP("y", options).fit(frame) for frame in frames]
    model_s = (time.perf_counter() - start) / len(models)
    parameters = [models[i % len(models)].parameters() for i in range(1024)]
    labels = rng.integers(2, size=1024)
    start = time.perf_counter()
    white = DeepSets(parameters[0], latent_dim=8, epochs=20, lr=1e-3, wd=1e-4, n_classes=2)
    white.fit(parameters, labels)
    white_s = time.perf_counter() - start
    responses = rng.normal(size=(1024, 1024)) + labels[:, None]
    start = time.perf_counter()
    MLPClassifier((128, 64), max_iter=1024, early_stopping=True, random_state=0).fit(
        responses, labels
    )
    black_s = time.perf_counter() - start
    settings = [setting for make in EXPERIMENTS.values() for setting in make(0)]
    n_models = len(settings) * (1024 + 2048)
    n_fits = len(settings) * 100
    return pd.DataFrame(
        [
            ("a model of A", model_s, n_models, model_s * n_models / 3600),
            ("a white-box attack on 1,024 shadows", white_s, n_fits, white_s * n_fits / 3600),
            ("a black-box attack on 1,024 shadows", black_s, n_fits, black_s * n_fits / 3600),
        ],
        columns=["propinfer", "seconds", "times", "hours in all"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.distribution_inference",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("experiments", nargs="*", default=["all"])
    parser.add_argument("--scale", choices=SCALES, default="paper")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    args = parser.parse_args()
    names = [*EXPERIMENTS, "peer"] if "all" in args.experiments else args.experiments
    print(describe_machine("propinfer", "scikit-learn"), flush=True)
    seconds, tables, of_models = {}, [], []
    for name in names:
        start = time.perf_counter()
        if name == "peer":
            torch.set_num_threads(1)  # the peer is slower with more
            print(measure_peer().to_string(index=False, float_format="{:.3g}".format), flush=True)
            continue
        repeats, errors = run(name, SCALES[args.scale], args.seed, args.jobs)
        seconds[name] = time.perf_counter() - start
        tables.append(compare(repeats))
        of_models.append(model_errors(errors))
        print(shown(tables[-1]).to_string(index=False), "\n", flush=True)
        print(of_models[-1].to_string(index=False, float_format="{:.3g}".format), "\n", flush=True)
        print(f"{name}: {seconds[name] / 60:.1f} min\n", flush=True)
        args.out.mkdir(parents=True, exist_ok=True)
        repeats.to_csv(args.out / f"distribution_inference_{name}.csv", index=False)
    if tables:
        table = pd.concat(tables)
        table.to_csv(args.out / "distribution_inference.csv", index=False)
        draw_curves(table, args.out / "distribution_inference.png")
        took = ", ".join(f"{name} {s / 60:.1f}" for name, s in seconds.items())
        print(f"minutes: {took}; together {sum(seconds.values()) / 60:.1f}")


if __name__ == "__main__":
    main()
