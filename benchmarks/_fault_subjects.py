"""What the fault matrix writes: zoos, reports, checkpoints and caches, and how each is read."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression

from wsl import (
    Adversary,
    Architecture,
    AuditReport,
    EnvironmentMembershipFamily,
    ModelZoo,
    WeightSpaceAutoencoder,
    audit,
    train_zoo,
)

ARCHITECTURE = Architecture.mlp(2, [3], 1)
N_MODELS = 24


@dataclass(frozen=True)
class Subject:
    """Something that is written to a folder, and read from it.

    Attributes
    ----------
    name : str
    write : callable
        Does the work in a folder; where the work can be resumed, it goes on.
    read : callable
        Returns a digest of what the folder gives.
    before : callable or None
        Writes the version that is replaced.
    """

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], str]
    before: Callable[[Path], object] | None = None


def digest(*arrays: np.ndarray) -> str:
    """Return a digest of arrays, bit for bit."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _weights(scale: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (scale * rng.normal(size=(N_MODELS, ARCHITECTURE.n_weights))).astype(np.float32)


def _save_zoo(folder: Path) -> None:
    ModelZoo(_weights(1.0), ARCHITECTURE).save(folder / "zoo")


def _save_old_zoo(folder: Path) -> None:
    ModelZoo(_weights(2.0), ARCHITECTURE).save(folder / "zoo")


def _read_zoo(folder: Path) -> str:
    return digest(ModelZoo.load(folder / "zoo").weights)


def _train_zoo(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(32, 2)).astype(np.float32)
    train_zoo(
        ARCHITECTURE, (X, X.sum(1)), n_models=N_MODELS, epochs=2, chunk_size=4, loss="mse",
        out=folder / "zoo", random_state=0, device="cpu",
    )  # fmt: skip


def _audit(folder: Path, cache: Path | None) -> AuditReport:
    return audit(
        LinearRegression(), EnvironmentMembershipFamily.linear_causal(), attacks="queries",
        adversary=Adversary(n_shadows=8, n_queries=8), n_targets=4, n_samples=32, n_repeats=1,
        cache=cache, random_state=0, progress=False,
    )  # fmt: skip


def _digest_of(report: AuditReport) -> str:
    """Return a digest of all but the date and the versions."""
    text = report.table.to_csv() + repr(report.settings) + repr(report.classes)
    parts = (*report.guesses.values(), *report.scores.values())
    return digest(np.frombuffer(text.encode(), dtype=np.uint8), *parts)


def _save_report(folder: Path) -> None:
    _audit(folder, None).save(folder / "report.json")


def _read_report(folder: Path) -> str:
    report = AuditReport.load(folder / "report.json")
    return _digest_of(report)


def _audit_with_cache(folder: Path) -> None:
    _audit(folder, folder / "cache")


def _read_cached_audit(folder: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a damaged file, which is trained anew
        report = _audit(folder, folder / "cache")
    return digest(
        *(report.guesses[name] for name in sorted(report.guesses)), *report.scores.values()
    )


def _autoencoder(folder: Path) -> WeightSpaceAutoencoder:
    return WeightSpaceAutoencoder(
        ARCHITECTURE, latent_dim=4, d_model=8, n_layers=1, n_heads=2, epochs=3, refine_steps=0,
        code="linear", beta=1.0, checkpoint=folder / "checkpoint", device="cpu", random_state=0,
    )  # fmt: skip


def _fit(folder: Path) -> None:
    _autoencoder(folder).fit(_weights(1.0))


def _read_fit(folder: Path) -> str:
    return digest(_autoencoder(folder).fit(_weights(1.0)).transform(_weights(1.0)))


SUBJECTS = (
    Subject("saved zoo", _save_zoo, _read_zoo, _save_old_zoo),
    Subject("zoo trained to a folder", _train_zoo, _read_zoo),
    Subject("report", _save_report, _read_report),
    Subject("cache of an audit", _audit_with_cache, _read_cached_audit),
    Subject("checkpoint of an autoencoder", _fit, _read_fit),
)
