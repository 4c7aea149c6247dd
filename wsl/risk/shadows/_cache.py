"""Trained populations in a folder, found again by a digest of all that decides them."""

import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._files import replacing
from ...exceptions import DamagedCacheWarning, UnsupportedModuleError, WslError
from ._drawn_sets import DrawnSets
from ._population import Population

if TYPE_CHECKING:
    from ...architectures import Architecture

UTILITY = "utility_"


class Cache:
    """A folder of populations, each in one file of arrays and text that holds no code.

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
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return _population_of(dict(file.items()), drawn_sets)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, IndexError, WslError) as error:
            reason: Exception = error
        except zipfile.BadZipFile as error:
            reason = error
        warnings.warn(
            f"{path} is damaged; its models are trained again: {reason}",
            DamagedCacheWarning,
            stacklevel=2,
        )
        return None

    def write(self, key: str, population: Population) -> None:
        """Write a population, whole or not at all."""
        arrays = _arrays_of(population)
        with replacing(self._path(key)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"


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
    models, architecture = arrays["models"], None
    if "weights" in arrays:
        from ...architectures import Architecture

        architecture = Architecture.from_spec(json.loads(str(arrays["architecture"])))
    return Population(
        drawn_sets.properties[models],
        models,
        arrays["responses"],
        str(arrays["output"]),
        arrays.get("classes"),
        arrays.get("weights"),
        architecture,
        {
            (test, metric): arrays[f"{UTILITY}{i}"]
            for i, (test, metric) in enumerate(json.loads(str(arrays["utility_names"])))
        },
    )
