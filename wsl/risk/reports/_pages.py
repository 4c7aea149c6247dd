"""The pages of reports: one file each, pictures and all.

Figures come from the reports, pictures are drawn in ``_pictures``; lists, tables and the frame of a
page are in ``_html``.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Any

from ..evaluation._roc import confusion_table
from ..evaluation._tables import headline
from . import _html
from ._plots import draw_confusion, draw_figures, draw_guesses, draw_roc, figure_size, new_figure

if TYPE_CHECKING:
    from ._audit_report import AuditReport
    from ._game_report import GameReport
    from ._sources_report import SourcesReport

AUDIT = Template(
    """<p>Someone who sees one trained model tries to tell from which of several distributions its
training data came. This page says how well that works.</p>
<h2>What the attacks found</h2>
<ul>
$findings
</ul>
$picture
$table
<p>The interval holds the figure that other target models and other shadow models would give, with
a confidence of 95%. Advantage 0 is guessing without a look at the model, 1 is certainty. "auc" is
the area under the ROC curve: how surely a model of one kind is ranked above one of the other.</p>
$details
$sources
<h2>What the adversary knew</h2>
<ul>
$knowledge
</ul>
<h2>How good the models are</h2>
$utility
<h2>How it was measured</h2>
<dl>
$settings
</dl>"""
)

GAME = Template(
    """<p>A distribution is drawn, and a model is trained on rows of it. An adversary who looks at
the model guesses a property of the distribution. This page says what its guesses cost.</p>
<h2>What the attacks found</h2>
<ul>
$findings
</ul>
$picture
$table
<p>Risk is the mean cost of a guess. Its interval holds the risk that other models would give, with
a confidence of 95%. Advantage 0 is the best guess without a look at the model, 1 is certainty.</p>
$details
<h2>What the adversary knew</h2>
<ul>
$knowledge
</ul>
<h2>How it was played</h2>
<dl>
$settings
</dl>"""
)

SOURCES = Template(
    """<ul>
$findings
</ul>
$picture
$table
<p>Each source was switched off, alone and together with the others; its part is the mean of what
the attack then lost, over all orders. Parts add up to the whole.</p>
<ul>
$notes
</ul>"""
)


def render(report: "AuditReport", sources: "SourcesReport | None" = None) -> str:
    """Return the page as a string, with where the leak comes from if that is known."""
    rows = headline(report.table).to_dict("records")
    findings = [_finding(row, report.chance) for row in rows]
    findings += [f"{name} was left out: {reason}." for name, reason in report.skipped.items()]
    figure = new_figure(*figure_size(report))
    draw_figures(report, figure.add_subplot())
    body = AUDIT.substitute(
        findings=_html.items(findings),
        picture=_html.image(figure, "Figure of each attack with its interval"),
        table=_html.table(report.table),
        details="\n".join(_details(report)),
        knowledge=_html.items(knowledge_of(report.settings)),
        utility=_html.table(report.utility),
        settings=_html.definitions(report.settings),
        sources="" if sources is None else f"<h2>Where it comes from</h2>\n{_section(sources)}",
    )
    return _html.PAGE.substitute(title="Distribution inference audit", body=body)


def render_sources(report: "SourcesReport") -> str:
    """Return the page of the sources alone."""
    measured = _html.definitions(report.settings)
    body = f"{_section(report)}\n<h2>How it was measured</h2>\n<dl>{measured}</dl>"
    return _html.PAGE.substitute(title="Sources of leakage", body=body)


def render_game(report: "GameReport") -> str:
    """Return the page of a game."""
    picture = ""
    if report.rows is not None:
        figure = new_figure(6.0, 4.0)
        report.plot(figure.add_subplot())
        picture = _html.image(figure, "What rows of data tell, beside what a model tells")
    body = GAME.substitute(
        findings=_html.items(report.explain()),
        picture=picture,
        table=_html.table(report.table),
        details="\n".join(_guesses(report)) if report.guesses else "",
        knowledge=_html.items(knowledge_of(report.settings)),
        settings=_html.definitions(report.settings),
    )
    return _html.PAGE.substitute(title="Inference game", body=body)


def _section(report: "SourcesReport") -> str:
    """Return what is said of the sources of leakage on either page."""
    figure = new_figure(6.0, 3.2)
    report.plot(figure.add_subplot())
    return SOURCES.substitute(
        findings=_html.items(report.explain()),
        picture=_html.image(figure, "The part of each source with its interval"),
        table=_html.table(report.table),
        notes=_html.items([f"{name}: off by {note}." for name, note in report.notes.items()]),
    )


def _details(report: "AuditReport") -> Iterator[str]:
    """Yield the sections that a report with guesses has beside the table."""
    if report.truth is None or not report.guesses:
        return
    if "auc" in set(report.table["metric"]):
        figure = new_figure(5.5, 4.2)
        curves = {name: report.roc(name) for name in report.scores}
        draw_roc(curves, figure.add_subplot())
        yield "<h2>How many models are found out at how few false alarms</h2>"
        yield _html.image(figure, "ROC curves of the attacks")
    yield from _guesses(report)


def _guesses(report: "AuditReport | GameReport") -> Iterator[str]:
    """Yield what each attack guessed beside the truth; of two classes the figures say it all."""
    truth: Any = report.truth
    if report.classes is None:
        yield "<h2>Guessed against true</h2>"
        yield _pictures(
            [
                partial(draw_guesses, own, truth, name, column)
                for name, own in report.guesses.items()
                for column in range(truth[:1].size)
            ]
        )
    elif len(report.classes) > 2:
        yield "<h2>Which property is taken for which</h2>"
        tables = {
            name: confusion_table(own, truth, report.classes)
            for name, own in report.guesses.items()
        }
        yield _pictures([partial(draw_confusion, own, name) for name, own in tables.items()])


def _pictures(plots: list[Callable[..., Any]]) -> str:
    """Draw pictures, each by a function of its Axes, two beside each other."""
    n_rows = math.ceil(len(plots) / 2)
    figure = new_figure(8.0, 3.6 * n_rows)
    for place, plot in enumerate(plots):
        plot(figure.add_subplot(n_rows, 2, place + 1))
    return _html.image(figure, "What each attack guessed, beside the truth")


def knowledge_of(settings: dict[str, Any]) -> list[str]:
    """Say in plain words what an audit's settings let the adversary know."""
    if "adversary_learner" not in settings:
        return ["The settings below say all that is known of it."]
    told = []
    for name, shown in (("learner", "learner"), ("family", "distributions that data come from")):
        same = settings[f"adversary_{name}"] == settings[name]
        told.append(
            f"It knows the {shown}." if same else
            f"It takes the {shown} to be: {settings[f'adversary_{name}']}."
        )  # fmt: skip
    told.append(
        f"It trained {settings['n_shadows']} shadow models on {settings['adversary_n_samples']} "
        f"rows each; targets are trained on {settings['n_samples']}."
    )
    asked = {
        "family": "drawn from its own distributions",
        "random": "of independent random numbers",
        "given": "that it was given",
    }
    told.append(
        f"Its black-box attacks ask {settings['n_queries']} queries "
        f"{asked[settings['queries']]}, and see "
        f"{'no more than the decided class' if settings['labels_only'] else 'whole answers'}."
    )
    if settings.get("access") == "white_box":
        told.append("It sees the weights, too.")
    return told


def _finding(row: dict[Any, Any], chance: dict[str, float]) -> str:
    """Say in plain words what one row of the table means."""
    guessing, value, low, high = (
        chance[row["metric"]], row["value"], row["ci_low"], row["ci_high"],
    )  # fmt: skip
    name = row["attack"] + _sees(row["attack"])
    if row["metric"] == "accuracy":
        text = (
            f"{name}: the property is guessed for {value:.1%} of the models (interval {low:.1%} to "
            f"{high:.1%}); who does not look at the model is right for {guessing:.1%}."
        )
    else:
        text = (
            f"{name}: the guess misses the property by {value:.3f} on average (interval {low:.3f} "
            f"to {high:.3f}); who does not look at the model misses it by {guessing:.3f}."
        )
    if low <= guessing <= high:
        text += " The interval holds chance: this attack found no leak. Another might."
    elif math.isfinite(row["n_leaked"]):
        n_rows = math.ceil(row["n_leaked"])
        text += f" To tell as much from data takes at least {n_rows} row{'s' * (n_rows > 1)} of it."
    return text


def _sees(attack: str) -> str:
    """Say what a strategy sees; of an attack under a name of its own, nothing."""
    from ...attacks import STRATEGIES

    if attack not in STRATEGIES:
        return ""
    return f" (sees {'the weights' if STRATEGIES[attack].white_box else 'answers to queries'})"
