"""How Sphinx builds the documentation: ``python -m sphinx -W --keep-going -b html docs site``."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WSL_DOC_URL"] = ".."  # estimators that the gallery shows link to their page, from there

from public_api import public_objects, shortest_name  # noqa: E402
from reference_pages import documented_names, template_context, write_reference  # noqa: E402
from sphinx.util.nodes import make_refnode  # noqa: E402

import wsl  # noqa: E402

project = "wsl"
author = "The wsl developers"
copyright = author
release = version = wsl.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "site", "**/GALLERY_HEADER.rst"]
templates_path = ["_templates"]
default_role = "literal"
maximum_signature_line_length = 88

write_reference(DOCS / "reference")
autosummary_context = template_context()
autodoc_typehints = "none"  # types stand in the docstrings
numpydoc_show_class_members = False  # the template of a class lists them

html_theme = "pydata_sphinx_theme"
html_title = f"wsl {release}"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}

for page in (DOCS / "gallery").glob("plot_*"):  # of examples that are gone, which Sphinx would miss
    if not (DOCS / "examples" / page.name.split(".")[0]).with_suffix(".py").exists():
        page.unlink()

sphinx_gallery_conf = {
    "examples_dirs": str(DOCS / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "doc_module": ("wsl",),
    "backreferences_dir": "reference/backreferences",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "capture_repr": ("_repr_html_", "__repr__"),
    "matplotlib_animations": False,
}


ALIASES = {
    alias: shortest_name(module, name)
    for module, names in public_objects().items()
    for name in names
    for alias in (name, f"{module}.{name}")
}


def resolve_public_name(app, env, node, contnode):
    """Link a public object under any of its names: ``audit``, ``wsl.audit``, ``wsl.risk.audit``."""
    name = ALIASES.get(node.get("reftarget"))
    if node.get("refdomain") != "py" or name is None:
        return None
    page = f"reference/generated/{name}"
    return make_refnode(app.builder, node["refdoc"], page, name, contnode, name)


def check_reference(app, exception):
    """Fail a build in which a public object has no page."""
    if exception is None and app.builder.name == "html":
        described = app.env.get_domain("py").objects
        missing = sorted(set(documented_names()) - set(described))
        if missing:
            raise LookupError(f"the API reference misses {missing}")


def setup(app):
    """Connect what this file adds to Sphinx."""
    app.connect("missing-reference", resolve_public_name)
    app.connect("build-finished", check_reference)
