"""``GameReport``: what a game costs the adversary, in words, plots and files."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..._plotting import axes_or_new, draw_risk_curve
from ...exceptions import InvalidInputError
from ..evaluation._confidence_intervals import Estimate
from ..evaluation._verdict import BOUNDED, RULE, decide
from ..game._game_tables import COLUMNS
from ..game._sequential_stopping import InterimAnalysis
from ._audit_text import digits
from ._base import Report
from ._consistency import check_guesses
from ._field_codecs import (
    ARRAY,
    ARRAYS,
    CLASSES,
    SCALARS,
    SETTINGS,
    TEXTS,
    FieldCodec,
    expect,
    frame,
    number,
    optional,
    plain,
    text,
    whole_number,
)
from ._guess_plots import GuessPlots
from ._html import BulletList, DataTable, Lead, Paragraph, Plot, Section
from ._reproduction import provenance
from ._sections import guess_sections, knowledge_section, reproduction_section
from ._serialization import FileFormat

COSTS = {  # what a loss means, in words
    "zero_one": "is wrong for {} of models",
    "absolute": "is off by {} on average",
    "squared": "has a mean squared error of {}",
}
RISKS = {"attack": text} | dict.fromkeys(COLUMNS[1:], number)
ROWS = {"n_rows": whole_number} | dict.fromkeys(("risk", "ci_low", "ci_high"), number)


def _decode_estimate(ends: Any) -> Estimate:
    value, low, high = map(number, expect(ends, list, "a list of three numbers"))
    return Estimate(value, low, high)


def _decode_analyses(analyses: Any) -> list[InterimAnalysis]:
    return [
        InterimAnalysis(whole_number(n_targets), number(width))
        for n_targets, width in expect(analyses, list, "a list of pairs")
    ]


@dataclass(frozen=True, eq=False, repr=False)
class GameReport(GuessPlots, Report):
    """Result of an inference game: the risk of each attack, in units of the loss.

    Parameters
    ----------
    table : DataFrame
        One row per attack: ``attack``; its ``risk`` with the 95% interval ``ci_low`` to
        ``ci_high``; its ``advantage`` (0 is guessing without the model, 1 is perfect) with
        ``advantage_low`` to ``advantage_high``; ``n_leaked``, the number of rows of the training
        distribution that reveal as much, with ``n_leaked_low`` to ``n_leaked_high``, infinite if
        more than ``n_samples`` are needed; and ``n_leaked_bound``, the least number by
        :func:`wsl.risk.n_leaked`, where the property is one of two proportions.
    prior_risk : Estimate
        Risk of the best guess without access to the model: ``value``, ``low``, ``high``. Exact if
        the prior consists of a family's own classes.
    rows : DataFrame or None
        Risk of an adversary who observes ``n_rows`` rows of data instead of a model: ``risk``,
        ``ci_low``, ``ci_high``. None if the game was played with ``n_row_sets=0``.
    interim_analyses : list of InterimAnalysis
        ``n_targets``, and the ``width`` of the widest interval of a risk, at each interim analysis.
    skipped : dict from attack to str
        Attacks that were skipped, with the reason.
    classes : tuple or None
        The values of the property if they are classes, otherwise None.
    truth : ndarray of shape (n_targets,) or (n_targets, n_properties)
        The property of each target: a class by its index in ``classes``, or a number.
    guesses : dict from attack to ndarray of shape (n_repeats, n_targets) or \
            (n_repeats, n_targets, n_properties)
        The guesses of each attack in each of its repeats, coded as ``truth``.
    losses : dict from attack to ndarray of shape (n_repeats, n_targets)
        What each guess costs.
    settings : dict
        The settings of the game.
    provenance : dict from str to str
        The date, and the versions of libraries; by default those of now.

    See Also
    --------
    wsl.risk.InferenceGame : Plays a game and returns its report.
    AuditReport : The result of an audit, in metrics of classification or regression.

    Notes
    -----
    The bounds of the advantage combine those of the two risks; they are slightly wider than a 95%
    interval if the prior's risk is estimated.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from wsl.risk import Estimate, GameReport
    >>> table = pd.DataFrame({"attack": ["queries"], "risk": 0.1, "ci_low": 0.05, "ci_high": 0.2,
    ...                       "advantage": 0.8, "advantage_low": 0.6, "advantage_high": 0.9,
    ...                       "n_leaked": np.nan})
    >>> report = GameReport(table, Estimate(0.5, 0.5, 0.5), rows=None, interim_analyses=[],
    ...                     skipped={}, classes=(0, 1), truth=np.array([0, 1]), guesses={},
    ...                     losses={}, settings={"loss": "zero_one"})
    >>> report.explain()[1]
    'Without access to the model, the best guess is wrong for 50.0% of models.'
    """

    _title: ClassVar[str] = "Inference game"
    _format: ClassVar[FileFormat] = FileFormat(
        "wsl-game-report",
        2,
        {
            "table": frame(RISKS),
            "prior_risk": FieldCodec(
                lambda estimate: plain(astuple(estimate)),
                _decode_estimate,
                {
                    "type": "array",
                    "prefixItems": 3 * [SCALARS[number]],
                    "minItems": 3,
                    "items": False,
                },
            ),
            "rows": optional(frame(ROWS)),
            "interim_analyses": FieldCodec(
                lambda analyses: [plain(astuple(analysis)) for analysis in analyses],
                _decode_analyses,
                {"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 2}},
            ),
            "skipped": TEXTS,
            "classes": optional(CLASSES),
            "truth": ARRAY,
            "guesses": ARRAYS,
            "losses": ARRAYS,
            "settings": SETTINGS,
            "provenance": TEXTS,
        },
    )

    table: pd.DataFrame
    prior_risk: Estimate
    rows: pd.DataFrame | None
    interim_analyses: list[InterimAnalysis]
    skipped: dict[str, str]
    classes: tuple | None
    truth: np.ndarray
    guesses: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=provenance)

    def plot(self, ax: Any = None) -> Any:
        """Plot the risk of an adversary who observes rows of data, and the risk of each attack.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        matplotlib Axes
            The Axes with the plot.

        Raises
        ------
        InvalidInputError
            If the game was played with ``n_row_sets=0``.

        See Also
        --------
        wsl.displays.RiskCurveDisplay : The same as a display.
        """
        if self.rows is None:
            raise InvalidInputError(
                "`rows` must be known to plot the risk by rows; play with `n_row_sets` above 0."
            )
        return draw_risk_curve(self.rows, self.table, axes_or_new(ax, 6.0, 4.0))

    def explain(self) -> list[str]:
        """Return the findings in plain words: the verdict, the prior's risk, then each attack.

        Returns
        -------
        list of str
            Sentences.

        See Also
        --------
        to_html : The same with plots, settings and assumptions.
        """
        prior = self._cost(self.prior_risk.value)
        texts = [
            self._verdict(),
            f"Without access to the model, the best guess {prior}.",
            *map(self._finding, self.table.to_dict("records")),
        ]
        texts += [f"Attack '{name}' skipped: {why}." for name, why in self.skipped.items()]
        width = self.settings.get("width")
        last = self.interim_analyses[-1] if self.interim_analyses else None
        if width is not None and last is not None and last.width > width:
            texts.append(
                f"With {last.n_targets} target models, the most that were allowed, the interval of "
                f"a risk is still {self._amount(last.width)} wide, above `width`, "
                f"{self._amount(width)}. More shadow models and repeats may narrow it."
            )
        return texts

    def _check(self) -> None:
        arrays = {"guesses": self.guesses, "losses": self.losses}
        check_guesses(self.truth, arrays, self.classes)
        super()._check()

    def _verdict(self) -> str:
        """Return the finding in one sentence."""
        if not len(self.table):
            return "No attack could be run, so nothing is known about a leak."
        ends = self.table[["advantage_low", "advantage_high"]].set_axis(["low", "high"], axis=1)
        verdict = decide(ends, ends)
        if verdict.evidence is not None:
            row = self.table.iloc[verdict.evidence]
            return (
                f"The models leak the property: the adversary {self._cost(row['risk'])} with "
                f"attack '{row['attack']}', where the best guess without access to the model "
                f"{self._cost(self.prior_risk.value)}."
            )
        if verdict.outcome == BOUNDED:
            return (
                "No attack of this game guesses the property with an advantage above "
                f"{verdict.bound:.2f}, where 0 is guessing and 1 is certainty."
            )
        return (
            f"It is not shown with {len(self.truth)} target models, nor excluded, that the models "
            "leak the property: the intervals hold an advantage of 0, but are wide."
        )

    def _finding(self, row: dict[Any, Any]) -> str:
        """Return what one attack reached, in words."""
        said = (
            f"With attack '{row['attack']}', the adversary {self._cost(row['risk'])} (95% interval "
            f"{self._amount(row['ci_low'])} to {self._amount(row['ci_high'])}, "
            f"n = {len(self.truth)} target models), an advantage of {row['advantage']:.2f} "
            f"({row['advantage_low']:.2f} to {row['advantage_high']:.2f})."
        )
        if row["advantage_low"] <= 0:
            return f"{said} The interval holds an advantage of 0."
        most = self.settings.get("n_samples")
        if math.isinf(row["n_leaked"]):
            return f"{said} Not even {most} rows of the training distribution reveal as much."
        if math.isnan(row["n_leaked"]):
            return said
        low, high = row["n_leaked_low"], row["n_leaked_high"]
        upper = f"more than {most}" if math.isinf(high) else digits(high)
        n_rows = digits(row["n_leaked"])
        return (
            f"{said} About {n_rows} rows of the training distribution reveal as much "
            f"({digits(low)} to {upper})."
        )

    def _cost(self, value: float) -> str:
        """Return what a risk means, in words."""
        cost = COSTS.get(self.settings.get("loss", ""), "pays {} on average")
        return cost.format(self._amount(value))

    def _amount(self, value: float) -> str:
        """Return a risk in digits: a fraction of models in percent."""
        return f"{value:.1%}" if self.settings.get("loss") == "zero_one" else digits(value)

    def _sections(self) -> Sequence[Section]:
        alt = "Risk of an adversary who observes rows of data, and of each attack"
        plots = [] if self.rows is None else [Plot(self.plot, alt)]
        finding, *further = self.explain()
        return [
            Section(None, [Lead(finding), BulletList(further), *plots]),
            Section("All metrics", [DataTable(self.table), Paragraph(NOTE), Paragraph(RULE)]),
            *guess_sections(self.guesses, self.truth, self.classes),
            knowledge_section(self.settings),
            reproduction_section(self.provenance, self.settings),
        ]

    def __repr__(self) -> str:
        prior = self.prior_risk
        lines = [
            "GameReport",
            f"risk without the model: {prior.value:.3f} ({prior.low:.3f} to {prior.high:.3f})",
            self.table.to_string(index=False, float_format="{:.3f}".format),
        ]
        lines += [f"skipped: {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


NOTE = (
    "Risk is the mean cost of a guess. Its 95% interval holds the risk that other target models "
    "and other shadow models would give. Advantage 0 is the best guess without access to the "
    "model, 1 is certainty."
)
