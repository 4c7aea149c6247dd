"""How an architecture is shown in a terminal and in a notebook."""

from xml.etree import ElementTree

from torch import nn

from wsl import Architecture


def table_of(architecture):
    page = ElementTree.fromstring(architecture._repr_html_())
    return [["".join(cell.itertext()) for cell in row] for row in page.iter("tr")]


def test_a_notebook_shows_where_each_parameter_lies_in_a_row():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    architecture = Architecture(module)
    header, *rows = table_of(architecture)
    assert header == ["parameter", "shape", "columns of a row", "trained"]
    assert [row[0] for row in rows] == list(architecture.parameter_names)
    assert rows[:2] == [["0.weight", "3 x 2", "0 to 5", "yes"], ["0.bias", "3", "6 to 8", "yes"]]
    assert [row[3] for row in rows] == ["yes"] * 6 + ["no"] * 2
    page = ElementTree.fromstring(architecture._repr_html_())
    assert page.findtext("summary/code") == repr(architecture)


def test_names_are_escaped_in_html():
    module = nn.Sequential()
    module.add_module("<script>", nn.Linear(2, 1))
    assert table_of(Architecture(module))[1][0] == "<script>.weight"


def test_long_tables_are_cut():
    architecture = Architecture.mlp(2, [2] * 60, 1)
    assert len(architecture.parameter_names) == 122
    assert table_of(architecture)[-1] == ["and 22 more"]
