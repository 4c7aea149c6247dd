"""The public objects of ``wsl``: what the API reference shows and the docstring check reads."""

import inspect
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # this checkout's package, installed or not

import wsl  # noqa: E402


def public_objects() -> dict[str, dict[str, Any]]:
    """Return the public names of each subpackage and their objects, constants among them.

    A LookupError says which names of ``wsl.__all__`` no subpackage has.
    """
    objects = {}
    for folder in sorted(wsl._SUBPACKAGES):
        module = import_module(f"wsl.{folder}")
        names = sorted(names_of(module))
        objects[module.__name__] = {name: getattr(module, name) for name in names}
    listed = {id(value) for names in objects.values() for value in names.values()}
    missing = [name for name in wsl.__all__ if id(getattr(wsl, name)) not in listed]
    if missing != ["__version__"]:
        raise LookupError(f"wsl.__all__ has names that no subpackage has: {missing}")
    return objects


def names_of(module: ModuleType) -> list[str]:
    """Return the names that a module lists, or its classes where it has no list."""
    classes = [name for name, value in vars(module).items() if inspect.isclass(value)]
    return getattr(module, "__all__", classes)


def shortest_name(module: str, name: str) -> str:
    """Return the name under which users import an object, ``wsl.audit`` for ``wsl.risk.audit``."""
    return f"wsl.{name}" if name in wsl.__all__ else f"{module}.{name}"


def own_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the names of public methods and properties that wsl defines, and their code.

    What a base class outside ``wsl`` brings is documented there.
    """
    for name in sorted({name for base in cls.__mro__ for name in vars(base)}):
        if name.startswith("_"):
            continue
        code = code_of(inspect.getattr_static(cls, name), getattr(cls, name, None))
        if code is not None and code.__module__.split(".")[0] == "wsl":
            yield name, code


def code_of(static: Any, value: Any) -> Any:
    """Return the plain function behind a method or a property, None for anything else."""
    if isinstance(static, property):
        return inspect.unwrap(static.fget)
    if isinstance(static, cached_property):
        return static.func
    value = inspect.unwrap(getattr(value, "__func__", value))
    return value if inspect.isfunction(value) else None


def summary_of(module: str) -> str:
    """Return the docstring of a subpackage."""
    return inspect.getdoc(import_module(module)) or ""
