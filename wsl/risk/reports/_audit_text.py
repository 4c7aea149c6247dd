"""What an audit found, in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...exceptions import InvalidInputError
from ..evaluation._tables import headline, is_headline
from ..evaluation._verdict import (
    BOUNDED,
    LARGEST_BOUND,
    NOT_SHOWN,
    Verdict,
    advantage_intervals,
    audit_verdict,
    targets_needed,
)

NAMES = ("property", "group", "learner", "data")


def digits(value: float) -> str:
    """Return a number with three significant digits, or all digits before its point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def check_names(names: Mapping[str, str]) -> None:
    """Raise InvalidInputError unless names are text by keys of ``NAMES``."""
    is_valid = isinstance(names, Mapping) and set(names) <= set(NAMES)
    if not is_valid or not all(isinstance(name, str) for name in names.values()):
        raise InvalidInputError(f"`names` must be text with keys among {list(NAMES)}; got {names}.")


def threshold_text(check: Mapping[Any, Any]) -> str:
    """Return whether an attack keeps a threshold, in words."""
    name, largest = check["threshold"], f"the threshold is {check['largest']:g}"
    if not check["attack"]:
        return f"Fail: no attack has the metric {name}; {largest}."
    return (
        f"{'Pass' if check['passed'] else 'Fail'}: {name} of attack '{check['attack']}' is "
        f"{check['value']:.3f}, its interval ends at {check['ci_high']:.3f}; {largest}."
    )


@dataclass(frozen=True, eq=False)
class AuditText:
    """Sentences on the table of an audit.

    Attributes
    ----------
    table : DataFrame
    chance : dict from metric to float
    classes : tuple or None
    n_targets : int or None
    names : dict from str to str
        The user's own names, by keys of ``NAMES``.
    """

    table: pd.DataFrame
    chance: Mapping[str, float]
    classes: tuple | None
    n_targets: int | None
    names: Mapping[str, str]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the table."""
        return audit_verdict(self.table, self.chance)

    def finding(self) -> str:
        """Return the verdict in one sentence."""
        if not len(self.table):
            return "No attack could be run, so nothing is known about a leak."
        verdict = self.verdict
        if verdict.evidence is not None:
            row = self.table.iloc[verdict.evidence].to_dict()
            return f"{self._models()} leak {self._stake()}: {self._evidence(row)}."
        if verdict.outcome == BOUNDED:
            return (
                f"No attack of this audit guesses {self._stake()} with an advantage above "
                f"{verdict.bound:.2f}, where 0 is guessing and 1 is certainty."
            )
        n = "this many" if self.n_targets is None else f"{self.n_targets} target"
        return (
            f"It is not shown with {n} models, nor excluded, that "
            f"{self._models(start=False)} leak {self._stake()}: the intervals hold chance, but are "
            "wide."
        )

    def attacks(self) -> list[str]:
        """Return one sentence or two per attack: its metrics, and what they mean."""
        texts = [
            self._attack(name, self.table[self.table["attack"] == name])
            for name in self.table["attack"].unique()
        ]
        if len(self.table) and self.verdict.outcome == NOT_SHOWN and self.n_targets:
            guesses = advantage_intervals(headline(self.table), self.chance)
            needed = targets_needed(guesses, self.n_targets)
            texts.append(
                f"To show an advantage of {LARGEST_BOUND:g}, about {needed:,} target models are "
                "needed, and shadow models in proportion."
            )
        return texts

    def _models(self, start: bool = True) -> str:
        learner, data = self.names.get("learner"), self.names.get("data")
        text = "the models" if learner is None else f"models of {learner}"
        text += "" if data is None else f", trained on {data},"
        return text[0].upper() + text[1:] if start else text

    def _stake(self) -> str:
        """Return what was to be guessed."""
        return stake_text(self.classes, self.names, "their")

    def _evidence(self, row: dict[Any, Any]) -> str:
        """Return what shows the leak."""
        attack, metric = f"attack '{row['attack']}'", row["metric"]
        value, chance = row["value"], self.chance[metric]
        if metric == "accuracy":
            return (
                f"{attack} guesses it for {value:.1%} of models, where the best guess without "
                f"access to the model is correct for {chance:.1%}"
            )
        if is_headline(metric):
            return (
                f"the guess of {attack} is off by {digits(value)} on average, where the best guess "
                f"without access to the model is off by {digits(chance)}"
            )
        return f"{attack} ranks models by it better than chance ({self._ranking(row)})"

    def _attack(self, name: str, rows: pd.DataFrame) -> str:
        main = headline(rows).to_dict("records")
        ranked = [row for row in rows.to_dict("records") if not is_headline(row["metric"])]
        said = f"{name}{observed_by(name)}: {'; '.join(map(self._guess, main))}"
        said += "".join(f"; {self._ranking(row)}" for row in ranked) + "."
        if (advantage_intervals(rows, self.chance)["low"] <= 0).all():
            return f"{said} Every interval holds chance."
        bounds = [row["n_leaked"] for row in main if math.isfinite(row["n_leaked"])]
        if bounds:
            said += (
                f" At least {digits(bounds[0])} rows of the training distribution are needed to "
                f"learn as much from data{'; one row may suffice' if bounds[0] <= 1 else ''}."
            )
        return said

    def _guess(self, row: dict[Any, Any]) -> str:
        """Return how good the guesses are."""
        chance, n = self.chance[row["metric"]], ""
        if self.n_targets is not None:
            n = f", n = {self.n_targets} target models"
        value, low, high = row["value"], row["ci_low"], row["ci_high"]
        if row["metric"] == "accuracy":
            return (
                f"the guess is correct for {value:.1%} of models (95% interval {low:.1%} to "
                f"{high:.1%}{n}), without access to the model for {chance:.1%}"
            )
        column = row["metric"].removeprefix("mean_absolute_error").replace("_", " of property ")
        return (
            f"the guess{column} is off by {digits(value)} on average (95% interval {digits(low)} "
            f"to {digits(high)}{n}), without access to the model by {digits(chance)}"
        )

    def _ranking(self, row: dict[Any, Any]) -> str:
        """Return how well models are ranked by the property."""
        value, low, high = row["value"], row["ci_low"], row["ci_high"]
        if row["metric"] == "auc":
            return f"AUC {value:.3f} (95% interval {low:.3f} to {high:.3f}, chance 0.5)"
        rate = row["metric"].removeprefix("tpr_at_").removesuffix("_fpr")
        return f"TPR at {rate} FPR {value:.1%} (95% interval {low:.1%} to {high:.1%})"


def observed_by(attack: str) -> str:
    """Return what a strategy observes, in words; nothing for an attack under a user's name."""
    from ...attacks import STRATEGIES

    if attack not in STRATEGIES:
        return ""
    return f" (observes {'weights' if STRATEGIES[attack].white_box else 'responses to queries'})"


def value_texts(classes: tuple, names: Mapping[str, str]) -> list[str]:
    """Return the values of a property that is a class, proportions of a group in percent."""
    as_percent = "group" in names and _are_proportions(classes)
    return [f"{value:.0%}" if as_percent else str(value) for value in classes]


def _are_proportions(classes: tuple) -> bool:
    return all(type(value) in (int, float) and 0 <= value <= 1 for value in classes)


def stake_text(classes: tuple | None, names: Mapping[str, str], whose: str) -> str:
    """Return what is to be guessed; ``whose`` is the pronoun of the models."""
    group = names.get("group")
    title = names.get("property", f"the property of {whose} training data")
    if classes is None:
        if group is None or "property" in names:
            return title
        return f"the fraction of {group} among {whose} training rows"
    shown = value_texts(classes, names)
    values = f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else "".join(shown)
    if group and _are_proportions(classes):
        return f"whether {values} of the training rows are {group}"
    return f"whether {title} is {values}" if len(classes) < 6 else title
