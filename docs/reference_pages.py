"""Writes the sources of the API reference: an index, and a page for each subpackage.

The lists come from ``__all__``, so a new public name is in the reference as soon as it is listed.
autosummary makes the page of each object from the templates in ``_templates/autosummary``.
"""

import inspect
from pathlib import Path
from typing import Any

from public_api import own_members, public_objects, shortest_name, summary_of

GROUPS = ("Classes", "Functions", "Constants", "Exceptions and warnings")


def documented_names() -> dict[str, Any]:
    """Return every public object by the name under which it is documented."""
    return {
        shortest_name(module, name): value
        for module, names in public_objects().items()
        for name, value in names.items()
    }


def template_context() -> dict[str, Any]:
    """Return what the templates need to know: members of classes, keys of constants."""
    members, keys = {}, {}
    for name, value in documented_names().items():
        if inspect.isclass(value):
            found = [member for member, _ in own_members(value)]
            is_property = {m: not callable(getattr(value, m)) for m in found}
            members[name] = {
                "methods": [m for m in found if not is_property[m]],
                "properties": [m for m in found if is_property[m]],
            }
        elif not callable(value):
            keys[name] = sorted(value)
    return {"own_members": members, "keys": keys}


def write_reference(folder: Path) -> None:
    """Write the index and the pages of subpackages; remove pages of objects that are gone."""
    subpackages = public_objects()
    folder.mkdir(parents=True, exist_ok=True)
    toctree = "".join(f"   {module}\n" for module in subpackages)
    write(
        folder / "index.rst",
        f"{heading('API reference')}\nEvery public class and function, by subpackage. Names in "
        "``wsl`` itself can be imported from ``wsl``.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{toctree}",
    )
    for module, names in subpackages.items():
        write(folder / f"{module}.rst", subpackage_page(module, names))
    current = documented_names()
    for file in (folder / "generated").glob("*.rst"):
        if file.stem not in current:
            file.unlink()


def subpackage_page(module: str, names: dict[str, Any]) -> str:
    """Return the page of one subpackage: its docstring, and a table for each kind of object."""
    parts = [heading(module), summary_of(module), ""]
    for group in GROUPS:
        entries = [f"   ~{shortest_name(module, n)}" for n, v in names.items() if kind(v) == group]
        if entries:
            parts += [heading(group, "-"), ".. autosummary::", "   :toctree: generated"]
            parts += ["   :nosignatures:", "", *entries, ""]
    return "\n".join(parts)


def kind(value: Any) -> str:
    """Return the group under which an object is listed."""
    if inspect.isclass(value):
        return GROUPS[3] if issubclass(value, Exception) else GROUPS[0]
    return GROUPS[1] if callable(value) else GROUPS[2]


def heading(text: str, mark: str = "=") -> str:
    """Return a reStructuredText heading."""
    return f"{text}\n{mark * len(text)}\n"


def write(path: Path, text: str) -> None:
    """Write a page that differs from what is there, so that an old one is not read again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
