"""``SourcesReport``: the parts of an advantage, what they mean, and how they are stored.

The figures are measured in ``_sources``, and divided in ``_sources_figures``.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..._files import write_text
from . import _pages, _plots
from ._serialization import read_report, write_report

VERSION = 1
SOURCES = {
    "conditional": "memorised E[Y|X]",
    "bias": "wrong inductive bias",
    "sample": "finite training data",
}
MITIGATIONS = {
    "conditional": "causal learning: a model of the causes alone, or an invariant one, has less of "
    "E[Y|X] to memorise that differs from one distribution to the other",
    "bias": "a model class that suits the task better, so that the fit does not depend on where "
    "the inputs are",
    "sample": "more training data, or regularisation",
}


@dataclass(eq=False, repr=False)
class SourcesReport:
    """Where an attack's advantage comes from.

    Attributes
    ----------
    table : DataFrame
        A row for each ``source``: "conditional" (E[Y|X] is memorised), "bias" (the inductive bias
        is wrong), "sample" (training data are finite), as far as each can be switched off; "rest",
        what is left with all off; and "total", the attack's advantage, to which they add up. With
        the 95% interval of each ``advantage``, ``ci_low`` to ``ci_high``.
    combinations : DataFrame
        The advantage in each combination, True where a source is at work.
    growth : DataFrame
        The advantage by ``conditional``, ``bias`` and ``n_samples``, from which limits are taken.
    lead : dict
        By how much the largest source leads the next, with its interval; empty of one source.
    notes : dict from source to str
        What it was switched off by.
    unavailable : dict from source to str
        Why it could not be switched off; it is at work throughout.
    settings : dict
    """

    table: pd.DataFrame
    combinations: pd.DataFrame
    growth: pd.DataFrame
    lead: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def dominant(self) -> str | None:
        """The largest source; None where the attack has no advantage that is certain, or one that
        no source adds to.
        """
        parts = self._parts()
        found = self._row("total")["ci_low"] > 0 and len(parts) > 0
        if not found or parts["advantage"].max() <= 0:
            return None
        return str(parts.sort_values("advantage", ascending=False)["source"].iloc[0])

    def explain(self) -> list[str]:
        """Say in plain words what dominates, what is recommended for it, and what is not known."""
        total = self._row("total")
        texts = [f"The attack's advantage over guessing is {_shown(total)}."]
        if self.dominant is None:
            texts.append("That holds 0, or no source adds to it: there is nothing to divide.")
        else:
            texts += self._verdict()
        for row in self._parts().to_dict("records"):
            if row["ci_high"] < 0:
                texts.append(f"{_title(row['source'])} hides more than it leaks: {_shown(row)}.")
        if self._row("rest")["ci_low"] > 0:
            texts.append(
                f"With all of them off, {_shown(self._row('rest'))} is left: from sources that "
                "could not be switched off, or not wholly."
            )
        texts += [
            f"{_title(name)} could not be switched off: {reason}."
            for name, reason in self.unavailable.items()
        ]
        return texts

    def _verdict(self) -> list[str]:
        assert self.dominant is not None
        row = self._row(self.dominant)
        texts = [f"The largest part of it, {_shown(row)}, comes from {SOURCES[self.dominant]}."]
        if self.lead and self.lead["ci_low"] <= 0:
            parts = self._parts().sort_values("advantage", ascending=False)
            texts.append(
                f"It is not certain that this is more than {SOURCES[parts['source'].iloc[1]]}."
            )
        texts.append(f"Recommended for it: {MITIGATIONS[self.dominant]}.")
        return texts

    def plot(self, ax: Any = None) -> Any:
        """Draw each source's part with its interval.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        ax = _plots.new_axes(6.0, 3.2) if ax is None else ax
        return _plots.draw_sources(self.table, SOURCES, ax)

    def to_html(self, path: str | os.PathLike) -> Path:
        """Write one page that needs no other file.

        Returns
        -------
        Path
        """
        return write_text(path, _pages.render_sources(self))

    def save(self, path: str | os.PathLike) -> Path:
        """Write the report as JSON; what stood there stays until the new file is complete.

        Returns
        -------
        Path
        """
        frames = {name: getattr(self, name).to_dict("list") for name in FRAMES}
        own = {name: getattr(self, name) for name in ("lead", "notes", "unavailable", "settings")}
        return write_report(path, "sources", VERSION, {**frames, **own})

    @classmethod
    def load(cls, path: str | os.PathLike) -> "SourcesReport":
        """Read a report that ``save`` wrote.

        Raises
        ------
        InvalidInputError
            If the file holds something else.
        """

        def make(contents: dict[str, Any]) -> "SourcesReport":
            frames: dict[str, Any] = {name: pd.DataFrame(contents.pop(name)) for name in FRAMES}
            report = cls(**frames, **contents)
            report.explain()
            return report

        return read_report(path, "sources", VERSION, make)

    def _parts(self) -> pd.DataFrame:
        return self.table[self.table["source"].isin(list(SOURCES))]

    def _row(self, source: str) -> dict[Any, Any]:
        (row,) = self.table[self.table["source"] == source].to_dict("records")
        return row

    def __repr__(self) -> str:
        table = self.table.to_string(index=False, float_format="{:.3f}".format)
        return "\n".join(["SourcesReport", table, *self.explain()])


FRAMES = ("table", "combinations", "growth")


def _title(source: str) -> str:
    title = SOURCES[source]
    return title[0].upper() + title[1:]


def _shown(row: dict[Any, Any]) -> str:
    return f"{row['advantage']:.2f} (interval {row['ci_low']:.2f} to {row['ci_high']:.2f})"
