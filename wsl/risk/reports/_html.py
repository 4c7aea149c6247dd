"""What pages of reports are put together from: the frame, lists, tables, pictures.

Which parts a page has, and what they say, is in ``_page``.
"""

import base64
import io
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ccc; text-align: right }
th:first-child, td:first-child { text-align: left }
img { max-width: 100%; height: auto }
dt { font-weight: 600 } dd { margin: 0 0 .5rem; overflow-wrap: anywhere }
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
"""
)


def image(figure: Any, alt: str) -> str:
    """Return a figure as an element that holds its picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def items(texts: list[str]) -> str:
    """Return texts as the items of a list."""
    return "\n".join(f"<li>{escape(text)}</li>" for text in texts)


def table(frame: "pd.DataFrame") -> str:
    """Return a table; numbers have three decimals, those that are missing a dash."""
    if frame.empty:
        return "<p>No figures.</p>"
    return frame.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="–")


def definitions(settings: dict[str, Any]) -> str:
    """Return names with their values, as the entries of a list of definitions."""
    return "\n".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in settings.items()
    )
