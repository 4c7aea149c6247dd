"""``GameReport``: what a game cost its adversary, with a model and without.

The figures are computed in ``_game_figures``, the page is put together in ``_page``.
"""

import math
import os
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..._files import write_text
from ...exceptions import InvalidInputError
from ..evaluation._confidence_intervals import Estimate
from ..game._sequential_stopping import InterimAnalysis
from . import _pages, _plots
from ._serialization import (
    pack,
    pack_each,
    pack_frame,
    plain,
    read_report,
    unpack,
    unpack_classes,
    unpack_each,
    unpack_frame,
    write_report,
)

VERSION = 1
COSTS = {  # what a loss means, in words
    "zero_one": "is wrong about {} of the models",
    "absolute": "misses the property by {} on average",
    "squared": "misses it by a mean square of {}",
}


@dataclass(frozen=True, eq=False, repr=False)
class GameReport:
    """What a game cost the adversary.

    Attributes
    ----------
    table : DataFrame
        A row an attack: ``attack``; its ``risk``, in units of the loss, with the 95% interval
        ``ci_low`` to ``ci_high``; ``advantage`` over the prior (0 is none, 1 is certainty) with
        ``advantage_low`` to ``advantage_high``; ``n_leaked``, how many rows of the training
        distribution told an adversary as much, with ``n_leaked_low`` to ``n_leaked_high``, infinite
        where more than ``n_samples`` would be needed; and ``n_leaked_bound``, where the property is
        one of two shares: how many it takes at least, by :func:`wsl.risk.n_leaked`.
    prior_risk : Estimate
        What the best guess costs that does not look at the model: ``value``, ``low``, ``high``.
        Known exactly where the prior is a family's own classes.
    rows : DataFrame or None
        What an adversary risks who sees ``n_rows`` rows instead of a model: ``risk``, ``ci_low``,
        ``ci_high``.
    looks : list of Look
        How many targets there were, and how wide the widest interval of a risk was, each time that
        the game was looked at.
    skipped : dict from attack to str
    classes : tuple or None
        The values of the property where it is a class.
    truth : ndarray ``(n_targets,)`` or ``(n_targets, n_properties)``
        Classes by their index.
    guesses : dict from attack to ndarray ``(n_repeats, n_targets)``, or ``(..., n_properties)``
    losses : dict from attack to ndarray ``(n_repeats, n_targets)``
    settings : dict

    Notes
    -----
    The bounds of the advantage are those of the two risks put together, a little wider than 95%
    where the prior's is estimated.
    """

    table: pd.DataFrame
    prior_risk: Estimate
    rows: pd.DataFrame | None
    looks: list[InterimAnalysis]
    skipped: dict[str, str]
    classes: tuple | None
    truth: np.ndarray
    guesses: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)

    def plot(self, ax: Any = None) -> Any:
        """Draw what rows of data tell beside what a model tells.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InvalidInputError
            If the game was played with ``n_row_sets=0``.
        """
        if self.rows is None:
            raise InvalidInputError("the report has no rows; wanted one of n_row_sets above 0")
        ax = _plots.new_axes(6.0, 4.0) if ax is None else ax
        return _plots.draw_risk_curve(self.rows, self.table, ax)

    def explain(self) -> list[str]:
        """Say in plain words what is risked without a model, with it, and what that is worth."""
        cost = COSTS.get(self.settings.get("loss", ""), "pays {} on average")
        texts = [
            f"Who does not look at the model {cost.format(self._cost(self.prior_risk.value))}."
        ]
        texts += [self._finding(row, cost) for row in self.table.to_dict("records")]
        texts += [f"{name} was left out: {reason}." for name, reason in self.skipped.items()]
        wanted, last = self.settings.get("width"), self.looks[-1] if self.looks else None
        if wanted is not None and last is not None and last.width > wanted:
            texts.append(
                f"With {last.n_targets} targets, all that were allowed, an interval of a risk is "
                f"still {self._cost(last.width)} wide; wanted {self._cost(wanted)}. What more "
                "targets do not narrow, more shadow models and repeats may."
            )
        return texts

    def _finding(self, row: dict[Any, Any], cost: str) -> str:
        """Say what one attack found."""
        ends = f"interval {self._cost(row['ci_low'])} to {self._cost(row['ci_high'])}"
        paid = cost.format(self._cost(row["risk"]))
        text = (
            f"{row['attack']}: who looks at it {paid} ({ends}), an advantage of "
            f"{row['advantage']:.2f} ({row['advantage_low']:.2f} to {row['advantage_high']:.2f})."
        )
        if row["advantage_low"] <= 0:
            return f"{text} That holds no advantage: this attack found no leak. Another might."
        most = self.settings.get("n_samples")
        if math.isinf(row["n_leaked"]):
            return f"{text} Not even {most} rows of the training distribution told as much."
        if not math.isnan(row["n_leaked"]):
            low, high = (row[f"n_leaked_{end}"] for end in ("low", "high"))
            upper = f"more than {most}" if math.isinf(high) else f"{high:.0f}"
            text += (
                f" Rows of the training distribution that told as much: {row['n_leaked']:.0f} "
                f"({low:.0f} to {upper})."
            )
        return text

    def _cost(self, value: float) -> str:
        """Return a cost in figures: a share of models as per cent."""
        return f"{value:.1%}" if self.settings.get("loss") == "zero_one" else f"{value:.3g}"

    def to_html(self, path: str | os.PathLike) -> Path:
        """Write one page that needs no other file: figures, pictures and what they mean.

        Returns
        -------
        Path
        """
        return write_text(path, _pages.render_game(self))

    def save(self, path: str | os.PathLike) -> Path:
        """Write the report as JSON; what stood there stays until the new file is complete.

        Returns
        -------
        Path
        """
        contents = {
            "table": pack_frame(self.table),
            "prior_risk": plain(astuple(self.prior_risk)),
            "rows": None if self.rows is None else pack_frame(self.rows),
            "looks": [plain(astuple(look)) for look in self.looks],
            **{name: getattr(self, name) for name in ("skipped", "settings")},
            "classes": plain(self.classes),
            "truth": pack(self.truth),
            **{part: pack_each(getattr(self, part)) for part in ("guesses", "losses")},
        }
        return write_report(path, "game", VERSION, contents)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "GameReport":
        """Read a report that ``save`` wrote.

        Raises
        ------
        InvalidInputError
            If the file holds something else.
        """

        def make(contents: dict[str, Any]) -> "GameReport":
            report = cls(**contents | _fields(contents))
            report.explain()
            return report

        return read_report(path, "game", VERSION, make)

    def __repr__(self) -> str:
        prior = self.prior_risk
        lines = [
            "GameReport",
            f"risk by the prior alone: {prior.value:.3f} ({prior.low:.3f} to {prior.high:.3f})",
            self.table.to_string(index=False, float_format="{:.3f}".format),
        ]
        lines += [f"left out: {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


def _fields(contents: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments of a report that a file holds in another form."""
    rows = contents["rows"]
    return {
        "table": unpack_frame(contents["table"], ("attack",)),
        "prior_risk": Estimate(*map(float, contents["prior_risk"])),
        "rows": None if rows is None else unpack_frame(rows).astype({"n_rows": int}),
        "looks": [
            InterimAnalysis(int(n_targets), float(width)) for n_targets, width in contents["looks"]
        ],
        "classes": unpack_classes(contents["classes"]),
        "truth": unpack(contents["truth"]),
        **{part: unpack_each(contents[part]) for part in ("guesses", "losses")},
    }
