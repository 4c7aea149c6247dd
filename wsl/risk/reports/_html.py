"""Documents as HTML and Markdown: titled sections of text, lists, tables and plots."""

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from ..._plotting import printable

if TYPE_CHECKING:
    import pandas as pd

INK = "#010203"  # drawn in plots where the page's own text color shall be


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Lead(Paragraph):
    """The sentence that a document opens with."""

    kind: ClassVar[str] = "lead"


@dataclass(frozen=True)
class Code(Paragraph):
    """Lines of code."""

    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class BulletList:
    """Sentences, one below the other."""

    kind: ClassVar[str] = "bullets"
    texts: Sequence[str]


@dataclass(frozen=True)
class DefinitionList:
    """Names with their values."""

    kind: ClassVar[str] = "definitions"
    entries: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class DataTable:
    """A table; numbers have three decimals, or three digits if small; missing ones are a dash."""

    kind: ClassVar[str] = "table"
    frame: "pd.DataFrame"

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [str(name) for name in self.frame.columns]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of each row as text."""
        return [[_cell(value) for value in row] for row in self.frame.itertuples(index=False)]


@dataclass(frozen=True, eq=False)
class Plot:
    """A plot: ``draw`` takes the Axes, ``alt`` says what is seen; sizes are in inches."""

    kind: ClassVar[str] = "plot"
    draw: Callable[[Any], Any]
    alt: str
    width: float = 4.8
    height: float = 3.6

    @property
    def svg(self) -> str:
        """The plot as an SVG element that takes the text color of the page."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        settings: dict[Any, Any] = dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor"), INK
        )
        settings |= {"xtick.color": INK, "ytick.color": INK, "svg.fonttype": "none"}
        settings["svg.hashsalt"] = "wsl"  # one report gives one page
        with mpl.rc_context(settings):
            figure = Figure((self.width, self.height), layout="constrained")  # pyplot knows it not
            self.draw(figure.add_subplot(facecolor="none"))
            file = io.StringIO()
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            with warnings.catch_warnings():  # the reader's fonts count, and not those of here
                warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
                figure.savefig(file, format="svg", transparent=True, metadata=nothing)
        text = file.getvalue().replace(INK, "currentColor")
        text = re.sub(r' (xmlns(:xlink)?|version)="[^"]*"', "", text[text.index("<svg") :])
        return re.sub(r'<g id="[^"]*">', "<g>", text)  # such ids would repeat within a page


@dataclass(frozen=True)
class Section:
    """A part of a document; without a title it continues the part before."""

    title: str | None
    blocks: list[Any] = field(default_factory=list)


def _cell(value: Any) -> str:
    """Return a value of a table as text."""
    if value is None or value != value:  # NaN
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}" if 0 < abs(value) < 0.001 else f"{value:.3f}"
    return str(value)


@cache
def _templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("wsl.risk.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def render_page(title: str, sections: Sequence[Section]) -> str:
    """Return a page that needs no other file."""
    return _render("page.html", title, sections)


def render_fragment(title: str, sections: Sequence[Section]) -> str:
    """Return what a notebook shows: an element with its own style."""
    return _render("fragment.html", title, sections)


def _render(template: str, title: str, sections: Sequence[Section]) -> str:
    return printable(_templates().get_template(template).render(title=title, sections=sections))


def render_markdown(title: str, sections: Sequence[Section]) -> str:
    """Return the document as Markdown, with the description of each plot in its place."""
    lines = [f"# {_escaped(title)}"]
    for section in sections:
        lines += [] if section.title is None else [f"## {_escaped(section.title)}"]
        lines += [_MARKDOWN[block.kind](block) for block in section.blocks]
    return printable("\n\n".join(lines) + "\n")


def _escaped(value: Any) -> str:
    """Return text whose characters mean nothing in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", str(value)).replace("\n", " ")


def _markdown_table(table: DataTable) -> str:
    if table.frame.empty:
        return "No metrics."
    rows = [table.columns, *table.rows]
    lines = ["| " + " | ".join(map(_escaped, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(table.columns), *lines[1:]])


_MARKDOWN: dict[str, Callable[[Any], str]] = {
    "paragraph": lambda block: _escaped(block.text),
    "lead": lambda block: f"**{_escaped(block.text)}**",
    "code": lambda block: f"```python\n{block.text}\n```",
    "bullets": lambda block: "\n".join(f"- {_escaped(text)}" for text in block.texts),
    "definitions": lambda block: "\n".join(
        f"- {_escaped(name)}: {_escaped(value)}" for name, value in block.entries.items()
    ),
    "table": _markdown_table,
    "plot": lambda block: f"({_escaped(block.alt)})",
}
