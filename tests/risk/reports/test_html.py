"""Pages, Markdown and notebooks: nothing of the user's runs, plots leave pyplot alone."""

import dataclasses
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from wsl.risk import AuditReport, SourcesReport
from wsl.risk.reports._html import (
    BulletList,
    Code,
    DataTable,
    DefinitionList,
    Lead,
    Paragraph,
    Plot,
    Section,
    render_fragment,
    render_markdown,
    render_page,
)

EVIL = "<script>alert(1)</script> & $x$ {{ 7 * 7 }} | a_b\ud800"
SECTIONS = [
    Section(None, [Lead(EVIL), Paragraph(EVIL), BulletList([EVIL, "second"])]),
    Section(EVIL, [DefinitionList({EVIL: EVIL}), DataTable(pd.DataFrame({EVIL: [EVIL]}))]),
    Section("Code", [Code("x = 1\ny = '<b>'"), DataTable(pd.DataFrame())]),
]


class Reader(HTMLParser):
    """Collects tags and text, and fails on what is not closed in order."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    return reader


@pytest.mark.parametrize("render", [render_page, render_fragment])
def test_text_of_others_is_shown_and_never_runs(render):
    page = render(EVIL, SECTIONS)
    reader = read(page)
    assert "script" not in reader.tags
    shown = "".join(reader.text)
    assert shown.count("<script>alert(1)</script> & $x$ {{ 7 * 7 }}") >= 8
    assert "49" not in shown
    page.encode("utf-8")


def test_markdown_shows_characters_and_no_markup():
    text = render_markdown(EVIL, SECTIONS)
    text.encode("utf-8")
    assert "\\<script\\>" in text
    assert "<script>" not in text
    lines = text.splitlines()
    row = next(line for line in lines if line.startswith("| ") and "script" in line)
    assert row.count("|") - row.count("\\|") == 2, "a cell adds no columns"
    assert "```python\nx = 1\ny = '<b>'\n```" in text
    assert "No metrics." in text


def test_numbers_of_a_table():
    table = DataTable(pd.DataFrame({"a": [0.5, np.nan, 1e-5, np.inf, 0.0], "b": [3, 1, 2, 0, 5]}))
    assert [row[0] for row in table.rows] == ["0.500", "–", "1e-05", "inf", "0.000"]
    assert [row[1] for row in table.rows] == ["3", "1", "2", "0", "5"]


def test_a_plot_is_svg_in_the_colors_of_the_page():
    plt.close("all")
    plot = Plot(lambda ax: ax.plot([1, 2], label="<b>") and ax.legend(), "a <line>")
    assert plt.get_fignums() == []
    svg = plot.svg
    assert svg.startswith("<svg")
    assert "http" not in svg
    assert "currentColor" in svg
    assert "&lt;b&gt;" in svg
    assert svg == plot.svg, "one plot gives one text"
    page = read(render_page("t", [Section(None, [plot, plot])]))
    assert page.tags.count("svg") == 2
    assert plt.get_fignums() == []


def test_plots_take_names_in_any_script(recwarn):
    svg = Plot(lambda ax: ax.set_title("公平 \u0ba8 \U0001f512"), "title").svg
    assert "公平" in svg
    assert not recwarn.list


ROWS = [
    ("$a$ <i>", "accuracy", 0.9, 0.85, 0.94, 0.8, np.nan),
    ("_b", "accuracy", 0.6, 0.45, 0.7, 0.2, np.nan),
]
AUDIT = AuditReport(pd.DataFrame(ROWS, columns=list(AuditReport.COLUMNS)), chance={"accuracy": 0.5})
SOURCES = SourcesReport(
    pd.DataFrame(
        [("sample", 0.5, 0.4, 0.6), ("rest", 0.1, 0.0, 0.2), ("total", 0.6, 0.5, 0.7)],
        columns=["source", "advantage", "ci_low", "ci_high"],
    ),
    pd.DataFrame(),
    pd.DataFrame(),
)


@pytest.mark.parametrize("report", [AUDIT, SOURCES], ids=["audit", "sources"])
def test_what_every_report_offers(report, tmp_path):
    plt.close("all")
    finding = report.explain()[0]
    page = report.to_html(tmp_path / "new" / "page.html").read_text()
    assert finding in "".join(read(page).text)
    assert page.index(finding.split("'")[0]) < page.index("<svg"), "a page opens with the finding"
    assert plt.get_fignums() == [], "pages leave no figures open"
    assert finding.split("'")[0] in report.to_markdown()
    notebook = report._repr_html_()
    assert "<html" not in notebook
    assert finding in "".join(read(notebook).text)
    frame = report.to_frame()
    pd.testing.assert_frame_equal(frame, report.table)
    frame.iloc[0, 1:] = np.nan
    assert report.table.notna().iloc[0, 2], "a copy"
    assert report.provenance["date"] in page
    assert report.provenance["torch"] in page
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.table = frame


def test_the_page_follows_the_screen():
    page = render_page("t", SECTIONS)
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert page.count('class="scroll"') == 2, "tables and code scroll, the page does not"
