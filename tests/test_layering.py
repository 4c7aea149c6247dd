"""The structure of the package: layers, no import circles, one name for one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import wsl

ROOT = Path(wsl.__file__).parent
LAYERS = [
    "exceptions", "_files", "_decode_json", "_decode_arrays", "_locks", "_batches",
    "_caller_warnings", "_interrupts", "_workers", "_skorch_net", "_seeded_modules",
    "_random", "_scaling", "_sklearn_compat", "_device", "_threads", "_digest", "_progress",
    "_torch_defaults", "_frames", "_validation", "_estimator_input",
    "_diverged", "_outputs", "_queries", "_plotting",
    "architectures", "metrics", "zoo", "distributions", "datasets", "features", "autoencoder",
    "causal", "attacks", "risk", "displays", "_demo", "_cli", "__main__",
]  # fmt: skip
SHARED_FILE_NAMES = {"__init__", "_base", "_estimators", "_losses", "_network"}
PLAIN_TORCH = (
    "architectures/tracing", "architectures/forward", "architectures/symmetry",
    "architectures/spec", "zoo/training", "causal/penalties", "autoencoder/network",
    "autoencoder/losses", "autoencoder/codes", "autoencoder/tokens",
)  # fmt: skip
FILES = sorted(ROOT.rglob("*.py"))
MODULES = {
    ".".join(["wsl", *file.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): file
    for file in FILES
}


def imported_modules(file: Path) -> set[str]:
    """Return the dotted names that a file imports, also for type checking, made absolute."""
    package = ["wsl", *file.relative_to(ROOT).parent.parts]
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            whole = [f"{stem}.{alias.name}" for alias in node.names]
            names |= {name if name in MODULES else stem for name in whole}
    return names


GRAPH = {
    name: {used for used in imported_modules(file) if used in MODULES} - {name}
    for name, file in MODULES.items()
}


def import_circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other (the strongly connected components)."""

    def reachable(start: str) -> set[str]:
        seen, stack = set(), [start]
        while stack:
            for name in graph[stack.pop()] - seen:
                seen.add(name)
                stack.append(name)
        return seen

    below = {name: reachable(name) for name in graph}
    circles = {
        tuple(sorted(other for other in below[name] if name in below[other]))
        for name in graph
        if name in below[name]
    }
    return sorted(map(list, circles))


def repeated(names: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: places for name, places in names.items() if len(places) > 1}


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert import_circles(graph) == [["a", "b", "c"]]


def test_no_file_imports_itself_through_others():
    assert import_circles(GRAPH) == []


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"wsl"}))
def test_imports_point_downwards(name):
    layer = name.split(".")[1]
    assert layer in LAYERS, f"{layer} has no place in the layers"
    used = {other.split(".")[1] for other in GRAPH[name] if other != "wsl"}
    assert not [other for other in used if LAYERS.index(other) > LAYERS.index(layer)]


def test_a_file_name_is_used_once():
    names = defaultdict(list)
    for file in FILES:
        names[file.stem].append(str(file.relative_to(ROOT)))
    assert not {n: f for n, f in repeated(names).items() if n not in SHARED_FILE_NAMES}


def test_a_class_name_is_used_once():
    names = defaultdict(list)
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                names[node.name].append(str(file.relative_to(ROOT)))
    assert not repeated(names)


@pytest.mark.parametrize("folder", PLAIN_TORCH)
def test_plain_torch_knows_no_scikit_learn(folder):
    files = sorted((ROOT / folder).glob("*.py"))
    assert files
    for file in files:
        used = imported_modules(file)
        assert not [n for n in used if n.startswith("sklearn") or n == "wsl._sklearn_compat"], file


def test_private_scikit_learn_is_touched_in_one_place():
    for file in FILES:
        private = [
            name
            for name in imported_modules(file)
            if name.startswith("sklearn") and any(part.startswith("_") for part in name.split("."))
        ]
        assert not private or file.name == "_sklearn_compat.py", file


def test_nothing_seeds_the_global_generators():
    for file in FILES:
        text = file.read_text()
        assert "np.random.seed" not in text, file
        assert "torch.manual_seed" not in text or file.name == "_random.py", file
        assert "set_num_threads" not in text or file.name == "_threads.py", file
