"""Digests of JSON values, and of objects with their code."""

import hashlib
import inspect
import io
import json
import pickle
import sys
from importlib.metadata import version
from types import FunctionType
from typing import Any

import joblib

from . import __version__
from .exceptions import InvalidInputError

LIBRARIES = ("numpy", "scikit-learn", "torch")  # other versions may train other models


def digest_of(parts: dict[str, Any]) -> str:
    """Return a digest of JSON values and of the versions of the libraries that train models."""
    return json_digest([[__version__, *map(version, LIBRARIES)], parts])


def json_digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value; the order of keys does not matter."""
    return text_digest(json.dumps(value, sort_keys=True))


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return bytes_digest(text.encode())


def bytes_digest(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def identify(value: Any, name: str) -> list[str]:
    """Return digests of an object's state and of the code of the classes and functions in it.

    Installed code, and that of wsl, is identified by name and version.

    Raises
    ------
    InvalidInputError
        If the object does not pickle, or holds code of which no source is found.
    """
    try:
        collector = _CodeCollector(io.BytesIO())
        collector.dump(value)
        return [joblib.hash(value), *sorted(collector.digests)]
    except (pickle.PicklingError, AttributeError, TypeError, OSError) as error:
        raise InvalidInputError(
            f"`{name}` must have a digest, so that a cache can find its models again; got "
            f"{value!r}: {error}. Define its classes and functions at the top level of a module, "
            "or pass no cache."
        ) from error


class _CodeCollector(pickle.Pickler):
    """Collects digests of the classes and functions that are pickled with an object."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.digests: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (type, FunctionType)):
            for code in obj.__mro__ if isinstance(obj, type) else (obj,):
                self.digests.add(_code_digest(code))
        return NotImplemented


def _code_digest(code: Any) -> str:
    """Return the name of a class or function with its version or the digest of its source."""
    name = f"{code.__module__}.{code.__qualname__}"
    top = code.__module__.split(".")[0]
    if _is_installed(top):
        return f"{name} {getattr(sys.modules.get(top), '__version__', '')}"
    if "<" in code.__qualname__:
        raise pickle.PicklingError(f"{name} is not at the top level of its module")
    source = inspect.getsource(code)
    return f"{name} {text_digest(source)}"


def _is_installed(package: str) -> bool:
    """Return True if a package's code changes only with its version."""
    ours = __name__.split(".")[0]
    if package in (ours, "builtins") or package in sys.stdlib_module_names - {"__main__"}:
        return True
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file
