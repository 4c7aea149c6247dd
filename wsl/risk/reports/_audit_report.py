"""``AuditReport``: the figures of an audit, and how they are stored.

The picture and the page are drawn in ``_page``; the figures are computed in ``_figures``.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from ..._files import write_text
from ...exceptions import InvalidInputError
from ..evaluation._roc import confusion_table, roc_points
from ..evaluation._tables import COLUMNS
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

if TYPE_CHECKING:
    from ._sources_report import SourcesReport

VERSION = 2
TEXTS = ("attack", "metric", "test_set")  # columns that are no numbers


@dataclass(eq=False, repr=False)
class AuditReport:
    """What an audit found.

    Attributes
    ----------
    table : DataFrame
        One row an attack and metric: ``attack``, ``metric``, ``value``, the 95% interval ``ci_low``
        to ``ci_high``, ``advantage`` (0 guesses by the prior, 1 is perfect) and ``n_leaked``: how
        many rows of the training distribution would tell as much, where the property is one of two
        shares. Metrics are, of classes, "accuracy" and, where an attack has probabilities, "auc",
        the area under the ROC curve; of two classes also "tpr_at_1%_fpr", the share that is found
        where 1% are accused wrongly, given some 740 targets, and "tpr_at_0.1%_fpr", given 7400; of
        a number "mean_absolute_error".
    utility : DataFrame
        How good the targets themselves are: ``metric``, ``value``, ``ci_low``, ``ci_high``; and
        ``test_set`` where test sets were given by name.
    chance : dict from metric to float
        What guessing by the prior reaches.
    skipped : dict from attack to str
        Attacks that were left out, and why.
    settings : dict
        How the audit was run.
    truth : ndarray ``(n_targets,)``, or ``(n_targets, n_properties)``; or None
        The property of each target: a class by its index in ``classes``, or a number.
    guesses : dict from attack to ndarray ``(n_repeats, n_targets)``, or ``(..., n_properties)``
        What each attack said, in each of its repeats, of each target; as in ``truth``.
    scores : dict from attack to ndarray ``(n_repeats, n_targets, n_classes)`` float32
        The probabilities behind the guesses, of the attacks that have them.
    classes : tuple or None
        The values of the property, where they are classes.

    Notes
    -----
    Intervals take targets and shadow models as samples; those of ``utility``
    take the targets alone.

    Examples
    --------
    >>> import pandas as pd
    >>> from wsl.risk import AuditReport
    >>> row = ("queries", "accuracy", 0.9, 0.85, 0.94, 0.8, 2.2)
    >>> report = AuditReport(pd.DataFrame([row], columns=list(AuditReport.COLUMNS)),
    ...                      chance={"accuracy": 0.5})
    >>> report
    AuditReport
     attack   metric  value  ci_low  ci_high  advantage  n_leaked
    queries accuracy  0.900   0.850    0.940      0.800     2.200
    chance: accuracy 0.500
    """

    COLUMNS: ClassVar[tuple[str, ...]] = COLUMNS

    table: pd.DataFrame
    utility: pd.DataFrame = field(default_factory=pd.DataFrame)
    chance: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    truth: np.ndarray | None = None
    guesses: dict[str, np.ndarray] = field(default_factory=dict)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    classes: tuple | None = None

    def plot(self, ax: Any = None) -> Any:
        """Draw each attack's figure with its interval, and the line that guessing reaches.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=_plots.figure_size(self))
        return _plots.draw_figures(self, ax)

    def roc(self, attack: str) -> pd.DataFrame:
        """Return the ROC curve of an attack, the mean over its repeats.

        With more than two classes it is the mean over classes of one against the rest.

        Returns
        -------
        DataFrame
            Columns ``fpr`` and ``tpr``, both rising.

        Raises
        ------
        InvalidInputError
            If the report holds no probabilities of that attack.
        """
        return roc_points(self._of(self.scores, attack), self._truth())

    def confusion(self, attack: str) -> pd.DataFrame:
        """Return which class an attack takes for which: shares of the targets of each class.

        Returns
        -------
        DataFrame
            A row for each true class, a column for each guess; rows add up to 1.

        Raises
        ------
        InvalidInputError
            If the report holds no guesses of that attack, or of numbers.
        """
        if self.classes is None:
            raise InvalidInputError("the report is of numbers; wanted one of classes")
        return confusion_table(self._of(self.guesses, attack), self._truth(), self.classes)

    def plot_confusion(self, attack: str, ax: Any = None) -> Any:
        """Draw :meth:`confusion`; returns scikit-learn's ``ConfusionMatrixDisplay``."""
        table = self.confusion(attack)
        ax = _plots.new_axes() if ax is None else ax
        return _plots.draw_confusion(table, attack, ax)

    def plot_guesses(self, attack: str, ax: Any = None, *, column: int = 0) -> Any:
        """Draw guessed against true numbers; returns scikit-learn's ``PredictionErrorDisplay``.

        Parameters
        ----------
        attack : str
        ax : matplotlib Axes, optional
        column : int, default=0
            Which of several properties.

        Raises
        ------
        InvalidInputError
            If the report holds no guesses of that attack, or of classes.
        """
        if self.classes is not None:
            raise InvalidInputError("the report is of classes; wanted one of numbers")
        guesses = self._of(self.guesses, attack)
        ax = _plots.new_axes() if ax is None else ax
        return _plots.draw_guesses(guesses, self._truth(), attack, column, ax)

    def _of(self, part: dict[str, np.ndarray], attack: str) -> np.ndarray:
        if attack not in part:
            raise InvalidInputError(f"attack={attack!r}; wanted one of {list(part)}")
        return part[attack]

    def _truth(self) -> np.ndarray:
        if self.truth is None:
            raise InvalidInputError("the report does not hold the truth; audit's own do")
        return self.truth

    def to_html(self, path: str | os.PathLike, *, sources: "SourcesReport | None" = None) -> Path:
        """Write one page that needs no other file: figures, picture and what they mean.

        Parameters
        ----------
        path : path
        sources : SourcesReport, optional
            What :func:`wsl.risk.leakage_sources` found; the page then says where the leak comes
            from.

        Returns
        -------
        Path
        """
        return write_text(path, _pages.render(self, sources))

    def save(self, path: str | os.PathLike) -> Path:
        """Write the report as JSON; what stood there stays until the new file is complete.

        Returns
        -------
        Path
        """
        contents = {
            "table": pack_frame(self.table),
            "utility": pack_frame(self.utility),
            "chance": self.chance,
            "skipped": self.skipped,
            "settings": self.settings,
            "classes": plain(self.classes),
            "truth": None if self.truth is None else pack(self.truth),
            "guesses": pack_each(self.guesses),
            "scores": pack_each(self.scores),
        }
        return write_report(path, "audit", VERSION, contents)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "AuditReport":
        """Read a report that ``save`` wrote.

        Raises
        ------
        InvalidInputError
            If the file holds something else.
        """
        return read_report(path, "audit", VERSION, lambda contents: cls(**_fields(contents)))

    def __repr__(self) -> str:
        lines = ["AuditReport"]
        for frame in (self.table, self.utility):
            if len(frame):
                lines.append(frame.to_string(index=False, float_format="{:.3f}".format))
        if self.chance:
            shown = ", ".join(f"{metric} {value:.3f}" for metric, value in self.chance.items())
            lines.append(f"chance: {shown}")
        lines += [f"left out: {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


def _fields(contents: dict[str, Any]) -> dict[str, Any]:
    """Return what a file holds as the arguments of a report."""
    truth = contents["truth"]
    return {
        **{name: unpack_frame(contents[name], TEXTS) for name in ("table", "utility")},
        **{name: contents[name] for name in ("chance", "skipped", "settings")},
        "classes": unpack_classes(contents["classes"]),
        "truth": None if truth is None else unpack(truth),
        **{part: unpack_each(contents[part]) for part in ("guesses", "scores")},
    }
