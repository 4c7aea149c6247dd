"""The public objects of ``wsl``: what the API reference lists and the docstring check reads."""

import inspect
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # this checkout's package, installed or not

import wsl  # noqa: E402


def public_names(module: ModuleType) -> list[str]:
    """Return the names that a module lists, or all that it defines where it has no list."""
    defined = [name for name, value in vars(module).items() if inspect.isclass(value)]
    return getattr(module, "__all__", defined)


def public_objects() -> dict[str, dict[str, Any]]:
    """Return the public names of each subpackage and their objects, constants among them.

    Everything that ``wsl.__all__`` names has its place in a subpackage.
    """
    objects = {}
    for folder in sorted(wsl._SUBPACKAGES):
        module = import_module(f"wsl.{folder}")
        objects[module.__name__] = {
            name: getattr(module, name) for name in sorted(public_names(module))
        }
    placed = {id(value) for names in objects.values() for value in names.values()}
    homeless = [name for name in wsl.__all__ if id(getattr(wsl, name)) not in placed]
    if homeless != ["__version__"]:
        raise LookupError(f"wsl.__all__ names what no subpackage names: {homeless}")
    return objects
