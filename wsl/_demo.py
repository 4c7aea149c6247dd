"""The main job: rebuild real models, audit real learners, mitigate what they leak.

Everything here is the public API put together; arguments and printing are for ``__main__``.
"""

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

GENERATED, CANDIDATES = 50, 200
ARMS = {"structural": 1.0, "behavioral": 0.1}  # the weight beta of the structural loss


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
    """One result: a title, what it says, its table, and the picture that goes with it."""

    name: str
    title: str
    text: str
    table: pd.DataFrame
    figure: Any = None

    def save(self, folder: Path) -> None:
        """Write ``NAME.csv`` and, where there is a picture, ``NAME.png``."""
        write_text(folder / f"{self.name}.csv", self.table.to_csv(float_format="%.6g"))
        if self.figure is not None:
            with replacing(folder / f"{self.name}.png") as temporary:
                self.figure.savefig(temporary, dpi=150)


def run(scale: Scale, folder: Path, seed: int, device: str) -> Iterator[Finding]:
    """Do the main job and yield each finding once it is saved in ``folder``."""
    seeds = dict(zip(("rebuild", "share", "membership"), draw_seeds(seed, 3).tolist(), strict=True))
    jobs: list[Callable[[], Finding]] = [
        lambda: rebuild_digit_models(scale, seeds["rebuild"], device),
        lambda: audit_share_of_women(scale, folder, seeds["share"], device),
        lambda: audit_environment_membership(scale, folder, seeds["membership"], device),
    ]
    for job in jobs:
        with interrupts_reach_caller():
            finding = job()
            finding.save(folder)
        yield finding


def rebuild_digit_models(scale: Scale, seed: int, device: str) -> Finding:
    """Fit the autoencoder with and without the behavioral loss; compare what comes out of it."""
    digits = load_digits_zoo(scale.n_models, epochs=scale.zoo_epochs, progress="auto")
    train, test = train_test_split(np.arange(len(digits.zoo)), test_size=0.25, random_state=seed)
    originals, X, y = digits.zoo[test], digits.X_test, digits.y_test
    outputs = originals.forward(X)
    best = digits.zoo.metadata["train_accuracy"].iloc[train].nlargest(len(train) // 3).index
    rebuilt, rows = {}, [{"models": "originals", **_quality(originals, originals, X, y)}]
    for arm, beta in progress_bar("auto", iterable=ARMS.items(), desc="autoencoders", unit="fit"):
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
        rebuilt[arm] = ModelZoo(autoencoder.reconstruct(originals.weights), originals.architecture)
        generated = autoencoder.sample(
            GENERATED,
            anchors=digits.zoo.weights[best],
            n_candidates=CANDIDATES,
            queries=digits.X_train,
            labels=digits.y_train,
            random_state=seed,
        )
        accuracy = ModelZoo(generated, originals.architecture).accuracy(X, y)
        rows.append(
            {
                "models": f"{arm} loss",
                **_quality(originals, rebuilt[arm], X, y),
                "compression": autoencoder.compression_,
                "generated": accuracy.mean(),
                "generated best": accuracy.max(),
                "diversity": metrics.diversity(generated) / metrics.diversity(digits.zoo.weights),
            }
        )
    floor = metrics.shuffled_agreement(outputs, outputs)
    text = (
        f"{len(test)} CNNs that no autoencoder was trained on, rebuilt from their latents and run "
        f"on {len(y)} test digits.\n"
        "agreement: share of digits that original and rebuilt model label alike\n"
        f"    (two different originals: {floor:.3f}); shuffled: the same with the wrong original;\n"
        "behavioral R2: 1 is a perfect rebuild, 0 the zoo's averaged prediction;\n"
        f"generated: test accuracy of {GENERATED} models, the best by training labels of\n"
        f"    {CANDIDATES} drawn around the best third of the zoo;\n"
        "diversity: their spread over the zoo's; compression: weights over latent numbers."
    )
    display = ReconstructionDisplay.from_zoos(
        originals, {f"{arm} loss": zoo for arm, zoo in rebuilt.items()}, X, y
    )
    display.ax_.set_title("Rebuilt digit classifiers")
    table = pd.DataFrame(rows).set_index("models")
    return Finding("reconstruction", "Rebuild: digit classifiers", text, table, display.figure_)


def _quality(originals: ModelZoo, rebuilt: ModelZoo, X, y) -> dict[str, float]:
    outputs, answers = originals.forward(X), rebuilt.forward(X)
    accuracy = metrics.accuracy(answers, y)
    return {
        "accuracy": accuracy.mean(),
        "best": accuracy.max(),
        "agreement": metrics.agreement(outputs, answers),
        "shuffled": metrics.shuffled_agreement(outputs, answers),
        "behavioral R2": metrics.behavioral_r2(outputs, answers),
    }


def audit_share_of_women(scale: Scale, folder: Path, seed: int, device: str) -> Finding:
    """Ask whether a model gives away the share of women in its training data."""
    census, kept, held_out = _census(seed)
    family = SubsampledFamily(
        census.data[kept],
        census.target[kept],
        census.sensitive["sex"].to_numpy()[kept] == "female",
        properties=(0.3, 0.7),
        group_as_environment=True,
    )
    reports = _audit_learners(scale, family, held_out, seed, device)
    text = "Was the model trained on 30% or on 70% women? Environments are the two sexes."
    return _leakage("census_share_of_women", "Audit: share of women", text, reports, folder)


def audit_environment_membership(scale: Scale, folder: Path, seed: int, device: str) -> Finding:
    """Ask whether a model gives away that a class of worker was in its training mixture."""
    census, kept, held_out = _census(seed)
    family = EnvironmentMembershipFamily.from_table(
        census.data[kept],
        census.target[kept],
        census.frame["class_of_worker"].astype(str).to_numpy()[kept],
        member="self_employed_incorporated",
    )
    reports = _audit_learners(scale, family, held_out, seed, device)
    text = (
        "Were the incorporated self-employed part of the model's training mixture?\n"
        "Environments are the six classes of workers, in equal parts."
    )
    return _leakage(
        "census_environment_membership",
        "Audit: membership of an environment",
        text,
        reports,
        folder,
    )


def _census(seed: int) -> tuple[Any, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the census, the rows that families draw from, and held-out data to score models on."""
    census: Any = load_census_income()
    kept, held_out = train_test_split(
        np.arange(len(census.target)), test_size=0.2, random_state=seed, stratify=census.target
    )
    return census, kept, (census.data[held_out], census.target[held_out])


def _audit_learners(
    scale: Scale, family: Any, test_set: tuple[np.ndarray, np.ndarray], seed: int, device: str
) -> dict[str, AuditReport]:
    target_family, adversary_family = family.split(0.5, random_state=seed)
    learners = {"ERM": None, "IRM": "irm"}
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
        for name, penalty in learners.items()
    }


def _leakage(
    name: str, title: str, text: str, reports: dict[str, AuditReport], folder: Path
) -> Finding:
    """Put the reports of several learners into one table and picture; save each on its own too."""
    rows = []
    for learner, report in reports.items():
        report.save(folder / f"{name}_{learner.lower()}.json")
        report.to_html(folder / f"{name}_{learner.lower()}.html")
        utility = report.utility.set_index("metric")["value"]["accuracy"]
        accuracy = report.table[report.table["metric"] == "accuracy"]
        rows.append(accuracy.assign(learner=learner, utility=utility))
    table = pd.concat(rows).set_index(["learner", "attack"])
    table = table[["value", "ci_low", "ci_high", "advantage", "n_leaked", "utility"]]
    table = table.rename(columns={"value": "attack accuracy", "utility": "model accuracy"})
    explained = (
        f"{text}\n"
        "Attacks see the weights (deepsets) or the answers to queries (queries); 95% intervals;\n"
        "guessing is right half the time. Target and adversary draw from rows that they do not\n"
        "share; models are scored on rows that neither has."
    )
    display = LeakageDisplay.from_reports(reports)
    display.ax_.set_title(title)
    return Finding(name, title, explained, table.dropna(axis=1, how="all"), display.figure_)
