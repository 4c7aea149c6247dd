"""``ModelAuditReport``: what trained models reveal, in words, plots and files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from types import NoneType
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..._plotting import axes_or_new, draw_posteriors, draw_reliability
from ...exceptions import InvalidInputError
from ..trained_models._posteriors import calibration_table, check_posteriors
from ._audit_report import METRICS
from ._audit_text import check_names
from ._base import Report
from ._consistency import check_guesses
from ._field_codecs import (
    ARRAY,
    ARRAYS,
    CLASSES,
    NUMBERS,
    SETTINGS,
    TEXT,
    TEXTS,
    class_value,
    frame,
    number,
    optional,
    text,
    whole_number,
)
from ._guess_plots import GuessPlots
from ._html import BulletList, DataTable, Lead, Paragraph, Plot, Section
from ._model_text import RULE, ModelText
from ._reproduction import model_audit_code, provenance
from ._sections import MITIGATIONS, guess_sections, model_knowledge, reproduction_section
from ._serialization import FileFormat

VALUE_ENDS = ("ci_low", "ci_high", "prior_low", "prior_high")
GUESSES = {"model": text, "attack": text, "guess": class_value} | dict.fromkeys(
    ("probability", "prior", "likelihood_ratio", *VALUE_ENDS, "typicality"), number
)
CALIBRATION = {"attack": text} | dict.fromkeys(
    ("calibration_error", "ci_low", "ci_high", "if_calibrated", "log_loss"), number
)
RELIABILITY = {"attack": text, "n_models": whole_number} | dict.fromkeys(
    ("probability", "frequency", "ci_low", "ci_high"), number
)
MOST_ROWS = 40  # of models that a plot shows


@dataclass(frozen=True, eq=False, repr=False)
class ModelAuditReport(GuessPlots, Report):
    """What trained models reveal, and how often such inferences are right.

    Parameters
    ----------
    table : DataFrame
        One row per model, and per property if there are several: ``model``, ``attack`` and
        ``guess``. Of a class, the guess is the most probable value, with its ``probability``, its
        ``prior`` probability, and the ``likelihood_ratio``: how many times as likely what was
        observed is under this value as under the others. Of a continuous property it is the
        median, with the 95% credible interval ``ci_low`` to ``ci_high`` and that of the prior,
        ``prior_low`` to ``prior_high``; ``property`` numbers several of them. ``typicality`` is
        the fraction of shadow models that are at least as far from the others, in their responses,
        as the model is: near 0 if it was not trained as the adversary assumes.
    attack : str
        The attack of the table, which has the least ``log_loss`` on held-out models.
    posteriors : dict from attack to ndarray of shape (n_models, n_properties, n_points)
        Probabilities of the classes, with one property, or densities at the points of ``grid``.
    prior : ndarray of shape (n_properties, n_points)
        The same before a model is observed.
    grid : ndarray of shape (n_properties, n_points) or None
        Values of continuous properties; None for classes.
    average : DataFrame
        What each attack achieves on held-out shadow models, whose value is known: the columns of
        ``AuditReport.table``.
    calibration : DataFrame
        One row per ``attack``: ``calibration_error`` with its 95% interval ``ci_low`` to
        ``ci_high``, the mean distance between probabilities and how often they are right;
        ``if_calibrated``, the error that perfect calibration has with so many models; and
        ``log_loss``, the mean negative logarithm of the true value's posterior.
    reliability : DataFrame
        One row per ``attack`` and bin: the ``probability`` of the guess, or the level of credible
        intervals; the ``frequency`` with which it is right, with its interval ``ci_low`` to
        ``ci_high``; and ``n_models``.
    chance : dict from metric to float
        The value of each metric that the best guess without access to the model reaches.
    truth : ndarray of shape (n_shadows,) or (n_shadows, n_properties)
        The property of each held-out model: a class by its index in ``classes``, or a number.
    guesses : dict from attack to ndarray of shape (1, n_shadows) or (1, n_shadows, n_properties)
        The guess of each, coded as ``truth``.
    scores : dict from attack to ndarray of shape (1, n_shadows, n_classes)
        The posterior of each under a uniform prior, if the property is a class.
    classes : tuple or None
        The values of the property if they are classes, otherwise None.
    skipped : dict from attack to str
        Attacks that were skipped, with the reason.
    settings : dict
        The settings of the audit.
    names : dict from str to str
        Your own names for use in sentences, as in :class:`AuditReport`; "learner" is what the
        model is called.
    provenance : dict from str to str
        The date, and the versions of libraries; by default those of now.

    Attributes
    ----------
    is_informative : bool
        Whether the attack is shown to do better than chance on held-out models.

    See Also
    --------
    wsl.audit_model : Audits trained models and returns the report.
    AuditReport : How much the models of a learner reveal.
    wsl.displays.ReliabilityDisplay : Plots how well posteriors are calibrated.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl import Adversary, EnvironmentMembershipFamily, ModelAuditReport, audit_model
    >>> family = EnvironmentMembershipFamily.linear_causal()
    >>> X, y, _ = family.sample(0, 1024, random_state=1)
    >>> report = audit_model(LinearRegression().fit(X, y), family, attacks="queries",
    ...                      adversary=Adversary(n_shadows=64), random_state=0)
    >>> isinstance(report, ModelAuditReport), report.is_informative
    (True, True)
    >>> report.posterior()["value"].tolist()
    [0, 1]
    """

    _title: ClassVar[str] = "Audit of a trained model"
    _format: ClassVar[FileFormat] = FileFormat(
        "wsl-model-audit-report",
        1,
        {
            "table": frame(
                {**GUESSES, "property": whole_number},
                "probability", "prior", "likelihood_ratio", *VALUE_ENDS, "property",
            ),
            "attack": TEXT,
            "posteriors": ARRAYS,
            "prior": ARRAY,
            "grid": optional(ARRAY),
            "average": frame(METRICS),
            "calibration": frame(CALIBRATION),
            "reliability": frame(RELIABILITY),
            "chance": NUMBERS,
            "truth": ARRAY,
            "guesses": ARRAYS,
            "scores": ARRAYS,
            "classes": optional(CLASSES),
            "skipped": TEXTS,
            "settings": SETTINGS,
            "names": TEXTS,
            "provenance": TEXTS,
        },
    )  # fmt: skip

    table: pd.DataFrame
    attack: str
    posteriors: dict[str, np.ndarray]
    prior: np.ndarray
    grid: np.ndarray | None
    average: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    chance: dict[str, float]
    truth: np.ndarray
    guesses: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    classes: tuple | None = field(default_factory=NoneType)
    skipped: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=provenance)

    def __post_init__(self) -> None:
        check_names(self.names)

    @property
    def is_informative(self) -> bool:
        """Whether the attack is shown to do better than chance on held-out models."""
        return self._text().is_informative

    def posterior(self, model: str | None = None, *, attack: str | None = None) -> pd.DataFrame:
        """Return the posterior of models over all values.

        Parameters
        ----------
        model : str, optional
            The name of a model; by default all.
        attack : str, optional
            An attack of the report; by default that of ``table``.

        Returns
        -------
        DataFrame
            One row per model and value: ``model``, ``property`` if there are several, ``value``,
            and ``prior`` and ``probability``: of a continuous property, densities.

        Raises
        ------
        InvalidInputError
            If the report holds no such model or attack.
        """
        names = list(dict.fromkeys(self.table["model"]))
        if model is not None and model not in names:
            raise InvalidInputError(f"`model` must be one of {names}; got {model!r}.")
        posteriors = self._part("posteriors", self.attack if attack is None else attack)
        values: Any = [self.classes] if self.grid is None else self.grid
        parts = []
        for index, name in enumerate(names):
            for column, points in enumerate(values):
                part = {"model": name, "property": column, "value": list(points)}
                part |= {"prior": self.prior[column], "probability": posteriors[index, column]}
                parts += [pd.DataFrame(part)] if model in (None, name) else []
        table = pd.concat(parts, ignore_index=True)
        return table if len(values) > 1 else table.drop(columns="property")

    def check(self, values: Any) -> pd.DataFrame:
        """Return how well calibrated the posteriors of the models are, given their true values.

        Parameters
        ----------
        values : array-like of shape (n_models,) or (n_models, n_properties)
            The true property of each model.

        Returns
        -------
        DataFrame
            One row per attack, with the columns of ``calibration``.

        Raises
        ------
        InvalidInputError
            If there is not one value per model, or a value is not among the classes.
        """
        truth = np.asarray(values, dtype=None if self.classes is None else object)
        n_models = len(self.posteriors[self.attack])
        if len(truth) != n_models:
            raise InvalidInputError(
                f"`values` must have one entry for each of {n_models} models; got {len(truth)}."
            )
        if self.classes is not None:
            unknown = [value for value in values if value not in self.classes]
            if unknown:
                raise InvalidInputError(
                    f"`values` must be among {self.classes}; got {unknown[0]!r}."
                )
            truth = np.array([self.classes.index(value) for value in values])
        return calibration_table(
            {
                name: check_posteriors(posteriors, self.grid, truth)
                for name, posteriors in self.posteriors.items()
            }
        )

    def explain(self) -> list[str]:
        """Return the findings in plain words: the models, then what to compare them with.

        Returns
        -------
        list of str
            Sentences.
        """
        words = self._text()
        texts = [words.finding(), *words.further()]
        return texts + [f"Attack '{name}' skipped: {why}." for name, why in self.skipped.items()]

    def plot(self, ax: Any = None) -> Any:
        """Plot the posterior of each model beside the prior.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        matplotlib Axes
            The Axes with the plot.

        See Also
        --------
        plot_reliability : How well posteriors are calibrated.
        """
        return draw_posteriors(self.table, axes_or_new(ax, 6.0, 1.4 + 0.3 * len(self.table)))

    def plot_reliability(self, ax: Any = None) -> Any:
        """Plot how often the guess is right by its probability, on held-out models.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new pyplot figure by default.

        Returns
        -------
        matplotlib Axes
            The Axes with the plot.

        See Also
        --------
        wsl.displays.ReliabilityDisplay : The same for all attacks, or for several reports.
        """
        rows = self.reliability[self.reliability["attack"] == self.attack]
        return draw_reliability({self.attack: rows}, self.classes is not None, axes_or_new(ax))

    def _text(self) -> ModelText:
        return ModelText(
            self.table, self.average, self.calibration, self.chance, self.attack, len(self.truth),
            self.classes, self.names,
        )  # fmt: skip

    def _check(self) -> None:
        check_guesses(self.truth, {"guesses": self.guesses, "scores": self.scores}, self.classes)
        shape = self.prior.shape
        for name, array in self.posteriors.items():
            if array.ndim != 3 or array.shape[1:] != shape:
                raise ValueError(f"`posteriors` of '{name}' must have shape (n_models, *{shape})")
        self.posterior()
        super()._check()

    def _sections(self) -> Sequence[Section]:
        finding, *further = self.explain()
        shown = self.table.head(MOST_ROWS)
        guesses = Plot(
            partial(draw_posteriors, shown), "The posterior of each model beside the prior",
            height=1.0 + 0.3 * len(shown),
        )  # fmt: skip
        reliability = Plot(self.plot_reliability, "How often the guess is right")
        return [
            Section(None, [Lead(finding), BulletList(further), guesses]),
            Section("The models", [DataTable(self.table), Paragraph(RULE)]),
            Section("What the same attacks achieve on held-out models", [DataTable(self.average)]),
            Section("Calibration", [reliability, DataTable(self.calibration), Paragraph(NOTE)]),
            *guess_sections(self.guesses, self.truth, self.classes),
            model_knowledge(self.settings),
            Section("What reduces a leak", [BulletList(MITIGATIONS)]),
            reproduction_section(self.provenance, self.settings, self._code()),
        ]

    def _code(self) -> str:
        attacks = [*self.posteriors, *self.skipped]
        return model_audit_code(self.settings, attacks)

    def __repr__(self) -> str:
        tables = [self.table, self.average, self.calibration]
        lines = [t.to_string(index=False, float_format="{:.3f}".format) for t in tables]
        lines += [f"skipped: {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(["ModelAuditReport", *lines])


NOTE = (
    "Calibration is checked on shadow models that neither the attack nor the calibration has used, "
    "with all values equally likely. Another prior changes a posterior by Bayes' rule. The model "
    "itself is calibrated alike if it was trained as the adversary assumes. A likelihood ratio is "
    "at most about the number of shadow models: what none of them has shown is not impossible."
)
