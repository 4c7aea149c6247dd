"""A whole zoo to and from its folder: the manifest and the safetensors file that it names."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..._batches import row_slices
from ..._files import contained
from ..._validation import check_n_columns
from ...architectures import Architecture
from ...architectures._identity import function_to_json, is_function_of
from ...architectures.spec._module_spec import count_weights
from ...exceptions import InvalidInputError, WslError, ZooFileError
from ._claim import claimed
from ._manifest import MANIFEST, read_manifest, table_from_json, table_to_json, write_manifest
from ._weights_file import file_digest, map_rows, prepare_rows, read_rows, write_rows


def write_folder(
    path: Path,
    weights: np.ndarray,
    architecture: Architecture,
    metadata: pd.DataFrame,
    fingerprint: str | None = None,
) -> Path:
    """Write a zoo into a folder. Until the manifest is written last, an earlier zoo is valid.

    ``fingerprint`` is a digest of what the zoo was trained from, to find it again.
    """
    table = table_to_json(metadata)
    with claimed(path) as claim:
        file = claim.new_weights_file()
        prepare_rows(file, (len(weights), architecture.n_weights))
        for part in row_slices(len(weights), weights.itemsize * architecture.n_weights):
            write_rows(file, part.start, weights[part])
        write_manifest(file, architecture, table, fingerprint)
    return path


def read_folder(
    path: Path, architecture: Architecture | None, *, mmap: bool = False, verify: bool = True
) -> dict[str, Any]:
    """Return what ``write_folder`` wrote, checked, as arguments of ``ModelZoo``."""
    manifest = read_manifest(path)
    while True:
        try:
            return _read_parts(path, manifest, architecture, mmap=mmap, verify=verify)
        except ZooFileError:
            latest = read_manifest(path)
            if latest["weights"] == manifest["weights"]:
                raise
            manifest = latest  # another process has replaced the zoo meanwhile


def _read_parts(
    path: Path,
    manifest: dict[str, Any],
    architecture: Architecture | None,
    *,
    mmap: bool,
    verify: bool,
) -> dict[str, Any]:
    """Return the parts of the zoo that a manifest in a folder describes."""
    file = contained(path, manifest["weights"], path / MANIFEST)
    weights, digest = _read_weights(file, mmap, verify)
    if verify and digest != manifest["sha256"]:
        raise ZooFileError(f"{file} is damaged: its checksum differs from that in {MANIFEST}.")
    try:
        metadata = table_from_json(manifest["metadata"], len(weights))
        stored = None
        if manifest["architecture"] is not None:
            check_n_columns(weights, count_weights(manifest["architecture"]))
            stored = Architecture.from_spec(manifest["architecture"])
    except (ValueError, WslError) as error:
        raise ZooFileError(f"{path} does not hold a readable zoo: {error}") from error
    architecture = _checked(architecture, stored, manifest.get("function"))
    if architecture is None:
        raise ZooFileError(
            f"{path} holds a zoo without an architecture, as its module could not be stored; pass "
            "it as architecture=."
        )
    return {"weights": weights, "architecture": architecture, "metadata": metadata}


def _checked(
    architecture: Architecture | None, stored: Architecture | None, function: dict[str, Any] | None
) -> Architecture | None:
    """Return the architecture that is passed, or the stored one; they must compute the same."""
    if architecture is None or (stored is None and function is None):
        return architecture or stored
    if not _is_same(architecture, stored, function):
        expected = "another network with the same weights" if stored is None else repr(stored)
        raise InvalidInputError(
            f"`architecture` must be that of the stored zoo, {expected}; got {architecture!r}."
        )
    return architecture


def _is_same(
    architecture: Architecture, stored: Architecture | None, function: dict[str, Any] | None
) -> bool:
    """Return True if an architecture computes what the stored one does, or what is described."""
    if stored is not None:
        shape = architecture.input_shape or stored.input_shape
        if architecture == stored or shape is None:
            return architecture == stored
        try:
            stored = stored.for_inputs(np.empty((0, *shape)))
        except InvalidInputError:
            return False
        function = function_to_json(stored.template, stored.layout, stored.input_shape)
    assert function is not None
    return is_function_of(function, architecture.template, architecture.layout)


def _read_weights(file: Path, mmap: bool, verify: bool) -> tuple[np.ndarray, str]:
    """Return the rows and the checksum of the file, which is "" for a map that is not verified."""
    if not mmap:
        return read_rows(file)
    rows = map_rows(file)
    return rows, file_digest(file) if verify else ""
