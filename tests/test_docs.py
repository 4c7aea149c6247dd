"""That the documentation names what there is: every public object, every display, every file."""

import re
import sys
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.linear_model import LogisticRegression

import wsl
from wsl import displays

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "user_guide").glob("*.rst"))
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))


@pytest.fixture(scope="module")
def reference():
    """Return the module that writes the API reference."""
    sys.path.insert(0, str(DOCS))
    try:
        import reference_pages
    finally:
        sys.path.remove(str(DOCS))
    return reference_pages


@pytest.fixture(scope="module")
def reference_pages(reference, tmp_path_factory):
    """Write the API reference, and return the text of each of its pages by subpackage."""
    folder = tmp_path_factory.mktemp("reference")
    reference.write_reference(folder)
    return {file.stem: file.read_text() for file in folder.glob("*.rst")}


def test_every_public_object_is_in_the_reference(reference_pages):
    listed = set(re.findall(r"^   ~(\S+)$", "\n".join(reference_pages.values()), re.MULTILINE))
    assert {f"wsl.{name}" for name in wsl.__all__} - {"wsl.__version__"} <= listed
    for folder in wsl._SUBPACKAGES:
        module = getattr(wsl, folder)
        for name in getattr(module, "__all__", ()):
            assert {f"wsl.{name}", f"wsl.{folder}.{name}"} & listed, f"{folder}.{name}"


def test_every_subpackage_has_a_page(reference_pages):
    assert set(reference_pages) == {"index", *(f"wsl.{folder}" for folder in wsl._SUBPACKAGES)}
    for name in set(reference_pages) - {"index"}:
        assert f"   {name}\n" in reference_pages["index"]


def test_pages_of_what_is_gone_are_removed(reference, tmp_path):
    (tmp_path / "generated").mkdir()
    old, current = (tmp_path / "generated" / f"wsl.{name}.rst" for name in ("gone", "ModelZoo"))
    old.touch()
    current.touch()
    reference.write_reference(tmp_path)
    assert current.exists()
    assert not old.exists()


@pytest.mark.parametrize("name", displays.__all__)
def test_every_display_has_an_example(name):
    assert any(re.search(rf"\b{name}\.", file.read_text()) for file in EXAMPLES)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_end_in_a_plot(file):
    assert re.match(r'"""\n(.+)\n(=+)\n', file.read_text()), "a title first"
    assert file.read_text().rstrip().endswith("plt.show()")


def test_every_file_of_the_table_where_is_what_exists():
    table = (DOCS / "contributing.rst").read_text()
    rows = re.findall(r"^   \* - (.+)\n     - ``(\S+)``$", table, re.MULTILINE)
    assert len(rows) >= 35
    assert len({feature for feature, _ in rows}) == len(rows)
    missing = [path for _, path in rows if not (ROOT / path).exists()]
    assert not missing


def public_estimators():
    return [
        kind
        for name in sorted(set(wsl.__all__) - {"__version__"})
        if isinstance(kind := getattr(wsl, name), type) and issubclass(kind, BaseEstimator)
    ]


@pytest.mark.parametrize("kind", public_estimators(), ids=lambda kind: kind.__name__)
def test_estimators_link_to_their_page(kind, reference, monkeypatch):
    estimator = kind(*([LogisticRegression()] if issubclass(kind, MetaEstimatorMixin) else []))
    assert estimator._get_doc_link() == "", "there is no site until one is named"
    assert f"Documentation for {kind.__name__}" not in estimator._repr_html_()
    monkeypatch.setenv("WSL_DOC_URL", "https://docs.example/wsl/")
    page = f"wsl.{kind.__name__}"
    assert page in reference.documented_names()
    assert estimator._get_doc_link() == f"https://docs.example/wsl/reference/generated/{page}.html"
    assert estimator._get_doc_link() in estimator._repr_html_()


def test_estimators_of_others_link_nowhere(monkeypatch):
    monkeypatch.setenv("WSL_DOC_URL", "https://docs.example/wsl")
    theirs = type("Theirs", (wsl.WeightStatistics,), {"__module__": "theirs"})
    assert theirs()._get_doc_link() == ""
