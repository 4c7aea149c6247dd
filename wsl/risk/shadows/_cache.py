"""Trained populations in a folder, found again by a digest of all that decides them."""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._caller_warnings import warn_caller
from ..._decode_arrays import read_npz
from ..._decode_json import ListOf, decode_json
from ..._files import replacing
from ...exceptions import DamagedCacheWarning, UnsupportedModuleError, WslError, ZooFileError
from ._drawn_sets import DrawnSets
from ._population import Population

if TYPE_CHECKING:
    from ...architectures import Architecture

UTILITY = "utility_"
OUTPUTS = ("proba", "logits", "label")


class Cache:
    """A folder of populations, each in one file of arrays and text that holds no code.

    A file holds its own key and a checksum, so that a changed or exchanged file is noticed.

    Parameters
    ----------
    folder : path-like
        Created when something is written.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    def read(self, key: str, drawn_sets: DrawnSets) -> Population | None:
        """Return what was written under ``key``; None if nothing was, or the file is damaged."""
        path = self._path(key)
        try:
            # arrays are not compressed, so that they cannot be larger than the file
            arrays = read_npz(path, max_bytes=path.stat().st_size)
            _check_integrity(arrays, key)
            return _population_of(arrays, drawn_sets)
        except FileNotFoundError:
            return None
        except (OSError, WslError) as error:
            warn_caller(
                f"{path} cannot be used; its models are trained again: {error}",
                DamagedCacheWarning,
            )
        return None

    def write(self, key: str, population: Population) -> None:
        """Write a population, whole or not at all."""
        arrays = _arrays_of(population) | {"key": np.array(key)}
        arrays["checksum"] = np.array(_checksum(arrays))
        with replacing(self._path(key)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays with their names, types and shapes."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _check_integrity(arrays: dict[str, np.ndarray], key: str) -> None:
    """Raise ZooFileError unless the arrays are those that were written under the key."""
    checksum = str(arrays.pop("checksum", None))
    if checksum != _checksum(arrays):
        raise ZooFileError("its contents do not match its checksum.")
    own_key = str(arrays.pop("key", None))
    if own_key != key:
        raise ZooFileError(f"it was written under another key, {own_key!r}.")


def _arrays_of(population: Population) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "models": population.models,
        "responses": population.responses,
        "output": np.array(population.output),
        "utility_names": np.array(json.dumps(list(population.utility))),
        **{f"{UTILITY}{i}": values for i, values in enumerate(population.utility.values())},
    }
    if population.classes is not None:
        arrays["classes"] = population.classes
    if population.weights is not None and population.architecture is not None:
        arrays["weights"] = population.weights
        arrays["architecture"] = np.array(json.dumps(_spec_of(population.architecture)))
    return arrays


def _spec_of(architecture: "Architecture") -> dict[str, Any]:
    try:
        return architecture.to_spec()
    except UnsupportedModuleError as error:
        raise UnsupportedModuleError(
            f"`cache` must be None for this learner, as its networks cannot be stored: {error}"
        ) from error


def _population_of(arrays: dict[str, np.ndarray], drawn_sets: DrawnSets) -> Population:
    """Return the population of a file; raise ZooFileError for arrays that are none."""
    names = decode_json(
        str(arrays.get("utility_names", "[]")), "its list of metrics", ListOf(ListOf(str))
    )
    _check_arrays(arrays, names, len(drawn_sets))
    models, architecture = arrays["models"], None
    if "weights" in arrays:
        from ...architectures import Architecture

        spec = decode_json(str(arrays["architecture"]), "its architecture", dict)
        architecture = Architecture.from_spec(spec)
    return Population(
        drawn_sets.properties[models],
        models,
        arrays["responses"],
        str(arrays["output"]),
        arrays.get("classes"),
        arrays.get("weights"),
        architecture,
        {(test, metric): arrays[f"{UTILITY}{i}"] for i, (test, metric) in enumerate(names)},
    )


def _check_arrays(arrays: dict[str, np.ndarray], names: list[list[str]], n_sets: int) -> None:
    """Raise ZooFileError unless arrays have the names, types and dimensions of a population's."""
    per_model = {"models": ("i", 1), "responses": ("f", 3)}
    per_model |= {f"{UTILITY}{i}": ("f", 1) for i in range(len(names))}
    single = {"output": ("U", 0), "utility_names": ("U", 0)}
    if "weights" in arrays:
        per_model["weights"], single["architecture"] = ("f", 2), ("U", 0)
    if "classes" in arrays:
        single["classes"] = (arrays["classes"].dtype.kind, 1)
    types = {name: (array.dtype.kind, array.ndim) for name, array in arrays.items()}
    if types != per_model | single or any(len(name) != 2 for name in names):
        raise ZooFileError("its arrays are not those of trained models.")
    models = arrays["models"]
    if any(len(arrays[name]) != len(models) for name in per_model):
        raise ZooFileError("its arrays must have one row per model.")
    if models.size and not 0 <= models.min() <= models.max() < n_sets:
        raise ZooFileError(f"its models must be numbered from 0 to {n_sets - 1}.")
    if str(arrays["output"]) not in OUTPUTS:
        raise ZooFileError(f"its output must be one of {OUTPUTS}; got {str(arrays['output'])!r}.")
