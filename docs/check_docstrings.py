"""Check every public docstring: ``python docs/check_docstrings.py [wsl.zoo wsl/zoo ...]``.

Runs numpydoc's validation, and a few checks that numpydoc lacks, on each public function, class,
method and property of ``wsl`` and its subpackages. Prints one line per error and exits with 1 if
there are any. Arguments keep the objects whose public name or whose file begins with one of them.
There is no list of exceptions.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpydoc.validate import Validator, get_doc_object, validate

sys.path.insert(0, str(Path(__file__).parent))
from public_api import ROOT, code_of, own_members, public_objects

# ES01: a summary may be enough. RT02: what is returned has a name here, as in scikit-learn.
NOT_CHECKED = {"ES01", "RT02"}
# Methods and properties share the neighbours and the example of their class.
NOT_CHECKED_IN_MEMBERS = {"SA01", "EX01"}
PRIVATE_NAMES = {
    name
    for path in (ROOT / "wsl").rglob("*")
    if (name := path.stem).startswith("_") and not name.startswith("__")
}
Error = tuple[str, str]


def documented_objects() -> dict[str, Any]:
    """Return public functions and classes, and the classes' own public members, by name.

    A member that several classes inherit is checked once. What comes from a base class outside
    ``wsl`` is not ours.
    """
    objects: dict[str, Any] = {}
    seen: set[int] = set()
    for module, names in public_objects().items():
        for name, value in names.items():
            if not callable(value):
                continue
            objects[f"{module}.{name}"] = value
            for member, code in own_members(value) if inspect.isclass(value) else ():
                if id(code) not in seen:
                    seen.add(id(code))
                    objects[f"{module}.{name}.{member}"] = getattr(value, member)
    return objects


def errors_of(name: str, value: Any) -> list[Error]:
    """Return the codes and messages of what is wrong with one docstring."""
    skipped = NOT_CHECKED | (NOT_CHECKED_IN_MEMBERS if is_member(name) else set())
    errors = [error for error in validate(name)["errors"] if error[0] not in skipped]
    if inspect.getdoc(value):
        errors += own_errors(name, value)
    return errors


def is_member(name: str) -> bool:
    """Return True for ``wsl.folder.Class.member``."""
    return name.count(".") > 2


def own_errors(name: str, value: Any) -> Iterator[Error]:
    """Yield what numpydoc's validation does not look for."""
    doc = documentation(name)
    for word in sorted(set(re.findall(r"(?<!\w)_[a-z]\w*", doc.raw_doc)) & PRIVATE_NAMES):
        yield "GL20", f"Names the private module {word}"
    if not is_member(name) and doc.examples and ">>> " not in "\n".join(doc.examples):
        yield "EX20", "The example has no line that runs"
    for mark in sorted(set(re.findall(r"\[(\w+)\]_", doc.raw_doc))):
        if f".. [{mark}] " not in doc.raw_doc:
            yield "RF20", f"Cites [{mark}]_, which its own References lack"
    for neighbor in doc.see_also:
        if not exists(neighbor, name):
            yield "SA20", f'See Also names "{neighbor}", which does not exist'
    yield from errors_of_entries(doc.doc, inherited_names(value))
    for section, kinds in raised_directly(value).items():
        described = {entry.type or entry.name for entry in doc.doc[section]}
        for kind in sorted(kinds - described):
            yield f"{section[:2].upper()}20", f"{section} has no entry for {kind}"


def inherited_names(value: Any) -> set[str]:
    """Return the attributes that a class has from base classes outside ``wsl``."""
    bases = value.__mro__ if inspect.isclass(value) else ()
    return {name for base in bases if base.__module__.split(".")[0] != "wsl" for name in vars(base)}


def errors_of_entries(sections: Any, inherited: set[str]) -> Iterator[Error]:
    """Yield entries that explain several names at once, and attributes without a description.

    numpydoc lists ``inherited`` attributes too, which their own classes document.
    """
    explained = inherited | {entry.name for entry in sections["Parameters"]}  # of a dataclass
    for section in ("Parameters", "Other Parameters", "Attributes"):
        for entry in sections[section]:
            if "," in entry.name:
                yield "PR20", f'One entry of {section} for several names: "{entry.name}"'
            elif section != "Attributes" or entry.name in explained:
                continue
            elif not "".join(entry.desc).strip():
                yield "AT20", f'Attribute "{entry.name}" has no description'


def documentation(name: str) -> Validator:
    """Return numpydoc's view of a docstring."""
    return Validator(get_doc_object(Validator._load_obj(name)))


def exists(neighbor: str, name: str) -> bool:
    """Return True for a name that can be found from the object called ``name``, or imported."""
    around = name.split(".")
    scopes = ["", "wsl.", *(".".join(around[:depth]) + "." for depth in range(2, len(around)))]
    for scope in scopes:
        try:
            Validator._load_obj(scope + neighbor)
        except (ImportError, AttributeError):
            continue
        return True
    return False


def raised_directly(value: Any) -> dict[str, set[str]]:
    """Return what the body of a function or method itself raises, and what it warns with."""
    if inspect.isclass(value):
        return {}
    code = code_of(value, value)
    tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    raised, warned = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            raised |= {ast.unparse(node.exc.func)} - {"type(error)"}  # another's, told better
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn":
            warned |= {ast.unparse(argument) for argument in node.args[1:2]}
    return {"Raises": raised, "Warns": warned}


def location(value: Any) -> str:
    """Return the file and the line of an object, relative to the repository."""
    code = value if inspect.isclass(value) else code_of(value, value)
    file = Path(inspect.getsourcefile(code) or "").resolve()
    return f"{file.relative_to(ROOT)}:{inspect.getsourcelines(code)[1]}"


def main(prefixes: list[str]) -> int:
    """Print what is wrong, with a summary, and return the exit status."""
    counts: Counter[str] = Counter()
    n_objects = 0
    for name, value in documented_objects().items():
        where = location(value)
        if prefixes and not any(text.startswith(p) for p in prefixes for text in (name, where)):
            continue
        n_objects += 1
        for code, message in errors_of(name, value):
            counts[code] += 1
            print(f"{where} {name}: {code} {message}")
    print(f"{n_objects} docstrings, {sum(counts.values())} errors {dict(counts.most_common())}")
    return int(bool(counts) or not n_objects)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
