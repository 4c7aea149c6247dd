"""``read_zoo``: models that other software has stored, as a zoo."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._batches import row_slices
from .._digest import text_digest
from .._diverged import diverged_rows, warn_of_diverged
from ..architectures import Architecture
from ..exceptions import InvalidInputError, ZooFileError
from ._zoo import ModelZoo
from .storage._claim import claimed
from .storage._formats import Checkpoint, Epochs, Layout, detect_layout, list_checkpoints
from .storage._state_dicts import stored_tensors
from .storage._weights_file import DTYPE
from .storage._writer import ZooWriter

Candidates = Architecture | Sequence[Architecture] | Callable[[Mapping[str, Any]], Architecture]

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
    """Read models that other software has stored, without running code from the files.

    Files are read one after another, so that with ``out`` a zoo may be larger than memory.

    Parameters
    ----------
    path : str or Path
        One of:

        - a folder that :meth:`ModelZoo.save` wrote;
        - a folder of ``.safetensors`` files, one model per file;
        - a folder of state dicts or training checkpoints, one model per file (``.pt``, ``.pth``,
          ``.bin``, ``.ckpt``, ``.tar``, ``.pkl``, ``.t7``, ``.model``, ``.weights``);
        - a single file of these kinds, which may also hold a list or dict of state dicts;
        - a folder of ray-tune trials, as in published model zoos [1]_: each trial has
          ``params.json``, ``result.json`` and checkpoints ``checkpoint_000010/checkpoints``.
    architecture : Architecture, sequence of Architecture, or callable, optional
        The network of the models, which a state dict does not describe. With a sequence, each model
        is of the first architecture that it fits; a callable maps a state dict to its Architecture.
        Not needed for a folder that :meth:`ModelZoo.save` wrote. If the parameters of the
        architecture have a prefix in a state dict, as in ``model.0.weight`` of a Lightning
        checkpoint, entries without that prefix are ignored.
    layout : {"auto", "zoo", "safetensors", "state_dicts", "ray"}, default="auto"
        The kind of ``path``. "auto" infers it, and is enough unless a folder holds files of several
        kinds.
    epochs : {"last", "all"}, int or sequence of int, default="last"
        The checkpoints to read from each ray-tune trial.
    group : bool, default=False
        If True, models may be of several architectures, and one zoo per architecture is returned.
    out : str or Path, optional
        Folder to write the zoo into while it is read, for zoos that are larger than memory. The
        result is memory-mapped. The same call resumes an interrupted one.

    Returns
    -------
    ModelZoo or dict of Architecture to ModelZoo
        The models in the order of their names, weights as float32; a dict with ``group=True``. The
        metadata has the column ``model``, the name; for ray-tune trials also ``epoch``, the
        settings as ``config/...`` and the results.

    Raises
    ------
    FolderInUseError
        If another process writes into ``out``; it is named.
    ZooFileError
        If a file is damaged, of another format, a link out of the folder, or a pickle that would
        run code; if a checkpoint holds several state dicts that differ, or a trial has two
        checkpoints of one epoch.
    InvalidInputError
        If models do not fit the architecture, with a list of them; if a trial lacks an epoch.

    Warns
    -----
    DivergedModelWarning
        If models diverged; the files are named. The warning's class says by which rule.
    IncompleteZooWarning
        If trials have no checkpoint. They are left out.

    See Also
    --------
    ModelZoo.load : Read a zoo that this package has stored.
    train_zoo : Train a zoo.
    Architecture.flatten : Convert modules or state dicts in memory to rows.

    References
    ----------
    .. [1] Schürholt, Taskiran, Knyazev, Giró-i-Nieto and Borth (2022), "Model Zoos: A Dataset of
       Diverse Populations of Neural Network Models", NeurIPS Datasets and Benchmarks;
       modelzoos.cc.

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
        raise InvalidInputError(
            f"`epochs` is only used for ray-tune trials, and {path} holds none; got {epochs!r}."
        )
    if layout == "zoo":
        zoos = [_stored_zoo(path, architecture, out)]
    elif architecture is None:
        raise InvalidInputError(
            f"`architecture` must say what network the state dicts in {path} are of; got None."
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
        raise InvalidInputError(f"`layout` must be one of {_LAYOUTS}; got {layout!r}.")
    if group and out is not None:
        raise InvalidInputError(
            f"`out` must be None with group=True, as there may be several zoos; got {out!r}."
        )
    if not path.exists():
        raise ZooFileError(f"{path} does not exist.")


def _stored_zoo(path: Path, architecture: Any, out: str | Path | None) -> ModelZoo:
    """Return a zoo that ``ModelZoo.save`` wrote, copied to ``out`` if there is one."""
    if not isinstance(architecture, Architecture | None):
        raise InvalidInputError(
            f"`architecture` must be an Architecture or None for the stored zoo {path}; got a "
            f"{type(architecture).__name__}."
        )
    zoo = ModelZoo.load(path, architecture, mmap=out is not None)
    return zoo if out is None else ModelZoo.load(zoo.save(out), architecture, mmap=True)


def _collect(checkpoints: list[Checkpoint], candidates: Candidates, group: bool) -> list[ModelZoo]:
    """Read all models into memory: one zoo, or one per architecture."""
    rows: dict[Architecture, bytearray] = {}  # grows in place; stacking a list takes twice as much
    members: dict[Architecture, list[Checkpoint]] = {}
    misfits = []
    for checkpoint in checkpoints:
        try:
            fitted, row = _fit(checkpoint, candidates)
        except InvalidInputError as error:
            misfits.append(str(error))
            continue
        if not group:
            candidates = fitted
        rows.setdefault(fitted, bytearray()).extend(row.tobytes())
        members.setdefault(fitted, []).append(checkpoint)
    _refuse(misfits, len(checkpoints))
    zoos = []
    for fitted, group_members in members.items():
        weights = np.frombuffer(rows[fitted], np.float32).reshape(len(group_members), -1)
        zoos.append(ModelZoo(weights, fitted, _table(group_members)))
        _warn_of_diverged(zoos[-1], group_members)
    return zoos


def _stream(checkpoints: list[Checkpoint], candidates: Candidates, out: Path) -> ModelZoo:
    """Read the models batch by batch into a stored zoo, and return it memory-mapped."""
    architecture, _ = _fit(checkpoints[0], candidates)
    n_models, table = len(checkpoints), _table(checkpoints)
    parts = list(row_slices(n_models, DTYPE.itemsize * architecture.n_weights))
    run = _fingerprint(checkpoints, architecture, parts)
    with claimed(out) as claim:
        writer = ZooWriter(claim, architecture, n_models, run)
        misfits = []
        for part in parts:
            if any(first <= part.start and part.stop <= last for first, last in writer.done):
                continue
            rows = []
            for checkpoint in checkpoints[part]:
                try:
                    rows.append(_fit(checkpoint, architecture)[1])
                except InvalidInputError as error:
                    misfits.append(str(error))
            if len(rows) == part.stop - part.start:
                writer.write(part.start, np.stack(rows), table[part])
        _refuse(misfits, n_models)
        zoo = ModelZoo.load(writer.finish(), architecture, mmap=True)
    _warn_of_diverged(zoo, checkpoints)
    return zoo


def _fit(checkpoint: Checkpoint, candidates: Candidates) -> tuple[Architecture, np.ndarray]:
    """Return the first architecture that fits a model, and the model's row ``(n_weights,)``."""
    reasons = []
    try:
        state = stored_tensors(checkpoint.load())
        for architecture in _options(candidates, state):
            try:
                return architecture, architecture.flatten(state)[0]
            except InvalidInputError as error:
                reasons.append(str(error).removeprefix("models[0]: "))
    except InvalidInputError as error:
        reasons.append(str(error))
    name = checkpoint.metadata["model"]
    raise InvalidInputError(f"{checkpoint.file} ({name}): {' '.join(reasons)}")


def _options(candidates: Candidates, state: dict[str, Any]) -> Sequence[Architecture]:
    if isinstance(candidates, Architecture):
        return [candidates]
    return [candidates(state)] if callable(candidates) else candidates


def _refuse(misfits: list[str], n_models: int) -> None:
    """Raise InvalidInputError if there are models that fit no architecture."""
    if misfits:
        more = f"\nand {len(misfits) - _N_NAMED} more" if len(misfits) > _N_NAMED else ""
        raise InvalidInputError(
            f"`architecture` must fit all models; {len(misfits)} of {n_models} models do not fit. "
            "For models of several architectures pass a list of these and group=True.\n"
            + "\n".join(misfits[:_N_NAMED])
            + more
        )


def _table(checkpoints: list[Checkpoint]) -> pd.DataFrame:
    return pd.DataFrame.from_records([checkpoint.metadata for checkpoint in checkpoints])


def _fingerprint(
    checkpoints: list[Checkpoint], architecture: Architecture, parts: list[slice]
) -> str:
    """Return a digest of what decides the zoo: the files, their metadata and the batches."""
    parts_of_digest = [repr((architecture, architecture.parameter_names, parts))]
    for checkpoint in checkpoints:
        status = checkpoint.file.stat()
        identity = (checkpoint.file.resolve(), status.st_size, status.st_mtime_ns)
        parts_of_digest.append(repr((*identity, checkpoint.metadata)))
    return text_digest("\n".join(parts_of_digest))


def _warn_of_diverged(zoo: ModelZoo, checkpoints: list[Checkpoint]) -> None:
    """Name the files of diverged models in a warning to the caller of ``read_zoo``."""
    diverged = np.flatnonzero(diverged_rows(batch.weights for batch in zoo.batches()))
    files = [str(checkpoints[index].file) for index in diverged]
    warn_of_diverged(files, len(zoo))
