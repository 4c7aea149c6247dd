"""What an audit of trained models found, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..evaluation._tables import headline
from ..evaluation._verdict import advantage_intervals
from ._audit_text import digits, stake_text, value_texts

ATYPICAL = 0.01  # by chance, one model of a hundred
EVIDENCE = 3.0  # Kass and Raftery (1995): "positive" evidence
MOST_SENTENCES = 10
RULE = (
    f"A model is said to reveal a value if what was observed is at least {EVIDENCE:g} times as "
    "likely under this value as under the others, and if the interval of a metric of the same "
    "attack on held-out models excludes chance. Without the second condition, the first is met by "
    "luck."
)


@dataclass(frozen=True, eq=False)
class ModelText:
    """Sentences on the posteriors of trained models.

    Attributes
    ----------
    table : DataFrame
        One row per model and property.
    average : DataFrame
        The metrics of attacks on held-out models.
    calibration : DataFrame
    chance : dict from metric to float
    attack : str
        The attack whose posteriors the table holds.
    n_shadows : int
    classes : tuple or None
    names : dict from str to str
    """

    table: pd.DataFrame
    average: pd.DataFrame
    calibration: pd.DataFrame
    chance: Mapping[str, float]
    attack: str
    n_shadows: int
    classes: tuple | None
    names: Mapping[str, str]

    @property
    def is_informative(self) -> bool:
        """Whether the attack is shown to do better than chance on held-out models."""
        rows = self.average[self.average["attack"] == self.attack]
        return bool((advantage_intervals(rows, self.chance)["low"] > 0).any())

    def finding(self) -> str:
        """Return what was found in one sentence."""
        rows = self.table.to_dict("records")
        several = self.table["model"].nunique() > 1
        models = "the models reveal" if several else f"{self._model()} reveals"
        if not self.is_informative:
            return (
                f"It is not shown that {models} {self._stake()}: on {self.n_shadows} held-out "
                "models whose value is known, the attack is not shown to do better than chance."
            )
        if several:
            return self._summary(rows)
        if self.classes is None:
            said = "; ".join(self._interval(row) for row in rows)
            return f"What {self._model()} reveals of {self._stake()}: {said}."
        row = rows[0]
        verb = "reveals" if row["likelihood_ratio"] >= EVIDENCE else "reveals little of"
        return f"{self._capital(self._model())} {verb} {self._stake()}: {self._guess(row)}."

    def further(self) -> list[str]:
        """Return what is to be known beside it: other models, average success, calibration."""
        rows = self.table.to_dict("records")
        texts = self._unlike()
        if not self.is_informative or 1 < len(rows) <= MOST_SENTENCES:
            say = self._interval if self.classes is None else self._guess
            texts += [f"{row['model']}: {say(row)}." for row in rows[:MOST_SENTENCES]]
        own = headline(self.average[self.average["attack"] == self.attack])
        texts += [self._success(row) for row in own.to_dict("records")]
        ranked = self.average[
            (self.average["attack"] == self.attack) & (self.average["metric"] == "auc")
        ]
        texts += [
            f"It ranks them by the property with AUC {row['value']:.3f} (95% interval "
            f"{row['ci_low']:.3f} to {row['ci_high']:.3f}, chance 0.5)."
            for row in ranked.to_dict("records")
        ]
        row = self.calibration.set_index("attack").loc[self.attack].to_dict()
        kind = "the probability of a guess" if self.classes else "the level of an interval"
        texts.append(
            f"On the same models, {kind} differs from how often it is right by "
            f"{row['calibration_error']:.3f} on average (95% interval {row['ci_low']:.3f} to "
            f"{row['ci_high']:.3f}); perfect calibration gives {row['if_calibrated']:.3f} with so "
            "few models."
        )
        return texts

    def _unlike(self) -> list[str]:
        """Return which models are unlike all shadow models, so that nothing is known of them."""
        unlike = self.table[self.table["typicality"] <= ATYPICAL]["model"].unique().tolist()
        if not unlike:
            return []
        n_models = self.table["model"].nunique()
        named = ", ".join(unlike[:MOST_SENTENCES]) if n_models > 1 else ""
        which = f"{len(unlike)} of {n_models} models respond" if named else "The model responds"
        return [
            f"{which} unlike all shadow models{f' ({named})' if named else ''}, so not trained as "
            "the adversary assumes: by another learner, on another number of rows, or on other "
            "data. Their probabilities do not hold."
        ]

    def _summary(self, rows: list[dict[Any, Any]]) -> str:
        n_models = self.table["model"].nunique()
        if self.classes is None:
            narrowed = [_narrowing(row) for row in rows]
            return (
                f"What {n_models} models reveal of {self._stake()}: credible intervals are "
                f"{sum(narrowed) / len(narrowed):.0%} as wide as without access to the models."
            )
        n_revealing = sum(row["likelihood_ratio"] >= EVIDENCE for row in rows)
        return f"{n_revealing} of {n_models} models reveal {self._stake()}."

    def _guess(self, row: dict[Any, Any]) -> str:
        classes = self.classes or ()
        value = dict(zip(classes, value_texts(classes, self.names), strict=True))[row["guess"]]
        return (
            f"{value} has a probability of {row['probability']:.1%}, before the model was observed "
            f"{row['prior']:.1%} (likelihood ratio {digits(row['likelihood_ratio'])})"
        )

    def _interval(self, row: dict[Any, Any]) -> str:
        column = f"property {row['property']}" if "property" in row else "it"
        return (
            f"with a probability of 95%, {column} is between {digits(row['ci_low'])} and "
            f"{digits(row['ci_high'])}, before the model was observed between "
            f"{digits(row['prior_low'])} and {digits(row['prior_high'])}"
        )

    def _success(self, row: dict[Any, Any]) -> str:
        """Return what the attack achieves on average."""
        value, low, high = row["value"], row["ci_low"], row["ci_high"]
        chance, n = self.chance[row["metric"]], f"n = {self.n_shadows} held-out shadow models"
        if row["metric"] == "accuracy":
            return (
                f"On average, attack '{self.attack}' guesses right for {value:.1%} of models (95% "
                f"interval {low:.1%} to {high:.1%}, {n}), without access to the model for "
                f"{chance:.1%}."
            )
        column = row["metric"].removeprefix("mean_absolute_error").replace("_", " of property ")
        return (
            f"On average, the guess{column} of attack '{self.attack}' is off by {digits(value)} "
            f"(95% interval {digits(low)} to {digits(high)}, {n}), without access to the model by "
            f"{digits(chance)}."
        )

    def _model(self) -> str:
        return self.names.get("learner", "the model")

    def _stake(self) -> str:
        return stake_text(self.classes, self.names, "its")

    @staticmethod
    def _capital(text: str) -> str:
        return text[0].upper() + text[1:]


def _narrowing(row: Mapping[Any, Any]) -> float:
    return (row["ci_high"] - row["ci_low"]) / (row["prior_high"] - row["prior_low"])
