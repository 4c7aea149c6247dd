"""The format of a stored zoo: a folder with a JSON manifest and a safetensors file that it names.

Reading runs no code. What the parts mean is for ``ModelZoo``.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from sklearn.utils import check_array

from .._files import replacing, write_text
from .._validation import check_length, check_n_columns
from ..architectures import Architecture
from ..exceptions import UnsupportedModuleError, WslError, ZooFileError

FORMAT = "wsl-zoo"
VERSION = 1
MANIFEST = "zoo.json"


def write_folder(
    path: Path, weights: np.ndarray, architecture: Architecture, metadata: pd.DataFrame
) -> Path:
    """Write the parts of a zoo. The manifest comes last: until then the old one holds."""
    if path.exists() and not path.is_dir():
        raise ZooFileError(f"{path} is a file; wanted a folder to write the zoo into")
    path.mkdir(parents=True, exist_ok=True)
    data = save_tensors({"weights": np.ascontiguousarray(weights)})
    digest = hashlib.sha256(data).hexdigest()
    file_name = f"weights-{digest[:16]}.safetensors"
    with replacing(path / file_name) as temporary:
        temporary.write_bytes(data)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "weights": file_name,
        "sha256": digest,
        "architecture": _architecture_spec(architecture),
        "metadata": _table_to_json(metadata),
    }
    write_text(path / MANIFEST, json.dumps(manifest, indent=1))
    for stale in path.glob("weights-*.safetensors"):
        if stale.name != file_name:
            stale.unlink(missing_ok=True)
    return path


def _architecture_spec(architecture: Architecture) -> dict[str, Any] | None:
    try:
        return architecture.to_spec()
    except UnsupportedModuleError:
        return None


def read_folder(path: Path, architecture: Architecture | None) -> dict[str, Any]:
    """Return the parts that ``write_folder`` wrote, checked, as arguments of ``ModelZoo``."""
    manifest = _read_manifest(path / MANIFEST)
    file = path / Path(str(manifest["weights"])).name
    if file.name != manifest["weights"]:
        raise ZooFileError(f"{path / MANIFEST} names weights outside its folder")
    data = _read_bytes(file)
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise ZooFileError(f"{file} is damaged: its checksum is not the one in {MANIFEST}")
    try:
        weights = check_array(
            load_tensors(data)["weights"], ensure_all_finite=False, ensure_min_samples=0
        )
        metadata = _table_from_json(manifest["metadata"], len(weights))
        if architecture is None and manifest["architecture"] is not None:
            architecture = Architecture.from_spec(manifest["architecture"])
            check_n_columns(weights, architecture.n_weights)
    except (AttributeError, KeyError, SafetensorError, TypeError, ValueError, WslError) as error:
        raise ZooFileError(f"{path} holds no readable zoo: {error}") from error
    if architecture is None:
        raise ZooFileError(
            f"{path} was saved from a module that cannot be stored; give architecture="
        )
    return {"weights": weights, "architecture": architecture, "metadata": metadata}


def _table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """Return the columns with their types; numbers written so lose nothing."""
    return {
        str(name): {"dtype": str(column.dtype), "values": column.tolist()}
        for name, column in table.items()
    }


def _table_from_json(columns: dict[str, Any], n_rows: int) -> pd.DataFrame:
    series = {
        name: pd.Series(column["values"], dtype=column["dtype"]) for name, column in columns.items()
    }
    for name, column in series.items():
        check_length(column, n_rows, f"metadata[{name!r}]", "weights")
    return pd.DataFrame(series, index=range(n_rows))


def _read_manifest(file: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read_bytes(file))
    except ValueError as error:
        raise ZooFileError(f"{file} is not JSON: {error}") from error
    wanted = {"format", "version", "weights", "sha256", "architecture", "metadata"}
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or wanted - set(manifest):
        raise ZooFileError(f"{file} is not the manifest of a stored zoo")
    if manifest["version"] != VERSION:
        raise ZooFileError(
            f"{file} has format version {manifest['version']!r}; this release reads {VERSION}"
        )
    return manifest


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ZooFileError(f"{file} cannot be read: {error.strerror}") from error
