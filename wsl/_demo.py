"""The main job: rebuild real models, audit real learners, and mitigate what they leak."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from . import metrics
from ._files import replacing, write_text
from ._interrupts import interrupts_reach_caller
from ._progress import progress_bar
from ._random import draw_seeds
from .autoencoder import WeightSpaceAutoencoder
from .causal import CausalMitigatedClassifier
from .datasets import load_census_income, load_digits_zoo
from .displays import LeakageDisplay, ReconstructionDisplay
from .distributions import EnvironmentMembershipFamily, SubsampledFamily
from .risk import Adversary, AuditReport, audit
from .zoo import ModelZoo

N_GENERATED, N_CANDIDATES = 50, 200
BETAS = {"structural": 1.0, "behavioral": 0.1}  # weight of the structural loss, by variant
UTILITY = {"accuracy": "model accuracy", "balanced_accuracy": "balanced", "auc": "AUC"}
PENALTIES = {"ERM": None, "IRM": "irm"}  # by learner


@dataclass(frozen=True)
class Scale:
    """How much work the main job does."""

    n_models: int
    zoo_epochs: int
    autoencoder_epochs: int
    n_shadows: int
    n_targets: int
    n_repeats: int


SCALES = {
    "full": Scale(200, 25, 15, 256, 128, 10),
    "quick": Scale(64, 15, 10, 96, 64, 4),
}


@dataclass
class Finding:
    """One result: its title, explanation, table and figure."""

    name: str
    title: str
    text: str
    table: pd.DataFrame
    figure: Any = None

    def save(self, folder: Path) -> None:
        """Write ``NAME.csv`` and, if there is a figure, ``NAME.png``."""
        write_text(folder / f"{self.name}.csv", self.table.to_csv(float_format="%.6g"))
        if self.figure is not None:
            with replacing(folder / f"{self.name}.png") as temporary:
                self.figure.savefig(temporary, dpi=150)


def run(scale: Scale, folder: Path, seed: int, device: str) -> Iterator[Finding]:
    """Do the main job, and yield each finding once it is saved in ``folder``."""
    parts = ("rebuild", "proportion", "membership")
    seeds = dict(zip(parts, draw_seeds(seed, len(parts)).tolist(), strict=True))
    jobs: list[Callable[[], Finding]] = [
        lambda: rebuild_digit_models(scale, seeds["rebuild"], device),
        lambda: audit_proportion_of_women(scale, folder, seeds["proportion"], device),
        lambda: audit_environment_membership(scale, folder, seeds["membership"], device),
    ]
    for job in jobs:
        with interrupts_reach_caller():
            finding = job()
            finding.save(folder)
        yield finding


def rebuild_digit_models(scale: Scale, seed: int, device: str) -> Finding:
    """Rebuild and generate digit classifiers, with and without the behavioral loss."""
    digits = load_digits_zoo(scale.n_models, epochs=scale.zoo_epochs)
    train, test = train_test_split(np.arange(len(digits.zoo)), test_size=0.25, random_state=seed)
    originals, X, y = digits.zoo[test], digits.X_test, digits.y_test
    rebuilt, rows = {}, [{"models": "originals", **_compare(originals, originals, X, y)}]
    for variant, beta in progress_bar(
        "auto", iterable=BETAS.items(), desc="autoencoders", unit="fit"
    ):
        autoencoder = WeightSpaceAutoencoder(
            digits.zoo.architecture,
            queries=digits.X_train,
            beta=beta,
            d_model=64,
            n_layers=2,
            epochs=scale.autoencoder_epochs,
            refine_steps=30,
            device=device,
            random_state=seed,
        ).fit(digits.zoo.weights[train])
        rebuilt[variant] = ModelZoo(
            autoencoder.reconstruct(originals.weights), originals.architecture
        )
        rows.append(
            {
                "models": f"{variant} loss",
                **_compare(originals, rebuilt[variant], X, y),
                "compression": autoencoder.compression_,
                **_generate(autoencoder, digits, train, seed),
            }
        )
    display = ReconstructionDisplay.from_zoos(
        originals, {f"{variant} loss": zoo for variant, zoo in rebuilt.items()}, X, y
    )
    display.ax_.set_title("Rebuilt digit classifiers")
    table = pd.DataFrame(rows).set_index("models")
    text = _explain_rebuilding(originals.forward(X))
    return Finding("reconstruction", "Rebuild: digit classifiers", text, table, display.figure_)


def _explain_rebuilding(outputs: np.ndarray) -> str:
    floor = metrics.shuffled_agreement(outputs, outputs)
    return (
        f"{len(outputs)} CNNs that the autoencoder was not trained on, rebuilt from their latents\n"
        f"and run on {outputs.shape[1]} test digits.\n"
        "agreement: fraction of digits with the same label from original and rebuilt model\n"
        f"    (two different originals: {floor:.3f}); shuffled: the same with another original;\n"
        "behavioral R2: 1 is a perfect rebuild, 0 the zoo's average prediction;\n"
        f"generated: test accuracy of {N_GENERATED} models, the best by training labels out of\n"
        f"    {N_CANDIDATES} sampled around the best third of the zoo;\n"
        "diversity: relative to the zoo's; compression: weights per latent dimension."
    )


def _compare(originals: ModelZoo, rebuilt: ModelZoo, X, y) -> dict[str, float]:
    """Return the accuracy of rebuilt models, and how well they agree with the originals."""
    outputs, rebuilt_outputs = originals.forward(X), rebuilt.forward(X)
    accuracy = metrics.accuracy(rebuilt_outputs, y)
    return {
        "accuracy": accuracy.mean(),
        "best": accuracy.max(),
        "agreement": metrics.agreement(outputs, rebuilt_outputs),
        "shuffled": metrics.shuffled_agreement(outputs, rebuilt_outputs),
        "behavioral R2": metrics.behavioral_r2(outputs, rebuilt_outputs),
    }


def _generate(
    autoencoder: WeightSpaceAutoencoder, digits: Any, train: np.ndarray, seed: int
) -> dict[str, float]:
    """Return the test accuracy and the diversity of generated models."""
    accuracies = digits.zoo.metadata["train_accuracy"].iloc[train]
    best = accuracies.nlargest(len(train) // 3).index
    generated = autoencoder.sample(
        N_GENERATED,
        anchors=digits.zoo.weights[best],
        n_candidates=N_CANDIDATES,
        queries=digits.X_train,
        labels=digits.y_train,
        random_state=seed,
    )
    accuracy = ModelZoo(generated, digits.zoo.architecture).accuracy(digits.X_test, digits.y_test)
    return {
        "generated": accuracy.mean(),
        "generated best": accuracy.max(),
        "diversity": metrics.diversity(generated) / metrics.diversity(digits.zoo.weights),
    }


def audit_proportion_of_women(scale: Scale, folder: Path, seed: int, device: str) -> Finding:
    """Audit whether models leak the proportion of women in their training data."""
    census, train, test_set = _census(seed)
    family = SubsampledFamily(
        census.data[train],
        census.target[train],
        census.sensitive["sex"].to_numpy()[train] == "female",
        properties=(0.3, 0.7),
        group_as_environment=True,
    )
    reports = _audit_learners(scale, family, test_set, seed, device)
    text = "Was the model trained on 30% or on 70% women? Environments are the two sexes."
    title = "Audit: proportion of women"
    return _leakage("census_proportion_of_women", title, text, reports, folder)


def audit_environment_membership(scale: Scale, folder: Path, seed: int, device: str) -> Finding:
    """Audit whether models leak that a class of workers was part of their training data."""
    census, train, test_set = _census(seed)
    family = EnvironmentMembershipFamily.from_table(
        census.data[train],
        census.target[train],
        census.frame["class_of_worker"].astype(str).to_numpy()[train],
        member="self_employed_incorporated",
    )
    reports = _audit_learners(scale, family, test_set, seed, device)
    text = (
        "Were the incorporated self-employed part of the model's training data?\n"
        "Environments are the six classes of workers, in equal parts."
    )
    title = "Audit: membership of an environment"
    return _leakage("census_environment_membership", title, text, reports, folder)


def _census(seed: int) -> tuple[Any, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the census data, the rows that families draw from, and held-out ``(X, y)``."""
    census: Any = load_census_income()
    train, held_out = train_test_split(
        np.arange(len(census.target)), test_size=0.2, random_state=seed, stratify=census.target
    )
    return census, train, (census.data[held_out], census.target[held_out])


def _audit_learners(
    scale: Scale, family: Any, test_set: tuple[np.ndarray, np.ndarray], seed: int, device: str
) -> dict[str, AuditReport]:
    """Audit a network with and without the penalty of IRM."""
    target_family, adversary_family = family.split(0.5, random_state=seed)
    return {
        name: audit(
            CausalMitigatedClassifier(
                (8,), penalty=penalty, epochs=20, batch_size=128, device=device
            ),
            target_family,
            adversary=Adversary(family=adversary_family, n_shadows=scale.n_shadows),
            test_set=test_set,
            n_targets=scale.n_targets,
            n_samples=1000,
            n_repeats=scale.n_repeats,
            random_state=seed,
        )
        for name, penalty in PENALTIES.items()
    }


def _leakage(
    name: str, title: str, text: str, reports: dict[str, AuditReport], folder: Path
) -> Finding:
    """Return the reports of several learners in one table and figure; save each report, too."""
    rows = []
    for learner, report in reports.items():
        report.save(folder / f"{name}_{learner.lower()}.json")
        report.to_html(folder / f"{name}_{learner.lower()}.html")
        utility = report.utility.set_index("metric")["value"]
        accuracy = report.table[report.table["metric"] == "accuracy"]
        of_models = {shown: utility[metric] for metric, shown in UTILITY.items()}
        rows.append(accuracy.assign(learner=learner, **of_models))
    table = pd.concat(rows).set_index(["learner", "attack"])
    table = table[["value", "ci_low", "ci_high", "advantage", "n_leaked", *UTILITY.values()]]
    table = table.rename(columns={"value": "attack accuracy"})
    explanation = (
        f"{text}\n"
        "Attacks read the weights (deepsets) or observe responses to queries (queries), with 95%\n"
        "intervals; guessing is right for half of the models. Targets and adversary draw from\n"
        "different rows; models are scored on rows that neither has, where a constant prediction\n"
        f"has accuracy {utility['base_rate']:.3f}, balanced accuracy 0.5 and AUC 0.5."
    )
    display = LeakageDisplay.from_reports(reports)
    display.ax_.set_title(title)
    return Finding(name, title, explanation, table.dropna(axis=1, how="all"), display.figure_)
