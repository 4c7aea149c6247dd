"""What ``import wsl`` gives and costs, and that everything it names is explained."""

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module

import pytest

import wsl

NAMES = sorted(set(wsl.__all__) - {"__version__"})
FOLDERS = sorted(wsl._SUBPACKAGES)
HEAVY = {"torch", "pandas", "matplotlib", "skorch", "sklearn", "scipy", "safetensors", "joblib"}


def in_a_fresh_process(code):
    """Run code and return what it printed, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def public_objects():
    """Every function and class that ``wsl`` or one of its folders names, once."""
    found = {}
    for module in (wsl, *(import_module(f"wsl.{folder}") for folder in FOLDERS)):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if callable(value):
                found.setdefault(value, f"{module.__name__}.{name}")
    return found


OBJECTS = public_objects()
every_object = pytest.mark.parametrize("value", OBJECTS, ids=OBJECTS.get)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name):
    value = getattr(wsl, name)
    assert value.__name__ == name
    assert value.__module__.startswith("wsl.")
    assert name in import_module(f"wsl.{wsl._PUBLIC[name]}").__all__


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_is_there(folder):
    module = getattr(wsl, folder)
    assert module is import_module(f"wsl.{folder}")
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name)


def test_names_are_listed():
    assert len(set(wsl.__all__)) == len(wsl.__all__)
    assert set(wsl.__all__) | set(FOLDERS) <= set(dir(wsl))
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", wsl.__version__)
    namespace = {}
    exec("from wsl import *", namespace)
    assert set(NAMES) <= set(namespace)


def test_an_unknown_name_is_an_error():
    with pytest.raises(AttributeError, match="module 'wsl' has no attribute 'Autoencoder'"):
        wsl.Autoencoder  # noqa: B018
    assert not hasattr(wsl, "_zoo")


def test_the_import_loads_nothing_heavy():
    code = "import json, sys, wsl; dir(wsl); print(json.dumps(sorted(sys.modules)))"
    loaded = {module.split(".")[0] for module in in_a_fresh_process(code)}
    assert not loaded & HEAVY


def test_the_import_costs_next_to_nothing():
    code = """
import json, sys, time
import numpy, sklearn
before, start = set(sys.modules), time.perf_counter()
import wsl
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""
    seconds, modules = in_a_fresh_process(code)
    assert modules == ["wsl"]
    assert seconds < 0.3


@pytest.mark.parametrize("name", ["metrics", "exceptions"])
def test_what_needs_no_network_loads_no_plots(name):
    code = f"import json, sys, wsl; wsl.{name}; print(json.dumps(sorted(sys.modules)))"
    loaded = {module.split(".")[0] for module in in_a_fresh_process(code)}
    assert not loaded & {"matplotlib", "skorch"}


@every_object
def test_parameters_are_explained(value, documented):
    """Those of a class that is made elsewhere, such as a report, may stand as attributes."""
    named = documented(value.__doc__, "Parameters") or documented(value.__doc__, "Attributes")
    taken = list(inspect.signature(value).parameters)
    assert set(taken) <= set(named)
    if documented(value.__doc__, "Parameters"):
        assert named == taken, "in the order of the signature, and no other"


@every_object
def test_docstrings_open_with_a_sentence(value):
    first = inspect.getdoc(value).split("\n\n")[0]
    assert first.endswith("."), first
    assert "\n" not in first, "the summary is one line"


@pytest.mark.parametrize("name", NAMES)
def test_public_names_come_with_an_example(name):
    text = inspect.getdoc(getattr(wsl, name))
    assert "Examples\n--------\n" in text
    example = text.split("Examples\n--------\n")[1]
    assert ">>> " in example
    assert name in example or name == "DistributionFamily"  # nobody makes one of it


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(getattr(wsl, name), type)])
def test_public_methods_are_explained(name):
    kind = getattr(wsl, name)
    for method, value in inspect.getmembers(kind, callable):
        if not method.startswith("_"):
            assert inspect.getdoc(value), method
