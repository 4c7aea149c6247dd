"""``read_zoo``: models that others have stored, as a zoo.

Which files they are lives in ``_layouts``, how one is opened safely in ``_checkpoints``.
"""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from .._batches import row_slices
from ..architectures import Architecture
from ..exceptions import DivergedModelWarning, InvalidInputError, ZooFileError
from ._zoo import ModelZoo
from .storage._formats import Checkpoint, Epochs, Layout, detect_layout, list_checkpoints
from .storage._state_dicts import float_tensors
from .storage._weights_file import DTYPE
from .storage._writer import ZooWriter

Candidates = Architecture | Sequence[Architecture] | Callable[[dict[str, Tensor]], Architecture]

_LAYOUTS = ("auto", "zoo", "safetensors", "state_dicts", "ray")
_N_NAMED = 10


def read_zoo(
    path: str | Path,
    architecture: Candidates | None = None,
    *,
    layout: Layout = "auto",
    epochs: Epochs = "last",
    group: bool = False,
    out: str | Path | None = None,
) -> ModelZoo | dict[Architecture, ModelZoo]:
    """Read models that others have stored, one file after the other, and run no code in them.

    Parameters
    ----------
    path : str or Path
        A folder that ``ModelZoo.save`` wrote; a folder of ``.safetensors`` files, a model each; a
        folder of state dicts (``.pt``, ``.pth``, ``.bin``), a model each; a single file of either
        kind, which may hold a list or dict of state dicts; or a folder of ray-tune trials, as the
        published model zoos are: each has ``params.json``, ``result.json`` and checkpoints
        ``checkpoint_000010/checkpoints``.
    architecture : Architecture, sequence of them, or callable, optional
        What the weights mean: a state dict does not tell. Of several, the first that fits is
        taken; a callable maps a state dict to its Architecture. Not needed for a zoo of our own
        format. A prefix common to all names, as in ``module_list.0.weight``, is passed over.
    layout : {"auto", "zoo", "safetensors", "state_dicts", "ray"}
        What ``path`` is, where its contents leave that open.
    epochs : {"last", "all"}, int or sequence of int
        Which checkpoints of each ray-tune trial to read.
    group : bool
        Return one zoo for each architecture, where the models are of several.
    out : str or Path, optional
        Write the zoo into this folder on the way and return it memory-mapped, for zoos larger than
        memory. A call that was killed goes on where it was.

    Returns
    -------
    ModelZoo, or with ``group`` a dict from Architecture to ModelZoo
        Weights as float32, models in the order of their names. The metadata tell the ``model``;
        of a ray-tune trial also the ``epoch``, its settings as ``config/...`` and its results.

    Raises
    ------
    ZooFileError
        If a file is damaged, of another kind, a link that leads out of the folder, or a pickle that
        asks for code to run.
    InvalidInputError
        If models do not fit the architecture, which lists them; or an epoch is not there.

    Warns
    -----
    DivergedModelWarning
        If models hold weights that are not finite.
    IncompleteZooWarning
        If trials have no checkpoint; they are left out.

    References
    ----------
    Schürholt et al. (2022), "Model Zoos: A Dataset of Diverse Populations of Neural Network
    Models"; modelzoos.cc.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from wsl import Architecture, read_zoo
    >>> architecture = Architecture.mlp(2, [3], 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a", "b"):
    ...         torch.save(architecture.template.state_dict(), Path(folder, f"{name}.pt"))
    ...     zoo = read_zoo(folder, architecture)
    >>> zoo.metadata["model"].tolist()
    ['a', 'b']
    """
    path = Path(path)
    _check_options(path, layout, group, out)
    layout = detect_layout(path) if layout == "auto" else layout
    if layout != "ray" and epochs != "last":
        raise InvalidInputError(f"epochs={epochs!r}, but {path} holds no ray-tune trials")
    if layout == "zoo":
        zoos = [_own_zoo(path, architecture, out)]
    elif architecture is None:
        raise InvalidInputError(
            f"architecture=None, but the state dicts in {path} do not tell what they compute"
        )
    else:
        checkpoints = list_checkpoints(path, layout, epochs)
        if out is None:
            zoos = _collect(checkpoints, architecture, group)
        else:
            zoos = [_stream(checkpoints, architecture, Path(out))]
    return {zoo.architecture: zoo for zoo in zoos} if group else zoos[0]


def _check_options(path: Path, layout: str, group: bool, out: str | Path | None) -> None:
    if layout not in _LAYOUTS:
        raise InvalidInputError(f"layout={layout!r}; wanted one of {_LAYOUTS}")
    if group and out is not None:
        raise InvalidInputError("out= takes one zoo, and group=True may give several")
    if not path.exists():
        raise ZooFileError(f"{path} is not there")


def _own_zoo(path: Path, architecture: Any, out: str | Path | None) -> ModelZoo:
    if not isinstance(architecture, Architecture | None):
        raise InvalidInputError(f"{path} is a stored zoo; wanted one Architecture for it, or None")
    zoo = ModelZoo.load(path, architecture, mmap=out is not None)
    return zoo if out is None else ModelZoo.load(zoo.save(out), architecture, mmap=True)


def _collect(checkpoints: list[Checkpoint], candidates: Candidates, group: bool) -> list[ModelZoo]:
    """Read all models into memory: one zoo, or one for each architecture."""
    rows: dict[Architecture, bytearray] = {}  # grows in place, where a list to stack would double
    members: dict[Architecture, list[Checkpoint]] = {}
    offenders = []
    for checkpoint in checkpoints:
        try:
            fitted, row = _fit(checkpoint, candidates)
        except InvalidInputError as error:
            offenders.append(str(error))
            continue
        if not group:
            candidates = fitted
        rows.setdefault(fitted, bytearray()).extend(row.tobytes())
        members.setdefault(fitted, []).append(checkpoint)
    _refuse(offenders, len(checkpoints))
    zoos = []
    for fitted, found in members.items():
        weights = np.frombuffer(rows[fitted], np.float32).reshape(len(found), -1)
        zoos.append(ModelZoo(weights, fitted, _table(found)))
        _warn_of_diverged(zoos[-1], found)
    return zoos


def _stream(checkpoints: list[Checkpoint], candidates: Candidates, out: Path) -> ModelZoo:
    """Read the models a batch at a time into a stored zoo, and return that, memory-mapped."""
    architecture, _ = _fit(checkpoints[0], candidates)
    n_models, table = len(checkpoints), _table(checkpoints)
    parts = list(row_slices(n_models, DTYPE.itemsize * architecture.n_weights))
    writer = ZooWriter(out, architecture, n_models, _fingerprint(checkpoints, architecture, parts))
    offenders = []
    for part in parts:
        if any(first <= part.start and part.stop <= last for first, last in writer.done):
            continue
        rows = []
        for checkpoint in checkpoints[part]:
            try:
                rows.append(_fit(checkpoint, architecture)[1])
            except InvalidInputError as error:
                offenders.append(str(error))
        if len(rows) == part.stop - part.start:
            writer.write(part.start, np.stack(rows), table[part])
    _refuse(offenders, n_models)
    zoo = ModelZoo.load(writer.finish(), architecture, mmap=True)
    _warn_of_diverged(zoo, checkpoints)
    return zoo


def _fit(checkpoint: Checkpoint, candidates: Candidates) -> tuple[Architecture, np.ndarray]:
    """Return the first architecture that a model fits, and its row ``(n_weights,)``."""
    reasons = []
    try:
        tensors = float_tensors(checkpoint.load())
        for architecture in _options(candidates, tensors):
            try:
                return architecture, architecture.flatten(_renamed(tensors, architecture))[0]
            except InvalidInputError as error:
                reasons.append(str(error).removeprefix("models[0]: "))
    except InvalidInputError as error:
        reasons.append(str(error))
    name = checkpoint.metadata["model"]
    raise InvalidInputError(f"{checkpoint.file} ({name}): {'; '.join(reasons)}")


def _options(candidates: Candidates, tensors: dict[str, Tensor]) -> Sequence[Architecture]:
    if isinstance(candidates, Architecture):
        return [candidates]
    return [candidates(tensors)] if callable(candidates) else candidates


def _renamed(tensors: dict[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Return the tensors without the prefix, common to all, that the architecture lacks."""
    first = architecture.parameter_names[0]
    if first not in tensors:
        for name in tensors:
            prefix = name.removesuffix(first)
            if prefix.endswith(".") and all(other.startswith(prefix) for other in tensors):
                return {other.removeprefix(prefix): value for other, value in tensors.items()}
    return tensors


def _refuse(offenders: list[str], n_models: int) -> None:
    if offenders:
        more = f"\nand {len(offenders) - _N_NAMED} more" if len(offenders) > _N_NAMED else ""
        raise InvalidInputError(
            f"{len(offenders)} of {n_models} models do not fit the architecture; those of several "
            "architectures are read with group=True and all of these as architecture=\n"
            + "\n".join(offenders[:_N_NAMED])
            + more
        )


def _table(checkpoints: list[Checkpoint]) -> pd.DataFrame:
    return pd.DataFrame.from_records([checkpoint.metadata for checkpoint in checkpoints])


def _fingerprint(
    checkpoints: list[Checkpoint], architecture: Architecture, parts: list[slice]
) -> str:
    """Name what decides the zoo: the files as they are now, what is known of them, the cut."""
    digest = hashlib.sha256(repr((architecture, architecture.parameter_names, parts)).encode())
    for checkpoint in checkpoints:
        status = checkpoint.file.stat()
        known = (checkpoint.file.resolve(), status.st_size, status.st_mtime_ns, checkpoint.metadata)
        digest.update(repr(known).encode())
    return digest.hexdigest()


def _warn_of_diverged(zoo: ModelZoo, checkpoints: list[Checkpoint]) -> None:
    finite = [np.isfinite(piece.weights).all(axis=1) for piece in zoo.batches()]
    bad = np.flatnonzero(~np.concatenate(finite))
    if bad.size:
        named = ", ".join(str(checkpoints[index].file) for index in bad[:_N_NAMED])
        warnings.warn(
            f"{bad.size} of {len(zoo)} models hold weights that are not finite: {named}"
            + (", ..." if bad.size > _N_NAMED else ""),
            DivergedModelWarning,
            stacklevel=4,
        )
