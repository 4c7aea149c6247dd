"""Parts of pages that reports of audits and of games share."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ..._plotting import draw_confusion, draw_guesses
from ..evaluation._roc import confusion_table
from ._html import BulletList, Code, DefinitionList, Plot, Section

MITIGATIONS = [
    "Training data that are resampled so that the property is the same for every model, by "
    "wsl.RebalancedClassifier or RebalancedRegressor: then little of it is left to guess.",
    "Causal or invariant features, and invariant risk minimization, if the relation between inputs "
    "and outcome differs between the distributions (Hartmann et al., SaTML 2023).",
    "More training rows, or regularization, if the leak comes from the sampling of training data "
    "(Hartmann et al., SaTML 2023).",
    "Fewer outputs: labels instead of probabilities, and a limit on the number of queries, reduce "
    "what black-box attacks observe.",
    "Audit the mitigated learner again with several attacks, retrained against it: a defence "
    "against one attack often fails against the next. wsl.risk.leakage_sources measures where a "
    "leak comes from.",
]
QUERIES = {
    "family": "drawn from its own distributions",
    "random": "of independent random numbers",
    "given": "that it was given",
}


def knowledge_of(settings: Mapping[str, Any]) -> list[str]:
    """Return sentences on what the adversary knows, by the settings of an audit or a game."""
    if "adversary_learner" not in settings:
        return ["The settings below say what the adversary knows."]
    texts = []
    data = "distributions of the training data"
    for name, same, other in (
        ("learner", "learner", "another learner"), ("family", data, f"other {data}"),
    ):  # fmt: skip
        if settings[f"adversary_{name}"] == settings[name]:
            texts.append(f"The adversary knows the {same}.")
            if name == "family":
                texts.append(
                    "Its training sets and those of the targets come from the same family: if that "
                    "draws from a table, they may have rows in common. Families that are split "
                    "from one have none."
                )
        else:
            texts.append(f"The adversary assumes {other}: {settings[f'adversary_{name}']}.")
    texts.append(
        f"The adversary trains {settings['n_shadows']} shadow models on "
        f"{settings['adversary_n_samples']} rows each; target models are trained on "
        f"{settings['n_samples']} rows each."
    )
    texts += [_observations(settings), *_property_column(settings)]
    if settings.get("access") == "white_box":
        texts.append("The adversary also observes the weights.")
    return texts


def knowledge_section(settings: Mapping[str, Any]) -> Section:
    """Return the part of a page on what the adversary knows."""
    return Section("What the adversary knows", [BulletList(knowledge_of(settings))])


def model_knowledge(settings: Mapping[str, Any]) -> Section:
    """Return the part of a page on what is assumed of a model that was trained by others."""
    texts = [
        f"The model was trained by such a learner: {settings['adversary_learner']}.",
        f"It was trained on {settings['adversary_n_samples']} rows of a distribution of this "
        f"family: {settings['adversary_family']}.",
        f"Before it is observed, values are as likely as this says: {settings['prior']}.",
        f"The adversary trains {settings['n_shadows']} shadow models in the same way.",
        _observations(settings),
        *_property_column(settings),
        "If one of these does not hold, neither do the probabilities.",
    ]
    return Section("What is assumed", [BulletList(texts)])


def _property_column(settings: Mapping[str, Any]) -> list[str]:
    column = settings.get("property_column")
    if not column:
        return []
    return [f"Models see the column '{column}', which defines the property, as a feature."]


def _observations(settings: Mapping[str, Any]) -> str:
    observed = "predicted labels only" if settings["labels_only"] else "the model's full outputs"
    return (
        f"Black-box attacks send {settings['n_queries']} queries {QUERIES[settings['queries']]}, "
        f"and observe {observed}."
    )


def reproduction_section(
    provenance: Mapping[str, str], settings: Mapping[str, Any], code: str | None = None
) -> Section:
    """Return the part of a page on when and by what a result was computed."""
    blocks: list[Any] = [DefinitionList(provenance), DefinitionList(settings)]
    return Section("How to reproduce this", [*([] if code is None else [Code(code)]), *blocks])


def guess_sections(
    guesses: Mapping[str, np.ndarray], truth: np.ndarray, classes: tuple | None
) -> list[Section]:
    """Return plots of each attack's guesses beside the truth; two classes need none."""
    if not guesses:
        return []
    alt = "Guesses of attack {} beside the truth"
    if classes is None:
        plots = [
            Plot(partial(draw_guesses, array, truth, name, column), alt.format(name))
            for name, array in guesses.items()
            for column in range(truth[:1].size)
        ]
        return [Section("Guessed and true values", plots)]
    if len(classes) > 2:
        tables = {name: confusion_table(a, truth, classes) for name, a in guesses.items()}
        plots = [
            Plot(partial(draw_confusion, table, name), alt.format(name))
            for name, table in tables.items()
        ]
        return [Section("Confused values of the property", plots)]
    return []
