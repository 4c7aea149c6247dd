"""Each layer imports only those before it; the order is the design's, metrics before the zoo."""

import ast
from pathlib import Path

import pytest

import wsl

ROOT = Path(wsl.__file__).parent
LAYERS = [
    "exceptions", "_files", "_batches", "_random", "_sklearn_compat", "_device", "_validation",
    "architectures", "metrics", "zoo", "distributions", "datasets", "features", "autoencoder",
    "causal", "attacks", "risk", "displays", "_tour", "__main__",
]  # fmt: skip
NETWORK_MODULES = (
    "_network",
    "_losses",
    "_batched",
    "_operations",
    "_symmetry",
    "_engine",
    "_layers",
    "_dropout",
    "_penalties",
    "_closed_form",
    "_irm",
    "_risks",
    "_moments",
    "_objective",
)


def imported_modules(file: Path) -> set[str]:
    """Return the dotted names that a module imports, those of wsl made absolute."""
    package = ["wsl", *file.relative_to(ROOT).parent.parts]
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            whole = (node.level > 0 and node.module is None) or stem == "wsl"
            names |= {f"{stem}.{alias.name}" for alias in node.names} if whole else {stem}
    return names


FILES = [file for file in sorted(ROOT.rglob("*.py")) if file != ROOT / "__init__.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_downwards(file):
    own = file.relative_to(ROOT).parts[0].removesuffix(".py")
    assert own in LAYERS, f"{own} has no place in the layers"
    used = {name.split(".")[1] for name in imported_modules(file) if name.startswith("wsl.")}
    above = [name for name in used - {"__version__"} if LAYERS.index(name) > LAYERS.index(own)]
    assert not above


@pytest.mark.parametrize("name", NETWORK_MODULES)
def test_plain_torch_knows_no_scikit_learn(name):
    for file in ROOT.rglob(f"{name}.py"):
        assert not any(used.startswith("sklearn") for used in imported_modules(file)), file


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
        assert "set_num_threads" not in text or file.parent.name == "risk", file
