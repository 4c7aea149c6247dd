"""How a result came about: date, versions, and code that gives it again."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from ... import __version__

CODE_SETTINGS = {"learner", "family", "n_targets", "n_samples", "n_repeats"}
LIBRARIES = ("numpy", "scikit-learn", "torch")


def provenance() -> dict[str, str]:
    """Return the date, and the versions that computed a result."""
    versions = {name: version(name) for name in LIBRARIES}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wsl": __version__,
        "python": platform.python_version(),
        **versions,
    }


def audit_code(settings: Mapping[str, Any], attacks: Sequence[str]) -> str:
    """Return code that runs an audit again; what has no short form is left to the reader."""
    counts = [f"{name}={settings[name]}" for name in ("n_targets", "n_samples", "n_repeats")]
    return "\n".join(
        [
            "from wsl import Adversary, audit",
            "",
            f"learner = {settings['learner']}",
            f"family = {settings['family']}",
            "report = audit(",
            f"    learner, family, attacks={list(attacks)!r},",
            f"    {', '.join(counts)},",
            f"    adversary={_adversary_code(settings)},",
            f"    random_state={settings.get('random_state')!r},",
            ")",
        ]
    )


def model_audit_code(settings: Mapping[str, Any], attacks: Sequence[str]) -> str:
    """Return code that runs an audit of trained models again, with the reader's own models."""
    prior = settings["prior"]
    known = {"learner": settings["adversary_learner"], "n_samples": settings["adversary_n_samples"]}
    return "\n".join(
        [
            "from wsl import Adversary, audit_model",
            "",
            f"learner = {settings['adversary_learner']}",
            f"family = {settings['family']}",
            "report = audit_model(",
            f"    model, family, learner=learner, attacks={list(attacks)!r},",
            *([] if prior == "uniform" else [f"    prior={prior},"]),
            f"    n_samples={settings['adversary_n_samples']},",
            f"    adversary={_adversary_code({**settings, **known})},",
            f"    random_state={settings.get('random_state')!r},",
            ")",
        ]
    )


def _adversary_code(settings: Mapping[str, Any]) -> str:
    """Return code of an adversary by what differs from the audit's own learner, family and size."""
    shadows = [
        f"{name}={settings[f'adversary_{name}']}"
        for name in ("learner", "family")
        if settings.get(f"adversary_{name}", settings[name]) != settings[name]
    ]
    if settings.get("adversary_n_samples", settings["n_samples"]) != settings["n_samples"]:
        shadows.append(f"n_samples={settings['adversary_n_samples']}")
    for name in ("n_shadows", "n_queries", "n_selected_queries", "labels_only", "queries"):
        value = settings.get(name)
        if value not in (None, False, "given", "family"):
            shadows.append(f"{name}={value!r}")
    if settings.get("queries") == "given":
        shadows.append("queries=queries")
    return f"Adversary({', '.join(shadows)})"
